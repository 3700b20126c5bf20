"""JSON whose numbers are exact both ways: money is a Decimal here and a plain number on the wire, never a float (SPEC 4)."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any


def dumps(value: Any) -> str:
    """Write *value* as compact JSON; raise TypeError for a float, ValueError for a Decimal that is no finite number."""
    match value:
        case dict():
            return "{" + ",".join(f"{json.dumps(name)}:{dumps(child)}" for name, child in value.items()) + "}"
        case list() | tuple():
            return "[" + ",".join(map(dumps, value)) + "]"
        case Decimal():
            if not value.is_finite():
                raise ValueError(f"{value} is not a number JSON can carry.")
            return format(value, "f")
        case float():
            raise TypeError("Money is Decimal, never float.")
        case _:
            return json.dumps(value)


def loads(text: str | bytes) -> Any:
    """Read JSON; a number with a fraction or an exponent becomes a Decimal. Raises ValueError for what is not JSON, NaN included."""
    return json.loads(text, parse_float=Decimal, parse_constant=_refuse)


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON.")
