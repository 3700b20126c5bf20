"""The environment as a WSGI application: authentication, protection limits, faults, the call log and the sandbox's own routes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from flask import Blueprint, Flask, Response, jsonify, request

from sandbox.entra import Directory, blueprint
from sandbox.xero.clock import Clock, utc_now
from sandbox.xero.faults import Fault, Faults, drop, parsed, pause

from . import bare as bare_tables
from . import demo_company, rows, security, webapi
from .environment import Caller, Environment, derived_id
from .errors import TOO_MANY_REQUESTS, USER_DISABLED, USER_NOT_MEMBER, Refused
from .protection import Meter, ServiceProtection
from .request import SERVICE, Answer, Request
from .store import Row, Store
from .webhooks import Webhooks

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

METHODS = ["GET", "POST", "PATCH", "PUT", "DELETE"]
ADMINISTRATOR = derived_id("role", "administrator")
GATEWAY_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


@dataclass
class Call:
    """One request in the log: no bodies. `operations` are the parts of a batch."""

    at: str
    method: str
    path: str
    query: str
    status: int = 0
    seconds: float = 0.0
    user: str = ""
    fault: str = ""
    operations: list[dict[str, Any]] = field(default_factory=list)


class Sandbox:
    """What tests reach past HTTP: `app.extensions["sandbox"]`."""

    def __init__(
        self,
        environment: Environment,
        directory: Directory,
        meter: Meter,
        webhooks: Webhooks,
        seed: Callable[[Environment], None],
    ) -> None:
        self.environment = environment
        self.directory = directory
        self.meter = meter
        self.webhooks = webhooks
        self.clock = environment.clock
        self.enforces_roles = False
        self.faults = Faults()
        self.log: list[Call] = []
        self._seed = seed
        self._image = b""
        if not self.rows("organization"):
            seed(environment)
            self._image = environment.store.snapshot()

    def reset(self) -> None:
        """Forget every row, fault and call: back to the demo company. A few milliseconds."""
        self.faults.clear()
        self.log.clear()
        self.webhooks.deliveries.clear()
        if self._image:
            self.environment.store.restore(self._image)
        else:
            self.environment.store.clear()
            self._seed(self.environment)

    def row(self, table: str, row_id: str) -> Row:
        """Return a row as the store holds it: Decimals, References, ISO moments; raises KeyError when there is none."""
        found = self.environment.store.read(table, row_id)
        if found is None:
            raise KeyError(f"{table} {row_id}")
        return found

    def exists(self, table: str, row_id: str) -> bool:
        """Say whether a row exists."""
        return self.environment.store.read(table, row_id) is not None

    def rows(self, table: str) -> list[Row]:
        """Return every row of a table, oldest first."""
        return self.environment.store.select(table, order='t."#rowid"')

    def token(self, client_id: str = demo_company.CLIENT_ID) -> str:
        """Return an access token of an application, without asking over HTTP."""
        application = self.directory.applications[client_id.lower()]
        return self.directory.application_token(application, self.environment.url)

    def person_token(self, username: str) -> str:
        """Return an access token of a person signed in to the set-up application."""
        person = next(person for person in self.directory.people.values() if person.username == username)
        return self.directory.person_token(demo_company.SETUP_CLIENT_ID, person, self.environment.url)

    def close(self) -> None:
        """Stop the webhooks and close the database."""
        self.webhooks.close()
        self.environment.store.close()


def create_app(
    database: str = ":memory:",
    *,
    bare: bool = False,
    now: Callable[[], datetime] = utc_now,
    public_url: str = "https://localhost:7082",
    zone: str = "Pacific/Auckland",
    limits: ServiceProtection | None = None,
    seed: Callable[[Environment], None] | None = None,
    enforces_roles: bool = False,
    register: Callable[[Directory], None] = demo_company.register,
) -> Flask:
    """Build one environment with its tenant; `app.extensions["sandbox"]` is its Sandbox. An empty database is seeded.

    The connector's solution is installed in it, from the very file people import; *bare*: it is not. *enforces_roles*: an application
    user may only do what its roles grant.
    """
    clock = Clock(now)
    store = Store(database, bare_tables.tables())
    webhooks = Webhooks()
    environment = Environment(store, clock, url=public_url, zone=ZoneInfo(zone), publish=webhooks.publish)
    directory = Directory(public_url, clock.now, key=store.signing_key(), resources=(environment.url,))
    register(directory)
    if seed is None:
        seed = demo_company.seed_bare if bare else demo_company.seed
    sandbox = Sandbox(environment, directory, Meter(limits or ServiceProtection(), clock.now), webhooks, seed)
    sandbox.enforces_roles = enforces_roles
    app = Flask(__name__)
    app.url_map.merge_slashes = False
    app.extensions["sandbox"] = sandbox
    app.register_blueprint(blueprint(directory))
    app.register_blueprint(_own_routes(sandbox))
    _serve_api(app, sandbox)
    app.wsgi_app = _Gateway(app.wsgi_app, sandbox)  # type: ignore[method-assign]
    return app


def _serve_api(app: Flask, sandbox: Sandbox) -> None:
    @app.route(f"{SERVICE}", defaults={"path": ""}, methods=METHODS)
    @app.route(f"{SERVICE}<path:path>", methods=METHODS)
    def api(path: str) -> Response:
        body = request.get_data()
        call: Call = request.environ["sandbox.call"]
        try:
            caller = _caller(sandbox)
        except Refused as refused:
            return _response(webapi.error(refused))
        call.user = caller.user
        try:
            headers = sandbox.meter.enter(caller.user)
        except Refused as refused:
            return _response(webapi.error(refused))
        started = time.perf_counter()
        try:
            lowered = {name.lower(): value for name, value in request.headers.items()}
            url = f"{path}?{request.query_string.decode()}" if request.query_string else path
            asked = Request(request.method, _quoted(url, path), lowered, body, caller, operations=call.operations)
            answer = webapi.answer(sandbox.environment, asked)
        finally:
            sandbox.meter.leave(caller.user, time.perf_counter() - started)
        answer.headers |= headers
        return _response(answer)

    @app.get("/api/discovery/v2.0/Instances")
    def instances() -> Response:
        claims = _claims(sandbox)
        if "scp" not in claims:
            return _response(Answer(200, {"value": []}))
        environment = sandbox.environment
        found = {
            "ApiUrl": environment.url,
            "Url": environment.url,
            "FriendlyName": "Kōwhai Trading (sandbox)",
            "UniqueName": "kowhai",
            "UrlName": "kowhai",
            "Id": environment.organization_id,
            "EnvironmentId": environment.organization_id,
            "TenantId": sandbox.directory.tenant,
            "Region": "OCE",
            "State": 0,
            "Version": "9.2.26111.0",
        }
        return _response(Answer(200, {"value": [found]}))

    @app.errorhandler(Refused)
    def refused(error: Refused) -> Response:
        return _response(webapi.error(error))


def _quoted(url: str, path: str) -> str:
    """Return the URL of a request with its path quoted again, so that a decoded `?` or `%` in a key is not taken for syntax."""
    return quote(path, safe="/()$=,'@:!*") + url[len(path) :]


def _claims(sandbox: Sandbox) -> dict[str, Any]:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    claims = sandbox.directory.claims(token, sandbox.environment.url) if scheme == "Bearer" and token else None
    if claims is None:
        authority = f"{sandbox.directory.authority}/{sandbox.directory.tenant}/oauth2/authorize"
        challenge = f"Bearer authorization_uri={authority}, resource_id={sandbox.environment.url}/"
        if token:
            challenge += ", error=invalid_token"
        raise Refused(
            401, "", "The access token is missing, expired or not for this environment.", {"WWW-Authenticate": challenge}
        )
    return claims


def _caller(sandbox: Sandbox) -> Caller:
    claims = _claims(sandbox)
    if "scp" in claims:
        column, identity = "azureactivedirectoryobjectid", str(claims["oid"])
    else:
        column, identity = "applicationid", str(claims["appid"])
    if impersonated := request.headers.get("CallerObjectId"):
        column, identity = "azureactivedirectoryobjectid", impersonated
    users = sandbox.environment.store.find("systemuser", column, identity)
    if not users:
        raise Refused(403, USER_NOT_MEMBER, "The user is not a member of the organization.")
    if users[0]["isdisabled"]:
        raise Refused(403, USER_DISABLED, "The specified user is either disabled or is not a member of any business unit.")
    user = str(users[0]["systemuserid"])
    roles = sandbox.environment.store.query("SELECT role FROM systemuserroles WHERE systemuser = ?", (user,))
    is_held = sandbox.enforces_roles and column == "applicationid"
    return Caller(user, (ADMINISTRATOR,) in roles, security.names(sandbox.environment, user) if is_held else None)


def _response(answer: Answer) -> Response:
    headers = {"OData-Version": "4.0", **answer.headers}
    body = rows.dump(answer.body) if isinstance(answer.body, dict) else answer.body or b""
    if body:
        headers.setdefault("Content-Type", "application/json; odata.metadata=minimal")
    return Response(body, answer.status, headers)


class _Gateway:
    """Stand in front of the application: log every call, and let the faults that were asked for happen."""

    def __init__(self, application: WSGIApplication, sandbox: Sandbox) -> None:
        self._application = application
        self._sandbox = sandbox
        self._lock = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        call = Call(self._sandbox.environment.now, environ["REQUEST_METHOD"], path, environ.get("QUERY_STRING", ""))
        environ["sandbox.call"] = call
        if path.startswith(("/sandbox", "/healthz")):
            return self._application(environ, start_response)
        with self._lock:
            self._sandbox.log.append(call)
        fault = self._sandbox.faults.take(call.method, path, "")
        call.fault = fault.kind if fault else ""
        started = time.perf_counter()

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
            call.status = int(status[:3])
            call.seconds = round(time.perf_counter() - started, 4)
            return start_response(status, headers, exc_info)

        if fault and fault.kind == "drop_before":
            drop(environ)
        pause(fault, "delay")
        instead = _INSTEAD.get(fault.kind) if fault else None
        if fault and instead:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            return instead(fault)(environ, start)
        if fault and fault.kind in ("drop_after", "500_applied"):
            body = b"".join(self._application(environ, _ignore))
            if fault.kind == "drop_after":
                drop(environ)
            del body
            return _fault_response(500, "", "An unexpected error occurred.")(environ, start)
        answer = self._application(environ, start)
        pause(fault, "delay_after")
        return answer


def _ignore(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
    return lambda data: None


def _fault_response(status: int, code: str, message: str, **headers: str) -> Response:
    answer = webapi.error(Refused(status, code, message, {name.replace("_", "-"): value for name, value in headers.items()}))
    return _response(answer)


_INSTEAD: dict[str, Callable[[Fault], Response]] = {
    "429": lambda fault: _fault_response(
        429,
        TOO_MANY_REQUESTS,
        "Number of requests exceeded the limit of 6000 over time window of 300 seconds.",
        Retry_After=str(int(fault.seconds) or 1),
    ),
    "500": lambda fault: _fault_response(500, "", "An unexpected error occurred."),
    "503": lambda fault: _fault_response(503, "", "The service is unavailable."),
    "html502": lambda fault: Response(GATEWAY_PAGE, 502, {"Content-Type": "text/html"}),
    "token_expired": lambda fault: _fault_response(
        401, "", "The access token expired.", WWW_Authenticate="Bearer error=invalid_token"
    ),
}


def _own_routes(sandbox: Sandbox) -> Blueprint:
    routes = Blueprint("sandbox", __name__)

    @routes.errorhandler(ValueError)
    def invalid(error: ValueError) -> tuple[Response, int]:
        return jsonify(error=str(error)), 400

    @routes.get("/healthz")
    def health() -> dict[str, Any]:
        return {"status": "ok", "environment": sandbox.environment.url}

    @routes.route("/sandbox/faults", methods=["POST", "DELETE"])
    def faults() -> dict[str, Any]:
        if request.method == "DELETE":
            sandbox.faults.clear()
        else:
            asked = request.get_json()
            sandbox.faults.add(*parsed(asked if isinstance(asked, list) else [asked]))
        return {"waiting": [asdict(fault) for fault in sandbox.faults.waiting()]}

    @routes.get("/sandbox/log")
    def log() -> Response:
        return jsonify([asdict(call) for call in sandbox.log])

    @routes.post("/sandbox/clock")
    def clock() -> dict[str, Any]:
        sandbox.clock.advance(float(request.get_json()["advance_seconds"]))
        return {"now": sandbox.environment.now}

    @routes.post("/sandbox/reset")
    def reset() -> dict[str, Any]:
        sandbox.reset()
        return {"status": "ok"}

    @routes.get("/sandbox/rows/<table>")
    def table_rows(table: str) -> tuple[Response, int] | Response:
        if table not in sandbox.environment.model:
            return jsonify(error=f"There is no table {table}."), 404
        model = sandbox.environment.model[table]
        shown = [
            rows.show(model, row, list(model.columns.values()), lambda name: False, sandbox.environment.names())
            for row in sandbox.rows(table)
        ]
        return Response(rows.dump(shown), 200, {"Content-Type": "application/json"})

    return routes
