"""The rules of Dynamics 365 Sales on invoices, their lines and the catalogue.

Sources: Microsoft Learn, "Invoice (SalesInvoice) table reference", "InvoiceDetail table reference", "Pricing engine:
price, discount and tax calculation", "Lock or unlock pricing for an order or invoice"; error texts: Web service error codes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from .errors import (
    CANNOT_CANCEL,
    CANNOT_PAY_NON_ACTIVE,
    ENTITY_IS_LOCKED,
    INVALID_UNIT,
    MISSING_PRODUCT,
    MISSING_UNIT,
    PRICE_LIST_CURRENCY_MISMATCH,
    PRIVILEGE_DENIED,
    PRODUCT_WITH_DESCRIPTION,
    READ_ONLY,
    UNIT_WITH_DESCRIPTION,
    Refused,
)
from .store import Reference, Row, Value

if TYPE_CHECKING:
    from .environment import Caller, Environment

ACTIVE, CLOSED, PAID, CANCELED = 0, 1, 2, 3
DRAFT = 2, 0
DETAIL_ERROR, MISSING_PRICE_LIST, NOT_IN_PRICE_LIST = 1, 2, 11
BUNDLE_STRUCTURE, BUNDLE_LINE = 3, 2
DELETED_WITH_PARENT = frozenset({("invoicedetail", "invoiceid")})
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
ZERO = Decimal(0)
AMOUNTS = (
    "totallineitemamount",
    "totallineitemdiscountamount",
    "totaldiscountamount",
    "totalamountlessfreight",
    "totaltax",
    "totalamount",
)


def rounded(amount: Decimal, places: int) -> Decimal:
    """Round half up to so many places."""
    return amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def fill_currency(environment: Environment, table: str, row: Row) -> None:
    """Give an invoice its customer's currency, a line its invoice's, a price its price list's, when none is given."""
    parent = {"invoicedetail": "invoiceid", "productpricelevel": "pricelevelid"}.get(table)
    if parent and (owner := environment.referenced(row.get(parent))):
        row["transactioncurrencyid"] = owner["transactioncurrencyid"]
    elif table == "invoice" and row.get("transactioncurrencyid") is None:
        customer = environment.referenced(row.get("customerid"))
        row["transactioncurrencyid"] = (customer["transactioncurrencyid"] if customer else None) or environment.base_currency()


def before_create(environment: Environment, table: str, row: Row, values: Mapping[str, Value]) -> None:
    """Apply what creating an invoice, a line or a product asks for; raises Refused."""
    if table == "product" and "statuscode" not in values:
        row["statecode"], row["statuscode"] = DRAFT  # unless the organization makes products in active state
    if table == "invoicedetail":
        invoice = environment.require("invoice", _id(row["invoiceid"]))
        _refuse_read_only(invoice, "invoice")
        if invoice["ispricelocked"] and row["isproductoverridden"]:
            raise Refused(400, ENTITY_IS_LOCKED, "The invoice's prices are locked; a write-in product cannot be added.")
        row["ownerid"] = invoice["ownerid"]
    check(environment, table, row)


def before_update(
    environment: Environment, table: str, before: Row, row: Row, values: Mapping[str, Value], caller: Caller
) -> None:
    """Refuse changes of read-only rows and state changes Sales does not allow."""
    if table == "invoice":
        _check_transition(before, row)
        if row["statecode"] != ACTIVE and not caller.administrator and set(values) - {"statecode", "statuscode"}:
            _refuse_read_only(before, "invoice")
    elif table == "invoicedetail" and not caller.administrator:
        _refuse_read_only(environment.require("invoice", _id(before["invoiceid"])), "invoice")


def before_delete(environment: Environment, table: str, row: Row, caller: Caller) -> None:
    """Refuse deleting a closed invoice without "Override Quote Order Invoice Delete", and lines of one."""
    if table == "invoice" and row["statecode"] != ACTIVE and not caller.administrator:
        raise Refused(403, PRIVILEGE_DENIED, "Principal user is missing the privilege to delete an inactive invoice.")
    if table == "invoicedetail" and not caller.administrator and (invoice := environment.referenced(row["invoiceid"])):
        _refuse_read_only(invoice, "invoice")


def check(environment: Environment, table: str, row: Row) -> None:
    """Check an invoice's price list, or a line's product; raises Refused."""
    if table == "invoice":
        price_list = environment.referenced(row["pricelevelid"])
        if price_list and price_list["transactioncurrencyid"] != row["transactioncurrencyid"]:
            raise Refused(
                400, PRICE_LIST_CURRENCY_MISMATCH, "The currency of the record does not match the currency of the price list."
            )
    elif table == "invoicedetail":
        _check_line(environment, row)


def after_write(environment: Environment, table: str, row: Row) -> None:
    """Number and price what was written, and bring the invoice's totals up to date."""
    if table == "invoice":
        if row["invoicenumber"] is None:
            row["invoicenumber"] = _next_invoice_number(environment)
            environment.store.write("invoice", row)
        _total(environment, str(row["invoiceid"]))
    elif table == "invoicedetail" and (invoice := environment.referenced(row["invoiceid"])):
        _price(environment, row, invoice)
        environment.store.write("invoicedetail", row)
        _total(environment, str(invoice["invoiceid"]))


def after_delete(environment: Environment, table: str, row: Row) -> None:
    """Take a deleted line out of its invoice's totals."""
    if table == "invoicedetail" and (invoice := environment.referenced(row["invoiceid"])):
        _total(environment, str(invoice["invoiceid"]))


def lock_prices(environment: Environment, invoice_id: str, *, locked: bool) -> None:
    """Lock or unlock an invoice's prices (LockInvoicePricing, UnlockInvoicePricing); raises Refused."""
    invoice = environment.require("invoice", invoice_id)
    _refuse_read_only(invoice, "invoice")
    invoice["ispricelocked"] = locked
    environment.store.write("invoice", invoice)


def _refuse_read_only(invoice: Row, table: str) -> None:
    if invoice["statecode"] != ACTIVE:
        raise Refused(403, READ_ONLY, f"Cannot perform the action because the {table} is read only.")


def _check_transition(before: Row, row: Row) -> None:
    old, new = before["statecode"], row["statecode"]
    if new == PAID and old not in (ACTIVE, PAID):
        raise Refused(400, CANNOT_PAY_NON_ACTIVE, "The invoice cannot be paid because it is not in active state.")
    if new in (CANCELED, CLOSED) and old not in (ACTIVE, PAID, new):
        raise Refused(400, CANNOT_CANCEL, "The invoice cannot be canceled because it is not in active or paid state.")


def _check_line(environment: Environment, line: Row) -> None:
    if line["isproductoverridden"]:
        if line["productid"] or line["uomid"]:
            raise Refused(
                400, PRODUCT_WITH_DESCRIPTION, "You cannot set both 'productid' and 'productdescription' for the same record."
            )
        return
    if line["productdescription"]:
        if line["productid"]:
            raise Refused(
                400, PRODUCT_WITH_DESCRIPTION, "You cannot set both 'productid' and 'productdescription' for the same record."
            )
        raise Refused(400, UNIT_WITH_DESCRIPTION, "You cannot set both 'uomid' and 'productdescription' for the same record.")
    product, unit = environment.referenced(line["productid"]), environment.referenced(line["uomid"])
    if product is None:
        raise Refused(400, MISSING_PRODUCT, "The product id is missing.")
    if unit is None:
        raise Refused(400, MISSING_UNIT, "The unit id is missing.")
    if product["defaultuomscheduleid"] and unit["uomscheduleid"] != product["defaultuomscheduleid"]:
        raise Refused(400, INVALID_UNIT, "The unit is not of the product's unit group.")


def _price(environment: Environment, line: Row, invoice: Row) -> None:
    product = environment.referenced(line["productid"])
    line["pricingerrorcode"] = 0
    if product is None:
        line["invoicedetailname"] = line["productdescription"]
    else:
        line["invoicedetailname"] = line["productname"] = product["name"]
        line["productnumber"] = product["productnumber"]
        if product["productstructure"] == BUNDLE_STRUCTURE:
            line["producttypecode"] = BUNDLE_LINE
        if not line["ispriceoverridden"] and not invoice["ispricelocked"]:
            line["priceperunit"], line["pricingerrorcode"] = _listed_price(environment, line, invoice)
    line["invoicestatecode"], line["invoiceispricelocked"] = invoice["statecode"], invoice["ispricelocked"]
    places = _places(environment, invoice)
    quantity = _amount(line, "quantity")
    base = rounded((_amount(line, "priceperunit") - _amount(line, "volumediscountamount")) * quantity, places)
    line["baseamount"] = base
    line["extendedamount"] = base - _discount(environment, line) + _amount(line, "tax")
    _bases(line, invoice, ("priceperunit", "baseamount", "extendedamount"))


def _listed_price(environment: Environment, line: Row, invoice: Row) -> tuple[Decimal, int]:
    price_list = invoice["pricelevelid"]
    if not isinstance(price_list, Reference):
        return ZERO, MISSING_PRICE_LIST
    for item in environment.store.find("productpricelevel", "productid", _id(line["productid"])):
        if item["pricelevelid"] == price_list and item["uomid"] == line["uomid"]:
            return _amount(item, "amount"), 0
    return ZERO, NOT_IN_PRICE_LIST


def _discount(environment: Environment, line: Row) -> Decimal:
    organization = environment.store.read("organization", environment.organization_id)
    per_unit = organization is not None and organization["discountcalculationmethod"] == 1
    discount = _amount(line, "manualdiscountamount")
    return discount * _amount(line, "quantity") if per_unit else discount


def _total(environment: Environment, invoice_id: str) -> None:
    """Roll the lines up into the header. The row's version moves only when a total does; `modifiedon` never does."""
    invoice = environment.require("invoice", invoice_id)
    if invoice["statecode"] != ACTIVE and any(invoice[name] is not None for name in AMOUNTS):
        return
    lines = environment.store.find("invoicedetail", "invoiceid", invoice_id)
    places = _places(environment, invoice)
    gross = sum((_amount(line, "baseamount") for line in lines), ZERO)
    discounts = sum((_discount(environment, line) for line in lines), ZERO)
    net = gross - discounts
    off = rounded(net * _amount(invoice, "discountpercentage") / 100, places) + _amount(invoice, "discountamount")
    tax = sum((_amount(line, "tax") for line in lines), ZERO)
    less_freight = net - off
    totals = (net, discounts, off, less_freight, tax, less_freight + _amount(invoice, "freightamount") + tax)
    changed: Row = dict(zip(AMOUNTS, totals, strict=True))
    if any(line["pricingerrorcode"] for line in lines):
        changed["pricingerrorcode"] = DETAIL_ERROR
    elif invoice["pricingerrorcode"] == DETAIL_ERROR:
        changed["pricingerrorcode"] = 0
    if any(invoice[name] != value for name, value in changed.items()):
        invoice.update(changed)
        _bases(invoice, invoice, AMOUNTS)
        environment.store.write("invoice", invoice)


def _bases(row: Row, invoice: Row, names: tuple[str, ...]) -> None:
    rate = invoice["exchangerate"]
    for name in names:
        amount = row[name]
        if f"{name}_base" in row and isinstance(rate, Decimal) and rate and isinstance(amount, Decimal):
            row[f"{name}_base"] = rounded(amount / rate, 4)


def _places(environment: Environment, invoice: Row) -> int:
    currency = environment.referenced(invoice["transactioncurrencyid"])
    places = currency["currencyprecision"] if currency else None
    return places if isinstance(places, int) else 2


def _amount(row: Row, name: str) -> Decimal:
    value = row.get(name)
    return value if isinstance(value, Decimal) else ZERO


def _id(value: Value) -> str:
    return value.id if isinstance(value, Reference) else ""


def _next_invoice_number(environment: Environment) -> str:
    organization = environment.store.read("organization", environment.organization_id)
    prefix = (organization and organization["invoiceprefix"]) or "INV"
    number = environment.store.next_number("invoice", 1000)
    digest = hashlib.sha256(f"{environment.url}/{number}".encode()).digest()
    return f"{prefix}-{number:05d}-" + "".join(ALPHABET[byte % len(ALPHABET)] for byte in digest[:6])
