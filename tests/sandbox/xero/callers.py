"""Ways to talk to the stand-in in this process: consent, calls, the bodies of a small invoice, the messages of a refusal."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from sandbox.xero import Sandbox
from sandbox.xero.demo_company import NZ, UK, USERS
from sandbox.xero.sandbox import LOCAL_CALLBACK

NOW = datetime(2026, 11, 21, 0, 30, tzinfo=UTC)
SCOPES = "offline_access openid profile email accounting.invoices accounting.payments accounting.contacts accounting.settings"
API = "/api.xro/2.0"
BASIC = {"Authorization": "Basic " + base64.b64encode(b"sandbox-client:sandbox-secret").decode()}


@dataclass
class Caller:
    """A connected app calling one organisation in process; knows the shortest way to say things."""

    client: FlaskClient
    token: str
    tenant: str

    def headers(self, **more: str) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self.token}",
            "xero-tenant-id": self.tenant,
            "Accept": "application/json",
            **{name.replace("_", "-"): value for name, value in more.items()},
        }

    def get(self, path: str, *, headers: dict[str, str] | None = None, **query: Any) -> TestResponse:
        return self.client.get(f"{API}/{path}", query_string=query, headers=self.headers() | (headers or {}))

    def put(self, path: str, body: Any, *, key: str = "", **query: Any) -> TestResponse:
        return self._send("PUT", path, body, key, query)

    def post(self, path: str, body: Any, *, key: str = "", **query: Any) -> TestResponse:
        return self._send("POST", path, body, key, query)

    def _send(self, method: str, path: str, body: Any, key: str, query: dict[str, Any]) -> TestResponse:
        headers = self.headers() | ({"Idempotency-Key": key} if key else {})
        return self.client.open(f"{API}/{path}", method=method, json=body, query_string=query, headers=headers)


def sign_in(client: FlaskClient, *, tenant: str = NZ, scopes: str = SCOPES, user: int = 0, **more: str) -> dict[str, Any]:
    """Consent, exchange the code, return the token answer."""
    asked = {
        "client_id": "sandbox-client",
        "response_type": "code",
        "redirect_uri": LOCAL_CALLBACK,
        "scope": scopes,
        "state": "s",
        "organisation": tenant,
        "user": USERS[user]["xero_userid"],
        "decision": "allow",
        **more,
    }
    answer = client.post("/identity/connect/authorize", data=asked)
    code = parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": LOCAL_CALLBACK}
    tokens: dict[str, Any] = client.post("/connect/token", data=form, headers=BASIC).get_json()
    return tokens


def messages(answer: TestResponse) -> list[str]:
    """Return every ValidationErrors text of a 400, nested ones too."""
    found: list[str] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            found.extend(row["Message"] for row in value.get("ValidationErrors", []))
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    assert answer.status_code == 400, answer.get_data(as_text=True)
    walk(answer.get_json()["Elements"])
    return found


def invoice(contact: str, **changes: Any) -> dict[str, Any]:
    """Return a small approved sales invoice; *changes* replace fields, None leaves one out."""
    body = {
        "Type": "ACCREC",
        "Contact": {"ContactID": contact},
        "Date": "2026-11-20",
        "DueDate": "2026-12-20",
        "LineAmountTypes": "Exclusive",
        "Status": "AUTHORISED",
        "LineItems": [line()],
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}


def line(**changes: Any) -> dict[str, Any]:
    """Return one line of 2 x 10.50 on Sales; *changes* replace fields, None leaves one out."""
    body = {"Description": "Consulting", "Quantity": 2, "UnitAmount": 10.5, "AccountCode": "200", **changes}
    return {name: value for name, value in body.items() if value is not None}


def contact_id(sandbox: Sandbox, name: str) -> str:
    return next(
        str(row["ContactID"]) for tenant in (NZ, UK) for row in sandbox.documents(tenant, "contact") if row["Name"] == name
    )
