"""What is due for a connector now. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from functions.flows import BY_NAME, Flow
from functions.runs import Runs, last_asked

SETTINGS = "settings"
"""Stands for a flow in a sweep message that only reads the connector's settings again."""
SETTINGS_EVERY = timedelta(minutes=5)
"""How long a switch in Dynamics 365 may take to be noticed, whatever the connector's own settings say."""


def is_due(flow: Flow, last_run: datetime | None, now: datetime) -> bool:
    """Tell whether *flow* (with the connector's own settings) must look again at *now*."""
    return flow.enabled and (last_run is None or now >= last_run + flow.every)


def are_settings_due(runs: Runs, now: datetime) -> bool:
    """Tell whether no sweep has read the connector's settings for a while: every sweep reads them first."""
    asked = [last_asked(runs, name) for name in (SETTINGS, *BY_NAME)]
    return all(at is None or now >= at + SETTINGS_EVERY for at in asked)
