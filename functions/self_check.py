"""What the app checks about itself when it starts and whenever /health is asked: settings, key vault, versions, storage, clock."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from urllib.parse import unquote

from shared.services import StoredRow
from shared.settings import AppSettings

OK, WARNING, FAILED = "ok", "warning", "failed"
OLDEST, NEWEST = (3, 11), (3, 13)
PACKAGES = ("azure-functions", "azure-data-tables", "azure-storage-queue", "azure-identity", "xero-python")
UNRESOLVED = "@Microsoft.KeyVault("
MOST_SKEW = timedelta(seconds=30)
"""Less than the fence has to spare before a lease ends (shared/durations.py)."""

_WRITTEN = re.compile(r"datetime'([0-9T%A-Fa-f:.+-]+?)(\.[0-9]+)?Z'")


@dataclass(frozen=True)
class Check:
    """One thing looked at; ``state`` is ok, warning or failed, ``detail`` a sentence for an administrator that names no secret."""

    name: str
    state: str = OK
    detail: str = ""


def at_start(settings: AppSettings, python: tuple[int, int] = sys.version_info[:2]) -> tuple[Check, ...]:
    """Check what cannot change while the process runs. What the app cannot live without has refused the start already."""
    return (_settings(settings), _key_vault(settings), _versions(python))


@cache
def versions() -> dict[str, str]:
    """Return the version of Python and of the packages that talk to others; looked up once, for it takes milliseconds."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": ".".join(str(part) for part in sys.version_info[:3])}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "missing"
    return found


def clock(written: StoredRow, asked: datetime) -> Check:
    """Compare our clock with storage's: the row's ETag is the time storage wrote it, *asked* our time just before."""
    found = _WRITTEN.search(written.etag)
    if found is None:
        return Check("clock", OK, "Storage does not tell its time.")
    skew = datetime.fromisoformat(unquote(found[1])).replace(tzinfo=UTC) - asked
    if abs(skew) > MOST_SKEW:
        return Check("clock", FAILED, f"The clock is {int(abs(skew).total_seconds())} s off storage's: leases are not safe.")
    return Check("clock")


def _settings(settings: AppSettings) -> Check:
    if settings.is_local:
        return Check("settings")
    if settings.time_scale != 1:
        return Check("settings", FAILED, "PROTOCOL_TIME_SCALE is for tests: leases are too short.")
    if not settings.is_behind_entra:
        return Check("settings", FAILED, "App Service authentication is off: the portal is closed to everybody.")
    if not settings.xero_webhook_key:
        return Check("settings", WARNING, "XERO_WEBHOOK_KEY is empty: changes in Xero are found on schedule only.")
    return Check("settings")


def _key_vault(settings: AppSettings) -> Check:
    secrets = {
        "XERO_CLIENT_SECRET": settings.xero_client_secret,
        "XERO_WEBHOOK_KEY": settings.xero_webhook_key,
        "DATAVERSE_CLIENT_SECRET": settings.dataverse_client_secret,
        "DATAVERSE_CLIENT_CERTIFICATE": settings.dataverse_client_certificate,
    }
    unread = [name for name, text in secrets.items() if text.startswith(UNRESOLVED)]
    if unread:
        detail = (
            f"{', '.join(unread)} could not be read: the secret is missing, or the app lacks the role Key Vault Secrets User."
        )
        return Check("key vault", FAILED, detail)
    return Check("key vault")


def _versions(python: tuple[int, int]) -> Check:
    missing = [name for name, found in versions().items() if found == "missing"]
    if missing:
        return Check("versions", FAILED, f"Not installed: {', '.join(missing)}. Deploy again with a remote build.")
    if not OLDEST <= python <= NEWEST:
        return Check("versions", WARNING, f"Python {python[0]}.{python[1]} was not tested with this release.")
    return Check("versions")
