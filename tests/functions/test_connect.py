"""Connecting, as an administrator's browser does it: consent in the stand-in for Xero, rows in the stand-in for Dataverse."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from zoneinfo import ZoneInfo

import pytest

from functions import connect, connectors, reference_data
from functions.connect import Connecting
from functions.pages import APP_ROLE, Page, PageRequest
from functions.time_zones import IANA
from mappings.choices import ConnectMode, XeroConnection
from sandbox.xero.demo_company import NZ, UK
from sandbox.xero.faults import Fault
from shared.settings import AppSettings
from tests.shared.test_settings import GOOD
from tests.world import World

PUBLIC = "http://localhost:7071"
START, CALLBACK, CHOOSE, RESULT = (f"/connect/xero{path}" for path in ("", "/callback", "/organisation", "/result"))
ADA = "22222222-2222-2222-2222-222222222222"
OPTIONAL_TITLES = [f"Loading {title}" for title in reference_data.TITLES.values()]
STEPS = [
    "Connected to Xero",
    "Connected to Dynamics 365",
    "The connector is installed in Dynamics 365",
    "Checking the Dynamics 365 connection",
    "Checking the Xero connection",
    "Checking the connector's settings",
    *OPTIONAL_TITLES,
    "Your connection is ready!",
]


def principal(*claims: tuple[str, str], provider: str = "aad") -> str:
    body = {"auth_typ": provider, "claims": [{"typ": name, "val": value} for name, value in claims]}
    return base64.b64encode(json.dumps(body).encode()).decode()


@dataclass
class Browser:
    """A person's browser: it keeps cookies, fills forms and follows redirects, to Xero's consent page and back."""

    world: World
    connecting: Connecting
    headers: dict[str, str] = field(default_factory=lambda: {"host": "localhost:7071"})
    cookies: dict[str, str] = field(default_factory=dict)

    def send(self, method: str, url: str, form: Mapping[str, str] | None = None, **headers: str) -> Page:
        sent = {**self.headers, **headers, "cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        body = b""
        if form is not None:
            sent["content-type"] = "application/x-www-form-urlencoded"
            body = urlencode(form).encode()
        request = PageRequest.of(method, f"{PUBLIC}{url}", sent, body)
        page = connect.connect(request, self.connecting, self.world.clock.now())
        if cookie := page.headers.get("Set-Cookie"):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return page

    def get(self, url: str) -> Page:
        return self.send("GET", url)

    def post(self, url: str, **form: str) -> Page:
        """Open the page, take its form's token and send the form."""
        page = self.get(url)
        token = re.search(r'name="form_token" value="([^"]+)"', page.html)
        assert token, page.html
        return self.send("POST", url, {"form_token": unescape(token.group(1)), **form})

    def begin(self, **form: str) -> Page:
        return self.post(START, **{"environment": f"https://{self.world.environment}", "mode": "oauth", "time_zone": "", **form})

    def consent(self, page: Page, *, organisation: str = NZ, user: int = 0, decision: str = "allow", **changes: str) -> str:
        """Answer Xero's consent page and return the address it sends the browser back to."""
        from sandbox.xero.demo_company import USERS

        assert page.status == 303, page.html
        asked = dict(parse_qsl(urlsplit(page.headers["Location"]).query))
        form = {**asked, "organisation": organisation, "user": USERS[user]["xero_userid"], "decision": decision, **changes}
        answer = self.world._xero_http.post("/identity/connect/authorize", data=form)
        return answer.headers["Location"].removeprefix(PUBLIC)

    def follow(self, page: Page) -> Page:
        while page.status == 303:
            page = self.get(page.headers["Location"])
        return page

    def connect(self, organisation: str = NZ, *, user: int = 0, **form: str) -> Page:
        """Go all the way."""
        return self.follow(self.get(self.consent(self.begin(**form), organisation=organisation, user=user)))


@pytest.fixture
def settings(fresh_world: World) -> AppSettings:
    env = {**GOOD, "PUBLIC_URL": PUBLIC, "PORTAL_ADMINS": "local", "XERO_CLIENT_ID": "sandbox-client"}
    return AppSettings.from_environment({**env, "DATAVERSE_ALLOWED_HOSTS": f"*.dynamics.com {fresh_world.environment}"})


@pytest.fixture
def connecting(fresh_world: World, settings: AppSettings) -> Connecting:
    return Connecting(fresh_world.services, settings, fresh_world._oauth, fresh_world.tokens)


@pytest.fixture
def browser(fresh_world: World, connecting: Connecting) -> Browser:
    return Browser(fresh_world, connecting)


def steps(page: Page) -> dict[str, str]:
    """Read the checklist: title to mark."""
    found = re.findall(
        r'<li><span class="mark [^"]*" aria-hidden="true">(.)</span>\s*<span>(.*?)\s*<span class="soft">', page.html, re.S
    )
    return {unescape(title): mark for mark, title in found}


def words(page: Page) -> str:
    text = re.sub(r"<(style|title)\b.*?</\1>", " ", page.html, flags=re.S)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())


def visits(world: World) -> list[Any]:
    return list(world.store.rows("grants", "visit"))


# ── the whole way ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_two_organisations_become_two_connectors_of_one_environment(browser: Browser, fresh_world: World):
    first = browser.connect(NZ)
    second = browser.connect(UK)

    for page in (first, second):
        assert page.status == 200
        assert list(steps(page)) == STEPS
        assert set(steps(page).values()) == {"✓"}, words(page)
    new_zealand, britain = sorted(fresh_world.connectors(), key=lambda one: one.organisation != NZ)
    assert (new_zealand.organisation, britain.organisation) == (NZ, UK)
    for connector, zone in ((new_zealand, "Pacific/Auckland"), (britain, "Europe/London")):
        assert connector.is_sealed
        assert connector.state == "connected"
        assert connector.environment == fresh_world.environment
        assert connector.time_zone == zone == str(connector.zone)
        assert connector.short_code.startswith("!")
        assert connector.app_id == fresh_world.id_of("app")
        row = fresh_world.get(f"mag_xeroconnectors({connector.id})")
        assert row["mag_name"] == row["mag_xeroorganizationname"] == connector.organisation_name
        assert row["mag_xerotenantid"] == connector.organisation
        assert row["mag_environmentid"] == connector.environment_id
        assert row["mag_timezone"] == zone
        assert row["mag_xerostatus"] == XeroConnection.OK
        assert row["mag_connectmode"] == ConnectMode.OAUTH_CODE
        assert row["mag_enabled"] is True
        assert row["mag_reconnecturl"] == f"{PUBLIC}/connect/xero"
        assert row["mag_defaultconnector"] is (connector.organisation == NZ)
        assert connector.settings["mag_xerotenantid"] == connector.organisation
        assert connector.settings["flows"] == []
        assert fresh_world.get(f"mag_taxrates?$filter=_mag_xeroconnectorid_value%20eq%20{connector.id}")["value"]
    assert f"main.aspx?pagetype=entityrecord&etn=mag_xeroconnector&id={britain.id}" in unescape(second.html)
    assert fresh_world.store.read("flowruns", britain.key, "reference-data-from-xero")


def test_connecting_again_changes_nothing_that_is_well_and_makes_nothing_twice(browser: Browser, fresh_world: World):
    browser.connect(NZ)
    before = fresh_world.connectors()[0]
    fresh_world.patch(f"mag_xeroconnectors({before.id})", {"mag_name": "Our books", "mag_defaultconnector": False})

    page = browser.connect(NZ)

    assert set(steps(page).values()) == {"✓"}, words(page)
    assert [one.key for one in fresh_world.connectors()] == [before.key]
    row = fresh_world.get(f"mag_xeroconnectors({before.id})")
    assert (row["mag_name"], row["mag_defaultconnector"]) == ("Our books", False)
    assert len(fresh_world.get("mag_xeroconnectors?$select=mag_name")["value"]) == 1
    assert "0 new, 0 changed" in words(page)


def test_a_time_zone_that_was_typed_counts_more_than_xeros(browser: Browser, fresh_world: World):
    browser.connect(NZ, time_zone="Pacific/Chatham")
    assert fresh_world.connectors()[0].time_zone == "Pacific/Chatham"
    browser.connect(NZ)
    assert fresh_world.connectors()[0].time_zone == "Pacific/Chatham"


def test_every_time_zone_of_xero_is_one_of_the_machine():
    assert len(IANA) == 141
    for name in IANA.values():
        assert ZoneInfo(name)


def test_a_custom_connection_needs_no_consent(browser: Browser, fresh_world: World):
    page = browser.follow(browser.begin(mode="custom", client_id="sandbox-custom", client_secret="sandbox-custom-secret"))

    assert set(steps(page).values()) == {"✓"}, words(page)
    connector = fresh_world.connectors()[0]
    assert (connector.organisation, connector.grant) == (NZ, "custom/sandbox-custom")
    assert fresh_world.get(f"mag_xeroconnectors({connector.id})")["mag_connectmode"] == ConnectMode.CUSTOM_CONNECTION
    assert "sandbox-custom-secret" not in json.dumps([dict(row.values) for row in fresh_world.store.rows("grants")])


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"client_id": "", "client_secret": ""}, "needs its client id and its client secret"),
        ({"client_id": "sandbox-custom", "client_secret": "wrong"}, "refused the app"),
    ],
)
def test_a_custom_connection_that_is_refused_says_so_on_the_form(browser: Browser, fresh_world: World, form, sentence):
    page = browser.begin(mode="custom", **form)
    assert page.status == 400
    assert sentence in words(page)
    assert "wrong" not in page.html
    assert fresh_world.connectors() == []


def test_several_organisations_are_asked_about(browser: Browser, fresh_world: World):
    browser.connect(UK)
    # Xero names no consent event here, as for a user who allowed both before: both are offered.
    eventless: Any = _Eventless(fresh_world._oauth)
    browser.connecting = replace(browser.connecting, oauth=eventless)
    page = browser.follow(browser.get(browser.consent(browser.begin(), organisation=NZ)))

    assert page.status == 200
    assert "Which organisation?" in words(page)
    assert {NZ, UK} == set(re.findall(r'name="organisation" required value="([^"]+)"', page.html))
    assert f"(connected with {fresh_world.environment})" in words(page)
    assert browser.post(CHOOSE, organisation="00000000-0000-0000-0000-000000000000").status == 400
    done = browser.follow(browser.post(CHOOSE, organisation=NZ))
    assert set(steps(done).values()) == {"✓"}, words(done)
    assert {one.organisation for one in fresh_world.connectors()} == {NZ, UK}
    again = browser.follow(browser.send("GET", CHOOSE))
    assert again.status == 400
    assert "nothing to go on with" in words(again)


class _Eventless:
    """Xero's sign-in for a user whose consent event is not told."""

    def __init__(self, oauth: Any) -> None:
        self._oauth = oauth

    def __getattr__(self, name: str) -> Any:
        return getattr(self._oauth, name)

    def connections(self, token: str, auth_event_id: str = "") -> Any:
        return self._oauth.connections(token)


# ── what may not be ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_state_counts_once(browser: Browser, fresh_world: World):
    back = browser.consent(browser.begin())
    assert browser.get(back).headers["Location"] == RESULT

    again = browser.get(back)

    assert again.headers["Location"] == f"{START}?notice=state"
    landed = browser.follow(again)
    assert landed.status == 400
    assert "used already" in words(landed)
    assert len(fresh_world.connectors()) == 1


def test_a_state_belongs_to_the_browser_that_began(browser: Browser, fresh_world: World):
    back = browser.consent(browser.begin())
    other = Browser(fresh_world, browser.connecting)
    other.get(START)

    assert other.get(back).headers["Location"] == f"{START}?notice=state"
    assert Browser(fresh_world, browser.connecting).get(back).headers["Location"] == f"{START}?notice=state"
    assert fresh_world.connectors() == []


def test_a_state_belongs_to_the_person_who_began(fresh_world: World, connecting: Connecting):
    entra = replace(connecting, settings=replace(connecting.settings, is_behind_entra=True, portal_admins=("ada", "eve")))
    ada = Browser(fresh_world, entra, {"x-ms-client-principal": principal(("oid", "ada"))})
    back = ada.consent(ada.begin())
    eve = Browser(fresh_world, entra, {"x-ms-client-principal": principal(("oid", "eve"))}, ada.cookies)

    assert eve.get(back).headers["Location"] == f"{START}?notice=state"
    assert fresh_world.connectors() == []
    assert fresh_world.xero.calls("POST", "^/connect/token") == 0


@pytest.mark.parametrize("state", ["", "x", "é", "a" * 43])
def test_a_foreign_state_is_refused_and_costs_no_code(browser: Browser, fresh_world: World, state):
    browser.begin()
    page = browser.get(f"{CALLBACK}?{urlencode({'code': 'stolen', 'state': state})}")
    assert page.headers["Location"] == f"{START}?notice=state"
    assert fresh_world.xero.calls("POST", "^/connect/token") == 0


def test_a_state_ends_after_ten_minutes(browser: Browser, fresh_world: World):
    back = browser.consent(browser.begin())
    fresh_world.clock.move(minutes=10)
    assert browser.get(back).headers["Location"] == f"{START}?notice=state"
    assert fresh_world.xero.calls("POST", "^/connect/token") == 0


def test_only_hashes_and_sealed_values_of_a_visit_are_stored(browser: Browser, fresh_world: World):
    page = browser.begin()
    sent = dict(parse_qsl(urlsplit(page.headers["Location"]).query))
    stored = json.dumps([(row.row, dict(row.values)) for row in visits(fresh_world)])
    assert len(sent["state"]) >= 43
    assert sent["code_challenge_method"] == "S256"
    assert sent["state"] not in stored
    assert browser.cookies["connector"] not in stored
    fresh_world.clock.move(minutes=11)
    Browser(fresh_world, browser.connecting).begin()
    assert len(visits(fresh_world)) == 1


def test_the_scopes_asked_for_are_exactly_the_settings(browser: Browser, settings: AppSettings):
    sent = dict(parse_qsl(urlsplit(browser.begin().headers["Location"]).query))
    assert tuple(sent["scope"].split()) == settings.xero_scopes
    assert sent["redirect_uri"] == f"{PUBLIC}/connect/xero/callback"


def test_the_callback_never_answers_with_a_page(browser: Browser):
    for query in ("", "?code=x", "?error=access_denied", "?error=%3Cscript%3E&state=x"):
        page = browser.get(f"{CALLBACK}{query}")
        assert (page.status, page.html) == (303, "")
        assert page.headers["Location"].startswith("/connect/xero?notice=")


def test_a_person_who_cancels_in_xero_changes_nothing(browser: Browser, fresh_world: World):
    page = browser.follow(browser.get(browser.consent(browser.begin(), decision="cancel")))
    assert page.status == 400
    assert "You chose not to allow access" in words(page)
    assert fresh_world.connectors() == []
    assert list(fresh_world.store.rows("grants", "grant")) == []


def test_an_error_of_xeros_is_told_without_its_words(browser: Browser):
    state = dict(parse_qsl(urlsplit(browser.begin().headers["Location"]).query))["state"]
    page = browser.follow(browser.get(f"{CALLBACK}?{urlencode({'error': '<b>x</b>', 'state': state})}"))
    assert "Xero refused the request" in words(page)
    assert "<b>x</b>" not in page.html


def test_a_consent_that_is_too_narrow_names_what_is_missing(browser: Browser, fresh_world: World):
    narrow = "offline_access accounting.invoices accounting.contacts accounting.settings.read"
    page = browser.follow(browser.get(browser.consent(browser.begin(), scope=narrow)))
    assert page.status == 400
    assert "did not allow openid, profile, email, accounting.payments, accounting.settings:" in words(page)
    assert fresh_world.connectors() == []
    assert "did not allow" not in words(browser.get(START))
    assert set(steps(browser.connect()).values()) == {"✓"}


def test_a_code_that_xero_does_not_take_is_told(browser: Browser):
    state = dict(parse_qsl(urlsplit(browser.begin().headers["Location"]).query))["state"]
    page = browser.follow(browser.get(f"{CALLBACK}?{urlencode({'code': 'made-up', 'state': state})}"))
    assert page.status == 400
    assert "connect again" in words(page)


def test_connecting_again_never_changes_the_books(browser: Browser, fresh_world: World):
    browser.connect(NZ)
    before = fresh_world.connectors()[0]

    wrong = browser.follow(browser.get(browser.consent(browser.begin(connector=before.key), organisation=UK, user=1)))

    assert wrong.status == 400
    assert f"belongs to the organisation {before.organisation_name}" in words(wrong)
    assert fresh_world.connectors() == [before]


def test_connecting_again_brings_back_every_connector_of_the_consent(browser: Browser, fresh_world: World):
    browser.connect(NZ)
    browser.connect(UK)
    one, other = fresh_world.connectors()
    connectors.mark(fresh_world.services, one, "needs_reconnect")
    assert {found.state for found in fresh_world.connectors()} == {"needs_reconnect"}
    told = fresh_world.get(f"mag_xeroconnectors({other.id})")
    assert told["mag_xerostatus"] == XeroConnection.DISCONNECTED
    assert "Reconnect Link" in told["mag_xerostatusdetail"]

    page = browser.follow(browser.get(browser.consent(browser.begin(connector=one.key), organisation=one.organisation)))

    assert set(steps(page).values()) == {"✓"}, words(page)
    assert {found.state for found in fresh_world.connectors()} == {"connected"}
    for found in (one, other):
        row = fresh_world.get(f"mag_xeroconnectors({found.id})")
        assert (row["mag_xerostatus"], row.get("mag_xerostatusdetail")) == (XeroConnection.OK, None)


def test_a_custom_connection_goes_on_without_typing_it_again(browser: Browser, fresh_world: World):
    browser.follow(browser.begin(mode="custom", client_id="sandbox-custom", client_secret="sandbox-custom-secret"))
    connector = fresh_world.connectors()[0]
    page = browser.follow(browser.begin(connector=connector.key))
    assert set(steps(page).values()) == {"✓"}, words(page)
    assert fresh_world.get(f"mag_xeroconnectors({connector.id})")["mag_connectmode"] == ConnectMode.CUSTOM_CONNECTION


def test_a_row_that_was_given_another_organisation_is_not_sealed_anew(browser: Browser, fresh_world: World):
    browser.connect(NZ)
    sealed = fresh_world.connectors()[0]
    fresh_world.patch(f"mag_xeroconnectors({sealed.id})", {"mag_xerotenantid": UK})

    page = browser.connect(UK)

    assert steps(page)["Checking the connector's settings"] == "✗"
    assert steps(page)["Your connection is ready!"] == "·"
    assert "is sealed to that organisation" in words(page)
    assert fresh_world.connectors() == [sealed]


def test_an_environment_has_one_address_only(browser: Browser, fresh_world: World):
    browser.connect(NZ)
    known = fresh_world.connectors()[0]
    connectors.remove(fresh_world.store, known)
    connectors.write(fresh_world.store, replace(known, environment="old-name.crm4.dynamics.com"))

    page = browser.connect(NZ)

    assert "under the address old-name.crm4.dynamics.com" in words(page)
    assert [one.environment for one in fresh_world.connectors()] == ["old-name.crm4.dynamics.com"]


def test_books_that_another_environment_writes_to_are_pointed_out(browser: Browser, fresh_world: World):
    browser.connect(NZ)
    known = fresh_world.connectors()[0]
    copy = replace(known, environment="copy.crm4.dynamics.com", environment_id="33333333-3333-3333-3333-333333333333")
    connectors.write(fresh_world.store, copy)

    page = browser.connect(NZ)

    assert steps(page)["Checking the Xero connection"] == "!"
    assert "also connected with copy.crm4.dynamics.com" in words(page)
    assert steps(page)["Your connection is ready!"] == "✓"


# ── the environment ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "typed",
    [
        "https://evil.example",
        "http://contoso.crm.dynamics.com",
        "https://contoso.crm.dynamics.com@evil.example",
        "https://169.254.169.254",
        "https://evil.example/.dynamics.com",
        '"><script>alert(1)</script>',
        "",
    ],
)
def test_a_hostile_environment_is_refused_before_anything_is_sent(browser: Browser, fresh_world: World, typed):
    page = browser.begin(environment=typed)
    assert page.status == 400
    assert "<script>" not in page.html
    assert fresh_world.dataverse.log == []
    assert visits(fresh_world) == []


def test_a_time_zone_that_is_none_is_refused(browser: Browser, fresh_world: World):
    for typed in ("Mars/Olympus", "../../etc/passwd", "/etc/passwd"):
        page = browser.begin(time_zone=typed)
        assert page.status == 400
        assert "not an IANA name" in words(page)


def test_an_environment_that_does_not_let_us_in_is_told_before_the_consent(browser: Browser, fresh_world: World):
    fresh_world.dataverse.faults.add(Fault("token_expired", method="POST"))
    page = browser.begin()
    assert page.status == 400
    assert "Connected to Dynamics 365: " in words(page)
    assert "DATAVERSE_TENANT_ID" in words(page)
    assert visits(fresh_world) == []


def test_what_was_typed_stays_in_the_form_except_the_secret(browser: Browser):
    page = browser.begin(mode="custom", client_id="my-id", client_secret="my-secret", time_zone="Mars/Olympus")
    assert 'value="my-id"' in page.html
    assert 'value="Mars/Olympus"' in page.html
    assert "my-secret" not in page.html


def test_a_step_that_fails_gives_its_reason_and_a_second_run_goes_on(browser: Browser, fresh_world: World):
    back = browser.consent(browser.begin())
    fresh_world.xero.faults.add(Fault("500", method="GET", path="/Organisation"))
    failed = browser.follow(browser.get(back))
    assert steps(failed)["Checking the Xero connection"] == "✗"
    assert steps(failed)["Your connection is ready!"] == "·"
    assert "Not yet connected" in failed.html
    assert "What to do:" in words(failed)
    assert fresh_world.connectors() == []

    second = browser.connect()
    assert set(steps(second).values()) == {"✓"}, words(second)


def test_reference_data_that_fails_does_not_hold_the_connection_back(browser: Browser, fresh_world: World):
    back = browser.consent(browser.begin())
    fresh_world.xero.faults.add(Fault("500", method="GET", path="/BrandingThemes"))
    page = browser.follow(browser.get(back))
    marks = steps(page)
    assert marks["Loading Branding Themes"] == "✗", words(page)
    assert marks["Loading Tracking Options"] == "✓"
    assert marks["Your connection is ready!"] == "!"
    assert "is loaded again by itself" in words(page)
    connector = fresh_world.connectors()[0]
    fresh_world.clock.move(minutes=31)
    assert reference_data.refresh_if_due(connector, fresh_world.services, fresh_world.clock.now())
    assert fresh_world.get("mag_brandingthemes?$select=mag_name")["value"]


# ── who may ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

OID = "http://schemas.microsoft.com/identity/claims/objectidentifier"


@pytest.mark.parametrize(
    ("header", "believed", "status"),
    [
        (None, True, 401),
        (None, False, 403),
        (principal(("oid", ADA)), False, 403),
        (principal((OID, ADA)), True, 200),
        (principal(("oid", ADA.upper())), True, 200),
        (principal(("oid", "someone"), ("preferred_username", "Ada@Example.com")), True, 200),
        (principal(("oid", "someone"), ("roles", APP_ROLE)), True, 200),
        (principal(("oid", "someone"), ("roles", "Reader")), True, 403),
        (principal(("oid", "someone"), ("name", "ada@example.com")), True, 403),
        (principal(("preferred_username", "ada@example.com")), True, 403),
        (principal(("oid", ADA), provider="github"), True, 403),
        (principal(), True, 403),
        ("not base64!", True, 401),
        (base64.b64encode(b"[]").decode(), True, 401),
        (base64.b64encode(b'{"auth_typ":"aad","claims":[{"typ":1}]}').decode(), True, 401),
    ],
)
def test_only_an_administrator_the_platform_vouches_for_gets_in(
    fresh_world: World, connecting: Connecting, header, believed, status
):
    people = ("ada@example.com", ADA)
    entra = replace(
        connecting.settings, is_behind_entra=believed, portal_admins=people, public_url="https://connector.example.com"
    )
    headers = {"x-ms-client-principal": header} if header is not None else {}
    browser = Browser(fresh_world, replace(connecting, settings=entra), headers)
    if status == 401:
        assert 'href="/.auth/login/aad?post_login_redirect_uri=%2Fconnect%2Fxero"' in browser.get(START).html
    for method, url in (("GET", START), ("GET", CALLBACK), ("GET", CHOOSE), ("GET", RESULT)):
        page = browser.send(method, url)
        assert page.status == (status if status != 200 or url == START else 303), url
    if status != 200:
        assert browser.send("POST", START, {"environment": "https://x.crm.dynamics.com"}).status == status
    assert fresh_world.dataverse.log == []


def test_nobody_gets_in_by_default(fresh_world: World, connecting: Connecting):
    closed = replace(connecting, settings=replace(connecting.settings, portal_admins=()))
    assert Browser(fresh_world, closed, {"x-ms-client-principal": principal(("oid", ADA))}).get(START).status == 403


@pytest.mark.parametrize("host", ["evil.example", "localhost:7072", "127.0.0.1:7071", "localhost:7071.evil.example", ""])
def test_a_local_run_answers_its_own_address_only(fresh_world: World, connecting: Connecting, host):
    assert Browser(fresh_world, connecting, {"host": host}).get(START).status == 403


@pytest.mark.parametrize("token", [None, "", "made-up", "é"])
def test_a_form_without_our_token_is_refused(browser: Browser, fresh_world: World, token):
    browser.get(START)
    form = {"environment": f"https://{fresh_world.environment}", **({} if token is None else {"form_token": token})}
    for url in (START, CHOOSE):
        assert browser.send("POST", url, form).status == 403
    assert fresh_world.dataverse.log == []


def test_a_forms_token_is_of_no_use_in_another_browser(browser: Browser, fresh_world: World):
    token = re.search(r'name="form_token" value="([^"]+)"', browser.get(START).html)
    assert token
    other = Browser(fresh_world, browser.connecting)
    other.get(START)
    assert other.send("POST", START, {"form_token": unescape(token.group(1))}).status == 403


def test_a_form_of_another_site_is_refused(browser: Browser, fresh_world: World):
    token = re.search(r'name="form_token" value="([^"]+)"', browser.get(START).html)
    assert token
    form = {"form_token": unescape(token.group(1)), "environment": f"https://{fresh_world.environment}"}
    assert browser.send("POST", START, form, origin="https://evil.example").status == 403
    assert browser.send("POST", START, form, origin="null").status == 403
    assert browser.send("POST", START, form, origin=PUBLIC).status == 303


@pytest.mark.parametrize(
    ("method", "url"), [("DELETE", START), ("GET", "/connect/other"), ("PUT", CALLBACK), ("POST", CALLBACK), ("POST", RESULT)]
)
def test_what_is_no_page_is_not_found(browser: Browser, method, url):
    browser.get(START)
    assert browser.send(method, url).status == 404


# ── the pages themselves ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_cookie_and_the_headers_protect_every_answer(browser: Browser, fresh_world: World, connecting: Connecting):
    page = browser.get(START)
    cookie = page.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie  # http://localhost
    assert "Set-Cookie" not in browser.get(START).headers
    https = replace(connecting.settings, public_url="https://connector.example.com", is_behind_entra=True, portal_admins=(ADA,))
    secure = Browser(fresh_world, replace(connecting, settings=https), {"x-ms-client-principal": principal(("oid", ADA))})
    kept = secure.get(START).headers["Set-Cookie"]
    assert kept.startswith("__Host-connector=")
    assert "; Secure" in kept

    for answer in (page, browser.get("/connect/nothing"), browser.get(CALLBACK), browser.connect()):
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        if answer.html:
            policy = answer.headers["Content-Security-Policy"]
            nonce = re.search(r"style-src 'nonce-([^']+)'", policy)
            assert nonce
            assert f'<style nonce="{unescape(nonce.group(1))}">' in answer.html
            assert policy.startswith("default-src 'none'")
            assert "frame-ancestors 'none'" in policy
            assert "base-uri 'none'" in policy
            assert answer.headers["X-Frame-Options"] == "DENY"
            assert "<script" not in answer.html
            assert " style=" not in answer.html


def test_a_browser_may_go_from_the_form_to_xero(browser: Browser, settings: AppSettings):
    policy = browser.get(START).headers["Content-Security-Policy"]
    assert "form-action 'self' https://login.xero.com;" in policy


def test_an_organisation_cannot_write_into_the_page(browser: Browser, fresh_world: World):
    name = '<script>alert("x")</script>&amp;\'"'
    fresh_world.xero.change(NZ, "organisation", NZ, Name=name)
    page = browser.connect(NZ)
    listed = browser.get(START)
    for shown in (page, listed):
        assert "<script" not in shown.html
        assert name in unescape(shown.html)
    assert fresh_world.connectors()[0].organisation_name == name


def test_a_request_that_is_no_form_or_too_long_is_an_empty_form():
    assert PageRequest.of("post", f"{PUBLIC}/connect/xero/", {"Content-Type": "application/json"}, b"a=1").form == {}
    long = PageRequest.of("POST", PUBLIC, {"Content-Type": "application/x-www-form-urlencoded"}, b"a=" + b"1" * 70_000)
    assert long.form == {}
    read = PageRequest.of(
        "POST",
        f"{PUBLIC}/connect/xero/?x=1&x=2",
        {"Content-Type": "application/x-www-form-urlencoded", "Cookie": "a=b"},
        b"a=%C3%A9",
    )
    assert (read.path, read.query, read.form, read.cookies) == ("/connect/xero", {"x": "2"}, {"a": "é"}, {"a": "b"})
    assert PageRequest.of("GET", PUBLIC, {"Cookie": "a=b; =;;\x00"}).method == "GET"


def test_what_is_stored_for_a_result_ends_after_an_hour(browser: Browser, fresh_world: World):
    browser.connect()
    assert browser.get(RESULT).status == 200
    fresh_world.clock.move(minutes=61)
    assert browser.get(RESULT).headers["Location"] == f"{START}?notice=visit"
    assert timedelta(hours=1) == connect.KEPT


# ── reference data by button (A183-A185) ────────────────────────────────────────────────────────────────────────────────────────


def test_the_button_loads_the_reference_data_in_order_and_says_what_became_of_it_under_itself(
    fresh_world: World, browser: Browser
):
    connector = fresh_world.connect(NZ)
    fresh_world.flow(connector, "items-from-xero", mag_enabled=True)
    account = fresh_world.xero.documents(NZ, "account")[0]
    fresh_world.xero.change(NZ, "account", account["AccountID"], Name="Renamed")
    fresh_world.clock.move(minutes=2)
    token = re.search(r'name="form_token" value="([^"]+)"', browser.get(START).html)
    assert token
    page = browser.send("POST", f"{START}/reference-data", {"form_token": unescape(token.group(1)), "connector": connector.key})
    assert page.status == 200
    assert list(steps(page)) == [*OPTIONAL_TITLES, "Loading Items"]
    assert set(steps(page).values()) == {"✓"}
    told = words(page)
    assert told.index("Load reference data") < told.index("Loading Tax Rates")
    assert "0 new, 1 changed, 0 archived" in told
    assert "11 new" not in told.partition("Loading Items")[0]
    assert "10 new" in told.partition("Loading Items")[2]
    (row,) = [
        one for one in fresh_world.dataverse.rows("mag_xeroaccountcode") if one["mag_xeroaccountid"] == account["AccountID"]
    ]
    assert row["mag_name"] == "Renamed"


@pytest.mark.parametrize("state", ["needs_reconnect", "disconnected"])
def test_the_button_rests_until_the_connection_exists(fresh_world: World, browser: Browser, state: str):
    connector = fresh_world.connect(NZ)
    assert "disabled" not in browser.get(START).html
    connectors.write(fresh_world.store, replace(connector, state=state))
    page = browser.get(START)
    assert " disabled>Load reference data</button>" in page.html
    token = re.search(r'name="form_token" value="([^"]+)"', page.html)
    assert token
    before = fresh_world.xero_calls()
    page = browser.send("POST", f"{START}/reference-data", {"form_token": unescape(token.group(1)), "connector": connector.key})
    assert (page.status, fresh_world.xero_calls()) == (400, before)
    assert connectors.WHY[state] in words(page)


def test_the_button_asks_for_a_token_and_a_connector_that_is_known(fresh_world: World, browser: Browser):
    connector = fresh_world.connect(NZ)
    token = re.search(r'name="form_token" value="([^"]+)"', browser.get(START).html)
    assert token
    before = fresh_world.xero_calls()
    assert browser.send("POST", f"{START}/reference-data", {"connector": connector.key}).status == 403
    page = browser.send("POST", f"{START}/reference-data", {"form_token": unescape(token.group(1)), "connector": "nobody|1"})
    assert (page.status, fresh_world.xero_calls()) == (400, before)
    assert "not known here any more" in words(page)


def test_a_kind_that_fails_is_shown_with_its_reason_and_the_others_go_on(fresh_world: World, browser: Browser):
    connector = fresh_world.connect(NZ)
    token = re.search(r'name="form_token" value="([^"]+)"', browser.get(START).html)
    assert token
    fresh_world.clock.move(minutes=2)
    fresh_world.xero.faults.add(Fault("500", method="GET", path="/Accounts"))
    page = browser.send("POST", f"{START}/reference-data", {"form_token": unescape(token.group(1)), "connector": connector.key})
    assert [title for title, mark in steps(page).items() if mark == "✗"] == ["Loading Account Codes"]
