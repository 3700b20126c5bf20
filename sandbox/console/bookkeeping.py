"""What a person's click or form on a Xero page does in the books; every action returns one sentence about what it did.

Raises forms.Wrong for what was typed, sandbox.demo.xero.Refused for what Xero refuses, in Xero's words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from sandbox.console import forms
from sandbox.console.board import money
from sandbox.console.forms import Form, Wrong
from sandbox.demo.dynamics import Json
from sandbox.demo.xero import Books, Refused

LINES = 3
IN_ADVANCE = {"overpayment": "An overpayment", "prepayment": "A prepayment"}

OnDocument = Callable[[Books, str, Form], str]


# ── a document ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def approve(books: Books, id: str, form: Form) -> str:
    """Approve a draft."""
    books.approve(id)
    return f"Approved in {books.organisation}."


def pay(books: Books, id: str, form: Form) -> str:
    """Pay all that is due, or the amount typed."""
    asked = _given(
        amount=forms.amount(form), account=form.get("account"), date=forms.day(form, "date"), reference=form.get("reference")
    )
    paid = books.book("pay", invoice=id, **asked)
    return f"{money(paid['Amount'])} is paid in {books.organisation}."


def take_payment_back(books: Books, id: str, form: Form) -> str:
    """Remove a payment."""
    paid = books.book("take_payment_back", payment=form.get("payment", ""))
    return f"The payment of {money(paid['Amount'])} is taken back."


def take_batch_back(books: Books, id: str, form: Form) -> str:
    """Remove a batch payment with all its payments."""
    batch = books.book("take_batch_back", batch=form.get("batch", ""))
    return f"The batch payment of {money(batch['TotalAmount'])} is taken back, with all its payments."


def credit(books: Books, id: str, form: Form) -> str:
    """Raise a credit note over an amount, or all that is due, and allocate it to the document."""
    note = books.book("credit_note", invoice=id, **_given(amount=forms.amount(form)))
    what = " ".join(filter(None, ("Credit note", note.get("CreditNoteNumber"))))
    return f"{what} over {money(note['Total'])} is allocated."


def allocate(books: Books, id: str, form: Form) -> str:
    """Allocate a credit that is there to the document: an amount, or as much as goes."""
    chosen = forms.chosen(form, "credit", "what to allocate")
    left = books.book("allocate", credit=chosen, invoice=id, **_given(amount=forms.amount(form)))
    return f"Allocated in {books.organisation}; {money(left['RemainingCredit'])} of it is left."


def take_allocation_back(books: Books, id: str, form: Form) -> str:
    """Take an allocation off the document."""
    books.book("take_allocation_back", credit=form.get("credit", ""), allocation=form.get("allocation", ""))
    return "The allocation is taken back; its credit is there again."


def receive(books: Books, id: str, form: Form) -> str:
    """Receive (of a bill: spend) money as an overpayment or prepayment and allocate it, as far as it is due.

    The two are two steps in Xero as well: what cannot be allocated stays with the contact.
    """
    kind, amount = form.get("kind", ""), forms.needed_amount(form)
    if kind not in IN_ADVANCE:
        raise Wrong("Choose an overpayment or a prepayment.")
    document = books.invoice(id)
    spent = document["Type"] == "ACCPAY"
    account = {"account": "300"} if spent and kind == "prepayment" else {}
    money_in = books.book(kind, contact=document["Contact"]["ContactID"], amount=amount, spent=spent, **account)
    said = f"{IN_ADVANCE[kind]} of {money(amount)} is {'spent' if spent else 'received'}"
    try:
        left = books.book("allocate", credit=money_in[f"{kind.title()}ID"], invoice=id)
    except Refused as refused:
        raise Refused(f"{said}, but it cannot be allocated here: {refused}") from refused
    return f"{said} and allocated; {money(left['RemainingCredit'])} of it is left."


def void(books: Books, id: str, form: Form) -> str:
    """Void an approved document, delete a draft."""
    books.void(id)
    return f"{books.invoice(id)['Status'].capitalize()} in {books.organisation}."


ON_DOCUMENT: Mapping[str, OnDocument] = {
    "approve": approve,
    "pay": pay,
    "void": void,
    "credit": credit,
    "allocate": allocate,
    "receive": receive,
    "take-payment-back": take_payment_back,
    "take-batch-back": take_batch_back,
    "take-allocation-back": take_allocation_back,
}


# ── several documents, and new ones ─────────────────────────────────────────────────────────────────────────────────────


def pay_batch(books: Books, form: Form) -> str:
    """Pay the documents that were ticked, each in full or by the amount typed beside it."""
    ids = form.getlist("invoice")
    if not ids:
        raise Wrong("Tick at least one document.")
    amounts = [forms.needed_amount(form, f"amount-{id}") for id in ids]
    asked = _given(account=form.get("account"), date=forms.day(form, "date"), reference=form.get("reference"))
    batch = books.book("batch_pay", invoices=ids, amounts=amounts, **asked)
    paid = "1 document is" if len(ids) == 1 else f"{len(ids)} documents are"
    return f"{paid} paid with one batch payment of {money(batch['TotalAmount'])}."


def raise_invoice(books: Books, form: Form) -> str:
    """Raise an invoice or bill with the lines typed, approved unless a draft is asked for."""
    contact = forms.chosen(form, "contact", "a contact")
    lines = [line for line in (_line(form, number) for number in range(LINES)) if line]
    if not lines:
        raise Wrong("Give the invoice at least one line: an item, or a text with a price.")
    fields = _given(
        Reference=form.get("reference"),
        InvoiceNumber=form.get("number"),
        CurrencyCode=form.get("currency"),
        LineAmountTypes=form.get("amounts"),
    )
    asked = _given(date=forms.day(form, "date"), due=forms.day(form, "due"), type=form.get("type"), status=form.get("status"))
    made = books.book("invoice", contact=contact, lines=lines, fields=fields, **asked)
    what = " ".join(filter(None, ("Bill" if made["Type"] == "ACCPAY" else "Invoice", made.get("InvoiceNumber"))))
    return f"{what} over {money(made['Total'])} {made['CurrencyCode']} is raised in {books.organisation}."


def _line(form: Form, number: int) -> Json | None:
    item, words = form.get(f"item{number}", ""), form.get(f"words{number}", "").strip()
    if not item and not words:
        return None
    quantity = forms.number(form.get(f"quantity{number}", "") or "1", f"quantity of line {number + 1}")
    price = form.get(f"unit{number}", "").strip()
    if not price and not item:
        raise Wrong(f"Type the price of line {number + 1}.")
    account = form.get(f"account{number}", "") or ("" if item else "200")
    return _given(
        ItemCode=item,
        Description=words,
        Quantity=quantity,
        UnitAmount=forms.number(price, f"price of line {number + 1}") if price else None,
        AccountCode=account,
        TaxType=form.get(f"tax{number}"),
    )


# ── credits ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def void_credit(books: Books, id: str, form: Form) -> str:
    """Void a credit note nothing of which is used."""
    books.book("void", document=id)
    return f"The credit note is voided in {books.organisation}."


def refund(books: Books, id: str, form: Form) -> str:
    """Pay back what is left of a credit, or the amount typed."""
    paid = books.book("refund", credit=id, **_given(amount=forms.amount(form)))
    return f"{money(paid['Amount'])} is paid back."


ON_CREDIT: Mapping[str, OnDocument] = {"void": void_credit, "refund": refund}


# ── contacts and accounts ───────────────────────────────────────────────────────────────────────────────────────────────


def rename_contact(books: Books, id: str, form: Form) -> str:
    """Give a contact another name."""
    name = forms.text(form, "name", "a name")
    books.rename(id, name)
    return f"The contact is now called {name}."


def archive_contact(books: Books, id: str, form: Form) -> str:
    """Archive a contact."""
    return f"{books.book('archive', contact=id)['Name']} is archived."


def restore_contact(books: Books, id: str, form: Form) -> str:
    """Make an archived contact active again."""
    return f"{books.book('restore', contact=id)['Name']} is active again."


def merge_contacts(books: Books, form: Form) -> str:
    """Merge one contact into another: it is archived, its documents move."""
    loser = forms.chosen(form, "loser", "the contact to merge")
    winner = forms.chosen(form, "winner", "the contact it is merged into")
    merged = books.book("merge", loser=loser, winner=winner)
    return f"{merged['Name']} is merged: it is archived, and its documents are the other contact's."


ON_CONTACT: Mapping[str, OnDocument] = {"rename": rename_contact, "archive": archive_contact, "restore": restore_contact}


def change_account(books: Books, id: str, form: Form) -> str:
    """Give an account another name or code."""
    name, code = forms.text(form, "name", "a name"), form.get("code", "").strip()
    changed = books.book("account", account=id, name=name, **_given(code=code))
    return f"The account is now {changed.get('Code', '')} {changed['Name']}."


def archive_account(books: Books, id: str, form: Form) -> str:
    """Archive an account."""
    return f"{books.book('account', account=id, status='ARCHIVED')['Name']} is archived."


def restore_account(books: Books, id: str, form: Form) -> str:
    """Make an archived account active again."""
    return f"{books.book('account', account=id, status='ACTIVE')['Name']} is active again."


ON_ACCOUNT: Mapping[str, OnDocument] = {"change": change_account, "archive": archive_account, "restore": restore_account}


def _given(**asked: Decimal | str | None) -> dict[str, Any]:
    """Return what was filled in: an empty field leaves Xero's own choice."""
    return {name: value for name, value in asked.items() if value not in (None, "")}
