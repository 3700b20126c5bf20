"""Environments of Dynamics 365 seeded once a process: each stand-in begins with a copy, as quickly as ``reset`` puts one back."""

from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any

from flask import Flask

from sandbox.dataverse import Sandbox, create_app


@cache
def image(now: datetime, *, bare: bool = False) -> bytes:
    """Seed an environment as it is at that moment; *bare*: without our solution."""
    sandbox: Sandbox = create_app(now=lambda: now, bare=bare).extensions["sandbox"]
    try:
        return sandbox.environment.store.snapshot()
    finally:
        sandbox.close()


def dataverse(now: Callable[[], datetime], *, seeded: datetime | None = None, bare: bool = False, **options: Any) -> Flask:
    """Build a stand-in for Dataverse from such an image, of this moment unless another is given."""
    begun = image(seeded or now(), bare=bare)
    return create_app(now=now, seed=lambda environment: environment.store.restore(begun), **options)
