"""The stand-in's own time: a source passed in, plus what was skipped by hand."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


def utc_now() -> datetime:
    """Read the system clock."""
    return datetime.now(UTC)


class Clock:
    """Tell the time; `advance` makes minutes and days pass without waiting."""

    def __init__(self, source: Callable[[], datetime] = utc_now) -> None:
        self._source = source
        self._skipped = timedelta()
        self._last_stamp = datetime.min.replace(tzinfo=UTC)
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """Return the current moment, UTC."""
        return self._source() + self._skipped

    def stamp(self) -> str:
        """Return an ISO moment for UpdatedDateUTC: milliseconds, later than every stamp before it."""
        with self._lock:
            now = self.now()
            now = now.replace(microsecond=now.microsecond // 1000 * 1000)
            self._last_stamp = max(now, self._last_stamp + timedelta(milliseconds=1))
            return self._last_stamp.isoformat()

    def advance(self, seconds: float) -> None:
        """Let *seconds* pass at once."""
        self._skipped += timedelta(seconds=seconds)
