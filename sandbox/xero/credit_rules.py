"""What credit notes, overpayments and prepayments have in common: a remaining credit, allocated to invoices or refunded.

Source: developer.xero.com accounting/creditnotes, overpayments, prepayments; the words of a message are Xero's where they
are known (those of a refused allocation are quoted in github.com/waynerobinson/xeroizer issue 320).
"""

import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from . import invoice_rules, wire
from .call import Call
from .documents import CREDIT_NOTES, NOT_FOUND, OVERPAYMENTS, PREPAYMENTS, Family, found
from .errors import Invalid, NotFound
from .store import Document

PAID_OFF = "The invoice you are trying to allocate to has already been paid off"


FAMILIES = (CREDIT_NOTES, OVERPAYMENTS, PREPAYMENTS)

# fmt: off
# Type of the credit → type of the invoices it may be allocated to, type of the payment that refunds it
SIDES: dict[str, tuple[str, str]] = {
    "ACCRECCREDIT":        ("ACCREC", "ARCREDITPAYMENT"),
    "ACCPAYCREDIT":        ("ACCPAY", "APCREDITPAYMENT"),
    "RECEIVE-OVERPAYMENT": ("ACCREC", "AROVERPAYMENTPAYMENT"),
    "SPEND-OVERPAYMENT":   ("ACCPAY", "APOVERPAYMENTPAYMENT"),
    "RECEIVE-PREPAYMENT":  ("ACCREC", "ARPREPAYMENTPAYMENT"),
    "SPEND-PREPAYMENT":    ("ACCPAY", "APPREPAYMENTPAYMENT"),
}
# fmt: on


def allocate(call: Call, family: Family, id: str, row: Mapping[str, Any]) -> Document:
    """Allocate a part of a credit to an invoice and return the allocation; raises Invalid with everything that is wrong."""
    credit, invoice = found(call, family, id), invoice_of(call, row.get("Invoice", {}))
    amount = Decimal(row.get("Amount", 0))
    # What the caller sends as Date is passed over: it is the later of the two.
    day = max(credit["Date"], invoice["Date"])
    if problems := _problems(call, family, credit, invoice, amount, day):
        raise Invalid(*problems)
    allocation = {
        "AllocationID": str(uuid.uuid4()),
        "Amount": amount,
        "Date": day,
        "Invoice": {"InvoiceID": invoice["InvoiceID"]},
    }
    shown = [*invoice.get(family.plural, []), _on_invoice(family, credit, allocation)]
    invoice_rules.apply_credit(call, invoice, amount, day, {family.plural: shown})
    spend(call, family, {**credit, "Allocations": [*credit["Allocations"], allocation]}, amount, day)
    return allocation


def take_back(call: Call, family: Family, id: str, allocation_id: str) -> Document:
    """Delete an allocation: the invoice is owed again, the credit is there again; raises NotFound, Invalid (a locked period)."""
    credit = found(call, family, id)
    allocations: list[Document] = credit["Allocations"]
    known = next((row for row in allocations if row["AllocationID"].lower() == allocation_id.lower()), None)
    if known is None:
        raise NotFound(f"{family.plural}/{id}/Allocations/{allocation_id}")
    if locked := invoice_rules.lock_problem(call, known["Date"]):
        raise Invalid(locked)
    invoice = call.document("invoice", known["Invoice"]["InvoiceID"])
    assert invoice is not None, "an allocation keeps its invoice"
    amount = -Decimal(known["Amount"])
    shown = [row for row in invoice.get(family.plural, []) if row.get("_allocation") != known["AllocationID"]]
    invoice_rules.apply_credit(call, invoice, amount, known["Date"], {family.plural: shown})
    rest = [row for row in allocations if row["AllocationID"] != known["AllocationID"]]
    spend(call, family, {**credit, "Allocations": rest}, amount, known["Date"])
    return known


def spend(call: Call, family: Family, credit: Document, amount: Decimal, day: str) -> None:
    """Let an allocation or refund (or, negative, its removal) move RemainingCredit and Status."""
    changed = {**credit, "RemainingCredit": Decimal(credit["RemainingCredit"]) - amount, "Status": "AUTHORISED"}
    changed.pop("FullyPaidOnDate", None)
    if changed["RemainingCredit"] == 0:
        changed["Status"] = "PAID"
        if family is CREDIT_NOTES:
            changed["FullyPaidOnDate"] = day
    keep(call, family, changed)


def keep(call: Call, family: Family, credit: Document) -> Document:
    """Store a credit; its UpdatedDateUTC moves."""
    credit = {**credit, "UpdatedDateUTC": call.sandbox.clock.stamp()}
    call.store.put(call.tenant, family.kind, credit[family.id_name], credit, credit.get("CreditNoteNumber", ""))
    return credit


def invoice_of(call: Call, named: Mapping[str, Any]) -> Document:
    """Return the invoice named by InvoiceID or InvoiceNumber; raises Invalid."""
    invoice = call.document("invoice", named["InvoiceID"]) if named.get("InvoiceID") else None
    if invoice is None and named.get("InvoiceNumber"):
        invoice = next(iter(call.store.find(call.tenant, "invoice", named["InvoiceNumber"])), None)
    if invoice is None:
        raise Invalid(NOT_FOUND)
    return invoice


def _problems(call: Call, family: Family, credit: Document, invoice: Document, amount: Decimal, day: str) -> list[str]:
    problems: list[str] = []
    if credit["Status"] not in ("AUTHORISED", "PAID"):
        problems.append(f"{family.words} must have a status of AUTHORISED to be allocated")
    if invoice["Status"] == "PAID":
        problems.append(PAID_OFF)
    elif invoice["Status"] != "AUTHORISED":
        problems.append(f"{family.words} can only be allocated to an invoice with a status of AUTHORISED")
    if amount <= 0 or amount != wire.money(amount):
        problems.append("Amount must be greater than zero and have at most 2 decimal places")
    if amount > credit["RemainingCredit"] or amount > invoice["AmountDue"]:
        problems.append(f"{family.words} cannot be allocated as amount is greater than amount outstanding")
    if SIDES[credit["Type"]][0] != invoice["Type"]:
        problems.append(f"{family.words} cannot be allocated to an incorrect invoice type")
    if credit["Contact"]["ContactID"] != invoice["Contact"]["ContactID"]:
        problems.append(f"{family.words} cannot be allocated to an invoice of another contact")
    if credit["CurrencyCode"] != invoice["CurrencyCode"]:
        problems.append(f"{family.words} cannot be allocated to an invoice in another currency")
    if locked := invoice_rules.lock_problem(call, day):
        problems.append(locked)
    return problems


def _on_invoice(family: Family, credit: Document, allocation: Document) -> Document:
    """Return an allocation as the invoice lists it, under the name of the credit."""
    number = {"CreditNoteNumber": credit["CreditNoteNumber"]} if credit.get("CreditNoteNumber") else {}
    errors = {"HasErrors": False, "InvoiceAddresses": []} if family is CREDIT_NOTES else {}
    return {
        family.id_name: credit[family.id_name],
        **number,
        "ID": credit[family.id_name],
        **errors,
        "AppliedAmount": allocation["Amount"],
        "Date": credit["Date"],
        "LineItems": [],
        "Total": credit["Total"],
        "_allocation": allocation["AllocationID"],
    }
