"""What a sweep releases, and what it leaves where it is (functions/sweep.py, functions/tick.py)."""

import pytest

from functions.flows import SWEEPS
from functions.health import health
from functions.keep_alive import keep_alive
from functions.sweep import sweep
from functions.tick import tick
from sandbox.xero.faults import Fault
from shared.connectors import Connector
from shared.errors import NeedsReconnect, Retryable
from shared.messages import SweepMessage
from tests.world import FLOW, UK, YES, World


def swept(world: World, connector: Connector) -> int:
    return sweep(SweepMessage(connector.key, FLOW).to_json(), world.services, world.clock.now())


def test_a_record_under_way_is_not_released_again(world: World, nz: Connector):
    world.settle()
    world.invoice()
    assert swept(world, nz) == 1
    assert swept(world, nz) == 0
    world.settle()


def test_a_lost_message_is_sent_again_after_a_quarter_of_an_hour(world: World, nz: Connector):
    world.settle()
    invoice = world.invoice()
    assert swept(world, nz) == 1
    lost = world.queues.take(FLOW)
    assert lost is not None
    world.queues.done(FLOW, lost)
    assert swept(world, nz) == 0
    world.clock.move(minutes=16)
    assert swept(world, nz) == 1
    world.settle()
    assert world.row(invoice)["mag_exportstatus"] == YES


def test_a_backlog_stays_at_the_source_and_goes_within_the_budget_without_a_429(own_world: World):
    world, connector = own_world, own_world.connect()
    invoices = [world.invoice() for _ in range(45)]
    released = swept(world, connector)
    assert 0 < released <= 30  # 60 calls a minute, two an invoice
    world.settle(minutes=15)
    assert all(world.row(invoice)["mag_exportstatus"] == YES for invoice in invoices)
    assert [entry for entry in world.xero.log.entries() if entry.status == 429] == []


def test_a_sweep_of_rubbish_is_an_outcome(world: World, nz: Connector):
    assert sweep("rubbish", world.services, world.clock.now()) == 0
    assert sweep('{"connector":"x|y","flow":"invoices-to-xero"}', world.services, world.clock.now()) == 0
    assert sweep(f'{{"connector":"{nz.key}","flow":"none"}}', world.services, world.clock.now()) == 0


def test_a_fault_of_dataverse_during_a_sweep_is_noted_and_the_next_one_goes_on(world: World, nz: Connector):
    invoice = world.invoice()
    world.dataverse.faults.add(Fault("503", "POST", r"\$batch"))
    assert swept(world, nz) == 0
    run = world.store.read("flowruns", nz.key, FLOW)
    assert run is not None
    assert "Retryable" in str(run.values["last_error"]) or "Uncertain" in str(run.values["last_error"])
    assert swept(world, nz) >= 1
    world.settle()
    assert world.row(invoice)["mag_exportstatus"] == YES


def test_the_tick_asks_once_per_connector_and_due_flow(own_world: World):
    world = own_world
    world.connect()
    world.connect(UK, default=False)
    assert tick(world.services, world.clock.now()) == 2
    assert tick(world.services, world.clock.now()) == 0
    world.clock.move(minutes=5)
    assert tick(world.services, world.clock.now()) == 2
    assert len(world.queues.queues[SWEEPS]) == 4


def test_health_tells_the_age_of_the_last_tick_and_nothing_else(own_world: World):
    world = own_world
    assert health(world.services, world.clock.now())[0] == 503
    tick(world.services, world.clock.now())
    status, told = health(world.services, world.clock.move(30))
    assert (status, told) == (200, {"version": told["version"], "secondsSinceLastTick": 30, "status": "ok"})
    assert health(world.services, world.clock.move(minutes=6))[0] == 503


@pytest.mark.parametrize(("error", "state"), [(NeedsReconnect("gone"), "needs_reconnect"), (Retryable("later"), "connected")])
def test_a_consent_that_is_gone_is_noticed_by_the_keep_alive(own_world: World, error: Exception, state: str):
    world, connector = own_world, own_world.connect()
    keep_alive({connector.grant: error}, world.services)  # type: ignore[dict-item]
    assert world.connector(connector).state == state
