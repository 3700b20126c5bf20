"""Flows to Xero: what a sweep and a message need to know of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from functions.routes import Due
from functions.work import Crossed, Work
from shared.connectors import Connector, Json
from shared.services import Services


@dataclass(frozen=True)
class ToXero:
    """How one flow reads Dynamics 365 and writes Xero.

    ``due`` finds the records, ``load`` and ``fingerprint`` tell whether a parked one has changed, ``cross`` takes one record across.
    """

    due: Callable[[Connector, Services, datetime], Iterator[Due]]
    load: Callable[[Connector, Services, list[str]], list[Json | None]]
    fingerprint: Callable[[Json, Connector, Services], str]
    cross: Callable[[Work], Crossed]
