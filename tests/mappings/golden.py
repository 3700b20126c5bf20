"""The golden pairs: what Dynamics 365 or Xero gave (``case.in.json``) and what must be written of it (``case.out.json``)."""

import json
from dataclasses import asdict
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from mappings.__main__ import TABLES
from mappings.table import Mapping, MappingError
from shared.exact_json import loads

FOLDER = Path(__file__).parent.parent / "samples"
CASES = sorted(path.relative_to(FOLDER).as_posix().removesuffix(".in.json") for path in FOLDER.glob("*/*.in.json"))


def given(case: str) -> dict[str, Any]:
    sample: dict[str, Any] = loads((FOLDER / f"{case}.in.json").read_text(encoding="utf-8"))
    return sample


def expected(case: str) -> Any:
    return _expected(case)


@cache
def _expected(case: str) -> Any:
    path = FOLDER / f"{case}.out.json"
    return loads(path.read_text(encoding="utf-8")) if path.exists() else {}  # a new pair, before it is blessed


def write(case: str, outcome: Any) -> None:
    (FOLDER / f"{case}.out.json").write_text(pretty(outcome) + "\n", encoding="utf-8")
    _expected.cache_clear()


def outcome(mapping: Mapping, sample: dict[str, Any]) -> dict[str, Any]:
    """Return what the mapping makes of a sample, as its golden file holds it."""
    try:
        written = mapping.apply(sample["record"], sample.get("settings", {}), sample.get("links"))
    except MappingError as error:
        return {"flaws": [asdict(flaw) for flaw in error.flaws]}
    found: dict[str, Any] = {"payload": written.payload}
    return found | ({"warnings": [asdict(flaw) for flaw in written.warnings]} if written.warnings else {})


def table(sample: dict[str, Any]) -> Mapping:
    return TABLES[sample["mapping"]]


def pretty(value: Any, indent: int = 0) -> str:
    """Write JSON with exact numbers, short objects on one line."""
    flat = _flat(value)
    if len(flat) + indent <= 120 or not isinstance(value, dict | list):
        return flat
    inner, outer = " " * (indent + 2), " " * indent
    if isinstance(value, dict):
        parts = [f"{inner}{json.dumps(name)}: {pretty(child, indent + 2)}" for name, child in value.items()]
        return "{\n" + ",\n".join(parts) + f"\n{outer}}}"
    return "[\n" + ",\n".join(inner + pretty(child, indent + 2) for child in value) + f"\n{outer}]"


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)}: {_flat(child)}" for name, child in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flat, value)) + "]"
    return format(value, "f") if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)
