"""Allocation of a Credit Note of Xero to the credit note row of the invoice it is set against (seed 004; A312-A316).

``CreditNote`` is the note the allocation is of; dates are days, yyyy-mm-dd: Xero's own way of writing them is read before. The values
the pipeline knows: ``invoice`` and ``currency``, the ids of those rows, and ``allocation``, what tells the allocation from every other.
"""

from __future__ import annotations

from decimal import Decimal

from mappings.choices import ExportStatus
from mappings.convert import bind, date, guid, money, text
from mappings.table import At, Check, Constant, Field, Link, Mapping, local


def _check_amount(at: At) -> None:
    amount = at.payload.get("mag_amount")
    if not isinstance(amount, Decimal) or amount <= 0:
        at.warn(
            f"Xero gave the allocation of the credit note {'no amount' if amount is None else f'the amount {amount}'}.",
            "Look at the credit note in Xero.",
            "Amount (mag_amount)",
        )


# fmt: off
CREDIT_NOTE_ALLOCATION = local("CREDIT_NOTE_ALLOCATION", Mapping("Credit Note Allocation", "Allocation", "mag_creditnote", (
    #     Xero                       JSON name                        Dynamics 365                        written as             note
    Field("Date",                    "CreditNote.Date",               "mag_creditdate",                   date),
    Field("Date of the Allocation",  "Date",                          "mag_creditdate",                   date,                  otherwise=True),
    Field("Credit Note Number",      "CreditNote.CreditNoteNumber",   "mag_creditnotenumber",             text(255, cut=True)),
    Field("Reference",               "CreditNote.Reference",          "mag_reference",                    text(255, cut=True)),
    Link ("Invoice",                 "invoice",                       "mag_invoiceid@odata.bind",         bind("invoices"),      "Matches to the Xero Id of an invoice.", required="Choose the invoice."),
    Field("Amount",                  "Amount",                        "mag_amount",                       money,                 "Of the allocation, in the invoice's currency."),
    Field("Credit Note Number",      "CreditNote.CreditNoteNumber",   "mag_name",                         text(200, cut=True)),
    Constant("Credit Note",                                           "mag_name",                         "It has no number.",   otherwise=True),
    Field("Credit Note ID",          "CreditNote.CreditNoteID",       "mag_xerocreditnoteid",             guid),
    Link ("Allocation ID",           "allocation",                    "mag_xeroallocationid",             text(100),             "Used for matching. Where Xero gives none, made of note, invoice, date and amount.", required="Look at the credit note in Xero."),
    Constant(False,                                                   "mag_addtoxero",                    "It comes from there."),
    Constant(True,                                                    "mag_synchedwithxero"),
    Constant(ExportStatus.YES.value,                                  "mag_exportstatus"),
    Link ("Currency of the invoice", "currency",                      "transactioncurrencyid@odata.bind", bind("transactioncurrencies")),
), checks=(
    Check("The amount is more than zero; else a warning.", _check_amount),
)))
# fmt: on
