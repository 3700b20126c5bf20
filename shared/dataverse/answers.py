"""What an answer of the Dataverse Web API means: its body, or the error named for who must act. Pure.

Codes and their meaning: Microsoft's ErrorCodes list (reference dataverse 2.8); limits: dataverse 3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from shared.errors import (
    Changed,
    ConfigurationError,
    ConnectorError,
    NotFound,
    Problem,
    Rejected,
    Retryable,
    Throttled,
    Uncertain,
)
from shared.services import Answer, Operation

DEFAULT_WAIT = timedelta(seconds=60)
LONGEST_WAIT = timedelta(hours=1)

_ROW = re.compile(r"\(([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})\)$")
_PRIVILEGE = re.compile(r"\bprv[A-Za-z_0-9]+")


class ReadOnlyRow(Rejected):
    """The row is closed (a Paid or Canceled invoice, or a line of one): reactivate, write, restore (SPEC 5)."""


class Duplicate(Changed):
    """Another row already holds the key (or the link exists): read it and update it."""


def result(answer: Answer, *, write: bool = True) -> Any:
    """Return the body of *answer* (None when it has none) or raise what went wrong.

    *write* says what was asked: without a definite answer a write is Uncertain, a read merely Retryable.

    Raises NotFound (the row is gone), Changed and Duplicate (412), Rejected with Dataverse's sentence, ReadOnlyRow,
    ConfigurationError (a privilege, the application user, the solution), Throttled, Retryable or Uncertain.
    """
    if 200 <= answer.status < 300:
        return answer.body
    raise failure(answer, write=write)


def results(operations: Sequence[Operation], answers: Sequence[Answer]) -> list[Any]:
    """Return the body of every answer, or raise the first failure."""
    return [result(answer, write=is_write(operation)) for operation, answer in zip(operations, answers, strict=True)]


def is_write(operation: Operation) -> bool:
    return operation.method != "GET"


def row_id(answer: Answer) -> str:
    """Return the id of the row a create or an upsert wrote, from OData-EntityId; "" when the answer names none."""
    found = _ROW.search(answer.headers.get("OData-EntityId", ""))
    return found.group(1).lower() if found else ""


def failure(answer: Answer, *, write: bool) -> ConnectorError:
    """Return the error an *answer* that is no success stands for.

    A read that is refused is our own question gone wrong, such as a column the environment does not have: no salesperson can mend
    that, so it is never Rejected.
    """
    found = _failure(answer, write)
    if write or not isinstance(found, Rejected):
        return found
    return ConfigurationError(
        f"Dataverse refused a read: {found} Check that the connector's solution is installed in its newest version, and the columns"
        " that mappings/local.py names."
    )


def _failure(answer: Answer, write: bool) -> ConnectorError:
    error = answer.body.get("error") if isinstance(answer.body, Mapping) else None
    code = str(error.get("code") or "").lower() if isinstance(error, Mapping) else ""
    message = str(error.get("message") or "").strip() if isinstance(error, Mapping) else ""
    if answer.status == 429 or code in THROTTLES:
        return Throttled("dataverse", _retry_after(answer.headers))
    if code in CODES:
        return CODES[code](message or f"Dataverse answered with error {code}.")
    if answer.status >= 500 or answer.status == 408:
        return _unknown(f"Dataverse answered {answer.status}.", write)
    if not isinstance(error, Mapping):
        return _not_dataverse(answer, write)
    if answer.status == 401:
        return ConfigurationError("Dataverse does not accept the app's token: check DATAVERSE_TENANT_ID and DATAVERSE_CLIENT_ID.")
    if answer.status == 403:
        return _privilege(message)
    if answer.status == 404:
        return NotFound(message or "The row does not exist.")
    if answer.status == 412:
        return _duplicate(message) if "already exists" in message.lower() else Changed(message or "The row was changed.")
    return _rejected(message or f"Dataverse answered {answer.status}.")


def _not_dataverse(answer: Answer, write: bool) -> ConnectorError:
    """Judge an answer that is not Dataverse's own (a gateway's page, a sign-in redirect): never mistake it for a missing row."""
    if 300 <= answer.status < 400:
        return ConfigurationError("The environment's address answers with a redirect: check the address.")
    if answer.status in (401, 403):
        return ConfigurationError(
            f"The environment refuses the app ({answer.status}): check that it is enabled and lets the app in."
        )
    return _unknown(f"A gateway answered {answer.status} in place of Dataverse.", write)


def _unknown(message: str, write: bool) -> ConnectorError:
    return Uncertain(message) if write else Retryable(message)


def _retry_after(headers: Mapping[str, str]) -> timedelta:
    """Read Retry-After: seconds, or a date that the answer's own Date turns into a wait."""
    text = headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return min(timedelta(seconds=int(text[:9])), LONGEST_WAIT)
    try:
        wait = parsedate_to_datetime(text) - parsedate_to_datetime(headers.get("Date", ""))
    except (ValueError, TypeError):
        return DEFAULT_WAIT
    return min(max(wait, timedelta()), LONGEST_WAIT)


def _gone(message: str) -> ConnectorError:
    return NotFound(message)


def _changed(message: str) -> ConnectorError:
    return Changed(message)


def _duplicate(message: str) -> ConnectorError:
    return Duplicate(message)


def _read_only(message: str) -> ConnectorError:
    return ReadOnlyRow((Problem(message),))


def _rejected(message: str) -> ConnectorError:
    return Rejected((Problem(message),))


def _transient(message: str) -> ConnectorError:
    return Retryable(f"Dataverse's database did not finish and undid the request: {message}")


def _privilege(message: str) -> ConnectorError:
    found = _PRIVILEGE.search(message)
    if not found:
        return ConfigurationError(f"Dataverse refuses the app's user: {message or 'a privilege is missing'}")
    return ConfigurationError(
        f"The app's user in Dataverse lacks the privilege {found.group()}: add it to the role Xero Connector."
    )


def _no_user(message: str) -> ConnectorError:
    return ConfigurationError("The app is no user of this environment: add it as an application user with the connector's role.")


def _disabled(message: str) -> ConnectorError:
    return ConfigurationError("The app's user in this environment is disabled: enable it in the Power Platform admin center.")


def _old_solution(message: str) -> ConnectorError:
    return ConfigurationError(f"The connector's solution is missing or too old in this environment: {message}")


# fmt: off
THROTTLES = frozenset((
    "0x80072321", "0x80072322", "0x80072323", "0x80072324", "0x80072325", "0x80072326", "0x8005f103",
))
CODES = {
    # code          meaning           Microsoft's name
    "0x80040217":   _gone,          # ObjectDoesNotExist
    "0x80060891":   _gone,          # RecordNotFoundByEntityKey
    "0x80060882":   _changed,       # ConcurrencyVersionMismatch
    "0x80060892":   _duplicate,     # DuplicateRecordEntityKey
    "0x80040237":   _duplicate,     # DuplicateRecord: also an N:N link that exists
    "0x80073002":   _duplicate,     # a unique constraint
    "0x80040220":   _privilege,     # PrivilegeDenied
    "0x80048306":   _privilege,     # not enough privilege
    "0x80072560":   _no_user,       # UserNotMemberOfOrg
    "0x80040225":   _disabled,      # the user is not enabled
    "0x8004022e":   _read_only,     # CannotUpdateBecauseItIsReadOnly
    "0x80043b09":   _read_only,     # ParentReadOnly
    "0x80043b1d":   _read_only,     # EntityIsLocked
    "0x80044150":   _transient,     # a SQL error: the transaction was undone
    "0x80044151":   _transient,     # a SQL time-out
    "0x80040265":   _rejected,      # IsvAborted: a plug-in of the customer refused, whatever the status
    "0x80060890":   _old_solution,  # EntityKeyNotDefined
    "0x8006088a":   _old_solution,  # resource not found for the segment: the table is missing
    "0x8006088d":   _old_solution,  # OptimisticConcurrencyNotEnabled
    "0x80048d19":   _old_solution,  # a column in the body does not exist
}
# fmt: on
