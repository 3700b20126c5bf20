"""Sync History: one row on the record for each thing that happened to it (SPEC 5; A368-A372)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from functions.work import Crossed, Work
from mappings.choices import SyncAction, SyncStatus, WhoActs
from shared.connectors import Json
from shared.errors import Problem
from shared.outcomes import Outcome, Status
from shared.services import Operation

NAMESPACE = uuid.UUID("5f0e3f5c-6a43-5d1f-9d1b-6f6f1f0e7a11")
"""The namespace of every id we derive for Dataverse rows."""

MOST = 4_000

ACTIONS = {action.name.capitalize(): action for action in SyncAction}
STATUSES = {
    Status.SYNCED: SyncStatus.SUCCESSFUL,
    Status.WAITING: SyncStatus.WAITING,
    Status.MISCONFIGURED: SyncStatus.WAITING,
    Status.REFUSED: SyncStatus.FAILED,
    Status.FAILED: SyncStatus.FAILED,
}


def success(work: Work, crossed: Crossed, *, change_set: str) -> list[Operation]:
    """Return the rows of a record that crossed: what was done, and one row for each warning."""
    done = _row(work, SyncStatus.SUCCESSFUL, ACTIONS[crossed.action], crossed.details, (), crossed.xero_id)
    warnings = [warning(work, problem) for problem in dict.fromkeys(work.warnings)]
    return [replace(operation, change_set=change_set) for operation in (done, *warnings)]


def warning(work: Work, problem: Problem) -> Operation:
    """Return the row of something a person should look at."""
    return _row(work, SyncStatus.WARNING, SyncAction.WARNING, problem.message, (problem,), problem.message)


def failure(work: Work, outcome: Outcome) -> Operation:
    """Return the row of an outcome that is not a success: cause, fix and who acts."""
    action = SyncAction.UPDATE if work.record.get("mag_xeroid") else SyncAction.CREATE
    return _row(work, STATUSES[outcome.status], action, outcome.details, outcome.problems, outcome.details)


def _row(
    work: Work, status: SyncStatus, action: SyncAction, details: str, problems: tuple[Problem, ...], identity: str
) -> Operation:
    """Build an upsert by an id derived from what happened, so that telling it twice makes one row."""
    message = work.message
    told = "|".join((message.connector, message.flow, message.record, work.fingerprint, status.name, identity))
    row_id = uuid.uuid5(NAMESPACE, told)
    body: Json = {
        "mag_name": f"Sync - {work.now.astimezone(work.connector.zone):%Y-%m-%d %H:%M:%S}",
        "mag_eventon": instant(work.now),
        "mag_action": action.value,
        "mag_syncstatus": status.value,
        "mag_details": details[:MOST],
        "mag_xeroconnectorid@odata.bind": f"/mag_xeroconnectors({work.connector.id})",
        f"{LOOKUPS[message.table][0]}@odata.bind": f"/{LOOKUPS[message.table][1]}({message.record_id})",
    }
    if problems:
        body["mag_cause"] = _joined(problem.cause for problem in problems)
        body["mag_fix"] = _joined(problem.fix for problem in problems)
        body["mag_whoacts"] = WhoActs[(problems[0].who or "support").upper()].value
    if owner := owner_bind(work.record):
        body["ownerid@odata.bind"] = owner
    return Operation("PATCH", f"mag_synchistories({row_id})", body)


LOOKUPS = {"invoice": ("mag_invoiceid", "invoices")}


def owner_bind(record: Json) -> str | None:
    """Return where a row we create gets its owner from: the record's, so that salespeople see it (SPEC 4)."""
    owner = record.get("_ownerid_value")
    if not owner:
        return None
    kind = record.get("_ownerid_value@Microsoft.Dynamics.CRM.lookuplogicalname", "systemuser")
    return f"/{kind}s({owner})"


def instant(moment: datetime) -> str:
    """Write *moment* (UTC) as the Web API wants it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _joined(texts: Iterable[str]) -> str:
    return "\n".join(dict.fromkeys(text for text in texts if text))[:MOST]
