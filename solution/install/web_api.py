"""Speak to one environment's Web API: exact JSON, a time-out on every call, no write sent twice.

Source: Microsoft Learn, "Compose HTTP requests and handle errors" and "Service protection API limits".
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests

from solution.install.problem import Problem, Refused, Unknown

Json = dict[str, Any]
SERVICE = "/api/data/v9.2/"
TIMEOUT = (10, 300)  # seconds to connect, and for an answer: a table takes Dataverse up to a minute, a staged file more
READS = 4  # how often a read is tried
PASSING = frozenset({429, 502, 503, 504})
LOCAL = re.compile(r"localhost(:\d+)?")

# fmt: off
STEPS: Mapping[str, str] = {
    # code        what to do
    "0x80040220": "Sign in as a System Administrator or System Customizer of the environment.",
    "0x80048306": "Sign in as a System Administrator or System Customizer of the environment.",
    "0x80072560": "Add the user to the environment (Power Platform admin center → Environments → Users), then run the command again.",
    "0x80040225": "Enable the user in the Power Platform admin center, then run the command again.",
    "0x80071151": "Another import or uninstall is under way in the environment: wait until it has ended, then run the command again.",
    "0x80048041": "The managed solution is installed: run the command with --managed, or uninstall it first.",
    "0x80048040": "The unmanaged solution is installed: run the command without --managed, or uninstall it first.",
    "0x8004801a": "The solution file is broken: build it again with `python -m solution build`, or download it again.",
    "0x8004f01f": "Take away what uses it (the message names it), then run the command again.",
}
# fmt: on


class WebApi:
    """One environment, signed in: `token` returns an access token for it whenever one is needed."""

    def __init__(
        self, environment: str, token: Callable[[], str], *, pause: Callable[[float], None] = time.sleep, solution: str = ""
    ) -> None:
        self.environment = address(environment)
        self.root = self.environment + SERVICE
        self.pause = pause
        self.solution = solution
        self.writes = 0
        self._token = token
        self._session = requests.Session()
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def get(self, path: str) -> Json:
        """Return the JSON behind a path; raises Refused or Problem. A read is tried again when the service was busy."""
        for attempt in range(1, READS + 1):
            try:
                answer = self._send("GET", path, None)
            except requests.RequestException as error:
                if attempt == READS:
                    raise Problem(
                        f"{self.environment} does not answer ({type(error).__name__}).",
                        "Check the address and the network, then run the command again.",
                    ) from error
                self.pause(attempt)
                continue
            if answer.status_code not in PASSING or attempt == READS:
                break
            self.pause(min(float(answer.headers.get("Retry-After") or attempt), 60))
        found: Json = self._checked(answer).json()
        return found

    def find(self, path: str) -> Json | None:
        """Return the JSON behind a path, or None when there is nothing (404)."""
        try:
            return self.get(path)
        except Refused as refused:
            if refused.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    def rows(self, path: str) -> list[Json]:
        """Return every row of a query, page after page."""
        return list(self._pages(path))

    def first(self, path: str) -> Json | None:
        """Return the first row of a query, or None."""
        return next(iter(self.get(path)["value"]), None)

    def write(self, method: str, path: str, body: Json | None = None, **headers: str) -> Json:
        """Send a write once; return its JSON, or `{"id": …}` of what was made.

        Raises Refused for a no, and Unknown when no answer came: whether it was done shows when the command runs again.
        """
        self.writes += 1
        try:
            answer = self._send(method, path, body, **headers)
        except requests.RequestException as error:
            raise Unknown(
                f"No answer came to {method} {path.partition('(')[0]} ({type(error).__name__}): it may have been done.",
                "Run the command again: it looks first and goes on from there.",
            ) from error
        self._checked(answer)
        if answer.content:
            found: Json = answer.json()
            return found
        return {"id": answer.headers.get("OData-EntityId", "").rpartition("(")[2].rstrip(")")}

    def _pages(self, path: str) -> Iterator[Json]:
        while path:
            page = self.get(path)
            yield from page["value"]
            path = str(page.get("@odata.nextLink", "")).removeprefix(self.root)

    def _send(self, method: str, path: str, body: Json | None, **headers: str) -> requests.Response:
        given = {
            "Authorization": f"Bearer {self._token()}",
            "Accept": "application/json",
            "OData-Version": "4.0",
            "OData-MaxVersion": "4.0",
            "If-None-Match": "null",
            **({"Consistency": "Strong"} if method == "GET" else {}),
            **({"MSCRM.SolutionUniqueName": self.solution} if self.solution and method in ("POST", "PATCH", "PUT") else {}),
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        if body is not None or method != "GET":
            given.pop("If-None-Match") if "If-None-Match" not in headers and method != "GET" else None
        return self._session.request(method, self.root + path, json=body, headers=given, timeout=TIMEOUT, allow_redirects=False)

    def _checked(self, answer: requests.Response) -> requests.Response:
        if answer.status_code < HTTPStatus.MULTIPLE_CHOICES:
            return answer
        try:
            error = answer.json()["error"]
            code, message = str(error["code"]).lower(), str(error["message"])
        except (ValueError, KeyError, TypeError):
            code, message = "", f"{self.environment} answered {answer.status_code} without a reason."
        raise Refused(answer.status_code, code, message, _step(answer.status_code, code))


def _step(status: int, code: str) -> str:
    if code in STEPS:
        return STEPS[code]
    if status == HTTPStatus.UNAUTHORIZED:
        return "Sign in again, with an account of this environment's tenant."
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return "The environment is busy: wait five minutes, then run the command again."
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "The service is in trouble: wait a little, then run the command again."
    return ""


def address(text: str) -> str:
    """Return an environment's address as https://host; raises Problem for anything else."""
    parts = urlsplit(text.strip() if "://" in text else f"https://{text.strip()}")
    if (
        parts.scheme != "https"
        or not parts.hostname
        or parts.username
        or ("." not in parts.hostname and not LOCAL.fullmatch(parts.netloc))
    ):
        raise Problem(
            f"'{text}' is not the address of an environment.",
            "Give it as in the browser, for example https://contoso.crm.dynamics.com.",
        )
    return f"https://{parts.netloc}"
