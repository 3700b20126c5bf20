"""The lines of a document: defaults from item and account, the checks Xero makes, amounts and tax."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from . import items, totals
from .call import Call
from .store import Document
from .wire import money

LONGEST_DESCRIPTION, LONGEST_ITEM_CODE, MOST_TRACKING = 4000, 30, 2
AMOUNT_FIELDS = ("Quantity", "UnitAmount", "LineAmount", "DiscountRate", "DiscountAmount", "TaxType", "AccountCode", "ItemCode")
# A line with none of these is a note.
CODED_FIELDS = (*AMOUNT_FIELDS, "AccountID", "TaxAmount")
SALES = ("ACCREC", "ACCRECCREDIT", "RECEIVE-PREPAYMENT")
# System accounts a line may be coded to; the others belong to Xero.
OPEN_SYSTEM_ACCOUNTS = ("", "ROUNDING", None)
APPLIES = {
    "REVENUE": "CanApplyToRevenue",
    "EXPENSE": "CanApplyToExpenses",
    "ASSET": "CanApplyToAssets",
    "LIABILITY": "CanApplyToLiabilities",
    "EQUITY": "CanApplyToEquity",
}


@dataclass
class Lines:
    """The lines as Xero would keep them, with the problems of each by its position."""

    rows: list[Document] = field(default_factory=list)
    problems: dict[int, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Terms:
    """What the lines must know about their document."""

    type: str
    line_amount_types: str
    approved: bool

    @property
    def is_sale(self) -> bool:
        """Whether the lines sell: a sales invoice, its credit note, money received in advance."""
        return self.type in SALES

    @property
    def is_discountable(self) -> bool:
        """Whether the lines may be discounted: on sales invoices alone."""
        return self.type == "ACCREC"


def built(call: Call, terms: Terms, sent: Sequence[Mapping[str, Any]], known: Sequence[Document]) -> Lines:
    """Build the lines of a document from those sent.

    A line sent with a LineItemID updates that line; without one it is created; a known line not sent is gone.
    """
    lines, by_id = Lines(), {line["LineItemID"].lower(): line for line in known}
    for index, row in enumerate(sent):
        before = by_id.get(row.get("LineItemID", "").lower(), {})
        problems: list[str] = []
        lines.rows.append(_line(call, terms, row, before, problems))
        if problems:
            lines.problems[index] = problems
    return lines


def _line(call: Call, terms: Terms, sent: Mapping[str, Any], before: Document, problems: list[str]) -> Document:
    changed = [name for name in AMOUNT_FIELDS if name in sent and sent[name] != before.get(name)]
    kept = {name: value for name, value in before.items() if name not in ("LineAmount", "TaxAmount", "Item") or not changed}
    row = {**kept, **{name: value for name, value in sent.items() if value != ""}}
    line: Document = {"LineItemID": before.get("LineItemID") or str(uuid.uuid4())}
    item = _item(call, terms, row, problems)
    account = _account(call, terms, row, item, problems)
    uncoded = account is None and not problems
    line["Description"] = row.get("Description") or _side(item, terms, "Description")
    if not 1 <= len(line["Description"] or "") <= LONGEST_DESCRIPTION:
        problems.append(f"Description must be between 1 and {LONGEST_DESCRIPTION} characters long")
    line["Tracking"] = _tracking(call, row.get("Tracking", []), problems)
    if not any(name in row for name in CODED_FIELDS):
        return line
    if item:
        line |= {"ItemCode": item["Code"], "Item": {name: item.get(name, "") for name in ("ItemID", "Name", "Code")}}
    if account:
        line |= {"AccountCode": account.get("Code", ""), "AccountID": account["AccountID"]}
    elif terms.approved and uncoded:
        problems.append("Account code must be specified for every line of an approved or submitted document")
    line |= _amounts(call, terms, row, item, problems)
    rate = _tax_type(call, terms, row, item, account, line, problems)
    if row.get("TaxAmount") is not None and terms.line_amount_types != "NoTax":
        line["TaxAmount"] = money(Decimal(row["TaxAmount"]))
    else:
        line["TaxAmount"] = totals.line_tax(Decimal(line["LineAmount"]), rate, terms.line_amount_types)
    return line


def _item(call: Call, terms: Terms, row: Mapping[str, Any], problems: list[str]) -> Document | None:
    code = row.get("ItemCode", "")
    if len(code) > LONGEST_ITEM_CODE:
        problems.append(f"Item Code must not be more than {LONGEST_ITEM_CODE} characters long.")
        return None
    item = items.by_code(call, code)
    if code and (item is None or not item["IsSold" if terms.is_sale else "IsPurchased"]):
        problems.append(f"Item code '{code}' is not valid")
    return item


def _side(item: Document | None, terms: Terms, name: str) -> Any:
    if item is None:
        return None
    if name == "Description":
        return item.get("Description") if terms.is_sale else item.get("PurchaseDescription") or item.get("Description")
    return item["SalesDetails" if terms.is_sale else "PurchaseDetails"].get(name)


def _account(call: Call, terms: Terms, row: Mapping[str, Any], item: Document | None, problems: list[str]) -> Document | None:
    if id := row.get("AccountID"):
        account, named = call.document("account", id), id
    else:
        named = row.get("AccountCode") or _side(item, terms, "AccountCode")
        if not named:
            return None
        account = next(iter(call.store.find(call.tenant, "account", named)), None)
    if account is None or account["Type"] == "BANK" or account.get("SystemAccount") not in OPEN_SYSTEM_ACCOUNTS:
        problems.append(f"Account code '{named}' is not a valid code for this document.")
        return account
    if account["Status"] != "ACTIVE":
        problems.append(
            f"Account code '{named}' has been archived, or has been deleted. Each line item must reference a valid account."
        )
    return account


def _tax_type(
    call: Call,
    terms: Terms,
    row: Mapping[str, Any],
    item: Document | None,
    account: Document | None,
    line: Document,
    problems: list[str],
) -> Decimal:
    """Settle the line's TaxType (its own, the item's, the account's) and return its rate in per cent."""
    default = _side(item, terms, "TaxType") or (account or {}).get("TaxType")
    tax_type = "NONE" if terms.line_amount_types == "NoTax" else row.get("TaxType") or default
    if not tax_type:
        return Decimal(0)
    line["TaxType"] = tax_type
    rate = call.document("tax rate", tax_type)
    if rate is None or rate["Status"] != "ACTIVE":
        problems.append(f"The TaxType code {tax_type} does not exist or cannot be used for this type of transaction.")
        return Decimal(0)
    if account and terms.line_amount_types != "NoTax" and not rate[APPLIES[account["Class"]]]:
        problems.append(f"The TaxType code '{tax_type}' cannot be used with account code '{account.get('Code', '')}'.")
    return Decimal(rate["EffectiveRate"])


def _amounts(call: Call, terms: Terms, row: Mapping[str, Any], item: Document | None, problems: list[str]) -> Document:
    quantity = totals.quantity(Decimal(row.get("Quantity", 1)))
    given, unit = row.get("LineAmount"), row.get("UnitAmount", _side(item, terms, "UnitPrice"))
    if unit is None and given is not None:
        unit = Decimal(given) / quantity if quantity else Decimal(given)
    unit = totals.unit_amount(Decimal(unit or 0), call.places)
    rate, amount = (None if row.get(name) is None else Decimal(row[name]) for name in ("DiscountRate", "DiscountAmount"))
    if (rate or amount) and not terms.is_discountable:
        problems.append("Discounts can only be applied to ACCREC invoices")
    if rate is not None and not 0 <= rate <= 100:
        problems.append("DiscountRate must be between 0 and 100")
    if amount is not None and (amount < 0 or rate):
        problems.append("DiscountAmount must not be negative, nor be combined with a DiscountRate")
    expected = totals.line_amount(quantity, unit, rate, amount)
    if given is not None and money(Decimal(given)) != expected and "UnitAmount" in row:
        problems.append(f"The line total {money(Decimal(given))} does not match the expected line total {expected}")
    if abs(expected) > totals.LARGEST_LINE:
        problems.append(f"The line total {expected} must not be more than {totals.LARGEST_LINE}")
    return {
        "Quantity": quantity,
        "UnitAmount": unit,
        "LineAmount": money(Decimal(given)) if given is not None and "UnitAmount" not in row else expected,
        **({"DiscountRate": rate} if rate else {}),
        **({"DiscountAmount": amount} if amount else {}),
    }


def _tracking(call: Call, sent: list[Mapping[str, Any]], problems: list[str]) -> list[Document]:
    """Return the tracking of a line as Xero keeps it: at most two categories, one active option of each."""
    if len(sent) > MOST_TRACKING:
        problems.append(f"A line item can have at most {MOST_TRACKING} tracking categories")
    kept: list[Document] = []
    categories = call.store.all(call.tenant, "tracking category") if sent else []
    for row in sent:
        category = _named(categories, row, "TrackingCategoryID", "Name")
        if category is None or category["Status"] != "ACTIVE":
            problems.append(f"The tracking category '{row.get('Name') or row.get('TrackingCategoryID')}' is not valid")
            continue
        option = _named(category["Options"], row, "TrackingOptionID", "Option")
        if option is None or option["Status"] != "ACTIVE":
            problems.append(
                f"The tracking option '{row.get('Option') or row.get('TrackingOptionID')}' "
                f"is not valid for the tracking category '{category['Name']}'"
            )
            continue
        if any(other["TrackingCategoryID"] == category["TrackingCategoryID"] for other in kept):
            problems.append(f"The tracking category '{category['Name']}' can only be used once on a line item")
        kept.append({"Name": category["Name"], "Option": option["Name"], "TrackingCategoryID": category["TrackingCategoryID"]})
    return kept


def _named(rows: list[Document], sent: Mapping[str, Any], id_name: str, name: str) -> Document | None:
    if id := sent.get(id_name):
        return next((row for row in rows if row[id_name].lower() == id.lower()), None)
    return next((row for row in rows if row["Name"].casefold() == str(sent.get(name, "")).casefold()), None)


def shown(line: Document, places: int) -> Document:
    """Write one line of an answer; the unit price with 2 or 4 decimal places."""
    answer = dict(line)
    if "UnitAmount" in line:
        answer["UnitAmount"] = totals.unit_amount(Decimal(line["UnitAmount"]), places)
    answer["Tracking"] = [{**row, "Options": []} for row in line["Tracking"]]
    return answer
