"""How Xero's reference data is written as rows of Dataverse (SPEC 4; K25): known by Xero's id, only what differs, never deleted.

A row without an id is adopted by its name. What was renamed is updated, what is archived in Xero or gone from it stays and says so,
what comes back there comes back here.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from functions.columns import differing
from functions.history import NAMESPACE
from mappings.reference_data import Kind
from mappings.table import Flaw, MappingError
from shared.connectors import Connector, Json
from shared.dataverse import answers, query
from shared.errors import ConnectorError, Problem, Rejected
from shared.services import Answer, Operation, Services

BATCH = 100
ARCHIVED = "ARCHIVED"

# fmt: off
STATUS = {
    # table                  the column that says archived; a theme has none and is deactivated
    "mag_taxrate":          "mag_status",
    "mag_xeroaccountcode":  "mag_status",
    "mag_trackingcategory": "mag_xerostatus",
    "mag_trackingoption":   "mag_xerostatus",
}
# fmt: on


@dataclass
class Step:
    """What became of one kind of reference data; ``problems`` say what did not cross, ``error`` why the step stopped."""

    title: str
    created: int = 0
    updated: int = 0
    archived: int = 0
    unchanged: int = 0
    problems: list[Problem] = field(default_factory=list)
    error: ConnectorError | None = None

    def __str__(self) -> str:
        return f"{self.created} new, {self.updated} changed, {self.archived} archived, {self.unchanged} as they were"


def write(
    kind: Kind, found: Sequence[Any], parents: Mapping[str, str] | None, connector: Connector, services: Services, step: Step
) -> dict[str, str]:
    """Write what differs of *found* (Xero's objects); return the id of the row of every Xero id.

    *parents* gives the row of each category of tracking options, by its Xero id. An object without an id is told and left out; as it
    may be any row's, nothing is archived then.
    """
    table = kind.mapping.target
    held = _read_rows(kind, connector, services, parents)
    by_id = {key(row.get(kind.column)): row for row in held if row.get(kind.column)}
    unclaimed = {(_parent(row, parents), key(row["mag_name"])): row for row in held if _is_adoptable(kind, row)}
    operations: list[tuple[Operation, str]] = []
    ids: dict[str, str] = {}
    identified = [one for one in found if isinstance(one, dict) and key(one.get(kind.xero_id))]
    for xero in identified:
        xero_id = key(xero[kind.xero_id])
        row = by_id.pop(xero_id, None)
        category = xero.get("category")
        parent = (parents or {}).get(key(category["TrackingCategoryID"])) if category else None
        if category and parent is None:
            continue  # its category was refused, which is already told
        body = _mapped(kind, xero, connector, parent, step)
        if body is None:
            continue
        row = row or unclaimed.pop((parent, key(body["mag_name"])), None)
        if row is None:
            ids[xero_id] = str(uuid.uuid5(NAMESPACE, f"{connector.key}|{table}|{parent or ''}|{xero_id}"))
            created = {name: value for name, value in body.items() if value is not None}
            operations.append((Operation("PATCH", query.row(table, ids[xero_id]), created), "created"))
            continue
        ids[xero_id] = str(row[f"{table}id"])
        changes = differing(row, body)
        if row.get("statecode") == 1 and table not in STATUS:
            changes |= {"statecode": 0, "statuscode": 1}
        if changes:
            operations.append((Operation("PATCH", query.row(table, ids[xero_id]), changes, {"If-Match": "*"}), "updated"))
        else:
            step.unchanged += 1
    if len(identified) < len(found):
        step.problems.append(_nameless(kind, step, len(found) - len(identified)))
        by_id.clear()
    operations += [(_archive(table, row), "archived") for row in by_id.values() if not _is_archived(table, row)]
    send(operations, connector, services, step)
    return ids


def send(operations: Sequence[tuple[Operation, str]], connector: Connector, services: Services, step: Step) -> list[bool]:
    """Send the writes, each standing alone, and return which were taken: one row Dataverse refuses must not hold back the others."""
    taken: list[bool] = []
    for start in range(0, len(operations), BATCH):
        some = operations[start : start + BATCH]
        replies = services.dataverse.send(connector.environment, [operation for operation, _ in some])
        taken += [_count(step, counted, reply) for (_, counted), reply in zip(some, replies, strict=True)]
    return taken


def problems_of(name: Any, flaws: Iterable[Flaw]) -> list[Problem]:
    """Return *flaws* as problems that say what they are of."""
    return [Problem(f"{name}: {flaw.message}", flaw.where, fix=flaw.fix, who=flaw.who) for flaw in flaws]


def key(value: Any) -> str:
    """Return what makes an id or a name the same, however it is written."""
    return str(value or "").strip().lower()


def _mapped(kind: Kind, xero: Json, connector: Connector, parent: str | None, step: Step) -> Json | None:
    """Return every column of the table, None where Xero says nothing, so that what was cleared there is cleared here."""
    links = {"connector": connector.id, "category": parent}
    try:
        written = kind.mapping.apply(xero, connector.settings, {name: value for name, value in links.items() if value})
    except MappingError as error:
        step.problems += problems_of(xero.get("Name") or xero[kind.xero_id], error.flaws)
        return None
    return {row.target: None for row in kind.mapping.rows} | written.payload


def _read_rows(kind: Kind, connector: Connector, services: Services, parents: Mapping[str, str] | None) -> list[Json]:
    """Read the connector's rows of the table, page by page; options are read through their categories."""
    table = kind.mapping.target
    columns = {f"{table}id", "statecode", kind.column, *kind.mapping.target_columns()}
    owner = "_mag_xeroconnectorid_value" if parents is None else "mag_trackingcategoryid/_mag_xeroconnectorid_value"
    operation: Operation | None = query.selection(table, sorted(columns), f"{owner} eq {connector.id}")
    rows: list[Json] = []
    while operation is not None:
        page = answers.result(services.dataverse.send(connector.environment, [operation])[0], write=False)
        rows += page["value"]
        operation = query.next_page(page)
    return rows


def _count(step: Step, counted: str, reply: Answer) -> bool:
    try:
        answers.result(reply)
    except Rejected as refused:
        step.problems += refused.problems
        return False
    setattr(step, counted, getattr(step, counted) + 1)
    return True


def _nameless(kind: Kind, step: Step, number: int) -> Problem:
    return Problem(
        f"Xero sent {number} of its {step.title} without {kind.xero_id}: they are left out, and nothing is marked as archived.",
        kind.resource,
        fix="Nothing needs to be done: they are read again. If it stays, ask the connector's support.",
        who="nobody",
    )


def _is_adoptable(kind: Kind, row: Json) -> bool:
    return not row.get(kind.column) and bool(key(row.get("mag_name")))


def _archive(table: str, row: Json) -> Operation:
    """Mark a row whose original is gone from Xero: documents still point to it, so it is never deleted."""
    body: Json = {STATUS[table]: ARCHIVED} if table in STATUS else {"statecode": 1, "statuscode": 2}
    return Operation("PATCH", query.row(table, str(row[f"{table}id"])), body, {"If-Match": "*"})


def _is_archived(table: str, row: Json) -> bool:
    return row.get(STATUS[table]) not in (None, "ACTIVE") if table in STATUS else row.get("statecode") == 1


def _parent(row: Json, parents: Iterable[str] | None) -> str | None:
    return None if parents is None else str(row.get("_mag_trackingcategoryid_value"))
