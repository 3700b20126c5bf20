"""Send registered webhooks: the RemoteExecutionContext as JSON, asynchronously, after the change is committed.

Source: Microsoft Learn, "Use webhooks to create external handlers for server events" and "Register a webhook": 60 s time-out,
one retry and only for 502, 503 and 504.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import requests

from . import rows
from .environment import Environment, Event
from .store import CHOICES, Reference, Row, Value

WEBHOOK = 8
KEY, HEADER, QUERY = 4, 5, 6
ENABLED = 0
CONTRACTS = "http://schemas.microsoft.com/xrm/2011/Contracts"
RETRIED = frozenset({502, 503, 504})
TIMEOUT = 60
SETTING = re.compile(r"""<setting\s+name=["']([^"']+)["']\s+value=["']([^"']*)["']""")


@dataclass(frozen=True)
class Delivery:
    """What became of one webhook: where it went, what about, the last status (0: no answer) and how often it was tried."""

    url: str
    message: str
    table: str
    id: str
    status: int
    attempts: int


class Webhooks:
    """Deliver events to the endpoints registered in the environment's own rows."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="dataverse-webhook")
        self._pending: list[Future[None]] = []
        self.deliveries: list[Delivery] = []

    def publish(self, environment: Environment, events: list[Event]) -> None:
        """Queue every registered step the events fire."""
        for event in events:
            for endpoint in list(_endpoints(environment, event)):
                body = rows.dump(context(environment, event))
                self._pending.append(self._pool.submit(self._deliver, environment, endpoint, event, body))

    def join(self) -> list[Delivery]:
        """Wait until every queued webhook has been tried; return all deliveries so far."""
        while self._pending:
            self._pending.pop().result()
        return list(self.deliveries)

    def close(self) -> None:
        """Stop delivering."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _deliver(self, environment: Environment, endpoint: Row, event: Event, body: bytes) -> None:
        url, headers = _address(endpoint)
        headers |= {
            "Content-Type": "application/json; charset=utf-8",
            "x-ms-dynamics-organization": environment.host,
            "x-ms-dynamics-entity-name": event.table,
            "x-ms-dynamics-request-name": event.message,
        }
        status, attempts = 0, 0
        while attempts < 2:
            attempts += 1
            try:
                status = requests.post(url, data=body, headers=headers, timeout=TIMEOUT).status_code
            except requests.RequestException:
                status = 0
            if status not in RETRIED:
                break
        self.deliveries.append(Delivery(str(endpoint["url"]), event.message, event.table, event.id, status, attempts))


def _endpoints(environment: Environment, event: Event) -> Iterator[Row]:
    store = environment.store
    for step in store.select("sdkmessageprocessingstep"):
        message = environment.referenced(step["sdkmessageid"])
        limits = environment.referenced(step["sdkmessagefilterid"])
        endpoint = environment.referenced(step["eventhandler"])
        if step["statecode"] != ENABLED or message is None or message["name"] != event.message:
            continue
        if limits is not None and limits["primaryobjecttypecode"] != event.table:
            continue
        watched = {name.strip() for name in str(step["filteringattributes"] or "").split(",") if name.strip()}
        if event.message == "Update" and watched and not watched & set(event.values):
            continue
        if endpoint is not None and endpoint["contract"] == WEBHOOK:
            yield endpoint


def _address(endpoint: Row) -> tuple[str, dict[str, str]]:
    url, secret = str(endpoint["url"]), str(endpoint["authvalue"] or "")
    settings = dict(SETTING.findall(secret))
    if endpoint["authtype"] == HEADER:
        return url, settings
    query = {"code": secret} if endpoint["authtype"] == KEY else settings
    return f"{url}{'&' if '?' in url else '?'}{urlencode(query)}", {}


def context(environment: Environment, event: Event) -> dict[str, Any]:
    """Return the RemoteExecutionContext of an event."""
    target: dict[str, Any] = {"Id": event.id, "LogicalName": event.table}
    if event.message in ("Create", "Update"):
        columns = environment.model[event.table].columns
        target |= {
            "__type": f"Entity:{CONTRACTS}",
            "Attributes": [
                {"key": name, "value": _value(columns[name].type, value)}
                for name, value in event.values.items()
                if name in columns
            ],
        }
    else:
        target["__type"] = f"EntityReference:{CONTRACTS}"
    correlation = environment.derived("correlation")
    return {
        "BusinessUnitId": None,
        "CorrelationId": correlation,
        "Depth": 1,
        "InitiatingUserId": event.caller.user,
        "InputParameters": [{"key": "Target", "value": target}],
        "IsExecutingOffline": False,
        "IsInTransaction": False,
        "MessageName": event.message,
        "Mode": 1,
        "OperationCreatedOn": _date(environment.now),
        "OperationId": environment.derived("operation"),
        "OrganizationId": environment.organization_id,
        "OrganizationName": environment.host,
        "OutputParameters": [],
        "ParentContext": None,
        "PostEntityImages": [],
        "PreEntityImages": [],
        "PrimaryEntityId": event.id,
        "PrimaryEntityName": event.table,
        "RequestId": correlation,
        "SecondaryEntityName": "none",
        "SharedVariables": [],
        "Stage": 40,
        "UserId": event.caller.user,
    }


def _value(kind: str, value: Value) -> Any:
    match value:
        case Reference(table, row_id):
            return {"__type": f"EntityReference:{CONTRACTS}", "Id": row_id, "LogicalName": table}
        case int() if kind in CHOICES:
            return {"__type": f"OptionSetValue:{CONTRACTS}", "Value": value}
        case Decimal() if kind == "money":
            return {"__type": f"Money:{CONTRACTS}", "Value": value}
        case str() if kind in ("date", "datetime"):
            return _date(value)
    return value


def _date(text: str) -> str:
    moment = datetime.fromisoformat(text if "T" in text else f"{text}T00:00:00Z")
    return f"/Date({int(moment.timestamp() * 1000)})/"
