"""The customer and the items of an invoice in Xero (SPEC 4; K03-K05, C08)."""

from decimal import Decimal
from typing import Any

import pytest

from shared.connectors import Connector
from tests.world import FAILED, OPTION, YES, World

CREATE_ONCE, MATCH_ONLY = OPTION + 1, OPTION + 2
SEND_WITHOUT_CODE, BLOCK = OPTION + 1, OPTION + 2


def contacts_named(world: World, name: str) -> list[dict[str, Any]]:
    return [dict(one) for one in world.xero.documents("Demo Company (NZ)", "contact") if one["Name"].lower() == name.lower()]


def customer(world: World, **columns: Any) -> str:
    """Write an account nobody knows yet and return its id."""
    return world.post("accounts", {"name": f"Customer {world.clock.now():%H%M%S}", **columns})


def invoice_for(world: World, account: str, **columns: Any) -> str:
    return world.invoice(**columns, customerid_account=("accounts", account))


def test_a_new_customer_becomes_a_contact_with_all_it_has(world: World, nz: Connector):
    account = customer(
        world,
        accountnumber="AN-1",
        telephone1="09 555",
        emailaddress1="pay@new.example",
        address1_line1="1 New Road",
        address1_city="Napier",
    )
    invoice = invoice_for(world, account)
    world.settle()
    (contact,) = contacts_named(world, world.get(f"accounts({account})")["name"])
    assert contact["ContactNumber"] == account
    assert (contact["AccountNumber"], contact["EmailAddress"]) == ("AN-1", "pay@new.example")
    streets = {address["AddressType"]: address.get("AddressLine1") for address in contact["Addresses"]}
    assert streets == {"STREET": "1 New Road", "POBOX": "1 New Road"}
    assert world.document_of(invoice)["Contact"]["ContactID"] == contact["ContactID"]


def test_a_second_invoice_of_a_customer_costs_no_call_for_the_contact(world: World, nz: Connector):
    account = customer(world)
    invoice_for(world, account)
    world.settle()
    invoice_for(world, account)
    before = world.xero_calls()
    world.settle(minutes=5)
    assert world.xero_calls() - before == 2  # the invoice and its pay-now link


def test_a_contact_of_the_same_name_is_matched_filled_in_and_never_overwritten(world: World, nz: Connector):
    name = f"Known {world.clock.now():%H%M%S}"
    contact = world.xero_contact(Name=name, EmailAddress="bookkeeper@chose.example")
    account = world.post("accounts", {"name": name.upper(), "emailaddress1": "crm@says.example", "accountnumber": "AN-9"})
    invoice = invoice_for(world, account)
    world.settle()
    (found,) = contacts_named(world, name)
    assert found["ContactID"] == contact
    assert (found["EmailAddress"], found["AccountNumber"]) == ("bookkeeper@chose.example", "AN-9")
    assert found["ContactNumber"] == account
    assert world.document_of(invoice)["Contact"]["ContactID"] == contact


def test_an_account_number_matches_before_a_name(world: World, nz: Connector):
    stamp = f"{world.clock.now():%H%M%S}"
    by_number = world.xero_contact(Name=f"Old Name {stamp}", AccountNumber=f"AN{stamp}")
    account = world.post("accounts", {"name": f"New Name {stamp}", "accountnumber": f"AN{stamp}"})
    invoice = invoice_for(world, account)
    world.settle()
    assert world.document_of(invoice)["Contact"]["ContactID"] == by_number


def test_an_update_carries_only_what_changed_in_dynamics_so_a_bookkeepers_edit_survives(world: World, nz: Connector):
    account = customer(world, telephone1="09 111", emailaddress1="first@mail.example")
    invoice_for(world, account)
    world.settle()
    (contact,) = contacts_named(world, world.get(f"accounts({account})")["name"])
    world.xero.change("Demo Company (NZ)", "contact", contact["ContactID"], EmailAddress="bookkeeper@mail.example")
    world.patch(f"accounts({account})", {"telephone1": "09 222"})
    invoice_for(world, account)
    world.settle(minutes=5)
    (contact,) = contacts_named(world, contact["Name"])
    assert contact["EmailAddress"] == "bookkeeper@mail.example"
    assert next(phone["PhoneNumber"] for phone in contact["Phones"] if phone["PhoneType"] == "DEFAULT") == "09 222"


@pytest.mark.parametrize("policy", [CREATE_ONCE, MATCH_ONLY])
def test_with_the_other_policies_a_contact_is_never_changed(world: World, nz: Connector, policy: int):
    account = customer(world, telephone1="09 111")
    invoice_for(world, account)
    world.settle()
    world.set(nz, mag_contactpolicy=policy)
    world.patch(f"accounts({account})", {"telephone1": "09 999"})
    invoice_for(world, account)
    before = world.xero_calls()
    world.settle(minutes=5)
    assert world.xero_calls() - before == 2


@pytest.mark.parametrize("settings", [{"mag_createnewcontacts": False}, {"mag_contactpolicy": MATCH_ONLY}])
def test_where_none_may_be_made_an_unknown_customer_is_refused_and_goes_once_xero_has_it(
    world: World, nz: Connector, settings: dict[str, Any]
):
    world.set(nz, **settings)
    account = customer(world)
    invoice = invoice_for(world, account)
    world.settle()
    refused = world.histories(invoice)[-1]
    assert world.row(invoice)["mag_exportstatus"] == FAILED
    assert "does not create contacts" in refused["mag_details"]
    world.xero_contact(Name=world.get(f"accounts({account})")["name"])
    world.retry(invoice)
    world.settle(minutes=5)
    assert world.row(invoice)["mag_exportstatus"] == YES


@pytest.mark.parametrize(("name", "word"), [("Old Mill Bakery", "archived"), ("Forgotten Customer", "gdprrequest")])
def test_a_contact_nobody_may_use_refuses_the_invoice_in_words(world: World, nz: Connector, name: str, word: str):
    account = world.post("accounts", {"name": name})
    invoice = invoice_for(world, account)
    world.settle()
    refused = world.histories(invoice)[-1]
    assert word in refused["mag_details"]
    assert refused["mag_fix"]
    assert contacts_named(world, name)[0]["ContactStatus"] != "ACTIVE"


def test_a_merged_contact_is_followed_to_the_one_that_lives(world: World, nz: Connector):
    account = world.post("accounts", {"name": "Hamilton Smith Limited"})
    invoice = invoice_for(world, account)
    world.settle()
    (living,) = contacts_named(world, "Hamilton Smith Ltd")
    assert world.document_of(invoice)["Contact"]["ContactID"] == living["ContactID"]


def test_two_customers_of_one_name_are_never_put_on_one_contact(world: World, nz: Connector):
    name = f"Twin {world.clock.now():%H%M%S}"
    first, second = (world.post("accounts", {"name": name}) for _ in range(2))
    one = invoice_for(world, first)
    world.settle()
    other = invoice_for(world, second)
    world.settle(minutes=5)
    assert world.row(one)["mag_exportstatus"] == YES
    assert "already linked to another customer" in world.histories(other)[-1]["mag_details"]
    world.patch(f"accounts({second})", {"name": f"{name} South"})
    world.settle(minutes=6)
    assert world.row(other)["mag_exportstatus"] == YES


def test_the_number_another_integration_gave_a_contact_is_left_alone(world: World, nz: Connector):
    account = world.post("accounts", {"name": "Kauri Timber Traders"})
    invoice = invoice_for(world, account)
    world.settle()
    (contact,) = contacts_named(world, "Kauri Timber Traders")
    assert contact["ContactNumber"] == "SHOP-10041"
    assert world.document_of(invoice)["Contact"]["ContactID"] == contact["ContactID"]


def test_a_person_can_be_the_customer(world: World, nz: Connector):
    invoice = world.invoice("private")
    world.settle()
    (contact,) = contacts_named(world, "Mele Vainikolo")
    assert contact["FirstName"] == "Mele"
    assert world.document_of(invoice)["Contact"]["ContactID"] == contact["ContactID"]


def test_billing_contacts_join_the_people_xero_knows_and_more_than_five_is_a_warning(world: World, nz: Connector):
    people = [{"FirstName": f"P{n}", "LastName": "Xero", "EmailAddress": f"p{n}@xero.example"} for n in range(3)]
    name = f"Many {world.clock.now():%H%M%S}"
    world.xero_contact(Name=name)
    account = world.post("accounts", {"name": name})
    invoice_for(world, account)
    world.settle()
    (contact,) = contacts_named(world, name)
    world.xero.change("Demo Company (NZ)", "contact", contact["ContactID"], ContactPersons=people)
    for short in ("gwen", "rangi", "olive", "stefan"):
        target = f"https://{world.environment}/api/data/v9.2/contacts({world.id_of(short)})"
        world.post(f"accounts({account})/mag_account_contact_billingcontacts/$ref", {"@odata.id": target})
    invoice = invoice_for(world, account)
    world.settle(minutes=5)
    (contact,) = contacts_named(world, name)
    names = [person["FirstName"] for person in contact["ContactPersons"]]
    assert len(names) == 5
    assert {"Gwen", "Rangi", "Olive", "Stefan"} < set(names)
    assert any("were left out" in history["mag_details"] for history in world.histories(invoice))


def test_a_product_becomes_an_item_once_and_new_ones_go_together(world: World, nz: Connector):
    invoice = world.invoice(lines=0, flag=False)
    for product in ("dock", "cable"):
        world.line(invoice, product=product, unit="each")
    world.flag(invoice)
    before = world.xero.calls("POST", "/Items")
    world.settle()
    assert world.xero.calls("POST", "/Items") - before == 1
    codes = {item["Code"]: item for item in world.xero.documents("Demo Company (NZ)", "item")}
    assert codes["HW-DOCK"]["Name"] == "Docking Station"
    again = world.invoice(lines=0, flag=False)
    world.line(again, product="dock", unit="each")
    world.flag(again)
    before = world.xero.calls("", "/Items")
    world.settle(minutes=5)
    assert world.row(again)["mag_exportstatus"] == YES
    assert world.xero.calls("", "/Items") == before


def product_invoice(world: World, number: str) -> str:
    """Flag an invoice of a product nobody knows yet."""
    product = world.post(
        "products",
        {
            "name": f"Product {number}",
            "productnumber": number,
            "defaultuomid@odata.bind": f"/uoms({world.id_of('each')})",
            "defaultuomscheduleid@odata.bind": f"/uomschedules({world.id_of('goods units')})",
            "quantitydecimal": 2,
        },
    )
    invoice = world.invoice(lines=0, flag=False)
    world.line(
        invoice,
        productid=("products", product),
        uomid=("uoms", world.id_of("each")),
        ispriceoverridden=True,
        priceperunit=Decimal("9.00"),
    )
    world.flag(invoice)
    return invoice


@pytest.mark.parametrize("settings", [{"mag_createnewproducts": False}, {"mag_missingitempolicy": SEND_WITHOUT_CODE}])
def test_a_product_xero_must_not_get_goes_as_text_without_its_code(world: World, nz: Connector, settings: dict[str, Any]):
    world.set(nz, **settings)
    number = f"N{world.clock.now():%H%M%S}"
    invoice = product_invoice(world, number)
    world.settle()
    (line,) = world.document_of(invoice)["LineItems"]
    assert (line["Description"], line.get("ItemCode")) == (f"Product {number}", None)
    assert number not in {item["Code"] for item in world.xero.documents("Demo Company (NZ)", "item")}


def test_a_missing_item_can_refuse_the_invoice(world: World, nz: Connector):
    world.set(nz, mag_missingitempolicy=BLOCK)
    number = f"B{world.clock.now():%H%M%S}"
    invoice = product_invoice(world, number)
    world.settle()
    assert world.row(invoice)["mag_exportstatus"] == FAILED
    assert f"The product {number} is not an item in Xero" in world.histories(invoice)[-1]["mag_details"]
