"""A connector: one Dataverse environment with one Xero organisation, sealed to both (SPEC 1, 7)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from shared.errors import ConfigurationError

Json = dict[str, Any]


@dataclass(frozen=True)
class Connector:
    """A row of the ``connectors`` table.

    ``environment`` is the host (and port, if not 443) of the Dataverse environment, ``id`` the mag_xeroconnector row's id,
    ``organisation`` the Xero tenant id, ``environment_id`` the OrganizationId WhoAmI gave when it was connected,
    ``grant`` the row key of ``grants``; ``settings`` is the mag_xeroconnector row itself as last read, lookups expanded.
    ``state`` is connected, disconnected, needs_reconnect, needs_scope or wrong_books.
    """

    environment: str
    id: str
    organisation: str
    organisation_name: str
    short_code: str
    environment_id: str
    seal: str
    grant: str
    time_zone: str
    state: str
    app_id: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Name the connector everywhere outside this row: unique even when an environment was copied."""
        return f"{self.environment}|{self.id}"

    @property
    def flows(self) -> dict[str, Mapping[str, Any]]:
        """Return the connector's own mag_xeroflow rows by flow name; they stand under "flows" in the settings."""
        return {str(row["mag_flow"]): row for row in self.settings.get("flows", ())}

    @property
    def zone(self) -> ZoneInfo:
        """Return the time zone, or raise ConfigurationError."""
        zone = zone_of(self.time_zone)
        if zone is None:
            raise ConfigurationError(f'The Time Zone "{self.time_zone}" of the Xero Connector is not known.')
        return zone

    @property
    def is_at_work(self) -> bool:
        """Tell whether the connector is connected and enabled."""
        return self.state == "connected" and self.settings.get("mag_enabled") is not False

    @property
    def is_sealed(self) -> bool:
        """Tell whether the seal fits what the row says."""
        return self.seal == seal(self.environment, self.environment_id, self.id, self.organisation)


def zone_of(name: str) -> ZoneInfo | None:
    """Return the time zone of an IANA name, None when there is none of that name."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # not found, no name of a file, a folder
        return None


def seal(environment: str, environment_id: str, connector_id: str, organisation: str) -> str:
    """Derive the seal that binds a connector to one environment and one organisation (promise 4 of SPEC 1)."""
    return hashlib.sha256("|".join((environment, environment_id, connector_id, organisation)).lower().encode()).hexdigest()
