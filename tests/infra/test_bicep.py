"""infra/: nothing is wrong with it, and the checks that say so catch what can go wrong."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from functions.flows import QUEUES
from tests.infra.bicep import INFRA, read
from tests.infra.checks import findings


def test_nothing_is_wrong_with_the_bicep_files():
    assert findings(INFRA) == []


def test_every_file_was_read_to_its_end():
    files = {path.name: read(path) for path in INFRA.glob("*.bicep")}
    assert set(files) == {"main.bicep", *(module.type for module in files["main.bicep"].modules.values())}
    for name, file in files.items():
        source = (INFRA / name).read_text(encoding="utf-8")
        for keyword, declared in (("param", file.params), ("output", file.outputs), ("resource", file.resources)):
            assert len(declared) == sum(line.startswith(f"{keyword} ") for line in source.splitlines()), (name, keyword)


# fmt: off
FAULTS = [
    # what is planted                     file                old                                              new                                             what is said
    # syntax, names
    ("a missing brace",                   "app.bicep",        "  sku: {\n    name: 'FC1'",                     "  sku: \n    name: 'FC1'",                     "no Bicep"),
    ("an undefined name",                 "main.bicep",       "retentionDays: logRetentionDays",               "retentionDays: logRetention",                  "'logRetention' is not declared"),
    ("an undefined function",             "main.bicep",       "uniqueString(resourceGroup().id",               "uniqueText(resourceGroup().id",                "no function 'uniqueText'"),
    ("an undefined decorator",            "main.bicep",       "@minValue(15)",                                 "@atLeast(15)",                                 "no function 'atLeast'"),
    ("a name declared twice",             "storage.bicep",    "param sku string",                              "param name string",                            "'name' is declared twice"),
    ("an unused parameter",               "alerts.bicep",     "${failurePercent}",                             "25",                                           "'failurePercent' is declared and never used"),
    ("an unused variable",                "main.bicep",       "name: functionAppName",                         "name: 'func'",                                 "'functionAppName' is declared and never used"),
    # parameters
    ("a default of another type",         "main.bicep",       "param oldestWaitingMinutes int = 240",          "param oldestWaitingMinutes int = '240'",       "is int, its default is not"),
    ("a default that is not allowed",     "main.bicep",       "param pythonVersion string = '3.13'",           "param pythonVersion string = '3.10'",          "does not allow its own default"),
    ("a default out of bounds",           "main.bicep",       "param logRetentionDays int = 400",              "param logRetentionDays int = 4000",            "out of its own bounds"),
    ("a parameter nobody explains",       "main.bicep",       "@description('Tags for every resource, beside those the Azure Developer CLI needs.')\n", "",    "'tags' has no description"),
    ("bounds taken away",                 "main.bicep",       "@minValue(1)\n@maxValue(1000)\n",               "",                                             "maximumInstanceCount must say what it allows"),
    ("an untested Python",                "main.bicep",       "@allowed(['3.11', '3.12', '3.13'])",            "@allowed(['3.11', '3.13', '3.14'])",           "must allow what is tested"),
    # modules
    ("a module file that is not there",   "main.bicep",       "module storage 'storage.bicep'",                "module storage 'stores.bicep'",                "in a file that is not there"),
    ("a module parameter left out",       "main.bicep",       "    emails: alertEmails\n",                     "",                                             "misses the parameter 'emails'"),
    ("an unknown module parameter",       "main.bicep",       "    emails: alertEmails\n",                     "    emails: alertEmails\n    sms: []\n",       "no parameter 'sms'"),
    ("a module parameter's type",         "main.bicep",       "withDataverseSecret: dataverseSignIn == 'clientSecret'", "withDataverseSecret: 'no'",           "another type for 'withDataverseSecret'"),
    ("an unknown module output",          "main.bicep",       "vaultUri: secrets.outputs.vaultUri",            "vaultUri: secrets.outputs.uri",                "no output 'uri'"),
    # resource types, closed
    ("an unknown API version",            "app.bicep",        "Microsoft.Web/sites@2025-03-01'",               "Microsoft.Web/sites@2025-03-09'",              "not in resource-types.json"),
    ("an unknown resource type",          "storage.bicep",    "queueServices/queues@2025-06-01' = [\n  for queueName in queues: {\n    parent: queueService\n    name: queueName", "queueServices/queue@2025-06-01' = [\n  for queueName in queues: {\n    parent: queueService\n    name: queueName", "not in resource-types.json"),
    ("an unknown property",               "app.bicep",        "    httpsOnly: true",                           "    httpsOnly: true\n    httpOnly: true",       "no property 'properties.httpOnly'"),
    ("an unknown property far below",     "app.bicep",        "maximumInstanceCount: maximumInstanceCount",    "maxInstanceCount: maximumInstanceCount",       "scaleAndConcurrency.maxInstanceCount"),
    ("a read-only property",              "app.bicep",        "    httpsOnly: true",                           "    httpsOnly: true\n    state: 'Running'",     "'properties.state' is read-only"),
    ("a required property left out",      "vault.bicep",      "    tenantId: tenant().tenantId\n",             "",                                             "'properties.tenantId' is missing"),
    ("a resource without a name",         "storage.bicep",    "  name: name\n",                                "",                                             "'name' is missing"),
    ("a number that is a string",         "storage.bicep",    "      days: 7",                                 "      days: '7'",                              "deleteRetentionPolicy.days' must be int"),
    ("a boolean that is a string",        "app.bicep",        "    httpsOnly: true",                           "    httpsOnly: 'true'",                        "'properties.httpsOnly' must be bool"),
    ("an array that is a string",         "alerts.bicep",     "scopes: [workspaceId]",                         "scopes: 'workspace'",                          "'properties.scopes' must be an array"),
    ("a closed word misspelled",          "vault.bicep",      "name: 'standard'",                              "name: 'standart'",                             "'properties.sku.name' must be one of"),
    ("a kind of config misspelled",       "app.bicep",        "name: 'authsettingsV2'",                        "name: 'authsettingsV3'",                       "'name' must be one of"),
    # open words, which a compiler lets pass
    ("blobContaine",                      "app.bicep",        "type: 'blobContainer'",                         "type: 'blobContaine'",                         "must be one of blobContainer"),
    ("a misspelled identity type",        "app.bicep",        "            type: 'UserAssignedIdentity'",      "            type: 'UserIdentity'",             "authentication.type"),
    ("a misspelled price",                "monitoring.bicep", "'PerGB2018'",                                   "'PerGB2081'",                                  "'properties.sku.name' must be one of"),
    ("a misspelled operator",             "alerts.bicep",     "operator: 'GreaterThan'",                       "operator: 'MoreThan'",                         "operator' must be one of"),
    ("a wrong principalType",             "monitoring.bicep", "principalType: 'ServicePrincipal'",             "principalType: 'ServicePrinciple'",            "principalType' must be one of"),
    ("another principalType",             "storage.bicep",    "principalType: 'ServicePrincipal'",             "principalType: 'User'",                        "wrong principalType"),
    ("a misspelled TLS version",          "storage.bicep",    "'TLS1_2'",                                      "'TLS1.2'",                                     "minimumTlsVersion"),
    # keys
    ("shared keys on",                    "storage.bicep",    "allowSharedKeyAccess: false",                   "allowSharedKeyAccess: true",                   "'allowSharedKeyAccess' must be False"),
    ("shared keys left to the default",   "storage.bicep",    "    allowSharedKeyAccess: false\n",             "",                                             "'allowSharedKeyAccess' must be False"),
    ("a key read",                        "app.bicep",        "AzureWebJobsStorage__credential: 'managedidentity'", "AzureWebJobsStorage: 'DefaultEndpointsProtocol=https;AccountKey=${storage.listKeys().keys[0].value}'", "no key may be read"),
    ("public blobs",                      "storage.bicep",    "allowBlobPublicAccess: false",                  "allowBlobPublicAccess: true",                  "'allowBlobPublicAccess' must be False"),
    ("a public container",                "storage.bicep",    "publicAccess: 'None'",                          "publicAccess: 'Blob'",                         "'publicAccess' must be 'None'"),
    ("keys of telemetry on",              "monitoring.bicep", "    DisableLocalAuth: true",                    "    DisableLocalAuth: false",                  "'DisableLocalAuth' must be True"),
    ("a secret parameter in the open",    "main.bicep",       "@secure()\nparam xeroClientSecret",             "param xeroClientSecret",                       "'xeroClientSecret' must be @secure"),
    ("a secret in the file",              "main.bicep",       "param xeroClientSecret string = ''",            "param xeroClientSecret string = 'hunter2'",    "has a secret in the file"),
    ("a secret in an output",             "main.bicep",       "output KEY_VAULT_NAME string = vaultName",      "output KEY_VAULT_NAME string = xeroClientSecret", "tells a secret"),
    ("a secret in the sample",            "main.bicepparam",  "readEnvironmentVariable('XERO_CLIENT_SECRET', '')", "'hunter2'",                                "may only come from the environment"),
    ("a secret that is overwritten",      "secrets.bicep",    "@onlyIfNotExists()\nresource tokenKeys",        "resource tokenKeys",                           "would be overwritten"),
    ("access policies",                   "vault.bicep",      "enableRbacAuthorization: true",                 "enableRbacAuthorization: false",               "'enableRbacAuthorization' must be True"),
    ("a vault that can be purged",        "vault.bicep",      "    enablePurgeProtection: true\n",             "",                                             "'enablePurgeProtection' must be True"),
    # roles
    ("a wrong role",                      "storage.bicep",    "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",          "76199698-9eea-4c19-bc75-cec21354c6b6",         "is no role on the list"),
    ("a role too strong",                 "secrets.bicep",    "'Key Vault Secrets User': '4633458b-17de-408a-b874-0445c86b69e6'", "'Key Vault Secrets User': '00482a5a-887f-4fb3-b363-3b7fe8e74483'", "is no role on the list"),
    ("a role left out",                   "storage.bicep",    "  'Storage Table Data Contributor': '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'\n", "",              "not given the role 'Storage Table Data Contributor'"),
    ("a role from elsewhere",             "monitoring.bicep", "subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles['Monitoring Metrics Publisher'])", "subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '8e3af657-a8ff-443c-a75c-2fe8c4bcb635')", "from outside the list"),
    ("a role on everything",              "secrets.bicep",    "  scope: vault\n",                              "",                                             "on the whole resource group"),
    # Flex Consumption
    ("another plan",                      "app.bicep",        "    name: 'FC1'\n    tier: 'FlexConsumption'",  "    name: 'Y1'\n    tier: 'Dynamic'",          "no Flex Consumption plan"),
    ("a forbidden setting",               "app.bicep",        "    PUBLIC_URL: ownUrl",                        "    PUBLIC_URL: ownUrl\n    FUNCTIONS_WORKER_RUNTIME: 'python'", "FUNCTIONS_WORKER_RUNTIME does harm"),
    ("a forbidden site setting",          "app.bicep",        "      http20Enabled: true",                     "      http20Enabled: true\n      linuxFxVersion: 'Python|3.11'", "'linuxFxVersion' does not belong"),
    ("http allowed",                      "app.bicep",        "    httpsOnly: true",                           "    httpsOnly: false",                         "'httpsOnly' must be True"),
    ("passwords for deployment",          "app.bicep",        "  name: 'scm'\n  properties: {\n    allow: false", "  name: 'scm'\n  properties: {\n    allow: true", "'allow' must be False"),
    ("no identity for the vault",         "app.bicep",        "    keyVaultReferenceIdentity: identityId\n",   "",                                             "cannot resolve references"),
    ("azd cannot find the app",           "app.bicep",        "'azd-service-name': 'connector'",               "'azd-service-name': 'api'",                    "without its tag azd-service-name"),
    # the same names as the code
    ("a missing queue",                   "storage.bicep",    "  'sweeps'\n",                                  "",                                             "'sweeps' of the queues is missing here"),
    ("a queue nobody uses",               "storage.bicep",    "  'sweeps'\n",                                  "  'sweeps'\n  'sweep'\n",                      "'sweep' of the queues is used by nothing"),
    ("poison queues misnamed",            "storage.bicep",    "'${queueName}-poison'",                         "'${queueName}-poisoned'",                      "of the queues-poison is missing here"),
    ("a missing table",                   "storage.bicep",    "  'claims'\n",                                  "",                                             "'claims' of the tables is missing here"),
    ("a missing setting",                 "app.bicep",        "    TICK_SCHEDULE: tickSchedule\n",             "",                                             "the setting TICK_SCHEDULE is missing"),
    ("a setting nobody reads",            "app.bicep",        "    PUBLIC_URL: ownUrl",                        "    PUBLIC_URL: ownUrl\n    XERO_REGION: 'nz'", "XERO_REGION is read by nothing"),
    ("a secret as plain setting",         "app.bicep",        "XERO_CLIENT_SECRET: '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/xero-client-secret)'", "XERO_CLIENT_SECRET: xeroClientId", "XERO_CLIENT_SECRET must be a reference"),
    ("a secret that is not there",        "secrets.bicep",    "name: 'xero-webhook-key'",                      "name: 'xero-webhooks-key'",                    "the secret xero-webhook-key is missing"),
    ("addresses in telemetry",            "app.bicep",        "psycopg2,requests,urllib",                      "psycopg2,urllib",                              "telemetry of requests would tell"),
    # sign-in
    ("the portal is open",                "app.bicep",        "requireAuthentication: true",                   "requireAuthentication: false",                 "requireAuthentication' must be True"),
    ("anonymous people let in",           "app.bicep",        "'RedirectToLoginPage'",                         "'AllowAnonymous'",                             "unauthenticatedClientAction' must be"),
    ("a path too many is open",           "app.bicep",        "        '/webhooks/*'",                         "        '/webhooks/*'\n        '/portal/*'",   "excludedPaths' must be"),
    ("webhooks asked to sign in",         "app.bicep",        "        '/webhooks/*'\n",                       "",                                             "excludedPaths' must be"),
    # watching
    ("an alert left out",                 "alerts.bicep",     "name: 'poison'",                                "name: 'poisoned'",                             "the alert poison is missing"),
    ("an alert on a metric of nobody",    "alerts.bicep",     "\"connector.oldest_waiting\"",                  "\"connector.oldest\"",                         "oldest-waiting reads a metric nobody writes"),
    ("alerts that reach nobody",          "alerts.bicep",     "actionGroups: [people.id]",                     "actionGroups: []",                             "alerts nobody"),
    ("no audit log of the vault",         "vault.bicep",      "  scope: vault\n  properties: {\n    workspaceId", "  scope: vault2\n  properties: {\n    workspaceId", "nothing is logged of 'vault'"),
    ("a chart of a metric of nobody",     "workbook.json",    "connector.day_left",                            "connector.day_gone",                           "read and nobody writes it"),
    ("a resource without tags",           "vault.bicep",      "  tags: tags\n",                                "",                                             "vault has no tags"),
    ("a needed output gone",              "main.bicep",       "output XERO_REDIRECT_URI string",               "output XERO_REDIRECT string",                  "the output XERO_REDIRECT_URI is missing"),
    ("an unknown parameter in the sample", "main.bicepparam", "param xeroClientId =",                          "param clientId =",                             "there is no parameter 'clientId'"),
]
# fmt: on


@pytest.mark.parametrize(("file", "old", "new", "said"), [fault[1:] for fault in FAULTS], ids=[fault[0] for fault in FAULTS])
def test_a_planted_fault_is_caught(tmp_path: Path, file: str, old: str, new: str, said: str):
    copy = shutil.copytree(INFRA, tmp_path / "infra")
    source = (copy / file).read_text(encoding="utf-8")
    assert old in source
    (copy / file).write_text(source.replace(old, new, 1), encoding="utf-8")
    found = findings(copy)
    assert any(said in one for one in found), found


def test_each_queue_has_its_poison_queue_and_none_is_too_long():
    for queue in QUEUES:
        assert len(f"{queue}-poison") <= 63
