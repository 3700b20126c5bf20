"""What is due for a connector now; pure."""

from __future__ import annotations

from datetime import datetime

from functions.flows import Flow


def is_due(flow: Flow, last_run: datetime | None, now: datetime) -> bool:
    """Tell whether *flow* (with the connector's own settings) must look again at *now*."""
    return flow.enabled and (last_run is None or now >= last_run + flow.every)
