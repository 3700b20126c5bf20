"""Connect a Dataverse environment with a Xero organisation: consent, seal, settings row, reference data (SPEC 10, 11; A001-A041).

    GET  /connect/xero                what is connected, and the form
    POST /connect/xero                check the environment, then on to Xero's consent (or try the Custom Connection)
    GET  /connect/xero/callback       back from Xero: always answers with a redirect, for its address holds a code
    GET, POST …/organisation          choose, when the consent opens more than one
    GET  /connect/xero/result         the checklist: each step with a tick, or the reason and the way out
    POST …/reference-data             load a connector's reference data now: the page again, what became of it right under the button
    …    /connect/dynamics…           choose the environment by signing in (connect_dynamics.py)
    POST, GET /connect/xero/solution  install the solution in the environment chosen (install_solution.py)

A *visit* is what one browser is in the middle of: a row of ``grants`` (partition "visit") under the hash of the browser's cookie. Its
state of OAuth is used once, within ten minutes, by the person and browser that began. Everything can be done again: the second
time finds what the first one made.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime, timedelta
from importlib.util import find_spec
from typing import Any, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from functions import connect_dynamics, connectors, pages, reference_data, reference_rows
from functions.history import NAMESPACE
from functions.pages import Page, PageRequest, Refused, Step, Visitor
from functions.time_zones import IANA
from mappings.choices import ConnectMode
from shared.connectors import Connector, Json, seal
from shared.dataverse import answers, query
from shared.dataverse.environments import environment_host
from shared.errors import Changed, ConfigurationError, ConnectorError, NotFound, Rejected, WrongBooks
from shared.services import Answer, Lane, Operation, Services, Store
from shared.settings import AppSettings
from shared.xero.oauth import Connection, OAuth, claims
from shared.xero.tokens import Tokens

START = "/connect/xero"
CALLBACK = f"{START}/callback"
ORGANISATION = f"{START}/organisation"
RESULT = f"{START}/result"
SOLUTION_PATH = f"{START}/solution"
LOADING = f"{START}/reference-data"
SIGN_IN = "/.auth/login/aad?post_login_redirect_uri=%2Fconnect%2Fxero"  # App Service authentication's own page
TABLE, PARTITION = "grants", "visit"
IN_TIME = timedelta(minutes=10)
KEPT = timedelta(hours=1)
APPS = ("mag_xeroconnector_app", "msdynce_saleshub")
T = TypeVar("T")

# fmt: off
NOTICES = {
    # key        title                            message
    "state":    ("This sign-in does not count",   "It was used already, took longer than ten minutes, or was begun in another browser or by another person. Nothing has changed."),
    "denied":   ("Access was not allowed",        "You chose not to allow access in Xero. Nothing has changed; connect again whenever you like."),
    "error":    ("Xero refused the request",      "Xero did not ask for your consent. Check the client id, the redirect address and the scopes of the app at developer.xero.com."),
    "visit":    ("There is nothing to go on with", "The last sign-in in this browser has ended. Begin again."),
}
# fmt: on


@dataclass(frozen=True)
class Connecting:
    """What connecting touches beside the pipeline's services."""

    services: Services
    settings: AppSettings
    oauth: OAuth
    tokens: Tokens


@dataclass(frozen=True)
class Visit:
    """What one browser is in the middle of. ``verifier`` (PKCE) is sealed, ``state`` the hash of the one that may come back."""

    person: str
    until: datetime
    environment: str
    time_zone: str = ""
    connector: str = ""
    state: str = ""
    verifier: str = field(default="", repr=False)
    mode: str = "oauth"
    grant: str = ""
    auth_event: str = ""
    problem: str = ""
    result: str = ""
    etag: str = ""


def connect(request: PageRequest, connecting: Connecting, now: datetime) -> Page:
    """Answer any request below /connect; never raises for what a person, Xero or Dataverse may do."""
    visitor: Visitor | None = None
    try:
        visitor = pages.visitor(request, connecting.settings)
        route = ROUTES.get((request.method, request.path))
        if route is None:
            raise Refused(404, "There is no such page.")
        if request.method == "POST":
            pages.check_form(request, visitor, connecting.settings, connecting.services.secrets)
        return route(request, visitor, connecting, now)
    except Refused as refused:
        return _message(connecting, visitor, refused.status, "Not here", str(refused))
    except ConnectorError as error:
        return _message(connecting, visitor, 502, "That did not work", str(error))


def _message(connecting: Connecting, visitor: Visitor | None, status: int, title: str, message: str) -> Page:
    ways_on = {401: (SIGN_IN, "Sign in"), 403: ("", "")}
    way_on, label = ways_on.get(status, (START, "Start again"))
    settings = connecting.settings
    return pages.page("message", visitor, settings, status=status, title=title, message=message, way_on=way_on, label=label)


# ── the form ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _show_form(request: PageRequest, visitor: Visitor, connecting: Connecting, now: datetime) -> Page:
    visit = _visit(connecting, visitor, now)
    title, message = NOTICES.get(request.query.get("notice", ""), ("", ""))
    if visit is not None and visit.problem:
        title, message = "That did not work", visit.problem
        _forget(connecting.services.store, visitor)
    notice = {"title": title, "message": message} if title else None
    chosen = connect_dynamics.chosen(visitor, connecting, now)
    form = {"environment": f"https://{chosen.environment}"} if chosen else None
    return _form(connecting, visitor, notice, form, status=400 if notice else 200, chosen=chosen)


def _form(
    connecting: Connecting,
    visitor: Visitor,
    notice: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
    *,
    status: int = 200,
    chosen: connect_dynamics.Chosen | None = None,
    loaded: Mapping[str, Sequence[Step]] | None = None,
) -> Page:
    typed = {name: (form or {}).get(name, "") for name in ("environment", "time_zone", "mode", "client_id")}
    return pages.page(
        "connect",
        visitor,
        connecting.settings,
        status=status,
        form_targets=(_origin(connecting.settings.xero_login_url),),  # the form leads there by redirect, which browsers check
        form_token=pages.form_token(visitor, connecting.services.secrets),
        connectors=connectors.read_all(connecting.services.store),
        loaded=loaded or {},
        notice=notice,
        form=typed,
        chosen=chosen,
        may_sign_in=bool(connecting.settings.dataverse_client_id),
        may_install=chosen is not None and connect_dynamics.lacks_solution(chosen) and find_spec("solution") is not None,
    )


def _load(request: PageRequest, visitor: Visitor, connecting: Connecting, now: datetime) -> Page:
    """Load the reference data of a connector now (A183-A185). Pressed twice, it finds the second time what the first one wrote."""
    services = connecting.services
    checklist = Checklist()
    try:
        known = connectors.find(services.store, request.form.get("connector", ""))
        if known is None:
            raise ConfigurationError("That connector is not known here any more.")
        if known.state != connectors.CONNECTED:
            raise ConfigurationError(connectors.WHY.get(known.state, "The connector is not connected: connect it again."))
        connector = connectors.refresh(services, known, is_at_work=False)
        if not connector.is_sealed:
            raise WrongBooks(connectors.WHY["wrong_books"])
        _tell_loaded(checklist, reference_data.load_now(connector, services, now, lane=Lane.USER))
    except ConnectorError as error:
        return _form(connecting, visitor, {"title": "That did not work", "message": str(error)}, status=400)
    return _form(connecting, visitor, loaded={connector.key: checklist.steps})


def _begin(request: PageRequest, visitor: Visitor, connecting: Connecting, now: datetime) -> Page:
    """Check what was typed and the environment behind it; then ask Xero."""
    form = request.form
    try:
        known = connectors.find(connecting.services.store, form.get("connector", "")) if form.get("connector") else None
        if form.get("connector") and known is None:
            raise ConfigurationError("That connector is not known here any more.")
        environment = (
            known.environment
            if known
            else environment_host(form.get("environment", ""), connecting.settings.dataverse_allowed_hosts)
        )
        time_zone = _time_zone(form.get("time_zone", ""))
        custom = known.grant.startswith("custom/") if known else form.get("mode") == "custom"
        checklist = Checklist()
        try:
            check_environment(checklist, connecting.services, environment)
        except Stopped:
            raise ConfigurationError(f"{checklist.steps[-1].title}: {checklist.steps[-1].detail}") from None
        connect_dynamics.forget(visitor, connecting.services.store)
        visit = Visit(
            visitor.person,
            now + IN_TIME,
            environment,
            time_zone,
            known.key if known else "",
            mode="custom" if custom else "oauth",
        )
        if custom:
            return _with_custom_connection(form, known, visit, visitor, connecting, now)
    except ConnectorError as error:
        return _form(connecting, visitor, {"title": "That did not work", "message": str(error)}, form, status=400)
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(64)
    sealed = connecting.services.secrets.seal(verifier, f"visit|{_key(visitor)}")
    _sweep_visits(connecting.services.store, now)
    _keep(connecting.services.store, visitor, replace(visit, state=_hash(state), verifier=sealed))
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    address = connecting.oauth.authorize_url(_callback(connecting.settings), connecting.settings.xero_scopes, state, challenge)
    return pages.redirect(address, visitor, connecting.settings)


def _with_custom_connection(
    form: Mapping[str, str], known: Connector | None, visit: Visit, visitor: Visitor, connecting: Connecting, now: datetime
) -> Page:
    """Connect by the id and secret of a Custom Connection: no user, no consent page, one organisation."""
    if known and not form.get("client_id"):
        grant = known.grant
    else:
        if not form.get("client_id") or not form.get("client_secret"):
            raise ConfigurationError("A Custom Connection needs its client id and its client secret.")
        scopes = [scope for scope in connecting.settings.xero_scopes if scope.startswith("accounting.")]
        grant = connecting.tokens.connect_custom(form["client_id"].strip(), form["client_secret"].strip(), scopes, now)
    return _choose(replace(visit, grant=grant), visitor, connecting, now)


def _time_zone(text: str) -> str:
    if text.strip():
        try:
            ZoneInfo(text.strip())
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ConfigurationError("The time zone is not an IANA name such as Europe/London.") from None
    return text.strip()


# ── back from Xero ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _come_back(request: PageRequest, visitor: Visitor, connecting: Connecting, now: datetime) -> Page:
    """Take Xero's answer: the state is spent first, whatever else the answer says."""
    visit = _visit(connecting, visitor, now)
    sent = request.query.get("state", "")
    if visit is None or not visit.state or not hmac.compare_digest(_hash(sent), visit.state):
        return _notice("state", visitor, connecting)
    spent = replace(visit, state="", verifier="")
    try:
        spent = _keep(connecting.services.store, visitor, spent)
    except Changed:
        return _notice("state", visitor, connecting)
    if error := request.query.get("error"):
        return _notice("denied" if error == "access_denied" else "error", visitor, connecting)
    try:
        verifier = connecting.services.secrets.open(visit.verifier, f"visit|{_key(visitor)}")
        granted = connecting.oauth.exchange_code(request.query.get("code", ""), _callback(connecting.settings), verifier)
        # A new consent ends the user's last token set, so that this one is kept even when it turns out too narrow.
        grant = connecting.tokens.connect(granted, now)
        if missing := [scope for scope in connecting.settings.xero_scopes if scope not in granted.scopes]:
            raise ConfigurationError(
                f"Xero did not allow {', '.join(missing)}: connect again and allow everything that is asked for."
            )
        event = str(claims(granted.access_token).get("authentication_event_id") or "")
        return _choose(replace(spent, grant=grant, auth_event=event), visitor, connecting, now)
    except ConnectorError as problem:
        _keep(connecting.services.store, visitor, replace(spent, problem=str(problem), etag=""))
        return pages.redirect(START, visitor, connecting.settings)


def _choose(visit: Visit, visitor: Visitor, connecting: Connecting, now: datetime) -> Page:
    """Go on with the one organisation there is, or ask which."""
    found = _organisations(visit, connecting, now)
    if visit.connector:
        found = [_the_same(visit, found, connecting)]
    if not found:
        raise ConfigurationError("The consent opens no Xero organisation: connect again and choose one.")
    if len(found) == 1:
        return _finish(visit, visitor, found[0], connecting, now)
    _keep(connecting.services.store, visitor, replace(visit, until=now + IN_TIME, etag=""))
    return pages.redirect(ORGANISATION, visitor, connecting.settings)


def _organisations(visit: Visit, connecting: Connecting, now: datetime) -> list[Connection]:
    """Return the organisations of this consent; all of the user's when Xero names none for it, or for one that must be the same."""
    token = connecting.tokens.access_token(visit.grant, now)
    found = [] if visit.connector else connecting.oauth.connections(token, visit.auth_event)
    return found or connecting.oauth.connections(token)


def _the_same(visit: Visit, found: Sequence[Connection], connecting: Connecting) -> Connection:
    """Return the connector's own organisation, or raise WrongBooks: connecting again never changes the books."""
    known = connectors.find(connecting.services.store, visit.connector)
    if known is None:
        raise ConfigurationError("That connector is not known here any more.")
    for one in found:
        if one.tenant_id.lower() == known.organisation.lower():
            return one
    others = ", ".join(one.tenant_name for one in found) or "none"
    raise WrongBooks(
        f"This connector belongs to the organisation {known.organisation_name}, and access was given to another: {others}. "
        f"Connect again and choose {known.organisation_name}."
    )


def _show_organisations(request: PageRequest, visitor: Visitor, connecting: Connecting, now: datetime) -> Page:
    visit = _visit(connecting, visitor, now)
    if visit is None or not visit.grant or visit.result:
        return _notice("visit", visitor, connecting)
    return pages.page(
        "organisation",
        visitor,
        connecting.settings,
        form_token=pages.form_token(visitor, connecting.services.secrets),
        environment=visit.environment,
        organisations=_organisations(visit, connecting, now),
        taken={one.organisation: one.environment for one in connectors.read_all(connecting.services.store)},
    )


def _take_organisation(request: PageRequest, visitor: Visitor, connecting: Connecting, now: datetime) -> Page:
    visit = _visit(connecting, visitor, now)
    if visit is None or not visit.grant or visit.result:
        return _notice("visit", visitor, connecting)
    for one in _organisations(visit, connecting, now):
        if one.tenant_id == request.form.get("organisation"):
            return _finish(visit, visitor, one, connecting, now)
    raise Refused(400, "Choose one of the organisations on the page.")


def _finish(visit: Visit, visitor: Visitor, organisation: Connection, connecting: Connecting, now: datetime) -> Page:
    steps, row_id = connect_organisation(visit, organisation, connecting, now)
    result = {"organisation": organisation.tenant_name, "row": row_id, "steps": [asdict(step) for step in steps]}
    done = replace(visit, until=now + KEPT, result=json.dumps(result), etag="")
    _keep(connecting.services.store, visitor, done)
    return pages.redirect(RESULT, visitor, connecting.settings)


def _show_result(request: PageRequest, visitor: Visitor, connecting: Connecting, now: datetime) -> Page:
    visit = _visit(connecting, visitor, now)
    if visit is None or not visit.result:
        return _notice("visit", visitor, connecting)
    result = json.loads(visit.result)
    return pages.page(
        "result",
        visitor,
        connecting.settings,
        organisation=result["organisation"],
        environment=visit.environment,
        steps=result["steps"],
        is_ready=result["steps"][-1]["state"] != "not tried",
        settings_row=f"https://{visit.environment}/main.aspx?pagetype=entityrecord&etn=mag_xeroconnector&id={result['row']}",
    )


def _notice(key: str, visitor: Visitor, connecting: Connecting) -> Page:
    return pages.redirect(f"{START}?notice={key}", visitor, connecting.settings)


def _install_solution(request: PageRequest, visitor: Visitor, connecting: Connecting, now: datetime) -> Page:
    from functions import install_solution  # the schema is read only when somebody installs it

    return install_solution.begin(request, visitor, connecting, now)


def _show_installing(request: PageRequest, visitor: Visitor, connecting: Connecting, now: datetime) -> Page:
    from functions import install_solution

    return install_solution.show(request, visitor, connecting, now)


ROUTES: dict[tuple[str, str], Callable[[PageRequest, Visitor, Connecting, datetime], Page]] = {
    ("GET", START): _show_form,
    ("POST", START): _begin,
    ("GET", CALLBACK): _come_back,
    ("GET", ORGANISATION): _show_organisations,
    ("POST", ORGANISATION): _take_organisation,
    ("GET", RESULT): _show_result,
    **connect_dynamics.ROUTES,
    ("POST", LOADING): _load,
    ("POST", SOLUTION_PATH): _install_solution,
    ("GET", SOLUTION_PATH): _show_installing,
}


# ── the connection itself ───────────────────────────────────────────────────────────────────────────────────────────────────────

CONSENT = "Connected to Xero"
ENVIRONMENT = "Connected to Dynamics 365"
SOLUTION = "The connector is installed in Dynamics 365"
XERO = "Checking the Xero connection"
DYNAMICS = "Checking the Dynamics 365 connection"
SETTINGS = "Checking the connector's settings"
READY = "Your connection is ready!"


class Stopped(Exception):
    """A step of the checklist failed, and what follows needs it."""


@dataclass
class Checklist:
    """The steps so far."""

    steps: list[Step] = field(default_factory=list)

    def done(self, title: str, detail: str = "") -> None:
        self.steps.append(Step(title, "done", detail))

    def failed(self, title: str, error: ConnectorError) -> None:
        self.steps.append(Step(title, "failed", str(error), _way_out(error)))

    def take(self, title: str, step: Callable[[], tuple[T, str]]) -> T:
        """Take one step, which gives its result and a warning or ""; a failure is noted and raises Stopped."""
        try:
            result, warning = step()
        except ConnectorError as error:
            self.failed(title, error)
            raise Stopped from None
        self.steps.append(Step(title, "warning" if warning else "done", warning))
        return result


@dataclass(frozen=True)
class Facts:
    """What an environment says of itself: its organization id, its connector rows, the app that shows an invoice."""

    organization_id: str
    rows: Sequence[Json]
    app_id: str


def connect_organisation(visit: Visit, organisation: Connection, connecting: Connecting, now: datetime) -> tuple[list[Step], str]:
    """Seal the connector to *organisation*, write its row, load the reference data; return the checklist and the row's id.

    A step that fails ends the list, except for reference data, which the sweeps load again. A second run finds what is there.
    """
    services = connecting.services
    checklist = Checklist()
    checklist.done(CONSENT, organisation.tenant_name)
    row_id = ""
    try:
        facts = check_environment(checklist, services, visit.environment)
        row_id = _row_id(services.store, visit.environment, facts, organisation)
        draft = _draft(visit, organisation, facts, row_id)
        xero = checklist.take(XERO, lambda: _organisation(services, draft))
        connector = checklist.take(SETTINGS, lambda: _write_settings(visit, draft, facts, xero, connecting))
    except Stopped:
        steps = checklist.steps
        return [
            *steps,
            *(Step(title) for title in (XERO, SETTINGS, READY) if title not in {step.title for step in steps}),
        ], row_id
    _tell_loaded(checklist, reference_data.load_now(connector, services, now, lane=Lane.USER))
    if any(step.state == "failed" for step in checklist.steps):
        checklist.steps.append(Step(READY, "warning", "Syncing has begun; what failed above is loaded again by itself."))
    else:
        checklist.done(READY)
    return checklist.steps, row_id


def _tell_loaded(checklist: Checklist, steps: Sequence[reference_rows.Step]) -> None:
    for loaded in steps:
        title = f"Loading {loaded.title}"
        if loaded.error is not None:
            checklist.failed(title, loaded.error)
        else:
            refused = " ".join(problem.message for problem in loaded.problems)
            checklist.steps.append(Step(title, "warning" if refused else "done", refused or str(loaded)))


def check_environment(checklist: Checklist, services: Services, environment: str) -> Facts:
    """Ask the environment, in one round trip, who we are, whether the solution is there and whether invoices can be read."""
    operations = [
        Operation("GET", "WhoAmI"),
        query.selection("mag_xeroconnector", select=("mag_xeroconnectorid", *ROW_COLUMNS)),
        query.selection("invoice", select=("mag_xeroid",), top=1),
        query.selection("appmodule", select=("appmoduleid", "uniquename")),
    ]
    replies = checklist.take(ENVIRONMENT, lambda: (services.dataverse.send(environment, operations), ""))
    who = _checked(checklist, ENVIRONMENT, replies[0])
    rows = _checked(checklist, SOLUTION, replies[1])["value"]
    checklist.done(SOLUTION)
    _checked(checklist, DYNAMICS, replies[2])
    checklist.done(DYNAMICS)
    apps = replies[3].body["value"] if replies[3].status == 200 else []  # without one, links open the person's own default app
    by_name = {str(app.get("uniquename", "")).lower(): str(app["appmoduleid"]) for app in apps}
    return Facts(str(who["OrganizationId"]).lower(), rows, next((by_name[name] for name in APPS if name in by_name), ""))


ROW_COLUMNS = ("mag_name", "mag_xerotenantid", "mag_environmentid", "mag_defaultconnector", "mag_timezone", "statecode")


def _checked(checklist: Checklist, title: str, reply: Answer) -> Any:
    try:
        return answers.result(reply, write=False)
    except NotFound:
        checklist.steps.append(
            Step(title, "failed", "The solution is not installed in this environment.", "Install it, then go on.")
        )
    except ConnectorError as error:
        checklist.steps = [step for step in checklist.steps if step.title != title]
        checklist.failed(title, error)
    raise Stopped


def _row_id(store: Store, environment: str, facts: Facts, organisation: Connection) -> str:
    """Return the id of the connector's row: the one that is there, the one we knew, or one derived from both ends."""
    for row in facts.rows:
        if str(row.get("mag_xerotenantid") or "").lower() == organisation.tenant_id.lower():
            return str(row["mag_xeroconnectorid"])
    for known in connectors.of_environment(store, environment):
        if known.organisation.lower() == organisation.tenant_id.lower():
            return known.id
    return str(uuid.uuid5(NAMESPACE, f"{facts.organization_id}|{organisation.tenant_id}".lower()))


def _draft(visit: Visit, organisation: Connection, facts: Facts, row_id: str) -> Connector:
    return Connector(
        environment=visit.environment,
        id=row_id,
        organisation=organisation.tenant_id,
        organisation_name=organisation.tenant_name,
        short_code="",
        environment_id=facts.organization_id,
        seal=seal(visit.environment, facts.organization_id, row_id, organisation.tenant_id),
        grant=visit.grant,
        time_zone="Etc/UTC",
        state=connectors.CONNECTED,
        app_id=facts.app_id,
    )


def _organisation(services: Services, draft: Connector) -> tuple[Json, str]:
    """Read the organisation from Xero itself; warn when its books are written to from another environment as well (C15)."""
    found: Json = services.xero.call(draft, "get_organisations", lane=Lane.USER)["Organisations"][0]
    if str(found["OrganisationID"]).lower() != draft.organisation.lower():
        raise WrongBooks(f"Xero answered for the organisation {found['Name']} instead of {draft.organisation_name}.")
    others = [one.environment for one in connectors.read_all(services.store) if one.organisation == draft.organisation]
    others = sorted({environment for environment in others if environment != draft.environment})
    if others:
        return found, f"{found['Name']} is also connected with {', '.join(others)}: both write into the same books."
    return found, ""


def _write_settings(visit: Visit, draft: Connector, facts: Facts, xero: Json, connecting: Connecting) -> tuple[Connector, str]:
    """Make or update the connector's row, seal the connector and read the settings back."""
    services = connecting.services
    _check_seal(services.store, draft)
    row = next((row for row in facts.rows if str(row["mag_xeroconnectorid"]) == draft.id), None)
    xero_zone = IANA.get(str(xero.get("Timezone") or "").upper(), "")
    time_zone = visit.time_zone or str((row or {}).get("mag_timezone") or "") or xero_zone or "Etc/UTC"
    body: Json = {
        "mag_xeroorganizationname": xero["Name"],
        "mag_xerotenantid": draft.organisation,
        "mag_environmentid": facts.organization_id,
        "mag_connectmode": (ConnectMode.CUSTOM_CONNECTION if visit.mode == "custom" else ConnectMode.OAUTH_CODE).value,
        "mag_timezone": time_zone,
        "mag_reconnecturl": f"{connecting.settings.public_url}{START}",
        **connectors.status_columns(connectors.CONNECTED),
    }
    if row is None:
        has_default = any(other.get("mag_defaultconnector") and other.get("statecode") == 0 for other in facts.rows)
        body |= {"mag_name": xero["Name"], "mag_enabled": True, "mag_defaultconnector": not has_default}
    condition = {"If-None-Match": "*"} if row is None else {"If-Match": "*"}
    written = Operation("PATCH", query.row("mag_xeroconnector", draft.id), body, condition)
    answers.result(services.dataverse.send(draft.environment, [written])[0])
    connector = replace(
        draft, organisation_name=str(xero["Name"]), short_code=str(xero.get("ShortCode") or ""), time_zone=time_zone
    )
    connectors.write(services.store, connector)
    connectors.revive(services, connector)
    warning = (
        "" if visit.time_zone or xero_zone or row else "Xero's time zone is not known here: choose the connector's Time Zone."
    )
    if row and row.get("mag_environmentid") and str(row["mag_environmentid"]).lower() != facts.organization_id:
        warning = "The row was copied from another environment: it now belongs to this one."
    return connectors.refresh(services, connector), warning


def _check_seal(store: Store, draft: Connector) -> None:
    """Raise WrongBooks when the row or the environment is already sealed to something else (SPEC 1.4)."""
    for one in connectors.read_all(store):
        if one.key == draft.key and one.organisation.lower() != draft.organisation.lower():
            raise WrongBooks(
                f"The row {one.organisation_name} in Dynamics 365 is sealed to that organisation, but names {draft.organisation_name} now: "
                "put its Xero Tenant Id back."
            )
        if one.environment_id == draft.environment_id and one.environment != draft.environment:
            raise WrongBooks(f"This environment is connected already, under the address {one.environment}: use that one.")


def _way_out(error: ConnectorError) -> str:
    """Say what to do about a step that failed, where its own sentence does not."""
    match error:
        case WrongBooks() | Rejected():
            return ""
        case ConfigurationError():
            return "Ask your administrator to put this right, then connect again."
        case _:
            return "Wait a few minutes, then connect again."


# ── visits ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _key(visitor: Visitor) -> str:
    return _hash(visitor.browser)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _visit(connecting: Connecting, visitor: Visitor, now: datetime) -> Visit | None:
    """Return what this person is in the middle of in this browser, if it is not too long ago."""
    stored = connecting.services.store.read(TABLE, PARTITION, _key(visitor))
    if stored is None:
        return None
    texts = {name: str(stored.values.get(name) or "") for name in VISIT_TEXTS}
    visit = Visit(until=datetime.fromisoformat(str(stored.values["until"])), etag=stored.etag, **texts)
    return visit if visit.person == visitor.person and now < visit.until else None


def _keep(store: Store, visitor: Visitor, visit: Visit) -> Visit:
    """Keep *visit*; with its ETag only if nobody changed it meanwhile (raises Changed)."""
    values = {name: getattr(visit, name) for name in VISIT_TEXTS} | {"until": visit.until.isoformat()}
    if visit.etag:
        return replace(visit, etag=store.replace(TABLE, PARTITION, _key(visitor), values, visit.etag))
    store.upsert(TABLE, PARTITION, _key(visitor), values)
    return visit


def _forget(store: Store, visitor: Visitor) -> None:
    store.delete(TABLE, PARTITION, _key(visitor))


def _sweep_visits(store: Store, now: datetime) -> None:
    """Delete the visits that ended."""
    for stored in store.rows(TABLE, PARTITION):
        if datetime.fromisoformat(str(stored.values["until"])) <= now:
            store.delete(TABLE, PARTITION, stored.row)


VISIT_TEXTS = tuple(one.name for one in fields(Visit) if one.name not in ("until", "etag"))


def _callback(settings: AppSettings) -> str:
    return f"{settings.public_url}{CALLBACK}"


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"
