"""Xero's reference data to the tables people choose from in Dynamics 365.

Read in the order of ORDER (K23: accounts speak of tax types, options belong to categories) and known again by Xero's id, so that a
rename changes the row (K25). What is archived in Xero stays, marked. The pipeline gives ``connector``, the id of the connector's row,
and for an option ``category``, the id of its category's row.
"""

from collections.abc import Mapping as Read
from typing import Any, NamedTuple

from mappings.convert import bind, guid, one_line, percentage, text, yes_no
from mappings.table import Constant, Field, Link, Mapping, Row, local

STATUS = text(20)

# fmt: off
OF_THE_CONNECTOR: tuple[Row, ...] = (
    Link("Xero Connector", "connector", "mag_xeroconnectorid@odata.bind", bind("mag_xeroconnectors"), required="Connect again."),
)

TAX_RATE = local("TAX_RATE", Mapping("Tax Rate", "TaxRate", "mag_taxrate", (
    #     Xero                       JSON name               Dynamics 365                  written as       note
    Field("Name",                    "Name",                 "mag_name",                   one_line(100),   "A rename in Xero renames the row.", required="Give it a name in Xero.", who="bookkeeper"),
    Field("Tax Type",                "TaxType",              "mag_taxtype",                text(50),        "Used for matching."),
    Field("Display Tax Rate",        "DisplayTaxRate",       "mag_displaytaxrate",         percentage),
    Field("Effective Rate",          "EffectiveRate",        "mag_effectiverate",          percentage),
    Field("Status",                  "Status",               "mag_status",                 STATUS,          "What is not ACTIVE stays, and cannot be used."),
    Field("Can Apply To Assets",     "CanApplyToAssets",     "mag_canapplytoassets",       yes_no),
    Field("Can Apply To Equity",     "CanApplyToEquity",     "mag_canapplytoequity",       yes_no),
    Field("Can Apply To Expenses",   "CanApplyToExpenses",   "mag_canapplytoexpenses",     yes_no),
    Field("Can Apply To Liabilities", "CanApplyToLiabilities", "mag_canapplytoliabilities", yes_no),
    Field("Can Apply To Revenue",    "CanApplyToRevenue",    "mag_canapplytorevenue",      yes_no),
    *OF_THE_CONNECTOR,
)))

ACCOUNT = local("XERO_ACCOUNT", Mapping("Xero Account Code", "Account", "mag_xeroaccountcode", (
    Field("Name",                    "Name",                 "mag_name",                   one_line(200),   "A rename in Xero renames the row.", required="Give it a name in Xero.", who="bookkeeper"),
    Field("Description",             "Description",          "mag_description",            text(4000)),
    Field("Type",                    "Type",                 "mag_type",                   text(50)),
    Field("Code",                    "Code",                 "mag_code",                   text(10),        "Bank accounts may have none."),
    Field("Tax Type",                "TaxType",              "mag_taxtype",                text(50)),
    Field("Class",                   "Class",                "mag_class",                  text(50)),
    Field("Status",                  "Status",               "mag_status",                 STATUS,          "What is not ACTIVE stays, and cannot be used."),
    Field("Account ID",              "AccountID",            "mag_xeroaccountid",          guid,            "Used for matching."),
    *OF_THE_CONNECTOR,
)))

BRANDING_THEME = local("BRANDING_THEME", Mapping("Branding Theme", "BrandingTheme", "mag_brandingtheme", (
    Field("Name",                    "Name",                 "mag_name",                   one_line(200),   "A rename in Xero renames the row.", required="Give it a name in Xero.", who="bookkeeper"),
    Field("Branding Theme ID",       "BrandingThemeID",      "mag_xerobrandingthemeid",    guid,            "Used for matching."),
    *OF_THE_CONNECTOR,
)))

TRACKING_CATEGORY = local("TRACKING_CATEGORY", Mapping("Tracking Category", "TrackingCategory", "mag_trackingcategory", (
    Field("Name",                    "Name",                 "mag_name",                   one_line(100),   "A rename in Xero renames the row.", required="Give it a name in Xero.", who="bookkeeper"),
    Field("Xero Status",             "Status",               "mag_xerostatus",             STATUS,          "What is not ACTIVE stays, and cannot be used."),
    Field("Tracking Category ID",    "TrackingCategoryID",   "mag_xerotrackingcategoryid", guid,            "Used for matching."),
    *OF_THE_CONNECTOR,
)))

TRACKING_OPTION = local("TRACKING_OPTION", Mapping("Tracking Option", "TrackingOption", "mag_trackingoption", (
    Field("Name",                    "Name",                 "mag_name",                   one_line(100),   "A rename in Xero renames the row.", required="Give it a name in Xero.", who="bookkeeper"),
    Link ("Tracking Category",       "category",             "mag_trackingcategoryid@odata.bind", bind("mag_trackingcategories"), required="Read the reference data again."),
    Field("Status",                  "Status",               "mag_xerostatus",             STATUS,          "What is not ACTIVE stays, and cannot be used."),
    Constant("ACTIVE",                                       "mag_xerostatus",             "Xero does not always say.", otherwise=True),
    Field("Tracking Option ID",      "TrackingOptionID",     "mag_xerotrackingoptionid",   guid,            "Used for matching."),
)))
# fmt: on


class Kind(NamedTuple):
    """One kind of reference data: the table it is written by, the columns that name a row (K25) and where Xero keeps it."""

    mapping: Mapping
    xero_id: str
    column: str
    resource: str


ORDER = (
    Kind(TAX_RATE, "TaxType", "mag_taxtype", "TaxRates"),
    Kind(ACCOUNT, "AccountID", "mag_xeroaccountid", "Accounts"),
    Kind(BRANDING_THEME, "BrandingThemeID", "mag_xerobrandingthemeid", "BrandingThemes"),
    Kind(TRACKING_CATEGORY, "TrackingCategoryID", "mag_xerotrackingcategoryid", "TrackingCategories"),
    Kind(TRACKING_OPTION, "TrackingOptionID", "mag_xerotrackingoptionid", "Options"),
)


def options(category: Read[str, Any]) -> list[dict[str, Any]]:
    """Return the options inside a TrackingCategory; those of an archived category are archived with it."""
    archived = category.get("Status") not in (None, "ACTIVE")
    found = [dict(option) for option in category.get("Options") or () if isinstance(option, Read)]
    return [option | {"Status": category["Status"]} for option in found] if archived else found
