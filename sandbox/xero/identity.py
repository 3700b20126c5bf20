"""login.xero.com and identity.xero.com: consent, tokens with rotation, connections, revocation.

Sources: developer.xero.com guides/oauth2 (auth-flow, token-types, custom-connections, tenants, scopes) and faq/oauth2.
"""

import base64
import hashlib
import hmac
import secrets
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast
from urllib.parse import urlencode

import jwt
from flask import Blueprint, Response, current_app, jsonify, redirect, render_template, request
from werkzeug.wrappers import Response as Redirect

from . import faults
from .connections import connection_of
from .demo_company import USERS
from .faults import Fault
from .log import faulty
from .sandbox import Sandbox, XeroApp
from .store import Document

CODE_LIFE = timedelta(minutes=5)
ACCESS_LIFE = timedelta(minutes=30)
ID_TOKEN_LIFE = timedelta(minutes=5)
REFRESH_LIFE = timedelta(days=60)
GRACE = timedelta(minutes=30)


class OAuthError(Exception):
    """An error of RFC 6749: 400 `{"error": …}`."""


@dataclass(frozen=True)
class _Grantee:
    """Who a token set belongs to: one user and one app, never an organisation."""

    user: str
    app: str

    @property
    def id(self) -> str:
        return f"{self.user}/{self.app}"


def blueprint() -> Blueprint:
    """Return the identity endpoints, all on one host."""
    pages = Blueprint("identity", __name__, template_folder="templates")
    add = pages.add_url_rule
    add("/identity/connect/authorize", "consent", _faulty(consent), methods=["GET"])
    add("/identity/connect/authorize", "decision", _faulty(decision), methods=["POST"])
    add("/connect/token", "token", _faulty(token), methods=["POST"])
    add("/connect/revocation", "revocation", _faulty(revocation), methods=["POST"])
    add("/.well-known/openid-configuration", "discovery", _faulty(discovery), methods=["GET"])
    for path in ("/connections", "/Connections"):
        add(path, f"connections {path[1]}", _faulty(connections), methods=["GET"])
        add(f"{path}/<id>", f"disconnect {path[1]}", _faulty(disconnect), methods=["DELETE"])
    return pages


def _faulty(view: Callable[..., Redirect]) -> Callable[..., Response]:
    def answer(**ids: str) -> Response:
        sandbox: Sandbox = current_app.extensions["sandbox"]

        def worked(fault: Fault | None) -> Response:
            if fault and fault.kind == "500":
                return Response(status=500, content_type="text/html")
            if fault and fault.kind == "429":
                return Response(status=429, headers={"Retry-After": str(int(fault.seconds) or 1)})
            faults.pause(fault, "delay")
            try:
                with sandbox.store.transaction():
                    response = cast(Response, view(sandbox, **ids))
            except OAuthError as error:
                response = jsonify(error=str(error))
                response.status_code = 400
            faults.pause(fault, "delay_after")
            return Response(status=500, content_type="text/html") if fault and fault.kind == "500_applied" else response

        return faulty(sandbox.log, sandbox.faults, worked)

    return answer


# --- consent -----------------------------------------------------------------------------------------------------------


def consent(sandbox: Sandbox) -> Redirect:
    """Show who asks for what; the caller picks a user and ONE organisation, then allows or cancels."""
    try:
        app, scopes = _asked(sandbox, request.args)
    except OAuthError as error:
        return _error_page(str(error))
    return _page(
        "consent.html",
        app=app,
        scopes=scopes,
        users=USERS,
        organisations=sandbox.organisations(),
        asked=request.args,
    )


def decision(sandbox: Sandbox) -> Redirect:
    """Take the form of the consent page: redirect with `code` and `state`, or `error=access_denied`."""
    try:
        app, scopes = _asked(sandbox, request.form)
    except OAuthError as error:
        return _error_page(str(error))
    target, state = request.form["redirect_uri"], request.form.get("state", "")
    if request.form.get("decision") != "allow":
        return redirect(f"{target}?{urlencode({'error': 'access_denied', 'state': state})}")
    user = next((user for user in USERS if user["xero_userid"] == request.form.get("user", USERS[0]["xero_userid"])), None)
    organisation = sandbox.store.get("", "organisation", request.form.get("organisation", ""))
    if user is None or organisation is None:
        return _error_page("invalid_request")
    now, event, code = sandbox.clock.now(), str(uuid.uuid4()), secrets.token_urlsafe(32)
    _connect(sandbox, user["xero_userid"], app.client_id, organisation, event)
    sandbox.store.put(
        "",
        "code",
        code,
        {
            "app": app.client_id,
            "user": user["xero_userid"],
            "redirect_uri": target,
            "scope": scopes,
            "event": event,
            "nonce": request.form.get("nonce", ""),
            "challenge": request.form.get("code_challenge", ""),
            "expires": (now + CODE_LIFE).isoformat(),
        },
    )
    return redirect(f"{target}?{urlencode({'code': code, 'scope': ' '.join(scopes), 'state': state})}")


def _asked(sandbox: Sandbox, values: Any) -> tuple[XeroApp, list[str]]:
    """Check an authorisation request; anything wrong is shown on a page of Xero's, never sent to the redirect URI."""
    app = sandbox.apps.get(values.get("client_id", ""))
    if app is None or app.custom_connection:
        raise OAuthError("unauthorized_client")
    if values.get("response_type") != "code":
        raise OAuthError("unsupported_response_type")
    if values.get("redirect_uri") not in app.redirect_uris:
        raise OAuthError("invalid_request: Invalid redirect_uri")
    if values.get("code_challenge") and values.get("code_challenge_method") != "S256":
        raise OAuthError("invalid_request: transform algorithm not supported")
    return app, _scopes(app, values.get("scope", ""))


def _scopes(app: XeroApp, text: str) -> list[str]:
    scopes = text.split()
    if not scopes or not set(scopes) <= app.scopes:
        raise OAuthError("invalid_scope")
    return scopes


def _page(template: str, status: int = 200, **values: Any) -> Redirect:
    response = Response(render_template(template, **values), status, content_type="text/html; charset=utf-8")
    # The consent page cannot be framed.
    response.headers["Content-Security-Policy"] = "frame-ancestors 'none'"
    response.headers["X-Frame-Options"] = "DENY"
    return response


def _error_page(error: str) -> Redirect:
    return _page("error.html", 400, error=error)


# --- tokens ------------------------------------------------------------------------------------------------------------


def token(sandbox: Sandbox) -> Redirect:
    """Exchange a code, a refresh token or a custom connection's credentials for an access token."""
    grant_type = request.form.get("grant_type", "")
    app = _client(sandbox)
    if grant_type == "client_credentials":
        return _custom_connection(sandbox, app)
    if app.custom_connection:
        raise OAuthError("unauthorized_client")
    if grant_type == "authorization_code":
        return _exchanged(sandbox, app)
    if grant_type == "refresh_token":
        return _refreshed(sandbox, app)
    raise OAuthError("unsupported_grant_type")


def _client(sandbox: Sandbox) -> XeroApp:
    """Return the app by Basic credentials, or by client_id and client_secret in the form."""
    basic = request.authorization
    if basic is not None and basic.type == "basic":
        id, secret = basic.username or "", basic.password or ""
    else:
        id, secret = request.form.get("client_id", ""), request.form.get("client_secret", "")
    app = sandbox.apps.get(id)
    if app is None or not hmac.compare_digest(app.client_secret, secret):
        raise OAuthError("invalid_client")
    return app


def _exchanged(sandbox: Sandbox, app: XeroApp) -> Redirect:
    code = sandbox.store.get("", "code", request.form.get("code", ""))
    if code is None or code["app"] != app.client_id:
        raise OAuthError("invalid_grant")
    sandbox.store.delete("", "code", request.form["code"])
    now = sandbox.clock.now()
    if now >= datetime.fromisoformat(code["expires"]) or request.form.get("redirect_uri") != code["redirect_uri"]:
        return _spent(sandbox)
    if code["challenge"] and _s256(request.form.get("code_verifier", "")) != code["challenge"]:
        return _spent(sandbox)
    grantee = _Grantee(code["user"], app.client_id)
    before = sandbox.store.get("", "grant", grantee.id)
    # Scopes only ever add up until the user revokes the app; the new token set supersedes the one before.
    scopes = [*code["scope"], *(scope for scope in (before or {}).get("scope", ()) if scope not in code["scope"])]
    grant = {"user": grantee.user, "app": grantee.app, "scope": scopes, "event": code["event"]}
    return _issued(sandbox, grant, nonce=code["nonce"])


def _spent(sandbox: Sandbox) -> Redirect:
    """Refuse a code and keep it used up, which raising would undo."""
    response = jsonify(error="invalid_grant")
    response.status_code = 400
    return response


def _s256(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _refreshed(sandbox: Sandbox, app: XeroApp) -> Redirect:
    """Rotate: the token presented is good for 30 more minutes, in case this answer is lost; anything older is dead."""
    presented, now = request.form.get("refresh_token", ""), sandbox.clock.now()
    grant = next((found for found in sandbox.store.all("", "grant") if presented and presented in _refresh_tokens(found)), None)
    if grant is None or grant["app"] != app.client_id:
        raise OAuthError("invalid_grant")
    if presented == grant["refresh_token"]:
        if now - datetime.fromisoformat(grant["issued"]) > REFRESH_LIFE:
            raise OAuthError("invalid_grant")
        rotated = now
    else:
        rotated = datetime.fromisoformat(grant["rotated"])
        if now - rotated > GRACE:
            raise OAuthError("invalid_grant")
    return _issued(sandbox, grant | {"previous": presented, "rotated": rotated.isoformat()})


def _refresh_tokens(grant: Document) -> Iterable[str]:
    return (grant.get("refresh_token", ""), grant.get("previous", ""))


def _issued(sandbox: Sandbox, grant: Document, nonce: str = "") -> Redirect:
    """Store and answer a new token set."""
    now, user = sandbox.clock.now(), next(user for user in USERS if user["xero_userid"] == grant["user"])
    answer: dict[str, Any] = {
        "access_token": _access_token(sandbox, grant["app"], grant["scope"], grant["event"], grant["user"]),
        "expires_in": int(ACCESS_LIFE.total_seconds()),
        "token_type": "Bearer",
        "scope": " ".join(grant["scope"]),
    }
    grant = {**grant, "issued": now.isoformat(), "refresh_token": ""}
    if "offline_access" in grant["scope"]:
        grant["refresh_token"] = answer["refresh_token"] = secrets.token_urlsafe(32)
    sandbox.store.put("", "grant", _Grantee(grant["user"], grant["app"]).id, grant)
    if "openid" in grant["scope"]:
        claims = {
            **_claims(sandbox, ID_TOKEN_LIFE),
            "aud": grant["app"],
            "sub": hashlib.sha256(grant["user"].encode()).hexdigest()[:32],
            **user,
            **({"nonce": nonce} if nonce else {}),
        }
        answer["id_token"] = jwt.encode(claims, sandbox.signing_key, "HS256")
    return jsonify(answer)


def _custom_connection(sandbox: Sandbox, app: XeroApp) -> Redirect:
    """Mint a token for the one organisation of a custom connection; no user, no refresh token."""
    if not app.custom_connection:
        raise OAuthError("unauthorized_client")
    scopes = _scopes(app, request.form.get("scope") or " ".join(sorted(s for s in app.scopes if s.startswith("accounting."))))
    event = next(c["authEventId"] for c in sandbox.store.all("", "connection") if c["app"] == app.client_id)
    return jsonify(
        access_token=_access_token(sandbox, app.client_id, scopes, event),
        expires_in=int(ACCESS_LIFE.total_seconds()),
        token_type="Bearer",
        scope=" ".join(scopes),
    )


def _access_token(sandbox: Sandbox, app: str, scopes: list[str], event: str, user: str = "") -> str:
    claims: dict[str, Any] = {
        **_claims(sandbox, ACCESS_LIFE),
        "aud": f"{sandbox.public_url}/resources",
        "client_id": app,
        "jti": secrets.token_hex(16),
        "authentication_event_id": event,
        "scope": scopes,
    }
    if user:
        claims |= {"sub": hashlib.sha256(user.encode()).hexdigest()[:32], "xero_userid": user}
    return jwt.encode(claims, sandbox.signing_key, "HS256")


def _claims(sandbox: Sandbox, life: timedelta) -> dict[str, Any]:
    now = sandbox.clock.now()
    return {
        "iss": sandbox.public_url,
        "nbf": int(now.timestamp()),
        "iat": int(now.timestamp()),
        "exp": int((now + life).timestamp()),
    }


def revocation(sandbox: Sandbox) -> Redirect:
    """Revoke a refresh token: the token set and ALL connections of its user and app are gone. 200, empty."""
    app, presented = _client(sandbox), request.form.get("token", "")
    for grant in sandbox.store.all("", "grant"):
        if presented and presented in _refresh_tokens(grant) and grant["app"] == app.client_id:
            sandbox.store.delete("", "grant", _Grantee(grant["user"], grant["app"]).id)
            for connection in sandbox.store.all("", "connection"):
                if (connection["user"], connection["app"]) == (grant["user"], grant["app"]):
                    sandbox.store.delete("", "connection", connection["id"])
    return Response(status=200)


def discovery(sandbox: Sandbox) -> Redirect:
    """Say where everything is (OpenID Connect discovery)."""
    url = sandbox.public_url
    return jsonify(
        issuer=url,
        authorization_endpoint=f"{url}/identity/connect/authorize",
        token_endpoint=f"{url}/connect/token",
        revocation_endpoint=f"{url}/connect/revocation",
        response_types_supported=["code"],
        grant_types_supported=["authorization_code", "refresh_token", "client_credentials"],
        token_endpoint_auth_methods_supported=["client_secret_basic", "client_secret_post"],
        code_challenge_methods_supported=["S256"],
        subject_types_supported=["public"],
        id_token_signing_alg_values_supported=["HS256"],
        scopes_supported=sorted({scope for app in sandbox.apps.values() for scope in app.scopes}),
    )


# --- connections -------------------------------------------------------------------------------------------------------


def connections(sandbox: Sandbox) -> Redirect:
    """List the organisations this token's user connected to this app, optionally of one consent."""
    claims = access_token(sandbox, request.headers.get("Authorization", ""))
    if isinstance(claims, str):
        return _unauthorised(claims)
    event = request.args.get("authEventId")
    # Only what Xero shows; whose connection it is stays inside.
    return jsonify(
        [
            {name: value for name, value in connection.items() if name not in ("user", "app")}
            for connection in _connections(sandbox, claims)
            if event in (None, connection["authEventId"])
        ]
    )


def disconnect(sandbox: Sandbox, id: str) -> Redirect:
    """Remove one connection: 204; refreshing keeps working, calls on that organisation get 403."""
    claims = access_token(sandbox, request.headers.get("Authorization", ""))
    if isinstance(claims, str):
        return _unauthorised(claims)
    if id not in [connection["id"] for connection in _connections(sandbox, claims)]:
        return Response(status=404)
    sandbox.store.delete("", "connection", id)
    return Response(status=204)


def _unauthorised(detail: str) -> Redirect:
    response = jsonify(Type=None, Title="Unauthorized", Status=401, Detail=detail, Instance=str(uuid.uuid4()))
    response.status_code = 401
    return response


def _connections(sandbox: Sandbox, claims: dict[str, Any]) -> list[Document]:
    grantee = (claims.get("xero_userid", ""), claims["client_id"])
    return [c for c in sandbox.store.all("", "connection") if (c["user"], c["app"]) == grantee]


def _connect(sandbox: Sandbox, user: str, app: str, organisation: Document, event: str) -> None:
    """Connect an organisation, or give an existing connection its new consent."""
    now = sandbox.clock.now()
    known = next(
        (
            c
            for c in sandbox.store.all("", "connection")
            if (c["user"], c["app"], c["tenantId"]) == (user, app, organisation["OrganisationID"])
        ),
        None,
    )
    connection = connection_of(user, app, organisation, event, now)
    if known:
        connection |= {"id": known["id"], "createdDateUtc": known["createdDateUtc"]}
    sandbox.store.put("", "connection", connection["id"], connection)


# --- what the accounting gate asks -------------------------------------------------------------------------------------


def access_token(sandbox: Sandbox, authorization: str) -> dict[str, Any] | str:
    """Return the claims of a Bearer token, or the reason why it is no good."""
    scheme, _, text = authorization.partition(" ")
    if scheme.lower() != "bearer":
        return "AuthenticationUnsuccessful"
    try:
        # The stand-in's own clock decides about expiry, so that a test can let 30 minutes pass.
        claims: dict[str, Any] = jwt.decode(
            text,
            sandbox.signing_key,
            ["HS256"],
            options={"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False},
        )
    except jwt.InvalidTokenError:
        return "AuthenticationUnsuccessful"
    if sandbox.clock.now().timestamp() >= claims["exp"]:
        return expired(datetime.fromtimestamp(claims["exp"], sandbox.clock.now().tzinfo))
    return claims if "client_id" in claims else "AuthenticationUnsuccessful"


def expired(at: datetime) -> str:
    """Say what Xero says about an expired token."""
    return f"TokenExpired: token expired at {at:%m/%d/%Y %H:%M:%S}"


def connected_tenant(sandbox: Sandbox, claims: dict[str, Any], tenant: str) -> str | None:
    """Return the organisation this token may speak about; a custom connection need not name its only one."""
    connected = [c["tenantId"] for c in _connections(sandbox, claims)]
    if not tenant and sandbox.apps[claims["client_id"]].custom_connection:
        return next(iter(connected), None)
    return next((id for id in connected if id.lower() == tenant.lower()), None)


def allows(granted: Iterable[str], needed: Iterable[str], *, reading: bool) -> bool:
    """Say whether one of the needed scopes was granted; for reading its `.read` form will do."""
    accepted = {*needed, *(f"{scope}.read" for scope in needed if reading)}
    return not accepted.isdisjoint(granted)
