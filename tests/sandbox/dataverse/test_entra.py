"""Signing in, with Microsoft's own libraries against the live server. Source: Microsoft Learn, "Microsoft identity platform and
the OAuth 2.0 client credentials flow", "… authorization code flow", "Certificate credentials", "Managed identities for App
Service", "Build web applications using server-to-server (S2S) authentication" (application users)."""

import datetime
import re
from pathlib import Path

import msal
import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import CertificateCredential, ClientSecretCredential, ManagedIdentityCredential
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from sandbox.dataverse import Sandbox
from sandbox.dataverse.demo_company import (
    CLIENT_ID,
    CLIENT_SECRET,
    ID,
    IDENTITY_HEADER,
    MANAGED_IDENTITY_ID,
    REDIRECTS,
    SETUP_CLIENT_ID,
)
from sandbox.entra import Application, Directory
from sandbox.entra.directory import Denied

from .conftest import ROOT, Api, Live


def who_am_i(live: Live, token: str) -> requests.Response:
    return requests.get(f"{live.url}{ROOT}WhoAmI", headers={"Authorization": f"Bearer {token}"}, timeout=10)


def by_secret(live: Live, secret: str = CLIENT_SECRET, client: str = CLIENT_ID) -> ClientSecretCredential:
    return ClientSecretCredential(
        live.sandbox.directory.tenant, client, secret, authority=live.url, disable_instance_discovery=True, retry_total=0
    )


def test_azure_identity_signs_in_with_a_secret(live: Live) -> None:
    with by_secret(live) as credential:
        token = credential.get_token(f"{live.url}/.default")
    answer = who_am_i(live, token.token)
    assert answer.json()["UserId"] == ID["connector user"]


def test_azure_identity_asks_once_while_the_token_lasts(live: Live) -> None:
    with by_secret(live) as credential:
        for _ in range(3):
            credential.get_token(f"{live.url}/.default")
    assert len([call for call in live.sandbox.log if call.path.endswith("/token")]) == 1


@pytest.mark.parametrize(
    ("secret", "client", "code"), [("wrong", CLIENT_ID, "AADSTS7000215"), (CLIENT_SECRET, "unknown", "AADSTS700016")]
)
def test_a_wrong_secret_or_application_is_refused(live: Live, secret: str, client: str, code: str) -> None:
    """Authentication and authorization error codes."""
    with by_secret(live, secret, client) as credential, pytest.raises(ClientAuthenticationError, match=code):
        credential.get_token(f"{live.url}/.default")


def test_an_unknown_resource_is_refused(live: Live) -> None:
    """AADSTS500011: the resource principal was not found; a trailing slash before .default is another resource."""
    with by_secret(live) as credential, pytest.raises(ClientAuthenticationError, match="AADSTS500011"):
        credential.get_token("https://other.crm.dynamics.com/.default")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, x509.Certificate]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "connector")])
    begin = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("certificate") / "connector.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path, made


def test_azure_identity_signs_in_with_a_registered_certificate(live: Live, certificate: tuple[Path, x509.Certificate]) -> None:
    path, public = certificate
    live.sandbox.directory.applications[CLIENT_ID].certificates.append(public)
    tenant = live.sandbox.directory.tenant
    with CertificateCredential(tenant, CLIENT_ID, str(path), authority=live.url, disable_instance_discovery=True) as credential:
        assert who_am_i(live, credential.get_token(f"{live.url}/.default").token).status_code == 200


def test_a_certificate_nobody_registered_is_refused(live: Live, certificate: tuple[Path, x509.Certificate]) -> None:
    path, _ = certificate
    tenant = live.sandbox.directory.tenant
    with (
        CertificateCredential(
            tenant, CLIENT_ID, str(path), authority=live.url, disable_instance_discovery=True, retry_total=0
        ) as credential,
        pytest.raises(ClientAuthenticationError, match="AADSTS700027"),
    ):
        credential.get_token(f"{live.url}/.default")


def test_azure_identity_signs_in_as_a_managed_identity(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Managed identities for App Service and Azure Functions: IDENTITY_ENDPOINT and IDENTITY_HEADER."""
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{live.url}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", IDENTITY_HEADER)
    with ManagedIdentityCredential(client_id=MANAGED_IDENTITY_ID) as credential:
        answer = who_am_i(live, credential.get_token(f"{live.url}/.default").token)
    assert answer.json()["UserId"] == ID["managed identity user"]


def test_a_managed_identity_without_the_header_gets_nothing(sandbox: Sandbox) -> None:
    with pytest.raises(Denied):
        sandbox.directory.managed_identity_token("guessed", "https://localhost:7082", "")


def test_msal_signs_a_person_in_and_refreshes(live: Live) -> None:
    """Authorization code flow with PKCE, then refresh_token."""
    scope = f"{live.url}/user_impersonation"
    app = msal.PublicClientApplication(
        SETUP_CLIENT_ID, authority=f"{live.url}/{live.sandbox.directory.tenant}", instance_discovery=False
    )
    flow = app.initiate_auth_code_flow([scope], redirect_uri=REDIRECTS[0], response_mode="form_post")
    page = requests.get(flow["auth_uri"], timeout=10)
    assert "Continue as Aroha Ngata" in page.text
    person = next(iter(live.sandbox.directory.people))
    consented = requests.post(flow["auth_uri"], data={"person": person}, timeout=10)
    reply = dict(re.findall(r'name="(\w+)" value="([^"]*)"', consented.text))
    signed_in = app.acquire_token_by_auth_code_flow(flow, reply)
    assert signed_in.get("id_token_claims", {})["name"] == "Aroha Ngata", signed_in
    assert who_am_i(live, signed_in["access_token"]).json()["UserId"] == ID["user admin"]
    refreshed = app.acquire_token_by_refresh_token(signed_in["refresh_token"], [scope])
    assert who_am_i(live, refreshed["access_token"]).status_code == 200
    again = app.acquire_token_by_auth_code_flow(flow, reply)
    assert "AADSTS70008" in again["error_description"], "a code is good for one use"


def test_one_refresh_token_serves_every_resource(sandbox: Sandbox) -> None:
    """Refresh tokens aren't bound to a resource, "Refresh tokens in the Microsoft identity platform"."""
    directory = sandbox.directory
    directory.resources.add("https://other.crm.dynamics.com")
    asked = {"client_id": SETUP_CLIENT_ID, "redirect_uri": REDIRECTS[0]}
    person = next(iter(directory.people.values()))
    code = directory.authorize({**asked, "scope": f"{sandbox.environment.url}/user_impersonation openid"}, person)
    first = directory.token(directory.tenant, {**asked, "grant_type": "authorization_code", "code": code})
    refresh = {**asked, "grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    other = directory.token(directory.tenant, {**refresh, "scope": "https://other.crm.dynamics.com/user_impersonation openid"})
    assert directory.claims(first["access_token"], sandbox.environment.url)
    assert directory.claims(other["access_token"], "https://other.crm.dynamics.com")
    assert directory.claims(other["access_token"], sandbox.environment.url) is None


def test_a_person_may_agree_or_decline(live: Live) -> None:
    query = {"client_id": SETUP_CLIENT_ID, "redirect_uri": REDIRECTS[0], "state": "s", "response_type": "code"}
    url = f"{live.url}/{live.sandbox.directory.tenant}/oauth2/v2.0/authorize"
    agreed = requests.post(
        url, params=query, data={"person": next(iter(live.sandbox.directory.people))}, timeout=10, allow_redirects=False
    )
    assert "code=" in agreed.headers["Location"]
    assert "state=s" in agreed.headers["Location"]
    declined = requests.post(url, params=query, data={"person": ""}, timeout=10, allow_redirects=False)
    assert "error=access_denied" in declined.headers["Location"]
    foreign = requests.get(url, params={**query, "redirect_uri": "https://elsewhere.example"}, timeout=10)
    assert foreign.status_code == 400


def test_only_people_discover_environments(api: Api, administrator: Api, sandbox: Sandbox) -> None:
    """Discover user organizations: user tokens only; an app-only token lists nothing."""
    url = "/api/discovery/v2.0/Instances"
    by_app, by_person = (
        caller.client.get(url, headers={"Authorization": f"Bearer {caller.token}"}).get_json()["value"]
        for caller in (api, administrator)
    )
    assert by_app == []
    assert [found["ApiUrl"] for found in by_person] == [sandbox.environment.url]


# --- what the environment makes of a token -------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["", "nonsense"])
def test_without_a_good_token_the_answer_is_401_with_a_challenge(api: Api, token: str) -> None:
    """Use OAuth: WWW-Authenticate names the authority and the resource."""
    api.token = token
    answer = api.get("WhoAmI")
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer authorization_uri=")


def test_a_token_expires(api: Api, sandbox: Sandbox) -> None:
    sandbox.clock.advance(3601)
    assert api.get("WhoAmI").status == 401
    api.token = sandbox.token()
    assert api.get("WhoAmI").status == 200


def test_a_token_for_another_environment_or_by_another_signer_is_refused(api: Api, sandbox: Sandbox) -> None:
    elsewhere = Directory("https://localhost:9999", sandbox.clock.now, resources=("https://localhost:9999",))
    application = sandbox.directory.applications[CLIENT_ID]
    api.token = elsewhere.application_token(application, "https://localhost:9999")
    assert api.get("WhoAmI").status == 401


def test_an_application_without_a_user_here_is_not_a_member(api: Api, sandbox: Sandbox) -> None:
    """0x80072560: the user is not a member of the organization."""
    sandbox.directory.register(Application("11111111-2222-4333-8444-555555555555", "Stranger", secrets={"s"}))
    api.token = sandbox.token("11111111-2222-4333-8444-555555555555")
    answer = api.get("WhoAmI")
    assert (answer.status, answer.code) == (403, "0x80072560")


def test_a_disabled_user_is_refused(api: Api, sandbox: Sandbox) -> None:
    """0x80040225: the user is disabled."""
    sandbox.environment.seed("systemuser", systemuserid=ID["connector user"], isdisabled=True)
    answer = api.get("WhoAmI")
    assert (answer.status, answer.code) == (403, "0x80040225")


def test_an_application_may_act_for_a_person(api: Api, sandbox: Sandbox) -> None:
    """Impersonate another user: CallerObjectId."""
    person = sandbox.row("systemuser", ID["user sales-south"])
    answer = api.post("accounts", {"name": "hers"}, CallerObjectId=str(person["azureactivedirectoryobjectid"]))
    assert sandbox.row("account", answer.id)["createdby"] == ("systemuser", ID["user sales-south"])
