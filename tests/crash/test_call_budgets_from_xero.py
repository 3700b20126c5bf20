"""What the flows from Xero may cost in calls: the budgets of SPEC 15, counted at the wires. docs/benchmarks.md shows the figures."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest

from functions.flows import FLOWS
from functions.nightly import nightly
from functions.tick import tick
from functions.to_xero import ToXero
from tests.crash.harness import CrashWorld, crash_world
from tests.crash.test_outage import pay, raised
from tests.world import NZ

A_DAY = timedelta(hours=24)
WITHOUT_WEBHOOKS = 140
BY_DEFAULT = tuple(flow.name for flow in FLOWS if flow.enabled and not isinstance(flow.source, ToXero))
PAYMENTS, CREDIT_NOTES = "payments-from-xero", "credit-notes-from-xero"


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

    def settle(self) -> int:
        """Let everything that is due by now happen; return how many calls to Xero it took."""
        before = self._calls()
        self.world.rests = lambda: True
        self.world.run()
        return self._calls() - before

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

    def day(self) -> int:
        """Let a day without anything to do pass, its night included; return the calls to Xero."""
        before, world = self._calls(), self.world
        end = world.clock.now() + A_DAY
        nightly(world.services, world.clock.now())
        world.rests = lambda: True
        while world.clock.now() < end:
            tick(world.services, world.clock.now())
            world.run(swept=True)
            world.clock.move(60)
        return self._calls() - before

    def _calls(self) -> int:
        return sum(call.edge == "xero" and "/api.xro/" in call.what for call in self.world.plan.calls)

    def _bound(self) -> tuple[str, str]:
        return "mag_xeroconnectors", self.connector.id


@pytest.fixture(scope="module")
def counting() -> Iterator[Counting]:
    with crash_world() as world:
        yield Counting(world)


@pytest.mark.parametrize("count", [1, 40, 41, 120])
def test_many_payments_cost_two_calls_and_one_for_each_forty(counting: Counting, count: int):
    counting.begin(PAYMENTS, every=15)
    ids = counting.linked(count)
    counting.world.clock.move(900)
    counting.settle()
    for start in range(0, count, 50):
        pay(counting.world.bookkeeper(), ids[start : start + 50])
    counting.world.clock.move(900)
    calls = counting.settle()
    rows = [row for row in counting.world.dataverse.rows("mag_payment")]
    assert len(rows) == count
    assert {Decimal(str(row["mag_amount"])) for row in rows} == {Decimal("115")}
    assert calls <= 2 + -(-count // 40)


def test_an_idle_connector_stays_within_its_calls_of_a_day(counting: Counting):
    counting.begin(*BY_DEFAULT, every=15)
    for flow in FLOWS:  # as often as each looks by itself
        if flow.name in BY_DEFAULT:
            counting.world.enable(counting.connector, flow.name, every=int(flow.every.total_seconds() // 60))
    counting.settle()
    assert counting.day() <= WITHOUT_WEBHOOKS
    assert counting.world.xero.documents(NZ, "invoice"), "there is something that could be read again and again"
