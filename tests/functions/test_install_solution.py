"""The connect page's button: the solution installed with the person's own sign-in, one step a request."""

from collections.abc import Iterator
from html import unescape
from pathlib import Path
from re import search

import pytest

from functions import install_solution
from functions.pages import Page
from sandbox.dataverse import customizing, security
from solution.install import importing
from solution.model import MODEL
from solution.publisher import VERSION
from tests.functions.test_connect import Browser, steps, words
from tests.functions.test_connect_dynamics import FORM, INSTALLED, Place, choose, open_browser, sign_in, standing

PATH = install_solution.PATH


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """An environment where nobody has installed the connector."""
    with standing(tmp_path, bare=True) as found:
        yield found


@pytest.fixture
def browser(place: Place) -> Browser:
    browser = open_browser(place)
    sign_in(browser)
    return browser


def press(browser: Browser, form: Page) -> Page:
    """Press the button on a page that has one."""
    assert f'action="{PATH}"' in form.html, words(form)
    token = search(r'name="form_token" value="([^"]+)"', form.html)
    assert token
    return browser.follow(browser.send("POST", PATH, {"form_token": unescape(token.group(1))}))


def until_done(place: Place, browser: Browser, page: Page) -> list[Page]:
    """Let the page ask again until it stops doing so."""
    seen = [page]
    while "Refresh" in seen[-1].headers:
        place.clock.move(1)
        seen.append(browser.get(PATH))
        assert len(seen) < 30
    return seen


def test_the_button_installs_everything_step_by_step(place: Place, browser: Browser):
    form = choose(browser, place.environment)
    assert steps(form)[INSTALLED] == "✗"

    seen = until_done(place, browser, press(browser, form))

    assert "0 %" in words(seen[0])
    assert seen[0].headers["Refresh"] == f"5; url={PATH}"
    assert set(steps(seen[-1]).values()) == {"✓"}, words(seen[-1])
    assert set(place.sandbox.environment.model) >= set(MODEL)
    assert set(steps(browser.get(FORM)).values()) == {"✓"}
    assert "Install the solution" not in browser.get(FORM).html
    (solution,) = place.sandbox.rows("solution")
    assert (solution["version"], solution["ismanaged"]) == (VERSION, True)


def test_pressing_twice_finds_the_import_that_runs(place: Place, browser: Browser):
    form = choose(browser, place.environment)
    press(browser, form)

    second = press(browser, form)

    assert second.status == 200
    assert len(place.sandbox.rows("importjob")) == 1


def test_a_failed_import_is_explained_on_the_page_and_may_be_tried_again(place: Place, browser: Browser):
    environment = place.sandbox.environment
    privilege = str(security.privilege_id(environment, "prvReadProduct"))
    environment.store.delete("privilege", privilege)

    failed = until_done(place, browser, press(browser, choose(browser, place.environment)))[-1]

    assert steps(failed)[install_solution.IMPORT] == "✗"
    assert "asks for prvReadProduct (Global)" in words(failed)
    assert "nothing of it was kept" in words(failed)
    customizing.add_named_privileges(environment, ["prvReadProduct"])
    assert set(steps(until_done(place, browser, press(browser, failed))[-1]).values()) == {"✓"}


def test_an_index_that_fails_is_built_again_and_then_explained(place: Place, browser: Browser):
    page = press(browser, choose(browser, place.environment))
    while steps(page)[install_solution.IMPORT] != "✓":
        place.clock.move(1)
        page = browser.get(PATH)
    name = "mag_taxrate_connector_taxtype"
    customizing.settle_indexes(place.sandbox.environment)
    customizing.fail_index(place.sandbox.environment, "mag_taxrate", name)
    browser.get(PATH)
    assert "1 to go" in words(browser.get(PATH))
    place.clock.move(10)
    customizing.fail_index(place.sandbox.environment, "mag_taxrate", name)

    page = browser.get(PATH)

    assert steps(page)[install_solution.KEYS] == "✗"
    assert "rows of mag_taxrate share the same mag_xeroconnectorid and mag_taxtype" in words(page)


def test_who_may_not_customize_reads_who_may(place: Place):
    browser = open_browser(place)
    sign_in(browser, person="Tomasi Faleolo")

    page = press(browser, choose(browser, place.environment))

    assert steps(page)[install_solution.IMPORT] == "✗"
    assert "System Administrator or System Customizer" in words(page)


def test_nothing_is_installed_without_a_sign_in_or_by_another_site(place: Place, browser: Browser):
    form = choose(browser, place.environment)
    token = search(r'name="form_token" value="([^"]+)"', form.html)
    assert token

    foreign = browser.send("POST", PATH, {"form_token": unescape(token.group(1))}, origin="https://evil.example")
    forged = browser.send("POST", PATH, {"form_token": "x"})
    stranger = open_browser(place)
    unsigned = stranger.post(FORM.replace("xero", "dynamics"))
    lost = stranger.get(PATH)

    assert (foreign.status, forged.status) == (403, 403)
    assert unsigned.status == 303
    assert lost.headers["Location"] == "/connect/dynamics"
    assert place.sandbox.rows("importjob") == []


def test_a_newer_solution_is_left_alone(place: Place, browser: Browser, monkeypatch: pytest.MonkeyPatch):
    form = choose(browser, place.environment)
    place.sandbox.environment.seed("solution", uniquename="mag_xeroconnector", version="9.0.0.0", ismanaged=True)

    page = press(browser, form)

    assert "Version 9.0.0.0 is installed, newer than this app" in words(page)
    assert importing.ordered("9.0.0.0") > importing.ordered(VERSION)
