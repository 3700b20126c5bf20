"""Ask the app to look for what is due, as its timers do: what a person does on the page is then seen at once."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator

import requests
import simplejson

from functions.flows import FLOWS, Flow
from functions.from_xero import FromXero
from sandbox.demo.dynamics import Dynamics, Refused

BETWEEN = 8.0
"""Seconds between two looks into Xero's lists, however much is clicked: each is some calls, and Xero allows sixty a minute."""
LATER = (4.0, 10.0)
"""Seconds after such a look until the flows are asked that do only what others ask of them."""


def _is_listed(flow: Flow) -> bool:
    return isinstance(flow.source, FromXero) and flow.source.listed


LISTED = tuple(flow for flow in FLOWS if _is_listed(flow))
ON_REQUEST = tuple(flow for flow in FLOWS if isinstance(flow.source, FromXero) and not flow.source.listed)
TO_XERO = tuple(flow for flow in FLOWS if not isinstance(flow.source, FromXero))


class Looker:
    """Ask for every flow that is enabled, by a thread of its own: no page waits for it, and many clicks are one look."""

    def __init__(self, dynamics: Dynamics, app: str) -> None:
        self._dynamics = dynamics
        self._app = app
        self._asked = threading.Event()
        self._session = requests.Session()
        self._session.trust_env = False
        threading.Thread(target=self._keep_asking, name="look", daemon=True).start()

    def look(self) -> None:
        """Have the app look, at once where that costs no call of Xero."""
        self._asked.set()

    def _keep_asking(self) -> None:
        read_at, due, later = -math.inf, math.inf, list[float]()
        while True:
            until = min(due, *later, math.inf)
            is_asked = self._asked.wait(None if until == math.inf else max(0.0, until - time.monotonic()))
            self._asked.clear()
            now = time.monotonic()
            if is_asked:
                self._ask(TO_XERO)
                due = max(now, read_at + BETWEEN)
            if now >= due:
                self._ask(LISTED)
                read_at, due, later = now, math.inf, [now + seconds for seconds in LATER]
            elif later and now >= later[0]:
                self._ask(ON_REQUEST)
                later.pop(0)

    def _ask(self, flows: tuple[Flow, ...]) -> None:
        """Send the sweep messages; a host or an environment that is away looks by itself later."""
        try:
            for message in messages(self._dynamics, flows):
                body = {"input": simplejson.dumps(message)}
                self._session.post(f"{self._app}/admin/functions/sweeps", json=body, timeout=10)
        except (requests.RequestException, Refused):
            return


def messages(dynamics: Dynamics, flows: tuple[Flow, ...]) -> Iterator[dict[str, str]]:
    """Yield the sweep messages of every connector: a flow's own row says whether it is enabled, else the flow itself."""
    environment = dynamics.url.removeprefix("https://")
    own = {
        (row["_mag_xeroconnectorid_value"], row["mag_flow"]): row["mag_enabled"]
        for row in dynamics.rows(
            "mag_xeroflows", select="_mag_xeroconnectorid_value,mag_flow,mag_enabled", filter="statecode eq 0"
        )
    }
    for row in list(dynamics.rows("mag_xeroconnectors", select="mag_xeroconnectorid")):
        connector = row["mag_xeroconnectorid"]
        for flow in flows:
            chosen = own.get((connector, flow.name))
            if flow.enabled if chosen is None else chosen:
                yield {"connector": f"{environment}|{connector}", "flow": flow.name}
