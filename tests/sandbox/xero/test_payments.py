"""Payments: developer.xero.com accounting/payments."""

from typing import Any

import pytest

from tests.sandbox.xero.callers import Caller, contact_id, invoice, line, messages


@pytest.fixture
def owed(nz: Caller, contact: Any) -> Any:
    """The id of an approved invoice over 24.15."""
    return nz.put("Invoices", {"Invoices": [invoice(contact)]}).get_json()["Invoices"][0]["InvoiceID"]


def payment(id: Any, **changes: Any) -> Any:
    body = {"Invoice": {"InvoiceID": id}, "Account": {"Code": "090"}, "Amount": 24.15, "Date": "2026-11-21", **changes}
    return {name: value for name, value in body.items() if value is not None}


def read(nz: Caller, id: Any) -> Any:
    return nz.get(f"Invoices/{id}").get_json()["Invoices"][0]


def made(nz: Caller, id: Any, **changes: Any) -> Any:
    answer = nz.put("Payments", {"Payments": [payment(id, **changes)]})
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()["Payments"][0]


def test_a_full_payment_makes_the_invoice_paid(nz, owed):
    """accounting/payments"""
    created = made(nz, owed, Reference="bank 7")
    after = read(nz, owed)
    assert (after["Status"], after["AmountDue"], after["AmountPaid"]) == ("PAID", 0.0, 24.15)
    assert after["FullyPaidOnDate"] == created["Date"] == "/Date(1795219200000+0000)/"
    assert after["Payments"][0] == {
        "PaymentID": created["PaymentID"],
        "Date": created["Date"],
        "Amount": 24.15,
        "Reference": "bank 7",
        "CurrencyRate": 1.0,
        "HasAccount": False,
        "HasValidationErrors": False,
    }


def test_a_part_payment_leaves_it_authorised(nz, owed):
    """accounting/payments"""
    made(nz, owed, Amount=4.15)
    after = read(nz, owed)
    assert (after["Status"], after["AmountDue"], after["AmountPaid"]) == ("AUTHORISED", 20.0, 4.15)
    assert "FullyPaidOnDate" not in after


def test_a_payment_shows_its_invoice_and_contact_in_short(nz, owed):
    """accounting/payments: GET"""
    made(nz, owed)
    row = nz.get("Payments", where=f'Invoice.InvoiceId==Guid("{owed}")').get_json()["Payments"][0]
    assert (row["PaymentType"], row["Status"], row["Account"]["Code"]) == ("ACCRECPAYMENT", "AUTHORISED", "090")
    assert (row["Invoice"]["InvoiceNumber"], row["Invoice"]["Contact"]["Name"]) == ("INV-0055", "Kiwi Solar Ltd")
    assert nz.get(f"Payments/{row['PaymentID']}").get_json()["Payments"] == [row]


def test_a_removed_payment_stays_deleted_and_the_invoice_is_owed_again(nz, owed):
    """accounting/payments: POST {"Status": "DELETED"}"""
    created = made(nz, owed)
    answer = nz.post(f"Payments/{created['PaymentID']}", {"Status": "DELETED"})
    assert answer.get_json()["Payments"][0]["Status"] == "DELETED"
    after = read(nz, owed)
    assert (after["Status"], after["AmountDue"], after["Payments"]) == ("AUTHORISED", 24.15, [])
    listed = nz.get("Payments", page=1, where='Status=="DELETED"').get_json()["Payments"]
    assert [row["PaymentID"] for row in listed] == [created["PaymentID"]]
    assert messages(nz.post(f"Payments/{created['PaymentID']}", {"Status": "DELETED"}))


def test_a_payment_moves_the_invoices_updated_date(nz, owed):
    """accounting/payments"""
    before = read(nz, owed)["UpdatedDateUTC"]
    created = made(nz, owed)
    paid = read(nz, owed)["UpdatedDateUTC"]
    nz.post(f"Payments/{created['PaymentID']}", {"Status": "DELETED"})
    assert before < paid < read(nz, owed)["UpdatedDateUTC"]


def test_a_bill_is_paid_likewise(nz, sandbox):
    """accounting/payments"""
    bill = invoice(contact_id(sandbox, "Central Copiers"), Type="ACCPAY", LineItems=[line(AccountCode="461")])
    id = nz.put("Invoices", {"Invoices": [bill]}).get_json()["Invoices"][0]["InvoiceID"]
    assert made(nz, id)["PaymentType"] == "ACCPAYPAYMENT"


def test_a_payment_in_a_foreign_currency_has_a_bank_amount(nz, contact):
    """accounting/payments: BankAmount"""
    id = nz.put("Invoices", {"Invoices": [invoice(contact, CurrencyCode="USD", CurrencyRate=0.6)]}).get_json()["Invoices"][0][
        "InvoiceID"
    ]
    created = made(nz, id)
    assert (created["Amount"], created["BankAmount"], created["CurrencyRate"]) == (24.15, 40.25, 0.6)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"Amount": 24.16}, "Payment amount exceeds the amount outstanding on this document"),
        ({"Amount": 0}, "Payment amount must be greater than zero"),
        ({"Amount": 1.005}, "at most 2 decimal places"),
        ({"Account": {"Code": "200"}}, "Account code '200' is not a valid code"),
        ({"Account": {"Code": "999"}}, "The payment account could not be found"),
        ({"Account": None}, "The payment account could not be found"),
        ({"Invoice": {"InvoiceNumber": "NOBODY"}}, "The document with the supplied id was not found"),
        ({"Date": "2009-09-30"}, "period lock date"),
    ],
)
def test_a_wrong_payment_is_refused_with_its_reason(nz, owed, changes, text):
    """accounting/payments"""
    assert any(text in found for found in messages(nz.put("Payments", {"Payments": [payment(owed, **changes)]})))
    assert read(nz, owed)["AmountDue"] == 24.15


@pytest.mark.parametrize("number", ["INV-0053", "INV-0054", "INV-0010"])
def test_only_an_approved_document_can_be_paid(nz, number):
    """accounting/payments: Payments can only be made against Authorised documents"""
    answer = nz.put("Payments", {"Payments": [payment("", Invoice={"InvoiceNumber": number}, Amount=1)]})
    assert messages(answer) == ["Payments can only be made against Authorised documents"]


def test_an_account_enabled_for_payments_will_do(nz, owed):
    """accounting/payments: a bank account, or EnablePaymentsToAccount"""
    created = made(nz, owed, Account={"Code": "881"}, Amount=1)
    assert created["Account"]["Code"] == "881"
    assert made(nz, owed, Account={"AccountID": created["Account"]["AccountID"]}, Amount=1)["Account"] == created["Account"]


def test_payments_are_paged_and_read_since(nz, owed):
    """accounting/payments: paging, If-Modified-Since"""
    created = made(nz, owed)
    answer = nz.get("Payments", page=1, pageSize=1).get_json()
    assert answer["pagination"]["itemCount"] == 2
    since = nz.get("Payments", page=1, headers={"If-Modified-Since": "2026-11-21T00:00:00"}).get_json()["Payments"]
    assert [row["PaymentID"] for row in since] == [created["PaymentID"]]


def test_an_unknown_payment_is_not_found(nz):
    """accounting/payments"""
    assert nz.post("Payments/8f9fa7a6-fb58-41ed-bd06-b658e68c6a97", {"Status": "DELETED"}).status_code == 404
