"""Overpayments and prepayments: developer.xero.com accounting/overpayments, prepayments, banktransactions."""

from typing import Any

import pytest

from sandbox.xero.demo_company import NZ
from tests.sandbox.xero.callers import SCOPES, Caller, contact_id, invoice, line, messages, sign_in

FAMILIES = ["Overpayment", "Prepayment"]
NOBODY = "8f9fa7a6-fb58-41ed-bd06-b658e68c6a97"


@pytest.fixture
def nz(client):
    """A caller who may see the bank."""
    return Caller(client, sign_in(client, scopes=f"{SCOPES} accounting.banktransactions")["access_token"], NZ)


def received(contact: Any, family: str, **changes: Any) -> Any:
    """Return money received in advance over 23.00; *changes* replace fields, None leaves one out."""
    over = family == "Overpayment"
    body = {
        "Type": f"RECEIVE-{family.upper()}",
        "Contact": {"ContactID": contact},
        "BankAccount": {"Code": "090"},
        "Date": "2026-11-20",
        "LineAmountTypes": "NoTax" if over else "Inclusive",
        "LineItems": [{"Description": "Paid twice", "LineAmount": 23, **({} if over else {"AccountCode": "200"})}],
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}


def made(caller: Caller, contact: Any, family: str, **changes: Any) -> Any:
    """Receive the money and return the id of the credit."""
    answer = caller.put("BankTransactions", {"BankTransactions": [received(contact, family, **changes)]})
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()["BankTransactions"][0][f"{family}ID"]


def read(caller: Caller, family: str, id: Any) -> Any:
    return caller.get(f"{family}s/{id}").get_json()[f"{family}s"][0]


def owed(caller: Caller, id: Any) -> Any:
    return caller.get(f"Invoices/{id}").get_json()["Invoices"][0]


def raised(caller: Caller, contact: Any, **changes: Any) -> Any:
    lines = [line(Quantity=1, UnitAmount=20)]
    return caller.put("Invoices", invoice(contact, LineItems=lines, **changes)).get_json()["Invoices"][0]["InvoiceID"]


def allocated(caller: Caller, family: str, id: Any, invoice_id: Any, amount: Any) -> Any:
    answer = caller.put(f"{family}s/{id}/Allocations", {"Amount": amount, "Invoice": {"InvoiceID": invoice_id}})
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return read(caller, family, id)["Allocations"][-1]["AllocationID"]


def test_an_overpayment_is_coded_to_the_control_account(nz, contact):
    """accounting/banktransactions: automatically coded to Accounts Receivable (receive) or Payable (spend)"""
    shown = read(nz, "Overpayment", made(nz, contact, "Overpayment"))
    assert (shown["Type"], shown["Status"], shown["RemainingCredit"], shown["TotalTax"]) == (
        "RECEIVE-OVERPAYMENT",
        "AUTHORISED",
        23.0,
        0.0,
    )
    assert [row["AccountCode"] for row in shown["LineItems"]] == ["610"]
    spent = read(nz, "Overpayment", made(nz, contact, "Overpayment", Type="SPEND-OVERPAYMENT"))
    assert [row["AccountCode"] for row in spent["LineItems"]] == ["800"]


def test_a_prepayment_has_lines_and_tax_of_its_own(nz, contact):
    """accounting/prepayments"""
    shown = read(nz, "Prepayment", made(nz, contact, "Prepayment", Reference="PRE-7"))
    assert (shown["SubTotal"], shown["TotalTax"], shown["Total"], shown["RemainingCredit"]) == (20.0, 3.0, 23.0, 23.0)
    assert (shown["Reference"], shown["InvoiceNumber"]) == ("PRE-7", "PRE-7")


@pytest.mark.parametrize("family", FAMILIES)
def test_the_bank_transaction_names_its_credit_and_is_read_alike(nz, contact, family):
    """accounting/banktransactions: OverpaymentID, PrepaymentID"""
    id = made(nz, contact, family)
    [row] = nz.get("BankTransactions", page=1, where=f'Type=="RECEIVE-{family.upper()}"').get_json()["BankTransactions"]
    assert (row[f"{family}ID"], row["BankAccount"]["Code"], row["Total"]) == (id, "090", 23.0)
    single = nz.get(f"BankTransactions/{row['BankTransactionID']}").get_json()["BankTransactions"]
    assert single == [row]
    assert nz.get(f"BankTransactions/{NOBODY}").status_code == 404


@pytest.mark.parametrize("family", FAMILIES)
def test_an_allocation_pays_the_invoice_and_its_deletion_reopens_it(nz, contact, family):
    """accounting/overpayments, prepayments: Allocations"""
    credit, id = made(nz, contact, family), raised(nz, contact)
    before = (owed(nz, id)["UpdatedDateUTC"], read(nz, family, credit)["UpdatedDateUTC"])
    allocation_id = allocated(nz, family, credit, id, 23)
    after, spent = owed(nz, id), read(nz, family, credit)
    assert (after["Status"], after["AmountDue"], after["AmountPaid"], after["AmountCredited"]) == ("PAID", 0.0, 0.0, 23.0)
    assert after["FullyPaidOnDate"] == "/Date(1795132800000+0000)/"
    [shown] = after[f"{family}s"]
    assert (shown[f"{family}ID"], shown["AppliedAmount"], shown["Total"]) == (credit, 23.0, 23.0)
    assert (spent["Status"], spent["RemainingCredit"]) == ("PAID", 0.0)
    assert before < (after["UpdatedDateUTC"], spent["UpdatedDateUTC"])

    answer = nz.client.delete(f"/api.xro/2.0/{family}s/{credit}/Allocations/{allocation_id}", headers=nz.headers())
    assert (answer.status_code, answer.get_json()["IsDeleted"]) == (200, True)
    again, unspent = owed(nz, id), read(nz, family, credit)
    assert (again["Status"], again["AmountDue"], again["AmountCredited"], again[f"{family}s"]) == ("AUTHORISED", 23.0, 0.0, [])
    assert "FullyPaidOnDate" not in again
    assert (unspent["Status"], unspent["RemainingCredit"], unspent["Allocations"]) == ("AUTHORISED", 23.0, [])


def test_every_kind_of_credit_settles_one_invoice_together(nz, contact):
    """xero.com: AmountCredited is what credit notes, prepayments and overpayments give"""
    id = raised(nz, contact)
    for family, amount in (("Overpayment", 3), ("Prepayment", 10)):
        allocated(nz, family, made(nz, contact, family), id, amount)
    nz.put("Payments", {"Invoice": {"InvoiceID": id}, "Account": {"Code": "090"}, "Amount": 10, "Date": "2026-11-21"})
    after = owed(nz, id)
    assert (after["Status"], after["AmountCredited"], after["AmountPaid"]) == ("PAID", 13.0, 10.0)
    [listed] = nz.get("Invoices", IDs=id, page=1).get_json()["Invoices"]
    assert [[row["AppliedAmount"] for row in listed[f"{family}s"]] for family in FAMILIES] == [[3.0], [10.0]]


@pytest.mark.parametrize("family", FAMILIES)
def test_what_cannot_be_allocated_is_refused_with_its_reason(nz, sandbox, contact, family):
    """accounting/overpayments, prepayments"""
    credit, others = made(nz, contact, family), raised(nz, contact_id(sandbox, "City Agency"))
    draft = raised(nz, contact, Status="DRAFT")
    for id, amount, text in (
        (others, 1, f"{family} cannot be allocated to an invoice of another contact"),
        (draft, 1, f"{family} can only be allocated to an invoice with a status of AUTHORISED"),
        (raised(nz, contact), 23.01, f"{family} cannot be allocated as amount is greater than amount outstanding"),
    ):
        answer = nz.put(f"{family}s/{credit}/Allocations", {"Amount": amount, "Invoice": {"InvoiceID": id}})
        assert messages(answer) == [text]
    assert read(nz, family, credit)["RemainingCredit"] == 23.0


@pytest.mark.parametrize("family", FAMILIES)
def test_it_is_refunded_by_a_payment(nz, contact, family):
    """accounting/payments: prepayment and overpayment refunds"""
    credit = made(nz, contact, family)
    body = {family: {f"{family}ID": credit}, "Account": {"Code": "090"}, "Amount": 3, "Date": "2026-11-21"}
    [paid] = nz.put("Payments", body).get_json()["Payments"]
    assert paid["PaymentType"] == f"AR{family.upper()}PAYMENT"
    assert (read(nz, family, credit)["RemainingCredit"], len(read(nz, family, credit)["Payments"])) == (20.0, 1)
    nz.post(f"Payments/{paid['PaymentID']}", {"Status": "DELETED"})
    assert read(nz, family, credit)["RemainingCredit"] == 23.0


@pytest.mark.parametrize("family", FAMILIES)
def test_lists_are_paged_filtered_and_read_since(nz, sandbox, contact, family):
    """accounting/overpayments, prepayments: page, where, References / InvoiceNumbers, If-Modified-Since"""
    first = made(nz, contact, family, Reference="PRE-1")
    sandbox.clock.advance(60)
    second = made(nz, contact, family, Reference="PRE-2")

    def ids(**query: Any) -> Any:
        headers = query.pop("headers", None)
        return [row[f"{family}ID"] for row in nz.get(f"{family}s", headers=headers, **query).get_json()[f"{family}s"]]

    assert ids() == [first, second]
    assert ids(page=2, pageSize=1) == [second]
    assert ids(where='Status=="PAID"') == []
    assert ids(References="pre-2") == [second]
    assert ids(headers={"If-Modified-Since": "2026-11-21T00:30:30"}) == [second]
    assert "pagination" in nz.get(f"{family}s", page=1).get_json()


@pytest.mark.parametrize(
    ("family", "changes", "text"),
    [
        ("Overpayment", {"Type": "RECEIVE"}, "Bank transaction Type 'RECEIVE' is not one of"),
        ("Overpayment", {"BankAccount": {"Code": "200"}}, "The bank account could not be found"),
        ("Overpayment", {"BankAccount": None}, "The bank account could not be found"),
        ("Overpayment", {"LineItems": []}, "One or more line items must be specified"),
        (
            "Overpayment",
            {"LineItems": [{"Description": "a", "LineAmount": 1}] * 2},
            "Overpayments can only have a single line item",
        ),
        ("Overpayment", {"LineItems": [{"LineAmount": 1}]}, "Description must be at least 1 character long"),
        ("Overpayment", {"LineItems": [{"Description": "a", "LineAmount": -1}]}, "must be positive"),
        ("Overpayment", {"LineAmountTypes": "Exclusive"}, "Overpayments must have LineAmountTypes of NoTax"),
        ("Overpayment", {"Contact": None}, "A Contact must be specified"),
        ("Overpayment", {"CurrencyCode": "GBP"}, "Organisation is not subscribed to currency GBP"),
        ("Overpayment", {"Date": "2009-09-30"}, "period lock date"),
        ("Overpayment", {"Status": "DELETED"}, "A new bank transaction cannot have the status DELETED"),
        ("Overpayment", {"BankTransactionID": NOBODY}, "Updates on prepayment and overpayment transactions"),
        ("Prepayment", {"LineItems": [line(AccountCode="999")]}, "Account code '999' is not a valid code"),
        ("Prepayment", {"LineItems": [line(ItemCode="BOOK")]}, "ItemCode can only be used when"),
    ],
)
def test_wrong_money_is_refused_with_its_reason(nz, contact, family, changes, text):
    """accounting/banktransactions"""
    answer = nz.put("BankTransactions", {"BankTransactions": [received(contact, family, **changes)]})
    assert any(text in found for found in messages(answer))
    assert nz.get(f"{family}s").get_json()[f"{family}s"] == nz.get("BankTransactions").get_json()["BankTransactions"] == []


@pytest.mark.parametrize("path", ["Overpayments", "Prepayments"])
def test_an_unknown_credit_is_not_found(nz, path):
    """accounting/overpayments, prepayments"""
    assert nz.get(f"{path}/{NOBODY}").status_code == 404
    assert nz.put(f"{path}/{NOBODY}/Allocations", {"Amount": 1, "Invoice": {"InvoiceID": NOBODY}}).status_code == 404


def test_the_bank_is_closed_to_those_who_were_not_let_in(client, contact):
    """oauth2/scopes: accounting.banktransactions; overpayments are accounting.payments"""
    caller = Caller(client, sign_in(client)["access_token"], NZ)
    assert caller.put("BankTransactions", received(contact, "Overpayment")).status_code == 401
    assert caller.get("Overpayments").status_code == 200


def test_a_bookkeepers_own_app_may_do_everything(client, contact):
    """oauth2/custom-connections: the demo companies' bookkeepers"""
    form = {"grant_type": "client_credentials"}
    answer = client.post("/connect/token", data=form, auth=("sandbox-bookkeeper-nz", "sandbox-bookkeeper-secret"))
    assert made(Caller(client, answer.get_json()["access_token"], NZ), contact, "Overpayment")
