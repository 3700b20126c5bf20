"""Payments (developer.xero.com accounting/payments): made and removed, never changed; a removed one stays, DELETED."""

import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from flask import request

from . import credit_rules, documents, invoice_rules, wire
from .call import Call, Refused
from .credit_rules import FAMILIES
from .documents import CREDIT_NOTES, Family
from .errors import Invalid, NotFound
from .store import Document

Answer = dict[str, Any] | Refused

PAYMENT_TYPES = {"ACCREC": "ACCRECPAYMENT", "ACCPAY": "ACCPAYPAYMENT"}
NOT_DELETABLE = "Payment not of valid status for modification"
IN_A_BATCH = "Payments created via batch payments cannot be deleted on their own; delete the batch payment."
BATCH_FIELDS = ("BatchPaymentID", "Account", "Type", "Status", "TotalAmount", "IsReconciled")


def listed(call: Call) -> Answer:
    """GET /Payments: with where, order, paging, If-Modified-Since; deleted ones included."""
    rows = call.selected(call.store.all(call.tenant, "payment"), "Payment", order="UpdatedDateUTC ASC, PaymentID ASC")
    page, pagination = call.page(rows)
    return {**pagination, "Payments": [_shown(call, row) for row in page]}


def single(call: Call, id: str) -> Answer:
    """GET /Payments/{PaymentID}."""
    return {"Payments": [_shown(call, _found(call, id))]}


def create(call: Call) -> Answer:
    """PUT (or POST) /Payments: pay invoices, refund credits."""
    return call.write_each("Payments", call.elements("Payments", "Payment"), lambda row: _written(call, pay(call, row)), _echo)


def delete(call: Call, id: str) -> Answer:
    """POST /Payments/{PaymentID} `{"Status": "DELETED"}`: take a payment back."""
    known = _found(call, id)

    def write(row: Document) -> Document:
        if row.get("Status") != "DELETED":
            raise Invalid(NOT_DELETABLE)
        if known.get("BatchPaymentID"):
            raise Invalid(IN_A_BATCH)
        return _written(call, take_back(call, known))

    return call.write_each("Payments", call.elements("Payments", "Payment"), write, _echo)


def pay(call: Call, row: Mapping[str, Any], batch_id: str = "") -> Document:
    """Pay an invoice or refund a credit, and return the stored payment; raises Invalid with everything that is wrong."""
    family, target = _target(call, row)
    account = account_of(call, row)
    amount, day = Decimal(row.get("Amount", 0)), row.get("Date") or call.today().isoformat()
    problems = _problems(target, amount) + account_problems(account)
    if locked := invoice_rules.lock_problem(call, day):
        problems.append(locked)
    if problems or account is None:
        raise Invalid(*problems)
    rate = Decimal(row.get("CurrencyRate") or target["CurrencyRate"])
    payment: Document = {
        "PaymentID": str(uuid.uuid4()),
        "Date": day,
        "BankAmount": amount,
        "Amount": amount,
        "Reference": row.get("Reference", ""),
        "CurrencyRate": rate,
        "PaymentType": credit_rules.SIDES[target["Type"]][1] if family else PAYMENT_TYPES[target["Type"]],
        "Status": "AUTHORISED",
        "HasAccount": True,
        "IsReconciled": row.get("IsReconciled", False),
        **{name: row[name] for name in ("BankAccountNumber", "Particulars", "Details") if row.get(name)},
        "Account": {"AccountID": account["AccountID"]},
        **_pointer(family, target),
    }
    if batch_id:
        payment |= {"BatchPaymentID": batch_id, "BatchPayment": {"BatchPaymentID": batch_id}}
    if (account.get("CurrencyCode") or call.organisation["BaseCurrency"]) != target["CurrencyCode"]:
        payment["BankAmount"] = wire.money(amount / rate)
    _apply(call, payment, amount)
    return _kept(call, payment)


def take_back(call: Call, payment: Document) -> Document:
    """Mark a payment as DELETED and let its document be owed again; raises Invalid for one already removed."""
    if payment["Status"] == "DELETED":
        raise Invalid(NOT_DELETABLE)
    _apply(call, payment, -Decimal(payment["Amount"]))
    return _kept(call, {**payment, "Status": "DELETED"})


def account_of(call: Call, row: Mapping[str, Any]) -> Document | None:
    """Return the account a payment names by AccountID or Code, or None."""
    named = row.get("Account", {})
    if named.get("AccountID"):
        return call.document("account", named["AccountID"])
    code = named.get("Code") or row.get("Code")
    return next(iter(call.store.find(call.tenant, "account", code)), None) if code else None


def account_problems(account: Document | None) -> list[str]:
    """Return why nothing can be paid into this account: it must be a bank account or be enabled for payments."""
    if account is None or account["Status"] != "ACTIVE":
        return ["The payment account could not be found"]
    if account["Type"] != "BANK" and not account["EnablePaymentsToAccount"]:
        return [f"Account code '{account.get('Code', '')}' is not a valid code for this document."]
    return []


def shown_in_document(payment: Document) -> Document:
    """Write a payment as the invoice or credit it belongs to lists it."""
    return wire.pruned(
        {
            "PaymentID": payment["PaymentID"],
            "BatchPaymentID": payment.get("BatchPaymentID"),
            "Date": wire.ms_day(payment["Date"]),
            "Amount": payment["Amount"],
            "Reference": payment.get("Reference"),
            "CurrencyRate": payment["CurrencyRate"],
            "HasAccount": False,
            "HasValidationErrors": False,
        }
    )


def _found(call: Call, id: str) -> Document:
    found = call.document("payment", id)
    if found is None:
        raise NotFound(request.path)
    return found


def _target(call: Call, row: Mapping[str, Any]) -> tuple[Family | None, Document]:
    """Return what is paid: an invoice, or a credit with its family; raises Invalid."""
    for family in FAMILIES:
        named = row.get(family.model, {})
        id = named.get(family.id_name) or named.get("CreditNoteNumber")
        if family is CREDIT_NOTES and not id:
            id = row.get("CreditNoteNumber")
        if id:
            try:
                return family, documents.found(call, family, id)
            except NotFound:
                raise Invalid(documents.NOT_FOUND) from None
    return None, credit_rules.invoice_of(call, {"InvoiceNumber": row.get("InvoiceNumber"), **row.get("Invoice", {})})


def _pointer(family: Family | None, target: Document) -> Document:
    if family is None:
        return {"Invoice": {"InvoiceID": target["InvoiceID"]}}
    return {family.model: {family.id_name: target[family.id_name]}}


def _problems(target: Document, amount: Decimal) -> list[str]:
    problems: list[str] = []
    if target["Status"] != "AUTHORISED":
        problems.append("Payments can only be made against Authorised documents")
    elif amount > (target["AmountDue"] if "AmountDue" in target else target["RemainingCredit"]):
        problems.append("Payment amount exceeds the amount outstanding on this document")
    if amount <= 0 or amount != wire.money(amount):
        problems.append("Payment amount must be greater than zero and have at most 2 decimal places")
    return problems


def _apply(call: Call, payment: Document, amount: Decimal) -> None:
    """Let a payment (or, negative, its removal) move what it pays."""
    family = next((family for family in FAMILIES if family.model in payment), None)
    if family is None:
        invoice = call.document("invoice", payment["Invoice"]["InvoiceID"])
        assert invoice is not None, "a payment keeps its invoice"
        invoice_rules.apply_payment(call, invoice, amount, payment["Date"])
    else:
        credit = documents.found(call, family, payment[family.model][family.id_name])
        credit_rules.spend(call, family, credit, amount, payment["Date"])


def _kept(call: Call, payment: Document) -> Document:
    payment = {**payment, "UpdatedDateUTC": call.sandbox.clock.stamp()}
    call.store.put(call.tenant, "payment", payment["PaymentID"], payment, target_id(payment))
    return payment


def target_id(payment: Document) -> str:
    """Return the id of the document a payment belongs to: the key it is found by."""
    for name, id_name in (("Invoice", "InvoiceID"), *((family.model, family.id_name) for family in FAMILIES)):
        if name in payment:
            return str(payment[name][id_name])
    raise KeyError(payment["PaymentID"])


def _written(call: Call, payment: Document) -> Document:
    return {**_shown(call, payment), "ValidationErrors": []}


def _shown(call: Call, payment: Document) -> Document:
    account = call.read(payment, ["Account"])
    return {
        **wire.pruned(payment),
        "Date": wire.ms_day(payment["Date"]),
        "UpdatedDateUTC": wire.ms(payment["UpdatedDateUTC"]),
        "HasValidationErrors": False,
        "Account": wire.pruned({"AccountID": account["AccountID"], "Code": account.get("Code")}),
        **({"BatchPayment": _batch(call.read(payment, ["BatchPayment"]))} if "BatchPayment" in payment else {}),
        **_shown_target(call, payment),
    }


def _batch(batch: Document) -> Document:
    return {
        **{name: batch[name] for name in BATCH_FIELDS},
        "Date": wire.ms_day(batch["Date"]),
        "UpdatedDateUTC": wire.ms(batch["UpdatedDateUTC"]),
    }


def _shown_target(call: Call, payment: Document) -> Document:
    """Write what was paid as a payment shows it, by its name."""
    name = next(name for name in ("Invoice", *(family.model for family in FAMILIES)) if name in payment)
    target = call.read(payment, [name])
    contact = call.read(target, ["Contact"])
    short = {
        "Contact": {
            "ContactID": contact["ContactID"],
            "Name": contact["Name"],
            **{name: [] for name in ("Addresses", "Phones", "ContactGroups", "ContactPersons")},
            "HasValidationErrors": False,
        },
        "LineItems": [],
        "CurrencyCode": target["CurrencyCode"],
    }
    if name == "Invoice":
        return {
            name: {
                "Type": target["Type"],
                "InvoiceID": target["InvoiceID"],
                "InvoiceNumber": target.get("InvoiceNumber", ""),
                **{name: [] for name in ("Payments", "CreditNotes", "Prepayments", "Overpayments", "InvoiceAddresses")},
                "IsDiscounted": False,
                "HasErrors": False,
                "InvoicePaymentServices": [],
                **short,
            }
        }
    family = next(family for family in FAMILIES if family.model == name)
    id = target[family.id_name]
    number = {"CreditNoteNumber": target.get("CreditNoteNumber", ""), "HasErrors": False} if family is CREDIT_NOTES else {}
    return {name: {"Type": target["Type"], family.id_name: id, "ID": id, **number, **short}}


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
