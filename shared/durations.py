"""Every duration of the protocol in one value, so that process tests can shorten them all alike (SPEC 3, 8)."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta


@dataclass(frozen=True)
class Durations:
    """How long the protocol waits, in seconds.

    The order matters and is kept by ``scaled``: connect + read < fence < lease, key_memory < hold < host_lease.
    Xero remembers an Idempotency-Key 6 minutes; the Functions host hides a crashed message 10 minutes.
    """

    connect: float = 5.0
    read: float = 60.0
    fence: float = 70.0
    lease: float = 180.0
    key_memory: float = 360.0
    hold: float = 390.0
    host_lease: float = 600.0
    first_delay: float = 60.0
    longest_delay: float = 3600.0
    queued: float = 900.0
    token_margin: float = 300.0
    token_lease: float = 90.0
    token_grace: float = 1800.0

    def scaled(self, factor: float) -> Durations:
        """Return the same durations, each multiplied by *factor* (process tests use less than one)."""
        return Durations(**{field.name: getattr(self, field.name) * factor for field in fields(self)})

    def delay(self, attempt: int) -> timedelta:
        """Return the wait before try number *attempt* + 1: doubling from ``first_delay`` to ``longest_delay``, without end."""
        return timedelta(seconds=min(self.first_delay * 2 ** min(max(attempt - 1, 0), 30), self.longest_delay))
