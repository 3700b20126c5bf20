"""The endpoints of sales invoices and bills (developer.xero.com accounting/invoices)."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from flask import Response, request

from . import contacts, invoice_rules, line_items, payments, wire
from .call import Call, Refused
from .errors import Invalid, NotFound
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
    found = _found(call, id)
    contact = contacts.shown_in_full(call, contact_of(call, found), contacts.balances(call))
    return {"Invoices": [{**_shown(call, found, with_lines=True), "Contact": contact, "Attachments": []}]}


def online_invoice(call: Call, id: str) -> Answer:
    """GET /Invoices/{id}/OnlineInvoice: sales invoices that are not drafts."""
    invoice = _found(call, id)
    if invoice["Type"] != "ACCREC" or invoice["Status"] == "DRAFT":
        return _refused(call, invoice, "Online invoices are only available for approved sales invoices")
    token = hashlib.sha256(f"{call.tenant}{invoice['InvoiceID']}".encode()).hexdigest()[:32]
    return {"OnlineInvoices": [{"OnlineInvoiceUrl": f"https://in.xero.com/{token}"}]}


def email(call: Call, id: str) -> Answer | Response:
    """POST /Invoices/{id}/Email: 204; sent to the contact's primary address, limited per day."""
    invoice = _found(call, id)
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


def _found(call: Call, id: str) -> Document:
    found = call.document("invoice", id) or next(iter(call.store.find(call.tenant, "invoice", id)), None)
    if found is None:
        raise NotFound(request.path)
    return found


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
    shown = {"HasErrors": False, "InvoicePaymentServices": [], "IsDiscounted": "TotalDiscount" in document}
    return shown | wire.dated(document, "AmountCredited", *CREDITS)


# --- writing -----------------------------------------------------------------------------------------------------------


def create(call: Call) -> Answer:
    """PUT /Invoices: create only."""

    def write(row: Document) -> Document:
        if row.get("InvoiceID"):
            raise Invalid("An InvoiceID cannot be given to a new invoice; POST updates an existing one")
        return _written(call, row, None)

    return _write_each(call, write, lambda row: None)


def update_or_create(call: Call) -> Answer:
    """POST /Invoices: by InvoiceID, else a sales invoice by its number (it edits that document!), else create."""

    def write(row: Document) -> Document:
        known = _meant(call, row)
        if row.get("InvoiceID") and known is None:
            raise Invalid(invoice_rules.NOT_FOUND)
        return _written(call, row, known)

    return _write_each(call, write, lambda row: _meant(call, row))


def update(call: Call, id: str) -> Answer:
    """POST /Invoices/{InvoiceID or InvoiceNumber}."""
    known = _found(call, id)
    return _write_each(call, lambda row: _written(call, row, known), lambda row: known)


def _write_each(
    call: Call, write: Callable[[Document], Document], known: Callable[[Mapping[str, Any]], Document | None]
) -> Answer:
    rows = call.elements("Invoices", "Invoice")
    return call.write_each("Invoices", rows, write, lambda row, problem: _echo(call, row, problem, known(row)))


def _meant(call: Call, row: Mapping[str, Any]) -> Document | None:
    if row.get("InvoiceID"):
        return call.document("invoice", row["InvoiceID"])
    if row.get("InvoiceNumber") and row.get("Type") != "ACCPAY":
        return next((i for i in call.store.find(call.tenant, "invoice", row["InvoiceNumber"]) if i["Type"] == "ACCREC"), None)
    return None


def _written(call: Call, row: Document, known: Document | None) -> Document:
    return _shown_as_written(call, *invoice_rules.write(call, row, known))


def _echo(call: Call, row: Mapping[str, Any], problem: Invalid, known: Document | None) -> Document:
    """Write a refused invoice: what was ASKED for over what is known, and why not."""
    asked = {**(known or {}), **row}
    lines = [dict(line) for line in asked.get("LineItems", [])]
    for index, texts in problem.lines.items():
        lines[index]["ValidationErrors"] = wire.messages(texts)
    contact = {name: value for name, value in asked.get("Contact", {}).items() if name in ("ContactID", "ContactNumber", "Name")}
    date = asked.get("Date") or call.today().isoformat()
    return {
        **_dated(
            {
                "InvoiceID": wire.EMPTY_GUID,
                "Status": "DRAFT",
                "LineAmountTypes": "Exclusive",
                **asked,
                "Date": date,
                "Type": asked.get("Type", ""),
            }
        ),
        **{name: [] for name in ("Payments", "CreditNotes", "Prepayments", "Overpayments", "InvoiceAddresses")},
        "HasErrors": True,
        "Contact": {
            **contact,
            **{name: [] for name in ("Addresses", "Phones", "ContactGroups", "ContactPersons")},
            "HasValidationErrors": bool(problem.contact),
            "ValidationErrors": wire.messages(problem.contact),
        },
        "LineItems": lines,
        "ValidationErrors": wire.messages(problem.problems),
    }
