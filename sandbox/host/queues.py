"""Queue triggers and queue outputs, with the leases, dequeue counts and poison queues of Azure's queue extension.

A message taken stays hidden for the lease (ten minutes, renewed at half time while the function runs). Success deletes
it; failure shows it again after ``visibilityTimeout``; the failure that reaches ``maxDequeueCount`` moves a copy to
``<queue>-poison``. A host that dies leaves the lease to run out: the message returns with its count one higher.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import logging
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.functions.meta import Datum
from azure.storage.queue import QueueClient, QueueMessage

from sandbox.host import settings
from sandbox.host.index import Binding, Function
from sandbox.host.settings import QueueOptions
from sandbox.host.worker import Worker

log = logging.getLogger("host.queues")

SHORTEST_WAIT = timedelta(milliseconds=100)
# Somebody else holds the message now, or it is gone: whoever that is will finish it.
LOST = {"PopReceiptMismatch", "MessageNotFound", "QueueNotFound", "QueueBeingDeleted"}


def text_of(content: str, options: QueueOptions) -> str | bytes:
    """Decode a message as it lies in the queue: text, or bytes when it is not UTF-8; raises ValueError for bad Base64."""
    if not options.base64:
        return content
    try:
        data = base64.b64decode(content, validate=True)
    except binascii.Error as error:
        raise ValueError("the message is not Base64") from error
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data


def trigger_of(body: str | bytes, message: QueueMessage) -> tuple[Datum, dict[str, Datum]]:
    """Return what the worker is given for a message: its body and its trigger metadata."""

    def moment(value: datetime | None) -> Datum:
        return Datum(json.dumps(value.isoformat() if value else None), "json")

    metadata = {
        "Id": Datum(message.id, "string"),
        "PopReceipt": Datum(message.pop_receipt, "string"),
        "DequeueCount": Datum(json.dumps(message.dequeue_count), "json"),
        "InsertionTime": moment(message.inserted_on),
        "ExpirationTime": moment(message.expires_on),
        "NextVisibleTime": moment(message.next_visible_on),
    }
    return Datum(body, "string" if isinstance(body, str) else "bytes"), metadata


def messages_of(datum: Datum) -> list[str | bytes]:
    """Return the messages an output stands for: a list fans out, everything else is one."""
    if datum.type != "json":
        return [datum.value]
    value = json.loads(datum.value)
    items = value if isinstance(value, list) else [value]
    return [item if isinstance(item, str) else item["body"] for item in items]


class Lease:
    """One message while we hold it; its pop receipt changes with every renewal."""

    def __init__(self, queue: QueueClient, message: QueueMessage, length: timedelta) -> None:
        self.queue, self.message, self.length = queue, message, length
        self.lock = threading.Lock()
        self.held = True
        self.due = time.monotonic() + length.total_seconds() / 2

    def renew(self) -> None:
        """Keep the message hidden for another full length, unless it is finished or lost."""
        with self.lock:
            if not self.held:
                return
            try:
                seconds = int(self.length.total_seconds())
                renewed = self.queue.update_message(self.message.id, self.message.pop_receipt, visibility_timeout=seconds)
            except HttpResponseError as error:
                if _code(error) in LOST or (error.status_code or 500) < 500:
                    self.held = False
                    log.warning("%s: message %s is no longer ours (%s)", self.queue.queue_name, self.message.id, _code(error))
                return
            except AzureError:
                return  # due stays in the past: the next round tries again
            self.message.pop_receipt = renewed.pop_receipt
            self.due = time.monotonic() + self.length.total_seconds() / 2

    def finish(self) -> str:
        """Stop renewing and return the last pop receipt."""
        with self.lock:
            self.held = False
            return str(self.message.pop_receipt)


class Queues:
    """All queue listeners of the app, the renewal of their leases, and the sender of queue outputs."""

    def __init__(self, options: QueueOptions) -> None:
        self.options = options
        self.stopping = threading.Event()
        self._leases: set[Lease] = set()
        self._listeners: list[Listener] = []
        self._lock = threading.Lock()

    def listen(self, function: Function, worker: Worker) -> None:
        """Add a listener for a queue function and start it."""
        listener = Listener(function, worker, self)
        with self._lock:
            self._listeners.append(listener)
            if len(self._listeners) == 1:
                threading.Thread(target=self._renew, name="leases", daemon=True).start()
        threading.Thread(target=listener.listen, name=f"listen {function.name}", daemon=True).start()

    def emit(self, binding: Binding, datum: Datum) -> None:
        """Send an output's messages, making the queue when it is not there, and wake whoever listens to it."""
        queue = settings.queues(binding.get("connection", "")).get_queue_client(binding["queueName"])
        for message in messages_of(datum):
            data = message.encode() if isinstance(message, str) else message
            self.send(queue, base64.b64encode(data).decode() if self.options.base64 else data.decode())

    def send(self, queue: QueueClient, content: str) -> None:
        """Send a message as it will lie in the queue."""
        try:
            queue.send_message(content)
        except ResourceNotFoundError:
            with contextlib.suppress(ResourceExistsError):  # another instance may make it in this moment
                queue.create_queue()
            queue.send_message(content)
        with self._lock:
            for listener in self._listeners:
                if listener.queue.url == queue.url:
                    listener.wake.set()

    def hold(self, lease: Lease) -> None:
        """Renew this lease from now on."""
        with self._lock:
            self._leases.add(lease)

    def release(self, lease: Lease) -> str:
        """Renew this lease no more and return its pop receipt."""
        with self._lock:
            self._leases.discard(lease)
        return lease.finish()

    def stop(self) -> None:
        """Take no more messages; leases of running functions are still renewed until the process ends."""
        self.stopping.set()
        with self._lock:
            for listener in self._listeners:
                listener.wake.set()

    def drain(self, seconds: float) -> None:
        """Wait until every message taken is settled, at most so long."""
        deadline = time.monotonic() + seconds
        for listener in self._listeners:
            listener.drain(deadline - time.monotonic())

    def _renew(self) -> None:
        while True:
            time.sleep(self.options.lease.total_seconds() / 20)
            with self._lock:
                due = [lease for lease in self._leases if lease.due <= time.monotonic()]
            for lease in due:
                lease.renew()


class Listener:
    """Fetch messages for one function and see each of them through."""

    def __init__(self, function: Function, worker: Worker, queues: Queues) -> None:
        name = function.trigger["queueName"]
        service = settings.queues(function.trigger.get("connection", ""))
        self.function, self._worker, self._queues, self._options = function, worker, queues, queues.options
        self.queue = service.get_queue_client(name)
        poison = f"{name}-poison"
        self._poison = service.get_queue_client(poison) if not name.endswith("-poison") and len(poison) <= 63 else None
        self.wake = threading.Event()
        self._pool = ThreadPoolExecutor(self._options.batch_size + self._options.new_batch_threshold, f"queue {function.name}")
        self._in_flight = 0
        self._finished = threading.Condition()

    def listen(self) -> None:
        """Fetch and dispatch until the host stops; wait longer, up to maxPollingInterval, while there is nothing."""
        wait, reachable = SHORTEST_WAIT, True
        while not self._queues.stopping.is_set():
            self.wake.clear()
            try:
                messages = self._fetch()
                if not reachable:
                    log.info("%s: storage answers again", self.queue.queue_name)
                reachable = True
            except AzureError as error:
                messages = []
                if reachable:
                    log.warning("%s: storage does not answer (%s); trying on", self.queue.queue_name, type(error).__name__)
                reachable = False
            if messages:
                wait = SHORTEST_WAIT
                for message in messages:
                    self._dispatch(message)
                with self._finished:
                    self._finished.wait_for(lambda: self._in_flight <= self._options.new_batch_threshold)
                continue
            self.wake.wait(wait.total_seconds() * random.uniform(0.8, 1.2))
            wait = SHORTEST_WAIT if self.wake.is_set() else min(wait * 2, self._options.max_polling_interval)

    def drain(self, seconds: float) -> None:
        """Wait until none of its messages is in flight, at most so long."""
        with self._finished:
            self._finished.wait_for(lambda: self._in_flight == 0, max(0.0, seconds))

    def _fetch(self) -> list[QueueMessage]:
        seconds = int(self._options.lease.total_seconds())
        pages = self.queue.receive_messages(messages_per_page=self._options.batch_size, visibility_timeout=seconds).by_page()
        try:
            return list(next(pages, ()))
        except ResourceNotFoundError:
            return []  # nobody has made the queue yet

    def _dispatch(self, message: QueueMessage) -> None:
        lease = Lease(self.queue, message, self._options.lease)
        self._queues.hold(lease)
        with self._finished:
            self._in_flight += 1
        self._pool.submit(self._see_through, lease)

    def _see_through(self, lease: Lease) -> None:
        try:
            self._run(lease)
        except AzureError as error:
            # Neither deleted nor shown again: it returns when its lease ends.
            log.warning("%s: message %s could not be settled (%s)", self.queue.queue_name, lease.message.id, type(error).__name__)
        except Exception:
            log.exception("%s: message %s was left to its lease", self.queue.queue_name, lease.message.id)
        finally:
            self._queues.release(lease)
            with self._finished:
                self._in_flight -= 1
                self._finished.notify_all()

    def _run(self, lease: Lease) -> None:
        message = lease.message
        count = message.dequeue_count or 0
        try:
            body = text_of(message.content, self._options)
        except ValueError as error:
            log.error("%s: message %s: %s", self.queue.queue_name, message.id, error)
            self._bury(lease)
            return
        if count > self._options.max_dequeue_count:
            self._bury(lease)
            return
        if self._worker.invoke(self.function, *trigger_of(body, message)).succeeded:
            self._delete(lease)
        elif count >= self._options.max_dequeue_count:
            self._bury(lease)
        else:
            delay = int(self._options.visibility_timeout.total_seconds())
            receipt = self._queues.release(lease)
            try:
                self.queue.update_message(message.id, receipt, visibility_timeout=delay)
            except HttpResponseError as error:
                _forgive(error)

    def _bury(self, lease: Lease) -> None:
        """Move a message to the poison queue; without one it stays hidden until its lease ends."""
        if self._poison is None:
            log.error(
                "%s: message %s failed for good; a poison queue has none of its own", self.queue.queue_name, lease.message.id
            )
            return
        self._queues.send(self._poison, lease.message.content)
        log.error("%s: message %s was moved to %s", self.queue.queue_name, lease.message.id, self._poison.queue_name)
        self._delete(lease)

    def _delete(self, lease: Lease) -> None:
        receipt = self._queues.release(lease)
        try:
            self.queue.delete_message(lease.message.id, receipt)
        except HttpResponseError as error:
            _forgive(error)


def _forgive(error: HttpResponseError) -> None:
    if _code(error) not in LOST:
        raise error


def _code(error: HttpResponseError) -> str:
    """Return the storage service's own name of an error."""
    code = getattr(error, "error_code", "")
    return str(getattr(code, "value", code))
