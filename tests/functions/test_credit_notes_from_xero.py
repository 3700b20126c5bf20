"""Credit notes from Xero, through the real triggers (functions/credit_notes.py): facts A307-A318, K14, K39, C02."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from functions import claim as claims
from functions import credit_notes, flows, links, xero_lists
from functions.credit_notes import KIND
from functions.from_xero import Reading
from functions.history import NAMESPACE
from functions.sweep import sweep
from functions.work import Work
from functions.xero_lists import CREDIT_NOTES
from mappings.choices import ExportStatus, InvoiceType, SyncStatus
from sandbox.xero.faults import Fault
from shared.connectors import Connector, Json
from shared.errors import Rejected
from shared.messages import SweepMessage, SyncMessage
from shared.outcomes import Status
from shared.services import Lane
from shared.xero.answers import xero_instant
from tests.functions.bookkeeping import (
    ACTIVE,
    CANCELLED,
    COMPLETE,
    PAID,
    PAYMENTS,
    STATUS,
    Bookkeeper,
    amounts,
    few_calls,
    opened,
    sent,
    state,
    unfinished,
)
from tests.functions.conftest import left_as_it_was
from tests.world import World

NAME = "credit-notes-from-xero"
NO, YES = ExportStatus.NO.value, ExportStatus.YES.value
BILL, CREDIT_NOTE = InvoiceType.PURCHASE_INVOICE.value, InvoiceType.CREDIT_NOTE.value
SUCCESSFUL, WARNING = SyncStatus.SUCCESSFUL.value, SyncStatus.WARNING.value


@pytest.fixture(scope="module")
def module_world(authorities: Path) -> Iterator[World]:
    with opened(authorities, NAME, STATUS, PAYMENTS) as world:
        yield world


@pytest.fixture
def world(module_world: World) -> Iterator[World]:
    yield from left_as_it_was(module_world, minutes=2)


def settle(world: World, minutes: int = 2) -> None:
    """Let what was done in Xero come back; nothing of it may be left over or refused."""
    world.clock.move(minutes=1)
    outcomes = world.settle(minutes=minutes)
    assert {one.status for one in outcomes} <= {Status.SYNCED, Status.UNCHANGED, Status.WAITING}, [
        one.details for one in outcomes
    ]
    assert [name for name in unfinished(world) if name[0] == NAME] == []


def notes_of(world: World, invoice: str) -> list[Json]:
    """Return the credit note rows of an invoice, oldest first."""
    found: list[Json] = world.get(
        f"mag_creditnotes?$filter=_mag_invoiceid_value%20eq%20{invoice}&$orderby=createdon%20asc,mag_amount%20asc"
    )["value"]
    return found


def told(world: World, row: Json) -> list[Json]:
    """Return the Sync History that stands on a credit note row."""
    where = f"_mag_creditnoteid_value%20eq%20{row['mag_creditnoteid']}"
    found: list[Json] = world.get(f"mag_synchistories?$filter={where}&$orderby=createdon%20asc")["value"]
    return found


def note_in_xero(world: World, note_id: str) -> Json:
    """Return a credit note as the connector reads it."""
    found = xero_lists.one(world.services, world.connectors()[0], CREDIT_NOTES, note_id, Lane.PAYMENTS)
    assert found is not None
    return found


# ── what becomes a row ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_flow_is_the_one_of_the_table():
    flow = flows.BY_NAME[NAME]
    assert (flow.table, flow.every, flow.enabled, flow.look_back) == ("CreditNote", flows.minutes(180), True, flows.days(7))
    assert flow.source.xero_list is CREDIT_NOTES  # type: ignore[union-attr]


def test_A307_A308_A311_an_allocation_added_in_xero_becomes_a_credit_note_of_the_invoice(world: World, keeper: Bookkeeper):
    invoice, document = sent(world)
    note_id, allocation = keeper.credit(document, 40, number="CN-A311")
    settle(world)
    (row,) = notes_of(world, invoice)
    assert row["mag_creditdate"] == "2026-11-20"  # A312
    assert row["mag_creditnotenumber"] == "CN-A311"  # A313
    assert row["_mag_invoiceid_value"] == invoice  # A315
    assert row["mag_amount"] == 40  # A316
    assert (row["mag_name"], row["mag_xerocreditnoteid"], row["mag_xeroallocationid"]) == ("CN-A311", note_id, allocation)
    assert (row["mag_addtoxero"], row["mag_synchedwithxero"], row["mag_exportstatus"]) == (False, True, YES)
    assert row["mag_creditnoteid"] == str(uuid.uuid5(NAMESPACE, f"{world.connectors()[0].key}|mag_creditnote|{allocation}"))
    assert row["statecode"] == 0


def test_A314_the_reference_of_the_note_comes_along(world: World, keeper: Bookkeeper):
    invoice, document = sent(world)
    note_id, _ = keeper.credit(document, 10)
    keeper.done("POST", f"CreditNotes/{note_id}", {"CreditNoteID": note_id, "Reference": "Returned goods"})
    settle(world)
    assert notes_of(world, invoice)[0]["mag_reference"] == "Returned goods"


def test_A308_a_note_that_is_set_against_nothing_comes_once_it_is(world: World, keeper: Bookkeeper):
    invoice, document = sent(world)
    other, elsewhere = sent(world)
    note_id, allocation = keeper.credit(elsewhere, 10, of=30)
    keeper.unallocate("CreditNotes", note_id, allocation)
    settle(world)
    assert notes_of(world, invoice) == notes_of(world, other) == []
    keeper.allocate("CreditNotes", note_id, document, 20)
    settle(world)
    assert [row["mag_amount"] for row in notes_of(world, invoice)] == [20]
    assert notes_of(world, other) == []


def test_A311_a_note_set_against_several_invoices_has_a_row_on_each(world: World, keeper: Bookkeeper):
    first, one = sent(world)
    second, other = sent(world)
    note_id, _ = keeper.credit(one, 10, of=30, number="CN-SPLIT")
    keeper.allocate("CreditNotes", note_id, other, 20)
    settle(world)
    assert [row["mag_amount"] for row in notes_of(world, first)] == [10]
    assert [row["mag_amount"] for row in notes_of(world, second)] == [20]
    assert {row["mag_creditnotenumber"] for row in (*notes_of(world, first), *notes_of(world, second))} == {"CN-SPLIT"}


def test_K39_a_second_allocation_of_a_note_to_the_same_invoice_has_its_own_row(world: World, keeper: Bookkeeper):
    invoice, document = sent(world)
    note_id, first = keeper.credit(document, 10, of=30)
    settle(world)
    second = keeper.allocate("CreditNotes", note_id, document, 10)
    settle(world)
    assert {row["mag_xeroallocationid"] for row in notes_of(world, invoice)} == {first, second}
    assert sum(row["mag_amount"] for row in notes_of(world, invoice)) == 20


def test_the_rows_belong_to_the_invoices_owner_and_are_in_its_currency(world: World, keeper: Bookkeeper):
    owner = world.id_of("user sales-north")
    invoice = world.invoice(ownerid=("systemusers", owner))
    world.clock.move(minutes=1)
    world.settle()
    keeper.credit(world.document_of(invoice), 10)
    settle(world)
    (row,) = notes_of(world, invoice)
    assert row["_ownerid_value"] == owner
    assert row["_transactioncurrencyid_value"] == world.id_of("NZD")
    (history,) = told(world, row)
    assert history["_ownerid_value"] == owner


def test_a_salesperson_finds_it_on_the_invoice_and_on_the_credit_note(world: World, keeper: Bookkeeper):
    invoice, document = sent(world)
    keeper.credit(document, 1234.5 if document["Total"] > 2000 else 12.5, number="CN-TOLD")
    settle(world)
    (row,) = notes_of(world, invoice)
    (history,) = told(world, row)
    assert history["mag_details"] == "Credit note CN-TOLD has been set against the invoice (12.50)."
    assert (history["_mag_invoiceid_value"], history["mag_syncstatus"]) == (invoice, SUCCESSFUL)
    assert history["mag_synchistoryid"] in {one["mag_synchistoryid"] for one in world.histories(invoice)}


def test_a_suppliers_credit_is_set_against_the_bill(world: World, keeper: Bookkeeper):
    invoice, document = sent(world, mag_invoicetype=BILL)
    assert document["Type"] == "ACCPAY"
    keeper.credit(document, 15, number="SUP-9")
    settle(world)
    (row,) = notes_of(world, invoice)
    assert (row["mag_amount"], row["mag_creditnotenumber"], row["mag_reference"]) == (15, "SUP-9", None)
    assert amounts(world.row(invoice))[2] == 15


# ── the invoice ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_A317_A318_credited_in_full_without_a_payment_the_invoice_is_cancelled(world: World, keeper: Bookkeeper):
    invoice, document = sent(world)
    keeper.credit(document, float(document["Total"]))
    settle(world)
    row = world.row(invoice)
    assert row["statecode"] == CANCELLED
    assert amounts(row) == tuple(map(Decimal, (0, 0, document["Total"])))
    assert len(notes_of(world, invoice)) == 1


def test_A317_A318_credited_and_paid_the_invoice_is_paid(world: World, keeper: Bookkeeper):
    invoice, document = sent(world)
    keeper.pay(document, 15)
    keeper.credit(document, float(document["Total"]) - 15)
    settle(world)
    assert state(world.row(invoice)) == (PAID, COMPLETE)


def test_a_partial_credit_leaves_the_invoice_active_with_its_amounts(world: World, keeper: Bookkeeper):
    invoice, document = sent(world)
    keeper.credit(document, 40)
    settle(world)
    row = world.row(invoice)
    assert row["statecode"] == ACTIVE
    assert amounts(row) == tuple(map(Decimal, (document["Total"] - 40, 0, 40)))


def test_the_flow_brings_the_invoice_in_line_by_itself(own_world: World):
    """The status flow rests here: what is mirrored, this flow mirrors."""
    world = own_world
    connector = world.connect(flows=(NAME,))
    world.enable(connector, NAME, every=1)
    invoice = world.invoice()
    world.settle()
    document = world.document_of(invoice)
    Bookkeeper(world).credit(document, float(document["Total"]))
    world.clock.move(minutes=1)
    world.settle(minutes=2)
    assert world.row(invoice)["statecode"] == CANCELLED
    assert len(notes_of(world, invoice)) == 1


def test_C02_an_allocation_taken_back_deactivates_its_row_and_opens_the_invoice_again(world: World, keeper: Bookkeeper):
    invoice, document = sent(world)
    note_id, allocation = keeper.credit(document, float(document["Total"]), number="CN-BACK")
    settle(world)
    assert world.row(invoice)["statecode"] == CANCELLED
    keeper.unallocate("CreditNotes", note_id, allocation)
    settle(world)
    (row,) = notes_of(world, invoice)
    assert (row["statecode"], row["mag_exportstatus"], row["mag_synchedwithxero"]) == (1, NO, True)
    assert world.row(invoice)["statecode"] == ACTIVE
    assert amounts(world.row(invoice)) == tuple(map(Decimal, (document["Total"], 0, 0)))
    assert "is no longer set against the invoice in Xero" in told(world, row)[-1]["mag_details"]


def test_C02_a_credit_moved_to_another_invoice_moves_here_too(world: World, keeper: Bookkeeper):
    first, one = sent(world)
    second, other = sent(world)
    note_id, allocation = keeper.credit(one, 25)
    settle(world)
    keeper.unallocate("CreditNotes", note_id, allocation)
    keeper.allocate("CreditNotes", note_id, other, 25)
    settle(world)
    assert [row["statecode"] for row in notes_of(world, first)] == [1]
    assert [(row["statecode"], row["mag_amount"]) for row in notes_of(world, second)] == [(0, 25)]
    assert amounts(world.row(first))[2] == 0
    assert amounts(world.row(second))[2] == 25


def test_C02_set_against_the_same_invoice_again_it_has_a_new_row(world: World, keeper: Bookkeeper):
    invoice, document = sent(world)
    note_id, allocation = keeper.credit(document, 25)
    settle(world)
    keeper.unallocate("CreditNotes", note_id, allocation)
    settle(world)
    keeper.allocate("CreditNotes", note_id, document, 25)
    settle(world)
    assert sorted(row["statecode"] for row in notes_of(world, invoice)) == [0, 1]


def test_a_voided_credit_note_leaves_its_rows_inactive(world: World, keeper: Bookkeeper):
    invoice, document = sent(world)
    note_id, allocation = keeper.credit(document, 25, number="CN-VOID")
    settle(world)
    keeper.unallocate("CreditNotes", note_id, allocation)
    keeper.done("POST", f"CreditNotes/{note_id}", {"CreditNoteID": note_id, "Status": "VOIDED"})
    settle(world)
    (row,) = notes_of(world, invoice)
    assert row["statecode"] == 1
    assert "Credit note CN-VOID was voided in Xero" in told(world, row)[-1]["mag_details"]
    assert amounts(world.row(invoice))[2] == 0


# ── never twice ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_A310_what_crossed_is_not_made_again_and_costs_no_call_of_its_own(world: World, keeper: Bookkeeper):
    invoice, document = sent(world)
    keeper.credit(document, 10)
    settle(world)
    before = notes_of(world, invoice), world.histories(invoice)
    settle(world, minutes=20)
    world.night()
    assert (notes_of(world, invoice), world.histories(invoice)) == before


def test_a_message_that_comes_twice_or_after_a_crash_makes_one_row(world: World, keeper: Bookkeeper, nz: Connector):
    invoice, document = sent(world)
    note_id, allocation = keeper.credit(document, 10)
    settle(world)
    before = notes_of(world, invoice), world.histories(invoice)
    for stored in world.store.rows("links"):
        if stored.partition.endswith((NAME, KIND)):  # the row was written, what we keep of it was not
            world.store.delete("links", stored.partition, stored.row)
    outcome = cross_again(world, nz, note_id)
    assert outcome is Status.UNCHANGED
    assert (notes_of(world, invoice), world.histories(invoice)) == before
    assert links.read(world.services, nz, KIND, f"Allocation/{allocation}") is not None


def cross_again(world: World, connector: Connector, note_id: str) -> Status:
    """Deliver a message for a credit note that knows no version, as a webhook's does."""
    text = f'{{"connector":"{connector.key}","flow":"{NAME}","record":"CreditNote/{note_id}","attempt":1}}'
    return world.deliver(text).status


def test_a_row_a_person_deleted_is_not_made_again(world: World, keeper: Bookkeeper, nz: Connector):
    invoice, document = sent(world)
    note_id, _ = keeper.credit(document, 10, of=30)
    settle(world)
    world.delete(f"mag_creditnotes({notes_of(world, invoice)[0]['mag_creditnoteid']})")
    keeper.allocate("CreditNotes", note_id, document, 20)
    settle(world)
    assert [row["mag_amount"] for row in notes_of(world, invoice)] == [20]
    assert cross_again(world, nz, note_id) is Status.UNCHANGED


def test_a_row_a_person_deactivated_stays_as_it_is(world: World, keeper: Bookkeeper, nz: Connector):
    invoice, document = sent(world)
    note_id, _ = keeper.credit(document, 10, of=30)
    settle(world)
    (row,) = notes_of(world, invoice)
    world.patch(f"mag_creditnotes({row['mag_creditnoteid']})", {"statecode": 1, "statuscode": 2})
    assert cross_again(world, nz, note_id) is Status.UNCHANGED
    assert notes_of(world, invoice)[0]["statecode"] == 1


def test_what_a_person_changed_on_the_row_follows_xero_but_its_name_does_not(world: World, keeper: Bookkeeper, nz: Connector):
    invoice, document = sent(world)
    note_id, _ = keeper.credit(document, 10, number="CN-MINE")
    settle(world)
    (row,) = notes_of(world, invoice)
    world.patch(f"mag_creditnotes({row['mag_creditnoteid']})", {"mag_name": "Goodwill", "mag_amount": 99})
    assert cross_again(world, nz, note_id) is Status.SYNCED
    (row,) = notes_of(world, invoice)
    assert (row["mag_name"], row["mag_amount"]) == ("Goodwill", 10)


def written_here(world: World, invoice: str, **columns: Any) -> str:
    return world.post(
        "mag_creditnotes",
        {"mag_name": "Made here", "mag_invoiceid@odata.bind": f"/invoices({invoice})", **columns},
    )


def test_K14_a_note_made_here_is_completed_and_not_doubled(world: World, keeper: Bookkeeper):
    invoice, document = sent(world)
    note_id, allocation = keeper.credit(document, 40, number="CN-OURS")
    made = written_here(
        world,
        invoice,
        mag_addtoxero=True,
        mag_synchedwithxero=True,
        mag_exportstatus=YES,
        mag_xerocreditnoteid=note_id,
        mag_amount=40,
    )
    settle(world)
    (row,) = notes_of(world, invoice)
    assert row["mag_creditnoteid"] == made
    assert (row["mag_xeroallocationid"], row["mag_creditnotenumber"]) == (allocation, "CN-OURS")
    assert (row["mag_name"], row["mag_addtoxero"]) == ("Made here", True)
    assert amounts(world.row(invoice))[2] == 40


def test_K14_a_note_made_here_and_allocated_twice_has_one_row_more_and_not_two(world: World, keeper: Bookkeeper):
    invoice, document = sent(world)
    note_id, first = keeper.credit(document, 10, of=40)
    second = keeper.allocate("CreditNotes", note_id, document, 30)
    made = written_here(world, invoice, mag_synchedwithxero=True, mag_xerocreditnoteid=note_id, mag_amount=30)
    settle(world)
    by_id = {row["mag_xeroallocationid"]: row for row in notes_of(world, invoice)}
    assert set(by_id) == {first, second}
    assert by_id[second]["mag_creditnoteid"] == made  # the amount tells which of them it is


def test_K14_a_note_on_its_way_to_xero_is_left_to_the_flow_that_sends_it(world: World, keeper: Bookkeeper):
    invoice, document = sent(world)
    written_here(world, invoice, mag_addtoxero=True, mag_creditnotenumber="CN-GOING", mag_amount=40)
    before = notes_of(world, invoice)
    keeper.credit(document, 40, number="CN-GOING")
    settle(world)
    assert notes_of(world, invoice) == before
    assert amounts(world.row(invoice))[2] == 40


def test_K14_a_credit_note_that_is_an_invoice_row_here_gets_no_rows(world: World, keeper: Bookkeeper, nz: Connector):
    invoice, document = sent(world)
    note_id, _ = keeper.credit(document, 40)
    bind = ("mag_xeroconnectors", nz.id)
    world.invoice(flag=False, mag_invoicetype=CREDIT_NOTE, mag_xeroid=note_id.upper(), mag_xeroconnectorid=bind)
    settle(world)
    assert notes_of(world, invoice) == []
    assert amounts(world.row(invoice))[2] == 40


def test_K39_a_row_another_product_brought_is_adopted_by_its_number(world: World, keeper: Bookkeeper):
    invoice, document = sent(world)
    old = written_here(world, invoice, mag_creditnotenumber="cn-old", mag_amount=40, mag_synchedwithxero=True)
    note_id, allocation = keeper.credit(document, 40, number="CN-OLD")
    settle(world)
    (row,) = notes_of(world, invoice)
    assert (row["mag_creditnoteid"], row["mag_xerocreditnoteid"], row["mag_xeroallocationid"]) == (old, note_id, allocation)


def test_K39_the_number_alone_does_not_make_a_row_of_another_note_ours(world: World, keeper: Bookkeeper):
    invoice, document = sent(world)
    written_here(
        world,
        invoice,
        mag_creditnotenumber="CN-SAME",
        mag_amount=40,
        mag_synchedwithxero=True,
        mag_xerocreditnoteid=str(uuid.uuid4()),
    )
    keeper.credit(document, 40, number="CN-SAME")
    settle(world)
    assert len(notes_of(world, invoice)) == 2


# ── what Xero does not say, or says wrongly ─────────────────────────────────────────────────────────────────────────────────────


def reading(world: World, connector: Connector) -> Reading:
    return Reading(world.services, connector, Lane.PAYMENTS, world.clock.now())


def test_an_allocation_to_an_invoice_that_is_not_here_comes_once_it_is(world: World, keeper: Bookkeeper, nz: Connector):
    invoice, document = sent(world)
    elsewhere = world.xero_invoice(Contact={"ContactID": document["Contact"]["ContactID"]})
    note_id, _ = keeper.credit(document, 5, of=15)
    keeper.allocate("CreditNotes", note_id, {"InvoiceID": elsewhere}, 10)
    settle(world)
    assert [row["mag_amount"] for row in notes_of(world, invoice)] == [5]
    linked = world.invoice(flag=False, mag_xeroid=elsewhere, mag_xeroconnectorid=("mag_xeroconnectors", nz.id))
    world.night()
    settle(world)
    assert [row["mag_amount"] for row in notes_of(world, linked)] == [10]
    assert len(notes_of(world, invoice)) == 1


def test_notes_of_more_invoices_than_a_minute_has_calls_for_come_bit_by_bit(
    world: World, nz: Connector, keeper: Bookkeeper, monkeypatch: pytest.MonkeyPatch
):
    """What a sweep was told before its calls were used up must not be read anew for ever."""
    made = [sent(world) for _ in range(8)]
    settle(world)
    for flow in (STATUS, PAYMENTS):
        world.enable(nz, flow, every=1000)
    few_calls(monkeypatch)
    for _, document in made:
        keeper.credit(document, 5)
    world.clock.move(minutes=1)
    world.settle(minutes=20)
    assert [len(notes_of(world, invoice)) for invoice, _ in made] == [1] * 8
    for flow in (STATUS, PAYMENTS):
        world.enable(nz, flow, every=1)


def test_a_note_that_concerns_no_invoice_here_is_left_in_xero(world: World, keeper: Bookkeeper, nz: Connector):
    elsewhere = world.xero_invoice()
    document = next(dict(one) for one in world.xero.documents(nz.organisation, "invoice") if one["InvoiceID"] == elsewhere)
    note_id, _ = keeper.credit(document, 5)
    note = note_in_xero(world, note_id)
    assert list(credit_notes.choose(reading(world, nz), [note])) == []


RUBBISH = [
    {"Allocations": None},
    {"Allocations": "rubbish"},
    {"Allocations": [None, 5, "x", [], {}]},
    {
        "Allocations": [
            {"Invoice": None, "Amount": 5},
            {"Invoice": {}},
            {"Invoice": {"InvoiceID": None}},
            {"Invoice": {"InvoiceID": "x"}},
        ]
    },
    {"Type": None},
    {"Type": "ACCSOMETHING"},
    {"Status": None, "CreditNoteNumber": None, "Date": None, "Reference": None, "UpdatedDateUTC": None},
    {"Status": 5, "CreditNoteNumber": {}, "Date": "/Date(9999999999999999999)/", "Reference": [], "UpdatedDateUTC": "yesterday"},
]


@pytest.mark.parametrize("rubbish", RUBBISH, ids=str)
def test_rubbish_in_a_note_stops_neither_it_nor_another(world: World, keeper: Bookkeeper, nz: Connector, rubbish: Json):
    invoice, document = sent(world)
    note_id, _ = keeper.credit(document, 5, of=10)
    other_id = keeper.credit(document, 7)[0]
    odd = {**note_in_xero(world, note_id), **rubbish}
    found = list(credit_notes.choose(reading(world, nz), [odd, note_in_xero(world, other_id)]))
    assert other_id in [one.xero_id for one in found]
    settle(world)
    assert sorted(row["mag_amount"] for row in notes_of(world, invoice)) == [5, 7]


def crossed(world: World, connector: Connector, odd: Json) -> None:
    """Take one note across as choose found it."""
    (found,) = credit_notes.choose(reading(world, connector), [odd])
    work = work_of(world, connector, found.xero_id)
    credit_notes.cross(work, found.body)
    claims.close(world.services, work.claim)


def work_of(world: World, connector: Connector, note_id: str) -> Work:
    message = SyncMessage(connector.key, NAME, f"CreditNote/{note_id}")
    claim = claims.take(world.services, connector.key, NAME, message.record, str(uuid.uuid4()))
    return Work(world.services, connector, message, claim, Lane.PAYMENTS, world.clock.now())


def test_allocations_that_are_not_told_take_nothing_back(world: World, keeper: Bookkeeper, nz: Connector):
    invoice, document = sent(world)
    note_id, _ = keeper.credit(document, 5)
    settle(world)
    crossed(world, nz, {**note_in_xero(world, note_id), "Allocations": None})
    assert [row["statecode"] for row in notes_of(world, invoice)] == [0]


def test_an_allocation_without_amount_has_a_row_that_says_so(world: World, keeper: Bookkeeper, nz: Connector):
    invoice, document = sent(world)
    note_id, _ = keeper.credit(document, 5)
    note = note_in_xero(world, note_id)
    note["Allocations"][0]["Amount"] = None
    crossed(world, nz, note)
    (row,) = notes_of(world, invoice)
    assert row["mag_amount"] is None
    warning = next(one for one in told(world, row) if one["mag_syncstatus"] == WARNING)
    assert "no amount" in warning["mag_details"]


def test_an_unknown_status_counts_as_standing_and_is_told(world: World, keeper: Bookkeeper, nz: Connector):
    invoice, document = sent(world)
    note_id, _ = keeper.credit(document, 5)
    crossed(world, nz, {**note_in_xero(world, note_id), "Status": "ARCHIVED"})
    (row,) = notes_of(world, invoice)
    assert row["mag_amount"] == 5
    assert any("ARCHIVED" in one["mag_details"] for one in told(world, row) if one["mag_syncstatus"] == WARNING)


def test_K39_allocations_without_an_id_are_told_apart_by_invoice_date_amount_and_number(
    world: World, keeper: Bookkeeper, nz: Connector
):
    invoice, document = sent(world)
    note_id, _ = keeper.credit(document, 5, of=30)
    keeper.allocate("CreditNotes", note_id, document, 5)
    keeper.allocate("CreditNotes", note_id, document, 20)
    note = note_in_xero(world, note_id)
    ids = [one.pop("AllocationID") for one in note["Allocations"]]
    for _ in range(2):
        crossed(world, nz, note)
        assert sorted(row["mag_amount"] for row in notes_of(world, invoice)) == [5, 5, 20]
    made_up = {row["mag_xeroallocationid"] for row in notes_of(world, invoice)}
    assert len(made_up) == 3
    settle(world)  # now Xero tells their ids
    assert {row["mag_xeroallocationid"] for row in notes_of(world, invoice)} == set(ids)
    assert len(notes_of(world, invoice)) == 3


def test_an_allocation_without_an_id_that_comes_back_brings_its_row_back(world: World, keeper: Bookkeeper, nz: Connector):
    invoice, document = sent(world)
    note_id, _ = keeper.credit(document, 5)
    note = note_in_xero(world, note_id)
    note["Allocations"][0].pop("AllocationID")
    crossed(world, nz, note)
    crossed(world, nz, {**note, "Allocations": []})
    assert [row["statecode"] for row in notes_of(world, invoice)] == [1]
    crossed(world, nz, note)
    assert [(row["statecode"], row["mag_exportstatus"]) for row in notes_of(world, invoice)] == [(0, YES)]


def test_an_invoice_that_was_deleted_here_holds_back_no_other(world: World, keeper: Bookkeeper):
    first, one = sent(world)
    second, other = sent(world)
    note_id, _ = keeper.credit(one, 10, of=30)
    keeper.allocate("CreditNotes", note_id, other, 20)
    world.delete(f"invoices({first})")
    settle(world)
    assert [row["mag_amount"] for row in notes_of(world, second)] == [20]


def test_a_refusal_is_told_on_the_invoice_and_holds_back_no_other(world: World, keeper: Bookkeeper, nz: Connector):
    first, one = sent(world)
    second, other = sent(world)
    note_id, _ = keeper.credit(one, 10, of=30)
    keeper.allocate("CreditNotes", note_id, other, 20)
    note = note_in_xero(world, note_id)
    note["Allocations"][0]["Amount"] = Decimal("10.123")
    (found,) = credit_notes.choose(reading(world, nz), [note])
    work = work_of(world, nz, note_id)
    with pytest.raises(Rejected) as refused:
        credit_notes.cross(work, found.body)
    assert "more than 2 decimal places" in str(refused.value)
    assert work.about == f"invoice/{first}"
    assert [row["mag_amount"] for row in notes_of(world, second)] == [20]
    assert notes_of(world, first) == []


@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "503"])
def test_a_fault_of_dataverse_in_the_middle_ends_in_one_row(world: World, keeper: Bookkeeper, fault: str):
    invoice, document = sent(world)
    keeper.credit(document, 10)
    world.clock.move(minutes=1)
    for skip in range(1, 12, 2):
        world.dataverse.faults.add(Fault(fault, "POST", r"\$batch", skip=skip))
    world.settle(minutes=20)
    world.dataverse.faults.clear()
    settle(world, minutes=10)
    assert [row["mag_amount"] for row in notes_of(world, invoice)] == [10]
    assert amounts(world.row(invoice))[2] == 10
    assert len([one for one in world.histories(invoice) if "has been set against" in one["mag_details"]]) == 1


# ── what it costs ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_n_notes_cost_a_page_and_one_call_for_forty_invoices(own_world: World):
    world = own_world
    connector = world.connect(flows=(NAME,))
    invoices = [world.invoice() for _ in range(6)]
    world.settle(minutes=3)
    keeper = Bookkeeper(world)
    for invoice in invoices:
        keeper.credit(world.document_of(invoice), 10)
        world.clock.move(minutes=1)
    calls = world.xero_calls()
    outcomes = sweep_once(world, connector)
    assert outcomes == [Status.SYNCED] * 6
    assert world.xero_calls() - calls == 2
    assert all(len(notes_of(world, invoice)) == 1 for invoice in invoices)


def sweep_once(world: World, connector: Connector) -> list[Status]:
    sweep(SweepMessage(connector.key, NAME).to_json(), world.services, world.clock.now())
    return [world.deliver(text).status for text in world.queues.visible(NAME)]


def test_A309_the_first_read_reaches_back_seven_days(own_world: World):
    world = own_world
    connector = world.connect()
    old, new = world.invoice(), world.invoice()
    world.settle(minutes=2)
    keeper = Bookkeeper(world)
    keeper.credit(world.document_of(old), 10)
    world.clock.move(days=7, minutes=5)
    keeper = Bookkeeper(world)
    keeper.credit(world.document_of(new), 10)
    world.clock.move(minutes=1)
    world.enable(connector, NAME, every=1)
    sweep_once(world, connector)
    assert (len(notes_of(world, old)), len(notes_of(world, new))) == (0, 1)


def test_facts_of_a_note_are_plain_and_few():
    note = {"CreditNoteID": "x", "Date": "/Date(1795046400000+0000)/", "CreditNoteNumber": " CN\x00-1 ", "Contact": {"Name": "N"}}
    told = credit_notes.facts_of(note)
    assert told == {
        "CreditNoteID": "x",
        "Type": None,
        "Status": None,
        "CreditNoteNumber": "CN -1",
        "Reference": None,
        "Date": "2026-11-19",
    }
    assert xero_instant("/Date(1795046400000+0000)/").date().isoformat() == "2026-11-19"
    assert xero_lists.version(note) == ""
