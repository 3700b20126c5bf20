"""Tokens for Dataverse: the app's own identity in Entra ID (SPEC 10; reference dataverse 1)."""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path
from threading import Lock
from typing import Any, Protocol
from urllib.parse import urlsplit

from shared.errors import ConfigurationError, ConnectorError, Retryable
from shared.settings import AppSettings

MICROSOFT_LOGINS = (
    "login.microsoftonline.com",
    "login.microsoftonline.us",
    "login.partner.microsoftonline.cn",
    "login.microsoft.com",
)

SIGN_IN_CODE = re.compile(r"AADSTS[0-9]+")
_TRANSIENT = re.compile(r"HTTP Error: (5[0-9][0-9]|429)|AADSTS90033|AADSTS90024|temporarily_unavailable|server_error")


class Tokens(Protocol):
    """Give an access token for an environment."""

    def token(self, environment: str) -> str: ...


class EntraTokens:
    """The app's own identity in Entra ID: a secret, a certificate or the managed identity, as the settings choose.

    azure-identity keeps the tokens in memory, one per environment, and renews them before they end.
    """

    def __init__(self, settings: AppSettings) -> None:
        self._settings = settings
        self._credential: Any = None
        self._lock = Lock()

    def token(self, environment: str) -> str:
        """Return a token whose audience is *environment* (host, and port if not 443).

        Raises ConfigurationError when Entra ID refuses the app, Retryable when it cannot be reached.
        """
        from azure.core.exceptions import AzureError, ClientAuthenticationError

        with self._lock:
            if self._credential is None:
                self._credential = credential(self._settings)
        try:
            return str(self._credential.get_token(f"https://{environment}/.default").token)
        except (ClientAuthenticationError, AzureError, ValueError) as error:
            raise _sign_in_error(error) from error


def credential(settings: AppSettings) -> Any:
    """Build the azure-identity credential the settings choose; the SDK is imported here, on first use."""
    from azure.identity import CertificateCredential, ClientSecretCredential, ManagedIdentityCredential

    if not (settings.dataverse_client_secret or settings.dataverse_client_certificate):
        return ManagedIdentityCredential(client_id=settings.dataverse_client_id or None)
    options: dict[str, Any] = {
        "retry_total": 0,  # a wait belongs on the queue, not in a worker
        "connection_timeout": 5,
        "read_timeout": 30,
        "authority": settings.dataverse_authority_url,
        "disable_instance_discovery": urlsplit(settings.dataverse_authority_url).netloc not in MICROSOFT_LOGINS,
    }
    tenant, client = settings.dataverse_tenant_id, settings.dataverse_client_id
    if settings.dataverse_client_secret:
        return ClientSecretCredential(tenant, client, settings.dataverse_client_secret, **options)
    try:
        return CertificateCredential(tenant, client, certificate_data=certificate(settings), **options)
    except ValueError as error:
        raise ConfigurationError("The setting DATAVERSE_CLIENT_CERTIFICATE holds no certificate with its private key.") from error


def certificate(settings: AppSettings) -> bytes:
    """Read the certificate with its key: PEM text (line ends may be written \\n), base64 of a PFX as Key Vault gives it, or a file."""
    text = settings.dataverse_client_certificate
    if text.startswith("-----BEGIN"):
        return text.replace("\\n", "\n").encode()
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        pass
    try:
        return Path(text).read_bytes()
    except (OSError, ValueError) as error:
        raise ConfigurationError("The setting DATAVERSE_CLIENT_CERTIFICATE names a file that cannot be read.") from error


def _sign_in_error(error: Exception) -> ConnectorError:
    """Tell a network that is down from a refusal; Entra's own text may hold ids, so only its code is shown."""
    from azure.core.exceptions import ServiceRequestError, ServiceResponseError

    text = str(error)
    unreachable = ServiceRequestError | ServiceResponseError
    if isinstance(error, unreachable) or isinstance(error.__cause__, unreachable) or _TRANSIENT.search(text):
        return Retryable("Microsoft Entra ID cannot be reached.")
    code = SIGN_IN_CODE.search(text)
    reason = f"{REASONS.get(code.group(), 'it refused the app')} ({code.group()})" if code else "it gave no token"
    return ConfigurationError(f"Microsoft Entra ID does not sign the app in to Dataverse: {reason}.")


# fmt: off
REASONS = {
    "AADSTS7000215": "the client secret is wrong: check DATAVERSE_CLIENT_SECRET",
    "AADSTS7000222": "the client secret has expired: make a new one for DATAVERSE_CLIENT_SECRET",
    "AADSTS700016":  "the app is not known in this tenant: check DATAVERSE_CLIENT_ID and DATAVERSE_TENANT_ID",
    "AADSTS700027":  "the certificate does not belong to the app: check DATAVERSE_CLIENT_CERTIFICATE",
    "AADSTS90002":   "the tenant does not exist: check DATAVERSE_TENANT_ID",
    "AADSTS500011":  "the environment is not known in this tenant: check the environment's address",
    "AADSTS7000112": "the app is disabled in this tenant",
    "AADSTS53003":   "a Conditional Access policy blocks it",
}
# fmt: on
