"""The exactly-once protocol around a write: our intent to write one document, kept until the link is known (SPEC 8).

A claim is only a lock. Dataverse's flag and Xero's mark are the truth, so a lost claim loses nothing: the record is still due,
and the look-up finds what was already made.

    free ── take ──► held ── close ──► (row deleted)       the record crossed, or is no longer due
                      ├── release ──► free, due later      a handled failure: what was sought and errors are kept
                      ├── park ─────► parked               refused: until its fingerprint or its date changes
                      └── (crash) ──► the lease runs out; the next worker looks upstream for what may have been made

Before a create leaves, the claim notes what it can be found by (``intend``): a person may change the number or the date before the
next try, and a look-up by the new one would miss the document that was made.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.errors import Changed, NotReady, Retryable
from shared.services import Services, StoredRow

TABLE = "claims"
NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Claim:
    """One row of ``claims``. Times are UTC; the row key is the record with "/" written "|".

    ``until`` is the end of the lease, ``hold`` keeps everybody out while Xero still remembers an Idempotency-Key,
    ``queued`` says until when a message for the record is under way, ``attempt`` counts takes since the last close, ``since`` is
    the time of the first of them, ``errors`` counts writes with an unknown end: it is part of the Idempotency-Key. ``sought`` is
    the look-up (JSON) that finds the document an earlier try may have left behind, ``made`` its Xero id once it is known. A parked
    claim keeps the ``fingerprint`` it was refused with and, where the record says so itself, the time (``due``) it may go. ``version``
    is the newest version of a document from Xero that a message was sent for. One that was taken ``is_wish`` when somebody had asked
    for the document after the message was sent: what rides along with that may be out of date.
    """

    partition: str
    row: str
    state: str = "free"
    owner: str = ""
    until: datetime = NEVER
    hold: datetime = NEVER
    queued: datetime = NEVER
    attempt: int = 0
    errors: int = 0
    sought: str = ""
    made: str = ""
    fingerprint: str = ""
    due: datetime = NEVER
    since: datetime = NEVER
    status: str = ""
    version: str = ""
    etag: str = ""
    is_wish: bool = field(default=False, compare=False)

    @property
    def is_parked(self) -> bool:
        return self.state == "parked"

    def is_busy(self, now: datetime) -> bool:
        """Tell whether a sweep must leave the record alone: a message is under way, or somebody works on it."""
        return now < self.queued or now < self.until or now < self.hold


def partition(connector: str, flow: str) -> str:
    return f"{connector}|{flow}"


def unclaimed(connector: str, flow: str, record: str) -> Claim:
    """Return the free claim of a record nobody has touched yet."""
    return Claim(partition(connector, flow), _row(record))


def read(services: Services, connector: str, flow: str, record: str) -> Claim:
    """Return the claim of *record* ("table/id"), free when there is none."""
    return _read(services, partition(connector, flow), _row(record))


def read_all(services: Services, connector: str, flow: str) -> dict[str, Claim]:
    """Return every claim of a connector's flow by record ("table/id"): those at work, waiting or parked."""
    rows = services.store.rows(TABLE, partition(connector, flow))
    return {stored.row.replace("|", "/", 1): _claim(stored) for stored in rows}


def take(services: Services, connector: str, flow: str, record: str, owner: str) -> Claim:
    """Take the claim of *record* for *owner* or raise NotReady with the time to look again.

    The one write is a compare-and-swap; without a clear yes the row is read again, because it may be ours all the same.
    """
    now = services.clock.now()
    claim = read(services, connector, flow, record)
    if claim.state == "held" and now < claim.until and claim.owner != owner:
        look_again = timedelta(seconds=services.durations.first_delay / 20)  # it is usually done long before its lease ends
        raise NotReady("Another worker has this record in hand.", min(claim.until - now, look_again))
    if now < claim.hold:
        raise NotReady("Xero may still finish an earlier try; it is looked up after the hold.", claim.hold - now)
    until = now + timedelta(seconds=services.durations.lease)
    since = now if claim.since == NEVER else claim.since
    wanted = replace(claim, state="held", owner=owner, until=until, queued=NEVER, attempt=claim.attempt + 1, since=since)
    is_wish = bool(claim.etag) and claim.state == "free" and claim.queued == NEVER
    return replace(_write(services, wanted), is_wish=is_wish)


def fence(services: Services, claim: Claim) -> None:
    """Raise NotReady unless enough of the lease is left for one HTTP call to end before it (read the clock again)."""
    left = claim.until - services.clock.now()
    if left < timedelta(seconds=services.durations.fence):
        raise NotReady("The lease is too short for another call.", timedelta())


def intend(services: Services, claim: Claim, sought: str) -> Claim:
    """Note what the document about to be created can be found by; raise NotReady when the claim is no longer ours."""
    return _write(services, replace(claim, sought=sought))


def count_error(claim: Claim, services: Services) -> Claim:
    """Return the claim after a write whose end is unknown: a new key next time, and nobody before Xero forgot the old one."""
    return replace(claim, errors=claim.errors + 1, hold=services.clock.now() + timedelta(seconds=services.durations.hold))


def release(services: Services, claim: Claim, *, queued: datetime = NEVER) -> None:
    """Let the record go after a handled failure; *queued* says until when the next message is under way."""
    _write(services, replace(claim, state="free", owner="", until=NEVER, queued=queued))


def park(services: Services, claim: Claim, fingerprint: str, status: str, due: datetime = NEVER) -> None:
    """Set the record aside until its fingerprint differs, its time has come, or a person asks again."""
    parked = replace(claim, state="parked", owner="", until=NEVER, queued=NEVER, since=NEVER)
    _write(services, replace(parked, fingerprint=fingerprint, due=due, status=status))


def close(services: Services, claim: Claim) -> None:
    """Delete the claim: the link is known, or nothing is due. Somebody else's newer claim is left alone.

    A wish that was noted meanwhile stays, and is let go of: else it would wait until our lease ends.
    """
    try:
        services.store.delete(TABLE, claim.partition, claim.row, claim.etag)
    except Changed:
        found = _read(services, claim.partition, claim.row)
        if found.state == "held" and found.owner == claim.owner:
            with contextlib.suppress(Retryable):  # the lease ends by itself
                release(services, found, queued=found.queued)


def mark_queued(services: Services, claim: Claim, until: datetime, version: str = "") -> bool:
    """Note that a message is under way until *until*; False when somebody else wrote the claim first."""
    try:
        _write(services, replace(claim, queued=until, version=version or claim.version))
    except NotReady:
        return False
    return True


def _write(services: Services, claim: Claim) -> Claim:
    values = _values(claim)
    try:
        if claim.etag:
            etag = services.store.replace(TABLE, claim.partition, claim.row, values, claim.etag)
        else:
            etag = services.store.insert(TABLE, claim.partition, claim.row, values)
    except Retryable as error:  # Changed, or no answer: the row itself says whether our write happened
        found = _read(services, claim.partition, claim.row)
        if replace(found, etag="") == replace(claim, etag=""):
            return found
        if isinstance(error, Changed):
            raise NotReady("Another worker was quicker.", timedelta(seconds=services.durations.first_delay / 4)) from None
        raise
    return replace(claim, etag=etag)


def _read(services: Services, partition_key: str, row_key: str) -> Claim:
    stored = services.store.read(TABLE, partition_key, row_key)
    return _claim(stored) if stored else Claim(partition_key, row_key)


def _row(record: str) -> str:
    return record.replace("/", "|", 1)


TIMES = ("until", "hold", "queued", "due", "since")
TEXTS = ("state", "owner", "sought", "made", "fingerprint", "status", "version")
NUMBERS = ("attempt", "errors")


def _values(claim: Claim) -> dict[str, Any]:
    return {name: getattr(claim, name) for name in TEXTS + NUMBERS} | {name: getattr(claim, name).isoformat() for name in TIMES}


def _claim(stored: StoredRow) -> Claim:
    values: dict[str, Any] = {name: str(stored.values.get(name, "")) for name in TEXTS}
    values |= {name: int(stored.values[name]) for name in NUMBERS}
    values |= {name: datetime.fromisoformat(stored.values[name]) for name in TIMES}
    return Claim(stored.partition, stored.row, etag=stored.etag, **values)
