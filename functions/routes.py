"""Which connector an invoice belongs to when it names none: the environment's routes, else the Default Connector (SPEC 5).

Nothing in Dynamics 365 keeps people from choosing two Default Connectors, or none. Neither decides anything: the invoice waits, and
says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from functions import connectors
from functions.work import Asked
from shared.connectors import Connector
from shared.dataverse import answers, query
from shared.errors import Problem
from shared.services import Services

COLUMNS = ("_mag_xeroconnectorid_value", "_owningbusinessunit_value", "_transactioncurrencyid_value", "_ownerid_value")
"""What of an invoice decides its route."""

FITS = (
    ("_mag_businessunitid_value", "_owningbusinessunit_value"),
    ("_mag_transactioncurrencyid_value", "_transactioncurrencyid_value"),
    ("_mag_invoiceownerid_value", "_ownerid_value"),
)
"""A route's column and the invoice's it must equal when it is filled."""

OR_ON_IT = "or choose a Xero Connector on the invoice; it then goes by itself."

NO_DEFAULT = Problem(
    "The invoice names no Xero Connector, no route fits it, and no connector is the Default Connector.",
    where="Xero Connector",
    cause="Default Connector is Yes on no active Xero Connector.",
    fix=f"Set Default Connector to Yes on one Xero Connector, {OR_ON_IT}",
    who="administrator",
)
TWO_DEFAULTS = Problem(
    "The invoice names no Xero Connector, no route fits it, and more than one connector is the Default Connector.",
    where="Xero Connector",
    cause="A guess could be the wrong books, so two Default Connectors decide nothing.",
    fix=f"Set Default Connector to No on all Xero Connectors but one, {OR_ON_IT}",
    who="administrator",
)
UNKNOWN = Problem(
    "The invoice is routed to a Xero Connector that is not connected here.",
    where="Xero Connector",
    cause="The connector of the route, or the Default Connector, was deleted or has never been connected.",
    fix=f"Connect it, or correct the route or the Default Connector, {OR_ON_IT}",
    who="administrator",
)


@dataclass(frozen=True)
class Route:
    """Where an invoice belongs: the id of its ``connector``, or the ``problem`` that leaves it undecided.

    ``named`` tells that the invoice names the connector itself, so that nothing but a person can change it.
    """

    connector: str | None
    named: bool = False
    problem: Problem | None = None


class Due(NamedTuple):
    """What a flow's ``due`` yields: a record ("table/id"), its version, what a person asks for, and its route (None: here)."""

    record: str
    version: str
    asked: Asked = Asked.NOTHING
    route: Route | None = None


def route(invoice: Mapping[str, Any], routes: list[Mapping[str, Any]], defaults: list[str]) -> str | None:
    """Return the id of the connector *invoice* belongs to, pure.

    Its own lookup, else the first of *routes* (in order) whose every filled column fits, else the Default Connector. Two defaults
    decide nothing: a wrong guess would be the wrong books.
    """
    if own := invoice.get("_mag_xeroconnectorid_value"):
        return str(own)
    for row in routes:
        if all(row.get(theirs) in (None, invoice.get(ours)) for theirs, ours in FITS):
            return str(row["_mag_xeroconnectorid_value"])
    return defaults[0] if len(defaults) == 1 else None


class Router:
    """Answer for one sweep where invoices belong; routes and defaults are read, once, when the first invoice names none.

    They are read from Dataverse and not from our copies, which are of different ages: two connectors never see different defaults.
    """

    def __init__(self, connector: Connector, services: Services) -> None:
        self._connector = connector
        self._services = services
        self._read: tuple[list[Mapping[str, Any]], list[str], set[str]] | None = None

    def of(self, invoice: Mapping[str, Any]) -> Route:
        """Return where *invoice* belongs; raises what a read of Dataverse raises."""
        if own := invoice.get("_mag_xeroconnectorid_value"):
            return Route(str(own), named=True)
        self._read = self._read or self._read_all()
        routes, defaults, known = self._read
        leads_to = route(invoice, routes, defaults)
        if leads_to is None:
            return Route(None, problem=TWO_DEFAULTS if defaults else NO_DEFAULT)
        return Route(leads_to) if leads_to in known else Route(None, problem=UNKNOWN)

    def leads_here(self, invoice: Mapping[str, Any]) -> bool:
        return self.of(invoice).connector == self._connector.id

    def _read_all(self) -> tuple[list[Mapping[str, Any]], list[str], set[str]]:
        environment = self._connector.environment
        operations = [
            query.selection(
                "mag_xeroroute",
                select=("_mag_xeroconnectorid_value", "mag_order", *(theirs for theirs, _ in FITS)),
                where="statecode eq 0",
                order="mag_order asc,createdon asc",
            ),
            query.selection(
                "mag_xeroconnector", select=("mag_xeroconnectorid",), where="mag_defaultconnector eq true and statecode eq 0"
            ),
        ]
        routes, defaults = answers.results(operations, self._services.dataverse.send(environment, operations))
        known = {one.id for one in connectors.of_environment(self._services.store, environment)}
        return routes["value"], [str(row["mag_xeroconnectorid"]) for row in defaults["value"]], known
