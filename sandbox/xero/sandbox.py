"""The stand-in as one object: what it knows, what it was asked, what shall go wrong."""

import re
import secrets
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from . import by_hand, demo_company
from .clock import Clock, utc_now
from .connections import connection_of
from .faults import Faults
from .limits import Limits, RateLimiter
from .log import RequestLog
from .store import Document, Store

# developer.xero.com guides/oauth2/scopes: what an app registered since 2 March 2026 can ask for.
GRANULAR_SCOPES = frozenset(
    {
        *("openid", "profile", "email", "offline_access", "app.connections", "accounting.attachments"),
        *(
            "accounting.invoices",
            "accounting.payments",
            "accounting.contacts",
            "accounting.settings",
            "accounting.banktransactions",
        ),
        *("accounting.invoices.read", "accounting.payments.read", "accounting.contacts.read", "accounting.settings.read"),
        *("accounting.attachments.read", "accounting.banktransactions.read", "accounting.manualjournals"),
    }
)
LOCAL_CALLBACK = "http://localhost:7071/connect/xero/callback"


@dataclass(frozen=True)
class XeroApp:
    """An app as registered at developer.xero.com; a custom connection names the one organisation it belongs to."""

    client_id: str
    client_secret: str
    name: str
    redirect_uris: tuple[str, ...] = ()
    custom_connection: str = ""
    scopes: frozenset[str] = GRANULAR_SCOPES

    def __post_init__(self) -> None:
        for uri in self.redirect_uris:
            if not re.match(r"https://|http://localhost[:/]", uri):
                raise ValueError(f"Xero takes https redirect URIs, or http://localhost; not {uri}")


@dataclass
class Sandbox:
    """The state behind the application, with a direct way in for tests.

    *strict* refuses field names Xero does not know (the real one ignores them). *emails_per_day* is Xero's limit for an
    organisation (1,000 paying, 20 trial, 0 for a real demo company).
    """

    store: Store
    clock: Clock
    limiter: RateLimiter
    apps: dict[str, XeroApp]
    public_url: str
    strict: bool = True
    emails_per_day: int = 20
    faults: Faults = field(default_factory=Faults)
    log: RequestLog = field(init=False)

    def __post_init__(self) -> None:
        self.log = RequestLog(self.clock)

    @property
    def signing_key(self) -> str:
        """The secret that signs tokens; kept, so that they outlive a restart."""
        with self.store.transaction():
            known = self.store.get("", "signing key", "HS256")
            if known is None:
                known = {"key": secrets.token_hex(32)}
                self.store.put("", "signing key", "HS256", known)
        return str(known["key"])

    def calls(self, method: str = "", path: str = "") -> int:
        """Count the logged requests with this method whose path matches this regular expression."""
        return self.log.count(method, path)

    def organisations(self) -> list[Document]:
        """Return the organisations, oldest first."""
        return self.store.all("", "organisation")

    def organisation(self, name: str) -> str:
        """Return the tenant id of an organisation by its name or id; raises KeyError."""
        for found in self.organisations():
            if name.lower() in (found["Name"].lower(), found["OrganisationID"].lower()):
                return str(found["OrganisationID"])
        raise KeyError(name)

    def documents(self, organisation: str, kind: str) -> list[Document]:
        """Return the stored documents of an organisation (name or id): `invoice`, `contact`, `item`, `payment`, `account`…"""
        return self.store.all(self.organisation(organisation), kind)

    def seed(self, organisation: str, kind: str, body: Document, *, id: str, key: str = "") -> None:
        """Put one stored document (dates as ISO text) into an organisation without any validation."""
        self.store.put(self.organisation(organisation), kind, id, body, key)

    def change(self, organisation: str, kind: str, id: str, **fields: Any) -> Document:
        """Change fields of one stored document by hand, as a person in Xero would, and move its UpdatedDateUTC.

        Documents show the new code of an account or item, the new name of a tracking category. The organisation itself is `change(name, "organisation", tenant id, PeriodLockDate="2026-03-31")`.
        """
        owner = "" if kind == "organisation" else self.organisation(organisation)
        with self.store.transaction():
            body = self.store.get(owner, kind, id)
            if body is None:
                raise KeyError(id)
            before = dict(body)
            body.update(fields)
            if "UpdatedDateUTC" in body:
                body["UpdatedDateUTC"] = self.clock.stamp()
            self.store.put(owner, kind, id, body, demo_company.key_of(kind, body))
            by_hand.follow(self.store, owner, kind, before, body)
        return body

    def merge(self, organisation: str, loser_id: str, winner_id: str) -> Document:
        """Merge one contact into another by hand: it is archived and points at the winner, who gets its documents.

        Returns the loser; raises KeyError (no such contact), ValueError (itself, or archived already).
        """
        with self.store.transaction():
            return by_hand.merge(self.store, self.organisation(organisation), loser_id, winner_id, self.clock.stamp)

    def add(self, organisation: str, kind: str, **fields: Any) -> Document:
        """Make an `account`, `tax rate`, `branding theme`, `tracking category`, `item` or `currency` by hand, in Xero's field names.

        Raises ValueError, PostDataInvalid (a field Xero does not know).
        """
        with self.store.transaction():
            return by_hand.new(self.store, self.organisation(organisation), kind, fields, self.clock.stamp)

    def remove(self, organisation: str, kind: str, id: str) -> Document:
        """Delete an `item` (by id or code) or a `branding theme` that no document uses; raises KeyError, ValueError."""
        with self.store.transaction():
            return by_hand.remove(self.store, self.organisation(organisation), kind, id)

    def option(self, organisation: str, category: str, name: str, **fields: Any) -> Document:
        """Add a tracking option by hand, or change its Name or Status; returns the category; raises KeyError, ValueError."""
        with self.store.transaction():
            return by_hand.option(self.store, self.organisation(organisation), category, name, fields)

    def disconnect(self, organisation: str) -> None:
        """Remove every connection of an organisation, as its owner does in Xero; tokens keep refreshing, calls get 403."""
        tenant = self.organisation(organisation)
        for connection in self.store.all("", "connection"):
            if connection["tenantId"] == tenant:
                self.store.delete("", "connection", connection["id"])

    def reset(self) -> None:
        """Forget everything and open the demo companies again."""
        with self.store.transaction():
            self.store.clear()
            demo_company.fill(self.store)
            for app in self.apps.values():
                if organisation := self.store.get("", "organisation", app.custom_connection):
                    connection = connection_of("", app.client_id, organisation, str(uuid.uuid4()), self.clock.now())
                    self.store.put("", "connection", connection["id"], connection)
        self.faults.clear()
        self.log.clear()


def default_apps(redirect_uris: Iterable[str] = (LOCAL_CALLBACK,)) -> tuple[XeroApp, ...]:
    """Return the demo apps: a web app, a custom connection to the New Zealand company, and each company's bookkeeper."""
    return (
        XeroApp("sandbox-client", "sandbox-secret", "Dynamics Connector", tuple(redirect_uris)),
        XeroApp("sandbox-custom", "sandbox-custom-secret", "Dynamics Connector (custom)", custom_connection=demo_company.NZ),
        XeroApp("sandbox-bookkeeper-nz", "sandbox-bookkeeper-secret", "Bookkeeper (NZ)", custom_connection=demo_company.NZ),
        XeroApp("sandbox-bookkeeper-uk", "sandbox-bookkeeper-secret", "Bookkeeper (UK)", custom_connection=demo_company.UK),
    )


def open_sandbox(
    database: str,
    *,
    now: Callable[[], datetime] = utc_now,
    public_url: str,
    apps: Iterable[XeroApp] | None = None,
    limits: Limits | None = None,
    strict: bool = True,
    emails_per_day: int = 20,
) -> Sandbox:
    """Open the database, filling an empty one with the demo companies."""
    clock = Clock(now)
    registered = {app.client_id: app for app in (apps or default_apps())}
    sandbox = Sandbox(
        Store(database),
        clock,
        RateLimiter(limits or Limits(), clock.now),
        registered,
        public_url.rstrip("/"),
        strict,
        emails_per_day,
    )
    if not sandbox.organisations():
        sandbox.reset()
    return sandbox
