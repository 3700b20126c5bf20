"""The mapping language: a mapping is a table, and each row says what one field is made of.

    Field     a column of the row                      Constant  the same value always
    Setting   a column of the connector's own row      Lines     other rows, each through a table of its own
    Link      a value the pipeline knows, such as the customer's ContactID (docs/decisions/0002)

The left name is the source's, the right name the target's, each spelled as its vendor spells it. Dots walk into expanded lookups
and nested objects; ``Addresses[AddressType=STREET].City`` names the element of that kind; ``mag_trackingcategoryid@name`` is a
lookup's name without reading its row. Rows are tried in order; a row with ``otherwise`` writes only what no row before it wrote.
An absent source leaves its target absent. Every problem of a record is reported at once.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections import abc
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Context, localcontext
from functools import cached_property
from typing import Any

Json = dict[str, Any]
Path = tuple[tuple[str, tuple[str, str] | None], ...]

FORMATTED = "@OData.Community.Display.V1.FormattedValue"
BIND = "@odata.bind"
SETTINGS = "mag_xeroconnector"
WIDE = Context(prec=60)  # an absurd amount must be refused in words, not stop in the middle of a sum


# ── what a mapping answers ──────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Flaw:
    """One thing that is wrong with a record, in words its reader can act on.

    ``where`` is the label, the logical name and, on a line, its number; ``who`` is salesperson, bookkeeper or administrator.
    """

    message: str
    where: str = ""
    fix: str = ""
    who: str = "salesperson"


class MappingError(Exception):
    """The record cannot be written; ``flaws`` holds every reason."""

    def __init__(self, flaws: tuple[Flaw, ...]) -> None:
        super().__init__(" ".join(flaw.message for flaw in flaws))
        self.flaws = flaws


class Refused(Exception):
    """Raised by a converter or a step: this value cannot be written. ``fix`` says what to do, ``who`` does it."""

    def __init__(self, message: str, fix: str = "", who: str = "", where: str = "") -> None:
        super().__init__(message)
        self.message, self.fix, self.who, self.where = message, fix, who, where


@dataclass(frozen=True)
class Written:
    """The payload in the target's names (Decimal, str, bool, int, list) and what its reader should know about it."""

    payload: Json
    warnings: tuple[Flaw, ...] = ()


@dataclass(frozen=True)
class Columns:
    """What to read of one table: its columns, and through its navigation properties those of other tables.

    ``lookups`` are N:1, ``children`` 1:N, ``links`` N:N. ``table`` is empty where a row only names a navigation property.
    """

    table: str = ""
    select: frozenset[str] = frozenset()
    lookups: abc.Mapping[str, Columns] = field(default_factory=dict)
    children: abc.Mapping[str, Columns] = field(default_factory=dict)
    links: abc.Mapping[str, Columns] = field(default_factory=dict)

    def __or__(self, other: Columns) -> Columns:
        """Return what both read."""

        def both(ours: abc.Mapping[str, Columns], theirs: abc.Mapping[str, Columns]) -> dict[str, Columns]:
            names = dict.fromkeys((*ours, *theirs))
            return {name: ours.get(name, Columns()) | theirs.get(name, Columns()) for name in names}

        return Columns(
            self.table or other.table,
            self.select | other.select,
            both(self.lookups, other.lookups),
            both(self.children, other.children),
            both(self.links, other.links),
        )

    def under(self, lookup: str) -> Columns:
        """Return these columns as read from a row that expands them under *lookup*."""
        return Columns(select=_foreign_key(lookup), lookups={lookup: self})

    def inside(self, children: str) -> Columns:
        """Return these columns as read from a row whose *children* (1:N) they are of."""
        return Columns(children={children: self})


def _foreign_key(lookup: str) -> frozenset[str]:
    """Return the column behind a lookup; one to several tables (customerid_account) shares it, and its table reads it itself."""
    return frozenset({f"_{lookup}_value"} if lookup.endswith("id") else ())


def _columns(source: str, inside: Iterable[str] = ()) -> Columns:
    """Return what reading *source* takes; *inside* names columns of the row that *source* looks up."""
    head, dot, rest = source.partition(".")
    if dot:
        return _columns(rest, inside).under(head)
    if inside := tuple(inside):
        return Columns(select=frozenset(inside)).under(head)
    return Columns(select=frozenset({_column(head)}))


def _column(name: str) -> str:
    lookup, at, _ = name.partition("@")
    return f"_{lookup}_value" if at else name


# ── where a row stands ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class At:
    """What a row, a condition, a step or a check can see: the record, the connector's row, the links, what is written so far."""

    record: abc.Mapping[str, Any]
    settings: abc.Mapping[str, Any] = field(default_factory=dict)
    links: abc.Mapping[str, Any] | None = None
    now: datetime | None = None
    payload: Json = field(default_factory=dict)
    parent: At | None = None
    line: int = 0
    row: Row | None = None
    flaws: list[Flaw] = field(default_factory=list)
    warnings: list[Flaw] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)

    @property
    def document(self) -> At:
        """Return where the document itself stands, from any of its lines."""
        return self.parent.document if self.parent else self

    def setting(self, source: str) -> Any:
        """Return a column of the connector's row, or None."""
        return reach(self.settings, _source_path(source))

    def get(self, source: str) -> Any:
        """Return a column of the record, or None."""
        return reach(self.record, _source_path(source))

    def link(self, name: str) -> Any:
        """Return a value the pipeline knows, or None."""
        return (self.links or {}).get(name)

    def where(self, label: str = "", source: str = "") -> str:
        """Name a place for its reader: label, logical name and, on a line, its number."""
        place = f"{label} ({source})" if label and source else label or source
        return ", ".join(part for part in (place, f"line {self.line}" if self.line else "") if part)

    def refuse(self, message: str, fix: str = "", who: str = "", where: str = "") -> None:
        """Report a flaw; the record will not be written."""
        row = self.row
        self.flaws.append(
            Flaw(message, where or self.where(*(row.place if row else ())), fix, who or (row.who if row else "salesperson"))
        )

    def warn(self, message: str, fix: str = "", where: str = "") -> None:
        """Report something the reader should know; the record is written all the same."""
        row = self.row
        self.warnings.append(
            Flaw(message, where or self.where(*(row.place if row else ())), fix, row.who if row else "salesperson")
        )


_paths: dict[str, tuple[str, ...]] = {}


def _source_path(source: str) -> tuple[str, ...]:
    if source not in _paths:
        *walk, last = source.split(".")
        _paths[source] = (*walk, f"{_column(last)}{FORMATTED}" if "@" in last else last)
    return _paths[source]


def reach(record: Any, path: tuple[str, ...]) -> Any:
    """Walk *path* into nested objects; None where it ends early."""
    for name in path:
        if record is None:
            return None
        record = record.get(name)
    return record


# ── conditions ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Fact:
    """Something that is true or false of a record: said in words, tested in code, with the columns and settings it reads."""

    text: str
    test: Callable[[At], bool]
    reads: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()


@dataclass(frozen=True)
class When:
    """Facts that must hold (or, with False, must not) for a row to count."""

    parts: tuple[tuple[Fact, bool], ...]

    def holds(self, at: At) -> bool:
        for fact, wanted in self.parts:  # noqa: SIM110 - the hottest line of a push
            if fact.test(at) is not wanted:
                return False
        return True

    def excludes(self, other: When) -> bool:
        """Tell whether the two can never hold together."""
        return any((fact, not wanted) in other.parts for fact, wanted in self.parts)

    def __and__(self, other: When) -> When:
        return When(self.parts + other.parts)

    def __invert__(self) -> When:
        ((fact, wanted),) = self.parts
        return When(((fact, not wanted),))

    def __str__(self) -> str:
        must = " and ".join(fact.text for fact, wanted in self.parts if wanted)
        must_not = " or ".join(fact.text for fact, wanted in self.parts if not wanted)
        return ", ".join(part for part in (must and f"when {must}", must_not and f"unless {must_not}") if part)


def when(text: str, test: Callable[[At], bool], reads: tuple[str, ...] = (), settings: tuple[str, ...] = ()) -> When:
    """Make a condition of one fact; combine with ``&``, negate with ``~``."""
    return When(((Fact(text, test, reads, settings), True),))


# ── converters ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Converter:
    """How a value is written: ``write(value, at)`` returns it, None to leave it out, or raises Refused.

    ``reads`` names the columns it needs of the row a lookup points to, ``settings`` the columns of the connector's row.
    """

    name: str
    write: Callable[[Any, At], Any]
    reads: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()


AS_IS = Converter("", lambda value, at: value)


# ── rows ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Row:
    """What every row has: a target, and when it counts.

    ``when`` must hold for the row to count; ``otherwise`` lets it write only what no row before it wrote. ``required`` says what
    to do when, after all rows, the target is still absent (asked only while ``when`` and ``required_when`` hold); ``who`` does it.
    """

    when: When | None = field(default=None, kw_only=True)
    otherwise: bool = field(default=False, kw_only=True)
    required: str = field(default="", kw_only=True)
    required_when: When | None = field(default=None, kw_only=True)
    who: str = field(default="salesperson", kw_only=True)

    # each kind of row names those it has, in the order they are written
    label = ""
    source = ""
    target = ""
    written = AS_IS
    note = ""

    @cached_property
    def path(self) -> tuple[str, ...]:
        return _source_path(self.source)

    @cached_property
    def target_path(self) -> Path:
        return _target_path(self.target)

    @property
    def place(self) -> tuple[str, str]:
        return self.label or self.target, self.source

    def read(self, at: At) -> Any:
        raise NotImplementedError

    def columns(self) -> Columns:
        return Columns()

    def settings_columns(self) -> Columns:
        return _all(map(_columns, self.written.settings))

    def apply(self, at: At) -> None:
        if self.when is not None and not self.when.holds(at):
            return
        if self.target in at.refused or (self.otherwise and taken(at.payload, self.target_path) is not None):
            return
        at.row = self
        try:
            value = self.read(at)
            if value is None or value == "":
                return
            value = self.written.write(value, at)
        except Refused as refused:
            at.refused.add(self.target)
            at.refuse(refused.message, refused.fix, refused.who, refused.where)
            return
        if value is not None:
            put(at.payload, self.target_path, value)

    def is_missing(self, at: At) -> bool:
        """Tell whether the row is required here and nothing was written."""
        return (
            bool(self.required)
            and (self.when is None or self.when.holds(at))
            and (self.required_when is None or self.required_when.holds(at))
            and self.target not in at.refused
            and taken(at.payload, self.target_path) is None
        )


@dataclass(frozen=True)
class Field(Row):
    """Copy a column; its name may walk through lookups."""

    label: str = field()
    source: str = field()
    target: str = field()
    written: Converter = AS_IS
    note: str = ""

    def read(self, at: At) -> Any:
        value = reach(at.record, self.path)
        if value is None and at.record.get(f"_{self.path[0]}_value"):
            raise Refused(
                f"{self.label} points to a row that was deleted, or that the connector may not read.",
                "Choose another one, or give the connector's role read access to it.",
            )
        return value

    @property
    def place(self) -> tuple[str, str]:
        return self.label, self.source.partition(".")[0] if self.source.partition(".")[0].endswith("id") else self.source

    def columns(self) -> Columns:
        return _columns(self.source, self.written.reads)


@dataclass(frozen=True)
class Setting(Row):
    """Write a column of the connector's own row."""

    label: str = field()
    source: str = field()
    target: str = field()
    written: Converter = AS_IS
    note: str = ""
    who: str = field(default="administrator", kw_only=True)

    def read(self, at: At) -> Any:
        return reach(at.settings, self.path)

    @property
    def place(self) -> tuple[str, str]:
        return self.label, f"{SETTINGS}.{self.source}"

    def settings_columns(self) -> Columns:
        return super().settings_columns() | _columns(self.source, self.written.reads)


@dataclass(frozen=True)
class Link(Row):
    """Write a value the pipeline knows; ``by`` names the column whose value chooses one of several."""

    label: str = field()
    source: str = field()
    target: str = field()
    written: Converter = AS_IS
    note: str = ""
    by: str = field(default="", kw_only=True)

    def read(self, at: At) -> Any:
        value = at.link(self.source)
        return (value or {}).get(at.get(self.by)) if self.by else value

    @property
    def place(self) -> tuple[str, str]:
        return self.label, ""

    def columns(self) -> Columns:
        return _columns(self.by) if self.by else Columns()

    def is_missing(self, at: At) -> bool:
        return at.links is not None and super().is_missing(at)


@dataclass(frozen=True)
class Constant(Row):
    """Write the same value always."""

    value: Any
    target: str = field()
    note: str = ""

    def read(self, at: At) -> Any:
        return self.value


@dataclass(frozen=True)
class Step:
    """Something done to the lines before they are written, in the source's own words: ``run(lines, at)`` returns the new lines.

    ``reads`` are columns of the lines, ``header`` of the document, ``settings`` of the connector's row.
    """

    note: str
    run: Callable[[list[Json], At], list[Json]]
    reads: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lines(Row):
    """Write other rows, each through *table*, one after the other at the end of the target list.

    A table of the same source as the row's own writes one line made of the record itself.
    """

    label: str = field()
    source: str = field()
    target: str = field()
    table: Mapping
    note: str = ""
    steps: tuple[Step, ...] = field(default=(), kw_only=True)
    many_to_many: bool = field(default=False, kw_only=True)
    of_itself: bool = field(default=False, kw_only=True)

    def apply(self, at: At) -> None:
        if self.when is not None and not self.when.holds(at):
            return
        at.row = self
        lines = [dict(at.record)] if self.of_itself else list(at.get(self.source) or ())
        try:
            for step in self.steps:
                lines = step.run(lines, at)
        except Refused as refused:
            at.refused.add(self.target)
            at.refuse(refused.message, refused.fix, refused.who, refused.where)
            return
        written = at.payload.setdefault(self.target, [])
        for number, line in enumerate(lines, 1):
            number = at.line if at.line or self.of_itself else line.get("@line", number)
            inner = At(line, at.settings, at.links, at.now, {}, at, number, None, at.flaws, at.warnings)
            self.table.write(inner)
            if inner.payload:
                written.append(inner.payload)
        if not written:
            del at.payload[self.target]

    def columns(self) -> Columns:
        header = _all(_columns(name) for step in self.steps for name in step.header)
        child = self.table.columns() | _all(_columns(name) for step in self.steps for name in step.reads)
        if self.of_itself:
            return header | replace(child, table="")
        return header | (Columns(links={self.source: child}) if self.many_to_many else Columns(children={self.source: child}))

    def settings_columns(self) -> Columns:
        return _all(_columns(name) for step in self.steps for name in step.settings) | self.table.settings_columns()


@dataclass(frozen=True)
class Check:
    """Something that must be right before a record is written: ``run(at)`` refuses or warns. Runs after the rows."""

    note: str
    run: Callable[[At], None]
    reads: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Mapping:
    """A table: from which source rows (``source``) to which target object (``target``), by which rows, under which checks.

    ``title`` heads the table in the field guide.
    """

    title: str
    source: str
    target: str
    rows: tuple[Row, ...]
    checks: tuple[Check, ...] = ()

    def apply(
        self,
        record: abc.Mapping[str, Any],
        settings: abc.Mapping[str, Any],
        links: abc.Mapping[str, Any] | None = None,
        *,
        now: datetime | None = None,
    ) -> Written:
        """Write *record*; raise MappingError with every flaw.

        *record* is the row as the Web API gave it, with annotations, its lookups and lines expanded under their navigation
        properties, and decimals as Decimal. *settings* is the mag_xeroconnector row, read the same way. *links* are the values
        only the pipeline knows; None rehearses: what hangs on a link is not asked for. *now* is for rows of the users' own.
        """
        at = At(record, settings, links, now)
        with localcontext(WIDE):
            self.write(at)
        if at.flaws:
            raise MappingError(tuple(dict.fromkeys(at.flaws)))
        return Written(at.payload, tuple(dict.fromkeys(at.warnings)))

    def write(self, at: At) -> None:
        """Write one record into ``at.payload``, adding to its flaws and warnings."""
        for row in self.rows:
            row.apply(at)
        for row in self.rows:
            if row.required and row.is_missing(at):
                first = next(other for other in self.rows if other.target == row.target) if row.otherwise else row
                at.row = row
                at.refused.add(row.target)
                at.refuse(f"{first.label} is missing.", row.required, where=at.where(*first.place))
        at.row = None
        for check in self.checks:
            check.run(at)

    def columns(self) -> Columns:
        """Return what to read of the source."""
        facts = (name for condition in self._conditions() for fact, _ in condition.parts for name in fact.reads)
        checks = (name for check in self.checks for name in check.reads)
        rows = _all(row.columns() for row in self.rows)
        return Columns(self.source) | rows | _all(map(_columns, facts)) | _all(map(_columns, checks))

    def settings_columns(self) -> Columns:
        """Return what to read of the connector's row."""
        facts = (name for condition in self._conditions() for fact, _ in condition.parts for name in fact.settings)
        checks = (name for check in self.checks for name in check.settings)
        rows = _all(row.settings_columns() for row in self.rows)
        return Columns(SETTINGS) | rows | _all(map(_columns, facts)) | _all(map(_columns, checks))

    def target_columns(self) -> tuple[str, ...]:
        """Return what to read of the target to compare it with what would be written: a lookup by its value."""
        return tuple(dict.fromkeys(read_back(row.target) for row in self.rows))

    def with_rows(self, rows: Sequence[Row]) -> Mapping:
        """Return the table with *rows* added; one that writes a target of ours, and is not ``otherwise``, takes its place."""
        replaced = {row.target for row in rows if not row.otherwise and not isinstance(row, Lines)}
        return replace(self, rows=(*(row for row in self.rows if row.target not in replaced), *rows))

    def _conditions(self) -> Iterator[When]:
        for row in self.rows:
            yield from (condition for condition in (row.when, row.required_when) if condition is not None)


def read_back(target: str) -> str:
    """Return the column that holds what is written as *target*."""
    return f"_{target.removesuffix(BIND)}_value" if target.endswith(BIND) else target


def local(name: str, mapping: Mapping) -> Mapping:
    """Return *mapping* with the rows that ``mappings/local.py``, if there is one, gives under *name* (CONTRIBUTING)."""
    if importlib.util.find_spec("mappings.local") is None:
        return mapping
    rows = getattr(importlib.import_module("mappings.local"), name, ())
    return mapping.with_rows(rows) if rows else mapping


def _all(parts: Iterable[Columns]) -> Columns:
    columns = Columns()
    for part in parts:
        columns = columns | part
    return columns


# ── targets ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

_SEGMENT = re.compile(r"(?P<name>[^.\[]+(?:@odata\.bind)?)(?:\[(?P<key>\w+)=(?P<value>\w+)\])?(?:\.|$)")


def _target_path(target: str) -> Path:
    if target.endswith(BIND):
        return ((target, None),)
    return tuple((part["name"], (part["key"], part["value"]) if part["key"] else None) for part in _SEGMENT.finditer(target))


def put(payload: Json, path: Path, value: Any) -> None:
    """Write *value* at *path*, making the objects on the way."""
    for name, kind in path[:-1]:
        if kind is None:
            payload = payload.setdefault(name, {})
            continue
        key, wanted = kind
        elements = payload.setdefault(name, [])
        found = next((element for element in elements if element[key] == wanted), None)
        if found is None:
            elements.append(found := {key: wanted})
        payload = found
    payload[path[-1][0]] = value


def taken(payload: Json, path: Path) -> Any:
    """Return what is written at *path*, or None."""
    here: Any = payload
    for name, kind in path:
        here = here.get(name)
        if kind is not None:
            here = next((element for element in here or () if element[kind[0]] == kind[1]), None)
        if here is None:
            return None
    return here
