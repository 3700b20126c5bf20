"""The Dataverse Web API over HTTP: one send a call, whatever the network does (SPEC 8; reference dataverse 2, 3)."""

from __future__ import annotations

import email
import hashlib
import itertools
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from email.message import Message
from functools import cached_property

import requests
from requests.structures import CaseInsensitiveDict

from shared import exact_json, telemetry
from shared.dataverse.answers import failure, is_write
from shared.dataverse.auth import Tokens
from shared.durations import Durations
from shared.errors import ConfigurationError, Retryable, Uncertain
from shared.one_send import OneSendSession, was_never_sent
from shared.services import Answer, Operation

ROOT = "/api/data/v9.2/"
MOST_OPERATIONS = 1000
HEADERS = {"Accept": "application/json", "Accept-Encoding": "gzip, deflate", "OData-MaxVersion": "4.0", "OData-Version": "4.0"}
FRESH = {"If-None-Match": "null"}  # otherwise the expanded rows of a read may come from a cache
_NEXT_LINK = re.compile(r"https?://[^/]+/api/data/v[0-9.]+/(.*)", re.DOTALL)
_NOT_IN_URL = re.compile(r"[\x00-\x20\x7f-\U0010ffff\\]")


class DataverseClient:
    """Speak to any environment the tokens open. No cookies: they would tie every call to one web server and its limits (dataverse 3)."""

    def __init__(self, tokens: Tokens, durations: Durations | None = None) -> None:
        self._tokens = tokens
        self._durations = durations or Durations()

    def send(self, environment: str, operations: Sequence[Operation]) -> list[Answer]:
        """Send one operation as itself, several as one $batch; return their answers in their order.

        *environment* is its host, and port if not 443. Neighbours with the same ``change_set`` succeed or fail together: when
        one fails each of them gets its answer. Within a change set ``$n`` names the row made by the n-th operation given
        (from 1). Raises Retryable (no answer to a read), Uncertain (no answer to a write), and what an answer to the whole
        request stands for: Throttled, ConfigurationError.
        """
        if not operations:
            return []
        token = self._tokens.token(environment)
        if len(operations) == 1:
            return [self._single(environment, operations[0], token)]
        if len(operations) > MOST_OPERATIONS:
            raise ValueError(f"A $batch holds at most {MOST_OPERATIONS} operations.")
        return self._batch(environment, operations, token)

    def _single(self, environment: str, operation: Operation, token: str) -> Answer:
        write = is_write(operation)
        headers = HEADERS | _headers(operation)
        body = b""
        if operation.body is not None:
            body = exact_json.dumps(operation.body).encode()
            headers["Content-Type"] = "application/json; charset=utf-8"
        response = self._http(environment, operation.method, operation.path, headers, body, token, write=write)
        answer = _answer(response.status_code, response.headers, response.content)
        _refuse_for_all(answer, write)
        return answer

    def _batch(self, environment: str, operations: Sequence[Operation], token: str) -> list[Answer]:
        groups = _groups(operations)
        write = any(map(is_write, operations))
        body, boundary = _multipart(environment, groups)
        headers = HEADERS | {"Content-Type": f"multipart/mixed; boundary={boundary}", "Prefer": "odata.continue-on-error"}
        response = self._http(environment, "POST", "$batch", headers, body, token, write=write)
        content_type = response.headers.get("Content-Type", "")
        if not content_type.startswith("multipart/mixed"):
            whole = _answer(response.status_code, response.headers, response.content)
            _refuse_for_all(whole, write)
            if whole.status < 400:
                raise _no_answer("Dataverse answered the batch with something else.", write)
            return [whole for _ in operations]
        answers = list(_answers(groups, response.content, content_type))
        if len(answers) != len(operations):
            raise _no_answer(f"Dataverse answered {len(answers)} of {len(operations)} operations.", write)
        return answers

    def _http(
        self, environment: str, method: str, path: str, headers: dict[str, str], body: bytes, token: str, *, write: bool
    ) -> requests.Response:
        url = f"https://{environment}{ROOT}{relative(path)}"
        identity = "\n".join((method, url, hashlib.sha256(body).hexdigest()))
        headers["x-ms-client-request-id"] = str(uuid.uuid5(uuid.NAMESPACE_URL, identity))
        headers["Authorization"] = f"Bearer {token}"
        telemetry.called("dataverse", environment)
        try:
            return self._session.once(method, url, headers, body)
        except (requests.RequestException, OSError) as error:
            if was_never_sent(error):
                raise Retryable(f"{environment} cannot be reached.") from error
            raise _no_answer(f"{environment} gave no answer ({type(error).__name__}).", write) from error

    @cached_property
    def _session(self) -> OneSendSession:
        return OneSendSession(self._durations)


def relative(path: str) -> str:
    """Return *path* relative to the API's root; an @odata.nextLink is followed on our own host only.

    Raises ValueError for a path that is not encoded or that climbs out of the API.
    """
    link = _NEXT_LINK.fullmatch(path)
    path = link.group(1) if link else path
    if path.startswith("/") or "://" in path.partition("?")[0] or _NOT_IN_URL.search(path):
        raise ValueError("A path of the Web API is relative and percent-encoded.")
    if any(part in (".", "..") for part in path.partition("?")[0].split("/")):
        raise ValueError("A path of the Web API does not climb.")
    return path


def _headers(operation: Operation) -> dict[str, str]:
    return {**operation.headers} if is_write(operation) else {**FRESH, **operation.headers}


def _refuse_for_all(answer: Answer, write: bool) -> None:
    """Raise an answer that speaks for the whole environment, so that nobody reads it as the answer to one row."""
    if answer.status in (401, 408, 429) or answer.status >= 500 or 300 <= answer.status < 400:
        error = failure(answer, write=write)
        if isinstance(error, Retryable | ConfigurationError):
            raise error


def _no_answer(message: str, write: bool) -> Retryable:
    return Uncertain(message) if write else Retryable(message)


def _answer(status: int, headers: Mapping[str, str], content: bytes) -> Answer:
    """Read one answer. A page of a gateway has no body; a success nobody can read is no success (502)."""
    if not content:
        return Answer(status, headers, None)
    try:
        if "json" in headers.get("Content-Type", ""):
            return Answer(status, headers, exact_json.loads(content))
    except ValueError:
        pass
    return Answer(502 if status < 300 else status, headers, None)


def _groups(operations: Sequence[Operation]) -> list[list[tuple[int, Operation]]]:
    """Group neighbours of one change set, each operation with its Content-ID; an operation without one stands alone."""
    numbered = list(enumerate(operations, 1))
    groups = [list(group) for _, group in itertools.groupby(numbered, key=lambda item: item[1].change_set or item[0])]
    if any(group[0][1].change_set and not all(is_write(operation) for _, operation in group) for group in groups):
        raise ValueError("A change set holds no GET.")
    return groups


def _multipart(environment: str, groups: Iterable[Sequence[tuple[int, Operation]]]) -> tuple[bytes, str]:
    """Write the $batch body; its boundaries are derived from what they enclose, so no content can hold them by chance."""
    parts = []
    for group in groups:
        requests_ = [_request(environment, number, operation) for number, operation in group]
        if group[0][1].change_set:
            parts.append(_enclosed("changeset", requests_))
        else:
            parts += requests_
    whole = _enclosed("batch", parts)
    header, _, body = whole.partition(b"\r\n\r\n")
    return body, header.rpartition(b"boundary=")[2].decode()


def _enclosed(kind: str, parts: Sequence[bytes]) -> bytes:
    boundary = f"{kind}_{hashlib.sha256(b''.join(parts)).hexdigest()[:32]}".encode()
    body = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts)
    return b"Content-Type: multipart/mixed; boundary=" + boundary + b"\r\n\r\n" + body + b"--" + boundary + b"--\r\n"


def _request(environment: str, number: int, operation: Operation) -> bytes:
    headers = {"Accept": "application/json", **_headers(operation)}
    body = b""
    if operation.body is not None:
        body = exact_json.dumps(operation.body).encode()
        headers["Content-Type"] = "application/json; type=entry"
    lines = [
        "Content-Type: application/http",
        "Content-Transfer-Encoding: binary",
        f"Content-ID: {number}",
        "",
        f"{operation.method} {_target(environment, operation.path)} HTTP/1.1",
        *(f"{name}: {value}" for name, value in headers.items()),
        "",
        "",
    ]
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("A header holds a line end.")
    return "\r\n".join(lines).encode() + body


def _target(environment: str, path: str) -> str:
    """Address an operation of a batch; one that starts with $n is a reference to a row made before it."""
    return path if re.match(r"\$[0-9]", path) else f"https://{environment}{ROOT}{relative(path)}"


def _answers(groups: Iterable[Sequence[tuple[int, Operation]]], content: bytes, content_type: str) -> Iterator[Answer]:
    """Yield the answer of every operation; a change set that failed answers each of its operations alike."""
    whole = email.message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + content)
    parts = whole.get_payload()
    for group, part in zip(groups, parts if isinstance(parts, list) else [], strict=False):
        if not isinstance(part, Message):
            return
        inner = part.get_payload() if part.is_multipart() else [part]
        answers = [_part(message) for message in inner if isinstance(message, Message)]
        failed = [answer for answer in answers if answer.status >= 400]
        if failed:
            yield from (failed[-1] for _ in group)
        elif len(answers) == len(group):
            yield from answers
        else:
            return


def _part(part: Message) -> Answer:
    """Read one part of a batch's answer: an HTTP response in a body."""
    payload = part.get_payload(decode=True)
    head, _, content = (payload if isinstance(payload, bytes) else b"").partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers: CaseInsensitiveDict[str] = CaseInsensitiveDict()
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip()] = value.strip()
    status = re.match(r"HTTP/\S+ ([0-9]{3})", first)
    return _answer(int(status.group(1)) if status else 502, headers, content)
