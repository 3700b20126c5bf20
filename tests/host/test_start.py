"""Starting and stopping: settings, what is said when something is missing, and that nothing stays behind."""

import os
import signal
import socket
import subprocess
import sys
import time
from datetime import timedelta

import pytest

from sandbox.host.__main__ import GRACE
from sandbox.host.settings import HostError, is_disabled, load_host, load_values, queues, resolve, tables
from tests.host.conftest import NEVER, PROJECT, SAMPLE_APP, command
from tests.patience import PATIENCE

MINIMAL = (
    "import azure.functions as func\napp = func.FunctionApp()\n@app.route('x')\ndef x(req: func.HttpRequest) -> str: return 'x'\n"
)


def write(folder, app: str = MINIMAL, host: str = '{"version": "2.0"}'):
    """Write an app."""
    (folder / "function_app.py").write_text(app)
    (folder / "host.json").write_text(host)


def refusal(folder, *arguments: str, **env: str) -> str:
    """Start the host, expect that it does not start, and return what it said."""
    argv = [*command(), "--root", str(folder), "--port", "0", *arguments]
    ended = subprocess.run(argv, cwd=PROJECT, env={**os.environ, **env}, capture_output=True, text=True, timeout=PATIENCE)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1, ended.stderr
    return ended.stderr.strip()


def test_a_function_that_lacks_a_setting_is_named_and_the_others_run(host):
    assert "lost was not loaded: the setting SAMPLE_NOWHERE is missing" in host.log
    assert "elsewhere was not loaded: no setting gives the connection SampleOtherStorage: set" in host.log
    assert "ready on http://127.0.0.1" in host.log


def test_values_become_settings_where_what_exists_wins(tmp_path, monkeypatch):
    monkeypatch.setenv("KEPT", "mine")
    for name in ("FRESH", "FLAG", "NUMBER"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "local.settings.json"
    file.write_text('{"IsEncrypted": false, "Values": {"KEPT": "theirs", "FRESH": "new", "FLAG": true, "NUMBER": 5}}')
    load_values(file)
    assert [os.environ.pop(name) for name in ("KEPT", "FRESH", "FLAG", "NUMBER")] == ["mine", "new", "true", "5"]


@pytest.mark.parametrize(
    ("content", "said"),
    [("{", "is not JSON"), ('{"IsEncrypted": true}', "encrypted"), ('{"Values": {"A": {}}}', "must be text"), ("[]", "object")],
)
def test_an_unreadable_settings_file_says_why(tmp_path, content, said):
    file = tmp_path / "s.json"
    file.write_text(content)
    with pytest.raises(HostError, match=said):
        load_values(file)


def test_host_json_has_azures_defaults(tmp_path):
    write(tmp_path)
    options = load_host(tmp_path, {})
    assert options.route_prefix == "api"
    assert options.queues.batch_size == 16
    assert options.queues.new_batch_threshold == 8 * (os.cpu_count() or 1)
    assert options.queues.max_dequeue_count == 5
    assert options.queues.visibility_timeout == timedelta(0)
    assert options.queues.max_polling_interval == timedelta(minutes=1)
    assert options.queues.lease == timedelta(minutes=10)
    assert options.queues.base64


def test_the_environment_overrides_host_json(tmp_path):
    write(tmp_path, host='{"version": "2.0", "extensions": {"queues": {"batchSize": 4, "visibilityTimeout": "1.00:00:30"}}}')
    overrides = {
        "AzureFunctionsJobHost__extensions__queues__batchSize": "2",
        "AzureFunctionsJobHost__Extensions__Http__RoutePrefix": "v1",
    }
    options = load_host(tmp_path, overrides)
    assert options.queues.batch_size == 2
    assert options.queues.visibility_timeout == timedelta(days=1, seconds=30)
    assert options.route_prefix == "v1"


@pytest.mark.parametrize(
    ("queues", "said"),
    [
        ('{"batchSize": 33}', "batchSize is '33'"),
        ('{"maxDequeueCount": 0}', "maxDequeueCount"),
        ('{"visibilityTimeout": "soon"}', "must look like 00:00:30"),
        ('{"maxPollingInterval": "00:00:00"}', "at least"),
        ('{"messageEncoding": "utf-7"}', "base64 or none"),
    ],
)
def test_a_wrong_host_json_says_where(tmp_path, queues, said):
    write(tmp_path, host=f'{{"version": "2.0", "extensions": {{"queues": {queues}}}}}')
    with pytest.raises(HostError, match=said):
        load_host(tmp_path, {})


def test_names_between_percent_signs_are_settings():
    assert resolve("%A%-%B%", {"A": "1", "B": "2"}) == "1-2"
    with pytest.raises(HostError, match="setting B is missing"):
        resolve("%A%-%B%", {"A": "1", "B": ""})


@pytest.mark.parametrize("name", ["AzureWebJobs.sync.Disabled", "AzureWebJobs_sync_Disabled", "AzureWebJobs__sync__Disabled"])
def test_one_function_can_be_disabled(name):
    assert is_disabled("sync", {name: "True"})
    assert not is_disabled("sync", {name: "false"})
    assert not is_disabled("sync", {})


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"Books__queueServiceUri": "https://books.queue.example/"}, "https://books.queue.example/"),
        ({"Books__accountName": "books"}, "https://books.queue.core.windows.net/"),
        ({"AzureWebJobsBooks__accountName": "jobs"}, "https://jobs.queue.core.windows.net/"),
        ({"Books": "UseDevelopmentStorage=true"}, "http://127.0.0.1:10001/devstoreaccount1"),
        ({"AzureWebJobsBooks": "UseDevelopmentStorage=true"}, "http://127.0.0.1:10001/devstoreaccount1"),
    ],
)
def test_a_connection_is_a_string_or_an_identity(monkeypatch, env, expected):
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    queues.cache_clear()
    assert queues("Books").url.rstrip("/") == expected.rstrip("/")


def test_a_connection_can_name_its_managed_identity(monkeypatch):
    monkeypatch.setenv("Books__tableServiceUri", "https://books.table.example")
    monkeypatch.setenv("Books__credential", "managedidentity")
    monkeypatch.setenv("Books__clientId", "11111111-1111-1111-1111-111111111111")
    assert tables("Books").url == "https://books.table.example"


def test_a_folder_that_is_no_app_is_refused(tmp_path):
    assert "host.json is missing" in refusal(tmp_path)
    (tmp_path / "host.json").write_text('{"version": "2.0"}')
    assert "function_app.py is missing" in refusal(tmp_path)


def test_an_app_must_be_one(tmp_path):
    write(tmp_path, app=MINIMAL + "other = app\n")
    assert "exactly one FunctionApp at its top level; it holds 2 (app, other)" in refusal(tmp_path)
    write(tmp_path, app="app = None\n")
    assert "it holds none" in refusal(tmp_path)


def test_what_the_import_raises_is_said_in_one_sentence(tmp_path):
    write(tmp_path, app="raise LookupError('XERO_CLIENT_ID is missing')\n")
    said = refusal(tmp_path)
    assert (
        said == "The app cannot be loaded: LookupError: XERO_CLIENT_ID is missing (function_app.py:1; --verbose shows the trace)"
    )


def test_an_app_that_exits_has_its_own_sentence_read(tmp_path):
    write(tmp_path, app="import sys\nsys.exit('The app cannot start: XERO_CLIENT_ID is missing.')\n")
    assert refusal(tmp_path) == "The app cannot start: XERO_CLIENT_ID is missing."


def test_a_missing_settings_file_is_said(tmp_path):
    write(tmp_path)
    assert "nowhere.json cannot be read" in refusal(tmp_path, "--settings", str(tmp_path / "nowhere.json"))


def test_a_busy_port_is_said(tmp_path):
    write(tmp_path)
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        assert f"port {port} of 127.0.0.1 is in use" in refusal(tmp_path, "--port", str(port))


def test_enabling_keys_without_one_is_refused(tmp_path):
    write(tmp_path)
    assert "SANDBOX_FUNCTION_KEY" in refusal(tmp_path, "--enable-auth", SANDBOX_FUNCTION_KEY="")


def test_a_parameter_without_binding_and_a_binding_without_parameter_are_named(tmp_path, new_host):
    app = MINIMAL + "@app.route('y')\ndef y(req: func.HttpRequest, repo=None) -> str: return 'y'\n"
    app += "@app.route('z')\ndef z(request: func.HttpRequest) -> str: return 'z'\n"
    app += "@app.timer_trigger(arg_name='t', schedule='@hourly')\ndef t(t: func.TimerRequest) -> None: ...\n"
    write(tmp_path, app=app)
    argv = [sys.executable, "-m", "sandbox.host", "--root", str(tmp_path), "--port", "0"]
    host = new_host()
    host.processes.start("host", argv, ready=lambda: "ready on" in host.log, timeout=PATIENCE, cwd=PROJECT)
    assert "y was not loaded: the parameter repo has no binding." in host.log
    assert "z was not loaded: the parameter request has no binding." in host.log
    assert "t was not loaded: the schedule '@hourly' is not NCRONTAB" in host.log
    assert "x: any method /api/x" in host.log


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_at_once_when_nothing_runs(azurite, number):
    env = {**os.environ, "AzureWebJobsStorage": azurite, "SAMPLE": "stopping", "SAMPLE_SCHEDULE": NEVER}
    argv = [*command(), "--root", str(SAMPLE_APP), "--port", "0"]
    with subprocess.Popen(argv, cwd=PROJECT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as host:
        assert host.stdout
        while "ready on" not in host.stdout.readline():
            assert host.poll() is None
        began = time.monotonic()
        host.send_signal(number)
        assert host.wait(PATIENCE) == 0
        assert time.monotonic() - began < GRACE, "that is for functions that run"
        assert "Traceback" not in host.stdout.read()


def test_a_running_function_is_given_time_to_end(new_host):
    host = new_host()
    orders, seen, begun = (host.queue(name, create=True) for name in ("orders", "seen", "begun"))
    host.start()
    orders.send({"announce": True, "sleep": 1.5})
    begun.wait()
    host.processes.stop("host")
    assert len(seen.told()) == 1
    assert orders.size() == 0
    assert "stopped" in host.log
