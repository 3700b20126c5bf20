"""Run the host as a process over the sample app, on a real Azurite, each run with queues of its own."""

import base64
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueMessage, QueueServiceClient

from sandbox.processes import Processes
from tests.patience import PATIENCE, until
from tests.ports import free_port

SAMPLE_APP = Path(__file__).parent / "sample_app"
PROJECT = Path(__file__).parent.parent.parent
NEVER = "0 0 0 29 2 Mon"
numbers = count(1)


@dataclass
class Answer:
    """What an HTTP call brought."""

    status: int
    body: str
    headers: list[tuple[str, str]] = field(default_factory=list)

    def json(self):
        """Read the body as JSON."""
        return json.loads(self.body)


@dataclass
class Queue:
    """A queue as seen from outside the host; messages in Base64 unless told otherwise."""

    service: QueueServiceClient
    name: str

    def create(self) -> None:
        """Make the queue."""
        self.service.create_queue(self.name)

    def send(self, body: Any, *, raw: bool = False) -> None:
        """Send JSON, or text as it is."""
        text = body if raw else base64.b64encode(json.dumps(body).encode()).decode()
        self.service.get_queue_client(self.name).send_message(text)

    def take(self) -> list[QueueMessage]:
        """Take what is visible, for good."""
        queue = self.service.get_queue_client(self.name)
        taken = []
        try:
            for message in queue.receive_messages(messages_per_page=32, visibility_timeout=60):
                queue.delete_message(message)
                taken.append(message)
        except ResourceNotFoundError:
            pass
        return taken

    def wait(self, many: int = 1) -> list[QueueMessage]:
        """Wait for so many messages and take them; fail when they do not come."""
        found: list[QueueMessage] = []

        def are_there() -> bool:
            found.extend(self.take())
            return len(found) >= many

        until(are_there, f"{many} messages in {self.name}")
        return found

    def told(self, many: int = 1) -> list[dict[str, Any]]:
        """Wait for so many messages and read them as JSON."""
        return [json.loads(base64.b64decode(message.content)) for message in self.wait(many)]

    def size(self) -> int:
        """Count the messages, hidden ones included."""
        return self.service.get_queue_client(self.name).get_queue_properties().approximate_message_count or 0


class Host:
    """One run of the host; start it again after a kill to see what a restart finds."""

    def __init__(self, processes: Processes, connection: str):
        self.processes = processes
        self.sample = f"sample{next(numbers)}"
        self.port = free_port()
        self.service = QueueServiceClient.from_connection_string(connection)
        self.env = {
            "AzureWebJobsStorage": connection,
            "SAMPLE": self.sample,
            "SAMPLE_SCHEDULE": NEVER,
            "AzureFunctionsWebHost__hostid": self.sample,
            "PYTHON_THREADPOOL_THREAD_COUNT": "8",
        }

    def start(self, *arguments: str, **env: str):
        """Start it, wait until it answers."""
        self.env |= env
        argv = [*command(), "--root", str(SAMPLE_APP), "--port", str(self.port), *arguments]
        self.processes.start("host", argv, self.env, ready=lambda: "ready on http" in self.log, timeout=PATIENCE, cwd=PROJECT)
        return self

    @property
    def log(self) -> str:
        """Everything it has said."""
        return self.processes.log("host")

    def queue(self, name: str, *, create: bool = False) -> Queue:
        """One of this run's queues."""
        queue = Queue(self.service, f"{self.sample}-{name}")
        if create:
            queue.create()
        return queue

    def wait_for(self, text: str):
        """Wait until the log says this."""
        until(lambda: text in self.log, f"said: {text}")

    def call(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        """Call it over HTTP."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", body, headers or {}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return Answer(answer.status, answer.read().decode(), answer.getheaders())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.read().decode(), list(error.headers.items()))


def command() -> list[str]:
    """How the host is started."""
    return [sys.executable, "-m", "sandbox.host"]


@pytest.fixture
def new_host(azurite, tmp_path) -> Iterator[Callable[[], Host]]:
    """Make hosts that end with the test."""
    made: list[Processes] = []

    def make() -> Host:
        made.append(Processes(tmp_path / f"run{len(made)}"))
        return Host(made[-1], azurite)

    yield make
    for processes in made:
        processes.stop_all()


@pytest.fixture(scope="module")
def host(azurite, tmp_path_factory) -> Iterator[Host]:
    """One host for all tests of a module that need nothing special."""
    with Processes(tmp_path_factory.mktemp("host")) as processes:
        host = Host(processes, azurite)
        for name in ("orders", "seen", "begun"):
            host.queue(name, create=True)
        yield host.start()
