"""Xero's lists, read by cursor: nothing lost and nothing twice, however they change while they are read (functions/xero_lists.py)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from functions import xero_lists
from functions.xero_lists import (
    CONTACTS,
    CREDIT_NOTES,
    INVOICES,
    PAYMENTS,
    Page,
    XeroList,
    by_ids,
    changed_since,
    is_id,
    one,
    version,
)
from shared.connectors import Connector, Json
from shared.durations import Durations
from shared.errors import Retryable
from shared.services import Lane, Services
from shared.storage.seal import Seal
from tests.fakes import START, FakeClock, FakeQueues, FakeStore
from tests.functions.books import Books, id_of, ms
from tests.world import World

SHORT = replace(INVOICES, page_size=4)
NOBODY = Connector("host", "1", "o", "O", "!s", "e", "s", "g", "Etc/UTC", "connected")
DAY = timedelta(days=1)


def services_of(books: Books) -> Services:
    clock = FakeClock()
    no_dataverse: Any = None  # nothing here reads Dynamics 365
    return Services(books, no_dataverse, FakeStore(), FakeQueues(clock), Seal([bytes(32)]), clock, Durations())


def walk(books: Books, since: datetime = START - DAY, xero_list: XeroList = SHORT, **more: Any) -> list[Page]:
    return list(changed_since(services_of(books), NOBODY, xero_list, since, Lane.PAYMENTS, **more))


def yielded(pages: list[Page]) -> list[tuple[str, str]]:
    return [(str(found["InvoiceID"]), version(found)) for page in pages for found in page.documents]


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


# ── pages ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_pages_are_sought_by_the_last_change_and_each_document_comes_once():
    books = Books()
    for number in range(11):
        books.put(number, at(10 * number))
    pages = walk(books)
    assert [found for found, _ in yielded(pages)] == [id_of(number) for number in range(11)]
    assert [options["page"] for _, options in books.calls] == [1] * len(books.calls)
    assert books.calls[1][1]["if_modified_since"] == "2026-11-21T09:00:29"  # a second before the fourth document's change
    assert [page.is_last for page in pages] == [False] * (len(pages) - 1) + [True]
    assert pages[-1].read_to == at(100)


def test_a_list_that_fits_on_a_page_costs_one_call():
    books = Books()
    books.put(1, at(0))
    assert len(yielded(walk(books))) == len(books.calls) == 1
    assert books.calls[0][1] == {
        "if_modified_since": "2026-11-20T09:00:00",
        "order": "UpdatedDateUTC ASC",
        "page": 1,
        "page_size": 4,
        "unitdp": 4,
    }


def test_a_document_that_moves_to_the_end_draws_no_other_across_the_border_of_two_pages():
    books = Books()
    for number in range(8):
        books.put(number, at(10 * number))

    def change(call: int) -> None:
        if call == 2:
            books.put(0, at(500))  # every later document moves one place to the front

    books.before = change
    found = yielded(walk(books))
    assert {name for name, _ in found} == {id_of(number) for number in range(8)}
    assert len(found) == len(set(found)) == 9  # the one that moved, in both its versions


def test_the_same_version_is_not_yielded_twice_although_pages_overlap():
    books = Books()
    for number in range(9):
        books.put(number, at(number // 3))
    found = yielded(walk(books))
    assert len(found) == len(set(found)) == 9


@pytest.mark.parametrize("count", [4, 5, 8, 11])
def test_a_whole_page_within_one_second_is_counted_on(count: int):
    books = Books()
    for number in range(count):
        books.put(number, at(0.01 * number))
    books.put(99, at(60))
    pages = walk(books)
    assert {name for name, _ in yielded(pages)} == {id_of(number) for number in (*range(count), 99)}
    assert len(yielded(pages)) == count + 1
    assert pages[-1].read_to == at(60)


def test_what_slips_past_a_counted_border_is_found_and_the_list_is_not_told_as_read_before():
    books = Books()
    for number in range(8):
        books.put(number, at(0.01 * number))

    def change(call: int) -> None:
        if call == 3:  # page 1 was sought to its own second and is page 1 of the counting; now page 2 is asked for
            books.put(0, at(7_200))

    books.before = change
    pages = walk(books)
    assert {name for name, _ in yielded(pages)} == {id_of(number) for number in range(8)}
    slipped = next(index for index, page in enumerate(pages) if id_of(4) in {name for name, _ in yielded([page])})
    assert all(page.read_to is None or page.read_to < at(7_200) for page in pages[:slipped])
    assert pages[-1].read_to == at(7_200)


def test_a_list_that_does_not_end_is_a_fault_and_no_endless_loop():
    books = Books()
    full = {"Invoices": [{"InvoiceID": id_of(number), "UpdatedDateUTC": ms(START)} for number in range(4)]}
    books.answers = [full] * 500
    with pytest.raises(Retryable, match="does not end"):
        walk(books)


def test_nothing_changed_is_an_empty_last_page():
    assert walk(Books()) == [Page([], None, True)]


def test_an_answer_without_its_list_is_no_empty_list():
    answers: list[Json] = [{"Invoices": None}, {"Payments": []}, {"Invoices": {"InvoiceID": id_of(1)}}]
    for answer in answers:
        books = Books()
        books.answers = [answer]
        with pytest.raises(Retryable, match="without its Invoices"):
            walk(books)


def test_xero_may_give_fewer_a_page_than_were_asked_for():
    books = Books()
    books.largest_page = 2
    for number in range(7):
        books.put(number, at(10 * number))
    assert {name for name, _ in yielded(walk(books))} == {id_of(number) for number in range(7)}


def test_an_inclusive_and_an_exclusive_if_modified_since_read_the_same():
    for includes in (True, False):
        books = Books(includes_the_second=includes)
        for number in range(9):
            books.put(number, at(0.4 * number))
        assert {name for name, _ in yielded(walk(books, at(-10)))} == {id_of(number) for number in range(9)}


# ── rubbish ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

RUBBISH: list[Any] = [
    None,
    "text",
    5,
    [],
    {},
    {"InvoiceID": None},
    {"InvoiceID": ""},
    {"InvoiceID": "no id"},
    {"InvoiceID": {"a": 1}},
]


@pytest.mark.parametrize("rubbish", RUBBISH, ids=str)
def test_an_element_that_is_no_document_is_left_out_and_ends_no_walk(rubbish: Any):
    books = Books()
    books.extra = [rubbish]
    for number in range(7):
        books.put(number, at(10 * number))
    assert [name for name, _ in yielded(walk(books))] == [id_of(number) for number in range(7)]


def test_a_page_of_nothing_but_rubbish_is_passed_over():
    books = Books()
    books.extra = [None] * 4
    books.put(1, at(0))
    assert [name for name, _ in yielded(walk(books))] == [id_of(1)]


@pytest.mark.parametrize(
    "text",
    [None, "", "yesterday", 5, {}, "/Date(99999999999999999)/", "/Date(-62135596800000+0000)/", "0001-01-01T00:00:00+02:00"],
)
def test_a_document_without_a_readable_date_of_change_has_no_version_and_is_still_yielded(text: Any):
    document = {"InvoiceID": id_of(1), "UpdatedDateUTC": text}
    assert xero_lists.changed_at(document) is None
    assert version(document) == ""
    books = Books()
    books.answers = [{"Invoices": [document, {"InvoiceID": id_of(2), "UpdatedDateUTC": ms(START)}]}]
    pages = walk(books)
    assert len(yielded(pages)) == 2
    assert pages[-1].read_to == START


def test_a_list_in_which_nothing_is_dated_is_read_to_its_end():
    books = Books()
    documents = [{"InvoiceID": id_of(number)} for number in range(6)]
    books.answers = [{"Invoices": documents[:4]}, {"Invoices": documents[4:]}] * 2
    pages = walk(books)
    assert [name for name, _ in yielded(pages)] == [id_of(number) for number in range(6)]
    assert {page.read_to for page in pages} == {None}


def test_a_change_dated_in_the_future_does_not_tell_how_far_the_list_is_read():
    books = Books()
    books.put(1, at(0))
    books.put(2, datetime(9999, 1, 1, tzinfo=UTC))
    assert walk(books, until=at(3_600))[-1].read_to == START
    assert len(yielded(walk(books, until=at(3_600)))) == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("/Date(1789378199100+0000)/", "2026-09-14T09:29:59.100000Z"),
        ("/Date(1789378199100)/", "2026-09-14T09:29:59.100000Z"),
        ("2026-09-14T09:29:59.1", "2026-09-14T09:29:59.100000Z"),
        ("2026-09-14T09:29:59", "2026-09-14T09:29:59.000000Z"),
        ("2026-09-14T21:29:59+12:00", "2026-09-14T09:29:59.000000Z"),
    ],
)
def test_a_version_is_written_so_that_text_compares_as_time_does(text: str, told: str):
    assert version({"UpdatedDateUTC": text}) == told


@given(st.lists(st.integers(86_400_000, 200_000_000_000_000), min_size=2, max_size=2))
def test_versions_compare_as_their_moments(moments: list[int]):
    first, second = ({"UpdatedDateUTC": f"/Date({moment}+0000)/"} for moment in moments)
    assert (version(first) < version(second)) is (moments[0] < moments[1])


# ── by ids ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_ids_go_forty_a_call_into_the_option_that_takes_them():
    books = Books()
    ids = [books.put(number, at(number)) for number in range(95)]
    found = by_ids(services_of(books), NOBODY, INVOICES, [*ids, ids[3], id_of(200)], Lane.PAYMENTS)
    assert [item["InvoiceID"] for item in found] == ids
    assert [len(options["i_ds"]) for _, options in books.calls] == [40, 40, 16]
    assert {options["page_size"] for _, options in books.calls} == {40}


def test_what_is_no_id_names_none_and_no_ids_cost_no_call():
    books = Books()
    assert by_ids(services_of(books), NOBODY, INVOICES, ["", "no id", '") OR ("1"=="1', "x" * 36], Lane.PAYMENTS) == []
    assert books.calls == []
    assert not is_id(f"{id_of(1)}\n")


def test_without_an_option_the_ids_go_into_a_filter():
    books = Books()
    books.answers = [{"Payments": []}, {"Payments": []}]
    by_ids(services_of(books), NOBODY, PAYMENTS, [id_of(number) for number in range(41)], Lane.PAYMENTS)
    first, second = (options["where"] for _, options in books.calls)
    assert first.count(" OR ") == 39
    assert second == f'PaymentID==Guid("{id_of(40)}")'


@pytest.mark.parametrize("answer", [{}, {"Invoices": None}])
def test_ids_that_are_answered_without_a_list_are_not_taken_for_gone(answer: Json):
    books = Books()
    books.answers = [answer]
    with pytest.raises(Retryable):
        by_ids(services_of(books), NOBODY, INVOICES, [id_of(1)], Lane.PAYMENTS)


def test_one_document_is_none_when_xero_has_it_no_more():
    books = Books()
    known = books.put(1, at(0))
    found = one(services_of(books), NOBODY, INVOICES, known, Lane.PAYMENTS)
    assert found is not None
    assert found["InvoiceID"] == known
    assert one(services_of(books), NOBODY, INVOICES, id_of(2), Lane.PAYMENTS) is None


# ── whatever happens while the list is read ─────────────────────────────────────────────────────────────────────────────────────

changes = st.lists(
    st.tuples(
        st.integers(1, 12),  # before which call
        st.integers(0, 20),  # which document
        st.sampled_from([0, 0, 0.001, 0.3, 1, 2, 45]),  # how many seconds after the change before it
    ),
    max_size=25,
)
starts = st.lists(st.sampled_from([0, 0, 0, 0.001, 0.2, 1, 30]), min_size=1, max_size=20)


@settings(max_examples=400)
@example([0] * 10, [(1, 2, 0), (5, 0, 0), (7, 1, 2)], False, 4)
@given(starts, changes, st.booleans(), st.integers(2, 5))
def test_whatever_changes_during_the_walk_the_latest_version_was_yielded_or_lies_after_the_cursor(
    gaps: list[float], later: list[tuple[int, int, float]], includes: bool, page_size: int
):
    books = Books(includes_the_second=includes)
    moment = START
    for number, gap in enumerate(gaps):
        moment += timedelta(seconds=gap)
        books.put(number, moment)
    begun = moment + timedelta(seconds=1)
    clock = [begun]

    def change(call: int) -> None:
        for when, number, gap in later:
            if when == call:
                clock[0] += timedelta(seconds=gap)
                books.put(number, clock[0])

    books.before = change
    pages = walk(books, START - DAY, replace(INVOICES, page_size=page_size))
    found = yielded(pages)
    assert len(found) == len(set(found))
    cursor = max((page.read_to for page in pages if page.read_to), default=START - DAY)
    for xero_id, document in books.documents.items():
        seen = (xero_id, version(document)) in found
        # a sweep reaches back from the cursor by a second at least
        assert seen or xero_lists.changed_at(document) >= cursor - timedelta(seconds=1)  # type: ignore[operator]


@settings(max_examples=200)
@given(starts, changes, st.integers(2, 4), st.integers(1, 6))
def test_a_walk_that_breaks_off_has_told_as_read_only_what_it_yielded(
    gaps: list[float], later: list[tuple[int, int, float]], page_size: int, most: int
):
    books = Books()
    moment = START
    for number, gap in enumerate(gaps):
        moment += timedelta(seconds=gap)
        books.put(number, moment)
    clock = [moment + timedelta(seconds=1)]

    def change(call: int) -> None:
        for when, number, gap in later:
            if when == call:
                clock[0] += timedelta(seconds=gap)
                books.put(number, clock[0])
        if call > most:
            raise Retryable("The wires broke.")

    books.before = change
    found: list[tuple[str, str]] = []
    cursor = START - DAY
    walked = changed_since(services_of(books), NOBODY, replace(INVOICES, page_size=page_size), cursor, Lane.PAYMENTS)
    try:
        for page in walked:
            found += yielded([page])
            cursor = max(cursor, page.read_to or cursor)
    except Retryable:
        pass
    for xero_id, document in books.documents.items():
        seen = (xero_id, version(document)) in found
        assert seen or xero_lists.changed_at(document) >= cursor - timedelta(seconds=1)  # type: ignore[operator]


# ── against the stand-in ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_stand_ins_lists_are_read_in_pages_by_cursor_and_by_ids(world: World):
    connector = world.connectors()[0]
    made = [world.xero_invoice() for _ in range(7)]
    since = world.clock.now() - timedelta(seconds=1)
    pages = list(changed_since(world.services, connector, replace(INVOICES, page_size=3), since, Lane.PAYMENTS))
    assert {str(found["InvoiceID"]) for page in pages for found in page.documents} >= set(made)
    found = by_ids(world.services, connector, INVOICES, made, Lane.PAYMENTS)
    assert {item["InvoiceID"] for item in found} == set(made)
    later = world.clock.move(minutes=1)
    assert list(changed_since(world.services, connector, INVOICES, later, Lane.PAYMENTS)) == [Page([], None, True)]


@pytest.mark.parametrize("xero_list", [INVOICES, PAYMENTS, CREDIT_NOTES, CONTACTS], ids=lambda item: item.name)
def test_every_list_can_be_read_by_change_by_ids_and_singly(world: World, xero_list: XeroList):
    connector = world.connectors()[0]
    world.clock.move(minutes=1)  # a minute's calls
    pages = list(changed_since(world.services, connector, xero_list, world.clock.now() - 900 * DAY, Lane.PAYMENTS))
    documents = [found for page in pages for found in page.documents]
    ids = [str(found[xero_list.key]) for found in documents[:3]]
    assert [str(found[xero_list.key]) for found in by_ids(world.services, connector, xero_list, ids, Lane.PAYMENTS)] == ids
    if ids:
        single = one(world.services, connector, xero_list, ids[0], Lane.PAYMENTS)
        assert single is not None
        assert version(single) == version(documents[0])
    assert one(world.services, connector, xero_list, id_of(1), Lane.PAYMENTS) is None
