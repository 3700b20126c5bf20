"""Answer queries: $select, $filter, $orderby, $top, $count, $expand, paging and change tracking.

Sources: Microsoft Learn, "Query data using the Web API" (select-columns, filter-rows, order-rows, page-results, join-tables)
and "Use change tracking to synchronize data with external systems".
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from solution.model import ColumnModel, TableModel

from . import privileges, rows
from .environment import Environment
from .errors import BAD_QUERY, EXPIRED_VERSION, Refused, property_missing
from .query import Expansion, Order, PathTo, read_expand, read_filter, read_orderby
from .request import SERVICE, Answer, Request
from .sql import Writer, find_column, find_single
from .store import Parameter, Reference, Row

PAGE = 5000
MOST_EXPANSIONS = 15
COUNT_LIMIT = 5000
OPTIONS = {"$select", "$filter", "$orderby", "$top", "$count", "$expand", "$skiptoken", "$deltatoken", "$id"}
OTHER_QUERIES = {"fetchXml", "savedQuery", "userQuery", "sql"}
COUNT_EXCEEDED = "Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"


def query(environment: Environment, request: Request, table: TableModel, within: tuple[str, str, str] | None = None) -> Answer:
    """Answer a GET of a set of rows; *within* (intersect or "", column, id) limits it to what one row is related to."""
    _check_options(request)
    privileges.check(request.caller, "Read", table.name)
    if "odata.track-changes" in request.preferences or "$deltatoken" in request.options:
        return _changes(environment, request, table)
    options = request.options
    columns = _selected(table, options.get("$select", ""))
    expansions = _expansions(environment, request, table, options.get("$expand", ""))
    writer = _writer(environment, table)
    where = _where(writer, request, within)
    total = _count(environment, table, writer, where) if options.get("$count") == "true" else None
    size, top = _sizes(request)
    orders = [*read_orderby(options["$orderby"])] if "$orderby" in options else []
    orders.append(Order(PathTo((table.key,))))
    sorting = [writer.order(order) for order in orders]
    page = 1
    if "$skiptoken" in options:
        page, after = _read_cookie(options["$skiptoken"], len(sorting))
        where = f"({where}) AND {_after(writer, sorting, after)}"
    found, keys = environment.store.page(table.name, where, writer.parameters, sorting, size + 1)
    more = len(found) > size
    shown = _show(environment, request, table, found[:size], columns, expansions)
    body: dict[str, Any] = {"@odata.context": context(environment, table, columns, expansions, options)}
    if total is not None:
        body["@odata.count"] = min(total, COUNT_LIMIT)
        if request.wants_annotation(COUNT_EXCEEDED):
            body[f"@{COUNT_EXCEEDED}"] = total > COUNT_LIMIT
    body["value"] = shown
    if more and not top:
        body["@odata.nextLink"] = _next_link(environment, request, _cookie(page + 1, keys[size - 1]))
    applied = {"Preference-Applied": f"odata.maxpagesize={size}"} if "odata.maxpagesize" in request.preferences else {}
    return Answer(200, body, applied)


def count(environment: Environment, request: Request, table: TableModel) -> int:
    """Return what `/$count` answers: at most 5,000."""
    privileges.check(request.caller, "Read", table.name)
    writer = _writer(environment, table)
    return min(_count(environment, table, writer, _where(writer, request, None)), COUNT_LIMIT)


def related(environment: Environment, request: Request, table: TableModel, row: Row, navigation: str) -> Answer:
    """Answer a GET of one row's collection."""
    row_id = str(row[table.key])
    if navigation in table.one_to_many:
        child, column = table.one_to_many[navigation]
        return query(environment, request, environment.model[child], ("", column, row_id))
    other, intersect = table.many_to_many[navigation]
    return query(environment, request, environment.model[other], (intersect, table.name, row_id))


def entity(environment: Environment, request: Request, table: TableModel, row: Row, *, expand: bool = True) -> dict[str, Any]:
    """Return one row with its context, as `$select` and `$expand` ask."""
    _check_options(request)
    privileges.check(request.caller, "Read", table.name)
    columns = _selected(table, request.options.get("$select", ""))
    expansions = _expansions(environment, request, table, request.options.get("$expand", "") if expand else "")
    (shown,) = _show(environment, request, table, [row], columns, expansions)
    address = context(environment, table, columns, expansions, request.options)
    return {"@odata.context": f"{address}/$entity", **shown}


def context(
    environment: Environment,
    table: TableModel,
    columns: Sequence[ColumnModel],
    expansions: Sequence[Expansion],
    options: dict[str, str],
) -> str:
    """Return the @odata.context of an answer."""
    names = [column.property for column in columns] if options.get("$select") else []
    names += [f"{expansion.name}({','.join(expansion.select)})" for expansion in expansions]
    listed = f"({','.join(names)})" if names else ""
    return f"{environment.url}{SERVICE}$metadata#{table.entity_set}{listed}"


def _check_options(request: Request) -> None:
    for name in request.options:
        if name == "$skip":
            raise Refused(400, BAD_QUERY, "Skip Clause is not supported in CRM")
        if (name.startswith("$") and name not in OPTIONS) or name in OTHER_QUERIES:
            raise Refused(400, BAD_QUERY, f"The query parameter {name} is not supported")


def _selected(table: TableModel, text: str) -> list[ColumnModel]:
    return rows.column_list(table, [name.strip() for name in text.split(",") if name.strip()], find_column)


def _sizes(request: Request) -> tuple[int, bool]:
    """Return the page size and whether it is a `$top`, which `odata.maxpagesize` overrides."""
    asked = request.preferences.get("odata.maxpagesize")
    top = request.options.get("$top")
    for text in filter(None, (asked, top)):
        if not text.isdigit() or int(text) < 1:
            raise Refused(400, BAD_QUERY, f"'{text}' is not a number of rows.")
    if asked:
        return min(int(asked), PAGE), False
    return (min(int(top), PAGE), True) if top else (PAGE, False)


def _writer(environment: Environment, table: TableModel) -> Writer:
    return Writer(environment.model, table.name, now=environment.clock.now(), zone=environment.zone)


def _where(writer: Writer, request: Request, within: tuple[str, str, str] | None) -> str:
    conditions = []
    if within:
        intersect, column, row_id = within
        mark = writer.parameter(row_id)
        key = writer.model[writer.table].key
        conditions.append(
            f'EXISTS (SELECT 1 FROM "{intersect}" x WHERE x."{column}" = {mark} AND x."{writer.table}" = t."{key}")'
            if intersect
            else f't."{column}" = {mark}'
        )
    if "$filter" in request.options:
        conditions.append(writer.condition(read_filter(request.options["$filter"])))
    return " AND ".join(conditions) or "1"


def _count(environment: Environment, table: TableModel, writer: Writer, where: str) -> int:
    ((found,),) = environment.store.query(f'SELECT COUNT(*) FROM "{table.name}" t WHERE {where}', writer.parameters)
    return int(found or 0)


def _after(writer: Writer, sorting: list[tuple[str, bool]], values: list[Parameter]) -> str:
    """Return the SQL of "sorted after these values": paging by key, so that rows deleted meanwhile shift nothing."""
    alternatives = []
    for index, ((expression, down), value) in enumerate(zip(sorting, values, strict=True)):
        equal = [
            f"{earlier} IS {writer.parameter(before)}"
            for (earlier, _), before in zip(sorting[:index], values[:index], strict=True)
        ]
        if value is None:
            beyond = "0" if down else f"{expression} IS NOT NULL"
        else:
            mark = writer.parameter(value)
            beyond = f"({expression} < {mark} OR {expression} IS NULL)" if down else f"{expression} > {mark}"
        alternatives.append(f"({' AND '.join([*equal, beyond])})")
    return f"({' OR '.join(alternatives)})"


def _cookie(page: int, after: list[Parameter]) -> str:
    state = base64.urlsafe_b64encode(json.dumps(after).encode()).decode()
    return f'<cookie pagenumber="{page}" pagingcookie="{state}" istracking="False" />'


def _read_cookie(text: str, values: int) -> tuple[int, list[Parameter]]:
    """Return the page number of a cookie and the last row's sort *values*; raises Refused (400)."""
    found = re.search(r'pagenumber="(\d+)" pagingcookie="([^"]+)"', text)
    try:
        after = json.loads(base64.urlsafe_b64decode(found[2])) if found else None
    except ValueError:
        after = None
    if not found or not isinstance(after, list) or len(after) != values:
        raise Refused(400, BAD_QUERY, "Malformed XML in the Paging Cookie")
    return int(found[1]), after


def _next_link(environment: Environment, request: Request, token: str, name: str = "$skiptoken") -> str:
    options = {key: value for key, value in request.options.items() if key not in ("$skiptoken", "$deltatoken")} | {name: token}
    path = "/".join(f"{step.name}({step.key})" if step.key is not None else step.name for step in request.path)
    return f"{environment.url}{SERVICE}{quote(path, safe='/()$=,')}?{urlencode(options, quote_via=quote, safe='$,')}"


# --- expanding -----------------------------------------------------------------------------------------------------


def _expansions(environment: Environment, request: Request, table: TableModel, text: str) -> tuple[Expansion, ...]:
    if not text:
        return ()
    expansions = read_expand(text)
    if _counted(expansions) > MOST_EXPANSIONS:
        raise Refused(400, BAD_QUERY, f"The number of $expand options exceeds the maximum allowed value of {MOST_EXPANSIONS}.")
    _check_expansions(environment, table, expansions, nested=False)
    _check_read(environment, request, table, expansions)
    return expansions


def _check_read(environment: Environment, request: Request, table: TableModel, expansions: Sequence[Expansion]) -> None:
    for expansion in expansions:
        target = _target(environment, table, expansion.name)
        privileges.check(request.caller, "Read", target.name)
        _check_read(environment, request, target, expansion.expand)


def _counted(expansions: Sequence[Expansion]) -> int:
    return sum(1 + _counted(expansion.expand) for expansion in expansions)


def _check_expansions(environment: Environment, table: TableModel, expansions: Sequence[Expansion], *, nested: bool) -> None:
    has_many = any(expansion.name in table.many_to_many for expansion in expansions)
    if has_many and (nested or len(expansions) > 1 or any(expansion.expand for expansion in expansions)):
        raise Refused(
            400, BAD_QUERY, "Expanding a many-to-many navigation property cannot be nested nor combined with other expansions."
        )
    for expansion in expansions:
        target = _target(environment, table, expansion.name)
        single = find_single(table, expansion.name) is not None
        if not single and (nested or expansion.expand) and (expansion.top or expansion.orderby):
            raise Refused(400, BAD_QUERY, "$top and $orderby are not supported in a nested $expand of a collection.")
        if single and (expansion.where or expansion.orderby or expansion.top):
            raise Refused(400, BAD_QUERY, f"Only $select and $expand are supported on '{expansion.name}'.")
        _selected(target, ",".join(expansion.select))
        _check_expansions(environment, target, expansion.expand, nested=True)


def _target(environment: Environment, table: TableModel, navigation: str) -> TableModel:
    single = find_single(table, navigation)
    if single:
        return environment.model[single[1]]
    collection = table.one_to_many.get(navigation) or table.many_to_many.get(navigation)
    if collection is None:
        raise property_missing(table.name, navigation)
    return environment.model[collection[0]]


def _show(
    environment: Environment,
    request: Request,
    table: TableModel,
    found: Sequence[Row],
    columns: Sequence[ColumnModel],
    expansions: Sequence[Expansion],
) -> list[dict[str, Any]]:
    names = environment.names()
    shown = []
    for row in found:
        item = rows.show(table, row, columns, request.wants_annotation, names)
        for expansion in expansions:
            single = find_single(table, expansion.name)
            if single:
                item[expansion.name] = _show_single(environment, request, row[single[0].name], single[0], expansion)
            else:
                item[expansion.name] = _show_collection(environment, request, table, row, expansion)
                item[f"{expansion.name}@odata.nextLink"] = (
                    f"{environment.url}{SERVICE}{table.entity_set}({row[table.key]})/{expansion.name}?$select="
                    + ",".join(expansion.select)
                )
        shown.append(item)
    return shown


def _show_single(
    environment: Environment, request: Request, value: object, column: ColumnModel, expansion: Expansion
) -> dict[str, Any] | None:
    if not isinstance(value, Reference) or column.navigation.get(value.table) != expansion.name:
        return None
    row = environment.store.read(*value)
    target = environment.model[value.table]
    if row is None:
        return None
    (shown,) = _show(environment, request, target, [row], _selected(target, ",".join(expansion.select)), expansion.expand)
    return shown


def _show_collection(
    environment: Environment, request: Request, table: TableModel, row: Row, expansion: Expansion
) -> list[dict[str, Any]]:
    target = _target(environment, table, expansion.name)
    writer = _writer(environment, target)
    mark = writer.parameter(str(row[table.key]))
    if expansion.name in table.one_to_many:
        where = f't."{table.one_to_many[expansion.name][1]}" = {mark}'
    else:
        intersect = table.many_to_many[expansion.name][1]
        where = f'EXISTS (SELECT 1 FROM "{intersect}" x WHERE x."{table.name}" = {mark} AND x."{target.name}" = t."{target.key}")'
    if expansion.where:
        where += f" AND {writer.condition(expansion.where)}"
    sorting = [writer.order(order) for order in expansion.orderby] + [('t."#rowid"', False)]
    found, _ = environment.store.page(target.name, where, writer.parameters, sorting, PAGE)
    columns = _selected(target, ",".join(expansion.select))
    return _show(environment, request, target, found[: expansion.top or PAGE], columns, expansion.expand)


# --- change tracking -----------------------------------------------------------------------------------------------


def _changes(environment: Environment, request: Request, table: TableModel) -> Answer:
    refused = {"$filter", "$orderby", "$expand", "$top"} & set(request.options)
    if refused:
        raise Refused(400, BAD_QUERY, f"{', '.join(sorted(refused))} cannot be used with change tracking.")
    columns = _selected(table, request.options.get("$select", ""))
    since = _read_token(environment, request.options["$deltatoken"]) if "$deltatoken" in request.options else None
    page, writer = 1, _writer(environment, table)
    size, _ = _sizes(request)
    with environment.store.transaction():
        now = environment.store.version()
        where = f't."#version" > {writer.parameter(since or 0)}'
        sorting = [('t."#version"', False)]
        if "$skiptoken" in request.options:
            page, after = _read_cookie(request.options["$skiptoken"], len(sorting))
            where += f" AND {_after(writer, sorting, after)}"
        found, keys = environment.store.page(table.name, where, writer.parameters, sorting, size + 1)
        deleted = environment.store.deleted_since(table.name, since) if since is not None else []
    shown = _show(environment, request, table, found[:size], columns, ())
    address = context(environment, table, columns, (), request.options)
    body: dict[str, Any] = {"@odata.context": f"{address}/$delta" if since is not None else address, "value": shown}
    if len(found) > size:
        body["@odata.nextLink"] = _next_link(environment, request, _cookie(page + 1, keys[size - 1]))
        return Answer(200, body, {"Preference-Applied": "odata.track-changes"})
    body["value"] += [
        {
            "@odata.context": f"{environment.url}{SERVICE}$metadata#{table.entity_set}/$deletedEntity",
            "id": row_id,
            "reason": "deleted",
        }
        for row_id in deleted
    ]
    token = f"{now}!{environment.clock.now():%m/%d/%Y %H:%M:%S}"
    body["@odata.deltaLink"] = _next_link(environment, request, token, "$deltatoken")
    return Answer(200, body, {"Preference-Applied": "odata.track-changes"})


def _read_token(environment: Environment, token: str) -> int:
    """Return the version a delta token stands for; raises Refused (400) when it is older than the organisation keeps."""
    version, _, written = token.partition("!")
    organization = environment.store.read("organization", environment.organization_id)
    days = (organization and organization["expirechangetrackingindays"]) or 7
    try:
        at = datetime.strptime(written, "%m/%d/%Y %H:%M:%S").replace(tzinfo=environment.clock.now().tzinfo)
        number = int(version)
    except ValueError as error:
        raise Refused(400, BAD_QUERY, "The delta token is not valid.") from error
    if environment.clock.now() - at > timedelta(days=int(str(days))):
        raise Refused(400, EXPIRED_VERSION, "Version stamp associated with the client has expired. Please perform a full sync.")
    return number
