"""Every golden pair holds; and every row, step and check of every table is held by one (deleted or swapped, a pair differs)."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

import pytest

from mappings.__main__ import TABLES
from mappings.table import Constant, Lines, Mapping
from tests.mappings import golden

SAMPLES = {case: golden.given(case) for case in golden.CASES}


@pytest.mark.parametrize("case", golden.CASES)
def test_a_golden_pair_holds(case: str, bless: bool):
    outcome = golden.outcome(golden.table(SAMPLES[case]), SAMPLES[case])
    if bless:
        golden.write(case, outcome)
    assert outcome == golden.expected(case)


@pytest.mark.parametrize("name", TABLES)
def test_no_row_step_or_check_can_be_deleted_unnoticed(name: str):
    unnoticed = [told for told, changed in deletions(TABLES[name]) if not is_noticed(TABLES[name], changed)]
    assert unnoticed == []


@pytest.mark.parametrize("name", TABLES)
def test_no_two_rows_can_swap_their_targets_unnoticed(name: str):
    unnoticed = [told for told, changed in swaps(TABLES[name]) if not is_noticed(TABLES[name], changed)]
    assert unnoticed == []


def deletions(mapping: Mapping) -> Iterator[tuple[str, Mapping]]:
    for n, row in enumerate(mapping.rows):
        rest = (*mapping.rows[:n], *mapping.rows[n + 1 :])
        yield f"row {n}: {row.label or row.source} to {row.target}", replace(mapping, rows=rest)
        for step in row.steps if isinstance(row, Lines) else ():
            fewer = replace(row, steps=tuple(other for other in row.steps if other is not step))  # type: ignore[attr-defined,call-arg]
            yield f"step: {step.note}", replace(mapping, rows=(*mapping.rows[:n], fewer, *mapping.rows[n + 1 :]))
    for check in mapping.checks:
        yield f"check: {check.note}", replace(mapping, checks=tuple(other for other in mapping.checks if other is not check))


def swaps(mapping: Mapping) -> Iterator[tuple[str, Mapping]]:
    for one, other in combinations(range(len(mapping.rows)), 2):
        first, second = mapping.rows[one], mapping.rows[other]
        alike = isinstance(first, Constant) and isinstance(second, Constant) and first.value == second.value
        if first.target != second.target and not alike:
            rows = list(mapping.rows)
            rows[one] = replace(first, target=second.target)  # type: ignore[call-arg]
            rows[other] = replace(second, target=first.target)  # type: ignore[call-arg]
            yield f"{first.label or first.target} and {second.label or second.target}", replace(mapping, rows=tuple(rows))


def is_noticed(original: Mapping, changed: Mapping) -> bool:
    """Tell whether some golden pair differs when *changed* stands where *original* stood, in whatever table."""
    for case, sample in SAMPLES.items():
        mapping = put_in(golden.table(sample), original, changed)
        if mapping is None:
            continue
        try:
            if golden.outcome(mapping, sample) != golden.expected(case):
                return True
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError):
            return True
    return False


def put_in(mapping: Mapping, original: Mapping, changed: Mapping) -> Mapping | None:
    """Return *mapping* with *original* replaced by *changed* wherever it occurs; None when it does not occur."""
    if mapping is original:
        return changed
    rows = []
    for row in mapping.rows:
        inner = put_in(row.table, original, changed) if isinstance(row, Lines) else None
        rows.append(row if inner is None else replace(row, table=inner))  # type: ignore[call-arg]
    return replace(mapping, rows=tuple(rows)) if any(a is not b for a, b in zip(rows, mapping.rows, strict=True)) else None
