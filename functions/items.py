"""The items of a document's catalogue lines: in Xero before the document is sent (SPEC 4; K05, K41)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from functions import claim as claims
from functions import links
from functions.documents import canonical
from functions.links import Link
from functions.work import Work
from mappings.choices import MissingItemPolicy
from shared.connectors import Json
from shared.errors import ConnectorError, Problem, Rejected

FLOW = "items"


def ensure(work: Work, items: Mapping[str, Json], policy: MissingItemPolicy) -> frozenset[str]:
    """Return the item codes Xero knows, of the mapped *items* ("product/id" → Item).

    CREATE sends all new or renamed ones in one call, an upsert by Code, so that a second try does no harm. The others look up all
    we have not seen in one call; BLOCK raises Rejected naming the missing ones.
    """
    hashes = {record: work.services.secrets.keyed_hash(canonical(item), "item") for record, item in items.items()}
    known = {record: links.read(work.services, work.connector, "item", record) for record in items}
    seen = {
        record
        for record, link in known.items()
        if link and (policy is not MissingItemPolicy.CREATE or link.hashes.get("Item") == hashes[record])
    }
    unseen = {record: item for record, item in items.items() if record not in seen}
    codes = {items[record]["Code"] for record in seen}
    if not unseen:
        return frozenset(codes)
    found = _create(work, unseen) if policy is MissingItemPolicy.CREATE else _look_up(work, unseen)
    for record, item in unseen.items():
        if item["Code"] in found:
            link = Link(found[item["Code"]], {"Item": hashes[record]})
            links.write(work.services, work.connector, "item", record, link)
            codes.add(item["Code"])
    missing = sorted(item["Code"] for item in unseen.values() if item["Code"] not in codes)
    if missing and policy is MissingItemPolicy.BLOCK:
        raise Rejected(tuple(_not_in_xero(code) for code in missing))
    return frozenset(codes)


def _create(work: Work, unseen: Mapping[str, Json]) -> dict[str, str]:
    record = min(unseen)
    claim = claims.take(work.services, work.connector.key, FLOW, record, work.claim.owner)
    own = replace(work, claim=claim)
    try:
        claims.fence(own.services, claim)
        body = {"Items": [unseen[record] for record in sorted(unseen)]}
        answer = own.services.xero.call(
            own.connector, "update_or_create_items", body=body, lane=own.lane, summarize_errors=False, unitdp=4
        )
    except ConnectorError:
        claims.release(own.services, claim)
        raise
    claims.close(own.services, claim)
    return {str(item["Code"]): str(item["ItemID"]) for item in answer["Items"]}


def _look_up(work: Work, unseen: Mapping[str, Json]) -> dict[str, str]:
    where = " OR ".join(f'Code=="{item["Code"]}"' for item in unseen.values())
    answer = work.services.xero.call(work.connector, "get_items", where=where, lane=work.lane)
    return {str(item["Code"]): str(item["ItemID"]) for item in answer.get("Items", [])}


def _not_in_xero(code: str) -> Problem:
    return Problem(
        f"The product {code} is not an item in Xero, and this connector does not create items.",
        where="Existing Product",
        cause="Create New Products is off and Missing Item Policy is Block.",
        fix="Switch Create New Products on; or add the item in Xero under the same code and set Export Status to No.",
        who="bookkeeper",
    )
