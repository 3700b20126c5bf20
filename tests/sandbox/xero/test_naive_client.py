"""A client that believes what it would like to believe. It must come to grief here, or the stand-in is too kind.

Each test asserts the damage: a duplicate, a wrong contact, a deletion that never was. The connector's own tests then
show that it comes through the same weather unharmed.
"""

from collections import Counter
from typing import Any

import pytest
import urllib3
from xero_python.accounting import AccountingApi, Contact, Invoice, Invoices, LineItem
from xero_python.api_client import ApiClient
from xero_python.api_client.configuration import Configuration
from xero_python.api_client.oauth2 import OAuth2Token

from sandbox.xero import Fault, Sandbox
from sandbox.xero.demo_company import NZ, UK
from tests.sandbox.xero.callers import BASIC, Caller, contact_id, invoice, line, sign_in


@pytest.fixture
def naive(server: Any, nz: Caller) -> Any:
    """The SDK as it comes out of the box: hidden retries, no idempotency key."""
    configuration = Configuration()
    configuration.oauth2_token = OAuth2Token(client_id="sandbox-client", client_secret="sandbox-secret")
    client = ApiClient(configuration)
    client.configuration.oauth2_token = configuration.oauth2_token
    client.oauth2_token_getter(
        lambda: {"access_token": nz.token, "scope": ["accounting.invoices"], "expires_in": 1800, "token_type": "Bearer"}
    )
    client.oauth2_token_saver(lambda _: None)
    return AccountingApi(client, base_url=f"http://localhost:{server.port}/api.xro/2.0")


def bill(sandbox: Sandbox) -> Any:
    return Invoice(
        type="ACCPAY",
        contact=Contact(contact_id=contact_id(sandbox, "Central Copiers")),
        invoice_number="SUP-1",
        line_items=[LineItem(description="Paper", quantity=1, unit_amount=10, account_code="461")],
    )


def copies(sandbox: Sandbox, number: Any) -> Any:
    return [row for row in sandbox.documents(NZ, "invoice") if row.get("InvoiceNumber") == number]


def test_hidden_retries_make_four_bills_of_one(naive, sandbox):
    """urllib3 re-sends a PUT whose connection broke; Xero had done the work every time"""
    sandbox.faults.add(Fault("drop_after", method="PUT", path="/Invoices$", times=4))
    with pytest.raises(urllib3.exceptions.MaxRetryError):
        naive.create_invoices(NZ, Invoices(invoices=[bill(sandbox)]))
    assert len(copies(sandbox, "SUP-1")) == 4


def test_a_time_out_re_sent_makes_two_bills_of_one(naive, sandbox):
    """A time-out says nothing about what was done"""
    sandbox.faults.add(Fault("delay_after", method="PUT", path="/Invoices$", seconds=1.2))
    naive.create_invoices(NZ, Invoices(invoices=[bill(sandbox)]), _request_timeout=(10, 1))
    assert len(copies(sandbox, "SUP-1")) >= 2


def test_posting_again_after_a_500_makes_two_invoices(nz, sandbox, contact):
    """The 500 came after the work; without a number of its own the second invoice is simply another one"""
    sandbox.faults.add(Fault("500_applied", method="PUT", path="/Invoices$"))
    body = {"Invoices": [invoice(contact)]}
    assert nz.put("Invoices", body).status_code == 500
    assert nz.put("Invoices", body).status_code == 200
    assert Counter(row["Contact"]["ContactID"] for row in sandbox.documents(NZ, "invoice"))[contact] == 3  # one was there before


def test_a_key_reused_after_six_minutes_makes_two_invoices(nz, sandbox, contact):
    """A queue redelivers later than Xero remembers"""
    sandbox.faults.add(Fault("500_applied", method="PUT", path="/Invoices$"))
    body = {"Invoices": [invoice(contact)]}
    nz.put("Invoices", body, key="k")
    sandbox.clock.advance(361)
    nz.put("Invoices", body, key="k")
    assert Counter(row["Contact"]["ContactID"] for row in sandbox.documents(NZ, "invoice"))[contact] == 3


def test_one_key_for_two_organisations_leaves_the_second_without_its_contact(client, sandbox):
    """The key belongs to the app; the organisation is not part of the request it stands for"""
    sign_in(client, tenant=UK)
    caller = Caller(client, sign_in(client)["access_token"], NZ)
    body = {"Contacts": [{"Name": "Both"}]}
    first = caller.put("Contacts", body, key="k").get_json()["Contacts"][0]["ContactID"]
    caller.tenant = UK
    assert caller.put("Contacts", body, key="k").get_json()["Contacts"][0]["ContactID"] == first
    assert "Both" not in [row["Name"] for row in sandbox.documents(UK, "contact")]


def test_reading_the_status_before_the_errors_records_a_deletion_that_never_was(nz, contact):
    """summarizeErrors=false answers 200 and echoes the status asked for"""
    id = nz.put("Invoices", {"Invoices": [invoice(contact)]}).get_json()["Invoices"][0]["InvoiceID"]
    answer = nz.post("Invoices", {"Invoices": [{"InvoiceID": id, "Status": "DELETED"}]}, summarizeErrors="false")
    believed = answer.status_code == 200 and answer.get_json()["Invoices"][0]["Status"] == "DELETED"
    truth = nz.get(f"Invoices/{id}").get_json()["Invoices"][0]["Status"]
    assert (believed, truth) == (True, "AUTHORISED")


def test_sending_the_contact_inline_ruins_it(nz, sandbox, contact):
    """More than a ContactID inside an invoice is an update of the contact"""
    nz.post(f"Contacts/{contact}", {"ContactPersons": [{"FirstName": "Ida", "EmailAddress": "ida@example.com"}]})
    nz.put("Invoices", {"Invoices": [invoice(contact, Contact={"ContactID": contact, "Name": "kiwi solar", "EmailAddress": ""})]})
    ruined = nz.get(f"Contacts/{contact}").get_json()["Contacts"][0]
    assert ruined["Name"] == "kiwi solar"
    assert "EmailAddress" not in ruined
    assert ruined["ContactPersons"] == []


def test_sending_the_contact_by_its_name_makes_a_second_one(nz, sandbox):
    """A slightly different name is a different contact"""
    before = len(sandbox.documents(NZ, "contact"))
    nz.put("Invoices", {"Invoices": [invoice("", Contact={"Name": "Kiwi Solar Limited"})]})
    assert len(sandbox.documents(NZ, "contact")) == before + 1


def test_posting_with_a_number_of_ones_own_overwrites_somebody_elses_invoice(nz, sandbox, contact):
    """POST edits whatever bears the number"""
    [before] = copies(sandbox, "INV-0051")
    nz.post("Invoices", {"Invoices": [invoice(contact, InvoiceNumber="INV-0051")]})
    [after] = copies(sandbox, "INV-0051")
    assert (before["Contact"]["ContactID"] != contact, after["Contact"]["ContactID"] == contact) == (True, True)


def test_leaving_out_the_line_ids_replaces_every_line(nz, contact):
    """Whatever referred to the old lines points at nothing"""
    created = nz.put("Invoices", {"Invoices": [invoice(contact)]}).get_json()["Invoices"][0]
    after = nz.post(f"Invoices/{created['InvoiceID']}", {"LineItems": [line()]}).get_json()["Invoices"][0]
    assert created["LineItems"][0]["LineItemID"] != after["LineItems"][0]["LineItemID"]


def test_inferring_an_unpaid_invoice_from_its_amount_due_bills_a_cancelled_order(nz, contact):
    """A voided invoice keeps its AmountDue"""
    created = nz.put("Invoices", {"Invoices": [invoice(contact)]}).get_json()["Invoices"][0]
    nz.post(f"Invoices/{created['InvoiceID']}", {"Status": "VOIDED"})
    found = nz.get(f"Invoices/{created['InvoiceID']}").get_json()["Invoices"][0]
    assert (found["AmountDue"] > 0, found["Status"]) == (True, "VOIDED")


def test_two_processes_refreshing_without_a_lock_leave_a_dead_token_behind(client, sandbox):
    """Both use the token they know; only the set issued last lives on"""
    known = sign_in(client)["refresh_token"]
    form = {"grant_type": "refresh_token", "refresh_token": known}
    first, second = (client.post("/connect/token", data=form, headers=BASIC).get_json() for _ in range(2))
    saved_by_the_slower_writer = first["refresh_token"]
    again = client.post("/connect/token", data={**form, "refresh_token": saved_by_the_slower_writer}, headers=BASIC)
    assert again.get_json() == {"error": "invalid_grant"}
    assert second["refresh_token"] != saved_by_the_slower_writer


def test_never_asking_for_a_full_list_misses_a_moved_due_date(nz, contact):
    """If-Modified-Since does not see DueDate change on a part-paid invoice"""
    id = nz.put("Invoices", {"Invoices": [invoice(contact)]}).get_json()["Invoices"][0]["InvoiceID"]
    nz.put("Payments", {"Invoice": {"InvoiceID": id}, "Account": {"Code": "090"}, "Amount": 1})
    nz.client.post("/sandbox/clock", json={"advance_seconds": 600})
    nz.post(f"Invoices/{id}", {"DueDate": "2027-06-30"})
    since = nz.get("Invoices", page=1, headers={"If-Modified-Since": "2026-11-21T00:35:00"}).get_json()["Invoices"]
    assert since == []


def test_hammering_past_a_429_uses_up_the_day(nz, sandbox):
    """A refused call still counts"""
    before = int(nz.get("Organisation").headers["X-DayLimit-Remaining"])
    sandbox.faults.add(Fault("429", times=5, seconds=60))
    left = [int(nz.get("Organisation").headers["X-DayLimit-Remaining"]) for _ in range(5)]
    assert left == [before - n for n in range(1, 6)]
