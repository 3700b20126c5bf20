"""What Xero answers when it refuses, as exceptions the views raise."""

from collections.abc import Sequence


class Refusal(Exception):
    """A whole request refused with 400: `{"ErrorNumber", "Type", "Message"}`."""

    number = 14
    type = "PostDataInvalidException"


class PostDataInvalid(Refusal):
    """The body is not what the endpoint reads (not JSON, wrong type, unknown field)."""


class QueryInvalid(Refusal):
    """The `where` or `order` cannot be read."""

    number = 16
    type = "QueryParseException"


class NoDataProcessed(Refusal):
    """The body holds no element of the endpoint."""

    number = 17
    type = "NoDataProcessedException"


class IdempotencyMismatch(Refusal):
    """The Idempotency-Key is too long or belongs to another request."""

    number = 10
    type = "ValidationException"


class Invalid(Exception):
    """One element refused by validation; the other elements of the request are not touched."""

    def __init__(self, *problems: str, lines: dict[int, list[str]] | None = None, contact: Sequence[str] = ()) -> None:
        super().__init__("; ".join(problems))
        self.problems = list(problems)
        self.lines = lines or {}
        self.contact = list(contact)


class NotFound(Exception):
    """404 with an empty text/html body, as Xero answers for an unknown id."""
