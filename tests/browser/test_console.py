"""What a person does on the console page, in a real browser, with the whole product running behind it."""

import contextlib
import uuid
from decimal import Decimal

import pytest
import requests

from functions.flows import FLOWS
from functions.history import NAMESPACE
from sandbox.console import looking
from sandbox.dataverse.demo_company import ID
from sandbox.demo.dynamics import Json, label
from sandbox.demo.story import midnight, today
from sandbox.demo.xero import NZ, UK

pytestmark = [pytest.mark.browser, pytest.mark.processes]

ANY = "00000000-0000-0000-0000-000000000001"


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


def test_a_change_made_elsewhere_leaves_the_keyboard_where_it_was(product, browser):
    invoice = written(product, "kereru", "Pruning", "90.00")
    open_board(product, browser, invoice)
    browser.read(f"{card(invoice)}.querySelector('a').focus()")
    product.dynamics.change(f"invoices({invoice})", **{"customerid_account@odata.bind": f"/accounts({ID['bayside']})"})
    (customer,) = product.dynamics.rows("accounts", filter=f"accountid eq {ID['bayside']}")
    browser.wait(f"{card(invoice)}.innerText.includes({customer['name']!r})")
    assert browser.read(f"document.activeElement === {card(invoice)}.querySelector('a')")


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


# ── what a bookkeeper does in Xero ──────────────────────────────────────────────────────────────────────────────────────


def raised(product, price: str, contact: str = "City Agency", **fields: str) -> Json:
    """Raise an approved invoice in Xero over a price that holds its tax, and return it."""
    lines = [{"Description": "Workshop", "Quantity": 1, "UnitAmount": Decimal(price), "AccountCode": "200"}]
    made: Json = product.books[NZ].book(
        "invoice", contact=contact, lines=lines, fields={"LineAmountTypes": "Inclusive"}, **fields
    )
    return made


def open_xero(product, browser, page: str) -> None:
    """Open a page of the organisation in New Zealand."""
    browser.open(f"{product.console_url}/xero/{NZ}/{page}".replace(" ", "%20"))


def write(browser, selector: str, text: str) -> None:
    """Type into a field as a person does, over what it holds."""
    browser.click(selector)
    browser.read(f"document.querySelector('{selector}').select()")
    browser._ask("Input.insertText", text=text)


def choose(browser, selector: str, value: str) -> None:
    """Choose from a list."""
    browser.read(f"document.querySelector('{selector}').value = '{value}'")
    assert browser.read(f"document.querySelector('{selector}').value") == value


def said(browser, words: str) -> None:
    """Wait until the page says so."""
    browser.wait(f"document.getElementById('said').innerText.includes({words!r})")


def owes(browser, paid: str, credited: str, due: str) -> None:
    """Wait until the head of a document says what is paid, credited and due."""
    found = "[...document.querySelectorAll('#head .stats dd')].slice(1, 4).map((one) => one.innerText).join(' ')"
    browser.wait(f"{found} === '{paid} {credited} {due}'")


def test_a_part_of_an_invoice_is_paid_and_the_payment_taken_back(product, browser):
    invoice = raised(product, "230.00")
    open_xero(product, browser, invoice["InvoiceID"])
    owes(browser, "0.00", "0.00", "230.00")

    write(browser, "#pay-amount", "30.50")
    write(browser, "#pay-reference", "deposit")
    browser.click("#pay-part-button")

    said(browser, "30.50 is paid in Demo Company (NZ).")
    owes(browser, "30.50", "0.00", "199.50")
    document = product.books[NZ].invoice(invoice["InvoiceID"])
    assert [payment["Amount"] for payment in document["Payments"]] == [Decimal("30.50")]
    assert (document["Status"], document["AmountDue"]) == ("AUTHORISED", Decimal("199.50"))
    assert "deposit" in browser.read("document.querySelector('#applied').innerText")
    assert browser.read("document.querySelector('#pay-amount').value") == "", "a second click must not pay it again"

    browser.click("#applied .acts button")

    said(browser, "The payment of 30.50 is taken back.")
    owes(browser, "0.00", "0.00", "230.00")
    assert "DELETED" in browser.read("document.querySelector('#applied').innerText")
    assert product.books[NZ].invoice(invoice["InvoiceID"])["AmountDue"] == Decimal("230.00")


def test_a_credit_note_is_raised_over_an_amount_and_its_allocation_taken_back(product, browser):
    invoice = raised(product, "115.00")
    open_xero(product, browser, invoice["InvoiceID"])
    write(browser, "#credit-amount", "40")
    browser.click("#credit-button")

    owes(browser, "0.00", "40.00", "75.00")
    (credit,) = product.books[NZ].invoice(invoice["InvoiceID"])["CreditNotes"]
    assert credit["AppliedAmount"] == Decimal("40")
    assert credit["CreditNoteNumber"] in browser.read("document.querySelector('#applied').innerText")

    browser.click("#applied .acts button")

    owes(browser, "0.00", "0.00", "115.00")
    browser.wait("!!document.querySelector('#allocate-credit')")
    assert "40.00 left" in browser.read("document.querySelector('#allocate-credit').innerText")
    choose(browser, "#allocate-credit", credit["CreditNoteID"])
    write(browser, "#allocate-amount", "15")
    browser.click("#allocate-button")
    said(browser, "25.00 of it is left.")
    owes(browser, "0.00", "15.00", "100.00")


@pytest.mark.parametrize("kind", ["overpayment", "prepayment"])
def test_money_received_in_advance_settles_an_invoice_and_the_rest_stays_with_the_contact(product, browser, kind):
    invoice = raised(product, "50.00", "Otago Print House")
    open_xero(product, browser, invoice["InvoiceID"])
    choose(browser, "#receive-kind", kind)
    write(browser, "#receive-amount", "80")
    browser.click("#receive-button")

    said(browser, "of 80.00 is received and allocated; 30.00 of it is left.")
    browser.wait("document.querySelector('#head .badge').innerText === 'PAID'")
    document = product.books[NZ].invoice(invoice["InvoiceID"])
    assert (document["Status"], len(document[f"{kind.title()}s"])) == ("PAID", 1)
    assert not browser.read("!!document.querySelector('#work form')"), "there is nothing to pay any more"


def test_an_approved_invoice_is_voided_and_a_draft_is_deleted(product, browser):
    for status, after in (("AUTHORISED", "Voided"), ("DRAFT", "Deleted")):
        invoice = raised(product, "12.00", status=status)
        open_xero(product, browser, invoice["InvoiceID"])
        browser.click(f"#void-{invoice['InvoiceID']}")
        said(browser, f"{after} in Demo Company (NZ).")
        assert product.books[NZ].invoice(invoice["InvoiceID"])["Status"] == after.upper()


def test_what_xero_refuses_is_said_in_its_words_and_what_was_typed_stays(product, browser):
    invoice = raised(product, "20.00")
    open_xero(product, browser, invoice["InvoiceID"])
    write(browser, "#pay-amount", "20.01")
    browser.click("#pay-part-button")
    said(browser, "Payment amount exceeds the amount outstanding on this document")
    assert browser.read("document.querySelector('#said .said').className") == "said bad"
    assert browser.read("document.querySelector('#pay-amount').value") == "20.01"

    write(browser, "#pay-amount", "much")
    browser.click("#pay-part-button")
    said(browser, "The amount is not a number.")
    assert product.books[NZ].invoice(invoice["InvoiceID"])["AmountDue"] == Decimal("20.00")


def test_what_is_being_typed_survives_a_change_made_elsewhere(product, browser):
    invoice = raised(product, "60.00")
    open_xero(product, browser, invoice["InvoiceID"])
    write(browser, "#pay-amount", "12.34")
    product.books[NZ].book("pay", invoice=invoice["InvoiceID"], amount=Decimal("10"))
    owes(browser, "10.00", "0.00", "50.00")
    assert browser.read("document.querySelector('#pay-amount').value") == "12.34"
    assert browser.read("document.querySelector('#pay-amount').placeholder") == "50.00"
    assert browser.read("document.activeElement.id") == "pay-amount"


def test_an_invoice_is_raised_in_xero_with_two_lines(product, browser):
    open_xero(product, browser, "new")
    customer = next(found for found in product.books[NZ].contacts() if found["Name"] == "Southern Alps Guides")
    choose(browser, "#contact", customer["ContactID"])
    write(browser, "[name=reference]", "CONSOLE-1")
    write(browser, "#words0", "Guided walk")
    write(browser, "[name=quantity0]", "2")
    write(browser, "#unit0", "1,100.25")
    choose(browser, "[name=item1]", "BOOK")
    browser.click("#raise-button")

    said(browser, "is raised in Demo Company (NZ).")
    (made,) = (found for found in product.books[NZ].invoices() if found.get("Reference") == "CONSOLE-1")
    document = product.books[NZ].invoice(made["InvoiceID"])
    assert (document["Status"], document["Contact"]["Name"]) == ("AUTHORISED", "Southern Alps Guides")
    assert [line["LineAmount"] for line in document["LineItems"]] == [Decimal("2200.50"), Decimal("19.95")]
    assert document["LineItems"][0]["AccountCode"] == "200"
    browser.wait(f"document.querySelector('#newest').innerText.includes({document['InvoiceNumber']!r})")
    assert browser.read("document.querySelector('#words0').value") == "", "a second click must not raise it again"


def test_several_invoices_are_paid_with_one_batch_payment_that_is_taken_back_whole(product, browser):
    invoices = [raised(product, price) for price in ("33.00", "44.00")]
    open_xero(product, browser, "batch")
    for invoice in invoices:
        browser.click(f"#tick-{invoice['InvoiceID']}")
    write(browser, f"#amount-{invoices[1]['InvoiceID']}", "4.00")
    browser.click("#batch-button")

    said(browser, "2 documents are paid with one batch payment of 37.00.")
    after = [product.books[NZ].invoice(invoice["InvoiceID"]) for invoice in invoices]
    assert [(one["Status"], one["AmountPaid"]) for one in after] == [("PAID", Decimal("33.00")), ("AUTHORISED", Decimal("4.00"))]
    assert len({one["Payments"][0]["BatchPaymentID"] for one in after}) == 1

    browser.wait("!!document.querySelector('#batches .acts button')")
    browser.click("#batches .acts button")
    said(browser, "The batch payment of 37.00 is taken back, with all its payments.")
    assert [product.books[NZ].invoice(invoice["InvoiceID"])["AmountPaid"] for invoice in invoices] == [0, 0]


def test_contacts_are_renamed_archived_and_merged(product, browser):
    contacts = {found["Name"]: found["ContactID"] for found in product.books[NZ].contacts()}
    loser, winner = contacts["Truxton Property"], contacts["Swanston Security"]
    invoice = raised(product, "10.00", "Truxton Property")
    open_xero(product, browser, "contacts")
    write(browser, f"#name-{winner}", "Swanston Security Group")
    browser.click(f"#rename-{winner}")
    said(browser, "The contact is now called Swanston Security Group.")

    choose(browser, "#loser", loser)
    choose(browser, "#winner", winner)
    browser.click("#merge-button")

    said(browser, "Truxton Property is merged")
    browser.wait(f"document.getElementById('contact-{loser}').innerText.includes('merged into Swanston Security Group')")
    assert product.books[NZ].invoice(invoice["InvoiceID"])["Contact"]["Name"] == "Swanston Security Group"

    browser.click(f"#archive-{contacts['Tasman Fisheries']}")
    said(browser, "Tasman Fisheries is archived.")
    status = {found["ContactID"]: found["ContactStatus"] for found in product.books[NZ].contacts()}
    assert [status[id] for id in (loser, winner, contacts["Tasman Fisheries"])] == ["ARCHIVED", "ACTIVE", "ARCHIVED"]


def test_an_account_is_renamed_recoded_and_archived(product, browser):
    open_xero(product, browser, "accounts")
    account = next(row for row in product.books[NZ].state()["account"] if row["Code"] == "489")
    write(browser, f"#code-{account['AccountID']}", "490")
    write(browser, f"#name-{account['AccountID']}", "Telephone, Internet, Radio")
    browser.click(f"#change-{account['AccountID']}")
    said(browser, "The account is now 490 Telephone, Internet, Radio.")

    write(browser, f"#code-{account['AccountID']}", "200")
    browser.click(f"#change-{account['AccountID']}")
    said(browser, "Please enter a unique Code.")

    browser.click(f"#archive-{account['AccountID']}")
    said(browser, "Telephone, Internet, Radio is archived.")
    after = next(row for row in product.books[NZ].state()["account"] if row["AccountID"] == account["AccountID"])
    assert (after["Code"], after["Name"], after["Status"]) == ("490", "Telephone, Internet, Radio", "ARCHIVED")


# ── what comes back into Dynamics 365 ───────────────────────────────────────────────────────────────────────────────────


def test_an_invoice_shows_its_payments_credit_notes_amounts_and_state(product, browser):
    invoice = written(product, "kereru", "Mulching", "500.00")
    bound = {"mag_invoiceid@odata.bind": f"/invoices({invoice})"}
    for number, (amount, status) in enumerate((("200.00", 0), ("75.00", 1))):
        product.dynamics.create(
            "mag_payments",
            {
                "mag_name": f"Payment {number}",
                "mag_xeropaymentid": f"{invoice[:-1]}{number}",
                "mag_paymentdate": today().isoformat(),
                "mag_amount": Decimal(amount),
                "mag_reference": f"bank {number}",
                "mag_paymentstatus": 411_140_000 + status,
                **bound,
            },
        )
    note = {
        "mag_name": "CN-7",
        "mag_creditnotenumber": "CN-7",
        "mag_amount": Decimal("50.00"),
        "mag_creditdate": today().isoformat(),
    }
    product.dynamics.create("mag_creditnotes", {**note, **bound})
    amounts = {"mag_amountpaid": 200, "mag_amountcredited": 50, "mag_amountdue": 250, "mag_xerotax": Decimal("65.22")}
    product.dynamics.change(f"invoices({invoice})", **amounts)
    browser.open(f"{product.console_url}/invoices/{invoice}")

    money = browser.read("document.querySelector('#money').innerText")
    assert all(words in money for words in ("bank 0", "Applied", "200.00", "bank 1", "Reversed", "75.00", "CN-7", "50.00"))
    head = browser.read("document.querySelector('#head').innerText")
    assert all(words in head for words in ("Active", "65.22", "250.00"))

    product.dynamics.change(f"invoices({invoice})", statecode=2, statuscode=100001)
    browser.wait("[...document.querySelectorAll('#head .badge')].some((one) => one.innerText === 'Paid')")
    open_board(product, browser, invoice)
    assert all(words in browser.read(f"{card(invoice)}.innerText") for words in ("Paid", "250.00 due"))


def test_a_customer_shows_what_it_owes_and_where_it_is_in_xero(product, browser):
    written(product, "huia", "Hedges", "80.00")
    link = "https://go.xero.com/Contacts/View/1"
    owed = {"mag_amountowed": Decimal("1234.50"), "mag_amountoverdue": Decimal("99.00"), "mag_xerocontacturl": link}
    product.dynamics.change(f"accounts({ID['huia']})", **owed)
    browser.open(f"{product.console_url}/customers")
    browser.click(f"a[href$='{ID['huia']}']")
    browser.wait("document.querySelector('h1')?.innerText !== 'Customers'")

    head = browser.read("document.querySelector('#head').innerText")
    assert all(words in head for words in ("1,234.50", "99.00", "NZD", link))
    assert "80.00" in browser.read("document.querySelector('#invoices').innerText")


def test_an_invoice_the_connector_made_of_a_document_in_xero_is_recognised(product, browser):
    document = raised(product, "90.00", "Marine Systems", status="DRAFT")  # which the connector leaves alone
    environment = product.dataverse_url.removeprefix("https://")
    key = f"{environment}|{product.connectors[NZ]}|invoice|{document['InvoiceID']}"
    body = {
        "invoiceid": str(uuid.uuid5(NAMESPACE, key)),
        "name": "Workshop",
        "customerid_account@odata.bind": f"/accounts({ID['marine']})",
        "mag_xeroid": document["InvoiceID"],
        "mag_xeroinvoicenumber": document["InvoiceNumber"],
        "mag_xeroconnectorid@odata.bind": f"/mag_xeroconnectors({product.connectors[NZ]})",
    }
    row = product.dynamics.create("invoices", body)
    browser.open(f"{product.console_url}/invoices/{row['invoiceid']}")
    assert "From Xero" in browser.read("document.querySelector('#head').innerText")

    browser.click("#head a[href^='/xero/']")
    browser.wait("document.querySelector('#head')?.innerText.includes('which the connector made of this one')")


def test_a_look_asks_for_the_flows_that_each_connector_has_enabled(product):
    environment = product.dataverse_url.removeprefix("https://")
    nz, uk = (f"{environment}|{product.connectors[name]}" for name in (NZ, UK))
    before = list(looking.messages(product.dynamics, FLOWS))
    assert len(before) == len({(one["connector"], one["flow"]) for one in before})
    assert {(connector, "balances-from-xero") for connector in (nz, uk)} <= {(one["connector"], one["flow"]) for one in before}

    with own_row(product, "balances-from-xero", mag_enabled=False):
        after = list(looking.messages(product.dynamics, FLOWS))
    assert [one for one in before if one not in after] == [{"connector": nz, "flow": "balances-from-xero"}]
    assert [flow.name for flow in looking.ON_REQUEST] == ["balances-from-xero"]
    assert sorted(FLOWS, key=str) == sorted((*looking.TO_XERO, *looking.LISTED, *looking.ON_REQUEST), key=str)


@contextlib.contextmanager
def own_row(product, flow: str, **columns: bool):
    """Give the connector in New Zealand a mag_xeroflow row with these columns for a while."""
    connector = product.connectors[NZ]
    found = list(
        product.dynamics.rows("mag_xeroflows", filter=f"_mag_xeroconnectorid_value eq {connector} and mag_flow eq '{flow}'")
    )
    bound = {"mag_xeroconnectorid@odata.bind": f"/mag_xeroconnectors({connector})"}
    row = found[0] if found else product.dynamics.create("mag_xeroflows", {"mag_name": flow, "mag_flow": flow, **bound})
    path = f"mag_xeroflows({row['mag_xeroflowid']})"
    product.dynamics.change(path, **columns)
    try:
        yield
    finally:
        if found:
            product.dynamics.change(path, **{name: row[name] for name in columns})
        else:
            product.dynamics._ask("DELETE", path)


@pytest.mark.parametrize(
    "page",
    [
        "new",
        "batch",
        "batch/take-back",
        "contacts/merge",
        *(f"{table}/{ANY}/archive" for table in ("contacts", "accounts")),
        f"{ANY}/pay",
    ],
)
def test_a_form_of_another_site_cannot_touch_the_books(product, page):
    session = requests.Session()
    session.trust_env = False
    foreign = session.post(f"{product.console_url}/xero/{NZ}/{page}", headers={"Origin": "https://evil.example"}, timeout=10)
    assert foreign.status_code == 403


def test_an_organisation_or_an_action_nobody_knows_is_not_found(product):
    session = requests.Session()
    session.trust_env = False
    for page in ("Nobody/contacts", "Nobody/batch", f"{NZ}/nothing"):
        assert session.get(f"{product.console_url}/xero/{page}", timeout=10).status_code == 404
    for page in (f"{NZ}/{ANY}/burn", f"{NZ}/contacts/{ANY}/burn", f"Nobody/{ANY}/pay"):
        assert session.post(f"{product.console_url}/xero/{page}", timeout=10).status_code == 404
    answer = session.post(f"{product.console_url}/xero/{NZ}/{ANY}/pay", data={"amount": "1"}, timeout=10)
    assert f"There is no invoice or bill {ANY}." in answer.text
