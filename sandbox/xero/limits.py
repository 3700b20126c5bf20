"""Xero's rate limits (developer.xero.com guides/oauth2/limits): fixed windows per organisation and per app.

5 calls at once, 60 a minute, 1,000 a day (Starter; 5,000 above) per organisation; 10,000 a minute per app. Each window
starts with the first call after the last one ended. A refused call still costs.
"""

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Limits:
    """How many calls Xero allows; change the fields to test a tighter or a wider tier."""

    concurrent: int = 5
    minute: int = 60
    day: int = 1000
    app_minute: int = 10_000


@dataclass(frozen=True)
class Verdict:
    """What the limiter says about one call: the problem (or None), seconds to wait, and what is left."""

    problem: str | None
    retry_after: int | None
    headers: dict[str, str]


@dataclass
class _Window:
    length: timedelta
    ends: datetime | None = None
    used: int = 0

    def count(self, now: datetime) -> int:
        if self.ends is None or now >= self.ends:
            self.ends, self.used = now + self.length, 0
        self.used += 1
        return self.used

    def seconds_left(self, now: datetime) -> int:
        return max(1, math.ceil((self.ends - now).total_seconds())) if self.ends else 1


@dataclass
class _Organisation:
    minute: _Window = field(default_factory=lambda: _Window(timedelta(minutes=1)))
    day: _Window = field(default_factory=lambda: _Window(timedelta(days=1)))
    in_flight: int = 0
    peak_in_flight: int = 0


class RateLimiter:
    """Count the calls of every app against every organisation."""

    def __init__(self, limits: Limits, now: Callable[[], datetime]) -> None:
        self.limits = limits
        self._now = now
        self._lock = threading.Lock()
        self._organisations: dict[tuple[str, str], _Organisation] = {}
        self._apps: dict[str, _Window] = {}

    def enter(self, app: str, organisation: str) -> Verdict:
        """Count one call and judge it; every `enter` needs its `leave`."""
        with self._lock:
            now = self._now()
            tenant = self._organisations.setdefault((app, organisation), _Organisation())
            app_minute = self._apps.setdefault(app, _Window(timedelta(minutes=1)))
            minute, day, everywhere = tenant.minute.count(now), tenant.day.count(now), app_minute.count(now)
            tenant.in_flight += 1
            tenant.peak_in_flight = max(tenant.peak_in_flight, tenant.in_flight)
            headers = {
                "X-DayLimit-Remaining": str(max(0, self.limits.day - day)),
                "X-MinLimit-Remaining": str(max(0, self.limits.minute - minute)),
                "X-AppMinLimit-Remaining": str(max(0, self.limits.app_minute - everywhere)),
            }
            if tenant.in_flight > self.limits.concurrent:
                return Verdict("concurrent", None, headers)
            if day > self.limits.day:
                return Verdict("day", tenant.day.seconds_left(now), headers)
            if minute > self.limits.minute:
                return Verdict("minute", tenant.minute.seconds_left(now), headers)
            if everywhere > self.limits.app_minute:
                return Verdict("appminute", app_minute.seconds_left(now), headers)
            return Verdict(None, None, headers)

    def leave(self, app: str, organisation: str) -> None:
        """Say that a call has been answered."""
        with self._lock:
            self._organisations[app, organisation].in_flight -= 1

    def peak(self, organisation: str) -> int:
        """Return the most calls ever in flight at once against an organisation."""
        with self._lock:
            return max((t.peak_in_flight for (_, id), t in self._organisations.items() if id == organisation), default=0)
