"""Microsoft's own PowerPlatform-Dataverse-Client, unmodified, against the live server."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from azure.identity import ClientSecretCredential

from sandbox.dataverse import Reference
from sandbox.dataverse.demo_company import CLIENT_ID, CLIENT_SECRET

from .conftest import Live

dataverse = pytest.importorskip("PowerPlatform.Dataverse.client")
errors = pytest.importorskip("PowerPlatform.Dataverse.core.errors")


@pytest.fixture
def client(live: Live) -> Iterator[Any]:
    tenant = live.sandbox.directory.tenant
    with (
        ClientSecretCredential(
            tenant, CLIENT_ID, CLIENT_SECRET, authority=live.url, disable_instance_discovery=True
        ) as credential,
        dataverse.DataverseClient(live.url, credential) as made,
    ):
        yield made


def test_it_creates_reads_updates_and_deletes(live: Live, client: Any) -> None:
    row_id = client.records.create("account", {"name": "SDK & Co", "creditlimit": 10.5, "paymenttermscode": "Net 45"})
    assert live.sandbox.row("account", row_id)["creditlimit"] == Decimal("10.5")
    read = client.records.retrieve("account", row_id, select=["name", "paymenttermscode"])
    assert (read["name"], read["paymenttermscode"]) == ("SDK & Co", 3), "it looked the choice's label up"
    client.records.update("account", row_id, {"telephone1": "42"})
    assert live.sandbox.row("account", row_id)["telephone1"] == "42"
    client.records.delete("account", row_id)
    assert not live.sandbox.exists("account", row_id)
    with pytest.raises(errors.HttpError, match="Does Not Exist") as gone:
        client.records.update("account", row_id, {"telephone1": "43"})
    assert gone.value.status_code == 404


def test_it_queries_in_pages(client: Any) -> None:
    pages = list(client.records.list_pages("account", filter="statecode eq 0", select=["name"], orderby=["name"], page_size=7))
    assert [len(page) for page in pages] == [7, 7, 4]
    found = list(client.records.list("contact", filter="contains(fullname,'brown')", select=["fullname"]))
    assert [row["fullname"] for row in found] == ["Jo Brown", "Jo Brown"]


def test_it_writes_many_rows_and_upserts(live: Live, client: Any) -> None:
    from PowerPlatform.Dataverse.models.upsert import UpsertItem

    ids = client.records.create("account", [{"name": "one"}, {"name": "two"}])
    client.records.update("account", ids, {"telephone1": "9"})
    assert [live.sandbox.row("account", row_id)["telephone1"] for row_id in ids] == ["9", "9"]
    key = {"mag_xeropaymentid": "p-1"}
    client.records.upsert("mag_payment", [UpsertItem(key, {"mag_name": "first"})])
    client.records.upsert(
        "mag_payment", [UpsertItem(key, {"mag_name": "second"}), UpsertItem({"mag_xeropaymentid": "p-2"}, {"mag_name": "b"})]
    )
    assert [row["mag_name"] for row in live.sandbox.rows("mag_payment")] == ["second", "b"]


def test_it_sends_batches_with_change_sets(live: Live, client: Any) -> None:
    account = client.records.create("account", {"name": "batched"})
    batch = client.batch.new()
    with batch.changeset() as changes:
        contact = changes.records.create("contact", {"lastname": "Made"})
        changes.records.update("account", account, {"primarycontactid@odata.bind": contact})
    batch.records.retrieve("account", account, select=["name"])
    answers = batch.execute().responses
    assert [answer.status_code for answer in answers] == [204, 204, 200]
    assert live.sandbox.row("account", account)["primarycontactid"] == Reference("contact", answers[0].entity_id)
    failing = client.batch.new()
    failing.records.create("account", {"name": "x" * 161})
    failing.records.create("account", {"name": "never"})
    (refused,) = failing.execute().responses
    assert (refused.status_code, refused.error_code) == (400, "0x80044331")
