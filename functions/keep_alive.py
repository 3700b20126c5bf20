"""Timer "keep-alive": finish interrupted refreshes, keep idle consents from ageing away, and say which are gone (SPEC 10)."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from functions import connectors
from functions.sync import STATES
from shared.errors import ConnectorError
from shared.services import Services

log = logging.getLogger(__name__)


def keep_alive(failed: Mapping[str, ConnectorError], services: Services) -> int:
    """Mark the connectors of the grants that *failed* for good (grant → error) and return how many are marked."""
    marked = 0
    for grant, error in failed.items():
        state = STATES.get(type(error))
        log.warning("keep-alive of a grant failed: %s", type(error).__name__)
        if state is None:
            continue  # the wires: the next turn of the timer tries again
        for connector in connectors.read_all(services.store):
            if connector.grant == grant and connector.state == "connected":
                connectors.mark(services, connector, state)
                marked += 1
    return marked
