"""Xero's reference data as rows of Dataverse: tax rates, accounts, branding themes, tracking categories, options, items (SPEC 4).

Read in that order (K23), one call to Xero each, options with their categories. How rows are written: reference_rows.py; items become
products: items_from_xero.py. Kept for hours (K24), loaded again when something is due, a code was unknown, or a person asks.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from functions import defaults, facts, items_from_xero, runs
from functions.reference_rows import Step, key, write
from mappings import reference_data
from mappings.reference_data import Kind
from shared.connectors import Connector, Json
from shared.errors import (
    Changed,
    ConnectorError,
    Disconnected,
    NeedsReconnect,
    NeedsScope,
    NotReady,
    Retryable,
    Throttled,
)
from shared.services import Lane, Services, StoredRow

log = logging.getLogger(__name__)

TABLE, ROW = runs.TABLE, "reference-data-from-xero"
MINUTES = 360
AT_MOST_EVERY = timedelta(minutes=10)
AFTER_A_FAILURE = timedelta(minutes=30)
MOST_TOLD = 3
LOCKED_OUT = (Throttled, NeedsReconnect, NeedsScope, Disconnected)

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
NEVER_EMPTY = ("TaxRates", "Accounts", "BrandingThemes")
"""What every organisation has some of: none at all is no answer to act on."""
# fmt: on


def load_reference_data(connector: Connector, services: Services, *, lane: Lane = Lane.REFERENCE_DATA) -> list[Step]:
    """Bring all reference data of *connector* up to date and return one Step per kind, in their order.

    A kind that fails says so in its Step and does not hold back the others, unless Xero lets us in no more. Items come last, and
    only where they are wanted (items_from_xero.is_wanted).
    """
    steps: dict[str, Step] = {}
    categories: list[Json] = []
    category_rows: dict[str, str] = {}
    stopped: ConnectorError | None = None
    for kind in reference_data.ORDER:
        step = steps[kind.resource] = Step(TITLES[kind.resource])
        try:
            if stopped is not None:
                raise stopped
            if kind.resource == "Options":
                if error := steps["TrackingCategories"].error:
                    raise error
                write(kind, list(_options(categories)), category_rows, connector, services, step)
                continue
            found = _read_xero(connector, services, kind, lane)
            ids = write(kind, found, None, connector, services, step)
            facts.keep(services, connector, kind.resource, found, ids)
            if kind.resource == "TrackingCategories":
                categories, category_rows = found, ids
        except ConnectorError as error:
            step.error = error
            stopped = stopped or (error if isinstance(error, LOCKED_OUT) else None)
    if items_from_xero.is_wanted(connector):
        steps["Items"] = _load_items(connector, services, lane, stopped)
    return list(steps.values())


def refresh_if_due(connector: Connector, services: Services, now: datetime, *, only_if_asked: bool = False) -> bool:
    """Load the reference data when it is older than the connector's setting (6 hours) or a refresh was asked for; under a lease.

    Called when something is due; *only_if_asked* when nothing may be. Returns whether it was loaded; raises the first failure, and
    then rests half an hour.
    """
    stored = services.store.read(TABLE, connector.key, ROW)
    run = Run.of(stored)
    if not run.is_due(connector, now) or (only_if_asked and not run.asked):
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
    steps = load_reference_data(connector, services, lane=lane)
    moved = defaults.point_anew(connector, services) if _may_have_archived(steps, connector) else []
    error = next((step.error for step in steps if step.error is not None), None)
    wait = error.retry_after if isinstance(error, Throttled | NotReady) and error.retry_after else AFTER_A_FAILURE
    # Only what was asked for before this load began is answered by it.
    asked = Run.of(services.store.read(TABLE, connector.key, ROW)).asked
    counts = [f"{step.title}: {step}" for step in steps] + [f"{label}: the account of the same code" for label in moved]
    problems = dict.fromkeys(f"{step.title}: {problem.message}" for step in steps for problem in step.problems)
    after = Run(
        done=before.done if error else now.isoformat(),
        asked="" if not error and asked == before.asked else asked,
        rest_until=(now + wait).isoformat() if error else "",
        last_error=f"{type(error).__name__}: {error}"[:500] if error else "",
        counts="; ".join(counts)[:1000],
        problems=_told(list(problems)),
    )
    runs.note(services.store, connector.key, ROW, **after.values())
    log.info("reference data of %s: %s", connector.id, after.counts)
    return steps


def ask_for_refresh(services: Services, connector: Connector) -> None:
    """Have the next sweep load the reference data again: a code was not known (K24)."""
    runs.note(services.store, connector.key, ROW, asked=services.clock.now().isoformat())


def read_at(services: Services, connector: Connector) -> datetime | None:
    """Return when the reference data was last read whole, None when it never was."""
    done = Run.of(services.store.read(TABLE, connector.key, ROW)).done
    return datetime.fromisoformat(done) if done else None


def doubts(connector: Connector, run: Mapping[str, Any]) -> str:
    """Return what an administrator must know of the reference data, "" for nothing: defaults Xero would refuse, rows not written.

    *connector* has its settings as Dynamics 365 has them now, *run* is the flow's row of ``flowruns``.
    """
    return " ".join(part for part in (defaults.doubts(connector), str(run.get("problems", ""))) if part)


@dataclass(frozen=True)
class Run:
    """The row of ``flowruns``: times are ISO instants, "" for never."""

    done: str = ""
    asked: str = ""
    lease_until: str = ""
    rest_until: str = ""
    last_error: str = ""
    counts: str = ""
    problems: str = ""

    @classmethod
    def of(cls, stored: StoredRow | None) -> Run:
        return cls(**{name: str(stored.values.get(name, "")) for name in cls.__dataclass_fields__}) if stored else cls()

    def values(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def is_due(self, connector: Connector, now: datetime) -> bool:
        """Tell whether a load is due and nobody is at it; one that is asked for waits ten minutes after the last.

        The connector's own row of the flow may switch it off, or say how old the data may be; so may its setting, for all of it.
        """
        own = connector.flows.get(ROW, {})
        if own.get("mag_enabled") is False:
            return False
        if _is_after(self.lease_until, now) or _is_after(self.rest_until, now):
            return False
        if not self.done:
            return True
        age = now - datetime.fromisoformat(self.done)
        every = timedelta(
            minutes=int(own.get("mag_everyminutes") or connector.settings.get("mag_referencedataminutes") or MINUTES)
        )
        return age >= every or (bool(self.asked) and age >= AT_MOST_EVERY)


def _is_after(moment: str, now: datetime) -> bool:
    return bool(moment) and datetime.fromisoformat(moment) > now


def _has_lease(services: Services, connector: Connector, stored: StoredRow | None, run: Run, now: datetime) -> bool:
    lease = {"lease_until": (now + timedelta(seconds=services.durations.host_lease)).isoformat()}
    values = {**(stored.values if stored else run.values()), **lease}
    try:
        if stored is None:
            services.store.insert(TABLE, connector.key, ROW, values)
        else:
            services.store.replace(TABLE, connector.key, ROW, values, stored.etag)
    except Changed:
        return False
    return True


def _read_xero(connector: Connector, services: Services, kind: Kind, lane: Lane) -> list[Any]:
    operation, options = READS[kind.resource]
    answer = services.xero.call(connector, operation, lane=lane, **options)
    found = answer.get(kind.resource)
    if not isinstance(found, list) or (not found and kind.resource in NEVER_EMPTY):
        raise Retryable(f"Xero answered without its {kind.resource}.")  # reading it as none would archive them all
    return found


def _options(categories: list[Any]) -> Iterator[Json]:
    for category in categories:
        if isinstance(category, dict) and key(category.get("TrackingCategoryID")):
            yield from (option | {"category": category} for option in reference_data.options(category))


def _load_items(connector: Connector, services: Services, lane: Lane, stopped: ConnectorError | None) -> Step:
    step = Step("Items", error=stopped)
    if stopped is None:
        try:
            items_from_xero.load(connector, services, step, lane)
        except ConnectorError as error:
            step.error = error
    return step


def _may_have_archived(steps: list[Step], connector: Connector) -> bool:
    """Tell whether a default may point to what is gone: only then are the defaults worth a look."""
    accounts = next(step for step in steps if step.title == TITLES["Accounts"])
    return bool(accounts.archived or accounts.updated or defaults.doubts(connector))


def _told(problems: list[str]) -> str:
    """Say the first few problems; an administrator who has mended those is told the next."""
    more = f" ({len(problems) - MOST_TOLD} more)" if len(problems) > MOST_TOLD else ""
    return " ".join(problems[:MOST_TOLD])[:1000] + more
