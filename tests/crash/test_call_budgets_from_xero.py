"""What the flows from Xero may cost in calls: the budgets of SPEC 15, counted at the wires. docs/benchmarks.md shows the figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest

from functions.flows import BY_NAME, FLOWS
from functions.nightly import nightly
from functions.tick import tick
from functions.to_xero import ToXero
from tests.crash.harness import CrashWorld, crash_world
from tests.crash.test_outage import pay, raised
from tests.world import NZ

A_DAY = timedelta(hours=24)
WITHOUT_WEBHOOKS = 140
FROM_XERO = tuple(flow for flow in FLOWS if not isinstance(flow.source, ToXero))
BY_DEFAULT = tuple(flow.name for flow in FROM_XERO if flow.enabled)
PAYMENTS = "payments-from-xero"


class Counting:
    """A connected world whose calls to Xero are counted; ``linked`` invoices stand on both sides."""

    def __init__(self, world: CrashWorld) -> None:
        self.world = world
        self.connector = world.connect()
        self._start = world.keep()

    def begin(self, *flows: str, every: int) -> None:
        self.world.put_back(self._start)
        self.world.enable(self.connector, *flows, every=every)
        self.settle()

    def settle(self) -> Counter[str]:
        """Let everything that is due by now happen; return its I/Os by edge, of Xero's those that its limits count."""
        before = len(self.world.plan.calls)
        self.world.rests = lambda: True
        self.world.run()
        return self._counted(before)

    def paid(self, count: int) -> Counter[str]:
        """Count what one sweep of *count* payments costs, from the tick to the last message."""
        self.begin(PAYMENTS, every=15)
        ids = self.linked(count)
        self.world.clock.move(900)
        self.settle()
        for start in range(0, count, 50):
            pay(self.world.bookkeeper(), ids[start : start + 50])
        self.world.clock.move(900)
        return self.settle()

    def linked(self, count: int) -> list[str]:
        """Raise *count* invoices in Xero, each with its row in Dynamics 365; return Xero's ids."""
        world, ids = self.world, []
        contact = world.xero_contact(Name=f"Many Limited {count}")
        for start in range(0, count, 50):
            ids += raised(world.bookkeeper(), contact, start, min(50, count - start))
        for one in ids:
            world.invoice(
                flag=False, mag_xeroid=one, mag_synchedwithxero=True, mag_addtoxero=True, mag_xeroconnectorid=self._bound()
            )
        return ids

    def day(self, *flows: str) -> Counter[str]:
        """Let a day pass without anything to do, its night included, each flow looking as often as it does by itself."""
        self.begin(*flows, every=15)
        world = self.world
        for flow in flows:
            world.enable(self.connector, flow, every=int(BY_NAME[flow].every.total_seconds() // 60))
        self.settle()
        before, end = len(world.plan.calls), world.clock.now() + A_DAY
        nightly(world.services, world.clock.now())
        while world.clock.now() < end:
            tick(world.services, world.clock.now())
            world.run(swept=True)
            world.clock.move(60)
        return self._counted(before)

    def _counted(self, before: int) -> Counter[str]:
        calls = self.world.plan.calls[before:]
        return Counter(call.edge for call in calls if call.edge != "xero" or "/api.xro/" in call.what)

    def _bound(self) -> tuple[str, str]:
        return "mag_xeroconnectors", self.connector.id


@pytest.fixture(scope="module")
def counting() -> Iterator[Counting]:
    with crash_world() as world:
        yield Counting(world)


@pytest.mark.parametrize("count", [1, 40, 41, 120])
def test_many_payments_cost_two_calls_and_one_for_each_forty(counting: Counting, count: int):
    found = counting.paid(count)
    rows = counting.world.dataverse.rows("mag_payment")
    assert len(rows) == count
    assert {Decimal(str(row["mag_amount"])) for row in rows} == {Decimal("115")}
    assert found["xero"] <= 2 + -(-count // 40)


def test_an_idle_connector_stays_within_its_calls_of_a_day(counting: Counting):
    assert counting.day(*BY_DEFAULT)["xero"] <= WITHOUT_WEBHOOKS
    assert counting.world.xero.documents(NZ, "invoice"), "there is something that could be read again and again"
