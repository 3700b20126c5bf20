"""The items of an invoice in Xero: whose they are, how they are spelled, and which accounts they bring (SPEC 4; K05, K37, K41)."""

from decimal import Decimal
from typing import Any

import pytest

from mappings import invoice as tables
from shared.connectors import Connector
from shared.storage.seal import Seal
from tests.world import FAILED, NZ, OPTION, YES, World, derived

PURCHASE_INVOICE = OPTION + 1
SEND_WITHOUT_CODE, BLOCK = OPTION + 1, OPTION + 2
OWNED_BY_XERO = OPTION + 1


def number(world: World, letter: str) -> str:
    return f"{letter}{world.clock.now():%d%H%M%S}"


def product(world: World, number: str, **columns: Any) -> str:
    return world.post(
        "products",
        {
            "name": f"Product {number[:20]}",
            "productnumber": number,
            "defaultuomid@odata.bind": f"/uoms({world.id_of('each')})",
            "defaultuomscheduleid@odata.bind": f"/uomschedules({world.id_of('goods units')})",
            "quantitydecimal": 2,
            **columns,
        },
    )


def invoice_of(world: World, *products: str, **columns: Any) -> str:
    invoice = world.invoice(lines=0, flag=False, **columns)
    for one in products:
        world.line(
            invoice,
            productid=("products", one),
            uomid=("uoms", world.id_of("each")),
            ispriceoverridden=True,
            priceperunit=Decimal("9.00"),
        )
    world.flag(invoice)
    return invoice


def item(world: World, code: str) -> dict[str, Any]:
    (found,) = [dict(one) for one in world.xero.documents(NZ, "item") if one["Code"].casefold() == code.casefold()]
    return found


def in_xero(world: World, code: str, name: str = "The bookkeeper's name", **fields: Any) -> None:
    """Put an item into Xero as the bookkeeper did."""
    body = {"ItemID": derived(code), "Code": code, "Name": name}
    sides = {
        "IsSold": True,
        "IsPurchased": True,
        "SalesDetails": {},
        "PurchaseDetails": {},
        "UpdatedDateUTC": "2026-01-01T00:00:00+00:00",
    }
    world.xero.seed(NZ, "item", body | sides | fields, id=body["ItemID"], key=code)


@pytest.mark.parametrize(("columns", "account"), [({}, "270"), ({"mag_invoicetype": PURCHASE_INVOICE}, "404")])
def test_a_line_without_an_account_takes_its_items_for_the_side_of_the_document(
    world: World, nz: Connector, columns: dict[str, Any], account: str
):
    code = number(world, "K")
    in_xero(world, code, SalesDetails={"AccountCode": "270"}, PurchaseDetails={"AccountCode": "404"})
    known = product(world, code)
    first = invoice_of(world, known, **columns)
    world.settle()
    second = invoice_of(world, known, **columns)
    world.settle(minutes=5)
    for invoice in (first, second):
        assert world.row(invoice)["mag_exportstatus"] == YES
        assert [line["AccountCode"] for line in world.document_of(invoice)["LineItems"]] == [account]


def test_an_item_of_xeros_is_never_overwritten_where_xero_owns_the_items(world: World, nz: Connector):
    world.set(nz, mag_itemowner=OWNED_BY_XERO)
    theirs, ours = number(world, "X"), number(world, "Y")
    in_xero(world, theirs)
    products = [product(world, theirs), product(world, ours)]
    invoice = invoice_of(world, *products)
    world.settle()
    assert world.row(invoice)["mag_exportstatus"] == YES
    assert item(world, theirs)["Name"] == "The bookkeeper's name"
    assert item(world, ours)["Name"] == f"Product {ours}"
    world.patch(f"products({products[0]})", {"name": "Renamed in Dynamics"})
    before = world.xero.calls("", "/Items")
    invoice_of(world, *products)
    world.settle(minutes=5)
    assert world.xero.calls("", "/Items") == before
    assert item(world, theirs)["Name"] == "The bookkeeper's name"


def test_an_item_takes_the_name_of_dynamics_where_dynamics_owns_it(world: World, nz: Connector):
    code = number(world, "D")
    in_xero(world, code)
    invoice_of(world, product(world, code))
    world.settle()
    assert item(world, code)["Name"] == f"Product {code}"


@pytest.mark.parametrize("policy", [SEND_WITHOUT_CODE, BLOCK])
def test_a_code_is_the_same_whatever_its_capitals_and_the_line_sends_xeros_spelling(world: World, nz: Connector, policy: int):
    world.set(nz, mag_missingitempolicy=policy)
    code = number(world, "Ab-")
    in_xero(world, code.upper())
    sent: list[Any] = []
    real_call = world.services.xero.call

    def listen(connector: Connector, operation: str, *arguments: str, **options: Any) -> Any:
        if operation == "create_invoices":
            sent.append(options["body"]["Invoices"][0]["LineItems"][0].get("ItemCode"))
        return real_call(connector, operation, *arguments, **options)

    world.services.xero.call = listen  # type: ignore[method-assign]
    try:
        invoice = invoice_of(world, product(world, code.lower()))
        world.settle()
    finally:
        world.services.xero.call = real_call  # type: ignore[method-assign]
    assert world.row(invoice)["mag_exportstatus"] == YES
    assert sent == [code.upper()]


@pytest.mark.parametrize("code", ['17" TFT', '"', 'a"b"c'])
def test_a_quotation_mark_in_a_product_number_does_not_break_the_look_up(world: World, nz: Connector, code: str):
    world.set(nz, mag_missingitempolicy=SEND_WITHOUT_CODE)
    code = f"{code}{number(world, '')}" if code != '"' else code
    in_xero(world, code)
    invoice = invoice_of(world, product(world, code))
    world.settle()
    assert world.row(invoice)["mag_exportstatus"] == YES
    assert [line.get("ItemCode") for line in world.document_of(invoice)["LineItems"]] == [code]


def test_a_product_number_xero_cannot_hold_refuses_only_where_the_line_needs_it(world: World, nz: Connector):
    code = number(world, "L") + "x" * 30
    long = product(world, code)
    refused = invoice_of(world, long)
    world.settle()
    assert world.row(refused)["mag_exportstatus"] == FAILED
    world.set(nz, mag_missingitempolicy=SEND_WITHOUT_CODE)
    sent = invoice_of(world, long)
    world.settle(minutes=5)
    assert world.row(sent)["mag_exportstatus"] == YES
    assert [line.get("ItemCode") for line in world.document_of(sent)["LineItems"]] == [None]


def test_an_item_deleted_in_xero_is_made_again_in_the_same_try(world: World, nz: Connector):
    code = number(world, "G")
    known = product(world, code)
    invoice_of(world, known)
    world.settle()
    gone = item(world, code)
    world.xero.change(NZ, "item", gone["ItemID"], Code=f"OLD-{code}")
    invoice = invoice_of(world, known)
    world.settle(minutes=5)
    assert world.row(invoice)["mag_exportstatus"] == YES
    assert item(world, code)["ItemID"] != gone["ItemID"]


def test_an_account_changed_on_the_item_is_used_after_a_refusal(world: World, nz: Connector):
    code = number(world, "C")
    in_xero(world, code, SalesDetails={"AccountCode": "270"})
    known = product(world, code)
    invoice_of(world, known)
    world.settle()
    account = next(one for one in world.xero.documents(NZ, "account") if one.get("Code") == "270")
    world.xero.change(NZ, "item", item(world, code)["ItemID"], SalesDetails={"AccountCode": "260"})
    world.xero.change(NZ, "account", account["AccountID"], Status="ARCHIVED")
    try:
        invoice = invoice_of(world, known)
        world.settle(minutes=5)
        assert world.row(invoice)["mag_exportstatus"] == FAILED
        world.retry(invoice)
        world.settle(minutes=6)
        assert world.row(invoice)["mag_exportstatus"] == YES
        assert [line["AccountCode"] for line in world.document_of(invoice)["LineItems"]] == ["260"]
    finally:
        world.xero.change(NZ, "account", account["AccountID"], Status="ACTIVE")


def test_a_missing_item_names_the_setting_that_refuses_it(world: World, nz: Connector):
    world.set(nz, mag_missingitempolicy=BLOCK)
    invoice = invoice_of(world, product(world, number(world, "R")))
    world.settle()
    refused = world.histories(invoice)[-1]
    assert "Missing Items is Refuse the invoice" in refused["mag_cause"]
    assert "Create New Products" not in refused["mag_cause"] + refused["mag_fix"]


def test_a_new_key_makes_no_item_look_changed(own_world: World):
    world = own_world
    world.connect()
    known = product(world, number(world, "N"))
    invoice_of(world, known)
    world.settle()
    vars(world.secrets).update(vars(Seal([bytes([1] * 32), bytes(32)])))
    before = world.xero.calls("", "/Items")
    invoice = invoice_of(world, known)
    world.settle(minutes=5)
    assert world.row(invoice)["mag_exportstatus"] == YES
    assert world.xero.calls("", "/Items") == before


def test_only_lines_that_name_an_item_need_their_product():
    def line(number: str, **columns: Any) -> dict[str, Any]:
        id = derived(number)
        return {"productid": {"productid": id, "productnumber": number}, "quantity": 1, "priceperunit": Decimal(9)} | columns

    part = line("PART", producttypecode=3, priceperunit=Decimal(0))
    whole = line("WHOLE", quantity=Decimal("0.33333"))
    lines = [line("BUNDLE", producttypecode=2), part, whole, line("PLAIN"), line("PLAIN")]
    record = {"invoice_details": lines, "transactioncurrencyid": {"isocurrencycode": "NZD"}}
    assert [one["productnumber"] for one in tables.products(record, {})] == ["BUNDLE", "PLAIN"]


def test_an_account_only_xero_knows_is_enough_without_a_default(own_world: World):
    world = own_world
    connector = world.connect()
    world.set(connector, **{"mag_defaultaccountcodeid@odata.bind": None})
    code = number(world, "Q")
    in_xero(world, code, SalesDetails={"AccountCode": "270"})
    invoice = invoice_of(world, product(world, code))
    without = world.invoice()
    world.settle()
    assert [line["AccountCode"] for line in world.document_of(invoice)["LineItems"]] == ["270"]
    assert world.row(without)["mag_exportstatus"] == FAILED
    assert "The line has no account" in world.histories(without)[-1]["mag_details"]
