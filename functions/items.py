"""The items of a document's catalogue lines: in Xero before the document is sent (SPEC 4; K05, K41)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from functions import claim as claims
from functions import links
from functions.documents import canonical
from functions.links import Link
from functions.work import Work
from mappings.choices import ItemOwner, MissingItemPolicy
from shared.connectors import Connector, Json
from shared.errors import ConnectorError, NotFound, Problem, Rejected
from shared.services import Services
from shared.xero.where import any_of, equals

FLOW = "items"
AT_ONCE = 40
"""What one address may ask for (Xero, batches in URLs)."""


def ensure(work: Work, items: Mapping[str, Json], policy: MissingItemPolicy, owner: ItemOwner) -> dict[str, Link]:
    """Return the links of the mapped *items* ("product/id" → Item) that Xero knows, each with the code as Xero spells it.

    CREATE sends all new or renamed ones in one call, an upsert by Code, so that a second try does no harm; where Xero owns the items
    they are looked up first and only the missing ones are made. The other policies look up all we have not seen in one call; BLOCK
    raises Rejected naming the missing ones.
    """
    found = {record: link for record in items if (link := links.read(work.services, work.connector, "item", record))}
    overwrites = policy is MissingItemPolicy.CREATE and owner is ItemOwner.DYNAMICS
    known = {record: link for record, link in found.items() if _is_settled(work, link, items[record], overwrites)}
    unseen = {record: item for record, item in items.items() if record not in known}
    if not unseen:
        return known
    answered: dict[str, Json] = {} if overwrites else _look_up(work, unseen)
    missing = {record: item for record, item in unseen.items() if code_of(item) not in answered}
    is_written = policy is MissingItemPolicy.CREATE
    if missing and is_written:
        answered |= _create(work, missing)
    elif missing and policy is MissingItemPolicy.BLOCK:
        raise Rejected(tuple(_not_in_xero(code) for code in sorted(item["Code"] for item in missing.values())))
    for record, item in unseen.items():
        if code_of(item) in answered:
            hashes = (
                {"Item": work.services.secrets.keyed_hash(canonical(item), "item")} if is_written and record in missing else {}
            )
            known[record] = replace(linked(answered[code_of(item)]), hashes=hashes)
            links.write(work.services, work.connector, "item", record, known[record])
    return known


def forget(services: Services, connector: Connector, records: Iterable[str]) -> None:
    """Have the items of *records* ("product/id") asked for again by the next try: Xero refused a document because of them."""
    for record in records:
        links.doubt(services, connector, "item", record)


def _is_settled(work: Work, link: Link, item: Json, overwrites: bool) -> bool:
    if link.in_doubt or link.code.strip().casefold() != code_of(item):
        return False
    return not overwrites or work.services.secrets.is_hash_of(link.hashes.get("Item", ""), canonical(item), "item")


def _create(work: Work, missing: Mapping[str, Json]) -> dict[str, Json]:
    claim = claims.take(work.services, work.connector.key, FLOW, min(missing), work.claim.owner)
    try:
        claims.fence(work.services, claim)
        body = {"Items": [missing[record] for record in sorted(missing)]}
        answer = work.services.xero.call(
            work.connector, "update_or_create_items", body=body, lane=work.lane, summarize_errors=False, unitdp=4
        )
    except NotFound:  # never let it mean that the record is gone in Dynamics
        claims.release(work.services, claim)
        raise Rejected((_refused(missing),)) from None
    except ConnectorError:
        claims.release(work.services, claim)
        raise
    claims.close(work.services, claim)
    return _by_code(answer)


def _look_up(work: Work, unseen: Mapping[str, Json]) -> dict[str, Json]:
    clauses = [equals("Code", code) for code in sorted({str(item["Code"]) for item in unseen.values()})]
    found: dict[str, Json] = {}
    for start in range(0, len(clauses), AT_ONCE):
        where = any_of(clauses[start : start + AT_ONCE])
        found |= _by_code(work.services.xero.call(work.connector, "get_items", where=where, lane=work.lane))
    return found


def _by_code(answer: Json) -> dict[str, Json]:
    return {code_of(item): item for item in answer.get("Items") or ()}


def code_of(item: Json) -> str:
    """Return what makes a Code the same: Xero keeps one item of it, whatever its capitals."""
    return str(item["Code"]).strip().casefold()


def linked(found: Json) -> Link:
    """Return what a link keeps of Xero's own answer: its spelling of the code, and the accounts for lines that name none (K37).

    A tracked item is bought into its inventory account.
    """
    sales, purchases = found.get("SalesDetails") or {}, found.get("PurchaseDetails") or {}
    return Link(
        str(found["ItemID"]),
        code=str(found["Code"]),
        sales_account=str(sales.get("AccountCode") or ""),
        purchase_account=str(found.get("InventoryAssetAccountCode") or purchases.get("AccountCode") or ""),
    )


def _not_in_xero(code: str) -> Problem:
    return Problem(
        f"The product {code} is not an item in Xero, and this connector refuses invoices with such products.",
        where="Existing Product",
        cause="Missing Items is Refuse the invoice in the connector's settings.",
        fix="Set Missing Items to Create it or Send without code; or add the item in Xero under the same code and set Export Status"
        " to No.",
        who="bookkeeper",
    )


def _refused(missing: Mapping[str, Json]) -> Problem:
    codes = ", ".join(sorted(item["Code"] for item in missing.values()))
    return Problem(
        f"Xero could not find what it was to change when the items {codes} were sent.",
        where="Existing Product",
        cause="An item was removed in Xero while the invoice was being sent.",
        fix="Set Export Status to No: the items are then sent again.",
        who="bookkeeper",
    )
