"""Links: which Dataverse row is which Xero document, per connector (SPEC 7)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from shared.connectors import Connector
from shared.services import Services

TABLE = "links"


@dataclass(frozen=True)
class Link:
    """One row of ``links``: the Xero id, keyed hashes of what was last sent (target field → hash), and what we last wrote."""

    xero_id: str
    hashes: dict[str, str] = field(default_factory=dict)
    status: str = ""


def read(services: Services, connector: Connector, kind: str, record: str) -> Link | None:
    """Return the link of *record* ("table/id"); *kind* is invoice, contact or item."""
    stored = services.store.read(TABLE, f"{connector.key}|{kind}", record.replace("/", "|", 1))
    if stored is None:
        return None
    return Link(str(stored.values["xero_id"]), json.loads(stored.values["hashes"]), str(stored.values["status"]))


def write(services: Services, connector: Connector, kind: str, record: str, link: Link) -> None:
    """Keep the link of *record*; the newest wins, and it says the same thing whoever writes it."""
    values = {"xero_id": link.xero_id, "hashes": json.dumps(link.hashes, sort_keys=True), "status": link.status}
    services.store.upsert(TABLE, f"{connector.key}|{kind}", record.replace("/", "|", 1), values)
