"""Dynamics 365 through the eyes of its administrator: signs in as a person, reads and writes rows by the Web API."""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
import simplejson

from sandbox.dataverse import demo_company
from sandbox.demo.browser import TIMEOUT
from sandbox.entra.directory import TENANT

Json = dict[str, Any]

ADMINISTRATOR = "aroha.ngata@kowhai.example"
LABEL = "@OData.Community.Display.V1.FormattedValue"
ANNOTATED = {"Prefer": 'odata.include-annotations="*"'}


class Refused(Exception):
    """The Web API refused a request; the message is its own."""


class Dynamics:
    """The Web API of one environment, used by a person who signed in (not by the connector's application user)."""

    def __init__(self, url: str, ca_file: Path, redirect_uri: str, username: str = ADMINISTRATOR) -> None:
        self.url = url
        self._redirect_uri = redirect_uri
        self._username = username
        self._session = requests.Session()
        self._session.trust_env = False  # or REQUESTS_CA_BUNDLE of the machine would win over ours
        self._session.verify = str(ca_file)
        self._lock = threading.Lock()

    def read(self, path: str, **options: str) -> Json:
        """Return one row or one page of rows; *options* are the query's, without their dollar signs."""
        return self._ask("GET", path, params={f"${name}": value for name, value in options.items()})

    def rows(self, path: str, **options: str) -> Iterator[Json]:
        """Yield every row of a set, page by page."""
        page = self.read(path, **options)
        while True:
            yield from page["value"]
            if not (following := page.get("@odata.nextLink")):
                return
            page = self._ask("GET", following)

    def create(self, path: str, body: Json) -> Json:
        """Create a row (and rows below it) and return it as it then is."""
        return self._ask("POST", path, body, {"Prefer": 'return=representation,odata.include-annotations="*"'})

    def change(self, path: str, **columns: Any) -> None:
        """Change columns of a row."""
        self._ask("PATCH", path, columns, {"If-Match": "*"})

    def delete(self, path: str) -> None:
        """Delete a row."""
        self._ask("DELETE", path)

    def link(self, path: str, relation: str, other: str) -> None:
        """Link a row to another one by a many-to-many relationship."""
        self._ask("POST", f"{path}/{relation}/$ref", {"@odata.id": f"{self.url}/api/data/v9.2/{other}"})

    def page_of(self, invoice_id: str) -> str:
        """Return the end of the address of an invoice's page, which is the mark on its document in Xero."""
        return f"etn=invoice&id={invoice_id}"

    def _ask(self, method: str, path: str, body: Json | None = None, headers: Json | None = None, **options: Any) -> Json:
        url = path if "://" in path else f"{self.url}/api/data/v9.2/{path}"
        text = None if body is None else simplejson.dumps(body, use_decimal=True)
        sent = {"Content-Type": "application/json", **(headers or ANNOTATED)}
        with self._lock:
            if "Authorization" not in self._session.headers:
                self._sign_in()
            response = self._session.request(method, url, data=text, headers=sent, timeout=TIMEOUT, **options)
            if response.status_code == 401:  # an hour has passed
                self._sign_in()
                response = self._session.request(method, url, data=text, headers=sent, timeout=TIMEOUT, **options)
        answer: Json = simplejson.loads(response.content, use_decimal=True) if response.content else {}
        if not response.ok:
            raise Refused(answer.get("error", {}).get("message") or f"{method} {path}: {response.status_code}")
        return answer

    def _sign_in(self) -> None:
        """Sign in at Entra ID as the person, with a code and PKCE, and keep the token."""
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        authority = f"{self.url}/{TENANT}/oauth2/v2.0"
        asked = {
            "client_id": demo_company.SETUP_CLIENT_ID,
            "response_type": "code",
            "redirect_uri": self._redirect_uri,
            "scope": f"{self.url}/user_impersonation offline_access openid",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "state": secrets.token_urlsafe(16),
        }
        page = self._session.get(f"{authority}/authorize", params=asked, timeout=TIMEOUT).text
        button = next(part for part in page.split("<button")[1:] if self._username in part)
        person = {"person": button.split('value="')[1].split('"')[0]}
        answered = self._session.post(f"{authority}/authorize", params=asked, data=person, timeout=TIMEOUT, allow_redirects=False)
        code = parse_qs(urlsplit(answered.headers["Location"]).query)["code"][0]
        form = {
            "grant_type": "authorization_code",
            "client_id": demo_company.SETUP_CLIENT_ID,
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": verifier,
            "scope": asked["scope"],
        }
        token = self._session.post(f"{authority}/token", data=form, timeout=TIMEOUT).json()
        self._session.headers["Authorization"] = f"Bearer {token['access_token']}"


def label(row: Json, column: str) -> str:
    """Return the words of a choice or lookup as people see them; empty when it is."""
    return str(row.get(f"{column}{LABEL}") or "")


def amount(row: Json, column: str) -> Decimal:
    """Return an amount; an empty one is 0."""
    return Decimal(str(row.get(column) or 0))
