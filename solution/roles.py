"""The three security roles, as rows of what they may do and why.

Names of privileges follow Dataverse's rule: prv + the operation + the table's schema name. Invoice lines have none of
their own: they ride on the invoice's. Price lists, price list items, units and unit groups ride on the product's
(learn.microsoft.com, Security role and privilege reference). A table owned by the organization knows only Global.
Override Invoice Pricing (prvOverridePriceEngineInvoice) follows the rule too: without it no line takes a price of its own.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias
from xml.etree.ElementTree import Element

from solution.markup import add
from solution.publisher import guid
from solution.schema import TABLES


class Depth(StrEnum):
    """How far a privilege reaches."""

    OWN = "Basic"
    BUSINESS_UNIT = "Local"
    BELOW = "Deep"
    ALL = "Global"


Grant: TypeAlias = tuple[str, str, Depth, str]

ALL, OWN = Depth.ALL, Depth.OWN

# fmt: off
SCHEMA_NAMES: Mapping[str, str] = {
    # table                   as its privileges spell it
    "account":                "Account",
    "contact":                "Contact",
    "invoice":                "Invoice",
    "product":                "Product",
    "transactioncurrency":    "TransactionCurrency",
    "systemuser":             "User",
    "team":                   "Team",
    "businessunit":           "BusinessUnit",
    "organization":           "Organization",
    "appmodule":              "AppModule",
    "webresource":            "WebResource",
    "usersettings":           "UserSettings",
    "entity":                 "Entity",
    "attribute":              "Attribute",
    "relationship":           "Relationship",
    "optionset":              "OptionSet",
    "sdkmessage":             "SdkMessage",
    "pluginassembly":         "PluginAssembly",
    "plugintype":             "PluginType",
    "workflow":               "Workflow",
    "asyncoperation":         "AsyncOperation",
}

RECORDS = "mag_payment mag_creditnote mag_synchistory"
REFERENCE = "mag_xeroaccountcode mag_taxrate mag_brandingtheme mag_trackingcategory mag_trackingoption"
SETTINGS = "mag_xeroflow mag_xeropricelist mag_xeroroute"
METADATA = "entity attribute relationship optionset sdkmessage pluginassembly plugintype workflow"

SERVICE: tuple[Grant, ...] = (
    # may                                                 on which tables            whose  because
    ("Create Read Write Append AppendTo Assign",          "invoice",                 ALL,   "Sends invoices and their lines, writes back what Xero says; makes invoices from Xero and gives them their owner."),
    ("OverridePriceEngine",                               "invoice",                 ALL,   "Gives the lines of invoices from Xero Xero's price instead of the price list's."),
    ("Create Read Write Append AppendTo Assign",          "account contact",         ALL,   "Reads customers and billing contacts, writes balances; makes accounts and contacts from Xero."),
    ("Create Read Write Append AppendTo",                 "product",                 ALL,   "Reads products, units and price lists; makes products and price lists from Xero where the connector's settings say so."),
    ("Create Read Write Delete Append AppendTo Assign",   RECORDS,                   ALL,   "Makes payments, credit notes and Sync History for the owner of the invoice; deletes old Sync History."),
    ("Create Read Write Delete Append AppendTo",          REFERENCE,                 ALL,   "Keeps accounts, tax rates, themes and tracking as Xero has them."),
    ("Create Read Write Append AppendTo",                 "mag_xeroconnector",       ALL,   "Reads the settings, makes the row when an organisation is connected, keeps its status current."),
    ("Read AppendTo",                                     SETTINGS,                  ALL,   "Reads flows, price lists and routes."),
    ("Read AppendTo",                                     "transactioncurrency",     ALL,   "Names the currency of what it makes."),
    ("Read AppendTo",                                     "systemuser team businessunit", ALL, "Gives rows their owner, and routes by business unit."),
    ("Read",                                              "organization usersettings appmodule", ALL, "Reads the environment's flags and its own time zone, and links to this app."),
    ("Read",                                              METADATA,                  ALL,   "What every service user needs to be let in and to have Dataverse's own logic run."),
    ("Read",                                              "asyncoperation",          OWN,   "Follows the jobs it started."),
)

ADMINISTRATOR: tuple[Grant, ...] = (
    ("Create Read Write Delete Append AppendTo Assign Share", "mag_xeroconnector",   ALL,   "Settings of every connector."),
    ("Create Read Write Delete Append AppendTo",          SETTINGS,                  ALL,   "Flows, price lists and routes."),
    ("Read Append AppendTo",                              REFERENCE,                 ALL,   "Chooses defaults among what Xero has."),
    ("Read Write Append AppendTo",                        "mag_creditnote",          ALL,   "Looks into failures and has them tried again."),
    ("Read AppendTo",                                     "mag_payment",             ALL,   "Looks into payments."),
    ("Read Delete AppendTo",                              "mag_synchistory",         ALL,   "Reads everything that happened, and clears it out."),
    ("Read Write AppendTo",                               "invoice",                 ALL,   "Looks into failures and has them tried again."),
    ("Read Append AppendTo",                              "account contact",         ALL,   "Sees the customers the records are about."),
    ("Read AppendTo",                                     "product transactioncurrency systemuser businessunit", ALL, "Chooses price lists, currencies, owners and business units."),
    ("Read",                                              "appmodule webresource",   ALL,   "Opens the app."),
)

USER: tuple[Grant, ...] = (
    ("Read AppendTo",                                     "mag_xeroconnector",       ALL,   "Chooses the organisation of an invoice."),
    ("Read AppendTo",                                     REFERENCE,                 ALL,   "Chooses accounts, tax rates, themes and tracking."),
    ("Read",                                              "mag_payment mag_synchistory", OWN, "Sees what happened to their own records."),
    ("Create Read Write Append AppendTo",                 "mag_creditnote",          OWN,   "Credits their own invoices."),
    ("Read",                                              "appmodule webresource",   ALL,   "Opens the app."),
)
# fmt: on


@dataclass(frozen=True)
class Role:
    """One security role."""

    name: str
    description: str
    grants: tuple[Grant, ...]

    @property
    def id(self) -> str:
        """Return the role's id, the same for ever."""
        return guid("role", self.name)

    @property
    def privileges(self) -> Mapping[str, Depth]:
        """Return each privilege by its name, in the order of the alphabet."""
        return dict(sorted(self._granted()))

    def _granted(self) -> Iterator[tuple[str, Depth]]:
        for operations, tables, depth, _ in self.grants:
            for operation in operations.split():
                for table in tables.split():
                    yield privilege(operation, table), depth


def privilege(operation: str, table: str) -> str:
    """Name the privilege to do something with a table's rows; KeyError for a table nobody has spelled."""
    ours = {row.name for row in TABLES if row.custom}
    return f"prv{operation}{table if table in ours else SCHEMA_NAMES[table]}"


ROLES: tuple[Role, ...] = (
    Role("Xero Connector Service", "For the application user the connector signs in as, and nobody else.", SERVICE),
    Role(
        "Xero Connector Administrator",
        "For whoever looks after the connector: its settings and everything that happened.",
        ADMINISTRATOR,
    ),
    Role("Xero Connector User", "For salespeople, beside their sales role: what happened to their own records.", USER),
)


def role_xml(role: Role) -> Element:
    """Return the role as a solution file holds it."""
    element = Element("Role", {"id": role.id, "name": role.name, "isinherited": "1"})
    add(element, "IsCustomizable", 1)
    privileges = add(element, "RolePrivileges")
    for name, depth in role.privileges.items():
        add(privileges, "RolePrivilege", None, name=name, level=depth)
    return element
