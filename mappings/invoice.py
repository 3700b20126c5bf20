"""Invoice of Dynamics 365 to Invoice of Xero: a sales invoice (ACCREC) or a bill (ACCPAY), its lines and their tracking.

The lines are first settled in Dynamics' own words (STEPS), so that the table only copies: a discount on the whole invoice becomes
part of each line's manual discount, a product inside a bundle becomes a note, a price Xero cannot hold becomes one of the whole.
"""

from __future__ import annotations

from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal, localcontext
from typing import Any

from mappings.choices import BundleMode, InvoiceType, LineAmountTypes, NumberSource, ReferenceSource, TaxMode, XeroInvoiceStatus
from mappings.contact import ACCOUNT, CONTACT
from mappings.convert import (
    after_full_stop,
    ascii_text,
    choice,
    currency,
    date,
    guid,
    local_date,
    money,
    number,
    one_line,
    places,
    plain,
    quantity,
    reference,
    text,
    unit_amount,
)
from mappings.table import (
    WIDE,
    At,
    Check,
    Columns,
    Constant,
    Converter,
    Field,
    Json,
    Lines,
    Link,
    Mapping,
    Refused,
    Setting,
    Step,
    local,
    when,
)
from mappings.totals import CENT, LARGEST_LINE, UNIT, ZERO, cents, line_amount

STATUS: dict[int, str] = {
    XeroInvoiceStatus.DRAFT: "DRAFT",
    XeroInvoiceStatus.SUBMITTED: "SUBMITTED",
    XeroInvoiceStatus.AUTHORISED: "AUTHORISED",
}
LINE_AMOUNT_TYPES: dict[int, str] = {
    LineAmountTypes.EXCLUSIVE: "Exclusive",
    LineAmountTypes.INCLUSIVE: "Inclusive",
    LineAmountTypes.NO_TAX: "NoTax",
}
INSIDE_A_BUNDLE = (3, 4)  # producttypecode: required and optional bundle product

account_code = reference("mag_code", text(10))
tax_type = reference("mag_taxtype", text(50))
branding_theme = reference("mag_xerobrandingthemeid", guid, status="")


# ── conditions ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _written(text: str, target: str, *values: str) -> Any:
    return when(text, lambda at: at.document.payload.get(target) in values)


def _setting(text: str, name: str, *values: Any) -> Any:
    return when(text, lambda at: at.setting(name) in values, settings=(name,))


SALES = _written("it is a sales invoice", "Type", "ACCREC")
TAXED = ~_written("Line Amount Types is No Tax", "LineAmountTypes", "NoTax")
APPROVED = _written("it is approved in Xero", "Status", "AUTHORISED")
TO_BE_APPROVED = _written("it is submitted or approved", "Status", "SUBMITTED", "AUTHORISED")

NUMBERED_BY_XERO = _setting("Xero numbers it", "mag_numbersource", NumberSource.XERO)
NUMBERED_BY_NAME = _setting("it is numbered by its Name", "mag_numbersource", NumberSource.CRM_NAME)
REFERENCE_READ = ~_setting("Reference Source is Description only", "mag_referencesource", ReferenceSource.DESCRIPTION)
DESCRIPTION_READ = ~_setting("Reference Source is Reference only", "mag_referencesource", ReferenceSource.REFERENCE)
MARKED_AS_SENT = _setting("Mark Xero Invoices as Sent is Yes", "mag_markinvoicesassent", True)
E_MAILED = when(
    "Xero will e-mail it (Send Email From Xero, or Send Email by Default)",
    lambda at: at.get("mag_sendemailfromxero") is True or at.setting("mag_sendemailbydefault") is True,
    ("mag_sendemailfromxero",),
    ("mag_sendemailbydefault",),
)
CRM_TAX = ~_setting("Tax Amounts is Always Xero", "mag_taxmode", TaxMode.XERO_CALCULATES)
DOT = when(
    "the Description begins with a full stop",
    lambda at: at.setting("mag_dotdescriptionline") is not False and str(at.get("description") or "").lstrip().startswith("."),
    ("description",),
    ("mag_dotdescriptionline",),
)

NOTE = when("it is a note", lambda at: "@net" not in at.record)
WHOLE = when("the quantity is sent as one whole", lambda at: "@whole" in at.record)
ITEM_LEFT_OUT = when(
    "Xero does not have the item and may not get it (Missing Items)",
    lambda at: at.link("item_codes") is not None and at.get("productid.productnumber") not in at.link("item_codes"),
)


def _item_code(value: Any, at: At) -> Any:
    return ITEM_CODE.write((at.link("item_codes") or {}).get(value, value), at)


ITEM_CODE = text(30)
item_code = Converter(f"{ITEM_CODE.name}, as Xero spells it", _item_code)


def is_note(line: Any) -> bool:
    """Tell whether a line is a write-in of quantity 0 and amount 0: a note or comment (seed 001)."""
    return line.get("isproductoverridden") is True and not any(
        line.get(name) for name in ("quantity", "manualdiscountamount", "tax")
    )


# ── lines, settled in Dynamics' own words ───────────────────────────────────────────────────────────────────────────────────────


def in_order(lines: list[Json], at: At) -> list[Json]:
    last = 1 << 31

    def place(line: Json) -> tuple[int, int, str, str]:
        sequence, item = line.get("sequencenumber"), line.get("lineitemnumber")
        return (
            last if sequence is None else sequence,
            last if item is None else item,
            line.get("createdon") or "",
            line.get("invoicedetailid") or "",
        )

    return [line | {"@line": n} for n, line in enumerate(sorted(lines, key=place), 1)]


NUMBERS = {
    "quantity": "Quantity",
    "priceperunit": "Price Per Unit",
    "volumediscountamount": "Volume Discount",
    "manualdiscountamount": "Manual Discount",
    "tax": "Tax",
    "extendedamount": "Amount",
}


def sound_numbers(lines: list[Json], at: At) -> list[Json]:
    """Xero counts a missing quantity as one, Dynamics as none: every number a line is reckoned with is there afterwards."""
    return [
        line
        | {"quantity": ZERO, "priceperunit": ZERO}
        | {name: _exact(line[name], label, name, at, line["@line"]) for name, label in NUMBERS.items() if line.get(name)}
        for line in lines
    ]


def _exact(value: Any, label: str, name: str, at: At, line: int = 0) -> Decimal:
    """Return the number; one that cannot be sent is reported, and zero goes on in its place."""
    try:
        return number(value or 0)
    except Refused as refused:
        at.refuse(refused.message, refused.fix, where=f"{label} ({name})" + (f", line {line}" if line else ""))
        return ZERO


def bundles(lines: list[Json], at: At) -> list[Json]:
    kept = []
    for line in lines:
        inside = line.get("producttypecode") in INSIDE_A_BUNDLE and not _net(line) and not line.get("tax")
        if inside and at.setting("mag_bundlemode") == BundleMode.HEADER_ONLY:
            continue
        kept.append(line | {"isproductoverridden": True, "quantity": ZERO} if inside else line)
    return kept


def discounts(lines: list[Json], at: At) -> list[Json]:
    settled = []
    for line in lines:
        if is_note(line):
            settled.append(line)
            continue
        gross, net = _gross(line), _net(line)
        if gross >= 0 and net < 0:
            where = f"Manual Discount (manualdiscountamount), line {line['@line']}"
            at.refuse(
                f"The discount {plain(gross - net)} is above the line's amount {plain(gross)}.",
                "Lower the discount of the line.",
                where=where,
            )
        settled.append(line | {"@gross": gross, "@net": net})
    return settled


def header_discount(lines: list[Json], at: At) -> list[Json]:
    charged = [line for line in lines if "@net" in line]
    share = _exact(at.get("discountpercentage"), "Invoice Discount (%)", "discountpercentage", at) / 100
    amount = _exact(at.get("discountamount"), "Invoice Discount", "discountamount", at)
    discount = cents(amount + share * sum((line["@net"] for line in charged), ZERO))
    if not discount:
        return lines
    where = "Invoice Discount (discountamount, discountpercentage)"
    weights = [max(line["@net"], ZERO) for line in charged]
    if discount < 0 or discount > sum(weights):
        raise Refused(
            f"The discount {plain(discount)} on the invoice is below zero or above its lines.",
            "Correct the discount.",
            where=where,
        )
    parts = iter(spread(discount, weights))
    return [line | {"@net": line["@net"] - next(parts)} if "@net" in line else line for line in lines]


def spread(amount: Decimal, weights: list[Decimal]) -> list[Decimal]:
    """Split *amount* (whole cents) over *weights* pro rata, in whole cents and exactly: the largest remainders get the cents left over."""
    total = sum(weights, ZERO)
    shares = [amount * weight / total for weight in weights]
    parts = [share.quantize(CENT, ROUND_FLOOR) for share in shares]
    left = int((amount - sum(parts, ZERO)) / CENT)
    by_remainder = sorted(range(len(parts)), key=lambda n: (parts[n] - shares[n], n))
    for n in by_remainder[:left]:
        parts[n] += CENT
    return parts


def prices(lines: list[Json], at: At) -> list[Json]:
    shown = SALES.holds(at) and at.setting("mag_senddiscount") is not False
    return [_priced(line, shown, at) if "@net" in line else line for line in lines]


def _priced(line: Json, shown: bool, at: At) -> Json:
    """Say quantity, price and discount so that Xero's line is @net to the cent; as one whole where 4 decimals cannot."""
    gross, net, count, price = line["@gross"], line["@net"], _number(line, "quantity"), _number(line, "priceperunit")
    discount = gross - net
    as_discount = (
        shown and 0 <= discount <= price * count
    )  # more, by a part of a cent, and Xero's rounding turns the line negative
    if places(price) <= 4 and places(count) <= 4 and (as_discount or not discount):
        return line | {"manualdiscountamount": discount or None}
    if discount and not as_discount and count and places(count) <= 4:
        unit = (net / count).quantize(UNIT, ROUND_HALF_UP)
        if cents(unit * count) == net:
            return line | {"priceperunit": unit, "manualdiscountamount": None}
    keep = discount if as_discount else ZERO
    told = f"{plain(count)} x @{plain(price)}" + (f" less {plain(discount)}" if discount > keep else "")
    words = line.get("description") or (line.get("productid") or {}).get("name") or line.get("productdescription") or ""
    return line | {
        "description": f"{words}\n{told}".strip(),
        "quantity": 1,
        "priceperunit": net + keep,
        "manualdiscountamount": keep or None,
        "@whole": True,
    }


def _number(line: Json, name: str) -> Decimal:
    return Decimal(line.get(name) or 0)


def _gross(line: Json) -> Decimal:
    return cents(_number(line, "priceperunit") * _number(line, "quantity"))


def _net(line: Json) -> Decimal:
    """Return the line's amount after its own discounts, in cents.

    The volume discount is per unit, the manual one per line, unless the organisation discounts per unit: the line's own
    extendedamount tells which (dataverse: discountcalculationmethod).
    """
    count = _number(line, "quantity")
    base = cents((_number(line, "priceperunit") - _number(line, "volumediscountamount")) * count)
    manual = _number(line, "manualdiscountamount")
    per_line, per_unit = cents(base - manual), cents(base - manual * count)
    if manual and line.get("extendedamount") is not None:
        told = cents(_number(line, "extendedamount") - _number(line, "tax"))
        if told == per_unit != per_line:
            return per_unit
    return per_line


STEPS = (
    Step(
        "In the order of the lines: sequence number, line item number, time of making, id.",
        in_order,
        ("sequencenumber", "lineitemnumber", "createdon", "invoicedetailid"),
    ),
    Step("A number that cannot be sent exactly is refused; an empty quantity or price is zero.", sound_numbers, tuple(NUMBERS)),
    Step(
        "A product inside a bundle that costs nothing becomes a note, or is left out (Bundles). The bundle itself carries the price.",
        bundles,
        ("producttypecode",),
        settings=("mag_bundlemode",),
    ),
    Step(
        "Volume discount (per unit) and manual discount are taken together as one discount of the line.",
        discounts,
        ("isproductoverridden",),
    ),
    Step(
        "A discount on the whole invoice, amount and percentage, is spread over the lines in proportion, exact to the cent.",
        header_discount,
        header=("discountamount", "discountpercentage"),
    ),
    Step(
        "On bills, where Xero knows no discount, and with Show Discounts in Xero = No, the price is sent with the discount taken off, "
        "the line's total exact. What 4 decimals cannot hold is sent as quantity 1, with 'quantity x @price' in the description.",
        prices,
        ("description", "productdescription", "productid.name"),
        settings=("mag_senddiscount",),
    ),
)


def by_category(options: list[Json], at: At) -> list[Json]:
    return sorted(options, key=lambda option: (option.get("_mag_trackingcategoryid_value") or "", option.get("mag_name") or ""))


# ── checks ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def has_a_customer(at: At) -> None:
    where = "Customer (customerid)"
    if not at.get("_customerid_value") and not at.get("customerid_account") and not at.get("customerid_contact"):
        at.refuse("The invoice has no customer.", "Choose its customer.", where=where)
    elif not at.get("customerid_account") and not at.get("customerid_contact"):
        at.refuse(
            "The customer was deleted, or the connector may not read it.",
            "Choose another customer, or give the connector's role read access to it.",
            where=where,
        )


def has_lines(at: At) -> None:
    if not at.get("invoice_details"):
        at.refuse("The invoice has no lines.", "Add at least one product.", where="Products (invoice_details)")


def is_priced(at: At) -> None:
    if at.get("pricingerrorcode"):
        at.refuse(
            f"Dynamics 365 could not work out the price (pricing error {at.get('pricingerrorcode')}).",
            "Correct the product, its unit or the price list until the pricing error is gone.",
            where=at.where("Pricing Error", "pricingerrorcode"),
        )


def is_not_negative(at: At) -> None:
    total = sum((line_amount(line) for line in at.payload.get("LineItems", ())), ZERO)
    if total < 0:
        at.refuse(f"The total {plain(total)} is below zero.", "Send a credit note instead.", where="Total Amount (totalamount)")


def is_not_absurd(at: At) -> None:
    amount = line_amount(at.payload)
    if abs(amount) > LARGEST_LINE:
        at.refuse(
            f"The amount {plain(amount)} is more than Xero holds on a line ({LARGEST_LINE}).",
            "Correct the quantity or the price.",
            where=at.where("Amount", "baseamount"),
        )


def tracking_fits(at: At) -> None:
    where = at.where("Tracking Options", "mag_invoicedetail_trackingoption")
    names = [option.get("Name") for option in at.payload.get("Tracking", ())]
    for name in sorted({name for name in names if name and names.count(name) > 1}):
        at.refuse(f"The line has two tracking options of {name}.", f"Keep one option of {name}.", where=where)
    if len(set(names)) > 2:
        at.refuse(
            "The line has options of more than two tracking categories; Xero takes two.",
            "Keep options of two categories.",
            where=where,
        )


def option_is_active(at: At) -> None:
    where = at.where("Tracking Options", "mag_invoicedetail_trackingoption")
    name, category = at.get("mag_name"), at.get("mag_trackingcategoryid@name")
    known = at.link("tracking_categories")
    status = None if known is None else known.get(at.get("_mag_trackingcategoryid_value"))
    if at.get("mag_xerostatus") not in (None, "", "ACTIVE"):
        at.refuse(
            f"The tracking option {name} is archived in Xero.", "Choose another one, or restore it in Xero.", "bookkeeper", where
        )
    if known is not None and status is None:
        fix = "Choose one of the organisation this record goes to."
        at.refuse(f"The tracking category {category} belongs to another Xero organisation.", fix, where=where)
    elif known is not None and status != "ACTIVE":
        fix = "Choose another one, or restore it in Xero."
        at.refuse(f"The tracking category {category} is archived in Xero.", fix, "bookkeeper", where)


def has_an_account(at: At) -> None:
    if NOTE.holds(at) or "AccountCode" in at.payload or "AccountCode" in at.refused or "ItemCode" in at.payload:
        return
    at.refuse(
        "The line has no account.",
        "Choose a Xero Account Code on the line, or let an administrator choose the connector's default.",
        where=at.where("Xero Account Code", "mag_xeroaccountcodeid"),
    )


PRICED = Check("The price is known to Dynamics 365 (Pricing Error is None).", is_priced, ("pricingerrorcode",))

# fmt: off
TRACKING = local("TRACKING", Mapping("Line Item Tracking", "mag_trackingoption", "LineItemTracking", (
    #       Dynamics 365             logical name                                    Xero                      written as                 note
    Field  ("Name",                  "mag_name",                                     "Option",                 text(100)),
    Field  ("Tracking Category",     "mag_trackingcategoryid@name",                  "Name",                   text(100)),
), checks=(
    Check("Option and category are active in Xero and of the organisation the document goes to.", option_is_active, ("mag_xerostatus", "mag_trackingcategoryid@name", "mag_name")),
)))

LINE = local("LINE", Mapping("Line Items", "invoicedetail", "LineItem", (
    Field  ("Description",           "description",                                  "Description",            text(4000),                "Overwrites the Existing Product or Write In Product Description."),
    Field  ("Existing Product",      "productid.name",                               "Description",            text(4000),                "Only if Description is not provided.", otherwise=True),
    Field  ("Write In Product",      "productdescription",                           "Description",            text(4000),                "Only if Description is not provided.", otherwise=True,
            required="Write what the line is for."),
    Field  ("Existing Product",      "productid.productnumber",                      "ItemCode",               item_code,                 "The Product Number (productnumber). Left out where the quantity is sent as one whole: Xero would count one item.", when=~NOTE & ~WHOLE & ~ITEM_LEFT_OUT),
    Field  ("Quantity",              "quantity",                                     "Quantity",               quantity,                  when=~NOTE),
    Field  ("Price Per Unit",        "priceperunit",                                 "UnitAmount",             unit_amount,               when=~NOTE),
    Field  ("Xero Account Code",     "mag_xeroaccountcodeid",                        "AccountCode",            account_code,              "Set to system default value if not provided.", when=~NOTE),
    Link   ("Account of the item",   "item_accounts",                                "AccountCode",            text(10),                  "The item's sales or purchase account in Xero, if known.", by="productid.productnumber", when=~NOTE, otherwise=True),
    Link   ("Account of the contact", "contact_account",                             "AccountCode",            text(10),                  "The contact's sales or purchase default in Xero, if known.", when=~NOTE, otherwise=True),
    Setting("Default Account Code",  "mag_defaultaccountcodeid",                     "AccountCode",            account_code,              "On sales invoices.", when=~NOTE & SALES, otherwise=True),
    Setting("Default Purchase Account Code", "mag_defaultpurchaseaccountcodeid",     "AccountCode",            account_code,              "On bills.", when=~NOTE & ~SALES, otherwise=True),
    Field  ("Tax Rate",              "mag_taxrateid",                                "TaxType",                tax_type,                  "Set to system default value if not provided.", when=~NOTE & TAXED),
    Setting("Default Tax Rate",      "mag_defaulttaxrateid",                         "TaxType",                tax_type,                  "On sales invoices. Without any, Xero takes the account's.", when=~NOTE & TAXED & SALES, otherwise=True),
    Field  ("Tax",                   "tax",                                          "TaxAmount",              money,                     "Dynamics 365 does not calculate tax automatically.",
            when=~NOTE & TAXED & CRM_TAX & when("the tax is above zero", lambda at: (at.get("tax") or 0) > 0)),
    Lines  ("Tracking Options",      "mag_invoicedetail_trackingoption",             "Tracking",               TRACKING,                  "At most one option of a category, of at most two categories.", many_to_many=True, when=~NOTE,
            steps=(Step("In the order of their categories.", by_category, ("mag_trackingcategoryid@name",)),)),
    Field  ("Manual Discount",       "manualdiscountamount",                         "DiscountAmount",         money,                     "All discounts of the line together. On sales invoices, unless Show Discounts in Xero is No.", when=~NOTE),
), checks=(
    PRICED,
    Check("The amount of a line is at most 9,999,999,999.99.", is_not_absurd),
    Check("At most one tracking option of a category, and options of at most two categories.", tracking_fits),
    Check("Every line that is not a note has an account: its own, its item's, its contact's or the connector's default; a line with an item may leave it to Xero.",
          has_an_account),
)))

FREIGHT = local("FREIGHT", Mapping("Freight Line", "invoice", "LineItem", (
    Constant("Freight",                                                              "Description"),
    Constant(Decimal(1),                                                             "Quantity"),
    Field  ("Freight Amount",        "freightamount",                                "UnitAmount",             money),
    Setting("Freight Account Code",  "mag_freightaccountcodeid",                     "AccountCode",            account_code,              required="Choose the Freight Account Code on the Xero Connector."),
    Setting("Default Tax Rate",      "mag_defaulttaxrateid",                         "TaxType",                tax_type,                  "On sales invoices. Without any, Xero takes the account's.", when=TAXED & SALES),
), checks=(
    Check("The amount of a line is at most 9,999,999,999.99.", is_not_absurd),
)))

DESCRIPTION_LINE = local("DESCRIPTION_LINE", Mapping("Description Line", "invoice", "LineItem", (
    Field  ("Description",           "description",                                  "Description",            after_full_stop(4000)),
)))

HAS_FREIGHT = when("there is a Freight Amount", lambda at: bool(at.get("freightamount")), ("freightamount",))

DATES_TO_CURRENCY = (
    Field  ("Due Date",              "duedate",                                      "DueDate",                date,                      "Needed to submit or approve.", required="Fill in the Due Date: Xero does not approve a document without one.", required_when=TO_BE_APPROVED),
    Field  ("Date Delivered",        "datedelivered",                                "Date",                   local_date("mag_timezone"), "Empty (and not held): the day it is sent, in the connector's Time Zone."),
    Link   ("Customer",              "ContactID",                                    "Contact.ContactID",      guid,                      "See the account and contact tables. Nothing but the ContactID is sent: more would change the contact.", required="Send the invoice again."),
)
CURRENCY = (
    Field  ("Currency",              "transactioncurrencyid.isocurrencycode",        "CurrencyCode",           currency,                  required="Choose the currency of the invoice."),
)
STATUS_AND_AMOUNTS = (
    Setting("Default Xero Invoice Status", "mag_defaultxerostatus",                  "Status",                 choice(STATUS),            "Set to Authorised if the global setting 'Auto Approve Invoices' is enabled, otherwise Draft. Or Submitted."),
    Constant("DRAFT",                                                                "Status",                 "When the setting is empty.", otherwise=True),
    Field  ("Line Amount Types",     "mag_lineamounttypes",                          "LineAmountTypes",        choice(LINE_AMOUNT_TYPES), "Set to Exclusive, unless the invoice says otherwise."),
    Setting("Default Line Amount Types", "mag_defaultlineamounttypes",               "LineAmountTypes",        choice(LINE_AMOUNT_TYPES), "When the invoice does not say.", otherwise=True),
    Constant("Exclusive",                                                            "LineAmountTypes",        "When nobody says.", otherwise=True),
)
LINES = (
    Lines  ("Products",              "invoice_details",                              "LineItems",              LINE,                      "All line items for an invoice are synced at the time the invoice is synced.", steps=STEPS),
    Lines  ("Freight Amount",        "freightamount",                                "LineItems",              FREIGHT,                   "A line of its own.", when=HAS_FREIGHT, of_itself=True),
    Lines  ("Description",           "description",                                  "LineItems",              DESCRIPTION_LINE,          "If the D365 Invoice Description begins with a fullstop ( . ) the description will be added to the Xero Invoice as an additional line item. "
                                                                                                                                          "This is used to add additional information to the invoice.", when=DOT, of_itself=True),
    Link   ("The invoice's page in Dynamics 365", "Url",                             "Url",                    text(2000),                "Shown in Xero as 'Go to …'; our mark, by which the document is known again."),
)

DOCUMENT_CHECKS = (
    Check("There is a customer.", has_a_customer, ("_customerid_value", "customerid_account.accountid", "customerid_contact.contactid")),
    Check("There is at least one line.", has_lines),
    PRICED,
    Check("The total is not below zero.", is_not_negative),
)

SALES_INVOICE = local("SALES_INVOICE", Mapping("Sales Invoice", "invoice", "Invoice", (
    Field  ("Invoice Number",        "invoicenumber",                                "InvoiceNumber",          ascii_text(255),           "Unless Use Xero Invoice Number says otherwise. Xero refuses a number twice, even of a deleted invoice.", when=~NUMBERED_BY_XERO & ~NUMBERED_BY_NAME,
            required="Give the invoice a number, or let Xero number it."),
    Field  ("Name",                  "name",                                         "InvoiceNumber",          ascii_text(255),           "With Use Xero Invoice Number: No, use the Invoice Name.", when=~NUMBERED_BY_XERO & NUMBERED_BY_NAME,
            required="Give the invoice a name, or let Xero number it."),
    *DATES_TO_CURRENCY,
    Field  ("Branding Theme",        "mag_brandingthemeid",                          "BrandingThemeID",        branding_theme),
    Setting("Default Branding Theme", "mag_defaultbrandingthemeid",                  "BrandingThemeID",        branding_theme,            "When the invoice names none.", otherwise=True),
    Field  ("Reference",             "mag_reference",                                "Reference",              one_line(255, cut=True),   when=REFERENCE_READ),
    Field  ("Description",           "description",                                  "Reference",              one_line(255, cut=True),   "Only if Reference is not provided (Reference Source), and unless it begins with a full stop.", when=DESCRIPTION_READ & ~DOT, otherwise=True),
    Field  ("Invoice Number",        "invoicenumber",                                "Reference",              one_line(255, cut=True),   "With Xero's numbering, if the reference is empty.", when=NUMBERED_BY_XERO, otherwise=True),
    *CURRENCY,
    Constant("ACCREC",                                                               "Type",                   "Set to ACCREC."),
    *STATUS_AND_AMOUNTS,
    Constant(True,                                                                   "SentToContact",          "Set to Sent if the global setting 'Mark Xero Invoices as Sent' is enabled. Only on approved invoices, and not on one Xero will e-mail: the e-mail flow marks it.",
             when=MARKED_AS_SENT & APPROVED & ~E_MAILED),
    *LINES,
), checks=DOCUMENT_CHECKS))

BILL = local("BILL", Mapping("Bill (Purchase Invoice)", "invoice", "Invoice", (
    Field  ("Reference",             "mag_reference",                                "InvoiceNumber",          ascii_text(255),           "The supplier's number. Xero shows it as the bill's Reference, and takes no other reference."),
    Field  ("Name",                  "name",                                         "InvoiceNumber",          ascii_text(255),           "If Reference is not provided, with Use Xero Invoice Number: No, use the Invoice Name.", when=NUMBERED_BY_NAME, otherwise=True),
    Field  ("Invoice Number",        "invoicenumber",                                "InvoiceNumber",          ascii_text(255),           "If Reference is not provided. Xero does not number bills.", otherwise=True),
    *DATES_TO_CURRENCY,
    *CURRENCY,
    Constant("ACCPAY",                                                               "Type",                   "Set to ACCPAY."),
    *STATUS_AND_AMOUNTS,
    *LINES,
), checks=DOCUMENT_CHECKS))
# fmt: on


def mapping_of(record: Json) -> Mapping:
    """Return the table an invoice is written by: a bill's for a Purchase Invoice, else a sales invoice's."""
    return BILL if record.get("mag_invoicetype") == InvoiceType.PURCHASE_INVOICE else SALES_INVOICE


def products(record: Json, settings: Json) -> list[Json]:
    """Return the products a line will name as its item, each once: not those of notes, nor of lines sent as one whole."""
    at = At(record, settings, payload={"Type": "ACCPAY" if mapping_of(record) is BILL else "ACCREC"})
    lines: list[Json] = list(record.get("invoice_details") or ())
    try:
        with localcontext(WIDE):
            for step in STEPS:
                lines = step.run(lines, at)
    except Refused:  # and so will be the invoice
        return []
    found = [line["productid"] for line in lines if line.get("productid") and "@net" in line and "@whole" not in line]
    return list({product["productid"]: product for product in found}.values())


TABLES = (SALES_INVOICE, BILL)


def columns() -> Columns:
    """Return everything one push reads of an invoice: for either table, with its customer and the totals to compare."""
    read = Columns(select=frozenset({"mag_invoicetype", "totalamount", "totaltax"}))
    for table in TABLES:
        read = table.columns() | read
    return read | ACCOUNT.columns().under("customerid_account") | CONTACT.columns().under("customerid_contact")


def settings_columns() -> Columns:
    """Return everything one push reads of the connector's row."""
    read = Columns(select=frozenset({"mag_roundingpolicy"})) | Columns(select=frozenset({"mag_code"})).under(
        "mag_roundingaccountcodeid"
    )
    for table in (*TABLES, ACCOUNT, CONTACT):
        read = table.settings_columns() | read
    return read
