"""The model: Dataverse's own tables and ours, and the relationships between them."""

from fnmatch import fnmatchcase

import pytest

from solution import standard
from solution.model import EDM, MODEL, default_reason, statuses

TYPES = set(
    [
        "uniqueidentifier",
        "text",
        "memo",
        "integer",
        "bigint",
        "decimal",
        "money",
        "double",
        "boolean",
        "datetime",
        "date",
        "choice",
        "state",
        "status",
        "lookup",
        "owner",
        "customer",
    ]
)
COLUMNS = [(table, column) for table in MODEL.values() for column in table.columns.values()]


def test_standard_json_keeps_its_shape():
    contract = standard.contract()
    assert set(contract) >= set(
        [
            "invoice",
            "invoicedetail",
            "account",
            "contact",
            "product",
            "pricelevel",
            "productpricelevel",
            "transactioncurrency",
            "uom",
            "uomschedule",
            "systemuser",
            "team",
            "businessunit",
            "organization",
            "appmodule",
            "serviceendpoint",
            "sdkmessage",
            "sdkmessagefilter",
            "sdkmessageprocessingstep",
        ]
    )
    for name, table in contract.items():
        assert set(table) == {"entity_set", "key", "columns", "navigation"}
        assert table["columns"][table["key"]] == "Edm.Guid"
        assert set(table["columns"].values()) <= set(EDM)
        for target in table["navigation"].values():
            assert target.removeprefix("Collection(").removesuffix(")") in {*contract, "principal"}, name


def test_standard_json_says_where_it_comes_from():
    origin = " ".join(standard.origin())
    assert "Apache-2.0" in origin
    assert "bcgov/jag-lcrb-carla-public" in origin


@pytest.mark.parametrize("rule", standard.RULES, ids=lambda rule: f"{rule[0]}-{rule[1]}"[:60])
def test_every_pattern_of_a_rule_speaks_of_something(rule):
    tables, columns = rule[0].split(), rule[1].split()
    for pattern in tables:
        assert any(fnmatchcase(name, pattern) for name in standard.contract())
    for pattern in columns:
        assert any(
            fnmatchcase(table.name, of) and fnmatchcase(column.name, pattern)
            for of in tables
            for table, column in COLUMNS
            if not table.custom
        )


@pytest.mark.parametrize(("table", "column"), sorted({*standard.SYSTEM_REQUIRED, *standard.DEFAULTS}))
def test_what_is_required_or_defaulted_exists(table: str, column: str):
    assert column in MODEL[table].columns


@pytest.mark.parametrize("table", MODEL.values(), ids=lambda table: table.name)
def test_the_columns_are_ones_the_web_api_could_have(table):
    for column in table.columns.values():
        assert column.type in TYPES, column
        assert column.name == column.name.lower(), column
        assert column.is_lookup == bool(column.targets) == bool(column.navigation), column
        assert set(column.navigation) == set(column.targets) <= set(MODEL), column
        assert not column.options or column.type in ("choice", "state", "status", "boolean"), column
        if column.type in ("choice", "state", "status") and column.default is not None:
            assert column.default in column.options, column


@pytest.mark.parametrize("table", MODEL.values(), ids=lambda table: table.name)
def test_a_row_has_an_id_the_caller_may_choose_but_not_change(table):
    key = table.columns[table.key]
    assert key.type == "uniqueidentifier"
    assert not key.update
    assert key.create or table.name in ("organization", "sdkmessage", "sdkmessagefilter"), "only the platform makes such rows"
    assert table.primary_name == "" or table.columns[table.primary_name].type == "text"


@pytest.mark.parametrize("table", MODEL.values(), ids=lambda table: table.name)
def test_a_collection_is_the_other_end_of_a_lookup(table):
    for many, column in table.one_to_many.values():
        assert table.name in MODEL[many].columns[column].targets


@pytest.mark.parametrize("table", MODEL.values(), ids=lambda table: table.name)
def test_a_many_to_many_list_is_seen_from_both_sides(table):
    for navigation, (other, intersect) in table.many_to_many.items():
        assert MODEL[other].many_to_many[navigation] == (table.name, intersect)


def test_every_lookup_of_ours_can_be_followed_back():
    for table, column in COLUMNS:
        if column.custom:
            for target in column.targets:
                assert (table.name, column.name) in MODEL[target].one_to_many.values()


def test_an_invoice_has_the_status_reasons_of_dynamics_365_sales():
    assert statuses("invoice") == {1: 0, 2: 0, 4: 0, 5: 0, 6: 0, 3: 1, 7: 1, 100001: 2, 100002: 2, 100003: 3}
    assert [default_reason("invoice", state) for state in range(4)] == [1, 3, 100001, 100003]


def test_a_table_of_ours_is_active_or_inactive():
    assert statuses("mag_payment") == {1: 0, 2: 1}
    assert statuses("invoicedetail") == {}


@pytest.mark.parametrize(
    ("table", "column", "create", "update"),
    [
        ("invoice", "invoicenumber", True, False),
        ("invoice", "transactioncurrencyid", True, False),
        ("invoice", "statecode", False, True),
        ("invoice", "totalamount", False, True),
        ("invoice", "ispricelocked", False, False),
        ("invoice", "mag_xerotax_base", False, False),
        ("invoice", "duedate", True, True),
        ("invoicedetail", "invoiceid", True, False),
        ("invoicedetail", "isproductoverridden", True, False),
        ("invoicedetail", "volumediscountamount", False, False),
        ("contact", "fullname", False, False),
        ("account", "modifiedon", False, False),
        ("mag_payment", "createdon", False, False),
        ("mag_payment", "mag_amount", True, True),
    ],
)
def test_a_column_is_written_when_dataverse_lets_it(table, column, create, update):
    found = MODEL[table].columns[column]
    assert (found.create, found.update) == (create, update)


@pytest.mark.parametrize(
    ("table", "column", "type", "max_length"),
    [
        ("invoice", "duedate", "date", None),
        ("invoice", "datedelivered", "datetime", None),
        ("invoice", "name", "text", 300),
        ("invoice", "description", "memo", 2000),
        ("invoice", "totalamount", "money", None),
        ("invoice", "discountpercentage", "decimal", None),
        ("invoicedetail", "quantity", "decimal", None),
        ("invoicedetail", "priceperunit", "money", None),
        ("account", "name", "text", 160),
        ("account", "address2_line3", "text", 250),
        ("contact", "lastname", "text", 50),
        ("mag_payment", "mag_paymentdate", "date", None),
        ("mag_payment", "mag_amount_base", "money", None),
        ("mag_payment", "exchangerate", "decimal", None),
    ],
)
def test_a_column_is_of_its_type_and_length(table, column, type, max_length):
    found = MODEL[table].columns[column]
    assert (found.type, found.max_length) == (type, max_length)


def test_a_customer_is_bound_by_what_it_is():
    assert MODEL["invoice"].columns["customerid"].type == "customer"
    assert MODEL["invoice"].columns["customerid"].navigation == {"account": "customerid_account", "contact": "customerid_contact"}
    assert MODEL["contact"].columns["parentcustomerid"].navigation == {
        "account": "parentcustomerid_account",
        "contact": "parentcustomerid_contact",
    }


def test_the_lines_of_an_invoice_hang_on_their_column():
    assert MODEL["invoice"].one_to_many["invoice_details"] == ("invoicedetail", "invoiceid")
    assert MODEL["account"].one_to_many["invoice_customer_accounts"] == ("invoice", "customerid")
    assert MODEL["contact"].one_to_many["invoice_customer_contacts"] == ("invoice", "customerid")
    assert MODEL["invoice"].one_to_many["mag_payment_invoiceid"] == ("mag_payment", "mag_invoiceid")


def test_only_tables_with_amounts_of_ours_get_a_currency():
    assert {name for name, table in MODEL.items() if table.custom and "transactioncurrencyid" in table.columns} == {
        "mag_payment",
        "mag_creditnote",
    }


def test_salespeople_own_what_is_about_their_records_and_the_organization_owns_the_rest():
    owned = {name for name, table in MODEL.items() if table.custom and "ownerid" in table.columns}
    assert owned == {"mag_payment", "mag_creditnote", "mag_synchistory", "mag_xeroconnector"}
    assert {name for name in owned if MODEL[name].ownership != "UserOwned"} == set()
