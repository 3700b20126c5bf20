"""What happened, on the record it happened to."""

from solution.choices import SYNC_ACTION, SYNC_STATUS, WHO_ACTS
from solution.table import Level, Ownership, Table, lookup, memo, moment, one_of, text

OPTIONAL, RECOMMENDED, REQUIRED = Level.OPTIONAL, Level.RECOMMENDED, Level.REQUIRED

# fmt: off
SYNCHISTORY = Table("mag_synchistory", "Sync History", "Sync Histories", Ownership.USER,
    "One thing the connector did or could not do, with the cause, the fix and who acts. Made by the connector; belongs to the record's owner.", rows=(
    # column                    label              type                               level        default
    ("mag_name",                "Name",            text(100),                         REQUIRED,    None,
     "Sync - and the moment, as yyyy-mm-dd hh:mm:ss in the connector's time zone."),
    ("mag_eventon",             "Event Date and Time", moment(),                      RECOMMENDED, None,
     "When it happened."),
    ("mag_action",              "Action",          one_of(SYNC_ACTION),               RECOMMENDED, None,
     "What was done or tried."),
    ("mag_syncstatus",          "Sync Status",     one_of(SYNC_STATUS),               RECOMMENDED, None,
     "How it ended."),
    ("mag_details",             "Details",         memo(10_000),                      OPTIONAL,    None,
     "What happened, in one or two sentences."),
    ("mag_cause",               "Cause",           memo(4_000),                       OPTIONAL,    None,
     "Why it failed or waits, with the words of Xero or Dynamics 365."),
    ("mag_fix",                 "Fix",             memo(4_000),                       OPTIONAL,    None,
     "What to do about it. Nothing to do means that it goes by itself."),
    ("mag_whoacts",             "Who Acts",        one_of(WHO_ACTS),                  OPTIONAL,    None,
     "Who can put it right."),
    ("mag_invoiceid",           "Invoice",         lookup("invoice"),                 OPTIONAL,    None,
     "The invoice it happened to."),
    ("mag_creditnoteid",        "Credit Note",     lookup("mag_creditnote"),          OPTIONAL,    None,
     "The credit note it happened to."),
    ("mag_accountid",           "Account",         lookup("account"),                 OPTIONAL,    None,
     "The account it happened to."),
    ("mag_contactid",           "Contact",         lookup("contact"),                 OPTIONAL,    None,
     "The contact it happened to."),
    ("mag_xeroconnectorid",     "Xero Connector",  lookup("mag_xeroconnector"),       OPTIONAL,    None,
     "The connector it happened on."),
))
# fmt: on
