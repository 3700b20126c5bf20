"""What the host gave up on: an Outcome and a Sync History row, never silence (SPEC 3).

The record is parked with the fingerprint it has now, so that it goes again when it changes, when a person sets Export Status
back to No, or by redrive.
"""

from __future__ import annotations

import logging
from datetime import datetime

from functions import claim as claims
from functions import ledger, sync
from functions.flows import FLOWS, SWEEPS
from functions.work import Work
from shared.errors import BadMessage, ConnectorError, Problem, Retryable
from shared.outcomes import Outcome, Status
from shared.services import ReceivedMessage, Services

log = logging.getLogger(__name__)

GIVEN_UP = Problem(
    "The connector failed on this record five times and stopped trying.",
    cause="A fault in the connector itself; its log in Application Insights has the details.",
    fix="Change the record, or set Export Status to No, to have it tried again. If it fails again, tell your administrator.",
    who="administrator",
)


def drain(services: Services, now: datetime) -> int:
    """Take every message from the poison queues and return how many; one that cannot be told stays for the next tick."""
    drained = 0
    for queue in (SWEEPS, *(flow.name for flow in FLOWS)):
        for message in services.queues.receive(f"{queue}-poison"):
            if queue == SWEEPS or _park(message, services, now):
                services.queues.delete(f"{queue}-poison", message)
                drained += 1
    return drained


def _park(received: ReceivedMessage, services: Services, now: datetime) -> bool:
    try:
        message, flow, connector = sync.address(received.text, services)
    except BadMessage as error:
        sync.unreadable(error, services, now)
        return True
    try:
        claim = claims.take(services, connector.key, flow.name, message.record, f"poison {received.id}")
    except Retryable:
        return False
    work = Work(services, connector, message, claim, flow.lane, now)
    outcome = Outcome(message, Status.FAILED, "Poison", GIVEN_UP.message, now, (GIVEN_UP,))
    try:
        record = flow.load(connector, services, [message.record_id])[0]
        if record is None or record.get("mag_synchedwithxero"):  # another message has taken it across since
            claims.close(services, claim)
            return True
        work.record, work.fingerprint = record, flow.fingerprint(record, connector, services)
        sync.tell(work, outcome)
    except ConnectorError as error:
        log.warning("could not tell %s about its poison message: %s", message.record, type(error).__name__)
        claims.release(services, claim)
        return False
    ledger.write(services, outcome)
    claims.park(services, claim, work.fingerprint, outcome.status.value)
    return True
