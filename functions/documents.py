"""Write one Xero document exactly once: look up what may exist already, adopt what bears our mark, create, or bring up to date.

Steps 3 to 5 of the protocol (SPEC 8). What differs between kinds of document is a row of Document.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from functions import claim as claims
from functions import links
from functions.links import Link
from functions.work import Work
from mappings.choices import ExportStatus
from mappings.totals import line_amount
from shared.connectors import Json
from shared.errors import ConnectorError, NotFound, Problem, Rejected, Uncertain
from shared.xero import where

GONE = ("VOIDED", "DELETED")
PAGE = 1000


@dataclass(frozen=True)
class Document:
    """How Xero speaks of one kind of document. Operations are xero-python's names."""

    kind: str
    envelope: str
    id: str
    number: str
    create: str
    update: str
    read: str
    list: str
    path: str
    has_unique_number: Callable[[Json], bool]
    search: Callable[[Json], Mapping[str, Any]]
    mark: str


def _search_invoices(payload: Json) -> Mapping[str, Any]:
    """Find an invoice or bill by what we would have sent: its number where Xero keeps it unique, else contact and date."""
    number = payload.get("InvoiceNumber", "")
    if payload["Type"] == "ACCREC" and number:
        if "," in number:  # the list of numbers is separated by commas
            return {"where": f'Type=="ACCREC" AND {where.equals("InvoiceNumber", number)}'}
        return {"invoice_numbers": [number]}
    terms = [f'Type=="{payload["Type"]}"', f'Contact.ContactID==Guid("{payload["Contact"]["ContactID"]}")']
    if payload.get("Date"):
        year, month, day = (int(part) for part in payload["Date"].split("-"))
        terms.append(f"Date==DateTime({year},{month},{day})")
    return {"where": " AND ".join(terms)}


INVOICE = Document(
    kind="invoice",
    envelope="Invoices",
    id="InvoiceID",
    number="InvoiceNumber",
    create="create_invoices",
    update="update_invoice",
    read="get_invoice",
    list="get_invoices",
    path="PUT /Invoices",
    has_unique_number=lambda payload: payload["Type"] == "ACCREC" and bool(payload.get("InvoiceNumber")),
    search=_search_invoices,
    mark="Url",
)


def write(work: Work, document: Document, payload: Json, known_id: str = "") -> Json:
    """Return the one Xero document that stands for the record, made or found; the link is kept before it is returned.

    Raises Rejected when a person must decide (our document was voided, its number belongs to another one), and what
    ``Xero.call`` raises.
    """
    found = _find(work, document, payload, known_id)
    if found is not None and found.get("Status") in GONE:
        found = _instead(work, document, payload, found)
    if found is not None and _mark(found.get(document.mark)) != _mark(payload[document.mark]):
        raise Rejected((_not_ours(document, found),))
    if found is None:
        try:
            found = _create(work, document, payload)
        except Rejected as error:
            # Only a number that is taken can be our own earlier try, whose claim was lost.
            if not (document.has_unique_number(payload) and any("must be unique" in p.message.lower() for p in error.problems)):
                raise
            found = _search(work, document, payload)
            if found is None:
                raise
    work.claim = replace(work.claim, made=str(found[document.id]))
    if found.get("Status") in GONE:
        raise Rejected((_gone(document, found),))
    if not _says(payload, found):
        found = _bring_up_to_date(work, document, payload, found)
    _link(work, document, found)
    return found


def left_behind(work: Work, document: Document, mark: str) -> str | None:
    """Return the id of the document an earlier try made for a record that is no longer to be sent, and keep the link."""
    if not (work.claim.sought or work.claim.made):
        return None
    found = (
        _get(work, document, work.claim.made) if work.claim.made else _ours(_list(work, document, _sought(work)), document, mark)
    )
    if found is None:
        return None
    _link(work, document, found)
    return str(found[document.id])


def _find(work: Work, document: Document, payload: Json, known_id: str) -> Json | None:
    """Look upstream wherever an earlier try may have left a document, and always where no number of ours is unique."""
    known_id = known_id or work.claim.made
    if known_id:
        return _get(work, document, known_id)
    link = links.read(work.services, work.connector, document.kind, work.message.record)
    if link is not None:
        try:
            return _one(work, document, document.read, link.xero_id)
        except NotFound:
            work.claim = replace(work.claim, sought="")  # removed in Xero: nothing stands for the record any more
            return None
    if document.has_unique_number(payload) and not work.claim.sought:
        return None
    return _search(work, document, payload)


def _instead(work: Work, document: Document, payload: Json, gone: Json) -> Json | None:
    """Return the document that stands in place of one that is *gone*: None when it is to be made, *gone* when nobody asked for it.

    A link to what is gone says that the person was told (functions/invoice_status.py). Another one is made when the person asks for
    it or gives it another number; any other change must not undo what the bookkeeper did.
    """
    link = links.read(work.services, work.connector, document.kind, work.message.record)
    if link is None:
        return gone
    if link.xero_id != gone[document.id]:  # an earlier try made it, and the record does not say so yet
        return _get(work, document, link.xero_id)
    is_renumbered = document.has_unique_number(payload) and payload[document.number] != gone.get(document.number)
    is_asked = is_renumbered or work.record.get("mag_exportstatus") != ExportStatus.FAILED.value
    if link.status not in GONE or not is_asked:
        return gone
    if document.has_unique_number(payload) and not work.claim.sought:
        return None
    found = _search(work, document, payload)
    return None if found is None or found.get("Status") in GONE else found


def _get(work: Work, document: Document, known_id: str) -> Json:
    try:
        return _one(work, document, document.read, known_id)
    except NotFound:
        work.claim = replace(work.claim, sought="", made="")
        problem = Problem(
            f"The {document.kind} {known_id} this record is linked to is not in Xero any more.",
            cause="It was removed in Xero, or the link was copied from another organisation.",
            fix="If it should be made again, clear the Xero Id on the record and set Export Status to No; else cancel the record.",
            who="bookkeeper",
        )
        raise Rejected((problem,)) from None


def _search(work: Work, document: Document, payload: Json) -> Json | None:
    """Return the document that bears our mark; never adopt one without it."""
    listed = _list(work, document, _sought(work) or document.search(payload))
    ours = _ours(listed, document, payload[document.mark])
    if ours:
        return ours
    same = [item for item in listed if item.get("Type") == payload["Type"]]
    number = payload.get(document.number)
    if document.has_unique_number(payload) and any(item.get(document.number) == number for item in same):
        problem = Problem(
            f"{document.number} {number} already belongs to another {document.kind} in Xero.",
            where=document.number,
            cause="Xero never gives a sales number twice, not even that of a voided or deleted document.",
            fix="Use another number in Dynamics, or let Xero number the documents (connector setting).",
            who="bookkeeper",
        )
        raise Rejected((problem,))
    return None


def _sought(work: Work) -> Mapping[str, Any]:
    if not work.claim.sought:
        return {}
    sought: Mapping[str, Any] = json.loads(work.services.secrets.open(work.claim.sought, work.claim.row))
    return sought


def _list(work: Work, document: Document, options: Mapping[str, Any]) -> list[Json]:
    """Return every document a look-up finds, the newest first: ours is among the last that changed."""
    listed: list[Json] = []
    for page in itertools.count(1):
        answer = work.services.xero.call(
            work.connector,
            document.list,
            lane=work.lane,
            unitdp=4,
            page=page,
            page_size=PAGE,
            order="UpdatedDateUTC DESC",
            **options,
        )
        found: list[Json] = answer.get(document.envelope) or []
        listed += found
        if len(found) < PAGE:
            return listed
    raise AssertionError("unreachable")


def _ours(listed: list[Json], document: Document, mark: Any) -> Json | None:
    """Return the document with our mark, a living one first."""
    ours = [item for item in listed if _mark(item.get(document.mark)) == _mark(mark)]
    living = [item for item in ours if item.get("Status") not in GONE]
    return next(iter(living or ours), None)


def _link(work: Work, document: Document, found: Json) -> None:
    link = Link(str(found[document.id]), {}, str(found.get("Status", "")))
    links.write(work.services, work.connector, document.kind, work.message.record, link)


def _create(work: Work, document: Document, payload: Json) -> Json:
    body = {document.envelope: [payload]}
    # A number may be a person's words, so what we look for is sealed (SPEC 1.5).
    sought = work.services.secrets.seal(canonical(document.search(payload)), work.claim.row)
    work.claim = claims.intend(work.services, work.claim, sought)
    claims.fence(work.services, work.claim)
    try:
        return _one(work, document, document.create, body=body, key=_key(work, document.path, body), summarize_errors=False)
    except Uncertain:
        work.claim = claims.count_error(work.claim, work.services)
        raise
    except NotFound:
        work.claim = replace(work.claim, sought="")
        raise Rejected((UNKNOWN_CONTACT,)) from None
    except Rejected:
        # Xero remembers a refusal with its key: the next try, after somebody put it right, needs another one.
        work.claim = replace(work.claim, sought="", errors=work.claim.errors + 1)
        raise
    except ConnectorError:
        work.claim = replace(work.claim, sought="")  # throttled or never sent: nothing was made
        raise


UNKNOWN_CONTACT = Problem(
    "Xero does not know the contact of this document.",
    where="Customer",
    cause="The contact was deleted in Xero, or the organisation was reset.",
    fix="Nothing to do: the customer is matched again with the next try.",
    who="nobody",
)


def _bring_up_to_date(work: Work, document: Document, payload: Json, found: Json) -> Json:
    """Send the whole document by its id: naturally idempotent, so it bears no key (SPEC 8).

    Its status is left as it is in Xero, where a person may have approved it. Once money is on it, Xero takes a few fields only.
    """
    changes = {name: value for name, value in payload.items() if name != "Status"}
    if found.get("AmountPaid") or found.get("AmountCredited"):
        changes = _allowed_once_paid(changes, found)
    claims.fence(work.services, work.claim)
    whole = {document.envelope: [changes | {document.id: found[document.id]}]}
    try:
        return _one(work, document, document.update, found[document.id], body=whole)
    except NotFound:
        raise Rejected((UNKNOWN_CONTACT,)) from None


ONCE_PAID = ("Reference", "DueDate", "InvoiceNumber", "BrandingThemeID", "Contact", "Url")
LINE_ONCE_PAID = ("Description", "AccountCode", "Tracking")
"""What Xero lets change on a document with a payment or credit (K06; Xero's Invoices page)."""


def _allowed_once_paid(payload: Json, found: Json) -> Json:
    """Reduce an update to what Xero takes once money is on the document; raise Rejected naming anything else that differs."""
    lines, held = payload["LineItems"], found.get("LineItems", [])
    fixed = {name: value for name, value in payload.items() if name not in (*ONCE_PAID, "LineItems")}
    differing = [name for name, value in fixed.items() if not _field_says(name, value, found)]
    for number, (line, old) in enumerate(zip(lines, held, strict=False), 1):
        rest = {name: value for name, value in line.items() if name not in (*LINE_ONCE_PAID, "DiscountAmount")}
        if "LineAmount" in old and line_amount(line) != Decimal(str(old["LineAmount"])):
            rest["LineAmount"] = line_amount(line)  # Xero may answer a discount as a rate: the amount tells
        differing += [f"{name} of line {number}" for name, value in rest.items() if not _says(value, old.get(name))]
    if len(lines) != len(held):
        differing.append("the number of lines")
    if differing:
        problem = Problem(
            f"The document has a payment or credit in Xero, so these cannot change any more: {', '.join(differing)}.",
            cause="Xero locks the amounts of a document once money is on it.",
            fix="Undo the change in Dynamics, or remove the payment in Xero first.",
            who="bookkeeper",
        )
        raise Rejected((problem,))
    kept = [
        {name: line[name] for name in LINE_ONCE_PAID if name in line} | {"LineItemID": old["LineItemID"]}
        for line, old in zip(lines, held, strict=True)
    ]
    return {name: value for name, value in payload.items() if name in ONCE_PAID} | {"LineItems": kept}


def _one(work: Work, document: Document, operation: str, *arguments: str, **options: Any) -> Json:
    answer = work.services.xero.call(work.connector, operation, *arguments, lane=work.lane, unitdp=4, **options)
    elements: list[Json] = answer.get(document.envelope) or []
    if not elements:
        raise Uncertain("Xero answered without the document.")
    for warning in elements[0].get("Warnings") or ():
        work.warnings.append(Problem(str(warning.get("Message", "")), who="bookkeeper"))
    return elements[0]


def _key(work: Work, path: str, body: Json) -> str:
    """Derive the Idempotency-Key: organisation, method and path, record, body and error count (SPEC 8); 64 characters."""
    parts = (work.connector.organisation, path, work.message.record, canonical(body), str(work.claim.errors))
    return hashlib.sha256("|".join(parts).encode()).hexdigest()


def canonical(value: Any) -> str:
    """Write *value* as JSON in one way only: keys sorted, decimals exact."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)


def _gone(document: Document, found: Json) -> Problem:
    status = str(found["Status"]).lower()
    return Problem(
        f"{found.get(document.number, found[document.id])} was {status} in Xero, so it is not sent again under its number.",
        cause=f"Somebody {status} the {document.kind} in Xero before this record was marked as synced.",
        fix="Cancel the record in Dynamics, or make a new one, which gets a new number.",
        who="bookkeeper",
    )


def _not_ours(document: Document, found: Json) -> Problem:
    return Problem(
        f"The Xero Id of this record is that of {found.get(document.number) or found[document.id]}, which belongs to another record.",
        where="Xero Id",
        cause="The record was copied with its Xero Id, or the Xero Id was typed in.",
        fix="Clear the Xero Id on this record and set Export Status to No.",
        who="salesperson",
    )


_PAGE = re.compile(r"https://(?P<host>[^/?#]+)/main\.aspx\?.*\bid=(?P<id>[0-9a-f-]{36})")


def _mark(value: Any) -> str:
    """Return what of a mark makes it ours: the environment and the row; the app a page opens in may change."""
    text = str(value or "").strip().lower()
    page = _PAGE.match(text)
    return f"{page['host']}|{page['id']}" if page else text


def _says(wanted: Any, found: Any) -> bool:
    """Tell whether what Xero holds says everything we would send (Xero adds fields; dates and numbers vary in spelling)."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(_field_says(name, value, found) for name, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(found, list) and len(wanted) == len(found) and all(map(_says, wanted, found))
    if isinstance(wanted, bool) or found is None:
        return bool(wanted) == bool(found) if isinstance(wanted, bool) else wanted in ("", None)
    if isinstance(wanted, Decimal | int):
        return isinstance(found, Decimal | int | float) and Decimal(str(found)) == Decimal(wanted)
    return str(wanted).strip().lower() == str(found).strip().lower()


def _field_says(name: str, wanted: Any, found: Mapping[str, Any]) -> bool:
    if name in ("Date", "DueDate"):
        return str(found.get(f"{name}String", ""))[:10] == str(wanted)
    if name in ("SentToContact", "Status"):
        return True  # a person may have approved or sent it since: that is theirs
    return _says(wanted, found.get(name))
