"""The customer and the items of an invoice in Xero (SPEC 4; K03-K05, C08)."""

from decimal import Decimal
from typing import Any

import pytest

from functions import customers
from mappings.contact import split
from shared.connectors import Connector
from shared.errors import NotFound, Problem, Rejected
from shared.storage.seal import Seal
from tests.world import FAILED, NZ, OPTION, YES, World

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


UNKNOWN = "99999999-9999-4999-8999-999999999999"
PURCHASE_INVOICE = OPTION + 1


def linked(world: World, account: str) -> tuple[str, str, dict[str, Any]]:
    """Return the link of an account: its keys and its values."""
    (row,) = [one for one in world.store.rows("links") if one.row == f"account|{account}"]
    return row.partition, row.row, dict(row.values)


def contact_of(world: World, account: str) -> dict[str, Any]:
    id = linked(world, account)[2]["xero_id"]
    return next(dict(one) for one in world.xero.documents(NZ, "contact") if one["ContactID"] == id)


def phone(contact: dict[str, Any], kind: str = "DEFAULT") -> dict[str, Any]:
    return next((dict(one) for one in contact.get("Phones", []) if one["PhoneType"] == kind), {})


def known_customer(world: World, **columns: Any) -> str:
    account = customer(world, **columns)
    invoice = invoice_for(world, account)
    world.settle()
    assert world.row(invoice)["mag_exportstatus"] == YES
    return account


def test_a_linked_contact_xero_does_not_know_any_more_is_matched_again_not_lost(world: World, nz: Connector):
    account = known_customer(world, telephone1="09 111")
    contact = contact_of(world, account)
    partition, row, values = linked(world, account)
    world.store.upsert("links", partition, row, values | {"xero_id": UNKNOWN})
    world.patch(f"accounts({account})", {"telephone1": "09 222"})
    invoice = invoice_for(world, account)
    world.settle(minutes=5)
    assert world.row(invoice)["mag_exportstatus"] == YES
    assert world.document_of(invoice)["Contact"]["ContactID"] == contact["ContactID"]


@pytest.mark.parametrize("operation", ["get_contacts", "create_contacts"])
def test_a_404_of_a_contact_never_means_that_the_invoice_is_gone(world: World, nz: Connector, operation: str):
    real_call = world.services.xero.call

    def not_found(connector: Connector, asked: str, *arguments: str, **options: Any) -> Any:
        if asked == operation:
            raise NotFound("Xero has no such document.")
        return real_call(connector, asked, *arguments, **options)

    world.services.xero.call = not_found  # type: ignore[method-assign, assignment]
    try:
        invoice = invoice_for(world, customer(world))
        world.settle()
    finally:
        world.services.xero.call = real_call  # type: ignore[method-assign]
    assert world.row(invoice)["mag_exportstatus"] == FAILED
    assert "does not know the contact" in world.histories(invoice)[-1]["mag_details"]
    world.retry(invoice)
    world.settle(minutes=6)
    assert world.row(invoice)["mag_exportstatus"] == YES


def test_a_contact_merged_since_is_followed_and_keeps_what_only_changed_there(world: World, nz: Connector):
    account = known_customer(world, telephone1="09 111", accountnumber=f"M{world.clock.now():%H%M%S}")
    old = contact_of(world, account)
    living = world.xero_contact(Name=f"{old['Name']} Group", EmailAddress="group@mail.example")
    world.xero.change(NZ, "contact", old["ContactID"], ContactStatus="ARCHIVED", MergedToContactID=living)
    world.patch(f"accounts({account})", {"telephone1": "09 333"})
    invoice = invoice_for(world, account)
    world.settle(minutes=5)
    assert world.document_of(invoice)["Contact"]["ContactID"] == living
    found = contact_of(world, account)
    assert (found["ContactID"], found["Name"], found["EmailAddress"]) == (living, f"{old['Name']} Group", "group@mail.example")
    assert phone(found)["PhoneNumber"] == "09 333"


def test_a_customer_matched_through_a_merged_contact_takes_none_of_its_numbers_away(world: World, nz: Connector):
    account = known_customer(world, accountnumber=f"W{world.clock.now():%H%M%S}")
    old = contact_of(world, account)
    living = world.xero_contact(Name=f"{old['Name']} Group")
    world.xero.change(NZ, "contact", old["ContactID"], ContactStatus="ARCHIVED", MergedToContactID=living)
    partition, row, _ = linked(world, account)
    world.store.delete("links", partition, row)
    invoice = invoice_for(world, account)
    world.settle(minutes=5)
    assert world.row(invoice)["mag_exportstatus"] == YES
    assert world.document_of(invoice)["Contact"]["ContactID"] == living


@pytest.mark.parametrize(("columns", "account"), [({}, "270"), ({"mag_invoicetype": PURCHASE_INVOICE}, "404")])
def test_a_line_without_an_account_takes_its_contacts_for_the_side_of_the_document(
    world: World, nz: Connector, columns: dict[str, Any], account: str
):
    name = f"Coded {world.clock.now():%d%H%M%S} {account}"
    world.xero_contact(Name=name, SalesDefaultAccountCode="270", PurchasesDefaultAccountCode="404")
    known = world.post("accounts", {"name": name})
    first = invoice_for(world, known, **columns)
    world.settle()
    second = invoice_for(world, known, **columns)
    world.settle(minutes=5)
    for invoice in (first, second):
        assert [line["AccountCode"] for line in world.document_of(invoice)["LineItems"]] == [account]


def test_a_refusal_of_a_new_contact_does_not_outlive_its_cause(world: World, nz: Connector):
    account = customer(world, accountnumber=f"R{world.clock.now():%H%M%S}")
    keys: list[str] = []
    real_call = world.services.xero.call

    def listen(connector: Connector, operation: str, *arguments: str, **options: Any) -> Any:
        if operation == "create_contacts":
            keys.append(options["key"])
            if len(keys) == 1:
                raise Rejected((Problem("Organisation is not subscribed to currency XYZ"),))
        return real_call(connector, operation, *arguments, **options)

    world.services.xero.call = listen  # type: ignore[method-assign]
    try:
        invoice = invoice_for(world, account)
        world.settle()
        assert world.row(invoice)["mag_exportstatus"] == FAILED
        world.retry(invoice)
        world.settle(minutes=6)
    finally:
        world.services.xero.call = real_call  # type: ignore[method-assign]
    assert world.row(invoice)["mag_exportstatus"] == YES
    assert len(set(keys)) == 2


def test_a_new_key_makes_no_customer_look_changed(own_world: World):
    world = own_world
    world.connect()
    account = known_customer(world, emailaddress1="first@mail.example")
    vars(world.secrets).update(vars(Seal([bytes([1] * 32), bytes(32)])))
    world.xero.change(NZ, "contact", contact_of(world, account)["ContactID"], EmailAddress="bookkeeper@mail.example")
    before = world.xero.calls("", "/Contacts")
    invoice = invoice_for(world, account)
    world.settle(minutes=5)
    assert world.row(invoice)["mag_exportstatus"] == YES
    assert world.xero.calls("", "/Contacts") == before
    assert contact_of(world, account)["EmailAddress"] == "bookkeeper@mail.example"


def test_an_update_never_sends_our_mark_to_a_contact_that_bears_another_number(world: World, nz: Connector):
    account = known_customer(world, telephone1="09 111")
    contact = contact_of(world, account)
    world.xero.change(NZ, "contact", contact["ContactID"], ContactNumber="SHOP-77")
    partition, row, values = linked(world, account)
    world.store.upsert("links", partition, row, values | {"hashes": "{}"})  # as after the loss of a key
    for number in ("09 222", "09 333"):
        world.patch(f"accounts({account})", {"telephone1": number})
        invoice_for(world, account)
        world.settle(minutes=5)
        assert contact_of(world, account)["ContactNumber"] == "SHOP-77"
        assert phone(contact_of(world, account))["PhoneNumber"] == number
    before = world.xero.calls("", "/Contacts")
    invoice_for(world, account)
    world.settle(minutes=5)
    assert world.xero.calls("", "/Contacts") == before


def test_what_is_emptied_in_dynamics_is_emptied_in_xero(world: World, nz: Connector):
    columns = {"emailaddress1": "a@mail.example", "telephone1": "09 111", "fax": "09 112", "address1_line1": "1 Road"}
    account = known_customer(world, **columns, address1_city="Napier")
    contact = contact_of(world, account)
    world.xero.change(NZ, "contact", contact["ContactID"], FirstName="Theirs")
    world.patch(f"accounts({account})", {**dict.fromkeys(columns), "fax": "09 112", "address1_city": None})
    invoice = invoice_for(world, account)
    world.settle(minutes=5)
    assert world.row(invoice)["mag_exportstatus"] == YES
    found = contact_of(world, account)
    assert (found.get("EmailAddress"), phone(found)["PhoneNumber"], phone(found, "FAX")["PhoneNumber"]) == ("", "", "09 112")
    assert [address.get("AddressLine1") for address in found["Addresses"]] == ["", ""]
    assert (found["Name"], found["ContactNumber"], found["FirstName"]) == (contact["Name"], account, "Theirs")
    before = world.xero.calls("", "/Contacts")
    invoice_for(world, account)
    world.settle(minutes=5)
    assert world.xero.calls("", "/Contacts") == before


def test_what_we_never_wrote_is_not_emptied(world: World, nz: Connector):
    name = f"Kept {world.clock.now():%d%H%M%S}"
    world.xero_contact(Name=name, EmailAddress="bookkeeper@chose.example")
    account = world.post("accounts", {"name": name, "emailaddress1": "crm@says.example", "telephone1": "09 111"})
    invoice_for(world, account)
    world.settle()
    world.patch(f"accounts({account})", {"emailaddress1": None, "telephone1": None})
    invoice_for(world, account)
    world.settle(minutes=5)
    found = contact_of(world, account)
    assert (found["EmailAddress"], phone(found)["PhoneNumber"]) == ("bookkeeper@chose.example", "")


def address(contact: dict[str, Any], kind: str = "STREET") -> dict[str, Any]:
    return next((dict(one) for one in contact.get("Addresses", []) if one["AddressType"] == kind), {})


@pytest.mark.parametrize(
    ("line_3", "lines"),
    [
        ("Harbour House, Wharf End", ("Harbour House", "Wharf End")),  # our own join: the split again
        (" Harbour  House, Wharf End", ("Harbour House", "Wharf End")),
        ("Mill House", ("Mill House", "Wharf End")),  # another line 3; line 4 is not ours to empty
        (None, ("", "Wharf End")),
    ],
)
def test_k36_a_line_4_of_xeros_is_never_emptied_and_our_own_join_becomes_two_lines_again(
    world: World, nz: Connector, line_3: str | None, lines: tuple[str, str]
):
    account = known_customer(world, address1_line1="1 Road", address1_line3="Old House")
    contact = contact_of(world, account)
    held = address(contact) | {"AddressLine3": "Harbour House", "AddressLine4": "Wharf End"}
    world.xero.change(NZ, "contact", contact["ContactID"], Addresses=[held])
    world.patch(f"accounts({account})", {"address1_line1": "2 Road", "address1_line3": line_3})
    invoice_for(world, account)
    world.settle(minutes=5)
    found = address(contact_of(world, account))
    assert found["AddressLine1"] == "2 Road"
    assert (found.get("AddressLine3", ""), found.get("AddressLine4", "")) == lines


def test_k36_a_line_as_long_as_dynamics_takes_is_our_join_all_the_same():
    held = {"AddressLine3": "a" * 200, "AddressLine4": "b" * 200}
    wanted = {"AddressLine1": "2 Road", "AddressLine3": f"{'a' * 200}, {'b' * 48}"}
    assert split(wanted, held) == {"AddressLine1": "2 Road"} | held
    assert split(wanted, {}) == wanted
    assert split({"AddressLine1": "2 Road"}, held) == {"AddressLine1": "2 Road"}


def test_a_pushed_customer_is_known_by_its_contact_and_by_the_new_one_when_it_is_matched_again(world: World, nz: Connector):
    account = known_customer(world, telephone1="09 111")
    contact = contact_of(world, account)["ContactID"]
    assert customers.rows_of(world.services, nz, contact.upper()) == [f"account/{account}"]
    living = world.xero_contact(Name=f"Living {world.clock.now():%d%H%M%S}")
    world.xero.merge(NZ, contact, living)
    world.patch(f"accounts({account})", {"telephone1": "09 222"})
    invoice_for(world, account)
    world.settle(minutes=5)
    assert customers.rows_of(world.services, nz, contact) == []
    assert customers.rows_of(world.services, nz, living) == [f"account/{account}"]
    assert customers.contacts_of(world.services, nz, f"account/{account}") == [living]


def test_a_new_phone_number_is_not_mixed_with_the_parts_of_the_old(world: World, nz: Connector):
    account = known_customer(world, telephone1="09 111")
    parts = {"PhoneType": "DEFAULT", "PhoneNumber": "111", "PhoneAreaCode": "09", "PhoneCountryCode": "64"}
    world.xero.change(NZ, "contact", contact_of(world, account)["ContactID"], Phones=[parts])
    world.patch(f"accounts({account})", {"telephone1": "+64 4 222"})
    invoice_for(world, account)
    world.settle(minutes=5)
    assert phone(contact_of(world, account)) == parts | {
        "PhoneNumber": "+64 4 222",
        "PhoneAreaCode": "",
        "PhoneCountryCode": "",
    }


def test_a_billing_contact_taken_off_the_account_gets_no_more_invoices(world: World, nz: Connector):
    name = f"Fewer {world.clock.now():%d%H%M%S}"
    world.xero_contact(Name=name)
    account = world.post("accounts", {"name": name})
    for short in ("gwen", "rangi"):
        target = f"https://{world.environment}/api/data/v9.2/contacts({world.id_of(short)})"
        world.post(f"accounts({account})/mag_account_contact_billingcontacts/$ref", {"@odata.id": target})
    invoice_for(world, account)
    world.settle()
    people = contact_of(world, account)["ContactPersons"]
    assert len(people) == 2
    theirs = {"FirstName": "Theirs", "LastName": "Xero", "EmailAddress": "theirs@xero.example"}
    world.xero.change(NZ, "contact", contact_of(world, account)["ContactID"], ContactPersons=[*people, theirs])
    left = {"Gwen", "Rangi", "Theirs"}
    for short in ("gwen", "rangi"):
        world.delete(f"accounts({account})/mag_account_contact_billingcontacts({world.id_of(short)})/$ref")
        invoice_for(world, account)
        world.settle(minutes=5)
        left.remove(short.capitalize())
        assert {person["FirstName"] for person in contact_of(world, account)["ContactPersons"]} == left


@pytest.mark.parametrize("name", ['The "Old" Inn', '"Quoted"'])
def test_a_quotation_mark_in_a_name_does_not_break_the_look_up(world: World, nz: Connector, name: str):
    name = f"{name} {world.clock.now():%d%H%M%S}"
    contact = world.xero_contact(Name=name)
    invoice = invoice_for(world, world.post("accounts", {"name": name}))
    world.settle()
    assert world.row(invoice)["mag_exportstatus"] == YES
    assert world.document_of(invoice)["Contact"]["ContactID"] == contact


@pytest.mark.parametrize(
    ("settings", "said", "unsaid"),
    [
        ({"mag_createnewcontacts": False}, "Create New Contacts is No", "Match only"),
        ({"mag_contactpolicy": MATCH_ONLY}, "Existing Contacts is Match only", "Create New Contacts"),
    ],
)
def test_an_unknown_customer_names_the_setting_that_refuses_it(
    world: World, nz: Connector, settings: dict[str, Any], said: str, unsaid: str
):
    world.set(nz, **settings)
    invoice = invoice_for(world, customer(world))
    world.settle()
    refused = world.histories(invoice)[-1]
    assert said in refused["mag_cause"]
    assert unsaid not in refused["mag_cause"] + refused["mag_fix"]


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
