"""Set the project up on a bare machine, then test it or show it at work.

    python dev.py test [pytest arguments]    lint, types, architecture, then every test; the exit code tells
    python dev.py demo [--once] [...]        start everything on this machine and show the main job happening
    python dev.py package                    write dist/app.zip, which Azure is given; needs and installs nothing

    demo --once     end by itself, with exit code 0 only when all of it was verified
    demo ...        whatever else is given goes to `python -m sandbox.demo`

The first two need nothing but Python 3.11 or newer. They make .venv, install what requirements*.txt pin, install Azurite (and Node,
when the machine has none that fits) below .tools, and write nowhere else. Ctrl-C ends everything they started.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
TOOLS = ROOT / ".tools"
PINS = ("requirements.txt", "requirements-dev.txt", "requirements-worker.txt")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
OLDEST = (3, 11)


class SetUpError(Exception):
    """The project cannot be set up here; the message is one sentence for the person at the keyboard."""


def main(arguments: list[str]) -> int:
    """Run one command and return its exit code."""
    if sys.version_info < OLDEST:  # whoever starts this with an older Python is to read a sentence, not a trace
        found = ".".join(str(part) for part in sys.version_info[:3])
        print(f"Python 3.11 or newer is needed; this is {found} ({sys.executable}).", file=sys.stderr)
        return 1
    command, rest = (arguments[0] if arguments else "--help"), arguments[1:]
    if command in ("-h", "--help", "help") or "--help" in rest or "-h" in rest:
        print(__doc__)
        return 0
    if command not in ("test", "demo", "package"):
        print(f"There is no command {command!r}: it is `python dev.py test`, `demo` or `package`.", file=sys.stderr)
        return 2
    for number in (signal.SIGINT, signal.SIGTERM):  # the first may come ignored, from a shell's `&`
        signal.signal(number, signal.default_int_handler)
    os.chdir(ROOT)
    if command == "package":
        return subprocess.call([sys.executable, "-m", "scripts.package"])
    try:
        set_up()
        return test(rest) if command == "test" else run([python(), "-m", "sandbox.demo", *rest])
    except SetUpError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130


def test(arguments: list[str]) -> int:
    """Run every check, then every test, and return the first exit code that is not 0."""
    find_browser()
    scripts = VENV / ("Scripts" if os.name == "nt" else "bin")
    checks: dict[str, list[str | Path]] = {
        "ruff check": [python(), "-m", "ruff", "check", "."],
        "ruff format --check": [python(), "-m", "ruff", "format", "--check", "."],
        "mypy": [python(), "-m", "mypy"],
        "lint-imports": [scripts / "lint-imports"],
    }
    codes = {}
    for name, argv in checks.items():
        print(f"== {name}", flush=True)
        began = time.monotonic()
        codes[name] = run(argv)
        print(f"== {name} {'failed' if codes[name] else 'passed'} in {time.monotonic() - began:.1f} s\n", flush=True)
    failed = [name for name, code in codes.items() if code]
    print(f"== pytest{f' (failed so far: {chr(44).join(failed)})' if failed else ''}", flush=True)
    spread = ["--numprocesses=auto", "--dist=loadfile", "--no-loadscope-reorder"]  # a file's worlds stand on one worker
    code = run([python(), "-m", "pytest", f"--basetemp={ROOT / '.run' / 'pytest'}", *spread, *arguments])
    if failed:
        print(f"== failed besides pytest: {', '.join(failed)}", file=sys.stderr, flush=True)
    return next((code for code in codes.values() if code), code)


def run(argv: Sequence[str | Path]) -> int:
    """Run a command to its end and return its exit code; whatever it started ends with it, and with us."""
    from sandbox.processes import Tree

    (ROOT / ".run").mkdir(exist_ok=True)
    tree = Tree(argv, env=environment())
    try:
        while True:  # in steps: a wait without end cannot be interrupted on Windows
            with contextlib.suppress(subprocess.TimeoutExpired):
                return tree.popen.wait(1)
    except KeyboardInterrupt:
        tree.stop(20, signal.SIGINT)
        raise
    finally:
        tree.kill()


def set_up() -> None:
    """Make the virtual environment and install what is missing; quick when nothing is."""
    stamp = VENV / ".pins"
    wanted = hashlib.sha256(b"".join((ROOT / name).read_bytes() for name in PINS)).hexdigest()
    if not works(python()):
        say("Making the virtual environment in .venv ...")
        install("The virtual environment could not be made", [Path(sys.executable), "-m", "venv", "--clear", VENV], tries=1)
    if not stamp.exists() or stamp.read_text() != wanted:
        say("Installing what requirements.txt and requirements-dev.txt pin (a minute or two) ...")
        pip: list[str | Path] = [python(), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        failure = "The packages could not be installed"
        install(failure, [*pip, "-r", "requirements.txt", "-r", "requirements-dev.txt"])
        install(failure, [*pip, "--no-deps", "--ignore-requires-python", "-r", "requirements-worker.txt"])
        stamp.write_text(wanted)
    # It says itself what it does, and what went wrong.
    if subprocess.call([str(python()), "-m", "sandbox.azurite", "--install"], env=environment()):
        raise SystemExit(1)


def install(failure: str, argv: Sequence[str | Path], tries: int = 2) -> None:
    """Run an installer, once more when it fails; raises SetUpError with the line that says why."""
    said = ""
    for _ in range(tries):
        command = [str(part) for part in argv]
        ended = subprocess.run(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if ended.returncode == 0:
            return
        lines = [line.strip() for line in ended.stdout.splitlines() if line.strip()]
        said = next((line for line in reversed(lines) if line.startswith("ERROR")), lines[-1] if lines else "no reason given")
    advice = (
        "on Debian and Ubuntu the package python3-venv may be missing"
        if "venv" in argv
        else "check the network and run the command again"
    )
    raise SetUpError(f"{failure} ({said}): {advice}.")


def python() -> Path:
    """Return the Python of the virtual environment."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def works(interpreter: Path) -> bool:
    """Tell whether that Python starts, is new enough and has pip."""
    check = f"import sys, pip; sys.exit(sys.version_info < {OLDEST})"
    try:
        return subprocess.run([str(interpreter), "-c", check], capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def environment() -> dict[str, str]:
    """Return the environment of what we start: caches inside the project, UTF-8 everywhere."""
    ours = {"PIP_CACHE_DIR": str(TOOLS / "pip-cache"), "PIP_USER": "0", "PYTHONUTF8": "1"}
    return {**{name: value for name, value in os.environ.items() if name not in ("PYTHONHOME", "PYTHONPATH")}, **ours}


def find_browser() -> None:
    """See that the browser tests have a browser: where we may, install Debian's, else say that they will be skipped."""
    if os.environ.get("CHROME_BIN") or any(shutil.which(name) for name in BROWSERS):
        return
    if sys.platform == "linux" and shutil.which("apt-get") and os.geteuid() == 0:
        say("No Chromium found: installing Debian's for the browser tests ...")
        quiet = {**environment(), "DEBIAN_FRONTEND": "noninteractive"}
        for argv in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"]):
            subprocess.run(argv, env=quiet, capture_output=True)
        if shutil.which("chromium"):
            return
    say("No Chromium found (on the PATH, or named by CHROME_BIN): the browser tests have nothing to run in.")


def say(line: str) -> None:
    """Print progress at once."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
