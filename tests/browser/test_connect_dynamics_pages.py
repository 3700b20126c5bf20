"""Choosing an environment in a real browser: its own rules about forms, cookies of the same site and redirects apply."""

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.processes]


@pytest.fixture
def asked(product, browser):
    """A browser that stands before Microsoft's page; it need not know the stand-in's certificate authority."""
    browser._ask("Security.setIgnoreCertificateErrors", ignore=True)
    browser.open(f"{product.app_url}/connect/xero")
    browser.click("a[href='/connect/dynamics']")
    browser.wait("document.title.startsWith('Choose the environment')")
    browser.click("form button")
    browser.wait("document.title === 'Sign in'")
    return browser


def test_a_person_signs_in_and_finds_the_form_filled_in(product, asked):
    asked.click("button[name=person]:first-of-type")
    asked.wait("document.querySelector('button[name=environment]') !== null")
    asked.click("button[name=environment]")

    asked.wait("location.pathname === '/connect/xero'")
    assert asked.read("document.querySelector('#environment').value") == product.dataverse_url
    marks = asked.read("[...document.querySelectorAll('ol.steps .mark')].map(mark => mark.textContent).join('')")
    assert marks == "✓✓✓✓"

    asked.click("main > section:last-of-type > form > button")
    asked.wait("document.title.includes('wants access')")


def test_a_person_who_cancels_at_microsoft_reads_that_nothing_has_changed(asked):
    asked.click("p:last-of-type button")

    asked.wait("document.body.innerText.includes('Access was not allowed')")
    assert "Nothing has changed" in asked.read("document.body.innerText")
