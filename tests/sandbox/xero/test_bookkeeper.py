"""The bookkeeper behind /sandbox/books: one JSON call for each thing a person does in Xero, by the rules of the API."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from sandbox.xero import bookkeeper
from sandbox.xero.demo_company import NZ
from tests.sandbox.xero.callers import Caller

NAME = "Demo Company (NZ)"
LINES = [{"Description": "Consulting", "Quantity": 2, "UnitAmount": 10.5, "AccountCode": "200"}]


def ask(client: FlaskClient, action: str, **asked: Any) -> Any:
    return client.post(f"/sandbox/books/{action}", json={"organisation": NAME, **asked})


def did(client: FlaskClient, action: str, **asked: Any) -> Any:
    answer = ask(client, action, **asked)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()


def error(client: FlaskClient, action: str, expected: int = 400, **asked: Any) -> Any:
    answer = ask(client, action, **asked)
    assert answer.status_code == expected, answer.get_data(as_text=True)
    return answer.get_json()["error"]


@pytest.fixture
def raised(client: FlaskClient) -> Any:
    """The number of an approved invoice of Kiwi Solar over 24.15."""
    return did(client, "invoice", contact="Kiwi Solar Ltd", lines=LINES)["InvoiceNumber"]


def read(nz: Caller, number: Any) -> Any:
    return nz.get(f"Invoices/{number}").get_json()["Invoices"][0]


def state(nz: Caller, number: Any) -> Any:
    found = read(nz, number)
    return found["Status"], found["AmountDue"]


def test_every_action_says_what_it_does_and_needs(client):
    listed = client.get("/sandbox/books").get_json()
    assert set(listed) == set(bookkeeper.ACTIONS)
    assert listed["pay"]["needs"] == ["invoice"]
    assert listed["pay"]["takes"] == ["amount", "account", "date", "reference"]
    assert all(row["does"].endswith(".") for row in listed.values())


def test_an_invoice_is_raised_approved(nz, client, raised):
    assert (raised, state(nz, raised)) == ("INV-0055", ("AUTHORISED", 24.15))
    draft = did(client, "invoice", contact="kiwi solar ltd", lines=LINES, status="DRAFT", fields={"Reference": "PO 7"})
    assert (draft["Status"], draft["Reference"], "_app" in draft) == ("DRAFT", "PO 7", False)
    assert did(client, "approve", document=draft["InvoiceID"])["Status"] == "AUTHORISED"


def test_it_is_paid_in_parts_and_a_payment_is_taken_back(nz, client, raised):
    part = did(client, "pay", invoice=raised, amount=4.15, reference="bank 7")
    assert state(nz, raised) == ("AUTHORISED", 20.0)
    rest = did(client, "pay", invoice=raised)
    assert (rest["Amount"], state(nz, raised)) == (20.0, ("PAID", 0.0))
    assert did(client, "take_payment_back", payment=part["PaymentID"])["Status"] == "DELETED"
    assert state(nz, raised) == ("AUTHORISED", 4.15)
    assert error(client, "take_payment_back", payment=part["PaymentID"]) == "Payment not of valid status for modification"


def test_several_invoices_are_paid_at_once_and_the_batch_is_taken_back(nz, client, raised):
    other = did(client, "invoice", contact="City Agency", lines=LINES)["InvoiceNumber"]
    batch = did(client, "batch_pay", invoices=[raised, other], amounts=[24.15, 4])
    assert (state(nz, raised), state(nz, other)) == (("PAID", 0.0), ("AUTHORISED", 20.15))
    payment_id = read(nz, raised)["Payments"][0]["PaymentID"]
    assert "delete the batch payment" in error(client, "take_payment_back", payment=payment_id)
    did(client, "take_batch_back", batch=batch["BatchPaymentID"])
    assert (state(nz, raised), state(nz, other)) == (("AUTHORISED", 24.15), ("AUTHORISED", 24.15))


def test_a_credit_note_is_raised_allocated_and_its_allocation_taken_back(nz, client, raised):
    note = did(client, "credit_note", contact="Kiwi Solar Ltd", lines=LINES)
    assert (note["Type"], note["RemainingCredit"]) == ("ACCRECCREDIT", 24.15)
    allocated = did(client, "allocate", credit=note["CreditNoteNumber"], invoice=raised, amount=10)
    assert (allocated["RemainingCredit"], state(nz, raised)) == (14.15, ("AUTHORISED", 14.15))
    did(client, "allocate", credit=note["CreditNoteNumber"], invoice=raised)
    assert state(nz, raised) == ("PAID", 0.0)
    did(client, "take_allocation_back", credit=note["CreditNoteNumber"])
    assert state(nz, raised) == ("AUTHORISED", 14.15)
    first = allocated["Allocations"][0]["AllocationID"]
    back = did(client, "take_allocation_back", credit=note["CreditNoteNumber"], allocation=first)
    assert (back["RemainingCredit"], back["Status"], state(nz, raised)) == (24.15, "AUTHORISED", ("AUTHORISED", 24.15))
    assert "There is no such allocation" in error(
        client, "take_allocation_back", 404, credit=note["CreditNoteNumber"], invoice=raised
    )


@pytest.mark.parametrize(("amount", "after"), [(None, ("PAID", 0.0)), (10.01, ("AUTHORISED", 14.14))])
def test_an_invoice_is_credited_in_one_go(nz, client, raised, amount, after):
    note = did(client, "credit_note", invoice=raised, **({"amount": amount} if amount else {}))
    assert (note["Status"], note["RemainingCredit"], state(nz, raised)) == ("PAID", 0.0, after)


@pytest.mark.parametrize("action", ["overpayment", "prepayment"])
def test_money_in_advance_is_allocated_and_what_is_left_refunded(nz, client, raised, action):
    credit = did(client, action, contact="Kiwi Solar Ltd", amount=30)
    id = credit[f"{action.capitalize()}ID"]
    assert did(client, "allocate", credit=id, invoice=raised)["RemainingCredit"] == 5.85
    assert state(nz, raised) == ("PAID", 0.0)
    assert did(client, "refund", credit=id)["Amount"] == 5.85
    assert did(client, "take_allocation_back", credit=id, invoice=raised)["RemainingCredit"] == 24.15
    assert state(nz, raised) == ("AUTHORISED", 24.15)
    assert "cannot be given another status" in error(client, "void", document=id)


def test_a_bill_and_a_suppliers_credit_go_the_same_way(nz, client):
    lines = [{"Description": "Paper", "UnitAmount": 100, "AccountCode": "461"}]
    bill = did(client, "invoice", contact="Central Copiers", type="ACCPAY", lines=lines)
    note = did(client, "credit_note", invoice=bill["InvoiceID"], amount=15)
    assert (note["Type"], state(nz, bill["InvoiceID"])) == ("ACCPAYCREDIT", ("AUTHORISED", 100.0))
    spent = did(client, "overpayment", contact="Central Copiers", amount=100, spent=True)
    did(client, "allocate", credit=spent["OverpaymentID"], invoice=bill["InvoiceID"])
    assert state(nz, bill["InvoiceID"]) == ("PAID", 0.0)


def test_approved_documents_are_voided_and_drafts_deleted(nz, client, raised):
    assert (did(client, "void", document=raised)["Status"], state(nz, raised)) == ("VOIDED", ("VOIDED", 24.15))
    assert did(client, "delete", document="INV-0053")["Status"] == "DELETED"
    note = did(client, "credit_note", contact="Kiwi Solar Ltd", lines=LINES)["CreditNoteNumber"]
    assert did(client, "void", document=note)["Status"] == "VOIDED"
    assert error(client, "delete", document="INV-0051") == "Invoice not of valid status for modification"


def test_contacts_are_merged_archived_restored_and_erased(nz, client, contact):
    loser = did(client, "merge", loser="City Agency", winner="Kiwi Solar Ltd")
    assert (loser["ContactStatus"], loser["MergedToContactID"]) == ("ARCHIVED", contact)
    assert did(client, "archive", contact="Kiwi Solar Ltd")["ContactStatus"] == "ARCHIVED"
    assert did(client, "restore", contact=contact)["ContactStatus"] == "ACTIVE"
    assert did(client, "erase", contact="Kiwi Solar Ltd")["ContactStatus"] == "GDPRREQUEST"
    assert nz.get(f"Contacts/{contact}").get_json()["Contacts"][0]["ContactStatus"] == "GDPRREQUEST"
    did(client, "restore", contact=loser["ContactID"])
    assert "MergedToContactID" not in nz.get(f"Contacts/{loser['ContactID']}").get_json()["Contacts"][0]


def test_an_account_is_renamed_recoded_and_archived(nz, client, raised):
    did(client, "account", account="200", name="Sales NZ", code="4000")
    assert read(nz, raised)["LineItems"][0]["AccountCode"] == "4000"
    assert did(client, "account", account="Sales NZ", status="ARCHIVED")["Status"] == "ARCHIVED"
    assert error(client, "account", account="4000", code="210") == "Please enter a unique Code."
    assert error(client, "account", account="610", status="ARCHIVED") == "System accounts cannot be archived"


def test_a_contact_is_made_and_changed(nz, client):
    made = did(client, "contact", name="New Ltd", fields={"AccountNumber": "A-7"})
    changed = did(client, "contact", name="new ltd", fields={"Name": "Newer Ltd", "EmailAddress": "new@example.com"})
    assert changed["ContactID"] == made["ContactID"]
    found = nz.get(f"Contacts/{made['ContactID']}").get_json()["Contacts"][0]
    assert (found["Name"], found["AccountNumber"], found["EmailAddress"]) == ("Newer Ltd", "A-7", "new@example.com")
    assert error(client, "contact", name="Boom Radio", fields={"EmailAddress": "rubbish"}) == "Email address must be valid."
    assert did(client, "invoice", contact="Newer Ltd", lines=LINES)["Contact"]["ContactID"] == made["ContactID"]


def test_what_nothing_uses_is_deleted(nz, client, raised):
    did(client, "remove", kind="item", id="GB1-WHITE")
    assert nz.get("Items/GB1-WHITE").status_code == 404
    assert error(client, "remove", kind="item", id="SUPPORT-M") == "The item SUPPORT-M is used on documents."
    assert (
        error(client, "remove", kind="account", id="200")
        == "There is no 'account' to delete by hand; there are item, branding theme."
    )
    assert error(client, "remove", 404, kind="item", id="GB1-WHITE") == "There is no item GB1-WHITE."
    theme = nz.get("BrandingThemes").get_json()["BrandingThemes"][2]["BrandingThemeID"]
    did(client, "remove", kind="branding theme", id=theme)
    assert nz.get(f"BrandingThemes/{theme}").status_code == 404


def test_reference_data_is_added(nz, client):
    assert did(client, "add", kind="account", fields={"Code": "205", "Name": "Subscriptions"})["Class"] == "REVENUE"
    did(client, "option", category="Region", name="Chatham")
    did(client, "option", category="Region", name="Chatham", fields={"Status": "ARCHIVED"})
    assert error(client, "option", 404, category="Region", name="Nowhere", fields={"Name": "X"})
    assert error(client, "add", kind="account", fields={"Code": "205", "Name": "Twice"}) == "The account 205 exists already."


def test_the_state_shows_what_was_made(client, raised):
    did(client, "credit_note", invoice=raised)
    did(client, "overpayment", contact="City Agency", amount=1)
    found = client.get("/sandbox/state", query_string={"organisation": NZ}).get_json()
    assert [len(found[kind]) for kind in ("credit note", "overpayment", "prepayment", "bank transaction")] == [2, 1, 0, 1]


@pytest.mark.parametrize(
    ("action", "asked", "status", "text"),
    [
        ("pay", {"invoice": "NOBODY"}, 404, "There is no invoice or bill NOBODY."),
        ("pay", {}, 400, "missing a required argument: 'invoice'"),
        ("pay", {"invoice": "INV-0051", "colour": "red"}, 400, "unexpected keyword argument 'colour'"),
        ("pay", {"invoice": "INV-0051", "amount": "1"}, 400, "pay: amount cannot be '1'."),
        ("pay", {"invoice": "INV-0051", "amount": True}, 400, "pay: amount cannot be True."),
        ("pay", {"invoice": "INV-0051", "amount": 9999999}, 400, "exceeds the amount outstanding"),
        ("pay", {"invoice": "INV-0051", "date": "tomorrow"}, 400, "The string 'tomorrow' is not a valid AllXsd value."),
        ("pay", {"invoice": "INV-0051", "account": "none"}, 404, "There is no account none."),
        ("batch_pay", {"invoices": ["INV-0051"], "amounts": []}, 400, "as many amounts as invoices"),
        ("batch_pay", {"invoices": [1]}, 400, "batch_pay: invoices cannot be [1]."),
        ("invoice", {"contact": "Nobody", "lines": []}, 404, "There is no contact Nobody."),
        ("invoice", {"contact": "City Agency", "lines": [{"Descripton": "x"}]}, 400, "Descripton"),
        ("credit_note", {"contact": "City Agency"}, 400, "One or more line items must be specified"),
        ("allocate", {"credit": "CN-9", "invoice": "INV-0051"}, 404, "There is no credit note, overpayment or prepayment CN-9."),
        ("merge", {"loser": "City Agency", "winner": "City Agency"}, 400, "cannot be merged into itself"),
        ("restore", {"contact": "Nobody"}, 404, "There is no contact Nobody."),
        ("dance", {}, 404, "There is no action 'dance'"),
        ("pay", {"organisation": "Nowhere", "invoice": "INV-0051"}, 404, "There is no organisation 'Nowhere'."),
    ],
)
def test_what_cannot_be_done_is_refused_with_its_reason_and_nothing_changes(client, action, asked, status, text):
    before = client.get("/sandbox/state", query_string={"organisation": NZ}).get_json()
    assert text in error(client, action, status, **asked)
    assert client.get("/sandbox/state", query_string={"organisation": NZ}).get_json() == before


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"7"])
def test_rubbish_is_refused(client, body):
    answer = client.post("/sandbox/books/pay", data=body)
    assert (answer.status_code, bool(answer.get_json()["error"])) == (400, True)


def test_a_credit_that_cannot_be_allocated_is_not_raised_either(client, raised):
    """One action, one transaction."""
    assert "greater than amount outstanding" in error(client, "credit_note", invoice=raised, amount=99)
    assert len(client.get("/sandbox/state", query_string={"organisation": NZ}).get_json()["credit note"]) == 1
