"""Turn a failure into an Outcome: the whole retry policy, pure (SPEC 8; reference style 4.7).

Throttled, NotReady      waiting        when the vendor or the other worker said; not counted
Uncertain                waiting        after the hold, longer than Xero remembers a key; counted
Retryable, Changed       waiting        1, 2, 4 ... minutes, up to one hour, without end; counted
NotDue                   waiting        parked: when its date has come or the record changes
Rejected                 refused        parked: when the record changes, or a person sets Export Status back to No
NotFound                 unchanged      the record was deleted: there is nothing to do
ConfigurationError       misconfigured  an administrator acts; tried again with the delay of a Retryable
"""

from __future__ import annotations

from datetime import datetime, timedelta

from functions.explain import explain
from shared.durations import Durations
from shared.errors import (
    ConfigurationError,
    ConnectorError,
    NotDue,
    NotFound,
    NotReady,
    Problem,
    Rejected,
    Retryable,
    Throttled,
)
from shared.messages import SyncMessage
from shared.outcomes import Outcome, Status


def decide(
    error: ConnectorError, message: SyncMessage, durations: Durations, now: datetime, not_before: datetime | None = None
) -> Outcome:
    """Return what becomes of *message* after *error*; it is not tried again *not_before* (the claim's hold)."""
    match error:
        case NotDue():
            return _outcome(message, Status.WAITING, "Wait", error.problems, now)
        case Rejected():
            return _outcome(message, Status.REFUSED, "Refuse", tuple(explain(problem) for problem in error.problems), now)
        case Throttled():
            return _again(message, error, error.retry_after, now, counted=False)
        case NotReady():
            wait = error.retry_after if error.retry_after is not None else durations.delay(message.attempt)
            return _again(message, error, wait, now, counted=False)
        case Retryable():
            held = not_before - now if not_before else timedelta()
            return _again(message, error, max(durations.delay(message.attempt), held), now)
        case ConfigurationError():
            problem = explain(Problem(str(error), who="administrator"))
            outcome = _again(message, error, durations.delay(message.attempt), now)
            return _outcome(message, Status.MISCONFIGURED, "Wait", (problem,), now, again=outcome.again, delay=outcome.delay)
        case NotFound():
            return _outcome(message, Status.UNCHANGED, "Skip", (Problem("The record is no longer in Dynamics."),), now)
    raise error


def _again(message: SyncMessage, error: ConnectorError, delay: timedelta, now: datetime, *, counted: bool = True) -> Outcome:
    problem = explain(Problem(str(error), who="nobody", fix="Nothing to do: it goes by itself."))
    reason = message.reason if message.reason == "pay-now-link" else "retry"  # what is wanted stays wanted
    again = message.again(reason, counted=counted)
    return _outcome(message, Status.WAITING, "Wait", (problem,), now, again=again, delay=max(delay, timedelta()))


def _outcome(
    message: SyncMessage,
    status: Status,
    action: str,
    problems: tuple[Problem, ...],
    now: datetime,
    again: SyncMessage | None = None,
    delay: timedelta = timedelta(),
) -> Outcome:
    details = "\n".join(problem.sentence for problem in problems)
    return Outcome(message, status, action, details, now, problems, again=again, delay=delay)
