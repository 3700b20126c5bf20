"""Every view: for each table of ours the usual six, and the lists people work from."""

from collections.abc import Iterator

from solution.schema import TABLES
from solution.view import Kind, View, every, some

ACTIVE, INACTIVE = ("statecode", "eq", 0), ("statecode", "eq", 1)
OPEN = every(("mag_synchedwithxero", "ne", True), ("mag_addtoxero", "eq", True), ("mag_exportstatus", "ne", "failed"))
WAITING = every(ACTIVE, some(OPEN, ("mag_exportstatus", "in", ("waiting", "ready_to_update"))))
FAILED = ("mag_exportstatus", "eq", "failed")
IN_XERO = ("mag_synchedwithxero", "eq", True)

# fmt: off
LISTS: dict[str, tuple[str, str, str]] = {
    # table: its lists show these columns (name:width)
    #        its search box looks through these
    #        and they are sorted by these, descending with a minus
    "mag_xeroconnector":    ("mag_name:220 mag_enabled:90 mag_defaultconnector:130 mag_operatingmode:120 mag_xeroorganizationname:200 mag_xerostatus:190 mag_lastsynchedon:150",
                             "mag_name mag_xeroorganizationname mag_xerotenantid", "mag_name"),
    "mag_xeroflow":         ("mag_name:220 mag_xeroconnectorid:180 mag_flow:200 mag_enabled:90 mag_everyminutes:120 mag_lookbackdays:120 mag_realtime:90",
                             "mag_name mag_flow", "mag_xeroconnectorid mag_flow"),
    "mag_xeropricelist":    ("mag_name:220 mag_xeroconnectorid:180 mag_transactioncurrencyid:140 mag_pricelistid:200",
                             "mag_name", "mag_xeroconnectorid mag_name"),
    "mag_xeroroute":        ("mag_order:80 mag_name:220 mag_xeroconnectorid:180 mag_businessunitid:160 mag_transactioncurrencyid:130 mag_invoiceownerid:160",
                             "mag_name", "mag_order mag_name"),
    "mag_xeroaccountcode":  ("mag_name:220 mag_code:80 mag_type:120 mag_class:120 mag_taxtype:120 mag_status:100 mag_xeroconnectorid:180",
                             "mag_name mag_code", "mag_code"),
    "mag_taxrate":          ("mag_name:240 mag_taxtype:140 mag_displaytaxrate:130 mag_effectiverate:130 mag_status:100 mag_xeroconnectorid:180",
                             "mag_name mag_taxtype", "mag_name"),
    "mag_brandingtheme":    ("mag_name:240 mag_xeroconnectorid:180 modifiedon:140",
                             "mag_name", "mag_name"),
    "mag_trackingcategory": ("mag_name:240 mag_xerostatus:120 mag_xeroconnectorid:180",
                             "mag_name", "mag_name"),
    "mag_trackingoption":   ("mag_name:240 mag_trackingcategoryid:180 mag_xerostatus:120",
                             "mag_name", "mag_trackingcategoryid mag_name"),
    "mag_payment":          ("mag_name:240 mag_invoiceid:200 mag_paymentdate:120 mag_amount:120 mag_reference:160 mag_xeroaccountcodeid:160 mag_paymentstatus:120",
                             "mag_name mag_reference", "-mag_paymentdate"),
    "mag_creditnote":       ("mag_name:200 mag_invoiceid:200 mag_creditdate:130 mag_creditnotenumber:160 mag_amount:120 mag_addtoxero:100 mag_exportstatus:120",
                             "mag_name mag_creditnotenumber mag_reference", "-mag_creditdate"),
    "mag_synchistory":      ("mag_eventon:150 mag_name:210 mag_action:100 mag_syncstatus:110 mag_details:360 mag_whoacts:140 mag_xeroconnectorid:160",
                             "mag_name mag_details", "-mag_eventon"),
}

INVOICE = "name:240 invoicenumber:150 customerid:180 totalamount:120"
BALANCES = "mag_amountowed:130 mag_amountoverdue:130 mag_xerocontacturl:240 ownerid:140"
REASONS = "mag_name:200 mag_eventon:150 mag_details:320 mag_cause:320 mag_fix:320 mag_whoacts:140"

WORK: tuple[View, ...] = (
    # ─ invoices ────────────────────────────────────────────────────────────────────────────────────────────────────
    View("invoice", "Waiting to Go to Xero", f"{INVOICE} datedelivered:120 mag_exportstatus:120 mag_xeroconnectorid:160 ownerid:140",
         WAITING, "datedelivered", description="Flagged and due, or waiting for a date or for Xero. They go by themselves."),
    View("invoice", "Failed to Go to Xero", f"{INVOICE} mag_exportstatus:110 mag_xeroconnectorid:160 modifiedon:140 ownerid:140",
         every(FAILED), "-modifiedon", description="Refused. Open one to read why; Failed Invoices with Reason under Sync History lists the reasons."),
    View("invoice", "Synced with Xero", f"{INVOICE} mag_xeroinvoicenumber:140 mag_xeroinvoicestatus:120 mag_amountdue:120 mag_exportdate:140 mag_xeroconnectorid:160",
         every(IN_XERO), "-mag_exportdate", description="In Xero, newest first."),
    View("invoice", "Unpaid in Xero", f"{INVOICE} mag_amountdue:120 duedate:110 mag_xeroinvoicenumber:140 mag_xeroinvoicestatus:120 ownerid:140",
         every(IN_XERO, ACTIVE, ("mag_amountdue", "gt", 0)), "duedate", description="In Xero with an amount still due; the longest due first."),
    View("invoice", "Invoices by Xero Connector", f"mag_xeroconnectorid:180 {INVOICE} mag_exportstatus:120 mag_xeroinvoicestatus:120 mag_amountdue:120",
         every(("mag_xeroconnectorid", "not-null")), "mag_xeroconnectorid -createdon", description="Every invoice of a connector, sorted by connector."),
    View("invoice", "Bills in Xero", f"{INVOICE} mag_xeroinvoicenumber:140 mag_xeroinvoicestatus:120 mag_amountdue:120 duedate:110",
         every(("mag_invoicetype", "eq", "purchase_invoice"), IN_XERO), "duedate", description="Purchase invoices that are bills in Xero."),
    View("invoice", "Not Meant for Xero", f"{INVOICE} statuscode:120 createdon:140 ownerid:140",
         every(ACTIVE, ("mag_addtoxero", "ne", True), ("mag_synchedwithxero", "ne", True)), "-createdon",
         description="Active invoices nobody has set Add to Xero on yet."),
    View("invoicedetail", "Invoice Lines with Xero Coding", "invoicedetailname:260 quantity:100 priceperunit:110 manualdiscountamount:120 mag_taxrateid:150 mag_xeroaccountcodeid:170 extendedamount:120",
         None, "lineitemnumber", description="The lines of an invoice with tax rate and account."),

    # ─ credit notes and payments ───────────────────────────────────────────────────────────────────────────────────
    View("mag_creditnote", "Credit Notes Waiting to Go to Xero", LISTS["mag_creditnote"][0], WAITING, "mag_creditdate",
         description="Flagged and due, or waiting. They go by themselves."),
    View("mag_creditnote", "Credit Notes that Failed", LISTS["mag_creditnote"][0], every(FAILED), "-modifiedon",
         description="Refused. Open one to read why."),
    View("mag_payment", "Payments of an Invoice", "mag_paymentdate:120 mag_amount:120 mag_reference:180 mag_xeroaccountcodeid:170 mag_paymentstatus:120", None, "-mag_paymentdate",
         description="What the Invoice form lists: reversed payments too."),
    View("mag_creditnote", "Credit Notes of an Invoice", "mag_creditdate:130 mag_creditnotenumber:170 mag_amount:120 mag_reference:160 mag_exportstatus:120", None, "-mag_creditdate",
         description="What the Invoice form lists."),
    View("mag_payment", "Reversed Payments", LISTS["mag_payment"][0], every(("mag_paymentstatus", "eq", "reversed")), "-mag_paymentdate",
         description="Removed in Xero after they had been synced."),

    # ─ sync history ────────────────────────────────────────────────────────────────────────────────────────────────
    View("mag_synchistory", "Failed Invoices with Reason", f"mag_invoiceid:200 mag_invoiceid.invoicenumber:140 {REASONS}",
         every(("mag_syncstatus", "eq", "failed"), ("mag_invoiceid.mag_exportstatus", "eq", "failed")), "-mag_eventon",
         description="Why the invoices that are Failed now were refused, what to do, and who; newest first."),
    View("mag_synchistory", "Waiting Invoices with Reason", f"mag_invoiceid:200 mag_invoiceid.invoicenumber:140 {REASONS}",
         every(("mag_syncstatus", "eq", "waiting"), ("mag_invoiceid.mag_exportstatus", "eq", "waiting")), "-mag_eventon",
         description="What the invoices that wait now are waiting for; newest first."),
    View("mag_synchistory", "Sync History of a Record", "mag_eventon:150 mag_action:110 mag_syncstatus:120 mag_details:280 mag_fix:240 mag_whoacts:150", None, "-mag_eventon",
         description="What the forms list, newest first."),
    View("mag_synchistory", "Warnings", f"mag_invoiceid:200 mag_creditnoteid:160 {REASONS}",
         every(("mag_syncstatus", "eq", "warning")), "-mag_eventon", description="Done, but somebody should look."),
    View("mag_synchistory", "For the Administrator", f"mag_xeroconnectorid:160 mag_invoiceid:200 {REASONS}",
         every(("mag_whoacts", "eq", "administrator"), ("mag_syncstatus", "in", ("failed", "waiting", "warning"))), "-mag_eventon",
         description="What only whoever looks after the connector can put right."),
    View("mag_synchistory", "For the Bookkeeper", f"mag_xeroconnectorid:160 mag_invoiceid:200 {REASONS}",
         every(("mag_whoacts", "eq", "bookkeeper"), ("mag_syncstatus", "in", ("failed", "waiting", "warning"))), "-mag_eventon",
         description="What only whoever keeps the books in Xero can put right."),
    View("mag_synchistory", "Sync History by Xero Connector", LISTS["mag_synchistory"][0], None, "mag_xeroconnectorid -mag_eventon",
         description="Everything, sorted by connector."),

    # ─ set-up ──────────────────────────────────────────────────────────────────────────────────────────────────────
    View("mag_xeroconnector", "Disconnected from Xero", "mag_name:220 mag_xeroorganizationname:200 mag_xerostatus:200 mag_xerostatusdetail:360 mag_lastsynchedon:150",
         every(("mag_enabled", "eq", True), ("mag_xerostatus", "eq", "disconnected")), "mag_name",
         description="Enabled, but Xero cannot be reached. Nothing is lost; open one for what to do."),

    # ─ customers ───────────────────────────────────────────────────────────────────────────────────────────────────
    View("account", "Accounts that Owe", f"name:260 {BALANCES}", every(ACTIVE, ("mag_amountowed", "gt", 0)), "-mag_amountowed",
         description="Accounts with unpaid invoices in Xero, the largest amount first."),
    View("account", "Accounts Overdue", f"name:260 {BALANCES}", every(ACTIVE, ("mag_amountoverdue", "gt", 0)), "-mag_amountoverdue",
         description="Accounts with invoices in Xero past their due date."),
    View("contact", "Contacts that Owe", f"fullname:260 emailaddress1:200 {BALANCES}", every(ACTIVE, ("mag_amountowed", "gt", 0)), "-mag_amountowed",
         description="Contacts with unpaid invoices in Xero, the largest amount first."),
    View("contact", "Contacts Overdue", f"fullname:260 emailaddress1:200 {BALANCES}", every(ACTIVE, ("mag_amountoverdue", "gt", 0)), "-mag_amountoverdue",
         description="Contacts with invoices in Xero past their due date."),
    View("contact", "Billing Contacts", "fullname:240 emailaddress1:240 telephone1:150", every(ACTIVE), "fullname",
         description="People with their e-mail addresses, as the list of an account's billing contacts shows them."),
)
# fmt: on


def usual(table: str, label: str, plural: str) -> Iterator[View]:
    """Return the views Dataverse expects every table to have."""
    columns, search, order = LISTS[table]
    every_active, short = every(ACTIVE), " ".join(columns.split()[:4])
    yield View(table, f"Active {plural}", columns, every_active, order, default=True)
    yield View(table, f"Inactive {plural}", columns, every(INACTIVE), order)
    yield View(table, f"Quick Find Active {plural}", columns, every_active, order, Kind.QUICK_FIND, default=True, search=search)
    yield View(table, f"{label} Lookup View", short, every_active, order, Kind.LOOKUP, default=True)
    yield View(table, f"{label} Associated View", columns, every_active, order, Kind.ASSOCIATED, default=True)
    yield View(table, f"{label} Advanced Find View", columns, None, order, Kind.ADVANCED_FIND, default=True)


VIEWS: tuple[View, ...] = (
    *(view for table in TABLES if table.custom for view in usual(table.name, table.label, table.plural)),
    *WORK,
)


def views_of(table: str) -> tuple[View, ...]:
    """Return the views of one table."""
    return tuple(view for view in VIEWS if view.table == table)


def view(table: str, name: str) -> View:
    """Return one view by its name; StopIteration when there is none."""
    return next(found for found in VIEWS if (found.table, found.name) == (table, name))
