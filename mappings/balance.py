"""Balances of a Contact of Xero to what an account or a contact owes in Dynamics 365 (A363-A367).

The pipeline gives the amounts summed over the organisations and converted into the row's currency, and ``precision``, the places of
that currency, and ``deep_link``, the contact's page in Xero.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from mappings.convert import text
from mappings.table import At, Converter, Field, Link, Mapping, Refused, Row, local


def _rounded(value: Any, at: At) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, Decimal | int) or not Decimal(value).is_finite():
        raise Refused(f"{value!r} is no amount.", "Nothing to do: it is read again.", "nobody")
    return Decimal(value).quantize(Decimal(1).scaleb(-int(at.link("precision"))), ROUND_HALF_UP)


rounded = Converter("money, rounded to the currency's places", _rounded)

# fmt: off
ROWS: tuple[Row, ...] = (
    #     Xero                                   JSON name                                     Dynamics 365          written as   note
    Field("Accounts Receivable: Outstanding",    "Balances.AccountsReceivable.Outstanding",    "mag_amountowed",     rounded,     "Summed over the connectors, in the row's currency by the exchange rates of Dynamics 365. A credit is negative."),
    Field("Accounts Receivable: Overdue",        "Balances.AccountsReceivable.Overdue",        "mag_amountoverdue",  rounded,     "Likewise."),
    Link ("Page in Xero",                        "deep_link",                                  "mag_xerocontacturl", text(500),   "Where the row has none yet."),
)

ACCOUNT = local("ACCOUNT_BALANCE", Mapping("Balance of an Account", "Contact", "account", ROWS))
CONTACT = local("CONTACT_BALANCE", Mapping("Balance of a Contact", "Contact", "contact", ROWS))
# fmt: on

OF = {"account": ACCOUNT, "contact": CONTACT}
