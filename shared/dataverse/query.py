"""How to ask the Dataverse Web API: what to read becomes the operations of one $batch, and their answers become one record. Pure.

Rules of the Web API kept here (reference dataverse 2.2, 2.3): an N:N expand stands alone, so each is a query of its own; at most
15 expands a query; spaces and quotes are encoded, because a $batch carries the address as it is; a nextLink is followed verbatim.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import quote

from shared.connectors import Json
from shared.errors import Problem, Rejected
from shared.services import Operation

MOST_EXPANDS = 15
ANNOTATIONS = 'odata.include-annotations="*"'
API = "/api/data/v9.2/"
SAFE = "$(),;=/':@"
MOST_VALUES = 25
"""How many values one filter asks for: a $batch takes the address as it is, and Dataverse limits its length."""

ENTITY_SETS = {"transactioncurrency": "transactioncurrencies", "webresource": "webresourceset"}
CHILD_OF = {"invoice_details": "invoiceid"}
"""The lookup that leads back from the rows of a 1:N navigation property."""
REVERSE = {"customerid_account": "invoice_customer_accounts", "customerid_contact": "invoice_customer_contacts"}
"""The 1:N navigation property that leads back from a looked-up row."""


class Columns(Protocol):
    """What to read of one table (``mappings.table.Columns`` is one): columns, N:1 lookups, 1:N children, N:N links."""

    @property
    def table(self) -> str: ...
    @property
    def select(self) -> frozenset[str]: ...
    @property
    def lookups(self) -> Mapping[str, Columns]: ...
    @property
    def children(self) -> Mapping[str, Columns]: ...
    @property
    def links(self) -> Mapping[str, Columns]: ...


# ── names and values ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def entity_set(table: str) -> str:
    """Return the plural the Web API addresses *table* by."""
    if table in ENTITY_SETS:
        return ENTITY_SETS[table]
    if table.endswith("y") and table[-2] not in "aeiou":
        return f"{table[:-1]}ies"
    return f"{table}es" if table.endswith(("s", "x", "z", "ch", "sh")) else f"{table}s"


def quoted(text: str) -> str:
    """Write *text* as a string of a filter."""
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


def among(column: str, values: Iterable[str], written: Callable[[str], str] = quoted) -> list[str]:
    """Return filters that together choose the rows whose *column* is one of *values*; none for no values.

    *written* writes a value: as text, or with ``row_id`` as an id.
    """
    terms = [f"{column} eq {written(value)}" for value in values]
    return [f"({' or '.join(terms[start : start + MOST_VALUES])})" for start in range(0, len(terms), MOST_VALUES)]


def row_id(text: str) -> str:
    """Return *text* as an id of a row; raise ValueError when it is none, so that no message can smuggle a query."""
    return str(uuid.UUID(text))


def row(table: str, record_id: str) -> str:
    """Return the address of one row."""
    return f"{entity_set(table)}({row_id(record_id)})"


def keyed(table: str, key: Mapping[str, str]) -> str:
    """Return the address of a row by an alternate key; a lookup column is named as it is read (``_x_value``) and holds an id."""
    parts = (f"{name}={row_id(value) if name.startswith('_') else quote(quoted(value), safe='')}" for name, value in key.items())
    return f"{entity_set(table)}({','.join(parts)})"


# ── single queries ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def read(table: str, record_id: str, select: Sequence[str]) -> Operation:
    """Return the read of one row without its neighbours."""
    return _get(row(table, record_id), {"$select": ",".join(select)})


def selection(
    table: str, select: Sequence[str], where: str = "", order: str = "", *, top: int | None = None, page_size: int | None = None
) -> Operation:
    """Return the read of the rows that *where* (an OData filter) chooses; ``next_page`` goes on.

    *top* limits the rows, *page_size* those of a page; the Web API takes only one of the two.
    """
    if top is not None and page_size is not None:
        raise ValueError("The Web API ignores $top beside a page size: give one of them.")
    options = {"$select": ",".join(select), "$filter": where, "$orderby": order, "$top": str(top or "")}
    return _get(entity_set(table), options, page_size)


def next_page(page: Mapping[str, Any], page_size: int | None = None) -> Operation | None:
    """Return the read of the page after *page*, or None when it was the last."""
    link = page.get("@odata.nextLink")
    return Operation("GET", str(link).partition(API)[2], headers=_headers(page_size)) if link else None


# ── one record with everything around it ────────────────────────────────────────────────────────────────────────────────────────


def plan(columns: Columns, record_id: str) -> list[Operation]:
    """Return the operations that read the row *record_id* of ``columns.table`` with all that *columns* name."""
    wanted = row_id(record_id)
    header = _get(f"{entity_set(columns.table)}({wanted})", _shape(columns))
    return [header, *(operation for operation, _, _ in _around(columns, wanted))]


def merge(columns: Columns, bodies: Sequence[Any]) -> Json:
    """Return the one record that the answers to ``plan`` make together; its ``@odata.etag`` is the header's.

    Raises Rejected when a query had more rows than one answer holds (5,000).
    """
    header, *others = bodies
    record: Json = dict(header)
    around = list(_around(columns, str(uuid.UUID(int=0))))
    for (_, navigation, link), body in zip(around, others, strict=True):
        rows = _whole(body, navigation)
        if not link:
            record[navigation] = [dict(row) for row in rows]
        elif not navigation:
            record[link] = rows[0][link] if rows else []
        elif navigation in columns.children:
            _join(record[navigation], rows, link, f"{columns.children[navigation].table}id")
        elif record.get(navigation) is not None:
            record[navigation] = dict(record[navigation]) | {link: rows[0][link] if rows else []}
    return record


def _around(columns: Columns, record_id: str) -> Iterator[tuple[Operation, str, str]]:
    """Yield every query beside the header's, with the navigation property and the N:N link it fills."""
    key = f"{columns.table}id"
    for link, inner in columns.links.items():
        yield _linked(columns.table, f"{key} eq {record_id}", link, inner), "", link
    for navigation, child in columns.children.items():
        where = f"_{CHILD_OF[navigation]}_value eq {record_id}"
        yield _get(entity_set(child.table), _shape(child) | {"$filter": where}), navigation, ""
        for link, inner in child.links.items():
            yield _linked(child.table, where, link, inner), navigation, link
    for navigation, lookup in columns.lookups.items():
        for link, inner in lookup.links.items():
            where = f"{REVERSE[navigation]}/any(i:i/{key} eq {record_id})"
            yield _linked(lookup.table, where, link, inner), navigation, link


def _linked(table: str, where: str, link: str, inner: Columns) -> Operation:
    if inner.lookups or inner.children or inner.links:
        raise ValueError(f"The Web API cannot expand anything inside the N:N link {link}.")
    expand = f"{link}($select={','.join(sorted(inner.select))})"
    return _get(entity_set(table), {"$select": f"{table}id", "$filter": where, "$expand": expand})


def _shape(columns: Columns) -> dict[str, str]:
    if (count := _expands(columns)) > MOST_EXPANDS:
        raise ValueError(f"The mappings read {count} lookups of {columns.table} at once; the Web API takes {MOST_EXPANDS}.")
    select = sorted(columns.select | {f"{columns.table}id"})
    expand = ",".join(f"{name}({_inside(inner)})" for name, inner in columns.lookups.items())
    return {"$select": ",".join(select), "$expand": expand}


def _inside(columns: Columns) -> str:
    select = f"$select={','.join(sorted(columns.select))}"
    nested = ",".join(f"{name}({_inside(inner)})" for name, inner in columns.lookups.items())
    return f"{select};$expand={nested}" if nested else select


def _expands(columns: Columns) -> int:
    return sum(1 + _expands(inner) for inner in columns.lookups.values())


def _join(rows: list[Json], linked: Sequence[Mapping[str, Any]], link: str, key: str) -> None:
    found = {row[key]: row[link] for row in linked}
    for one in rows:
        one[link] = found.get(one[key], [])


def _whole(body: Mapping[str, Any], navigation: str) -> Sequence[Mapping[str, Any]]:
    if "@odata.nextLink" in body:
        problem = Problem(
            "The record has more rows than can be read at once (5,000).",
            navigation,
            fix="Split it into smaller ones.",
            who="salesperson",
        )
        raise Rejected((problem,))
    rows: Sequence[Mapping[str, Any]] = body["value"]
    return rows


def _get(path: str, options: Mapping[str, str], page_size: int | None = None) -> Operation:
    told = "&".join(f"{name}={quote(value, safe=SAFE)}" for name, value in options.items() if value)
    return Operation("GET", f"{path}?{told}" if told else path, headers=_headers(page_size))


def _headers(page_size: int | None) -> dict[str, str]:
    size = f"odata.maxpagesize={page_size}," if page_size else ""
    return {"Prefer": f"{size}{ANNOTATIONS}"}
