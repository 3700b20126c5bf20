"""What a bookkeeper does in Xero, and a world in which it comes back: for the tests of the flows from Xero."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from functions import xero_lists
from shared.connectors import Json
from shared.services import Lane
from shared.xero import limits
from tests.sandbox.xero.callers import Caller
from tests.world import FLOW, NZ, World
from tests.world import world as open_world

STATUS, PAYMENTS = "invoice-status-from-xero", "payments-from-xero"
ACTIVE, PAID, CANCELLED = 0, 2, 3
NEW, BILLED, COMPLETE, CANCELED = 1, 4, 100_001, 100_003
BANK = "090"


@contextmanager
def opened(folder: Path, *flows: str, every: int = 1) -> Iterator[World]:
    """Open a world whose New Zealand connector runs *flows* every so many minutes; unflagged invoices stay out of it."""
    with pytest.MonkeyPatch.context() as patch, open_world(folder) as world:
        patch.setenv("REQUESTS_CA_BUNDLE", str(folder / "authorities.pem"))
        connector = world.connect(flows=flows)
        world.enable(connector, FLOW, *flows, every=every)
        yield world


class Bookkeeper:
    """The bookkeeper's own app, with the answers looked at."""

    def __init__(self, world: World, organisation: str = NZ) -> None:
        self.world = world
        self.caller: Caller = world.bookkeeper(organisation)

    def done(self, method: str, path: str, body: Json | None = None) -> Json:
        url = f"/api.xro/2.0/{path}"
        answer = self.caller.client.open(url, method=method, json=body, headers=self.caller.headers())
        assert answer.status_code == 200, answer.get_data(as_text=True)
        found: Json = answer.get_json()
        return found

    def pay(self, document: Json, amount: float | str, **fields: Any) -> str:
        """Pay an invoice or bill; return the payment's id."""
        body = {
            "Invoice": {"InvoiceID": document["InvoiceID"]},
            "Account": {"Code": BANK},
            "Date": "2026-11-20",
            "Amount": float(amount),
            **fields,
        }
        return str(self.done("PUT", "Payments", {"Payments": [body]})["Payments"][0]["PaymentID"])

    def take_back(self, payment: str) -> None:
        self.done("POST", f"Payments/{payment}", {"Payments": [{"Status": "DELETED"}]})

    def set_status(self, document: Json, status: str) -> None:
        self.done("POST", f"Invoices/{document['InvoiceID']}", {"InvoiceID": document["InvoiceID"], "Status": status})

    def credit(self, document: Json, amount: float, *, of: float | None = None, number: str = "") -> tuple[str, str]:
        """Make a credit note over *of* and allocate *amount* to the document; return its id and the allocation's."""
        kind = "ACCRECCREDIT" if document["Type"] == "ACCREC" else "ACCPAYCREDIT"
        line = {"Description": "Credit", "Quantity": 1, "UnitAmount": of or amount, "AccountCode": "200"}
        note = {
            "Type": kind,
            "Contact": {"ContactID": document["Contact"]["ContactID"]},
            "Date": "2026-11-20",
            "LineAmountTypes": "NoTax",
            "Status": "AUTHORISED",
            "LineItems": [line],
            **({"CreditNoteNumber": number} if number else {}),
        }
        note_id = self.done("PUT", "CreditNotes", {"CreditNotes": [note]})["CreditNotes"][0]["CreditNoteID"]
        return str(note_id), self.allocate("CreditNotes", note_id, document, amount)

    def allocate(self, plural: str, credit: str, document: Json, amount: float) -> str:
        body = {"Allocations": [{"Amount": amount, "Invoice": {"InvoiceID": document["InvoiceID"]}}]}
        self.done("PUT", f"{plural}/{credit}/Allocations", body)
        found = self.done("GET", f"{plural}/{credit}")[plural][0]["Allocations"]
        return str(found[-1]["AllocationID"])

    def unallocate(self, plural: str, credit: str, allocation: str) -> None:
        self.done("DELETE", f"{plural}/{credit}/Allocations/{allocation}")

    def advance(self, document: Json, family: str, amount: float) -> str:
        """Receive *amount* in advance or too much (Prepayment, Overpayment) and allocate it to the document; return its id."""
        over = family == "Overpayment"
        received = {
            "Type": f"RECEIVE-{family.upper()}",
            "Contact": {"ContactID": document["Contact"]["ContactID"]},
            "BankAccount": {"Code": BANK},
            "Date": "2026-11-20",
            "LineAmountTypes": "NoTax",
            "LineItems": [{"Description": "In advance", "LineAmount": amount, **({} if over else {"AccountCode": "200"})}],
        }
        made = self.done("PUT", "BankTransactions", {"BankTransactions": [received]})["BankTransactions"][0]
        self.allocate(f"{family}s", made[f"{family}ID"], document, amount)
        return str(made[f"{family}ID"])

    def batch(self, *paid: tuple[Json, float]) -> tuple[str, list[str]]:
        """Pay several documents at once; return the batch's id and the payments'."""
        payments = [{"Invoice": {"InvoiceID": document["InvoiceID"]}, "Amount": amount} for document, amount in paid]
        body = {"Account": {"Code": BANK}, "Date": "2026-11-20", "Reference": "Monday", "Payments": payments}
        made = self.done("PUT", "BatchPayments", {"BatchPayments": [body]})["BatchPayments"][0]
        return str(made["BatchPaymentID"]), [str(one["PaymentID"]) for one in made["Payments"]]


def few_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let one call read one document, and a minute have six calls: a sweep then meets its limit with eight documents, not 1,800."""
    monkeypatch.setattr(xero_lists, "AT_ONCE", 1)
    monkeypatch.setitem(limits.ROOM, Lane.PAYMENTS, limits.Room(6, 3, 0.2))


def sent(world: World, **columns: Any) -> tuple[str, Json]:
    """Send an invoice over 100.00 and its tax to Xero; return its id and its document."""
    invoice = world.invoice(**columns)
    world.clock.move(minutes=1)
    world.settle()
    return invoice, world.document_of(invoice)


def payments_of(world: World, invoice: str) -> list[Json]:
    rows: list[Json] = world.get(f"mag_payments?$filter=_mag_invoiceid_value%20eq%20{invoice}&$orderby=createdon%20asc")["value"]
    return rows


def amounts(row: Json) -> tuple[Any, ...]:
    """Return what is due, paid and credited."""
    return tuple(Decimal(row[name] or 0) for name in ("mag_amountdue", "mag_amountpaid", "mag_amountcredited"))


def state(row: Json) -> tuple[int, int]:
    return row["statecode"], row["statuscode"]


def unfinished(world: World) -> list[tuple[str, str]]:
    """Return the claims that the flows from Xero left behind."""
    return [
        (stored.partition.rpartition("|")[2], stored.row)
        for stored in world.store.rows("claims")
        if "from-xero" in stored.partition
    ]
