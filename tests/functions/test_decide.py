"""The retry policy, row by row (functions/decide.py)."""

from datetime import UTC, datetime, timedelta

import pytest

from functions.decide import decide
from shared.durations import Durations
from shared.errors import (
    Changed,
    ConfigurationError,
    ConnectorError,
    Disconnected,
    NeedsReconnect,
    NeedsScope,
    NotDue,
    NotFound,
    NotReady,
    Problem,
    Rejected,
    Retryable,
    Throttled,
    Uncertain,
    WrongBooks,
)
from shared.messages import SyncMessage
from shared.outcomes import Status

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
MESSAGE = SyncMessage("org.crm.dynamics.com|c1", "invoices-to-xero", "invoice/1", "7", attempt=3)
PROBLEM = Problem("Due Date is empty.", "Due Date (duedate)", "Xero asks for it.", "Fill it in.", "salesperson")


@pytest.mark.parametrize(
    ("error", "status", "delay_in_seconds", "attempt"),
    [
        (Throttled("minute", timedelta(seconds=26)), Status.WAITING, 26, 3),
        (Throttled("day", timedelta(hours=22)), Status.WAITING, 79_200, 3),
        (NotReady("Another worker.", timedelta(seconds=12)), Status.WAITING, 12, 3),
        (NotReady("Another worker."), Status.WAITING, 240, 3),
        (Retryable("No answer."), Status.WAITING, 240, 4),
        (Changed("412"), Status.WAITING, 240, 4),
        (Uncertain("No answer to a write."), Status.WAITING, 240, 4),
        (ConfigurationError("A privilege is missing."), Status.MISCONFIGURED, 240, 4),
        (NeedsReconnect("x"), Status.MISCONFIGURED, 240, 4),
        (NeedsScope("x"), Status.MISCONFIGURED, 240, 4),
        (Disconnected("x"), Status.MISCONFIGURED, 240, 4),
        (WrongBooks("x"), Status.MISCONFIGURED, 240, 4),
    ],
)
def test_what_will_mend_by_itself_is_tried_again(error: ConnectorError, status: Status, delay_in_seconds: int, attempt: int):
    outcome = decide(error, MESSAGE, Durations(), NOW)
    assert outcome.status is status
    assert outcome.delay == timedelta(seconds=delay_in_seconds)
    assert outcome.again is not None
    assert outcome.again.attempt == attempt
    assert outcome.again.record == MESSAGE.record


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Rejected((PROBLEM,)), Status.REFUSED),
        (NotDue(PROBLEM), Status.WAITING),
        (NotFound("gone"), Status.UNCHANGED),
    ],
)
def test_what_a_person_or_the_record_decides_is_not_sent_again_by_message(error: ConnectorError, status: Status):
    outcome = decide(error, MESSAGE, Durations(), NOW)
    assert outcome.status is status
    assert outcome.again is None


def test_a_wait_doubles_to_one_hour_and_never_ends():
    delays = [Durations().delay(attempt).total_seconds() for attempt in (1, 2, 3, 4, 5, 6, 7, 8, 1000)]
    assert delays == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


def test_nothing_is_tried_before_the_hold_of_its_claim_ends():
    outcome = decide(Uncertain("?"), MESSAGE, Durations(), NOW, not_before=NOW + timedelta(seconds=390))
    assert outcome.delay == timedelta(seconds=390)


def test_a_refusal_says_everything_that_is_wrong_and_where():
    other = Problem("Account code 999 is unknown.", "Line 2")
    outcome = decide(Rejected((PROBLEM, other)), MESSAGE, Durations(), NOW)
    assert outcome.details == "Due Date (duedate): Due Date is empty.\nLine 2: Account code 999 is unknown."
    assert outcome.problems[0].who == "salesperson"


def test_a_bug_is_not_decided_about():
    with pytest.raises(ConnectorError):
        decide(ConnectorError("not anticipated"), MESSAGE, Durations(), NOW)
