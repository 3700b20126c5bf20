"""Links: which Dataverse row is which Xero document, per connector (SPEC 7)."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields, replace

from shared.connectors import Connector
from shared.services import Services, StoredRow

TABLE = "links"


@dataclass(frozen=True)
class Link:
    """One row of ``links``: the Xero id, keyed hashes by target field, and what Xero said of the document.

    ``hashes`` are of what we last wrote; ``left`` of what stood in Dynamics where Xero's own value was left alone; ``persons`` are
    keyed hashes of the additional people we put on a contact. ``status`` is the document's when it was last written, ``code`` an
    item's as Xero spells it, the accounts those a contact or item uses in sales and in purchases, "" where Xero names none. A link
    ``in_doubt`` is read from Xero again before it is used. Of a document that comes from Xero the link keeps the ``version`` that
    crossed last, and the Dataverse ``row`` ("table/id") it became.
    """

    xero_id: str
    hashes: dict[str, str] = field(default_factory=dict)
    status: str = ""
    left: dict[str, str] = field(default_factory=dict)
    persons: list[str] = field(default_factory=list)
    code: str = ""
    sales_account: str = ""
    purchase_account: str = ""
    in_doubt: bool = False
    version: str = ""
    row: str = ""

    def account(self, document_type: str) -> str:
        """Return the account code for a document of this Type of Xero's: purchases for what begins with ACCPAY, else sales."""
        return self.purchase_account if document_type.startswith("ACCPAY") else self.sales_account


JSON = ("hashes", "left", "persons")


def read(services: Services, connector: Connector, kind: str, record: str) -> Link | None:
    """Return the link of *record* ("table/id"); *kind* is invoice, contact or item, or the flow a document came by from Xero."""
    stored = services.store.read(TABLE, f"{connector.key}|{kind}", record.replace("/", "|", 1))
    return _link(stored) if stored else None


def read_all(services: Services, connector: Connector, kind: str) -> dict[str, Link]:
    """Return every link of *kind* by its record ("table/id"): one query."""
    return {stored.row.replace("|", "/", 1): _link(stored) for stored in services.store.rows(TABLE, f"{connector.key}|{kind}")}


def write(services: Services, connector: Connector, kind: str, record: str, link: Link) -> None:
    """Keep the link of *record*; the newest wins, and it says the same thing whoever writes it."""
    values = {name: json.dumps(value, sort_keys=True) if name in JSON else value for name, value in asdict(link).items()}
    services.store.upsert(TABLE, f"{connector.key}|{kind}", record.replace("/", "|", 1), values)


def doubt(services: Services, connector: Connector, kind: str, record: str) -> None:
    """Have the link of *record* read from Xero again before it is used: Xero refused something that hangs on it."""
    link = read(services, connector, kind, record)
    if link is not None:
        write(services, connector, kind, record, replace(link, in_doubt=True))


def _link(stored: StoredRow) -> Link:
    values = {one.name: stored.values[one.name] for one in fields(Link) if one.name in stored.values}
    return Link(**{name: json.loads(value) if name in JSON else value for name, value in values.items()})
