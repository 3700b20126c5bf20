"""Whatever single I/O of a flow from Xero fails, and however, Dynamics 365 ends as Xero has it, and each thing once (SPEC 8, 15).

``CRASH_EVERYTHING=1`` runs every way each I/O can fail for every scene, and pairs of faults.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from functions import invoice_status, links, reference_data
from shared.connectors import Json
from tests.crash.harness import Call, CrashWorld, crash_world
from tests.crash.test_crash_points import EVERYTHING, UNKNOWN_ENDS
from tests.world import NZ, OPTION

ACTIVE, PAID, CANCELLED = 0, 2, 3
APPLIED, REVERSED = OPTION, OPTION + 1
EVERY = 15
LONGEST = timedelta(minutes=50)
"""A worker that dies is noticed after ten minutes, a message that was never sent after fifteen; then the next look, and a retry."""
BANK = "090"
DEATHS = ("crash after", "lost after")


@dataclass(frozen=True)
class Scene:
    """What a bookkeeper does in Xero, the flows that carry it over, and what is ``wrong`` while it has not arrived."""

    name: str
    flows: tuple[str, ...]
    happens: Callable[[CrashWorld, str], None]
    wrong: Callable[[CrashWorld, str], list[str]]
    before: Callable[[CrashWorld, str], None] | None = None
    kinds: tuple[str, ...] = UNKNOWN_ENDS


def differences(facts: dict[str, tuple[Any, Any]]) -> list[str]:
    return [f"{what} is {found!r}, not {wanted!r}" for what, (found, wanted) in facts.items() if found != wanted]


def xero_id(world: CrashWorld, invoice: str) -> str:
    return str(world.dataverse.row("invoice", invoice)["mag_xeroid"])


def pay(world: CrashWorld, invoice: str, amount: str = "115.00") -> None:
    paid = {"Invoice": {"InvoiceID": xero_id(world, invoice)}, "Account": {"Code": BANK}, "Amount": float(amount)}
    answer = world.bookkeeper().put("Payments", {"Payments": [paid]})
    assert answer.status_code == 200, answer.get_data(as_text=True)


def take_back(world: CrashWorld, invoice: str) -> None:
    (payment,) = [one for one in world.xero.documents(NZ, "payment") if one["Invoice"]["InvoiceID"] == xero_id(world, invoice)]
    answer = world.bookkeeper().post(f"Payments/{payment['PaymentID']}", {"Payments": [{"Status": "DELETED"}]})
    assert answer.status_code == 200, answer.get_data(as_text=True)


def void(world: CrashWorld, invoice: str) -> None:
    body = {"InvoiceID": xero_id(world, invoice), "Status": "VOIDED"}
    assert world.bookkeeper().post(f"Invoices/{body['InvoiceID']}", body).status_code == 200


def credit(world: CrashWorld, invoice: str) -> None:
    document = world.document_of(invoice)
    note = {
        "Type": "ACCRECCREDIT",
        "Contact": {"ContactID": document["Contact"]["ContactID"]},
        "Status": "AUTHORISED",
        "Date": "2026-11-20",
        "LineItems": [{"Description": "Returned", "Quantity": 1, "UnitAmount": 100, "AccountCode": "200"}],
    }
    bookkeeper = world.bookkeeper()
    made = bookkeeper.put("CreditNotes", {"CreditNotes": [note]})
    assert made.status_code == 200, made.get_data(as_text=True)
    note_id = made.get_json()["CreditNotes"][0]["CreditNoteID"]
    allocation = {"Amount": 115.0, "Invoice": {"InvoiceID": document["InvoiceID"]}, "Date": "2026-11-20"}
    done = bookkeeper.put(f"CreditNotes/{note_id}/Allocations", {"Allocations": [allocation]})
    assert done.status_code == 200, done.get_data(as_text=True)


def invoice_in_xero(world: CrashWorld, invoice: str) -> None:
    contact = world.xero_contact(Name="Kahu Joinery", EmailAddress="accounts@kahu.example")
    lines = [
        {"Description": "Window frames", "Quantity": 3, "UnitAmount": 250, "AccountCode": "200"},
        {"Description": "Delivery", "Quantity": 1, "UnitAmount": 40, "AccountCode": "200"},
    ]
    world.xero_invoice(Contact={"ContactID": contact}, LineItems=lines, InvoiceNumber="X-77", Reference="By hand")


def contact_in_xero(world: CrashWorld, invoice: str) -> None:
    world.xero_contact(Name="Kahu Joinery", EmailAddress="accounts@kahu.example", AccountNumber="KAHU")


def account_and_item_in_xero(world: CrashWorld, invoice: str) -> None:
    """Add an account and an item, and have the reference data read again, as a code nobody knew does (K24)."""
    world.xero.add(NZ, "account", Code="288", Name="Workshops", Type="REVENUE", TaxType="OUTPUT2")
    world.xero.add(NZ, "item", Code="WORKSHOP", Name="Workshop", IsSold=True, SalesDetails={"AccountCode": "288"})
    (connector,) = world.connectors()
    reference_data.ask_for_refresh(world.services, connector)


def _points_to(lookup: Any, row_id: str) -> bool:
    return lookup is not None and str(lookup.id) == row_id


def is_settled(state: int, due: str, *payments: int, notes: int = 0) -> Callable[[CrashWorld, str], list[str]]:
    """Return what is wrong until the invoice is in *state* with so much due, its payments and credit notes stand once each."""

    def wrong(world: CrashWorld, invoice: str) -> list[str]:
        row = world.dataverse.row("invoice", invoice)
        own = [one for one in world.dataverse.rows("mag_payment") if _points_to(one.get("mag_invoiceid"), invoice)]
        credits = [one for one in world.dataverse.rows("mag_creditnote") if _points_to(one.get("mag_invoiceid"), invoice)]
        return differences(
            {
                "state": (row["statecode"], state),
                "Amount Due": (Decimal(str(row["mag_amountdue"])), Decimal(due)),
                "payments": (sorted(one["mag_paymentstatus"] for one in own), sorted(payments)),
                "credit notes": (len(credits), notes),
                "is ours": (wrote(world, invoice) == str(state) or state != CANCELLED, True),
            }
        )

    return wrong


def wrote(world: CrashWorld, invoice: str) -> str:
    """Return the last state the app keeps as its own: what tells its cancellation from a person's (K14)."""
    (connector,) = world.connectors()
    stored = world.store.read(links.TABLE, f"{connector.key}|{invoice_status.STATE}", f"invoice|{invoice}")
    return str(stored.values["status"]) if stored else ""


def has_arrived(world: CrashWorld, invoice: str) -> list[str]:
    rows = [row for row in world.dataverse.rows("invoice") if row.get("mag_xeroinvoicenumber") == "X-77"]
    accounts = [row for row in world.dataverse.rows("account") if row.get("name") == "Kahu Joinery"]
    facts: dict[str, tuple[Any, Any]] = {"invoices": (len(rows), 1), "accounts": (len(accounts), 1)}
    if len(rows) == 1:
        lines = [line for line in world.dataverse.rows("invoicedetail") if _points_to(line["invoiceid"], rows[0]["invoiceid"])]
        facts |= {
            "lines": (len(lines), 2),
            "total": (Decimal(str(rows[0].get("totalamount") or 0)), Decimal("908.50")),
            "Amount Due": (Decimal(str(rows[0].get("mag_amountdue") or 0)), Decimal("908.50")),
        }
    return differences(facts)


def has_account(world: CrashWorld, invoice: str) -> list[str]:
    rows = [row for row in world.dataverse.rows("account") if row.get("name") == "Kahu Joinery"]
    return differences({"accounts": ([row.get("accountnumber") for row in rows], ["KAHU"])})


def has_reference_data(world: CrashWorld, invoice: str) -> list[str]:
    accounts = [row for row in world.dataverse.rows("mag_xeroaccountcode") if row.get("mag_code") == "288"]
    products = [row for row in world.dataverse.rows("product") if row.get("productnumber") == "WORKSHOP"]
    return differences(
        {
            "account codes": ([row["mag_name"] for row in accounts], ["Workshops"]),
            "products": ([(row["name"], row["statecode"]) for row in products], [("Workshop", ACTIVE)]),
        }
    )


def owes(world: CrashWorld, invoice: str) -> list[str]:
    wrong = is_settled(ACTIVE, "65.00", APPLIED)(world, invoice)
    account: Json = world.dataverse.row("account", world.id_of("ridgeway")) or {}
    owed = sum(
        Decimal(str(one["AmountDue"]))
        for one in world.xero.documents(NZ, "invoice")
        if one["Contact"]["ContactID"] == world.document_of(invoice)["Contact"]["ContactID"]
        and (one["Type"], one["Status"]) == ("ACCREC", "AUTHORISED")
    )
    return wrong + differences({"Amount Owed": (Decimal(str(account.get("mag_amountowed") or -1)), owed)})


STATUS, PAYMENTS = "invoice-status-from-xero", "payments-from-xero"
PAYMENT = Scene("payment", (PAYMENTS,), pay, is_settled(PAID, "0.00", APPLIED), kinds=())
"""Its I/Os fail in every way they can; of the longer scenes only a sample."""
# fmt: off
SCENES = (
    PAYMENT,
    Scene("payment taken back",  (PAYMENTS, STATUS),          take_back,       is_settled(ACTIVE, "115.00", REVERSED), before=pay, kinds=DEATHS),
    Scene("void",                (STATUS,),                   void,            is_settled(CANCELLED, "115.00")),
    Scene("credit note",         ("credit-notes-from-xero",), credit,          is_settled(CANCELLED, "0.00", notes=1)),
    Scene("invoice of Xero's",   ("invoices-from-xero",),     invoice_in_xero, has_arrived),
    Scene("account and item of Xero's", ("invoices-from-xero",), account_and_item_in_xero, has_reference_data, kinds=DEATHS),
    Scene("contact of Xero's",   ("contacts-from-xero",),     contact_in_xero, has_account),
    Scene("part payment and what is owed", (PAYMENTS, "balances-from-xero"), lambda world, invoice: pay(world, invoice, "50.00"), owes, kinds=DEATHS),
)
# fmt: on


class Stage:
    """A world in which the bookkeeper has just done something, put back for every run."""

    def __init__(self, world: CrashWorld) -> None:
        self.world = world
        (self._connector,) = world.connectors()
        self._connected = world.keep()

    def set(self, scene: Scene) -> None:
        world = self.world
        world.put_back(self._connected)
        (invoice,) = world.invoices
        world.enable(self._connector, *scene.flows, every=EVERY)
        world.rests = lambda: True
        world.run()  # the first read
        if scene.before:
            scene.before(world, invoice)
            world.clock.move(60 * EVERY)
            world.run()
        scene.happens(world, invoice)
        world.clock.move(60 * EVERY)
        world.rests = lambda: not scene.wrong(world, invoice)
        self._scene, self._invoice = scene, invoice
        self._state = world.keep()

    def calls(self) -> list[Call]:
        """Run without a fault and return every I/O."""
        self.world.put_back(self._state)
        assert not self.world.rests(), "nothing would have to happen"
        self.world.run()
        assert not self._spoilt()
        return self.world.plan.calls

    def run(self, faults: dict[int, str], **plan: Any) -> list[str]:
        """Run with faults; return what is wrong afterwards."""
        self.world.put_back(self._state, faults, **plan)
        try:
            took = self.world.run()
        except AssertionError:
            return self._scene.wrong(self.world, self._invoice)
        wrong = self._spoilt()
        if took > LONGEST * (2 if plan.get("then") else 1):
            wrong.append(f"took {took}")
        return wrong

    def _spoilt(self) -> list[str]:
        """Return what must not have happened on the way: nothing was written to Xero, given up, or left in hand."""
        world = self.world
        written = [str(call) for call in world.plan.calls if "/api.xro/" in call.what and not call.what.startswith("GET")]
        refused = [one.details for one in world.outcomes if one.status in ("failed", "refused")]
        poison = [name for name, held in world.queues.queues.items() if name.endswith("-poison") and held]
        return differences({"written to Xero": (written, []), "refused": (refused, []), "poison": (poison, [])})


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with crash_world() as world:
        connector = world.connect()
        world.set(connector, mag_defaultpricelistid=("pricelevels", world.id_of("NZD prices")))
        world.invoices = [world.invoice()]
        world.run()
        yield Stage(world)


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_any_fault_on_the_way_from_xero(stage: Stage, scene: Scene):
    stage.set(scene)
    calls = stage.calls()
    failures = []
    for number, call in enumerate(calls, 1):
        for kind in call.kinds:
            if (EVERYTHING or kind in (scene.kinds or call.kinds)) and (wrong := stage.run({number: kind})):
                failures.append(f"{'; '.join(stage.world.plan.fired)}: {', '.join(wrong)}")
    assert not failures, "\n".join(failures)


def test_any_two_faults_on_the_way_of_a_payment(stage: Stage):
    stage.set(PAYMENT)
    firsts = [(number, kind) for number, call in enumerate(stage.calls(), 1) for kind in call.kinds]
    pairs = [(first, (after, kind)) for first in firsts for after in range(1, 31) for kind in range(9)]
    failures = []
    for (number, kind), then in pairs if EVERYTHING else pairs[::499]:
        if wrong := stage.run({number: kind}, then=then):
            failures.append(f"{'; '.join(stage.world.plan.fired)}: {', '.join(wrong)}")
    assert not failures, "\n".join(failures)


def test_a_row_deleted_before_it_is_told_of_a_refusal_takes_no_document_with_it(stage: Stage):
    world = stage.world
    stage.set(next(scene for scene in SCENES if scene.happens is invoice_in_xero))
    world.set(world.connectors()[0], mag_overlapminutes=0)  # nothing else would bring it back
    world.clock.move(5)
    world.xero_invoice(Status="DRAFT", InvoiceNumber="X-78")  # and the cursor moves past it
    doubles = [world.post("accounts", {"name": "Kahu Joinery"}) for _ in range(2)]
    state = world.keep()
    world.put_back(state)
    world.rests = lambda: True
    world.run()
    assert [one.status for one in world.outcomes] == ["refused"]
    told = max(number for number, call in enumerate(world.plan.calls, 1) if call.what.endswith("(writes)"))

    def delete() -> None:
        for account in doubles:
            world.delete(f"accounts({account})")

    world.put_back(state, edits={told: delete})
    world.rests = lambda: not has_arrived(world, "")
    world.run()
    assert "refused" not in [one.status for one in world.outcomes]
