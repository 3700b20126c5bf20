"""The request log: who asked what and what was answered; no bodies, no query, no tokens."""

import re
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from flask import Response, request

from . import faults
from .clock import Clock
from .faults import Fault, Faults

REPLAYED = "Sandbox-Replayed"


@dataclass(frozen=True)
class Entry:
    """One request. Status 0 means that no answer went out."""

    at: str
    method: str
    path: str
    tenant: str
    idempotency_key: str
    status: int
    replayed: bool = False
    fault: str = ""


class RequestLog:
    """Every request answered (or not answered) so far, oldest first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: list[Entry] = []
        self._lock = threading.Lock()

    def entries(self) -> list[Entry]:
        """Return a copy of the log."""
        with self._lock:
            return list(self._entries)

    def count(self, method: str = "", path: str = "") -> int:
        """Count the requests with this method whose path matches this regular expression."""
        return sum(1 for entry in self.entries() if method in ("", entry.method) and re.search(path, entry.path))

    def counts(self) -> Counter[tuple[str, str]]:
        """Count the requests by (method, path)."""
        return Counter((entry.method, entry.path) for entry in self.entries())

    def clear(self) -> None:
        """Start counting again."""
        with self._lock:
            self._entries.clear()

    def add(self, response: Response | None, fault: Fault | None) -> None:
        """Log the request being answered; None when no answer goes out."""
        entry = Entry(
            self._clock.now().isoformat(),
            request.method,
            request.path,
            request.headers.get("xero-tenant-id", ""),
            request.headers.get("Idempotency-Key", ""),
            response.status_code if response else 0,
            bool(response and response.headers.pop(REPLAYED, "")),
            fault.kind if fault else "",
        )
        with self._lock:
            self._entries.append(entry)


def faulty(log: RequestLog, waiting: Faults, answer: Callable[[Fault | None], Response]) -> Response:
    """Answer a request through the faults of the network and the gateway, and log it; raises ConnectionDropped."""
    fault = waiting.take(request.method, request.path, request.headers.get("xero-tenant-id", ""))
    kind = fault.kind if fault else ""
    if kind == "503":
        response = Response(status=503, content_type="text/html")
    elif kind == "html502":
        response = Response("<html><body><h1>502 Bad Gateway</h1></body></html>", 502, content_type="text/html")
    elif kind != "drop_before":
        response = answer(fault)
    # Logged before the cut, so that whoever sees the cut finds it in the log.
    if kind in ("drop_before", "drop_after"):
        log.add(None, fault)
        faults.drop(request.environ)
    log.add(response, fault)
    return response
