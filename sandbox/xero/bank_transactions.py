"""Bank transactions (developer.xero.com accounting/banktransactions), the part that makes overpayments and prepayments.

Plain money received and spent, and transfers, are not kept here: nothing reads them. An over- or prepayment has the id of
its bank transaction, as in the examples of the OpenAPI file.
"""

import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from flask import request

from . import contacts, credit_rules, documents, invoice_rules, line_items, payments, wire
from .call import Call, Refused
from .documents import OVERPAYMENTS, PREPAYMENTS, Family
from .errors import Invalid, NotFound
from .line_items import Lines, Terms
from .store import Document
from .totals import totals

Answer = dict[str, Any] | Refused

TYPES: dict[str, Family] = {
    "RECEIVE-OVERPAYMENT": OVERPAYMENTS,
    "SPEND-OVERPAYMENT": OVERPAYMENTS,
    "RECEIVE-PREPAYMENT": PREPAYMENTS,
    "SPEND-PREPAYMENT": PREPAYMENTS,
}
CONTROL = {"ACCREC": "DEBTORS", "ACCPAY": "CREDITORS"}
# What the credit takes over from its bank transaction.
OF_CREDIT = (
    *("Type", "Contact", "Date", "Status", "LineAmountTypes", "LineItems", "SubTotal", "TotalTax", "Total", "CurrencyCode"),
    *("CurrencyRate", "Reference", "_app"),
)


# --- endpoints ---------------------------------------------------------------------------------------------------------


def listed(call: Call) -> Answer:
    """GET /BankTransactions: where, order, paging, If-Modified-Since; lines only on pages."""
    rows = call.store.all(call.tenant, "bank transaction")
    rows = call.selected(rows, "BankTransaction", order="UpdatedDateUTC ASC, BankTransactionID ASC")
    page, pagination = call.page(rows)
    return {**pagination, "BankTransactions": [_shown(call, row, with_lines=bool(pagination)) for row in page]}


def single(call: Call, id: str) -> Answer:
    """GET /BankTransactions/{BankTransactionID}."""
    found = call.document("bank transaction", id)
    if found is None:
        raise NotFound(request.path)
    return {"BankTransactions": [_shown(call, found, with_lines=True)]}


def create(call: Call) -> Answer:
    """PUT or POST /BankTransactions: over- and prepayments can be made, never changed."""

    def written(row: Document) -> Document:
        transaction = write(call, row)
        lines = [{**line_items.shown(line, call.places), "ValidationErrors": []} for line in transaction["LineItems"]]
        contact = contacts.shown_as_written(invoice_rules.contact_of(call, transaction))
        return {**_shown(call, transaction, with_lines=False), "Contact": contact, "LineItems": lines}

    rows = call.elements("BankTransactions", "BankTransaction")
    return call.write_each("BankTransactions", rows, written, lambda row, problem: _echo(call, row, problem))


def _shown(call: Call, transaction: Document, *, with_lines: bool) -> Document:
    account = call.read(transaction, ["BankAccount"])
    shown = wire.dated(transaction)
    shown.pop("UpdatedDateUTCString")
    return {
        **shown,
        "BankAccount": wire.pruned({"AccountID": account["AccountID"], "Code": account.get("Code"), "Name": account["Name"]}),
        "Contact": contacts.shown_in_document(invoice_rules.contact_of(call, transaction)),
        "HasAttachments": False,
        "LineItems": [line_items.shown(line, call.places) for line in transaction["LineItems"]] if with_lines else [],
    }


def _echo(call: Call, row: Mapping[str, Any], problem: Invalid) -> Document:
    return documents.echoed(
        call, "BankTransactionID", {"Status": "AUTHORISED", "LineAmountTypes": "Inclusive", **row}, problem, "Allocations"
    )


# --- rules -------------------------------------------------------------------------------------------------------------


def write(call: Call, row: Document) -> Document:
    """Receive or spend money as an over- or prepayment; returns the transaction, raises Invalid, NotFound."""
    family = TYPES.get(row.get("Type", ""))
    if family is None:
        raise Invalid(
            f"Bank transaction Type '{row.get('Type', '')}' is not one of {', '.join(TYPES)}, which this stand-in keeps"
        )
    if row.get("BankTransactionID"):
        raise Invalid("Updates on prepayment and overpayment transactions are not currently supported")
    transaction = _merged(call, row, family)
    contact = invoice_rules.resolved_contact(call, row, None)
    account = payments.account_of(call, {"Account": row.get("BankAccount", {})})
    lines = _lines(call, row, transaction, family)
    transaction["LineItems"] = lines.rows
    sums = totals(lines.rows, transaction["LineAmountTypes"])
    transaction |= {"SubTotal": sums.sub_total, "TotalTax": sums.total_tax, "Total": sums.total}
    problems = _problems(call, transaction, account, family)
    problems += [text for texts in lines.problems.values() for text in texts]
    if problems or account is None:
        raise Invalid(*problems, lines=lines.problems)
    if contact is None:
        contact = invoice_rules.written_contact(call, row["Contact"])
    transaction |= {
        "Contact": {"ContactID": contact["ContactID"]},
        "BankAccount": {"AccountID": account["AccountID"]},
        "UpdatedDateUTC": call.sandbox.clock.stamp(),
    }
    invoice_rules.note_side(call, contact, transaction["Type"])
    call.store.put(call.tenant, "bank transaction", transaction["BankTransactionID"], transaction)
    credit_rules.keep(call, family, _credit(family, transaction))
    return transaction


def _merged(call: Call, row: Mapping[str, Any], family: Family) -> Document:
    account = payments.account_of(call, {"Account": row.get("BankAccount", {})}) or {}
    id = str(uuid.uuid4())
    transaction: Document = {
        "BankTransactionID": id,
        family.id_name: id,
        "Type": row["Type"],
        "Date": row.get("Date") or call.today().isoformat(),
        "Status": row.get("Status", "AUTHORISED"),
        "Reference": row.get("Reference", ""),
        "IsReconciled": row.get("IsReconciled", False),
        "LineAmountTypes": row.get("LineAmountTypes", "NoTax" if family is OVERPAYMENTS else "Inclusive"),
        "CurrencyCode": row.get("CurrencyCode") or account.get("CurrencyCode") or call.organisation["BaseCurrency"],
        "_app": call.app,
        **({"CurrencyRate": row["CurrencyRate"]} if row.get("CurrencyRate") else {}),
    }
    invoice_rules.set_rate(call, transaction, row, None, [])
    return transaction


def _lines(call: Call, row: Mapping[str, Any], transaction: Document, family: Family) -> Lines:
    sent = row.get("LineItems", [])
    if family is PREPAYMENTS:
        return line_items.built(call, Terms(transaction["Type"], transaction["LineAmountTypes"], approved=True), sent, [])
    # Xero codes the one line of an overpayment to the control account itself.
    control = CONTROL[credit_rules.SIDES[transaction["Type"]][0]]
    account = next(row for row in call.store.all(call.tenant, "account") if row.get("SystemAccount") == control)
    return Lines([_overpaid(line, account) for line in sent])


def _overpaid(sent: Mapping[str, Any], account: Document) -> Document:
    unit = Decimal(sent.get("UnitAmount", sent.get("LineAmount", 0)))
    quantity = Decimal(sent.get("Quantity", 1))
    amount = wire.money(Decimal(sent["LineAmount"]) if "LineAmount" in sent else unit * quantity)
    return {
        "LineItemID": str(uuid.uuid4()),
        "Description": sent.get("Description", ""),
        "Quantity": quantity,
        "UnitAmount": unit,
        "LineAmount": amount,
        "TaxType": "NONE",
        "TaxAmount": wire.money(0),
        "AccountCode": account["Code"],
        "AccountID": account["AccountID"],
        "Tracking": [],
    }


def _problems(call: Call, transaction: Document, account: Document | None, family: Family) -> list[str]:
    problems = invoice_rules.header_problems(call, transaction)
    if transaction["Status"] != "AUTHORISED":
        problems.append(f"A new bank transaction cannot have the status {transaction['Status']}")
    if account is None or account["Status"] != "ACTIVE" or account["Type"] != "BANK":
        problems.append("The bank account could not be found; only accounts of type BANK are accepted")
    if not transaction["LineItems"]:
        problems.append("One or more line items must be specified")
    if family is OVERPAYMENTS and len(transaction["LineItems"]) > 1:
        problems.append("Overpayments can only have a single line item")
    if family is OVERPAYMENTS and transaction["LineAmountTypes"] != "NoTax":
        problems.append("Overpayments must have LineAmountTypes of NoTax")
    if any(not line.get("Description") for line in transaction["LineItems"]) and family is OVERPAYMENTS:
        problems.append("Description must be at least 1 character long")
    if any(line.get("ItemCode") for line in transaction["LineItems"]):
        problems.append("ItemCode can only be used when the bank transaction type is SPEND or RECEIVE")
    if transaction["LineItems"] and transaction["Total"] <= 0:
        problems.append("The total of a bank transaction must be positive")
    if locked := invoice_rules.lock_problem(call, transaction["Date"]):
        problems.append(locked)
    return problems


def _credit(family: Family, transaction: Document) -> Document:
    credit: Document = {
        family.id_name: transaction["BankTransactionID"],
        **{name: transaction[name] for name in OF_CREDIT},
        "RemainingCredit": transaction["Total"],
        "Allocations": [],
    }
    if family is PREPAYMENTS and credit["Type"] == "RECEIVE-PREPAYMENT":
        credit["InvoiceNumber"] = credit["Reference"]
    return credit
