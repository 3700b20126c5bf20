"""The arithmetic of an invoice: discounts, prices and their exactness, for any lines."""

from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings import contact
from mappings.choices import InvoiceType
from mappings.contact import ACCOUNT, CONTACT
from mappings.invoice import BILL, SALES_INVOICE, mapping_of, spread
from mappings.table import MappingError
from mappings.totals import line_amount

CENT = Decimal("0.01")
TABLES = {"SALES_INVOICE": SALES_INVOICE, "BILL": BILL}
SETTINGS = {"mag_defaultaccountcodeid": {"mag_code": "200"}, "mag_defaultpurchaseaccountcodeid": {"mag_code": "310"}}
amounts = st.decimals(min_value=0, max_value=100_000, places=2)


@st.composite
def lines(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Lines as Dynamics keeps them: prices to 6 places, quantities to 5, discounts never above the amount."""
    found = []
    for n in range(draw(st.integers(1, 6))):
        quantity = draw(st.decimals(min_value=Decimal("0.001"), max_value=10_000, places=draw(st.integers(0, 5))))
        price = draw(st.decimals(min_value=0, max_value=5_000, places=draw(st.integers(0, 6))))
        volume = draw(st.one_of(st.none(), st.decimals(min_value=0, max_value=price, places=4)))
        room = rounded((price - (volume or 0)) * quantity)
        manual = draw(st.one_of(st.none(), st.decimals(min_value=0, max_value=max(room, Decimal(0)), places=2)))
        line = {"quantity": quantity, "priceperunit": price, "volumediscountamount": volume, "manualdiscountamount": manual}
        found.append(
            line
            | {"invoicedetailid": str(n), "lineitemnumber": n, "productdescription": f"Line {n}", "isproductoverridden": False}
        )
    return found


def rounded(value: Decimal) -> Decimal:
    return value.quantize(CENT, ROUND_HALF_UP)


def net(line: dict[str, Any]) -> Decimal:
    """Work out a line's amount on its own, with fractions."""
    with localcontext(prec=60):
        base = rounded((line["priceperunit"] - (line["volumediscountamount"] or 0)) * line["quantity"])
        return rounded(base - (line["manualdiscountamount"] or 0))


def record(rows: list[dict[str, Any]], **header: Any) -> dict[str, Any]:
    return {
        "invoicenumber": "INV-1",
        "_customerid_value": "x",
        "customerid_account": {"accountid": "x"},
        "transactioncurrencyid": {"isocurrencycode": "EUR"},
        "invoice_details": rows,
    } | header


@given(lines(), st.sampled_from(["SALES_INVOICE", "BILL"]), st.booleans())
def test_every_line_in_xero_is_dynamics_line_to_the_cent(rows: list[dict[str, Any]], table: str, shown: bool):
    written = TABLES[table].apply(record(rows), SETTINGS | {"mag_senddiscount": shown}).payload["LineItems"]
    assert [line_amount(line) for line in written] == [net(line) for line in rows]
    if table == "BILL" or not shown:
        assert not any("DiscountAmount" in line for line in written)


@given(lines(), st.decimals(min_value=0, max_value=1, places=4), st.sampled_from(["SALES_INVOICE", "BILL"]))
def test_a_discount_on_the_invoice_is_spread_to_the_cent(rows: list[dict[str, Any]], share: Decimal, table: str):
    whole = sum(map(net, rows), Decimal(0))
    discount = rounded(whole * share)
    written = TABLES[table].apply(record(rows, discountamount=discount), SETTINGS).payload["LineItems"]
    assert sum(map(line_amount, written)) == whole - discount
    assert all(Decimal(0) <= line_amount(line) <= net(row) for line, row in zip(written, rows, strict=True))


@given(lines(), st.decimals(min_value=0, max_value=100, places=2))
def test_a_percentage_off_the_invoice_is_that_percentage_of_its_lines(rows: list[dict[str, Any]], percentage: Decimal):
    whole = sum(map(net, rows), Decimal(0))
    written = SALES_INVOICE.apply(record(rows, discountpercentage=percentage), SETTINGS).payload["LineItems"]
    off = Fraction(whole) * Fraction(percentage) / 100
    assert abs(Fraction(whole) - Fraction(sum(map(line_amount, written), Decimal(0))) - off) <= Fraction(1, 200)


@given(st.lists(amounts, min_size=1, max_size=8).filter(any), st.decimals(min_value=0, max_value=1, places=3))
def test_shares_are_whole_cents_in_proportion_and_together_the_whole(weights: list[Decimal], share: Decimal):
    total = sum(weights, Decimal(0))
    amount = rounded(total * share)
    parts = spread(amount, weights)
    assert sum(parts) == amount
    for part, weight in zip(parts, weights, strict=True):
        assert abs(Fraction(part) - Fraction(amount) * Fraction(weight) / Fraction(total)) < Fraction(1, 100)
        assert 0 <= part <= weight


@given(lines())
def test_no_more_than_four_decimals_ever_leave(rows: list[dict[str, Any]]):
    for line in BILL.apply(record(rows), SETTINGS).payload["LineItems"]:
        assert -line["UnitAmount"].as_tuple().exponent <= 4
        assert -line["Quantity"].as_tuple().exponent <= 4


def test_a_negative_line_keeps_its_quantity_and_takes_its_discount_into_the_price():
    row = {
        "invoicedetailid": "1",
        "productdescription": "A return",
        "quantity": Decimal(-2),
        "priceperunit": Decimal(10),
        "manualdiscountamount": Decimal(1),
    }
    other = {"invoicedetailid": "2", "productdescription": "More", "quantity": Decimal(9), "priceperunit": Decimal(10)}
    back, _ = SALES_INVOICE.apply(record([row, other]), SETTINGS).payload["LineItems"]
    assert (back["Quantity"], back["UnitAmount"], "DiscountAmount" in back) == (-2, Decimal("10.5"), False)


def test_a_missing_quantity_is_none_not_one():
    row = {
        "invoicedetailid": "1",
        "productdescription": "Nothing yet",
        "quantity": None,
        "priceperunit": Decimal(10),
        "isproductoverridden": False,
    }
    (line,) = SALES_INVOICE.apply(record([row]), SETTINGS).payload["LineItems"]
    assert line["Quantity"] == 0


@pytest.mark.parametrize("quantity", [Decimal("1E+11"), Decimal("99999999999.99999")])
def test_absurd_numbers_are_refused_in_words(quantity: Decimal):
    row = {
        "invoicedetailid": "1",
        "productdescription": "Much",
        "quantity": quantity,
        "priceperunit": Decimal("922337203685477.5807"),
    }
    with pytest.raises(MappingError, match=r"Xero holds|more digits"):
        SALES_INVOICE.apply(record([row]), SETTINGS)


def test_the_kind_of_invoice_chooses_its_table():
    assert mapping_of({"mag_invoicetype": InvoiceType.PURCHASE_INVOICE.value}) is BILL
    assert mapping_of({"mag_invoicetype": InvoiceType.SALES_INVOICE.value}) is SALES_INVOICE
    assert mapping_of({"mag_invoicetype": None}) is SALES_INVOICE


def test_the_kind_of_customer_chooses_its_table():
    assert contact.mapping_of({"customerid_account": {"name": "A"}, "customerid_contact": None}) == (ACCOUNT, {"name": "A"})
    assert contact.mapping_of({"customerid_account": None, "customerid_contact": {"fullname": "C"}}) == (
        CONTACT,
        {"fullname": "C"},
    )
