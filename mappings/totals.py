"""What Xero will make of a payload's numbers, and whether that is what Dynamics 365 says.

Xero's way (developer.xero.com, Rounding in Xero; calls with unitdp=4): the unit price to 4 places, the line to cents, tax worked
out and rounded line by line, half up, then summed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from mappings.choices import RoundingPolicy
from mappings.table import Flaw

Json = dict[str, Any]

CENT = Decimal("0.01")
UNIT = Decimal("0.0001")
ZERO = Decimal(0)
LARGEST_LINE = Decimal("9999999999.99")


def cents(value: Decimal) -> Decimal:
    """Round to cents, half up, as Xero does."""
    return value.quantize(CENT, ROUND_HALF_UP)


def line_amount(line: Json) -> Decimal:
    """Return Xero's LineAmount of a line of a payload: quantity times price less discount, in cents; zero for a note."""
    unit = Decimal(line.get("UnitAmount", ZERO)).quantize(UNIT, ROUND_HALF_UP)
    gross = unit * Decimal(line.get("Quantity", 1))
    if "DiscountRate" in line:
        gross -= gross * Decimal(line["DiscountRate"]) / 100
    return cents(gross - Decimal(line.get("DiscountAmount", ZERO)))


@dataclass(frozen=True)
class Totals:
    """SubTotal, TotalTax and Total as Xero will show them; None where a tax rate is unknown to us."""

    subtotal: Decimal | None
    tax: Decimal | None
    total: Decimal | None


def predict(payload: Json, rates: Mapping[str, Decimal], account_tax_types: Mapping[str, str] | None = None) -> Totals:
    """Predict the totals of an Invoice or CreditNote payload.

    *rates* gives the effective rate in per cent of each TaxType. A line without TaxType takes its account's, if
    *account_tax_types* (account code to TaxType) knows it.
    """
    lines = payload.get("LineItems", ())
    amounts = [line_amount(line) for line in lines]
    whole = sum(amounts, ZERO)
    if payload.get("LineAmountTypes") == "NoTax":
        return Totals(whole, ZERO.quantize(CENT), whole)
    inclusive = payload.get("LineAmountTypes") == "Inclusive"
    taxes = [_tax(line, amount, inclusive, rates, account_tax_types or {}) for line, amount in zip(lines, amounts, strict=True)]
    known = [tax for tax in taxes if tax is not None]
    if len(known) < len(taxes):
        return Totals(None, None, whole) if inclusive else Totals(whole, None, None)
    tax = sum(known, ZERO.quantize(CENT))
    return Totals(whole - tax, tax, whole) if inclusive else Totals(whole, tax, whole + tax)


def _tax(
    line: Json, amount: Decimal, inclusive: bool, rates: Mapping[str, Decimal], account_tax_types: Mapping[str, str]
) -> Decimal | None:
    if "TaxAmount" in line:
        return cents(Decimal(line["TaxAmount"]))
    if not amount:
        return ZERO
    tax_type = line.get("TaxType") or account_tax_types.get(line.get("AccountCode", ""))
    rate = rates.get(tax_type) if tax_type else None
    if rate is None:
        return None
    share = Decimal(rate) / 100
    return amount - cents(amount / (1 + share)) if inclusive else cents(amount * share)


@dataclass(frozen=True)
class Difference:
    """One figure that is not the same on both sides."""

    name: str
    dynamics: Decimal
    xero: Decimal

    @property
    def amount(self) -> Decimal:
        """Return what would have to be added in Xero."""
        return self.dynamics - self.xero

    def __str__(self) -> str:
        return f"{self.name}: {self.dynamics} in Dynamics 365, {self.xero} in Xero."


def differences(record: Mapping[str, Any], payload: Json, predicted: Totals) -> tuple[Difference, ...]:
    """Compare the invoice's own totals with the predicted ones (SPEC 4).

    Dynamics 365 works out no tax by itself: its total counts only when every charged line carries tax. Otherwise, and always when
    prices hold the tax, the amounts without Dynamics' tax are compared.
    """
    total, tax = record.get("totalamount"), Decimal(record.get("totaltax") or ZERO)
    if total is None:
        return ()
    total = Decimal(total)
    if payload.get("LineAmountTypes") == "Inclusive":
        name, theirs, ours = "Total", predicted.total, total - tax
    elif _every_line_carries_tax(record):
        name, theirs, ours = "Total", predicted.total, total
    else:
        name, theirs, ours = "Total without tax", predicted.subtotal, total - tax
    if theirs is None or cents(ours) == theirs:
        return ()
    return (Difference(name, cents(ours), theirs),)


def _every_line_carries_tax(record: Mapping[str, Any]) -> bool:
    charged = [line for line in record.get("invoice_details") or () if line.get("extendedamount")]
    return bool(charged) and all(line.get("tax") for line in charged) and not record.get("freightamount")


def surprises(predicted: Totals, answer: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Compare the totals Xero answered with (SubTotal, TotalTax, Total) with the predicted ones; a figure we could not predict counts not."""
    pairs = (("SubTotal", predicted.subtotal), ("TotalTax", predicted.tax), ("Total", predicted.total))
    return tuple(
        Difference(name, expected, Decimal(answer[name]))
        for name, expected in pairs
        if expected is not None and answer.get(name) is not None and Decimal(answer[name]) != expected
    )


@dataclass(frozen=True)
class Settled:
    """What to do about differences: send with these extra lines, tell these warnings, or hold for these flaws."""

    lines: tuple[Json, ...] = ()
    warnings: tuple[Flaw, ...] = ()
    flaws: tuple[Flaw, ...] = ()


def settle(found: Sequence[Difference], settings: Mapping[str, Any], lines: int) -> Settled:
    """Decide by the connector's When Totals Differ what *found* means for a document of so many *lines*.

    A rounding line makes up for a cent a line at most; more than that is no rounding, and holds the document.
    """
    policy = settings.get("mag_roundingpolicy")
    if not found:
        return Settled()
    if policy not in (RoundingPolicy.HOLD, RoundingPolicy.ROUNDING_LINE):
        return Settled(
            warnings=tuple(
                Flaw(f"The totals differ. {difference}", "Total", "Compare the two documents.", "bookkeeper")
                for difference in found
            )
        )
    held = "Make the amounts equal, or set When Totals Differ of the connector to Warn."
    if policy == RoundingPolicy.HOLD:
        return Settled(flaws=tuple(Flaw(f"The totals differ. {difference}", "Total", held) for difference in found))
    difference = found[0]
    if abs(difference.amount) > CENT * max(lines, 1):
        return Settled(flaws=(Flaw(f"The totals differ by more than rounding. {difference}", "Total", held),))
    code = (settings.get("mag_roundingaccountcodeid") or {}).get("mag_code")
    if not code:
        place = "Rounding Account Code (mag_xeroconnector.mag_roundingaccountcodeid)"
        return Settled(
            flaws=(
                Flaw(
                    "A rounding line needs the Rounding Account Code.", place, "Choose it on the Xero Connector.", "administrator"
                ),
            )
        )
    line = {
        "Description": "Rounding",
        "Quantity": Decimal(1),
        "UnitAmount": difference.amount,
        "AccountCode": code,
        "TaxType": "NONE",
    }
    warning = Flaw(f"A rounding line of {difference.amount} was added. {difference}", "Total", "", "bookkeeper")
    return Settled(lines=(line,), warnings=(warning,))
