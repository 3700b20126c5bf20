"""Reading rows. Source of each: Microsoft Learn, "Query data using the Web API", page named in the test."""

import json
from decimal import Decimal
from typing import Any
from urllib.parse import quote, unquote

import pytest

from sandbox.dataverse import Sandbox
from sandbox.dataverse.demo_company import ACCOUNTS, ID

from .conftest import Api

ANNOTATED = 'odata.include-annotations="*"'


def names(api: Api, condition: str, table: str = "accounts", column: str = "name") -> list[Any]:
    answer = api.get(f"{table}?$select={column}&$filter={quote(condition)}")
    assert answer.status == 200, answer.text
    return sorted(row[column] for row in answer.values)


def refusal(api: Api, url: str) -> tuple[int, str]:
    answer = api.get(url)
    return answer.status, answer.code


# --- select-columns ------------------------------------------------------------------------------------------------


def test_the_primary_key_always_comes_with_the_selected_columns(api: Api) -> None:
    """select-columns: the primary key is always returned."""
    (row,) = api.get(f"accounts?$select=name&$filter=accountid eq {ID['boom']}").values
    assert set(row) == {"@odata.etag", "name", "accountid"}


def test_a_money_column_brings_its_currency_along(api: Api) -> None:
    """select-columns: _transactioncurrencyid_value comes with any money column."""
    (row,) = api.get(f"accounts?$select=creditlimit&$filter=accountid eq {ID['boom']}").values
    assert row["_transactioncurrencyid_value"] == ID["NZD"]


@pytest.mark.parametrize(
    "option", ["$select=naam", "$select=Name", "$filter=naam eq 'x'", "$orderby=naam", "$expand=naam", "$select=customerid"]
)
def test_an_unknown_property_is_refused_and_case_counts(api: Api, option: str) -> None:
    """Web service error codes: 0x80060888."""
    assert refusal(api, f"invoices?{option}") == (400, "0x80060888")


def test_without_a_select_every_column_comes(api: Api, sandbox: Sandbox) -> None:
    (row, *_) = api.get("accounts").values
    columns = sandbox.environment.model["account"].columns.values()
    assert set(row) == {"@odata.etag"} | {column.property for column in columns}


# --- filter-rows ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("name eq 'Boom FM'", ["Boom FM"]),
        ("accountnumber ge 'S-2001' and accountnumber lt 'S-2003'", ["PowerDirect", "Truxton Property Management"]),
        ("accountnumber gt 'S-2002' or accountnumber le 'C-1001'", ["Ridgeway University", "Swanston Security"]),
        ("not (accountnumber lt 'S')", ["PowerDirect", "Swanston Security", "Truxton Property Management"]),
        ("contains(name,'media')", ["Rex Media Group"]),
        ("startswith(name,'Port')", ["Port & Philip Freight"]),
        ("endswith(name,'Ltd')", ["Hamilton Smith Ltd", "Huia Gardens Ltd"]),
        ("name eq 'O''Brien & Søn'", ["O'Brien & Søn"]),
        (
            "address1_country eq 'Australia' and (startswith(name,'R') or startswith(name,'Y'))",
            ["Rex Media Group", "Young Bros Transport"],
        ),
        (
            "Microsoft.Dynamics.CRM.In(PropertyName='accountnumber',PropertyValues=['C-1002','C-1003'])",
            ["Basket Case", "City Limousines"],
        ),
        (
            'Microsoft.Dynamics.CRM.Between(PropertyName="x",PropertyValues=["a","b"])'.replace('"x"', "'accountnumber'")
            .replace('"a"', '"C-1007"')
            .replace('"b"', '"C-1008"'),
            ["Hamilton Smith Ltd", "Rex Media Group"],
        ),
    ],
)
def test_conditions_combine(api: Api, condition: str, expected: list[str]) -> None:
    """filter-rows: comparison, logical and string operators; Microsoft.Dynamics.CRM functions."""
    assert names(api, condition) == expected


def test_text_compares_without_case_and_accents(api: Api) -> None:
    """filter-rows: all string filters are case-insensitive; the collation ignores accents too."""
    assert names(api, "name eq 'KERERU & daughters'") == ["Kererū & Daughters"]


def test_percent_and_underscore_are_wildcards(api: Api) -> None:
    """wildcard-characters: % _ [ ] act as in SQL."""
    assert names(api, "contains(name,'r_x m%g')") == ["Rex Media Group"]
    assert names(api, "startswith(name,'[by]o')") == ["Boom FM", "Young Bros Transport"]


def test_null_is_asked_for_by_name_and_ne_finds_rows_without_a_value(api: Api) -> None:
    """filter-rows: null; FetchXML operators: ne also returns rows without a value."""
    without = names(api, "_primarycontactid_value eq null")
    assert "Marine Systems" in without
    assert "Boom FM" not in without
    assert len(names(api, "_primarycontactid_value ne null")) == len(ACCOUNTS) - len(without)
    assert set(without) < set(names(api, f"_primarycontactid_value ne {ID['lucy']}"))
    assert "Boom FM" not in names(api, f"_primarycontactid_value ne {ID['lucy']}")


def test_a_lookup_is_filtered_by_id_or_through_its_navigation_property(api: Api) -> None:
    """filter-rows: filter on lookup columns and related rows' columns."""
    assert names(api, f"_primarycontactid_value eq {ID['lucy']}") == ["Boom FM"]
    assert names(api, "primarycontactid/fullname eq 'Lucy Okafor'") == ["Boom FM"]
    assert names(api, "transactioncurrencyid/isocurrencycode eq 'GBP'") == ["Petrie McLoud Watson & Associates"]


def test_a_customer_is_filtered_by_the_navigation_of_its_own_table(api: Api) -> None:
    api.invoice("boom")
    assert names(api, "customerid_account/name eq 'Boom FM'", "invoices") == ["Consulting November"]
    assert names(api, "customerid_contact/fullname eq 'Boom FM'", "invoices") == []


@pytest.mark.parametrize(
    "condition",
    [
        "_primarycontactid_value eq '00000000-0000-0000-0000-000000000001'",
        "name eq 5",
        "statecode eq '0'",
        "createdon gt 'yesterday'",
    ],
)
def test_operands_of_different_types_are_refused(api: Api, condition: str) -> None:
    """filter-rows: guids, dates and numbers are written without quotes."""
    answer = api.get(f"accounts?$filter={quote(condition)}")
    assert (answer.status, answer.code) == (400, "0x80060888")
    assert "incompatible types" in answer.message


@pytest.mark.parametrize(
    "condition", ["name eq", "name = 'x'", "name like 'x'", "statecode in (0,1)", "tolower(name) eq 'x'", "(name eq 'x'"]
)
def test_syntax_dataverse_does_not_know_is_refused(api: Api, condition: str) -> None:
    """filter-rows: the operators not listed there (in, arithmetic, tolower) are not supported."""
    assert refusal(api, f"accounts?$filter={quote(condition)}") == (400, "0x80060888")


def test_any_without_a_condition_asks_whether_there_is_a_row(api: Api) -> None:
    """filter-rows: lambda operators over collection-valued navigation properties."""
    with_line, without = api.invoice(name="with"), api.invoice(name="without")
    assert api.write_in(with_line).status == 204
    assert names(api, "invoice_details/any()", "invoices") == ["with"]
    assert names(api, "not invoice_details/any()", "invoices") == ["without"]
    assert without != with_line


def test_any_and_all_take_a_condition_on_the_related_rows(api: Api) -> None:
    """filter-rows: any returns rows with at least one match, all those whose every related row matches."""
    invoice = api.invoice("boom")
    api.write_in(invoice, "cheap", price=1)
    api.write_in(invoice, "dear", price=1000)
    assert names(api, "invoice_details/any(d:d/priceperunit gt 500)", "invoices") == ["Consulting November"]
    assert names(api, "invoice_details/all(d:d/priceperunit gt 500)", "invoices") == []
    assert names(api, f"invoice_customer_accounts/any(i:i/invoiceid eq {invoice})") == ["Boom FM"]
    assert names(api, "invoice_customer_accounts/any(i:i/invoice_details/any(d:d/productdescription eq 'dear'))") == ["Boom FM"]


def test_any_works_over_many_to_many(api: Api) -> None:
    condition = "mag_account_contact_billingcontacts/any(c:c/lastname eq 'Horvat')"
    assert names(api, condition) == ["Ridgeway University"]


def test_numbers_compare_exactly(api: Api) -> None:
    invoice = api.invoice()
    api.write_in(invoice, quantity=1, price=Decimal("0.1"))
    api.write_in(invoice, quantity=1, price=Decimal("0.2"))
    assert names(api, "totalamount eq 0.3", "invoices") == ["Consulting November"]
    assert names(api, "totalamount gt 0.3", "invoices") == []
    assert names(api, "totalamount lt 10", "invoices") == ["Consulting November"]


def test_dates_and_moments_compare(api: Api) -> None:
    api.invoice(duedate="2026-12-20", datedelivered="2026-11-20T11:00:00Z")
    assert names(api, "duedate eq 2026-12-20", "invoices") == ["Consulting November"]
    assert names(api, "datedelivered le 2026-11-20T10:59:59Z", "invoices") == []
    assert names(api, "datedelivered le 2026-11-21T00:00:00+13:00", "invoices") == ["Consulting November"]


def test_last_x_days_counts_whole_days_before_now(api: Api, sandbox: Sandbox) -> None:
    """LastXDays function: values as named arguments, with the full namespace."""
    condition = "Microsoft.Dynamics.CRM.LastXDays(PropertyName='modifiedon',PropertyValue=7)"
    api.invoice()
    assert names(api, condition, "invoices") == ["Consulting November"]
    sandbox.clock.advance(9 * 86_400)
    api.token = sandbox.token()
    assert names(api, condition, "invoices") == []
    assert refusal(api, "invoices?$filter=LastXDays(PropertyName='modifiedon',PropertyValue=7)") == (400, "0x80060888")


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        ("In(PropertyName='currencyprecision',PropertyValues=['2','3'])", 5),
        ("NotIn(PropertyName='isocurrencycode',PropertyValues=['NZD','AUD'])", 3),
        ("Between(PropertyName='exchangerate',PropertyValues=['0.5','0.95'])", 3),
        ("NotBetween(PropertyName='createdon',PropertyValues=['2026-01-01','2026-12-31'])", 0),
    ],
)
def test_query_functions_read_their_values_by_the_columns_type(api: Api, arguments: str, count: int) -> None:
    """In, NotIn, Between, NotBetween functions: values are written as strings."""
    assert len(names(api, f"Microsoft.Dynamics.CRM.{arguments}", "transactioncurrencies", "isocurrencycode")) == count


def test_query_functions_refuse_values_of_another_type(api: Api) -> None:
    for values in (
        "In(PropertyName='currencyprecision',PropertyValues=['two'])",
        "Between(PropertyName='createdon',PropertyValues=['a','b'])",
    ):
        assert refusal(api, f"transactioncurrencies?$filter=Microsoft.Dynamics.CRM.{values}") == (400, "0x80060888")


# --- order-rows, page-results --------------------------------------------------------------------------------------


def test_rows_are_ordered_and_limited(api: Api) -> None:
    """order-rows; select-columns ($top)."""
    answer = api.get("accounts?$select=name&$orderby=address1_country desc,name&$top=3")
    assert [row["name"] for row in answer.values] == [
        "Lakeside Robotics Inc.",
        "Petrie McLoud Watson & Associates",
        "Basket Case",
    ]
    assert "@odata.nextLink" not in answer.json


def test_pages_follow_the_next_link_until_there_is_none(api: Api) -> None:
    """page-results: odata.maxpagesize, @odata.nextLink used as it is, the same Prefer header."""
    found, url = [], "accounts?$select=name&$orderby=address1_country,name desc"
    sizes = []
    while url:
        answer = api.get(url, Prefer="odata.maxpagesize=5")
        found += [row["name"] for row in answer.values]
        sizes.append(len(answer.values))
        url = answer.json.get("@odata.nextLink", "").rpartition("/api/data/v9.2/")[2]
    assert sizes == [5, 5, 5, 3]
    assert sorted(found) == sorted(name for _, name, *_ in ACCOUNTS)


def test_rows_deleted_between_pages_shift_nothing(api: Api) -> None:
    """page-results: the paging cookie names the last row, not a number of rows."""
    first = api.get("contacts?$select=fullname&$orderby=lastname,firstname", Prefer="odata.maxpagesize=8")
    for row in first.values[:3]:
        assert api.delete(f"contacts({row['contactid']})").status == 204
    rest = api.get(first.json["@odata.nextLink"].rpartition("/api/data/v9.2/")[2], Prefer="odata.maxpagesize=20")
    assert len(first.values) + len(rest.values) == 17


def test_top_is_ignored_when_a_page_size_is_asked_for(api: Api) -> None:
    """page-results: do not use $top with odata.maxpagesize; $top is then ignored."""
    answer = api.get("accounts?$select=name&$top=2", Prefer="odata.maxpagesize=7")
    assert len(answer.values) == 7
    assert "@odata.nextLink" in answer.json
    assert answer.headers["Preference-Applied"] == "odata.maxpagesize=7"


@pytest.mark.parametrize(
    "option", ["$skip=5", "$search=x", "$apply=aggregate($count as c)", "$top=0", "$top=many", "fetchXml=<fetch/>"]
)
def test_options_dataverse_does_not_support_are_refused(api: Api, option: str) -> None:
    """page-results: $skip is not supported."""
    assert refusal(api, f"accounts?{option}") == (400, "0x80060888")


def test_a_made_up_paging_cookie_is_refused(api: Api) -> None:
    assert refusal(api, "accounts?$skiptoken=2") == (400, "0x80060888")


def test_rows_are_counted_beside_the_rows_or_alone(api: Api) -> None:
    """count-rows."""
    counted = api.get("accounts?$select=name&$count=true&$filter=startswith(name,'B')&$top=1")
    assert counted.json["@odata.count"] == 3
    assert len(counted.values) == 1
    assert api.get("accounts/$count?$filter=startswith(name,'B')").text == "3"


# --- formatted values, annotations ---------------------------------------------------------------------------------


def test_annotations_come_only_when_asked_for(api: Api) -> None:
    """select-columns#formatted-values: Prefer odata.include-annotations."""
    invoice = api.invoice(datedelivered="2026-11-20T11:00:00Z")
    url = f"invoices({invoice})?$select=statuscode,_customerid_value,totalamount,datedelivered"
    assert not [name for name in api.get(url).json if "@" in name and not name.startswith("@")]
    row = api.get(url, Prefer=ANNOTATED).json
    formatted = "OData.Community.Display.V1.FormattedValue"
    assert row[f"statuscode@{formatted}"] == "New"
    assert row[f"_customerid_value@{formatted}"] == "Ridgeway University"
    assert row["_customerid_value@Microsoft.Dynamics.CRM.lookuplogicalname"] == "account"
    assert row["_customerid_value@Microsoft.Dynamics.CRM.associatednavigationproperty"] == "customerid_account"
    assert row[f"totalamount@{formatted}"] == "$0.00"
    assert row[f"datedelivered@{formatted}"].startswith("11/21/2026"), "shown in the user's own time zone"


def test_one_annotation_can_be_asked_for_by_name(api: Api) -> None:
    invoice = api.invoice()
    row = api.get(
        f"invoices({invoice})?$select=statuscode,_customerid_value",
        Prefer='odata.maxpagesize=5, odata.include-annotations="Microsoft.Dynamics.CRM.*,-Microsoft.Dynamics.CRM.associated*"',
    ).json
    assert [name for name in row if "@" in name[1:]] == ["_customerid_value@Microsoft.Dynamics.CRM.lookuplogicalname"]


def test_decimals_are_exact_json_numbers(api: Api) -> None:
    """Edm.Decimal is a JSON number; read with anything but a float it is exact."""
    invoice = api.invoice()
    api.write_in(invoice, quantity=Decimal("0.00001"), price=Decimal("99999999999.99"))
    answer = api.get("invoicedetails?$select=quantity,priceperunit")
    assert '"quantity":0.00001,' in answer.text
    assert '"priceperunit":99999999999.9900' in answer.text
    assert isinstance(json.loads(answer.text)["value"][0]["priceperunit"], float)


# --- join-tables ---------------------------------------------------------------------------------------------------


def test_single_and_collection_expands_with_options(api: Api) -> None:
    """join-tables: $select, $filter, $orderby and $top inside $expand of a collection."""
    invoice = api.invoice("boom")
    for number, text in ((3, "c"), (1, "a"), (2, "b")):
        api.write_in(invoice, text, lineitemnumber=number, price=number)
    row = api.get(
        f"invoices({invoice})?$select=name&$expand=customerid_account($select=name),customerid_contact($select=fullname),"
        "invoice_details($select=productdescription;$filter=priceperunit gt 1;$orderby=lineitemnumber desc;$top=1)"
    ).json
    assert row["customerid_account"]["name"] == "Boom FM"
    assert row["customerid_contact"] is None, "the navigation that does not apply is null"
    assert [line["productdescription"] for line in row["invoice_details"]] == ["c"]


def test_an_expanded_collection_shows_a_next_link_even_when_complete(api: Api) -> None:
    """join-tables: <nav>@odata.nextLink is there when all rows were returned: not to be followed blindly."""
    row = api.get(f"invoices({api.invoice()})?$select=name&$expand=invoice_details($select=quantity)").json
    assert row["invoice_details"] == []
    assert "/invoice_details" in row["invoice_details@odata.nextLink"]


def test_an_expand_can_go_through_several_rows(api: Api) -> None:
    invoice = api.invoice()
    api.catalogue(invoice, "tablet", "each")
    row = api.get(
        f"invoices({invoice})?$select=name&$expand=invoice_details($select=quantity;$expand=productid($select=productnumber))"
    ).json
    assert row["invoice_details"][0]["productid"]["productnumber"] == "HW-TAB"


def test_a_many_to_many_expand_stands_alone(api: Api) -> None:
    """join-tables: N:N cannot be nested nor combined with other expands."""
    alone = api.get(
        f"accounts({ID['ridgeway']})?$select=name&$expand=mag_account_contact_billingcontacts($select=fullname;$orderby=fullname)"
    )
    assert [c["fullname"] for c in alone.json["mag_account_contact_billingcontacts"]] == [
        "Gwen Whitfield",
        "Olive Tran",
        "Rangi Parata",
        "Stefan Horvat",
    ]
    for expand in (
        "mag_account_contact_billingcontacts($select=fullname),primarycontactid($select=fullname)",
        "mag_account_contact_billingcontacts($select=fullname;$expand=createdby($select=fullname))",
    ):
        assert refusal(api, f"accounts?$expand={expand}") == (400, "0x80060888")
    nested = "invoice_details($select=quantity;$expand=mag_invoicedetail_trackingoption($select=mag_name))"
    assert refusal(api, f"invoices?$expand={nested}") == (400, "0x80060888")


def test_top_and_orderby_are_refused_in_nested_expands(api: Api) -> None:
    """join-tables: with nested expands each collection is paged, $top and $orderby give 0x80060888."""
    nested = "invoice_details($orderby=lineitemnumber;$expand=productid($select=name))"
    assert refusal(api, f"invoices?$expand={nested}") == (400, "0x80060888")


def test_more_than_fifteen_expands_are_refused(api: Api) -> None:
    """join-tables: at most 15 $expand options."""
    fifteen = ",".join(["createdby($select=fullname)"] * 15)
    assert api.get(f"accounts?$top=1&$expand={fifteen}").status == 200
    assert refusal(api, f"accounts?$top=1&$expand={fifteen},modifiedby($select=fullname)") == (400, "0x80060888")


def test_related_rows_can_be_read_by_path(api: Api) -> None:
    """retrieve-related-tables: navigation properties in the URL."""
    invoice = api.invoice("boom")
    api.write_in(invoice, "x")
    assert api.get(f"invoices({invoice})/customerid_account?$select=name").json["name"] == "Boom FM"
    assert [
        row["productdescription"] for row in api.get(f"invoices({invoice})/invoice_details?$select=productdescription").values
    ] == ["x"]
    assert api.get(f"invoices({invoice})/name").json["value"] == "Consulting November"
    billing = api.get(
        f"accounts({ID['ridgeway']})/mag_account_contact_billingcontacts?$select=fullname&$filter=startswith(fullname,'G')"
    )
    assert [row["fullname"] for row in billing.values] == ["Gwen Whitfield"]


# --- service -------------------------------------------------------------------------------------------------------


def test_who_am_i_names_the_application_user(api: Api, sandbox: Sandbox) -> None:
    """WhoAmI function."""
    answer = api.get("WhoAmI").json
    assert answer["UserId"] == ID["connector user"]
    assert answer["OrganizationId"] == sandbox.environment.organization_id
    assert answer["BusinessUnitId"] == ID["head office"]


def test_the_service_describes_itself(api: Api, sandbox: Sandbox) -> None:
    """Web API Service documents: $metadata (CSDL) and the service document."""
    metadata = api.get("$metadata")
    assert metadata.headers["Content-Type"].startswith("application/xml")
    assert '<EntityType Name="invoice"' in metadata.text
    assert {entry["url"] for entry in api.get("").values} == {table.entity_set for table in sandbox.environment.model.values()}


def test_a_segment_that_is_no_entity_set_is_not_found(api: Api) -> None:
    """The logical name is not the entity set name: 0x8006088a, HTTP 404."""
    assert refusal(api, "invoice") == (404, "0x8006088a")


def test_definitions_tell_keys_choices_and_set_names(api: Api) -> None:
    """Query table definitions using the Web API."""
    (found,) = api.get("EntityDefinitions?$select=EntitySetName,PrimaryIdAttribute&$filter=LogicalName eq 'mag_taxrate'").values
    assert found["EntitySetName"] == "mag_taxrates"
    (key,) = api.get("EntityDefinitions(LogicalName='mag_payment')/Keys").values
    assert (key["KeyAttributes"], key["EntityKeyIndexStatus"]) == (["mag_xeropaymentid"], "Active")
    url = "EntityDefinitions(LogicalName='invoice')/Attributes(LogicalName='statuscode')/Microsoft.Dynamics.CRM.StatusAttributeMetadata"
    options = api.get(f"{url}?$select=LogicalName&$expand=OptionSet").json["OptionSet"]["Options"]
    assert {option["Value"]: option["State"] for option in options}[100001] == 2
    assert api.get("EntityDefinitions(LogicalName='nothing')").status == 404


def test_the_next_link_is_to_be_used_as_it_is(api: Api) -> None:
    link = api.get("accounts?$select=name&$filter=contains(name,'%26')", Prefer="odata.maxpagesize=1").json["@odata.nextLink"]
    assert "'&'" in unquote(link)
    assert "%26" in link
    second = api.get(link.rpartition("/api/data/v9.2/")[2], Prefer="odata.maxpagesize=1")
    assert second.status == 200
    assert len(second.values) == 1
