"""Rotating token sets: one worker renews, nothing is lost, whatever crashes and whenever.

The last part runs the real ``Tokens`` in several workers under a scheduler that decides, at every I/O, who goes on and what fails.
"""

import base64
import json
import random
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any, TypeVar

import pytest

from shared.durations import Durations
from shared.errors import ConfigurationError, ConnectorError, NeedsReconnect, NotReady, Retryable
from shared.services import Store, StoredRow
from shared.storage.seal import Seal
from shared.storage.tables import Tables
from shared.xero.oauth import OAuth, TokenSet
from shared.xero.tokens import Grant, Tokens, custom_grant
from tests.fakes import FakeClock, FakeStore

OLD_KEY, NEW_KEY = bytes(32), bytes(range(32))
LIFETIME = timedelta(minutes=30)
GRACE = timedelta(minutes=30)


class Identity(OAuth):
    """Xero's token endpoint: rotation, 30 minutes of grace, and, at its strictest, a re-used token kills what it gave before."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.numbers = count(1)
        self.used_at: dict[str, datetime] = {}
        self.parents: dict[str, str] = {}
        self.dead: set[str] = set()
        self.refreshed: list[str] = []
        self.secrets = {"own": "s3cret"}
        self.fails: list[ConnectorError] = []
        self.meanwhile: Callable[[str], TokenSet] | None = None

    def consent(self, user: str = "ann") -> TokenSet:
        return self._issue(user, "")

    def refresh(self, refresh_token: str) -> TokenSet:
        if self.meanwhile:
            meanwhile, self.meanwhile = self.meanwhile, None
            return meanwhile(refresh_token)
        if self.fails:
            raise self.fails.pop(0)
        self.refreshed.append(refresh_token)
        now = self.clock.now()
        first = self.used_at.setdefault(refresh_token, now)
        if refresh_token in self.dead or refresh_token not in self.parents or now - first > GRACE:
            raise NeedsReconnect("invalid_grant")
        self.dead |= {child for child, parent in self.parents.items() if parent == refresh_token}
        return self._issue(refresh_token.split("-")[0], refresh_token)

    def client_credentials(self, client_id: str, client_secret: str, scopes: Any) -> TokenSet:
        if self.secrets.get(client_id) != client_secret:
            raise ConfigurationError("invalid_client")
        return replace(self._issue(client_id, ""), refresh_token="", scopes=())

    def revoke(self, refresh_token: str) -> None:
        self.dead.add(refresh_token)

    def works(self, refresh_token: str) -> bool:
        try:
            self.refresh(refresh_token)
        except NeedsReconnect:
            return False
        return True

    def _issue(self, user: str, parent: str) -> TokenSet:
        number, expires_at = next(self.numbers), self.clock.now() + LIFETIME
        token = f"{user}-{number}"
        self.parents[token] = parent
        payload = json.dumps({"xero_userid": user, "n": number}).encode()
        return TokenSet(f"h.{base64.urlsafe_b64encode(payload).decode().rstrip('=')}.s", token, expires_at, ("offline_access",))


class World:
    """One grant, "ann", connected now."""

    def __init__(self, store: Store | None = None) -> None:
        self.clock = FakeClock()
        self.identity = Identity(self.clock)
        self.store = store or FakeStore()
        self.tokens = self.worker()
        self.tokens.connect(self.identity.consent(), self.clock.now())

    def worker(self, *keys: bytes) -> Tokens:
        return Tokens(self.store, Seal(keys or (NEW_KEY,)), self.identity, Durations())

    def get(self, tokens: Tokens | None = None) -> str:
        return (tokens or self.tokens).access_token("ann", self.clock.now())

    def grant(self) -> Grant:
        (grant,) = [grant for grant in self.worker().grants() if grant.key == "ann"]
        return grant


@pytest.fixture
def world() -> World:
    return World()


def test_a_token_is_given_from_memory_until_its_margin(world: World) -> None:
    token = world.get()
    assert isinstance(world.store, FakeStore)
    world.store.calls.clear()
    world.clock.move(minutes=24)
    assert world.get() == token
    assert world.store.calls == []
    assert world.identity.refreshed == []


def test_a_token_that_ends_is_renewed_and_saved_before_it_is_used(world: World) -> None:
    token = world.get()
    world.clock.move(minutes=26)
    assert isinstance(world.store, FakeStore)
    world.store.calls.clear()
    renewed = world.get()
    assert renewed != token
    assert [method for method, _ in world.store.calls] == ["read", "replace", "replace"]
    assert world.grant().tokens.access_token == renewed
    assert world.grant().previous == "ann-1"
    assert world.get(world.worker()) == renewed
    assert world.identity.refreshed == ["ann-1"]


def test_fifty_threads_of_a_process_wait_for_one_refresh(world: World) -> None:
    world.clock.move(minutes=31)
    with ThreadPoolExecutor(50) as pool:
        tokens = list(pool.map(lambda _: world.get(), range(50)))
    assert len(set(tokens)) == 1
    assert world.identity.refreshed == ["ann-1"]


def test_a_refresh_in_another_process_is_left_to_it(world: World) -> None:
    world.clock.move(minutes=31)
    other = world.worker()
    seen: list[Exception] = []

    def while_refreshing(token: str) -> TokenSet:
        with pytest.raises(NotReady) as raised:
            world.get(other)
        seen.append(raised.value)
        return world.identity.refresh(token)

    world.identity.meanwhile = while_refreshing
    world.get()
    assert isinstance(seen[0], NotReady)
    assert seen[0].retry_after == timedelta(seconds=5)
    assert world.identity.refreshed == ["ann-1"]


def test_while_another_process_renews_it_a_token_is_used_to_its_end(world: World) -> None:
    token = world.get()
    world.clock.move(minutes=27)
    other = world.worker()
    seen: list[str] = []

    def while_refreshing(refresh_token: str) -> TokenSet:
        seen.append(world.get(other))
        return world.identity.refresh(refresh_token)

    world.identity.meanwhile = while_refreshing
    assert world.get() != token
    assert seen == [token]


def test_a_token_still_good_outlives_a_fault_of_xeros(world: World) -> None:
    token = world.get()
    world.clock.move(minutes=27)
    world.identity.fails = [Retryable("503")]
    assert world.get() == token
    assert world.get() != token


def test_a_failed_refresh_frees_its_lease_and_stays_written_down(world: World) -> None:
    world.clock.move(minutes=31)
    world.identity.fails = [Retryable("no answer")]
    with pytest.raises(Retryable):
        world.get()
    began = world.clock.now()
    world.clock.move(minutes=5)
    assert world.grant().refresh_started_at == began
    assert world.grant().leased_until < world.clock.now()
    world.get(world.worker())
    assert world.grant().refresh_started_at < began
    assert world.grant().previous_at == began


def test_a_grant_that_is_gone_needs_a_person_and_is_asked_of_xero_once(world: World) -> None:
    world.identity.dead.add("ann-1")
    world.clock.move(minutes=31)
    for _ in range(3):
        with pytest.raises(NeedsReconnect):
            world.get()
    assert world.grant().state == "needs_reconnect"
    assert world.identity.refreshed == ["ann-1"]
    assert world.tokens.keep(world.clock.now()) == {}
    assert world.identity.refreshed == ["ann-1"]


def test_a_new_consent_mends_a_grant(world: World) -> None:
    world.identity.dead.add("ann-1")
    world.clock.move(minutes=31)
    with pytest.raises(NeedsReconnect):
        world.get()
    fresh = world.identity.consent()
    assert world.tokens.connect(fresh, world.clock.now()) == "ann"
    assert world.get() == fresh.access_token
    assert world.grant().state == "active"


def test_a_refresh_that_was_overtaken_by_a_new_consent_leaves_the_new_one(world: World) -> None:
    world.clock.move(minutes=31)
    fresh: list[TokenSet] = []

    def overtaken(refresh_token: str) -> TokenSet:
        tokens = world.identity.refresh(refresh_token)
        world.clock.move(1)
        fresh.append(world.identity.consent())
        world.worker().connect(fresh[0], world.clock.now())
        return tokens

    world.identity.meanwhile = overtaken
    assert world.get() == fresh[0].access_token
    assert world.grant().tokens == fresh[0]


def test_invalid_grant_after_somebody_else_rotated_is_no_loss(world: World) -> None:
    world.clock.move(minutes=31)
    other = world.worker()

    def too_late(refresh_token: str) -> TokenSet:
        world.clock.move(Durations().token_lease + 1)
        world.get(other)
        raise NeedsReconnect("invalid_grant")

    world.identity.meanwhile = too_late
    with pytest.raises(NotReady):
        world.get()
    assert world.grant().state == "active"
    assert world.get()


def test_a_set_killed_by_a_frozen_worker_is_rescued_with_the_previous_token(world: World) -> None:
    world.clock.move(minutes=31)
    world.get()
    world.identity.refresh("ann-1")  # a worker that had been frozen uses the old token once more, and dies
    assert "ann-2" in world.identity.dead
    world.clock.move(minutes=26)
    assert world.get(world.worker())
    assert world.grant().state == "active"
    assert world.grant().previous == "ann-1"
    assert world.identity.works(world.grant().tokens.refresh_token)


def test_a_token_xero_refused_is_renewed_next_time_but_not_for_ever(world: World) -> None:
    token = world.get()
    world.clock.move(minutes=2)
    world.tokens.refuse("ann", token, world.clock.now())
    renewed = world.get()
    assert renewed != token
    world.tokens.refuse("ann", renewed, world.clock.now())
    assert world.get() == renewed
    world.tokens.refuse("ann", token, world.clock.now())
    assert world.get() == renewed
    assert len(world.identity.refreshed) == 1


def test_a_missing_scope_is_noted_until_the_next_consent_and_stops_nothing_else(world: World) -> None:
    world.tokens.note_missing_scope("ann")
    world.tokens.note_missing_scope("ann")
    assert world.grant().state == "needs_scope"
    world.clock.move(minutes=31)
    assert world.get(world.worker())
    assert world.grant().state == "needs_scope"
    world.tokens.connect(world.identity.consent(), world.clock.now())
    assert world.grant().state == "active"


def test_a_consent_without_a_refresh_token_or_a_user_is_refused(world: World) -> None:
    consent = world.identity.consent()
    for tokens in (replace(consent, refresh_token=""), replace(consent, access_token="opaque")):
        with pytest.raises(ConfigurationError, match="offline_access"):
            world.tokens.connect(tokens, world.clock.now())


def test_a_grant_nobody_made_needs_a_person(world: World) -> None:
    with pytest.raises(NeedsReconnect, match="no connection"):
        world.tokens.access_token("bob", world.clock.now())


def test_users_have_grants_of_their_own(world: World) -> None:
    world.tokens.connect(world.identity.consent("bob"), world.clock.now())
    assert world.tokens.access_token("bob", world.clock.now()) != world.get()
    assert {grant.key for grant in world.tokens.grants()} == {"ann", "bob"}


def test_revoking_ends_the_consent_and_forgets_the_row(world: World) -> None:
    world.tokens.revoke("ann")
    assert world.identity.dead == {"ann-1"}
    assert world.tokens.grants() == []
    with pytest.raises(NeedsReconnect):
        world.get()


def test_no_token_and_no_secret_is_readable_in_the_row_or_a_repr(world: World) -> None:
    world.tokens.connect_custom("own", "s3cret", ("accounting.invoices",), world.clock.now())
    world.clock.move(minutes=31)
    world.get()
    assert isinstance(world.store, FakeStore)
    rows = [dict(row.values) for row in world.store.rows("grants")]
    grants = world.tokens.grants()
    for secret in ("ann-1", "ann-2", "ann-3", "s3cret", world.get().split(".")[1]):
        assert secret not in repr(rows)
        assert secret not in repr(grants)


def test_a_row_copied_to_another_user_does_not_open(world: World) -> None:
    stolen = world.store.read("grants", "grant", "ann")
    assert stolen is not None
    world.store.insert("grants", "grant", "mallory", stolen.values)
    with pytest.raises(ConfigurationError, match="moved"):
        world.tokens.access_token("mallory", world.clock.now())


class TestCustomConnection:
    """A Custom Connection has its own secret, no user and no refresh token."""

    key = custom_grant("own")

    @pytest.fixture
    def custom(self, world: World) -> World:
        assert world.tokens.connect_custom("own", "s3cret", ("accounting.invoices",), world.clock.now()) == self.key
        return world

    def test_its_token_is_minted_anew(self, custom: World) -> None:
        first = custom.tokens.access_token(self.key, custom.clock.now())
        custom.clock.move(minutes=31)
        second = custom.worker().access_token(self.key, custom.clock.now())
        assert first != second
        assert custom.identity.refreshed == []
        (grant,) = [grant for grant in custom.tokens.grants() if grant.is_custom]
        assert (grant.tokens.scopes, grant.secret) == (("accounting.invoices",), "s3cret")

    def test_a_secret_xero_refuses_is_never_kept(self, world: World) -> None:
        with pytest.raises(ConfigurationError):
            world.tokens.connect_custom("own", "wrong", (), world.clock.now())
        assert [grant.key for grant in world.tokens.grants()] == ["ann"]

    def test_a_secret_that_was_changed_needs_a_person(self, custom: World) -> None:
        custom.identity.secrets["own"] = "changed"
        custom.clock.move(minutes=31)
        for _ in range(2):
            with pytest.raises(NeedsReconnect):
                custom.tokens.access_token(self.key, custom.clock.now())
        custom.identity.secrets["own"] = "s3cret"
        custom.tokens.connect_custom("own", "s3cret", (), custom.clock.now())
        assert custom.tokens.access_token(self.key, custom.clock.now())

    def test_it_need_not_be_kept_alive(self, custom: World) -> None:
        custom.clock.move(days=60)
        (before,) = [grant for grant in custom.tokens.grants() if grant.is_custom]
        custom.tokens.keep(custom.clock.now())
        (after,) = [grant for grant in custom.tokens.grants() if grant.is_custom]
        assert after.tokens == before.tokens


class TestKeeper:
    """The timer that keeps every grant alive."""

    def test_a_refresh_that_was_interrupted_is_finished_within_the_grace(self, world: World) -> None:
        world.clock.move(minutes=31)

        class Dies(BaseException):
            pass

        def die(refresh_token: str) -> TokenSet:
            world.identity.refresh(refresh_token)
            raise Dies

        world.identity.meanwhile = die
        with pytest.raises(Dies):
            world.get()
        keeper = world.worker()
        assert keeper.keep(world.clock.now()) == {}  # the lease of the dead worker is still alive
        assert len(world.identity.refreshed) == 1
        world.clock.move(minutes=10)
        assert keeper.keep(world.clock.now()) == {}
        assert world.grant().tokens.refresh_token == "ann-3"
        assert world.identity.works("ann-3")

    def test_what_is_in_use_is_renewed_before_it_ends(self, world: World) -> None:
        for _ in range(12):
            world.clock.move(minutes=10)
            world.worker().keep(world.clock.now())
            world.get()
        assert len(world.identity.refreshed) in (5, 6, 7)

    def test_what_rests_is_renewed_weekly(self, world: World) -> None:
        for _ in range(30 * 6):
            world.clock.move(hours=4)
            world.worker().keep(world.clock.now())
        assert len(world.identity.refreshed) == 4
        assert world.get(world.worker())

    def test_one_grant_in_trouble_does_not_keep_the_others(self, world: World) -> None:
        world.tokens.connect(world.identity.consent("bob"), world.clock.now())
        world.identity.dead.add("ann-1")
        world.clock.move(days=8)
        failed = world.worker().keep(world.clock.now())
        assert {key: type(error) for key, error in failed.items()} == {"ann": NeedsReconnect}
        assert world.identity.refreshed[-1].startswith("bob")

    def test_it_seals_everything_under_the_newest_key(self, world: World) -> None:
        store = FakeStore()
        world.store = store
        old = world.worker(OLD_KEY)
        old.connect(world.identity.consent(), world.clock.now())
        old.connect_custom("own", "s3cret", ("accounting.invoices",), world.clock.now())
        both = world.worker(NEW_KEY, OLD_KEY)
        assert both.keep(world.clock.now()) == {}
        assert {grant.key for grant in world.worker(NEW_KEY).grants()} == {"ann", "custom/own"}
        store.calls.clear()
        both.keep(world.clock.now())
        assert [method for method, _ in store.calls] == ["rows"]


def test_a_grant_lives_in_table_storage(azurite: str) -> None:
    store = Tables.from_connection_string(azurite)
    for key in ("ann", "custom/own"):
        store.delete("grants", "grant", key)
    world = World(store)
    world.tokens.connect_custom("own", "s3cret", ("accounting.invoices",), world.clock.now())
    world.clock.move(minutes=31)
    assert world.get() == world.grant().tokens.access_token
    assert world.worker().access_token("custom/own", world.clock.now())
    assert {grant.key for grant in world.tokens.grants()} >= {"ann", "custom/own"}


# ─ Every I/O may fail ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


T = TypeVar("T")


class Crash(BaseException):
    """The worker is gone."""


FAULTS = ("crash before", "crash after", "fails before", "fails after")


@dataclass
class Worker:
    """A worker of its own process, standing at its next I/O whenever the scheduler looks."""

    run: Callable[["Worker"], object]
    go: threading.Semaphore
    at_gate: threading.Semaphore
    fault: str = ""
    wakes_at: datetime | None = None
    is_done: bool = False
    outcome: BaseException | None = None

    def io(self, act: Callable[[], T]) -> T:
        self.at_gate.release()
        self.go.acquire()
        fault, self.fault = self.fault, ""
        if fault == "crash before":
            raise Crash
        if fault == "fails before":
            raise Retryable("no answer")
        answer = act()
        if fault == "crash after":
            raise Crash
        if fault == "fails after":
            raise Retryable("no answer")
        return answer

    def live(self) -> None:
        self.go.acquire()
        try:
            self.run(self)
        except (ConnectorError, Crash) as error:
            self.outcome = error
        finally:
            self.is_done = True
            self.at_gate.release()


class GatedStore(FakeStore):
    """The store as one worker sees it."""

    def __init__(self, store: FakeStore, worker: Worker) -> None:
        self._store, self._worker = store, worker

    def read(self, table: str, partition: str, row: str) -> StoredRow | None:
        return self._worker.io(lambda: self._store.read(table, partition, row))

    def insert(self, table: str, partition: str, row: str, values: Mapping[str, Any]) -> str:
        return self._worker.io(lambda: self._store.insert(table, partition, row, values))

    def replace(self, table: str, partition: str, row: str, values: Mapping[str, Any], etag: str) -> str:
        return self._worker.io(lambda: self._store.replace(table, partition, row, values, etag))

    def rows(self, table: str, partition: str | None = None, *, limit: int | None = None) -> list[StoredRow]:
        return self._worker.io(lambda: self._store.rows(table, partition, limit=limit))


class GatedIdentity(Identity):
    """The token endpoint as one worker sees it."""

    def __init__(self, identity: Identity, worker: Worker) -> None:
        self._xero, self._worker = identity, worker

    def refresh(self, refresh_token: str) -> TokenSet:
        return self._worker.io(lambda: self._xero.refresh(refresh_token))


class PlainSeal(Seal):
    """Encryption is tested elsewhere; here it would only cost time."""

    def seal(self, text: str, context: str) -> str:
        return f"{context}:{text}"

    def open(self, sealed: str, context: str) -> str:
        return sealed.removeprefix(f"{context}:")

    def reseal(self, sealed: str, context: str) -> str:
        return sealed


class Schedule:
    """One run: workers, the keeper every ten minutes, at most so many faults, preemptions and pauses, chosen by *choose*."""

    def __init__(
        self,
        choose: Callable[[int], int],
        *,
        workers: int,
        faults: int,
        switches: int = 0,
        pause: timedelta | None = None,
        kind: type[Tokens] = Tokens,
    ) -> None:
        self.choose, self.faults, self.switches, self.pause, self.kind = choose, faults, switches, pause, kind
        self.clock, self.store = FakeClock(), FakeStore()
        self.identity = Identity(self.clock)
        self.seal = PlainSeal([NEW_KEY])
        kind(self.store, self.seal, self.identity, Durations()).connect(self.identity.consent(), self.clock.now())
        self.clock.move(minutes=31)
        self.agenda: list[tuple[datetime, str, int]] = [(self.clock.now(), "use", 0)] * workers
        self.agenda += [(self.clock.now() + timedelta(minutes=10 * n), "keep", 0) for n in range(1, 5)]
        self.living: list[Worker] = []
        self.ios = 0

    def run(self) -> bool:
        """Run to the end and tell whether the connection lives."""
        current: Worker | None = None
        while self.agenda or self.living:
            now = self.clock.now()
            for entry in [entry for entry in self.agenda if entry[0] <= now]:
                self.agenda.remove(entry)
                self._start(*entry[1:])
            ready = [worker for worker in self.living if worker.wakes_at is None or worker.wakes_at <= now]
            if not ready:
                times = [entry[0] for entry in self.agenda] + [worker.wakes_at for worker in self.living if worker.wakes_at]
                self.clock.set(min(times))
                continue
            current = self._next(current, ready)
            self._step(current)
        (grant,) = self.kind(self.store, self.seal, self.identity, Durations()).grants()
        return grant.state == "active" and self.identity.works(grant.tokens.refresh_token)

    def _next(self, current: Worker | None, ready: list[Worker]) -> Worker:
        if current not in ready:
            return ready[self.choose(len(ready))] if len(ready) > 1 else ready[0]
        assert current is not None
        others = [worker for worker in ready if worker is not current]
        if not others or not self.switches:
            return current
        chosen = self.choose(len(ready))
        if chosen:
            self.switches -= 1
            return others[chosen - 1]
        return current

    def _step(self, worker: Worker) -> None:
        options = ["", *(FAULTS if self.faults else ()), *(("pause",) if self.faults and self.pause else ())]
        fault = options[self.choose(len(options))] if len(options) > 1 else ""
        worker.wakes_at = None
        if fault:
            self.faults -= 1
        if fault == "pause":
            assert self.pause is not None
            worker.wakes_at = self.clock.now() + self.pause
            return
        worker.fault = fault
        self.ios += 1
        self.clock.move(1)
        worker.go.release()
        worker.at_gate.acquire()
        if worker.is_done:
            self.living.remove(worker)

    def _start(self, what: str, attempt: int) -> None:
        def run(worker: Worker) -> None:
            tokens = self.kind(GatedStore(self.store, worker), self.seal, GatedIdentity(self.identity, worker), Durations())
            if what == "keep":
                tokens.keep(self.clock.now())
                return
            try:
                tokens.access_token("ann", self.clock.now())
            except Retryable:
                if attempt < 8:
                    self.agenda.append((self.clock.now() + timedelta(seconds=30), "use", attempt + 1))

        worker = Worker(run, threading.Semaphore(0), threading.Semaphore(0))
        threading.Thread(target=worker.live, daemon=True).start()
        worker.go.release()
        worker.at_gate.acquire()
        if not worker.is_done:
            self.living.append(worker)


def explore(limit: int, **scene: Any) -> tuple[int, int]:
    """Run every schedule of a scene, or *limit* of them; return how many ran and how many lost the connection."""
    prefix: list[int] = []
    runs = lost = 0
    while runs < limit:
        trace: list[tuple[int, int]] = []

        def choose(options: int, prefix: list[int] = prefix, trace: list[tuple[int, int]] = trace) -> int:
            choice = prefix[len(trace)] if len(trace) < len(prefix) else 0
            trace.append((choice, options))
            return choice

        lost += not Schedule(choose, **scene).run()
        runs += 1
        while trace and trace[-1][0] + 1 >= trace[-1][1]:
            trace.pop()
        if not trace:
            return runs, lost
        prefix = [choice for choice, _ in trace[:-1]] + [trace[-1][0] + 1]
    return runs, lost


def sample(runs: int, **scene: Any) -> int:
    """Run so many schedules drawn with fixed seeds and return how many lost the connection."""
    lost = 0
    for seed in range(runs):
        draw = random.Random(seed)

        def choose(options: int, draw: random.Random = draw) -> int:
            return 0 if draw.random() < 0.6 else draw.randrange(options)

        lost += not Schedule(choose, **scene).run()
    return lost


def test_one_worker_survives_every_single_fault_at_every_io() -> None:
    runs, lost = explore(10_000, workers=1, faults=1)
    assert lost == 0
    assert runs > 40


def test_one_worker_survives_every_pair_of_faults() -> None:
    runs, lost = explore(10_000, workers=1, faults=2)
    assert lost == 0
    assert runs > 500


def test_two_workers_survive_every_order_and_every_single_fault() -> None:
    runs, lost = explore(10_000, workers=2, faults=1, switches=2)
    assert lost == 0
    assert runs > 500


@pytest.mark.parametrize("pause", [timedelta(seconds=120), timedelta(seconds=700)])
def test_a_worker_frozen_past_its_lease_costs_nothing(pause: timedelta) -> None:
    assert sample(400, workers=2, faults=1, switches=2, pause=pause) == 0


def test_three_workers_survive_what_comes() -> None:
    assert sample(600, workers=3, faults=2, switches=3) == 0


def test_the_harness_finds_what_a_careless_store_of_tokens_loses() -> None:
    class NoWriteAhead(Tokens):
        """Nobody can see that a refresh was interrupted."""

        def _keep(self, row: StoredRow, now: datetime) -> None:
            return

    class BlindSave(Tokens):
        """Whoever saves last wins, not what was issued last; and the old token is not kept."""

        def _save(self, grant: Grant) -> Grant:
            return self._replace(replace(grant, etag=self._etag(grant.key), previous=""))

    assert explore(2_000, workers=1, faults=1, kind=NoWriteAhead)[1] > 0
    assert sample(400, workers=2, faults=1, switches=2, pause=timedelta(seconds=120), kind=BlindSave) > 0
