"""The state machine of a linked invoice: what stands in Dynamics 365 and what Xero says become the writes, in their order. Pure.

                     Xero: open       paid             cancelled        deleted, or unknown
    Active           stays            Paid             Cancelled        stays
    Paid, ours       Active           stays            Cancelled        stays
    Paid, a user's   stays            stays            Cancelled        stays
    Cancelled, ours  Active           Paid             stays            stays
    Cancelled by a user, or Closed                     left alone, whatever Xero says

What is left alone and then reactivated by a person is brought in line by the next night's check.

Open is DRAFT, SUBMITTED or AUTHORISED. Paid is PAID with a payment, prepayment or overpayment, or a total of zero; cancelled is
VOIDED, or PAID by credit notes alone. The amount due never decides: a void keeps it (SPEC 4). A draft deleted in Xero is marked
Failed. *Ours* is what we wrote ourselves: the link says so (K14), or the row's own Xero Invoice Status.

A closed row is read-only: it is reactivated, written and closed again, state last, and only when its state or its money changes,
because customers' automations fire on it. What stays keeps its status reason; one that is opened again gets back the reason it had.
A cancelled row opens before it can be paid. Sources: Microsoft, "Invoice (SalesInvoice) table reference"; Business Central's
CRM Synch. Helper, which reactivates in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, IntEnum
from typing import Any

from functions.columns import differing, is_same
from mappings.choices import ExportStatus
from shared.connectors import Json


class State(IntEnum):
    """statecode of an invoice."""

    ACTIVE = 0
    CLOSED = 1  # deprecated; old rows still have it
    PAID = 2
    CANCELLED = 3


BILLED = 4
REASONS = {State.ACTIVE: BILLED, State.PAID: 100_001, State.CANCELLED: 100_003}
"""The status reason a state gets from us: Billed, Complete, Canceled."""


class Verdict(Enum):
    """What Xero says of a document."""

    OPEN = "open"
    PAID = "paid"
    CANCELLED = "cancelled"
    DELETED = "deleted"
    UNKNOWN = "unknown"


MONEY = ("mag_xerotax", "mag_amountdue", "mag_amountpaid", "mag_amountcredited")
OPEN = ("DRAFT", "SUBMITTED", "AUTHORISED")
TO_BE_SENT_AGAIN: Json = {"mag_exportstatus": ExportStatus.FAILED.value, "mag_synchedwithxero": False}
"""What a draft that was deleted in Xero leaves: Failed, and due again as soon as a person asks."""

# fmt: off
CHANGES = {
    # the row, whether it is so by us         what Xero says        what the row becomes
    (State.ACTIVE,    True,                   Verdict.PAID):        State.PAID,
    (State.ACTIVE,    True,                   Verdict.CANCELLED):   State.CANCELLED,
    (State.PAID,      True,                   Verdict.OPEN):        State.ACTIVE,
    (State.PAID,      True,                   Verdict.CANCELLED):   State.CANCELLED,
    (State.PAID,      False,                  Verdict.CANCELLED):   State.CANCELLED,
    (State.CANCELLED, True,                   Verdict.OPEN):        State.ACTIVE,
    (State.CANCELLED, True,                   Verdict.PAID):        State.PAID,
}
# fmt: on


@dataclass(frozen=True)
class Wrote:
    """The last state we wrote on a row, and the status reason it had while it was open; None where we wrote or know none."""

    state: int | None = None
    open_reason: int | None = None


@dataclass(frozen=True)
class Plan:
    """The writes in their order, each the body of one PATCH, what the row was, and what it then is.

    ``wrote`` is to be kept before the first write goes, and where there is none: a crash must not make our own state look like a
    user's, nor a user's later one like ours. Only of a cancelled row it is kept after the last one (``is_kept_after``): until then
    nothing else may tell that we cancelled it, while a row that is Active or Paid says itself that we may go on.
    """

    writes: tuple[Json, ...]
    before: State
    after: State
    wrote: Wrote
    is_left_alone: bool = False

    @property
    def is_kept_after(self) -> bool:
        return self.before is State.CANCELLED

    @property
    def columns(self) -> Json:
        """Return everything written beside state and reason."""
        return {name: value for write in self.writes for name, value in write.items() if name not in ("statecode", "statuscode")}

    @property
    def is_deleted(self) -> bool:
        """Tell whether the row loses its draft with this plan."""
        return self.columns.get("mag_synchedwithxero") is False


def verdict(facts: Mapping[str, Any]) -> Verdict:
    """Return what Xero says of the document of *facts* (``invoice_status.facts_of``)."""
    status = facts.get("Status")
    if status in OPEN:
        return Verdict.OPEN
    if status == "DELETED":
        return Verdict.DELETED
    if status == "VOIDED":
        return Verdict.CANCELLED
    if status != "PAID":
        return Verdict.UNKNOWN
    if any(facts.get(name) for name in ("Payments", "Prepayments", "Overpayments", "AmountPaid")) or facts.get("Total") == 0:
        return Verdict.PAID
    if facts.get("CreditNotes") or facts.get("AmountCredited"):
        return Verdict.CANCELLED
    return Verdict.UNKNOWN


def plan(row: Mapping[str, Any], facts: Mapping[str, Any], columns: Mapping[str, Any], wrote: Wrote) -> Plan:
    """Return what to write so that *row* (an invoice with MONEY, its state and Xero's status) says what *facts* say.

    *columns* is what the mirror's table makes of the facts.
    """
    before, said = _state(row), verdict(facts)
    is_ours = _is_ours(row, before, wrote)
    if wrote.state not in (None, before):  # a person changed it since, or our write never came: what we wrote stands no more
        wrote = replace(wrote, state=None)
    if before is State.CLOSED or (before is State.CANCELLED and not is_ours):
        return Plan((), before, before, wrote, is_left_alone=True)
    after = CHANGES.get((before, is_ours, said), before)
    changes = differing(row, columns)
    if said is Verdict.DELETED and before is State.ACTIVE and row.get("mag_synchedwithxero"):
        changes |= TO_BE_SENT_AGAIN
    if before is after and before is not State.ACTIVE and not is_money_changed(row, changes):
        return Plan((), before, after, wrote)
    if before is State.ACTIVE:
        open_reason = row.get("statuscode")
    else:
        open_reason = wrote.open_reason
    writes: list[Json] = []
    if before is not State.ACTIVE and (changes or (before, after) != (State.PAID, State.CANCELLED)):
        writes.append(_closing(State.ACTIVE, open_reason))
    if changes:
        writes.append(changes)
    if after is not State.ACTIVE:
        writes.append(_closing(after, row.get("statuscode") if after is before else None))
    now_wrote = wrote if after is before else Wrote(after.value, open_reason)
    return Plan(tuple(writes), before, after, now_wrote)


def is_money_changed(row: Mapping[str, Any], changes: Mapping[str, Any]) -> bool:
    """Tell whether *changes* say another amount than *row*; an empty amount is none."""
    return any(not is_same(changes[name] or 0, row.get(name) or 0) for name in MONEY if name in changes)


def _state(row: Mapping[str, Any]) -> State:
    """Return the state of *row*; one Dynamics 365 may invent yet is none of ours to touch."""
    try:
        return State(row["statecode"])
    except (KeyError, ValueError):
        return State.CLOSED


def _is_ours(row: Mapping[str, Any], state: State, wrote: Wrote) -> bool:
    if state is State.ACTIVE or wrote.state == state:
        return True
    return {State.PAID: "PAID", State.CANCELLED: "VOIDED"}.get(state) == row.get("mag_xeroinvoicestatus")


def _closing(state: State, reason: Any) -> Json:
    return {"statecode": state.value, "statuscode": reason if isinstance(reason, int) else REASONS[state]}
