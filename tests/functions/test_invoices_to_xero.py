"""The flow invoices-to-xero through the real pipeline and clients, against the stand-ins (SPEC 4)."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from sandbox.xero.faults import Fault
from shared.connectors import Connector
from shared.outcomes import Status
from tests.world import DRAFT, NO, OPTION, READY_TO_UPDATE, SUBMITTED, UK, WAITING, YES, World

CREATED, SUCCESSFUL, WARNING = OPTION, OPTION, OPTION + 3
PURCHASE_INVOICE = OPTION + 1


def test_a_flagged_invoice_stands_in_xero_and_the_answer_on_the_invoice(world: World, nz: Connector):
    invoice = world.invoice(mag_reference="PO-77")
    outcomes = world.settle()
    document, row = world.document_of(invoice), world.row(invoice)
    assert [outcome.status for outcome in outcomes if invoice in outcome.message.record] == [Status.SYNCED]
    assert (document["Type"], document["Status"], document["Reference"]) == ("ACCREC", "AUTHORISED", "PO-77")
    assert document["InvoiceNumber"] == row["invoicenumber"]
    assert document["LineAmountTypes"] == "Exclusive"
    assert document["CurrencyCode"] == "NZD"


def test_every_column_is_written_back(world: World, nz: Connector):
    invoice = world.invoice()
    world.settle()
    document, row = world.document_of(invoice), world.row(invoice)
    assert row["mag_synchedwithxero"] is True
    assert row["mag_exportstatus"] == YES
    assert row["mag_xeroid"] == document["InvoiceID"]
    assert row["mag_xeroinvoicenumber"] == document["InvoiceNumber"]
    assert row["mag_xeroinvoicestatus"] == "AUTHORISED"
    assert row["mag_xeroinvoiceurl"].startswith("https://go.xero.com/organisationlogin/default.aspx?shortcode=%21")
    assert row["mag_xeroinvoiceurl"].endswith(f"/AccountsReceivable/View.aspx?InvoiceID={document['InvoiceID']}")
    assert row["mag_xeropaynowlink"].startswith("https://")
    assert datetime.fromisoformat(row["mag_exportdate"]) == world.clock.now()
    assert row["mag_xerotax"] == Decimal("15.00")
    assert (row["mag_amountdue"], row["mag_amountpaid"], row["mag_amountcredited"]) == (Decimal("115.00"), 0, 0)
    assert row["_mag_xeroconnectorid_value"] == nz.id


def test_the_sync_history_says_what_was_done_as_the_owner_of_the_invoice(world: World, nz: Connector):
    invoice = world.invoice()
    world.settle()
    (history,) = world.histories(invoice)
    assert history["mag_details"] == f"Invoice has been created in Xero - {world.document_of(invoice)['InvoiceID']}"
    assert (history["mag_action"], history["mag_syncstatus"]) == (CREATED, SUCCESSFUL)
    local = world.clock.now().astimezone(nz.zone)
    assert history["mag_name"] == f"Sync - {local:%Y-%m-%d %H:%M:%S}"
    assert history["_ownerid_value"] == world.row(invoice)["_ownerid_value"]


def test_the_document_in_xero_leads_back_to_the_invoice(world: World, nz: Connector):
    invoice = world.invoice()
    world.settle()
    url = world.document_of(invoice)["Url"]
    assert url == f"https://{world.environment}/main.aspx?appid={nz.app_id}&pagetype=entityrecord&etn=invoice&id={invoice}"


def test_an_invoice_that_is_not_flagged_stays_where_it_is(world: World, nz: Connector):
    invoice = world.invoice(flag=False)
    assert world.settle() == []
    assert world.row(invoice).get("mag_xeroid") is None


def test_a_message_delivered_twice_costs_no_call_to_xero(world: World, nz: Connector):
    invoice = world.invoice()
    world.settle()
    calls = world.xero_calls()
    text = f'{{"connector":"{nz.key}","flow":"invoices-to-xero","record":"invoice/{invoice}"}}'
    assert world.deliver(text).status is Status.UNCHANGED
    assert world.xero_calls() == calls
    assert len(world.histories(invoice)) == 1


@pytest.mark.parametrize(("setting", "status", "link"), [(DRAFT, "DRAFT", False), (SUBMITTED, "SUBMITTED", True)])
def test_the_default_status_decides_how_far_the_document_goes(world: World, nz: Connector, setting: int, status: str, link: bool):
    world.set(nz, mag_defaultxerostatus=setting)
    invoice = world.invoice()
    world.settle()
    assert world.document_of(invoice)["Status"] == status
    assert bool(world.row(invoice).get("mag_xeropaynowlink")) is link


@pytest.mark.parametrize(("choice", "name", "tax"), [(OPTION + 1, "Inclusive", "13.04"), (OPTION + 2, "NoTax", "0")])
def test_the_invoices_own_line_amount_types_count(world: World, nz: Connector, choice: int, name: str, tax: str):
    invoice = world.invoice(mag_lineamounttypes=choice)
    world.settle()
    document = world.document_of(invoice)
    assert document["LineAmountTypes"] == name
    assert Decimal(document["TotalTax"]) == Decimal(tax)


def test_a_purchase_invoice_becomes_a_bill(world: World, nz: Connector):
    invoice = world.invoice("truxton", mag_invoicetype=PURCHASE_INVOICE, mag_reference="SUP-4711")
    world.settle()
    document, row = world.document_of(invoice), world.row(invoice)
    assert (document["Type"], document["InvoiceNumber"]) == ("ACCPAY", "SUP-4711")
    assert document["LineItems"][0]["AccountCode"] == "400"
    assert row.get("mag_xeropaynowlink") is None
    assert "/AccountsPayable/View.aspx" in row["mag_xeroinvoiceurl"]
    assert world.histories(invoice)[0]["mag_details"].startswith("Bill has been created in Xero")


def test_two_bills_of_one_number_are_two_bills(world: World, nz: Connector):
    bills = [world.invoice("truxton", mag_invoicetype=PURCHASE_INVOICE, mag_reference="RENT") for _ in range(2)]
    world.settle()
    assert len({world.document_of(bill)["InvoiceID"] for bill in bills}) == 2


def test_with_xeros_numbering_xero_numbers_it_and_our_number_is_the_reference(world: World, nz: Connector):
    world.set(nz, mag_numbersource=OPTION + 1)
    invoice = world.invoice()
    world.settle()
    document, row = world.document_of(invoice), world.row(invoice)
    assert document["InvoiceNumber"] != row["invoicenumber"]
    assert document["Reference"] == row["invoicenumber"]
    assert row["mag_xeroinvoicenumber"] == document["InvoiceNumber"]


def test_mark_as_sent_marks_approved_invoices_unless_xero_e_mails_them(world: World, nz: Connector):
    world.set(nz, mag_markinvoicesassent=True)
    marked, e_mailed = world.invoice(), world.invoice(mag_sendemailfromxero=True)
    world.settle()
    assert world.document_of(marked)["SentToContact"] is True
    assert world.document_of(e_mailed)["SentToContact"] is False


def test_all_kinds_of_lines_arrive(world: World, nz: Connector):
    invoice = world.invoice(
        lines=0, flag=False, freightamount=Decimal("12.50"), description=".Thank you for your order", discountpercentage=10
    )
    world.line(invoice, product="consulting", unit="hour", quantity=2)
    world.line(invoice, "Travel", priceperunit=Decimal("80.00"), manualdiscountamount=Decimal("5.00"))
    world.line(invoice, "Delivered to the back door", quantity=0, priceperunit=0)
    world.flag(invoice)
    world.settle()
    lines = world.document_of(invoice)["LineItems"]
    assert [line["Description"] for line in lines] == [
        "Consulting",
        "Travel",
        "Delivered to the back door",
        "Freight",
        "Thank you for your order",
    ]
    assert lines[0]["ItemCode"] == "CON-01"
    assert Decimal(lines[0]["DiscountAmount"]) == Decimal("37.00")
    assert Decimal(lines[1]["DiscountAmount"]) == Decimal("12.50")
    assert lines[2].get("AccountCode") is None
    assert (lines[3]["AccountCode"], Decimal(lines[3]["UnitAmount"])) == ("220", Decimal("12.50"))


def test_tracking_options_cross(world: World, nz: Connector):
    invoice = world.invoice(flag=False)
    track(world, nz, invoice, "North")
    world.flag(invoice)
    world.settle()
    (line,) = world.document_of(invoice)["LineItems"]
    assert [(option["Name"], option["Option"]) for option in line["Tracking"]] == [("Region", "North")]


def test_a_foreign_currency_and_the_branding_theme_cross(world: World, nz: Connector):
    theme = world.get("mag_brandingthemes")["value"][1]
    invoice = world.invoice("rex", currency="AUD", mag_brandingthemeid=("mag_brandingthemes", theme["mag_brandingthemeid"]))
    world.settle()
    document = world.document_of(invoice)
    assert (document["CurrencyCode"], document["BrandingThemeID"]) == ("AUD", theme["mag_xerobrandingthemeid"])


def test_a_date_to_come_waits_says_so_and_goes_when_the_day_begins_in_the_connectors_time_zone(world: World, nz: Connector):
    begins = next_midnight(world, nz)
    invoice = world.invoice(datedelivered=begins.astimezone().isoformat())
    calls = world.xero_calls()
    world.settle()
    row, (history,) = world.row(invoice), world.histories(invoice)
    assert (row["mag_exportstatus"], row.get("mag_xeroid")) == (WAITING, None)
    assert begins.date().isoformat() in history["mag_details"]
    assert world.xero_calls() == calls
    world.clock.set(begins.astimezone(world.clock.now().tzinfo))
    world.settle()
    assert world.row(invoice)["mag_exportstatus"] == YES
    assert world.document_of(invoice)["Date"][:10] == begins.date().isoformat()


def test_an_empty_date_delivered_waits_and_goes_once_it_is_filled_in(world: World, nz: Connector):
    invoice = world.invoice(datedelivered=None)
    world.settle()
    assert world.row(invoice)["mag_exportstatus"] == WAITING
    assert "Date Delivered is empty" in world.histories(invoice)[0]["mag_details"]
    world.patch(f"invoices({invoice})", {"datedelivered": "2026-11-18T11:00:00Z"})
    world.settle(minutes=6)
    assert world.row(invoice)["mag_exportstatus"] == YES


def test_with_hold_switched_off_a_future_invoice_goes_at_once(world: World, nz: Connector):
    world.set(nz, mag_holdfuturedated=False)
    invoice = world.invoice(datedelivered=next_midnight(world, nz).isoformat())
    world.settle()
    assert world.row(invoice)["mag_exportstatus"] == YES


def test_an_invoice_without_lines_waits_and_goes_once_it_has_one(world: World, nz: Connector):
    invoice = world.invoice(lines=0)
    world.settle()
    assert world.row(invoice)["mag_exportstatus"] == WAITING
    world.line(invoice, "At last")
    world.settle(minutes=6)
    assert world.row(invoice)["mag_exportstatus"] == YES


def test_observe_mode_tells_what_would_go_and_sends_nothing_until_it_ends(world: World, nz: Connector):
    world.set(nz, mag_operatingmode=OPTION + 1)
    invoice = world.invoice()
    calls = world.xero_calls()
    world.settle()
    assert world.xero_calls() == calls
    assert "Observe mode" in world.histories(invoice)[0]["mag_details"]
    world.set(nz, mag_operatingmode=OPTION)
    world.settle(minutes=6)
    assert world.row(invoice)["mag_exportstatus"] == YES


@pytest.mark.parametrize("mode", [OPTION + 1, OPTION + 2])
def test_choosing_the_connector_can_be_the_trigger(world: World, nz: Connector, mode: int):
    world.set(nz, mag_triggermode=mode)
    chosen = world.invoice(flag=False, mag_xeroconnectorid=("mag_xeroconnectors", nz.id))
    flagged = world.invoice()
    world.settle()
    assert world.row(chosen)["mag_exportstatus"] == YES
    assert (world.row(flagged).get("mag_xeroid") is not None) is (mode == OPTION + 2)


def test_a_pay_now_link_that_could_not_be_fetched_comes_later(world: World, nz: Connector):
    world.xero.faults.add(Fault("503", path="OnlineInvoice"))
    invoice = world.invoice()
    world.settle()
    assert world.row(invoice)["mag_exportstatus"] == YES
    assert world.row(invoice).get("mag_xeropaynowlink") is None
    world.settle(minutes=2)
    assert world.row(invoice)["mag_xeropaynowlink"].startswith("https://")
    assert len(world.documents()) == len({document["Url"] for document in world.documents()})


def test_later_changes_are_sent_again_only_when_it_is_allowed_and_asked_for(world: World, nz: Connector):
    invoice = world.invoice()
    world.settle()
    world.patch(f"invoices({invoice})", {"mag_reference": "Changed", "mag_exportstatus": READY_TO_UPDATE})
    assert world.settle(minutes=6) == []
    world.set(nz, mag_allowresend=True)
    world.settle(minutes=6)
    assert world.document_of(invoice)["Reference"] == "Changed"
    assert world.row(invoice)["mag_exportstatus"] == YES
    assert world.histories(invoice)[-1]["mag_details"].startswith("Invoice has been updated in Xero")


def test_once_paid_only_what_xero_lets_change_is_sent_and_the_rest_is_refused_in_words(world: World, nz: Connector):
    world.set(nz, mag_allowresend=True)
    invoice = world.invoice()
    world.settle()
    document = world.document_of(invoice)
    world.xero.change(nz.organisation, "invoice", document["InvoiceID"], AmountPaid=Decimal(50), AmountDue=Decimal(65))
    world.patch(f"invoices({invoice})", {"mag_reference": "Still allowed", "mag_exportstatus": READY_TO_UPDATE})
    world.settle(minutes=6)
    assert world.document_of(invoice)["Reference"] == "Still allowed"
    (line,) = world.get(f"invoicedetails?$filter=_invoiceid_value%20eq%20{invoice}")["value"]
    world.patch(f"invoicedetails({line['invoicedetailid']})", {"priceperunit": Decimal("120.00")})
    world.patch(f"invoices({invoice})", {"mag_exportstatus": READY_TO_UPDATE})
    world.settle(minutes=6)
    refused = world.histories(invoice)[-1]
    assert "UnitAmount of line 1" in refused["mag_details"]
    assert "locks the amounts" in refused["mag_cause"]


def test_a_user_who_edits_during_the_transfer_is_not_overwritten_and_xero_follows(own_world: World):
    world, connector = own_world, own_world.connect()
    invoice = world.invoice()
    real_call = world.services.xero.call

    def edit_while_sending(*arguments: Any, **options: Any) -> Any:
        answer = real_call(*arguments, **options)
        if arguments[1] == "create_invoices":
            world.patch(f"invoices({invoice})", {"mag_reference": "Typed meanwhile"})
        return answer

    world.services.xero.call = edit_while_sending  # type: ignore[method-assign]
    world.settle(minutes=2)
    assert world.row(invoice)["mag_reference"] == "Typed meanwhile"
    assert world.document_of(invoice)["Reference"] == "Typed meanwhile"
    assert world.row(invoice)["mag_exportstatus"] == YES
    assert connector.state == "connected"


def test_an_invoice_closed_during_the_transfer_keeps_its_link_and_says_so(own_world: World):
    world, connector = own_world, own_world.connect()
    invoice = world.invoice()
    real_call = world.services.xero.call

    def close_while_sending(*arguments: Any, **options: Any) -> Any:
        answer = real_call(*arguments, **options)
        if arguments[1] == "create_invoices":
            world.patch(f"invoices({invoice})", {"statecode": 3, "statuscode": 100003})
        return answer

    world.services.xero.call = close_while_sending  # type: ignore[method-assign]
    world.settle(minutes=2)
    assert "was closed or taken back in Dynamics while it was being sent" in world.histories(invoice)[-1]["mag_details"]
    stored = world.store.read("links", f"{connector.key}|invoice", f"invoice|{invoice}")
    assert stored is not None
    assert stored.values["xero_id"] == world.document_of(invoice)["InvoiceID"]


def test_an_invoice_goes_to_the_organisation_of_its_connector_its_route_or_the_default(own_world: World):
    world = own_world
    nz, uk = world.connect(), world.connect(UK, default=False)
    world.post(
        "mag_xeroroutes",
        {
            "mag_name": "Pounds",
            "mag_order": 10,
            "mag_xeroconnectorid@odata.bind": f"/mag_xeroconnectors({uk.id})",
            "mag_transactioncurrencyid@odata.bind": f"/transactioncurrencies({world.id_of('GBP')})",
        },
    )
    by_default = world.invoice()
    by_route = world.invoice("petrie", currency="GBP")
    chosen = world.invoice("lakeside", currency="USD", mag_xeroconnectorid=("mag_xeroconnectors", uk.id))
    world.settle()
    assert world.document_of(by_default)["CurrencyCode"] == "NZD"
    assert world.document_of(by_route, UK)["CurrencyCode"] == "GBP"
    assert world.document_of(chosen, UK)["CurrencyCode"] == "USD"
    assert world.row(by_route)["_mag_xeroconnectorid_value"] == uk.id
    assert world.row(by_default)["_mag_xeroconnectorid_value"] == nz.id


def test_a_connectors_own_flow_row_can_switch_the_flow_off(own_world: World):
    world, connector = own_world, own_world.connect()
    flow = {"mag_name": "Push", "mag_flow": "invoices-to-xero", "mag_enabled": False}
    row = world.post("mag_xeroflows", flow | {"mag_xeroconnectorid@odata.bind": f"/mag_xeroconnectors({connector.id})"})
    world.set(connector)
    invoice = world.invoice()
    world.settle(minutes=10)
    assert world.row(invoice)["mag_exportstatus"] == NO
    world.patch(f"mag_xeroflows({row})", {"mag_enabled": True})
    world.set(connector)
    world.settle(minutes=6)
    assert world.row(invoice)["mag_exportstatus"] == YES


def next_midnight(world: World, connector: Connector) -> datetime:
    """Return when tomorrow begins in the connector's time zone."""
    local = world.clock.now().astimezone(connector.zone)
    return datetime(local.year, local.month, local.day, tzinfo=connector.zone) + timedelta(days=1)


def track(world: World, connector: Connector, invoice: str, *options: str) -> None:
    (line,) = world.get(f"invoicedetails?$filter=_invoiceid_value%20eq%20{invoice}")["value"]
    for name in options:
        found = world.get(f"mag_trackingoptions?$filter=mag_name%20eq%20'{name}'")["value"]
        target = f"https://{world.environment}/api/data/v9.2/mag_trackingoptions({found[0]['mag_trackingoptionid']})"
        world.post(f"invoicedetails({line['invoicedetailid']})/mag_invoicedetail_trackingoption/$ref", {"@odata.id": target})
