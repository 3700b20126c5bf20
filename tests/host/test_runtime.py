"""Microsoft's own runtime accepts what our host runs, and refuses what Azure would refuse."""

import json
from datetime import UTC, datetime

import azure.functions as func
import pytest
from azure.storage.queue import QueueMessage

from sandbox.host.index import _converter
from sandbox.host.queues import trigger_of
from sandbox.host.timers import Schedule, after_run
from sandbox.host.timers import trigger_of as timer_trigger_of
from tests.functions_runtime import App, Datum, index, text
from tests.host.conftest import SAMPLE_APP

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.fixture
def sample(monkeypatch) -> App:
    """The sample app, indexed."""
    monkeypatch.setenv("SAMPLE", "runtime")
    return index(SAMPLE_APP)


def translated(datum) -> Datum:
    """One of our host's values as the runtime's own."""
    value = datum.value
    if isinstance(value, dict):
        value = {
            name: translated(part) if hasattr(part, "type") else {n: translated(p) for n, p in part.items()}
            for name, part in value.items()
        }
    return Datum(value, datum.type)


def message() -> QueueMessage:
    """A message as the storage SDK gives it."""
    message = QueueMessage(content="{}")
    message.id, message.pop_receipt, message.dequeue_count = "7d5f", "receipt", 3
    message.inserted_on, message.expires_on, message.next_visible_on = NOON, NOON.replace(day=28), NOON.replace(minute=10)
    return message


def test_every_function_of_the_sample_is_accepted(sample):
    assert {"tick", "work", "parked", "fan", "echo", "patient"} <= set(sample.metadata)


def test_our_hosts_queue_trigger_means_the_same_to_the_runtime(sample, azurite, monkeypatch):
    monkeypatch.setenv("AzureWebJobsStorage", azurite)
    body, metadata = trigger_of('{"by": "runtime"}', message())
    answer = sample.invoke("work", [("msg", translated(body))], {name: translated(datum) for name, datum in metadata.items()})
    assert answer.error is None
    told = json.loads(answer.outputs["seen"].value)
    assert told["id"] == "7d5f"
    assert told["dequeue_count"] == 3
    assert told["pop_receipt"] == "receipt"
    assert told["times"] == ["2026-11-21 12:00:00+00:00", "2026-11-28 12:00:00+00:00", "2026-11-21 12:10:00+00:00"]
    assert told["wish"] == {"by": "runtime"}


def test_our_hosts_timer_trigger_means_the_same_to_the_runtime(sample):
    status = after_run(Schedule("0 0 * * * *"), NOON)
    answer = sample.invoke("tick", [("timer", translated(timer_trigger_of(status, past_due=True)))])
    told = json.loads(answer.outputs["out"].value)
    assert told == {"past_due": True, "status": status.as_json(), "schedule": {"AdjustForDST": True}}


@pytest.mark.parametrize("name", ["echo", "patient"])
def test_http_functions_answer_through_the_runtime(sample, name):
    request = {
        "method": text("GET"),
        "url": text("http://localhost/echo/x?a=1"),
        "headers": {"host": text("localhost")},
        "query": {"a": text("1")},
        "params": {"rest": text("x")},
        "body": Datum(b"", "bytes"),
    }
    answer = sample.invoke(name, [("req", Datum(request, "http"))])
    assert answer.returned.value["status_code"].value == "200"
    assert answer.returned.type == "http"


def test_a_failure_comes_back_as_an_error_without_outputs(sample):
    answer = sample.invoke("stumble", [("timer", translated(timer_trigger_of(None, past_due=False)))])
    assert not answer.succeeded
    assert "the timer stumbled" in (answer.error or "")
    assert answer.outputs == {}


HEAD = "import functools, typing\nimport azure.functions as func\napp = func.FunctionApp()\n"
QUEUE = "@app.queue_trigger(arg_name='msg', queue_name='q', connection='C')\n"
OUT = "@app.queue_output(arg_name='out', queue_name='r', connection='C')\n"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            QUEUE + OUT + "def f(msg: func.QueueMessage, out: func.Out[list[str]]) -> None: ...", id="Out of a built-in list"
        ),
        pytest.param(QUEUE + OUT + "def f(msg: func.QueueMessage, out: func.Out) -> None: ...", id="bare Out"),
        pytest.param(QUEUE + "def f(message: func.QueueMessage) -> None: ...", id="other parameter name"),
        pytest.param(QUEUE + "def f(msg: func.QueueMessage, repo=None) -> None: ...", id="parameter with a default"),
        pytest.param(QUEUE + "def f(msg: dict) -> None: ...", id="message as dict"),
        pytest.param(QUEUE + "def f(msg: typing.Optional[func.QueueMessage]) -> None: ...", id="optional message"),
        pytest.param(QUEUE + "def f(msg: func.QueueMessage, context: str) -> None: ...", id="context of another type"),
        pytest.param("@app.route('x')\ndef f(req: func.HttpRequest) -> dict: ...", id="http returning a dict"),
        pytest.param(
            "def bare(g):\n    def wrapped(*a, **k): return g(*a, **k)\n    return wrapped\n"
            + QUEUE
            + "@bare\ndef f(msg: func.QueueMessage) -> None: ...",
            id="decorator without wraps",
        ),
        pytest.param("other = app", id="two names for one app"),
    ],
)
def test_what_the_library_accepts_the_runtime_still_refuses(tmp_path, body):
    (tmp_path / "function_app.py").write_text(HEAD + body + "\n")
    with pytest.raises(Exception, match=r"cannot load the (f|wrapped) function|More than one FunctionApp"):
        index(tmp_path)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            QUEUE + OUT + "def f(msg: func.QueueMessage, out: func.Out[typing.List[str]]) -> None: ...", id="Out of typing.List"
        ),
        pytest.param(QUEUE + "def f(msg: str) -> None: ...", id="message as text"),
        pytest.param(
            "def kept(g):\n    @functools.wraps(g)\n    def wrapped(*a, **k): return g(*a, **k)\n    return wrapped\n"
            + QUEUE
            + "@kept\ndef f(msg: func.QueueMessage) -> None: ...",
            id="decorator with wraps",
        ),
    ],
)
def test_what_works_in_azure_is_accepted(tmp_path, body):
    (tmp_path / "function_app.py").write_text(HEAD + body + "\n")
    assert set(index(tmp_path).metadata) == {"f"}


def test_the_types_functions_get_are_the_librarys_own():
    body, metadata = trigger_of("x", message())
    decoded = _converter("queueTrigger", func.QueueMessage).decode(body, trigger_metadata=metadata)
    assert isinstance(decoded, func.QueueMessage)
    assert decoded.insertion_time == NOON
