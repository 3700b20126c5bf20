"""The customer of a document in Xero: found, made or brought up to date before the document is sent (SPEC 4, 8; K04).

A Contact is a record of its own with its own claim. The link keeps one keyed hash per target field, so that an update carries
only what changed in Dynamics since we last wrote, and a bookkeeper's edit in Xero survives.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from functions import claim as claims
from functions import customers, links
from functions.documents import canonical
from functions.links import Link
from functions.work import Work
from mappings.choices import ContactPolicy
from mappings.contact import PERSONS, split
from shared.connectors import Connector, Json
from shared.errors import ConnectorError, NotFound, Problem, Rejected, Uncertain
from shared.services import Lane, Services
from shared.xero.where import any_of, equals

FLOW = "contacts"
NUMBERS = ("ContactNumber", "AccountNumber")
"""What no two contacts of an organisation share, not even with an archived one."""
TYPES = {"Phones": "PhoneType", "Addresses": "AddressType"}
EMPTY = {
    "Phones": dict.fromkeys(("PhoneNumber", "PhoneAreaCode", "PhoneCountryCode"), ""),
    "Addresses": dict.fromkeys(("AddressLine1", "AddressLine2", "AddressLine3", "City", "Region", "PostalCode", "Country"), ""),
}
"""A phone number or address is replaced whole: parts of the old one beside the new would be neither."""
KEPT = ("AddressLine4", "AttentionTo")
"""What Dynamics knows nothing of outlives a new address."""
CLEARED = ("AccountNumber", "FirstName", "LastName", "EmailAddress", "ContactPersons", *TYPES)
"""What is emptied in Xero once it is empty in Dynamics: a contact keeps its name and our mark."""


def ensure(work: Work, customer: str, payload: Json, policy: ContactPolicy, *, may_create: bool) -> Link:
    """Return the link of *customer* ("account/id" or "contact/id"), whose mapped Contact is *payload*.

    A contact known and unchanged costs no call; a new one a look-up and a create.
    Raises Rejected when Xero has none and none may be made, when the match is archived, or when Xero refuses it.
    """
    link = links.read(work.services, work.connector, "contact", customer)
    if link and _is_settled(work, link, payload, policy):
        return link
    claim = claims.take(work.services, work.connector.key, FLOW, customer, work.claim.owner)
    own = replace(work, claim=claim, lane=min(work.lane, Lane.CONTACTS))
    try:
        link = links.read(own.services, own.connector, "contact", customer)  # another worker may have been quicker
        if not (link and _is_settled(own, link, payload, policy)):
            before, link = link, _settle(own, customer, link, payload, policy, may_create)
            # The way back first: once the link says that all is settled, nobody looks again.
            customers.join(own.services, own.connector, link.xero_id, customer)
            links.write(own.services, own.connector, "contact", customer, link)
            if before and before.xero_id.lower() != link.xero_id.lower():
                customers.part(own.services, own.connector, before.xero_id, customer)
    except NotFound:  # never let it mean that the record is gone in Dynamics
        claims.release(own.services, own.claim)
        raise Rejected((_vanished(payload),)) from None
    except ConnectorError:
        claims.release(own.services, own.claim)
        raise
    claims.close(own.services, own.claim)
    return link


def forget(services: Services, connector: Connector, customer: str) -> None:
    """Have the contact of *customer* read again by the next try: Xero refused a document because of it (C08)."""
    links.doubt(services, connector, "contact", customer)


def ours(work: Work, link: Link, found: Json) -> set[str]:
    """Return the fields of a Contact in Xero that hold what we last wrote: they are no news from there."""
    return {name for name, value in _fields(found) if name in link.hashes and _is_hash(work, link.hashes[name], value)}


def _is_settled(work: Work, link: Link, payload: Json, policy: ContactPolicy) -> bool:
    return not link.in_doubt and (policy is not ContactPolicy.UPDATE or not _changed(work, link, payload))


def _changed(work: Work, link: Link, payload: Json) -> set[str]:
    """Return the fields that differ in Dynamics from when we last wrote; one we never wrote is not emptied in Xero."""
    fields, known = dict(_fields(payload)), link.left | link.hashes
    changed = {name for name, value in fields.items() if not _is_hash(work, known.get(name, ""), value)}
    return changed | {name for name in link.hashes if name not in fields and name.partition(".")[0] in CLEARED}


def _settle(work: Work, customer: str, link: Link | None, payload: Json, policy: ContactPolicy, may_create: bool) -> Link:
    """Bring the linked contact up to date; match or create one where there is no link, or Xero does not know it any more."""
    if link:
        try:
            found = _read(work, link.xero_id)
        except NotFound:
            link = None
    if not link:
        return _match_or_create(work, customer, payload, policy, may_create)
    found = _follow(work, found)
    changed = _changed(work, link, payload) if policy is ContactPolicy.UPDATE else set()
    return _send(work, link, found, payload, changed)


def _match_or_create(work: Work, customer: str, payload: Json, policy: ContactPolicy, may_create: bool) -> Link:
    """Match by what came from Xero as this customer, our mark, account number, then name; otherwise create.

    A match is filled in, never overwritten.
    """
    row_id = customer.partition("/")[2]
    linked = customers.contacts_of(work.services, work.connector, customer)
    candidates = _search(work, row_id, linked, payload)
    if matched := _match(candidates, row_id, linked, payload):
        found = _follow(work, _unclaimed(matched, row_id, payload))
        if policy is not ContactPolicy.UPDATE:
            return _send(work, Link(""), found, payload, set())
        others = [one for one in candidates if one.get("ContactID") != found["ContactID"]]
        taken = {name for name in NUMBERS for other in others if _same(other.get(name), payload.get(name))}
        current = dict(_fields(found))
        missing = {name for name, value in _fields(payload) if value and not current.get(name)}
        return _send(work, _written_before(work, found, row_id, payload), found, payload, missing - taken)
    if policy is ContactPolicy.MATCH_ONLY or not may_create:
        raise Rejected((_not_in_xero(payload, policy, may_create),))
    body = {"Contacts": [payload]}
    claims.fence(work.services, work.claim)
    try:
        answer = work.services.xero.call(
            work.connector, "create_contacts", body=body, key=_key(work, customer, body), lane=work.lane, summarize_errors=False
        )
    except Uncertain:
        work.claim = claims.count_error(work.claim, work.services)
        raise
    except (Rejected, NotFound):
        # Xero remembers a refusal with its key: the next try, after somebody put it right, needs another one.
        work.claim = replace(work.claim, errors=work.claim.errors + 1)
        raise
    persons = [_hash(work, _person(person)) for person in payload.get("ContactPersons", ())]
    hashes = {name: _hash(work, value) for name, value in _fields(payload)}
    return replace(_linked(answer["Contacts"][0]), hashes=hashes, persons=persons)


def _search(work: Work, row_id: str, linked: list[str], payload: Json) -> list[Json]:
    clauses = [
        *(f'ContactID==Guid("{contact_id}")' for contact_id in linked),
        equals("ContactNumber", row_id),
        equals("Name", payload["Name"]),
    ]
    if payload.get("AccountNumber"):
        clauses.append(equals("AccountNumber", payload["AccountNumber"]))
    where = any_of([clause for clause in clauses if clause])
    answer = work.services.xero.call(work.connector, "get_contacts", where=where, include_archived=True, page=1, lane=work.lane)
    found: list[Json] = answer.get("Contacts") or []
    return found


def _match(candidates: list[Json], row_id: str, linked: list[str], payload: Json) -> Json | None:
    known = [("ContactID", contact_id) for contact_id in linked]
    for name, value in (
        *known,
        ("ContactNumber", row_id),
        ("AccountNumber", payload.get("AccountNumber")),
        ("Name", payload["Name"]),
    ):
        matches = [item for item in candidates if value and _same(item.get(name), value)]
        living = [item for item in matches if item.get("ContactStatus") == "ACTIVE"] or matches
        if living:
            return living[0]
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


def _written_before(work: Work, found: Json, row_id: str, payload: Json) -> Link:
    """Return the link an earlier try of ours would have left, whose end was lost: a contact with our mark holds what we wrote."""
    if not _same(found.get("ContactNumber"), row_id):
        return Link("")
    current = dict(_fields(found))
    return Link("", {name: _hash(work, value) for name, value in _fields(payload) if current.get(name) == value})


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
    answer = work.services.xero.call(work.connector, "get_contact", contact_id, lane=work.lane)
    contact: Json = answer["Contacts"][0]
    return contact


def _send(work: Work, link: Link, found: Json, payload: Json, names: set[str]) -> Link:
    """Write the fields *names* of a contact Xero has, and return its link; another integration's number is left alone."""
    sent = names - {"ContactNumber"} if found.get("ContactNumber") else names
    persons = link.persons
    if sent:
        changes = _changes(work, link, payload, found, sent)
        if "ContactPersons" in sent:
            theirs = {_person(person) for person in _theirs(work, link, found)}
            ours = {_person(person) for person in payload.get("ContactPersons", ())} - theirs
            persons = [_hash(work, person) for person in sorted(ours)]
        claims.fence(work.services, work.claim)
        body = {"Contacts": [{"ContactID": found["ContactID"]} | changes]}
        work.services.xero.call(work.connector, "update_contact", str(found["ContactID"]), body=body, lane=work.lane)
    fields, known = dict(_fields(payload)), link.left | link.hashes
    held_back = {
        name: stored
        for name, stored in known.items()
        if name not in names and not (name in fields and _is_hash(work, stored, fields[name]))
    }
    hashes = {name: _hash(work, value) for name, value in fields.items()} | held_back
    written = sent | link.hashes.keys()
    return replace(
        _linked(found),
        hashes={name: value for name, value in hashes.items() if name in written},
        left={name: value for name, value in hashes.items() if name not in written},
        persons=persons,
    )


def _changes(work: Work, link: Link, payload: Json, found: Json, names: set[str]) -> Json:
    """Build the smallest Contact that changes *names*; Xero replaces arrays whole, so they are completed from what it holds."""
    changes: Json = {}
    for name in sorted(names):
        field, _, kind = name.partition(".")
        if field == "ContactPersons":
            changes[field] = _union(work, payload.get(field, []), _theirs(work, link, found))
        elif kind:
            key = TYPES[field]
            held: Json = next((item for item in found.get(field) or () if item.get(key) == kind), {})
            wanted = next((item for item in payload.get(field, ()) if item[key] == kind), {key: kind})
            changes.setdefault(field, []).append({k: held[k] for k in KEPT if held.get(k)} | EMPTY[field] | split(wanted, held))
        else:
            changes[field] = payload.get(field, "")
    return changes


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


def _theirs(work: Work, link: Link, found: Json) -> list[Json]:
    """Return the additional people Xero knows and we did not put there."""
    people: list[Json] = found.get("ContactPersons") or []
    return [person for person in people if not any(_is_hash(work, stored, _person(person)) for stored in link.persons)]


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


def _linked(contact: Json) -> Link:
    """Return what a link keeps of Xero's own answer: the accounts are for lines that name none (K37)."""
    return Link(
        str(contact["ContactID"]),
        sales_account=str(contact.get("SalesDefaultAccountCode") or ""),
        purchase_account=str(contact.get("PurchasesDefaultAccountCode") or ""),
    )


def _hash(work: Work, value: Any) -> str:
    return work.services.secrets.keyed_hash(canonical(value), "contact")


def _is_hash(work: Work, stored: str, value: Any) -> bool:
    return work.services.secrets.is_hash_of(stored, canonical(value), "contact")


def _key(work: Work, customer: str, body: Json) -> str:
    parts = (work.connector.organisation, "PUT /Contacts", customer, canonical(body), str(work.claim.errors))
    return work.services.secrets.keyed_hash("|".join(parts), "idempotency")


def _not_in_xero(payload: Json, policy: ContactPolicy, may_create: bool) -> Problem:
    causes, fixes = [], []
    if not may_create:
        causes.append("Create New Contacts is No in the connector's settings.")
        fixes.append("set Create New Contacts to Yes")
    if policy is ContactPolicy.MATCH_ONLY:
        causes.append("Existing Contacts is Match only in the connector's settings.")
        fixes.append("set Existing Contacts to Update or Create once")
    how = " and ".join(fixes)
    return Problem(
        f"The customer {payload['Name']} is not a contact in Xero, and this connector does not create contacts.",
        where="Customer",
        cause=" ".join(causes),
        fix=f"{how[0].upper()}{how[1:]}; or add the contact in Xero under the same name and set Export Status to No.",
        who="bookkeeper",
    )


def _vanished(payload: Json) -> Problem:
    return Problem(
        f"Xero does not know the contact of {payload['Name']} any more.",
        where="Customer",
        cause="The contact, or the one it was merged into, was removed in Xero while the invoice was being sent.",
        fix="Set Export Status to No: the customer is then matched again.",
        who="bookkeeper",
    )


def _same(one: Any, other: Any) -> bool:
    return bool(one) and str(one).strip().casefold() == str(other or "").strip().casefold()


def _looks_like_row_id(text: str) -> bool:
    return len(text) == 36 and text.count("-") == 4
