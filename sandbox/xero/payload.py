"""What callers may send: Xero's own field names and types, as xero-python's models declare them.

The real Xero ignores names it does not know. This stand-in refuses them (unless the caller or the app says
`strict=False`), so that a misspelt mapping row is found here and not in somebody's books.
"""

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from xero_python.accounting import models

from . import wire
from .errors import NoDataProcessed, PostDataInvalid, QueryInvalid

LARGEST_NUMBER = 10**12
_LIST = re.compile(r"^list\[(\w+)\]$")
_GUID = re.compile(r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
# Xero takes these from any caller, though the models do not name them.
_ALSO_KNOWN = {"Invoice": {"InvoicePaymentServices": "list[object]", "DateString": "str", "DueDateString": "str"}}


def is_guid(text: str) -> bool:
    """Say whether this is a GUID as Xero writes them."""
    return _GUID.match(text) is not None


@cache
def fields(model: str) -> dict[str, str]:
    """Return JSON name → xero-python type (`str`, `float`, `date[ms-format]`, `list[LineItem]`, a model's name) of a model."""
    declared = getattr(models, model)
    named = {declared.attribute_map[attribute]: kind for attribute, kind in declared.openapi_types.items()}
    return named | _ALSO_KNOWN.get(model, {})


def _is_model(kind: str) -> bool:
    return hasattr(getattr(models, kind, None), "openapi_types")


def elements(body: Any, name: str, model: str, *, strict: bool) -> list[dict[str, Any]]:
    """Return the checked elements of `{"Invoices": [{…}]}` or of a single `{…}`; raises PostDataInvalid, NoDataProcessed."""
    if isinstance(body, dict) and name in body:
        if strict and len(body) > 1:
            raise PostDataInvalid(f"Could not find member '{next(key for key in body if key != name)}'. Path '{name}'.")
        found = body[name]
    else:
        found = body
    rows = found if isinstance(found, list) else [found]
    if not rows or rows == [{}]:
        raise NoDataProcessed(
            "No data has been processed for this endpoint. "
            f"This endpoint is expecting {model} data to be specified in the request body."
        )
    return [checked(model, row, f"{name}[{index}]", strict=strict) for index, row in enumerate(rows)]


def checked(model: str, value: Any, path: str, *, strict: bool) -> dict[str, Any]:
    """Return the object with nulls left out and dates as ISO days; raises PostDataInvalid naming the path."""
    if not isinstance(value, dict):
        raise PostDataInvalid(f"Error converting value to type '{model}'. Path '{path}'.")
    known, result = fields(model), {}
    for name, inner in value.items():
        if name not in known:
            if strict:
                raise PostDataInvalid(f"Could not find member '{name}' on object of type '{model}'. Path '{path}.{name}'.")
            continue
        if inner is not None:
            result[name] = _converted(known[name], inner, f"{path}.{name}", strict=strict)
    return result


def _converted(kind: str, value: Any, path: str, *, strict: bool) -> Any:
    if match := _LIST.match(kind):
        if not isinstance(value, list):
            raise PostDataInvalid(f"Error converting value to a list. Path '{path}'.")
        return [_converted(match.group(1), row, f"{path}[{index}]", strict=strict) for index, row in enumerate(value)]
    if _is_model(kind):
        return checked(kind, value, path, strict=strict)
    if kind == "object":
        return value
    if kind == "bool":
        if not isinstance(value, bool):
            raise PostDataInvalid(f"Could not convert to boolean: {value}. Path '{path}'.")
        return value
    if kind in ("float", "int"):
        if isinstance(value, (bool, str | list | dict)):
            raise PostDataInvalid(f"Could not convert to decimal: {value}. Path '{path}'.")
        if abs(value) >= LARGEST_NUMBER:
            raise PostDataInvalid(f"Value was either too large or too small for a Decimal. Path '{path}'.")
        return value
    if not isinstance(value, str):
        raise PostDataInvalid(f"Error converting value {value} to a string. Path '{path}'.")
    if kind.startswith("date["):
        try:
            return wire.parse_day(value)
        except ValueError as problem:
            raise PostDataInvalid(f"The string '{value}' is not a valid AllXsd value.") from problem
    if value and _holds_guid(path.rpartition(".")[2]) and not is_guid(value):
        raise PostDataInvalid(f"Error converting value \"{value}\" to type 'System.Guid'. Path '{path}'.")
    return value


def _holds_guid(name: str) -> bool:
    return name.endswith("ID")


@cache
def _kind(model: str, name: str) -> tuple[str, str]:
    """Return (canonical name, declared type) of a property, looked up without regard to case."""
    for known, kind in fields(model).items():
        if known.lower() == name.lower():
            return known, kind
    raise QueryInvalid(f"No property or field '{name}' exists in type '{model}' (at index 0)")


def resolve(model: str, path: Iterable[str]) -> tuple[list[str], str]:
    """Return the canonical path and its kind (`text`, `guid`, `number`, `moment`, `boolean`); raises QueryInvalid."""
    names, declared = [], model
    for segment in path:
        name, declared = _kind(declared, segment) if _is_model(declared) else _missing(segment, declared)
        names.append(name)
    if declared.startswith(("date", "datetime")):
        return names, "moment"
    if declared in ("float", "int"):
        return names, "number"
    if declared == "bool":
        return names, "boolean"
    if _is_model(declared) or _LIST.match(declared):
        raise QueryInvalid(f"Property '{names[-1]}' of type '{declared}' cannot be compared")
    return names, "guid" if _holds_guid(names[-1]) else "text"


def _missing(segment: str, declared: str) -> tuple[str, str]:
    raise QueryInvalid(f"No property or field '{segment}' exists in type '{declared}'")
