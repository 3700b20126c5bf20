"""Sync History: one row on the record for each thing that happened to it (SPEC 5; A368-A372)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from functions.work import Crossed, Work
from mappings.choices import SyncAction, SyncStatus, WhoActs
from shared.connectors import Json
from shared.dataverse import answers, query
from shared.errors import ConfigurationError, Problem
from shared.outcomes import Outcome, Status
from shared.services import Operation

NAMESPACE = uuid.UUID("5f0e3f5c-6a43-5d1f-9d1b-6f6f1f0e7a11")
"""The namespace of every id we derive for Dataverse rows."""

MOST = 4_000
OWNER = "ownerid@odata.bind"

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


def warning(work: Work, problem: Problem, *, on_record: bool = True) -> Operation:
    """Return the row of something a person should look at; of a record that is gone it stands on the connector only."""
    return _row(work, SyncStatus.WARNING, SyncAction.WARNING, problem.sentence, (problem,), problem.sentence, on_record=on_record)


def send(work: Work, operations: list[Operation]) -> None:
    """Write rows that belong to the record's owner; raises what ``answers.results`` raises.

    An owner who may not read Sync History, or who left, cannot own its rows: then they are ours, rather than nobody being told.
    """
    environment, dataverse = work.connector.environment, work.services.dataverse
    try:
        answers.results(operations, dataverse.send(environment, operations))
    except ConfigurationError:
        ours = [replace(one, body={k: v for k, v in (one.body or {}).items() if k != OWNER}) for one in operations]
        if ours == operations:
            raise
        answers.results(ours, dataverse.send(environment, ours))


def failure(work: Work, outcome: Outcome) -> Operation:
    """Return the row of an outcome that is not a success: cause, fix and who acts."""
    told = TOLD.get(work.about.partition("/")[0])
    action = SyncAction.UPDATE if told is None or work.record.get(told.xero_id) else SyncAction.CREATE
    return _row(work, STATUSES[outcome.status], action, outcome.details, outcome.problems, outcome.details)


def _row(
    work: Work,
    status: SyncStatus,
    action: SyncAction,
    details: str,
    problems: tuple[Problem, ...],
    identity: str,
    *,
    on_record: bool = True,
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
    }
    if on_record and work.about:
        table, _, row = work.about.partition("/")
        body[f"{TOLD[table].lookup}@odata.bind"] = f"/{query.row(table, row)}"
    if problems:
        body["mag_cause"] = _joined(problem.cause for problem in problems)
        body["mag_fix"] = _joined(problem.fix for problem in problems)
        body["mag_whoacts"] = WhoActs[(problems[0].who or "support").upper()].value
    if owner := owner_bind(work.record):
        body[OWNER] = owner
    return Operation("PATCH", f"mag_synchistories({row_id})", body)


@dataclass(frozen=True)
class Told:
    """How a table's records are told: the lookup of mag_synchistory that points to them, their Export Status ("" where the table
    has none) and the column that holds their Xero id."""

    lookup: str
    status: str
    xero_id: str


# fmt: off
TOLD = {
    # table           lookup              Export Status       what says that it crossed
    "invoice":        Told("mag_invoiceid",    "mag_exportstatus", "mag_xeroid"),
    "mag_creditnote": Told("mag_creditnoteid", "mag_exportstatus", "mag_xerocreditnoteid"),
    "account":        Told("mag_accountid",    "",                 "mag_xerocontacturl"),
    "contact":        Told("mag_contactid",    "",                 "mag_xerocontacturl"),
}
# fmt: on


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
