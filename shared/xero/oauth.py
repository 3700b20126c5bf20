"""Xero's identity service: consent, token sets, connections. Every call is one HTTP send with a time-out; nothing is tried twice here.

Sources: Xero, "OAuth 2.0: the standard authorisation code flow", "Token types", "Managing connections", "Custom connections".
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from urllib3 import make_headers
from urllib3.exceptions import HTTPError

from shared.durations import Durations
from shared.errors import ConfigurationError, NeedsReconnect, Retryable
from shared.one_send import one_send_pool
from shared.services import Clock
from shared.xero.answers import translate

LIFETIME = 1800


@dataclass(frozen=True)
class TokenSet:
    """What the token endpoint gave. ``refresh_token`` is empty for a Custom Connection; tokens never show in its repr.

    ``expires_at`` is Xero's own word (the ``exp`` claim) where the access token is a JWT: sets compare by one clock.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: datetime
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Connection:
    """One organisation this token may reach. ``id`` is the connection's own id, wanted by ``disconnect``; not the tenant id."""

    id: str
    tenant_id: str
    tenant_name: str
    auth_event_id: str


class OAuth:
    """Speak to the three servers of Xero's OAuth 2 (the login, identity and API addresses are settings).

    Raises Retryable when Xero cannot be reached or answers 429 or 5xx, NeedsReconnect for invalid_grant, ConfigurationError for
    every other refusal; their messages hold Xero's error code only.
    """

    def __init__(
        self,
        client_id: str,
        client_secret: str,
        clock: Clock,
        durations: Durations,
        login_url: str = "https://login.xero.com",
        identity_url: str = "https://identity.xero.com",
        api_url: str = "https://api.xero.com",
    ) -> None:
        self._client_id = client_id
        self._client_secret = client_secret
        self._clock = clock
        self._login_url = login_url.rstrip("/")
        self._identity_url = identity_url.rstrip("/")
        self._api_url = api_url.rstrip("/")
        # A refresh must end well within the lease of its row.
        self._pool = one_send_pool(replace(durations, read=min(durations.read, durations.token_lease / 4)))

    def authorize_url(self, redirect_uri: str, scopes: Sequence[str], state: str, code_challenge: str = "") -> str:
        """Return the address of the consent page; *code_challenge* is the S256 one of PKCE, optional for an app with a secret."""
        query = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(scopes),
            "state": state,
        }
        if code_challenge:
            query |= {"code_challenge": code_challenge, "code_challenge_method": "S256"}
        return f"{self._login_url}/identity/connect/authorize?{urlencode(query, quote_via=quote)}"

    def exchange_code(self, code: str, redirect_uri: str, code_verifier: str = "") -> TokenSet:
        """Exchange the code of the callback (single use, 5 minutes) for a token set."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        if code_verifier:
            form["code_verifier"] = code_verifier
        return self._token_set(form)

    def refresh(self, refresh_token: str) -> TokenSet:
        """Exchange a refresh token for a new set; Xero lets the old one be tried again for 30 minutes."""
        return self._token_set({"grant_type": "refresh_token", "refresh_token": refresh_token})

    def client_credentials(self, client_id: str, client_secret: str, scopes: Sequence[str]) -> TokenSet:
        """Return a token set of a Custom Connection, by its own id and secret."""
        form = {"grant_type": "client_credentials", "scope": " ".join(scopes)}
        return replace(self._token_set(form, client_id, client_secret), refresh_token="")

    def revoke(self, refresh_token: str) -> None:
        """Take back the consent: every connection of this user to the app ends."""
        self._identity("/connect/revocation", {"token": refresh_token}, self._client_id, self._client_secret)

    def connections(self, access_token: str, auth_event_id: str = "") -> list[Connection]:
        """Return the organisations the token may reach, those of one consent when *auth_event_id* is given."""
        query = f"?{urlencode({'authEventId': auth_event_id})}" if auth_event_id else ""
        found = self._api("GET", f"/connections{query}", access_token)
        return [
            Connection(item["id"], item["tenantId"], item.get("tenantName") or "", item.get("authEventId") or "")
            for item in found
            if item.get("tenantType") == "ORGANISATION"
        ]

    def disconnect(self, access_token: str, connection_id: str) -> None:
        """End one organisation's connection (raises NotFound when it is already gone); others of the user stay."""
        self._api("DELETE", f"/connections/{quote(connection_id, safe='')}", access_token)

    def _token_set(self, form: Mapping[str, str], client_id: str = "", client_secret: str = "") -> TokenSet:
        asked_at = self._clock.now()
        answer = self._identity("/connect/token", form, client_id or self._client_id, client_secret or self._client_secret)
        access_token, scope = answer.get("access_token"), answer.get("scope") or ""
        if not isinstance(access_token, str) or not access_token:
            raise Retryable("Xero's token endpoint answered without an access token.")
        expires = claims(access_token).get("exp")
        if isinstance(expires, int):
            expires_at = datetime.fromtimestamp(expires, UTC)
        else:
            expires_at = asked_at + timedelta(seconds=int(answer.get("expires_in") or LIFETIME))
        return TokenSet(access_token, str(answer.get("refresh_token") or ""), expires_at, tuple(str(scope).split()))

    def _identity(self, path: str, form: Mapping[str, str], client_id: str, client_secret: str) -> dict[str, Any]:
        headers = make_headers(basic_auth=f"{client_id}:{client_secret}")
        headers |= {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        status, body = self._send("POST", self._identity_url + path, headers, urlencode(form))
        if status >= 500 or status == 429 or 300 <= status < 400:
            raise Retryable(f"Xero's identity service answered {status}.")
        try:
            answer = json.loads(body or b"{}")
        except ValueError:
            raise Retryable(f"Xero's identity service answered {status} with something that is not JSON.") from None
        if not isinstance(answer, dict):
            raise Retryable(f"Xero's identity service answered {status} with something that is not an object.")
        if status == 200:
            return answer
        code = str(answer.get("error") or "")
        code = code if re.fullmatch(r"[a-z_]{1,40}", code) else "no reason given"
        if code == "invalid_grant":
            raise NeedsReconnect("Xero no longer accepts the consent (invalid_grant): connect again.")
        raise ConfigurationError(
            f"Xero's identity service refused the app ({status}, {code}): check its client id, secret and scopes."
        )

    def _api(self, method: str, path: str, access_token: str) -> Any:
        headers = {"Authorization": f"Bearer {access_token}", "Accept": "application/json"}
        status, body = self._send(method, self._api_url + path, headers)
        if status == 200 and method == "GET":
            try:
                return json.loads(body)
            except ValueError:
                raise Retryable("Xero's list of connections is not JSON.") from None
        return translate(method, status, {}, body)

    def _send(self, method: str, url: str, headers: Mapping[str, str], body: str | None = None) -> tuple[int, bytes]:
        try:
            answer = self._pool.request(method, url, headers=headers, body=body, redirect=False)
        except (HTTPError, OSError) as error:
            raise Retryable(f"Xero's identity service did not answer ({type(error).__name__}).") from error
        return answer.status, answer.data


def claims(access_token: str) -> dict[str, Any]:
    """Return the claims of an access token we got from Xero itself, unverified: xero_userid, scope, authentication_event_id, exp.

    An empty dict when it is no JWT.
    """
    try:
        payload = access_token.split(".")[1]
        value = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError, binascii.Error):
        return {}
    return value if isinstance(value, dict) else {}
