"""Payments (developer.xero.com accounting/payments): made and removed, never changed; a removed one stays, DELETED."""

import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from flask import request

from . import invoice_rules, wire
from .call import Call, Refused
from .errors import Invalid, NotFound
from .store import Document

Answer = dict[str, Any] | Refused

PAYMENT_TYPES = {"ACCREC": "ACCRECPAYMENT", "ACCPAY": "ACCPAYPAYMENT"}


def listed(call: Call) -> Answer:
    """GET /Payments: with where, order, paging, If-Modified-Since; deleted ones included."""
    rows = call.selected(call.store.all(call.tenant, "payment"), "Payment", order="UpdatedDateUTC ASC, PaymentID ASC")
    page, pagination = call.page(rows)
    return {**pagination, "Payments": [_shown(call, row) for row in page]}


def single(call: Call, id: str) -> Answer:
    """GET /Payments/{PaymentID}."""
    return {"Payments": [_shown(call, _found(call, id))]}


def create(call: Call) -> Answer:
    """PUT (or POST) /Payments: pay invoice_rules."""
    return call.write_each("Payments", call.elements("Payments", "Payment"), lambda row: _paid(call, row), _echo)


def delete(call: Call, id: str) -> Answer:
    """POST /Payments/{PaymentID} `{"Status": "DELETED"}`: take a payment back."""
    known = _found(call, id)

    def write(row: Document) -> Document:
        if row.get("Status") != "DELETED" or known["Status"] == "DELETED":
            raise Invalid("Payment not of valid status for modification")
        invoice = call.document("invoice", known["Invoice"]["InvoiceID"])
        assert invoice is not None, "a payment keeps its invoice"
        invoice_rules.apply_payment(call, invoice, -Decimal(known["Amount"]), known["Date"])
        return _kept(call, {**known, "Status": "DELETED"})

    return call.write_each("Payments", call.elements("Payments", "Payment"), write, _echo)


def _found(call: Call, id: str) -> Document:
    found = call.document("payment", id)
    if found is None:
        raise NotFound(request.path)
    return found


def _paid(call: Call, row: Mapping[str, Any]) -> Document:
    invoice, account = _invoice(call, row), _account(call, row)
    amount, day = Decimal(row.get("Amount", 0)), row.get("Date") or call.today().isoformat()
    problems: list[str] = []
    if invoice["Status"] != "AUTHORISED":
        problems.append("Payments can only be made against Authorised documents")
    elif amount > invoice["AmountDue"]:
        problems.append("Payment amount exceeds the amount outstanding on this document")
    if amount <= 0 or amount != wire.money(amount):
        problems.append("Payment amount must be greater than zero and have at most 2 decimal places")
    if account is None or account["Status"] != "ACTIVE":
        problems.append("The payment account could not be found")
    elif account["Type"] != "BANK" and not account["EnablePaymentsToAccount"]:
        problems.append(f"Account code '{account.get('Code', '')}' is not a valid code for this document.")
    if locked := invoice_rules.lock_problem(call, day):
        problems.append(locked)
    if problems or account is None:
        raise Invalid(*problems)
    rate = Decimal(row.get("CurrencyRate") or invoice["CurrencyRate"])
    payment = {
        "PaymentID": str(uuid.uuid4()),
        "Date": day,
        "BankAmount": amount,
        "Amount": amount,
        "Reference": row.get("Reference", ""),
        "CurrencyRate": rate,
        "PaymentType": PAYMENT_TYPES[invoice["Type"]],
        "Status": "AUTHORISED",
        "HasAccount": True,
        "IsReconciled": row.get("IsReconciled", False),
        "Account": {"AccountID": account["AccountID"]},
        "Invoice": {"InvoiceID": invoice["InvoiceID"]},
    }
    if (account.get("CurrencyCode") or call.organisation["BaseCurrency"]) != invoice["CurrencyCode"]:
        payment["BankAmount"] = wire.money(amount / rate)
    invoice_rules.apply_payment(call, invoice, amount, day)
    return _kept(call, payment)


def _invoice(call: Call, row: Mapping[str, Any]) -> Document:
    named = row.get("Invoice", {})
    found = call.document("invoice", named["InvoiceID"]) if named.get("InvoiceID") else None
    number = named.get("InvoiceNumber") or row.get("InvoiceNumber")
    if found is None and number:
        found = next(iter(call.store.find(call.tenant, "invoice", number)), None)
    if found is None:
        raise Invalid(invoice_rules.NOT_FOUND)
    return found


def _account(call: Call, row: Mapping[str, Any]) -> Document | None:
    named = row.get("Account", {})
    if named.get("AccountID"):
        return call.document("account", named["AccountID"])
    code = named.get("Code") or row.get("Code")
    return next(iter(call.store.find(call.tenant, "account", code)), None) if code else None


def _kept(call: Call, payment: Document) -> Document:
    payment = {**payment, "UpdatedDateUTC": call.sandbox.clock.stamp()}
    call.store.put(call.tenant, "payment", payment["PaymentID"], payment, payment["Invoice"]["InvoiceID"])
    return {**_shown(call, payment), "ValidationErrors": []}


def _shown(call: Call, payment: Document) -> Document:
    invoice, account = call.read(payment, ["Invoice"]), call.read(payment, ["Account"])
    contact = call.read(invoice, ["Contact"])
    return {
        **wire.pruned(payment),
        "Date": wire.ms_day(payment["Date"]),
        "UpdatedDateUTC": wire.ms(payment["UpdatedDateUTC"]),
        "HasValidationErrors": False,
        "Account": wire.pruned({"AccountID": account["AccountID"], "Code": account.get("Code")}),
        "Invoice": {
            "Type": invoice["Type"],
            "InvoiceID": invoice["InvoiceID"],
            "InvoiceNumber": invoice.get("InvoiceNumber", ""),
            **{name: [] for name in ("Payments", "CreditNotes", "Prepayments", "Overpayments", "InvoiceAddresses")},
            "IsDiscounted": False,
            "HasErrors": False,
            "InvoicePaymentServices": [],
            "Contact": {
                "ContactID": contact["ContactID"],
                "Name": contact["Name"],
                **{name: [] for name in ("Addresses", "Phones", "ContactGroups", "ContactPersons")},
                "HasValidationErrors": False,
            },
            "LineItems": [],
            "CurrencyCode": invoice["CurrencyCode"],
        },
    }


def _echo(row: Mapping[str, Any], problem: Invalid) -> Document:
    shown = {
        "PaymentID": wire.EMPTY_GUID,
        **row,
        "HasValidationErrors": True,
        "ValidationErrors": wire.messages(problem.problems),
    }
    if row.get("Date"):
        shown["Date"] = wire.ms_day(row["Date"])
    return shown
