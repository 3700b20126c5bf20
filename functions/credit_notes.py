"""The flow credit-notes-from-xero: a row for each allocation of a credit note to a linked invoice or bill (SPEC 4; A307-A318, K39).

choose  the credit notes that are, or were, set against linked invoices, with what Xero says of those invoices: one call for 40 of them
cross   invoice by invoice: write the rows of its allocations with their Sync History rows in one change set -> mirror the invoice

A row is known by the id of its allocation; where Xero gives none, by note, invoice, date and amount. A credit note that came from
Dynamics 365 is completed, never doubled (K14). What is taken back in Xero is deactivated here, what a person deleted here stays away.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from functions import balances, history, invoice_status, linked, links, mapped, xero_lists
from functions.columns import differing
from functions.from_xero import Found, FromXero, Reading
from functions.linked import Linked
from functions.links import Link
from functions.work import Crossed, Work
from functions.xero_lists import INVOICES
from mappings.choices import ExportStatus
from mappings.credit_note import CREDIT_NOTE_ALLOCATION
from mappings.table import BIND
from shared.connectors import Json
from shared.dataverse import answers, query
from shared.errors import Changed, NotFound, Problem, Rejected
from shared.services import Operation

TYPES = ("ACCRECCREDIT", "ACCPAYCREDIT")
TABLE = "mag_creditnote"
KIND = "credit-note-allocation"
"""The kind of the link that says which row an allocation became: one a person deletes is not made again."""
TRIES = 3
GONE = ("VOIDED", "DELETED")
KNOWN = ("DRAFT", "SUBMITTED", "AUTHORISED", "PAID", *GONE)
TEXTS = ("CreditNoteID", "Type", "Status", "CreditNoteNumber", "Reference")
ONCE = ("mag_name", "mag_addtoxero", f"transactioncurrencyid{BIND}")
"""What is written when the row is made, and is people's afterwards."""
ACTIVE: Json = {"statecode": 0, "statuscode": 1}
TAKEN_BACK: Json = {"statecode": 1, "statuscode": 2, "mag_exportstatus": ExportStatus.NO.value}
"""What a row becomes whose allocation was removed in Xero: Export Status No tells it from one a person deactivated."""


# ── what rides along ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def choose(reading: Reading, found: Sequence[Json]) -> Iterator[Found]:
    """Yield the credit notes with allocations to linked invoices, or with rows of earlier ones, each with those invoices.

    Forty at a time: what was yielded is under way when the calls of the minute end, and need not be read again.
    """
    notes = [one for one in found if one.get("Type") in TYPES]
    balances.ask(reading, notes)
    ids = [str(one["CreditNoteID"]).lower() for one in notes]
    allocated = {_id(one): [entry["InvoiceID"] for entry in _allocations(one) or ()] for one in notes}
    ours = linked.read(reading.services, reading.connector, [*ids, *(one for ids in allocated.values() for one in ids)])
    held = _held(reading, ids)
    wanted = {
        note_id: [*(one for one in allocated[note_id] if ours.has(one)), *filter(None, held.get(note_id, {}).values())]
        for note_id in ids
    }
    concerned = [one for one in notes if wanted[_id(one)] or held.get(_id(one))]
    for start in range(0, len(concerned), xero_lists.AT_ONCE):
        some = concerned[start : start + xero_lists.AT_ONCE]
        named = sorted({xero_id for one in some for xero_id in wanted[_id(one)]})
        read = xero_lists.by_ids(reading.services, reading.connector, INVOICES, named, reading.lane)
        invoices = {str(one["InvoiceID"]).lower(): one for one in read}
        for one in some:
            if targets := _targets(one, ours, held.get(_id(one), {}), invoices):
                body = {"note": facts_of(one), "is_own": ours.has(_id(one)), "invoices": targets}
                yield Found(str(one["CreditNoteID"]), xero_lists.version(one), body)


def _id(note: Json) -> str:
    return str(note["CreditNoteID"]).lower()


def _held(reading: Reading, ids: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return, by credit note, the invoices its rows stand on: {row id: Xero id}; one round trip."""
    operations = []
    for named in query.among("mag_xerocreditnoteid", ids):
        operation = query.selection(TABLE, ("mag_xerocreditnoteid", "_mag_invoiceid_value"), named)
        expand = "$expand=mag_invoiceid($select=mag_xeroid,_mag_xeroconnectorid_value)"
        operations.append(replace(operation, path=f"{operation.path}&{expand}"))
    found: dict[str, dict[str, str]] = {}
    if operations:
        for page in answers.results(operations, reading.services.dataverse.send(reading.connector.environment, operations)):
            for row in page["value"]:
                invoice = row.get("mag_invoiceid")
                if invoice and invoice.get("_mag_xeroconnectorid_value") in (None, reading.connector.id):
                    rows = found.setdefault(str(row["mag_xerocreditnoteid"]).lower(), {})
                    rows[str(row["_mag_invoiceid_value"])] = str(invoice.get("mag_xeroid") or "").lower()
    return found


def _targets(note: Json, ours: Linked, held: Mapping[str, str], invoices: Mapping[str, Json]) -> list[Json]:
    """Return the invoices of Dynamics 365 a note is or was set against, with its allocations to each.

    The allocations are None when Xero did not tell them, which is not the same as there being none.
    """
    told = _allocations(note)
    targets: dict[str, Json] = {}
    for entry in told or ():
        invoice = invoices.get(entry["InvoiceID"])
        if invoice is not None and (row_id := ours.row_of(invoice)):
            target = targets.setdefault(row_id, _target(row_id, invoice, []))
            target["allocations"].append(entry)
    for row_id, xero_id in held.items():
        targets.setdefault(row_id, _target(row_id, invoices.get(xero_id), None if told is None else []))
    return list(targets.values())


def _target(row_id: str, invoice: Json | None, allocations: list[Json] | None) -> Json:
    facts = invoice_status.facts_of(invoice) if invoice else None
    return {"row": row_id, "facts": facts, "allocations": allocations}


def facts_of(note: Json) -> Json:
    """Return what of a Credit Note of Xero its rows need; what is no such value is None."""
    return {**{name: xero_lists.text_of(note.get(name)) for name in TEXTS}, "Date": xero_lists.day_of(note.get("Date"))}


def _allocations(note: Json) -> list[Json] | None:
    """Return the allocations of a note to invoices, each with what tells it from every other; None when Xero does not tell them."""
    if note.get("Status") in GONE:
        return []
    found = note.get("Allocations")
    if not isinstance(found, list):
        return None
    told: list[Json] = []
    alike: Counter[str] = Counter()
    for one in found:
        invoice = one.get("Invoice") if isinstance(one, Mapping) else None
        xero_id = str(invoice.get("InvoiceID") or "").lower() if isinstance(invoice, Mapping) else ""
        if not xero_lists.is_id(xero_id) or one.get("IsDeleted") is True:
            continue
        day, amount = xero_lists.day_of(one.get("Date")), xero_lists.number_of(one.get("Amount"))
        named = "|".join((_id(note), xero_id, day or "", "" if amount is None else format(amount.normalize(), "f")))
        alike[named] += 1
        made_up = str(uuid.uuid5(history.NAMESPACE, f"{TABLE}|{named}|{alike[named]}"))
        entry = {"InvoiceID": xero_id, "AllocationID": xero_lists.text_of(one.get("AllocationID")), "MadeUp": made_up}
        told.append({**entry, "Date": day, "Amount": amount})
    return told


# ── one credit note ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def cross(work: Work, body: Json) -> Crossed:
    """Write the rows of a credit note and bring its invoices in line; one invoice that refuses holds back no other."""
    note, done, refused = body["note"], [], list[tuple[str, Json, Rejected]]()
    for target in body["invoices"]:
        row_id = str(target["row"])
        work.about, work.record = "", {}
        try:
            if not body["is_own"]:
                done += _write_rows(work, note, row_id, target["allocations"])
            if target["facts"] is not None and (words := invoice_status.mirror(work, target["facts"], row_id)):
                done.append(Crossed("Update", words, row=work.about))
        except Rejected as error:
            refused.append((work.about, work.record, error))
    if refused:
        work.about, work.record, _ = refused[0]
        raise Rejected(tuple(problem for _, _, error in refused for problem in error.problems))
    return _summed_up(note, done)


def _summed_up(note: Json, done: Sequence[Crossed]) -> Crossed:
    if not done:
        return Crossed("", "Dynamics 365 says what Xero says.")
    action = "Create" if any(one.action == "Create" for one in done) else "Update"
    return Crossed(action, " ".join(one.details for one in done), note["CreditNoteID"], done[0].row)


def _write_rows(work: Work, note: Json, row_id: str, allocations: list[Json] | None) -> list[Crossed]:
    """Bring the rows of *note* on one invoice in line with its allocations; who else writes them meanwhile is waited for."""
    if allocations is None:
        return []
    for _ in range(TRIES):
        found = _read(work, note, row_id, allocations)
        if found is None:
            return []
        try:
            return _send(work, note, *found, allocations)
        except Changed:
            continue
    raise Changed("The rows of the credit note are being written by somebody else.")


def _read(work: Work, note: Json, row_id: str, allocations: Sequence[Json]) -> tuple[Json, list[Json]] | None:
    """Return the invoice, and the rows of the note and those on the invoice that bear its number, in one round trip."""
    ids = [one for entry in allocations for one in (entry["AllocationID"], entry["MadeUp"]) if one]
    filters = [f"mag_xerocreditnoteid eq {query.quoted(note['CreditNoteID'])}"]
    if note["CreditNoteNumber"]:
        number = query.quoted(note["CreditNoteNumber"])
        filters.append(f"_mag_invoiceid_value eq {query.row_id(row_id)} and mag_creditnotenumber eq {number}")
    filters += query.among("mag_xeroallocationid", ids)
    select = (f"{TABLE}id", "statecode", "_ownerid_value", *CREDIT_NOTE_ALLOCATION.target_columns())
    operations = [
        query.read("invoice", row_id, ("_ownerid_value", "_transactioncurrencyid_value", "mag_xeroid")),
        *(query.selection(TABLE, select, one, f"createdon asc,{TABLE}id asc") for one in filters),
    ]
    invoice_answer, *pages = work.services.dataverse.send(work.connector.environment, operations)
    try:
        invoice = answers.result(invoice_answer, write=False)
    except NotFound:
        return None
    work.about, work.record = f"invoice/{row_id}", invoice
    rows = {str(row[f"{TABLE}id"]): row for page in pages for row in answers.result(page, write=False)["value"]}
    return invoice, list(rows.values())


@dataclass(frozen=True)
class Change:
    """One write of a row of the note, with what is told of it; *key* tells the allocation from every other."""

    operation: Operation
    row_id: str
    key: str
    action: str
    words: str
    warnings: tuple[Problem, ...] = ()


def _send(work: Work, note: Json, invoice: Json, rows: list[Json], allocations: Sequence[Json]) -> list[Crossed]:
    """Write what differs, in one change set with its Sync History rows; keep which rows the allocations became."""
    matched = _matched(note, invoice, rows, allocations)
    changes: list[Change] = []
    for entry in allocations:
        held = matched.get(_key(entry))
        if change := _change(work, note, invoice, entry, held):
            changes.append(change)
    kept = {str(row[f"{TABLE}id"]) for row in matched.values()}
    changes += [_taken_back(note, row) for row in rows if str(row[f"{TABLE}id"]) not in kept and _is_over(note, invoice, row)]
    operations: list[Operation] = []
    crossed: list[Crossed] = []
    for change in changes:
        one = Crossed(change.action, change.words, change.key, f"{TABLE}/{change.row_id}")
        mine = replace(work, warnings=list(change.warnings))
        told = [_on_both(operation, change.row_id) for operation in history.success(mine, one, change_set="credit note")]
        operations += [replace(change.operation, change_set="credit note"), *told]
        crossed.append(one)
    if operations:
        history.send(work, operations)
    _keep(work, allocations, matched, changes)
    return crossed


def _key(entry: Json) -> str:
    return str(entry["AllocationID"] or entry["MadeUp"])


def _matched(note: Json, invoice: Json, rows: Sequence[Json], allocations: Sequence[Json]) -> dict[str, Json]:
    """Return the row each allocation is, by its key: by allocation, by note where it came from here, by number for adoption (K39)."""
    free = list(rows)
    matched: dict[str, Json] = {}

    def match(fits: Callable[[Json, Json], bool]) -> None:
        for entry in allocations:
            row = next((one for one in free if fits(one, entry)), None)
            if _key(entry) not in matched and row is not None:
                matched[_key(entry)] = row
                free.remove(row)

    match(lambda row, entry: bool(entry["AllocationID"]) and _lower(row, "mag_xeroallocationid") == entry["AllocationID"].lower())
    match(lambda row, entry: _lower(row, "mag_xeroallocationid") == entry["MadeUp"])
    free = [
        row for row in free if row.get("_mag_invoiceid_value") == invoice["invoiceid"] and not row.get("mag_xeroallocationid")
    ]
    for is_it in (_is_of, _bears_number):
        match(lambda row, entry, is_it=is_it: is_it(note, row) and _is_amount(row, entry))  # type: ignore[misc]
        match(lambda row, entry, is_it=is_it: is_it(note, row))  # type: ignore[misc]
    return matched


def _lower(row: Json, name: str) -> str:
    return str(row.get(name) or "").lower()


def _is_of(note: Json, row: Json) -> bool:
    return _lower(row, "mag_xerocreditnoteid") == str(note["CreditNoteID"]).lower()


def _bears_number(note: Json, row: Json) -> bool:
    """Tell whether a row without any id of Xero's is the note by its number: typed here, or brought by another product."""
    number = str(note["CreditNoteNumber"] or "").casefold()
    return (
        bool(number) and not row.get("mag_xerocreditnoteid") and str(row.get("mag_creditnotenumber") or "").casefold() == number
    )


def _is_amount(row: Json, entry: Json) -> bool:
    amount, held = entry["Amount"], row.get("mag_amount")
    return amount is not None and held is not None and Decimal(held) == Decimal(amount)


def _is_over(note: Json, invoice: Json, row: Json) -> bool:
    """Tell whether a row that no allocation matches was of one, on this invoice; one that is on its way to Xero waits for its own."""
    is_on_it = row.get("_mag_invoiceid_value") == invoice["invoiceid"]
    had_one = bool(row.get("mag_xeroallocationid")) or note["Status"] in GONE
    return is_on_it and had_one and _is_of(note, row) and row.get("statecode") == 0


def _change(work: Work, note: Json, invoice: Json, entry: Json, held: Json | None) -> Change | None:
    """Return the write of one allocation's row; None when there is nothing to write, or the row is not ours to touch."""
    if held is None:
        records = dict.fromkeys((_record(_key(entry)), _record(entry["MadeUp"])))
        was_made = any(links.read(work.services, work.connector, KIND, record) for record in records)
        return None if was_made else _made(work, note, invoice, entry)  # what a person deleted is not made again
    if held.get("mag_addtoxero") and not held.get("mag_synchedwithxero") and not held.get("mag_xerocreditnoteid"):
        return None  # on its way to Xero: the flow that sends it completes it
    is_taken_back = held.get("mag_exportstatus") == ExportStatus.NO.value and held.get("mag_xeroallocationid")
    if held.get("statecode") != 0 and not is_taken_back:
        return None  # a person deactivated it
    columns, warnings = _columns(work, note, invoice, entry)
    changes = differing(held, {name: value for name, value in columns.items() if name not in ONCE})
    if held.get("statecode") != 0:
        changes |= ACTIVE
    if not changes:
        return None
    row_id = str(held[f"{TABLE}id"])
    operation = Operation("PATCH", query.row(TABLE, row_id), changes, {"If-Match": held["@odata.etag"]})
    words = f"{_named(note)}: its row has been brought in line with Xero{_of(entry['Amount'])}."
    return Change(operation, row_id, _key(entry), "Update", words, warnings)


def _made(work: Work, note: Json, invoice: Json, entry: Json) -> Change:
    columns, warnings = _columns(work, note, invoice, entry)
    row_id = str(uuid.uuid5(history.NAMESPACE, f"{work.connector.key}|{TABLE}|{_key(entry).lower()}"))
    if owner := history.owner_bind(invoice):
        columns[history.OWNER] = owner
    operation = Operation("PATCH", query.row(TABLE, row_id), columns, {"If-None-Match": "*"})
    words = f"{_named(note)} has been set against the invoice{_of(entry['Amount'])}."
    return Change(operation, row_id, _key(entry), "Create", words, warnings)


def _taken_back(note: Json, row: Json) -> Change:
    row_id, status = str(row[f"{TABLE}id"]), note["Status"]
    how = f"was {str(status).lower()} in Xero" if status in GONE else "is no longer set against the invoice in Xero"
    operation = Operation("PATCH", query.row(TABLE, row_id), TAKEN_BACK, {"If-Match": row["@odata.etag"]})
    key = str(row.get("mag_xeroallocationid") or row_id)
    return Change(operation, row_id, key, "Update", f"{_named(note)} {how}{_of(row.get('mag_amount'))}: its row is inactive.")


def _columns(work: Work, note: Json, invoice: Json, entry: Json) -> tuple[Json, tuple[Problem, ...]]:
    """Return the columns of an allocation's row, and what its reader should know about them."""
    record = {"CreditNote": note, "Date": entry["Date"], "Amount": entry["Amount"]}
    known = {"invoice": invoice["invoiceid"], "currency": invoice.get("_transactioncurrencyid_value"), "allocation": _key(entry)}
    columns, warnings = mapped.apply(work, CREDIT_NOTE_ALLOCATION, record, known)
    if note["Status"] not in KNOWN:
        warnings.append(_not_understood(note))
    return columns, tuple(warnings)


def _not_understood(note: Json) -> Problem:
    return Problem(
        f"Xero gave the credit note the status {note['Status'] or '(none)'}, which the connector does not know; its allocations count.",
        where="Status",
        cause="Xero has added a status since this version of the connector.",
        fix="Look at the credit note in Xero, and ask for a newer version of the connector.",
        who="administrator",
    )


def _on_both(operation: Operation, row_id: str) -> Operation:
    """Have a Sync History row of the invoice stand on the credit note too."""
    bound = {f"{history.TOLD[TABLE].lookup}{BIND}": f"/{query.row(TABLE, row_id)}"}
    return replace(operation, body={**(operation.body or {}), **bound})


def _keep(work: Work, allocations: Sequence[Json], matched: Mapping[str, Json], changes: Sequence[Change]) -> None:
    """Keep which row each allocation became; one that was made, and whose answer was lost, is found and kept by the next try."""
    made = {change.key: change.row_id for change in changes if change.action == "Create"}
    for entry in allocations:
        row_id = made.get(_key(entry)) or str(matched.get(_key(entry), {}).get(f"{TABLE}id") or "")
        if row_id:
            kept = Link(_key(entry), row=f"{TABLE}/{row_id}")
            links.write(work.services, work.connector, KIND, _record(_key(entry)), kept)


def _record(key: str) -> str:
    return f"Allocation/{key.lower()}"


def _named(note: Json) -> str:
    return f"Credit note {note['CreditNoteNumber']}" if note["CreditNoteNumber"] else "The credit note"


def _of(amount: Any) -> str:
    return f" ({Decimal(amount):,.2f})" if amount is not None else ""


SOURCE = FromXero(xero_lists.CREDIT_NOTES, choose, cross)
