"""A small Xero in memory, for what the stand-in cannot be made to do: a list that changes while it is read, rubbish, odd clocks.

It is a ``shared.services.Xero``: one list of invoices, read by If-Modified-Since, by ids or singly, as Xero documents it.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from shared.connectors import Connector, Json
from shared.errors import NotFound
from shared.services import Lane
from shared.xero.answers import xero_instant


def id_of(number: int) -> str:
    """Return an id whose order is that of *number*."""
    return str(uuid.UUID(int=number + (1 << 64)))


def ms(moment: datetime) -> str:
    """Write a moment as Xero does."""
    return f"/Date({(moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)}+0000)/"


class Books:
    """Invoices by id, oldest change first; ``before`` runs before each call and may change them or raise."""

    def __init__(self, *, includes_the_second: bool = True) -> None:
        self.documents: dict[str, Json] = {}
        self.extra: list[Any] = []
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.answers: list[Json] = []
        self.largest_page = 1000
        self.before: Callable[[int], None] = lambda number: None
        self.includes_the_second = includes_the_second

    def put(self, number: int, at: datetime, **fields: Any) -> str:
        """Write or change the invoice of *number* at a moment; return its id."""
        xero_id = id_of(number)
        document = {"InvoiceID": xero_id, "Total": Decimal(number), **self.documents.get(xero_id, {}), **fields}
        self.documents[xero_id] = {**document, "UpdatedDateUTC": ms(at)}
        return xero_id

    def call(
        self,
        connector: Connector,
        operation: str,
        *arguments: str,
        body: Json | None = None,
        key: str = "",
        lane: Lane = Lane.INVOICES,
        **options: Any,
    ) -> Json:
        self.calls.append((operation, options))
        self.before(len(self.calls))
        if self.answers:
            return self.answers.pop(0)
        if operation == "get_invoice":
            if arguments[0] not in self.documents:
                raise NotFound("Xero has no such document.")
            return {"Invoices": [copy.deepcopy(self.documents[arguments[0]])]}
        assert operation == "get_invoices", operation
        return self._list(options)

    def budget(self, connector: Connector, lane: Lane) -> int:
        return 60

    def _list(self, options: dict[str, Any]) -> Json:
        found = list(self.documents.values())
        if "i_ds" in options:
            found = [one for one in found if one["InvoiceID"] in options["i_ds"]]
        if "if_modified_since" in options:
            since = datetime.fromisoformat(options["if_modified_since"]).replace(tzinfo=UTC)
            if not self.includes_the_second:
                since += timedelta(seconds=1)
            found = [one for one in found if _changed(one) >= since]
            if not found and not self.extra:
                return {}
        rows: list[Any] = [*self.extra, *sorted(found, key=lambda one: (_changed(one), one["InvoiceID"]))]
        size, number = min(options["page_size"], self.largest_page), options["page"]
        page = copy.deepcopy(rows[(number - 1) * size : number * size])
        told = {"page": number, "pageSize": size, "pageCount": -(-len(rows) // size), "itemCount": len(rows)}
        return {"pagination": {name: Decimal(value) for name, value in told.items()}, "Invoices": page}


def _changed(document: Json) -> datetime:
    return xero_instant(str(document["UpdatedDateUTC"]))
