"""The flow invoices-to-xero: sales invoices and bills flagged Add to Xero (SPEC 4).

due     what a sweep finds: Active, Add to Xero, not synced, routed to this connector
load    the invoice, its lines, customer, billing contacts and tracking, in one round trip
cross   check -> map -> customer and items -> send -> pay-now link -> write back with its Sync History row
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Mapping as Read
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any

from functions import connectors, contacts, deep_links, documents, from_xero, history, items, mapped, routes
from functions.facts import Facts
from functions.facts import read as read_facts
from functions.routes import Due
from functions.to_xero import ToXero
from functions.work import Asked, Crossed, Work
from mappings import contact as customers
from mappings import invoice as tables
from mappings import totals
from mappings.choices import ContactPolicy, ExportStatus, InvoiceType, ItemOwner, MissingItemPolicy, OperatingMode, TriggerMode
from mappings.convert import day_of
from mappings.item import PRODUCT
from mappings.table import Columns, Mapping
from mappings.written_back import WRITTEN_BACK
from shared.connectors import Connector, Json
from shared.dataverse import answers, query
from shared.errors import Changed, ConnectorError, NotDue, NotFound, Problem, Rejected
from shared.services import Operation, Services

CONTROL = ("statecode", "mag_addtoxero", "mag_synchedwithxero", "mag_exportstatus", "mag_xeroid", "mag_xeropaynowlink", "mag_invoicetype",
           "datedelivered", *routes.COLUMNS)  # fmt: skip
"""What decides about an invoice beside its mapped columns."""

PRODUCTS = (PRODUCT.columns() | Columns(select=frozenset({"productid"}))).under("productid")
COLUMNS = tables.columns() | Columns("invoice", frozenset(CONTROL), children={"invoice_details": PRODUCTS})

NO_CONTACT = "00000000-0000-0000-0000-000000000000"
NO_ACCOUNT = "?"
"""Stand for the customer, and for an account that only Xero may know, while the invoice is rehearsed."""


BALANCES, STATUS = "balances-from-xero", "invoice-status-from-xero"
"""The flows that bring what the customer owes by now, and what Xero says of the invoice."""

ASKED = {None: Asked.ANEW, ExportStatus.NO.value: Asked.ANEW, ExportStatus.READY_TO_UPDATE.value: Asked.UPDATE}
"""What a person asks for by the Export Status of an invoice: No, or Ready to update."""


def due(connector: Connector, services: Services, now: datetime) -> Iterator[Due]:
    """Yield (record, version, what was asked) for every invoice flagged for this connector, oldest first, page by page.

    A future Date Delivered is not filtered out here: the record is told once that it waits, and its claim keeps the date.
    """
    operation: Operation | None = query.selection(
        "invoice",
        select=("invoiceid", "versionnumber", "mag_exportstatus", *routes.COLUMNS),
        where=f"statecode eq 0 and ({_wanted(connector)})"
        f" and (mag_invoicetype eq null or mag_invoicetype ne {InvoiceType.CREDIT_NOTE.value})"
        f" and (_mag_xeroconnectorid_value eq {connector.id} or _mag_xeroconnectorid_value eq null)",
        order="createdon asc,invoiceid asc",
    )
    router = routes.Router(connector, services)
    while operation is not None:
        page = answers.results([operation], services.dataverse.send(connector.environment, [operation]))[0]
        for row in page["value"]:
            asked = ASKED.get(row.get("mag_exportstatus"), Asked.NOTHING)
            yield Due(f"invoice/{row['invoiceid']}", str(row.get("versionnumber", "")), asked, router.of(row))
        operation = query.next_page(page)


def _wanted(connector: Connector) -> str:
    """Return the filter for what a person asked for: the trigger (K02), and changes to send again where that is allowed (K06)."""
    new = "(mag_synchedwithxero eq false or mag_synchedwithxero eq null)"
    triggers = {
        TriggerMode.ADD_TO_XERO: "mag_addtoxero eq true",
        TriggerMode.CONNECTOR_SELECTED: f"_mag_xeroconnectorid_value eq {connector.id}",
        TriggerMode.EITHER: f"(mag_addtoxero eq true or _mag_xeroconnectorid_value eq {connector.id})",
    }
    trigger = triggers[connectors.chosen(connector.settings, "mag_triggermode", TriggerMode, TriggerMode.ADD_TO_XERO)]
    wanted = f"({trigger} and {new})"
    if connector.settings.get("mag_allowresend"):
        again = f"mag_exportstatus eq {ExportStatus.READY_TO_UPDATE.value} or mag_exportstatus eq {ExportStatus.NO.value}"
        wanted += f" or (mag_synchedwithxero eq true and ({again}))"
    return wanted


def load(connector: Connector, services: Services, record_ids: list[str]) -> list[Json | None]:
    """Read invoices with everything their mapping needs, in one round trip; None for one that is not there."""
    plans = [query.plan(COLUMNS, record_id) for record_id in record_ids]
    replies = services.dataverse.send(connector.environment, [operation for plan in plans for operation in plan])
    loaded: list[Json | None] = []
    for plan in plans:
        mine, replies = replies[: len(plan)], replies[len(plan) :]
        try:
            loaded.append(query.merge(COLUMNS, [answers.result(reply, write=False) for reply in mine]))
        except NotFound:
            loaded.append(None)
    return loaded


def fingerprint(record: Json, connector: Connector, services: Services) -> str:
    """Return a keyed hash of all that decides whether *record* can go: what was read of it, and the connector's settings.

    What we write ourselves (Export Status, Xero ids, times) does not count, so our own answer never looks like a person's change.
    """
    told = {"record": _content(record), "settings": _content(dict(connector.settings))}
    return services.secrets.keyed_hash(documents.canonical(told), "fingerprint")


OURS = frozenset(row.target for row in WRITTEN_BACK.rows) | {
    "mag_exportstatus", "mag_exportdate", "mag_lastsynchedon", "mag_xerostatus", "mag_xerostatusdetail", "mag_reconnecturl",
    "modifiedon", "versionnumber", "_mag_xeroconnectorid_value",
}  # fmt: skip
"""Columns the connector writes itself, and the marks Dataverse makes when anything is written."""


def _content(value: Any) -> Any:
    if isinstance(value, Read):
        return {name: _content(inner) for name, inner in value.items() if name not in OURS and "@" not in name}
    return [_content(item) for item in value] if isinstance(value, list) else value


def cross(work: Work) -> Crossed:
    """Send one invoice; every write is exactly once (SPEC 8)."""
    record = _loaded(work)
    if record is None:
        return _deleted(work)
    if (reason := _not_asked(work, record)) is not None:
        return _left_behind(work, record) or Crossed("", reason)
    if record.get("mag_synchedwithxero") and not _asked_again(work, record):
        return _late_pay_now_link(work, record)
    _check_due(work, record)
    mapping = tables.mapping_of(record)
    facts = read_facts(work.services, work.connector)
    given: Json = {"Url": page_of(work.connector, record["invoiceid"]), "tracking_categories": facts.tracking_categories}
    draft = _rehearse(work, mapping, record, given)
    if (
        connectors.chosen(work.connector.settings, "mag_operatingmode", OperatingMode, OperatingMode.ACTIVE)
        is OperatingMode.OBSERVE
    ):
        raise NotDue(_observed(draft))
    found, predicted = _sent(work, record, mapping, given, facts)
    _compare_answer(work, predicted, found)
    from_xero.want(work, BALANCES, "Contact", [found["Contact"]["ContactID"]], at_once=False, afresh=True)
    return _write_back(work, record, found, _pay_now_link(work, found))


def _sent(work: Work, record: Json, mapping: Mapping, given: Json, facts: Facts) -> tuple[Json, totals.Totals]:
    """Write the document. When Xero refuses its contact or an item, they are asked for once more: merged, deleted or renamed since."""
    known_id = str(record.get("mag_xeroid") or "")
    for is_last in (False, True):
        given |= _customer(work, record, mapping) | _items(work, record, mapping)
        payload = _apply(work, mapping, record, given, warn=True)
        payload.setdefault("Date", work.now.astimezone(work.connector.zone).date().isoformat())
        predicted = _settle_totals(work, record, payload, facts)
        try:
            return documents.write(work, documents.INVOICE, payload, known_id), predicted
        except Rejected as error:
            reasons = [found[0].lower() for problem in error.problems if (found := ABOUT_OTHERS.search(problem.message))]
            if reasons:
                table, customer = customers.mapping_of(record)
                contacts.forget(work.services, work.connector, f"{table.source}/{customer[table.source + 'id']}")
                products = tables.products(record, work.settings)
                items.forget(work.services, work.connector, [f"product/{product['productid']}" for product in products])
            if is_last or not any(reason != "account code" for reason in reasons):
                raise
            work.warnings.clear()  # the second time says them again
    raise AssertionError("unreachable")


ABOUT_OTHERS = re.compile(
    r"contact.*(archived|does not know|could not be found)|does not know the contact|item code|account code", re.IGNORECASE
)
"""What Xero refuses of a document that hangs on its contact or items; an account may be theirs, or a person's choice."""


def _loaded(work: Work) -> Json | None:
    record = load(work.connector, work.services, [work.message.record_id])[0]
    if record is not None:
        work.record = record
        work.fingerprint = fingerprint(record, work.connector, work.services)
    return record


def _deleted(work: Work) -> Crossed:
    """Say on the connector what stands in Xero for an invoice that was deleted after an earlier try; usually that is nothing."""
    xero_id = documents.left_behind(work, documents.INVOICE, page_of(work.connector, work.message.record_id))
    if xero_id is None:
        return Crossed("", "The invoice is no longer in Dynamics.")
    return _orphaned(work, xero_id)


def _orphaned(work: Work, xero_id: str) -> Crossed:
    problem = Problem(
        f"An invoice was deleted in Dynamics while it was being sent; it stands in Xero as {xero_id}.",
        cause="A person or a clean-up job deleted the invoice within the seconds of the transfer.",
        fix="Delete or void the document in Xero, if it should not be there.",
        who="bookkeeper",
    )
    history.send(work, [history.warning(work, problem, on_record=False)])
    return Crossed("Warning", problem.message, xero_id)


def _not_asked(work: Work, record: Json) -> str | None:
    """Say why there is nothing to do, or None when there is."""
    if record["statecode"] != 0:
        return "The invoice is no longer Active."
    if record.get("mag_invoicetype") == InvoiceType.CREDIT_NOTE.value:
        return "Credit notes have a flow of their own."
    own = record.get("_mag_xeroconnectorid_value")
    if own not in (None, work.connector.id):
        return "The invoice belongs to another Xero Connector."
    if own is None and not (work.claim.sought or work.claim.made) and _leads_elsewhere(work, record):
        return "The invoice is routed to another Xero Connector."
    if record.get("mag_synchedwithxero"):
        return None if work.message.reason == "pay-now-link" or _asked_again(work, record) else "The invoice is already in Xero."
    mode = connectors.chosen(work.connector.settings, "mag_triggermode", TriggerMode, TriggerMode.ADD_TO_XERO)
    by_flag = bool(record.get("mag_addtoxero")) and mode != TriggerMode.CONNECTOR_SELECTED
    by_choice = own is not None and mode in (TriggerMode.CONNECTOR_SELECTED, TriggerMode.EITHER)
    return None if by_flag or by_choice else "Add to Xero is not Yes."


def _leads_elsewhere(work: Work, record: Json) -> bool:
    """Tell whether the routes changed since the sweep; where there is one connector only, there is no other way."""
    if len(connectors.of_environment(work.services.store, work.connector.environment)) == 1:
        return False
    return not routes.Router(work.connector, work.services).leads_here(record)


def _asked_again(work: Work, record: Json) -> bool:
    """Tell whether a person asked for later changes to be sent (Export Status Ready to update, or No) and the connector allows it."""
    ready = record.get("mag_exportstatus") in (ExportStatus.READY_TO_UPDATE.value, ExportStatus.NO.value)
    return ready and bool(work.connector.settings.get("mag_allowresend"))


def _check_due(work: Work, record: Json) -> None:
    """Raise NotDue when the record itself says it must wait: no lines yet, or a Date Delivered to come (K07)."""
    if not record.get("invoice_details"):
        raise NotDue(
            Problem(
                "The invoice has no products yet.",
                where="Products",
                cause="An invoice needs at least one line before it goes to Xero.",
                fix="Add a product or a write-in line; the invoice then goes by itself.",
                who="salesperson",
            )
        )
    if work.connector.settings.get("mag_holdfuturedated") is False:
        return
    delivered = record.get("datedelivered")
    if delivered is None:
        raise NotDue(
            Problem(
                "Date Delivered is empty.",
                where="Date Delivered (datedelivered)",
                cause="It becomes the date of the invoice in Xero, and an invoice goes on that day or later.",
                fix="Fill in Date Delivered; the invoice then goes by itself.",
                who="salesperson",
            )
        )
    day = day_of(delivered, work.connector.zone)
    if day > work.now.astimezone(work.connector.zone).date():
        begins = datetime.combine(day, time(), work.connector.zone)
        raise NotDue(
            Problem(
                f"The invoice waits for its Date Delivered, {day.isoformat()}.",
                where="Date Delivered (datedelivered)",
                cause="An invoice goes to Xero on its Date Delivered, not before.",
                fix="Nothing to do: it goes by itself on that day. Change Date Delivered to send it sooner.",
                who="nobody",
            ),
            until=begins.isoformat(),
        )


def _apply(work: Work, mapping: Mapping, record: Json, given: Json | None, *, warn: bool = False) -> Json:
    """Write *record* by its table; a record that cannot be written is refused with everything that is wrong with it."""
    payload, warnings = mapped.apply(work, mapping, record, given)
    if warn:
        work.warnings.extend(warnings)
    return payload


def _rehearse(work: Work, mapping: Mapping, record: Json, given: Json) -> Json:
    """Write the invoice, its customer and its products on paper: every problem at once, before anything is written anywhere."""
    table, customer = customers.mapping_of(record)
    unknown: Json = {"ContactID": NO_CONTACT, "item_codes": {}}
    if not work.settings.get("mag_defaultpurchaseaccountcodeid" if mapping is tables.BILL else "mag_defaultaccountcodeid"):
        unknown["contact_account"] = NO_ACCOUNT
    rehearsals: list[tuple[Mapping, Json, Json | None]] = [(mapping, record, given | unknown)]
    rehearsals += [(table, customer, None)] if customer else []
    if _missing_items(work) is not MissingItemPolicy.SEND_WITHOUT_CODE:
        rehearsals += [(PRODUCT, product, None) for product in tables.products(record, work.settings)]
    drafts: list[Json] = []
    problems: list[Problem] = []
    for one, source, known in rehearsals:
        try:
            drafts.append(_apply(work, one, source, known))
        except Rejected as error:
            problems += error.problems
    if problems:
        raise Rejected(tuple(dict.fromkeys(problems)))
    return drafts[0]


def _observed(payload: Json) -> Problem:
    return Problem(
        f"Observe mode: the invoice would go to Xero as {payload['Type']} {payload.get('InvoiceNumber', 'numbered by Xero')}"
        f" with {len(payload['LineItems'])} lines. Nothing was sent.",
        cause="The connector's Operating Mode is Observe.",
        fix="Set the Operating Mode to Active; the invoice then goes by itself.",
        who="administrator",
    )


def _customer(work: Work, record: Json, mapping: Mapping) -> Json:
    """Make sure Xero has the customer; return what the document must know of it: its id, and its account (K37)."""
    table, customer = customers.mapping_of(record)
    name = table.source
    payload = _apply(work, table, customer, {"CurrencyCode": record["transactioncurrencyid"]["isocurrencycode"]}, warn=True)
    settings = work.connector.settings
    policy = connectors.chosen(settings, "mag_contactpolicy", ContactPolicy, ContactPolicy.UPDATE)
    may_create = settings.get("mag_createnewcontacts") is not False
    link = contacts.ensure(work, f"{name}/{customer[name + 'id']}", payload, policy, may_create=may_create)
    return {"ContactID": link.xero_id, "contact_account": link.account(_type(mapping))}


def _items(work: Work, record: Json, mapping: Mapping) -> Json:
    """Make sure Xero has the items; return what the lines must know of them by product number: code and account (K05, K37)."""
    policy, products = _missing_items(work), {}
    mapped: dict[str, Json] = {}
    for product in tables.products(record, work.settings):
        name = f"product/{product['productid']}"
        products[name] = product["productnumber"]
        try:
            mapped[name] = _apply(work, PRODUCT, product, {}, warn=True)
        except Rejected:  # its line goes without a code
            if policy is not MissingItemPolicy.SEND_WITHOUT_CODE:
                raise
    owner = connectors.chosen(work.settings, "mag_itemowner", ItemOwner, ItemOwner.DYNAMICS)
    known = items.ensure(work, mapped, policy, owner) if mapped else {}
    return {
        "item_codes": {products[name]: link.code for name, link in known.items()},
        "item_accounts": {products[name]: link.account(_type(mapping)) for name, link in known.items()},
    }


def _missing_items(work: Work) -> MissingItemPolicy:
    policy = connectors.chosen(work.settings, "mag_missingitempolicy", MissingItemPolicy, MissingItemPolicy.CREATE)
    if policy is MissingItemPolicy.CREATE and work.settings.get("mag_createnewproducts") is False:
        return MissingItemPolicy.SEND_WITHOUT_CODE
    return policy


def _type(mapping: Mapping) -> str:
    return "ACCPAY" if mapping is tables.BILL else "ACCREC"


def _settle_totals(work: Work, record: Json, payload: Json, facts: Facts) -> totals.Totals:
    """Predict Xero's totals and compare them with Dynamics'; the connector's policy warns, holds or adds a rounding line (SPEC 4)."""
    predicted = totals.predict(payload, facts.rates, facts.account_tax_types)
    differing = totals.differences(record, payload, predicted)
    settled = totals.settle(differing, work.connector.settings, len(payload["LineItems"]))
    if settled.flaws:
        raise Rejected(tuple(map(mapped.problem, settled.flaws)))
    work.warnings.extend(map(mapped.problem, settled.warnings))
    if not settled.lines:
        return predicted
    payload["LineItems"].extend(settled.lines)
    return totals.predict(payload, {**facts.rates, "NONE": Decimal(0)}, facts.account_tax_types)


def _compare_answer(work: Work, predicted: totals.Totals, found: Json) -> None:
    """Warn when Xero made other totals of the document than we predicted."""
    for surprise in totals.surprises(predicted, found):
        work.warnings.append(
            Problem(
                f"Xero's {surprise.name} is {surprise.xero}; {surprise.dynamics} was expected.",
                where=surprise.name,
                cause="Xero rounded or taxed a line in another way than its rules say, or a tax rate has changed.",
                fix="Compare the document in Xero with the invoice; refresh the reference data.",
                who="bookkeeper",
            )
        )


def _pay_now_link(work: Work, found: Json) -> str | None:
    """Fetch the online invoice's address, which Xero has for approved sales invoices only.

    The invoice is in Xero by now: a fault here must not hold back its link, so it is fetched again by a message of its own.
    """
    if found["Type"] != "ACCREC" or found["Status"] not in ("SUBMITTED", "AUTHORISED", "PAID"):
        return None
    try:
        answer = work.services.xero.call(work.connector, "get_online_invoice", found["InvoiceID"], lane=work.lane)
    except ConnectorError:
        delay = timedelta(seconds=work.services.durations.first_delay)
        again = work.message.again("pay-now-link", counted=False)
        work.services.queues.send(work.message.flow, again.to_json(), delay)
        return None
    return _online_invoice(answer)


def _online_invoice(answer: Json) -> str | None:
    found: Json = next(iter(answer.get("OnlineInvoices") or ()), {})
    return str(found["OnlineInvoiceUrl"]) if found.get("OnlineInvoiceUrl") else None


def _late_pay_now_link(work: Work, record: Json) -> Crossed:
    if record.get("mag_xeropaynowlink") or not record.get("mag_xeroid"):
        return Crossed("", "The invoice has its pay-now link.")
    answer = work.services.xero.call(work.connector, "get_online_invoice", record["mag_xeroid"], lane=work.lane)
    link = _online_invoice(answer)
    if link is None:
        return Crossed("", "Xero has no online invoice for it.")
    patch = Operation("PATCH", f"invoices({record['invoiceid']})", {"mag_xeropaynowlink": link}, {"If-Match": "*"})
    answers.result(work.services.dataverse.send(work.connector.environment, [patch])[0])
    return Crossed("Update", "The pay-now link has been added.", str(record["mag_xeroid"]))


def _write_back(work: Work, record: Json, found: Json, pay_now_link: str | None) -> Crossed:
    """Write what Xero answered and the Sync History rows in one change set, under If-Match (steps 6 and 7)."""
    xero_id = str(found["InvoiceID"])
    what = "Bill" if found["Type"] == "ACCPAY" else "Invoice"
    action, done = ("Update", "updated") if record.get("mag_synchedwithxero") else ("Create", "created")
    crossed = Crossed(action, f"{what} has been {done} in Xero - {xero_id}", xero_id)
    given = {
        "deep_link": deep_links.invoice(work.connector, found["Type"], xero_id),
        "pay_now_link": pay_now_link,
        "now": history.instant(work.now),
        "connector": None if record.get("_mag_xeroconnectorid_value") else work.connector.id,
    }
    columns = _apply(work, WRITTEN_BACK, found, given)
    etag: str | None = record["@odata.etag"]
    while etag is not None:
        changed = Operation("PATCH", f"invoices({record['invoiceid']})", columns, {"If-Match": etag}, change_set="back")
        told = history.success(work, crossed, change_set="back")
        try:
            operations = [changed, *told]
            history.send(work, operations)
            break
        except Changed:
            try:
                etag = _etag_if_unchanged(work, columns)
            except NotFound:
                return _orphaned(work, xero_id)
            # The change may have been newer amounts of Xero's than ours: they are read once more.
            from_xero.want(work, STATUS, "Invoice", [xero_id], afresh=True)
        except NotFound:
            return _orphaned(work, xero_id)
        except answers.ReadOnlyRow:
            etag = None
    if etag is None:
        return _closed_meanwhile(work, xero_id)
    return crossed


def _etag_if_unchanged(work: Work, columns: Json) -> str | None:
    """Return the new ETag when only columns we do not send were changed; None when the invoice was closed.

    Otherwise keep the link on the record and leave it due: the next try brings the document in Xero up to date.
    """
    record = load(work.connector, work.services, [work.message.record_id])[0]
    if record is None:
        raise NotFound("The invoice was deleted in Dynamics while it was being sent.")
    etag = str(record["@odata.etag"])
    if record["statecode"] != 0:
        return None
    if fingerprint(record, work.connector, work.services) != work.fingerprint:
        link_only: Json = {
            name: columns[name] for name in ("mag_xeroid", "mag_xeroinvoicenumber", "mag_xeroinvoiceurl") if name in columns
        }
        if not record.get("_mag_xeroconnectorid_value"):
            link_only["mag_xeroconnectorid@odata.bind"] = columns["mag_xeroconnectorid@odata.bind"]
        link_only["mag_synchedwithxero"] = False  # due, even if a quicker worker sent the change and ours overtook it in Xero
        patch = Operation("PATCH", f"invoices({record['invoiceid']})", link_only, {"If-Match": etag})
        answers.result(work.services.dataverse.send(work.connector.environment, [patch])[0])
        raise Changed("The invoice was changed while it was being sent; it is brought up to date in Xero.")
    return etag


def _closed_meanwhile(work: Work, xero_id: str) -> Crossed:
    """Say that the document exists: a row closed while it was being sent is read-only, and what follows is the cancellation's."""
    problem = Problem(
        f"The invoice was closed or taken back in Dynamics while it was being sent; it stands in Xero as {xero_id}.",
        where="Status",
        cause="A person or a workflow changed the invoice between the tries of the transfer.",
        fix="If it should not be in these books, void or credit it in Xero as well.",
        who="bookkeeper",
    )
    history.send(work, [history.warning(work, problem)])
    return Crossed("Warning", problem.message, xero_id)


def _left_behind(work: Work, record: Json) -> Crossed | None:
    """Report the document of an earlier try whose end was never written: the invoice was closed, taken back or moved meanwhile."""
    if record.get("mag_xeroid") and record.get("_mag_xeroconnectorid_value") in (None, work.connector.id):
        return None
    xero_id = documents.left_behind(work, documents.INVOICE, page_of(work.connector, record["invoiceid"]))
    return _closed_meanwhile(work, xero_id) if xero_id else None


def page_of(connector: Connector, invoice_id: str) -> str:
    """Return the address of the invoice in Dynamics: our mark on the Xero document (SPEC 4).

    Xero refuses a Url that contains "xero", so the app is named by id, and a host that contains it is written with its first
    letter percent-encoded, which every browser reads back.
    """
    host = connector.environment.lower().replace("xero", "%78ero")
    app = f"appid={connector.app_id}&" if connector.app_id else ""
    return f"https://{host}/main.aspx?{app}pagetype=entityrecord&etn=invoice&id={invoice_id}"


SOURCE = ToXero(due, load, fingerprint, cross)
