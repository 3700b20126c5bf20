"""An application user may do what its roles grant, and no more, where the sandbox enforces roles.

Source: Microsoft Learn, "Security role and privilege reference", "How access to a record is determined".
"""

from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.dataverse import Sandbox, create_app, security
from sandbox.dataverse.demo_company import ID, SERVICE_ROLE

from .conftest import NOW, Api, Reply


@pytest.fixture
def held(image: bytes) -> Iterator[Api]:
    """Speak as the application user of an environment that enforces roles."""
    app = create_app(now=lambda: NOW, seed=lambda environment: environment.store.restore(image), enforces_roles=True)
    sandbox: Sandbox = app.extensions["sandbox"]
    yield Api(sandbox, app.test_client(), sandbox.token())
    sandbox.close()


def lose(api: Api, *names: str) -> None:
    """Take privileges from the connector's role."""
    environment = api.sandbox.environment
    lost = {security.privilege_id(environment, name) for name in names}
    kept = {found: depth for found, depth in security.granted(environment, SERVICE_ROLE).items() if found not in lost}
    security.grant(environment, SERVICE_ROLE, kept, replace=True)


def is_denied(answer: Reply, privilege: str) -> bool:
    return (answer.status, answer.code) == (403, "0x80040220") and f"is missing {privilege} privilege" in answer.message


def test_the_connectors_role_is_enough_for_an_invoice_with_its_lines(held: Api) -> None:
    invoice = held.invoice()
    assert held.write_in(invoice).status == 204
    assert held.catalogue(invoice, "book", "each", ispriceoverridden=True, priceperunit=9).status == 204
    assert held.patch(f"invoices({invoice})", {"statecode": 2, "statuscode": 100_001}).status == 204
    assert (
        held.get(f"invoices({invoice})?$expand=customerid_account($select=name),invoice_details($select=quantity)").status == 200
    )


@pytest.mark.parametrize(
    ("privilege", "method", "path", "body"),
    [
        ("prvReadAccount", "GET", "accounts", None),
        ("prvReadAccount", "GET", "accounts/$count", None),
        ("prvReadAccount", "GET", f"accounts({ID['boom']})", None),
        ("prvReadAccount", "GET", "invoices?$expand=customerid_account($select=name)", None),
        ("prvReadProduct", "GET", "uoms", None),
        ("prvCreateAccount", "POST", "accounts", {"name": "New"}),
        ("prvCreateAccount", "PATCH", "accounts(11111111-2222-4333-8444-555555555555)", {"name": "New"}),
        ("prvWriteAccount", "PATCH", f"accounts({ID['boom']})", {"name": "New"}),
        ("prvAssignAccount", "PATCH", f"accounts({ID['boom']})", {"ownerid@odata.bind": f"/systemusers({ID['user sales-north']})"}),
        ("prvAppendAccount", "PATCH", f"accounts({ID['boom']})", {"transactioncurrencyid@odata.bind": f"/transactioncurrencies({ID['USD']})"}),
        ("prvAppendToTransactionCurrency", "PATCH", f"accounts({ID['boom']})", {"transactioncurrencyid@odata.bind": f"/transactioncurrencies({ID['USD']})"}),
        ("prvCreateProduct", "POST", "pricelevels", {"name": "New", "transactioncurrencyid@odata.bind": f"/transactioncurrencies({ID['USD']})"}),
    ],
)  # fmt: skip
def test_without_its_privilege_a_request_is_denied(held: Api, privilege: str, method: str, path: str, body: Any) -> None:
    assert held.send(method, path, body).status < 300
    held.sandbox.reset()
    lose(held, privilege)
    assert is_denied(held.send(method, path, body), privilege)


def test_a_price_of_its_own_and_a_link_are_denied_too(held: Api) -> None:
    invoice = held.invoice()
    lose(held, "prvOverridePriceEngineInvoice")
    assert is_denied(
        held.catalogue(invoice, "book", "each", ispriceoverridden=True, priceperunit=9), "prvOverridePriceEngineInvoice"
    )
    assert held.catalogue(invoice, "book", "each").status == 204
    assert held.write_in(invoice).status == 204
    lose(held, "prvAppendToContact")
    contacts = f"accounts({ID['boom']})/mag_account_contact_billingcontacts/$ref"
    reply = held.post(contacts, {"@odata.id": f"contacts({ID['gwen']})"})
    assert is_denied(reply, "prvAppendToContact")


def test_nobody_gets_what_no_role_grants(held: Api) -> None:
    assert is_denied(held.delete(f"accounts({ID['boom']})"), "prvDeleteAccount")


def test_people_and_an_environment_that_does_not_enforce_roles_are_open(held: Api, api: Api) -> None:
    for each in (held, api):
        lose(each, "prvReadAccount")
    person = Api(held.sandbox, held.client, held.sandbox.person_token("aroha.ngata@kowhai.example"))
    assert person.get("accounts").status == 200
    assert api.get("accounts").status == 200
    assert is_denied(held.get("accounts"), "prvReadAccount")
