"""Timer "tick": one sweep message per connector and due flow, and the poison queues drained (SPEC 3)."""

from __future__ import annotations

import logging
from datetime import datetime

from functions import connectors, poison, runs, schedule
from functions.flows import FLOWS, SWEEPS
from shared import telemetry
from shared.connectors import Connector
from shared.messages import SweepMessage
from shared.services import Services

log = logging.getLogger(__name__)


def tick(services: Services, now: datetime) -> int:
    """Enqueue what is due and return how many sweeps were asked for; a connector that cannot be asked holds back no other."""
    asked = 0
    for connector in connectors.read_all(services.store):
        is_out = connector.state != "connected"
        telemetry.measure("connector.disconnected", int(is_out), connector=connector.key, state=connector.state)
        try:
            asked += _ask(connector, services, now)
        except Exception as error:  # reported, and the others go on
            log.error("no sweep of connector %s could be asked for: %s", connector.id, type(error).__name__)
    services.store.upsert(runs.TABLE, "app", "tick", {"asked": now.isoformat()})
    drained = poison.drain(services, now)
    telemetry.measure("connector.ticks")
    log.info("tick: %d sweeps asked for, %d poison messages drained", asked, drained)
    return asked


def _ask(connector: Connector, services: Services, now: datetime) -> int:
    """Ask for the sweeps of the flows that are due; where none is, now and then for one that only reads the settings again.

    Without it nobody would notice that a connector or a flow was switched on again, or is to look more often. The message is sent
    before the run is noted: a crash in between sweeps twice, which does no harm.
    """
    ran = runs.read_all(services.store, connector.key)
    due: list[str] = []
    if connector.is_at_work:
        flows = [flow.for_connector(connector) for flow in FLOWS]
        due = [flow.name for flow in flows if schedule.is_due(flow, runs.last_asked(ran, flow.name), now)]
    if not due and schedule.are_settings_due(ran, now):
        due = [schedule.SETTINGS]
    for name in due:
        services.queues.send(SWEEPS, SweepMessage(connector.key, name).to_json())
        runs.note(services.store, connector.key, name, asked=now.isoformat())
    return len(due)
