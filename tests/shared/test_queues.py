"""Storage Queues: one contract for the fake and the real one, what goes over the wire, and what happens when the network fails."""

import base64
import re
import secrets
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, ResourceNotFoundError
from azure.storage.queue import QueueClient

from shared.errors import ConfigurationError, Retryable
from shared.services import Queues
from shared.storage.queues import StorageQueues
from tests.fakes import HOST_LEASE, FakeClock, FakeQueues, Fault, FaultServer, HttpAnswer, refused_url
from tests.patience import until

ACCOUNT = "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=a2V5;QueueEndpoint={url}/devstoreaccount1;"
GONE = b"<Error><Code>QueueNotFound</Code><Message>The specified queue does not exist.</Message></Error>"
MISSING = HttpAnswer(404, GONE, {"x-ms-error-code": "QueueNotFound", "Content-Type": "application/xml"})


@pytest.fixture(params=["fake", "azurite"])
def world(request: pytest.FixtureRequest) -> tuple[Queues, Callable[[float], object]]:
    """Return the queues and a function that lets seconds pass."""
    if request.param == "fake":
        clock = FakeClock()
        return FakeQueues(clock), clock.move
    return StorageQueues.from_connection_string(request.getfixturevalue("azurite")), time.sleep


@pytest.fixture
def queue() -> str:
    return f"q-{secrets.token_hex(6)}"


def test_a_message_comes_as_it_was_sent_to_a_queue_nobody_made(world, queue: str) -> None:
    queues, _ = world
    queues.send(queue, '{"flow":"invoices-to-xero","name":"café €"}')
    (message,) = queues.receive(queue)
    assert message.text == '{"flow":"invoices-to-xero","name":"café €"}'
    assert message.inserted_on is not None


def test_messages_come_in_their_order_and_no_more_than_asked_for(world, queue: str) -> None:
    queues, _ = world
    for number in range(5):
        queues.send(queue, str(number))
    assert [message.text for message in queues.receive(queue, 3)] == ["0", "1", "2"]
    assert [message.text for message in queues.receive(queue, 99)] == ["3", "4"]


def test_a_taken_message_is_hidden_and_a_deleted_one_gone(world, queue: str) -> None:
    queues, _ = world
    queues.send(queue, "once")
    (message,) = queues.receive(queue)
    assert queues.receive(queue) == []
    queues.delete(queue, message)
    queues.delete(queue, message)
    assert queues.receive(queue) == []


def test_a_delayed_message_comes_after_its_delay(world, queue: str) -> None:
    queues, let_pass = world
    queues.send(queue, "tomorrow", timedelta(days=1))
    assert queues.receive(queue) == []
    queues.send(queue, "soon", timedelta(seconds=1))
    while not (found := queues.receive(queue)):
        let_pass(0.1)
    assert [message.text for message in found] == ["soon"]


@pytest.mark.parametrize("delay", [timedelta(days=7), timedelta(days=400), timedelta(seconds=-5)])
def test_a_delay_of_any_length_is_taken(world, queue: str, delay: timedelta) -> None:
    queues, _ = world
    queues.send(queue, "x", delay)
    assert len(queues.receive(queue)) == (1 if delay < timedelta() else 0)


def test_a_queue_that_is_not_there_is_empty(world, queue: str) -> None:
    queues, _ = world
    assert queues.receive(queue) == []


def test_a_message_never_expires_and_is_base64_on_the_wire(azurite: str, queue: str) -> None:
    StorageQueues.from_connection_string(azurite).send(queue, "tell")
    raw = QueueClient.from_connection_string(azurite, queue)
    with raw:
        message = raw.receive_message()
    assert message is not None
    assert base64.b64decode(message.content) == b"tell"
    assert message.expires_on is not None
    assert message.expires_on.year == 9999


def test_a_message_that_is_not_base64_is_taken_as_it_stands(azurite: str, queue: str) -> None:
    queues = StorageQueues.from_connection_string(azurite)
    queues.create((queue,))
    with QueueClient.from_connection_string(azurite, queue) as raw:
        raw.send_message("not base64 €")
        raw.send_message(base64.b64encode(b"\xff\xfe").decode())
        raw.send_message("café")
    assert [message.text for message in queues.receive(queue)] == ["not base64 €", "//4=", "café"]


def test_a_message_taken_by_somebody_else_meanwhile_is_not_deleted(azurite: str, queue: str) -> None:
    queues = StorageQueues.from_connection_string(azurite)
    queues.send(queue, "twice")
    with QueueClient.from_connection_string(azurite, queue) as raw:
        first = raw.receive_message(visibility_timeout=1)
        assert first is not None
        (second,) = until(lambda: queues.receive(queue))
        queues.delete(queue, type(second)(first.id, str(first.pop_receipt), second.text, None))
        queues.delete(queue, second)
    assert queues.receive(queue) == []


def test_creating_a_queue_twice_is_nothing(azurite: str, queue: str) -> None:
    queues = StorageQueues.from_connection_string(azurite)
    queues.create((queue, f"{queue}-poison"))
    queues.create((queue, f"{queue}-poison"))
    assert queues.receive(f"{queue}-poison") == []


def test_the_host_hides_a_message_ten_minutes_and_poisons_it_after_five_failures() -> None:
    clock = FakeClock()
    queues = FakeQueues(clock)
    queues.send("invoices-to-xero", "m")
    crashed = queues.take("invoices-to-xero")
    assert crashed is not None
    assert queues.take("invoices-to-xero") is None
    assert queues.next_at() == clock.now() + HOST_LEASE
    clock.move(minutes=10)
    for dequeues in (2, 3, 4, 5):
        message = queues.take("invoices-to-xero")
        assert message is not None
        assert message.dequeues == dequeues
        queues.done("invoices-to-xero", crashed)  # an old receipt deletes nothing
        queues.failed("invoices-to-xero", crashed)  # and shows nothing
        assert queues.visible("invoices-to-xero") == []
        queues.failed("invoices-to-xero", message)
    assert queues.visible("invoices-to-xero") == []
    assert queues.visible("invoices-to-xero-poison") == ["m"]


@pytest.fixture
def faults() -> Iterator[Callable[..., tuple[FaultServer, StorageQueues]]]:
    servers: list[FaultServer] = []

    def start(*answers: object, **options: Any) -> tuple[FaultServer, StorageQueues]:
        server = FaultServer(*answers)
        servers.append(server.__enter__())
        return server, StorageQueues.from_connection_string(ACCOUNT.format(url=server.url), **options)

    yield start
    for server in servers:
        server.__exit__()


@pytest.mark.parametrize(
    "fault", [Fault.DROP, HttpAnswer(503, headers={"Retry-After": "1"}), HttpAnswer(500), HttpAnswer(429)], ids=str
)
def test_a_send_goes_out_once_whatever_the_network_does(faults, fault) -> None:
    server, queues = faults(fault)
    with pytest.raises(Retryable):
        queues.send("sweeps", "{}")
    assert len(server.requests) == 1


def test_a_send_nobody_answers_ends_after_its_time_out(faults) -> None:
    server, queues = faults(Fault.SILENCE, read_timeout=0.2)
    with pytest.raises(Retryable):
        queues.send("sweeps", "{}")
    assert len(server.requests) == 1


def test_a_queue_is_made_once_when_it_is_missing(faults) -> None:
    server, queues = faults(MISSING, HttpAnswer(201), MISSING)
    with pytest.raises(ResourceNotFoundError):
        queues.send("sweeps", "{}")
    assert [(request.method, re.sub(r"\?.*", "", request.path)) for request in server.requests] == [
        ("POST", "/devstoreaccount1/sweeps/messages"),
        ("PUT", "/devstoreaccount1/sweeps"),
        ("POST", "/devstoreaccount1/sweeps/messages"),
    ]


def test_a_send_that_cannot_connect_is_retryable() -> None:
    with refused_url() as url, pytest.raises(Retryable):
        StorageQueues.from_connection_string(ACCOUNT.format(url=url)).send("sweeps", "{}")


def test_a_missing_role_is_the_administrators(faults) -> None:
    _, queues = faults(HttpAnswer(403, headers={"x-ms-error-code": "AuthorizationPermissionMismatch"}))
    with pytest.raises(ConfigurationError, match="Storage Queue Data Contributor"):
        queues.send("sweeps", "{}")


def test_an_identity_that_gets_no_token_is_the_administrators() -> None:
    class NoIdentity:
        def get_token(self, *scopes: str, **_: Any) -> AccessToken:
            assert scopes == ("https://storage.azure.com/.default",)
            raise ClientAuthenticationError("ManagedIdentityCredential authentication unavailable")

    store = StorageQueues.from_endpoint("https://acme.queue.core.windows.net/", NoIdentity())
    with pytest.raises(ConfigurationError, match="Storage Queue Data Contributor"):
        store.send("sweeps", "{}")
