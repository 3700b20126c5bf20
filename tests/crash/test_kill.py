"""Layer D: the host dies between any two network calls of a push, for real, and the invoice still ends once in Xero."""

from __future__ import annotations

import base64
import itertools
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from sandbox.dataverse.demo_company import ID
from sandbox.demo.product import ROOT, TO_XERO, Product
from sandbox.demo.story import Story, midnight, today
from sandbox.demo.xero import NZ
from shared.messages import SyncMessage
from shared.storage.queues import StorageQueues
from tests.patience import PATIENCE, until
from tests.product import free_ports

SCALE = 0.03
"""Lease 5.4 s, hold 12 s, time-outs 2 s."""
NEVER = "0 0 0 29 2 *"
SUCCESSFUL = 411_140_000


class KilledProduct(Product):
    """The product whose host can be told when to die."""

    def start_host(self, record: str = "", call: int = 0) -> None:
        """Start the host; it will die at *call* of the push of *record*, if the push has so many."""
        argv: list[str | Path] = [sys.executable, "-m", "tests.crash.killing_host", "--settings", self._no_settings()]
        argv += ["--port", str(self.ports.app)]
        told = {"KILL_RECORD": record, "KILL_AT": str(call)} if call else {}
        ready = None if call else self._host_is_up
        self.processes.start("host", argv, self.environment() | told, ready=ready, timeout=PATIENCE, cwd=ROOT)

    def dies_at(self, record: str, call: int) -> bool:
        """Start the host and return whether it died at *call* of the push of *record*; it is gone then in any case."""
        self.start_host(record, call)
        until(
            lambda: not self.processes.running("host") or f"{record} survived" in self.processes.log("host"),
            f"the push ends or reaches call {call}",
        )
        died = not self.processes.running("host")
        assert not died or self.processes.wait("host", 1) == -signal.SIGKILL
        self.processes.kill("host")
        return died

    def _start_host(self) -> None:
        self.start_host()


def _flagged(product: Product, number: int) -> str:
    """Write an invoice of its own amount, flag it, and put its message on the queue."""
    body = {
        "name": f"Killed at call {number}",
        "customerid_account@odata.bind": f"accounts({ID['ridgeway']})",
        "pricelevelid@odata.bind": f"pricelevels({ID['NZD prices']})",
        "transactioncurrencyid@odata.bind": f"transactioncurrencies({ID['NZD']})",
        "datedelivered": midnight(today()),
        "duedate": today().isoformat(),
    }
    invoice = str(product.dynamics.create("invoices", body)["invoiceid"])
    line = {"isproductoverridden": True, "productdescription": "Work", "quantity": 1, "priceperunit": 100 + number}
    product.dynamics.create("invoicedetails", line | {"invoiceid@odata.bind": f"invoices({invoice})", "lineitemnumber": 1})
    product.dynamics.change(f"invoices({invoice})", mag_addtoxero=True)
    connector = f"localhost:{product.ports.dataverse}|{product.connectors[NZ]}"
    message = SyncMessage(connector, TO_XERO, f"invoice/{invoice}")
    StorageQueues.from_connection_string(product.storage).send(TO_XERO, message.to_json())
    return invoice


def _wait_until_synced(product: Product, invoices: list[str]) -> None:
    deadline = time.monotonic() + PATIENCE
    waiting = set(invoices)
    while waiting and time.monotonic() < deadline:
        product.look_now()
        time.sleep(1)
        synced = product.dynamics.rows("invoices", select="invoiceid", filter="mag_synchedwithxero eq true")
        waiting -= {row["invoiceid"] for row in synced}
    told = [row["mag_details"] for row in product.dynamics.rows("mag_synchistories", orderby="createdon desc")]
    assert not waiting, f"{len(waiting)} of {len(invoices)} invoices were not synced after {PATIENCE} s: {told[:3]}"


@pytest.mark.processes
@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no SIGKILL")
def test_the_host_may_die_between_any_two_network_calls_of_a_push(tmp_path):
    settings = {"TICK_SCHEDULE": NEVER, "TOKEN_ENCRYPTION_KEYS": base64.b64encode(bytes(32)).decode()}
    product = KilledProduct(tmp_path / "run", free_ports(), SCALE, say=lambda line: None, settings=settings)
    try:
        product.start()
        Story(product, say=lambda line: None).connect()
        _wait_until_synced(product, [_flagged(product, 0)])  # the customer is known from now on
        product.processes.kill("host")
        killed = []
        for call in itertools.count(1):
            killed.append(_flagged(product, call))
            if not product.dies_at(killed[-1], call):
                break
        assert len(killed) > 15
        product.start_host()
        _wait_until_synced(product, killed)
        marks = Counter(str(found.get("Url", "")).rpartition("id=")[2] for found in product.books[NZ].invoices())
        assert {invoice: marks[invoice] for invoice in killed} == dict.fromkeys(killed, 1)
        for invoice in killed:
            row = product.dynamics.read(f"invoices({invoice})")
            document = product.books[NZ].invoice(row["mag_xeroid"])
            assert document["Total"] == row["totalamount"] * 115 / 100
            found = product.dynamics.rows("mag_synchistories", filter=f"_mag_invoiceid_value eq {invoice}")
            assert [told["mag_syncstatus"] for told in found].count(SUCCESSFUL) == 1
    finally:
        product.stop()
