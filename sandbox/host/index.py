"""Load function_app.py and turn what it declares into Functions the listeners can run."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import re
import sys
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import azure.functions as func
from azure.functions.meta import Datum

from sandbox.host import timers
from sandbox.host.settings import HostError, is_disabled, queues, resolve

TRIGGERS = {"timerTrigger", "queueTrigger", "httpTrigger"}
OUTPUTS = {"queue", "http"}
QUEUE_NAME = re.compile(r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*")

Binding = Mapping[str, Any]


class Converter(Protocol):
    """What the library's binding converters offer."""

    @staticmethod
    def decode(data: Datum, *, trigger_metadata: Mapping[str, Datum]) -> Any:
        """Turn what the host delivers into what the function takes."""

    @staticmethod
    def encode(obj: Any, *, expected_type: type | None) -> Datum:
        """Turn what the function gives into what the host sends."""


@dataclass(frozen=True)
class Output:
    """Where one output goes: a parameter or ``$return``, its binding and what writes it."""

    name: str
    binding: Binding
    converter: Converter
    annotation: type | None


class AsIs:
    """Pass text and bytes on unchanged (the worker's "generic" binding)."""

    @staticmethod
    def decode(data: Datum, *, trigger_metadata: Mapping[str, Datum]) -> Any:
        """Return what came."""
        return data.value

    @staticmethod
    def encode(obj: Any, *, expected_type: type | None) -> Datum:
        """Return what goes; raises TypeError for anything but text and bytes."""
        if not isinstance(obj, str | bytes):
            raise TypeError(f"the annotation promises {expected_type}, the function set {type(obj).__name__}")
        return Datum(obj, "string" if isinstance(obj, str) else "bytes")


@dataclass(frozen=True)
class Function:
    """One function of the app: what calls it, what it is called with and where its outputs go."""

    name: str
    call: Callable[..., Any]
    trigger: Binding
    converter: Converter
    outputs: tuple[Output, ...]
    wants_context: bool
    disabled: bool

    @property
    def kind(self) -> str:
        """Return timer, queue or http."""
        return str(self.trigger["type"]).removesuffix("Trigger")


@dataclass(frozen=True)
class Index:
    """What could be loaded and, by name, why the rest could not."""

    functions: tuple[Function, ...]
    failures: Mapping[str, str]


def load(root: Path) -> Index:
    """Import function_app.py from ``root`` and index every function of its one FunctionApp.

    Raises HostError when the module does not hold exactly one app; what the import itself raises goes through.
    """
    script = root / os.environ.get("PYTHON_SCRIPT_FILE_NAME", "function_app.py")
    if not script.exists():
        raise HostError(f"{script} is missing: this folder is not a Python function app.")
    os.chdir(root)
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    module = importlib.import_module(script.stem)
    apps = [name for name, value in vars(module).items() if isinstance(value, func.FunctionRegister)]
    if len(apps) != 1:
        found = f"{len(apps)} ({', '.join(apps)})" if apps else "none"
        raise HostError(f"{script.name} must hold exactly one FunctionApp at its top level; it holds {found}.")
    functions, failures = [], {}
    for declared in getattr(module, apps[0]).get_functions():
        name = declared.get_function_name()
        try:
            functions.append(_function(name, declared.get_user_function(), json.loads(declared.get_function_json())["bindings"]))
        except HostError as error:
            failures[name] = str(error)
    return Index(tuple(functions), failures)


def _function(name: str, call: Callable[..., Any], bindings: list[dict[str, Any]]) -> Function:
    disabled = is_disabled(name, os.environ)
    triggers = [binding for binding in bindings if binding["type"] in TRIGGERS]
    others = [binding for binding in bindings if binding["type"] not in TRIGGERS]
    if unknown := [binding["type"] for binding in others if binding["type"] not in OUTPUTS]:
        raise HostError(f"this host has no {unknown[0]} binding; run the app with `func start`.")
    if len(triggers) != 1:
        raise HostError(f"a function has exactly one trigger; this one has {len(triggers)}.")
    for binding in bindings:
        if "queueName" in binding:
            binding["queueName"] = _queue_name(resolve(binding["queueName"], os.environ))
            queues(binding.get("connection", ""))
    trigger = triggers[0]
    if trigger["type"] == "timerTrigger":
        trigger["schedule"] = resolve(trigger["schedule"], os.environ)
        timers.Schedule(trigger["schedule"])

    parameters = set(inspect.signature(call).parameters)
    bound = {binding["name"] for binding in bindings} - {"$return"}
    wants_context = "context" in parameters - bound
    if unbound := parameters - bound - {"context"}:
        raise HostError(f"the parameter {sorted(unbound)[0]} has no binding.")
    if missing := bound - parameters:
        raise HostError(f"the binding {sorted(missing)[0]} has no parameter.")
    hints = typing.get_type_hints(call)
    outputs = tuple(_output(binding, hints) for binding in others)
    return Function(
        name, call, trigger, _converter(trigger["type"], hints.get(trigger["name"])), outputs, wants_context, disabled
    )


def _queue_name(text: str) -> str:
    name = text.lower()
    if not QUEUE_NAME.fullmatch(name):
        raise HostError(f"{text!r} is no queue name: 3 to 63 lower-case letters, digits and single hyphens.")
    return name


def _output(binding: Binding, hints: Mapping[str, Any]) -> Output:
    if binding["name"] == "$return":
        annotation = hints.get("return")
    else:
        annotation = next(iter(typing.get_args(hints.get(binding["name"]))), None)
    return Output(binding["name"], binding, _converter(binding["type"], annotation), annotation)


def _converter(kind: str, annotation: Any) -> Converter:
    """Return the library's converter, or none where the worker passes text and bytes on as they are."""
    if annotation in (str, bytes) and not kind.startswith("http"):
        return AsIs
    converter: Converter = func.get_binding_registry().get(kind)  # type: ignore[no-untyped-call]
    return converter
