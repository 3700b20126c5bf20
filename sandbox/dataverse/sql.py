"""Write a query's conditions and sort columns as SQL over the store's tables.

Semantics are Dataverse's (Microsoft Learn, "Filter rows"; "FetchXML operators"): `ne` and `not` also find rows without a
value; contains, startswith and endswith take SQL wildcards; lookups are compared by id, or through their navigation property.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from solution.model import ColumnModel, TableModel

from .errors import BAD_QUERY, Refused, property_missing
from .query import Comparison, Condition, Joined, Literal, Negated, Order, PathTo, Quantified, QueryFunction, TextTest
from .store import DECIMALS, LOOKUPS, WHOLE, Parameter, collation

OPERATORS = {"eq": "=", "ne": "<>", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}
NUMBERS = WHOLE | DECIMALS | {"double"}
EDM = {
    **dict.fromkeys(LOOKUPS | {"uniqueidentifier"}, "Edm.Guid"),
    **dict.fromkeys(WHOLE, "Edm.Int32"),
    **dict.fromkeys(DECIMALS, "Edm.Decimal"),
    "bigint": "Edm.Int64",
    "double": "Edm.Double",
    "text": "Edm.String",
    "memo": "Edm.String",
    "boolean": "Edm.Boolean",
    "date": "Edm.Date",
    "datetime": "Edm.DateTimeOffset",
}
FAR = 100_000
KINDS = {
    "boolean": {"Edm.Boolean"},
    "guid": {"Edm.Guid"},
    "datetime": {"Edm.DateTimeOffset"},
    "date": {"Edm.Date", "Edm.DateTimeOffset"},
    "number": {"Edm.Int32", "Edm.Int64", "Edm.Decimal", "Edm.Double"},
    "string": {"Edm.String"},
}


def moment(value: datetime) -> str:
    """Return a moment as Dataverse writes it: UTC, whole seconds, Z."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def find_column(table: TableModel, name: str) -> ColumnModel:
    """Return the column a property name reads; raises Refused (400) for an unknown one (names are case-sensitive)."""
    lookup = name.startswith("_") and name.endswith("_value")
    column = table.columns.get(name[1:-6] if lookup else name)
    if column is None or column.is_lookup != lookup:
        raise property_missing(table.name, name)
    return column


def find_single(table: TableModel, navigation: str) -> tuple[ColumnModel, str] | None:
    """Return the lookup column and target table behind a single-valued navigation property, or None."""
    for column in table.columns.values():
        for target, name in column.navigation.items():
            if name == navigation:
                return column, target
    return None


class Writer:
    """Write SQL for one query over *table* (alias `t`), collecting its parameters."""

    def __init__(self, model: Mapping[str, TableModel], table: str, *, now: datetime, zone: ZoneInfo) -> None:
        self.model = model
        self.table = table
        self.parameters: list[Parameter] = []
        self._now = now
        self._zone = zone
        self._aliases = 0
        self._variables: dict[str, tuple[str, str]] = {}

    def condition(self, condition: Condition) -> str:
        """Return the SQL of a condition; raises Refused (400) for unknown names or incompatible types."""
        match condition:
            case Joined(operator, left, right):
                return f"({self.condition(left)} {operator} {self.condition(right)})"
            case Negated(inner):
                return f"(NOT COALESCE({self.condition(inner)}, 0))"
            case Comparison():
                return self._comparison(condition)
            case TextTest(function, PathTo() as subject, Literal("string", pattern)):
                return self._text_test(function, subject, str(pattern))
            case Quantified():
                return self._quantified(condition)
            case QueryFunction():
                return self._function(condition)
            case PathTo():
                return self._comparison(Comparison(condition, "eq", Literal("boolean", True)))
        raise Refused(400, BAD_QUERY, "The query specified in the URI is not valid.")

    def order(self, order: Order) -> tuple[str, bool]:
        """Return the SQL expression of a sort column and whether it sorts downwards."""
        expression, _ = self._value(order.path)
        return expression, order.descending

    def _comparison(self, comparison: Comparison) -> str:
        left, operator, right = comparison.left, comparison.operator, comparison.right
        if isinstance(left, Literal) and isinstance(right, PathTo):
            left, right = right, left
            operator = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}.get(operator, operator)
        if isinstance(left, Literal):
            raise Refused(400, BAD_QUERY, "The query specified in the URI is not valid: no property on either side.")
        expression, column = self._value(left)
        if isinstance(right, Literal) and right.value is None:
            if operator not in ("eq", "ne"):
                raise Refused(400, BAD_QUERY, f"A null value cannot be compared by '{operator}'.")
            return f"({expression} IS {'NOT ' if operator == 'ne' else ''}NULL)"
        if isinstance(right, PathTo):
            other, other_column = self._value(right)
            self._agree(column, EDM[other_column.type], operator)
        else:
            self._agree(column, right.kind, operator)
            other = self.parameter(_bound(column, right.value))
        written = f"{expression} {OPERATORS[operator]} {other}"
        return f"({written} OR {expression} IS NULL)" if operator == "ne" else f"({written})"

    def _agree(self, column: ColumnModel, kind: str, operator: str) -> None:
        if EDM[column.type] not in KINDS.get(kind, {kind}):
            found = kind if kind.startswith("Edm.") else sorted(KINDS[kind])[0]
            name = {"eq": "Equal", "ne": "NotEqual"}.get(operator, operator)
            raise Refused(
                400,
                BAD_QUERY,
                "A binary operator with incompatible types was detected. Found operand types "
                f"'{EDM[column.type]}' and '{found}' for operator kind '{name}'.",
            )

    def _text_test(self, function: str, subject: PathTo, pattern: str) -> str:
        before = {"contains": "%", "endswith": "%", "startswith": ""}.get(function)
        if before is None:
            raise Refused(400, BAD_QUERY, f"An unknown function with name '{function}' was found.")
        expression, column = self._value(subject)
        self._agree(column, "string", function)
        after = "" if function == "endswith" else "%"
        return f"matches({expression}, {self.parameter(before + pattern + after)})"

    def _quantified(self, quantified: Quantified) -> str:
        *path, navigation = quantified.collection.names
        table, alias = self.table, "t"
        if path and path[0] in self._variables:
            table, alias = self._variables[path.pop(0)]
        owner, identity = self._walk(table, alias, path)
        inner = self._alias()
        if navigation in self.model[owner].one_to_many:
            child, column = self.model[owner].one_to_many[navigation]
            source, join = f'"{child}" {inner}', f'{inner}."{column}" = {identity}'
        elif navigation in self.model[owner].many_to_many:
            child, intersect = self.model[owner].many_to_many[navigation]
            link = self._alias()
            source = f'"{child}" {inner} JOIN "{intersect}" {link} ON {link}."{child}" = {inner}."{self.model[child].key}"'
            join = f'{link}."{owner}" = {identity}'
        else:
            raise property_missing(owner, navigation)
        if quantified.condition is None:
            return f"EXISTS (SELECT 1 FROM {source} WHERE {join})"
        self._variables[quantified.variable] = (child, inner)
        condition = self.condition(quantified.condition)
        del self._variables[quantified.variable]
        if quantified.quantifier == "all":
            return f"NOT EXISTS (SELECT 1 FROM {source} WHERE {join} AND NOT COALESCE({condition}, 0))"
        return f"EXISTS (SELECT 1 FROM {source} WHERE {join} AND {condition})"

    def _function(self, function: QueryFunction) -> str:
        name = function.arguments.get("PropertyName")
        if not isinstance(name, Literal) or not isinstance(name.value, str):
            raise Refused(400, BAD_QUERY, f"{function.name} needs a PropertyName.")
        expression, column = self._value(PathTo(tuple(name.value.split("/"))))
        values = function.arguments.get("PropertyValues")
        single = function.arguments.get("PropertyValue")
        if isinstance(values, tuple) and function.name in ("In", "NotIn"):
            marks = ", ".join(self.parameter(_read_value(column, value)) for value in values)
            return f"({expression} {'NOT ' if function.name == 'NotIn' else ''}IN ({marks}))"
        if isinstance(values, tuple) and function.name in ("Between", "NotBetween") and len(values) == 2:
            low, high = (self.parameter(_read_value(column, value)) for value in values)
            return f"({expression} {'NOT ' if function.name == 'NotBetween' else ''}BETWEEN {low} AND {high})"
        if isinstance(single, Literal) and function.name in DATES and column.type in ("date", "datetime"):
            begin, end = DATES[function.name](single, self._now.astimezone(self._zone))
            low, high = (self.parameter(_bound(column, value)) for value in (begin, end))
            return f"({expression} BETWEEN {low} AND {high})"
        raise Refused(400, BAD_QUERY, f"The function Microsoft.Dynamics.CRM.{function.name} with these arguments is not known.")

    def _value(self, path: PathTo) -> tuple[str, ColumnModel]:
        names = list(path.names)
        table, alias = self.table, "t"
        if len(names) > 1 and names[0] in self._variables:
            table, alias = self._variables[names.pop(0)]
        return self._read(table, alias, names)

    def _read(self, table: str, alias: str, names: list[str]) -> tuple[str, ColumnModel]:
        head, *rest = names
        if not rest:
            column = find_column(self.model[table], head)
            return f'{alias}."{column.name}" COLLATE {collation(column)}', column
        found = find_single(self.model[table], head)
        if found is None:
            raise property_missing(table, head)
        lookup, target = found
        inner = self._alias()
        expression, column = self._read(target, inner, rest)
        where = f'{inner}."{self.model[target].key}" = {alias}."{lookup.name}"'
        if len(lookup.targets) > 1:
            where += f" AND {alias}.\"{lookup.name}#table\" = '{target}'"
        return f'(SELECT {expression} FROM "{target}" {inner} WHERE {where}) COLLATE {collation(column)}', column

    def _walk(self, table: str, alias: str, names: list[str]) -> tuple[str, str]:
        """Return the table at the end of single-valued navigations and the SQL of its row's id."""
        end = table
        for name in names:
            found = find_single(self.model[end], name)
            if found is None:
                raise property_missing(end, name)
            end = found[1]
        expression, _ = self._read(table, alias, [*names, self.model[end].key])
        return end, expression

    def _alias(self) -> str:
        self._aliases += 1
        return f"t{self._aliases}"

    def parameter(self, value: Parameter) -> str:
        self.parameters.append(value)
        return f"?{len(self.parameters)}"


def _last_days(argument: Literal, now: datetime) -> tuple[datetime, datetime]:
    midnight = datetime.combine(now.date() - timedelta(days=_count(argument)), time(), now.tzinfo)
    return midnight, now


def _next_days(argument: Literal, now: datetime) -> tuple[datetime, datetime]:
    return now, datetime.combine(now.date() + timedelta(days=_count(argument) + 1), time(), now.tzinfo) - timedelta(seconds=1)


def _last_hours(argument: Literal, now: datetime) -> tuple[datetime, datetime]:
    return now.replace(minute=0, second=0) - timedelta(hours=_count(argument)), now


def _count(argument: Literal) -> int:
    text = str(argument.value)
    if not text.isdecimal() or not 0 < int(text) < FAR:
        raise Refused(400, BAD_QUERY, "PropertyValue must be a whole number, greater than zero.")
    return int(text)


DATES: Mapping[str, Callable[[Literal, datetime], tuple[datetime, datetime]]] = {
    "LastXDays": _last_days,
    "LastXHours": _last_hours,
    "NextXDays": _next_days,
}


def _bound(column: ColumnModel, value: bool | str | Decimal | date | datetime | None) -> Parameter:
    """Return a literal as the store keeps values of *column*."""
    if isinstance(value, datetime):
        return moment(value) if column.type == "datetime" else value.date().isoformat()
    if isinstance(value, date):
        return f"{value.isoformat()}T00:00:00Z" if column.type == "datetime" else value.isoformat()
    if isinstance(value, Decimal):
        if column.type in DECIMALS:
            return format(value, "f")
        return int(value) if value == value.to_integral_value() and abs(value) < 2**63 else float(value)
    return int(value) if isinstance(value, bool) else value


def _read_value(column: ColumnModel, text: str) -> Parameter:
    """Read a value of a query function, which is always written as a string."""
    try:
        if column.type in NUMBERS:
            return _bound(column, Decimal(text))
        if column.type == "datetime":
            return _bound(column, datetime.fromisoformat(text).replace(tzinfo=UTC))
    except (InvalidOperation, ValueError) as error:
        raise Refused(400, BAD_QUERY, f"'{text}' is not a value of {column.name}.") from error
    return text.lower() if EDM[column.type] == "Edm.Guid" else text
