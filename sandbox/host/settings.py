"""What the host is told: local.settings.json, host.json with its overrides, and connections to storage."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from azure.core.credentials import TokenCredential
from azure.data.tables import TableServiceClient
from azure.storage.queue import QueueServiceClient

OVERRIDE = "AzureFunctionsJobHost__"
TIMESPAN = re.compile(r"(?:(?P<days>\d+)\.)?(?P<hours>\d{1,2}):(?P<minutes>\d{2})(?::(?P<seconds>\d{2}(?:\.\d+)?))?")
# The host makes its own second attempts: hidden ones would hold a lease longer than it lasts.
CLIENT: dict[str, Any] = {"retry_total": 0, "connection_timeout": 10, "read_timeout": 30}


class HostError(Exception):
    """The host, or one function, cannot start; the message is one sentence for whoever started it."""


@dataclass(frozen=True)
class QueueOptions:
    """host.json ``extensions.queues`` with Azure's defaults; ``lease`` is how long a taken message stays hidden."""

    batch_size: int = 16
    new_batch_threshold: int = 8
    max_dequeue_count: int = 5
    visibility_timeout: timedelta = timedelta(0)
    max_polling_interval: timedelta = timedelta(minutes=1)
    base64: bool = True
    lease: timedelta = timedelta(minutes=10)


@dataclass(frozen=True)
class HostOptions:
    """Everything host.json and its overrides decide."""

    queues: QueueOptions
    route_prefix: str
    log_levels: Mapping[str, str]


def load_values(path: Path) -> dict[str, Any]:
    """Put the Values of a local.settings.json into the environment, where what is there wins; return the whole file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise HostError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise HostError(f"{path} is not JSON: {error}.") from error
    if not isinstance(content, dict) or not isinstance(content.get("Values", {}), dict):
        raise HostError(f'{path} must hold an object with an object "Values".')
    if content.get("IsEncrypted"):
        raise HostError(f"{path} is encrypted; only `func` can read it: run `func settings decrypt`.")
    for name, value in content.get("Values", {}).items():
        if isinstance(value, dict | list):
            raise HostError(f'{path}: the value of "{name}" must be text, not {type(value).__name__}.')
        os.environ.setdefault(name, "" if value is None else str(value).lower() if isinstance(value, bool) else str(value))
    return content


def load_host(root: Path, environment: Mapping[str, str]) -> HostOptions:
    """Read host.json below ``root`` and lay the AzureFunctionsJobHost__ settings over it; raises HostError."""
    try:
        content = json.loads((root / "host.json").read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise HostError(f"{root / 'host.json'} is missing: this folder is not a function app.") from None
    except ValueError as error:
        raise HostError(f"{root / 'host.json'} is not JSON: {error}.") from error
    if not isinstance(content, dict) or content.get("version") != "2.0":
        raise HostError(f'{root / "host.json"} must hold an object with "version": "2.0".')
    tree = _lower(content)
    for name, value in environment.items():
        if name.lower().startswith(OVERRIDE.lower()):
            *path, last = name[len(OVERRIDE) :].lower().split("__")
            branch = tree
            for part in path:
                branch = branch.setdefault(part, {})
            branch[last] = value
    extensions = tree.get("extensions", {})
    return HostOptions(
        queues=_queue_options(extensions.get("queues", {}), environment),
        route_prefix=str(extensions.get("http", {}).get("routeprefix", "api")).strip("/"),
        log_levels={category: str(level) for category, level in tree.get("logging", {}).get("loglevel", {}).items()},
    )


def _queue_options(found: Mapping[str, Any], environment: Mapping[str, str]) -> QueueOptions:
    batch = _number(found, "batchSize", 16, 1, 32)
    encoding = str(found.get("messageencoding", "base64")).lower()
    if encoding not in ("base64", "none"):
        raise HostError(f"host.json: extensions.queues.messageEncoding is {encoding!r}; it can be base64 or none.")
    polling = _timespan(found, "maxPollingInterval", timedelta(minutes=1))
    if polling < timedelta(milliseconds=100):
        raise HostError("host.json: extensions.queues.maxPollingInterval must be at least 00:00:00.1.")
    lease = environment.get("SANDBOX_QUEUE_LEASE_SECONDS") or "600"
    if not lease.isdecimal() or not 1 <= int(lease) <= 604_800:
        raise HostError(f"SANDBOX_QUEUE_LEASE_SECONDS is {lease!r}; it must be whole seconds from 1 to 604800.")
    return QueueOptions(
        batch_size=batch,
        new_batch_threshold=_number(found, "newBatchThreshold", batch // 2 * (os.cpu_count() or 1), 0, 10_000),
        max_dequeue_count=_number(found, "maxDequeueCount", 5, 1, 10_000),
        visibility_timeout=_timespan(found, "visibilityTimeout", timedelta(0)),
        max_polling_interval=polling,
        base64=encoding == "base64",
        lease=timedelta(seconds=int(lease)),
    )


def _lower(value: Any) -> Any:
    """Write every key in lower case: the host's configuration does not tell cases apart."""
    return {key.lower(): _lower(item) for key, item in value.items()} if isinstance(value, dict) else value


def _number(found: Mapping[str, Any], name: str, default: int, low: int, high: int) -> int:
    value = str(found.get(name.lower(), default))
    if not value.isdecimal() or not low <= int(value) <= high:
        raise HostError(f"host.json: extensions.queues.{name} is {value!r}; it must be a whole number from {low} to {high}.")
    return int(value)


def _timespan(found: Mapping[str, Any], name: str, default: timedelta) -> timedelta:
    if name.lower() not in found:
        return default
    match = TIMESPAN.fullmatch(str(found[name.lower()]))
    if not match:
        raise HostError(f"host.json: extensions.queues.{name} is {found[name.lower()]!r}; it must look like 00:00:30.")
    return timedelta(**{unit: float(amount or 0) for unit, amount in match.groupdict().items()})


def resolve(text: str, environment: Mapping[str, str]) -> str:
    """Replace every ``%NAME%`` by that setting; raises HostError naming the one that is missing."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if not environment.get(name):
            raise HostError(f"the setting {name} is missing (it is asked for as %{name}%).")
        return environment[name]

    return re.sub(r"%([^%\s]+)%", value, text)


def is_disabled(function: str, environment: Mapping[str, str]) -> bool:
    """Tell whether ``AzureWebJobs.<Function>.Disabled`` is set (underscores where a shell cannot write dots)."""
    spellings = (f"AzureWebJobs{mark}{function}{mark}Disabled" for mark in (".", "_", "__"))
    return any(environment.get(name, "").lower() in ("true", "1") for name in spellings)


@lru_cache
def queues(connection: str) -> QueueServiceClient:
    """Return the queue service a connection name stands for; raises HostError when no setting gives it."""
    text, endpoint, prefix = _account(connection, "queue")
    if text:
        return QueueServiceClient.from_connection_string(text, **CLIENT)
    return QueueServiceClient(endpoint, credential=_credential(prefix), **CLIENT)


@lru_cache
def tables(connection: str) -> TableServiceClient:
    """Return the table service a connection name stands for; raises HostError when no setting gives it."""
    text, endpoint, prefix = _account(connection, "table")
    if text:
        return TableServiceClient.from_connection_string(text, **CLIENT)
    return TableServiceClient(endpoint, credential=_credential(prefix), **CLIENT)


def _account(connection: str, service: str) -> tuple[str, str, str]:
    """Return (connection string, endpoint, prefix of the identity settings); one of the first two is empty."""
    connection = connection or "AzureWebJobsStorage"
    for prefix in (connection, f"AzureWebJobs{connection}"):
        if text := os.environ.get(prefix):
            return text, "", prefix
        if endpoint := os.environ.get(f"{prefix}__{service}ServiceUri"):
            return "", endpoint, prefix
        if account := os.environ.get(f"{prefix}__accountName"):
            return "", f"https://{account}.{service}.core.windows.net", prefix
    names = f"{connection}, {connection}__{service}ServiceUri or {connection}__accountName"
    raise HostError(f"no setting gives the connection {connection}: set {names}.")


def _credential(prefix: str) -> TokenCredential:
    from azure.identity import ClientSecretCredential, DefaultAzureCredential, ManagedIdentityCredential

    given = {name: os.environ.get(f"{prefix}__{name}", "") for name in ("credential", "clientId", "tenantId", "clientSecret")}
    if given["credential"].lower() == "managedidentity":
        return ManagedIdentityCredential(client_id=given["clientId"] or None)
    if given["tenantId"] and given["clientId"] and given["clientSecret"]:
        return ClientSecretCredential(given["tenantId"], given["clientId"], given["clientSecret"])
    return DefaultAzureCredential()
