"""The demo company is complete, the same in every run, and everything answered about it is in the contract."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox.dataverse import Sandbox, create_app
from sandbox.dataverse.contract_check import differences
from sandbox.dataverse.demo_company import ACCOUNTS, CONTACTS, CURRENCIES, ID, PRODUCTS
from solution.model import MODEL

from .conftest import NOW, Api


def test_every_short_name_is_a_row(sandbox: Sandbox) -> None:
    keys = {row[table.key] for table in MODEL.values() for row in sandbox.rows(table.name)}
    assert set(ID.values()) <= keys
    assert len(ACCOUNTS) + len(CONTACTS) >= 30
    assert len(PRODUCTS) >= 12


def test_two_runs_make_the_same_rows(sandbox: Sandbox) -> None:
    app = create_app(now=lambda: NOW)
    other: Sandbox = app.extensions["sandbox"]
    try:
        for table in MODEL:
            assert sandbox.rows(table) == other.rows(table)
    finally:
        other.close()


def test_an_account_has_four_billing_contacts(api: Api) -> None:
    answer = api.get(f"accounts({ID['ridgeway']})/mag_account_contact_billingcontacts?$select=fullname")
    assert len(answer.values) == 4


def test_every_product_has_a_price_in_every_currency(sandbox: Sandbox) -> None:
    prices = {(row["productid"], row["pricelevelid"]) for row in sandbox.rows("productpricelevel")}
    assert len(prices) == len(PRODUCTS) * len(CURRENCIES)
    for row in sandbox.rows("productpricelevel"):
        prices_of = sandbox.environment.referenced(row["pricelevelid"])
        assert prices_of
        assert prices_of["transactioncurrencyid"] == row["transactioncurrencyid"]


def test_the_bundle_has_children(sandbox: Sandbox) -> None:
    children = [row for row in sandbox.rows("product") if row["parentproductid"] == ("product", ID["starter-kit"])]
    assert len(children) == 2


def test_a_file_keeps_rows_and_tokens_over_a_restart(tmp_path: Path) -> None:
    def open_it() -> tuple[Sandbox, Api]:
        app = create_app(str(tmp_path / "rows.sqlite"), now=lambda: datetime(2026, 11, 21, tzinfo=UTC))
        sandbox: Sandbox = app.extensions["sandbox"]
        return sandbox, Api(sandbox, app.test_client(), sandbox.token())

    first, api = open_it()
    invoice = api.invoice()
    first.close()
    second, again = open_it()
    again.token = api.token
    assert again.get(f"invoices({invoice})?$select=name").json["name"] == "Consulting November"
    assert second.row("invoice", again.invoice())["invoicenumber"] != second.row("invoice", invoice)["invoicenumber"]
    second.close()


def contract() -> dict[str, dict[str, Any]]:
    """Return the standard tables as the solution's source states them, in the shape the check takes."""
    source = json.loads(Path("solution/standard.json").read_text(encoding="utf-8"))
    return {
        name: {
            "entitySet": table["entity_set"],
            "key": table["key"],
            "properties": table["columns"],
            "navigation": table["navigation"],
        }
        for name, table in source.items()
        if not name.startswith("_")
    }


def test_every_answer_about_a_standard_table_is_in_the_contract(sandbox: Sandbox) -> None:
    app = create_app(now=lambda: NOW)
    try:
        assert list(differences(app, contract())) == []
    finally:
        app.extensions["sandbox"].close()


def test_the_contract_check_finds_what_is_not_in_it(sandbox: Sandbox) -> None:
    smaller = contract()
    del smaller["account"]["properties"]["name"]
    smaller["invoice"]["properties"]["totalamount"] = "Edm.String"
    app = create_app(now=lambda: NOW)
    try:
        found = " ".join(differences(app, smaller))
    finally:
        app.extensions["sandbox"].close()
    assert "account.name: not in the contract" in found
    assert "is no Edm.String" in found
