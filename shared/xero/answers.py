"""What Xero's answers mean: status, headers and body become a result or an error. Pure; nothing here can wait.

A write is any method but GET. The rules in their order:

    no answer, connection never made      Retryable            nothing was sent
    no answer after that                  Uncertain (write)    Retryable (read)
    2xx, body is JSON                     the JSON, unless an element of a written document carries an error: Rejected
    204, 304                              {}
    2xx, body is not a JSON object        Uncertain (write)    Retryable (read)
    400 "used with a different request"   Uncertain            the first request with this key may have made the document
    400                                   Rejected             with every sentence Xero gives
    401 or 403 insufficient_scope         NeedsScope           Xero also spells it insufficent_scope
    401                                   TokenRefused         a Retryable: the token was too old, the next try has another
    403 AuthenticationUnsuccessful        Disconnected
    403                                   ConfigurationError
    404                                   NotFound             the body is empty
    408, 3xx, 5xx, anything else odd      Uncertain (write)    Retryable (read)
    413, 414                              Rejected             the document is too large
    429                                   Throttled            by X-Rate-Limit-Problem and Retry-After

Sources: Xero, "Requests and responses", "HTTP response codes", "OAuth 2.0 API limits"; recorded answers of a demo company.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Never

from shared.connectors import Json
from shared.errors import (
    ConfigurationError,
    Disconnected,
    NeedsScope,
    NotFound,
    Problem,
    Rejected,
    Retryable,
    Throttled,
    Uncertain,
)

# What to wait when a 429 carries no Retry-After: Xero promises one for the minute and the day only.
WAITS = {"minute": 60, "day": 3600, "concurrent": 2, "appminute": 60}
SCOPE = re.compile(r"insuffici?ent_scope", re.IGNORECASE)
MICROSOFT_DATE = re.compile(r"/Date\((-?\d+)(?:[+-]\d{4})?\)/")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class TokenRefused(Retryable):
    """Xero refused the access token (401): nothing was done; the next try brings a fresh one."""


def translate(method: str, status: int, headers: Mapping[str, str], body: bytes) -> Json:
    """Return the JSON of an answer, every number a Decimal, or raise the error it stands for (the table above)."""
    match status:
        case 204 | 304:
            return {}
        case _ if 200 <= status < 300:
            return _result(method, body)
        case 400:
            raise _refusal(body)
        case 401 | 403:
            raise _forbidden(status, headers, body)
        case 404:
            raise NotFound("Xero has no such document.")
        case 413 | 414:
            raise Rejected((Problem(f"Xero says the request is too large ({status})."),))
        case 429:
            raise throttled(headers)
        case _ if status < 500 and status not in (408, 409) and not 300 <= status < 400:
            raise Rejected((Problem(_sentence(_json(body)) or f"Xero refused the request ({status}) without saying why."),))
    raise unknown_end(method, f"Xero answered {status}")


def unknown_end(method: str, what: str) -> Retryable:
    """Return the error for a request that was sent and whose end is unknown: Uncertain for a write, Retryable for a read."""
    if method in ("GET", "HEAD"):
        return Retryable(f"{what}.")
    return Uncertain(f"{what}: it is unknown whether the write happened.")


def throttled(headers: Mapping[str, str]) -> Throttled:
    """Return the error of a 429: which limit (X-Rate-Limit-Problem, any case) and when to come back (up to a day)."""
    problem = _header(headers, "X-Rate-Limit-Problem").strip().lower()
    problem = {"daily": "day", "app": "appminute"}.get(problem, problem)
    if problem not in WAITS:
        problem = "minute"
    retry_after = _header(headers, "Retry-After").strip()
    seconds = int(retry_after) if retry_after.isdecimal() else WAITS[problem]
    return Throttled(problem, timedelta(seconds=max(seconds, 1)))


def xero_instant(text: str) -> datetime:
    """Read an instant: "/Date(1518685950940+0000)/" (milliseconds, UTC whatever the offset) or ISO (UTC when it names no zone).

    Raises ValueError when it is neither.
    """
    found = MICROSOFT_DATE.fullmatch(text)
    if found:
        return EPOCH + timedelta(milliseconds=int(found[1]))
    instant = datetime.fromisoformat(text)
    return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)


def xero_date(text: str) -> date:
    """Read a date of a document ("/Date(ms+0000)/" is midnight UTC, or ISO with or without a time); no zone moves it."""
    if MICROSOFT_DATE.fullmatch(text):
        return xero_instant(text).date()
    return datetime.fromisoformat(text).date()


def _result(method: str, body: bytes) -> Json:
    result = _json(body)
    if result is None:
        raise unknown_end(method, "Xero's answer cannot be read")
    if method not in ("GET", "HEAD"):
        problems = _problems(result)
        if problems:  # an element echoes the status that was asked for: its errors are read first
            raise Rejected(problems)
    return result


def _refusal(body: bytes) -> Exception:
    if b"used with a different request" in body.lower():
        return Uncertain("Xero knows this Idempotency-Key with a different request: look for the document before a second try.")
    answer = _json(body) or {}
    problems = _problems(answer)
    if not problems:
        problems = (Problem(_sentence(answer) or "Xero refused the request (400) without saying why."),)
    return Rejected(problems)


def _forbidden(status: int, headers: Mapping[str, str], body: bytes) -> Exception:
    text = body.decode("utf-8", "replace")
    if SCOPE.search(_header(headers, "WWW-Authenticate")) or SCOPE.search(text):
        return NeedsScope("The consent given in Xero does not cover this call: connect again and allow all of it.")
    if status == 401:
        return TokenRefused("Xero refused the access token.")
    if "AuthenticationUnsuccessful" in text:
        return Disconnected("This Xero organisation is no longer connected to the app.")
    return ConfigurationError(_sentence(_json(body)) or "Xero forbids this call to the user who connected.")


def _problems(answer: Json) -> tuple[Problem, ...]:
    """Return every validation error of an answer once, in its order, each with the path of its element."""
    found: dict[str, Problem] = {}
    for path, message in _errors(answer, ""):
        found.setdefault(message, Problem(message, where=path))
    return tuple(found.values())


def _errors(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        for index, element in enumerate(value):
            yield from _errors(element, f"{path}[{index}]")
    elif isinstance(value, dict):
        messages = [str(error.get("Message") or "") for error in value.get("ValidationErrors") or () if isinstance(error, dict)]
        nested = [
            error
            for name, child in value.items()
            if name not in ("ValidationErrors", "Warnings")
            for error in _errors(child, f"{path}.{name}" if path else name)
        ]
        yield from ((path, message) for message in messages if message)
        yield from nested
        failed = value.get("HasErrors") is True or value.get("StatusAttributeString") == "ERROR"
        if failed and not any(messages) and not nested:
            yield path, "Xero reports an error without naming it."


def _sentence(answer: Json | None) -> str:
    """Return the sentence of an answer without validation errors (NoDataProcessedException, problem details)."""
    return next((str(answer[name]) for name in ("Message", "Detail", "Title") if answer.get(name)), "") if answer else ""


def _json(body: bytes) -> Json | None:
    try:
        value = json.loads(body, parse_float=Decimal, parse_int=Decimal, parse_constant=_no_number)
    except ValueError:  # also what is not UTF-8
        return None
    return value if isinstance(value, dict) else None


def _no_number(text: str) -> Never:
    raise ValueError(f"{text} is not a JSON number")


def _header(headers: Mapping[str, str], name: str) -> str:
    return next((value for key, value in headers.items() if key.lower() == name.lower()), "")
