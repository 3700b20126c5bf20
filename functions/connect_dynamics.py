"""Choose the Dynamics 365 environment by signing in instead of typing its address, and see what it still lacks (SPEC 10, 11).

    GET  /connect/dynamics              sign in; or, signed in, the environments to choose from
    POST /connect/dynamics              on to Microsoft's sign-in
    GET  /connect/dynamics/callback     back from it: always answers with a redirect, for its address holds a code
    POST /connect/dynamics/environment  check one with the person's own token, then back to /connect/xero, filled in

What a browser is in the middle of is a row of ``grants`` (partition "dynamics") under the hash of its cookie, its secrets sealed:
the person's tokens live there for ten minutes at most, and go when the person goes on to Xero.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from functions import pages
from functions.pages import Page, PageRequest, Step, Visitor
from shared.dataverse import answers, query
from shared.dataverse.environments import environment_host
from shared.dataverse.sign_in import Declined, PersonsEnvironment, SignIn
from shared.errors import Changed, ConfigurationError, ConnectorError
from shared.services import Answer, Dataverse, Operation, Store

if TYPE_CHECKING:
    from functions.connect import Connecting

START = "/connect/dynamics"
CALLBACK = f"{START}/callback"
ENVIRONMENT = f"{START}/environment"
FORM = "/connect/xero"
TABLE, PARTITION = "grants", "dynamics"
IN_TIME = timedelta(minutes=10)
SOLUTION = "mag_xeroconnector"
ROLE = "Xero Connector Service"
INSTALLED = "The connector's solution is installed"

# fmt: off
NOTICES = {
    # key     title                             message
    "state": ("This sign-in does not count",    "It was used already, took longer than ten minutes, or was begun in another browser or by another person. Nothing has changed."),
    "visit": ("Your sign-in has ended",         "It is kept for ten minutes only. Sign in again."),
}
# fmt: on


@dataclass(frozen=True)
class Visit:
    """What one browser is in the middle of: ``state`` is the hash of the one that may come back, ``secret`` is kept sealed.

    ``secret`` holds msal's flow, then the person's tokens; then also what was chosen and found.
    """

    person: str
    until: datetime
    state: str = ""
    secret: Mapping[str, Any] = field(default_factory=dict, repr=False)
    etag: str = ""


@dataclass(frozen=True)
class Chosen:
    """The environment a person chose, and what it has and lacks."""

    environment: str
    name: str
    steps: Sequence[Mapping[str, str]]


def chosen(visitor: Visitor, connecting: Connecting, now: datetime) -> Chosen | None:
    """Return what this person chose in this browser a moment ago."""
    visit = read_visit(connecting, visitor, now)
    return Chosen(**visit.secret["chosen"]) if visit is not None and "chosen" in visit.secret else None


def forget(visitor: Visitor, store: Store) -> None:
    """Delete the person's tokens and what they chose."""
    store.delete(TABLE, PARTITION, _key(visitor))


def forget_ended(store: Store, now: datetime) -> None:
    """Delete every sign-in whose ten minutes are over."""
    for stored in store.rows(TABLE, PARTITION):
        if datetime.fromisoformat(str(stored.values["until"])) <= now:
            store.delete(TABLE, PARTITION, stored.row)


# ── signing in ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _show(request: PageRequest, visitor: Visitor, connecting: Connecting, now: datetime) -> Page:
    """Offer the sign-in, or the environments of who is signed in."""
    visit = read_visit(connecting, visitor, now)
    told = visit.secret if visit is not None else {}
    title, message = NOTICES.get(request.query.get("notice", ""), ("", ""))
    if problem := told.get("problem"):
        title, message = told.get("title", "That did not work"), problem
        forget(visitor, connecting.services.store)
    if "access_token" not in told:
        return _page(visitor, connecting, title, message)
    try:
        environments = sign_in(connecting).environments(told["access_token"])
    except ConnectorError as error:
        return _page(visitor, connecting, "The environments cannot be listed", str(error), person=told["name"])
    return _page(visitor, connecting, title, message, person=told["name"], environments=environments)


def _page(
    visitor: Visitor,
    connecting: Connecting,
    title: str = "",
    message: str = "",
    *,
    person: str = "",
    environments: Sequence[PersonsEnvironment] | None = None,
) -> Page:
    settings = connecting.settings
    parts = urlsplit(settings.dataverse_authority_url)
    return pages.page(
        "dynamics",
        visitor,
        settings,
        status=400 if title else 200,
        form_targets=(f"{parts.scheme}://{parts.netloc}",),  # the form leads there by redirect, which browsers check
        form_token=pages.form_token(visitor, connecting.services.secrets),
        notice={"title": title, "message": message} if title else None,
        person=person,
        environments=environments,
        client_id=settings.dataverse_client_id,
        callback=_callback(connecting),
    )


def _begin(request: PageRequest, visitor: Visitor, connecting: Connecting, now: datetime) -> Page:
    """Send the person to Microsoft's sign-in."""
    state = secrets.token_urlsafe(32)
    try:
        flow = sign_in(connecting).begin(_callback(connecting), state)
    except ConnectorError as error:
        return _page(visitor, connecting, "That did not work", str(error))
    address = str(flow.pop("auth_uri"))
    forget_ended(connecting.services.store, now)
    keep_visit(connecting, visitor, Visit(visitor.person, now + IN_TIME, _hash(state), {"flow": flow}))
    return pages.redirect(address, visitor, connecting.settings)


def _come_back(request: PageRequest, visitor: Visitor, connecting: Connecting, now: datetime) -> Page:
    """Take Microsoft's answer: the state is spent first, whatever else the answer says."""
    visit = read_visit(connecting, visitor, now)
    sent = request.query.get("state", "")
    if visit is None or not visit.state or not hmac.compare_digest(_hash(sent), visit.state):
        return _notice("state", visitor, connecting)
    try:
        spent = keep_visit(connecting, visitor, replace(visit, state="", secret={}))
    except Changed:
        return _notice("state", visitor, connecting)
    told: dict[str, Any]
    try:
        told = asdict(sign_in(connecting).finish(visit.secret["flow"], request.query))
    except Declined as declined:
        told = {"title": "Access was not allowed", "problem": str(declined)}
    except ConnectorError as error:
        told = {"problem": str(error)}
    keep_visit(connecting, visitor, replace(spent, until=now + IN_TIME, secret=told, etag=""))
    return pages.redirect(START, visitor, connecting.settings)


# ── choosing ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _choose(request: PageRequest, visitor: Visitor, connecting: Connecting, now: datetime) -> Page:
    """Look at the environment with the person's own token, and go back to the form with what was found."""
    visit = read_visit(connecting, visitor, now)
    if visit is None or "refresh_token" not in visit.secret:
        return _notice("visit", visitor, connecting)
    settings = connecting.settings
    try:
        host = environment_host(f"https://{request.form.get('environment', '')}", settings.dataverse_allowed_hosts)
        dataverse = sign_in(connecting).as_person(visit.secret["refresh_token"], host)
        found = examine(dataverse, host, visit.secret["name"], settings.dataverse_client_id)
    except ConnectorError as error:
        return _page(visitor, connecting, "That did not work", str(error), person=visit.secret["name"])
    keep_visit(connecting, visitor, replace(visit, secret={**visit.secret, "chosen": asdict(found)}, etag=""))
    return pages.redirect(FORM, visitor, settings)


def examine(dataverse: Dataverse, environment: str, person: str, client_id: str) -> Chosen:
    """Ask *environment* in one round trip, as the person, whether the solution and the app's user with its role are there.

    Raises Retryable when it does not answer.
    """
    where = f"$filter=applicationid%20eq%20{query.row_id(client_id)}"
    operations = [
        Operation("GET", "WhoAmI"),
        query.selection("organization", select=("name",)),
        query.selection("mag_xeroconnector", select=("mag_name",), top=1),
        query.selection("solution", select=("version",), where=f"uniquename eq {query.quoted(SOLUTION)}"),
        Operation("GET", f"systemusers?$select=fullname,isdisabled&{where}&$expand=systemuserroles_association($select=name)"),
    ]
    try:
        who, organisation, table, solution, users = dataverse.send(environment, operations)
        answers.result(who, write=False)
    except ConfigurationError:
        refused = Step(
            "You may use this environment",
            "failed",
            f"{environment} does not let {person} in.",
            "Ask its administrator to add you as a user, or choose another environment.",
        )
        return Chosen(environment, environment, [asdict(refused)])
    name = str(next(iter(_rows(organisation)), {}).get("name") or environment)[:100]
    steps = [Step("You may use this environment", "done", f"As {person}.")]
    steps.append(_installed(table, solution, name))
    steps += _user(users, client_id, name)
    return Chosen(environment, name, [asdict(step) for step in steps])


def lacks_solution(chosen: Chosen) -> bool:
    """Tell whether the environment chosen has no solution of the connector yet."""
    return any(step["title"] == INSTALLED and step["state"] == "failed" for step in chosen.steps)


def _installed(table: Answer, solution: Answer, name: str) -> Step:
    title = INSTALLED
    if table.status == 404:
        return Step(
            title,
            "failed",
            "It is not.",
            f"Open make.powerapps.com and choose the environment {name} at the top right. Then: Solutions → Import solution → Browse "
            "→ the solution file of this connector's release → Next → Import. When the import is done, check again.",
        )
    if table.status != 403:  # Dataverse knows the table then, and refuses this person its rows
        answers.result(table, write=False)
    version = next(iter(_rows(solution)), {}).get("version")
    return Step(title, "done", f"Version {version}." if version else "")


def _user(users: Answer, client_id: str, name: str) -> list[Step]:
    """Say whether the app is a user of the environment, and with which roles."""
    title, role_title = "The app is a user of this environment", "The app's user has its security role"
    way = f"Power Platform admin center → Manage → Environments → {name} → Settings → Users + permissions → Application users"
    try:
        answers.result(users, write=False)
    except ConfigurationError:
        advice = "Ask a System Administrator of the environment."
        return [Step(title, "warning", "Your roles do not let you see it.", advice), Step(role_title)]
    rows = _rows(users)
    if not rows:
        return [
            Step(
                title,
                "failed",
                f"No application user has the client id {client_id}.",
                f"{way} → New app user → Add an app → {client_id}. Choose the topmost business unit and, under Security roles, "
                f"{ROLE}. Then Create, and check again.",
            ),
            Step(role_title),
        ]
    user = rows[0]
    if user.get("isdisabled"):
        return [
            Step(title, "failed", f"{user.get('fullname')} is disabled.", f"{way} → {user.get('fullname')} → Activate."),
            Step(role_title),
        ]
    roles = sorted(str(role.get("name")) for role in _mappings(user.get("systemuserroles_association")))
    steps = [Step(title, "done", f"As {user.get('fullname')}.")]
    fix = f"{way} → {user.get('fullname')} → Edit security roles → {ROLE} → Save. Then check again."
    if ROLE in roles:
        more = [role for role in roles if role != ROLE]
        extra = f"It also has {', '.join(more)}, which it does not need." if more else f"{ROLE}."
        return [*steps, Step(role_title, "warning" if more else "done", extra)]
    has = f"It has {', '.join(roles)}, not {ROLE}." if roles else "It has none."
    return [*steps, Step(role_title, "warning" if roles else "failed", has, fix)]


def _rows(answer: Answer) -> list[Mapping[str, Any]]:
    """Return the rows of a query that went well, else none."""
    return _mappings(answer.body.get("value")) if answer.status == 200 and isinstance(answer.body, Mapping) else []


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


ROUTES: dict[tuple[str, str], Callable[[PageRequest, Visitor, Connecting, datetime], Page]] = {
    ("GET", START): _show,
    ("POST", START): _begin,
    ("GET", CALLBACK): _come_back,
    ("POST", ENVIRONMENT): _choose,
}


# ── visits ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def read_visit(connecting: Connecting, visitor: Visitor, now: datetime) -> Visit | None:
    """Return what this person is in the middle of in this browser, if its ten minutes are not over."""
    stored = connecting.services.store.read(TABLE, PARTITION, _key(visitor))
    if stored is None:
        return None
    until, person = datetime.fromisoformat(str(stored.values["until"])), str(stored.values["person"])
    if person != visitor.person or now >= until:
        return None
    secret = json.loads(connecting.services.secrets.open(str(stored.values["sealed"]), _context(visitor)))
    return Visit(person, until, str(stored.values.get("state") or ""), secret, stored.etag)


def keep_visit(connecting: Connecting, visitor: Visitor, visit: Visit) -> Visit:
    """Keep *visit*; with its ETag only if nobody changed it meanwhile (raises Changed)."""
    sealed = connecting.services.secrets.seal(json.dumps(visit.secret), _context(visitor))
    values = {"person": visit.person, "until": visit.until.isoformat(), "state": visit.state, "sealed": sealed}
    store = connecting.services.store
    if visit.etag:
        return replace(visit, etag=store.replace(TABLE, PARTITION, _key(visitor), values, visit.etag))
    store.upsert(TABLE, PARTITION, _key(visitor), values)
    return visit


def sign_in(connecting: Connecting) -> SignIn:
    return SignIn(connecting.settings, connecting.services.durations)


def _callback(connecting: Connecting) -> str:
    return f"{connecting.settings.public_url}{CALLBACK}"


def _notice(key: str, visitor: Visitor, connecting: Connecting) -> Page:
    return pages.redirect(f"{START}?notice={key}", visitor, connecting.settings)


def _context(visitor: Visitor) -> str:
    return f"dynamics|{_key(visitor)}"


def _key(visitor: Visitor) -> str:
    return _hash(visitor.browser)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
