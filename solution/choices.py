"""Every choice of the schema. Numbers are for ever: add rows, never renumber (a golden file in the tests keeps watch)."""

from solution.table import Choice

# fmt: off
EXPORT_STATUS = Choice("mag_exportstatus", "Export Status", "Where a record stands on its way to Xero.", (
    # n  key                     label                      description
    (0,  "no",                   "No",                      "Not in Xero yet. Set it back to No after a failure to have the record tried again."),
    (1,  "yes",                  "Yes",                     "The record is in Xero."),
    (2,  "failed",               "Failed",                  "Xero or the connector refused it; the newest Sync History row says why and what to do."),
    (3,  "waiting",              "Waiting",                 "It is due and goes by itself: on its date, or as soon as Xero can be reached."),
    (4,  "ready_to_update",      "Ready to update",         "Send the changes made since it went to Xero, as far as Xero allows."),
))

INVOICE_TYPE = Choice("mag_invoicetype", "Invoice Type", "What the invoice becomes in Xero.", (
    (0,  "sales_invoice",        "Sales Invoice",           "An invoice to a customer (ACCREC)."),
    (1,  "purchase_invoice",     "Purchase Invoice",        "A bill from a supplier (ACCPAY)."),
    (2,  "credit_note",          "Credit Note",             "A credit note with the lines of this invoice."),
))

LINE_AMOUNT_TYPES = Choice("mag_lineamounttypes", "Line Amount Types", "Whether the prices of the lines hold tax.", (
    (0,  "exclusive",            "Exclusive",               "Prices are without tax; Xero adds it."),
    (1,  "inclusive",            "Inclusive",               "Prices hold the tax."),
    (2,  "no_tax",               "No Tax",                  "No tax at all on this invoice."),
))

XERO_INVOICE_STATUS = Choice("mag_defaultxerostatus", "Default Xero Invoice Status", "The status a new invoice or bill gets in Xero.", (
    (0,  "draft",                "Draft",                   "Can be edited in Xero; somebody approves it there."),
    (1,  "submitted",            "Submitted",               "Waits in Xero for approval."),
    (2,  "authorised",           "Authorised",              "Approved at once (Auto Approve Invoices); only limited changes can be made in Xero."),
))

PAYMENT_STATUS = Choice("mag_paymentstatus", "Payment Status", "Whether a payment still counts.", (
    (0,  "applied",              "Applied",                 "The payment stands in Xero."),
    (1,  "reversed",             "Reversed",                "The payment was removed in Xero; it no longer counts."),
))

SYNC_ACTION = Choice("mag_syncaction", "Sync Action", "What the connector did or tried to do.", (
    (0,  "create",               "Create",                  "Made a new record."),
    (1,  "update",               "Update",                  "Changed a record."),
    (2,  "delete",               "Delete",                  "Deleted or voided a record."),
    (3,  "email",                "Email",                   "Asked Xero to e-mail an invoice."),
    (4,  "warning",              "Warning",                 "Noticed something a person should look at."),
    (5,  "cancel",               "Cancel",                  "Carried a cancellation over."),
    (6,  "allocate",             "Allocate",                "Set a credit against an invoice."),
    (7,  "connect",              "Connect",                 "Connected, reconnected or lost the connection."),
))

SYNC_STATUS = Choice("mag_syncstatus", "Sync Status", "How it ended.", (
    (0,  "successful",           "Successful",              "Done."),
    (1,  "failed",               "Failed",                  "Refused; the reason and the way out are on the row."),
    (2,  "waiting",              "Waiting",                 "Not yet; it goes by itself."),
    (3,  "warning",              "Warning",                 "Done, but look at it."),
))

WHO_ACTS = Choice("mag_whoacts", "Who Acts", "Who can put it right.", (
    (0,  "nobody",               "Nobody",                  "Nothing to do: it goes by itself."),
    (1,  "salesperson",          "Salesperson",             "Whoever works on the record in Dynamics 365."),
    (2,  "bookkeeper",           "Bookkeeper",              "Whoever keeps the books in Xero."),
    (3,  "administrator",        "Administrator",           "Whoever looks after the connector, Dynamics 365 or Azure."),
    (4,  "support",              "Support",                 "The people who make the connector: this is a fault of ours."),
))

XERO_CONNECTION = Choice("mag_xeroconnection", "Xero Connection", "Whether the connector can reach the organisation.", (
    (0,  "ok",                   "Xero Connection: OK",     "The connector reaches the organisation."),
    (1,  "disconnected",         "Xero Connection: Disconnected", "Nothing is synced until an administrator connects again; nothing is lost meanwhile."),
))

CONNECT_MODE = Choice("mag_connectmode", "Connect Mode", "How the connector signs in to Xero.", (
    (0,  "oauth_code",           "Consent of a Xero user",  "A Xero user allowed access, and can withdraw it."),
    (1,  "custom_connection",    "Custom Connection",       "A Xero Custom Connection: one organisation, no user."),
))

XERO_TIER = Choice("mag_xerotier", "Xero Tier", "The plan of your app at developer.xero.com, which sets its calls per day.", (
    (0,  "starter",              "Starter (1,000 calls a day)",    "What every new app starts on."),
    (1,  "core",                 "Core (5,000 calls a day)",       ""),
    (2,  "plus",                 "Plus (5,000 calls a day)",       ""),
    (3,  "advanced",             "Advanced (5,000 calls a day)",   ""),
    (4,  "enterprise",           "Enterprise (5,000 calls a day)", ""),
))

OPERATING_MODE = Choice("mag_operatingmode", "Operating Mode", "Whether anything is written.", (
    (0,  "active",               "Active",                  "Records are synced."),
    (1,  "observe",              "Observe",                 "Nothing is written to Xero: Sync History tells what would have been."),
))

TRIGGER_MODE = Choice("mag_triggermode", "Trigger", "What makes an invoice go to Xero.", (
    (0,  "add_to_xero",          "Add to Xero is Yes",      ""),
    (1,  "connector_selected",   "A Xero Connector is chosen", ""),
    (2,  "either",               "Either of the two",       ""),
))

NUMBER_SOURCE = Choice("mag_numbersource", "Use Xero Invoice Number", "Where the number of an invoice in Xero comes from.", (
    (0,  "crm_number",           "No, use the Invoice Number", "The invoice's number in Dynamics 365."),
    (1,  "xero",                 "Yes, Xero numbers it",    "Xero's own numbering; the Dynamics 365 number goes into an empty Reference."),
    (2,  "crm_name",             "No, use the Invoice Name", "The invoice's name in Dynamics 365."),
))

REFERENCE_SOURCE = Choice("mag_referencesource", "Reference Source", "Where the reference of an invoice in Xero comes from.", (
    (0,  "reference_then_description", "Reference, else Description", ""),
    (1,  "reference",            "Reference only",          ""),
    (2,  "description",          "Description only",        ""),
))

TAX_MODE = Choice("mag_taxmode", "Tax Amounts", "Who works out the tax of a line.", (
    (0,  "crm_amount_if_present", "Dynamics 365, where the line has an amount", "A tax amount above zero is sent; Xero works out the others."),
    (1,  "xero_calculates",      "Always Xero",             "Only tax rates are sent."),
))

BUNDLE_MODE = Choice("mag_bundlemode", "Bundles", "How a product bundle appears in Xero.", (
    (0,  "header_and_descriptions", "The bundle, its products as text", "One line with the price, then a line of text for each product in it."),
    (1,  "header_only",          "The bundle only",         "One line with the price."),
))

ROUNDING_POLICY = Choice("mag_roundingpolicy", "When Totals Differ", "What happens when Xero's total is not the one in Dynamics 365.", (
    (0,  "warn",                 "Warn",                    "Send it, and warn on the record."),
    (1,  "hold",                 "Hold",                    "Do not send it; say why on the record."),
    (2,  "rounding_line",        "Add a rounding line",     "Send it with one more line that makes the totals equal."),
))

CONTACT_POLICY = Choice("mag_contactpolicy", "Existing Contacts", "What happens to a contact that is already in Xero.", (
    (0,  "update",               "Update",                  "Send what changed in Dynamics 365 since the last time."),
    (1,  "create_once",          "Create once",             "Never change it."),
    (2,  "match_only",           "Match only",              "Never change it, and never create one."),
))

MISSING_ITEM_POLICY = Choice("mag_missingitempolicy", "Missing Items", "What happens to a product that Xero does not know.", (
    (0,  "create",               "Create it",               "Make the item in Xero, if Create New Products is Yes; if not, as Send Without Code."),
    (1,  "send_without_code",    "Send without code",       "Send the line with its text, without an item code."),
    (2,  "block",                "Refuse the invoice",      "Do not send the invoice; say why on the record."),
))

ITEM_OWNER = Choice("mag_itemowner", "Item Owner", "Whose names and texts win once a product is on both sides.", (
    (0,  "dynamics",             "Dynamics 365",            ""),
    (1,  "xero",                 "Xero",                    ""),
))

FULL_CHECK = Choice("mag_fullcheck", "Full Check", "How often everything is compared again, whatever the change dates say.", (
    (0,  "nightly",              "Every night",             ""),
    (1,  "weekly",               "Every week",              ""),
    (2,  "off",                  "Never",                   ""),
))

CANCEL_MODE = Choice("mag_cancelmode", "Cancel an Approved Invoice", "What a cancellation does to an approved invoice without payments.", (
    (0,  "credit_note",          "Credit note",             "A credit note for what is due, set against the invoice."),
    (1,  "void",                 "Void",                    "Void the invoice in Xero."),
    (2,  "manual",               "By hand",                 "Leave it to the bookkeeper; say so on the record."),
))

CANCEL_PART_PAID = Choice("mag_cancelpartpaid", "Cancel a Part-Paid Invoice", "What a cancellation does to a part-paid invoice.", (
    (0,  "full_unapplied",       "Full credit note, not applied", "A credit note for the whole amount, which the bookkeeper applies."),
    (1,  "credit_outstanding",   "Credit what is due",      "A credit note for what is still due, set against the invoice."),
    (2,  "refuse",               "By hand",                 "Leave it to the bookkeeper; say so on the record."),
))

ON_DELETE = Choice("mag_ondelete", "When an Invoice Is Deleted", "What deleting an invoice in Dynamics 365 does in Xero.", (
    (0,  "draft_only",           "Remove a draft only",     "A draft is removed; an approved invoice is reported and left alone."),
    (1,  "same_as_cancel",       "The same as cancelling",  "As if the invoice had been cancelled."),
))

CREDIT_NOTE_PARTIAL_MODE = Choice("mag_creditnotepartialmode", "Partial Credit Notes", "What a credit note for part of an invoice looks like in Xero.", (
    (0,  "copy_all_lines",       "All lines of the invoice", "The rest stays unallocated; a warning names it."),
    (1,  "single_line",          "One line of the amount",  "Nothing stays unallocated (recommended)."),
    (2,  "refuse",               "Not sent",                "Leave it to the bookkeeper; say so on the record."),
))
# fmt: on

CHOICES: tuple[Choice, ...] = (
    EXPORT_STATUS,
    INVOICE_TYPE,
    LINE_AMOUNT_TYPES,
    XERO_INVOICE_STATUS,
    PAYMENT_STATUS,
    SYNC_ACTION,
    SYNC_STATUS,
    WHO_ACTS,
    XERO_CONNECTION,
    CONNECT_MODE,
    XERO_TIER,
    OPERATING_MODE,
    TRIGGER_MODE,
    NUMBER_SOURCE,
    REFERENCE_SOURCE,
    TAX_MODE,
    BUNDLE_MODE,
    ROUNDING_POLICY,
    CONTACT_POLICY,
    MISSING_ITEM_POLICY,
    ITEM_OWNER,
    FULL_CHECK,
    CANCEL_MODE,
    CANCEL_PART_PAID,
    ON_DELETE,
    CREDIT_NOTE_PARTIAL_MODE,
)
