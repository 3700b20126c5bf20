"""Answer multipart `$batch` requests: single operations and atomic change sets.

Source: Microsoft Learn, "Execute batch operations using the Web API". Without `Prefer: odata.continue-on-error` the first
failure ends the batch and is the status of the whole; CRLF line ends are required.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from email.message import Message
from email.parser import BytesParser
from http import HTTPStatus
from typing import Any

from . import rows
from .environment import Environment
from .errors import BAD_REQUEST, Refused
from .request import Answer, Request

MOST_OPERATIONS = 1000
CRLF = b"\r\n"

Answering = Callable[[Environment, Request], Answer]


@dataclass(frozen=True)
class Part:
    """One operation of a batch, with its Content-ID."""

    request: Request
    content_id: str


class _Failed(Exception):
    """An operation of a change set failed: undo the others."""

    def __init__(self, part: Part, answer: Answer) -> None:
        super().__init__(answer.status)
        self.part = part
        self.answer = answer


def answer(environment: Environment, request: Request, answering: Answering) -> Answer:
    """Run the operations of a batch in order; raises Refused (400) for a body that is not one."""
    groups = _read(request)
    if sum(len(group) if isinstance(group, list) else 1 for group in groups) > MOST_OPERATIONS:
        raise Refused(400, BAD_REQUEST, f"The number of operations exceeds the maximum of {MOST_OPERATIONS}.")

    def recorded(environment: Environment, operation: Request) -> Answer:
        reply = answering(environment, operation)
        request.operations.append({"method": operation.method, "url": operation.url, "status": reply.status})
        return reply

    go_on = "odata.continue-on-error" in request.preferences
    boundary = "batchresponse_" + environment.derived("batch")
    written, status = [], 200
    for group in groups:
        if isinstance(group, list):
            payload, failed = _change_set(environment, group, recorded)
        else:
            reply = recorded(environment, group.request)
            payload, failed = _operation(group, reply), reply.status if reply.status >= 400 else 0
        written.append(payload)
        if failed and not go_on:
            status = failed
            break
    body = b"".join(b"--" + boundary.encode() + CRLF + payload for payload in written) + f"--{boundary}--\r\n".encode()
    return Answer(status, body, {"Content-Type": f"multipart/mixed; boundary={boundary}"})


def _change_set(environment: Environment, parts: list[Part], answering: Answering) -> tuple[bytes, int]:
    """Run a change set; return its part of the answer and the status of the operation that failed, or 0."""
    references: dict[str, str] = {}
    written = []
    try:
        with environment.transaction():
            for part in parts:
                reply = answering(environment, replace(part.request, references=references))
                if reply.status >= 400:
                    raise _Failed(part, reply)
                if part.content_id and (address := _address(environment, reply)):
                    references[part.content_id] = address
                written.append(_operation(part, reply))
    except _Failed as failure:
        return _operation(failure.part, failure.answer), failure.answer.status
    boundary = "changesetresponse_" + environment.derived("changeset")
    body = b"".join(b"--" + boundary.encode() + CRLF + payload for payload in written) + f"--{boundary}--\r\n".encode()
    return f"Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n".encode() + body, 0


def _address(environment: Environment, reply: Answer) -> str:
    """Return the address of the row an operation wrote, also when it answered with the row; "" when it wrote none."""
    if isinstance(reply.body, dict):
        service, _, fragment = str(reply.body.get("@odata.context", "")).partition("$metadata#")
        table = environment.tables_by_set.get(re.split(r"[(/]", fragment)[0])
        return f"{service}{table.entity_set}({reply.body[table.key]})" if table else ""
    return reply.headers.get("OData-EntityId", "")


def _operation(part: Part, reply: Answer) -> bytes:
    body = rows.dump(reply.body) if isinstance(reply.body, dict) else reply.body or b""
    headers = {"OData-Version": "4.0", **reply.headers}
    if body:
        headers.setdefault("Content-Type", "application/json; odata.metadata=minimal")
    lines = ["Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    if part.content_id:
        lines.append(f"Content-ID: {part.content_id}")
    lines += ["", f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + CRLF + CRLF + body + CRLF


def _read(request: Request) -> list[Part | list[Part]]:
    groups: list[Part | list[Part]] = []
    for message in _parts(request.headers.get("content-type", ""), request.body):
        if message.get_content_type() == "multipart/mixed":
            changes = [_part(request, inner) for inner in _messages(message)]
            if any(part.request.method == "GET" for part in changes):
                raise Refused(400, BAD_REQUEST, "GET requests are not allowed within a change set.")
            groups.append(changes)
        else:
            groups.append(_part(request, message))
    if not groups:
        raise Refused(400, BAD_REQUEST, "The batch holds no operations.")
    return groups


def _parts(content_type: str, body: bytes) -> list[Message[str, str]]:
    if not content_type.lower().startswith("multipart/mixed"):
        raise Refused(400, BAD_REQUEST, "The Content-Type of a batch must be multipart/mixed with a boundary.")
    if b"\n" in body.replace(CRLF, b""):
        raise Refused(400, BAD_REQUEST, "The lines of a batch must end with CRLF.")
    whole = BytesParser().parsebytes(b"Content-Type: " + content_type.encode() + CRLF + CRLF + body)
    return _messages(whole)


def _messages(message: Message[str, str]) -> list[Message[str, str]]:
    if not message.is_multipart() or message.defects:
        raise Refused(400, BAD_REQUEST, "The batch is not well-formed: a boundary is missing or does not match.")
    return [part for part in message.get_payload() if isinstance(part, Message)]


def _part(request: Request, message: Message[str, str]) -> Part:
    if message.get_content_type() != "application/http":
        raise Refused(400, BAD_REQUEST, "Each operation of a batch must be of the Content-Type application/http.")
    content = message.get_payload(decode=True)
    head, _, body = bytes(content if isinstance(content, bytes) else b"").partition(CRLF + CRLF)
    line, *fields = head.decode().split("\r\n")
    words = line.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/"):
        raise Refused(400, BAD_REQUEST, f"'{line}' is not a request line.")
    if "$batch" in words[1]:
        raise Refused(400, BAD_REQUEST, "A batch cannot hold another batch.")
    headers = _headers(fields)
    inner = Request(words[0], words[1], headers, body.removesuffix(CRLF), request.caller, operations=request.operations)
    return Part(inner, str(message.get("Content-ID", "")))


def _headers(fields: list[str]) -> Mapping[str, str]:
    pairs: list[Any] = [field.partition(":") for field in fields if field]
    return {name.strip().lower(): value.strip() for name, _, value in pairs}
