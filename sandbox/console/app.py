"""The console: the board, the pages of Dynamics 365 (an invoice's record, customers) and the forms a person sends there."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

import requests
from flask import Flask, Response, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from mappings.choices import ExportStatus
from sandbox.console import forms, xero_pages
from sandbox.console import record as beside
from sandbox.console.board import CURRENCY, Invoice, Reader, money, plain, tone
from sandbox.console.forms import Form, Wrong
from sandbox.demo import dynamics as dynamics_365
from sandbox.demo import xero
from sandbox.demo.dynamics import Dynamics, Json, label
from sandbox.demo.story import AUCKLAND, midnight, today
from sandbox.demo.xero import Books

LINES = 3
TRACKING = "mag_invoicedetail_trackingoption"
SHOWN = (
    ("Customer", "_customerid_value"), ("Name", "name"), ("State", "statecode"), ("Status Reason", "statuscode"), ("Invoice Type", "mag_invoicetype"), ("Currency", "_transactioncurrencyid_value"),
    ("Date Delivered", "datedelivered"), ("Due Date", "duedate"), ("Total Amount", "totalamount"), ("Description", "description"),
    ("Reference", "mag_reference"), ("Line Amount Types", "mag_lineamounttypes"), ("Xero Connector", "_mag_xeroconnectorid_value"),
    ("Add to Xero", "mag_addtoxero"), ("Synched With Xero", "mag_synchedwithxero"), ("Export Status", "mag_exportstatus"),
    ("Export Date", "mag_exportdate"), ("Xero Id", "mag_xeroid"), ("Xero Invoice Number", "mag_xeroinvoicenumber"),
    ("Xero Invoice Status", "mag_xeroinvoicestatus"), ("Xero Invoice URL", "mag_xeroinvoiceurl"), ("Xero Pay Now Link", "mag_xeropaynowlink"),
    ("Xero Tax", "mag_xerotax"), ("Amount Due", "mag_amountdue"), ("Amount Paid", "mag_amountpaid"), ("Amount Credited", "mag_amountcredited"),
)  # fmt: skip


def create_app(dynamics: Dynamics, books: Mapping[str, Books], look: Callable[[], None], app_url: str) -> Flask:
    """Build the console; *look* asks the app to look for what is due, as the webhooks will."""
    app = Flask(__name__)
    app.secret_key = secrets.token_bytes(32)
    app.jinja_env.filters.update(money=money, plain=plain, tone=tone)
    app.jinja_env.globals.update(app_url=app_url)
    reader = Reader(dynamics, books)

    @app.before_request
    def only_from_here() -> AnyResponse | None:
        """Answer this machine's own browser only, and no form of another site."""
        if request.host.partition(":")[0] not in ("localhost", "127.0.0.1"):
            abort(403)
        origin = request.headers.get("Origin")
        if request.method == "POST" and origin is not None and origin != request.host_url.rstrip("/"):
            abort(403)
        return None

    @app.after_request
    def closed(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = (
            "default-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
        )
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        return response

    @app.errorhandler(requests.RequestException)
    def away(error: requests.RequestException) -> tuple[str, int]:
        return render_template("away.html"), 503

    @app.get("/healthz")
    def health() -> str:
        return "ok"

    @app.get("/")
    def board() -> str:
        return render_template("board.html", board=reader.board(), new=_choices(dynamics), lines=range(LINES))

    @app.get("/board")
    def sides() -> Response:
        html = f'<div id="sides">{render_template("sides.html", board=reader.board())}</div>'
        response = Response(html, content_type="text/html; charset=utf-8")
        response.set_etag(hashlib.sha256(html.encode()).hexdigest()[:32])
        response.headers["Cache-Control"] = "no-cache"
        response.make_conditional(request)
        return response

    @app.post("/invoices")
    def new_invoice() -> AnyResponse:
        def write() -> str:
            row = dynamics.create("invoices", _invoice(dynamics, request.form))
            return f"{row['invoicenumber']} is written."

        return _done(write, url_for("board"))

    @app.get("/invoices/<uuid:id>")
    def record(id: object) -> str | tuple[str, int]:
        try:
            row = dynamics.read(f"invoices({id})", expand=CURRENCY)
        except dynamics_365.Refused as refused:
            return render_template("message.html", title="There is no such invoice", message=str(refused)), 404
        lines = _lines(dynamics, str(id))
        columns = [(words, label(row, name) or row.get(name)) for words, name in SHOWN]
        return render_template(
            "record.html",
            invoice=Invoice.of(row, reader.environment),
            row=row,
            columns=columns,
            lines=lines,
            payments=beside.payments(dynamics, str(id)),
            credit_notes=beside.credit_notes(dynamics, str(id)),
            events=reader.events(str(id)),
            choices=_choices(dynamics),
            codes=_codes(dynamics),
            day=_day(row.get("datedelivered")),
        )

    @app.post("/invoices/<uuid:id>")
    def change(id: object) -> AnyResponse:
        def write() -> str:
            dynamics.change(f"invoices({id})", **_changes(request.form))
            return "The invoice is changed."

        return _done(write, url_for("record", id=id))

    @app.post("/invoices/<uuid:id>/lines/<uuid:line>")
    def change_line(id: object, line: object) -> AnyResponse:
        def write() -> str:
            bound = {
                f"{column}@odata.bind": f"/{table}({request.form[column]})"
                for column, table in (("mag_xeroaccountcodeid", "mag_xeroaccountcodes"), ("mag_taxrateid", "mag_taxrates"))
                if request.form.get(column)
            }
            dynamics.change(f"invoicedetails({line})", **bound)
            return "The line is changed."

        return _done(write, url_for("record", id=id))

    @app.post("/invoices/<uuid:id>/add-to-xero")
    def add_to_xero(id: object) -> AnyResponse:
        wanted = request.form.get("value") == "yes"

        def write() -> str:
            dynamics.change(f"invoices({id})", mag_addtoxero=wanted)
            return f"Add to Xero is {'Yes' if wanted else 'No'}."

        return _done(write, _back(id))

    @app.post("/invoices/<uuid:id>/try-again")
    def try_again(id: object) -> AnyResponse:
        def write() -> str:
            dynamics.change(f"invoices({id})", mag_exportstatus=ExportStatus.NO.value)
            return "Export Status is No: it is tried again at once."

        return _done(write, _back(id))

    @app.get("/main.aspx")
    def marked() -> AnyResponse:
        """Open the page our mark on a Xero document names (main.aspx?…&etn=invoice&id=…)."""
        if request.args.get("etn") != "invoice":
            return redirect(url_for("board"))
        return redirect(f"/invoices/{request.args.get('id', '')}")

    @app.get("/customers")
    def customers() -> str:
        return render_template("customers.html", customers=list(beside.customers(dynamics)))

    @app.get("/customers/<set>/<uuid:id>")
    def customer(set: str, id: object) -> str | tuple[str, int]:
        if set not in beside.CUSTOMERS:
            abort(404)
        try:
            found = beside.customer(dynamics, set, str(id))
        except dynamics_365.Refused as refused:
            return render_template("message.html", title="There is no such customer", message=str(refused)), 404
        return render_template(
            "customer.html",
            customer=found,
            invoices=beside.invoices_of(dynamics, str(id), reader.environment),
            events=reader.events(str(id), beside.CUSTOMERS[set][0]),
        )

    def _done(write: Callable[[], str], back: str) -> AnyResponse:
        try:
            flash(write(), "good")
        except (Wrong, dynamics_365.Refused, xero.Refused) as refused:
            flash(str(refused), "bad")
        reader.forget()
        look()
        return redirect(back, 303)

    def _back(id: object) -> str:
        return url_for("record", id=id) if request.form.get("from") == "record" else url_for("board")

    xero_pages.add(app, books, reader, _done)
    return app


def _choices(dynamics: Dynamics) -> dict[str, list[tuple[str, str]]]:
    """Return what can be chosen in a form: (value, words)."""
    accounts = dynamics.read("accounts", select="accountid,name", orderby="name", filter="statecode eq 0")["value"]
    contacts = dynamics.read("contacts", select="contactid,fullname", orderby="fullname", filter="statecode eq 0")["value"]
    products = dynamics.read("products", select="productid,name,productnumber,_defaultuomid_value", orderby="name")["value"]
    connectors = dynamics.read("mag_xeroconnectors", select="mag_xeroconnectorid,mag_name", orderby="mag_name")["value"]
    customers = [(f"accounts({row['accountid']})", row["name"]) for row in accounts]
    customers += [(f"contacts({row['contactid']})", f"{row['fullname']} (person)") for row in contacts]
    return {
        "customers": customers,
        "products": [
            (f"{row['productid']} {row['_defaultuomid_value']}", f"{row['name']} ({row['productnumber']})") for row in products
        ],
        "connectors": [(row["mag_xeroconnectorid"], row["mag_name"]) for row in connectors],
    }


def _codes(dynamics: Dynamics) -> dict[str, list[tuple[str, str]]]:
    """Return the accounts and tax rates a line can be given, each with its organisation."""
    accounts = dynamics.read("mag_xeroaccountcodes", orderby="mag_code", filter="mag_status eq 'ACTIVE'")["value"]
    rates = dynamics.read("mag_taxrates", orderby="mag_name", filter="mag_status eq 'ACTIVE'")["value"]

    def words(row: Json, name: str) -> str:
        return f"{name} – {label(row, '_mag_xeroconnectorid_value')}"

    return {
        "accounts": [(row["mag_xeroaccountcodeid"], words(row, f"{row['mag_code']} {row['mag_name']}")) for row in accounts],
        "rates": [(row["mag_taxrateid"], words(row, row["mag_name"])) for row in rates],
    }


def _lines(dynamics: Dynamics, invoice_id: str) -> list[Json]:
    """Return the lines of an invoice in their order, each with its tracking options (Dataverse expands those of one row only)."""
    lines = list(dynamics.rows("invoicedetails", filter=f"_invoiceid_value eq {invoice_id}", orderby="lineitemnumber,createdon"))
    for line in lines:
        read = dynamics.read(f"invoicedetails({line['invoicedetailid']})", select="invoicedetailid", expand=TRACKING)
        line["tracking"] = [option["mag_name"] for option in read[TRACKING]]
        line["codes"] = [label(line, f"_{name}_value") for name in ("mag_xeroaccountcodeid", "mag_taxrateid")]
    return lines


def _customer(chosen: str) -> Json:
    table = chosen.partition("(")[0]
    if table not in ("accounts", "contacts"):
        raise Wrong("Choose a customer.")
    return {f"customerid_{table.rstrip('s')}@odata.bind": f"/{chosen}"}


def _invoice(dynamics: Dynamics, form: Form) -> Json:
    """Build an invoice with its lines from the quick form; raises Wrong."""
    customer = _customer(form.get("customer", ""))
    row = dynamics.read(form["customer"], select="_transactioncurrencyid_value")
    currency = row["_transactioncurrencyid_value"]
    lists = dynamics.read("pricelevels", select="pricelevelid", filter=f"_transactioncurrencyid_value eq {currency}")["value"]
    now = today()
    lines = [line for line in (_line(form, number) for number in range(LINES)) if line]
    if not lines:
        raise Wrong("Give the invoice at least one line: a product, or a text with a price.")
    body: Json = {
        "name": f"{label(row, '_transactioncurrencyid_value')} invoice written on the console",
        "transactioncurrencyid@odata.bind": f"/transactioncurrencies({currency})",
        "datedelivered": midnight(now),
        "duedate": (now + timedelta(days=20)).isoformat(),
        "mag_addtoxero": form.get("add") == "yes",
        "invoice_details": lines,
        **customer,
    }
    if lists:
        body["pricelevelid@odata.bind"] = f"/pricelevels({lists[0]['pricelevelid']})"
    if connector := form.get("connector"):
        body["mag_xeroconnectorid@odata.bind"] = f"/mag_xeroconnectors({connector})"
    return body


def _line(form: Form, number: int) -> Json | None:
    product, text = form.get(f"product{number}", ""), form.get(f"text{number}", "").strip()
    if not product and not text:
        return None
    quantity = forms.number(form.get(f"quantity{number}", "") or "1", f"quantity of line {number + 1}")
    if product:
        product_id, _, unit = product.partition(" ")
        return {
            "productid@odata.bind": f"/products({product_id})",
            "uomid@odata.bind": f"/uoms({unit})",
            "quantity": quantity,
            "lineitemnumber": number + 1,
        }
    price = forms.number(form.get(f"price{number}", "") or "0", f"price of line {number + 1}")
    return {
        "isproductoverridden": True,
        "productdescription": text,
        "quantity": quantity,
        "priceperunit": price,
        "lineitemnumber": number + 1,
    }


def _changes(form: Form) -> dict[str, Any]:
    changed: dict[str, Any] = {}
    if form.get("customer"):
        changed |= _customer(form["customer"])
    for name in ("duedate", "datedelivered"):
        if name in form:
            changed[name] = _typed_day(form, name)
    return changed


def _typed_day(form: Form, name: str) -> str | None:
    typed = forms.day(form, name)
    return midnight(date.fromisoformat(typed)) if typed and name == "datedelivered" else typed or None


def _day(moment: str | None) -> str:
    """Return Date Delivered as the day its user sees."""
    return datetime.fromisoformat(moment).astimezone(AUCKLAND).date().isoformat() if moment else ""
