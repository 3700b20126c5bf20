"""Azure Storage Queues, or Azurite: the ``Queues`` port of shared.services. Every method is one request.

Texts go Base64, as the Functions host expects and sends. The SDK's retries are off: a send that got no answer raises Retryable and may
have happened, so that a message can come twice, which the claim makes harmless.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from azure.core.credentials import TokenCredential
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.storage.queue import QueueClient, QueueServiceClient

from shared.errors import ConfigurationError, Retryable
from shared.services import ReceivedMessage

LONGEST_DELAY = timedelta(days=7)
FOR_EVER = -1
HIDDEN = 300  # seconds: time enough to record a message taken by hand
ONE_SEND: dict[str, Any] = {"retry_total": 0, "connection_timeout": 5, "read_timeout": 15}
GONE = ("PopReceiptMismatch", "MessageNotFound", "QueueNotFound")


class StorageQueues:
    """Send messages, with a delay of up to seven days, and take them by hand from the poison queues."""

    def __init__(self, service: QueueServiceClient) -> None:
        self._service = service
        self._queues: dict[str, QueueClient] = {}

    @classmethod
    def from_connection_string(cls, connection_string: str, **options: Any) -> StorageQueues:
        """Use a connection string (``UseDevelopmentStorage=true`` is Azurite); *options* of the SDK's client replace ours."""
        return cls(QueueServiceClient.from_connection_string(connection_string, **ONE_SEND | options))

    @classmethod
    def from_endpoint(cls, endpoint: str, credential: TokenCredential) -> StorageQueues:
        """Use an identity at https://<account>.queue.core.windows.net (AzureWebJobsStorage__queueServiceUri)."""
        return cls(QueueServiceClient(endpoint, credential=credential, **ONE_SEND))

    def create(self, queues: tuple[str, ...]) -> None:
        """Create the queues that are missing."""
        for queue in queues:
            with _errors(queue):
                self._create(queue)

    def send(self, queue: str, text: str, delay: timedelta = timedelta()) -> None:
        """Send *text*, visible after *delay*; it never expires. A longer delay than seven days becomes seven: the reader waits again."""
        seconds = int(min(max(delay, timedelta()), LONGEST_DELAY).total_seconds())
        encoded = base64.b64encode(text.encode()).decode()
        with _errors(queue):
            try:
                self._queue(queue).send_message(encoded, visibility_timeout=seconds, time_to_live=FOR_EVER)
            except ResourceNotFoundError:
                self._create(queue)
                self._queue(queue).send_message(encoded, visibility_timeout=seconds, time_to_live=FOR_EVER)

    def receive(self, queue: str, limit: int = 32) -> list[ReceivedMessage]:
        """Take up to *limit* (32 at most) messages and hide them for five minutes; none when there is no such queue."""
        size = min(limit, 32)
        try:
            with _errors(queue):
                pages = self._queue(queue).receive_messages(messages_per_page=size, visibility_timeout=HIDDEN).by_page()
                return [
                    ReceivedMessage(message.id, message.pop_receipt or "", _decoded(message.content), message.inserted_on)
                    for message in next(pages, ())
                ]
        except ResourceNotFoundError:
            return []

    def delete(self, queue: str, message: ReceivedMessage) -> None:
        """Delete a message that was taken; nothing happens when it is gone or was taken again by somebody else."""
        with _errors(queue):
            try:
                self._queue(queue).delete_message(message.id, message.receipt)
            except HttpResponseError as error:
                if getattr(error, "error_code", "") not in GONE:
                    raise

    def _queue(self, queue: str) -> QueueClient:
        if queue not in self._queues:
            self._queues[queue] = self._service.get_queue_client(queue)
        return self._queues[queue]

    def _create(self, queue: str) -> None:
        try:
            self._queue(queue).create_queue()
        except ResourceExistsError:
            return


@contextmanager
def _errors(queue: str) -> Iterator[None]:
    try:
        yield
    except ClientAuthenticationError as error:
        raise ConfigurationError("The app may not use the queues: it needs the role Storage Queue Data Contributor.") from error
    except (ServiceRequestError, ServiceResponseError) as error:
        raise Retryable(f"Queue Storage did not answer ({queue}).") from error
    except HttpResponseError as error:
        if error.status_code == 403:
            raise ConfigurationError(
                "The app may not use the queues: it needs the role Storage Queue Data Contributor."
            ) from error
        if error.status_code in (408, 429) or (error.status_code or 0) >= 500:
            raise Retryable(f"Queue Storage answered {error.status_code} ({queue}).") from error
        raise


def _decoded(content: str) -> str:
    """Return the text of a message; one that is no Base64 text is returned as it stands, so that it can be recorded."""
    try:
        return base64.b64decode(content, validate=True).decode()
    except ValueError:
        return content
