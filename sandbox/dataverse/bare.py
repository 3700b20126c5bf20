"""An environment's tables before the connector is installed: Dataverse's and Dynamics 365 Sales' own, nothing of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from solution.model import MODEL, TableModel

from . import platform

APP_ROLES = "appmoduleroles_association"  # who may open an app


def tables() -> Mapping[str, TableModel]:
    """Return the standard tables without a trace of a column, key or relationship that a publisher's prefix names."""
    found = {name: _bare(table) for name, table in MODEL.items() if not table.custom} | dict(platform.tables())
    for one, other in (("appmodule", "role"), ("role", "appmodule")):
        links = {**found[one].many_to_many, APP_ROLES: (other, "appmoduleroles")}
        found[one] = replace(found[one], many_to_many=links)
    return found


def _bare(table: TableModel) -> TableModel:
    return replace(
        table,
        columns={name: column for name, column in table.columns.items() if not _ours(name)},
        one_to_many={name: end for name, end in table.one_to_many.items() if not _ours(name)},
        many_to_many={name: end for name, end in table.many_to_many.items() if not _ours(name)},
        keys={name: columns for name, columns in table.keys.items() if not _ours(name)},
        description="",
    )


def _ours(name: str) -> bool:
    return name.startswith("mag_")
