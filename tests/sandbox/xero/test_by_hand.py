"""What a person changes in Xero's own screens: codes and names, new accounts, rates, themes, tracking options, items."""

from typing import Any

import pytest

from sandbox.xero.demo_company import NZ, derived
from sandbox.xero.errors import PostDataInvalid
from tests.sandbox.xero.callers import invoice, line

SALES = derived(NZ, "account", "200")
REGION = derived(NZ, "tracking category", "Region")


@pytest.fixture
def tracked(nz, contact):
    """The id of an invoice on Sales, with an item and a region."""
    body = invoice(contact, LineItems=[line(ItemCode="BOOK", Tracking=[{"Name": "Region", "Option": "North"}])])
    return nz.put("Invoices", body).get_json()["Invoices"][0]["InvoiceID"]


def first_line(nz: Any, id: Any) -> Any:
    return nz.get(f"Invoices/{id}").get_json()["Invoices"][0]["LineItems"][0]


def updated(nz: Any, id: Any) -> Any:
    return nz.get(f"Invoices/{id}").get_json()["Invoices"][0]["UpdatedDateUTC"]


def test_an_account_gets_another_code_and_documents_show_it(nz, sandbox, tracked):
    """accounting/accounts: codes are the user's to change; AccountID stays"""
    before = updated(nz, tracked)
    sandbox.change(NZ, "account", SALES, Code="4000", Name="Sales NZ")
    row = first_line(nz, tracked)
    assert (row["AccountCode"], row["AccountID"], updated(nz, tracked)) == ("4000", SALES, before)
    [account] = nz.get("Accounts", where='Code=="4000"').get_json()["Accounts"]
    assert (account["AccountID"], account["Name"]) == (SALES, "Sales NZ")
    assert nz.get("Items/BOOK").get_json()["Items"][0]["SalesDetails"]["AccountCode"] == "4000"
    refused = nz.put("Invoices", invoice(derived(NZ, "contact", "Kiwi Solar Ltd"), LineItems=[line(AccountCode="200")]))
    assert refused.status_code == 400


def test_an_item_gets_another_code_and_documents_show_it(nz, sandbox, tracked):
    """accounting/items: Code"""
    sandbox.change(NZ, "item", derived(NZ, "item", "BOOK"), Code="BOOK-2", Name="Second edition")
    row = first_line(nz, tracked)
    assert (row["ItemCode"], row["Item"]["Code"], row["Item"]["Name"]) == ("BOOK-2", "BOOK-2", "Second edition")
    assert nz.get("Items/BOOK-2").status_code == 200
    assert nz.get("Items/BOOK").status_code == 404


def test_tracking_gets_other_names_and_documents_show_them(nz, sandbox, tracked):
    """accounting/trackingcategories"""
    sandbox.change(NZ, "tracking category", REGION, Name="Territory")
    sandbox.option(NZ, "Territory", "North", Name="Far North")
    [row] = first_line(nz, tracked)["Tracking"]
    assert (row["Name"], row["Option"], row["TrackingCategoryID"]) == ("Territory", "Far North", REGION)


def test_an_option_is_added_renamed_and_archived_by_name_or_id(nz, sandbox):
    """accounting/trackingcategories: Options"""

    def options(**query: Any) -> Any:
        rows = nz.get("TrackingCategories", **query).get_json()["TrackingCategories"]
        return {option["Name"]: option for row in rows if row["TrackingCategoryID"] == REGION for option in row["Options"]}

    sandbox.option(NZ, REGION, "Chatham")
    id = options()["Chatham"]["TrackingOptionID"]
    sandbox.option(NZ, "Region", id, Name="Chatham Islands")
    assert options()["Chatham Islands"]["TrackingOptionID"] == id
    sandbox.option(NZ, "Region", "Chatham Islands", Status="ARCHIVED")
    assert "Chatham Islands" not in options()
    archived = options(includeArchived="true")["Chatham Islands"]
    assert (archived["IsArchived"], archived["IsActive"], archived["TrackingOptionID"]) == (True, False, id)


def test_what_no_option_can_be_is_refused(sandbox):
    """accounting/trackingcategories"""
    for category, name, fields, problem in (
        ("Region", "North", {}, ValueError),
        ("Region", "Nowhere", {"Name": "X"}, KeyError),
        ("Nothing", "North", {}, KeyError),
        ("Region", "North", {"Colour": "red"}, ValueError),
    ):
        with pytest.raises(problem):
            sandbox.option(NZ, category, name, **fields)


def test_a_new_account_can_be_used_at_once(nz, sandbox, contact):
    """accounting/accounts"""
    added = sandbox.add(NZ, "account", Code="205", Name="Subscriptions", Type="SALES")
    assert (added["Class"], added["Status"], added["TaxType"]) == ("REVENUE", "ACTIVE", "OUTPUT2")
    [row] = nz.get("Accounts", headers={"If-Modified-Since": "2026-11-21T00:00:00"}).get_json()["Accounts"]
    assert (row["Code"], row["AccountID"]) == ("205", added["AccountID"])
    assert nz.put("Invoices", invoice(contact, LineItems=[line(AccountCode="205")])).status_code == 200


def test_new_rates_themes_items_and_currencies_are_listed(nz, sandbox):
    """accounting/taxrates, brandingthemes, items, currencies"""
    sandbox.add(NZ, "tax rate", TaxType="TAX001", Name="10% levy", EffectiveRate=10)
    sandbox.add(NZ, "branding theme", Name="Festive")
    sandbox.add(NZ, "item", Code="HAND", Name="Made by hand")
    sandbox.add(NZ, "currency", Code="EUR")
    assert nz.get("TaxRates/TAX001").get_json()["TaxRates"][0]["EffectiveRate"] == 10.0
    themes = nz.get("BrandingThemes").get_json()["BrandingThemes"]
    assert (themes[-1]["Name"], themes[-1]["SortOrder"]) == ("Festive", 3)
    assert nz.get("Items/HAND").get_json()["Items"][0]["Name"] == "Made by hand"
    assert "EUR" in [row["Code"] for row in nz.get("Currencies").get_json()["Currencies"]]


def test_a_third_active_tracking_category_is_one_too_many(nz, sandbox):
    """accounting/trackingcategories: at most two active ones"""
    with pytest.raises(ValueError, match="at most 2 active"):
        sandbox.add(NZ, "tracking category", Name="Project")
    sandbox.change(NZ, "tracking category", REGION, Status="ARCHIVED")
    sandbox.add(NZ, "tracking category", Name="Project", Options=[{"Name": "Bridge"}])
    rows = nz.get("TrackingCategories").get_json()["TrackingCategories"]
    assert [(row["Name"], len(row["Options"])) for row in rows] == [("Salesperson", 3), ("Project", 1)]


@pytest.mark.parametrize(
    ("kind", "fields", "problem", "text"),
    [
        ("account", {"Code": "200", "Name": "Again"}, ValueError, "The account 200 exists already"),
        ("account", {"Name": "No code"}, ValueError, "needs Code"),
        ("account", {"Code": "1", "Name": "x", "Type": "CASTLE"}, ValueError, "Account Type 'CASTLE' is not one of"),
        ("account", {"Code": "1", "Nmae": "x"}, PostDataInvalid, "Could not find member 'Nmae'"),
        ("tax rate", {"TaxType": "OUTPUT2", "Name": "x"}, ValueError, "The tax rate OUTPUT2 exists already"),
        ("invoice", {}, ValueError, "There is no 'invoice' to add by hand"),
    ],
)
def test_what_cannot_be_added_is_refused_with_its_reason(sandbox, kind, fields, problem, text):
    """The stand-in's own"""
    with pytest.raises(problem, match=text):
        sandbox.add(NZ, kind, **fields)


def test_a_contact_under_a_gdpr_request_is_left_alone(nz, sandbox, contact):
    """accounting/contacts: ContactStatus GDPRREQUEST"""
    sandbox.change(NZ, "contact", contact, ContactStatus="GDPRREQUEST")
    assert nz.get(f"Contacts/{contact}").get_json()["Contacts"][0]["ContactStatus"] == "GDPRREQUEST"
    assert nz.post("Contacts", {"ContactID": contact, "FirstName": "X"}).status_code == 400
