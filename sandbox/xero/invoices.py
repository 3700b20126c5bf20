"""The endpoints of sales invoices and bills (developer.xero.com accounting/invoices)."""

import hashlib
from collections.abc import Mapping
from typing import Any

from flask import Response, request

from . import contacts, documents, invoice_rules, line_items, payments, wire
from .call import Call, Refused
from .documents import INVOICES
from .errors import Invalid
from .invoice_rules import contact_of
from .reference_data import add_history
from .store import Document

Answer = dict[str, Any] | Refused

CREDITS = ("CreditNotes", "Prepayments", "Overpayments")
NOT_IN_SUMMARY = ("LineItems", "Payments", "HasAttachments", "CISDeduction")


# --- reading -----------------------------------------------------------------------------------------------------------


def listed(call: Call) -> Answer:
    """GET /Invoices with every list parameter; without paging there are no line items."""
    rows = call.store.all(call.tenant, "invoice")
    for parameter, path in (
        ("IDs", ["InvoiceID"]),
        ("InvoiceNumbers", ["InvoiceNumber"]),
        ("ContactIDs", ["Contact", "ContactID"]),
        ("Statuses", ["Status"]),
    ):
        if wanted := {name.casefold() for name in call.names(parameter)}:
            rows = [row for row in rows if str(call.read(row, path) or "").casefold() in wanted]
    if call.flag("createdByMyApp"):
        rows = [row for row in rows if row.get("_app") == call.app]
    if term := request.args.get("searchTerm", "").casefold():
        rows = [row for row in rows if any(term in row.get(name, "").casefold() for name in ("InvoiceNumber", "Reference"))]
    rows = call.selected(rows, "Invoice", order="UpdatedDateUTC ASC, InvoiceID ASC")
    summary = call.flag("summaryOnly")
    page, pagination = call.page(rows, force=summary or "Statuses" in request.args)
    shown = [_shown(call, row, with_lines=bool(pagination)) for row in page]
    if summary:
        for invoice in shown:
            for name in NOT_IN_SUMMARY:
                invoice.pop(name, None)
    return {**pagination, "Invoices": shown}


def single(call: Call, id: str) -> Answer:
    """GET /Invoices/{InvoiceID or InvoiceNumber}."""
    found = documents.found(call, INVOICES, id)
    contact = contacts.shown_in_full(call, contact_of(call, found), contacts.balances(call))
    return {"Invoices": [{**_shown(call, found, with_lines=True), "Contact": contact, "Attachments": []}]}


def online_invoice(call: Call, id: str) -> Answer:
    """GET /Invoices/{id}/OnlineInvoice: sales invoices that are not drafts."""
    invoice = documents.found(call, INVOICES, id)
    if invoice["Type"] != "ACCREC" or invoice["Status"] == "DRAFT":
        return _refused(call, invoice, "Online invoices are only available for approved sales invoices")
    token = hashlib.sha256(f"{call.tenant}{invoice['InvoiceID']}".encode()).hexdigest()[:32]
    return {"OnlineInvoices": [{"OnlineInvoiceUrl": f"https://in.xero.com/{token}"}]}


def email(call: Call, id: str) -> Answer | Response:
    """POST /Invoices/{id}/Email: 204; sent to the contact's primary address, limited per day."""
    invoice = documents.found(call, INVOICES, id)
    if invoice["Type"] != "ACCREC" or invoice["Status"] not in ("SUBMITTED", "AUTHORISED", "PAID"):
        return _refused(call, invoice, "Only SUBMITTED, AUTHORISED or PAID sales invoices can be emailed")
    if not contact_of(call, invoice).get("EmailAddress"):
        return _refused(call, invoice, "The contact has no email address")
    today = call.sandbox.clock.now().date().isoformat()
    sent = call.document("email count", today) or {"count": 0}
    if sent["count"] >= call.sandbox.emails_per_day:
        return _refused(call, invoice, "The daily limit of emails for this organisation has been reached")
    call.store.put(call.tenant, "email count", today, {"count": sent["count"] + 1})
    add_history(call, "invoice", invoice["InvoiceID"], "Invoice sent", "This invoice has been sent by email.")
    invoice_rules.keep(call, {**invoice, "SentToContact": True}, invoice)
    return Response(status=204)


def _refused(call: Call, invoice: Document, problem: str) -> Refused:
    return Refused([_echo(call, invoice, Invalid(problem), invoice)])


def _shown(call: Call, invoice: Document, *, with_lines: bool) -> Document:
    """Write an invoice as a list does; its contact in short."""
    paid = [row for row in call.store.find(call.tenant, "payment", invoice["InvoiceID"]) if row["Status"] == "AUTHORISED"]
    return {
        **_dated(invoice),
        "Contact": contacts.shown_in_document(contact_of(call, invoice)),
        "Payments": [payments.shown_in_document(row) for row in paid] if with_lines else [],
        **{name: [wire.dated(row) for row in invoice.get(name, [])] for name in CREDITS},
        "AmountCredited": invoice["AmountCredited"],
        "HasAttachments": False,
        "InvoiceAddresses": [],
        "LineItems": [line_items.shown(line, call.places) for line in invoice["LineItems"]] if with_lines else [],
    }


def _shown_as_written(call: Call, invoice: Document, warnings: list[str]) -> Document:
    """Write an invoice as the answer to a PUT or POST does; its contact in full."""
    shown = {
        **_dated(invoice),
        "Contact": contacts.shown_as_written(contact_of(call, invoice)),
        "Prepayments": [wire.dated(row) for row in invoice.get("Prepayments", [])],
        "Overpayments": [wire.dated(row) for row in invoice.get("Overpayments", [])],
        "LineItems": [{**line_items.shown(line, call.places), "ValidationErrors": []} for line in invoice["LineItems"]],
    }
    return shown | ({"Warnings": wire.messages(warnings)} if warnings else {})


def _dated(document: Document) -> Document:
    """Write the stored fields of an invoice, dates both ways."""
    return _of_every_invoice(document) | wire.dated(document, "AmountCredited", *CREDITS)


def _of_every_invoice(document: Document) -> Document:
    return {"HasErrors": False, "InvoicePaymentServices": [], "IsDiscounted": "TotalDiscount" in document}


# --- writing -----------------------------------------------------------------------------------------------------------


def _written(call: Call, row: Document, known: Document | None) -> Document:
    return _shown_as_written(call, *invoice_rules.write(call, row, known))


def _echo(call: Call, row: Mapping[str, Any], problem: Invalid, known: Document | None) -> Document:
    """Write a refused invoice: what was ASKED for over what is known, and why not."""
    asked = {"Status": "DRAFT", "LineAmountTypes": "Exclusive", "Type": "", **(known or {}), **row}
    return {
        **_of_every_invoice(asked),
        **documents.echoed(call, "InvoiceID", asked, problem, "AmountCredited", *CREDITS),
        **{name: [] for name in ("Payments", "CreditNotes", "Prepayments", "Overpayments", "InvoiceAddresses")},
        "HasErrors": True,
    }


create, update_or_create, update = documents.writers(INVOICES, _written, _echo)
