"""Connect a Xero organisation through the app's own pages and Xero's consent page, over HTTP, as an administrator would."""

from __future__ import annotations

from urllib.parse import urlsplit

from sandbox.demo.browser import Browser, Page
from sandbox.demo.product import Product


class Unfinished(Exception):
    """The demo cannot go on; the message says what the product answered instead."""


def connect(product: Product, organisation: str) -> str:
    """Connect *organisation* with the consent of a Xero user and return what the last page says."""
    browser = Browser()
    start = browser.open(f"{product.app_url}/connect/xero")
    try:
        form = start.form("environment", "mode")
        consent = browser.send(start, form, environment=product.dataverse_url, mode="oauth")
        asked = consent.form("organisation", "user")
        page = browser.send(consent, asked, organisation=_value(asked.choices["organisation"], organisation), decision="allow")
        if urlsplit(page.url).path == "/connect/xero/organisation":
            choice = page.form("organisation")
            page = browser.send(page, choice, organisation=_value(choice.choices["organisation"], organisation))
    except LookupError as error:
        raise Unfinished(f"{organisation} could not be connected: {error}") from error
    return _checked(page, organisation)


def connect_custom(product: Product, client_id: str, client_secret: str) -> str:
    """Connect the organisation of a Custom Connection by its id and secret and return what the last page says."""
    browser = Browser()
    start = browser.open(f"{product.app_url}/connect/xero")
    try:
        form = start.form("environment", "mode")
    except LookupError as error:
        raise Unfinished(f"The Custom Connection could not be connected: {error}") from error
    typed = {"environment": product.dataverse_url, "mode": "custom", "client_id": client_id, "client_secret": client_secret}
    return _checked(browser.send(start, form, **typed), "The Custom Connection")


def _checked(page: Page, what: str) -> str:
    if not page.title.startswith("Your connection is ready"):
        raise Unfinished(f"{what} could not be connected; the page says: {page.text[:600]}")
    return page.text


def _value(choices: dict[str, str], words: str) -> str:
    return next(value for value, shown in choices.items() if words in shown)
