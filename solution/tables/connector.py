"""The connector's settings: one row per Xero organisation, its flows, its price lists and its routes.

The descriptions are the settings' documentation: Dynamics 365 shows them beside the field, and the guide is made of them.
"""

from solution.choices import (
    BUNDLE_MODE,
    CANCEL_MODE,
    CANCEL_PART_PAID,
    CONNECT_MODE,
    CONTACT_POLICY,
    CREDIT_NOTE_PARTIAL_MODE,
    FULL_CHECK,
    ITEM_OWNER,
    LINE_AMOUNT_TYPES,
    MISSING_ITEM_POLICY,
    NUMBER_SOURCE,
    ON_DELETE,
    OPERATING_MODE,
    REFERENCE_SOURCE,
    ROUNDING_POLICY,
    TAX_MODE,
    TRIGGER_MODE,
    XERO_CONNECTION,
    XERO_INVOICE_STATUS,
    XERO_TIER,
)
from solution.table import Key, Level, Ownership, Table, lookup, memo, moment, one_of, text, whole, yesno

OPTIONAL, RECOMMENDED, REQUIRED = Level.OPTIONAL, Level.RECOMMENDED, Level.REQUIRED
ACCOUNT_CODE, TAX_RATE = lookup("mag_xeroaccountcode"), lookup("mag_taxrate")

# fmt: off
XEROCONNECTOR = Table("mag_xeroconnector", "Xero Connector", "Xero Connectors", Ownership.USER,
    "One Xero organisation this environment is connected with, and every setting of the connection.", rows=(
    # ─ the connection ──────────────────────────────────────────────────────────────────────────────────────────────
    # column                         label                            type                               level        default
    ("mag_name",                     "Name",                          text(200),                         REQUIRED,    None,
     "The friendly name of the connector, shown on invoices. It starts as the name of the Xero organisation; change it as you like."),
    ("mag_enabled",                  "Enabled",                       yesno(),                           OPTIONAL,    True,
     "Yes: the connector syncs with this organisation. No: it rests. Invoices flagged meanwhile are not lost; they go when it is enabled again."),
    ("mag_defaultconnector",         "Default Connector",             yesno(),                           OPTIONAL,    False,
     "Yes: invoices that name no Xero Connector, and that no route sends elsewhere, go to this organisation. "
     "The first connector of an environment is made the default; only one can be."),
    ("mag_operatingmode",            "Operating Mode",                one_of(OPERATING_MODE),            OPTIONAL,    "active",
     "Active: records are synced. Observe: nothing is written to Xero; the Sync History shows what would have been sent. Good for a first look."),
    ("mag_xeroorganizationname",     "Xero Organization Name",        text(255),                         OPTIONAL,    None,
     "The name of the connected organisation in Xero. Set when you connect."),
    ("mag_xerotenantid",             "Xero Tenant Id",                text(36),                          OPTIONAL,    None,
     "Xero's id of the connected organisation. Set when you connect and never changed: a connector is sealed to its organisation, "
     "so that nothing can reach the wrong books."),
    ("mag_environmentid",            "Environment Id",                text(36),                          OPTIONAL,    None,
     "The Dynamics 365 environment this connector was made in. Set when you connect and never changed: in a copy of the environment, "
     "for example a sandbox, the connector stays silent until you connect it there."),
    ("mag_connectmode",              "Connect Mode",                  one_of(CONNECT_MODE),              OPTIONAL,    "oauth_code",
     "How the connector signs in to Xero: with the consent of a Xero user, best a user made for this, or as a Xero Custom Connection. Set when you connect."),
    ("mag_xerotier",                 "Xero Tier",                     one_of(XERO_TIER),                 OPTIONAL,    "starter",
     "The plan of your app at developer.xero.com. It decides how many calls Xero allows in a day for each organisation: 1,000 on Starter, "
     "where every new app begins, 5,000 above. The connector spaces its work so that the limit is never reached."),
    ("mag_dailycallbudget",          "Daily Call Budget (%)",         whole(10, 100),                    OPTIONAL,    90,
     "How much of the tier's calls per day the connector may use. The rest stays free for you and for look-ups after a fault."),
    ("mag_timezone",                 "Time Zone",                     text(64),                          OPTIONAL,    "Etc/UTC",
     "The time zone of the business, by its IANA name, for example Europe/London or Pacific/Auckland. It decides which day today is: "
     "an invoice delivered tomorrow waits until tomorrow begins here. Set from the Xero organisation when you connect."),
    ("mag_xerostatus",               "Xero Status",                   one_of(XERO_CONNECTION),           OPTIONAL,    "disconnected",
     "Whether the connector reaches the organisation. While disconnected nothing is synced and nothing is lost. Kept up to date by the connector."),
    ("mag_xerostatusdetail",         "Xero Status Detail",            memo(2_000),                       OPTIONAL,    None,
     "Why the connector cannot reach the organisation, and what to do. Empty while all is well."),
    ("mag_reconnecturl",             "Reconnect Link",                text(500, "Url"),                  OPTIONAL,    None,
     "Open this page to connect the organisation again. You must be allowed to use the connector's portal."),
    ("mag_lastsynchedon",            "Last Synched On",               moment(),                          OPTIONAL,    None,
     "The last time the connector tried to sync this organisation. Invoices, payments and credit notes are synced at different times."),

    # ─ invoices to Xero ────────────────────────────────────────────────────────────────────────────────────────────
    ("mag_triggermode",              "Trigger",                       one_of(TRIGGER_MODE),              OPTIONAL,    "add_to_xero",
     "What makes an invoice go to Xero: Add to Xero set to Yes, a Xero Connector chosen on the invoice, or either of the two."),
    ("mag_holdfuturedated",          "Hold Future-Dated Invoices",    yesno(),                           OPTIONAL,    True,
     "Yes: an invoice goes to Xero when its Date Delivered is today or earlier in the connector's time zone; until then, or while it has no date, "
     "it waits and says so. No: it goes at once; an empty date means today."),
    ("mag_defaultxerostatus",        "Default Xero Invoice Status",   one_of(XERO_INVOICE_STATUS),       OPTIONAL,    "draft",
     "The status sales invoices and bills get in Xero. Draft and Submitted ones can be edited and are approved there. Authorised (Auto Approve Invoices) "
     "ones are approved at once: the pay-now link is there immediately, and only limited changes can be made."),
    ("mag_numbersource",             "Use Xero Invoice Number",       one_of(NUMBER_SOURCE),             OPTIONAL,    "crm_number",
     "Where the number of an invoice in Xero comes from: the Invoice Number in Dynamics 365, Xero's own numbering, or the invoice's Name in Dynamics 365. "
     "With Xero's numbering the Dynamics 365 number becomes the reference when there is none. Both numbers are kept on the invoice in every case."),
    ("mag_referencesource",          "Reference Source",              one_of(REFERENCE_SOURCE),          OPTIONAL,    "reference_then_description",
     "Where the reference of an invoice in Xero comes from: the invoice's Reference, its Description, or the Reference and, when that is empty, the Description. "
     "Xero keeps 255 characters; a longer one is cut, with a warning."),
    ("mag_dotdescriptionline",       "Full-Stop Description Line",    yesno(),                           OPTIONAL,    True,
     "Yes: a Description that begins with a full stop becomes a line of text on the invoice in Xero, without the full stop. "
     "No: the full stop means nothing."),
    ("mag_defaultlineamounttypes",   "Default Line Amount Types",     one_of(LINE_AMOUNT_TYPES),         OPTIONAL,    "exclusive",
     "Whether the prices on an invoice that does not say are without tax (Exclusive), hold it (Inclusive), or carry none (No Tax)."),
    ("mag_taxmode",                  "Tax Amounts",                   one_of(TAX_MODE),                  OPTIONAL,    "crm_amount_if_present",
     "Who works out the tax of a line. By default a tax amount above zero on the line is sent as it is, and Xero works out the others from their tax rates. "
     "Or Xero works out all of them. The tax Xero books comes back to the invoice either way."),
    ("mag_senddiscount",             "Show Discounts in Xero",        yesno(),                           OPTIONAL,    True,
     "Yes: the discount of a line is shown as a discount on the sales invoice in Xero. No: the unit price is sent with the discount taken off. "
     "Xero has no discounts on bills and credit notes, so there it is always taken off."),
    ("mag_bundlemode",               "Bundles",                       one_of(BUNDLE_MODE),               OPTIONAL,    "header_and_descriptions",
     "How a product bundle appears in Xero: the bundle with its price and a line of text for each product in it, or the bundle alone."),
    ("mag_roundingpolicy",           "When Totals Differ",            one_of(ROUNDING_POLICY),           OPTIONAL,    "warn",
     "Xero rounds the tax of each line, so that a total can differ by some cents from the one in Dynamics 365. Warn: send the invoice and warn on the record. "
     "Hold: do not send it. Add a rounding line: send it with one more line, on the Rounding Account Code, that makes the totals equal."),
    ("mag_allowresend",              "Allow Re-sending",              yesno(),                           OPTIONAL,    False,
     "Yes: a user who sets Export Status to Ready to update sends the later changes of an invoice to Xero, as far as Xero allows for its status. "
     "No: once in Xero, an invoice is changed there."),
    ("mag_markinvoicesassent",       "Mark Xero Invoices as Sent",    yesno(),                           OPTIONAL,    False,
     "Yes: invoices are marked as sent in Xero, for example because you e-mail them from Dynamics 365. It only informs: no e-mail is sent. "
     "An invoice with Send Email From Xero set to Yes is marked when Xero has e-mailed it."),
    ("mag_sendemailbydefault",       "Send Email by Default",         yesno(),                           OPTIONAL,    False,
     "Yes: every invoice that goes to Xero gets Send Email From Xero set to Yes. No: people decide on each invoice."),

    # ─ what invoices get when they do not say ──────────────────────────────────────────────────────────────────────
    ("mag_defaultaccountcodeid",     "Default Account Code",          ACCOUNT_CODE,                      OPTIONAL,    None,
     "The account of sales invoice lines that name none, when neither the item nor the contact has one in Xero. "
     "If the line has no tax rate either, and there is no Default Tax Rate, the account's own tax rate is used."),
    ("mag_defaultpurchaseaccountcodeid", "Default Purchase Account Code", ACCOUNT_CODE,                  OPTIONAL,    None,
     "The same for the lines of bills: the account of lines that name none, when neither the item nor the contact has one in Xero. "
     "If the line has no tax rate, the account's own tax rate is used."),
    ("mag_freightaccountcodeid",     "Freight Account Code",          ACCOUNT_CODE,                      OPTIONAL,    None,
     "The account of the line a Freight Amount becomes. Empty: an invoice with freight is refused, and says so."),
    ("mag_roundingaccountcodeid",    "Rounding Account Code",         ACCOUNT_CODE,                      OPTIONAL,    None,
     "The account of the rounding line; needed when When Totals Differ says to add one. Xero's own Rounding account is the usual choice."),
    ("mag_defaulttaxrateid",         "Default Tax Rate",              TAX_RATE,                          OPTIONAL,    None,
     "The tax rate of sales invoice lines that name none. Empty: the account's own tax rate is used. It does not apply to bills."),
    ("mag_defaultbrandingthemeid",   "Default Branding Theme",        lookup("mag_brandingtheme"),       OPTIONAL,    None,
     "How an invoice that names no branding theme looks in Xero. Empty: Xero's own default."),

    # ─ contacts and items ──────────────────────────────────────────────────────────────────────────────────────────
    ("mag_createnewcontacts",        "Create New Contacts",           yesno(),                           OPTIONAL,    True,
     "Yes: the account or contact of an invoice becomes a contact in Xero when it is not there yet. No: an invoice to a customer Xero does not know "
     "is refused, and says so: a way to invoice known customers only."),
    ("mag_contactpolicy",            "Existing Contacts",             one_of(CONTACT_POLICY),            OPTIONAL,    "update",
     "What happens to a contact that is already in Xero. Update: with each invoice, what has changed in Dynamics 365 since the last time is sent; "
     "a bookkeeper's own edits are kept. Create once: it is never changed. Match only: it is never changed, and none is created either."),
    ("mag_createnewproducts",        "Create New Products",           yesno(),                           OPTIONAL,    True,
     "Yes: a product becomes an item in Xero the first time an invoice uses it. No: the invoice is sent all the same, but no items are made."),
    ("mag_missingitempolicy",        "Missing Items",                 one_of(MISSING_ITEM_POLICY),       OPTIONAL,    "create",
     "What happens to a product that Xero does not know. Create it: as Create New Products says. Send without code: the line goes with its text only. "
     "Refuse the invoice: it says why and goes once the item is there."),
    ("mag_itemowner",                "Item Owner",                    one_of(ITEM_OWNER),                OPTIONAL,    "dynamics",
     "Products and items are made on both sides; once a product is on both, only the owner's changes are carried over, so that the two never overwrite each other."),

    # ─ from Xero ───────────────────────────────────────────────────────────────────────────────────────────────────
    ("mag_defaultpricelistid",       "Default Price List",            lookup("pricelevel"),              OPTIONAL,    None,
     "The price list of invoices that come from Xero, when its currency is the invoice's. Give other currencies their price lists under Price Lists."),
    ("mag_createpricelists",         "Create Price Lists",            yesno(),                           OPTIONAL,    False,
     "Yes: when no price list has the currency of an invoice from Xero, one named after the currency is made. No: the invoice waits, and says so."),
    ("mag_createpaymentrows",        "Create Payments",               yesno(),                           OPTIONAL,    True,
     "Yes: every payment in Xero becomes a Payment row on its invoice. No: only the amounts and the status of the invoice follow."),
    ("mag_xeroownedcolumns",         "Columns Xero May Overwrite",    memo(2_000),                       OPTIONAL,    None,
     "Logical names of account columns, separated by commas, for example emailaddress1, telephone1. When contacts are synced from Xero, "
     "other columns are only filled where they are empty; these take Xero's value always."),
    ("mag_overlapminutes",           "Overlap (Minutes)",             whole(0, 1_440),                   OPTIONAL,    30,
     "How far each read from Xero reaches back before the last one, so that a change made in the same moment is not missed. "
     "What was read twice changes nothing."),
    ("mag_fullcheck",                "Full Check",                    one_of(FULL_CHECK),                OPTIONAL,    "nightly",
     "How often open invoices are compared with Xero again, whatever their change dates say: Xero does not mark every change."),
    ("mag_referencedataminutes",     "Refresh Reference Data After (Minutes)", whole(5, 10_080),         OPTIONAL,    360,
     "How old the accounts, tax rates, branding themes and tracking options may be before they are read from Xero again. "
     "A code the connector does not know is looked up at once."),

    # ─ credit notes and cancellations ──────────────────────────────────────────────────────────────────────────────
    ("mag_createcreditnoteautomatically", "Create Credit Note Automatically", yesno(),                   OPTIONAL,    False,
     "Yes: cancelling an invoice in Dynamics 365 is carried over. A draft or submitted invoice is deleted in Xero; an approved one is credited in full and the credit set "
     "against it; for a paid one the Sync History says: The Invoice is fully paid in Xero; a part-paid one is credited in full, but applying the credit is left to you. "
     "The two settings below can change that. No: nothing happens in Xero, and credit notes are made by hand."),
    ("mag_cancelmode",               "Cancel an Approved Invoice",    one_of(CANCEL_MODE),               OPTIONAL,    "credit_note",
     "What cancelling does to an approved invoice without payments: a credit note for what is due, set against it; voiding it; or nothing but a note on the record. "
     "Counts when Create Credit Note Automatically is Yes."),
    ("mag_cancelpartpaid",           "Cancel a Part-Paid Invoice",    one_of(CANCEL_PART_PAID),          OPTIONAL,    "full_unapplied",
     "What cancelling does to a part-paid invoice: a credit note for the whole amount that you apply yourself; a credit note for what is still due, set against it; "
     "or nothing but a note on the record. Counts when Create Credit Note Automatically is Yes."),
    ("mag_ondelete",                 "When an Invoice Is Deleted",    one_of(ON_DELETE),                 OPTIONAL,    "draft_only",
     "What deleting an invoice in Dynamics 365 does. By default a draft is removed in Xero, and an approved invoice is left alone and reported here: "
     "clean-up jobs delete in bulk. Or the same as cancelling it."),
    ("mag_creditnotepartialmode",    "Partial Credit Notes",          one_of(CREDIT_NOTE_PARTIAL_MODE),  OPTIONAL,    "copy_all_lines",
     "What a Credit Note row for less than the invoice becomes in Xero: all lines of the invoice, of which only the amount is set against it, with a warning about the rest; "
     "one line of the amount, so that nothing is left over (recommended); or nothing but a note on the record."),

    # ─ looking after it ────────────────────────────────────────────────────────────────────────────────────────────
    ("mag_autoretryonfix",           "Retry When Fixed",              yesno(),                           OPTIONAL,    True,
     "Yes: a refused record is tried again by itself once the record, its customer or the reference data it failed on has changed. "
     "No: only when somebody sets its Export Status from Failed to No."),
    ("mag_alertemail",               "Alert Email",                   text(320, "Email"),                OPTIONAL,    None,
     "Who is told when the organisation is disconnected or records have waited for long. Empty: nobody is e-mailed."),
    ("mag_alertwebhookurl",          "Alert Webhook",                 text(2_000, "Url"),                OPTIONAL,    None,
     "Where the same news is posted, for example the address of a Teams channel. Empty: nowhere."),
    ("mag_historyretentiondays",     "Keep Sync History (Days)",      whole(30, 3_650),                  OPTIONAL,    400,
     "After how many days Sync History rows are deleted. Rows of records that still fail or wait are kept."),
), keys=(
    Key("mag_xeroconnector_xerotenantid", "Xero organisation", ("mag_xerotenantid",)),
))

XEROFLOW = Table("mag_xeroflow", "Xero Flow", "Xero Flows", Ownership.ORGANIZATION,
    "How one flow of data runs for one connector, where it differs from the flow's own defaults.", rows=(
    ("mag_name",                     "Name",                          text(100),                         REQUIRED,    None,
     "What the row is called in lists."),
    ("mag_xeroconnectorid",          "Xero Connector",                lookup("mag_xeroconnector", on_delete="Cascade"), REQUIRED, None,
     "The connector the row is for."),
    ("mag_flow",                     "Flow",                          text(50),                          REQUIRED,    None,
     "The flow's name, for example invoices-to-xero or payments-from-xero."),
    ("mag_enabled",                  "Enabled",                       yesno(),                           OPTIONAL,    True,
     "Whether the flow runs for this connector."),
    ("mag_everyminutes",             "Every (Minutes)",               whole(1, 10_080),                  OPTIONAL,    None,
     "How often the flow looks for work. Empty: the flow's own default."),
    ("mag_lookbackdays",             "Look Back (Days)",              whole(0, 3_650),                   OPTIONAL,    None,
     "How far back the first read from Xero reaches; later ones go on where the last one stopped. Empty: the flow's own default. "
     "Records going to Xero have no such limit: they stay due until they are done."),
    ("mag_realtime",                 "Real Time",                     yesno(),                           OPTIONAL,    True,
     "Whether a change is also acted on at once, besides the regular look."),
), keys=(
    Key("mag_xeroflow_connector_flow", "Flow of a connector", ("mag_xeroconnectorid", "mag_flow")),
))

XEROPRICELIST = Table("mag_xeropricelist", "Xero Price List", "Xero Price Lists", Ownership.ORGANIZATION,
    "The price list that invoices from Xero get in one currency.", rows=(
    ("mag_name",                     "Name",                          text(100),                         REQUIRED,    None,
     "What the row is called in lists."),
    ("mag_xeroconnectorid",          "Xero Connector",                lookup("mag_xeroconnector", on_delete="Cascade"), REQUIRED, None,
     "The connector the row is for."),
    ("mag_transactioncurrencyid",    "Currency",                      lookup("transactioncurrency"),     REQUIRED,    None,
     "The currency of the invoices."),
    ("mag_pricelistid",              "Price List",                    lookup("pricelevel"),              REQUIRED,    None,
     "The price list they get; its currency must be the same."),
), keys=(
    Key("mag_xeropricelist_connector_currency", "Currency of a connector", ("mag_xeroconnectorid", "mag_transactioncurrencyid")),
))

XEROROUTE = Table("mag_xeroroute", "Xero Route", "Xero Routes", Ownership.ORGANIZATION,
    "Sends invoices that name no connector to one of several organisations. The first route whose every filled column fits decides.", rows=(
    ("mag_name",                     "Name",                          text(100),                         REQUIRED,    None,
     "What the route is called in lists."),
    ("mag_xeroconnectorid",          "Xero Connector",                lookup("mag_xeroconnector", on_delete="Cascade"), REQUIRED, None,
     "The connector the invoices go to."),
    ("mag_order",                    "Order",                         whole(0, 100_000),                 REQUIRED,    100,
     "Routes are tried from the lowest number to the highest."),
    ("mag_businessunitid",           "Business Unit",                 lookup("businessunit"),            OPTIONAL,    None,
     "Fits invoices whose owner is in this business unit. Empty: fits all."),
    ("mag_transactioncurrencyid",    "Currency",                      lookup("transactioncurrency"),     OPTIONAL,    None,
     "Fits invoices in this currency. Empty: fits all."),
    ("mag_invoiceownerid",           "Invoice Owner",                 lookup("systemuser"),              OPTIONAL,    None,
     "Fits invoices of this user. Empty: fits all."),
))
# fmt: on
