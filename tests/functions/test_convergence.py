"""Whatever people do on both sides, in any order and whatever fails meanwhile: once it has come to rest, Dynamics 365 says what Xero says.

The steps and the laws are in tests/functions/convergence.py. ``CONVERGENCE_EXAMPLES=2000`` looks longer.
"""

import os
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.functions.convergence import OFTEN, STEPS, Step, Story, opened, wrong

EXAMPLES = int(os.environ.get("CONVERGENCE_EXAMPLES", "24"))
SWEPT: list[Step] = [("the_timer_ticks", 0), ("some_messages_are_delivered", 4), ("some_messages_are_delivered", 1)]
"""A tick and its seven sweeps; what they release stays in the queues."""
A_WHILE: list[Step] = [("everything_runs", 7), ("everything_runs", 7)]
EVERY_STEP: list[Step] = [
    ("a_line_is_changed", 2),
    ("a_due_date_is_changed", 2),
    ("a_draft_is_deleted", 0),
    ("a_part_is_paid", 0),
    ("an_invoice_is_flagged", 0),
    ("everything_runs", 7),
    ("everything_runs", 7),
    ("a_refused_invoice_is_asked_for_again", 0),
    ("an_invoice_is_raised", 2),
    ("a_draft_is_approved", 0),
    ("a_credit_note_is_raised", 0),
    ("a_credit_is_set_against_one_more", 4),
    ("a_credit_note_is_allocated", 4),
    ("an_allocation_is_taken_back", 0),
    ("a_credit_note_is_voided", 0),
    ("several_are_paid_at_once", 0),
    ("a_batch_is_taken_back", 0),
    ("money_in_advance_is_allocated", 0),
    ("minutes_pass", 5),
    ("the_timer_ticks", 0),
    ("some_messages_are_delivered", 4),
    ("some_messages_are_delivered", 1),
    ("a_message_comes_twice", 0),
    ("everything_runs", 7),
    ("the_rest_is_paid", 0),
    ("an_invoice_is_voided", 1),
    ("a_payment_is_taken_back", 0),
    ("everything_runs", 7),
    ("an_update_is_asked_for", 0),
    ("another_column_is_edited", 1),
    ("everything_runs", 7),
    ("a_person_cancels_it", 0),
    ("a_person_marks_it_paid", 0),
    ("a_person_reactivates_it", 0),
    ("a_payment_row_is_deleted", 0),
    ("a_credit_note_row_is_deactivated", 0),
    ("a_credit_note_row_is_deleted", 0),
    ("an_invoice_row_is_deleted", 0),
    ("a_contact_is_renamed", 1),
    ("a_contact_is_archived", 1),
    ("a_contact_is_restored", 1),
    ("two_contacts_are_merged", 0),
    ("in_the_middle", 3),
    ("minutes_pass", 1),
    ("an_io_fails", 2),
    ("everything_runs", 3),
    ("the_night_comes", 0),
    ("the_connector_is_switched", 0),
]


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    with opened() as story:
        yield story


def told(story: Story, steps: list[Step]) -> list[str]:
    """Tell a story of *steps* to its end; return what is wrong then."""
    story.begin()
    for step in steps:
        story.take(step)
    story.come_to_rest()
    return wrong(story)


@settings(max_examples=EXAMPLES, derandomize=True, deadline=None)
@given(steps=st.lists(st.tuples(st.sampled_from((*STEPS, *OFTEN)), st.integers(0, 599)), min_size=8, max_size=24))
def test_in_the_end_both_sides_say_the_same(story: Story, steps: list[Step]):
    assert told(story, steps) == []


def test_every_step_is_possible_somewhere(story: Story):
    """So that the stories above are not about what never happens."""
    assert told(story, EVERY_STEP) == []
    assert [name for name in STEPS if not story.happened[name]] == []


def test_credit_of_a_customer_who_owes_nothing_is_seen_at_night(story: Story):
    """It is set against no invoice, so that no document brings it."""
    ends_well(story, ("the_rest_is_paid", 3), *A_WHILE, ("a_credit_note_is_raised", 1))


def test_an_invoice_voided_while_the_message_that_makes_it_lay_in_its_queue_is_cancelled(story: Story):
    """The app was down; the flow of the status read past the void while the row was nobody's."""
    raised: list[Step] = [("an_invoice_is_raised", 0), ("the_rest_is_paid", 4), ("minutes_pass", 5), *SWEPT]
    voided: list[Step] = [("a_payment_is_taken_back", 2), ("an_invoice_is_voided", 4), ("minutes_pass", 19), ("minutes_pass", 19)]
    ends_well(story, *raised, *voided, ("a_part_is_paid", 0), *SWEPT)


def test_a_credit_note_set_against_an_invoice_that_is_only_being_made_is_there_too(story: Story):
    """Its message was read before the invoice had a row; what is asked for then must outlive that message."""
    ends_well(
        story,
        ("an_allocation_is_taken_back", 0),
        ("an_invoice_is_raised", 0),
        ("a_credit_is_set_against_one_more", 8),
    )


@pytest.mark.parametrize("happens", [(0, "the_rest_is_paid", 2), (3, "a_draft_is_deleted", 0)])
def test_what_happened_to_an_invoice_while_a_person_had_cancelled_it_is_there_once_it_is_reactivated(
    story: Story, happens: tuple[int, str, int]
):
    """It is left alone until then, and Xero tells nothing of it a second time."""
    which, step, number = happens
    reactivated: list[Step] = [("a_person_reactivates_it", 0)] * 3  # every one that is not Active
    ends_well(story, ("a_person_cancels_it", which), (step, number), *A_WHILE, *reactivated)


def ends_well(story: Story, *steps: Step) -> None:
    """Assert that every one of *steps* is possible, and that nothing is wrong in the end."""
    assert told(story, list(steps)) == []
    assert [name for name, _ in steps if not story.happened[name]] == []
