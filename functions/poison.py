"""What the host gave up on: an Outcome and a Sync History row, never silence (SPEC 3).

The record is parked with the fingerprint it has now, so that it goes again when it changes, when a person sets Export Status
back to No, or by redrive. A sweep needs no redrive: the tick asks for the next one.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime

from functions import claim as claims
from functions import connectors, from_xero, history, ledger, links, runs, sync
from functions.flows import FLOWS, SWEEPS
from functions.to_xero import ToXero
from functions.work import Work
from shared.errors import BadMessage, ConnectorError, Problem, Retryable
from shared.messages import SweepMessage, SyncMessage
from shared.outcomes import Outcome, Status
from shared.services import ReceivedMessage, Services

log = logging.getLogger(__name__)

GIVEN_UP = Problem(
    "The connector failed on this record five times and stopped trying.",
    cause="A fault in the connector itself; its log in Application Insights has the details.",
    fix="Change the record, or set Export Status to No, to have it tried again. If it fails again, tell your administrator.",
    who="administrator",
)
GIVEN_UP_FROM_XERO = replace(
    GIVEN_UP,
    fix="Nothing to do at first: it is tried again in an hour, then less and less often. If it goes on, tell your administrator.",
)
SWEEP_GIVEN_UP = Problem(
    "The connector failed five times to look for due records.",
    cause="A fault in the connector itself; its log in Application Insights has the details.",
    fix="Nothing is lost: the next sweep looks again. If it goes on, tell the people who run the connector.",
    who="administrator",
)


def drain(services: Services, now: datetime) -> int:
    """Take every message from the poison queues and return how many; one that cannot be told stays for the next tick."""
    drained = 0
    for queue in (SWEEPS, *(flow.name for flow in FLOWS)):
        poison = f"{queue}-poison"
        try:
            received = services.queues.receive(poison)
        except ConnectorError as error:
            log.warning("%s could not be read: %s", poison, type(error).__name__)
            continue
        for message in received:
            try:
                if _tell_sweep(message, services, now) if queue == SWEEPS else _park(message, services, now):
                    services.queues.delete(poison, message)
                    drained += 1
            except Exception as error:  # one message must not hold back the others, nor the tick: it comes again
                log.error("a message of %s could not be told: %s", poison, type(error).__name__)
    return drained


def _tell_sweep(received: ReceivedMessage, services: Services, now: datetime) -> bool:
    try:
        message = SweepMessage.from_json(received.text)
        if connectors.find(services.store, message.connector) is None:
            raise BadMessage("The connector of the sweep message is not known here.")
    except BadMessage as error:
        sync.unreadable(error, services, now)
        return True
    told = SyncMessage(message.connector, message.flow, f"{SWEEPS}/{message.flow}")
    ledger.write(services, Outcome(told, Status.FAILED, "Poison", SWEEP_GIVEN_UP.message, now, (SWEEP_GIVEN_UP,)))
    runs.note(services.store, message.connector, message.flow, last_error=SWEEP_GIVEN_UP.message)
    return True


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
    work = Work(services, connector, message, claim, flow.lane, now, about=sync.about(flow, message))
    outcome = Outcome(message, Status.FAILED, "Poison", GIVEN_UP.message, now, (GIVEN_UP,))
    if not isinstance(flow.source, ToXero):
        return _park_from_xero(work, outcome)
    try:
        record = flow.source.load(connector, services, [message.record_id])[0]
        if record is None and (claim.sought or claim.made):
            outcome = _tell_left_behind(work)
        elif record is not None and not record.get("mag_synchedwithxero"):
            work.record, work.fingerprint = record, flow.source.fingerprint(record, connector, services)
            sync.tell(work, outcome)
        else:  # another message has taken it across since, or nothing was ever made of it
            claims.close(services, claim)
            return True
    except ConnectorError as error:
        log.warning("could not tell %s about its poison message: %s", message.record, type(error).__name__)
        claims.release(services, claim)
        return False
    ledger.write(services, outcome)
    if work.record:
        claims.park(services, claim, work.fingerprint, outcome.status.value)
    else:
        claims.close(services, claim)
    return True


def _park_from_xero(work: Work, outcome: Outcome) -> bool:
    """Say on the connector that a document from Xero did not come across, and set it aside: it is tried again in an hour.

    One that has crossed since in a newer version is no matter any more.
    """
    link = links.read(work.services, work.connector, work.message.flow, work.message.record)
    if link and "" < work.message.version < link.version:
        claims.close(work.services, work.claim)
        return True
    problem = replace(GIVEN_UP_FROM_XERO, message=f"{work.message.record} of Xero did not come across. {GIVEN_UP.message}")
    outcome = replace(outcome, details=problem.message, problems=(problem,))
    try:
        sync.tell(work, outcome)
    except ConnectorError as error:
        log.warning("could not tell about %s: %s", work.message.record, type(error).__name__)
        claims.release(work.services, work.claim)
        return False
    ledger.write(work.services, outcome)
    due = work.now + from_xero.retry_after(work.claim)
    claims.park(work.services, work.claim, from_xero.parked_under(work.services, work.connector), outcome.status.value, due)
    return True


def _tell_left_behind(work: Work) -> Outcome:
    """Say on the connector that a record deleted in Dynamics may stand in Xero: nothing else will ever look for it."""
    made = work.claim.made
    problem = Problem(
        f"{work.message.record} was deleted in Dynamics while it was being sent; "
        + (f"it stands in Xero as {made}." if made else "it may stand in Xero."),
        cause="A create was sent to Xero whose end is unknown, and the connector stopped trying before it could look it up.",
        fix=f"Look in Xero for the document whose link to Dynamics ends with {work.message.record_id}; void it if it should not be there.",
        who="bookkeeper",
    )
    history.send(work, [history.warning(work, problem, on_record=False)])
    return Outcome(work.message, Status.FAILED, "Poison", problem.message, work.now, (problem,), xero_id=made)
