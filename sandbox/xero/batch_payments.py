"""Batch payments (developer.xero.com accounting/batchpayments): several invoices or bills paid at once, removed at once."""

import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from flask import request

from . import credit_rules, documents, payments, wire
from .call import Call, Refused
from .errors import Invalid, NotFound
from .store import Document

Answer = dict[str, Any] | Refused

BATCH_TYPES = {"ACCREC": "RECBATCH", "ACCPAY": "PAYBATCH"}
LENGTHS = {"Reference": 255, "Particulars": 12, "Code": 12, "Details": 18, "Narrative": 18}
OF_PAYMENT = ("BankAccountNumber", "Particulars", "Code", "Reference", "Details")


# --- endpoints ---------------------------------------------------------------------------------------------------------


def listed(call: Call) -> Answer:
    """GET /BatchPayments: unpaged, with where, order, If-Modified-Since; deleted ones included."""
    rows = call.store.all(call.tenant, "batch payment")
    rows = call.selected(rows, "BatchPayment", order="UpdatedDateUTC ASC, BatchPaymentID ASC")
    return {"BatchPayments": [_shown(call, row) for row in rows]}


def single(call: Call, id: str) -> Answer:
    """GET /BatchPayments/{BatchPaymentID}."""
    return {"BatchPayments": [_shown(call, found(call, id))]}


def create(call: Call) -> Answer:
    """PUT /BatchPayments: all payments of a batch, or none."""
    rows = call.elements("BatchPayments", "BatchPayment")
    return call.write_each("BatchPayments", rows, lambda row: _shown(call, pay(call, row)), _echo)


def delete(call: Call) -> Answer:
    """POST /BatchPayments `{"BatchPaymentID", "Status": "DELETED"}`."""

    def write(row: Document) -> Document:
        known = call.document("batch payment", row.get("BatchPaymentID", ""))
        if known is None:
            raise Invalid(documents.NOT_FOUND)
        return _deleted(call, known, row)

    return call.write_each("BatchPayments", call.elements("BatchPayments", "BatchPaymentDelete"), write, _echo)


def delete_one(call: Call, id: str) -> Answer:
    """POST /BatchPayments/{BatchPaymentID} `{"Status": "DELETED"}`."""
    known = found(call, id)
    rows = call.elements("BatchPayments", "BatchPaymentDelete")
    return call.write_each("BatchPayments", rows, lambda row: _deleted(call, known, row), _echo)


def found(call: Call, id: str) -> Document:
    """Return a batch payment by its id; raises NotFound."""
    batch = call.document("batch payment", id)
    if batch is None:
        raise NotFound(request.path)
    return batch


def _deleted(call: Call, batch: Document, row: Mapping[str, Any]) -> Document:
    if row.get("Status") != "DELETED":
        raise Invalid(payments.NOT_DELETABLE)
    return _shown(call, take_back(call, batch))


def _shown(call: Call, batch: Document) -> Document:
    account = call.read(batch, ["Account"])
    shown = wire.dated(batch)
    shown.pop("UpdatedDateUTCString")
    currency = call.organisation["BaseCurrency"]
    return {
        **shown,
        "Account": {"AccountID": account["AccountID"], "CurrencyCode": account.get("CurrencyCode", currency)},
        "Payments": [_payment(payment) for payment in _payments(call, batch) if payment["Status"] == "AUTHORISED"],
        "ValidationErrors": [],
    }


def _payment(payment: Document) -> Document:
    return {
        "Invoice": {
            "InvoiceID": payment["Invoice"]["InvoiceID"],
            **{name: [] for name in ("Payments", "CreditNotes", "Prepayments", "Overpayments", "LineItems")},
            "HasErrors": False,
            "IsDiscounted": False,
        },
        "PaymentID": payment["PaymentID"],
        **{name: payment[name] for name in OF_PAYMENT if payment.get(name)},
        "Amount": payment["Amount"],
        "BankAmount": payment["BankAmount"],
    }


def _payments(call: Call, batch: Document) -> list[Document]:
    found = [call.document("payment", id) for id in batch["_payments"]]
    return [payment for payment in found if payment is not None]


def _echo(row: Mapping[str, Any], problem: Invalid) -> Document:
    shown = {"BatchPaymentID": wire.EMPTY_GUID, **row, "ValidationErrors": wire.messages(problem.problems)}
    if row.get("Date"):
        shown["Date"] = wire.ms_day(row["Date"])
    return shown


# --- rules -------------------------------------------------------------------------------------------------------------


def pay(call: Call, row: Mapping[str, Any]) -> Document:
    """Pay every invoice of a batch and return the stored batch; raises Invalid, and then nothing is paid."""
    account, day, sent = payments.account_of(call, row), row.get("Date") or call.today().isoformat(), row.get("Payments", [])
    problems = _problems(call, row, sent) + payments.account_problems(account)
    if problems or account is None:
        raise Invalid(*problems)
    invoices = [credit_rules.invoice_of(call, payment.get("Invoice", {})) for payment in sent]
    if problems := _mixed(call, invoices):
        raise Invalid(*problems)
    batch: Document = {
        "BatchPaymentID": str(uuid.uuid4()),
        "Account": {"AccountID": account["AccountID"]},
        **{name: row[name] for name in LENGTHS if row.get(name)},
        "Date": day,
        "Type": BATCH_TYPES[invoices[0]["Type"]],
        "Status": "AUTHORISED",
        "TotalAmount": sum((Decimal(payment.get("Amount", 0)) for payment in sent), Decimal(0)),
        "IsReconciled": False,
        "_payments": [],
    }
    # Stored first: its payments point at it.
    _kept(call, batch)
    made = [payments.pay(call, _of_batch(payment, batch), batch["BatchPaymentID"]) for payment in sent]
    return _kept(call, {**batch, "_payments": [payment["PaymentID"] for payment in made]})


def take_back(call: Call, batch: Document) -> Document:
    """Mark a batch and all its payments as DELETED; raises Invalid for one already removed."""
    if batch["Status"] == "DELETED":
        raise Invalid(payments.NOT_DELETABLE)
    for payment in _payments(call, batch):
        payments.take_back(call, payment)
    return _kept(call, {**batch, "Status": "DELETED"})


def _problems(call: Call, row: Mapping[str, Any], sent: list[Mapping[str, Any]]) -> list[str]:
    problems = [
        f"{name} must not be more than {longest} characters long"
        for name, longest in LENGTHS.items()
        if len(row.get(name, "")) > longest
    ]
    if not sent:
        problems.append("A batch payment must have at least one payment")
    if any(name in payment for payment in sent for name in ("CreditNote", "Prepayment", "Overpayment", "CreditNoteNumber")):
        problems.append("Credit notes, prepayments and overpayments cannot be included in a batch payment")
    return problems


def _mixed(call: Call, invoices: list[Document]) -> list[str]:
    problems: list[str] = []
    if len({invoice["Type"] for invoice in invoices}) > 1:
        problems.append("A batch payment cannot have a mixture of sales invoices and bills")
    if any(invoice["CurrencyCode"] != call.organisation["BaseCurrency"] for invoice in invoices):
        problems.append("Batch payments can only be made in the organisation base currency")
    return problems


def _of_batch(payment: Mapping[str, Any], batch: Document) -> Document:
    """Return a payment of the batch as a payment of its own would be asked for; its Code is a bank reference here."""
    asked = {name: value for name, value in payment.items() if name not in ("Account", "Code")}
    return {**asked, "Account": batch["Account"], "Date": batch["Date"]}


def _kept(call: Call, batch: Document) -> Document:
    batch = {**batch, "UpdatedDateUTC": call.sandbox.clock.stamp()}
    call.store.put(call.tenant, "batch payment", batch["BatchPaymentID"], batch)
    return batch
