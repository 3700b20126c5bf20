"""Flows from Xero: read what changed since the cursor, release one message for each document, take one across (SPEC 3, 4, 7; K08, C01).

sweep   pages since the cursor -> choose what concerns us -> seal it into a message -> move the cursor
        then what an earlier sweep, a retry or another flow left in ``claims``; once a night what no date of change tells of
cross   open what rode along, or read it again -> the flow writes it -> its version is kept

The cursor is the last change seen, never the clock, and moves only when everything up to it stands in a queue. A claim is written
before its message: what is lost in between is found in ``claims`` by the next sweep. So an outage of any length loses nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from functions import claim as claims
from functions import links, runs, xero_lists
from functions.claim import NEVER, Claim
from functions.documents import canonical
from functions.links import Link
from functions.work import Crossed, Work
from functions.xero_lists import XeroList
from shared import exact_json
from shared.connectors import Connector, Json
from shared.errors import ConfigurationError
from shared.messages import MOST_SEALED, SyncMessage
from shared.outcomes import Status
from shared.services import Lane, Services

OVERLAP = 30
"""How many minutes a read reaches back before the cursor, unless the connector's Overlap says otherwise."""
AT_ONCE = 200
"""How many documents without a change a sweep reads again; the next one goes on."""
MOST_PAGES = 10
"""How many pages one sweep reads; the next tick goes on."""
FIRST_RETRY, LONGEST_RETRY = timedelta(hours=1), timedelta(hours=24)
"""What was refused may have been mended in Dynamics 365, which nothing tells us: it is tried again, less and less often."""


@dataclass(frozen=True)
class Reading:
    """What a flow needs to read on."""

    services: Services
    connector: Connector
    lane: Lane
    now: datetime


@dataclass(frozen=True)
class Found:
    """One document that concerns the flow: its id and version, and all that taking it across needs (``body``)."""

    xero_id: str
    version: str
    body: Json


@dataclass(frozen=True)
class FromXero:
    """How one flow reads Xero and writes Dynamics 365.

    ``choose`` yields those of some documents that concern the flow, with whatever else must be read for them, in as few calls as
    possible; ``cross`` writes one. ``reread`` yields, for the nightly check, documents whose change may not have moved their
    UpdatedDateUTC. A flow that is not ``listed`` has no cursor: it only takes what others ask for. One that is ``once`` never takes
    a document a second time.
    """

    xero_list: XeroList
    choose: Callable[[Reading, Sequence[Json]], Iterable[Found]]
    cross: Callable[[Work, Json], Crossed]
    reread: Callable[[Reading], Iterator[Sequence[Json]]] | None = None
    listed: bool = True
    once: bool = False


@dataclass(frozen=True)
class Sweep:
    """One sweep of one flow: what it reads, and what was under way when it began. *since* bounds the first read."""

    name: str
    table: str
    source: FromXero
    reading: Reading
    since: datetime
    held: Mapping[str, Claim]


def release(sweep: Sweep, *, full: bool) -> tuple[int, bool]:
    """Release a message for every document that is news; return how many, and whether more is left for the next tick."""
    released: set[str] = set()
    is_more = sweep.source.listed and _release_changed(sweep, released)
    is_more |= _release_left(sweep, released)
    if full and sweep.source.reread is not None:
        for documents in sweep.source.reread(sweep.reading):
            _release(sweep, documents, released, by_version=False)
    return len(released), is_more


def _release_changed(sweep: Sweep, released: set[str]) -> bool:
    reading, services = sweep.reading, sweep.reading.services
    ran = runs.read_all(services.store, reading.connector.key).get(sweep.name, {})
    cursor = datetime.fromisoformat(str(ran["cursor"])) if ran.get("cursor") else None
    since = cursor - _overlap(reading.connector) if cursor else sweep.since
    pages = xero_lists.changed_since(services, reading.connector, sweep.source.xero_list, since, reading.lane)
    for number, page in enumerate(pages, 1):
        _release(sweep, page.documents, released, by_version=True)
        if page.read_to and (cursor is None or page.read_to > cursor):
            cursor = page.read_to
            runs.note(services.store, reading.connector.key, sweep.name, cursor=cursor.isoformat())
        if number == MOST_PAGES:
            return True
    return False


def _release_left(sweep: Sweep, released: set[str]) -> bool:
    """Release what ``claims`` holds and nobody works on: a message that was lost, a refusal whose time has come, a wish."""
    reading = sweep.reading
    left = [record for record, claim in sweep.held.items() if record not in released and _is_left(claim, reading)]
    ids = [record.partition("/")[2] for record in left[:AT_ONCE]]
    documents = xero_lists.by_ids(reading.services, reading.connector, sweep.source.xero_list, ids, reading.lane)
    before = set(released)
    _release(sweep, documents, released, by_version=None)
    for record in left[:AT_ONCE]:
        if record not in released - before:  # Xero has it no more, or it concerns nobody any more
            claims.close(reading.services, sweep.held[record])
    return len(left) > AT_ONCE


def _is_left(claim: Claim, reading: Reading) -> bool:
    if claim.is_busy(reading.now):
        return False
    if not claim.is_parked:
        return True
    if reading.connector.settings.get("mag_autoretryonfix") is False and claim.status == Status.REFUSED.value:
        return False
    return (claim.due != NEVER and reading.now >= claim.due) or not _is_parked_under(claim, reading.services, reading.connector)


def _release(sweep: Sweep, documents: Sequence[Json], released: set[str], *, by_version: bool | None) -> None:
    """Release those of *documents* that are news: by their version, by their content (False), or whatever they are (None)."""
    reading, source = sweep.reading, sweep.source
    known = {_id(source, one): _link(sweep, _id(source, one)) for one in documents}
    new = [one for one in documents if by_version is None or _is_new(known[_id(source, one)], one, source.once, by_version)]
    if not new:
        return
    for found in source.choose(reading, new):
        link = known[found.xero_id]
        if by_version is False and link and _is_same(reading.services, link, found):
            continue
        record = f"{sweep.table}/{found.xero_id}"
        if record not in released and _send(sweep, record, found):
            released.add(record)


def _is_new(link: Link | None, document: Json, once: bool, by_version: bool) -> bool:
    if link is None:
        return True
    return not once and (not by_version or xero_lists.version(document) > link.version)


def _send(sweep: Sweep, record: str, found: Found) -> bool:
    """Note first that a message is under way, then send it; a version that is under way already is not sent twice."""
    reading, services = sweep.reading, sweep.reading.services
    claim = sweep.held.get(record) or claims.unclaimed(reading.connector.key, sweep.name, record)
    is_waiting = claim.is_busy(reading.now) or (claim.is_parked and not _is_left(claim, reading))
    if is_waiting and claim.version >= found.version:
        return False
    is_held = claim.state == "held" and reading.now < claim.until
    until = reading.now + timedelta(seconds=services.durations.queued)
    # A claim somebody holds is theirs to write: the message alone must do, and defers until they are done.
    if not is_held and not claims.mark_queued(services, claim, until, found.version):
        return False
    message = SyncMessage(reading.connector.key, sweep.name, record, found.version)
    services.queues.send(sweep.name, _sealed(services, message, found.body).to_json())
    return True


def want(work: Work, flow: str, table: str, xero_ids: Iterable[str], *, at_once: bool = True) -> None:
    """Have the next sweep of *flow* take these documents of Xero across, whatever its cursor says; *at_once*: by the next tick."""
    services, key = work.services, work.connector.key
    wanted = [xero_id for xero_id in dict.fromkeys(xero_ids) if xero_lists.is_id(xero_id)]
    for xero_id in wanted:
        claim = claims.read(services, key, flow, f"{table}/{xero_id}")
        if not claim.etag:
            claims.mark_queued(services, claim, NEVER)
    if wanted and at_once:
        runs.note(services.store, key, flow, asked="")


# ── one document ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def cross(source: FromXero, work: Work) -> Crossed:
    """Take the document of ``work.message`` across, unless a newer version of it already has; keep what crossed on its link."""
    link = links.read(work.services, work.connector, work.message.flow, work.message.record)
    if link and (source.once or work.message.version < link.version):
        return Crossed("", "It has already crossed, in this version or a newer one.")
    found = _opened(work) or _read_again(source, work)
    if found is None:
        return Crossed("", "It is no longer in Xero, or concerns nothing in Dynamics 365 any more.")
    work.fingerprint = work.services.secrets.keyed_hash(exact_json.dumps(found.body), "body")
    crossed = source.cross(work, found.body)
    row = crossed.row or (link.row if link else "")
    kept = Link(found.xero_id, hashes={"body": work.fingerprint}, version=found.version, row=row)
    links.write(work.services, work.connector, work.message.flow, work.message.record, kept)
    return crossed


def parked_under(services: Services, connector: Connector) -> str:
    """Return what a refused document is parked under: the settings, so that it goes at once when one of them has changed."""
    return services.secrets.keyed_hash(canonical(_settings(connector)), "settings")


def retry_after(claim: Claim) -> timedelta:
    """Return when a refused document is tried again: after 1, 2, 4 … 24 hours."""
    doubled: int = 2 ** min(max(claim.attempt - 1, 0), 10)
    return min(FIRST_RETRY * doubled, LONGEST_RETRY)


def _is_parked_under(claim: Claim, services: Services, connector: Connector) -> bool:
    return services.secrets.is_hash_of(claim.fingerprint, canonical(_settings(connector)), "settings")


def _settings(connector: Connector) -> Json:
    volatile = ("mag_lastsynchedon", "mag_xerostatus", "mag_xerostatusdetail", "mag_reconnecturl", "@odata.etag")
    return {
        name: value for name, value in connector.settings.items() if name.partition("@")[0] not in volatile and "@" not in name
    }


def _opened(work: Work) -> Found | None:
    """Return what rode along; None when nothing did, or it does not open any more: then it is read again."""
    if not work.message.sealed:
        return None
    try:
        text = work.services.secrets.open(work.message.sealed, work.message.identity)
    except ConfigurationError:
        return None
    body: Json = exact_json.loads(text)
    return Found(work.message.record_id, work.message.version, body)


def _read_again(source: FromXero, work: Work) -> Found | None:
    reading = Reading(work.services, work.connector, work.lane, work.now)
    document = xero_lists.one(work.services, work.connector, source.xero_list, work.message.record_id, work.lane)
    return next(iter(source.choose(reading, [document])), None) if document else None


def _sealed(services: Services, message: SyncMessage, body: Json) -> SyncMessage:
    sealed = services.secrets.seal(exact_json.dumps(body), message.identity)
    return replace(message, sealed=sealed) if len(sealed) <= MOST_SEALED else message


def _is_same(services: Services, link: Link, found: Found) -> bool:
    return services.secrets.is_hash_of(link.hashes.get("body", ""), exact_json.dumps(found.body), "body")


def _link(sweep: Sweep, xero_id: str) -> Link | None:
    reading = sweep.reading
    return links.read(reading.services, reading.connector, sweep.name, f"{sweep.table}/{xero_id}")


def _id(source: FromXero, document: Json) -> str:
    return str(document[source.xero_list.key])


def _overlap(connector: Connector) -> timedelta:
    minutes = connector.settings.get("mag_overlapminutes")
    return timedelta(minutes=int(OVERLAP if minutes is None else minutes))
