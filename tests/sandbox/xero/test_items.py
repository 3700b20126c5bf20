"""Items: developer.xero.com accounting/items."""

from typing import Any

import pytest

from tests.sandbox.xero.callers import Caller, messages


def made(caller: Caller, **fields: Any) -> Any:
    answer = caller.put("Items", {"Items": [{"Code": "NEW", "Name": "New", **fields}]})
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()["Items"][0]


def test_a_new_item_comes_back_with_its_id(nz):
    """accounting/items: PUT"""
    created = made(nz, SalesDetails={"UnitPrice": 19.99, "AccountCode": "200", "TaxType": "OUTPUT2"})
    found = nz.get(f"Items/{created['ItemID']}").get_json()["Items"][0]
    assert (found["Code"], found["IsSold"], found["SalesDetails"]["UnitPrice"]) == ("NEW", True, 19.99)
    assert nz.get("Items/new").get_json()["Items"][0]["ItemID"] == created["ItemID"]


def test_a_code_is_unique(nz):
    """XeroAPI/Xero-OpenAPI accounting: Price List Item with Code 'abc' already exists"""
    assert messages(nz.put("Items", {"Items": [{"Code": "book"}]})) == ["Price List Item with Code 'book' already exists"]


def test_a_post_updates_by_code_or_id_and_keeps_what_is_left_out(nz):
    """accounting/items: POST"""
    before = nz.get("Items/BOOK").get_json()["Items"][0]
    nz.post("Items", {"Items": [{"Code": "BOOK", "Name": "Renamed"}]})
    after = nz.post(f"Items/{before['ItemID']}", {"Code": "BOOK", "Description": "Other words"}).get_json()["Items"][0]
    assert (after["ItemID"], after["Name"], after["Description"]) == (before["ItemID"], "Renamed", "Other words")
    assert after["SalesDetails"] == before["SalesDetails"]
    assert after["UpdatedDateUTC"] != before["UpdatedDateUTC"]


def test_a_post_with_a_new_code_creates(nz):
    """accounting/items: POST"""
    assert nz.post("Items", {"Items": [{"Code": "POSTED"}]}).get_json()["Items"][0]["ItemID"]


def test_not_sold_any_more_forgets_the_sales_details(nz):
    """accounting/items: IsSold"""
    after = nz.post("Items", {"Items": [{"Code": "BOOK", "IsSold": False}]}).get_json()["Items"][0]
    assert (after["SalesDetails"], after["PurchaseDetails"]["UnitPrice"]) == ({}, 12.0)


def test_unit_prices_have_two_places_unless_four_are_asked_for(nz):
    """accounting/requests-and-responses: unitdp"""
    assert nz.get("Items/CABLE-M").get_json()["Items"][0]["SalesDetails"]["UnitPrice"] == 1.24
    assert nz.get("Items/CABLE-M", unitdp=4).get_json()["Items"][0]["SalesDetails"]["UnitPrice"] == 1.2375


def test_items_can_be_filtered_and_read_since(nz):
    """accounting/items: where, If-Modified-Since"""
    codes = [row["Code"] for row in nz.get("Items", where='Code=="BOOK" OR Code=="DEV-H"').get_json()["Items"]]
    assert codes == ["DEV-H", "BOOK"]
    nz.post("Items", {"Items": [{"Code": "BOOK", "Name": "Later"}]})
    rows = nz.get("Items", headers={"If-Modified-Since": "2026-11-21T00:00:00"}).get_json()["Items"]
    assert [row["Code"] for row in rows] == ["BOOK"]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"Code": "c" * 31}, "Code must not be more than 30 characters long."),
        ({"Code": ""}, "Code must be specified"),
        ({"Name": "n" * 51}, "Name must not be more than 50 characters long."),
        ({"Description": "d" * 4001}, "Description must not be more than 4000 characters long."),
        ({"SalesDetails": {"AccountCode": "999"}}, "Account code '999' is not a valid code"),
        ({"SalesDetails": {"TaxType": "INPUT2"}}, "The TaxType code INPUT2 does not exist or cannot be used"),
        ({"PurchaseDetails": {"TaxType": "OUTPUT2"}}, "The TaxType code OUTPUT2 does not exist or cannot be used"),
    ],
)
def test_a_wrong_item_is_refused_with_its_reason(nz, fields, text):
    """accounting/items: elements and their lengths"""
    assert any(text in found for found in messages(nz.put("Items", {"Items": [{"Code": "NEW", **fields}]})))


def test_an_unknown_item_id_is_refused(nz):
    """accounting/items"""
    unknown = "8f9fa7a6-fb58-41ed-bd06-b658e68c6a97"
    assert messages(nz.post("Items", {"Items": [{"ItemID": unknown, "Code": "X"}]}))
    assert nz.get(f"Items/{unknown}").status_code == 404


def test_a_code_cannot_be_changed_to_a_taken_one(nz):
    """accounting/items"""
    book = nz.get("Items/BOOK").get_json()["Items"][0]["ItemID"]
    assert messages(nz.post(f"Items/{book}", {"Code": "DEV-H"})) == ["Price List Item with Code 'DEV-H' already exists"]
