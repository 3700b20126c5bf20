"""What the mappings must know of an organisation's reference data beyond the rows a record names: rates and states, no names.

Kept when the reference data is loaded, one row of ``flowruns`` per kind, so that a push needs no call for them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from shared.connectors import Connector, Json
from shared.services import Services

TABLE = "flowruns"
KINDS = {"TaxRates": "rates", "Accounts": "account_tax_types", "TrackingCategories": "tracking_categories"}


@dataclass(frozen=True)
class Facts:
    """``rates``: TaxType → effective rate in per cent; ``account_tax_types``: account code → TaxType; ``tracking_categories``:
    id of the mag_trackingcategory row → Xero's status, None when they were never loaded."""

    rates: Mapping[str, Decimal]
    account_tax_types: Mapping[str, str]
    tracking_categories: Mapping[str, str] | None


def keep(services: Services, connector: Connector, resource: str, found: Sequence[Json], ids: Mapping[str, str]) -> None:
    """Keep what a load read of *resource* from Xero; *ids* gives the Dataverse row of each Xero id (lower case)."""
    if resource not in KINDS:
        return
    kept: dict[str, str] = {}
    for item in found:
        if resource == "TaxRates":
            kept[str(item["TaxType"])] = str(item.get("EffectiveRate", 0))
        elif resource == "Accounts" and item.get("Code"):
            kept[str(item["Code"])] = str(item.get("TaxType", ""))
        elif resource == "TrackingCategories" and str(item["TrackingCategoryID"]).lower() in ids:
            kept[ids[str(item["TrackingCategoryID"]).lower()]] = str(item.get("Status", "ACTIVE"))
    services.store.upsert(TABLE, connector.key, f"facts {resource}", {"facts": json.dumps(kept, sort_keys=True)})


def read(services: Services, connector: Connector) -> Facts:
    """Return the facts of *connector*: one query."""
    rows = {stored.row: stored for stored in services.store.rows(TABLE, connector.key)}
    found = {name: rows.get(f"facts {resource}") for resource, name in KINDS.items()}
    texts = {name: json.loads(str(stored.values["facts"])) if stored else None for name, stored in found.items()}
    rates = {name: Decimal(rate) for name, rate in (texts["rates"] or {}).items()}
    return Facts(rates, texts["account_tax_types"] or {}, texts["tracking_categories"])
