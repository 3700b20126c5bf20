"""Rubbish in Xero's JSON, on the wire and through the real triggers: each flow goes on, and the next document crosses all the same.

What becomes of the odd document itself is said flow by flow in the flows' own tests.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from functions import customers, from_xero, runs
from functions.invoices_from_xero import row_of
from shared.connectors import Connector, Json
from shared.outcomes import Outcome, Status
from tests.functions.bookkeeping import PAYMENTS, STATUS, Bookkeeper, amounts, opened, payments_of, sent
from tests.functions.test_balances import owed, work_of
from tests.sandbox.xero.callers import line as line_of
from tests.world import ID, World

INVOICES, CREDIT_NOTES, CONTACTS, BALANCES = (
    "invoices-from-xero",
    "credit-notes-from-xero",
    "contacts-from-xero",
    "balances-from-xero",
)
KEYS = {"Invoices": "InvoiceID", "Payments": "PaymentID", "CreditNotes": "CreditNoteID", "Contacts": "ContactID"}
EXPLAINED = {Status.SYNCED, Status.UNCHANGED, Status.WAITING, Status.REFUSED}


class OddXero:
    """Xero, but some documents have other fields in whatever answer they come."""

    def __init__(self, xero: Any) -> None:
        self._xero = xero
        self.odd: dict[str, Json] = {}
        self.given: set[str] = set()

    def call(self, connector: Connector, operation: str, *arguments: str, **options: Any) -> Json:
        answer: Json = copy.deepcopy(self._xero.call(connector, operation, *arguments, **options))
        for name, key in KEYS.items():
            for document in answer.get(name) or ():
                if odd := self.odd.get(str(document[key])):
                    self.given.add(str(document[key]))
                    document.update(odd)
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._xero, name)


@pytest.fixture(scope="module")
def module_world(authorities: Path) -> Iterator[World]:
    with opened(authorities, INVOICES, STATUS, PAYMENTS, CREDIT_NOTES, CONTACTS, BALANCES) as world:
        world.set(world.connectors()[0], mag_defaultpricelistid=("pricelevels", ID["NZD prices"]))
        world._changed.clear()
        world.settle(minutes=2)
        yield world


@pytest.fixture
def world(module_world: World) -> Iterator[World]:
    module_world.clock.move(minutes=2)
    real = module_world.services
    module_world.services = replace(real, xero=OddXero(real.xero))
    yield module_world
    module_world.services = real
    module_world.restore()


def comes(world: World, flow: str, odd: dict[str, Json]) -> list[Outcome]:
    """Let what was done in Xero come back while some documents are odd: the flow's sweep ends well, every outcome is an explained one."""
    xero: Any = world.services.xero
    xero.odd = odd
    world.clock.move(minutes=1)
    outcomes = world.settle(minutes=3)
    run = runs.read_all(world.store, world.connectors()[0].key)[flow]
    assert run["last_error"] == ""
    assert xero.given == set(odd), "the odd documents were read"
    found = [one for one in outcomes if one.message.flow == flow]
    assert {one.status for one in found} <= EXPLAINED, [one.details for one in found]
    for one in found:
        assert one.status is not Status.REFUSED or all(problem.fix and problem.who for problem in one.problems)
    return found


def contact(world: World) -> str:
    return world.xero_contact(Name=f"Odd {uuid.uuid4().hex[:8]}")


NO_DOCUMENT: list[Json] = [
    {"Type": None, "Status": None, "Contact": None, "UpdatedDateUTC": None},
    {"Type": "ACCSOMETHING", "Status": "ON_HOLD", "UpdatedDateUTC": "yesterday"},
    {"Status": 7, "Url": 4, "CurrencyCode": None, "LineItems": None},
    {"CurrencyCode": "XXX", "Contact": {"ContactID": "nobody"}},
    {"LineItems": [None, "x", {}], "Date": "soon", "DueDate": None, "InvoiceNumber": None, "Reference": []},
    {"Payments": [None, {"PaymentID": None}], "CreditNotes": "none", "LineAmountTypes": "SOMEHOW", "BrandingThemeID": 3},
    {"Total": None, "SubTotal": "x", "TotalTax": [], "AmountDue": Decimal("-5.00"), "AmountPaid": None, "AmountCredited": True},
]


@pytest.mark.parametrize("fields", NO_DOCUMENT, ids=range(len(NO_DOCUMENT)))
def test_an_odd_invoice_of_xeros_holds_back_no_other(world: World, keeper: Bookkeeper, nz: Connector, fields: Json):
    first, second = (_raised(keeper, contact(world)) for _ in range(2))
    comes(world, INVOICES, {first: fields})
    assert world.row(row_of(nz, second))["mag_xeroid"] == second


def _raised(keeper: Bookkeeper, contact_id: str) -> str:
    body = {
        "Type": "ACCREC",
        "Status": "AUTHORISED",
        "Contact": {"ContactID": contact_id},
        "Date": "2026-11-20",
        "DueDate": "2026-12-20",
        "LineItems": [line_of()],
    }
    return str(keeper.done("PUT", "Invoices", {"Invoices": [body]})["Invoices"][0]["InvoiceID"])


@pytest.mark.parametrize("fields", NO_DOCUMENT, ids=range(len(NO_DOCUMENT)))
def test_an_odd_status_holds_back_no_other(world: World, keeper: Bookkeeper, fields: Json):
    (_, odd), (invoice, document) = sent(world), sent(world)
    keeper.pay(odd, 15)
    keeper.pay(document, 15)
    comes(world, STATUS, {odd["InvoiceID"]: fields})
    assert amounts(world.row(invoice)) == (100, 15, 0)


ODD_PAYMENTS: list[Json] = [
    {"Reference": None, "Account": None, "Date": None, "Amount": None, "Status": None},
    {"Reference": 7, "Account": "090", "Date": "/Date(oops)/", "Amount": "15", "Status": "SPENT"},
    {"PaymentType": None, "Invoice": {"InvoiceID": None}},
    {"PaymentType": "SOMEPAYMENT", "Invoice": "x", "UpdatedDateUTC": "never"},
    {"Account": {"AccountID": [], "Code": 9}, "Amount": Decimal("-1.00"), "Date": "0000-00-00", "UpdatedDateUTC": None},
    {"Amount": Decimal("10.123456789"), "Account": {}},
]


@pytest.mark.parametrize("fields", ODD_PAYMENTS, ids=range(len(ODD_PAYMENTS)))
def test_an_odd_payment_holds_back_no_other(world: World, keeper: Bookkeeper, fields: Json):
    (_, first), (invoice, document) = sent(world), sent(world)
    odd, good = keeper.pay(first, 15), keeper.pay(document, 15)
    comes(world, PAYMENTS, {odd: fields})
    assert [row["mag_xeropaymentid"] for row in payments_of(world, invoice)] == [good]
    assert amounts(world.row(invoice)) == (100, 15, 0)


ODD_NOTES: list[Json] = [
    {"Allocations": None},
    {"Allocations": [None, 5, "x", [], {}, {"Invoice": {"InvoiceID": "x"}, "Amount": None}]},
    {"Type": None, "UpdatedDateUTC": None},
    {"Type": "ACCSOMETHING"},
    {"Status": 5, "CreditNoteNumber": {}, "Date": "/Date(9999999999999999999)/", "Reference": [], "UpdatedDateUTC": "yesterday"},
]


@pytest.mark.parametrize("fields", ODD_NOTES, ids=range(len(ODD_NOTES)))
def test_an_odd_credit_note_holds_back_no_other(world: World, keeper: Bookkeeper, fields: Json):
    (_, first), (invoice, document) = sent(world), sent(world)
    odd, _ = keeper.credit(first, 5)
    good, _ = keeper.credit(document, 7)
    comes(world, CREDIT_NOTES, {odd: fields})
    where = f"_mag_invoiceid_value%20eq%20{invoice}"
    assert [row["mag_xerocreditnoteid"] for row in world.get(f"mag_creditnotes?$filter={where}")["value"]] == [good]


ODD_CONTACTS: list[Json] = [
    {"Name": None, "ContactStatus": None, "UpdatedDateUTC": None},
    {"Addresses": None, "Phones": None, "EmailAddress": None, "DefaultCurrency": None, "AccountNumber": None, "Website": None},
    {"Addresses": [{"AddressType": "DELIVERY", "City": "X"}, {"City": 5}, None], "Phones": [{"PhoneType": "TELEX"}, 3]},
    {"ContactStatus": "SLEEPING", "DefaultCurrency": "ZMW", "ContactNumber": 7, "MergedToContactID": "nobody"},
    {"Addresses": "none", "Phones": {}, "Name": 8, "UpdatedDateUTC": "soon"},
]


@pytest.mark.parametrize("fields", ODD_CONTACTS, ids=range(len(ODD_CONTACTS)))
def test_an_odd_contact_holds_back_no_other(world: World, fields: Json):
    odd, name = contact(world), f"Good {uuid.uuid4().hex[:8]}"
    world.xero_contact(Name=name)
    comes(world, CONTACTS, {odd: fields})
    assert [row["name"] for row in world.dataverse.rows("account") if row["name"] == name] == [name]


ODD_BALANCES: list[Any] = [None, "none", [], {"AccountsReceivable": None}, {"AccountsReceivable": {"Outstanding": "1"}}, {"AccountsReceivable": []}]  # fmt: skip


@pytest.mark.parametrize("balances", ODD_BALANCES, ids=str)
def test_an_odd_balance_holds_back_no_other(world: World, keeper: Bookkeeper, nz: Connector, balances: Any):
    ids: list[str] = []
    rows: list[str] = []
    for _ in range(2):
        ids.append(contact(world))
        rows.append(f"account/{world.post('accounts', {'name': f'Debtor {uuid.uuid4().hex[:8]}'})}")
        customers.join(world.services, nz, ids[-1], rows[-1])
    invoice = _raised(keeper, ids[1])
    due = keeper.done("GET", f"Invoices/{invoice}")["Invoices"][0]["AmountDue"]
    from_xero.want(work_of(world, nz), BALANCES, "Contact", ids)
    comes(world, BALANCES, {ids[0]: {"Balances": balances}})
    assert owed(world, rows[1])[0] == Decimal(str(due))
