"""Whatever a bookkeeper pays, credits, allocates and takes back, in any order: every document adds up after every step."""

from decimal import Decimal
from typing import Any

from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.xero import Sandbox, create_app
from sandbox.xero.demo_company import NZ
from tests.sandbox.xero.callers import NOW

ACTIONS = ("pay", "take_payment_back", "batch_pay", "take_batch_back", "allocate", "take_allocation_back", "refund", "void")
KINDS = (("credit note", "CreditNoteID"), ("overpayment", "OverpaymentID"), ("prepayment", "PrepaymentID"))
LINES = [{"Description": "Consulting", "Quantity": 3, "UnitAmount": 9.99, "AccountCode": "200"}]


def opened() -> Any:
    app = create_app(now=lambda: NOW)
    client, sandbox = app.test_client(), app.extensions["sandbox"]
    for action in ("invoice", "invoice", "credit_note"):
        ask(client, action, contact="Kiwi Solar Ltd", lines=LINES)
    for action in ("overpayment", "prepayment"):
        ask(client, action, contact="Kiwi Solar Ltd", amount=25.01)
    return client, sandbox


def ask(client: FlaskClient, action: str, **asked: Any) -> bool:
    return client.post(f"/sandbox/books/{action}", json={"organisation": NZ, **asked}).status_code == 200


def step(client: FlaskClient, sandbox: Sandbox, action: str, which: int, cents: int) -> bool:
    """Take one step on the *which*-th document of its kind; True when it was allowed."""
    invoices = [row["InvoiceID"] for row in sandbox.documents(NZ, "invoice") if row["InvoiceNumber"] in ("INV-0055", "INV-0056")]
    credits = [row[id] for kind, id in KINDS for row in sandbox.documents(NZ, kind)]
    payments = [row["PaymentID"] for row in sandbox.documents(NZ, "payment")]
    batches = [row["BatchPaymentID"] for row in sandbox.documents(NZ, "batch payment")] or ["none"]
    invoice, credit, amount = invoices[which % 2], credits[which % len(credits)], cents / 100
    asked: dict[str, dict[str, Any]] = {
        "pay": {"invoice": invoice, "amount": amount},
        "take_payment_back": {"payment": payments[which % len(payments)]},
        "batch_pay": {"invoices": invoices, "amounts": [amount, amount]},
        "take_batch_back": {"batch": batches[which % len(batches)]},
        "allocate": {"credit": credit, "invoice": invoice, "amount": amount},
        "take_allocation_back": {"credit": credit},
        "refund": {"credit": credit, "amount": amount},
        "void": {"document": invoice},
    }
    return ask(client, action, **asked[action])


def check(sandbox: Sandbox) -> None:
    """Compare what every document says with the payments and allocations there are."""
    paid: dict[str, Decimal] = {}
    for payment in sandbox.documents(NZ, "payment"):
        [(_, id)] = [
            inner for name in ("Invoice", "CreditNote", "Overpayment", "Prepayment") for inner in payment.get(name, {}).items()
        ]
        paid[id] = paid.get(id, Decimal(0)) + (Decimal(payment["Amount"]) if payment["Status"] == "AUTHORISED" else 0)
    credited: dict[str, Decimal] = {}
    for kind, id_name in KINDS:
        for credit in sandbox.documents(NZ, kind):
            given_away = Decimal(0)
            for allocation in credit["Allocations"]:
                id = allocation["Invoice"]["InvoiceID"]
                credited[id] = credited.get(id, Decimal(0)) + Decimal(allocation["Amount"])
                given_away += Decimal(allocation["Amount"])
            assert credit["RemainingCredit"] == credit["Total"] - given_away - paid.get(credit[id_name], Decimal(0)) >= 0
            assert (credit["Status"] == "PAID") == (credit["RemainingCredit"] == 0)
    for invoice in sandbox.documents(NZ, "invoice"):
        id = invoice["InvoiceID"]
        assert (invoice["AmountPaid"], invoice["AmountCredited"]) == (paid.get(id, 0), credited.get(id, 0))
        assert invoice["AmountDue"] == invoice["Total"] - invoice["AmountPaid"] - invoice["AmountCredited"] >= 0
        shown = [row["AppliedAmount"] for name in ("CreditNotes", "Overpayments", "Prepayments") for row in invoice.get(name, [])]
        assert sum(shown) == invoice["AmountCredited"]
        assert (invoice["Status"] == "PAID") == (invoice["AmountDue"] == 0) == ("FullyPaidOnDate" in invoice)
        assert invoice["Status"] != "VOIDED" or invoice["AmountDue"] == invoice["Total"]


@settings(max_examples=20)
@given(
    st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 9), st.sampled_from([1, 1000, 1001, 2501, 3447])), max_size=25)
)
def test_every_document_adds_up_after_every_step(steps):
    client, sandbox = opened()
    check(sandbox)
    for action, which, cents in steps:
        before = sandbox.clock.stamp()
        allowed = step(client, sandbox, action, which, cents)
        check(sandbox)
        moved = [row for row in sandbox.documents(NZ, "invoice") if row["UpdatedDateUTC"] > before]
        assert allowed or not moved
        assert moved or action == "refund" or not allowed or action == "take_payment_back"
    sandbox.store.close()


def test_the_steps_are_taken_indeed():
    """Each action is allowed somewhere, so that the test above is not about refusals alone."""
    client, sandbox = opened()
    taken = [("pay", 0, 1000), ("batch_pay", 0, 1), ("allocate", 2, 1000), ("refund", 2, 1), ("take_allocation_back", 2, 0)]
    taken += [("take_batch_back", 0, 0), ("take_payment_back", 1, 0), ("void", 0, 0)]
    assert [(action, step(client, sandbox, action, which, cents)) for action, which, cents in taken] == [
        (action, True) for action, _, _ in taken
    ]
    check(sandbox)
    assert {action for action, _, _ in taken} == set(ACTIONS)
    sandbox.store.close()
