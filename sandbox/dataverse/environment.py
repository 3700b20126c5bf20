"""One Dataverse environment: create, update and delete rows by the platform's rules, whoever calls.

Sources: Microsoft Learn, "Create/Update and delete table rows using the Web API", "Alternate keys",
"Optimistic concurrency", "Table relationship behavior".
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from urllib.parse import urlsplit
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from sandbox.xero.clock import Clock
from solution.model import ColumnModel, TableModel

from . import privileges, sales
from .errors import (
    BAD_ARGUMENT,
    CANNOT_DELETE,
    DUPLICATE,
    DUPLICATE_KEY,
    STATE_STATUS_MISMATCH,
    Refused,
    row_missing,
)
from .rows import Names
from .sql import moment
from .store import Reference, Row, Store, Value

NAMESPACE = UUID("6a1f0f0e-5b7a-5f0e-9a53-6d61675f6476")


def derived_id(*names: str) -> str:
    """Return the id that belongs to these names, the same in every run."""
    return str(uuid5(NAMESPACE, "/".join(names)))


@dataclass(frozen=True)
class Caller:
    """Who a request acts for, and whether a System Administrator.

    ``privileges`` are the names its roles grant, in lower case; None where they are not looked at.
    """

    user: str
    administrator: bool = False
    privileges: frozenset[str] | None = None


@dataclass(frozen=True)
class Event:
    """A row was created, updated or deleted: what changed, by whom."""

    message: str
    table: str
    id: str
    values: Mapping[str, Value]
    caller: Caller
    before: Row | None = None


class Environment:
    """Rows, rules and events of one environment at one URL."""

    def __init__(
        self, store: Store, clock: Clock, *, url: str, zone: ZoneInfo, publish: Callable[[Environment, list[Event]], None]
    ) -> None:
        self.store = store
        self.clock = clock
        self.url = url.rstrip("/")
        self.zone = zone
        self.index_time = timedelta(seconds=2)  # how long the index of a new alternate key is not Active yet
        self.import_time = timedelta(seconds=2)  # how long the job of an import runs
        self._publish = publish
        self._events: list[Event] = []
        self._depth = 0

    @property
    def model(self) -> Mapping[str, TableModel]:
        """Return the tables there are now."""
        return self.store.model

    @property
    def tables_by_set(self) -> dict[str, TableModel]:
        """Return the tables by the name of their entity set."""
        return self.store.tables_by_set

    @property
    def host(self) -> str:
        """Return the environment's host name with its port."""
        return urlsplit(self.url).netloc

    @property
    def organization_id(self) -> str:
        """Return the organisation's id, derived from the host."""
        return derived_id("organization", self.host)

    @property
    def system(self) -> Caller:
        """Return the caller behind the platform's own writes and seeds: an administrator."""
        return Caller(derived_id("systemuser", "SYSTEM"), administrator=True)

    @property
    def now(self) -> str:
        """Return the current moment as Dataverse writes it."""
        return moment(self.clock.now())

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run a block atomically; its events are published when the outermost block has succeeded."""
        with self.store.transaction():
            happened = len(self._events)
            self._depth += 1
            try:
                yield
            except BaseException:
                del self._events[happened:]
                raise
            finally:
                self._depth -= 1
            events: list[Event] = []
            if self._depth == 0:
                events, self._events = self._events, []
        if events:
            self._publish(self, events)

    # --- rows ------------------------------------------------------------------------------------------------------

    def seed(self, table: str, **values: Value) -> str:
        """Write one row directly, past who may write what; a row with that id is replaced. Return its id."""
        model = self.model[table]
        unknown = set(values) - set(model.columns)
        if unknown:
            raise KeyError(f"{table} has no column {', '.join(sorted(unknown))}")
        with self.transaction():
            row_id = str(values.get(model.key) or self.derived(table))
            row = self.store.read(table, row_id) or self._blank(model, self.system)
            self._fill(model, row, {**values, model.key: row_id}, creating=True)
            self._settle_state(model, row, values)
            self._write(model, row)
            sales.after_write(self, table, row)
        return row_id

    def create(self, table: str, values: Mapping[str, Value], caller: Caller) -> Row:
        """Create a row; raises Refused: 403 without the privilege, 412 when the id or an alternate key exists, 400 by the rules."""
        privileges.check_written(caller, table, values, creating=True)
        model = self.model[table]
        with self.transaction():
            row_id = str(values.get(model.key) or self.derived(table))
            if self.store.read(table, row_id):
                raise Refused(
                    412, DUPLICATE, f"Cannot insert duplicate key. A record with matching key values already exists: {row_id}"
                )
            row = self._blank(model, caller)
            self._fill(model, row, {**values, model.key: row_id}, creating=True)
            self._settle_state(model, row, values)
            self._check_required(model, row)
            sales.before_create(self, table, row, values)
            self._write(model, row)
            sales.after_write(self, table, row)
            self._events.append(Event("Create", table, row_id, dict(values), caller))
            return self.require(table, row_id)

    def update(self, table: str, row_id: str, values: Mapping[str, Value], caller: Caller) -> Row:
        """Change the given columns of a row; raises Refused: 404 when missing, 403 when read-only or not granted, 400 by the rules."""
        privileges.check_written(caller, table, values, creating=False)
        model = self.model[table]
        with self.transaction():
            row = self.require(table, row_id)
            before = dict(row)
            self._settle_state(model, row, values)
            sales.before_update(self, table, before, row, values, caller)
            self._fill(model, row, values, creating=False)
            self._check_required(model, row)
            sales.check(self, table, row)
            row["modifiedon"] = self.now
            row["modifiedby"] = Reference("systemuser", caller.user)
            self._write(model, row)
            sales.after_write(self, table, row)
            self._events.append(Event("Update", table, row_id, dict(values), caller, before))
            return self.require(table, row_id)

    def delete(self, table: str, row_id: str, caller: Caller) -> None:
        """Delete a row, and by each relationship's rule delete, clear or keep what points at it; raises Refused."""
        privileges.check(caller, "Delete", table)
        with self.transaction():
            row = self.require(table, row_id)
            sales.before_delete(self, table, row, caller)
            for child, column_name in self.model[table].one_to_many.values():
                column = self.model[child].columns[column_name]
                for pointing in self._pointing(child, column, Reference(table, row_id)):
                    self._let_go(child, column, pointing, caller)
            self.store.delete(table, row_id)
            sales.after_delete(self, table, row)
            self._events.append(Event("Delete", table, row_id, {}, caller, row))

    def require(self, table: str, row_id: str) -> Row:
        """Return a row; raises Refused (404) when there is none."""
        row = self.store.read(table, row_id)
        if row is None:
            raise row_missing(table, row_id)
        return row

    def referenced(self, value: Value) -> Row | None:
        """Return the row a lookup points at, or None for an empty or dangling one."""
        return self.store.read(value.table, value.id) if isinstance(value, Reference) else None

    def associate(self, intersect: str, one: Reference, other: Reference, caller: Caller) -> None:
        """Link two rows many-to-many; raises Refused (412) when they already are."""
        privileges.check_linked(caller, one, other)
        with self.transaction():
            if not self.store.link(intersect, one, other):
                raise Refused(412, DUPLICATE, "Cannot insert duplicate key.")
            self._events.append(Event("Associate", one.table, one.id, {intersect: other}, caller))

    def disassociate(self, intersect: str, one: Reference, other: Reference, caller: Caller) -> None:
        """Remove a many-to-many link; a missing one is no error."""
        privileges.check_linked(caller, one, other)
        with self.transaction():
            if self.store.unlink(intersect, one, other):
                self._events.append(Event("Disassociate", one.table, one.id, {intersect: other}, caller))

    def names(self) -> Names:
        """Return where formatted values find the names behind ids."""
        return Names(of=self._name_of, symbol=self._symbol_of, zone=self.zone)

    # --- parts -----------------------------------------------------------------------------------------------------

    def derived(self, kind: str) -> str:
        """Return the next id of a kind: never the same twice in one database, the same in every run."""
        digest = hashlib.sha256(f"{self.url}/{kind}/{self.store.next_number('id', 1)}".encode()).digest()
        return str(UUID(bytes=digest[:16], version=4))

    def _blank(self, model: TableModel, caller: Caller) -> Row:
        row: Row = {name: column.default for name, column in model.columns.items()}
        user = Reference("systemuser", caller.user)
        for name in ("createdon", "modifiedon"):
            row[name] = self.now
        for name in ("createdby", "modifiedby", "ownerid"):
            row[name] = user
        return row

    def _fill(self, model: TableModel, row: Row, values: Mapping[str, Value], *, creating: bool) -> None:
        states = ("statecode", "statuscode")
        row.update({name: value for name, value in values.items() if name not in states})
        if creating and row.get("overriddencreatedon"):
            row["createdon"] = row["overriddencreatedon"]
        if "fullname" in model.columns:
            row["fullname"] = " ".join(str(row[n]) for n in ("firstname", "lastname") if row.get(n)) or row.get("fullname")
        self._fill_owner(model, row)
        self._fill_currency(model, row)

    def _fill_owner(self, model: TableModel, row: Row) -> None:
        owner = row.get("ownerid")
        if "ownerid" in model.columns and isinstance(owner, Reference):
            owning = self.referenced(owner)
            row["owninguser"] = owner if owner.table == "systemuser" else None
            row["owningteam"] = owner if owner.table == "team" else None
            row["owningbusinessunit"] = owning["businessunitid"] if owning else None

    def _fill_currency(self, model: TableModel, row: Row) -> None:
        money = [name for name, column in model.columns.items() if column.type == "money" and not name.endswith("_base")]
        if model.name == "transactioncurrency" or "transactioncurrencyid" not in model.columns:
            return
        if row.get("transactioncurrencyid") is None and any(row.get(name) is not None for name in money):
            row["transactioncurrencyid"] = self.base_currency()
        sales.fill_currency(self, model.name, row)
        currency = self.referenced(row.get("transactioncurrencyid"))
        rate = currency["exchangerate"] if currency else None
        if "exchangerate" in model.columns:
            row["exchangerate"] = rate
        for name in money:
            amount = row.get(name)
            if f"{name}_base" in model.columns and isinstance(rate, Decimal) and rate:
                row[f"{name}_base"] = sales.rounded(amount / rate, 4) if isinstance(amount, Decimal) else None

    def base_currency(self) -> Value:
        organization = self.store.read("organization", self.organization_id)
        return organization["basecurrencyid"] if organization else None

    def _settle_state(self, model: TableModel, row: Row, values: Mapping[str, Value]) -> None:
        """Write the state and status a request asks for into the row; raises Refused (400) for a pair that does not match."""
        if "statecode" not in model.columns:
            return
        states = model.columns["statuscode"].states if "statuscode" in model.columns else {}
        state, status = values.get("statecode"), values.get("statuscode")
        if state is None and status is None:
            if row.get("statecode") is None:
                row["statecode"] = 0
                row["statuscode"] = next((reason for reason, of in states.items() if of == 0), 1)
            return
        if status is None:
            status = next((reason for reason, of in states.items() if of == state), row.get("statuscode"))
        target = states.get(int(str(status)), state if state is not None else row.get("statecode"))
        if (state if state is not None else row.get("statecode") or 0) != target:
            raise Refused(
                400,
                STATE_STATUS_MISMATCH,
                f"{status} is not a valid status code for state code {state} on {model.name} with Id {row[model.key]}.",
            )
        row["statecode"], row["statuscode"] = target, status

    def _check_required(self, model: TableModel, row: Row) -> None:
        for column in model.columns.values():
            if column.required and row.get(column.name) is None:
                raise Refused(400, BAD_ARGUMENT, f"The attribute '{column.name}' of '{model.name}' cannot be set to NULL.")

    def _write(self, model: TableModel, row: Row) -> None:
        for name, columns in model.keys.items():
            values = [row.get(column) for column in columns]
            if any(value is None for value in values):
                continue
            where = " AND ".join(f't."{column}" = ?' for column in columns)
            parameters = [
                value.id if isinstance(value, Reference) else format(value, "f") if isinstance(value, Decimal) else value
                for value in values
            ]
            if any(other[model.key] != row[model.key] for other in self.store.select(model.name, where, parameters)):
                raise Refused(
                    412,
                    DUPLICATE_KEY,
                    f"A record that has the attribute values {', '.join(columns)} already exists. The entity key {name} requires "
                    "that this set of attributes contains unique values. Select unique values and try again.",
                )
        self.store.write(model.name, row)

    def _pointing(self, child: str, column: ColumnModel, reference: Reference) -> list[Row]:
        return [row for row in self.store.find(child, column.name, reference.id) if row[column.name] == reference]

    def _let_go(self, child: str, column: ColumnModel, row: Row, caller: Caller) -> None:
        row_id = str(row[self.model[child].key])
        if (child, column.name) in sales.DELETED_WITH_PARENT or column.on_delete == "Cascade":
            self.delete(child, row_id, caller)
        elif column.on_delete == "Restrict":
            raise Refused(
                405,
                CANNOT_DELETE,
                f"The object you tried to delete is associated with another object and cannot be deleted. ({child})",
            )
        else:
            row[column.name] = None
            self.store.write(child, row)

    def _name_of(self, reference: Reference) -> str:
        row = self.referenced(reference)
        return str(row.get(self.model[reference.table].primary_name) or "") if row else ""

    def _symbol_of(self, row: Row) -> str:
        currency = self.referenced(row.get("transactioncurrencyid"))
        return str(currency["currencysymbol"] or "") if currency else ""
