"""Invoice of Xero to invoice of Dynamics 365: what is written back once a document is in Xero (SPEC 4, 5; A122-A126).

The values the pipeline knows: ``deep_link`` (the document's page in Xero), ``pay_now_link`` (the online invoice of an approved sales
invoice), ``now`` (an instant of the Web API) and ``connector``, only when the invoice named none.
"""

from decimal import Decimal

from mappings.choices import ExportStatus
from mappings.convert import bind, guid, text
from mappings.invoice_status import AS_XERO_HAS_IT
from mappings.table import Constant, Field, Link, Mapping, local, when

E_MAIL_BY_DEFAULT = when(
    "Send Email by Default is Yes, on a sales invoice",
    lambda at: at.setting("mag_sendemailbydefault") is True and at.get("Type") == "ACCREC",
    ("Type",),
    ("mag_sendemailbydefault",),
)

# fmt: off
WRITTEN_BACK = local("WRITTEN_BACK", Mapping("Invoice, Written Back", "Invoice", "invoice", (
    #     Xero                       JSON name          Dynamics 365                       written as   note
    Field("Invoice ID",              "InvoiceID",       "mag_xeroid",                      guid),
    *AS_XERO_HAS_IT,
    Link ("Page in Xero",            "deep_link",       "mag_xeroinvoiceurl",              text(500)),
    Link ("Online Invoice URL",      "pay_now_link",    "mag_xeropaynowlink",              text(500),   "Sales invoices, once submitted or approved."),
    Constant(Decimal(0),                                "mag_amountcredited",              "A new document has no credit.", otherwise=True),
    Constant(ExportStatus.YES.value,                    "mag_exportstatus",                "Set to Yes."),
    Link ("Time of the transfer",    "now",             "mag_exportdate",                  text(20)),
    Constant(True,                                      "mag_synchedwithxero",             "Set to Yes."),
    Constant(True,                                      "mag_sendemailfromxero",           "Set to Yes with Send Email by Default.", when=E_MAIL_BY_DEFAULT),
    Link ("Xero Connector",          "connector",       "mag_xeroconnectorid@odata.bind",  bind("mag_xeroconnectors"), "When the invoice named none."),
)))
# fmt: on
