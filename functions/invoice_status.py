"""The flow invoice-status-from-xero: status, tax, amounts, Paid and Cancelled of linked invoices and bills (SPEC 4).

choose  the documents that a row of Dynamics 365 is linked to
mirror  read the row and its payments -> plan (functions/states.py) -> write it with its Sync History rows in one change set
        -> ask for what the document names and Dynamics 365 lacks: payments, credit notes, the contact's balances

Other flows from Xero that read an Invoice anyway have it mirrored too, under the same claim; facts older than those that were
mirrored last change nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from functions import balances, connectors, documents, from_xero, history, invoices, linked, links, mapped, states, xero_lists
from functions import claim as claims
from functions.claim import Claim
from functions.columns import differing
from functions.flows import BY_NAME
from functions.from_xero import Found, FromXero, Reading
from functions.links import Link
from functions.states import Plan, State, Verdict, Wrote
from functions.work import Crossed, Work
from functions.xero_lists import INVOICES
from mappings.choices import InvoiceType, NumberSource, PaymentStatus
from mappings.invoice_status import INVOICE_STATUS
from shared import exact_json
from shared.connectors import Json
from shared.dataverse import answers, query
from shared.errors import Changed, ConfigurationError, ConnectorError, NotFound, Problem, Rejected, Retryable
from shared.messages import SyncMessage
from shared.outcomes import Outcome, Status
from shared.services import Operation

log = logging.getLogger(__name__)

FLOW, TABLE = "invoice-status-from-xero", "Invoice"
SENDING, PAYMENTS, CREDIT_NOTES = "invoices-to-xero", "payments-from-xero", "credit-notes-from-xero"
STATE = "invoice-state"
"""The kind of the link that keeps, for a row of Dynamics 365, the last state we wrote on it (K14)."""
TYPES = ("ACCREC", "ACCPAY")
TRIES = 3
"""How often a row that somebody else changes meanwhile is read and decided again, before the message waits."""
NIGHTLY_CALLS = 10
"""How many calls of each kind the nightly check makes; what is left has its turn in the nights after."""

# fmt: off
TEXTS = ("Type", "Status", "InvoiceNumber", "CurrencyCode", "Url", "UpdatedDateUTC")
AMOUNTS = ("Total", "TotalTax", "AmountDue", "AmountPaid", "AmountCredited")
SETTLED_BY = {
    # list of Xero    its id             what else of it    in words
    "Payments":       ("PaymentID",      "Amount",          "payment"),
    "Overpayments":   ("OverpaymentID",  "AppliedAmount",   "overpayment"),
    "Prepayments":    ("PrepaymentID",   "AppliedAmount",   "prepayment"),
    "CreditNotes":    ("CreditNoteID",   "AppliedAmount",   "credit note"),
}
NAMES = {"mag_amountdue": "Amount Due", "mag_amountpaid": "Amount Paid", "mag_amountcredited": "Amount Credited", "mag_xerotax": "Xero Tax"}
COLUMNS = (
    "statecode", "statuscode", "_ownerid_value", "_transactioncurrencyid_value", "_mag_xeroconnectorid_value", "mag_xeroid",
    "mag_synchedwithxero", "mag_xeropaynowlink",
    *INVOICE_STATUS.target_columns(),
)
# fmt: on


# ── what rides along ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def facts_of(invoice: Json) -> Json:
    """Return what of an Invoice of Xero (of a page, or read by itself) the mirror needs; what is no such value is None.

    A list is None when Xero did not tell it, which is not the same as empty.
    """
    contact = invoice.get("Contact")
    return {
        "InvoiceID": str(invoice["InvoiceID"]),
        **{name: xero_lists.text_of(invoice.get(name)) for name in TEXTS},
        "ContactID": xero_lists.text_of(contact.get("ContactID")) if isinstance(contact, Mapping) else None,
        **{name: xero_lists.number_of(invoice.get(name)) for name in AMOUNTS},
        **{name: _settling(invoice.get(name), key, amount) for name, (key, amount, _) in SETTLED_BY.items()},
    }


def body_of(facts: Json, row_id: str) -> Json:
    """Return the body of a message of this flow."""
    return {"facts": facts, "row": row_id}


def _settling(found: Any, key: str, amount: str) -> list[Json] | None:
    if not isinstance(found, list):
        return None
    return [
        {key: one[key], "Amount": xero_lists.number_of(one.get(amount))}
        for one in found
        if isinstance(one, Mapping) and xero_lists.text_of(one.get(key))
    ]


def _ids(facts: Json, name: str) -> list[str]:
    return [str(one[SETTLED_BY[name][0]]).lower() for one in facts.get(name) or ()]


# ── the flow ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def choose(reading: Reading, found: Sequence[Json]) -> Iterator[Found]:
    """Yield the invoices and bills that a row is linked to; one round trip to Dynamics 365. The others change what customers owe."""
    ours = linked.read(reading.services, reading.connector, (str(one["InvoiceID"]) for one in found))
    for one in found:
        row_id = ours.row_of(one) if one.get("Type") in TYPES else None
        if row_id is not None:
            yield Found(str(one["InvoiceID"]), xero_lists.version(one), body_of(facts_of(one), row_id))
    balances.ask(reading, (one for one in found if not ours.has(str(one["InvoiceID"]))))


def cross(work: Work, body: Json) -> Crossed:
    """Mirror one document."""
    facts, row_id = body["facts"], str(body["row"])
    words = mirror(work, facts, row_id)
    if not words:
        return Crossed("", "Dynamics 365 says what Xero says.", row=f"invoice/{row_id}")
    return Crossed("Update", words, facts["InvoiceID"], f"invoice/{row_id}")


def reread(reading: Reading) -> Iterator[Sequence[Json]]:
    """Yield what is open in Xero, then what is Active in Dynamics 365 and was not among it; a part a night where there is more."""
    seen: set[str] = set()
    for page in _open_in_xero(reading):
        seen |= {str(one["InvoiceID"]).lower() for one in page}
        yield page
    rest = [xero_id for xero_id in _active_here(reading) if xero_id not in seen]
    most = NIGHTLY_CALLS * xero_lists.AT_ONCE
    yield xero_lists.by_ids(reading.services, reading.connector, INVOICES, from_xero.in_turn(rest, most, reading), reading.lane)


def _open_in_xero(reading: Reading) -> Iterator[list[Json]]:
    """Yield the pages of what is open, at most NIGHTLY_CALLS of them; sorted by id, so that none moves while they are read."""
    first, pages = _open_page(reading, 1)
    yield first
    for number in from_xero.in_turn(range(2, pages + 1), NIGHTLY_CALLS - 1, reading):
        yield _open_page(reading, number)[0]


def _open_page(reading: Reading, number: int) -> tuple[list[Json], int]:
    options: dict[str, Any] = {"statuses": list(states.OPEN), "order": "InvoiceID ASC"}
    return xero_lists.read_page(reading.services, reading.connector, INVOICES, number, reading.lane, **options)


def _active_here(reading: Reading) -> list[str]:
    """Return the Xero ids of the connector's Active invoices and bills; a draft that was deleted in Xero is over."""
    operation: Operation | None = query.selection(
        "invoice",
        ("mag_xeroid",),
        f"statecode eq {State.ACTIVE.value} and mag_xeroid ne null and _mag_xeroconnectorid_value eq {reading.connector.id}"
        " and (mag_xeroinvoicestatus eq null or mag_xeroinvoicestatus ne 'DELETED')"
        f" and (mag_invoicetype eq null or mag_invoicetype ne {InvoiceType.CREDIT_NOTE.value})",
        "invoiceid asc",
    )
    ids: list[str] = []
    for _ in range(NIGHTLY_CALLS):
        if operation is None:
            break
        page = answers.results([operation], reading.services.dataverse.send(reading.connector.environment, [operation]))[0]
        ids += [str(row["mag_xeroid"]).lower() for row in page["value"]]
        operation = query.next_page(page)
    return list(dict.fromkeys(ids))


# ── the mirror ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def mirror(work: Work, facts: Json, row_id: str) -> str:
    """Bring the invoice *row_id* of Dynamics 365 in line with *facts*; return what changed in words, "" for nothing.

    Works under this flow's claim on the document; a row somebody else changes meanwhile is read and decided again. Raises NotReady
    while another worker mirrors the document, Changed when the row never holds still, Rejected when Dynamics 365 refuses: for
    another flow this one then asks, tells why, and tries again, so that n payments are not n refusals of one invoice.
    """
    record = f"{TABLE}/{str(facts['InvoiceID']).lower()}"
    if (work.message.flow, work.message.record) == (FLOW, record):
        return _mirror(work, facts, row_id, record)
    before = claims.read(work.services, work.connector.key, FLOW, record)
    claim = claims.take(work.services, work.connector.key, FLOW, record, work.claim.owner)
    try:
        words = _mirror(work, facts, row_id, record)
    except ConnectorError as error:
        _let_go(work, before, claim)
        if not isinstance(error, Rejected) or not BY_NAME[FLOW].for_connector(work.connector).enabled:
            raise
        from_xero.want(work, FLOW, TABLE, [facts["InvoiceID"]])
        return ""
    _let_go(work, before, claim)
    return words


def _let_go(work: Work, before: Claim, claim: Claim) -> None:
    """Let go of the claim, and leave a message that is under way, or a wish, as it was noted; this try was not one of its own."""
    try:
        if before.etag:
            claims.release(work.services, replace(claim, attempt=before.attempt), queued=before.queued)
        else:
            claims.close(work.services, claim)
    except Retryable as unreleased:  # the lease ends by itself
        log.warning("could not release %s: %s", claim.row, type(unreleased).__name__)


def _mirror(work: Work, facts: Json, row_id: str, record: str) -> str:
    link = links.read(work.services, work.connector, FLOW, record)
    version = xero_lists.version(facts)
    if link and version and version < link.version:
        return ""
    is_news = link is None or version > link.version
    for _ in range(TRIES):
        found = _read(work, facts, row_id)
        if found is None:
            return ""
        row, payments, notes = found
        try:
            words = _follow(work, facts, row, payments, is_news=is_news)
        except (Changed, NotFound):  # the row, or one of its payments, was changed or deleted meanwhile
            continue
        _ask_for_the_rest(work, facts, payments, notes, is_news=is_news or bool(words))
        if work.message.flow != FLOW:
            told = work.services.secrets.keyed_hash(exact_json.dumps(body_of(facts, row_id)), "body")
            newest = max(version, link.version) if link else version
            kept = Link(facts["InvoiceID"], {} if work.is_behind else {"body": told}, version=newest, row=f"invoice/{row_id}")
            links.write(work.services, work.connector, FLOW, record, kept)
        return words
    raise Changed("The invoice is being changed by somebody else.")


def _read(work: Work, facts: Json, row_id: str) -> tuple[Json, list[Json], list[Json]] | None:
    """Return the row, its payments and its credit notes, in one round trip; None when it is gone, or another document's by now."""
    about = f"_mag_invoiceid_value eq {query.row_id(row_id)}"
    operations = [
        query.read("invoice", row_id, COLUMNS),
        query.selection("mag_payment", ("mag_paymentid", "mag_xeropaymentid", "mag_paymentstatus"), about),
        query.selection("mag_creditnote", ("mag_creditnoteid", "mag_xerocreditnoteid"), about),
    ]
    row_answer, *others = work.services.dataverse.send(work.connector.environment, operations)
    try:
        row: Json = answers.result(row_answer, write=False)
    except NotFound:
        return None
    work.about, work.record = f"invoice/{row_id}", row
    payments, notes = (answers.result(answer, write=False)["value"] for answer in others)
    is_its = str(row.get("mag_xeroid") or "").lower() == str(facts["InvoiceID"]).lower()
    is_ours = row.get("_mag_xeroconnectorid_value") in (None, work.connector.id)
    return (row, payments, notes) if is_its and is_ours else None


def _follow(work: Work, facts: Json, row: Json, payments: list[Json], *, is_news: bool) -> str:
    """Write what differs, in one change set under If-Match; return what changed in words."""
    row_id, wrote = str(row["invoiceid"]), last_wrote(work, str(row["invoiceid"]))
    mine = replace(work, warnings=[], fingerprint=_fingerprint(work, facts))
    columns = _columns(mine, facts)
    plan = states.plan(row, facts, columns, wrote)
    changed = _changed_payments(facts, payments)
    words = _words(facts, plan, changed)
    if is_news:
        mine.warnings += _warnings(row, facts, plan)
    if plan.is_deleted:
        _lay_aside(work, row_id, facts)
    if _is_approved_only_now(row, facts, plan):
        message = SyncMessage(work.connector.key, SENDING, f"invoice/{row_id}", reason="pay-now-link")
        work.services.queues.send(SENDING, message.to_json())
    operations = [*_writes(row, plan), *changed, *_told(mine, facts, plan, words)]
    is_kept_first = plan.wrote != wrote and not plan.is_kept_after
    if is_kept_first:
        _keep_wrote(work, row_id, facts, plan.wrote)
    try:
        if operations:
            history.send(work, [replace(operation, change_set="mirror") for operation in operations])
    except (Rejected, ConfigurationError, Changed):  # nothing was written
        if is_kept_first:
            _keep_wrote(work, row_id, facts, wrote)
        raise
    if plan.wrote != wrote and not is_kept_first:
        _keep_wrote(work, row_id, facts, plan.wrote)
    work.is_behind = not plan.writes and bool(differing(row, columns))
    return words


def _columns(work: Work, facts: Json) -> Json:
    columns, warnings = mapped.apply(work, INVOICE_STATUS, facts, {})
    work.warnings += warnings
    return columns


def _writes(row: Json, plan: Plan) -> list[Operation]:
    """Return the writes of *plan*: the first under If-Match, the others follow it within the change set."""
    etags = [str(row["@odata.etag"]), *["*"] * len(plan.writes)]
    path = query.row("invoice", str(row["invoiceid"]))
    return [Operation("PATCH", path, body, {"If-Match": etag}) for body, etag in zip(plan.writes, etags, strict=False)]


def _changed_payments(facts: Json, payments: list[Json]) -> list[Operation]:
    """Return what marks payments Reversed that Xero no longer names; one it does name stands: it never comes back from deletion."""
    if facts.get("Payments") is None:
        return []
    named = set(_ids(facts, "Payments"))
    changed: list[Operation] = []
    for one in payments:
        is_named = str(one.get("mag_xeropaymentid") or "").lower() in named
        status = (PaymentStatus.APPLIED if is_named else PaymentStatus.REVERSED).value
        if one.get("mag_xeropaymentid") and one.get("mag_paymentstatus") != status:
            path = query.row("mag_payment", str(one["mag_paymentid"]))
            changed.append(Operation("PATCH", path, {"mag_paymentstatus": status}, {"If-Match": "*"}))
    return changed


def _fingerprint(work: Work, facts: Json) -> str:
    """Return what tells this history from that of the flow that had the document mirrored."""
    return work.services.secrets.keyed_hash(exact_json.dumps(facts), "mirror")


# ── the last state we wrote ─────────────────────────────────────────────────────────────────────────────────────────────────────


def last_wrote(work: Work, row_id: str) -> Wrote:
    """Return the last state we wrote on an invoice of Dynamics 365: what tells it from a user's (K14)."""
    link = links.read(work.services, work.connector, STATE, f"invoice/{row_id}")
    if link is None:
        return Wrote()
    reason = link.left.get("statuscode", "")
    return Wrote(int(link.status) if link.status else None, int(reason) if reason else None)


def _keep_wrote(work: Work, row_id: str, facts: Json, wrote: Wrote) -> None:
    """Keep it: before the row is written, or after (``Plan.is_kept_after``)."""
    left = {"statuscode": str(wrote.open_reason)} if wrote.open_reason is not None else {}
    status = "" if wrote.state is None else str(wrote.state)
    links.write(work.services, work.connector, STATE, f"invoice/{row_id}", Link(facts["InvoiceID"], status=status, left=left))


# ── a draft deleted in Xero ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _lay_aside(work: Work, row_id: str, facts: Json) -> None:
    """Park the record in the flow that sends it, as if Xero had refused it: it goes again when a person asks or changes it.

    The link says that the document is gone, so that the next one is made anew (functions/documents.py).
    """
    record = f"invoice/{row_id}"
    loaded = invoices.load(work.connector, work.services, [row_id])[0]
    if loaded is None:
        return
    claim = claims.take(work.services, work.connector.key, SENDING, record, work.claim.owner)
    fingerprint = invoices.fingerprint(loaded, work.connector, work.services)
    claims.park(work.services, claim, fingerprint, Status.REFUSED.value)
    gone = Link(facts["InvoiceID"], status="DELETED")
    links.write(work.services, work.connector, documents.INVOICE.kind, record, gone)


def _deleted(work: Work, facts: Json) -> Problem:
    is_sales = facts.get("Type") == "ACCREC"
    source = connectors.chosen(work.settings, "mag_numbersource", NumberSource, NumberSource.CRM_NUMBER)
    fixes = {
        NumberSource.XERO: "set Export Status to No: it is sent again and gets a new number.",
        NumberSource.CRM_NAME: "change its Name, which is its number in Xero, and set Export Status to No.",
        NumberSource.CRM_NUMBER: "make a new invoice, which gets a new number, and cancel this one.",
    }
    again = fixes[source] if is_sales else "set Export Status to No: it is sent again."
    never = " Xero never gives a sales number twice." if is_sales and source is not NumberSource.XERO else ""
    return Problem(
        f"The draft {facts.get('InvoiceNumber') or facts['InvoiceID']} was deleted in Xero; the invoice stays Active.",
        cause=f"A bookkeeper deleted the draft.{never}",
        fix=f"If it should be in Xero after all, {again} Else cancel the invoice.",
        who="salesperson",
    )


# ── words ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _told(work: Work, facts: Json, plan: Plan, words: str) -> list[Operation]:
    """Return the Sync History rows: what a person cares about, and warnings."""
    if plan.is_deleted:
        problem = _deleted(work, facts)
        refused = Outcome(work.message, Status.REFUSED, "Refuse", problem.message, work.now, (problem,))
        return [history.failure(work, refused), *(history.warning(work, one) for one in work.warnings)]
    if words:
        return history.success(work, Crossed("Update", words, facts["InvoiceID"]), change_set="mirror")
    return [history.warning(work, one) for one in work.warnings]


def _words(facts: Json, plan: Plan, payments: list[Operation]) -> str:
    """Say what a person cares about: the state, the status in Xero and the amounts; "" when nothing of it changed."""
    changes = plan.columns
    parts: list[str] = []
    if plan.is_deleted:
        parts.append("The draft was deleted in Xero.")
    if plan.before is not plan.after:
        parts.append(_state_words(facts, plan))
    elif "mag_xeroinvoicestatus" in changes:
        parts.append(f"Its status in Xero is {changes['mag_xeroinvoicestatus']}.")
    taken_back = sum((one.body or {}).get("mag_paymentstatus") == PaymentStatus.REVERSED.value for one in payments)
    if taken_back:
        counted = _counted(taken_back, "payment").capitalize()
        parts.append(f"{counted} {'was' if taken_back == 1 else 'were'} taken back in Xero.")
    currency = f" {facts['CurrencyCode']}" if facts.get("CurrencyCode") else ""
    amounts = [f"{label} {changes[name]:,.2f}{currency}" for name, label in NAMES.items() if changes.get(name) is not None]
    if amounts:
        parts.append(f"{', '.join(amounts)}.")
    return " ".join(parts)


def _state_words(facts: Json, plan: Plan) -> str:
    if plan.after is State.PAID:
        return f"The invoice is Paid: it was settled in Xero{_settled_by(facts)}."
    if plan.after is State.CANCELLED:
        how = "voided in Xero" if facts.get("Status") == "VOIDED" else f"settled in Xero{_settled_by(facts)} alone"
        return f"The invoice is Cancelled: it was {how}."
    return f"The invoice is Active again: in Xero it is {facts.get('Status')} since a payment or credit was taken back."


def _settled_by(facts: Json) -> str:
    """Name what settled the document: "" when Xero names nothing."""
    named = [_counted(len(facts[name]), words) for name, (_, _, words) in SETTLED_BY.items() if facts.get(name)]
    if not named and facts.get("Total") == 0:
        return ", its total being zero"
    *others, last = named or [""]
    return f" by {', '.join(others)} and {last}" if others else f" by {last}" if last else ""


def _counted(number: int, what: str) -> str:
    return f"{number} {what}s" if number > 1 else f"{'an' if what[0] in 'ao' else 'a'} {what}"


def _warnings(row: Json, facts: Json, plan: Plan) -> list[Problem]:
    said = states.verdict(facts)
    if said is Verdict.UNKNOWN:
        return [_not_understood(facts)]
    if said is Verdict.DELETED and plan.before is State.PAID:
        return [
            Problem(
                f"The draft {facts.get('InvoiceNumber') or facts['InvoiceID']} was deleted in Xero; the invoice is Paid here and stays so.",
                where="Status",
                cause="A bookkeeper deleted the draft after the invoice was marked Paid in Dynamics 365.",
                fix="If it should be in Xero after all, make a new invoice, which gets a new number. Cancel this one.",
                who="salesperson",
            )
        ]
    is_opened = plan.before is State.CANCELLED and said in (Verdict.OPEN, Verdict.PAID)
    money = differing(row, {"mag_amountpaid": facts["AmountPaid"]} if facts.get("AmountPaid") is not None else {})
    if plan.is_left_alone and is_opened and states.is_money_changed(row, money):
        return [
            Problem(
                "Money was received in Xero for an invoice that was cancelled in Dynamics 365; the invoice is left as it is.",
                where="Status",
                cause=f"A person cancelled the invoice here; in Xero it is {facts.get('Status')}.",
                fix="Reactivate the invoice in Dynamics 365 if it is owed after all; else give the money back in Xero.",
                who="bookkeeper",
            )
        ]
    return []


def _not_understood(facts: Json) -> Problem:
    status = facts.get("Status")
    if status == "PAID":
        return Problem(
            "Xero says the invoice is PAID but names nothing that settled it, so its state is left as it is.",
            where="Status",
            cause="Xero told no payment, credit note, prepayment or overpayment of it.",
            fix="Look at the invoice in Xero, and set the state in Dynamics 365 by hand.",
            who="bookkeeper",
        )
    return Problem(
        f"Xero gave the invoice the status {status or '(none)'}, which the connector does not know; its state is left as it is.",
        where="Status",
        cause="Xero has added a status since this version of the connector.",
        fix="Set the state in Dynamics 365 by hand if need be, and ask for a newer version of the connector.",
        who="administrator",
    )


# ── what else the document tells of ─────────────────────────────────────────────────────────────────────────────────────────────


def _is_approved_only_now(row: Json, facts: Json, plan: Plan) -> bool:
    """Tell whether there is a pay-now link to fetch: the flow that sends invoices does, so that nothing here waits for it."""
    is_approved = facts.get("Type") == "ACCREC" and facts.get("Status") in ("SUBMITTED", "AUTHORISED")
    is_news = "mag_xeroinvoicestatus" in plan.columns or plan.before is not plan.after
    lacks = row.get("mag_synchedwithxero") is True and not row.get("mag_xeropaynowlink")
    return is_approved and is_news and lacks and plan.after is State.ACTIVE


def _ask_for_the_rest(work: Work, facts: Json, payments: list[Json], notes: list[Json], *, is_news: bool) -> None:
    """Have the payments and credit notes brought that Dynamics 365 lacks, and the balances of the contact."""
    if work.settings.get("mag_createpaymentrows") is not False:
        held = {str(one.get("mag_xeropaymentid") or "").lower() for one in payments}
        missing = [one for one in _ids(facts, "Payments") if one not in held and _is_unheard_of(work, PAYMENTS, f"Payment/{one}")]
        from_xero.want(work, PAYMENTS, "Payment", missing)
    held = {str(one.get("mag_xerocreditnoteid") or "").lower() for one in notes}
    version = xero_lists.version(facts)
    unheard = [
        one
        for one in _ids(facts, "CreditNotes")
        # A note that crossed for another invoice has no row of this one yet, which was linked since.
        if one not in held and (is_news or _is_unheard_of(work, CREDIT_NOTES, f"CreditNote/{one}", version))
    ]
    # One that is under way may have been read before this invoice was linked.
    from_xero.want(work, CREDIT_NOTES, "CreditNote", unheard, afresh=True)
    if is_news and facts.get("ContactID"):
        from_xero.want(work, balances.FLOW, balances.TABLE, [facts["ContactID"]], at_once=False, afresh=True)


def _is_unheard_of(work: Work, flow: str, record: str, version: str = "") -> bool:
    """Tell whether *flow* has neither taken *record* across (since *version*) nor has it in hand: what was deleted here stays so."""
    link = links.read(work.services, work.connector, flow, record)
    if link is not None and link.version >= version:
        return False
    return not claims.read(work.services, work.connector.key, flow, record).etag


SOURCE = FromXero(xero_lists.INVOICES, choose, cross, reread)
