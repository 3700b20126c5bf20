"""The customer of a document in Xero: found, made or brought up to date before the document is sent (SPEC 4, 8; K04).

A Contact is a record of its own with its own claim. The link keeps one keyed hash per target field, so that an update carries
only what changed in Dynamics since we last wrote, and a bookkeeper's edit in Xero survives.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from functions import claim as claims
from functions import links
from functions.documents import canonical
from functions.links import Link
from functions.work import Work
from mappings.choices import ContactPolicy
from mappings.contact import PERSONS
from shared.connectors import Json
from shared.errors import ConnectorError, NotFound, Problem, Rejected, Uncertain
from shared.services import Lane

FLOW = "contacts"


def ensure(work: Work, customer: str, payload: Json, policy: ContactPolicy, *, may_create: bool) -> str:
    """Return the ContactID for *customer* ("account/id" or "contact/id"), whose mapped Contact is *payload*.

    A contact known and unchanged costs no call; a new one a look-up and a create.
    Raises Rejected when Xero has none and none may be made, when the match is archived, or when Xero refuses it.
    """
    hashes = _hashes(work, payload)
    link = links.read(work.services, work.connector, "contact", customer)
    if link and (policy is not ContactPolicy.UPDATE or all(link.hashes.get(name) == value for name, value in hashes.items())):
        return link.xero_id
    claim = claims.take(work.services, work.connector.key, FLOW, customer, work.claim.owner)
    own = replace(work, claim=claim, lane=min(work.lane, Lane.CONTACTS))
    try:
        link = links.read(own.services, own.connector, "contact", customer) or link
        xero_id = _update(own, link, payload, hashes) if link else _match_or_create(own, customer, payload, policy, may_create)
        links.write(own.services, own.connector, "contact", customer, Link(xero_id, hashes))
    except ConnectorError:
        claims.release(own.services, own.claim)
        raise
    claims.close(own.services, own.claim)
    work.warnings.extend(warning for warning in own.warnings if warning not in work.warnings)
    return xero_id


def _update(work: Work, link: Link, payload: Json, hashes: Mapping[str, str]) -> str:
    """Send what changed in Dynamics since we last wrote, by ContactID (K04)."""
    found = _follow(work, _read(work, link.xero_id))
    changed = {name for name, value in hashes.items() if link.hashes.get(name) != value}
    _send(work, found, _changes(work, payload, found, changed))
    return str(found["ContactID"])


def _match_or_create(work: Work, customer: str, payload: Json, policy: ContactPolicy, may_create: bool) -> str:
    """Match by our mark, then account number, then name; otherwise create. A match is filled in, never overwritten."""
    row_id = customer.partition("/")[2]
    found = _search(work, row_id, payload)
    if found:
        if policy is ContactPolicy.UPDATE:
            current = dict(_fields(found))
            missing = {name for name, value in _fields(payload) if value and not current.get(name)}
            _send(work, found, _changes(work, payload, found, missing))
        return str(found["ContactID"])
    if policy is ContactPolicy.MATCH_ONLY or not may_create:
        raise Rejected((_not_in_xero(payload),))
    body = {"Contacts": [payload]}
    claims.fence(work.services, work.claim)
    try:
        answer = work.services.xero.call(
            work.connector, "create_contacts", body=body, key=_key(work, customer, body), lane=work.lane, summarize_errors=False
        )
    except Uncertain:
        work.claim = claims.count_error(work.claim, work.services)
        raise
    return str(answer["Contacts"][0]["ContactID"])


def _search(work: Work, row_id: str, payload: Json) -> Json | None:
    terms = [f'ContactNumber=="{row_id}"', f"Name=={_quoted(payload['Name'])}"]
    if payload.get("AccountNumber"):
        terms.append(f"AccountNumber=={_quoted(payload['AccountNumber'])}")
    answer = work.services.xero.call(
        work.connector, "get_contacts", where=" OR ".join(terms), include_archived=True, page=1, lane=work.lane
    )
    candidates: list[Json] = answer.get("Contacts", [])
    for name, value in (("ContactNumber", row_id), ("AccountNumber", payload.get("AccountNumber")), ("Name", payload["Name"])):
        matches = [item for item in candidates if value and _same(item.get(name), value)]
        living = [item for item in matches if item.get("ContactStatus") == "ACTIVE"] or matches
        if living:
            return _follow(work, _unclaimed(living[0], row_id, payload))
    return None


def _unclaimed(found: Json, row_id: str, payload: Json) -> Json:
    """Refuse a contact that bears the mark of another row of this kind: two customers of one name are two contacts."""
    mark = str(found.get("ContactNumber") or "")
    if mark and mark.lower() != row_id.lower() and _looks_like_row_id(mark):
        problem = Problem(
            f"The contact name {payload['Name']} is already linked to another customer in Dynamics.",
            where="Customer",
            cause="Two customers in Dynamics share one name, and Xero keeps contact names unique.",
            fix="Give one of the two customers another name, or merge them in Dynamics.",
            who="salesperson",
        )
        raise Rejected((problem,))
    return found


def _follow(work: Work, found: Json) -> Json:
    """Follow merged contacts to the one that lives, and refuse those nobody may use (C08)."""
    for _ in range(5):
        if not found.get("MergedToContactID"):
            break
        found = _read(work, str(found["MergedToContactID"]))
    status = found.get("ContactStatus", "ACTIVE")
    if status == "ACTIVE":
        return found
    name = found.get("Name", found.get("ContactID"))
    if status == "GDPRREQUEST":
        cause, fix = "The person asked to be forgotten.", "Choose another customer on the invoice."
    else:
        cause, fix = (
            "It was archived in Xero.",
            "Choose another customer on the invoice; or restore it in Xero and set Export Status to No.",
        )
    raise Rejected((Problem(f"The contact {name} is {str(status).lower()} in Xero.", "Customer", cause, fix, "bookkeeper"),))


def _read(work: Work, contact_id: str) -> Json:
    try:
        answer = work.services.xero.call(work.connector, "get_contact", contact_id, lane=work.lane)
    except NotFound:
        problem = Problem(
            f"The linked contact {contact_id} is not in this Xero organisation.",
            where="Customer",
            cause="The contact was deleted, or the link belongs to another organisation.",
            fix="Ask your administrator to remove the link of this customer; it is then matched again by name.",
            who="administrator",
        )
        raise Rejected((problem,)) from None
    contact: Json = answer["Contacts"][0]
    return contact


def _send(work: Work, found: Json, changes: Json) -> None:
    if not changes:
        return
    claims.fence(work.services, work.claim)
    body = {"Contacts": [{"ContactID": found["ContactID"]} | changes]}
    work.services.xero.call(work.connector, "update_contact", str(found["ContactID"]), body=body, lane=work.lane)


def _changes(work: Work, payload: Json, found: Json, names: set[str]) -> Json:
    """Build the smallest Contact that changes *names*; Xero replaces arrays whole, so they are completed from what it holds."""
    changes: Json = {}
    for name in names:
        field, _, kind = name.partition(".")
        if field == "ContactPersons":
            changes[field] = _union(work, payload[field], found.get(field, []))
        elif kind:
            key = field[:-2] + "Type" if field == "Addresses" else "PhoneType"
            held: Json = next((item for item in found.get(field, []) if item.get(key) == kind), {})
            wanted = next(item for item in payload[field] if item[key] == kind)
            changes.setdefault(field, []).append({k: v for k, v in held.items() if v and k in KEPT} | wanted)
        else:
            changes[field] = payload[field]
    return changes


KEPT = ("AddressLine4", "AttentionTo", "PhoneAreaCode", "PhoneCountryCode")


def _union(work: Work, ours: list[Json], theirs: list[Json]) -> list[Json]:
    """Join the billing contacts of Dynamics with the people Xero already knows: ours first, five at most (SPEC 4).

    A person is the same by e-mail address, else by name.
    """
    known = {_person(person) for person in ours}
    people = ours + [person for person in theirs if _person(person) not in known]
    if len(people) > PERSONS:
        problem = Problem(
            f"Xero takes {PERSONS} additional people on a contact; {len(people) - PERSONS} were left out.",
            where="Additional Billing Contacts (mag_account_contact_billingcontacts)",
            fix="Remove people who need no copy of the invoices from the contact in Xero.",
            who="bookkeeper",
        )
        work.warnings.append(problem)
    return people[:PERSONS]


def _person(person: Json) -> str:
    return str(person.get("EmailAddress") or f"{person.get('FirstName', '')} {person.get('LastName', '')}").strip().lower()


def _fields(contact: Json) -> Iterator[tuple[str, Any]]:
    """Yield each field of a Contact on its own: phones and addresses by their kind, the rest by name."""
    for name, value in contact.items():
        if name == "Phones":
            yield from ((f"Phones.{item['PhoneType']}", item.get("PhoneNumber")) for item in value)
        elif name == "Addresses":
            for item in value:
                yield f"Addresses.{item['AddressType']}", {k: v for k, v in item.items() if k != "AddressType" and v}
        elif name != "ContactID":
            yield name, value


def _hashes(work: Work, payload: Json) -> dict[str, str]:
    return {name: work.services.secrets.keyed_hash(canonical(value), "contact") for name, value in _fields(payload)}


def _key(work: Work, customer: str, body: Json) -> str:
    parts = (work.connector.organisation, "PUT /Contacts", customer, canonical(body), str(work.claim.errors))
    return work.services.secrets.keyed_hash("|".join(parts), "idempotency")


def _not_in_xero(payload: Json) -> Problem:
    return Problem(
        f"The customer {payload['Name']} is not a contact in Xero, and this connector does not create contacts.",
        where="Customer",
        cause="Create New Contacts is off in the connector's settings.",
        fix="Switch Create New Contacts on; or add the contact in Xero under the same name and set Export Status to No.",
        who="bookkeeper",
    )


def _quoted(text: str) -> str:
    escaped = text.replace('"', '""')
    return f'"{escaped}"'


def _same(one: Any, other: Any) -> bool:
    return str(one or "").strip().lower() == str(other or "").strip().lower()


def _looks_like_row_id(text: str) -> bool:
    return len(text) == 36 and text.count("-") == 4
