"""Contacts: developer.xero.com accounting/contacts, and answers recorded in September 2026."""

from typing import Any

import pytest

from sandbox.xero.demo_company import NZ
from tests.sandbox.xero.callers import Caller, contact_id, invoice, line, messages, sign_in

ARCHIVED = "The specified contact details matched an archived contact. Archived contacts cannot currently be edited via the API."
PERSON = {"FirstName": "Ida", "LastName": "Noble", "EmailAddress": "ida@example.com", "IncludeInEmails": True}


def made(caller: Caller, **fields: Any) -> Any:
    answer = caller.put("Contacts", {"Contacts": [{"Name": "New", **fields}]})
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()["Contacts"][0]


def read(caller: Caller, id: Any) -> Any:
    return caller.get(f"Contacts/{id}").get_json()["Contacts"][0]


def names(answer: Any) -> Any:
    return [row["Name"] for row in answer.get_json()["Contacts"]]


def test_a_new_contact_comes_back_with_every_slot(nz):
    """Recorded in September 2026: PUT Contacts, four phones and two addresses with empty texts"""
    created = made(nz, Phones=[{"PhoneType": "DEFAULT", "PhoneNumber": "555 1234"}])
    assert [row["PhoneType"] for row in created["Phones"]] == ["DEFAULT", "DDI", "FAX", "MOBILE"]
    assert created["Phones"][0]["PhoneNumber"] == "555 1234"
    assert created["Addresses"][1] == {"AddressType": "POBOX", "City": "", "Region": "", "PostalCode": "", "Country": ""}
    assert (created["ContactStatus"], created["IsCustomer"], created["IsSupplier"]) == ("ACTIVE", False, False)


def test_a_single_contact_shows_empty_slots_by_their_type_alone(nz):
    """Recorded in September 2026: GET Contacts/{id}"""
    found = read(nz, made(nz)["ContactID"])
    assert found["Addresses"] == [{"AddressType": "POBOX"}, {"AddressType": "STREET"}]
    assert found["Phones"] == [{"PhoneType": type} for type in ("DDI", "DEFAULT", "FAX", "MOBILE")]


@pytest.mark.parametrize("name", ["Kiwi Solar Ltd", "KIWI SOLAR LTD"])
def test_a_name_is_unique_among_active_contacts_in_any_case(nz, name):
    """Recorded in September 2026: PUT Contacts answers 400 without summarizeErrors"""
    answer = nz.put("Contacts", {"Contacts": [{"Name": name}]})
    assert messages(answer) == [
        f"The contact name {name} is already assigned to another contact. "
        "The contact name must be unique across all active contacts."
    ]
    [element] = answer.get_json()["Elements"]
    assert (element["ContactID"], element["HasValidationErrors"]) == ("00000000-0000-0000-0000-000000000000", True)


def test_the_name_of_an_archived_contact_may_be_used_again(nz):
    """accounting/contacts: unique across all active contacts"""
    assert made(nz, Name="Old Mill Bakery")["ContactStatus"] == "ACTIVE"


def test_renaming_to_a_taken_name_is_refused(nz, contact):
    """accounting/contacts"""
    assert "already assigned" in messages(nz.post(f"Contacts/{contact}", {"Name": "City Agency"}))[0]


@pytest.mark.parametrize(("field", "value"), [("ContactNumber", "shop-10023"), ("AccountNumber", "RU-100")])
def test_numbers_are_unique(nz, field, value):
    """accounting/contacts: a number already taken is an error"""
    assert "already exists" in messages(nz.put("Contacts", {"Contacts": [{"Name": "New", field: value}]}))[0]


# fmt: off
WRONG = [
    ({"Name": ""},                                              "Contact must contain at least 1"),
    ({"Name": "n" * 256},                                       "Name must not be more than 255"),
    ({"Name": "A <b> C"},                                       "cannot contain '<' or '>'"),
    ({"Name": " Spaced"},                                       "leading, trailing or repeated spaces"),
    ({"Name": "Two  spaces"},                                   "leading, trailing or repeated spaces"),
    ({"ContactNumber": "n" * 51},                               "ContactNumber must not be more than 50"),
    ({"FirstName": "n" * 256},                                  "FirstName must not be more than 255"),
    ({"TaxNumber": "n" * 51},                                   "TaxNumber must not be more than 50"),
    ({"EmailAddress": "nobody"},                                "Email address must be valid."),
    ({"EmailAddress": "jürgen@example.com"},                    "Email address must be valid."),
    ({"EmailAddress": "a@example.com, b@example.com"},          "Email address must be valid."),
    ({"ContactPersons": [{"EmailAddress": "nobody"}]},          "Email address must be valid."),
    ({"ContactPersons": [PERSON] * 6},                          "A maximum of 5 ContactPersons is allowed"),
    ({"Phones": [{"PhoneType": "OFFICE"}]},                     "PhoneType 'OFFICE' is not valid"),
    ({"Phones": [{"PhoneType": "DDI", "PhoneNumber": "1" * 51}]}, "PhoneNumber must not be more than 50"),
    ({"Phones": [{"PhoneType": "DDI", "PhoneAreaCode": "1" * 11}]}, "PhoneAreaCode must not be more than 10"),
    ({"Addresses": [{"AddressType": "DELIVERY"}]},              "AddressType 'DELIVERY' is not valid"),
    ({"Addresses": [{"AddressType": "STREET", "AddressLine1": "x" * 501}]}, "AddressLine1 must not be more than 500"),
    ({"Addresses": [{"AddressType": "STREET", "City": "x" * 256}]}, "City must not be more than 255"),
    ({"Addresses": [{"AddressType": "STREET", "Country": "NZ1"}]}, "must contain letters only"),
    ({"DefaultCurrency": "CAD"},                                "Organisation is not subscribed to currency CAD"),
    ({"ContactStatus": "ARCHIVED"},                             "ContactStatus ARCHIVED is not valid"),
]
# fmt: on


@pytest.mark.parametrize(("fields", "text"), WRONG)
def test_a_wrong_contact_is_refused_with_its_reason(nz, fields, text):
    """accounting/contacts: elements and their lengths; the words are loose where no answer was recorded"""
    assert any(text in found for found in messages(nz.put("Contacts", {"Contacts": [{"Name": "New", **fields}]})))


def test_a_post_keeps_what_is_left_out(nz, contact):
    """accounting/contacts: elements left out are preserved"""
    before = read(nz, contact)
    nz.post("Contacts", {"Contacts": [{"ContactID": contact, "TaxNumber": "123-456-789"}]})
    after = read(nz, contact)
    assert after["TaxNumber"] == "123-456-789"
    assert {**after, "TaxNumber": "", "UpdatedDateUTC": ""} == {**before, "TaxNumber": "", "UpdatedDateUTC": ""}
    assert after["UpdatedDateUTC"] > before["UpdatedDateUTC"]


def test_a_post_replaces_one_slot_and_leaves_the_others(nz, contact):
    """accounting/contacts: phones and addresses by their type"""
    nz.post(f"Contacts/{contact}", {"Phones": [{"PhoneType": "MOBILE", "PhoneNumber": "021 555"}]})
    phones = {row["PhoneType"]: row.get("PhoneNumber") for row in read(nz, contact)["Phones"]}
    assert phones["MOBILE"] == "021 555"
    assert phones["DEFAULT"]


def test_an_empty_text_clears_a_field(nz, contact):
    """accounting/contacts"""
    nz.post(f"Contacts/{contact}", {"EmailAddress": ""})
    assert "EmailAddress" not in read(nz, contact)


def test_contact_persons_are_replaced_as_a_whole(nz, contact):
    """accounting/contacts: ContactPersons"""
    nz.post(f"Contacts/{contact}", {"ContactPersons": [PERSON] * 2})
    nz.post(f"Contacts/{contact}", {"ContactPersons": [PERSON]})
    assert read(nz, contact)["ContactPersons"] == [PERSON]
    nz.post(f"Contacts/{contact}", {"FirstName": "Someone"})
    assert read(nz, contact)["ContactPersons"] == [PERSON]


@pytest.mark.parametrize("identity", [{"ContactNumber": "shop-10041"}, {"Name": "kauri timber TRADERS"}])
def test_a_post_finds_its_contact_by_number_or_name(nz, sandbox, identity):
    """accounting/contacts: matched by ContactID, ContactNumber, else Name"""
    before = len(sandbox.documents(NZ, "contact"))
    answer = nz.post("Contacts", {"Contacts": [{**identity, "FirstName": "Found"}]}).get_json()["Contacts"][0]
    assert (answer["FirstName"], answer["LastName"]) == ("Found", "Parata")
    assert len(sandbox.documents(NZ, "contact")) == before


def test_a_post_that_finds_nobody_creates(nz, sandbox):
    """accounting/contacts"""
    nz.post("Contacts", {"Contacts": [{"Name": "Posted"}]})
    assert contact_id(sandbox, "Posted")


def test_a_number_alone_makes_no_contact(nz):
    """waynerobinson/xeroizer pull request 380"""
    answer = nz.post("Contacts", {"Contacts": [{"ContactNumber": "12345"}]})
    assert messages(answer) == ["Contact Name cannot be empty."]


def test_an_unknown_contact_id_fails_the_whole_request(nz):
    """Seen in production against Xero in 2026"""
    body = {"Contacts": [{"Name": "Fine"}, {"ContactID": "8f9fa7a6-fb58-41ed-bd06-b658e68c6a97", "Name": "Unknown"}]}
    answer = nz.post("Contacts", body)
    assert (answer.status_code, answer.data) == (404, b"")
    assert names(nz.get("Contacts", where='Name=="Fine"')) == []


def test_a_contact_can_be_archived_with_open_invoices_and_never_brought_back(nz, contact):
    """Recorded in September 2026"""
    nz.put("Invoices", {"Invoices": [invoice(contact)]})
    assert nz.post(f"Contacts/{contact}", {"ContactStatus": "ARCHIVED"}).status_code == 200
    for fields in ({"ContactStatus": "ACTIVE"}, {"FirstName": "x"}):
        assert messages(nz.post(f"Contacts/{contact}", fields)) == [ARCHIVED]
        assert messages(nz.post("Contacts", {"Contacts": [{"ContactID": contact, **fields}]})) == [ARCHIVED]


def test_a_contact_under_a_gdpr_request_is_left_alone(nz, sandbox):
    """The stand-in's own strictness: such a contact must never be written to"""
    answer = nz.post(f"Contacts/{contact_id(sandbox, 'Forgotten Customer')}", {"FirstName": "x"})
    assert "GDPR" in messages(answer)[0]


def test_archived_contacts_are_listed_on_request_only(nz):
    """accounting/contacts: includeArchived"""
    assert "Old Mill Bakery" not in names(nz.get("Contacts", page=1))
    assert "Old Mill Bakery" in names(nz.get("Contacts", page=1, includeArchived="true"))


def test_a_merged_contact_points_at_the_one_that_stayed(nz, sandbox):
    """accounting/contacts: MergedToContactID"""
    merged = contact_id(sandbox, "Hamilton Smith Limited")
    stayed = contact_id(sandbox, "Hamilton Smith Ltd")
    assert read(nz, merged)["MergedToContactID"] == stayed
    [paged] = nz.get("Contacts", IDs=merged, includeArchived="true", page=1).get_json()["Contacts"]
    [unpaged] = nz.get("Contacts", IDs=merged, includeArchived="true").get_json()["Contacts"]
    assert (paged["MergedToContactID"], "MergedToContactID" in unpaged) == (stayed, False)


def test_a_contact_is_found_by_its_number(nz):
    """accounting/contacts"""
    assert read(nz, "SHOP-10023")["Name"] == "Bayside Wholesale"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"searchTerm": "BAYSIDE"}, ["Bayside Wholesale"]),
        ({"searchTerm": "shop-100"}, ["Bayside Wholesale", "Kauri Timber Traders"]),
        ({"where": 'Name=="city agency"'}, ["City Agency"]),
        ({"where": 'EmailAddress=="marama@cityagency.example"'}, ["City Agency"]),
        ({"where": 'AccountNumber=="WDC-7"'}, ["Waikato Dairy Cooperative"]),
        ({"where": "IsSupplier==true", "order": "Name DESC"}, ["PowerDirect Energy", "Central Copiers"]),
    ],
)
def test_a_list_is_narrowed(nz, query, found):
    """accounting/contacts: optional parameters"""
    assert names(nz.get("Contacts", **query)) == found


def test_an_unpaged_list_leaves_out_persons_and_balances(nz):
    """accounting/contacts: paging"""
    [unpaged] = nz.get("Contacts", searchTerm="bayside").get_json()["Contacts"]
    [paged] = nz.get("Contacts", searchTerm="bayside", page=1).get_json()["Contacts"]
    assert "Balances" not in unpaged
    assert paged["Balances"]["AccountsReceivable"] == {"Outstanding": 1377.24, "Overdue": 1377.24}


def test_a_summary_leaves_out_more(nz):
    """accounting/contacts: summaryOnly forces paging"""
    answer = nz.get("Contacts", summaryOnly="true").get_json()
    assert answer["pagination"]["itemCount"] == 28
    assert not {"Addresses", "Balances", "ContactPersons", "IsCustomer"} & set(answer["Contacts"][0])


def test_balances_follow_the_invoices_without_moving_the_contact(nz, contact):
    """accounting/requests-and-responses: Balances do not move UpdatedDateUTC"""
    before = read(nz, contact)
    assert "Balances" not in before
    nz.put("Invoices", {"Invoices": [invoice(contact, Date="2026-10-01", DueDate="2026-10-31")]})
    after = read(nz, contact)
    assert after["Balances"] == {
        "AccountsReceivable": {"Outstanding": 24.15, "Overdue": 24.15},
        "AccountsPayable": {"Outstanding": 0.0, "Overdue": 0.0},
    }
    assert (after["IsCustomer"], after["UpdatedDateUTC"]) == (True, before["UpdatedDateUTC"])


def test_balances_are_in_the_base_currency(nz, contact):
    """accounting/contacts: Balances"""
    nz.put("Invoices", {"Invoices": [invoice(contact, CurrencyCode="USD", CurrencyRate=0.5)]})
    assert read(nz, contact)["Balances"]["AccountsReceivable"]["Outstanding"] == 48.3


def test_only_what_changed_since_is_listed(nz, contact):
    """accounting/requests-and-responses: If-Modified-Since"""
    nz.post(f"Contacts/{contact}", {"FirstName": "Changed"})
    answer = nz.get("Contacts", page=1, headers={"If-Modified-Since": "2026-11-21T00:00:00"})
    assert names(answer) == ["Kiwi Solar Ltd"]


def test_updating_an_unknown_contact_is_a_404(nz):
    """Recorded in September 2026: text/html, empty"""
    answer = nz.post("Contacts/8f9fa7a6-fb58-41ed-bd06-b658e68c6a97", {"FirstName": "x"})
    assert (answer.status_code, answer.data) == (404, b"")


def raised(caller: Caller, contact: Any, **changes: Any) -> Any:
    answer = caller.put("Invoices", {"Invoices": [invoice(contact, **changes)]})
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()["Invoices"][0]["InvoiceID"]


def credited(caller: Caller, contact: Any, type: str = "ACCRECCREDIT", **changes: Any) -> Any:
    body = {
        "Type": type,
        "Contact": {"ContactID": contact},
        "Date": "2026-11-20",
        "Status": "AUTHORISED",
        "LineItems": [line(Quantity=1)],
        **changes,
    }
    return caller.put("CreditNotes", body).get_json()["CreditNotes"][0]["CreditNoteID"]


def receivable(caller: Caller, id: Any) -> Any:
    return read(caller, id)["Balances"]["AccountsReceivable"]


def test_credit_that_is_left_is_taken_off_what_is_outstanding(nz, contact):
    """accounting/contacts: Balances; nothing but credit is a negative balance"""
    note_id = credited(nz, contact)
    assert receivable(nz, contact) == {"Outstanding": -12.08, "Overdue": 0.0}
    id = raised(nz, contact)
    assert receivable(nz, contact) == {"Outstanding": 12.07, "Overdue": 0.0}
    nz.put(f"CreditNotes/{note_id}/Allocations", {"Amount": 10, "Invoice": {"InvoiceID": id}})
    assert receivable(nz, contact)["Outstanding"] == 12.07
    nz.post(f"Invoices/{raised(nz, contact)}", {"Status": "VOIDED"})
    assert receivable(nz, contact)["Outstanding"] == 12.07


def test_a_suppliers_credit_is_taken_off_what_is_payable(nz, contact):
    """accounting/contacts: Balances"""
    raised(nz, contact, Type="ACCPAY", LineItems=[line(AccountCode="461")])
    credited(nz, contact, "ACCPAYCREDIT", LineItems=[line(AccountCode="461", Quantity=1)])
    assert read(nz, contact)["Balances"] == {
        "AccountsReceivable": {"Outstanding": 0.0, "Overdue": 0.0},
        "AccountsPayable": {"Outstanding": 12.07, "Overdue": 0.0},
    }


def test_an_invoice_is_overdue_the_day_after_its_due_date_in_its_own_country(nz, sandbox, contact):
    """accounting/contacts: Balances by the clock; it is midday of 21 November in Auckland"""
    raised(nz, contact, DueDate="2026-11-21")
    assert receivable(nz, contact) == {"Outstanding": 24.15, "Overdue": 0.0}
    sandbox.clock.advance(11 * 3600)
    caller = Caller(nz.client, sign_in(nz.client)["access_token"], NZ)
    assert receivable(caller, contact) == {"Outstanding": 24.15, "Overdue": 24.15}
    [listed] = caller.get("Contacts", IDs=contact, page=1).get_json()["Contacts"]
    assert listed["Balances"] == read(caller, contact)["Balances"]


# --- by hand -----------------------------------------------------------------------------------------------------------


def test_a_merged_contact_is_archived_and_points_at_the_winner(nz, sandbox, contact):
    """accounting/contacts: MergedToContactID"""
    loser = made(nz, Name="Kiwi Solar Limited")["ContactID"]
    sandbox.merge(NZ, loser, contact)
    found = read(nz, loser)
    assert (found["ContactStatus"], found["MergedToContactID"]) == ("ARCHIVED", contact)
    assert nz.get("Contacts", IDs=loser, page=1).get_json()["Contacts"] == []
    [listed] = nz.get("Contacts", IDs=loser, page=1, includeArchived="true").get_json()["Contacts"]
    assert listed["MergedToContactID"] == contact
    assert messages(nz.post("Contacts", {"ContactID": loser, "FirstName": "X"})) == [ARCHIVED]


def test_the_documents_of_a_merged_contact_move_to_the_winner(nz, sandbox, contact):
    """xero.com: merging contacts"""
    loser = made(nz, Name="Kiwi Solar Limited")["ContactID"]
    id, note_id = raised(nz, loser), credited(nz, loser)
    before = nz.get(f"Invoices/{id}").get_json()["Invoices"][0]["UpdatedDateUTC"]
    sandbox.merge(NZ, loser, contact)
    moved = nz.get(f"Invoices/{id}").get_json()["Invoices"][0]
    assert (moved["Contact"]["ContactID"], moved["UpdatedDateUTC"]) == (contact, before)
    assert nz.get(f"CreditNotes/{note_id}").get_json()["CreditNotes"][0]["Contact"]["ContactID"] == contact
    assert nz.get(f"CreditNotes/{note_id}").get_json()["CreditNotes"][0]["CreditNoteNumber"] == "CN-0026"
    assert nz.get("Invoices", ContactIDs=contact).get_json()["Invoices"][-1]["InvoiceNumber"] == moved["InvoiceNumber"]
    assert nz.get(f"Invoices/{moved['InvoiceNumber']}").status_code == 200
    assert read(nz, contact)["IsCustomer"]
    assert "Balances" not in read(nz, loser)
    assert receivable(nz, contact)["Outstanding"] == 12.07


def test_a_merge_is_read_since(nz, sandbox, contact):
    """accounting/requests-and-responses: If-Modified-Since"""
    loser = made(nz, Name="Kiwi Solar Limited")["ContactID"]
    sandbox.clock.advance(60)
    sandbox.merge(NZ, loser, contact)
    since = {"If-Modified-Since": "2026-11-21T00:30:30"}
    rows = nz.get("Contacts", page=1, includeArchived="true", headers=since).get_json()["Contacts"]
    assert {row["ContactID"] for row in rows} == {loser, contact}


def test_what_cannot_be_merged_is_refused(nz, sandbox, contact):
    """xero.com: merging contacts"""
    archived = contact_id(sandbox, "Old Mill Bakery")
    for loser, winner, problem in (
        (contact, contact, ValueError),
        (contact, archived, ValueError),
        (contact, "nobody", KeyError),
    ):
        with pytest.raises(problem):
            sandbox.merge(NZ, loser, winner)
    assert read(nz, contact)["ContactStatus"] == "ACTIVE"
