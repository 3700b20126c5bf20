"""Environments to install into: served over TLS by the stand-in, one bare, one with the connector installed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

from flask import Flask

from sandbox.dataverse import Sandbox
from sandbox.dataverse.demo_company import CLIENT_ID
from sandbox.dataverse.live import serving
from sandbox.entra import Certificates
from sandbox.xero.faults import Fault
from solution.install.installing import Wishes, install
from solution.install.web_api import WebApi
from solution.publisher import UNIQUE_NAME
from tests import images
from tests.ports import free_port

NOW = datetime(2026, 11, 21, 1, 30, tzinfo=UTC)
ADMINISTRATOR = "aroha.ngata@kowhai.example"
SALESPERSON = "tomasi.faleolo@kowhai.example"


@dataclass
class Place:
    """One environment, its stand-in behind it, and what the installer said."""

    app: Flask
    url: str
    said: list[str] = field(default_factory=list)

    @property
    def sandbox(self) -> Sandbox:
        found: Sandbox = self.app.extensions["sandbox"]
        return found

    def api(self, person: str = ADMINISTRATOR, *, solution: str = "") -> WebApi:
        """Sign somebody in; waiting is the stand-in's clock going on."""
        token = cache(lambda half_hour: self.sandbox.person_token(person))
        return WebApi(self.url, lambda: token(self.sandbox.clock.now().timestamp() // 1800), pause=self.pause, solution=solution)

    def pause(self, seconds: float) -> None:
        self.sandbox.clock.advance(seconds)

    def say(self, line: str) -> None:
        self.said.append(line)

    @property
    def told(self) -> str:
        return "\n".join(self.said)

    def install(self, **wishes: Any) -> WebApi:
        """Install, by the way the wishes say."""
        asked = Wishes(**wishes)
        api = self.api(solution=UNIQUE_NAME if asked.by_metadata else "")
        install(api, asked, self.say)
        return api

    def fault(self, kind: str, method: str, path: str, *, skip: int = 0, times: int = 1) -> None:
        self.sandbox.faults.add(Fault(kind, method=method, path=path, skip=skip, times=times))

    def columns(self, table: str) -> set[str]:
        return {name for name in self.sandbox.environment.model[table].columns if name.startswith("mag_")}


Served = Callable[[bytes], Any]


@contextmanager
def served(certificates: Certificates, *, bare: bool) -> Iterator[Place]:
    """Serve a copy of an environment while the block runs."""
    port = free_port()
    url = f"https://localhost:{port}"
    app = images.dataverse(lambda: NOW, public_url=url, bare=bare)
    with serving(app, certificates, port=port):
        yield Place(app, url)
    app.extensions["sandbox"].close()


__all__ = ["ADMINISTRATOR", "CLIENT_ID", "NOW", "SALESPERSON", "Place", "served"]
