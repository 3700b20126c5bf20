"""What an environment lacks of the solution, found by looking: missing, different, extra, in conflict; and how to make it right.

`changes` yields them in the order their dependencies need: publisher and solution, choices, tables, columns, lookups, links,
keys, files, views, forms, site map, roles, app. Applying them one after the other is the installation by the metadata Web
API; printing them is `check`. What is right already yields nothing, so that a run that stopped half-way is simply gone on with.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from solution.install import definitions
from solution.install.change import Change, Kind
from solution.install.components import component_changes
from solution.install.definitions import CRM, Json, differences, text_of
from solution.install.web_api import WebApi
from solution.publisher import CUSTOMIZATION_PREFIX, OPTION_PREFIX, PUBLISHER, PUBLISHER_TITLE, TITLE, UNIQUE_NAME, VERSION
from solution.schema import CHOICES, MANY_TO_MANY, TABLES
from solution.table import Choice, Column, Key, ManyToMany, Table, relationship

PICKLISTS = f"{CRM}PicklistAttributeMetadata?$select=LogicalName&$expand=GlobalOptionSet($select=Name)"


def changes(api: WebApi, *, managed: bool = False) -> Iterator[Change]:
    """Look at everything and yield what is not as the schema has it."""
    yield from _solution_changes(api, managed=managed)
    for choice in CHOICES:
        yield from _choice_changes(api, choice)
    found = {table.name: _Found.of(api, table) for table in TABLES}
    for table in TABLES:
        yield from _table_changes(api, table, found[table.name])
    for table in TABLES:
        for column in table.columns:
            if column.type.kind != "lookup":
                yield from _column_changes(api, table, column, found[table.name])
    for table in TABLES:
        for column in table.columns:
            if column.type.kind == "lookup":
                yield from _column_changes(api, table, column, found[table.name])
    for link in MANY_TO_MANY:
        yield from _link_changes(api, link)
    for table in TABLES:
        for key in table.keys:
            yield from _key_changes(api, table, key, found[table.name])
    yield from component_changes(api)
    for table in TABLES:
        yield from _extra_changes(table, found[table.name])


@dataclass(frozen=True)
class _Found:
    """What the environment says of one table; `definition` is None when there is no such table."""

    definition: Json | None
    columns: Mapping[str, Json]
    choices: Mapping[str, str]
    keys: Mapping[str, Json]
    on_delete: Mapping[str, str]

    @classmethod
    def of(cls, api: WebApi, table: Table) -> "_Found":
        definition = api.find(f"EntityDefinitions(LogicalName='{table.name}')")
        if definition is None:
            return cls(None, {}, {}, {}, {})
        path = f"EntityDefinitions(LogicalName='{table.name}')"
        columns = {str(found["LogicalName"]): found for found in api.rows(f"{path}/Attributes")}
        picklists = api.rows(f"{path}/Attributes/{PICKLISTS}")
        choices = {str(one["LogicalName"]): str((one.get("GlobalOptionSet") or {}).get("Name") or "") for one in picklists}
        keys = {str(found["LogicalName"]): found for found in api.rows(f"{path}/Keys")} if table.keys else {}
        many_to_one = api.rows(f"{path}/ManyToOneRelationships")
        on_delete = {
            str(one["SchemaName"]).lower(): str((one.get("CascadeConfiguration") or {}).get("Delete")) for one in many_to_one
        }
        return cls(definition, columns, choices, keys, on_delete)


# ── publisher and solution ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _solution_changes(api: WebApi, *, managed: bool) -> Iterator[Change]:
    publisher = api.first(f"publishers?$select=publisherid,customizationprefix&$filter=uniquename eq '{PUBLISHER}'")
    if publisher is None:
        body: Json = {
            "uniquename": PUBLISHER,
            "friendlyname": PUBLISHER_TITLE,
            "customizationprefix": CUSTOMIZATION_PREFIX,
            "customizationoptionvalueprefix": OPTION_PREFIX,
        }
        yield Change(Kind.MISSING, f"publisher {PUBLISHER}", "", partial(_plain, api, "POST", "publishers", body))
    solution = api.first(f"solutions?$select=solutionid,version,ismanaged&$filter=uniquename eq '{UNIQUE_NAME}'")
    if solution is None:
        yield Change(Kind.MISSING, f"solution {UNIQUE_NAME}", f"version {VERSION}", partial(_make_solution, api))
    elif solution["version"] != VERSION:
        act = partial(_plain, api, "PATCH", f"solutions({solution['solutionid']})", {"version": VERSION})
        yield Change(
            Kind.DIFFERENT, f"solution {UNIQUE_NAME}", f"version: {solution['version']} instead of {VERSION}", act, last=True
        )


def _make_solution(api: WebApi) -> None:
    publisher = api.first(f"publishers?$select=publisherid&$filter=uniquename eq '{PUBLISHER}'")
    assert publisher is not None, "made the change before"
    body = {
        "uniquename": UNIQUE_NAME,
        "friendlyname": TITLE,
        "version": VERSION,
        "publisherid@odata.bind": f"/publishers({publisher['publisherid']})",
    }
    _plain(api, "POST", "solutions", body)


def _plain(api: WebApi, method: str, path: str, body: Json) -> None:
    """Write what is in no solution itself."""
    solution, api.solution = api.solution, ""
    try:
        api.write(method, path, body)
    finally:
        api.solution = solution


# ── choices ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _choice_changes(api: WebApi, choice: Choice) -> Iterator[Change]:
    what, wanted = f"choice {choice.name}", definitions.choice(choice)
    found = api.find(f"GlobalOptionSetDefinitions(Name='{choice.name}')")
    if found is None:
        yield Change(Kind.MISSING, what, "", partial(_write, api, "POST", "GlobalOptionSetDefinitions", wanted))
        return
    plain = {name: wanted[name] for name in ("DisplayName", "Description")}
    if unlike := list(differences(plain, found)):
        body = {**wanted, "MetadataId": found["MetadataId"]}
        path = f"GlobalOptionSetDefinitions({found['MetadataId']})"
        yield Change(Kind.DIFFERENT, what, "; ".join(unlike), partial(_write, api, "PUT", path, body))
    there = {int(option["Value"]): option for option in found.get("Options", ())}
    for value, option in definitions.options(choice).items():
        body = {"OptionSetName": choice.name, **option, "SolutionUniqueName": UNIQUE_NAME}
        if value not in there:
            act = partial(_write, api, "POST", "InsertOptionValue", body)
            yield Change(Kind.MISSING, f"option {value} of {choice.name}", text_of(option["Label"]), act)
        elif unlike := list(differences({name: option[name] for name in ("Label", "Description")}, there[value])):
            act = partial(_write, api, "POST", "UpdateOptionValue", {**body, "MergeLabels": True})
            yield Change(Kind.DIFFERENT, f"option {value} of {choice.name}", "; ".join(unlike), act)
    for value in there.keys() - definitions.options(choice).keys():
        label = text_of(there[value].get("Label"))
        yield Change(Kind.EXTRA, f"option {value} of {choice.name}", f"“{label}”, not the connector's: left as it is")


# ── tables and columns ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _table_changes(api: WebApi, table: Table, found: _Found) -> Iterator[Change]:
    what = f"table {table.name}"
    if not table.custom:
        if found.definition is None:
            yield Change(
                Kind.CONFLICT, what, "Dynamics 365 Sales is not in this environment.", step="Install Dynamics 365 Sales first."
            )
        return
    wanted = definitions.table(table)
    if found.definition is None:
        yield Change(Kind.MISSING, what, table.label, partial(_write, api, "POST", "EntityDefinitions", wanted))
        return
    if found.definition["OwnershipType"] != table.ownership.value:
        detail = f"owned by {found.definition['OwnershipType']}, not {table.ownership.value}"
        yield Change(
            Kind.CONFLICT,
            what,
            detail,
            step="Another solution made it: delete it or use another environment; it cannot be changed.",
        )
        return
    plain = {name: wanted[name] for name in ("DisplayName", "DisplayCollectionName", "Description", "ChangeTrackingEnabled")}
    if unlike := list(differences(plain, found.definition)):
        path = f"EntityDefinitions(LogicalName='{table.name}')"
        body = {name: value for name, value in found.definition.items() if not name.startswith("@")} | plain
        yield Change(Kind.DIFFERENT, what, "; ".join(unlike), partial(_write, api, "PUT", path, body, MSCRM_MergeLabels="true"))


def _column_changes(api: WebApi, table: Table, column: Column, found: _Found) -> Iterator[Change]:
    what, wanted = f"column {table.name}.{column.name}", definitions.column_of(column)
    there = found.columns.get(column.name)
    if there is None:
        if found.definition is None and column.name == "mag_name":
            return  # made with its table
        yield Change(Kind.MISSING, what, column.label, partial(_make_column, api, table, column))
        return
    kind = str(there["@odata.type"]).removeprefix("#")
    behavior = (there.get("DateTimeBehavior") or {}).get("Value")
    wrong = ""
    if kind != wanted["@odata.type"] or (behavior and behavior != wanted["DateTimeBehavior"]["Value"]):
        wrong = f"it is a {_kind_of(kind)}{f' ({behavior})' if behavior else ''}, not a {_kind_of(wanted['@odata.type'])}"
    elif column.type.choice and found.choices.get(column.name) != column.type.choice.name:
        wrong = f"it uses the choice {found.choices.get(column.name) or 'of its own'}, not {column.type.choice.name}"
    elif column.type.targets and set(there.get("Targets") or ()) != set(column.type.targets):
        wrong = f"it points at {', '.join(there.get('Targets') or ())}, not at {', '.join(column.type.targets)}"
    if wrong:
        step = (
            f"The column was made here by someone else, and a column's type cannot be changed. Save what it holds, delete the "
            f"column {column.name} of {table.label} in make.powerapps.com, then run the command again."
        )
        yield Change(Kind.CONFLICT, what, wrong, step=step)
        return
    shrunk = column.type.max_length and int(there.get("MaxLength") or 0) > column.type.max_length
    compared = {name: value for name, value in wanted.items() if not (shrunk and name == "MaxLength")}  # longer does no harm
    if unlike := list(differences(compared, there)):
        yield Change(Kind.DIFFERENT, what, "; ".join(unlike), partial(_change_column, api, table, column, compared))
    name = relationship(table.name, column.name)
    if column.type.targets and (on_delete := found.on_delete.get(name, column.type.on_delete)) != column.type.on_delete:
        detail = f"Delete: {on_delete} instead of {column.type.on_delete}"
        act = partial(_change_on_delete, api, table, column)
        yield Change(Kind.DIFFERENT, f"relationship {name}", detail, act)


def _kind_of(odata_type: str) -> str:
    return odata_type.removeprefix(CRM).removesuffix("AttributeMetadata")


def _make_column(api: WebApi, table: Table, column: Column) -> None:
    if column.type.targets:
        api.write("POST", "RelationshipDefinitions", definitions.one_to_many(table, column))
        return
    body = definitions.column_of(column)
    if column.type.choice:
        choice = api.get(f"GlobalOptionSetDefinitions(Name='{column.type.choice.name}')")
        body["GlobalOptionSet@odata.bind"] = f"/GlobalOptionSetDefinitions({choice['MetadataId']})"
    api.write("POST", f"EntityDefinitions(LogicalName='{table.name}')/Attributes", body)


def _change_column(api: WebApi, table: Table, column: Column, wanted: Json) -> None:
    """Write the whole definition back, ours over what is there: PUT replaces, so nothing of theirs may be left out."""
    path = f"EntityDefinitions(LogicalName='{table.name}')/Attributes(LogicalName='{column.name}')"
    there = api.get(f"{path}/{wanted['@odata.type']}")
    kept = {name: value for name, value in there.items() if not name.startswith("@odata.context")}
    api.write("PUT", path, {**kept, **wanted}, MSCRM_MergeLabels="true")


def _change_on_delete(api: WebApi, table: Table, column: Column) -> None:
    name = relationship(table.name, column.name)
    there = api.get(f"RelationshipDefinitions(SchemaName='{name}')/{CRM}OneToManyRelationshipMetadata")
    cascade = {**(there.get("CascadeConfiguration") or {}), "Delete": column.type.on_delete}
    body = {key: value for key, value in there.items() if not key.startswith("@odata.context")}
    api.write("PUT", f"RelationshipDefinitions({there['MetadataId']})", {**body, "CascadeConfiguration": cascade})


def _extra_changes(table: Table, found: _Found) -> Iterator[Change]:
    ours = {column.name for column in table.columns} | {f"{column.name}_base" for column in table.columns}
    for name, there in found.columns.items():
        mine = name.startswith(f"{CUSTOMIZATION_PREFIX}_") and name != f"{table.name}id" and not there.get("AttributeOf")
        if mine and name not in ours:
            detail = "not the connector's, or of an older version: left as it is"
            yield Change(Kind.EXTRA, f"column {table.name}.{name}", detail)


# ── links and keys ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _link_changes(api: WebApi, link: ManyToMany) -> Iterator[Change]:
    wanted = definitions.many_to_many(link)
    found = api.find(f"RelationshipDefinitions(SchemaName='{link.name}')/{CRM}ManyToManyRelationshipMetadata")
    what = f"relationship {link.name}"
    if found is None:
        yield Change(Kind.MISSING, what, link.label, partial(_write, api, "POST", "RelationshipDefinitions", wanted))
        return
    names = ("Entity1LogicalName", "Entity2LogicalName", "IntersectEntityName")
    if unlike := list(differences({name: wanted[name] for name in names}, found)):
        yield Change(Kind.CONFLICT, what, "; ".join(unlike), step="Delete the relationship, then run the command again.")


def _key_changes(api: WebApi, table: Table, key: Key, found: _Found) -> Iterator[Change]:
    what, path = f"key {key.name} of {table.name}", f"EntityDefinitions(LogicalName='{table.name}')/Keys"
    there = found.keys.get(key.name)
    if there is None:
        yield Change(Kind.MISSING, what, ", ".join(key.columns), partial(_write, api, "POST", path, definitions.key(key)))
    elif set(there["KeyAttributes"]) != set(key.columns):
        detail = f"over {', '.join(there['KeyAttributes'])} instead of {', '.join(key.columns)}"
        yield Change(Kind.DIFFERENT, what, detail, partial(_remake_key, api, path, key))


def _remake_key(api: WebApi, path: str, key: Key) -> None:
    api.write("DELETE", f"{path}(LogicalName='{key.name}')")
    api.write("POST", path, definitions.key(key))


def _write(api: WebApi, method: str, path: str, body: Json, **headers: str) -> None:
    api.write(method, path, body, **headers)
