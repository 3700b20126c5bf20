"""login.xero.com and identity.xero.com: what a connector can rely on, and what it must not."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from flask.testing import FlaskClient

from sandbox.xero import Fault, XeroApp, create_app
from sandbox.xero.demo_company import NZ, UK, USERS
from sandbox.xero.sandbox import LOCAL_CALLBACK
from tests.sandbox.xero.callers import BASIC, NOW, SCOPES, Caller, sign_in

ASKED = {
    "client_id": "sandbox-client",
    "response_type": "code",
    "redirect_uri": LOCAL_CALLBACK,
    "scope": SCOPES,
    "state": "opaque",
}


def refreshed(client: FlaskClient, refresh_token: Any, headers: Any = BASIC, **more: Any) -> Any:
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token, **more}
    return client.post("/connect/token", data=form, headers=headers)


def connections(client: FlaskClient, token: Any, **query: Any) -> Any:
    return client.get("/connections", query_string=query, headers={"Authorization": f"Bearer {token}"})


def decided(client: FlaskClient, **changes: Any) -> Any:
    form = {**ASKED, "organisation": NZ, "user": USERS[0]["xero_userid"], "decision": "allow", **changes}
    return client.post("/identity/connect/authorize", data=form)


def code_of(answer: Any) -> Any:
    return parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]


def exchanged(client: FlaskClient, code: Any, redirect_uri: Any = LOCAL_CALLBACK, **more: Any) -> Any:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri, **more}
    return client.post("/connect/token", data=form, headers=BASIC)


def test_the_consent_page_names_the_app_its_scopes_and_every_organisation(client):
    """developer.xero.com guides/oauth2/auth-flow"""
    page = client.get("/identity/connect/authorize", query_string=ASKED)
    text = page.get_data(as_text=True)
    assert page.status_code == 200
    for words in (
        "Dynamics Connector",
        "accounting.invoices",
        "Demo Company (NZ)",
        "Demo Company (UK)",
        "Allow access",
        "Cancel",
    ):
        assert words in text


def test_the_consent_page_cannot_be_framed(client):
    """developer.xero.com guides/oauth2/auth-flow: frame-ancestors"""
    page = client.get("/identity/connect/authorize", query_string=ASKED)
    assert page.headers["Content-Security-Policy"] == "frame-ancestors 'none'"


def test_allowing_redirects_with_a_code_and_the_same_state(client):
    """developer.xero.com guides/oauth2/auth-flow"""
    answer = decided(client)
    query = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(LOCAL_CALLBACK + "?")
    assert query["state"] == ["opaque"]
    assert query["code"]


def test_cancelling_redirects_with_access_denied(client):
    """developer.xero.com guides/oauth2/auth-flow; RFC 6749 4.1.2.1"""
    query = parse_qs(urlsplit(decided(client, decision="cancel").headers["Location"]).query)
    assert query == {"error": ["access_denied"], "state": ["opaque"]}


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"scope": "offline_access accounting.transactions"}, "invalid_scope"),
        ({"scope": ""}, "invalid_scope"),
        ({"client_id": "nobody"}, "unauthorized_client"),
        ({"client_id": "sandbox-custom"}, "unauthorized_client"),
        ({"redirect_uri": LOCAL_CALLBACK + "/"}, "redirect_uri"),
        ({"redirect_uri": LOCAL_CALLBACK.replace("localhost", "127.0.0.1")}, "redirect_uri"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": "x", "code_challenge_method": "plain"}, "transform algorithm"),
    ],
)
def test_a_wrong_request_gets_an_error_page_and_no_redirect(client, changes, error):
    """developer.xero.com faq/granular-scopes: apps since March 2026 cannot ask for accounting.transactions"""
    for answer in (client.get("/identity/connect/authorize", query_string=ASKED | changes), decided(client, **changes)):
        assert answer.status_code == 400
        assert error in answer.get_data(as_text=True)
        assert "Location" not in answer.headers


def test_a_redirect_uri_on_127_0_0_1_cannot_be_registered():
    """developer.xero.com guides/oauth2/auth-flow: https, or http://localhost"""
    with pytest.raises(ValueError, match="localhost"):
        XeroApp("id", "secret", "name", ("http://127.0.0.1:7071/callback",))


def test_a_code_becomes_a_token_set(client):
    """developer.xero.com guides/oauth2/token-types"""
    tokens = sign_in(client, nonce="n-1")
    claims = jwt.decode(tokens["access_token"], options={"verify_signature": False})
    assert tokens["expires_in"] == 1800
    assert tokens["token_type"] == "Bearer"
    assert set(tokens["scope"].split()) == set(SCOPES.split())
    assert claims["xero_userid"] == USERS[0]["xero_userid"]
    assert claims["scope"] == tokens["scope"].split()
    assert claims["exp"] - NOW.timestamp() == 1800
    identity = jwt.decode(tokens["id_token"], options={"verify_signature": False})
    assert (identity["nonce"], identity["email"]) == ("n-1", USERS[0]["email"])
    assert identity["exp"] - NOW.timestamp() == 300


def test_a_code_works_once(client):
    """developer.xero.com guides/oauth2/auth-flow"""
    code = code_of(decided(client))
    assert exchanged(client, code).status_code == 200
    again = exchanged(client, code)
    assert (again.status_code, again.get_json()) == (400, {"error": "invalid_grant"})


def test_a_code_dies_after_five_minutes(client, sandbox):
    """developer.xero.com guides/oauth2/auth-flow"""
    code = code_of(decided(client))
    sandbox.clock.advance(300)
    assert exchanged(client, code).get_json() == {"error": "invalid_grant"}


def test_a_code_is_spent_by_a_wrong_redirect_uri(client):
    """RFC 6749 4.1.3: the redirect URI must be the one of the request"""
    code = code_of(decided(client))
    assert exchanged(client, code, "http://localhost:1/other").get_json() == {"error": "invalid_grant"}
    assert exchanged(client, code).get_json() == {"error": "invalid_grant"}


def test_a_code_with_a_challenge_needs_its_verifier(client):
    """developer.xero.com guides/oauth2/pkce-flow; the pair is RFC 7636 appendix B"""
    challenge = {"code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "code_challenge_method": "S256"}
    assert exchanged(client, code_of(decided(client, **challenge)), code_verifier="wrong").status_code == 400
    right = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert exchanged(client, code_of(decided(client, **challenge)), code_verifier=right).status_code == 200


def test_credentials_may_be_in_the_body(client):
    """xero_python.api_client.oauth2 sends them so"""
    tokens = sign_in(client)
    form = {"client_id": "sandbox-client", "client_secret": "sandbox-secret", "scope": "s p e l t"}
    assert refreshed(client, tokens["refresh_token"], {}, **form).status_code == 200


def test_a_wrong_secret_is_an_invalid_client(client):
    """RFC 6749 5.2"""
    form = {"grant_type": "refresh_token", "refresh_token": "x", "client_id": "sandbox-client", "client_secret": "wrong"}
    assert client.post("/connect/token", data=form).get_json() == {"error": "invalid_client"}


def test_an_unknown_grant_type_is_named(client):
    """RFC 6749 5.2"""
    answer = client.post("/connect/token", data={"grant_type": "password"}, headers=BASIC)
    assert answer.get_json() == {"error": "unsupported_grant_type"}


def test_refreshing_rotates_the_refresh_token(client):
    """developer.xero.com guides/oauth2/token-types"""
    first = sign_in(client)
    second = refreshed(client, first["refresh_token"]).get_json()
    assert second["refresh_token"] != first["refresh_token"]
    assert refreshed(client, second["refresh_token"]).status_code == 200


def test_the_previous_refresh_token_works_for_thirty_minutes_more(client, sandbox):
    """developer.xero.com faq/oauth2/oauth-refresh-fail"""
    first = sign_in(client)
    lost = refreshed(client, first["refresh_token"]).get_json()
    sandbox.clock.advance(30 * 60)
    saved = refreshed(client, first["refresh_token"])
    assert saved.status_code == 200
    assert refreshed(client, lost["refresh_token"]).get_json() == {"error": "invalid_grant"}, "the answer nobody saved is dead"
    assert refreshed(client, saved.get_json()["refresh_token"]).status_code == 200


def test_after_the_grace_the_previous_refresh_token_is_dead(client, sandbox):
    """developer.xero.com faq/oauth2/oauth-refresh-fail"""
    first = sign_in(client)
    refreshed(client, first["refresh_token"])
    sandbox.clock.advance(30 * 60 + 1)
    answer = refreshed(client, first["refresh_token"])
    assert (answer.status_code, answer.get_json()) == (400, {"error": "invalid_grant"})


def test_using_the_grace_does_not_prolong_it(client, sandbox):
    """developer.xero.com faq/oauth2/oauth-refresh-fail"""
    first = sign_in(client)
    refreshed(client, first["refresh_token"])
    sandbox.clock.advance(20 * 60)
    assert refreshed(client, first["refresh_token"]).status_code == 200
    sandbox.clock.advance(11 * 60)
    assert refreshed(client, first["refresh_token"]).status_code == 400


def test_a_refresh_token_older_than_the_previous_one_is_dead(client):
    """developer.xero.com guides/oauth2/token-types"""
    first = sign_in(client)
    second = refreshed(client, first["refresh_token"]).get_json()
    refreshed(client, second["refresh_token"])
    assert refreshed(client, first["refresh_token"]).get_json() == {"error": "invalid_grant"}


def test_a_refresh_token_unused_for_sixty_days_is_dead(client, sandbox):
    """developer.xero.com faq/oauth2"""
    tokens = sign_in(client)
    sandbox.clock.advance(60 * 86_400)
    tokens = refreshed(client, tokens["refresh_token"]).get_json()
    sandbox.clock.advance(60 * 86_400 + 1)
    assert refreshed(client, tokens["refresh_token"]).get_json() == {"error": "invalid_grant"}


def test_a_new_consent_of_the_same_user_supersedes_the_tokens_before(client):
    """developer.xero.com guides/oauth2/auth-flow, managing tokens"""
    first = sign_in(client, tenant=NZ)
    second = sign_in(client, tenant=UK)
    assert refreshed(client, first["refresh_token"]).get_json() == {"error": "invalid_grant"}
    tenants = [row["tenantId"] for row in connections(client, second["access_token"]).get_json()]
    assert tenants == [NZ, UK], "one token set serves both organisations"


def test_another_user_has_a_token_set_of_their_own(client):
    """developer.xero.com guides/oauth2/auth-flow, managing tokens"""
    first, second = sign_in(client, user=0), sign_in(client, user=1, tenant=UK)
    assert refreshed(client, first["refresh_token"]).status_code == 200
    assert [row["tenantId"] for row in connections(client, second["access_token"]).get_json()] == [UK]


def test_no_refresh_token_without_offline_access(client):
    """developer.xero.com guides/oauth2/scopes"""
    assert "refresh_token" not in sign_in(client, scopes="accounting.invoices")


def test_no_id_token_without_openid(client):
    """developer.xero.com guides/oauth2/scopes"""
    assert "id_token" not in sign_in(client, scopes="accounting.invoices offline_access")


def test_scopes_add_up_over_consents(client):
    """developer.xero.com faq/granular-scopes"""
    sign_in(client, scopes="offline_access accounting.invoices")
    assert set(sign_in(client, scopes="accounting.contacts")["scope"].split()) == {
        "offline_access",
        "accounting.invoices",
        "accounting.contacts",
    }


def test_connections_show_what_was_approved_in_this_consent(client):
    """developer.xero.com guides/oauth2/tenants"""
    sign_in(client, tenant=UK)
    tokens = sign_in(client, tenant=NZ)
    event = jwt.decode(tokens["access_token"], options={"verify_signature": False})["authentication_event_id"]
    [row] = connections(client, tokens["access_token"], authEventId=event).get_json()
    assert {**row, "id": "", "authEventId": ""} == {
        "id": "",
        "authEventId": "",
        "tenantId": NZ,
        "tenantType": "ORGANISATION",
        "tenantName": "Demo Company (NZ)",
        "createdDateUtc": "2026-11-21T00:30:00.0000000",
        "updatedDateUtc": "2026-11-21T00:30:00.0000000",
    }


def test_reconnecting_keeps_the_connection_and_moves_its_date(client, sandbox):
    """developer.xero.com guides/oauth2/tenants"""
    [before] = connections(client, sign_in(client)["access_token"]).get_json()
    sandbox.clock.advance(60)
    [after] = connections(client, sign_in(client)["access_token"]).get_json()
    assert (after["id"], after["createdDateUtc"]) == (before["id"], before["createdDateUtc"])
    assert after["updatedDateUtc"] > before["updatedDateUtc"]


def test_a_disconnected_organisation_is_forbidden_while_refreshing_goes_on(client):
    """developer.xero.com guides/oauth2/tenants; XeroAPI/xero-node issue 472"""
    tokens = sign_in(client)
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    [row] = connections(client, tokens["access_token"]).get_json()
    assert client.delete(f"/connections/{row['tenantId']}", headers=bearer).status_code == 404, (
        "the connection id, not the tenant's"
    )
    assert client.delete(f"/connections/{row['id']}", headers=bearer).status_code == 204
    fresh = refreshed(client, tokens["refresh_token"]).get_json()
    answer = Caller(client, fresh["access_token"], NZ).get("Organisation")
    assert answer.status_code == 403
    assert answer.get_json()["Detail"] == "AuthenticationUnsuccessful"


def test_revoking_removes_every_connection_of_the_user(client):
    """developer.xero.com guides/oauth2/auth-flow, revoking tokens"""
    sign_in(client, tenant=UK)
    tokens = sign_in(client, tenant=NZ)
    answer = client.post("/connect/revocation", data={"token": tokens["refresh_token"]}, headers=BASIC)
    assert (answer.status_code, answer.data) == (200, b"")
    assert refreshed(client, tokens["refresh_token"]).get_json() == {"error": "invalid_grant"}
    assert connections(client, tokens["access_token"]).get_json() == []


def test_a_custom_connection_needs_no_user_and_gets_no_refresh_token(client):
    """developer.xero.com guides/oauth2/custom-connections"""
    form = {"grant_type": "client_credentials", "scope": "accounting.invoices accounting.settings"}
    tokens = client.post("/connect/token", data=form, auth=("sandbox-custom", "sandbox-custom-secret")).get_json()
    assert set(tokens) == {"access_token", "expires_in", "token_type", "scope"}
    assert "xero_userid" not in jwt.decode(tokens["access_token"], options={"verify_signature": False})
    headers = {"Authorization": f"Bearer {tokens['access_token']}", "Accept": "application/json"}
    answer = client.get("/api.xro/2.0/Organisation", headers=headers)
    assert answer.get_json()["Organisations"][0]["Name"] == "Demo Company (NZ)", "no xero-tenant-id needed"
    assert [row["tenantId"] for row in connections(client, tokens["access_token"]).get_json()] == [NZ]


@pytest.mark.parametrize(
    ("form", "auth", "error"),
    [
        ({"grant_type": "client_credentials"}, ("sandbox-client", "sandbox-secret"), "unauthorized_client"),
        ({"grant_type": "authorization_code"}, ("sandbox-custom", "sandbox-custom-secret"), "unauthorized_client"),
        (
            {"grant_type": "client_credentials", "scope": "accounting.transactions"},
            ("sandbox-custom", "sandbox-custom-secret"),
            "invalid_scope",
        ),
    ],
)
def test_the_two_kinds_of_app_cannot_be_mixed_up(client, form, auth, error):
    """developer.xero.com guides/oauth2/custom-connections"""
    answer = client.post("/connect/token", data=form, auth=auth)
    assert (answer.status_code, answer.get_json()) == (400, {"error": error})


def test_discovery_names_the_endpoints(client):
    """developer.xero.com guides/oauth2/auth-flow"""
    found = client.get("/.well-known/openid-configuration").get_json()
    assert found["token_endpoint"] == "http://localhost:7081/connect/token"
    assert "accounting.invoices" in found["scopes_supported"]


def test_tokens_and_connections_outlive_a_restart(tmp_path):
    """The stand-in keeps everything in its SQLite file"""
    database = str(tmp_path / "xero.sqlite")
    first = create_app(database, now=lambda: NOW)
    tokens = sign_in(first.test_client())
    first.extensions["sandbox"].store.close()
    second = create_app(database, now=lambda: NOW)
    assert len(connections(second.test_client(), tokens["access_token"]).get_json()) == 1
    assert refreshed(second.test_client(), tokens["refresh_token"]).status_code == 200
    second.extensions["sandbox"].store.close()


@pytest.mark.parametrize(("kind", "status"), [("500", 500), ("500_applied", 500), ("429", 429), ("503", 503), ("html502", 502)])
def test_the_token_endpoint_fails_on_request(client, sandbox, kind, status):
    """A 500 after the code was used up forces a new consent; before, the code is still good"""
    code = code_of(decided(client))
    sandbox.faults.add(Fault(kind, path="/connect/token", seconds=3))
    assert exchanged(client, code).status_code == status
    assert exchanged(client, code).status_code == (400 if kind == "500_applied" else 200)


def test_a_decision_about_nobody_or_no_organisation_is_an_error_page(client):
    """The form of the consent page, tampered with"""
    assert decided(client, user="nobody").status_code == 400
    assert decided(client, organisation="nothing").status_code == 400


def test_connections_need_a_live_token(client, sandbox):
    """developer.xero.com guides/oauth2/tenants"""
    token = sign_in(client)["access_token"]
    sandbox.clock.advance(1800)
    assert connections(client, token).status_code == 401
    assert client.delete("/connections/x", headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_an_organisation_can_be_disconnected_by_its_owner(nz, sandbox):
    """developer.xero.com guides/oauth2/tenants: connected apps, disconnect"""
    sandbox.disconnect("Demo Company (NZ)")
    assert nz.get("Organisation").status_code == 403
