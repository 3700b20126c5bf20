"""What every page for people shares: the request and the page as plain values, who may enter, and how a page is written.

Nothing here knows the Functions SDK; ``function_app.py`` turns a request into a PageRequest and a Page into a response.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from shared.services import Secrets
from shared.settings import LOCAL, AppSettings

APP_ROLE = "Connector.Administrator"
"""The app role of the Entra app registration that lets a person in, beside PORTAL_ADMINS."""

LONGEST_FORM = 64_000
_OBJECT_ID = ("http://schemas.microsoft.com/identity/claims/objectidentifier", "oid")
_USER_NAME = ("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn", "upn", "preferred_username")
_ROLES = ("roles", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role")


class Refused(Exception):
    """The request is not answered: *status* and one sentence for the person."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class PageRequest:
    """One request: ``path`` without its query, ``headers`` by lower-case name, the last of values given twice."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, method: str, url: str, headers: Mapping[str, str], body: bytes = b"") -> PageRequest:
        """Read a request as it arrived; a body that is no form, or too long, is no form."""
        lowered = {name.lower(): value for name, value in headers.items()}
        parts = urlsplit(url)
        is_form = lowered.get("content-type", "").partition(";")[0].strip() == "application/x-www-form-urlencoded"
        text = body.decode("utf-8", "replace") if is_form and len(body) <= LONGEST_FORM else ""
        try:
            cookies = {name: morsel.value for name, morsel in SimpleCookie(lowered.get("cookie", "")).items()}
        except CookieError:
            cookies = {}
        return cls(
            method.upper(),
            parts.path.rstrip("/"),
            dict(parse_qsl(parts.query, keep_blank_values=True)),
            dict(parse_qsl(text, keep_blank_values=True)),
            lowered,
            cookies,
        )


@dataclass(frozen=True)
class Page:
    """One answer."""

    status: int
    html: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One line of a checklist; ``state`` is done, warning, failed or not tried."""

    title: str
    state: str = "not tried"
    detail: str = ""
    fix: str = ""


@dataclass(frozen=True)
class Visitor:
    """Who is there: ``person`` is the Entra object id (or "local"), ``browser`` the secret of this browser's cookie."""

    person: str
    name: str
    browser: str
    is_new_browser: bool = False


def visitor(request: PageRequest, settings: AppSettings) -> Visitor:
    """Return who is there, or raise Refused: closed unless the platform itself vouches for an administrator (SPEC 11).

    The principal header is believed only behind App Service authentication, which strips what a client sends. On a person's own
    machine (PORTAL_ADMINS=local) everybody who asks for PUBLIC_URL is that person; another Host is a page that was rebound.
    """
    if settings.is_local:
        if request.headers.get("host", "") != urlsplit(settings.public_url).netloc:
            raise Refused(403, "This app answers its own address only.")
        person = name = LOCAL
    else:
        person, name = _principal(request, settings)
    browser = request.cookies.get(_cookie(settings), "")
    if len(browser) < 43:
        return Visitor(person, name, secrets.token_urlsafe(32), is_new_browser=True)
    return Visitor(person, name, browser)


def _principal(request: PageRequest, settings: AppSettings) -> tuple[str, str]:
    if not settings.is_behind_entra:
        raise Refused(403, "This page is closed: App Service authentication with Microsoft Entra ID is not switched on.")
    header = request.headers.get("x-ms-client-principal", "")
    if not header:
        raise Refused(401, "Sign in with Microsoft Entra ID first.")
    try:
        principal = json.loads(base64.b64decode(header, validate=True))
        claims = [(str(claim["typ"]), str(claim["val"])) for claim in principal["claims"]]
        provider = principal["auth_typ"]
    except (binascii.Error, ValueError, KeyError, TypeError):
        raise Refused(401, "The sign-in cannot be read.") from None
    ids = [value.lower() for name, value in claims if name in _OBJECT_ID]
    names = [value.lower() for name, value in claims if name in _USER_NAME]
    is_admin = not {*ids, *names}.isdisjoint(settings.portal_admins)
    has_role = any((name, APP_ROLE) in claims for name in _ROLES)
    if provider != "aad" or not ids or not (is_admin or has_role):
        raise Refused(403, "You are not an administrator of this connector: ask for the app role or a place in PORTAL_ADMINS.")
    return ids[0], (names or ids)[0]


def form_token(visitor: Visitor, keys: Secrets) -> str:
    """Return what every form of this person in this browser must send back."""
    return keys.keyed_hash(f"{visitor.person}|{visitor.browser}", "form")


def check_form(request: PageRequest, visitor: Visitor, settings: AppSettings, keys: Secrets) -> None:
    """Raise Refused unless the form was one of our own pages, in this person's browser."""
    origin = request.headers.get("origin")
    if origin is not None and origin != settings.public_url:
        raise Refused(403, "The form came from another site.")
    sent = request.form.get("form_token", "")
    if visitor.is_new_browser or not hmac.compare_digest(sent.encode(), form_token(visitor, keys).encode()):
        raise Refused(403, "The form is too old, or came from elsewhere: open the page again.")


def page(
    template: str,
    visitor: Visitor | None,
    settings: AppSettings,
    *,
    status: int = 200,
    form_targets: tuple[str, ...] = (),
    **values: Any,
) -> Page:
    """Write *template* with *values*, every one of them escaped. *form_targets* are sites a form may end up at by redirect."""
    nonce = secrets.token_urlsafe(16)
    html = _templates().get_template(f"{template}.html").render(nonce=nonce, visitor=visitor, **values)
    targets = " ".join(("'self'", *form_targets))
    policy = f"default-src 'none'; style-src 'nonce-{nonce}'; form-action {targets}; base-uri 'none'; frame-ancestors 'none'"
    headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy, "X-Frame-Options": "DENY"}
    return Page(status, html, headers | _common(visitor, settings))


def redirect(address: str, visitor: Visitor, settings: AppSettings) -> Page:
    """Send the browser on with a GET, wherever it came from."""
    return Page(303, "", {"Location": address} | _common(visitor, settings))


def _common(visitor: Visitor | None, settings: AppSettings) -> dict[str, str]:
    headers = {
        "Cache-Control": "no-store",
        "Referrer-Policy": "same-origin",  # "no-referrer" would take the Origin from our own forms
        "X-Content-Type-Options": "nosniff",
    }
    if visitor is not None and visitor.is_new_browser:
        secure = "; Secure" if _is_https(settings) else ""
        headers["Set-Cookie"] = f"{_cookie(settings)}={visitor.browser}; Path=/; HttpOnly; SameSite=Lax{secure}"
    return headers


def _cookie(settings: AppSettings) -> str:
    """Name the browser's cookie; with the prefix no other host of the domain can set it."""
    return "__Host-connector" if _is_https(settings) else "connector"


def _is_https(settings: AppSettings) -> bool:
    return settings.public_url.startswith("https://")


@cache
def _templates() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined)
