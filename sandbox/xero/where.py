"""Xero's `where` and `order` (developer.xero.com accounting/requests-and-responses), the part that is documented."""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from lark import Lark, Token, Transformer, UnexpectedInput, v_args
from lark.exceptions import VisitError

from . import payload
from .errors import QueryInvalid

Row = dict[str, Any]
Read = Callable[[Row, list[str]], Any]
Test = Callable[[Row], bool]

GRAMMAR = r"""
?start: any
?any: all (_OR all)*                          -> any_of
?all: factor (_AND factor)*                   -> all_of
?factor: "(" any ")" | comparison | method
comparison: path OPERATOR value
method: path "." METHOD "(" string ")"
path: NAME ("." NAME)*
?value: string | guid | moment | number | boolean | null
string: STRING
guid: "Guid"i "(" STRING ")"
moment: "DateTime"i "(" INT "," INT "," INT ("," INT "," INT "," INT)? ")"
number: SIGNED_NUMBER "M"i?
boolean: TRUE | FALSE
null: NULL
OPERATOR: "==" | "!=" | "<>" | ">=" | "<=" | "=" | ">" | "<"
METHOD.3: "StartsWith"i | "EndsWith"i | "Contains"i
TRUE.2: /true\b/i
FALSE.2: /false\b/i
NULL.2: /null\b/i
_AND.2: /and\b/i | "&&"
_OR.2: /or\b/i | "||"
NAME: /[A-Za-z][A-Za-z0-9]*/
STRING: /"[^"]*"/
%import common (INT, SIGNED_NUMBER, WS)
%ignore WS
"""

_PARSER = Lark(GRAMMAR, parser="earley")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda left, right: bool(left == right),
    "!=": lambda left, right: bool(left != right),
    ">": lambda left, right: left is not None and right is not None and bool(left > right),
    "<": lambda left, right: left is not None and right is not None and bool(left < right),
    ">=": lambda left, right: left is not None and right is not None and bool(left >= right),
    "<=": lambda left, right: left is not None and right is not None and bool(left <= right),
}
_ALIASES = {"=": "==", "<>": "!="}
_METHODS: dict[str, Callable[[str, str], bool]] = {
    "startswith": str.startswith,
    "endswith": str.endswith,
    "contains": str.__contains__,
}


class Guid(str):
    """A Guid("…") literal, which only a Guid property may be compared with."""


def where(text: str, model: str, read: Read | None = None) -> Test:
    """Compile a filter over the properties of an xero-python *model*; raises QueryInvalid.

    *read* fetches the value at a path from a row; by default it walks the row's own keys. Text is compared without
    regard to case, as the vendor does.
    """
    try:
        test: Test = _Compiler(model, read or walk).transform(_PARSER.parse(text))
        return test
    except UnexpectedInput as problem:
        raise QueryInvalid(f"Syntax error in where (at index {problem.pos_in_stream})") from problem
    except VisitError as problem:
        if isinstance(problem.orig_exc, QueryInvalid):
            raise problem.orig_exc from problem
        raise


def ordered(rows: Iterable[Row], text: str, model: str, read: Read | None = None) -> list[Row]:
    """Sort rows by `UpdatedDateUTC DESC, InvoiceNumber`; raises QueryInvalid."""
    read, result = read or walk, list(rows)
    for part in reversed([part.strip() for part in text.split(",") if part.strip()]):
        match = re.fullmatch(r"([A-Za-z][\w.]*)(?:\s+(ASC|DESC))?", part, re.IGNORECASE)
        if match is None:
            raise QueryInvalid(f"Syntax error in order: {part}")
        path, kind = payload.resolve(model, match.group(1).split("."))
        reverse = (match.group(2) or "").upper() == "DESC"
        result.sort(key=lambda row: _sortable(_typed(read(row, path), kind)), reverse=reverse)
    return result


def walk(row: Row, path: list[str]) -> Any:
    """Return the value at a path of keys, or None where the path ends early."""
    value: Any = row
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _sortable(value: Any) -> tuple[bool, Any]:
    return (value is not None, value if value is not None else 0)


def _typed(value: Any, kind: str) -> Any:
    """Turn a stored value into what it compares as: dates by time, numbers exactly, text without case."""
    # Xero keeps no empty texts: `Reference==""` and `Reference==null` ask the same.
    if value is None or value == "":
        return None
    if kind == "moment":
        at = datetime.fromisoformat(value)
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    if kind == "number":
        return Decimal(str(value))
    return value.casefold() if isinstance(value, str) else value


@v_args(inline=True)
class _Compiler(Transformer[Token, Any]):
    def __init__(self, model: str, read: Read) -> None:
        super().__init__()
        self._model, self._read = model, read

    def any_of(self, *tests: Test) -> Test:
        return lambda row: any(test(row) for test in tests)

    def all_of(self, *tests: Test) -> Test:
        return lambda row: all(test(row) for test in tests)

    def comparison(self, path: list[str], operator: Token, literal: tuple[str, Any]) -> Test:
        names, kind = payload.resolve(self._model, path)
        literal_kind, value = literal
        if literal_kind != "null" and literal_kind != kind:
            raise QueryInvalid(f"Operator '{operator}' incompatible with operand types '{kind}' and '{literal_kind}'")
        compare, read = _COMPARE[_ALIASES.get(operator, str(operator))], self._read
        return lambda row: compare(_typed(read(row, names), kind), value)

    def method(self, path: list[str], name: Token, literal: tuple[str, Any]) -> Test:
        names, kind = payload.resolve(self._model, path)
        if kind != "text":
            raise QueryInvalid(f"No applicable method '{name}' exists in type '{kind}'")
        apply, value, read = _METHODS[name.lower()], literal[1], self._read
        return lambda row: (text := _typed(read(row, names), kind)) is not None and apply(text, value or "")

    def path(self, *names: Token) -> list[str]:
        return [str(name) for name in names]

    def string(self, text: Token) -> tuple[str, Any]:
        return "text", text[1:-1].casefold() or None

    def guid(self, text: Token) -> tuple[str, Any]:
        if not payload.is_guid(text[1:-1]):
            raise QueryInvalid("Guid should contain 32 digits with 4 dashes")
        return "guid", text[1:-1].casefold()

    def moment(self, *parts: Token) -> tuple[str, Any]:
        try:
            year, month, day, hour, minute, second, *_ = [*map(int, parts), 0, 0, 0]
            return "moment", datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        except ValueError as problem:
            raise QueryInvalid(f"DateTime is out of range: {problem}") from problem

    def number(self, text: Token) -> tuple[str, Any]:
        return "number", Decimal(text)

    def boolean(self, text: Token) -> tuple[str, Any]:
        return "boolean", text.lower() == "true"

    def null(self, _: Token) -> tuple[str, Any]:
        return "null", None


def modified_since(header: str) -> datetime | None:
    """Read If-Modified-Since (`yyyy-mm-ddThh:mm:ss`, UTC; second accuracy); None when it cannot be read, as if absent."""
    try:
        at = datetime.fromisoformat(header.replace("Z", "+00:00"))
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return at.replace(microsecond=0)
