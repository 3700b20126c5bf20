"""What travels on a queue: ids only (SPEC 7)."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace

from shared.errors import BadMessage


@dataclass(frozen=True)
class SyncMessage:
    """Name one record of one flow of one connector.

    ``connector`` is Connector.key ("environment host|row id"), ``record`` is "table/id", ``version`` the row version the
    sweep saw, ``attempt`` counts tries from 1, ``reason`` says why it was sent (sweep, retry, user, webhook, pay-now-link).
    """

    connector: str
    flow: str
    record: str
    version: str = ""
    attempt: int = 1
    reason: str = "sweep"

    @property
    def table(self) -> str:
        return self.record.partition("/")[0]

    @property
    def record_id(self) -> str:
        return self.record.partition("/")[2]

    def again(self, reason: str, *, counted: bool = True) -> SyncMessage:
        """Return the message for the next try; *counted* adds one to ``attempt``."""
        return replace(self, attempt=self.attempt + (1 if counted else 0), reason=reason)

    def to_json(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> SyncMessage:
        """Read a message; raise BadMessage naming what is wrong, never echoing the text."""
        try:
            value = json.loads(text)
        except ValueError as error:
            raise BadMessage("The queue message is not JSON.") from error
        if not isinstance(value, dict):
            raise BadMessage("The queue message is not a JSON object.")
        for name in ("connector", "flow", "record"):
            if not isinstance(value.get(name), str) or not value[name]:
                raise BadMessage(f"The queue message has no {name}.")
        table, slash, record_id = value["record"].partition("/")
        if not (table and slash and record_id):
            raise BadMessage("The record of the queue message is not of the form table/id.")
        attempt = value.get("attempt", 1)
        if not isinstance(attempt, int) or isinstance(attempt, bool) or attempt < 1:
            raise BadMessage("The attempt of the queue message is not a number from 1.")
        texts = {name: value.get(name, default) for name, default in (("version", ""), ("reason", "sweep"))}
        for name, text_value in texts.items():
            if not isinstance(text_value, str):
                raise BadMessage(f"The {name} of the queue message is not text.")
        return cls(value["connector"], value["flow"], value["record"], texts["version"], attempt, texts["reason"])


@dataclass(frozen=True)
class SweepMessage:
    """Ask for one flow of one connector to be swept; the only message of the ``sweeps`` queue."""

    connector: str
    flow: str

    def to_json(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> SweepMessage:
        """Read a message; raise BadMessage naming what is wrong."""
        try:
            value = json.loads(text)
        except ValueError as error:
            raise BadMessage("The sweep message is not JSON.") from error
        if not isinstance(value, dict) or not all(isinstance(value.get(k), str) and value[k] for k in ("connector", "flow")):
            raise BadMessage("The sweep message names no connector and flow.")
        return cls(value["connector"], value["flow"])
