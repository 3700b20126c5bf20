"""When a connector's flows ran, and what is due now (SPEC 3, 7: the rows of ``flowruns``)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from functions.flows import BY_NAME, Flow
from shared.errors import Changed
from shared.services import Store

TABLE = "flowruns"
SETTINGS = "settings"
"""Stands for a flow in a sweep message that only reads the connector's settings again."""
SETTINGS_EVERY = timedelta(minutes=5)
"""How long a switch in Dynamics 365 may take to be noticed, whatever the connector's own settings say."""

Runs = Mapping[str, Mapping[str, Any]]


def runs(store: Store, connector: str) -> Runs:
    """Return the runs of a connector (its key) by flow name."""
    return {stored.row: stored.values for stored in store.rows(TABLE, connector)}


def note(store: Store, connector: str, name: str, **values: Any) -> None:
    """Change some values of a run and leave the others as they are by now: the tick and a sweep write the same row."""
    while True:
        stored = store.read(TABLE, connector, name)
        try:
            if stored is None:
                store.insert(TABLE, connector, name, values)
            else:
                store.replace(TABLE, connector, name, {**stored.values, **values}, stored.etag)
            return
        except Changed:
            continue


def last_asked(runs: Runs, name: str) -> datetime | None:
    """Return when a sweep of *name* was last asked for; None when it never was, or is wanted again at once."""
    asked = runs.get(name, {}).get("asked")
    return datetime.fromisoformat(str(asked)) if asked else None


def is_due(flow: Flow, last_run: datetime | None, now: datetime) -> bool:
    """Tell whether *flow* (with the connector's own settings) must look again at *now*."""
    return flow.enabled and (last_run is None or now >= last_run + flow.every)


def are_settings_due(runs: Runs, now: datetime) -> bool:
    """Tell whether no sweep has read the connector's settings for a while: every sweep reads them first."""
    asked = [last_asked(runs, name) for name in (SETTINGS, *BY_NAME)]
    return all(at is None or now >= at + SETTINGS_EVERY for at in asked)
