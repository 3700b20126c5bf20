"""Connecting over the app's own pages, with the whole product running."""

from decimal import Decimal

import pytest

from sandbox.dataverse.demo_company import ID
from sandbox.demo.connecting import connect, connect_custom
from sandbox.demo.dynamics import Json, label
from sandbox.demo.story import midnight, today
from sandbox.demo.xero import NZ
from tests.patience import until

pytestmark = pytest.mark.processes


def connectors(product) -> list[Json]:
    """Return the rows of the New Zealand company's connector."""
    return list(product.dynamics.rows("mag_xeroconnectors", filter=f"mag_xeroorganizationname eq '{NZ}'"))


def test_connecting_again_finds_what_the_first_time_made(product):
    (before,) = connectors(product)
    assert "Your connection is ready" in connect(product, NZ)
    (after,) = connectors(product)
    assert after["mag_xeroconnectorid"] == before["mag_xeroconnectorid"]


def test_a_custom_connection_takes_over_the_same_connector_and_an_invoice_goes_by_it(product):
    (before,) = connectors(product)
    connect_custom(product, "sandbox-custom", "sandbox-custom-secret")
    (after,) = connectors(product)
    assert (after["mag_xeroconnectorid"], label(after, "mag_connectmode")) == (before["mag_xeroconnectorid"], "Custom Connection")

    line = {"isproductoverridden": True, "productdescription": "Court hire", "quantity": 2, "priceperunit": Decimal("45.00")}
    body = {
        "name": "By a Custom Connection",
        "customerid_account@odata.bind": f"/accounts({ID['marine']})",
        "pricelevelid@odata.bind": f"/pricelevels({ID['NZD prices']})",
        "datedelivered": midnight(today()),
        "duedate": today().isoformat(),
        "mag_addtoxero": True,
        "invoice_details": [line],
    }
    invoice = product.dynamics.create("invoices", body)["invoiceid"]
    document = until(lambda: product.dynamics.read(f"invoices({invoice})")["mag_xeroid"], "it is in Xero")
    assert product.books[NZ].invoice(document)["Total"] == Decimal("103.50")
    assert connect(product, NZ), "back to the consent of a user, for whoever comes next"
