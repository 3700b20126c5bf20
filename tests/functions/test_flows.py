"""The registry of flows: what makes one more row safe (functions/flows.py)."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from xero_python.accounting import models

from functions import connectors, runs
from functions.flows import BY_NAME, FLOWS, QUEUES, SWEEPS, Flow, minutes
from functions.from_xero import FromXero
from functions.history import TOLD
from functions.schedule import is_due
from functions.to_xero import ToXero
from shared.connectors import Connector
from shared.dataverse.query import entity_set
from shared.messages import SweepMessage
from solution.model import MODEL
from tests.world import World
from tests.world import world as open_world

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
SAMPLES = Path(__file__).parent.parent / "samples"


def connector(**flow: object) -> Connector:
    settings = {"flows": [{"mag_flow": "invoices-to-xero", **flow}]} if flow else {}
    return Connector("host", "1", "o", "O", "!s", "e", "s", "g", "Etc/UTC", "connected", settings=settings)


def test_flow_names_are_unique_and_legal_for_a_queue_a_function_and_a_poison_queue():
    assert len(BY_NAME) == len(FLOWS)
    for name in QUEUES:
        assert re.fullmatch(r"[a-z0-9](-?[a-z0-9])+", name)
        assert len(f"{name}-poison") <= 63


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_every_flow_has_a_table_and_sample_pairs(flow: Flow):
    if isinstance(flow.source, ToXero):
        assert flow.table in TOLD
    else:
        assert flow.table in models.__dict__, "a table of Xero's is one of its documents"
    pairs = list((SAMPLES / flow.name).glob("*.in.json"))
    assert pairs
    assert all(pair.with_name(pair.name.replace(".in.", ".out.")).exists() for pair in pairs)


@pytest.mark.parametrize("table", TOLD)
def test_every_table_that_is_told_of_has_a_lookup_for_its_history(table: str):
    told = TOLD[table]
    assert MODEL["mag_synchistory"].columns[told.lookup].targets == (table,)
    assert entity_set(table) == MODEL[table].entity_set
    assert {told.status, told.xero_id} <= set(MODEL[table].columns) | {""}


def test_invoices_are_looked_for_every_five_minutes_without_a_look_back():
    flow = BY_NAME["invoices-to-xero"]
    assert (flow.every, flow.enabled, flow.look_back) == (minutes(5), True, None)


def test_a_connectors_own_row_overrides_only_what_it_fills_in():
    flow = BY_NAME["invoices-to-xero"]
    assert flow.for_connector(connector()) == flow
    changed = flow.for_connector(connector(mag_everyminutes=1, mag_enabled=None, mag_lookbackdays=3))
    assert (changed.every, changed.enabled, changed.look_back) == (minutes(1), True, None)
    assert flow.for_connector(connector(mag_enabled=False)).enabled is False


@pytest.mark.parametrize(("ago", "due"), [(None, True), (299, False), (300, True), (86_400, True)])
def test_a_flow_is_due_when_its_time_has_come(ago: int | None, due: bool):
    last = None if ago is None else NOW - timedelta(seconds=ago)
    assert is_due(BY_NAME["invoices-to-xero"], last, NOW) is due


def test_a_flow_that_is_switched_off_is_never_due():
    flow = BY_NAME["invoices-to-xero"].for_connector(connector(mag_enabled=False))
    assert is_due(flow, None, NOW) is False


# ── the connector's own row of a flow, through the tick and the sweep ───────────────────────────────────────────────────────────

FROM_XERO = tuple(flow for flow in FLOWS if isinstance(flow.source, FromXero))
LISTED = tuple(flow for flow in FROM_XERO if flow.look_back is not None)


@pytest.fixture(scope="module")
def quiet(authorities: Path) -> Iterator[World]:
    """A world whose connector has every flow from Xero switched off."""
    with pytest.MonkeyPatch.context() as patch, open_world(authorities) as opened:
        patch.setenv("REQUESTS_CA_BUNDLE", str(authorities / "authorities.pem"))
        opened.connect()
        yield opened


@pytest.fixture
def switched_off(quiet: World) -> Iterator[World]:
    quiet.clock.move(minutes=10)
    quiet.settle()
    yield quiet
    for flow in FROM_XERO:
        own(quiet, flow, mag_enabled=False, mag_everyminutes=None, mag_lookbackdays=None)


def own(quiet: World, flow: Flow, **columns: object) -> None:
    (of_world,) = quiet.connectors()
    quiet._switch(of_world, flow.name, **columns)
    connectors.refresh(quiet.services, quiet.connector(of_world))


def looks(quiet: World, flow: Flow, over: int) -> int:
    """Return how often the flow's sweep is asked for over so many minutes."""
    before = len(quiet.queues.sent)
    quiet.settle(minutes=over)
    swept = [SweepMessage.from_json(text) for queue, text, _ in quiet.queues.sent[before:] if queue == SWEEPS]
    return sum(message.flow == flow.name for message in swept)


def first_of(quiet: World, flow: Flow) -> datetime:
    """Forget what the flow has read, let it look for the first time, and return how far back that reached."""
    (of_world,) = quiet.connectors()
    quiet.store.delete(runs.TABLE, of_world.key, flow.name)
    quiet.settle()
    return datetime.fromisoformat(str(runs.read_all(quiet.store, of_world.key)[flow.name]["first"]))


@pytest.mark.parametrize("flow", FROM_XERO, ids=lambda flow: flow.name)
def test_a_flow_from_xero_is_switched_off_and_on_by_its_own_row(switched_off: World, flow: Flow):
    assert looks(switched_off, flow, over=200) == 0
    own(switched_off, flow, mag_enabled=True)
    assert looks(switched_off, flow, over=2) == 1
    own(switched_off, flow, mag_enabled=False)
    assert looks(switched_off, flow, over=200) == 0


@pytest.mark.parametrize("flow", FROM_XERO, ids=lambda flow: flow.name)
def test_a_flow_from_xero_looks_as_often_as_its_own_row_says(switched_off: World, flow: Flow):
    own(switched_off, flow, mag_enabled=True, mag_everyminutes=7)
    looks(switched_off, flow, over=1)
    assert looks(switched_off, flow, over=28) == 4
    own(switched_off, flow, mag_everyminutes=None)
    often = int(flow.every.total_seconds() // 60)
    assert looks(switched_off, flow, over=2 * often) == 2, "without a number it looks as often as it does by itself"


@pytest.mark.parametrize("flow", LISTED, ids=lambda flow: flow.name)
def test_the_first_look_of_a_flow_from_xero_reaches_back_as_its_own_row_says(switched_off: World, flow: Flow):
    """A217, A276, A309, A328: seven days, adjustable."""
    own(switched_off, flow, mag_enabled=True)
    assert first_of(switched_off, flow) == switched_off.clock.now() - timedelta(days=7)
    own(switched_off, flow, mag_lookbackdays=30)
    assert first_of(switched_off, flow) == switched_off.clock.now() - timedelta(days=30)
