"""The settings of SPEC 6 and their defaults, as SPEC 4 decides them."""

import zoneinfo

import pytest

from solution.tables.connector import XEROCONNECTOR

COLUMNS = {column.name: column for column in XEROCONNECTOR.columns}

LABELS = (
    "Name, Enabled, Default Connector, Default Account Code, Default Purchase Account Code, Default Tax Rate, Default Price List, "
    "Xero Organization Name, Xero Tenant Id, Xero Status, Last Synched On, Default Xero Invoice Status, Mark Xero Invoices as Sent, "
    "Use Xero Invoice Number, Create New Contacts, Create New Products, Create Credit Note Automatically, Time Zone"
)

DEFAULTS = {
    "mag_enabled": True,
    "mag_operatingmode": "active",
    "mag_connectmode": "oauth_code",
    "mag_xerotier": "starter",
    "mag_dailycallbudget": 90,
    "mag_xerostatus": "disconnected",
    "mag_triggermode": "add_to_xero",
    "mag_holdfuturedated": True,
    "mag_defaultxerostatus": "draft",
    "mag_numbersource": "crm_number",
    "mag_referencesource": "reference_then_description",
    "mag_dotdescriptionline": True,
    "mag_defaultlineamounttypes": "exclusive",
    "mag_taxmode": "crm_amount_if_present",
    "mag_senddiscount": True,
    "mag_bundlemode": "header_and_descriptions",
    "mag_roundingpolicy": "warn",
    "mag_allowresend": False,
    "mag_markinvoicesassent": False,
    "mag_sendemailbydefault": False,
    "mag_createnewcontacts": True,
    "mag_contactpolicy": "update",
    "mag_createnewproducts": True,
    "mag_missingitempolicy": "create",
    "mag_itemowner": "dynamics",
    "mag_createpricelists": False,
    "mag_createpaymentrows": True,
    "mag_overlapminutes": 30,
    "mag_fullcheck": "nightly",
    "mag_referencedataminutes": 360,
    "mag_createcreditnoteautomatically": False,
    "mag_cancelmode": "credit_note",
    "mag_cancelpartpaid": "full_unapplied",
    "mag_ondelete": "draft_only",
    "mag_creditnotepartialmode": "copy_all_lines",
    "mag_autoretryonfix": True,
    "mag_historyretentiondays": 400,
}


@pytest.mark.parametrize("label", LABELS.split(", "))
def test_a_setting_the_seeds_name_bears_that_name(label: str):
    assert label in {column.label for column in COLUMNS.values()}


@pytest.mark.parametrize(("column", "default"), DEFAULTS.items())
def test_a_setting_starts_as_the_specification_decides(column: str, default: object):
    assert COLUMNS[column].default == default


@pytest.mark.parametrize("column", COLUMNS.values(), ids=lambda column: column.name)
def test_a_setting_explains_itself_in_a_sentence(column):
    assert column.description[0].isupper()
    assert column.description.endswith(".")
    assert len(column.description.split()) >= 8


def test_auto_approve_is_found_under_the_status_it_became():
    assert "Auto Approve Invoices" in COLUMNS["mag_defaultxerostatus"].description


def test_the_time_zone_starts_as_one_that_exists():
    assert COLUMNS["mag_timezone"].default in zoneinfo.available_timezones()


def test_accounts_rates_and_themes_are_chosen_never_typed():
    chosen = {name: column.type.targets for name, column in COLUMNS.items() if column.type.targets}
    assert chosen == {
        "mag_defaultaccountcodeid": ("mag_xeroaccountcode",),
        "mag_defaultpurchaseaccountcodeid": ("mag_xeroaccountcode",),
        "mag_freightaccountcodeid": ("mag_xeroaccountcode",),
        "mag_roundingaccountcodeid": ("mag_xeroaccountcode",),
        "mag_defaulttaxrateid": ("mag_taxrate",),
        "mag_defaultbrandingthemeid": ("mag_brandingtheme",),
        "mag_defaultpricelistid": ("pricelevel",),
    }
