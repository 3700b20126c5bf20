"""What became of one record: a coarse status that decides, and words that explain (SPEC 7, 8)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from shared.errors import Problem
from shared.messages import SyncMessage


class Status(StrEnum):
    """Drive what happens next; the problems only explain."""

    SYNCED = "synced"  # it crossed
    UNCHANGED = "unchanged"  # nothing was due: a redelivery, or a record no longer asked for
    WAITING = "waiting"  # it will go by itself: a fault of the wires, a limit, or a date to come
    REFUSED = "refused"  # a person must change the record; it goes by itself once fixed
    MISCONFIGURED = "misconfigured"  # an administrator must act; nothing is lost
    FAILED = "failed"  # the host gave up on it (poison): parked until redrive or change


@dataclass(frozen=True)
class Outcome:
    """One line of the log and, where there is a record, one Sync History row.

    ``again`` is the message to send after ``delay`` when the record stays due by message; None when the sweep, a change of the
    record, or a person brings it back.
    """

    message: SyncMessage
    status: Status
    action: str
    details: str
    at: datetime
    problems: tuple[Problem, ...] = ()
    xero_id: str = ""
    again: SyncMessage | None = None
    delay: timedelta = field(default_factory=timedelta)
