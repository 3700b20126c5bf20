"""One try at one record: what the pipeline has in hand and what it has found out so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from functions.claim import Claim
from shared.connectors import Connector, Json
from shared.errors import Problem
from shared.messages import SyncMessage
from shared.services import Lane, Services


class Asked(Enum):
    """What a person asks for, as far as a sweep can see: nothing new, a try of what was refused, or an update of what crossed."""

    NOTHING = "nothing"
    ANEW = "anew"
    UPDATE = "update"


@dataclass
class Work:
    """Carry one try along the pipeline.

    ``fingerprint`` stands for everything about the record that decides whether it can go. ``about`` ("table/id") is the row of
    Dynamics 365 whose Sync History tells what became of it, "" while none is known, and ``record`` that row as it was read. What came
    from Xero ``is_old`` when other flows may have read past a change of it since; the row ``is_behind`` when it was left as it is,
    though Xero says something else: once a person opens it again, the night's check brings it in line.
    """

    services: Services
    connector: Connector
    message: SyncMessage
    claim: Claim
    lane: Lane
    now: datetime
    record: Json = field(default_factory=dict)
    fingerprint: str = ""
    warnings: list[Problem] = field(default_factory=list)
    about: str = ""
    is_old: bool = False
    is_behind: bool = False

    @property
    def settings(self) -> dict[str, Any]:
        return dict(self.connector.settings)


@dataclass(frozen=True)
class Crossed:
    """What a flow did with one record; ``action`` is empty when nothing was due and ``details`` says why. ``row`` ("table/id") is the
    row of Dynamics 365 that a document from Xero became."""

    action: str
    details: str
    xero_id: str = ""
    row: str = ""
