"""The pipeline: one message, one record, one outcome (SPEC 3, 8).

read the message -> take the claim -> cross (load, map, look up, send, write back) -> close
                                   \\-> on a failure: decide -> tell the record -> send again -> release or park
"""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from datetime import datetime, timedelta

from functions import claim as claims
from functions import connectors, from_xero, history, ledger, reference_data
from functions.claim import NEVER
from functions.decide import decide
from functions.explain import unknown_code
from functions.flows import BY_NAME, Flow
from functions.to_xero import ToXero
from functions.work import Crossed, Work
from mappings.choices import ExportStatus
from shared.connectors import Connector, Json
from shared.dataverse import query
from shared.errors import (
    BadMessage,
    ConfigurationError,
    ConnectorError,
    Disconnected,
    NeedsReconnect,
    NeedsScope,
    NotDue,
    NotFound,
    NotReady,
    Problem,
    Retryable,
    Throttled,
    WrongBooks,
)
from shared.messages import SyncMessage
from shared.outcomes import Outcome, Status
from shared.services import Operation, Services

log = logging.getLogger(__name__)

ROW_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

SHORT = timedelta(minutes=2)
"""A wait nobody needs to read about: a minute limit, or another worker's lease."""

EXPORT_STATUS = {
    Status.WAITING: ExportStatus.WAITING,
    Status.MISCONFIGURED: ExportStatus.WAITING,
    Status.REFUSED: ExportStatus.FAILED,
    Status.FAILED: ExportStatus.FAILED,
}

STATES: dict[type[ConnectorError], str] = {
    NeedsReconnect: "needs_reconnect",
    NeedsScope: "needs_scope",
    Disconnected: "disconnected",
    WrongBooks: "wrong_books",
}


def sync(text: str, services: Services, *, owner: str, now: datetime) -> Outcome:
    """Take the one record that the message *text* names across, and record what became of it.

    *owner* names this invocation. Every anticipated failure becomes an Outcome; what is raised is a fault of the store or the
    queues themselves, or a bug, and the host delivers the message again.
    """
    outcome = _sync(text, services, owner, now)
    done = outcome.message
    log.info("%s %s of %s, attempt %d: %s", done.flow, done.record, done.connector, done.attempt, outcome.status.value)
    return outcome


def _sync(text: str, services: Services, owner: str, now: datetime) -> Outcome:
    try:
        message, flow, connector = address(text, services)
    except BadMessage as error:
        return unreadable(error, services, now)
    if (
        connector.state != "connected"
        or connector.settings.get("mag_enabled") is False
        or not flow.for_connector(connector).enabled
    ):
        return _paused(message, flow, connector, services, now)
    try:
        claim = claims.take(services, connector.key, flow.name, message.record, owner)
    except Retryable as error:
        outcome = decide(error, message, services.durations, now)
        _send_again(outcome, services)
        return outcome
    work = Work(services, connector, message, claim, flow.lane, now, about=about(flow, message))
    try:
        check_seal(connector)
        crossed = _cross(flow, work)
    except ConnectorError as error:
        return _fail(work, error)
    if crossed.action:
        outcome = Outcome(message, Status.SYNCED, crossed.action, crossed.details, now, xero_id=crossed.xero_id)
        ledger.write(services, outcome)
    else:
        outcome = Outcome(message, Status.UNCHANGED, "Skip", crossed.details, now)
    claims.close(services, work.claim)
    return outcome


def _cross(flow: Flow, work: Work) -> Crossed:
    match flow.source:
        case ToXero(cross=cross):
            return cross(work)
        case source:
            return from_xero.cross(source, work)


def about(flow: Flow, message: SyncMessage) -> str:
    """Return the row of Dynamics 365 a message is about; a flow from Xero finds out itself which one that is."""
    return message.record if isinstance(flow.source, ToXero) else ""


def address(text: str, services: Services) -> tuple[SyncMessage, Flow, Connector]:
    """Read a message and find its flow and connector; raise BadMessage when there is none."""
    message = SyncMessage.from_json(text)
    flow = BY_NAME.get(message.flow)
    if flow is None:
        raise BadMessage(f"There is no flow named {message.flow[:60]!r}.")
    if message.table != flow.table or not ROW_ID.fullmatch(message.record_id):
        raise BadMessage(f"The record of the message is no row of the table {flow.table}.")
    connector = connectors.find(services.store, message.connector)
    if connector is None:
        raise BadMessage("The connector of the message is not known here: it was removed, or the message is another app's.")
    return message, flow, connector


def unreadable(error: BadMessage, services: Services, now: datetime) -> Outcome:
    """Record a message nobody can read: it names no record, so there is nothing to try again and nothing to lose."""
    nobody = SyncMessage(connector="unknown", flow="unknown", record="unknown/unknown")
    problem = Problem(str(error), cause="Something else wrote to the queue, or a connector was removed.", who="administrator")
    outcome = Outcome(nobody, Status.FAILED, "Poison", str(error), now, (problem,))
    ledger.write(services, outcome)
    return outcome


def check_seal(connector: Connector) -> None:
    """Raise WrongBooks unless the connector is still the one that was sealed (SPEC 1.4, C15)."""
    told = connector.settings.get("mag_xerotenantid")
    if connector.is_sealed and (told is None or str(told).lower() == connector.organisation.lower()):
        return
    raise WrongBooks(
        "The connector is sealed to another environment or organisation; nothing is sent until it is connected again."
    )


def tell(work: Work, outcome: Outcome) -> None:
    """Say on the record itself what holds it up: Export Status and a Sync History row, in one change set.

    Only the row that was read gets a new Export Status: one that was written since, perhaps by our own try whose answer was lost,
    has moved on (Changed). A wait of a record that crossed before leaves it alone: Ready to update still asks for the update. A
    record that may have left a document behind is pinned to this connector: another route must not send it to other books. Of a
    document from Xero only the history tells: Export Status speaks of the way there.
    """
    columns: Json = {}
    if work.about == work.message.record:
        columns = _export_columns(work, outcome)
    operations = [replace(history.failure(work, outcome), change_set="tell")]
    if work.record and columns:
        row = query.row(work.message.table, work.message.record_id)
        operations.insert(0, Operation("PATCH", row, columns, {"If-Match": work.record["@odata.etag"]}, change_set="tell"))
    history.send(work, operations)


def _export_columns(work: Work, outcome: Outcome) -> Json:
    told = history.TOLD[work.message.table]
    columns: Json = {}
    is_over = outcome.status in (Status.REFUSED, Status.FAILED)
    if told.status and (is_over or not (work.record.get("mag_synchedwithxero") or _stays_failed(work))):
        columns[told.status] = EXPORT_STATUS[outcome.status].value
    if (work.claim.sought or work.claim.made) and "_mag_xeroconnectorid_value" in work.record:
        columns["mag_xeroconnectorid@odata.bind"] = f"/mag_xeroconnectors({work.connector.id})"
    return columns


def _stays_failed(work: Work) -> bool:
    """Tell whether only a person lifts what a record failed for, so that a wait must not look as if one had asked.

    Its document was deleted in Xero (functions/documents.py, ``_instead``).
    """
    told = history.TOLD[work.message.table]
    return bool(work.record.get(told.xero_id)) and work.record.get(told.status) == ExportStatus.FAILED.value


def _fail(work: Work, error: ConnectorError) -> Outcome:
    services, message = work.services, work.message
    outcome = decide(error, message, services.durations, work.now, work.claim.hold)
    if outcome.status is Status.UNCHANGED:
        claims.close(services, work.claim)
        return outcome
    if state := STATES.get(type(error)):
        connectors.mark(services, work.connector, state)
        outcome = replace(outcome, again=None)  # the sweep brings it back once an administrator has connected again
    if outcome.status is Status.REFUSED and unknown_code(outcome.problems):
        reference_data.ask_for_refresh(services, work.connector)
    if _is_worth_telling(work, error, outcome):
        try:
            tell(work, outcome)
        except NotFound as gone:
            if work.about == message.record:
                claims.close(services, work.claim)
                return Outcome(message, Status.UNCHANGED, "Skip", "The record is no longer in Dynamics.", work.now)
            # A document from Xero is not gone with the row that was to tell of it: the next try finds another.
            outcome = decide(Retryable(str(gone)), message, services.durations, work.now)
        except ConnectorError as unheard:
            log.warning("could not tell %s: %s", message.record, type(unheard).__name__)
            if outcome.again is None:  # a refusal that could not be told stays due
                outcome = decide(Retryable(str(unheard)), message, services.durations, work.now)
    ledger.write(services, outcome)
    if outcome.status is Status.MISCONFIGURED and outcome.again is None:
        claims.release(services, work.claim)
        return outcome
    if outcome.again is None:
        _park(work, error, outcome)
        return outcome
    _send_again(outcome, services)
    queued = work.now + outcome.delay + timedelta(seconds=services.durations.queued)
    try:
        claims.release(services, work.claim, queued=queued)
    except Retryable as unreleased:  # the next message is under way, and the lease ends by itself
        log.warning("could not release %s: %s", message.record, type(unreleased).__name__)
    return outcome


def _park(work: Work, error: ConnectorError, outcome: Outcome) -> None:
    """Set the record aside; what changes a document from Xero, or the Dynamics 365 it did not fit into, is tried again in time."""
    fingerprint, due = work.fingerprint, NEVER
    if isinstance(error, NotDue) and error.until:
        due = datetime.fromisoformat(error.until)
    elif work.about != work.message.record:
        fingerprint = from_xero.parked_under(work.services, work.connector)
        due = work.now + from_xero.retry_after(work.claim)
    try:
        claims.park(work.services, work.claim, fingerprint, outcome.status.value, due)
    except Retryable as unparked:  # somebody asked for it meanwhile: when the lease ends, the sweep finds it
        log.warning("could not park %s: %s", work.message.record, type(unparked).__name__)


def _is_worth_telling(work: Work, error: ConnectorError, outcome: Outcome) -> bool:
    """Tell a wait when it begins, not at each of its tries: our writes start other people's automations.

    A record that could not be read may have crossed already: only what an administrator must mend is told on it, once.
    """
    if isinstance(error, Throttled | NotReady) and outcome.delay <= SHORT:
        return False
    if work.about != work.message.record:
        has_reader = bool(work.about) or isinstance(error, ConfigurationError)
        return outcome.again is None or (has_reader and work.message.attempt == 1)
    if not work.record:
        return isinstance(error, ConfigurationError) and work.message.attempt == 1
    status = history.TOLD[work.message.table].status
    is_said = not status or work.record.get(status) == ExportStatus.WAITING.value or _stays_failed(work)
    already_told = work.message.attempt > 1 and is_said
    return not (outcome.again is not None and already_told)


def _paused(message: SyncMessage, flow: Flow, connector: Connector, services: Services, now: datetime) -> Outcome:
    """Leave the record due: a connector or flow that rests sends nothing, and the sweep finds the record afterwards.

    A record of Dynamics 365 says itself that it is due. Of a document from Xero only a claim does, once the cursor has passed it:
    it is made if there is none, and while somebody else holds it, who will delete it at the end, the message waits.
    """
    state = connector.state.replace("_", " ") if connector.state != "connected" else "not enabled"
    details = f"The connector or its flow is {state}; the record stays due until an administrator changes that."
    outcome = Outcome(message, Status.MISCONFIGURED, "Wait", details, now, (Problem(details, who="administrator"),))
    ledger.write(services, outcome)
    claim = claims.read(services, connector.key, message.flow, message.record)
    is_from_xero = not isinstance(flow.source, ToXero)
    if is_from_xero and claim.state == "held" and now < claim.until:
        outcome = replace(outcome, again=message, delay=claim.until - now)
        _send_again(outcome, services)
    elif claim.state != "held" and (claim.etag or is_from_xero):  # nobody's work is touched
        claims.mark_queued(services, claim, NEVER)
    return outcome


def _send_again(outcome: Outcome, services: Services) -> None:
    if outcome.again is not None:
        services.queues.send(outcome.again.flow, outcome.again.to_json(), outcome.delay)
