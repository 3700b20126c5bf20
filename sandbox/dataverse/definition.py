"""A table's definition as text, so that an environment's own customizing is kept in its database."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

from solution.model import ColumnModel, TableModel
from solution.table import Level


def written(table: TableModel) -> str:
    """Return a table's definition as JSON."""
    return json.dumps(_plain(table), default=_plain)


def read(text: str) -> TableModel:
    """Return the table `written` wrote."""
    found: dict[str, Any] = json.loads(text)
    found["columns"] = {name: _column(column) for name, column in found["columns"].items()}
    for name in ("one_to_many", "many_to_many", "keys"):
        found[name] = {key: tuple(value) for key, value in found[name].items()}
    return TableModel(**found)


def merged(kept: TableModel | None, given: TableModel) -> TableModel:
    """Return a table with what either has; where both speak, the one given is right."""
    if kept is None:
        return given
    return replace(
        given,
        columns={**kept.columns, **given.columns},
        one_to_many={**kept.one_to_many, **given.one_to_many},
        many_to_many={**kept.many_to_many, **given.many_to_many},
        keys={**kept.keys, **given.keys},
    )


def _plain(value: Any) -> Any:
    if isinstance(value, ColumnModel | TableModel):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return dict(value)


def _column(found: dict[str, Any]) -> ColumnModel:
    for name in ("options", "states"):
        found[name] = {int(key): value for key, value in found[name].items()}
    return ColumnModel(**{**found, "targets": tuple(found["targets"]), "level": Level(found["level"])})
