"""What travels on a queue: ids, and of a record read in Xero its content, sealed (SPEC 7)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from shared.errors import BadMessage

# fmt: off
SHAPES = {
    # field      what it may be: short enough and plain enough for the key of a table row
    "connector": re.compile(r"[A-Za-z0-9.:|_\[\]-]{1,300}"),
    "flow":      re.compile(r"[a-z0-9-]{1,60}"),
    "record":    re.compile(r"[A-Za-z0-9_]{1,100}/[\x20-\x7e]{1,100}"),
    "version":   re.compile(r"[\x20-\x7e]{0,100}"),
    "reason":    re.compile(r"[\x20-\x7e]{0,100}"),
    "sealed":    re.compile(r"[A-Za-z0-9._=-]{0,32768}"),
}
# fmt: on
MOST_ATTEMPTS = 1_000_000
MOST_SEALED = 32_768
"""How many characters of a sealed record ride along; a larger one is read again from Xero."""


@dataclass(frozen=True)
class SyncMessage:
    """Name one record of one flow of one connector.

    ``connector`` is Connector.key ("environment host|row id"), ``record`` is "table/id", ``version`` the row version the
    sweep saw, ``attempt`` counts tries from 1, ``reason`` says why it was sent (sweep, retry, user, webhook, pay-now-link).
    ``sealed`` is what the sweep read of a record in Xero, encrypted and bound to the message's ``identity``.
    """

    connector: str
    flow: str
    record: str
    version: str = ""
    attempt: int = 1
    reason: str = "sweep"
    sealed: str = ""

    @property
    def identity(self) -> str:
        """Return what a sealed record is bound to: it opens in no other message."""
        return "|".join((self.connector, self.flow, self.record, self.version))

    @property
    def table(self) -> str:
        return self.record.partition("/")[0]

    @property
    def record_id(self) -> str:
        return self.record.partition("/")[2]

    def again(self, reason: str, *, counted: bool = True) -> SyncMessage:
        """Return the message for the next try; *counted* adds one to ``attempt``, and what rode along is by then too old."""
        if not counted:
            return replace(self, reason=reason)
        return replace(self, attempt=self.attempt + 1, reason=reason, sealed="")

    def to_json(self) -> str:
        told = {name: value for name, value in asdict(self).items() if name != "sealed" or value}
        return json.dumps(told, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> SyncMessage:
        """Read a message; raise BadMessage naming what is wrong, never echoing the text."""
        value = {"version": "", "reason": "sweep", "sealed": "", **_read(text)}
        texts = {name: _text(value, name) for name in SHAPES}
        attempt = value.get("attempt", 1)
        if not isinstance(attempt, int) or isinstance(attempt, bool) or not 1 <= attempt <= MOST_ATTEMPTS:
            raise BadMessage("The attempt of the queue message is not a number from 1.")
        return cls(**texts, attempt=attempt)


@dataclass(frozen=True)
class SweepMessage:
    """Ask for one flow of one connector to be swept; the only message of the ``sweeps`` queue.

    A ``full`` sweep of a flow from Xero also reads again what no date of change tells of.
    """

    connector: str
    flow: str
    full: bool = False

    def to_json(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> SweepMessage:
        """Read a message; raise BadMessage naming what is wrong."""
        value = _read(text)
        return cls(_text(value, "connector"), _text(value, "flow"), value.get("full") is True)


def _read(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadMessage("The queue message is not JSON.") from error
    if not isinstance(value, dict):
        raise BadMessage("The queue message is not a JSON object.")
    return value


def _text(value: Mapping[str, Any], name: str) -> str:
    text = value.get(name)
    if not isinstance(text, str) or not SHAPES[name].fullmatch(text):
        raise BadMessage(f"The {name} of the queue message is missing or is none.")
    return text
