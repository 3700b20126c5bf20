"""What Dataverse's own tables hold: names and Edm types from standard.json, and beside them what $metadata does not say.

Each row below speaks of the columns its patterns match, in the tables its patterns match. A later row overrides an
earlier one, so that the exception stands under its rule. `written` says when a value may be sent: C at create, U at
update; an empty text is a column the platform alone writes.

Sources: the table reference on learn.microsoft.com (dynamics365/sales/developer/entities and
power-apps/developer/data-platform/reference/entities).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Any, TypeAlias, TypedDict

from solution.table import Level, Type, decimal, lookup, memo, money, text, whole


class Contract(TypedDict):
    """One table of standard.json."""

    entity_set: str
    key: str
    columns: dict[str, str]
    navigation: dict[str, str]


@cache
def contract() -> dict[str, Contract]:
    """Return the tables of standard.json."""
    return {name: table for name, table in _document().items() if name != "_source"}


def origin() -> list[str]:
    """Return standard.json's note on where its facts come from and what was changed."""
    return list(_document()["_source"])


def _document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(files("solution").joinpath("standard.json").read_text("utf-8"))
    return found


def options(*labels: tuple[int, str]) -> Type:
    """Hold one of a standard choice's options."""
    return Type("choice", options=dict(labels))


def states(*labels: tuple[int, str]) -> Type:
    """Hold the state of a row."""
    return Type("state", options=dict(labels))


def reasons(*rows: tuple[int, int, str]) -> Type:
    """Hold a status reason: rows of (state, value, label); the first of a state is that state's default."""
    return Type("status", options={value: label for _, value, label in rows}, states={value: state for state, value, _ in rows})


CU, C, U, NEVER = "CU", "C", "U", ""

ADDRESS = "account contact systemuser publisher businessunit"
PEOPLE = "account contact"
SALES = "invoice invoicedetail"
ANY = "*"

Rule: TypeAlias = tuple[str, str, Type | None, str | None, str]

# fmt: off
RULES: tuple[Rule, ...] = (
    # ─ every table ─────────────────────────────────────────────────────────────────────────────────────────────────
    # tables            columns                      type                        written  note
    (ANY,               "createdon modifiedon",      None,                       NEVER,   "Written by the platform."),
    (ANY,               "createdby modifiedby createdonbehalfby modifiedonbehalfby", None, NEVER, "Written by the platform."),
    (ANY,               "versionnumber",             None,                       NEVER,   "Grows with every change; the ETag is made of it."),
    (ANY,               "owninguser owningteam owningbusinessunit", None,        NEVER,   "Follows the owner."),
    (ANY,               "organizationid",            None,                       NEVER,   "The organization the row belongs to."),
    (ANY,               "overriddencreatedon importsequencenumber", None,        C,       "For data migration."),
    (ANY,               "timezoneruleversionnumber utcconversiontimezonecode", whole(-1, 2147483647), CU, "For internal use."),
    (ANY,               "exchangerate",              decimal(12, 0),             NEVER,   "Units of the row's currency for one of the base."),
    (ANY,               "*_base",                    money(),                    NEVER,   "The amount in the base currency."),
    (ANY,               "statecode",                 None,                       U,       "The state of the row."),
    (ANY,               "statuscode",                None,                       CU,      "Why the row is in its state."),
    (ANY,               "ismanaged introducedversion componentstate overwritetime solutionid *idunique", None, NEVER, "Solution layering."),

    # ─ addresses ───────────────────────────────────────────────────────────────────────────────────────────────────
    (ADDRESS,           "address?_line?",            text(250),                  None,    ""),
    (ADDRESS,           "address?_city",             text(80),                   None,    ""),
    (ADDRESS,           "address?_stateorprovince",  text(50),                   None,    ""),
    (ADDRESS,           "address?_postalcode",       text(20),                   None,    ""),
    (ADDRESS,           "address?_postofficebox",    text(20),                   None,    ""),
    (ADDRESS,           "address?_country",          text(80),                   None,    ""),
    (ADDRESS,           "address?_county",           text(50),                   None,    ""),
    (ADDRESS,           "address?_fax",              text(50),                   None,    ""),
    (ADDRESS,           "address?_name",             text(200),                  None,    ""),
    (ADDRESS,           "address?_primarycontactname", text(100),                None,    ""),
    (ADDRESS,           "address?_telephone?",       text(50, "Phone"),          None,    ""),
    (ADDRESS,           "address?_upszone",          text(4),                    None,    ""),
    (ADDRESS,           "address?_utcoffset",        whole(-1500, 1500),         None,    ""),
    (ADDRESS,           "address?_composite",        memo(1000),                 NEVER,   "The address as one text, made by the platform."),
    ("invoice",         "*to_composite",             memo(1000),                 NEVER,   "The address as one text, made by the platform."),
    (SALES,             "*to_line?",                 text(250),                  None,    ""),
    (SALES,             "*to_city",                  text(80),                   None,    ""),
    (SALES,             "*to_stateorprovince",       text(50),                   None,    ""),
    (SALES,             "*to_postalcode",            text(20),                   None,    ""),
    (SALES,             "*to_country",               text(80),                   None,    ""),
    (SALES,             "*to_telephone *to_fax",     text(50, "Phone"),          None,    ""),
    (SALES,             "*to_name",                  text(200),                  None,    ""),

    # ─ invoice ─────────────────────────────────────────────────────────────────────────────────────────────────────
    ("invoice",         "name",                      text(300),                  CU,      "Shown to people as the invoice's name or id."),
    ("invoice",         "invoicenumber",             text(100),                  C,       "Numbered by Dynamics when not given; never changed."),
    ("invoice",         "customerid",                lookup("account", "contact"), CU,    "The account or contact that is invoiced."),
    ("invoice",         "pricelevelid",              None,                       CU,      "The price list; its currency must be the invoice's."),
    ("invoice",         "transactioncurrencyid",     None,                       C,       "Settled when the invoice is made."),
    ("invoice",         "description",               memo(2000),                 CU,      ""),
    ("invoice",         "emailaddress",              text(100, "Email"),         CU,      ""),
    ("invoice",         "duedate",                   None,                       CU,      "A calendar day."),
    ("invoice",         "datedelivered",             None,                       CU,      "Shown as a day, kept as a moment: midnight of the user who typed it, in UTC."),
    ("invoice",         "discountpercentage",        decimal(2, 0, 100),         CU,      "Off the lines' sum."),
    ("invoice",         "discountamount freightamount", money(0, 10**12),        CU,      ""),
    ("invoice",         "totalamount totalamountlessfreight totaldiscountamount totallineitemamount totallineitemdiscountamount totaltax",
                                                     money(),                    U,       "Computed by the price engine, unless an integration user writes it."),
    ("invoice",         "ispricelocked",             None,                       NEVER,   "Changed by LockInvoicePricing and UnlockInvoicePricing."),
    ("invoice",         "lastonholdtime onholdtime", None,                       NEVER,   ""),
    ("invoice",         "statecode",                 states((0, "Active"), (1, "Closed (deprecated)"), (2, "Paid"), (3, "Canceled")), U,
                                                                                          "Paid and canceled invoices are read-only until reactivated."),
    ("invoice",         "statuscode",                reasons(
        (0, 1, "New"), (0, 2, "Partially Shipped"), (0, 4, "Billed"), (0, 5, "Booked (applies to services)"), (0, 6, "Installed (applies to services)"),
        (1, 3, "Canceled (deprecated)"), (1, 7, "Paid in Full (deprecated)"),
        (2, 100001, "Complete"), (2, 100002, "Partial"),
        (3, 100003, "Canceled")),                                                CU,      "Customers may add reasons of their own."),
    ("account contact invoice", "paymenttermscode",  options((1, "Net 30"), (2, "2% 10, Net 30"), (3, "Net 45"), (4, "Net 60")), CU, ""),
    ("invoice",         "prioritycode",              options((1, "Default Value")), CU,   ""),
    ("invoice",         "skippricecalculation",      options((0, "DoPriceCalcAlways"), (1, "SkipPriceCalcOnRetrieve")), CU, "For internal use."),
    (SALES,             "pricingerrorcode",          options(
        (0, "None"), (1, "Detail Error"), (2, "Missing Price Level"), (3, "Inactive Price Level"), (4, "Missing Quantity"),
        (5, "Missing Unit Price"), (6, "Missing Product"), (7, "Invalid Product"), (8, "Missing Pricing Code"),
        (9, "Invalid Pricing Code"), (10, "Missing UOM"), (11, "Product Not In Price Level"), (12, "Missing Price Level Amount"),
        (13, "Missing Price Level Percentage"), (14, "Missing Price"), (15, "Missing Current Cost"), (16, "Missing Standard Cost"),
        (17, "Invalid Price Level Amount"), (18, "Invalid Price Level Percentage"), (19, "Invalid Price"), (20, "Invalid Current Cost"),
        (21, "Invalid Standard Cost"), (22, "Invalid Rounding Policy"), (23, "Invalid Rounding Option"), (24, "Invalid Rounding Amount"),
        (25, "Price Calculation Error"), (26, "Invalid Discount Type"), (27, "Discount Type Invalid State"), (28, "Invalid Discount"),
        (29, "Invalid Quantity"), (30, "Invalid Pricing Precision"), (31, "Missing Product Default UOM"), (32, "Missing Product UOM Schedule"),
        (33, "Inactive Discount Type"), (34, "Invalid Price Level Currency"), (35, "Price Attribute Out Of Range"),
        (36, "Base Currency Attribute Overflow"), (37, "Base Currency Attribute Underflow"),
        (38, "Transaction currency is not set for the product price list item")), CU,     "Anything but None: the prices are not to be trusted."),

    # ─ invoicedetail ───────────────────────────────────────────────────────────────────────────────────────────────
    ("invoicedetail",   "invoiceid",                 None,                       C,       "The invoice the line belongs to; deleted with it."),
    ("invoicedetail",   "isproductoverridden",       None,                       C,       "Yes: a write-in line. No: a product of the catalogue."),
    ("invoicedetail",   "productid uomid",           None,                       CU,      "Both for a catalogue line, neither for a write-in one."),
    ("invoicedetail",   "productdescription",        text(850),                  CU,      "The text of a write-in line."),
    ("invoicedetail",   "description",               memo(2000),                 CU,      ""),
    ("invoicedetail",   "invoicedetailname",         text(850),                  CU,      "Filled by the platform."),
    ("invoicedetail",   "productname",               text(850),                  CU,      "Filled by the platform."),
    ("invoicedetail",   "productnumber",             text(100),                  NEVER,   "The product's own number."),
    ("invoicedetail",   "priceperunit",              money(),                    CU,      "On a catalogue line only honoured with ispriceoverridden."),
    ("invoicedetail",   "quantity",                  decimal(5),                 CU,      "May be negative."),
    ("invoicedetail",   "quantitybackordered quantitycancelled", decimal(5, 0, 1_000_000_000), CU, ""),
    ("invoicedetail",   "quantityshipped",           decimal(5, -1_000_000_000, 1_000_000_000), CU, ""),
    ("invoicedetail",   "manualdiscountamount",      money(0, 10**12),           CU,      "For the whole line, or per unit: the organization's discountcalculationmethod."),
    ("invoicedetail",   "tax",                       money(-(10**12), 10**12),   CU,      ""),
    ("invoicedetail",   "volumediscountamount",      money(),                    NEVER,   "Per unit, from the discount list."),
    ("invoicedetail",   "baseamount extendedamount", money(),                    U,       "Computed by the price engine, unless an integration user writes it."),
    ("invoicedetail",   "producttypecode",           options((1, "Product"), (2, "Bundle"), (3, "Required Bundle Product"), (4, "Optional Bundle Product"),
                                                             (5, "Project-based Service")), CU, ""),
    ("invoicedetail",   "propertyconfigurationstatus", options((0, "Edit"), (1, "Rectify"), (2, "Not Configured")), CU, ""),
    ("invoicedetail",   "skippricecalculation",      options((0, "DoPriceCalcAlways"), (1, "SkipPriceCalcOnCreate"), (2, "SkipPriceCalcOnUpdate"),
                                                             (3, "SkipPriceCalcOnUpSert")), CU, "For internal use."),
    ("invoicedetail",   "invoicestatecode",          options((0, "Active"), (1, "Closed"), (2, "Paid"), (3, "Canceled")), NEVER, "The invoice's state."),
    ("invoicedetail",   "invoiceispricelocked",      None,                       NEVER,   "The invoice's lock."),
    ("invoicedetail",   "lineitemnumber",            whole(0, 1_000_000_000),    CU,      "Need not be filled, nor unique."),
    ("invoicedetail",   "sequencenumber",            whole(-2_147_483_648, 2_147_483_647), CU, "Need not be filled, nor unique."),
    ("invoicedetail",   "parentbundleid productassociationid", None,             C,       ""),
    ("invoicedetail",   "shippingtrackingnumber",    text(100),                  CU,      ""),
    (SALES,             "shipto_freighttermscode",   options((1, "FOB"), (2, "No Charge")), CU, ""),

    # ─ account and contact ─────────────────────────────────────────────────────────────────────────────────────────
    ("account",         "name yominame",             text(160),                  CU,      ""),
    ("account",         "accountnumber",             text(20),                   CU,      ""),
    (PEOPLE,            "emailaddress?",             text(100, "Email"),         CU,      ""),
    (PEOPLE,            "telephone? fax",            text(50, "Phone"),          CU,      ""),
    (PEOPLE,            "websiteurl ftpsiteurl",     text(200, "Url"),           CU,      ""),
    (PEOPLE,            "description",               memo(2000),                 CU,      ""),
    ("account",         "sic stockexchange",         text(20),                   CU,      ""),
    ("account",         "tickersymbol",              text(10),                   CU,      ""),
    ("account",         "primarysatoriid primarytwitterid", text(200),           CU,      ""),
    ("account",         "numberofemployees sharesoutstanding", whole(0, 1_000_000_000), CU, ""),
    (PEOPLE,            "aging30 aging60 aging90",   money(),                    NEVER,   "For system use."),
    (PEOPLE,            "creditlimit",               money(),                    CU,      ""),
    ("account",         "revenue marketcap",         money(),                    CU,      ""),
    ("account",         "opendeals* openrevenue*",   None,                       NEVER,   "Rolled up by the platform."),
    ("account",         "openrevenue",               money(),                    NEVER,   "Rolled up by the platform."),
    ("contact",         "firstname lastname middlename nickname", text(50),      CU,      ""),
    ("contact",         "fullname yomifullname",     text(160),                  NEVER,   "Made of the names."),
    ("contact",         "yomifirstname yomilastname yomimiddlename", text(150),  CU,      ""),
    ("contact",         "jobtitle department assistantname managername spousesname", text(100), CU, ""),
    ("contact",         "salutation",                text(100),                  CU,      ""),
    ("contact",         "suffix",                    text(10),                   CU,      ""),
    ("contact",         "assistantphone managerphone mobilephone pager business2 callback company home2", text(50, "Phone"), CU, ""),
    ("contact",         "childrensnames",            text(255),                  CU,      ""),
    ("contact",         "employeeid externaluseridentifier governmentid", text(50), CU,   ""),
    ("contact",         "annualincome",              money(),                    CU,      ""),
    ("contact",         "parentcustomerid",          lookup("account", "contact"), CU,    "The company the person works for."),
    (PEOPLE,            "merged masterid",           None,                       NEVER,   "Set by a merge: the master is the row that lives on."),
    (PEOPLE,            "timespentbymeonemailandmeetings teamsfollowed lastonholdtime onholdtime", None, NEVER, ""),
    (PEOPLE,            "statecode",                 states((0, "Active"), (1, "Inactive")), U, ""),
    (PEOPLE,            "statuscode",                reasons((0, 1, "Active"), (1, 2, "Inactive")), CU, ""),

    # ─ catalogue ───────────────────────────────────────────────────────────────────────────────────────────────────
    ("product",         "name productnumber",        text(100),                  CU,      "The number is unique."),
    ("product",         "description",               memo(2000),                 CU,      ""),
    ("product",         "size",                      text(200),                  CU,      ""),
    ("product",         "suppliername vendorname vendorid vendorpartnumber", text(100), CU, ""),
    ("product",         "producturl",                text(255, "Url"),           CU,      ""),
    ("product",         "hierarchypath",             text(450),                  NEVER,   ""),
    ("product",         "price currentcost standardcost", money(),               CU,      ""),
    ("product",         "quantitydecimal",           whole(0, 5),                CU,      "Places a quantity of it may have."),
    ("product",         "quantityonhand stockvolume stockweight", decimal(5, 0, 1_000_000_000), CU, ""),
    ("product",         "defaultuomid defaultuomscheduleid", None,               CU,      ""),
    ("product",         "productstructure",          options((1, "Product"), (2, "Product Family"), (3, "Product Bundle")), C, ""),
    ("product",         "producttypecode",           options((1, "Sales Inventory"), (2, "Miscellaneous Charges"), (3, "Services"), (4, "Flat Fees")), CU, ""),
    ("product",         "iskit dmtimportstate isreparented", None,               C,       ""),
    ("product",         "statecode",                 states((0, "Active"), (1, "Retired"), (2, "Draft"), (3, "Under Revision")), U, ""),
    ("product",         "statuscode",                reasons((0, 1, "Active"), (1, 2, "Retired"), (2, 0, "Draft"), (3, 3, "Under Revision")), CU, ""),
    ("pricelevel",      "name",                      text(100),                  CU,      ""),
    ("pricelevel",      "description",               memo(2000),                 CU,      ""),
    ("pricelevel",      "transactioncurrencyid",     None,                       C,       "Settled when the list is made."),
    ("pricelevel",      "freighttermscode paymentmethodcode shippingmethodcode", options((1, "Default Value")), CU, ""),
    ("pricelevel",      "statecode",                 states((0, "Active"), (1, "Inactive")), U, ""),
    ("pricelevel",      "statuscode",                reasons((0, 100001, "Active"), (1, 100002, "Inactive")), CU, ""),
    ("productpricelevel", "pricelevelid productid",  None,                       C,       ""),
    ("productpricelevel", "transactioncurrencyid",   None,                       NEVER,   "The price list's."),
    ("productpricelevel", "amount roundingoptionamount", money(),                CU,      ""),
    ("productpricelevel", "percentage",              decimal(5, 0, 100_000),     CU,      ""),
    ("productpricelevel", "productnumber",           text(100),                  NEVER,   "The product's own number."),
    ("productpricelevel", "pricingmethodcode",       options((1, "Currency Amount"), (2, "Percent of List"), (3, "Percent Markup - Current Cost"),
                                                             (4, "Percent Margin - Current Cost"), (5, "Percent Markup - Standard Cost"),
                                                             (6, "Percent Margin - Standard Cost")), CU, ""),
    ("productpricelevel", "quantitysellingcode",     options((1, "No Control"), (2, "Whole"), (3, "Whole and Fractional")), CU, ""),
    ("productpricelevel", "roundingpolicycode",      options((1, "None"), (2, "Up"), (3, "Down"), (4, "To Nearest")), CU, ""),
    ("productpricelevel", "roundingoptioncode",      options((1, "Ends in"), (2, "Multiple of")), CU, ""),
    ("uom",             "name",                      text(100),                  CU,      ""),
    ("uom",             "quantity",                  decimal(10, 0),             CU,      "How many of the base unit."),
    ("uom",             "uomscheduleid",             None,                       C,       ""),
    ("uom",             "isschedulebaseuom",         None,                       NEVER,   ""),
    ("uomschedule",     "name",                      text(200),                  CU,      ""),
    ("uomschedule",     "baseuomname",               text(100),                  CU,      ""),
    ("uomschedule",     "description",               memo(2000),                 CU,      ""),
    ("transactioncurrency", "isocurrencycode",       text(5),                    C,       "Three letters."),
    ("transactioncurrency", "currencyname",          text(100),                  CU,      ""),
    ("transactioncurrency", "currencysymbol",        text(13),                   CU,      ""),
    ("transactioncurrency", "currencyprecision",     whole(0, 4),                CU,      "Places an amount has."),
    ("transactioncurrency", "exchangerate",          decimal(12, 0),             CU,      "Units of this currency for one of the base."),
    ("transactioncurrency uomschedule", "statecode", states((0, "Active"), (1, "Inactive")), U, ""),
    ("transactioncurrency uomschedule", "statuscode", reasons((0, 1, "Active"), (1, 2, "Inactive")), CU, ""),

    # ─ people and place ────────────────────────────────────────────────────────────────────────────────────────────
    ("systemuser",      "fullname",                  text(200),                  NEVER,   "Made of the names."),
    ("systemuser",      "firstname lastname",        text(256),                  CU,      ""),
    ("systemuser",      "internalemailaddress",      text(100, "Email"),         CU,      ""),
    ("systemuser",      "domainname windowsliveid applicationiduri", text(1024), CU,      ""),
    ("systemuser",      "jobtitle",                  text(100),                  CU,      ""),
    ("systemuser",      "title",                     text(128),                  CU,      ""),
    ("systemuser",      "mobilephone",               text(64, "Phone"),          CU,      ""),
    ("systemuser",      "applicationid businessunitid", None,                    CU,      ""),
    ("systemuser",      "azureactivedirectoryobjectid islicensed issyncwithdirectory setupuser", None, NEVER, ""),
    ("systemuser",      "accessmode",                options((0, "Read-Write"), (1, "Administrative"), (2, "Read"), (3, "Support User"), (4, "Non-interactive"),
                                                             (5, "Delegated Admin")), CU, ""),
    ("systemuser",      "caltype",                   options((0, "Professional"), (1, "Administrative"), (2, "Basic"), (3, "Device Professional"), (4, "Device Basic"),
                                                             (5, "Essential"), (6, "Device Essential"), (7, "Enterprise"), (8, "Device Enterprise"), (9, "Sales"),
                                                             (10, "Service"), (11, "Field Service"), (12, "Project Service")), CU, ""),
    ("team",            "name",                      text(160),                  CU,      ""),
    ("team",            "description",               memo(2000),                 CU,      ""),
    ("team",            "emailaddress",              text(100, "Email"),         CU,      ""),
    ("team",            "teamtype",                  options((0, "Owner"), (1, "Access"), (2, "Security Group"), (3, "Office Group")), C, ""),
    ("team",            "isdefault",                 None,                       NEVER,   "The team every business unit has."),
    ("businessunit",    "name",                      text(160),                  CU,      ""),
    ("businessunit",    "description",               memo(2000),                 CU,      ""),
    ("businessunit",    "costcenter divisionname emailaddress", text(100),       CU,      ""),
    ("businessunit",    "websiteurl",                text(200, "Url"),           CU,      ""),
    ("businessunit",    "disabledreason",            text(500),                  NEVER,   ""),
    ("organization",    "name",                      text(160),                  CU,      ""),
    ("organization",    "invoiceprefix",             text(20),                   CU,      ""),
    ("organization",    "basecurrencyid languagecode", None,                     NEVER,   ""),
    ("organization",    "currencydecimalprecision pricingdecimalprecision", whole(0, 10), CU, ""),
    ("organization",    "expirechangetrackingindays", whole(0, 365),             CU,      ""),
    ("organization",    "discountcalculationmethod", options((0, "Line item"), (1, "Per unit")), CU, "What a line's manual discount means."),
    ("role",            "name",                      text(100),                  CU,      ""),
    ("role",            "isinherited",               options((0, "Team privileges only"), (1, "Direct User (Basic) access level and Team privileges")), CU, ""),

    # ─ platform ────────────────────────────────────────────────────────────────────────────────────────────────────
    ("appmodule",       "name uniquename",           text(100),                  CU,      ""),
    ("solution",        "solutionid",                None,                       C,       ""),
    ("solution",        "uniquename",                text(65),                   C,       ""),
    ("solution",        "friendlyname",              text(256),                  CU,      ""),
    ("solution",        "version",                   text(256),                  CU,      ""),
    ("publisher",       "uniquename friendlyname",   text(256),                  CU,      ""),
    ("publisher",       "customizationprefix",       text(8),                    CU,      ""),
    ("publisher",       "customizationoptionvalueprefix", whole(10_000, 99_999), CU,      ""),
    ("serviceendpoint", "name",                      text(100),                  CU,      ""),
    ("serviceendpoint", "url",                       text(2000, "Url"),          CU,      ""),
    ("serviceendpoint", "authvalue",                 text(2000),                 CU,      "Written, never read back."),
    ("serviceendpoint", "contract",                  options((1, "OneWay"), (2, "Queue"), (3, "Rest"), (4, "TwoWay"), (5, "Topic"), (6, "Queue (Persistent)"),
                                                             (7, "Event Hub"), (8, "Webhook"), (9, "Event Grid"), (10, "Managed Data Lake"), (11, "Container Storage")), CU, ""),
    ("serviceendpoint", "authtype",                  options((0, "Not Specified"), (1, "ACS"), (2, "SAS Key"), (3, "SAS Token"), (4, "Webhook Key"), (5, "Http Header"),
                                                             (6, "Http Query String"), (7, "Connection String"), (8, "Access Key"), (9, "Managed Identity")), CU, ""),
    ("serviceendpoint", "isauthvalueset issaskeyset issastokenset", None,        NEVER,   ""),
    ("sdkmessage sdkmessagefilter", "*",             None,                       NEVER,   "Given by the platform."),
    ("sdkmessageprocessingstep", "name",             text(256),                  CU,      ""),
    ("sdkmessageprocessingstep", "filteringattributes", memo(100_000),           CU,      "The columns whose change fires an Update."),
    ("sdkmessageprocessingstep", "mode",             options((0, "Synchronous"), (1, "Asynchronous")), CU, ""),
    ("sdkmessageprocessingstep", "stage",            options((5, "Initial Pre-operation"), (10, "Pre-validation"), (20, "Pre-operation"), (30, "Main Operation"),
                                                             (40, "Post-operation"), (50, "Post-operation (Deprecated)")), CU, ""),
    ("sdkmessageprocessingstep", "supporteddeployment", options((0, "Server Only"), (1, "Microsoft Dynamics 365 Client for Outlook Only"), (2, "Both")), CU, ""),
    ("sdkmessageprocessingstep", "statecode",        states((0, "Enabled"), (1, "Disabled")), U, ""),
    ("sdkmessageprocessingstep", "statuscode",       reasons((0, 1, "Enabled"), (1, 2, "Disabled")), CU, ""),
    ("sdkmessageprocessingstep", "sdkmessageid",     None,                       CU,      ""),
    ("sdkmessageprocessingstepimage", "name entityalias", text(256),             CU,      ""),
    ("sdkmessageprocessingstepimage", "attributes",  memo(100_000),              CU,      ""),
    ("sdkmessageprocessingstepimage", "imagetype",   options((0, "PreImage"), (1, "PostImage"), (2, "Both")), CU, ""),
    ("sdkmessageprocessingstepimage", "messagepropertyname", text(256),          CU,      ""),
)

# The columns Dataverse itself refuses to do without, whoever calls.
SYSTEM_REQUIRED: frozenset[tuple[str, str]] = frozenset({
    ("invoicedetail", "invoiceid"), ("product", "defaultuomid"), ("product", "defaultuomscheduleid"),
    ("productpricelevel", "pricelevelid"), ("productpricelevel", "productid"), ("productpricelevel", "uomid"),
    ("transactioncurrency", "isocurrencycode"), ("transactioncurrency", "currencyname"), ("transactioncurrency", "exchangerate"),
    ("uom", "uomscheduleid"), ("uom", "name"), ("uom", "quantity"), ("uomschedule", "name"), ("uomschedule", "baseuomname"),
    ("systemuser", "businessunitid"), ("team", "businessunitid"), ("team", "name"), ("businessunit", "name"),
    ("serviceendpoint", "name"), ("serviceendpoint", "contract"),
    ("sdkmessageprocessingstep", "sdkmessageid"), ("sdkmessageprocessingstep", "mode"), ("sdkmessageprocessingstep", "stage"),
    ("sdkmessageprocessingstep", "rank"),
    ("sdkmessageprocessingstepimage", "sdkmessageprocessingstepid"), ("sdkmessageprocessingstepimage", "imagetype"),
    ("sdkmessageprocessingstepimage", "messagepropertyname"), ("sdkmessageprocessingstepimage", "entityalias"),
})

# What a create fills in when it says nothing.
DEFAULTS: Mapping[tuple[str, str], int | bool | str] = {
    ("invoice", "ispricelocked"): False, ("invoice", "pricingerrorcode"): 0, ("invoice", "prioritycode"): 1,
    ("invoice", "skippricecalculation"): 0, ("invoice", "willcall"): False,
    ("invoicedetail", "isproductoverridden"): False, ("invoicedetail", "ispriceoverridden"): False, ("invoicedetail", "iscopied"): False,
    ("invoicedetail", "producttypecode"): 1, ("invoicedetail", "pricingerrorcode"): 0, ("invoicedetail", "skippricecalculation"): 0,
    ("invoicedetail", "propertyconfigurationstatus"): 2, ("invoicedetail", "willcall"): False,
    ("account", "merged"): False, ("account", "creditonhold"): False,
    ("contact", "merged"): False, ("contact", "creditonhold"): False,
    ("product", "productstructure"): 1, ("product", "iskit"): False, ("product", "isstockitem"): False, ("product", "quantitydecimal"): 2,
    ("productpricelevel", "pricingmethodcode"): 1, ("productpricelevel", "quantitysellingcode"): 1,
    ("systemuser", "isdisabled"): False, ("systemuser", "isintegrationuser"): False, ("systemuser", "accessmode"): 0,
    ("team", "teamtype"): 0, ("team", "isdefault"): False, ("businessunit", "isdisabled"): False,
    ("organization", "discountcalculationmethod"): 0, ("organization", "pricingdecimalprecision"): 2,
    ("sdkmessageprocessingstep", "rank"): 1, ("sdkmessageprocessingstep", "supporteddeployment"): 0, ("sdkmessageprocessingstep", "asyncautodelete"): False,
}

# One-to-many, seen from the one: the collection's navigation property and the column of the many that points back.
ONE_TO_MANY: tuple[tuple[str, str, str, str], ...] = (
    # the one               navigation                              the many              its column
    ("invoice",             "invoice_details",                      "invoicedetail",      "invoiceid"),
    ("account",             "invoice_customer_accounts",            "invoice",            "customerid"),
    ("contact",             "invoice_customer_contacts",            "invoice",            "customerid"),
    ("account",             "contact_customer_accounts",            "contact",            "parentcustomerid"),
    ("product",             "product_price_levels",                 "productpricelevel",  "productid"),
    ("product",             "product_invoice_details",              "invoicedetail",      "productid"),
    ("pricelevel",          "price_level_products",                 "product",            "pricelevelid"),
    ("pricelevel",          "price_level_product_price_levels",     "productpricelevel",  "pricelevelid"),
    ("pricelevel",          "price_level_invoices",                 "invoice",            "pricelevelid"),
    ("uomschedule",         "unit_of_measurement_schedule_conversions", "uom",            "uomscheduleid"),
    ("sdkmessage",          "sdkmessageid_sdkmessagefilter",        "sdkmessagefilter",   "sdkmessageid"),
    ("sdkmessageprocessingstep", "sdkmessageprocessingstepid_sdkmessageprocessingstepimage",
                                                                    "sdkmessageprocessingstepimage", "sdkmessageprocessingstepid"),
)

# Many-to-many: the navigation is the same on both sides, the intersect table has its own name.
MANY_TO_MANY: tuple[tuple[str, str, str, str], ...] = (
    # navigation                      one              other     intersect
    ("systemuserroles_association",   "systemuser",    "role",   "systemuserroles"),
)

PRIMARY_NAMES: Mapping[str, str] = {
    "invoicedetail": "invoicedetailname", "contact": "fullname", "productpricelevel": "", "transactioncurrency": "currencyname",
    "systemuser": "fullname", "solution": "friendlyname", "publisher": "friendlyname", "sdkmessagefilter": "",
}  # every other table: "name"

OWNERSHIP: Mapping[str, str] = {
    **dict.fromkeys(("invoice", "invoicedetail", "account", "contact"), "UserOwned"),
    **dict.fromkeys(("systemuser", "team", "businessunit", "role"), "BusinessOwned"),
    **dict.fromkeys(("uom", "organization", "productpricelevel"), "None"),
}  # every other table: OrganizationOwned
# fmt: on


@dataclass(frozen=True)
class Said:
    """What the rules say of one column, taken together."""

    type: Type | None
    written: str
    note: str
    level: Level


def said(table: str, column: str) -> Said:
    """Gather what the rules say of a column; the last row that speaks of a thing decides it."""
    kind, written, note = None, CU, ""
    for columns, type_, when, text_ in _rules(table):
        if any(fnmatchcase(column, pattern) for pattern in columns):
            kind, written, note = type_ or kind, written if when is None else when, text_ or note
    level = Level.SYSTEM if (table, column) in SYSTEM_REQUIRED else Level.OPTIONAL
    return Said(kind, written, note, level)


@cache
def _rules(table: str) -> list[tuple[list[str], Type | None, str | None, str]]:
    return [
        (columns.split(), type_, when, note)
        for tables, columns, type_, when, note in RULES
        if any(fnmatchcase(table, pattern) for pattern in tables.split())
    ]
