"""The console's forms and pages over HTTP, with the whole product running."""

from decimal import Decimal

import pytest
import requests

from sandbox.dataverse.demo_company import ID
from sandbox.demo.browser import Browser
from sandbox.demo.dynamics import Json
from sandbox.demo.xero import NZ
from tests.patience import until

pytestmark = pytest.mark.processes


@pytest.fixture
def board(product):
    """Open the page of both sides: the visitor and the page."""
    visitor = Browser()
    return visitor, visitor.open(f"{product.console_url}/")


def invoices(product, customer: str) -> list[Json]:
    """Return the invoices of a customer, the newest first."""
    return list(product.dynamics.rows("invoices", filter=f"_customerid_value eq {ID[customer]}", orderby="createdon desc"))


def test_the_quick_form_writes_an_invoice_that_goes_to_xero(product, board):
    visitor, page = board
    product_line = f"{ID['cable']} {ID['each']}"
    page = visitor.send(
        page,
        page.form("text0", "price0"),
        customer=f"accounts({ID['rex']})",
        connector=product.connectors[NZ],
        product0=product_line,
        quantity0="3",
        text1="Cutting to length",
        price1="1,040.50",
        add="yes",
    )
    assert "is written." in page.text
    until(lambda: invoices(product, "rex")[0]["mag_xeroid"], "it is in Xero")
    (row,) = invoices(product, "rex")
    document = product.books[NZ].invoice(row["mag_xeroid"])
    assert [line["LineAmount"] for line in document["LineItems"]] == [Decimal("68.34"), Decimal("1040.50")]
    assert document["CurrencyCode"] == "AUD"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"text0": "Words", "price0": "much"}, "The price of line 1 is not a number."),
        ({"text1": "Words", "quantity1": "NaN"}, "The quantity of line 2 is not a number."),
        ({}, "Give the invoice at least one line"),
        ({"customer": "systemusers(1)", "text0": "Words"}, "Choose a customer."),
    ],
)
def test_what_cannot_be_written_says_why_and_writes_nothing(product, board, typed, said):
    visitor, page = board
    before = len(invoices(product, "port"))
    page = visitor.send(page, page.form("text0", "price0"), **{"customer": f"accounts({ID['port']})", **typed})
    assert said in page.text
    assert len(invoices(product, "port")) == before


def test_what_xero_refuses_is_said_in_its_words(product, board):
    visitor, _ = board
    voided = next(found for found in product.books[NZ].invoices() if found["Status"] == "VOIDED")
    page = visitor.open(f"{product.console_url}/xero/{NZ}/{voided['InvoiceID']}")
    assert page.forms == [], "there is nothing to do with a voided invoice"
    answer = requests.post(f"{product.console_url}/xero/{NZ}/{voided['InvoiceID']}/pay", timeout=30)
    assert "Payments can only be made against Authorised documents" in answer.text


def test_a_form_of_another_site_and_another_name_of_this_machine_are_refused(product):
    session = requests.Session()
    session.trust_env = False
    foreign = session.post(f"{product.console_url}/invoices", headers={"Origin": "https://evil.example"}, timeout=10)
    rebound = session.get(f"{product.console_url}/", headers={"Host": "evil.example"}, timeout=10)
    assert (foreign.status_code, rebound.status_code) == (403, 403)


def test_the_address_on_a_xero_document_leads_to_the_invoice(product):
    invoice = product.dynamics.create(
        "invoices", {"name": "Empty", "customerid_account@odata.bind": f"/accounts({ID['marine']})"}
    )
    mark = f"{product.dataverse_url}/main.aspx?pagetype=entityrecord&etn=invoice&id={invoice['invoiceid']}"
    session = requests.Session()
    session.trust_env = False
    answer = session.get(mark, verify=str(product.ca_file), timeout=10)
    assert answer.url == f"{product.console_url}/invoices/{invoice['invoiceid']}"
    assert invoice["invoicenumber"] in answer.text


def test_an_invoice_that_is_not_there_is_a_page_that_says_so(product, board):
    visitor, _ = board
    page = visitor.open(f"{product.console_url}/invoices/00000000-0000-0000-0000-000000000001")
    assert (page.status, "There is no such invoice" in page.text) == (404, True)
