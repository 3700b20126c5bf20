"""When a connector's flows ran and how far they have read (SPEC 3, 7: the rows of ``flowruns``)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shared.errors import Changed
from shared.services import Store

TABLE = "flowruns"

Runs = Mapping[str, Mapping[str, Any]]


def read_all(store: Store, connector: str) -> Runs:
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
