"""The rows: names, limits, keys, choices and relationships Dataverse would take, and everything SPEC 5 names."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from solution.model import MODEL
from solution.schema import CHOICES, MANY_TO_MANY, TABLES
from solution.table import entity_set, relationship

OURS = [table for table in TABLES if table.custom]
COLUMNS = [pytest.param(table, column, id=f"{table.name}.{column.name}") for table in TABLES for column in table.columns]
NAME = re.compile(r"mag_[a-z0-9]+(_[a-z0-9]+)*")

SPEC = {
    "mag_xeroaccountcode": "mag_description mag_type mag_code mag_taxtype mag_class mag_status mag_xeroconnectorid mag_xeroaccountid",
    "mag_taxrate": "mag_taxtype mag_displaytaxrate mag_effectiverate mag_status mag_canapplytoassets mag_canapplytoequity "
    "mag_canapplytoexpenses mag_canapplytoliabilities mag_canapplytorevenue mag_xeroconnectorid",
    "mag_brandingtheme": "mag_xerobrandingthemeid mag_xeroconnectorid",
    "mag_trackingcategory": "mag_xerostatus mag_xerotrackingcategoryid mag_xeroconnectorid",
    "mag_trackingoption": "mag_trackingcategoryid mag_xerostatus mag_xerotrackingoptionid",
    "mag_payment": "mag_xeropaymentid mag_paymentdate mag_amount mag_reference mag_xeroaccountcodeid mag_invoiceid mag_paymentstatus",
    "mag_creditnote": "mag_addtoxero mag_synchedwithxero mag_creditdate mag_creditnotenumber mag_reference mag_invoiceid mag_amount "
    "mag_xerocreditnoteid mag_xeroallocationid mag_exportstatus",
    "mag_xeroflow": "mag_xeroconnectorid mag_flow mag_enabled mag_everyminutes mag_lookbackdays",
    "mag_xeropricelist": "mag_xeroconnectorid mag_transactioncurrencyid mag_pricelistid",
    "mag_xeroroute": "mag_xeroconnectorid mag_order mag_businessunitid mag_transactioncurrencyid mag_invoiceownerid",
    "mag_synchistory": "mag_eventon mag_action mag_details mag_cause mag_fix mag_whoacts mag_syncstatus mag_invoiceid mag_creditnoteid "
    "mag_accountid mag_contactid mag_xeroconnectorid",
    "invoice": "mag_addtoxero mag_synchedwithxero mag_xeroconnectorid mag_xeroid mag_xeroinvoicenumber mag_xeroinvoicestatus "
    "mag_xeroinvoiceurl mag_xeropaynowlink mag_exportstatus mag_exportdate mag_invoicetype mag_lineamounttypes mag_creditsinvoiceid "
    "mag_brandingthemeid mag_reference mag_xerotax mag_amountdue mag_amountpaid mag_amountcredited mag_sendemailfromxero "
    "mag_emailsentfromxero",
    "invoicedetail": "mag_xeroaccountcodeid mag_taxrateid",
    "account": "mag_primarybillingcontactid mag_amountowed mag_amountoverdue mag_xerocontacturl",
    "contact": "mag_amountowed mag_amountoverdue mag_xerocontacturl",
}

SPEC_KEYS = {
    "mag_xeroconnector": ("mag_xerotenantid",),
    "mag_xeroaccountcode": ("mag_xeroconnectorid", "mag_xeroaccountid"),
    "mag_taxrate": ("mag_xeroconnectorid", "mag_taxtype"),
    "mag_brandingtheme": ("mag_xeroconnectorid", "mag_xerobrandingthemeid"),
    "mag_trackingcategory": ("mag_xeroconnectorid", "mag_xerotrackingcategoryid"),
    "mag_trackingoption": ("mag_trackingcategoryid", "mag_xerotrackingoptionid"),
    "mag_payment": ("mag_xeropaymentid",),
    "mag_creditnote": ("mag_xeroallocationid",),
    "mag_xeroflow": ("mag_xeroconnectorid", "mag_flow"),
    "mag_xeropricelist": ("mag_xeroconnectorid", "mag_transactioncurrencyid"),
}


@pytest.mark.parametrize("table", SPEC)
def test_every_column_of_the_specification_is_there(table):
    assert set(SPEC[table].split()) <= set(MODEL[table].columns)


def test_every_key_of_the_specification_is_there_and_no_other():
    assert {table.name: key.columns for table in TABLES for key in table.keys} == SPEC_KEYS


def test_the_two_many_to_many_lists_of_the_specification_are_there():
    assert {(link.name, link.first, link.second) for link in MANY_TO_MANY} == {
        ("mag_invoicedetail_trackingoption", "invoicedetail", "mag_trackingoption"),
        ("mag_account_contact_billingcontacts", "account", "contact"),
    }


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_a_column_is_named_described_and_sized_as_dataverse_allows(table, column):
    assert NAME.fullmatch(column.name)
    assert len(column.name) <= 50 - len("_base")
    assert 0 < len(column.label) <= 50
    assert 0 < len(column.description) <= 2000
    if column.type.kind == "text":
        assert 1 <= (column.type.max_length or 0) <= 4000
    if column.type.kind == "memo":
        assert 1 <= (column.type.max_length or 0) <= 1_048_576
    if column.type.kind == "decimal":
        assert 0 <= (column.type.precision or 0) <= 10
    assert column.type.on_delete in ("RemoveLink", "Cascade", "Restrict")


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_a_default_is_a_value_of_its_column(table, column):
    default = column.default_value
    if default is None:
        return
    match column.type.kind:
        case "boolean":
            assert default in (True, False)
        case "choice":
            assert default in column.type.options
        case "integer":
            assert column.type.minimum <= default <= column.type.maximum
        case "text":
            assert 0 < len(default) <= column.type.max_length
        case kind:
            pytest.fail(f"Dataverse takes no default for a column of type {kind}")


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_a_yes_no_column_says_what_it_is_when_nobody_has_set_it(table, column):
    assert (column.type.kind == "boolean") == isinstance(column.default, bool)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_no_column_label_or_key_stands_twice_in_a_table(table):
    for names in ([c.name for c in table.columns], [c.label for c in table.columns], [key.name for key in table.keys]):
        assert [name for name, times in Counter(names).items() if times > 1] == []


@pytest.mark.parametrize("table", OURS, ids=lambda table: table.name)
def test_a_table_of_ours_is_named_as_dataverse_allows(table):
    assert NAME.fullmatch(table.name)
    assert len(table.name) <= 50 - len("id")
    assert 0 < len(table.description) <= 2000
    assert table.columns[0].name == "mag_name"
    assert table.columns[0].type.kind == "text"
    assert f"{table.name}id" not in {column.name for column in table.columns}


def test_no_column_of_ours_hides_one_of_dataverse():
    for table in TABLES:
        built_in = {name for name, column in MODEL[table.name].columns.items() if not name.startswith("mag_") or not column.label}
        assert built_in.isdisjoint(column.name for column in table.columns)


def test_no_table_stands_twice():
    assert len({table.name for table in TABLES}) == len(TABLES)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_key_fits_into_an_index(table):
    columns = {column.name: column for column in table.columns}
    assert len(table.keys) <= 10
    for key in table.keys:
        assert len(key.columns) <= 16
        assert len(key.name) <= 50
        assert key.name.startswith("mag_")
        assert sum(_bytes(columns[name]) for name in key.columns) <= 900


def _bytes(column) -> int:
    """Size a key column as SQL Server does; a type that is not here cannot be in a key."""
    return {"text": 2 * (column.type.max_length or 0), "lookup": 16, "integer": 4, "choice": 4}[column.type.kind]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_at_most_one_parent_takes_a_row_with_it(table):
    """Dataverse allows a table one parental relationship."""
    assert sum(column.type.on_delete == "Cascade" for column in table.columns) <= 1


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_a_lookup_points_at_a_known_table(table, column):
    assert (column.type.kind == "lookup") == bool(column.type.targets)
    assert set(column.type.targets) <= set(MODEL)


def test_no_two_relationships_share_a_name():
    names = [relationship(table.name, column.name) for table in TABLES for column in table.columns if column.type.targets]
    names += [link.name for link in MANY_TO_MANY]
    assert [name for name, times in Counter(names).items() if times > 1] == []
    assert all(NAME.fullmatch(name) and len(name) <= 100 for name in names)
    assert all(len(link.name) <= 50 and link.description for link in MANY_TO_MANY)
    assert set(names).isdisjoint(table.name for table in TABLES)


def test_no_navigation_property_bears_the_name_of_a_column():
    for table in MODEL.values():
        assert set(table.columns).isdisjoint({*table.one_to_many, *table.many_to_many})


@pytest.mark.parametrize(
    ("table", "plural"),
    {
        "mag_payment": "mag_payments",
        "mag_taxrate": "mag_taxrates",
        "mag_synchistory": "mag_synchistories",
        "mag_trackingcategory": "mag_trackingcategories",
        "mag_trackingoption": "mag_trackingoptions",
        "mag_xeroaccountcode": "mag_xeroaccountcodes",
        "mag_xeroconnector": "mag_xeroconnectors",
        "mag_brandingtheme": "mag_brandingthemes",
        "mag_creditnote": "mag_creditnotes",
        "mag_xeroflow": "mag_xeroflows",
        "mag_xeropricelist": "mag_xeropricelists",
        "mag_xeroroute": "mag_xeroroutes",
    }.items(),
)
def test_the_web_api_address_of_a_table_is_its_plural(table: str, plural: str):
    assert entity_set(table) == MODEL[table].entity_set == plural


@pytest.mark.parametrize(("table", "plural"), {"mag_box": "mag_boxes", "mag_day": "mag_days", "mag_bus": "mag_buses"}.items())
def test_a_plural_follows_dataverses_rule(table: str, plural: str):
    assert entity_set(table) == plural


def test_choice_values_never_change():
    """Rows in customers' databases hold these numbers. Adding one means adding it here; changing one breaks them."""
    golden = json.loads(Path(__file__).with_name("choices.golden.json").read_text("utf-8"))
    assert {choice.name: dict(choice.values) for choice in CHOICES} == golden


@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: choice.name)
def test_a_choice_has_each_number_key_and_label_once(choice):
    assert NAME.fullmatch(choice.name)
    assert len(choice.name) <= 50
    assert 0 < len(choice.description) <= 2000
    for part in range(3):
        assert len({option[part] for option in choice.options}) == len(choice.options)
    assert all(411_140_000 <= value < 411_150_000 for value in choice.values.values())


def test_every_choice_is_listed_once_and_used():
    used = {column.type.choice.name for table in TABLES for column in table.columns if column.type.choice}
    assert Counter(choice.name for choice in CHOICES) == Counter(used)


@pytest.mark.parametrize(
    ("choice", "labels"),
    [
        ("mag_exportstatus", ["No", "Yes", "Failed", "Waiting", "Ready to update"]),
        ("mag_invoicetype", ["Sales Invoice", "Purchase Invoice", "Credit Note"]),
        ("mag_lineamounttypes", ["Exclusive", "Inclusive", "No Tax"]),
        ("mag_paymentstatus", ["Applied", "Reversed"]),
        ("mag_syncstatus", ["Successful", "Failed", "Waiting", "Warning"]),
        ("mag_xeroconnection", ["Xero Connection: OK", "Xero Connection: Disconnected"]),
        ("mag_defaultxerostatus", ["Draft", "Submitted", "Authorised"]),
    ],
)
def test_a_choice_is_worded_as_the_specification_words_it(choice: str, labels: list[str]):
    assert [label for found in CHOICES if found.name == choice for label in found.labels.values()] == labels
