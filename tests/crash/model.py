"""Layer A: the protocol around a write as an executable model, and an explorer that tries every schedule of faults within bounds.

The model follows ``functions.claim``, ``functions.documents``, ``functions.contacts``, ``functions.invoices``, ``functions.sync`` and
``functions.sweep`` step by step; each I/O that touches the protocol's state is a ``yield``, so that the explorer can stop, fail or
overtake it there. Time is a whole number of seconds; the durations are those of ``shared.durations``.

The explorer is stateless: a schedule is the list of choices made, and the next one is found by replaying a prefix of it
(depth-first, as in stateless model checking).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from shared.durations import Durations

D = Durations()
SWEEP_EVERY = 300
HOST_DELAY = 120  # host.json queues.visibilityTimeout: what the host waits after a function raised
MOST_DELIVERIES = 5
NEVER = -1
OURS = "our mark"
SHORT = 120

Step = Generator[tuple[Any, ...], Any, Any]


class Wires(Exception):
    """Retryable: a read, or a call that surely did not happen."""


class Unknown(Wires):
    """Uncertain: a write whose end nobody knows."""


class Throttled(Wires):
    """A 429: nothing happened."""


class Changed(Wires):
    """A 412 or 409."""


class NotReady(Wires):
    def __init__(self, wait: int) -> None:
        self.wait = wait


class Refused(Exception):
    def __init__(self, why: str) -> None:
        self.why = why


class ReadOnly(Exception):
    """The row was closed."""


@dataclass
class World:
    """Everything outside a worker: one Dataverse invoice, one Xero organisation, Table Storage and one queue."""

    unique: bool = True
    key_memory: int = 360
    lag: int = 0
    new_contact: bool = False
    foreign: bool = False
    without: frozenset[str] = frozenset()
    t: int = 0
    calls: int = 0
    sent: int = 0
    serial: int = 0

    def __post_init__(self) -> None:
        self.row: dict[str, Any] = {
            "version": 1, "lines": "A", "terms": "T1", "note": "", "closed": False,
            "synced": False, "xero_id": "", "export": "No",
        }  # fmt: skip
        self.history: set[tuple[str, ...]] = set()
        self.synced_as: tuple[str, str] | None = None
        self.tables: dict[tuple[str, str], tuple[int, dict[str, Any]]] = {}
        self.keys: dict[Any, tuple[int, Any, Any]] = {}
        self.docs: list[dict[str, Any]] = []
        self.contacts: list[dict[str, Any]] = []
        self.messages: list[dict[str, Any]] = []
        self.poison = 0
        self.late: list[tuple[int, Callable[[], Any]]] = []
        if self.foreign:
            self.docs.append({"id": "F", "mark": "a bookkeeper's", "terms": "T1", "lines": "F", "at": -9999})

    @property
    def is_due(self) -> bool:
        return not self.row["synced"] and not self.row["closed"]

    # Table Storage
    def read(self, table: str, key: str) -> tuple[int, dict[str, Any]] | None:
        return self.tables.get((table, key))

    def write(self, table: str, key: str, values: dict[str, Any], etag: int | None) -> int:
        """Insert (etag 0), replace (etag) or upsert (None)."""
        held = self.tables.get((table, key))
        if etag is not None and (held[0] if held else 0) != etag:
            raise Changed
        self.serial += 1
        self.tables[table, key] = (self.serial, dict(values))
        return self.serial

    def delete(self, table: str, key: str, etag: int | None) -> None:
        held = self.tables.get((table, key))
        if held and etag is not None and held[0] != etag:
            raise Changed
        self.tables.pop((table, key), None)

    # the queue
    def send(self, delay: int, attempt: int) -> None:
        self.serial += 1
        self.sent += 1
        self.messages.append({"id": self.serial, "visible": self.t + delay, "attempt": attempt, "n": 0, "receipt": 0})

    # Dataverse
    def load(self) -> dict[str, Any]:
        return dict(self.row)

    def patch(self, columns: dict[str, Any], version: int | None, *told: tuple[str, ...]) -> None:
        """Write columns and Sync History rows in one change set."""
        if version is not None and self.row["version"] != version:
            raise Changed
        if columns and self.row["closed"]:
            raise ReadOnly
        if columns.get("synced"):
            self.synced_as = (self.row["terms"], self.row["lines"])
        self.row.update(columns)
        self.row["version"] += bool(columns)
        self.history.update(told)

    def edit(self, kind: str) -> None:
        """What a person does in Dynamics: change a line, the terms a look-up goes by (number, date), or close the invoice."""
        if self.row["closed"]:
            return
        if kind == "close":
            self.row["closed"] = True
        else:
            self.row[kind] = "B"
        self.row["note"] = "a person's"
        self.row["version"] += 1

    # Xero
    def search(self, terms: str) -> list[dict[str, Any]]:
        self.calls += 1
        return [dict(doc) for doc in self.docs if doc["terms"] == terms and self.t - doc["at"] >= self.lag]

    def get(self, xero_id: str) -> dict[str, Any]:
        self.calls += 1
        return dict(next(doc for doc in self.docs if doc["id"] == xero_id))

    def put(self, terms: str, lines: str, key: Any, fault: str = "") -> dict[str, Any]:
        return self._once(key, ("PUT", terms, lines), fault, lambda: self._make(terms, lines))

    def post(self, xero_id: str, terms: str, lines: str, fault: str = "") -> dict[str, Any]:
        def change() -> dict[str, Any]:
            doc = next(doc for doc in self.docs if doc["id"] == xero_id)
            doc.update(terms=terms, lines=lines)
            return dict(doc)

        return self._once(None, ("POST", xero_id, terms, lines), fault, change)

    def _make(self, terms: str, lines: str) -> dict[str, Any]:
        if self.unique and any(doc["terms"] == terms for doc in self.docs):
            raise Refused("must be unique")
        doc = {"id": f"X{len(self.docs) + 1}", "mark": OURS, "terms": terms, "lines": lines, "at": self.t}
        self.docs.append(doc)
        return dict(doc)

    def search_contacts(self) -> list[dict[str, Any]]:
        self.calls += 1
        return [dict(one) for one in self.contacts if self.t - one["at"] >= self.lag]

    def put_contact(self, key: Any, fault: str = "") -> dict[str, Any]:
        def make() -> dict[str, Any]:
            if self.contacts:
                raise Refused("The contact name is already assigned.")
            self.contacts.append({"id": "C", "at": self.t})
            return self.contacts[0]

        return self._once(key, "contact", fault, make)

    def _once(self, key: Any, request: Any, fault: str, effect: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Answer as Xero does with Idempotency-Keys: the first answer again, errors included, while it remembers."""
        self.calls += 1
        known = self.keys.get(key) if key else None
        if known and self.t - known[0] < self.key_memory:
            if known[1] != request:
                raise Unknown
            if isinstance(known[2], Exception):
                raise known[2]
            return dict(known[2])
        answer: Any
        try:
            answer = Unknown() if fault == "500" else effect()
            if fault == "500 applied":
                answer = Unknown()
        except Refused as refusal:
            answer = refusal
        if key:
            self.keys[key] = (self.t, request, answer)
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)


# ---------------------------------------------------------------------------------------------------------------------------------
# The protocol. ``world.without`` names the steps a mutant leaves out; the steps are listed in tests/crash/test_model.py.

FREE = {"state": "free", "owner": "", "until": 0, "hold": 0, "queued": 0, "errors": 0, "sought": "", "made": "", "etag": 0}


@dataclass
class Try:
    """functions.work.Work"""

    claim: dict[str, Any]
    attempt: int
    row: dict[str, Any] = field(default_factory=dict)


def read_claim(world: World, key: str) -> Step:
    found = yield "read claim", world.read, "claims", key
    return {**FREE, "etag": 0} if found is None else {**found[1], "etag": found[0]}


def write_claim(world: World, key: str, claim: dict[str, Any]) -> Step:
    """functions.claim._write: a refusal may be the echo of our own write, and a write without an answer may have happened."""
    etag = None if "compare-and-swap" in world.without else claim["etag"]
    try:
        claim["etag"] = yield "write claim", world.write, "claims", key, claim, etag
    except Wires as error:
        if "re-read after a refusal" not in world.without:
            found = yield from read_claim(world, key)
            if {**found, "etag": 0} == {**claim, "etag": 0}:
                return found
        if isinstance(error, Changed):
            raise NotReady(int(D.first_delay / 4)) from None
        raise
    return claim


def take(world: World, key: str, owner: str) -> Step:
    claim = yield from read_claim(world, key)
    if claim["state"] == "held" and world.t < claim["until"] and "lease" not in world.without:
        raise NotReady(min(claim["until"] - world.t, int(D.first_delay / 4)))
    if world.t < claim["hold"] and "hold" not in world.without:
        raise NotReady(claim["hold"] - world.t)
    taken = {"state": "held", "owner": owner, "until": world.t + int(D.lease), "queued": 0}
    return (yield from write_claim(world, key, claim | taken))


def fence(world: World, claim: dict[str, Any]) -> None:
    if claim["until"] - world.t < D.fence and "fence" not in world.without:
        raise NotReady(0)


def release(world: World, key: str, claim: dict[str, Any], queued: int = 0) -> Step:
    if "release" in world.without:
        return
    free = {"state": "free", "owner": "", "until": 0, "queued": queued}
    yield from write_claim(world, key, claim | free)


def close(world: World, key: str, claim: dict[str, Any]) -> Step:
    try:
        yield "delete claim", world.delete, "claims", key, claim["etag"]
    except Changed:
        return


def count_error(world: World, claim: dict[str, Any]) -> dict[str, Any]:
    rotated = 0 if "new key after an unknown end" in world.without else 1
    return claim | {"errors": claim["errors"] + rotated, "hold": world.t + int(D.hold)}


def key_of(world: World, claim: dict[str, Any], *request: str) -> Any:
    """functions.documents._key"""
    if "key" in world.without:
        return None
    count = world.t if "same key on every try" in world.without else claim["errors"]
    return (*request, count)


def ensure_contact(world: World, owner: str) -> Step:
    """functions.contacts.ensure"""
    if (yield "read link", world.read, "links", "contact"):
        return
    claim = yield from take(world, "contact", owner)
    try:
        if not (yield "read link", world.read, "links", "contact"):
            found = yield "search contact", world.search_contacts
            if not found:
                fence(world, claim)
                try:
                    yield "create contact", world.put_contact, key_of(world, claim, "contact")
                except Unknown:
                    claim = count_error(world, claim)
                    raise
        yield "write link", world.write, "links", "contact", {"id": "C"}, None
    except (Wires, Refused):
        yield from release(world, "contact", claim)
        raise
    yield from close(world, "contact", claim)


def find(world: World, this: Try) -> Step:
    """functions.documents._find"""
    known = this.row["xero_id"] or this.claim["made"]
    if not known:
        link = yield "read link", world.read, "links", "invoice"
        known = link[1]["id"] if link else ""
    if known:
        return (yield "get", world.get, known)
    skipped = "look-up on a retry" if this.claim["sought"] else "look-up without a unique number"
    if (world.unique and not this.claim["sought"]) or skipped in world.without:
        return None
    return (yield from search(world, this))


def search(world: World, this: Try) -> Step:
    """functions.documents._search: adopt only what bears our mark."""
    found = yield "search", world.search, this.claim["sought"] or this.row["terms"]
    for doc in found:
        if doc["mark"] == OURS or "mark" in world.without:
            return doc
    if world.unique and any(doc["terms"] == this.row["terms"] for doc in found):
        raise Refused("belongs to another")
    return None


def write_document(world: World, this: Try) -> Step:
    """functions.documents.write"""
    terms, lines = this.row["terms"], this.row["lines"]
    found = yield from find(world, this)
    if found is None:
        if "intent" not in world.without:
            this.claim = yield from write_claim(world, "invoice", this.claim | {"sought": terms})
        fence(world, this.claim)
        try:
            found = yield "create", world.put, terms, lines, key_of(world, this.claim, terms, lines)
        except Refused as refusal:
            this.claim = this.claim | {"sought": ""}
            if refusal.why != "must be unique" or "adopt a number that is taken" in world.without:
                raise
            found = yield from search(world, this)
            if found is None:
                raise
        except Unknown:
            this.claim = count_error(world, this.claim)
            raise
        except Wires:
            this.claim = this.claim | {"sought": ""}
            raise
    if "keep the id in the claim" not in world.without:
        this.claim = this.claim | {"made": found["id"]}
    if (found["terms"], found["lines"]) != (terms, lines) and "bring up to date" not in world.without:
        fence(world, this.claim)
        found = yield "update", world.post, found["id"], terms, lines
    yield "write link", world.write, "links", "invoice", {"id": found["id"]}, None
    return found


def cross(world: World, this: Try, owner: str) -> Step:
    """functions.invoices.cross"""
    if not this.row:
        this.row = yield "load", world.load
    if this.row["synced"]:
        return
    if this.row["closed"]:
        yield from left_behind(world, this)
        return
    if world.new_contact:
        yield from ensure_contact(world, owner)
    found = yield from write_document(world, this)
    yield from write_back(world, this, found)


def left_behind(world: World, this: Try) -> Step:
    """functions.invoices._left_behind: the invoice was closed after a try that may have made its document."""
    if not this.claim["sought"] or this.row["xero_id"] or "look for what was left behind" in world.without:
        return
    found = yield from search(world, this)
    if found is not None:
        yield "write link", world.write, "links", "invoice", {"id": found["id"]}, None
        yield "warn", world.patch, {}, None, ("closed meanwhile", found["id"])


def write_back(world: World, this: Try, found: dict[str, Any]) -> Step:
    """functions.invoices._write_back"""
    print_of = (this.row["terms"], this.row["lines"])
    columns = {"xero_id": found["id"], "synced": True, "export": "Yes"}
    told = ("success", *print_of, found["id"])
    version = None if "if-match" in world.without else this.row["version"]
    while True:
        try:
            yield "write back", world.patch, columns, version, told
            return
        except Changed:
            row = yield "load", world.load
        except ReadOnly:
            row = this.row | {"closed": True}
        if row["closed"]:
            yield "warn", world.patch, {}, None, ("closed meanwhile", found["id"])
            return
        if (row["terms"], row["lines"]) != print_of:
            link_only = {"xero_id": found["id"], "synced": False}
            if "due again after a change" in world.without:
                del link_only["synced"]
            yield "write back", world.patch, link_only, row["version"]
            raise Changed
        version = row["version"]


def fail(world: World, this: Try, error: Exception) -> Step:
    """functions.sync._fail with functions.decide"""
    wait: int | None = None
    if isinstance(error, NotReady):
        wait = error.wait
    elif isinstance(error, Throttled):
        wait = 60
    elif isinstance(error, Wires):
        wait = max(int(D.delay(this.attempt).total_seconds()), this.claim["hold"] - world.t)
    is_short = isinstance(error, NotReady | Throttled) and wait is not None and wait <= SHORT
    already = wait is not None and this.attempt > 1 and this.row.get("export") == "Waiting"
    if not is_short and not already and (this.row or "tell only what was read" in world.without):
        status = "Waiting" if wait is not None else "Failed"
        version = this.row["version"] if "tell under if-match" not in world.without and this.row else None
        try:
            yield "tell", world.patch, {"export": status}, version, (status, str(error))
        except (Wires, ReadOnly):
            wait = wait if wait is not None else int(D.delay(this.attempt).total_seconds())
    if wait is None:
        parked = {"state": "parked", "owner": "", "until": 0, "queued": 0, "print": (this.row["terms"], this.row["lines"])}
        yield from write_claim(world, "invoice", this.claim | parked)
        return
    counted = not isinstance(error, NotReady | Throttled)
    yield "send", world.send, wait, this.attempt + counted
    try:
        yield from release(world, "invoice", this.claim, world.t + wait + int(D.queued))
    except Wires:
        return  # the next message is under way, and the lease ends by itself


def push(world: World, owner: str, attempt: int) -> Step:
    """functions.sync.sync"""
    this = Try(FREE, attempt)
    if "load after the claim" in world.without:
        this.row = yield "load", world.load
    try:
        this.claim = yield from take(world, "invoice", owner)
    except Wires as error:
        if "defer" in world.without:
            raise
        if isinstance(error, NotReady):
            yield "send", world.send, error.wait, attempt
        else:
            yield "send", world.send, int(D.delay(attempt).total_seconds()), attempt + 1
        return
    try:
        if "close last" in world.without:
            yield from close(world, "invoice", this.claim)
        yield from cross(world, this, owner)
    except (Wires, Refused) as error:
        yield from fail(world, this, error)
        return
    yield from close(world, "invoice", this.claim)


def sweep(world: World) -> Step:
    """functions.sweep._release for the one record"""
    claim = yield from read_claim(world, "invoice")
    row = yield "load", world.load
    if row["synced"] or row["closed"]:
        return
    busy = world.t < claim["until"] or world.t < claim["hold"]
    if busy or (world.t < claim["queued"] and "queued until" not in world.without):
        return
    parked_as = claim.get("print") if claim["state"] == "parked" else None
    if parked_as == (row["terms"], row["lines"]):
        return
    try:
        yield from write_claim(world, "invoice", claim | {"queued": world.t + int(D.queued)})
    except NotReady:
        return
    yield "send", world.send, 0, 1


# ---------------------------------------------------------------------------------------------------------------------------------
# The explorer

READS = ("read claim", "read link", "load", "get", "search", "search contact")
STORAGE_TIMEOUT = 15  # shared.storage.tables.ONE_SEND
TABLE_WRITES = ("write claim", "delete claim", "write link")
CREATES = ("create", "create contact")
STORAGE = ("read claim", "read link", "send", *TABLE_WRITES)
LATE = 300


@cache
def faults_of(name: str, may_pause: bool, may_be_late: bool, only: tuple[str, ...]) -> tuple[str, ...]:
    """Return what can happen at an I/O, "" first. For a read, before and after differ in nothing that anybody can see."""
    if only:
        return ("", *(kind for kind in faults_of(name, may_pause, may_be_late, ()) if kind in only))
    pause = ("pause",) if may_pause else ()
    if name in READS:
        return ("", "crash before", "timeout before", *pause)
    kinds: tuple[str, ...] = ("", "crash before", "crash after", "timeout before", "timeout after")
    if name in ("write claim", "delete claim"):
        kinds += ("refused after",)  # the storage SDK sent it again after a lost reply, and met our own write
    if name in (*CREATES, "update"):
        kinds += ("500", "500 applied", "429")
    if name in CREATES and may_be_late:
        kinds += ("late",)  # no answer in time, and Xero makes it minutes later
    return kinds + pause


@dataclass(frozen=True)
class Scenario:
    """One bounded space of schedules.

    ``edit`` (by a person) and ``wipe`` (of tables) may happen before any I/O; ``pause`` freezes a worker that long, between its
    decision to do an I/O and the I/O. Frozen exactly before a create leaves (``pause_at_send``) is the one place nothing can guard.
    ``crashed_before`` begins after a worker made the document and died, and a person then changed a line. ``only`` names the faults,
    when not all are tried; ``within`` is when all must be over, when that is less than usual; ``most_sent`` how many messages it may cost.
    """

    name: str
    faults: int = 1
    unique: bool = True
    key_memory: int = 360
    lag: int = 0
    new_contact: bool = False
    foreign: bool = False
    messages: int = 1
    sweeps: int = 0
    preemptions: int = 2
    edit: str = ""
    wipe: tuple[str, ...] = ()
    pause: int = 0
    pause_at_send: bool = False
    late: bool = True
    crashed_before: bool = False
    only: tuple[str, ...] = ()
    within: int = 0
    most_sent: int = 0

    @property
    def most_calls(self) -> int:
        """SPEC 15: six Xero calls under two faults, two more for a new contact."""
        return 6 + 2 * self.new_contact + 2 * bool(self.edit and self.pause)

    @property
    def patience(self) -> int:
        """The host shows a crashed message again after ten minutes; each fault may cost that once, and a little more."""
        if self.within:
            return self.within
        return 800 * max(self.faults, 1) + self.pause + SWEEP_EVERY * bool(self.edit) + 450 * bool(self.sweeps)


@dataclass(eq=False)
class Worker:
    steps: Step
    message: dict[str, Any] | None
    receipt: int = 0
    frozen: int = 0
    was_frozen: bool = False
    operation: tuple[Any, ...] | None = None
    answer: Any = None
    failure: Exception | None = None
    failed: bool = False

    def go(self) -> None:
        """Run to the next I/O, or to the end (operation None)."""
        self.was_frozen = False
        try:
            if self.failure is not None:
                failure, self.failure = self.failure, None
                self.operation = self.steps.throw(failure)
            else:
                self.operation = self.steps.send(self.answer)
        except StopIteration:
            self.operation = None
        except (Wires, Refused, ReadOnly):
            self.operation, self.failed = None, True


class Run:
    """One schedule: the host with two workers, the sweep every five minutes, and what the choices say goes wrong."""

    LONGEST = 6_000
    MOST_STEPS = 4_000

    def __init__(self, scenario: Scenario, without: frozenset[str], choices: list[int]) -> None:
        s = self.scenario = scenario
        self.world = World(s.unique, s.key_memory, s.lag, s.new_contact, s.foreign, without)
        self.choices = choices
        self.trace: list[tuple[int, int]] = []
        self.story: list[tuple[int, str, str]] = []
        self.workers: list[Worker] = []
        if s.crashed_before:
            self.world.docs.append({"id": "X0", "mark": OURS, "terms": "T1", "lines": "before", "at": -9999})
            self.world.write("claims", "invoice", FREE | {"sought": "T1"}, 0)
        self.left = s.faults
        self.preemptions = s.preemptions
        self.edit, self.wipe = s.edit, s.wipe
        self.last: Worker | None = None
        self.next_sweep = SWEEP_EVERY
        self.owners = 0

    def choose(self, options: int) -> int:
        at = len(self.trace)
        choice = self.choices[at] if at < len(self.choices) else 0
        self.trace.append((choice, options))
        return choice

    def go(self) -> Run:
        world = self.world
        for _ in range(self.scenario.messages):
            world.send(0, 1)
        for _ in range(self.scenario.sweeps):
            self._start(sweep(world), None)
        for _ in range(self.MOST_STEPS):
            if world.late and world.t >= world.late[0][0]:
                _, make = world.late.pop()
                with suppress(Wires, Refused):
                    make()
            if world.t >= self.next_sweep:
                self._sweep()
            self._deliver()
            live = [worker for worker in self.workers if worker.frozen <= world.t]
            if live:
                self._step(live)
            elif not self._wait():
                break
        return self

    def _sweep(self) -> None:
        """Run a sweep without interruption; sweeps that are themselves explored start with the run."""
        self.next_sweep = self.world.t - self.world.t % SWEEP_EVERY + SWEEP_EVERY
        steps, answer = sweep(self.world), None
        try:
            while True:
                operation = steps.send(answer)
                answer = operation[1](*operation[2:])
        except StopIteration:
            return

    def _deliver(self) -> None:
        world = self.world
        for message in list(world.messages):
            if message["visible"] > world.t or sum(worker.frozen <= world.t for worker in self.workers) >= 2:
                continue
            if message["n"] >= MOST_DELIVERIES:
                world.messages.remove(message)
                world.poison += 1
                continue
            message["n"] += 1
            message["receipt"] += 1
            message["visible"] = world.t + int(D.host_lease)
            self.owners += 1
            self._start(push(world, f"invocation {self.owners}", message["attempt"]), message)

    def _start(self, steps: Step, message: dict[str, Any] | None) -> None:
        worker = Worker(steps, message, message["receipt"] if message else 0)
        worker.go()
        self.workers.append(worker)

    def _wait(self) -> bool:
        """Move the clock to the next thing that happens; False when nothing will."""
        world = self.world
        times = [message["visible"] for message in world.messages] + [worker.frozen for worker in self.workers]
        times += [at for at, _ in world.late]
        claim = (world.tables.get(("claims", "invoice")) or (0, FREE))[1]
        is_parked = claim["state"] == "parked" and claim["print"] == (world.row["terms"], world.row["lines"])
        if world.is_due and not is_parked:
            times.append(self.next_sweep)
        if not times or world.t > self.LONGEST:
            return False
        world.t = max(world.t, min(times))
        return True

    def _step(self, live: list[Worker]) -> None:
        world = self.world
        worker = self._next(live)
        if self.edit and self.choose(2):
            self.story.append((world.t, "a person's edit", self.edit))
            world.edit(self.edit)
            self.edit = ""
        if self.wipe and self.choose(2):
            self.story.append((world.t, "lost", " and ".join(self.wipe)))
            world.tables = {key: row for key, row in world.tables.items() if key[0] not in self.wipe}
            self.wipe = ()
        assert worker.operation is not None
        name, call, *arguments = worker.operation
        fault = self._fault(name, worker)
        self.story.append((world.t, name, fault))
        if fault == "pause":
            worker.frozen, worker.was_frozen = world.t + self.scenario.pause, True
            return
        world.t += 1
        self._perform(worker, name, call, arguments, fault)

    def _perform(self, worker: Worker, name: str, call: Callable[..., Any], arguments: list[Any], fault: str) -> None:
        world = self.world
        worker.answer, worker.failure = None, None
        try:
            if fault in ("crash before", "timeout before", "429"):
                pass
            elif fault == "late":
                world.late = [(world.t + LATE, lambda: call(*arguments))]
            elif fault.startswith("500"):
                worker.answer = call(*arguments, fault)
            else:
                worker.answer = call(*arguments)
        except (Wires, Refused, ReadOnly) as failure:
            worker.failure = failure
        if fault.startswith("crash"):
            self.workers.remove(worker)
            return
        if fault.startswith("timeout") or fault == "late":
            is_storage = name in STORAGE
            world.t += STORAGE_TIMEOUT if is_storage else int(D.read)
            worker.failure = Wires() if is_storage or name in READS else Unknown()
        elif fault == "429":
            worker.failure = Throttled()
        elif fault == "refused after":
            worker.failure = Changed()
        worker.go()
        if worker.operation is None:
            self._finish(worker)

    def _finish(self, worker: Worker) -> None:
        self.workers.remove(worker)
        message = worker.message
        if message is None or message["receipt"] != worker.receipt or message not in self.world.messages:
            return
        if worker.failed:
            message["visible"] = self.world.t + HOST_DELAY
        else:
            self.world.messages.remove(message)

    def _next(self, live: list[Worker]) -> Worker:
        """Choose who goes on: leaving a worker that could go on costs a preemption."""
        if self.last in live:
            assert self.last is not None
            live = [self.last, *(worker for worker in live if worker is not self.last)]
            choice = self.choose(len(live)) if self.preemptions and len(live) > 1 else 0
            self.preemptions -= choice > 0
        else:
            choice = self.choose(len(live)) if len(live) > 1 else 0
        self.last = live[choice]
        return self.last

    def _fault(self, name: str, worker: Worker) -> str:
        if not self.left:
            return ""
        may_pause = bool(self.scenario.pause) and not worker.was_frozen and (name != "create" or self.scenario.pause_at_send)
        kinds = faults_of(name, may_pause, self.scenario.late, self.scenario.only)
        if len(kinds) == 1:
            return ""
        fault = kinds[self.choose(len(kinds))]
        self.left -= bool(fault)
        return fault

    def violations(self) -> list[str]:
        """Return the invariants of the protocol that this run broke."""
        world, row = self.world, self.world.row
        ours = [doc for doc in world.docs if doc["mark"] == OURS]
        broken = []
        if len(ours) > 1:
            broken.append("I1 two documents")
        if len(world.contacts) > 1:
            broken.append("I1 two contacts")
        if any(doc["mark"] != OURS and doc["lines"] != "F" for doc in world.docs):
            broken.append("I1 another's document was changed")
        refused = self.scenario.foreign and world.unique and row["terms"] == "T1"
        if row["synced"]:
            broken += self._of_a_synced_row(ours)
        elif row["closed"]:
            if ours and ("closed meanwhile", ours[0]["id"]) not in world.history and ("links", "invoice") not in world.tables:
                broken.append("I2 a closed invoice's document is unknown")
        elif not (refused and row["export"] == "Failed"):
            broken.append("I2 never synced")
        if self.scenario.edit and not self.edit and row["note"] != "a person's":
            broken.append("I3 a person's column was overwritten")
        if world.calls > self.scenario.most_calls:
            broken.append("I5 too many calls")
        if self.scenario.most_sent and world.sent > self.scenario.most_sent:
            broken.append("I5 too many messages")
        if world.poison:
            broken.append("I6 poisoned")
        if world.t > self.scenario.patience or world.messages or self.workers:
            broken.append("I7 too slow")
        return broken

    def _of_a_synced_row(self, ours: list[dict[str, Any]]) -> Iterable[str]:
        world, row = self.world, self.world.row
        doc = next((doc for doc in ours if doc["id"] == row["xero_id"]), None)
        if doc is None:
            yield "I2 linked to nothing of ours"
        elif (doc["terms"], doc["lines"]) != world.synced_as:
            yield "I4 Xero says something else"
        if row["export"] != "Yes":
            yield f"I2 synced, but Export Status is {row['export']}"
        successes = sum(told[0] == "success" for told in world.history)
        if not 1 <= successes <= (2 if self.scenario.edit and self.scenario.pause else 1):
            yield f"I2 {successes} Successful Sync History rows"


@dataclass
class Result:
    scenario: Scenario
    schedules: int = 0
    broken: Counter[str] = field(default_factory=Counter)
    example: dict[str, list[tuple[int, str, str]]] = field(default_factory=dict)
    most_calls: int = 0
    most_sent: int = 0
    longest: int = 0


def explore(scenario: Scenario, without: Iterable[str] = (), *, stop: bool = False) -> Result:
    """Run every schedule of *scenario*; with *stop* only until the first violation."""
    result, prefix = Result(scenario), list[int]()
    left_out = frozenset(without)
    while True:
        run = Run(scenario, left_out, prefix).go()
        result.schedules += 1
        result.most_calls = max(result.most_calls, run.world.calls)
        result.most_sent = max(result.most_sent, run.world.sent)
        result.longest = max(result.longest, run.world.t)
        for violation in run.violations():
            result.broken[violation] += 1
            result.example.setdefault(violation, run.story)
        trace = run.trace
        while trace and trace[-1][0] + 1 >= trace[-1][1]:
            trace.pop()
        if not trace or (stop and result.broken):
            return result
        prefix = [choice for choice, _ in trace[:-1]] + [trace[-1][0] + 1]
