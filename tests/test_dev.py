"""dev.py: what it says when it cannot go on, and that it leaves nothing running."""

import ast
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import dev
from tests.patience import PATIENCE, is_alive, until

PROJECT = Path(__file__).parent.parent


def test_an_old_python_can_read_it_far_enough_to_say_so(monkeypatch, capsys):
    ast.parse((PROJECT / "dev.py").read_text(encoding="utf-8"), feature_version=(3, 7))
    monkeypatch.setattr(sys, "version_info", (3, 8, 18, "final", 0))
    assert dev.main(["test"]) == 1
    assert capsys.readouterr().err.startswith("Python 3.11 or newer is needed; this is 3.8.18 (")


@pytest.mark.parametrize("arguments", [[], ["--help"], ["test", "--help"], ["demo", "-h"]])
def test_help_is_given_without_setting_anything_up(arguments, capsys):
    assert dev.main(arguments) == 0
    said = capsys.readouterr().out
    assert "python dev.py test" in said
    assert "--once" in said


def test_an_unknown_command_is_one_sentence(capsys):
    assert dev.main(["tset"]) == 2
    assert "no command 'tset'" in capsys.readouterr().err


def test_a_failed_installation_is_tried_twice_and_says_why(tmp_path):
    script = "import sys; open('tries', 'a').write('x'); print('ERROR: no matching distribution'); print('bye'); sys.exit(1)"
    argv = [sys.executable, "-c", f"import os; os.chdir({str(tmp_path)!r}); {script}"]
    with pytest.raises(dev.SetUpError, match=r"The packages .* \(ERROR: no matching distribution\): check the network"):
        dev.install("The packages could not be installed", argv)
    assert (tmp_path / "tries").read_text() == "xx"


def test_a_missing_or_broken_interpreter_does_not_work(tmp_path):
    assert dev.works(Path(sys.executable))
    assert not dev.works(tmp_path / "python")


def test_the_exit_code_of_what_was_run_is_ours():
    assert dev.run([sys.executable, "-c", "raise SystemExit(7)"]) == 7


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="reads /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_stopping_it_stops_what_it_runs(tmp_path, number):
    (tmp_path / "pid").touch()
    child = f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    script = textwrap.dedent(f"""
        import signal, sys, dev
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)
        dev.run([sys.executable, "-c", {child!r}])
    """)
    with subprocess.Popen([sys.executable, "-c", script], cwd=PROJECT, stderr=subprocess.DEVNULL) as us:
        pid = int(until((tmp_path / "pid").read_text, "the child has said who it is"))
        us.send_signal(number)
        us.wait(PATIENCE)
    until(lambda: not is_alive(pid), "the child has ended")


def test_every_pin_is_exact():
    for name in dev.PINS:
        for line in (PROJECT / name).read_text(encoding="utf-8").splitlines():
            if line and not line.startswith(("#", "    --hash=sha256:")):
                assert "==" in line.split(";")[0], f"{name}: {line}"
                assert line.endswith(" \\"), f"{name}: {line} has no hash"
