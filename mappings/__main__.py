"""Print the field guide: every table as its reader knows field tables. ``python -m mappings > docs/field-guide.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from mappings import (
    balance,
    contact,
    contact_from_xero,
    credit_note,
    invoice,
    invoice_from_xero,
    invoice_status,
    item,
    payment,
    reference_data,
    written_back,
)
from mappings.table import SETTINGS, Constant, Lines, Link, Mapping, Row, Setting

# fmt: off
SECTIONS: tuple[tuple[str, str, tuple[tuple[str, Mapping], ...]], ...] = (
    # heading                                introduction                                                                          tables by name
    ("Invoices: Dynamics 365 to Xero",       "A sales invoice, or a bill when its Invoice Type is Purchase Invoice. Its customer is made or brought up to date first.", (
        ("SALES_INVOICE", invoice.SALES_INVOICE), ("BILL", invoice.BILL), ("LINE", invoice.LINE), ("TRACKING", invoice.TRACKING),
        ("FREIGHT", invoice.FREIGHT), ("DESCRIPTION_LINE", invoice.DESCRIPTION_LINE), ("WRITTEN_BACK", written_back.WRITTEN_BACK))),
    ("Payments: Xero to Dynamics 365",       "Every payment of a linked invoice or bill becomes a row, part payments too; the invoice follows.", (
        ("PAYMENT", payment.PAYMENT),)),
    ("Credit notes: Xero to Dynamics 365",   "Every allocation of a credit note to a linked invoice or bill becomes a row: one credited to several invoices has a row on each. The invoice follows.", (
        ("CREDIT_NOTE_ALLOCATION", credit_note.CREDIT_NOTE_ALLOCATION),)),
    ("Invoice status: Xero to Dynamics 365", "What follows every change of a linked invoice or bill in Xero, beside its state: Paid when it was settled there with a payment, prepayment or overpayment, or its total is zero; Cancelled when it was voided, or settled by credit notes alone. Only what differs is written.", (
        ("INVOICE_STATUS", invoice_status.INVOICE_STATUS),)),
    ("Invoices: Xero to Dynamics 365",       "A sales invoice approved in Xero becomes an invoice with its lines. Its customer is found or made first, its payments come with it.", (
        ("INVOICE_FROM_XERO", invoice_from_xero.INVOICE), ("LINE_FROM_XERO", invoice_from_xero.LINE), ("TRACKING_FROM_XERO", invoice_from_xero.TRACKING))),
    ("Contacts: Dynamics 365 to Xero",       "The customer of an invoice is an account or a contact; either becomes a contact in Xero.", (
        ("ACCOUNT", contact.ACCOUNT), ("CONTACT", contact.CONTACT), ("PERSON", contact.PERSON))),
    ("Contacts: Xero to Dynamics 365",       "The contact of a document from Xero becomes an account where none is linked to it, bears its number or its name; one that is there is left as it is. The flow contacts-from-xero also fills what is empty, and overwrites the columns that the connector lets Xero own.", (
        ("ACCOUNT_FROM_XERO", contact_from_xero.ACCOUNT),)),
    ("Balances: Xero to Dynamics 365",       "What a customer owes, after every change of one of its documents and once a night (customers that owe nothing in turn, 400 a night).", (
        ("ACCOUNT_BALANCE", balance.ACCOUNT), ("CONTACT_BALANCE", balance.CONTACT))),
    ("Items: Dynamics 365 to Xero",          "A product becomes an item the first time an invoice uses it.", (
        ("PRODUCT", item.PRODUCT),)),
    ("Reference data: Xero to Dynamics 365", "Read in this order, and known again by Xero's id: a rename in Xero renames the row. What is archived in Xero stays and is marked.", (
        ("TAX_RATE", reference_data.TAX_RATE), ("XERO_ACCOUNT", reference_data.ACCOUNT), ("BRANDING_THEME", reference_data.BRANDING_THEME),
        ("TRACKING_CATEGORY", reference_data.TRACKING_CATEGORY), ("TRACKING_OPTION", reference_data.TRACKING_OPTION))),
    ("Items: Xero to Dynamics 365",          "Read last of the reference data, where invoices come from Xero or the connector's own row of items-from-xero says so. An item that has no product becomes one.", (
        ("ITEM", item.ITEM),)),
)
# fmt: on

TABLES = {name: mapping for _, _, tables in SECTIONS for name, mapping in tables}


def guide() -> str:
    """Return the whole guide as Markdown."""
    return "\n".join(_guide()) + "\n"


def _guide() -> Iterator[str]:
    yield "# Field guide"
    yield ""
    yield "Which field becomes which, and how it is written. Generated from the tables in `mappings/` by `python -m mappings`; do not edit."
    yield "Rows are tried from top to bottom. A row marked *else* counts only when no row above it has written the same field; an empty"
    yield "source leaves its field as it is. What cannot be written is refused, never cut or guessed, and every reason is told at once."
    for heading, introduction, tables in SECTIONS:
        yield from ("", f"## {heading}", "", introduction)
        for _, mapping in tables:
            yield from _table(mapping)


def _table(mapping: Mapping) -> Iterator[str]:
    from_xero = mapping.source[0].isupper()
    left, right = ("Xero", "Dynamics 365") if from_xero else ("Dynamics 365", "Xero")
    yield from ("", f"### {mapping.title}", "", f"`{mapping.source}` to `{mapping.target}`.", "")
    yield f"| {left} | Name | {right} | Written as | Notes |"
    yield "|---|---|---|---|---|"
    for row in mapping.rows:
        cells = (row.label, _source(row), f"`{row.target}`", _written(row), _notes(row))
        yield f"| {' | '.join(cell.replace('|', '∣') for cell in cells)} |"
    for row in mapping.rows:
        if isinstance(row, Lines) and row.steps:
            yield from ("", f"Before `{row.target}` of {row.label} is written:", "")
            yield from (f"{number}. {step.note}" for number, step in enumerate(row.steps, 1))
    refusals = [check.note for check in mapping.checks]
    refusals += [f"{_first(row, mapping).label} is there{_asked(row)}." for row in mapping.rows if row.required]
    if refusals:
        yield from ("", "Refused unless:", "")
        yield from (f"- {note}" for note in refusals)


def _source(row: Row) -> str:
    match row:
        case Constant():
            return ""
        case Setting():
            return f"`{SETTINGS}.{row.source}`"
        case Link():
            return "*known to the connector*"
    return f"`{row.source}`"


def _written(row: Row) -> str:
    match row:
        case Constant():
            return f"`{str(row.value).lower() if isinstance(row.value, bool) else row.value}`"
        case Lines():
            return f"each as {row.table.title}"
    return row.written.name


def _first(row: Row, mapping: Mapping) -> Row:
    """Return the first of the alternatives *row* ends."""
    return next(other for other in mapping.rows if other.target == row.target) if row.otherwise else row


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _asked(row: Row) -> str:
    conditions = [str(condition) for condition in (row.when, row.required_when) if condition]
    return f" ({', '.join(conditions)})" if conditions else ""


def _notes(row: Row) -> str:
    parts = [row.note, "*Else.*" if row.otherwise else "", f"*{_sentence(str(row.when))}.*" if row.when else ""]
    return " ".join(part for part in parts if part)


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]
    sys.stdout.write(guide())
