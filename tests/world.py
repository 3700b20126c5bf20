"""The whole product in one process: the real pipeline and the real clients, over real sockets, against the two stand-ins.

Storage and the clock are in memory (tests/fakes.py), so that a test can move time and look at every row. ``World.settle`` does what
the timers and the host do until nothing is left to do.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

from functions import connectors, reference_data
from functions.flows import BY_NAME, FLOWS, SWEEPS
from functions.from_xero import FromXero
from functions.history import NAMESPACE
from functions.nightly import nightly
from functions.sweep import sweep
from functions.sync import sync
from functions.tick import tick
from sandbox.dataverse.demo_company import ID
from sandbox.dataverse.live import serving
from sandbox.entra import Certificates
from sandbox.xero import create_app as create_xero
from sandbox.xero.demo_company import NZ, UK
from sandbox.xero.limits import Limits as StandInLimits
from shared.connectors import Connector, Json, seal
from shared.dataverse import answers
from shared.dataverse.client import DataverseClient
from shared.durations import Durations
from shared.outcomes import Outcome
from shared.services import Operation, Services
from shared.storage.seal import Seal
from shared.xero.client import XeroClient
from shared.xero.limits import Limits
from shared.xero.oauth import OAuth
from shared.xero.tokens import Tokens
from tests import images
from tests.fakes import FakeClock, FakeQueues, FakeStore
from tests.sandbox.xero.callers import SCOPES, Caller, sign_in
from tests.sandbox.xero.callers import invoice as invoice_of

FLOW = "invoices-to-xero"
BOOKKEEPING = f"{SCOPES} accounting.banktransactions"
OPTION = 411_140_000
DRAFT, SUBMITTED, AUTHORISED = OPTION, OPTION + 1, OPTION + 2
NO, YES, FAILED, WAITING, READY_TO_UPDATE = (OPTION + n for n in range(5))
ADMINISTRATOR = "aroha.ngata@kowhai.example"


class QuietHandler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


class _DataverseTokens:
    """Sign in to the stand-in without Entra ID's detour."""

    def __init__(self, sandbox: Any) -> None:
        self._sandbox = sandbox

    def token(self, environment: str) -> str:
        token: str = self._sandbox.token()
        return token


class World:
    """Two organisations in Xero, one environment of Dynamics 365, and the connectors a test asks for."""

    def __init__(self, stack: ExitStack, certificates: Certificates) -> None:
        self.clock = FakeClock()
        self.store = FakeStore()
        self.queues = FakeQueues(self.clock)
        self.durations = Durations()
        xero = create_xero(now=self.clock.now, limits=StandInLimits(minute=60, day=5_000))
        self.xero = xero.extensions["sandbox"]
        stack.callback(self.xero.store.close)
        self._xero_http = xero.test_client()
        xero_url = stack.enter_context(_serve(xero))
        dataverse = images.dataverse(self.clock.now, enforces_roles=True)
        self.dataverse = dataverse.extensions["sandbox"]
        stack.callback(self.dataverse.close)
        server = stack.enter_context(serving(dataverse, certificates))
        self.environment = f"localhost:{server.port}"
        self.secrets = Seal([bytes(32)])
        oauth = OAuth("sandbox-client", "sandbox-secret", self.clock, self.durations, xero_url, xero_url, xero_url)
        self.tokens = Tokens(self.store, self.secrets, oauth, self.durations)
        self._oauth = oauth
        client = XeroClient(self.tokens, Limits(self.store, self.durations), self.clock, self.durations, xero_url)
        self.services = Services(
            client,
            DataverseClient(_DataverseTokens(self.dataverse), self.durations),
            self.store,
            self.queues,
            self.secrets,
            self.clock,
            self.durations,
        )
        self.outcomes: list[Outcome] = []
        self._changed: list[tuple[Connector, Json]] = []
        self._invocations = self._lines = 0

    # ── connectors ──

    def connect(self, organisation: str = NZ, *, default: bool = True, flows: Collection[str] = (), **settings: Any) -> Connector:
        """Connect an organisation and load its reference data; *settings* are columns of its row (lookups by code with ``code``).

        Of the flows from Xero only those named by *flows* run.
        """
        answer = sign_in(self._xero_http, tenant=organisation)
        refreshed = self._oauth.refresh(answer["refresh_token"])
        grant = self.tokens.connect(refreshed, self.clock.now())
        row_id = derived(organisation)
        organisation_id = self.get("WhoAmI")["OrganizationId"]
        body = next(one for one in self.xero.organisations() if one["OrganisationID"] == organisation)
        name = body["Name"]
        self.patch(
            f"mag_xeroconnectors({row_id})",
            {
                "mag_name": name,
                "mag_xerotenantid": organisation,
                "mag_timezone": "Pacific/Auckland" if organisation == NZ else "Europe/London",
                "mag_defaultconnector": default,
                "mag_enabled": True,
                "mag_xerotier": OPTION + 1,
            },
        )
        connector = Connector(
            environment=self.environment,
            id=row_id,
            organisation=organisation,
            organisation_name=name,
            short_code=body["ShortCode"],
            environment_id=organisation_id,
            seal=seal(self.environment, organisation_id, row_id, organisation),
            grant=grant,
            time_zone="Pacific/Auckland",
            state="connected",
            app_id=ID["app"],
        )
        connectors.write(self.store, connector)
        for flow in FLOWS:
            if isinstance(flow.source, FromXero) and flow.enabled is not (flow.name in flows):
                self._switch(connector, flow.name, mag_enabled=flow.name in flows)
        for step in reference_data.load_now(connector, self.services, self.clock.now()):
            assert step.error is None, (step.title, step.error)
            assert not step.problems, (step.title, step.problems)
        self.set(
            connector,
            mag_defaultaccountcodeid=self.account("200", connector),
            mag_defaultpurchaseaccountcodeid=self.account("400" if organisation == NZ else "429", connector),
            mag_freightaccountcodeid=self.account("220", connector),
            mag_defaultxerostatus=AUTHORISED,
            **settings,
        )
        self._changed.clear()
        return self.connector(connector)

    def flow(self, connector: Connector, flow: str, **columns: Any) -> str:
        """Add the connector's own row of *flow* (mag_enabled, mag_everyminutes, mag_lookbackdays); return its id."""
        bind = {"mag_xeroconnectorid@odata.bind": f"/mag_xeroconnectors({connector.id})"}
        return self.post("mag_xeroflows", {"mag_name": flow, "mag_flow": flow, **bind, **columns})

    def enable(self, connector: Connector, *flows: str, every: int) -> None:
        """Let these flows from Xero run for *connector*, and look every so many minutes."""
        for flow in flows:
            self._switch(connector, flow, mag_enabled=True, mag_everyminutes=every)
        connectors.refresh(self.services, self.connector(connector))

    def _switch(self, connector: Connector, flow: str, **columns: Any) -> None:
        where = f"_mag_xeroconnectorid_value%20eq%20{connector.id}%20and%20mag_flow%20eq%20'{flow}'"
        rows = self.get(f"mag_xeroflows?$filter={where}")["value"]
        if rows:
            self.patch(f"mag_xeroflows({rows[0]['mag_xeroflowid']})", columns)
        else:
            self.flow(connector, flow, **columns)

    def connector(self, connector: Connector) -> Connector:
        found = connectors.find(self.store, connector.key)
        assert found is not None
        return found

    def connectors(self) -> list[Connector]:
        return connectors.read_all(self.store)

    def set(self, connector: Connector, **settings: Any) -> None:
        """Change settings of *connector*, as an administrator would; ``restore`` puts them back."""
        row = self.get(f"mag_xeroconnectors({connector.id})")
        before = {name: row.get(name) for name, value in settings.items() if not isinstance(value, tuple)}
        self._changed.append((connector, before))
        self.patch(f"mag_xeroconnectors({connector.id})", bound(settings))
        connectors.refresh(self.services, self.connector(connector))

    def restore(self) -> None:
        """Put back what ``set`` changed (lookups stay), take back the flag of what did not cross, and empty the queues."""
        for connector, before in reversed(self._changed):
            self.patch(f"mag_xeroconnectors({connector.id})", before)
            connectors.refresh(self.services, self.connector(connector))
        self._changed.clear()
        for row in self.dataverse.rows("invoice"):
            if row.get("mag_addtoxero") and not row.get("mag_synchedwithxero") and row.get("statecode") == 0:
                self.patch(f"invoices({row['invoiceid']})", {"mag_addtoxero": False})
        for stored in self.store.rows("claims"):
            self.store.delete("claims", stored.partition, stored.row)
        self.queues.queues.clear()

    def account(self, code: str, connector: Connector) -> tuple[str, str]:
        """Return the mag_xeroaccountcode row of *code*, to bind a lookup to."""
        return self._reference("mag_xeroaccountcodes", "mag_code", code, connector)

    def tax_rate(self, tax_type: str, connector: Connector) -> tuple[str, str]:
        return self._reference("mag_taxrates", "mag_taxtype", tax_type, connector)

    def theme(self, name: str, connector: Connector) -> tuple[str, str]:
        return self._reference("mag_brandingthemes", "mag_name", name, connector)

    def _reference(self, entity_set: str, column: str, value: str, connector: Connector) -> tuple[str, str]:
        where = f"{column}%20eq%20'{value}'%20and%20_mag_xeroconnectorid_value%20eq%20{connector.id}"
        rows = self.get(f"{entity_set}?$filter={where}")["value"]
        assert len(rows) == 1, (entity_set, value, len(rows))
        key = next(name for name in rows[0] if name.endswith("id") and name == singular(entity_set) + "id")
        return entity_set, rows[0][key]

    # ── Dynamics 365, as people use it ──

    def get(self, path: str, *, who: str = ADMINISTRATOR) -> Json:
        found: Json = self._person("GET", path, who=who)
        return found

    def patch(self, path: str, body: Json) -> None:
        self._person("PATCH", path, body)

    def delete(self, path: str) -> None:
        self._person("DELETE", path)

    def post(self, path: str, body: Json) -> str:
        row_id: str = self._person("POST", path, body, want_id=True)
        return row_id

    def _person(
        self, method: str, path: str, body: Json | None = None, *, who: str = ADMINISTRATOR, want_id: bool = False
    ) -> Any:
        token = self.dataverse.person_token(who)
        client = DataverseClient(_Person(token), self.durations)
        operation = Operation(method, path, body, {"Prefer": 'odata.include-annotations="*"'} if method == "GET" else {})
        answer = client.send(self.environment, [operation])[0]
        found = answers.result(answer, write=method != "GET")
        return answers.row_id(answer) if want_id else found

    def id_of(self, name: str) -> str:
        """Return the id of a row of the demo company by its short name."""
        return ID[name]

    def invoice(
        self, customer: str = "ridgeway", *, currency: str = "NZD", lines: int = 1, flag: bool = True, **columns: Any
    ) -> str:
        """Write an invoice with *lines* write-in lines (1 x 100.00) and flag it Add to Xero; return its id."""
        kind = "contact" if customer in ("private", "twin-1", "twin-2", "gwen") else "account"
        body = {
            "name": "Consulting",
            **({} if "customerid_account" in columns else {f"customerid_{kind}@odata.bind": f"/{kind}s({ID[customer]})"}),
            "pricelevelid@odata.bind": f"/pricelevels({ID[currency + ' prices']})",
            "transactioncurrencyid@odata.bind": f"/transactioncurrencies({ID[currency]})",
            "datedelivered": "2026-11-19T11:00:00Z",
            "duedate": "2026-12-20",
        }
        invoice = self.post("invoices", body | bound(columns))
        for number in range(1, lines + 1):
            self.line(invoice, f"Work {number}")
        if flag:
            self.flag(invoice)
        return invoice

    def flag(self, invoice: str) -> None:
        self.patch(f"invoices({invoice})", {"mag_addtoxero": True})

    def line(self, invoice: str, text: str = "", product: str = "", unit: str = "", **columns: Any) -> str:
        """Add a write-in line, or a catalogue line of *product* in *unit*."""
        self._lines += 1
        body: Json = {"invoiceid@odata.bind": f"/invoices({invoice})", "quantity": 1, "lineitemnumber": self._lines}
        if product:
            body |= {"productid@odata.bind": f"/products({ID[product]})", "uomid@odata.bind": f"/uoms({ID[unit]})"}
        elif text:
            body |= {"isproductoverridden": True, "productdescription": text, "priceperunit": Decimal("100.00")}
        return self.post("invoicedetails", body | bound(columns))

    def row(self, invoice: str) -> Json:
        return self.get(f"invoices({invoice})")

    def histories(self, invoice: str) -> list[Json]:
        where = f"_mag_invoiceid_value%20eq%20{invoice}"
        rows: list[Json] = self.get(f"mag_synchistories?$filter={where}&$orderby=createdon%20asc")["value"]
        return rows

    # ── Xero ──

    def documents(self, organisation: str = NZ) -> list[Json]:
        """Return every invoice and bill of *organisation* that bears our mark."""
        found: list[Json] = [dict(item) for item in self.xero.documents(organisation, "invoice")]
        return [item for item in found if "main.aspx" in str(item.get("Url", ""))]

    def document_of(self, invoice: str, organisation: str = NZ) -> Json:
        found = [item for item in self.documents(organisation) if invoice in item["Url"]]
        assert len(found) == 1, f"{len(found)} documents in Xero bear the mark of invoice {invoice}"
        return found[0]

    def xero_calls(self) -> int:
        return int(self.xero.calls("", "^/api.xro/"))

    def bookkeeper(self, organisation: str = NZ, scopes: str = BOOKKEEPING) -> Caller:
        """Return the bookkeeper's own app, which calls Xero's API: what a person does in Xero."""
        answer = sign_in(self._xero_http, tenant=organisation, user=1, scopes=scopes)
        return Caller(self._xero_http, answer["access_token"], organisation)

    def xero_contact(self, organisation: str = NZ, **fields: Any) -> str:
        """Add a contact in Xero by its API, as the bookkeeper's own app would; return its id."""
        added = self.bookkeeper(organisation).put("Contacts", {"Contacts": [fields]})
        assert added.status_code == 200, added.get_data(as_text=True)
        return str(added.get_json()["Contacts"][0]["ContactID"])

    def xero_invoice(self, organisation: str = NZ, **fields: Any) -> str:
        """Add an approved invoice in Xero by hand; return its id."""
        caller = self.bookkeeper(organisation)
        contact = self.xero.documents(organisation, "contact")[0]["ContactID"]
        added = caller.put("Invoices", {"Invoices": [invoice_of(contact, **fields)]})
        assert added.status_code == 200, added.get_data(as_text=True)
        return str(added.get_json()["Invoices"][0]["InvoiceID"])

    def retry(self, invoice: str) -> None:
        """Set Export Status back to No, as a person does who wants a refused invoice tried again."""
        self.patch(f"invoices({invoice})", {"mag_exportstatus": NO})

    # ── time ──

    def settle(self, *, minutes: int = 0, most: int = 400) -> list[Outcome]:
        """Let the app run: tick every minute for *minutes* (at least once), and every message that is due by then."""
        before = len(self.outcomes)
        end = self.clock.now() + timedelta(minutes=minutes)
        while True:
            tick(self.services, self.clock.now())
            for _ in range(most):
                if not self.step():
                    break
            else:
                raise AssertionError("the queues do not come to rest")
            if self.clock.now() >= end:
                return self.outcomes[before:]
            self.clock.move(60)

    def night(self) -> list[Outcome]:
        """Let the night's full check run, and everything it asks for."""
        nightly(self.services, self.clock.now())
        return self.settle()

    def step(self) -> bool:
        """Deliver one message, sweeps first; False when none is visible."""
        message = self.queues.take(SWEEPS)
        if message is not None:
            sweep(message.text, self.services, self.clock.now())
            self.queues.done(SWEEPS, message)
            return True
        for name in BY_NAME:
            message = self.queues.take(name)
            if message is not None:
                self.outcomes.append(self.deliver(message.text))
                self.queues.done(name, message)
                return True
        return False

    def deliver(self, text: str) -> Outcome:
        self._invocations += 1
        return sync(text, self.services, owner=f"invocation {self._invocations}", now=self.clock.now())


class _Person:
    def __init__(self, token: str) -> None:
        self._token = token

    def token(self, environment: str) -> str:
        return self._token


def derived(name: str) -> str:
    return str(uuid.uuid5(NAMESPACE, name))


def singular(entity_set: str) -> str:
    return entity_set[:-1]


def bound(columns: Json) -> Json:
    """Write lookups given as (entity set, id) or None the Web API's way."""
    body: Json = {}
    for name, value in columns.items():
        if isinstance(value, tuple):
            body[f"{name}@odata.bind"] = f"/{value[0]}({value[1]})"
        else:
            body[name] = value
    return body


@contextmanager
def _serve(app: Any) -> Iterator[str]:
    server = make_server("localhost", 0, app, threaded=True, request_handler=QuietHandler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://localhost:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Open a world; its certificate authority is written into *folder* (REQUESTS_CA_BUNDLE must name it)."""
    with ExitStack() as stack:
        yield World(stack, Certificates.at(folder / "authorities.pem"))


__all__ = ["FLOW", "ID", "NZ", "UK", "World", "bound", "datetime", "world"]
