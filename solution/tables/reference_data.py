"""Xero's reference data as rows, so that people can choose it in Dynamics 365. All of it is written by the connector.

These tables belong to the organization: nobody owns a tax rate, and every salesperson may choose one.
"""

from solution.table import Key, Level, Ownership, Table, decimal, lookup, memo, text, yesno

OPTIONAL, RECOMMENDED, REQUIRED = Level.OPTIONAL, Level.RECOMMENDED, Level.REQUIRED
CONNECTOR = lookup("mag_xeroconnector", on_delete="Cascade")

# fmt: off
XEROACCOUNTCODE = Table("mag_xeroaccountcode", "Xero Account Code", "Xero Account Codes", Ownership.ORGANIZATION,
    "An account of the organisation's chart of accounts in Xero.", rows=(
    # column                    label              type            level        default
    ("mag_name",                "Name",            text(200),      REQUIRED,    None,
     "The account's name in Xero."),
    ("mag_xeroconnectorid",     "Xero Connector",  CONNECTOR,      REQUIRED,    None,
     "The organisation the account belongs to."),
    ("mag_xeroaccountid",       "Xero Account Id", text(36),       REQUIRED,    None,
     "Xero's id of the account."),
    ("mag_code",                "Code",            text(10),       OPTIONAL,    None,
     "The account's code. Xero bank accounts may have none."),
    ("mag_description",         "Description",     memo(4_000),    OPTIONAL,    None,
     "What Xero says of the account."),
    ("mag_type",                "Type",            text(50),       OPTIONAL,    None,
     "The account's type, in Xero's words, for example REVENUE, EXPENSE or BANK."),
    ("mag_class",               "Class",           text(50),       OPTIONAL,    None,
     "The account's class, in Xero's words: ASSET, EQUITY, EXPENSE, LIABILITY or REVENUE."),
    ("mag_taxtype",             "Tax Type",        text(50),       OPTIONAL,    None,
     "The tax type a line on this account gets when nobody says otherwise."),
    ("mag_status",              "Xero Status",     text(20),       OPTIONAL,    None,
     "ACTIVE or ARCHIVED, as Xero has it. An archived account cannot be used."),
), keys=(
    Key("mag_xeroaccountcode_connector_xeroaccountid", "Xero account", ("mag_xeroconnectorid", "mag_xeroaccountid")),
))

TAXRATE = Table("mag_taxrate", "Tax Rate", "Tax Rates", Ownership.ORGANIZATION, "A tax rate of the organisation in Xero.", rows=(
    ("mag_name",                "Name",            text(100),      REQUIRED,    None,
     "The rate's name in Xero."),
    ("mag_xeroconnectorid",     "Xero Connector",  CONNECTOR,      REQUIRED,    None,
     "The organisation the rate belongs to."),
    ("mag_taxtype",             "Tax Type",        text(50),       REQUIRED,    None,
     "The code Xero knows the rate by, for example OUTPUT2."),
    ("mag_displaytaxrate",      "Display Tax Rate", decimal(4, 0, 1000), OPTIONAL, None,
     "The rate Xero shows, in per cent."),
    ("mag_effectiverate",       "Effective Rate",  decimal(4, 0, 1000), OPTIONAL, None,
     "The rate that is charged, in per cent, with compound parts worked in."),
    ("mag_status",              "Xero Status",     text(20),       OPTIONAL,    None,
     "ACTIVE, ARCHIVED, PENDING or DELETED, as Xero has it."),
    ("mag_canapplytoassets",    "Can Apply to Assets",      yesno(), OPTIONAL,  False,
     "Whether Xero takes the rate on an asset account."),
    ("mag_canapplytoequity",    "Can Apply to Equity",      yesno(), OPTIONAL,  False,
     "Whether Xero takes the rate on an equity account."),
    ("mag_canapplytoexpenses",  "Can Apply to Expenses",    yesno(), OPTIONAL,  False,
     "Whether Xero takes the rate on an expense account, as bills need."),
    ("mag_canapplytoliabilities", "Can Apply to Liabilities", yesno(), OPTIONAL, False,
     "Whether Xero takes the rate on a liability account."),
    ("mag_canapplytorevenue",   "Can Apply to Revenue",     yesno(), OPTIONAL,  False,
     "Whether Xero takes the rate on a revenue account, as sales invoices need."),
), keys=(
    Key("mag_taxrate_connector_taxtype", "Xero tax type", ("mag_xeroconnectorid", "mag_taxtype")),
))

BRANDINGTHEME = Table("mag_brandingtheme", "Branding Theme", "Branding Themes", Ownership.ORGANIZATION,
    "How an invoice looks when Xero prints or e-mails it.", rows=(
    ("mag_name",                "Name",            text(200),      REQUIRED,    None,
     "The theme's name in Xero."),
    ("mag_xeroconnectorid",     "Xero Connector",  CONNECTOR,      REQUIRED,    None,
     "The organisation the theme belongs to."),
    # mag_brandingthemeid is the row's own id, as for every custom table; Xero's id needs the longer name
    ("mag_xerobrandingthemeid", "Branding Theme ID", text(36),     REQUIRED,    None,
     "Xero's id of the theme."),
), keys=(
    Key("mag_brandingtheme_connector_xerobrandingthemeid", "Xero branding theme", ("mag_xeroconnectorid", "mag_xerobrandingthemeid")),
))

TRACKINGCATEGORY = Table("mag_trackingcategory", "Tracking Category", "Tracking Categories", Ownership.ORGANIZATION,
    "A way Xero sorts income and cost, for example Region.", rows=(
    ("mag_name",                "Name",            text(100),      REQUIRED,    None,
     "The category's name in Xero."),
    ("mag_xeroconnectorid",     "Xero Connector",  CONNECTOR,      REQUIRED,    None,
     "The organisation the category belongs to."),
    ("mag_xerotrackingcategoryid", "Xero Tracking Category Id", text(36), REQUIRED, None,
     "Xero's id of the category."),
    ("mag_xerostatus",          "Xero Status",     text(20),       OPTIONAL,    None,
     "ACTIVE or ARCHIVED, as Xero has it. Xero keeps at most two active categories on a line."),
), keys=(
    Key("mag_trackingcategory_connector_xeroid", "Xero tracking category", ("mag_xeroconnectorid", "mag_xerotrackingcategoryid")),
))

TRACKINGOPTION = Table("mag_trackingoption", "Tracking Option", "Tracking Options", Ownership.ORGANIZATION,
    "One value of a tracking category, for example North.", rows=(
    ("mag_name",                "Name",            text(100),      REQUIRED,    None,
     "The option's name in Xero."),
    ("mag_trackingcategoryid",  "Tracking Category", lookup("mag_trackingcategory", on_delete="Cascade"), REQUIRED, None,
     "The category the option belongs to."),
    ("mag_xerotrackingoptionid", "Xero Tracking Option Id", text(36), REQUIRED, None,
     "Xero's id of the option."),
    ("mag_xerostatus",          "Xero Status",     text(20),       OPTIONAL,    None,
     "ACTIVE or ARCHIVED, as Xero has it. An archived option cannot be used."),
), keys=(
    Key("mag_trackingoption_category_xeroid", "Xero tracking option", ("mag_trackingcategoryid", "mag_xerotrackingoptionid")),
))
# fmt: on
