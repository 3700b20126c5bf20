"""Layer B: the real pipeline and the real clients, with a plan that makes the n-th I/O fail.

Storage and queues are those of tests/fakes.py; HTTP goes to the stand-ins in this process at the one place where urllib3 would put
it on a connection, so that every I/O passes ``FaultPlan.io`` and none can go elsewhere.
Time is virtual. A crash loses everything a process holds in memory: each delivery after it is built anew.
"""

from __future__ import annotations

import io
import itertools
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlsplit

import pytest
import urllib3
from flask import Flask
from urllib3.exceptions import NewConnectionError, ReadTimeoutError

from functions import claim as claims
from functions.flows import BY_NAME, SWEEPS
from functions.sweep import sweep
from functions.tick import tick
from sandbox.dataverse.protection import Meter, ServiceProtection
from sandbox.xero import create_app as create_xero
from sandbox.xero.faults import Fault
from sandbox.xero.limits import Limits as StandInLimits
from sandbox.xero.limits import RateLimiter
from shared.connectors import Connector, Json
from shared.dataverse import answers
from shared.dataverse.client import DataverseClient
from shared.durations import Durations
from shared.errors import Changed, Retryable
from shared.messages import SweepMessage
from shared.services import Operation, ReceivedMessage, Services, StoredRow
from shared.storage.seal import Seal
from shared.xero.client import XeroClient
from shared.xero.limits import Limits
from shared.xero.oauth import OAuth
from shared.xero.tokens import Tokens
from tests import images
from tests.fakes import FakeClock, FakeQueues, FakeStore
from tests.world import ADMINISTRATOR, World

XERO = "https://api.xero.test"
DYNAMICS = "kowhai.dynamics.test"
STORAGE_TIMEOUT = 15
EVERY = timedelta(minutes=5)
PATIENCE = timedelta(hours=3)
T = TypeVar("T")
REAL_MAKE_REQUEST = urllib3.HTTPConnectionPool._make_request


class Crash(BaseException):
    """The process is gone: nothing of it goes on, not even a finally."""


@dataclass(frozen=True)
class Call:
    """One I/O as it was seen: which edge, what, and the ways it can fail."""

    edge: str
    what: str
    kinds: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.edge} {self.what}"


@dataclass
class FaultPlan:
    """Count I/Os from 1 and let the planned ones fail.

    *then* is a second fault: so many I/Os after the first, the kind of this index (modulo the kinds that can happen there). *edits*
    happen just before their I/O, which goes on.
    """

    clock: FakeClock
    durations: Durations
    faults: Mapping[int, str] = field(default_factory=dict)
    then: tuple[int, int] | None = None
    edits: Mapping[int, Callable[[], None]] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    fired: list[str] = field(default_factory=list)
    is_dead: bool = False

    def io(self, call: Call, perform: Callable[[], T], fail: Callable[[str, Callable[[], T]], T]) -> T:
        """Do one I/O, or what the plan says; *fail* knows how this edge shows a fault to its caller."""
        if self.is_dead:
            raise Crash
        self.calls.append(call)
        number = len(self.calls)
        if number in self.edits:
            self.fired.append(f"{number} an edit before {call}")
            self.edits[number]()
        kind = self.faults.get(number, "")
        if self.then and number - self.then[0] in self.faults:
            kind = call.kinds[self.then[1] % len(call.kinds)]
        if not kind:
            return perform()
        assert kind in call.kinds, f"{kind} cannot happen to {call}"
        self.fired.append(f"{number} {kind}: {call}")
        if kind == "crash before":
            self.die()
        if kind == "crash after":
            perform()
            self.die()
        return fail(kind, perform)

    def die(self) -> NoReturn:
        self.is_dead = True
        raise Crash

    def restart(self) -> None:
        self.is_dead = False


def storage(plan: FaultPlan) -> Callable[[str, Callable[[], T]], T]:
    """Show a fault as shared.storage does: no answer is Retryable, a condition that failed is Changed."""

    def fail(kind: str, perform: Callable[[], T]) -> T:
        if kind == "changed":
            raise Changed("planned")
        if kind == "changed after":  # sent twice on its way: our own first write refuses the second
            perform()
            raise Changed("planned")
        if kind == "lost after":
            perform()
        plan.clock.move(STORAGE_TIMEOUT)
        raise Retryable("planned: storage gave no answer")

    return fail


READ = ("crash before", "lost")
WRITE = ("crash before", "crash after", "lost", "lost after")


class FaultyStore:
    """The Store port through the plan."""

    def __init__(self, store: FakeStore, plan: FaultPlan) -> None:
        self._store, self._plan = store, plan

    def read(self, table: str, partition: str, row: str) -> StoredRow | None:
        return self._do(f"read {table}", READ, lambda: self._store.read(table, partition, row))

    def insert(self, table: str, partition: str, row: str, values: Mapping[str, Any]) -> str:
        kinds = (*WRITE, "changed", "changed after")
        return self._do(f"insert {table}", kinds, lambda: self._store.insert(table, partition, row, values))

    def replace(self, table: str, partition: str, row: str, values: Mapping[str, Any], etag: str) -> str:
        kinds = (*WRITE, "changed", "changed after")
        return self._do(f"replace {table}", kinds, lambda: self._store.replace(table, partition, row, values, etag))

    def upsert(self, table: str, partition: str, row: str, values: Mapping[str, Any]) -> None:
        self._do(f"upsert {table}", WRITE, lambda: self._store.upsert(table, partition, row, values))

    def delete(self, table: str, partition: str, row: str, etag: str | None = None) -> None:
        self._do(f"delete {table}", WRITE, lambda: self._store.delete(table, partition, row, etag))

    def rows(self, table: str, partition: str | None = None, *, limit: int | None = None) -> Sequence[StoredRow]:
        return self._do(f"rows {table}", READ, lambda: self._store.rows(table, partition, limit=limit))

    def _do(self, what: str, kinds: tuple[str, ...], perform: Callable[[], T]) -> T:
        return self._plan.io(Call("store", what, kinds), perform, storage(self._plan))


class FaultyQueues:
    """The Queues port through the plan."""

    def __init__(self, queues: FakeQueues, plan: FaultPlan) -> None:
        self._queues, self._plan = queues, plan

    def send(self, queue: str, text: str, delay: timedelta = timedelta()) -> None:
        self._do(f"send {queue}", WRITE, lambda: self._queues.send(queue, text, delay))

    def receive(self, queue: str, limit: int = 32) -> Sequence[ReceivedMessage]:
        return self._do(f"receive {queue}", READ, lambda: self._queues.receive(queue, limit))

    def delete(self, queue: str, message: ReceivedMessage) -> None:
        self._do(f"delete {queue}", WRITE, lambda: self._queues.delete(queue, message))

    def _do(self, what: str, kinds: tuple[str, ...], perform: Callable[[], T]) -> T:
        return self._plan.io(Call("queue", what, kinds), perform, storage(self._plan))


class Wire:
    """The way to one stand-in: what urllib3 would send over a connection goes to an application in this process."""

    def __init__(self, app: Flask) -> None:
        self._client = app.test_client()
        self._sandbox = app.extensions["sandbox"]

    def send(self, plan: FaultPlan, pool: urllib3.HTTPConnectionPool, method: str, url: str, **sent: Any) -> urllib3.HTTPResponse:
        """Answer one request, or fail as urllib3 sees a network fail; what follows, retries included, is urllib3's and the client's."""
        body, headers = sent.get("body"), dict(sent.get("headers") or {})
        content: bytes = body.encode() if isinstance(body, str) else body or b""

        def perform() -> urllib3.HTTPResponse:
            answer = self._client.open(url, method=method, data=content, headers=headers)
            return urllib3.HTTPResponse(
                io.BytesIO(answer.data),
                urllib3.HTTPHeaderDict(answer.headers.items()),
                answer.status_code,
                preload_content=sent.get("preload_content", True),
                decode_content=sent.get("decode_content", True),
                request_method=method,
                request_url=url,
            )

        def fail(kind: str, perform: Callable[[], urllib3.HTTPResponse]) -> urllib3.HTTPResponse:
            if kind == "refused":
                raise NewConnectionError(sent["conn"], "planned")
            if kind in ("lost", "lost after"):
                if kind == "lost after":
                    perform()
                plan.clock.move(plan.durations.read)
                raise ReadTimeoutError(pool, url, "planned")
            self._meet(kind)
            return perform()

        return plan.io(self._call(method, urlsplit(url).path, content, headers), perform, fail)

    def _meet(self, kind: str) -> None:
        self._sandbox.faults.add(Fault(kind, seconds=30))

    def _call(self, method: str, path: str, content: bytes, headers: Mapping[str, str]) -> Call:
        raise NotImplementedError


class XeroWire(Wire):
    """The Accounting API and the token endpoint."""

    def _call(self, method: str, path: str, content: bytes, headers: Mapping[str, str]) -> Call:
        kinds: tuple[str, ...] = ("crash before", "lost", "503", "429")
        if method in ("PUT", "POST") and path.startswith("/api.xro/"):
            kinds = ("crash before", "crash after", "refused", "lost", "lost after", "500", "500_applied", "503", "429")
        return Call("xero", f"{method} {path}", kinds)


class DataverseWire(Wire):
    """The Web API; *disturb* changes rows, so that a write under If-Match meets a 412."""

    def __init__(self, app: Flask, disturb: Callable[[], None]) -> None:
        super().__init__(app)
        self._disturb = disturb

    def _meet(self, kind: str) -> None:
        if kind == "412":
            self._disturb()
        else:
            super()._meet(kind)

    def _call(self, method: str, path: str, content: bytes, headers: Mapping[str, str]) -> Call:
        writes = b"\r\nPATCH " in content or b"\r\nPOST " in content or method in ("PATCH", "DELETE")
        kinds: tuple[str, ...] = ("crash before", "lost", "503", "429")
        if writes:
            kinds = ("crash before", "crash after", "refused", "lost", "lost after", "500_applied", "503", "429")
        if b"If-Match: W/" in content or headers.get("If-Match", "").startswith("W/"):
            kinds = (*kinds, "412")
        what = f"{method} {path.removeprefix('/api/data/v9.2/').partition('(')[0]}{' (writes)' if writes else ''}"
        return Call("dataverse", what, kinds)


class _SignedIn:
    """Access tokens of the stand-in, as a managed identity would give them: no I/O of ours."""

    def __init__(self, sandbox: Any, clock: FakeClock, username: str = "") -> None:
        self._sandbox, self._clock, self._username = sandbox, clock, username
        self._token, self._until = "", clock.now()

    def token(self, environment: str) -> str:
        if not self._token or self._clock.now() >= self._until:
            self._token = self._sandbox.person_token(self._username) if self._username else self._sandbox.token()
            self._until = self._clock.now() + timedelta(minutes=30)
        return self._token


class CrashWorld(World):
    """The world of tests/world.py without a socket, whose I/Os can fail and whose state can be put back."""

    def __init__(self, stack: ExitStack) -> None:
        self.clock = FakeClock()
        self.store = FakeStore()
        self.queues = FakeQueues(self.clock)
        self.durations = Durations()
        self.plan = FaultPlan(self.clock, self.durations)
        self._xero_app = create_xero(now=self.clock.now, limits=StandInLimits(minute=60, day=5_000), public_url=XERO)
        self.xero = self._xero_app.extensions["sandbox"]
        stack.callback(self.xero.store.close)
        self._xero_http = self._xero_app.test_client()
        self._dataverse_app = images.dataverse(self.clock.now, public_url=f"https://{DYNAMICS}", enforces_roles=True)
        self.dataverse = self._dataverse_app.extensions["sandbox"]
        stack.callback(self.dataverse.close)
        self.environment = DYNAMICS
        self.secrets = Seal([bytes(32)])
        self.outcomes = []
        self._changed = []
        self._invocations = self._lines = 0
        self.invoices: list[str] = []
        self.rests: Callable[[], bool] = self._has_every_invoice
        xero_host = str(urlsplit(XERO).hostname)
        self._wires = {xero_host: XeroWire(self._xero_app), DYNAMICS: DataverseWire(self._dataverse_app, self._disturb)}
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(urllib3.HTTPConnectionPool, "_make_request", self._make_request)
        patch.setattr(ssl.SSLContext, "load_verify_locations", lambda *_: None)  # slow, and there is no connection to verify
        self._app_user = _SignedIn(self.dataverse, self.clock)
        self._person_user = _SignedIn(self.dataverse, self.clock, ADMINISTRATOR)
        self.begin()

    def begin(self) -> None:
        """Start a process: nothing of an earlier one is remembered but what storage holds."""
        store, queues = FaultyStore(self.store, self.plan), FaultyQueues(self.queues, self.plan)
        self._oauth = OAuth("sandbox-client", "sandbox-secret", self.clock, self.durations, XERO, XERO, XERO)
        self.tokens = Tokens(store, self.secrets, self._oauth, self.durations)
        xero = XeroClient(self.tokens, Limits(store, self.durations), self.clock, self.durations, XERO)
        dataverse = DataverseClient(self._app_user, self.durations)
        self.services = Services(xero, dataverse, store, queues, self.secrets, self.clock, self.durations)

    def _person(self, method: str, path: str, body: Json | None = None, *, who: str = "", want_id: bool = False) -> Any:
        """Do what a person does in Dynamics, outside the plan."""
        client = DataverseClient(self._person_user, self.durations)
        operation = Operation(method, path, body, {"Prefer": 'odata.include-annotations="*"'} if method == "GET" else {})
        plan, self.plan = self.plan, FaultPlan(self.clock, self.durations)
        try:
            answer = client.send(self.environment, [operation])[0]
        finally:
            self.plan = plan
        found = answers.result(answer, write=method != "GET")
        return answers.row_id(answer) if want_id else found

    @property
    def _make_request(self) -> Callable[..., urllib3.HTTPResponse]:
        """Return what takes the place of urllib3's own: whichever client speaks, its requests come here, one by one."""

        ours = threading.get_ident()  # other tests of this process may have threads of their own at work

        def make_request(pool: urllib3.HTTPConnectionPool, conn: Any, method: str, url: str, **sent: Any) -> Any:
            if threading.get_ident() != ours:
                return REAL_MAKE_REQUEST(pool, conn, method, url, **sent)
            return self._wires[pool.host].send(self.plan, pool, method, url, conn=conn, **sent)

        return make_request

    def _disturb(self) -> None:
        """Change columns nothing is mapped from on every invoice, so that its ETag is old."""
        for invoice in self.invoices:
            self.patch(f"invoices({invoice})", {"shipto_line3": f"{len(self.plan.calls)}"})

    # ── the state, taken and put back ──

    def keep(self) -> dict[str, Any]:
        """Take everything that outlives a process."""
        return {
            "now": self.clock.now(),
            "tables": {name: dict(rows) for name, rows in self.store._tables.items()},
            "queues": {name: list(messages) for name, messages in self.queues.queues.items()},
            "xero": self.xero.store._connection.serialize(),
            "stamp": self.xero.clock._last_stamp,
            "dataverse": self.dataverse.environment.store._db.serialize(),
            "invoices": list(self.invoices),
        }

    def put_back(self, kept: dict[str, Any], faults: Mapping[int, str] | None = None, **plan: Any) -> None:
        """Put back what ``keep`` took and begin with a plan."""
        self.clock.set(kept["now"])
        self.store._tables = {name: dict(rows) for name, rows in kept["tables"].items()}
        self.queues.queues = {name: list(messages) for name, messages in kept["queues"].items()}
        self.xero.store._connection.deserialize(kept["xero"])
        self.xero.clock._last_stamp = kept["stamp"]
        self.dataverse.environment.store._db.deserialize(kept["dataverse"])
        self.invoices = list(kept["invoices"])
        self.xero.limiter = RateLimiter(StandInLimits(minute=60, day=5_000), self.clock.now)
        self.dataverse.meter = Meter(ServiceProtection(), self.clock.now)
        self.xero.faults.clear()
        self.dataverse.faults.clear()
        self.xero.log.clear()
        self.dataverse.log.clear()
        self.outcomes = []
        self.plan = FaultPlan(self.clock, self.durations, faults or {}, **plan)
        self._app_user = _SignedIn(self.dataverse, self.clock)
        self._person_user = _SignedIn(self.dataverse, self.clock, ADMINISTRATOR)
        self.begin()

    # ── the host ──

    def run(self, *, swept: bool = False) -> timedelta:
        """Let timers and the host run until everything ``rests``, at first every invoice; return how long that took.

        *swept*: the sweep has just been, the next tick is five minutes away.
        """
        begun = self.clock.now()
        next_tick = begun + EVERY if swept else begun
        while True:
            if self.clock.now() >= next_tick:
                next_tick = self.clock.now() + (EVERY if self._ticked() else timedelta(minutes=1))
            while self._deliver():
                pass
            visible = self.queues.next_at()
            if visible is None and self.rests():
                return self.clock.now() - begun
            if self.clock.now() - begun > PATIENCE:
                raise AssertionError(f"not at rest after {PATIENCE}: {self.plan.fired}, {self.queues.queues}")
            self.clock.set(max(self.clock.now(), min(next_tick, visible or next_tick)))

    def sweep_once(self) -> None:
        """Let the sweeps run that a tick asks for, and leave the flows' messages where they are."""
        for connector, flow in itertools.product(self.connectors(), BY_NAME):
            self.queues.send(SWEEPS, SweepMessage(connector.key, flow).to_json())
        while message := self.queues.take(SWEEPS):
            sweep(message.text, self.services, self.clock.now())
            self.queues.done(SWEEPS, message)

    def _ticked(self) -> bool:
        """Let the timer's function run; False when the process died or an exception left it."""
        try:
            tick(self.services, self.clock.now())
        except Crash:
            self.plan.restart()
            self.begin()
            return False
        except Retryable:
            return False
        return True

    def _deliver(self) -> bool:
        for queue in (SWEEPS, *BY_NAME):
            message = self.queues.take(queue)
            if message is None:
                continue
            was_alive = True
            now = self.clock.now()
            try:
                if queue == SWEEPS:
                    sweep(message.text, self.services, now)
                else:
                    self.outcomes.append(self.deliver(message.text))
                call = Call("host", f"delete message of {queue}", ("crash before",))
                self.plan.io(call, lambda: None, lambda kind, perform: None)
            except Crash:
                was_alive = False
                self.plan.restart()
                self.begin()
            except Retryable:
                self.queues.failed(queue, message)
                return True
            if was_alive:
                self.queues.done(queue, message)
            return True
        return False

    def _has_every_invoice(self) -> bool:
        rows = [self.dataverse.row("invoice", invoice) for invoice in self.invoices]
        parked = {stored.row.partition("|")[2] for stored in self._claims() if stored.values["state"] == "parked"}
        return all(row and (row["mag_synchedwithxero"] or row["statecode"] or row["invoiceid"] in parked) for row in rows)

    def _claims(self) -> Sequence[StoredRow]:
        return self.store.rows(claims.TABLE)


@contextmanager
def no_sockets() -> Iterator[None]:
    """Make every connection of this thread an error: all I/O passes the plan."""
    ours = threading.get_ident()

    def guarded(real: Callable[..., Any]) -> Callable[..., Any]:
        def connect(*arguments: Any, **options: Any) -> Any:
            if threading.get_ident() == ours:
                raise AssertionError("an I/O happened outside the ports")
            return real(*arguments, **options)

        return connect

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded(socket.socket.connect))
        patch.setattr(socket.socket, "connect_ex", guarded(socket.socket.connect_ex))
        patch.setattr(socket, "getaddrinfo", guarded(socket.getaddrinfo))
        yield


@contextmanager
def crash_world() -> Iterator[CrashWorld]:
    """Open a world with one connected organisation and its reference data; no socket can be opened while it stands."""
    with no_sockets(), ExitStack() as stack:
        yield CrashWorld(stack)


__all__ = ["Call", "Connector", "Crash", "CrashWorld", "FaultPlan", "crash_world", "datetime", "no_sockets"]
