"""Every schedule of faults within bounds keeps the invariants of SPEC 8, and every step of the protocol is needed for it.

``python -m tests.crash.test_model`` prints the figures.
"""

from __future__ import annotations

import time

import pytest

from tests.crash.model import Result, Scenario, explore

CLAIMS = ("claims",)
EVERYTHING = ("claims", "links")


def _scenarios(unique: bool) -> list[Scenario]:
    """Return the spaces for a document with a number Xero keeps unique (sales invoice), or without (bill, Xero numbering)."""
    # fmt: off
    return [
        Scenario("one fault",                             unique=unique),
        Scenario("two faults",                            unique=unique, faults=2),
        Scenario("two faults, look-up lags",              unique=unique, faults=2, lag=90),
        Scenario("two faults, no key memory",             unique=unique, faults=2, key_memory=0, late=False),
        Scenario("two faults, long key memory",           unique=unique, faults=2, key_memory=1200),
        Scenario("refused by our own write",              unique=unique, only=("refused after",), within=40),
        Scenario("two messages",                          unique=unique, messages=2),
        Scenario("two messages, no fault",                unique=unique, messages=2, faults=0, preemptions=6),
        Scenario("two sweeps in turn, no fault",          unique=unique, messages=0, sweeps=2, faults=0, preemptions=0, most_sent=1),
        Scenario("two sweeps at once",                    unique=unique, messages=0, sweeps=2, preemptions=1),
        Scenario("a sweep and a message",                 unique=unique, sweeps=1, preemptions=1),
        Scenario("a line is edited",                      unique=unique, edit="lines"),
        Scenario("number or date is edited",              unique=unique, edit="terms"),
        Scenario("number or date is edited, lag",         unique=unique, edit="terms", lag=90),
        Scenario("edited under two messages",             unique=unique, edit="terms", messages=2, preemptions=0),
        Scenario("closed",                                unique=unique, edit="close"),
        Scenario("closed under two messages",             unique=unique, edit="close", messages=2, preemptions=0),
        Scenario("slow worker",                           unique=unique, pause=100),
        Scenario("slow network",                          unique=unique, messages=2, preemptions=0, faults=3, only=("pause",),
                                                          pause=60, pause_at_send=True, key_memory=0),
        Scenario("frozen worker",                         unique=unique, pause=700),
        Scenario("frozen worker, two messages",           unique=unique, pause=700, messages=2, preemptions=1),
        Scenario("frozen worker, a line is edited",       unique=unique, pause=700, edit="lines"),
        Scenario("frozen worker, number or date edited",  unique=unique, pause=700, edit="terms"),
        Scenario("a crash before, frozen worker, edited", unique=unique, pause=700, edit="lines", crashed_before=True),
        Scenario("claims are lost",                       unique=unique, wipe=CLAIMS),
        Scenario("claims and links are lost",             unique=unique, wipe=EVERYTHING),
        Scenario("claims are lost, two messages",         unique=unique, wipe=CLAIMS, messages=2, preemptions=0),
        Scenario("new contact",                           unique=unique, new_contact=True),
        Scenario("new contact, two messages",             unique=unique, new_contact=True, messages=2, preemptions=1),
        Scenario("new contact, lag",                      unique=unique, new_contact=True, lag=90),
        Scenario("somebody else's document is there",     unique=unique, foreign=True),
        Scenario("somebody else's document, edited",      unique=unique, foreign=True, edit="terms"),
    ]
    # fmt: on


SCENARIOS = _scenarios(True) + _scenarios(False)
UNIQUE, OTHER = ({scenario.name: scenario for scenario in SCENARIOS if scenario.unique is unique} for unique in (True, False))

# fmt: off
MUTANTS = (
    # a step left out                       the space that shows why it is there
    ("compare-and-swap",                    UNIQUE["somebody else's document, edited"]),
    ("lease",                               OTHER["claims are lost"]),
    ("re-read after a refusal",             UNIQUE["refused by our own write"]),
    ("fence",                               OTHER["slow network"]),
    ("hold",                                UNIQUE["new contact, lag"]),
    ("release",                             OTHER["claims are lost"]),
    ("intent",                              UNIQUE["number or date is edited"]),
    ("intent",                              OTHER["number or date is edited"]),
    ("key",                                 UNIQUE["new contact, lag"]),
    ("same key on every try",               UNIQUE["new contact, lag"]),
    ("new key after an unknown end",        UNIQUE["two faults, long key memory"]),
    ("look-up on a retry",                  OTHER["one fault"]),
    ("look-up without a unique number",     OTHER["claims are lost"]),
    ("mark",                                UNIQUE["somebody else's document is there"]),
    ("mark",                                OTHER["somebody else's document is there"]),
    ("adopt a number that is taken",        UNIQUE["claims are lost"]),
    ("bring up to date",                    UNIQUE["a line is edited"]),
    ("keep the id in the claim",            UNIQUE["number or date is edited, lag"]),
    ("if-match",                            UNIQUE["a line is edited"]),
    ("due again after a change",            UNIQUE["a crash before, frozen worker, edited"]),
    ("look for what was left behind",       UNIQUE["closed"]),
    ("tell only what was read",             UNIQUE["two messages"]),
    ("tell under if-match",                 UNIQUE["one fault"]),
    ("load after the claim",                OTHER["claims are lost"]),
    ("close last",                          UNIQUE["one fault"]),
    ("queued until",                        UNIQUE["two sweeps in turn, no fault"]),
)
# fmt: on

# One more step can be left out unpunished while host.json's visibilityTimeout is two minutes: "defer". Five deliveries then outlast the
# lease and the hold, so that failing a message instead of sending it again costs time, and no poison.

RESIDUALS = (
    Scenario("frozen exactly at the send", unique=False, pause=700, pause_at_send=True),
    Scenario("made five minutes late by a Xero that remembers no key", unique=False, faults=2, key_memory=0),
)
"""Without a unique number and a conditional create nobody can close these; the nightly reconciliation finds them (reliability 1.7)."""


def explained(result: Result) -> str:
    """Tell each broken invariant with the schedule that broke it."""
    lines = [f"{result.scenario}: {result.schedules} schedules, broken: {dict(result.broken)}"]
    for violation, story in result.example.items():
        lines += [violation, *(f"  {at:6} {what} {fault}" for at, what, fault in story)]
    return "\n".join(lines)


def test_more_than_a_hundred_thousand_schedules_break_no_invariant():
    results = [explore(scenario) for scenario in SCENARIOS]
    broken = [result for result in results if result.broken]
    assert not broken, "\n".join(map(explained, broken))
    assert sum(result.schedules for result in results) >= 100_000


@pytest.mark.parametrize(("step", "scenario"), MUTANTS, ids=lambda value: getattr(value, "name", value))
def test_no_step_of_the_protocol_can_be_left_out(step, scenario):
    assert explore(scenario, [step], stop=True).broken


@pytest.mark.parametrize("scenario", RESIDUALS, ids=lambda scenario: scenario.name)
def test_what_cannot_be_closed_is_rare_and_only_for_documents_without_a_unique_number(scenario):
    result = explore(scenario)
    assert result.broken["I1 two documents"] <= result.schedules / 40
    with_a_number = Scenario(**{**vars(scenario), "unique": True})
    assert not explore(with_a_number).broken


def main() -> None:
    """Print each space with its figures, and the totals."""
    schedules, begun = 0, time.perf_counter()
    for scenario in (*SCENARIOS, *RESIDUALS):
        result = explore(scenario)
        kind = "unique" if scenario.unique else "not unique"
        print(
            f"{kind:10} {scenario.name:50} {result.schedules:7} schedules, calls <= {result.most_calls}, "
            f"messages <= {result.most_sent:2}, over within {result.longest:4} s {dict(result.broken) or ''}"
        )
        schedules += result.schedules
    print(f"{schedules} schedules in {time.perf_counter() - begun:.1f} s")


if __name__ == "__main__":
    main()
