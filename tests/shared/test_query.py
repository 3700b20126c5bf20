"""What is asked of the Dataverse Web API, and how its answers become one record."""

import re
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

import pytest

from mappings import invoice
from mappings.contact import ACCOUNT
from mappings.table import Columns
from shared.dataverse import query
from shared.errors import Rejected
from solution.model import MODEL

ID = "00c0ffee-0000-4000-8000-00000000000a"
LINE = "00c0ffee-0000-4000-8000-00000000000b"
OTHER_LINE = "00c0ffee-0000-4000-8000-00000000000c"


def asked(columns: Columns) -> list[str]:
    return [unquote(operation.path) for operation in query.plan(columns, ID.upper())]


def test_an_invoice_is_read_in_four_queries_of_one_batch():
    header, lines, tracking, people = asked(invoice.columns())
    assert header.startswith(f"invoices({ID})?$select=_customerid_value,")
    assert "customerid_account($select=" in header
    assert "mag_primarybillingcontactid($select=contactid,emailaddress1,firstname,lastname)" in header
    assert lines.startswith("invoicedetails?$select=")
    assert lines.endswith(f"&$filter=_invoiceid_value eq {ID}")
    assert "productid($select=name,productnumber)" in lines
    assert tracking == (
        f"invoicedetails?$select=invoicedetailid&$filter=_invoiceid_value eq {ID}"
        "&$expand=mag_invoicedetail_trackingoption($select=_mag_trackingcategoryid_value,mag_name,mag_xerostatus)"
    )
    assert people == (
        f"accounts?$select=accountid&$filter=invoice_customer_accounts/any(i:i/invoiceid eq {ID})"
        "&$expand=mag_account_contact_billingcontacts($select=contactid,emailaddress1,firstname,lastname)"
    )


def test_a_many_to_many_expand_stands_alone():
    """Dataverse refuses it beside another expand, or nested (reference dataverse 2.3)."""
    links = {name for table in MODEL.values() for name in table.many_to_many}
    for path in asked(invoice.columns()):
        expands = re.findall(r"(\w+)\(\$select", path)
        assert len(expands) == 1 or not links & set(expands)


def test_no_query_expands_more_than_fifteen():
    assert all(len(re.findall(r"\(\$select", path)) <= 15 for path in asked(invoice.columns()))
    many = Columns("invoice", lookups={f"l{n}": Columns(select=frozenset({"a"})) for n in range(16)})
    with pytest.raises(ValueError, match="takes 15"):
        query.plan(many, ID)


def test_nothing_hides_inside_a_many_to_many_expand():
    inner = Columns("contact", frozenset({"a"}), lookups={"x": Columns(select=frozenset({"b"}))})
    with pytest.raises(ValueError, match="N:N link tags"):
        query.plan(Columns("account", links={"tags": inner}), ID)


def test_every_query_asks_for_annotations_and_holds_no_blank():
    for operation in query.plan(invoice.columns(), ID):
        assert operation.method == "GET"
        assert operation.headers == {"Prefer": 'odata.include-annotations="*"'}
        assert " " not in operation.path


def test_an_account_is_read_with_its_own_links():
    header, people = asked(ACCOUNT.columns())
    assert header.startswith(f"accounts({ID})?")
    assert people.startswith(f"accounts?$select=accountid&$filter=accountid eq {ID}&$expand=mag_account_contact_billingcontacts(")


def test_an_id_cannot_smuggle_a_query():
    with pytest.raises(ValueError, match="UUID"):
        query.plan(invoice.columns(), f"{ID})/$ref")


# ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

HEADER: dict[str, Any] = {
    "@odata.etag": 'W/"7"',
    "invoiceid": ID,
    "customerid_account": {"accountid": "a", "name": "A"},
    "customerid_contact": None,
}
LINES: dict[str, Any] = {
    "value": [{"@odata.etag": 'W/"1"', "invoicedetailid": LINE, "quantity": Decimal(1)}, {"invoicedetailid": OTHER_LINE}]
}
TRACKING = {
    "value": [
        {
            "invoicedetailid": OTHER_LINE,
            "mag_invoicedetail_trackingoption": [{"mag_name": "North"}],
            "mag_invoicedetail_trackingoption@odata.nextLink": "shown even when complete",
        }
    ]
}
PEOPLE = {"value": [{"accountid": "a", "mag_account_contact_billingcontacts": [{"firstname": "B"}]}]}


def merged(header: Any = HEADER, lines: Any = LINES, tracking: Any = TRACKING, people: Any = PEOPLE) -> dict[str, Any]:
    return query.merge(invoice.columns(), [header, lines, tracking, people])


def test_the_answers_become_one_record():
    record = merged()
    assert record["@odata.etag"] == 'W/"7"'
    assert [line["invoicedetailid"] for line in record["invoice_details"]] == [LINE, OTHER_LINE]
    assert [line["mag_invoicedetail_trackingoption"] for line in record["invoice_details"]] == [[], [{"mag_name": "North"}]]
    assert record["customerid_account"] == {
        "accountid": "a",
        "name": "A",
        "mag_account_contact_billingcontacts": [{"firstname": "B"}],
    }
    assert record["customerid_contact"] is None


def test_the_answers_themselves_are_never_changed():
    merged()
    assert "mag_account_contact_billingcontacts" not in HEADER["customerid_account"]
    assert "mag_invoicedetail_trackingoption" not in LINES["value"][0]


def test_a_customer_who_is_a_person_has_no_billing_contacts():
    header = HEADER | {"customerid_account": None, "customerid_contact": {"contactid": "c"}}
    record = merged(header, people={"value": []})
    assert record["customerid_account"] is None
    assert record["customerid_contact"] == {"contactid": "c"}


def test_an_account_that_is_no_longer_found_has_no_billing_contacts():
    assert merged(people={"value": []})["customerid_account"]["mag_account_contact_billingcontacts"] == []


def test_an_invoice_without_lines_has_an_empty_list():
    assert merged(lines={"value": []}, tracking={"value": []})["invoice_details"] == []


def test_more_lines_than_one_answer_holds_are_refused():
    with pytest.raises(Rejected, match="5,000"):
        merged(lines=LINES | {"@odata.nextLink": "https://x/api/data/v9.2/invoicedetails?$skiptoken=y"})


def test_the_links_of_the_row_itself_are_merged_into_it():
    record = query.merge(ACCOUNT.columns(), [{"accountid": "a"}, PEOPLE])
    assert record == {"accountid": "a", "mag_account_contact_billingcontacts": [{"firstname": "B"}]}


# ── single queries ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_selection_is_encoded_for_a_batch():
    name = query.quoted("Ann & Bob’s O'Hara #1")
    operation = query.selection("account", ("accountid", "name"), f"name eq {name}", "name asc", top=2)
    assert operation.path == (
        "accounts?$select=accountid,name&$filter=name%20eq%20'Ann%20%26%20Bob%E2%80%99s%20O''Hara%20%231'&$orderby=name%20asc&$top=2"
    )


def test_many_values_are_asked_for_in_several_filters():
    names = [f"O'Neil {n}" for n in range(query.MOST_VALUES + 1)]
    first, second = query.among("name", names)
    assert first.startswith("(name eq 'O''Neil 0' or name eq 'O''Neil 1' or ")
    assert first.count(" eq ") == query.MOST_VALUES
    assert second == "(name eq 'O''Neil 25')"
    assert query.among("name", []) == []
    assert query.among("productid", [ID.upper()], query.row_id) == [f"(productid eq {ID})"]
    with pytest.raises(ValueError, match="badly formed"):
        query.among("productid", ["1 or true"], query.row_id)


def test_a_page_size_travels_with_every_page():
    first = query.selection("invoice", ("invoiceid",), page_size=50)
    assert first.headers == {"Prefer": 'odata.maxpagesize=50,odata.include-annotations="*"'}
    page = {
        "value": [],
        "@odata.nextLink": "https://acme.crm4.dynamics.com/api/data/v9.2/invoices?$select=invoiceid&$skiptoken=%3Cc%20a%3D%221%22%3E",
    }
    second = query.next_page(page, page_size=50)
    assert second is not None
    assert second.path == "invoices?$select=invoiceid&$skiptoken=%3Cc%20a%3D%221%22%3E"
    assert second.headers == first.headers
    assert query.next_page({"value": []}) is None


def test_top_and_a_page_size_exclude_each_other():
    with pytest.raises(ValueError, match="one of them"):
        query.selection("invoice", ("invoiceid",), top=1, page_size=1)


def test_one_row_is_read_by_its_id():
    assert query.read("mag_synchistory", ID, ("mag_name",)).path == f"mag_synchistories({ID})?$select=mag_name"


def test_a_row_is_addressed_by_an_alternate_key():
    key = {"_mag_xeroconnectorid_value": ID, "mag_taxtype": "OUT'PUT/2"}
    assert query.keyed("mag_taxrate", key) == f"mag_taxrates(_mag_xeroconnectorid_value={ID},mag_taxtype=%27OUT%27%27PUT%2F2%27)"


@pytest.mark.parametrize("table", sorted(MODEL))
def test_every_table_is_addressed_by_its_own_plural(table: str):
    assert query.entity_set(table) == MODEL[table].entity_set


def test_every_way_back_is_a_relationship_of_the_schema():
    for navigation, lookup in query.CHILD_OF.items():
        assert MODEL["invoice"].one_to_many[navigation] == ("invoicedetail", lookup)
    for navigation, reverse in query.REVERSE.items():
        table = {nav: target for target, nav in MODEL["invoice"].columns["customerid"].navigation.items()}[navigation]
        assert MODEL[table].one_to_many[reverse] == ("invoice", "customerid")
