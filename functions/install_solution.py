"""Install the connector's solution from the connect pages, with the person's own sign-in, one step a request (SPEC 11).

    POST /connect/xero/solution   begin: Dataverse imports the file as a job of its own
    GET  /connect/xero/solution   how far it is; the page asks again by itself until all is there

The installer is the one of `python -m solution install`. What is under way is kept in the person's visit of
connect_dynamics, so that closing the page loses nothing: Dataverse goes on, and the page finds the job again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from functions import connect_dynamics, pages
from functions.connect_dynamics import IN_TIME, Visit
from functions.pages import Page, PageRequest, Step, Visitor
from shared.errors import ConnectorError
from solution import build
from solution.install import importing, keys, people
from solution.install.importing import Job
from solution.install.problem import Problem
from solution.install.web_api import WebApi

if TYPE_CHECKING:
    from functions.connect import Connecting

PATH = "/connect/xero/solution"
AGAIN = 5  # seconds until the page asks again

IMPORT, PUBLISH, KEYS, USER, PRIVILEGES = (
    "Dataverse imports the solution",
    "It is published",
    "The indexes of the alternate keys are built",
    "The app is a user with the connector's role",
    "The role holds every privilege the connector needs",
)


@dataclass(frozen=True)
class Installing:
    """One installation under way: where, Dataverse's job, the steps that are done, the keys that were built again."""

    environment: str
    name: str
    operation: str
    job: str
    done: int = 0
    reactivated: list[str] = field(default_factory=list)


def begin(request: PageRequest, visitor: Visitor, connecting: Connecting, now: datetime) -> Page:
    """Start the import in the environment the person chose; a second click finds the first one's job."""
    visit = connect_dynamics.read_visit(connecting, visitor, now)
    if visit is None or "chosen" not in visit.secret:
        return pages.redirect(f"{connect_dynamics.START}?notice=visit", visitor, connecting.settings)
    if "installing" in visit.secret:
        return pages.redirect(PATH, visitor, connecting.settings)
    chosen = visit.secret["chosen"]
    environment, name = str(chosen["environment"]), str(chosen["name"])
    try:
        api = _api(connecting, visit, environment)
        found = importing.installed(api)
        if found is not None and found.is_newer:
            raise Problem(f"Version {found.version} is installed, newer than this app's.", "Update the function app instead.")
        managed = found is None or found.managed
        upgrade = found is not None and found.managed and found.is_older
        job = importing.begin(api, build.package(managed=managed), upgrade=upgrade)
    except (Problem, ConnectorError) as problem:
        return _page(visitor, connecting, name, [_failed(IMPORT, problem)], running=False)
    _keep(connecting, visitor, visit, Installing(environment, name, job.operation, job.job), now)
    return pages.redirect(PATH, visitor, connecting.settings)


def show(request: PageRequest, visitor: Visitor, connecting: Connecting, now: datetime) -> Page:
    """Take the next step, and tell how far the installation is."""
    visit = connect_dynamics.read_visit(connecting, visitor, now)
    if visit is None or "installing" not in visit.secret:
        return pages.redirect(connect_dynamics.START, visitor, connecting.settings)
    installing = Installing(**visit.secret["installing"])
    steps = [Step(title, "done") for title, _ in STEPS[: installing.done]]
    title, take = STEPS[installing.done]
    try:
        api = _api(connecting, visit, installing.environment)
        waiting = take(api, installing, connecting.settings.dataverse_client_id)
    except (Problem, ConnectorError) as problem:
        _keep(connecting, visitor, visit, None, now)
        left = [Step(left) for left, _ in STEPS[installing.done + 1 :]]
        return _page(visitor, connecting, installing.name, [*steps, _failed(title, problem), *left], running=False)
    if waiting:
        steps.append(Step(title, "not tried", waiting))
    else:
        steps.append(Step(title, "done"))
        installing = replace(installing, done=installing.done + 1)
    running = installing.done < len(STEPS)
    if not running:
        visit = _looked_again(connecting, visit, installing.environment)
    _keep(connecting, visitor, visit, installing if running else None, now)
    left = [Step(left) for left, _ in STEPS[len(steps) :]]
    return _page(visitor, connecting, installing.name, [*steps, *left], running=running)


# ── the steps: each returns what it waits for, or "" when it is done ────────────────────────────────────────────────────────────


def _import(api: WebApi, installing: Installing, client_id: str) -> str:
    found = importing.progress(api, Job(installing.operation, installing.job))
    return "" if found.done else f"{found.percent} %"


def _publish(api: WebApi, installing: Installing, client_id: str) -> str:
    api.write("POST", "PublishAllXml")
    return ""


def _keys(api: WebApi, installing: Installing, client_id: str) -> str:
    reactivated = set(installing.reactivated)
    waiting = keys.look(api, reactivated, lambda line: None)
    installing.reactivated[:] = sorted(reactivated)
    return f"{len(waiting)} to go" if waiting else ""


def _user(api: WebApi, installing: Installing, client_id: str) -> str:
    people.ensure(api, client_id, lambda line: None)
    return ""


def _privileges(api: WebApi, installing: Installing, client_id: str) -> str:
    user_id = people.ensure(api, client_id, lambda line: None)
    if missing := people.missing_privileges(api, user_id):
        raise Problem(f"The application user lacks {', '.join(missing)}.", "Install the solution again, or add them to its role.")
    return ""


STEPS: tuple[tuple[str, Callable[[WebApi, Installing, str], str]], ...] = (
    (IMPORT, _import),
    (PUBLISH, _publish),
    (KEYS, _keys),
    (USER, _user),
    (PRIVILEGES, _privileges),
)


def _api(connecting: Connecting, visit: Visit, environment: str) -> WebApi:
    """Speak to the environment as the person: their token is asked for once and leaves for this environment only."""
    token = connect_dynamics.sign_in(connecting).token(str(visit.secret["refresh_token"]), environment)
    return WebApi(f"https://{environment}", lambda: token)


def _looked_again(connecting: Connecting, visit: Visit, environment: str) -> Visit:
    """Let the form the person goes back to say what is there now."""
    secret, client_id = visit.secret, connecting.settings.dataverse_client_id
    dataverse = connect_dynamics.sign_in(connecting).as_person(str(secret["refresh_token"]), environment)
    found = connect_dynamics.examine(dataverse, environment, str(secret["name"]), client_id)
    return replace(visit, secret={**secret, "chosen": asdict(found)})


def _keep(connecting: Connecting, visitor: Visitor, visit: Visit, installing: Installing | None, now: datetime) -> None:
    secret: Mapping[str, Any] = {name: value for name, value in visit.secret.items() if name != "installing"}
    if installing is not None:
        secret = {**secret, "installing": asdict(installing)}
    connect_dynamics.keep_visit(connecting, visitor, replace(visit, until=now + IN_TIME, secret=secret, etag=""))


def _failed(title: str, problem: Problem | ConnectorError) -> Step:
    if isinstance(problem, Problem):
        return Step(title, "failed", problem.message, problem.step)
    return Step(title, "failed", str(problem))


def _page(visitor: Visitor, connecting: Connecting, name: str, steps: list[Step], *, running: bool) -> Page:
    page = pages.page(
        "solution",
        visitor,
        connecting.settings,
        form_token=pages.form_token(visitor, connecting.services.secrets),
        name=name,
        steps=steps,
        running=running,
        failed=any(step.state == "failed" for step in steps),
    )
    return replace(page, headers={**page.headers, "Refresh": f"{AGAIN}; url={PATH}"}) if running else page
