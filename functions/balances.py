"""The flow balances-from-xero: what an account or a contact owes, and what of it is overdue (A363-A367; SPEC 5).

Asked for by whatever brings a document across or sees one of a customer's change, and once a night for those that owe something, then
for the other customers: nothing in Xero says when a balance changes, what is overdue changes with the day alone, and money received
in advance comes across with no document. One call reads forty contacts. Xero tells in the organisation's base currency; the sum over
all connectors of the environment is written in the row's own, by the exchange rates of Dynamics 365.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Context, Decimal, localcontext
from typing import Any

from functions import connectors, contacts_from_xero, customers, deep_links, from_xero, links, mapped, xero_lists
from functions.flows import BY_NAME
from functions.from_xero import Found, FromXero, Reading
from functions.work import Crossed, Work
from mappings import balance
from shared.connectors import Connector, Json
from shared.dataverse import answers, query
from shared.errors import ConnectorError, Disconnected, NeedsReconnect, NeedsScope, NotFound, NotReady, Problem, Rejected
from shared.services import Lane, Operation, Services

FLOW, TABLE = "balances-from-xero", "Contact"
MARGIN = timedelta(minutes=5)
"""By how much Xero's clock, which dates its documents, may be behind ours, which dates a balance."""
LINKED_BY = ("contact", "contacts-from-xero")
"""The kinds of links that name a Contact: the one kept of a customer we sent, the other of one that came."""
MOST_OTHERS = 400
"""How many contacts of customers that owe nothing one night reads: ten calls."""
SIDE = "AccountsReceivable"
AMOUNTS = ("Outstanding", "Overdue")
RIDES_ALONG = ("ContactID", "ContactNumber", "ContactStatus", "MergedToContactID")
FACTS, BASE_CURRENCY = "flowruns", "facts Organisation"
WIDE = Context(prec=60)
OWING = " or ".join(f"{column} {sign} 0" for column in ("mag_amountowed", "mag_amountoverdue") for sign in ("gt", "lt"))


@dataclass(frozen=True)
class Currency:
    """A currency of Dynamics 365: its units for one of the base currency, and its places."""

    code: str
    rate: Decimal
    precision: int


def choose(reading: Reading, documents: Sequence[Json]) -> Iterator[Found]:
    """Yield every contact with its balance as of now: a balance that changes moves no date, so that the time of reading tells."""
    version = f"{reading.now:%Y-%m-%dT%H:%M:%S.%f}Z"
    elsewhere = _elsewhere(reading, [str(contact["ContactID"]) for contact in documents])
    for contact in documents:
        xero_id = str(contact["ContactID"])
        yield Found(xero_id, version, _body(contact) | elsewhere.get(xero_id, {}))


def ask(reading: Reading, documents: Iterable[Json]) -> None:
    """Have the balances read again of those customers of whom one of *documents* changed since they were last told."""
    if not BY_NAME[FLOW].for_connector(reading.connector).enabled:
        return
    changed: dict[str, datetime] = {}
    for one in documents:
        contact, moment = one.get("Contact"), xero_lists.changed_at(one)
        contact_id = str(contact.get("ContactID")).lower() if isinstance(contact, Mapping) else ""
        if moment and xero_lists.is_id(contact_id):
            changed[contact_id] = max(moment, changed.get(contact_id, moment))
    told = {one: links.read(reading.services, reading.connector, FLOW, f"{TABLE}/{one}") for one in changed}
    since = [
        one for one, link in told.items() if link and link.row and changed[one] > datetime.fromisoformat(link.version) - MARGIN
    ]
    from_xero.want(reading, FLOW, TABLE, since, at_once=False, afresh=True)


def _elsewhere(reading: Reading, ids: Sequence[str]) -> dict[str, Json]:
    """Return, by Contact, what its customers owe other organisations ({"Elsewhere": {connector: Contacts}}): a call for forty each.

    Of one that cannot be asked now nothing is told: ``cross`` asks it again, and says so.
    """
    services, found = reading.services, dict[str, Json]()
    for other in connectors.of_environment(services.store, reading.connector.environment):
        if other.key == reading.connector.key or not _is_reachable(other):
            continue
        theirs = {xero_id: _of_customers(reading, other, xero_id) for xero_id in ids}
        wanted = list(dict.fromkeys(one for some in theirs.values() for one in some))
        try:
            read = {
                str(one["ContactID"]).lower(): {"ContactID": one["ContactID"], "Balances": {SIDE: _side(one)}}
                for one in xero_lists.by_ids(services, other, xero_lists.CONTACTS, wanted, reading.lane)
            }
        except ConnectorError:
            continue
        for xero_id, some in theirs.items():
            if known := [read[one] for one in some if one in read]:
                found.setdefault(xero_id, {"Elsewhere": {}})["Elsewhere"][other.key] = known
    return found


def _of_customers(reading: Reading, other: Connector, xero_id: str) -> list[str]:
    rows = customers.rows_of(reading.services, reading.connector, xero_id)
    return [one for row in rows for one in customers.contacts_of(reading.services, other, row)]


def _is_reachable(connector: Connector) -> bool:
    return connector.state == "connected" and connector.is_sealed


def _body(contact: Json) -> Json:
    body = {name: contact[name] for name in RIDES_ALONG if isinstance(contact.get(name), str)}
    return body | {"Balances": {SIDE: _side(contact)}}


def _side(contact: Json) -> Json:
    """Return what a Contact owes as Xero says it, for the converter to judge; nothing at all is nothing owed."""
    balances = contact.get("Balances")
    side = balances.get(SIDE) if isinstance(balances, dict) else None
    found = side if isinstance(side, dict) else {}
    return {name: Decimal(0) if found.get(name) is None else found[name] for name in AMOUNTS}


def reread(reading: Reading) -> Iterator[Sequence[Json]]:
    """Yield the contacts of the accounts and contacts that owe something in Dynamics 365, then of the others, in turn where there are
    many, those of which nothing was ever told among them: a call for forty.
    """
    services, connector = reading.services, reading.connector
    sent, came = (links.read_all(services, connector, kind) for kind in LINKED_BY)
    wanted: dict[str, None] = {}
    for row in _owing(services, connector):
        known = [sent[row].xero_id] if row in sent else customers.contacts_of(services, connector, row)
        wanted |= dict.fromkeys(contact_id.lower() for contact_id in known)
    told = links.read_all(services, connector, FLOW)
    linked = {link.xero_id.lower() for link in (*sent.values(), *(link for link in (*came.values(), *told.values()) if link.row))}
    ids = [*wanted, *from_xero.in_turn(sorted(linked - wanted.keys()), MOST_OTHERS, reading)]
    for start in range(0, len(ids), xero_lists.AT_ONCE):
        some = ids[start : start + xero_lists.AT_ONCE]
        yield xero_lists.by_ids(services, connector, xero_lists.CONTACTS, some, reading.lane)


def _owing(services: Services, connector: Connector) -> Iterator[str]:
    for table in customers.TABLES:
        operation: Operation | None = query.selection(table, (f"{table}id",), OWING, f"{table}id asc")
        while operation is not None:
            (page,) = answers.results([operation], services.dataverse.send(connector.environment, [operation]))
            yield from (f"{table}/{str(row[table + 'id']).lower()}" for row in page["value"])
            operation = query.next_page(page)


def cross(work: Work, contact: Json) -> Crossed:
    """Write what the customers of a Contact owe; one that is linked to nothing, or bears no mark of ours, concerns nobody.

    Raises Rejected when a currency has no rate in Dynamics 365, or when another organisation's part cannot be read.
    """
    if contact.get("ContactStatus") == "GDPRREQUEST":
        return Crossed("", "The contact asked to be forgotten: its customer stays as it is.")
    if customers.is_merged(contact):
        return contacts_from_xero.follow(work, contact)
    services, contact_id = work.services, str(contact["ContactID"])
    linked = customers.rows_of(services, work.connector, contact_id)
    rows = customers.masters(work, contact, customers.read(work, linked or customers.marked(contact)))
    if not rows:
        return Crossed("", "The contact is no customer in Dynamics 365.")
    told = [change for row, record in rows.items() if (change := _write(work, contact, row, record))]
    row = next(iter(rows))
    if not told:
        return Crossed("", "Dynamics 365 says the same already.", row=row)
    return Crossed("Update", " ".join(told), contact_id, row)


def _write(work: Work, contact: Json, row: str, record: Json) -> str:
    """Write the columns of one customer that differ and return in which currency they are; "" when none did."""
    work.about, work.record = row, record
    table, _, row_id = row.partition("/")
    known = _currencies(work)
    theirs = known.get(str(record.get("_transactioncurrencyid_value") or "").lower(), known[""])
    told = contact.get("Elsewhere") or {}
    parts = [(work.connector, one) for one in _contacts(work, work.connector, row, [contact])]
    for other in connectors.of_environment(work.services.store, work.connector.environment):
        if other.key != work.connector.key:
            parts += [(other, one) for one in _contacts(work, other, row, told.get(other.key, []))]
    summed = _summed(work, parts, theirs, {one.code: one for one in known.values()})
    given = {"precision": theirs.precision, "deep_link": deep_links.contact(work.connector, str(contact["ContactID"]))}
    columns, _ = mapped.apply(work, balance.OF[table], {"Balances": {SIDE: summed}}, given)
    if record.get("mag_xerocontacturl"):
        columns.pop("mag_xerocontacturl", None)
    changes = {name: value for name, value in columns.items() if record.get(name) is None or record[name] != value}
    if not changes:
        return ""
    patch = Operation("PATCH", query.row(table, row_id), changes, {"If-Match": record["@odata.etag"]})
    try:
        answers.result(work.services.dataverse.send(work.connector.environment, [patch])[0])
    except NotFound:
        return ""  # deleted meanwhile
    return f"Amount Owed and Amount Overdue are in {theirs.code or 'the base currency'}."


def _contacts(work: Work, connector: Connector, row: str, known: Sequence[Json]) -> list[Json]:
    """Return *known* and the other Contacts of an organisation that *row* is linked to; a call only where there are such."""
    ids = {str(one["ContactID"]).lower() for one in known}
    others = [one for one in customers.contacts_of(work.services, connector, row) if one not in ids]
    if not others:
        return list(known)
    with _asking(work, connector):
        return [*known, *xero_lists.by_ids(work.services, connector, xero_lists.CONTACTS, others, work.lane)]


@contextmanager
def _asking(work: Work, connector: Connector) -> Iterator[None]:
    """Raise Rejected where another connector than the message's may not ask its organisation: this one is not disconnected by that."""
    if connector.key == work.connector.key:
        yield
        return
    if not _is_reachable(connector):
        raise Rejected((_unreachable(connector),))
    try:
        yield
    except (NeedsReconnect, NeedsScope, Disconnected) as error:
        raise Rejected((_unreachable(connector),)) from error


def _summed(work: Work, parts: Sequence[tuple[Connector, Json]], theirs: Currency, known: dict[str, Currency]) -> Json:
    """Return the amounts summed in the row's currency; what is no number is left for the converter to refuse."""
    summed: dict[str, Any] = dict.fromkeys(AMOUNTS, Decimal(0))
    for connector, contact in parts:
        side = _side(contact)
        for name in AMOUNTS:
            amount = side[name]
            if isinstance(amount, bool) or not isinstance(amount, Decimal | int):
                return {**summed, name: amount}
            if amount:
                with _asking(work, connector):
                    code = base_currency(work.services, connector, work.lane)
                summed[name] += converted(Decimal(amount), code, theirs, known)
    return summed


def converted(amount: Decimal, code: str, into: Currency, known: dict[str, Currency]) -> Decimal:
    """Return *amount* of the currency *code* in the currency *into*; raise Rejected naming the currency that has no rate."""
    if code == into.code:
        return amount
    of = known.get(code)
    if of is None or not of.rate > 0 or not into.rate > 0:
        raise Rejected((_no_rate(code if of is None or not of.rate > 0 else into.code),))
    with localcontext(WIDE):
        return amount / of.rate * into.rate


def base_currency(services: Services, connector: Connector, lane: Lane) -> str:
    """Return the base currency of the connector's organisation: asked for once, because Xero never changes it."""
    stored = services.store.read(FACTS, connector.key, BASE_CURRENCY)
    if stored and stored.values.get("organisation") == connector.organisation:
        return str(stored.values["currency"])
    answer = services.xero.call(connector, "get_organisations", lane=lane)
    found = answer.get("Organisations")
    code = str(found[0].get("BaseCurrency") or "") if isinstance(found, list) and found and isinstance(found[0], dict) else ""
    if not code:
        raise NotReady("Xero did not say the base currency of the organisation.")
    services.store.upsert(FACTS, connector.key, BASE_CURRENCY, {"organisation": connector.organisation, "currency": code})
    return code


def _currencies(work: Work) -> dict[str, Currency]:
    """Return the currencies of Dynamics 365 by their ids; "" is the base currency, whose rate is one, for rows that have none."""
    columns = ("transactioncurrencyid", "isocurrencycode", "exchangerate", "currencyprecision")
    operations = [
        query.selection("transactioncurrency", columns),
        query.selection("organization", ("_basecurrencyid_value",)),
    ]
    found, organisation = answers.results(operations, work.services.dataverse.send(work.connector.environment, operations))
    known = {str(row["transactioncurrencyid"]).lower(): _currency(row) for row in found["value"]}
    base = next((str(row.get("_basecurrencyid_value") or "").lower() for row in organisation["value"]), "")
    return known | {"": known.get(base, Currency("", Decimal(1), 2))}


def _currency(row: Json) -> Currency:
    rate, precision = row.get("exchangerate"), row.get("currencyprecision")
    return Currency(str(row["isocurrencycode"]).upper(), Decimal(rate or 0), 2 if precision is None else int(precision))


def _no_rate(code: str) -> Problem:
    return Problem(
        f"What the customer owes in {code} cannot be told in the customer's currency: Dynamics 365 has no exchange rate of {code}.",
        where="Amount Owed (mag_amountowed)",
        cause=f"{code} is no currency of this environment, or its exchange rate is empty.",
        fix=f"Add the currency {code} in the Power Platform admin center and give it its exchange rate; it then goes by itself.",
        who="administrator",
    )


def _unreachable(connector: Connector) -> Problem:
    return Problem(
        f"What the customer owes is summed over several organisations, and {connector.organisation_name} cannot be asked.",
        where="Amount Owed (mag_amountowed)",
        cause="That connector is not connected to Xero at the moment.",
        fix="Connect it again, or remove it if it is not used any more.",
        who="administrator",
    )


SOURCE = FromXero(xero_lists.CONTACTS, choose, cross, reread, listed=False)
