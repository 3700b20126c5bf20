"""Creating, updating and deleting rows. Source: Microsoft Learn, "Create/Update and delete table rows using the Web API",
"Perform conditional operations using the Web API", "Web service error codes"."""

from decimal import Decimal
from typing import Any

import pytest

from sandbox.dataverse import Sandbox
from sandbox.dataverse.demo_company import ID

from .conftest import Api

MISSING = "11111111-2222-4333-8444-555555555555"


def test_a_create_answers_204_with_the_rows_address(api: Api, sandbox: Sandbox) -> None:
    """create-entity-web-api: 204 No Content and OData-EntityId."""
    answer = api.post("accounts", {"name": "New Ltd"})
    assert (answer.status, answer.text) == (204, "")
    assert answer.headers["OData-EntityId"] == f"https://localhost:7082/api/data/v9.2/accounts({answer.id})"
    assert sandbox.row("account", answer.id)["name"] == "New Ltd"


def test_a_create_that_asks_for_the_row_answers_201_without_the_address(api: Api) -> None:
    """create-entity-web-api#create-with-data-returned."""
    answer = api.post("accounts?$select=name", {"name": "New Ltd"}, Prefer="return=representation")
    assert answer.status == 201
    assert answer.json["name"] == "New Ltd"
    assert "accountid" in answer.json
    assert "OData-EntityId" not in answer.headers
    assert answer.headers["Preference-Applied"] == "return=representation"


def test_an_update_answers_204_or_200_with_the_row(api: Api) -> None:
    url = f"accounts({ID['boom']})?$select=name,telephone1"
    assert api.patch(url, {"telephone1": "1"}).status == 204
    answer = api.patch(url, {"telephone1": "2"}, Prefer="return=representation")
    assert (answer.status, answer.json["telephone1"]) == (200, "2")


def test_the_caller_may_choose_the_primary_key_once(api: Api, sandbox: Sandbox) -> None:
    """create-entity-web-api: a primary key may be supplied; a second time it is a duplicate (0x80040237, 412)."""
    assert api.post("accounts", {"accountid": MISSING, "name": "Mine"}).id == MISSING
    again = api.post("accounts", {"accountid": MISSING, "name": "Mine again"})
    assert (again.status, again.code) == (412, "0x80040237")
    assert sandbox.row("account", MISSING)["name"] == "Mine"


def test_a_patch_without_a_precondition_creates_a_missing_row(api: Api, sandbox: Sandbox) -> None:
    """update-delete: PATCH is an upsert."""
    answer = api.patch(f"accounts({MISSING})?$select=name", {"name": "Risen"}, Prefer="return=representation")
    assert answer.status == 201
    assert sandbox.row("account", MISSING)["name"] == "Risen"


def test_if_match_star_makes_a_patch_an_update_only(api: Api, sandbox: Sandbox) -> None:
    """conditional-operations#prevent-create-in-upsert: 404 (0x80040217)."""
    answer = api.patch(f"accounts({MISSING})", {"name": "x"}, If_Match="*")
    assert (answer.status, answer.code) == (404, "0x80040217")
    assert not sandbox.exists("account", MISSING)


def test_if_none_match_star_makes_a_patch_a_create_only(api: Api, sandbox: Sandbox) -> None:
    """conditional-operations#prevent-update-in-upsert: 412."""
    assert api.patch(f"accounts({MISSING})", {"name": "first"}, If_None_Match="*").status == 204
    answer = api.patch(f"accounts({MISSING})", {"name": "second"}, If_None_Match="*")
    assert (answer.status, answer.code) == (412, "0x80040237")
    assert sandbox.row("account", MISSING)["name"] == "first"


def test_if_none_match_null_is_only_a_cache_header(api: Api) -> None:
    """compose-http-requests: If-None-Match: null overrides caching and is no precondition."""
    assert api.patch(f"accounts({ID['boom']})", {"telephone1": "1"}, If_None_Match="null").status == 204
    assert api.get(f"accounts({ID['boom']})?$select=name", If_None_Match="null").status == 200


def test_an_etag_guards_an_update_against_a_newer_version(api: Api) -> None:
    """conditional-operations#apply-optimistic-concurrency: 412, 0x80060882."""
    url = f"accounts({ID['boom']})"
    etag = api.get(f"{url}?$select=name").json["@odata.etag"]
    assert api.patch(url, {"telephone1": "1"}, If_Match=etag).status == 204
    stale = api.patch(url, {"telephone1": "2"}, If_Match=etag)
    assert (stale.status, stale.code) == (412, "0x80060882")
    assert api.delete(url, If_Match=etag).status == 412
    fresh = api.get(f"{url}?$select=telephone1").json
    assert fresh["telephone1"] == "1"
    assert fresh["@odata.etag"] != etag
    assert api.patch(url, {"telephone1": "3"}, If_Match=fresh["@odata.etag"]).status == 204


def test_a_conditional_get_answers_304_but_not_with_an_expand(api: Api) -> None:
    """conditional-operations#conditional-retrievals."""
    url = f"accounts({ID['boom']})?$select=name"
    etag = api.get(url).json["@odata.etag"]
    assert api.get(url, If_None_Match=etag).status == 304
    assert api.get(f"{url}&$expand=primarycontactid($select=fullname)", If_None_Match=etag).status == 200


def test_a_deleted_row_is_gone(api: Api) -> None:
    assert api.delete(f"contacts({ID['private']})").status == 204
    assert api.delete(f"contacts({ID['private']})").code == "0x80040217"
    assert api.get(f"contacts({ID['private']})?$select=fullname").status == 404


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"naam": "x"}, "0x80048d19"),
        ({"Name": "x"}, "0x80048d19"),
        ({"name": 5}, "0x80048d19"),
        ({"numberofemployees": "5"}, "0x80048d19"),
        ({"numberofemployees": 5.5}, "0x80048d19"),
        ({"creditlimit": "5.00"}, "0x80048d19"),
        ({"creditonhold": 1}, "0x80048d19"),
        ({"paymenttermscode": "Net 30"}, "0x80048d19"),
        ({"lastusedincampaign": "2026-11-21"}, "0x80048d19"),
        ({"lastusedincampaign": "2026-11-21T10:00:00"}, "0x80048d19"),
        ({"address1_addressid": "not-a-guid"}, "0x80048d19"),
        ({"_primarycontactid_value": MISSING}, "0x80048d19"),
        ({"primarycontactid": MISSING}, "0x80048d19"),
        ({"paymenttermscode": 7}, "0x8004431a"),
        ({"name": "x" * 161}, "0x80044331"),
        ({"numberofemployees": -1}, "0x80044330"),
        ({"createdon": "2026-11-21T10:00:00Z"}, "0x80040203"),
        ({"statecode": 1, "name": "x"}, "0x80040203"),
        ([], "0x80048d19"),
    ],
)
def test_what_the_table_cannot_hold_is_refused(api: Api, sandbox: Sandbox, body: Any, code: str) -> None:
    """Web service error codes; the payload errors are 0x80048d19."""
    before = len(sandbox.rows("account"))
    answer = api.post("accounts", body)
    assert (answer.status, answer.code) == (400, code), answer.text
    assert set(answer.json) == {"error"}
    assert len(sandbox.rows("account")) == before


def test_a_body_that_is_no_json_is_refused(api: Api) -> None:
    assert api.post("accounts", b"{name: 'x'}").code == "0x80048d19"


def test_text_at_its_limit_is_kept_and_empty_text_becomes_null(api: Api, sandbox: Sandbox) -> None:
    row_id = api.post("accounts", {"name": "x" * 160, "telephone1": ""}).id
    assert len(str(sandbox.row("account", row_id)["name"])) == 160
    assert sandbox.row("account", row_id)["telephone1"] is None


def test_moments_are_kept_in_whole_seconds_of_utc(api: Api, sandbox: Sandbox) -> None:
    """Behavior and format of the date and time column: stored as UTC."""
    row_id = api.post("accounts", {"name": "x", "lastusedincampaign": "2026-11-21T10:20:30.987+13:00"}).id
    assert sandbox.row("account", row_id)["lastusedincampaign"] == "2026-11-20T21:20:30Z"


def test_navigation_names_are_case_sensitive_and_the_message_names_none(api: Api) -> None:
    """associate-disassociate: an undeclared property with only annotations; names are case-sensitive."""
    for wrong in ("PrimaryContactId", "primarycontactid_contact", "customerid"):
        answer = api.post("accounts", {"name": "x", f"{wrong}@odata.bind": f"/contacts({ID['gwen']})"})
        assert (answer.status, answer.code) == (400, "0x80048d19")
        assert "undeclared property" in answer.message


def test_a_customer_is_bound_by_the_navigation_of_its_table(api: Api, sandbox: Sandbox) -> None:
    """Web API navigation properties: multi-table lookups have one per table."""
    invoice = api.invoice()
    to_contact = {"customerid_contact@odata.bind": f"/contacts({ID['private']})"}
    assert api.patch(f"invoices({invoice})", to_contact, If_Match="*").status == 204
    assert sandbox.row("invoice", invoice)["customerid"] == ("contact", ID["private"])
    wrong = {"customerid_contact@odata.bind": f"/accounts({ID['boom']})"}
    assert api.patch(f"invoices({invoice})", wrong, If_Match="*").status == 400


@pytest.mark.parametrize("address", ["/contacts({})", "contacts({})", "https://localhost:7082/api/data/v9.2/contacts({})"])
def test_a_bind_takes_every_form_of_address(api: Api, sandbox: Sandbox, address: str) -> None:
    row_id = api.post("accounts", {"name": "x", "primarycontactid@odata.bind": address.format(ID["gwen"])}).id
    assert sandbox.row("account", row_id)["primarycontactid"] == ("contact", ID["gwen"])


def test_a_bind_to_a_missing_row_is_refused(api: Api) -> None:
    answer = api.post("accounts", {"name": "x", "primarycontactid@odata.bind": f"/contacts({MISSING})"})
    assert (answer.status, answer.code) == (404, "0x80040217")


@pytest.mark.parametrize("body", [{"primarycontactid@odata.bind": None}, {"primarycontactid": None}])
def test_a_lookup_is_cleared_by_null(api: Api, sandbox: Sandbox, body: dict[str, None]) -> None:
    """associate-disassociate#disassociate with update."""
    assert api.patch(f"accounts({ID['boom']})", body).status == 204
    assert sandbox.row("account", ID["boom"])["primarycontactid"] is None


def test_the_platform_keeps_its_own_columns(api: Api, sandbox: Sandbox) -> None:
    """createdon, createdby, modifiedon, modifiedby, ownerid and versionnumber belong to the platform."""
    row_id = api.post("accounts", {"name": "x"}).id
    created = sandbox.row("account", row_id)
    assert created["createdon"] == created["modifiedon"] == "2026-11-21T01:30:00Z"
    assert created["createdby"] == created["ownerid"] == ("systemuser", ID["connector user"])
    assert created["owningbusinessunit"] == ("businessunit", ID["head office"])
    sandbox.clock.advance(61)
    api.patch(f"accounts({row_id})", {"name": "x"})
    changed = sandbox.row("account", row_id)
    assert changed["modifiedon"] == "2026-11-21T01:31:01Z", "even the same value counts as a change"
    assert changed["createdon"] == created["createdon"]
    assert int(str(changed["versionnumber"])) > int(str(created["versionnumber"]))
    assert api.get(f"accounts({row_id})?$select=versionnumber").json["@odata.etag"] == f'W/"{changed["versionnumber"]}"'


def test_a_row_can_be_given_to_a_team(api: Api, sandbox: Sandbox) -> None:
    row_id = api.post("accounts", {"name": "x", "ownerid@odata.bind": f"/teams({ID['team south']})"}).id
    row = sandbox.row("account", row_id)
    assert row["owningteam"] == ("team", ID["team south"])
    assert row["owninguser"] is None
    assert row["owningbusinessunit"] == ("businessunit", ID["south"])


def test_money_is_also_kept_in_the_base_currency(api: Api, sandbox: Sandbox) -> None:
    """Transaction currency: each money column has a _base column, made with the row's exchange rate."""
    currency = {"transactioncurrencyid@odata.bind": f"/transactioncurrencies({ID['GBP']})"}
    row = sandbox.row("account", api.post("accounts", {"name": "x", "creditlimit": Decimal("472.00"), **currency}).id)
    assert (row["exchangerate"], row["creditlimit_base"]) == (Decimal("0.472"), Decimal("1000"))


def test_a_bad_part_of_a_request_leaves_nothing_behind(api: Api, sandbox: Sandbox) -> None:
    """create-entity-web-api#create-related-table-rows-in-one-operation (deep insert) is one transaction."""
    lines = [{"isproductoverridden": True, "productdescription": "a", "quantity": 1, "priceperunit": 1}]
    body = {"name": "deep", "customerid_account@odata.bind": f"/accounts({ID['boom']})", "invoice_details": lines}
    good = api.post("invoices", body)
    assert sandbox.row("invoice", good.id)["totalamount"] == Decimal(1)
    lines.append({"productdescription": "b", "isproductoverridden": True, "quantity": "one"})
    assert api.post("invoices", body).status == 400
    assert len(sandbox.rows("invoice")) == 1
    assert len(sandbox.rows("invoicedetail")) == 1


def test_one_property_can_be_written_alone(api: Api, sandbox: Sandbox) -> None:
    """update-delete: PUT and DELETE of a single property value."""
    assert api.send("PUT", f"accounts({ID['boom']})/telephone1", {"value": "42"}).status == 204
    assert sandbox.row("account", ID["boom"])["telephone1"] == "42"
    assert api.delete(f"accounts({ID['boom']})/telephone1").status == 204
    assert sandbox.row("account", ID["boom"])["telephone1"] is None


def test_a_method_the_resource_lacks_is_refused(api: Api) -> None:
    assert api.send("PUT", f"accounts({ID['boom']})", {"name": "x"}).status == 405
    assert api.delete("accounts").status == 405


def test_many_rows_are_written_all_or_none(api: Api, sandbox: Sandbox) -> None:
    """bulk-operations: CreateMultiple, UpdateMultiple, UpsertMultiple on standard tables."""
    kind = {"@odata.type": "Microsoft.Dynamics.CRM.account"}
    made = api.post("accounts/Microsoft.Dynamics.CRM.CreateMultiple", {"Targets": [{**kind, "name": "a"}, {**kind, "name": "b"}]})
    one, two = made.json["Ids"]
    bad = api.post("accounts/Microsoft.Dynamics.CRM.CreateMultiple", {"Targets": [{**kind, "name": "c"}, {**kind, "naam": "d"}]})
    assert bad.status == 400
    assert not [row for row in sandbox.rows("account") if row["name"] == "c"]
    updates = [{**kind, "accountid": one, "telephone1": "1"}, {**kind, "accountid": two, "telephone1": "2"}]
    assert api.post("accounts/Microsoft.Dynamics.CRM.UpdateMultiple", {"Targets": updates}).status == 204
    assert [sandbox.row("account", row_id)["telephone1"] for row_id in (one, two)] == ["1", "2"]
    assert api.post("accounts/Microsoft.Dynamics.CRM.CreateMultiple", {"Targets": [{"name": "untyped"}]}).status == 400


def test_deleting_a_row_clears_the_lookups_that_pointed_at_it(api: Api, sandbox: Sandbox) -> None:
    """Table relationship behavior: Remove Link."""
    assert api.delete(f"contacts({ID['gwen']})").status == 204
    ridgeway = sandbox.row("account", ID["ridgeway"])
    assert ridgeway["mag_primarybillingcontactid"] is None


def test_a_product_is_made_as_a_draft_and_becomes_active_by_an_update(api: Api, sandbox: Sandbox) -> None:
    """Set up products: a product without a family is Draft until it is activated (Create products in active state: No)."""
    body = {
        "name": "New",
        "productnumber": "NEW",
        "quantitydecimal": 2,
        "defaultuomid@odata.bind": f"/uoms({ID['primary unit']})",
        "defaultuomscheduleid@odata.bind": f"/uomschedules({ID['default unit units']})",
    }
    product = api.post("products", body).id
    assert (sandbox.row("product", product)["statecode"], sandbox.row("product", product)["statuscode"]) == (2, 0)
    assert api.patch(f"products({product})", {"statecode": 0, "statuscode": 1}).status == 204
    assert (sandbox.row("product", product)["statecode"], sandbox.row("product", product)["statuscode"]) == (0, 1)
    assert sandbox.row("product", ID["book"])["statecode"] == 0
