"""The connectors this app serves: rows of ``connectors``, whose settings are a copy of the mag_xeroconnector rows (SPEC 6, 7)."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import datetime, timedelta
from enum import IntEnum
from functools import cache
from typing import Any, TypeVar

from functions.history import instant
from functions.time_zones import IANA
from mappings import invoice
from mappings.choices import XeroConnection
from mappings.table import FORMATTED
from shared import exact_json
from shared.connectors import Connector, Json, zone_of
from shared.dataverse import answers, query
from shared.errors import Changed, ConfigurationError, ConnectorError, NotFound, WrongBooks
from shared.services import Operation, Services, Store, StoredRow

log = logging.getLogger(__name__)

TABLE = "connectors"
CONNECTED = "connected"
MOST = 2_000
LAST_SYNCHED_EVERY = timedelta(minutes=15)
FLOW_COLUMNS = ("mag_flow", "mag_enabled", "mag_everyminutes", "mag_lookbackdays", "mag_realtime")
ALSO_EXPANDED = {
    "mag_defaultpricelistid": {"name", "statecode", "_transactioncurrencyid_value"},
    "mag_defaultbrandingthemeid": {"statecode"},
    "mag_roundingaccountcodeid": {"mag_name", "mag_status", "_mag_xeroconnectorid_value"},
}
PRICE_LISTS = "price_lists"
PRICE_LIST_COLUMNS = ("_mag_transactioncurrencyid_value", "_mag_pricelistid_value")
PRICE_LIST = "mag_pricelistid($select=name,statecode,_transactioncurrencyid_value)"
VOLATILE = ("", "versionnumber", "modifiedon", "_modifiedby_value")

# fmt: off
WHY = {
    # state            what the connector's row in Dynamics 365 says
    "needs_reconnect": "Xero no longer accepts the consent. Nothing is lost: open the Reconnect Link and connect again.",
    "needs_scope":     "The consent does not cover everything the connector does. Open the Reconnect Link, connect again and allow all of it.",
    "disconnected":    "The organisation was disconnected in Xero, or the user who connected it lost access. Open the Reconnect Link and connect again.",
    "wrong_books":     "The connector is sealed to another environment or organisation, so nothing is sent. Connect it again where it belongs.",
}
# fmt: on
SHARED_BY_GRANT = ("needs_reconnect", "needs_scope")


def read_all(store: Store) -> list[Connector]:
    """Return every connector, by environment and id."""
    return [_connector(stored) for stored in store.rows(TABLE)]


def of_environment(store: Store, environment: str) -> list[Connector]:
    """Return the connectors of one environment."""
    return [_connector(stored) for stored in store.rows(TABLE, environment)]


def find(store: Store, key: str) -> Connector | None:
    """Return the connector whose Connector.key is *key*, or None."""
    environment, _, row_id = key.rpartition("|")
    stored = store.read(TABLE, environment, row_id)
    return _connector(stored) if stored else None


def write(store: Store, connector: Connector) -> None:
    """Keep *connector*, whatever the row held."""
    store.upsert(TABLE, connector.environment, connector.id, _values(connector))


def remove(store: Store, connector: Connector) -> None:
    """Forget *connector*; its row in Dynamics 365 and the organisation in Xero stay as they are."""
    store.delete(TABLE, connector.environment, connector.id)


def refresh(services: Services, connector: Connector, *, is_at_work: bool = True) -> Connector:
    """Read the connector's row in Dataverse, keep it as the connector's settings and return the connector with them: one round trip.

    Its "flows" are the mag_xeroflow rows, of which a deactivated one counts as not enabled, its "price_lists" the active
    mag_xeropricelist rows. One that is not *is_at_work* is only read.
    Raises WrongBooks when the environment behind the address is not the one that was connected (it was copied or restored),
    ConfigurationError when the row is gone, or when its Time Zone is none: the other settings, and the last good zone, are kept.
    """
    now = services.clock.now()
    operations = [*reading(connector.id), Operation("GET", "WhoAmI")]
    noted = _note_sync(connector, now) if is_at_work else None
    if noted is not None:
        operations.append(noted)
    row, flows, price_lists, who = _read(services, connector.environment, operations)
    if str(who["OrganizationId"]).lower() != connector.environment_id.lower():
        raise WrongBooks("The environment behind the address is not the one that was connected: it was copied or restored.")
    settings = settings_of(row, flows, price_lists)
    if noted is not None:
        settings["mag_lastsynchedon"] = instant(now)
    time_zone = told = str(row.get("mag_timezone") or connector.time_zone)
    if zone_of(told) is None:
        time_zone = settings["mag_timezone"] = connector.time_zone
    refreshed = replace(connector, settings=settings, time_zone=time_zone)
    if refreshed != connector:
        _change(services.store, connector, settings=refreshed.settings, time_zone=refreshed.time_zone)
    if zone_of(told) is None:
        meant = IANA.get("".join(told.split()).upper(), "Pacific/Auckland")
        raise ConfigurationError(
            f'The Time Zone "{told}" of the Xero Connector is not known: type an IANA name, such as {meant}. Nothing is sent until then.'
        )
    return refreshed


C = TypeVar("C", bound=IntEnum)


def chosen(settings: Mapping[str, Any], name: str, choice: type[C], default: C) -> C:
    """Return what the connector's setting *name* chooses, *default* when it is empty.

    Raises ConfigurationError naming the setting and its options when it holds a value that is none of them.
    """
    value = settings.get(name)
    if value is None:
        return default
    try:
        return choice(value)
    except ValueError:
        title = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", choice.__name__)
        options = ", ".join(option.name.replace("_", " ").capitalize() for option in choice)
        raise ConfigurationError(
            f"The {title} of the Xero Connector ({name}) is {value}, which the connector does not know: choose one of {options}."
        ) from None


def reading(row_id: str) -> list[Operation]:
    """Return the reads of a connector's settings: its row with the lookups the mappings walk, its flows and its price lists."""
    flows = query.selection("mag_xeroflow", FLOW_COLUMNS, f"_mag_xeroconnectorid_value eq {row_id} and statecode eq 0")
    lists = query.selection("mag_xeropricelist", PRICE_LIST_COLUMNS, f"_mag_xeroconnectorid_value eq {row_id} and statecode eq 0")
    return [
        Operation("GET", f"{query.row('mag_xeroconnector', row_id)}?$expand={_expanded()}", headers=flows.headers),
        flows,
        replace(lists, path=f"{lists.path}&$expand={PRICE_LIST}"),
    ]


@cache  # every sweep reads them, and the mappings do not change
def _expanded() -> str:
    expanded: dict[str, set[str]] = {name: set(columns) for name, columns in ALSO_EXPANDED.items()}
    for name, columns in invoice.settings_columns().lookups.items():
        expanded[name] = expanded.get(name, set()) | columns.select
    return ",".join(f"{name}($select={','.join(sorted(columns))})" for name, columns in sorted(expanded.items()))


def settings_of(row: Mapping[str, Any], flows: Mapping[str, Any], price_lists: Mapping[str, Any]) -> Json:
    """Return a connector's settings from the three answers to ``reading``, without what changes by itself."""
    settings = {name: value for name, value in row.items() if name.partition("@")[0] not in VOLATILE and value is not None}
    settings.pop(f"mag_lastsynchedon{FORMATTED}", None)
    if settings.get("statecode") == 1:
        settings["mag_enabled"] = False
    settings["flows"] = [{name: flow.get(name) for name in FLOW_COLUMNS} for flow in flows["value"]]
    settings[PRICE_LISTS] = [_price_list(one) for one in price_lists["value"]]
    return settings


def _price_list(row: Mapping[str, Any]) -> Json:
    """Return what a mag_xeropricelist row says: the price list of a currency, in the words of the Default Price List's columns."""
    found = row.get("mag_pricelistid") or {}
    kept = {name: found.get(name) for name in sorted(ALSO_EXPANDED["mag_defaultpricelistid"])}
    return {"currency": row.get(PRICE_LIST_COLUMNS[0]), "pricelevelid": row.get(PRICE_LIST_COLUMNS[1]), **kept}


def mark(services: Services, connector: Connector, state: str, detail: str = "") -> None:
    """Note *state* on the connector, here and as its Xero Status in Dynamics 365 (A063).

    A consent that is gone or too narrow stops every connector of that grant. Dataverse may be away: what matters is noted here,
    and ``refresh`` brings the Xero Status up to date.
    """
    affected = [connector]
    if state in SHARED_BY_GRANT:
        affected += [other for other in read_all(services.store) if other.grant == connector.grant and other.key != connector.key]
    for one in affected:
        held = find(services.store, one.key)
        if held is None or held.state == state:
            continue
        _change(services.store, held, state=state)
        told = Operation("PATCH", query.row("mag_xeroconnector", one.id), status_columns(state, detail), {"If-Match": "*"})
        try:
            answers.result(services.dataverse.send(one.environment, [told])[0])
        except ConnectorError as error:
            log.warning("the Xero Status of connector %s was not told: %s", one.id, type(error).__name__)


def tell(services: Services, connector: Connector, detail: str) -> bool:
    """Say *detail* as the Xero Status Detail of a connector ("" takes it back) and return whether Dataverse took it."""
    body = {"mag_xerostatusdetail": detail[:MOST] or None}
    told = Operation("PATCH", query.row("mag_xeroconnector", connector.id), body, {"If-Match": "*"})
    try:
        answers.result(services.dataverse.send(connector.environment, [told])[0])
    except ConnectorError as error:
        log.warning("the Xero Status Detail of connector %s was not told: %s", connector.id, type(error).__name__)
        return False
    return True


def revive(services: Services, connector: Connector) -> None:
    """Let the other connectors of a renewed consent go on, which had stopped with it."""
    for other in read_all(services.store):
        if other.grant == connector.grant and other.state in SHARED_BY_GRANT:
            mark(services, other, CONNECTED)


def status_columns(state: str, detail: str = "") -> Json:
    """Return what the connector's row in Dynamics 365 says of *state*."""
    status = XeroConnection.OK if state == CONNECTED else XeroConnection.DISCONNECTED
    return {"mag_xerostatus": status.value, "mag_xerostatusdetail": detail or WHY.get(state)}


def _note_sync(connector: Connector, now: datetime) -> Operation | None:
    """Build the write of Last Synched On (A064), at most every quarter of an hour: each write may start people's automations."""
    last = connector.settings.get("mag_lastsynchedon")
    is_ok = connector.settings.get("mag_xerostatus") == XeroConnection.OK.value
    if last and is_ok and now - datetime.fromisoformat(str(last)) < LAST_SYNCHED_EVERY:
        return None
    columns = {"mag_lastsynchedon": instant(now), **({} if is_ok else status_columns(connector.state))}
    return Operation("PATCH", query.row("mag_xeroconnector", connector.id), columns, {"If-Match": "*"})


def _read(services: Services, environment: str, operations: list[Operation]) -> list[Any]:
    replies = services.dataverse.send(environment, operations)
    try:
        return [answers.result(reply, write=False) for reply in replies[:4]]
    except NotFound:
        raise ConfigurationError("The Xero Connector row was deleted in Dynamics 365: connect the organisation again.") from None


def _change(store: Store, connector: Connector, **changes: Any) -> None:
    """Change some values of the connector's row and leave the others as they are by now."""
    while (stored := store.read(TABLE, connector.environment, connector.id)) is not None:
        changed = replace(_connector(stored), **changes)
        try:
            store.replace(TABLE, connector.environment, connector.id, _values(changed), stored.etag)
            return
        except Changed:
            continue


KEYS = ("environment", "id")
TEXTS = tuple(field.name for field in fields(Connector) if field.name not in (*KEYS, "settings"))


def _values(connector: Connector) -> dict[str, Any]:
    texts = {name: getattr(connector, name) for name in TEXTS}
    return {**texts, "settings": exact_json.dumps(dict(connector.settings))}


def _connector(stored: StoredRow) -> Connector:
    texts = {name: str(stored.values.get(name, "")) for name in TEXTS}
    settings = exact_json.loads(str(stored.values.get("settings") or "{}"))
    return Connector(environment=stored.partition, id=stored.row, settings=settings, **texts)
