"""Status, amounts, Paid and Cancelled of linked invoices, through the real triggers (functions/invoice_status.py).

Facts A271-A273, A284-A286, A317, A318, C02, K14, K17, K18 and the rules of SPEC 4.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from functions import claim as claims
from functions import from_xero, invoice_status, links, xero_lists
from functions.from_xero import Reading
from functions.invoice_status import facts_of
from functions.work import Work
from mappings.choices import NumberSource, PaymentStatus, SyncStatus, WhoActs
from sandbox.xero.faults import Fault
from shared.connectors import Connector, Json
from shared.errors import Changed, Retryable
from shared.messages import SyncMessage
from shared.outcomes import Status
from shared.services import Lane, Operation
from tests.functions.bookkeeping import (
    ACTIVE,
    BILLED,
    CANCELED,
    CANCELLED,
    COMPLETE,
    NEW,
    PAID,
    PAYMENTS,
    STATUS,
    Bookkeeper,
    amounts,
    opened,
    payments_of,
    sent,
    state,
    unfinished,
)
from tests.functions.books import id_of
from tests.functions.conftest import left_as_it_was
from tests.world import DRAFT, FAILED, NO, NZ, OPTION, READY_TO_UPDATE, SUBMITTED, YES, World

BILL = OPTION + 1


@pytest.fixture(scope="module")
def module_world(authorities: Path) -> Iterator[World]:
    with opened(authorities, STATUS, PAYMENTS) as world:
        yield world


@pytest.fixture
def world(module_world: World) -> Iterator[World]:
    yield from left_as_it_was(module_world, minutes=2)


def settle(world: World, minutes: int = 2) -> None:
    world.clock.move(minutes=1)
    world.settle(minutes=minutes)
    assert [name for name in unfinished(world) if name[0] in (PAYMENTS, STATUS)] == []


def details(world: World, invoice: str, status: SyncStatus = SyncStatus.SUCCESSFUL) -> list[str]:
    return [one["mag_details"] for one in world.histories(invoice) if one["mag_syncstatus"] == status.value]


def work_of(world: World, connector: Connector, flow: str = PAYMENTS, record: str = "Payment/none") -> Work:
    """Return a try of another flow that has an invoice mirrored."""
    message = SyncMessage(connector.key, flow, record)
    claim = claims.take(world.services, connector.key, flow, record, f"test {record}")
    return Work(world.services, connector, message, claim, Lane.PAYMENTS, world.clock.now())


def in_xero(world: World, document: Json) -> Json:
    found = xero_lists.one(world.services, world.connectors()[0], xero_lists.INVOICES, document["InvoiceID"], Lane.PAYMENTS)
    assert found is not None
    return found


# ── what settles a document ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("family", ["Overpayment", "Prepayment"])
def test_money_received_in_advance_pays_an_invoice_and_is_named(world: World, keeper: Bookkeeper, family: str):
    """Paid, not Cancelled: it is credited, but money was received; no payment has an id of its own on the invoice."""
    invoice, document = sent(world)
    keeper.advance(document, family, 115)
    settle(world)
    assert state(world.row(invoice)) == (PAID, COMPLETE)
    assert amounts(world.row(invoice)) == (0, 0, 115)
    assert payments_of(world, invoice) == []
    assert any(
        f"settled in Xero by a{'n' if family == 'Overpayment' else ''} {family.lower()}" in text
        for text in details(world, invoice)
    )


@pytest.mark.parametrize("family", ["Overpayment", "Prepayment"])
def test_money_received_in_advance_that_is_taken_off_opens_the_invoice_again(world: World, keeper: Bookkeeper, family: str):
    """C02: the allocation is removed in Xero, the money stays with the contact."""
    invoice, document = sent(world)
    advance = keeper.advance(document, family, 115)
    settle(world)
    assert state(world.row(invoice)) == (PAID, COMPLETE)
    (allocation,) = keeper.done("GET", f"{family}s/{advance}")[f"{family}s"][0]["Allocations"]
    keeper.unallocate(f"{family}s", advance, allocation["AllocationID"])
    settle(world)
    assert state(world.row(invoice))[0] == ACTIVE
    assert amounts(world.row(invoice)) == (115, 0, 0)


def test_a_credit_note_and_a_payment_pay_an_invoice(world: World, keeper: Bookkeeper):
    """A317, A318: nothing due, and one payment."""
    invoice, document = sent(world)
    keeper.credit(document, 15)
    settle(world)
    assert (state(world.row(invoice)), amounts(world.row(invoice))) == ((ACTIVE, NEW), (100, 0, 15))
    keeper.pay(document, 100)
    settle(world)
    assert (state(world.row(invoice)), amounts(world.row(invoice))) == ((PAID, COMPLETE), (0, 100, 15))
    assert any("by a payment and a credit note" in text for text in details(world, invoice))


def test_credit_notes_alone_cancel_an_invoice_and_without_them_it_is_active_again(
    world: World, nz: Connector, keeper: Bookkeeper
):
    """A317, A318, K14: nothing due and no payment; the link says that the state is ours."""
    invoice, document = sent(world)
    note, allocation = keeper.credit(document, 115)
    settle(world)
    assert (state(world.row(invoice)), amounts(world.row(invoice))) == ((CANCELLED, CANCELED), (0, 0, 115))
    assert any(
        "The invoice is Cancelled: it was settled in Xero by a credit note alone." in text for text in details(world, invoice)
    )
    kept = links.read(world.services, nz, invoice_status.STATE, f"invoice/{invoice}")
    assert kept is not None
    assert kept.status == str(CANCELLED)
    keeper.unallocate("CreditNotes", note, allocation)
    settle(world)
    assert (state(world.row(invoice)), amounts(world.row(invoice))) == ((ACTIVE, NEW), (115, 0, 0))


def test_a_cancelled_invoice_that_is_paid_after_all_is_paid(world: World, keeper: Bookkeeper):
    invoice, document = sent(world)
    note, allocation = keeper.credit(document, 115)
    settle(world)
    keeper.unallocate("CreditNotes", note, allocation)
    keeper.pay(document, 115)
    settle(world)
    assert (state(world.row(invoice)), amounts(world.row(invoice))) == ((PAID, COMPLETE), (0, 115, 0))


def test_a_paid_row_follows_the_money_and_stays_paid(world: World, keeper: Bookkeeper):
    """A payment replaced by less and a credit note within one sweep: reactivated, written, closed again."""
    invoice, document = sent(world)
    payment = keeper.pay(document, 115)
    settle(world)
    keeper.take_back(payment)
    keeper.credit(document, 15)
    keeper.pay(document, 100)
    settle(world)
    assert (state(world.row(invoice)), amounts(world.row(invoice))) == ((PAID, COMPLETE), (0, 100, 15))


def test_a_void_cancels_the_invoice_though_it_keeps_its_amount_due(world: World, keeper: Bookkeeper):
    invoice, document = sent(world)
    keeper.set_status(document, "VOIDED")
    settle(world)
    row = world.row(invoice)
    assert (state(row), row["mag_xeroinvoicestatus"]) == ((CANCELLED, CANCELED), "VOIDED")
    assert row["mag_amountdue"] == Decimal(115)
    assert any("it was voided in Xero" in text for text in details(world, invoice))


def test_an_invoice_over_nothing_is_paid(world: World, nz: Connector):
    """SPEC 4: Paid is also a total of zero."""
    invoice, document = sent(world)
    facts = {**facts_of(in_xero(world, document)), "Status": "PAID", "Total": Decimal(0), "AmountDue": Decimal(0)}
    words = invoice_status.mirror(work_of(world, nz), facts, invoice)
    assert "its total being zero" in words
    assert state(world.row(invoice)) == (PAID, COMPLETE)


def test_a_payment_taken_back_is_reversed_by_the_invoice_that_names_it_no_more(authorities: Path):
    """The flow of the payments looks every three hours; nobody waits for it."""
    with opened(authorities, STATUS, PAYMENTS) as world:
        invoice, document = sent(world)
        keeper = Bookkeeper(world)
        taken, kept = keeper.pay(document, 30), keeper.pay(document, 40)
        settle(world)
        world.enable(world.connectors()[0], PAYMENTS, every=180)
        keeper.take_back(taken)
        settle(world)
        status = {one["mag_xeropaymentid"]: one["mag_paymentstatus"] for one in payments_of(world, invoice)}
        assert status == {taken: PaymentStatus.REVERSED.value, kept: PaymentStatus.APPLIED.value}
        assert amounts(world.row(invoice)) == (75, 40, 0)
        assert any("A payment was taken back in Xero." in text for text in details(world, invoice))


def test_a_bill_is_mirrored_likewise(world: World, keeper: Bookkeeper):
    invoice, document = sent(world, mag_invoicetype=BILL)
    keeper.set_status(document, "VOIDED")
    settle(world)
    assert state(world.row(invoice)) == (CANCELLED, CANCELED)


# ── approved later, deleted ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("first", [DRAFT, SUBMITTED])
def test_an_invoice_approved_later_says_so_and_gets_its_pay_now_link(world: World, nz: Connector, keeper: Bookkeeper, first: int):
    world.set(nz, mag_defaultxerostatus=first)
    invoice, document = sent(world)
    if first == DRAFT:
        assert world.row(invoice)["mag_xeropaynowlink"] is None
    keeper.set_status(document, "AUTHORISED")
    settle(world)
    row = world.row(invoice)
    assert (row["mag_xeroinvoicestatus"], state(row)) == ("AUTHORISED", (ACTIVE, NEW))
    assert row["mag_xeropaynowlink"].startswith("https://in.xero.com/")
    assert any("Its status in Xero is AUTHORISED." in text for text in details(world, invoice))


def test_a_fault_of_the_pay_now_link_does_not_hold_back_the_status(world: World, nz: Connector, keeper: Bookkeeper):
    world.set(nz, mag_defaultxerostatus=DRAFT)
    invoice, document = sent(world)
    keeper.set_status(document, "AUTHORISED")
    world.xero.faults.add(Fault("500", "GET", "OnlineInvoice", times=1))
    settle(world, minutes=1)
    assert world.row(invoice)["mag_xeroinvoicestatus"] == "AUTHORISED"
    world.settle(minutes=10)
    assert world.row(invoice)["mag_xeropaynowlink"]


def test_a_bill_approved_later_has_no_pay_now_link_to_ask_for(world: World, nz: Connector, keeper: Bookkeeper):
    world.set(nz, mag_defaultxerostatus=DRAFT)
    invoice, document = sent(world, mag_invoicetype=BILL)
    keeper.set_status(document, "AUTHORISED")
    calls = world.xero.calls("GET", "OnlineInvoice")
    settle(world)
    assert world.row(invoice)["mag_xeroinvoicestatus"] == "AUTHORISED"
    assert world.xero.calls("GET", "OnlineInvoice") == calls


def deleted_draft(world: World, nz: Connector, keeper: Bookkeeper, **columns: Any) -> tuple[str, Json]:
    world.set(nz, mag_defaultxerostatus=DRAFT)
    invoice, document = sent(world, **columns)
    settle(world)
    keeper.set_status(document, "DELETED")
    settle(world, minutes=12)
    return invoice, document


@pytest.mark.parametrize(("source", "says"), [
    (NumberSource.CRM_NUMBER, "make a new invoice"),
    (NumberSource.CRM_NAME, "change its Name"),
    (NumberSource.XERO, "set Export Status to No"),
])  # fmt: skip
def test_a_draft_deleted_in_xero_leaves_the_invoice_active_and_failed_and_stays_deleted(
    world: World, nz: Connector, keeper: Bookkeeper, source: NumberSource, says: str
):
    world.set(nz, mag_numbersource=source.value)
    name = f"Draft by {source.name}"
    invoice, _ = deleted_draft(world, nz, keeper, name=name)
    row = world.row(invoice)
    assert (state(row), row["mag_exportstatus"], row["mag_synchedwithxero"]) == ((ACTIVE, NEW), FAILED, False)
    assert row["mag_xeroinvoicestatus"] == "DELETED"
    (failed,) = [one for one in world.histories(invoice) if one["mag_syncstatus"] == SyncStatus.FAILED.value]
    assert "was deleted in Xero; the invoice stays Active" in failed["mag_details"]
    assert says in failed["mag_fix"]
    assert failed["mag_whoacts"] == WhoActs.SALESPERSON.value
    assert [one["Status"] for one in world.documents() if invoice in one["Url"]] == ["DELETED"], "nothing is sent by itself"
    world.patch(f"invoices({invoice})", {"mag_addtoxero": False})


def living(world: World, invoice: str) -> list[Json]:
    return [one for one in world.documents() if invoice in one["Url"] and one["Status"] != "DELETED"]


@pytest.mark.parametrize("source", [NumberSource.CRM_NAME, NumberSource.XERO])
def test_a_deleted_draft_is_sent_again_under_a_new_number_when_a_person_asks(
    world: World, nz: Connector, keeper: Bookkeeper, source: NumberSource
):
    world.set(nz, mag_numbersource=source.value)
    invoice, document = deleted_draft(world, nz, keeper, name=f"Again by {source.name}")
    if source is NumberSource.CRM_NAME:
        world.patch(f"invoices({invoice})", {"name": "Again by its new name"})
    world.retry(invoice)
    settle(world, minutes=6)
    (again,) = living(world, invoice)
    row = world.row(invoice)
    assert again["InvoiceNumber"] != document["InvoiceNumber"]
    assert (row["mag_exportstatus"], row["mag_xeroid"], row["mag_xeroinvoicestatus"]) == (YES, again["InvoiceID"], "DRAFT")
    keeper.set_status(again, "AUTHORISED")
    keeper.pay(again, 115)
    settle(world)
    assert state(world.row(invoice)) == (PAID, COMPLETE)


def test_a_deleted_draft_is_not_sent_again_by_a_change_alone(world: World, nz: Connector, keeper: Bookkeeper):
    """A bookkeeper deleted it: only a person who asks for it, or gives it another number, brings it back."""
    world.set(nz, mag_numbersource=NumberSource.XERO.value)
    invoice, _ = deleted_draft(world, nz, keeper)
    world.patch(f"invoices({invoice})", {"duedate": "2027-01-31"})
    world.settle(minutes=7)
    assert living(world, invoice) == []
    assert world.row(invoice)["mag_exportstatus"] == FAILED
    world.retry(invoice)
    world.settle(minutes=7)
    assert len(living(world, invoice)) == 1


@pytest.mark.parametrize("is_asked", [False, True])
def test_a_wait_is_not_taken_for_a_person_who_asks_for_a_deleted_draft(
    world: World, nz: Connector, keeper: Bookkeeper, is_asked: bool
):
    """A change has it tried again, Xero is away for a moment: still nobody asked for what the bookkeeper deleted."""
    world.set(nz, mag_numbersource=NumberSource.XERO.value)
    invoice, _ = deleted_draft(world, nz, keeper)
    if is_asked:
        world.retry(invoice)
    else:
        world.patch(f"invoices({invoice})", {"duedate": "2027-01-31"})
    world.xero.faults.add(Fault("503", "GET", "Invoices/", times=2))
    world.settle(minutes=30)
    assert world.xero.faults.waiting() == []
    assert len(living(world, invoice)) == is_asked
    assert world.row(invoice)["mag_exportstatus"] == (YES if is_asked else FAILED)
    waits = [one for one in world.histories(invoice) if one["mag_syncstatus"] == SyncStatus.WAITING.value]
    assert len(waits) == 1


def test_a_draft_deleted_in_xero_of_an_invoice_that_is_paid_here_is_told(world: World, nz: Connector, keeper: Bookkeeper):
    world.set(nz, mag_defaultxerostatus=DRAFT)
    invoice, document = sent(world)
    settle(world)
    world.patch(f"invoices({invoice})", {"statecode": PAID, "statuscode": COMPLETE})
    keeper.set_status(document, "DELETED")
    settle(world)
    assert state(world.row(invoice)) == (PAID, COMPLETE)
    (told,) = [one for one in world.histories(invoice) if one["mag_syncstatus"] == SyncStatus.WARNING.value]
    assert "was deleted in Xero; the invoice is Paid here" in told["mag_details"]
    assert "make a new invoice" in told["mag_fix"]
    assert told["mag_whoacts"] == WhoActs.SALESPERSON.value


def test_a_deleted_draft_asked_for_under_its_old_number_is_refused_and_says_why(world: World, nz: Connector, keeper: Bookkeeper):
    invoice, document = deleted_draft(world, nz, keeper)
    world.retry(invoice)
    world.settle(minutes=6)
    assert world.row(invoice)["mag_exportstatus"] == FAILED
    assert living(world, invoice) == []
    assert any(f"{document['InvoiceNumber']} was deleted in Xero" in text for text in details(world, invoice, SyncStatus.FAILED))


def test_a_deleted_bill_asked_for_again_is_made_once_though_the_first_try_is_lost(
    world: World, nz: Connector, keeper: Bookkeeper
):
    """SPEC 8: bills have no unique number, so the second try looks for the document in place of the deleted one."""
    invoice, _ = deleted_draft(world, nz, keeper, mag_invoicetype=BILL)
    world.retry(invoice)
    world.clock.move(minutes=1)
    world.xero.faults.add(Fault("drop_after", "PUT", "Invoices", times=1))
    world.settle(minutes=20)
    assert len(living(world, invoice)) == 1
    assert world.row(invoice)["mag_xeroid"] == living(world, invoice)[0]["InvoiceID"]


def test_what_a_person_asked_for_is_not_taken_back_by_an_older_message(world: World, nz: Connector, keeper: Bookkeeper):
    invoice, document = deleted_draft(world, nz, keeper)
    world.patch(f"invoices({invoice})", {"mag_exportstatus": NO, "mag_addtoxero": False})
    assert invoice_status.mirror(work_of(world, nz), facts_of(in_xero(world, document)), invoice) == ""
    assert world.row(invoice)["mag_exportstatus"] == NO


# ── what people do in Dynamics 365 ──────────────────────────────────────────────────────────────────────────────────────────────


def test_an_invoice_a_user_cancelled_is_left_alone_and_money_for_it_is_told(world: World, keeper: Bookkeeper):
    """K14: never reactivated by us."""
    invoice, document = sent(world)
    world.patch(f"invoices({invoice})", {"statecode": CANCELLED, "statuscode": CANCELED})
    before = world.row(invoice)
    payment = keeper.pay(document, 115)
    settle(world)
    assert world.row(invoice)["@odata.etag"] == before["@odata.etag"], "not even touched"
    assert [row["mag_xeropaymentid"] for row in payments_of(world, invoice)] == [payment]
    assert any("cancelled in Dynamics 365" in text for text in details(world, invoice, SyncStatus.WARNING))


def test_an_invoice_a_user_paid_stays_paid_until_xero_says_otherwise(world: World, keeper: Bookkeeper):
    invoice, document = sent(world)
    world.patch(f"invoices({invoice})", {"statecode": PAID, "statuscode": 100_002})
    keeper.pay(document, 15)
    settle(world)
    assert (state(world.row(invoice)), amounts(world.row(invoice))) == ((PAID, 100_002), (100, 15, 0))
    payment = keeper.pay(document, 100)
    settle(world)
    assert (state(world.row(invoice)), amounts(world.row(invoice))) == ((PAID, 100_002), (0, 115, 0))
    keeper.take_back(payment)
    settle(world)
    assert (state(world.row(invoice)), amounts(world.row(invoice))) == ((ACTIVE, BILLED), (100, 15, 0))


def test_a_status_reason_of_the_customers_own_is_kept(world: World, keeper: Bookkeeper):
    """4 Billed stands for it: the row is Active and stays so, then is Paid, then gets it back."""
    invoice, document = sent(world)
    world.patch(f"invoices({invoice})", {"statuscode": 2})
    keeper.pay(document, 15)
    settle(world)
    assert state(world.row(invoice)) == (ACTIVE, 2)
    payment = keeper.pay(document, 100)
    settle(world)
    assert state(world.row(invoice)) == (PAID, COMPLETE)
    keeper.take_back(payment)
    settle(world)
    assert state(world.row(invoice)) == (ACTIVE, 2)


def test_a_row_already_right_is_not_touched(world: World, keeper: Bookkeeper):
    """Customers' automations fire on every write."""
    invoice, document = sent(world)
    keeper.pay(document, 115)
    settle(world)
    before = world.row(invoice)["@odata.etag"], len(world.histories(invoice))
    world.xero.change(NZ, "invoice", document["InvoiceID"], Reference="a word for the bookkeeper")
    settle(world)
    assert (world.row(invoice)["@odata.etag"], len(world.histories(invoice))) == before


def test_of_two_rows_that_bear_one_xero_id_the_one_the_document_names_is_meant(world: World, keeper: Bookkeeper):
    """A283: the copy command copies the Xero Id too."""
    invoice, document = sent(world)
    copy = world.invoice(flag=False, mag_xeroid=document["InvoiceID"], mag_synchedwithxero=True)
    row = world.row(invoice)
    world.patch(
        f"invoices({copy})", {"mag_xeroconnectorid@odata.bind": f"/mag_xeroconnectors({row['_mag_xeroconnectorid_value']})"}
    )
    keeper.pay(document, 115)
    settle(world)
    assert state(world.row(invoice)) == (PAID, COMPLETE)
    assert state(world.row(copy)) == (ACTIVE, NEW)
    assert payments_of(world, copy) == []
    world.delete(f"invoices({copy})")


def test_a_row_deleted_in_dynamics_concerns_nobody_any_more(world: World, keeper: Bookkeeper):
    invoice, document = sent(world)
    world.delete(f"invoices({invoice})")
    keeper.pay(document, 115)
    settle(world)
    assert invoice_status.mirror(work_of(world, world.connectors()[0]), facts_of(in_xero(world, document)), invoice) == ""


# ── races, repeats, faults ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_facts_older_than_those_that_crossed_change_nothing(world: World, nz: Connector, keeper: Bookkeeper):
    invoice, document = sent(world)
    keeper.pay(document, 15)
    stale = facts_of(in_xero(world, document))
    world.clock.move(minutes=1)
    keeper.pay(document, 100)
    settle(world)
    before = world.row(invoice)["@odata.etag"]
    assert invoice_status.mirror(work_of(world, nz), stale, invoice) == ""
    assert world.row(invoice)["@odata.etag"] == before
    assert all(row["mag_paymentstatus"] == OPTION for row in payments_of(world, invoice)), "and reverse no payment"


def test_a_row_changed_while_it_is_written_is_read_and_decided_again(world: World, nz: Connector, keeper: Bookkeeper):
    """A user cancels the invoice between our read and our write: 412, and then it is theirs."""
    invoice, document = sent(world)
    keeper.pay(document, 115)
    facts = facts_of(in_xero(world, document))
    send, sends = world.services.dataverse.send, []

    def cancelled_meanwhile(environment: str, operations: Any) -> Any:
        sends.append(operations)
        if len(sends) == 2:
            world.patch(f"invoices({invoice})", {"statecode": CANCELLED, "statuscode": CANCELED})
        return send(environment, operations)

    dataverse = type("Dataverse", (), {"send": staticmethod(cancelled_meanwhile)})()
    work = replace(work_of(world, nz), services=replace(world.services, dataverse=dataverse))
    invoice_status.mirror(work, facts, invoice)
    assert state(world.row(invoice)) == (CANCELLED, CANCELED)
    assert amounts(world.row(invoice)) == (115, 0, 0)


def test_a_payments_row_deleted_while_it_is_reversed_does_not_hold_back_the_invoice(
    world: World, nz: Connector, keeper: Bookkeeper
):
    invoice, document = sent(world)
    payment = keeper.pay(document, 115)
    settle(world)
    keeper.take_back(payment)
    facts = facts_of(in_xero(world, document))
    send, sends = world.services.dataverse.send, []

    def deleted_meanwhile(environment: str, operations: Any) -> Any:
        sends.append(operations)
        if len(sends) == 2:
            world.delete(f"mag_payments({payments_of(world, invoice)[0]['mag_paymentid']})")
        return send(environment, operations)

    dataverse = type("Dataverse", (), {"send": staticmethod(deleted_meanwhile)})()
    work = replace(work_of(world, nz), services=replace(world.services, dataverse=dataverse))
    assert "Active again" in invoice_status.mirror(work, facts, invoice)
    assert (state(world.row(invoice)), payments_of(world, invoice)) == ((ACTIVE, NEW), [])


def test_a_row_that_never_holds_still_is_tried_again_later(world: World, nz: Connector, keeper: Bookkeeper):
    invoice, document = sent(world)
    keeper.pay(document, 115)
    facts = facts_of(in_xero(world, document))
    send = world.services.dataverse.send

    def changing(environment: str, operations: Any) -> Any:
        if any(one.method == "PATCH" for one in operations):
            world.patch(f"invoices({invoice})", {"description": f"{world.clock.move(1)}"})
        return send(environment, operations)

    dataverse = type("Dataverse", (), {"send": staticmethod(changing)})()
    work = replace(work_of(world, nz), services=replace(world.services, dataverse=dataverse))
    with pytest.raises(Changed):
        invoice_status.mirror(work, facts, invoice)
    assert world.row(invoice)["statecode"] == ACTIVE
    settle(world)
    assert state(world.row(invoice)) == (PAID, COMPLETE)


def test_a_document_another_worker_mirrors_is_waited_for(world: World, nz: Connector, keeper: Bookkeeper):
    invoice, document = sent(world)
    settle(world)
    claims.take(world.services, nz.key, STATUS, f"Invoice/{document['InvoiceID']}", "another worker")
    with pytest.raises(Retryable):
        invoice_status.mirror(work_of(world, nz), facts_of(in_xero(world, document)), invoice)


def test_a_wish_or_a_message_under_way_outlives_the_mirror_of_another_flow(world: World, nz: Connector):
    invoice, document = sent(world)
    settle(world)
    record = f"Invoice/{document['InvoiceID']}"
    until = world.clock.now() + timedelta(minutes=15)
    claims.mark_queued(world.services, claims.unclaimed(nz.key, STATUS, record), until, "2026")
    invoice_status.mirror(work_of(world, nz), facts_of(in_xero(world, document)), invoice)
    left = claims.read(world.services, nz.key, STATUS, record)
    assert (left.queued, left.state) == (until, "free")


def test_a_refusal_of_dynamics_is_told_once_and_tried_again(world: World, nz: Connector, keeper: Bookkeeper):
    """A plug-in of the customer may refuse the state; the last state we wrote is then not said to be ours."""
    invoice, document = sent(world)
    settle(world)
    keeper.set_status(document, "VOIDED")
    send = world.services.dataverse.send
    refusing = True

    def refused(environment: str, operations: Any) -> Any:
        if refusing and any((one.body or {}).get("statecode") == CANCELLED for one in operations):
            operations = [replace(one, body={"statecode": CANCELLED, "statuscode": NEW}) if (one.body or {}).get("statecode") else one
                          for one in operations]  # fmt: skip
        return send(environment, operations)

    dataverse = type("Dataverse", (), {"send": staticmethod(refused)})()
    services, world.services = world.services, replace(world.services, dataverse=dataverse)
    try:
        world.clock.move(minutes=1)
        world.settle(minutes=2)
        assert state(world.row(invoice)) == (ACTIVE, NEW)
        assert len(details(world, invoice, SyncStatus.FAILED)) == 1
        kept = links.read(world.services, nz, invoice_status.STATE, f"invoice/{invoice}")
        assert kept is None or kept.status == ""
        refusing = False
        world.settle(minutes=70)
    finally:
        world.services = services
    assert state(world.row(invoice)) == (CANCELLED, CANCELED)


@contextmanager
def dataverse(world: World, send: Callable[[Any, str, list[Operation]], Any]) -> Iterator[None]:
    """Have *send* (the real one, environment, operations) stand between the app and Dynamics 365."""
    services, real = world.services, world.services.dataverse.send
    stub = type("Dataverse", (), {"send": staticmethod(lambda environment, operations: send(real, environment, operations))})()
    world.services = replace(services, dataverse=stub)
    try:
        yield
    finally:
        world.services = services


@pytest.mark.parametrize("error", [Changed("412"), Retryable("503")])
@pytest.mark.parametrize(("is_paid", "expected"), [(False, (ACTIVE, NEW)), (True, (PAID, COMPLETE))])
def test_a_row_we_cancelled_is_opened_again_though_the_first_try_fails(
    world: World, keeper: Bookkeeper, error: Exception, is_paid: bool, expected: tuple[int, int]
):
    """Of a row credit notes cancelled only the link says that it is ours: it must say so until the row is open."""
    invoice, document = sent(world)
    note, allocation = keeper.credit(document, 115)
    settle(world)
    assert state(world.row(invoice)) == (CANCELLED, CANCELED)
    keeper.unallocate("CreditNotes", note, allocation)
    if is_paid:
        keeper.pay(document, 115)
    failed: list[int] = []

    def fails_once(real: Any, environment: str, operations: list[Operation]) -> Any:
        if not failed and any((one.body or {}).get("statecode") == ACTIVE for one in operations):
            failed.append(1)
            raise error
        return real(environment, operations)

    with dataverse(world, fails_once):
        settle(world, minutes=10)
    assert failed
    assert state(world.row(invoice)) == expected


def test_what_dynamics_refuses_of_an_invoice_is_told_once_though_many_payments_bring_it(world: World, keeper: Bookkeeper):
    """A plug-in of the customer may refuse Paid: the rows of the payments are there all the same, and it is tried again."""
    invoice, document = sent(world)
    settle(world)
    made = {keeper.pay(document, 23, Reference=f"{n}") for n in range(5)}

    def refused(real: Any, environment: str, operations: list[Operation]) -> Any:
        body = {"statecode": PAID, "statuscode": NEW}
        return real(
            environment, [replace(one, body=body) if (one.body or {}).get("statecode") == PAID else one for one in operations]
        )

    with dataverse(world, refused):
        world.clock.move(minutes=1)
        world.settle(minutes=4)
        assert state(world.row(invoice)) == (ACTIVE, NEW)
        assert len(details(world, invoice, SyncStatus.FAILED)) == 1
        assert {row["mag_xeropaymentid"] for row in payments_of(world, invoice)} == made
        assert {name for name, _ in unfinished(world)} <= {STATUS, "balances-from-xero"}
    world.settle(minutes=130)
    assert state(world.row(invoice)) == (PAID, COMPLETE)


def test_without_this_flow_another_one_tells_what_dynamics_refuses(world: World, nz: Connector, keeper: Bookkeeper):
    invoice, document = sent(world)
    settle(world)
    world.enable(nz, STATUS, every=1)
    (row,) = world.get(f"mag_xeroflows?$filter=_mag_xeroconnectorid_value%20eq%20{nz.id}%20and%20mag_flow%20eq%20'{STATUS}'")[
        "value"
    ]
    world.patch(f"mag_xeroflows({row['mag_xeroflowid']})", {"mag_enabled": False})
    keeper.pay(document, 115)

    def refused(real: Any, environment: str, operations: list[Operation]) -> Any:
        body = {"statecode": PAID, "statuscode": NEW}
        return real(
            environment, [replace(one, body=body) if (one.body or {}).get("statecode") == PAID else one for one in operations]
        )

    with dataverse(world, refused):
        world.clock.move(minutes=1)
        world.settle(minutes=4)
    assert len(details(world, invoice, SyncStatus.FAILED)) == 1
    world.enable(nz, STATUS, every=1)
    world.settle(minutes=130)
    assert state(world.row(invoice)) == (PAID, COMPLETE)


def test_an_update_on_its_way_does_not_write_older_amounts_over_newer_ones(world: World, nz: Connector, keeper: Bookkeeper):
    """Money comes, and is mirrored, between Xero's answer to our update and its being written back."""
    world.set(nz, mag_allowresend=True)
    invoice, document = sent(world)
    settle(world)
    world.patch(f"invoices({invoice})", {"mag_exportstatus": READY_TO_UPDATE, "duedate": "2027-02-02"})
    came: list[str] = []

    def meanwhile(real: Any, environment: str, operations: list[Operation]) -> Any:
        if not came and any("mag_exportdate" in (one.body or {}) for one in operations):
            came.append(keeper.advance(document, "Overpayment", 15))
            work = work_of(world, nz, record=f"Payment/{came[0]}")
            invoice_status.mirror(work, facts_of(in_xero(world, document)), invoice)
            assert amounts(world.row(invoice)) == (100, 0, 15)
        return real(environment, operations)

    with dataverse(world, meanwhile):
        world.clock.move(minutes=1)
        world.settle(minutes=8)
    assert came
    settle(world, minutes=2)
    assert world.row(invoice)["mag_exportstatus"] == YES
    assert amounts(world.row(invoice)) == (100, 0, 15)


def test_what_is_told_of_an_invoice_that_could_not_be_read_yet_stands_on_none_of_nobodys(world: World, keeper: Bookkeeper):
    """Rows of Sync History belong to the owner of the invoice, who is not known before it is read."""
    invoice, document = sent(world)
    settle(world)
    keeper.pay(document, 15)
    keeper.credit(document, 10)

    def unreadable(real: Any, environment: str, operations: list[Operation]) -> Any:
        if any(one.method == "GET" and f"invoices({invoice})" in one.path for one in operations):
            raise Retryable("Dynamics 365 did not answer.")
        return real(environment, operations)

    with dataverse(world, unreadable):
        world.clock.move(minutes=1)
        world.settle(minutes=2)
    world.settle(minutes=30)
    assert amounts(world.row(invoice)) == (90, 15, 10)
    owner = world.row(invoice)["_ownerid_value"]
    assert {one["_ownerid_value"] for one in world.histories(invoice)} == {owner}


# ── what Xero may say that nobody knows ─────────────────────────────────────────────────────────────────────────────────────────

RUBBISH: list[Json] = [
    {"Status": "ON_HOLD"},
    {"Status": "A STATUS WITH MORE THAN TWENTY CHARACTERS"},
    {"Status": None, "Type": None, "InvoiceNumber": None},
    {"Status": 7, "AmountDue": None, "AmountPaid": "15.00", "AmountCredited": True, "Total": [], "TotalTax": {}},
    {"Payments": None, "CreditNotes": "none", "Prepayments": [None, 3, {}], "Overpayments": [{"OverpaymentID": None}]},
    {"Contact": None, "Url": 4, "UpdatedDateUTC": "never"},
    {"Payments": [{"PaymentID": 5}, {"Amount": 3}], "CreditNotes": [{"CreditNoteID": "x", "AppliedAmount": None}]},
]


@pytest.mark.parametrize("fields", RUBBISH, ids=range(len(RUBBISH)))
def test_rubbish_in_an_invoice_never_stops_the_mirror(world: World, nz: Connector, fields: Json):
    invoice, document = sent(world)
    facts = facts_of({**in_xero(world, document), **fields})
    world.clock.move(minutes=1)
    invoice_status.mirror(work_of(world, nz), facts, invoice)
    assert state(world.row(invoice)) == (ACTIVE, NEW)


def test_a_status_nobody_knows_is_a_warning_and_the_amounts_follow_all_the_same(world: World, keeper: Bookkeeper):
    invoice, document = sent(world)
    settle(world)
    keeper.pay(document, 15)
    world.xero.change(NZ, "invoice", document["InvoiceID"], Status="ON_HOLD")
    settle(world)
    row = world.row(invoice)
    assert (state(row), amounts(row), row["mag_xeroinvoicestatus"]) == ((ACTIVE, NEW), (100, 15, 0), "ON_HOLD")
    assert any("ON_HOLD, which the connector does not know" in text for text in details(world, invoice, SyncStatus.WARNING))
    world.xero.change(NZ, "invoice", document["InvoiceID"], Status="AUTHORISED")


def test_paid_by_nothing_that_xero_names_is_a_warning(world: World, nz: Connector):
    invoice, document = sent(world)
    facts = {**facts_of(in_xero(world, document)), "Status": "PAID"}
    world.clock.move(minutes=1)
    invoice_status.mirror(work_of(world, nz), facts, invoice)
    assert state(world.row(invoice)) == (ACTIVE, NEW)
    assert any("names nothing that settled it" in text for text in details(world, invoice, SyncStatus.WARNING))


def test_payments_that_xero_does_not_tell_are_not_taken_back(world: World, nz: Connector, keeper: Bookkeeper):
    invoice, document = sent(world)
    keeper.pay(document, 15)
    settle(world)
    facts = {**facts_of(in_xero(world, document)), "Payments": None}
    invoice_status.mirror(work_of(world, nz), facts, invoice)
    assert [row["mag_paymentstatus"] for row in payments_of(world, invoice)] == [OPTION]


def test_documents_of_another_type_or_of_nobody_here_concern_nobody(world: World, nz: Connector):
    invoice, document = sent(world)
    reading = Reading(world.services, nz, Lane.PAYMENTS, world.clock.now())
    found = in_xero(world, document)
    assert [one.xero_id for one in invoice_status.choose(reading, [found])] == [document["InvoiceID"]]
    assert list(invoice_status.choose(reading, [{**found, "Type": "ACCRECCREDIT"}])) == []
    assert list(invoice_status.choose(reading, [{**found, "InvoiceID": "00c0ffee-0000-4000-8000-000000000001"}])) == []
    assert invoice


# ── once a night, and what else is asked for ────────────────────────────────────────────────────────────────────────────────────


def quietly(world: World, document: Json, **fields: Any) -> None:
    """Change a document without moving its UpdatedDateUTC (Xero's documented blind spots)."""
    with world.xero.store.transaction():
        stored = dict(world.xero.store.get(NZ, "invoice", document["InvoiceID"]))
        world.xero.store.put(NZ, "invoice", document["InvoiceID"], {**stored, **fields}, stored.get("InvoiceNumber", ""))


def test_the_night_finds_what_no_date_of_change_tells_of(world: World):
    """K08: open in Xero; and no longer open there while Active here."""
    (numbered, numbered_document), (voided, voided_document) = sent(world), sent(world)
    settle(world)
    quietly(world, numbered_document, InvoiceNumber="QUIET-1")
    quietly(world, voided_document, Status="VOIDED")
    settle(world, minutes=40)
    assert world.row(numbered)["mag_xeroinvoicenumber"] != "QUIET-1"
    assert state(world.row(voided)) == (ACTIVE, NEW)
    world.night()
    assert world.row(numbered)["mag_xeroinvoicenumber"] == "QUIET-1"
    assert state(world.row(voided)) == (CANCELLED, CANCELED)


def test_a_second_night_sends_nothing(world: World):
    sent(world)
    world.night()
    world.clock.move(minutes=1)
    assert [one for one in world.night() if one.message.flow == STATUS and one.status is Status.SYNCED] == []


@pytest.mark.parametrize("count", [1, 2, 3, 7, 10, 11, 20, 35])
def test_the_night_reads_every_page_of_what_is_open_or_ten_in_turn_where_there_are_more(nz: Connector, count: int):
    class Xero:
        def __init__(self) -> None:
            self.pages: list[int] = []

        def call(self, connector: Connector, operation: str, **options: Any) -> Json:
            self.pages.append(options["page"])
            return {"Invoices": [{"InvoiceID": id_of(1)}], "pagination": {"pageCount": Decimal(count)}}

    nights = []
    for day in range(-(-count // 9)):
        xero = Xero()
        services: Any = type("Services", (), {"xero": xero})
        reading = Reading(services, nz, Lane.PAYMENTS, night(day))
        assert len(list(invoice_status._open_in_xero(reading))) == min(count, 10)
        assert len(set(xero.pages)) == len(xero.pages), "no page twice in one night"
        nights.append(xero.pages)
    assert set(range(1, count + 1)) == {page for pages in nights for page in pages}


def test_of_more_than_a_night_may_read_every_one_has_its_turn(nz: Connector):
    ids = [str(number) for number in range(1000)]
    services: Any = None
    turns = [from_xero.in_turn(ids, 400, Reading(services, nz, Lane.PAYMENTS, night(day))) for day in range(5)]
    assert all(len(turn) == 400 for turn in turns)
    assert set(ids) == {one for turn in turns for one in turn}


def night(day: int) -> datetime:
    return datetime(2026, 11, 21, tzinfo=UTC) + timedelta(days=day)


def test_a_payment_the_invoice_names_is_asked_for_at_once(world: World, nz: Connector, keeper: Bookkeeper):
    """K18: an invoice webhook brings its payments; the payments' own sweep comes every three hours."""
    world.enable(nz, PAYMENTS, every=180)
    invoice, document = sent(world)
    world.settle(minutes=2)
    payment = keeper.pay(document, 15)
    settle(world, minutes=3)
    assert [row["mag_xeropaymentid"] for row in payments_of(world, invoice)] == [payment]
    world.enable(nz, PAYMENTS, every=1)


def test_credit_notes_and_balances_are_asked_for(world: World, nz: Connector, keeper: Bookkeeper):
    invoice, document = sent(world)
    settle(world)
    note, _ = keeper.credit(document, 15)
    facts = facts_of(in_xero(world, document))
    invoice_status.mirror(work_of(world, nz), facts, invoice)
    assert claims.read(world.services, nz.key, "credit-notes-from-xero", f"CreditNote/{note}").etag
    assert claims.read(world.services, nz.key, "balances-from-xero", f"Contact/{document['Contact']['ContactID']}").etag
