"""Xero's own SDK, unmodified, against the stand-in over a real socket."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from xero_python.accounting import (
    Account,
    AccountingApi,
    Allocation,
    Allocations,
    BankTransaction,
    BankTransactions,
    BatchPayment,
    BatchPaymentDelete,
    BatchPayments,
    Contact,
    Contacts,
    CreditNote,
    CreditNotes,
    Currency,
    CurrencyCode,
    Invoice,
    Invoices,
    Item,
    Items,
    LineAmountTypes,
    LineItem,
    Payment,
    PaymentDelete,
    Payments,
)
from xero_python.api_client import ApiClient
from xero_python.api_client.configuration import Configuration
from xero_python.api_client.oauth2 import OAuth2Token
from xero_python.exceptions import AccountingBadRequestException, NotFoundException, RateLimitException
from xero_python.identity import IdentityApi

from sandbox.xero import Fault
from sandbox.xero.demo_company import NZ, UK
from tests.sandbox.xero.callers import SCOPES, Caller, sign_in

ACCOUNTS_OF_THE_CHART = 36


@pytest.fixture
def sdk(server: Any, nz: Caller) -> Any:
    return connected(server, nz)


def connected(server: Any, caller: Caller) -> Any:
    configuration = Configuration()
    configuration.oauth2_token = OAuth2Token(client_id="sandbox-client", client_secret="sandbox-secret")
    client = ApiClient(configuration)
    client.configuration.oauth2_token = configuration.oauth2_token
    token = {"access_token": caller.token, "scope": ["accounting.invoices"], "expires_in": 1800, "token_type": "Bearer"}
    client.oauth2_token_getter(lambda: token)
    client.oauth2_token_saver(lambda _: None)
    return AccountingApi(client, base_url=f"http://localhost:{server.port}/api.xro/2.0")


def test_reference_data_is_read_through_the_models(sdk):
    assert len(sdk.get_accounts(NZ).accounts) == ACCOUNTS_OF_THE_CHART
    assert {rate.tax_type for rate in sdk.get_tax_rates(NZ).tax_rates} >= {"OUTPUT2", "INPUT2", "ZERORATED", "NONE"}
    assert [theme.name for theme in sdk.get_branding_themes(NZ).branding_themes] == ["Standard", "Special Projects", "Wholesale"]
    categories = sdk.get_tracking_categories(NZ, include_archived="true").tracking_categories
    assert {category.name: len(category.options) for category in categories} == {"Region": 5, "Salesperson": 3}
    assert [currency.code for currency in sdk.get_currencies(NZ).currencies] == [
        CurrencyCode.NZD,
        CurrencyCode.AUD,
        CurrencyCode.USD,
    ]
    assert len(sdk.get_items(NZ, unitdp=4).items) == 11
    assert sdk.get_organisations(NZ).organisations[0].short_code == "!Qj35V"


def test_a_contact_goes_out_and_comes_back(sdk):
    contacts = Contacts(contacts=[Contact(name="Sent by the SDK", email_address="sdk@example.com")])
    created = sdk.create_contacts(NZ, contacts, summarize_errors=True, idempotency_key="sdk-contact").contacts[0]
    [read] = sdk.get_contacts(NZ, i_ds=[created.contact_id], page=1).contacts
    assert (read.name, read.email_address, len(read.phones), len(read.addresses)) == ("Sent by the SDK", "sdk@example.com", 4, 2)
    assert sdk.get_contact(NZ, created.contact_id).contacts[0].contact_status == "ACTIVE"


def test_an_item_goes_out_and_comes_back(sdk):
    sdk.create_items(NZ, Items(items=[Item(code="SDK-1", name="From the SDK")]))
    assert sdk.get_items(NZ, where='Code=="SDK-1"').items[0].name == "From the SDK"


def test_a_currency_goes_out_and_comes_back(sdk):
    sdk.create_currency(NZ, Currency(code=CurrencyCode.CAD))
    assert CurrencyCode.CAD in [currency.code for currency in sdk.get_currencies(NZ).currencies]


def test_an_invoice_is_created_approved_shown_online_paid_and_unpaid(sdk, contact):
    line = LineItem(description="Consulting", quantity=2, unit_amount=10.5, account_code="200")
    draft = Invoice(
        type="ACCREC",
        contact=Contact(contact_id=contact),
        date=date(2026, 11, 20),
        due_date=date(2026, 12, 20),
        line_amount_types=LineAmountTypes.EXCLUSIVE,
        line_items=[line],
        status="DRAFT",
    )
    id = sdk.create_invoices(NZ, Invoices(invoices=[draft])).invoices[0].invoice_id
    approved = sdk.update_invoice(NZ, id, Invoices(invoices=[Invoice(status="AUTHORISED")])).invoices[0]
    assert (approved.status, str(approved.total)) == ("AUTHORISED", "24.15")
    assert sdk.get_online_invoice(NZ, id).online_invoices[0].online_invoice_url.startswith("https://in.xero.com/")

    payment = Payment(invoice=Invoice(invoice_id=id), account=Account(code="090"), amount=24.15, date=date(2026, 11, 21))
    paid = sdk.create_payment(NZ, payment).payments[0]
    [read] = sdk.get_invoices(NZ, i_ds=[id], page=1, page_size=10).invoices
    assert (read.status, read.amount_due, read.fully_paid_on_date) == ("PAID", 0, date(2026, 11, 21))
    assert [row.payment_id for row in sdk.get_payments(NZ, where='Reference==null && PaymentType=="ACCRECPAYMENT"').payments] == [
        paid.payment_id
    ]
    removed = sdk.delete_payment(NZ, paid.payment_id, PaymentDelete(status="DELETED")).payments[0]
    assert removed.status == "DELETED"
    assert sdk.get_invoice(NZ, id).invoices[0].status == "AUTHORISED"


def test_a_payment_may_go_out_in_a_list(sdk):
    payments = Payments(payments=[Payment(invoice=Invoice(invoice_number="INV-0051"), account=Account(code="090"), amount=1.5)])
    assert sdk.create_payments(NZ, payments).payments[0].payment_type == "ACCRECPAYMENT"


def test_every_seeded_document_passes_through_the_models(server, nz, uk):
    for caller in (nz, uk):
        api = connected(server, caller)
        assert api.get_invoices(caller.tenant, page=1).pagination.item_count >= 3
        assert api.get_contacts(caller.tenant, page=1, include_archived=True).pagination.item_count == 30
        assert api.get_payments(caller.tenant, page=1).pagination.page == 1


def test_an_organisation_of_a_new_plan_cannot_be_read_through_the_models(server, uk):
    """XeroAPI/Xero-NetStandard issue 647: a new value of Organisation.Class locks typed readers out"""
    with pytest.raises(ValueError, match="ULTRA_PLUS"):
        connected(server, uk).get_organisations(UK)


def test_refusals_arrive_as_the_exceptions_of_the_sdk(sdk, sandbox):
    with pytest.raises(AccountingBadRequestException) as refused:
        sdk.create_contacts(NZ, Contacts(contacts=[Contact(name="kiwi solar LTD")]))
    assert "already assigned to another contact" in refused.value.reason
    with pytest.raises(NotFoundException):
        sdk.get_invoice(NZ, "00000000-0000-0000-0000-000000000000")
    sandbox.faults.add(Fault("429", method="POST", seconds=7))
    with pytest.raises(RateLimitException) as limited:
        sdk.update_or_create_contacts(NZ, Contacts(contacts=[Contact(name="Anyone")]))
    assert limited.value.headers["Retry-After"] == "7"


def raised(sdk: Any, contact: Any) -> Any:
    line = LineItem(description="Consulting", quantity=2, unit_amount=10.5, account_code="200")
    day = date(2026, 11, 20)
    approved = Invoice(
        type="ACCREC", contact=Contact(contact_id=contact), date=day, due_date=day, line_items=[line], status="AUTHORISED"
    )
    return sdk.create_invoices(NZ, Invoices(invoices=[approved])).invoices[0].invoice_id


def allocation(invoice_id: Any, amount: Any) -> Any:
    return Allocations(allocations=[Allocation(amount=amount, date=date(2026, 11, 21), invoice=Invoice(invoice_id=invoice_id))])


def test_a_credit_note_is_raised_allocated_and_its_allocation_deleted(sdk, contact):
    id, line = raised(sdk, contact), LineItem(description="Goodwill", quantity=1, unit_amount=10.5, account_code="200")
    draft = CreditNote(
        type="ACCRECCREDIT",
        contact=Contact(contact_id=contact),
        date=date(2026, 11, 19),
        line_amount_types=LineAmountTypes.EXCLUSIVE,
        line_items=[line],
        status="DRAFT",
    )
    created = sdk.create_credit_notes(NZ, CreditNotes(credit_notes=[draft]), idempotency_key="sdk-note").credit_notes[0]
    approved = CreditNotes(credit_notes=[CreditNote(status="AUTHORISED")])
    assert sdk.update_credit_note(NZ, created.credit_note_id, approved).credit_notes[0].status == "AUTHORISED"

    made = sdk.create_credit_note_allocation(NZ, created.credit_note_id, allocation(id, 12.08), summarize_errors=True)
    assert (made.allocations[0].amount, made.allocations[0].allocation_id) == (Decimal("12.08"), None)
    [read] = sdk.get_credit_notes(NZ, where='Status=="PAID"', page=1, order="UpdatedDateUTC DESC").credit_notes[:1]
    assert (read.credit_note_number, read.remaining_credit, read.fully_paid_on_date) == ("CN-0026", 0, date(2026, 11, 20))
    [owed] = sdk.get_invoices(NZ, i_ds=[id], page=1).invoices
    assert (owed.amount_credited, owed.credit_notes[0].applied_amount) == (Decimal("12.08"), Decimal("12.08"))

    gone = sdk.delete_credit_note_allocations(NZ, created.credit_note_id, read.allocations[0].allocation_id)
    assert (gone.is_deleted, gone.invoice.invoice_id) == (True, id)
    assert sdk.get_credit_note(NZ, created.credit_note_id).credit_notes[0].allocations == []


def test_an_allocation_that_is_too_much_raises_xeros_own_sentence(sdk, contact):
    with pytest.raises(AccountingBadRequestException) as caught:
        sdk.create_credit_note_allocation(NZ, "CN-0025", allocation(raised(sdk, contact), 1))
    errors = caught.value.error_data["Elements"][0]["ValidationErrors"]
    assert errors[0]["Message"] == "Credit Note cannot be allocated as amount is greater than amount outstanding"


def test_a_batch_payment_is_made_read_and_deleted(sdk, contact):
    ids = [raised(sdk, contact) for _ in range(2)]
    batch = BatchPayment(
        account=Account(code="090"),
        date=date(2026, 11, 21),
        reference="Monday",
        payments=[Payment(invoice=Invoice(invoice_id=id), amount=24.15) for id in ids],
    )
    created = sdk.create_batch_payment(NZ, BatchPayments(batch_payments=[batch])).batch_payments[0]
    assert (created.type, created.total_amount, len(created.payments)) == ("RECBATCH", Decimal("48.3"), 2)
    where = " OR ".join(f'Invoice.InvoiceID==Guid("{id}")' for id in ids)
    payments = sdk.get_payments(NZ, where=where, page=1).payments
    assert {row.batch_payment_id for row in payments} == {created.batch_payment_id}
    assert sdk.get_batch_payment(NZ, created.batch_payment_id).batch_payments[0].status == "AUTHORISED"

    body = BatchPaymentDelete(batch_payment_id=created.batch_payment_id, status="DELETED")
    assert sdk.delete_batch_payment(NZ, body).batch_payments[0].status == "DELETED"
    assert {row.status for row in sdk.get_payments(NZ, where=where, page=1).payments} == {"DELETED"}


def test_an_overpayment_is_received_and_allocated(server, client, contact):
    caller = Caller(client, sign_in(client, scopes=f"{SCOPES} accounting.banktransactions")["access_token"], NZ)
    sdk = connected(server, caller)
    id = raised(sdk, contact)
    money = BankTransaction(
        type="RECEIVE-OVERPAYMENT",
        contact=Contact(contact_id=contact),
        bank_account=Account(code="090"),
        date=date(2026, 11, 21),
        line_amount_types=LineAmountTypes.NOTAX,
        line_items=[LineItem(description="Paid twice", line_amount=30)],
    )
    made = sdk.create_bank_transactions(NZ, BankTransactions(bank_transactions=[money])).bank_transactions[0]
    sdk.create_overpayment_allocations(NZ, made.overpayment_id, allocation(id, 24.15))
    [read] = sdk.get_overpayments(NZ, page=1).overpayments
    assert (read.remaining_credit, read.allocations[0].invoice.invoice_id) == (Decimal("5.85"), id)
    assert sdk.get_invoice(NZ, id).invoices[0].status == "PAID"
    gone = sdk.delete_overpayment_allocations(NZ, made.overpayment_id, read.allocations[0].allocation_id)
    assert gone.is_deleted
    assert sdk.get_invoice(NZ, id).invoices[0].status == "AUTHORISED"


def test_connections_are_read_through_the_models(server, nz):
    identity = IdentityApi(connected(server, nz).api_client, base_url=f"http://localhost:{server.port}")
    [connection] = identity.get_connections()
    assert (connection.tenant_id, connection.tenant_name) == (NZ, "Demo Company (NZ)")
    identity.delete_connection(connection.id)
    assert identity.get_connections() == []
