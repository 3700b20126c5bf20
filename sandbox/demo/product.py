"""The whole product on this machine: Azurite, the stand-ins, the Functions host and the console page, as processes."""

from __future__ import annotations

import base64
import os
import secrets
import shutil
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import requests
import simplejson

from sandbox import azurite
from sandbox.dataverse import demo_company
from sandbox.demo.dynamics import Dynamics
from sandbox.demo.xero import NZ, UK, Books
from sandbox.entra.directory import TENANT
from sandbox.processes import Processes, ProcessFailed
from shared.settings import SETTINGS

ROOT = Path(__file__).resolve().parent.parent.parent
TO_XERO = "invoices-to-xero"
NEW_INVOICES, STATUS, PAYMENTS, CREDIT_NOTES, BALANCES = FROM_XERO = (
    "invoices-from-xero",
    "invoice-status-from-xero",
    "payments-from-xero",
    "credit-notes-from-xero",
    "balances-from-xero",
)
FLOWS = (TO_XERO, *FROM_XERO)
"""The flows the demo shows."""
LOOK_EVERY = 3.0


class CannotStart(Exception):
    """The product cannot be started here; the message is one sentence for the person at the keyboard."""


@dataclass(frozen=True)
class Ports:
    """Where everything listens on this machine; Azurite takes free ports of its own."""

    console: int = 7080
    xero: int = 7081
    dataverse: int = 7082
    app: int = 7071

    def check(self) -> None:
        """Raise CannotStart when one of them is taken, naming the port and the option."""
        chosen = [port for port in vars(self).values() if port]
        for name, port in vars(self).items():
            if chosen.count(port) > 1:
                raise CannotStart(f"Port {port} is asked for twice: give every --…-port a port of its own.")
            if azurite.is_taken(port):
                raise CannotStart(f"Port {port} is in use: stop the other program, or choose another port with --{name}-port.")


@dataclass
class Product:
    """Start and stop everything; *say* is told what happens, a line each time."""

    run_dir: Path
    ports: Ports = field(default_factory=Ports)
    time_scale: float = 1
    say: Callable[[str], None] = print
    settings: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.processes = Processes(self.run_dir)
        self.connectors: dict[str, str] = {}
        self.started = False
        self._stop_looking = threading.Event()
        self._session = requests.Session()
        self._session.trust_env = False

    @property
    def console_url(self) -> str:
        return f"http://localhost:{self.ports.console}"

    @property
    def xero_url(self) -> str:
        return f"http://localhost:{self.ports.xero}"

    @property
    def dataverse_url(self) -> str:
        return f"https://localhost:{self.ports.dataverse}"

    @property
    def app_url(self) -> str:
        return f"http://localhost:{self.ports.app}"

    @property
    def ca_file(self) -> Path:
        return self.run_dir / "authorities.pem"

    def start(self) -> None:
        """Start everything with nothing remembered from before; raises CannotStart."""
        self.ports.check()
        self.started = True
        shutil.rmtree(self.run_dir, ignore_errors=True)
        self.run_dir.mkdir(parents=True, exist_ok=True)
        try:
            self._step("Azurite (storage)", self._start_azurite)
            self._step(f"Xero stand-in        {self.xero_url}", self._start_xero)
            self._step(f"Dataverse stand-in   {self.dataverse_url}", self._start_dataverse)
            self._step(f"Functions host       {self.app_url}", self._start_host)
            self._step(f"Console page         {self.console_url}", self._start_console)
        except (ProcessFailed, azurite.AzuriteError) as error:
            raise CannotStart(str(error)) from error
        self.dynamics = Dynamics(self.dataverse_url, self.ca_file, self.redirect_uri)
        self.books = {name: Books(self.xero_url, name) for name in (NZ, UK)}

    def stop(self) -> None:
        """Stop everything that was started."""
        self._stop_looking.set()
        for name in ("console", "host", "dataverse", "xero", "azurite"):
            self.processes.stop(name, grace=8)
        self.processes.stop_all()

    def look_now(self, *flows: str, organisation: str = "") -> None:
        """Have the app look now for what these flows find due, as its timer does by itself; unless said otherwise for invoices to
        send, of every organisation."""
        for row_id in [self.connectors[organisation]] if organisation else self.connectors.values():
            for flow in flows or (TO_XERO,):
                message = {"connector": f"localhost:{self.ports.dataverse}|{row_id}", "flow": flow}
                self.trigger("sweeps", simplejson.dumps(message))

    def keep_looking(self, every: float = LOOK_EVERY) -> None:
        """Have the app look for invoices to send every few seconds from now on.

        Never for what is new in Xero: each such look is a call, and Xero allows sixty a minute.
        """

        def look() -> None:
            while not self._stop_looking.wait(every):
                try:
                    self.look_now()
                except requests.RequestException:
                    continue  # the host is being stopped or restarted

        threading.Thread(target=look, name="look", daemon=True).start()

    def trigger(self, function: str, text: str = "") -> None:
        """Start a function by hand, as the Azure portal does."""
        self._session.post(f"{self.app_url}/admin/functions/{function}", json={"input": text}, timeout=60).raise_for_status()

    @property
    def redirect_uri(self) -> str:
        """Return where Entra ID sends people who sign in to the connector's set-up."""
        return f"{self.app_url}/connect/dynamics/callback"

    def _step(self, what: str, start: Callable[[], None]) -> None:
        began = time.monotonic()
        start()
        self.say(f"  {what:<48} ready after {time.monotonic() - began:4.1f} s")

    def _start_azurite(self) -> None:
        self.storage = azurite.start(self.processes)

    def _start_xero(self) -> None:
        argv: list[str | Path] = [
            sys.executable,
            "-m",
            "sandbox.xero",
            "--port",
            str(self.ports.xero),
            "--database",
            self.run_dir / "xero.db",
        ]
        argv += ["--redirect-uri", f"{self.app_url}/connect/xero/callback"]
        self.processes.start("xero", argv, ready=f"{self.xero_url}/healthz", cwd=ROOT)

    def _start_dataverse(self) -> None:
        argv: list[str | Path] = [sys.executable, "-m", "sandbox.dataverse", "--port", str(self.ports.dataverse)]
        argv += ["--database", self.run_dir / "dataverse.db", "--ca-file", self.ca_file, "--redirect-uri", self.redirect_uri]
        argv += ["--pages", self.console_url]
        self.processes.start("dataverse", argv, ready=self.ports.dataverse, cwd=ROOT)

    def _start_host(self) -> None:
        func = shutil.which("func")
        argv: list[str | Path] = (
            [func, "start"] if func else [sys.executable, "-m", "sandbox.host", "--settings", self._no_settings()]
        )
        argv += ["--port", str(self.ports.app)]
        self.processes.start("host", argv, self.environment(), ready=self._host_is_up, cwd=ROOT)

    def _start_console(self) -> None:
        argv: list[str | Path] = [
            sys.executable,
            "-m",
            "sandbox.console",
            "--port",
            str(self.ports.console),
            "--ca-file",
            self.ca_file,
        ]
        argv += ["--xero", self.xero_url, "--dataverse", self.dataverse_url, "--app", self.app_url]
        self.processes.start("console", argv, ready=f"{self.console_url}/healthz", cwd=ROOT)

    def _no_settings(self) -> Path:
        """Return an empty settings file, so that the user's own local.settings.json has no say."""
        file = self.run_dir / "settings.json"
        file.write_text('{"IsEncrypted": false, "Values": {}}\n', encoding="utf-8")
        return file

    def _host_is_up(self) -> bool:
        try:
            return bool(self._session.get(f"{self.app_url}/admin/host/status", timeout=5).json()["state"] == "Running")
        except (requests.RequestException, ValueError, KeyError):
            return False

    def environment(self) -> dict[str, str]:
        """Return the settings of the app: every one of them, so that none is taken from elsewhere."""
        own = {
            "FUNCTIONS_WORKER_RUNTIME": "python",
            "AzureFunctionsJobHost__extensions__queues__maxPollingInterval": "00:00:02",
            "AzureWebJobsStorage": self.storage,
            "PUBLIC_URL": self.app_url,
            "TICK_SCHEDULE": "*/5 * * * * *",
            "NIGHTLY_SCHEDULE": "0 0 2 * * *",
            "KEEPALIVE_SCHEDULE": "0 */10 * * * *",
            "XERO_CLIENT_ID": "sandbox-client",
            "XERO_CLIENT_SECRET": "sandbox-secret",
            "XERO_WEBHOOK_KEY": secrets.token_urlsafe(32),
            "XERO_API_URL": self.xero_url,
            "XERO_LOGIN_URL": self.xero_url,
            "XERO_IDENTITY_URL": self.xero_url,
            "DATAVERSE_TENANT_ID": TENANT,
            "DATAVERSE_CLIENT_ID": demo_company.CLIENT_ID,
            "DATAVERSE_CLIENT_SECRET": demo_company.CLIENT_SECRET,
            "DATAVERSE_AUTHORITY_URL": self.dataverse_url,
            "DATAVERSE_ALLOWED_HOSTS": f"localhost:{self.ports.dataverse}",
            "TOKEN_ENCRYPTION_KEYS": base64.b64encode(secrets.token_bytes(32)).decode(),
            "PORTAL_ADMINS": "local",
            "PROTOCOL_TIME_SCALE": str(self.time_scale),
            "REQUESTS_CA_BUNDLE": str(self.ca_file),
            "NO_PROXY": ",".join(filter(None, ("localhost", "127.0.0.1", os.environ.get("NO_PROXY", "")))),
            "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", ""))),
        }
        return {setting.name: "" for setting in SETTINGS} | own | dict(self.settings)
