"""Xero's limits for one organisation: kept before they are met, by every worker together."""

from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.durations import Durations
from shared.errors import Changed, Retryable, Throttled
from shared.services import Lane, Store
from shared.storage.tables import Tables
from shared.xero.limits import ROOM, Allowance, Limits, Reservation, allowance
from tests.fakes import START, FakeClock, FakeStore

ORG = "org-1"
CORE = Allowance(5_000)
STARTER = Allowance(1_000)


def limiter(store: Store | None = None) -> Limits:
    return Limits(store or FakeStore(), Durations())


def spend(limits: Limits, clock: FakeClock, calls: int, lane: Lane = Lane.INVOICES, allowed: Allowance = CORE) -> None:
    """Make calls one after the other that take no time."""
    for _ in range(calls):
        limits.settle(limits.reserve(ORG, lane, clock.now(), allowed), 200, {}, clock.now())


def refusal(limits: Limits, clock: FakeClock, lane: Lane = Lane.INVOICES, allowed: Allowance = CORE) -> Throttled:
    with pytest.raises(Throttled) as raised:
        limits.reserve(ORG, lane, clock.now(), allowed)
    return raised.value


def headers(minute: int | None = None, day: int | None = None) -> dict[str, str]:
    values = {"X-MinLimit-Remaining": minute, "X-DayLimit-Remaining": day, "X-AppMinLimit-Remaining": 9999}
    return {name: str(value) for name, value in values.items() if value is not None}


def test_four_calls_at_once_are_allowed_and_a_fifth_comes_back_soon() -> None:
    limits, clock = limiter(), FakeClock()
    flying = [limits.reserve(ORG, Lane.USER, clock.now(), CORE) for _ in range(4)]
    stopped = refusal(limits, clock, Lane.USER)
    assert (stopped.problem, stopped.retry_after) == ("concurrent", timedelta(seconds=1))
    limits.settle(flying[0], 200, {}, clock.now())
    limits.reserve(ORG, Lane.USER, clock.now(), CORE)


def test_the_slot_of_a_worker_that_died_ends_by_itself() -> None:
    limits, clock = limiter(), FakeClock()
    for _ in range(4):
        limits.reserve(ORG, Lane.USER, clock.now(), CORE)
    clock.move(Durations().fence - 1)
    assert refusal(limits, clock, Lane.USER).problem == "concurrent"
    clock.move(1)
    limits.reserve(ORG, Lane.USER, clock.now(), CORE)


def test_a_minute_holds_no_more_than_its_lane_allows_and_says_when_there_is_room() -> None:
    limits, clock = limiter(), FakeClock()
    spend(limits, clock, 30)
    clock.move(20)
    spend(limits, clock, 28)
    clock.move(10)
    stopped = refusal(limits, clock)
    assert (stopped.problem, stopped.retry_after) == ("minute", timedelta(seconds=30))
    clock.move(30)
    spend(limits, clock, 30)
    assert refusal(limits, clock).retry_after == timedelta(seconds=20)


def test_a_lower_lane_leaves_room_for_every_lane_before_it() -> None:
    lanes = sorted(ROOM)
    assert [ROOM[lane].minute for lane in lanes] == sorted((ROOM[lane].minute for lane in lanes), reverse=True)
    assert [ROOM[lane].day_left for lane in lanes] == sorted(ROOM[lane].day_left for lane in lanes)
    limits, clock = limiter(), FakeClock()
    for lane in reversed(lanes):
        while True:
            try:
                spend(limits, clock, 1, lane)
            except Throttled:
                break
    assert limits.budget(ORG, Lane.USER, clock.now(), CORE) == 59
    assert refusal(limits, clock, Lane.USER).problem == "minute"


def test_a_click_passes_where_a_back_fill_waits() -> None:
    limits, clock = limiter(), FakeClock()
    spend(limits, clock, 30, Lane.REFERENCE_DATA)
    assert refusal(limits, clock, Lane.REFERENCE_DATA).problem == "minute"
    spend(limits, clock, 28, Lane.INVOICES)
    assert refusal(limits, clock, Lane.INVOICES).problem == "minute"
    spend(limits, clock, 1, Lane.USER)


@pytest.mark.parametrize(("allowed", "day"), [(STARTER, 1_000), (CORE, 5_000)])
def test_the_last_fifth_of_a_day_is_kept_from_the_lower_lanes(allowed: Allowance, day: int) -> None:
    limits, clock = limiter(), FakeClock()
    limits.settle(limits.reserve(ORG, Lane.USER, clock.now(), allowed), 200, headers(day=day // 5), clock.now())
    for lane in (Lane.EMAILS, Lane.PAYMENTS, Lane.CONTACTS, Lane.REFERENCE_DATA):
        stopped = refusal(limits, clock, lane, allowed)
        assert (stopped.problem, stopped.retry_after) == ("day", timedelta(hours=1))
        assert limits.budget(ORG, lane, clock.now(), allowed) == 0
    assert limits.budget(ORG, Lane.INVOICES, clock.now(), allowed) == 0  # no new work, but what is under way may look up
    limits.reserve(ORG, Lane.INVOICES, clock.now(), allowed)
    assert limits.budget(ORG, Lane.USER, clock.now(), allowed) > 0


def test_the_very_last_calls_of_a_day_are_the_users() -> None:
    limits, clock = limiter(), FakeClock()
    limits.settle(limits.reserve(ORG, Lane.USER, clock.now(), STARTER), 200, headers(day=20), clock.now())
    assert refusal(limits, clock, Lane.INVOICES, STARTER).problem == "day"
    limits.settle(limits.reserve(ORG, Lane.USER, clock.now(), STARTER), 200, headers(day=0), clock.now())
    assert refusal(limits, clock, Lane.USER, STARTER).problem == "day"


def test_a_day_nobody_measured_begins_with_what_the_tier_allows() -> None:
    limits, clock = limiter(), FakeClock()
    assert limits.budget(ORG, Lane.INVOICES, clock.now(), Allowance(70)) == 70 - 14
    assert limits.budget(ORG, Lane.INVOICES, clock.now(), Allowance(70, kept=0.5)) == 35


def test_calls_are_taken_from_the_day_before_xero_says_so() -> None:
    limits, clock = limiter(), FakeClock()
    limits.settle(limits.reserve(ORG, Lane.USER, clock.now(), STARTER), 200, headers(day=12), clock.now())
    spend(limits, clock, 12, Lane.USER, STARTER)
    assert refusal(limits, clock, Lane.USER, STARTER).problem == "day"


def test_a_day_that_began_anew_is_noticed_in_the_headers() -> None:
    limits, clock = limiter(), FakeClock()
    limits.settle(limits.reserve(ORG, Lane.USER, clock.now(), STARTER), 200, headers(day=30), clock.now())
    assert refusal(limits, clock, Lane.CONTACTS, STARTER).problem == "day"
    limits.settle(limits.reserve(ORG, Lane.USER, clock.now(), STARTER), 200, headers(day=998), clock.now())
    limits.reserve(ORG, Lane.CONTACTS, clock.now(), STARTER)


def test_a_day_nobody_could_ask_about_ends_after_24_hours() -> None:
    limits, clock = limiter(), FakeClock()
    limits.settle(limits.reserve(ORG, Lane.USER, clock.now(), STARTER), 200, headers(day=0), clock.now())
    clock.move(hours=23, minutes=50)
    assert refusal(limits, clock, Lane.USER, STARTER).retry_after == timedelta(minutes=10)
    clock.move(minutes=10)
    limits.reserve(ORG, Lane.CONTACTS, clock.now(), STARTER)


@pytest.mark.parametrize(("problem", "seconds"), [("minute", 26), ("day", 79_200), ("concurrent", 2), ("appminute", 9)])
def test_a_429_pauses_the_organisation_until_xero_said(problem: str, seconds: int) -> None:
    limits, clock = limiter(), FakeClock()
    said = {"X-Rate-Limit-Problem": problem} | ({} if problem == "concurrent" else {"Retry-After": str(seconds)})
    limits.settle(limits.reserve(ORG, Lane.USER, clock.now(), CORE), 429, said, clock.now())
    stopped = refusal(limits, clock, Lane.USER)
    assert (stopped.problem, stopped.retry_after) == (problem, timedelta(seconds=seconds))
    assert limits.budget(ORG, Lane.USER, clock.now(), CORE) == 0
    clock.move(seconds)
    limits.reserve(ORG, Lane.CONTACTS, clock.now(), CORE)


def test_organisations_do_not_know_each_other() -> None:
    limits, clock = limiter(), FakeClock()
    spend(limits, clock, 58)
    assert refusal(limits, clock).problem == "minute"
    limits.reserve("org-2", Lane.INVOICES, clock.now(), CORE)


def test_calls_somebody_else_makes_in_the_apps_name_count_as_well() -> None:
    limits, clock = limiter(), FakeClock()
    limits.settle(limits.reserve(ORG, Lane.INVOICES, clock.now(), CORE), 200, headers(minute=10), clock.now())
    assert limits.budget(ORG, Lane.INVOICES, clock.now(), CORE) == 58 - 49
    spend(limits, clock, 8)
    assert refusal(limits, clock).problem == "minute"
    clock.move(60)
    spend(limits, clock, 1)


def test_our_own_calls_never_look_like_somebody_elses() -> None:
    limits, clock = limiter(), FakeClock()
    for count in range(1, 59):
        limits.settle(limits.reserve(ORG, Lane.INVOICES, clock.now(), CORE), 200, headers(minute=60 - count), clock.now())
    assert limits.budget(ORG, Lane.INVOICES, clock.now(), CORE) == 58


def test_the_budget_expects_the_lanes_before_to_go_on_as_they_did() -> None:
    limits, clock = limiter(), FakeClock()
    spend(limits, clock, 10, Lane.USER)
    spend(limits, clock, 20, Lane.INVOICES)
    assert limits.budget(ORG, Lane.USER, clock.now(), CORE) == 59
    assert limits.budget(ORG, Lane.INVOICES, clock.now(), CORE) == 48
    assert limits.budget(ORG, Lane.PAYMENTS, clock.now(), CORE) == 16
    assert limits.budget(ORG, Lane.REFERENCE_DATA, clock.now(), CORE) == 0


def test_a_call_costs_two_table_operations_once_the_row_is_known() -> None:
    store, clock = FakeStore(), FakeClock()
    limits = limiter(store)
    spend(limits, clock, 1)
    assert [method for method, _ in store.calls] == ["read", "insert", "replace"]
    store.calls.clear()
    spend(limits, clock, 10)
    assert [method for method, _ in store.calls] == ["replace"] * 20


def test_a_refusal_is_never_given_from_memory_alone() -> None:
    store, clock = FakeStore(), FakeClock()
    ours, theirs = limiter(store), limiter(store)
    flying = [theirs.reserve(ORG, Lane.USER, clock.now(), CORE) for _ in range(4)]
    assert refusal(ours, clock, Lane.USER).problem == "concurrent"
    for reservation in flying:
        theirs.settle(reservation, 200, {}, clock.now())
    ours.reserve(ORG, Lane.USER, clock.now(), CORE)


def test_two_workers_share_one_minute() -> None:
    store, clock = FakeStore(), FakeClock()
    ours, theirs = limiter(store), limiter(store)
    for _ in range(29):
        spend(ours, clock, 1)
        spend(theirs, clock, 1)
    assert refusal(ours, clock).problem == refusal(theirs, clock).problem == "minute"


class Contended(FakeStore):
    """A store where somebody else is quicker the first so many times."""

    def __init__(self, races: int) -> None:
        super().__init__()
        self.races = races

    def replace(self, table: str, partition: str, row: str, values: Mapping[str, Any], etag: str) -> str:
        if self.races:
            self.races -= 1
            super().replace(table, partition, row, values, etag)
        return super().replace(table, partition, row, values, etag)


def test_two_lost_races_are_run_again_and_a_third_means_no() -> None:
    clock = FakeClock()
    store = Contended(0)
    limits = limiter(store)
    spend(limits, clock, 1)
    store.races = 2
    reservation = limits.reserve(ORG, Lane.USER, clock.now(), CORE)
    store.races = 3
    assert refusal(limits, clock).retry_after == timedelta(seconds=1)
    store.races = 3
    with pytest.raises(Changed):
        limits.settle(reservation, 200, {}, clock.now())


def test_a_storage_fault_is_not_a_limit_and_what_was_known_is_forgotten() -> None:
    class Broken(FakeStore):
        broken = False

        def replace(self, *arguments: Any) -> str:
            etag = super().replace(*arguments)
            if self.broken:
                raise Retryable("lost reply")
            return etag

    store, clock = Broken(), FakeClock()
    limits = limiter(store)
    spend(limits, clock, 1)
    store.broken = True
    with pytest.raises(Retryable) as raised:
        limits.reserve(ORG, Lane.USER, clock.now(), CORE)
    assert not isinstance(raised.value, Throttled)
    store.broken = False
    spend(limits, clock, 1)


class XeroWindows:
    """Xero's own counting: fixed minutes that begin anywhere, five at once."""

    def __init__(self, begins: timedelta) -> None:
        self.begins = START - timedelta(minutes=1) + begins
        self.counts: dict[int, int] = {}

    def arrive(self, at: datetime) -> None:
        window = (at - self.begins) // timedelta(minutes=1)
        self.counts[window] = self.counts.get(window, 0) + 1


@given(
    begins=st.integers(0, 59_999),
    latencies=st.lists(st.integers(0, 4_000), min_size=5, max_size=40),
    gaps=st.lists(st.integers(0, 1_200), min_size=5, max_size=40),
    arrivals=st.lists(st.floats(0, 1), min_size=5, max_size=40),
)
@settings(max_examples=15)
def test_no_minute_of_xeros_is_ever_overrun_however_its_windows_lie(
    begins: int, latencies: list[int], gaps: list[int], arrivals: list[float]
) -> None:
    xero, limits, clock = XeroWindows(timedelta(milliseconds=begins)), limiter(), FakeClock()
    flying: deque[tuple[datetime, Reservation]] = deque()
    for step in range(300):
        clock.move(gaps[step % len(gaps)] / 1000)
        for landing in sorted((flight for flight in flying if flight[0] <= clock.now()), key=itemgetter(0)):
            flying.remove(landing)
            limits.settle(landing[1], 200, {}, landing[0])
        try:
            reservation = limits.reserve(ORG, Lane.USER, clock.now(), CORE)
        except Throttled:
            continue
        latency = timedelta(milliseconds=latencies[step % len(latencies)])
        xero.arrive(clock.now() + latency * arrivals[step % len(arrivals)])
        flying.append((clock.now() + latency, reservation))
        assert len(flying) <= 4
    assert max(xero.counts.values()) <= 60


def test_a_back_fill_gets_at_least_95_percent_of_what_xero_allows() -> None:
    limits, clock, calls = limiter(), FakeClock(), 0
    end = clock.now() + timedelta(minutes=10)
    while clock.now() < end:
        try:
            reservation = limits.reserve(ORG, Lane.INVOICES, clock.now(), CORE)
        except Throttled as stopped:
            clock.move(stopped.retry_after.total_seconds())
            continue
        clock.move(0.2)
        limits.settle(reservation, 200, {}, clock.now())
        calls += 1
    assert calls >= 0.95 * 600


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({}, Allowance(1_000, 0.2)),
        ({"mag_xerotier": None}, Allowance(1_000, 0.2)),
        ({"mag_xerotier": 411140000}, Allowance(1_000, 0.2)),
        ({"mag_xerotier": 411140001}, Allowance(5_000, 0.2)),
        ({"mag_xerotier": 411140004, "mag_dailycallbudget": 90}, Allowance(5_000, 0.2)),
        ({"mag_xerotier": 411140001, "mag_dailycallbudget": 50}, Allowance(5_000, 0.5)),
    ],
)
def test_the_tier_and_the_budget_of_a_connector_decide_its_day(row: dict[str, Any], expected: Allowance) -> None:
    assert allowance(row) == expected


def test_the_row_lives_in_table_storage(azurite: str) -> None:
    store, clock = Tables.from_connection_string(azurite), FakeClock()
    store.delete("limits", ORG, "limiter")
    ours, theirs = limiter(store), limiter(store)
    spend(ours, clock, 5)
    spend(theirs, clock, 5)
    limits = limiter(store)
    limits.settle(
        limits.reserve(ORG, Lane.USER, clock.now(), CORE),
        429,
        {"Retry-After": "80000", "X-Rate-Limit-Problem": "day"},
        clock.now(),
    )
    assert refusal(ours, clock).retry_after == timedelta(seconds=80_000)
