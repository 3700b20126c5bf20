"""The token sets of Xero, one row of ``grants`` per Xero user (SPEC 10): renewed by one worker at a time, never lost.

Partition "grant", row: the Xero user's id, or ``custom/<client id>`` for a Custom Connection (the tables layer spells the slash, which
Table Storage forbids in a key). The whole pair of tokens rotates on every refresh, so between "Xero rotated" and "we saved" a crash
must not cost the connection. How it is kept:

    1  CAS a lease into the row, and write ahead when the refresh began       a second worker sees the lease and leaves it
    2  refresh, one send                                                      lost answer: the same token again, within 30 minutes
    3  CAS the new set, tried again as long as storage refuses                crash here: ``keep`` comes within 10 minutes
    4  somebody else saved meanwhile: the set issued last wins                by Xero's clock, the expiry of the set
    5  invalid_grant: read again, then try the previous refresh token         only when both are dead: needs_reconnect

Tokens are sealed with the row's identity; they never appear in an error, a log or a repr.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

from shared.durations import Durations
from shared.errors import Changed, ConfigurationError, ConnectorError, NeedsReconnect, NotReady, Retryable
from shared.services import Store, StoredRow
from shared.storage.seal import Seal
from shared.xero.oauth import OAuth, TokenSet, claims

TABLE, PARTITION = "grants", "grant"
ACTIVE, NEEDS_RECONNECT, NEEDS_SCOPE = "active", "needs_reconnect", "needs_scope"
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
SAVES = 4
USABLE = timedelta(seconds=30)  # while another worker renews it, a token is used to this end
SHORT_WAIT = timedelta(seconds=5)
KEEP_BEFORE = timedelta(minutes=15)
IN_USE = timedelta(hours=1)
IDLE = timedelta(days=7)
FRESH = timedelta(minutes=1)


@dataclass(frozen=True)
class Grant:
    """One row of ``grants``. ``refresh_started_at`` is set while the current refresh token may have been used already."""

    key: str
    tokens: TokenSet
    state: str = ACTIVE
    previous: str = field(default="", repr=False)
    previous_at: datetime = NEVER
    secret: str = field(default="", repr=False)
    leased_until: datetime = NEVER
    refresh_started_at: datetime = NEVER
    refreshed_at: datetime = NEVER
    used_at: datetime = NEVER
    etag: str = ""

    @property
    def is_custom(self) -> bool:
        return self.key.startswith("custom/")

    def lasts(self, now: datetime, time: timedelta) -> bool:
        """Tell whether the access token is good for more than *time*."""
        return self.tokens.expires_at - now > time


def custom_grant(client_id: str) -> str:
    """Return the grant key of a Custom Connection."""
    return f"custom/{client_id}"


class Tokens:
    """Give access tokens and keep the grants alive. Table operations: none from memory, one read, or read + lease + save."""

    def __init__(self, store: Store, seal: Seal, oauth: OAuth, durations: Durations) -> None:
        self._store = store
        self._seal = seal
        self._oauth = oauth
        self._margin = timedelta(seconds=durations.token_margin)
        self._lease = timedelta(seconds=durations.token_lease)
        self._grace = timedelta(seconds=durations.token_grace)
        self._known: dict[str, Grant] = {}
        self._locks: dict[str, Lock] = {}

    def access_token(self, grant: str, now: datetime) -> str:
        """Return a token good for some minutes; threads of one process wait for one refresh, another process is left to finish.

        Raises NotReady while another process renews an expired one, NeedsReconnect when the consent is gone, Retryable.
        """
        with self._lock(grant):
            known = self._known.get(grant)
            if known is None or not known.lasts(now, self._margin):
                known = self._current(grant, now)
            return known.tokens.access_token

    def connect(self, tokens: TokenSet, now: datetime) -> str:
        """Keep the token set of a fresh consent and return its grant key, the Xero user's id."""
        user = str(claims(tokens.access_token).get("xero_userid") or "")
        if not user or not tokens.refresh_token:
            raise ConfigurationError("Xero gave no refresh token or no user: the scopes need offline_access.")
        with self._lock(user):
            self._save(Grant(user, tokens, refreshed_at=now, used_at=now, etag=self._etag(user)))
        return user

    def connect_custom(self, client_id: str, client_secret: str, scopes: Sequence[str], now: datetime) -> str:
        """Try a Custom Connection's own id and secret, keep them, and return the grant key."""
        tokens = self._oauth.client_credentials(client_id, client_secret, scopes)
        key = custom_grant(client_id)
        tokens = replace(tokens, scopes=tuple(scopes))
        with self._lock(key):
            self._save(Grant(key, tokens, secret=client_secret, refreshed_at=now, used_at=now, etag=self._etag(key)))
        return key

    def revoke(self, grant: str) -> None:
        """End the consent at Xero, for all its organisations, and forget the grant."""
        with self._lock(grant):
            held = self._load(grant)
            if held.tokens.refresh_token:
                self._oauth.revoke(held.tokens.refresh_token)
            self._known.pop(grant, None)
            self._store.delete(TABLE, PARTITION, grant)

    def refuse(self, grant: str, token: str, now: datetime) -> None:
        """Note that Xero refused *token* (401): the next ``access_token`` renews it, unless it was renewed a moment ago."""
        with self._lock(grant):
            self._known.pop(grant, None)
            held = self._load(grant)
            if held.tokens.access_token != token or now - held.refreshed_at < FRESH:
                return
            self._try_replace(replace(held, tokens=replace(held.tokens, expires_at=now)))

    def note_missing_scope(self, grant: str) -> None:
        """Note that the consent is too narrow; a new consent clears it."""
        with self._lock(grant):
            held = self._load(grant)
            if held.state == ACTIVE:
                self._try_replace(replace(held, state=NEEDS_SCOPE))

    def grants(self) -> list[Grant]:
        """Return every grant."""
        return [self._grant(row) for row in self._store.rows(TABLE, PARTITION)]

    def keep(self, now: datetime) -> dict[str, ConnectorError]:
        """Keep every grant alive; call it at least every ten minutes. Return what went wrong, by grant.

        Finishes refreshes that were interrupted, renews what is in use before it ends, anything idle weekly (Xero forgets a refresh
        token after 60 days), and seals under the newest key what an older one sealed.
        """
        failed: dict[str, ConnectorError] = {}
        for row in self._store.rows(TABLE, PARTITION):
            try:
                with self._lock(row.row):
                    self._keep(row, now)
            except ConnectorError as error:
                failed[row.row] = error
        return failed

    def _keep(self, row: StoredRow, now: datetime) -> None:
        held = self._grant(row)
        if held.state == NEEDS_RECONNECT or held.leased_until > now:
            return
        was_interrupted = held.refresh_started_at > NEVER
        is_ending = now - held.used_at < IN_USE and not held.lasts(now, KEEP_BEFORE)
        is_idle = now - held.refreshed_at > IDLE and not held.is_custom
        if was_interrupted or is_ending or is_idle:
            self._refresh(held, now)
            return
        newest = {
            name: self._seal.reseal(str(row.values[name]), _context(held.key, name)) for name in SEALED if row.values.get(name)
        }
        if any(row.values[name] != sealed for name, sealed in newest.items()):
            self._store.replace(TABLE, PARTITION, held.key, {**row.values, **newest}, row.etag)

    def _current(self, grant: str, now: datetime) -> Grant:
        held = self._load(grant)
        if held.state == NEEDS_RECONNECT:
            raise NeedsReconnect("The connection to Xero has ended: an administrator must connect again.")
        if held.lasts(now, self._margin):
            self._known[grant] = held
            return held
        try:
            if held.leased_until > now:
                raise NotReady("Another worker renews the access token.", min(held.leased_until - now, SHORT_WAIT))
            return self._refresh(replace(held, used_at=now), now)
        except Retryable:
            if held.lasts(now, USABLE):
                return held
            raise

    def _refresh(self, held: Grant, now: datetime) -> Grant:
        """Renew the token set under a lease in the row; raise NotReady when another worker holds it."""
        started = held.refresh_started_at if held.refresh_started_at > NEVER else now
        leased = replace(held, leased_until=now + self._lease, refresh_started_at=started)
        try:
            leased = self._replace(leased)
        except Changed:
            raise NotReady("Another worker renews the access token.", SHORT_WAIT) from None
        previous, previous_at = held.tokens.refresh_token, started
        try:
            tokens = self._renewed(leased)
        except NeedsReconnect:
            tokens = self._rescued(leased, now)
            previous, previous_at = held.previous, held.previous_at
        except ConnectorError as error:
            if leased.is_custom and isinstance(error, ConfigurationError):
                self._try_replace(replace(leased, state=NEEDS_RECONNECT, leased_until=NEVER, refresh_started_at=NEVER))
                raise NeedsReconnect(
                    "Xero refuses the secret or the scopes of the Custom Connection: enter them again."
                ) from error
            self._try_replace(replace(leased, leased_until=NEVER))  # so that the next try need not wait for the lease
            raise
        return self._save(
            replace(
                leased,
                tokens=tokens,
                previous=previous,
                previous_at=previous_at,
                leased_until=NEVER,
                refresh_started_at=NEVER,
                refreshed_at=now,
            )
        )

    def _renewed(self, held: Grant) -> TokenSet:
        if held.is_custom:
            tokens = self._oauth.client_credentials(held.key.removeprefix("custom/"), held.secret, held.tokens.scopes)
            return replace(tokens, scopes=held.tokens.scopes)
        tokens = self._oauth.refresh(held.tokens.refresh_token)
        return tokens if tokens.refresh_token else replace(tokens, refresh_token=held.tokens.refresh_token)

    def _rescued(self, leased: Grant, now: datetime) -> TokenSet:
        """Return a token set after invalid_grant, or mark the grant and raise NeedsReconnect.

        Somebody may have rotated meanwhile (read again), or a worker that froze may have used the previous token once more, which
        kills the set we hold: within the grace the previous token still gives a new one.
        """
        found = self._load(leased.key)
        if found.tokens.refresh_token != leased.tokens.refresh_token:
            raise NotReady("Another worker renewed the access token.", SHORT_WAIT)
        if leased.previous and now - leased.previous_at < self._grace:
            try:
                return self._oauth.refresh(leased.previous)
            except NeedsReconnect:
                pass
        self._replace(replace(found, state=NEEDS_RECONNECT, leased_until=NEVER, refresh_started_at=NEVER))
        raise NeedsReconnect("Xero no longer accepts the consent: an administrator must connect again.")

    def _save(self, grant: Grant) -> Grant:
        """Save a new token set whatever the wires do; what was issued last stays. Raises Retryable when storage refuses every time."""
        for tries_left in reversed(range(SAVES)):
            try:
                return self._remember(self._replace(grant))
            except Retryable:
                if not tries_left:
                    raise
            try:
                found = self._load(grant.key)
            except (Retryable, NeedsReconnect):
                continue
            if found.tokens == grant.tokens or found.tokens.expires_at > grant.tokens.expires_at:
                return self._remember(found)
            grant = replace(grant, etag=found.etag)
        raise AssertionError("unreachable")

    def _remember(self, grant: Grant) -> Grant:
        self._known[grant.key] = grant
        return grant

    def _lock(self, grant: str) -> Lock:
        return self._locks.setdefault(grant, Lock())

    def _etag(self, grant: str) -> str:
        row = self._store.read(TABLE, PARTITION, grant)
        return row.etag if row else ""

    def _load(self, grant: str) -> Grant:
        row = self._store.read(TABLE, PARTITION, grant)
        if row is None:
            raise NeedsReconnect("There is no connection to Xero yet: an administrator must connect.")
        return self._grant(row)

    def _replace(self, grant: Grant) -> Grant:
        values = self._values(grant)
        if grant.etag:
            return replace(grant, etag=self._store.replace(TABLE, PARTITION, grant.key, values, grant.etag))
        return replace(grant, etag=self._store.insert(TABLE, PARTITION, grant.key, values))

    def _try_replace(self, grant: Grant) -> None:
        """Write a note that nothing depends on: the row's newer word, or the next try, will do as well."""
        try:
            self._replace(grant)
        except Retryable:
            return

    def _grant(self, row: StoredRow) -> Grant:
        values = row.values
        opened = {name: self._open(row.row, name, values) for name in SEALED}
        pair = json.loads(opened["tokens"])
        tokens = TokenSet(pair[0], pair[1], datetime.fromisoformat(values["expires_at"]), tuple(str(values["scopes"]).split()))
        times = {name: datetime.fromisoformat(values[name]) for name in TIMES}
        return Grant(row.row, tokens, str(values["state"]), opened["previous"], secret=opened["secret"], etag=row.etag, **times)

    def _values(self, grant: Grant) -> dict[str, Any]:
        plain = {
            "tokens": json.dumps([grant.tokens.access_token, grant.tokens.refresh_token]),
            "previous": grant.previous,
            "secret": grant.secret,
        }
        sealed = {name: self._seal.seal(plain[name], _context(grant.key, name)) if plain[name] else "" for name in SEALED}
        times = {name: getattr(grant, name).isoformat() for name in TIMES}
        rest = {"state": grant.state, "expires_at": grant.tokens.expires_at.isoformat(), "scopes": " ".join(grant.tokens.scopes)}
        return sealed | times | rest

    def _open(self, grant: str, name: str, values: Mapping[str, Any]) -> str:
        return self._seal.open(str(values[name]), _context(grant, name)) if values.get(name) else ""


SEALED = ("tokens", "previous", "secret")
TIMES = ("previous_at", "leased_until", "refresh_started_at", "refreshed_at", "used_at")


def _context(grant: str, name: str) -> str:
    return f"{TABLE}|{grant}|{name}"
