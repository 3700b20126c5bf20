"""What Xero's answers mean, over answers recorded from a demo company (September 2026) and those its documents promise."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.errors import (
    ConfigurationError,
    ConnectorError,
    Disconnected,
    NeedsScope,
    NotFound,
    Rejected,
    Retryable,
    Throttled,
    Uncertain,
)
from shared.xero.answers import TokenRefused, translate, xero_date, xero_instant

READ, WRITE = "GET", "PUT"
TAKEN = (
    "The contact name Acme is already assigned to another contact. The contact name must be unique across all active contacts."
)
DUPLICATE_NAME = {
    "ErrorNumber": 10,
    "Type": "ValidationException",
    "Message": "A validation exception occurred",
    "Elements": [
        {
            "ContactID": "00000000-0000-0000-0000-000000000000",
            "Name": "Acme",
            "Phones": [{"PhoneType": "DEFAULT", "ValidationErrors": []}],
            "HasValidationErrors": True,
            "ValidationErrors": [{"Message": TAKEN}],
        }
    ],
}
DELETED_IN_VAIN = {
    "Id": "cccdfa77-77e2-468a-a4eb-ba384eccb600",
    "Status": "OK",
    "Invoices": [
        {
            "Type": "ACCREC",
            "InvoiceID": "60aa5d55-a47e-4665-a974-874bb50263b9",
            "HasErrors": True,
            "Contact": {
                "ContactID": "2f79af6c-5f57-49e8-9e44-301499538add",
                "HasValidationErrors": False,
                "ValidationErrors": [],
            },
            "Status": "DELETED",
            "StatusAttributeString": "ERROR",
            "ValidationErrors": [{"Message": "Invoice not of valid status for modification"}],
        }
    ],
}


def answer(body: Any = None, *, method: str = WRITE, status: int = 200, headers: dict[str, str] | None = None) -> Any:
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return translate(method, status, headers or {}, content)


def error(*arguments: Any, **more: Any) -> ConnectorError:
    with pytest.raises(ConnectorError) as raised:
        answer(*arguments, **more)
    return raised.value


def test_every_number_of_an_answer_is_a_decimal_and_exact() -> None:
    result = answer(b'{"Total": 9999999999999999.99, "Rate": 1.0, "Count": 3, "Small": 1e-7, "Yes": true, "None": null}')
    assert result == {"Total": Decimal("9999999999999999.99"), "Rate": Decimal("1.0"), "Count": Decimal(3),
                      "Small": Decimal("1E-7"), "Yes": True, "None": None}  # fmt: skip
    assert {type(result[name]) for name in ("Total", "Rate", "Count", "Small")} == {Decimal}


def test_members_of_an_enumeration_nobody_knows_are_only_text() -> None:
    assert answer({"Organisations": [{"Class": "ULTRA2030"}]}, method=READ)["Organisations"][0]["Class"] == "ULTRA2030"


@pytest.mark.parametrize("status", [204, 304])
def test_an_empty_answer_is_empty(status: int) -> None:
    assert answer(status=status) == {}


@pytest.mark.parametrize("body", [b"", b"<html>Sorry</html>", b'{"Invoices": [', b"[]", b"null", b"\xff\xfe", b'{"Total": NaN}'])
def test_a_success_nobody_can_read_is_uncertain_for_a_write_and_retryable_for_a_read(body: bytes) -> None:
    assert type(error(body)) is Uncertain
    assert type(error(body, method=READ)) is Retryable


def test_the_errors_of_an_element_are_read_before_the_status_it_echoes() -> None:
    raised = error(DELETED_IN_VAIN, method="POST")
    assert isinstance(raised, Rejected)
    assert [(problem.message, problem.where) for problem in raised.problems] == [
        ("Invoice not of valid status for modification", "Invoices[0]")
    ]


def test_every_error_of_every_level_is_told_once_with_its_place() -> None:
    document = {
        "Invoices": [
            {"InvoiceNumber": "A-1", "HasErrors": False},
            {
                "HasErrors": True,
                "ValidationErrors": [{"Message": "Account code '999' is not valid."}],
                "LineItems": [
                    {"ValidationErrors": []},
                    {"ValidationErrors": [{"Message": "Account code '999' is not valid."}, {"Message": "Tax is wrong."}]},
                ],
                "Contact": {"Addresses": [{"ValidationErrors": [{"Message": "The city is too long."}]}]},
            },
        ]
    }
    raised = error(document)
    assert isinstance(raised, Rejected)
    assert [(problem.message, problem.where) for problem in raised.problems] == [
        ("Account code '999' is not valid.", "Invoices[1]"),
        ("Tax is wrong.", "Invoices[1].LineItems[1]"),
        ("The city is too long.", "Invoices[1].Contact.Addresses[0]"),
    ]
    assert str(raised) == "Account code '999' is not valid. Tax is wrong. The city is too long."


@pytest.mark.parametrize(
    "mark", [{"HasErrors": True}, {"StatusAttributeString": "ERROR"}, {"HasErrors": True, "ValidationErrors": None}]
)
def test_an_element_that_failed_without_a_word_is_still_refused(mark: dict[str, Any]) -> None:
    raised = error({"Invoices": [{"Status": "AUTHORISED", **mark}]})
    assert isinstance(raised, Rejected)
    assert raised.problems[0].where == "Invoices[0]"


def test_warnings_stay_in_the_answer() -> None:
    document = {
        "Invoices": [{"StatusAttributeString": "WARNING", "Warnings": [{"Message": "The rate is odd."}], "HasErrors": False}]
    }
    assert answer(document) == document


def test_what_a_read_document_says_of_old_errors_does_not_stop_the_reading() -> None:
    assert answer({"Contacts": [{"HasErrors": True, "ValidationErrors": [{"Message": "old"}]}]}, method=READ)["Contacts"]


def test_a_validation_exception_is_a_refusal_in_xeros_words() -> None:
    raised = error(DUPLICATE_NAME, status=400)
    assert isinstance(raised, Rejected)
    assert [(problem.message, problem.where) for problem in raised.problems] == [(TAKEN, "Elements[0]")]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (
            {"ErrorNumber": 17, "Type": "NoDataProcessedException", "Message": "No data has been processed."},
            "No data has been processed.",
        ),
        ({"Type": "PostDataInvalidException", "Message": "JSON for post data was invalid"}, "JSON for post data was invalid"),
        (
            {"Type": None, "Title": "Bad Request", "Status": 400, "Detail": "The where clause is wrong."},
            "The where clause is wrong.",
        ),
        (
            {"Type": "ValidationException", "Message": "A validation exception occurred", "Elements": []},
            "A validation exception occurred",
        ),
        (b"<html>Bad request</html>", "Xero refused the request (400) without saying why."),
        (None, "Xero refused the request (400) without saying why."),
    ],
)
def test_a_400_without_elements_is_a_refusal_in_the_words_it_has(body: Any, sentence: str) -> None:
    raised = error(body, status=400)
    assert isinstance(raised, Rejected)
    assert [problem.message for problem in raised.problems] == [sentence]


def test_a_key_used_with_another_request_is_uncertain_and_never_a_refusal() -> None:
    body = {"ErrorNumber": 10, "Type": "ValidationException", "Message": "Idempotency Key: abc is used with a different request."}
    raised = error(body, status=400)
    assert type(raised) is Uncertain
    assert "abc" not in str(raised)


@pytest.mark.parametrize("word", ["insufficient_scope", "insufficent_scope"])
@pytest.mark.parametrize("status", [401, 403])
def test_a_consent_too_narrow_needs_scope_however_xero_spells_it(word: str, status: int) -> None:
    assert type(error(status=status, headers={"www-authenticate": f'Bearer error="{word}"'})) is NeedsScope
    assert type(error({"Title": "Unauthorized", "Detail": word}, status=status)) is NeedsScope


def test_an_expired_token_is_refused_for_now_and_not_named() -> None:
    raised = error(
        {"Title": "Unauthorized", "Status": 401, "Detail": "TokenExpired: token expired at 09:00 eyJhbGciOi"}, status=401
    )
    assert type(raised) is TokenRefused
    assert isinstance(raised, Retryable)
    assert not isinstance(raised, Uncertain)
    assert "eyJ" not in str(raised)


def test_an_organisation_no_longer_connected_is_disconnected() -> None:
    assert type(error({"Title": "Forbidden", "Status": 403, "Detail": "AuthenticationUnsuccessful"}, status=403)) is Disconnected


def test_any_other_403_is_the_administrators_in_xeros_words() -> None:
    raised = error({"Title": "Forbidden", "Detail": "The user lacks the role."}, status=403)
    assert type(raised) is ConfigurationError
    assert str(raised) == "The user lacks the role."
    assert type(error(b"<html/>", status=403)) is ConfigurationError


def test_a_404_with_its_empty_html_body_is_not_found() -> None:
    assert type(error(b"", method=READ, status=404, headers={"Content-Type": "text/html"})) is NotFound


@pytest.mark.parametrize(
    ("headers", "problem", "seconds"),
    [
        ({"X-Rate-Limit-Problem": "minute", "Retry-After": "26", "X-MinLimit-Remaining": "0"}, "minute", 26),
        ({"x-rate-limit-problem": "Minute", "retry-after": "26"}, "minute", 26),
        ({"X-Rate-Limit-Problem": "day", "Retry-After": "73451"}, "day", 73_451),
        ({"X-Rate-Limit-Problem": "Daily", "Retry-After": "66975"}, "day", 66_975),
        ({"X-Rate-Limit-Problem": "day"}, "day", 3_600),
        ({"X-Rate-Limit-Problem": "concurrent"}, "concurrent", 2),
        ({"X-Rate-Limit-Problem": "appminute", "Retry-After": "7"}, "appminute", 7),
        ({"X-Rate-Limit-Problem": "minute", "Retry-After": "0"}, "minute", 1),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, "minute", 60),
        ({}, "minute", 60),
    ],
)
@pytest.mark.parametrize("method", [READ, WRITE])
def test_a_429_says_which_limit_and_when_to_come_back(headers: dict[str, str], problem: str, seconds: int, method: str) -> None:
    raised = error(b"", method=method, status=429, headers=headers)
    assert isinstance(raised, Throttled)
    assert (raised.problem, raised.retry_after) == (problem, timedelta(seconds=seconds))


@pytest.mark.parametrize("status", [302, 408, 409, 500, 502, 503, 504, 520, 599])
def test_a_fault_of_the_server_is_uncertain_for_a_write_and_retryable_for_a_read(status: int) -> None:
    for method in ("PUT", "POST", "DELETE"):
        assert type(error(b"<html/>", method=method, status=status)) is Uncertain
    assert type(error({"Message": "An error occurred in Xero."}, method=READ, status=status)) is Retryable


@pytest.mark.parametrize("status", [402, 405, 406, 410, 412, 413, 414, 415, 422])
def test_any_other_refusal_is_told(status: int) -> None:
    raised = error(b"", status=status)
    assert isinstance(raised, Rejected)
    assert str(status) in str(raised)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("/Date(1518685950940+0000)/", datetime(2018, 2, 15, 9, 12, 30, 940_000, UTC)),
        ("/Date(1518685950940+1300)/", datetime(2018, 2, 15, 9, 12, 30, 940_000, UTC)),
        ("/Date(1789378203533)/", datetime(2026, 9, 14, 9, 30, 3, 533_000, UTC)),
        ("/Date(-86400000+0000)/", datetime(1969, 12, 31, tzinfo=UTC)),
        ("2010-11-19T12:01:01Z", datetime(2010, 11, 19, 12, 1, 1, tzinfo=UTC)),
        ("2019-12-07T18:46:19.5165400", datetime(2019, 12, 7, 18, 46, 19, 516_540, UTC)),
        ("2026-01-02T03:04:05+13:00", datetime(2026, 1, 1, 14, 4, 5, tzinfo=UTC)),
    ],
)
def test_an_instant_is_read_in_either_spelling(text: str, instant: datetime) -> None:
    assert xero_instant(text) == instant
    assert xero_instant(text).tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("/Date(1789344000000+0000)/", date(2026, 9, 14)),
        ("/Date(1782691200000+0000)/", date(2026, 6, 29)),
        ("2026-09-14T00:00:00", date(2026, 9, 14)),
        ("2026-09-14", date(2026, 9, 14)),
    ],
)
def test_a_date_is_the_day_xero_shows_whatever_the_zone(text: str, day: date) -> None:
    assert xero_date(text) == day


@pytest.mark.parametrize("text", ["", "yesterday", "/Date()/", "/Date(12", "14/09/2026"])
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        xero_instant(text)
    with pytest.raises(ValueError, match=r"."):
        xero_date(text)
