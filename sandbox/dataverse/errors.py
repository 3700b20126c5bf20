"""Say no as Dataverse says it: a status, an error code and a sentence.

Codes: Microsoft Learn, "Web service error codes" (ErrorCodes.cs of the SDK); shape: "Compose HTTP requests and handle errors".
"""

from __future__ import annotations

from collections.abc import Mapping

BAD_REQUEST = "0x80048d19"
BAD_QUERY = "0x80060888"
BAD_ARGUMENT = "0x80040203"
BAD_CHOICE = "0x8004431a"
TEXT_TOO_LONG = "0x80044331"
OUT_OF_RANGE = "0x80044330"
STATE_STATUS_MISMATCH = "0x80048408"
INVALID_STATE_TRANSITION = "0x8004f00e"
READ_ONLY = "0x8004022e"
ENTITY_IS_LOCKED = "0x80043b1d"
CANNOT_PAY_NON_ACTIVE = "0x80100000"
CANNOT_CANCEL = "0x80100001"
PRICE_LIST_CURRENCY_MISMATCH = "0x80048cf6"
PRODUCT_WITH_DESCRIPTION = "0x80043afb"
UNIT_WITH_DESCRIPTION = "0x80043afa"
MISSING_UNIT = "0x80043b0d"
MISSING_PRODUCT = "0x80043b11"
INVALID_UNIT = "0x80043b14"
NOT_FOUND = "0x80040217"
KEY_NOT_FOUND = "0x80060891"
KEY_NOT_DEFINED = "0x80060890"
DUPLICATE_KEY = "0x80060892"
DUPLICATE = "0x80040237"
VERSION_MISMATCH = "0x80060882"
CANNOT_DELETE = "0x80047002"
PRIVILEGE_DENIED = "0x80040220"
USER_NOT_MEMBER = "0x80072560"
USER_DISABLED = "0x80040225"
TOO_MANY_REQUESTS = "0x80072322"
TOO_MUCH_TIME = "0x80072321"
TOO_CONCURRENT = "0x80072326"
EXPIRED_VERSION = "0x80044352"


class Refused(Exception):
    """Dataverse refuses the request: HTTP *status*, error *code* and *message*, and any extra answer *headers*."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


def row_missing(table: str, row_id: str) -> Refused:
    """Return the 404 for a row that does not exist."""
    return Refused(404, NOT_FOUND, f"{table} With Id = {row_id} Does Not Exist")


def property_missing(table: str, name: str) -> Refused:
    """Return the 400 for a query that names something the table lacks."""
    return Refused(400, BAD_QUERY, f"Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.{table}'.")
