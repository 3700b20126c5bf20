"""Product of Dynamics 365 to Item of Xero, made the first time an invoice uses it (seeds 001 and 004)."""

from mappings.convert import text
from mappings.table import Constant, Field, Link, Mapping, local

# fmt: off
PRODUCT = local("PRODUCT", Mapping("Item of a Product", "product", "Item", (
    #     Dynamics 365       logical name       Xero           written as           note
    Field("Product Number",  "productnumber",   "Code",        text(30),            "Used for matching.", required="Give the product a number."),
    Field("Name",            "name",            "Name",        text(50, cut=True)),
    Field("Description",     "description",     "Description", text(4000),          "What Xero offers for a line with the item."),
    Field("Name",            "name",            "Description", text(4000),          "If Description is not provided: the whole name, of which Xero's own holds 50 characters.", otherwise=True),
    Constant(True,                              "IsSold",      "Invoices and bills may both use it."),
    Constant(True,                              "IsPurchased", "Invoices and bills may both use it."),
    Link ("Id in Xero",      "ItemID",          "ItemID",      text(36),            "To update; a new item has none."),
)))
# fmt: on
