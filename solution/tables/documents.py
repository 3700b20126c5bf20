"""Invoices and their lines, payments and credit notes."""

from solution.choices import EXPORT_STATUS, INVOICE_TYPE, LINE_AMOUNT_TYPES, PAYMENT_STATUS
from solution.table import Key, Level, ManyToMany, Ownership, Table, day, lookup, moment, money, one_of, text, yesno

OPTIONAL, RECOMMENDED, REQUIRED = Level.OPTIONAL, Level.RECOMMENDED, Level.REQUIRED

# fmt: off
INVOICE = Table("invoice", "Invoice", "Invoices", Ownership.USER, "What the connector adds to Dynamics 365's invoice.", custom=False, rows=(
    # column                    label                       type                          level        default
    ("mag_addtoxero",           "Add to Xero",              yesno(),                      OPTIONAL,    False,
     "Set to Yes when the invoice is ready: it is then in Xero within seconds, with its customer, lines, tax and tracking. "
     "An invoice that must wait or is refused says why in its Sync History."),
    ("mag_synchedwithxero",     "Synched With Xero",        yesno(),                      OPTIONAL,    False,
     "Yes once the invoice is in Xero. Set by the connector."),
    ("mag_xeroconnectorid",     "Xero Connector",           lookup("mag_xeroconnector", on_delete="Restrict"), OPTIONAL, None,
     "The Xero organisation the invoice belongs to. Leave empty to let the connector choose: by its routes, else the Default Connector. "
     "It cannot be changed to another organisation once the invoice is in Xero."),
    ("mag_invoicetype",         "Invoice Type",             one_of(INVOICE_TYPE),         OPTIONAL,    "sales_invoice",
     "Sales Invoice: an invoice to a customer. Purchase Invoice: a bill from a supplier. Credit Note: the lines of this invoice are credited."),
    ("mag_creditsinvoiceid",    "Credits Invoice",          lookup("invoice"),            OPTIONAL,    None,
     "For the type Credit Note: the invoice or bill that is credited. Its type decides whether a customer or a supplier is credited. "
     "Empty: a credit to the customer that is not set against any invoice."),
    ("mag_lineamounttypes",     "Line Amount Types",        one_of(LINE_AMOUNT_TYPES),    OPTIONAL,    None,
     "Whether the prices of the lines are without tax (Exclusive), hold it (Inclusive), or there is none (No Tax). "
     "Empty: the connector's Default Line Amount Types."),
    ("mag_brandingthemeid",     "Branding Theme",           lookup("mag_brandingtheme"),  OPTIONAL,    None,
     "How the invoice looks when Xero prints or e-mails it. Empty: the connector's Default Branding Theme, else Xero's own."),
    ("mag_reference",           "Reference",                text(255),                    OPTIONAL,    None,
     "The reference shown on the invoice in Xero, for example the customer's order number."),
    ("mag_sendemailfromxero",   "Send Email From Xero",     yesno(),                      OPTIONAL,    False,
     "Set to Yes to have Xero e-mail the invoice to its contact and billing contacts once it is approved."),
    ("mag_emailsentfromxero",   "Email Sent From Xero",     yesno(),                      OPTIONAL,    False,
     "Yes once Xero has e-mailed the invoice. Set by the connector."),
    ("mag_exportstatus",        "Export Status",            one_of(EXPORT_STATUS),        OPTIONAL,    "no",
     "Where the invoice stands on its way to Xero. After a failure the connector tries again by itself when what it refused has changed; "
     "set Failed back to No to have it tried at once."),
    ("mag_exportdate",          "Export Date",              moment(),                     OPTIONAL,    None,
     "When the connector last sent the invoice to Xero."),
    ("mag_xeroid",              "Xero Id",                  text(36),                     OPTIONAL,    None,
     "Xero's id of the invoice, bill or credit note. Set by the connector; do not change it."),
    ("mag_xeroinvoicenumber",   "Xero Invoice Number",      text(255),                    OPTIONAL,    None,
     "The number the invoice has in Xero."),
    ("mag_xeroinvoicestatus",   "Xero Invoice Status",      text(20),                     OPTIONAL,    None,
     "The status in Xero, in Xero's words: DRAFT, SUBMITTED, AUTHORISED, PAID, VOIDED or DELETED."),
    ("mag_xeroinvoiceurl",      "Xero Invoice URL",         text(500, "Url"),             OPTIONAL,    None,
     "Opens the invoice in Xero."),
    ("mag_xeropaynowlink",      "Xero Pay Now Link",        text(500, "Url"),             OPTIONAL,    None,
     "The page on which the customer sees and pays the invoice; there is one once the invoice is approved. Safe to send to the customer."),
    ("mag_xerotax",             "Xero Tax",                 money(),                      OPTIONAL,    None,
     "The tax Xero worked out for the whole invoice."),
    ("mag_amountdue",           "Amount Due",               money(),                      OPTIONAL,    None,
     "What is still to be paid, as Xero has it."),
    ("mag_amountpaid",          "Amount Paid",              money(),                      OPTIONAL,    None,
     "What has been paid, as Xero has it."),
    ("mag_amountcredited",      "Amount Credited",          money(),                      OPTIONAL,    None,
     "What credit notes have taken off, as Xero has it."),
))

INVOICEDETAIL = Table("invoicedetail", "Invoice Product", "Invoice Products", Ownership.USER, "What the connector adds to a line of an invoice.", custom=False, rows=(
    ("mag_xeroaccountcodeid",   "Xero Account Code",        lookup("mag_xeroaccountcode"), OPTIONAL,   None,
     "The account the line is booked on. Empty: the item's account in Xero, else the contact's, else the connector's default."),
    ("mag_taxrateid",           "Tax Rate",                 lookup("mag_taxrate"),        OPTIONAL,    None,
     "The tax rate of the line. Empty: the connector's Default Tax Rate on sales, else the rate of the account."),
))

PAYMENT = Table("mag_payment", "Payment", "Payments", Ownership.USER,
    "A payment made in Xero towards an invoice, by hand or through the pay-now link. Made by the connector; belongs to the invoice's owner.", rows=(
    ("mag_name",                "Name",                     text(200),                    REQUIRED,    None,
     "What the payment is called in lists: its date and reference."),
    ("mag_xeropaymentid",       "Xero Payment ID",          text(36),                     REQUIRED,    None,
     "Xero's id of the payment."),
    ("mag_invoiceid",           "Invoice",                  lookup("invoice"),            RECOMMENDED, None,
     "The invoice that was paid."),
    ("mag_paymentdate",         "Payment Date",             day(),                        OPTIONAL,    None,
     "The day of the payment, as Xero has it."),
    ("mag_amount",              "Amount",                   money(),                      OPTIONAL,    None,
     "What was paid towards the invoice, in the invoice's currency."),
    ("mag_reference",           "Reference",                text(255),                    OPTIONAL,    None,
     "The reference the bookkeeper or the bank gave."),
    ("mag_xeroaccountcodeid",   "Xero Account Code",        lookup("mag_xeroaccountcode"), OPTIONAL,   None,
     "The account the money went to, usually a bank account."),
    ("mag_paymentstatus",       "Payment Status",           one_of(PAYMENT_STATUS),       OPTIONAL,    "applied",
     "Applied while the payment stands in Xero, Reversed once it was removed there."),
), keys=(
    Key("mag_payment_xeropaymentid", "Xero payment", ("mag_xeropaymentid",)),
))

CREDITNOTE = Table("mag_creditnote", "Credit Note", "Credit Notes", Ownership.USER,
    "A credit towards one invoice. Made here, it goes to Xero; made in Xero, each of its allocations becomes a row. Belongs to the invoice's owner.", rows=(
    ("mag_name",                "Name",                     text(200),                    REQUIRED,    None,
     "What the credit note is called in lists: its number."),
    ("mag_invoiceid",           "Invoice",                  lookup("invoice"),            RECOMMENDED, None,
     "The invoice that is credited."),
    ("mag_creditdate",          "Credit Note Date",         day(),                        RECOMMENDED, None,
     "The day of the credit note and of its allocation."),
    ("mag_creditnotenumber",    "Credit Note Number",       text(255),                    OPTIONAL,    None,
     "The number of the credit note in Xero. Empty: the connector makes one from the invoice's number."),
    ("mag_reference",           "Reference",                text(255),                    OPTIONAL,    None,
     "The reference shown on the credit note in Xero."),
    ("mag_amount",              "Amount",                   money(),                      RECOMMENDED, None,
     "How much of the credit note is set against the invoice, in the invoice's currency."),
    ("mag_addtoxero",           "Add To Xero",              yesno(),                      OPTIONAL,    False,
     "Set to Yes when the credit note is ready: it then goes to Xero and is set against the invoice."),
    ("mag_synchedwithxero",     "Synched With Xero",        yesno(),                      OPTIONAL,    False,
     "Yes once the credit note is in Xero. Set by the connector."),
    ("mag_exportstatus",        "Export Status",            one_of(EXPORT_STATUS),        OPTIONAL,    "no",
     "Where the credit note stands on its way to Xero. Set Failed back to No to have it tried again."),
    ("mag_xerocreditnoteid",    "Xero Credit Note Id",      text(36),                     OPTIONAL,    None,
     "Xero's id of the credit note. Set by the connector; do not change it."),
    ("mag_xeroallocationid",    "Xero Allocation Id",       text(100),                    OPTIONAL,    None,
     "Xero's id of the allocation to the invoice. Set by the connector; do not change it."),
), keys=(
    Key("mag_creditnote_xeroallocationid", "Xero allocation", ("mag_xeroallocationid",)),
))
# fmt: on

LINE_TRACKING = ManyToMany(
    "mag_invoicedetail_trackingoption",
    "invoicedetail",
    "mag_trackingoption",
    "Tracking Options",
    "The tracking options of an invoice line, for example its region: at most one of each category, and Xero takes two categories.",
)
