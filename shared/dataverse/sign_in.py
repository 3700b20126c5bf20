"""A person's own sign-in for setting up: the environments they may use, and Dataverse as they see it (reference dataverse 1.4, 1.5).

The app registration is the connector's own (DATAVERSE_CLIENT_ID): it needs the redirect address of the page and the delegated
permission user_impersonation of Dynamics CRM. Nothing here keeps a token.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import requests

from shared import exact_json
from shared.dataverse.auth import REASONS, SIGN_IN_CODE, certificate
from shared.dataverse.client import DataverseClient
from shared.dataverse.environments import environment_host
from shared.durations import Durations
from shared.errors import ConfigurationError, ConnectorError, Retryable
from shared.one_send import OneSendSession
from shared.settings import AppSettings

LONGEST_NAME = 100
ENABLED = 0
INSTANCES = (
    "/api/discovery/v2.0/Instances?$select=Url,ApiUrl,FriendlyName,UniqueName,Region,TenantId,State"
    f"&$filter={quote(f'State eq {ENABLED}')}"
)

# fmt: off
DISCOVERY = {
    # the sign-in's host                 where environments' hosts end    the Global Discovery Service of that cloud
    "login.microsoftonline.com":        (("crm9.dynamics.com",           "globaldisco.crm9.dynamics.com"),
                                         ("",                            "globaldisco.crm.dynamics.com")),
    "login.microsoft.com":              (("crm9.dynamics.com",           "globaldisco.crm9.dynamics.com"),
                                         ("",                            "globaldisco.crm.dynamics.com")),
    "login.microsoftonline.us":         (("crm.appsplatform.us",         "globaldisco.crm.appsplatform.us"),
                                         ("",                            "globaldisco.crm.microsoftdynamics.us")),
    "login.partner.microsoftonline.cn": (("",                            "globaldisco.crm.dynamics.cn"),),
}
PERSONAL_REASONS = REASONS | {
    "AADSTS65001":   "nobody has allowed the app to use Dynamics 365 for you: add the delegated permission Dynamics CRM user_impersonation and consent to it",
    "AADSTS650056":  "the app registration lacks the delegated permission Dynamics CRM user_impersonation",
    "AADSTS650057":  "the app registration lacks the delegated permission Dynamics CRM user_impersonation",
    "AADSTS90094":   "your organisation lets only an administrator consent: ask one to grant the permission user_impersonation to the app",
    "AADSTS900941":  "your organisation lets only an administrator consent: ask one to grant the permission user_impersonation to the app",
    "AADSTS50020":   "your account is not of the tenant of DATAVERSE_TENANT_ID: sign in with one that is",
    "AADSTS50105":   "you are not assigned to the app: ask an administrator to assign you",
    "AADSTS50011":   "the app registration does not know this page's redirect address",
    "AADSTS70008":   "the sign-in took too long or was used already: sign in again",
    "AADSTS54005":   "the sign-in was used already: sign in again",
    "AADSTS7000218": "the app registration asks for a secret or a certificate: set DATAVERSE_CLIENT_SECRET or DATAVERSE_CLIENT_CERTIFICATE",
}
# fmt: on
DECLINED = ("AADSTS65004",)
_TRANSIENT = ("temporarily_unavailable", "server_error")


class Declined(ConfigurationError):
    """The person did not allow the access."""


@dataclass(frozen=True)
class PersonsEnvironment:
    """An environment a person may use: its host (and port if not 443), and why it cannot be connected, or ""."""

    host: str
    name: str
    region: str
    problem: str = ""


@dataclass(frozen=True)
class SignedIn:
    """Who signed in; the access token is for the discovery service, the refresh token for any environment."""

    name: str
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)


class SignIn:
    """Sign a person in with msal: authorization code and PKCE, with the app's secret or certificate when the settings hold one."""

    def __init__(self, settings: AppSettings, durations: Durations) -> None:
        self._settings = settings
        self._durations = durations

    def begin(self, redirect_uri: str, state: str) -> dict[str, Any]:
        """Return msal's flow: ``auth_uri`` is where to send the person, everything is what ``finish`` needs (secret).

        Raises Retryable when Entra ID cannot be reached, ConfigurationError when the settings do not fit it.
        """
        with _Problems(), warnings.catch_warnings():
            # A form post from another site comes without the cookie that binds the sign-in to the browser. Asked for an account,
            # Entra ID answers with a page of its own: a redirect to somebody's own sign-in would offend the form's CSP.
            warnings.filterwarnings("ignore", message="response_mode='form_post' is recommended")
            flow: dict[str, Any] = self._application().initiate_auth_code_flow(
                [self._scope(self.discovery_host)], redirect_uri, state=state, prompt="select_account", response_mode="query"
            )
            return flow

    def finish(self, flow: Mapping[str, Any], answer: Mapping[str, str]) -> SignedIn:
        """Exchange the *answer* (query of the callback) for tokens; raises Declined, ConfigurationError, Retryable."""
        if answer.get("error"):
            raise _refusal(answer)
        with _Problems():
            found = self._application().acquire_token_by_auth_code_flow(dict(flow), dict(answer))
        access_token = _token(found)
        claims = found.get("id_token_claims")
        claims = claims if isinstance(claims, Mapping) else {}
        wanted = self._settings.dataverse_tenant_id
        if wanted and str(claims.get("tid") or "").lower() != wanted:
            raise ConfigurationError(
                "You signed in to another tenant than the one of DATAVERSE_TENANT_ID: sign in with an account of that tenant."
            )
        return SignedIn(
            _shown(claims.get("preferred_username") or claims.get("name")), access_token, str(found.get("refresh_token") or "")
        )

    def environments(self, access_token: str) -> list[PersonsEnvironment]:
        """Return the environments of the person with *access_token* by name, from the Global Discovery Service.

        What it says of an environment is checked like something typed. Raises Retryable when the service does not answer,
        ConfigurationError when it refuses.
        """
        try:
            with OneSendSession(self._durations) as session:
                headers = {"Accept": "application/json", "Authorization": f"Bearer {access_token}"}
                answer = session.once("GET", f"https://{self.discovery_host}{INSTANCES}", headers, b"")
        except (requests.RequestException, OSError) as error:
            raise Retryable(f"The discovery service of Dynamics 365 does not answer ({type(error).__name__}).") from error
        if answer.status_code in (401, 403):
            raise ConfigurationError(
                f"The discovery service of Dynamics 365 does not accept your sign-in ({answer.status_code})."
            )
        try:
            listed = exact_json.loads(answer.content)["value"] if answer.status_code == 200 else None
        except (ValueError, KeyError, TypeError, RecursionError):
            listed = None
        if not isinstance(listed, list):
            raise Retryable(f"The discovery service of Dynamics 365 answered {answer.status_code} and no list of environments.")
        read = [self._environment(item) for item in listed if isinstance(item, Mapping) and item.get("State", ENABLED) == ENABLED]
        return sorted({found.host: found for found in read if found}.values(), key=lambda one: (one.name.casefold(), one.host))

    def as_person(self, refresh_token: str, environment: str) -> DataverseClient:
        """Return Dataverse as the person sees *environment*, and no other; raises ConfigurationError, Retryable."""
        return DataverseClient(_OneEnvironment(environment, self.token(refresh_token, environment)), self._durations)

    def token(self, refresh_token: str, environment: str) -> str:
        """Return the person's access token for *environment*; raises ConfigurationError, Retryable."""
        with _Problems():
            found = self._application().acquire_token_by_refresh_token(refresh_token, [self._scope(environment)])
        return _token(found)

    @property
    def discovery_host(self) -> str:
        """Return the discovery service of the sign-in's cloud; a stand-in for Entra ID serves both.

        Two clouds share a sign-in with another: DATAVERSE_ALLOWED_HOSTS that lie in theirs alone choose them.
        """
        authority = urlsplit(self._settings.dataverse_authority_url).netloc
        for end, host in DISCOVERY.get(authority, ()):
            if all(allowed.endswith(end) for allowed in self._settings.dataverse_allowed_hosts):
                return host
        return authority

    def _environment(self, said: Mapping[str, Any]) -> PersonsEnvironment | None:
        """Read one environment; None when it names no address at all."""
        address = said.get("Url") or said.get("ApiUrl")
        if not isinstance(address, str):
            return None
        name, region = _shown(said.get("FriendlyName") or said.get("UniqueName")), _shown(said.get("Region"))
        try:
            host = environment_host(address, self._settings.dataverse_allowed_hosts)
        except ConfigurationError:
            shown = _shown(address)
            return PersonsEnvironment(shown, name or shown, region, "DATAVERSE_ALLOWED_HOSTS does not allow this address.")
        tenant, wanted = str(said.get("TenantId") or "").lower(), self._settings.dataverse_tenant_id
        problem = "It belongs to another tenant than the app." if tenant and wanted and tenant != wanted else ""
        return PersonsEnvironment(host, name or host, region, problem)

    def _application(self) -> Any:
        """Build msal's application, which asks the authority for its endpoints; msal is imported here, on first use."""
        import msal

        logging.getLogger("msal").setLevel(logging.CRITICAL)  # it writes codes and verifiers to its log
        client = self._settings.dataverse_client_id
        if not client:
            raise ConfigurationError("Nobody can sign in without an app registration: DATAVERSE_CLIENT_ID is empty.")
        options: dict[str, Any] = {
            "authority": f"{self._settings.dataverse_authority_url}/{self._settings.dataverse_tenant_id or 'organizations'}",
            "http_client": _MsalSession(self._durations),
            "instance_discovery": False,  # the authority is a setting, not something a request named
        }
        if credential := self._credential():
            return msal.ConfidentialClientApplication(client, client_credential=credential, **options)
        return msal.PublicClientApplication(client, **options)

    def _credential(self) -> str | dict[str, str]:
        if not self._settings.dataverse_client_certificate:
            return self._settings.dataverse_client_secret
        from cryptography import x509
        from cryptography.hazmat.primitives.serialization import (
            Encoding,
            NoEncryption,
            PrivateFormat,
            load_pem_private_key,
            pkcs12,
        )

        data = certificate(self._settings)
        try:
            if b"-----BEGIN" in data:
                key: Any = load_pem_private_key(data, None)
                found: x509.Certificate | None = x509.load_pem_x509_certificate(data)
            else:
                key, found, _ = pkcs12.load_key_and_certificates(data, None)
        except ValueError:
            key = found = None
        if key is None or found is None:
            raise ConfigurationError("The setting DATAVERSE_CLIENT_CERTIFICATE holds no certificate with its private key.")
        private_key = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return {"private_key": private_key, "public_certificate": found.public_bytes(Encoding.PEM).decode()}

    def _scope(self, host: str) -> str:
        return f"https://{host}/user_impersonation"


@dataclass(frozen=True)
class _OneEnvironment:
    """A person's token, which leaves for its own environment only."""

    environment: str
    access_token: str = field(repr=False)

    def token(self, environment: str) -> str:
        if environment != self.environment:
            raise ConfigurationError("A person's token is for the environment they chose.")
        return self.access_token


class _MsalSession(OneSendSession):
    """What msal sends goes out once, within the time-outs, and follows no redirect."""

    def request(self, method: Any, url: Any, *arguments: Any, **options: Any) -> requests.Response:
        options |= {"timeout": self._timeout, "allow_redirects": False}
        return super().request(method, url, *arguments, **options)


class _Problems:
    """Turn what msal raises into our errors; its own texts may hold claims of the person, so none is kept."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is None:
            return
        from msal.exceptions import MsalServiceError

        if isinstance(error, requests.RequestException | OSError | MsalServiceError):
            raise Retryable("Microsoft Entra ID cannot be reached.") from None
        if isinstance(error, ValueError | RuntimeError | LookupError | TypeError | AttributeError):
            raise ConfigurationError(
                "Microsoft Entra ID answered something msal cannot use: check DATAVERSE_AUTHORITY_URL and DATAVERSE_TENANT_ID."
            ) from None


def _token(found: Any) -> str:
    if not isinstance(found, Mapping) or not isinstance(found.get("access_token"), str):
        raise _refusal(found if isinstance(found, Mapping) else {})
    return str(found["access_token"])


def _refusal(answer: Mapping[str, Any]) -> ConnectorError:
    """Name the refusal by Entra's code alone: its text may hold ids, and in an address it may be anybody's."""
    error, told = str(answer.get("error") or ""), str(answer.get("error_description") or "")
    found = SIGN_IN_CODE.search(told)
    code = found.group() if found and len(found.group()) <= 16 else ""
    if code in DECLINED or (error == "access_denied" and not code):
        return Declined("You chose not to allow access to Dynamics 365. Nothing has changed.")
    if error in _TRANSIENT:
        return Retryable("Microsoft Entra ID cannot sign you in just now.")
    reason = f"{PERSONAL_REASONS.get(code, 'it refused')} ({code})" if code else "it gave no reason"
    return ConfigurationError(f"Microsoft Entra ID does not sign you in: {reason}.")


def _shown(value: Any) -> str:
    """Return a name fit for a page: a short line of printable characters, or "" for anything else."""
    text = value if isinstance(value, str) else ""
    return re.sub(r"\s+", " ", "".join(letter if letter.isprintable() else " " for letter in text)).strip()[:LONGEST_NAME]
