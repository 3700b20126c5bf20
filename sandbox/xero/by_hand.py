"""What a person changes in Xero's own screens and no app can: contacts merged, accounts, tax rates, themes, tracking made."""

import uuid
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from . import payload
from .store import Document, Store

Stamp = Callable[[], str]
# Kind → the id of its documents: those that name a contact and hold lines.
LINED = {
    "invoice": "InvoiceID",
    "credit note": "CreditNoteID",
    "overpayment": "OverpaymentID",
    "prepayment": "PrepaymentID",
    "bank transaction": "BankTransactionID",
}
NUMBERS = {"invoice": "InvoiceNumber", "credit note": "CreditNoteNumber"}
MOST_CATEGORIES, MOST_ACTIVE_CATEGORIES = 4, 2

# fmt: off
CLASSES = {
    "BANK": "ASSET", "CURRENT": "ASSET", "FIXED": "ASSET", "INVENTORY": "ASSET", "NONCURRENT": "ASSET", "PREPAYMENT": "ASSET",
    "CURRLIAB": "LIABILITY", "LIABILITY": "LIABILITY", "TERMLIAB": "LIABILITY",
    "EQUITY": "EQUITY",
    "REVENUE": "REVENUE", "SALES": "REVENUE", "OTHERINCOME": "REVENUE",
    "EXPENSE": "EXPENSE", "DIRECTCOSTS": "EXPENSE", "OVERHEADS": "EXPENSE", "DEPRECIATN": "EXPENSE",
}
# fmt: on


def merge(store: Store, tenant: str, loser_id: str, winner_id: str, stamp: Stamp) -> Document:
    """Merge one contact into another and return it, archived; raises KeyError, ValueError.

    Its documents move to the winner. Whether Xero moves their UpdatedDateUTC is not documented; here it stays, so that
    nobody relies on it.
    """
    loser, winner = _contact(store, tenant, loser_id), _contact(store, tenant, winner_id)
    if loser["ContactID"] == winner["ContactID"]:
        raise ValueError("A contact cannot be merged into itself.")
    if (loser["ContactStatus"], winner["ContactStatus"]) != ("ACTIVE", "ACTIVE"):
        raise ValueError("Only active contacts can be merged.")
    for kind, id_name in LINED.items():
        for row in store.all(tenant, kind):
            if row["Contact"]["ContactID"] == loser["ContactID"]:
                row["Contact"] = {"ContactID": winner["ContactID"]}
                store.put(tenant, kind, row[id_name], row, row.get(NUMBERS.get(kind, ""), ""))
    for side in ("IsCustomer", "IsSupplier"):
        winner[side] = winner[side] or loser[side]
    merged = {"ContactStatus": "ARCHIVED", "MergedToContactID": winner["ContactID"]}
    loser |= {**merged, "UpdatedDateUTC": stamp()}
    winner["UpdatedDateUTC"] = stamp()
    for contact in (loser, winner):
        store.put(tenant, "contact", contact["ContactID"], contact, contact["Name"])
    return loser


def new(store: Store, tenant: str, kind: str, sent: Mapping[str, Any], stamp: Stamp) -> Document:
    """Make an account, tax rate, branding theme, tracking category, item or currency; raises ValueError, PostDataInvalid."""
    if kind not in _NEW:
        raise ValueError(f"There is no {kind!r} to add by hand; there are {', '.join(_NEW)}.")
    model, id_name, required, build = _NEW[kind]
    fields = payload.checked(model, dict(sent), kind, strict=True)
    if missing := [name for name in required if not fields.get(name)]:
        raise ValueError(f"A new {kind} needs {', '.join(missing)}.")
    body = build(store, tenant, fields)
    if kind in ("account", "item"):
        body["UpdatedDateUTC"] = stamp()
    if store.get(tenant, kind, body[id_name]) or (body.get("Code") and store.find(tenant, kind, body["Code"])):
        raise ValueError(f"The {kind} {body.get('Code') or body[id_name]} exists already.")
    store.put(tenant, kind, body[id_name], body, body.get("Code", ""))
    return body


def remove(store: Store, tenant: str, kind: str, id: str) -> Document:
    """Delete an item (by id or code) or a branding theme for good and return it; raises KeyError, ValueError (it is used)."""
    if kind not in _REMOVABLE:
        raise ValueError(f"There is no {kind!r} to delete by hand; there are {', '.join(_REMOVABLE)}.")
    found = store.get(tenant, kind, id) or next(iter(store.find(tenant, kind, id)), None)
    if found is None:
        raise KeyError(id)
    id_name, key, used = _REMOVABLE[kind]
    if any(used(row, found[key]) for kind_of in LINED for row in store.all(tenant, kind_of)):
        raise ValueError(f"The {kind} {found[key]} is used on documents.")
    store.delete(tenant, kind, found[id_name])
    return found


def option(store: Store, tenant: str, category: str, name: str, fields: Mapping[str, Any]) -> Document:
    """Add a tracking option to a category (by name or id), or change the one of this name or id; returns the category.

    *fields* are Name and Status; an empty set adds. Raises KeyError, ValueError.
    """
    if unknown := set(fields) - {"Name", "Status"}:
        raise ValueError(f"A tracking option has no {', '.join(sorted(unknown))} to change.")
    categories = store.all(tenant, "tracking category")
    found = next((row for row in categories if category in (row["Name"], row["TrackingCategoryID"])), None)
    if found is None:
        raise KeyError(category)
    known = next((row for row in found["Options"] if name in (row["Name"], row["TrackingOptionID"])), None)
    if known is None:
        if fields:
            raise KeyError(name)
        found["Options"].append(_option(name, "ACTIVE"))
    elif not fields:
        raise ValueError(f"There is a tracking option {name} already.")
    else:
        before = known["Name"]
        changed = _option(fields.get("Name", before), fields.get("Status", known["Status"]))
        known |= {**changed, "TrackingOptionID": known["TrackingOptionID"]}
        _in_lines(store, tenant, lambda line: _renamed_tracking(line, found, "Option", before, known["Name"]))
    store.put(tenant, "tracking category", found["TrackingCategoryID"], found)
    return found


def follow(store: Store, tenant: str, kind: str, before: Document, after: Document) -> None:
    """Let documents show the new code or name of what they point at: Xero keeps ids, not codes. No UpdatedDateUTC moves."""
    if kind == "account" and before.get("Code") != after.get("Code"):
        _in_lines(store, tenant, lambda line: _replaced(line, "AccountID", after["AccountID"], AccountCode=after.get("Code", "")))
        for item in store.all(tenant, "item"):
            for side in ("SalesDetails", "PurchaseDetails"):
                if item.get(side, {}).get("AccountCode") == before.get("Code"):
                    item[side]["AccountCode"] = after.get("Code", "")
                    store.put(tenant, "item", item["ItemID"], item, item["Code"])
    if kind == "item" and (before["Code"], before.get("Name")) != (after["Code"], after.get("Name")):
        shown = {name: after.get(name, "") for name in ("ItemID", "Name", "Code")}
        _in_lines(store, tenant, lambda line: _replaced(line, "ItemCode", before["Code"], ItemCode=after["Code"], Item=shown))
    if kind == "tracking category" and before["Name"] != after["Name"]:
        _in_lines(store, tenant, lambda line: _renamed_tracking(line, after, "Name", before["Name"], after["Name"]))


def _contact(store: Store, tenant: str, id: str) -> Document:
    found = store.get(tenant, "contact", id)
    if found is None:
        raise KeyError(id)
    return found


def _in_lines(store: Store, tenant: str, change: Callable[[Document], bool]) -> None:
    for kind, id_name in LINED.items():
        for row in store.all(tenant, kind):
            if any([change(line) for line in row["LineItems"]]):
                store.put(tenant, kind, row[id_name], row, row.get(NUMBERS.get(kind, ""), ""))


def _replaced(line: Document, name: str, value: str, **fields: Any) -> bool:
    if line.get(name) != value:
        return False
    line |= fields
    return True


def _renamed_tracking(line: Document, category: Document, name: str, before: str, after: str) -> bool:
    changed = [
        row
        for row in line.get("Tracking", [])
        if row["TrackingCategoryID"] == category["TrackingCategoryID"] and row[name] == before
    ]
    for row in changed:
        row[name] = after
    return bool(changed)


# --- new ones ----------------------------------------------------------------------------------------------------------


def _account(store: Store, tenant: str, fields: Document) -> Document:
    type = fields.get("Type", "REVENUE")
    if type not in CLASSES:
        raise ValueError(f"Account Type {type!r} is not one of {', '.join(CLASSES)}.")
    return {
        "AccountID": str(uuid.uuid4()),
        "Status": "ACTIVE",
        "TaxType": "OUTPUT2" if CLASSES[type] == "REVENUE" else "NONE",
        "EnablePaymentsToAccount": False,
        "ShowInExpenseClaims": False,
        "ReportingCode": CLASSES[type][:3],
        "HasAttachments": False,
        "AddToWatchlist": False,
        **fields,
        "Type": type,
        "Class": CLASSES[type],
    }


def _tax_rate(store: Store, tenant: str, fields: Document) -> Document:
    rate = Decimal(fields.get("EffectiveRate", 0))
    return {
        "ReportTaxType": "OUTPUT",
        **{f"CanApplyTo{what}": True for what in ("Assets", "Equity", "Expenses", "Liabilities", "Revenue")},
        "DisplayTaxRate": rate,
        "EffectiveRate": rate,
        "Status": "ACTIVE",
        "TaxComponents": [{"Name": "Tax", "Rate": rate, "IsCompound": False, "IsNonRecoverable": False}],
        **fields,
    }


def _branding_theme(store: Store, tenant: str, fields: Document) -> Document:
    themes = store.all(tenant, "branding theme")
    return {
        "BrandingThemeID": str(uuid.uuid4()),
        "LogoUrl": "https://in.xero.com/logo",
        "Type": "INVOICE",
        "SortOrder": max((theme["SortOrder"] for theme in themes), default=-1) + 1,
        "CreatedDateUTC": themes[0]["CreatedDateUTC"],
        **fields,
    }


def _tracking_category(store: Store, tenant: str, fields: Document) -> Document:
    known = store.all(tenant, "tracking category")
    if len(known) >= MOST_CATEGORIES or sum(row["Status"] == "ACTIVE" for row in known) >= MOST_ACTIVE_CATEGORIES:
        raise ValueError(
            f"An organisation has at most {MOST_ACTIVE_CATEGORIES} active tracking categories, {MOST_CATEGORIES} in all."
        )
    options = [_option(row.get("Name", ""), "ACTIVE") for row in fields.get("Options", [])]
    return {"TrackingCategoryID": str(uuid.uuid4()), "Status": "ACTIVE", **fields, "Options": options}


def _option(name: str, status: str) -> Document:
    return {
        "TrackingOptionID": str(uuid.uuid4()),
        "Name": name,
        "Status": status,
        "HasValidationErrors": False,
        "IsDeleted": status == "DELETED",
        "IsArchived": status == "ARCHIVED",
        "IsActive": status == "ACTIVE",
    }


def _item(store: Store, tenant: str, fields: Document) -> Document:
    return {
        "ItemID": str(uuid.uuid4()),
        "Name": "",
        "IsSold": True,
        "IsPurchased": False,
        "IsTrackedAsInventory": False,
        "SalesDetails": {},
        "PurchaseDetails": {},
        **fields,
    }


def _currency(store: Store, tenant: str, fields: Document) -> Document:
    return {"Description": fields["Code"], **fields}


# kind → (xero-python's model, name of its id, what a new one needs, how it is made)
_NEW: dict[str, tuple[str, str, tuple[str, ...], Callable[[Store, str, Document], Document]]] = {
    "account": ("Account", "AccountID", ("Code", "Name"), _account),
    "tax rate": ("TaxRate", "TaxType", ("TaxType", "Name"), _tax_rate),
    "branding theme": ("BrandingTheme", "BrandingThemeID", ("Name",), _branding_theme),
    "tracking category": ("TrackingCategory", "TrackingCategoryID", ("Name",), _tracking_category),
    "item": ("Item", "ItemID", ("Code",), _item),
    "currency": ("Currency", "Code", ("Code",), _currency),
}


def _has_item(document: Document, code: str) -> bool:
    return any(line.get("ItemCode") == code for line in document["LineItems"])


def _has_theme(document: Document, id: str) -> bool:
    return bool(document.get("BrandingThemeID") == id)


# kind → (name of its id, what documents hold of it, whether a document does)
_REMOVABLE: dict[str, tuple[str, str, Callable[[Document, str], bool]]] = {
    "item": ("ItemID", "Code", _has_item),
    "branding theme": ("BrandingThemeID", "BrandingThemeID", _has_theme),
}
