"""Queue "sweeps": read the source for due records and release one message for each, within the organisation's budget (SPEC 3, 9).

The backlog stays at the source: what the budget does not allow now is found again by the next sweep.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain, islice

from functions import claim as claims
from functions import connectors, from_xero, ledger, reference_data, runs, sync
from functions.claim import NEVER, Claim
from functions.flows import BY_NAME, Flow
from functions.from_xero import Found, FromXero, Reading
from functions.routes import Due
from functions.schedule import SETTINGS
from functions.to_xero import ToXero
from functions.work import Asked, Work
from shared import telemetry
from shared.connectors import Connector, Json
from shared.errors import BadMessage, ConfigurationError, ConnectorError, NotReady, Problem
from shared.messages import SweepMessage, SyncMessage
from shared.outcomes import Outcome, Status
from shared.services import Services

log = logging.getLogger(__name__)

AT_ONCE = 25
"""How many parked records a sweep compares with what they were refused with, and how many it tells that nobody takes them; the next
sweep goes on with the others."""
MINUTE = timedelta(minutes=1)
AFTER_A_FAULT = timedelta(minutes=5)
"""When a sweep that failed is tried again, however seldom its flow looks."""
FULL_AGAIN = timedelta(hours=1)
"""When a full check that did not come to its end is begun again."""
NAME_REFERENCE_DATA = ("invoices-from-xero", "payments-from-xero")
"""The flows from Xero whose documents name accounts, tax rates, themes, tracking or items; to Xero every document does."""
UNROUTED = "unrouted"
"""The status of a parked claim whose record was told that no connector takes it; it goes as soon as one does."""


@dataclass(frozen=True)
class Swept:
    """What became of a sweep: records released, whether the budget left more at the source, and what an administrator must know
    ("" for nothing, None when nothing new was learnt)."""

    released: int = 0
    is_more: bool = False
    detail: str | None = ""
    error: str = ""


def sweep(text: str, services: Services, now: datetime) -> int:
    """Sweep the flow and connector that the message *text* names and return how many records were released.

    Anticipated failures are noted on the flow's run and on the connector; the next tick sweeps again.
    """
    try:
        message = SweepMessage.from_json(text)
        connector = connectors.find(services.store, message.connector)
        if connector is None or message.flow not in (SETTINGS, *BY_NAME):
            raise BadMessage("The sweep message names an unknown flow or connector.")
    except BadMessage as error:
        sync.unreadable(error, services, now)
        return 0
    if connector.state != "connected" and message.flow != SETTINGS:
        return 0
    try:
        swept = _sweep(message, connector, services, now)
    except ConnectorError as error:
        log.warning("sweep of %s for %s failed: %s", message.flow, connector.id, type(error).__name__)
        detail = str(error) if isinstance(error, ConfigurationError) else None
        if state := sync.STATES.get(type(error)):
            connectors.mark(services, connector, state)
            detail = None
        swept = Swept(detail=detail, error=f"{type(error).__name__}: {error}")
    _note(services, connector, message.flow, now, swept)
    log.info("sweep of %s for %s: %d released", message.flow, connector.id, swept.released)
    return swept.released


def _sweep(message: SweepMessage, connector: Connector, services: Services, now: datetime) -> Swept:
    if message.flow == SETTINGS:
        connectors.refresh(services, connector, is_at_work=False)
        return Swept()
    connector = connectors.refresh(services, connector)
    sync.check_seal(connector)
    flow = BY_NAME[message.flow].for_connector(connector)
    if not connector.is_at_work or not flow.enabled:
        return Swept()
    _tell_of_reference_data(services, connector)
    _refresh_reference_data(services, connector, now, only_if_asked=True)
    if isinstance(flow.source, ToXero):
        return _release(flow, flow.source, connector, services, now)
    return _release_from_xero(flow, flow.source, connector, services, now, full=message.full)


def _release_from_xero(
    flow: Flow, source: FromXero, connector: Connector, services: Services, now: datetime, *, full: bool
) -> Swept:
    """Release what is news in Xero. The first read reaches back as far as the connector says; without a limit it is a day."""
    held = claims.read_all(services, connector.key, flow.name)
    _measure(flow, connector, held, now)
    reading = Reading(services, connector, flow.lane, now)
    since = now - (flow.look_back if flow.look_back is not None else timedelta(days=1))
    is_full = full or _owes_full_check(services, connector, flow.name, now)
    if is_full:
        runs.note(services.store, connector.key, flow.name, full_due=(now + FULL_AGAIN).isoformat())
    fresh = _with_reference_data(source, flow.name)
    released, is_more = from_xero.release(from_xero.Sweep(flow.name, flow.table, fresh, reading, since, held), full=is_full)
    if is_full:
        runs.note(services.store, connector.key, flow.name, full_due="")
    return Swept(released, is_more)


def _with_reference_data(source: FromXero, flow: str) -> FromXero:
    """Return *source* so that the first document it chooses brings the reference data up to date, where documents name any (A187)."""
    if flow not in NAME_REFERENCE_DATA:
        return source
    is_fresh = False

    def choose(reading: Reading, documents: Sequence[Json]) -> Iterator[Found]:
        nonlocal is_fresh
        for found in source.choose(reading, documents):
            if not is_fresh:
                _refresh_reference_data(reading.services, reading.connector, reading.now)
                is_fresh = True
            yield found

    return replace(source, choose=choose)


def _owes_full_check(services: Services, connector: Connector, name: str, now: datetime) -> bool:
    """Tell whether a full check failed, an hour ago or more: the night's is not lost because Xero was away."""
    due = runs.read_all(services.store, connector.key).get(name, {}).get("full_due")
    return bool(due) and now >= datetime.fromisoformat(str(due))


def _release(flow: Flow, source: ToXero, connector: Connector, services: Services, now: datetime) -> Swept:
    """Release what the budget allows.

    A backlog is spread over the minute until the next tick: released at once, it would stand in the queue before the records of
    other organisations, and its own messages would only wait for each other's slots.
    """
    held = claims.read_all(services, connector.key, flow.name)
    _measure(flow, connector, held, now)
    unrouted: list[tuple[Due, Problem]] = []
    ready = _ready(flow, source, connector, services, held, unrouted, now)
    first = next(ready, None)
    queued = timedelta(seconds=services.durations.queued)
    under_way = sum(_takes_room(claim, queued, now) for claim in held.values())
    a_minute = services.xero.budget(connector, flow.lane) // flow.calls if first else 0
    allowance = max(a_minute - under_way, 0)
    some = list(islice(chain([first] if first else [], ready), allowance + 1))
    is_more = len(some) > allowance
    pace = MINUTE / a_minute if is_more and a_minute else timedelta()
    released = 0
    for due, claim, reason in some[:allowance]:
        released += _send(services, connector, flow, due, claim, now, reason, pace * released)
    detail = _tell_unrouted(unrouted, flow, source, connector, services, held, now)
    return Swept(released, is_more and a_minute > 0, detail, detail)


def _takes_room(claim: Claim, queued: timedelta, now: datetime) -> bool:
    """Tell whether a record under way will use calls before the next tick: its message shows by then, or somebody works on it.

    *queued* is how long a claim counts as under way after its message shows.
    """
    return now < claim.until or claim.queued - queued - MINUTE <= now < claim.queued


def _ready(
    flow: Flow,
    source: ToXero,
    connector: Connector,
    services: Services,
    held: dict[str, Claim],
    unrouted: list[tuple[Due, Problem]],
    now: datetime,
) -> Iterator[tuple[Due, Claim, str]]:
    """Yield (record, claim, reason) for what is due here and neither under way nor parked; then the parked that have changed.

    What no connector takes is put into *unrouted*. The first that is due here brings the reference data up to date.
    """
    begun: set[str] | None = None
    is_first = True
    parked: list[Due] = []
    for due in source.due(connector, services, now):
        claim = held.get(due.record) or claims.unclaimed(connector.key, flow.name, due.record)
        if claim.is_busy(now):
            continue
        if due.route and not due.route.named:
            began_here = bool(claim.sought or claim.made)  # wherever it leads by now: what was begun is ended here
            if due.route.problem and not began_here:
                unrouted.append((due, due.route.problem))
                continue
            if due.route.connector != connector.id and not began_here:
                continue
            begun = _begun_elsewhere(flow, connector, services, now) if begun is None else begun
            if due.record in begun:
                continue
        if is_first:
            _refresh_reference_data(services, connector, now)
            is_first = False
        by_a_person = claim.is_parked and _asks_again(due.asked, claim)
        if claim.is_parked and claim.status != UNROUTED and not by_a_person and not _has_come(claim, now):
            parked.append(due)
            continue
        yield due, claim, "user" if by_a_person else "sweep"
    if connector.settings.get("mag_autoretryonfix") is False:
        parked = [due for due in parked if held[due.record].status == Status.WAITING.value]
    for due in _changed(flow, source, connector, services, parked, held, now):
        yield due, held[due.record], "change"


def _begun_elsewhere(flow: Flow, connector: Connector, services: Services, now: datetime) -> set[str]:
    """Return the records another connector of the environment works on, or may have left a document of behind.

    Their route has changed between two tries: released here too, they could stand in two books.
    """
    others = connectors.of_environment(services.store, connector.environment)
    return {
        record
        for other in others
        if other.key != connector.key
        for record, claim in claims.read_all(services, other.key, flow.name).items()
        if claim.sought or claim.made or now < claim.until
    }


def _tell_unrouted(
    unrouted: list[tuple[Due, Problem]],
    flow: Flow,
    source: ToXero,
    connector: Connector,
    services: Services,
    held: dict[str, Claim],
    now: datetime,
) -> str:
    """Tell the records no connector takes that they wait, once each, and return what an administrator must know of them.

    Every connector of the environment sees them: the first that is at work speaks for all.
    """
    speaker = next((one for one in connectors.of_environment(services.store, connector.environment) if _sweeps(one, flow)), None)
    if not unrouted or speaker is None or speaker.key != connector.key:
        return ""
    new = [(due, problem) for due, problem in unrouted if not _is_told(held.get(due.record), problem)][:AT_ONCE]
    loaded = source.load(connector, services, [due.record.partition("/")[2] for due, _ in new])
    for (due, problem), row in zip(new, loaded, strict=True):
        if row is None:
            continue
        try:
            claim = claims.take(services, connector.key, flow.name, due.record, f"sweep {now.isoformat()}")
        except NotReady:
            continue
        message = SyncMessage(connector.key, flow.name, due.record, due.version)
        work = Work(services, connector, message, claim, flow.lane, now, row, about=due.record)
        outcome = Outcome(message, Status.MISCONFIGURED, "Wait", problem.message, now, (problem,))
        try:
            sync.tell(work, outcome)
        except ConnectorError as error:
            log.warning("could not tell %s that nobody takes it: %s", due.record, type(error).__name__)
            claims.release(services, claim)
            continue
        ledger.write(services, outcome)
        claims.park(services, claim, problem.message, UNROUTED)
    problems = dict.fromkeys(problem for _, problem in unrouted)
    return " ".join(f"{problem.message} {problem.fix}" for problem in problems)


def _sweeps(connector: Connector, flow: Flow) -> bool:
    return connector.is_at_work and BY_NAME[flow.name].for_connector(connector).enabled


def _is_told(claim: Claim | None, problem: Problem) -> bool:
    return claim is not None and claim.is_parked and (claim.status, claim.fingerprint) == (UNROUTED, problem.message)


def _measure(flow: Flow, connector: Connector, held: dict[str, Claim], now: datetime) -> None:
    """Tell how many records wait or are parked, and for how long the oldest has been tried."""
    tried = [claim.since for claim in held.values() if not claim.is_parked and claim.since != NEVER]
    oldest = (now - min(tried)).total_seconds() if tried else 0
    about = {"flow": flow.name, "connector": connector.key}
    telemetry.measure("connector.waiting", len(tried), **about)
    telemetry.measure("connector.parked", sum(claim.is_parked for claim in held.values()), **about)
    telemetry.measure("connector.oldest_waiting", oldest, **about)


def _send(
    services: Services, connector: Connector, flow: Flow, due: Due, claim: Claim, now: datetime, reason: str, delay: timedelta
) -> int:
    """Note first that a message is under way, then send it: two sweeps at once release a record once."""
    if not claims.mark_queued(services, claim, now + delay + timedelta(seconds=services.durations.queued)):
        return 0
    message = SyncMessage(connector.key, flow.name, due.record, due.version, reason=reason)
    services.queues.send(flow.name, message.to_json(), delay)
    return 1


def _changed(
    flow: Flow,
    source: ToXero,
    connector: Connector,
    services: Services,
    parked: list[Due],
    held: dict[str, Claim],
    now: datetime,
) -> Iterator[Due]:
    """Yield the parked records that are no longer what they were refused as: a few each time, in turn, in one round trip."""
    if not parked:
        return
    turn = int(now.timestamp() // max(flow.every.total_seconds(), 60)) * AT_ONCE % len(parked)
    some = (parked[turn:] + parked[:turn])[:AT_ONCE]
    loaded = source.load(connector, services, [due.record.partition("/")[2] for due in some])
    for due, row in zip(some, loaded, strict=True):
        if row is not None and source.fingerprint(row, connector, services) != held[due.record].fingerprint:
            yield due


def _refresh_reference_data(services: Services, connector: Connector, now: datetime, *, only_if_asked: bool = False) -> None:
    """Bring accounts, tax rates, themes and tracking up to date when something is due; a fault here holds nothing back.

    What stops the records too, they meet themselves: an organisation that is blocked has no budget, one that is lost says so.
    """
    try:
        if reference_data.refresh_if_due(connector, services, now, only_if_asked=only_if_asked):
            _tell_of_reference_data(services, connectors.refresh(services, connector, is_at_work=False))
    except ConnectorError as error:
        log.warning("reference data of %s: %s", connector.id, type(error).__name__)


def _tell_of_reference_data(services: Services, connector: Connector) -> None:
    """Tell the administrator of defaults that Xero would refuse, and take it back once they are valid.

    A connection that was renewed has cleared what was told: then it is told again.
    """
    run = runs.read_all(services.store, connector.key).get(reference_data.ROW, {})
    detail = reference_data.doubts(connector, run)
    is_told = detail[: connectors.MOST] in str(connector.settings.get("mag_xerostatusdetail") or "")
    if detail != run.get("told", "") or not is_told:
        _tell(services, connector, reference_data.ROW, detail)


def _tell(services: Services, connector: Connector, name: str, detail: str) -> None:
    """Have the connector's Xero Status Detail say what this run and all others have to say, and note what this one said."""
    ran = runs.read_all(services.store, connector.key)
    details = {name: detail} | {one: str(run.get("told", "")) for one, run in ran.items() if one != name}
    if connectors.tell(services, connector, " ".join(dict.fromkeys(filter(None, details.values())))):
        runs.note(services.store, connector.key, name, told=detail)


def _asks_again(asked: Asked, claim: Claim) -> bool:
    """Tell whether a person asks for a parked record again; Ready to update stays as it is while its update waits."""
    return asked is Asked.ANEW or (asked is Asked.UPDATE and claim.status != Status.WAITING.value)


def _has_come(claim: Claim, now: datetime) -> bool:
    return claim.due != NEVER and now >= claim.due


def _note(services: Services, connector: Connector, name: str, now: datetime, swept: Swept) -> None:
    """Note the run, and tell the administrator what is new; when the budget left records behind, the very next tick asks again."""
    values = {"last_run": now.isoformat(), "released": swept.released, "last_error": swept.error[:500]}
    if swept.is_more:
        values["asked"] = ""
    elif swept.error and name in BY_NAME and (every := BY_NAME[name].for_connector(connector).every) > AFTER_A_FAULT:
        values["asked"] = (now - every + AFTER_A_FAULT).isoformat()
    told = runs.read_all(services.store, connector.key).get(name, {}).get("told", "")
    if swept.detail is not None and swept.detail != told:
        _tell(services, connector, name, swept.detail)
    runs.note(services.store, connector.key, name, **values)
