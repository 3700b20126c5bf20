"""What every flow from Xero shares: the cursor, the claims, what rides along, what is refused (functions/from_xero.py, sweep.py).

The pipeline is the real one, over the Dataverse stand-in; the flow is a small one of the test's own, and Xero a list in memory that
can be made to change, to break and to hold rubbish at any call.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from functions import claim as claims
from functions import connectors, flows, from_xero, links, nightly, poison, runs, tick, xero_lists
from functions.flows import SWEEPS, Flow, days, minutes
from functions.from_xero import Found, FromXero, Reading, want
from functions.links import Link
from functions.sweep import sweep
from functions.sync import sync
from functions.work import Crossed, Work
from functions.xero_lists import INVOICES
from mappings.choices import FullCheck, SyncStatus
from shared.connectors import Connector, Json
from shared.errors import ConfigurationError, NotReady, Problem, Rejected, Retryable
from shared.messages import MOST_SEALED, SweepMessage, SyncMessage
from shared.outcomes import Outcome, Status
from shared.services import Lane, Services
from shared.storage.seal import Seal
from tests import world as worlds
from tests.functions.books import Books, id_of
from tests.world import World

NAME = "notes-from-xero"
REFUSAL = Problem("No price list has the currency XXX.", "Currency", "It was never set up.", "Add one.", "administrator")


@dataclass
class Notebook:
    """The flow of the test: it writes down each invoice of Xero that is not a draft, in the order they cross."""

    books: Books
    written: list[tuple[str, Json]] = field(default_factory=list)
    faults: dict[str, Exception] = field(default_factory=dict)
    also_open: list[Json] = field(default_factory=list)
    choose_faults: list[Exception] = field(default_factory=list)
    padding: int = 0

    def choose(self, reading: Reading, documents: Sequence[Json]) -> Iterable[Found]:
        if self.choose_faults:
            raise self.choose_faults.pop(0)
        for document in documents:
            if document.get("Status") != "DRAFT":
                body = {"total": document["Total"], "note": document.get("Note"), "padding": "x" * self.padding}
                yield Found(str(document["InvoiceID"]), xero_lists.version(document), body)

    def cross(self, work: Work, body: Json) -> Crossed:
        xero_id = work.message.record_id
        if error := self.faults.get(xero_id):
            raise error
        self.written.append((xero_id, body))
        return Crossed("Create", f"The note of {xero_id} was written.", xero_id, row=f"note/{xero_id}")

    def reread(self, reading: Reading) -> Iterator[Sequence[Json]]:
        yield self.also_open

    @property
    def ids(self) -> list[str]:
        return [xero_id for xero_id, _ in self.written]


@dataclass
class Desk:
    """One connector with one flow from Xero, and the hands that move time and messages."""

    world: World
    connector: Connector
    books: Books
    notes: Notebook

    @property
    def services(self) -> Services:
        return self.world.services

    @property
    def now(self) -> datetime:
        return self.world.clock.now()

    def put(self, number: int, ago: float = 0, **fields: Any) -> str:
        """Change invoice *number* so many minutes ago."""
        return self.books.put(number, self.now - timedelta(minutes=ago), **fields)

    def sweep(self, *, full: bool = False) -> int:
        return sweep(SweepMessage(self.connector.key, NAME, full).to_json(), self.services, self.now)

    def deliver(self) -> list[Outcome]:
        """Deliver every message that is visible now, each once."""
        outcomes: list[Outcome] = []
        for _ in range(len(self.world.queues.visible(NAME))):
            message = self.world.queues.take(NAME)
            assert message is not None
            outcomes.append(self.world.deliver(message.text))
            self.world.queues.done(NAME, message)
        return outcomes

    def lose_messages(self) -> int:
        lost = len(self.world.queues.queues.get(NAME, []))
        self.world.queues.queues[NAME] = []
        return lost

    def messages(self) -> list[SyncMessage]:
        return [SyncMessage.from_json(message.text) for message in self.world.queues.queues.get(NAME, [])]

    def run(self) -> dict[str, Any]:
        return dict(runs.read_all(self.services.store, self.connector.key).get(NAME, {}))

    def cursor(self) -> datetime | None:
        return datetime.fromisoformat(self.run()["cursor"]) if self.run().get("cursor") else None

    def claim(self, number: int) -> claims.Claim:
        return claims.read(self.services, self.connector.key, NAME, f"Invoice/{id_of(number)}")

    def link(self, number: int) -> Link | None:
        return links.read(self.services, self.connector, NAME, f"Invoice/{id_of(number)}")

    def work(self) -> Work:
        message = SyncMessage(self.connector.key, NAME, f"Invoice/{id_of(1)}")
        claim = claims.unclaimed(self.connector.key, NAME, message.record)
        return Work(self.services, self.connector, message, claim, Lane.PAYMENTS, self.now)

    def set(self, **settings: Any) -> None:
        self.world.set(self.connector, **settings)

    def history(self) -> list[Json]:
        """Return the Sync History of the connector that stands on no record."""
        where = f"_mag_xeroconnectorid_value%20eq%20{self.connector.id}%20and%20_mag_invoiceid_value%20eq%20null"
        found: list[Json] = self.world.get(f"mag_synchistories?$filter={where}&$orderby=mag_eventon%20asc")["value"]
        return found


@pytest.fixture(scope="module")
def wired(authorities: Path) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch, worlds.world(authorities) as world:
        patch.setenv("REQUESTS_CA_BUNDLE", str(authorities / "authorities.pem"))
        world.connect()
        yield world


@pytest.fixture
def desk(wired: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """The registry holds the test's flow alone; tables and queues are empty, and Xero is the books."""
    books = Books()
    notes = Notebook(books)
    wired.clock.move(days=40)
    register(monkeypatch, notes)
    xero = wired.services.xero
    wired.services = replace(wired.services, xero=books)
    for table in ("claims", "links", "flowruns", "outcomes"):
        for row in wired.store.rows(table):
            wired.store.delete(table, row.partition, row.row)
    wired.queues.queues.clear()
    for history in wired.dataverse.rows("mag_synchistory"):
        wired.delete(f"mag_synchistories({history['mag_synchistoryid']})")
    yield Desk(wired, wired.connectors()[0], books, notes)
    wired.services = replace(wired.services, xero=xero)
    wired.restore()


def register(monkeypatch: pytest.MonkeyPatch, notes: Notebook, **changes: Any) -> None:
    """Make the notebook the only flow; *changes* are of its source, of its row where the row has such a field."""
    source = FromXero(INVOICES, notes.choose, notes.cross, notes.reread)
    of_source = {name: value for name, value in changes.items() if name in ("reread", "listed", "once", "xero_list")}
    of_row = {name: value for name, value in changes.items() if name not in of_source}
    row = Flow(NAME, "Invoice", minutes(15), True, days(7), Lane.PAYMENTS, 1, replace(source, **of_source))
    row = replace(row, **of_row)
    for module in (flows, nightly, tick, poison, worlds):
        monkeypatch.setattr(module, "FLOWS", (row,))
    for name in list(flows.BY_NAME):
        monkeypatch.delitem(flows.BY_NAME, name)
    monkeypatch.setitem(flows.BY_NAME, NAME, row)


# ── the cursor ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_cursor_is_the_last_change_seen_and_never_the_clock(desk: Desk):
    desk.put(1, ago=300)
    desk.put(2, ago=90)
    assert desk.sweep() == 2
    assert desk.cursor() == desk.now - timedelta(minutes=90)
    desk.deliver()
    desk.world.clock.move(minutes=15)
    assert desk.sweep() == 0
    assert desk.cursor() == desk.now - timedelta(minutes=105)


def test_the_first_read_reaches_back_as_far_as_the_look_back_and_no_further_read_does(desk: Desk):
    desk.put(1, ago=60 * 24 * 7 + 5)
    desk.put(2, ago=60 * 24 * 7 - 5)
    assert desk.sweep() == 1
    assert [message.record_id for message in desk.messages()] == [id_of(2)]
    desk.deliver()
    desk.world.clock.move(minutes=15)
    assert desk.sweep() == 0  # the overlap does not reach behind the first read either


def test_C01_nothing_is_lost_when_the_first_look_found_nothing_and_the_app_was_away_for_a_month(desk: Desk):
    assert desk.sweep() == 0
    assert desk.cursor() is None
    desk.world.clock.move(days=2)
    desk.put(1)
    desk.world.clock.move(days=30)
    assert desk.sweep() == 1


def test_C01_nothing_is_lost_when_the_very_first_look_failed(desk: Desk):
    desk.books.before = broken
    assert desk.sweep() == 0
    desk.put(1)
    desk.world.clock.move(days=30)
    desk.books.before = working
    assert desk.sweep() == 1


def test_K08_an_outage_of_a_month_is_read_from_the_cursor_not_from_the_look_back(desk: Desk):
    desk.put(1)
    desk.sweep()
    desk.deliver()
    desk.put(2, ago=-60)
    desk.world.clock.move(days=30)
    desk.put(3, ago=5)
    assert desk.sweep() == 2
    desk.deliver()
    assert desk.notes.ids == [id_of(1), id_of(2), id_of(3)]


def test_the_overlap_reads_again_and_sends_nothing_that_crossed(desk: Desk):
    for number in range(5):
        desk.put(number, ago=number)
    assert desk.sweep() == 5
    desk.deliver()
    desk.world.clock.move(minutes=15)
    assert desk.sweep() == 0
    assert len(desk.notes.written) == 5
    assert desk.messages() == []


@pytest.mark.parametrize(("overlap", "found"), [(None, True), (30, True), (5, False), (0, False)])
def test_a_change_that_showed_late_is_found_within_the_overlap(desk: Desk, overlap: int | None, found: bool):
    desk.set(mag_overlapminutes=overlap)
    desk.put(1, ago=10)
    desk.sweep()
    desk.put(2, ago=20)  # Xero dated it before what was read already
    assert desk.sweep() == int(found)


@pytest.mark.parametrize("includes", [True, False])
def test_even_without_an_overlap_the_second_of_the_cursor_is_read_again(desk: Desk, includes: bool):
    desk.books.includes_the_second = includes
    desk.set(mag_overlapminutes=0)
    moment = desk.now.replace(microsecond=900_000)
    desk.books.put(1, moment)
    desk.sweep()
    desk.books.put(2, moment - timedelta(milliseconds=500))
    assert desk.sweep() == 1


def test_a_change_dated_in_the_future_crosses_and_does_not_stop_the_flow_for_good(desk: Desk):
    desk.books.put(1, datetime(9999, 1, 1, tzinfo=UTC))
    desk.put(2)
    assert desk.sweep() == 2
    assert desk.cursor() == desk.now
    desk.deliver()
    desk.world.clock.move(minutes=15)
    desk.put(3)
    assert desk.sweep() == 1


def broken(call: int) -> None:
    raise Retryable("The wires broke.")


def working(call: int) -> None:
    return None


def test_a_fault_in_a_page_leaves_the_cursor_at_the_page_before_and_the_flow_goes_on_after_five_minutes(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    register(monkeypatch, desk.notes, xero_list=replace(INVOICES, page_size=3), every=minutes(180))
    for number in range(6):
        desk.put(number, ago=600 - 10 * number)

    def breaks(call: int) -> None:
        if call == 2:
            raise Retryable("The wires broke.")

    desk.books.before = breaks
    tick.tick(desk.services, desk.now)
    desk.world.settle()
    assert desk.notes.ids == [id_of(0), id_of(1), id_of(2)]
    assert desk.cursor() == desk.now - timedelta(minutes=580)
    assert "The wires broke" in desk.run()["last_error"]
    desk.world.settle(minutes=6)
    assert sorted(desk.notes.ids) == [id_of(number) for number in range(6)]
    assert desk.run()["last_error"] == ""


def test_a_fault_while_choosing_leaves_the_cursor_too(desk: Desk):
    desk.put(1)
    desk.notes.choose_faults = [Retryable("Dataverse was away.")]
    assert desk.sweep() == 0
    assert desk.cursor() is None
    assert desk.sweep() == 1


def test_more_pages_than_one_sweep_reads_are_left_for_the_next_tick(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    register(monkeypatch, desk.notes, xero_list=replace(INVOICES, page_size=2))
    monkeypatch.setattr(from_xero, "MOST_PAGES", 3)
    for number in range(12):
        desk.put(number, ago=6_000 - 100 * number)
    assert 3 <= desk.sweep() < 12
    assert desk.run()["asked"] == ""  # the very next tick asks again
    desk.world.settle(minutes=10)
    assert sorted(desk.notes.ids) == [id_of(number) for number in range(12)]
    assert desk.run()["walk"] == ""


def test_an_overlap_of_more_pages_than_one_sweep_reads_does_not_stop_the_cursor(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    register(monkeypatch, desk.notes, xero_list=replace(INVOICES, page_size=3))
    monkeypatch.setattr(from_xero, "MOST_PAGES", 2)
    for number in range(60):  # all of it within the thirty minutes of overlap
        desk.put(number, ago=28 - 0.1 * number)
    desk.world.settle(minutes=75)
    assert sorted(desk.notes.ids) == [id_of(number) for number in range(60)]
    desk.put(99)
    desk.world.settle(minutes=40)
    assert desk.notes.ids[-1] == id_of(99)
    assert len(desk.notes.ids) == 61


def test_a_walk_that_goes_on_reads_again_what_is_younger_than_the_overlap(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    register(monkeypatch, desk.notes, xero_list=replace(INVOICES, page_size=3))
    monkeypatch.setattr(from_xero, "MOST_PAGES", 1)
    for number in range(6):
        desk.put(number, ago=20 - number)
    desk.sweep()
    desk.put(9, ago=25)  # it shows late
    monkeypatch.setattr(from_xero, "MOST_PAGES", 10)
    desk.world.clock.move(minutes=1)
    desk.sweep()
    desk.deliver()
    assert id_of(9) in desk.notes.ids


# ── claims and messages ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_crash_between_claim_and_message_is_made_good_by_a_later_sweep(desk: Desk):
    desk.put(1)
    desk.put(2, ago=1)
    sends_that_fail(desk, 1)
    with pytest.raises(KeyboardInterrupt):
        desk.sweep()
    assert desk.cursor() is None
    assert desk.messages() == []
    desk.sweep()
    assert len(desk.deliver()) == 1  # the other claim counts as under way for a quarter of an hour
    desk.world.clock.move(minutes=16)
    desk.sweep()
    desk.deliver()
    assert sorted(desk.notes.ids) == [id_of(1), id_of(2)]


def sends_that_fail(desk: Desk, number: int) -> None:
    """Kill the sweep at its *number*-th message, once."""
    queues = desk.world.queues
    send, sent = type(queues).send, [0]

    def killed(queue: str, text: str, delay: timedelta = timedelta()) -> None:
        sent[0] += 1
        if sent[0] == number:
            raise KeyboardInterrupt
        send(queues, queue, text, delay)

    queues.send = killed  # type: ignore[method-assign]


@pytest.fixture(autouse=True)
def mended(wired: World) -> Iterator[None]:
    yield
    wired.queues.__dict__.pop("send", None)


def test_a_crash_between_message_and_cursor_sends_nothing_twice(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    desk.put(1)
    note = runs.note

    def killed(store: Any, connector: str, name: str, **values: Any) -> None:
        if "cursor" in values:
            raise KeyboardInterrupt
        note(store, connector, name, **values)

    with monkeypatch.context() as patch:
        patch.setattr(runs, "note", killed)
        with pytest.raises(KeyboardInterrupt):
            desk.sweep()
    assert desk.cursor() is None
    assert len(desk.messages()) == 1
    desk.world.clock.move(minutes=10)
    assert desk.sweep() == 0
    assert len(desk.messages()) == 1
    desk.deliver()
    assert desk.notes.ids == [id_of(1)]


def test_two_sweeps_at_once_release_a_version_once(desk: Desk):
    desk.put(1)

    def second(call: int) -> None:
        desk.books.before = working
        desk.world.clock.move(seconds=1)
        assert desk.sweep() == 1  # begins and ends while the first one waits for Xero's answer

    desk.books.before = second
    assert desk.sweep() == 0
    assert len(desk.messages()) == 1


def test_a_lost_message_goes_again_after_a_quarter_of_an_hour(desk: Desk):
    desk.put(1)
    desk.sweep()
    assert desk.lose_messages() == 1
    desk.world.clock.move(minutes=10)
    assert desk.sweep() == 0
    desk.world.clock.move(days=3)  # far out of the overlap: the claim alone remembers
    assert desk.sweep() == 1
    desk.deliver()
    assert desk.notes.ids == [id_of(1)]
    assert not desk.claim(1).etag


def test_a_newer_version_goes_although_an_older_one_waits(desk: Desk):
    desk.put(1, ago=2, Note="old")
    desk.sweep()
    desk.put(1, Note="new")
    assert desk.sweep() == 1
    assert desk.sweep() == 0
    first, second = desk.messages()
    assert first.version < second.version
    desk.deliver()
    assert [body["note"] for _, body in desk.notes.written] == ["old", "new"]


def test_an_older_version_that_comes_last_changes_nothing(desk: Desk):
    desk.put(1, ago=2, Note="old")
    desk.sweep()
    desk.put(1, Note="new")
    desk.sweep()
    old, new = (message.to_json() for message in desk.messages())
    assert desk.world.deliver(new).status is Status.SYNCED
    outcome = desk.world.deliver(old)
    assert outcome.status is Status.UNCHANGED
    assert "newer" in outcome.details
    assert [body["note"] for _, body in desk.notes.written] == ["new"]


def test_a_newer_version_goes_although_the_older_one_is_in_a_workers_hands(desk: Desk):
    desk.put(1, ago=2)
    desk.sweep()
    desk.lose_messages()
    held = claims.take(desk.services, desk.connector.key, NAME, f"Invoice/{id_of(1)}", "a worker")
    desk.put(1, Note="new")
    assert desk.sweep() == 1
    assert desk.claim(1) == held  # nobody's work is touched
    (outcome,) = desk.deliver()
    assert (outcome.status, outcome.again is not None) == (Status.WAITING, True)
    claims.close(desk.services, held)
    desk.world.clock.move(seconds=10)
    desk.deliver()
    assert [body["note"] for _, body in desk.notes.written] == ["new"]


@pytest.mark.parametrize("ends", [True, False])
def test_a_newer_version_goes_although_a_worker_takes_or_ends_the_older_one_at_that_moment(desk: Desk, ends: bool):
    desk.set(mag_overlapminutes=0)
    desk.put(1, ago=2)
    desk.sweep()
    desk.lose_messages()
    desk.put(1, ago=1, Note="new")
    desk.put(2)  # moves the cursor past it

    def take(call: int) -> None:
        held = claims.take(desk.services, desk.connector.key, NAME, f"Invoice/{id_of(1)}", "a worker")
        if ends:
            claims.close(desk.services, held)

    desk.books.before = take  # after the sweep has read the claims
    assert desk.sweep() == 2
    assert sorted(message.record_id for message in desk.messages()) == [id_of(1), id_of(2)]


def test_a_document_that_changes_while_the_list_is_read_goes_in_both_versions(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    register(monkeypatch, desk.notes, xero_list=replace(INVOICES, page_size=2))
    desk.set(mag_overlapminutes=0)
    for number in range(4):
        desk.put(number, ago=600 - 100 * number)

    def change(call: int) -> None:
        if call == 2:
            desk.put(0, ago=10, Note="new")
            desk.put(5, ago=1)  # so that the cursor does not end at its second

    desk.books.before = change
    desk.sweep()
    desk.deliver()
    assert [body["note"] for xero_id, body in desk.notes.written if xero_id == id_of(0)] == [None, "new"]


def test_an_id_in_capital_letters_is_the_same_document(desk: Desk):
    xero_id = desk.put(0xABC)
    desk.books.documents[xero_id]["InvoiceID"] = xero_id.upper()
    desk.sweep()
    desk.deliver()
    desk.books.documents[xero_id]["InvoiceID"] = xero_id
    assert desk.sweep() == 0
    assert desk.notes.ids == [xero_id]


def test_more_left_than_one_sweep_takes_is_left_for_the_next_tick(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(from_xero, "AT_ONCE", 3)
    for number in range(8):
        desk.put(number, ago=60 * 24 * 20)
    want(desk.work(), NAME, "Invoice", [id_of(number) for number in range(8)])
    assert desk.sweep() == 3
    assert desk.run()["asked"] == ""
    desk.world.settle(minutes=3)
    assert sorted(desk.notes.ids) == [id_of(number) for number in range(8)]


# ── wishes ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_another_flow_wants_goes_by_the_next_tick_whatever_the_cursor_says(desk: Desk):
    desk.put(1, ago=60 * 24 * 100)
    desk.sweep()
    assert desk.messages() == []
    want(desk.work(), NAME, "Invoice", [id_of(1), id_of(1), "no id", ""])
    calls = len(desk.books.calls)
    desk.world.settle()
    assert desk.notes.ids == [id_of(1)]
    assert [options.get("i_ds") for _, options in desk.books.calls[calls:]] == [None, [id_of(1)]]
    assert not desk.claim(1).etag


def test_a_wish_without_a_cursor_and_one_that_is_in_no_hurry(desk: Desk):
    desk.put(1, ago=60 * 24 * 100)
    want(desk.work(), NAME, "Invoice", [id_of(1)], at_once=False)
    assert "asked" not in desk.run()
    assert desk.sweep() == 1
    desk.deliver()
    assert desk.notes.ids == [id_of(1)]


def test_a_flow_that_is_not_listed_takes_only_what_is_wanted(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    register(monkeypatch, desk.notes, listed=False, look_back=None)
    desk.put(1)
    desk.put(2)
    assert desk.sweep() == 0
    assert desk.books.calls == []
    want(desk.work(), NAME, "Invoice", [id_of(2)])
    assert desk.sweep() == 1
    assert desk.run().get("cursor") is None


def test_a_wish_for_what_is_under_way_adds_nothing(desk: Desk):
    desk.put(1)
    desk.sweep()
    before = desk.claim(1)
    want(desk.work(), NAME, "Invoice", [id_of(1)])
    assert desk.claim(1) == before
    assert desk.sweep() == 0


def test_what_crossed_is_taken_again_when_it_is_wanted(desk: Desk):
    desk.put(1, ago=60 * 24 * 3)
    desk.sweep()
    desk.deliver()
    want(desk.work(), NAME, "Invoice", [id_of(1)])
    desk.sweep()
    desk.deliver()
    assert desk.notes.ids == [id_of(1), id_of(1)]


def test_a_wish_that_a_worker_comes_across_is_noted_all_the_same(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    """What the worker has in hand may have been read before the change the wish is for."""
    desk.put(1)
    desk.sweep()
    read, delivered = claims.read, list[Outcome]()

    def read_before_a_worker_ends(*arguments: Any) -> claims.Claim:
        found = read(*arguments)
        if not delivered:
            monkeypatch.setattr(claims, "read", read)
            delivered.extend(desk.deliver())
        return found

    work = desk.work()
    monkeypatch.setattr(claims, "read", read_before_a_worker_ends)
    want(work, NAME, "Invoice", [id_of(1)], afresh=True)
    assert desk.notes.ids == [id_of(1)]
    desk.sweep()
    desk.deliver()
    assert desk.notes.ids == [id_of(1), id_of(1)]


@pytest.mark.parametrize("gone", [True, False])
def test_a_wish_for_what_is_not_in_xero_or_concerns_nobody_is_forgotten(desk: Desk, gone: bool):
    desk.put(1, ago=60 * 24 * 100, Status="DRAFT")
    if gone:
        del desk.books.documents[id_of(1)]
    want(desk.work(), NAME, "Invoice", [id_of(1)])
    assert desk.sweep() == 0
    assert not desk.claim(1).etag


def test_a_wish_is_kept_while_xero_does_not_answer(desk: Desk):
    desk.put(1, ago=60 * 24 * 100)
    want(desk.work(), NAME, "Invoice", [id_of(1)])
    desk.sweep()  # the first read
    desk.lose_messages()
    desk.world.clock.move(minutes=20)
    desk.books.answers = [{"Invoices": []}, {}]
    desk.sweep()
    assert "without its Invoices" in desk.run()["last_error"]
    assert desk.claim(1).etag
    desk.sweep()
    desk.deliver()
    assert desk.notes.ids == [id_of(1)]


# ── what is refused ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def refuse(desk: Desk, number: int = 1) -> None:
    desk.notes.faults[id_of(number)] = Rejected((REFUSAL,))
    desk.put(number)
    desk.sweep()
    (outcome,) = desk.deliver()
    assert outcome.status is Status.REFUSED


def test_a_refusal_is_told_parked_and_not_sent_again_within_the_overlap(desk: Desk):
    refuse(desk)
    assert desk.claim(1).is_parked
    (told,) = desk.history()
    assert told["mag_syncstatus"] == SyncStatus.FAILED.value
    assert (told["mag_cause"], told["mag_fix"]) == (REFUSAL.cause, REFUSAL.fix)
    assert REFUSAL.message in told["mag_details"]
    desk.world.clock.move(minutes=15)
    assert desk.sweep() == 0
    desk.world.clock.move(minutes=14)
    assert desk.sweep() == 0


def test_a_refusal_is_tried_after_1_2_4_hours_and_at_most_a_day(desk: Desk):
    refuse(desk)
    waits: list[float] = []
    last = desk.now
    for _ in range(4 * 24 * 5):
        desk.world.clock.move(minutes=15)
        if desk.sweep():
            waits.append((desk.now - last).total_seconds() / 3600)
            last = desk.now
            desk.deliver()
    assert waits[:7] == [1, 2, 4, 8, 16, 24, 24]
    assert len(desk.history()) == 1  # the same refusal is one row


def test_what_was_refused_crosses_once_what_it_fell_over_is_mended(desk: Desk):
    refuse(desk)
    desk.notes.faults.clear()
    desk.world.clock.move(hours=1)
    assert desk.sweep() == 1
    desk.deliver()
    assert desk.notes.ids == [id_of(1)]
    assert not desk.claim(1).etag


def test_a_refusal_goes_at_once_when_a_setting_changes(desk: Desk):
    refuse(desk)
    desk.notes.faults.clear()
    desk.world.clock.move(minutes=2)
    assert desk.sweep() == 0
    desk.set(mag_overlapminutes=45)
    assert desk.sweep() == 1
    desk.deliver()
    assert desk.notes.ids == [id_of(1)]


def test_what_changes_by_itself_on_the_connector_is_no_setting(desk: Desk):
    refuse(desk)
    desk.world.clock.move(minutes=16)
    desk.world.patch(f"mag_xeroconnectors({desk.connector.id})", {"mag_xerostatusdetail": "Something was said."})
    connectors.refresh(desk.services, desk.world.connector(desk.connector))  # notes Last Synched On too
    assert desk.sweep() == 0


def test_a_refusal_goes_at_once_in_a_newer_version(desk: Desk):
    refuse(desk)
    desk.notes.faults.clear()
    desk.world.clock.move(minutes=2)
    desk.put(1, Note="mended")
    assert desk.sweep() == 1
    desk.deliver()
    assert [body["note"] for _, body in desk.notes.written] == ["mended"]


def test_with_retry_when_fixed_off_only_a_newer_version_brings_a_refusal_back(desk: Desk):
    desk.set(mag_autoretryonfix=False)
    refuse(desk)
    desk.notes.faults.clear()
    desk.world.clock.move(days=3)
    assert desk.sweep() == 0
    desk.set(mag_overlapminutes=45)
    assert desk.sweep() == 0
    desk.put(1)
    assert desk.sweep() == 1


def test_one_bad_document_does_not_hold_back_the_others(desk: Desk):
    desk.notes.faults[id_of(1)] = Rejected((REFUSAL,))
    for number in range(4):
        desk.put(number, ago=number)
    desk.sweep()
    desk.deliver()
    assert sorted(desk.notes.ids) == [id_of(0), id_of(2), id_of(3)]


@pytest.mark.parametrize("error", [Retryable("Dataverse was away."), NotReady("Its invoice is not there yet.")])
def test_a_fault_of_the_wires_goes_again_in_minutes_and_is_not_parked(desk: Desk, error: Exception):
    desk.notes.faults[id_of(1)] = error
    desk.put(1)
    desk.sweep()
    desk.deliver()
    assert not desk.claim(1).is_parked
    desk.notes.faults.clear()
    assert desk.sweep() == 0  # its message is under way
    desk.world.clock.move(minutes=2)
    desk.deliver()
    assert desk.notes.ids == [id_of(1)]


def test_a_configuration_that_must_be_mended_is_told_once_on_the_connector(desk: Desk):
    desk.notes.faults[id_of(1)] = ConfigurationError("The app's user lacks the privilege prvCreatemag_payment.")
    desk.put(1)
    desk.world.settle(minutes=30)
    (told,) = desk.history()
    assert "prvCreatemag_payment" in told["mag_details"]
    assert told["mag_syncstatus"] == SyncStatus.WAITING.value
    desk.notes.faults.clear()
    desk.world.settle(minutes=60)
    assert desk.notes.ids == [id_of(1)]


# ── what rides along ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_n_documents_of_a_page_cost_one_call_of_xero(desk: Desk):
    for number in range(50):
        desk.put(number, ago=number)
    desk.sweep()
    desk.deliver()
    assert len(desk.notes.written) == 50
    assert len(desk.books.calls) == 1


def test_what_rides_along_is_sealed_and_bound_to_its_message(desk: Desk):
    desk.put(1, ago=1, Note="secret of the first")
    desk.put(2, Note="second")
    desk.sweep()
    assert "secret" not in desk.world.queues.queues[NAME][0].text
    first, second = sorted(desk.messages(), key=lambda message: message.record)
    moved = replace(second, sealed=first.sealed)
    calls = len(desk.books.calls)
    assert desk.world.deliver(moved.to_json()).status is Status.SYNCED
    assert desk.notes.written[-1][1]["note"] == "second"  # read again: the rider of another message does not open
    assert [operation for operation, _ in desk.books.calls[calls:]] == ["get_invoice"]


def test_what_rode_along_under_a_key_that_is_gone_is_read_again(desk: Desk):
    desk.put(1, Note="riding")
    desk.sweep()
    (message,) = desk.messages()
    desk.put(1, ago=-1, Note="read again")
    services = replace(desk.services, secrets=Seal([bytes([7]) * 32]))
    assert sync(message.to_json(), services, owner="another key", now=desk.now).status is Status.SYNCED
    assert desk.notes.written[-1][1]["note"] == "read again"
    link = desk.link(1)
    assert link is not None
    assert link.version > message.version


def test_what_is_too_large_to_ride_is_read_again(desk: Desk):
    desk.notes.padding = MOST_SEALED
    desk.put(1)
    desk.sweep()
    (message,) = desk.messages()
    assert message.sealed == ""
    assert len(message.to_json()) < 1024
    desk.deliver()
    assert desk.notes.ids == [id_of(1)]


def test_the_largest_message_fits_a_queue(desk: Desk):
    low, high = 0, MOST_SEALED
    while high - low > 1:  # the most that still rides
        desk.notes.padding = (low + high) // 2
        message = SyncMessage(desk.connector.key, NAME, f"Invoice/{id_of(1)}", "v")
        found = next(iter(desk.notes.choose(None, [{"InvoiceID": id_of(1), "Total": 1}])))  # type: ignore[arg-type]
        rides = from_xero._sealed(desk.services, message, found.body, desk.now).sealed
        low, high = (desk.notes.padding, high) if rides else (low, desk.notes.padding)
    desk.notes.padding = low
    desk.put(1)
    desk.sweep()
    (text,) = desk.world.queues.visible(NAME)
    assert SyncMessage.from_json(text).sealed
    assert 30_000 < len(text) * 4 / 3 < 64 * 1024  # Base64, as the host reads it
    desk.deliver()
    assert desk.notes.ids == [id_of(1)]


def test_a_second_try_reads_again_because_what_rode_along_is_too_old_by_then(desk: Desk):
    desk.notes.faults[id_of(1)] = Retryable("Dataverse was away.")
    desk.put(1, Note="old")
    desk.sweep()
    desk.deliver()
    (message,) = desk.messages()
    assert message.sealed == ""
    desk.notes.faults.clear()
    desk.put(1, ago=-1, Note="new")
    desk.world.clock.move(minutes=2)
    desk.deliver()
    assert [body["note"] for _, body in desk.notes.written] == ["new"]


def test_a_document_that_vanished_is_no_failure(desk: Desk):
    desk.put(1)
    desk.sweep()
    (message,) = desk.messages()
    del desk.books.documents[id_of(1)]
    outcome = desk.world.deliver(replace(message, sealed="").to_json())
    assert outcome.status is Status.UNCHANGED
    assert "no longer in Xero" in outcome.details
    assert not desk.claim(1).etag


def test_a_message_that_knows_no_version_takes_the_document_as_it_is_now(desk: Desk):
    desk.put(1, ago=60, Note="old")
    desk.sweep()
    desk.deliver()
    desk.put(1, Note="new")
    told = SyncMessage(desk.connector.key, NAME, f"Invoice/{id_of(1)}", reason="webhook")
    assert desk.world.deliver(told.to_json()).status is Status.SYNCED
    assert desk.notes.written[-1][1]["note"] == "new"


def test_a_flow_that_is_once_takes_no_document_twice(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    register(monkeypatch, desk.notes, once=True)
    desk.put(1, ago=5)
    desk.sweep()
    desk.deliver()
    desk.put(1, Note="new")
    assert desk.sweep() == 0
    want(desk.work(), NAME, "Invoice", [id_of(1)])
    desk.sweep()
    (outcome,) = desk.deliver()
    assert outcome.status is Status.UNCHANGED
    assert desk.sweep(full=True) == 0
    assert desk.notes.ids == [id_of(1)]


# ── once a night ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_full_sweep_sends_what_differs_although_its_date_of_change_did_not_move(desk: Desk):
    same, changed = desk.put(1, ago=60), desk.put(2, ago=60)
    desk.sweep()
    desk.deliver()
    desk.books.documents[changed]["Note"] = "edited without a new date"
    desk.notes.also_open = [desk.books.documents[same], desk.books.documents[changed]]
    desk.world.clock.move(minutes=15)
    assert desk.sweep() == 0
    assert desk.sweep(full=True) == 1
    desk.deliver()
    assert desk.notes.written[-1] == (changed, {"total": 2, "note": "edited without a new date", "padding": ""})
    assert desk.sweep(full=True) == 0


def test_a_full_check_that_failed_is_begun_again_after_an_hour_and_not_the_next_night(desk: Desk):
    desk.put(1, ago=60 * 24 * 30)
    desk.notes.also_open = [desk.books.documents[id_of(1)]]
    desk.notes.choose_faults = [Retryable("Dataverse was away.")]
    assert desk.sweep(full=True) == 0
    desk.world.clock.move(minutes=15)
    assert desk.sweep() == 0
    desk.world.clock.move(minutes=46)
    assert desk.sweep() == 1
    desk.deliver()
    desk.world.clock.move(hours=2)
    calls = len(desk.books.calls)
    assert desk.sweep() == 0
    assert len(desk.books.calls) == calls + 1  # and after its end no more


# ── what the host gave up on, and what rests ────────────────────────────────────────────────────────────────────────────────────


def test_a_poison_message_is_told_on_the_connector_and_tried_again_in_an_hour(desk: Desk):
    desk.notes.faults[id_of(1)] = KeyError("a bug")
    desk.put(1)
    desk.sweep()
    for _ in range(5):
        message = desk.world.queues.take(NAME)
        assert message is not None
        with pytest.raises(KeyError):
            desk.world.deliver(message.text)
        desk.world.queues.failed(NAME, message)
        desk.world.clock.move(minutes=5)
    assert poison.drain(desk.services, desk.now) == 1
    (told,) = desk.history()
    assert told["mag_syncstatus"] == SyncStatus.FAILED.value
    assert f"Invoice/{id_of(1)} of Xero did not come across" in told["mag_details"]
    assert "Export Status" not in told["mag_fix"]
    assert desk.claim(1).status == Status.FAILED.value
    desk.notes.faults.clear()
    assert desk.sweep() == 0
    desk.world.clock.move(days=1)
    assert desk.sweep() == 1
    desk.deliver()
    assert desk.notes.ids == [id_of(1)]


def test_a_poison_message_of_what_has_crossed_since_in_a_newer_version_is_no_matter(desk: Desk):
    desk.put(1, ago=2)
    desk.sweep()
    (old,) = desk.messages()
    desk.lose_messages()
    desk.put(1)
    desk.sweep()
    desk.deliver()
    desk.world.queues.send(f"{NAME}-poison", old.to_json())
    assert poison.drain(desk.services, desk.now) == 1
    assert desk.history() == []
    assert not desk.claim(1).etag


def test_a_poison_message_that_cannot_be_told_stays_for_the_next_tick(desk: Desk):
    desk.put(1)
    desk.sweep()
    (message,) = desk.messages()
    desk.lose_messages()
    desk.world.queues.send(f"{NAME}-poison", message.to_json())
    held = claims.take(desk.services, desk.connector.key, NAME, f"Invoice/{id_of(1)}", "a worker")
    assert poison.drain(desk.services, desk.now) == 0
    claims.release(desk.services, held)
    desk.world.clock.move(minutes=10)
    assert poison.drain(desk.services, desk.now) == 1


@pytest.mark.parametrize("claimed", ["queued", "gone", "held"])
def test_a_message_that_meets_a_flow_at_rest_is_not_lost(desk: Desk, claimed: str):
    desk.put(1)
    desk.sweep()
    (message,) = desk.messages()
    desk.lose_messages()
    if claimed == "gone":
        claims.close(desk.services, desk.claim(1))
    if claimed == "held":
        claims.take(desk.services, desk.connector.key, NAME, f"Invoice/{id_of(1)}", "a worker")
    desk.set(mag_enabled=False)
    assert desk.world.deliver(message.to_json()).status is Status.MISCONFIGURED
    if claimed == "held":
        claims.close(desk.services, desk.claim(1))  # the worker ends, and with it the claim
        desk.world.clock.move(minutes=4)
        desk.deliver()
    desk.world.clock.move(days=20)
    assert desk.sweep() == 0
    desk.set(mag_enabled=True)
    desk.world.settle(minutes=1)
    assert desk.notes.ids == [id_of(1)]


def test_a_flow_that_was_switched_off_for_a_month_goes_on_where_it_was(desk: Desk):
    desk.put(1)
    desk.world.settle()
    own = desk.world.flow(desk.connector, NAME, mag_enabled=False)
    desk.world.settle(minutes=16)
    desk.put(2)
    desk.world.settle(minutes=16)
    assert desk.notes.ids == [id_of(1)]
    desk.world.clock.move(days=30)
    desk.world.patch(f"mag_xeroflows({own})", {"mag_enabled": True})
    desk.world.settle(minutes=20)
    desk.world.delete(f"mag_xeroflows({own})")
    assert desk.notes.ids == [id_of(1), id_of(2)]


# ── the messages ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_sweep_and_sync_messages_come_back_as_they_were_sent():
    sealed = Seal([bytes(32)]).seal("x" * 20_000, "identity")
    for message in (
        SyncMessage("host|1", NAME, f"Invoice/{id_of(1)}"),
        SyncMessage("localhost:5001|1", NAME, f"Invoice/{id_of(1)}", "2026-11-21T09:00:00.000000Z", 7, "webhook", sealed),
    ):
        assert SyncMessage.from_json(message.to_json()) == message
    assert '"sealed"' not in SyncMessage("host|1", NAME, f"Invoice/{id_of(1)}").to_json()
    for asked in (SweepMessage("host|1", NAME), SweepMessage("host|1", NAME, full=True)):
        assert SweepMessage.from_json(asked.to_json()) == asked
    assert SweepMessage.from_json('{"connector":"host|1","flow":"x","full":"yes"}').full is False


def test_a_try_that_counts_leaves_behind_what_rode_along_and_one_that_does_not_keeps_it():
    message = SyncMessage("host|1", NAME, f"Invoice/{id_of(1)}", "v", sealed="v1.abc.def")
    assert message.again("retry").sealed == ""
    assert message.again("retry", counted=False).sealed == "v1.abc.def"
    assert message.identity == replace(message, attempt=9, reason="retry", sealed="").identity
    assert len({message.identity, replace(message, version="w").identity, replace(message, record="Invoice/2").identity}) == 3


def test_the_full_check_is_a_choice_of_the_connector():
    assert {choice.name for choice in FullCheck} == {"NIGHTLY", "WEEKLY", "OFF"}


def test_the_queue_of_sweeps_takes_a_full_one(desk: Desk):
    desk.put(1, ago=60 * 24 * 30)
    desk.notes.also_open = [desk.books.documents[id_of(1)]]
    desk.world.queues.send(SWEEPS, SweepMessage(desk.connector.key, NAME, full=True).to_json())
    assert desk.world.step()
    assert len(desk.messages()) == 1
