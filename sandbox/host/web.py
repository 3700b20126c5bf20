"""HTTP triggers and the host's own endpoints, on werkzeug."""

from __future__ import annotations

import hmac
import json
import logging
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, unquote
from wsgiref.types import StartResponse, WSGIEnvironment

from azure.functions.meta import Datum
from werkzeug import Request, Response
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from sandbox.host import timers
from sandbox.host.index import Function
from sandbox.host.settings import HostError
from sandbox.host.worker import Worker

log = logging.getLogger("host.web")

NUMBER = r"[+-]?\d+(\.\d+)?"
# The inline constraints of ASP.NET routing, as patterns or as questions about the value.
PATTERNS = {
    "int": r"[+-]?\d{1,10}",
    "long": r"[+-]?\d{1,19}",
    "bool": r"true|false",
    "alpha": r"[a-z]*",
    "decimal": NUMBER,
    "double": NUMBER,
    "float": NUMBER,
    "guid": r"\{?[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}\}?",
    "datetime": r"\d{4}-\d{2}-\d{2}([T ].*)?",
}
BOUNDS: dict[str, Callable[[str, str], bool]] = {
    "min": lambda value, low: int(value) >= int(low),
    "max": lambda value, high: int(value) <= int(high),
    "minlength": lambda value, low: len(value) >= int(low),
    "maxlength": lambda value, high: len(value) <= int(high),
}
PARAMETER = re.compile(
    r"\{(?P<catch_all>\*{0,2})(?P<name>\w+)(?P<constraints>(?::[^:{}]+)*)(?:=(?P<default>[^{}]*))?(?P<optional>\??)\}"
)


@dataclass(frozen=True)
class Segment:
    """One part of a route between slashes: literal text, parameters, or both."""

    text: str

    @cached_property
    def parameters(self) -> list[re.Match[str]]:
        """Return the parameters in order."""
        return list(PARAMETER.finditer(self.text))

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Return the pattern of the whole segment, ignoring case."""
        pattern, at = "", 0
        for parameter in self.parameters:
            pattern += re.escape(self.text[at : parameter.start()]) + f"(?P<{parameter['name']}>.+)"
            at = parameter.end()
        return re.compile(pattern + re.escape(self.text[at:]), re.IGNORECASE | re.DOTALL)

    @property
    def is_catch_all(self) -> bool:
        """Tell whether it takes the rest of the path."""
        return bool(self.parameters) and bool(self.parameters[0]["catch_all"])

    @property
    def may_be_absent(self) -> bool:
        """Tell whether a path may end before it."""
        return self.is_catch_all or (bool(self.parameters) and (bool(self.parameters[0]["optional"]) or self.default is not None))

    @property
    def default(self) -> str | None:
        """Return the value of an absent parameter."""
        return self.parameters[0]["default"] if self.parameters else None

    @property
    def rank(self) -> int:
        """Return its place in ASP.NET's order: literal, mixed or constrained, plain parameter, catch-all."""
        if not self.parameters:
            return 1
        constrained = bool(self.parameters[0]["constraints"])
        if self.is_catch_all:
            return 4 if constrained else 5
        return 2 if constrained or self.parameters[0][0] != self.text else 3

    def values(self, text: str) -> dict[str, str] | None:
        """Return the parameters' values in ``text``; None when it does not fit."""
        if not (match := self.pattern.fullmatch(text)):
            return None
        values = match.groupdict()
        fits = all(_fits(values[parameter["name"]], parameter["constraints"]) for parameter in self.parameters)
        return values if fits else None


def _fits(value: str, constraints: str) -> bool:
    for constraint in filter(None, constraints.split(":")):
        name, _, argument = constraint.partition("(")
        argument = argument.removesuffix(")")
        try:
            if name in PATTERNS:
                fits = re.fullmatch(PATTERNS[name], value, re.IGNORECASE) is not None
            elif name in BOUNDS:
                fits = BOUNDS[name](value, argument)
            elif name == "length":
                low, _, high = argument.partition(",")
                fits = int(low) <= len(value) <= int(high or low)
            elif name == "range":
                low, _, high = argument.partition(",")
                fits = int(low) <= int(value) <= int(high)
            else:
                fits = re.search(argument, value, re.IGNORECASE) is not None
        except ValueError:
            fits = False
        if not fits:
            return False
    return True


class Route:
    """One HTTP function's place in the URL space. Routes ignore case; a wrong method is simply no match."""

    def __init__(self, function: Function, prefix: str) -> None:
        self.function = function
        template = (function.trigger.get("route") or function.name).strip("/")
        self.template = "/".join(filter(None, (prefix, template)))
        self.methods = {str(method).upper() for method in function.trigger.get("methods") or ()}
        self.segments = [Segment(text) for text in self.template.split("/")]
        if self.segments[0].text.lower() in ("admin", "runtime"):
            raise HostError(f"the route {self.template!r} is reserved for the host.")
        for segment in self.segments:
            if PARAMETER.sub("", segment.text).count("{"):
                raise HostError(f"the route {self.template!r} has a parameter that cannot be read.")
            for parameter in segment.parameters:
                for constraint in filter(None, parameter["constraints"].split(":")):
                    if constraint.partition("(")[0] not in {*PATTERNS, *BOUNDS, "length", "range", "regex"}:
                        raise HostError(f"the route {self.template!r} has an unknown constraint {constraint!r}.")
        self.order = [segment.rank for segment in self.segments]

    def match(self, path: list[str]) -> dict[str, str] | None:
        """Return the route parameters when the decoded ``path`` fits; None when it does not."""
        values: dict[str, str] = {}
        for at, segment in enumerate(self.segments):
            if segment.is_catch_all:
                name, rest = segment.parameters[0]["name"], "/".join(path[at:])
                if rest and not _fits(rest, segment.parameters[0]["constraints"]):
                    return None
                return values | ({name: rest} if rest else {})
            if at >= len(path):
                if not all(left.may_be_absent for left in self.segments[at:]):
                    return None
                defaults = {left.parameters[0]["name"]: left.default for left in self.segments[at:] if left.default is not None}
                return values | defaults
            found = segment.values(path[at])
            if found is None:
                return None
            values |= found
        return values if len(path) <= len(self.segments) else None


class Site:
    """The WSGI application: functions by route, then the host's own pages."""

    def __init__(self, routes: Iterable[Route], functions: Iterable[Function], worker: Worker, key: str | None) -> None:
        self._routes = sorted(routes, key=lambda route: route.order)
        self._functions = {function.name.lower(): function for function in functions}
        self._worker = worker
        self._key = key
        self._began = time.monotonic()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        request = Request(environ)
        # Read whatever was sent, or a kept connection would take it for the next request.
        body = request.get_data()
        # As Azure's host forwards it: a body counts only when its length was declared, so chunked ones arrive empty.
        body = body if request.content_length else b""
        raw = str(environ.get("RAW_URI") or environ.get("REQUEST_URI") or request.path).partition("?")[0]
        path = [unquote(part) for part in raw.strip("/").split("/")] if raw.strip("/") else []
        return self._answer(request, path, body)(environ, start_response)

    def _answer(self, request: Request, path: list[str], body: bytes) -> Response:
        if path and path[0].lower() == "admin":
            return self._admin(request, [part.lower() for part in path[1:]], body)
        for route in self._routes:
            if route.methods and request.method not in route.methods:
                continue
            if (values := route.match(path)) is not None:
                if not self._may_call(request, str(route.function.trigger.get("authLevel", "function"))):
                    return Response(status=401)
                return self._call(route.function, request, values, body)
        if not path and request.method in ("GET", "HEAD"):
            return Response("Your Functions app is up and running.\n", content_type="text/plain; charset=utf-8")
        return Response(status=404)

    def _may_call(self, request: Request, level: str) -> bool:
        if self._key is None or level.lower() == "anonymous":
            return True
        given = request.headers.get("x-functions-key") or request.args.get("code") or ""
        return hmac.compare_digest(given.encode(), self._key.encode())

    def _call(self, function: Function, request: Request, values: Mapping[str, str], body: bytes) -> Response:
        query: dict[str, list[str]] = {}
        for name, value in parse_qsl(request.query_string.decode("ascii", "replace"), keep_blank_values=False):
            query.setdefault(name, []).append(value)
        headers: dict[str, list[str]] = {}
        for name, value in request.headers:
            headers.setdefault(name.lower(), []).append(value)
        trigger = {
            "method": _text(request.method),
            "url": _text(request.url),
            "headers": {name: _text(", ".join(given)) for name, given in headers.items()},
            "query": {name: _text(",".join(given)) for name, given in query.items()},
            "params": {name: _text(value) for name, value in values.items()},
            "body": Datum(body, "bytes"),
        }
        invocation = self._worker.invoke(function, Datum(trigger, "http"))
        return response_of(invocation.returned) if invocation.succeeded else Response(status=500)

    def _admin(self, request: Request, path: list[str], body: bytes) -> Response:
        if not self._may_call(request, "admin"):
            return Response(status=401)
        if path == ["host", "status"] and request.method == "GET":
            uptime = int((time.monotonic() - self._began) * 1000)
            return _json({"state": "Running", "processUptime": uptime, "functions": len(self._functions)})
        if path == ["functions"] and request.method == "GET":
            listed = self._functions.values()
            return _json([{"name": one.name, "kind": one.kind, "isDisabled": one.disabled} for one in listed])
        if len(path) == 2 and path[0] == "functions" and request.method == "POST" and path[1] in self._functions:
            return self._fire(self._functions[path[1]], body)
        return Response(status=404)

    def _fire(self, function: Function, body: bytes) -> Response:
        """Start a function by hand, as ``POST /admin/functions/<name>`` with {"input": ...} does in Azure."""
        try:
            given = json.loads(body)["input"]
        except (ValueError, KeyError, TypeError):
            return Response('The body must be JSON: {"input": ""}\n', status=400)
        if function.kind == "http":
            return Response("An HTTP function is called by its route.\n", status=400)
        if function.kind == "timer":
            trigger = timers.trigger_of(None, past_due=False)
        else:
            trigger = Datum(given if isinstance(given, str) else json.dumps(given), "string")
        threading.Thread(target=self._worker.invoke, args=(function, trigger, {}), daemon=True).start()
        return Response(status=202)


def response_of(returned: Datum | None) -> Response:
    """Turn what an HTTP function returned into a response: nothing is 204, text is 200."""
    if returned is None:
        return Response(status=204)
    if returned.type != "http":
        return Response(returned.value, content_type="text/plain; charset=utf-8")
    value = returned.value
    response = Response(value["body"].value, status=int(value["status_code"].value))
    response.headers.remove("Content-Type")
    for name, header in value["headers"].items():
        response.headers[name] = header.value
    for cookie in value["cookies"] or ():
        for morsel in cookie.values():
            response.headers.add("Set-Cookie", morsel.OutputString())
    return response


def _text(value: str) -> Datum:
    return Datum(value, "string")


def _json(value: Any) -> Response:
    return Response(json.dumps(value), content_type="application/json")


class _Quiet(WSGIRequestHandler):
    """Say nothing per request: each invocation is logged already."""

    def log(self, type: str, message: str, *args: Any) -> None:
        """Drop the line."""


def serve(site: Site, address: str, port: int) -> BaseWSGIServer:
    """Listen, and return the server that ``serve_forever`` will run; raises HostError when the port is taken."""
    with socket.socket() as probe:
        if sys.platform != "win32":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise HostError(
                f"port {port} of {address} is in use or not ours: choose another with --port ({error.strerror})."
            ) from error
    return make_server(address, port, site, threaded=True, request_handler=_Quiet)
