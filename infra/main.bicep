metadata name = 'Dynamics 365 Sales and Xero, kept in step'
metadata description = 'Everything the connector needs in one resource group. Deploy it again at any time: no secret and no data is overwritten.'

targetScope = 'resourceGroup'

// ── what to deploy ────────────────────────────────────────────────────────────────────────────────────────────────────────────

@description('Name of this environment, such as prod or test. It is part of every name and tag, so that several environments fit into one subscription, even into one resource group.')
@minLength(2)
@maxLength(32)
param environmentName string

@description('Azure region of every resource. Flex Consumption must be offered there (az functionapp list-flexconsumption-locations).')
@metadata({ azd: { type: 'location' } })
param location string = resourceGroup().location

@description('Tags for every resource, beside those the Azure Developer CLI needs.')
param tags object = {}

@description('Python of the function app. Every version here is in the test matrix; 3.13 starts fastest.')
@allowed(['3.11', '3.12', '3.13'])
param pythonVersion string = '3.13'

@description('Memory of one instance in MB. 512 is the cheapest and enough for one organisation; 2048 has a whole processor core.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 2048

@description('The most instances Azure may start. Xero\'s limits are kept whatever this is; it only bounds cost.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('Instances kept warm and always paid for, such as [{ name: \'http\', instanceCount: 1 }] or [{ name: \'function:invoices-to-xero\', instanceCount: 1 }]. Empty: none.')
param alwaysReady array = []

@description('Address people and Xero use, without a trailing slash, when the app has a domain of its own. Empty: the address Azure gives it.')
param publicUrl string = ''

// ── who may enter the portal ──────────────────────────────────────────────────────────────────────────────────────────────────

@description('Client id of the Entra ID app registration people sign in with (docs/deploy.md, step 2).')
@minLength(36)
@maxLength(36)
param portalClientId string

@description('Tenant people sign in from.')
@minLength(36)
@maxLength(36)
param portalTenantId string = tenant().tenantId

@description('Object ids or sign-in names of the administrators, beside the people who hold the app role Connector.Administrator.')
param portalAdmins array = []

// ── Xero ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

@description('Client id of the app at developer.xero.com (docs/deploy.md, step 3).')
@minLength(1)
param xeroClientId string

@description('Client secret of the app at developer.xero.com, needed the first time only. A secret that is already in the vault is never overwritten; change it there.')
@secure()
param xeroClientSecret string = ''

@description('Webhook signing key of the app at developer.xero.com, needed the first time only, and only with webhooks.')
@secure()
param xeroWebhookKey string = ''

@description('What the app asks the Xero user for. Granular scopes only.')
param xeroScopes array = [
  'offline_access'
  'openid'
  'profile'
  'email'
  'accounting.invoices'
  'accounting.payments'
  'accounting.contacts'
  'accounting.settings'
]

// ── Dataverse ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

@description('How the app signs in to Dataverse. The managed identity needs no secret and is the one to choose while the environment is in the same tenant.')
@allowed(['managedIdentity', 'clientSecret', 'clientCertificate'])
param dataverseSignIn string = 'managedIdentity'

@description('Tenant of the Dataverse environments.')
@minLength(36)
@maxLength(36)
param dataverseTenantId string = tenant().tenantId

@description('Client id of the app registration for Dataverse; only with clientSecret or clientCertificate.')
param dataverseClientId string = ''

@description('Client secret for Dataverse, needed the first time only, and only with clientSecret. A certificate is imported into the vault as dataverse-client-certificate.')
@secure()
param dataverseClientSecret string = ''

@description('Host names the app may send a Dataverse token to.')
param dataverseAllowedHosts array = [
  '*.dynamics.com'
  '*.dynamics.cn'
  '*.crm.microsoftdynamics.us'
  '*.crm.appsplatform.us'
]

// ── keys ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

@description('A fresh key for the stored tokens: 32 random bytes in base64 (openssl rand -base64 32). It is used only while the vault has none; keys that are there are never overwritten.')
@secure()
@minLength(44)
param tokenEncryptionKeys string

@description('Fills a secret nobody has given yet, so that the setting resolves and nobody can guess it. Leave it alone.')
@secure()
param unguessable string = newGuid()

@description('Name of a key vault you have (with Azure RBAC). The app may then read every secret in it. Empty: a vault of its own is made.')
param existingKeyVaultName string = ''

@description('Resource group of that vault.')
param existingKeyVaultResourceGroup string = resourceGroup().name

@description('Object id of the person or group who may change the secrets in a new vault. Empty: nobody but owners who grant it to themselves.')
param vaultOfficerObjectId string = ''

// ── schedules (UTC: Flex Consumption knows no other) ──────────────────────────────────────────────────────────────────────────

@description('When the app looks which flows are due.')
param tickSchedule string = '0 * * * * *'

@description('When balances, re-reads, reconciliation and retention run.')
param nightlySchedule string = '0 0 2 * * *'

@description('When tokens are kept alive; at most ten minutes apart.')
param keepAliveSchedule string = '0 */10 * * * *'

// ── watching ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────

@description('Where alerts are mailed. Empty: alerts are shown in the portal only.')
param alertEmails array = []

@description('Records may wait this many minutes before the oldest-waiting alert.')
@minValue(15)
@maxValue(10080)
param oldestWaitingMinutes int = 240

@description('Alert when fewer than this many of an organisation\'s Xero calls are left for the day.')
@minValue(0)
@maxValue(5000)
param dayBudgetCalls int = 200

@description('Alert when more than this percentage of an hour\'s records were refused or failed (of at least ten).')
@minValue(1)
@maxValue(100)
param failurePercent int = 25

@description('Days that logs are kept. Xero\'s security standard asks for a year of audit log.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 400

@description('The most GB of logs a day, as a guard against cost; -1 for none. Alerts are blind once it is reached.')
@minValue(-1)
param logDailyQuotaGB int = -1

@description('Also log every change to tables and blobs; needed by some auditors, and the greater part of the log when switched on.')
param storageAuditLogs bool = false

// ── network ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────

@description('Reach storage and the new key vault over private endpoints only. The app\'s own address stays public: Xero\'s webhooks and people come that way.')
param privateNetworking bool = false

@description('Address range of the virtual network, a /24 at least.')
param virtualNetworkAddressPrefix string = '10.97.0.0/24'

@description('Copies of the data: ZRS over three data centres, LRS in one, GZRS in a second region too.')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GZRS'])
param storageSku string = 'Standard_ZRS'

// ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

var token = uniqueString(resourceGroup().id, environmentName)
var allTags = union(tags, { 'azd-env-name': environmentName, product: 'dynamics-xero-connector' })
var functionAppName = take('func-xero-${toLower(environmentName)}-${token}', 60)
var storageName = 'stxero${token}'
var hasOwnVault = empty(existingKeyVaultName)
var vaultName = hasOwnVault ? 'kv-xero-${token}' : existingKeyVaultName
var vaultGroup = hasOwnVault ? resourceGroup().name : existingKeyVaultResourceGroup

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-xero-${token}'
  location: location
  tags: allTags
}

module monitoring 'monitoring.bicep' = {
  name: 'monitoring-${token}'
  params: {
    name: 'xero-${token}'
    location: location
    tags: allTags
    retentionDays: logRetentionDays
    dailyQuotaGB: logDailyQuotaGB
    principalId: identity.properties.principalId
  }
}

module storage 'storage.bicep' = {
  name: 'storage-${token}'
  params: {
    name: storageName
    location: location
    tags: allTags
    sku: storageSku
    isPrivate: privateNetworking
    principalId: identity.properties.principalId
    auditWorkspaceId: storageAuditLogs ? monitoring.outputs.workspaceId : ''
  }
}

module vault 'vault.bicep' = if (hasOwnVault) {
  name: 'vault-${token}'
  params: {
    name: vaultName
    location: location
    tags: allTags
    isPrivate: privateNetworking
    vaultOfficerObjectId: vaultOfficerObjectId
    workspaceId: monitoring.outputs.workspaceId
  }
}

module secrets 'secrets.bicep' = {
  name: 'secrets-${token}'
  scope: resourceGroup(vaultGroup)
  params: {
    vaultName: vaultName
    principalId: identity.properties.principalId
    tokenEncryptionKeys: tokenEncryptionKeys
    xeroClientSecret: empty(xeroClientSecret) ? unguessable : xeroClientSecret
    xeroWebhookKey: empty(xeroWebhookKey) ? unguessable : xeroWebhookKey
    dataverseClientSecret: empty(dataverseClientSecret) ? unguessable : dataverseClientSecret
    withDataverseSecret: dataverseSignIn == 'clientSecret'
  }
  dependsOn: [
    vault
  ]
}

module network 'network.bicep' = if (privateNetworking) {
  name: 'network-${token}'
  params: {
    name: 'vnet-xero-${token}'
    location: location
    tags: allTags
    addressPrefix: virtualNetworkAddressPrefix
    storageId: storage.outputs.id
    vaultId: hasOwnVault ? vault!.outputs.id : ''
  }
}

module app 'app.bicep' = {
  name: 'app-${token}'
  params: {
    name: functionAppName
    location: location
    tags: allTags
    identityId: identity.id
    identityClientId: identity.properties.clientId
    pythonVersion: pythonVersion
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    alwaysReady: alwaysReady
    subnetId: privateNetworking ? network!.outputs.appSubnetId : ''
    storage: storage.outputs.endpoints
    packageContainer: storage.outputs.packageContainer
    vaultUri: secrets.outputs.vaultUri
    applicationInsightsConnectionString: monitoring.outputs.connectionString
    workspaceId: monitoring.outputs.workspaceId
    publicUrl: publicUrl
    portalClientId: portalClientId
    portalTenantId: portalTenantId
    portalAdmins: portalAdmins
    tickSchedule: tickSchedule
    nightlySchedule: nightlySchedule
    keepAliveSchedule: keepAliveSchedule
    xeroClientId: xeroClientId
    xeroScopes: xeroScopes
    dataverseSignIn: dataverseSignIn
    dataverseTenantId: dataverseTenantId
    dataverseClientId: dataverseSignIn == 'managedIdentity' ? identity.properties.clientId : dataverseClientId
    dataverseAllowedHosts: dataverseAllowedHosts
  }
}

module alerts 'alerts.bicep' = {
  name: 'alerts-${token}'
  params: {
    name: 'xero-${token}'
    environmentName: environmentName
    location: location
    tags: allTags
    workspaceId: monitoring.outputs.workspaceId
    emails: alertEmails
    oldestWaitingMinutes: oldestWaitingMinutes
    dayBudgetCalls: dayBudgetCalls
    failurePercent: failurePercent
  }
}

// ── what the next step needs ──────────────────────────────────────────────────────────────────────────────────────────────────

@description('The app\'s own address.')
output PUBLIC_URL string = app.outputs.publicUrl

@description('Where an administrator connects Dynamics with Xero.')
output PORTAL_URL string = '${app.outputs.publicUrl}/connect/xero'

@description('Redirect URI to register with the app at developer.xero.com.')
output XERO_REDIRECT_URI string = '${app.outputs.publicUrl}/connect/xero/callback'

@description('Webhook delivery address to give to the app at developer.xero.com.')
output XERO_WEBHOOK_URL string = '${app.outputs.publicUrl}/webhooks/xero'

@description('Redirect URI to register with the app registration for Dataverse, when people sign in to set an environment up.')
output DYNAMICS_REDIRECT_URI string = '${app.outputs.publicUrl}/connect/dynamics/callback'

@description('Redirect URI to register with the Entra ID app registration of the portal.')
output PORTAL_REDIRECT_URI string = '${app.outputs.publicUrl}/.auth/login/aad/callback'

@description('Client id to register as application user in each Dataverse environment.')
output DATAVERSE_APPLICATION_ID string = dataverseSignIn == 'managedIdentity' ? identity.properties.clientId : dataverseClientId

@description('Object id of the managed identity: the subject of the federated credential of the portal\'s app registration.')
output IDENTITY_PRINCIPAL_ID string = identity.properties.principalId

@description('Name of the function app.')
output FUNCTION_APP_NAME string = app.outputs.name

@description('Name of the key vault that holds the secrets.')
output KEY_VAULT_NAME string = vaultName
