"""Xero's items as products: made, matched by number, followed only where Xero owns them, and never made twice (A203, K23, K41)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from functions import items_from_xero, links, reference_data
from functions.reference_rows import Step
from sandbox.dataverse.store import Reference
from sandbox.xero.demo_company import ITEMS, NZ
from sandbox.xero.faults import Fault
from shared.connectors import Connector
from shared.errors import Problem
from shared.services import Lane
from tests.functions.test_items import in_xero, invoice_of, item, product
from tests.world import OPTION, YES, World, derived
from tests.world import world as open_world

OWNED_BY_XERO = OPTION + 1
FLOW = "items-from-xero"


@pytest.fixture(scope="module")
def item_world(authorities: Path) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch, open_world(authorities) as opened:
        patch.setenv("REQUESTS_CA_BUNDLE", str(authorities / "authorities.pem"))
        opened.flow(opened.connect(), FLOW, mag_enabled=True)
        load(opened)
        yield opened


@pytest.fixture
def world(item_world: World) -> Iterator[World]:
    """A world whose connector makes products of items; each test has items of its own."""
    yield item_world
    item_world.xero.faults.clear()
    item_world.dataverse.faults.clear()
    item_world.restore()


def load(world: World) -> str:
    """Ask for the reference data, as an unknown code does, and let a sweep load it; return what became of the items."""
    world.clock.move(minutes=11)
    reference_data.ask_for_refresh(world.services, world.connectors()[0])
    world.dataverse.log.clear()
    world.settle()
    return run(world).counts.rpartition("Items: ")[2]


def run(world: World) -> reference_data.Run:
    loaded = reference_data.Run.of(world.store.read("flowruns", world.connectors()[0].key, reference_data.ROW))
    assert (loaded.last_error, loaded.asked) == ("", "")
    return loaded


def products(world: World, number: str) -> list[dict[str, Any]]:
    return [dict(row) for row in world.dataverse.rows("product") if str(row["productnumber"]).casefold() == number.casefold()]


def the_product(world: World, number: str) -> dict[str, Any]:
    (found,) = products(world, number)
    return found


def link_of(world: World, product: str) -> links.Link | None:
    return links.read(world.services, world.connectors()[0], "item", f"product/{product}")


def writes(world: World) -> list[str]:
    parts = [part for call in world.dataverse.log for part in (call.operations or [{"method": call.method, "path": call.path}])]
    return [str(part) for part in parts if "GET" not in str(part) and "mag_xeroconnector" not in str(part)]


def invoice_with(world: World, made: str) -> str:
    """Invoice a product that was made from an item."""
    invoice = world.invoice(lines=0, flag=False)
    unit = ("uoms", world.id_of("primary unit"))
    world.line(invoice, productid=("products", made), uomid=unit, ispriceoverridden=True, priceperunit=Decimal("9.00"))
    world.flag(invoice)
    return invoice


def detail(world: World) -> str:
    return str(world.get(f"mag_xeroconnectors({world.connectors()[0].id})")["mag_xerostatusdetail"] or "")


@contextmanager
def answering(world: World, operation: str, answer: Any) -> Iterator[None]:
    """Let Xero answer one operation with rubbish."""
    real = world.services.xero.call

    def call(connector: Connector, name: str, *arguments: str, **options: Any) -> Any:
        return answer if name == operation else real(connector, name, *arguments, **options)

    world.services.xero.call = call  # type: ignore[assignment,method-assign]
    try:
        yield
    finally:
        world.services.xero.call = real  # type: ignore[method-assign]


# ── what is made ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_item_xero_has_is_a_product_by_its_number(world: World, nz: Connector):
    for code, name, *_ in ITEMS:
        found = the_product(world, code)
        link = link_of(world, found["productid"])
        assert link is not None
        assert (link.xero_id, link.code) == (item(world, code)["ItemID"], code)
        if code != "BOOK":  # a product of Dynamics 365 bears this number
            assert (found["name"], found["quantitydecimal"], found["productstructure"]) == (name, 4, 1)


def test_a_product_made_from_an_item_is_active_and_in_the_units_of_the_environment(world: World, nz: Connector):
    found = the_product(world, "TSL-BLACK")
    assert (found["statecode"], found["statuscode"]) == (0, 1)
    assert found["description"] == "T-shirt, large, black"
    assert found["defaultuomscheduleid"] == Reference("uomschedule", world.id_of("default unit units"))
    assert found["defaultuomid"] == Reference("uom", world.id_of("primary unit"))


def test_where_there_is_no_default_unit_the_oldest_unit_group_is_chosen(world: World, nz: Connector):
    env, default = world.dataverse.environment, world.id_of("default unit units")
    env.update("uomschedule", default, {"statecode": 1, "statuscode": 2}, env.system)
    env.seed("uomschedule", uomscheduleid=world.id_of("goods units"), name="Goods", createdon="2020-01-01T00:00:00Z")
    try:
        in_xero(world, "UNIT-1")
        load(world)
        assert the_product(world, "UNIT-1")["defaultuomid"] == Reference("uom", world.id_of("each"))
    finally:
        env.update("uomschedule", default, {"statecode": 0, "statuscode": 1}, env.system)


def test_without_a_unit_group_one_sentence_says_so_and_it_is_made_later(world: World, nz: Connector):
    env = world.dataverse.environment
    groups = [row["uomscheduleid"] for row in world.dataverse.rows("uomschedule")]
    in_xero(world, "UNIT-2")
    for group in groups:
        env.update("uomschedule", group, {"statecode": 1, "statuscode": 2}, env.system)
    try:
        load(world)
    finally:
        for group in groups:
            env.update("uomschedule", group, {"statecode": 0, "statuscode": 1}, env.system)
    assert "no active unit group" in detail(world)
    assert products(world, "UNIT-2") == []
    load(world)
    assert the_product(world, "UNIT-2")["statecode"] == 0
    assert "unit group" not in detail(world)


@pytest.mark.parametrize("code", ["O'Brien & Co;#1", "50%_[x]", "Käse", "a/b\\c", 'x"y', "é" * 30])
def test_a_code_of_odd_characters_makes_one_product_and_finds_it_again(world: World, nz: Connector, code: str):
    in_xero(world, code)
    assert load(world).startswith("1 new")
    assert load(world).startswith("0 new")
    assert the_product(world, code)["productnumber"] == code


def test_an_item_without_a_name_is_named_by_its_code(world: World, nz: Connector):
    in_xero(world, "NAMELESS", Name=None, PurchaseDescription="Bought like this")
    load(world)
    found = the_product(world, "NAMELESS")
    assert (found["name"], found["description"]) == ("NAMELESS", "Bought like this")


def test_a_text_dynamics_cannot_hold_is_cut_with_a_warning(world: World, nz: Connector):
    in_xero(world, "LONG-1", Name="N" * 101, Description="d" * 2001)
    load(world)
    found = the_product(world, "LONG-1")
    assert (len(found["name"]), len(found["description"])) == (100, 2000)
    assert "Item LONG-1: The text has 101 characters; Dynamics 365 takes 100. The rest was cut off." in run(world).problems


def test_an_item_neither_sold_nor_bought_becomes_no_product(world: World, nz: Connector):
    in_xero(world, "UNUSED", IsSold=False, IsPurchased=False)
    in_xero(world, "BOUGHT", IsSold=False, IsPurchased=True)
    assert load(world).startswith("1 new")
    assert (len(products(world, "UNUSED")), len(products(world, "BOUGHT"))) == (0, 1)


def test_a_tracked_item_is_bought_into_its_inventory_account(world: World, nz: Connector):
    in_xero(
        world,
        "TRACKED",
        IsTrackedAsInventory=True,
        InventoryAssetAccountCode="630",
        SalesDetails={"AccountCode": "200"},
        PurchaseDetails={"COGSAccountCode": "310"},
        QuantityOnHand=7,
    )
    load(world)
    link = link_of(world, the_product(world, "TRACKED")["productid"])
    assert link is not None
    assert (link.sales_account, link.purchase_account) == ("200", "630")


def test_more_items_than_one_request_holds_all_become_products(world: World, nz: Connector):
    for number in range(120):
        in_xero(world, f"MANY-{number:03}")
    assert load(world).startswith("120 new")
    assert load(world).startswith("0 new, 0 changed")
    assert sum(str(row["productnumber"]).startswith("MANY-") for row in world.dataverse.rows("product")) == 120
    for number in range(120):
        world.xero.store.delete(NZ, "item", derived(f"MANY-{number:03}"))


# ── what is there ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_as_it_was_costs_one_call_and_writes_nothing(world: World, nz: Connector):
    load(world)
    before, stored = world.xero.calls("GET", "/Items"), len(world.store.calls)
    assert load(world).startswith("0 new, 0 changed, 0 archived")
    assert world.xero.calls("GET", "/Items") - before == 1
    assert writes(world) == []
    assert [call for call in world.store.calls[stored:] if call == ("upsert", "links")] == []


@pytest.mark.parametrize("code", ["match-1", " MATCH-1", "MATCH-1"])
def test_a_product_of_the_number_is_the_items_whatever_its_capitals(world: World, nz: Connector, code: str):
    known = products(world, "MATCH-1") or [{"productid": product(world, "Match-1")}]
    world.xero.store.delete(NZ, "item", derived("match"))
    in_xero(world, code, ItemID=derived("match"))
    load(world)
    assert [row["productid"] for row in products(world, "MATCH-1")] == [known[0]["productid"]]
    link = link_of(world, known[0]["productid"])
    assert link is not None
    assert (link.xero_id, link.code) == (derived("match"), code)


def test_two_products_of_one_number_are_both_the_items_and_neither_is_made_again(world: World, nz: Connector):
    numbered = [product(world, "TWIN-1"), product(world, "TWIN-1")]
    in_xero(world, "TWIN-1")
    assert load(world).startswith("0 new")
    found = [link_of(world, one) for one in numbered]
    assert [link.xero_id for link in found if link] == [derived("TWIN-1")] * 2


def test_a_retired_product_keeps_its_number_and_its_name(world: World, nz: Connector):
    world.set(nz, mag_itemowner=OWNED_BY_XERO)
    retired = product(world, "RETIRED")
    world.patch(f"products({retired})", {"statecode": 1, "statuscode": 2})
    in_xero(world, "RETIRED")
    assert load(world).startswith("0 new")
    found = the_product(world, "RETIRED")
    assert (found["name"], found["statecode"]) == ("Product RETIRED", 1)


def test_a_product_deleted_on_purpose_is_not_made_again(world: World, nz: Connector):
    in_xero(world, "DELETED")
    load(world)
    world.delete(f"products({the_product(world, 'DELETED')['productid']})")
    assert load(world).startswith("0 new")
    assert products(world, "DELETED") == []
    assert "DELETED" not in run(world).problems


def test_a_new_code_in_xero_makes_no_second_product_and_is_told(world: World, nz: Connector):
    in_xero(world, "OLD-1")
    load(world)
    world.xero.change(NZ, "item", derived("OLD-1"), Code="NEW-1")
    assert load(world).startswith("0 new")
    assert (len(products(world, "OLD-1")), products(world, "NEW-1")) == (1, [])
    assert "The item NEW-1 of Xero is linked to a product that bears another number, OLD-1." in detail(world)
    world.patch(f"products({the_product(world, 'OLD-1')['productid']})", {"productnumber": "NEW-1"})
    load(world)
    assert "NEW-1" not in detail(world)
    link = link_of(world, the_product(world, "NEW-1")["productid"])
    assert link is not None
    assert link.code == "NEW-1"


def test_an_item_made_anew_under_its_code_is_linked_anew(world: World, nz: Connector):
    in_xero(world, "ANEW")
    load(world)
    world.xero.store.delete(NZ, "item", derived("ANEW"))
    load(world)
    gone = link_of(world, the_product(world, "ANEW")["productid"])
    assert gone is not None
    assert gone.in_doubt  # a line must not name it before Xero is asked
    in_xero(world, "ANEW", ItemID=derived("ANEW again"))
    load(world)
    link = link_of(world, the_product(world, "ANEW")["productid"])
    assert link is not None
    assert (link.xero_id, link.in_doubt) == (derived("ANEW again"), False)


# ── whose names win (K41) ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_where_xero_owns_the_items_name_and_description_follow(world: World, nz: Connector):
    world.set(nz, mag_itemowner=OWNED_BY_XERO)
    mine = product(world, "FOLLOW", description="Ours", suppliername="Rex")
    in_xero(world, "FOLLOW", Name="Theirs", Description="Their words")
    assert load(world).startswith("0 new, 1 changed")
    found = the_product(world, "FOLLOW")
    assert (found["productid"], found["name"], found["description"], found["suppliername"]) == (
        mine,
        "Theirs",
        "Their words",
        "Rex",
    )
    assert [part for part in writes(world) if "products(" in part] != []
    world.xero.change(NZ, "item", derived("FOLLOW"), Name="Renamed", Description="")
    load(world)
    found = the_product(world, "FOLLOW")
    assert (found["name"], found["description"]) == ("Renamed", None)
    assert load(world).startswith("0 new, 0 changed")


def test_where_dynamics_owns_the_items_a_product_is_never_rewritten(world: World, nz: Connector):
    mine = product(world, "OURS", description="Ours")
    in_xero(world, "OURS", Name="Theirs", Description="Their words")
    assert load(world).startswith("0 new, 0 changed")
    in_xero(world, "MADE", Name="As it was made")
    load(world)
    world.xero.change(NZ, "item", derived("MADE"), Name="Renamed in Xero")
    load(world)
    assert (the_product(world, "OURS")["name"], the_product(world, "OURS")["description"]) == ("Product OURS", "Ours")
    assert the_product(world, "MADE")["name"] == "As it was made"
    assert mine == the_product(world, "OURS")["productid"]


@pytest.mark.parametrize("owner", [OPTION, OWNED_BY_XERO])
def test_a_product_made_from_an_item_is_not_sent_back(world: World, nz: Connector, owner: int):
    world.set(nz, mag_itemowner=owner)
    code = f"BACK-{owner}"
    in_xero(world, code, Name="The bookkeeper's name", IsPurchased=False)
    load(world)
    before = world.xero.calls("", "/Items")
    invoice = invoice_with(world, the_product(world, code)["productid"])
    world.settle(minutes=5)
    assert world.row(invoice)["mag_exportstatus"] == YES
    assert [line["ItemCode"] for line in world.document_of(invoice)["LineItems"]] == [code]
    assert world.xero.calls("", "/Items") == before
    assert item(world, code)["IsPurchased"] is False


def test_a_product_made_from_an_item_is_sent_once_it_is_changed_where_dynamics_owns_it(world: World, nz: Connector):
    in_xero(world, "CHANGED", Name="The bookkeeper's name")
    load(world)
    mine = the_product(world, "CHANGED")["productid"]
    world.patch(f"products({mine})", {"name": "The salesperson's name"})
    invoice_with(world, mine)
    world.settle(minutes=5)
    assert item(world, "CHANGED")["Name"] == "The salesperson's name"
    assert load(world).startswith("0 new, 0 changed")
    assert the_product(world, "CHANGED")["name"] == "The salesperson's name"


def test_an_item_made_by_the_way_to_xero_comes_back_as_its_own_product(world: World, nz: Connector):
    mine = product(world, "THERE")
    invoice_of(world, mine)
    world.settle(minutes=5)
    sent = link_of(world, mine)
    assert sent is not None
    assert load(world).startswith("0 new, 0 changed")
    assert [row["productid"] for row in products(world, "THERE")] == [mine]
    assert link_of(world, mine) == sent  # what was sent stays noted


# ── when ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ({}, False),
        ({"invoices-from-xero": True}, True),
        ({"invoices-from-xero": False}, False),
        ({"invoices-from-xero": True, FLOW: False}, False),
        ({"invoices-from-xero": False, FLOW: True}, True),
        ({FLOW: None, "invoices-from-xero": True}, True),
    ],
)
def test_items_come_where_invoices_do_unless_the_connector_says_otherwise(rows: dict[str, Any], wanted: bool, nz: Connector):
    flows = [{"mag_flow": name, "mag_enabled": enabled} for name, enabled in rows.items()]
    assert items_from_xero.is_wanted(replace(nz, settings={"flows": flows})) is wanted


def test_the_flows_own_row_switches_items_off_and_on_through_the_sweep(own_world: World):
    connector = own_world.connect(flows=("invoices-from-xero",))
    row = own_world.flow(connector, FLOW, mag_enabled=False)
    in_xero(own_world, "SWITCHED")
    for enabled, found in ((False, 0), (True, 1)):
        own_world.patch(f"mag_xeroflows({row})", {"mag_enabled": enabled})
        own_world.clock.move(minutes=11)
        reference_data.ask_for_refresh(own_world.services, connector)
        own_world.settle(minutes=16)
        assert len(products(own_world, "SWITCHED")) == found


def test_the_create_new_products_setting_speaks_of_the_way_to_xero_only(world: World, nz: Connector):
    world.set(nz, mag_createnewproducts=False)
    in_xero(world, "SETTING")
    assert load(world).startswith("1 new")


def test_items_are_read_last_and_shown_among_the_counts(world: World, nz: Connector):
    load(world)
    titles = [part.partition(":")[0] for part in run(world).counts.split("; ")]
    assert titles == ["Tax Rates", "Account Codes", "Branding Themes", "Tracking Categories", "Tracking Options", "Items"]


# ── what goes wrong ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_item_xero_sends_without_code_or_id_is_told_and_holds_back_no_other(world: World, nz: Connector):
    rubbish = [
        None,
        "x",
        {},
        {"Code": "NOID"},
        {"ItemID": derived("NOCODE"), "Code": None},
        {"ItemID": "1", "Code": "S", "SalesDetails": 5},
    ]
    good = {"ItemID": derived("GOOD"), "Code": "GOOD", "Name": "Good", "IsSold": None, "SalesDetails": None}
    with answering(world, "get_items", {"Items": [*rubbish, good]}):
        assert load(world).startswith("1 new")
    assert the_product(world, "GOOD")["name"] == "Good"
    assert "Xero sent 6 items without Code or ItemID" in run(world).problems


@pytest.mark.parametrize("answer", [{}, {"Items": None}, {"Items": {"Code": "X"}}])
def test_an_answer_without_its_list_changes_nothing_and_is_asked_again(world: World, nz: Connector, answer: Any):
    load(world)
    linked = links.read_all(world.services, nz, "item")
    world.clock.move(minutes=11)
    reference_data.ask_for_refresh(world.services, nz)
    with answering(world, "get_items", answer):
        world.settle()
    noted = reference_data.Run.of(world.store.read("flowruns", nz.key, reference_data.ROW))
    assert noted.last_error == "Retryable: Xero answered without its Items."
    assert links.read_all(world.services, nz, "item") == linked
    world.clock.move(minutes=30)
    world.settle(minutes=5)
    assert run(world).done


def test_a_product_dynamics_refuses_is_told_and_holds_back_no_other(world: World, nz: Connector):
    in_xero(world, "REFUSED")
    in_xero(world, "TAKEN")
    refusing = _Refuses(world.services.dataverse, "REFUSED")
    step = Step("Items")
    world.clock.move(minutes=2)
    items_from_xero.load(nz, replace(world.services, dataverse=refusing), step, Lane.REFERENCE_DATA)
    assert (step.created, [problem.message for problem in step.problems]) == (1, ["REFUSED: A plug-in refused it."])
    assert load(world).startswith("1 new")


class _Refuses:
    """Dataverse with a customer's plug-in that refuses the product of one number, and its whole change set with it."""

    def __init__(self, dataverse: Any, number: str) -> None:
        self._dataverse, self._number = dataverse, number

    def send(self, environment: str, operations: Any) -> Any:
        sets = {one.change_set for one in operations if (one.body or {}).get("productnumber") == self._number}
        kept = [one for one in operations if one.change_set not in sets or not one.change_set]
        found = iter(self._dataverse.send(environment, kept) if kept else [])
        refused = {"error": {"code": "0x80040265", "message": Problem("A plug-in refused it.").message}}
        template = self._dataverse.send(environment, [operations[0].__class__("GET", "WhoAmI")])[0]
        return [
            replace(template, status=400, body=refused) if one.change_set in sets and one.change_set else next(found)
            for one in operations
        ]


def test_a_load_that_dies_after_making_products_makes_none_twice(world: World, nz: Connector):
    in_xero(world, "DIES")
    dying = replace(world.services, store=_DiesOn(world.store, "links"))
    with pytest.raises(SystemExit):
        items_from_xero.load(nz, dying, Step("Items"), Lane.REFERENCE_DATA)
    made = the_product(world, "DIES")["productid"]
    assert link_of(world, made) is None
    assert load(world).startswith("0 new")
    link = link_of(world, made)
    assert link is not None
    assert (the_product(world, "DIES")["productid"], link.xero_id) == (made, derived("DIES"))


class _DiesOn:
    """Table Storage on a host that dies at the first write of a table."""

    def __init__(self, store: Any, table: str) -> None:
        self._store, self._table = store, table

    def upsert(self, table: str, *arguments: Any) -> None:
        if table == self._table:
            raise SystemExit
        self._store.upsert(table, *arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def test_a_fault_of_xero_fails_the_step_and_not_the_others(world: World, nz: Connector):
    world.clock.move(minutes=2)
    world.xero.faults.add(Fault("500", method="GET", path="/Items"))
    steps = reference_data.load_reference_data(world.connector(nz), world.services)
    assert [step.title for step in steps if step.error is not None] == ["Items"]


def test_an_invoice_from_xero_finds_the_product_of_an_item_that_is_new_too(own_world: World):
    prices = ("pricelevels", own_world.id_of("NZD prices"))
    connector = own_world.connect(flows=("invoices-from-xero",), mag_defaultpricelistid=prices)
    own_world.settle()
    own_world.clock.move(hours=6)
    in_xero(own_world, "BRAND-NEW", SalesDetails={"AccountCode": "200"})
    line = {"ItemCode": "BRAND-NEW", "Description": "New", "Quantity": 1, "UnitAmount": 9, "AccountCode": "200"}
    own_world.xero_invoice(LineItems=[line])
    own_world.settle(minutes=16)
    loaded = reference_data.Run.of(own_world.store.read("flowruns", connector.key, reference_data.ROW))
    assert f"Items: {len(ITEMS)} new" in loaded.counts  # all but BOOK, and the new one
    made = the_product(own_world, "BRAND-NEW")
    lines = [
        row for row in own_world.dataverse.rows("invoicedetail") if row["productid"] == Reference("product", made["productid"])
    ]
    assert len(lines) == 1
