"""Answer Web API requests: rows, queries, links, actions.

Sources: Microsoft Learn, "Use the Dataverse Web API": create, retrieve, update and delete table rows, query data, perform
conditional operations, associate and disassociate, use alternate keys.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from solution.metadata import csdl
from solution.model import ColumnModel, TableModel

from . import batch, customizing, definitions, importing, reading, rows, sales, security
from .environment import Environment
from .errors import (
    BAD_QUERY,
    BAD_REQUEST,
    DUPLICATE,
    KEY_NOT_DEFINED,
    KEY_NOT_FOUND,
    VERSION_MISMATCH,
    Refused,
    row_missing,
)
from .query import Literal, read_key
from .request import SERVICE, Answer, Request, Segment, segments
from .sql import find_column, find_single
from .store import DECIMALS, Parameter, Reference, Row, Value

UNUSABLE_IN_KEYS = set("/<>*%&:\\?+")
NAMESPACE = "Microsoft.Dynamics.CRM."


def answer(environment: Environment, request: Request) -> Answer:
    """Answer one request; a refusal becomes Dataverse's error shape."""
    try:
        return _route(environment, request)
    except Refused as refused:
        return error(refused)


def error(refused: Refused) -> Answer:
    """Return a refusal in Dataverse's error shape."""
    return Answer(refused.status, {"error": {"code": refused.code, "message": refused.message}}, refused.headers)


def _route(environment: Environment, request: Request) -> Answer:
    importing.advance(environment)
    if not request.path:
        sets = [{"name": name, "kind": "EntitySet", "url": name} for name in environment.tables_by_set]
        return Answer(200, {"@odata.context": f"{root(environment)}$metadata", "value": sets})
    first, *rest = request.path
    if first.name == "$metadata":
        return Answer(200, csdl(environment.model).encode(), {"Content-Type": "application/xml"})
    if first.name == "$batch":
        _only(request, "POST")
        return batch.answer(environment, request, answer)
    if first.name == "WhoAmI":
        return _who_am_i(environment, request)
    if first.name in definitions.SETS:
        return definitions.SETS[first.name](environment, request, tuple(rest), first.key)
    if first.name in importing.ACTIONS and not rest:
        _only(request, "POST")
        with environment.transaction():
            return importing.ACTIONS[first.name](environment, request)
    table = environment.tables_by_set.get(first.name)
    if table is None:
        raise _no_resource(first.name)
    importing.before_write(environment, request, table)
    if first.key is None:
        return _collection(environment, request, table, rest)
    return _single(environment, request, table, first, rest)


def root(environment: Environment) -> str:
    """Return the service root of an environment."""
    return environment.url + SERVICE


def url_of(environment: Environment, reference: Reference) -> str:
    """Return the address of a row."""
    return f"{root(environment)}{environment.model[reference.table].entity_set}({reference.id})"


def _who_am_i(environment: Environment, request: Request) -> Answer:
    _only(request, "GET")
    user = environment.require("systemuser", request.caller.user)
    unit = user["businessunitid"]
    return Answer(
        200,
        {
            "@odata.context": f"{root(environment)}$metadata#{NAMESPACE}WhoAmIResponse",
            "BusinessUnitId": unit.id if isinstance(unit, Reference) else None,
            "UserId": request.caller.user,
            "OrganizationId": environment.organization_id,
        },
    )


# --- a set of rows -------------------------------------------------------------------------------------------------


def _collection(environment: Environment, request: Request, table: TableModel, rest: list[Segment]) -> Answer:
    match rest:
        case []:
            _only(request, "GET", "POST")
            return reading.query(environment, request, table) if request.method == "GET" else _create(environment, request, table)
        case [Segment("$count", None)]:
            _only(request, "GET")
            return Answer(200, str(reading.count(environment, request, table)).encode(), {"Content-Type": "text/plain"})
        case [Segment(name, None)] if name.removeprefix(NAMESPACE) in MULTIPLE:
            _only(request, "POST")
            return MULTIPLE[name.removeprefix(NAMESPACE)](environment, request, table)
    raise _no_resource(rest[0].name)


def _create(environment: Environment, request: Request, table: TableModel) -> Answer:
    row = _insert(environment, request, table, rows.load(request.body), {})
    return _written(environment, request, table, row, created=True)


def _insert(environment: Environment, request: Request, table: TableModel, body: Any, key: Row) -> Row:
    """Create a row and, under its collections, the rows a deep insert brings."""
    changes = rows.read(table, body, creating=True, resolve=_resolver(environment, request))
    with environment.transaction():
        row = environment.create(table.name, {**changes.values, **key}, request.caller)
        reference = Reference(table.name, str(row[table.key]))
        for navigation, bodies in changes.children.items():
            child, column = table.one_to_many[navigation]
            for child_body in bodies:
                _insert(environment, request, environment.model[child], child_body, {column: reference})
        importing.after_write(environment, request, table, row)
        return environment.require(*reference)


def _create_multiple(environment: Environment, request: Request, table: TableModel) -> Answer:
    with environment.transaction():
        created = [_insert(environment, request, table, target, {}) for target in _targets(request)]
    context = f"{root(environment)}$metadata#{NAMESPACE}CreateMultipleResponse"
    return Answer(200, {"@odata.context": context, "Ids": [row[table.key] for row in created]})


def _update_multiple(environment: Environment, request: Request, table: TableModel) -> Answer:
    with environment.transaction():
        for target in _targets(request):
            row_id = str(target.pop(table.key, ""))
            changes = rows.read(table, target, creating=False, resolve=_resolver(environment, request))
            environment.update(table.name, row_id.lower(), changes.values, request.caller)
    return Answer(204)


def _upsert_multiple(environment: Environment, request: Request, table: TableModel) -> Answer:
    with environment.transaction():
        for target in _targets(request):
            path = segments(str(target.get("@odata.id", "")), request.references)
            if len(path) != 1 or path[0].name != table.entity_set:
                raise Refused(400, BAD_REQUEST, "Each target of UpsertMultiple names its row in @odata.id.")
            found, key = _find(environment, table, path[0].key or "")
            _put(environment, request, table, target, found, key)
    return Answer(204)


MULTIPLE: dict[str, Callable[[Environment, Request, TableModel], Answer]] = {
    "CreateMultiple": _create_multiple,
    "UpdateMultiple": _update_multiple,
    "UpsertMultiple": _upsert_multiple,
}


def _targets(request: Request) -> list[dict[str, Any]]:
    body = rows.load(request.body)
    targets = body.get("Targets") if isinstance(body, dict) else None
    if not isinstance(targets, list) or not all(isinstance(target, dict) and "@odata.type" in target for target in targets):
        raise Refused(400, BAD_REQUEST, "Targets must be a list of rows, each with its @odata.type.")
    return targets


# --- one row -------------------------------------------------------------------------------------------------------


def _single(environment: Environment, request: Request, table: TableModel, first: Segment, rest: list[Segment]) -> Answer:
    found, key = _find(environment, table, first.key or "")
    if not rest:
        _only(request, "GET", "PATCH", "DELETE")
        return {"GET": _retrieve, "PATCH": _patch, "DELETE": _delete}[request.method](environment, request, table, found, key)
    row = _existing(table, found, key)
    name = rest[0].name
    if name.startswith(NAMESPACE):
        bound = security.answer(environment, request, table, row, name.removeprefix(NAMESPACE), rest[0].key)
        return bound or _action(environment, request, table, row, name.removeprefix(NAMESPACE))
    if name in table.one_to_many or name in table.many_to_many:
        return _related(environment, request, table, row, rest)
    if single := find_single(table, name):
        return _reference(environment, request, table, row, single[0], rest)
    return _property(environment, request, table, row, name)


def _retrieve(environment: Environment, request: Request, table: TableModel, found: Row | None, key: Row) -> Answer:
    row = _existing(table, found, key)
    current = rows.etag(row)
    plain = "$expand" not in request.options and not request.preferences.get("odata.include-annotations")
    if plain and request.headers.get("if-none-match") == current:
        return Answer(304, None, {"ETag": current})
    return Answer(200, reading.entity(environment, request, table, row), {"ETag": current})


def _patch(environment: Environment, request: Request, table: TableModel, found: Row | None, key: Row) -> Answer:
    body = rows.load(request.body)
    if found is None and request.headers.get("if-match"):
        raise _missing(table, key)
    if found is not None:
        _check_preconditions(request, found)
    row = _put(environment, request, table, body, found, key)
    return _written(environment, request, table, row, created=found is None)


def _put(environment: Environment, request: Request, table: TableModel, body: Any, found: Row | None, key: Row) -> Row:
    if found is None:
        return _insert(environment, request, table, body, key)
    changes = rows.read(table, body, creating=False, resolve=_resolver(environment, request))
    with environment.transaction():
        row = environment.update(table.name, str(found[table.key]), changes.values, request.caller)
        importing.after_write(environment, request, table, row)
    return row


def _delete(environment: Environment, request: Request, table: TableModel, found: Row | None, key: Row) -> Answer:
    row = _existing(table, found, key)
    _check_preconditions(request, row)
    if not importing.before_delete(environment, table, row):
        environment.delete(table.name, str(row[table.key]), request.caller)
    return Answer(204)


def _check_preconditions(request: Request, row: Row) -> None:
    if request.headers.get("if-none-match") == "*":
        raise Refused(412, DUPLICATE, "A record with matching key values already exists.")
    expected = request.headers.get("if-match")
    if expected and expected != "*" and expected != rows.etag(row):
        raise Refused(412, VERSION_MISMATCH, "The version of the existing record doesn't match the RowVersion property provided.")


def _written(environment: Environment, request: Request, table: TableModel, row: Row, *, created: bool) -> Answer:
    if request.wants_row:
        shown = reading.entity(environment, request, table, row, expand=created)
        return Answer(201 if created else 200, shown, {"Preference-Applied": "return=representation", "ETag": rows.etag(row)})
    address = url_of(environment, Reference(table.name, str(row[table.key])))
    return Answer(204, None, {"OData-EntityId": address, "Location": address})


def _property(environment: Environment, request: Request, table: TableModel, row: Row, name: str) -> Answer:
    _only(request, "GET", "PUT", "DELETE")
    column = find_column(table, name)
    if request.method == "GET":
        value = row[column.name]
        context = f"{root(environment)}$metadata#{table.entity_set}({row[table.key]})/{name}"
        return Answer(200, {"@odata.context": context, "value": value.id if isinstance(value, Reference) else value})
    body = rows.load(request.body) if request.method == "PUT" else {"value": None}
    changes = rows.read(table, {name: body.get("value")}, creating=False, resolve=_resolver(environment, request))
    environment.update(table.name, str(row[table.key]), changes.values, request.caller)
    return Answer(204)


def _action(environment: Environment, request: Request, table: TableModel, row: Row, name: str) -> Answer:
    if table.name != "invoice" or name not in ("LockInvoicePricing", "UnlockInvoicePricing"):
        raise _no_resource(NAMESPACE + name)
    _only(request, "POST")
    sales.lock_prices(environment, str(row["invoiceid"]), locked=name == "LockInvoicePricing")
    return Answer(204)


# --- relationships -------------------------------------------------------------------------------------------------


def _related(environment: Environment, request: Request, table: TableModel, row: Row, rest: list[Segment]) -> Answer:
    navigation, *tail = rest
    reference = Reference(table.name, str(row[table.key]))
    if not tail and navigation.key is None and request.method == "POST" and navigation.name in table.one_to_many:
        child, column = table.one_to_many[navigation.name]
        created = _insert(environment, request, environment.model[child], rows.load(request.body), {column: reference})
        return _written(environment, request, environment.model[child], created, created=True)
    if not tail:
        _only(request, "GET")
        return reading.related(environment, request, table, row, navigation.name)
    if tail != [Segment("$ref")]:
        raise _no_resource(tail[0].name)
    _only(request, "POST", "DELETE")
    if request.method == "POST":
        other = _linked(environment, request)
    else:
        target = {**table.many_to_many, **table.one_to_many}[navigation.name][0]
        other = _named(environment, request, navigation, environment.model[target])
    _link(environment, request, reference, navigation.name, other)
    return Answer(204)


def _link(environment: Environment, request: Request, reference: Reference, navigation: str, other: Reference) -> None:
    table = environment.model[reference.table]
    adding = request.method == "POST"
    if navigation in table.one_to_many:
        child, column = table.one_to_many[navigation]
        _same_table(child, other)
        environment.update(child, other.id, {column: reference if adding else None}, request.caller)
        return
    target, intersect = table.many_to_many[navigation]
    _same_table(target, other)
    change = environment.associate if adding else environment.disassociate
    change(intersect, reference, other, request.caller)


def _named(environment: Environment, request: Request, navigation: Segment, target: TableModel) -> Reference:
    """Return the row a DELETE of a link names: in the path's key or in `$id`."""
    if navigation.key is None:
        return _resolver(environment, request)(request.options.get("$id", ""))
    found, key = _find(environment, target, navigation.key)
    return Reference(target.name, str(_existing(target, found, key)[target.key]))


def _reference(
    environment: Environment, request: Request, table: TableModel, row: Row, column: ColumnModel, rest: list[Segment]
) -> Answer:
    value = row[column.name]
    if len(rest) == 1:
        _only(request, "GET")
        target = environment.referenced(value)
        if not isinstance(value, Reference) or target is None or column.navigation.get(value.table) != rest[0].name:
            return Answer(204)
        return Answer(200, reading.entity(environment, request, environment.model[value.table], target))
    if rest[1:] != [Segment("$ref")]:
        raise _no_resource(rest[1].name)
    _only(request, "PUT", "POST", "DELETE")
    body = {f"{rest[0].name}@odata.bind": None if request.method == "DELETE" else _linked_url(request)}
    changes = rows.read(table, body, creating=False, resolve=_resolver(environment, request))
    environment.update(table.name, str(row[table.key]), changes.values, request.caller)
    return Answer(204)


def _linked(environment: Environment, request: Request) -> Reference:
    return _resolver(environment, request)(_linked_url(request))


def _linked_url(request: Request) -> str:
    body = rows.load(request.body)
    url = body.get("@odata.id") if isinstance(body, dict) else None
    if not isinstance(url, str):
        raise Refused(400, BAD_REQUEST, "The body of a $ref request must hold @odata.id.")
    return url


def _same_table(expected: str, reference: Reference) -> None:
    if reference.table != expected:
        raise Refused(400, BAD_REQUEST, f"A row of '{reference.table}' cannot be linked here; '{expected}' is expected.")


# --- keys ----------------------------------------------------------------------------------------------------------


def _resolver(environment: Environment, request: Request) -> Callable[[str], Reference]:
    def resolve(url: str) -> Reference:
        path = segments(url, request.references)
        table = environment.tables_by_set.get(path[0].name) if len(path) == 1 else None
        if table is None or path[0].key is None:
            raise Refused(400, BAD_REQUEST, f"The URL '{url}' does not name a row.")
        found, key = _find(environment, table, path[0].key)
        return Reference(table.name, str(_existing(table, found, key)[table.key]))

    return resolve


def _find(environment: Environment, table: TableModel, text: str) -> tuple[Row | None, Row]:
    """Return the row a key names (or None) and the column values that key stands for."""
    key = read_key(text)
    if isinstance(key, str):
        return environment.store.read(table.name, key), {table.key: key}
    named = [(find_column(table, name), literal) for name, literal in key.items()]
    names = {column.name for column, _ in named}
    if names == {table.key}:
        raise Refused(400, BAD_REQUEST, "The primary key is written without its name.")
    if not any(names == set(columns) and _built(environment, table, name) for name, columns in table.keys.items()):
        raise Refused(400, KEY_NOT_DEFINED, f"The specified key attributes are not a defined key for the {table.name} entity")
    values: Row = {column.name: _key_value(table, column, literal) for column, literal in named}
    where = " AND ".join(f't."{name}" = ?' for name in values)
    found = environment.store.select(table.name, where, [_parameter(value) for value in values.values()])
    return (found[0] if found else None), values


def _built(environment: Environment, table: TableModel, key: str) -> bool:
    return customizing.index_status(environment, table.name, key) == "Active"


def _key_value(table: TableModel, column: ColumnModel, literal: Literal) -> Value:
    value: Any = literal.value
    if isinstance(value, str) and UNUSABLE_IN_KEYS & set(value):
        raise Refused(400, BAD_REQUEST, "A potentially dangerous Request.Path value was detected from the client.")
    if column.is_lookup and literal.kind == "guid":
        return Reference(column.targets[0], str(value))
    if isinstance(value, Decimal) and column.type not in DECIMALS:
        value = int(value)
    elif isinstance(value, date):
        value = value.isoformat()
    return rows.read_value(table.name, column, value)


def _parameter(value: Any) -> Parameter:
    if isinstance(value, Reference):
        return value.id
    return value if value is None or isinstance(value, int | float) else str(value)


def _existing(table: TableModel, found: Row | None, key: Row) -> Row:
    if found is None:
        raise _missing(table, key)
    return found


def _missing(table: TableModel, key: Row) -> Refused:
    if set(key) == {table.key}:
        return row_missing(table.name, str(key[table.key]))
    return Refused(404, KEY_NOT_FOUND, f"A record with the specified key values does not exist in {table.name} entity")


def _no_resource(name: str) -> Refused:
    return Refused(404, "0x8006088a", f"Resource not found for the segment '{name}'.")


def _only(request: Request, *methods: str) -> None:
    if request.method not in methods:
        raise Refused(405, BAD_QUERY, f"The requested resource does not support http method '{request.method}'.")
