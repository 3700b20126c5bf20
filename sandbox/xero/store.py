"""Everything the stand-in remembers: one SQLite table of JSON documents, by organisation and kind."""

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from . import wire

Document = dict[str, Any]

SCHEMA = """
create table if not exists documents (
    organisation text not null, kind text not null, id text not null,
    key text not null, body text not null,
    primary key (organisation, kind, id));
create index if not exists documents_by_key on documents (organisation, kind, key);
"""


class Store:
    """Documents on SQLite, safe for the threads of one process.

    A document is a JSON object; *key* is the one natural key it can be found by (an invoice's number, a contact's name),
    compared without regard to case. Organisation "" holds what belongs to no organisation (tokens, idempotency records).
    """

    def __init__(self, database: str = ":memory:") -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._connection = sqlite3.connect(database, check_same_thread=False, isolation_level=None)
        self._connection.execute("pragma journal_mode = wal")
        self._connection.execute("pragma synchronous = off")
        self._connection.executescript(SCHEMA)

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the store alone; commit at the end, undo everything when the block raises. May be nested."""
        with self._lock:
            self._depth += 1
            savepoint = f"level{self._depth}"
            self._connection.execute(f"savepoint {savepoint}")
            try:
                yield
            except BaseException:
                self._connection.execute(f"rollback to {savepoint}")
                raise
            finally:
                self._connection.execute(f"release {savepoint}")
                self._depth -= 1

    def put(self, organisation: str, kind: str, id: str, body: Document, key: str = "") -> None:
        """Insert or replace one document; a replaced one keeps its place in the order of creation."""
        with self._lock:
            self._connection.execute(
                "insert into documents values (?, ?, ?, ?, ?)"
                " on conflict (organisation, kind, id) do update set key = excluded.key, body = excluded.body",
                (organisation, kind, id.lower(), key.casefold(), wire.dumps(body)),
            )

    def get(self, organisation: str, kind: str, id: str) -> Document | None:
        """Return the document with this id, or None."""
        return next(iter(self._select("organisation = ? and kind = ? and id = ?", (organisation, kind, id.lower()))), None)

    def find(self, organisation: str, kind: str, key: str) -> list[Document]:
        """Return the documents with this natural key, oldest first."""
        return self._select("organisation = ? and kind = ? and key = ?", (organisation, kind, key.casefold()))

    def all(self, organisation: str, kind: str) -> list[Document]:
        """Return every document of a kind, oldest first."""
        return self._select("organisation = ? and kind = ?", (organisation, kind))

    def delete(self, organisation: str, kind: str, id: str) -> None:
        """Forget one document; nothing happens when there is none."""
        with self._lock:
            self._connection.execute(
                "delete from documents where organisation = ? and kind = ? and id = ?", (organisation, kind, id.lower())
            )

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._connection.execute("delete from documents")

    def _select(self, condition: str, values: Iterable[str]) -> list[Document]:
        with self._lock:
            rows = self._connection.execute(f"select body from documents where {condition} order by rowid", tuple(values))
            return [wire.loads(body) for (body,) in rows.fetchall()]
