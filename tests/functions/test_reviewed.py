"""What a reviewer broke once: copied ids, changed routes, deleted rows, missing contacts (SPEC 1; each was a defect)."""

from decimal import Decimal
from typing import Any

import pytest

from sandbox.xero.faults import Fault
from shared.connectors import Connector
from tests.world import FAILED, NO, OPTION, READY_TO_UPDATE, UK, YES, World

PURCHASE_INVOICE = OPTION + 1


def test_a_copied_xero_id_never_touches_the_document_of_the_original(world: World, nz: Connector):
    original = world.invoice()
    world.settle()
    before = world.document_of(original)
    clone = world.invoice(lines=3, mag_xeroid=before["InvoiceID"])
    world.settle(minutes=6)
    assert world.document_of(original)["Total"] == before["Total"]
    assert world.row(clone)["mag_exportstatus"] == FAILED
    assert "belongs to another record" in world.histories(clone)[-1]["mag_details"]
    world.patch(f"invoices({clone})", {"mag_xeroid": None, "mag_exportstatus": NO})
    world.settle(minutes=6)
    assert world.row(clone)["mag_exportstatus"] == YES


def test_a_contact_deleted_in_xero_is_matched_again_in_the_same_try(own_world: World):
    world, connector = own_world, own_world.connect()
    world.invoice()
    world.settle()
    link = next(row for row in world.store.rows("links") if "|contact" in row.partition)
    world.store.upsert("links", link.partition, link.row, {**link.values, "xero_id": "99999999-9999-4999-8999-999999999999"})
    invoice = world.invoice()
    world.settle(minutes=6)
    assert connector.state == "connected"
    assert world.row(invoice)["mag_exportstatus"] == YES


def test_a_contact_merged_since_is_followed_in_the_same_try(own_world: World):
    world, connector = own_world, own_world.connect()
    first = world.invoice("huia")
    world.settle()
    old = world.document_of(first)["Contact"]["ContactID"]
    living = world.xero_contact(Name="Huia Gardens and Nursery")
    world.xero.change(connector.organisation, "contact", old, ContactStatus="ARCHIVED", MergedToContactID=living)
    second = world.invoice("huia")
    world.settle(minutes=6)
    assert world.document_of(second)["Contact"]["ContactID"] == living


def test_a_customer_with_hundreds_of_bills_gets_no_second_one_after_a_lost_reply(own_world: World):
    world, connector = own_world, own_world.connect()
    world.set(connector, mag_holdfuturedated=False)
    first = world.invoice("truxton", mag_invoicetype=PURCHASE_INVOICE, datedelivered=None)
    world.settle()
    document = world.document_of(first)
    for number in range(120):
        copy = {**document, "InvoiceID": f"00000000-0000-4000-8000-{number:012d}", "Url": "https://elsewhere.example/"}
        world.xero.seed(connector.organisation, "invoice", copy, id=copy["InvoiceID"])
    world.xero.faults.add(Fault("drop_after", "PUT", "/Invoices"))
    second = world.invoice("truxton", mag_invoicetype=PURCHASE_INVOICE, datedelivered=None)
    world.settle(minutes=20)
    assert world.row(second)["mag_xeroid"] == world.document_of(second)["InvoiceID"]


def test_a_bill_whose_date_changed_after_a_lost_reply_is_still_one_bill(own_world: World):
    world = own_world
    world.connect()
    world.xero.faults.add(Fault("drop_after", "PUT", "/Invoices"))
    bill = world.invoice("truxton", mag_invoicetype=PURCHASE_INVOICE)
    world.settle()
    world.patch(f"invoices({bill})", {"mag_addtoxero": False})
    world.settle(minutes=12)
    world.patch(f"invoices({bill})", {"mag_addtoxero": True, "datedelivered": "2026-11-12T11:00:00Z"})
    world.settle(minutes=12)
    assert world.row(bill)["mag_xeroid"] == world.document_of(bill)["InvoiceID"]


def test_an_invoice_whose_route_changes_between_tries_lands_in_one_organisation(own_world: World):
    world = own_world
    nz, uk = world.connect(), world.connect(UK, default=False)
    world.xero.faults.add(Fault("drop_after", "PUT", "/Invoices"))
    invoice = world.invoice("lakeside", currency="USD")
    world.settle()
    world.set(nz, mag_defaultconnector=False)
    world.set(uk, mag_defaultconnector=True)
    world.settle(minutes=30)
    assert len([one for one in world.documents() if invoice in one["Url"]]) == 1
    assert [one for one in world.documents(UK) if invoice in one["Url"]] == []
    assert world.row(invoice)["_mag_xeroconnectorid_value"] == nz.id


def test_a_refusal_xero_remembers_does_not_outlive_its_cause(own_world: World):
    world, connector = own_world, own_world.connect()
    account = next(one for one in world.xero.documents(connector.organisation, "account") if one.get("Code") == "200")
    world.xero.change(connector.organisation, "account", account["AccountID"], Status="ARCHIVED")
    invoice = world.invoice()
    world.settle()
    assert world.row(invoice)["mag_exportstatus"] == FAILED
    world.xero.change(connector.organisation, "account", account["AccountID"], Status="ACTIVE")
    world.retry(invoice)
    world.clock.move(minutes=4)
    world.settle(minutes=1)
    assert world.row(invoice)["mag_exportstatus"] == YES


def test_a_wait_of_a_record_that_crossed_keeps_asking_for_its_update(world: World, nz: Connector):
    world.set(nz, mag_allowresend=True)
    invoice = world.invoice()
    world.settle()
    tomorrow = world.clock.now().astimezone(nz.zone).date().toordinal() + 1
    from datetime import date, datetime

    begins = datetime.combine(date.fromordinal(tomorrow), datetime.min.time(), nz.zone)
    world.patch(f"invoices({invoice})", {"datedelivered": begins.isoformat(), "mag_exportstatus": READY_TO_UPDATE})
    world.settle(minutes=6)
    assert world.row(invoice)["mag_exportstatus"] == READY_TO_UPDATE
    world.clock.set(begins.astimezone(world.clock.now().tzinfo))
    world.settle(minutes=6)
    assert world.row(invoice)["mag_exportstatus"] == YES


@pytest.mark.parametrize("status", [READY_TO_UPDATE, NO])
def test_a_refused_update_is_tried_again_when_a_person_asks(world: World, nz: Connector, status: int):
    world.set(nz, mag_allowresend=True)
    invoice = world.invoice()
    world.settle()
    document = world.document_of(invoice)
    world.xero.change(nz.organisation, "invoice", document["InvoiceID"], AmountPaid=Decimal(50), AmountDue=Decimal(65))
    (line,) = world.get(f"invoicedetails?$filter=_invoiceid_value%20eq%20{invoice}")["value"]
    world.patch(f"invoicedetails({line['invoicedetailid']})", {"priceperunit": Decimal("120.00")})
    world.patch(f"invoices({invoice})", {"mag_exportstatus": READY_TO_UPDATE})
    world.settle(minutes=6)
    assert world.row(invoice)["mag_exportstatus"] == FAILED
    world.xero.change(nz.organisation, "invoice", document["InvoiceID"], AmountPaid=Decimal(0), AmountDue=Decimal(115))
    world.patch(f"invoices({invoice})", {"mag_exportstatus": status})
    world.settle(minutes=6)
    assert world.row(invoice)["mag_exportstatus"] == YES
    assert Decimal(world.document_of(invoice)["SubTotal"]) == Decimal("120.00")


def test_a_document_of_an_invoice_deleted_meanwhile_is_reported_on_the_connector(own_world: World):
    world, connector = own_world, own_world.connect()
    world.xero.faults.add(Fault("drop_after", "PUT", "/Invoices"))
    invoice = world.invoice()
    world.settle()
    document = world.document_of(invoice)
    world.delete(f"invoices({invoice})")
    world.settle(minutes=12)
    where = f"_mag_xeroconnectorid_value%20eq%20{connector.id}"
    told = [row["mag_details"] for row in world.get(f"mag_synchistories?$filter={where}")["value"]]
    assert any(document["InvoiceID"] in details and "deleted" in details for details in told)


def test_a_name_with_a_comma_as_the_number_is_found_again_after_a_lost_reply(world: World, nz: Connector):
    world.set(nz, mag_numbersource=OPTION + 2)
    world.xero.faults.add(Fault("drop_after", "PUT", "/Invoices"))
    invoice = world.invoice(name=f"Consulting, week {world.clock.now():%H%M}")
    world.settle(minutes=12)
    assert world.row(invoice)["mag_xeroid"] == world.document_of(invoice)["InvoiceID"]


def test_what_a_lost_create_can_be_found_by_is_not_readable_in_storage(world: World, nz: Connector):
    world.set(nz, mag_numbersource=OPTION + 2)
    world.xero.faults.add(Fault("drop_after", "PUT", "/Invoices"))
    world.invoice(name=f"Ann Secret {world.clock.now():%H%M%S}")
    world.settle()
    assert all("Secret" not in str(row.values) for row in world.store.rows("claims"))


def test_mark_as_sent_leaves_alone_what_xero_e_mails_by_default(world: World, nz: Connector):
    world.set(nz, mag_markinvoicesassent=True, mag_sendemailbydefault=True)
    invoice = world.invoice()
    world.settle()
    assert world.document_of(invoice)["SentToContact"] is False
    assert world.row(invoice)["mag_sendemailfromxero"] is True


def test_an_owner_who_may_not_own_the_history_does_not_silence_it(world: World, nz: Connector):
    invoice = world.invoice()
    real_send = world.services.dataverse.send

    def refuse_owners(environment: str, operations: Any) -> Any:
        answers = (
            real_send(environment, operations)
            if not any("ownerid@odata.bind" in (one.body or {}) for one in operations)
            else None
        )
        if answers is None:
            from shared.services import Answer

            refusal = {"error": {"code": "0x80040220", "message": "Principal user is missing prvReadmag_synchistory privilege."}}
            return [Answer(403, {}, refusal) for _ in operations]
        return answers

    world.services.dataverse.send = refuse_owners  # type: ignore[method-assign]
    try:
        world.settle()
    finally:
        world.services.dataverse.send = real_send  # type: ignore[method-assign]
    assert world.row(invoice)["mag_exportstatus"] == YES
    assert len(world.histories(invoice)) == 1
