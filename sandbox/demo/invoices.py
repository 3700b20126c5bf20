"""The demo's invoices as rows: what a person types in Dynamics 365, and what a bookkeeper must then find in Xero.

The figures of `Expected` are worked out by hand from Xero's rules (tax is rounded per line, then summed), not by the product.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from mappings.choices import InvoiceType, LineAmountTypes
from sandbox.dataverse.demo_company import ID
from sandbox.demo.xero import NZ, UK

Json = dict[str, Any]


@dataclass(frozen=True)
class Line:
    """One line: `columns` are written as they are; accounts, tax rates and tracking are named as Xero names them."""

    columns: Json
    account: str = ""
    rate: str = ""
    tracking: tuple[str, ...] = ()


@dataclass(frozen=True)
class Expected:
    """What Xero must hold: totals, status, contact, and per line (account, tracking); an empty number means the Dynamics one."""

    net: str
    tax: str
    status: str
    lines: tuple[str, ...]
    contact: str = ""
    currency: str = "NZD"
    types: str = "Exclusive"
    reference: str = ""
    number: str = ""
    discount: str = ""

    @property
    def total(self) -> Decimal:
        return Decimal(self.net) + Decimal(self.tax)


@dataclass(frozen=True)
class Planned:
    """One invoice. `ends` is how it must end: synced, waits, refused, or fixed (refused first, synced after a person's fix)."""

    what: str
    organisation: str
    customer: str
    lines: tuple[Line, ...]
    expected: Expected | None = None
    ends: str = "synced"
    header: Json = field(default_factory=dict)
    currency: str = "NZD"
    names_connector: bool = False
    due_in: int = 20
    delivered_in: int = 0
    says: tuple[str, ...] = ()
    fix: Json = field(default_factory=dict)


def product(
    name: str,
    quantity: str,
    unit: str = "each",
    *,
    account: str = "",
    rate: str = "",
    tracking: tuple[str, ...] = (),
    **columns: Any,
) -> Line:
    """Return a line of the catalogue, at the price of the invoice's price list."""
    row = {
        "productid@odata.bind": f"products({ID[name]})",
        "uomid@odata.bind": f"uoms({ID[unit]})",
        "quantity": Decimal(quantity),
    }
    return Line(row | columns, account, rate, tracking)


def write_in(
    text: str, quantity: str, price: str, *, account: str = "", rate: str = "", tracking: tuple[str, ...] = (), **columns: Any
) -> Line:
    """Return a line of the salesperson's own words and price; quantity 0 and price 0 make it a note."""
    row = {"isproductoverridden": True, "productdescription": text, "quantity": Decimal(quantity), "priceperunit": Decimal(price)}
    return Line(row | columns, account, rate, tracking)


NEW_CUSTOMERS: tuple[Json, ...] = (
    {"name": "Thames Analytics Ltd", "currency": "GBP", "accountnumber": "C-2001", "emailaddress1": "accounts@thamesanalytics.example",
     "address1_line1": "9 Wharf Road", "address1_city": "London", "address1_country": "United Kingdom"},
    {"name": "Old Mill Bakery", "currency": "NZD", "accountnumber": "C-2002", "emailaddress1": "office@oldmill.example"},
)  # fmt: skip
"""Accounts the administrator adds: both have a namesake in Xero, the second an archived one."""

# fmt: off
INVOICES = (
    Planned("catalogue lines, tracking, a customer Xero knows, billing contacts", NZ, "ridgeway", (
        product("consulting", "8", "hour", account="210", tracking=("Region/North", "Salesperson/Hana Ngata")),
        product("tablet", "2", tracking=("Region/South",)),
    ), Expected("2979.90", "446.99", "AUTHORISED", ("210 Region/North Salesperson/Hana Ngata", "200 Region/South"), "Ridgeway University", reference="PO 7781"),
        header={"mag_reference": "PO 7781"}),
    Planned("write-in line, a note, a Description that begins with a full stop", NZ, "basket", (
        write_in("Website refresh", "1", "4200.00", account="210"),
        write_in("Thank you for your business", "0", "0"),
    ), Expected("4200.00", "630.00", "AUTHORISED", ("210", "", ""), "Basket Case"),
        header={"description": ". Delivered in two stages."}),
    Planned("a discount on the line and one on the whole invoice", NZ, "limousines", (
        product("support", "1", manualdiscountamount=Decimal("240.00")),
        write_in("Installation", "3", "150.00"),
    ), Expected("2549.00", "382.35", "AUTHORISED", ("200", "200"), "City Limousines", discount="301.00"),
        header={"discountamount": Decimal("61.00")}),
    Planned("freight, a price of three decimals", NZ, "boom", (
        product("labels", "40"),
    ), Expected("528.80", "79.32", "AUTHORISED", ("200", "220"), "Boom FM"),
        header={"freightamount": Decimal("35.00")}),
    Planned("a person as the customer, No Tax", NZ, "contact:private", (
        write_in("Donation to the school library", "1", "250.00"),
    ), Expected("250.00", "0", "AUTHORISED", ("200",), "Mele Vainikolo", types="NoTax"),
        header={"mag_lineamounttypes": LineAmountTypes.NO_TAX.value}),
    Planned("a bill, its discount worked into the price", NZ, "truxton", (
        write_in("Rent, November", "1", "3450.00", account="469", manualdiscountamount=Decimal("150.00")),
    ), Expected("3300.00", "495.00", "AUTHORISED", ("469",), "Truxton Property Management", number="TPM-2211"),
        header={"mag_invoicetype": InvoiceType.PURCHASE_INVOICE.value, "mag_reference": "TPM-2211"}),
    Planned("a bundle with its parts", NZ, "huia", (
        product("starter-kit", "1"),
        product("kit-tablet", "1", producttypecode=3),
        product("kit-setup", "1", producttypecode=3),
    ), Expected("1049.00", "157.35", "AUTHORISED", ("200", "", ""), "Huia Gardens Ltd")),
    Planned("the other organisation, a draft, numbered by Xero, tracking", UK, "petrie", (
        product("consulting", "10", "hour", tracking=("Department/Services",)),
    ), Expected("873.20", "174.64", "DRAFT", ("200 Department/Services",), "Petrie McLoud Watson & Associates", "GBP", number="Xero's"),
        currency="GBP", names_connector=True),
    Planned("prices that hold the tax, a customer Xero knows by name", UK, "new:Thames Analytics Ltd", (
        write_in("Analytics workshop", "2", "300.00", account="210"),
    ), Expected("500.00", "100.00", "DRAFT", ("210",), "Thames Analytics Ltd", "GBP", "Inclusive", number="Xero's", reference="Workshop 14"),
        header={"mag_lineamounttypes": LineAmountTypes.INCLUSIVE.value, "mag_reference": "Workshop 14"}, currency="GBP", names_connector=True),
    Planned("euros, zero rated, a name with accents", UK, "obrien", (
        product("training", "1", "day", rate="ZERORATEDOUTPUT"),
    ), Expected("806.20", "0", "DRAFT", ("200",), "O'Brien & Søn", "EUR", number="Xero's"),
        currency="EUR", names_connector=True),
    Planned("US dollars, two products", UK, "lakeside", (
        product("licence", "1", rate="ZERORATEDOUTPUT"),
        product("support", "2", rate="ZERORATEDOUTPUT"),
    ), Expected("10414.60", "0", "DRAFT", ("200", "200"), "Lakeside Robotics Inc.", "USD", number="Xero's"),
        currency="USD", names_connector=True),
    Planned("the tax typed on the line, the same customer again", UK, "petrie", (
        write_in("Report, printed and bound", "4", "35.00", rate="RROUTPUT", tax=Decimal("7.01")),
        write_in("Travel", "1", "62.50", account="260"),
    ), Expected("202.50", "19.51", "DRAFT", ("200", "260"), "Petrie McLoud Watson & Associates", "GBP", number="Xero's"),
        currency="GBP", names_connector=True),
    Planned("Date Delivered in two weeks", NZ, "kereru", (
        write_in("Autumn planting", "1", "980.00"),
    ), ends="waits", delivered_in=14, due_in=40, says=("waits for its Date Delivered", "by itself")),
    Planned("a tax rate Xero does not allow on the account", NZ, "hamilton", (
        write_in("Consulting", "5", "120.00", account="200", rate="INPUT2"),
    ), ends="refused", says=("cannot be used with account", "Change the Xero Account Code or the Tax Rate")),
    Planned("a customer that is archived in Xero; a person chooses another", NZ, "new:Old Mill Bakery", (
        product("cable", "10"),
    ), Expected("249.00", "37.35", "AUTHORISED", ("200",), "Basket Case"), ends="fixed",
        says=("archived", "another customer"), fix={"customerid_account@odata.bind": f"accounts({ID['basket']})"}),
)
# fmt: on
