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


def test_several_payments_are_asked_for_at_once(nz, contact):
    """accounting/payments: OR on PaymentID, on Invoice.InvoiceID"""
    ids = [nz.put("Invoices", invoice(contact)).get_json()["Invoices"][0]["InvoiceID"] for _ in range(3)]
    paid = [made(nz, id)["PaymentID"] for id in ids]

    def found(where: str) -> Any:
        return [row["PaymentID"] for row in nz.get("Payments", where=where).get_json()["Payments"]]

    assert found(" OR ".join(f'PaymentID==Guid("{id}")' for id in paid[:2])) == paid[:2]
    assert found(" OR ".join(f'PaymentId=guid("{id}")' for id in paid[1:])) == paid[1:]
    assert found(" OR ".join(f'Invoice.InvoiceID==Guid("{id}")' for id in ids)) == paid
    assert found(f'Status=="AUTHORISED" AND (Invoice.InvoiceId==Guid("{ids[0]}") OR Invoice.InvoiceId==Guid("{ids[2]}"))') == [
        paid[0],
        paid[2],
    ]


def test_a_filter_on_the_invoice_passes_over_refunds(nz, owed, contact):
    """accounting/payments: a payment points at an invoice or at a credit note"""
    note = {"Type": "ACCRECCREDIT", "Contact": {"ContactID": contact}, "Status": "AUTHORISED", "LineItems": [line()]}
    number = nz.put("CreditNotes", note).get_json()["CreditNotes"][0]["CreditNoteNumber"]
    refund = nz.put("Payments", payment(None, Invoice=None, CreditNoteNumber=number)).get_json()["Payments"][0]
    paid = made(nz, owed)
    [row] = nz.get("Payments", where=f'Invoice.InvoiceID==Guid("{owed}")').get_json()["Payments"]
    assert row["PaymentID"] == paid["PaymentID"]
    [row] = nz.get("Payments", where=f'CreditNote.CreditNoteNumber=="{number}"').get_json()["Payments"]
    assert (row["PaymentID"], row["PaymentType"]) == (refund["PaymentID"], "ARCREDITPAYMENT")


def test_a_removed_payment_is_found_by_those_who_read_since(nz, owed, sandbox):
    """accounting/payments: If-Modified-Since"""
    created = made(nz, owed)
    sandbox.clock.advance(600)
    since = {"If-Modified-Since": "2026-11-21T00:35:00"}
    assert nz.get("Payments", page=1, headers=since).get_json()["Payments"] == []
    nz.post(f"Payments/{created['PaymentID']}", {"Status": "DELETED"})
    [row] = nz.get("Payments", page=1, headers=since).get_json()["Payments"]
    assert (row["PaymentID"], row["Status"]) == (created["PaymentID"], "DELETED")
    [changed] = nz.get("Invoices", page=1, headers=since).get_json()["Invoices"]
    assert (changed["InvoiceID"], changed["Status"], changed["Payments"]) == (owed, "AUTHORISED", [])


def test_a_page_and_a_single_invoice_show_the_same_payments(nz, owed):
    """accounting/invoices: Payments on pages and single ones, not on whole lists"""
    paid = [made(nz, owed, Amount=amount)["PaymentID"] for amount in (4.15, 5, 15)]
    [page] = nz.get("Invoices", IDs=owed, page=1).get_json()["Invoices"]
    assert [row["PaymentID"] for row in page["Payments"]] == paid
    assert page["Payments"] == read(nz, owed)["Payments"]
    assert page["FullyPaidOnDate"] == read(nz, owed)["FullyPaidOnDate"]
    [whole] = nz.get("Invoices", IDs=owed).get_json()["Invoices"]
    assert (whole["Payments"], whole["AmountPaid"]) == ([], 24.15)


def test_paid_and_voided_invoices_are_read_by_status_in_the_order_they_changed(nz, contact):
    """accounting/invoices: Statuses, order; recorded: a VOIDED one keeps its AmountDue"""
    first, second = (nz.put("Invoices", invoice(contact)).get_json()["Invoices"][0]["InvoiceID"] for _ in range(2))
    nz.post(f"Invoices/{second}", {"Status": "VOIDED"})
    made(nz, first)
    since = {"If-Modified-Since": "2026-11-21T00:00:00"}
    rows = nz.get("Invoices", Statuses="PAID,VOIDED", order="UpdatedDateUTC ASC", headers=since).get_json()["Invoices"]
    assert [(row["InvoiceID"], row["Status"], row["AmountDue"]) for row in rows] == [
        (second, "VOIDED", 24.15),
        (first, "PAID", 0.0),
    ]
