"""The ``outcomes`` table: one row per outcome, newest first, no payloads (SPEC 7)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from shared.outcomes import Outcome
from shared.services import Services

TABLE = "outcomes"
END_OF_TIME = datetime(9999, 12, 31, tzinfo=UTC)


def write(services: Services, outcome: Outcome) -> None:
    """Append *outcome*: partition connector + day, row reverse time + record, so that the newest stands first.

    The words of vendors may name people, so only our own short words, ids and counts are kept; the record's Sync History has
    the sentences.
    """
    message = outcome.message
    reverse = int((END_OF_TIME - outcome.at).total_seconds() * 1000)
    values: dict[str, Any] = {
        "flow": message.flow,
        "record": message.record,
        "status": outcome.status.value,
        "action": outcome.action,
        "attempt": message.attempt,
        "reason": message.reason,
        "xero_id": outcome.xero_id,
        "at": outcome.at.isoformat(),
        "who": outcome.problems[0].who if outcome.problems else "",
        "where": json.dumps([problem.where for problem in outcome.problems]),
        "delay": int(outcome.delay.total_seconds()),
    }
    row = f"{reverse:015d}|{message.flow}|{message.record.replace('/', '|')}"
    services.store.upsert(TABLE, f"{message.connector}|{outcome.at:%Y-%m-%d}", row, values)
