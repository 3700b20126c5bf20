"""Install, check and upgrade the solution in one environment.

Each function takes `say`, which tells the person what is happening, and raises Problem with what is so and the step to take.
Everything may be run again: it looks first, and goes on from what is there.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from solution import build
from solution.install import importing, people, webhooks
from solution.install.change import Change, Kind
from solution.install.importing import Installed
from solution.install.keys import statuses, wait_for_keys
from solution.install.plan import changes
from solution.install.problem import Problem
from solution.install.web_api import WebApi
from solution.publisher import UNIQUE_NAME, VERSION

Say = Callable[[str], None]


@dataclass(frozen=True)
class Wishes:
    """What is to be there besides the solution itself."""

    managed: bool = False
    by_metadata: bool = False
    client_id: str = ""
    webhook_url: str = ""
    webhook_secret: str = ""


def check(api: WebApi, wishes: Wishes) -> list[Change]:
    """Return everything that is not as it should be; nothing is changed."""
    found = importing.installed(api)
    differing = list(changes(api))
    for table, key, status in statuses(api):
        if status != "Active":
            step = "Run install: it has the index built again." if status == "Failed" else "Wait, then check again."
            differing.append(Change(Kind.DIFFERENT, f"key {key} of {table}", f"its index is {status}", step=step))
    if wishes.client_id and found is not None:
        lacking = list(people.changes(api, wishes.client_id))
        differing += lacking
        if not lacking:
            differing += _privilege_changes(api, wishes.client_id)
    if wishes.webhook_url:
        differing += webhooks.changes(api, wishes.webhook_url, wishes.webhook_secret or "given when it is installed")
    return differing


def _privilege_changes(api: WebApi, client_id: str) -> list[Change]:
    user = api.first(f"systemusers?$select=systemuserid&$filter=applicationid eq {client_id}")
    missing = people.missing_privileges(api, str(user["systemuserid"])) if user else []
    return [Change(Kind.MISSING, f"privilege {name}", "of the application user", step=ROLE_STEP) for name in missing]


ROLE_STEP = f"Add it to the role {people.SERVICE.name} (install does so), or give the user another role that holds it."


def install(api: WebApi, wishes: Wishes, say: Say) -> None:
    """Install this version where there is none or the same; raises Problem for an older or newer one."""
    found = importing.installed(api)
    if found is not None and found.is_older:
        raise Problem(f"Version {found.version} is installed; this is {VERSION}.", "Run `python -m solution upgrade` instead.")
    _bring(api, wishes, say, found, upgrade=False)


def upgrade(api: WebApi, wishes: Wishes, say: Say) -> None:
    """Bring an older version up to this one; raises Problem where there is none."""
    found = importing.installed(api)
    if found is None:
        raise Problem("The solution is not installed here.", "Run `python -m solution install` instead.")
    say(f"Version {found.version} is installed, this is {VERSION}.")
    _bring(api, wishes, say, found, upgrade=found.is_older and found.managed)


def _bring(api: WebApi, wishes: Wishes, say: Say, found: Installed | None, *, upgrade: bool) -> None:
    if found is not None:
        if found.is_newer:
            step = "Use the program of that release: an older solution cannot replace a newer one."
            raise Problem(f"Version {found.version} is installed, newer than this one ({VERSION}). Nothing was changed.", step)
        if not (wishes.by_metadata and not found.managed):
            importing.refuse_mode(found, managed=wishes.managed)
        if wishes.by_metadata and found.managed:
            raise Problem("The managed solution is installed here.", "Run the command without --metadata-api, with --managed.")
    say("Looking at what is there.")
    wanted = list(changes(api))
    _refuse_conflicts(wanted)
    todo = [change for change in wanted if change.act]
    if found is not None and todo and not found.is_older:
        say(
            f"{len(todo)} parts of version {found.version} are missing or different here: an earlier run stopped half-way, or someone changed them."
        )
    if not todo:
        say(f"Version {VERSION} is installed, with nothing missing.")
    elif wishes.by_metadata:
        _apply(api, todo, say)
    else:
        job = importing.begin(api, build.package(managed=wishes.managed), upgrade=upgrade)
        importing.wait(api, job, say)
    if todo or not (found and found.managed):  # an earlier run may have stopped before it: nothing tells, and it does no harm
        say("Publishing.")
        api.write("POST", "PublishAllXml")
    finish(api, wishes, say)


def finish(api: WebApi, wishes: Wishes, say: Say) -> None:
    """Do what follows the solution itself: key indexes, the application user, webhooks; then look whether all is there."""
    wait_for_keys(api, say)
    if wishes.client_id:
        user_id = people.ensure(api, wishes.client_id, say)
        if missing := people.missing_privileges(api, user_id):
            listed = "\n".join(f"  {name}" for name in missing)
            raise Problem(f"The application user lacks {len(missing)} privileges:\n{listed}", ROLE_STEP)
        say(f"The application user has all {len(people.SERVICE.privileges)} privileges.")
    if wishes.webhook_url:
        _apply(api, list(webhooks.changes(api, wishes.webhook_url, wishes.webhook_secret)), say)
        if wishes.webhook_secret:
            webhooks.write_secret(api, wishes.webhook_secret)
    left = [change for change in changes(api) if change.kind is not Kind.EXTRA]
    if left:
        listed = "\n".join(f"  {change}" for change in left)
        raise Problem(
            f"The solution was installed, but {len(left)} parts are not as they should be:\n{listed}", "Run the command again."
        )
    say(f"{UNIQUE_NAME} {VERSION} is installed and complete.")


def _refuse_conflicts(found: Iterable[Change]) -> None:
    conflicts = [change for change in found if change.kind is Kind.CONFLICT]
    if conflicts:
        listed = "\n".join(f"  {change}" for change in conflicts)
        raise Problem(
            f"This environment holds what stands in the way. Nothing was changed.\n{listed}", "Then run the command again."
        )


def _apply(api: WebApi, todo: list[Change], say: Say) -> None:
    """Make the changes one after the other; raises Problem saying how far it came."""
    ordered = sorted(todo, key=lambda change: change.last)
    for done, change in enumerate(ordered):
        say(f"[{done + 1}/{len(ordered)}] {change.kind}: {change.what}")
        if change.act is None:
            continue
        try:
            change.act()
        except Problem as problem:
            raise Problem(
                f"Stopped at {change.what}: {problem.message}\n{done} of {len(ordered)} changes were made and stay; "
                f"{len(ordered) - done} are still to be made.",
                problem.step or "Put that right, then run the command again: it goes on from there.",
            ) from problem
