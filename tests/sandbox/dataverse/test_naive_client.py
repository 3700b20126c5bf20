"""What goes wrong for a client that trusts too much: each mistake shows against the stand-in, as it would in Dataverse."""

from collections.abc import Iterator
from decimal import Decimal

import pytest
import requests

from sandbox.dataverse.demo_company import ID
from sandbox.xero.faults import Fault

from .conftest import ROOT, Api, Live


class NaiveClient:
    """Speaks to Dataverse as if nothing could happen between two calls."""

    def __init__(self, live: Live) -> None:
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {live.sandbox.token()}"
        self.root = live.url + ROOT

    def update(self, path: str, body: dict[str, object]) -> None:
        self.session.patch(self.root + path, json=body, timeout=10)

    def create(self, path: str, body: dict[str, object]) -> None:
        """Send again when no answer came, as the first try was surely lost."""
        for _ in range(3):
            try:
                self.session.post(self.root + path, json=body, timeout=10)
                return
            except requests.ConnectionError:
                continue

    def invoice_date(self, invoice: str) -> str:
        row = self.session.get(f"{self.root}invoices({invoice})?$select=datedelivered", timeout=10).json()
        return str(row["datedelivered"][:10])

    def invoices(self) -> list[str]:
        answer = self.session.get(
            f"{self.root}accounts?$select=name", headers={"Prefer": "odata.maxpagesize=5"}, timeout=10
        ).json()
        return [row["name"] for row in answer["value"]]


@pytest.fixture
def naive(live: Live) -> Iterator[NaiveClient]:
    made = NaiveClient(live)
    yield made
    made.session.close()


@pytest.fixture
def api(live: Live) -> Api:
    return Api(live.sandbox, live.app.test_client(), live.sandbox.token())


def test_an_update_without_if_match_brings_a_deleted_row_back(live: Live, naive: NaiveClient, api: Api) -> None:
    """update-delete: PATCH is an upsert."""
    invoice = api.invoice()
    api.delete(f"invoices({invoice})")
    naive.update(f"invoices({invoice})", {"mag_xeroid": "x-1"})
    risen = live.sandbox.row("invoice", invoice)
    assert risen["customerid"] is None, "an invoice of nobody"


def test_a_lost_answer_sent_again_makes_two_rows(live: Live, naive: NaiveClient) -> None:
    """A POST has no idempotency in Dataverse: a chosen id or an alternate key is needed."""
    live.sandbox.faults.add(Fault("drop_after", "POST", "/mag_synchistories$"))
    naive.create("mag_synchistories", {"mag_name": "Sync"})
    assert len(live.sandbox.rows("mag_synchistory")) == 2


def test_a_write_to_a_paid_invoice_is_lost(live: Live, naive: NaiveClient, api: Api) -> None:
    """Paid invoices are read-only, custom columns too; nobody looked at the 403."""
    invoice = api.invoice()
    api.patch(f"invoices({invoice})", {"statecode": 2, "statuscode": 100001})
    naive.update(f"invoices({invoice})", {"mag_amountpaid": 5})
    assert live.sandbox.row("invoice", invoice)["mag_amountpaid"] is None


def test_the_first_ten_characters_of_date_delivered_are_yesterday(naive: NaiveClient, api: Api) -> None:
    """datedelivered is midnight in the user's zone: 21 November in Auckland begins on the 20th in UTC."""
    invoice = api.invoice(datedelivered="2026-11-20T11:00:00Z")
    assert naive.invoice_date(invoice) == "2026-11-20"


def test_the_first_page_is_taken_for_everything(naive: NaiveClient) -> None:
    assert len(naive.invoices()) == 5


def test_money_read_as_a_float_is_not_the_money(live: Live, naive: NaiveClient, api: Api) -> None:
    invoice = api.invoice()
    for price in (Decimal("0.1"), Decimal("0.2")):
        api.write_in(invoice, price=price)
    rows = naive.session.get(f"{naive.root}invoicedetails?$select=priceperunit", timeout=10).json()["value"]
    assert sum(row["priceperunit"] for row in rows) != 0.3
    assert live.sandbox.row("invoice", invoice)["totalamount"] == Decimal("0.3")


def test_a_retry_at_once_meets_the_same_429(live: Live, naive: NaiveClient) -> None:
    live.sandbox.faults.add(Fault("429", "PATCH", times=3, seconds=30))
    for _ in range(3):
        naive.update(f"accounts({ID['boom']})", {"telephone1": "42"})
    assert live.sandbox.row("account", ID["boom"])["telephone1"] != "42"
