"""Thirty days without the app: afterwards everything a bookkeeper did meanwhile stands in Dynamics 365, each thing once (C01, K08)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.connectors import Json
from tests.crash.harness import CrashWorld, crash_world
from tests.sandbox.xero.callers import Caller, invoice, line
from tests.world import NZ

DAYS, A_DAY, PAID_A_DAY, CREDITED_A_DAY = 30, 17, 10, 2
FULL_DAYS = 20
"""On the others one invoice less is raised."""
INVOICES, PAYMENTS, CREDIT_NOTES = 500, 300, 60
ACTIVE, PAID, CANCELLED = 0, 2, 3
FLOWS = ("invoices-from-xero", "invoice-status-from-xero", "payments-from-xero", "credit-notes-from-xero")
UNIT = Decimal("115.00")


def made(answer: Any, name: str) -> list[Json]:
    assert answer.status_code == 200, answer.get_data(as_text=True)
    found: list[Json] = answer.get_json()[name]
    return found


def raised(bookkeeper: Caller, contact: str, number: int, count: int) -> list[str]:
    """Raise *count* approved invoices of 115.00."""
    one = line(Description="Work", Quantity=1, UnitAmount=100)
    bodies = [invoice(contact, LineItems=[one], InvoiceNumber=f"OUT-{number + n:04}") for n in range(count)]
    return [found["InvoiceID"] for found in made(bookkeeper.put("Invoices", {"Invoices": bodies}), "Invoices")]


def pay(bookkeeper: Caller, ids: list[str]) -> None:
    payments = [{"Invoice": {"InvoiceID": one}, "Account": {"Code": "090"}, "Amount": 115.0} for one in ids]
    made(bookkeeper.put("Payments", {"Payments": payments}), "Payments")


def credit(bookkeeper: Caller, contact: str, invoice_id: str) -> None:
    note = {
        "Type": "ACCRECCREDIT",
        "Contact": {"ContactID": contact},
        "Status": "AUTHORISED",
        "LineItems": [line(Description="Returned", Quantity=1, UnitAmount=100)],
    }
    (credited,) = made(bookkeeper.put("CreditNotes", {"CreditNotes": [note]}), "CreditNotes")
    allocation = {"Amount": 115.0, "Invoice": {"InvoiceID": invoice_id}}
    path = f"CreditNotes/{credited['CreditNoteID']}/Allocations"
    assert bookkeeper.put(path, {"Allocations": [allocation]}).status_code == 200


@pytest.fixture(scope="module")
def world() -> Iterator[CrashWorld]:
    with crash_world() as opened:
        connector = opened.connect()
        opened.set(connector, mag_defaultpricelistid=("pricelevels", opened.id_of("NZD prices")))
        opened.enable(connector, *FLOWS, every=15)
        opened.rests = lambda: True
        opened.run()
        yield opened


def test_after_thirty_days_everything_is_there_exactly_once(world: CrashWorld):
    known = len(world.dataverse.rows("invoice"))
    bookkeeper = world.bookkeeper()
    contact = world.xero_contact(Name="Outage Limited")
    ids: list[str] = []
    for day in range(DAYS):
        today = raised(bookkeeper, contact, len(ids), A_DAY - (day >= FULL_DAYS))
        ids += today
        pay(bookkeeper, today[:PAID_A_DAY])
        for one in today[PAID_A_DAY : PAID_A_DAY + CREDITED_A_DAY]:
            credit(bookkeeper, contact, one)
        world.clock.move(timedelta(days=1).total_seconds())
        bookkeeper = world.bookkeeper()  # its token lives half an hour
    assert (len(ids), PAID_A_DAY * DAYS, CREDITED_A_DAY * DAYS) == (INVOICES, PAYMENTS, CREDIT_NOTES)

    world.rests = lambda: len(world.dataverse.rows("mag_creditnote")) == CREDIT_NOTES and _states(world, ids).total() == INVOICES
    world.run()
    world.clock.move(3600)  # and once more, over everything that was read already
    world.rests = lambda: True
    world.run()

    rows = [row for row in world.dataverse.rows("invoice") if row.get("mag_xeroid") in ids]
    assert len(world.dataverse.rows("invoice")) == known + INVOICES
    assert Counter(row["mag_xeroid"] for row in rows) == Counter(ids)
    assert _states(world, ids) == {PAID: PAYMENTS, CANCELLED: CREDIT_NOTES, ACTIVE: INVOICES - PAYMENTS - CREDIT_NOTES}
    payments = world.dataverse.rows("mag_payment")
    theirs = {one["PaymentID"] for one in world.xero.documents(NZ, "payment") if one["Invoice"]["InvoiceID"] in ids}
    assert Counter(one["mag_xeropaymentid"] for one in payments if one["mag_xeropaymentid"] in theirs) == Counter(theirs)
    assert len(theirs) == PAYMENTS
    notes = world.dataverse.rows("mag_creditnote")
    assert len({one["mag_xeroallocationid"] for one in notes}) == len(notes) == CREDIT_NOTES
    assert {Decimal(str(row["totalamount"])) for row in rows} == {UNIT}
    assert not [one.details for one in world.outcomes if one.status in ("failed", "refused")]
    lines = Counter(str(one["invoiceid"].id) for one in world.dataverse.rows("invoicedetail"))
    assert {lines[row["invoiceid"]] for row in rows} == {1}


def _states(world: CrashWorld, ids: list[str]) -> Counter[int]:
    """Count the invoices by state, of those whose money says the same as Xero's."""
    documents = {one["InvoiceID"]: one for one in world.xero.documents(NZ, "invoice")}
    states: Counter[int] = Counter()
    for row in world.dataverse.rows("invoice"):
        document = documents.get(str(row.get("mag_xeroid")))
        if row.get("mag_xeroid") not in ids or document is None:
            continue
        is_same = Decimal(str(row.get("mag_amountdue") or 0)) == Decimal(str(document["AmountDue"]))
        wanted = CANCELLED if document["AmountCredited"] else PAID if document["Status"] == "PAID" else ACTIVE
        if is_same and row["statecode"] == wanted:
            states[wanted] += 1
    return states
