"""Before any endpoint does anything: tokens, organisations, scopes, limits, idempotency, faults, formats."""

import gzip
import threading
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
import requests

from sandbox.xero import ConnectionDropped, Fault, create_app
from sandbox.xero.demo_company import NZ, UK
from sandbox.xero.limits import Limits, RateLimiter
from tests.patience import until
from tests.sandbox.xero.callers import API, NOW, Caller, invoice, messages, sign_in


def caller(**limits: Any) -> Any:
    app = create_app(now=lambda: NOW, limits=Limits(**limits))
    client = app.test_client()
    return Caller(client, sign_in(client)["access_token"], NZ), app.extensions["sandbox"]


# --- tokens, organisations, scopes -------------------------------------------------------------------------------------


def test_an_expired_access_token_is_a_401_that_says_so(nz, sandbox):
    """developer.xero.com accounting/response-codes"""
    sandbox.clock.advance(30 * 60)
    answer = nz.get("Organisation")
    assert answer.status_code == 401
    assert answer.get_json()["Title"] == "Unauthorized"
    assert answer.get_json()["Detail"].startswith("TokenExpired: token expired at ")


@pytest.mark.parametrize("authorization", ["", "Bearer nonsense", "Basic eDp5"])
def test_no_usable_token_is_a_401(client, authorization):
    """developer.xero.com accounting/response-codes"""
    answer = client.get(f"{API}/Organisation", headers={"Authorization": authorization, "xero-tenant-id": NZ})
    assert (answer.status_code, answer.get_json()["Detail"]) == (401, "AuthenticationUnsuccessful")


@pytest.mark.parametrize("tenant", [UK, "00000000-0000-0000-0000-000000000000", ""])
def test_an_organisation_not_connected_is_a_403(nz, tenant):
    """developer.xero.com guides/oauth2/tenants; XeroAPI/xero-node issue 472"""
    nz.tenant = tenant
    answer = nz.get("Organisation")
    assert answer.status_code == 403
    assert (answer.get_json()["Title"], answer.get_json()["Detail"]) == ("Forbidden", "AuthenticationUnsuccessful")


@pytest.mark.parametrize(
    ("scope", "allowed", "refused"),
    [
        ("accounting.invoices", "Invoices", "Contacts"),
        ("accounting.invoices", "Items", "Payments"),
        ("accounting.payments", "Payments", "Invoices"),
        ("accounting.contacts", "Contacts", "Accounts"),
        ("accounting.settings", "Items", "Invoices"),
        ("accounting.settings.read", "TaxRates", "Contacts"),
        ("accounting.contacts.read", "Contacts", "Organisation"),
    ],
)
def test_each_endpoint_asks_for_its_granular_scope(client, scope, allowed, refused):
    """developer.xero.com guides/oauth2/scopes; faq/granular-scopes spells the error insufficent_scope"""
    someone = Caller(client, sign_in(client, scopes=scope)["access_token"], NZ)
    assert someone.get(allowed).status_code == 200
    answer = someone.get(refused)
    assert answer.status_code == 401
    assert "insufficent_scope" in answer.headers["WWW-Authenticate"]


def test_a_read_scope_does_not_write(client):
    """developer.xero.com guides/oauth2/scopes"""
    reader = Caller(client, sign_in(client, scopes="accounting.contacts.read")["access_token"], NZ)
    answer = reader.put("Contacts", {"Contacts": [{"Name": "New"}]})
    assert answer.status_code == 401
    assert "insufficent_scope" in answer.headers["WWW-Authenticate"]


# --- formats -----------------------------------------------------------------------------------------------------------


def test_whoever_does_not_ask_for_json_gets_xml(nz):
    """developer.xero.com accounting/requests-and-responses"""
    answer = nz.get("Currencies", headers={"Accept": "*/*"})
    assert answer.content_type.startswith("text/xml")
    assert ElementTree.fromstring(answer.data).findtext("Currencies/Currency/Code") == "NZD"


@pytest.mark.parametrize("path", ["Invoices/00000000-0000-0000-0000-000000000000", "Contacts/nobody", "Nonsense", "Accounts/x"])
def test_what_is_not_found_is_an_empty_page_of_html(nz, path):
    """Recorded in September 2026 against Demo Company (NZ)"""
    answer = nz.get(path)
    assert (answer.status_code, answer.data) == (404, b"")
    assert answer.content_type.startswith("text/html")


def test_answers_are_compressed_for_whoever_can_read_it(nz):
    """developer.xero.com accounting/requests-and-responses"""
    plain = nz.get("Accounts")
    packed = nz.get("Accounts", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert b'"Accounts"' in gzip.decompress(packed.data)
    assert len(packed.data) < len(plain.data) / 4


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'{"Invoices": 3}', b'{"Invoices": [{"Type": "ACCREC"}], "Other": 1}'])
def test_a_body_that_cannot_be_read_is_a_400(nz, body):
    """developer.xero.com accounting/response-codes"""
    answer = nz.client.put(f"{API}/Invoices", data=body, headers=nz.headers())
    assert (answer.status_code, answer.get_json()["Type"]) == (400, "PostDataInvalidException")


@pytest.mark.parametrize("body", [{"Invoices": []}, {}])
def test_a_body_without_elements_is_a_400_of_its_own(nz, body):
    """developer.xero.com accounting/response-codes"""
    answer = nz.put("Invoices", body)
    assert (answer.status_code, answer.get_json()["Type"]) == (400, "NoDataProcessedException")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Typ", "ACCREC"),
        ("CurrencyRate", "1.0"),
        ("CurrencyRate", 1e300),
        ("CurrencyRate", float("nan")),
        ("Date", "20 November 2026"),
        ("SentToContact", "true"),
        ("InvoiceNumber", 7),
        ("BrandingThemeID", "standard"),
        ("LineItems", {}),
        ("Contact", "Kiwi Solar Ltd"),
    ],
)
def test_a_field_of_the_wrong_name_or_type_is_refused(nz, contact, field, value):
    """The stand-in's own strictness: Xero converts or ignores some of these, and a mapping error would go unseen"""
    answer = nz.put("Invoices", {"Invoices": [invoice(contact, **{field: value})]})
    assert answer.status_code == 400
    assert (answer.get_json()["ErrorNumber"], answer.get_json()["Type"]) == (14, "PostDataInvalidException")


def test_an_unknown_field_is_ignored_when_asked_to_be_lenient(nz, contact):
    """developer.xero.com accounting/requests-and-responses: unknown elements are passed over"""
    assert nz.put("Invoices", {"Invoices": [invoice(contact, Typo="x")]}, strict="False").status_code == 200


# --- limits ------------------------------------------------------------------------------------------------------------


def test_every_answer_says_what_is_left(nz):
    """developer.xero.com guides/oauth2/limits"""
    answer = nz.get("Organisation")
    assert answer.headers["X-MinLimit-Remaining"] == "9999"
    assert answer.headers["X-DayLimit-Remaining"] == "9999"
    assert answer.headers["X-AppMinLimit-Remaining"] == "9999"


def test_the_61st_call_of_a_minute_is_refused_with_an_empty_body():
    """Recorded in September 2026 against Demo Company (NZ); developer.xero.com guides/oauth2/limits"""
    someone, sandbox = caller()
    assert [someone.get("Organisation").status_code for _ in range(60)] == [200] * 60
    sandbox.clock.advance(34)
    answer = someone.get("Organisation")
    assert (answer.status_code, answer.data) == (429, b"")
    assert "Content-Type" not in answer.headers
    assert answer.headers["X-Rate-Limit-Problem"] == "minute"
    assert answer.headers["Retry-After"] == "26"
    assert answer.headers["X-MinLimit-Remaining"] == "0"
    assert answer.headers["X-DayLimit-Remaining"] == "939", "a refused call costs, too"
    sandbox.clock.advance(26)
    assert someone.get("Organisation").status_code == 200


def test_the_day_of_a_new_app_has_a_thousand_calls_and_ends_a_day_after_its_first():
    """developer.xero.com guides/oauth2/limits, Starter tier"""
    assert Limits().day == 1000
    someone, sandbox = caller(day=3)
    for _ in range(3):
        someone.get("Organisation")
    sandbox.clock.advance(3600)
    someone.token = sign_in(someone.client)["access_token"]
    answer = someone.get("Organisation")
    assert (answer.status_code, answer.headers["X-Rate-Limit-Problem"]) == (429, "day")
    assert answer.headers["Retry-After"] == str(23 * 3600)


def test_the_minute_of_an_app_spans_its_organisations():
    """developer.xero.com guides/oauth2/limits"""
    someone, _ = caller(app_minute=2)
    someone.token = sign_in(someone.client, tenant=UK)["access_token"]
    someone.get("Organisation")
    someone.tenant = UK
    someone.get("Organisation")
    answer = someone.get("Organisation")
    assert (answer.status_code, answer.headers["X-Rate-Limit-Problem"]) == (429, "appminute")


def test_organisations_do_not_share_their_minute(client):
    """developer.xero.com guides/oauth2/limits"""
    limiter = RateLimiter(Limits(minute=1), lambda: NOW)
    assert limiter.enter("app", "one").problem is None
    assert limiter.enter("app", "two").problem is None
    assert limiter.enter("app", "one").problem == "minute"


def test_a_sixth_call_at_once_is_refused_without_retry_after():
    """developer.xero.com guides/oauth2/limits"""
    limiter = RateLimiter(Limits(), lambda: NOW)
    assert [limiter.enter("app", "one").problem for _ in range(5)] == [None] * 5
    verdict = limiter.enter("app", "one")
    assert (verdict.problem, verdict.retry_after) == ("concurrent", None)
    for _ in range(6):
        limiter.leave("app", "one")
    assert limiter.enter("app", "one").problem is None
    assert limiter.peak("one") == 6


def test_slow_calls_fill_the_five_places(server, nz, sandbox):
    """developer.xero.com guides/oauth2/limits"""
    slow = Fault("delay", path="/Organisation$", seconds=60, times=6)
    sandbox.faults.add(slow)
    statuses: list[int] = []
    url = f"http://localhost:{server.port}{API}/Organisation"

    def call() -> Any:
        statuses.append(requests.get(url, headers=nz.headers(), timeout=120).status_code)

    threads = [threading.Thread(target=call) for _ in range(6)]
    for thread in threads:
        thread.start()
    until(lambda: statuses)
    slow.over.set()
    for thread in threads:
        thread.join()
    assert statuses[0] == 429
    assert sorted(statuses) == [200] * 5 + [429]


# --- idempotency -------------------------------------------------------------------------------------------------------


def test_the_same_request_with_the_same_key_is_done_once(nz, sandbox, contact):
    """developer.xero.com guides/idempotent-requests/idempotency"""
    body = {"Invoices": [invoice(contact)]}
    before = len(sandbox.documents(NZ, "invoice"))
    first, second = nz.put("Invoices", body, key="k"), nz.put("Invoices", body, key="k")
    assert first.data == second.data
    assert len(sandbox.documents(NZ, "invoice")) == before + 1
    assert [entry.replayed for entry in sandbox.log.entries() if entry.idempotency_key] == [False, True]


def test_after_six_minutes_the_key_is_forgotten_and_a_duplicate_is_made(nz, sandbox, contact):
    """developer.xero.com guides/idempotent-requests/idempotency"""
    body = {"Invoices": [invoice(contact)]}
    first = nz.put("Invoices", body, key="k").get_json()["Invoices"][0]["InvoiceID"]
    sandbox.clock.advance(359)
    assert nz.put("Invoices", body, key="k").get_json()["Invoices"][0]["InvoiceID"] == first
    sandbox.clock.advance(1)
    assert nz.put("Invoices", body, key="k").get_json()["Invoices"][0]["InvoiceID"] != first


@pytest.mark.parametrize("different", ["body", "method", "url"])
def test_a_key_used_for_another_request_is_a_400(nz, different):
    """developer.xero.com guides/idempotent-requests/idempotency: the same URL, method and body"""
    body = {"Contacts": [{"Name": "Once"}]}
    assert nz.put("Contacts", body, key="k").status_code == 200
    answer = {
        "body": lambda: nz.put("Contacts", {"Contacts": [{"Name": "Twice"}]}, key="k"),
        "method": lambda: nz.post("Contacts", body, key="k"),
        "url": lambda: nz.put("Contacts", body, key="k", summarizeErrors="false"),
    }[different]()
    assert answer.status_code == 400
    assert answer.get_json()["Message"] == "Idempotency Key: k is used with a different request."


def test_a_key_longer_than_128_characters_is_a_400(nz):
    """XeroAPI/Xero-OpenAPI accounting: Idempotency-Key, 128 character max"""
    assert nz.put("Contacts", {"Contacts": [{"Name": "A"}]}, key="k" * 128).status_code == 200
    answer = nz.put("Contacts", {"Contacts": [{"Name": "B"}]}, key="k" * 129)
    assert answer.status_code == 400
    assert "too long" in answer.get_json()["Message"]


def test_a_refusal_is_remembered_too(nz, sandbox, contact):
    """developer.xero.com guides/idempotent-requests/idempotency: errors are cached"""
    body = {"Invoices": [invoice(contact, CurrencyCode="CAD")]}
    first = nz.put("Invoices", body, key="k")
    assert messages(first) == ["Organisation is not subscribed to currency CAD"]
    nz.put("Currencies", {"Code": "CAD"})
    assert nz.put("Invoices", body, key="k").data == first.data, "still refused, though the cause is gone"
    assert nz.put("Invoices", body, key="another").status_code == 200


def test_an_internal_error_is_remembered_too(nz, sandbox, contact):
    """developer.xero.com guides/idempotent-requests/idempotency: errors are cached"""
    sandbox.faults.add(Fault("500", method="PUT"))
    body = {"Invoices": [invoice(contact)]}
    assert [nz.put("Invoices", body, key="k").status_code for _ in range(2)] == [500, 500]
    sandbox.clock.advance(360)
    assert nz.put("Invoices", body, key="k").status_code == 200


def test_a_get_ignores_the_key(nz):
    """developer.xero.com guides/idempotent-requests/idempotency"""
    assert nz.get("Organisation", headers={"Idempotency-Key": "k"}).status_code == 200
    assert nz.get("Currencies", headers={"Idempotency-Key": "k"}).status_code == 200


def test_the_rate_limit_comes_before_the_key():
    """developer.xero.com guides/idempotent-requests/idempotency: replays count"""
    someone, _ = caller(minute=2)
    body = {"Contacts": [{"Name": "Once"}]}
    answers = [someone.put("Contacts", body, key="k") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[1].headers["X-MinLimit-Remaining"] == "0"


# --- faults ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "status"), [("429", 429), ("500", 500), ("503", 503), ("html502", 502), ("token_expired", 401)])
def test_a_fault_happens_as_often_as_asked_and_nothing_is_done(nz, sandbox, kind, status):
    """What a client must live through; nothing of it is remembered but the 500"""
    sandbox.faults.add(Fault(kind, method="PUT", path="/Contacts$", times=2, skip=1, seconds=7))
    statuses = [nz.put("Contacts", {"Contacts": [{"Name": f"Number {n}"}]}).status_code for n in range(4)]
    assert statuses == [200, status, status, 200]
    names = [row["Name"] for row in sandbox.documents(NZ, "contact")]
    assert [f"Number {n}" in names for n in range(4)] == [True, False, False, True]


def test_a_429_fault_looks_like_the_minute_limit(nz, sandbox):
    """Recorded in September 2026 against Demo Company (NZ)"""
    sandbox.faults.add(Fault("429", seconds=26))
    answer = nz.get("Organisation")
    assert (answer.headers["Retry-After"], answer.headers["X-Rate-Limit-Problem"]) == ("26", "minute")


def test_an_applied_500_did_its_work(nz, sandbox):
    """The answer lies: only a look afterwards tells"""
    sandbox.faults.add(Fault("500_applied"))
    assert nz.put("Contacts", {"Contacts": [{"Name": "There"}]}).status_code == 500
    assert nz.get("Contacts", where='Name=="There"').get_json()["Contacts"]


@pytest.mark.parametrize(("kind", "done"), [("drop_before", False), ("drop_after", True)])
def test_a_dropped_connection_is_really_cut(server, nz, sandbox, kind, done):
    """The uncertain end of a write: the caller cannot tell the two apart"""
    sandbox.faults.add(Fault(kind, method="PUT"))
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.put(
            f"http://localhost:{server.port}{API}/Contacts",
            json={"Contacts": [{"Name": "Uncertain"}]},
            headers=nz.headers(),
            timeout=10,
        )
    assert ("Uncertain" in [row["Name"] for row in sandbox.documents(NZ, "contact")]) is done
    assert sandbox.log.entries()[-1].status == 0


def test_in_process_a_dropped_connection_is_an_exception(nz, sandbox):
    """There is no connection to cut"""
    sandbox.faults.add(Fault("drop_after", path="/Organisation"))
    with pytest.raises(ConnectionDropped):
        nz.get("Organisation")


def test_a_delayed_answer_was_prepared_before_the_wait(server, nz, sandbox):
    """A time-out on the caller's side says nothing about what Xero did"""
    slow = Fault("delay_after", method="PUT", seconds=60)
    sandbox.faults.add(slow)
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.put(
            f"http://localhost:{server.port}{API}/Contacts",
            json={"Contacts": [{"Name": "Slow"}]},
            headers=nz.headers(),
            timeout=(10, 0.2),
        )
    until(lambda: "Slow" in [row["Name"] for row in sandbox.documents(NZ, "contact")])
    assert not sandbox.calls("PUT"), "its answer still waits"
    slow.over.set()


def test_a_delayed_request_is_done_after_its_caller_has_gone(server, nz, sandbox):
    """The late arrival: a look right after the time-out sees nothing, and then it is there"""
    slow = Fault("delay", method="PUT", seconds=60)
    sandbox.faults.add(slow)
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.put(
            f"http://localhost:{server.port}{API}/Contacts",
            json={"Contacts": [{"Name": "Late"}]},
            headers=nz.headers(),
            timeout=(10, 0.2),
        )
    assert "Late" not in [row["Name"] for row in sandbox.documents(NZ, "contact")]
    slow.over.set()
    until(lambda: sandbox.calls("PUT"))
    assert "Late" in [row["Name"] for row in sandbox.documents(NZ, "contact")]


def test_a_lost_refresh_answer_has_rotated_the_token(client, sandbox):
    """developer.xero.com faq/oauth2/oauth-refresh-fail"""
    tokens = sign_in(client)
    sandbox.faults.add(Fault("drop_after", path="/connect/token"))
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    with pytest.raises(ConnectionDropped):
        client.post("/connect/token", data=form, auth=("sandbox-client", "sandbox-secret"))
    sandbox.clock.advance(timedelta(minutes=29).total_seconds())
    assert client.post("/connect/token", data=form, auth=("sandbox-client", "sandbox-secret")).status_code == 200
    sandbox.clock.advance(timedelta(minutes=2).total_seconds())
    assert client.post("/connect/token", data=form, auth=("sandbox-client", "sandbox-secret")).status_code == 400


# --- the sandbox's own switches ----------------------------------------------------------------------------------------


def test_faults_can_be_asked_for_over_http(nz, client):
    row = {"match": {"method": "get", "path": "/Organisation", "tenant": NZ}, "kind": "503", "times": 1}
    assert client.post("/sandbox/faults", json=[row]).status_code == 200
    assert nz.get("Currencies").status_code == 200
    assert nz.get("Organisation").status_code == 503
    client.post("/sandbox/faults", json=[row])
    assert client.delete("/sandbox/faults").get_json() == []
    assert nz.get("Organisation").status_code == 200


@pytest.mark.parametrize("row", [{"kind": "earthquake"}, {"kind": "503", "match": {"host": "x"}}, {"kind": "503", "often": 3}])
def test_a_fault_nobody_knows_is_refused(client, row):
    assert client.post("/sandbox/faults", json=[row]).status_code == 400


def test_the_clock_can_be_advanced_over_http(nz, client):
    client.post("/sandbox/clock", json={"advance_seconds": 1800})
    assert nz.get("Organisation").status_code == 401


def test_the_log_tells_what_was_asked_without_bodies_or_queries(nz, client):
    nz.put("Contacts", {"Contacts": [{"Name": "Secret"}]}, key="k")
    nz.get("Contacts", searchTerm="Secret")
    text = client.get("/sandbox/log").get_data(as_text=True)
    rows = client.get("/sandbox/log").get_json()
    assert "Secret" not in text
    assert [(row["method"], row["path"], row["status"], row["idempotency_key"]) for row in rows[-2:]] == [
        ("PUT", f"{API}/Contacts", 200, "k"),
        ("GET", f"{API}/Contacts", 200, ""),
    ]
    client.delete("/sandbox/log")
    assert client.get("/sandbox/log").get_json() == []


def test_the_state_shows_everything_of_one_organisation(nz, client):
    state = client.get("/sandbox/state", query_string={"organisation": "Demo Company (NZ)"}).get_json()
    numbers = {row["InvoiceNumber"]: row for row in state["invoice"]}
    assert numbers["INV-0051"]["Total"] == 1377.24
    assert len(state["contact"]) == 30
    assert client.get("/sandbox/state", query_string={"organisation": "Nobody"}).status_code == 400


def test_a_document_can_be_changed_as_a_person_in_xero_would(nz, client, contact):
    asked = {"organisation": NZ, "kind": "contact", "id": contact, "fields": {"ContactStatus": "ARCHIVED"}}
    assert client.post("/sandbox/change", json=asked).status_code == 200
    assert nz.get(f"Contacts/{contact}").get_json()["Contacts"][0]["ContactStatus"] == "ARCHIVED"
    assert client.post("/sandbox/change", json={**asked, "id": "nobody"}).status_code == 400


def test_a_reset_opens_the_demo_companies_again(nz, client, sandbox):
    nz.put("Contacts", {"Contacts": [{"Name": "Gone"}]})
    client.post("/sandbox/reset")
    assert "Gone" not in [row["Name"] for row in sandbox.documents(NZ, "contact")]
    assert client.get("/sandbox/log").get_json() == []
    assert nz.get("Organisation").status_code == 401, "tokens are gone, too"


def test_health_answers(client):
    assert client.get("/healthz").get_json()["status"] == "ok"
