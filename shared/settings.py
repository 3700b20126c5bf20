"""Read the app's settings once, or refuse to start with one clear sentence that names the setting (SPEC 12)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from shared.errors import ConfigurationError

SCOPES = "offline_access openid profile email accounting.invoices accounting.payments accounting.contacts accounting.settings"  # SPEC 10
ALLOWED_HOSTS = "*.dynamics.com *.dynamics.cn *.crm.microsoftdynamics.us *.crm.appsplatform.us"
LOCAL = "local"
AZURE = ("WEBSITE_SITE_NAME", "WEBSITE_INSTANCE_ID")  # set by the platform wherever Functions are hosted
LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")

_SCHEDULE = re.compile(r"[0-9A-Za-z*,/\-]+")
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_HOST_PATTERN = re.compile(r"(\*\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?")


@dataclass(frozen=True)
class AppSettings:
    """Every setting of the app; ``repr`` shows no secret.

    Storage is a connection string, or two service addresses with an identity (``AzureWebJobsStorage__queueServiceUri``,
    ``__tableServiceUri``, ``__credential``, ``__clientId``). ``token_encryption_keys`` are 32 bytes each, the newest first.
    ``portal_admins`` are object ids or user principal names in lower case; ``("local",)`` lets the one person of a local run in.
    ``is_behind_entra`` is the platform's own word (WEBSITE_AUTH_ENABLED) that the principal header can be believed.
    ``time_scale`` shortens every duration of the protocol alike; only process tests set it.
    """

    public_url: str
    tick_schedule: str
    nightly_schedule: str
    keepalive_schedule: str
    xero_client_id: str
    xero_client_secret: str = field(repr=False)
    xero_scopes: tuple[str, ...]
    xero_webhook_key: str = field(repr=False)
    xero_api_url: str
    xero_login_url: str
    xero_identity_url: str
    dataverse_tenant_id: str
    dataverse_client_id: str
    dataverse_client_secret: str = field(repr=False)
    dataverse_client_certificate: str = field(repr=False)
    dataverse_authority_url: str
    dataverse_allowed_hosts: tuple[str, ...]
    token_encryption_keys: tuple[bytes, ...] = field(repr=False)
    portal_admins: tuple[str, ...]
    time_scale: float
    storage_connection_string: str = field(repr=False)
    storage_queue_url: str
    storage_table_url: str
    storage_credential: str
    storage_client_id: str
    is_behind_entra: bool

    @property
    def is_local(self) -> bool:
        """Tell whether this is a run on a person's own machine, whose one visitor is the person "local"."""
        return self.portal_admins == (LOCAL,)

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> AppSettings:
        """Read the settings from *env*; raise ConfigurationError with a sentence per problem, each naming its setting."""
        values: dict[str, Any] = {}
        problems: list[str] = []
        for setting in SETTINGS:
            text = env.get(setting.name, "").strip() or setting.default
            try:
                values[setting.field] = setting.read(text)
            except ValueError as problem:
                problems.append(f"The setting {setting.name} {problem}.")
        problems += _contradictions(values)
        if values.get("portal_admins") == (LOCAL,) and any(env.get(name) for name in AZURE):
            problems.append("The setting PORTAL_ADMINS may not be local in Azure.")
        if problems:
            raise ConfigurationError(" ".join(problems))
        return cls(**values, is_behind_entra=env.get("WEBSITE_AUTH_ENABLED", "").strip().lower() == "true")


@dataclass(frozen=True)
class Setting:
    """One row: the setting's name, its field, how it is read (ValueError completes "The setting X …"), and its default."""

    name: str
    field: str
    read: Callable[[str], Any]
    default: str = ""


def _required(text: str) -> str:
    if not text:
        raise ValueError("is missing")
    return text


def _optional(text: str) -> str:
    return text


def _url(text: str) -> str:
    """Read an address without a trailing slash: https, or http on this machine."""
    try:
        parts = urlsplit(_required(text))
        _ = parts.port
    except ValueError as error:
        raise ValueError("is missing" if not text else "is not an address such as https://example.com") from error
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.username is not None or parts.query or parts.fragment:
        raise ValueError("is not an address such as https://example.com")
    if parts.scheme == "http" and parts.hostname not in LOCAL_HOSTS:
        raise ValueError("must start with https:// (http:// is for localhost only)")
    return text.rstrip("/")


def _public_url(text: str) -> str:
    url = _url(text)
    if urlsplit(url).path:
        raise ValueError("must not have a path")
    if urlsplit(url).hostname in ("127.0.0.1", "::1"):
        raise ValueError("must say localhost: Xero refuses a redirect to an IP address")
    return url


def _tls_url(text: str) -> str:
    url = _url(text)
    if not url.startswith("https://"):
        raise ValueError("must start with https://")
    return url


def _schedule(text: str) -> str:
    """Read an NCRONTAB expression: five fields, or six that start with seconds."""
    fields = _required(text).split()
    if len(fields) not in (5, 6) or not all(_SCHEDULE.fullmatch(part) for part in fields):
        raise ValueError('is not a schedule of five or six fields such as "0 * * * * *"')
    return text


def _guid(text: str) -> str:
    if text and not _GUID.fullmatch(text):
        raise ValueError("is not an id such as 00000000-0000-0000-0000-000000000000")
    return text.lower()


def _list(text: str) -> tuple[str, ...]:
    return tuple(part for part in re.split(r"[\s,;]+", text) if part)


def _full_list(text: str) -> tuple[str, ...]:
    items = _list(_required(text))
    if not items:
        raise ValueError("is empty")
    return items


def _scopes(text: str) -> tuple[str, ...]:
    scopes = _list(text)
    if not any(scope.startswith("accounting.") for scope in scopes):
        raise ValueError("names no accounting scope")
    return scopes


def _host_patterns(text: str) -> tuple[str, ...]:
    patterns = _full_list(text.lower())
    for pattern in patterns:
        host = pattern.removeprefix("*.").partition(":")[0]
        if not _HOST_PATTERN.fullmatch(pattern) or (pattern.startswith("*.") and "." not in host):
            raise ValueError(f'holds "{pattern}", which is not a host name such as *.dynamics.com')
    return patterns


def _keys(text: str) -> tuple[bytes, ...]:
    if text.startswith("@Microsoft.KeyVault("):  # what the platform leaves there when it cannot read the secret
        raise ValueError("could not be read from the key vault")
    keys = _full_list(text)
    try:
        decoded = tuple(base64.b64decode(key, validate=True) for key in keys)
    except binascii.Error:
        raise ValueError("is not base64") from None
    if any(len(key) != 32 for key in decoded):
        raise ValueError("must hold keys of 32 bytes each, in base64")
    if len(set(decoded)) != len(decoded):
        raise ValueError("holds the same key twice")
    return decoded


def _people(text: str) -> tuple[str, ...]:
    return _list(text.lower())


def _scale(text: str) -> float:
    try:
        scale = float(text)
    except ValueError:
        raise ValueError("is not a number") from None
    if not 0 < scale <= 1:
        raise ValueError("must be above 0 and at most 1")
    return scale


# fmt: off
SETTINGS = (
    #       name                                    field                           read            default
    Setting("AzureWebJobsStorage",                  "storage_connection_string",    _optional),
    Setting("AzureWebJobsStorage__queueServiceUri", "storage_queue_url",            _optional),
    Setting("AzureWebJobsStorage__tableServiceUri", "storage_table_url",            _optional),
    Setting("AzureWebJobsStorage__credential",      "storage_credential",           _optional),
    Setting("AzureWebJobsStorage__clientId",        "storage_client_id",            _guid),
    Setting("PUBLIC_URL",                           "public_url",                   _public_url),
    Setting("TICK_SCHEDULE",                        "tick_schedule",                _schedule),
    Setting("NIGHTLY_SCHEDULE",                     "nightly_schedule",             _schedule),
    Setting("KEEPALIVE_SCHEDULE",                   "keepalive_schedule",           _schedule),
    Setting("XERO_CLIENT_ID",                       "xero_client_id",               _required),
    Setting("XERO_CLIENT_SECRET",                   "xero_client_secret",           _required),
    Setting("XERO_SCOPES",                          "xero_scopes",                  _scopes,        SCOPES),
    Setting("XERO_WEBHOOK_KEY",                     "xero_webhook_key",             _optional),
    Setting("XERO_API_URL",                         "xero_api_url",                 _url,           "https://api.xero.com"),
    Setting("XERO_LOGIN_URL",                       "xero_login_url",               _url,           "https://login.xero.com"),
    Setting("XERO_IDENTITY_URL",                    "xero_identity_url",            _url,           "https://identity.xero.com"),
    Setting("DATAVERSE_TENANT_ID",                  "dataverse_tenant_id",          _guid),
    Setting("DATAVERSE_CLIENT_ID",                  "dataverse_client_id",          _guid),
    Setting("DATAVERSE_CLIENT_SECRET",              "dataverse_client_secret",      _optional),
    Setting("DATAVERSE_CLIENT_CERTIFICATE",         "dataverse_client_certificate", _optional),
    Setting("DATAVERSE_AUTHORITY_URL",              "dataverse_authority_url",      _tls_url,       "https://login.microsoftonline.com"),
    Setting("DATAVERSE_ALLOWED_HOSTS",              "dataverse_allowed_hosts",      _host_patterns, ALLOWED_HOSTS),
    Setting("TOKEN_ENCRYPTION_KEYS",                "token_encryption_keys",        _keys),
    Setting("PORTAL_ADMINS",                        "portal_admins",                _people),
    Setting("PROTOCOL_TIME_SCALE",                  "time_scale",                   _scale,         "1"),
)
# fmt: on


def _contradictions(values: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each pair of settings that cannot both be right; unread settings are not judged again."""
    problems = []
    if not values.get("storage_connection_string"):
        for setting in SETTINGS[1:3]:
            address = values.get(setting.field, "")
            if not address:
                problems.append(f"The setting AzureWebJobsStorage is missing, and so is {setting.name}.")
                break
            if not address.startswith("https://"):
                problems.append(f"The setting {setting.name} must start with https://.")
        if values.get("storage_credential") not in ("", "managedidentity"):
            problems.append("The setting AzureWebJobsStorage__credential must be managedidentity or empty.")
    if values.get("dataverse_client_secret") and values.get("dataverse_client_certificate"):
        problems.append("The setting DATAVERSE_CLIENT_CERTIFICATE must be empty when DATAVERSE_CLIENT_SECRET is set.")
    if values.get("dataverse_client_secret") or values.get("dataverse_client_certificate"):
        for name in ("DATAVERSE_TENANT_ID", "DATAVERSE_CLIENT_ID"):
            if values.get(name.lower()) == "":
                problems.append(f"The setting {name} is missing.")
    if LOCAL in values.get("portal_admins", ()):
        if values["portal_admins"] != (LOCAL,):
            problems.append("The setting PORTAL_ADMINS must name either local or people, not both.")
        if not str(values.get("public_url", "http://localhost")).startswith("http://localhost"):
            problems.append("The setting PORTAL_ADMINS may be local only when PUBLIC_URL starts with http://localhost.")
    return problems
