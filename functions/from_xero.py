"""Flows from Xero: read what changed since the cursor, release one message for each document, take one across (SPEC 3, 4, 7; K08, C01).

sweep   pages since the cursor -> choose what concerns us -> seal it into a message -> move the cursor
        then what an earlier sweep, a retry or another flow left in ``claims``; once a night what no date of change tells of
cross   open what rode along, or read it again -> the flow writes it -> its version is kept

The cursor is the last change seen, never the clock, and moves only when everything up to it stands in a queue. A claim is written
before its message: what is lost in between is found in ``claims`` by the next sweep. So an outage of any length loses nothing.

    flowruns: first   how far the first read reaches back, noted when it begins: put off for a month, it still begins there
              cursor  the last change seen; each sweep reaches back from it by the connector's Overlap
              walk    where a sweep that did not come to the end of the list goes on, "" once one did
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from functions import claim as claims
from functions import links, runs, xero_lists
from functions.claim import NEVER, Claim
from functions.documents import canonical
from functions.links import Link
from functions.work import Crossed, Work
from functions.xero_lists import XeroList
from shared import exact_json
from shared.connectors import Connector, Json
from shared.errors import ConfigurationError, Retryable
from shared.messages import MOST_SEALED, SyncMessage
from shared.outcomes import Status
from shared.services import Lane, Services

T = TypeVar("T")

OVERLAP = 30
"""How many minutes a read reaches back before the cursor, unless the connector's Overlap says otherwise."""
AT_ONCE = 200
"""How many documents without a change a sweep reads again; the next one goes on."""
MOST_PAGES = 10
"""How many pages one sweep reads; the next tick goes on."""
CLOCK_SKEW = timedelta(hours=1)
"""By how much Xero's clock may be ahead of ours; a change dated later still does not move the cursor."""
TRIES = 10
"""How often a claim that others keep writing is read again before the sweep gives up, to come back."""
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
    released: dict[str, str] = {}
    is_more = sweep.source.listed and _release_changed(sweep, released)
    is_more |= _release_left(sweep, released)
    if full and sweep.source.reread is not None:
        for documents in sweep.source.reread(sweep.reading):
            _release(sweep, documents, released, by_version=False)
    return len(released), is_more


def _release_changed(sweep: Sweep, released: dict[str, str]) -> bool:
    reading, services = sweep.reading, sweep.reading.services
    cursor, since = _begun(sweep)
    settled = reading.now - _overlap(reading.connector)  # what is younger may yet be joined by an older change: it is read again
    until = reading.now + CLOCK_SKEW
    pages = xero_lists.changed_since(services, reading.connector, sweep.source.xero_list, since, reading.lane, until=until)
    for number, page in enumerate(pages, 1):
        _release(sweep, page.documents, released, by_version=True)
        if page.read_to:
            cursor = max(cursor or page.read_to, page.read_to)
        if page.read_to or page.is_last:
            walk = "" if page.is_last or not page.read_to else min(page.read_to - xero_lists.SECOND, settled).isoformat()
            runs.note(services.store, reading.connector.key, sweep.name, cursor=cursor.isoformat() if cursor else "", walk=walk)
        if number >= MOST_PAGES and page.read_to and not page.is_last:
            return True
    return False


def _begun(sweep: Sweep) -> tuple[datetime | None, datetime]:
    """Return the cursor, if there is one yet, and the moment a sweep reads from."""
    store, key = sweep.reading.services.store, sweep.reading.connector.key
    ran = runs.read_all(store, key).get(sweep.name, {})
    first, cursor, walk = (
        datetime.fromisoformat(str(ran[name])) if ran.get(name) else None for name in ("first", "cursor", "walk")
    )
    if first is None:
        first = sweep.since
        runs.note(store, key, sweep.name, first=first.isoformat())
    if walk or cursor is None:
        return cursor, walk or first
    return cursor, max(first, cursor - _overlap(sweep.reading.connector))


def _release_left(sweep: Sweep, released: dict[str, str]) -> bool:
    """Release what ``claims`` holds and nobody works on: a message that was lost, a refusal whose time has come, a wish."""
    reading = sweep.reading
    left = [record for record, claim in sweep.held.items() if record not in released and _is_left(claim, reading)]
    ids = [record.partition("/")[2] for record in left[:AT_ONCE]]
    documents = xero_lists.by_ids(reading.services, reading.connector, sweep.source.xero_list, ids, reading.lane)
    _release(sweep, documents, released, by_version=None)
    for record in left[:AT_ONCE]:
        if record not in released:  # Xero has it no more, or it concerns nobody any more
            claims.close(reading.services, sweep.held[record])
    return len(left) > AT_ONCE


def _is_left(claim: Claim, reading: Reading) -> bool:
    if claim.is_busy(reading.now):
        return False
    if not claim.is_parked:
        return True
    if reading.connector.settings.get("mag_autoretryonfix") is False and claim.status != Status.WAITING.value:
        return False
    return (claim.due != NEVER and reading.now >= claim.due) or not _is_parked_under(claim, reading.services, reading.connector)


def _release(sweep: Sweep, documents: Sequence[Json], released: dict[str, str], *, by_version: bool | None) -> None:
    """Release those of *documents* that are news: by their version, by their content (False), or whatever they are (None).

    *released* is what this sweep sent, by record with its version: a document that changes while the list is read goes again.
    """
    reading, source = sweep.reading, sweep.source
    known = {_id(source, one): _link(sweep, _id(source, one)) for one in documents}
    new = [one for one in documents if by_version is None or _is_new(known[_id(source, one)], one, source.once, by_version)]
    if not new:
        return
    for found in source.choose(reading, new):
        link = known[found.xero_id.lower()]
        if by_version is False and link and _is_same(reading.services, link, found):
            continue
        record = f"{sweep.table}/{found.xero_id.lower()}"
        if (record not in released or released[record] < found.version) and _send(sweep, record, found):
            released[record] = found.version


def _is_new(link: Link | None, document: Json, once: bool, by_version: bool) -> bool:
    if link is None:
        return True
    return not once and (not by_version or xero_lists.version(document) > link.version)


def _send(sweep: Sweep, record: str, found: Found) -> bool:
    """Note first that a message is under way, then send it; a version that is under way already is not sent twice.

    Somebody may write the claim at the same moment. Another sweep has sent this version then; a worker has in hand, or has just
    ended, an older one, and this one must go all the same: the cursor moves past it.
    """
    reading, services = sweep.reading, sweep.reading.services
    claim = sweep.held.get(record) or claims.unclaimed(reading.connector.key, sweep.name, record)
    for _ in range(TRIES):
        is_waiting = claim.is_busy(reading.now) or (claim.is_parked and not _is_left(claim, reading))
        if is_waiting and claim.version >= found.version:
            return False
        is_held = claim.state == "held" and reading.now < claim.until
        until = reading.now + timedelta(seconds=services.durations.queued)
        # A claim somebody holds is theirs to write: the message alone must do, and defers until they are done.
        if is_held or claims.mark_queued(services, claim, until, found.version):
            message = SyncMessage(reading.connector.key, sweep.name, record, found.version)
            services.queues.send(sweep.name, _sealed(services, message, found.body, reading.now).to_json())
            return True
        claim = claims.read(services, reading.connector.key, sweep.name, record)
    raise Retryable(f"The claim of {record} is written again and again.")


def in_turn(all_of_them: Sequence[T], most: int, reading: Reading) -> list[T]:
    """Return *all_of_them*, or as many as one night may read: another part every night, until all have had their turn."""
    turn = reading.now.toordinal() * most % len(all_of_them) if len(all_of_them) > most else 0
    return [*all_of_them[turn:], *all_of_them[:turn]][:most]


def want(
    work: Work | Reading, flow: str, table: str, xero_ids: Iterable[str], *, at_once: bool = True, afresh: bool = False
) -> None:
    """Have the next sweep of *flow* take these documents of Xero across, whatever its cursor says; *at_once*: by the next tick.

    One that is under way is enough, unless what it read may be out of date by now (*afresh*): then it is read once more.
    """
    services, key = work.services, work.connector.key
    wanted = [xero_id for xero_id in dict.fromkeys(map(str.lower, xero_ids)) if xero_lists.is_id(xero_id)]
    for xero_id in wanted:
        _wish(services, key, flow, f"{table}/{xero_id}", afresh=afresh)
    if wanted and at_once:
        runs.note(services.store, key, flow, asked="")


def _wish(services: Services, key: str, flow: str, record: str, *, afresh: bool) -> None:
    """Note a wish in the claim of *record*; who writes it at the same moment may have read the document before it changed."""
    for _ in range(TRIES):
        claim = claims.read(services, key, flow, record)
        if claim.etag and not afresh:
            return
        free = replace(claim, state="free") if claim.is_parked else claim  # what it was refused for may be over
        if claims.mark_queued(services, free, NEVER):
            return
    raise Retryable(f"The claim of {record} is written again and again.")


# ── one document ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def cross(source: FromXero, work: Work) -> Crossed:
    """Take the document of ``work.message`` across, unless a newer version of it already has; keep what crossed on its link."""
    link = links.read(work.services, work.connector, work.message.flow, work.message.record)
    version = work.message.version
    if link and (source.once or (version and version < link.version)):
        return Crossed("", "It has already crossed, in this version or a newer one.")
    found = _opened(work) or _read_again(source, work)
    if found is None:
        return Crossed("", "It is no longer in Xero, or concerns nothing in Dynamics 365 any more.")
    if link and found.version < link.version:
        return Crossed("", "It has already crossed, in a newer version.")
    work.fingerprint = work.services.secrets.keyed_hash(exact_json.dumps(found.body), "body")
    crossed = source.cross(work, found.body)
    row = crossed.row or (link.row if link else "")
    hashes = {} if work.is_behind else {"body": work.fingerprint}
    kept = Link(found.xero_id, hashes=hashes, version=found.version, row=row)
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
    """Return what rode along; None when nothing did, it was asked for since, or does not open any more: then it is read again.

    The other flows reach back by the overlap: what changed longer before they found a row made of this, they have read past.
    """
    if not work.message.sealed or work.claim.is_wish:
        return None
    try:
        told = exact_json.loads(work.services.secrets.open(work.message.sealed, work.message.identity))
    except ConfigurationError:
        return None
    work.is_old = work.now - datetime.fromisoformat(told["read"]) > _overlap(work.connector) / 2
    return Found(work.message.record_id, work.message.version, told["body"])


def _read_again(source: FromXero, work: Work) -> Found | None:
    reading = Reading(work.services, work.connector, work.lane, work.now)
    document = xero_lists.one(work.services, work.connector, source.xero_list, work.message.record_id, work.lane)
    return next(iter(source.choose(reading, [document])), None) if document else None


def _sealed(services: Services, message: SyncMessage, body: Json, read: datetime) -> SyncMessage:
    """Return *message* with *body* and the moment it was *read*, unless that is too large to ride along."""
    sealed = services.secrets.seal(exact_json.dumps({"read": read.isoformat(), "body": body}), message.identity)
    return replace(message, sealed=sealed) if len(sealed) <= MOST_SEALED else message


def _is_same(services: Services, link: Link, found: Found) -> bool:
    return services.secrets.is_hash_of(link.hashes.get("body", ""), exact_json.dumps(found.body), "body")


def _link(sweep: Sweep, xero_id: str) -> Link | None:
    reading = sweep.reading
    return links.read(reading.services, reading.connector, sweep.name, f"{sweep.table}/{xero_id}")


def _id(source: FromXero, document: Json) -> str:
    return str(document[source.xero_list.key]).lower()


def _overlap(connector: Connector) -> timedelta:
    """Return by how much a read reaches back: at least a second, because the cursor's own second may not have been over."""
    minutes = connector.settings.get("mag_overlapminutes")
    return max(timedelta(minutes=int(OVERLAP if minutes is None else minutes)), xero_lists.SECOND)
