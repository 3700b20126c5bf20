"""Read OData query options into values; knows the syntax, not the tables.

The grammar is `odata.lark`, parsed by lark (LALR): short enough to compare with Microsoft's pages line by line, and it
covers what OData-only libraries leave out (Microsoft.Dynamics.CRM functions, `$expand` options, alternate keys).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any
from typing import Literal as Kind

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedInput

from .errors import BAD_QUERY, Refused


@dataclass(frozen=True)
class Literal:
    """A constant and the OData type it is written as."""

    kind: Kind["null", "boolean", "guid", "datetime", "date", "number", "string"]
    value: bool | str | Decimal | date | datetime | None


@dataclass(frozen=True)
class PathTo:
    """A column, perhaps through navigation properties or a lambda's variable."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """One side against the other: eq, ne, gt, ge, lt or le."""

    left: PathTo | Literal
    operator: str
    right: PathTo | Literal


@dataclass(frozen=True)
class TextTest:
    """contains, startswith or endswith."""

    function: str
    subject: PathTo | Literal
    pattern: PathTo | Literal


@dataclass(frozen=True)
class QueryFunction:
    """A function of Microsoft.Dynamics.CRM with its named arguments."""

    name: str
    arguments: dict[str, Literal | tuple[str, ...]]


@dataclass(frozen=True)
class Quantified:
    """any or all over a collection; without a condition it asks whether there is any row."""

    collection: PathTo
    quantifier: str
    variable: str = ""
    condition: Condition | None = None


@dataclass(frozen=True)
class Joined:
    """Two conditions joined by `and` or `or`."""

    operator: str
    left: Condition
    right: Condition


@dataclass(frozen=True)
class Negated:
    """The opposite of a condition."""

    condition: Condition


Condition = Comparison | TextTest | QueryFunction | Quantified | Joined | Negated | PathTo


@dataclass(frozen=True)
class Order:
    """One sort column."""

    path: PathTo
    descending: bool = False


@dataclass(frozen=True)
class Expansion:
    """One navigation property to expand, with its own options."""

    name: str
    select: tuple[str, ...] = ()
    where: Condition | None = None
    orderby: tuple[Order, ...] = ()
    top: int | None = None
    expand: tuple[Expansion, ...] = field(default=())


class _Reader(Transformer[Token, Any]):
    def path(self, children: list[Any]) -> PathTo:
        *before, name = children
        return PathTo((*(before[0].names if before else ()), str(name)))

    def literal(self, children: list[Token]) -> Literal:
        token = children[0]
        text = str(token)
        match token.type:
            case "NULL":
                return Literal("null", None)
            case "TRUE" | "FALSE":
                return Literal("boolean", text == "true")
            case "GUID":
                return Literal("guid", text.lower())
            case "DATETIME":
                return Literal("datetime", datetime.fromisoformat(text))
            case "DATE":
                return Literal("date", date.fromisoformat(text))
            case "NUMBER":
                return Literal("number", Decimal(text))
            case _:
                return Literal("string", text[1:-1].replace("''", "'"))

    def texts(self, tokens: list[Token]) -> tuple[str, ...]:
        return tuple(str(token)[1:-1] for token in tokens)

    def argument(self, children: list[Any]) -> tuple[str, Any]:
        return str(children[0]), children[1]

    def query_function(self, children: list[Any]) -> QueryFunction:
        return QueryFunction(str(children[0]).rpartition(".")[2], dict(children[1:]))

    def text_test(self, children: list[Any]) -> TextTest:
        return TextTest(str(children[0]), children[1], children[2])

    def comparison(self, children: list[Any]) -> Comparison:
        return Comparison(children[0], str(children[1]), children[2])

    def quantified(self, children: list[Any]) -> Quantified:
        collection, quantifier, *rest = children
        return Quantified(collection, str(quantifier), str(rest[0]) if rest else "", rest[1] if rest else None)

    def either(self, children: list[Any]) -> Joined:
        return Joined("OR", children[0], children[1])

    def both(self, children: list[Any]) -> Joined:
        return Joined("AND", children[0], children[1])

    def negated(self, children: list[Any]) -> Negated:
        return Negated(children[0])

    def order(self, children: list[Any]) -> Order:
        return Order(children[0], str(children[1]) == "desc")

    def orderby(self, children: list[Any]) -> tuple[Order, ...]:
        return tuple(children)

    def select(self, names: list[Token]) -> tuple[str, Any]:
        return "select", tuple(str(name) for name in names)

    def where(self, children: list[Any]) -> tuple[str, Any]:
        return "where", children[0]

    def sorted(self, children: list[Any]) -> tuple[str, Any]:
        return "orderby", tuple(children)

    def top(self, children: list[Any]) -> tuple[str, Any]:
        return "top", int(str(children[0]))

    def nested(self, children: list[Any]) -> tuple[str, Any]:
        return "expand", children[0]

    def expansion(self, children: list[Any]) -> Expansion:
        return Expansion(str(children[0]), **dict(option for option in children[1:] if option))

    def expand(self, children: list[Any]) -> tuple[Expansion, ...]:
        return tuple(children)

    def primary(self, children: list[Any]) -> str:
        return str(children[0]).lower()

    def key_pair(self, children: list[Any]) -> tuple[str, Literal]:
        return str(children[0]), children[1]

    def alternate(self, children: list[Any]) -> dict[str, Literal]:
        return dict(children)


@lru_cache(maxsize=1)
def _parser() -> Lark:
    grammar = Path(__file__).with_name("odata.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", start=["filter", "orderby", "expand", "key"], transformer=_Reader())


@lru_cache(maxsize=1000)  # clients ask the same again and again
def _read(text: str, start: str) -> Any:
    try:
        return _parser().parse(text, start=start)
    except (UnexpectedInput, ValueError) as error:
        at = getattr(error, "column", 0) or 0
        raise Refused(400, BAD_QUERY, f"Syntax error at position {at} in '{text}'.") from error


def read_filter(text: str) -> Condition:
    """Return the condition a `$filter` states; raises Refused (400) for text that is not one."""
    condition: Condition = _read(text, "filter")
    return condition


def read_orderby(text: str) -> tuple[Order, ...]:
    """Return the sort columns of an `$orderby`; raises Refused (400)."""
    orders: tuple[Order, ...] = _read(text, "orderby")
    return orders


def read_expand(text: str) -> tuple[Expansion, ...]:
    """Return the expansions of an `$expand`; raises Refused (400)."""
    expansions: tuple[Expansion, ...] = _read(text, "expand")
    return expansions


def read_key(text: str) -> str | dict[str, Literal]:
    """Return the primary key (a lower-case guid) or the alternate key's columns in a URL; raises Refused (400)."""
    key: str | dict[str, Literal] = _read(text, "key")
    return key
