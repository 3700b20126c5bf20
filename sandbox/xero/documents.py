"""The families of Xero's documents, and what is alike for those the API writes: their endpoints, their statuses, their numbers.

Source: developer.xero.com accounting/invoices, creditnotes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from . import wire
from .call import Call, Refused
from .errors import Invalid, NotFound
from .store import Document

Answer = dict[str, Any] | Refused

NOT_FOUND = "The document with the supplied id was not found for this endpoint."


@dataclass(frozen=True)
class Family:
    """One family of documents: its kind in the store, Xero's names for its id, its list and its model, and what messages say.

    Of those the API writes: their ``types``, that of sales first, the field of their ``number``, of which no two of sales may bear the
    same, and the ``prefix`` of one that Xero gives itself.
    """

    kind: str
    id_name: str
    plural: str
    model: str
    words: str
    types: tuple[str, str] = ("", "")
    number: str = ""
    prefix: str = ""
    not_found: str = NOT_FOUND


NO_NOTE = "An existing Credit Note with the specified CreditNoteID could not be found"
# fmt: off
INVOICES = Family("invoice", "InvoiceID", "Invoices", "Invoice", "Invoice", ("ACCREC", "ACCPAY"), "InvoiceNumber", "INV")
CREDIT_NOTES = Family("credit note", "CreditNoteID", "CreditNotes", "CreditNote", "Credit Note", ("ACCRECCREDIT", "ACCPAYCREDIT"),
                      "CreditNoteNumber", "CN", NO_NOTE)
OVERPAYMENTS = Family("overpayment", "OverpaymentID", "Overpayments", "Overpayment", "Overpayment")
PREPAYMENTS = Family("prepayment", "PrepaymentID", "Prepayments", "Prepayment", "Prepayment")

NEXT: dict[str, tuple[str, ...]] = {
    "DRAFT":      ("DRAFT", "SUBMITTED", "AUTHORISED", "DELETED"),
    "SUBMITTED":  ("DRAFT", "SUBMITTED", "AUTHORISED", "DELETED"),
    "AUTHORISED": ("AUTHORISED", "VOIDED"),
    "PAID":       ("PAID", "AUTHORISED", "VOIDED"),  # AUTHORISED changes nothing; VOIDED is refused for its payments
    "VOIDED":     (),
    "DELETED":    (),
}
# fmt: on
NEW = ("DRAFT", "SUBMITTED", "AUTHORISED")
LONGEST_NUMBER = 255


# --- endpoints ---------------------------------------------------------------------------------------------------------

Written = Callable[[Call, Document, Document | None], Document]
Echo = Callable[[Call, Mapping[str, Any], Invalid, Document | None], Document]


def writers(
    family: Family, written: Written, echo: Echo
) -> tuple[Callable[[Call], Answer], Callable[[Call], Answer], Callable[[Call, str], Answer]]:
    """Return the views that write a family: PUT, POST, and POST by id.

    *written* creates or updates one document and shows it, *echo* shows a refused one.
    """

    def write_each(
        call: Call, write: Callable[[Document], Document], known: Callable[[Mapping[str, Any]], Document | None]
    ) -> Answer:
        rows = call.elements(family.plural, family.model)
        return call.write_each(family.plural, rows, write, lambda row, problem: echo(call, row, problem, known(row)))

    def create(call: Call) -> Answer:
        """PUT /Invoices and its like: create only."""

        def write(row: Document) -> Document:
            if row.get(family.id_name):
                raise Invalid(f"No {family.id_name} can be given to a new {family.kind}; POST updates an existing one")
            return written(call, row, None)

        return write_each(call, write, lambda row: None)

    def update_or_create(call: Call) -> Answer:
        """POST /Invoices and its like: by id, else one for a customer by its number (it edits that document!), else create."""

        def write(row: Document) -> Document:
            known = _meant(call, family, row)
            if row.get(family.id_name) and known is None:
                raise Invalid(family.not_found)
            return written(call, row, known)

        return write_each(call, write, lambda row: _meant(call, family, row))

    def update(call: Call, id: str) -> Answer:
        """POST /Invoices/{InvoiceID or InvoiceNumber} and its like."""
        known = found(call, family, id)
        return write_each(call, lambda row: written(call, row, known), lambda row: known)

    return create, update_or_create, update


def found(call: Call, family: Family, id: str) -> Document:
    """Return a document by its id, or by its number where it has one; raises NotFound."""
    document = call.document(family.kind, id)
    if document is None and family.number:
        document = next(iter(call.store.find(call.tenant, family.kind, id)), None)
    if document is None:
        raise NotFound(f"{family.plural}/{id}")
    return document


def echoed(call: Call, id_name: str, asked: Document, problem: Invalid, *hidden: str) -> Document:
    """Write a refused document: what was asked for without what is *hidden*, and why not; `HasErrors` is the caller's to add."""
    lines = [dict(line) for line in asked.get("LineItems", [])]
    for index, texts in problem.lines.items():
        lines[index]["ValidationErrors"] = wire.messages(texts)
    contact = {name: value for name, value in asked.get("Contact", {}).items() if name in ("ContactID", "ContactNumber", "Name")}
    return {
        **wire.dated({id_name: wire.EMPTY_GUID, **asked, "Date": asked.get("Date") or call.today().isoformat()}, *hidden),
        "Contact": {
            **contact,
            **{name: [] for name in ("Addresses", "Phones", "ContactGroups", "ContactPersons")},
            "HasValidationErrors": bool(problem.contact),
            "ValidationErrors": wire.messages(problem.contact),
        },
        "LineItems": lines,
        "ValidationErrors": wire.messages(problem.problems),
    }


def _meant(call: Call, family: Family, row: Mapping[str, Any]) -> Document | None:
    """Return the document a row of a POST means: by its id, else one for a customer by its number."""
    if row.get(family.id_name):
        return call.document(family.kind, row[family.id_name])
    if row.get(family.number) and not row.get("Type", "").startswith("ACCPAY"):
        return _of_number(call, family, row[family.number])
    return None


# --- rules -------------------------------------------------------------------------------------------------------------


def status_of(family: Family, row: Mapping[str, Any], known: Document | None) -> str:
    """Return the status a document gets by what is asked for; raises Invalid where it cannot have it."""
    status = str(row.get("Status") or (known["Status"] if known else "DRAFT"))
    if known and status not in NEXT[known["Status"]]:
        raise Invalid(f"{family.kind.capitalize()} not of valid status for modification")
    if known is None and status not in NEW:
        raise Invalid(f"A new {family.kind} cannot have the status {status}")
    return "PAID" if known and known["Status"] == "PAID" and status == "AUTHORISED" else status


def number_problems(call: Call, family: Family, document: Document) -> list[str]:
    """Return what is wrong with the number of a document."""
    number = document.get(family.number, "")
    problems: list[str] = []
    if len(number) > LONGEST_NUMBER or not (number.isascii() and (number.isprintable() or not number)):
        problems.append(f"{family.words} Number must be at most {LONGEST_NUMBER} printable ASCII characters")
    if document["Type"] == family.types[0] and number:
        alike = call.store.find(call.tenant, family.kind, number)
        if any(one["Type"] == family.types[0] and one[family.id_name] != document[family.id_name] for one in alike):
            problems.append(f"{family.words} # must be unique.")
    return problems


def numbered(call: Call, family: Family, document: Document) -> Document:
    """Return the document with the next number, where Xero gives it one."""
    if document["Type"] != family.types[0] or document.get(family.number):
        return document
    numbering = call.document("numbering", family.types[0]) or {"next": 1}
    number = numbering["next"]
    while call.store.find(call.tenant, family.kind, f"{family.prefix}-{number:04}"):
        number += 1
    call.store.put(call.tenant, "numbering", family.types[0], {"next": number + 1})
    return {**document, family.number: f"{family.prefix}-{number:04}"}


def _of_number(call: Call, family: Family, number: str) -> Document | None:
    alike = call.store.find(call.tenant, family.kind, number)
    return next((one for one in alike if one["Type"] == family.types[0]), None)
