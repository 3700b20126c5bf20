"""Choosing an environment by signing in: a browser, Microsoft's sign-in and Dataverse, the last two played by the stand-in."""

from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID
from flask import Flask, Response, jsonify

from functions import connect_dynamics
from functions.connect import Connecting
from functions.pages import Page, Visitor
from sandbox.dataverse import Sandbox
from sandbox.dataverse.demo_company import CLIENT_ID, CLIENT_SECRET, ID, PEOPLE, SETUP_CLIENT_ID
from sandbox.dataverse.live import serving
from sandbox.entra import Certificates
from sandbox.xero.faults import Fault
from shared.dataverse.auth import EntraTokens
from shared.dataverse.client import DataverseClient
from shared.dataverse.sign_in import SignIn
from shared.durations import Durations
from shared.errors import ConfigurationError
from shared.services import Answer, Operation, Services
from shared.settings import ALLOWED_HOSTS, AppSettings
from shared.storage.seal import Seal
from shared.xero.oauth import OAuth
from shared.xero.tokens import Tokens
from tests import images
from tests.fakes import FakeClock, FakeQueues, FakeStore
from tests.functions.test_connect import ADA, PUBLIC, Browser, principal, steps, words
from tests.ports import free_port, unanswered
from tests.shared.test_settings import GOOD

FORM = "/connect/xero"
START, CALLBACK, CHOOSE = (f"/connect/dynamics{path}" for path in ("", "/callback", "/environment"))
INSTALLED = "The connector's solution is installed"
USER = "The app is a user of this environment"
ROLE = "The app's user has its security role"
MAY = "You may use this environment"
TOKEN = "/token$"


@dataclass
class Place:
    """The stand-in for Entra ID and Dataverse at its own address, and the app's services beside it."""

    app: Flask
    environment: str
    clock: FakeClock
    connecting: Connecting

    @property
    def sandbox(self) -> Sandbox:
        found: Sandbox = self.app.extensions["sandbox"]
        return found

    @property
    def store(self) -> FakeStore:
        store = self.connecting.services.store
        assert isinstance(store, FakeStore)
        return store

    def visits(self) -> list[Any]:
        return list(self.store.rows("grants", "dynamics"))

    def calls(self, path: str) -> int:
        return len([call for call in self.sandbox.log if re.search(path, call.path)])


@contextmanager
def standing(folder: Path, *, bare: bool = False) -> Iterator[Place]:
    """Serve a stand-in at an address that is known before it starts: tokens and answers name it."""
    certificates = Certificates.at(folder / "authorities.pem")
    port = free_port()
    environment, clock = f"localhost:{port}", FakeClock()
    app = images.dataverse(clock.now, public_url=f"https://{environment}", bare=bare)
    with pytest.MonkeyPatch.context() as patch, serving(app, certificates, port=port):
        patch.setenv("REQUESTS_CA_BUNDLE", str(certificates.bundle))
        yield Place(app, environment, clock, connecting(app.extensions["sandbox"], environment, clock))
    app.extensions["sandbox"].close()


def connecting(sandbox: Sandbox, environment: str, clock: FakeClock) -> Connecting:
    env = {
        **GOOD,
        "PUBLIC_URL": PUBLIC,
        "PORTAL_ADMINS": "local",
        "DATAVERSE_TENANT_ID": sandbox.directory.tenant,
        "DATAVERSE_CLIENT_ID": CLIENT_ID,
        "DATAVERSE_CLIENT_SECRET": CLIENT_SECRET,
        "DATAVERSE_AUTHORITY_URL": f"https://{environment}",
        "DATAVERSE_ALLOWED_HOSTS": f"*.dynamics.com {environment}",
    }
    settings = AppSettings.from_environment(env)
    durations, store, seal = Durations(), FakeStore(), Seal(settings.token_encryption_keys)
    oauth = OAuth("client", "secret", clock, durations)
    dataverse = DataverseClient(EntraTokens(settings), durations)
    no_xero: Any = None  # these pages end where Xero begins
    services = Services(no_xero, dataverse, store, FakeQueues(clock), seal, clock, durations)
    return Connecting(services, settings, oauth, Tokens(store, seal, oauth, durations))


@pytest.fixture(scope="module")
def shared_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with standing(tmp_path_factory.mktemp("authority")) as place:
        yield place


@pytest.fixture
def place(shared_place: Place) -> Iterator[Place]:
    """The stand-in as it was at first, and nothing stored by the app."""
    shared_place.sandbox.reset()
    views = dict(shared_place.app.view_functions)
    shared_place.connecting = connecting(shared_place.sandbox, shared_place.environment, shared_place.clock)
    yield shared_place
    shared_place.app.view_functions.update(views)


@pytest.fixture
def browser(place: Place) -> Browser:
    return open_browser(place)


def open_browser(place: Place, headers: dict[str, str] | None = None, **settings: Any) -> Browser:
    world: Any = place
    connecting = replace(place.connecting, settings=replace(place.connecting.settings, **settings))
    return Browser(world, connecting, headers or {"host": "localhost:7071"})


def consent(page: Page, *, person: str = "Aroha Ngata") -> str:
    """Answer Microsoft's page as *person* ("": cancel) and return the address it sends the browser back to."""
    assert page.status == 303, page.html
    asked = requests.get(page.headers["Location"], timeout=10).text
    found = re.search(rf'value="([^"]*)">{f"Continue as {person}" if person else "Cancel"}', asked)
    assert found, asked
    answer = requests.post(page.headers["Location"], data={"person": found.group(1)}, timeout=10, allow_redirects=False)
    return answer.headers["Location"].removeprefix(PUBLIC)


def sign_in(browser: Browser, **how: str) -> Page:
    return browser.follow(browser.get(consent(browser.post(START), **how)))


def choose(browser: Browser, environment: str) -> Page:
    page = browser.get(START)
    token = re.search(r'name="form_token" value="([^"]+)"', page.html)
    assert token
    return browser.follow(browser.send("POST", CHOOSE, {"form_token": token.group(1), "environment": environment}))


def answering(place: Place, view: str, answer: Callable[[], Any]) -> None:
    """Have the stand-in give another answer at one of its addresses."""
    assert view in place.app.view_functions
    place.app.view_functions[view] = lambda **_: answer()


def instance(place: Place, **changes: Any) -> dict[str, Any]:
    return {"Url": f"https://{place.environment}", "FriendlyName": "Kōwhai", "Region": "OCE", "State": 0, **changes}


def listing(place: Place, *instances: Any) -> None:
    answering(place, "instances", lambda: jsonify(value=list(instances)))


# ── the whole way ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_person_signs_in_chooses_and_goes_on_to_xero(place: Place, browser: Browser):
    assert f'href="{START}">Choose from my environments</a>' in browser.get(FORM).html

    listed = sign_in(browser)
    assert listed.status == 200
    for told in ("Kōwhai Trading (sandbox)", place.environment, "OCE", "aroha.ngata@kowhai.example"):
        assert told in words(listed)

    form = choose(browser, place.environment)
    assert form.status == 200
    assert steps(form) == {MAY: "✓", INSTALLED: "✓", USER: "✓", ROLE: "✓"}, words(form)
    assert f'name="environment" required value="https://{place.environment}"' in form.html

    on = browser.post(FORM, environment=f"https://{place.environment}", mode="oauth", time_zone="")
    assert on.status == 303, words(on)
    assert on.headers["Location"].startswith("https://login.xero.com/")
    assert place.visits() == []
    assert steps(browser.get(FORM)) == {}


def test_microsoft_is_asked_for_the_discovery_service_with_pkce(place: Place, browser: Browser):
    page = browser.post(START)
    address = urlsplit(page.headers["Location"])
    asked = dict(parse_qsl(address.query))
    assert address.path == f"/{place.sandbox.directory.tenant}/oauth2/v2.0/authorize"
    assert asked["redirect_uri"] == f"{PUBLIC}{CALLBACK}"
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["state"]) >= 43
    assert asked["response_mode"] == "query"
    assert asked["prompt"] == "select_account"
    assert set(asked["scope"].split()) == {
        *("openid", "profile", "offline_access"),
        f"https://{place.environment}/user_impersonation",
    }
    assert asked["state"] not in repr(place.visits())


def test_checking_again_needs_no_second_sign_in(place: Place, browser: Browser):
    sign_in(browser)
    choose(browser, place.environment)
    before = place.calls("/authorize$")
    again = choose(browser, place.environment)
    assert steps(again)[MAY] == "✓"
    assert place.calls("/authorize$") == before


@pytest.fixture(scope="module")
def certificate() -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "connector")])
    at = FakeClock().now()
    built = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), at, at + timedelta(days=1))
    return key, built.sign(key, hashes.SHA256())


@pytest.mark.parametrize("form", ["pem", "pfx"])
def test_an_app_with_a_certificate_signs_people_in_with_it(place: Place, certificate, form):
    key, public = certificate
    application = place.sandbox.directory.applications[CLIENT_ID]
    application.certificates.append(public)
    encoding, none = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, none)
    pem = (public.public_bytes(encoding) + private).decode()
    pfx = base64.b64encode(pkcs12.serialize_key_and_certificates(b"c", key, public, None, none)).decode()
    browser = open_browser(place, dataverse_client_secret="", dataverse_client_certificate=pem if form == "pem" else pfx)
    try:
        assert "Kōwhai Trading" in words(sign_in(browser))
    finally:
        application.certificates.remove(public)


def test_an_app_without_a_secret_signs_people_in_as_a_public_client(place: Place):
    browser = open_browser(place, dataverse_client_secret="", dataverse_client_id=SETUP_CLIENT_ID)
    assert "Kōwhai Trading" in words(sign_in(browser))


@pytest.mark.parametrize(
    ("authority", "allowed", "host"),
    [
        ("https://login.microsoftonline.com", ALLOWED_HOSTS, "globaldisco.crm.dynamics.com"),
        ("https://login.microsoft.com", "contoso.crm4.dynamics.com", "globaldisco.crm.dynamics.com"),
        ("https://login.microsoftonline.com", "*.crm9.dynamics.com", "globaldisco.crm9.dynamics.com"),
        ("https://login.microsoftonline.com", "*.crm9.dynamics.com *.crm4.dynamics.com", "globaldisco.crm.dynamics.com"),
        ("https://login.microsoftonline.us", ALLOWED_HOSTS, "globaldisco.crm.microsoftdynamics.us"),
        ("https://login.microsoftonline.us", "contoso.crm.appsplatform.us", "globaldisco.crm.appsplatform.us"),
        ("https://login.partner.microsoftonline.cn", ALLOWED_HOSTS, "globaldisco.crm.dynamics.cn"),
        ("https://localhost:7082", "localhost:7082", "localhost:7082"),
    ],
)
def test_the_discovery_service_is_that_of_the_sign_ins_cloud(authority, allowed, host):
    settings = AppSettings.from_environment({**GOOD, "DATAVERSE_AUTHORITY_URL": authority, "DATAVERSE_ALLOWED_HOSTS": allowed})
    assert SignIn(settings, Durations()).discovery_host == host


# ── what the environment has and lacks ──────────────────────────────────────────────────────────────────────────────────────────


def link(place: Place, role: str, *, name: str = "") -> None:
    """Give the app's user a role more."""
    from sandbox.dataverse.environment import derived_id
    from sandbox.dataverse.store import Reference

    if name:
        place.sandbox.environment.seed(
            "role", roleid=derived_id("role", role), name=name, businessunitid=Reference("businessunit", ID["head office"])
        )
    place.sandbox.environment.store.link(
        "systemuserroles", Reference("systemuser", ID["connector user"]), Reference("role", derived_id("role", role))
    )


def unlink(place: Place) -> None:
    with place.sandbox.environment.store.transaction():
        place.sandbox.environment.store.query(
            "DELETE FROM systemuserroles WHERE systemuser = ? RETURNING role", (ID["connector user"],)
        )


def test_an_environment_without_the_solution_says_how_to_import_it(tmp_path: Path):
    with standing(tmp_path, bare=True) as place:
        browser = open_browser(place)
        sign_in(browser)
        form = choose(browser, place.environment)

    assert steps(form) == {MAY: "✓", INSTALLED: "✗", USER: "✗", ROLE: "·"}
    assert "What to do: Open make.powerapps.com and choose the environment Kōwhai Trading" in words(form)
    assert "Import solution" in words(form)
    assert f"New app user → Add an app → {CLIENT_ID}" in words(form)


def test_an_app_that_is_no_user_says_how_to_add_it(place: Place):
    browser = open_browser(place, dataverse_client_secret="", dataverse_client_id=SETUP_CLIENT_ID)
    sign_in(browser)

    form = choose(browser, place.environment)

    assert steps(form) == {MAY: "✓", INSTALLED: "✓", USER: "✗", ROLE: "·"}
    assert f"No application user has the client id {SETUP_CLIENT_ID}." in words(form)
    assert "New app user → Add an app" in words(form)
    assert "Xero Connector Service" in words(form)


def test_an_app_whose_user_has_no_role_says_which_to_give(place: Place, browser: Browser):
    sign_in(browser)
    unlink(place)
    form = choose(browser, place.environment)
    assert steps(form)[ROLE] == "✗"
    assert "Edit security roles → Xero Connector Service" in words(form)

    link(place, "reader", name="Reader")
    form = choose(browser, place.environment)
    assert steps(form)[ROLE] == "!"
    assert "It has Reader, not Xero Connector Service." in words(form)


def test_an_app_that_may_more_than_it_needs_is_pointed_out(place: Place, browser: Browser):
    sign_in(browser)
    link(place, "administrator")
    form = choose(browser, place.environment)
    assert steps(form)[ROLE] == "!"
    assert "It also has System Administrator, which it does not need." in words(form)


def test_an_app_whose_user_is_disabled_says_so(place: Place, browser: Browser):
    sign_in(browser)
    disable(place, "connector user")
    form = choose(browser, place.environment)
    assert (steps(form)[USER], steps(form)[ROLE]) == ("✗", "·")
    assert "is disabled" in words(form)
    assert "Activate" in words(form)


def disable(place: Place, user: str) -> None:
    token = place.sandbox.person_token("aroha.ngata@kowhai.example")
    answer = requests.patch(
        f"https://{place.environment}/api/data/v9.2/systemusers({ID[user]})",
        json={"isdisabled": True},
        headers={"Authorization": f"Bearer {token}", "If-Match": "*"},
        timeout=10,
    )
    assert answer.status_code == 204, answer.text


def test_an_environment_that_does_not_let_the_person_in_says_so(place: Place, browser: Browser):
    sign_in(browser, person="Priya Raman")
    disable(place, "user bookkeeper")
    form = choose(browser, place.environment)
    assert steps(form) == {MAY: "✗"}
    assert "does not let priya.raman@kowhai.example in" in words(form)


def test_an_environment_that_does_not_answer_is_said_and_can_be_tried_again(place: Place, browser: Browser):
    sign_in(browser)
    place.sandbox.faults.add(Fault("503", path="/api/data/"))
    page = choose(browser, place.environment)
    assert page.status == 400
    assert "Dataverse answered 503" in words(page)
    assert steps(choose(browser, place.environment))[MAY] == "✓"


# ── what may not be ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def refused(page: Page, notice: str = "state") -> None:
    assert page.status == 303
    assert page.headers["Location"] == f"{START}?notice={notice}"


def test_a_state_counts_once(place: Place, browser: Browser):
    back = consent(browser.post(START))
    assert browser.get(back).headers["Location"] == START
    redeemed = place.calls(TOKEN)

    refused(browser.get(back))

    assert place.calls(TOKEN) == redeemed
    assert "used already" in words(browser.get(f"{START}?notice=state"))


def test_a_state_counts_once_even_when_it_comes_back_twice_at_the_same_moment(place: Place, browser: Browser, monkeypatch):
    back = consent(browser.post(START))
    spend, others = place.store.replace, []

    def overtaken(*arguments: Any) -> str:
        monkeypatch.setattr(place.store, "replace", spend)
        others.append(browser.get(back))
        return spend(*arguments)

    monkeypatch.setattr(place.store, "replace", overtaken)
    refused(browser.get(back))
    assert others[0].headers["Location"] == START
    assert place.calls(TOKEN) == 1


def test_a_state_is_spent_even_by_an_answer_that_helps_nobody(place: Place, browser: Browser):
    back = consent(browser.post(START))
    state = dict(parse_qsl(urlsplit(back).query))["state"]
    browser.get(f"{CALLBACK}?{urlencode({'state': state, 'error': 'server_error'})}")
    refused(browser.get(back))
    assert place.calls(TOKEN) == 0


def test_a_state_belongs_to_the_browser_that_began(place: Place, browser: Browser):
    back = consent(browser.post(START))
    other = open_browser(place)
    refused(other.get(back))
    other.get(START)
    refused(other.get(back))
    other.post(START)
    refused(other.get(back))
    assert place.calls(TOKEN) == 0


def test_a_state_belongs_to_the_person_who_began(place: Place):
    entra = {"is_behind_entra": True, "portal_admins": ("ada", "eve")}
    ada = open_browser(place, {"x-ms-client-principal": principal(("oid", "ada"))}, **entra)
    back = consent(ada.post(START))
    eve = open_browser(place, {"x-ms-client-principal": principal(("oid", "eve"))}, **entra)
    eve.cookies = ada.cookies
    refused(eve.get(back))
    assert place.calls(TOKEN) == 0
    listed = ada.follow(ada.get(back))
    assert "Kōwhai" in words(listed)
    assert "Kōwhai" not in words(eve.get(START))
    assert choose(eve, place.environment).status == 400


@pytest.mark.parametrize("state", ["", "x", "é", "a" * 43])
def test_a_foreign_state_is_refused_and_costs_no_code(place: Place, browser: Browser, state):
    browser.post(START)
    refused(browser.get(f"{CALLBACK}?{urlencode({'code': 'stolen', 'state': state})}"))
    assert place.calls(TOKEN) == 0


def test_a_state_ends_after_ten_minutes(place: Place, browser: Browser):
    back = consent(browser.post(START))
    place.clock.move(minutes=10)
    refused(browser.get(back))
    assert place.calls(TOKEN) == 0


def test_a_sign_in_ends_after_ten_minutes_and_is_deleted(place: Place, browser: Browser):
    sign_in(browser)
    choose(browser, place.environment)
    place.clock.move(minutes=9, seconds=59)
    connect_dynamics.forget_ended(place.store, place.clock.now())
    assert len(place.visits()) == 1
    place.clock.move(seconds=1)

    ended = choose(browser, place.environment)
    assert ended.status == 400
    assert "Your sign-in has ended" in words(ended)
    assert steps(browser.get(FORM)) == {}
    connect_dynamics.forget_ended(place.store, place.clock.now())
    assert place.visits() == []


def test_a_code_of_another_sign_in_is_of_no_use(place: Place, browser: Browser):
    """PKCE: the code was made for another challenge."""
    stolen = dict(parse_qsl(urlsplit(consent(open_browser(place).post(START))).query))["code"]
    mine = dict(parse_qsl(urlsplit(consent(browser.post(START))).query))
    page = browser.follow(browser.get(f"{CALLBACK}?{urlencode({**mine, 'code': stolen})}"))
    assert page.status == 400
    assert "AADSTS501481" in words(page)
    assert "Kōwhai" not in words(page)


@pytest.mark.parametrize("token", [None, "", "made-up", "é"])
def test_a_form_without_our_token_is_refused(place: Place, browser: Browser, token):
    sign_in(browser)
    place.sandbox.log.clear()
    form = {"environment": place.environment, **({} if token is None else {"form_token": token})}
    for url in (START, CHOOSE):
        assert browser.send("POST", url, form).status == 403
    assert place.sandbox.log == []


def test_a_form_of_another_site_or_browser_is_refused(place: Place, browser: Browser):
    token = re.search(r'name="form_token" value="([^"]+)"', browser.get(START).html)
    assert token
    form = {"form_token": token.group(1)}
    assert browser.send("POST", START, form, origin="https://evil.example").status == 403
    other = open_browser(place)
    other.get(START)
    assert other.send("POST", START, form).status == 403
    assert place.sandbox.log == []
    assert browser.send("POST", START, form, origin=PUBLIC).status == 303


@pytest.mark.parametrize(
    ("header", "believed", "status"),
    [
        (None, True, 401),
        (None, False, 403),
        (principal(("oid", ADA)), False, 403),
        (principal(("oid", "somebody")), True, 403),
        (principal(("oid", ADA)), True, 200),
    ],
)
def test_only_an_administrator_the_platform_vouches_for_gets_in(place: Place, header, believed, status):
    headers = {} if header is None else {"x-ms-client-principal": header}
    https = {"public_url": "https://connector.example.com", "portal_admins": (ADA,), "is_behind_entra": believed}
    browser = open_browser(place, headers, **https)
    assert browser.get(START).status == status
    assert browser.get(CALLBACK).status == (status if status != 200 else 303)
    if status != 200:
        assert browser.send("POST", START, {}).status == status
        assert browser.send("POST", CHOOSE, {}).status == status
    assert place.sandbox.log == []


@pytest.mark.parametrize(("method", "url"), [("POST", CALLBACK), ("GET", CHOOSE), ("PUT", START), ("GET", f"{START}/other")])
def test_what_is_no_page_is_not_found(browser: Browser, method, url):
    browser.get(START)
    assert browser.send(method, url).status == 404


# ── what may go wrong ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_person_who_cancels_reads_that_nothing_has_changed(place: Place, browser: Browser):
    page = sign_in(browser, person="")
    assert page.status == 400
    assert "Access was not allowed" in words(page)
    assert "Nothing has changed" in words(page)
    assert place.calls(TOKEN) == 0
    assert browser.get(START).status == 200, "it is said once"


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (("access_denied", "AADSTS65004: User declined"), "You chose not to allow"),
        (("access_denied", "AADSTS90094: needs an administrator"), "only an administrator consent"),
        (("invalid_client", "AADSTS650056: Misconfigured application."), "lacks the delegated permission"),
        (("access_denied", "AADSTS50105: not assigned"), "not assigned to the app"),
        (("temporarily_unavailable", ""), "just now"),
        (("interaction_required", "AADSTS53003: blocked"), "Conditional Access"),
        (("<script>alert(1)</script>", "<script>alert(2)</script> AADSTS12345678901234567890"), "it gave no reason"),
        (("whatever", "call 0800 EVIL now, AADSTS99999"), "it refused (AADSTS99999)"),
    ],
)
def test_a_refusal_of_microsoft_is_told_by_its_code_alone(place: Place, browser: Browser, answer, sentence):
    state = dict(parse_qsl(urlsplit(browser.post(START).headers["Location"]).query))["state"]
    query = {"state": state, "error": answer[0], "error_description": answer[1]}
    page = browser.follow(browser.get(f"{CALLBACK}?{urlencode(query)}"))
    assert page.status == 400
    assert sentence in words(page)
    assert "EVIL" not in page.html
    assert "<script" not in page.html
    assert place.calls(TOKEN) == 0


def test_a_wrong_secret_names_its_setting(place: Place):
    page = sign_in(open_browser(place, dataverse_client_secret="wrong"))
    assert page.status == 400
    assert "check DATAVERSE_CLIENT_SECRET (AADSTS7000215)" in words(page)


def test_a_tenant_that_does_not_exist_names_its_setting(place: Place):
    page = sign_in(open_browser(place, dataverse_tenant_id="00000000-0000-0000-0000-000000000001"))
    assert "check DATAVERSE_TENANT_ID (AADSTS90002)" in words(page)


def test_a_person_of_another_tenant_is_refused(place: Place, browser: Browser):
    token: Any = place.app.view_functions["entra.token"]

    def of_another_tenant() -> Response:
        told = token(place.sandbox.directory.tenant).get_json()
        header, claims, signature = told["id_token"].split(".")
        changed = json.loads(base64.urlsafe_b64decode(claims + "==")) | {"tid": "99999999-9999-9999-9999-999999999999"}
        claims = base64.urlsafe_b64encode(json.dumps(changed).encode()).decode().rstrip("=")
        return jsonify(told | {"id_token": f"{header}.{claims}.{signature}"})

    answering(place, "entra.token", of_another_tenant)
    page = sign_in(browser)
    assert page.status == 400
    assert "You signed in to another tenant" in words(page)
    assert place.calls("Instances") == 0
    assert "Kōwhai" not in words(browser.get(START))


def test_without_a_tenant_in_the_settings_any_is_taken(place: Place):
    assert "Kōwhai" in words(sign_in(open_browser(place, dataverse_tenant_id="")))


@pytest.mark.parametrize(
    "answer",
    [
        lambda: Response("<html>", 200, {"Content-Type": "text/html"}),
        lambda: jsonify([]),
        lambda: jsonify("access_token"),
        lambda: jsonify({}),
        lambda: jsonify(access_token=5),
        lambda: jsonify(access_token={"a": 1}, id_token="x"),
        lambda: jsonify(access_token="a", id_token="not.a-token.x"),
        lambda: jsonify(error={"a": 1}, error_description=[]),
        lambda: Response("", 302, {"Location": "/elsewhere"}),
        lambda: Response("oops", 500),
        lambda: Response("", 429),
    ],
)
def test_whatever_the_token_endpoint_says_is_an_error_in_words(place: Place, browser: Browser, answer):
    answering(place, "entra.token", answer)
    page = sign_in(browser)
    assert page.status == 400
    assert "Microsoft Entra ID" in words(page)
    assert "oops" not in page.html
    assert place.calls("Instances|elsewhere") == 0


@pytest.mark.parametrize(
    "answer",
    [
        lambda: Response("<html>", 200),
        lambda: jsonify([]),
        lambda: jsonify({}),
        lambda: Response("", 503),
        lambda: Response("", 404),
        lambda: Response("", 302, {"Location": "/elsewhere"}),
    ],
)
def test_a_directory_that_says_nothing_useful_is_an_error_in_words(place: Place, browser: Browser, answer):
    answering(place, "entra.configuration", answer)
    page = browser.post(START)
    assert page.status == 400
    assert "Microsoft Entra ID" in words(page)
    assert place.visits() == []
    assert place.calls("elsewhere") == 0


def test_a_directory_that_cannot_be_reached_is_an_error_in_words(place: Place):
    with unanswered() as port:
        page = open_browser(place, dataverse_authority_url=f"https://localhost:{port}").post(START)
    assert page.status == 400
    assert "Microsoft Entra ID cannot be reached" in words(page)


@pytest.mark.parametrize("kind", ["503", "500", "html502", "429", "drop_before", "drop_after"])
def test_a_discovery_service_that_fails_is_asked_again_without_another_sign_in(place: Place, browser: Browser, kind):
    place.sandbox.faults.add(Fault(kind, path="Instances"))
    page = sign_in(browser)
    assert page.status == 400
    assert "The environments cannot be listed" in words(page)
    again = browser.get(START)
    assert again.status == 200
    assert "Kōwhai" in words(again)


def test_a_discovery_service_that_refuses_says_so(place: Place, browser: Browser):
    place.sandbox.faults.add(Fault("token_expired", path="Instances"))
    assert "does not accept your sign-in (401)" in words(sign_in(browser))


def test_a_person_without_environments_is_told_what_to_do(place: Place, browser: Browser):
    listing(place)
    page = sign_in(browser)
    assert page.status == 200
    assert "may use no enabled environment" in words(page)
    assert "Sign in with Microsoft" in words(page)


def test_without_an_app_registration_nothing_is_offered(place: Place):
    browser = open_browser(place, dataverse_client_id="", dataverse_client_secret="")
    assert START not in browser.get(FORM).html
    page = browser.post(START)
    assert page.status == 400
    assert "DATAVERSE_CLIENT_ID is empty" in words(page)


# ── what others say ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def buttons(page: Page) -> list[str]:
    return re.findall(r'<button name="environment" value="([^"]*)"', page.html)


@pytest.mark.parametrize(
    "hostile",
    [
        {"Url": "javascript:alert(1)"},
        {"Url": "https://evil.example"},
        {"Url": "http://contoso.crm.dynamics.com"},
        {"Url": "https://contoso.crm.dynamics.com@evil.example"},
        {"Url": "https://contoso.crm.dynamics.com/path"},
        {"Url": "https://169.254.169.254"},
        {"Url": '"><script>alert(1)</script>'},
        {"Url": "https://evil.example\r\nSet-Cookie: a=b"},
        {"Url": 5, "ApiUrl": "https://contoso.api.crm.dynamics.com"},
        {"Url": None},
        {"Url": "https://other.crm.dynamics.com", "TenantId": "99999999-9999-9999-9999-999999999999"},
        {"Url": "https://off.crm.dynamics.com", "State": 1},
    ],
)
def test_only_what_may_be_connected_can_be_chosen(place: Place, browser: Browser, hostile):
    listing(place, instance(place), instance(place, FriendlyName="Evil", **hostile), "text", 7, None, [1], {})
    page = sign_in(browser)
    assert buttons(page) == [place.environment]
    assert "<script" not in page.html
    assert "javascript:" not in re.sub(r"<code>.*?</code>", "", page.html)


def test_an_environment_of_another_tenant_says_why_it_cannot_be_chosen(place: Place, browser: Browser):
    listing(place, instance(place, TenantId="99999999-9999-9999-9999-999999999999"))
    page = sign_in(browser)
    assert buttons(page) == []
    assert "It belongs to another tenant than the app." in words(page)


def test_the_api_address_and_the_usual_one_are_one_environment(place: Place, browser: Browser):
    both = (instance(place, Url=f"https://contoso{api}.crm4.dynamics.com") for api in ("", ".api"))
    listing(place, *both)
    assert buttons(sign_in(browser)) == ["contoso.crm4.dynamics.com"]


def test_a_name_cannot_write_into_the_page(place: Place, browser: Browser):
    name = '<img src=x onerror="alert(1)">\u202e\x00\n' + "A" * 5000
    listing(place, instance(place, FriendlyName=name, Region={"a": "<b>"}, UniqueName=7))
    page = sign_in(browser)
    assert "<img" not in page.html
    assert "\u202e" not in page.html
    assert "\x00" not in page.html
    assert "A" * 101 not in page.html
    assert buttons(page) == [place.environment]


@pytest.mark.parametrize(
    "value",
    [
        *("", "evil.example", "x@evil.example", "evil.example/.dynamics.com", "a.dynamics.com:8443", "169.254.169.254"),
        "contoso.crm.dynamics.com/api?x=",
    ],
)
def test_an_environment_that_was_not_offered_is_not_spoken_to(place: Place, browser: Browser, value):
    sign_in(browser)
    place.sandbox.log.clear()
    page = choose(browser, value)
    assert page.status == 400
    assert place.calls(TOKEN) == 0


@pytest.mark.parametrize("value", [5, [], "x", [{"name": {"a": 1}}], [None, 7]])
def test_an_environments_own_answers_cannot_break_the_page(value):
    class Hostile:
        def send(self, environment: str, operations: Any) -> list[Answer]:
            said = [Answer(200, {}, {"value": value}) for _ in operations]
            said[-1] = Answer(200, {}, {"value": [{"fullname": value, "systemuserroles_association": value}]})
            return said

    found = connect_dynamics.examine(Hostile(), "contoso.crm.dynamics.com", "ada", CLIENT_ID)
    assert [step["title"] for step in found.steps] == [MAY, INSTALLED, USER, ROLE]


# ── nothing leaks ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_persons_tokens_are_in_no_log_no_page_and_only_sealed_in_the_table(place: Place, browser: Browser, caplog):
    issued: list[str] = []
    token: Any = place.app.view_functions["entra.token"]

    def listening(**named: str) -> Any:
        answer = token(**named)
        found = answer.get_json()
        issued.extend(str(found[name]) for name in ("access_token", "refresh_token", "id_token") if name in found)
        return answer

    place.app.view_functions["entra.token"] = listening
    caplog.set_level(logging.DEBUG)
    seen: list[str] = []
    back = consent(browser.post(START))
    code = dict(parse_qsl(urlsplit(back).query))["code"]
    seen += [repr(row) for row in place.visits()]
    for page in (browser.get(back), browser.get(START), choose(browser, place.environment), browser.get(START)):
        seen += [page.html, repr(page.headers), *(repr(row) for row in place.visits())]
    place.sandbox.faults.add(Fault("500", path="/api/data/"))
    seen.append(choose(browser, place.environment).html)

    assert len(issued) >= 5
    everywhere = "\n".join(seen)
    for secret in [*issued, code, browser.cookies["connector"], CLIENT_SECRET]:
        assert secret not in caplog.text
        assert secret not in everywhere
        assert secret.rpartition(".")[2] not in everywhere
    assert "aroha" not in repr(place.visits()), "not even who it was"


def test_a_persons_token_goes_to_the_environment_they_chose_and_no_other(place: Place):
    browser = open_browser(place)
    sign_in(browser)
    visitor = Visitor("local", "local", browser.cookies["connector"])
    visit = connect_dynamics.read_visit(place.connecting, visitor, place.clock.now())
    assert visit is not None
    person = connect_dynamics.sign_in(place.connecting).as_person(visit.secret["refresh_token"], place.environment)
    assert person.send(place.environment, [Operation("GET", "WhoAmI")])[0].body["UserId"] == ID["user admin"]
    with pytest.raises(ConfigurationError, match="the environment they chose"):
        person.send("contoso.crm.dynamics.com", [Operation("GET", "WhoAmI")])


def test_a_sealed_visit_moved_to_another_browser_does_not_open(place: Place, browser: Browser):
    sign_in(browser)
    other = open_browser(place)
    other.post(START)
    mine, theirs = (connect_dynamics._hash(one.cookies["connector"]) for one in (browser, other))
    row = place.store.read("grants", "dynamics", mine)
    assert row is not None
    place.store.upsert("grants", "dynamics", theirs, dict(row.values))
    page = other.get(START)
    assert page.status == 502
    assert "Kōwhai" not in words(page)


def test_the_pages_are_protected_like_the_others(place: Place, browser: Browser):
    first = browser.get(START)
    assert "HttpOnly" in first.headers["Set-Cookie"]
    assert "SameSite=Lax" in first.headers["Set-Cookie"]
    for page in (first, sign_in(browser), choose(browser, place.environment), browser.get(CALLBACK)):
        assert page.headers["Cache-Control"] == "no-store"
        assert page.headers["Referrer-Policy"] == "same-origin"
        if page.html:
            policy = page.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none'")
            assert "frame-ancestors 'none'" in policy
            assert "<script" not in page.html
            assert " style=" not in page.html
    assert f"form-action 'self' https://{place.environment};" in first.headers["Content-Security-Policy"]


def test_every_person_of_the_stand_in_can_be_signed_in(place: Place):
    for _, first, last, mail, _ in PEOPLE:
        assert mail in words(sign_in(open_browser(place), person=f"{first} {last}"))
