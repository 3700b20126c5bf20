"""Queue triggers and outputs over a real Azurite. Source of the rules: github.com/Azure/azure-sdk-for-net, QueueListener."""

import base64
import time
from datetime import timedelta

from sandbox.azurite import Ports, start
from sandbox.host import settings
from sandbox.host.index import AsIs, Function
from sandbox.host.queues import Listener, Queues
from sandbox.host.settings import QueueOptions
from sandbox.host.worker import Worker
from sandbox.processes import Processes
from tests.host.conftest import Host
from tests.patience import until
from tests.ports import free_port


def test_a_message_reaches_the_function_with_its_metadata_and_is_deleted(host):
    host.queue("orders").send({"name": "first"})
    [told] = host.queue("seen").told()
    assert told["wish"] == {"name": "first"}
    assert told["dequeue_count"] == 1
    assert told["pop_receipt"]
    inserted, expires, visible = told["times"]
    assert inserted < visible < expires
    assert all(moment.endswith("+00:00") for moment in told["times"])
    assert told["function"] == "work"
    host.wait_for(f"(id {told['invocation']})")
    until(lambda: host.queue("orders").size() == 0, "what succeeded is deleted")


def test_a_failing_message_returns_after_the_visibility_timeout_and_ends_in_the_poison_queue(host):
    began, before = time.monotonic(), host.log.count("ValueError: asked to fail")
    host.queue("orders").send({"name": "failing", "fail": True})
    [poison] = host.queue("orders-poison").wait()
    took = time.monotonic() - began
    assert took >= 2, "three attempts lie at least two visibility timeouts apart"
    assert base64.b64decode(poison.content) == b'{"name": "failing", "fail": true}'
    assert poison.dequeue_count == 1
    assert poison.expires_on - poison.inserted_on == timedelta(days=7)
    until(lambda: host.queue("orders").size() == 0, "it is deleted after its copy lies in the poison queue")
    assert host.log.count("ValueError: asked to fail") == before + 3
    assert host.queue("seen").take() == [], "outputs are sent only after success"


def test_what_is_not_base64_goes_to_the_poison_queue_unseen(host):
    host.queue("orders").send('{"plain": "text"}', raw=True)
    [poison] = host.queue("orders-poison").wait()
    assert poison.content == '{"plain": "text"}'
    assert "the message is not Base64" in host.log


def test_no_more_run_beside_each_other_than_batch_size_and_threshold_together(host):
    for number in range(9):
        host.queue("orders").send({"number": number, "gather": 3 * (number % 2), "sleep": 0.3})
    told = host.queue("seen").told(9)
    assert max(one["beside"] for one in told) == 3


def test_a_message_taken_by_somebody_else_is_left_to_them(host):
    host.queue("orders").send({"steal": True})
    [told] = host.queue("seen").told()
    host.wait_for(f"(id {told['invocation']})")
    assert host.queue("orders").size() == 1, "our receipt was outdated, so nothing was deleted"
    assert "could not be settled" not in host.log
    host.service.get_queue_client(host.queue("orders").name).clear_messages()


def test_a_poison_queue_has_no_poison_queue_of_its_own(host):
    parked = host.queue("parked-poison", create=True)
    parked.send({"old": "news"})
    host.wait_for("a poison queue has none of its own")
    assert parked.size() == 1
    names = [queue.name for queue in host.service.list_queues(name_starts_with=host.sample)]
    assert f"{host.sample}-parked-poison-poison" not in names


def test_bodies_are_never_logged(host):
    host.queue("orders").send({"name": "Contoso Pharmaceuticals", "fail": True})
    host.queue("orders-poison").wait()
    assert "Contoso" not in host.log


def test_a_list_fans_out_and_its_queue_is_made_on_demand(host):
    assert host.call("POST", "/fan/3", b"").status == 202
    bodies = [base64.b64decode(message.content).decode() for message in host.queue("fan").wait(3)]
    assert sorted(bodies) == ["message 0", "message 1", "message 2"]


def test_the_lease_is_renewed_while_the_function_runs(new_host):
    host = new_host()
    orders, seen, begun = (host.queue(name, create=True) for name in ("orders", "seen", "begun"))
    host.start(SANDBOX_QUEUE_LEASE_SECONDS="4")
    orders.send({"announce": True, "sleep": 6})
    [told] = seen.told()
    assert told["dequeue_count"] == 1
    until(lambda: orders.size() == 0, "the renewed receipt deletes it")
    assert [message.content for message in begun.wait()] == ["1"]
    assert begun.take() == [], "it was not delivered again"


def test_a_killed_host_lets_the_message_return_with_a_higher_count(new_host):
    host = new_host()
    orders, seen, begun = (host.queue(name, create=True) for name in ("orders", "seen", "begun"))
    host.start(SANDBOX_QUEUE_LEASE_SECONDS="2")
    orders.send({"announce": True, "hang": 600})
    assert [message.content for message in begun.wait()] == ["1"]
    host.processes.kill("host")
    assert seen.take() == []
    host.start()
    [told] = seen.told()
    assert told["dequeue_count"] == 2
    assert [message.content for message in begun.wait()] == ["2"]


def test_a_message_already_over_the_limit_is_buried_without_a_call(new_host):
    host = new_host()
    orders, poison = host.queue("orders", create=True), host.queue("orders-poison")
    orders.send({"announce": True})
    client = host.service.get_queue_client(orders.name)
    for _ in range(3):
        until(lambda: list(client.receive_messages(visibility_timeout=1)), "it is visible again")
    host.start()
    assert len(poison.wait()) == 1
    assert "work succeeded" not in host.log


def test_plain_text_encoding_and_other_options_come_from_the_environment(new_host):
    host = new_host()
    orders, poison = host.queue("orders", create=True), host.queue("orders-poison")
    host.start(
        AzureFunctionsJobHost__extensions__queues__messageEncoding="none",
        AzureFunctionsJobHost__extensions__queues__maxDequeueCount="1",
    )
    orders.send('{"fail": true}', raw=True)
    [message] = poison.wait()
    assert message.content == '{"fail": true}'
    assert host.log.count("ValueError: asked to fail") == 1


def test_a_disabled_function_takes_nothing(new_host):
    host = new_host()
    orders = host.queue("orders", create=True)
    orders.send({})
    host.start(**{"AzureWebJobs.work.Disabled": "true"})
    time.sleep(1)
    assert orders.size() == 1
    assert "work: queue" in host.log
    assert "(disabled)" in host.log


def test_storage_that_goes_away_is_said_once_and_waited_for(tmp_path):
    ports = Ports(free_port(), free_port(), free_port())
    with Processes(tmp_path) as processes:
        host = Host(processes, start(processes, ports))
        host.queue("orders", create=True)
        host.start()
        processes.kill("azurite")
        host.wait_for("orders: storage does not answer")
        start(processes, ports)
        host.wait_for("orders: storage answers again")
        orders, seen = host.queue("orders", create=True), host.queue("seen", create=True)
        orders.send({"after": "the storm"})
        assert seen.told()[0]["wish"] == {"after": "the storm"}
        assert host.log.count("orders: storage does not answer") == 1


def test_an_output_wakes_the_listener_of_its_queue(azurite, monkeypatch):
    monkeypatch.setenv("WakingStorage", azurite)
    binding = {"type": "queueTrigger", "name": "msg", "queueName": "waking", "connection": "WakingStorage"}
    queues = Queues(QueueOptions())
    worker = Worker(queues.emit)
    listener = Listener(Function("sleeper", print, binding, AsIs, (), False, False), worker, queues)
    queues._listeners.append(listener)
    queues.send(settings.queues("WakingStorage").get_queue_client("other"), "eA==")
    assert not listener.wake.is_set()
    queues.send(settings.queues("WakingStorage").get_queue_client("waking"), "eA==")
    assert listener.wake.is_set()
