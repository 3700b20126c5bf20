"""Answer the metadata questions a client asks of EntityDefinitions; read only.

Source: Microsoft Learn, "Query table definitions using the Web API". Only what the model knows is answered: names, keys,
choices, lookups, change tracking.
"""

from __future__ import annotations

import re
from typing import Any

from solution.model import ColumnModel, TableModel

from .environment import Environment, derived_id
from .errors import BAD_QUERY, Refused
from .request import SERVICE, Answer, Request, Segment

KEY = re.compile(r"LogicalName\s*=\s*'([a-z0-9_]+)'|([0-9a-f-]{36})", re.IGNORECASE)
FILTER = re.compile(r"\s*(LogicalName|SchemaName|EntitySetName)\s+eq\s+'([^']+)'\s*")
CASTS = {
    "PicklistAttributeMetadata": ("choice",),
    "StatusAttributeMetadata": ("status",),
    "StateAttributeMetadata": ("state",),
    "BooleanAttributeMetadata": ("boolean",),
    "LookupAttributeMetadata": ("lookup", "owner", "customer"),
}
TYPES = {
    "text": "String",
    "memo": "Memo",
    "integer": "Integer",
    "bigint": "BigInt",
    "decimal": "Decimal",
    "money": "Money",
    "double": "Double",
    "boolean": "Boolean",
    "date": "DateTime",
    "datetime": "DateTime",
    "choice": "Picklist",
    "state": "State",
    "status": "Status",
    "lookup": "Lookup",
    "owner": "Owner",
    "customer": "Customer",
    "uniqueidentifier": "Uniqueidentifier",
}


def answer(environment: Environment, request: Request, rest: tuple[Segment, ...], key: str | None) -> Answer:
    """Answer a GET below EntityDefinitions; raises Refused (404 for what there is not)."""
    address = f"{environment.url}{SERVICE}$metadata#EntityDefinitions"
    if key is None:
        return Answer(200, {"@odata.context": address, "value": _listed(environment, request)})
    table = _table(environment, key)
    match [step.name for step in rest]:
        case []:
            return Answer(200, {"@odata.context": f"{address}/$entity", **_pick(request, _definition(table))})
        case ["Keys"]:
            return Answer(200, {"@odata.context": f"{address}/Keys", "value": [_key(table, name) for name in table.keys]})
        case ["Attributes", *cast]:
            kinds = CASTS.get(cast[0].rpartition(".")[2], ()) if cast else ()
            wanted = [column for column in table.columns.values() if not cast or column.type in kinds]
            if rest[0].key is not None:
                (name,) = re.findall(r"'([^']+)'", rest[0].key) or [""]
                found = [column for column in wanted if column.name == name]
                if not found:
                    raise _missing(name)
                return Answer(200, {"@odata.context": f"{address}/Attributes/$entity", **_column(table, found[0])})
            return Answer(
                200, {"@odata.context": f"{address}/Attributes", "value": [_column(table, column) for column in wanted]}
            )
    raise Refused(404, "0x8006088a", f"Resource not found for the segment '{rest[0].name}'.")


def _listed(environment: Environment, request: Request) -> list[dict[str, Any]]:
    definitions = [_definition(table) for table in environment.model.values()]
    text = request.options.get("$filter")
    if text is not None:
        match = FILTER.fullmatch(text)
        if match is None:
            raise Refused(400, BAD_QUERY, f"The filter '{text}' is not supported on EntityDefinitions here.")
        definitions = [found for found in definitions if str(found[match[1]]) == match[2]]
    return [_pick(request, found) for found in definitions]


def _pick(request: Request, definition: dict[str, Any]) -> dict[str, Any]:
    select = request.options.get("$select")
    if not select:
        return definition
    names = select.split(",")
    unknown = set(names) - set(definition)
    if unknown:
        raise Refused(
            400,
            BAD_QUERY,
            f"Could not find a property named '{sorted(unknown)[0]}' on type 'Microsoft.Dynamics.CRM.EntityMetadata'.",
        )
    return {name: definition[name] for name in definition if name in names or name == "MetadataId"}


def _table(environment: Environment, key: str) -> TableModel:
    match = KEY.fullmatch(key.strip())
    for table in environment.model.values():
        if match and (table.name == match[1] or derived_id("table", table.name) == (match[2] or "").lower()):
            return table
    raise _missing(key)


def _missing(name: str) -> Refused:
    return Refused(404, "0x80060888", f"Could not find an entity or attribute with name '{name}'.")


def _definition(table: TableModel) -> dict[str, Any]:
    return {
        "MetadataId": derived_id("table", table.name),
        "LogicalName": table.name,
        "SchemaName": table.name if table.custom else table.name.capitalize(),
        "EntitySetName": table.entity_set,
        "PrimaryIdAttribute": table.key,
        "PrimaryNameAttribute": table.primary_name,
        "OwnershipType": table.ownership,
        "IsCustomEntity": table.custom,
        "ChangeTrackingEnabled": True,
        "IsOptimisticConcurrencyEnabled": True,
        "DisplayName": _label(table.label),
    }


def _key(table: TableModel, name: str) -> dict[str, Any]:
    return {
        "MetadataId": derived_id("key", table.name, name),
        "LogicalName": name,
        "SchemaName": name,
        "EntityLogicalName": table.name,
        "KeyAttributes": list(table.keys[name]),
        "EntityKeyIndexStatus": "Active",
    }


def _column(table: TableModel, column: ColumnModel) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "@odata.type": f"#Microsoft.Dynamics.CRM.{TYPES[column.type]}AttributeMetadata",
        "MetadataId": derived_id("column", table.name, column.name),
        "LogicalName": column.name,
        "SchemaName": column.name,
        "AttributeType": TYPES[column.type],
        "IsPrimaryId": column.name == table.key,
        "IsPrimaryName": column.name == table.primary_name,
        "IsValidForCreate": column.create,
        "IsValidForUpdate": column.update,
        "DisplayName": _label(column.label or column.name),
    }
    if column.max_length:
        shown["MaxLength"] = column.max_length
    if column.targets:
        shown["Targets"] = list(column.targets)
    if column.options:
        states = column.states
        shown["OptionSet"] = {
            "Options": [
                {"Value": value, "Label": _label(label), **({"State": states[value]} if value in states else {})}
                for value, label in column.options.items()
            ]
        }
    return shown


def _label(text: str) -> dict[str, Any]:
    label = {"Label": text, "LanguageCode": 1033}
    return {"LocalizedLabels": [label], "UserLocalizedLabel": label}
