// A sample that deploys as it is: every value comes from an environment variable, so that the Azure Developer CLI and
// `az deployment group create --parameters infra/main.bicepparam` read the same file and no secret stands in it.
using 'main.bicep'

param environmentName = readEnvironmentVariable('AZURE_ENV_NAME', 'prod')
param location = readEnvironmentVariable('AZURE_LOCATION', 'westeurope')
param pythonVersion = readEnvironmentVariable('PYTHON_VERSION', '3.13')

param portalClientId = readEnvironmentVariable('PORTAL_CLIENT_ID')
param portalAdmins = split(readEnvironmentVariable('PORTAL_ADMINS', ''), ' ')
param alertEmails = empty(readEnvironmentVariable('ALERT_EMAILS', '')) ? [] : split(readEnvironmentVariable('ALERT_EMAILS', ''), ' ')

param xeroClientId = readEnvironmentVariable('XERO_CLIENT_ID')
param xeroClientSecret = readEnvironmentVariable('XERO_CLIENT_SECRET', '')
param xeroWebhookKey = readEnvironmentVariable('XERO_WEBHOOK_KEY', '')
param tokenEncryptionKeys = readEnvironmentVariable('TOKEN_ENCRYPTION_KEYS')

param vaultOfficerObjectId = readEnvironmentVariable('VAULT_OFFICER_OBJECT_ID', '')

// Uncomment what you need; main.bicep describes every parameter.
// param instanceMemoryMB = 512
// param maximumInstanceCount = 10
// param alwaysReady = [{ name: 'http', instanceCount: 1 }]
// param publicUrl = 'https://xero.example.com'
// param privateNetworking = true
// param existingKeyVaultName = 'kv-finance'
// param existingKeyVaultResourceGroup = 'rg-finance'
// param tags = { costCentre: 'finance' }
