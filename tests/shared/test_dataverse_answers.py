"""Each answer of Dataverse becomes the error named for who must act."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.dataverse.answers import Duplicate, ReadOnlyRow, result, results, row_id
from shared.errors import Changed, ConfigurationError, NotFound, Rejected, Retryable, Throttled, Uncertain
from shared.services import Answer, Operation


def answer(status: int, code: str | None = None, message: str = "The vendor's sentence.", **headers: str) -> Answer:
    body = None if code is None else {"error": {"code": code, "message": message}}
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


@pytest.mark.parametrize("status", [200, 201, 204])
def test_a_success_is_its_body(status):
    assert result(Answer(status, {}, {"name": "x"})) == {"name": "x"}


# fmt: off
ROWS = [
    # status  code           error
    (404,     "0x80040217",  NotFound),
    (404,     "0x80060891",  NotFound),
    (404,     "",            NotFound),
    (404,     "0x8006088a",  ConfigurationError),   # the table is missing, not the row
    (412,     "0x80060882",  Changed),
    (412,     "",            Changed),
    (412,     "0x80060892",  Duplicate),
    (412,     "0x80040237",  Duplicate),
    (400,     "0x80073002",  Duplicate),
    (403,     "0x80040220",  ConfigurationError),
    (403,     "0x80048306",  ConfigurationError),
    (403,     "",            ConfigurationError),
    (401,     "0x80072560",  ConfigurationError),
    (403,     "0x80072560",  ConfigurationError),
    (403,     "0x80040225",  ConfigurationError),
    (401,     "",            ConfigurationError),
    (401,     None,          ConfigurationError),
    (403,     None,          ConfigurationError),
    (302,     None,          ConfigurationError),
    (400,     "0x80060890",  ConfigurationError),
    (400,     "0x8006088d",  ConfigurationError),
    (400,     "0x80048d19",  ConfigurationError),
    (429,     "0x80072322",  Throttled),
    (429,     None,          Throttled),
    (503,     "0x80072321",  Throttled),
    (400,     "0x80072326",  Throttled),
    (500,     "0x80044150",  Retryable),
    (400,     "0x80044151",  Retryable),
    (500,     "0x80040265",  Rejected),
    (400,     "0x80040265",  Rejected),
    (400,     "0x80040265".upper().replace("0X", "0x"), Rejected),
    (400,     "0x80044331",  Rejected),
    (400,     "0x80048cf6",  Rejected),
    (400,     "",            Rejected),
    (405,     "0x80040227",  Rejected),
    (400,     "0x8004022e",  ReadOnlyRow),
    (403,     "0x8004022E",  ReadOnlyRow),
    (400,     "0x80043b09",  ReadOnlyRow),
    (400,     "0x80043b1d",  ReadOnlyRow),
    (500,     "",            Uncertain),
    (502,     None,          Uncertain),
    (503,     None,          Uncertain),
    (404,     None,          Uncertain),             # a gateway's page is no missing row
    (400,     None,          Uncertain),
    (408,     None,          Uncertain),
]
# fmt: on


@pytest.mark.parametrize(("status", "code", "error"), ROWS)
def test_a_failure_is_named_for_who_must_act(status, code, error):
    with pytest.raises(error) as caught:
        result(answer(status, code), write=True)
    assert type(caught.value) is error


@pytest.mark.parametrize(("status", "code"), [(500, ""), (502, None), (404, None), (408, None)])
def test_a_read_without_a_definite_answer_is_merely_tried_again(status, code):
    with pytest.raises(Retryable) as caught:
        result(answer(status, code), write=False)
    assert type(caught.value) is Retryable


def test_a_refusal_says_dataverses_own_sentence():
    with pytest.raises(Rejected) as caught:
        result(answer(400, "0x80048cf6", "The currency of the record does not match the price list."))
    assert [problem.message for problem in caught.value.problems] == ["The currency of the record does not match the price list."]


def test_a_refusal_without_words_still_says_something():
    with pytest.raises(Rejected, match="0x80040265"):
        result(answer(400, "0x80040265", ""))
    with pytest.raises(Rejected, match="400"):
        result(answer(400, "", ""))


def test_a_missing_privilege_is_named():
    message = (
        "Principal user (Id=1, type=8, roleCount=1) is missing prvWriteInvoice privilege (Id=2) on OTC=1090 for entity 'invoice'."
    )
    for code in ("0x80040220", ""):
        with pytest.raises(ConfigurationError, match=r"lacks the privilege prvWriteInvoice:"):
            result(answer(403, code, message))


def test_a_missing_application_user_says_what_to_do():
    with pytest.raises(ConfigurationError, match="add it as an application user"):
        result(answer(401, "0x80072560", "The user is not a member of the organization."))


def test_a_create_that_found_its_row_is_a_duplicate():
    with pytest.raises(Duplicate):
        result(answer(412, "", "A record with matching key values already exists."))


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry_After": "17"}, 17),
        ({"Retry_After": " 17 "}, 17),
        ({"Retry_After": "0"}, 0),
        ({}, 60),
        ({"Retry_After": "soon"}, 60),
        ({"Retry_After": "-5"}, 60),
        ({"Retry_After": "999999999999"}, 3600),
        ({"Retry_After": "Sat, 21 Nov 2026 12:02:00 GMT", "Date": "Sat, 21 Nov 2026 12:00:30 GMT"}, 90),
        ({"Retry_After": "Sat, 21 Nov 2026 12:00:00 GMT", "Date": "Sat, 21 Nov 2026 12:00:30 GMT"}, 0),
        ({"Retry_After": "Sat, 21 Nov 2026 12:00:00 GMT"}, 60),
    ],
)
def test_dataverse_says_when_to_come_back(headers, wait):
    with pytest.raises(Throttled) as caught:
        result(answer(429, "0x80072322", **headers))
    assert (caught.value.problem, caught.value.retry_after) == ("dataverse", timedelta(seconds=wait))


def test_results_raises_the_first_failure_and_knows_reads_from_writes():
    read, write = Operation("GET", "invoices(1)"), Operation("PATCH", "invoices(1)", {})
    assert results([read, write], [Answer(200, {}, {"a": 1}), Answer(204, {}, None)]) == [{"a": 1}, None]
    with pytest.raises(Uncertain):
        results([read, write], [Answer(200, {}, {}), answer(503)])
    with pytest.raises(Retryable) as caught:
        results([read, write], [answer(503), answer(404, "")])
    assert type(caught.value) is Retryable


def test_the_id_of_a_written_row_is_read_from_its_address():
    address = "https://org.crm.dynamics.com/api/data/v9.2/mag_payments(0A0B0C0D-0000-0000-0000-00000000000F)"
    assert row_id(Answer(204, {"OData-EntityId": address}, None)) == "0a0b0c0d-0000-0000-0000-00000000000f"
    assert row_id(Answer(204, {"OData-EntityId": "https://x/api/data/v9.2/mag_payments(mag_xeropaymentid='1')"}, None)) == ""
    assert row_id(Answer(201, {}, {})) == ""
