"""The pages below /connect/xero in a real browser: its own rules about forms, cookies and redirects apply."""

import pytest

from sandbox.demo.xero import NZ

pytestmark = [pytest.mark.browser, pytest.mark.processes]


def test_a_person_connects_through_the_consent_page(product, browser):
    browser.open(f"{product.app_url}/connect/xero")
    browser.read(f"document.querySelector('#environment').value = '{product.dataverse_url}'")
    browser.click("main > section:last-of-type > form > button")
    browser.wait("document.title.includes('wants access')")

    browser.click("button[value=allow]")

    browser.wait("document.title.startsWith('Your connection is ready')")
    assert "✗" not in browser.read("document.querySelector('ol.steps').innerText")
    rows = list(product.dynamics.rows("mag_xeroconnectors", filter=f"mag_xeroorganizationname eq '{NZ}'"))
    assert len(rows) == 1


def test_a_person_who_cancels_in_xero_reads_that_nothing_has_changed(product, browser):
    browser.open(f"{product.app_url}/connect/xero")
    browser.read(f"document.querySelector('#environment').value = '{product.dataverse_url}'")
    browser.click("main > section:last-of-type > form > button")
    browser.wait("document.title.includes('wants access')")

    browser.click("button[value=cancel]")

    browser.wait("document.body.innerText.includes('Access was not allowed')")
    assert "Nothing has changed" in browser.read("document.body.innerText")
