"""Who the app is in Entra ID, and which hosts may ever see its token."""

from __future__ import annotations

import base64
import dataclasses
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from shared.dataverse.auth import EntraTokens
from shared.dataverse.environments import environment_host
from shared.errors import ConfigurationError, Retryable
from shared.settings import ALLOWED_HOSTS, AppSettings
from tests.ports import unanswered
from tests.shared.test_settings import GOOD, TENANT
from tests.tls_server import HANG_UP, tls_server

CLOUD = tuple(ALLOWED_HOSTS.split())
SANDBOX = (*CLOUD, "localhost:8443")


# --- the guard for an environment somebody types ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "host"),
    [
        ("https://contoso.crm.dynamics.com", "contoso.crm.dynamics.com"),
        ("https://contoso.crm4.dynamics.com/", "contoso.crm4.dynamics.com"),
        ("  https://Contoso.CRM4.Dynamics.com  ", "contoso.crm4.dynamics.com"),
        ("https://contoso.crm4.dynamics.com:443", "contoso.crm4.dynamics.com"),
        ("https://contoso.api.crm4.dynamics.com", "contoso.crm4.dynamics.com"),
        ("https://contoso.api.crm.dynamics.com/", "contoso.crm.dynamics.com"),
        ("https://contoso.crm9.dynamics.com", "contoso.crm9.dynamics.com"),
        ("https://contoso.crm.dynamics.cn", "contoso.crm.dynamics.cn"),
        ("https://contoso.crm.microsoftdynamics.us", "contoso.crm.microsoftdynamics.us"),
        ("https://contoso.crm.appsplatform.us", "contoso.crm.appsplatform.us"),
        ("https://a-b--c.crm11.dynamics.com", "a-b--c.crm11.dynamics.com"),
        ("https://localhost:8443", "localhost:8443"),
    ],
)
def test_an_environment_is_known_by_its_host(typed, host):
    assert environment_host(typed, SANDBOX) == host


HOSTILE = [
    "",
    " ",
    "contoso.crm.dynamics.com",
    "//contoso.crm.dynamics.com",
    "http://contoso.crm.dynamics.com",
    "HTTP://contoso.crm.dynamics.com",
    "ftp://contoso.crm.dynamics.com",
    "file:///etc/passwd",
    "javascript:alert(1)//contoso.crm.dynamics.com",
    "data:text/html,contoso.crm.dynamics.com",
    "https:contoso.crm.dynamics.com",
    "https:/contoso.crm.dynamics.com",
    "https:///contoso.crm.dynamics.com",
    "https://",
    "https://?",
    "https://evil.example",
    "https://dynamics.com",
    "https://.dynamics.com",
    "https://evildynamics.com",
    "https://contoso.crm.dynamics.com.evil.example",
    "https://contoso.crm.dynamics.co",
    "https://contoso.crm.dynamics.com.",
    "https://contoso.crm.dynamics.com..",
    "https://contoso..crm.dynamics.com",
    "https://-contoso.crm.dynamics.com",
    "https://contoso-.crm.dynamics.com",
    "https://contoso_1.crm.dynamics.com",
    "https://" + "a" * 64 + ".crm.dynamics.com",
    "https://" + "a." * 130 + "crm.dynamics.com",
    "https://*.dynamics.com",
    "https://evil.example@contoso.crm.dynamics.com",
    "https://contoso.crm.dynamics.com@evil.example",
    "https://user:pass@contoso.crm.dynamics.com",
    "https://:@contoso.crm.dynamics.com",
    "https://evil.example\\@contoso.crm.dynamics.com",
    "https://evil.example\\.dynamics.com",
    "https://evil.example/.dynamics.com",
    "https://evil.example#.dynamics.com",
    "https://evil.example?.dynamics.com",
    "https://evil.example;.dynamics.com",
    "https://evil.example%2f.dynamics.com",
    "https://evil.example%00.dynamics.com",
    "https://evil.example\x00.dynamics.com",
    "https://evil.example\t.dynamics.com",
    "https://evil.example\r\nHost: x.dynamics.com",
    "https://evil.example\n.dynamics.com",
    "https://contoso.crm.dynamics.com\n",
    "\nhttps://contoso.crm.dynamics.com",
    "https://contoso .crm.dynamics.com",
    "https://contoso.crm.dynamics.com/api/data",
    "https://contoso.crm.dynamics.com/..",
    "https://contoso.crm.dynamics.com//",
    "https://contoso.crm.dynamics.com/?x=1",
    "https://contoso.crm.dynamics.com?x=1",
    "https://contoso.crm.dynamics.com#x",
    "https://contoso.crm.dynamics.com:80",
    "https://contoso.crm.dynamics.com:8443",
    "https://contoso.crm.dynamics.com:0443",
    "https://contoso.crm.dynamics.com:",
    "https://contoso.crm.dynamics.com:443443",
    "https://contoso.crm.dynamics.com:+443",
    "https://contoso.crm.dynamics.com:４４３",
    "https://localhost",
    "https://localhost:443",
    "https://localhost:8444",
    "https://x.localhost:8443",
    "http://localhost:8443",
    "https://127.0.0.1",
    "https://127.0.0.1:8443",
    "https://127.1",
    "https://2130706433",
    "https://0x7f000001",
    "https://0x7f.1",
    "https://0177.0.0.1",
    "https://017700000001",
    "https://0",
    "https://[::1]",
    "https://[::1]:8443",
    "https://[::ffff:127.0.0.1]",
    "https://169.254.169.254",
    "https://169.254.169.254/metadata/instance",
    "https://10.0.0.5",
    "https://metadata.google.internal",
    "https://127.0.0.1.nip.io",
    "https://cоntoso.crm.dynamics.com",  # a Cyrillic о
    "https://contoso.crm.dynamics。com",  # an ideographic full stop
    "https://contoso.crm.dynamics．com",
    "https://ｃｏｎｔｏｓｏ.crm.dynamics.com",
    "https://contoso.crm.dynamıcs.com",
    "https://contoſo.crm.dynamics.com",  # a long s, which lower-cases to s elsewhere
    "https://contoso.crm.dynamicſ.com",
    "https://contoso.crm.dynamics.com\u200b",
    "https://\u202econtoso.crm.dynamics.com",
    "https://ⓒontoso.crm.dynamics.com",
    "https://xn--dynmics-0wa.com",
    "https:\u2044\u2044contoso.crm.dynamics.com",
    "https://evil.example/https://contoso.crm.dynamics.com",
    "https://contoso.crm.dynamics.com https://evil.example",
    "https://contoso.crm.dynamics.com,evil.example",
    "https://globaldisco.crm.dynamics.com.evil.example",
]


@pytest.mark.parametrize("typed", HOSTILE)
def test_a_hostile_address_gets_no_token(typed):
    with pytest.raises(ConfigurationError) as caught:
        environment_host(typed, SANDBOX)
    assert str(caught.value).count(".") >= 1
    if len(typed) > 8:
        assert typed not in str(caught.value)


def test_there_are_enough_hostile_addresses():
    assert len(set(HOSTILE)) == len(HOSTILE) >= 60


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "0", "169.254.169.254", "x.0x7f"]
)
def test_an_ip_address_is_refused_even_when_the_list_holds_it(host):
    with pytest.raises(ConfigurationError, match="no valid host"):
        environment_host(f"https://{host}", (host,))


def test_nothing_is_allowed_by_an_empty_list():
    with pytest.raises(ConfigurationError):
        environment_host("https://contoso.crm.dynamics.com", ())


# --- tokens --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def entra(tmp_path, monkeypatch):
    """A server that speaks as much of Entra ID as a client-credentials sign-in needs."""
    with tls_server(tmp_path) as running:
        server: Any = running
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", server.ca_file)
        authority = f"https://{server.host}/{TENANT}"
        server.token_answer = (200, {"token_type": "Bearer", "expires_in": 3599, "access_token": "the-token"})
        server.forms = []

        def reply(request):
            if request.method == "GET":
                body = {
                    "issuer": f"{authority}/v2.0",
                    "authorization_endpoint": f"{authority}/oauth2/v2.0/authorize",
                    "token_endpoint": f"{authority}/oauth2/v2.0/token",
                }
                return 200, {"Content-Type": "application/json"}, json.dumps(body).encode()
            server.forms.append({name: values[0] for name, values in parse_qs(request.body.decode()).items()})
            if server.token_answer == HANG_UP:
                return HANG_UP
            status, answer = server.token_answer
            return status, {"Content-Type": "application/json"}, json.dumps(answer).encode()

        server.reply = reply
        yield server


def settings_for(server, **changes: str) -> AppSettings:
    return AppSettings.from_environment({**GOOD, "DATAVERSE_AUTHORITY_URL": f"https://{server.host}", **changes})


def test_a_token_is_for_one_environment_and_is_kept(entra):
    tokens = EntraTokens(settings_for(entra))

    assert tokens.token("contoso.crm4.dynamics.com") == "the-token"
    assert tokens.token("contoso.crm4.dynamics.com") == "the-token"
    assert tokens.token("localhost:8443") == "the-token"

    assert [form["scope"] for form in entra.forms] == [
        "https://contoso.crm4.dynamics.com/.default",
        "https://localhost:8443/.default",
    ]
    assert {form["grant_type"] for form in entra.forms} == {"client_credentials"}
    assert entra.forms[0]["client_id"] == TENANT
    assert entra.forms[0]["client_secret"] == "secret-of-entra"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            {
                "error": "invalid_client",
                "error_description": "AADSTS7000215: Invalid client secret provided for 'app-secret-id'.",
            },
            "the client secret is wrong",
        ),
        (
            {"error": "invalid_client", "error_description": "AADSTS7000222: The provided client secret keys are expired."},
            "has expired",
        ),
        (
            {"error": "unauthorized_client", "error_description": "AADSTS700016: Application with identifier ..."},
            "not known in this tenant",
        ),
        (
            {"error": "invalid_resource", "error_description": "AADSTS500011: The resource principal ..."},
            "check the environment's address",
        ),
        ({"error": "invalid_client", "error_description": "AADSTS999999: Something new"}, "AADSTS999999"),
        ({"error": "invalid_request"}, "gave no token"),
    ],
)
def test_a_refusal_is_one_sentence_for_the_administrator(entra, answer, words):
    entra.token_answer = (400, answer)

    with pytest.raises(ConfigurationError) as caught:
        EntraTokens(settings_for(entra)).token("contoso.crm4.dynamics.com")

    assert words in str(caught.value)
    assert "secret-of-entra" not in str(caught.value)
    assert "app-secret-id" not in str(caught.value)


@pytest.mark.parametrize(
    "answer", [HANG_UP, (503, {}), (400, {"error": "temporarily_unavailable", "error_description": "AADSTS90033: transient"})]
)
def test_an_entra_id_that_is_away_is_waited_for(entra, answer):
    entra.token_answer = answer

    with pytest.raises(Retryable):
        EntraTokens(settings_for(entra)).token("contoso.crm4.dynamics.com")


def test_an_entra_id_that_cannot_be_reached_is_waited_for_without_holding_the_worker():
    started = time.monotonic()

    with unanswered() as port:
        settings = AppSettings.from_environment({**GOOD, "DATAVERSE_AUTHORITY_URL": f"https://localhost:{port}"})
        with pytest.raises(Retryable, match="cannot be reached"):
            EntraTokens(settings).token("contoso.crm4.dynamics.com")

    assert time.monotonic() - started < 20


def certificate() -> tuple[bytes, bytes]:
    """Return a certificate with its key as PEM and as PFX."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "connector")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    cert = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(start).not_valid_after(start + timedelta(days=3650)).sign(key, hashes.SHA256())
    )  # fmt: skip
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    pem += cert.public_bytes(serialization.Encoding.PEM)
    return pem, pkcs12.serialize_key_and_certificates(b"connector", key, cert, None, plain)


def test_a_certificate_signs_in_whether_given_as_text_as_pfx_or_as_a_file(entra, tmp_path):
    pem, pfx = certificate()
    (tmp_path / "cert.pem").write_bytes(pem)
    spellings = [pem.decode(), pem.decode().replace("\n", "\\n"), base64.b64encode(pfx).decode(), str(tmp_path / "cert.pem")]

    for spelling in spellings:
        settings = settings_for(entra, DATAVERSE_CLIENT_SECRET="", DATAVERSE_CLIENT_CERTIFICATE=spelling)
        assert EntraTokens(settings).token("contoso.crm4.dynamics.com") == "the-token"

    assert len(entra.forms) == 4
    assert all(form["client_assertion"].count(".") == 2 and "client_secret" not in form for form in entra.forms)


@pytest.mark.parametrize(
    "value", ["/no/such/file.pem", "-----BEGIN CERTIFICATE-----\\nnonsense", base64.b64encode(b"nonsense").decode()]
)
def test_a_certificate_that_cannot_be_read_names_its_setting(entra, value):
    settings = settings_for(entra, DATAVERSE_CLIENT_SECRET="", DATAVERSE_CLIENT_CERTIFICATE=value)
    with pytest.raises(ConfigurationError, match="DATAVERSE_CLIENT_CERTIFICATE"):
        EntraTokens(settings).token("contoso.crm4.dynamics.com")


def test_without_secret_and_certificate_the_managed_identity_signs_in(entra, monkeypatch):
    asked = []

    def reply(request):
        asked.append(request)
        expires = int(time.time()) + 3600
        body = {"access_token": "identity-token", "expires_on": str(expires), "resource": "x", "token_type": "Bearer"}
        return 200, {"Content-Type": "application/json"}, json.dumps(body).encode()

    entra.reply = reply
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"https://{entra.host}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "header-value")
    settings = dataclasses.replace(settings_for(entra), dataverse_client_secret="")

    assert EntraTokens(settings).token("contoso.crm4.dynamics.com") == "identity-token"

    query = parse_qs(asked[0].path.partition("?")[2])
    assert query["resource"] == ["https://contoso.crm4.dynamics.com"]
    assert query["client_id"] == [TENANT]


def test_the_public_cloud_keeps_microsofts_own_check_of_the_authority():
    from shared.dataverse import auth

    for url, disabled in (
        ("https://login.microsoftonline.com", False),
        ("https://login.partner.microsoftonline.cn", False),
        ("https://localhost:1", True),
    ):
        built = auth.credential(AppSettings.from_environment({**GOOD, "DATAVERSE_AUTHORITY_URL": url}))
        assert (built._instance_discovery is False) is disabled
