"""Items (developer.xero.com accounting/items): Code is the natural key, at most 30 characters, unique."""

import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from flask import request

from . import totals, wire
from .call import Call, Refused
from .errors import Invalid, NotFound
from .store import Document

Answer = dict[str, Any] | Refused

LENGTHS = {"Code": 30, "Name": 50, "Description": 4000, "PurchaseDescription": 4000}
READ_ONLY = {"QuantityOnHand", "QuantityAvailable", "QuantityOnBackOrder", "TotalCostPool", "UpdatedDateUTC"}
_TRANSIENT = {"ValidationErrors", "StatusAttributeString", *READ_ONLY}


def listed(call: Call) -> Answer:
    """GET /Items: unpaged, with where, order, If-Modified-Since."""
    rows = call.selected(call.store.all(call.tenant, "item"), "Item")
    return {"Items": [_shown(call, row) for row in rows]}


def single(call: Call, id: str) -> Answer:
    """GET /Items/{ItemID or Code}."""
    return {"Items": [_shown(call, _found(call, id))]}


def create(call: Call) -> Answer:
    """PUT /Items: create only."""

    def write(row: Document) -> Document:
        if call.store.find(call.tenant, "item", row.get("Code", "")):
            raise Invalid(f"Price List Item with Code '{row['Code']}' already exists")
        return _written(call, row, None)

    return call.write_each("Items", call.elements("Items", "Item"), write, _echo)


def update_or_create(call: Call) -> Answer:
    """POST /Items: update by ItemID or Code, else create."""

    def write(row: Document) -> Document:
        known = call.document("item", row["ItemID"]) if row.get("ItemID") else None
        if row.get("ItemID") and known is None:
            raise Invalid("The item with the specified ItemID could not be found")
        return _written(call, row, known or by_code(call, row.get("Code", "")))

    return call.write_each("Items", call.elements("Items", "Item"), write, _echo)


def update(call: Call, id: str) -> Answer:
    """POST /Items/{ItemID}."""
    known = _found(call, id)
    return call.write_each("Items", call.elements("Items", "Item"), lambda row: _written(call, row, known), _echo)


def by_code(call: Call, code: str) -> Document | None:
    """Return the item with this Code, or None."""
    return next(iter(call.store.find(call.tenant, "item", code)), None) if code else None


def _found(call: Call, id: str) -> Document:
    found = call.document("item", id) or by_code(call, id)
    if found is None:
        raise NotFound(request.path)
    return found


def _written(call: Call, row: Document, known: Document | None) -> Document:
    item = {**(known or {}), **{name: value for name, value in row.items() if name not in _TRANSIENT and name != "ItemID"}}
    _check(call, item, known)
    for side, used in (("SalesDetails", "IsSold"), ("PurchaseDetails", "IsPurchased")):
        if item.get(side, {}).get("UnitPrice") is not None:
            item[side] = {**item[side], "UnitPrice": totals.unit_amount(Decimal(item[side]["UnitPrice"]), call.places)}
        # Turning a side off forgets its details.
        item[side] = item.get(side, {}) if item.setdefault(used, True) else {}
    item = {
        "IsTrackedAsInventory": False,
        **item,
        "ItemID": known["ItemID"] if known else str(uuid.uuid4()),
        "UpdatedDateUTC": call.sandbox.clock.stamp(),
    }
    call.store.put(call.tenant, "item", item["ItemID"], item, item["Code"])
    return {**_shown(call, item), "ValidationErrors": []}


def _check(call: Call, item: Document, known: Document | None) -> None:
    problems = [
        f"Price List Item {name} must not be more than {longest} characters long."
        for name, longest in LENGTHS.items()
        if len(item.get(name) or "") > longest
    ]
    if not item.get("Code"):
        problems.append("Price List Item Code must be specified")
    else:
        other = by_code(call, item["Code"])
        if other and other["ItemID"] != (known or {}).get("ItemID"):
            problems.append(f"Price List Item with Code '{item['Code']}' already exists")
    for side, apply in (("SalesDetails", "CanApplyToRevenue"), ("PurchaseDetails", "CanApplyToExpenses")):
        details = item.get(side) or {}
        if details.get("AccountCode"):
            account = next(iter(call.store.find(call.tenant, "account", details["AccountCode"])), None)
            if account is None or account["Status"] != "ACTIVE":
                problems.append(f"Account code '{details['AccountCode']}' is not a valid code for this document.")
        if details.get("TaxType"):
            rate = call.document("tax rate", details["TaxType"])
            if rate is None or rate["Status"] != "ACTIVE" or not rate[apply]:
                problems.append(
                    f"The TaxType code {details['TaxType']} does not exist or cannot be used for this type of transaction."
                )
    if problems:
        raise Invalid(*problems)


def _shown(call: Call, item: Document) -> Document:
    shown = wire.pruned(item)
    for side in ("SalesDetails", "PurchaseDetails"):
        details = dict(item.get(side) or {})
        if details.get("UnitPrice") is not None:
            details["UnitPrice"] = totals.unit_amount(Decimal(details["UnitPrice"]), call.places)
        shown[side] = details
    return {**shown, "UpdatedDateUTC": wire.ms(item["UpdatedDateUTC"])}


def _echo(row: Mapping[str, Any], problem: Invalid) -> Document:
    return {"ItemID": wire.EMPTY_GUID, **row, "ValidationErrors": wire.messages(problem.problems)}
