"""What a bookkeeper does in Xero, one function each, by the same rules as the API: pays, credits, allocates, voids, merges.

Every argument is JSON; a document is named by its id or number, a contact by its id, number or name, an account by its id,
code or name. `POST /sandbox/books/{action}` is the way in (see console).
"""

import inspect
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from . import bank_transactions, batch_payments, contacts, credit_notes, credit_rules, documents, invoice_rules, payload, payments
from .call import Call
from .credit_rules import FAMILIES
from .documents import CREDIT_NOTES, OVERPAYMENTS, PREPAYMENTS, Family
from .errors import Invalid, NotFound
from .store import Document

BANK = "090"
SALES = "200"

Action = Callable[..., Document]
Amount = Decimal | int


class Unknown(Exception):
    """There is no such document, or no such action; the message says which."""


# --- money -------------------------------------------------------------------------------------------------------------


def pay(
    call: Call, *, invoice: str, amount: Amount | None = None, account: str = BANK, date: str = "", reference: str = ""
) -> Document:
    """Pay an invoice or bill, in full or in part."""
    owed = _invoice(call, invoice)
    row = {"Invoice": {"InvoiceID": owed["InvoiceID"]}, "Amount": owed["AmountDue"] if amount is None else amount}
    return payments.pay(call, _checked("Payment", {**row, **_paid_from(call, account, date, reference)}))


def refund(
    call: Call, *, credit: str, amount: Amount | None = None, account: str = BANK, date: str = "", reference: str = ""
) -> Document:
    """Pay back what is left of a credit note, overpayment or prepayment, or a part of it."""
    family, found = _credit(call, credit)
    row = {
        family.model: {family.id_name: found[family.id_name]},
        "Amount": found["RemainingCredit"] if amount is None else amount,
    }
    return payments.pay(call, _checked("Payment", {**row, **_paid_from(call, account, date, reference)}))


def take_payment_back(call: Call, *, payment: str) -> Document:
    """Remove a payment: its document is owed again."""
    found = call.document("payment", payment)
    if found is None:
        raise Unknown(f"There is no payment {payment}.")
    if found.get("BatchPaymentID"):
        raise Invalid(payments.IN_A_BATCH)
    return payments.take_back(call, found)


def batch_pay(
    call: Call,
    *,
    invoices: list[str],
    amounts: list[Amount] | None = None,
    account: str = BANK,
    date: str = "",
    reference: str = "",
) -> Document:
    """Pay several invoices (or several bills) at once, in full or the *amounts* in their order."""
    owed = [_invoice(call, name) for name in invoices]
    if amounts is not None and len(amounts) != len(owed):
        raise Invalid("There must be as many amounts as invoices")
    paid = [invoice["AmountDue"] for invoice in owed] if amounts is None else amounts
    rows = [
        {"Invoice": {"InvoiceID": invoice["InvoiceID"]}, "Amount": amount} for invoice, amount in zip(owed, paid, strict=True)
    ]
    return batch_payments.pay(call, _checked("BatchPayment", {"Payments": rows, **_paid_from(call, account, date, reference)}))


def take_batch_back(call: Call, *, batch: str) -> Document:
    """Remove a batch payment with all its payments."""
    found = call.document("batch payment", batch)
    if found is None:
        raise Unknown(f"There is no batch payment {batch}.")
    return batch_payments.take_back(call, found)


def overpayment(call: Call, *, contact: str, amount: Amount, bank: str = BANK, date: str = "", spent: bool = False) -> Document:
    """Receive (or spend) money nobody asked for; it can be allocated to invoices."""
    return _in_advance(call, OVERPAYMENTS, contact, {"LineAmount": amount}, bank, date, spent=spent)


def prepayment(
    call: Call, *, contact: str, amount: Amount, account: str = SALES, bank: str = BANK, date: str = "", spent: bool = False
) -> Document:
    """Receive (or spend) money in advance, tax included; it can be allocated to invoices."""
    code = _account(call, account).get("Code", "")
    return _in_advance(call, PREPAYMENTS, contact, {"LineAmount": amount, "AccountCode": code}, bank, date, spent=spent)


# --- documents ---------------------------------------------------------------------------------------------------------


def invoice(
    call: Call,
    *,
    contact: str,
    lines: list[Document],
    type: str = "ACCREC",
    status: str = "AUTHORISED",
    date: str = "",
    due: str = "",
    fields: Document | None = None,
) -> Document:
    """Raise an invoice (or a bill, type ACCPAY), approved; *lines* and further *fields* are written as in Xero's API."""
    day = date or call.today().isoformat()
    row = {
        "Type": type,
        "Contact": {"ContactID": _contact(call, contact)["ContactID"]},
        "Date": day,
        "DueDate": due or day,
        "Status": status,
        "LineItems": lines,
        **(fields or {}),
    }
    return invoice_rules.write(call, _checked("Invoice", row), None)[0]


def approve(call: Call, *, document: str) -> Document:
    """Approve a draft invoice or credit note."""
    return _moved(call, document, "AUTHORISED")


def void(call: Call, *, document: str) -> Document:
    """Void an approved invoice or credit note that nothing is paid of."""
    return _moved(call, document, "VOIDED")


def delete(call: Call, *, document: str) -> Document:
    """Delete a draft invoice or credit note."""
    return _moved(call, document, "DELETED")


def credit_note(
    call: Call,
    *,
    contact: str = "",
    lines: list[Document] | None = None,
    type: str = "ACCRECCREDIT",
    status: str = "AUTHORISED",
    date: str = "",
    fields: Document | None = None,
    invoice: str = "",
    amount: Amount | None = None,
) -> Document:
    """Raise a credit note for a contact with lines; or for an invoice: over *amount* (or all that is due), and allocate it."""
    if not invoice:
        row = {
            "Type": type,
            "Contact": {"ContactID": _contact(call, contact)["ContactID"]},
            "Date": date or call.today().isoformat(),
            "Status": status,
            "LineItems": lines or [],
            **(fields or {}),
        }
        return credit_notes.write(call, _checked("CreditNote", row), None)[0]
    credited = _invoice(call, invoice)
    part = credited["AmountDue"] if amount is None else amount
    note = credit_notes.write(call, _checked("CreditNote", {**_note_for(call, credited, part, date), **(fields or {})}), None)[0]
    return allocate(call, credit=note["CreditNoteID"], invoice=credited["InvoiceID"], amount=part)


def allocate(call: Call, *, credit: str, invoice: str, amount: Amount | None = None) -> Document:
    """Allocate a credit note, overpayment or prepayment to an invoice: an amount, or as much as there is and is due."""
    family, found = _credit(call, credit)
    owed = _invoice(call, invoice)
    part = min(found["RemainingCredit"], owed["AmountDue"]) if amount is None else amount
    row = _checked("Allocation", {"Amount": part, "Invoice": {"InvoiceID": owed["InvoiceID"]}})
    credit_rules.allocate(call, family, found[family.id_name], row)
    return documents.found(call, family, found[family.id_name])


def take_allocation_back(call: Call, *, credit: str, allocation: str = "", invoice: str = "") -> Document:
    """Take an allocation of a credit back, named by its id or by its invoice; the last one when neither is given."""
    family, found = _credit(call, credit)
    rows = found["Allocations"]
    if allocation:
        rows = [row for row in rows if row["AllocationID"].lower() == allocation.lower()]
    if invoice:
        id = _invoice(call, invoice)["InvoiceID"]
        rows = [row for row in rows if row["Invoice"]["InvoiceID"] == id]
    if not rows:
        raise Unknown(f"There is no such allocation of {credit}.")
    credit_rules.take_back(call, family, found[family.id_name], rows[-1]["AllocationID"])
    return documents.found(call, family, found[family.id_name])


# --- contacts and reference data ---------------------------------------------------------------------------------------


def contact(call: Call, *, name: str, fields: Document | None = None) -> Document:
    """Make a contact, or change the active one of this name, in Xero's field names."""
    return contacts.write(call, _checked("Contact", {"Name": name, **(fields or {})}), contacts.active_by_name(call, name))


def merge(call: Call, *, loser: str, winner: str) -> Document:
    """Merge one contact into another: it is archived, its documents move."""
    return call.sandbox.merge(call.tenant, _contact(call, loser)["ContactID"], _contact(call, winner)["ContactID"])


def archive(call: Call, *, contact: str) -> Document:
    """Archive a contact."""
    return call.sandbox.change(call.tenant, "contact", _contact(call, contact)["ContactID"], ContactStatus="ARCHIVED")


def restore(call: Call, *, contact: str) -> Document:
    """Make an archived contact active again, which the API cannot."""
    found = _contact(call, contact)
    other = contacts.active_by_name(call, found["Name"])
    if other and other["ContactID"] != found["ContactID"]:
        raise Invalid(f"The contact name {found['Name']} is already assigned to another contact.")
    fields = {"ContactStatus": "ACTIVE", "MergedToContactID": None}
    return call.sandbox.change(call.tenant, "contact", found["ContactID"], **fields)


def erase(call: Call, *, contact: str) -> Document:
    """Put a contact under a GDPR request."""
    return call.sandbox.change(call.tenant, "contact", _contact(call, contact)["ContactID"], ContactStatus="GDPRREQUEST")


def account(call: Call, *, account: str, name: str = "", code: str = "", status: str = "") -> Document:
    """Rename an account, give it another code, archive it (status ARCHIVED) or restore it (ACTIVE)."""
    found = _account(call, account)
    if status not in ("", "ACTIVE", "ARCHIVED"):
        raise Invalid(f"An account cannot have the status {status}")
    if found.get("SystemAccount") and status == "ARCHIVED":
        raise Invalid("System accounts cannot be archived")
    if code and code != found.get("Code") and call.store.find(call.tenant, "account", code):
        raise Invalid("Please enter a unique Code.")
    asked = {"Name": name, "Code": code, "Status": status}
    fields = {field: value for field, value in asked.items() if value}
    return call.sandbox.change(call.tenant, "account", found["AccountID"], **fields)


def add(call: Call, *, kind: str, fields: Document) -> Document:
    """Make an account, tax rate, branding theme, tracking category, item or currency, in Xero's field names."""
    return call.sandbox.add(call.tenant, kind, **fields)


def remove(call: Call, *, kind: str, id: str) -> Document:
    """Delete an item or a branding theme that no document uses."""
    try:
        return call.sandbox.remove(call.tenant, kind, id)
    except KeyError as problem:
        raise Unknown(f"There is no {kind} {id}.") from problem


def option(call: Call, *, category: str, name: str, fields: Document | None = None) -> Document:
    """Add a tracking option, or change the Name or Status of one."""
    try:
        return call.sandbox.option(call.tenant, category, name, **(fields or {}))
    except KeyError as problem:
        raise Unknown(f"There is no tracking category or option {problem.args[0]}.") from problem


ACTIONS: dict[str, Action] = {
    action.__name__: action
    for action in (
        *(pay, refund, take_payment_back, batch_pay, take_batch_back, overpayment, prepayment),
        *(invoice, approve, void, delete, credit_note, allocate, take_allocation_back),
        *(contact, merge, archive, restore, erase, account, add, remove, option),
    )
}


def run(call: Call, name: str, asked: Document) -> Document:
    """Do what a bookkeeper asks for; raises Unknown, Invalid, Refusal, ValueError; then nothing is done."""
    if name not in ACTIONS:
        raise Unknown(f"There is no action {name!r}; there are {', '.join(ACTIONS)}.")
    try:
        bound = inspect.signature(ACTIONS[name]).bind(call, **asked)
    except TypeError as problem:
        raise ValueError(f"{name}: {problem}.") from problem
    for parameter, value in bound.kwargs.items():
        _check_kind(name, parameter, value)
    with call.store.transaction():
        return ACTIONS[name](*bound.args, **bound.kwargs)


def described() -> dict[str, Document]:
    """Return every action with what it does and the names of its parameters, for a page or a person."""
    return {
        name: {
            "does": inspect.getdoc(action),
            "needs": [p.name for p in _parameters(action) if p.default is p.empty],
            "takes": [p.name for p in _parameters(action) if p.default is not p.empty],
        }
        for name, action in ACTIONS.items()
    }


def _parameters(action: Action) -> list[inspect.Parameter]:
    return [p for p in inspect.signature(action).parameters.values() if p.kind is p.KEYWORD_ONLY]


# What an argument may be; every other one is a text.
_KINDS: dict[str, tuple[type, ...]] = {
    "amount": (Decimal, int),
    "amounts": (list,),
    "invoices": (list,),
    "lines": (list,),
    "fields": (dict,),
    "spent": (bool,),
}

_ELEMENTS: dict[str, tuple[type, ...]] = {"amounts": (Decimal, int), "invoices": (str,), "lines": (dict,)}


def _check_kind(action: str, name: str, value: Any) -> None:
    kinds = _KINDS.get(name, (str,))
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise ValueError(f"{action}: {name} cannot be {value!r}.")
    inner = value if isinstance(value, list) else []
    if not all(isinstance(one, _ELEMENTS[name]) for one in inner):
        raise ValueError(f"{action}: {name} cannot be {value!r}.")


def _checked(model: str, row: Document) -> Document:
    return payload.checked(model, row, model, strict=True)


def _paid_from(call: Call, account: str, date: str, reference: str) -> Document:
    row = {"Account": {"AccountID": _account(call, account)["AccountID"]}, "Date": date or call.today().isoformat()}
    return row | ({"Reference": reference} if reference else {})


def _in_advance(call: Call, family: Family, contact: str, line: Document, bank: str, date: str, *, spent: bool) -> Document:
    """Receive or spend money for a contact and return the credit it makes."""
    row = {
        "Type": f"{'SPEND' if spent else 'RECEIVE'}-{family.model.upper()}",
        "Contact": {"ContactID": _contact(call, contact)["ContactID"]},
        "BankAccount": {"AccountID": _account(call, bank)["AccountID"]},
        "Date": date or call.today().isoformat(),
        "LineItems": [{"Description": family.words, **line}],
    }
    transaction = bank_transactions.write(call, _checked("BankTransaction", row))
    return documents.found(call, family, transaction[family.id_name])


def _note_for(call: Call, invoice: Document, amount: Amount, date: str) -> Document:
    """Return a credit note over exactly *amount*, coded like the invoice's first coded line."""
    coded: Document = next((line for line in invoice["LineItems"] if line.get("AccountCode")), {})
    line = {"Description": f"Credit of {invoice.get('InvoiceNumber') or invoice['InvoiceID']}", "UnitAmount": amount}
    line |= {name: coded[name] for name in ("AccountCode", "TaxType") if coded.get(name)}
    return {
        "Type": f"{invoice['Type']}CREDIT",
        "Contact": {"ContactID": invoice["Contact"]["ContactID"]},
        "Date": date or call.today().isoformat(),
        "Status": "AUTHORISED",
        "LineAmountTypes": "NoTax" if invoice["LineAmountTypes"] == "NoTax" else "Inclusive",
        "CurrencyCode": invoice["CurrencyCode"],
        "CurrencyRate": invoice["CurrencyRate"],
        "LineItems": [line],
    }


def _moved(call: Call, document: str, status: str) -> Document:
    """Give an invoice or credit note another status."""
    found = _named(call, "invoice", document)
    if found:
        return invoice_rules.write(call, {"Status": status}, found)[0]
    family, credit = _credit(call, document)
    if family is not CREDIT_NOTES:
        raise Invalid(f"A {family.words.lower()} cannot be given another status")
    return credit_notes.write(call, {"Status": status}, credit)[0]


def _named(call: Call, kind: str, name: str) -> Document | None:
    return call.document(kind, name) or (next(iter(call.store.find(call.tenant, kind, name)), None) if name else None)


def _invoice(call: Call, name: str) -> Document:
    found = _named(call, "invoice", name)
    if found is None:
        raise Unknown(f"There is no invoice or bill {name}.")
    return found


def _credit(call: Call, name: str) -> tuple[Family, Document]:
    for family in FAMILIES:
        try:
            return family, documents.found(call, family, name)
        except NotFound:
            continue
    raise Unknown(f"There is no credit note, overpayment or prepayment {name}.")


def _contact(call: Call, name: str) -> Document:
    found = call.document("contact", name) or contacts.active_by_name(call, name) or contacts.by_number(call, name)
    found = found or _named(call, "contact", name)
    if found is None:
        raise Unknown(f"There is no contact {name}.")
    return found


def _account(call: Call, name: str) -> Document:
    found = _named(call, "account", name)
    found = found or next(
        (row for row in call.store.all(call.tenant, "account") if row["Name"].casefold() == name.casefold()), None
    )
    if found is None:
        raise Unknown(f"There is no account {name}.")
    return found
