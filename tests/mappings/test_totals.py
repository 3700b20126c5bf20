"""Xero's arithmetic, predicted; and what its differences from Dynamics' mean."""

from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.choices import RoundingPolicy
from mappings.totals import Difference, Totals, differences, line_amount, predict, settle, surprises

D = Decimal
RATES = {"OUTPUT2": D("20"), "NZ": D("15"), "NONE": D(0), "ODD": D("8.875")}


def payload(*lines: dict[str, Any], types: str = "Exclusive") -> dict[str, Any]:
    return {"LineAmountTypes": types, "LineItems": list(lines)}


def line(amount: str, tax_type: str | None = "NZ", **fields: Any) -> dict[str, Any]:
    found = {"Quantity": D(1), "UnitAmount": D(amount), "AccountCode": "200"} | fields
    return found | ({"TaxType": tax_type} if tax_type else {})


def test_xeros_own_example_rounds_each_line():
    """developer.xero.com, Rounding in Xero: 25.06, 25.61 and 25.63 at 15 % bear 11.44, not 11.45."""
    found = predict(payload(line("25.06"), line("25.61"), line("25.63")), RATES)
    assert found == Totals(D("76.30"), D("11.44"), D("87.74"))


def test_half_a_cent_goes_up():
    """Xero's staff: 2.165 becomes 2.17."""
    assert predict(payload(line("14.43333", Quantity=D(1))), RATES).tax == D("2.16")
    assert predict(payload(line("21.65", "TEN")), {"TEN": D(10)}).tax == D("2.17")
    assert predict(payload(line("-21.65", "TEN")), {"TEN": D(10)}).tax == D("-2.17")


@pytest.mark.parametrize(
    ("fields", "amount"),
    [
        ({"Quantity": D(3), "UnitAmount": D("0.33335")}, "1.00"),
        ({"Quantity": D(3), "UnitAmount": D("10"), "DiscountAmount": D("0.01")}, "29.99"),
        ({"Quantity": D(3), "UnitAmount": D("10"), "DiscountRate": D("12.5")}, "26.25"),
        ({"Quantity": D("-1.5"), "UnitAmount": D("0.01")}, "-0.02"),
        ({"Description": "a note"}, "0.00"),
    ],
)
def test_a_line_is_rounded_to_cents(fields: dict[str, Any], amount: str):
    assert line_amount(fields) == D(amount)


def test_tax_inside_the_price_is_taken_out_line_by_line():
    found = predict(payload(line("119.98", "OUTPUT2"), line("0.05", "OUTPUT2"), types="Inclusive"), RATES)
    assert found == Totals(D("100.02"), D("20.01"), D("120.03"))


def test_without_tax_the_lines_are_the_total():
    assert predict(payload(line("19.00"), types="NoTax"), {}) == Totals(D("19.00"), D("0.00"), D("19.00"))


def test_a_given_tax_amount_counts_before_any_rate():
    assert predict(payload(line("10", "UNHEARD", TaxAmount=D("1.23"))), RATES) == Totals(D("10.00"), D("1.23"), D("11.23"))


def test_a_line_without_tax_type_takes_its_accounts():
    assert predict(payload(line("10", None)), RATES, {"200": "NZ"}).tax == D("1.50")


@pytest.mark.parametrize("unknown", [line("10", "UNHEARD"), line("10", None)])
def test_an_unknown_rate_leaves_open_what_depends_on_it(unknown: dict[str, Any]):
    assert predict(payload(unknown, line("5")), RATES) == Totals(D("15.00"), None, None)
    assert predict(payload(unknown, line("5"), types="Inclusive"), RATES) == Totals(None, None, D("15.00"))


def test_a_note_and_a_free_line_need_no_rate():
    assert predict(payload({"Description": "a note"}, line("0", "UNHEARD"), line("5")), RATES).tax == D("0.75")


def half_up(value: Fraction) -> Fraction:
    cents = floor(abs(value) * 100 + Fraction(1, 2))
    return Fraction(cents if value >= 0 else -cents, 100)


@given(
    st.lists(
        st.tuples(
            st.decimals(min_value=-1000, max_value=1000, places=4),
            st.decimals(min_value=-5000, max_value=5000, places=4),
            st.sampled_from(sorted(RATES)),
        ),
        max_size=8,
    ),
    st.sampled_from(["Exclusive", "Inclusive", "NoTax"]),
)
def test_the_prediction_agrees_with_an_oracle_in_fractions(rows: list[tuple[Decimal, Decimal, str]], types: str):
    lines = [{"Quantity": quantity, "UnitAmount": price, "TaxType": tax} for quantity, price, tax in rows]
    amounts = [half_up(Fraction(quantity) * Fraction(price)) for quantity, price, _ in rows]
    rates = [Fraction(RATES[tax]) / 100 for _, _, tax in rows]
    if types == "NoTax":
        tax = Fraction(0)
    elif types == "Inclusive":
        tax = sum((a - half_up(a / (1 + r)) for a, r in zip(amounts, rates, strict=True)), Fraction(0))
    else:
        tax = sum((half_up(a * r) for a, r in zip(amounts, rates, strict=True)), Fraction(0))
    whole = sum(amounts, Fraction(0))
    expected = (whole - tax, tax, whole) if types == "Inclusive" else (whole, tax, whole + tax)
    found = predict(payload(*lines, types=types), RATES)
    assert tuple(Fraction(part) for part in (found.subtotal, found.tax, found.total) if part is not None) == expected


# ── Dynamics' totals ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def record(total: str, tax: str, *taxes: str | None, freight: str | None = None) -> dict[str, Any]:
    rows = [{"extendedamount": D(10), "tax": None if amount is None else D(amount)} for amount in taxes]
    return {"totalamount": D(total), "totaltax": D(tax), "invoice_details": rows, "freightamount": freight and D(freight)}


PREDICTED = Totals(D("20.00"), D("3.00"), D("23.00"))


@pytest.mark.parametrize(
    ("invoice", "types", "expected"),
    [
        (record("23.00", "3.00", "1.50", "1.50"), "Exclusive", None),
        (record("23.01", "3.01", "1.50", "1.51"), "Exclusive", ("Total", "0.01")),
        (record("20.00", "0.00", None, None), "Exclusive", None),
        (record("21.50", "1.50", "1.50", None), "Exclusive", None),
        (record("19.99", "0.00", None, None), "Exclusive", ("Total without tax", "-0.01")),
        (record("23.00", "0.00", None), "Inclusive", None),
        (record("26.00", "3.00", "3.00"), "Inclusive", None),
        (record("22.98", "0.00", None), "Inclusive", ("Total", "-0.02")),
    ],
)
def test_dynamics_total_counts_only_when_every_line_carries_tax(invoice: Any, types: str, expected: tuple[str, str] | None):
    found = differences(invoice, {"LineAmountTypes": types}, PREDICTED)
    assert [(difference.name, str(difference.amount)) for difference in found] == ([expected] if expected else [])


def test_freight_carries_no_tax_in_dynamics_so_net_is_compared():
    with_freight = Totals(D("25.00"), D("3.75"), D("28.75"))
    assert differences(record("28.00", "3.00", "1.50", "1.50", freight="5"), {}, with_freight) == ()
    assert len(differences(record("28.00", "3.00", "1.50", "1.50"), {}, with_freight)) == 1


def test_what_is_unknown_is_not_compared():
    assert differences(record("99", "0", "1"), {}, Totals(D("20.00"), None, None)) == ()
    assert differences({"totalamount": None}, {}, PREDICTED) == ()


def test_xeros_answer_is_compared_with_the_prediction():
    answer = {"SubTotal": D("20.00"), "TotalTax": D("3.01"), "Total": D("23.01")}
    assert [difference.name for difference in surprises(PREDICTED, answer)] == ["TotalTax", "Total"]
    assert surprises(Totals(D("20.00"), None, None), answer) == ()
    assert surprises(PREDICTED, {"SubTotal": D(20)}) == ()


# ── what a difference means ─────────────────────────────────────────────────────────────────────────────────────────────────────

CENTS = (Difference("Total", D("23.02"), D("23.00")),)
MUCH = (Difference("Total", D("23.03"), D("23.00")),)
LINE_POLICY = {"mag_roundingpolicy": RoundingPolicy.ROUNDING_LINE.value, "mag_roundingaccountcodeid": {"mag_code": "860"}}


@pytest.mark.parametrize("settings", [{}, {"mag_roundingpolicy": RoundingPolicy.WARN.value}])
def test_by_default_a_difference_warns(settings: dict[str, Any]):
    found = settle(CENTS, settings, 2)
    assert (len(found.warnings), found.lines, found.flaws) == (1, (), ())
    assert "23.02 in Dynamics 365, 23.00 in Xero" in found.warnings[0].message


def test_hold_refuses_a_difference():
    found = settle(CENTS, {"mag_roundingpolicy": RoundingPolicy.HOLD.value}, 2)
    assert (len(found.flaws), found.lines, found.warnings) == (1, (), ())


def test_a_rounding_line_makes_the_totals_equal():
    found = settle(CENTS, LINE_POLICY, 2)
    assert found.flaws == ()
    assert [(added["UnitAmount"], added["AccountCode"], added["TaxType"]) for added in found.lines] == [
        (D("0.02"), "860", "NONE")
    ]
    document = payload(line("10"), line("10"))
    document["LineItems"].extend(found.lines)
    assert predict(document, RATES).total == D("23.02")


def test_a_rounding_line_never_hides_more_than_a_cent_a_line():
    found = settle(MUCH, LINE_POLICY, 2)
    assert (found.lines, len(found.flaws)) == ((), 1)


def test_a_rounding_line_needs_its_account():
    found = settle(CENTS, {"mag_roundingpolicy": RoundingPolicy.ROUNDING_LINE.value}, 2)
    assert (found.lines, found.flaws[0].who) == ((), "administrator")


def test_nothing_differs_nothing_happens():
    found = settle((), LINE_POLICY, 2)
    assert (found.lines, found.warnings, found.flaws) == ((), (), ())
