"""Which connector an invoice belongs to when it names none: the environment's routes, else the Default Connector (SPEC 5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from functions import connectors
from shared.connectors import Connector
from shared.dataverse import answers, query
from shared.services import Services

COLUMNS = ("_mag_xeroconnectorid_value", "_owningbusinessunit_value", "_transactioncurrencyid_value", "_ownerid_value")
"""What of an invoice decides its route."""

FITS = (
    ("_mag_businessunitid_value", "_owningbusinessunit_value"),
    ("_mag_transactioncurrencyid_value", "_transactioncurrencyid_value"),
    ("_mag_invoiceownerid_value", "_ownerid_value"),
)
"""A route's column and the invoice's it must equal when it is filled."""


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
    """Answer for one sweep which invoices lead to its connector; the routes are read when the first one names none."""

    def __init__(self, connector: Connector, services: Services) -> None:
        self._connector = connector
        self._services = services
        self._routes: list[Mapping[str, Any]] | None = None
        self._defaults: list[str] = []

    def leads_here(self, invoice: Mapping[str, Any]) -> bool:
        if not invoice.get("_mag_xeroconnectorid_value") and self._routes is None:
            self._routes = self._read_routes()
            neighbours = connectors.of_environment(self._services.store, self._connector.environment)
            self._defaults = [one.id for one in neighbours if one.settings.get("mag_defaultconnector")]
        return route(invoice, self._routes or [], self._defaults) == self._connector.id

    def _read_routes(self) -> list[Mapping[str, Any]]:
        selection = query.selection(
            "mag_xeroroute",
            select=("_mag_xeroconnectorid_value", "mag_order", *(theirs for theirs, _ in FITS)),
            where="statecode eq 0",
            order="mag_order asc,createdon asc",
        )
        page = answers.results([selection], self._services.dataverse.send(self._connector.environment, [selection]))[0]
        rows: list[Mapping[str, Any]] = page["value"]
        return rows
