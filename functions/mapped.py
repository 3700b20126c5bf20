"""A mapping applied to one record: what is wrong with it becomes a refusal, what its reader should know becomes warnings."""

from __future__ import annotations

from functions.work import Work
from mappings.table import Flaw, Mapping, MappingError
from shared.connectors import Json
from shared.errors import Problem, Rejected


def apply(work: Work, mapping: Mapping, record: Json, given: Json | None) -> tuple[Json, list[Problem]]:
    """Return *record* as its table writes it, with the warnings; *given* are the values only the pipeline knows.

    Raises Rejected with everything that is wrong with it.
    """
    try:
        written = mapping.apply(record, work.connector.settings, given, now=work.now)
    except MappingError as error:
        raise Rejected(tuple(problem(flaw, mapping) for flaw in error.flaws)) from error
    return written.payload, [problem(flaw, mapping) for flaw in written.warnings]


def problem(flaw: Flaw, mapping: Mapping | None = None) -> Problem:
    """Return *flaw* for Sync History; what salespeople mend in Dynamics 365, bookkeepers mend in Xero."""
    is_from_xero = mapping is not None and mapping.source[:1].isupper()  # Xero's names begin with a capital, Dataverse's do not
    who = "bookkeeper" if is_from_xero and flaw.who == "salesperson" else flaw.who
    return Problem(flaw.message, flaw.where, fix=flaw.fix, who=who)
