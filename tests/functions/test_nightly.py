"""The night's full check asks for the flows that have something to read again, of the connectors at work (functions/nightly.py)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from functions import connectors, nightly
from functions.flows import SWEEPS, Flow, days, minutes
from functions.from_xero import FromXero, Reading
from functions.nightly import nightly as ask
from functions.to_xero import ToXero
from functions.xero_lists import INVOICES
from mappings.choices import FullCheck
from shared.connectors import Connector, Json
from shared.durations import Durations
from shared.errors import Retryable
from shared.messages import SweepMessage
from shared.services import Lane, Services
from shared.storage.seal import Seal
from tests.fakes import FakeClock, FakeQueues, FakeStore
from tests.functions.books import Books

SATURDAY_NIGHT = datetime(2026, 11, 21, 13, 30, tzinfo=UTC)  # Sunday, half past two in the morning, in Auckland


def reread(reading: Reading) -> Iterator[Sequence[Json]]:
    yield []


def nothing(*_: object) -> object:
    raise AssertionError("nothing is read or crossed here")


def flow(name: str, *, enabled: bool = True, rereads: bool = True) -> Flow:
    source = FromXero(INVOICES, nothing, nothing, reread if rereads else None)  # type: ignore[arg-type]
    return Flow(name, "Invoice", minutes(15), enabled, days(7), Lane.PAYMENTS, 1, source)


TO_XERO = Flow(
    "sends",
    "invoice",
    minutes(5),
    True,
    None,
    Lane.INVOICES,
    2,
    ToXero(nothing, nothing, nothing, nothing),  # type: ignore[arg-type]
)
FLOWS = (TO_XERO, flow("first"), flow("without", rereads=False), flow("second"), flow("resting", enabled=False))


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Services:
    monkeypatch.setattr(nightly, "FLOWS", FLOWS)
    clock = FakeClock(SATURDAY_NIGHT)
    return Services(Books(), None, FakeStore(), FakeQueues(clock), Seal([bytes(32)]), clock, Durations())  # type: ignore[arg-type]


def add(
    services: Services, row_id: str = "1", *, state: str = "connected", zone: str = "Pacific/Auckland", **settings: object
) -> Connector:
    connector = Connector("host", row_id, "o", "O", "!s", "e", "s", "g", zone, state, settings=settings)
    connectors.write(services.store, connector)
    return connector


def asked(services: Services, now: datetime = SATURDAY_NIGHT) -> list[SweepMessage]:
    before = len(services.queues.sent)  # type: ignore[attr-defined]
    count = ask(services, now)
    sent = services.queues.sent[before:]  # type: ignore[attr-defined]
    assert {queue for queue, _, _ in sent} <= {SWEEPS}
    assert count == len(sent)
    return [SweepMessage.from_json(text) for _, text, _ in sent]


def test_every_flow_from_xero_that_reads_again_is_asked_for_in_full(services: Services):
    connector = add(services)
    assert asked(services) == [SweepMessage(connector.key, name, full=True) for name in ("first", "second")]


def test_a_flow_the_connector_switched_off_or_on_counts_as_the_connector_says(services: Services):
    own = [{"mag_flow": "first", "mag_enabled": False}, {"mag_flow": "resting", "mag_enabled": True}]
    add(services, flows=own)
    assert [message.flow for message in asked(services)] == ["second", "resting"]


@pytest.mark.parametrize(
    "rests", [{"state": "needs_reconnect"}, {"state": "disconnected"}, {"state": "wrong_books"}, {"mag_enabled": False}], ids=str
)
def test_a_connector_that_rests_is_not_asked(services: Services, rests: dict[str, object]):
    add(services, **rests)  # type: ignore[arg-type]
    other = add(services, "2")
    assert {message.connector for message in asked(services)} == {other.key}


@pytest.mark.parametrize(
    ("choice", "nights"),
    [(None, 7), (FullCheck.NIGHTLY, 7), (FullCheck.WEEKLY, 1), (FullCheck.OFF, 0)],
)
def test_the_full_check_is_nightly_weekly_or_off(services: Services, choice: FullCheck | None, nights: int):
    chosen: dict[str, Any] = {"mag_fullcheck": choice.value} if choice is not None else {}
    add(services, **chosen)
    week = [asked(services, SATURDAY_NIGHT + timedelta(days=day)) for day in range(7)]
    assert sum(bool(messages) for messages in week) == nights


@pytest.mark.parametrize(("zone", "night"), [("Pacific/Auckland", 0), ("Europe/London", 1), ("America/Los_Angeles", 1)])
def test_the_weekly_check_is_on_the_organisations_own_sunday(services: Services, zone: str, night: int):
    add(services, zone=zone, mag_fullcheck=FullCheck.WEEKLY.value)
    week = [asked(services, SATURDAY_NIGHT + timedelta(days=day)) for day in range(7)]
    assert [index for index, messages in enumerate(week) if messages] == [night]


def test_a_connector_that_cannot_be_asked_holds_back_no_other(services: Services):
    add(services, "1", mag_fullcheck=99)  # no option of the column
    other = add(services, "2")
    assert {message.connector for message in asked(services)} == {other.key}


def test_a_queue_that_fails_for_one_connector_holds_back_no_other(services: Services):
    add(services, "1")
    add(services, "2")
    queues = services.queues
    failed: list[str] = []

    class Failing:
        def send(self, queue: str, text: str, delay: timedelta = timedelta()) -> None:
            if not failed:
                failed.append(text)
                raise Retryable("The queue was away.")
            queues.send(queue, text, delay)

    assert ask(replace(services, queues=Failing()), SATURDAY_NIGHT) == 2  # type: ignore[arg-type]
