"""Batch payments: developer.xero.com accounting/batchpayments."""

from typing import Any

import pytest

from sandbox.xero.demo_company import NZ
from tests.sandbox.xero.callers import Caller, invoice, line, messages

NOBODY = "8f9fa7a6-fb58-41ed-bd06-b658e68c6a97"


@pytest.fixture
def owed(nz: Caller, contact: Any) -> Any:
    """The ids of two approved invoices over 24.15."""
    return [raised(nz, contact) for _ in range(2)]


def raised(nz: Caller, contact: Any, **changes: Any) -> Any:
    answer = nz.put("Invoices", invoice(contact, **changes))
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()["Invoices"][0]["InvoiceID"]


def batch(ids: Any, *amounts: Any, **changes: Any) -> Any:
    payments = [
        {"Invoice": {"InvoiceID": id}, "Amount": amount, "Reference": f"row {n}"}
        for n, (id, amount) in enumerate(zip(ids, amounts, strict=True))
    ]
    body = {"Account": {"Code": "090"}, "Date": "2026-11-21", "Reference": "Monday", "Payments": payments, **changes}
    return {name: value for name, value in body.items() if value is not None}


def made(nz: Caller, body: Any) -> Any:
    answer = nz.put("BatchPayments", {"BatchPayments": [body]})
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()["BatchPayments"][0]


def read(nz: Caller, id: Any) -> Any:
    return nz.get(f"Invoices/{id}").get_json()["Invoices"][0]


def test_a_batch_pays_several_invoices(nz, owed):
    """accounting/batchpayments: PUT, RECBATCH, TotalAmount"""
    created = made(nz, batch(owed, 24.15, 4.15))
    assert (created["Type"], created["Status"], created["TotalAmount"]) == ("RECBATCH", "AUTHORISED", 28.3)
    assert [row["Invoice"]["InvoiceID"] for row in created["Payments"]] == owed
    first, second = (read(nz, id) for id in owed)
    assert (first["Status"], first["AmountDue"], second["Status"], second["AmountDue"]) == ("PAID", 0.0, "AUTHORISED", 20.0)
    assert first["Payments"][0]["BatchPaymentID"] == created["BatchPaymentID"]
    assert first["Payments"][0]["PaymentID"] == created["Payments"][0]["PaymentID"]


def test_its_payments_are_payments_that_name_their_batch(nz, owed):
    """accounting/payments: BatchPaymentID, BatchPayment"""
    created = made(nz, batch(owed, 24.15, 4.15))
    rows = nz.get("Payments", page=1, where='Reference.StartsWith("row")').get_json()["Payments"]
    assert {row["BatchPaymentID"] for row in rows} == {created["BatchPaymentID"]}
    assert rows[0]["BatchPayment"]["TotalAmount"] == 28.3
    assert (rows[0]["BatchPayment"]["Type"], rows[0]["Date"]) == ("RECBATCH", created["Date"])
    found = nz.get("Payments", where=f'BatchPaymentID==Guid("{created["BatchPaymentID"]}")').get_json()["Payments"]
    assert len(found) == 2


def test_it_is_listed_filtered_and_read_alone(nz, owed):
    """accounting/batchpayments: GET, where, If-Modified-Since"""
    created = made(nz, batch(owed, 1, 1))
    assert nz.get(f"BatchPayments/{created['BatchPaymentID']}").get_json()["BatchPayments"] == [created]
    assert nz.get("BatchPayments", where='Type=="RECBATCH"').get_json()["BatchPayments"] == [created]
    assert nz.get("BatchPayments", where='Type=="PAYBATCH"').get_json()["BatchPayments"] == []
    later = {"If-Modified-Since": "2026-11-22T00:00:00"}
    assert nz.get("BatchPayments", headers=later).get_json()["BatchPayments"] == []
    assert nz.get(f"BatchPayments/{NOBODY}").status_code == 404


@pytest.mark.parametrize("by_url", [True, False])
def test_a_deleted_batch_takes_every_payment_with_it(nz, owed, by_url):
    """accounting/batchpayments: POST {"Status": "DELETED"}"""
    created = made(nz, batch(owed, 24.15, 4.15))
    before = [read(nz, id)["UpdatedDateUTC"] for id in owed]
    id = created["BatchPaymentID"]
    body = {"Status": "DELETED"} if by_url else {"BatchPaymentID": id, "Status": "DELETED"}
    [gone] = nz.post(f"BatchPayments/{id}" if by_url else "BatchPayments", body).get_json()["BatchPayments"]
    assert (gone["Status"], gone["Payments"], gone["TotalAmount"]) == ("DELETED", [], 28.3)
    after = [read(nz, id) for id in owed]
    assert [(row["Status"], row["AmountDue"], row["Payments"]) for row in after] == [("AUTHORISED", 24.15, [])] * 2
    assert all(old < row["UpdatedDateUTC"] for old, row in zip(before, after, strict=True))
    rows = nz.get("Payments", where='Status=="DELETED"').get_json()["Payments"]
    assert {row["PaymentID"] for row in rows} == {row["PaymentID"] for row in created["Payments"]}
    assert messages(nz.post(f"BatchPayments/{id}", body)) == ["Payment not of valid status for modification"]


def test_a_payment_of_a_batch_cannot_be_deleted_alone(nz, owed):
    """accounting/payments: payments created via batch payments are not supported"""
    created = made(nz, batch(owed, 24.15, 4.15))
    answer = nz.post(f"Payments/{created['Payments'][0]['PaymentID']}", {"Status": "DELETED"})
    assert "Payments created via batch payments cannot be deleted on their own" in messages(answer)[0]
    assert read(nz, owed[0])["Status"] == "PAID"


def test_bills_are_paid_likewise(nz, contact):
    """accounting/batchpayments: PAYBATCH"""
    ids = [raised(nz, contact, Type="ACCPAY", LineItems=[line(AccountCode="461")]) for _ in range(2)]
    created = made(nz, batch(ids, 24.15, 24.15, Particulars="paying", Code="333"))
    assert (created["Type"], created["Particulars"], created["Code"]) == ("PAYBATCH", "paying", "333")
    assert [read(nz, id)["Status"] for id in ids] == ["PAID", "PAID"]


def test_one_wrong_payment_stops_the_whole_batch(nz, owed):
    """accounting/batchpayments: one transaction"""
    answer = nz.put("BatchPayments", batch(owed, 24.15, 24.16))
    assert messages(answer) == ["Payment amount exceeds the amount outstanding on this document"]
    assert [read(nz, id)["AmountDue"] for id in owed] == [24.15, 24.15]
    assert nz.get("BatchPayments").get_json()["BatchPayments"] == []
    assert len(nz.get("Payments").get_json()["Payments"]) == 1


def test_an_invoice_can_be_in_a_batch_twice_but_not_for_more_than_is_due(nz, owed):
    """accounting/batchpayments"""
    made(nz, batch([owed[0]] * 2, 20, 4.15))
    assert read(nz, owed[0])["Status"] == "PAID"
    assert messages(nz.put("BatchPayments", batch([owed[1]] * 2, 20, 4.16)))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"Payments": []}, "A batch payment must have at least one payment"),
        ({"Account": {"Code": "200"}}, "Account code '200' is not a valid code"),
        ({"Account": None}, "The payment account could not be found"),
        ({"Date": "2009-09-30"}, "period lock date"),
        ({"Particulars": "x" * 13}, "Particulars must not be more than 12 characters long"),
        (
            {"Payments": [{"CreditNote": {"CreditNoteNumber": "CN-0025"}, "Amount": 1}]},
            "Credit notes, prepayments and overpayments",
        ),
        ({"Payments": [{"Invoice": {"InvoiceID": NOBODY}, "Amount": 1}]}, "The document with the supplied id was not found"),
        ({"Payments": [{"Invoice": {"InvoiceNumber": "INV-0053"}, "Amount": 1}]}, "Payments can only be made against Authorised"),
    ],
)
def test_a_wrong_batch_is_refused_with_its_reason(nz, owed, changes, text):
    """accounting/batchpayments"""
    assert any(text in found for found in messages(nz.put("BatchPayments", batch(owed, 1, 1, **changes))))
    assert read(nz, owed[0])["AmountDue"] == 24.15


def test_invoices_and_bills_or_foreign_money_do_not_mix(nz, owed, contact):
    """accounting/batchpayments: limitations"""
    bill = raised(nz, contact, Type="ACCPAY", LineItems=[line(AccountCode="461")])
    foreign = raised(nz, contact, CurrencyCode="USD")
    assert messages(nz.put("BatchPayments", batch([owed[0], bill], 1, 1))) == [
        "A batch payment cannot have a mixture of sales invoices and bills"
    ]
    assert messages(nz.put("BatchPayments", batch([foreign], 1))) == [
        "Batch payments can only be made in the organisation base currency"
    ]


def test_what_is_no_batch_cannot_be_deleted(nz, owed):
    """accounting/batchpayments"""
    created = made(nz, batch(owed, 1, 1))
    assert messages(nz.post("BatchPayments", {"BatchPaymentID": NOBODY, "Status": "DELETED"}))
    assert nz.post(f"BatchPayments/{NOBODY}", {"Status": "DELETED"}).status_code == 404
    assert messages(nz.post(f"BatchPayments/{created['BatchPaymentID']}", {"Status": "AUTHORISED"}))


def test_it_has_a_history(nz, owed, sandbox):
    """accounting/historyandnotes"""
    path = f"BatchPayments/{made(nz, batch(owed, 1, 1))['BatchPaymentID']}/History"
    nz.put(path, {"HistoryRecords": [{"Details": "From the bank"}]})
    assert [row["Details"] for row in nz.get(path).get_json()["HistoryRecords"]] == ["From the bank"]
    assert len(sandbox.documents(NZ, "batch payment")) == 1
