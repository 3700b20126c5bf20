"""The state machine of a linked invoice, over every pair of what stands in Dynamics 365 and what Xero says."""

from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.states import CHANGES, MONEY, REASONS, TO_BE_SENT_AGAIN, Plan, State, Verdict, Wrote, plan, verdict
from mappings.choices import ExportStatus

NEW, BILLED, COMPLETE, PARTIAL, CANCELED = 1, 4, 100_001, 100_002, 100_003
OWN = {State.ACTIVE: 100_010, State.CLOSED: 7, State.PAID: 100_011, State.CANCELLED: 100_012}
"""A status reason of the customer's own for each state."""

FACTS: dict[Verdict, tuple[dict[str, Any], ...]] = {
    Verdict.OPEN: tuple({"Status": status, "Total": Decimal(115)} for status in ("DRAFT", "SUBMITTED", "AUTHORISED")),
    Verdict.PAID: (
        {"Status": "PAID", "Total": Decimal(115), "Payments": [{"PaymentID": "p"}]},
        {"Status": "PAID", "Total": Decimal(115), "Prepayments": [{"PrepaymentID": "p"}]},
        {"Status": "PAID", "Total": Decimal(115), "Overpayments": [{"OverpaymentID": "p"}]},
        {"Status": "PAID", "Total": Decimal(115), "AmountPaid": Decimal(115)},
        {"Status": "PAID", "Total": Decimal(115), "Payments": [{"PaymentID": "p"}], "CreditNotes": [{"CreditNoteID": "c"}]},
        {"Status": "PAID", "Total": Decimal(115), "Overpayments": [{"OverpaymentID": "p"}], "AmountCredited": Decimal(115)},
        {"Status": "PAID", "Total": Decimal(0)},
    ),
    Verdict.CANCELLED: (
        {"Status": "VOIDED", "Total": Decimal(115), "AmountDue": Decimal(115)},
        {"Status": "PAID", "Total": Decimal(115), "Payments": [], "CreditNotes": [{"CreditNoteID": "c"}]},
        {"Status": "PAID", "Total": Decimal(115), "AmountPaid": Decimal(0), "AmountCredited": Decimal(115)},
    ),
    Verdict.DELETED: ({"Status": "DELETED", "Total": Decimal(115)},),
    Verdict.UNKNOWN: (
        {},
        {"Status": None},
        {"Status": "ARCHIVED"},
        {"Status": "paid", "Payments": [{"PaymentID": "p"}]},
        {"Status": "PAID", "Total": Decimal(115)},
        {"Status": "PAID", "Total": None, "Payments": None, "CreditNotes": None, "AmountPaid": None},
    ),
}
VERDICTS = [(said, facts) for said, all_facts in FACTS.items() for facts in all_facts]


def row_of(state: int, reason: int, *, status: str = "AUTHORISED", **columns: Any) -> dict[str, Any]:
    money = {name: Decimal(0) for name in MONEY}
    return {
        "statecode": state,
        "statuscode": reason,
        "mag_xeroinvoicestatus": status,
        "mag_synchedwithxero": True,
        **money,
        **columns,
    }


def applied(row: dict[str, Any], found: Plan) -> dict[str, Any]:
    """Write a plan as Dynamics 365 would; a read-only row takes nothing but its state."""
    for write in found.writes:
        columns = set(write) - {"statecode", "statuscode"}
        assert not columns or row["statecode"] == State.ACTIVE, "columns of a read-only row"
        assert not (row["statecode"] == State.CANCELLED and write.get("statecode") == State.PAID), "only an active one is paid"
        row = {**row, **write}
    return row


@pytest.mark.parametrize(("said", "facts"), VERDICTS, ids=str)
def test_the_verdict_goes_by_status_and_by_what_settled_the_document(said: Verdict, facts: dict[str, Any]):
    assert verdict(facts) is said


EXPECTED = {
    # the row                  open              paid              cancelled           deleted           unknown
    (State.ACTIVE, True):     (State.ACTIVE,     State.PAID,       State.CANCELLED,    State.ACTIVE,     State.ACTIVE),
    (State.ACTIVE, False):    (State.ACTIVE,     State.PAID,       State.CANCELLED,    State.ACTIVE,     State.ACTIVE),
    (State.PAID, True):       (State.ACTIVE,     State.PAID,       State.CANCELLED,    State.PAID,       State.PAID),
    (State.PAID, False):      (State.PAID,       State.PAID,       State.CANCELLED,    State.PAID,       State.PAID),
    (State.CANCELLED, True):  (State.ACTIVE,     State.PAID,       State.CANCELLED,    State.CANCELLED,  State.CANCELLED),
    (State.CANCELLED, False): (State.CANCELLED,) * 5,
    (State.CLOSED, True):     (State.CLOSED,) * 5,
    (State.CLOSED, False):    (State.CLOSED,) * 5,
}  # fmt: skip
PAIRS = [
    (state, is_ours, said, facts, columns)
    for (state, is_ours), (said, facts), columns in product(EXPECTED, VERDICTS, ({}, {"mag_amountdue": Decimal(7)}))
]


@pytest.mark.parametrize(("state", "is_ours", "said", "facts", "columns"), PAIRS)
def test_every_pair_ends_where_the_table_says(state: State, is_ours: bool, said: Verdict, facts: Any, columns: Any):
    row = row_of(state, OWN[state])
    wrote = Wrote(state.value if is_ours else None, BILLED)
    found = plan(row, facts, columns, wrote)
    after = EXPECTED[state, is_ours][list(FACTS).index(said)]
    assert found.after is after
    written = applied(row, found)
    assert written["statecode"] == after
    stays = after is state
    assert written["statuscode"] == (
        OWN[state] if stays else {State.ACTIVE: BILLED, State.PAID: COMPLETE, State.CANCELLED: CANCELED}[after]
    )
    untouchable = state is State.CLOSED or (state is State.CANCELLED and not is_ours)
    assert found.is_left_alone is untouchable
    if columns and not untouchable:
        assert written["mag_amountdue"] == Decimal(7)
    if untouchable or (stays and not columns and said is not Verdict.DELETED):
        assert found.writes == ()


def test_the_table_holds_every_change_and_no_other():
    assert set(CHANGES.values()) == {State.ACTIVE, State.PAID, State.CANCELLED}
    changes = {
        (state, is_ours, said): after
        for (state, is_ours), row in EXPECTED.items()
        for said, after in zip(FACTS, row, strict=True)
        if after is not state and not (state is State.ACTIVE and not is_ours)
    }
    assert changes == CHANGES


def test_a_paid_row_is_reactivated_written_and_closed_again_state_last():
    row = row_of(State.PAID, COMPLETE, status="PAID", mag_amountpaid=Decimal(115))
    facts = {"Status": "PAID", "Payments": [{"PaymentID": "p"}]}
    found = plan(row, facts, {"mag_amountpaid": Decimal(100), "mag_amountcredited": Decimal(15)}, Wrote(2, BILLED))
    assert found.writes == (
        {"statecode": 0, "statuscode": BILLED},
        {"mag_amountpaid": Decimal(100), "mag_amountcredited": Decimal(15)},
        {"statecode": 2, "statuscode": COMPLETE},
    )


def test_a_cancelled_row_opens_before_it_is_paid_even_with_nothing_to_write():
    found = plan(row_of(State.CANCELLED, CANCELED), {"Status": "PAID", "AmountPaid": Decimal(1)}, {}, Wrote(3, NEW))
    assert found.writes == ({"statecode": 0, "statuscode": NEW}, {"statecode": 2, "statuscode": COMPLETE})


def test_a_paid_row_with_nothing_to_write_is_cancelled_in_one_step():
    found = plan(row_of(State.PAID, COMPLETE), {"Status": "VOIDED"}, {}, Wrote(2, NEW))
    assert found.writes == ({"statecode": 3, "statuscode": CANCELED},)


@pytest.mark.parametrize("name", ["mag_xeroinvoicenumber", "mag_xeroinvoicestatus"])
def test_a_closed_row_is_not_opened_for_words_alone(name: str):
    row = row_of(State.PAID, COMPLETE, status="AUTHORISED")
    assert plan(row, {"Status": "PAID", "AmountPaid": Decimal(1)}, {name: "other"}, Wrote(2)).writes == ()


def test_an_empty_amount_is_none_on_a_closed_row():
    row = row_of(State.PAID, COMPLETE, mag_amountcredited=None)
    facts = {"Status": "PAID", "AmountPaid": Decimal(1)}
    assert plan(row, facts, {"mag_amountcredited": Decimal("0.00")}, Wrote(2)).writes == ()
    assert plan(row, facts, {"mag_amountcredited": Decimal("0.01")}, Wrote(2)).writes[1] == {
        "mag_amountcredited": Decimal("0.01")
    }


def test_amounts_are_compared_by_value():
    row = row_of(State.ACTIVE, NEW, mag_amountdue=Decimal("115.0000"), mag_amountpaid=0)
    assert (
        plan(row, FACTS[Verdict.OPEN][2], {"mag_amountdue": Decimal(115), "mag_amountpaid": Decimal("0.00")}, Wrote()).writes
        == ()
    )


def test_an_opened_row_gets_back_the_reason_it_had():
    facts = {"Status": "PAID", "AmountPaid": Decimal(1)}
    closed = plan(row_of(State.ACTIVE, OWN[State.ACTIVE]), facts, {}, Wrote())
    assert closed.wrote == Wrote(2, OWN[State.ACTIVE])
    opened = plan(row_of(State.PAID, COMPLETE), FACTS[Verdict.OPEN][2], {}, closed.wrote)
    assert opened.writes == ({"statecode": 0, "statuscode": OWN[State.ACTIVE]},)
    assert opened.wrote == Wrote(0, OWN[State.ACTIVE])


def test_an_opened_row_whose_reason_nobody_knows_is_billed():
    assert plan(row_of(State.PAID, COMPLETE, status="PAID"), FACTS[Verdict.OPEN][2], {}, Wrote()).writes == (
        {"statecode": 0, "statuscode": BILLED},
    )


@pytest.mark.parametrize(("wrote", "status", "is_ours"), [
    (Wrote(), "AUTHORISED", False),  # a user paid it
    (Wrote(0), "AUTHORISED", False),  # we opened it, a user paid it
    (Wrote(2), "AUTHORISED", True),  # we paid it
    (Wrote(), "PAID", True),  # the link was lost, the row says so
])  # fmt: skip
def test_a_paid_row_opens_only_when_it_was_paid_by_us_or_by_xero(wrote: Wrote, status: str, is_ours: bool):
    found = plan(row_of(State.PAID, COMPLETE, status=status), FACTS[Verdict.OPEN][2], {}, wrote)
    assert found.after is (State.ACTIVE if is_ours else State.PAID)


def test_a_users_partial_payment_keeps_its_reason_while_money_is_written():
    row = row_of(State.PAID, PARTIAL)
    found = plan(row, FACTS[Verdict.OPEN][2], {"mag_amountpaid": Decimal(50)}, Wrote())
    assert applied(row, found) == {**row, "mag_amountpaid": Decimal(50)}
    assert found.wrote == Wrote(), "restoring a user's state makes it not ours"


def test_what_we_wrote_stands_no_more_once_a_person_opened_the_row():
    """K14: the person's own cancellation must not look like ours afterwards; nor after a write of ours that never came."""
    opened = plan(row_of(State.ACTIVE, NEW), FACTS[Verdict.OPEN][2], {}, Wrote(3, BILLED))
    assert (opened.writes, opened.wrote) == ((), Wrote(None, BILLED))
    cancelled = row_of(State.CANCELLED, CANCELED)
    assert plan(cancelled, FACTS[Verdict.OPEN][2], {}, opened.wrote).is_left_alone
    assert not plan(cancelled, FACTS[Verdict.OPEN][2], {}, Wrote(3, BILLED)).is_left_alone


def test_a_row_a_user_cancelled_is_never_opened_whatever_xero_says():
    row = row_of(State.CANCELLED, CANCELED)
    for _, facts in VERDICTS:
        assert plan(row, facts, {"mag_amountdue": Decimal(9)}, Wrote(2)).writes == ()


def test_a_draft_deleted_in_xero_leaves_the_row_failed_and_due_once_a_person_asks():
    row = row_of(State.ACTIVE, NEW, status="DRAFT")
    found = plan(row, FACTS[Verdict.DELETED][0], {"mag_xeroinvoicestatus": "DELETED"}, Wrote())
    assert found.writes == ({"mag_xeroinvoicestatus": "DELETED", **TO_BE_SENT_AGAIN},)
    assert found.is_deleted
    asked = {**applied(row, found), "mag_exportstatus": ExportStatus.NO.value}
    again = plan(asked, FACTS[Verdict.DELETED][0], {"mag_xeroinvoicestatus": "DELETED"}, Wrote())
    assert again.writes == (), "what a person asked for is not taken back"
    assert not again.is_deleted


@pytest.mark.parametrize("state", [5, None, "2"])
def test_a_state_nobody_knows_is_left_alone(state: Any):
    assert plan(row_of(state, NEW), FACTS[Verdict.PAID][0], {"mag_amountdue": Decimal(1)}, Wrote()).writes == ()


def test_a_lookup_is_compared_by_the_row_it_points_to():
    columns = {"new_bankid@odata.bind": "/new_banks(00C0FFEE-0000-4000-8000-000000000001)"}
    row = row_of(State.ACTIVE, NEW, _new_bankid_value="00c0ffee-0000-4000-8000-000000000001")
    assert plan(row, FACTS[Verdict.OPEN][2], columns, Wrote()).writes == ()
    assert plan({**row, "_new_bankid_value": None}, FACTS[Verdict.OPEN][2], columns, Wrote()).writes == (columns,)


# ── properties ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────

amounts = st.none() | st.decimals(0, 10_000, places=2) | st.integers(0, 100)
reasons = st.sampled_from([NEW, BILLED, COMPLETE, PARTIAL, CANCELED, *OWN.values()])
rows = st.fixed_dictionaries(
    {
        "statecode": st.sampled_from([state.value for state in State]),
        "statuscode": reasons,
        "mag_xeroinvoicestatus": st.sampled_from([None, "AUTHORISED", "PAID", "VOIDED", "DELETED"]),
        "mag_synchedwithxero": st.sampled_from([None, False, True]),
        "mag_xeroinvoicenumber": st.sampled_from([None, "INV-1"]),
        **dict.fromkeys(MONEY, amounts),
    }
)
written = st.fixed_dictionaries(
    {},
    optional={
        "mag_xeroinvoicenumber": st.sampled_from(["INV-1", "INV-2"]),
        **dict.fromkeys(MONEY, st.decimals(0, 10_000, places=2)),
    },
)
known = st.builds(Wrote, st.sampled_from([None, 0, 2, 3]), st.none() | st.sampled_from([NEW, BILLED, OWN[State.ACTIVE]]))
said = st.sampled_from([facts for _, facts in VERDICTS])


def mirrored(columns: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
    return columns | ({"mag_xeroinvoicestatus": facts["Status"]} if facts.get("Status") else {})


@given(rows, said, written, known)
def test_a_plan_is_carried_out_within_the_rules_and_leaves_nothing_to_do(row: Any, facts: Any, columns: Any, wrote: Wrote):
    columns = mirrored(columns, facts)
    found = plan(row, facts, columns, wrote)
    after = applied(row, found)  # which asserts that no read-only row is written
    assert plan(after, facts, columns, found.wrote).writes == ()
    assert after["statecode"] == found.after


@given(rows, said, written, known)
def test_state_is_written_last_and_nothing_equal_is_written(row: Any, facts: Any, columns: Any, wrote: Wrote):
    found = plan(row, facts, mirrored(columns, facts), wrote)
    states = [write["statecode"] for write in found.writes if "statecode" in write]
    assert len(found.writes) <= 3
    assert states in ([], [found.after.value], [0, found.after.value])
    if found.after is not State.ACTIVE and found.writes:
        assert "statecode" in found.writes[-1]
    for name, value in found.columns.items():
        held = row.get(name)
        assert value != held if not isinstance(value, Decimal) or held is None else Decimal(held) != value


@given(rows, said, written, known)
def test_a_user_is_never_overruled_without_xero_saying_so(row: Any, facts: Any, columns: Any, wrote: Wrote):
    found = plan(row, facts, mirrored(columns, facts), wrote)
    is_ours = wrote.state == row["statecode"] or row["mag_xeroinvoicestatus"] in ("PAID", "VOIDED")
    if row["statecode"] == State.CANCELLED and not is_ours:
        assert found.writes == ()
    if row["statecode"] == State.PAID and not is_ours and verdict(facts) is not Verdict.CANCELLED:
        assert found.after is State.PAID


@given(rows, said, written, known)
def test_what_stays_keeps_its_reason_and_what_moves_gets_the_standard_one(row: Any, facts: Any, columns: Any, wrote: Wrote):
    found = plan(row, facts, mirrored(columns, facts), wrote)
    after = applied(row, found)
    if found.after is found.before:
        assert after["statuscode"] == row["statuscode"]
    elif found.after is State.ACTIVE:
        assert after["statuscode"] == (wrote.open_reason or BILLED)
    else:
        assert after["statuscode"] == REASONS[found.after]
