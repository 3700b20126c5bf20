"""A tenant: its applications, its people, and the tokens it signs.

Sources: Microsoft Learn, "Microsoft identity platform and the OAuth 2.0 client credentials flow" and "… authorization code
flow", "… device authorization grant flow", "Certificate credentials", "Access token claims reference", "Authentication and authorization error codes".
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any
from uuid import UUID, uuid5

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from jwt.types import Options

NAMESPACE = UUID("0d1c7b6e-7a55-5d6e-8f0a-656e74726121")
TENANT = str(uuid5(NAMESPACE, "tenant"))
TOKEN_LIFE = timedelta(minutes=60)
CODE_LIFE = timedelta(minutes=10)
DEVICE_LIFE = timedelta(minutes=15)
UNTIMED: Options = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}  # times are judged by the sandbox's clock
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Denied(Exception):
    """Entra refuses: an OAuth *error* word and a sentence that begins with an AADSTS code."""

    def __init__(self, error: str, code: int, sentence: str, status: int = 400) -> None:
        super().__init__(f"AADSTS{code}: {sentence}")
        self.error = error
        self.code = code
        self.status = status


@dataclass
class Application:
    """An app registration, or (with an identity header) a managed identity."""

    client_id: str
    name: str
    secrets: set[str] = field(default_factory=set)
    certificates: list[x509.Certificate] = field(default_factory=list)
    redirects: tuple[str, ...] = ()
    identity_header: str = ""

    def certificate(self, header: Mapping[str, Any]) -> x509.Certificate | None:
        """Return the registered certificate an assertion's header names by thumbprint, or None."""
        named = {str(header.get(name, "")).rstrip("=") for name in ("x5t#S256", "x5t")}
        prints = (
            (found, {_base64url(found.fingerprint(kind)) for kind in (hashes.SHA256(), hashes.SHA1())})
            for found in self.certificates
        )
        return next((found for found, thumbprints in prints if named & thumbprints), None)

    @property
    def object_id(self) -> str:
        """Return the id of the application's service principal in the tenant."""
        return str(uuid5(NAMESPACE, f"service principal/{self.client_id}"))


@dataclass(frozen=True)
class Person:
    """A user of the tenant."""

    object_id: str
    name: str
    username: str


@dataclass(frozen=True)
class _Grant:
    client_id: str
    person: Person
    scopes: tuple[str, ...]
    nonce: str
    redirect: str
    challenge: str
    expires: datetime


@dataclass
class _Device:
    client_id: str
    scopes: tuple[str, ...]
    user_code: str
    expires: datetime
    person: Person | None = None
    declined: bool = False


@lru_cache(maxsize=1)
def new_signing_key() -> bytes:
    """Return an RSA private key (PEM), made once per process."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


class Directory:
    """One tenant at one authority URL; `resources` are the audiences it gives tokens for."""

    def __init__(
        self,
        authority: str,
        now: Callable[[], datetime],
        *,
        tenant: str = TENANT,
        key: bytes | None = None,
        resources: tuple[str, ...] = (),
    ) -> None:
        self.authority = authority.rstrip("/")
        self.tenant = tenant
        self.resources = {resource.rstrip("/") for resource in resources}
        self.applications: dict[str, Application] = {}
        self.people: dict[str, Person] = {}
        self._now = now
        self._key = key or new_signing_key()
        self._codes: dict[str, _Grant] = {}
        self._refresh: dict[str, _Grant] = {}
        self._devices: dict[str, _Device] = {}

    def register(self, application: Application) -> Application:
        """Add or replace an application."""
        self.applications[application.client_id.lower()] = application
        return application

    def add_person(self, person: Person) -> Person:
        """Add or replace a user."""
        self.people[person.object_id] = person
        return person

    def token(self, tenant: str, form: Mapping[str, str]) -> dict[str, Any]:
        """Answer the token endpoint; raises Denied."""
        if tenant.lower() not in (self.tenant, "common", "organizations"):
            raise Denied("invalid_request", 90002, f"Tenant '{tenant}' not found.")
        application = self.application(form.get("client_id", ""))
        match form.get("grant_type"):
            case "client_credentials":
                self._authenticate(tenant, application, form)
                resource, scopes = self._scopes(form.get("scope", ""))
                if scopes != (".default",):
                    raise Denied(
                        "invalid_scope", 1002012, "The scope of a client credentials request must be the resource and /.default."
                    )
                return self._bearer(self._application_claims(application), resource)
            case "authorization_code":
                self._authenticate(tenant, application, form)
                return self._delegated(self._redeem(application, form))
            case "refresh_token":
                self._authenticate(tenant, application, form)
                grant = self._refresh.get(form.get("refresh_token", ""))
                if grant is None or grant.client_id != application.client_id:
                    raise Denied("invalid_grant", 9002313, "Invalid request. The refresh token is malformed or not known.")
                # One refresh token serves every resource the person consented to.
                return self._delegated(replace(grant, scopes=tuple(form.get("scope", "").split()) or grant.scopes))
            case "urn:ietf:params:oauth:grant-type:device_code":
                return self._delegated(self._redeem_device(application, form))
        raise Denied("unsupported_grant_type", 70003, "The app requested an unsupported grant type.")

    def device(self, form: Mapping[str, str]) -> dict[str, Any]:
        """Answer the device authorization endpoint: a code for the device and one for the person; raises Denied."""
        application = self.application(form.get("client_id", ""))
        scopes = tuple(form.get("scope", "").split())
        self._scopes(" ".join(scopes))
        device_code, user_code = secrets.token_urlsafe(32), secrets.token_hex(4).upper()
        self._devices[device_code] = _Device(application.client_id, scopes, user_code, self._now() + DEVICE_LIFE)
        address = f"{self.authority}/common/oauth2/deviceauth"
        return {
            "device_code": device_code,
            "user_code": user_code,
            "verification_uri": address,
            "expires_in": int(DEVICE_LIFE.total_seconds()),
            "interval": 1,
            "message": f"To sign in, use a web browser to open the page {address} and enter the code {user_code} to authenticate.",
        }

    def answer_device(self, user_code: str, person: Person | None) -> bool:
        """Let a *person* allow what waits for their code (None: decline it); False when nothing does."""
        for device in self._devices.values():
            if device.user_code == user_code.strip().upper() and self._now() < device.expires:
                device.person, device.declined = person, person is None
                return True
        return False

    def application_token(self, application: Application, resource: str) -> str:
        """Return an access token as client credentials would."""
        return str(self._bearer(self._application_claims(application), resource)["access_token"])

    def person_token(self, client_id: str, person: Person, resource: str) -> str:
        """Return an access token as a sign-in of *person* would."""
        return str(self._bearer(_person_claims(client_id, person), resource)["access_token"])

    def managed_identity_token(self, header: str, resource: str, client_id: str) -> dict[str, Any]:
        """Answer an App Service identity endpoint; raises Denied."""
        for application in self.applications.values():
            if application.identity_header and secrets.compare_digest(application.identity_header, header):
                if client_id and client_id.lower() != application.client_id.lower():
                    continue
                known, _ = self._scopes(f"{resource.rstrip('/')}/.default")
                issued = self._bearer(self._application_claims(application), known)
                expires = int((self._now() + TOKEN_LIFE).timestamp())
                return {
                    "access_token": issued["access_token"],
                    "expires_on": str(expires),
                    "resource": resource,
                    "token_type": "Bearer",
                    "client_id": application.client_id,
                }
        raise Denied("invalid_request", 0, "No managed identity found for the header and client id given.")

    def authorize(self, query: Mapping[str, str], person: Person) -> str:
        """Return the code a consenting *person* gives an application; raises Denied."""
        application = self.application(query.get("client_id", ""))
        redirect = query.get("redirect_uri", "")
        self.check_redirect(application, redirect)
        code = secrets.token_urlsafe(32)
        self._codes[code] = _Grant(
            application.client_id,
            person,
            tuple(query.get("scope", "").split()),
            query.get("nonce", ""),
            redirect,
            query.get("code_challenge", ""),
            self._now() + CODE_LIFE,
        )
        return code

    def check_redirect(self, application: Application, redirect: str) -> None:
        """Refuse a redirect URI the application did not register; raises Denied."""
        if redirect not in application.redirects:
            raise Denied("invalid_request", 50011, f"The redirect URI '{redirect}' does not match those of the application.")

    def claims(self, token: str, audience: str) -> dict[str, Any] | None:
        """Return the claims of an access token for *audience*, or None when it is foreign, forged or expired."""
        try:
            found: dict[str, Any] = jwt.decode(
                token,
                self._public_key(),
                algorithms=["RS256"],
                audience=audience.rstrip("/"),
                options=UNTIMED,
            )
        except jwt.PyJWTError:
            return None
        return found if found["exp"] > self._now().timestamp() else None

    def jwks(self) -> dict[str, Any]:
        """Return the public signing key."""
        public = json.loads(RSAAlgorithm.to_jwk(self._public_key()))
        return {"keys": [{**public, "use": "sig", "kid": self._kid()}]}

    def configuration(self, tenant: str) -> dict[str, Any]:
        """Return the OpenID configuration document."""
        base = f"{self.authority}/{tenant}"
        return {
            "issuer": f"{self.authority}/{self.tenant}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "end_session_endpoint": f"{base}/oauth2/v2.0/logout",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "response_types_supported": ["code", "id_token", "code id_token"],
            "response_modes_supported": ["query", "form_post"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "tenant_region_scope": "OC",
        }

    # --- parts -----------------------------------------------------------------------------------------------------

    def application(self, client_id: str) -> Application:
        """Return a registered application; raises Denied."""
        found = self.applications.get(client_id.lower())
        if found is None or found.identity_header:
            raise Denied(
                "unauthorized_client", 700016, f"Application with identifier '{client_id}' was not found in the directory."
            )
        return found

    def _authenticate(self, tenant: str, application: Application, form: Mapping[str, str]) -> None:
        if assertion := form.get("client_assertion"):
            if form.get("client_assertion_type") != ASSERTION:
                raise Denied("invalid_request", 900144, "The client_assertion_type is not supported.")
            self._check_assertion(tenant, application, assertion)
        elif secret := form.get("client_secret"):
            if not any(secrets.compare_digest(secret, known) for known in application.secrets):
                raise Denied("invalid_client", 7000215, f"Invalid client secret provided for app '{application.client_id}'.", 401)
        elif application.secrets or application.certificates:
            raise Denied("invalid_client", 7000218, "The request body must contain 'client_assertion' or 'client_secret'.", 401)

    def _check_assertion(self, tenant: str, application: Application, assertion: str) -> None:
        audience = f"{self.authority}/{tenant}/oauth2/v2.0/token"
        try:
            header = jwt.get_unverified_header(assertion)
            certificate = application.certificate(header)
            if certificate is None:
                raise Denied(
                    "invalid_client", 700027, "The certificate of the assertion is not registered on the application.", 401
                )
            claims = jwt.decode(
                assertion, _rsa(certificate.public_key()), algorithms=["RS256", "PS256"], audience=audience, options=UNTIMED
            )
        except jwt.PyJWTError as error:
            raise Denied("invalid_client", 700027, f"The signature of the assertion is not valid: {error}", 401) from error
        if claims.get("iss") != application.client_id or claims.get("sub") != application.client_id:
            raise Denied("invalid_client", 700021, "The assertion's issuer and subject must be the client id.", 401)

    def _scopes(self, text: str) -> tuple[str, tuple[str, ...]]:
        """Split scopes into the one resource they name and their last parts; OpenID's own are left out."""
        named = [scope.rpartition("/") for scope in text.split() if "://" in scope]
        resources = {resource.rstrip("/") for resource, _, _ in named}
        if len(resources) != 1:
            raise Denied("invalid_scope", 70011, f"The provided value for the input parameter 'scope' is not valid: '{text}'.")
        resource = resources.pop()
        if resource not in self.resources:
            raise Denied("invalid_resource", 500011, f"The resource principal named {resource} was not found in the tenant.")
        return resource, tuple(scope for _, _, scope in named)

    def _redeem(self, application: Application, form: Mapping[str, str]) -> _Grant:
        grant = self._codes.pop(form.get("code", ""), None)
        if grant is None or grant.client_id != application.client_id or grant.expires < self._now():
            raise Denied(
                "invalid_grant", 70008, "The provided authorization code is expired, was redeemed before, or is not known."
            )
        if grant.redirect != form.get("redirect_uri", ""):
            raise Denied("invalid_grant", 500112, "The reply address does not match the one of the authorization request.")
        verifier = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if grant.challenge and _base64url(verifier) != grant.challenge:
            raise Denied("invalid_grant", 501481, "The code_verifier does not match the code_challenge.")
        return grant

    def _redeem_device(self, application: Application, form: Mapping[str, str]) -> _Grant:
        code = form.get("device_code", "")
        device = self._devices.get(code)
        if device is None or device.client_id != application.client_id:
            raise Denied("bad_verification_code", 70018, "The verification code is not known.")
        if self._now() >= device.expires:
            raise Denied("expired_token", 70020, "The device code has expired.")
        if device.declined:
            raise Denied("authorization_declined", 65004, "User declined to consent to access the app.")
        if device.person is None:
            raise Denied("authorization_pending", 70016, "OAuth 2.0 device flow error. Authorization is pending.")
        del self._devices[code]
        return _Grant(application.client_id, device.person, device.scopes, "", "", "", device.expires)

    def _application_claims(self, application: Application) -> dict[str, Any]:
        return {
            "appid": application.client_id,
            "azp": application.client_id,
            "oid": application.object_id,
            "sub": application.object_id,
            "idtyp": "app",
        }

    def _delegated(self, grant: _Grant) -> dict[str, Any]:
        person = grant.person
        resource, scopes = self._scopes(" ".join(grant.scopes))
        issued = self._bearer(_person_claims(grant.client_id, person), resource)
        refresh = secrets.token_urlsafe(48)
        self._refresh[refresh] = grant
        identity = {
            "aud": grant.client_id,
            "oid": person.object_id,
            "sub": person.object_id,
            "name": person.name,
            "preferred_username": person.username,
            "ver": "2.0",
            **({"nonce": grant.nonce} if grant.nonce else {}),
        }
        return {
            **issued,
            "scope": " ".join(f"{resource}/{scope}" for scope in scopes),
            "refresh_token": refresh,
            "id_token": self._sign(identity, f"{self.authority}/{self.tenant}/v2.0"),
            "client_info": _base64url(json.dumps({"uid": person.object_id, "utid": self.tenant}).encode()),
        }

    def _bearer(self, claims: Mapping[str, Any], resource: str) -> dict[str, Any]:
        seconds = int(TOKEN_LIFE.total_seconds())
        token = self._sign({**claims, "aud": resource}, f"https://sts.windows.net/{self.tenant}/")
        return {"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token}

    def _sign(self, claims: Mapping[str, Any], issuer: str) -> str:
        now = self._now()
        whole = {
            **claims,
            "iss": issuer,
            "tid": self.tenant,
            "iat": int(now.timestamp()),
            "exp": int((now + TOKEN_LIFE).timestamp()),
        }
        return jwt.encode(whole, self._private_key, algorithm="RS256", headers={"kid": self._kid()})

    @cached_property
    def _private_key(self) -> rsa.RSAPrivateKey:
        """The key read once: checking an RSA key takes longer than everything else a call does."""
        key = serialization.load_pem_private_key(self._key, None)
        assert isinstance(key, rsa.RSAPrivateKey)
        return key

    def _public_key(self) -> rsa.RSAPublicKey:
        return self._private_key.public_key()

    def _kid(self) -> str:
        return hashlib.sha256(self._key).hexdigest()[:27]


def _person_claims(client_id: str, person: Person) -> dict[str, Any]:
    return {
        "appid": client_id,
        "oid": person.object_id,
        "sub": person.object_id,
        "name": person.name,
        "upn": person.username,
        "scp": "user_impersonation",
    }


def _rsa(key: object) -> rsa.RSAPublicKey:
    if not isinstance(key, rsa.RSAPublicKey):
        raise Denied("invalid_client", 700027, "Only RSA keys are supported.", 401)
    return key


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
