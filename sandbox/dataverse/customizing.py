"""Change what an environment has: tables, columns, keys, relationships and choices, by the platform's rules.

Both ways in, the metadata Web API and a solution file, end here. Refusals are the platform's; each names what stands in
the way. Sources: Microsoft Learn, "Create and update table definitions using the Web API", "Define alternate keys using
code", "Create and update relationship definitions"; codes: "Web service error codes".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from solution.model import ColumnModel, TableModel
from solution.table import Level, entity_set

from .environment import Environment, derived_id
from .errors import BAD_ARGUMENT, NOT_FOUND, OUT_OF_RANGE, PRIVILEGE_DENIED, Refused
from .sql import moment
from .store import Reference

DUPLICATE_COLUMN = "0x80047013"
TABLE_EXISTS = "0x80048403"
RELATIONSHIP_EXISTS = "0x80048418"
IN_USE = "0x8004f01f"
UNKNOWN_NAME = "0x80041102"
MANAGED = "0x80048524"
LONGEST = {"text": 4_000, "memo": 1_048_576}
KEY_TYPES = frozenset({"decimal", "integer", "text", "datetime", "date", "lookup", "choice"})
KEYS_OF_A_TABLE, COLUMNS_OF_A_KEY, BYTES_OF_A_KEY = 10, 16, 900
USER = ("systemuser",)


@dataclass(frozen=True)
class Key:
    """An alternate key to make."""

    name: str
    schema: str
    label: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Choice:
    """A global choice; options are (value, label, description)."""

    name: str
    label: str
    description: str
    options: tuple[tuple[int, str, str], ...]

    @property
    def labels(self) -> dict[int, str]:
        """Map each value to its label."""
        return {value: label for value, label, _ in self.options}


@dataclass(frozen=True)
class NewTable:
    """A table to make; `columns` are its own, the primary name among them."""

    name: str
    schema: str
    label: str
    plural: str
    description: str
    ownership: str
    primary_name: str
    columns: tuple[ColumnModel, ...]
    entity_set: str = ""
    tracked: bool = False


def allow(environment: Environment, administrator: bool) -> None:
    """Refuse (403) a caller who may not customize."""
    if not administrator:
        raise Refused(
            403,
            PRIVILEGE_DENIED,
            "Principal user is missing prvCreateEntity privilege (or another of the System Customizer role's).",
        )


# --- tables --------------------------------------------------------------------------------------------------------


def table(environment: Environment, name: str) -> TableModel:
    """Return a table; raises Refused (404) when there is none."""
    found = environment.model.get(name)
    if found is None:
        raise Refused(404, UNKNOWN_NAME, f"The entity with a name = '{name}' with namemapping = 'Logical' was not found.")
    return found


def add_table(environment: Environment, new: NewTable) -> TableModel:
    """Make a table with the columns the platform gives every table; raises Refused."""
    _prefixed(environment, new.schema)
    if new.name != new.schema.lower():
        raise Refused(400, BAD_ARGUMENT, f"The logical name {new.name} is not the schema name {new.schema} in lower case.")
    if new.name in environment.model:
        raise Refused(400, TABLE_EXISTS, f"An entity with the specified name {new.name} already exists. Specify a unique name.")
    if new.ownership not in ("UserOwned", "OrganizationOwned"):
        raise Refused(400, BAD_ARGUMENT, f"A custom table cannot have the ownership type {new.ownership}.")
    primary = next((column for column in new.columns if column.name == new.primary_name), None)
    if primary is None or primary.type != "text":
        raise Refused(400, BAD_ARGUMENT, f"The entity {new.name} has no primary attribute of the type String.")
    model = TableModel(
        name=new.name,
        entity_set=new.entity_set or entity_set(new.name),
        key=f"{new.name}id",
        primary_name=new.primary_name,
        columns=system_columns(new.name, new.ownership),
        one_to_many={},
        many_to_many={},
        keys={},
        custom=True,
        ownership=new.ownership,
        label=new.label,
        description=new.description,
    )
    if model.entity_set in environment.tables_by_set:
        raise Refused(400, TABLE_EXISTS, f"An entity set {model.entity_set} already exists.")
    with environment.transaction():
        environment.store.define(model)
        environment.store.keep("table", new.name, {"schema": new.schema, "plural": new.plural, "tracked": new.tracked})
        for column in new.columns:
            add_column(environment, new.name, column)
        add_messages(environment, new.name)
        add_privileges(environment, new.schema, new.ownership)
    return environment.model[new.name]


def change_table(environment: Environment, name: str, *, label: str, plural: str, description: str, tracked: bool) -> None:
    """Change what people read of a table, and whether its changes are tracked."""
    model = table(environment, name)
    with environment.transaction():
        environment.store.define(replace(model, label=label, description=description))
        fact = environment.store.facts("table").get(name, {})
        environment.store.keep("table", name, {**fact, "plural": plural, "tracked": tracked})


def delete_table(environment: Environment, name: str) -> None:
    """Drop a table with its rows; raises Refused (400) while a lookup elsewhere, a form or a view needs it."""
    model = table(environment, name)
    if not model.custom:
        raise Refused(400, BAD_ARGUMENT, f"The table {name} is the platform's and cannot be deleted.")
    pointing = [f"{many}.{column}" for many, column in model.one_to_many.values() if many != name]
    shared = [intersect for other, intersect in model.many_to_many.values() if other != name]
    apps = [str(row["name"]) for row in environment.store.select("appmodule") if name in _app_tables(environment, row)]
    _unused(f"Entity {name}", [*pointing, *shared, *apps])
    with environment.transaction():
        for column in model.columns.values():
            for target in column.targets:
                _leave(environment, target, name, column.name)
        for kind in ("key", "column"):
            for fact in environment.store.facts(kind):
                if fact.startswith(f"{name}."):
                    environment.store.forget(kind, fact)
        environment.store.forget("table", name)
        environment.store.undefine(name)
        for kind, of in (("systemform", "objecttypecode"), ("savedquery", "returnedtypecode")):
            for row in environment.store.find(kind, of, name):
                environment.store.delete(kind, str(row[environment.model[kind].key]))
        for row in environment.store.find("sdkmessagefilter", "primaryobjecttypecode", name):
            environment.store.delete("sdkmessagefilter", str(row["sdkmessagefilterid"]))


def system_columns(name: str, ownership: str) -> dict[str, ColumnModel]:
    """Return the columns the platform gives every custom table."""
    columns = [
        ColumnModel(f"{name}id", "uniqueidentifier", update=False),
        *(_given(stamp, "datetime") for stamp in ("createdon", "modifiedon")),
        _given("versionnumber", "bigint"),
        *(_given(who, "lookup", *USER) for who in ("createdby", "modifiedby", "createdonbehalfby", "modifiedonbehalfby")),
        ColumnModel("overriddencreatedon", "datetime", update=False),
        ColumnModel("importsequencenumber", "integer", update=False),
        ColumnModel("statecode", "state", options={0: "Active", 1: "Inactive"}, create=False, default=0),
        ColumnModel("statuscode", "status", options={1: "Active", 2: "Inactive"}, states={1: 0, 2: 1}, default=1),
    ]
    if ownership == "UserOwned":
        owners = {"systemuser": "ownerid", "team": "ownerid"}
        columns += [
            ColumnModel("ownerid", "owner", targets=tuple(owners), navigation=owners),
            _given("owninguser", "lookup", "systemuser"),
            _given("owningteam", "lookup", "team"),
            _given("owningbusinessunit", "lookup", "businessunit"),
        ]
    else:
        columns.append(_given("organizationid", "lookup", "organization"))
    return {column.name: column for column in columns}


def money_columns(model: TableModel, column: ColumnModel) -> Iterator[ColumnModel]:
    """Return what the platform puts beside an amount: the currency, its rate, and the amount in the base currency."""
    if "transactioncurrencyid" not in model.columns:
        navigation = {"transactioncurrency": "transactioncurrencyid"}
        yield ColumnModel("transactioncurrencyid", "lookup", targets=tuple(navigation), navigation=navigation)
    if "exchangerate" not in model.columns:
        yield replace(_given("exchangerate", "decimal"), precision=12)
    yield _given(f"{column.name}_base", "money")


def _given(name: str, type: str, *targets: str) -> ColumnModel:
    return ColumnModel(name, type, targets=targets, navigation=dict.fromkeys(targets, name), create=False, update=False)


def add_messages(environment: Environment, name: str) -> None:
    """Let steps be registered for a table's messages."""
    for message in environment.store.select("sdkmessage"):
        environment.seed(
            "sdkmessagefilter",
            sdkmessagefilterid=derived_id("sdkmessagefilter", str(message["name"]), name),
            sdkmessageid=Reference("sdkmessage", str(message["sdkmessageid"])),
            primaryobjecttypecode=name,
        )


def add_privileges(environment: Environment, schema: str, ownership: str) -> None:
    """Make the privileges of a table; administrators have them at once."""
    rights = ["Create", "Read", "Write", "Delete", "Append", "AppendTo"]
    if ownership == "UserOwned":
        rights += ["Assign", "Share"]
    add_named_privileges(environment, [f"prv{right}{schema}" for right in rights])


def add_named_privileges(environment: Environment, names: Iterable[str]) -> None:
    """Make privileges by name."""
    for name in names:
        environment.seed("privilege", privilegeid=derived_id("privilege", name.lower()), name=name, canbeglobal=True)


# --- columns -------------------------------------------------------------------------------------------------------


def column(environment: Environment, table_name: str, name: str) -> ColumnModel:
    """Return a column; raises Refused (404) when there is none."""
    found = table(environment, table_name).columns.get(name)
    if found is None:
        raise Refused(404, UNKNOWN_NAME, f"Could not find an attribute with specified name: '{name}' for entity '{table_name}'.")
    return found


def add_column(environment: Environment, table_name: str, new: ColumnModel, format: str = "", schema: str = "") -> None:
    """Add a column; an amount brings its currency along. Raises Refused."""
    model = table(environment, table_name)
    _prefixed(environment, schema or new.name)
    if new.name in model.columns:
        raise Refused(
            400, DUPLICATE_COLUMN, f"An attribute with the specified name {new.name} already exists for entity {table_name}."
        )
    _check_column(environment, table_name, new)
    columns = {**model.columns, new.name: new}
    if new.type == "money":
        columns |= {beside.name: beside for beside in money_columns(model, new)}
    with environment.transaction():
        environment.store.define(replace(model, columns=columns))
        if format or schema:
            environment.store.keep("column", f"{table_name}.{new.name}", {"format": format, "schema": schema or new.name})
        for target in new.targets:
            _check_target(environment, table_name, new, target)


def change_column(environment: Environment, table_name: str, new: ColumnModel) -> None:
    """Change a column within its type; raises Refused (400) for another type or other tables to point at."""
    before, model = column(environment, table_name, new.name), environment.model[table_name]
    if new.type != before.type:
        raise Refused(
            400,
            BAD_ARGUMENT,
            f"Attribute '{new.name}' of '{table_name}' is of the type {before.type}, which cannot be changed to {new.type}.",
        )
    if new.choice != before.choice:
        raise Refused(400, BAD_ARGUMENT, f"The global option set of '{table_name}.{new.name}' cannot be changed.")
    if new.type == "text" and before.max_length and (new.max_length or 0) < before.max_length:
        longest = max((len(str(row[new.name] or "")) for row in environment.store.select(table_name)), default=0)
        if longest > (new.max_length or 0):
            raise Refused(400, OUT_OF_RANGE, f"Rows of {table_name} hold longer values in {new.name} than {new.max_length}.")
    _check_column(environment, table_name, new)
    keep = replace(new, targets=before.targets, navigation=before.navigation, on_delete=before.on_delete, custom=before.custom)
    environment.store.define(replace(model, columns={**model.columns, new.name: keep}))


def delete_column(environment: Environment, table_name: str, name: str) -> None:
    """Drop a column with what rows hold in it; raises Refused (400) while a key, form or view needs it."""
    model, found = table(environment, table_name), column(environment, table_name, name)
    if not found.custom:
        raise Refused(400, BAD_ARGUMENT, f"The attribute {name} of {table_name} is the platform's and cannot be deleted.")
    users = [f"Entity Key {key}" for key, columns in model.keys.items() if name in columns]
    users += [f"System Form {row['name']}" for row in environment.store.find("systemform", "objecttypecode", table_name)
              if f'"{name}"' in str(row["formxml"])]  # fmt: skip
    users += [f"View {row['name']}" for row in environment.store.find("savedquery", "returnedtypecode", table_name)
              if f'"{name}"' in f"{row['fetchxml']}{row['layoutxml']}"]  # fmt: skip
    _unused(f"Attribute {table_name}.{name}", users)
    gone = {name, f"{name}_base"} if found.type == "money" else {name}
    with environment.transaction():
        for target in found.targets:
            _leave(environment, target, table_name, name)
        left = {key: value for key, value in environment.model[table_name].columns.items() if key not in gone}
        environment.store.define(replace(environment.model[table_name], columns=left))
        environment.store.forget("column", f"{table_name}.{name}")


def _check_column(environment: Environment, table_name: str, new: ColumnModel) -> None:
    longest = LONGEST.get(new.type)
    if longest and not 1 <= (new.max_length or 0) <= longest:
        raise Refused(400, OUT_OF_RANGE, f"MaxLength of '{new.name}' must be between 1 and {longest}.")
    if new.minimum is not None and new.maximum is not None and new.minimum > new.maximum:
        raise Refused(400, OUT_OF_RANGE, f"MinValue of '{new.name}' is above its MaxValue.")
    if new.type == "choice":
        choice = environment.store.facts("choice").get(new.choice or "")
        if choice is None:
            raise Refused(
                400,
                NOT_FOUND,
                f"Attribute '{new.name}' was not imported as it references a non-existing global Option Set ('{new.choice}').",
            )
    if new.level is Level.SYSTEM:
        raise Refused(400, BAD_ARGUMENT, f"The requirement level SystemRequired of '{new.name}' is the platform's own.")
    if new.default is not None and new.options and new.type == "choice" and new.default not in new.options:
        raise Refused(400, BAD_ARGUMENT, f"The default value {new.default} of '{new.name}' is none of its options.")


def _check_target(environment: Environment, table_name: str, new: ColumnModel, target: str) -> None:
    if target not in environment.model:
        raise Refused(400, UNKNOWN_NAME, f"The lookup '{table_name}.{new.name}' points at '{target}', which does not exist.")


# --- relationships -------------------------------------------------------------------------------------------------


def add_one_to_many(environment: Environment, name: str, one: str, many: str, lookup: ColumnModel, schema: str = "") -> None:
    """Make a lookup and the relationship behind it; raises Refused."""
    referenced = table(environment, one)
    _new_relationship(environment, name)
    with environment.transaction():
        add_column(environment, many, lookup, schema=schema)
        referenced = environment.model[one]
        environment.store.define(replace(referenced, one_to_many={**referenced.one_to_many, name: (many, lookup.name)}))
        environment.store.keep("relationship", name, {"one": one, "many": many, "column": lookup.name})


def change_on_delete(environment: Environment, name: str, on_delete: str) -> None:
    """Change what deleting the one does to the many."""
    fact = environment.store.facts("relationship")[name]
    model = environment.model[fact["many"]]
    changed = replace(model.columns[fact["column"]], on_delete=on_delete)
    environment.store.define(replace(model, columns={**model.columns, changed.name: changed}))


def add_many_to_many(environment: Environment, name: str, first: str, second: str, intersect: str, label: str) -> None:
    """Make an N:N relationship with its intersect table; raises Refused."""
    for end in (first, second):
        table(environment, end)
    _new_relationship(environment, name)
    if intersect in environment.model or intersect in environment.store.intersects:
        raise Refused(400, TABLE_EXISTS, f"An entity with the specified name {intersect} already exists. Specify a unique name.")
    with environment.transaction():
        for one, other in ((first, second), (second, first)):
            model = environment.model[one]
            environment.store.define(replace(model, many_to_many={**model.many_to_many, name: (other, intersect)}))
        environment.store.keep("relationship", name, {"first": first, "second": second, "intersect": intersect, "label": label})


def delete_relationship(environment: Environment, name: str) -> None:
    """Drop a relationship: of 1:N its lookup too, of N:N every link."""
    fact = environment.store.facts("relationship").get(name)
    if fact is None:
        raise Refused(404, UNKNOWN_NAME, f"Could not find a relationship with the name '{name}'.")
    with environment.transaction():
        if "column" in fact:
            delete_column(environment, fact["many"], fact["column"])
        else:
            for one in (fact["first"], fact["second"]):
                model = environment.model[one]
                left = {key: value for key, value in model.many_to_many.items() if key != name}
                environment.store.define(replace(model, many_to_many=left))
            environment.store.undefine(fact["intersect"])
        environment.store.forget("relationship", name)


def _new_relationship(environment: Environment, name: str) -> None:
    _prefixed(environment, name)
    if name in environment.store.facts("relationship"):
        raise Refused(400, RELATIONSHIP_EXISTS, f"The relationship {name} already exists.")


def _leave(environment: Environment, target: str, many: str, column_name: str) -> None:
    """Take the collection a deleted lookup gave its target away."""
    model = environment.model.get(target)
    for name, end in dict(model.one_to_many if model else {}).items():
        if model is not None and end == (many, column_name):
            left = {key: value for key, value in model.one_to_many.items() if key != name}
            environment.store.define(replace(model, one_to_many=left))
            environment.store.forget("relationship", name)


# --- keys ----------------------------------------------------------------------------------------------------------


def add_key(environment: Environment, table_name: str, key: Key) -> None:
    """Make an alternate key; its index is built afterwards, and fails on rows that share their values."""
    model = table(environment, table_name)
    _prefixed(environment, key.schema)
    if key.name in model.keys:
        raise Refused(400, DUPLICATE_COLUMN, f"An entity key with the name {key.name} already exists for {table_name}.")
    if len(model.keys) >= KEYS_OF_A_TABLE:
        raise Refused(400, OUT_OF_RANGE, f"{table_name} has {KEYS_OF_A_TABLE} alternate keys already.")
    columns = [column(environment, table_name, name) for name in key.columns]
    wrong = [found.name for found in columns if found.type not in KEY_TYPES]
    size = sum((found.max_length or 0) * 2 if found.type == "text" else 16 for found in columns)
    if wrong or not columns or len(columns) > COLUMNS_OF_A_KEY or size > BYTES_OF_A_KEY:
        why = f"not of: {', '.join(wrong)}" if wrong else f"{len(columns)} columns of {size} bytes"
        raise Refused(400, BAD_ARGUMENT, f"The alternate key {key.name} cannot be made ({why}).")
    with environment.transaction():
        environment.store.define(replace(model, keys={**model.keys, key.name: key.columns}))
        fact = {"label": key.label, "schema": key.schema, "since": environment.now}
        environment.store.keep("key", f"{table_name}.{key.name}", {**fact, "failed": _clashes(environment, table_name, key.name)})


def delete_key(environment: Environment, table_name: str, name: str) -> None:
    """Drop an alternate key; raises Refused (404) when there is none."""
    model = table(environment, table_name)
    if name not in model.keys:
        raise Refused(404, UNKNOWN_NAME, f"Could not find an entity key with the name {name} for {table_name}.")
    left = {key: columns for key, columns in model.keys.items() if key != name}
    with environment.transaction():
        environment.store.define(replace(model, keys=left))
        environment.store.forget("key", f"{table_name}.{name}")


def reactivate_key(environment: Environment, table_name: str, name: str) -> None:
    """Build the index of a key again; raises Refused (400) unless the last build failed."""
    if index_status(environment, table_name, name) != "Failed":
        raise Refused(400, BAD_ARGUMENT, f"The entity key {name} of {table_name} has not failed.")
    fact = environment.store.facts("key")[f"{table_name}.{name}"]
    failed = _clashes(environment, table_name, name)
    environment.store.keep("key", f"{table_name}.{name}", {**fact, "since": environment.now, "failed": failed})


def settle_indexes(environment: Environment) -> None:
    """Let every index be as built long ago: the environment was not set up this minute."""
    long_ago = moment(environment.clock.now() - timedelta(days=1))
    for name, fact in environment.store.facts("key").items():
        environment.store.keep("key", name, {**fact, "since": long_ago})


def fail_index(environment: Environment, table_name: str, name: str) -> None:
    """Make the last build of a key's index a failure; for tests."""
    fact = environment.store.facts("key")[f"{table_name}.{name}"]
    environment.store.keep("key", f"{table_name}.{name}", {**fact, "failed": True})


def index_status(environment: Environment, table_name: str, name: str) -> str:
    """Return Pending, InProgress, Active or Failed: an index takes a little time."""
    fact = environment.store.facts("key").get(f"{table_name}.{name}")
    if fact is None:
        return "Active"
    age = environment.clock.now() - datetime.fromisoformat(fact["since"])
    if age < environment.index_time / 2:
        return "Pending"
    if age < environment.index_time:
        return "InProgress"
    return "Failed" if fact["failed"] else "Active"


def _clashes(environment: Environment, table_name: str, name: str) -> bool:
    columns = environment.model[table_name].keys[name]
    listed = ", ".join(f'"{found}"' for found in columns)
    given = " AND ".join(f'"{found}" IS NOT NULL' for found in columns)
    sql = f'SELECT 1 FROM "{table_name}" WHERE {given} GROUP BY {listed} HAVING COUNT(*) > 1'
    return bool(environment.store.query(sql))


# --- choices -------------------------------------------------------------------------------------------------------


def add_choice(environment: Environment, choice: Choice) -> None:
    """Make a global choice; raises Refused."""
    _prefixed(environment, choice.name)
    if choice.name in environment.store.facts("choice"):
        raise Refused(400, TABLE_EXISTS, f"An OptionSet with the name {choice.name} already exists.")
    if len(choice.labels) != len(choice.options):
        raise Refused(400, BAD_ARGUMENT, f"The option set {choice.name} has two options of the same value.")
    keep_choice(environment, choice)


def keep_choice(environment: Environment, choice: Choice) -> None:
    """Write a choice and give its options to the columns that use it."""
    with environment.transaction():
        fact: dict[str, Any] = {
            "label": choice.label, "description": choice.description, "options": [list(option) for option in choice.options]
        }  # fmt: skip
        environment.store.keep("choice", choice.name, fact)
        for model in list(environment.model.values()):
            using = {
                name: replace(found, options=choice.labels)
                for name, found in model.columns.items()
                if found.choice == choice.name and dict(found.options) != choice.labels
            }
            if using:
                environment.store.define(replace(model, columns={**model.columns, **using}))


def choice(environment: Environment, name: str) -> Choice:
    """Return a global choice; raises Refused (404) when there is none."""
    fact = environment.store.facts("choice").get(name)
    if fact is None:
        raise Refused(404, UNKNOWN_NAME, f"Could not find an optionset with the name '{name}'.")
    options = tuple((value, label, description) for value, label, description in fact["options"])
    return Choice(name, fact["label"], fact["description"], options)


def delete_choice(environment: Environment, name: str) -> None:
    """Drop a global choice; raises Refused (400) while a column uses it."""
    choice(environment, name)
    users = [
        f"Attribute {model.name}.{found.name}"
        for model in environment.model.values()
        for found in model.columns.values()
        if found.choice == name
    ]
    _unused(f"Option Set {name}", users)
    environment.store.forget("choice", name)


# --- solutions -----------------------------------------------------------------------------------------------------


def solution_id(environment: Environment, unique_name: str) -> str | None:
    """Return the id of a solution by its unique name."""
    found = environment.store.find("solution", "uniquename", unique_name)
    return str(found[0]["solutionid"]) if found else None


def note_component(environment: Environment, unique_name: str, kind: int, name: str, object_id: str, behavior: int = 0) -> None:
    """Note that a component is in a solution; raises Refused (404) when there is no such solution."""
    found = solution_id(environment, unique_name)
    if found is None:
        raise Refused(404, NOT_FOUND, f"The solution '{unique_name}' does not exist in this environment.")
    environment.seed(
        "solutioncomponent",
        solutioncomponentid=derived_id("solutioncomponent", unique_name, str(kind), object_id),
        componenttype=kind,
        objectid=object_id,
        rootcomponentbehavior=behavior,
        solutionid=Reference("solution", found),
    )
    environment.store.keep("component", f"{unique_name}/{kind}/{object_id}", {"name": name, "kind": kind, "id": object_id})


def managed_by(environment: Environment, kind: int, object_id: str) -> str | None:
    """Return the managed solution a component belongs to, or None."""
    for row in environment.store.find("solutioncomponent", "objectid", object_id):
        solution = environment.referenced(row["solutionid"])
        if row["componenttype"] == kind and solution is not None and solution["ismanaged"]:
            return str(solution["uniquename"])
    return None


def refuse_managed(environment: Environment, kind: int, object_id: str, what: str) -> None:
    """Refuse (400) to delete what a managed solution brought."""
    if solution := managed_by(environment, kind, object_id):
        raise Refused(
            400, MANAGED, f"{what} is managed: it belongs to the solution {solution}, and goes when that is uninstalled."
        )


def _app_tables(environment: Environment, app: Any) -> list[str]:
    fact = environment.store.facts("app").get(str(app["appmoduleid"]), {})
    return list(fact.get("tables", []))


def _unused(what: str, users: list[str]) -> None:
    if users:
        named = ", ".join(sorted(set(users))[:5])
        raise Refused(
            400,
            IN_USE,
            f"The {what} component cannot be deleted because it is referenced by {len(users)} other components: {named}.",
        )


def _prefixed(environment: Environment, schema: str) -> None:
    prefixes = {str(row["customizationprefix"]) for row in environment.store.select("publisher")}
    if schema.partition("_")[0] not in prefixes or "_" not in schema:
        raise Refused(
            400, BAD_ARGUMENT, f"The name {schema} must start with a customization prefix of a publisher: {sorted(prefixes)}."
        )
