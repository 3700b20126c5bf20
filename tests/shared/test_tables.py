"""Table Storage: one contract for the fake and the real one, and what the real one does when the network fails."""

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from shared.errors import Changed, ConfigurationError, Retryable
from shared.services import Store
from shared.storage.tables import TABLES, Tables
from tests.fakes import FakeStore, Fault, FaultServer, HttpAnswer, refused_url

ACCOUNT = "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=a2V5;TableEndpoint={url}/devstoreaccount1;"


@pytest.fixture(params=["fake", "azurite"])
def store(request: pytest.FixtureRequest) -> Store:
    if request.param == "fake":
        return FakeStore()
    tables = Tables.from_connection_string(request.getfixturevalue("azurite"))
    tables.create()
    return tables


@pytest.fixture
def partition() -> str:
    return f"p{secrets.token_hex(6)}"


def test_a_row_comes_back_as_it_was_written(store: Store, partition: str) -> None:
    values = {"text": "café €", "number": 7, "big": 2**40, "low": -(2**63), "yes": True, "no": False, "part": 1.5, "empty": ""}
    etag = store.insert("claims", partition, "r", values)
    found = store.read("claims", partition, "r")
    assert found is not None
    assert dict(found.values) == values
    assert {name: type(value) for name, value in found.values.items()} == {name: type(value) for name, value in values.items()}
    assert (found.partition, found.row, found.etag) == (partition, "r", etag)


@pytest.mark.parametrize(
    "key", ["a/b", "a\\b", "a#b", "a?b", "a%2Fb", "a!b", "!2f", "org.crm.dynamics.com|x", "naïve Ω", "it's", "a\tb"]
)
def test_a_key_may_hold_any_character(store: Store, partition: str, key: str) -> None:
    store.insert("links", f"{partition}{key}", key, {"n": 1})
    found = store.read("links", f"{partition}{key}", key)
    assert found is not None
    assert (found.partition, found.row) == (f"{partition}{key}", key)
    assert [row.row for row in store.rows("links", f"{partition}{key}")] == [key]


@pytest.mark.parametrize("length", [0, 1, 15_999, 16_000, 16_001, 32_768, 100_000])
def test_a_text_of_any_length_comes_back_whole(store: Store, partition: str, length: int) -> None:
    text = ("x😀yz" * (length // 4 + 1))[:length]
    store.upsert("outcomes", partition, "r", {"settings": text, "name": "Acme"})
    found = store.read("outcomes", partition, "r")
    assert found is not None
    assert dict(found.values) == {"settings": text, "name": "Acme"}


def test_a_shorter_text_leaves_nothing_of_a_longer_one(store: Store, partition: str) -> None:
    store.upsert("outcomes", partition, "r", {"settings": "x" * 40_000})
    store.upsert("outcomes", partition, "r", {"settings": "y"})
    found = store.read("outcomes", partition, "r")
    assert found is not None
    assert dict(found.values) == {"settings": "y"}


def test_none_is_left_out(store: Store, partition: str) -> None:
    store.insert("claims", partition, "r", {"a": None, "b": 1})
    found = store.read("claims", partition, "r")
    assert found is not None
    assert dict(found.values) == {"b": 1}


@pytest.mark.parametrize("value", [2**63, [1], {"a": 1}, b"bytes"])
def test_a_value_a_row_cannot_hold_is_refused_before_anything_is_sent(store: Store, partition: str, value: object) -> None:
    with pytest.raises(TypeError, match="odd"):
        store.insert("claims", partition, "r", {"odd": value})


def test_a_second_insert_is_changed(store: Store, partition: str) -> None:
    store.insert("claims", partition, "r", {"n": 1})
    with pytest.raises(Changed):
        store.insert("claims", partition, "r", {"n": 2})


def test_a_replace_with_the_latest_etag_succeeds_and_gives_the_next_one(store: Store, partition: str) -> None:
    first = store.insert("claims", partition, "r", {"n": 1, "gone": "x"})
    second = store.replace("claims", partition, "r", {"n": 2}, first)
    third = store.replace("claims", partition, "r", {"n": 3}, second)
    found = store.read("claims", partition, "r")
    assert found is not None
    assert dict(found.values) == {"n": 3}
    assert found.etag == third


def test_a_replace_with_an_old_etag_is_changed_and_changes_nothing(store: Store, partition: str) -> None:
    first = store.insert("claims", partition, "r", {"n": 1})
    store.replace("claims", partition, "r", {"n": 2}, first)
    with pytest.raises(Changed):
        store.replace("claims", partition, "r", {"n": 3}, first)
    found = store.read("claims", partition, "r")
    assert found is not None
    assert found.values["n"] == 2


def test_a_replace_of_a_row_that_is_gone_is_changed(store: Store, partition: str) -> None:
    etag = store.insert("claims", partition, "r", {"n": 1})
    store.delete("claims", partition, "r")
    with pytest.raises(Changed):
        store.replace("claims", partition, "r", {"n": 2}, etag)


def test_a_delete_with_an_old_etag_is_changed(store: Store, partition: str) -> None:
    first = store.insert("claims", partition, "r", {"n": 1})
    second = store.replace("claims", partition, "r", {"n": 2}, first)
    with pytest.raises(Changed):
        store.delete("claims", partition, "r", first)
    store.delete("claims", partition, "r", second)
    assert store.read("claims", partition, "r") is None


def test_a_delete_of_what_is_not_there_is_nothing(store: Store, partition: str) -> None:
    store.delete("claims", partition, "r")
    etag = store.insert("claims", partition, "r", {"n": 1})
    store.delete("claims", partition, "r", etag)
    store.delete("claims", partition, "r", etag)


def test_rows_come_in_key_order_and_only_of_their_partition(store: Store, partition: str) -> None:
    for row in ("c", "a", "b"):
        store.insert("outcomes", partition, row, {"n": 1})
    store.insert("outcomes", f"{partition}x", "d", {"n": 1})
    assert [row.row for row in store.rows("outcomes", partition)] == ["a", "b", "c"]
    assert [row.row for row in store.rows("outcomes", partition, limit=2)] == ["a", "b"]
    assert store.rows("outcomes", "nobody") == []
    assert {row.partition for row in store.rows("outcomes")} >= {partition, f"{partition}x"}


def test_more_rows_than_a_page_come_whole(store: Store, partition: str) -> None:
    for number in range(12):
        store.insert("outcomes", partition, f"{number:03}", {"n": number})
    assert [row.values["n"] for row in store.rows("outcomes", partition, limit=11)] == list(range(11))


def test_a_missing_table_is_empty_and_is_made_by_the_first_write(azurite: str) -> None:
    store, table = Tables.from_connection_string(azurite), f"t{secrets.token_hex(6)}"
    assert store.read(table, "p", "r") is None
    assert store.rows(table, "p") == []
    store.delete(table, "p", "r")
    store.insert(table, "p", "r", {"n": 1})
    assert [row.values["n"] for row in store.rows(table)] == [1]


def test_creating_the_tables_twice_is_nothing(azurite: str) -> None:
    store = Tables.from_connection_string(azurite)
    store.create()
    store.create()
    assert all(isinstance(store.rows(table, "nobody"), list) for table in TABLES)


WRITES: dict[str, Callable[[Store], object]] = {
    "insert": lambda store: store.insert("claims", "p", "r", {"n": 1}),
    "replace": lambda store: store.replace("claims", "p", "r", {"n": 1}, 'W/"1"'),
    "upsert": lambda store: store.upsert("claims", "p", "r", {"n": 1}),
    "delete": lambda store: store.delete("claims", "p", "r"),
    "conditional delete": lambda store: store.delete("claims", "p", "r", 'W/"1"'),
}
BUSY = HttpAnswer(503, {"odata.error": {"code": "ServerBusy"}}, {"Content-Type": "application/json", "Retry-After": "1"})


@pytest.fixture
def faults() -> Iterator[Callable[..., tuple[FaultServer, Tables]]]:
    servers: list[FaultServer] = []

    def start(*answers: object, **options: object) -> tuple[FaultServer, Tables]:
        server = FaultServer(*answers)
        servers.append(server.__enter__())
        return server, Tables.from_connection_string(ACCOUNT.format(url=server.url), **options)

    yield start
    for server in servers:
        server.__exit__()


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("fault", [Fault.DROP, BUSY, HttpAnswer(500), HttpAnswer(429, headers={"Retry-After": "1"})], ids=str)
def test_a_write_is_sent_once_whatever_the_network_does(faults, write, fault) -> None:
    server, store = faults(fault)
    with pytest.raises(Retryable) as raised:
        write(store)
    assert not isinstance(raised.value, Changed)
    assert len(server.requests) == 1


def test_a_write_nobody_answers_ends_after_its_time_out(faults) -> None:
    server, store = faults(Fault.SILENCE, read_timeout=0.2)
    with pytest.raises(Retryable):
        store.insert("claims", "p", "r", {"n": 1})
    assert len(server.requests) == 1


def test_a_write_that_cannot_connect_is_retryable() -> None:
    with refused_url() as url, pytest.raises(Retryable):
        Tables.from_connection_string(ACCOUNT.format(url=url)).upsert("claims", "p", "r", {})


def test_a_read_is_tried_again(faults) -> None:
    row = HttpAnswer(
        200, {"PartitionKey": "p", "RowKey": "r", "n": 1, "odata.etag": "x"}, {"Content-Type": "application/json", "ETag": "x"}
    )
    server, store = faults(Fault.DROP, row)
    assert store.read("claims", "p", "r").values == {"n": 1}
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", [401, 403])
def test_a_missing_role_is_the_administrators(faults, status: int) -> None:
    _, store = faults(
        HttpAnswer(status, {"odata.error": {"code": "AuthorizationPermissionMismatch"}}, {"Content-Type": "application/json"})
    )
    with pytest.raises(ConfigurationError, match="Storage Table Data Contributor"):
        store.insert("claims", "p", "r", {"n": 1})


def test_an_identity_that_gets_no_token_is_the_administrators() -> None:
    class NoIdentity:
        def get_token(self, *scopes: str, **_: Any) -> AccessToken:
            assert scopes == ("https://storage.azure.com/.default",)
            raise ClientAuthenticationError("ManagedIdentityCredential authentication unavailable")

    store = Tables.from_endpoint("https://acme.table.core.windows.net/", NoIdentity())
    with pytest.raises(ConfigurationError, match="Storage Table Data Contributor"):
        store.read("claims", "p", "r")
