"""Dataverse's service protection limits: per user, over a sliding window.

Source: Microsoft Learn, "Service protection API limits": 6,000 requests and 20 minutes of execution time in 5 minutes, 52
requests at once.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from .errors import TOO_CONCURRENT, TOO_MANY_REQUESTS, TOO_MUCH_TIME, Refused


@dataclass(frozen=True)
class ServiceProtection:
    """How much one user may ask for; change the fields to test tighter limits."""

    requests: int = 6000
    seconds: float = 1200.0
    concurrent: int = 52
    window: timedelta = timedelta(minutes=5)


@dataclass
class _Usage:
    calls: deque[tuple[datetime, float]] = field(default_factory=deque)
    in_flight: int = 0
    peak: int = 0


class Meter:
    """Count what each user asks for; a batch counts one."""

    def __init__(self, limits: ServiceProtection, now: Callable[[], datetime]) -> None:
        self.limits = limits
        self._now = now
        self._lock = threading.Lock()
        self._users: dict[str, _Usage] = {}

    def enter(self, user: str) -> dict[str, str]:
        """Count one request and return the headers of what is left; raises Refused (429). Every success needs its `leave`."""
        with self._lock:
            now = self._now()
            usage = self._users.setdefault(user, _Usage())
            while usage.calls and usage.calls[0][0] <= now - self.limits.window:
                usage.calls.popleft()
            spent = sum(seconds for _, seconds in usage.calls)
            wait = self._wait(usage, now)
            if usage.in_flight >= self.limits.concurrent:
                raise _throttled(
                    TOO_CONCURRENT, f"Number of concurrent requests exceeded the limit of {self.limits.concurrent}.", 2
                )
            if len(usage.calls) >= self.limits.requests:
                window = int(self.limits.window.total_seconds())
                message = f"Number of requests exceeded the limit of {self.limits.requests} over time window of {window} seconds."
                raise _throttled(TOO_MANY_REQUESTS, message, wait)
            if spent >= self.limits.seconds:
                message = f"Combined execution time of incoming requests exceeded limit of {self.limits.seconds * 1000:.0f} milliseconds."
                raise _throttled(TOO_MUCH_TIME, message, wait)
            usage.calls.append((now, 0.0))
            usage.in_flight += 1
            usage.peak = max(usage.peak, usage.in_flight)
            return {
                "x-ms-ratelimit-burst-remaining-xrm-requests": str(self.limits.requests - len(usage.calls)),
                "x-ms-ratelimit-time-remaining-xrm-requests": f"{max(0.0, self.limits.seconds - spent):.2f}",
            }

    def leave(self, user: str, seconds: float) -> None:
        """Say that a request has been answered, and how long it took."""
        with self._lock:
            usage = self._users[user]
            usage.in_flight -= 1
            if usage.calls:
                at, spent = usage.calls.pop()
                usage.calls.append((at, spent + seconds))

    def peak(self, user: str) -> int:
        """Return the most requests one user ever had in flight at once."""
        with self._lock:
            return self._users.get(user, _Usage()).peak

    def _wait(self, usage: _Usage, now: datetime) -> int:
        oldest = usage.calls[0][0] if usage.calls else now
        return max(1, math.ceil((oldest + self.limits.window - now).total_seconds()))


def _throttled(code: str, message: str, seconds: int) -> Refused:
    return Refused(429, code, message, {"Retry-After": str(seconds)})
