"""The world in memory: a clock that is set, tables and queues that behave as Azure's do, and an HTTP server that fails on demand.

Store and queues each stand for an edge of ``shared.services`` and pass the same contract tests as the real one
(tests/shared/test_tables.py, test_queues.py).
"""

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, RLock, Thread
from typing import Any, Self

from shared.errors import Changed
from shared.services import ReceivedMessage, StoredRow
from tests.ports import unanswered

START = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
HOST_LEASE = timedelta(minutes=10)
MAX_DEQUEUES = 5
LONGEST_DELAY = timedelta(days=7)


class FakeClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime = START) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def set(self, now: datetime) -> None:
        self._now = now

    def move(self, seconds: float = 0, **more: float) -> datetime:
        """Move on by *seconds* (or minutes=, hours=, days=) and return the new time."""
        self._now += timedelta(seconds=seconds, **more)
        return self._now


class FakeStore:
    """Table Storage: ETag compare-and-swap, flat values, key order. ``calls`` lists (method, table) of every operation."""

    def __init__(self) -> None:
        self._tables: dict[str, dict[tuple[str, str], StoredRow]] = {}
        self._written = 0
        self._lock = RLock()
        self.calls: list[tuple[str, str]] = []

    def read(self, table: str, partition: str, row: str) -> StoredRow | None:
        with self._lock:
            self.calls.append(("read", table))
            return self._rows(table).get((partition, row))

    def insert(self, table: str, partition: str, row: str, values: Mapping[str, Any]) -> str:
        with self._lock:
            self.calls.append(("insert", table))
            if (partition, row) in self._rows(table):
                raise Changed(f"A row of {table} was written by somebody else.")
            return self._write(table, partition, row, values)

    def replace(self, table: str, partition: str, row: str, values: Mapping[str, Any], etag: str) -> str:
        with self._lock:
            self.calls.append(("replace", table))
            found = self._rows(table).get((partition, row))
            if found is None or found.etag != etag:
                raise Changed(f"A row of {table} was written by somebody else.")
            return self._write(table, partition, row, values)

    def upsert(self, table: str, partition: str, row: str, values: Mapping[str, Any]) -> None:
        with self._lock:
            self.calls.append(("upsert", table))
            self._write(table, partition, row, values)

    def delete(self, table: str, partition: str, row: str, etag: str | None = None) -> None:
        with self._lock:
            self.calls.append(("delete", table))
            found = self._rows(table).get((partition, row))
            if found and etag and found.etag != etag:
                raise Changed(f"A row of {table} was written by somebody else.")
            self._rows(table).pop((partition, row), None)

    def rows(self, table: str, partition: str | None = None, *, limit: int | None = None) -> list[StoredRow]:
        with self._lock:
            self.calls.append(("rows", table))
            found = [row for _, row in sorted(self._rows(table).items()) if partition in (None, row.partition)]
            return found[:limit]

    def _rows(self, table: str) -> dict[tuple[str, str], StoredRow]:
        return self._tables.setdefault(table, {})

    def _write(self, table: str, partition: str, row: str, values: Mapping[str, Any]) -> str:
        for name, value in values.items():
            if (isinstance(value, int) and not -(2**63) <= value < 2**63) or not isinstance(
                value, str | int | bool | float | None
            ):
                raise TypeError(f"{name} is of type {type(value).__name__}: a row holds str, int of 64 bits, bool and float.")
        self._written += 1
        etag = f'W/"{self._written}"'
        kept = {name: value for name, value in values.items() if value is not None}
        self._rows(table)[partition, row] = StoredRow(partition, row, kept, etag)
        return etag


@dataclass(frozen=True)
class QueuedMessage:
    """A message as the queue holds it; ``receipt`` is empty until it is taken."""

    id: str
    text: str
    inserted_on: datetime
    visible_at: datetime
    dequeues: int = 0
    receipt: str = ""


@dataclass
class FakeQueues:
    """Storage Queues and what the Functions host does with them.

    ``take`` is the host beginning a message: it is hidden ten minutes, so that a crash (nothing more is called) brings it back then;
    ``done`` deletes it; ``failed`` shows it again at once, and after the fifth time moves it to ``<queue>-poison``.
    """

    clock: FakeClock
    queues: dict[str, list[QueuedMessage]] = field(default_factory=dict)
    sent: list[tuple[str, str, timedelta]] = field(default_factory=list)
    _lock: RLock = field(default_factory=RLock, repr=False)
    _count: int = 0

    def send(self, queue: str, text: str, delay: timedelta = timedelta()) -> None:
        with self._lock:
            self.sent.append((queue, text, delay))
            self._put(queue, text, min(max(delay, timedelta()), LONGEST_DELAY))

    def receive(self, queue: str, limit: int = 32) -> list[ReceivedMessage]:
        taken = [self._take(queue, timedelta(minutes=5)) for _ in range(min(limit, 32))]
        return [ReceivedMessage(message.id, message.receipt, message.text, message.inserted_on) for message in taken if message]

    def delete(self, queue: str, message: ReceivedMessage) -> None:
        with self._lock:
            kept = [held for held in self.queues.get(queue, []) if (held.id, held.receipt) != (message.id, message.receipt)]
            self.queues[queue] = kept

    def take(self, queue: str) -> QueuedMessage | None:
        """Begin the next visible message as the host does; None when there is none."""
        return self._take(queue, HOST_LEASE)

    def done(self, queue: str, message: QueuedMessage) -> None:
        """End a message well, unless somebody else took it meanwhile."""
        self.delete(queue, ReceivedMessage(message.id, message.receipt, message.text, message.inserted_on))

    def failed(self, queue: str, message: QueuedMessage) -> None:
        """End a message badly, unless somebody else took it meanwhile: an exception left the function."""
        with self._lock:
            messages = self.queues.get(queue, [])
            place = next((place for place, held in enumerate(messages) if held.receipt == message.receipt), None)
            if place is None:
                return
            if message.dequeues < MAX_DEQUEUES:
                messages[place] = replace(message, visible_at=self.clock.now())
            else:
                del messages[place]
                self._put(f"{queue}-poison", message.text, timedelta())

    def visible(self, queue: str) -> list[str]:
        """Return the texts that could be taken now."""
        return [message.text for message in self.queues.get(queue, []) if message.visible_at <= self.clock.now()]

    def next_at(self) -> datetime | None:
        """Return when the next message of any queue becomes visible; None when all are empty."""
        return min((message.visible_at for messages in self.queues.values() for message in messages), default=None)

    def _put(self, queue: str, text: str, delay: timedelta) -> None:
        self._count += 1
        now = self.clock.now()
        self.queues.setdefault(queue, []).append(QueuedMessage(f"m{self._count}", text, now, now + delay))

    def _take(self, queue: str, hidden: timedelta) -> QueuedMessage | None:
        with self._lock:
            now = self.clock.now()
            messages = self.queues.get(queue, [])
            for place, message in enumerate(messages):
                if message.visible_at <= now:
                    self._count += 1
                    receipt = f"r{self._count}"
                    taken = replace(message, visible_at=now + hidden, dequeues=message.dequeues + 1, receipt=receipt)
                    messages[place] = taken
                    return taken
            return None


class Fault(StrEnum):
    """What a server may do instead of answering; the request has arrived in each case."""

    DROP = "drop"  # the connection closes without an answer
    SILENCE = "silence"  # no answer comes at all
    CUT = "cut"  # the answer ends in its middle


@dataclass(frozen=True)
class HttpAnswer:
    """An answer of the fault server; ``body`` is sent as JSON unless it is bytes."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else b"" if self.body is None else json.dumps(self.body).encode()


@dataclass(frozen=True)
class HttpRequest:
    """A request as it arrived; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64  # a full queue of five would look like a connection that times out


class FaultServer:
    """An HTTP server on 127.0.0.1 that gives scripted answers in turn, the last one for ever, and keeps every request.

    An answer is an HttpAnswer, a Fault, or a function of the request that returns one of them.
    """

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.requests: list[HttpRequest] = []
        self._lock = RLock()
        self._closing = Event()
        self._connections: set[socket.socket] = set()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        for connection in list(self._connections):
            _close(connection)
        self._server.shutdown()
        self._server.server_close()

    def _next(self, request: HttpRequest) -> Any:
        with self._lock:
            self.requests.append(request)
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer(request) if callable(answer) else answer

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                server._connections.add(self.connection)

            def finish(self) -> None:
                super().finish()
                server._connections.discard(self.connection)

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except OSError:
                    self.close_connection = True

            def parse_request(self) -> bool:
                if super().parse_request():
                    self._answer()
                return False

            def _answer(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(int(headers.get("content-length", 0)))
                answer = server._next(HttpRequest(self.command, self.path, headers, body))
                if answer is Fault.SILENCE:
                    server._closing.wait(30)
                if isinstance(answer, Fault) and answer is not Fault.CUT:
                    self.close_connection = True
                    _close(self.connection)
                    return
                cut = answer is Fault.CUT
                answer = HttpAnswer(200, {"Id": "cut"}) if cut else answer
                content = answer.content()
                self.send_response_only(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content) + (10 if cut else 0)))
                self.end_headers()
                self.wfile.write(content)
                self.wfile.flush()
                if cut:
                    self.close_connection = True
                    _close(self.connection)

            def log_message(self, format: str, *args: object) -> None:
                return

        return Handler


def _close(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


@contextmanager
def refused_url() -> Iterator[str]:
    """Hold an address of this machine at which everybody is refused."""
    with unanswered() as port:
        yield f"http://127.0.0.1:{port}"
