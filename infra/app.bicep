@description('Name of the function app.')
param name string

@description('Azure region.')
param location string

@description('Tags.')
param tags object

@description('The app\'s identity.')
param identityId string

@description('Client id of that identity.')
param identityClientId string

@description('Python version.')
param pythonVersion string

@description('Memory of one instance in MB.')
param instanceMemoryMB int

@description('The most instances.')
param maximumInstanceCount int

@description('Instances kept warm.')
param alwaysReady array

@description('Subnet the app calls out of; empty for none.')
param subnetId string

@description('Addresses of the storage account\'s services: blob, queue, table.')
param storage object

@description('Container of the deployment packages.')
param packageContainer string

@description('Address of the key vault, with a trailing slash.')
param vaultUri string

@description('Names the Application Insights resource.')
param applicationInsightsConnectionString string

@description('Workspace for the log of sign-ins.')
param workspaceId string

@description('The app\'s own domain; empty for the address Azure gives it.')
param publicUrl string

@description('Client id of the portal\'s app registration.')
param portalClientId string

@description('Tenant people sign in from.')
param portalTenantId string

@description('Object ids or sign-in names of the administrators.')
param portalAdmins array

@description('When the app looks which flows are due.')
param tickSchedule string

@description('When the nightly work runs.')
param nightlySchedule string

@description('When tokens are kept alive.')
param keepAliveSchedule string

@description('Client id of the Xero app.')
param xeroClientId string

@description('What the app asks the Xero user for.')
param xeroScopes array

@description('managedIdentity, clientSecret or clientCertificate.')
param dataverseSignIn string

@description('Tenant of the Dataverse environments.')
param dataverseTenantId string

@description('Client id the app signs in to Dataverse with.')
param dataverseClientId string

@description('Host names the app may send a Dataverse token to.')
param dataverseAllowedHosts array

var ownUrl = empty(publicUrl) ? 'https://${site.properties.defaultHostName}' : publicUrl

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: 'plan-${name}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
  }
}

resource site 'Microsoft.Web/sites@2025-03-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': 'connector' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identityId
    publicNetworkAccess: 'Enabled'
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      http20Enabled: true
    }
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${storage.blob}${packageContainer}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: {
        name: 'python'
        version: pythonVersion
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
        alwaysReady: alwaysReady
      }
    }
  }
}

// Passwords of the old way to deploy stay off; Entra ID is the only way in.
resource noPasswordOnScm 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01' = {
  parent: site
  name: 'scm'
  properties: {
    allow: false
  }
}

resource noPasswordOnFtp 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01' = {
  parent: site
  name: 'ftp'
  properties: {
    allow: false
  }
}

// Every setting of shared/settings.py, and what the platform needs; tests/infra compares them.
resource settings 'Microsoft.Web/sites/config@2025-03-01' = {
  parent: site
  name: 'appsettings'
  properties: {
    AzureWebJobsStorage__credential: 'managedidentity'
    AzureWebJobsStorage__clientId: identityClientId
    AzureWebJobsStorage__blobServiceUri: storage.blob
    AzureWebJobsStorage__queueServiceUri: storage.queue
    AzureWebJobsStorage__tableServiceUri: storage.table
    APPLICATIONINSIGHTS_CONNECTION_STRING: applicationInsightsConnectionString
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
    PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY: 'true'
    // Addresses of requests may hold names of customers: our own spans tell what may be told.
    OTEL_PYTHON_DISABLED_INSTRUMENTATIONS: 'azure_sdk,django,fastapi,flask,psycopg2,requests,urllib,urllib3'
    // With this name in clientSecretSettingName the managed identity vouches for the portal's app registration: no secret.
    OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID: identityClientId
    PUBLIC_URL: ownUrl
    TICK_SCHEDULE: tickSchedule
    NIGHTLY_SCHEDULE: nightlySchedule
    KEEPALIVE_SCHEDULE: keepAliveSchedule
    XERO_CLIENT_ID: xeroClientId
    XERO_CLIENT_SECRET: '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/xero-client-secret)'
    XERO_SCOPES: join(xeroScopes, ' ')
    XERO_WEBHOOK_KEY: '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/xero-webhook-key)'
    XERO_API_URL: 'https://api.xero.com'
    XERO_LOGIN_URL: 'https://login.xero.com'
    XERO_IDENTITY_URL: 'https://identity.xero.com'
    DATAVERSE_TENANT_ID: dataverseTenantId
    DATAVERSE_CLIENT_ID: dataverseClientId
    DATAVERSE_CLIENT_SECRET: dataverseSignIn == 'clientSecret'
      ? '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/dataverse-client-secret)'
      : ''
    DATAVERSE_CLIENT_CERTIFICATE: dataverseSignIn == 'clientCertificate'
      ? '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/dataverse-client-certificate)'
      : ''
    DATAVERSE_AUTHORITY_URL: environment().authentication.loginEndpoint
    DATAVERSE_ALLOWED_HOSTS: join(dataverseAllowedHosts, ' ')
    TOKEN_ENCRYPTION_KEYS: '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/token-encryption-keys)'
    PORTAL_ADMINS: join(portalAdmins, ' ')
  }
}

resource signIn 'Microsoft.Web/sites/config@2025-03-01' = {
  parent: site
  name: 'authsettingsV2'
  properties: {
    platform: {
      enabled: true
    }
    globalValidation: {
      requireAuthentication: true
      unauthenticatedClientAction: 'RedirectToLoginPage'
      redirectToProvider: 'azureactivedirectory'
      // /health and /webhooks check their callers themselves; /admin is the platform's own, behind its keys.
      excludedPaths: [
        '/health'
        '/webhooks/*'
        '/admin/*'
      ]
    }
    identityProviders: {
      azureActiveDirectory: {
        enabled: true
        registration: {
          clientId: portalClientId
          clientSecretSettingName: 'OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID'
          openIdIssuer: '${environment().authentication.loginEndpoint}${portalTenantId}/v2.0'
        }
        validation: {
          allowedAudiences: [
            portalClientId
            'api://${portalClientId}'
          ]
          defaultAuthorizationPolicy: {
            allowedApplications: [
              portalClientId
            ]
          }
        }
      }
    }
    httpSettings: {
      requireHttps: true
    }
    login: {
      tokenStore: {
        enabled: false
      }
      cookieExpiration: {
        convention: 'FixedTime'
        timeToExpiration: '08:00:00'
      }
      nonce: {
        validateNonce: true
        nonceExpirationInterval: '00:05:00'
      }
    }
  }
  dependsOn: [
    settings
  ]
}

resource signInLog 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'sign-ins'
  scope: site
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'AppServiceAuthenticationLogs'
        enabled: true
      }
    ]
  }
}

@description('Name of the function app.')
output name string = site.name

@description('Its own address, without a trailing slash.')
output publicUrl string = ownUrl
