"""The commands `python -m solution install`, `check`, `upgrade` and `uninstall`."""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence

from solution.install import importing, installing, uninstalling
from solution.install.installing import Wishes
from solution.install.problem import Problem
from solution.install.sign_in import signed_in
from solution.install.web_api import WebApi, address
from solution.publisher import UNIQUE_NAME, VERSION

PURPOSES: Mapping[str, str] = {
    "install": "Install the solution in a Dynamics 365 environment, or go on with a run that stopped.",
    "check": "Compare an environment with the solution; change nothing. Exit code 1 when anything differs.",
    "upgrade": "Bring an older version of the solution up to this one.",
    "uninstall": "Take the solution out of an environment, after saying what would be lost.",
}
SIGN_IN = """\
Sign-in: without settings a person signs in with a code, a System Administrator or System Customizer of the environment.
Settings (environment variables): INSTALL_CLIENT_ID and INSTALL_CLIENT_SECRET sign in an application instead;
INSTALL_ACCESS_TOKEN is a token from elsewhere; DATAVERSE_TENANT_ID, DATAVERSE_AUTHORITY_URL say where to sign in;
DATAVERSE_WEBHOOK_SECRET is the key of the function behind --webhook-url.
"""


def install(arguments: Sequence[str]) -> int:
    """Run `install`; with --check run `check`."""
    return _run("install", arguments)


def check(arguments: Sequence[str]) -> int:
    """Run `check`."""
    return _run("check", arguments)


def upgrade(arguments: Sequence[str]) -> int:
    """Run `upgrade`."""
    return _run("upgrade", arguments)


def uninstall(arguments: Sequence[str]) -> int:
    """Run `uninstall`."""
    return _run("uninstall", arguments)


def _parser(command: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m solution {command}",
        description=PURPOSES[command],
        epilog=SIGN_IN,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--environment", required=True, metavar="URL", help="for example https://contoso.crm.dynamics.com")
    if command == "uninstall":
        parser.add_argument("--yes", action="store_true", help="do not ask")
        return parser
    parser.add_argument(
        "--client-id", default="", metavar="ID", help="application id of the connector's app or managed identity: made a user"
    )
    parser.add_argument(
        "--webhook-url", default="", metavar="URL", help="address of /webhooks/dataverse: registered for real time"
    )
    parser.add_argument("--managed", action="store_true", help="the managed solution: for production")
    if command != "check":
        parser.add_argument(
            "--metadata-api", action="store_true", help="make everything piece by piece instead of importing the file"
        )
    if command == "install":
        parser.add_argument("--check", action="store_true", help="the same as the command check")
    return parser


def _run(command: str, arguments: Sequence[str], settings: Mapping[str, str] | None = None) -> int:
    settings = os.environ if settings is None else settings
    given = _parser(command).parse_args(arguments)
    if command == "install" and given.check:
        command = "check"
    try:
        environment = address(given.environment)
        api = WebApi(environment, signed_in(environment, settings, _say))
        api.get("WhoAmI")
        if command == "uninstall":
            return _uninstall(api, ask=None if given.yes else input)
        wishes = Wishes(
            managed=given.managed,
            by_metadata=getattr(given, "metadata_api", False),
            client_id=given.client_id,
            webhook_url=given.webhook_url,
            webhook_secret=settings.get("DATAVERSE_WEBHOOK_SECRET", ""),
        )
        if command == "check":
            return _check(api, wishes)
        if wishes.by_metadata:
            api.solution = UNIQUE_NAME
        {"install": installing.install, "upgrade": installing.upgrade}[command](api, wishes, _say)
    except Problem as problem:
        print(f"\n{problem.message}\n→ {problem.step}" if problem.step else f"\n{problem.message}", file=sys.stderr)
        return 1
    return 0


def _check(api: WebApi, wishes: Wishes) -> int:
    found = importing.installed(api)
    if found is None:
        _say(f"{UNIQUE_NAME} is not installed in {api.environment}; this is version {VERSION}.")
    else:
        kind = "managed" if found.managed else "unmanaged"
        _say(f"{UNIQUE_NAME} {found.version} ({kind}) is installed in {api.environment}; this is version {VERSION}.")
    differing = installing.check(api, wishes)
    for change in differing:
        _say(str(change))
    counted = {
        kind: sum(change.kind is kind for change in differing) for kind in dict.fromkeys(change.kind for change in differing)
    }
    _say(", ".join(f"{number} {kind}" for kind, number in counted.items()) + "." if counted else "Nothing differs.")
    return 1 if differing else 0


def _uninstall(api: WebApi, ask: Callable[[str], str] | None) -> int:
    found = importing.installed(api)
    _say(f"From {api.environment} these go, and cannot be brought back:")
    lost = list(uninstalling.losses(api))
    for line in lost:
        _say(f"  {line}")
    _say("  the tables, columns, forms, views, roles and app of the connector, and its webhooks. Xero is not touched.")
    if ask is not None and ask("Type the word uninstall to go on: ").strip() != "uninstall":
        _say("Nothing was changed.")
        return 1
    uninstalling.uninstall(api, found, _say)
    _say(f"{UNIQUE_NAME} is gone from {api.environment}.")
    return 0


def _say(line: str) -> None:
    print(line, flush=True)
