"""What accounts and contacts owe (SPEC 4, 5; A363-A367)."""

import uuid
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions import balances, customers, from_xero, links
from functions import claim as claims
from functions.balances import Currency
from functions.links import Link
from functions.work import Work
from shared.connectors import Connector
from shared.errors import Disconnected, NeedsReconnect, NeedsScope, Rejected
from shared.messages import SyncMessage
from shared.services import Lane
from tests.world import NZ, OPTION, UK, World
from tests.world import world as open_world

FLOW = "balances-from-xero"
FAILED = OPTION + 1


@pytest.fixture(scope="module")
def books(authorities: Path) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch, open_world(authorities) as opened:
        patch.setenv("REQUESTS_CA_BUNDLE", str(authorities / "authorities.pem"))
        opened.connect(flows=(FLOW,))
        yield opened


@pytest.fixture
def world(books: World) -> Iterator[World]:
    books.clock.move(minutes=16)
    yield books
    books.xero.faults.clear()
    books.dataverse.faults.clear()
    books.restore()


def work_of(world: World, connector: Connector) -> Work:
    message = SyncMessage(connector.key, "invoice-status-from-xero", f"Invoice/{uuid.uuid4()}")
    claim = claims.unclaimed(connector.key, message.flow, message.record)
    return Work(world.services, connector, message, claim, Lane.PAYMENTS, world.clock.now())


def asked(world: World, connector: Connector, *contacts: str) -> None:
    """Ask for the balances of contacts, as the flows of documents do, and let the next sweep come."""
    from_xero.want(work_of(world, connector), FLOW, "Contact", contacts, at_once=False)
    world.clock.move(minutes=16)
    world.settle(minutes=1)


def owing(world: World, connector: Connector, table: str = "account", **columns: Any) -> tuple[str, str]:
    """Return a customer ("table/id") and its contact in Xero, linked but for nothing owed."""
    name = f"Debtor {uuid.uuid4().hex[:8]}"
    body = {"name": name} if table == "account" else {"firstname": "A", "lastname": name}
    row = f"{table}/{world.post(f'{table}s', body | columns)}"
    contact = world.xero_contact(connector.organisation, Name=name)
    customers.join(world.services, connector, contact, row)
    return row, contact


def invoiced(world: World, connector: Connector, contact: str, amount: str, *, due: str = "2027-12-31", **fields: Any) -> str:
    """Raise an approved invoice in Xero by hand, without tax; return its id."""
    line = {"Description": "Work", "Quantity": 1, "UnitAmount": float(amount), "AccountCode": "200", "TaxType": "NONE"}
    body = {
        "Type": "ACCREC",
        "Contact": {"ContactID": contact},
        "Date": "2026-11-10",
        "DueDate": due,
        "Status": "AUTHORISED",
        "LineItems": [line],
    }
    added = world.bookkeeper(connector.organisation).put("Invoices", {"Invoices": [body | fields]})
    assert added.status_code == 200, added.get_data(as_text=True)
    return str(added.get_json()["Invoices"][0]["InvoiceID"])


def owed(world: World, row: str) -> tuple[Any, Any]:
    table, _, row_id = row.partition("/")
    found = world.get(f"{table}s({row_id})")
    return found["mag_amountowed"], found["mag_amountoverdue"]


def refusals(world: World, row: str) -> list[dict[str, Any]]:
    table, _, row_id = row.partition("/")
    where = f"_mag_{table}id_value%20eq%20{row_id}%20and%20mag_syncstatus%20eq%20{FAILED}"
    rows: list[dict[str, Any]] = world.get(f"mag_synchistories?$filter={where}")["value"]
    return rows


@pytest.mark.parametrize("table", ["account", "contact"])
def test_a363_to_a367_a_customer_shows_what_it_owes_and_what_is_overdue(world: World, nz: Connector, table: str):
    row, contact = owing(world, nz, table)
    invoiced(world, nz, contact, "648.00", due="2026-11-15")
    invoiced(world, nz, contact, "100.50")
    asked(world, nz, contact)
    assert owed(world, row) == (Decimal("748.50"), Decimal("648.00"))
    found = world.get(f"{table}s({row.partition('/')[2]})")
    assert found["mag_xerocontacturl"].endswith(contact)
    assert found["_transactioncurrencyid_value"] == world.id_of("NZD")


def test_a_customer_who_owes_nothing_shows_zero(world: World, nz: Connector):
    row, contact = owing(world, nz)
    asked(world, nz, contact)
    assert owed(world, row) == (0, 0)


def test_a_credit_is_negative_and_a_bill_is_not_owed(world: World, nz: Connector):
    row, contact = owing(world, nz)
    invoiced(world, nz, contact, "70.00", Type="ACCPAY")
    line = {"Description": "Back", "Quantity": 1, "UnitAmount": 25.25, "AccountCode": "200", "TaxType": "NONE"}
    note = {"Type": "ACCRECCREDIT", "Contact": {"ContactID": contact}, "Date": "2026-11-20", "LineItems": [line]}
    added = world.bookkeeper().put("CreditNotes", {"CreditNotes": [note | {"Status": "AUTHORISED"}]})
    assert added.status_code == 200, added.get_data(as_text=True)
    asked(world, nz, contact)
    assert owed(world, row) == (Decimal("-25.25"), 0)


def test_forty_contacts_cost_one_call(world: World, nz: Connector):
    customers_ = [owing(world, nz) for _ in range(41)]
    row, contact = customers_[7]
    invoiced(world, nz, contact, "10.00")
    balances.base_currency(world.services, nz, Lane.CONTACTS)
    before = world.xero_calls()
    asked(world, nz, *(contact for _, contact in customers_))
    assert world.xero_calls() - before == 2
    assert owed(world, row) == (Decimal("10.00"), 0)
    assert owed(world, customers_[40][0]) == (0, 0)


def test_the_base_currency_is_asked_for_once(world: World, nz: Connector):
    _, contact = owing(world, nz)
    invoiced(world, nz, contact, "10.00")
    asked(world, nz, contact)
    before = world.xero.calls("", "/Organisation")
    invoiced(world, nz, contact, "10.00")
    asked(world, nz, contact)
    assert world.xero.calls("", "/Organisation") == before


def test_a_balance_is_written_in_the_currency_of_the_row_by_the_rates_of_dynamics(world: World, nz: Connector):
    row, contact = owing(world, nz, **{"transactioncurrencyid@odata.bind": f"/transactioncurrencies({world.id_of('GBP')})"})
    invoiced(world, nz, contact, "100.01")
    asked(world, nz, contact)
    assert owed(world, row) == (Decimal("47.20"), 0)  # 100.01 x 0.472 = 47.20472
    assert any("GBP" in outcome.details for outcome in world.outcomes)


def test_a_currency_without_a_rate_is_told_on_the_customer_by_its_name(world: World, nz: Connector):
    row, contact = owing(world, nz, **{"transactioncurrencyid@odata.bind": f"/transactioncurrencies({world.id_of('GBP')})"})
    invoiced(world, nz, contact, "100.00")
    world.store.upsert("flowruns", nz.key, "facts Organisation", {"organisation": NZ, "currency": "ZMW"})
    try:
        asked(world, nz, contact)
    finally:
        world.store.delete("flowruns", nz.key, "facts Organisation")
    assert owed(world, row) == (None, None)
    (refused,) = refusals(world, row)
    assert "no exchange rate of ZMW" in refused["mag_details"]
    assert refused["mag_whoacts"] == OPTION + 3


def test_what_is_the_same_is_not_written_again(world: World, nz: Connector):
    row, contact = owing(world, nz)
    invoiced(world, nz, contact, "10.00")
    asked(world, nz, contact)
    before = world.get(f"accounts({row.partition('/')[2]})")["versionnumber"]
    asked(world, nz, contact)
    assert world.get(f"accounts({row.partition('/')[2]})")["versionnumber"] == before


def test_a_contact_that_is_no_customer_concerns_nobody_even_if_an_account_has_its_name(world: World, nz: Connector):
    name = f"Stranger {uuid.uuid4().hex[:8]}"
    row = world.post("accounts", {"name": name})
    contact = world.xero_contact(Name=name)
    invoiced(world, nz, contact, "10.00")
    asked(world, nz, contact)
    assert owed(world, f"account/{row}") == (None, None)


def test_a_contact_that_bears_our_mark_is_known_without_a_link(world: World, nz: Connector):
    row = world.post("accounts", {"name": "Marked"})
    contact = world.xero_contact(Name=f"Marked {row[:8]}", ContactNumber=row)
    invoiced(world, nz, contact, "10.00")
    asked(world, nz, contact)
    assert owed(world, f"account/{row}") == (Decimal("10.00"), 0)


def test_a_customer_deleted_in_dynamics_and_a_contact_xero_does_not_have_are_no_failure(world: World, nz: Connector):
    row, contact = owing(world, nz)
    world.delete(f"accounts({row.partition('/')[2]})")
    before = len(world.outcomes)
    asked(world, nz, contact, str(uuid.uuid4()))
    assert [outcome.status.value for outcome in world.outcomes[before:]] == ["unchanged"]
    assert claims.read_all(world.services, nz.key, FLOW) == {}


def test_a_contact_that_asked_to_be_forgotten_is_left_alone(world: World, nz: Connector):
    row, contact = owing(world, nz)
    invoiced(world, nz, contact, "10.00")
    world.xero.change(NZ, "contact", contact, ContactStatus="GDPRREQUEST")
    asked(world, nz, contact)
    assert owed(world, row) == (None, None)


def test_c08_the_balance_of_a_merged_contact_is_that_of_the_one_that_lives(world: World, nz: Connector):
    row, loser = owing(world, nz)
    winner = world.xero_contact(Name=f"Winner {uuid.uuid4().hex[:8]}")
    invoiced(world, nz, loser, "10.00")
    invoiced(world, nz, winner, "5.00")
    world.xero.merge(NZ, loser, winner)
    asked(world, nz, loser)
    world.settle(minutes=16)
    assert owed(world, row) == (Decimal("15.00"), 0)


def test_what_an_account_merged_in_dynamics_owed_its_master_owes(world: World, nz: Connector):
    (loser, contact), (master, own) = owing(world, nz), owing(world, nz)
    invoiced(world, nz, contact, "30.00")
    invoiced(world, nz, own, "5.00")
    master_id = master.partition("/")[2]
    world.dataverse.environment.seed("account", accountid=loser.partition("/")[2], merged=True, masterid=master_id, statecode=1)
    asked(world, nz, contact)
    assert owed(world, master) == (35, 0)
    asked(world, nz, own)
    assert owed(world, master) == (35, 0)


def test_an_account_that_is_several_contacts_shows_what_all_of_them_owe(world: World, nz: Connector):
    row, one = owing(world, nz)
    other = world.xero_contact(Name=f"Other {uuid.uuid4().hex[:8]}")
    customers.join(world.services, nz, other, row)
    invoiced(world, nz, one, "10.00")
    invoiced(world, nz, other, "5.00")
    asked(world, nz, one)
    assert owed(world, row) == (Decimal("15.00"), 0)


# ── documents that are not in Dynamics 365 ──────────────────────────────────────────────────────────────────────────────────────


def test_a_document_that_is_not_in_dynamics_changes_what_is_owed_on_the_same_day(own_world: World):
    world = own_world
    nz = world.connect(flows=(FLOW, "invoice-status-from-xero", "credit-notes-from-xero"))
    (row, contact), (_, stranger) = owing(world, nz), ("", world.xero_contact(Name="Nobody here"))
    asked(world, nz, contact)
    for one in (contact, stranger):
        invoiced(world, nz, one, "80.00")
    pass_quarters(world, 3)
    assert owed(world, row) == (Decimal("80.00"), 0)
    line = {"Description": "Back", "Quantity": 1, "UnitAmount": 25, "AccountCode": "200", "TaxType": "NONE"}
    note = {"Type": "ACCRECCREDIT", "Contact": {"ContactID": contact}, "Date": "2026-11-20", "LineItems": [line]}
    assert world.bookkeeper().put("CreditNotes", {"CreditNotes": [note | {"Status": "AUTHORISED"}]}).status_code == 200
    pass_quarters(world, 14)
    assert owed(world, row) == (Decimal("55.00"), 0)
    assert contacts_read(world, quarters=14) == 0, (
        "what has been told is not asked for again, however often the sweeps read the document"
    )


def test_where_balances_are_off_no_document_asks_for_them(own_world: World):
    world = own_world
    nz = world.connect(flows=("invoice-status-from-xero",))
    row, contact = owing(world, nz)
    links.write(world.services, nz, FLOW, f"Contact/{contact}", Link(contact, version="2020-01-01T00:00:00Z", row=row))
    invoiced(world, nz, contact, "80.00")
    pass_quarters(world, 3)
    assert list(world.store.rows("claims")) == []


def pass_quarters(world: World, number: int) -> None:
    for _ in range(number):
        world.clock.move(minutes=15)
        world.settle(minutes=1)


def contacts_read(world: World, quarters: int) -> int:
    """Return how many Contacts calls as many quarters of an hour cost."""
    before: int = world.xero.calls("GET", "/Contacts$")
    pass_quarters(world, quarters)
    return int(world.xero.calls("GET", "/Contacts$")) - before


# ── the night ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_becomes_overdue_with_the_day_alone_is_seen_at_night(world: World, nz: Connector):
    row, contact = owing(world, nz)
    day = world.clock.now().astimezone(nz.zone).date()
    invoiced(world, nz, contact, "10.00", due=day.isoformat())
    asked(world, nz, contact)
    assert owed(world, row) == (Decimal("10.00"), 0)
    world.clock.move(days=1)
    world.night()
    world.settle(minutes=1)
    assert owed(world, row) == (Decimal("10.00"), Decimal("10.00"))


def test_the_night_reads_those_who_owe_forty_a_call_and_writes_nothing_that_is_the_same(own_world: World):
    world, nz = own_world, own_world.connect(flows=(FLOW,))
    owe_nothing = owing(world, nz)[1]
    debtors = [owing(world, nz) for _ in range(3)]
    for _, contact in debtors:
        invoiced(world, nz, contact, "10.00")
    asked(world, nz, owe_nothing, *(contact for _, contact in debtors))
    before, outcomes = world.xero_calls(), len(world.outcomes)
    world.night()
    assert world.xero_calls() - before == 1
    assert world.outcomes[outcomes:] == []


def test_a_pushed_customer_is_read_at_night_by_its_link(own_world: World):
    world, nz = own_world, own_world.connect(flows=(FLOW,))
    invoice = world.invoice("ridgeway", duedate="2026-12-20")
    world.settle(minutes=6)
    contact = world.document_of(invoice)["Contact"]["ContactID"]
    link = links.read(world.services, nz, "contact", f"account/{world.id_of('ridgeway')}")
    assert link is not None
    assert link.xero_id == contact
    asked(world, nz, contact)
    before = owed(world, f"account/{world.id_of('ridgeway')}")
    assert before[0] >= Decimal("100.00")
    invoiced(world, nz, contact, "11.00")
    world.night()
    assert owed(world, f"account/{world.id_of('ridgeway')}")[0] == before[0] + 11


def test_the_first_night_tells_what_customers_owe_that_were_linked_before(own_world: World):
    world, nz = own_world, own_world.connect(flows=("contacts-from-xero",))
    customers_ = [owing(world, nz) for _ in range(2)]
    for _, contact in customers_:
        invoiced(world, nz, contact, "31.00")
    world.settle(minutes=20)
    world.enable(nz, FLOW, every=15)
    world.settle(minutes=20)
    assert [owed(world, row) for row, _ in customers_] == [(None, None)] * 2
    world.night()
    assert [owed(world, row) for row, _ in customers_] == [(Decimal("31.00"), 0)] * 2


def test_a_night_reads_no_more_than_four_hundred_contacts_of_which_nothing_was_told(own_world: World):
    world, nz = own_world, own_world.connect(flows=(FLOW,))
    for number in range(500):
        links.write(world.services, nz, "contact", f"account/{uuid.uuid4()}", Link(str(uuid.UUID(int=number, version=4))))
    before = world.xero_calls()
    world.night()
    assert world.xero_calls() - before == 10


# ── several organisations ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_a_customer_owes_is_summed_over_the_connectors_in_its_own_currency(own_world: World):
    world = own_world
    nz, uk = world.connect(flows=(FLOW,)), world.connect(UK, default=False, flows=(FLOW,))
    row, contact = owing(world, nz)
    theirs = world.xero_contact(UK, Name="The same customer in London")
    customers.join(world.services, uk, theirs, row)
    invoiced(world, nz, contact, "100.00")
    invoiced(world, uk, theirs, "47.20")
    asked(world, nz, contact)
    assert owed(world, row) == (Decimal("200.00"), 0)  # 47.20 / 0.472 = 100.00
    asked(world, uk, theirs)
    assert owed(world, row) == (Decimal("200.00"), 0)


def test_customers_of_two_organisations_cost_a_call_to_each_for_forty(own_world: World):
    world = own_world
    nz, uk = world.connect(flows=(FLOW,)), world.connect(UK, default=False, flows=(FLOW,))
    debtors = [owing(world, nz) for _ in range(4)]
    for row, contact in debtors:
        theirs = world.xero_contact(UK, Name=f"London {contact}")
        customers.join(world.services, uk, theirs, row)
        invoiced(world, nz, contact, "1.00")
        invoiced(world, uk, theirs, "0.472")
    world.settle(minutes=1)
    before = world.xero_calls()
    asked(world, nz, *(contact for _, contact in debtors))
    assert [owed(world, row) for row, _ in debtors] == [(2, 0)] * 4
    assert world.xero_calls() - before == 4, "a call to each for the contacts, and once for its base currency"


@pytest.mark.parametrize("error", [Disconnected, NeedsReconnect, NeedsScope])
def test_another_organisation_that_lets_us_in_no_more_stops_no_flow_of_this_one(own_world: World, error: type[Exception]):
    world = own_world
    nz, uk = world.connect(flows=(FLOW,)), world.connect(UK, default=False, flows=(FLOW,))
    row, contact = owing(world, nz)
    customers.join(world.services, uk, world.xero_contact(UK, Name="Elsewhere"), row)
    invoiced(world, nz, contact, "100.00")
    world.services = replace(world.services, xero=Closed(world.services.xero, uk, error))
    asked(world, nz, contact)
    assert world.connector(nz).state == "connected"
    (refused,) = refusals(world, row)
    assert "cannot be asked" in refused["mag_details"]


class Closed:
    """Xero, but one organisation lets nobody in."""

    def __init__(self, xero: Any, organisation: Connector, error: type[Exception]) -> None:
        self._xero, self._key, self._error = xero, organisation.key, error

    def call(self, connector: Connector, *arguments: Any, **options: Any) -> Any:
        if connector.key == self._key:
            raise self._error("closed")
        return self._xero.call(connector, *arguments, **options)

    def budget(self, *arguments: Any) -> Any:
        return self._xero.budget(*arguments)


def test_an_organisation_that_cannot_be_asked_is_told_and_nothing_too_small_is_written(own_world: World):
    world = own_world
    nz, uk = world.connect(flows=(FLOW,)), world.connect(UK, default=False, flows=(FLOW,))
    row, contact = owing(world, nz)
    customers.join(world.services, uk, world.xero_contact(UK, Name="Elsewhere"), row)
    invoiced(world, nz, contact, "100.00")
    stored = world.store.read("connectors", uk.environment, uk.id)
    assert stored is not None
    world.store.upsert("connectors", uk.environment, uk.id, {**stored.values, "state": "needs_reconnect"})
    asked(world, nz, contact)
    assert owed(world, row) == (None, None)
    (refused,) = refusals(world, row)
    assert "cannot be asked" in refused["mag_details"]


# ── arithmetic and rubbish ──────────────────────────────────────────────────────────────────────────────────────────────────────

AMOUNT = st.decimals(min_value=-(10**12), max_value=10**12, places=2)
RATE = st.decimals(min_value="0.0001", max_value=10_000, places=6).filter(lambda rate: rate > 0)


@given(AMOUNT, RATE, RATE)
def test_converting_there_and_back_is_what_it_was(amount: Decimal, one: Decimal, other: Decimal):
    known = {"ONE": Currency("ONE", one, 2), "TWO": Currency("TWO", other, 2)}
    there = balances.converted(amount, "ONE", known["TWO"], known)
    assert balances.converted(there, "TWO", known["ONE"], known).quantize(Decimal("0.01")) == amount
    assert balances.converted(amount, "ONE", known["ONE"], {}) == amount


@pytest.mark.parametrize("rate", [Decimal(0), Decimal(-1)])
def test_a_rate_that_is_none_is_refused_by_the_name_of_its_currency(rate: Decimal):
    known = {"BAD": Currency("BAD", rate, 2), "NZD": Currency("NZD", Decimal(1), 2)}
    for code, into in (("BAD", "NZD"), ("NZD", "BAD"), ("UNK", "NZD")):
        with pytest.raises(Rejected, match=f"rate of {'UNK' if code == 'UNK' else 'BAD'}"):
            balances.converted(Decimal(1), code, known[into], known)


@pytest.mark.parametrize(
    "given_balances", [None, "none", [], {}, {"AccountsReceivable": None}, {"AccountsReceivable": {"Overdue": None}}]
)
def test_a_contact_without_balances_owes_nothing(world: World, nz: Connector, given_balances: Any):
    row, contact = owing(world, nz)
    body = balances._body({"ContactID": contact, "Balances": given_balances, "MergedToContactID": None})
    assert balances.cross(work_of(world, nz), body).row == row
    assert owed(world, row) == (0, 0)


@pytest.mark.parametrize("amount", ["much", True, [], Decimal("NaN")])
def test_an_amount_that_is_none_is_refused_and_nothing_is_written(world: World, nz: Connector, amount: Any):
    row, contact = owing(world, nz)
    body = balances._body({"ContactID": contact, "Balances": {"AccountsReceivable": {"Outstanding": amount}}})
    with pytest.raises(Rejected, match="is no amount"):
        balances.cross(work_of(world, nz), body)
    assert owed(world, row) == (None, None)


def test_azure_keeps_no_amount(world: World, nz: Connector):
    _, contact = owing(world, nz)
    invoiced(world, nz, contact, "98765.43")
    asked(world, nz, contact)
    for table in ("links", "claims", "flowruns", "outcomes"):
        for stored in world.store.rows(table):
            assert "98765" not in str(stored.values)
