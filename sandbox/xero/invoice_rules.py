"""What Xero lets happen to an invoice: checks, defaults, the status machine, what a payment freezes.

Source: developer.xero.com accounting/invoices; the words of a message are Xero's where they are known.
"""

import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from . import contacts, documents, line_items, wire
from .call import Call
from .documents import INVOICES, Family
from .errors import Invalid
from .line_items import Lines, Terms
from .store import Document
from .totals import totals

LONGEST_REFERENCE = 255
HAS_PAYMENTS = "This document cannot be edited as it has a payment or credit note allocated to it."
NOT_SENT = "Only AUTHORISED invoices may have SentToContact updated."

APPROVED = ("SUBMITTED", "AUTHORISED")
# Xero's own rate of the day for one unit of the base currency; fixed here so that amounts can be predicted.
DAY_RATES = {
    ("NZD", "AUD"): Decimal("0.91"),
    ("NZD", "USD"): Decimal("0.59"),
    ("GBP", "EUR"): Decimal("1.15"),
    ("GBP", "USD"): Decimal("1.31"),
}
WRITABLE = {
    *("Type", "InvoiceNumber", "Reference", "Date", "DueDate", "ExpectedPaymentDate", "PlannedPaymentDate", "LineAmountTypes"),
    *("BrandingThemeID", "Url", "CurrencyCode", "CurrencyRate"),
}
# What a payment or credit note freezes.
FINANCIAL = ("Type", "Date", "CurrencyCode", "CurrencyRate", "LineAmountTypes", "SubTotal", "TotalTax", "Total")
FINANCIAL_LINE = ("LineItemID", "Quantity", "UnitAmount", "LineAmount", "TaxType", "TaxAmount", "ItemCode")
# Changing only these on a part-paid document does not move UpdatedDateUTC (accounting/requests-and-responses).
UNNOTICED = {"DueDate", "SentToContact"}


def write(call: Call, row: Document, known: Document | None) -> tuple[Document, list[str]]:
    """Create or update one invoice, with what to warn about; raises Invalid with everything that is wrong, NotFound."""
    status = documents.status_of(INVOICES, row, known)
    settled = known is not None and (known["AmountPaid"] or known["AmountCredited"])
    if known and status in ("VOIDED", "DELETED"):
        return keep(call, cancelled(call, INVOICES, known, status, is_used=bool(settled)), known), []

    invoice, warnings = _merged(call, row, known, status)
    contact = resolved_contact(call, row, known)
    problems = _problems(call, invoice, known)
    lines = built_lines(call, row, invoice, known, approved=status in APPROVED)
    invoice["LineItems"] = lines.rows
    problems += _add_up(invoice)
    if status in APPROVED and not invoice["LineItems"]:
        problems.append("One or more line items must be specified")
    problems += [text for texts in lines.problems.values() for text in texts]
    if settled and known and financially_different(known, invoice):
        problems.append(HAS_PAYMENTS)
    if problems:
        raise Invalid(*problems, lines=lines.problems)

    if contact is None:
        contact = written_contact(call, row["Contact"])
    invoice["Contact"] = {"ContactID": contact["ContactID"]}
    note_side(call, contact, invoice["Type"])
    invoice = documents.numbered(call, INVOICES, invoice)
    if invoice["Status"] == "AUTHORISED" and invoice["AmountDue"] == 0:
        invoice |= {"Status": "PAID", "FullyPaidOnDate": invoice["Date"]}
    return keep(call, invoice, known), warnings


def cancelled(call: Call, family: Family, known: Document, status: str, *, is_used: bool) -> Document:
    """Return a document as VOIDED or DELETED; what was due or left of it stays. Raises Invalid when anything was paid or allocated."""
    if is_used:
        raise Invalid(
            f"The status {status} cannot be applied to the {family.kind} because it has payments or credit notes allocated to it."
        )
    if status == "VOIDED" and (locked := lock_problem(call, known["Date"])):
        raise Invalid(locked)
    return {**known, "Status": status}


def merged(
    call: Call, family: Family, row: Mapping[str, Any], known: Document | None, status: str, writable: set[str], **new: Any
) -> tuple[Document, list[str]]:
    """Put what was sent over what is known, with Xero's defaults (*new* are the family's own) under both; and what to warn about."""
    sent = {name: value for name, value in row.items() if name in writable and (name, value) != (family.number, "")}
    document: Document = {
        family.id_name: str(uuid.uuid4()),
        "Type": "",
        "Date": call.today().isoformat(),
        "LineAmountTypes": "Exclusive",
        "CurrencyCode": call.organisation["BaseCurrency"],
        "SentToContact": False,
        "LineItems": [],
        "_app": call.app,
        **new,
        **(known or {}),
        **sent,
        "Status": status,
    }
    if document["Type"] == family.types[1]:
        # What comes from a supplier has neither a reference nor a theme; Xero passes over both.
        document.pop("Reference", None)
        document.pop("BrandingThemeID", None)
    elif not document.get("BrandingThemeID"):
        document["BrandingThemeID"] = _default_theme(call)
    warnings: list[str] = []
    set_rate(call, document, row, known, warnings)
    return document, warnings


def _merged(call: Call, row: Mapping[str, Any], known: Document | None, status: str) -> tuple[Document, list[str]]:
    invoice, warnings = merged(call, INVOICES, row, known, status, WRITABLE, AmountPaid=Decimal(0), AmountCredited=Decimal(0))
    if "SentToContact" in row and row["SentToContact"] != invoice["SentToContact"]:
        if status in ("AUTHORISED", "PAID"):
            invoice["SentToContact"] = row["SentToContact"]
        else:
            warnings.append(NOT_SENT)
    return invoice, warnings


def _default_theme(call: Call) -> str:
    """Return the branding theme of a document that names none."""
    themes = call.store.all(call.tenant, "branding theme")
    return str(next(theme["BrandingThemeID"] for theme in themes if theme["SortOrder"] == 0))


def set_rate(call: Call, document: Document, row: Mapping[str, Any], known: Document | None, warnings: list[str]) -> None:
    """Give the document the rate of the day unless it names one; a strange one is warned about."""
    day_rate = DAY_RATES.get((call.organisation["BaseCurrency"], document["CurrencyCode"]), Decimal(1))
    if "CurrencyRate" not in document or (known and "CurrencyCode" in row and "CurrencyRate" not in row):
        document["CurrencyRate"] = day_rate
    elif not Decimal("0.5") < Decimal(document["CurrencyRate"]) / day_rate < 2:
        warnings.append(f"The currency rate {document['CurrencyRate']} differs significantly from the rate of the day {day_rate}")


def _problems(call: Call, invoice: Document, known: Document | None) -> list[str]:
    problems: list[str] = []
    if url := invoice.get("Url"):
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc or "xero" in url.lower():
            problems.append("Url must be a valid absolute URL and must not contain 'xero'")
    if invoice["Status"] in APPROVED and not invoice.get("DueDate"):
        problems.append("A DueDate must be specified for approved and submitted invoices")
    if invoice.get("DueDate", invoice["Date"]) < invoice["Date"]:
        problems.append("The DueDate cannot be before the Date")
    return document_problems(call, INVOICES, invoice, known) + problems


def document_problems(call: Call, family: Family, document: Document, known: Document | None) -> list[str]:
    """Return what is wrong with the header of an invoice or credit note."""
    problems: list[str] = []
    if document["Type"] not in family.types or (known and document["Type"] != known["Type"]):
        problems.append(f"{family.words} Type '{document['Type']}' is not valid")
    problems += documents.number_problems(call, family, document) + header_problems(call, document)
    earliest = min(document["Date"], (known or document)["Date"])
    if document["Status"] != "DRAFT" and (locked := lock_problem(call, earliest)):
        problems.append(locked)
    return problems


def header_problems(call: Call, document: Document) -> list[str]:
    """Return what is wrong with the fields every kind of document has."""
    problems: list[str] = []
    if document["LineAmountTypes"] not in ("Exclusive", "Inclusive", "NoTax"):
        problems.append(f"LineAmountTypes '{document['LineAmountTypes']}' is not valid")
    if len(document.get("Reference", "")) > LONGEST_REFERENCE:
        problems.append(f"Reference must not be more than {LONGEST_REFERENCE} characters long")
    if not call.document("currency", document["CurrencyCode"]):
        problems.append(f"Organisation is not subscribed to currency {document['CurrencyCode']}")
    if Decimal(document["CurrencyRate"]) <= 0:
        problems.append("CurrencyRate must be greater than zero")
    if (theme := document.get("BrandingThemeID")) and not call.document("branding theme", theme):
        problems.append(f"The branding theme '{theme}' could not be found")
    return problems


def lock_problem(call: Call, day: str) -> str | None:
    """Return why nothing can be dated *day*, or None when the books are open."""
    for name, words in (("EndOfYearLockDate", "end of year lock date"), ("PeriodLockDate", "period lock date")):
        lock = call.organisation.get(name)
        if lock and day <= lock:
            return f"The document date cannot be before the {words}, currently set at {wire.long_day(lock)}"
    return None


def resolved_contact(call: Call, row: Mapping[str, Any], known: Document | None) -> Document | None:
    """Return the contact of the document, or None when it is still to be written with it; raises Invalid, NotFound."""
    if "Contact" not in row:
        if known is None:
            raise Invalid("A Contact must be specified for this type of transaction")
        return contact_of(call, known)
    sent = {name: value for name, value in row["Contact"].items() if value not in ("", [], {})}
    if not sent:
        if known:
            return contact_of(call, known)
        raise Invalid(contacts.UNIDENTIFIED)
    found = contacts.match(call, sent)
    if found and found["ContactStatus"] != "ACTIVE":
        raise Invalid(contacts.ARCHIVED)
    # Anything beside the identity changes the contact, or makes a new one.
    if found and (set(sent) == {"ContactID"} or set(sent) == {"ContactNumber"} or set(sent) == {"Name"}):
        return found
    return None


def written_contact(call: Call, sent: Mapping[str, Any]) -> Document:
    """Write the contact sent inside a document; contact persons that are not sent are gone."""
    try:
        return contacts.write(call, {"ContactPersons": [], **sent}, contacts.match(call, sent))
    except Invalid as problem:
        raise Invalid(contact=problem.problems) from problem


def note_side(call: Call, contact: Document, type: str) -> None:
    """Make the contact a customer or supplier with its first document; its UpdatedDateUTC does not notice."""
    flag = "IsCustomer" if type.startswith(("ACCREC", "RECEIVE")) else "IsSupplier"
    if not contact.get(flag):
        call.store.put(call.tenant, "contact", contact["ContactID"], {**contact, flag: True}, contact["Name"])


def built_lines(call: Call, row: Mapping[str, Any], invoice: Document, known: Document | None, *, approved: bool) -> Lines:
    """Return the lines of an invoice or credit note: those sent, or those known under what changed above them."""
    terms = Terms(invoice["Type"], invoice["LineAmountTypes"], approved)
    before: list[Document] = (known or {}).get("LineItems", [])
    if "LineItems" in row:
        return line_items.built(call, terms, row["LineItems"], before)
    if known and invoice["LineAmountTypes"] != known["LineAmountTypes"]:
        bare = [
            {name: value for name, value in line.items() if name not in ("TaxAmount", "LineAmount", "Item")} for line in before
        ]
        return line_items.built(call, terms, bare, bare)
    if known and terms.approved and known["Status"] not in APPROVED:
        return Lines(before, line_items.built(call, terms, before, before).problems)
    return Lines(before)


def _add_up(invoice: Document) -> list[str]:
    """Set the totals of the document; returns what is wrong with them."""
    sums = totals(invoice["LineItems"], invoice["LineAmountTypes"])
    invoice |= {"SubTotal": sums.sub_total, "TotalTax": sums.total_tax, "Total": sums.total}
    invoice["AmountDue"] = sums.total - Decimal(invoice["AmountPaid"]) - Decimal(invoice["AmountCredited"])
    invoice.pop("TotalDiscount", None)
    if discounted := [line for line in invoice["LineItems"] if line.get("DiscountRate") or line.get("DiscountAmount")]:
        gross = sum((Decimal(line["Quantity"]) * Decimal(line["UnitAmount"]) for line in discounted), Decimal(0))
        invoice["TotalDiscount"] = wire.money(gross - sum(Decimal(line["LineAmount"]) for line in discounted))
    return ["The total of an invoice cannot be negative"] if sums.total < 0 else []


def financially_different(known: Document, invoice: Document) -> bool:
    def frozen(document: Document) -> Any:
        lines = [[line.get(name) for name in FINANCIAL_LINE] for line in document["LineItems"]]
        return [document.get(name) for name in FINANCIAL], lines

    return bool(frozen(known) != frozen(invoice))


def keep(call: Call, invoice: Document, known: Document | None) -> Document:
    """Store an invoice; UpdatedDateUTC moves, but for the changes Xero does not notice."""
    changed = {name for name in {*invoice, *(known or {})} if invoice.get(name) != (known or {}).get(name)}
    part_paid = known is not None and known["AmountPaid"] and known["AmountDue"]
    if not (part_paid and changed <= UNNOTICED):
        invoice = {**invoice, "UpdatedDateUTC": call.sandbox.clock.stamp()}
    call.store.put(call.tenant, "invoice", invoice["InvoiceID"], invoice, invoice.get("InvoiceNumber", ""))
    return invoice


def apply_payment(call: Call, invoice: Document, amount: Decimal, day: str) -> None:
    """Let a payment (or, negative, its removal) move AmountPaid, AmountDue and Status."""
    _apply(call, invoice, amount, day, {"AmountPaid": Decimal(invoice["AmountPaid"]) + amount})


def apply_credit(call: Call, invoice: Document, amount: Decimal, day: str, credits: Document) -> None:
    """Let an allocation (or, negative, its removal) move AmountCredited, AmountDue and Status.

    *credits* is the invoice's list of credit notes, prepayments or overpayments as it is now, by its name.
    """
    _apply(call, invoice, amount, day, {"AmountCredited": Decimal(invoice["AmountCredited"]) + amount, **credits})


def _apply(call: Call, invoice: Document, amount: Decimal, day: str, fields: Document) -> None:
    changed = {**invoice, **fields, "AmountDue": Decimal(invoice["AmountDue"]) - amount}
    if changed["AmountDue"] == 0:
        changed |= {"Status": "PAID", "FullyPaidOnDate": day}
    else:
        changed["Status"] = "AUTHORISED"
        changed.pop("FullyPaidOnDate", None)
    keep(call, changed, invoice)


def contact_of(call: Call, invoice: Document) -> Document:
    """Return the contact an invoice points at."""
    found = call.document("contact", invoice["Contact"]["ContactID"])
    assert found is not None, "contacts are never deleted"
    return found
