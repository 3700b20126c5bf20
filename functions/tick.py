"""Timer "tick": one sweep message per connector and due flow, and the poison queues drained (SPEC 3)."""

from __future__ import annotations

import logging
from datetime import datetime

from functions import connectors, poison
from functions.flows import FLOWS, SWEEPS
from functions.schedule import is_due
from shared.messages import SweepMessage
from shared.services import Services

log = logging.getLogger(__name__)
TABLE = "flowruns"


def tick(services: Services, now: datetime) -> int:
    """Enqueue what is due and return how many sweeps were asked for.

    The message is sent before the run is noted: a crash in between sweeps twice, which does no harm.
    """
    asked = 0
    for connector in connectors.read_all(services.store):
        if connector.state != "connected" or connector.settings.get("mag_enabled") is False:
            continue
        runs = {stored.row: stored for stored in services.store.rows(TABLE, connector.key)}
        for flow in (flow.for_connector(connector) for flow in FLOWS):
            stored = runs.get(flow.name)
            last_run = datetime.fromisoformat(stored.values["asked"]) if stored and stored.values.get("asked") else None
            if is_due(flow, last_run, now):
                services.queues.send(SWEEPS, SweepMessage(connector.key, flow.name).to_json())
                values = {**(stored.values if stored else {}), "asked": now.isoformat()}
                services.store.upsert(TABLE, connector.key, flow.name, values)
                asked += 1
    services.store.upsert(TABLE, "app", "tick", {"asked": now.isoformat()})
    drained = poison.drain(services, now)
    log.info("tick: %d sweeps asked for, %d poison messages drained", asked, drained)
    return asked
