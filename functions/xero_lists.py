"""The lists of Xero that are read for what changed: page by page since a moment, by ids, or one document (SPEC 7; K08).

Pages are sought, not counted: the next one begins a second before the last change of this one, so that a document that moves to the
end of the list while it is read cannot push another one across the border of two pages. Only when a whole page changed within one
second is the next page counted, and what was counted is read over until it is the same twice.
Sources: Xero, "Requests and responses" (paging, If-Modified-Since).
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from mappings.convert import CONTROL
from shared.connectors import Connector, Json
from shared.errors import NotFound, Retryable
from shared.services import Lane, Services
from shared.xero.answers import EPOCH, xero_date, xero_instant
from shared.xero.where import any_of

AT_ONCE = 40
"""How many ids one address may hold (Xero, "Requests and responses")."""
ENDLESS = 100
"""After how many pages we take it that the list does not end."""
SECOND = timedelta(seconds=1)
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
CHANGED = "UpdatedDateUTC"


@dataclass(frozen=True)
class XeroList:
    """One list of the Accounting API.

    ``name`` is its name in Xero's answers, ``key`` the id of its documents, ``many`` and ``one`` the operations that read it, ``ids``
    the option that takes ids, or "" where they go into a filter. ``options`` go along with every read of the list.
    """

    name: str
    key: str
    many: str
    one: str
    ids: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    one_options: Mapping[str, Any] = field(default_factory=dict)
    page_size: int = 1000


@dataclass(frozen=True)
class Page:
    """Documents that changed, oldest change first, and the moment up to which the list is now read (None: no further than before)."""

    documents: list[Json]
    read_to: datetime | None
    is_last: bool = False


# fmt: off
UNITS = {"unitdp": 4}
INVOICES = XeroList("Invoices", "InvoiceID", "get_invoices", "get_invoice", "i_ds", UNITS, UNITS)
PAYMENTS = XeroList("Payments", "PaymentID", "get_payments", "get_payment")
CREDIT_NOTES = XeroList("CreditNotes", "CreditNoteID", "get_credit_notes", "get_credit_note", "", UNITS, UNITS)
CONTACTS = XeroList("Contacts", "ContactID", "get_contacts", "get_contact", "i_ds", {"include_archived": True})
# fmt: on


def changed_since(
    services: Services, connector: Connector, xero_list: XeroList, since: datetime, lane: Lane, *, until: datetime | None = None
) -> Iterator[Page]:
    """Yield the pages of what changed since *since*, each document once in each of its versions; one call a page.

    A change dated after *until* tells nothing of how far the list is read: somebody's clock is wrong. Raises what Xero.call raises;
    Retryable when an answer holds no list, which must never be read as an empty one, or when the list does not end.
    """
    since, number = since.replace(microsecond=0), 1
    seen: set[tuple[str, str]] = set()
    counted: list[list[tuple[str, str]]] = []
    before: list[list[tuple[str, str]]] = []
    for _ in range(ENDLESS):
        changed: dict[str, Any] = {"if_modified_since": f"{since:%Y-%m-%dT%H:%M:%S}", "order": f"{CHANGED} ASC"}
        found, pages = read_page(services, connector, xero_list, number, lane, **changed)
        is_last = pages <= number
        versions = [(str(one[xero_list.key]), version(one)) for one in found]
        new = [one for one, told in zip(found, versions, strict=True) if told not in seen]
        seen.update(versions)
        counted.append(versions)
        moments = [moment for one in found if (moment := changed_at(one)) is not None and (until is None or moment <= until)]
        read_to = max(moments, default=None)
        goes_on = (read_to - SECOND).replace(microsecond=0) if read_to else since
        if not is_last and goes_on <= since:  # the whole page changed within a second
            yield Page(new, None)
            number += 1
        elif number > 1 and counted != before:
            # A document that moves to the end draws others across the borders: only what is the same twice was read whole.
            yield Page(new, None)
            number, before, counted = 1, counted, []
        else:
            yield Page(new, read_to, is_last)
            if is_last:
                return
            since, number, before, counted = goes_on, 1, [], []
    raise Retryable(f"Xero's list of {xero_list.name} does not end.")


def by_ids(services: Services, connector: Connector, xero_list: XeroList, ids: Sequence[str], lane: Lane) -> list[Json]:
    """Return the documents of these ids that Xero has, whatever their status: one call for 40. What is no id names none."""
    found: list[Json] = []
    ids = [xero_id for xero_id in dict.fromkeys(ids) if is_id(xero_id)]
    for start in range(0, len(ids), AT_ONCE):
        some = ids[start : start + AT_ONCE]
        options: dict[str, Any] = {xero_list.ids: some} if xero_list.ids else {"where": among(xero_list.key, some)}
        documents, _ = read_page(services, connector, xero_list, 1, lane, size=AT_ONCE, **options)
        found += documents
    return found


def read_page(
    services: Services, connector: Connector, xero_list: XeroList, number: int, lane: Lane, *, size: int = 0, **options: Any
) -> tuple[list[Json], int]:
    """Return one page of the documents that *options* choose, and how many pages there are as far as this one tells: one call.

    Xero may give fewer a page than were asked for. Raises Retryable when the answer holds no list.
    """
    size = size or xero_list.page_size
    answer = services.xero.call(connector, xero_list.many, lane=lane, **xero_list.options, **options, page=number, page_size=size)
    if not answer and "if_modified_since" in options:  # 304: nothing changed
        return [], number
    documents = _documents(answer, xero_list)
    count = len(answer[xero_list.name])  # rubbish counts too: it filled the page
    pagination = answer.get("pagination")
    told = pagination.get("pageCount") if isinstance(pagination, dict) else None
    at_least = number + 1 if count >= size else number
    return documents, max(at_least, int(told)) if count and isinstance(told, Decimal | int) else at_least


def one(services: Services, connector: Connector, xero_list: XeroList, xero_id: str, lane: Lane) -> Json | None:
    """Return one document as Xero has it now, or None when it has none of this id."""
    try:
        answer = services.xero.call(connector, xero_list.one, xero_id, lane=lane, **xero_list.one_options)
    except NotFound:
        return None
    return next(iter(_documents(answer, xero_list)), None)


def among(name: str, ids: Sequence[str]) -> str | None:
    """Return the filter for documents whose id *name* is one of *ids*."""
    return any_of([f'{name}==Guid("{uuid.UUID(xero_id)}")' for xero_id in ids])


def is_id(text: str) -> bool:
    """Tell whether *text* is an id of Xero's; a person may have typed another into the column that holds one."""
    return ID.fullmatch(text) is not None


def changed_at(document: Mapping[str, Any]) -> datetime | None:
    """Return when Xero last changed *document*; None when it does not say."""
    text = document.get(CHANGED)
    try:
        moment = xero_instant(text) if isinstance(text, str) else EPOCH
    except (ValueError, OverflowError):
        return None
    return moment if moment > EPOCH else None  # .NET writes the year 1 where there is no date


def version(document: Mapping[str, Any]) -> str:
    """Return the version of *document*: its UpdatedDateUTC so written that text compares as time does; "" when there is none."""
    moment = changed_at(document)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if moment else ""


def text_of(value: Any) -> str | None:
    """Return the words of a field, None when there are none; so do ``number_of`` and ``day_of`` with what is no such value."""
    return (CONTROL.sub(" ", value).strip() or None) if isinstance(value, str) else None


def number_of(value: Any) -> Decimal | None:
    """Return the number of a field."""
    is_number = isinstance(value, Decimal | int) and not isinstance(value, bool)
    return Decimal(value) if is_number and Decimal(value).is_finite() else None


def day_of(value: Any) -> str | None:
    """Return the day of a field, yyyy-mm-dd."""
    try:
        return xero_date(value).isoformat() if isinstance(value, str) else None
    except (ValueError, OverflowError):
        return None


def _documents(answer: Json, xero_list: XeroList) -> list[Json]:
    found = answer.get(xero_list.name)
    if not isinstance(found, list):
        raise Retryable(f"Xero answered without its {xero_list.name}.")
    return [one for one in found if isinstance(one, dict) and is_id(str(one.get(xero_list.key)))]
