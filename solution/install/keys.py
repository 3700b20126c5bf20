"""Wait until the index of every alternate key is built: before that, Dataverse refuses to find a row by the key.

Source: Microsoft Learn, "Define alternate keys to reference rows": EntityKeyIndexStatus, ReactivateEntityKey.
"""

from collections.abc import Callable

from solution.install.problem import Problem
from solution.install.web_api import WebApi
from solution.schema import TABLES

EVERY = 5  # seconds between looks
TIMES = 120


def wait_for_keys(api: WebApi, say: Callable[[str], None]) -> None:
    """Return when all are Active; a failed one is built again once. Raises Problem with the rows to look at."""
    reactivated: set[str] = set()
    waiting: list[str] = []
    for attempt in range(TIMES):
        waiting = look(api, reactivated, say)
        if not waiting:
            return
        if attempt % 6 == 0:
            say(f"Waiting for the index of {len(waiting)} alternate keys.")
        api.pause(EVERY)
    raise Problem(
        f"The index of {', '.join(sorted(waiting))} is not built after {EVERY * TIMES // 60} minutes.",
        "Dataverse goes on building it. Run the command again later: it only looks.",
    )


def look(api: WebApi, reactivated: set[str], say: Callable[[str], None]) -> list[str]:
    """Look once; return the keys whose index is not built yet. One that failed is built again unless it is in *reactivated*.

    What is built again joins *reactivated*. Raises Problem for one that failed a second time.
    """
    waiting = []
    for table, key, status in statuses(api):
        if status == "Failed" and key in reactivated:
            raise _failed(table, key)
        if status == "Failed":
            say(f"The index of the key {key} failed: asking Dataverse to build it again.")
            api.write("POST", "ReactivateEntityKey", {"EntityLogicalName": table, "EntityKeyLogicalName": key})
            reactivated.add(key)
        if status != "Active":
            waiting.append(key)
    return waiting


def statuses(api: WebApi) -> list[tuple[str, str, str]]:
    """Return table, key and index status of each of our keys that is there."""
    found = []
    for table in TABLES:
        if table.keys:
            keys = api.find(f"EntityDefinitions(LogicalName='{table.name}')/Keys") or {"value": []}
            there = {str(one["LogicalName"]): str(one["EntityKeyIndexStatus"]) for one in keys["value"]}
            found += [(table.name, key.name, there[key.name]) for key in table.keys if key.name in there]
    return found


def _failed(table: str, name: str) -> Problem:
    (key,) = (key for found in TABLES if found.name == table for key in found.keys if key.name == name)
    return Problem(
        f"The index of the key {name} failed twice: rows of {table} share the same {' and '.join(key.columns)}.",
        "Find them with an advanced find grouped by these columns, delete or change the doubles, then run the command again.",
    )
