"""How Xero adds up a document (developer.xero.com api-guides/rounding-in-xero): every line rounded, then summed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from .wire import money

LARGEST_LINE = Decimal("9999999999.99")
_UNIT_PLACES = {2: Decimal("0.01"), 4: Decimal("0.0001")}


@dataclass(frozen=True)
class Totals:
    """The three amounts of a document; SubTotal + TotalTax = Total."""

    sub_total: Decimal
    total_tax: Decimal
    total: Decimal


def unit_amount(value: Decimal, places: int) -> Decimal:
    """Round a unit price to 2 decimal places, or to 4 with `unitdp=4`."""
    return value.quantize(_UNIT_PLACES[places], ROUND_HALF_UP)


def quantity(value: Decimal) -> Decimal:
    """Round a quantity to 4 decimal places."""
    return value.quantize(_UNIT_PLACES[4], ROUND_HALF_UP)


def line_amount(quantity: Decimal, unit: Decimal, discount_rate: Decimal | None, discount_amount: Decimal | None) -> Decimal:
    """Multiply, discount, round to cents."""
    if discount_rate:
        return money(quantity * unit * (100 - discount_rate) / 100)
    return money(quantity * unit - (discount_amount or 0))


def line_tax(amount: Decimal, rate: Decimal, line_amount_types: str) -> Decimal:
    """Return the tax of one line from its rate in per cent; half a cent goes up."""
    if line_amount_types == "NoTax":
        return money(0)
    if line_amount_types == "Inclusive":
        return money(amount - money(amount / (1 + rate / 100)))
    return money(amount * rate / 100)


def totals(lines: Iterable[Mapping[str, Any]], line_amount_types: str) -> Totals:
    """Sum the lines' LineAmount and TaxAmount."""
    amounts = [(line.get("LineAmount", Decimal(0)), line.get("TaxAmount", Decimal(0))) for line in lines]
    net = sum((Decimal(amount) for amount, _ in amounts), Decimal(0))
    tax = sum((Decimal(tax) for _, tax in amounts), Decimal(0))
    sub_total = net - tax if line_amount_types == "Inclusive" else net
    return Totals(money(sub_total), money(tax), money(sub_total + tax))
