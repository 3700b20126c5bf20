"""Columns of a row of Dataverse compared with what would be written. Pure: what is equal already is not written."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from mappings.table import BIND, read_back
from shared.connectors import Json


def differing(row: Mapping[str, Any], columns: Mapping[str, Any]) -> Json:
    """Return those of *columns* (a body of the Web API) that *row* does not hold already."""
    return {name: value for name, value in columns.items() if not is_held(name, value, row)}


def is_same(value: Any, held: Any) -> bool:
    """Compare two values; numbers by what they are worth."""
    if isinstance(value, Decimal | int) and isinstance(held, Decimal | int):
        return Decimal(value) == Decimal(held)
    return bool(value == held)


def is_held(name: str, value: Any, row: Mapping[str, Any]) -> bool:
    """Tell whether *row* holds *value* already in the column *name* (as it is written); a lookup is compared by its id."""
    held = row.get(read_back(name))
    if not name.endswith(BIND):
        return is_same(value, held)
    return held is not None and str(value).lower().endswith(f"({str(held).lower()})")
