"""The roles grant what the work needs, by names Dataverse knows, and no more."""

import re

import pytest

from solution.roles import ROLES as ROWS
from solution.roles import Grant
from tests.solution.export import customizations, entities, found, text

# fmt: off
PUBLISHED = {
    # Dataverse's own privileges used here, from Microsoft's security role and privilege reference and its own service roles
    "Invoice": "user", "Account": "user", "Contact": "user", "Product": "organization", "TransactionCurrency": "organization",
    "User": "unit", "Team": "unit", "BusinessUnit": "unit", "Organization": "unit", "UserSettings": "unit", "AppModule": "organization",
    "WebResource": "organization", "Entity": "organization", "Attribute": "organization", "Relationship": "organization",
    "OptionSet": "organization", "SdkMessage": "organization", "PluginAssembly": "organization", "PluginType": "organization",
    "Workflow": "user", "AsyncOperation": "user",
}
OPERATIONS = {
    # by who owns the rows of a table
    "user":         {"Create", "Read", "Write", "Delete", "Append", "AppendTo", "Assign", "Share"},
    "unit":         {"Read", "AppendTo"},
    "organization": {"Create", "Read", "Write", "Delete", "Append", "AppendTo"},
    "miscellaneous": {"OverridePriceEngine"},
}
LEVELS = {"user": {"Basic", "Local", "Deep", "Global"}, "unit": {"Global"}, "organization": {"Global"}, "miscellaneous": {"Global"}}
# fmt: on


def _roles() -> dict[str, dict[str, str]]:
    return {
        str(role.get("name")): {str(one.get("name")): str(one.get("level")) for one in found(role, "RolePrivileges")}
        for role in found(customizations(), "Roles")
    }


def _parts(name: str) -> tuple[str, str, str]:
    match = re.fullmatch(r"prv(AppendTo|Append|Assign|Create|Delete|OverridePriceEngine|Read|Share|Write)(\w+)", name)
    assert match, name
    operation, table = match.groups()
    if name == "prvOverridePriceEngineInvoice":
        return operation, table, "miscellaneous"
    if table in PUBLISHED:
        return operation, table, PUBLISHED[table]
    entity = entities()[table]
    assert entity.ours
    assert entity.schema_name == table, "a privilege is spelled as its table's schema name"
    return operation, table, "user" if text(entity.info, "OwnershipTypeMask") == "UserOwned" else "organization"


SERVICE, ADMINISTRATOR, USER = "Xero Connector Service", "Xero Connector Administrator", "Xero Connector User"


def test_there_are_three_roles():
    assert list(_roles()) == [SERVICE, ADMINISTRATOR, USER]


@pytest.mark.parametrize("role", [SERVICE, ADMINISTRATOR, USER])
def test_every_privilege_exists_and_reaches_as_far_as_its_table_allows(role):
    for name, level in _roles()[role].items():
        operation, _, owned = _parts(name)
        assert operation in OPERATIONS[owned], name
        assert level in LEVELS[owned], name


@pytest.mark.parametrize("role", [SERVICE, ADMINISTRATOR, USER])
def test_a_privilege_is_granted_once(role):
    element = next(one for one in found(customizations(), "Roles") if one.get("name") == role)
    names = [str(one.get("name")) for one in found(element, "RolePrivileges")]
    assert names == sorted(set(names))
    granted = [(op, table) for operations, tables, _, _ in _rows(role) for op in operations.split() for table in tables.split()]
    assert len(granted) == len(set(granted)), "two rows of the role speak of the same thing"


def _rows(role: str) -> tuple[Grant, ...]:
    return next(row.grants for row in ROWS if row.name == role)


def test_every_grant_says_why():
    assert all(because.endswith(".") and len(because) > 12 for role in ROWS for _, _, _, because in role.grants)


def test_every_role_can_read_every_table_it_needs():
    ours = {name for name, entity in entities().items() if entity.ours}
    settings = {"mag_xeroflow", "mag_xeropricelist", "mag_xeroroute"}
    for role, wanted in ((SERVICE, ours), (ADMINISTRATOR, ours), (USER, ours - settings)):
        assert {table for operation, table, _ in map(_parts, _roles()[role]) if operation == "Read" and table in ours} == wanted


# fmt: off
SERVICE_MAY = {
    "Create":   "Account Contact Invoice Product mag_brandingtheme mag_creditnote mag_payment mag_synchistory mag_taxrate mag_trackingcategory mag_trackingoption mag_xeroaccountcode mag_xeroconnector",
    "Write":    "Account Contact Invoice Product mag_brandingtheme mag_creditnote mag_payment mag_synchistory mag_taxrate mag_trackingcategory mag_trackingoption mag_xeroaccountcode mag_xeroconnector",
    "Delete":   "mag_brandingtheme mag_creditnote mag_payment mag_synchistory mag_taxrate mag_trackingcategory mag_trackingoption mag_xeroaccountcode",
    "Assign":   "Account Contact Invoice mag_creditnote mag_payment mag_synchistory",
    "Share":    "",
}
# fmt: on


@pytest.mark.parametrize("operation", sorted(SERVICE_MAY))
def test_the_service_may_change_what_it_writes_and_nothing_else(operation):
    may = {table for found_, table, _ in map(_parts, _roles()[SERVICE]) if found_ == operation}
    assert may == set(SERVICE_MAY[operation].split())


def test_the_service_has_what_the_permission_list_of_the_seed_asks_for():
    """Invoices, accounts, contacts and our tables read and write, products and users read (seed 001)."""
    granted = _roles()[SERVICE]
    for table in (
        "Invoice",
        "Account",
        "Contact",
        "mag_xeroconnector",
        "mag_brandingtheme",
        "mag_xeroaccountcode",
        "mag_synchistory",
        "mag_taxrate",
    ):
        assert granted[f"prvRead{table}"] == granted[f"prvWrite{table}"] == "Global"
    assert granted["prvReadProduct"] == granted["prvReadUser"] == "Global"


def test_the_service_may_give_a_line_from_xero_its_own_price():
    """Dataverse takes a price other than the price list's from nobody else (Override Invoice Pricing)."""
    assert _roles()[SERVICE]["prvOverridePriceEngineInvoice"] == "Global"


@pytest.mark.parametrize("role", [SERVICE, ADMINISTRATOR, USER])
def test_no_role_may_delete_what_is_not_ours_or_change_the_environment(role):
    for operation, table, _ in map(_parts, _roles()[role]):
        if operation == "Delete":
            assert table.startswith("mag_")
        if table in (
            "Entity",
            "Attribute",
            "Relationship",
            "OptionSet",
            "PluginAssembly",
            "PluginType",
            "SdkMessage",
            "Workflow",
        ):
            assert operation == "Read"


def test_what_changes_are_tracked_on_is_read_in_full():
    """Change tracking answers only to a user who reads a whole table (learn.microsoft.com, change tracking)."""
    granted = _roles()[SERVICE]
    assert {level for name, level in granted.items() if name.startswith("prvRead") and name != "prvReadAsyncOperation"} == {
        "Global"
    }


def test_salespeople_see_their_own_records_and_write_no_history():
    granted = _roles()[USER]
    assert granted["prvReadmag_synchistory"] == granted["prvReadmag_payment"] == granted["prvReadmag_creditnote"] == "Basic"
    changed = {name for name in granted if not name.startswith(("prvRead", "prvAppendTo"))}
    assert changed == {"prvCreatemag_creditnote", "prvWritemag_creditnote", "prvAppendmag_creditnote"}
    assert not [name for name in granted if "Invoice" in name], "what they may do with invoices is their sales role's to say"


@pytest.mark.parametrize("role", [ADMINISTRATOR, USER])
def test_whoever_opens_the_app_may_read_it(role):
    assert {"prvReadAppModule", "prvReadWebResource"} <= set(_roles()[role])
