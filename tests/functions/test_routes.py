"""Which connector an invoice belongs to (functions/routes.py)."""

from collections.abc import Mapping
from typing import Any

from functions.routes import route

ROUTES: list[Mapping[str, Any]] = [
    {"_mag_xeroconnectorid_value": "uk", "_mag_businessunitid_value": "bu-uk", "_mag_transactioncurrencyid_value": "gbp"},
    {"_mag_xeroconnectorid_value": "nz", "_mag_transactioncurrencyid_value": "nzd", "_mag_invoiceownerid_value": None},
    {"_mag_xeroconnectorid_value": "jo", "_mag_invoiceownerid_value": "jo"},
]


def test_an_invoice_that_names_its_connector_goes_there():
    invoice = {"_mag_xeroconnectorid_value": "au", "_transactioncurrencyid_value": "nzd"}
    assert route(invoice, ROUTES, ["nz"]) == "au"


def test_the_first_route_whose_every_filled_column_fits_decides():
    invoice = {"_owningbusinessunit_value": "bu-uk", "_transactioncurrencyid_value": "gbp", "_ownerid_value": "jo"}
    assert route(invoice, ROUTES, ["nz"]) == "uk"


def test_a_route_that_fits_only_in_part_does_not_decide():
    invoice = {"_owningbusinessunit_value": "bu-uk", "_transactioncurrencyid_value": "eur", "_ownerid_value": "jo"}
    assert route(invoice, ROUTES, ["nz"]) == "jo"


def test_without_a_route_the_default_connector_takes_it():
    assert route({"_transactioncurrencyid_value": "eur"}, ROUTES, ["nz"]) == "nz"


def test_two_default_connectors_decide_nothing_because_a_guess_would_be_the_wrong_books():
    assert route({"_transactioncurrencyid_value": "eur"}, [], ["nz", "uk"]) is None


def test_no_default_connector_decides_nothing():
    assert route({"_transactioncurrencyid_value": "eur"}, [], []) is None
