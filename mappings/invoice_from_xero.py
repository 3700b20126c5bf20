"""Invoice of Xero to invoice of Dynamics 365: a sales invoice with its lines and their tracking (seed 004; A219-A240, A212, A213, K20).

The lines are first settled in Xero's own words (STEPS), so that the tables only copy: afterwards every line has a quantity, a price of
zero or more without tax, and a discount that Dynamics 365 works out to the same amount; what is left of a cent is a line of its own.

The values the pipeline knows, of rows their ids:
    account or contact, currency, price_list, connector, deep_link, now
    themes by BrandingThemeID, accounts by AccountID and code, tax_rates by TaxType, categories by TrackingCategoryID and name
    products by number: {"productid", "uomid"}; unknown_products by number: why a line that names it is a write-in
    price_places (decimals of a price), discount_per_unit, write_ins (whether the environment takes them)
"""

from __future__ import annotations

import re
from collections.abc import Mapping as Read
from datetime import UTC, datetime, time, timedelta
from datetime import date as calendar_date
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mappings.choices import ExportStatus, InvoiceType, LineAmountTypes
from mappings.convert import CONTROL, bind, decimal, guid, money, one_line, plain, text
from mappings.invoice_status import AS_XERO_HAS_IT
from mappings.table import At, Check, Constant, Converter, Field, Json, Lines, Link, Mapping, Refused, Step, local, when
from mappings.totals import CENT, ZERO, cents, line_amount

LINE_AMOUNT_TYPES = {
    "exclusive": LineAmountTypes.EXCLUSIVE,
    "inclusive": LineAmountTypes.EXCLUSIVE,  # prices that hold tax arrive without it
    "notax": LineAmountTypes.NO_TAX,
}
TEXTS = (
    "InvoiceID",
    "InvoiceNumber",
    "Reference",
    "Date",
    "DueDate",
    "BrandingThemeID",
    "CurrencyCode",
    "Status",
    "LineAmountTypes",
)
AMOUNTS = ("SubTotal", "TotalTax", "Total", "AmountDue", "AmountPaid", "AmountCredited")
LINE_TEXTS = ("LineItemID", "Description", "ItemCode", "AccountCode", "AccountID", "TaxType")
LINE_NUMBERS = ("Quantity", "UnitAmount", "LineAmount", "TaxAmount", "DiscountRate", "DiscountAmount")
TRACKING_TEXTS = ("TrackingCategoryID", "TrackingOptionID", "Name", "Option")
PRICE_PLACES = 2
"""The decimals of a price where the environment does not say (its own default)."""
MOST_LEFT = Decimal("0.10")
"""How much of one line may be left to the line 'Rounding'."""
MICROSOFT_DATE = re.compile(r"/Date\((-?\d+)(?:[+-]\d{4})?\)/")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


# ── what Xero says, as far as it is what it should be ───────────────────────────────────────────────────────────────────────────


def sound(invoice: Read[str, Any]) -> Json:
    """Return of an Invoice what the tables read, as far as it is of its kind: what is no text or no number is as good as absent.

    A line without an id of its own, or with that of another, is known by its place.
    """
    lines = [_sound_line(line) for line in _objects(invoice.get("LineItems"))]
    seen: set[str] = set()
    for number, line in enumerate(lines, 1):
        line_id = key(line.get("LineItemID", number))
        line["LineItemID"] = str(number) if line_id in seen else line_id
        seen.add(line["LineItemID"])
    return _texts(invoice, TEXTS) | _numbers(invoice, AMOUNTS) | {"LineItems": lines}


def _sound_line(line: Read[str, Any]) -> Json:
    found = _texts(line, LINE_TEXTS) | _numbers(line, LINE_NUMBERS)
    if isinstance(line.get("Item"), dict):
        found["Item"] = _texts(line["Item"], ("Name",))
    options = (_texts(option, TRACKING_TEXTS) for option in _objects(line.get("Tracking")))
    return found | {"Tracking": [option for option in options if "Option" in option or "TrackingOptionID" in option]}


def _texts(source: Read[str, Any], names: tuple[str, ...]) -> Json:
    texts = {name: CONTROL.sub(" ", value).strip() for name in names if isinstance(value := source.get(name), str)}
    return {name: value for name, value in texts.items() if value}


def _numbers(source: Read[str, Any], names: tuple[str, ...]) -> Json:
    found = {name: _number(source.get(name)) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def _number(value: Any) -> Decimal | None:
    """Return a number, also one written as text, as Xero's documentation shows it; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, Decimal | int | str):
        return None
    try:
        exact = Decimal(value)
    except InvalidOperation:
        return None
    return exact if exact.is_finite() and abs(exact.adjusted()) < 20 else None


def _objects(value: Any) -> list[Json]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def key(value: Any) -> str:
    """Return what makes an id, a code or a name the same, however it is written."""
    return str(value).strip().casefold()


# ── converters ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def fitted(limit: int) -> Converter:
    """Write text of at most *limit* characters; a longer one is cut with a warning: one text must not hold back an invoice."""

    def write(value: Any, at: At) -> str | None:
        if len(value) > limit:
            told = f"The text has {len(value)} characters; Dynamics 365 takes {limit}. The rest was cut off."
            at.warn(told, "Nothing to do: the whole text stands in Xero.")
        return value[:limit].rstrip() or None

    return Converter(f"text, {limit} at most, cut with a warning", write)


def row_of(link: str, entity_set: str, *, told: bool = True) -> Converter:
    """Write the address of the row that the pipeline knows under what Xero says; none: left empty, and *told* in a warning."""

    def write(value: Any, at: At) -> str | None:
        rows = at.link(link)
        if rows is None:
            return None
        if key(value) in rows:
            return f"/{entity_set}({rows[key(value)]})"
        if told:
            at.warn(
                f"{value} is not among the connector's reference data in Dynamics 365; the column stays empty.",
                "Refresh the reference data, then choose it on the row.",
            )
        return None

    return Converter(
        "its row, left empty with a warning when Dynamics 365 has none" if told else "its row, if there is one", write
    )


def of_product(column: str, entity_set: str) -> Converter:
    """Write the address of the line's product, or of its unit."""

    def write(value: Any, at: At) -> str:
        return f"/{entity_set}({at.link('products')[key(value)][column]})"

    return Converter("lookup", write)


def day(text_of_xero: str) -> calendar_date:
    """Return a date of Xero's: "/Date(ms+0000)/", which is midnight UTC, or ISO with or without a time; no zone moves it.

    Raises ValueError when it is neither, or no date at all.
    """
    found = MICROSOFT_DATE.fullmatch(text_of_xero)
    if found is None:
        return calendar_date.fromisoformat(text_of_xero[:10])
    try:
        return (EPOCH + timedelta(milliseconds=int(found[1]))).date()
    except OverflowError as error:
        raise ValueError(f"{text_of_xero} is no date.") from error


def midnight(of: calendar_date, zone: ZoneInfo) -> str:
    """Return the moment at which the day *of* begins in *zone*, as the Web API wants it; where the clock skips midnight, the first
    moment of the day. ``convert.day_of`` reads the same day back."""
    begins = datetime.combine(of, time(), zone).astimezone(UTC)
    return f"{begins:%Y-%m-%dT%H:%M:%S}Z"


def _day(value: Any, at: At) -> calendar_date | None:
    try:
        found = day(value)
        if found.year >= 1900:
            return found
    except (TypeError, ValueError):
        pass
    at.warn(f"{value!r} is not a date Dynamics 365 takes; it was left out.", "Look at the date in Xero, and fill it in.")
    return None


def _date(value: Any, at: At) -> str | None:
    found = _day(value, at)
    return found.isoformat() if found else None


date = Converter("date, yyyy-mm-dd", _date)


def local_midnight(zone_setting: str) -> Converter:
    """Write the moment a date begins in the connector's time zone: Dynamics 365 keeps Date Delivered as midnight of its user."""

    def write(value: Any, at: At) -> str | None:
        name = at.setting(zone_setting) or "Etc/UTC"
        try:
            zone = ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            told = f"The time zone {name!r} of the connector is unknown."
            raise Refused(told, "Enter an IANA name such as Europe/London.", "administrator") from None
        found = _day(value, at)
        return midnight(found, zone) if found else None

    return Converter("midnight of that day in the connector's Time Zone", write, settings=(zone_setting,))


def _line_amount_types(value: Any, at: At) -> int | None:
    found = LINE_AMOUNT_TYPES.get(key(value))
    return found.value if found is not None else None


line_amount_types = Converter("Exclusive / NoTax, left out otherwise", _line_amount_types)
currency_row = Converter(
    "lookup", lambda value, at: f"/transactioncurrencies({at.link('currency')})" if at.link("currency") else None
)
price = decimal(4)
quantity = decimal(5)


# ── lines, settled in Xero's own words ──────────────────────────────────────────────────────────────────────────────────────────


def in_order(lines: list[Json], at: At) -> list[Json]:
    return [line | {"@line": number} for number, line in enumerate(lines, 1)]


def net_amounts(lines: list[Json], at: At) -> list[Json]:
    """Give every line its amount without tax (@net); one with no number at all is a note."""
    return [_with_net(line, at) for line in lines]


def _with_net(line: Json, at: At) -> Json:
    if not any(line.get(name) for name in ("Quantity", "UnitAmount", "LineAmount", "TaxAmount")):
        return line | {"Quantity": ZERO, "UnitAmount": ZERO, "@net": ZERO, "@note": True}
    known = {name: Decimal(line[name]) for name in LINE_NUMBERS if line.get(name) is not None}
    amount = known["LineAmount"] if "LineAmount" in known else line_amount(known)
    tax = known.get("TaxAmount", ZERO) if INCLUSIVE.holds(at) else ZERO
    return line | {"Quantity": Decimal(1)} | known | {"LineAmount": amount, "@net": cents(amount - tax)}


def prices(lines: list[Json], at: At) -> list[Json]:
    return [line if "@note" in line else _priced(line, at) for line in lines]


def _priced(line: Json, at: At) -> Json:
    """Say quantity, price and discount so that Dynamics 365 comes to @net; @left is what is left of it.

    A discount is what the price comes to above the line's amount. A price that cannot say the line is worked out from its amount; where
    that leaves more than a few cents, the line is one whole, as it is on the way to Xero.
    """
    places = at.link("price_places")
    place = Decimal(1).scaleb(-min(PRICE_PLACES if places is None else places, 4))
    net, count, amount, unit = line["@net"], line["Quantity"], line["LineAmount"], line.get("UnitAmount")
    is_discounted = bool(line.get("DiscountAmount") or line.get("DiscountRate"))
    if unit is not None:
        each, times = _upright(unit * (net / amount if amount else 1), count, place)
        above = cents(each * times) - net
        discount = _discount(above, times, at) if is_discounted else None
        if discount is not None:
            return line | {"Quantity": times, "UnitAmount": each, "DiscountAmount": discount, "@left": ZERO}
        if not is_discounted and abs(above) <= MOST_LEFT:
            return line | {"Quantity": times, "UnitAmount": each, "DiscountAmount": None, "@left": -above}
    each, times = _upright(net / (count or 1), count or Decimal(1), place)
    left = net - cents(each * times)
    if abs(left) <= MOST_LEFT:
        return line | {"Quantity": times, "UnitAmount": each, "DiscountAmount": None, "@left": left}
    return line | _whole(line)


def _whole(line: Json) -> Json:
    """Say a line as one piece of its amount, with what it is made of in its description."""
    each, times = _upright(line["@net"], Decimal(1), CENT)
    words = line.get("Description") or (line.get("Item") or {}).get("Name") or line.get("ItemCode") or ""
    told = f"{plain(line['Quantity'])} x @{plain(line['UnitAmount'])}" if line.get("UnitAmount") is not None else ""
    return {
        "Description": f"{words}\n{told}".strip(),
        "Quantity": times,
        "UnitAmount": each,
        "DiscountAmount": None,
        "@left": ZERO,
    }


def _upright(unit: Decimal, count: Decimal, place: Decimal) -> tuple[Decimal, Decimal]:
    """Return price and quantity so that the price is not below zero, which Dynamics 365 does not take: the quantity may be."""
    sign = -1 if unit < 0 else 1
    return (unit * sign).quantize(place, ROUND_HALF_UP), count * sign


def _discount(amount: Decimal, times: Decimal, at: At) -> Decimal | None:
    """Return the Manual Discount that takes *amount* off: of the line, or of each unit where the environment counts so."""
    if not at.link("discount_per_unit"):
        return amount if amount >= 0 else None
    each = (amount / times).quantize(CENT, ROUND_HALF_UP) if times else amount
    return each if each >= 0 and each * times == amount else None


def notes(lines: list[Json], at: At) -> list[Json]:
    """Leave out notes where the environment takes no write-in lines: they cost nothing, and may not hold back the others."""
    if at.link("write_ins") is not False:
        return lines
    left_out = [line for line in lines if "@note" in line and not CATALOGUE.holds(At(line, links=at.links))]
    for line in left_out:
        at.warn(
            f'The line "{str(line.get("Description", ""))[:100]}" was left out: the environment takes no write-in products.',
            "Allow write-in products in the environment, if such lines should cross.",
            f"Description, line {line['@line']}",
        )
    return [line for line in lines if line not in left_out]


def rounding(lines: list[Json], at: At) -> list[Json]:
    left = sum((line.get("@left", ZERO) for line in lines), ZERO)
    if not left or at.link("write_ins") is False:
        return lines
    number = max(line["@line"] for line in lines) + 1
    amount = {"Quantity": Decimal(1).copy_sign(left), "UnitAmount": abs(left)}
    return [*lines, {"Description": "Rounding", **amount, "@line": number}]


STEPS = (
    Step("In Xero's order.", in_order),
    Step(
        "A line's amount is taken without its tax, which Dynamics 365 keeps beside it. A line without any number is a note.",
        net_amounts,
        LINE_NUMBERS,
        ("LineAmountTypes",),
    ),
    Step(
        "A price holds no tax, has the decimals of the environment's prices and is not below zero: the quantity takes the sign. A discount"
        " in per cent becomes an amount. A price that does not come to the line's amount is worked out from the amount. Where more than 10 cents"
        " would be left, the line is written as quantity 1, with 'quantity x @price' in the description.",
        prices,
    ),
    Step("Where the environment takes no write-in products, a note is left out.", notes),
    Step(
        "What is left of a cent, because a price has fewer decimals than the amount needs, becomes a write-in line 'Rounding'.",
        rounding,
    ),
)


# ── conditions and checks ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _is_of_catalogue(at: At) -> bool:
    return key(at.get("ItemCode") or "") in (at.link("products") or {})


CATALOGUE = when("an active product with a default unit has the Item Code as its Product Number", _is_of_catalogue, ("ItemCode",))
INCLUSIVE = when("the amounts hold the tax", lambda at: key(at.get("LineAmountTypes") or "") == "inclusive", ("LineAmountTypes",))


def is_known_product(at: At) -> None:
    why = (at.link("unknown_products") or {}).get(key(at.get("ItemCode") or ""))
    if why:
        fix = "Give the product this number, a default unit and an active state before its next invoice, if it should be counted."
        at.warn(f"{why}; the line is a write-in product.", fix, at.where("Item Code", "ItemCode"))


def may_be_write_in(at: At) -> None:
    if at.link("write_ins") is False and not CATALOGUE.holds(at):
        at.refuse(
            "The line names no product of the catalogue, and the environment takes no write-in products.",
            "Allow write-in products in the environment, or add an active product whose Product Number is the Item Code in Xero.",
            "administrator",
            at.where("Item Code", "ItemCode"),
        )


# fmt: off
TRACKING = local("TRACKING_FROM_XERO", Mapping("Line Item Tracking from Xero", "LineItemTracking", "mag_trackingoption", (
    #     Xero                   JSON name            Dynamics 365                        written as                  note
    Field("Option",              "Option",            "mag_name",                         fitted(100),                "Matched within its category; the option itself is not changed."),
    Field("Tracking Category ID", "TrackingCategoryID", "mag_trackingcategoryid@odata.bind", row_of("categories", "mag_trackingcategories", told=False)),
    Field("Name",                "Name",              "mag_trackingcategoryid@odata.bind", row_of("categories", "mag_trackingcategories"), "The category's name.", otherwise=True),
    Field("Tracking Option ID",  "TrackingOptionID",  "mag_xerotrackingoptionid",         fitted(36),                 "Matches before the name."),
)))

LINE = local("LINE_FROM_XERO", Mapping("Line Items from Xero", "LineItem", "invoicedetail", (
    #     Xero                   JSON name            Dynamics 365                        written as                  note
    Field("Line Item ID",        "LineItemID",        "invoicedetailid",                  fitted(36),                 "The row's id is derived from it, so that no line is made twice."),
    Field("Description",         "Description",       "description",                      fitted(2000)),
    Field("Item Code",           "ItemCode",          "productid@odata.bind",             of_product("productid", "products"), "Matches on the Product Number (productnumber).", when=CATALOGUE),
    Field("Item Code",           "ItemCode",          "uomid@odata.bind",                 of_product("uomid", "uoms"), "Default from Dynamics 365 Product.", when=CATALOGUE),
    Constant(False,                                   "isproductoverridden",              when=CATALOGUE),
    Constant(True,                                    "isproductoverridden",              "A write-in product.", when=~CATALOGUE),
    Field("Description",         "Description",       "productdescription",               fitted(850),                when=~CATALOGUE),
    Field("Item Name",           "Item.Name",         "productdescription",               fitted(850),                "Only if Description is not provided.", when=~CATALOGUE, otherwise=True),
    Field("Item Code",           "ItemCode",          "productdescription",               fitted(850),                "Only if Description is not provided.", when=~CATALOGUE, otherwise=True),
    Constant("No description",                        "productdescription",               when=~CATALOGUE, otherwise=True),
    Field("Quantity",            "Quantity",          "quantity",                         quantity),
    Field("Unit Amount",         "UnitAmount",        "priceperunit",                     price),
    Constant(True,                                    "ispriceoverridden",                "Xero's price counts, not the price list's.", when=CATALOGUE),
    Field("Account ID",          "AccountID",         "mag_xeroaccountcodeid@odata.bind", row_of("accounts", "mag_xeroaccountcodes", told=False)),
    Field("Account Code",        "AccountCode",       "mag_xeroaccountcodeid@odata.bind", row_of("accounts", "mag_xeroaccountcodes"), otherwise=True),
    Field("Tax Type",            "TaxType",           "mag_taxrateid@odata.bind",         row_of("tax_rates", "mag_taxrates")),
    Field("Tax Amount",          "TaxAmount",         "tax",                              money),
    Field("Discount Amount",     "DiscountAmount",    "manualdiscountamount",             money,                      "Of the line, or of each unit where the environment counts so."),
    Lines("Tracking",            "Tracking",          "mag_invoicedetail_trackingoption", TRACKING,                   "The options are associated once the line is there."),
), checks=(
    Check("(Warning only.) The Item Code is the Product Number of an active product with a default unit.", is_known_product),
    Check("A line without a product of the catalogue goes only where the environment takes write-in products.", may_be_write_in),
)))

INVOICE = local("INVOICE_FROM_XERO", Mapping("Sales Invoice from Xero", "Invoice", "invoice", (
    #     Xero                   JSON name            Dynamics 365                        written as                  note
    Field("Invoice Number",      "InvoiceNumber",     "invoicenumber",                    fitted(100),                "Without one, Dynamics 365 numbers it."),
    Field("Invoice Number",      "InvoiceNumber",     "name",                             one_line(300)),
    Field("Reference",           "Reference",         "name",                             one_line(300),              "Only if there is no Invoice Number.", otherwise=True),
    Constant("Invoice from Xero",                     "name",                             "If there is neither.", otherwise=True),
    Field("Due Date",            "DueDate",           "duedate",                          date),
    Field("Date",                "Date",              "datedelivered",                    local_midnight("mag_timezone")),
    Link ("Contact",             "account",           "customerid_account@odata.bind",    bind("accounts"),           "Matched by the stored link, then account number, then name; else made. An existing one is not changed."),
    Link ("Contact",             "contact",           "customerid_contact@odata.bind",    bind("contacts"),           "Where the stored link leads to a contact."),
    Field("Branding Theme ID",   "BrandingThemeID",   "mag_brandingthemeid@odata.bind",   row_of("themes", "mag_brandingthemes")),
    Field("Reference",           "Reference",         "mag_reference",                    fitted(255)),
    Field("Currency Code",       "CurrencyCode",      "transactioncurrencyid@odata.bind", currency_row),
    Field("Invoice ID",          "InvoiceID",         "mag_xeroid",                       guid),
    Constant(True,                                    "mag_synchedwithxero",              "Set to Yes: it is never sent back."),
    Constant(False,                                   "mag_addtoxero",                    "Nobody asked for it to be sent."),
    Link ("Price List",          "price_list",        "pricelevelid@odata.bind",          bind("pricelevels"),        "Set based on the Currency: the connector's Xero Price List of the currency, else its Default Price List, else one that is made (Create Price Lists)."),
    Link ("Page in Xero",        "deep_link",         "mag_xeroinvoiceurl",               text(500)),
    *AS_XERO_HAS_IT,  # the state follows Xero: see Invoice, Followed
    Constant(InvoiceType.SALES_INVOICE.value,         "mag_invoicetype",                  "Set to Sales Invoice."),
    Field("Line Amount Types",   "LineAmountTypes",   "mag_lineamounttypes",              line_amount_types,          "Prices that hold tax (Inclusive) arrive without it, so they are Exclusive here."),
    Constant(ExportStatus.YES.value,                  "mag_exportstatus",                 "Set to Yes."),
    Link ("Time of the transfer", "now",              "mag_exportdate",                   text(20)),
    Link ("Xero Connector",      "connector",         "mag_xeroconnectorid@odata.bind",   bind("mag_xeroconnectors"), required="Connect again."),
    Lines("Line Items",          "LineItems",         "invoice_details",                  LINE,                       "All line items for an invoice are synced at the time the invoice is synced. They are numbered in Xero's order.", steps=STEPS),
)))
# fmt: on
