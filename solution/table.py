"""The language the schema is written in: what a column, a choice, a table and a relationship are.

A column is one row: name, label, type, required level, default, description. Everything else Dataverse asks for
(ids, owner, state, currency, relationship names, option values, entity set names) follows from these rows by rule.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias

PREFIX = "mag"
OPTION_BASE = 41114 * 10_000  # a publisher's option prefix owns the values prefix × 10000 + n


class Level(StrEnum):
    """How strongly a value is asked for. Only SYSTEM is refused by the Web API; REQUIRED is asked for by forms alone."""

    OPTIONAL = "None"
    RECOMMENDED = "Recommended"
    REQUIRED = "ApplicationRequired"
    SYSTEM = "SystemRequired"


class Ownership(StrEnum):
    """Who can own a row of the table."""

    USER = "UserOwned"  # a user or a team owns each row; roles may reach one owner, a business unit or everything
    ORGANIZATION = "OrganizationOwned"  # nobody owns a row; a role sees all rows or none
    BUSINESS = "BusinessOwned"
    NONE = "None"


@dataclass(frozen=True)
class Choice:
    """One global choice: its options are rows of (n, key, label, description); Dataverse's value is OPTION_BASE + n.

    Code speaks of options by key. A number is given once and for ever: rows are added, never renumbered.
    """

    name: str
    label: str
    description: str
    options: tuple[tuple[int, str, str, str], ...]

    @property
    def labels(self) -> Mapping[int, str]:
        """Map each value to its label."""
        return {OPTION_BASE + n: label for n, _, label, _ in self.options}

    @property
    def values(self) -> Mapping[str, int]:
        """Map each key to its value."""
        return {key: OPTION_BASE + n for n, key, _, _ in self.options}


@dataclass(frozen=True)
class Type:
    """What a column holds. `kind` is one of the words ColumnModel.type knows."""

    kind: str
    max_length: int | None = None
    precision: int | None = None
    minimum: int | None = None
    maximum: int | None = None
    format: str | None = None
    choice: Choice | None = None
    options: Mapping[int, str] = field(default_factory=dict)
    states: Mapping[int, int] = field(default_factory=dict)  # status reason → state
    targets: tuple[str, ...] = ()
    on_delete: str = "RemoveLink"


def text(max_length: int, format: str = "Text") -> Type:
    """Hold one line of text; `format` is Text, Email, Url or Phone."""
    return Type("text", max_length=max_length, format=format)


def memo(max_length: int) -> Type:
    """Hold several lines of text."""
    return Type("memo", max_length=max_length, format="TextArea")


def whole(minimum: int, maximum: int) -> Type:
    """Hold a whole number between two bounds, both allowed."""
    return Type("integer", minimum=minimum, maximum=maximum)


def decimal(precision: int, minimum: int = -100_000_000_000, maximum: int = 100_000_000_000) -> Type:
    """Hold a number with so many places after the point."""
    return Type("decimal", precision=precision, minimum=minimum, maximum=maximum)


def money(minimum: int = -922_337_203_685_477, maximum: int = 922_337_203_685_477) -> Type:
    """Hold an amount in the row's currency; its places are the currency's."""
    return Type("money", minimum=minimum, maximum=maximum)


def yesno() -> Type:
    """Hold yes or no."""
    return Type("boolean", options=MappingProxyType({0: "No", 1: "Yes"}))


def day() -> Type:
    """Hold a calendar day that means the same in every time zone."""
    return Type("date")


def moment() -> Type:
    """Hold a moment, shown in each user's own time zone."""
    return Type("datetime")


def one_of(choice: Choice) -> Type:
    """Hold one option of a choice."""
    return Type("choice", choice=choice, options=choice.labels)


def lookup(*targets: str, on_delete: str = "RemoveLink") -> Type:
    """Point at a row; `on_delete` says what deleting that row does here: RemoveLink, Cascade or Restrict."""
    return Type("lookup", targets=targets, on_delete=on_delete)


Default: TypeAlias = str | int | bool | None
Row: TypeAlias = tuple[str, str, Type, Level, Default, str]


@dataclass(frozen=True)
class Column:
    """One row of a table, named."""

    name: str
    label: str
    type: Type
    level: Level
    default: Default
    description: str

    @property
    def default_value(self) -> int | bool | str | None:
        """Return the default as Dataverse stores it: a choice's key becomes its value."""
        if self.type.choice is not None and self.default is not None:
            return self.type.choice.values[str(self.default)]
        return self.default


@dataclass(frozen=True)
class Key:
    """One alternate key: the columns that together name a row."""

    name: str
    label: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table of ours, or (custom=False) the columns we add to one of Dataverse's own."""

    name: str
    label: str
    plural: str
    ownership: Ownership
    description: str
    rows: tuple[Row, ...]
    keys: tuple[Key, ...] = ()
    custom: bool = True

    @property
    def columns(self) -> tuple[Column, ...]:
        """Return the rows as named columns."""
        return tuple(Column(*row) for row in self.rows)


@dataclass(frozen=True)
class ManyToMany:
    """A list of rows of one table on rows of another; the name is also the intersect table's and both navigations'."""

    name: str
    first: str
    second: str
    label: str
    description: str


def entity_set(table: str) -> str:
    """Return the plural Dataverse gives a custom table for its Web API address."""
    if table.endswith("y") and table[-2] not in "aeiou":
        return f"{table[:-1]}ies"
    return f"{table}es" if table.endswith(("s", "x", "z", "ch", "sh")) else f"{table}s"


def relationship(table: str, column: str) -> str:
    """Name the one-to-many relationship behind a lookup: unique because a table has a column once, and never to change."""
    return f"{PREFIX}_{table.removeprefix(PREFIX + '_')}_{column.removeprefix(PREFIX + '_')}"
