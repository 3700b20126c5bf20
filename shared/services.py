"""The world on one page: what the pipeline may do, as small protocols. Every method that waits does exactly one I/O.

The tests wrap these ports so that the n-th I/O can fail for every n (SPEC 8).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any, Protocol

from shared.connectors import Connector, Json
from shared.durations import Durations


class Clock(Protocol):
    """Tell the time; the claim protocol reads it again at the fence."""

    def now(self) -> datetime: ...


class SystemClock:
    """The clock of the machine, in UTC."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class Lane(IntEnum):
    """Who goes first when calls are short (SPEC 9); smaller is sooner."""

    USER = 0
    INVOICES = 1
    CREDIT_NOTES = 2
    EMAILS = 3
    PAYMENTS = 4
    CONTACTS = 5
    REFERENCE_DATA = 6


@dataclass(frozen=True)
class StoredRow:
    """A row of Table Storage: flat values (str, int, bool, float) and the ETag to guard the next write."""

    partition: str
    row: str
    values: Mapping[str, Any]
    etag: str


class Store(Protocol):
    """Azure Table Storage. ``insert`` and ``replace`` raise shared.errors.Changed when the row exists / the ETag is old."""

    def read(self, table: str, partition: str, row: str) -> StoredRow | None: ...

    def insert(self, table: str, partition: str, row: str, values: Mapping[str, Any]) -> str: ...

    def replace(self, table: str, partition: str, row: str, values: Mapping[str, Any], etag: str) -> str: ...

    def upsert(self, table: str, partition: str, row: str, values: Mapping[str, Any]) -> None: ...

    def delete(self, table: str, partition: str, row: str, etag: str | None = None) -> None:
        """Delete the row if it is there; with *etag* only if it is unchanged (raises Changed)."""
        ...

    def rows(self, table: str, partition: str | None = None, *, limit: int | None = None) -> Sequence[StoredRow]: ...


@dataclass(frozen=True)
class ReceivedMessage:
    """A message taken from a queue by hand (the poison queues)."""

    id: str
    receipt: str
    text: str
    inserted_on: datetime | None


class Queues(Protocol):
    """Azure Storage Queues, Base64 as the Functions host expects."""

    def send(self, queue: str, text: str, delay: timedelta = timedelta()) -> None: ...

    def receive(self, queue: str, limit: int = 32) -> Sequence[ReceivedMessage]: ...

    def delete(self, queue: str, message: ReceivedMessage) -> None: ...


@dataclass(frozen=True)
class Operation:
    """One request to the Dataverse Web API, relative to /api/data/v9.2/.

    Neighbouring operations with the same non-empty ``change_set`` succeed or fail together.
    """

    method: str
    path: str
    body: Json | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    change_set: str = ""


@dataclass(frozen=True)
class Answer:
    """One answer of the Dataverse Web API; ``body`` keeps decimals as Decimal."""

    status: int
    headers: Mapping[str, str]
    body: Any


class Dataverse(Protocol):
    """The Dataverse Web API of any environment we hold a credential for."""

    def send(self, environment: str, operations: Sequence[Operation]) -> list[Answer]:
        """Send one operation as itself, several as one $batch: one round trip. Answers stand in the operations' order.

        A failed operation is an Answer with its status; ``shared.dataverse.answers.result`` turns it into an error.
        Raises Retryable (no answer to a read), Uncertain (no answer to a write), Throttled, ConfigurationError.
        """
        ...


class Xero(Protocol):
    """The Xero Accounting API, one HTTP send a call."""

    def call(
        self,
        connector: Connector,
        operation: str,
        *arguments: str,
        body: Json | None = None,
        key: str = "",
        lane: Lane = Lane.INVOICES,
        **options: Any,
    ) -> Json:
        """Call xero-python's *operation* (its method name) for the connector's organisation; decimals stay Decimal.

        *key* is the Idempotency-Key of a create. Raises Throttled, Retryable (a read), Uncertain (a write), Rejected with
        Xero's own sentences, NotFound, NeedsReconnect, NeedsScope, Disconnected, ConfigurationError.
        """
        ...

    def budget(self, connector: Connector, lane: Lane) -> int:
        """Return how many calls the organisation's limits allow in *lane* until the next tick (SPEC 9)."""
        ...


class Secrets(Protocol):
    """Encrypt what must not be readable in Table Storage; *context* (the row's identity) is authenticated too."""

    def seal(self, text: str, context: str) -> str: ...

    def open(self, sealed: str, context: str) -> str: ...

    def keyed_hash(self, text: str, purpose: str) -> str:
        """Return a keyed hash of *text* with the newest key: nobody can read or guess it (SPEC 1.5)."""
        ...

    def is_hash_of(self, stored: str, text: str, purpose: str) -> bool:
        """Tell whether *stored* is the keyed hash of *text*, with any key still configured; False for one that is gone."""
        ...


@dataclass(frozen=True)
class Services:
    """Everything the pipeline touches, built once in function_app.py."""

    xero: Xero
    dataverse: Dataverse
    store: Store
    queues: Queues
    secrets: Secrets
    clock: Clock
    durations: Durations = field(default_factory=Durations)


__all__ = [
    "Answer",
    "Clock",
    "Dataverse",
    "Lane",
    "Operation",
    "Queues",
    "ReceivedMessage",
    "Secrets",
    "Services",
    "Store",
    "StoredRow",
    "SystemClock",
    "Xero",
]
