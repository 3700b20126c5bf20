"""Index and invoke a function app with Microsoft's own worker runtime, as Azure does; no host, no gRPC.

The calls are internal to azure-functions-runtime, so its version is pinned and they stay behind this file.
"""

import asyncio
import sys
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azure_functions_runtime import handle_event, start_threadpool_executor
from azure_functions_runtime.bindings.datumdef import Datum
from azure_functions_runtime.bindings.meta import load_binding_registry
from azure_functions_runtime.loader import index_function_app, process_indexed_function
from azure_functions_runtime.native_invocation import invocation_request_native, run_invocation_sync

__all__ = ["Answer", "App", "Datum", "index", "text"]


class _Message(types.SimpleNamespace):
    """Stand in for a protobuf message: indexing fills some."""

    def __init__(self, *parts: Any, **fields: Any) -> None:
        super().__init__(**fields)


class _BindingInfo(_Message):
    undefined, string, binary, stream = 0, 1, 2, 3
    out, inout = 1, 2


setattr(_BindingInfo, "in", 0)
PROTOS = types.SimpleNamespace(BindingInfo=_BindingInfo, RpcFunctionMetadata=_Message, RpcRetryOptions=_Message)


@dataclass(frozen=True)
class Answer:
    """What an invocation brought: its return value and its outputs as the host gets them, or the error."""

    succeeded: bool
    returned: Any
    outputs: dict[str, Any]
    error: str | None


@dataclass(frozen=True)
class App:
    """An app the runtime has accepted; ``metadata`` by function name."""

    metadata: dict[str, Any]

    def invoke(self, name: str, inputs: list[tuple[str, Datum]], metadata: dict[str, Datum] | None = None) -> Answer:
        """Call one function with what a host would send."""
        function_id = self.metadata[name].function_id
        handled, *answer = run_invocation_sync("invocation", function_id, inputs, metadata or {})
        if not handled:  # an `async def` function
            answer = list(asyncio.run(invocation_request_native("invocation", function_id, inputs, metadata or {})))
        succeeded, returned, outputs, error, _ = answer
        return Answer(succeeded, returned, dict(outputs), error)


def index(app_dir: Path) -> App:
    """Load function_app.py of a folder as the worker does; raises what the worker raises when it refuses.

    Only the app indexed last can be invoked.
    """
    start_threadpool_executor()
    load_binding_registry()
    handle_event.protos = PROTOS
    handle_event._functions._functions.clear()
    loaded = sys.modules.pop("function_app", None)
    sys.path.insert(0, str(app_dir))
    try:
        functions = index_function_app(str(app_dir / "function_app.py"))
        metadata, _ = process_indexed_function(PROTOS, handle_event._functions, functions, str(app_dir))
    finally:
        sys.path.remove(str(app_dir))
        sys.modules.pop("function_app", None)
        if loaded:
            sys.modules["function_app"] = loaded
    return App({one.name: one for one in metadata})


def text(value: str) -> Datum:
    """Return a string as the host sends it."""
    return Datum(value, "string")
