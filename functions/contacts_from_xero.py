"""The flow contacts-from-xero: contacts that changed in Xero become accounts, or bring those they are up to date (A327-A349).

Off unless a connector asks for it: Dynamics 365 usually knows customers best. A column is filled where it is empty; only those of the
connector's Columns Xero May Overwrite take Xero's value always, an empty one too (K32). An address is filled where what there is of it is
Xero's. What we sent to Xero ourselves is no news.

A contact that is a person of Dynamics 365 stays as it is: the table is of accounts, and a second, made of the person, would be a
duplicate (K40). An archived contact makes nothing; a merged one is followed; of one that asked to be forgotten nothing is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from functions import contacts, customers, history, links, xero_lists
from functions.columns import is_held
from functions.customers import Customer
from functions.from_xero import Found, FromXero, Reading, want
from functions.work import Crossed, Work
from mappings.contact_from_xero import ACCOUNT, KINDS, TEXTS, flat
from mappings.table import BIND, read_back
from shared.connectors import Json
from shared.dataverse import query
from shared.errors import Changed, Problem, Rejected
from shared.services import Operation

FLOW = "contacts-from-xero"
BALANCES = "balances-from-xero"
TABLE = "Contact"
RIDES_ALONG = ("ContactID", "ContactNumber", "ContactStatus", "MergedToContactID", *TEXTS)
SETTING = "mag_xeroownedcolumns"
NEVER_EMPTIED = ("name", "transactioncurrencyid", "mag_xerocontacturl")
WALK = re.compile(r"(?P<name>\w+)(?:\[\w+=(?P<kind>\w+)\])?")


def choose(reading: Reading, documents: Sequence[Json]) -> Iterator[Found]:
    """Yield every contact that changed; what becomes of it only its account can tell."""
    for contact in documents:
        yield Found(str(contact["ContactID"]), xero_lists.version(contact), _body(contact))


def _body(contact: Json) -> Json:
    """Return what of a Contact rides along: the fields the table reads, and of a person who asked to be forgotten none of them."""
    kept = RIDES_ALONG if contact.get("ContactStatus") != "GDPRREQUEST" else ("ContactID", "ContactStatus")
    body = {name: contact[name] for name in kept if isinstance(contact.get(name), str)}
    for name, kind in KINDS.items() if len(kept) > 2 else ():
        rows = contact.get(name)
        known = (
            (row for row in rows if isinstance(row, dict) and isinstance(row.get(kind), str)) if isinstance(rows, list) else ()
        )
        body[name] = [{key: value for key, value in row.items() if isinstance(value, str)} for row in known]
    return body


def cross(work: Work, contact: Json) -> Crossed:
    """Bring the account of a Contact up to date, or make it; raises Rejected when two accounts could be it or it has no name."""
    if contact.get("ContactStatus") == "GDPRREQUEST":
        return Crossed("", "The contact asked to be forgotten: nothing of it is copied, and its account stays as it is.")
    if customers.is_merged(contact):
        return follow(work, contact)
    if contact.get("ContactStatus") == "ARCHIVED":
        return _archived(work, contact)
    if not flat(contact).get("Name"):
        raise Rejected((NAMELESS,))
    found = customers.find(work, contact, is_whole=True)
    if found.row:
        work.about, work.record = found.row, found.record
    elif found.is_gone or _was_made(work):
        return Crossed("", "Its account was deleted in Dynamics 365, and is not made again.")
    contact_id = str(contact["ContactID"])
    row = found.row or customers.create(work, contact)
    customers.join(work.services, work.connector, contact_id, row)
    if not found.row:
        return Crossed("Create", "Account has been created from the contact in Xero.", contact_id, row)
    if row.startswith("contact/"):
        return Crossed("", "The contact is a person in Dynamics 365; only accounts are brought up to date.", row=row)
    return _bring_up_to_date(work, found)


def follow(work: Work, contact: Json) -> Crossed:
    """Link the customers of a Contact that was merged in Xero to the one that lives, and have that one taken across."""
    winner = customers.living(work, contact)
    moved = customers.follow(work, contact, winner)
    if not moved:
        return Crossed("", "The contact was merged into another one in Xero, and was linked to nothing.")
    for flow in (FLOW, BALANCES):
        want(work, flow, TABLE, [str(winner["ContactID"])], at_once=False)
    return Crossed("Update", "The contact was merged in Xero; its customers are linked to the one that lives.", row=moved[0])


def _was_made(work: Work) -> bool:
    link = links.read(work.services, work.connector, work.message.flow, work.message.record)
    return bool(link and link.row)


def _archived(work: Work, contact: Json) -> Crossed:
    """Tell on the account that its contact is archived; nothing is made of one that has no account."""
    found = customers.linked_to(work, contact)
    if not found.row:
        return Crossed("", "The contact is archived in Xero; no account is made of it.")
    work.about, work.record = found.row, found.record
    history.send(work, [history.warning(work, _is_archived(contact))])
    return Crossed("", "The contact is archived in Xero; its account stays as it is.", row=found.row)


def _bring_up_to_date(work: Work, found: Customer) -> Crossed:
    if found.record.get("statecode"):
        return Crossed("", "The account is inactive in Dynamics 365, and stays as it is.", row=found.row)
    payload, warnings = customers.written(work, found.contact)
    changes = _changes(work, found, payload, warnings)
    if not changes:
        return Crossed("", "The account says the same already, or something Xero may not overwrite.", row=found.row)
    work.warnings.extend(warnings)
    contact_id = str(found.contact["ContactID"])
    columns = ", ".join(sorted(name.removesuffix(BIND) for name in changes))
    crossed = Crossed(
        "Update", f"Account has been updated from the contact in Xero ({columns}) - {contact_id}", contact_id, found.row
    )
    address = query.row("account", found.row.partition("/")[2])
    patch = Operation("PATCH", address, changes, {"If-Match": found.record["@odata.etag"]}, change_set="account")
    history.send(work, [patch, *history.success(work, crossed, change_set="account")])
    return crossed


def _changes(work: Work, found: Customer, payload: Json, warnings: list[Problem]) -> Json:
    """Return the columns to write: empty ones Xero fills with something we did not send it, and those it owns that differ (K32)."""
    owned = _owned(work)
    link = links.read(work.services, work.connector, "contact", found.row)
    ours = contacts.ours(work, link, found.contact) if link else set()
    left_out = {problem.where for problem in warnings}
    elsewhere = _other_addresses(found.record, payload, owned)
    changes: Json = {}
    for row in ACCOUNT.rows:
        column, field = row.target.removesuffix(BIND), _field(row.source)
        wanted, held = payload.get(row.target), found.record.get(read_back(row.target))
        if _says(found.record, row.target, wanted) or (held and column not in owned) or (field in ours and column not in owned):
            continue
        was_left_out = any(f"({row.source})" in where for where in left_out)
        if column.partition("_")[0] in elsewhere and column not in owned:
            continue
        if wanted is not None or not (column in NEVER_EMPTIED or was_left_out):
            changes[row.target] = wanted
    return changes


def _other_addresses(record: Json, payload: Json, owned: set[str]) -> set[str]:
    """Return the addresses (address1, address2) that are another in Dynamics 365 than in Xero: parts of two would be neither."""
    parts = {row.target for row in ACCOUNT.rows if row.target.startswith("address")} - owned
    return {part.partition("_")[0] for part in parts if record.get(part) and not _says(record, part, payload.get(part))}


def _field(source: str) -> str:
    """Return the field of a Contact, as links know it, that a row reads: Phones.FAX, Addresses.STREET, Name."""
    found = WALK.match(source)
    return ".".join(part for part in found.groups() if part) if found else source


def _says(record: Json, target: str, wanted: Any) -> bool:
    """Tell whether the account says *wanted* already; an empty text is none."""
    return is_held(target, wanted, record) if wanted else not record.get(read_back(target))


def _owned(work: Work) -> set[str]:
    """Return the columns Xero may overwrite; a name that is none of the table's is told the administrator, once."""
    text = str(work.connector.settings.get(SETTING) or "")
    named = {name.strip().lower() for name in re.split(r"[,;\s]+", text) if name.strip()}
    known = {row.target.removesuffix(BIND) for row in ACCOUNT.rows}
    if unknown := sorted(named - known):
        _tell_unknown(work, text, unknown, sorted(known - {"mag_xerocontacturl"}))
    return named & known


def _tell_unknown(work: Work, text: str, unknown: list[str], known: list[str]) -> None:
    """Say on the connector that its setting names columns the flow does not write: one row for what the setting says now."""
    problem = Problem(
        f"It names {', '.join(unknown)}, which contacts from Xero do not write.",
        where=f"Columns Xero May Overwrite ({SETTING})",
        cause="The name is misspelled, is a label instead of a logical name, or is of a column the table does not have.",
        fix=f"Name only some of: {', '.join(known)}.",
        who="administrator",
    )
    message = replace(work.message, record=f"{TABLE}/{work.connector.id}")
    of_the_setting = replace(work, message=message, fingerprint=work.services.secrets.keyed_hash(text, "settings"), record={})
    told = replace(history.warning(of_the_setting, problem, on_record=False), headers={"If-None-Match": "*"})
    try:
        history.send(of_the_setting, [told])
    except Changed:
        return  # it was told before


NAMELESS = Problem(
    "The contact has no name in Xero, so no account can be made of it.",
    where="Name",
    cause="Xero gave the contact without a name.",
    fix="Give the contact a name in Xero.",
    who="bookkeeper",
)


def _is_archived(contact: Json) -> Problem:
    return Problem(
        f"The contact {contact.get('Name', '')} was archived in Xero.",
        where="Contact",
        cause="Somebody archived it there; documents for it are refused until it is restored.",
        fix="Restore the contact in Xero if it is still a customer; else deactivate the account in Dynamics 365.",
        who="bookkeeper",
    )


SOURCE = FromXero(xero_lists.CONTACTS, choose, cross)
