"""The demo's first act: connect two organisations, write invoices, flag them, watch, put one right."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import requests

from mappings.choices import NumberSource, XeroInvoiceStatus
from sandbox.dataverse.demo_company import ID
from sandbox.demo import connecting
from sandbox.demo.connecting import Unfinished
from sandbox.demo.dynamics import Json, label
from sandbox.demo.invoices import INVOICES, NEW_CUSTOMERS, Line, Planned
from sandbox.demo.product import BALANCES, FLOWS, NEW_INVOICES, STATUS, TO_XERO, Product
from sandbox.demo.xero import NZ, UK

AUCKLAND = ZoneInfo("Pacific/Auckland")
PATIENCE = 150.0
EVERY = {TO_XERO: 1, BALANCES: 1, NEW_INVOICES: 5, STATUS: 5}
"""How often some flows look, in minutes: one that looks into Xero each minute would use up the day's calls of a new app in some hours."""
CURRENCY = {NZ: "NZD", UK: "GBP"}
COLUMNS = (
    "invoiceid,invoicenumber,name,totalamount,mag_addtoxero,mag_synchedwithxero,mag_exportstatus,mag_exportdate,mag_xeroid,mag_xeroinvoicenumber,"
    "mag_xeroinvoicestatus,mag_xeroinvoiceurl,mag_xeropaynowlink,mag_xerotax,mag_amountdue,mag_amountpaid,mag_amountcredited,"
    "datedelivered,duedate,statecode,_customerid_value,_mag_xeroconnectorid_value,_transactioncurrencyid_value"
)


@dataclass
class Followed:
    """One invoice on its way: its row as last read, every Export Status seen with its time, and what happened."""

    plan: Planned
    id: str
    number: str
    flagged: float = 0.0
    row: Json = field(default_factory=dict)
    seen: list[tuple[str, float]] = field(default_factory=list)
    fixed: float = 0.0

    @property
    def status(self) -> str:
        return self.seen[-1][0] if self.seen else ""

    @property
    def seconds(self) -> float:
        """Return how long its last change took, counted from the flag, or from the person's fix."""
        return self.seen[-1][1] - (self.fixed or self.flagged) if self.seen else 0.0

    @property
    def is_done(self) -> bool:
        wanted = {"synced": "Yes", "fixed": "Yes", "waits": "Waiting", "refused": "Failed"}[self.plan.ends]
        return self.status == wanted and (self.plan.ends != "fixed" or self.fixed > 0)


class Story:
    """Everything that happens, in order; *say* is told, a line each time."""

    def __init__(self, product: Product, say: Callable[[str], None]) -> None:
        self.product = product
        self.dynamics = product.dynamics
        self.say = say
        self.followed: list[Followed] = []
        self.calls: list[Json] = []
        self._references: dict[str, dict[str, str]] = {}
        self._customers: dict[str, str] = {}
        self._calls_before = 0

    def connect(self) -> None:
        """Connect both organisations by consent, and set what an administrator sets."""
        for organisation in (NZ, UK):
            self.say(f"  {organisation}: /connect/xero, Xero's consent page, back, the checklist ...")
            connecting.connect(self.product, organisation)
            row = self._connector(organisation)
            self.product.connectors[organisation] = row["mag_xeroconnectorid"]
            self._references[organisation] = self._reference_data(row["mag_xeroconnectorid"])
            self._settings(organisation)
            kinds = len(self._references[organisation])
            default = ", the default connector" if row.get("mag_defaultconnector") else ""
            self.say(
                f"  {organisation}: connected{default}; {kinds} accounts, tax rates and tracking options are in Dynamics 365"
            )
        if not self._connector(NZ).get("mag_defaultconnector"):
            raise Unfinished("The first connector was not made the Default Connector.")

    def write(self) -> None:
        """Write the customers and invoices, as an administrator of Dynamics 365 does; nothing is flagged yet."""
        for customer in NEW_CUSTOMERS:
            body = dict(customer)
            currency = body.pop("currency")
            body["transactioncurrencyid@odata.bind"] = f"transactioncurrencies({ID[currency]})"
            self._customers[body["name"]] = self.dynamics.create("accounts", body)["accountid"]
        self.followed = [self._written(plan) for plan in INVOICES]

    def flag(self) -> None:
        """Set Add to Xero on every invoice."""
        self._calls_before = self.calls_so_far()
        for one in self.followed:
            self.dynamics.change(f"invoices({one.id})", mag_addtoxero=True)
            one.flagged = time.monotonic()
        self.product.look_now()
        self.product.keep_looking()

    def watch(self) -> None:
        """Tell each change until every invoice is where it must end, or patience ends; put right what a person must."""
        deadline = time.monotonic() + PATIENCE
        by_id = {one.id: one for one in self.followed}
        while time.monotonic() < deadline:
            for row in self.dynamics.rows("invoices", select=COLUMNS, filter="mag_addtoxero eq true"):
                if (one := by_id.get(row["invoiceid"])) is not None:
                    self._notice(one, row)
            if all(one.is_done for one in self.followed):
                break
            time.sleep(0.4)
        self.calls = self.calls_since(self._calls_before)

    def _notice(self, one: Followed, row: Json) -> None:
        one.row = row
        status = label(row, "mag_exportstatus") or "No"
        if status == one.status or (not one.seen and status == "No"):
            return
        one.seen.append((status, time.monotonic()))
        xero = f"{row.get('mag_xeroinvoicenumber') or ''} {row.get('mag_xeroinvoicestatus') or ''}".strip()
        self.say(f"  {one.seconds:5.1f} s  {one.number}  {label(row, '_customerid_value')[:32]:<32}  → {status:<8} {xero}")
        if status == "Failed" and one.plan.ends == "fixed" and not one.fixed:
            told = self.history(one)[0]
            self.say(f"           {told['mag_details']}")
            self.say(f"           To do: {told['mag_fix']}")
            self.dynamics.change(f"invoices({one.id})", **one.plan.fix)
            one.fixed = time.monotonic()
            self.say("           A person chooses another customer in Dynamics 365; nothing else is done.")

    def history(self, one: Followed) -> list[Json]:
        """Return the Sync History of an invoice, newest first."""
        return list(
            self.dynamics.rows(
                "mag_synchistories", filter=f"_mag_invoiceid_value eq {one.id}", orderby="mag_eventon desc,createdon desc"
            )
        )

    def account(self, organisation: str, code: str) -> str:
        """Return the id of the row of an account of Xero."""
        return self._references[organisation][f"account {code}"].partition("(")[2].rstrip(")")

    def calls_so_far(self) -> int:
        """Return how many requests Xero has answered, whoever asked."""
        return len(self._log())

    def calls_since(self, start: int) -> list[Json]:
        """Return the connector's own calls of Xero since then: the bookkeepers' apps, of one organisation each, name no tenant."""
        return [call for call in self._log()[start:] if call["path"].startswith("/api.xro/") and call["tenant"]]

    def calls_of_the_last(self, span: timedelta, organisation: str) -> int:
        """Return how many calls the connector has made of an organisation lately."""
        tenant, since = self._connector(organisation)["mag_xerotenantid"], datetime.now(UTC) - span
        return sum(1 for call in self.calls_since(0) if call["tenant"] == tenant and datetime.fromisoformat(call["at"]) > since)

    def _connector(self, organisation: str) -> Json:
        rows = list(self.dynamics.rows("mag_xeroconnectors", filter=f"mag_xeroorganizationname eq '{organisation}'"))
        if len(rows) != 1:
            raise Unfinished(f"{len(rows)} Xero Connector rows stand in Dynamics 365 for {organisation}; there must be one.")
        return rows[0]

    def _reference_data(self, connector: str) -> dict[str, str]:
        """Return the address of every account, tax rate and tracking option of a connector by what Xero calls it."""
        own = f"_mag_xeroconnectorid_value eq {connector}"
        found: dict[str, str] = {}
        for row in self.dynamics.rows("mag_xeroaccountcodes", filter=own):
            found[f"account {row['mag_code']}"] = f"mag_xeroaccountcodes({row['mag_xeroaccountcodeid']})"
        for row in self.dynamics.rows("mag_taxrates", filter=own):
            found[f"tax {row['mag_taxtype']}"] = f"mag_taxrates({row['mag_taxrateid']})"
        for row in self.dynamics.rows("mag_trackingcategories", filter=own):
            of_category = f"_mag_trackingcategoryid_value eq {row['mag_trackingcategoryid']}"
            for option in self.dynamics.rows("mag_trackingoptions", filter=of_category):
                name = f"tracking {row['mag_name']}/{option['mag_name']}"
                found[name] = f"mag_trackingoptions({option['mag_trackingoptionid']})"
        return found

    def _settings(self, organisation: str) -> None:
        """Set a connector's settings on its row: one approves and uses our numbers, the other drafts and uses Xero's."""
        named = self._references[organisation]
        settings: Json = {
            "mag_defaultaccountcodeid@odata.bind": f"/{named['account 200']}",
            "mag_defaultpurchaseaccountcodeid@odata.bind": f"/{named['account 300']}",
            "mag_freightaccountcodeid@odata.bind": f"/{named['account 220']}",
            "mag_defaulttaxrateid@odata.bind": f"/{named['tax OUTPUT2']}",
        }
        if organisation == NZ:
            settings |= {"mag_defaultxerostatus": XeroInvoiceStatus.AUTHORISED.value, "mag_markinvoicesassent": True}
        else:
            settings |= {"mag_numbersource": NumberSource.XERO.value}
        settings["mag_defaultpricelistid@odata.bind"] = f"/pricelevels({ID[f'{CURRENCY[organisation]} prices']})"
        connector = self.product.connectors[organisation]
        self.dynamics.change(f"mag_xeroconnectors({connector})", **settings)
        own = {"mag_xeroconnectorid@odata.bind": f"/mag_xeroconnectors({connector})", "mag_enabled": True}
        for flow in FLOWS:
            every = {"mag_everyminutes": EVERY[flow]} if flow in EVERY else {}
            self.dynamics.create("mag_xeroflows", {"mag_name": flow, "mag_flow": flow, **own, **every})

    def _written(self, plan: Planned) -> Followed:
        now = today()
        body: Json = {
            "name": f"{plan.what[0].upper()}{plan.what[1:]}",
            "pricelevelid@odata.bind": f"pricelevels({ID[f'{plan.currency} prices']})",
            "transactioncurrencyid@odata.bind": f"transactioncurrencies({ID[plan.currency]})",
            "datedelivered": midnight(now + timedelta(days=plan.delivered_in)),
            "duedate": (now + timedelta(days=plan.due_in)).isoformat(),
            **plan.header,
            **self._customer(plan.customer),
        }
        if plan.names_connector:
            body["mag_xeroconnectorid@odata.bind"] = f"mag_xeroconnectors({self.product.connectors[plan.organisation]})"
        row = self.dynamics.create("invoices", body)
        for number, line in enumerate(plan.lines, 1):
            self._write_line(row["invoiceid"], number, line, self._references[plan.organisation])
        return Followed(plan, row["invoiceid"], row["invoicenumber"])

    def _write_line(self, invoice: str, number: int, line: Line, named: dict[str, str]) -> None:
        body: dict[str, Any] = {**line.columns, "invoiceid@odata.bind": f"invoices({invoice})", "lineitemnumber": number}
        if line.account:
            body["mag_xeroaccountcodeid@odata.bind"] = named[f"account {line.account}"]
        if line.rate:
            body["mag_taxrateid@odata.bind"] = named[f"tax {line.rate}"]
        row = self.dynamics.create("invoicedetails", body)
        for option in line.tracking:
            path = f"invoicedetails({row['invoicedetailid']})"
            self.dynamics.link(path, "mag_invoicedetail_trackingoption", named[f"tracking {option}"])

    def _customer(self, name: str) -> Json:
        kind, _, rest = name.rpartition(":")
        if kind == "contact":
            return {"customerid_contact@odata.bind": f"contacts({ID[rest]})"}
        account = self._customers[rest] if kind == "new" else ID[rest]
        return {"customerid_account@odata.bind": f"accounts({account})"}

    def _log(self) -> list[Json]:
        session = requests.Session()
        session.trust_env = False
        calls: list[Json] = session.get(f"{self.product.xero_url}/sandbox/log", timeout=30).json()
        return calls


def today() -> date:
    """Return the day it is for the people of the environment."""
    return datetime.now(AUCKLAND).date()


def midnight(day: date) -> str:
    """Return a day as Dynamics 365 keeps Date Delivered: that day's midnight where the user is, in UTC."""
    moment = datetime(day.year, day.month, day.day, tzinfo=AUCKLAND).astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
