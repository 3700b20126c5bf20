"""The flow payments-from-xero: a row for each payment of a linked invoice or bill, and the invoice brought in line (SPEC 4).

choose  the payments of invoices that a row is linked to, with what Xero says of those invoices: one call for 40 of them
cross   mirror the invoice (functions/invoice_status.py) -> write the payment's row with its Sync History row in one change set

The invoice goes first: once it says what Xero says by now, nobody who read it before the payment takes the payment's row back.
A payment is made and deleted in Xero, never changed. A deleted one is marked Reversed; one that was deleted before it ever crossed
leaves nothing. A row a person deleted is not made again.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from functions import history, invoice_status, linked, links, mapped, reference_data, xero_lists
from functions.columns import differing
from functions.from_xero import Found, FromXero, Reading
from functions.links import Link
from functions.work import Crossed, Work
from functions.xero_lists import INVOICES
from mappings.choices import PaymentStatus
from mappings.payment import PAYMENT
from mappings.table import BIND
from shared.connectors import Json
from shared.dataverse import answers, query
from shared.errors import Changed, NotFound, Problem
from shared.services import Operation

TYPES = ("ACCRECPAYMENT", "ACCPAYPAYMENT")
"""What pays an invoice or bill; the other types refund a credit note, an overpayment or a prepayment."""
FLOW, TABLE = "payments-from-xero", "mag_payment"
TRIES = 3
TEXTS = ("PaymentID", "PaymentType", "Status", "Reference")
ONCE = ("mag_name", f"transactioncurrencyid{BIND}")
"""What is written when the row is made, and is people's afterwards."""


# ── what rides along ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def choose(reading: Reading, found: Sequence[Json]) -> Iterator[Found]:
    """Yield the payments of linked invoices, each with what Xero says of its invoice by now.

    By forty invoices: what was yielded is under way when the calls of the minute end, and need not be read again.
    """
    paid: dict[str, list[Json]] = {}
    for one in found:
        if xero_id := _invoice_id(one):
            paid.setdefault(xero_id, []).append(one)
    ours = linked.read(reading.services, reading.connector, paid)
    wanted = [xero_id for xero_id in paid if ours.has(xero_id)]
    for start in range(0, len(wanted), xero_lists.AT_ONCE):
        some = wanted[start : start + xero_lists.AT_ONCE]
        for invoice in xero_lists.by_ids(reading.services, reading.connector, INVOICES, some, reading.lane):
            row_id = ours.row_of(invoice)
            if row_id is None:
                continue
            told = invoice_status.body_of(invoice_status.facts_of(invoice), row_id)
            for one in paid.get(str(invoice["InvoiceID"]).lower(), ()):
                yield Found(str(one["PaymentID"]), xero_lists.version(one), {"payment": facts_of(one), **told})


def _invoice_id(payment: Json) -> str | None:
    invoice = payment.get("Invoice")
    if payment.get("PaymentType") not in TYPES or not isinstance(invoice, Mapping):
        return None
    return str(invoice.get("InvoiceID") or "").lower() or None


def facts_of(payment: Json) -> Json:
    """Return what of a Payment of Xero its row needs; what is no such value is None."""
    account = payment.get("Account")
    named = account if isinstance(account, Mapping) else {}
    return {
        **{name: xero_lists.text_of(payment.get(name)) for name in TEXTS},
        "Date": xero_lists.day_of(payment.get("Date")),
        "Amount": xero_lists.number_of(payment.get("Amount")),
        "AccountID": xero_lists.text_of(named.get("AccountID")),
        "AccountCode": xero_lists.text_of(named.get("Code")),
    }


# ── one payment ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def cross(work: Work, body: Json) -> Crossed:
    """Bring the payment's invoice in line and write the payment's row."""
    payment, row_id = body["payment"], str(body["row"])
    words = invoice_status.mirror(work, body["facts"], row_id)
    crossed = Crossed("", "Payments have no rows here; the invoice follows.")
    if work.settings.get("mag_createpaymentrows") is not False:
        crossed = written(work, payment, row_id)
    if words and not crossed.action:
        return replace(crossed, action="Update", details=words, xero_id=payment["PaymentID"])
    return crossed


def written(work: Work, payment: Json, row_id: str) -> Crossed:
    """Write the row of a payment (``facts_of``) of the invoice *row_id*, with its history, also for a flow that read it anyway.

    Who else writes it at the same moment is waited for.
    """
    link = links.read(work.services, work.connector, FLOW, _record(payment))
    for _ in range(TRIES):
        found = _read(work, payment, row_id)
        if found is None:
            return Crossed("", "The invoice is no longer in Dynamics 365.")
        try:
            crossed = _write(work, payment, *found, link)
        except (Changed, NotFound):
            continue
        if link is None and crossed.row:  # whoever made it: one a person deletes is not made again
            links.write(work.services, work.connector, FLOW, _record(payment), Link(payment["PaymentID"], row=crossed.row))
        return crossed
    raise Changed("The payment's row is being written by somebody else.")


def _read(work: Work, payment: Json, row_id: str) -> tuple[Json, Json | None, list[Json]] | None:
    """Return the invoice, the payment's row if there is one, and the accounts that may be its, in one round trip."""
    operations = [
        query.read("invoice", row_id, ("_ownerid_value", "_transactioncurrencyid_value", "mag_xeroid")),
        query.selection(
            TABLE, (f"{TABLE}id", *PAYMENT.target_columns()), f"mag_xeropaymentid eq {query.quoted(payment['PaymentID'])}"
        ),
    ]
    if accounts := _accounts(work, payment):
        operations.append(accounts)
    replies = work.services.dataverse.send(work.connector.environment, operations)
    try:
        invoice = answers.result(replies[0], write=False)
    except NotFound:
        return None
    work.about, work.record = f"invoice/{row_id}", invoice
    rows, *others = (answers.result(reply, write=False)["value"] for reply in replies[1:])
    return invoice, next(iter(rows), None), others[0] if others else []


def _accounts(work: Work, payment: Json) -> Operation | None:
    names = {"mag_xeroaccountid": payment["AccountID"], "mag_code": payment["AccountCode"]}
    terms = " or ".join(f"{name} eq {query.quoted(value)}" for name, value in names.items() if value)
    if not terms:
        return None
    where = f"_mag_xeroconnectorid_value eq {work.connector.id} and ({terms})"
    return query.selection("mag_xeroaccountcode", ("mag_xeroaccountcodeid", "mag_xeroaccountid", "mag_code"), where)


def _record(payment: Json) -> str:
    return f"Payment/{str(payment['PaymentID']).lower()}"


def _write(work: Work, payment: Json, invoice: Json, held: Json | None, accounts: list[Json], link: Link | None) -> Crossed:
    row_id = str(held[f"{TABLE}id"]) if held else _new_id(work, payment)
    row = f"{TABLE}/{row_id}"
    mine = replace(work, warnings=[])
    if held is None and (reason := _not_made(payment, link)):
        return Crossed("", reason, payment["PaymentID"])
    account = _account(mine, payment, accounts)
    columns = _columns(mine, payment, invoice, account)
    if held is None:
        owner = history.owner_bind(invoice)
        columns |= {history.OWNER: owner} if owner else {}
        operation = Operation("PATCH", query.row(TABLE, row_id), columns, {"If-None-Match": "*"})
        crossed = Crossed("Create", f"{_named(payment)} has been added.", payment["PaymentID"], row)
    else:
        changes = differing(held, {name: value for name, value in columns.items() if name not in ONCE})
        if not changes:
            return Crossed("", "The payment is already here.", payment["PaymentID"], row)
        operation = Operation("PATCH", query.row(TABLE, row_id), changes, {"If-Match": held["@odata.etag"]})
        is_reversed = changes.get("mag_paymentstatus") == PaymentStatus.REVERSED.value
        words = "was taken back in Xero: it is Reversed" if is_reversed else "has been updated"
        crossed = Crossed("Update", f"{_named(payment)} {words}.", payment["PaymentID"], row)
    told = history.success(mine, crossed, change_set="payment")
    history.send(mine, [replace(operation, change_set="payment"), *told])
    return crossed


def _new_id(work: Work, payment: Json) -> str:
    return str(uuid.uuid5(history.NAMESPACE, f"{work.connector.key}|{TABLE}|{str(payment['PaymentID']).lower()}"))


def _not_made(payment: Json, link: Link | None) -> str:
    """Say why a payment without a row gets none, "" when it does."""
    if payment["Status"] == "DELETED":
        return "The payment was taken back before it came here."
    return "A person deleted the payment's row here; it is not made again." if link and link.row else ""


def _account(work: Work, payment: Json, accounts: list[Json]) -> str | None:
    """Return the row of the payment's account: by Xero's id, else by its code; an unknown one is asked for."""
    for column, value in (("mag_xeroaccountid", payment["AccountID"]), ("mag_code", payment["AccountCode"])):
        for one in accounts:
            if value and str(one.get(column) or "").lower() == value.lower():
                return str(one["mag_xeroaccountcodeid"])
    if payment["AccountID"] or payment["AccountCode"]:
        reference_data.ask_for_refresh(work.services, work.connector)
        work.warnings.append(
            Problem(
                f"The payment's account {payment['AccountCode'] or payment['AccountID']} is not known here; it was left empty.",
                where="Xero Account Code (mag_xeroaccountcodeid)",
                cause="The account was added in Xero since the reference data was read.",
                fix="Choose the account on the payment once the Account Codes have been read again, which happens by itself.",
                who="bookkeeper",
            )
        )
    return None


def _columns(work: Work, payment: Json, invoice: Json, account: str | None) -> Json:
    known = {"invoice": invoice["invoiceid"], "account": account, "currency": invoice.get("_transactioncurrencyid_value")}
    given = {name: value for name, value in known.items() if value}
    columns, warnings = mapped.apply(work, PAYMENT, payment, given)
    work.warnings += warnings
    return columns


def _named(payment: Json) -> str:
    amount = f" of {payment['Amount']:,.2f}" if payment["Amount"] is not None else ""
    day = f" on {payment['Date']}" if payment["Date"] else ""
    return f"The payment{amount}{day}"


SOURCE = FromXero(xero_lists.PAYMENTS, choose, cross)
