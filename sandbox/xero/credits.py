"""The endpoints credit notes, overpayments and prepayments share: lists, single ones, allocations.

Source: developer.xero.com accounting/creditnotes, overpayments, prepayments; a page of credit notes recorded in September 2026.
"""

from collections.abc import Callable, Mapping
from typing import Any

from . import contacts, credit_rules, documents, invoice_rules, line_items, payments, wire
from .call import Bare, Call, Refused
from .documents import CREDIT_NOTES, Family
from .errors import Invalid
from .store import Document

Answer = dict[str, Any] | Refused

_EMPTY_INVOICE: Document = {
    **{name: [] for name in ("Payments", "CreditNotes", "Prepayments", "Overpayments")},
    "IsDiscounted": False,
    "InvoiceAddresses": [],
    "HasErrors": False,
    "InvoicePaymentServices": [],
    "LineItems": [],
}
# Query parameter → the property it lists values of (accounting/overpayments, prepayments).
LISTS = {"References": "Reference", "InvoiceNumbers": "InvoiceNumber"}


def listed(family: Family) -> Callable[[Call], Answer]:
    """Return the view of GET /CreditNotes and its like: where, order, paging, If-Modified-Since; lines only on pages."""

    def view(call: Call) -> Answer:
        rows = call.store.all(call.tenant, family.kind)
        for parameter, name in LISTS.items():
            if wanted := {text.casefold() for text in call.names(parameter)}:
                rows = [row for row in rows if row.get(name, "").casefold() in wanted]
        rows = call.selected(rows, family.model, order=f"UpdatedDateUTC ASC, {family.id_name} ASC")
        page, pagination = call.page(rows)
        return {**pagination, family.plural: [shown(call, family, row, with_lines=bool(pagination)) for row in page]}

    return view


def single(family: Family) -> Callable[..., Answer]:
    """Return the view of GET /CreditNotes/{CreditNoteID or CreditNoteNumber} and its like: the contact in full."""

    def view(call: Call, id: str) -> Answer:
        found = documents.found(call, family, id)
        contact = contacts.shown_in_full(call, invoice_rules.contact_of(call, found), contacts.balances(call))
        return {family.plural: [{**shown(call, family, found, with_lines=True), "Contact": contact}]}

    return view


def allocate(family: Family) -> Callable[..., Answer]:
    """Return the view of PUT /CreditNotes/{id}/Allocations and its like; the answer leaves the AllocationID out, as Xero's does."""

    def view(call: Call, id: str) -> Answer:
        found = documents.found(call, family, id)

        def write(row: Document) -> Document:
            allocation = credit_rules.allocate(call, family, id, row)
            return {**_allocation(call, allocation, named=False), **_pointer(family, found), "ValidationErrors": []}

        return call.write_each("Allocations", call.elements("Allocations", "Allocation"), write, _echo)

    return view


def take_back(family: Family) -> Callable[..., Refused | Bare]:
    """Return the view of DELETE /CreditNotes/{id}/Allocations/{AllocationID} and its like: answered without an envelope."""

    def view(call: Call, id: str, allocation_id: str) -> Refused | Bare:
        try:
            allocation = credit_rules.take_back(call, family, id, allocation_id)
        except Invalid as problem:
            return Refused([{"AllocationID": allocation_id, "ValidationErrors": wire.messages(problem.problems)}])
        return Bare({**_allocation(call, allocation), "IsDeleted": True})

    return view


def shown(call: Call, family: Family, credit: Document, *, with_lines: bool) -> Document:
    """Write a credit as a list does; its contact in short."""
    return {
        **fields(call, family, credit),
        "Contact": contacts.shown_in_document(invoice_rules.contact_of(call, credit)),
        "HasAttachments": False,
        "LineItems": [line_items.shown(line, call.places) for line in credit["LineItems"]] if with_lines else [],
    }


def fields(call: Call, family: Family, credit: Document) -> Document:
    """Write the fields of a credit with its allocations and the payments that refunded it."""
    refunds = [row for row in call.store.find(call.tenant, "payment", credit[family.id_name]) if row["Status"] == "AUTHORISED"]
    return {
        **wire.dated(credit, "Allocations"),
        "ID": credit[family.id_name],
        **({"HasErrors": False, "InvoiceAddresses": []} if family is CREDIT_NOTES else {}),
        "Allocations": [_allocation(call, row) for row in credit["Allocations"]],
        "Payments": [payments.shown_in_document(row) for row in refunds],
    }


def _allocation(call: Call, allocation: Document, *, named: bool = True) -> Document:
    invoice = call.read(allocation, ["Invoice"])
    number = {"InvoiceNumber": invoice["InvoiceNumber"]} if invoice.get("InvoiceNumber") else {}
    return {
        **({"AllocationID": allocation["AllocationID"]} if named else {}),
        "Amount": allocation["Amount"],
        "Date": wire.ms_day(allocation["Date"]),
        "Invoice": {"InvoiceID": invoice["InvoiceID"], **number, **_EMPTY_INVOICE},
    }


def _pointer(family: Family, credit: Document) -> Document:
    id = credit[family.id_name]
    return {family.model: {family.id_name: id, "ID": id, "LineItems": []}}


def _echo(row: Mapping[str, Any], problem: Invalid) -> Document:
    shown = {**row, "ValidationErrors": wire.messages(problem.problems)}
    if row.get("Date"):
        shown["Date"] = wire.ms_day(row["Date"])
    return shown
