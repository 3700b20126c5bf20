"""Whatever single I/O of a push fails, and however, the invoice ends once in Xero and synced in Dynamics (SPEC 8, 15).

``CRASH_EVERYTHING=1`` runs every fault for every kind of document, and every pair of faults instead of a sample.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.crash.harness import Call, CrashWorld, crash_world
from tests.world import NZ, OPTION, YES

PURCHASE_INVOICE = OPTION + 1
XERO_NUMBER = OPTION + 1
SUCCESSFUL = OPTION
LONGEST = timedelta(minutes=20)
"""A sweep that dies between noting a message and sending it costs most: ``Durations.queued``, then the next sweep."""
EVERYTHING = bool(os.environ.get("CRASH_EVERYTHING"))
SAMPLE = 401
"""One pair of faults in so many is run."""
UNKNOWN_ENDS = ("crash before", "crash after", "lost after", "500_applied", "changed after", "412")
"""What leaves something behind; how a failure that leaves nothing is answered is the same code for every kind of document."""


@dataclass(frozen=True)
class Push:
    """One kind of push: how its invoice is made, and the most Xero calls it may cost under two faults."""

    name: str
    make: Callable[[CrashWorld], str]
    calls: int = 6
    settings: tuple[tuple[str, Any], ...] = ()
    total: str = "115.00"
    status: str = "AUTHORISED"


def _sales_invoice(world: CrashWorld) -> str:
    return world.invoice()


def _bill(world: CrashWorld) -> str:
    return world.invoice("truxton", mag_invoicetype=PURCHASE_INVOICE, mag_reference="SUP-1")


def _for_a_new_customer_with_a_new_item(world: CrashWorld) -> str:
    invoice = world.invoice("huia", lines=0, flag=False)
    world.line(invoice, product="consulting", unit="hour")
    world.flag(invoice)
    return invoice


SALES_INVOICE = Push("sales invoice", _sales_invoice)
BILL = Push("bill", _bill)
XERO_NUMBERED = Push("numbered by Xero", _sales_invoice, settings=(("mag_numbersource", XERO_NUMBER),))
NEW_CUSTOMER = Push("new customer and item", _for_a_new_customer_with_a_new_item, calls=9, total="")
PUSHES = (SALES_INVOICE, BILL, XERO_NUMBERED, NEW_CUSTOMER)


class Stage:
    """A world with an invoice of one kind about to be pushed, put back for every run."""

    def __init__(self, world: CrashWorld) -> None:
        self.world = world
        self.connected = world.keep()
        self._kept: dict[tuple[str, bool], dict[str, Any]] = {}

    def set(self, push: Push, *, swept: bool) -> None:
        """Put back the moment before the tick, or before the message is taken (*swept*)."""
        self._push, self._swept = push, swept
        if (push.name, swept) not in self._kept:
            self.world.put_back(self.connected)
            for name, value in push.settings:
                self.world.set(self.world.connectors()[0], **{name: value})
            self.world.invoices = [push.make(self.world)]
            if swept:
                self.world.sweep_once()
            self._kept[push.name, swept] = self.world.keep()
        self.state = self._kept[push.name, swept]

    def calls(self) -> list[Call]:
        """Run without a fault and return every I/O."""
        self.world.put_back(self.state)
        self.world.run(swept=self._swept)
        wrong = self.check()
        assert not wrong, wrong
        return self.world.plan.calls

    def run(self, faults: dict[int, str], **plan: Any) -> list[str]:
        """Run with faults; return what is wrong afterwards."""
        self.world.put_back(self.state, faults, **plan)
        try:
            took = self.world.run(swept=self._swept)
            wrong = self.check()
        except AssertionError as error:
            return [str(error)]
        if took > LONGEST * (2 if plan.get("then") else 1):
            wrong.append(f"took {took}")
        return wrong

    def check(self) -> list[str]:
        world, (invoice,) = self.world, self.world.invoices
        row = world.dataverse.row("invoice", invoice)
        assert row
        documents = [item for item in world.documents() if invoice in item["Url"]]
        if len(documents) != 1:
            return [f"{len(documents)} documents in Xero"]
        document = documents[0]
        contact = document["Contact"]["ContactID"]
        known = {item["ContactID"]: item for item in world.xero.documents(NZ, "contact")}
        contacts = [item for item in known.values() if item["Name"] == known[contact]["Name"]]
        told = [row for row in world.dataverse.rows("mag_synchistory") if getattr(row["mag_invoiceid"], "id", "") == invoice]
        successes = [row for row in told if row["mag_syncstatus"] == SUCCESSFUL]
        facts = {
            "the document's status": (document["Status"], self._push.status),
            "the total in Xero": (Decimal(str(document["Total"])), Decimal(str(row["mag_amountdue"]))),
            "contacts": (len(contacts), 1),
            "Synched With Xero": (row["mag_synchedwithxero"], True),
            "Export Status": (row["mag_exportstatus"], YES),
            "Xero Id": (row["mag_xeroid"], document["InvoiceID"]),
            "Xero Invoice Number": (row.get("mag_xeroinvoicenumber") or "", document["InvoiceNumber"]),
            "a pay-now link": (
                bool(row.get("mag_xeropaynowlink")),
                (document["Type"], document["Status"]) == ("ACCREC", "AUTHORISED"),
            ),
            "Successful rows": (len(successes), 1),
            "claims left": (len(world.store.rows("claims", f"{world.connectors()[0].key}|invoices-to-xero")), 0),
            "poison": ([name for name, held in world.queues.queues.items() if name.endswith("-poison") and held], []),
            "Failed outcomes": ([outcome.details for outcome in world.outcomes if outcome.status in ("failed", "refused")], []),
        }
        wrong = [f"{what} is {found!r}, not {wanted!r}" for what, (found, wanted) in facts.items() if found != wanted]
        if self._push.total and Decimal(str(document["Total"])) != Decimal(self._push.total):
            wrong.append(f"the total is {document['Total']}")
        if world.xero_calls() > self._push.calls:
            wrong.append(f"{world.xero_calls()} Xero calls")
        return wrong


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with crash_world() as world:
        world.connect()
        for warm_up in ("ridgeway", "truxton"):  # known customers
            world.invoices = [world.invoice(warm_up)]
            world.run()
        yield Stage(world)


def _every_fault(calls: list[Call], kinds: tuple[str, ...] = ()) -> Iterator[tuple[int, str]]:
    for number, call in enumerate(calls, 1):
        for kind in call.kinds:
            if not kinds or EVERYTHING or kind in kinds:
                yield number, kind


def _failures(stage: Stage, calls: list[Call], kinds: tuple[str, ...] = ()) -> list[str]:
    """Return what goes wrong when each I/O of *calls* fails in each of its ways, or of *kinds*."""
    failures = []
    for number, kind in _every_fault(calls, kinds):
        if wrong := stage.run({number: kind}):
            failures.append(f"{'; '.join(stage.world.plan.fired)}: {', '.join(wrong)}")
    return failures


def test_any_fault_from_the_tick_to_the_last_message(stage):
    stage.set(SALES_INVOICE, swept=False)
    calls = stage.calls()
    assert {call.edge for call in calls} == {"store", "queue", "dataverse", "xero", "host"}
    assert not _failures(stage, calls)
    assert not stage.run({len(calls) + 1: "crash before"})
    assert not stage.world.plan.fired, "the loop ends when a run finishes without its fault"


@pytest.mark.parametrize("push", PUSHES[1:], ids=lambda push: push.name)
def test_any_fault_while_the_message_is_worked_on(stage, push):
    stage.set(push, swept=True)
    assert not _failures(stage, stage.calls(), UNKNOWN_ENDS)


def test_a_persons_edit_before_any_io_is_kept_and_reaches_xero(stage):
    stage.set(replace(SALES_INVOICE, name="edited invoice", total=""), swept=True)
    world, (invoice,) = stage.world, stage.world.invoices
    line = world.get(f"invoices({invoice})/invoice_details?$select=invoicedetailid")["value"][0]["invoicedetailid"]
    calls = stage.calls()
    written_back = next(number for number, call in enumerate(calls, 1) if call.what.endswith("(writes)"))
    for number in range(1, written_back + 1):
        edit = {number: lambda: world.patch(f"invoicedetails({line})", {"priceperunit": Decimal("250.00")})}
        assert not stage.run({}, edits=edit), world.plan.fired
        assert world.get(f"invoicedetails({line})")["priceperunit"] == Decimal("250.00")
        assert world.document_of(invoice)["Total"] == Decimal("287.50"), world.plan.fired


@pytest.mark.parametrize("push", [SALES_INVOICE, BILL], ids=lambda push: push.name)
def test_any_two_faults(stage, push):
    stage.set(push, swept=True)
    pairs = [(first, (after, kind)) for first in _every_fault(stage.calls()) for after in range(1, 31) for kind in range(9)]
    failures = []
    for (number, kind), then in pairs if EVERYTHING else pairs[::SAMPLE]:
        if wrong := stage.run({number: kind}, then=then):
            failures.append(f"{'; '.join(stage.world.plan.fired)}: {', '.join(wrong)}")
    assert not failures, "\n".join(failures)
