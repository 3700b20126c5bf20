"""Answer for the definitions of tables, columns, keys, relationships and choices: read them, make, change and delete them.

Sources: Microsoft Learn, "Query table definitions using the Web API", "Create and update table definitions using the Web
API", "Create and update relationship definitions", "Create and update choices". What the rules are is in customizing.py;
here is the JSON.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from solution.model import ColumnModel, TableModel
from solution.table import Level

from . import customizing, rows
from .customizing import Choice, Key, NewTable
from .environment import Environment, derived_id
from .errors import BAD_ARGUMENT, BAD_QUERY, BAD_REQUEST, Refused
from .request import SERVICE, Answer, Request, Segment

CRM = "Microsoft.Dynamics.CRM."
NAME = re.compile(r"(?:LogicalName|SchemaName|Name|MetadataId)\s*=\s*'?([A-Za-z0-9_-]+)'?|([0-9a-f-]{36})", re.IGNORECASE)
FILTER = re.compile(r"\s*(LogicalName|SchemaName|EntitySetName|Name|IsCustomAttribute|IsManaged)\s+eq\s+('[^']+'|true|false)\s*")
BIND = re.compile(r"/?GlobalOptionSetDefinitions\((.+)\)")
CASTS = {
    "PicklistAttributeMetadata": ("choice",),
    "StatusAttributeMetadata": ("status",),
    "StateAttributeMetadata": ("state",),
    "BooleanAttributeMetadata": ("boolean",),
    "LookupAttributeMetadata": ("lookup", "owner", "customer"),
    "StringAttributeMetadata": ("text",),
    "MemoAttributeMetadata": ("memo",),
    "IntegerAttributeMetadata": ("integer",),
    "DecimalAttributeMetadata": ("decimal",),
    "MoneyAttributeMetadata": ("money",),
    "DateTimeAttributeMetadata": ("date", "datetime"),
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
SCHEMA_NAMES = {
    "invoicedetail": "InvoiceDetail", "pricelevel": "PriceLevel", "productpricelevel": "ProductPriceLevel", "uom": "UoM",
    "transactioncurrency": "TransactionCurrency", "uomschedule": "UoMSchedule", "systemuser": "SystemUser",
    "businessunit": "BusinessUnit", "appmodule": "AppModule", "serviceendpoint": "ServiceEndpoint", "systemform": "SystemForm",
    "savedquery": "SavedQuery", "sitemap": "SiteMap", "webresource": "WebResource", "importjob": "ImportJob",
    "asyncoperation": "AsyncOperation",
}  # fmt: skip


def answer(environment: Environment, request: Request, rest: tuple[Segment, ...], key: str | None) -> Answer:
    """Answer below EntityDefinitions; raises Refused (404 for what there is not, 403 for who may not)."""
    address = f"{environment.url}{SERVICE}$metadata#EntityDefinitions"
    if request.method != "GET":
        return _write_table(environment, request, rest, key)
    if key is None:
        return Answer(200, {"@odata.context": address, "value": _listed(environment, request)})
    table = _table(environment, key)
    match [step.name for step in rest]:
        case []:
            return Answer(200, {"@odata.context": f"{address}/$entity", **_pick(request, _definition(environment, table))})
        case ["Keys"]:
            keys = [_key(environment, table, name) for name in table.keys]
            if rest[0].key is not None:
                return Answer(200, _one(keys, _name_in(rest[0].key)))
            return Answer(200, {"@odata.context": f"{address}/Keys", "value": keys})
        case ["Attributes", *cast]:
            kinds = CASTS.get(cast[0].rpartition(".")[2], ()) if cast else ()
            wanted = [column for column in table.columns.values() if not cast or column.type in kinds]
            if rest[0].key is not None:
                name = _name_in(rest[0].key)
                found = [column for column in wanted if column.name == name]
                if not found:
                    raise _missing(name)
                return Answer(200, {"@odata.context": f"{address}/Attributes/$entity", **_column(environment, table, found[0])})
            shown = _filtered(request, [_column(environment, table, column) for column in wanted])
            return Answer(200, {"@odata.context": f"{address}/Attributes", "value": shown})
        case ["ManyToOneRelationships" | "OneToManyRelationships" | "ManyToManyRelationships" as side]:
            facts = environment.store.facts("relationship").items()
            ends = {"ManyToOneRelationships": ("many",), "OneToManyRelationships": ("one",)}.get(side, ("first", "second"))
            shown = [
                _relationship(environment, name, fact) for name, fact in facts if table.name in [fact.get(end) for end in ends]
            ]
            return Answer(200, {"@odata.context": address, "value": shown})
    raise Refused(404, "0x8006088a", f"Resource not found for the segment '{rest[0].name}'.")


def _listed(environment: Environment, request: Request) -> list[dict[str, Any]]:
    found = _filtered(request, [_definition(environment, table) for table in environment.model.values()])
    return [_pick(request, definition) for definition in found]


def _filtered(request: Request, definitions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    text = request.options.get("$filter")
    if text is None:
        return definitions
    match = FILTER.fullmatch(text)
    if match is None:
        raise Refused(400, BAD_QUERY, f"The filter '{text}' is not supported on definitions here.")
    return [found for found in definitions if str(found.get(match[1])).lower() == match[2].strip("'").lower()]


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


def _one(found: Iterable[dict[str, Any]], name: str) -> dict[str, Any]:
    for definition in found:
        if name in (definition.get("LogicalName"), definition.get("Name"), definition["MetadataId"]):
            return definition
    raise _missing(name)


def _name_in(key: str) -> str:
    match = NAME.fullmatch(key.strip())
    return (match[1] or match[2]) if match else key


def _table(environment: Environment, key: str) -> TableModel:
    name = _name_in(key)
    for table in environment.model.values():
        if name.lower() in (table.name, derived_id("table", table.name)):
            return table
    raise _missing(key)


def _missing(name: str) -> Refused:
    return Refused(404, "0x80060888", f"Could not find an entity or attribute with name '{name}'.")


def schema_name(environment: Environment, table: str) -> str:
    """Return the schema name of a table."""
    fact = environment.store.facts("table").get(table, {})
    return str(fact.get("schema") or SCHEMA_NAMES.get(table) or (table if "_" in table else table.capitalize()))


def _definition(environment: Environment, table: TableModel) -> dict[str, Any]:
    fact = environment.store.facts("table").get(table.name, {})
    object_id = derived_id("table", table.name)
    return {
        "MetadataId": object_id,
        "LogicalName": table.name,
        "SchemaName": schema_name(environment, table.name),
        "EntitySetName": table.entity_set,
        "PrimaryIdAttribute": table.key,
        "PrimaryNameAttribute": table.primary_name,
        "OwnershipType": table.ownership,
        "IsCustomEntity": table.custom,
        "IsManaged": customizing.managed_by(environment, 1, object_id) is not None,
        "ChangeTrackingEnabled": fact.get("tracked", True),
        "IsOptimisticConcurrencyEnabled": True,
        "DisplayName": label(table.label),
        "DisplayCollectionName": label(fact.get("plural", table.label)),
        "Description": label(table.description),
    }


def _key(environment: Environment, table: TableModel, name: str) -> dict[str, Any]:
    fact = environment.store.facts("key").get(f"{table.name}.{name}", {})
    return {
        "MetadataId": derived_id("key", table.name, name),
        "LogicalName": name,
        "SchemaName": fact.get("schema", name),
        "EntityLogicalName": table.name,
        "DisplayName": label(fact.get("label", name)),
        "KeyAttributes": list(table.keys[name]),
        "EntityKeyIndexStatus": customizing.index_status(environment, table.name, name),
    }


def _column(environment: Environment, table: TableModel, column: ColumnModel) -> dict[str, Any]:
    fact = environment.store.facts("column").get(f"{table.name}.{column.name}", {})
    shown: dict[str, Any] = {
        "@odata.type": f"#{CRM}{TYPES[column.type]}AttributeMetadata",
        "MetadataId": derived_id("column", table.name, column.name),
        "LogicalName": column.name,
        "SchemaName": fact.get("schema") or column.name,
        "AttributeType": TYPES[column.type],
        "IsPrimaryId": column.name == table.key,
        "IsPrimaryName": column.name == table.primary_name,
        "IsCustomAttribute": column.custom,
        "IsManaged": column.custom and customizing.managed_by(environment, 1, derived_id("table", table.name)) is not None,
        "IsValidForCreate": column.create,
        "IsValidForUpdate": column.update,
        "RequiredLevel": {"Value": str(column.level), "CanBeChanged": True},
        "DisplayName": label(column.label or column.name),
        "Description": label(column.description),
    }
    if column.max_length:
        shown["MaxLength"] = column.max_length
    if column.type in ("integer", "decimal", "money"):
        shown |= {"MinValue": column.minimum, "MaxValue": column.maximum}
    if column.type == "text":
        shown["FormatName"] = {"Value": fact.get("format") or "Text"}
    if column.type == "decimal":
        shown["Precision"] = column.precision
    if column.type == "money":
        shown |= {"Precision": column.precision if column.precision is not None else 2}
        shown |= {"PrecisionSource": 2 if column.precision is None else 0}
    if column.type in ("date", "datetime"):
        shown["Format"] = "DateOnly" if column.type == "date" else "DateAndTime"
        shown["DateTimeBehavior"] = {"Value": "DateOnly" if column.type == "date" else "UserLocal"}
    if column.type == "boolean":
        shown["DefaultValue"] = bool(column.default)
    if column.type == "choice":
        shown["DefaultFormValue"] = -1 if column.default is None else column.default
    if column.targets:
        shown["Targets"] = list(column.targets)
    if column.choice:
        shown["GlobalOptionSet"] = {"Name": column.choice, "MetadataId": derived_id("choice", column.choice)}
    if column.options:
        states = column.states
        shown["OptionSet"] = {
            "Options": [
                {"Value": value, "Label": label(text), **({"State": states[value]} if value in states else {})}
                for value, text in column.options.items()
            ]
        }
    return shown


def label(text: str) -> dict[str, Any]:
    """Return a text as the platform writes labels."""
    one = {"Label": text, "LanguageCode": 1033}
    return {"LocalizedLabels": [one], "UserLocalizedLabel": one}


# --- writes --------------------------------------------------------------------------------------------------------


def _write_table(environment: Environment, request: Request, rest: tuple[Segment, ...], key: str | None) -> Answer:
    customizing.allow(environment, request.caller.administrator)
    with environment.transaction():
        if key is None:
            _only(request, "POST")
            return _post_table(environment, request)
        table = _table(environment, key)
        match [step.name for step in rest]:
            case []:
                return _change_table(environment, request, table)
            case ["Attributes"]:
                return _write_column(environment, request, table, rest[0].key)
            case ["Keys"]:
                return _write_key(environment, request, table, rest[0].key)
    raise Refused(404, "0x8006088a", f"Resource not found for the segment '{rest[0].name}'.")


def _post_table(environment: Environment, request: Request) -> Answer:
    body = _body(request)
    attributes = body.get("Attributes") or []
    primary = next((found for found in attributes if found.get("IsPrimaryName")), None)
    if primary is None:
        raise Refused(400, BAD_ARGUMENT, "The definition of a table must hold its primary attribute.")
    schema = _required(body, "SchemaName")
    columns = tuple(read_column(environment, found) for found in attributes)
    new = NewTable(
        name=schema.lower(),
        schema=schema,
        label=text(body, "DisplayName", required=True),
        plural=text(body, "DisplayCollectionName", required=True),
        description=text(body, "Description"),
        ownership=body.get("OwnershipType", "UserOwned"),
        primary_name=_required(primary, "SchemaName").lower(),
        columns=columns,
        entity_set=body.get("EntitySetName", ""),
        tracked=bool(body.get("ChangeTrackingEnabled", False)),
    )
    customizing.add_table(environment, new)
    for found, column in zip(attributes, columns, strict=True):
        _keep_format(environment, new.name, column.name, found)
    object_id = derived_id("table", new.name)
    _in_solution(environment, request, 1, new.name, object_id)
    return _made(environment, "EntityDefinitions", object_id)


def _change_table(environment: Environment, request: Request, table: TableModel) -> Answer:
    _only(request, "PUT", "DELETE")
    if request.method == "DELETE":
        customizing.refuse_managed(environment, 1, derived_id("table", table.name), f"The table {table.name}")
        customizing.delete_table(environment, table.name)
        return Answer(204)
    body = _body(request)
    if body.get("OwnershipType", table.ownership) != table.ownership:
        raise Refused(400, BAD_ARGUMENT, f"The ownership type of {table.name} cannot be changed.")
    customizing.change_table(
        environment,
        table.name,
        label=text(body, "DisplayName", required=True),
        plural=text(body, "DisplayCollectionName", required=True),
        description=text(body, "Description"),
        tracked=bool(body.get("ChangeTrackingEnabled")),
    )
    return Answer(204)


def _write_column(environment: Environment, request: Request, table: TableModel, key: str | None) -> Answer:
    if key is None:
        _only(request, "POST")
        body = _body(request)
        column = read_column(environment, body)
        if column.is_lookup:
            raise Refused(400, BAD_ARGUMENT, f"The lookup {column.name} is made with its relationship.")
        customizing.add_column(environment, table.name, column, schema=_required(body, "SchemaName"))
        _keep_format(environment, table.name, column.name, body)
        object_id = derived_id("column", table.name, column.name)
        if not table.custom:
            _in_solution(environment, request, 2, f"{table.name}.{column.name}", object_id)
        return _made(environment, f"EntityDefinitions({derived_id('table', table.name)})/Attributes", object_id)
    _only(request, "PUT", "DELETE")
    name = _name_in(key)
    if request.method == "DELETE":
        customizing.refuse_managed(environment, 2, derived_id("column", table.name, name), f"The column {table.name}.{name}")
        customizing.delete_column(environment, table.name, name)
        return Answer(204)
    body = _body(request)
    before = customizing.column(environment, table.name, name)
    body = {"SchemaName": name, **body}
    if before.choice and "GlobalOptionSet@odata.bind" not in body:
        body["GlobalOptionSet@odata.bind"] = f"/GlobalOptionSetDefinitions(Name='{before.choice}')"
    changed = replace(read_column(environment, body), create=before.create, update=before.update)
    customizing.change_column(environment, table.name, changed)
    _keep_format(environment, table.name, name, body)
    return Answer(204)


def _write_key(environment: Environment, request: Request, table: TableModel, key: str | None) -> Answer:
    if key is not None:
        _only(request, "DELETE")
        customizing.delete_key(environment, table.name, _name_in(key))
        return Answer(204)
    _only(request, "POST")
    body = _body(request)
    schema = _required(body, "SchemaName")
    columns = body.get("KeyAttributes")
    if not isinstance(columns, list):
        raise Refused(400, BAD_ARGUMENT, f"The key {schema} names no KeyAttributes.")
    new = Key(schema.lower(), schema, text(body, "DisplayName", required=True), tuple(columns))
    customizing.add_key(environment, table.name, new)
    return _made(environment, "EntityKeys", derived_id("key", table.name, new.name))


def read_column(environment: Environment, body: Mapping[str, Any]) -> ColumnModel:
    """Return the column an AttributeMetadata describes; raises Refused (400) for what it lacks or has wrongly."""
    kind = str(body.get("@odata.type", "")).lstrip("#").removeprefix(CRM).removesuffix("AttributeMetadata")
    types = {shown: name for name, shown in TYPES.items() if name not in ("date", "owner", "customer")}
    if kind not in types:
        raise Refused(400, BAD_REQUEST, f"'{body.get('@odata.type')}' is not a type of attribute that can be made.")
    name = types[kind]
    if name == "datetime" and (body.get("DateTimeBehavior") or {}).get("Value", "UserLocal") == "DateOnly":
        name = "date"
    level = (body.get("RequiredLevel") or {}).get("Value", "None")
    column = ColumnModel(
        name=_required(body, "SchemaName").lower(),
        type=name,
        label=text(body, "DisplayName", required=True),
        description=text(body, "Description"),
        level=Level(level),
        custom=True,
    )
    match name:
        case "text" | "memo":
            return replace(column, max_length=_whole(body, "MaxLength"))
        case "integer" | "money":
            return replace(column, minimum=_whole(body, "MinValue"), maximum=_whole(body, "MaxValue"))
        case "decimal":
            low, high = _whole(body, "MinValue"), _whole(body, "MaxValue")
            return replace(column, precision=_whole(body, "Precision"), minimum=low, maximum=high)
        case "boolean":
            options = body.get("OptionSet") or {}
            labels = [text(options.get(side) or {}, "Label") for side in ("FalseOption", "TrueOption")]
            if not all(labels) and "Options" not in options:
                raise Refused(400, BAD_ARGUMENT, f"The Boolean {column.name} has no TrueOption and FalseOption.")
            default = bool(body.get("DefaultValue", False))
            return replace(column, options={0: labels[0] or "No", 1: labels[1] or "Yes"}, default=default)
        case "choice":
            choice = _bound_choice(environment, body, column.name)
            value = _whole(body, "DefaultFormValue")
            return replace(column, choice=choice.name, options=choice.labels, default=None if value == -1 else value)
        case "lookup":
            targets = tuple(body.get("Targets") or ())
            return replace(column, targets=targets, navigation=dict.fromkeys(targets, _required(body, "SchemaName")))
    return column


def _bound_choice(environment: Environment, body: Mapping[str, Any], column: str) -> Choice:
    match = BIND.search(str(body.get("GlobalOptionSet@odata.bind", "")))
    if match is None:
        raise Refused(400, BAD_ARGUMENT, f"The Picklist {column} is bound to no global option set.")
    name = _name_in(match[1])
    for known in environment.store.facts("choice"):
        if name.lower() in (known, derived_id("choice", known)):
            return customizing.choice(environment, known)
    raise _missing(name)


def _keep_format(environment: Environment, table: str, column: str, body: Mapping[str, Any]) -> None:
    format_ = (body.get("FormatName") or {}).get("Value", "")
    environment.store.keep("column", f"{table}.{column}", {"format": format_, "schema": _required(body, "SchemaName")})


# --- relationships -------------------------------------------------------------------------------------------------


def relationships(environment: Environment, request: Request, rest: tuple[Segment, ...], key: str | None) -> Answer:
    """Answer below RelationshipDefinitions; raises Refused."""
    facts = environment.store.facts("relationship")
    if request.method == "GET":
        shown = [_relationship(environment, name, fact) for name, fact in facts.items()]
        if key is None:
            return Answer(200, {"value": _filtered(request, shown)})
        name = _name_in(key)
        for found in shown:
            if name in (found["SchemaName"], found["MetadataId"]):
                return Answer(200, found)
        raise _missing(name)
    customizing.allow(environment, request.caller.administrator)
    with environment.transaction():
        if key is not None:
            return _change_relationship(environment, request, _name_in(key))
        _only(request, "POST")
        body = _body(request)
        name = _required(body, "SchemaName")
        kind = str(body.get("@odata.type", "")).lstrip("#").removeprefix(CRM)
        if kind == "OneToManyRelationshipMetadata":
            _post_one_to_many(environment, request, body, name)
        elif kind == "ManyToManyRelationshipMetadata":
            first, second = _required(body, "Entity1LogicalName"), _required(body, "Entity2LogicalName")
            menu = body.get("Entity1AssociatedMenuConfiguration") or {}
            intersect = body.get("IntersectEntityName", name)
            customizing.add_many_to_many(environment, name, first, second, intersect, text(menu, "Label"))
            _in_solution(environment, request, 10, name, derived_id("relationship", name))
        else:
            raise Refused(400, BAD_REQUEST, f"'{kind}' is not a type of relationship.")
    return _made(environment, "RelationshipDefinitions", derived_id("relationship", name))


def _post_one_to_many(environment: Environment, request: Request, body: Mapping[str, Any], name: str) -> None:
    lookup, one = body.get("Lookup") or {}, _required(body, "ReferencedEntity")
    many = _required(body, "ReferencingEntity")
    cascade = (body.get("CascadeConfiguration") or {}).get("Delete", "RemoveLink")
    column = read_column(environment, {**lookup, "@odata.type": f"{CRM}LookupAttributeMetadata", "Targets": [one]})
    schema = _required(lookup, "SchemaName")
    customizing.add_one_to_many(environment, name, one, many, replace(column, on_delete=cascade), schema)
    if not environment.model[many].custom:
        _in_solution(environment, request, 2, f"{many}.{column.name}", derived_id("column", many, column.name))


def _change_relationship(environment: Environment, request: Request, name: str) -> Answer:
    _only(request, "PUT", "DELETE")
    facts = environment.store.facts("relationship")
    if name not in facts:
        raise _missing(name)
    if request.method == "DELETE":
        customizing.refuse_managed(environment, 10, derived_id("relationship", name), f"The relationship {name}")
        customizing.delete_relationship(environment, name)
    elif "column" in facts[name]:
        customizing.change_on_delete(environment, name, (_body(request).get("CascadeConfiguration") or {}).get("Delete", ""))
    return Answer(204)


def _relationship(environment: Environment, name: str, fact: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {"MetadataId": derived_id("relationship", name), "SchemaName": name}
    if "column" in fact:
        return {
            "@odata.type": f"#{CRM}OneToManyRelationshipMetadata",
            **shown,
            "RelationshipType": "OneToManyRelationship",
            "ReferencedEntity": fact["one"],
            "ReferencingEntity": fact["many"],
            "ReferencingAttribute": fact["column"],
            "CascadeConfiguration": {"Delete": environment.model[fact["many"]].columns[fact["column"]].on_delete},
        }
    return {
        "@odata.type": f"#{CRM}ManyToManyRelationshipMetadata",
        **shown,
        "RelationshipType": "ManyToManyRelationship",
        "Entity1LogicalName": fact["first"],
        "Entity2LogicalName": fact["second"],
        "IntersectEntityName": fact["intersect"],
    }


# --- choices -------------------------------------------------------------------------------------------------------


def choices(environment: Environment, request: Request, rest: tuple[Segment, ...], key: str | None) -> Answer:
    """Answer below GlobalOptionSetDefinitions; raises Refused."""
    names = list(environment.store.facts("choice"))
    if request.method == "GET":
        shown = [_choice(customizing.choice(environment, name)) for name in names]
        return Answer(200, {"value": shown}) if key is None else Answer(200, _one(shown, _name_in(key)))
    customizing.allow(environment, request.caller.administrator)
    with environment.transaction():
        if key is not None:
            return _change_choice(environment, request, _name_in(key))
        _only(request, "POST")
        body = _body(request)
        found = _read_choice(body)
        customizing.add_choice(environment, found)
        object_id = derived_id("choice", found.name)
        _in_solution(environment, request, 9, found.name, object_id)
    return _made(environment, "GlobalOptionSetDefinitions", object_id)


def _change_choice(environment: Environment, request: Request, key: str) -> Answer:
    _only(request, "PUT", "DELETE")
    name = next((known for known in environment.store.facts("choice") if key in (known, derived_id("choice", known))), key)
    before = customizing.choice(environment, name)
    if request.method == "DELETE":
        customizing.refuse_managed(environment, 9, derived_id("choice", name), f"The choice {name}")
        customizing.delete_choice(environment, name)
        return Answer(204)
    body = _body(request)
    changed = replace(before, label=text(body, "DisplayName", required=True), description=text(body, "Description"))
    customizing.keep_choice(environment, changed)  # options are changed by actions of their own
    return Answer(204)


def insert_option(environment: Environment, request: Request) -> Answer:
    """Answer InsertOptionValue for a global choice."""
    customizing.allow(environment, request.caller.administrator)
    body = _body(request)
    found = customizing.choice(environment, _required(body, "OptionSetName"))
    value = _whole(body, "Value")
    if value is None or value in found.labels:
        raise Refused(400, BAD_ARGUMENT, f"The option {value} of {found.name} exists already, or is no number.")
    option = (value, text(body, "Label", required=True), text(body, "Description"))
    customizing.keep_choice(environment, replace(found, options=(*found.options, option)))
    return Answer(200, {"NewOptionValue": value})


def update_option(environment: Environment, request: Request) -> Answer:
    """Answer UpdateOptionValue for a global choice."""
    customizing.allow(environment, request.caller.administrator)
    body = _body(request)
    found = customizing.choice(environment, _required(body, "OptionSetName"))
    value = _whole(body, "Value")
    if value not in found.labels:
        raise Refused(400, BAD_ARGUMENT, f"{found.name} has no option {value}.")
    changed = (value, text(body, "Label", required=True), text(body, "Description"))
    options = tuple(changed if option[0] == value else option for option in found.options)
    customizing.keep_choice(environment, replace(found, options=options))
    return Answer(204)


def _read_choice(body: Mapping[str, Any]) -> Choice:
    if not body.get("IsGlobal") or body.get("OptionSetType") != "Picklist":
        raise Refused(400, BAD_ARGUMENT, "Only a global option set of the type Picklist can be made here.")
    options = []
    for option in body.get("Options") or ():
        value = _whole(option, "Value")
        if value is None:
            raise Refused(400, BAD_ARGUMENT, "An option has no Value.")
        options.append((value, text(option, "Label", required=True), text(option, "Description")))
    name = _required(body, "Name")
    return Choice(name, text(body, "DisplayName", required=True), text(body, "Description"), tuple(options))


def _choice(found: Choice) -> dict[str, Any]:
    return {
        "@odata.type": f"#{CRM}OptionSetMetadata",
        "MetadataId": derived_id("choice", found.name),
        "Name": found.name,
        "OptionSetType": "Picklist",
        "IsGlobal": True,
        "DisplayName": label(found.label),
        "Description": label(found.description),
        "Options": [
            {"Value": value, "Label": label(shown), "Description": label(about)} for value, shown, about in found.options
        ],
    }


# --- the JSON of definitions ---------------------------------------------------------------------------------------


def text(body: Mapping[str, Any], name: str, *, required: bool = False) -> str:
    """Return the text of a Label; raises Refused (400) for a string in its place, or for none where one is required."""
    value = body.get(name)
    if value is None and not required:
        return ""
    labels = value.get("LocalizedLabels") if isinstance(value, dict) else None
    if not isinstance(labels, list) or not all(isinstance(one, dict) and "LanguageCode" in one for one in labels):
        raise Refused(400, BAD_REQUEST, f"'{name}' must be a Microsoft.Dynamics.CRM.Label with its LocalizedLabels.")
    if required and not labels:
        raise Refused(400, BAD_REQUEST, f"'{name}' has no LocalizedLabels.")
    return str(labels[0]["Label"]) if labels else ""


def _whole(body: Mapping[str, Any], name: str) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or int(value) != value:
        raise Refused(400, BAD_REQUEST, f"Cannot convert the literal '{value}' of '{name}'.")
    return int(value)


def _required(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise Refused(400, BAD_ARGUMENT, f"Required field '{name}' is missing.")
    return value


def _body(request: Request) -> dict[str, Any]:
    body = rows.load(request.body)
    if not isinstance(body, dict):
        raise Refused(400, BAD_REQUEST, "The request body is not a JSON object.")
    return body


def _only(request: Request, *methods: str) -> None:
    if request.method not in methods:
        raise Refused(405, BAD_QUERY, f"The requested resource does not support http method '{request.method}'.")


def _in_solution(environment: Environment, request: Request, kind: int, name: str, object_id: str) -> None:
    if unique_name := request.headers.get("mscrm.solutionuniquename"):
        customizing.note_component(environment, unique_name, kind, name, object_id)


def _made(environment: Environment, collection: str, object_id: str) -> Answer:
    return Answer(204, None, {"OData-EntityId": f"{environment.url}{SERVICE}{collection}({object_id})"})


Routed = Callable[[Environment, Request, tuple[Segment, ...], str | None], Answer]
SETS: Mapping[str, Routed] = {
    "EntityDefinitions": answer,
    "RelationshipDefinitions": relationships,
    "GlobalOptionSetDefinitions": choices,
}
