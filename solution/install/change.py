"""One thing that is not in an environment as the solution has it, and how to make it right."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What is the matter."""

    MISSING = "missing"
    DIFFERENT = "different"
    EXTRA = "extra"
    CONFLICT = "conflict"


@dataclass(frozen=True)
class Change:
    """One difference: what, in which way, and the write that makes it right.

    Without `act` a person must do something (`step`), or nothing is wanted (EXTRA). `last` marks what may only be
    written when everything else is done: the version.
    """

    kind: Kind
    what: str
    detail: str
    act: Callable[[], object] | None = None
    step: str = ""
    last: bool = False

    def __str__(self) -> str:
        """Return the line `check` prints."""
        text = f"{self.kind:<9} {self.what}"
        text += f": {self.detail}" if self.detail else ""
        return f"{text}\n{'':10}→ {self.step}" if self.step else text
