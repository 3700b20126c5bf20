"""Contacts (developer.xero.com accounting/contacts): one name among the active ones, archived ones out of reach."""

import re
import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from flask import request

from . import wire
from .call import Call, Refused
from .errors import Invalid, NotFound
from .store import Document

Answer = dict[str, Any] | Refused

ARCHIVED = "The specified contact details matched an archived contact. Archived contacts cannot currently be edited via the API."
UNIDENTIFIED = (
    "The Contact must contain at least 1 of the following elements to identify the contact: Name, ContactID, ContactNumber"
)
LENGTHS = {
    **dict.fromkeys(("Name", "FirstName", "LastName", "EmailAddress"), 255),
    **dict.fromkeys(("ContactNumber", "AccountNumber", "CompanyNumber", "TaxNumber"), 50),
}
ADDRESS_LENGTHS = {
    **dict.fromkeys(("AddressLine1", "AddressLine2", "AddressLine3", "AddressLine4"), 500),
    **dict.fromkeys(("City", "Region", "AttentionTo"), 255),
    **dict.fromkeys(("PostalCode", "Country"), 50),
}
PHONE_LENGTHS = {"PhoneNumber": 50, "PhoneAreaCode": 10, "PhoneCountryCode": 20}
ADDRESS_TYPES = ("STREET", "POBOX")
PHONE_TYPES = ("DEFAULT", "DDI", "FAX", "MOBILE")
MOST_PERSONS = 5

# ASCII only: Xero takes no umlauts.
EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", re.ASCII)

READ_ONLY = {
    *("ContactID", "MergedToContactID", "UpdatedDateUTC", "IsCustomer", "IsSupplier", "Balances", "Website", "ContactGroups"),
    *("Attachments", "HasAttachments", "Discount", "ValidationErrors", "HasValidationErrors", "StatusAttributeString"),
}
# What a list without paging leaves out, and what summaryOnly leaves out.
NOT_UNPAGED = {
    *("Balances", "MergedToContactID", "PaymentTerms", "SalesDefaultAccountCode", "PurchasesDefaultAccountCode"),
    *("SalesTrackingCategories", "PurchasesTrackingCategories", "Website", "Discount", "BatchPayments", "BrandingTheme"),
}
NOT_IN_SUMMARY = {
    *("Addresses", "Balances", "ContactGroups", "ContactPersons", "IsCustomer", "IsSupplier"),
    *("SalesDefaultAccountCode", "PurchasesDefaultAccountCode", "SalesTrackingCategories", "PurchasesTrackingCategories"),
}
CREDIT_KINDS = ("credit note", "overpayment", "prepayment")
SEARCHED = ("Name", "FirstName", "LastName", "ContactNumber", "CompanyNumber", "EmailAddress")


# --- reading -----------------------------------------------------------------------------------------------------------


def listed(call: Call) -> Answer:
    """GET /Contacts with IDs, includeArchived, summaryOnly, searchTerm, where, order, paging, If-Modified-Since."""
    rows = call.store.all(call.tenant, "contact")
    if ids := [id.lower() for id in call.names("IDs")]:
        rows = [row for row in rows if row["ContactID"].lower() in ids]
    if not call.flag("includeArchived"):
        rows = [row for row in rows if row["ContactStatus"] != "ARCHIVED"]
    if term := request.args.get("searchTerm", "").casefold():
        rows = [row for row in rows if any(term in (row.get(name) or "").casefold() for name in SEARCHED)]
    rows = call.selected(rows, "Contact", order="UpdatedDateUTC ASC, ContactID ASC")
    summary = call.flag("summaryOnly")
    page, pagination = call.page(rows, force=summary)
    if summary:
        hidden = NOT_IN_SUMMARY
    else:
        hidden = set() if pagination else NOT_UNPAGED
    owed = {} if hidden else balances(call)
    shown = [shown_in_full(call, row, owed) for row in page]
    for contact in shown:
        if hidden == NOT_UNPAGED:
            contact["ContactPersons"] = []
        for name in hidden:
            contact.pop(name, None)
    return {**pagination, "Contacts": shown}


def single(call: Call, id: str) -> Answer:
    """GET /Contacts/{ContactID or ContactNumber}."""
    found = call.document("contact", id) or by_number(call, id)
    if found is None:
        raise NotFound(request.path)
    return {"Contacts": [{**shown_in_full(call, found, balances(call)), "Attachments": []}]}


def by_number(call: Call, number: str) -> Document | None:
    """Return the contact with this ContactNumber, or None."""
    wanted = number.casefold()
    return next((c for c in call.store.all(call.tenant, "contact") if c.get("ContactNumber", "").casefold() == wanted), None)


def active_by_name(call: Call, name: str) -> Document | None:
    """Return the active contact of this name (in any case), or None."""
    return next((c for c in call.store.find(call.tenant, "contact", name) if c["ContactStatus"] == "ACTIVE"), None)


def balances(call: Call) -> dict[str, Document]:
    """Return what every contact with an approved document owes and is owed, in the base currency.

    Credit that is left is taken off what is outstanding, not off what is overdue: it has no due date.
    """
    today, found = call.today().isoformat(), dict[str, Document]()

    def owed(document: Document, amount: str) -> tuple[Document, Decimal]:
        side = "AccountsReceivable" if document["Type"].startswith(("ACCREC", "RECEIVE")) else "AccountsPayable"
        sides = found.setdefault(
            document["Contact"]["ContactID"],
            {name: {"Outstanding": Decimal(0), "Overdue": Decimal(0)} for name in ("AccountsReceivable", "AccountsPayable")},
        )
        return sides[side], wire.money(Decimal(document[amount]) / Decimal(document["CurrencyRate"]))

    for invoice in call.store.all(call.tenant, "invoice"):
        if invoice["Status"] not in ("AUTHORISED", "PAID"):
            continue
        side, due = owed(invoice, "AmountDue")
        side["Outstanding"] += due
        if invoice.get("DueDate", today) < today:
            side["Overdue"] += due
    for credit in (row for kind in CREDIT_KINDS for row in call.store.all(call.tenant, kind)):
        if credit["Status"] in ("AUTHORISED", "PAID"):
            side, left = owed(credit, "RemainingCredit")
            side["Outstanding"] -= left
    return found


def shown_in_full(call: Call, contact: Document, owed: Mapping[str, Document]) -> Document:
    """Write a contact as a page or a single GET does: every slot, no empty fields."""
    shown = wire.pruned({name: value for name, value in contact.items() if not name.startswith("_")})
    return {
        **shown,
        "Addresses": [wire.pruned(row) for row in reversed(_slots(contact, "Addresses", "AddressType", ADDRESS_TYPES))],
        "Phones": [
            wire.pruned(row)
            for row in sorted(_slots(contact, "Phones", "PhoneType", PHONE_TYPES), key=lambda row: str(row["PhoneType"]))
        ],
        "UpdatedDateUTC": wire.ms(contact["UpdatedDateUTC"]),
        "ContactGroups": [],
        "ContactPersons": contact.get("ContactPersons", []),
        "HasAttachments": False,
        "HasValidationErrors": False,
        **({"Balances": owed[contact["ContactID"]]} if contact["ContactID"] in owed else {}),
    }


def shown_as_written(contact: Document) -> Document:
    """Write a contact as the answer to a PUT or POST does: every slot, with empty texts."""
    return {
        **wire.pruned({name: value for name, value in contact.items() if not name.startswith("_")}),
        "BankAccountDetails": contact.get("BankAccountDetails", ""),
        "Addresses": [
            {"AddressType": row["AddressType"], "City": "", "Region": "", "PostalCode": "", "Country": ""} | row
            for row in _slots(contact, "Addresses", "AddressType", ADDRESS_TYPES)
        ],
        "Phones": [
            {"PhoneType": row["PhoneType"], "PhoneNumber": "", "PhoneAreaCode": "", "PhoneCountryCode": ""} | row
            for row in _slots(contact, "Phones", "PhoneType", PHONE_TYPES)
        ],
        "UpdatedDateUTC": wire.ms(contact["UpdatedDateUTC"]),
        "ContactGroups": [],
        "SalesTrackingCategories": contact.get("SalesTrackingCategories", []),
        "PurchasesTrackingCategories": contact.get("PurchasesTrackingCategories", []),
        "ContactPersons": contact.get("ContactPersons", []),
        "HasValidationErrors": False,
    }


def shown_in_document(contact: Document) -> Document:
    """Write a contact as a list of invoices does: id and name only."""
    return {
        "ContactID": contact["ContactID"],
        "Name": contact["Name"],
        **{name: [] for name in ("Addresses", "Phones", "ContactGroups", "ContactPersons")},
        "HasValidationErrors": False,
    }


def _slots(contact: Document, name: str, type_name: str, types: tuple[str, ...]) -> list[Document]:
    known = {row[type_name]: row for row in contact.get(name, [])}
    return [known.get(type, {type_name: type}) for type in types]


# --- writing -----------------------------------------------------------------------------------------------------------


def create(call: Call) -> Answer:
    """PUT /Contacts: create only; a name or number already taken is an error."""
    return call.write_each(
        "Contacts", call.elements("Contacts", "Contact"), lambda row: shown_as_written(write(call, row, None)), echo
    )


def update_or_create(call: Call) -> Answer:
    """POST /Contacts: match by ContactID, ContactNumber, else Name; fields left out are preserved."""

    def upsert(row: Document) -> Document:
        return shown_as_written(write(call, row, match(call, row)))

    return call.write_each("Contacts", call.elements("Contacts", "Contact"), upsert, echo)


def update(call: Call, id: str) -> Answer:
    """POST /Contacts/{ContactID}."""
    known = call.document("contact", id)
    if known is None:
        raise NotFound(request.path)
    return call.write_each(
        "Contacts", call.elements("Contacts", "Contact"), lambda row: shown_as_written(write(call, row, known)), echo
    )


def match(call: Call, row: Mapping[str, Any]) -> Document | None:
    """Return the contact an element speaks of, or None for a new one; raises NotFound for an unknown ContactID."""
    if row.get("ContactID"):
        known = call.document("contact", row["ContactID"])
        if known is None:
            # An unknown id fails the whole request.
            raise NotFound(row["ContactID"])
        return known
    if row.get("ContactNumber") and (known := by_number(call, row["ContactNumber"])):
        return known
    return active_by_name(call, row["Name"]) if row.get("Name") else None


def write(call: Call, row: Mapping[str, Any], known: Document | None) -> Document:
    """Create or update one contact and return what is stored; raises Invalid."""
    if known and known["ContactStatus"] == "ARCHIVED":
        raise Invalid(ARCHIVED)
    if known and known["ContactStatus"] == "GDPRREQUEST":
        raise Invalid("The specified contact is subject to a GDPR request and cannot be edited via the API.")
    sent = {name: value for name, value in row.items() if name not in READ_ONLY}
    contact: Document = {**(known or {"ContactStatus": "ACTIVE"}), **sent}
    for name, type_name in (("Addresses", "AddressType"), ("Phones", "PhoneType")):
        contact[name] = _merged((known or {}).get(name, []), sent.get(name, []), type_name)
    _check(call, contact, known, identified=bool(known or row.get("ContactNumber") or row.get("Name")))
    contact = {
        "IsSupplier": False,
        "IsCustomer": False,
        **contact,
        "ContactID": known["ContactID"] if known else str(uuid.uuid4()),
        "UpdatedDateUTC": call.sandbox.clock.stamp(),
    }
    call.store.put(call.tenant, "contact", contact["ContactID"], contact, contact["Name"])
    return contact


def _merged(known: list[Document], sent: list[Document], type_name: str) -> list[Document]:
    slots = {row[type_name]: row for row in known}
    for row in sent:
        slots[row.get(type_name, "")] = row
    return list(slots.values())


def _check(call: Call, contact: Document, known: Document | None, *, identified: bool) -> None:
    if not identified:
        raise Invalid(UNIDENTIFIED)
    name, id = contact.get("Name", ""), (known or {}).get("ContactID")
    problems = [
        f"{name} must not be more than {longest} characters long"
        for name, longest in LENGTHS.items()
        if len(contact.get(name) or "") > longest
    ]
    if not name:
        problems.append("Contact Name cannot be empty.")
    elif re.search(r"[<>]", name) or name != name.strip() or "  " in name:
        problems.append("The contact name cannot contain '<' or '>', or leading, trailing or repeated spaces.")
    other = active_by_name(call, name)
    if contact["ContactStatus"] == "ACTIVE" and other and other["ContactID"] != id:
        problems.append(
            f"The contact name {name} is already assigned to another contact. "
            "The contact name must be unique across all active contacts."
        )
    for field, words in (("ContactNumber", "Contact Number"), ("AccountNumber", "Account Number")):
        if contact.get(field) and any(
            row.get(field, "").casefold() == contact[field].casefold() and row["ContactID"] != id
            for row in call.store.all(call.tenant, "contact")
        ):
            problems.append(f"{words} {contact[field]} already exists. It must be unique across all contacts.")
    if contact["ContactStatus"] not in ("ACTIVE", "ARCHIVED") or (contact["ContactStatus"] == "ARCHIVED" and not known):
        problems.append(f"ContactStatus {contact['ContactStatus']} is not valid")
    persons = contact.get("ContactPersons", [])
    if len(persons) > MOST_PERSONS:
        problems.append(f"A maximum of {MOST_PERSONS} ContactPersons is allowed")
    for address in [contact.get("EmailAddress"), *(person.get("EmailAddress") for person in persons)]:
        if address and not EMAIL.fullmatch(address):
            problems.append("Email address must be valid.")
    problems += _slot_problems(contact["Addresses"], "AddressType", ADDRESS_TYPES, ADDRESS_LENGTHS)
    problems += _slot_problems(contact["Phones"], "PhoneType", PHONE_TYPES, PHONE_LENGTHS)
    problems += [
        f"Country '{row['Country']}' must contain letters only"
        for row in contact["Addresses"]
        if row.get("Country") and not re.fullmatch(r"[^\W\d_]+([ '.&()-]+[^\W\d_]*)*", row["Country"])
    ]
    if contact.get("DefaultCurrency") and not call.document("currency", contact["DefaultCurrency"]):
        problems.append(f"Organisation is not subscribed to currency {contact['DefaultCurrency']}")
    if problems:
        raise Invalid(*problems)


def _slot_problems(rows: list[Document], type_name: str, types: tuple[str, ...], lengths: Mapping[str, int]) -> list[str]:
    return [f"{type_name} '{row.get(type_name, '')}' is not valid" for row in rows if row.get(type_name) not in types] + [
        f"{name} must not be more than {longest} characters long"
        for row in rows
        for name, longest in lengths.items()
        if len(row.get(name) or "") > longest
    ]


def echo(row: Mapping[str, Any], problem: Invalid) -> Document:
    """Write a refused contact: what was sent, and why not."""
    return {
        "ContactID": wire.EMPTY_GUID,
        **row,
        "Addresses": [{**address, "ValidationErrors": []} for address in row.get("Addresses", [])],
        "Phones": [{**phone, "ValidationErrors": []} for phone in row.get("Phones", [])],
        "ContactGroups": [],
        "IsCustomer": row.get("IsCustomer", False),
        "ContactPersons": row.get("ContactPersons", []),
        "HasValidationErrors": True,
        "ValidationErrors": wire.messages(problem.problems),
    }
