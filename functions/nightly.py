"""Timer "nightly": every connector's flows from Xero read again what no date of change tells of (SPEC 3, 4; K08).

Xero does not move a document's UpdatedDateUTC for every change, and what is overdue changes with the day alone.
"""

from __future__ import annotations

import logging
from datetime import datetime

from functions import connectors
from functions.flows import FLOWS, SWEEPS
from functions.to_xero import ToXero
from mappings.choices import FullCheck
from shared.connectors import Connector
from shared.messages import SweepMessage
from shared.services import Services

log = logging.getLogger(__name__)

SUNDAY = 6


def nightly(services: Services, now: datetime) -> int:
    """Ask for a full sweep of every flow from Xero that has something to read again, and return how many were asked for."""
    asked = 0
    for connector in connectors.read_all(services.store):
        try:
            asked += _ask(connector, services, now)
        except Exception as error:  # reported, and the other connectors go on
            log.error("no full check of connector %s could be asked for: %s", connector.id, type(error).__name__)
    log.info("nightly: %d full sweeps asked for", asked)
    return asked


def _ask(connector: Connector, services: Services, now: datetime) -> int:
    if not connector.is_at_work or not _is_wanted(connector, now):
        return 0
    asked = 0
    for flow in FLOWS:
        has_more = not isinstance(flow.source, ToXero) and flow.source.reread is not None
        if has_more and flow.for_connector(connector).enabled:
            services.queues.send(SWEEPS, SweepMessage(connector.key, flow.name, full=True).to_json())
            asked += 1
    return asked


def _is_wanted(connector: Connector, now: datetime) -> bool:
    check = connectors.chosen(connector.settings, "mag_fullcheck", FullCheck, FullCheck.NIGHTLY)
    return check is FullCheck.NIGHTLY or (check is FullCheck.WEEKLY and now.astimezone(connector.zone).weekday() == SUNDAY)
