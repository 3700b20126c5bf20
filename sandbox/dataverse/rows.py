"""Read request bodies into typed changes, and write rows as the Web API shows them.

Strictness: unknown properties, wrong JSON types, unknown choice values and too long texts are refused as Dataverse does
(Microsoft Learn, "Create a table row using the Web API" and "Web service error codes"). One thing is stricter: Dataverse
silently ignores a column that may not be written at that moment, this stand-in refuses it, so that a mistake is seen.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import simplejson

from solution.model import ColumnModel, TableModel

from .errors import BAD_ARGUMENT, BAD_CHOICE, BAD_REQUEST, OUT_OF_RANGE, TEXT_TOO_LONG, Refused
from .sql import EDM, find_single, moment
from .store import CHOICES, DECIMALS, Reference, Row, Value

FORMATTED = "OData.Community.Display.V1.FormattedValue"
LOOKUP_TABLE = "Microsoft.Dynamics.CRM.lookuplogicalname"
LOOKUP_NAVIGATION = "Microsoft.Dynamics.CRM.associatednavigationproperty"
MONEY_PLACES = Decimal("0.0001")
EARLIEST_YEAR = 1753
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,7})?)?(Z|[+-]\d{2}:\d{2})")

Calendar = TypeVar("Calendar", date, datetime)
Resolve = Callable[[str], Reference]
Wanted = Callable[[str], bool]


@dataclass
class Changes:
    """What a body asks for: column values, and rows to create under a collection."""

    values: Row = field(default_factory=dict)
    children: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


def load(body: bytes) -> Any:
    """Return the JSON of a body, its decimals exact; raises Refused (400)."""
    try:
        return simplejson.loads(body, use_decimal=True)
    except ValueError as error:
        raise Refused(400, BAD_REQUEST, f"An error occurred while validating input parameters: {error}") from error


def dump(value: Any) -> bytes:
    """Return JSON with decimals as exact numbers."""
    text: str = simplejson.dumps(value, use_decimal=True, ensure_ascii=False, separators=(",", ":"))
    return text.encode()


def read(table: TableModel, body: Any, *, creating: bool, resolve: Resolve) -> Changes:
    """Check a body against the table and return its changes; *resolve* turns a row's URL into a reference.

    Raises Refused: 400 for what the table does not have or hold, 404 for a bound row that does not exist.
    """
    if not isinstance(body, dict):
        raise Refused(400, BAD_REQUEST, "The request body is not a JSON object.")
    changes = Changes()
    for name, value in body.items():
        if name.endswith("@odata.bind"):
            _bind(table, name.removesuffix("@odata.bind"), value, changes, creating, resolve)
        elif "@" in name:
            continue
        elif name in table.columns and not table.columns[name].is_lookup:
            column = table.columns[name]
            _writable(table, column, creating)
            changes.values[name] = read_value(table.name, column, value)
        elif value is None and find_single(table, name):
            _bind(table, name, value, changes, creating, resolve)
        elif creating and name in table.one_to_many and isinstance(value, list):
            changes.children[name] = value
        elif name.startswith("_") and name.endswith("_value") and name[1:-6] in table.columns:
            raise Refused(
                400,
                BAD_REQUEST,
                "CRM do not support direct update of Entity Reference properties, Use Navigation properties instead.",
            )
        else:
            raise Refused(
                400, BAD_REQUEST, f"Invalid property '{name}' was found in entity 'Microsoft.Dynamics.CRM.{table.name}'."
            )
    return changes


def _bind(table: TableModel, navigation: str, value: Any, changes: Changes, creating: bool, resolve: Resolve) -> None:
    found = find_single(table, navigation)
    if found is None:
        raise Refused(
            400,
            BAD_REQUEST,
            f"An undeclared property '{navigation}' which only has property annotations in the payload but no property value "
            "was found in the payload. In OData, only declared navigation properties and declared named streams can be "
            "represented as properties without values.",
        )
    column, _ = found
    _writable(table, column, creating)
    if value is None:
        changes.values[column.name] = None
        return
    if not isinstance(value, str):
        raise Refused(400, BAD_REQUEST, f"The value of '{navigation}@odata.bind' is not a URL.")
    reference = resolve(value)
    if column.navigation.get(reference.table) != navigation:
        raise Refused(400, BAD_REQUEST, f"A row of '{reference.table}' cannot be bound to '{navigation}'.")
    changes.values[column.name] = reference


def _writable(table: TableModel, column: ColumnModel, creating: bool) -> None:
    if not (column.create if creating else column.update) and not (creating and column.name == table.key):
        when = "create" if creating else "update"
        raise Refused(400, BAD_ARGUMENT, f"The property '{column.name}' of '{table.name}' is not valid for {when}.")


def read_value(table: str, column: ColumnModel, value: Any) -> Value:
    """Return a JSON value as the column holds it; raises Refused (400) when it cannot."""
    if value is None:
        return None
    match column.type:
        case "text" | "memo" if isinstance(value, str):
            if column.max_length and len(value) > column.max_length:
                raise Refused(
                    400,
                    TEXT_TOO_LONG,
                    f"A validation error occurred.  The length of the '{column.name}' attribute of the '{table}' entity "
                    f"exceeded the maximum allowed length of '{column.max_length}'.",
                )
            return value or None
        case kind if kind in CHOICES and isinstance(value, int) and not isinstance(value, bool):
            if column.options and value not in column.options:
                accepted = ",".join(str(option) for option in column.options)
                raise Refused(
                    400,
                    BAD_CHOICE,
                    f"A validation error occurred.  The value {value} of '{column.name}' on record of type '{table}' is "
                    f"outside the valid range. Accepted Values: {accepted}",
                )
            return value
        case "integer" | "bigint" if isinstance(value, int) and not isinstance(value, bool):
            _in_range(table, column, Decimal(value))
            return value
        case kind if kind in DECIMALS and isinstance(value, int | Decimal) and not isinstance(value, bool):
            number = Decimal(value)
            _in_range(table, column, number)
            places = MONEY_PLACES if column.type == "money" else Decimal(1).scaleb(-(column.precision or 10))
            return number.quantize(places, ROUND_HALF_UP)
        case "double" if isinstance(value, int | Decimal) and not isinstance(value, bool):
            return float(value)
        case "boolean" if isinstance(value, bool):
            return value
        case "date" if isinstance(value, str) and DAY.fullmatch(value):
            return _day(column, value, date.fromisoformat).isoformat()
        case "datetime" if isinstance(value, str) and MOMENT.fullmatch(value):
            return moment(_day(column, value, datetime.fromisoformat).astimezone(UTC))
        case "uniqueidentifier" if isinstance(value, str):
            return _guid(column, value)
    raise _conversion(column, value)


def _conversion(column: ColumnModel, value: Any) -> Refused:
    edm = EDM[column.type]
    if isinstance(value, str) and edm in ("Edm.Decimal", "Edm.Int64"):
        return Refused(
            400,
            BAD_REQUEST,
            f"Cannot convert a value to target type '{edm}' because of conflict between input format string/number and "
            f"parameter 'IEEE754Compatible' false/true. ({column.name})",
        )
    return Refused(400, BAD_REQUEST, f"Cannot convert the literal '{value}' to the expected type '{edm}'. ({column.name})")


def _day(column: ColumnModel, text: str, parse: Callable[[str], Calendar]) -> Calendar:
    try:
        day = parse(text)
    except ValueError as error:
        raise _conversion(column, text) from error
    if day.year < EARLIEST_YEAR:
        raise Refused(400, OUT_OF_RANGE, "DateTime is less than minumum value supported by CrmDateTime. Actual value: " + text)
    return day


def _guid(column: ColumnModel, value: str) -> str:
    try:
        return str(UUID(value))
    except ValueError as error:
        raise _conversion(column, value) from error


def _in_range(table: str, column: ColumnModel, number: Decimal) -> None:
    low = column.minimum if column.minimum is not None else -922_337_203_685_477
    high = column.maximum if column.maximum is not None else 922_337_203_685_477
    if column.type == "integer":
        low, high = max(low, -(2**31)), min(high, 2**31 - 1)
    if not low <= number <= high:
        raise Refused(
            400,
            OUT_OF_RANGE,
            f"A validation error occurred.  The value {number} of '{column.name}' on record of type '{table}' is outside the valid range.",
        )


@dataclass(frozen=True)
class Names:
    """Where formatted values find what is not in the row: names behind lookups, the currency's symbol, the user's zone."""

    of: Callable[[Reference], str]
    symbol: Callable[[Row], str]
    zone: ZoneInfo


def show(table: TableModel, row: Row, columns: Sequence[ColumnModel], wanted: Wanted, names: Names) -> dict[str, Any]:
    """Return a row as the Web API shows it: etag, the columns, and the annotations *wanted* says yes to."""
    shown: dict[str, Any] = {"@odata.etag": etag(row)}
    formatted, navigation, pointed = wanted(FORMATTED), wanted(LOOKUP_NAVIGATION), wanted(LOOKUP_TABLE)
    for column in columns:
        value, key = row[column.name], column.property
        if isinstance(value, Reference):
            if formatted and (name := names.of(value)):
                shown[f"{key}@{FORMATTED}"] = name
            if navigation:
                shown[f"{key}@{LOOKUP_NAVIGATION}"] = column.navigation[value.table]
            if pointed:
                shown[f"{key}@{LOOKUP_TABLE}"] = value.table
            shown[key] = value.id
            continue
        if (
            formatted
            and column.type not in ("text", "memo", "uniqueidentifier")
            and (text := _formatted(column, value, row, names))
        ):
            shown[f"{key}@{FORMATTED}"] = text
        shown[key] = value
    return shown


def etag(row: Row) -> str:
    """Return the ETag of a row, made of its version."""
    return f'W/"{row["#version"]}"'


def _formatted(column: ColumnModel, value: Value, row: Row, names: Names) -> str | None:
    match value:
        case bool():
            return column.options.get(int(value)) or ("Yes" if value else "No")
        case int() if column.type in CHOICES:
            return column.options.get(value, str(value))
        case int():
            return f"{value:,}"
        case Decimal() if column.type == "money":
            return f"{'-' if value < 0 else ''}{names.symbol(row)}{abs(value):,.2f}"
        case Decimal():
            return f"{value:,.{min(column.precision or 2, 5)}f}"
        case str() if column.type == "date":
            day = date.fromisoformat(value)
            return f"{day.month}/{day.day}/{day.year}"
        case str():
            local = datetime.fromisoformat(value).astimezone(names.zone)
            return f"{local.month}/{local.day}/{local.year} {local:%I:%M %p}"
    return None


def column_list(table: TableModel, select: Sequence[str], find: Callable[[TableModel, str], ColumnModel]) -> list[ColumnModel]:
    """Return the columns a `$select` names (all without one): always the key, and the currency beside a money column."""
    if not select:
        return list(table.columns.values())
    chosen: Mapping[str, ColumnModel] = {name: find(table, name) for name in select}
    columns = {column.name: column for column in chosen.values()}
    columns[table.key] = table.columns[table.key]
    if any(column.type == "money" for column in columns.values()) and "transactioncurrencyid" in table.columns:
        columns["transactioncurrencyid"] = table.columns["transactioncurrencyid"]
    return list(columns.values())
