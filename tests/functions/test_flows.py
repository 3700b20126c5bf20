"""The registry of flows: what makes one more row safe (functions/flows.py)."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from xero_python.accounting import models

from functions.flows import BY_NAME, FLOWS, QUEUES, Flow, minutes
from functions.history import TOLD
from functions.schedule import is_due
from functions.to_xero import ToXero
from shared.connectors import Connector
from shared.dataverse.query import entity_set
from solution.model import MODEL

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
