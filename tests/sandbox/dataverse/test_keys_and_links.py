"""Alternate keys, upserts and many-to-many links. Source: Microsoft Learn, "Use an alternate key to reference a record",
"Upsert a table row", "Associate and disassociate table rows using the Web API"."""

from threading import Barrier, Thread
from typing import Any

import pytest

from sandbox.dataverse import Reference, Sandbox
from sandbox.dataverse.demo_company import ID

from .conftest import Api, Reply

MISSING = "11111111-2222-4333-8444-555555555555"
PAYMENT = "mag_payments(mag_xeropaymentid='4d4d5f11-0000-4000-8000-000000000001')"


@pytest.fixture
def connector(api: Api) -> str:
    return api.post("mag_xeroconnectors", {"mag_name": "Demo Company (NZ)", "mag_xerotenantid": "t-1"}).id


def test_a_patch_by_alternate_key_creates_and_then_updates(api: Api, sandbox: Sandbox) -> None:
    """Upsert a table row: 201 or 200 with return=representation tells which; the key's value is taken from the URL."""
    first = api.patch(f"{PAYMENT}?$select=mag_name", {"mag_name": "P-1"}, Prefer="return=representation")
    second = api.patch(f"{PAYMENT}?$select=mag_name", {"mag_name": "P-2"}, Prefer="return=representation")
    assert (first.status, second.status) == (201, 200)
    (row,) = sandbox.rows("mag_payment")
    assert (row["mag_name"], row["mag_xeropaymentid"]) == ("P-2", "4d4d5f11-0000-4000-8000-000000000001")
    assert api.patch(PAYMENT, {"mag_name": "P-3"}).status == 204


def test_a_key_that_finds_nothing_is_0x80060891(api: Api) -> None:
    """RecordNotFoundByEntityKey, HTTP 404: not the duplicate error."""
    for answer in (api.get(PAYMENT), api.delete(PAYMENT), api.patch(PAYMENT, {"mag_name": "x"}, If_Match="*")):
        assert (answer.status, answer.code) == (404, "0x80060891")


def test_a_second_row_with_the_same_key_is_0x80060892(api: Api) -> None:
    """DuplicateRecordEntityKey, HTTP 412."""
    body = {"mag_name": "P", "mag_xeropaymentid": "p-1"}
    assert api.post("mag_payments", body).status == 204
    answer = api.post("mag_payments", body)
    assert (answer.status, answer.code) == (412, "0x80060892")


def test_rows_without_a_key_value_are_not_compared(api: Api) -> None:
    assert [api.post("mag_payments", {"mag_name": "P"}).status for _ in range(2)] == [204, 204]


def test_a_composite_key_takes_a_lookup_by_its_property_name(api: Api, sandbox: Sandbox, connector: str) -> None:
    """Use an alternate key: lookups are written as _x_value=guid."""
    key = f"mag_taxrates(_mag_xeroconnectorid_value={connector},mag_taxtype='OUTPUT2')"
    assert api.patch(key, {"mag_name": "15% GST on Income"}).status == 204
    assert api.patch(key, {"mag_name": "GST 15%"}).status == 204
    (row,) = sandbox.rows("mag_taxrate")
    assert row["mag_xeroconnectorid"] == Reference("mag_xeroconnector", connector)
    assert api.get(f"{key}?$select=mag_name").json["mag_name"] == "GST 15%"


def test_columns_that_are_no_key_are_refused(api: Api) -> None:
    """EntityKeyNotDefined: 0x80060890."""
    answer = api.get("accounts(name='Boom FM')")
    assert (answer.status, answer.code) == (400, "0x80060890")


@pytest.mark.parametrize("value", ["a%2Fb", "a%26b", "a%25b", "a%2Bb", "a:b", "a*b"])
def test_characters_that_break_key_urls_are_refused(api: Api, value: str) -> None:
    """Use an alternate key: / < > * % & : \\ ? + do not work in GET and PATCH."""
    assert api.patch(f"mag_payments(mag_xeropaymentid='{value}')", {"mag_name": "x"}).status == 400


def test_a_quote_in_a_key_is_doubled(api: Api, sandbox: Sandbox) -> None:
    assert api.patch("mag_payments(mag_xeropaymentid='O''Brien')", {"mag_name": "x"}).status == 204
    assert sandbox.rows("mag_payment")[0]["mag_xeropaymentid"] == "O'Brien"


def test_a_bind_may_name_a_row_by_its_key(api: Api, sandbox: Sandbox, connector: str) -> None:
    invoice = api.invoice(**{"mag_xeroconnectorid@odata.bind": "/mag_xeroconnectors(mag_xerotenantid='t-1')"})
    assert sandbox.row("invoice", invoice)["mag_xeroconnectorid"] == Reference("mag_xeroconnector", connector)
    body = {"mag_xeroconnectorid@odata.bind": "/mag_xeroconnectors(mag_xerotenantid='t-2')"}
    assert api.patch(f"invoices({invoice})", body).code == "0x80060891"


def test_racing_upserts_of_one_key_leave_one_row(api: Api, sandbox: Sandbox) -> None:
    """Upsert: of two at once one may be told it is a duplicate; never two rows."""
    start, answers = Barrier(4), []

    def upsert() -> None:
        start.wait()
        answers.append(api.patch(PAYMENT, {"mag_name": "raced"}))

    threads = [Thread(target=upsert) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status for answer in answers} <= {204, 412}
    assert len(sandbox.rows("mag_payment")) == 1


def test_upsert_multiple_goes_by_key(api: Api, sandbox: Sandbox) -> None:
    """UpsertMultiple: each target carries @odata.id."""
    targets = [
        {
            "@odata.type": "Microsoft.Dynamics.CRM.mag_payment",
            "@odata.id": f"mag_payments(mag_xeropaymentid='{n}')",
            "mag_name": str(n),
        }
        for n in (1, 2, 1)
    ]
    assert api.post("mag_payments/Microsoft.Dynamics.CRM.UpsertMultiple", {"Targets": targets}).status == 204
    assert [row["mag_name"] for row in sandbox.rows("mag_payment")] == ["1", "2"]


# --- links ---------------------------------------------------------------------------------------------------------


def link(api: Api, account: str, contact: str) -> Reply:
    body: dict[str, Any] = {"@odata.id": f"https://localhost:7082/api/data/v9.2/contacts({contact})"}
    return api.post(f"accounts({account})/mag_account_contact_billingcontacts/$ref", body)


def billing(api: Api, account: str) -> list[str]:
    return [
        row["fullname"] for row in api.get(f"accounts({account})/mag_account_contact_billingcontacts?$select=fullname").values
    ]


def test_rows_are_linked_and_unlinked_many_to_many(api: Api) -> None:
    """associate-disassociate: POST and DELETE of $ref."""
    assert link(api, ID["basket"], ID["kumar"]).status == 204
    assert billing(api, ID["basket"]) == ["Kumar Patel"]
    assert api.delete(f"accounts({ID['basket']})/mag_account_contact_billingcontacts({ID['kumar']})/$ref").status == 204
    assert billing(api, ID["basket"]) == []


def test_an_existing_link_made_again_is_a_duplicate(api: Api) -> None:
    """0x80040237 "Cannot insert duplicate key", HTTP 412: the link is there, so a success."""
    answer = link(api, ID["ridgeway"], ID["gwen"])
    assert (answer.status, answer.code) == (412, "0x80040237")


def test_a_link_shows_from_both_sides_and_goes_with_its_row(api: Api) -> None:
    assert [
        row["name"] for row in api.get(f"contacts({ID['gwen']})/mag_account_contact_billingcontacts?$select=name").values
    ] == ["Ridgeway University"]
    api.delete(f"contacts({ID['gwen']})")
    assert "Gwen Whitfield" not in billing(api, ID["ridgeway"])


def test_a_link_to_a_missing_or_foreign_row_is_refused(api: Api) -> None:
    assert link(api, ID["basket"], MISSING).code == "0x80040217"
    body = {"@odata.id": f"accounts({ID['boom']})"}
    assert api.post(f"accounts({ID['basket']})/mag_account_contact_billingcontacts/$ref", body).status == 400


def test_a_link_is_also_removed_by_address(api: Api) -> None:
    """associate-disassociate: DELETE …/$ref?$id=address."""
    address = f"https://localhost:7082/api/data/v9.2/contacts({ID['rangi']})"
    assert api.delete(f"accounts({ID['ridgeway']})/mag_account_contact_billingcontacts/$ref?$id={address}").status == 204
    assert "Rangi Parata" not in billing(api, ID["ridgeway"])


def test_a_row_is_made_and_moved_under_a_collection(api: Api, sandbox: Sandbox) -> None:
    """associate-disassociate: POST to a collection creates a related row; $ref on a one-to-many sets the lookup."""
    made = api.post(f"accounts({ID['marine']})/contact_customer_accounts", {"lastname": "Under"})
    assert sandbox.row("contact", made.id)["parentcustomerid"] == Reference("account", ID["marine"])
    moved = api.post(f"accounts({ID['boom']})/contact_customer_accounts/$ref", {"@odata.id": f"contacts({made.id})"})
    assert moved.status == 204
    assert sandbox.row("contact", made.id)["parentcustomerid"] == Reference("account", ID["boom"])
    assert api.delete(f"accounts({ID['boom']})/contact_customer_accounts({made.id})/$ref").status == 204
    assert sandbox.row("contact", made.id)["parentcustomerid"] is None


def test_a_lookup_is_set_and_cleared_by_ref(api: Api, sandbox: Sandbox) -> None:
    """associate-disassociate: PUT and DELETE of a single-valued $ref."""
    url = f"accounts({ID['marine']})/primarycontactid/$ref"
    assert api.send("PUT", url, {"@odata.id": f"contacts({ID['bob']})"}).status == 204
    assert sandbox.row("account", ID["marine"])["primarycontactid"] == Reference("contact", ID["bob"])
    assert api.delete(url).status == 204
    assert sandbox.row("account", ID["marine"])["primarycontactid"] is None
