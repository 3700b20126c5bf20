"""Invoice of Xero to the invoice it is linked to: what follows every change in Xero (SPEC 4, 5; A273).

Only what differs is written. The pipeline knows no other values; the pay-now link is fetched by the flow that sends invoices.
"""

from __future__ import annotations

from typing import Any

from mappings.convert import money, text
from mappings.table import At, Converter, Field, Mapping, Row, local

LENGTH = 20  # the longest of Xero's own is AUTHORISED; one it adds may be longer


def _status(value: Any, at: At) -> str:
    return str(value)[:LENGTH].rstrip()


STATUS = Converter(f"Xero's word, {LENGTH} at most", _status)

# fmt: off
AS_XERO_HAS_IT: tuple[Row, ...] = (
    #     Xero                       JSON name          Dynamics 365                       written as             note
    Field("Invoice Number",          "InvoiceNumber",   "mag_xeroinvoicenumber",           text(255)),
    Field("Status",                  "Status",          "mag_xeroinvoicestatus",           STATUS),
    Field("Total Tax",               "TotalTax",        "mag_xerotax",                     money),
    Field("Amount Due",              "AmountDue",       "mag_amountdue",                   money,                 "As Xero has it: a void keeps it."),
    Field("Amount Paid",             "AmountPaid",      "mag_amountpaid",                  money),
    Field("Amount Credited",         "AmountCredited",  "mag_amountcredited",              money,                 "Credit notes, prepayments and overpayments."),
)

INVOICE_STATUS = local("INVOICE_STATUS", Mapping("Invoice, Followed", "Invoice", "invoice", AS_XERO_HAS_IT))
# fmt: on
