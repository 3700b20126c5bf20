"""The failure tree, named for who must act.

    ConnectorError
    ├── Retryable                nobody acts: the wires will mend; the record stays Waiting and due
    │   ├── Throttled            a vendor said when to come back; does not count as an attempt
    │   ├── Uncertain            a write may or may not have happened: look upstream before any second try
    │   ├── NotReady             something it refers to has not crossed yet, or another worker holds it
    │   └── Changed              somebody else wrote the row first (412): read again
    ├── Rejected                 a salesperson or bookkeeper acts: Xero, Dataverse or our own checks refused the record
    │   └── NotDue               nobody acts now: the record itself says it must wait (no lines yet, a future date)
    ├── NotFound                 the row or document is not there (404)
    ├── ConfigurationError       an administrator acts
    │   ├── NeedsReconnect       Xero's consent is gone (invalid_grant)
    │   ├── NeedsScope           Xero's consent is too narrow (insufficient_scope)
    │   ├── Disconnected         this organisation is no longer connected (403 AuthenticationUnsuccessful)
    │   └── WrongBooks           the seal of the connector does not match what was found
    └── BadMessage               a queue message nobody can read: it becomes an Outcome, never silence

Sources: SPEC 7-10; reference style 4.7.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Problem:
    """Say one thing that is wrong with a record, in words its reader can act on.

    ``message`` is the vendor's sentence or ours; ``where`` names the field or line; ``cause``, ``fix`` and ``who``
    are filled by ``functions.explain`` when the raiser does not know them (``who``: salesperson, bookkeeper, administrator, nobody).
    """

    message: str
    where: str = ""
    cause: str = ""
    fix: str = ""
    who: str = ""

    @property
    def sentence(self) -> str:
        """Return where it is and what is wrong, as the record tells it."""
        return f"{self.where}: {self.message}" if self.where else self.message


class ConnectorError(Exception):
    """Any failure the product anticipates."""


class Retryable(ConnectorError):
    """Nothing is wrong with the record; try again later."""


class Throttled(Retryable):
    """A rate limit: come back after ``retry_after``. ``problem`` is minute, day, concurrent, appminute or dataverse."""

    def __init__(self, problem: str, retry_after: timedelta) -> None:
        super().__init__(f"Rate limit ({problem}): try again in {int(retry_after.total_seconds())} s.")
        self.problem = problem
        self.retry_after = retry_after


class Uncertain(Retryable):
    """A write was sent and its end is unknown (no answer, a 5xx, or a key used with a different request)."""


class NotReady(Retryable):
    """Something this record needs is not there yet; ``retry_after`` says when to look again."""

    def __init__(self, message: str, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Changed(Retryable):
    """The row was changed by somebody else (HTTP 412)."""


class Rejected(ConnectorError):
    """The record cannot go as it is; ``problems`` say why."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(" ".join(problem.message for problem in problems))
        self.problems = problems


class NotDue(Rejected):
    """The record waits for something it says itself; ``until`` (ISO instant, UTC) when the time is known."""

    def __init__(self, problem: Problem, until: str = "") -> None:
        super().__init__((problem,))
        self.until = until


class NotFound(ConnectorError):
    """The row or document does not exist (HTTP 404)."""


class ConfigurationError(ConnectorError):
    """An administrator must change a setting, a permission or a connection."""


class NeedsReconnect(ConfigurationError):
    """Xero refused the refresh token for good: an administrator must connect again."""


class NeedsScope(ConfigurationError):
    """Xero's consent lacks a scope: an administrator must connect again and allow it."""


class Disconnected(ConfigurationError):
    """Xero no longer lets this app into this organisation."""


class WrongBooks(ConfigurationError):
    """The connector is sealed to another environment or organisation: nothing is sent."""


class BadMessage(ConnectorError):
    """A queue message that is not a SyncMessage, or names an unknown flow or connector."""
