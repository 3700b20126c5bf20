"""The Xero client against real HTTP servers on this machine: what goes over the wire, once, and what comes back."""

import base64
import inspect
import json
import logging
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
import urllib3
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.serving import make_server
from xero_python.accounting import AccountingApi

from sandbox.xero import Fault as SandboxFault
from sandbox.xero import Sandbox, create_app
from sandbox.xero.demo_company import NZ
from sandbox.xero.sandbox import LOCAL_CALLBACK
from shared.connectors import Connector
from shared.durations import Durations
from shared.errors import (
    ConfigurationError,
    ConnectorError,
    Disconnected,
    NeedsReconnect,
    NeedsScope,
    NotFound,
    Rejected,
    Retryable,
    Throttled,
    Uncertain,
)
from shared.exact_json import dumps as exact_json
from shared.services import Lane, Xero
from shared.storage.seal import Seal
from shared.xero.answers import TokenRefused
from shared.xero.client import XeroClient
from shared.xero.limits import Allowance, Limits, Reservation
from shared.xero.oauth import OAuth, TokenSet, claims
from shared.xero.tokens import Tokens
from tests.fakes import FakeClock, FakeStore, Fault, FaultServer, HttpAnswer, HttpRequest, refused_url

QUICK = replace(Durations(), connect=0.5, read=0.3)
OK = HttpAnswer(200, {"Id": "1", "Status": "OK", "Invoices": []})
SCOPES = [
    "offline_access",
    "openid",
    "profile",
    "email",
    "accounting.invoices",
    "accounting.payments",
    "accounting.contacts",
    "accounting.settings",
]
INVOICES = {"Invoices": [{"Type": "ACCREC", "InvoiceNumber": "INV-1", "LineItems": [{"UnitAmount": Decimal("10.5000")}]}]}


def access_token(user: str, expires_at: datetime, mark: str = "") -> str:
    payload = json.dumps({"xero_userid": user, "exp": int(expires_at.timestamp()), "mark": mark}).encode()
    return f"eyJhbGciOiJub25lIn0.{base64.urlsafe_b64encode(payload).decode().rstrip('=')}.c2ln"


def connector(grant: str = "ann", organisation: str = "org-1") -> Connector:
    return Connector(
        "acme.crm.dynamics.com",
        "c1",
        organisation,
        "Acme",
        "!Q",
        "e1",
        "seal",
        grant,
        "UTC",
        "connected",
        settings={"mag_xerotier": 411140001},
    )


class World:
    """A client with its store and clock, aimed at one server for the API and one for identity."""

    def __init__(self, api_url: str, identity_url: str = "http://127.0.0.1:9") -> None:
        self.clock, self.store = FakeClock(), FakeStore()
        oauth = OAuth("app", "app-secret", self.clock, QUICK, identity_url=identity_url, api_url=api_url)
        self.tokens = Tokens(self.store, Seal([bytes(32)]), oauth, QUICK)
        self.limits = Limits(self.store, QUICK)
        self.xero: Xero = XeroClient(self.tokens, self.limits, self.clock, QUICK, api_url)
        self.connect("ann")

    def connect(self, user: str, minutes: float = 30) -> str:
        expires_at = self.clock.now() + timedelta(minutes=minutes)
        token = access_token(user, expires_at)
        self.tokens.connect(TokenSet(token, f"refresh-{user}", expires_at), self.clock.now())
        return token

    def call(self, operation: str = "create_invoices", *arguments: str, **more: Any) -> Any:
        if operation == "create_invoices":
            more.setdefault("body", INVOICES)
        return self.xero.call(connector(), operation, *arguments, **more)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(OK) as server:
        yield server


@pytest.fixture
def world(server: FaultServer) -> World:
    return World(server.url)


def query(request: HttpRequest) -> dict[str, list[str]]:
    return parse_qs(urlsplit(request.path).query)


def test_a_create_is_one_put_with_everything_xero_wants(world: World, server: FaultServer) -> None:
    result = world.call(key="k1", summarize_errors=False, unitdp=4)
    assert result == {"Id": "1", "Status": "OK", "Invoices": []}
    (request,) = server.requests
    assert (request.method, urlsplit(request.path).path) == ("PUT", "/api.xro/2.0/Invoices")
    assert query(request) == {"summarizeErrors": ["False"], "unitdp": ["4"]}
    assert request.headers["xero-tenant-id"] == "org-1"
    assert request.headers["idempotency-key"] == "k1"
    assert request.headers["authorization"] == f"Bearer {access_token('ann', world.clock.now() + timedelta(minutes=30))}"
    assert request.headers["accept"] == "application/json"
    assert request.headers["accept-encoding"] == "gzip"
    assert request.headers["content-type"] == "application/json"
    assert request.body == b'{"Invoices":[{"Type":"ACCREC","InvoiceNumber":"INV-1","LineItems":[{"UnitAmount":10.5000}]}]}'


def test_an_update_names_the_document_in_its_path_and_carries_no_key(world: World, server: FaultServer) -> None:
    world.call("update_invoice", "a b/c", body=INVOICES)
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/api.xro/2.0/Invoices/a%20b%2Fc")
    assert "idempotency-key" not in request.headers


def test_a_read_passes_its_filters_and_leaves_out_what_is_none(world: World, server: FaultServer) -> None:
    world.call(
        "get_invoices",
        where='Type=="ACCREC" AND Contact.ContactID==guid("x")',
        order="UpdatedDateUTC ASC",
        page=1,
        page_size=1000,
        i_ds=["a", "b"],
        invoice_numbers=["INV-1", "INV-2"],
        if_modified_since="2026-01-02T03:04:05",
        statuses=None,
    )
    (request,) = server.requests
    assert request.method == "GET"
    assert query(request) == {
        "where": ['Type=="ACCREC" AND Contact.ContactID==guid("x")'],
        "order": ["UpdatedDateUTC ASC"],
        "page": ["1"],
        "pageSize": ["1000"],
        "IDs": ["a,b"],
        "InvoiceNumbers": ["INV-1,INV-2"],
    }
    assert request.headers["if-modified-since"] == "2026-01-02T03:04:05"
    assert request.body == b""


def test_an_e_mail_is_sent_with_an_empty_object_and_answered_with_nothing(world: World, server: FaultServer) -> None:
    server.answers = [HttpAnswer(204)]
    assert world.call("email_invoice", "i1", body={}, key="k") == {}
    assert (server.requests[0].method, server.requests[0].path, server.requests[0].body) == (
        "POST",
        "/api.xro/2.0/Invoices/i1/Email",
        b"{}",
    )


def test_nothing_changed_since_is_empty(world: World, server: FaultServer) -> None:
    server.answers = [HttpAnswer(304)]
    assert world.call("get_invoices", if_modified_since="2026-01-02T03:04:05") == {}


def test_a_compressed_answer_is_read(world: World, server: FaultServer) -> None:
    packer = zlib.compressobj(wbits=31)
    body = packer.compress(b'{"Total": 1234567890123.4567}') + packer.flush()
    server.answers = [HttpAnswer(200, body, {"Content-Encoding": "gzip"})]
    assert world.call("get_invoice", "i1") == {"Total": Decimal("1234567890123.4567")}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("9999999999999999.99"), "9999999999999999.99"),
        (Decimal("12345678901234.5678"), "12345678901234.5678"),
        (Decimal("0.1000"), "0.1000"),
        (Decimal("1E+3"), "1000"),
        (Decimal("1E-7"), "0.0000001"),
        (Decimal("-0.01"), "-0.01"),
        (3, "3"),
        (True, "true"),
        (None, "null"),
        ('é"\n', '"\\u00e9\\"\\n"'),
        ([], "[]"),
        ({"a": [Decimal("1.0"), {}]}, '{"a":[1.0,{}]}'),
    ],
)
def test_a_decimal_goes_out_as_the_number_it_is(value: Any, text: str) -> None:
    assert exact_json(value) == text


@given(st.decimals(allow_nan=False, allow_infinity=False), st.text())
@settings(max_examples=300)
def test_no_digit_is_lost_on_the_wire(number: Decimal, text: str) -> None:
    wire = exact_json({"number": number, "text": {text: text}})
    assert json.loads(wire, parse_float=Decimal, parse_int=Decimal) == {"number": number, "text": {text: text}}


@pytest.mark.parametrize("value", [1.5, {"a": [0.1]}, Decimal("NaN"), Decimal("Infinity"), float("nan")])
def test_a_float_and_what_is_no_number_never_leave(world: World, server: FaultServer, value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        world.call(body={"Total": value})
    assert server.requests == []


FAULTS: dict[str, Any] = {
    "lost reply": Fault.DROP,
    "time-out": Fault.SILENCE,
    "half an answer": Fault.CUT,
    "429": HttpAnswer(429, headers={"Retry-After": "1", "X-Rate-Limit-Problem": "minute"}),
    "503": HttpAnswer(503, headers={"Retry-After": "1"}),
    "500": HttpAnswer(500, b"<html/>"),
    "401": HttpAnswer(401, {"Title": "Unauthorized", "Detail": "TokenExpired"}),
    "redirect": HttpAnswer(302, headers={"Location": "/api.xro/2.0/Elsewhere"}),
    "307": HttpAnswer(307, headers={"Location": "http://127.0.0.1:9/"}),
}
WRITES: dict[str, tuple[str, tuple[str, ...], Any]] = {
    "PUT": ("create_invoices", (), INVOICES),
    "POST": ("update_invoice", ("i1",), INVOICES),
    "DELETE": ("delete_credit_note_allocations", ("c1", "a1"), None),
}


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_write_is_sent_exactly_once_whatever_the_network_does(
    world: World, server: FaultServer, write: str, fault: str
) -> None:
    server.answers = [FAULTS[fault]]
    operation, arguments, body = WRITES[write]
    with pytest.raises(Retryable) as raised:
        world.xero.call(connector(), operation, *arguments, body=body)
    assert [request.method for request in server.requests] == [write]
    expected = {"429": Throttled, "401": TokenRefused}.get(fault, Uncertain)
    assert type(raised.value) is expected


@pytest.mark.parametrize("fault", FAULTS)
def test_a_read_is_sent_once_too_and_is_never_uncertain(world: World, server: FaultServer, fault: str) -> None:
    server.answers = [FAULTS[fault]]
    with pytest.raises(Retryable) as raised:
        world.call("get_invoices")
    assert len(server.requests) == 1
    assert not isinstance(raised.value, Uncertain)


def test_a_connection_that_was_never_made_leaves_a_write_certain() -> None:
    with refused_url() as url, pytest.raises(Retryable) as raised:
        World(url).call()
    assert type(raised.value) is Retryable


def test_a_name_that_does_not_resolve_leaves_a_write_certain() -> None:
    with pytest.raises(Retryable) as raised:
        World("http://xero.invalid").call()
    assert type(raised.value) is Retryable


def test_a_connection_the_server_closed_between_two_calls_is_made_anew(world: World, server: FaultServer) -> None:
    server.answers = [HttpAnswer(200, {"n": 1}, {"Connection": "close"}), OK]
    world.call()
    world.call()
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (HttpAnswer(400, {"Elements": [{"ValidationErrors": [{"Message": "Invoice # must be unique."}]}]}), Rejected),
        (HttpAnswer(403, {"Detail": "AuthenticationUnsuccessful"}), Disconnected),
        (HttpAnswer(404, b"", {"Content-Type": "text/html"}), NotFound),
    ],
)
def test_a_refusal_reaches_the_caller_as_what_it_means(
    world: World, server: FaultServer, answer: HttpAnswer, expected: type
) -> None:
    server.answers = [answer]
    with pytest.raises(expected):
        world.call()


def test_a_scope_that_is_missing_is_noted_on_the_grant(world: World, server: FaultServer) -> None:
    server.answers = [HttpAnswer(401, headers={"WWW-Authenticate": 'Bearer error="insufficent_scope"'})]
    with pytest.raises(NeedsScope):
        world.call()
    assert [grant.state for grant in world.tokens.grants()] == ["needs_scope"]


def test_a_token_xero_refuses_is_renewed_by_the_next_try_and_not_by_this_one(server: FaultServer) -> None:
    with FaultServer(HttpAnswer(503)) as identity:
        world = World(server.url, identity.url)
        fresh = access_token("ann", world.clock.now() + timedelta(minutes=40))
        identity.answers = [HttpAnswer(200, {"access_token": fresh, "refresh_token": "next", "expires_in": 1800})]
        server.answers = [HttpAnswer(401, {"Detail": "TokenExpired"}), OK]
        world.clock.move(minutes=5)
        with pytest.raises(TokenRefused):
            world.call(key="k")
        assert (len(server.requests), len(identity.requests)) == (1, 0)
        world.call(key="k")
        assert (len(server.requests), len(identity.requests)) == (2, 1)
    assert server.requests[1].headers["authorization"] == f"Bearer {fresh}"
    assert server.requests[0].headers["idempotency-key"] == server.requests[1].headers["idempotency-key"]


def test_a_grant_that_is_gone_sends_nothing(world: World, server: FaultServer) -> None:
    with pytest.raises(NeedsReconnect):
        world.xero.call(connector(grant="nobody"), "get_organisations")
    assert server.requests == []


def test_a_429_pauses_the_organisation_and_no_other(world: World, server: FaultServer) -> None:
    server.answers = [HttpAnswer(429, headers={"X-Rate-Limit-Problem": "day", "Retry-After": "79200"}), OK]
    for _ in range(3):
        with pytest.raises(Throttled) as raised:
            world.call()
        assert raised.value.retry_after == timedelta(hours=22)
    assert len(server.requests) == 1
    assert world.xero.budget(connector(), Lane.USER) == 0
    assert world.xero.call(connector(organisation="org-2"), "get_organisations")
    world.clock.move(hours=22)
    world.connect("ann")
    assert world.call()


def test_an_answer_is_not_lost_when_our_own_row_cannot_be_written(
    world: World, server: FaultServer, caplog: pytest.LogCaptureFixture
) -> None:
    class FullStore(FakeStore):
        def replace(self, table: str, *arguments: Any) -> str:
            if table == "limits":
                raise Retryable("Table Storage answered 503 (limits).")
            return super().replace(table, *arguments)

    limits = Limits(FullStore(), QUICK)
    xero = XeroClient(world.tokens, limits, world.clock, QUICK, server.url)
    assert xero.call(connector(), "create_invoices", body=INVOICES) == {"Id": "1", "Status": "OK", "Invoices": []}
    assert "was not settled" in caplog.text


@pytest.mark.parametrize("argument", ["", ".", ".."])
def test_an_empty_id_never_becomes_another_path(world: World, server: FaultServer, argument: str) -> None:
    with pytest.raises(ValueError, match="empty"):
        world.call("get_invoice", argument)
    assert server.requests == []


def test_a_key_xero_would_not_take_is_refused_here(world: World, server: FaultServer) -> None:
    with pytest.raises(ValueError, match="128"):
        world.call(key="k" * 129)
    world.call(key="k" * 128)
    assert len(server.requests) == 1


@pytest.mark.parametrize(("operation", "more"), [("no_such_operation", {}), ("get_invoices", {"no_such_option": 1})])
def test_a_call_no_method_of_the_sdk_fits_takes_no_slot(
    world: World, server: FaultServer, operation: str, more: dict[str, Any]
) -> None:
    for _ in range(6):
        with pytest.raises((AttributeError, TypeError)):
            world.call(operation, **more)
    assert server.requests == []
    assert world.call()


def test_no_call_carries_the_token_of_another_connection(server: FaultServer) -> None:
    class NoLimits(Limits):
        def reserve(self, tenant: str, lane: Lane, now: datetime, allowed: Allowance) -> Reservation:
            return Reservation(tenant, 0, lane)

        def settle(self, *_: object) -> None:
            return

    world = World(server.url)
    world.xero = XeroClient(world.tokens, NoLimits(world.store, QUICK), world.clock, QUICK, server.url)
    tokens = {f"org-{user}": world.connect(user) for user in ("ann", "bob", "cy", "dee")}
    start = threading.Barrier(8)

    def work(number: int) -> None:
        user = ("ann", "bob", "cy", "dee")[number % 4]
        start.wait()
        for _ in range(60):
            world.xero.call(connector(user, f"org-{user}"), "get_organisations")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    carried = [(request.headers["xero-tenant-id"], request.headers["authorization"]) for request in server.requests]
    assert len(carried) == 480
    assert [pair for pair in carried if pair[1] != f"Bearer {tokens[pair[0]]}"] == []


def test_no_token_is_in_any_log_error_or_repr(server: FaultServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    echo = HttpAnswer(401, {"Detail": "TokenExpired: CANARY-ACCESS"}, {"X-Echo": "CANARY-ACCESS"})
    answers = [*FAULTS.values(), echo, HttpAnswer(403, {"Detail": "AuthenticationUnsuccessful CANARY-ACCESS"}), OK]
    seen: list[str] = []
    with FaultServer(HttpAnswer(400, {"error": "invalid_grant", "error_description": "CANARY-REFRESH"})) as identity:
        world = World(server.url, identity.url)
        expires_at = world.clock.now() + timedelta(minutes=30)
        token = access_token("ann", expires_at, "CANARY")
        marker = token.split(".")[1]
        world.tokens.connect(TokenSet(token, "CANARY-REFRESH", expires_at), world.clock.now())
        for answer in answers:
            server.answers = [answer]
            world.clock.move(61)
            try:
                seen.append(repr(world.call()))
            except ConnectorError as error:
                chain: list[BaseException] = []
                cause: BaseException | None = error
                while cause:
                    chain.append(cause)
                    cause = cause.__cause__ or cause.__context__
                seen += [f"{link} {link!r} {vars(link)!r}" for link in chain]
        world.clock.move(hours=2)
        with pytest.raises(NeedsReconnect) as lost:
            world.call()
        seen += [repr(lost.value), repr(world.tokens.grants()), repr(world.tokens), repr(world.xero), repr(vars(world.xero))]
    seen += [record.getMessage() for record in caplog.records] + [repr(vars(record)) for record in caplog.records]
    stored = repr(world.store._tables)
    assert len(seen) > 30
    for canary in (marker, "CANARY", "refresh-ann", "app-secret"):
        assert [text for text in seen if canary in text] == []
        assert canary not in stored


def test_the_body_is_the_last_thing_every_operation_asks_for() -> None:
    for name, method in inspect.getmembers(AccountingApi, inspect.isfunction):
        parameters = list(inspect.signature(method).parameters.values())
        required = [parameter.name for parameter in parameters if parameter.default is parameter.empty]
        if name.startswith(("create_", "update_", "email_")) and "attachment" not in name:
            assert required[:2] == ["self", "xero_tenant_id"], name
            assert not required[-1].endswith("_id"), name


def test_the_sdk_is_imported_by_the_first_call_only() -> None:
    code = "import sys, shared.xero.client, shared.xero.tokens; sys.exit(any(name.startswith('xero_python') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class StandIn:
    """The Xero stand-in behind a real socket, and a client that is connected to it with a consent given on its page."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.app = create_app(now=self.clock.now)
        self.sandbox: Sandbox = self.app.extensions["sandbox"]
        self._server = make_server("localhost", 0, self.app, threaded=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.url = f"http://localhost:{self._server.server_port}"
        store, durations = FakeStore(), Durations()
        self.oauth = OAuth("sandbox-client", "sandbox-secret", self.clock, durations, self.url, self.url, self.url)
        self.tokens = Tokens(store, Seal([bytes(32)]), self.oauth, durations)
        self.xero = XeroClient(self.tokens, Limits(store, durations), self.clock, durations, self.url)

    def consent(self, organisation: str) -> str:
        """Give consent as a person does, exchange the code, and return the grant key."""
        page = urlsplit(self.oauth.authorize_url(LOCAL_CALLBACK, SCOPES, "st4te"))
        form = dict(parse_qsl(page.query)) | {"decision": "allow", "organisation": organisation}
        with urllib3.PoolManager() as browser:
            answer = browser.request("POST", f"{self.url}{page.path}", fields=form, encode_multipart=False, redirect=False)
        code = parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]
        return self.tokens.connect(self.oauth.exchange_code(code, LOCAL_CALLBACK), self.clock.now())

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.sandbox.store.close()


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    stand_in = StandIn()
    yield stand_in
    stand_in.close()


def new_invoice(contact_id: str) -> dict[str, Any]:
    line = {"Description": "Consulting", "Quantity": Decimal("3"), "UnitAmount": Decimal("0.3333"), "AccountCode": "200"}
    document = {"Type": "ACCREC", "Contact": {"ContactID": contact_id}, "InvoiceNumber": "D365-1", "LineItems": [line]}
    return {"Invoices": [document | {"Date": "2026-11-20", "DueDate": "2026-12-20", "Status": "AUTHORISED"}]}


def test_the_client_connects_to_the_stand_in_writes_once_and_renews_its_token(stand_in: StandIn) -> None:
    grant = stand_in.consent(NZ)
    token = stand_in.tokens.access_token(grant, stand_in.clock.now())
    event = claims(token)["authentication_event_id"]
    (connection,) = stand_in.oauth.connections(token, event)
    assert connection.tenant_id == NZ
    acme = connector(grant, NZ)
    assert stand_in.xero.call(acme, "get_organisations")["Organisations"][0]["OrganisationID"] == NZ
    contact = stand_in.xero.call(acme, "get_contacts", page=1, page_size=1)["Contacts"][0]["ContactID"]
    body = new_invoice(contact)

    stand_in.sandbox.faults.add(SandboxFault("drop_after", "PUT"))
    with pytest.raises(Uncertain):
        stand_in.xero.call(acme, "create_invoices", body=body, key="k1", summarize_errors=False, unitdp=4)
    created = stand_in.xero.call(acme, "create_invoices", body=body, key="k1", summarize_errors=False, unitdp=4)["Invoices"][0]
    assert [row["InvoiceNumber"] for row in stand_in.sandbox.documents(NZ, "invoice")].count("D365-1") == 1
    assert created["LineItems"][0]["UnitAmount"] == Decimal("0.3333")
    assert created["SubTotal"] == Decimal("1.00")
    assert stand_in.sandbox.calls("PUT", "/Invoices") == 2

    with pytest.raises(Rejected, match="unique"):
        stand_in.xero.call(acme, "create_invoices", body=body, key="k2", summarize_errors=False, unitdp=4)
    with pytest.raises(Uncertain, match="different request"):
        stand_in.xero.call(acme, "create_contacts", body={"Contacts": [{"Name": "Somebody"}]}, key="k1")
    with pytest.raises(NotFound):
        stand_in.xero.call(acme, "get_invoice", "00000000-0000-0000-0000-000000000001")
    url = stand_in.xero.call(acme, "get_online_invoice", created["InvoiceID"])["OnlineInvoices"][0]["OnlineInvoiceUrl"]
    assert url.startswith("https://")

    stand_in.clock.move(minutes=27)
    assert stand_in.xero.call(acme, "get_invoice", created["InvoiceID"], unitdp=4)["Invoices"][0]["Total"] == created["Total"]
    assert stand_in.tokens.access_token(grant, stand_in.clock.now()) != token
    assert stand_in.sandbox.calls("POST", "/connect/token") == 2

    stand_in.sandbox.disconnect(NZ)
    with pytest.raises(Disconnected):
        stand_in.xero.call(acme, "get_organisations")


def test_the_limiter_keeps_the_stand_in_from_ever_saying_429(stand_in: StandIn) -> None:
    acme, calls = connector(stand_in.consent(NZ), NZ), 0
    end = stand_in.clock.now() + timedelta(minutes=3)
    while stand_in.clock.now() < end:
        try:
            stand_in.xero.call(acme, "get_organisations")
        except Throttled as stopped:
            stand_in.clock.move(stopped.retry_after.total_seconds())
        else:
            calls += 1
            stand_in.clock.move(0.25)
    assert calls >= 0.95 * 180
    assert [row for row in stand_in.sandbox.log.entries() if row.status == 429] == []


def test_a_custom_connection_works_against_the_stand_in(stand_in: StandIn) -> None:
    scopes = ("accounting.invoices", "accounting.settings")
    grant = stand_in.tokens.connect_custom("sandbox-custom", "sandbox-custom-secret", scopes, stand_in.clock.now())
    acme = connector(grant, NZ)
    assert stand_in.xero.call(acme, "get_organisations")["Organisations"]
    with pytest.raises(NeedsScope):
        stand_in.xero.call(acme, "get_contacts")
    stand_in.clock.move(minutes=40)
    assert stand_in.xero.call(acme, "get_organisations")["Organisations"]
    with pytest.raises(ConfigurationError):
        stand_in.tokens.connect_custom("sandbox-custom", "wrong", scopes, stand_in.clock.now())


def test_a_consent_that_was_revoked_needs_a_person(stand_in: StandIn) -> None:
    grant = stand_in.consent(NZ)
    stand_in.oauth.revoke(stand_in.tokens.grants()[0].tokens.refresh_token)
    stand_in.clock.move(minutes=40)
    with pytest.raises(NeedsReconnect):
        stand_in.tokens.access_token(grant, stand_in.clock.now())
