"""Credit notes for customers and from suppliers (developer.xero.com accounting/creditnotes): what may be written, and where.

They follow the rules of invoices where the vendor's page says no more: the same statuses, the same lines but no discounts.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from . import contacts, credit_rules, credits, documents, invoice_rules, line_items, wire
from .call import Call
from .documents import CREDIT_NOTES
from .errors import Invalid
from .invoice_rules import APPROVED, HAS_PAYMENTS
from .store import Document
from .totals import totals

WRITABLE = {
    *("Type", "CreditNoteNumber", "Reference", "Date", "DueDate", "LineAmountTypes", "BrandingThemeID"),
    *("CurrencyCode", "CurrencyRate", "SentToContact"),
}


# --- endpoints ---------------------------------------------------------------------------------------------------------


def _written(call: Call, row: Document, known: Document | None) -> Document:
    note, warnings = write(call, row, known)
    shown = {
        **credits.fields(call, CREDIT_NOTES, note),
        "Contact": contacts.shown_as_written(invoice_rules.contact_of(call, note)),
        "LineItems": [{**line_items.shown(line, call.places), "ValidationErrors": []} for line in note["LineItems"]],
    }
    return shown | ({"Warnings": wire.messages(warnings)} if warnings else {})


def _echo(call: Call, row: Mapping[str, Any], problem: Invalid, known: Document | None) -> Document:
    asked = {"Status": "DRAFT", "LineAmountTypes": "Exclusive", **(known or {}), **row}
    return {
        **documents.echoed(call, "CreditNoteID", asked, problem, "Allocations"),
        "HasErrors": True,
        **{name: [] for name in ("Allocations", "Payments", "InvoiceAddresses")},
    }


create, update_or_create, update = documents.writers(CREDIT_NOTES, _written, _echo)


# --- rules -------------------------------------------------------------------------------------------------------------


def write(call: Call, row: Document, known: Document | None) -> tuple[Document, list[str]]:
    """Create or update one credit note, with what to warn about; raises Invalid with everything that is wrong, NotFound."""
    status = documents.status_of(CREDIT_NOTES, row, known)
    spent = Decimal(known["Total"]) - Decimal(known["RemainingCredit"]) if known else Decimal(0)  # allocated or refunded
    if known and status in ("VOIDED", "DELETED"):
        cancelled = invoice_rules.cancelled(call, CREDIT_NOTES, known, status, is_used=bool(spent))
        return credit_rules.keep(call, CREDIT_NOTES, cancelled), []

    note, warnings = invoice_rules.merged(call, CREDIT_NOTES, row, known, status, WRITABLE, Allocations=[])
    contact = invoice_rules.resolved_contact(call, row, known)
    problems = invoice_rules.document_problems(call, CREDIT_NOTES, note, known)
    lines = invoice_rules.built_lines(call, row, note, known, approved=status in APPROVED)
    note["LineItems"] = lines.rows
    problems += _add_up(note, spent)
    if status in APPROVED and not note["LineItems"]:
        problems.append("One or more line items must be specified")
    problems += [text for texts in lines.problems.values() for text in texts]
    moved = bool(known and contact and contact["ContactID"] != known["Contact"]["ContactID"])
    if known and spent and (moved or contact is None or invoice_rules.financially_different(known, note)):
        problems.append(HAS_PAYMENTS)
    if problems:
        raise Invalid(*problems, lines=lines.problems)

    if contact is None:
        contact = invoice_rules.written_contact(call, row["Contact"])
    note["Contact"] = {"ContactID": contact["ContactID"]}
    invoice_rules.note_side(call, contact, note["Type"])
    note = documents.numbered(call, CREDIT_NOTES, note)
    if note["Status"] == "AUTHORISED" and note["RemainingCredit"] == 0:
        note |= {"Status": "PAID", "FullyPaidOnDate": note["Date"]}
    return credit_rules.keep(call, CREDIT_NOTES, note), warnings


def _add_up(note: Document, spent: Decimal) -> list[str]:
    """Set the totals of the note; returns what is wrong with them."""
    sums = totals(note["LineItems"], note["LineAmountTypes"])
    note |= {"SubTotal": sums.sub_total, "TotalTax": sums.total_tax, "Total": sums.total, "RemainingCredit": sums.total - spent}
    return ["The total of a credit note cannot be negative"] if sums.total < 0 else []
