"""What the connector adds to accounts and contacts."""

from solution.table import Level, ManyToMany, Ownership, Row, Table, lookup, money, text

OPTIONAL = Level.OPTIONAL

# fmt: off
BALANCES: tuple[Row, ...] = (
    # column                        label                       type                 level      default
    ("mag_amountowed",              "Amount Owed",              money(),             OPTIONAL,  None,
     "What the customer owes in Xero on all approved invoices that are not fully paid, over all connected organisations, in the row's currency."),
    ("mag_amountoverdue",           "Amount Overdue",           money(),             OPTIONAL,  None,
     "The part of Amount Owed whose due date has passed."),
    ("mag_xerocontacturl",          "Xero Contact URL",         text(500, "Url"),    OPTIONAL,  None,
     "Opens the contact in Xero."),
)

ACCOUNT = Table("account", "Account", "Accounts", Ownership.USER, "What the connector adds to Dynamics 365's account.", custom=False, rows=(
    ("mag_primarybillingcontactid", "Primary Billing Contact",  lookup("contact"),   OPTIONAL,  None,
     "The person invoices are addressed to: the primary person of the contact in Xero. Empty: the account's own e-mail address is used."),
    *BALANCES,
))

CONTACT = Table("contact", "Contact", "Contacts", Ownership.USER, "What the connector adds to Dynamics 365's contact.", custom=False, rows=BALANCES)
# fmt: on

BILLING_CONTACTS = ManyToMany(
    "mag_account_contact_billingcontacts",
    "account",
    "contact",
    "Additional Billing Contacts",
    "The other people who get an account's invoices when Xero e-mails them. Xero takes five.",
)
