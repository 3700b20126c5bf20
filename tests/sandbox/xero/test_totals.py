"""Xero's arithmetic: developer.xero.com api-guides/rounding-in-xero, and amounts recorded in September 2026."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.xero.totals import line_amount, line_tax, totals, unit_amount

AMOUNT = st.decimals(min_value=-1_000_000, max_value=1_000_000, places=2)
RATE = st.sampled_from([Decimal(0), Decimal(5), Decimal("12.5"), Decimal(15), Decimal(20)])


def test_tax_is_rounded_per_line_and_then_summed():
    lines = [
        {"LineAmount": Decimal(amount), "TaxAmount": line_tax(Decimal(amount), Decimal(15), "Exclusive")}
        for amount in ("25.06", "25.61", "25.63")
    ]
    assert [str(line["TaxAmount"]) for line in lines] == ["3.76", "3.84", "3.84"]
    assert totals(lines, "Exclusive").total_tax == Decimal("11.44")


@pytest.mark.parametrize(
    ("amount", "tax", "net"), [("541.25", "70.60", "470.65"), ("500.00", "65.22", "434.78"), ("-541.25", "-70.60", "-470.65")]
)
def test_the_tax_inside_an_inclusive_amount(amount, tax, net):
    """Recorded in September 2026: INV-0016 and INV-0010"""
    found = line_tax(Decimal(amount), Decimal(15), "Inclusive")
    sums = totals([{"LineAmount": Decimal(amount), "TaxAmount": found}], "Inclusive")
    assert (str(found), str(sums.sub_total), str(sums.total)) == (tax, net, amount)


def test_half_a_cent_goes_up():
    assert line_tax(Decimal("14.43"), Decimal(15), "Exclusive") == Decimal("2.16")
    assert line_tax(Decimal("14.50"), Decimal("15"), "Exclusive") == Decimal("2.18")
    assert line_amount(Decimal(1), Decimal("2.165"), None, None) == Decimal("2.17")


def test_unit_prices_have_two_or_four_places():
    assert unit_amount(Decimal("1.23755"), 2) == Decimal("1.24")
    assert unit_amount(Decimal("1.23755"), 4) == Decimal("1.2376")


def test_discounts_come_off_before_rounding():
    assert line_amount(Decimal(3), Decimal("9.99"), Decimal("12.5"), None) == Decimal("26.22")
    assert line_amount(Decimal(3), Decimal("9.99"), None, Decimal("5.00")) == Decimal("24.97")


def test_notax_has_none():
    assert line_tax(Decimal(100), Decimal(15), "NoTax") == 0


@given(st.lists(st.tuples(AMOUNT, RATE), max_size=20), st.sampled_from(["Exclusive", "Inclusive", "NoTax"]))
def test_net_and_tax_always_make_the_total(lines, kind):
    rows = [{"LineAmount": amount, "TaxAmount": line_tax(amount, rate, kind)} for amount, rate in lines]
    sums = totals(rows, kind)
    assert sums.sub_total + sums.total_tax == sums.total
    if kind == "Inclusive":
        assert sums.total == sum((amount for amount, _ in lines), Decimal(0))
