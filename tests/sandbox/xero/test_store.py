"""What the stand-in remembers, and what it forgets when something goes wrong."""

import threading
from decimal import Decimal

import pytest

from sandbox.xero.store import Store


@pytest.fixture
def store():
    store = Store()
    yield store
    store.close()


def test_amounts_come_back_exactly(store):
    store.put("nz", "invoice", "A", {"Total": Decimal("9999999999.99"), "Rate": Decimal("0.123456")})
    assert store.get("nz", "invoice", "a") == {"Total": Decimal("9999999999.99"), "Rate": Decimal("0.123456")}


def test_documents_are_found_by_their_key_in_any_case_oldest_first(store):
    for id, name in (("2", "Straße"), ("1", "STRASSE"), ("3", "Other")):
        store.put("nz", "contact", id, {"id": id}, name)
    store.put("nz", "contact", "2", {"id": "2", "changed": True}, "Straße")
    assert [row["id"] for row in store.find("nz", "contact", "strasse")] == ["2", "1"]
    assert store.find("uk", "contact", "strasse") == []


def test_a_failed_part_is_undone_alone(store):
    def fail() -> None:
        with store.transaction():
            store.put("nz", "contact", "undone", {})
            raise RuntimeError

    with store.transaction():
        store.put("nz", "contact", "kept", {})
        with pytest.raises(RuntimeError):
            fail()
    assert store.get("nz", "contact", "kept") == {}
    assert store.get("nz", "contact", "undone") is None


def test_a_transaction_holds_the_store_alone(store):
    store.put("nz", "count", "n", {"n": 0})

    def add() -> None:
        for _ in range(50):
            with store.transaction():
                found = store.get("nz", "count", "n")
                store.put("nz", "count", "n", {"n": found["n"] + 1})

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.get("nz", "count", "n") == {"n": 400}
