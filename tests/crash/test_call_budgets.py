"""What a push may cost in calls: the budgets of SPEC 15, counted at the wires. docs/benchmarks.md shows the figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.crash.harness import Call, CrashWorld, crash_world
from tests.crash.test_crash_points import BILL, SALES_INVOICE, XERO_NUMBERED, Push, Stage
from tests.world import DRAFT

CREATE = "PUT /api.xro/2.0/Invoices"
DATAVERSE_TRIPS = 3


def _for_a_new_customer(world: CrashWorld) -> str:
    return world.invoice("kereru")


def _with_a_new_item(world: CrashWorld) -> str:
    invoice = world.invoice(lines=0, flag=False)
    world.line(invoice, product="consulting", unit="hour")
    world.flag(invoice)
    return invoice


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with crash_world() as world:
        world.connect()
        for known in ("ridgeway", "truxton"):
            world.invoices = [world.invoice(known)]
            world.run()
        yield Stage(world)


@pytest.mark.parametrize(
    ("push", "calls"),
    [
        (SALES_INVOICE, 2),
        (Push("draft", SALES_INVOICE.make, settings=(("mag_defaultxerostatus", DRAFT),), status="DRAFT"), 1),
        (BILL, 2),
        (XERO_NUMBERED, 3),
        (Push("new customer", _for_a_new_customer), 4),
        (Push("new item", _with_a_new_item, total=""), 3),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_push_costs_so_many_calls_to_xero_and_three_round_trips_to_dataverse_at_most(stage: Stage, push: Push, calls: int):
    stage.set(push, swept=True)
    edges = Counter(call.edge for call in stage.calls())
    assert edges["xero"] == calls
    assert edges["dataverse"] <= DATAVERSE_TRIPS


def test_a_finished_record_delivered_again_costs_no_call_to_xero(stage: Stage):
    stage.set(SALES_INVOICE, swept=True)
    stage.world.put_back(stage.state)
    (text,) = stage.world.queues.visible("invoices-to-xero")
    before = len(stage.calls())
    stage.world.deliver(text)
    assert "xero" not in {call.edge for call in stage.world.plan.calls[before:]}


@pytest.mark.parametrize("kind", ["crash after", "lost after", "500_applied"])
def test_a_retry_costs_one_call_more(stage: Stage, kind: str):
    stage.set(SALES_INVOICE, swept=True)
    assert not stage.run({_create(stage.calls()): kind})
    assert stage.world.xero_calls() == 3  # create, look-up, pay-now link


@pytest.mark.parametrize("kind", ["lost after", "lost", "refused", "429", "503", "500"])
def test_a_create_is_sent_once_whatever_the_network_does(stage: Stage, kind: str):
    stage.set(SALES_INVOICE, swept=True)
    create = _create(stage.calls())
    stage.world.put_back(stage.state, {create: kind})
    message = stage.world.queues.take("invoices-to-xero")
    assert message is not None
    stage.world.deliver(message.text)
    assert [str(call) for call in stage.world.plan.calls].count(f"xero {CREATE}") == 1


def _create(calls: list[Call]) -> int:
    return next(number for number, call in enumerate(calls, 1) if CREATE in str(call))
