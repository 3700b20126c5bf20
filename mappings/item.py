"""Products and Items: to Xero made the first time an invoice uses one, from Xero with the reference data (seeds 001 and 004; K41)."""

from mappings.convert import bind, one_line, text
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

ITEM = local("ITEM", Mapping("Product of an Item", "Item", "product", (
    #     Xero                   JSON name              Dynamics 365                          written as               note
    Field("Code",                "Code",                "productnumber",                      text(100),               "Used for matching, whatever its capitals.", required="Give the item a code in Xero.", who="bookkeeper"),
    Field("Name",                "Name",                "name",                               one_line(100, cut=True), "Follows Xero where Item Owner is Xero; else written once.", who="bookkeeper"),
    Field("Code",                "Code",                "name",                               one_line(100),           "If the item has no name.", otherwise=True),
    Field("Description",         "Description",         "description",                        text(2000, cut=True),    "Follows Xero where Item Owner is Xero; else written once.", who="bookkeeper"),
    Field("Purchase Description", "PurchaseDescription", "description",                       text(2000, cut=True),    "If Description is not provided.", otherwise=True, who="bookkeeper"),
    Link ("Unit Group",          "unit_group",          "defaultuomscheduleid@odata.bind",    bind("uomschedules"),    "Default Unit, else the oldest.", required="Make a unit group in Dynamics 365: every product needs one.", who="administrator"),
    Link ("Unit",                "unit",                "defaultuomid@odata.bind",            bind("uoms"),            "The base unit of the group.", required="Make a unit group in Dynamics 365: every product needs one.", who="administrator"),
    Constant(4,                                         "quantitydecimal",                    "Quantities in Xero have up to four decimals."),
)))
# fmt: on
