"""Check that the answers about Dataverse's own tables hold only what a table contract (JSON) knows.

The contract is `{table: {"entitySet", "key", "properties": {name: Edm type}, "navigation": {name: target}}}`. Columns of ours
(mag_…) and annotations are left aside. `python -m sandbox.dataverse.contract_check CONTRACT` prints what differs, exits 1 if any.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from flask import Flask

from . import rows
from .demo_company import ID
from .request import SERVICE
from .server import Sandbox, create_app
from .store import Reference, Row

SCHEMA = "{http://docs.oasis-open.org/odata/ns/edm}"
OURS = ("mag_", "_mag_")
JSON_TYPES: dict[str, tuple[type, ...]] = {
    "Edm.Boolean": (bool,),
    "Edm.Int32": (int,),
    "Edm.Int64": (int,),
    "Edm.Decimal": (Decimal, int),
    "Edm.Double": (Decimal, int, float),
}
MISTYPED = {
    "versionnumber",
    "organizationid",
    "parentbundleid",
    "productassociationid",
}  # text in generated code, not in Dataverse

# The stand-in keeps these on every table; Dataverse does not on these, and the product reads none of them.
KEPT_BY_US = {"systemform.createdon", "systemform.modifiedon", "importjob.versionnumber", "asyncoperation.versionnumber"}

Contract = Mapping[str, Mapping[str, Any]]


def differences(app: Flask, contract: Contract) -> Iterator[str]:
    """Yield a sentence for every property, type or entity set that the contract does not have."""
    sandbox: Sandbox = app.extensions["sandbox"]
    client = app.test_client()
    headers = {"Authorization": f"Bearer {sandbox.token()}", "Prefer": 'odata.include-annotations="*"'}
    _write_invoice(sandbox)
    for table in sandbox.environment.model.values():
        if table.name not in contract or table.custom:
            continue
        expected = contract[table.name]
        if (table.entity_set, table.key) != (expected["entitySet"], expected["key"]):
            yield f"{table.name}: entity set {table.entity_set}, key {table.key}; expected {expected['entitySet']}, {expected['key']}"
        answer = client.get(f"{SERVICE}{table.entity_set}", headers=headers)
        if answer.status_code != 200:
            yield f"{table.name}: GET answered {answer.status_code}"
            continue
        for row in rows.load(answer.data)["value"]:
            for name, value in row.items():
                yield from _property(table.name, expected["properties"], name, value)
    yield from _metadata(client.get(f"{SERVICE}$metadata", headers=headers).data, contract)


def _property(table: str, known: Mapping[str, str], name: str, value: Any) -> Iterator[str]:
    if "@" in name or name.startswith(OURS) or f"{table}.{name}" in KEPT_BY_US:
        return
    edm = known.get(name) or known.get(name.removeprefix("_").removesuffix("_value"))
    if edm is None:
        yield f"{table}.{name}: not in the contract"
    elif value is not None and name not in MISTYPED:
        allowed = JSON_TYPES.get(edm, (str,))
        if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
            yield f"{table}.{name}: {value!r} is no {edm}"


def _metadata(document: bytes, contract: Contract) -> Iterator[str]:
    for entity in ElementTree.fromstring(document).iter(f"{SCHEMA}EntityType"):
        expected = contract.get(entity.get("Name", ""))
        if expected is None:
            continue
        for kind, known in (("Property", expected["properties"]), ("NavigationProperty", expected["navigation"])):
            for element in entity.iter(f"{SCHEMA}{kind}"):
                name = element.get("Name", "")
                plain = name.removeprefix("_").removesuffix("_value")
                collection = element.get("Type", "").startswith("Collection(")  # the contract keeps only some of these
                if f"{entity.get('Name')}.{name}" in KEPT_BY_US:
                    continue
                if not collection and not name.startswith(OURS) and name not in known and plain not in known:
                    yield f"$metadata, {entity.get('Name')}.{name}: not in the contract ({kind})"


def _write_invoice(sandbox: Sandbox) -> None:
    """Write one invoice with a line, through the rules, so that their columns are answered too."""
    environment = sandbox.environment
    customer, currency = Reference("account", ID["boom"]), Reference("transactioncurrency", ID["NZD"])
    prices = Reference("pricelevel", ID["NZD prices"])
    invoice = environment.create(
        "invoice",
        {
            "name": "checked",
            "customerid": customer,
            "transactioncurrencyid": currency,
            "pricelevelid": prices,
            "duedate": "2026-12-20",
        },
        environment.system,
    )
    line: Row = {
        "invoiceid": Reference("invoice", str(invoice["invoiceid"])),
        "productid": Reference("product", ID["tablet"]),
        "uomid": Reference("uom", ID["each"]),
        "quantity": Decimal(2),
    }
    environment.create("invoicedetail", line, environment.system)


def main() -> int:
    """Read the command line, check, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.dataverse.contract_check", description=__doc__)
    parser.add_argument("contract", type=Path, help="the table contract, a JSON file")
    contract = json.loads(parser.parse_args().contract.read_text(encoding="utf-8"))
    found = list(differences(create_app(), contract))
    for sentence in found:
        print(sentence)
    print(f"{len(found)} differences in {len(contract)} tables")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
