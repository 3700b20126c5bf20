"""The flow invoices-from-xero: sales invoices approved in Xero that Dynamics 365 does not have (SPEC 4; A214-A270, K20, K40).

choose  approved, of nobody's row and without our mark; with their payments and the contacts nobody linked, in calls of 40
cross   what Dynamics 365 has of what it names -> price list -> customer -> header, lines, tracking and Sync History in one change set
        -> totals read again and compared -> payments -> status, amounts and state, which close the row, last

Every id is derived from Xero's, so that a try that died half-way is found and finished by the next one. What bears our mark never
comes back: its invoice was sent from here, whether its link was not written yet or its row was deleted since. Nor does an invoice
whose row here was deleted: that was a person's choice.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

from functions import (
    connectors,
    customers,
    deep_links,
    history,
    invoice_status,
    linked,
    mapped,
    payments,
    reference_data,
    xero_lists,
)
from functions.from_xero import Found, FromXero, Reading, want
from functions.history import NAMESPACE, OWNER
from functions.work import Crossed, Work
from mappings.convert import places
from mappings.invoice_from_xero import INVOICE, key, sound
from mappings.table import BIND
from shared.connectors import Connector, Json
from shared.dataverse import answers, query
from shared.errors import Changed, NotFound, Problem, Rejected, Retryable
from shared.services import Operation

FLOW = "invoices-from-xero"
APPROVED = ("AUTHORISED", "PAID")
OUR_PAGE = re.compile(r"https://(?P<host>[^/?#]+)/main\.aspx\?(?P<query>[^#]*)", re.IGNORECASE)
MOST_LINES, MOST_WARNINGS = 900, 50
"""A change set holds 1,000 operations: the header, the lines with their tracking options, and the rows of Sync History."""
WAITS = 4
"""How many tries wait for the reference data, when Xero names an account, a tax rate or the like that Dynamics 365 does not have yet:
a quarter of an hour. Afterwards the invoice crosses without it, with a warning."""
CLOCKS = timedelta(minutes=5)
"""By how much Xero's clock and ours may differ: reference data read that long after the invoice changed has all it names."""
SOLD, FAMILY = (0, 3), 2
"""The states of a product that can be sold (Active, Under Revision), and the structure of one that is a family of others."""
ROUNDING = "rounding"
"""Stands for Xero's id of the line that makes up for a cent: Xero has none."""
TRACKING = "mag_invoicedetail_trackingoption"
TOTALS = ("totalamount", "totaltax", "pricingerrorcode", "_ownerid_value")


# ── choose ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def choose(reading: Reading, documents: Sequence[Json]) -> Iterator[Found]:
    """Yield the invoices to be made in Dynamics 365, each with its contact and its payments.

    Forty at a time: what was yielded is under way when the calls of the minute end, and need not be read again.
    """
    approved = [one for one in documents if concerns(reading.connector, one)]
    rows = linked.read(reading.services, reading.connector, [str(one["InvoiceID"]) for one in approved]).rows
    new = [one for one in approved if _is_open(reading.connector, str(one["InvoiceID"]), rows)]
    for start in range(0, len(new), xero_lists.AT_ONCE):
        yield from _found(reading, new[start : start + xero_lists.AT_ONCE])


def _found(reading: Reading, invoices: Sequence[Json]) -> Iterator[Found]:
    contacts, paid = _unknown_contacts(reading, invoices), _payments(reading, invoices)
    for one in invoices:
        whole = contacts.get(_contact_id(one))
        contact = {"contact": whole or _object(one.get("Contact")), "is_whole": whole is not None}
        body = {"invoice": one, **contact, "payments": paid.get(str(one["InvoiceID"]).lower(), [])}
        yield Found(str(one["InvoiceID"]), xero_lists.version(one), body)


def concerns(connector: Connector, document: Json) -> bool:
    """Tell whether a document is an approved sales invoice that was not sent from this environment."""
    return document.get("Type") == "ACCREC" and document.get("Status") in APPROVED and not is_ours(connector, document.get("Url"))


def is_ours(connector: Connector, url: Any) -> bool:
    """Tell whether *url* is our mark: the page of an invoice of the connector's environment (``invoices.page_of``)."""
    page = OUR_PAGE.match(unquote(url).strip()) if isinstance(url, str) else None
    return bool(
        page and page["host"].lower() == connector.environment.lower() and "etn=invoice" in page["query"].lower().split("&")
    )


def row_of(connector: Connector, xero_id: str) -> str:
    """Return the id of the row that an invoice of Xero becomes."""
    return str(uuid.uuid5(NAMESPACE, f"{connector.key}|invoice|{xero_id.lower()}"))


def _is_open(connector: Connector, xero_id: str, rows: Mapping[str, list[str]]) -> bool:
    """Tell whether nobody's row is the invoice, or only the one an earlier try made: that one may not be finished."""
    found = rows.get(xero_id.lower(), [])
    return not found or row_of(connector, xero_id) in found


def _unknown_contacts(reading: Reading, invoices: Sequence[Json]) -> dict[str, Json]:
    """Return the whole Contacts of those invoices whose customer is linked to nobody yet: a list gives their names alone."""
    services, connector = reading.services, reading.connector
    ids = dict.fromkeys(contact_id for one in invoices if (contact_id := _contact_id(one)))
    unknown = [contact_id for contact_id in ids if not customers.rows_of(services, connector, contact_id)]
    found = xero_lists.by_ids(services, connector, xero_lists.CONTACTS, unknown, reading.lane)
    return {str(one["ContactID"]).lower(): one for one in found}


def _payments(reading: Reading, invoices: Sequence[Json]) -> dict[str, list[Json]]:
    """Return the payments by invoice: those inside an invoice do not name their account."""
    if reading.connector.settings.get("mag_createpaymentrows") is False:
        return {}
    paid = [str(one["InvoiceID"]) for one in invoices if one.get("Payments")]
    found: dict[str, list[Json]] = {}
    for payment in _payments_of(reading, paid) if paid else ():
        invoice_id = str(_object(payment.get("Invoice")).get("InvoiceID") or "").lower()
        found.setdefault(invoice_id, []).append(payment)
    return found


def _payments_of(reading: Reading, invoice_ids: Sequence[str]) -> Iterator[Json]:
    """Yield the payments of some invoices, page by page; Retryable when an answer holds no list."""
    where, number, pages = xero_lists.among("Invoice.InvoiceID", invoice_ids), 1, 1
    while number <= pages:
        found, pages = xero_lists.read_page(
            reading.services, reading.connector, xero_lists.PAYMENTS, number, reading.lane, where=where
        )
        yield from found
        number += 1


def _contact_id(invoice: Json) -> str:
    contact_id = str(_object(invoice.get("Contact")).get("ContactID") or "").lower()
    return contact_id if xero_lists.is_id(contact_id) else ""


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


# ── cross ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Known:
    """What Dynamics 365 has of what an invoice names.

    ``row`` is the invoice itself, if it is there; ``links`` is what the tables ask for; ``options`` are the tracking options by Xero's
    id and by category row and name; ``codes`` say what Xero names and the reference data has not.
    """

    row: Json | None
    price_list: Json | None
    links: Json
    options: Mapping[str, str]
    codes: Sequence[str] = field(default_factory=tuple)


def cross(work: Work, body: Json) -> Crossed:
    """Make one invoice of Xero in Dynamics 365, or finish what an earlier try began."""
    invoice = sound(_object(body.get("invoice")))
    try:
        return _cross(work, body, invoice)
    except Rejected as error:
        if work.about.startswith("invoice/"):
            raise
        name = f"Invoice {invoice.get('InvoiceNumber') or invoice['InvoiceID']} of Xero"
        raise Rejected(tuple(replace(one, message=f"{name}: {one.message}") for one in error.problems)) from error
    except NotFound as error:  # of a row it was to be bound to: never let it mean that the invoice is gone
        raise Changed(f"A row the invoice needs was deleted in Dynamics 365 meanwhile: {error}") from error


def _cross(work: Work, body: Json, invoice: Json) -> Crossed:
    xero_id = str(invoice["InvoiceID"]).lower()
    row_id = row_of(work.connector, xero_id)
    known = _known(work, invoice, row_id)
    if known.row is not None and str(known.row["invoiceid"]) != row_id:
        return Crossed("", "The invoice is already in Dynamics 365.", xero_id, f"invoice/{known.row['invoiceid']}")
    if known.row is None:
        _make(work, body, invoice, known, row_id)
    else:
        work.about, work.record = f"invoice/{row_id}", known.row
    _compare(work, invoice, row_id)
    facts = invoice_status.facts_of(body["invoice"])
    problems = _pay(work, body, facts, row_id)
    invoice_status.mirror(work, facts, row_id)
    if work.is_old:  # its status may have been read while the row was nobody's
        want(work, invoice_status.FLOW, invoice_status.TABLE, [xero_id])
    if problems:
        raise Rejected(tuple(problems))
    return Crossed("Create", _done(invoice, xero_id), xero_id, f"invoice/{row_id}")


def _done(invoice: Json, xero_id: str) -> str:
    return f"Invoice {invoice.get('InvoiceNumber', '')} has been created from Xero - {xero_id}".replace("  ", " ")


def _make(work: Work, body: Json, invoice: Json, known: Known, row_id: str) -> None:
    """Make the invoice with its lines, nothing before all that can be refused is known."""
    if sum(1 + len(line["Tracking"]) for line in invoice["LineItems"]) > MOST_LINES:
        raise Rejected((_too_long(invoice),))
    price_list, new_list = _price_list(work, invoice, known)
    known.links["price_list"] = price_list
    _written(work, invoice, known)
    _wait_for(work, body["invoice"], known.codes)
    customer = customers.of_contact(work, _object(body.get("contact")), is_whole=body.get("is_whole") is True)
    table, _, customer_id = customer.partition("/")
    known.links[table] = customer_id
    operations = [query.read(table, customer_id, ("_ownerid_value",)), *new_list]
    replies = work.services.dataverse.send(work.connector.environment, operations)
    work.about, work.record = customer, answers.result(replies[0], write=False)
    for reply in replies[1:]:
        try:
            answers.result(reply)
        except answers.Duplicate:
            continue  # it is there already
    try:
        _write(work, invoice, known, row_id)
    except answers.Duplicate as error:
        raise _duplicate(work, row_id, error) from error
    except Rejected as error:
        _write(work, invoice, _as_write_ins(known, error), row_id)
    work.about = f"invoice/{row_id}"


def _write(work: Work, invoice: Json, known: Known, row_id: str) -> None:
    """Write header, lines, tracking and Sync History in one change set; an invoice that is there already is left alone (Duplicate)."""
    header, warnings = _written(work, invoice, known)
    lines = header.pop("invoice_details", [])
    tracking = {line["LineItemID"]: _options(line, known) for line in invoice["LineItems"]}
    if owner := history.owner_bind(work.record):
        header[OWNER] = owner
    operations = [Operation("PATCH", query.row("invoice", row_id), header, {"If-None-Match": "*"}, change_set="made")]
    for number, line in enumerate(lines, 1):
        xero_line_id = line.pop("invoicedetailid", ROUNDING)
        line_id = _line_id(work.connector, row_id, xero_line_id)
        line.pop(TRACKING, None)
        columns = {f"invoiceid{BIND}": f"/invoices({row_id})", "lineitemnumber": number, **line}
        operations.append(
            Operation("PATCH", query.row("invoicedetail", line_id), columns, {"If-None-Match": "*"}, change_set="made")
        )
        operations += [_association(work.connector, line_id, option) for option in tracking.get(xero_line_id, ())]
    told = replace(work, about=f"invoice/{row_id}", warnings=warnings)
    xero_id = str(invoice["InvoiceID"]).lower()
    crossed = Crossed("Create", _done(invoice, xero_id), xero_id)
    history.send(told, [*operations, *history.success(told, crossed, change_set="made")])


def _written(work: Work, invoice: Json, known: Known) -> tuple[Json, list[Problem]]:
    """Return the invoice by its table, and what its reader should know; raise Rejected with all that is wrong with it."""
    header, warnings = mapped.apply(work, INVOICE, invoice, known.links)
    warnings += known.links.get("warnings", ())
    warnings += [
        _no_option(option) for line in invoice["LineItems"] for option in line["Tracking"] if _option(option, known) is None
    ]
    more = Problem(
        f"There are {len(warnings) - MOST_WARNINGS} more warnings like these.",
        fix="Compare the lines with the invoice in Xero.",
        who="bookkeeper",
    )
    return header, warnings if len(warnings) <= MOST_WARNINGS else [*warnings[:MOST_WARNINGS], more]


def _line_id(connector: Connector, row_id: str, xero_id: str) -> str:
    """Return the id of a line's row, derived from Xero's id of the line and from its invoice."""
    return str(uuid.uuid5(NAMESPACE, f"{connector.key}|invoicedetail|{row_id}|{xero_id}"))


def _association(connector: Connector, line_id: str, option: str) -> Operation:
    """Return what links a line to its tracking option; in the change set of the line, which may be closed by whoever comes next."""
    target = f"https://{connector.environment}/{query.API.strip('/')}/{query.row('mag_trackingoption', option)}"
    return Operation("POST", f"{query.row('invoicedetail', line_id)}/{TRACKING}/$ref", {"@odata.id": target}, change_set="made")


def _as_write_ins(known: Known, error: Rejected) -> Known:
    """Return *known* without its products, so that their lines become write-ins; raise *error* where there is nothing to change.

    Dataverse says of a change set only that something in it was refused: a product without a price, a unit of another group.
    """
    links = known.links
    if not links["products"] or links["write_ins"] is False:
        raise error
    problem = Problem(
        f"Dynamics 365 refused the products of the invoice ({error}), so that its lines are write-in products.",
        "Item Code",
        "A product, its unit or its price does not fit the invoice.",
        "Correct the product in Dynamics 365 before its next invoice, if it should be counted.",
        "salesperson",
    )
    return replace(known, links=links | {"products": {}, "warnings": [problem]})


def _duplicate(work: Work, row_id: str, error: answers.Duplicate) -> Exception:
    """Return what an invoice that is there already means: another worker made it, or a row of its own stands in its way."""
    there = query.selection("invoice", ("invoiceid",), f"invoiceid eq {row_id}")
    if answers.result(work.services.dataverse.send(work.connector.environment, [there])[0], write=False)["value"]:
        return error
    return Rejected(
        (
            Problem(
                f"Dynamics 365 has a row already that must not be there twice: {error}",
                "Invoice Number (invoicenumber)",
                "The invoice was entered by hand, and a rule or a key of the environment keeps its number unique.",
                "Give that row the Xero Id and the Xero Connector, so that it is known; or change its number.",
                "administrator",
            ),
        )
    )


def _too_long(invoice: Json) -> Problem:
    return Problem(
        f"It has {len(invoice['LineItems'])} lines; the connector takes up to {MOST_LINES}, their tracking options counted in.",
        "Line Items",
        "An invoice is written at once or not at all, and Dynamics 365 takes only so much at once.",
        "Enter it in Dynamics 365 by hand, with its Xero Id and Xero Connector: its status and payments then follow.",
        "salesperson",
    )


# ── what Dynamics 365 has of what an invoice names ──────────────────────────────────────────────────────────────────────────────


def _known(work: Work, invoice: Json, row_id: str) -> Known:
    """Read in one round trip everything the invoice names."""
    services, connector = work.services, work.connector
    asked = _questions(connector, invoice, row_id)
    operations = [operation for some in asked.values() for operation in some]
    pages = iter(answers.results(operations, services.dataverse.send(connector.environment, operations)))
    found = {name: [row for _ in some for row in next(pages)["value"]] for name, some in asked.items()}
    flags: Json = next(iter(found["organization"]), {})
    products, unknown = _products(invoice["LineItems"], found["product"])
    categories, options = _tracking(found["mag_trackingcategory"], found["mag_trackingoption"])
    links: Json = {
        "currency": next((row["transactioncurrencyid"] for row in found["transactioncurrency"] if row["statecode"] == 0), None),
        "connector": connector.id,
        "deep_link": deep_links.invoice(connector, "ACCREC", str(invoice["InvoiceID"])),
        "now": history.instant(work.now),
        "themes": _by(found["mag_brandingtheme"], "mag_brandingthemeid", "mag_xerobrandingthemeid"),
        "accounts": _by(found["mag_xeroaccountcode"], "mag_xeroaccountcodeid", "mag_code", "mag_xeroaccountid"),
        "tax_rates": _by(found["mag_taxrate"], "mag_taxrateid", "mag_taxtype"),
        "categories": categories,
        "products": products,
        "unknown_products": unknown,
        "price_places": flags.get("pricingdecimalprecision"),
        "discount_per_unit": flags.get("discountcalculationmethod") == 1,
        "write_ins": flags.get("iswriteinproductsallowed"),
    }
    rows = sorted(found["invoice"], key=lambda row: str(row["invoiceid"]) != row_id)
    known = Known(next(iter(rows), None), next(iter(found["pricelevel"]), None), links, options)
    return replace(known, codes=_unknown_codes(invoice, known))


def _questions(connector: Connector, invoice: Json, row_id: str) -> dict[str, list[Operation]]:
    """Return what to ask of each table; of those the invoice names nothing of, nothing."""
    lines = invoice["LineItems"]
    ours = f"_mag_xeroconnectorid_value eq {connector.id}"
    xero_id = query.quoted(str(invoice["InvoiceID"]).lower())
    code = str(invoice.get("CurrencyCode", ""))
    named = {name: _named(lines, name) for name in ("ItemCode", "AccountID", "AccountCode", "TaxType")}
    account = [*query.among("mag_xeroaccountid", named["AccountID"]), *query.among("mag_code", named["AccountCode"])]
    tracked = any(line["Tracking"] for line in lines)

    def ask(table: str, columns: tuple[str, ...], filters: Iterable[str]) -> list[Operation]:
        return [query.selection(table, (f"{table}id", *columns), where) for where in filters]

    # fmt: off
    return {
        "invoice": ask("invoice", ("_ownerid_value",), [f"mag_xeroid eq {xero_id} or invoiceid eq {row_id}"]),
        "transactioncurrency": ask("transactioncurrency", ("statecode",), [f"isocurrencycode eq {query.quoted(code)}"] if code else []),
        "organization": ask("organization", ("pricingdecimalprecision", "discountcalculationmethod", "iswriteinproductsallowed"), [""]),
        "pricelevel": ask("pricelevel", ("statecode",), [f"pricelevelid eq {_new_list_id(connector, code)}"]),
        "product": ask("product", ("productnumber", "statecode", "productstructure", "quantitydecimal", "_defaultuomid_value"), query.among("productnumber", named["ItemCode"])),
        "mag_xeroaccountcode": ask("mag_xeroaccountcode", ("mag_code", "mag_xeroaccountid"), [f"{one} and {ours}" for one in account]),
        "mag_taxrate": ask("mag_taxrate", ("mag_taxtype",), [f"{one} and {ours}" for one in query.among("mag_taxtype", named["TaxType"])]),
        "mag_brandingtheme": ask("mag_brandingtheme", ("mag_xerobrandingthemeid",), [ours] if "BrandingThemeID" in invoice else []),
        "mag_trackingcategory": ask("mag_trackingcategory", ("mag_name", "mag_xerotrackingcategoryid"), [ours] if tracked else []),
        "mag_trackingoption": ask("mag_trackingoption", ("mag_name", "mag_xerotrackingoptionid", "_mag_trackingcategoryid_value"),
                                  [f"mag_trackingcategoryid/{ours}"] if tracked else []),
    }
    # fmt: on


def _named(lines: Sequence[Json], name: str) -> list[str]:
    return list(dict.fromkeys(str(line[name]) for line in lines if name in line))


def _by(rows: Iterable[Json], id_column: str, *columns: str) -> dict[str, str]:
    return {key(row[column]): str(row[id_column]) for column in columns for row in rows if row.get(column)}


def _products(lines: Sequence[Json], rows: Iterable[Json]) -> tuple[dict[str, Json], dict[str, str]]:
    """Return the products lines may name, by number, and why the others may not be named."""
    found = {key(row["productnumber"]): row for row in sorted(rows, key=lambda row: row["statecode"] != 0, reverse=True)}
    usable: dict[str, Json] = {}
    unknown: dict[str, str] = {}
    for code in _named(lines, "ItemCode"):
        row = found.get(key(code))
        if row is None:
            unknown[key(code)] = f"No product of Dynamics 365 has the number {code}"
        elif row["statecode"] not in SOLD or row.get("productstructure") == FAMILY:
            unknown[key(code)] = f"The product {code} is not active in Dynamics 365"
        elif row.get("quantitydecimal") is not None and _most_places(lines, code) > row["quantitydecimal"]:
            unknown[key(code)] = f"The product {code} takes quantities of {row['quantitydecimal']} decimals at most"
        elif not row.get("_defaultuomid_value"):
            unknown[key(code)] = f"The product {code} has no default unit in Dynamics 365"
        else:
            usable[key(code)] = {"productid": row["productid"], "uomid": row["_defaultuomid_value"]}
    return usable, unknown


def _most_places(lines: Sequence[Json], code: str) -> int:
    of_it = (line for line in lines if key(line.get("ItemCode", "")) == key(code))
    return max((places(line["Quantity"]) for line in of_it if "Quantity" in line), default=0)


def _tracking(categories: Iterable[Json], options: Iterable[Json]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the rows of categories by id and name, and those of options by id, and by category row and name."""
    by_name = _by(categories, "mag_trackingcategoryid", "mag_name", "mag_xerotrackingcategoryid")
    found = {
        f"{row['_mag_trackingcategoryid_value']}|{key(row['mag_name'])}": str(row["mag_trackingoptionid"]) for row in options
    }
    return by_name, found | _by(options, "mag_trackingoptionid", "mag_xerotrackingoptionid")


def _unknown_codes(invoice: Json, known: Known) -> tuple[str, ...]:
    """Return what Xero names and the connector's reference data in Dynamics 365 has not, in words."""
    links, missing = known.links, []
    if "BrandingThemeID" in invoice and key(invoice["BrandingThemeID"]) not in links["themes"]:
        missing.append("its branding theme")
    for line in invoice["LineItems"]:
        accounts = [key(line[name]) for name in ("AccountID", "AccountCode") if name in line]
        if accounts and not any(one in links["accounts"] for one in accounts):
            missing.append(f"the account {line.get('AccountCode') or line['AccountID']}")
        if "TaxType" in line and key(line["TaxType"]) not in links["tax_rates"]:
            missing.append(f"the tax rate {line['TaxType']}")
        missing += [f"the tracking option {_name(option)}" for option in line["Tracking"] if _option(option, known) is None]
    return tuple(dict.fromkeys(missing))


def _options(line: Json, known: Known) -> list[str]:
    """Return the rows of a line's tracking options, as far as there are any."""
    found = (_option(option, known) for option in line["Tracking"])
    return list(dict.fromkeys(row for row in found if row))


def _option(option: Json, known: Known) -> str | None:
    """Return the row of a line's tracking option: by its id, else by its name within its category."""
    if found := known.options.get(key(option.get("TrackingOptionID") or "")):
        return found
    categories = known.links["categories"]
    category = categories.get(key(option.get("TrackingCategoryID") or "")) or categories.get(key(option.get("Name") or ""))
    return known.options.get(f"{category}|{key(option.get('Option') or '')}")


def _name(option: Json) -> str:
    return str(option.get("Option") or option.get("TrackingOptionID"))


def _wait_for(work: Work, invoice: Json, codes: Sequence[str]) -> None:
    """Have the reference data read again, and the invoice wait for it, when Xero names what it does not have yet (K24).

    What is missing from reference data that was read since the invoice changed will not come: waiting would only cost calls.
    """
    if not codes or work.message.attempt > WAITS:
        return
    changed, read = xero_lists.changed_at(invoice), reference_data.read_at(work.services, work.connector)
    if changed and read and read - CLOCKS > changed:
        return
    reference_data.ask_for_refresh(work.services, work.connector)
    raise Retryable(f"Xero names {', '.join(codes)}, not yet in Dynamics 365: the reference data is read again first.")


# ── currency and price list (K20) ───────────────────────────────────────────────────────────────────────────────────────────────


def _price_list(work: Work, invoice: Json, known: Known) -> tuple[str, list[Operation]]:
    """Return the price list of the invoice's currency, with the write that makes it where it is not there yet.

    The connector's Xero Price List of the currency, its Default Price List, or one of our own where it may make them. Raises Rejected
    naming what is missing.
    """
    code, currency = str(invoice.get("CurrencyCode", "")), known.links["currency"]
    if currency is None:
        raise Rejected((_no_currency(code),))
    settings = work.connector.settings
    for one in settings.get(connectors.PRICE_LISTS, ()):
        if one["currency"] == currency:
            if _fits(one, currency):
                return str(one["pricelevelid"]), []
            raise Rejected((_wrong_list(code, one),))
    default = settings.get("mag_defaultpricelistid") or {}
    if default and _fits(default, currency):
        return str(settings["_mag_defaultpricelistid_value"]), []
    if settings.get("mag_createpricelists") is not True or (known.price_list or {}).get("statecode", 0) != 0:
        raise Rejected((_no_price_list(code, default),))
    new = _new_list_id(work.connector, code)
    columns = {"name": f"Xero {code}", f"transactioncurrencyid{BIND}": f"/transactioncurrencies({currency})"}
    made = Operation("PATCH", query.row("pricelevel", new), columns, {"If-None-Match": "*"})
    return new, [] if known.price_list else [made]


def _fits(price_list: Json, currency: str) -> bool:
    return price_list.get("statecode", 0) == 0 and price_list.get("_transactioncurrencyid_value") == currency


def _new_list_id(connector: Connector, code: str) -> str:
    return str(uuid.uuid5(NAMESPACE, f"{connector.environment}|pricelevel|{code}"))


def _no_currency(code: str) -> Problem:
    if not code:
        return Problem(
            "Xero does not say its currency.",
            "Currency (CurrencyCode)",
            "Xero gave the invoice without its currency.",
            "Open the invoice in Xero and save it again.",
            "bookkeeper",
        )
    return Problem(
        f"Its currency, {code}, is not an active currency of Dynamics 365.",
        "Currency (CurrencyCode)",
        "An invoice in Dynamics 365 needs a currency that is set up there.",
        f"Add or activate the currency {code} in Dynamics 365; the invoice then comes by itself.",
        "administrator",
    )


def _no_price_list(code: str, default: Json) -> Problem:
    named = f" The Default Price List, {default.get('name')}, has another currency or is not active." if default else ""
    return Problem(
        f"The connector has no price list for the currency {code}.{named}",
        "Price Lists (mag_xeropricelist), Default Price List (mag_defaultpricelistid)",
        "An invoice in Dynamics 365 needs a price list of its own currency.",
        f"Add a row for {code} under Price Lists of the Xero Connector, choose a Default Price List in {code}, or set Create Price Lists to"
        " Yes; the invoice then comes by itself.",
        "administrator",
    )


def _wrong_list(code: str, price_list: Json) -> Problem:
    return Problem(
        f"The price list {price_list.get('name') or 'chosen'} for the currency {code} has another currency, or is not active.",
        "Price Lists (mag_xeropricelist)",
        "An invoice and its price list have the same currency in Dynamics 365.",
        f"Choose an active price list in {code} under Price Lists of the Xero Connector; the invoice then comes by itself.",
        "administrator",
    )


# ── after the change set ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _no_option(option: Json) -> Problem:
    return Problem(
        f"The tracking option {_name(option)} is not among the connector's reference data in Dynamics 365; the line goes without it.",
        "Tracking",
        "It was added or renamed in Xero, and has not been read since.",
        "Refresh the reference data, then choose it on the line.",
        "administrator",
    )


def _compare(work: Work, invoice: Json, row_id: str) -> None:
    """Read the totals Dynamics 365 has worked out and warn when they are not Xero's, or when it could not price a line.

    They may be worked out only when the row is next read: a difference counts when it is there twice.
    """
    environment, dataverse = work.connector.environment, work.services.dataverse
    problems: list[Problem] = []
    for _ in range(2):
        work.record = answers.result(dataverse.send(environment, [query.read("invoice", row_id, TOTALS)])[0], write=False)
        problems = list(_differences(invoice, work.record))
        if not problems:
            return
    told = replace(work, fingerprint="totals")  # a later try says the same, however it read the invoice
    history.send(told, [history.warning(told, problem) for problem in problems])


def _differences(invoice: Json, row: Json) -> Iterator[Problem]:
    total, tax = Decimal(row.get("totalamount") or 0), Decimal(row.get("totaltax") or 0)
    ours = {"SubTotal": total - tax, "TotalTax": tax, "Total": total}
    told = [
        f"{name} is {invoice[name]:,.2f} in Xero, {amount:,.2f} in Dynamics 365"
        for name, amount in ours.items()
        if name in invoice and invoice[name] != amount
    ]
    if told:
        yield Problem(
            f"The totals differ: {'; '.join(told)}.",
            "Total Amount (totalamount)",
            "Dynamics 365 rounds in another way, has decimals of its own, or a rule of yours changed a line.",
            "Compare the two documents; Xero's amounts stand in the columns of the connector.",
            "bookkeeper",
        )
    if row.get("pricingerrorcode"):
        yield Problem(
            f"Dynamics 365 could not work out a price (pricing error {row['pricingerrorcode']}).",
            "Pricing Error (pricingerrorcode)",
            "A product is not in the price list of the invoice, or its unit is not.",
            "Add the product to the price list, then save the line again.",
            "salesperson",
        )


def _pay(work: Work, body: Json, facts: Json, row_id: str) -> list[Problem]:
    """Write a row for each payment (A263); return why some were refused: they hold back neither the others nor the state.

    One that was made after the invoice was read is left to the flow of the payments: the mirror would take its row back.
    """
    problems: list[Problem] = []
    if work.settings.get("mag_createpaymentrows") is False:
        return problems
    named = {str(one["PaymentID"]).lower() for one in facts["Payments"] or ()}
    for payment in body.get("payments") or ():
        if payment.get("PaymentType") in payments.TYPES and str(payment.get("PaymentID")).lower() in named:
            try:
                payments.written(work, payments.facts_of(payment), row_id)
            except Rejected as error:
                problems += error.problems
    return problems


SOURCE = FromXero(xero_lists.INVOICES, choose, cross, once=True)
