"""One invocation: decode the trigger with the library's converters, call the function, encode and emit its outputs."""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import azure.functions as func
from azure.functions.meta import Datum

from sandbox.host.index import Binding, Function

log = logging.getLogger("host")

Emit = Callable[[Binding, Datum], None]


@dataclass(frozen=True)
class Invocation:
    """How a call ended; ``returned`` is the encoded return value of an HTTP function."""

    succeeded: bool
    returned: Datum | None = None


class Out(func.Out[Any]):
    """What a function sets to be sent when it has succeeded."""

    def __init__(self) -> None:
        self._value: Any = None

    def set(self, val: Any) -> None:
        """Keep the value."""
        self._value = val

    def get(self) -> Any:
        """Return the value, None when the function set none."""
        return self._value


@dataclass(frozen=True)
class Trace:
    """The trace of an invocation nobody traces."""

    trace_parent: str = ""
    trace_state: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Retry:
    """The retries of an invocation that is not retried."""

    retry_count: int = 0
    max_retry_count: int = 0
    exception: None = None


@dataclass(frozen=True)
class Context:
    """What a function learns about its own invocation: azure.functions.Context, as the worker fills it."""

    function_name: str
    function_directory: str
    invocation_id: str
    thread_local_storage: threading.local
    trace_context: Trace = Trace()
    retry_context: Retry = Retry()


class Worker:
    """Run functions as Microsoft's Python worker does: `def` in a thread pool, `async def` on one event loop."""

    def __init__(self, emit: Emit) -> None:
        threads = os.environ.get("PYTHON_THREADPOOL_THREAD_COUNT", "")
        # The worker's own default, which is also the library's: min(32, processors + 4).
        self._pool = ThreadPoolExecutor(int(threads) if threads.isdecimal() else None, thread_name_prefix="worker")
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="event-loop", daemon=True).start()
        self._local = threading.local()
        self._emit = emit
        self._running = 0
        self._idle = threading.Condition()

    def invoke(self, function: Function, trigger: Datum, metadata: Mapping[str, Datum] | None = None) -> Invocation:
        """Call a function and wait for it; a failure is logged, not raised. Outputs are sent only after success."""
        invocation = str(uuid.uuid4())
        started = time.monotonic()
        with self._idle:
            self._running += 1
        try:
            returned = self._call(function, invocation, trigger, metadata or {})
            succeeded = True
        except Exception:
            log.exception("%s raised (id %s)", function.name, invocation)
            returned, succeeded = None, False
        finally:
            with self._idle:
                self._running -= 1
                self._idle.notify_all()
        milliseconds = (time.monotonic() - started) * 1000
        level = logging.INFO if succeeded else logging.ERROR
        log.log(
            level, "%s %s in %.0f ms (id %s)", function.name, "succeeded" if succeeded else "failed", milliseconds, invocation
        )
        return Invocation(succeeded, returned)

    def _call(self, function: Function, invocation: str, trigger: Datum, metadata: Mapping[str, Datum]) -> Datum | None:
        arguments = {function.trigger["name"]: function.converter.decode(trigger, trigger_metadata=metadata)}
        outs = {output.name: Out() for output in function.outputs if output.name != "$return"}
        arguments |= outs
        if function.wants_context:
            arguments["context"] = Context(function.name, os.getcwd(), invocation, self._local)
        value = self._submit(function.call, invocation, arguments).result()
        if value is not None and not any(output.name == "$return" for output in function.outputs):
            raise RuntimeError(f"function {function.name!r} without a $return binding returned a non-None value")

        returned, queued = None, []
        for output in function.outputs:
            given = value if output.name == "$return" else outs[output.name].get()
            if given is None:
                continue
            datum = output.converter.encode(given, expected_type=output.annotation)
            if output.binding["type"] == "http":
                returned = datum
            else:
                queued.append((output.binding, datum))
        for binding, datum in queued:
            self._emit(binding, datum)
        return returned

    def _submit(self, call: Callable[..., Any], invocation: str, arguments: dict[str, Any]) -> Future[Any]:
        if inspect.iscoroutinefunction(call):
            return asyncio.run_coroutine_threadsafe(call(**arguments), self._loop)

        def in_thread() -> Any:
            self._local.invocation_id = invocation
            return call(**arguments)

        return self._pool.submit(in_thread)

    def drain(self, seconds: float) -> int:
        """Wait until no invocation runs, at most so long; return how many still do."""
        with self._idle:
            self._idle.wait_for(lambda: self._running == 0, seconds)
            return self._running
