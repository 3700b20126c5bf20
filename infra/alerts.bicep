@description('Common part of the names.')
param name string

@description('Name of the environment, for people to read.')
param environmentName string

@description('Azure region.')
param location string

@description('Tags.')
param tags object

@description('Workspace the rules read.')
param workspaceId string

@description('Where alerts are mailed.')
param emails array

@description('Minutes a record may wait.')
param oldestWaitingMinutes int

@description('Calls an organisation must have left for the day.')
param dayBudgetCalls int

@description('Percentage of an hour\'s records that may be refused or fail.')
param failurePercent int

// Each query returns a row for each thing that is wrong, so every rule is "more than no rows". Metric names: shared/telemetry.py.
var rules = [
  {
    name: 'tick-late'
    title: 'The timer is late'
    description: 'No tick for 15 minutes: nothing is looked for. Look at the function app in Azure, then /health.'
    severity: 1
    frequency: 'PT5M'
    window: 'PT15M'
    query: 'AppMetrics | where Name == "connector.ticks" | summarize ticks = sum(Sum) | where isnull(ticks) or ticks == 0'
  }
  {
    name: 'poison'
    title: 'The app failed on a record'
    description: 'A message failed five times. The record\'s Sync History says so and it waits for a person; the log has the error.'
    severity: 2
    frequency: 'PT15M'
    window: 'PT15M'
    query: 'AppMetrics | where Name == "connector.records" and tostring(Properties.action) == "Poison" | summarize failed = sum(Sum) by flow = tostring(Properties.flow) | where failed > 0'
  }
  {
    name: 'disconnected'
    title: 'An organisation is disconnected'
    description: 'Xero or Dataverse no longer lets the app in. Nothing is lost; open the portal and connect again.'
    severity: 1
    frequency: 'PT15M'
    window: 'PT30M'
    query: 'AppMetrics | where Name == "connector.disconnected" | summarize arg_max(TimeGenerated, Max) by connector = tostring(Properties.connector) | where Max > 0'
  }
  {
    name: 'failure-rate'
    title: 'Many records fail'
    description: 'More records than usual were refused or failed within an hour.'
    severity: 2
    frequency: 'PT15M'
    window: 'PT1H'
    query: 'AppMetrics | where Name == "connector.records" | extend status = tostring(Properties.status) | summarize bad = sumif(Sum, status in ("refused", "failed")), all = sum(Sum) by flow = tostring(Properties.flow) | where all >= 10 and 100.0 * bad / all > ${failurePercent}'
  }
  {
    name: 'day-budget'
    title: 'Xero\'s daily calls run out'
    description: 'An organisation has few calls left until its day ends at Xero; records then wait. A higher Xero tier, or fewer flows, helps.'
    severity: 3
    frequency: 'PT15M'
    window: 'PT30M'
    query: 'AppMetrics | where Name == "connector.day_left" | summarize arg_max(TimeGenerated, Min) by organisation = tostring(Properties.organisation) | where Min < ${dayBudgetCalls}'
  }
  {
    name: 'oldest-waiting'
    title: 'A record waits too long'
    description: 'A record has been waiting for the wires or for a limit for longer than is normal.'
    severity: 2
    frequency: 'PT15M'
    window: 'PT30M'
    query: 'AppMetrics | where Name == "connector.oldest_waiting" | summarize arg_max(TimeGenerated, Max) by connector = tostring(Properties.connector), flow = tostring(Properties.flow) | where Max > ${oldestWaitingMinutes * 60}'
  }
]

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'ag-${name}'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'Xero'
    emailReceivers: [
      for (email, i) in emails: {
        name: 'mail ${i + 1}'
        emailAddress: email
        useCommonAlertSchema: true
      }
    ]
  }
}

resource alert 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for rule in rules: {
    name: 'alert-${name}-${rule.name}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: '${rule.title} (${environmentName})'
      description: rule.description
      severity: rule.severity
      enabled: true
      scopes: [workspaceId]
      evaluationFrequency: rule.frequency
      windowSize: rule.window
      criteria: {
        allOf: [
          {
            query: rule.query
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: 0
            failingPeriods: {
              numberOfEvaluationPeriods: 1
              minFailingPeriodsToAlert: 1
            }
          }
        ]
      }
      autoMitigate: true
      // The tables of Application Insights come into being with the first telemetry, after this rule.
      skipQueryValidation: true
      actions: {
        actionGroups: [people.id]
      }
    }
  }
]

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(resourceGroup().id, name, 'workbook')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Dynamics and Xero (${environmentName})'
    category: 'workbook'
    sourceId: workspaceId
    version: 'Notebook/1.0'
    serializedData: loadTextContent('workbook.json')
  }
}
