"""What /health tells anybody: versions and ages, no names and no secrets (SPEC 11)."""

from __future__ import annotations

from datetime import datetime, timedelta

from functions.tick import TABLE
from shared.connectors import Json
from shared.errors import ConnectorError
from shared.services import Services

VERSION = "0.1.0"
LATE = timedelta(minutes=5)


def health(services: Services, now: datetime) -> tuple[int, Json]:
    """Return the HTTP status and body: 200 while the tick runs and storage answers, 503 otherwise."""
    try:
        stored = services.store.read(TABLE, "app", "tick")
    except ConnectorError:
        return 503, {"version": VERSION, "status": "storage does not answer"}
    if stored is None:
        return 503, {"version": VERSION, "status": "the timer has not run yet"}
    age = now - datetime.fromisoformat(str(stored.values["asked"]))
    told = {"version": VERSION, "secondsSinceLastTick": int(age.total_seconds())}
    if age > LATE:
        return 503, {**told, "status": "the timer is late"}
    return 200, {**told, "status": "ok"}
