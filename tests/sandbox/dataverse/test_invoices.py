"""The rules of Sales. Sources named per test: Microsoft Learn's Invoice and InvoiceDetail table references, "Web service error
codes", and Microsoft's Business Central connector (CRM Synch. Helper), which drives the same states."""

from decimal import Decimal
from typing import Any

import pytest

from sandbox.dataverse import Sandbox
from sandbox.dataverse.demo_company import ID

from .conftest import Api

BOOKED = {"statecode": 0, "statuscode": 4}
PAID = {"statecode": 2, "statuscode": 100001}
PARTIAL = {"statecode": 2, "statuscode": 100002}
CANCELED = {"statecode": 3, "statuscode": 100003}


def totals(api: Api, invoice: str) -> dict[str, Decimal]:
    names = "totallineitemamount,totallineitemdiscountamount,totaldiscountamount,totalamountlessfreight,totaltax,totalamount"
    row = api.get(f"invoices({invoice})?$select={names}").json
    return {name: row[name] for name in names.split(",")}


def test_an_invoice_without_a_number_is_numbered(api: Api, sandbox: Sandbox) -> None:
    """Invoice table: auto-number, organization.invoiceprefix, INV-01000-XXXXXX."""
    numbers = [str(sandbox.row("invoice", api.invoice())["invoicenumber"]) for _ in range(2)]
    assert [number[:10] for number in numbers] == ["INV-01000-", "INV-01001-"]
    assert all(len(number) == 16 for number in numbers)
    assert sandbox.row("invoice", api.invoice(invoicenumber="MINE-1"))["invoicenumber"] == "MINE-1"


@pytest.mark.parametrize(
    "body",
    [
        {"invoicenumber": "INV-9"},
        {"transactioncurrencyid@odata.bind": f"/transactioncurrencies({ID['AUD']})"},
        {"ispricelocked": True},
    ],
)
def test_columns_settled_at_create_cannot_be_updated(api: Api, body: dict[str, Any]) -> None:
    """Invoice table: IsValidForUpdate of invoicenumber, transactioncurrencyid, ispricelocked."""
    answer = api.patch(f"invoices({api.invoice()})", body)
    assert (answer.status, answer.code) == (400, "0x80040203")


def test_a_new_invoice_is_active_and_new(api: Api, sandbox: Sandbox) -> None:
    row = sandbox.row("invoice", api.invoice())
    assert (row["statecode"], row["statuscode"]) == (0, 1)


def test_the_currency_follows_the_customer_when_none_is_given(api: Api, sandbox: Sandbox) -> None:
    invoice = api.post("invoices", {"name": "x", "customerid_account@odata.bind": f"/accounts({ID['petrie']})"}).id
    assert sandbox.row("invoice", invoice)["transactioncurrencyid"] == ("transactioncurrency", ID["GBP"])


def test_a_price_list_of_another_currency_is_refused(api: Api) -> None:
    """0x80048cf6: The currency of the record does not match the currency of the price list."""
    body = {
        "name": "x",
        "customerid_account@odata.bind": f"/accounts({ID['petrie']})",
        "pricelevelid@odata.bind": f"/pricelevels({ID['NZD prices']})",
    }
    answer = api.post("invoices", body)
    assert (answer.status, answer.code) == (400, "0x80048cf6")
    invoice = api.invoice("boom")
    assert (
        api.patch(f"invoices({invoice})", {"pricelevelid@odata.bind": f"/pricelevels({ID['AUD prices']})"}).code == "0x80048cf6"
    )


def test_date_delivered_is_a_moment_and_due_date_a_day(api: Api) -> None:
    """Invoice table: datedelivered is UserLocal (DateTimeOffset), duedate DateOnly (Date)."""
    invoice = api.invoice(duedate="2026-12-20", datedelivered="2026-11-20T11:00:00Z")
    row = api.get(f"invoices({invoice})?$select=duedate,datedelivered").json
    assert (row["duedate"], row["datedelivered"]) == ("2026-12-20", "2026-11-20T11:00:00Z")
    assert api.patch(f"invoices({invoice})", {"datedelivered": "2026-11-21"}).status == 400
    assert api.patch(f"invoices({invoice})", {"duedate": "2026-12-20T00:00:00Z"}).status == 400


# --- lines ---------------------------------------------------------------------------------------------------------


def test_a_line_is_priced_from_the_price_list_and_named_by_its_product(api: Api, sandbox: Sandbox) -> None:
    """InvoiceDetail table: priceperunit of a catalogue line comes from the price list."""
    line = sandbox.row("invoicedetail", api.catalogue(api.invoice(), "tablet", "each", 2, priceperunit=1).id)
    assert (line["priceperunit"], line["baseamount"]) == (Decimal("749.95"), Decimal("1499.90"))
    assert (line["invoicedetailname"], line["productnumber"]) == ('Tablet 11"', "HW-TAB")
    override = api.catalogue(api.invoice(), "tablet", "each", 2, priceperunit=700, ispriceoverridden=True).id
    assert sandbox.row("invoicedetail", override)["baseamount"] == Decimal(1400)


def test_a_product_outside_the_price_list_is_a_pricing_error(api: Api, sandbox: Sandbox) -> None:
    """Invoice table: pricingerrorcode 11 (Product Not In Price Level) on the line, 1 (Detail Error) on the header."""
    invoice = api.invoice()
    line = api.catalogue(invoice, "pens", "each")
    assert sandbox.row("invoicedetail", line.id)["pricingerrorcode"] == 11
    assert sandbox.row("invoice", invoice)["pricingerrorcode"] == 1
    api.delete(f"invoicedetails({line.id})")
    assert sandbox.row("invoice", invoice)["pricingerrorcode"] == 0


def test_a_catalogue_line_needs_product_and_unit_and_takes_no_description(api: Api) -> None:
    """0x80043b11 missing product, 0x80043b0d missing unit, 0x80043b14 invalid unit, 0x80043afb/a with productdescription."""
    invoice = api.invoice()
    parent = {"invoiceid@odata.bind": f"/invoices({invoice})", "quantity": 1}
    product = {"productid@odata.bind": f"/products({ID['tablet']})"}
    unit = {"uomid@odata.bind": f"/uoms({ID['each']})"}
    foreign = {"uomid@odata.bind": f"/uoms({ID['hour']})"}
    text = {"productdescription": "x"}
    assert api.post("invoicedetails", parent | unit).code == "0x80043b11"
    assert api.post("invoicedetails", parent | product).code == "0x80043b0d"
    assert api.post("invoicedetails", parent | product | foreign).code == "0x80043b14"
    assert api.post("invoicedetails", parent | product | unit | text).code == "0x80043afb"
    assert api.post("invoicedetails", parent | unit | text).code == "0x80043afa"
    assert api.post("invoicedetails", parent | product | unit | {"isproductoverridden": True}).code == "0x80043afb"


def test_whether_a_line_is_written_in_cannot_change(api: Api) -> None:
    line = api.write_in(api.invoice())
    assert api.patch(f"invoicedetails({line.id})", {"isproductoverridden": False}).code == "0x80040203"


def test_a_bundle_line_knows_it_is_one(api: Api, sandbox: Sandbox) -> None:
    """InvoiceDetail table: producttypecode 2 is a bundle, 3 a required product of one."""
    invoice = api.invoice()
    bundle = api.catalogue(invoice, "starter-kit", "each").id
    child = api.catalogue(invoice, "kit-tablet", "each", producttypecode=3, parentbundleid=bundle).id
    assert sandbox.row("invoicedetail", bundle)["producttypecode"] == 2
    assert sandbox.row("invoicedetail", child)["parentbundleid"] == bundle


def test_a_line_without_an_invoice_is_refused(api: Api) -> None:
    assert api.post("invoicedetails", {"isproductoverridden": True, "productdescription": "x"}).status == 400


def test_totals_follow_the_lines_and_the_header(api: Api) -> None:
    """Pricing engine: base = (price - volume discount) x quantity, extended = base - manual discount + tax, and their sums."""
    invoice = api.invoice()
    api.write_in(
        invoice, quantity=Decimal("2.5"), price=Decimal("33.333"), manualdiscountamount=Decimal("3.33"), tax=Decimal("12.00")
    )
    api.write_in(invoice, quantity=-1, price=10)
    api.patch(f"invoices({invoice})", {"discountpercentage": 10, "discountamount": 5, "freightamount": Decimal("7.50")})
    assert totals(api, invoice) == {
        "totallineitemamount": Decimal("70.00"),  # 83.33 - 3.33 - 10
        "totallineitemdiscountamount": Decimal("3.33"),
        "totaldiscountamount": Decimal("12.00"),
        "totalamountlessfreight": Decimal("58.00"),
        "totaltax": Decimal("12.00"),
        "totalamount": Decimal("77.50"),
    }


def test_the_price_engine_overwrites_totals_that_are_sent(api: Api) -> None:
    """Invoice table: the totals are computed by the system, whatever an update says."""
    invoice = api.invoice()
    api.write_in(invoice, price=5)
    assert api.patch(f"invoices({invoice})", {"totalamount": 99, "totaltax": 9}).status == 204
    assert totals(api, invoice)["totalamount"] == 5
    assert totals(api, invoice)["totaltax"] == 0


def test_the_answer_to_a_create_does_not_have_the_totals_yet(api: Api) -> None:
    """Totals are to be read again after the lines were written."""
    body = {"name": "x", "customerid_account@odata.bind": f"/accounts({ID['boom']})"}
    created = api.post("invoices?$select=totalamount", body, Prefer="return=representation").json
    api.write_in(created["invoiceid"], price=5)
    assert created["totalamount"] == 0
    assert totals(api, created["invoiceid"])["totalamount"] == 5


def test_a_line_moves_the_invoices_version_but_not_its_modified_on(api: Api, sandbox: Sandbox) -> None:
    """Not documented; the harsher reading: polling modifiedon misses line edits, an ETag does not."""
    invoice = api.invoice()
    before = sandbox.row("invoice", invoice)
    sandbox.clock.advance(60)
    api.write_in(invoice, price=5)
    after = sandbox.row("invoice", invoice)
    assert after["modifiedon"] == before["modifiedon"]
    assert after["#version"] != before["#version"]


def test_a_manual_discount_may_be_per_unit(api: Api, sandbox: Sandbox) -> None:
    """Organization table: discountcalculationmethod 1 is per unit."""
    sandbox.environment.seed("organization", organizationid=sandbox.environment.organization_id, discountcalculationmethod=1)
    line = api.write_in(api.invoice(), quantity=3, price=10, manualdiscountamount=2).id
    assert sandbox.row("invoicedetail", line)["extendedamount"] == Decimal(24)


def test_lines_go_with_their_invoice(api: Api, sandbox: Sandbox) -> None:
    """Table relationship behavior: Cascade All on delete."""
    invoice = api.invoice()
    api.write_in(invoice)
    assert api.delete(f"invoices({invoice})").status == 204
    assert sandbox.rows("invoicedetail") == []


def test_locked_prices_refuse_write_in_lines(api: Api, sandbox: Sandbox) -> None:
    """LockInvoicePricing; locked prices block adding write-in products."""
    invoice = api.invoice()
    assert api.post(f"invoices({invoice})/Microsoft.Dynamics.CRM.LockInvoicePricing", {}).status == 204
    assert sandbox.row("invoice", invoice)["ispricelocked"] is True
    assert api.write_in(invoice).code == "0x80043b1d"
    assert api.post(f"invoices({invoice})/Microsoft.Dynamics.CRM.UnlockInvoicePricing", {}).status == 204
    assert api.write_in(invoice).status == 204


# --- states --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        {"statecode": 2, "statuscode": 4},
        {"statuscode": 100001},
        {"statecode": 0, "statuscode": 100003},
        {"statecode": 3, "statuscode": 1},
    ],
)
def test_a_status_of_another_state_is_refused(api: Api, body: dict[str, int]) -> None:
    """0x80048408: not a valid status code for the state code."""
    answer = api.patch(f"invoices({api.invoice()})", body)
    assert (answer.status, answer.code) == (400, "0x80048408")


def test_an_unknown_status_is_a_choice_out_of_range(api: Api) -> None:
    assert api.patch(f"invoices({api.invoice()})", {"statecode": 2, "statuscode": 100009}).code == "0x8004431a"


@pytest.mark.parametrize(("state", "status"), [(2, 100001), (3, 100003)])
def test_a_state_alone_takes_its_default_status(api: Api, sandbox: Sandbox, state: int, status: int) -> None:
    invoice = api.invoice()
    assert api.patch(f"invoices({invoice})", {"statecode": state}).status == 204
    assert sandbox.row("invoice", invoice)["statuscode"] == status


def test_active_becomes_billed_paid_canceled_and_active_again(api: Api, sandbox: Sandbox) -> None:
    """Business Central's connector: Active/Billed, Paid/Complete or Partial, Canceled, and back to Active before changes."""
    invoice = api.invoice()
    for body in (BOOKED, PARTIAL, BOOKED, PAID, CANCELED, BOOKED):
        assert api.patch(f"invoices({invoice})", body, If_Match="*").status == 204
        row = sandbox.row("invoice", invoice)
        assert (row["statecode"], row["statuscode"]) == (body["statecode"], body["statuscode"])


def test_a_canceled_invoice_cannot_be_paid(api: Api) -> None:
    """0x80100000: cannot be paid because it is not in active state."""
    invoice = api.invoice()
    api.patch(f"invoices({invoice})", CANCELED)
    answer = api.patch(f"invoices({invoice})", PAID)
    assert (answer.status, answer.code) == (400, "0x80100000")


def test_a_closed_invoice_cannot_be_canceled(api: Api, sandbox: Sandbox) -> None:
    """0x80100001: cannot be canceled because it is not in active or paid state."""
    invoice = api.invoice()
    sandbox.environment.seed("invoice", invoiceid=invoice, statecode=1, statuscode=7)
    assert api.patch(f"invoices({invoice})", CANCELED).code == "0x80100001"


@pytest.mark.parametrize("closed", [PAID, PARTIAL, CANCELED])
@pytest.mark.parametrize(
    "body", [{"name": "x"}, {"mag_amountpaid": 5}, {"mag_xeroid": "x", "statuscode": 100001, "statecode": 2}]
)
def test_a_closed_invoice_is_read_only_custom_columns_too(
    api: Api, sandbox: Sandbox, closed: dict[str, int], body: dict[str, Any]
) -> None:
    """Invoice table, StateCode: paid and canceled invoices are read-only unless reactivated (0x8004022e)."""
    invoice = api.invoice()
    api.patch(f"invoices({invoice})", closed)
    answer = api.patch(f"invoices({invoice})", body)
    if closed == CANCELED and body.get("statecode") == 2:
        assert answer.code == "0x80100000"
    else:
        assert (answer.status, answer.code) == (403, "0x8004022e")
    assert sandbox.row("invoice", invoice)["name"] == "Consulting November"
    assert sandbox.row("invoice", invoice)["mag_xeroid"] is None


def test_lines_of_a_closed_invoice_are_read_only(api: Api) -> None:
    invoice = api.invoice()
    line = api.write_in(invoice).id
    api.patch(f"invoices({invoice})", PAID)
    assert api.write_in(invoice).code == "0x8004022e"
    assert api.patch(f"invoicedetails({line})", {"quantity": 2}).code == "0x8004022e"
    assert api.delete(f"invoicedetails({line})").code == "0x8004022e"


def test_a_reactivated_invoice_can_be_written_in_the_same_request_or_a_later_one(api: Api, sandbox: Sandbox) -> None:
    invoice = api.invoice()
    api.patch(f"invoices({invoice})", PAID)
    assert api.patch(f"invoices({invoice})", {**BOOKED, "mag_amountpaid": 5}).status == 204
    assert api.patch(f"invoices({invoice})", {"mag_amountpaid": 6}).status == 204
    assert sandbox.row("invoice", invoice)["mag_amountpaid"] == 6


def test_an_administrator_may_write_and_delete_a_closed_invoice(api: Api, administrator: Api, sandbox: Sandbox) -> None:
    """Dynamics 365 Sales privacy: only administrators may update a read-only quote, order or invoice."""
    invoice = api.invoice()
    api.patch(f"invoices({invoice})", PAID)
    assert administrator.patch(f"invoices({invoice})", {"name": "corrected"}).status == 204
    refused = api.delete(f"invoices({invoice})")
    assert (refused.status, refused.code) == (403, "0x80040220")
    assert administrator.delete(f"invoices({invoice})").status == 204
    assert not sandbox.exists("invoice", invoice)
