"""Which invoice of Dynamics 365 a document of Xero is, by the Xero Id on its row (SPEC 5; A283).

A row that names no connector is the document's as well: an id of Xero is one organisation's only, and a person, or the vendor's connector
before ours, may have written the Xero Id alone.

The copy command of Dynamics 365 copies the Xero Id too, so that several rows may bear one: the document's own mark tells which of
them it is, else the one that was there first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from functions.xero_lists import is_id
from shared.connectors import Connector, Json
from shared.dataverse import answers, query
from shared.services import Services


@dataclass(frozen=True)
class Linked:
    """The invoice rows of some Xero ids (lower case), oldest first."""

    rows: Mapping[str, list[str]]

    def has(self, xero_id: str) -> bool:
        """Tell whether any row bears *xero_id*."""
        return bool(self.rows.get(xero_id.lower()))

    def row_of(self, document: Json) -> str | None:
        """Return the id of the row that is *document* (an Invoice of Xero, with its Url), None when there is none."""
        rows = self.rows.get(str(document["InvoiceID"]).lower(), [])
        mark = str(document.get("Url") or "").lower()
        return next((row for row in rows if row.lower() in mark), rows[0] if rows else None)


def read(services: Services, connector: Connector, xero_ids: Iterable[str]) -> Linked:
    """Return the invoices of the connector, or of none, that bear one of *xero_ids*: one round trip, none for no ids."""
    wanted = [xero_id for xero_id in dict.fromkeys(map(str.lower, xero_ids)) if is_id(xero_id)]
    ours = f"(_mag_xeroconnectorid_value eq {connector.id} or _mag_xeroconnectorid_value eq null)"
    operations = [
        query.selection("invoice", ("invoiceid", "mag_xeroid"), f"{one} and {ours}", "createdon asc,invoiceid asc")
        for one in query.among("mag_xeroid", wanted)
    ]
    rows: dict[str, list[str]] = {}
    if operations:
        for page in answers.results(operations, services.dataverse.send(connector.environment, operations)):
            for row in page["value"]:
                rows.setdefault(str(row["mag_xeroid"]).lower(), []).append(str(row["invoiceid"]))
    return Linked(rows)
