"""Xero's identity service: what goes over the wire, once, and what its answers mean."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from shared.durations import Durations
from shared.errors import ConfigurationError, ConnectorError, Disconnected, NeedsReconnect, NotFound, Retryable, Uncertain
from shared.xero.oauth import Connection, OAuth, TokenSet, claims
from tests.fakes import START, FakeClock, Fault, FaultServer, HttpAnswer, refused_url

QUICK = replace(Durations(), connect=0.5, read=0.3)
SCOPES = ("offline_access", "accounting.invoices")
BASIC = "Basic " + base64.b64encode(b"app:app-secret").decode()


def jwt(**payload: Any) -> str:
    return f"eyJh.{base64.urlsafe_b64encode(json.dumps(payload).encode()).decode().rstrip('=')}.c2ln"


TOKEN = jwt(xero_userid="ann", exp=int((START + timedelta(minutes=30)).timestamp()), authentication_event_id="event-1")
ANSWER = HttpAnswer(
    200,
    {
        "id_token": "id",
        "access_token": TOKEN,
        "expires_in": 99,
        "token_type": "Bearer",
        "refresh_token": "next",
        "scope": "offline_access accounting.invoices",
    },
)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(ANSWER) as server:
        yield server


@pytest.fixture
def oauth(server: FaultServer) -> OAuth:
    return OAuth("app", "app-secret", FakeClock(), QUICK, "https://login.xero.com/", server.url, server.url)


def form(server: FaultServer) -> dict[str, list[str]]:
    return parse_qs(server.requests[-1].body.decode())


def test_the_consent_page_is_asked_for_everything(oauth: OAuth) -> None:
    url = urlsplit(oauth.authorize_url("https://app.example/connect/xero/callback", SCOPES, "s t&te", "challenge"))
    assert (url.scheme, url.netloc, url.path) == ("https", "login.xero.com", "/identity/connect/authorize")
    assert parse_qs(url.query) == {
        "response_type": ["code"],
        "client_id": ["app"],
        "redirect_uri": ["https://app.example/connect/xero/callback"],
        "scope": ["offline_access accounting.invoices"],
        "state": ["s t&te"],
        "code_challenge": ["challenge"],
        "code_challenge_method": ["S256"],
    }
    assert "code_challenge" not in oauth.authorize_url("https://app.example/", SCOPES, "s")


def test_a_code_is_exchanged_for_a_token_set(oauth: OAuth, server: FaultServer) -> None:
    tokens = oauth.exchange_code("c0de", "https://app.example/callback", "verifier")
    assert tokens == TokenSet(TOKEN, "next", START + timedelta(minutes=30), SCOPES)
    (request,) = server.requests
    assert (request.method, request.path, request.headers["authorization"]) == ("POST", "/connect/token", BASIC)
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert form(server) == {
        "grant_type": ["authorization_code"],
        "code": ["c0de"],
        "redirect_uri": ["https://app.example/callback"],
        "code_verifier": ["verifier"],
    }


def test_a_refresh_sends_the_token_and_no_scope(oauth: OAuth, server: FaultServer) -> None:
    assert oauth.refresh("now").refresh_token == "next"
    assert form(server) == {"grant_type": ["refresh_token"], "refresh_token": ["now"]}


def test_a_token_that_is_no_jwt_ends_when_the_answer_says(oauth: OAuth, server: FaultServer) -> None:
    server.answers = [HttpAnswer(200, {"access_token": "opaque", "expires_in": 1800, "refresh_token": "r"})]
    assert oauth.refresh("now").expires_at == START + timedelta(minutes=30)
    server.answers = [HttpAnswer(200, {"access_token": "opaque", "refresh_token": "r"})]
    assert oauth.refresh("now").expires_at == START + timedelta(minutes=30)


def test_a_custom_connection_uses_its_own_secret_and_has_no_refresh_token(oauth: OAuth, server: FaultServer) -> None:
    tokens = oauth.client_credentials("own-id", "own-secret", ("accounting.invoices",))
    assert tokens.refresh_token == ""
    assert server.requests[0].headers["authorization"] == "Basic " + base64.b64encode(b"own-id:own-secret").decode()
    assert form(server) == {"grant_type": ["client_credentials"], "scope": ["accounting.invoices"]}


def test_a_consent_is_revoked(oauth: OAuth, server: FaultServer) -> None:
    server.answers = [HttpAnswer(200)]
    oauth.revoke("now")
    assert (server.requests[0].path, server.requests[0].headers["authorization"]) == ("/connect/revocation", BASIC)
    assert form(server) == {"token": ["now"]}


def test_connections_are_the_organisations_of_a_token(oauth: OAuth, server: FaultServer) -> None:
    organisation = {"id": "c1", "authEventId": "e1", "tenantId": "t1", "tenantType": "ORGANISATION", "tenantName": "Acme"}
    practice = organisation | {"id": "c2", "tenantType": "PRACTICE"}
    server.answers = [
        HttpAnswer(
            200, [organisation, practice, {"id": "c3", "tenantId": "t3", "tenantType": "ORGANISATION", "tenantName": None}]
        )
    ]
    assert oauth.connections("access") == [Connection("c1", "t1", "Acme", "e1"), Connection("c3", "t3", "", "")]
    assert oauth.connections("access", "e 1")
    assert [request.path for request in server.requests] == ["/connections", "/connections?authEventId=e+1"]
    assert server.requests[0].headers["authorization"] == "Bearer access"


def test_one_organisation_is_disconnected(oauth: OAuth, server: FaultServer) -> None:
    server.answers = [HttpAnswer(204), HttpAnswer(404)]
    oauth.disconnect("access", "c/1")
    with pytest.raises(NotFound):
        oauth.disconnect("access", "c/1")
    assert [(request.method, request.path) for request in server.requests] == [("DELETE", "/connections/c%2F1")] * 2


@pytest.mark.parametrize("body", [b"[1", b"<html/>"])
def test_a_list_of_connections_nobody_can_read_is_retryable(oauth: OAuth, server: FaultServer, body: bytes) -> None:
    server.answers = [HttpAnswer(200, body)]
    with pytest.raises(Retryable):
        oauth.connections("access")


def test_connections_with_a_dead_token_say_what_they_mean(oauth: OAuth, server: FaultServer) -> None:
    server.answers = [HttpAnswer(403, {"Detail": "AuthenticationUnsuccessful"})]
    with pytest.raises(Disconnected):
        oauth.connections("access")


CALLS: dict[str, Callable[[OAuth], object]] = {
    "refresh": lambda oauth: oauth.refresh("SECRET-now"),
    "exchange": lambda oauth: oauth.exchange_code("SECRET-code", "https://app.example/"),
    "credentials": lambda oauth: oauth.client_credentials("id", "SECRET", SCOPES),
    "revoke": lambda oauth: oauth.revoke("SECRET-now"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (HttpAnswer(400, {"error": "invalid_grant", "error_description": "SECRET"}), NeedsReconnect),
        (HttpAnswer(400, {"error": "invalid_scope"}), ConfigurationError),
        (HttpAnswer(400, {"error": "unauthorized_client"}), ConfigurationError),
        (HttpAnswer(401, {"error": "invalid_client"}), ConfigurationError),
        (HttpAnswer(400, {"error": "SECRET token " * 20}), ConfigurationError),
        (HttpAnswer(400, {}), ConfigurationError),
        (HttpAnswer(429, headers={"Retry-After": "5"}), Retryable),
        (HttpAnswer(500, {"error": "invalid_grant"}), Retryable),
        (HttpAnswer(503, b"<html/>"), Retryable),
        (HttpAnswer(302, headers={"Location": "/connect/token"}), Retryable),
        (HttpAnswer(400, b"<html/>"), Retryable),
        (HttpAnswer(200, b"[]"), Retryable),
        (Fault.DROP, Retryable),
        (Fault.SILENCE, Retryable),
        (Fault.CUT, Retryable),
    ],
    ids=str,
)
def test_every_end_of_a_call_is_told_apart_and_is_sent_once(oauth, server, call, answer, expected) -> None:
    server.answers = [answer]
    with pytest.raises(ConnectorError) as raised:
        call(oauth)
    assert type(raised.value) is expected
    assert "SECRET" not in f"{raised.value!r} {raised.value.__cause__!r}"
    assert len(server.requests) == 1


@pytest.mark.parametrize("body", [{}, {"access_token": None}, {"access_token": ""}])
def test_an_answer_without_a_token_is_retryable(oauth: OAuth, server: FaultServer, body: dict[str, Any]) -> None:
    server.answers = [HttpAnswer(200, body)]
    with pytest.raises(Retryable):
        oauth.refresh("now")


def test_a_server_that_is_not_there_is_retryable() -> None:
    with refused_url() as url:
        oauth = OAuth("app", "s", FakeClock(), QUICK, url, url, url)
        with pytest.raises(Retryable):
            oauth.refresh("now")
        with pytest.raises(Retryable) as raised:
            oauth.disconnect("access", "c1")
    assert not isinstance(raised.value, Uncertain)


def test_the_claims_of_a_token_are_read() -> None:
    assert claims(TOKEN)["xero_userid"] == "ann"
    assert claims(TOKEN)["authentication_event_id"] == "event-1"
    assert claims(jwt(name="Zoë"))["name"] == "Zoë"


@pytest.mark.parametrize("token", ["", "opaque", "a.b", "a.b.c", "a.!!!.c", "a.W10.c", "a.€.c", "a.bnVsbA.c"])
def test_a_token_without_claims_has_none(token: str) -> None:
    assert claims(token) == {}


def test_a_token_set_shows_no_token() -> None:
    assert "SECRET" not in repr(TokenSet("SECRET-a", "SECRET-r", datetime(2026, 1, 1, tzinfo=UTC)))
