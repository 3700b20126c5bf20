"""FLOWS: one row per data flow (SPEC 4). The flow's name is also its queue, its function and its setting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from functions import invoices
from functions.from_xero import FromXero
from functions.routes import Due
from functions.work import Crossed, Work
from shared.connectors import Connector, Json
from shared.services import Lane, Services


@dataclass(frozen=True)
class ToXero:
    """How one flow reads Dynamics 365 and writes Xero.

    ``due`` finds the records, ``load`` and ``fingerprint`` tell whether a parked one has changed, ``cross`` takes one record across.
    """

    due: Callable[[Connector, Services, datetime], Iterator[Due]]
    load: Callable[[Connector, Services, list[str]], list[Json | None]]
    fingerprint: Callable[[Json, Connector, Services], str]
    cross: Callable[[Work], Crossed]


@dataclass(frozen=True)
class Flow:
    """One data flow.

    ``table`` is where its records are, in Dynamics 365 or in Xero, ``every`` is how often a connector's sweep looks, ``look_back``
    bounds the first read of a flow from Xero (None: due until done), ``calls`` is what one record usually costs in Xero calls: a
    sweep to Xero releases the budget divided by it. ``source`` says how it reads one end and writes the other.
    """

    name: str
    table: str
    every: timedelta
    enabled: bool
    look_back: timedelta | None
    lane: Lane
    calls: int
    source: ToXero | FromXero

    def for_connector(self, connector: Connector) -> Flow:
        """Return the flow with the connector's own *enabled*, *every* and *look back* (its mag_xeroflow row, if it has one)."""
        own = connector.flows.get(self.name, {})
        changes: dict[str, Any] = {}
        if own.get("mag_enabled") is not None:
            changes["enabled"] = bool(own["mag_enabled"])
        if own.get("mag_everyminutes") is not None:
            changes["every"] = timedelta(minutes=own["mag_everyminutes"])
        if own.get("mag_lookbackdays") is not None and self.look_back is not None:
            changes["look_back"] = timedelta(days=own["mag_lookbackdays"])
        return replace(self, **changes)


def minutes(number: int) -> timedelta:
    return timedelta(minutes=number)


def days(number: int) -> timedelta:
    return timedelta(days=number)


# fmt: off
FLOWS = (
    #    name                        table         every         enabled  look back  lane           calls
    Flow("invoices-to-xero",         "invoice",    minutes(5),   True,    None,      Lane.INVOICES, 2,
         ToXero(invoices.due, invoices.load, invoices.fingerprint, invoices.cross)),
)
# fmt: on

BY_NAME = {flow.name: flow for flow in FLOWS}
SWEEPS = "sweeps"
"""The queue of sweep messages."""
QUEUES = (SWEEPS, *BY_NAME)
