"""Every row of every table names fields that exist on both sides, and writes no target twice."""

import importlib
import importlib.util
import re
from collections.abc import Sequence
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from xero_python.accounting import models

from mappings import invoice
from mappings.__main__ import TABLES, guide
from mappings.convert import at_most, email
from mappings.table import SETTINGS, At, Columns, Constant, Field, Lines, Link, Mapping, Refused, Row, Setting
from solution.model import MODEL, ColumnModel
from tests.mappings import golden

GUIDE = Path(__file__).parents[2] / "docs" / "field-guide.md"
ROWS = [(name, row) for name, mapping in TABLES.items() for row in mapping.rows]
COLUMNS = {name: mapping.columns() for name, mapping in TABLES.items() if not mapping.source[0].isupper()}


def labelled(rows: Sequence[tuple[str, Row]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        ("name", "row"), rows, ids=[f"{name}: {row.label or row.target} to {row.target}" for name, row in rows]
    )


def is_from_xero(mapping: Mapping) -> bool:
    return mapping.source[0].isupper()


# ── Xero's side ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def xero_type(model: str, path: str) -> str:
    """Return the SDK's type of a field, walking into objects and, by their kind, into lists of objects."""
    for part in re.finditer(r"(\w+)(?:\[(\w+)=(\w+)\])?", path):
        name, key, kind = part.groups()
        cls = getattr(models, model)
        attribute = {json: python for python, json in cls.attribute_map.items()}[name]
        model = cls.openapi_types[attribute]
        if key:
            model = re.fullmatch(r"list\[(\w+)\]", model)[1]  # type: ignore[index]
            assert key in getattr(models, model).attribute_map.values()
            hold(model, {key: kind})
    return model


def hold(model: str, payload: dict[str, Any]) -> Any:
    """Build xero-python's model of a payload: it refuses what is too long or no option of Xero's."""
    cls = getattr(models, model)
    by_json = {json: python for python, json in cls.attribute_map.items()}
    return cls(**{by_json[name]: held(cls.openapi_types[by_json[name]], value) for name, value in payload.items()})


def held(kind: str, value: Any) -> Any:
    if found := re.fullmatch(r"list\[(\w+)\]", kind):
        return [held(found[1], child) for child in value]
    if isinstance(value, dict):
        return hold(kind, value)
    if kind in ("CurrencyCode", "LineAmountTypes"):
        return getattr(models, kind)(value)
    return value


@labelled([(name, row) for name, row in ROWS if not is_from_xero(TABLES[name])])
def test_a_target_is_a_field_of_xero(name: str, row: Row):
    kind = xero_type(TABLES[name].target, row.target)
    if isinstance(row, Lines):
        assert kind == f"list[{row.table.target}]"
        assert row.table in TABLES.values()


@labelled([(name, row) for name, row in ROWS if is_from_xero(TABLES[name]) and isinstance(row, Field)])
def test_a_source_is_a_field_of_xero(name: str, row: Row):
    assert xero_type(TABLES[name].source, row.source)


PAYLOADS = [
    case for case in golden.CASES if "payload" in golden.expected(case) and not is_from_xero(golden.table(golden.given(case)))
]


@pytest.mark.parametrize("case", PAYLOADS)
def test_a_golden_payload_is_one_the_sdk_of_xero_can_hold(case: str):
    mapping, payload = golden.table(golden.given(case)), golden.expected(case)["payload"]
    model = hold(mapping.target, payload)
    names = {json: python for python, json in model.attribute_map.items()}
    assert all(getattr(model, names[name]) not in (None, "") for name in payload)


# ── Dynamics' side ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def own_columns() -> dict[str, dict[str, str]]:
    """Return the users' own columns, as mappings/local.py tells them: {"invoice": {"new_column": "text"}}."""
    if importlib.util.find_spec("mappings.local") is None:
        return {}
    return getattr(importlib.import_module("mappings.local"), "COLUMNS", {})


OWN = own_columns()


def columns_of(table: str) -> dict[str, ColumnModel]:
    return {**MODEL[table].columns, **{name: ColumnModel(name, kind) for name, kind in OWN.get(table, {}).items()}}


def exist(columns: Columns, table: str) -> None:
    """Assert that everything *columns* name is in the schema."""
    known = MODEL[table]
    assert columns.table in ("", table)
    assert columns.select <= {column.property for column in columns_of(table).values()}
    navigation = {nav: target for column in known.columns.values() for target, nav in column.navigation.items()}
    for name, inner in columns.lookups.items():
        exist(inner, navigation[name])
    for name, inner in columns.children.items():
        exist(inner, known.one_to_many[name][0])
    for name, inner in columns.links.items():
        exist(inner, known.many_to_many[name][0])


@pytest.mark.parametrize("name", COLUMNS)
def test_what_a_table_reads_exists_in_dynamics(name: str):
    exist(COLUMNS[name], TABLES[name].source)


def test_what_a_push_reads_exists_in_dynamics():
    exist(invoice.columns(), "invoice")
    exist(invoice.settings_columns(), SETTINGS)


@pytest.mark.parametrize("name", TABLES)
def test_the_settings_a_table_reads_exist(name: str):
    exist(TABLES[name].settings_columns(), SETTINGS)


@labelled([(name, row) for name, row in ROWS if is_from_xero(TABLES[name])])
def test_a_target_is_a_column_of_dynamics(name: str, row: Row):
    if isinstance(row, Lines):
        known = MODEL[TABLES[name].target]
        assert {**known.one_to_many, **known.many_to_many}[row.target][0] == row.table.target
        return
    column = target_column(TABLES[name], row)
    assert row.target.endswith("@odata.bind") == column.is_lookup
    limit = at_most(row.written)
    if limit and column.max_length:
        assert limit <= column.max_length


def target_column(mapping: Mapping, row: Row) -> ColumnModel:
    columns, name = columns_of(mapping.target), row.target.removesuffix("@odata.bind")
    return columns.get(name) or next(column for column in columns.values() if name in column.navigation.values())


def source_column(table: str, source: str) -> ColumnModel:
    """Return the column a row reads, walking through its lookups."""
    *lookups, last = source.partition("@")[0].split(".")
    for lookup in lookups:
        navigation = {nav: target for column in MODEL[table].columns.values() for target, nav in column.navigation.items()}
        table = navigation[lookup]
    return columns_of(table)[last]


READ = [
    (name, row) for name, row in ROWS if (isinstance(row, Field) and not is_from_xero(TABLES[name])) or isinstance(row, Setting)
]

SAMPLE_VALUES: dict[str, Any] = {
    "text": "NZD",
    "memo": "words",
    "integer": 4,
    "decimal": Decimal("1.5"),
    "money": Decimal("1.5"),
    "boolean": True,
    "datetime": "2026-11-20T11:00:00Z",
    "date": "2026-11-20",
    "uniqueidentifier": "00c0ffee-0000-4000-8000-000000000001",
}


@labelled(READ)
def test_a_converter_takes_what_its_column_holds(name: str, row: Row):
    column = source_column(SETTINGS if isinstance(row, Setting) else TABLES[name].source, row.source)
    at = At({}, {"mag_timezone": "Europe/London"}, row=row)
    if column.type == "choice":
        assert [row.written.write(value, at) for value in column.options]
        with pytest.raises(Refused):
            row.written.write(max(column.options) + 1, at)
    elif "@name" in row.source:
        assert row.written.write("words", at)
    elif column.is_lookup:
        (target,) = column.targets
        assert row.written.reads
        assert set(row.written.reads) <= {inner.property for inner in MODEL[target].columns.values()}
    elif row.written is email:
        assert row.written.write("a@b.example", at)
    else:
        assert row.written.write(SAMPLE_VALUES[column.type], at) is not None


@labelled([(name, row) for name, row in READ if row.source.startswith("mag_") and "." not in row.source])
def test_a_column_of_ours_bears_its_own_label(name: str, row: Row):
    column = source_column(SETTINGS if isinstance(row, Setting) else TABLES[name].source, row.source)
    assert row.label == column.label


def pruned(record: Any, columns: Columns) -> Any:
    """Return of *record* only what *columns* ask for."""
    if record is None:
        return None
    named = columns.select | {f"{name}@OData.Community.Display.V1.FormattedValue" for name in columns.select}
    kept = {name: value for name, value in record.items() if name in named}
    for name, inner in columns.lookups.items():
        kept[name] = pruned(record.get(name), inner)
    for name, inner in {**columns.children, **columns.links}.items():
        kept[name] = [pruned(row, inner) for row in record.get(name) or ()]
    return kept


@pytest.mark.parametrize(
    "case", [case for case in golden.CASES if golden.expected(case) and not is_from_xero(golden.table(golden.given(case)))]
)
def test_nothing_is_read_that_was_not_asked_for(case: str):
    sample = golden.given(case)
    mapping = golden.table(sample)
    sample["record"] = pruned(sample["record"], mapping.columns())
    sample["settings"] = pruned(sample["settings"], mapping.settings_columns())
    assert golden.outcome(mapping, sample) == golden.expected(case)


# ── the tables themselves ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", TABLES)
def test_no_target_is_written_twice(name: str):
    """Two rows of one target must exclude each other, or the later must be the fallback of the earlier."""
    for first, second in combinations(TABLES[name].rows, 2):
        if first.target == second.target and not (isinstance(first, Lines) and isinstance(second, Lines)):
            excluded = first.when is not None and second.when is not None and first.when.excludes(second.when)
            assert excluded or second.otherwise, f"{first.target}: {first.source}, {second.source}"


@labelled(ROWS)
def test_a_row_says_what_it_is(name: str, row: Row):
    assert isinstance(row, Constant) or row.label
    assert isinstance(row, Constant | Link) or row.source


def test_the_field_guide_is_up_to_date(bless: bool):
    if bless:
        GUIDE.write_text(guide(), encoding="utf-8", newline="\n")
    assert GUIDE.read_text(encoding="utf-8") == guide(), "Run: pytest tests/mappings --bless"


# ── the tables of the vendors we follow, row by row in their order ──────────────────────────────────────────────────────────────

STREET, PO_BOX = "Addresses[AddressType=STREET]", "Addresses[AddressType=POBOX]"
ADDRESSES = [
    (f"address{n}_{column}", f"{kind}.{field}")
    for n, kind in ((1, STREET), (2, PO_BOX))
    for column, field in (
        ("line1", "AddressLine1"),
        ("line2", "AddressLine2"),
        ("line3", "AddressLine3"),
        ("city", "City"),
        ("postalcode", "PostalCode"),
        ("stateorprovince", "Region"),
        ("country", "Country"),
    )
]
FOLLOWED = {
    "SALES_INVOICE": [
        ("invoicenumber", "InvoiceNumber"),
        ("duedate", "DueDate"),
        ("datedelivered", "Date"),
        ("ContactID", "Contact.ContactID"),
        ("mag_brandingthemeid", "BrandingThemeID"),
        ("mag_reference", "Reference"),
        ("transactioncurrencyid.isocurrencycode", "CurrencyCode"),
        ("", "Type"),
        ("mag_defaultxerostatus", "Status"),
        ("mag_lineamounttypes", "LineAmountTypes"),
        ("", "SentToContact"),
        ("description", "LineItems"),
    ],
    "LINE": [
        ("description", "Description"),
        ("productid.name", "Description"),
        ("productdescription", "Description"),
        ("productid.productnumber", "ItemCode"),
        ("quantity", "Quantity"),
        ("priceperunit", "UnitAmount"),
        ("mag_xeroaccountcodeid", "AccountCode"),
        ("mag_taxrateid", "TaxType"),
        ("tax", "TaxAmount"),
    ],
    "TRACKING": [("mag_name", "Option"), ("mag_trackingcategoryid@name", "Name")],
    "ACCOUNT": [
        ("name", "Name"),
        ("accountnumber", "AccountNumber"),
        ("mag_primarybillingcontactid.firstname", "FirstName"),
        ("mag_primarybillingcontactid.lastname", "LastName"),
        ("mag_primarybillingcontactid.emailaddress1", "EmailAddress"),
        ("emailaddress1", "EmailAddress"),
        ("mag_account_contact_billingcontacts", "ContactPersons"),
        ("transactioncurrencyid.isocurrencycode", "DefaultCurrency"),
        ("telephone1", "Phones[PhoneType=DEFAULT].PhoneNumber"),
        ("fax", "Phones[PhoneType=FAX].PhoneNumber"),
        *ADDRESSES,
    ],
    "CONTACT": [
        ("fullname", "Name"),
        ("firstname", "FirstName"),
        ("lastname", "LastName"),
        ("emailaddress1", "EmailAddress"),
        ("transactioncurrencyid.isocurrencycode", "DefaultCurrency"),
        ("telephone1", "Phones[PhoneType=DEFAULT].PhoneNumber"),
        ("mobilephone", "Phones[PhoneType=MOBILE].PhoneNumber"),
        ("fax", "Phones[PhoneType=FAX].PhoneNumber"),
        *ADDRESSES,
    ],
    "PERSON": [
        ("firstname", "FirstName"),
        ("lastname", "LastName"),
        ("emailaddress1", "EmailAddress"),
        ("", "IncludeInEmails"),
    ],
    "PRODUCT": [("productnumber", "Code"), ("name", "Name")],
    "ITEM": [("Code", "productnumber"), ("Name", "name")],
    "PAYMENT": [
        ("PaymentID", "mag_xeropaymentid"),
        ("Date", "mag_paymentdate"),
        ("Amount", "mag_amount"),
        ("Reference", "mag_reference"),
        ("account", "mag_xeroaccountcodeid@odata.bind"),
        ("invoice", "mag_invoiceid@odata.bind"),
    ],
    "INVOICE_STATUS": [("Status", "mag_xeroinvoicestatus"), ("TotalTax", "mag_xerotax"), ("AmountDue", "mag_amountdue")],
    "INVOICE_FROM_XERO": [
        ("InvoiceNumber", "invoicenumber"),
        ("InvoiceNumber", "name"),
        ("DueDate", "duedate"),
        ("Date", "datedelivered"),
        ("account", "customerid_account@odata.bind"),
        ("BrandingThemeID", "mag_brandingthemeid@odata.bind"),
        ("Reference", "mag_reference"),
        ("CurrencyCode", "transactioncurrencyid@odata.bind"),
        ("InvoiceID", "mag_xeroid"),
        ("", "mag_synchedwithxero"),
        ("price_list", "pricelevelid@odata.bind"),
        ("LineItems", "invoice_details"),
    ],
    "LINE_FROM_XERO": [
        ("Description", "description"),
        ("ItemCode", "productid@odata.bind"),
        ("ItemCode", "uomid@odata.bind"),
        ("Quantity", "quantity"),
        ("UnitAmount", "priceperunit"),
        ("AccountCode", "mag_xeroaccountcodeid@odata.bind"),
        ("TaxType", "mag_taxrateid@odata.bind"),
        ("TaxAmount", "tax"),
        ("DiscountAmount", "manualdiscountamount"),
        ("Tracking", "mag_invoicedetail_trackingoption"),
    ],
    "TRACKING_FROM_XERO": [("Option", "mag_name"), ("Name", "mag_trackingcategoryid@odata.bind")],
    "XERO_ACCOUNT": [
        ("Name", "mag_name"),
        ("Description", "mag_description"),
        ("Type", "mag_type"),
        ("Code", "mag_code"),
        ("TaxType", "mag_taxtype"),
    ],
    "TAX_RATE": [
        ("Name", "mag_name"),
        ("TaxType", "mag_taxtype"),
        ("DisplayTaxRate", "mag_displaytaxrate"),
        ("EffectiveRate", "mag_effectiverate"),
    ],
    "BRANDING_THEME": [("Name", "mag_name"), ("BrandingThemeID", "mag_xerobrandingthemeid")],
    "TRACKING_CATEGORY": [("Name", "mag_name"), ("Status", "mag_xerostatus")],
    "CREDIT_NOTE_ALLOCATION": [
        ("CreditNote.Date", "mag_creditdate"),
        ("CreditNote.CreditNoteNumber", "mag_creditnotenumber"),
        ("CreditNote.Reference", "mag_reference"),
        ("invoice", "mag_invoiceid@odata.bind"),
        ("Amount", "mag_amount"),
    ],
    "TRACKING_OPTION": [("Name", "mag_name"), ("category", "mag_trackingcategoryid@odata.bind")],
}


@pytest.mark.parametrize("name", FOLLOWED)
def test_every_row_of_the_vendors_table_stands_in_its_order(name: str):
    ours = [(row.source, row.target) for row in TABLES[name].rows]
    places = [ours.index(row) for row in FOLLOWED[name]]
    assert places == sorted(places)
