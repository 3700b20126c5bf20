"""The arithmetic of invoices from Xero: whatever the lines, Dynamics 365 comes to Xero's totals; and days keep their day."""

from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.convert import day_of
from mappings.invoice_from_xero import INVOICE, day, midnight, sound
from mappings.table import MappingError
from mappings.totals import cents

LINKS: dict[str, Any] = {"connector": "00c0ffee-0000-4000-8000-000000000004", "products": {}, "write_ins": True}
ZONES = sorted(available_timezones() - {"localtime", "Factory"})
HEADER = {"InvoiceID": "00c0ffee-0000-4000-8000-000000000080"}


@st.composite
def lines(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    """Draw a line as Xero makes it: its amount follows from quantity, price and discount, its tax from the amount."""
    count = draw(st.decimals(-1000, 100_000, places=4))
    unit = draw(st.decimals(-10_000, 100_000, places=4))
    line: dict[str, Any] = {"Description": "Work", "Quantity": count, "UnitAmount": unit}
    gross = count * unit
    match draw(st.sampled_from(("", "rate", "amount"))):
        case "rate":
            line["DiscountRate"] = draw(st.decimals(0, 100, places=2))
            gross -= gross * line["DiscountRate"] / 100
        case "amount" if gross > 0:
            line["DiscountAmount"] = draw(st.decimals(0, cents(gross), places=2))
            gross -= line["DiscountAmount"]
    amount = line["LineAmount"] = cents(gross)
    share = draw(st.sampled_from((Decimal(0), Decimal("0.05"), Decimal("0.15"), Decimal("0.2"))))
    match kind:
        case "Exclusive":
            line["TaxAmount"] = cents(amount * share)
        case "Inclusive":
            line["TaxAmount"] = amount - cents(amount / (1 + share))
    for name in ("UnitAmount", "LineAmount"):
        if draw(st.integers(0, 9)) == 0:
            line.pop(name)
            break
    return line


@st.composite
def invoices(draw: st.DrawFn) -> tuple[dict[str, Any], Decimal, Decimal]:
    """Draw an invoice with Xero's own total and tax of it."""
    kind = draw(st.sampled_from(("Exclusive", "Inclusive", "NoTax")))
    drawn = draw(st.lists(lines(kind), max_size=8))
    known = [line for line in drawn if "LineAmount" in line]
    tax = sum((line.get("TaxAmount", Decimal(0)) for line in known), Decimal(0))
    amounts = sum((line["LineAmount"] for line in known), Decimal(0))
    return HEADER | {"LineAmountTypes": kind, "LineItems": known}, amounts + (tax if kind == "Exclusive" else 0), tax


@settings(max_examples=300)
@given(invoices(), st.integers(0, 6), st.booleans())
def test_dynamics_comes_to_xeros_totals_whatever_the_lines(
    drawn: tuple[dict[str, Any], Decimal, Decimal], places: int, per_unit: bool
):
    invoice, total, tax = drawn
    written = INVOICE.apply(invoice, {}, LINKS | {"price_places": places, "discount_per_unit": per_unit}).payload
    rows = written.get("invoice_details", [])
    assert sum((extended(row, per_unit) for row in rows), Decimal(0)) == total
    assert sum((row.get("tax", Decimal(0)) for row in rows), Decimal(0)) == tax
    for row in rows:
        assert row["priceperunit"] >= 0, "Dynamics 365 takes no price below zero"
        assert row.get("manualdiscountamount", 0) >= 0
        assert row["priceperunit"] == round(row["priceperunit"], max(min(places, 4), 2))


def extended(row: dict[str, Any], per_unit: bool) -> Decimal:
    """Work a line out as Dynamics 365 does (sandbox/dataverse/sales.py)."""
    discount = row.get("manualdiscountamount") or Decimal(0)
    base = cents(Decimal(row["priceperunit"]) * row["quantity"])
    return base - (discount * row["quantity"] if per_unit else discount) + (row.get("tax") or 0)


@settings(max_examples=500)
@given(st.sampled_from(ZONES), st.dates(date(1990, 1, 1), date(2040, 12, 31)))
def test_a_day_written_as_midnight_is_read_back_as_the_same_day_in_every_time_zone(zone: str, of: date):
    assert day_of(midnight(of, ZoneInfo(zone)), ZoneInfo(zone)) == of


@pytest.mark.parametrize(
    ("zone", "of", "moment"),
    [
        ("Pacific/Auckland", "2026-09-26", "2026-09-25T12:00:00Z"),
        ("Pacific/Auckland", "2026-09-27", "2026-09-26T12:00:00Z"),  # the clock goes forward in that night
        ("Pacific/Auckland", "2026-09-28", "2026-09-27T11:00:00Z"),
        ("Europe/London", "2026-03-29", "2026-03-29T00:00:00Z"),
        ("Europe/London", "2026-03-30", "2026-03-29T23:00:00Z"),
        ("America/New_York", "2026-11-01", "2026-11-01T04:00:00Z"),
        ("America/New_York", "2026-11-02", "2026-11-02T05:00:00Z"),
        ("America/Los_Angeles", "2026-12-31", "2026-12-31T08:00:00Z"),
        ("Africa/Cairo", "2026-04-24", "2026-04-23T22:00:00Z"),  # the clock skips midnight itself
        ("Asia/Kolkata", "2026-11-20", "2026-11-19T18:30:00Z"),
    ],
)
def test_midnight_is_that_of_the_zone_on_that_day(zone: str, of: str, moment: str):
    assert midnight(date.fromisoformat(of), ZoneInfo(zone)) == moment
    assert day_of(moment, ZoneInfo(zone)) == date.fromisoformat(of)
    assert datetime.fromisoformat(moment).astimezone(ZoneInfo(zone)).date().isoformat() == of


@pytest.mark.parametrize(
    ("text", "of"),
    [("/Date(1795132800000+0000)/", "2026-11-20"), ("/Date(1795132800000)/", "2026-11-20"), ("2026-11-20T00:00:00", "2026-11-20"),
     ("2026-11-20", "2026-11-20"), ("/Date(-62135596800000+0000)/", "0001-01-01")],
)  # fmt: skip
def test_a_date_of_xero_is_read_however_it_is_written(text: str, of: str):
    assert day(text).isoformat() == of


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "/Date(99999999999999999999)/", "/Date()/"])
def test_what_is_no_date_is_a_value_error_and_nothing_else(text: str):
    with pytest.raises(ValueError, match=r"."):
        day(text)


RUBBISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(("Quantity", "Name", "Tracking")), inner, max_size=3)
    ),
    max_leaves=6,
)
NAMES = ("InvoiceNumber", "Date", "DueDate", "LineAmountTypes", "Status", "CurrencyCode", "BrandingThemeID", "Total", "AmountDue")
LINE_NAMES = ("Description", "Quantity", "UnitAmount", "LineAmount", "TaxAmount", "DiscountRate", "Item", "Tracking", "AccountID")


@settings(max_examples=300)
@given(
    st.dictionaries(st.sampled_from(NAMES), RUBBISH),
    st.none() | RUBBISH | st.lists(st.dictionaries(st.sampled_from(LINE_NAMES), RUBBISH) | RUBBISH, max_size=4),
)
def test_rubbish_is_left_out_or_refused_in_words_and_nothing_else(header: dict[str, Any], line_items: Any):
    invoice = sound(HEADER | header | {"LineItems": line_items})
    assert len({line["LineItemID"] for line in invoice["LineItems"]}) == len(invoice["LineItems"])
    links = LINKS | {"themes": {}, "accounts": {}, "tax_rates": {}, "categories": {}, "currency": None}
    with suppress(MappingError):
        INVOICE.apply(invoice, {}, links)
