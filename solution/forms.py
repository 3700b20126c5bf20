"""Every form: what people see of an invoice, a line, a customer, and of our own tables."""

from solution.form import Form, Grid, QuickView, Section, Tab
from solution.web_resources import SCRIPT

BALANCE = "Owed and Overdue in Xero"


def _history(relationship: str, rows: int = 6) -> Grid:
    return Grid("Sync History", relationship, "Sync History of a Record", rows)


# fmt: off
FORMS: tuple[Form, ...] = (
    # ─ Dynamics 365's own tables: forms of our own beside the ones people have ─────────────────────────────────────
    Form("invoice", "Invoice – Xero", header="totalamount mag_exportstatus mag_amountdue ownerid", script=SCRIPT.name,
         description="The invoice with everything about Xero. Choose it in the form selector.", tabs=(
        Tab("Summary", (
            (Section("Invoice", "invoicenumber name customerid transactioncurrencyid pricelevelid paymenttermscode datedelivered duedate description", columns=2),
             Grid("Products", "invoice_details", "Invoice Lines with Xero Coding", 8)),
            (Section("Xero", "mag_addtoxero mag_xeroconnectorid mag_exportstatus"),
             Section("Discount and Freight", "discountpercentage discountamount freightamount"),
             Section("Totals", "totallineitemamount totalamountlessfreight totaltax totalamount", locked=True),
             QuickView("Customer in Xero", "customerid", BALANCE)),
        )),
        Tab("Xero", (
            (Section("Send to Xero", "mag_addtoxero mag_xeroconnectorid mag_invoicetype mag_lineamounttypes mag_brandingthemeid mag_reference "
                                     "mag_creditsinvoiceid mag_exportstatus mag_sendemailfromxero mag_emailsentfromxero", columns=2),
             Grid("Payments", "mag_payment_invoiceid", "Payments of an Invoice", 4),
             Grid("Credit Notes", "mag_creditnote_invoiceid", "Credit Notes of an Invoice", 4),
             _history("mag_synchistory_invoiceid")),
            (Section("In Xero", "mag_synchedwithxero mag_xeroinvoicenumber mag_xeroinvoicestatus mag_xeroinvoiceurl mag_xeropaynowlink mag_exportdate mag_xeroid", locked=True),
             Section("Amounts in Xero", "mag_xerotax mag_amountdue mag_amountpaid mag_amountcredited", locked=True)),
        )),
        Tab("Addresses", (
            (Section("Bill To", "billto_name billto_line1 billto_line2 billto_city billto_stateorprovince billto_postalcode billto_country", columns=2),),
        )),
    )),
    Form("invoicedetail", "Invoice Product – Xero", header="extendedamount",
         description="A line of an invoice with its tax rate, its account and its tracking.", tabs=(
        Tab("General", (
            (Section("Product", "isproductoverridden productid productdescription uomid ispriceoverridden priceperunit quantity manualdiscountamount tax extendedamount", columns=2),
             Section("Description", "description")),
            (Section("Xero", "mag_taxrateid mag_xeroaccountcodeid"),
             Grid("Tracking", "mag_invoicedetail_trackingoption", "Active Tracking Options", 4)),
        )),
    )),
    Form("account", "Account – Xero", header="mag_amountowed mag_amountoverdue ownerid",
         description="The account with what it owes in Xero, who gets its invoices, and its Sync History.", tabs=(
        Tab("Summary", (
            (Section("Account", "name accountnumber telephone1 emailaddress1 websiteurl parentaccountid primarycontactid transactioncurrencyid", columns=2),
             Section("Address", "address1_line1 address1_line2 address1_city address1_stateorprovince address1_postalcode address1_country", columns=2),
             _history("mag_synchistory_accountid")),
            (Section("In Xero", "mag_amountowed mag_amountoverdue mag_xerocontacturl", locked=True),
             Section("Who Gets Invoices", "mag_primarybillingcontactid"),
             Grid("Additional Billing Contacts", "mag_account_contact_billingcontacts", "Billing Contacts", 5)),
        )),
    )),
    Form("contact", "Contact – Xero", header="mag_amountowed mag_amountoverdue ownerid",
         description="The contact with what it owes in Xero, and its Sync History.", tabs=(
        Tab("Summary", (
            (Section("Contact", "firstname lastname jobtitle parentcustomerid emailaddress1 telephone1 mobilephone transactioncurrencyid", columns=2),
             Section("Address", "address1_line1 address1_line2 address1_city address1_stateorprovince address1_postalcode address1_country", columns=2),
             _history("mag_synchistory_contactid")),
            (Section("In Xero", "mag_amountowed mag_amountoverdue mag_xerocontacturl", locked=True),),
        )),
    )),
    Form("account", BALANCE, type="quick", description="What an account owes; shown on the invoice.", tabs=(
        Tab("General", ((Section("In Xero", "mag_amountowed mag_amountoverdue mag_xerocontacturl"),),)),
    )),
    Form("contact", BALANCE, type="quick", description="What a contact owes; shown on the invoice.", tabs=(
        Tab("General", ((Section("In Xero", "mag_amountowed mag_amountoverdue mag_xerocontacturl"),),)),
    )),

    # ─ the connector: its settings in the sections of solution/tables/connector.py ─────────────────────────────────
    Form("mag_xeroconnector", "Xero Connector", header="mag_xerostatus mag_enabled mag_lastsynchedon ownerid",
         description="One Xero organisation and every setting of the connection.", tabs=(
        Tab("Connection", (
            (Section("Connector", "mag_name mag_enabled mag_defaultconnector mag_operatingmode mag_timezone mag_xerotier mag_dailycallbudget", columns=2),
             Section("Xero Organisation", "mag_xeroorganizationname mag_connectmode mag_xerotenantid mag_environmentid", columns=2, locked=True),
             _history("mag_synchistory_xeroconnectorid", 8)),
            (Section("State", "mag_xerostatus mag_xerostatusdetail mag_reconnecturl mag_lastsynchedon", locked=True),),
        )),
        Tab("Invoices to Xero", (
            (Section("When an Invoice Goes", "mag_triggermode mag_holdfuturedated mag_defaultxerostatus mag_allowresend", columns=2),
             Section("What It Says", "mag_numbersource mag_referencesource mag_dotdescriptionline mag_bundlemode", columns=2),
             Section("Tax, Discounts and Rounding", "mag_defaultlineamounttypes mag_taxmode mag_senddiscount mag_roundingpolicy", columns=2),
             Section("E-mail", "mag_markinvoicesassent mag_sendemailbydefault", columns=2)),
            (Section("When the Invoice Does Not Say", "mag_defaultaccountcodeid mag_defaultpurchaseaccountcodeid mag_freightaccountcodeid "
                                                      "mag_roundingaccountcodeid mag_defaulttaxrateid mag_defaultbrandingthemeid"),),
        )),
        Tab("Contacts and Items", (
            (Section("Contacts", "mag_createnewcontacts mag_contactpolicy", columns=2),
             Section("Items", "mag_createnewproducts mag_missingitempolicy mag_itemowner", columns=2)),
        )),
        Tab("From Xero", (
            (Section("Invoices and Payments", "mag_defaultpricelistid mag_createpricelists mag_createpaymentrows", columns=2),
             Section("Contacts", "mag_xeroownedcolumns"),
             Section("Reading", "mag_overlapminutes mag_fullcheck mag_referencedataminutes", columns=2),
             Grid("Price Lists", "mag_xeropricelist_xeroconnectorid", "Active Xero Price Lists", 4)),
        )),
        Tab("Credit Notes and Cancellations", (
            (Section("Cancellations", "mag_createcreditnoteautomatically mag_cancelmode mag_cancelpartpaid mag_ondelete", columns=2),
             Section("Credit Notes", "mag_creditnotepartialmode", columns=2)),
        )),
        Tab("Upkeep", (
            (Section("Looking After It", "mag_autoretryonfix mag_historyretentiondays mag_alertemail mag_alertwebhookurl", columns=2),
             Grid("Flows", "mag_xeroflow_xeroconnectorid", "Active Xero Flows", 6),
             Grid("Routes", "mag_xeroroute_xeroconnectorid", "Active Xero Routes", 4)),
        )),
    )),
    Form("mag_xeroflow", "Xero Flow", description="How one flow runs for one connector.", tabs=(
        Tab("General", ((Section("Flow", "mag_name mag_xeroconnectorid mag_flow mag_enabled mag_everyminutes mag_lookbackdays mag_realtime", columns=2),),)),
    )),
    Form("mag_xeropricelist", "Xero Price List", description="The price list of one currency.", tabs=(
        Tab("General", ((Section("Price List", "mag_name mag_xeroconnectorid mag_transactioncurrencyid mag_pricelistid", columns=2),),)),
    )),
    Form("mag_xeroroute", "Xero Route", description="Which invoices go to which connector.", tabs=(
        Tab("General", (
            (Section("Route", "mag_name mag_xeroconnectorid mag_order", columns=2),
             Section("Fits Invoices Of", "mag_businessunitid mag_transactioncurrencyid mag_invoiceownerid", columns=2)),
        )),
    )),

    # ─ documents from and to Xero ──────────────────────────────────────────────────────────────────────────────────
    Form("mag_payment", "Payment", header="mag_amount mag_paymentstatus ownerid", description="A payment made in Xero.", tabs=(
        Tab("General", (
            (Section("Payment", "mag_name mag_invoiceid mag_paymentdate mag_amount mag_reference mag_xeroaccountcodeid mag_paymentstatus mag_xeropaymentid transactioncurrencyid", columns=2, locked=True),),
        )),
    )),
    Form("mag_creditnote", "Credit Note", header="mag_amount mag_exportstatus ownerid", script=SCRIPT.name, description="A credit towards one invoice.", tabs=(
        Tab("General", (
            (Section("Credit Note", "mag_name mag_invoiceid mag_creditdate mag_creditnotenumber mag_amount transactioncurrencyid mag_reference", columns=2),
             _history("mag_synchistory_creditnoteid")),
            (Section("Send to Xero", "mag_addtoxero mag_exportstatus"),
             Section("In Xero", "mag_synchedwithxero mag_xerocreditnoteid mag_xeroallocationid", locked=True)),
        )),
    )),
    Form("mag_synchistory", "Sync History", header="mag_syncstatus mag_whoacts ownerid", description="What happened, why, and what to do.", tabs=(
        Tab("General", (
            (Section("What Happened", "mag_name mag_eventon mag_action mag_syncstatus mag_details", columns=2, locked=True),
             Section("Why, and What to Do", "mag_cause mag_fix mag_whoacts", locked=True)),
            (Section("About", "mag_invoiceid mag_creditnoteid mag_accountid mag_contactid mag_xeroconnectorid", locked=True),),
        )),
    )),

    # ─ reference data, written by the connector ────────────────────────────────────────────────────────────────────
    Form("mag_xeroaccountcode", "Xero Account Code", description="An account of the chart of accounts.", tabs=(
        Tab("General", ((Section("Account", "mag_name mag_code mag_xeroconnectorid mag_status mag_type mag_class mag_taxtype mag_xeroaccountid mag_description", columns=2, locked=True),),)),
    )),
    Form("mag_taxrate", "Tax Rate", description="A tax rate of Xero.", tabs=(
        Tab("General", (
            (Section("Tax Rate", "mag_name mag_taxtype mag_xeroconnectorid mag_status mag_displaytaxrate mag_effectiverate", columns=2, locked=True),
             Section("Can Apply To", "mag_canapplytorevenue mag_canapplytoexpenses mag_canapplytoassets mag_canapplytoliabilities mag_canapplytoequity", columns=2, locked=True)),
        )),
    )),
    Form("mag_brandingtheme", "Branding Theme", description="How an invoice looks.", tabs=(
        Tab("General", ((Section("Branding Theme", "mag_name mag_xeroconnectorid mag_xerobrandingthemeid", columns=2, locked=True),),)),
    )),
    Form("mag_trackingcategory", "Tracking Category", description="A way Xero sorts income and cost.", tabs=(
        Tab("General", (
            (Section("Tracking Category", "mag_name mag_xeroconnectorid mag_xerostatus mag_xerotrackingcategoryid", columns=2, locked=True),
             Grid("Options", "mag_trackingoption_trackingcategoryid", "Active Tracking Options", 8)),
        )),
    )),
    Form("mag_trackingoption", "Tracking Option", description="One value of a tracking category.", tabs=(
        Tab("General", ((Section("Tracking Option", "mag_name mag_trackingcategoryid mag_xerostatus mag_xerotrackingoptionid", columns=2, locked=True),),)),
    )),
)
# fmt: on


def forms_of(table: str, type: str = "main") -> tuple[Form, ...]:
    """Return the forms of one type a table has."""
    return tuple(form for form in FORMS if (form.table, form.type) == (table, type))
