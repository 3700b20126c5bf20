"""One organisation's waiting time while others back-fill, in virtual time, with the real sweep, claims and limiter.

A host of WORKERS (scaled out) takes messages in the order they become visible, whatever organisation they are for. Each push costs two
Xero calls of CALL seconds. Nothing here sleeps or measures the machine.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from functions import claim as claims
from functions import sweep
from functions.flows import FLOWS
from functions.routes import Due
from functions.to_xero import ToXero
from shared.connectors import Connector
from shared.durations import Durations
from shared.errors import NotReady, Retryable, Throttled
from shared.messages import SyncMessage
from shared.services import Lane, Services
from shared.xero.limits import Allowance, Limits
from tests.fakes import FakeClock, FakeStore

WORKERS = 64
CALLS = 2
CALL = 0.3
OTHER = 0.1
MINUTES = 8
BACKLOG = 400
ARRIVES_EVERY = 7.3
ALLOWED = Allowance(day=5_000)


@dataclass
class Simulation:
    """Organisations by name; the one named "quiet" gets an invoice every few seconds by a message of its own (real time)."""

    busy: int
    clock: FakeClock = field(default_factory=FakeClock)
    waits: list[float] = field(default_factory=list)
    done: int = 0
    throttled: int = 0

    def run(self) -> list[float]:
        """Return the waiting times of the quiet organisation, from message to the end of its push, in seconds."""
        self.begun = self.clock.now()
        self.events: list[tuple[datetime, int, Any]] = []
        self.queue: list[tuple[datetime, int, str]] = []
        self.serial = self.working = 0
        self.sent_at: dict[str, datetime] = {}
        self.calls_left: dict[str, int] = {}
        store = FakeStore()
        self.limits = Limits(store, Durations())
        self.services = Services(self, self, store, self, None, self.clock)  # type: ignore[arg-type]
        self.connectors = [_connector(f"busy-{number}") for number in range(self.busy)]
        self.backlog = {one.key: {f"invoice/{one.id}-{number}": None for number in range(BACKLOG)} for one in self.connectors}
        end = self.begun + timedelta(minutes=MINUTES)
        for minute in range(MINUTES):
            self._at(self.begun + timedelta(minutes=minute), "tick")
        for number in range(int(MINUTES * 60 / ARRIVES_EVERY)):
            self._at(self.begun + timedelta(seconds=number * ARRIVES_EVERY), f"invoice/quiet-{number}")
        while self.events and self.events[0][0] < end:
            at, _, what = heapq.heappop(self.events)
            self.clock.set(at)
            if what == "tick":
                self._tick()
            elif isinstance(what, str):
                self.sent_at[what] = at
                self.send("invoices-to-xero", SyncMessage(_connector("quiet").key, "invoices-to-xero", what).to_json())
            elif what is not None:
                self._go(what)
            self._take()
        return sorted(self.waits)

    # The ports the sweep uses: Xero.budget and Queues.send; reference data there is none.

    def call(self, *_: Any, **__: Any) -> Any:
        raise Retryable("There are no books here.")

    def budget(self, connector: Connector, lane: Lane) -> int:
        return self.limits.budget(connector.organisation, lane, self.clock.now(), ALLOWED)

    def send(self, queue: str, text: Any, delay: timedelta = timedelta()) -> None:
        if not isinstance(text, str):
            raise Retryable("There is no environment here.")
        visible = self.clock.now() + delay
        self.serial += 1
        heapq.heappush(self.queue, (visible, self.serial, text))
        self._at(visible, None)

    def _tick(self) -> None:
        flow = FLOWS[0]
        assert isinstance(flow.source, ToXero)
        source = replace(flow.source, due=self._due)
        for connector in self.connectors:
            sweep._release(flow, source, connector, self.services, self.clock.now())

    def _due(self, connector: Connector, services: Services, now: datetime) -> Iterator[Due]:
        yield from (Due(record, "1") for record in list(self.backlog[connector.key]))

    def _at(self, at: datetime, what: Any) -> None:
        self.serial += 1
        heapq.heappush(self.events, (at, self.serial, what))

    def _take(self) -> None:
        while self.queue and self.queue[0][0] <= self.clock.now() and self.working < WORKERS:
            message = SyncMessage.from_json(heapq.heappop(self.queue)[2])
            self.working += 1
            self._go(self._push(message))

    def _go(self, push: Iterator[float]) -> None:
        seconds = next(push, None)
        if seconds is None:
            self.working -= 1
        else:
            self._at(self.clock.now() + timedelta(seconds=seconds), push)

    def _push(self, message: SyncMessage) -> Iterator[float]:
        """Do what sync does with the claim and the limiter; yield how long each step takes."""
        tenant = message.connector.partition("|")[2]
        lane = Lane.USER if tenant == "quiet" else Lane.INVOICES
        try:
            claim = claims.take(self.services, message.connector, message.flow, message.record, f"worker {self.serial}")
        except NotReady as error:
            self.send(message.flow, message.to_json(), error.retry_after or timedelta())
            return
        yield OTHER
        while self.calls_left.setdefault(message.record, CALLS):
            try:
                slot = self.limits.reserve(tenant, lane, self.clock.now(), ALLOWED)
            except Throttled as error:
                self.throttled += 1
                self.send(message.flow, message.to_json(), error.retry_after)
                queued = self.clock.now() + error.retry_after + timedelta(seconds=900)
                claims.release(self.services, claim, queued=queued)
                return
            yield CALL
            self.limits.settle(slot, 200, {}, self.clock.now())
            self.calls_left[message.record] -= 1  # what was done is not done again: the create is found, the link is late
        claims.close(self.services, claim)
        self.done += 1
        if tenant == "quiet":
            self.waits.append((self.clock.now() - self.sent_at[message.record]).total_seconds())
        else:
            del self.backlog[message.connector][message.record]


def _connector(name: str) -> Connector:
    settings: Mapping[str, Any] = {"mag_autoretryonfix": False}
    return Connector("fair.test", name, name, name, "", "", "", "", "UTC", "connected", settings=settings)


def percentile(sorted_values: list[float], share: float) -> float:
    """Return the value below which *share* of the values lie."""
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * share))]
