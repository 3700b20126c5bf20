"""Queue "sweeps": read the source for due records and release one message for each, within the organisation's budget (SPEC 3, 9).

The backlog stays at the source: what the budget does not allow now is found again by the next sweep.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain

from functions import claim as claims
from functions import connectors, reference_data, sync
from functions.claim import NEVER, Claim
from functions.flows import BY_NAME, Flow
from functions.tick import TABLE
from shared.connectors import Connector
from shared.errors import BadMessage, ConfigurationError, ConnectorError, Throttled, WrongBooks
from shared.messages import SweepMessage, SyncMessage
from shared.services import Services

log = logging.getLogger(__name__)

PARKED_AT_ONCE = 25
"""How many parked records a sweep compares with what they were refused with; the next sweep goes on with the others."""


def sweep(text: str, services: Services, now: datetime) -> int:
    """Sweep the flow and connector that the message *text* names and return how many records were released.

    Anticipated failures are noted on the flow's run and on the connector; the next tick sweeps again.
    """
    try:
        message = SweepMessage.from_json(text)
        flow = BY_NAME.get(message.flow)
        connector = connectors.find(services.store, message.connector)
        if flow is None or connector is None:
            raise BadMessage("The sweep message names an unknown flow or connector.")
    except BadMessage as error:
        sync.unreadable(error, services, now)
        return 0
    if connector.state != "connected":
        return 0
    try:
        connector = connectors.refresh(services, connector)
        sync.check_seal(connector)
        if connector.settings.get("mag_enabled") is False:
            return 0
        released = _release(flow.for_connector(connector), connector, services, now)
        _note(services, connector, flow, now, released, "")
    except ConnectorError as error:
        _note(services, connector, flow, now, 0, f"{type(error).__name__}: {error}")
        if isinstance(error, WrongBooks):
            connectors.mark(services, connector, "wrong_books")
        log.warning("sweep of %s for %s failed: %s", flow.name, connector.id, type(error).__name__)
        return 0
    log.info("sweep of %s for %s: %d released", flow.name, connector.id, released)
    return released


def _release(flow: Flow, connector: Connector, services: Services, now: datetime) -> int:
    held = claims.read_all(services, connector.key, flow.name)
    under_way = sum(claim.is_busy(now) for claim in held.values())
    allowance = services.xero.budget(connector, flow.lane) // flow.calls - under_way
    records = flow.due(connector, services, now)
    first = next(records, None)
    if first is None:
        return 0
    _refresh_reference_data(services, connector, now)
    released = 0
    parked: list[tuple[str, str]] = []
    for record, version, asked_again in chain((first,), records):
        if released >= allowance:
            break
        claim = held.get(record) or claims.unclaimed(connector.key, flow.name, record)
        if claim.is_busy(now):
            continue
        if claim.is_parked and not asked_again and not _has_come(claim, now):
            parked.append((record, version))
            continue
        released += _send(
            services, connector, flow, record, version, claim, now, "user" if asked_again and claim.is_parked else "sweep"
        )
    if connector.settings.get("mag_autoretryonfix") is False:
        return released
    for record, version in _changed(flow, connector, services, parked, held, now):
        if released >= allowance:
            break
        released += _send(services, connector, flow, record, version, held[record], now, "change")
    return released


def _send(
    services: Services, connector: Connector, flow: Flow, record: str, version: str, claim: Claim, now: datetime, reason: str
) -> int:
    """Note first that a message is under way, then send it: two sweeps at once release a record once."""
    if not claims.mark_queued(services, claim, now + timedelta(seconds=services.durations.queued)):
        return 0
    services.queues.send(flow.name, SyncMessage(connector.key, flow.name, record, version, reason=reason).to_json())
    return 1


def _changed(
    flow: Flow, connector: Connector, services: Services, parked: list[tuple[str, str]], held: dict[str, Claim], now: datetime
) -> Iterator[tuple[str, str]]:
    """Yield the parked records that are no longer what they were refused as: a few each time, in turn, in one round trip."""
    if not parked:
        return
    turn = int(now.timestamp() // max(flow.every.total_seconds(), 60)) * PARKED_AT_ONCE % len(parked)
    some = (parked[turn:] + parked[:turn])[:PARKED_AT_ONCE]
    loaded = flow.load(connector, services, [record.partition("/")[2] for record, _ in some])
    for (record, version), row in zip(some, loaded, strict=True):
        if row is not None and flow.fingerprint(row, connector, services) != held[record].fingerprint:
            yield record, version


def _refresh_reference_data(services: Services, connector: Connector, now: datetime) -> None:
    """Bring accounts, tax rates, themes and tracking up to date when something is due; a fault here holds nothing back."""
    try:
        reference_data.refresh_if_due(connector, services, now)
    except (ConfigurationError, Throttled):
        raise
    except ConnectorError as error:
        log.warning("reference data of %s: %s", connector.id, type(error).__name__)


def _has_come(claim: Claim, now: datetime) -> bool:
    return claim.due != NEVER and now >= claim.due


def _note(services: Services, connector: Connector, flow: Flow, now: datetime, released: int, error: str) -> None:
    stored = services.store.read(TABLE, connector.key, flow.name)
    values = {**(stored.values if stored else {}), "last_run": now.isoformat(), "released": released, "last_error": error[:500]}
    services.store.upsert(TABLE, connector.key, flow.name, values)
