"""Invoices from Xero, through the real triggers (functions/invoices_from_xero.py): facts A214-A270, K20, K40."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from functions import claim as claims
from functions import from_xero, invoices_from_xero, links, reference_data, xero_lists
from functions.flows import BY_NAME, days, minutes
from functions.invoices import page_of
from functions.invoices_from_xero import concerns, is_ours, row_of
from functions.sweep import sweep
from functions.tick import tick
from mappings.choices import PaymentStatus, SyncStatus
from mappings.convert import day_of
from sandbox.xero.faults import Fault
from shared import exact_json
from shared.connectors import Connector, Json
from shared.errors import Uncertain
from shared.outcomes import Status
from shared.services import Answer, Lane, Operation
from tests.functions.bookkeeping import ACTIVE, BANK, COMPLETE, PAID, Bookkeeper, amounts, opened, payments_of, state
from tests.functions.conftest import left_as_it_was
from tests.sandbox.xero.callers import line as line_of
from tests.world import ID, NZ, OPTION, YES, World, bound

FLOW = "invoices-from-xero"
FAILED, WARNING = SyncStatus.FAILED.value, SyncStatus.WARNING.value
NZD = ("pricelevels", ID["NZD prices"])


@pytest.fixture(scope="module")
def module_world(authorities: Path) -> Iterator[World]:
    with opened(authorities, FLOW) as world:
        world.set(world.connectors()[0], mag_defaultpricelistid=NZD)
        world._changed.clear()
        yield world


@pytest.fixture
def world(module_world: World) -> Iterator[World]:
    yield from left_as_it_was(module_world, minutes=2)


def contact_of(world: World, name: str = "Ridgeway University") -> str:
    return next(str(one["ContactID"]) for one in world.xero.documents(NZ, "contact") if one["Name"] == name)


def raised(world: World, keeper: Bookkeeper, *lines: Json, contact: str = "", **fields: Any) -> Json:
    """Raise an approved sales invoice in Xero and return it; *fields* replace those of a small one."""
    body = {
        "Type": "ACCREC",
        "Status": "AUTHORISED",
        "Contact": {"ContactID": contact or contact_of(world)},
        "Date": "2026-11-20",
        "DueDate": "2026-12-20",
        "LineAmountTypes": "Exclusive",
        "LineItems": list(lines) or [line_of()],
        **fields,
    }
    keeper.caller = world.bookkeeper()  # a token lasts half an hour
    found: Json = keeper.done("PUT", "Invoices?unitdp=4", {"Invoices": [body]})["Invoices"][0]
    return found


def come(world: World, document: Json, minutes: int = 1) -> Json:
    """Let the app run and return the row the document became."""
    world.settle(minutes=minutes)
    return world.row(id_in(world, document))


def id_in(world: World, document: Json) -> str:
    return row_of(world.connectors()[0], document["InvoiceID"])


def is_here(world: World, document: Json) -> bool:
    return bool(world.dataverse.exists("invoice", id_in(world, document)))


def lines_of(world: World, row: Json) -> list[Json]:
    where = f"_invoiceid_value%20eq%20{row['invoiceid']}"
    expand = "mag_invoicedetail_trackingoption($select=mag_name)"
    lines: list[Json] = world.get(f"invoicedetails?$filter={where}&$orderby=lineitemnumber%20asc&$expand={expand}")["value"]
    return lines


def told(world: World, status: int, about: str = "") -> list[Json]:
    """Return the Sync History rows of a status, newest first; *about* is a text they hold."""
    rows = world.get(f"mag_synchistories?$filter=mag_syncstatus%20eq%20{status}&$orderby=createdon%20desc")["value"]
    return [row for row in rows if about in row["mag_details"]]


# ── the whole of it ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_approved_invoice_comes_with_its_lines_customer_tracking_and_payment(world: World, keeper: Bookkeeper, nz: Connector):
    """A214-A240, A263-A270: one invoice with everything."""
    theme = next(iter(world.get("mag_brandingthemes")["value"]))
    document = raised(
        world,
        keeper,
        {"Description": "Two copies\nsigned", "ItemCode": "book", "Quantity": 2, "UnitAmount": 19.95, "AccountCode": "200",
         "TaxType": "OUTPUT2", "Tracking": [{"Name": "Region", "Option": "North"}]},
        {"Description": "Work", "Quantity": 1.5, "UnitAmount": 120.125, "AccountCode": "260", "DiscountRate": 10},
        {"Description": "Less", "Quantity": 1, "UnitAmount": 50, "DiscountAmount": 5, "AccountCode": "200", "TaxType": "NONE"},
        {"Description": "Thank you"},
        InvoiceNumber="FULL-1",
        Reference="PO 4711",
        BrandingThemeID=theme["mag_xerobrandingthemeid"],
    )  # fmt: skip
    keeper.pay(document, "20.00", Reference="part")
    row = come(world, document)
    assert (row["invoicenumber"], row["name"], row["mag_xeroinvoicenumber"]) == ("FULL-1", "FULL-1", "FULL-1")
    assert row["duedate"] == "2026-12-20"
    assert day_of(row["datedelivered"], nz.zone).isoformat() == "2026-11-20"
    assert row["_customerid_value"] == ID["ridgeway"]
    assert row["_mag_brandingthemeid_value"] == theme["mag_brandingthemeid"]
    assert row["mag_reference"] == "PO 4711"
    assert row["_transactioncurrencyid_value"] == ID["NZD"]
    assert row["_pricelevelid_value"] == ID["NZD prices"]
    assert row["mag_xeroid"] == document["InvoiceID"]
    assert (row["mag_synchedwithxero"], row["mag_addtoxero"], row["mag_exportstatus"]) == (True, False, YES)
    assert row["_mag_xeroconnectorid_value"] == nz.id
    assert row["mag_xeroinvoiceurl"].endswith(document["InvoiceID"])
    assert (row["mag_invoicetype"], row["mag_lineamounttypes"], row["mag_xeroinvoicestatus"]) == (OPTION, OPTION, "AUTHORISED")
    assert state(row)[0] == ACTIVE
    total, tax = money(document["Total"]), money(document["TotalTax"])
    assert (row["totalamount"], row["totaltax"], row["mag_xerotax"]) == (total, tax, tax)
    assert amounts(row) == (total - 20, Decimal(20), Decimal(0))
    book, work, less, note, *rest = lines_of(world, row)
    assert rest == []
    assert (book["_productid_value"], book["_uomid_value"], book["isproductoverridden"]) == (ID["book"], ID["each"], False)
    assert (book["description"], book["quantity"], book["priceperunit"]) == ("Two copies\nsigned", 2, Decimal("19.95"))
    assert book["_mag_xeroaccountcodeid_value"] == world.account("200", nz)[1]
    assert book["_mag_taxrateid_value"] == world.tax_rate("OUTPUT2", nz)[1]
    assert [option["mag_name"] for option in book["mag_invoicedetail_trackingoption"]] == ["North"]
    assert (work["isproductoverridden"], work["productdescription"], work["quantity"]) == (True, "Work", Decimal("1.5"))
    assert work["manualdiscountamount"] > 0
    assert work["_mag_xeroaccountcodeid_value"] == world.account("260", nz)[1]
    assert (less["manualdiscountamount"], less["tax"], less["extendedamount"]) == (5, 0, 45)
    assert (note["productdescription"], note["quantity"], note["priceperunit"]) == ("Thank you", 0, 0)
    (payment,) = payments_of(world, row["invoiceid"])
    assert (payment["mag_amount"], payment["mag_paymentdate"], payment["mag_reference"]) == (20, "2026-11-20", "part")
    assert payment["mag_paymentstatus"] == PaymentStatus.APPLIED.value
    assert payment["_mag_xeroaccountcodeid_value"] == world.account(BANK, nz)[1]
    (created,) = [one for one in world.histories(row["invoiceid"]) if "has been created from Xero" in one["mag_details"]]
    assert row["_ownerid_value"] == world.get(f"accounts({ID['ridgeway']})")["_ownerid_value"] == created["_ownerid_value"]


def money(value: Any) -> Decimal:
    return Decimal(str(value)).quantize(Decimal("0.01"))


def test_a_paid_invoice_comes_paid_with_every_payment_and_is_closed_last(world: World, keeper: Bookkeeper):
    document = raised(world, keeper, line_of(Tracking=[{"Name": "Region", "Option": "South"}]))
    parts = [Decimal("10.00"), money(document["Total"]) - 10]
    for part in parts:
        keeper.pay(document, str(part))
    row = come(world, document)
    assert state(row) == (PAID, COMPLETE)
    assert sorted(payment["mag_amount"] for payment in payments_of(world, row["invoiceid"])) == parts
    (line,) = lines_of(world, row)
    assert [option["mag_name"] for option in line["mag_invoicedetail_trackingoption"]] == ["South"]
    assert row["mag_xeroinvoicestatus"] == "PAID"


def test_a_payment_that_cannot_be_written_holds_back_neither_the_others_nor_the_state_and_is_told(
    world: World, keeper: Bookkeeper
):
    document = raised(world, keeper, InvoiceNumber="ODD-PAYMENT")
    odd, good = keeper.pay(document, "10.00"), keeper.pay(document, str(money(document["Total"]) - 10))
    world.xero.change(NZ, "payment", odd, Amount=Decimal("10.0001"))
    row = come(world, document)
    assert state(row) == (PAID, COMPLETE)
    assert [payment["mag_xeropaymentid"] for payment in payments_of(world, row["invoiceid"])] == [good]
    (refused,) = [one for one in world.histories(row["invoiceid"]) if one["mag_syncstatus"] == FAILED]
    assert "10.0001" in refused["mag_details"]
    world.xero.change(NZ, "payment", odd, Amount=Decimal("10.00"))
    world.set(world.connectors()[0], mag_overlapminutes=31)
    world.settle(minutes=2)
    assert len(payments_of(world, row["invoiceid"])) == 2


def test_payments_have_no_rows_where_the_connector_wants_none(world: World, keeper: Bookkeeper, nz: Connector):
    world.set(nz, mag_createpaymentrows=False)
    document = raised(world, keeper)
    keeper.pay(document, document["Total"])
    row = come(world, document)
    assert state(row) == (PAID, COMPLETE)
    assert payments_of(world, row["invoiceid"]) == []


# ── which ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_flow_is_off_looks_every_quarter_of_an_hour_and_back_a_week():
    flow = BY_NAME[FLOW]
    assert (flow.enabled, flow.every, flow.look_back) == (False, minutes(15), days(7))
    assert flow.source is invoices_from_xero.SOURCE


@pytest.mark.parametrize(
    "fields",
    [{"Status": "DRAFT"}, {"Status": "SUBMITTED"}, {"Type": "ACCPAY", "LineItems": [line_of(AccountCode="400")]}],
    ids=["draft", "submitted", "bill"],
)
def test_what_is_not_an_approved_sales_invoice_stays_in_xero(world: World, keeper: Bookkeeper, fields: dict[str, Any]):
    document = raised(world, keeper, **fields)
    world.settle(minutes=1)
    assert not is_here(world, document)


def test_a_draft_comes_once_it_is_approved_and_a_voided_one_never(world: World, keeper: Bookkeeper):
    draft, voided = raised(world, keeper, Status="DRAFT"), raised(world, keeper)
    keeper.set_status(voided, "VOIDED")
    world.settle(minutes=1)
    assert not is_here(world, draft)
    keeper.set_status(draft, "AUTHORISED")
    assert come(world, draft)["mag_xeroinvoicestatus"] == "AUTHORISED"
    assert not is_here(world, voided)


@pytest.mark.parametrize("status", ["PAID", "AUTHORISED", "VOIDED", "DELETED", "INVENTED", None, 7])
def test_only_authorised_and_paid_concern_the_flow(nz: Connector, status: Any):
    document = {"InvoiceID": "x", "Type": "ACCREC", "Status": status}
    assert concerns(nz, document) is (status in ("PAID", "AUTHORISED"))
    assert not concerns(nz, document | {"Type": None})


def test_the_first_read_reaches_back_a_week_and_no_further(authorities: Path):
    with opened(authorities) as world:
        keeper = Bookkeeper(world)
        world.set(world.connectors()[0], mag_defaultpricelistid=NZD)
        old = raised(world, keeper)
        world.clock.move(days=6)
        young = raised(world, keeper)
        world.clock.move(days=2)
        world.enable(world.connectors()[0], FLOW, every=1)
        world.settle(minutes=1)
        assert not is_here(world, old)
        assert is_here(world, young)


@pytest.mark.parametrize("whose", ["ours", "nobody's", "another's"])
def test_an_invoice_a_row_is_linked_to_already_is_not_made(world: World, keeper: Bookkeeper, nz: Connector, whose: str):
    """A218: the Xero Id alone tells; the vendor's connector before ours, or one that was removed, may have written it."""
    document = raised(world, keeper)
    row = world.invoice(flag=False)
    connector = {"ours": nz.id, "another's": world.post("mag_xeroconnectors", {"mag_name": "The one before"})}.get(whose)
    named = {"mag_xeroconnectorid@odata.bind": f"/mag_xeroconnectors({connector})"} if connector else {}
    world.patch(f"invoices({row})", {"mag_xeroid": document["InvoiceID"].upper(), **named})
    world.settle(minutes=1)
    assert not is_here(world, document)


# ── no echo ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_invoice_we_sent_never_comes_back_not_even_when_its_link_was_lost(world: World, keeper: Bookkeeper):
    sent = world.invoice()
    world.settle(minutes=1)
    document = world.document_of(sent)
    before = len(world.dataverse.rows("invoice"))
    # the link is lost, and the row flagged no more: nothing of Dynamics 365 names the document
    world.patch(f"invoices({sent})", {"mag_xeroid": None, "mag_synchedwithxero": False, "mag_addtoxero": False})
    world.xero.change(NZ, "invoice", document["InvoiceID"], Reference="touched")
    world.settle(minutes=2)
    assert len(world.dataverse.rows("invoice")) == before
    world.delete(f"invoices({sent})")
    world.xero.change(NZ, "invoice", document["InvoiceID"], Reference="touched again")
    world.settle(minutes=2)
    assert len(world.dataverse.rows("invoice")) == before - 1, "a row a person deleted is not made again"


@pytest.mark.parametrize("host", ["contoso.crm6.dynamics.com", "xerox-books.crm.dynamics.com", "localhost:4711"])
def test_our_mark_is_known_however_it_is_escaped(nz: Connector, host: str):
    connector = replace(nz, environment=host)
    mark = page_of(connector, ID["ridgeway"])
    assert "xero" not in mark
    assert is_ours(connector, mark)
    assert is_ours(connector, f" {mark.upper()} ")
    assert not is_ours(replace(nz, environment=f"other.{host}"), mark)
    assert not is_ours(connector, mark.replace("etn=invoice", "etn=quote"))


@pytest.mark.parametrize(
    "url", [None, "", 7, [], "https://[", "http://shop.example/main.aspx?etn=invoice", "%", "https:///main.aspx?"]
)
def test_any_other_address_is_not_ours(nz: Connector, url: Any):
    assert not is_ours(nz, url)


def test_an_invoice_from_xero_is_never_sent_back(world: World, keeper: Bookkeeper, nz: Connector):
    document = raised(world, keeper)
    row = come(world, document)
    world.patch(f"invoices({row['invoiceid']})", {"description": "somebody writes"})
    world.set(nz, mag_allowresend=True, mag_triggermode=OPTION + 2)
    outcomes = world.settle(minutes=6)
    assert f"invoice/{row['invoiceid']}" not in [one.message.record for one in outcomes]
    assert len([one for one in world.xero.documents(NZ, "invoice") if one["InvoiceID"] == document["InvoiceID"]]) == 1


# ── twice, and half-way ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_message_delivered_twice_makes_one_invoice(world: World, keeper: Bookkeeper):
    document = raised(world, keeper)
    row = come(world, document)
    text = next(text for queue, text, _ in reversed(world.queues.sent) if queue == FLOW)
    told_before = len(world.histories(row["invoiceid"]))
    assert world.deliver(text).status is Status.UNCHANGED
    assert len(world.histories(row["invoiceid"])) == told_before
    assert len(lines_of(world, row)) == 1


def test_a_row_that_was_deleted_is_not_made_again(world: World, keeper: Bookkeeper):
    document = raised(world, keeper)
    row = come(world, document)
    world.delete(f"invoices({row['invoiceid']})")
    world.xero.change(NZ, "invoice", document["InvoiceID"], Reference="touched")
    world.settle(minutes=2)
    assert not is_here(world, document)


def test_what_the_link_forgot_is_found_and_finished_not_made_twice(world: World, keeper: Bookkeeper, nz: Connector):
    document = raised(world, keeper, line_of(Tracking=[{"Name": "Region", "Option": "North"}]))
    row = come(world, document)
    kept = links.read(world.services, nz, FLOW, f"Invoice/{document['InvoiceID']}")
    assert kept is not None
    assert kept.row == f"invoice/{row['invoiceid']}"
    world.store.delete("links", f"{nz.key}|{FLOW}", f"Invoice|{document['InvoiceID']}")
    keeper.pay(document, "5.00")
    again = come(world, document, 2)
    assert len(lines_of(world, again)) == 1
    assert len(payments_of(world, row["invoiceid"])) == 1
    assert again["mag_amountpaid"] == 5


def test_a_payment_made_while_the_invoice_is_read_is_not_told_as_taken_back(
    world: World, keeper: Bookkeeper, monkeypatch: pytest.MonkeyPatch
):
    document = raised(world, keeper)
    first = keeper.pay(document, "5.00")
    read = invoices_from_xero._payments_of

    def after_another(reading: Any, ids: Sequence[str]) -> Iterator[Json]:
        keeper.pay(document, "6.00")
        return read(reading, ids)

    monkeypatch.setattr(invoices_from_xero, "_payments_of", after_another)
    row = come(world, document)
    found = payments_of(world, row["invoiceid"])
    assert [(one["mag_xeropaymentid"], one["mag_paymentstatus"]) for one in found] == [(first, PaymentStatus.APPLIED.value)]
    assert not [one for one in world.histories(row["invoiceid"]) if "taken back" in one["mag_details"]]


class FailingDataverse:
    """Dataverse, but the *nth* round trip ends without an answer: before it arrives, or after it was done."""

    def __init__(self, dataverse: Any, nth: int, *, was_done: bool) -> None:
        self._dataverse, self._nth, self._was_done = dataverse, nth, was_done
        self.calls = 0

    def send(self, environment: str, operations: Sequence[Operation]) -> list[Answer]:
        self.calls += 1
        if self.calls == self._nth and not self._was_done:
            raise Uncertain("no answer")
        answers: list[Answer] = self._dataverse.send(environment, operations)
        if self.calls == self._nth:
            raise Uncertain("no answer")
        return answers


@pytest.mark.parametrize("was_done", [False, True], ids=["before", "after"])
def test_a_try_that_dies_at_any_round_trip_is_finished_by_the_next(world: World, keeper: Bookkeeper, was_done: bool):
    """Every n-th call to Dataverse fails once, before or after it took effect: one invoice, whole, Paid, and no more."""
    for nth in range(1, 40):
        contact = world.xero_contact(Name=f"Half-way {was_done} {nth}")
        tracked = line_of(Tracking=[{"Name": "Region", "Option": "North"}])
        document = raised(world, keeper, tracked, line_of(ItemCode="BOOK"), contact=contact)
        keeper.pay(document, document["Total"])
        failing = FailingDataverse(world.services.dataverse, nth, was_done=was_done)
        world.clock.move(minutes=1)
        healthy = world.services
        sweep_only(world)
        world.services = replace(healthy, dataverse=failing)
        while world.step():
            pass
        world.services = healthy
        for _ in range(3):
            world.clock.move(minutes=2)
            while world.step():
                pass
        row = world.row(id_in(world, document))
        assert state(row) == (PAID, COMPLETE), nth
        first, second = lines_of(world, row)
        assert [option["mag_name"] for option in first["mag_invoicedetail_trackingoption"]] == ["North"]
        assert second["_productid_value"] == ID["book"]
        assert len(payments_of(world, row["invoiceid"])) == 1
        created = [one for one in world.histories(row["invoiceid"]) if "has been created" in one["mag_details"]]
        assert len(created) == 1
        assert len([one for one in world.dataverse.rows("account") if one["name"] == f"Half-way {was_done} {nth}"]) == 1
        if failing.calls < nth:
            return
    raise AssertionError("there is no end to its round trips")


def test_whoever_closes_the_row_of_a_try_that_died_the_lines_have_their_tracking(world: World, keeper: Bookkeeper):
    """The flow that follows the status may close the row before the next try, and a closed row takes no links."""

    class DyingDataverse:
        def send(self, environment: str, operations: Sequence[Operation]) -> list[Answer]:
            done: list[Answer] = healthy.dataverse.send(environment, operations)
            if any(one.change_set == "made" for one in operations):
                raise Uncertain("no answer")
            return done

    document = raised(world, keeper, line_of(Tracking=[{"Name": "Region", "Option": "North"}]))
    sweep_only(world)
    healthy = world.services
    world.services = replace(healthy, dataverse=DyingDataverse())
    world.step()
    world.services = healthy
    row = id_in(world, document)
    world.patch(f"invoices({row})", {"statecode": PAID, "statuscode": COMPLETE})
    world.settle(minutes=8)
    (line,) = lines_of(world, world.row(row))
    assert [option["mag_name"] for option in line["mag_invoicedetail_trackingoption"]] == ["North"]


def sweep_only(world: World) -> None:
    """Run the tick and the sweeps, and leave their messages in the queues."""
    tick(world.services, world.clock.now())
    while (message := world.queues.take("sweeps")) is not None:
        sweep(message.text, world.services, world.clock.now())
        world.queues.done("sweeps", message)


def test_an_invoice_that_is_voided_between_list_and_read_makes_nothing(world: World, keeper: Bookkeeper):
    document = raised(world, keeper)
    sweep_only(world)
    message = world.queues.take(FLOW)
    assert message is not None
    world.queues.done(FLOW, message)
    keeper.set_status(document, "VOIDED")
    unsealed = {name: value for name, value in json.loads(message.text).items() if name != "sealed"}
    outcome = world.deliver(json.dumps(unsealed))
    assert outcome.status is Status.UNCHANGED
    assert "concerns nothing" in outcome.details
    assert not is_here(world, document)


def test_an_invoice_of_two_hundred_lines_is_too_large_to_ride_along_and_comes_whole(world: World, keeper: Bookkeeper):
    document = raised(world, keeper, *(line_of(Description=f"{number} " + "x" * 150) for number in range(1, 201)))
    row = come(world, document)
    text = next(text for queue, text, _ in reversed(world.queues.sent) if queue == FLOW)
    assert "sealed" not in json.loads(text)
    lines = lines_of(world, row)
    assert [line["productdescription"].partition(" ")[0] for line in lines] == [str(number) for number in range(1, 201)]
    assert row["totalamount"] == money(document["Total"])


def test_an_invoice_of_more_lines_than_go_at_once_is_refused_with_a_way_out(world: World, keeper: Bookkeeper):
    document = raised(world, keeper, *[line_of()] * 901, InvoiceNumber="TOO-LONG")
    world.settle(minutes=1)
    assert not is_here(world, document)
    (refused,) = told(world, FAILED, "TOO-LONG")
    assert "901 lines" in refused["mag_details"]
    assert "by hand" in refused["mag_fix"]


def test_a_row_that_stands_in_the_way_is_told_and_not_tried_for_ever(world: World, keeper: Bookkeeper, nz: Connector):
    document = raised(world, keeper, InvoiceNumber="IN-THE-WAY")
    line_id = invoices_from_xero._line_id(nz, id_in(world, document), document["LineItems"][0]["LineItemID"])
    other = world.invoice(flag=False, lines=0)
    world.line(other, "Entered by hand", invoicedetailid=line_id)
    world.settle(minutes=1)
    assert not is_here(world, document)
    (refused,) = told(world, FAILED, "IN-THE-WAY")
    assert "must not be there twice" in refused["mag_details"]
    world.delete(f"invoices({other})")
    world.set(nz, mag_overlapminutes=31)
    assert come(world, document)["mag_xeroinvoicenumber"] == "IN-THE-WAY"


def test_an_invoice_with_something_to_say_of_every_line_still_goes_at_once(world: World, keeper: Bookkeeper):
    item(world, "UNHEARD-OF")
    lines = [line_of(Description="x" * 2001, ItemCode="UNHEARD-OF") for _ in range(300)]
    row = come(world, raised(world, keeper, *lines))
    assert len(lines_of(world, row)) == 300
    warnings = [one for one in world.histories(row["invoiceid"]) if one["mag_syncstatus"] == WARNING]
    assert 2 <= len(warnings) <= 60
    assert any("more warnings" in one["mag_details"] for one in warnings)


def test_forty_invoices_cost_the_page_and_one_call_for_their_contacts_and_payments(world: World, keeper: Bookkeeper):
    world.settle(minutes=1)
    documents = [raised(world, keeper, contact=world.xero_contact(Name=f"Newcomer {number}")) for number in range(5)]
    documents += [raised(world, keeper) for _ in range(5)]
    for document in documents:
        keeper.pay(document, "1.00")
    world.clock.move(minutes=2)
    before = world.xero_calls()
    sweep_only(world)
    while world.step():
        pass
    assert world.xero_calls() - before <= 3
    assert all(is_here(world, document) for document in documents)


def test_more_new_customers_and_payments_than_a_minute_has_calls_for_come_bit_by_bit(
    world: World, keeper: Bookkeeper, monkeypatch: pytest.MonkeyPatch
):
    """What a page of a back-fill needs may be more calls than a minute allows: what they told must not be read anew for ever."""
    monkeypatch.setattr(xero_lists, "AT_ONCE", 1)
    documents = []
    for number in range(30):
        documents.append(raised(world, keeper, contact=world.xero_contact(Name=f"Back-fill {number}")))
        keeper.pay(documents[-1], "1.00")
        world.clock.move(minutes=1 if number % 10 == 9 else 0)
    world.settle(minutes=5)
    assert [is_here(world, document) for document in documents] == [True] * 30


# ── customer (K40) ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_unknown_contact_becomes_an_account_and_a_known_one_is_left_as_it_is(world: World, keeper: Bookkeeper):
    address = {"AddressType": "STREET", "AddressLine1": "1 New Road", "AddressLine3": "Three", "AddressLine4": "Four"}
    new = world.xero_contact(Name="Brand New Ltd", EmailAddress="pay@brandnew.example", Addresses=[address])
    row = come(world, raised(world, keeper, contact=new))
    account = world.get(f"accounts({row['_customerid_value']})")
    assert (account["name"], account["emailaddress1"]) == ("Brand New Ltd", "pay@brandnew.example")
    assert account["address1_line3"] == "Three, Four"
    world.patch(f"accounts({account['accountid']})", {"emailaddress1": "ours@brandnew.example", "name": "Renamed Here Ltd"})
    again = come(world, raised(world, keeper, contact=new))
    assert again["_customerid_value"] == account["accountid"], "the stored link leads to it, whatever its name"
    assert world.get(f"accounts({account['accountid']})")["emailaddress1"] == "ours@brandnew.example"


def test_the_customer_is_the_account_of_the_contacts_number_else_of_its_name_and_is_not_updated(
    world: World, keeper: Bookkeeper, nz: Connector
):
    """A241-A243, K40: the number before the name, in any case, and nothing of the account changes."""
    by_number = world.post("accounts", {"name": "Under Another Name", "accountnumber": "K40-7"})
    by_name = world.post("accounts", {"name": "Forty Ltd", "emailaddress1": "ours@forty.example"})
    numbered = world.xero_contact(Name="Forty Ltd", AccountNumber="k40-7", EmailAddress="xero@forty.example")
    row = come(world, raised(world, keeper, contact=numbered))
    assert row["_customerid_value"] == by_number
    world.patch(f"accounts({by_name})", {"name": "Forty-One Ltd"})
    named = world.xero_contact(Name="FORTY-ONE LTD", EmailAddress="xero@forty.example")
    row = come(world, raised(world, keeper, contact=named))
    assert row["_customerid_value"] == by_name
    accounts = {one: world.get(f"accounts({one})") for one in (by_number, by_name)}
    assert [one["emailaddress1"] for one in accounts.values()] == [None, "ours@forty.example"]
    assert accounts[by_number]["name"] == "Under Another Name"


def test_a_person_we_sent_as_a_contact_stays_a_contact(world: World, keeper: Bookkeeper):
    sent = world.invoice("private")
    world.settle(minutes=1)
    contact = world.document_of(sent)["Contact"]["ContactID"]
    row = come(world, raised(world, keeper, contact=contact))
    assert row["_customerid_value"] == ID["private"]
    assert row["_customerid_value@Microsoft.Dynamics.CRM.lookuplogicalname"] == "contact"


def test_two_accounts_of_one_name_are_a_persons_to_tell_apart_and_hold_back_nobody_else(
    world: World, keeper: Bookkeeper, nz: Connector
):
    twins = [world.post("accounts", {"name": "Twin Ltd"}) for _ in range(2)]
    before = raised(world, keeper)
    document = raised(world, keeper, contact=world.xero_contact(Name="Twin Ltd"), InvoiceNumber="TWIN-1")
    after = raised(world, keeper)
    world.settle(minutes=1)
    assert is_here(world, before)
    assert is_here(world, after)
    assert not is_here(world, document)
    (refused,) = told(world, FAILED, "TWIN-1")
    assert "2 accounts" in refused["mag_details"]
    assert refused["mag_fix"]
    assert refused["_mag_accountid_value"] in twins, "it stands where a salesperson looks"
    world.patch(f"accounts({twins[1]})", {"name": "The Other Twin Ltd"})
    world.set(nz, mag_overlapminutes=31)
    assert come(world, document)["_customerid_value"] == twins[0], (
        "tried again at once when a setting changes, else within the hour"
    )


# ── currency and price list (K20) ───────────────────────────────────────────────────────────────────────────────────────────────


def dollars(world: World, keeper: Bookkeeper, name: str) -> Json:
    return raised(world, keeper, CurrencyCode="USD", InvoiceNumber=name)


def test_without_a_price_list_of_its_currency_an_invoice_says_which_setting_and_comes_once_it_is_there(
    world: World, keeper: Bookkeeper, nz: Connector
):
    document, ordinary = dollars(world, keeper, "USD-1"), raised(world, keeper)
    world.settle(minutes=1)
    assert is_here(world, ordinary)
    assert not is_here(world, document)
    (refused,) = told(world, FAILED, "USD-1")
    assert "no price list for the currency USD" in refused["mag_details"]
    assert "Create Price Lists" in refused["mag_fix"]
    assert refused["mag_whoacts"] == OPTION + 3
    price_list = {"mag_name": "USD", "mag_xeroconnectorid": ("mag_xeroconnectors", nz.id)}
    price_list |= {
        "mag_transactioncurrencyid": ("transactioncurrencies", ID["USD"]),
        "mag_pricelistid": ("pricelevels", ID["USD prices"]),
    }
    row_id = world.post("mag_xeropricelists", bound(price_list))
    row = come(world, document, 2)
    assert (row["_pricelevelid_value"], row["_transactioncurrencyid_value"]) == (ID["USD prices"], ID["USD"])
    assert row["mag_amountdue"] == money(document["Total"])
    world.delete(f"mag_xeropricelists({row_id})")


def test_a_price_list_is_made_where_the_connector_may_once_for_all_invoices(world: World, keeper: Bookkeeper, nz: Connector):
    world.set(nz, mag_createpricelists=True)
    first, second = dollars(world, keeper, "USD-2"), dollars(world, keeper, "USD-3")
    made = world.get(f"pricelevels({come(world, first)['_pricelevelid_value']})")
    assert (made["name"], made["_transactioncurrencyid_value"]) == ("Xero USD", ID["USD"])
    assert world.row(id_in(world, second))["_pricelevelid_value"] == made["pricelevelid"]
    assert len([one for one in world.dataverse.rows("pricelevel") if one["name"] == "Xero USD"]) == 1


def test_a_price_list_of_the_wrong_currency_is_named(world: World, keeper: Bookkeeper, nz: Connector):
    wrong = {"mag_name": "USD", "mag_xeroconnectorid": ("mag_xeroconnectors", nz.id)}
    wrong |= {
        "mag_transactioncurrencyid": ("transactioncurrencies", ID["USD"]),
        "mag_pricelistid": ("pricelevels", ID["AUD prices"]),
    }
    row_id = world.post("mag_xeropricelists", bound(wrong))
    document = dollars(world, keeper, "USD-4")
    world.settle(minutes=1)
    (refused,) = told(world, FAILED, "USD-4")
    assert "Australian Dollar prices" in refused["mag_details"]
    world.delete(f"mag_xeropricelists({row_id})")
    assert not is_here(world, document)


def test_a_currency_that_dynamics_does_not_have_is_told_to_the_administrator(world: World, keeper: Bookkeeper):
    world.patch(f"transactioncurrencies({ID['USD']})", {"statecode": 1, "statuscode": 2})
    document = dollars(world, keeper, "USD-5")
    world.settle(minutes=1)
    (refused,) = told(world, FAILED, "USD-5")
    assert "USD" in refused["mag_details"]
    assert "not an active currency" in refused["mag_details"]
    assert refused["mag_fix"].startswith("Add or activate the currency USD")
    world.patch(f"transactioncurrencies({ID['USD']})", {"statecode": 0, "statuscode": 1})
    assert not is_here(world, document)


# ── lines ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def item(world: World, code: str) -> str:
    world.xero.add(NZ, "item", Code=code, Name=f"Item {code}", IsSold=True, IsPurchased=True)
    return code


@pytest.mark.parametrize(
    ("code", "columns", "why"),
    [
        ("NOWHERE", None, "No product of Dynamics 365 has the number NOWHERE"),
        ("RETIRED", {"statecode": 1, "statuscode": 2}, "The product RETIRED is not active"),
        ("UNITLESS", {}, "The product UNITLESS has no default unit"),
        ("WHOLE", {"quantitydecimal": 0}, "The product WHOLE takes quantities of 0 decimals"),
    ],
)
def test_a_line_without_a_usable_product_is_a_write_in_and_says_why(
    world: World, keeper: Bookkeeper, code: str, columns: dict[str, Any] | None, why: str
):
    if columns is not None:
        product(world, code)
    if columns:
        world.patch(f"products({product_id(world, code)})", columns)
    elif columns == {}:
        world.dataverse.environment.seed("product", productid=product_id(world, code), defaultuomid=None)
    document = raised(world, keeper, line_of(ItemCode=item(world, code), Quantity=1.5))
    row = come(world, document)
    (line,) = lines_of(world, row)
    assert (line["isproductoverridden"], line["productdescription"]) == (True, "Consulting")
    assert row["totalamount"] == money(document["Total"])
    assert [
        one["mag_details"].startswith(f"Item Code (ItemCode), line 1: {why}")
        for one in world.histories(row["invoiceid"])
        if one["mag_syncstatus"] == WARNING
    ] == [True]


def product(world: World, code: str, unit: str = "each", group: str = "goods units") -> None:
    body = {
        "productnumber": code,
        "name": f"Product {code}",
        "quantitydecimal": 2,
        "defaultuomid@odata.bind": f"/uoms({ID[unit]})",
        "defaultuomscheduleid@odata.bind": f"/uomschedules({ID[group]})",
    }
    world.patch(f"products({world.post('products', body)})", {"statecode": 0, "statuscode": 1})


def product_id(world: World, code: str) -> str:
    return str(world.get(f"products?$filter=productnumber%20eq%20'{code}'")["value"][0]["productid"])


def test_products_that_dynamics_refuses_become_write_ins_with_a_warning(world: World, keeper: Bookkeeper):
    product(world, "BADUNIT", unit="hour", group="goods units")
    document = raised(world, keeper, line_of(ItemCode=item(world, "BADUNIT")), line_of(ItemCode="BOOK", Description="A book"))
    row = come(world, document)
    assert [line["isproductoverridden"] for line in lines_of(world, row)] == [True, True]
    (warning,) = [one for one in world.histories(row["invoiceid"]) if one["mag_syncstatus"] == WARNING]
    assert "unit group" in warning["mag_details"]


def test_where_write_ins_are_not_allowed_a_line_without_a_product_is_refused_with_the_way_out(world: World, keeper: Bookkeeper):
    organization = world.get("organizations")["value"][0]["organizationid"]
    world.dataverse.environment.seed("organization", organizationid=organization, iswriteinproductsallowed=False)
    try:
        document = raised(world, keeper, line_of(Description="Work"), InvoiceNumber="NO-WRITE-INS")
        of_catalogue = raised(world, keeper, line_of(ItemCode="BOOK"), {"Description": "A note"})
        world.settle(minutes=1)
    finally:
        world.dataverse.environment.seed("organization", organizationid=organization, iswriteinproductsallowed=True)
    assert not is_here(world, document)
    (refused,) = told(world, FAILED, "NO-WRITE-INS")
    assert "takes no write-in products" in refused["mag_details"]
    assert "Allow write-in products" in refused["mag_fix"]
    row = world.row(id_in(world, of_catalogue))
    assert len(lines_of(world, row)) == 1
    assert any("was left out" in one["mag_details"] for one in world.histories(row["invoiceid"]))


@pytest.mark.parametrize("kind", ["Exclusive", "Inclusive", "NoTax"])
def test_dynamics_comes_to_xeros_totals(world: World, keeper: Bookkeeper, kind: str):
    lines = [
        line_of(Quantity=7, UnitAmount=11.0),
        line_of(Quantity=3, UnitAmount=9.99, DiscountRate=12.5),
        line_of(Quantity=1000, UnitAmount=0.0612),
        line_of(Quantity=2, UnitAmount=-25.5),
        line_of(Quantity=0, UnitAmount=4),
        line_of(ItemCode="BOOK", Quantity=1.33, UnitAmount=19.9512),
    ]
    document = raised(world, keeper, *lines, LineAmountTypes=kind)
    row = come(world, document)
    assert (row["totalamount"], row["totaltax"]) == (money(document["Total"]), money(document["TotalTax"]))
    assert row["totalamount"] - row["totaltax"] == money(document["SubTotal"])
    assert [one for one in world.histories(row["invoiceid"]) if one["mag_syncstatus"] == WARNING] == []
    assert row["mag_lineamounttypes"] == {"Exclusive": OPTION, "Inclusive": OPTION, "NoTax": OPTION + 2}[kind]


def test_totals_that_differ_are_told_with_both_figures(world: World, keeper: Bookkeeper):
    document = raised(world, keeper)
    world.xero.change(NZ, "invoice", document["InvoiceID"], Total=Decimal("24.20"), SubTotal=Decimal("21.05"))
    row = come(world, document)
    (warning,) = [one for one in world.histories(row["invoiceid"]) if one["mag_syncstatus"] == WARNING]
    assert "Total is 24.20 in Xero, 24.15 in Dynamics 365" in warning["mag_details"]
    assert "TotalTax" not in warning["mag_details"]


def test_an_account_that_is_new_in_xero_is_waited_for(world: World, keeper: Bookkeeper):
    world.clock.move(minutes=30)
    world.settle(minutes=1)
    world.xero.add(NZ, "account", Code="299", Name="Brand new income", Type="REVENUE", TaxType="OUTPUT2")
    document = raised(world, keeper, line_of(AccountCode="299"))
    row = come(world, document, 20)
    (line,) = lines_of(world, row)
    assert line["_mag_xeroaccountcodeid_value"] == world.account("299", world.connectors()[0])[1]
    assert told(world, FAILED, "299") == []


def test_a_code_that_never_appears_is_left_out_with_a_warning(world: World, keeper: Bookkeeper):
    document = raised(world, keeper)
    stored = next(one for one in world.xero.documents(NZ, "invoice") if one["InvoiceID"] == document["InvoiceID"])
    odd = [{**line, "TaxType": "NOBODYKNOWS"} for line in stored["LineItems"]]
    world.xero.change(NZ, "invoice", document["InvoiceID"], LineItems=odd)
    row = come(world, document, 25)
    (line,) = lines_of(world, row)
    assert line["_mag_taxrateid_value"] is None
    assert any("NOBODYKNOWS" in one["mag_details"] for one in world.histories(row["invoiceid"]))


def test_a_code_that_is_missing_from_reference_data_read_since_is_not_waited_for(world: World, keeper: Bookkeeper):
    """A back-fill may hold hundreds of invoices with a code that is no more: each try of one costs calls."""
    document = raised(world, keeper)
    stored = next(one for one in world.xero.documents(NZ, "invoice") if one["InvoiceID"] == document["InvoiceID"])
    odd = [{**line, "TaxType": "LONGGONE"} for line in stored["LineItems"]]
    world.xero.change(NZ, "invoice", document["InvoiceID"], LineItems=odd)
    world.clock.move(minutes=20)
    reference_data.load_now(world.connectors()[0], world.services, world.clock.now())
    row = come(world, document, 0)
    assert any("LONGGONE" in one["mag_details"] for one in world.histories(row["invoiceid"]))


# ── days ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "Europe/London", "America/New_York", "Pacific/Honolulu", "Asia/Kolkata"])
def test_date_delivered_is_xeros_day_in_the_connectors_time_zone(world: World, keeper: Bookkeeper, nz: Connector, zone: str):
    world.set(nz, mag_timezone=zone)
    dates = (
        "2026-03-29",
        "2026-09-27",
        "2026-11-01",
        "2026-11-20",
    )  # nights in which a clock changes, and one in which none does
    documents = {of: raised(world, keeper, Date=of, DueDate="2026-12-31") for of in dates}
    world.settle(minutes=1)
    for of, document in documents.items():
        delivered = world.row(id_in(world, document))["datedelivered"]
        assert day_of(delivered, ZoneInfo(zone)).isoformat() == of, (zone, delivered)


# ── rubbish ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "fields",
    [
        {"LineItems": None},
        {"LineItems": [None, "x", {}]},
        {"LineItems": [{"LineItemID": None, "Quantity": None, "UnitAmount": None, "Tracking": None, "Description": None}]},
        {"LineItems": [{"LineItemID": "same", "LineAmount": 1, "Tracking": [None, {"Option": None}]}, {"LineItemID": "same"}]},
        {"LineAmountTypes": "SOMEHOW", "BrandingThemeID": None, "Reference": 7, "DueDate": None},
        {"Date": "soon", "DueDate": 7, "InvoiceNumber": None},
        {"Total": None, "SubTotal": "x", "TotalTax": None, "AmountDue": Decimal("-5.00"), "AmountPaid": None},
        {"Payments": [None, {"PaymentID": None}], "UpdatedDateUTC": None},
        {"Url": 7, "InvoiceID": None},
    ],
    ids=["no lines", "lines of nothing", "nulls", "one id twice", "enums", "dates", "amounts", "payments", "url"],
)
def test_rubbish_in_an_invoice_is_left_out_and_the_invoice_comes(
    world: World, keeper: Bookkeeper, nz: Connector, fields: dict[str, Any]
):
    document = raised(world, keeper)
    told = {"InvoiceID": document["InvoiceID"], **{name: value for name, value in fields.items() if name != "InvoiceID"}}
    odd = {**document, "UpdatedDateUTC": "/Date(1795132800000+0000)/", **told}
    outcome = by_hand(world, nz, odd)
    assert outcome.status is Status.SYNCED, outcome.details
    assert is_here(world, document)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"CurrencyCode": None}, "does not say its currency"),
        ({"CurrencyCode": "XXX"}, "XXX, is not an active currency"),
        ({"Contact": None}, "names no contact"),
        ({"Contact": {"ContactID": "nobody"}}, "names no contact"),
        ({"LineItems": [{"Quantity": Decimal("1.0000001"), "LineAmount": 3}]}, "more than 5 decimal places"),
    ],
    ids=["no currency", "odd currency", "no contact", "odd contact", "odd quantity"],
)
def test_what_cannot_be_written_is_refused_in_words_that_name_the_invoice(
    world: World, keeper: Bookkeeper, nz: Connector, fields: dict[str, Any], words: str
):
    document = raised(world, keeper, Status="DRAFT")
    outcome = by_hand(world, nz, {**document, "Status": "AUTHORISED", **fields})
    assert outcome.status is Status.REFUSED
    assert words in outcome.details
    assert f"Invoice {document['InvoiceNumber']} of Xero" in outcome.details
    assert all(problem.fix and problem.who for problem in outcome.problems)
    (refused,) = told(world, FAILED, document["InvoiceNumber"])
    assert refused["_mag_invoiceid_value"] is None


def by_hand(world: World, connector: Connector, document: Json) -> Any:
    """Have a document, as no real Xero would write it, released by a sweep and delivered."""
    exact = exact_json.loads(json.dumps(document, default=str if not isinstance(document, Decimal) else float))
    reading = from_xero.Reading(world.services, connector, Lane.PAYMENTS, world.clock.now())
    held = claims.read_all(world.services, connector.key, FLOW)
    swept = from_xero.Sweep(FLOW, "Invoice", invoices_from_xero.SOURCE, reading, world.clock.now(), held)
    from_xero._release(swept, [exact], {}, by_version=True)
    message = world.queues.take(FLOW)
    assert message is not None
    world.queues.done(FLOW, message)
    return world.deliver(message.text)


def test_a_fault_of_the_wires_is_waited_out(world: World, keeper: Bookkeeper):
    document = raised(world, keeper)
    world.dataverse.faults.add(Fault("503", method="POST", times=2))
    assert come(world, document, 6)["mag_synchedwithxero"] is True
