"""What the metadata Web API and an import refuse, and what they make: the stand-in held to the platform's rules.

Sources: Microsoft Learn, "Create and update table definitions using the Web API", "Define alternate keys using code",
"Create and update relationship definitions", "Solution staging, with asynchronous import and export".
"""

import base64
import io
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from sandbox.dataverse import Sandbox, create_app, customizing
from sandbox.dataverse.demo_company import ID
from sandbox.dataverse.environment import derived_id
from solution import build
from solution.publisher import VERSION
from tests import images
from tests.sandbox.dataverse.conftest import NOW, Api, Reply

CRM = "Microsoft.Dynamics.CRM."
TABLES = "EntityDefinitions"
INVOICE = "EntityDefinitions(LogicalName='invoice')"
IMPORT = {"OverwriteUnmanagedCustomizations": True, "PublishWorkflows": True}


def label(text: str) -> dict[str, Any]:
    return {"LocalizedLabels": [{"Label": text, "LanguageCode": 1033}]}


def text_column(name: str = "mag_note", **more: Any) -> dict[str, Any]:
    return {
        "@odata.type": f"{CRM}StringAttributeMetadata",
        "SchemaName": name,
        "DisplayName": label("Note"),
        "MaxLength": 100,
        "FormatName": {"Value": "Text"},
        **more,
    }


def table(name: str = "mag_thing", **more: Any) -> dict[str, Any]:
    return {
        "SchemaName": name,
        "DisplayName": label("Thing"),
        "DisplayCollectionName": label("Things"),
        "OwnershipType": "UserOwned",
        "Attributes": [text_column("mag_name", IsPrimaryName=True)],
        **more,
    }


@pytest.fixture
def bare() -> Iterator[Flask]:
    made = images.dataverse(lambda: NOW, bare=True)
    made.extensions["sandbox"].environment.seed(
        "publisher", uniquename="ours", friendlyname="Ours", customizationprefix="mag", customizationoptionvalueprefix=41114
    )
    yield made
    made.extensions["sandbox"].close()


@pytest.fixture
def admin(bare: Flask) -> Api:
    sandbox: Sandbox = bare.extensions["sandbox"]
    return Api(sandbox, bare.test_client(), sandbox.person_token("aroha.ngata@kowhai.example"))


@pytest.fixture
def seller(bare: Flask) -> Api:
    sandbox: Sandbox = bare.extensions["sandbox"]
    return Api(sandbox, bare.test_client(), sandbox.person_token("tomasi.faleolo@kowhai.example"))


def made(answer: Reply) -> Reply:
    assert answer.status == 204, answer.text
    return answer


# ── tables and columns ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_table_made_can_be_used_at_once(admin: Api):
    identity = made(admin.post(TABLES, table(EntitySetName="mag_things"))).id

    row = made(admin.post("mag_things", {"mag_name": "one"})).id

    assert admin.get(f"mag_things({row})").json["mag_name"] == "one"
    assert identity == derived_id("table", "mag_thing")
    definition = admin.get(f"{TABLES}(LogicalName='mag_thing')").json
    assert (definition["EntitySetName"], definition["IsCustomEntity"], definition["OwnershipType"]) == (
        "mag_things",
        True,
        "UserOwned",
    )
    assert 'EntityType Name="mag_thing"' in admin.get("$metadata").text


def test_a_new_table_brings_its_privileges_and_messages(admin: Api):
    made(admin.post(TABLES, table("mag_Thing")))

    names = {row["name"] for row in admin.sandbox.rows("privilege")}
    assert {"prvReadmag_Thing", "prvAssignmag_Thing"} <= names
    filters = [row for row in admin.sandbox.rows("sdkmessagefilter") if row["primaryobjecttypecode"] == "mag_thing"]
    assert len(filters) == 5


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        (table("thing"), "0x80040203", "customization prefix"),
        (table("new_thing"), "0x80040203", "customization prefix"),
        (table(Attributes=[text_column("mag_name")]), "0x80040203", "primary attribute"),
        (table(OwnershipType="BusinessOwned"), "0x80040203", "ownership type"),
        (table(DisplayName="Thing"), "0x80048d19", "Label"),
        (table(SchemaName=""), "0x80040203", "SchemaName"),
    ],
)
def test_a_table_that_cannot_be_is_refused(admin: Api, body: dict[str, Any], code: str, says: str):
    answer = admin.post(TABLES, body)

    assert (answer.status, answer.code) == (400, code)
    assert says in answer.message
    assert "mag_thing" not in admin.sandbox.environment.model


def test_a_second_table_or_column_of_the_name_is_refused(admin: Api):
    made(admin.post(TABLES, table()))
    made(admin.post(f"{INVOICE}/Attributes", text_column()))

    assert admin.post(TABLES, table()).code == "0x80048403"
    again = admin.post(f"{INVOICE}/Attributes", text_column())
    assert (again.status, again.code) == (400, "0x80047013")


def test_only_a_customizer_may(seller: Api):
    for answer in (
        seller.post(TABLES, table()),
        seller.post(f"{INVOICE}/Attributes", text_column()),
        seller.post("GlobalOptionSetDefinitions", {}),
        seller.post("RelationshipDefinitions", {}),
        seller.post("StageSolution", {}),
        seller.post("PublishAllXml", {}),
        seller.post("systemforms", {"name": "x"}),
        seller.delete(f"{TABLES}(LogicalName='invoice')"),
    ):
        assert (answer.status, answer.code) == (403, "0x80040220"), answer.text


def test_a_column_appears_and_holds_what_its_type_allows(admin: Api):
    assert admin.get("invoices?$select=mag_note").status == 400
    made(admin.post(f"{INVOICE}/Attributes", text_column(MaxLength=5)))
    invoice = admin.invoice()

    assert made(admin.patch(f"invoices({invoice})", {"mag_note": "12345"}))
    assert admin.patch(f"invoices({invoice})", {"mag_note": "123456"}).code == "0x80044331"
    assert admin.get(f"invoices({invoice})?$select=mag_note").json["mag_note"] == "12345"


def test_an_amount_brings_its_currency(admin: Api):
    made(admin.post(TABLES, table(EntitySetName="mag_things")))
    amount = {"@odata.type": f"{CRM}MoneyAttributeMetadata", "SchemaName": "mag_fee", "DisplayName": label("Fee")}
    made(
        admin.post(
            f"{TABLES}(LogicalName='mag_thing')/Attributes", {**amount, "PrecisionSource": 2, "MinValue": 0, "MaxValue": 1000}
        )
    )

    row = made(admin.post("mag_things", {"mag_name": "one", "mag_fee": 12.5})).id

    found = admin.get(f"mag_things({row})").json
    assert {"mag_fee", "mag_fee_base", "_transactioncurrencyid_value", "exchangerate"} <= set(found)
    assert found["mag_fee_base"] == found["mag_fee"]


@pytest.mark.parametrize(
    "change",
    [
        {"MaxLength": 0},
        {"MaxLength": 4001},
        {"MaxLength": "100"},
        {"RequiredLevel": {"Value": "SystemRequired"}},
        {"@odata.type": f"{CRM}LookupAttributeMetadata"},
        {"@odata.type": "Edm.String"},
        {"@odata.type": f"{CRM}PicklistAttributeMetadata"},
        {
            "@odata.type": f"{CRM}PicklistAttributeMetadata",
            "GlobalOptionSet@odata.bind": "/GlobalOptionSetDefinitions(Name='no')",
        },
        {"@odata.type": f"{CRM}BooleanAttributeMetadata"},
    ],
)
def test_a_column_that_cannot_be_is_refused(admin: Api, change: dict[str, Any]):
    answer = admin.post(f"{INVOICE}/Attributes", text_column() | change)

    assert answer.status in (400, 404), answer.text
    assert "mag_note" not in admin.sandbox.environment.model["invoice"].columns


def test_a_column_changes_within_its_type_only(admin: Api):
    made(admin.post(f"{INVOICE}/Attributes", text_column()))
    path = f"{INVOICE}/Attributes(LogicalName='mag_note')"
    invoice = admin.invoice(mag_note="0123456789")

    made(admin.send("PUT", path, text_column(MaxLength=200, DisplayName=label("Remark"))))
    longer = admin.get(path).json
    shorter = admin.send("PUT", path, text_column(MaxLength=5))
    other = admin.send("PUT", path, text_column() | {"@odata.type": f"{CRM}MemoAttributeMetadata"})

    assert (longer["MaxLength"], longer["DisplayName"]["UserLocalizedLabel"]["Label"]) == (200, "Remark")
    assert (shorter.status, other.status) == (400, 400)
    assert "cannot be changed to memo" in other.message
    assert admin.get(f"invoices({invoice})?$select=mag_note").json["mag_note"] == "0123456789"


def test_a_column_goes_with_what_it_held(admin: Api):
    made(admin.post(f"{INVOICE}/Attributes", text_column()))
    admin.invoice(mag_note="kept?")

    made(admin.delete(f"{INVOICE}/Attributes(LogicalName='mag_note')"))
    made(admin.post(f"{INVOICE}/Attributes", text_column()))

    assert [row["mag_note"] for row in admin.get("invoices?$select=mag_note").values] == [None]
    assert admin.delete(f"{INVOICE}/Attributes(LogicalName='name')").status == 400


# ── relationships, choices, keys ────────────────────────────────────────────────────────────────────────────────────────────────


def one_to_many(name: str = "mag_thing_invoice", **more: Any) -> dict[str, Any]:
    return {
        "@odata.type": f"{CRM}OneToManyRelationshipMetadata",
        "SchemaName": name,
        "ReferencedEntity": "invoice",
        "ReferencingEntity": "mag_thing",
        "CascadeConfiguration": {"Delete": "Restrict"},
        "Lookup": {"SchemaName": "mag_InvoiceId", "DisplayName": label("Invoice")},
        **more,
    }


def test_a_lookup_is_bound_by_its_schema_name(admin: Api):
    made(admin.post(TABLES, table(EntitySetName="mag_things")))
    made(admin.post("RelationshipDefinitions", one_to_many()))
    invoice = admin.invoice()

    wrong_case = admin.post("mag_things", {"mag_invoiceid@odata.bind": f"/invoices({invoice})"})
    row = made(admin.post("mag_things", {"mag_name": "a", "mag_InvoiceId@odata.bind": f"/invoices({invoice})"})).id

    assert wrong_case.status == 400
    assert admin.get(f"mag_things({row})").json["_mag_invoiceid_value"] == invoice
    assert [one["mag_name"] for one in admin.get(f"invoices({invoice})/mag_thing_invoice").values] == ["a"]
    assert admin.delete(f"invoices({invoice})").status == 405


def test_a_relationship_goes_with_its_lookup_and_keeps_its_tables(admin: Api):
    made(admin.post(TABLES, table()))
    made(admin.post("RelationshipDefinitions", one_to_many()))
    assert admin.post("RelationshipDefinitions", one_to_many()).code == "0x80048418"
    assert admin.delete(f"{TABLES}(LogicalName='mag_thing')").status == 204
    assert "mag_thing_invoice" not in admin.sandbox.environment.model["invoice"].one_to_many
    assert admin.get("RelationshipDefinitions(SchemaName='mag_thing_invoice')").status == 404


def test_a_table_something_points_at_stays(admin: Api):
    made(admin.post(TABLES, table()))
    pointing = one_to_many("mag_invoice_thing", ReferencedEntity="mag_thing", ReferencingEntity="invoice")
    made(admin.post("RelationshipDefinitions", pointing))

    refused = admin.delete(f"{TABLES}(LogicalName='mag_thing')")

    assert (refused.status, refused.code) == (400, "0x8004f01f")
    assert "invoice.mag_invoiceid" in refused.message


def test_many_to_many_links_rows_of_two_tables(admin: Api):
    body = {
        "@odata.type": f"{CRM}ManyToManyRelationshipMetadata",
        "SchemaName": "mag_invoice_contact",
        "Entity1LogicalName": "invoice",
    }
    made(
        admin.post(
            "RelationshipDefinitions", {**body, "Entity2LogicalName": "contact", "IntersectEntityName": "mag_invoice_contact"}
        )
    )
    invoice = admin.invoice()

    made(admin.post(f"invoices({invoice})/mag_invoice_contact/$ref", {"@odata.id": f"/contacts({ID['gwen']})"}))

    assert [row["contactid"] for row in admin.get(f"invoices({invoice})/mag_invoice_contact").values] == [ID["gwen"]]
    made(admin.delete("RelationshipDefinitions(SchemaName='mag_invoice_contact')"))
    assert admin.get(f"invoices({invoice})/mag_invoice_contact").status == 400


def choice(*values: int) -> dict[str, Any]:
    options = [{"Value": value, "Label": label(f"Option {value}")} for value in values]
    return {"Name": "mag_size", "DisplayName": label("Size"), "IsGlobal": True, "OptionSetType": "Picklist", "Options": options}


def test_an_option_added_may_be_chosen(admin: Api):
    identity = made(admin.post("GlobalOptionSetDefinitions", choice(411140000))).id
    picklist = text_column("mag_size", **{"GlobalOptionSet@odata.bind": f"/GlobalOptionSetDefinitions({identity})"})
    made(admin.post(f"{INVOICE}/Attributes", picklist | {"@odata.type": f"{CRM}PicklistAttributeMetadata"}))
    invoice = admin.invoice()
    assert admin.patch(f"invoices({invoice})", {"mag_size": 411140001}).code == "0x8004431a"

    added = admin.post("InsertOptionValue", {"OptionSetName": "mag_size", "Value": 411140001, "Label": label("Large")})

    assert added.json["NewOptionValue"] == 411140001
    made(admin.patch(f"invoices({invoice})", {"mag_size": 411140001}))
    assert admin.delete("GlobalOptionSetDefinitions(Name='mag_size')").code == "0x8004f01f"
    assert admin.post("GlobalOptionSetDefinitions", choice(1)).status == 400


def test_a_key_serves_when_its_index_is_built(admin: Api):
    made(admin.post(f"{INVOICE}/Attributes", text_column()))
    made(
        admin.post(
            f"{INVOICE}/Keys", {"SchemaName": "mag_byNote", "DisplayName": label("By note"), "KeyAttributes": ["mag_note"]}
        )
    )

    def status() -> str:
        (key,) = admin.get(f"{INVOICE}/Keys").values
        return str(key["EntityKeyIndexStatus"])

    assert status() == "Pending"
    assert admin.patch("invoices(mag_note='x')", {"name": "x"}).code == "0x80060890"
    admin.sandbox.clock.advance(1.5)
    assert status() == "InProgress"
    admin.sandbox.clock.advance(1)
    assert status() == "Active"
    body = {"name": "x", "customerid_account@odata.bind": f"/accounts({ID['ridgeway']})"}
    assert made(admin.patch("invoices(mag_note='x')", body))


def test_a_key_over_doubles_fails_until_they_are_gone(admin: Api):
    made(admin.post(f"{INVOICE}/Attributes", text_column()))
    first, _ = (admin.invoice(mag_note="same") for _ in range(2))
    made(
        admin.post(
            f"{INVOICE}/Keys", {"SchemaName": "mag_byNote", "DisplayName": label("By note"), "KeyAttributes": ["mag_note"]}
        )
    )
    ask = {"EntityLogicalName": "invoice", "EntityKeyLogicalName": "mag_bynote"}
    assert admin.post("ReactivateEntityKey", ask).status == 400
    admin.sandbox.clock.advance(5)
    assert customizing.index_status(admin.sandbox.environment, "invoice", "mag_bynote") == "Failed"

    made(admin.delete(f"invoices({first})"))
    made(admin.post("ReactivateEntityKey", ask))
    admin.sandbox.clock.advance(5)

    assert customizing.index_status(admin.sandbox.environment, "invoice", "mag_bynote") == "Active"


@pytest.mark.parametrize("columns", [["mag_none"], [], ["description"], ["name", "billto_line1"]])
def test_a_key_that_cannot_be_is_refused(admin: Api, columns: list[str]):
    """900 bytes, and no text of several lines ("Define alternate keys")."""
    body = {"SchemaName": "mag_key", "DisplayName": label("Key"), "KeyAttributes": columns}

    assert admin.post(f"{INVOICE}/Keys", body).status in (400, 404)


# ── importing ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def rezipped(change: Any) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(build.package(managed=False))) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            if (content := change(name, old.read(name))) is not None:
                new.writestr(name, content)
    return buffer.getvalue()


def staged(admin: Api, data: bytes) -> Reply:
    return admin.post("StageSolution", {"CustomizationFile": base64.b64encode(data).decode()})


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda name, data: None if name == "solution.xml" else data, "no solution.xml"),
        (lambda name, data: None if name == "[Content_Types].xml" else data, "no [Content_Types].xml"),
        (lambda name, data: data[:-20] if name == "customizations.xml" else data, "not well-formed"),
        (lambda name, data: data.replace(b"<Managed>0<", b"<Managed>maybe<"), "not valid"),
        (lambda name, data: data.replace(b"<Version>" + VERSION.encode(), b"<Version>one"), "not valid"),
        (lambda name, data: data.replace(b"<Roles>", b"<Rolls>").replace(b"</Roles>", b"</Rolls>"), "'Rolls' is not known"),
    ],
)
def test_a_broken_file_is_not_staged(admin: Api, change: Any, says: str):
    answer = staged(admin, rezipped(change))

    assert (answer.status, answer.code) == (400, "0x8004801a")
    assert says in answer.message


def test_what_is_no_zip_is_not_staged(admin: Api):
    assert staged(admin, b"PK").code == "0x8004801a"
    assert admin.post("StageSolution", {"CustomizationFile": "%%%"}).code == "0x8004801a"


BREAKS = [
    ("mag_addtoxero</LogicalName>", "mag_other</LogicalName>", "bears different names"),
    ("<OptionSetName>mag_exportstatus<", "<OptionSetName>mag_nothing<", "non-existing global Option Set"),
    ('datafieldname="mag_addtoxero"', 'datafieldname="mag_gone"', "The form names the attribute invoice.mag_gone"),
    ('attribute name="mag_exportstatus"', 'attribute name="mag_gone"', "The view names the attribute"),
    ('Entity="mag_payment"', 'Entity="mag_gone"', "The site map leads to mag_gone"),
    ('<RolePrivilege name="prvReadInvoice"', '<RolePrivilege name="prvReadGone"', "asks for prvReadGone"),
    ("<AttributeName>mag_xeropaymentid<", "<AttributeName>mag_gone<", "Could not find an attribute"),
    ("<ReferencedEntityName>Invoice<", "<ReferencedEntityName>mag_gone<", "needs the table mag_gone"),
]


@pytest.mark.parametrize(("old", "new", "says"), BREAKS, ids=[new for _, new, _ in BREAKS])
def test_a_file_that_names_what_is_not_there_fails_as_a_whole(admin: Api, old: str, new: str, says: str):
    data = rezipped(lambda name, data: data.replace(old.encode(), new.encode()) if name == "customizations.xml" else data)
    assert old.encode() not in zipfile.ZipFile(io.BytesIO(data)).read("customizations.xml")
    upload = staged(admin, data).json["StageSolutionResults"]["StageSolutionUploadId"]

    started = admin.post("ImportSolutionAsync", {**IMPORT, "SolutionParameters": {"StageSolutionUploadId": upload}}).json
    admin.sandbox.clock.advance(5)

    operation = admin.get(f"asyncoperations({started['AsyncOperationId']})").json
    job = admin.get(f"importjobs({started['ImportJobKey']})").json
    assert (operation["statecode"], operation["statuscode"]) == (3, 31)
    assert says in job["data"]
    assert 'result="success"' in job["data"]
    assert not [name for name in admin.sandbox.environment.model if name.startswith("mag_")]
    assert admin.sandbox.rows("solution") == []


def test_an_import_takes_its_time_and_only_one_runs(admin: Api):
    data = base64.b64encode(build.package(managed=False)).decode()
    started = admin.post("ImportSolutionAsync", {**IMPORT, "CustomizationFile": data}).json

    second = admin.post("ImportSolutionAsync", {**IMPORT, "CustomizationFile": data})

    assert second.code == "0x80071151"
    assert admin.get("mag_payments").status == 404
    operation = admin.get(f"asyncoperations({started['AsyncOperationId']})").json
    assert (operation["statecode"], operation["statuscode"]) == (2, 20)
    admin.sandbox.clock.advance(5)
    assert admin.get("mag_payments").status == 200


def test_an_import_says_what_it_needs(admin: Api):
    data = base64.b64encode(build.package(managed=False)).decode()

    assert "OverwriteUnmanagedCustomizations" in admin.post("ImportSolutionAsync", {"CustomizationFile": data}).message
    assert admin.post("ImportSolutionAsync", {**IMPORT, "SolutionParameters": {"StageSolutionUploadId": "x"}}).status == 400
    assert admin.post("ImportSolution", {**IMPORT, "CustomizationFile": data}).status == 204


def test_deleting_an_unmanaged_solution_deletes_nothing_else(admin: Api):
    data = base64.b64encode(build.package(managed=False)).decode()
    made(admin.post("ImportSolution", {**IMPORT, "CustomizationFile": data}))
    (solution,) = admin.sandbox.rows("solution")

    made(admin.delete(f"solutions({solution['solutionid']})"))

    assert admin.get("mag_payments").status == 200
    assert admin.sandbox.rows("solutioncomponent") == []


def test_what_is_managed_goes_with_its_solution_only(admin: Api):
    data = base64.b64encode(build.package(managed=True)).decode()
    made(admin.post("ImportSolution", {**IMPORT, "CustomizationFile": data}))
    (solution,) = admin.sandbox.rows("solution")

    refused = admin.delete(f"{TABLES}(LogicalName='mag_xeroroute')")

    assert (refused.status, refused.code) == (400, "0x80048524")
    made(admin.delete(f"solutions({solution['solutionid']})"))
    assert admin.get("mag_payments").status == 404
    assert admin.get("invoices?$select=mag_addtoxero").status == 400


def test_a_reset_brings_the_first_tables_back(admin: Api):
    made(admin.post(TABLES, table()))

    admin.sandbox.environment.store.restore(images.image(NOW))

    assert "mag_thing" not in admin.sandbox.environment.model
    assert "mag_payment" in admin.sandbox.environment.model


def test_what_was_customized_outlives_a_restart(tmp_path: Any):
    database = str(tmp_path / "rows.sqlite")
    first: Sandbox = create_app(database, now=lambda: NOW, bare=True).extensions["sandbox"]
    first.environment.seed("publisher", uniquename="ours", friendlyname="Ours", customizationprefix="mag")
    column = first.environment.model["invoice"].columns["name"]
    customizing.add_column(
        first.environment, "invoice", type(column)("mag_note", "text", max_length=9, label="Note", custom=True)
    )
    first.close()

    second: Sandbox = create_app(database, now=lambda: NOW, bare=True).extensions["sandbox"]

    assert second.environment.model["invoice"].columns["mag_note"].max_length == 9
    second.close()


# ── security ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_privilege_is_asked_for_by_name(administrator: Api, sandbox: Sandbox):
    function = f"{CRM}RetrieveUserPrivilegeByPrivilegeName(PrivilegeName='prvWriteInvoice')"

    held = administrator.get(f"systemusers({ID['connector user']})/{function}").json["RolePrivileges"]
    lacking = administrator.get(f"systemusers({ID['user sales-north']})/{function}").json["RolePrivileges"]
    unknown = administrator.get(f"systemusers({ID['connector user']})/{function.replace('WriteInvoice', 'Nothing')}")

    assert [(one["Depth"], one["PrivilegeName"]) for one in held] == [("Global", "prvWriteInvoice")]
    assert lacking == []
    assert unknown.status == 404


def test_a_role_is_given_known_privileges_with_a_known_depth(administrator: Api, sandbox: Sandbox):
    role = derived_id("role", "salesperson")
    privilege = derived_id("privilege", "prvreadinvoice")
    path = f"roles({role})/{CRM}AddPrivilegesRole"

    assert administrator.post(path, {"Privileges": [{"PrivilegeId": privilege, "Depth": "Everywhere"}]}).status == 400
    assert administrator.post(path, {"Privileges": [{"PrivilegeId": role, "Depth": "Global"}]}).status == 400
    made(administrator.post(path, {"Privileges": [{"PrivilegeId": privilege, "Depth": "Deep"}]}))
    shown = administrator.get(f"roles({role})/{CRM}RetrieveRolePrivilegesRole()").json["RolePrivileges"]
    assert [(one["PrivilegeName"], one["Depth"]) for one in shown] == [("prvReadInvoice", "Deep")]
