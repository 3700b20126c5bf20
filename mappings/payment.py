"""Payment of Xero to the payment row of the invoice it pays (seed 004; A264-A269, A278-A283).

``Date`` is the day, yyyy-mm-dd: Xero's own way of writing it is read before. The values the pipeline knows: ``invoice``, ``account``
and ``currency``, the ids of those rows; no account when none of them is the payment's.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from mappings.choices import PaymentStatus
from mappings.convert import bind, date, guid, money, text
from mappings.table import At, Check, Constant, Converter, Field, Link, Mapping, local

STATUSES = {"AUTHORISED": PaymentStatus.APPLIED, "DELETED": PaymentStatus.REVERSED}


def _named(value: Any, at: At) -> str:
    return " ".join(part for part in (at.get("Date"), at.get("Reference")) if part)[:200].rstrip()


def _status(value: Any, at: At) -> int:
    if value not in STATUSES:
        at.warn(
            f"Xero gave the payment the status {value}, which the connector does not know; it counts as applied.",
            "Look at the payment in Xero.",
        )
    return STATUSES.get(value, PaymentStatus.APPLIED).value


def _check_amount(at: At) -> None:
    amount = at.payload.get("mag_amount")
    if not isinstance(amount, Decimal) or amount <= 0:
        at.warn(
            f"Xero gave the payment {'no amount' if amount is None else f'the amount {amount}'}.",
            "Look at the payment in Xero.",
            "Amount (mag_amount)",
        )


NAMED = Converter("date and reference, 200 at most", _named)
"""What is cut off stands in the reference itself."""
STATUS = Converter("AUTHORISED is Applied, DELETED is Reversed", _status)

# fmt: off
PAYMENT = local("PAYMENT", Mapping("Payment", "Payment", "mag_payment", (
    #     Xero                       JSON name        Dynamics 365                        written as             note
    Field("Payment ID",              "PaymentID",     "mag_xeropaymentid",                guid,                  "Used for matching."),
    Field("Payment Date",            "Date",          "mag_paymentdate",                  date),
    Field("Amount",                  "Amount",        "mag_amount",                       money,                 "In the invoice's currency."),
    Field("Reference",               "Reference",     "mag_reference",                    text(255, cut=True)),
    Link ("Account Code",            "account",       "mag_xeroaccountcodeid@odata.bind", bind("mag_xeroaccountcodes"), "Matched by Xero's id of the account, else by its code."),
    Link ("Invoice ID",              "invoice",       "mag_invoiceid@odata.bind",         bind("invoices"),      "Matches to the Xero Id of an invoice.", required="Choose the invoice."),
    Field("Status",                  "Status",        "mag_paymentstatus",                STATUS),
    Constant(PaymentStatus.APPLIED.value,             "mag_paymentstatus",                "Xero does not always say.", otherwise=True),
    Field("Payment Date",            "Date",          "mag_name",                         NAMED),
    Field("Reference",               "Reference",     "mag_name",                         NAMED,                 otherwise=True),
    Constant("Payment",                               "mag_name",                         "Neither date nor reference.", otherwise=True),
    Link ("Currency of the invoice", "currency",      "transactioncurrencyid@odata.bind", bind("transactioncurrencies")),
), checks=(
    Check("The amount is more than zero; else a warning.", _check_amount),
)))
# fmt: on
