"""Xero's items as products of Dynamics 365: the last step of the reference data (SPEC 4; A203, K23, K41).

An item is the product of its number, whatever its capitals; else the product it is linked to. What has none is made, active and in
the environment's own unit. Where Xero owns the items, name and description follow Xero; where Dynamics 365 does, they never change
here. Each product gets the link the way to Xero asks for, so that neither way makes the other's again. One call to Xero.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from functions import connectors, items, links
from functions.documents import canonical
from functions.history import NAMESPACE
from functions.links import Link
from functions.reference_rows import Step, key, problems_of, send
from mappings.choices import ItemOwner
from mappings.item import ITEM, PRODUCT
from mappings.table import MappingError
from shared.connectors import Connector, Json
from shared.dataverse import answers, query
from shared.errors import Problem, Rejected, Retryable
from shared.services import Lane, Operation, Services

FLOW = "items-from-xero"
NEEDED_BY = "invoices-from-xero"
"""The flow whose lines name products by number: it needs them there. It is off until a connector switches it on (K06)."""
BATCH = 50
"""How many products one request makes: each is two operations, made and made active."""
COLUMNS = ("productid", "productnumber", "name", "description", "statecode", "statuscode", "createdon")
FOLLOWING = ("name", "description")
ACTIVE, RETIRED = 0, 1
DEFAULT_UNITS = "Default Unit"
"""The unit group every environment of Dynamics 365 Sales is made with."""


@dataclass(frozen=True)
class Loading:
    """One load of one connector's items; *held* are the links of its products by record ("product/id"), as they were before it."""

    connector: Connector
    services: Services
    step: Step
    held: Mapping[str, Link]


def is_wanted(connector: Connector) -> bool:
    """Tell whether items become products: as the connector's own row of the flow says, else where its invoices come from Xero."""
    for flow in (FLOW, NEEDED_BY):
        enabled = connector.flows.get(flow, {}).get("mag_enabled")
        if enabled is not None:
            return bool(enabled)
    return False


def load(connector: Connector, services: Services, step: Step, lane: Lane) -> None:
    """Bring the products up to date with Xero's items, noting in *step* what became of each.

    Raises what Xero.call and Dataverse.send raise, ConfigurationError for an Item Owner that is none.
    """
    follows = connectors.chosen(connector.settings, "mag_itemowner", ItemOwner, ItemOwner.DYNAMICS) is ItemOwner.XERO
    loading = Loading(connector, services, step, links.read_all(services, connector, "item"))
    found = _read_items(loading, lane)
    products = _read_products(loading, found.values())
    linked = {link.xero_id.lower(): record for record, link in loading.held.items()}
    missing: list[Json] = []
    strayed: list[tuple[Json, str]] = []
    changes: list[tuple[Operation, str]] = []
    for code, item in found.items():
        if mine := products.get(code):
            operations = [change for product in mine if follows and (change := _following(loading, item, product))]
            changes += operations
            step.unchanged += not operations
            for product in mine:
                _link(loading, f"product/{product['productid']}", items.linked(item))
        elif record := linked.get(str(item["ItemID"]).lower()):
            strayed.append((item, record))
        elif item.get("IsSold") is False and item.get("IsPurchased") is False:
            step.unchanged += 1  # no document can use it
        else:
            missing.append(item)
    send(changes, connector, services, step)
    _tell_strayed(loading, strayed)
    _create(loading, missing)
    _doubt_what_is_gone(loading, found.values())


def _read_items(loading: Loading, lane: Lane) -> dict[str, Json]:
    """Return Xero's items by what makes their Code the same; one without Code or ItemID is told and left out."""
    answer = loading.services.xero.call(loading.connector, "get_items", lane=lane)
    found = answer.get("Items")
    if not isinstance(found, list):
        raise Retryable("Xero answered without its Items.")
    usable = [one for one in found if isinstance(one, dict) and _is_usable(one)]
    if len(usable) < len(found):
        number = len(found) - len(usable)
        loading.step.problems.append(
            Problem(
                f"Xero sent {number} items without Code or ItemID: they are left out.",
                "Items",
                fix="Look at them in Xero.",
                who="bookkeeper",
            )
        )
    return {items.code_of(one): one for one in usable}


def _is_usable(item: Json) -> bool:
    sides = (item.get("SalesDetails") or {}, item.get("PurchaseDetails") or {})
    return bool(key(item.get("Code")) and key(item.get("ItemID"))) and all(isinstance(side, dict) for side in sides)


def _read_products(loading: Loading, found: Iterable[Json]) -> dict[str, list[Json]]:
    """Return the products that bear the number of one of *found*, by that number: the active ones first, then the oldest."""
    codes = sorted({str(item["Code"]).strip() for item in found})
    operations = [query.selection("product", COLUMNS, one) for one in query.among("productnumber", codes)]
    products: dict[str, list[Json]] = {}
    for page in _pages(loading, operations):
        for product in page["value"]:
            products.setdefault(str(product["productnumber"]).strip().casefold(), []).append(product)
    for alike in products.values():
        alike.sort(key=lambda one: (one.get("statecode") != ACTIVE, str(one.get("createdon")), str(one["productid"])))
    return products


def _pages(loading: Loading, operations: Sequence[Operation]) -> Iterator[Json]:
    environment, dataverse = loading.connector.environment, loading.services.dataverse
    for start in range(0, len(operations), 100):
        some = operations[start : start + 100]
        yield from answers.results(some, dataverse.send(environment, some))


# ── what is there ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _following(loading: Loading, item: Json, product: Json) -> tuple[Operation, str] | None:
    """Return the write of what a product says otherwise than Xero; a retired one is left as it is."""
    if product.get("statecode") == RETIRED:
        return None
    body = _mapped(loading, item, None)
    if body is None:
        return None
    changes = {name: body.get(name) for name in FOLLOWING if (product.get(name) or None) != body.get(name)}
    address = query.row("product", str(product["productid"]))
    return (Operation("PATCH", address, changes, {"If-Match": "*"}), "updated") if changes else None


def _link(loading: Loading, record: str, found: Link) -> None:
    """Keep which item a product is. What the way to Xero last sent stays noted; an item made anew is another."""
    held = loading.held.get(record)
    kept = found
    if held and held.xero_id.lower() == found.xero_id.lower():
        kept = replace(found, hashes=held.hashes, row=held.row)
    if held != kept:
        links.write(loading.services, loading.connector, "item", record, kept)


def _tell_strayed(loading: Loading, strayed: Sequence[tuple[Json, str]]) -> None:
    """Say which items are linked to a product of another number: a code was changed in Xero, or a product's number here.

    A product that is gone was deleted on purpose: it is not made again, and needs no word.
    """
    loading.step.unchanged += len(strayed)
    ids = [record.partition("/")[2] for _, record in strayed]
    operations = [
        query.selection("product", ("productid", "productnumber"), one) for one in query.among("productid", ids, query.row_id)
    ]
    numbers = {
        f"product/{row['productid']}": row.get("productnumber") for page in _pages(loading, operations) for row in page["value"]
    }
    loading.step.problems += [_strayed(item, numbers[record]) for item, record in strayed if record in numbers]


def _strayed(item: Json, number: str | None) -> Problem:
    return Problem(
        f"The item {item['Code']} of Xero is linked to a product that bears another number, {number or 'none'}.",
        where="Product Number",
        cause="The item's code was changed in Xero, or the product's number in Dynamics 365.",
        fix="Give both the same code again, so that lines find their product.",
        who="bookkeeper",
    )


def _doubt_what_is_gone(loading: Loading, found: Iterable[Json]) -> None:
    """Have the way to Xero ask again for the items that are in Xero no more, before it names them on a line."""
    there = {str(item["ItemID"]).lower() for item in found}
    for record, link in loading.held.items():
        if link.xero_id.lower() not in there and not link.in_doubt:
            links.doubt(loading.services, loading.connector, "item", record)


# ── what is new ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _create(loading: Loading, missing: Sequence[Json]) -> None:
    """Make the products that are missing: each with its state in a change set of its own, so that one refused holds back no other."""
    if not missing:
        return
    units = _units(loading)
    if not units:
        loading.step.problems.append(_no_units(len(missing)))
        return
    for start in range(0, len(missing), BATCH):
        bodies = [(item, body) for item in missing[start : start + BATCH] if (body := _mapped(loading, item, units)) is not None]
        operations = [operation for item, body in bodies for operation in _made(loading, item, body)]
        replies = loading.services.dataverse.send(loading.connector.environment, operations) if operations else []
        for (item, body), made, activated in zip(bodies, replies[::2], replies[1::2], strict=True):
            try:
                answers.result(made)
                answers.result(activated)
            except answers.Duplicate:  # made by a try whose end nobody heard of
                loading.step.unchanged += 1
            except Rejected as refused:
                loading.step.problems += [
                    replace(problem, message=f"{item['Code']}: {problem.message}") for problem in refused.problems
                ]
                continue
            else:
                loading.step.created += 1
            _link_made(loading, item, body)


def _made(loading: Loading, item: Json, body: Json) -> Iterator[Operation]:
    """Yield the create of a product and what makes it active: Dynamics 365 makes products as drafts, which no line takes."""
    product = _product_id(loading, item)
    address = query.row("product", product)
    yield Operation("PATCH", address, body, {"If-None-Match": "*"}, change_set=product)
    yield Operation("PATCH", address, {"statecode": 0, "statuscode": 1}, {"If-Match": "*"}, change_set=product)


def _link_made(loading: Loading, item: Json, body: Json) -> None:
    """Link a product we made, noted as what the way to Xero would send of it: it sends it when somebody has changed it."""
    product = _product_id(loading, item)
    try:
        sent = PRODUCT.apply({"productid": product, **body}, loading.connector.settings, {}).payload
    except MappingError:  # a line of it says so
        sent = {}
    hashes = {"Item": loading.services.secrets.keyed_hash(canonical(sent), "item")} if sent else {}
    found = replace(items.linked(item), hashes=hashes, row=f"product/{product}")
    links.write(loading.services, loading.connector, "item", f"product/{product}", found)


def _mapped(loading: Loading, item: Json, units: Json | None) -> Json | None:
    """Return the product of an item, None (and say why) where it cannot be written; *units* are asked for only where it is made."""
    try:
        written = ITEM.apply(item, loading.connector.settings, units)
    except MappingError as error:
        loading.step.problems += problems_of(f"Item {item['Code']}", error.flaws)
        return None
    loading.step.problems += problems_of(f"Item {item['Code']}", written.warnings)
    return written.payload


def _units(loading: Loading) -> Json:
    """Return the unit group new products get and its base unit: the one Dynamics 365 came with, else the oldest; {} for none."""
    operations = [
        query.selection("uomschedule", ("uomscheduleid", "name"), "statecode eq 0", "createdon asc,uomscheduleid asc"),
        query.selection("uom", ("uomid", "_uomscheduleid_value"), "isschedulebaseuom eq true"),
    ]
    environment, dataverse = loading.connector.environment, loading.services.dataverse
    groups, bases = (page["value"] for page in answers.results(operations, dataverse.send(environment, operations)))
    base = {str(unit["_uomscheduleid_value"]).lower(): str(unit["uomid"]) for unit in bases}
    usable = [group for group in groups if str(group["uomscheduleid"]).lower() in base]
    usable.sort(key=lambda group: key(group.get("name")) != key(DEFAULT_UNITS))
    if not usable:
        return {}
    group = str(usable[0]["uomscheduleid"])
    return {"unit_group": group, "unit": base[group.lower()]}


def _no_units(number: int) -> Problem:
    return Problem(
        f"{number} items of Xero did not become products: Dynamics 365 has no active unit group with a base unit.",
        where="Unit Group",
        fix="Make a unit group in Dynamics 365: every product needs one.",
        who="administrator",
    )


def _product_id(loading: Loading, item: Json) -> str:
    return str(uuid.uuid5(NAMESPACE, f"{loading.connector.key}|product|{str(item['ItemID']).lower()}"))
