"""The app as Azure loads it: indexed and invoked by Microsoft's own worker runtime (azure-functions-runtime)."""

import base64
import json
import logging
import secrets
from pathlib import Path

import pytest

from functions.flows import FLOWS, QUEUES
from shared.errors import ConfigurationError
from tests.functions_runtime import App, Datum, index, text

PROJECT = Path(__file__).parent.parent
META = {"Id": text("m1"), "DequeueCount": Datum("1", "json"), "PopReceipt": text("r")} | {
    name: Datum('"2026-11-21T08:50:00+00:00"', "json") for name in ("ExpirationTime", "InsertionTime", "NextVisibleTime")
}
TIMER = Datum(json.dumps({"IsPastDue": False, "ScheduleStatus": None, "Schedule": {"AdjustForDST": True}}), "json")


def settings(storage: str) -> dict[str, str]:
    sample: dict[str, str] = json.loads((PROJECT / "local.settings.sample.json").read_text(encoding="utf-8"))["Values"]
    return sample | {
        "AzureWebJobsStorage": storage,
        "XERO_CLIENT_ID": "client",
        "XERO_CLIENT_SECRET": "secret",
        "DATAVERSE_TENANT_ID": "11111111-2222-3333-4444-555555555555",
        "DATAVERSE_CLIENT_ID": "11111111-2222-3333-4444-555555555556",
        "DATAVERSE_CLIENT_SECRET": "secret",
        "TOKEN_ENCRYPTION_KEYS": base64.b64encode(secrets.token_bytes(32)).decode(),
    }


@pytest.fixture
def app(azurite: str, monkeypatch: pytest.MonkeyPatch) -> App:
    for name, value in settings(azurite).items():
        monkeypatch.setenv(name, value)
    return index(PROJECT)


def get(url: str) -> Datum:
    path = url.partition("?")[0]
    return Datum(
        {
            "method": text("GET"),
            "url": text(f"http://localhost:7071/{path}"),
            "headers": {"host": text("localhost:7071")},
            "body": Datum(b"", "bytes"),
            "params": {},
            "query": {},
        },
        "http",
    )


def test_microsofts_runtime_accepts_every_function(app: App):
    flows = {flow.name for flow in FLOWS}
    assert set(app.metadata) == {"tick", "keep-alive", "nightly", "sweeps", "health", "connect"} | flows


def test_requests_to_storage_are_no_lines_of_the_log(app: App):
    assert logging.getLogger("azure").level == logging.WARNING


def test_every_flow_has_a_function_and_a_queue_of_its_own_name(app: App):
    triggers = {name: json.loads(raw) for name, one in app.metadata.items() for raw in one.raw_bindings if "queueTrigger" in raw}
    assert {name: trigger["queueName"] for name, trigger in triggers.items()} == {queue: queue for queue in QUEUES}


def test_every_function_runs_in_microsofts_runtime(app: App):
    tick = app.invoke("tick", [("timer", TIMER)])
    assert (tick.succeeded, tick.error) == (True, None)
    keep_alive = app.invoke("keep-alive", [("timer", TIMER)])
    assert (keep_alive.succeeded, keep_alive.error) == (True, None)
    for queue in QUEUES:
        read = app.invoke(queue, [("message", text("rubbish"))], META)
        assert (read.succeeded, read.error) == (True, None), queue
    health = app.invoke("health", [("req", get("health"))])
    assert health.succeeded
    assert health.returned.value["status_code"].value == "200"
    told = json.loads(health.returned.value["body"].value)
    assert told["status"] == "ok"
    assert set(told) == {"version", "versions", "status", "secondsSinceLastTick", "checks"}
    assert {check["name"]: check["state"] for check in told["checks"]} == dict.fromkeys(
        ("settings", "key vault", "versions", "storage", "clock"), "ok"
    )
    connect = app.invoke("connect", [("req", get("connect/xero"))])
    assert connect.succeeded
    assert connect.returned.value["status_code"].value == "200"


@pytest.mark.parametrize("name", ["XERO_CLIENT_ID", "TOKEN_ENCRYPTION_KEYS", "PUBLIC_URL", "TICK_SCHEDULE"])
def test_a_missing_setting_stops_the_start_with_one_sentence_that_names_it(
    name: str, azurite: str, monkeypatch: pytest.MonkeyPatch
):
    for setting, value in settings(azurite).items():
        monkeypatch.setenv(setting, value)
    monkeypatch.setenv(name, "")
    with pytest.raises(ConfigurationError, match=f"The app cannot start. The setting {name} "):
        index(PROJECT)


def test_the_webhook_and_health_path_import_no_xero_sdk():
    import subprocess
    import sys

    code = "import sys; import functions.health, functions.tick; print([m for m in sys.modules if m.startswith(('xero_python', 'azure.identity'))])"
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
