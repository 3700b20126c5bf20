"""Waiting until something is so, never for a time: a busy machine takes long, and no test waits longer than it must."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

PATIENCE = 240
"""Seconds after which a test gives up."""
Told = TypeVar("Told")


def until(question: Callable[[], Told], what: str = "it became so") -> Told:
    """Ask until the answer is true and return it."""
    deadline = time.monotonic() + PATIENCE
    while not (told := question()):
        assert time.monotonic() < deadline, f"not within {PATIENCE} s: {what}"
        time.sleep(0.03)
    return told


def is_alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not), as /proc tells it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
