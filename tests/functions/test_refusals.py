"""What cannot go says why, who must act, and goes by itself once it is fixed; bad input of every kind (SPEC 1, 4; issue list)."""

import json
from decimal import Decimal
from typing import Any

import pytest

from functions import invoices, poison
from mappings.table import Columns
from sandbox.xero.faults import Fault
from shared.connectors import Connector
from shared.outcomes import Status
from tests.functions.test_invoices_to_xero import track
from tests.world import FAILED, FLOW, NO, OPTION, WAITING, YES, World

WHO = {name: OPTION + n for n, name in enumerate(("nobody", "salesperson", "bookkeeper", "administrator", "support"))}
ABSENT = "11111111-2222-3333-4444-555555555555"


def refused(world: World, invoice: str) -> dict[str, Any]:
    """Let the app run, and return the Sync History row of the refusal."""
    world.settle()
    row, history = world.row(invoice), world.histories(invoice)[-1]
    assert row["mag_exportstatus"] == FAILED, history["mag_details"]
    assert row.get("mag_xeroid") is None
    assert history["mag_syncstatus"] == OPTION + 1
    assert history["mag_details"]
    assert history["mag_cause"] or history["mag_fix"]
    assert history["mag_whoacts"] is not None
    return history


def line_of(world: World, invoice: str) -> dict[str, Any]:
    found: dict[str, Any] = world.get(f"invoicedetails?$filter=_invoiceid_value%20eq%20{invoice}")["value"][0]
    return found


def test_an_archived_account_code_is_refused_without_a_call_and_the_invoice_goes_once_the_line_is_fixed(
    world: World, nz: Connector
):
    invoice = world.invoice(lines=0, flag=False)
    world.line(invoice, "Old", mag_xeroaccountcodeid=world.account("219", nz))
    world.flag(invoice)
    calls = world.xero_calls()
    history = refused(world, invoice)
    assert world.xero_calls() == calls
    assert "archived" in history["mag_details"]
    assert history["mag_whoacts"] in (WHO["bookkeeper"], WHO["salesperson"])
    world.patch(
        f"invoicedetails({line_of(world, invoice)['invoicedetailid']})",
        {"mag_xeroaccountcodeid@odata.bind": "/mag_xeroaccountcodes({})".format(world.account("200", nz)[1])},
    )
    world.settle(minutes=6)
    assert world.row(invoice)["mag_exportstatus"] == YES


def test_xeros_own_refusal_is_told_with_its_cause_and_the_fix(world: World, nz: Connector):
    invoice = world.invoice(lines=0, flag=False)
    world.line(invoice, "Wrong tax", mag_taxrateid=world.tax_rate("INPUT2", nz))
    world.flag(invoice)
    history = refused(world, invoice)
    assert "INPUT2" in history["mag_details"]
    assert "tax" in history["mag_cause"].lower()
    assert history["mag_fix"]


def test_a_refused_invoice_is_not_tried_again_while_nothing_changes(world: World, nz: Connector):
    invoice = world.invoice(lines=0, flag=False)
    world.line(invoice, "Wrong tax", mag_taxrateid=world.tax_rate("INPUT2", nz))
    world.flag(invoice)
    refused(world, invoice)
    tries = world.xero.calls("PUT", "/Invoices")
    outcomes = world.settle(minutes=30)
    assert world.xero.calls("PUT", "/Invoices") == tries
    assert outcomes == []
    assert len(world.histories(invoice)) == 1


def test_setting_export_status_back_to_no_tries_it_again_at_once(world: World, nz: Connector):
    invoice = world.invoice(lines=0, flag=False)
    world.line(invoice, "Wrong tax", mag_taxrateid=world.tax_rate("INPUT2", nz))
    world.flag(invoice)
    refused(world, invoice)
    tries = world.xero.calls("PUT", "/Invoices")
    world.retry(invoice)
    world.settle(minutes=5)
    assert world.xero.calls("PUT", "/Invoices") == tries + 1
    assert world.row(invoice)["mag_exportstatus"] == FAILED


def test_a_change_of_the_customer_releases_the_invoice(world: World, nz: Connector):
    account = world.post("accounts", {"name": "Ann <Ltd>"})
    invoice = world.invoice(customerid_account=("accounts", account))
    refused(world, invoice)
    world.patch(f"accounts({account})", {"name": f"Ann Ltd {world.clock.now():%H%M%S}"})
    world.settle(minutes=6)
    assert world.row(invoice)["mag_exportstatus"] == YES


def test_a_change_of_the_reference_data_releases_exactly_the_invoices_it_held(world: World, nz: Connector):
    rate = world.tax_rate("ZERORATED", nz)
    held = world.invoice(lines=0, flag=False)
    world.line(held, "Zero rated", mag_taxrateid=rate)
    world.patch(f"mag_taxrates({rate[1]})", {"mag_status": "ARCHIVED"})
    world.flag(held)
    other = world.invoice(lines=0, flag=False)
    world.line(other, "Wrong tax", mag_taxrateid=world.tax_rate("INPUT2", nz))
    world.flag(other)
    refused(world, held)
    tries = world.xero.calls("PUT", "/Invoices")
    world.patch(f"mag_taxrates({rate[1]})", {"mag_status": "ACTIVE"})
    world.settle(minutes=6)
    assert world.row(held)["mag_exportstatus"] == YES
    assert world.row(other)["mag_exportstatus"] == FAILED
    assert world.xero.calls("PUT", "/Invoices") == tries + 1


def test_a_code_archived_in_xero_since_is_learnt_at_once(own_world: World):
    world, connector = own_world, own_world.connect()
    world.settle()
    account = next(one for one in world.xero.documents(connector.organisation, "account") if one.get("Code") == "260")
    world.xero.change(connector.organisation, "account", account["AccountID"], Status="ARCHIVED")
    invoice = world.invoice(lines=0, flag=False)
    world.line(invoice, "Old", mag_xeroaccountcodeid=world.account("260", connector))
    world.flag(invoice)
    world.clock.move(minutes=6)
    refused(world, invoice)
    world.invoice()
    world.settle(minutes=20)
    row = world.get(f"mag_xeroaccountcodes({world.account('260', connector)[1]})")
    assert row["mag_status"] == "ARCHIVED"


def test_with_retry_when_fixed_switched_off_only_a_person_brings_it_back(world: World, nz: Connector):
    world.set(nz, mag_autoretryonfix=False)
    account = world.post("accounts", {"name": "Bob <Ltd>"})
    invoice = world.invoice(customerid_account=("accounts", account))
    refused(world, invoice)
    world.patch(f"accounts({account})", {"name": f"Bob Ltd {world.clock.now():%H%M%S}"})
    world.settle(minutes=6)
    assert world.row(invoice)["mag_exportstatus"] == FAILED
    world.retry(invoice)
    world.settle(minutes=6)
    assert world.row(invoice)["mag_exportstatus"] == YES


@pytest.mark.parametrize(
    ("columns", "line", "words"),
    [
        ({"duedate": None}, {}, "Due Date"),
        ({}, {"quantity": Decimal("99999999"), "priceperunit": Decimal("99999999.99")}, "more than"),
        ({}, {"priceperunit": Decimal("-5.00")}, "below zero"),
        ({}, {"manualdiscountamount": Decimal("500.00")}, "discount"),
    ],
)
def test_bad_values_are_refused_in_words_that_name_the_field(
    world: World, nz: Connector, columns: dict[str, Any], line: dict[str, Any], words: str
):
    invoice = world.invoice(lines=0, flag=False, **columns)
    world.line(invoice, "Work", **line)
    world.flag(invoice)
    assert words.lower() in refused(world, invoice)["mag_details"].lower()


def test_every_problem_of_an_invoice_is_told_at_once(world: World, nz: Connector):
    invoice = world.invoice(lines=0, flag=False, duedate=None)
    world.line(invoice, "Old", mag_xeroaccountcodeid=world.account("219", nz))
    world.line(invoice, "Cheap", priceperunit=Decimal("10.00"), manualdiscountamount=Decimal("50.00"))
    world.flag(invoice)
    details = refused(world, invoice)["mag_details"]
    assert "Due Date" in details
    assert "archived" in details
    assert "discount" in details.lower()
    assert len(details.splitlines()) == 3


def test_two_tracking_options_of_one_category_are_refused(world: World, nz: Connector):
    invoice = world.invoice(flag=False)
    track(world, nz, invoice, "North", "South")
    world.flag(invoice)
    assert "two tracking options of Region" in refused(world, invoice)["mag_details"]


def test_a_currency_the_organisation_does_not_have_is_refused_and_explained(world: World, nz: Connector):
    invoice = world.invoice("petrie", currency="GBP")
    history = refused(world, invoice)
    assert "not subscribed to currency GBP" in history["mag_details"]
    assert history["mag_cause"]
    assert history["mag_fix"]


def test_a_taken_number_is_refused_and_never_adopted(world: World, nz: Connector):
    invoice = world.invoice(flag=False)
    number = world.row(invoice)["invoicenumber"]
    world.xero_invoice(InvoiceNumber=number)
    world.flag(invoice)
    history = refused(world, invoice)
    assert f"{number} already belongs to another invoice in Xero" in history["mag_details"]
    assert history["mag_whoacts"] == WHO["bookkeeper"]


def test_a_document_of_ours_that_was_voided_before_its_link_was_known_is_left_to_a_human(own_world: World):
    world, connector = own_world, own_world.connect()
    invoice = world.invoice()
    real_call = world.services.xero.call

    def cut_dataverse_off_after_the_create(*arguments: Any, **options: Any) -> Any:
        answer = real_call(*arguments, **options)
        if arguments[1] == "create_invoices":
            world.dataverse.faults.add(Fault("drop_before", "POST", r"\$batch", times=2))
        return answer

    world.services.xero.call = cut_dataverse_off_after_the_create  # type: ignore[method-assign]
    world.settle()
    document = world.document_of(invoice)
    world.xero.change(connector.organisation, "invoice", document["InvoiceID"], Status="VOIDED")
    world.settle(minutes=30)
    history = world.histories(invoice)[-1]
    assert "was voided in Xero" in history["mag_details"]
    assert world.row(invoice)["mag_exportstatus"] == FAILED
    assert len(world.documents()) == 1


def test_a_column_the_environment_does_not_have_is_told_once_and_tried_without_hurry(
    own_world: World, monkeypatch: pytest.MonkeyPatch
):
    world, connector = own_world, own_world.connect()
    invoice = world.invoice()
    with monkeypatch.context() as patch:
        patch.setattr(invoices, "COLUMNS", invoices.COLUMNS | Columns(select=frozenset({"new_nowhere"})))
        outcomes = world.settle(minutes=60)
    (told,) = world.histories(invoice)
    assert "new_nowhere" in told["mag_details"]
    assert told["mag_whoacts"] == WHO["administrator"]
    assert {outcome.status for outcome in outcomes} == {Status.MISCONFIGURED}
    assert len(outcomes) < 10
    world.settle(minutes=70)
    assert world.row(invoice)["mag_exportstatus"] == YES
    assert world.connector(connector).state == "connected"


# ── messages ──


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "[]",
        '{"connector":"x","flow":"invoices-to-xero","record":"invoice/1"}',
        json.dumps({"connector": "c", "flow": "no-such-flow", "record": f"invoice/{ABSENT}"}),
        json.dumps({"connector": "elsewhere|1", "flow": FLOW, "record": f"invoice/{ABSENT}"}),
        json.dumps({"connector": "c", "flow": FLOW, "record": "invoice/'; drop"}),
        json.dumps({"connector": "c", "flow": FLOW, "record": f"account/{ABSENT}"}),
    ],
)
def test_a_message_nobody_can_read_becomes_an_outcome_and_disturbs_nothing(world: World, nz: Connector, text: str):
    good = world.invoice()
    world.queues.send(FLOW, text)
    outcomes = world.settle()
    assert sorted(outcome.status for outcome in outcomes) == [Status.FAILED, Status.SYNCED]
    assert world.row(good)["mag_exportstatus"] == YES
    day = f"unknown|{world.clock.now():%Y-%m-%d}"
    assert world.store.rows("outcomes", day)


def test_an_invoice_deleted_meanwhile_is_no_failure(world: World, nz: Connector):
    calls = world.xero_calls()
    outcome = world.deliver(json.dumps({"connector": nz.key, "flow": FLOW, "record": f"invoice/{ABSENT}"}))
    assert outcome.status is Status.UNCHANGED
    assert world.xero_calls() == calls
    assert world.store.read("claims", f"{nz.key}|{FLOW}", f"invoice|{ABSENT}") is None


def test_a_flag_taken_back_meanwhile_is_no_failure(world: World, nz: Connector):
    invoice = world.invoice(flag=False)
    outcome = world.deliver(json.dumps({"connector": nz.key, "flow": FLOW, "record": f"invoice/{invoice}"}))
    assert (outcome.status, outcome.details) == (Status.UNCHANGED, "Add to Xero is not Yes.")


def test_what_the_host_gave_up_on_is_told_parked_and_brought_back_by_a_change(world: World, nz: Connector):
    invoice = world.invoice(flag=False)
    world.patch(f"invoices({invoice})", {"mag_addtoxero": True})
    text = json.dumps({"connector": nz.key, "flow": FLOW, "record": f"invoice/{invoice}"})
    world.queues.send(f"{FLOW}-poison", text)
    assert poison.drain(world.services, world.clock.now()) == 1
    history = world.histories(invoice)[-1]
    assert world.row(invoice)["mag_exportstatus"] == FAILED
    assert history["mag_whoacts"] == WHO["administrator"]
    assert world.settle() == []
    world.patch(f"invoices({invoice})", {"mag_reference": "Changed"})
    world.settle(minutes=6)
    assert world.row(invoice)["mag_exportstatus"] == YES


def test_rubbish_on_a_poison_queue_is_drained_too(world: World, nz: Connector):
    world.queues.send(f"{FLOW}-poison", "{")
    world.queues.send("sweeps-poison", "{")
    assert poison.drain(world.services, world.clock.now()) == 2
    assert poison.drain(world.services, world.clock.now()) == 0


# ── the wires, the limits, the consent ──


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "500", "500_applied", "503", "html502", "429"])
def test_whatever_happens_to_the_create_one_invoice_stands_in_xero(world: World, nz: Connector, kind: str):
    world.xero.faults.add(Fault(kind, "PUT", "/Invoices", seconds=30))
    invoice = world.invoice()
    world.settle()
    assert world.row(invoice)["mag_exportstatus"] in (WAITING, NO)
    world.settle(minutes=12)
    assert world.row(invoice)["mag_exportstatus"] == YES
    assert world.row(invoice)["mag_xeroid"] == world.document_of(invoice)["InvoiceID"]


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "503"])
@pytest.mark.parametrize("trip", [0, 1])
def test_whatever_happens_to_dataverse_one_invoice_stands_in_xero(world: World, nz: Connector, kind: str, trip: int):
    world.settle()
    world.clock.move(minutes=6)
    invoice = world.invoice()
    world.dataverse.faults.add(Fault(kind, "POST", r"\$batch", skip=trip + 2))
    world.settle(minutes=20)
    assert world.row(invoice)["mag_exportstatus"] == YES
    assert world.row(invoice)["mag_xeroid"] == world.document_of(invoice)["InvoiceID"]
    assert [one["mag_syncstatus"] for one in world.histories(invoice)].count(OPTION) == 1


def test_an_outage_of_hours_waits_without_end_and_says_so_once(world: World, nz: Connector):
    world.xero.faults.add(Fault("503", "PUT", "/Invoices", times=1_000))
    tries = world.xero.calls("PUT", "/Invoices")
    invoice = world.invoice()
    world.settle(minutes=240)
    assert world.row(invoice)["mag_exportstatus"] == WAITING
    waits = world.histories(invoice)
    assert len(waits) == 1
    assert waits[0]["mag_whoacts"] == WHO["nobody"]
    assert world.xero.calls("PUT", "/Invoices") - tries < 15
    world.xero.faults.clear()
    world.settle(minutes=70)
    assert world.row(invoice)["mag_exportstatus"] == YES


def test_one_bad_invoice_does_not_hold_back_the_others(world: World, nz: Connector):
    bad = world.invoice(duedate=None)
    good = [world.invoice() for _ in range(3)]
    world.settle()
    assert world.row(bad)["mag_exportstatus"] == FAILED
    assert all(world.row(one)["mag_exportstatus"] == YES for one in good)


def test_a_disconnected_organisation_stops_its_connector_and_nothing_is_lost(own_world: World):
    world, connector = own_world, own_world.connect()
    invoice = world.invoice()
    world.xero.disconnect(connector.organisation)
    world.settle(minutes=10)
    row = world.get(f"mag_xeroconnectors({connector.id})")
    assert world.connector(connector).state == "disconnected"
    assert row["mag_xerostatus"] == OPTION + 1
    assert "disconnected" in row["mag_xerostatusdetail"].lower()
    assert world.row(invoice)["mag_exportstatus"] == WAITING
    assert world.histories(invoice)[-1]["mag_whoacts"] == WHO["administrator"]
    calls = world.xero_calls()
    world.settle(minutes=30)
    assert world.xero_calls() == calls
    world.connect()
    world.settle(minutes=6)
    assert world.row(invoice)["mag_exportstatus"] == YES


def test_a_copied_environment_sends_nothing(own_world: World):
    world, connector = own_world, own_world.connect()
    stored = world.store.read("connectors", connector.environment, connector.id)
    assert stored is not None
    world.store.upsert("connectors", connector.environment, connector.id, {**stored.values, "environment_id": ABSENT})
    invoice = world.invoice()
    calls = world.xero_calls()
    world.settle(minutes=10)
    assert world.xero_calls() == calls
    assert world.row(invoice).get("mag_xeroid") is None
    assert world.connector(connector).state == "wrong_books"


def test_another_organisations_id_on_the_connectors_row_sends_nothing(own_world: World):
    world, connector = own_world, own_world.connect()
    world.patch(f"mag_xeroconnectors({connector.id})", {"mag_xerotenantid": ABSENT})
    invoice = world.invoice()
    calls = world.xero_calls()
    world.settle(minutes=10)
    assert world.xero_calls() == calls
    assert world.row(invoice).get("mag_xeroid") is None
    assert world.connector(connector).state == "wrong_books"


def test_a_connector_that_is_not_enabled_rests(world: World, nz: Connector):
    world.set(nz, mag_enabled=False)
    invoice = world.invoice()
    assert world.settle(minutes=10) == []
    world.set(nz, mag_enabled=True)
    world.settle(minutes=6)
    assert world.row(invoice)["mag_exportstatus"] == YES
