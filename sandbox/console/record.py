"""What stands beside an invoice in Dynamics 365: its payments, its credit notes, its customer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from sandbox.console.board import CURRENCY, INVOICE, Invoice
from sandbox.demo.dynamics import Dynamics, Json, amount, label

CUSTOMERS = {"accounts": ("account", "name"), "contacts": ("contact", "fullname")}
"""Set → table, and the column that names a row."""
OWED = "mag_amountowed,mag_amountoverdue,mag_xerocontacturl,statecode,_transactioncurrencyid_value"


@dataclass(frozen=True)
class Payment:
    """A mag_payment row."""

    date: str
    amount: Decimal
    reference: str
    account: str
    status: str

    @classmethod
    def of(cls, row: Json) -> Payment:
        """Read a row."""
        return cls(
            date=str(row.get("mag_paymentdate") or ""),
            amount=amount(row, "mag_amount"),
            reference=str(row.get("mag_reference") or ""),
            account=label(row, "_mag_xeroaccountcodeid_value"),
            status=label(row, "mag_paymentstatus"),
        )


@dataclass(frozen=True)
class CreditNote:
    """A mag_creditnote row; one taken back in Xero is no longer Active."""

    number: str
    date: str
    amount: Decimal
    reference: str
    state: str

    @classmethod
    def of(cls, row: Json) -> CreditNote:
        """Read a row."""
        return cls(
            number=str(row.get("mag_creditnotenumber") or row.get("mag_name") or ""),
            date=str(row.get("mag_creditdate") or ""),
            amount=amount(row, "mag_amount"),
            reference=str(row.get("mag_reference") or ""),
            state=label(row, "statecode"),
        )


@dataclass(frozen=True)
class Customer:
    """An account or contact with what it owes; None where the connector has written nothing yet."""

    set: str
    id: str
    name: str
    state: str
    currency: str
    owed: Decimal | None
    overdue: Decimal | None
    xero_url: str

    @property
    def is_person(self) -> bool:
        return self.set == "contacts"

    @classmethod
    def of(cls, set: str, row: Json) -> Customer:
        """Read a row of the set."""
        table, name = CUSTOMERS[set]
        return cls(
            set=set,
            id=row[f"{table}id"],
            name=str(row.get(name) or ""),
            state=label(row, "statecode"),
            currency=(row.get("transactioncurrencyid") or {}).get("isocurrencycode", ""),
            owed=None if row.get("mag_amountowed") is None else amount(row, "mag_amountowed"),
            overdue=None if row.get("mag_amountoverdue") is None else amount(row, "mag_amountoverdue"),
            xero_url=str(row.get("mag_xerocontacturl") or ""),
        )


def payments(dynamics: Dynamics, invoice_id: str) -> list[Payment]:
    """Return the payments of an invoice, the oldest first."""
    rows = dynamics.rows("mag_payments", filter=f"_mag_invoiceid_value eq {invoice_id}", orderby="mag_paymentdate,createdon")
    return [Payment.of(row) for row in rows]


def credit_notes(dynamics: Dynamics, invoice_id: str) -> list[CreditNote]:
    """Return the credit notes of an invoice, the oldest first."""
    rows = dynamics.rows("mag_creditnotes", filter=f"_mag_invoiceid_value eq {invoice_id}", orderby="mag_creditdate,createdon")
    return [CreditNote.of(row) for row in rows]


def customers(dynamics: Dynamics) -> Iterator[Customer]:
    """Yield every account and contact, by name."""
    for set, (table, name) in CUSTOMERS.items():
        for row in dynamics.rows(set, select=f"{table}id,{name},{OWED}", expand=CURRENCY, orderby=name):
            yield Customer.of(set, row)


def customer(dynamics: Dynamics, set: str, id: str) -> Customer:
    """Return one account or contact; raises Refused when there is none."""
    table, name = CUSTOMERS[set]
    return Customer.of(set, dynamics.read(f"{set}({id})", select=f"{table}id,{name},{OWED}", expand=CURRENCY))


def invoices_of(dynamics: Dynamics, customer_id: str, environment: str) -> list[Invoice]:
    """Return the invoices of a customer, the newest first."""
    where = f"_customerid_value eq {customer_id}"
    rows = dynamics.rows("invoices", select=INVOICE, expand=CURRENCY, filter=where, orderby="createdon desc")
    return [Invoice.of(row, environment) for row in rows]
