"""Keep an environment's rows in SQLite, one SQLite table per Dataverse table, typed by the model, which customizing changes.

Text compares as SQL Server compares it in Dataverse (no case, no accents); decimals are kept as text and compare exactly.
One connection, one lock: transactions are serial, so a change set is atomic by construction.
"""

from __future__ import annotations

import json
import re
import sqlite3
import threading
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from sandbox.entra.directory import new_signing_key
from solution.model import ColumnModel, TableModel

from . import definition

LOOKUPS = frozenset({"lookup", "owner", "customer"})
DECIMALS = frozenset({"decimal", "money"})
CHOICES = frozenset({"choice", "state", "status"})
WHOLE = frozenset({"integer", "bigint"}) | CHOICES
FIRST_VERSION = 4_100_000


class Reference(NamedTuple):
    """What a lookup holds: the table it points into and the row's id."""

    table: str
    id: str


Value = str | int | float | bool | Decimal | Reference | None
Row = dict[str, Value]
Parameter = str | int | float | None


@lru_cache(maxsize=65_536)
def folded(text: str) -> str:
    """Return *text* without case and accents, as Dataverse's collation sees it."""
    return "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))


@lru_cache(maxsize=1_024)
def _like(pattern: str) -> re.Pattern[str]:
    """Translate a SQL LIKE pattern: %, _ and [set] are wildcards even when the caller meant them literally."""
    parts = re.findall(r"\[[^\]]+\]|.", folded(pattern), re.DOTALL)
    regex = "".join(
        ".*" if part == "%" else "." if part == "_" else f"[{re.escape(part[1:-1])}]" if len(part) > 1 else re.escape(part)
        for part in parts
    )
    return re.compile(regex, re.DOTALL)


def _matches(value: str | None, pattern: str) -> int | None:
    return None if value is None else int(_like(pattern).fullmatch(folded(value)) is not None)


def _order(left: str, right: str) -> int:
    return (folded(left) > folded(right)) - (folded(left) < folded(right))


def _order_decimals(left: str, right: str) -> int:
    return (Decimal(left) > Decimal(right)) - (Decimal(left) < Decimal(right))


def collation(column: ColumnModel) -> str:
    """Return the SQLite collation under which values of *column* compare."""
    if column.type in DECIMALS:
        return "DECIMAL"
    return "DATAVERSE" if column.type in ("text", "memo") else "NOCASE" if _affinity(column) == "TEXT" else "BINARY"


def _affinity(column: ColumnModel) -> str:
    if column.type in WHOLE or column.type == "boolean":
        return "INTEGER"
    return "REAL" if column.type == "double" else "TEXT"


class Store:
    """The rows of one environment."""

    def __init__(self, database: str, model: Mapping[str, TableModel]) -> None:
        """Open a database; the tables and columns of *model* are added to those it has."""
        self.model: Mapping[str, TableModel] = {}
        self.intersects: Mapping[str, tuple[str, ...]] = {}
        self.tables_by_set: dict[str, TableModel] = {}
        self._listed: dict[str, str] = {}
        self._facts: dict[str, dict[str, Any]] = {}
        self._lock = threading.RLock()
        self._depth = 0
        self._db = sqlite3.connect(database, check_same_thread=False, isolation_level=None)
        self._db.create_collation("DATAVERSE", _order)
        self._db.create_collation("DECIMAL", _order_decimals)
        self._db.create_function("matches", 2, _matches, deterministic=True)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        with self.transaction():
            self._create_own_tables()
            self._know(self._kept_model())
            kept = self.model
            self.define(*(definition.merged(kept.get(name), table) for name, table in model.items()))

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def clear(self) -> None:
        """Delete every row, link and trace of a deletion; versions go on rising."""
        with self.transaction():
            for name in (*self.model, *self.intersects, "#deleted"):
                self._db.execute(f'DELETE FROM "{name}"')

    def snapshot(self) -> bytes:
        """Return the whole database, for `restore`."""
        with self._lock:
            return self._db.serialize()

    def restore(self, image: bytes) -> None:
        """Put back what `snapshot` returned: quicker than seeding again."""
        with closing(sqlite3.connect(":memory:")) as source, self._lock:
            source.deserialize(image)
            source.backup(self._db)
            self._facts.clear()
            self._know(self._kept_model())

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run a block atomically; blocks nest, an exception undoes the innermost one it leaves."""
        with self._lock:
            savepoint, model = f"depth{self._depth}", self.model
            self._db.execute(f"SAVEPOINT {savepoint}")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._db.execute(f"ROLLBACK TO {savepoint}")
                self._facts.clear()
                if self.model is not model:
                    self._know(model)
                raise
            finally:
                self._depth -= 1
                self._db.execute(f"RELEASE {savepoint}")

    def next_version(self) -> int:
        """Return the next row version: it rises with every write in the environment."""
        with self.transaction():
            self._db.execute("UPDATE \"#counter\" SET value = value + 1 WHERE name = 'version'")
            return self.version()

    def version(self) -> int:
        """Return the version of the latest write."""
        (row,) = self.query("SELECT value FROM \"#counter\" WHERE name = 'version'")
        return int(row[0] or 0)

    def next_number(self, name: str, first: int) -> int:
        """Return the next number of a named series, starting at *first*."""
        with self.transaction():
            self._db.execute('INSERT OR IGNORE INTO "#counter" VALUES (?, ?)', (name, first - 1))
            self._db.execute('UPDATE "#counter" SET value = value + 1 WHERE name = ?', (name,))
            (row,) = self.query('SELECT value FROM "#counter" WHERE name = ?', (name,))
            return int(row[0] or 0)

    def signing_key(self) -> bytes:
        """Return the tenant's signing key, kept with the rows so that tokens outlive a restart."""
        with self.transaction():
            self._db.execute('CREATE TABLE IF NOT EXISTS "#key" (pem BLOB)')
            kept = self._db.execute('SELECT pem FROM "#key"').fetchone()
            if kept is None:
                kept = (new_signing_key(),)
                self._db.execute('INSERT INTO "#key" VALUES (?)', kept)
            return bytes(kept[0])

    def query(self, sql: str, parameters: Sequence[Parameter] = ()) -> list[tuple[Parameter, ...]]:
        """Return the result rows of a SELECT."""
        with self._lock:
            return self._db.execute(sql, parameters).fetchall()

    def select(self, table: str, where: str = "1", parameters: Sequence[Parameter] = (), order: str = "") -> list[Row]:
        """Return the rows of *table* (alias `t`) that a SQL condition picks."""
        suffix = f" ORDER BY {order}" if order else ""
        found = self.query(f'SELECT {self._listed[table]} FROM "{table}" t WHERE {where}{suffix}', parameters)
        return [self._row(table, values) for values in found]

    def page(
        self, table: str, where: str, parameters: Sequence[Parameter], sorting: Sequence[tuple[str, bool]], limit: int
    ) -> tuple[list[Row], list[list[Parameter]]]:
        """Return the first rows by these SQL expressions (each with whether it sorts downwards), and their sort values."""
        keys = ", ".join(expression for expression, _ in sorting)
        order = ", ".join(f"{expression} {'DESC' if down else 'ASC'}" for expression, down in sorting)
        sql = f'SELECT {self._listed[table]}, {keys} FROM "{table}" t WHERE {where} ORDER BY {order} LIMIT {limit}'
        found = self.query(sql, parameters)
        return [self._row(table, values) for values in found], [list(values[-len(sorting) :]) for values in found]

    def read(self, table: str, row_id: str) -> Row | None:
        """Return one row by its primary key, or None."""
        found = self.select(table, f't."{self.model[table].key}" = ?', (row_id,))
        return found[0] if found else None

    def find(self, table: str, column: str, value: Parameter) -> list[Row]:
        """Return the rows whose *column* (a lookup by its id) equals *value*, oldest first."""
        return self.select(table, f't."{column}" = ?', (value,), 't."#rowid"')

    def write(self, table: str, row: Row) -> int:
        """Insert or replace one row under a new version, which is returned."""
        with self.transaction():
            version = self.next_version()
            if "versionnumber" in self.model[table].columns:
                row["versionnumber"] = version
            names, values = ["#version"], [version]
            for column in self.model[table].columns.values():
                for name, value in _stored(column, row.get(column.name)):
                    names.append(name)
                    values.append(value)  # type: ignore[arg-type]
            listed = ", ".join(f'"{name}"' for name in names)
            key = self.model[table].key
            changes = ", ".join(f'"{name}" = excluded."{name}"' for name in names)
            marks = ", ".join("?" * len(values))
            self._db.execute(
                f'INSERT INTO "{table}" ({listed}) VALUES ({marks}) ON CONFLICT("{key}") DO UPDATE SET {changes}', values
            )
            row["#version"] = version
            return version

    def delete(self, table: str, row_id: str) -> None:
        """Delete one row and its links; remember the deletion for change tracking."""
        with self.transaction():
            self._db.execute(f'DELETE FROM "{table}" WHERE "{self.model[table].key}" = ?', (row_id,))
            self._db.execute('INSERT INTO "#deleted" VALUES (?, ?, ?)', (table, row_id, self.next_version()))
            for intersect, ends in self.intersects.items():
                if table in ends:
                    self._db.execute(f'DELETE FROM "{intersect}" WHERE "{table}" = ?', (row_id,))

    def deleted_since(self, table: str, version: int) -> list[str]:
        """Return the ids of rows of *table* deleted after *version*."""
        return [str(r[0]) for r in self.query('SELECT id FROM "#deleted" WHERE "table" = ? AND version > ?', (table, version))]

    def link(self, intersect: str, one: Reference, other: Reference) -> bool:
        """Link two rows many-to-many; return False when they already were."""
        with self.transaction():
            cursor = self._db.execute(
                f'INSERT OR IGNORE INTO "{intersect}" ("{one.table}", "{other.table}") VALUES (?, ?)', (one.id, other.id)
            )
            return cursor.rowcount == 1

    def unlink(self, intersect: str, one: Reference, other: Reference) -> bool:
        """Remove a many-to-many link; return False when there was none."""
        with self.transaction():
            cursor = self._db.execute(
                f'DELETE FROM "{intersect}" WHERE "{one.table}" = ? AND "{other.table}" = ?', (one.id, other.id)
            )
            return cursor.rowcount == 1

    # --- what there is: changed by customizing ---------------------------------------------------------------------

    def define(self, *tables: TableModel) -> None:
        """Add tables or change them; what rows hold in the columns that stay is kept."""
        with self.transaction():
            before = self.model
            for table in tables:
                self._define(before.get(table.name), table)
                self._db.execute('INSERT OR REPLACE INTO "#model" VALUES (?, ?)', (table.name, definition.written(table)))
            self._know({**before, **{table.name: table for table in tables}})
            for intersect, (one, other) in self.intersects.items():
                self._db.execute(
                    f'CREATE TABLE IF NOT EXISTS "{intersect}" ("{one}" TEXT, "{other}" TEXT, PRIMARY KEY ("{one}", "{other}"))'
                )

    def undefine(self, *names: str) -> None:
        """Drop tables, intersect tables too, with their rows."""
        with self.transaction():
            for name in names:
                self._db.execute(f'DROP TABLE IF EXISTS "{name}"')
                self._db.execute('DELETE FROM "#model" WHERE name = ?', (name,))
            self._know({name: table for name, table in self.model.items() if name not in names})

    def facts(self, kind: str) -> dict[str, Any]:
        """Return everything kept of a kind of thing that is no row, by name; not to be changed in place."""
        with self._lock:
            if kind not in self._facts:
                found = self.query('SELECT name, json FROM "#fact" WHERE kind = ? ORDER BY rowid', (kind,))
                self._facts[kind] = {str(name): json.loads(str(text)) for name, text in found}
            return dict(self._facts[kind])

    def keep(self, kind: str, name: str, fact: Any) -> None:
        """Keep or replace a fact."""
        with self.transaction():
            self._db.execute('INSERT OR REPLACE INTO "#fact" VALUES (?, ?, ?)', (kind, name, json.dumps(fact)))
            self._facts.pop(kind, None)

    def forget(self, kind: str, name: str) -> None:
        """Forget a fact."""
        with self.transaction():
            self._db.execute('DELETE FROM "#fact" WHERE kind = ? AND name = ?', (kind, name))
            self._facts.pop(kind, None)

    def _know(self, model: Mapping[str, TableModel]) -> None:
        self.model = model
        self.tables_by_set = {table.entity_set: table for table in model.values()}
        self.intersects = {
            intersect: tuple(sorted((table.name, other)))
            for table in model.values()
            for other, intersect in table.many_to_many.values()
        }
        self._listed = {table.name: _listed(table) for table in model.values()}

    def _kept_model(self) -> dict[str, TableModel]:
        found = self.query('SELECT name, json FROM "#model" ORDER BY rowid')
        return {str(name): definition.read(str(text)) for name, text in found}

    def _create_own_tables(self) -> None:
        self._db.execute('CREATE TABLE IF NOT EXISTS "#counter" (name TEXT PRIMARY KEY, value INTEGER)')
        self._db.execute('INSERT OR IGNORE INTO "#counter" VALUES (?, ?)', ("version", FIRST_VERSION))
        self._db.execute('CREATE TABLE IF NOT EXISTS "#deleted" ("table" TEXT, id TEXT, version INTEGER)')
        self._db.execute('CREATE TABLE IF NOT EXISTS "#model" (name TEXT PRIMARY KEY, json TEXT)')
        self._db.execute('CREATE TABLE IF NOT EXISTS "#fact" (kind TEXT, name TEXT, json TEXT, PRIMARY KEY (kind, name))')

    def _define(self, before: TableModel | None, table: TableModel) -> None:
        if before is None:
            parts = ['"#rowid" INTEGER PRIMARY KEY', '"#version" INTEGER']
            for column in table.columns.values():
                unique = " UNIQUE" if column.name == table.key else ""
                parts += [f"{part}{unique}" for part in _cells(column)]
            self._db.execute(f'CREATE TABLE IF NOT EXISTS "{table.name}" ({", ".join(parts)})')
        else:
            for column in before.columns.values():
                now = table.columns.get(column.name)
                if now is None or list(_cells(now)) != list(_cells(column)):
                    self._db.execute(f'DROP INDEX IF EXISTS "{table.name}.{column.name}"')
                    for cell in _cells(column):
                        self._db.execute(f'ALTER TABLE "{table.name}" DROP COLUMN {cell.split(" ")[0]}')
            for column in table.columns.values():
                was = before.columns.get(column.name)
                if was is None or list(_cells(was)) != list(_cells(column)):
                    for cell in _cells(column):
                        self._db.execute(f'ALTER TABLE "{table.name}" ADD COLUMN {cell}')
        for column in table.columns.values():
            if column.is_lookup and column.create:
                self._db.execute(f'CREATE INDEX IF NOT EXISTS "{table.name}.{column.name}" ON "{table.name}" ("{column.name}")')

    def _row(self, table: str, values: Sequence[Parameter]) -> Row:
        cells = iter(values)
        row: Row = {"#version": next(cells)}
        for column in self.model[table].columns.values():
            value = next(cells)
            pointed = next(cells) if len(column.targets) > 1 else (column.targets[0] if column.targets else None)
            row[column.name] = _restored(column, value, pointed)
        return row


def _cells(column: ColumnModel) -> Iterator[str]:
    """Return the SQLite columns of a column, as a CREATE TABLE writes them."""
    yield f'"{column.name}" {_affinity(column)} COLLATE {collation(column)}'
    if len(column.targets) > 1:
        yield f'"{column.name}#table" TEXT'


def _listed(table: TableModel) -> str:
    """Return the columns of a SELECT, in the order `_row` reads them."""
    names = ["#version"]
    for column in table.columns.values():
        names.append(column.name)
        if len(column.targets) > 1:
            names.append(f"{column.name}#table")
    return ", ".join(f't."{name}"' for name in names)


def _stored(column: ColumnModel, value: Value) -> Iterator[tuple[str, Parameter]]:
    if len(column.targets) > 1:
        yield f"{column.name}#table", value.table if isinstance(value, Reference) else None
    if isinstance(value, Reference):
        yield column.name, value.id
    elif isinstance(value, Decimal):
        yield column.name, format(value, "f")
    else:
        yield column.name, int(value) if isinstance(value, bool) else value


def _restored(column: ColumnModel, value: Parameter, pointed: Parameter) -> Value:
    if value is None:
        return None
    if column.type in LOOKUPS:
        return Reference(str(pointed), str(value))
    if column.type in DECIMALS:
        return Decimal(str(value))
    return bool(value) if column.type == "boolean" else value
