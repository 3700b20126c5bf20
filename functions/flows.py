"""FLOWS: one row per data flow (SPEC 4). The flow's name is also its queue, its function and its setting.

The module that does the work is imported when the flow first runs: a start pays only for what it uses.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

from shared.connectors import Connector
from shared.services import Lane

if TYPE_CHECKING:
    from functions.from_xero import FromXero
    from functions.to_xero import ToXero


@dataclass(frozen=True)
class Flow:
    """One data flow.

    ``table`` is where its records are, in Dynamics 365 or in Xero, ``every`` is how often a connector's sweep looks, ``look_back``
    bounds the first read of a flow from Xero (None: due until done), ``calls`` is what one record usually costs in Xero calls: a
    sweep to Xero releases the budget divided by it. ``work`` names the module whose SOURCE says how the flow reads one end and
    writes the other; it may be that SOURCE itself.
    """

    name: str
    table: str
    every: timedelta
    enabled: bool
    look_back: timedelta | None
    lane: Lane
    calls: int
    work: str | ToXero | FromXero

    @property
    def source(self) -> ToXero | FromXero:
        """Return how the flow reads one end and writes the other."""
        if not isinstance(self.work, str):
            return self.work
        source: ToXero | FromXero = import_module(f"functions.{self.work}").SOURCE
        return source

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
    #    name                        table         every         enabled  look back  lane           calls  work
    Flow("invoices-to-xero",         "invoice",    minutes(5),   True,    None,      Lane.INVOICES, 2,     "invoices"),
    Flow("invoices-from-xero",       "Invoice",    minutes(15),  False,   days(7),   Lane.PAYMENTS, 1,     "invoices_from_xero"),
    Flow("invoice-status-from-xero", "Invoice",    minutes(15),  True,    days(7),   Lane.PAYMENTS, 1,     "invoice_status"),
    Flow("payments-from-xero",       "Payment",    minutes(180), True,    days(7),   Lane.PAYMENTS, 1,     "payments"),
    Flow("credit-notes-from-xero",   "CreditNote", minutes(180), True,    days(7),   Lane.PAYMENTS, 1,     "credit_notes"),
    Flow("contacts-from-xero",       "Contact",    minutes(180), False,   days(7),   Lane.CONTACTS, 1,     "contacts_from_xero"),
    Flow("balances-from-xero",       "Contact",    minutes(15),  True,    None,      Lane.CONTACTS, 1,     "balances"),
)
# fmt: on

BY_NAME = {flow.name: flow for flow in FLOWS}
SWEEPS = "sweeps"
"""The queue of sweep messages."""
QUEUES = (SWEEPS, *BY_NAME)
