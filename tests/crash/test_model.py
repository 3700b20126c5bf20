"""Every schedule of faults within bounds keeps the invariants of SPEC 8, and every step of the protocol is needed for it."""

from __future__ import annotations

import time
from collections import Counter

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
        Scenario("two messages",                          unique=unique, messages=2),
        Scenario("two messages, no fault",                unique=unique, messages=2, faults=0, preemptions=6),
        Scenario("two sweeps at once",                    unique=unique, messages=0, sweeps=2, preemptions=1),
        Scenario("a sweep and a message",                 unique=unique, messages=1, sweeps=1, preemptions=1),
        Scenario("a line is edited",                      unique=unique, edit="lines"),
        Scenario("number or date is edited",              unique=unique, edit="terms"),
        Scenario("number or date is edited, lag",         unique=unique, edit="terms", lag=90),
        Scenario("edited under two messages",             unique=unique, edit="terms", messages=2, preemptions=0),
        Scenario("closed",                                unique=unique, edit="close"),
        Scenario("closed under two messages",             unique=unique, edit="close", messages=2, preemptions=0),
        Scenario("slow worker",                           unique=unique, pause=100),
        Scenario("slow network",                          unique=unique, pause=60, pause_at_send=True, faults=3, only=("pause",),
                 messages=2, key_memory=0, preemptions=0),
        Scenario("refused by our own write",              unique=unique, only=("refused after",), within=40),
        Scenario("a crash before, frozen worker, edited", unique=unique, crashed_before=True, pause=700, edit="lines"),
        Scenario("frozen worker",                         unique=unique, pause=700),
        Scenario("frozen worker, two messages",           unique=unique, pause=700, messages=2, preemptions=1),
        Scenario("frozen worker, a line is edited",       unique=unique, pause=700, edit="lines"),
        Scenario("frozen worker, number or date edited",  unique=unique, pause=700, edit="terms"),
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


def explained(result: Result) -> str:
    """Tell each broken invariant with the schedule that broke it."""
    lines = [f"{result.scenario}: {result.schedules} schedules, broken: {dict(result.broken)}"]
    for violation, story in result.example.items():
        lines += [violation, *(f"  {at:6} {what} {fault}" for at, what, fault in story)]
    return "\n".join(lines)


@pytest.fixture(scope="module")
def results() -> list[Result]:
    return [explore(scenario) for scenario in SCENARIOS]


def test_no_schedule_breaks_an_invariant(results):
    broken = [result for result in results if result.broken]
    assert not broken, "\n".join(map(explained, broken))


if __name__ == "__main__":
    total = Counter[str]()
    for scenario in SCENARIOS:
        begun = time.perf_counter()
        result = explore(scenario)
        took = time.perf_counter() - begun
        kind = "unique" if scenario.unique else "not unique"
        print(f"{kind:10} {scenario.name:40} {result.schedules:7} schedules {took:5.1f} s, calls <= {result.most_calls}, "
              f"messages <= {result.most_sent}, converged <= {result.longest} s")  # fmt: skip
        if result.broken:
            print(explained(result))
        total.update(schedules=result.schedules, ms=int(took * 1000))
    print(dict(total))
