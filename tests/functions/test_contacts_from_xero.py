"""Contacts from Xero, and the customer of a document from Xero (SPEC 4; A241-A262, A327-A349; K32, K36, K40, C08)."""

import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from functions import claim as claims
from functions import customers
from functions.history import NAMESPACE
from functions.work import Work
from mappings.contact_from_xero import ACCOUNT
from shared.connectors import Connector
from shared.errors import Rejected
from shared.messages import SyncMessage
from shared.outcomes import Status
from shared.services import Lane
from tests.world import NZ, OPTION, World
from tests.world import world as open_world

FLOW = "contacts-from-xero"
WARNING, FAILED = OPTION + 3, OPTION + 1
STREET = {
    "AddressType": "STREET",
    "AddressLine1": "1 New Road",
    "AddressLine2": "Level 2",
    "AddressLine3": "Harbour House",
    "AddressLine4": "Wharf End",
    "City": "Napier",
    "PostalCode": "4110",
    "Region": "Hawke's Bay",
    "Country": "New Zealand",
}
PO_BOX = {
    "AddressType": "POBOX",
    "AddressLine1": "PO Box 7",
    "AddressLine2": "Ahuriri",
    "AddressLine4": "Bay Centre",
    "City": "Hastings",
    "PostalCode": "4120",
    "Region": "East",
    "Country": "Aotearoa",
}
WHOLE: dict[str, Any] = {
    "EmailAddress": "pay@new.example",
    "DefaultCurrency": "AUD",
    "Phones": [
        {"PhoneType": "DEFAULT", "PhoneCountryCode": "64", "PhoneAreaCode": "6", "PhoneNumber": "555 0101"},
        {"PhoneType": "FAX", "PhoneNumber": "06 555 0102"},
        {"PhoneType": "MOBILE", "PhoneNumber": "021 1"},
    ],
    "Addresses": [STREET, PO_BOX],
}


@pytest.fixture(scope="module")
def books(authorities: Path) -> Iterator[World]:
    """A world whose connector takes contacts from Xero; what the demo companies hold has crossed."""
    with pytest.MonkeyPatch.context() as patch, open_world(authorities) as opened:
        patch.setenv("REQUESTS_CA_BUNDLE", str(authorities / "authorities.pem"))
        opened.connect(flows=(FLOW,))
        opened.settle(minutes=1)
        yield opened


@pytest.fixture
def world(books: World) -> Iterator[World]:
    yield books
    books.xero.faults.clear()
    books.dataverse.faults.clear()
    books.restore()


def synced(world: World) -> None:
    """Let the flow's next sweep come, and everything it releases."""
    world.clock.move(minutes=181)
    world.settle(minutes=1)


def named(world: World, text: str = "Contact") -> str:
    return f"{text} {uuid.uuid4().hex[:8]}"


def accounts(world: World, name: str) -> list[dict[str, Any]]:
    return [dict(row) for row in world.dataverse.rows("account") if row["name"] == name]


def account(world: World, row_id: str) -> dict[str, Any]:
    return world.get(f"accounts({row_id})")


def told(world: World, row_id: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = world.get(
        f"mag_synchistories?$filter=_mag_accountid_value%20eq%20{row_id}&$orderby=createdon%20asc"
    )["value"]
    return rows


def made(world: World, **fields: Any) -> tuple[str, str]:
    """Add a contact in Xero, let it cross and return its id and its account's."""
    name = str(fields.pop("Name", "")) or named(world)
    contact = world.xero_contact(Name=name, **fields)
    synced(world)
    (row,) = accounts(world, name)
    return contact, str(row["accountid"])


def changed(world: World, contact: str, **fields: Any) -> None:
    world.xero.change(NZ, "contact", contact, **fields)
    synced(world)


def contact_in_xero(world: World, contact: str) -> dict[str, Any]:
    return next(dict(one) for one in world.xero.documents(NZ, "contact") if one["ContactID"] == contact)


def work_of(world: World, contact: str) -> Work:
    """Return what a flow has in hand when it asks for the customer of its document."""
    connector = world.connectors()[0]
    record = f"Invoice/{uuid.uuid4()}"
    message = SyncMessage(connector.key, "invoices-from-xero", record)
    claim = claims.unclaimed(connector.key, "invoices-from-xero", record)
    return Work(world.services, connector, message, claim, Lane.PAYMENTS, world.clock.now())


# ── A327-A349: the table ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a327_contacts_do_not_cross_unless_a_connector_asks_for_them(own_world: World):
    own_world.connect()
    name = named(own_world)
    own_world.xero_contact(Name=name)
    synced(own_world)
    assert accounts(own_world, name) == []


def test_a328_the_first_read_reaches_back_as_many_days_as_the_connector_says(own_world: World):
    nz = own_world.connect()
    old = own_world.xero_contact(Name=named(own_world))
    own_world.clock.move(days=8)
    young = own_world.xero_contact(Name=named(own_world))
    own_world.enable(nz, FLOW, every=180)
    synced(own_world)
    names = {one["ContactID"]: one["Name"] for one in own_world.xero.documents(NZ, "contact")}
    assert len(accounts(own_world, names[young])) == 1
    assert accounts(own_world, names[old]) == []


def test_a329_to_a349_a_contact_becomes_an_account_with_all_it_has(world: World, nz: Connector):
    number = uuid.uuid4().hex[:8]
    contact = world.xero_contact(Name=(name := named(world)), AccountNumber=number, **WHOLE)
    world.xero.change(NZ, "contact", contact, Website="https://new.example")
    before = world.xero_calls()
    synced(world)
    assert world.xero_calls() - before == 1
    (row,) = accounts(world, name)
    found = account(world, str(row["accountid"]))
    assert row["accountid"] == str(uuid.uuid5(NAMESPACE, f"{nz.key}|account|{contact}"))
    assert {column: found[column] for column in EXPECTED} == EXPECTED | {"accountnumber": number}
    assert found["_transactioncurrencyid_value"] == world.id_of("AUD")
    assert found["mag_xerocontacturl"].endswith(f"&redirecturl=/Contacts/View/{contact}")
    (history,) = told(world, str(row["accountid"]))
    assert "created from the contact in Xero" in history["mag_details"]


EXPECTED = {
    "accountnumber": "",
    "emailaddress1": "pay@new.example",
    "websiteurl": "https://new.example",
    "telephone1": "+64 6 555 0101",
    "fax": "06 555 0102",
    "address1_line1": "1 New Road",
    "address1_line2": "Level 2",
    "address1_line3": "Harbour House, Wharf End",
    "address1_city": "Napier",
    "address1_postalcode": "4110",
    "address1_stateorprovince": "Hawke's Bay",
    "address1_country": "New Zealand",
    "address2_line1": "PO Box 7",
    "address2_line2": "Ahuriri",
    "address2_line3": "Bay Centre",
    "address2_city": "Hastings",
    "address2_postalcode": "4120",
    "address2_stateorprovince": "East",
    "address2_country": "Aotearoa",
}


def test_a_contact_that_changes_again_is_the_same_account_and_a_second_sweep_writes_nothing(world: World, nz: Connector):
    contact, row = made(world)
    changed(world, contact, EmailAddress="now@new.example")
    assert account(world, row)["emailaddress1"] == "now@new.example"
    before = account(world, row)["versionnumber"]
    changed(world, contact, EmailAddress="now@new.example")
    assert account(world, row)["versionnumber"] == before
    assert len(told(world, row)) == 2


SEED = (
    *(("Name", "name"), ("AccountNumber", "accountnumber"), ("EmailAddress", "emailaddress1"), ("Website", "websiteurl")),
    ("DefaultCurrency", "transactioncurrencyid@odata.bind"),
    ("Phones[PhoneType=DEFAULT].PhoneNumber", "telephone1"),
    ("Phones[PhoneType=FAX].PhoneNumber", "fax"),
    *(
        (f"Addresses[AddressType={kind}].{field}", f"address{number}_{column}")
        for number, kind in ((1, "STREET"), (2, "POBOX"))
        for field, column in (
            ("AddressLine1", "line1"),
            ("AddressLine2", "line2"),
            ("AddressLine3", "line3"),
            ("City", "city"),
            ("PostalCode", "postalcode"),
            ("Region", "stateorprovince"),
            ("Country", "country"),
        )
    ),
)


def test_a242_to_a262_and_a329_to_a349_every_row_of_the_vendors_table_stands_in_its_order():
    ours = [(row.source, row.target) for row in ACCOUNT.rows]
    places = [ours.index(row) for row in SEED]
    assert places == sorted(places)
    assert len(SEED) == 21


# ── matching ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_account_is_matched_by_our_mark_before_anything_else(world: World, nz: Connector):
    row = world.post("accounts", {"name": named(world)})
    other = named(world)
    world.post("accounts", {"name": other})
    world.xero_contact(Name=other, ContactNumber=row, EmailAddress="mark@new.example")
    synced(world)
    assert account(world, row)["emailaddress1"] == "mark@new.example"
    (same,) = accounts(world, other)
    assert same["emailaddress1"] is None


def test_an_account_is_matched_by_its_number_before_its_name(world: World, nz: Connector):
    number, name = uuid.uuid4().hex[:8], named(world)
    by_number = world.post("accounts", {"name": named(world), "accountnumber": number.upper()})
    world.post("accounts", {"name": name})
    world.xero_contact(Name=name, AccountNumber=number, EmailAddress="number@new.example")
    synced(world)
    assert account(world, by_number)["emailaddress1"] == "number@new.example"
    assert len(accounts(world, name)) == 1


def test_an_account_is_matched_by_its_name_in_any_case_and_an_inactive_one_is_not(world: World, nz: Connector):
    name = named(world)
    inactive = world.post("accounts", {"name": name.lower()})
    world.patch(f"accounts({inactive})", {"statecode": 1, "statuscode": 2})
    active = world.post("accounts", {"name": name.upper()})
    world.xero_contact(Name=name, EmailAddress="name@new.example")
    synced(world)
    assert account(world, active)["emailaddress1"] == "name@new.example"
    assert account(world, inactive)["emailaddress1"] is None


def test_two_accounts_of_one_name_are_told_by_their_numbers_and_the_contact_crosses_once_one_is_renamed(
    world: World, nz: Connector
):
    name = named(world)
    first = world.post("accounts", {"name": name, "accountnumber": "T-1"})
    second = world.post("accounts", {"name": name})
    world.xero_contact(Name=name, EmailAddress="twin@new.example")
    synced(world)
    rows = world.get(f"mag_synchistories?$filter=mag_syncstatus%20eq%20{FAILED}&$orderby=createdon%20desc")["value"]
    (refused,) = [row for row in rows if name in row["mag_details"]]
    assert f"{name} (T-1)" in refused["mag_details"]
    assert f"{name} (without account number)" in refused["mag_details"]
    assert refused["mag_whoacts"] == OPTION + 1
    world.patch(f"accounts({second})", {"name": f"{name} South"})
    synced(world)
    assert account(world, first)["emailaddress1"] == "twin@new.example"
    assert account(world, second)["emailaddress1"] is None


def test_k40_a_person_of_dynamics_does_not_come_back_as_a_duplicate_account(world: World, nz: Connector):
    world.invoice("private")
    world.settle(minutes=6)
    (contact,) = [one for one in world.xero.documents(NZ, "contact") if one["Name"] == "Mele Vainikolo"]
    changed(world, contact["ContactID"], EmailAddress="other@new.example")
    assert accounts(world, "Mele Vainikolo") == []
    assert world.get(f"contacts({world.id_of('private')})")["emailaddress1"] == "mele.vainikolo@mail.example"
    work = work_of(world, contact["ContactID"])
    assert customers.of_contact(work, {"ContactID": contact["ContactID"], "Name": "x"}) == f"contact/{world.id_of('private')}"


def test_an_account_deleted_on_purpose_is_not_made_again(world: World, nz: Connector):
    contact, row = made(world)
    world.delete(f"accounts({row})")
    changed(world, contact, EmailAddress="again@new.example")
    assert accounts(world, contact_in_xero(world, contact)["Name"]) == []


def test_an_account_merged_in_dynamics_is_followed_to_its_master(world: World, nz: Connector):
    contact, row = made(world)
    master = world.post("accounts", {"name": named(world)})
    loser = next(one for one in world.dataverse.rows("account") if one["accountid"] == row)
    found = customers.Customer({}, f"account/{row}", dict(loser) | {"merged": True, "_masterid_value": master})
    assert customers._mastered(work_of(world, contact), found).row == f"account/{master}"


# ── K32: who owns a column ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_k32_what_dynamics_has_is_never_overwritten_and_what_is_empty_is_filled(world: World, nz: Connector):
    contact, row = made(world)
    world.patch(f"accounts({row})", {"emailaddress1": "crm@new.example", "telephone1": None})
    name = account(world, row)["name"]
    changed(world, contact, Name=named(world), EmailAddress="xero@new.example", Phones=WHOLE["Phones"])
    found = account(world, row)
    assert (found["name"], found["emailaddress1"], found["telephone1"]) == (name, "crm@new.example", "+64 6 555 0101")


def test_an_address_is_completed_and_never_made_of_parts_of_two(world: World, nz: Connector):
    contact, row = made(world)
    world.patch(f"accounts({row})", {"address1_line1": "1 New Road", "address2_line1": "5 King Street"})
    changed(world, contact, Addresses=[STREET, PO_BOX])
    found = account(world, row)
    assert (found["address1_line1"], found["address1_city"]) == ("1 New Road", "Napier")
    assert (found["address2_line1"], found["address2_city"], found["address2_postalcode"]) == ("5 King Street", None, None)
    world.set(nz, mag_xeroownedcolumns="address2_line1")
    changed(world, contact, Addresses=[STREET, PO_BOX | {"AddressLine1": "PO Box 8"}])
    found = account(world, row)
    assert (found["address2_line1"], found["address2_city"]) == ("PO Box 8", "Hastings")


def test_of_two_accounts_of_one_contact_documents_go_to_the_active_one(world: World, nz: Connector):
    contact, first = made(world)
    second = world.post("accounts", {"name": named(world)})
    customers.join(world.services, nz, contact, f"account/{second}")
    for inactive, active in ((first, second), (second, first)):
        world.patch(f"accounts({inactive})", {"statecode": 1, "statuscode": 2})
        assert customers.of_contact(work_of(world, contact), {"ContactID": contact}) == f"account/{active}"
        world.patch(f"accounts({inactive})", {"statecode": 0, "statuscode": 1})


def test_k32_columns_that_xero_owns_take_its_value_always_and_are_emptied_with_it(world: World, nz: Connector):
    contact, row = made(world, **WHOLE)
    world.set(nz, mag_xeroownedcolumns=" Name, emailaddress1,\n fax, transactioncurrencyid")
    name = named(world)
    changed(world, contact, Name=name, EmailAddress="xero@new.example", Phones=[], DefaultCurrency="USD")
    found = account(world, row)
    assert (found["name"], found["emailaddress1"], found["fax"]) == (name, "xero@new.example", None)
    assert found["telephone1"] == "+64 6 555 0101"
    assert found["_transactioncurrencyid_value"] == world.id_of("USD")


def test_k32_a_value_that_ends_in_what_stood_there_is_another_value(world: World, nz: Connector):
    world.set(nz, mag_xeroownedcolumns="address1_country")
    contact, row = made(world, Addresses=[{**STREET, "Country": "NZ"}])
    changed(world, contact, Addresses=[{**STREET, "Country": "New Zealand (NZ)"}])
    synced(world)
    assert account(world, row)["address1_country"] == "New Zealand (NZ)"


def test_a_column_xero_may_overwrite_that_is_none_is_told_the_administrator_once(world: World, nz: Connector):
    contact, row = made(world)
    world.set(nz, mag_xeroownedcolumns="emailaddress1, Telefon")
    for address in ("one@new.example", "two@new.example"):
        changed(world, contact, EmailAddress=address)
        assert account(world, row)["emailaddress1"] == address
    rows = world.get(f"mag_synchistories?$filter=mag_syncstatus%20eq%20{WARNING}")["value"]
    (warning,) = [one for one in rows if "telefon" in one["mag_details"]]
    assert warning["mag_whoacts"] == OPTION + 3
    assert "telephone1" in warning["mag_fix"]


def test_what_we_sent_ourselves_is_no_news(world: World, nz: Connector):
    row = world.post("accounts", {"name": named(world), "address1_line1": "1 Road", "address1_city": "Napier"})
    world.patch(f"accounts({row})", {"mag_primarybillingcontactid@odata.bind": f"/contacts({world.id_of('gwen')})"})
    world.invoice(customerid_account=("accounts", row))
    world.settle(minutes=6)
    world.patch(f"accounts({row})", {"mag_xerocontacturl": "https://go.xero.com/known"})
    before = account(world, row)
    synced(world)
    after = account(world, row)
    assert (after["address2_line1"], after["address2_city"], after["emailaddress1"]) == (None, None, None)
    assert after["versionnumber"] == before["versionnumber"]


# ── C08: archived, merged, forgotten ────────────────────────────────────────────────────────────────────────────────────────────


def test_an_archived_contact_makes_no_account_and_a_linked_one_is_noted_once(world: World, nz: Connector):
    name = named(world)
    world.xero.change(NZ, "contact", world.xero_contact(Name=name), ContactStatus="ARCHIVED")
    contact, row = made(world, EmailAddress="was@new.example")
    assert accounts(world, name) == []
    for _ in range(2):
        changed(world, contact, ContactStatus="ARCHIVED", EmailAddress="archived@new.example")
    assert account(world, row)["emailaddress1"] == "was@new.example"
    warnings = [one for one in told(world, row) if one["mag_syncstatus"] == WARNING]
    assert len(warnings) == 1
    assert "was archived in Xero" in warnings[0]["mag_details"]
    assert account(world, row)["statecode"] == 0


def test_a_contact_that_asked_to_be_forgotten_is_left_alone(world: World, nz: Connector):
    name = named(world)
    world.xero.change(NZ, "contact", world.xero_contact(Name=name), ContactStatus="GDPRREQUEST")
    contact, row = made(world)
    before = account(world, row)["versionnumber"]
    changed(world, contact, ContactStatus="GDPRREQUEST", EmailAddress="forget@new.example")
    assert accounts(world, name) == []
    assert account(world, row)["versionnumber"] == before
    assert len(told(world, row)) == 1


def test_c08_a_merged_contact_moves_its_account_to_the_one_that_lives_which_then_brings_its_own(world: World, nz: Connector):
    loser, row = made(world)
    winner = world.xero_contact(Name=named(world), EmailAddress="winner@new.example", ContactNumber="SHOP-1")
    world.xero.merge(NZ, loser, winner)
    work = work_of(world, loser)
    synced(world)
    synced(world)
    assert customers.contacts_of(world.services, nz, f"account/{row}") == [winner]
    assert customers.of_contact(work, {"ContactID": winner}) == f"account/{row}"
    assert account(world, row)["mag_xerocontacturl"].endswith(winner)


def test_c08_two_accounts_whose_contacts_were_merged_keep_both_links_and_say_so(world: World, nz: Connector):
    loser, one = made(world)
    winner, other = made(world)
    world.xero.merge(NZ, loser, winner)
    synced(world)
    assert customers.rows_of(world.services, nz, winner) == sorted((f"account/{one}", f"account/{other}"))
    assert customers.rows_of(world.services, nz, loser) == []
    (warning,) = [history for history in told(world, one) if history["mag_syncstatus"] == WARNING]
    assert "Two customers in Dynamics 365 are one contact" in warning["mag_details"]


def test_c08_a_merge_moves_what_we_push_to_as_well(world: World, nz: Connector):
    row = world.post("accounts", {"name": named(world)})
    world.invoice(customerid_account=("accounts", row))
    world.settle(minutes=6)
    (loser,) = customers.contacts_of(world.services, nz, f"account/{row}")
    winner = world.xero_contact(Name=named(world))
    world.xero.merge(NZ, loser, winner)
    synced(world)
    invoice = world.invoice(customerid_account=("accounts", row))
    world.settle(minutes=6)
    assert world.document_of(invoice)["Contact"]["ContactID"] == winner


# ── rubbish, and what is too long ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "fields",
    [
        {"Addresses": None, "Phones": None, "EmailAddress": None, "DefaultCurrency": None, "AccountNumber": None},
        {"Addresses": [{"AddressType": "DELIVERY", "City": "X"}, {"City": "Y"}], "Phones": [{"PhoneType": "TELEX"}]},
        {"Addresses": [{"AddressType": "STREET", "City": None, "Region": "", "AddressLine1": 7}], "ContactStatus": "SLEEPING"},
    ],
)
def test_nulls_and_kinds_nobody_knows_are_left_out(fields: dict[str, Any], world: World, nz: Connector):
    body = {"ContactID": str(uuid.uuid4()), "Name": named(world), "ContactStatus": "ACTIVE"} | fields
    found = account(world, customers.of_contact(work_of(world, ""), body, is_whole=True).partition("/")[2])
    assert found["name"] == body["Name"]
    assert all(found[column] is None for column in EXPECTED)


def test_what_is_too_long_for_dynamics_is_cut_or_left_out_and_said(world: World, nz: Connector):
    stem = uuid.uuid4().hex[:8]
    name = f"{stem} {'n' * 240}"
    fields: dict[str, Any] = {"AccountNumber": f"{stem}{'9' * 40}", "EmailAddress": f"{'e' * 100}@new.example"}
    phones = [{"PhoneType": "DEFAULT", "PhoneCountryCode": "64", "PhoneNumber": "5" * 50}]
    contact = world.xero_contact(
        Name=name, Addresses=[STREET | {"AddressLine3": "a" * 300, "City": "c" * 200}], Phones=phones, **fields
    )
    synced(world)
    (row,) = accounts(world, name[:160])
    assert (row["accountnumber"], row["emailaddress1"], row["telephone1"]) == (None, None, None), "a part would be another's"
    assert (len(row["address1_line3"]), len(row["address1_city"])) == (250, 80)
    warnings = [one["mag_details"] for one in told(world, str(row["accountid"])) if one["mag_syncstatus"] == WARNING]
    assert len(warnings) == 6
    # The account is the contact's all the same: a push finds it again, whatever its name.
    invoice = world.invoice(customerid_account=("accounts", row["accountid"]))
    world.settle(minutes=6)
    assert world.document_of(invoice)["Contact"]["ContactID"] == contact


def test_a_currency_dynamics_does_not_have_is_left_out_and_said(world: World, nz: Connector):
    contact = str(uuid.uuid4())
    body = {"ContactID": contact, "Name": named(world), "ContactStatus": "ACTIVE", "DefaultCurrency": "ZMW"}
    row = customers.of_contact(work_of(world, contact), body, is_whole=True).partition("/")[2]
    (warning,) = [one for one in told(world, row) if one["mag_syncstatus"] == WARNING]
    assert "no active currency ZMW" in warning["mag_details"]
    assert warning["mag_whoacts"] == OPTION + 3


def test_a_contact_without_a_name_is_refused_in_words(world: World, nz: Connector):
    contact, _ = made(world)
    changed(world, contact, Name="")
    rows = world.get(f"mag_synchistories?$filter=mag_syncstatus%20eq%20{FAILED}")["value"]
    assert any("The contact has no name in Xero" in one["mag_details"] and one["mag_fix"] for one in rows)


# ── A241-A262: the customer of a document from Xero ─────────────────────────────────────────────────────────────────────────────


def test_a241_the_contact_of_a_document_that_is_nowhere_becomes_an_account_with_all_it_has(world: World, nz: Connector):
    contact = world.xero_contact(Name=(name := named(world)), **WHOLE)
    before = world.xero_calls()
    row = customers.of_contact(work_of(world, contact), {"ContactID": contact, "Name": name})
    assert world.xero_calls() - before == 1
    found = account(world, row.partition("/")[2])
    wanted = EXPECTED | {"accountnumber": None, "websiteurl": None}
    assert {column: found[column] for column in wanted} == wanted
    before = world.xero_calls()
    assert customers.of_contact(work_of(world, contact), {"ContactID": contact.upper(), "Name": name}) == row
    assert world.xero_calls() == before
    assert len(accounts(world, name)) == 1


def test_a241_an_account_that_exists_is_not_updated(world: World, nz: Connector):
    name = named(world)
    row = world.post("accounts", {"name": name})
    before = account(world, row)["versionnumber"]
    contact = world.xero_contact(Name=name, **WHOLE)
    assert customers.of_contact(work_of(world, contact), {"ContactID": contact}) == f"account/{row}"
    assert account(world, row)["versionnumber"] == before


def test_a_customer_that_was_pushed_is_known_without_a_call(world: World, nz: Connector):
    row = world.post("accounts", {"name": named(world)})
    invoice = world.invoice(customerid_account=("accounts", row))
    world.settle(minutes=6)
    contact = world.document_of(invoice)["Contact"]["ContactID"]
    before = world.xero_calls()
    assert customers.of_contact(work_of(world, contact), {"ContactID": contact, "Name": "renamed"}) == f"account/{row}"
    assert world.xero_calls() == before


def test_a_document_of_a_merged_contact_gets_the_customer_of_the_one_that_lives(world: World, nz: Connector):
    winner, row = made(world)
    loser = world.xero_contact(Name=named(world))
    world.xero.merge(NZ, loser, winner)
    assert customers.of_contact(work_of(world, loser), {"ContactID": loser}) == f"account/{row}"


def test_a_document_whose_account_was_deleted_gets_one_again(world: World, nz: Connector):
    contact, row = made(world)
    world.delete(f"accounts({row})")
    assert customers.of_contact(work_of(world, contact), {"ContactID": contact}) == f"account/{row}"
    assert account(world, row)["name"] == contact_in_xero(world, contact)["Name"]


def test_no_account_is_made_of_a_contact_that_asked_to_be_forgotten(world: World, nz: Connector):
    contact = world.xero_contact(Name=named(world))
    world.xero.change(NZ, "contact", contact, ContactStatus="GDPRREQUEST")
    with pytest.raises(Rejected, match="asked to be forgotten"):
        customers.of_contact(work_of(world, contact), {"ContactID": contact})


@pytest.mark.parametrize(
    ("contact", "words"),
    [({"ContactID": str(uuid.uuid4())}, "does not have the contact"), ({"Name": "Nobody"}, "names no contact")],
)
def test_a_contact_that_vanished_or_is_none_is_told_in_words(world: World, nz: Connector, contact: dict[str, str], words: str):
    with pytest.raises(Rejected, match=words) as refused:
        customers.of_contact(work_of(world, ""), contact)
    assert refused.value.problems[0].fix
    assert refused.value.problems[0].who == "bookkeeper"


def test_an_account_made_by_a_try_whose_end_was_lost_is_taken_as_it_is(world: World, nz: Connector):
    contact = world.xero_contact(Name=(name := named(world)))
    row = customers.of_contact(work_of(world, contact), {"ContactID": contact})
    customers.part(world.services, nz, contact, row)
    world.patch(f"accounts({row.partition('/')[2]})", {"name": f"{name} Ltd"})
    assert customers.of_contact(work_of(world, contact), {"ContactID": contact}) == row
    assert account(world, row.partition("/")[2])["name"] == f"{name} Ltd"


def test_an_account_that_a_key_of_the_environment_keeps_out_is_told_and_comes_once_it_is_free(own_world: World):
    """An inactive account holds the number, which an alternate key lets nobody else have: none was made, and none is said to be."""
    world = own_world
    model = world.dataverse.environment.model["account"]
    world.dataverse.environment.store.define(replace(model, keys={**model.keys, "new_number": ("accountnumber",)}))
    nz = world.connect(flows=(FLOW,))
    world.settle(minutes=1)
    holder = world.post("accounts", {"name": "The old one", "accountnumber": "K-4711"})
    world.patch(f"accounts({holder})", {"statecode": 1, "statuscode": 2})
    contact = world.xero_contact(Name="New Here Ltd", AccountNumber="K-4711")
    world.clock.move(minutes=181)
    (outcome,) = [one for one in world.settle(minutes=1) if one.message.record_id == contact]
    assert outcome.status is Status.REFUSED
    assert outcome.problems[0].fix
    assert (accounts(world, "New Here Ltd"), customers.rows_of(world.services, nz, contact)) == ([], [])
    world.patch(f"accounts({holder})", {"accountnumber": "K-4712"})
    synced(world)
    (row,) = accounts(world, "New Here Ltd")
    assert row["accountnumber"] == "K-4711"
