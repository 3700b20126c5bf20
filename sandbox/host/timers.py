"""Timer triggers: NCRONTAB schedules in UTC, remembered between runs, never two runs of one timer at a time."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.data.tables import UpdateMode
from azure.functions.meta import Datum
from croniter import croniter

from sandbox.host.settings import HostError, tables

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

log = logging.getLogger("host.timers")

TABLE = "AzureWebJobsTimers"
HOST_ID = "AzureFunctionsWebHost__hostid"
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
#          field            lowest  highest  names of its values, the lowest first
# fmt: off
FIELDS = (("second",       0,      59,      ()),
          ("minute",       0,      59,      ()),
          ("hour",         0,      23,      ()),
          ("day of month", 1,      31,      ()),
          ("month",        1,      12,      MONTHS),
          ("day of week",  0,      6,       DAYS))
# fmt: on


class Schedule:
    """An NCRONTAB expression of five or six fields (seconds first), in UTC; day of month AND day of week must match.

    Raises HostError for what Azure refuses although many a cron takes it: ``?``, ``L``, ``W``, ``#``, ``@daily``, day 7.
    Source: github.com/atifaziz/NCrontab, learn.microsoft.com/azure/azure-functions/functions-bindings-timer.
    """

    def __init__(self, expression: str) -> None:
        parts = expression.split()
        if len(parts) not in (5, 6):
            raise HostError(f"the schedule {expression!r} is not NCRONTAB: it needs five or six fields.")
        fields = FIELDS if len(parts) == 6 else FIELDS[1:]
        plain = [_plain(part, *field, expression=expression) for part, field in zip(parts, fields, strict=True)]
        self._expression = " ".join(plain if len(plain) == 6 else ["0", *plain])
        try:
            self.after(datetime(2000, 1, 1, tzinfo=UTC))
        except ValueError:
            raise HostError(f"the schedule {expression!r} never comes due.") from None

    def after(self, moment: datetime) -> datetime:
        """Return the first time it is due after ``moment``."""
        runs = croniter(self._expression, moment.astimezone(UTC), ret_type=datetime, second_at_beginning=True, day_or=False)
        due: datetime = runs.get_next()
        return due

    def is_sub_minute(self, moment: datetime) -> bool:
        """Tell whether two runs lie less than a minute apart; such a schedule is not remembered."""
        runs = [moment]
        for _ in range(8):
            runs.append(self.after(runs[-1]))
        return any(later - earlier < timedelta(minutes=1) for earlier, later in pairwise(runs[1:]))


def _plain(part: str, name: str, low: int, high: int, names: tuple[str, ...], expression: str) -> str:
    """Check one field and return it with numbers for names."""

    def number(text: str) -> int:
        if text.isdecimal():
            value = int(text)
        else:
            # Names may be written out: "Tuesday" begins with "tue".
            value = next((low + at for at, known in enumerate(names) if text.lower().startswith(known)), -1)
        if not low <= value <= high or (not text.isdecimal() and not text.isalpha()):
            raise HostError(f"the schedule {expression!r} is not NCRONTAB: {text!r} is no {name} ({low}-{high}).")
        return value

    items = []
    for item in part.split(","):
        match = re.fullmatch(r"(?P<start>\*|\w+)(?:-(?P<end>\w+))?(?:/(?P<step>\d+))?", item)
        if not match or (match["start"] == "*" and match["end"]) or match["step"] in ("0", "00"):
            raise HostError(f"the schedule {expression!r} is not NCRONTAB: {item!r} is no {name}.")
        text = "*" if match["start"] == "*" else str(number(match["start"]))
        if match["end"]:
            if number(match["end"]) < int(text):
                raise HostError(f"the schedule {expression!r} is not NCRONTAB: {item!r} runs backwards.")
            text += f"-{number(match['end'])}"
        elif match["step"] and text != "*":
            text += f"-{high}"
        items.append(f"{text}/{match['step']}" if match["step"] else text)
    return ",".join(items)


@dataclass(frozen=True)
class Status:
    """What is remembered of a timer: its last run (None before the first), its next, and when this was written."""

    last: datetime | None
    next: datetime
    updated: datetime

    def as_json(self) -> dict[str, str]:
        """Return it as Azure stores it and the function sees it."""
        return {
            "Last": self.last.isoformat() if self.last else "0001-01-01T00:00:00+00:00",
            "Next": self.next.isoformat(),
            "LastUpdated": self.updated.isoformat(),
        }

    @staticmethod
    def from_json(stored: dict[str, str]) -> Status:
        """Read what ``as_json`` wrote."""
        last = datetime.fromisoformat(stored["Last"])
        return Status(
            last if last.year > 1 else None, datetime.fromisoformat(stored["Next"]), datetime.fromisoformat(stored["LastUpdated"])
        )


def at_start(schedule: Schedule, stored: Status | None, now: datetime) -> tuple[Status, bool]:
    """Return the status to go on with and whether a run was missed while the host was down.

    A first start only notes when the first run will be. A schedule that was changed meanwhile starts afresh: it is never
    past due for times that only the new schedule, or only the old one, names.
    """
    if stored is None:
        return Status(None, schedule.after(now), now), False
    base = stored.last or stored.updated
    expected = schedule.after(base)
    if stored.next != expected:
        return Status(None, schedule.after(now) if now > expected else expected, base), False
    return stored, now > stored.next


def after_run(schedule: Schedule, began: datetime) -> Status:
    """Return the status after a run, failed or not."""
    return Status(began, schedule.after(began), began)


class Statuses:
    """Where the status of timers outlives the host: a table beside the app's queues."""

    def __init__(self, host_id: str) -> None:
        self._host_id = host_id

    def load(self, function: str) -> Status | None:
        """Return what is remembered of a timer, None when nothing is."""
        try:
            row = tables("AzureWebJobsStorage").get_table_client(TABLE).get_entity(self._host_id, function)
        except ResourceNotFoundError:
            return None
        return Status.from_json(json.loads(row["status"]))

    def save(self, function: str, status: Status) -> None:
        """Remember the status of a timer."""
        row = {"PartitionKey": self._host_id, "RowKey": function, "status": json.dumps(status.as_json())}
        service = tables("AzureWebJobsStorage")
        service.create_table_if_not_exists(TABLE).upsert_entity(row, mode=UpdateMode.REPLACE)


@contextmanager
def singleton(file: Path, stopping: threading.Event) -> Iterator[bool]:
    """Wait until no other host of this app runs its timers; False when told to stop first.

    The lock is the operating system's, so that a killed host frees it at once.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+") as held:
        said = False
        while not (mine := _try_lock(held)) and not stopping.wait(0.5):
            if not said:
                log.info("another host runs the timers; waiting for it to end")
                said = True
        yield mine


def _try_lock(file: IO[str]) -> bool:
    try:
        if sys.platform == "win32":
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def lock_file(root: Path, host_id: str) -> Path:
    """Return the lock shared by every host that runs this app against this storage account."""
    account = tables("AzureWebJobsStorage").url
    return root / ".run" / f"timers-{hashlib.sha256(f'{host_id} {account}'.encode()).hexdigest()[:16]}.lock"


def host_id(root: Path) -> str:
    """Return what tells this app from others in one storage account."""
    return os.environ.get(HOST_ID) or hashlib.sha256(str(root).encode()).hexdigest()[:32]


Fire = Callable[[Datum], Any]


class Timer:
    """Call one function whenever its schedule says so."""

    def __init__(self, function: str, trigger: dict[str, Any], statuses: Statuses, fire: Fire) -> None:
        self.function = function
        self._schedule = Schedule(trigger["schedule"])
        self._run_on_startup = bool(trigger.get("runOnStartup"))
        monitored = trigger.get("useMonitor", True) is not False and not self._schedule.is_sub_minute(_now())
        self._statuses = statuses if monitored else None
        self._fire = fire

    def run(self, stopping: threading.Event) -> None:
        """Wait and fire until told to stop."""
        status, past_due = self._begin(stopping)
        if past_due:
            log.info("%s is past due: it should have run at %s", self.function, status.next.isoformat())
        if past_due or self._run_on_startup:
            status = self._run_once(status, past_due=past_due)
        while not stopping.wait(max(0.0, (status.next - _now()).total_seconds())):
            status = self._run_once(status, past_due=False)

    def _begin(self, stopping: threading.Event) -> tuple[Status, bool]:
        while True:
            now = _now()
            try:
                stored = self._statuses.load(self.function) if self._statuses else None
                status, past_due = at_start(self._schedule, stored, now)
                if self._statuses and status != stored:
                    self._statuses.save(self.function, status)
                return status, past_due
            except AzureError as error:
                log.warning("%s: its status cannot be read (%s); trying on", self.function, type(error).__name__)
                if stopping.wait(2):
                    return Status(None, now, now), False

    def _run_once(self, status: Status, *, past_due: bool) -> Status:
        # A clock a little early must not make the same occurrence due twice.
        began = _now() if past_due else max(_now(), min(status.next, _now() + timedelta(seconds=1)))
        self._fire(trigger_of(status if self._statuses else None, past_due=past_due))
        after = after_run(self._schedule, began)
        if self._statuses:
            try:
                self._statuses.save(self.function, after)
            except AzureError as error:
                log.warning("%s: its status could not be saved (%s)", self.function, type(error).__name__)
        return after


def trigger_of(status: Status | None, *, past_due: bool) -> Datum:
    """Return what the worker is given for a timer run."""
    stored = status.as_json() if status else None
    return Datum(json.dumps({"Schedule": {"AdjustForDST": True}, "ScheduleStatus": stored, "IsPastDue": past_due}), "json")


def _now() -> datetime:
    return datetime.now(UTC)
