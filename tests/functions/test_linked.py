"""Which invoice of Dynamics 365 a document of Xero is (functions/linked.py)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from functions import linked
from functions.linked import Linked
from shared.connectors import Connector
from shared.services import Answer, Operation
from tests.functions.books import id_of
from tests.world import UK, World


def write(world: World, connector: Connector, xero_id: str, **columns: Any) -> str:
    """Write an invoice that bears *xero_id*."""
    return world.invoice(
        flag=False, lines=0, mag_xeroid=xero_id, mag_xeroconnectorid=("mag_xeroconnectors", connector.id), **columns
    )


@pytest.fixture
def xero_id() -> str:
    return str(uuid.uuid4())


def test_a_row_is_found_by_its_xero_id_in_any_case(world: World, nz: Connector, xero_id: str):
    row = write(world, nz, xero_id)
    found = linked.read(world.services, nz, [xero_id.upper()])
    assert found.has(xero_id)
    assert found.has(xero_id.upper())
    assert found.row_of({"InvoiceID": xero_id.upper()}) == row


def test_a_document_nobody_bears_is_not_linked(world: World, nz: Connector):
    found = linked.read(world.services, nz, [id_of(77)])
    assert not found.has(id_of(77))
    assert found.row_of({"InvoiceID": id_of(77), "Url": None}) is None


def test_of_two_rows_with_one_id_the_documents_mark_tells_which_it_is_else_the_older(world: World, nz: Connector, xero_id: str):
    first = write(world, nz, xero_id)
    world.clock.move(minutes=1)
    copy = write(world, nz, xero_id)
    found = linked.read(world.services, nz, [xero_id])
    mark = f"https://org.crm.dynamics.com/main.aspx?etn=invoice&pagetype=entityrecord&id={copy.upper()}"
    assert found.row_of({"InvoiceID": xero_id, "Url": mark}) == copy
    assert found.row_of({"InvoiceID": xero_id, "Url": "https://elsewhere.example"}) == first
    assert found.row_of({"InvoiceID": xero_id}) == first


def test_an_invoice_of_another_connector_is_not_ours(world: World, nz: Connector, xero_id: str):
    write(world, nz, xero_id)
    stranger = replace(nz, id=str(uuid.uuid4()))
    assert not linked.read(world.services, stranger, [xero_id]).has(xero_id)
    assert nz.organisation != UK


class Counting:
    """Dataverse with a count of its round trips and the filters they carry."""

    def __init__(self, dataverse: Any) -> None:
        self.sent: list[Sequence[Operation]] = []
        self._dataverse = dataverse

    def send(self, environment: str, operations: Sequence[Operation]) -> list[Answer]:
        self.sent.append(operations)
        answers: list[Answer] = self._dataverse.send(environment, operations)
        return answers


def test_any_number_of_ids_costs_one_round_trip_and_no_ids_none(world: World, nz: Connector, xero_id: str):
    row = write(world, nz, xero_id)
    counting = Counting(world.services.dataverse)
    services = replace(world.services, dataverse=counting)
    found = linked.read(services, nz, [*(id_of(number) for number in range(60)), xero_id, xero_id.upper()])
    assert found.row_of({"InvoiceID": xero_id}) == row
    assert [len(operations) for operations in counting.sent] == [3]
    assert sum(operation.path.count("mag_xeroid%20eq") for operation in counting.sent[0]) == 61
    assert linked.read(services, nz, []) == Linked({})
    assert len(counting.sent) == 1


def test_what_is_no_id_is_not_asked_for(world: World, nz: Connector):
    counting = Counting(world.services.dataverse)
    services = replace(world.services, dataverse=counting)
    assert linked.read(services, nz, ["", "x", "' or 1 eq 1", f"{id_of(1)}x"]) == Linked({})
    assert counting.sent == []


def test_a_paid_or_cancelled_invoice_is_linked_too(world: World, nz: Connector, xero_id: str):
    row = write(world, nz, xero_id)
    world.patch(f"invoices({row})", {"statecode": 3, "statuscode": 100003})
    assert linked.read(world.services, nz, [xero_id]).row_of({"InvoiceID": xero_id}) == row
