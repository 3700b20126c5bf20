"""A month in the life of two systems, cut into steps that may come in any order, and what must be true once they have come to rest.

A step is a method of ``Story``, its name the sentence; the number that goes with it chooses what it happens to. A step that is not
possible (Xero or Dynamics 365 refuses it) does not happen.
"""

from __future__ import annotations

import inspect
import random
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar

import pytest

from functions import claim as claims
from functions import customers, invoice_status, links
from functions.flows import BY_NAME
from functions.nightly import nightly
from mappings.choices import PaymentStatus
from sandbox.xero.call import Call as Asked
from sandbox.xero.contacts import balances
from shared.connectors import Connector, Json
from shared.errors import ConnectorError, Retryable
from shared.outcomes import Outcome
from tests.crash.harness import Call, Crash, CrashWorld, FaultPlan, no_sockets
from tests.functions.bookkeeping import ACTIVE, CANCELLED, PAID
from tests.world import AUTHORISED, DRAFT, FAILED, NO, NZ, OPTION, READY_TO_UPDATE

FLOWS = tuple(name for name in BY_NAME if name.endswith("from-xero"))
EVERY = 5
BILL = OPTION + 1
PART = Decimal("40.00")
ENDS = {"DRAFT": ACTIVE, "SUBMITTED": ACTIVE, "AUTHORISED": ACTIVE, "DELETED": ACTIVE, "VOIDED": CANCELLED}
Step = tuple[str, int]
T = TypeVar("T")


@dataclass
class Mishaps(FaultPlan):
    """A plan to which faults are added as it goes: of the I/O of a number, the so-manieth way it can fail."""

    mishaps: dict[int, int] = field(default_factory=dict)

    def io(self, call: Call, perform: Callable[[], T], fail: Callable[[str, Callable[[], T]], T]) -> T:
        number = len(self.calls) + 1
        if number in self.mishaps and not self.is_dead:
            self.faults = {number: call.kinds[self.mishaps[number] % len(call.kinds)]}
        return super().io(call, perform, fail)


class Convergence(CrashWorld):
    """A world that notes which of its I/Os are those of a message to Xero (``sending``)."""

    sending: set[int]

    def begin(self) -> None:
        if not isinstance(self.plan, Mishaps):
            self.plan = Mishaps(self.clock, self.durations)
        super().begin()

    def deliver(self, text: str) -> Outcome:
        begun = len(self.plan.calls)
        try:
            return super().deliver(text)
        finally:
            if "to-xero" in text:
                self.sending.update(range(begun, len(self.plan.calls)))

    def put_back(self, kept: dict[str, Any], *rest: Any, **plan: Any) -> None:
        super().put_back(kept, *rest, **plan)
        self.sending = set()


@contextmanager
def opened() -> Iterator[Story]:
    """Open a world with every flow from Xero on and a story in it, ready to begin."""
    with no_sockets(), ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        story = Story(Convergence(stack), patch)
        story.prepare()
        yield story


class Story:
    """What happens to one connector, its organisation and its environment; ``begin`` puts everything back."""

    def __init__(self, world: Convergence, patch: pytest.MonkeyPatch) -> None:
        self.world = world
        self.world.sending = set()
        self._ids = random.Random(0)
        patch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=self._ids.getrandbits(128), version=4))
        self._http = world._xero_app.test_client()
        self._clear()

    def prepare(self) -> None:
        """Let there be a bit of everything: open, part paid and credited, paid, cancelled, a draft, a bill, and one raised in Xero."""
        world = self.world
        connector = world.connect()
        world.set(connector, mag_defaultpricelistid=("pricelevels", world.id_of("NZD prices")))
        world.enable(connector, *FLOWS, every=EVERY)
        world.rests = lambda: True
        world.invoices += [world.invoice() for _ in range(4)]
        world.invoices.append(world.invoice(mag_invoicetype=BILL))
        self._pass(0)
        world.set(connector, mag_defaultxerostatus=DRAFT)
        world.invoices.append(world.invoice())
        self._pass(6)
        world.set(connector, mag_defaultxerostatus=AUTHORISED)
        _, part, paid, cancelled, bill, _ = (str(world.dataverse.row("invoice", one)["mag_xeroid"]) for one in world.invoices)
        self._contact = str(self.document(part)["Contact"]["ContactID"])
        self.contacts.append(self._contact)
        self.books("pay", invoice=part, amount=float(PART))
        self.books("credit_note", invoice=part, amount=float(PART))
        self.books("pay", invoice=paid)
        self.books("credit_note", invoice=cancelled)
        self.books("batch_pay", invoices=[bill], amounts=[float(PART)])
        self.an_invoice_is_raised(1)
        self.money_in_advance_is_allocated(4 * 3)
        self.come_to_rest()
        self._kept = world.keep(), list(self.raised), list(self.contacts)

    def begin(self) -> None:
        self._ids.seed(1)
        kept, raised, contacts = self._kept
        self.world.put_back(kept)
        self._clear()
        self.raised += raised
        self.contacts += contacts

    def _clear(self) -> None:
        self.raised: list[str] = []
        self.contacts: list[str] = []
        self.hands: dict[str, tuple[str, str]] = {}
        self.deleted: set[str] = set()
        self.happened: Counter[str] = Counter()
        self._at = self._left = 0

    @property
    def connector(self) -> Connector:
        return self.world.connectors()[0]

    def take(self, step: Step) -> None:
        """Take a step now, or in the middle of what the app does."""
        if self._left and step[0] not in ("an_io_fails", "in_the_middle"):
            self._left -= 1
            edits = self.plan.edits
            earlier = edits.get(self._at)
            self.plan.edits = {**edits, self._at: lambda: self._meanwhile(step, earlier)}
        else:
            self._take(step)

    def _meanwhile(self, step: Step, earlier: Callable[[], None] | None) -> None:
        """Take a step while a worker is at work: what the app does then, another process does, which shares no lock with that one."""
        if earlier:
            earlier()
        self.world.begin()
        self._take(step)

    def _take(self, step: Step) -> None:
        name, number = step
        done = getattr(self, name)(number)
        self.happened[name] += done is not False

    @property
    def plan(self) -> Mishaps:
        plan = self.world.plan
        assert isinstance(plan, Mishaps)
        return plan

    # ── a bookkeeper in Xero ──

    def an_invoice_is_raised(self, number: int) -> bool:
        lines = [{"Description": "Work", "Quantity": 1, "UnitAmount": 100, "AccountCode": "200"}]
        status = ("AUTHORISED", "AUTHORISED", "DRAFT")[number % 3]
        contact = (self._contact, "Kahu Joinery", "Kahu Joinery")[number % 3]
        if contact != self._contact:
            self.books("contact", name=contact)
        made = self.books(
            "invoice", contact=contact, lines=lines, status=status, type=("ACCREC", "ACCREC", "ACCREC", "ACCPAY")[number % 4]
        )
        if made:
            self.raised.append(made["InvoiceID"])
            self.contacts = list(dict.fromkeys([*self.contacts, made["Contact"]["ContactID"]]))
        return bool(made)

    def a_draft_is_approved(self, number: int) -> bool:
        return self.on_one(number, lambda one: one["Status"] == "DRAFT", lambda one: self.books("approve", document=one))

    def a_draft_is_deleted(self, number: int) -> bool:
        return self.on_one(number, lambda one: one["Status"] == "DRAFT", lambda one: self.books("delete", document=one))

    def an_invoice_is_voided(self, number: int) -> bool:
        return self.on_one(number, is_approved, lambda one: self.books("void", document=one))

    def a_part_is_paid(self, number: int) -> bool:
        return self.on_one(number, is_approved, lambda one: self.books("pay", invoice=one, amount=float(PART)))

    def the_rest_is_paid(self, number: int) -> bool:
        return self.on_one(number, is_approved, lambda one: self.books("pay", invoice=one))

    def several_are_paid_at_once(self, number: int) -> bool:
        some = [one for one in self.documents(is_approved) if one["Type"] == ("ACCREC", "ACCPAY")[number % 4 == 3]][:2]
        ids = [one["InvoiceID"] for one in some]
        amounts = [float(PART) if number % 2 else float(one["AmountDue"]) for one in some]
        return bool(ids and self.books("batch_pay", invoices=ids, amounts=amounts))

    def a_payment_is_taken_back(self, number: int) -> bool:
        found = [one["PaymentID"] for one in self.payments() if one["Status"] == "AUTHORISED" and not one.get("BatchPaymentID")]
        return bool(found and self.books("take_payment_back", payment=found[number % len(found)]))

    def a_batch_is_taken_back(self, number: int) -> bool:
        batches = [
            one["BatchPaymentID"] for one in self.world.xero.documents(NZ, "batch payment") if one["Status"] == "AUTHORISED"
        ]
        return bool(batches and self.books("take_batch_back", batch=batches[number % len(batches)]))

    def money_in_advance_is_allocated(self, number: int) -> bool:
        kind = ("overpayment", "prepayment")[number % 2]

        def allocate(one: str) -> Json:
            document = self.document(one)
            is_bill = document["Type"] == "ACCPAY"
            amount = float(document["AmountDue"] if number // 2 % 2 else PART)
            made = self.books(kind, contact=document["Contact"]["ContactID"], amount=amount, spent=is_bill)
            return made and self.books("allocate", credit=made[f"{kind.capitalize()}ID"], invoice=one)

        return self.on_one(number // 4, is_approved, allocate)

    def a_credit_note_is_allocated(self, number: int) -> bool:
        amount = {} if number % 2 else {"amount": float(PART)}
        return self.on_one(number // 2, is_approved, lambda one: self.books("credit_note", invoice=one, **amount))

    def a_credit_note_is_raised(self, number: int) -> bool:
        line = {"Description": "Returned", "Quantity": 1, "UnitAmount": 80, "AccountCode": "200", "TaxType": "NONE"}
        return bool(self.books("credit_note", contact=self.contacts[number % len(self.contacts)], lines=[line]))

    def a_credit_is_set_against_one_more(self, number: int) -> bool:
        credits = [one for one in self.credits() if one["RemainingCredit"] and one["Status"] == "AUTHORISED"]
        if not credits:
            return False
        kind = next(name for name in ("CreditNoteID", "OverpaymentID", "PrepaymentID") if name in credits[number % len(credits)])
        credit = credits[number % len(credits)][kind]
        return self.on_one(
            number // 2, is_approved, lambda one: self.books("allocate", credit=credit, invoice=one, amount=float(PART))
        )

    def an_allocation_is_taken_back(self, number: int) -> bool:
        found = [
            (one.get("CreditNoteID") or one.get("OverpaymentID") or one.get("PrepaymentID"), allocation["AllocationID"])
            for one in self.credits()
            for allocation in one["Allocations"]
        ]
        credit, allocation = found[number % len(found)] if found else ("", "")
        return bool(found and self.books("take_allocation_back", credit=credit, allocation=allocation))

    def a_credit_note_is_voided(self, number: int) -> bool:
        found = [one["CreditNoteID"] for one in self.credits() if "CreditNoteID" in one and one["Status"] == "AUTHORISED"]
        return bool(found and self.books("void", document=found[number % len(found)]))

    def a_line_is_changed(self, number: int) -> bool:
        def change(one: str) -> bool:
            line = {**self.document(one)["LineItems"][0], "UnitAmount": 100 + number % 7}
            kept = {
                name: line[name]
                for name in ("LineItemID", "Description", "Quantity", "UnitAmount", "AccountCode")
                if name in line
            }
            return self.edited(one, LineItems=[{**kept, "Quantity": float(kept["Quantity"])}])

        return self.on_one(number, lambda one: one["Status"] in ("DRAFT", "AUTHORISED"), change)

    def a_due_date_is_changed(self, number: int) -> bool:
        """To the day of the invoice, so that it is overdue the day after, or to a later one."""
        return self.on_one(
            number, is_approved, lambda one: self.edited(one, DueDate="2026-12-31" if number % 2 else self.document(one)["Date"])
        )

    def a_contact_is_renamed(self, number: int) -> bool:
        contact = self.contacts[number % len(self.contacts)]
        self.world.xero.change(NZ, "contact", contact, Name=f"Renamed {number % 3}")
        return True

    def a_contact_is_archived(self, number: int) -> bool:
        return bool(self.books("archive", contact=self.contacts[number % len(self.contacts)]))

    def a_contact_is_restored(self, number: int) -> bool:
        return bool(self.books("restore", contact=self.contacts[number % len(self.contacts)]))

    def two_contacts_are_merged(self, number: int) -> bool:
        if len(self.contacts) < 2:
            return False
        loser, winner = (self.contacts, self.contacts[::-1])[number % 2][:2]
        return bool(self.books("merge", loser=loser, winner=winner))

    # ── people in Dynamics 365 ──

    def an_invoice_is_flagged(self, number: int) -> bool:
        if len(self.world.invoices) > 8:
            return False
        self.world.invoices.append(self.world.invoice("ridgeway"))
        return True

    def a_refused_invoice_is_asked_for_again(self, number: int) -> bool:
        refused = [row["invoiceid"] for row in self.linked() if row.get("mag_exportstatus") == FAILED]
        return bool(refused and self.person("PATCH", f"invoices({refused[number % len(refused)]})", {"mag_exportstatus": NO}))

    def an_update_is_asked_for(self, number: int) -> bool:
        body = {"mag_reference": f"Order {number}", "mag_exportstatus": READY_TO_UPDATE}
        return self.on_row(number, (ACTIVE,), lambda row: self.person("PATCH", f"invoices({row})", body))

    def another_column_is_edited(self, number: int) -> bool:
        return self.on_row(number, (ACTIVE,), lambda row: self.person("PATCH", f"invoices({row})", {"description": f"{number}"}))

    def a_person_cancels_it(self, number: int) -> bool:
        return self.on_row(number, (ACTIVE,), lambda row: self.by_hand(row, CANCELLED, 100_003))

    def a_person_marks_it_paid(self, number: int) -> bool:
        return self.on_row(number, (ACTIVE,), lambda row: self.by_hand(row, PAID, 100_001))

    def a_person_reactivates_it(self, number: int) -> bool:
        return self.on_row(number, (PAID, CANCELLED), lambda row: self.by_hand(row, ACTIVE, 4))

    def a_payment_row_is_deleted(self, number: int) -> bool:
        return self.deletes(number, "mag_payment", "mag_xeropaymentid")

    def a_credit_note_row_is_deleted(self, number: int) -> bool:
        return self.deletes(number, "mag_creditnote", "mag_xeroallocationid")

    def a_credit_note_row_is_deactivated(self, number: int) -> bool:
        rows = [row for row in self.rows("mag_creditnote") if row["statecode"] == 0]
        if not rows:
            return False
        row = rows[number % len(rows)]
        done = self.person("PATCH", f"mag_creditnotes({row['mag_creditnoteid']})", {"statecode": 1, "statuscode": 2})
        if done:
            self.deleted.add(str(row["mag_xeroallocationid"]).lower())
        return done

    def an_invoice_row_is_deleted(self, number: int) -> bool:
        return self.on_row(number, (ACTIVE,), lambda row: self.person("DELETE", f"invoices({row})"))

    # ── time, and what goes wrong ──

    def minutes_pass(self, number: int) -> None:
        self.world.clock.move(minutes=number % 20 + 1)

    def the_timer_ticks(self, number: int) -> None:
        self.world._ticked()

    def some_messages_are_delivered(self, number: int) -> None:
        for _ in range(number % 5 + 1):
            self.world._deliver()

    def everything_runs(self, number: int) -> None:
        self._pass(number % 8)

    def the_night_comes(self, number: int) -> None:
        try:
            nightly(self.world.services, self.world.clock.now())
        except Retryable:
            return
        except Crash:
            self.plan.restart()
            self.world.begin()

    def an_io_fails(self, number: int) -> None:
        """The so-manieth I/O from now fails in one of the ways it can."""
        self.plan.mishaps[len(self.plan.calls) + 1 + number % 60] = number // 60

    def in_the_middle(self, number: int) -> None:
        """What comes next happens just before the so-manieth I/O from now, whoever is at work then."""
        self._at = len(self.plan.calls) + 1 + number % 60
        self._left = number // 60 % 3 + 1

    def the_connector_is_switched(self, number: int) -> bool:
        row = f"mag_xeroconnectors({self.connector.id})"
        return self.person("PATCH", row, {"mag_enabled": not self.world.get(row)["mag_enabled"]})

    def a_message_comes_twice(self, number: int) -> bool:
        queues = self.world.queues
        waiting = [(name, one.text) for name in FLOWS for one in queues.queues.get(name, ())]
        if waiting:
            queues.send(*waiting[number % len(waiting)])
        return bool(waiting)

    # ── how it is done ──

    def books(self, action: str, **asked: Any) -> Json:
        """Do what a bookkeeper does; {} when Xero refuses."""
        answer = self._http.post(f"/sandbox/books/{action}", json={"organisation": NZ, **asked})
        found: Json = answer.get_json()
        assert answer.status_code in (200, 400, 404), found
        return found if answer.status_code == 200 else {}

    def edited(self, xero_id: str, **fields: Any) -> bool:
        body = {"InvoiceID": xero_id, **fields}
        return bool(self.world.bookkeeper().post(f"Invoices/{xero_id}", body).status_code == 200)

    def on_one(self, number: int, fits: Callable[[Json], bool], do: Callable[[str], Any]) -> bool:
        found = self.documents(fits)
        return bool(found and do(found[number % len(found)]["InvoiceID"]))

    def on_row(self, number: int, states: tuple[int, ...], do: Callable[[str], Any]) -> bool:
        found = [row["invoiceid"] for row in self.linked() if row["statecode"] in states]
        return bool(found and do(found[number % len(found)]))

    def person(self, method: str, path: str, body: Json | None = None) -> bool:
        try:
            self.world._person(method, path, body)
        except ConnectorError:
            return False
        return True

    def by_hand(self, row: str, state: int, reason: int) -> bool:
        """Let a person set the state of an invoice; note whether the app had written the same before, and the document as it was."""
        stored = self.world.store.read(links.TABLE, f"{self.connector.key}|{invoice_status.STATE}", f"invoice|{row}")
        before = self.world.dataverse.row("invoice", row)
        is_ours = bool(stored and str(stored.values["status"]) == str(state))
        is_ours |= before.get("mag_xeroinvoicestatus") == {PAID: "PAID", CANCELLED: "VOIDED"}.get(state, "")
        if not self.person("PATCH", f"invoices({row})", {"statecode": state, "statuscode": reason}):
            return False
        word = {PAID: "paid", CANCELLED: "cancelled", ACTIVE: "reactivated"}[state]
        document = self.document(str(before["mag_xeroid"])) if before.get("mag_xeroid") else {}
        self.hands[row] = f"{word} again" if is_ours else word, str(document.get("UpdatedDateUTC", ""))
        return True

    def deletes(self, number: int, table: str, known_by: str) -> bool:
        rows = self.rows(table)
        if not rows:
            return False
        row = rows[number % len(rows)]
        done = self.person("DELETE", f"{table}s({row[f'{table}id']})")
        if done:
            self.deleted.add(str(row[known_by]).lower())
        return done

    def documents(self, fits: Callable[[Json], bool] = lambda one: True) -> list[Json]:
        """Return the documents in play: those raised in Xero, and those that bear the mark of an invoice of ours."""
        found = self.world.xero.documents(NZ, "invoice")
        ours = [
            one
            for one in found
            if one["InvoiceID"] in self.raised or any(row in one.get("Url", "") for row in self.world.invoices)
        ]
        return [one for one in ours if fits(one)]

    def document(self, xero_id: str) -> Json:
        found: Json | None = self.world.xero.store.get(NZ, "invoice", xero_id)
        assert found is not None
        return found

    def payments(self) -> list[Json]:
        ours = {one["InvoiceID"] for one in self.documents()}
        return [one for one in self.world.xero.documents(NZ, "payment") if one.get("Invoice", {}).get("InvoiceID") in ours]

    def credits(self) -> list[Json]:
        kinds = ("credit note", "overpayment", "prepayment")
        found = [one for kind in kinds for one in self.world.xero.documents(NZ, kind)]
        return [one for one in found if one["Contact"]["ContactID"] in self.contacts]

    def rows(self, table: str) -> list[Json]:
        return [dict(row) for row in self.world.dataverse.rows(table)]

    def linked(self) -> list[Json]:
        """Return the rows of the documents in play."""
        mine = {one["InvoiceID"] for one in self.documents()}
        return [row for row in self.rows("invoice") if row.get("mag_xeroid") in mine or row["invoiceid"] in self.world.invoices]

    def _pass(self, minutes: int) -> None:
        self.world.clock.move(minutes=minutes)
        self.world.run()

    def come_to_rest(self) -> None:
        """Let whatever goes wrong end, and the app run until the night and the day after are over."""
        self._pass(0)
        self.plan.mishaps.clear()
        self.plan.edits = {}
        if not self.world.get(f"mag_xeroconnectors({self.connector.id})")["mag_enabled"]:
            self.the_connector_is_switched(0)
        for minutes in (16, 25 * 60):
            self._pass(minutes)
        self.another_night()
        self._pass(6)

    def another_night(self) -> None:
        nightly(self.world.services, self.world.clock.now())
        for minutes in (0, 6):
            self._pass(minutes)


def is_approved(document: Json) -> bool:
    return bool(document["Status"] == "AUTHORISED")


STEPS = tuple(
    name
    for name, member in vars(Story).items()
    if inspect.isfunction(member) and list(inspect.signature(member).parameters) == ["self", "number"]
)

OFTEN = (
    *("minutes_pass", "the_timer_ticks", "some_messages_are_delivered", "everything_runs", "everything_runs", "in_the_middle"),
    *(
        "an_io_fails",
        "a_payment_is_taken_back",
        "an_allocation_is_taken_back",
        "a_person_reactivates_it",
        "a_message_comes_twice",
    ),
    *("a_payment_row_is_deleted", "a_credit_note_row_is_deleted", "a_person_cancels_it", "a_refused_invoice_is_asked_for_again"),
)
"""Steps that are drawn once more: without them little of what the others do is met half-way."""

# ── what must be true ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def wrong(story: Story) -> list[str]:
    """Return everything that is not as SPEC 4 promises."""
    return [f"{law.__name__}: {told}" for law in LAWS for told in law(story)]


def _pairs(story: Story) -> Iterator[tuple[Json, Json]]:
    for row in story.linked():
        if row.get("mag_xeroid"):
            yield row, story.document(row["mag_xeroid"])


def amounts_and_status_are_xeros(story: Story) -> Iterator[str]:
    money = {
        "mag_xerotax": "TotalTax",
        "mag_amountdue": "AmountDue",
        "mag_amountpaid": "AmountPaid",
        "mag_amountcredited": "AmountCredited",
    }
    words = {"mag_xeroinvoicestatus": "Status", "mag_xeroinvoicenumber": "InvoiceNumber"}
    for row, document in _pairs(story):
        if story.hands.get(row["invoiceid"], ("", ""))[0].startswith("cancelled") and row["statecode"] == CANCELLED:
            continue  # a person's: left alone
        for column, name in money.items():
            if Decimal(str(row.get(column) or 0)) != Decimal(str(document.get(name) or 0)):
                yield f"{column} of {row['name']} {row['invoiceid']} is {row.get(column)}, in Xero {document.get(name)}"
        for column, name in words.items() if row["statecode"] == ACTIVE else ():
            if (row.get(column) or "") != (document.get(name) or ""):
                yield f"{column} of {row['invoiceid']} is {row.get(column)}, in Xero {document.get(name)}"


def verdict(document: Json) -> int:
    if document["Status"] != "PAID":
        return ENDS[document["Status"]]
    is_received = document["AmountPaid"] or document.get("Overpayments") or document.get("Prepayments") or not document["Total"]
    return PAID if is_received else CANCELLED


def the_state_follows_xero_unless_a_person_set_it(story: Story) -> Iterator[str]:
    for row, document in _pairs(story):
        (hand, before), said = story.hands.get(row["invoiceid"], ("", "")), verdict(document)
        has_changed = document["UpdatedDateUTC"] > before
        allowed = {
            "": {said},
            "cancelled": {CANCELLED},
            "cancelled again": {CANCELLED, said},
            "paid": {PAID, said} if has_changed or said == CANCELLED else {PAID},
            "paid again": {PAID, said},
            "reactivated": {said} if has_changed else {ACTIVE, said},
        }[hand.replace("reactivated again", "reactivated")]
        if row["statecode"] not in allowed:
            yield f"{row['invoiceid']} is {row['statecode']}, not {allowed}; hand: {hand!r}, Xero: {document['Status']}"


def every_payment_is_one_row(story: Story) -> Iterator[str]:
    rows = {row["mag_xeroid"]: row for row in story.linked() if row.get("mag_xeroid")}
    held = story.rows("mag_payment")
    for payment in story.payments():
        xero_id = payment["PaymentID"]
        own = [one for one in held if str(one.get("mag_xeropaymentid")).lower() == xero_id.lower()]
        row = rows.get(payment["Invoice"]["InvoiceID"])
        is_applied = payment["Status"] == "AUTHORISED"
        if row is None:
            continue
        if len(own) != 1 and (len(own) > 1 or (is_applied and xero_id.lower() not in story.deleted)):
            yield f"{len(own)} rows of the payment {xero_id} ({payment['Status']}) of {row['invoiceid']}"
        if own and xero_id.lower() in story.deleted:
            yield f"the payment {xero_id} a person deleted is back"
        for one in own:
            status = (PaymentStatus.APPLIED if is_applied else PaymentStatus.REVERSED).value
            told = (one["mag_paymentstatus"], Decimal(str(one["mag_amount"])), str(one["mag_invoiceid"].id))
            if told != (status, Decimal(str(payment["Amount"])), row["invoiceid"]):
                yield f"the payment {xero_id} is {told}, in Xero {payment['Status']}, {payment['Amount']}"


def every_allocation_is_one_row(story: Story) -> Iterator[str]:
    rows = {row["mag_xeroid"]: row for row in story.linked() if row.get("mag_xeroid")}
    held: dict[str, list[Json]] = {}
    for one in story.rows("mag_creditnote"):
        held.setdefault(str(one.get("mag_xeroallocationid")).lower(), []).append(one)
    wanted = {
        allocation["AllocationID"].lower(): allocation
        for note in story.world.xero.documents(NZ, "credit note")
        for allocation in note["Allocations"]
        if note["Status"] not in ("VOIDED", "DELETED")
    }
    for key, allocation in wanted.items():
        row = rows.get(allocation["Invoice"]["InvoiceID"])
        own = held.get(key, [])
        active = [one for one in own if one["statecode"] == 0]
        if row is None:
            continue
        if len(own) > 1 or (len(active) != 1 and key not in story.deleted):
            yield f"{len(own)} rows, {len(active)} active, of the allocation {key} to {row['invoiceid']}"
        if active and key in story.deleted:
            yield f"the allocation {key} whose row a person took away is back"
        for one in active:
            if Decimal(str(one["mag_amount"])) != Decimal(str(allocation["Amount"])):
                yield f"the allocation {key} is over {one['mag_amount']}, in Xero {allocation['Amount']}"
    for key, own in held.items():
        if key not in wanted and any(one["statecode"] == 0 and one.get("mag_invoiceid") for one in own):
            yield f"the row of the allocation {key} is active, in Xero it is gone"


def nothing_is_there_twice(story: Story) -> Iterator[str]:
    linked = story.linked()
    for xero_id, times in Counter(row["mag_xeroid"] for row in linked if row.get("mag_xeroid")).items():
        if times > 1:
            yield f"{times} rows of the document {xero_id}"
    documents = [one for one in story.world.xero.documents(NZ, "invoice") if one["Status"] != "DELETED"]
    for row in story.world.invoices:
        times = sum(row in str(one.get("Url", "")) for one in documents)
        if times > 1:
            yield f"{times} documents of the row {row}"
    for name, times in Counter(row["name"] for row in story.rows("account") if row["statecode"] == 0).items():
        if times > 1 and (name == "Kahu Joinery" or str(name).startswith("Renamed")):
            yield f"{times} accounts {name}"


def every_approved_invoice_is_here(story: Story) -> Iterator[str]:
    here = {row.get("mag_xeroid") for row in story.linked()}
    gone = story.happened["an_invoice_row_is_deleted"]
    missing = [
        one["InvoiceID"]
        for one in story.documents()
        if one["Type"] == "ACCREC" and one["Status"] in ("AUTHORISED", "PAID") and one["InvoiceID"] not in here
    ]
    if len(missing) > gone:
        yield f"{missing} are not in Dynamics 365"


def balances_are_xeros(story: Story) -> Iterator[str]:
    world = story.world
    said = balances(Asked(world.xero, NZ, app=""))
    for row in story.rows("account"):
        known = customers.contacts_of(world.services, story.connector, f"account/{row['accountid']}")
        for column, name in (("mag_amountowed", "Outstanding"), ("mag_amountoverdue", "Overdue")):
            owed = sum(Decimal(str(said[one]["AccountsReceivable"][name])) for one in known if one in said)
            if known and Decimal(str(row.get(column) or 0)) != owed:
                yield f"{column} of {row['name']} is {row.get(column)}, in Xero {owed}"


def every_refusal_is_told(story: Story) -> Iterator[str]:
    told = [str(row.get("mag_details")) for row in story.rows("mag_synchistory")]
    for one in story.world.outcomes:
        if one.status in ("failed", "refused") and not any(one.details[:200] in text for text in told):
            yield f"{one.message.flow} {one.details}"


def nothing_is_stuck(story: Story) -> Iterator[str]:
    world = story.world
    for stored in world.store.rows(claims.TABLE):
        if "from-xero" in stored.partition:
            yield f"claim {stored.partition.rpartition('|')[2]} {stored.row}: {stored.values['state']}"
    for name, messages in world.queues.queues.items():
        if messages:
            yield f"{len(messages)} messages in {name}"


def xero_was_only_read(story: Story) -> Iterator[str]:
    for number, one in enumerate(story.plan.calls):
        if "/api.xro/" in one.what and not one.what.startswith("GET") and number not in story.world.sending:
            yield str(one)


def it_is_at_rest(story: Story) -> Iterator[str]:
    """Another night changes nothing: neither side keeps writing what is right already."""
    tables = ("invoice", "mag_payment", "mag_creditnote", "account", "contact", "mag_synchistory")
    before = {table: story.rows(table) for table in tables}
    story.another_night()
    for table in tables:
        yield from (f"{table}: {row}" for row in story.rows(table) if row not in before[table])


LAWS: tuple[Callable[[Story], Iterator[str]], ...] = (
    amounts_and_status_are_xeros,
    the_state_follows_xero_unless_a_person_set_it,
    every_payment_is_one_row,
    every_allocation_is_one_row,
    nothing_is_there_twice,
    every_approved_invoice_is_here,
    balances_are_xeros,
    every_refusal_is_told,
    nothing_is_stuck,
    xero_was_only_read,
    it_is_at_rest,
)
