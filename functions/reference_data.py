"""Xero's reference data as rows of Dataverse: tax rates, accounts, branding themes, tracking categories, options (SPEC 4; K23-K25).

Read in that order, four calls to Xero. A row is known by Xero's id; one without an id is adopted by its name. What was renamed is
updated, what is archived in Xero stays and says so, and only rows that differ are written, only in the columns that differ.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from functions import facts
from functions.history import NAMESPACE
from mappings import reference_data
from mappings.reference_data import Kind
from mappings.table import MappingError
from shared.connectors import Connector, Json
from shared.dataverse import answers, query
from shared.errors import (
    Changed,
    ConnectorError,
    Disconnected,
    NeedsReconnect,
    NeedsScope,
    NotReady,
    Problem,
    Rejected,
    Retryable,
    Throttled,
)
from shared.services import Answer, Lane, Operation, Services, StoredRow

log = logging.getLogger(__name__)

TABLE, ROW = "flowruns", "reference-data-from-xero"
MINUTES = 360
AT_MOST_EVERY = timedelta(minutes=10)
AFTER_A_FAILURE = timedelta(minutes=30)
BATCH = 100
BIND = "@odata.bind"
ARCHIVED = "ARCHIVED"

# fmt: off
READS: dict[str, tuple[str, dict[str, Any]]] = {
    # Xero's resource       operation                   options
    "TaxRates":            ("get_tax_rates",            {}),
    "Accounts":            ("get_accounts",             {}),
    "BrandingThemes":      ("get_branding_themes",      {}),
    "TrackingCategories":  ("get_tracking_categories",  {"include_archived": True}),
}
TITLES = {
    "TaxRates": "Tax Rates", "Accounts": "Account Codes", "BrandingThemes": "Branding Themes",
    "TrackingCategories": "Tracking Categories", "Options": "Tracking Options",
}
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


def load_reference_data(
    connector: Connector, services: Services, now: datetime, *, lane: Lane = Lane.REFERENCE_DATA
) -> list[Step]:
    """Bring all reference data of *connector* up to date and return one Step per kind, in their order.

    A kind that fails says so in its Step and does not hold back the others, unless Xero lets us in no more.
    """
    steps: dict[str, Step] = {}
    categories: list[Json] = []
    category_rows: dict[str, str] = {}
    stopped: ConnectorError | None = None
    for kind in reference_data.ORDER:
        step = steps[kind.resource] = Step(TITLES[kind.resource])
        try:
            if kind.resource == "Options":
                stopped = stopped or steps["TrackingCategories"].error
            if stopped is not None:
                raise stopped
            if kind.resource == "Options":
                found = [
                    option | {"category": category} for category in categories for option in reference_data.options(category)
                ]
                _write(kind, found, category_rows, connector, services, step)
                continue
            found = _read_xero(connector, services, kind, lane)
            ids = _write(kind, found, None, connector, services, step)
            facts.keep(services, connector, kind.resource, found, ids)
            if kind.resource == "TrackingCategories":
                categories, category_rows = found, ids
        except ConnectorError as error:
            step.error = error
            if isinstance(error, Throttled | NeedsReconnect | NeedsScope | Disconnected):
                stopped = error
    return list(steps.values())


def refresh_if_due(connector: Connector, services: Services, now: datetime) -> bool:
    """Load the reference data when it is older than the connector's setting (6 hours) or a refresh was asked for; under a lease.

    Called when something is due. Returns whether it was loaded; raises the first failure, and then rests half an hour.
    """
    stored = services.store.read(TABLE, connector.key, ROW)
    run = Run.of(stored)
    if not run.is_due(connector, now):
        return False
    if not _has_lease(services, connector, stored, run, now):
        return False
    error = next((step.error for step in load_now(connector, services, now) if step.error is not None), None)
    if error is not None:
        raise error
    return True


def load_now(connector: Connector, services: Services, now: datetime, *, lane: Lane = Lane.REFERENCE_DATA) -> list[Step]:
    """Load the reference data whatever its age, and note it on the flow's run: when it was done, or how long it rests."""
    before = Run.of(services.store.read(TABLE, connector.key, ROW))
    steps = load_reference_data(connector, services, now, lane=lane)
    error = next((step.error for step in steps if step.error is not None), None)
    wait = error.retry_after if isinstance(error, Throttled | NotReady) and error.retry_after else AFTER_A_FAILURE
    # Only what was asked for before this load began is answered by it.
    asked = Run.of(services.store.read(TABLE, connector.key, ROW)).asked
    after = Run(
        done=before.done if error else now.isoformat(),
        asked="" if not error and asked == before.asked else asked,
        rest_until=(now + wait).isoformat() if error else "",
        last_error=f"{type(error).__name__}: {error}"[:500] if error else "",
        counts="; ".join(f"{step.title}: {step}" for step in steps)[:1000],
    )
    services.store.upsert(TABLE, connector.key, ROW, after.values())
    log.info("reference data of %s: %s", connector.id, after.counts)
    return steps


def ask_for_refresh(services: Services, connector: Connector) -> None:
    """Have the next sweep load the reference data again: a code was not known (K24), or a person pressed the button."""
    stored = services.store.read(TABLE, connector.key, ROW)
    run = Run.of(stored)
    values = {**run.values(), "asked": services.clock.now().isoformat()}
    services.store.upsert(TABLE, connector.key, ROW, values)


@dataclass(frozen=True)
class Run:
    """The row of ``flowruns``: times are ISO instants, "" for never."""

    done: str = ""
    asked: str = ""
    lease_until: str = ""
    rest_until: str = ""
    last_error: str = ""
    counts: str = ""

    @classmethod
    def of(cls, stored: StoredRow | None) -> Run:
        return cls(**{name: str(stored.values.get(name, "")) for name in cls.__dataclass_fields__}) if stored else cls()

    def values(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def is_due(self, connector: Connector, now: datetime) -> bool:
        """Tell whether a load is due and nobody is at it; one that is asked for waits ten minutes after the last."""
        if _is_after(self.lease_until, now) or _is_after(self.rest_until, now):
            return False
        if not self.done:
            return True
        age = now - datetime.fromisoformat(self.done)
        every = timedelta(minutes=int(connector.settings.get("mag_referencedataminutes") or MINUTES))
        return age >= every or (bool(self.asked) and age >= AT_MOST_EVERY)


def _is_after(moment: str, now: datetime) -> bool:
    return bool(moment) and datetime.fromisoformat(moment) > now


def _has_lease(services: Services, connector: Connector, stored: StoredRow | None, run: Run, now: datetime) -> bool:
    values = {**run.values(), "lease_until": (now + timedelta(seconds=services.durations.host_lease)).isoformat()}
    try:
        if stored is None:
            services.store.insert(TABLE, connector.key, ROW, values)
        else:
            services.store.replace(TABLE, connector.key, ROW, values, stored.etag)
    except Changed:
        return False
    return True


def _read_xero(connector: Connector, services: Services, kind: Kind, lane: Lane) -> list[Json]:
    operation, options = READS[kind.resource]
    answer = services.xero.call(connector, operation, lane=lane, **options)
    found = answer.get(kind.resource)
    if not isinstance(found, list):
        raise Retryable(f"Xero answered without its {kind.resource}.")  # reading it as none would archive them all
    return found


def _write(
    kind: Kind, found: Sequence[Json], parents: Mapping[str, str] | None, connector: Connector, services: Services, step: Step
) -> dict[str, str]:
    """Write what differs; return the id of the row of every Xero id."""
    table = kind.mapping.target
    held = _read_rows(kind, connector, services, parents)
    by_id = {_key(row.get(kind.column)): row for row in held if row.get(kind.column)}
    unclaimed = {(_parent(row, parents), _key(row.get("mag_name"))): row for row in held if not row.get(kind.column)}
    operations: list[tuple[Operation, str]] = []
    ids: dict[str, str] = {}
    for xero in found:
        xero_id = _key(xero[kind.xero_id])
        row = by_id.pop(xero_id, None)
        category = xero.get("category")
        parent = (parents or {}).get(_key(category["TrackingCategoryID"])) if category else None
        if category and parent is None:
            continue  # its category was refused, which is already told
        body = _mapped(kind, xero, connector, parent, step)
        if body is None:
            continue
        row = row or unclaimed.pop((parent, _key(body["mag_name"])), None)
        if row is None:
            ids[xero_id] = str(uuid.uuid5(NAMESPACE, f"{connector.key}|{table}|{parent or ''}|{xero_id}"))
            created = {name: value for name, value in body.items() if value is not None}
            operations.append((Operation("PATCH", query.row(table, ids[xero_id]), created), "created"))
            continue
        ids[xero_id] = str(row[f"{table}id"])
        changes = {name: value for name, value in body.items() if not _is_same(name, value, row)}
        if row.get("statecode") == 1 and table not in STATUS:
            changes |= {"statecode": 0, "statuscode": 1}
        if changes:
            operations.append((Operation("PATCH", query.row(table, ids[xero_id]), changes, {"If-Match": "*"}), "updated"))
        else:
            step.unchanged += 1
    operations += [(_archive(table, row), "archived") for row in by_id.values() if not _is_archived(table, row)]
    _send(operations, connector, services, step)
    return ids


def _mapped(kind: Kind, xero: Json, connector: Connector, parent: str | None, step: Step) -> Json | None:
    """Return every column of the table, None where Xero says nothing, so that what was cleared there is cleared here."""
    links = {"connector": connector.id, "category": parent}
    try:
        written = kind.mapping.apply(xero, connector.settings, {name: value for name, value in links.items() if value})
    except MappingError as error:
        step.problems += [
            Problem(f"{xero.get('Name')}: {flaw.message}", flaw.where, fix=flaw.fix, who=flaw.who) for flaw in error.flaws
        ]
        return None
    return {row.target: None for row in kind.mapping.rows} | written.payload


def _read_rows(kind: Kind, connector: Connector, services: Services, parents: Mapping[str, str] | None) -> list[Json]:
    """Read the connector's rows of the table, page by page; options are read through their categories."""
    table = kind.mapping.target
    columns = {f"{table}id", "statecode", kind.column}
    columns |= {
        f"_{row.target.removesuffix(BIND)}_value" if row.target.endswith(BIND) else row.target for row in kind.mapping.rows
    }
    owner = "_mag_xeroconnectorid_value" if parents is None else "mag_trackingcategoryid/_mag_xeroconnectorid_value"
    operation: Operation | None = query.selection(table, sorted(columns), f"{owner} eq {connector.id}")
    rows: list[Json] = []
    while operation is not None:
        page = answers.result(services.dataverse.send(connector.environment, [operation])[0], write=False)
        rows += page["value"]
        operation = query.next_page(page)
    return rows


def _send(operations: Sequence[tuple[Operation, str]], connector: Connector, services: Services, step: Step) -> None:
    """Send the writes, each standing alone: one row Dataverse refuses must not hold back the others."""
    for start in range(0, len(operations), BATCH):
        some = operations[start : start + BATCH]
        replies = services.dataverse.send(connector.environment, [operation for operation, _ in some])
        for (_, counted), reply in zip(some, replies, strict=True):
            _count(step, counted, reply)


def _count(step: Step, counted: str, reply: Answer) -> None:
    try:
        answers.result(reply)
    except Rejected as refused:
        step.problems += refused.problems
        return
    setattr(step, counted, getattr(step, counted) + 1)


def _archive(table: str, row: Json) -> Operation:
    """Mark a row whose original is gone from Xero: documents still point to it, so it is never deleted."""
    body: Json = {STATUS[table]: ARCHIVED} if table in STATUS else {"statecode": 1, "statuscode": 2}
    return Operation("PATCH", query.row(table, str(row[f"{table}id"])), body, {"If-Match": "*"})


def _is_archived(table: str, row: Json) -> bool:
    return row.get(STATUS[table]) not in (None, "ACTIVE") if table in STATUS else row.get("statecode") == 1


def _is_same(name: str, value: Any, row: Json) -> bool:
    """Compare a column with what the row holds; a lookup by the id it is bound to."""
    if name.endswith(BIND):
        held = row.get(f"_{name.removesuffix(BIND)}_value")
        return held is not None and str(value).rstrip(")").rpartition("(")[2].lower() == str(held).lower()
    held = row.get(name)
    if isinstance(value, Decimal | int) and isinstance(held, Decimal | int):
        return Decimal(value) == Decimal(held)
    return bool(value == held)


def _parent(row: Json, parents: Iterable[str] | None) -> str | None:
    return None if parents is None else str(row.get("_mag_trackingcategoryid_value"))


def _key(value: Any) -> str:
    return str(value or "").strip().lower()
