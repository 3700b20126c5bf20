"""Faults on request: what the network and Xero's own gateway do to a caller on a bad day."""

import re
import socket
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

KINDS = {
    "429": "refused by the rate limiter (X-Rate-Limit-Problem: minute, Retry-After: seconds)",
    "500": "an internal error; nothing was done, and the Idempotency-Key remembers the 500",
    "500_applied": "the work was done, the answer is a 500, and the Idempotency-Key remembers the 500",
    "503": "Xero is down; nothing was done or remembered",
    "html502": "the gateway answers with a page of HTML; nothing was done or remembered",
    "delay": "the request waits *seconds* before anything is done",
    "delay_after": "everything is done, then the answer waits *seconds*",
    "drop_before": "the connection is cut before anything is done",
    "drop_after": "everything is done, then the connection is cut without an answer",
    "token_expired": "401 TokenExpired, whatever the token says",
}


class ConnectionDropped(ConnectionError):
    """The connection was cut without an answer (raised to an in-process caller, who has no connection to lose)."""


@dataclass
class Fault:
    """One fault: which requests it meets (method, regular expression on the path, organisation), what happens, how often."""

    kind: str
    method: str = ""
    path: str = ""
    tenant: str = ""
    seconds: float = 0.0
    times: int = 1
    skip: int = 0
    met: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"There is no fault {self.kind!r}; there are {', '.join(KINDS)}.")
        re.compile(self.path)
        self.over = threading.Event()  # set: whoever waits because of it goes on at once

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> "Fault":
        """Read `{"match": {"method", "path", "tenant"}, "kind", "seconds", "times", "skip"}`; raises ValueError."""
        match = dict(row.get("match", {}))
        if unknown := (set(row) - {"match", "kind", "seconds", "times", "skip"}) | (set(match) - {"method", "path", "tenant"}):
            raise ValueError(f"A fault has no {', '.join(sorted(unknown))}.")
        return cls(
            str(row.get("kind", "")),
            match.get("method", "").upper(),
            match.get("path", ""),
            match.get("tenant", ""),
            float(row.get("seconds", 0)),
            int(row.get("times", 1)),
            int(row.get("skip", 0)),
        )

    def meets(self, method: str, path: str, tenant: str) -> bool:
        """Say whether this fault is about such a request."""
        return (
            self.method in ("", method) and self.tenant.lower() in ("", tenant.lower()) and re.search(self.path, path) is not None
        )


class Faults:
    """The faults waiting for their request, in the order they were asked for."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, *faults: Fault) -> None:
        """Let these faults happen, each *times* times, after *skip* matching requests went through."""
        with self._lock:
            self._waiting.extend(faults)

    def clear(self) -> None:
        """Let nothing more go wrong."""
        with self._lock:
            self._waiting.clear()

    def waiting(self) -> list[Fault]:
        """Return the faults that have not happened often enough yet."""
        with self._lock:
            return list(self._waiting)

    def take(self, method: str, path: str, tenant: str) -> Fault | None:
        """Return the fault this request meets, and count it as met."""
        with self._lock:
            for fault in self._waiting:
                if not fault.meets(method, path, tenant):
                    continue
                fault.met += 1
                if fault.met <= fault.skip:
                    continue
                if fault.met >= fault.skip + fault.times:
                    self._waiting.remove(fault)
                return fault
            return None


def pause(fault: Fault | None, kind: str) -> None:
    """Wait as long as the fault says, if it is of this kind."""
    if fault and fault.kind == kind:
        fault.over.wait(fault.seconds)


def drop(environ: Mapping[str, Any]) -> NoReturn:
    """Cut the connection of this request; raises ConnectionDropped, which the server takes as a caller gone away."""
    connection = environ.get("werkzeug.socket")
    if isinstance(connection, socket.socket):
        connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionDropped("the sandbox cut the connection")


def parsed(rows: Iterable[Mapping[str, Any]]) -> list[Fault]:
    """Read the body of POST /sandbox/faults; raises ValueError."""
    return [Fault.from_json(row) for row in rows]
