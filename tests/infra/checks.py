"""What must be true of infra/: it means something (names, modules, types), and it is what we promise (policy).

``findings`` returns one sentence per fault. The real compiler runs in the GitHub workflow; this runs everywhere, and sees what no
compiler does: a role too many, a missing queue, a setting nobody reads, a misspelled word where Azure's types allow any.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tree_sitter

from functions.flows import QUEUES
from shared.settings import SETTINGS
from shared.storage.tables import TABLES
from shared.telemetry import METRICS
from tests.infra.bicep import Choice, Code, Declaration, File, Loop, Text, read, text_of, walk

PROJECT = Path(__file__).parents[2]
TYPES: dict[str, Any] = json.loads(Path(__file__).with_name("resource-types.json").read_text(encoding="utf-8"))
FUNCTIONS = set(
    [
        "array",
        "base64",
        "bool",
        "cidrSubnet",
        "coalesce",
        "concat",
        "contains",
        "deployer",
        "deployment",
        "empty",
        "endsWith",
        "environment",
        "filter",
        "first",
        "flatten",
        "format",
        "guid",
        "indexOf",
        "int",
        "intersection",
        "items",
        "join",
        "json",
        "last",
        "length",
        "loadJsonContent",
        "loadTextContent",
        "map",
        "max",
        "min",
        "newGuid",
        "padLeft",
        "range",
        "reference",
        "replace",
        "resourceGroup",
        "resourceId",
        "skip",
        "split",
        "startsWith",
        "string",
        "subscription",
        "subscriptionResourceId",
        "substring",
        "take",
        "tenant",
        "toLower",
        "toObject",
        "toUpper",
        "trim",
        "union",
        "uniqueString",
        "uri",
        "utcNow",
    ]
)
OPENS_KEYS = re.compile(
    r"\b(listKeys|listAccountSas|listServiceSas|listSecrets|listCredentials|getSecret)\b|AccountKey=|SharedAccess"
)
DECORATORS = set(
    [
        "description",
        "minLength",
        "maxLength",
        "minValue",
        "maxValue",
        "allowed",
        "secure",
        "metadata",
        "batchSize",
        "onlyIfNotExists",
        "export",
        "sys",
    ]
)
COMMON = {"name", "parent", "scope", "dependsOn"}

# What the roles are called and what they open: learn.microsoft.com/azure/role-based-access-control/built-in-roles.
ROLES = {
    "Storage Blob Data Owner": "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
    "Storage Queue Data Contributor": "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
    "Storage Table Data Contributor": "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
    "Monitoring Metrics Publisher": "3913510d-42f4-4e42-8a64-420c390055eb",
    "Key Vault Secrets User": "4633458b-17de-408a-b874-0445c86b69e6",
    "Key Vault Secrets Officer": "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
}
FORBIDDEN_SETTINGS = {
    "FUNCTIONS_WORKER_RUNTIME",
    "FUNCTIONS_EXTENSION_VERSION",
    "WEBSITE_RUN_FROM_PACKAGE",
    "WEBSITE_CONTENTAZUREFILECONNECTIONSTRING",
    "WEBSITE_CONTENTSHARE",
    "WEBSITE_TIME_ZONE",
    "TZ",
    "SCM_DO_BUILD_DURING_DEPLOYMENT",
    "ENABLE_ORYX_BUILD",
    "APPINSIGHTS_INSTRUMENTATIONKEY",
}
FORBIDDEN_SITE = {"linuxFxVersion", "windowsFxVersion", "appSettings", "alwaysOn", "pythonVersion", "cors"}
PLATFORM_SETTINGS = {
    "AzureWebJobsStorage__blobServiceUri",
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
    "PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY",
    "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS",
    "OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID",
}
NOT_IN_AZURE = {"AzureWebJobsStorage", "PROTOCOL_TIME_SCALE"}  # a connection string has a key in it; only tests shorten time
SECRET_SETTINGS = {
    "XERO_CLIENT_SECRET": "xero-client-secret",
    "XERO_WEBHOOK_KEY": "xero-webhook-key",
    "DATAVERSE_CLIENT_SECRET": "dataverse-client-secret",
    "DATAVERSE_CLIENT_CERTIFICATE": "dataverse-client-certificate",
    "TOKEN_ENCRYPTION_KEYS": "token-encryption-keys",
}
IMPORTED = {"dataverse-client-certificate"}  # by a person: a certificate cannot be made of a parameter
OPEN_PATHS = ["/health", "/webhooks/*", "/admin/*"]
ALERTS = {"tick-late", "poison", "disconnected", "failure-rate", "day-budget", "oldest-waiting"}
OUTPUTS = {
    "PUBLIC_URL",
    "PORTAL_URL",
    "XERO_REDIRECT_URI",
    "XERO_WEBHOOK_URL",
    "PORTAL_REDIRECT_URI",
    "DATAVERSE_APPLICATION_ID",
    "IDENTITY_PRINCIPAL_ID",
    "FUNCTION_APP_NAME",
    "KEY_VAULT_NAME",
}


def findings(infra: Path) -> list[str]:
    """Return every fault of the Bicep files in *infra*, which is ours or a copy of it."""
    files = {path.name: read(path) for path in sorted(infra.glob("*.bicep"))}
    broken = [problem for file in files.values() for problem in file.problems]
    if broken:
        return broken
    found = [problem for file in files.values() for problem in _meaning(file, files)]
    resources = [one for file in files.values() for one in file.resources.values()]
    return [*found, *_policy(files, resources), *_parameter_file(infra, files["main.bicep"])]


# ── what it means ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _meaning(file: File, files: dict[str, File]) -> Iterator[str]:
    yield from _references(file)
    yield from _parameters(file)
    yield from _modules(file, files)
    for resource in file.resources.values():
        yield from _resource(file, resource)


def _references(file: File) -> Iterator[str]:
    used: set[str] = set()
    for node in walk(file.root):
        if node.type == "call_expression" and node.named_children[0].type == "identifier":
            name = text_of(node.named_children[0])
            known = DECORATORS if node.parent is not None and node.parent.type == "decorator" else FUNCTIONS
            if name not in known:
                yield file.at(node, f"there is no function '{name}'")
        if node.type != "identifier" or _is_a_name(node):
            continue
        name = text_of(node)
        used.add(name)
        if name not in file.names and name not in _loop_names(node):
            yield file.at(node, f"the name '{name}' is not declared")
    for name in (*file.params, *file.variables):
        if name not in used:
            yield f"{file.path.name}: '{name}' is declared and never used"


def _is_a_name(node: tree_sitter.Node) -> bool:
    """Tell whether the identifier only names something: a declaration, a property, a function, a type, a loop's variable."""
    parent = node.parent
    assert parent is not None
    if parent.type.endswith("_declaration"):
        return bool(parent.named_children[0] == node)
    if parent.type in ("object_property", "call_expression"):
        return bool(parent.named_children[0] == node)
    if parent.type == "for_statement":
        return node in (parent.child_by_field_name("initializer"), parent.named_children[0])
    return parent.type in (
        "type",
        "primitive_type",
        "loop_variable",
        "loop_enumerator",
        "for_loop_parameters",
        "target_scope_assignment",
    )


def _loop_names(node: tree_sitter.Node) -> set[str]:
    names: set[str] = set()
    above = node.parent
    while above is not None:
        if above.type == "for_statement":
            heads = above.named_children[:-2] or above.named_children[:1]
            names |= {text_of(inner) for head in heads for inner in walk(head) if not inner.children}
        above = above.parent
    return names


def _parameters(file: File) -> Iterator[str]:
    for one in file.params.values():
        where = f"{file.path.name}({one.line}): parameter '{one.name}'"
        if not one.decorators.get("description"):
            yield f"{where} has no description"
        if one.body is not None and not _fits(one.body, one.type):
            yield f"{where} is {one.type}, its default is not"
        allowed = one.decorators.get("allowed", [[]])[0]
        if allowed and isinstance(one.body, str | int) and one.body not in allowed:
            yield f"{where} does not allow its own default"
        if isinstance(one.body, int) and not isinstance(one.body, bool):
            lowest, highest = (one.decorators.get(end, [None])[0] for end in ("minValue", "maxValue"))
            if (lowest is not None and one.body < lowest) or (highest is not None and one.body > highest):
                yield f"{where} has a default out of its own bounds"
        if re.search(r"secret(?!sOfficer)|password|(encryption|webhook)Key", one.name, re.IGNORECASE) and one.type == "string":
            if "secure" not in one.decorators:
                yield f"{where} must be @secure"
            if isinstance(one.body, str) and one.body:
                yield f"{where} has a secret in the file"


def _fits(body: Any, kind: str) -> bool:
    wanted = {"string": (str, Text), "int": (int,), "bool": (bool,), "array": (list, Loop), "object": (dict,)}.get(
        kind, (object,)
    )
    if isinstance(body, Code | Choice):
        return True
    return isinstance(body, wanted) and (kind != "int" or not isinstance(body, bool))


def _modules(file: File, files: dict[str, File]) -> Iterator[str]:
    for one in file.modules.values():
        where = f"{file.path.name}({one.line}): module '{one.name}'"
        target = files.get(one.type)
        if target is None:
            yield f"{where} is in a file that is not there: {one.type}"
            continue
        given = one.body.get("params", {})
        for name, content in given.items():
            if name not in target.params:
                yield f"{where} has no parameter '{name}'"
            elif not _fits(content, target.params[name].type):
                yield f"{where} takes another type for '{name}'"
        for name, param in target.params.items():
            if param.body is None and name not in given:
                yield f"{where} misses the parameter '{name}'"
    for node in walk(file.root):
        parts = re.fullmatch(r"(\w+)!?\.outputs\.(\w+)", text_of(node)) if node.type == "member_expression" else None
        if parts and parts[1] in file.modules:
            target = files.get(file.modules[parts[1]].type)
            if target is not None and parts[2] not in target.outputs:
                yield file.at(node, f"module '{parts[1]}' has no output '{parts[2]}'")


def _resource(file: File, one: Declaration) -> Iterator[str]:
    where = f"{file.path.name}({one.line}): {one.name}"
    if one.type not in TYPES:
        yield f"{where}: '{one.type}' is not in resource-types.json: misspelled, or run tests.infra.resource_types"
        return
    if "name" not in one.body:
        yield f"{where}: 'name' is missing"
    for message in _fit(one.body, TYPES[one.type], "", exists=one.exists):
        yield f"{where}: {message}"


def _fit(content: Any, tree: Any, path: str, *, exists: bool = False) -> Iterator[str]:
    if isinstance(content, Choice):
        yield from _fit(content.yes, tree, path)
        yield from _fit(content.no, tree, path)
        return
    if tree == "any" or content is None or isinstance(content, Code):
        return
    if isinstance(tree, str):
        if not _fits(content, tree):
            yield f"'{path}' must be {tree}"
    elif "one of" in tree:
        if isinstance(content, bool | dict | list) or (isinstance(content, str | int) and content not in tree["one of"]):
            yield f"'{path}' must be one of {', '.join(map(str, tree['one of']))}, not {content!r}"
    elif "list of" in tree:
        if isinstance(content, Loop):
            yield from _fit(content.body, tree["list of"], path)
        elif isinstance(content, list):
            for item in content:
                yield from _fit(item, tree["list of"], path)
        else:
            yield f"'{path}' must be an array"
    elif not isinstance(content, dict):
        yield f"'{path}' must be an object"
    elif "by" in tree:
        case = tree["cases"].get(content.get(tree["by"]))
        if case is None:
            yield f"'{tree['by']}' must be one of {', '.join(sorted(tree['cases']))}"
        else:
            yield from _fit(content, {"properties": case}, path, exists=exists)
    else:
        yield from _fit_properties(content, tree, path, exists)


def _fit_properties(content: dict[str, Any], tree: dict[str, Any], path: str, exists: bool) -> Iterator[str]:
    for name, inner in content.items():
        flags, kind = tree["properties"].get(name, (None, None))
        below = f"{path}.{name}".lstrip(".")
        if not path and name in COMMON:
            continue
        if flags is None:
            if "others" in tree:
                yield from _fit(inner, tree["others"], below)
            else:
                yield f"there is no property '{below}'"
        elif flags & 2:
            yield f"'{below}' is read-only"
        else:
            yield from _fit(inner, kind, below)
    for name, (flags, _) in tree["properties"].items():
        if flags & 1 and not flags & 2 and name not in content and not exists and (path or name not in COMMON):
            yield f"'{f'{path}.{name}'.lstrip('.')}' is missing"


# ── what we promise ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _policy(files: dict[str, File], resources: list[Declaration]) -> Iterator[str]:
    for file in files.values():
        for node in walk(file.root):
            if node.type in ("identifier", "property_identifier", "string") and OPENS_KEYS.search(text_of(node)):
                yield file.at(node, f"{text_of(node)[:40]}: no key may be read or written here")
        for output in file.outputs.values():
            if not output.decorators.get("description"):
                yield f"{file.path.name}({output.line}): output '{output.name}' has no description"
            secrets = {param.name for param in file.params.values() if "secure" in param.decorators}
            if secrets & set(re.findall(r"\w+", getattr(output.body, "text", ""))):
                yield f"{file.path.name}({output.line}): output '{output.name}' tells a secret"
    yield from _storage(files["storage.bicep"], resources)
    yield from _roles(files, resources)
    yield from _vault(resources)
    yield from _function_app(resources)
    yield from _settings(resources)
    yield from _sign_in(resources)
    yield from _watching(files["alerts.bicep"], resources)
    untagged = "Microsoft.KeyVault/vaults/secrets"  # its tags are the secret's own
    taggable = [
        one
        for one in resources
        if not one.exists and not one.type.startswith(untagged) and "tags" in TYPES.get(one.type, {}).get("properties", {})
    ]
    yield from (f"{one.file}({one.line}): {one.name} has no tags" for one in taggable if "tags" not in one.body)
    missing = OUTPUTS - set(files["main.bicep"].outputs)
    yield from (f"main.bicep: the output {name} is missing" for name in sorted(missing))
    main = files["main.bicep"].params
    versions = main["pythonVersion"].decorators.get("allowed", [[]])[0]
    if set(versions) != {"3.11", "3.12", "3.13"}:
        yield "main.bicep: pythonVersion must allow what is tested: 3.11, 3.12 and 3.13"
    for name in ("instanceMemoryMB", "maximumInstanceCount", "logRetentionDays", "storageSku", "dataverseSignIn"):
        if not {"allowed", "minValue"} & set(main[name].decorators):
            yield f"main.bicep: {name} must say what it allows"


def _of(resources: list[Declaration], kind: str) -> list[Declaration]:
    return [one for one in resources if one.type.partition("@")[0] == kind and not one.exists]


def _must(one: Declaration, wanted: dict[str, Any]) -> Iterator[str]:
    """Yield a sentence for each property (a path from ``properties``) that is not exactly what it must be."""
    for path, right in wanted.items():
        found: Any = one.body.get("properties", {})
        for part in path.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        if found != right or isinstance(found, bool) is not isinstance(right, bool):
            yield f"{one.file}({one.line}): {one.name}: '{path}' must be {right!r}"


def _storage(file: File, resources: list[Declaration]) -> Iterator[str]:
    for one in _of(resources, "Microsoft.Storage/storageAccounts"):
        yield from _must(
            one,
            {
                "allowSharedKeyAccess": False,
                "allowBlobPublicAccess": False,
                "defaultToOAuthAuthentication": True,
                "minimumTlsVersion": "TLS1_2",
                "supportsHttpsTrafficOnly": True,
            },
        )
    for one in _of(resources, "Microsoft.Storage/storageAccounts/blobServices/containers"):
        yield from _must(one, {"publicAccess": "None"})
    made: dict[str, set[str]] = {}
    for one in (
        *_of(resources, "Microsoft.Storage/storageAccounts/queueServices/queues"),
        *_of(resources, "Microsoft.Storage/storageAccounts/tableServices/tables"),
    ):
        listed = file.variables[one.loop].body if one.loop in file.variables else []
        name = one.body["name"].text if isinstance(one.body["name"], Text | Code) else str(one.body["name"])
        kind = one.type.partition("@")[0].rpartition("/")[2] + ("-poison" if name.endswith("-poison") else "")
        made.setdefault(kind, set()).update(listed or [name])
    for kind, wanted in (("queues", QUEUES), ("queues-poison", QUEUES), ("tables", TABLES)):
        for name in sorted(set(wanted) ^ made.get(kind, set())):
            where = "is missing here" if name in wanted else "is used by nothing"
            yield f"storage.bicep: '{name}' of the {kind} {where}"


def _roles(files: dict[str, File], resources: list[Declaration]) -> Iterator[str]:
    names = {role_id: name for name, role_id in ROLES.items()}
    given: set[str] = set()
    for file in files.values():
        roles = file.variables["roles"].body if "roles" in file.variables else {}
        for name, role_id in roles.items():
            if names.get(role_id) != name:
                yield f"{file.path.name}: '{name}' ({role_id}) is no role on the list"
        if any(one.file == file.path.name for one in _of(resources, "Microsoft.Authorization/roleAssignments")):
            given |= set(roles)
    yield from (f"the app is not given the role '{name}'" for name in sorted(set(ROLES) - given))
    for one in _of(resources, "Microsoft.Authorization/roleAssignments"):
        where = f"{one.file}({one.line}): {one.name}"
        properties = one.body.get("properties", {})
        if "scope" not in one.body:
            yield f"{where} is given on the whole resource group"
        role = getattr(properties.get("roleDefinitionId"), "text", "")
        if not re.search(r"roles\['[^']+'\]\)|role\.value\)", role):
            yield f"{where} takes its role from outside the list"
        principal = getattr(properties.get("principalId"), "text", "")
        kind = properties.get("principalType")
        if (principal == "principalId") != (kind == "ServicePrincipal") or kind not in (None, "ServicePrincipal"):
            yield f"{where} has the wrong principalType for {principal}"


def _vault(resources: list[Declaration]) -> Iterator[str]:
    for one in _of(resources, "Microsoft.KeyVault/vaults"):
        yield from _must(one, {"enableRbacAuthorization": True, "enableSoftDelete": True, "enablePurgeProtection": True})
        if "accessPolicies" in one.body["properties"]:
            yield f"{one.file}({one.line}): {one.name} has access policies beside its roles"
    for one in _of(resources, "Microsoft.KeyVault/vaults/secrets"):
        if "onlyIfNotExists" not in one.decorators:
            yield f"{one.file}({one.line}): {one.name} would be overwritten by the next deployment"
        if not isinstance(one.body["properties"].get("value"), Code):
            yield f"{one.file}({one.line}): {one.name} has its value in the file"


def _function_app(resources: list[Declaration]) -> Iterator[str]:
    for one in _of(resources, "Microsoft.Web/serverfarms"):
        if one.body.get("sku") != {"name": "FC1", "tier": "FlexConsumption"}:
            yield f"{one.file}({one.line}): {one.name} is no Flex Consumption plan"
        yield from _must(one, {"reserved": True})
    for one in _of(resources, "Microsoft.Web/sites"):
        yield from _must(
            one,
            {
                "httpsOnly": True,
                "siteConfig.minTlsVersion": "1.2",
                "siteConfig.scmMinTlsVersion": "1.2",
                "functionAppConfig.runtime.name": "python",
                "functionAppConfig.deployment.storage.type": "blobContainer",
                "functionAppConfig.deployment.storage.authentication.type": "UserAssignedIdentity",
            },
        )
        if one.body.get("identity", {}).get("type") != "UserAssigned":
            yield f"{one.file}({one.line}): {one.name} must have the user-assigned identity only"
        if "keyVaultReferenceIdentity" not in one.body["properties"]:
            yield f"{one.file}({one.line}): {one.name} cannot resolve references to the key vault"
        for name in sorted(FORBIDDEN_SITE & set(one.body["properties"].get("siteConfig", {}))):
            yield f"{one.file}({one.line}): '{name}' does not belong on Flex Consumption"
        if getattr(one.body.get("tags"), "text", "").find("'azd-service-name': 'connector'") < 0:
            yield f"{one.file}({one.line}): azd cannot find {one.name} without its tag azd-service-name"
    closed = {one.body["name"]: one for one in _of(resources, "Microsoft.Web/sites/basicPublishingCredentialsPolicies")}
    for name in ("ftp", "scm"):
        if name not in closed:
            yield f"app.bicep: passwords must be off for {name}"
        else:
            yield from _must(closed[name], {"allow": False})


def _config(resources: list[Declaration], name: str) -> Declaration:
    found = (one for one in _of(resources, "Microsoft.Web/sites/config") if one.body["name"] == name)
    return next(found, Declaration(name, 0, body={"properties": {}}, file="app.bicep"))


def _settings(resources: list[Declaration]) -> Iterator[str]:
    given = _config(resources, "appsettings").body["properties"]
    read_by_us = {setting.name for setting in SETTINGS}
    source = (PROJECT / "function_app.py").read_text(encoding="utf-8")
    for name in sorted((read_by_us | set(re.findall(r"%(\w+)%", source))) - NOT_IN_AZURE - set(given)):
        yield f"app.bicep: the setting {name} is missing"
    for name in sorted(set(given) - (read_by_us - NOT_IN_AZURE) - PLATFORM_SETTINGS):
        why = "does harm on Flex Consumption" if name in FORBIDDEN_SETTINGS or name in NOT_IN_AZURE else "is read by nothing"
        yield f"app.bicep: the setting {name} {why}"
    yield from (f"app.bicep: the setting {name} is missing" for name in sorted(PLATFORM_SETTINGS - set(given)))
    if given.get("AzureWebJobsStorage__credential") != "managedidentity":
        yield "app.bicep: storage must be reached by the managed identity"
    disabled = str(given.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "")).split(",")
    for library in ("requests", "urllib", "urllib3", "azure_sdk"):
        if library not in disabled:
            yield f"app.bicep: telemetry of {library} would tell addresses that hold names"
    kept = {str(one.body["name"]) for one in _of(resources, "Microsoft.KeyVault/vaults/secrets")} | IMPORTED
    for name, secret in SECRET_SETTINGS.items():
        found = given.get(name)
        if isinstance(found, Choice):
            found = found.yes if found.no == "" else None
        reference = f"@Microsoft.KeyVault(SecretUri=${{vaultUri}}secrets/{secret})"
        if not isinstance(found, Text) or found.text != reference:
            yield f"app.bicep: {name} must be a reference to the secret {secret}"
        if secret not in kept:
            yield f"secrets.bicep: the secret {secret} is missing"
    for name in sorted(kept - set(SECRET_SETTINGS.values())):
        yield f"secrets.bicep: the secret {name} is read by nothing"


def _sign_in(resources: list[Declaration]) -> Iterator[str]:
    one = _config(resources, "authsettingsV2")
    yield from _must(
        one,
        {
            "platform.enabled": True,
            "globalValidation.requireAuthentication": True,
            "globalValidation.unauthenticatedClientAction": "RedirectToLoginPage",
            "globalValidation.redirectToProvider": "azureactivedirectory",
            "globalValidation.excludedPaths": OPEN_PATHS,
            "identityProviders.azureActiveDirectory.enabled": True,
            "identityProviders.azureActiveDirectory.registration.clientSecretSettingName": "OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID",
            "httpSettings.requireHttps": True,
            "login.tokenStore.enabled": False,
        },
    )


def _watching(alerts: File, resources: list[Declaration]) -> Iterator[str]:
    for one in _of(resources, "Microsoft.Insights/components"):
        yield from _must(one, {"DisableLocalAuth": True, "IngestionMode": "LogAnalytics"})
    for one in _of(resources, "Microsoft.OperationalInsights/workspaces"):
        yield from _must(one, {"features.disableLocalAuth": True, "sku.name": "PerGB2018"})
    rules = {rule["name"]: rule for rule in alerts.variables["rules"].body}
    for name in sorted(ALERTS ^ set(rules)):
        yield f"alerts.bicep: the alert {name} is {'missing' if name in ALERTS else 'described nowhere'}"
    for name, rule in rules.items():
        query = rule["query"].text if isinstance(rule["query"], Text) else rule["query"]
        metrics = set(re.findall(r'"(connector\.[\w.]+)"', query))
        if not metrics or metrics - set(METRICS):
            yield f"alerts.bicep: the alert {name} reads a metric nobody writes"
    for one in _of(resources, "Microsoft.Insights/scheduledQueryRules"):
        actions = one.body["properties"].get("actions", {}).get("actionGroups")
        if actions != [Code("people.id")]:
            yield f"{one.file}({one.line}): {one.name} alerts nobody"
        if one.body["properties"].get("enabled") is not True:
            yield f"{one.file}({one.line}): {one.name} is switched off"
    workbook = json.loads((alerts.path.parent / "workbook.json").read_text(encoding="utf-8"))
    queries = " ".join(item["content"].get("query", "") for item in workbook["items"])
    for name in sorted(
        set(re.findall(r'"(connector\.[\w.]+)"', queries)) ^ (set(METRICS) - {"connector.ticks", "connector.disconnected"})
    ):
        yield f"workbook.json: {name} is {'read and nobody writes it' if name not in METRICS else 'not shown'}"
    audited = {getattr(one.body.get("scope"), "text", "") for one in _of(resources, "Microsoft.Insights/diagnosticSettings")}
    for scope in sorted({"vault", "site", "blobs", "tableService"} - audited):
        yield f"nothing is logged of '{scope}'"


def _parameter_file(infra: Path, main: File) -> Iterator[str]:
    """The grammar knows no ``using``: the sample is read as variables."""
    source = (infra / "main.bicepparam").read_text(encoding="utf-8")
    if "using 'main.bicep'" not in source:
        yield "main.bicepparam: it must say using 'main.bicep'"
    sample = read(infra / "main.bicepparam", re.sub(r"^using .*$", "", source, flags=re.M).replace("\nparam ", "\nvar "))
    yield from sample.problems
    for name, one in sample.variables.items():
        if name not in main.params:
            yield f"main.bicepparam({one.line}): there is no parameter '{name}'"
        elif not _fits(one.body, main.params[name].type):
            yield f"main.bicepparam({one.line}): '{name}' has another type"
        elif "secure" in main.params[name].decorators and not (
            isinstance(one.body, Code) and one.body.text.startswith("readEnvironmentVariable(")
        ):
            yield f"main.bicepparam({one.line}): '{name}' is a secret: it may only come from the environment"
    for name, param in main.params.items():
        if param.body is None and name not in sample.variables:
            yield f"main.bicepparam: '{name}' is missing"
