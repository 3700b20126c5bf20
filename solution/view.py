"""The language views are written in, and a view as the fetchxml and layoutxml Dataverse keeps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias
from xml.etree.ElementTree import Element

from solution.markup import add
from solution.model import MODEL
from solution.publisher import guid
from solution.schema import CHOICES


class Kind(IntEnum):
    """Where Dataverse shows a view: the querytype of a savedquery."""

    PUBLIC = 0  # in the list of views people choose from
    ADVANCED_FIND = 1
    ASSOCIATED = 2  # the rows that belong to another row
    QUICK_FIND = 4  # what the search box of a list looks through
    LOOKUP = 64


Value: TypeAlias = str | int | bool | tuple[str | int, ...]
Condition: TypeAlias = tuple[str, str] | tuple[str, str, Value]


@dataclass(frozen=True)
class Filter:
    """Conditions of which all (`and`) or one (`or`) must hold.

    A condition is a row: column, operator of FetchXML, value. Options are named by their key. `lookup.column` speaks of
    the row a lookup points at.
    """

    type: str
    conditions: tuple["Condition | Filter", ...]


def every(*conditions: Condition | Filter) -> Filter:
    """Hold when all conditions do."""
    return Filter("and", conditions)


def some(*conditions: Condition | Filter) -> Filter:
    """Hold when one condition does."""
    return Filter("or", conditions)


@dataclass(frozen=True)
class View:
    """One view: `columns` is the grid as `name:width` words, a looked-up row's column as `lookup.column:width`."""

    table: str
    name: str
    columns: str
    where: Filter | None = None
    order: str = ""
    kind: Kind = Kind.PUBLIC
    default: bool = False
    description: str = ""
    search: str = ""

    @property
    def id(self) -> str:
        """Return the view's id, the same for ever."""
        return guid("view", self.table, self.name)

    @property
    def cells(self) -> Sequence[tuple[str, int]]:
        """Return the grid's columns with their widths in pixels."""
        return [(name, int(width)) for name, width in (word.split(":") for word in self.columns.split())]


def fetch_xml(view: View) -> Element:
    """Return the query of a view: its own columns, order and filter, then one link-entity per lookup it looks through."""
    table = MODEL[view.table]
    fetch = Element("fetch", {"version": "1.0", "mapping": "logical"})
    entity = add(fetch, "entity", None, name=view.table)
    own = [name for name, _ in view.cells if "." not in name]
    for name in dict.fromkeys((table.key, *own)):
        add(entity, "attribute", None, name=name)
    for word in view.order.split():
        add(entity, "order", None, attribute=word.lstrip("-"), descending="true" if word.startswith("-") else "false")
    filters, linked = _split(view)
    for filter_ in filters:
        _filter(entity, filter_, view.table)
    if view.search:
        found = add(entity, "filter", None, type="or", isquickfindfields="1")
        for name in view.search.split():
            add(found, "condition", None, attribute=name, operator="like", value="{0}")
    for lookup in dict.fromkeys([*(name.split(".")[0] for name, _ in view.cells if "." in name), *linked]):
        _link(entity, view, lookup, linked.get(lookup, ()))
    return fetch


def layout_xml(view: View) -> Element:
    """Return the grid of a view; a looked-up row's column is named by the alias of its link-entity."""
    table = MODEL[view.table]
    related = view.kind in (Kind.ASSOCIATED, Kind.LOOKUP)
    grid = Element("grid", {"name": table.entity_set if related else "resultset", "jump": table.primary_name, "select": "1"})
    grid.attrib |= {"icon": "1", "preview": "0" if view.kind is Kind.LOOKUP else "1"}
    row = add(grid, "row", None, name=view.table if related else "result", id=table.key)
    for name, width in view.cells:
        lookup, _, column = name.partition(".")
        add(row, "cell", None, name=f"{_alias(lookup)}.{column}" if column else name, width=width)
    return grid


def _alias(lookup: str) -> str:
    return f"a_{lookup.removeprefix('mag_')}"


def _split(view: View) -> tuple[list[Filter], Mapping[str, Sequence[Condition]]]:
    """Part the conditions on the view's own columns from those on looked-up rows, which a link-entity holds."""
    if view.where is None:
        return [], {}
    linked: dict[str, list[Condition]] = {}
    own: list[Condition | Filter] = []
    for condition in view.where.conditions:
        if isinstance(condition, Filter) or "." not in condition[0]:
            own.append(condition)
        else:
            lookup, _, column = condition[0].partition(".")
            linked.setdefault(lookup, []).append((column, *condition[1:]))
    return ([Filter(view.where.type, tuple(own))] if own else []), linked


def _link(entity: Element, view: View, lookup: str, conditions: Sequence[Condition]) -> None:
    (target,) = MODEL[view.table].columns[lookup].targets
    link = add(entity, "link-entity", None, name=target, to=lookup)
    link.attrib |= {"from": MODEL[target].key, "alias": _alias(lookup), "link-type": "inner" if conditions else "outer"}
    for name, _ in view.cells:
        if name.startswith(f"{lookup}."):
            add(link, "attribute", None, name=name.split(".")[1])
    if conditions:
        _filter(link, Filter("and", tuple(conditions)), target)


def _filter(parent: Element, filter_: Filter, table: str) -> None:
    element = add(parent, "filter", None, type=filter_.type)
    for condition in filter_.conditions:
        if isinstance(condition, Filter):
            _filter(element, condition, table)
            continue
        found = add(element, "condition", None, attribute=condition[0], operator=condition[1])
        for value in condition[2:]:
            if isinstance(value, tuple):
                for item in value:
                    add(found, "value", _value(table, condition[0], item))
            else:
                found.set("value", _value(table, condition[0], value))


def _value(table: str, column: str, value: str | int | bool) -> str:
    choice = next((choice for choice in CHOICES if choice.name == MODEL[table].columns[column].choice), None)
    return str(choice.values[str(value)] if choice else int(value) if isinstance(value, bool) else value)
