"""The sandbox's own switches, which the real Xero does not have: faults, time, the log, everything stored, a bookkeeper."""

from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, request

from . import bookkeeper, faults, wire
from .bookkeeper import Unknown
from .call import Call
from .errors import Invalid, Refusal
from .sandbox import Sandbox

KINDS = (
    "contact",
    "invoice",
    "payment",
    "batch payment",
    "credit note",
    "overpayment",
    "prepayment",
    "bank transaction",
    "item",
    "account",
    "tax rate",
    "branding theme",
    "tracking category",
    "currency",
    "history",
)


def blueprint() -> Blueprint:
    """Return /healthz and /sandbox/…"""
    console = Blueprint("console", __name__)
    console.add_url_rule("/healthz", "health", health, methods=["GET"])
    console.add_url_rule("/sandbox/faults", "faults", add_faults, methods=["POST"])
    console.add_url_rule("/sandbox/faults", "no faults", clear_faults, methods=["DELETE"])
    console.add_url_rule("/sandbox/clock", "clock", advance_clock, methods=["POST"])
    console.add_url_rule("/sandbox/log", "log", log, methods=["GET"])
    console.add_url_rule("/sandbox/log", "no log", clear_log, methods=["DELETE"])
    console.add_url_rule("/sandbox/state", "state", state, methods=["GET"])
    console.add_url_rule("/sandbox/change", "change", change, methods=["POST"])
    console.add_url_rule("/sandbox/books", "books", actions, methods=["GET"])
    console.add_url_rule("/sandbox/books/<action>", "book", book, methods=["POST"])
    console.add_url_rule("/sandbox/reset", "reset", reset, methods=["POST"])
    return console


def _sandbox() -> Sandbox:
    sandbox: Sandbox = current_app.extensions["sandbox"]
    return sandbox


def _bad(problem: Exception, status: int = 400) -> Response:
    response = jsonify(error=str(problem))
    response.status_code = status
    return response


def health() -> Response:
    """GET /healthz: the organisations, once everything is ready."""
    return jsonify(status="ok", organisations=[found["Name"] for found in _sandbox().organisations()])


def add_faults() -> Response:
    """POST /sandbox/faults `[{"match": {"method", "path", "tenant"}, "kind", "seconds", "times", "skip"}]`."""
    try:
        _sandbox().faults.add(*faults.parsed(request.get_json()))
    except ValueError as problem:
        return _bad(problem)
    return jsonify([asdict(fault) for fault in _sandbox().faults.waiting()])


def clear_faults() -> Response:
    """DELETE /sandbox/faults: nothing more goes wrong."""
    _sandbox().faults.clear()
    return jsonify([])


def advance_clock() -> Response:
    """POST /sandbox/clock `{"advance_seconds": n}`."""
    _sandbox().clock.advance(float(request.get_json()["advance_seconds"]))
    return jsonify(now=_sandbox().clock.now().isoformat())


def log() -> Response:
    """GET /sandbox/log: every request, oldest first."""
    return jsonify([asdict(entry) for entry in _sandbox().log.entries()])


def clear_log() -> Response:
    """DELETE /sandbox/log: start counting again."""
    _sandbox().log.clear()
    return jsonify([])


def state() -> Response:
    """GET /sandbox/state?organisation=name or id: everything stored, by kind."""
    try:
        tenant = _sandbox().organisation(request.args["organisation"])
    except KeyError as problem:
        return _bad(problem)
    return _exact({kind: [_public(row) for row in _sandbox().documents(tenant, kind)] for kind in KINDS})


def change() -> Response:
    """POST /sandbox/change `{"organisation", "kind", "id", "fields": {…}}`: edit a document as a person in Xero would."""
    asked: dict[str, Any] = request.get_json()
    try:
        changed = _sandbox().change(asked["organisation"], asked["kind"], asked["id"], **asked["fields"])
    except KeyError as problem:
        return _bad(problem)
    return _exact(_public(changed))


def actions() -> Response:
    """GET /sandbox/books: what a bookkeeper can do, with the parameters of each."""
    return jsonify(bookkeeper.described())


def book(action: str) -> Response:
    """POST /sandbox/books/{action} `{"organisation", …}`: do what a bookkeeper does in Xero; answers the stored document.

    A refusal is a 400 with Xero's own sentences in *error*; an unknown document, action or organisation is a 404.
    """
    sandbox = _sandbox()
    try:
        asked = wire.loads(request.get_data())
        if not isinstance(asked, dict):
            raise ValueError("The body must be a JSON object.")
        done = bookkeeper.run(Call(sandbox, _tenant(sandbox, asked.pop("organisation", "")), app=""), action, asked)
    except Unknown as problem:
        return _bad(problem, 404)
    except Invalid as problem:
        return _bad(Invalid(*problem.problems, *problem.contact))
    except (Refusal, ValueError) as problem:
        return _bad(problem)
    return _exact(_public(done))


def _tenant(sandbox: Sandbox, organisation: Any) -> str:
    try:
        return sandbox.organisation(str(organisation))
    except KeyError as problem:
        raise Unknown(f"There is no organisation {organisation!r}.") from problem


def reset() -> Response:
    """POST /sandbox/reset: forget everything (tokens too) and open the demo companies again."""
    _sandbox().reset()
    return health()


def _exact(payload: dict[str, Any]) -> Response:
    """Write stored documents with their amounts as numbers."""
    return Response(wire.dumps(payload), content_type="application/json")


def _public(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if not name.startswith("_")}
