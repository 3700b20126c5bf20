"""Payments from Xero, through the real triggers (functions/payments.py): facts A271-A286, C02, K17, K18."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from functions import claim as claims
from functions import invoice_status, links, payments, xero_lists
from functions.from_xero import Reading
from functions.work import Work
from mappings.choices import PaymentStatus, SyncStatus
from mappings.payment import PAYMENT
from sandbox.xero.faults import Fault
from shared.connectors import Connector, Json
from shared.messages import SyncMessage
from shared.outcomes import Status
from shared.services import Lane
from tests.functions.bookkeeping import (
    ACTIVE,
    BANK,
    COMPLETE,
    NEW,
    PAID,
    PAYMENTS,
    STATUS,
    Bookkeeper,
    amounts,
    few_calls,
    opened,
    payments_of,
    sent,
    state,
    unfinished,
)
from tests.functions.conftest import left_as_it_was
from tests.world import NZ, OPTION, World

APPLIED, REVERSED = PaymentStatus.APPLIED.value, PaymentStatus.REVERSED.value
BILL = OPTION + 1


@pytest.fixture(scope="module")
def module_world(authorities: Path) -> Iterator[World]:
    with opened(authorities, PAYMENTS, STATUS) as world:
        yield world


@pytest.fixture
def world(module_world: World) -> Iterator[World]:
    yield from left_as_it_was(module_world, minutes=2)


def work_of(world: World, connector: Connector, flow: str, record: str) -> Work:
    claim = claims.take(world.services, connector.key, flow, record, f"test {record}")
    return Work(world.services, connector, SyncMessage(connector.key, flow, record), claim, Lane.PAYMENTS, world.clock.now())


def invoice_in_xero(world: World, document: Json) -> Json:
    found = xero_lists.one(world.services, world.connectors()[0], xero_lists.INVOICES, document["InvoiceID"], Lane.PAYMENTS)
    assert found is not None
    return found


def settle(world: World, minutes: int = 2) -> None:
    """Let what was done in Xero come back; nothing of it may be left over or refused."""
    world.clock.move(minutes=1)
    outcomes = world.settle(minutes=minutes)
    assert {one.status for one in outcomes} <= {Status.SYNCED, Status.UNCHANGED, Status.WAITING}, [
        one.details for one in outcomes
    ]
    assert [name for name in unfinished(world) if name[0] in (PAYMENTS, STATUS)] == []


def test_a_payment_is_a_row_of_its_invoice_as_the_vendors_table_says(world: World, nz: Connector, keeper: Bookkeeper):
    """A274, A278-A283, A286: id, date, amount, reference, account code, invoice; the owner is the invoice's."""
    invoice, document = sent(world)
    payment = keeper.pay(document, 115, Reference="INV paid")
    settle(world)
    (row,) = payments_of(world, invoice)
    assert row["mag_xeropaymentid"] == payment
    assert (row["mag_paymentdate"], row["mag_amount"], row["mag_reference"]) == ("2026-11-20", Decimal(115), "INV paid")
    assert row["mag_name"] == "2026-11-20 INV paid"
    assert row["_mag_xeroaccountcodeid_value"] == world.account(BANK, nz)[1]
    assert row["_mag_invoiceid_value"] == invoice
    assert row["mag_paymentstatus"] == APPLIED
    assert row["_ownerid_value"] == world.row(invoice)["_ownerid_value"]
    assert row["_transactioncurrencyid_value"] == world.row(invoice)["_transactioncurrencyid_value"]


def test_the_last_payment_marks_the_invoice_paid(world: World, keeper: Bookkeeper):
    """A271, A272, A284, A285: Paid, Complete, nothing due; the row is read-only, and says what Xero says all the same."""
    invoice, document = sent(world)
    keeper.pay(document, 115)
    settle(world)
    row = world.row(invoice)
    assert state(row) == (PAID, COMPLETE)
    assert amounts(row) == (0, 115, 0)
    assert row["mag_xeroinvoicestatus"] == "PAID"
    details = [one["mag_details"] for one in world.histories(invoice)]
    assert any("The invoice is Paid: it was settled in Xero by a payment." in text for text in details)
    assert any("The payment of 115.00 on 2026-11-20 has been added." in text for text in details)


def test_part_payments_are_rows_too_and_the_amount_due_follows(world: World, keeper: Bookkeeper):
    """A273, K17: Active with what is still due until nothing is."""
    invoice, document = sent(world)
    expected = []
    for number, (amount, due) in enumerate([("15.00", 100), ("60.00", 40), ("40.00", 0)], 1):
        expected.append(keeper.pay(document, amount, Reference=f"part {number}"))
        settle(world)
        row = world.row(invoice)
        assert amounts(row) == (due, 115 - due, 0)
        assert state(row) == ((PAID, COMPLETE) if due == 0 else (ACTIVE, NEW))
    assert [row["mag_xeropaymentid"] for row in payments_of(world, invoice)] == expected


def test_several_payments_of_one_invoice_in_one_sweep_are_all_there(world: World, keeper: Bookkeeper):
    invoice, document = sent(world)
    made = {keeper.pay(document, 23, Reference=f"{n}") for n in range(5)}
    settle(world)
    assert {row["mag_xeropaymentid"] for row in payments_of(world, invoice)} == made
    assert state(world.row(invoice)) == (PAID, COMPLETE)


def test_a_bill_is_paid_likewise(world: World, keeper: Bookkeeper):
    invoice, document = sent(world, mag_invoicetype=BILL)
    payment = keeper.pay(document, float(document["AmountDue"]))
    settle(world)
    assert [row["mag_xeropaymentid"] for row in payments_of(world, invoice)] == [payment]
    assert state(world.row(invoice)) == (PAID, COMPLETE)


def test_a_payment_taken_back_is_reversed_and_its_invoice_is_active_again(world: World, keeper: Bookkeeper):
    """C02: the reason it had comes back too."""
    invoice, document = sent(world)
    payment = keeper.pay(document, 115)
    settle(world)
    assert state(world.row(invoice)) == (PAID, COMPLETE)
    keeper.take_back(payment)
    settle(world)
    (row,) = payments_of(world, invoice)
    assert row["mag_paymentstatus"] == REVERSED
    assert state(world.row(invoice)) == (ACTIVE, NEW)
    assert amounts(world.row(invoice)) == (115, 0, 0)
    assert world.row(invoice)["mag_xeroinvoicestatus"] == "AUTHORISED"
    told = [one["mag_details"] for one in world.histories(invoice)]
    assert any("The invoice is Active again" in text for text in told)


def test_a_payment_taken_back_before_it_came_leaves_nothing(world: World, keeper: Bookkeeper):
    invoice, document = sent(world)
    keeper.take_back(keeper.pay(document, 115))
    settle(world)
    assert payments_of(world, invoice) == []
    assert state(world.row(invoice)) == (ACTIVE, NEW)


def test_a_payment_moved_to_another_invoice_reverses_one_and_pays_the_other(world: World, keeper: Bookkeeper):
    """C02: Xero moves a payment by deleting it and making another."""
    (wrong, wrong_document), (right, right_document) = sent(world), sent(world)
    payment = keeper.pay(wrong_document, 115)
    settle(world)
    keeper.take_back(payment)
    moved = keeper.pay(right_document, 115)
    settle(world)
    assert [row["mag_paymentstatus"] for row in payments_of(world, wrong)] == [REVERSED]
    assert state(world.row(wrong)) == (ACTIVE, NEW)
    assert [(row["mag_xeropaymentid"], row["mag_paymentstatus"]) for row in payments_of(world, right)] == [(moved, APPLIED)]
    assert state(world.row(right)) == (PAID, COMPLETE)


def test_each_payment_of_a_batch_is_a_row_of_its_own_and_goes_with_the_batch(world: World, keeper: Bookkeeper):
    found = [sent(world) for _ in range(3)]
    batch, made = keeper.batch(*((document, 115 if n else 15) for n, (_, document) in enumerate(found)))
    settle(world)
    for n, (invoice, _) in enumerate(found):
        assert [row["mag_xeropaymentid"] for row in payments_of(world, invoice)] == [made[n]]
        assert state(world.row(invoice)) == ((PAID, COMPLETE) if n else (ACTIVE, NEW))
    keeper.done("POST", f"BatchPayments/{batch}", {"BatchPaymentID": batch, "Status": "DELETED"})
    settle(world)
    for invoice, _ in found:
        assert [row["mag_paymentstatus"] for row in payments_of(world, invoice)] == [REVERSED]
        assert state(world.row(invoice)) == (ACTIVE, NEW)


def test_without_payment_rows_only_the_invoice_follows(world: World, nz: Connector, keeper: Bookkeeper):
    """The setting Create Payments."""
    world.set(nz, mag_createpaymentrows=False)
    invoice, document = sent(world)
    keeper.pay(document, 115)
    settle(world)
    assert payments_of(world, invoice) == []
    assert state(world.row(invoice)) == (PAID, COMPLETE)


def test_a_payment_row_a_person_deleted_is_not_made_again(world: World, keeper: Bookkeeper):
    invoice, document = sent(world)
    keeper.pay(document, 15)
    settle(world)
    (row,) = payments_of(world, invoice)
    world.delete(f"mag_payments({row['mag_paymentid']})")
    second = keeper.pay(document, 20)
    settle(world, minutes=40)  # the read overlap brings the first payment up again and again
    world.night()
    assert [one["mag_xeropaymentid"] for one in payments_of(world, invoice)] == [second]


def test_a_row_another_flow_made_is_not_made_again_either(world: World, nz: Connector, keeper: Bookkeeper):
    """invoices-from-xero writes payments too; a person deletes the row before this flow ever saw the payment."""
    invoice, document = sent(world)
    settle(world)
    payment = keeper.pay(document, 15)
    found = keeper.done("GET", f"Payments/{payment}")["Payments"][0]
    payments.written(
        work_of(world, nz, "invoices-from-xero", f"Invoice/{document['InvoiceID']}"), payments.facts_of(found), invoice
    )
    (row,) = payments_of(world, invoice)
    world.delete(f"mag_payments({row['mag_paymentid']})")
    second = keeper.pay(document, 20)
    settle(world)
    assert [one["mag_xeropaymentid"] for one in payments_of(world, invoice)] == [second]


def test_nobody_who_read_the_invoice_before_takes_a_new_payment_back(world: World, nz: Connector, keeper: Bookkeeper):
    """The status flow has the invoice in hand as it was before the payment, while the payment crosses."""
    invoice, document = sent(world)
    settle(world)
    world.clock.move(minutes=1)
    older = invoice_status.body_of(invoice_status.facts_of(invoice_in_xero(world, document)), invoice)
    status = work_of(world, nz, STATUS, f"Invoice/{document['InvoiceID']}")
    keeper.pay(document, 15)
    world.clock.move(minutes=1)
    world.settle()
    assert payments_of(world, invoice) == [], "it waits for who has the invoice in hand"
    invoice_status.cross(status, older)
    claims.close(world.services, status.claim)
    settle(world)
    assert [one["mag_paymentstatus"] for one in payments_of(world, invoice)] == [APPLIED]
    assert not [one for one in world.histories(invoice) if "taken back" in one["mag_details"]]


def test_a_row_that_holds_the_payments_id_already_is_kept_and_completed(world: World, keeper: Bookkeeper):
    """A277: a row another product left, or ours of a lost try."""
    invoice, document = sent(world)
    payment = keeper.pay(document, 15, Reference="mine")
    world.post("mag_payments", {"mag_name": "old row", "mag_xeropaymentid": payment})
    settle(world)
    (row,) = payments_of(world, invoice)
    assert (row["mag_name"], row["mag_amount"], row["mag_reference"]) == ("old row", Decimal(15), "mine")


def test_the_same_message_twice_writes_nothing(world: World, keeper: Bookkeeper):
    invoice, document = sent(world)
    keeper.pay(document, 115)
    world.clock.move(minutes=1)
    delivered: list[str] = []
    deliver = world.deliver

    def noted(text: str) -> Any:
        delivered.append(text)
        return deliver(text)

    world.deliver = noted  # type: ignore[method-assign]
    try:
        world.settle(minutes=1)
    finally:
        del world.deliver
    before = world.row(invoice), payments_of(world, invoice), world.histories(invoice)
    calls = world.xero_calls()
    assert len(delivered) >= 2
    for text in delivered:
        assert world.deliver(text).status is Status.UNCHANGED
    assert (world.row(invoice), payments_of(world, invoice), world.histories(invoice)) == before
    assert world.xero_calls() == calls


def test_n_payments_of_one_sweep_cost_two_calls_and_one_for_every_forty(world: World, nz: Connector, keeper: Bookkeeper):
    """SPEC 15: Xero calls for n pulled payments ≤ 2 + ⌈n/40⌉."""
    count = 45
    made = [sent(world) for _ in range(3)]
    settle(world)
    world.enable(nz, STATUS, every=1000)
    for n in range(count):
        keeper.pay(made[n % 3][1], 1)
    world.clock.move(minutes=1)
    before = world.xero_calls()
    world.settle(minutes=3)
    swept = world.xero_calls() - before
    assert sum(len(payments_of(world, invoice)) for invoice, _ in made) == count
    sweeps = 4  # of which the later ones read nothing new: one call each
    assert swept <= 2 + -(-count // 40) + (sweeps - 1)
    world.enable(nz, STATUS, every=1)


def test_payments_of_more_invoices_than_a_minute_has_calls_for_come_bit_by_bit(
    world: World, nz: Connector, keeper: Bookkeeper, monkeypatch: pytest.MonkeyPatch
):
    """What a sweep was told before its calls were used up must not be read anew for ever."""
    made = [sent(world) for _ in range(8)]
    settle(world)
    world.enable(nz, STATUS, every=1000)
    few_calls(monkeypatch)
    for _, document in made:
        keeper.pay(document, 5)
    world.clock.move(minutes=1)
    world.settle(minutes=20)
    assert [len(payments_of(world, invoice)) for invoice, _ in made] == [1] * 8
    world.enable(nz, STATUS, every=1)


def test_a_payment_of_an_invoice_nobody_knows_here_concerns_nobody(world: World, keeper: Bookkeeper):
    xero_id = world.xero_invoice()
    document = {"InvoiceID": xero_id}
    payment = keeper.pay(document, 5)
    settle(world)
    assert world.get(f"mag_payments?$filter=mag_xeropaymentid%20eq%20'{payment}'")["value"] == []


def test_a_refund_of_an_overpayment_is_no_payment_of_an_invoice(world: World, nz: Connector):
    found = {"PaymentID": "f", "PaymentType": "AROVERPAYMENTPAYMENT", "Invoice": {"InvoiceID": "x"}}
    reading = Reading(world.services, nz, Lane.PAYMENTS, world.clock.now())
    assert list(payments.choose(reading, [found, {"PaymentID": "g"}, {"PaymentID": "h", "PaymentType": "ACCRECPAYMENT"}])) == []


def test_an_account_that_is_not_known_here_is_left_empty_with_a_warning_and_asked_for(
    world: World, nz: Connector, keeper: Bookkeeper
):
    invoice, document = sent(world)
    account = next(one for one in world.xero.documents(NZ, "account") if one.get("Code") == BANK)
    row_id = world.account(BANK, nz)[1]
    world.patch(
        f"mag_xeroaccountcodes({row_id})", {"mag_code": "O90", "mag_xeroaccountid": "00000000-0000-4000-8000-000000000001"}
    )
    keeper.pay(document, 15, Account={"AccountID": account["AccountID"]})
    settle(world)
    sent(world)  # the next invoice brings the reference data that was asked for
    (row,) = payments_of(world, invoice)
    assert row["_mag_xeroaccountcodeid_value"] is None
    warnings = [one for one in world.histories(invoice) if one["mag_syncstatus"] == SyncStatus.WARNING.value]
    assert len(warnings) == 1
    assert "account" in warnings[0]["mag_details"]
    assert "Choose the account" in warnings[0]["mag_fix"]
    read_again = world.get(f"mag_xeroaccountcodes({row_id})")
    assert (read_again["mag_code"], read_again["mag_xeroaccountid"]) == (BANK, account["AccountID"])


def test_a_fault_between_the_payments_row_and_its_invoice_is_mended_by_the_next_try(world: World, keeper: Bookkeeper):
    invoice, document = sent(world)
    keeper.pay(document, 115)
    world.clock.move(minutes=1)
    world.dataverse.faults.add(Fault("503", "POST", r"\$batch", times=3))
    world.settle(minutes=10)
    assert len(payments_of(world, invoice)) == 1
    assert state(world.row(invoice)) == (PAID, COMPLETE)
    assert [name for name in unfinished(world) if name[0] in (PAYMENTS, STATUS)] == []


def test_the_link_of_a_payment_keeps_its_row(world: World, nz: Connector, keeper: Bookkeeper):
    invoice, document = sent(world)
    payment = keeper.pay(document, 15)
    settle(world)
    link = links.read(world.services, nz, PAYMENTS, f"Payment/{payment}")
    assert link is not None
    assert link.row == f"mag_payment/{payments_of(world, invoice)[0]['mag_paymentid']}"


RUBBISH: list[dict[str, Any]] = [
    {"Reference": None, "Account": None, "Date": None, "Amount": None, "Status": None},
    {"Reference": 7, "Account": "090", "Date": "/Date(oops)/", "Amount": "15", "Status": "SPENT"},
    {
        "Reference": "a\x00b",
        "Account": {"AccountID": None, "Code": None},
        "Date": "0000-00-00",
        "Amount": True,
        "Status": "AUTHORISED",
    },
    {"Reference": "x" * 999, "Account": {}, "Date": {}, "Amount": Decimal("-1.00"), "Status": []},
    {"Amount": Decimal(0), "Invoice": {"InvoiceID": None}},
    {},
]


@pytest.mark.parametrize("fields", RUBBISH, ids=range(len(RUBBISH)))
def test_rubbish_in_a_payment_is_read_as_nothing(fields: dict[str, Any]):
    found = payments.facts_of({"PaymentID": "00c0ffee-0000-4000-8000-000000000002", **fields})
    assert all(value is None or isinstance(value, str | Decimal) for value in found.values())
    columns = PAYMENT.apply(found, {}, {"invoice": "00c0ffee-0000-4000-8000-000000000001"}).payload
    assert columns["mag_name"]
    assert columns["mag_paymentstatus"] == APPLIED


def test_rubbish_in_a_payment_becomes_a_row_with_a_warning(world: World, keeper: Bookkeeper):
    invoice, document = sent(world)
    payment = keeper.pay(document, 15)
    world.xero.change(NZ, "payment", payment, Amount=0, Reference="", Status="RECONCILED")
    settle(world)
    rows = payments_of(world, invoice)
    assert [(row["mag_amount"], row["mag_reference"], row["mag_name"]) for row in rows] == [(0, None, "2026-11-20")]
    told = [one["mag_details"] for one in world.histories(invoice)]
    assert any("the amount 0" in text for text in told)
    assert any("the status RECONCILED" in text for text in told)
