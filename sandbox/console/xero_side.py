"""What one organisation's books in Xero hold, as the console's Xero pages show it. `state` is what `Books.state` returns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from sandbox.demo.dynamics import Json, amount

# Kind in the state → name of its id, what people call it, and the invoices it may be set against.
CREDITS = {
    "credit note": ("CreditNoteID", "Credit note"),
    "overpayment": ("OverpaymentID", "Overpayment"),
    "prepayment": ("PrepaymentID", "Prepayment"),
}


@dataclass(frozen=True)
class Applied:
    """A payment, or a part of a credit, that stands (or stood) on a document; `action` takes it back, "" when nothing does."""

    what: str
    name: str
    account: str
    date: str
    amount: Decimal
    status: str
    action: str
    fields: Mapping[str, str]


@dataclass(frozen=True)
class Allocation:
    """A part of a credit that is set against a document."""

    id: str
    invoice: str
    number: str
    date: str
    amount: Decimal


@dataclass(frozen=True)
class Credit:
    """A credit note, overpayment or prepayment."""

    id: str
    what: str
    number: str
    contact_id: str
    contact: str
    is_bill: bool
    date: str
    status: str
    total: Decimal
    left: Decimal
    currency: str
    allocations: tuple[Allocation, ...]

    @property
    def can_void(self) -> bool:
        return self.what == "Credit note" and self.status == "AUTHORISED" and self.left == self.total

    @property
    def can_refund(self) -> bool:
        return self.status == "AUTHORISED" and self.left > 0


@dataclass(frozen=True)
class Contact:
    """A contact with the number of documents that name it."""

    id: str
    name: str
    number: str
    email: str
    status: str
    merged_into: str
    documents: int


@dataclass(frozen=True)
class Account:
    """An account of the chart; payments go into those with `takes_payments`."""

    id: str
    code: str
    name: str
    type: str
    tax_type: str
    status: str
    is_system: bool
    takes_payments: bool


@dataclass(frozen=True)
class Batch:
    """A batch payment with the documents it paid: (id, number, amount)."""

    id: str
    date: str
    reference: str
    status: str
    total: Decimal
    payments: tuple[tuple[str, str, Decimal], ...]


def applied(state: Json, invoice_id: str) -> list[Applied]:
    """Return everything set against a document, payments that were removed too, the oldest first."""
    found = [*_payments(state, invoice_id), *_allocated(state, invoice_id)]
    return sorted(found, key=lambda one: one.date)


def credits(state: Json) -> list[Credit]:
    """Return every credit note, overpayment and prepayment, the newest first."""
    names = {contact["ContactID"]: contact["Name"] for contact in state["contact"]}
    numbers = {invoice["InvoiceID"]: str(invoice.get("InvoiceNumber") or "") for invoice in state["invoice"]}
    found = [
        _credit(body, id_name, what, names, numbers)
        for kind, (id_name, what) in CREDITS.items()
        for body in sorted(state[kind], key=lambda body: str(body.get("UpdatedDateUTC", "")), reverse=True)
    ]
    return sorted(found, key=lambda credit: credit.date, reverse=True)


def usable(state: Json, body: Json) -> list[Credit]:
    """Return the credits that have something left and may be set against a document: same contact, side and currency."""
    is_bill = body["Type"] == "ACCPAY"
    return [
        credit
        for credit in credits(state)
        if credit.can_refund
        and (credit.contact_id, credit.is_bill, credit.currency) == (body["Contact"]["ContactID"], is_bill, body["CurrencyCode"])
    ]


def contacts(state: Json) -> list[Contact]:
    """Return the contacts by name, those in use before the archived ones."""
    names = {contact["ContactID"]: contact["Name"] for contact in state["contact"]}
    used: dict[str, int] = {}
    for kind in ("invoice", *CREDITS):
        for body in state[kind]:
            used[body["Contact"]["ContactID"]] = used.get(body["Contact"]["ContactID"], 0) + 1
    found = [
        Contact(
            id=body["ContactID"],
            name=body["Name"],
            number=str(body.get("ContactNumber") or ""),
            email=str(body.get("EmailAddress") or ""),
            status=body["ContactStatus"],
            merged_into=names.get(str(body.get("MergedToContactID") or ""), ""),
            documents=used.get(body["ContactID"], 0),
        )
        for body in state["contact"]
    ]
    return sorted(found, key=lambda contact: (contact.status != "ACTIVE", contact.name.casefold()))


def accounts(state: Json) -> list[Account]:
    """Return the chart of accounts by code."""
    found = [
        Account(
            id=body["AccountID"],
            code=str(body.get("Code") or ""),
            name=body["Name"],
            type=body["Type"],
            tax_type=str(body.get("TaxType") or ""),
            status=body["Status"],
            is_system=bool(body.get("SystemAccount")),
            takes_payments=body["Status"] == "ACTIVE" and (body["Type"] == "BANK" or bool(body.get("EnablePaymentsToAccount"))),
        )
        for body in state["account"]
    ]
    return sorted(found, key=lambda account: account.code)


def batches(state: Json) -> list[Batch]:
    """Return the batch payments, the newest first."""
    numbers = {invoice["InvoiceID"]: str(invoice.get("InvoiceNumber") or "") for invoice in state["invoice"]}
    paid: dict[str, list[tuple[str, str, Decimal]]] = {}
    for payment in state["payment"]:
        if batch := payment.get("BatchPaymentID"):
            invoice = payment["Invoice"]["InvoiceID"]
            paid.setdefault(batch, []).append((invoice, numbers.get(invoice, ""), amount(payment, "Amount")))
    newest_first = sorted(state["batch payment"], key=lambda body: str(body.get("UpdatedDateUTC", "")), reverse=True)
    return [
        Batch(
            id=body["BatchPaymentID"],
            date=str(body["Date"]),
            reference=str(body.get("Reference") or ""),
            status=body["Status"],
            total=amount(body, "TotalAmount"),
            payments=tuple(paid.get(body["BatchPaymentID"], ())),
        )
        for body in newest_first
    ]


def _payments(state: Json, invoice_id: str) -> Iterator[Applied]:
    codes = {account["AccountID"]: f"{account.get('Code') or ''} {account['Name']}".strip() for account in state["account"]}
    references = {batch["BatchPaymentID"]: str(batch.get("Reference") or "") for batch in state["batch payment"]}
    for payment in state["payment"]:
        if payment.get("Invoice", {}).get("InvoiceID") != invoice_id:
            continue
        batch = payment.get("BatchPaymentID")
        action = "take-batch-back" if batch else "take-payment-back"
        yield Applied(
            what="Batch payment" if batch else "Payment",
            name=str(payment.get("Reference") or references.get(batch, "")),
            account=codes.get(payment.get("Account", {}).get("AccountID", ""), ""),
            date=str(payment["Date"]),
            amount=amount(payment, "Amount"),
            status=payment["Status"],
            action=action if payment["Status"] == "AUTHORISED" else "",
            fields={"batch": batch} if batch else {"payment": payment["PaymentID"]},
        )


def _allocated(state: Json, invoice_id: str) -> Iterator[Applied]:
    for credit in credits(state):
        for allocation in credit.allocations:
            if allocation.invoice == invoice_id:
                yield Applied(
                    what=credit.what,
                    name=credit.number,
                    account="",
                    date=allocation.date,
                    amount=allocation.amount,
                    status=credit.status,
                    action="take-allocation-back",
                    fields={"credit": credit.id, "allocation": allocation.id},
                )


def _credit(body: Json, id_name: str, what: str, names: Mapping[str, str], numbers: Mapping[str, str]) -> Credit:
    return Credit(
        id=body[id_name],
        what=what,
        number=str(body.get("CreditNoteNumber") or body.get("Reference") or ""),
        contact_id=body["Contact"]["ContactID"],
        contact=names.get(body["Contact"]["ContactID"], ""),
        is_bill=body["Type"].startswith(("ACCPAY", "SPEND")),
        date=str(body["Date"]),
        status=body["Status"],
        total=amount(body, "Total"),
        left=amount(body, "RemainingCredit"),
        currency=body["CurrencyCode"],
        allocations=tuple(_allocation(row, numbers) for row in body.get("Allocations", ())),
    )


def _allocation(row: Json, numbers: Mapping[str, str]) -> Allocation:
    invoice = row["Invoice"]["InvoiceID"]
    return Allocation(
        str(row.get("AllocationID") or ""), invoice, numbers.get(invoice, ""), str(row["Date"]), amount(row, "Amount")
    )
