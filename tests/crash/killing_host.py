"""The Functions host of sandbox/host that ends itself, as SIGKILL would, at one network call of one push.

``python -m tests.crash.killing_host`` takes the arguments of ``python -m sandbox.host``. KILL_RECORD names the invoice by its id and
KILL_AT the call before which the process dies (1 is the first; one more than there are: after the last).
Calls are counted where urllib3 would put them on a connection: storage, Dataverse and Xero alike.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from datetime import datetime
from typing import Any

import urllib3

from functions import sync as pipeline
from sandbox.host.__main__ import main
from shared.outcomes import Outcome
from shared.services import Services

log = logging.getLogger("killing host")
_push = threading.local()
_send = urllib3.HTTPConnectionPool._make_request
_sync = pipeline.sync


def _counted(*arguments: Any, **options: Any) -> Any:
    if getattr(_push, "calls", None) is not None:
        _push.calls += 1
        _die_at(_push.calls)
    return _send(*arguments, **options)


def _watched(text: str, services: Services, *, owner: str, now: datetime) -> Outcome:
    if os.environ.get("KILL_RECORD", "") not in text:
        return _sync(text, services, owner=owner, now=now)
    _push.calls = 0
    try:
        outcome = _sync(text, services, owner=owner, now=now)
        _die_at(_push.calls + 1)
        log.info("%s survived %d calls and is %s", os.environ.get("KILL_RECORD"), _push.calls, outcome.status)
        return outcome
    finally:
        _push.calls = None


def _die_at(call: int) -> None:
    if str(call) == os.environ.get("KILL_AT"):
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    urllib3.HTTPConnectionPool._make_request = _counted  # type: ignore[method-assign]
    pipeline.sync = _watched
    sys.exit(main())
