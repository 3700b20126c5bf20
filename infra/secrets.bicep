// A secret that exists is never overwritten: a deployment from another machine must not lock the app out of its own tokens.

@description('Name of the key vault.')
param vaultName string

@description('The app\'s identity, which may read the secrets and nothing else.')
param principalId string

@description('First key for the stored tokens.')
@secure()
param tokenEncryptionKeys string

@description('Client secret of the Xero app.')
@secure()
param xeroClientSecret string

@description('Signing key of Xero\'s webhooks.')
@secure()
param xeroWebhookKey string

@description('Client secret for Dataverse.')
@secure()
param dataverseClientSecret string

@description('Whether the app signs in to Dataverse with a secret.')
param withDataverseSecret bool

var roles = {
  'Key Vault Secrets User': '4633458b-17de-408a-b874-0445c86b69e6'
}

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' existing = {
  name: vaultName
}

@onlyIfNotExists()
resource tokenKeys 'Microsoft.KeyVault/vaults/secrets@2025-05-01' = {
  parent: vault
  name: 'token-encryption-keys'
  properties: {
    value: tokenEncryptionKeys
    contentType: 'newest first, base64, 32 bytes each'
  }
}

@onlyIfNotExists()
resource xeroSecret 'Microsoft.KeyVault/vaults/secrets@2025-05-01' = {
  parent: vault
  name: 'xero-client-secret'
  properties: {
    value: xeroClientSecret
    contentType: 'client secret of the app at developer.xero.com'
  }
}

@onlyIfNotExists()
resource webhookKey 'Microsoft.KeyVault/vaults/secrets@2025-05-01' = {
  parent: vault
  name: 'xero-webhook-key'
  properties: {
    value: xeroWebhookKey
    contentType: 'webhook signing key of the app at developer.xero.com'
  }
}

@onlyIfNotExists()
resource dataverseSecret 'Microsoft.KeyVault/vaults/secrets@2025-05-01' = if (withDataverseSecret) {
  parent: vault
  name: 'dataverse-client-secret'
  properties: {
    value: dataverseClientSecret
    contentType: 'client secret of the app registration for Dataverse'
  }
}

resource mayRead 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(vault.id, principalId, roles['Key Vault Secrets User'])
  scope: vault
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles['Key Vault Secrets User'])
  }
}

@description('Address of the vault, with a trailing slash.')
output vaultUri string = vault.properties.vaultUri
