"""Start the processes a run needs, and never leave one behind.

Each child leads a process group of its own (POSIX) or sits in a job object (Windows), so that stopping it stops whatever
it started. Should we be killed without warning, a watchdog that reads from a pipe of ours notices the silence and ends
every group; on Windows the system itself ends a job when its last handle closes. Standard library only: ``dev.py`` uses
this before anything is installed.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

Ready = str | int | Callable[[], bool]
"""How to tell that a child is up: a URL that answers below 500, a local TCP port that accepts, or a question."""


class ProcessFailed(Exception):
    """A child stopped, or did not come up in time; the message is one sentence and names its log."""


class Processes:
    """Hold a set of named children; their output goes to ``<run_dir>/<name>.log``."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self._children: dict[str, Tree] = {}
        atexit.register(self.stop_all)

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop_all()

    def start(
        self,
        name: str,
        argv: Sequence[str | Path],
        env: Mapping[str, str] | None = None,
        ready: Ready | None = None,
        timeout: float = 180,
        cwd: Path | None = None,
    ) -> int:
        """Start a child, wait until it is ``ready`` and return its process id.

        ``env`` is added to our own environment; ``timeout`` is in seconds. A child of the same name must have ended; its
        log is continued. Raises ProcessFailed when the child ends or stays silent; it is not left running then.
        """
        if name in self._children and self._children[name].popen.poll() is None:
            raise ProcessFailed(f"{name} is running already.")
        self.run_dir.mkdir(parents=True, exist_ok=True)
        with self.log_file(name).open("ab") as log:
            try:
                tree = Tree(
                    argv,
                    env={**os.environ, **(env or {})},
                    cwd=cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            except OSError as error:
                raise ProcessFailed(f"{name} could not be started: {error}.") from error
        self._children[name] = tree
        if ready is not None:
            try:
                self._wait(name, tree, ready, timeout)
            except BaseException:
                self.kill(name)
                raise
        return tree.popen.pid

    def _wait(self, name: str, tree: Tree, ready: Ready, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while not answers(ready):
            if (code := tree.popen.poll()) is not None:
                last = next((line for line in reversed(self.log(name).splitlines()) if line.strip()), "it said nothing")
                raise ProcessFailed(f"{name} stopped with code {code} before it was ready: {last} (log: {self.log_file(name)})")
            if time.monotonic() > deadline:
                raise ProcessFailed(f"{name} was not ready after {timeout:g} s (log: {self.log_file(name)}).")
            time.sleep(0.05)

    def running(self, name: str) -> bool:
        """Tell whether the child of that name is alive."""
        return name in self._children and self._children[name].popen.poll() is None

    def wait(self, name: str, timeout: float) -> int:
        """Wait until the child has ended by itself and return its exit code; raises subprocess.TimeoutExpired."""
        return self._children[name].popen.wait(timeout)

    def stop(self, name: str, grace: float = 10) -> None:
        """Ask a child to stop; end its whole tree when it has not after ``grace`` seconds."""
        if tree := self._children.pop(name, None):
            tree.stop(grace)

    def kill(self, name: str) -> None:
        """End a child and everything it started at once, as a power cut would (SIGKILL)."""
        if tree := self._children.pop(name, None):
            tree.kill()

    def stop_all(self) -> None:
        """Stop every child, the last started first."""
        for name in reversed(list(self._children)):
            self.stop(name)
        atexit.unregister(self.stop_all)

    def log_file(self, name: str) -> Path:
        """Return where the output of that child goes."""
        return self.run_dir / f"{name}.log"

    def log(self, name: str) -> str:
        """Return what that child has written so far."""
        file = self.log_file(name)
        return file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""


def answers(ready: Ready) -> bool:
    """Ask once whether something is up."""
    if isinstance(ready, int):
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", ready)) == 0
    if isinstance(ready, str):
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with direct.open(ready, timeout=5):
                return True
        except urllib.error.HTTPError as answer:
            return answer.code < 500
        except OSError:
            return False
    return ready()


class Tree:
    """A child together with everything it starts."""

    def __init__(self, argv: Sequence[str | Path], **options: Any) -> None:
        self.popen: subprocess.Popen[bytes]
        self._ended = False
        if sys.platform == "win32":
            self._job = _Job()
            self.popen = subprocess.Popen(
                [str(part) for part in argv], creationflags=subprocess.CREATE_NEW_PROCESS_GROUP, **options
            )
            self._job.add(self.popen)
        else:
            self.popen = subprocess.Popen([str(part) for part in argv], start_new_session=True, **options)
            _watchdog("+", self.popen.pid)

    def stop(self, grace: float, ask: signal.Signals = signal.SIGTERM) -> None:
        """Ask the child to stop, wait up to ``grace`` seconds, and end what is left of its tree."""
        with contextlib.suppress(OSError):
            if sys.platform == "win32":
                self.popen.send_signal(signal.CTRL_BREAK_EVENT)
            elif self.popen.poll() is None:
                os.killpg(self.popen.pid, ask)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.popen.wait(grace)
        self.kill()

    def kill(self) -> None:
        """End the whole tree at once."""
        if self._ended:
            return
        self._ended = True
        if sys.platform == "win32":
            self._job.end()
        else:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.popen.pid, signal.SIGKILL)
            _watchdog("-", self.popen.pid)
        self.popen.wait()


if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    class _Limits(ctypes.Structure):
        """JOBOBJECT_EXTENDED_LIMIT_INFORMATION, of which only the flags are set."""

        _fields_ = (
            ("per_process_time", ctypes.c_int64),
            ("per_job_time", ctypes.c_int64),
            ("flags", wintypes.DWORD),
            ("minimum_working_set", ctypes.c_size_t),
            ("maximum_working_set", ctypes.c_size_t),
            ("active_processes", wintypes.DWORD),
            ("affinity", ctypes.c_size_t),
            ("priority_class", wintypes.DWORD),
            ("scheduling_class", wintypes.DWORD),
            ("io_counters", ctypes.c_uint64 * 6),
            ("memory", ctypes.c_size_t * 4),
        )

    class _Job:
        """A job object whose members end with it (learn.microsoft.com/windows/win32/procthread/job-objects)."""

        EXTENDED_LIMITS, KILL_ON_CLOSE = 9, 0x2000

        def __init__(self) -> None:
            self._kernel = ctypes.WinDLL("kernel32", use_last_error=True)
            self._kernel.CreateJobObjectW.restype = wintypes.HANDLE
            self._handle = wintypes.HANDLE(self._kernel.CreateJobObjectW(None, None))
            limits = _Limits(flags=self.KILL_ON_CLOSE)
            size = ctypes.sizeof(limits)
            if not self._kernel.SetInformationJobObject(self._handle, self.EXTENDED_LIMITS, ctypes.byref(limits), size):
                raise ctypes.WinError(ctypes.get_last_error())

        def add(self, popen: subprocess.Popen[bytes]) -> None:
            if not self._kernel.AssignProcessToJobObject(self._handle, wintypes.HANDLE(int(popen._handle))):
                raise ctypes.WinError(ctypes.get_last_error())

        def end(self) -> None:
            self._kernel.TerminateJobObject(self._handle, 1)
            self._kernel.CloseHandle(self._handle)

else:
    _pipe: subprocess.Popen[bytes] | None = None

    def _watchdog(sign: str, group: int) -> None:
        """Tell the watchdog that a group began (+) or ended (-); start it with the first."""
        global _pipe
        if _pipe is None:
            _pipe = subprocess.Popen([sys.executable, "-I", __file__], stdin=subprocess.PIPE, start_new_session=True)
            atexit.register(_dismiss, _pipe)
        if _pipe.stdin:
            with contextlib.suppress(OSError):
                _pipe.stdin.write(f"{sign}{group}\n".encode())
                _pipe.stdin.flush()

    def _dismiss(watchdog: subprocess.Popen[bytes]) -> None:
        if watchdog.stdin:
            with contextlib.suppress(OSError):
                watchdog.stdin.close()
        watchdog.wait()

    def _watch() -> None:
        """Remember the groups named on standard input; when it closes, end those that are left."""
        groups: set[int] = set()
        for line in sys.stdin:
            (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
        for group in groups:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)

    if __name__ == "__main__":
        _watch()
