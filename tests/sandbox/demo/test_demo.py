"""`python -m sandbox.demo` as a person starts it: what it shows, how it ends, what it leaves behind."""

import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.product import free_ports

pytestmark = pytest.mark.processes
PROJECT = Path(__file__).resolve().parent.parent.parent.parent


@contextmanager
def demo(run_dir: Path, mark: str, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Start the demo on free ports; *mark* stands in the environment of everything it starts."""
    ports = [f"--{name}-port={port}" for name, port in vars(free_ports()).items()]
    argv = [sys.executable, "-m", "sandbox.demo", f"--run-dir={run_dir}", *ports, *options]
    env = {**os.environ, "PYTHONUTF8": "1", "DEMO_MARK": mark}
    with subprocess.Popen(argv, cwd=PROJECT, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def left_behind(mark: str, patience: float = 120) -> list[str]:
    """Return the command lines of processes that bear the mark, once they had time to end."""
    deadline = time.monotonic() + patience
    while (found := _marked(mark)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def _marked(mark: str) -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"DEMO_MARK={mark}".encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def test_once_shows_every_invoice_verifies_it_and_leaves_nothing_behind(tmp_path):
    mark = uuid.uuid4().hex
    with demo(tmp_path / "run", mark, "--once") as process:
        said, complained = process.communicate(timeout=600)

    assert process.returncode == 0, said + complained
    assert complained == ""
    assert "Verified after" in said
    assert "13 invoices stand in Xero, each exactly once and to the cent" in said
    assert "each exactly once and to the cent." in said.splitlines()[-2], "what came back from Xero"
    assert said.count("Refused by Xero's rate limit (429): 0.") == 2
    rows = [line for line in said.splitlines() if line.startswith(("✓", "✗"))]
    assert len(rows) == 15 + 7
    assert all(line.startswith("✓") for line in rows)
    assert sum("Failed → Yes" in line for line in rows) == 1
    assert sum("INV-" in line and "Active, 947.84 due" in line for line in rows) == 2, "a part payment, and a payment taken back"
    assert sum("Paid, 0.00 due" in line for line in rows) == 1
    assert sum("Canceled, 0.00 due" in line for line in rows) == 1
    assert left_behind(mark) == []


def test_a_busy_port_is_one_sentence_that_names_port_and_option(tmp_path):
    mark = uuid.uuid4().hex
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        with demo(tmp_path / "run", mark, f"--xero-port={port}") as process:
            said, complained = process.communicate(timeout=120)

    assert process.returncode == 2
    assert complained.strip() == f"Port {port} is in use: stop the other program, or choose another port with --xero-port."
    assert "ready after" not in said
    assert not (tmp_path / "run").exists(), "nothing was started, and the data of another run was left alone"


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
def test_ctrl_c_leaves_no_process_behind(tmp_path, times):
    mark = uuid.uuid4().hex
    with demo(tmp_path / "run", mark) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("Connecting"):
                break
        assert len(_marked(mark)) >= 6, "Azurite, two stand-ins, host, console and the demo itself"

        for _ in range(times):
            process.send_signal(signal.SIGINT)
            time.sleep(0.2)
        rest, complained = process.communicate(timeout=180)

    assert process.returncode == 0
    assert "Everything is stopped." in rest
    assert complained == ""
    assert left_behind(mark) == []


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_a_demo_that_is_killed_takes_everything_with_it(tmp_path):
    mark = uuid.uuid4().hex
    with demo(tmp_path / "run", mark) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("Connecting"):
                break
        process.kill()
        process.wait(60)
    assert left_behind(mark) == []
