"""Xero's limits for one organisation, kept before they are met (SPEC 9).

Xero allows each organisation 60 calls a minute, 5 at once and 1,000 (Starter) or 5,000 a day, in windows whose start it does not
tell. One row of ``limits`` per organisation (partition: tenant id, row: "limiter") holds

    calls          when each call of the last minute ended, with its lane: a call that ended counts 60 s from then and one still in
                   flight counts too, so that no 60 s as Xero sees them hold more than we counted, however its windows lie
    in_flight      slots as leases that end by themselves when a worker dies
    day_left       the day's calls as X-DayLimit-Remaining last said, less those sent since; until ``day_until``, when it is unknown
    blocked_until  a 429 pauses the organisation until its Retry-After

Table operations per call: ``reserve`` one write, ``settle`` one write; each worker process remembers the row, so a read comes first
only at its first call, after another process wrote, or before it says no. Three tries; on contention it assumes no.

Xero's fourth limit, 10,000 calls a minute for the whole app, has no row: it takes 166 organisations at full speed, and an app of
the first two tiers has 50 at most. Its 429 (appminute) pauses the organisation that met it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

from shared import telemetry
from shared.durations import Durations
from shared.errors import Changed, Throttled
from shared.services import Lane, Store, StoredRow
from shared.xero.answers import throttled

TABLE, ROW = "limits", "limiter"
MINUTE_LIMIT = 60
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
TRIES = 3
SHORT_WAIT = timedelta(seconds=1)
LONGEST_DAY_WAIT = timedelta(hours=1)  # the day may start anew at any time: ask again at least this often
STARTER = (None, 411140000, "starter")  # mag_xerotier: new apps start there
STARTER_DAY, FULL_DAY = 1_000, 5_000
KEPT = 0.2


@dataclass(frozen=True)
class Room:
    """What a lane may use: calls in any minute, calls at once, and the share of the day that must be left after it."""

    minute: int
    at_once: int
    day_left: float


# fmt: off
ROOM = {
    Lane.USER:           Room(59, 4, 0.00),
    Lane.INVOICES:       Room(58, 4, 0.02),
    Lane.CREDIT_NOTES:   Room(54, 4, 0.02),
    Lane.EMAILS:         Room(50, 3, 0.20),
    Lane.PAYMENTS:       Room(46, 3, 0.20),
    Lane.CONTACTS:       Room(40, 2, 0.30),
    Lane.REFERENCE_DATA: Room(30, 2, 0.40),
}
# fmt: on


@dataclass(frozen=True)
class Allowance:
    """A connector's day: how many calls its tier allows, and the share new work leaves for look-ups and recovery."""

    day: int = STARTER_DAY
    kept: float = KEPT


def allowance(settings: Mapping[str, Any]) -> Allowance:
    """Read mag_xerotier (the choice's value or key) and mag_dailycallbudget (percent) of a connector."""
    day = STARTER_DAY if settings.get("mag_xerotier") in STARTER else FULL_DAY
    return Allowance(day, max(KEPT, 1 - int(settings.get("mag_dailycallbudget") or 90) / 100))


@dataclass(frozen=True)
class Reservation:
    """A slot taken before a call and given back after it."""

    tenant: str
    slot: int
    lane: Lane


class Limits:
    """Reserve every call before it is sent, learn from what Xero answers."""

    def __init__(self, store: Store, durations: Durations) -> None:
        self._store = store
        self._lease = timedelta(seconds=durations.fence)
        self._known: dict[str, StoredRow] = {}
        self._locks: dict[str, Lock] = {}

    def reserve(self, tenant: str, lane: Lane, now: datetime, allowed: Allowance) -> Reservation:
        """Take a slot for one call or raise Throttled with the time to come back."""
        with self._locks.setdefault(tenant, Lock()):
            for _ in range(TRIES):
                row = self._known.get(tenant)
                refusal = _refusal(_state(row, now), lane, now, allowed) if row else None
                if row is None or refusal:
                    row = self._read(tenant)
                    refusal = _refusal(_state(row, now), lane, now, allowed)
                if refusal:
                    raise refusal
                state = _state(row, now)
                slot = state.serial + 1
                taken = replace(
                    state,
                    serial=slot,
                    in_flight=(*state.in_flight, (slot, now + self._lease, lane)),
                    day_left=None if state.day_left is None else state.day_left - 1,
                )
                if self._write(tenant, row, taken):
                    return Reservation(tenant, slot, lane)
        raise Throttled("concurrent", SHORT_WAIT)

    def settle(self, reservation: Reservation, status: int, headers: Mapping[str, str], now: datetime) -> None:
        """Give the slot back and take over what the headers say; *status* 0 means that no answer came.

        Raises Changed when other processes were quicker three times: the slot then ends by itself.
        """
        tenant = reservation.tenant
        with self._locks.setdefault(tenant, Lock()):
            for _ in range(TRIES):
                row = self._known.get(tenant) or self._read(tenant)
                state = _state(row, now)
                kept = tuple(flight for flight in state.in_flight if flight[0] != reservation.slot)
                state = replace(state, in_flight=kept, calls=(*state.calls, (now, reservation.lane)))
                state = _corrected(state, status, headers, now)
                if self._write(tenant, row, state):
                    if state.day_left is not None:
                        telemetry.measure("connector.day_left", state.day_left, organisation=tenant)
                    return
        raise Changed("Other workers of the organisation were quicker.")

    def budget(self, tenant: str, lane: Lane, now: datetime, allowed: Allowance) -> int:
        """Return how many calls new work of *lane* may cost until the next tick, a minute from now; reads one row.

        What its own lane used in the last minute is free again by then; what the lanes before it used is expected again.
        """
        with self._locks.setdefault(tenant, Lock()):
            state = _state(self._read(tenant), now)
        if state.blocked_until > now:
            return 0
        sooner = sum(1 for _, used in state.used if used < lane)
        kept = 0.0 if lane is Lane.USER else max(allowed.kept, ROOM[lane].day_left)
        day_left = allowed.day if state.day_left is None else state.day_left
        return max(0, min(ROOM[lane].minute - sooner, day_left - int(allowed.day * kept)))

    def _read(self, tenant: str) -> StoredRow:
        row = self._store.read(TABLE, tenant, ROW) or StoredRow(tenant, ROW, {}, "")
        self._known[tenant] = row
        return row

    def _write(self, tenant: str, row: StoredRow, state: _State) -> bool:
        values = _values(state)
        self._known.pop(tenant, None)  # forgotten until the write is known to have happened
        try:
            if row.etag:
                etag = self._store.replace(TABLE, tenant, ROW, values, row.etag)
            else:
                etag = self._store.insert(TABLE, tenant, ROW, values)
        except Changed:
            return False
        self._known[tenant] = StoredRow(tenant, ROW, values, etag)
        return True


Call = tuple[datetime, Lane]
Flight = tuple[int, datetime, Lane]
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class _State:
    """The row as it stands at a time: what is past is gone."""

    serial: int
    calls: tuple[Call, ...]
    in_flight: tuple[Flight, ...]
    day_left: int | None
    day_until: datetime
    blocked_until: datetime
    blocked_by: str

    @property
    def used(self) -> tuple[Call, ...]:
        """Every call that counts against the minute, oldest first; one in flight counts as if it ended with its lease."""
        return tuple(sorted((*self.calls, *((until, lane) for _, until, lane in self.in_flight))))


def _refusal(state: _State, lane: Lane, now: datetime, allowed: Allowance) -> Throttled | None:
    room = ROOM[lane]
    if state.blocked_until > now:
        return Throttled(state.blocked_by, state.blocked_until - now)
    if len(state.in_flight) >= room.at_once:
        return Throttled("concurrent", SHORT_WAIT)
    used = state.used
    if len(used) >= room.minute:
        free_at = used[len(used) - room.minute][0] + MINUTE
        return Throttled("minute", min(max(free_at - now, SHORT_WAIT), MINUTE))
    day_left = allowed.day if state.day_left is None else state.day_left
    if day_left <= int(allowed.day * room.day_left):
        return Throttled("day", min(max(state.day_until - now, SHORT_WAIT), LONGEST_DAY_WAIT))
    return None


def _corrected(state: _State, status: int, headers: Mapping[str, str], now: datetime) -> _State:
    """Return the state after an answer: Xero's own figures win where they tell us something new."""
    figures = {name.lower(): int(value) for name, value in headers.items() if value.strip().isdecimal()}
    minute_left, day_left = figures.get("x-minlimit-remaining"), figures.get("x-daylimit-remaining")
    if minute_left is not None:
        # Somebody else calls in the name of this app: their calls stand in the first lane, so that every budget leaves room.
        unknown = MINUTE_LIMIT - minute_left - len(state.used)
        if unknown > 2:
            state = replace(state, calls=(*state.calls, *((now, Lane.USER),) * unknown))
    if day_left is not None:
        is_new_day = state.day_left is None or day_left > state.day_left + 20
        state = replace(state, day_left=day_left, day_until=now + DAY if is_new_day else state.day_until)
    if status == 429:
        pause = throttled(headers)
        state = replace(state, blocked_until=max(state.blocked_until, now + pause.retry_after), blocked_by=pause.problem)
        if pause.problem == "day":
            state = replace(state, day_left=0, day_until=state.blocked_until)
    return state


def _state(row: StoredRow, now: datetime) -> _State:
    values = row.values
    calls = [(_instant(at), Lane(int(lane))) for at, lane in _parts(values, "calls")]
    flights = [(int(slot), _instant(until), Lane(int(lane))) for slot, until, lane in _parts(values, "in_flight")]
    calls += [(until, lane) for _, until, lane in flights if until <= now]  # a worker died: its call may have been sent
    day_until = _instant(values.get("day_until", 0))
    return _State(
        serial=int(values.get("serial", 0)),
        calls=tuple(sorted(call for call in calls if call[0] > now - MINUTE)),
        in_flight=tuple(flight for flight in flights if flight[1] > now),
        day_left=int(values["day_left"]) if "day_left" in values and day_until > now else None,
        day_until=day_until,
        blocked_until=_instant(values.get("blocked_until", 0)),
        blocked_by=str(values.get("blocked_by", "")),
    )


def _values(state: _State) -> dict[str, Any]:
    values = {
        "serial": state.serial,
        "calls": " ".join(f"{_ms(at)}/{lane:d}" for at, lane in state.calls),
        "in_flight": " ".join(f"{slot}/{_ms(until)}/{lane:d}" for slot, until, lane in state.in_flight),
        "day_until": _ms(state.day_until),
        "blocked_until": _ms(state.blocked_until),
        "blocked_by": state.blocked_by,
    }
    return values if state.day_left is None else values | {"day_left": state.day_left}


def _parts(values: Mapping[str, Any], name: str) -> list[list[str]]:
    return [part.split("/") for part in str(values.get(name, "")).split()]


def _ms(at: datetime) -> int:
    return (at - LONG_AGO) // timedelta(milliseconds=1)


def _instant(ms: str | int) -> datetime:
    return LONG_AGO + timedelta(milliseconds=int(ms))
