"""What /health tells anybody: versions and ages, no names and no secrets (SPEC 11)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

from functions import self_check
from functions.runs import TABLE
from functions.self_check import FAILED, Check
from shared.connectors import Json
from shared.errors import ConnectorError
from shared.services import Services

VERSION = "0.1.0"
LATE = timedelta(minutes=5)


def health(services: Services, now: datetime, at_start: Sequence[Check] = ()) -> tuple[int, Json]:
    """Return the HTTP status and body: 200 while the tick runs and no check has failed (*at_start*, storage, clock), else 503."""
    told: Json = {"version": VERSION, "versions": self_check.versions()}
    try:
        stored = services.store.read(TABLE, "app", "tick")
    except ConnectorError:
        return 503, {**told, "status": "storage does not answer", "checks": _told([*at_start, Check("storage", FAILED)])}
    checks = [*at_start, Check("storage")]
    if stored is None:
        return 503, {**told, "status": "the timer has not run yet", "checks": _told(checks)}
    asked = datetime.fromisoformat(str(stored.values["asked"]))
    checks.append(self_check.clock(stored, asked))
    told |= {"secondsSinceLastTick": int((now - asked).total_seconds()), "checks": _told(checks)}
    if now - asked > LATE:
        return 503, {**told, "status": "the timer is late"}
    if failed := [check.name for check in checks if check.state == FAILED]:
        return 503, {**told, "status": f"failed: {', '.join(failed)}"}
    return 200, {**told, "status": "ok"}


def _told(checks: Sequence[Check]) -> list[Json]:
    return [asdict(check) for check in checks]
