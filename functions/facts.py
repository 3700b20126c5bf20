"""What the mappings must know of an organisation's reference data beyond the rows a record names: rates and states, no names.

Kept when the reference data is loaded, one row of ``flowruns`` per kind, so that a push needs no call for them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from shared.connectors import Connector, Json
from shared.services import Services

TABLE = "flowruns"
KINDS = {"TaxRates": "rates", "Accounts": "account_tax_types", "TrackingCategories": "tracking_categories"}
ACTIVE = "ACTIVE"


@dataclass(frozen=True)
class Facts:
    """``rates``: TaxType → effective rate in per cent; ``account_tax_types``: account code → TaxType; ``tracking_categories``:
    id of the mag_trackingcategory row → Xero's status, None when they were never loaded."""

    rates: Mapping[str, Decimal]
    account_tax_types: Mapping[str, str]
    tracking_categories: Mapping[str, str] | None


def keep(services: Services, connector: Connector, resource: str, found: Sequence[Any], ids: Mapping[str, str]) -> None:
    """Keep what a load read of *resource* from Xero; *ids* gives the Dataverse row of each Xero id (lower case).

    Of two accounts of one code, one of them archived or deleted, the active one counts. What says nothing is left out.
    """
    if resource not in KINDS:
        return
    told = sorted((one for one in found if isinstance(one, dict)), key=lambda one: _status(one) == ACTIVE)
    kept = dict(FACTS[resource](told, ids))
    services.store.upsert(TABLE, connector.key, f"facts {resource}", {"facts": json.dumps(kept, sort_keys=True)})


def read(services: Services, connector: Connector) -> Facts:
    """Return the facts of *connector*: one query."""
    rows = {stored.row: stored for stored in services.store.rows(TABLE, connector.key)}
    found = {name: rows.get(f"facts {resource}") for resource, name in KINDS.items()}
    texts = {name: json.loads(str(stored.values["facts"])) if stored else None for name, stored in found.items()}
    rates = {name: Decimal(rate) for name, rate in (texts["rates"] or {}).items()}
    return Facts(rates, texts["account_tax_types"] or {}, texts["tracking_categories"])


Told = Iterator[tuple[str, str]]


def _rates(found: Sequence[Json], ids: Mapping[str, str]) -> Told:
    for rate in found:
        try:
            percent = Decimal(str(rate.get("EffectiveRate") or 0))
        except InvalidOperation:
            continue
        if rate.get("TaxType") and percent.is_finite():
            yield str(rate["TaxType"]), str(percent)


def _account_tax_types(found: Sequence[Json], ids: Mapping[str, str]) -> Told:
    for account in found:
        if account.get("Code"):
            yield str(account["Code"]), str(account.get("TaxType") or "")


def _tracking_categories(found: Sequence[Json], ids: Mapping[str, str]) -> Told:
    for category in found:
        if row := ids.get(str(category.get("TrackingCategoryID") or "").lower()):
            yield row, _status(category)


FACTS = {"TaxRates": _rates, "Accounts": _account_tax_types, "TrackingCategories": _tracking_categories}


def _status(item: Json) -> str:
    return str(item.get("Status") or ACTIVE)
