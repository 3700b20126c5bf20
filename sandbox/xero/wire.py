"""How Xero writes values: JSON numbers, `/Date(ms+0000)/`, the envelope, XML for those who forget to ask for JSON."""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NoReturn
from xml.etree import ElementTree

EMPTY_GUID = "00000000-0000-0000-0000-000000000000"
CENT = Decimal("0.01")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS_DATE = re.compile(r"^/Date\((-?\d+)(?:[+-]\d{4})?\)/$")
_ISO_DATE = re.compile(r"^(\d{4}-\d{2}-\d{2})(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?$")


def loads(text: str | bytes) -> Any:
    """Parse JSON with exact numbers: a fraction becomes a Decimal; raises ValueError, for NaN and Infinity too."""
    return json.loads(text, parse_float=Decimal, parse_constant=_no_number)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number")


def dumps(value: Any) -> str:
    """Write JSON; a Decimal becomes a number (two to four places of money fit a double exactly)."""
    return json.dumps(value, default=_number, ensure_ascii=False, separators=(",", ":"))


def _number(value: object) -> float:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"{type(value).__name__} has no place in a Xero document")


def money(value: Decimal | int) -> Decimal:
    """Round to cents, half away from zero, as Xero does (developer.xero.com api-guides/rounding-in-xero)."""
    return Decimal(value).quantize(CENT, ROUND_HALF_UP)


def ms(moment: datetime | str) -> str:
    """Write a moment (a datetime, or its stored ISO form) as `/Date(1789378199100+0000)/`."""
    return f"/Date({_milliseconds(moment)}+0000)/"


def ms_bare(moment: datetime) -> str:
    """Write a moment as the envelope does: `/Date(1789378203533)/`."""
    return f"/Date({_milliseconds(moment)})/"


def ms_day(day: str) -> str:
    """Write a stored ISO day as `/Date(…+0000)/`, midnight UTC."""
    return ms(datetime.fromisoformat(day).replace(tzinfo=UTC))


def _milliseconds(moment: datetime | str) -> int:
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return (at - _EPOCH) // timedelta(milliseconds=1)


def parse_day(text: str) -> str:
    """Read `2026-09-14`, `2026-09-14T00:00:00` or `/Date(ms+0000)/` into an ISO day; raises ValueError."""
    if match := _MS_DATE.match(text):
        return (_EPOCH + timedelta(milliseconds=int(match.group(1)))).date().isoformat()
    if match := _ISO_DATE.match(text):
        return date.fromisoformat(match.group(1)).isoformat()
    raise ValueError(text)


def long_day(day: str) -> str:
    """Write an ISO day as Xero's messages do: 31 March 2026."""
    moment = date.fromisoformat(day)
    return f"{moment.day} {moment:%B %Y}"


def dated(document: Mapping[str, Any], *hidden: str) -> dict[str, Any]:
    """Write the stored fields of a document: days and moments as Xero does, nothing empty, *hidden* or the stand-in's own (`_…`)."""
    shown: dict[str, Any] = {}
    for name, value in document.items():
        if name.startswith("_") or name in hidden or value in (None, ""):
            continue
        if name in ("Date", "DueDate"):
            shown |= {f"{name}String": f"{value}T00:00:00", name: ms_day(value)}
        elif name in ("FullyPaidOnDate", "ExpectedPaymentDate", "PlannedPaymentDate"):
            shown[name] = ms_day(value)
        elif name == "UpdatedDateUTC":
            shown |= {name: ms(value), "UpdatedDateUTCString": f"{value[:19]}Z"}
        else:
            shown[name] = value
    return shown


def pruned(body: Mapping[str, Any]) -> dict[str, Any]:
    """Drop what Xero leaves out of an answer: absent values and empty strings."""
    return {name: value for name, value in body.items() if value is not None and value != ""}


def messages(texts: Iterable[str]) -> list[dict[str, str]]:
    """Write a list of ValidationErrors or Warnings."""
    return [{"Message": text} for text in texts]


def xml(payload: Mapping[str, Any]) -> bytes:
    """Write an answer as XML, which is what Xero sends unless JSON is asked for."""
    root = ElementTree.Element("Response")
    _append(root, payload)
    written: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _append(parent: ElementTree.Element, value: Any) -> None:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            _append(ElementTree.SubElement(parent, name), inner)
    elif isinstance(value, list):
        for inner in value:
            singular = re.sub(r"s$", "", re.sub(r"ies$", "ys", parent.tag))
            _append(ElementTree.SubElement(parent, singular), inner)
    elif value is not None:
        parent.text = str(value).lower() if isinstance(value, bool) else str(value)
