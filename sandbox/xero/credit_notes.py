"""Credit notes for customers and from suppliers (developer.xero.com accounting/creditnotes): what may be written, and where.

They follow the rules of invoices where the vendor's page says no more: the same statuses, the same lines but no discounts.
"""

import uuid
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from . import contacts, credit_rules, credits, invoice_rules, line_items, wire
from .call import Call, Refused
from .credit_rules import CREDIT_NOTES
from .errors import Invalid
from .invoice_rules import APPROVED, HAS_PAYMENTS, LONGEST_NUMBER, NEW, NEXT
from .store import Document
from .totals import totals

Answer = dict[str, Any] | Refused

TYPES = ("ACCRECCREDIT", "ACCPAYCREDIT")
NOT_MODIFIABLE = "Credit note not of valid status for modification"
NOT_FOUND = "An existing Credit Note with the specified CreditNoteID could not be found"
WRITABLE = {
    *("Type", "CreditNoteNumber", "Reference", "Date", "DueDate", "LineAmountTypes", "BrandingThemeID"),
    *("CurrencyCode", "CurrencyRate", "SentToContact"),
}


# --- endpoints ---------------------------------------------------------------------------------------------------------


def create(call: Call) -> Answer:
    """PUT /CreditNotes: create only."""

    def write(row: Document) -> Document:
        if row.get("CreditNoteID"):
            raise Invalid("A CreditNoteID cannot be given to a new credit note; POST updates an existing one")
        return _written(call, row, None)

    return _write_each(call, write, lambda row: None)


def update_or_create(call: Call) -> Answer:
    """POST /CreditNotes: by CreditNoteID, else a customer's credit note by its number, else create."""

    def write(row: Document) -> Document:
        known = _meant(call, row)
        if row.get("CreditNoteID") and known is None:
            raise Invalid(NOT_FOUND)
        return _written(call, row, known)

    return _write_each(call, write, lambda row: _meant(call, row))


def update(call: Call, id: str) -> Answer:
    """POST /CreditNotes/{CreditNoteID or CreditNoteNumber}."""
    known = credit_rules.found(call, CREDIT_NOTES, id)
    return _write_each(call, lambda row: _written(call, row, known), lambda row: known)


def _write_each(
    call: Call, write: Callable[[Document], Document], known: Callable[[Mapping[str, Any]], Document | None]
) -> Answer:
    rows = call.elements("CreditNotes", "CreditNote")
    return call.write_each("CreditNotes", rows, write, lambda row, problem: _echo(call, row, problem, known(row)))


def _meant(call: Call, row: Mapping[str, Any]) -> Document | None:
    if row.get("CreditNoteID"):
        return call.document("credit note", row["CreditNoteID"])
    if row.get("CreditNoteNumber") and row.get("Type") != "ACCPAYCREDIT":
        found = call.store.find(call.tenant, "credit note", row["CreditNoteNumber"])
        return next((note for note in found if note["Type"] == "ACCRECCREDIT"), None)
    return None


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
        **credits.echoed(call, "CreditNoteID", asked, problem),
        "HasErrors": True,
        **{name: [] for name in ("Allocations", "Payments", "InvoiceAddresses")},
    }


# --- rules -------------------------------------------------------------------------------------------------------------


def write(call: Call, row: Document, known: Document | None) -> tuple[Document, list[str]]:
    """Create or update one credit note, with what to warn about; raises Invalid with everything that is wrong, NotFound."""
    status = row.get("Status") or (known["Status"] if known else "DRAFT")
    if known and status not in NEXT[known["Status"]]:
        raise Invalid(NOT_MODIFIABLE)
    if known and status in ("VOIDED", "DELETED"):
        return _cancelled(call, known, status), []
    if known is None and status not in NEW:
        raise Invalid(f"A new credit note cannot have the status {status}")
    if known and known["Status"] == "PAID":
        status = "PAID"

    warnings: list[str] = []
    note = _merged(call, row, known, status, warnings)
    contact = invoice_rules.resolved_contact(call, row, known)
    problems = _problems(call, note, known, status)
    lines = invoice_rules.built_lines(call, row, note, known, approved=status in APPROVED)
    note["LineItems"] = lines.rows
    problems += _add_up(note, _spent(known))
    if status in APPROVED and not note["LineItems"]:
        problems.append("One or more line items must be specified")
    problems += [text for texts in lines.problems.values() for text in texts]
    moved = bool(known and contact and contact["ContactID"] != known["Contact"]["ContactID"])
    if known and _spent(known) and (moved or contact is None or invoice_rules.financially_different(known, note)):
        problems.append(HAS_PAYMENTS)
    if problems:
        raise Invalid(*problems, lines=lines.problems)

    if contact is None:
        contact = invoice_rules.written_contact(call, row["Contact"])
    note["Contact"] = {"ContactID": contact["ContactID"]}
    invoice_rules.note_side(call, contact, note["Type"])
    if note["Type"] == "ACCRECCREDIT" and not note.get("CreditNoteNumber"):
        note["CreditNoteNumber"] = _next_number(call)
    if note["Status"] == "AUTHORISED" and note["RemainingCredit"] == 0:
        note |= {"Status": "PAID", "FullyPaidOnDate": note["Date"]}
    return credit_rules.keep(call, CREDIT_NOTES, note), warnings


def _spent(known: Document | None) -> Decimal:
    """Return what of a credit note is allocated or refunded."""
    return Decimal(known["Total"]) - Decimal(known["RemainingCredit"]) if known else Decimal(0)


def _cancelled(call: Call, known: Document, status: str) -> Document:
    """Void or delete; a VOIDED note keeps its RemainingCredit."""
    if _spent(known):
        raise Invalid(
            f"The status {status} cannot be applied to the credit note because it has payments or credit notes allocated to it."
        )
    if status == "VOIDED" and (locked := invoice_rules.lock_problem(call, known["Date"])):
        raise Invalid(locked)
    return credit_rules.keep(call, CREDIT_NOTES, {**known, "Status": status})


def _merged(call: Call, row: Mapping[str, Any], known: Document | None, status: str, warnings: list[str]) -> Document:
    """Put what was sent over what is known, with Xero's defaults under both."""
    sent = {name: value for name, value in row.items() if name in WRITABLE and (name, value) != ("CreditNoteNumber", "")}
    note: Document = {
        "CreditNoteID": str(uuid.uuid4()),
        "Type": "",
        "Date": call.today().isoformat(),
        "LineAmountTypes": "Exclusive",
        "CurrencyCode": call.organisation["BaseCurrency"],
        "SentToContact": False,
        "Allocations": [],
        "LineItems": [],
        "_app": call.app,
        **(known or {}),
        **sent,
        "Status": status,
    }
    if note["Type"] == "ACCPAYCREDIT":
        note.pop("Reference", None)
        note.pop("BrandingThemeID", None)
    elif not note.get("BrandingThemeID"):
        note["BrandingThemeID"] = invoice_rules.default_theme(call)
    invoice_rules.set_rate(call, note, row, known, warnings)
    return note


def _problems(call: Call, note: Document, known: Document | None, status: str) -> list[str]:
    problems: list[str] = []
    if note["Type"] not in TYPES or (known and note["Type"] != known["Type"]):
        problems.append(f"Credit Note Type '{note['Type']}' is not valid")
    number = note.get("CreditNoteNumber", "")
    if len(number) > LONGEST_NUMBER or not (number.isascii() and (number.isprintable() or not number)):
        problems.append(f"Credit Note Number must be at most {LONGEST_NUMBER} printable ASCII characters")
    if note["Type"] == "ACCRECCREDIT" and any(
        other["Type"] == "ACCRECCREDIT" and other["CreditNoteID"] != note["CreditNoteID"]
        for other in (call.store.find(call.tenant, "credit note", number) if number else ())
    ):
        problems.append("Credit Note # must be unique.")
    problems += invoice_rules.header_problems(call, note)
    if status != "DRAFT" and (locked := invoice_rules.lock_problem(call, min(note["Date"], (known or note)["Date"]))):
        problems.append(locked)
    return problems


def _add_up(note: Document, spent: Decimal) -> list[str]:
    """Set the totals of the note; returns what is wrong with them."""
    sums = totals(note["LineItems"], note["LineAmountTypes"])
    note |= {"SubTotal": sums.sub_total, "TotalTax": sums.total_tax, "Total": sums.total, "RemainingCredit": sums.total - spent}
    return ["The total of a credit note cannot be negative"] if sums.total < 0 else []


def _next_number(call: Call) -> str:
    numbering = call.document("numbering", "ACCRECCREDIT") or {"next": 1}
    number = numbering["next"]
    while call.store.find(call.tenant, "credit note", f"CN-{number:04}"):
        number += 1
    call.store.put(call.tenant, "numbering", "ACCRECCREDIT", {"next": number + 1})
    return f"CN-{number:04}"
