"""What the pictures of the forms show: an example company's values, by column. Nothing of it is part of the solution."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

FAILED_NOTICE = (
    "Not in Xero. The account code 215 is archived in Xero, and Xero takes no lines on archived accounts. "
    "What to do: Choose another account on the line Freight to Wellington, or restore 215 in Xero. Who: Bookkeeper."
)

# fmt: off
VALUES: Mapping[str, str] = {
    # any table
    "transactioncurrencyid":              "New Zealand Dollar",
    "ownerid":                            "Aroha Ngata",
    "mag_xeroconnectorid":                "Harbour Timber Ltd",
    "mag_invoiceid":                      "Deck timber, stage 2",
    "mag_xerostatus":                     "ACTIVE",
    "mag_status":                         "ACTIVE",

    # invoice
    "invoice.invoicenumber":              "INV-01042-K3P7Q2",
    "invoice.name":                       "Deck timber, stage 2",
    "invoice.customerid":                 "Kauri Homes Ltd",
    "invoice.pricelevelid":               "Retail NZD 2026",
    "invoice.paymenttermscode":           "Net 30",
    "invoice.datedelivered":              "18/11/2026",
    "invoice.duedate":                    "18/12/2026",
    "invoice.description":                "Delivered to 14 Marine Parade. Ring Sam before unloading.",
    "invoice.mag_addtoxero":              "Yes",
    "invoice.mag_exportstatus":           "Failed",
    "invoice.mag_synchedwithxero":        "No",
    "invoice.mag_reference":              "PO 7781",
    "invoice.mag_lineamounttypes":        "Exclusive",
    "invoice.mag_brandingthemeid":        "Standard",
    "invoice.mag_sendemailfromxero":      "Yes",
    "invoice.mag_exportdate":             "19/11/2026 9:14 am",
    "invoice.mag_xeroinvoicestatus":      "",
    "invoice.totallineitemamount":        "$4,310.00",
    "invoice.discountpercentage":         "",
    "invoice.discountamount":             "",
    "invoice.freightamount":              "",
    "invoice.totalamountlessfreight":     "$4,310.00",
    "invoice.totaltax":                   "$646.50",
    "invoice.totalamount":                "$4,956.50",
    "invoice.billto_name":                "Kauri Homes Ltd",
    "invoice.billto_line1":               "14 Marine Parade",
    "invoice.billto_city":                "Napier",
    "invoice.billto_postalcode":          "4110",
    "invoice.billto_country":             "New Zealand",

    # a line
    "invoicedetail.invoicedetailname":    "Kwila decking 140 × 19",
    "invoicedetail.isproductoverridden":  "Existing Product",
    "invoicedetail.productid":            "Kwila decking 140 × 19",
    "invoicedetail.uomid":                "Metre",
    "invoicedetail.ispriceoverridden":    "Use Default",
    "invoicedetail.priceperunit":         "$18.50",
    "invoicedetail.quantity":             "180.00000",
    "invoicedetail.manualdiscountamount": "$150.00",
    "invoicedetail.tax":                  "",
    "invoicedetail.extendedamount":       "$3,180.00",
    "invoicedetail.description":          "Premium grade, pre-oiled, random lengths.",
    "invoicedetail.mag_taxrateid":        "15% GST on Income",
    "invoicedetail.mag_xeroaccountcodeid": "200 Sales",

    # customers
    "account.name":                       "Kauri Homes Ltd",
    "account.accountnumber":              "KAU-118",
    "account.telephone1":                 "+64 6 555 0142",
    "account.emailaddress1":              "accounts@kaurihomes.example",
    "account.websiteurl":                 "https://kaurihomes.example",
    "account.primarycontactid":           "Sam Te Rangi",
    "account.address1_line1":             "14 Marine Parade",
    "account.address1_city":              "Napier",
    "account.address1_postalcode":        "4110",
    "account.address1_country":           "New Zealand",
    "account.mag_primarybillingcontactid": "Mele Tupou",
    "mag_amountowed":                     "$12,480.75",
    "mag_amountoverdue":                  "$3,150.00",
    "mag_xerocontacturl":                 "https://go.xero.com/…",
    "contact.fullname":                   "Mele Tupou",
    "contact.firstname":                  "Mele",
    "contact.lastname":                   "Tupou",
    "contact.jobtitle":                   "Accounts payable",
    "contact.parentcustomerid":           "Kauri Homes Ltd",
    "contact.emailaddress1":              "mele@kaurihomes.example",
    "contact.telephone1":                 "+64 6 555 0143",
    "contact.address1_line1":             "14 Marine Parade",
    "contact.address1_city":              "Napier",
    "contact.address1_country":           "New Zealand",

    # connector
    "mag_xeroconnector.mag_name":         "Harbour Timber Ltd",
    "mag_xeroconnector.mag_defaultconnector": "Yes",
    "mag_xeroconnector.mag_timezone":     "Pacific/Auckland",
    "mag_xeroconnector.mag_xeroorganizationname": "Harbour Timber Ltd",
    "mag_xeroconnector.mag_xerotenantid": "1f0c9a52-7c1e-4d4e-9b0a-6f2f4be4a1d7",
    "mag_xeroconnector.mag_environmentid": "a9c3b1de-51f2-4b77-8a52-0d3f9e6c2b18",
    "mag_xeroconnector.mag_xerostatus":   "Xero Connection: OK",
    "mag_xeroconnector.mag_reconnecturl": "https://xero-connector.example/connect",
    "mag_xeroconnector.mag_lastsynchedon": "21/11/2026 2:31 pm",
    "mag_xeroconnector.mag_defaultaccountcodeid": "200 Sales",
    "mag_xeroconnector.mag_defaultpurchaseaccountcodeid": "300 Purchases",
    "mag_xeroconnector.mag_freightaccountcodeid": "425 Freight & Courier",
    "mag_xeroconnector.mag_roundingaccountcodeid": "860 Rounding",
    "mag_xeroconnector.mag_defaulttaxrateid": "15% GST on Income",
    "mag_xeroconnector.mag_defaultbrandingthemeid": "Standard",
    "mag_xeroconnector.mag_defaultpricelistid": "Retail NZD 2026",
    "mag_xeroconnector.mag_alertemail":   "it@harbourtimber.example",

    "mag_xeroflow.mag_name":              "Payments, twice an hour",
    "mag_xeroflow.mag_flow":              "payments-from-xero",
    "mag_xeroflow.mag_everyminutes":      "30",
    "mag_xeropricelist.mag_name":         "Australian dollars",
    "mag_xeropricelist.mag_transactioncurrencyid": "Australian Dollar",
    "mag_xeropricelist.mag_pricelistid":  "Retail AUD 2026",
    "mag_xeroroute.mag_name":             "South Island branch",
    "mag_xeroroute.mag_businessunitid":   "South Island",

    # documents
    "mag_payment.mag_name":               "2026-11-12 Kauri Homes",
    "mag_payment.mag_paymentdate":        "12/11/2026",
    "mag_payment.mag_amount":             "$1,500.00",
    "mag_payment.mag_reference":          "KAURI HOMES DEP",
    "mag_payment.mag_xeroaccountcodeid":  "090 Business Bank Account",
    "mag_payment.mag_xeropaymentid":      "5b0d3a4e-6a0c-4c63-8a80-5d6a3e1f9c24",
    "mag_creditnote.mag_name":            "CN-INV-01037",
    "mag_creditnote.mag_creditdate":      "20/11/2026",
    "mag_creditnote.mag_creditnotenumber": "CN-INV-01037",
    "mag_creditnote.mag_amount":          "$230.00",
    "mag_creditnote.mag_reference":       "Two boards split",
    "mag_creditnote.mag_addtoxero":       "Yes",
    "mag_creditnote.mag_exportstatus":    "Yes",
    "mag_creditnote.mag_synchedwithxero": "Yes",
    "mag_creditnote.mag_invoiceid":       "Fence posts",
    "mag_creditnote.mag_xerocreditnoteid": "c8d1f7a6-0b0e-4f0a-9a0e-2f5b0a9d6e11",
    "mag_creditnote.mag_xeroallocationid": "e3b7c9f1-2c55-4a68-8f3e-71d0c8b1a2f4",
    "mag_synchistory.mag_name":           "Sync - 2026-11-19 09:14:07",
    "mag_synchistory.mag_eventon":        "19/11/2026 9:14 am",
    "mag_synchistory.mag_action":         "Create",
    "mag_synchistory.mag_syncstatus":     "Failed",
    "mag_synchistory.mag_details":        "The invoice INV-01042-K3P7Q2 was refused.",
    "mag_synchistory.mag_cause":          "The account code 215 is archived in Xero, and Xero takes no lines on archived accounts.",
    "mag_synchistory.mag_fix":            "Choose another account on the line Freight to Wellington, or restore 215 in Xero. The invoice then goes by itself.",
    "mag_synchistory.mag_whoacts":        "Bookkeeper",

    # reference data
    "mag_xeroaccountcode.mag_name":       "Sales",
    "mag_xeroaccountcode.mag_code":       "200",
    "mag_xeroaccountcode.mag_type":       "REVENUE",
    "mag_xeroaccountcode.mag_class":      "REVENUE",
    "mag_xeroaccountcode.mag_taxtype":    "OUTPUT2",
    "mag_xeroaccountcode.mag_description": "Income from any normal business activity",
    "mag_xeroaccountcode.mag_xeroaccountid": "7d05a53d-613d-4eb2-a2fc-dcb6adb80b80",
    "mag_taxrate.mag_name":               "15% GST on Income",
    "mag_taxrate.mag_taxtype":            "OUTPUT2",
    "mag_taxrate.mag_displaytaxrate":     "15.0000",
    "mag_taxrate.mag_effectiverate":      "15.0000",
    "mag_taxrate.mag_canapplytorevenue":  "Yes",
    "mag_brandingtheme.mag_name":         "Standard",
    "mag_brandingtheme.mag_xerobrandingthemeid": "34efa745-7238-4ead-b95e-1fe6c816adbe",
    "mag_trackingcategory.mag_name":      "Region",
    "mag_trackingcategory.mag_xerotrackingcategoryid": "e2f2f732-e92a-4f3a-9c4d-ee4da0182a13",
    "mag_trackingoption.mag_name":        "North",
    "mag_trackingoption.mag_trackingcategoryid": "Region",
    "mag_trackingoption.mag_xerotrackingoptionid": "ce205173-7387-4651-9726-2cf4c5405ba2",
}

Rows: TypeAlias = Mapping[str, Sequence[Mapping[str, str]]]

ROWS: Rows = {
    "invoicedetail": (
        {"invoicedetailname": "Kwila decking 140 × 19", "quantity": "180.00", "priceperunit": "$18.50", "manualdiscountamount": "$150.00",
         "mag_taxrateid": "15% GST on Income", "mag_xeroaccountcodeid": "200 Sales", "extendedamount": "$3,180.00"},
        {"invoicedetailname": "Stainless screws 10g × 65", "quantity": "12.00", "priceperunit": "$42.50", "manualdiscountamount": "",
         "mag_taxrateid": "15% GST on Income", "mag_xeroaccountcodeid": "", "extendedamount": "$510.00"},
        {"invoicedetailname": "Freight to Wellington", "quantity": "1.00", "priceperunit": "$620.00", "manualdiscountamount": "",
         "mag_taxrateid": "", "mag_xeroaccountcodeid": "215 Freight Recovered", "extendedamount": "$620.00"},
    ),
    "mag_payment": (
        {"mag_paymentdate": "24/11/2026", "mag_amount": "$1,500.00", "mag_reference": "KAURI HOMES DEP", "mag_xeroaccountcodeid": "090 Business Bank Account", "mag_paymentstatus": "Applied"},
    ),
    "mag_creditnote": (),
    "mag_synchistory": (
        {"mag_eventon": "19/11/2026 9:14 am", "mag_action": "Create", "mag_syncstatus": "Failed", "mag_details": "The invoice INV-01042-K3P7Q2 was refused.",
         "mag_fix": "Choose another account on the line Freight to Wellington, or restore 215 in Xero.", "mag_whoacts": "Bookkeeper"},
        {"mag_eventon": "18/11/2026 4:50 pm", "mag_action": "Create", "mag_syncstatus": "Waiting", "mag_details": "Delivered on 19 November: it goes then.",
         "mag_fix": "Nothing to do: it goes by itself.", "mag_whoacts": "Nobody"},
    ),
    "contact": (
        {"fullname": "Sam Te Rangi", "emailaddress1": "sam@kaurihomes.example", "telephone1": "+64 6 555 0144"},
        {"fullname": "Priya Nair", "emailaddress1": "priya@kaurihomes.example", "telephone1": "+64 6 555 0145"},
    ),
    "mag_trackingoption": (
        {"mag_name": "North", "mag_trackingcategoryid": "Region", "mag_xerostatus": "ACTIVE"},
        {"mag_name": "Retail", "mag_trackingcategoryid": "Channel", "mag_xerostatus": "ACTIVE"},
    ),
    "mag_xeropricelist": (
        {"mag_name": "Australian dollars", "mag_xeroconnectorid": "Harbour Timber Ltd", "mag_transactioncurrencyid": "Australian Dollar", "mag_pricelistid": "Retail AUD 2026"},
    ),
    "mag_xeroflow": (
        {"mag_name": "Payments, twice an hour", "mag_xeroconnectorid": "Harbour Timber Ltd", "mag_flow": "payments-from-xero", "mag_enabled": "Yes", "mag_everyminutes": "30", "mag_lookbackdays": "", "mag_realtime": "Yes"},
        {"mag_name": "No contacts from Xero", "mag_xeroconnectorid": "Harbour Timber Ltd", "mag_flow": "contacts-from-xero", "mag_enabled": "No", "mag_everyminutes": "", "mag_lookbackdays": "", "mag_realtime": "No"},
    ),
    "mag_xeroroute": (
        {"mag_order": "100", "mag_name": "South Island branch", "mag_xeroconnectorid": "Harbour Timber South", "mag_businessunitid": "South Island", "mag_transactioncurrencyid": "", "mag_invoiceownerid": ""},
    ),
}

# The same invoice after the account was put right: in Xero, and paid in part.
IN_XERO: Mapping[str, str] = {
    "invoice.mag_exportstatus":           "Yes",
    "invoice.mag_synchedwithxero":        "Yes",
    "invoice.mag_exportdate":             "19/11/2026 10:02 am",
    "invoice.mag_emailsentfromxero":      "Yes",
    "invoice.mag_xeroinvoicenumber":      "INV-01042-K3P7Q2",
    "invoice.mag_xeroinvoicestatus":      "AUTHORISED",
    "invoice.mag_xeroinvoiceurl":         "https://go.xero.com/…",
    "invoice.mag_xeropaynowlink":         "https://in.xero.com/Wn3…",
    "invoice.mag_xeroid":                 "f5832195-5cd3-4660-ad3f-b73d9c64f263",
    "invoice.mag_xerotax":                "$646.50",
    "invoice.mag_amountdue":              "$3,226.50",
    "invoice.mag_amountpaid":             "$1,500.00",
    "invoice.mag_amountcredited":         "$230.00",
}
ROWS_IN_XERO: Rows = {
    "mag_creditnote": (
        {"mag_creditdate": "26/11/2026", "mag_creditnotenumber": "CN-01042", "mag_amount": "$230.00", "mag_reference": "Two boards split", "mag_exportstatus": "Yes"},
    ),
    "mag_synchistory": (
        {"mag_eventon": "26/11/2026 9:05 am", "mag_action": "Update", "mag_syncstatus": "Successful", "mag_details": "A credit of 230.00 was set against it; 3,226.50 is due.", "mag_fix": "", "mag_whoacts": ""},
        {"mag_eventon": "24/11/2026 11:30 am", "mag_action": "Update", "mag_syncstatus": "Successful", "mag_details": "A payment of 1,500.00 was made in Xero; 3,456.50 is due.", "mag_fix": "", "mag_whoacts": ""},
        {"mag_eventon": "19/11/2026 10:02 am", "mag_action": "Create", "mag_syncstatus": "Successful", "mag_details": "The invoice is in Xero as INV-01042-K3P7Q2.", "mag_fix": "", "mag_whoacts": ""},
        ROWS["mag_synchistory"][0],
    ),
}
NO_PAYMENTS: Rows = {"mag_payment": ()}
OTHER_HISTORY: Mapping[str, Rows] = {
    "creditnote": {"mag_synchistory": (
        {"mag_eventon": "20/11/2026 1:12 pm", "mag_action": "Allocate", "mag_syncstatus": "Successful", "mag_details": "The credit note CN-INV-01037 is in Xero; 230.00 is set against the invoice.", "mag_fix": "", "mag_whoacts": ""},
    )},
    "xeroconnector-connection": {"mag_synchistory": (
        {"mag_eventon": "20/11/2026 8:00 am", "mag_action": "Connect", "mag_syncstatus": "Successful", "mag_details": "Connected again with Harbour Timber Ltd.", "mag_fix": "", "mag_whoacts": ""},
        {"mag_eventon": "19/11/2026 6:41 pm", "mag_action": "Connect", "mag_syncstatus": "Failed", "mag_details": "Xero no longer accepts the connection.", "mag_fix": "Open the Reconnect Link and allow access again. Nothing is lost meanwhile.", "mag_whoacts": "Administrator"},
    )},
    "account": {"mag_synchistory": (
        {"mag_eventon": "21/11/2026 2:04 am", "mag_action": "Update", "mag_syncstatus": "Warning", "mag_details": "The contact has more than five billing contacts; Xero takes five.", "mag_fix": "Take one off the list under Additional Billing Contacts.", "mag_whoacts": "Salesperson"},
    )},
    "contact": {"mag_synchistory": (
        {"mag_eventon": "14/10/2026 3:20 pm", "mag_action": "Create", "mag_syncstatus": "Successful", "mag_details": "The contact Mele Tupou is in Xero.", "mag_fix": "", "mag_whoacts": ""},
    )},
}
# fmt: on


@dataclass(frozen=True)
class Example:
    """What one picture shows: values by column, rows by table, and the notice on top."""

    values: Mapping[str, str]
    rows: Rows
    notice: str = ""


def example(picture: str) -> Example:
    """Return what a picture shows; the Xero tab of the invoice shows it once it is in Xero."""
    if picture == "invoice-xero":
        return Example({**VALUES, **IN_XERO}, {**ROWS, **ROWS_IN_XERO})
    if picture.startswith("invoice-"):
        return Example(VALUES, {**ROWS, **NO_PAYMENTS}, FAILED_NOTICE)
    return Example(VALUES, {**ROWS, **OTHER_HISTORY.get(picture, {})})
