"""The customer that a Contact of Xero is in Dynamics 365: an account or, for a person, a contact (SPEC 4; K40, C08).

Looked for by what links the two, then our mark, the account number and the name; only a document that needs a customer makes an
account. An account that is there is never changed by it. Which Contact is which row is kept both ways, a row for each pair: two
accounts may share a Contact once Xero merged two, and one account may have had several.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from functions import deep_links, history, links, mapped, xero_lists
from functions.history import NAMESPACE
from functions.work import Crossed, Work
from mappings.contact_from_xero import ACCOUNT, flat
from shared.connectors import Connector, Json
from shared.dataverse import answers, query
from shared.errors import Changed, NotFound, Problem, Rejected
from shared.services import Operation, Services

MERGES = 5
"""How many merges are followed, one after the other."""
TABLES = ("account", "contact")
CONTROL = (
    "mag_amountowed",
    "mag_amountoverdue",
    "mag_xerocontacturl",
    "statecode",
    "merged",
    "_masterid_value",
    "_ownerid_value",
    "_transactioncurrencyid_value",
)
COLUMNS = {
    "account": tuple(dict.fromkeys((*(row.target for row in ACCOUNT.rows if "@" not in row.target), "accountid", *CONTROL))),
    "contact": ("contactid", "fullname", *CONTROL),
}


@dataclass(frozen=True)
class Customer:
    """What was found of a Contact: its ``row`` ("table/id", "" for none) as it was read (``record``), and the living ``contact`` itself.

    ``is_gone`` tells that a row it was linked to has been deleted in Dynamics 365.
    """

    contact: Json
    row: str = ""
    record: Json = field(default_factory=dict)
    is_gone: bool = False


# ── which Contact is which row ──────────────────────────────────────────────────────────────────────────────────────────────────


def join(services: Services, connector: Connector, contact_id: str, row: str) -> None:
    """Keep that the Contact is *row* ("account/id" or "contact/id"); doing it twice does nothing."""
    for partition, key in _pair(connector, contact_id, row):
        try:
            services.store.insert(links.TABLE, partition, key, {})
        except Changed:
            continue  # it is known


def part(services: Services, connector: Connector, contact_id: str, row: str) -> None:
    """Forget that the Contact is *row*."""
    for partition, key in _pair(connector, contact_id, row):
        services.store.delete(links.TABLE, partition, key)


def rows_of(services: Services, connector: Connector, contact_id: str) -> list[str]:
    """Return the rows ("table/id") that are linked to a Contact."""
    partition, _ = _pair(connector, contact_id, "account/")[0]
    return sorted(stored.row.replace(":", "/", 1) for stored in services.store.rows(links.TABLE, partition))


def contacts_of(services: Services, connector: Connector, row: str) -> list[str]:
    """Return the ids of the Contacts of the connector's organisation that *row* is linked to."""
    _, (partition, _) = _pair(connector, "", row)
    return sorted(stored.row for stored in services.store.rows(links.TABLE, partition))


def _pair(connector: Connector, contact_id: str, row: str) -> tuple[tuple[str, str], tuple[str, str]]:
    contact_id, row = contact_id.lower(), row.lower().replace("/", ":", 1)
    return (f"{connector.key}|rows of|{contact_id}", row), (f"{connector.key}|contacts of|{row}", contact_id)


def follow(work: Work, loser: Json, winner: Json) -> list[str]:
    """Link the rows of a Contact that was merged in Xero to the one that lives, tell them, and return them (C08).

    Another row may be linked to that one already: both links stay, and a person is told.
    """
    services, connector = work.services, work.connector
    old, new = _id(loser), _id(winner)
    rows = rows_of(services, connector, old)
    for row, found in read(work, rows).items():
        others = [other for other in rows_of(services, connector, new) if other != row]
        join(services, connector, new, row)
        link = links.read(services, connector, "contact", row)
        if link and link.xero_id.lower() == old:
            links.write(services, connector, "contact", row, replace(link, xero_id=new, in_doubt=True))
        table, _, row_id = row.partition("/")
        told = replace(work, about=row, record=found, warnings=[_shared(winner)] if others else [])
        crossed = Crossed("Update", f"The contact was merged in Xero, and is followed to {winner.get('Name')} - {new}", new)
        changed = Operation(
            "PATCH",
            query.row(table, row_id),
            {"mag_xerocontacturl": deep_links.contact(connector, new)},
            {"If-Match": "*"},
            change_set="merged",
        )
        with suppress(NotFound):
            history.send(told, [changed, *history.success(told, crossed, change_set="merged")])
    for row in rows:
        part(services, connector, old, row)
    return rows


def _shared(winner: Json) -> Problem:
    return Problem(
        f"Two customers in Dynamics 365 are one contact in Xero: {winner.get('Name')}.",
        where="Contact",
        cause="Their contacts were merged in Xero.",
        fix="Merge the two customers in Dynamics 365 as well; until then each shows what the contact owes.",
        who="salesperson",
    )


# ── found, or made ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def of_contact(work: Work, contact: Json, *, is_whole: bool = False) -> str:
    """Return the row ("account/id" or "contact/id") of the customer *contact* (a Contact of Xero, or the summary in a document).

    One that is nowhere in Dynamics 365 becomes a new account. Raises Rejected when two accounts could be it, when it has no name, or
    when nothing may be copied of it. See ``find`` for what it costs.
    """
    found = find(work, contact, is_whole=is_whole)
    row = found.row or create(work, found.contact)
    join(work.services, work.connector, _id(found.contact), row)
    return row


def find(work: Work, contact: Json, *, is_whole: bool = False) -> Customer:
    """Return the customer of a Contact by its link, our mark, the account number or the name; nothing is written.

    A linked one costs one round trip and no call. A Contact nobody linked is read from Xero, one call, unless it *is_whole* (as the
    list or a read of Contacts gives it; the one inside a document is not); one that was merged is followed (C08).
    """
    linked = linked_to(work, contact)
    if not linked.row:
        is_gone, whole = linked.is_gone, living(work, contact if is_whole else _from_xero(work, _id(contact)))
        linked = linked_to(work, whole) if _id(whole) != _id(contact) else Customer(whole)
        linked = replace(linked, is_gone=linked.is_gone or is_gone)
    if linked.row:
        return linked
    contact = linked.contact
    rows = read(work, marked(contact), contact)
    found = next((row for row in marked(contact) if row in rows), None) or _same(work, contact, rows)
    return _mastered(work, replace(linked, row=found, record=rows[found])) if found else linked


def linked_to(work: Work, contact: Json) -> Customer:
    """Return the row the Contact is linked to: one that is active before one that is not, the one that bears its mark first."""
    known = rows_of(work.services, work.connector, _id(contact))
    rows = read(work, known)
    mark = str(contact.get("ContactNumber") or "").strip().lower()
    there = sorted(rows, key=lambda one: (bool(rows[one].get("statecode")), one.partition("/")[2] != mark, one))
    row = next(iter(there), "")
    return _mastered(work, Customer(contact, row, rows[row])) if row else Customer(contact, is_gone=bool(known))


def create(work: Work, contact: Json) -> str:
    """Make the account of a whole Contact, with its Sync History, and return its row; one an earlier try made is left as it is.

    Raises Rejected when nothing may be copied of it, or when a key of the environment keeps the account out.
    """
    if contact.get("ContactStatus") == "GDPRREQUEST":
        raise Rejected((FORGOTTEN,))
    contact_id = _id(contact)
    row_id = str(uuid.uuid5(NAMESPACE, f"{work.connector.key}|account|{contact_id}"))
    row = f"account/{row_id}"
    payload, warnings = written(work, contact)
    told = replace(work, about=row, warnings=warnings)
    owner = history.owner_bind(work.record)
    made = Operation(
        "PATCH",
        query.row("account", row_id),
        payload | ({history.OWNER: owner} if owner else {}),
        {"If-None-Match": "*"},
        change_set="account",
    )
    crossed = Crossed("Create", f"Account has been created from the contact in Xero - {contact_id}", contact_id)
    try:
        history.send(told, [made, *history.success(told, crossed, change_set="account")])
    except answers.Duplicate as error:
        if row not in read(work, [row]):
            raise Rejected((_kept_out(contact, error),)) from error
    return row


def written(work: Work, contact: Json) -> tuple[Json, list[Problem]]:
    """Return the account columns of a whole Contact, and what its reader should know; raises Rejected with all that is wrong."""
    given = {"currencies": currencies(work), "deep_link": deep_links.contact(work.connector, _id(contact))}
    return mapped.apply(work, ACCOUNT, flat(contact), given)


def currencies(work: Work) -> dict[str, str]:
    """Return the id of each active currency of Dynamics 365 by its ISO code."""
    operation = query.selection("transactioncurrency", ("transactioncurrencyid", "isocurrencycode"), "statecode eq 0")
    (page,) = answers.results([operation], work.services.dataverse.send(work.connector.environment, [operation]))
    return {str(row["isocurrencycode"]).upper(): str(row["transactioncurrencyid"]) for row in page["value"]}


def _kept_out(contact: Json, error: answers.Duplicate) -> Problem:
    return Problem(
        f"Dynamics 365 did not take an account for the contact {contact.get('Name')}: {error}",
        where="Account",
        cause="A key of the environment lets no two accounts be alike, and another one, perhaps inactive, stands in its way.",
        fix="Activate that account, so that it is found; or change what is the same. It then goes by itself.",
        who="administrator",
    )


FORGOTTEN = Problem(
    "The contact asked to be forgotten, so no account is made of it.",
    where="Contact",
    cause="Its status in Xero is GDPR request, and nothing of it may be copied.",
    fix="Choose another contact on the document in Xero; or give an account in Dynamics 365 its name, which is then used.",
    who="bookkeeper",
)


VANISHED = Problem(
    "Xero does not have the contact of this document any more.",
    where="Contact",
    cause="The contact was removed in Xero while the document was read, or the organisation was reset.",
    fix="Open the document in Xero, choose its contact and save it.",
    who="bookkeeper",
)


def living(work: Work, contact: Json) -> Json:
    """Return the Contact that a whole Contact is by now: one that was merged is followed, a call for each merge."""
    for _ in range(MERGES):
        if not is_merged(contact):
            break
        contact = _from_xero(work, str(contact["MergedToContactID"]))
    return contact


def is_merged(contact: Json) -> bool:
    """Tell whether Xero says that the Contact was merged into another one."""
    into = str(contact.get("MergedToContactID") or "").lower()
    return xero_lists.is_id(into) and into != str(contact.get("ContactID")).lower()


def _from_xero(work: Work, contact_id: str) -> Json:
    found = xero_lists.one(work.services, work.connector, xero_lists.CONTACTS, contact_id, work.lane)
    if found is None:
        raise Rejected((VANISHED,))
    return found


def _id(contact: Json) -> str:
    contact_id = str(contact.get("ContactID") or "").lower()
    if not xero_lists.is_id(contact_id):
        problem = Problem(
            "The document in Xero names no contact.",
            where="Contact",
            cause="Xero gave it without the id of its contact.",
            fix="Open the document in Xero, choose its contact and save it.",
            who="bookkeeper",
        )
        raise Rejected((problem,))
    return contact_id


def marked(contact: Json) -> list[str]:
    """Return the rows our mark may mean: a ContactNumber of ours is the id of a row, of which table it does not say."""
    mark = str(contact.get("ContactNumber") or "").strip().lower()
    return [f"{table}/{mark}" for table in TABLES] if xero_lists.is_id(mark) else []


def read(work: Work, known: Iterable[str], contact: Json | None = None) -> dict[str, Json]:
    """Return those of the rows *known* that are there, and the active accounts with the number or the name of the Contact."""
    ids: dict[str, list[str]] = {table: [] for table in TABLES}
    for row in dict.fromkeys(known):
        table, _, row_id = row.partition("/")
        ids[table].append(f"{table}id eq {query.row_id(row_id)}")
    columns = (("accountnumber", "AccountNumber"), ("name", "Name"))
    named = [f"{column} eq {query.quoted(text)}" for column, name in columns if (text := flat(contact or {}).get(name))]
    ids["account"] += [f"(statecode eq 0 and ({' or '.join(named)}))"] if named else []
    asked = [table for table in TABLES if ids[table]]
    operations = [query.selection(table, COLUMNS[table], " or ".join(ids[table]), f"{table}id asc") for table in asked]
    if not operations:
        return {}
    pages = answers.results(operations, work.services.dataverse.send(work.connector.environment, operations))
    return {
        f"{table}/{str(row[table + 'id']).lower()}": row
        for table, page in zip(asked, pages, strict=True)
        for row in page["value"]
    }


def masters(work: Work, contact: Json, rows: dict[str, Json]) -> dict[str, Json]:
    """Return *rows* (linked to the Contact) with the row in place of each that was merged into it in Dynamics 365, now linked too."""
    found = {row: _mastered(work, Customer(contact, row, record)) for row, record in rows.items()}
    for row, customer in found.items():
        if customer.row != row:
            join(work.services, work.connector, _id(contact), customer.row)
    return {customer.row: customer.record for customer in found.values()}


def _mastered(work: Work, customer: Customer) -> Customer:
    """Return the customer as the row that its row was merged into in Dynamics 365, if it was."""
    for _ in range(MERGES):
        record = customer.record
        if not (record.get("merged") and record.get("_masterid_value")):
            break
        master = f"{customer.row.partition('/')[0]}/{str(record['_masterid_value']).lower()}"
        found = read(work, [master]).get(master)
        if found is None:
            break
        customer = replace(customer, row=master, record=found)
    return customer


def _same(work: Work, contact: Json, rows: dict[str, Json]) -> str | None:
    """Return the one active account of the same number, else of the same name.

    Raises Rejected when there are several, which the first of them then tells: its owner is who can tell them apart.
    """
    given = flat(contact)
    for column, name, label in (("accountnumber", "AccountNumber", "Account Number"), ("name", "Name", "Name")):
        wanted = _folded(given.get(name))
        same = [row for row, one in rows.items() if wanted and not one["statecode"] and _folded(one.get(column)) == wanted]
        if len(same) > 1:
            work.about, work.record = same[0], rows[same[0]]
            raise Rejected((_several(label, str(given[name]), [rows[row] for row in same]),))
        if same:
            return same[0]
    return None


def _folded(text: object) -> str:
    return " ".join(str(text or "").split()).casefold()


def _several(label: str, text: str, rows: Sequence[Json]) -> Problem:
    told = " and ".join(f"{row.get('name')} ({row.get('accountnumber') or 'without account number'})" for row in rows[:5])
    return Problem(
        f"The contact {text} of Xero could be {len(rows)} accounts in Dynamics 365: {told}.",
        where=label,
        cause=f"These accounts have one {label}, and no account was linked to the contact before.",
        fix="Merge the accounts or give them different names and numbers; or give the right one the contact's Account Number.",
        who="salesperson",
    )
