"""The connector's own defaults of reference data: they stay valid, or an administrator is told which one is not and why (SPEC 4, 6).

A default account that was deleted in Xero and made again under its code is pointed to the new one: what is sent stays the same. Any
other default that Xero would refuse waits for a person, in one sentence of the connector's Xero Status Detail.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from functions import connectors
from shared.connectors import Connector
from shared.dataverse import answers, query
from shared.errors import ConnectorError
from shared.services import Operation, Services

log = logging.getLogger(__name__)

ACTIVE = "ACTIVE"


@dataclass(frozen=True)
class Default:
    """One lookup of mag_xeroconnector: its ``label``, what it points to, and the column that is sent ("" for none people know)."""

    column: str
    label: str
    noun: str
    code: str = ""


# fmt: off
DEFAULTS = (
    #       column of mag_xeroconnector         label                            points to            code
    Default("mag_defaultaccountcodeid",         "Default Account Code",          "account code",      "mag_code"),
    Default("mag_defaultpurchaseaccountcodeid", "Default Purchase Account Code", "account code",      "mag_code"),
    Default("mag_freightaccountcodeid",         "Freight Account Code",          "account code",      "mag_code"),
    Default("mag_roundingaccountcodeid",        "Rounding Account Code",         "account code",      "mag_code"),
    Default("mag_defaulttaxrateid",             "Default Tax Rate",              "tax rate",          "mag_taxtype"),
    Default("mag_defaultbrandingthemeid",       "Default Branding Theme",        "branding theme"),
)
# fmt: on
ACCOUNTS = tuple(default for default in DEFAULTS if default.code == "mag_code")


def doubts(connector: Connector) -> str:
    """Return one sentence for each default that Xero would refuse, "" when all are valid, by the settings as they were last read."""
    return " ".join(_sentences(connector))


def point_anew(connector: Connector, services: Services) -> list[str]:
    """Point each default whose account is no longer active to the one active account of its code; return their labels.

    Asked after a load. A fault here holds nothing back: the sentence about the default says what to do, and the next load tries again.
    """
    try:
        read = connectors.refresh(services, connector, is_at_work=False)
        codes = {default.column: code for default in ACCOUNTS if (code := _lost_code(read, default))}
        return _point(read, services, codes) if codes else []
    except ConnectorError as error:
        log.warning("the defaults of connector %s were not looked at: %s", connector.id, type(error).__name__)
        return []


def _sentences(connector: Connector) -> Iterator[str]:
    for default in DEFAULTS:
        if not connector.settings.get(f"_{default.column}_value"):
            continue
        row = connector.settings.get(default.column) or {}
        if why := _why(connector, default, row):
            named = " ".join(str(row[name]) for name in (default.code, "mag_name") if row.get(name))
            yield (
                f"The {default.label} ({default.column}){f' {named}' if named else ''} {why}: choose an active {default.noun} of"
                f" {connector.organisation_name}."
            )


def _why(connector: Connector, default: Default, row: Mapping[str, Any]) -> str:
    """Return why Xero would refuse the *row* a default points to, "" when it would not."""
    if not row:
        return "points to a row that was deleted, or that the connector may not read"
    if (owner := row.get("_mag_xeroconnectorid_value")) and str(owner).lower() != connector.id.lower():
        return "belongs to another Xero organisation"
    if row.get("statecode") == 1:
        return "is no longer in Xero"
    if (status := row.get("mag_status")) not in (None, "", ACTIVE):
        return f"is {str(status).lower()} in Xero"
    if default.code and not row.get(default.code):
        return "has no code in Xero"
    return ""


def _lost_code(connector: Connector, default: Default) -> str:
    """Return the code of a default account of this connector that is no longer active, else ""."""
    row = connector.settings.get(default.column) or {}
    is_ours = str(row.get("_mag_xeroconnectorid_value")).lower() == connector.id.lower()
    is_lost = row.get("mag_status") not in (None, "", ACTIVE)
    return str(row.get("mag_code") or "") if is_ours and is_lost else ""


def _point(connector: Connector, services: Services, codes: Mapping[str, str]) -> list[str]:
    clauses = " or ".join(f"mag_code eq {query.quoted(code)}" for code in sorted(set(codes.values())))
    where = f"_mag_xeroconnectorid_value eq {connector.id} and mag_status eq '{ACTIVE}' and ({clauses})"
    columns = [f"_{column}_value" for column in codes]
    operations = [
        query.read("mag_xeroconnector", connector.id, columns),
        query.selection("mag_xeroaccountcode", ("mag_xeroaccountcodeid", "mag_code"), where),
    ]
    now, accounts = answers.results(operations, services.dataverse.send(connector.environment, operations))
    body: dict[str, Any] = {}
    for column, code in codes.items():
        alike = [row["mag_xeroaccountcodeid"] for row in accounts["value"] if str(row["mag_code"]).lower() == code.lower()]
        is_as_read = now.get(f"_{column}_value") == connector.settings.get(f"_{column}_value")
        if len(alike) == 1 and is_as_read:
            body[f"{column}@odata.bind"] = f"/{query.row('mag_xeroaccountcode', alike[0])}"
    if not body:
        return []
    # A person who chooses another one meanwhile is not overwritten.
    change = Operation("PATCH", query.row("mag_xeroconnector", connector.id), body, {"If-Match": now["@odata.etag"]})
    answers.result(services.dataverse.send(connector.environment, [change])[0])
    connectors.refresh(services, connector, is_at_work=False)
    return [default.label for default in ACCOUNTS if f"{default.column}@odata.bind" in body]
