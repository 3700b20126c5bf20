"""Child processes: readiness, logs, and that none survives us, however we end."""

import os
import signal
import socket
import subprocess
import sys
import textwrap

import pytest

from sandbox.azurite import AzuriteError, Ports, start
from sandbox.processes import Processes, ProcessFailed
from tests.host.conftest import PROJECT
from tests.patience import PATIENCE, is_alive, until
from tests.ports import free_port

SERVER = [sys.executable, "-u", "-m", "http.server", "--bind", "127.0.0.1"]
PARENT_OF_SLEEPERS = textwrap.dedent("""
    import subprocess, sys, time
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print(f"child {child.pid} is there", flush=True)
    time.sleep(600)
""")


@pytest.fixture
def processes(tmp_path):
    """An empty set of processes."""
    with Processes(tmp_path) as processes:
        yield processes


def child_in(log: str) -> int:
    """The process id of the grandchild."""
    return int(log.split("child", 1)[1].split()[0])


def test_a_server_is_ready_when_its_address_answers(processes):
    port = free_port()
    processes.start("server", [*SERVER, str(port)], ready=f"http://127.0.0.1:{port}/", timeout=PATIENCE)
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE):
        assert processes.running("server")
    assert "GET / HTTP/1.1" in processes.log("server")
    processes.stop("server")
    assert not processes.running("server")


def test_a_port_or_a_question_can_tell_readiness_too(processes):
    port = free_port()
    processes.start("server", [*SERVER, str(port)], ready=port, timeout=PATIENCE)
    processes.start(
        "second",
        [sys.executable, "-c", PARENT_OF_SLEEPERS],
        ready=lambda: "is there" in processes.log("second"),
        timeout=PATIENCE,
    )
    assert processes.running("second")


def test_a_child_that_ends_before_it_is_ready_says_why(processes):
    with pytest.raises(ProcessFailed, match="broken stopped with code 3 before it was ready: no luck today"):
        processes.start("broken", [sys.executable, "-c", "print('no luck today'); raise SystemExit(3)"], ready=free_port())


def test_a_child_that_stays_silent_is_ended(processes):
    with pytest.raises(ProcessFailed, match=r"slow was not ready after 0\.3 s"):
        processes.start("slow", [sys.executable, "-c", "import time; time.sleep(600)"], ready=free_port(), timeout=0.3)
    assert not processes.running("slow")


def test_a_program_that_is_not_there_is_one_sentence(processes):
    with pytest.raises(ProcessFailed, match="ghost could not be started"):
        processes.start("ghost", ["/no/such/program"])


def test_the_environment_is_added_to_ours(processes):
    argv = [sys.executable, "-c", "import os; print(os.environ['ADDED'], 'PATH' in os.environ)"]
    processes.start("env", argv, {"ADDED": "yes"})
    processes.wait("env", PATIENCE)
    assert processes.log("env").split() == ["yes", "True"]


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="reads /proc")
class TestNothingStaysBehind:
    """A child, its child, and us: whoever is asked, all of them end."""

    @pytest.mark.parametrize("way", ["kill", "stop"])
    def test_stopping_a_child_ends_what_it_started(self, processes, way):
        processes.start("tree", [sys.executable, "-c", PARENT_OF_SLEEPERS], ready=lambda: "is there" in processes.log("tree"))
        grandchild = child_in(processes.log("tree"))
        assert is_alive(grandchild)
        getattr(processes, way)("tree")
        until(lambda: not is_alive(grandchild), "it has ended")

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
    def test_our_own_end_ends_them_all(self, tmp_path, number):
        script = textwrap.dedent(f"""
            import signal, sys, time
            from pathlib import Path
            from sandbox.processes import Processes
            signal.signal(signal.SIGINT, signal.default_int_handler)
            processes = Processes(Path({str(tmp_path)!r}))
            pid = processes.start("tree", [sys.executable, "-c", {PARENT_OF_SLEEPERS!r}], ready=lambda: "is there" in processes.log("tree"))
            print(pid, flush=True)
            time.sleep(600)
        """)
        argv = [sys.executable, "-c", script]
        with subprocess.Popen(argv, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as us:
            assert us.stdout
            child = int(us.stdout.readline())
            grandchild = child_in((tmp_path / "tree.log").read_text())
            assert is_alive(child)
            assert is_alive(grandchild)
            us.send_signal(number)
            us.wait(PATIENCE)
        until(lambda: not is_alive(child), "it has ended")
        until(lambda: not is_alive(grandchild), "it has ended")


def test_azurites_ports_are_checked_before_it_starts(processes):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        taken = busy.getsockname()[1]
        with pytest.raises(AzuriteError, match=f"Port {taken}, which Azurite needs, is in use"):
            start(processes, Ports(free_port(), taken, free_port()))


def test_azurite_listens_where_it_was_told(processes):
    ports = Ports(free_port(), free_port(), free_port())
    connection = start(processes, ports)
    assert f"QueueEndpoint=http://127.0.0.1:{ports.queue}/devstoreaccount1;" in connection
    for port in (ports.blob, ports.queue, ports.table):
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE).close()
