"""What a person does on the console page, in a real browser, with the whole product running behind it."""

from decimal import Decimal

import pytest

from sandbox.dataverse.demo_company import ID
from sandbox.demo.dynamics import Json, label
from sandbox.demo.story import midnight, today
from sandbox.demo.xero import NZ

pytestmark = [pytest.mark.browser, pytest.mark.processes]


def written(product, customer: str, text: str, price: str) -> str:
    """Write an invoice that is not flagged, and return its id."""
    body = {
        "name": text,
        "customerid_account@odata.bind": f"/accounts({ID[customer]})",
        "pricelevelid@odata.bind": f"/pricelevels({ID['NZD prices']})",
        "datedelivered": midnight(today()),
        "duedate": today().isoformat(),
        "invoice_details": [
            {"isproductoverridden": True, "productdescription": text, "quantity": 1, "priceperunit": Decimal(price)}
        ],
    }
    return str(product.dynamics.create("invoices", body)["invoiceid"])


def card(invoice: str) -> str:
    """Return the JavaScript that finds an invoice's card."""
    return f"document.querySelector('#flag-{invoice}').closest('.card')"


def open_board(product, browser, invoice: str) -> None:
    """Open the page of both sides and wait until it shows an invoice."""
    browser.open(f"{product.console_url}/")
    browser.wait(f"!!document.querySelector('#flag-{invoice}')")


def marked(product, invoice: str) -> list[Json]:
    """Return the documents in Xero that bear the mark of an invoice."""
    return [found for found in product.books[NZ].invoices() if found.get("Url", "").endswith(product.dynamics.page_of(invoice))]


def test_a_click_on_add_to_xero_brings_the_invoice_to_xero_and_the_page_shows_it(product, browser):
    invoice = written(product, "bayside", "Court hire", "320.00")
    open_board(product, browser, invoice)
    assert browser.read(f"{card(invoice)}.querySelector('.badge').innerText") == "No"

    browser.click(f"#flag-{invoice}")
    browser.wait(f"{card(invoice)}.querySelector('.badge').innerText === 'Yes'")

    assert "has been created in Xero" in browser.read(f"{card(invoice)}.innerText")
    assert browser.read(f"document.querySelector('#flag-{invoice}').getAttribute('aria-pressed')") == "true"
    row = product.dynamics.read(f"invoices({invoice})")
    assert label(row, "mag_exportstatus") == "Yes"
    (document,) = marked(product, invoice)
    assert (document["InvoiceID"], document["Total"]) == (row["mag_xeroid"], Decimal("368.00"))


def test_the_keyboard_alone_flags_an_invoice(product, browser):
    invoice = written(product, "kereru", "Pruning", "90.00")
    open_board(product, browser, invoice)
    browser.read(f"{card(invoice)}.querySelector('a').focus()")
    browser.press("Tab")
    assert browser.read("document.activeElement.id") == f"flag-{invoice}"

    browser.press(" ")

    browser.wait(f"{card(invoice)}.querySelector('.badge').innerText === 'Yes'")
    browser.wait("document.getElementById('said').innerText.includes('Add to Xero is Yes')")


def test_a_text_that_looks_like_a_page_is_shown_as_text(product, browser):
    invoice = written(product, "bayside", "<img src=x onerror=\"document.title='owned'\">", "1.00")
    browser.open(f"{product.console_url}/invoices/{invoice}")
    assert "<img src=x" in browser.read("document.body.innerText")
    assert "owned" not in browser.read("document.title")


def test_a_refused_invoice_says_why_and_goes_once_its_line_is_put_right(product, browser):
    invoice = written(product, "bayside", "Lessons", "100.00")
    (line,) = product.dynamics.rows("invoicedetails", filter=f"_invoiceid_value eq {invoice}")
    expenses = next(product.dynamics.rows("mag_taxrates", filter="mag_taxtype eq 'INPUT2' and mag_name eq '15% GST on Expenses'"))
    product.dynamics.change(
        f"invoicedetails({line['invoicedetailid']})",
        **{"mag_taxrateid@odata.bind": f"/mag_taxrates({expenses['mag_taxrateid']})"},
    )
    browser.open(f"{product.console_url}/invoices/{invoice}")
    browser.click(f"#flag-{invoice}")
    browser.wait("document.querySelector('#head .badge').innerText === 'Failed'")
    assert "Change the Xero Account Code or the Tax Rate" in browser.read("document.querySelector('#told').innerText")

    browser.read(
        "(() => { const rate = document.querySelector('select[name=mag_taxrateid]');"
        " rate.value = [...rate.options].find((one) => one.text.startsWith('15% GST on Income – Demo Company (NZ)')).value; })()"
    )
    browser.click("form[action*='/lines/'] button")

    browser.wait("document.querySelector('#head .badge').innerText === 'Yes'")
    assert len(marked(product, invoice)) == 1


def test_a_person_approves_and_pays_in_xero_on_the_page(product, browser):
    draft = next(found for found in product.books[NZ].invoices() if found["InvoiceNumber"] == "INV-0053")
    browser.open(f"{product.console_url}/xero/{NZ}/{draft['InvoiceID']}".replace(" ", "%20"))
    browser.click(f"#approve-{draft['InvoiceID']}")
    browser.click(f"#pay-{draft['InvoiceID']}")
    browser.wait("document.querySelector('#head .badge').innerText === 'PAID'")
    assert product.books[NZ].invoice(draft["InvoiceID"])["Status"] == "PAID"
