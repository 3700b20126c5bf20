"""Installing, checking, upgrading and uninstalling, through the stand-in's Web API over TLS."""

import io
import zipfile
from dataclasses import fields
from typing import Any

import pytest

from sandbox.dataverse import bare as bare_tables
from sandbox.dataverse import customizing, package, security
from sandbox.dataverse.demo_company import ID
from solution import build
from solution.install import importing, installing, uninstalling
from solution.install.change import Kind
from solution.install.installing import Wishes
from solution.install.people import SERVICE
from solution.install.problem import Problem, Refused, Unknown
from solution.install.web_api import WebApi, address
from solution.model import MODEL, TableModel
from solution.publisher import UNIQUE_NAME, VERSION
from solution.schema import TABLES
from solution.table import entity_set
from tests.solution.environments import CLIENT_ID, SALESPERSON, Place

WEBHOOK = "https://connector.example.net/webhooks/dataverse"
DEFAULTED = {"boolean", "choice", "state", "status"}  # Dataverse keeps defaults of these alone


def as_dataverse_has_it(table: TableModel) -> dict[str, Any]:
    """Return what a table's rows obey: all of the model but the words of system columns, and defaults Dataverse has not."""
    found = {field.name: getattr(table, field.name) for field in fields(table)}
    found["columns"] = {
        name: {
            **{field.name: getattr(column, field.name) for field in fields(column)},
            "description": column.description if column.custom else "",
            "default": column.default if column.type in DEFAULTED else None,
        }
        for name, column in table.columns.items()
    }
    found["description"] = table.description if table.custom else ""
    return found


def assert_complete(place: Place) -> None:
    """Hold what is installed against the schema, table by table."""
    model = place.sandbox.environment.model
    for name, table in MODEL.items():
        there, wanted = as_dataverse_has_it(model[name]), as_dataverse_has_it(table)
        there["many_to_many"] = {nav: end for nav, end in there["many_to_many"].items() if nav != bare_tables.APP_ROLES}
        assert there == wanted, name
    assert place.sandbox.environment.store.facts("unpublished") == {}


def older(*, managed: bool) -> bytes:
    """Return our solution file as an older version: another label, shorter ids, a file of another content."""

    def change(text: str) -> str:
        assert "<MaxLength>36<" in text
        return text.replace('description="Synched With Xero"', 'description="Synced"').replace("<MaxLength>36<", "<MaxLength>20<")

    return _rewritten(build.package(managed=managed), "0.0.9.0", change)


def with_column(name: str, version: str, *, managed: bool) -> bytes:
    """Return our solution file as an older version whose payments had one more column, a copy of mag_reference."""

    def add(text: str) -> str:
        payment = text.index('<entity Name="mag_payment">')
        start = text.index('<attribute PhysicalName="mag_reference">', payment)
        end = text.index("</attribute>", start) + len("</attribute>")
        return text[:end] + text[start:end].replace("mag_reference", name) + text[end:]

    return _rewritten(build.package(managed=managed), version, add)


def _rewritten(data: bytes, version: str, change: Any) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            text = old.read(name)
            if name == "solution.xml":
                text = text.replace(f"<Version>{VERSION}<".encode(), f"<Version>{version}<".encode())
            if name == "customizations.xml":
                text = change(text.decode()).encode()
            new.writestr(name, text)
    return buffer.getvalue()


def put_in(place: Place, data: bytes) -> None:
    """Import a file behind the installer's back."""
    package.Importer(place.sandbox.environment, package.opened(data)).run()
    customizing.settle_indexes(place.sandbox.environment)


# ── what is there before and after ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_bare_environment_knows_nothing_of_ours(bare: Place):
    api = bare.api()

    with pytest.raises(Refused) as column:
        api.get("invoices?$select=mag_addtoxero")
    with pytest.raises(Refused) as table:
        api.get("mag_xeroconnectors")

    assert (column.value.status, column.value.code) == (400, "0x80060888")
    assert table.value.status == 404


@pytest.mark.parametrize(
    ("managed", "by_metadata"), [(False, False), (True, False), (False, True)], ids=["unmanaged", "managed", "metadata api"]
)
def test_installing_makes_everything_appear_and_a_second_run_has_nothing_to_do(bare: Place, managed: bool, by_metadata: bool):
    wishes: dict[str, Any] = {"managed": managed, "by_metadata": by_metadata, "client_id": CLIENT_ID}

    bare.install(**wishes)

    assert_complete(bare)
    assert f"The application user has all {len(SERVICE.privileges)} privileges." in bare.told
    assert bare.said[-1] == f"{UNIQUE_NAME} {VERSION} is installed and complete."
    (solution,) = [row for row in bare.sandbox.rows("solution") if row["uniquename"] == UNIQUE_NAME]
    assert (solution["version"], bool(solution["ismanaged"])) == (VERSION, managed)
    again = bare.install(**wishes)
    assert again.writes == (0 if managed else 1)  # it publishes: the run before may have stopped before that
    assert installing.check(bare.api(), Wishes(**wishes)) == []


def test_what_is_installed_can_be_used(bare: Place):
    bare.install(client_id=CLIENT_ID)
    connector = WebApi(bare.url, lambda: bare.sandbox.token())

    made = connector.write("POST", "mag_taxrates", {"mag_name": "15% GST", "mag_taxtype": "OUTPUT2"})
    invoice = {"name": "Consulting", "customerid_account@odata.bind": f"/accounts({ID['ridgeway']})", "mag_addtoxero": True}
    flagged = connector.write("POST", "invoices", invoice)

    assert connector.get(f"mag_taxrates({made['id']})")["mag_taxtype"] == "OUTPUT2"
    assert [row["name"] for row in connector.rows("invoices?$filter=mag_addtoxero eq true")] == ["Consulting"]
    assert flagged["id"]


def test_progress_is_polled_and_shown(bare: Place):
    bare.sandbox.environment.import_time *= 20

    bare.install()

    shown = [line for line in bare.said if line.startswith("Importing: ")]
    assert len(shown) > 5
    assert shown[-1] == "Importing: 100 %."


def test_a_page_can_import_step_by_step(bare: Place):
    api = bare.api()

    job = importing.begin(api, build.package(managed=False))
    first = importing.progress(api, job)
    bare.pause(1)
    second = importing.progress(api, job)
    bare.pause(60)
    third = importing.progress(api, job)

    assert (first.done, second.done, third.done) == (False, False, True)
    assert first.percent < second.percent < third.percent == 100


# ── check ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_check_changes_nothing_and_lists_what_is_missing(bare: Place):
    api = bare.api()

    found = installing.check(api, Wishes(client_id=CLIENT_ID, webhook_url=WEBHOOK))

    assert api.writes == 0
    assert {change.kind for change in found} == {Kind.MISSING}
    lines = [str(change) for change in found]
    assert "missing   table mag_payment: Payment" in lines
    assert "missing   column invoice.mag_addtoxero: Add to Xero" in lines
    assert "missing   relationship mag_invoicedetail_trackingoption: Tracking Options" in lines
    assert any(line.startswith("missing   key mag_payment_xeropaymentid of mag_payment") for line in lines)


def test_check_tells_what_somebody_changed(installed: Place):
    environment, api = installed.sandbox.environment, installed.api()
    customizing.delete_key(environment, "mag_payment", "mag_payment_xeropaymentid")
    path = "EntityDefinitions(LogicalName='invoice')/Attributes(LogicalName='mag_reference')"
    there = api.get(path)
    short = {name: value for name, value in there.items() if name != "@odata.context"} | {"MaxLength": 100}
    api.write("PUT", path, short)
    text = {"SchemaName": "mag_theirs", "DisplayName": there["DisplayName"], "MaxLength": 50}
    theirs = {"@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata", **text}
    api.write("POST", "EntityDefinitions(LogicalName='invoice')/Attributes", theirs)
    (form,) = [row for row in installed.sandbox.rows("systemform") if row["name"] == "Invoice – Xero"]
    api.write("PATCH", f"systemforms({form['formid']})", {"name": "Ours"}, If_Match="*")

    lines = [str(change) for change in installing.check(installed.api(), Wishes())]

    assert lines == [
        "different column invoice.mag_reference: MaxLength: 100 instead of 255",
        "missing   key mag_payment_xeropaymentid of mag_payment: mag_xeropaymentid",
        "different form Invoice – Xero of invoice: name",
        "extra     column invoice.mag_theirs: not the connector's, or of an older version: left as it is",
    ]
    installed.install(by_metadata=True)
    assert [change.kind for change in installing.check(installed.api(), Wishes())] == [Kind.EXTRA]


# ── a run that stopped ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_half_finished_run_says_so_and_the_next_one_goes_on(bare: Place):
    bare.fault("503", "POST", "/Attributes$", skip=20)

    with pytest.raises(Problem) as stopped:
        bare.install(by_metadata=True)

    assert "Stopped at column " in stopped.value.message
    assert "changes were made and stay" in stopped.value.message
    assert "run the command again" in stopped.value.step
    assert bare.columns("mag_xeroconnector") != set()
    bare.said.clear()
    bare.install(by_metadata=True)
    assert "an earlier run stopped half-way" in bare.told
    assert_complete(bare)


def test_a_write_without_an_answer_is_not_sent_again(bare: Place):
    bare.fault("drop_after", "POST", "EntityDefinitions$", skip=2)

    with pytest.raises(Problem, match="it may have been done"):
        bare.install(by_metadata=True)

    made = [call for call in bare.sandbox.log if call.method == "POST" and call.path.endswith("EntityDefinitions")]
    assert len(made) == 3
    bare.install(by_metadata=True)
    assert_complete(bare)


def test_a_read_is_tried_again(bare: Place):
    bare.fault("503", "GET", "WhoAmI", times=2)

    assert bare.api().get("WhoAmI")["OrganizationId"]


def test_a_lost_answer_to_the_import_is_found_by_the_next_run(bare: Place):
    bare.fault("drop_after", "POST", "ImportSolutionAsync")
    with pytest.raises(Unknown):
        bare.install()

    with pytest.raises(Refused) as busy:
        bare.install()
    bare.pause(60)
    bare.install()

    assert busy.value.code == "0x80071151"
    assert "wait until it has ended" in busy.value.step
    assert_complete(bare)


# ── versions and modes ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("managed", [False, True])
def test_an_older_version_is_upgraded(bare: Place, managed: bool):
    put_in(bare, older(managed=managed))
    assert bare.sandbox.environment.model["invoice"].columns["mag_xeroid"].max_length == 20
    api = bare.api()

    with pytest.raises(Problem, match=r"Version 0\.0\.9\.0 is installed.*upgrade"):
        bare.install(managed=managed)
    installing.upgrade(api, Wishes(managed=managed), bare.say)

    assert_complete(bare)


def test_upgrading_a_managed_solution_takes_away_what_the_new_version_lacks(bare: Place):
    put_in(bare, with_column("mag_former", "0.0.9.0", managed=True))
    assert "mag_former" in bare.columns("mag_payment")

    installing.upgrade(bare.api(), Wishes(managed=True), bare.say)

    assert "mag_former" not in bare.columns("mag_payment")
    assert_complete(bare)


def test_upgrading_an_unmanaged_solution_leaves_what_is_no_longer_ours(bare: Place):
    put_in(bare, with_column("mag_former", "0.0.9.0", managed=False))

    installing.upgrade(bare.api(), Wishes(), bare.say)

    assert [str(change) for change in installing.check(bare.api(), Wishes())] == [
        "extra     column mag_payment.mag_former: not the connector's, or of an older version: left as it is"
    ]


def test_upgrading_by_the_metadata_api_sets_the_version_last(bare: Place):
    put_in(bare, with_column("mag_former", "0.0.9.0", managed=False))
    api = bare.api(solution=UNIQUE_NAME)
    customizing.delete_key(bare.sandbox.environment, "mag_taxrate", "mag_taxrate_connector_taxtype")

    installing.upgrade(api, Wishes(by_metadata=True), bare.say)

    changed = [line for line in bare.said if line.startswith("[")]
    assert changed[-1].endswith(f"solution {UNIQUE_NAME}")
    found = importing.installed(api)
    assert found is not None
    assert found.version == VERSION


@pytest.mark.parametrize("run", [installing.install, installing.upgrade])
def test_a_newer_version_is_left_alone(installed: Place, run: Any):
    api = installed.api()
    (solution,) = installed.sandbox.rows("solution")
    installed.sandbox.environment.seed("solution", solutionid=solution["solutionid"], version="9.0.0.0")

    with pytest.raises(Problem, match=r"9\.0\.0\.0 is installed, newer than this one.*Nothing was changed"):
        run(api, Wishes(), installed.say)

    assert api.writes == 0


def test_there_is_nothing_to_upgrade_in_a_bare_environment(bare: Place):
    with pytest.raises(Problem, match="not installed here"):
        installing.upgrade(bare.api(), Wishes(), bare.say)


def test_the_two_kinds_do_not_mix(installed: Place):
    api = installed.api()

    with pytest.raises(Problem, match="The unmanaged solution is installed here"):
        installing.install(api, Wishes(managed=True), installed.say)
    with pytest.raises(Refused) as refused:
        importing.begin(api, build.package(managed=True))

    assert refused.value.code == "0x80048040"
    assert "without --managed" in refused.value.step


# ── what stands in the way ──────────────────────────────────────────────────────────────────────────────────────────────────────


def somebodys_column(place: Place) -> None:
    """Let somebody have made invoice.mag_reference as several lines of text."""
    environment = place.sandbox.environment
    environment.seed("publisher", uniquename="theirs", friendlyname="Theirs", customizationprefix="mag")
    label = {"LocalizedLabels": [{"Label": "Reference", "LanguageCode": 1033}]}
    body = {"@odata.type": "Microsoft.Dynamics.CRM.MemoAttributeMetadata", "SchemaName": "mag_reference", "DisplayName": label}
    place.api().write("POST", "EntityDefinitions(LogicalName='invoice')/Attributes", {**body, "MaxLength": 2000})


@pytest.mark.parametrize("by_metadata", [False, True])
def test_a_column_of_the_same_name_and_another_type_stops_everything_before_it_begins(bare: Place, by_metadata: bool):
    somebodys_column(bare)

    with pytest.raises(Problem) as conflict:
        bare.install(by_metadata=by_metadata)

    assert "conflict  column invoice.mag_reference: it is a Memo, not a String" in conflict.value.message
    assert "delete the column mag_reference of Invoice" in conflict.value.message
    assert "Nothing was changed." in conflict.value.message
    assert bare.columns("invoice") == {"mag_reference"}


def test_the_log_of_a_failed_import_is_explained_component_by_component(bare: Place):
    somebodys_column(bare)
    api = bare.api()
    job = importing.begin(api, build.package(managed=False))
    bare.pause(60)

    with pytest.raises(Problem) as failed:
        importing.progress(api, job)

    lines = failed.value.message.splitlines()
    assert (
        "  attribute invoice.mag_reference: Attribute mag_reference of invoice is a memo, but a text type was specified. (0x80048033)"
        in lines
    )
    assert any(line.startswith("    → A column of that name and of another type") for line in lines)
    assert "nothing of it was kept" in failed.value.step
    assert bare.columns("invoice") == {"mag_reference"}
    assert "mag_payment" not in bare.sandbox.environment.model


def test_an_environment_without_a_privilege_of_the_role_is_told_which(bare: Place):
    environment = bare.sandbox.environment
    environment.store.delete("privilege", str(security.privilege_id(environment, "prvReadProduct")))

    with pytest.raises(Problem) as failed:
        bare.install()

    assert "asks for prvReadProduct (Global)" in failed.value.message
    assert "Dynamics 365 Sales must be installed" in failed.value.message
    assert "mag_payment" not in environment.model


def test_who_may_not_customize_is_told_who_may(bare: Place):
    api = bare.api(SALESPERSON)

    with pytest.raises(Refused) as refused:
        installing.install(api, Wishes(), bare.say)

    assert (refused.value.status, refused.value.code) == (403, "0x80040220")
    assert "System Administrator" in refused.value.step


@pytest.mark.parametrize(
    "text",
    ["", "ftp://contoso.crm.dynamics.com", "http://contoso.crm.dynamics.com", "https://user@contoso.crm.dynamics.com", "contoso"],
)
def test_what_is_no_address_of_an_environment_is_refused(text):
    with pytest.raises(Problem, match="not the address of an environment"):
        address(text)


def test_an_address_is_taken_as_people_copy_it():
    assert address(" contoso.crm4.dynamics.com/main.aspx?appid=1 ") == "https://contoso.crm4.dynamics.com"


# ── keys ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_failed_index_is_built_again_once(installed: Place):
    customizing.fail_index(installed.sandbox.environment, "mag_taxrate", "mag_taxrate_connector_taxtype")

    assert [change.detail for change in installing.check(installed.api(), Wishes())] == ["its index is Failed"]
    installed.install()

    assert "The index of the key mag_taxrate_connector_taxtype failed: asking Dataverse to build it again." in installed.said
    assert installing.check(installed.api(), Wishes()) == []


def test_an_index_that_cannot_be_built_names_the_rows_to_look_at(installed: Place):
    environment, api = installed.sandbox.environment, installed.api()
    customizing.delete_key(environment, "mag_payment", "mag_payment_xeropaymentid")
    for name in ("first", "second"):
        api.write("POST", "mag_payments", {"mag_name": name, "mag_xeropaymentid": "same"})

    with pytest.raises(Problem) as failed:
        installed.install(by_metadata=True)

    assert "failed twice: rows of mag_payment share the same mag_xeropaymentid" in failed.value.message
    assert "delete or change the doubles" in failed.value.step
    second = next(row for row in installed.sandbox.rows("mag_payment") if row["mag_name"] == "second")
    api.write("DELETE", f"mag_payments({second['mag_paymentid']})")
    installed.install(by_metadata=True)
    assert installing.check(installed.api(), Wishes()) == []


# ── the application user ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_missing_privileges_are_listed_and_given_back(installed: Place):
    environment, role = installed.sandbox.environment, SERVICE.id.strip("{}")
    held = security.granted(environment, role)
    lost = {str(security.privilege_id(environment, name)) for name in ("prvWriteInvoice", "prvReadmag_taxrate")}
    weak = str(security.privilege_id(environment, "prvReadAccount"))
    kept = {found: "Basic" if found == weak else depth for found, depth in held.items() if found not in lost}
    security.grant(environment, role, kept, replace=True)

    lines = [str(change) for change in installing.check(installed.api(), Wishes(client_id=CLIENT_ID))]

    assert [line.split("\n")[0] for line in lines] == [
        "different role Xero Connector Service: lacks prvReadAccount, prvReadmag_taxrate, prvWriteInvoice",
        "missing   privilege prvReadAccount for Global (has it for Basic): of the application user",
        "missing   privilege prvReadmag_taxrate for Global: of the application user",
        "missing   privilege prvWriteInvoice for Global: of the application user",
    ]
    installed.install(client_id=CLIENT_ID, by_metadata=True)
    assert installing.check(installed.api(), Wishes(client_id=CLIENT_ID)) == []


def test_a_disabled_application_user_is_explained(installed: Place):
    installed.sandbox.environment.seed("systemuser", systemuserid=ID["connector user"], isdisabled=True)

    with pytest.raises(Problem, match="is disabled") as problem:
        installed.install(client_id=CLIENT_ID)

    assert "activate it" in problem.value.step


def test_the_application_user_by_hand_when_dataverse_does_not_allow_it(bare: Place):
    bare.fault("500", "POST", "/systemusers$")

    with pytest.raises(Problem, match="did not let us make the application user") as problem:
        bare.install(client_id=CLIENT_ID)

    assert "New app user" in problem.value.step
    assert "Xero Connector Service" in problem.value.step
    bare.install(client_id=CLIENT_ID)
    (user,) = [row for row in bare.sandbox.rows("systemuser") if row["applicationid"] == CLIENT_ID]
    assert user["accessmode"] == 4


def test_a_user_that_lacks_only_the_role_is_given_it(installed: Place):
    with installed.sandbox.environment.store.transaction():
        installed.sandbox.environment.store.query(
            "DELETE FROM systemuserroles WHERE systemuser = ? RETURNING role", (ID["connector user"],)
        )

    lines = [str(change) for change in installing.check(installed.api(), Wishes(client_id=CLIENT_ID))]
    installed.install(client_id=CLIENT_ID)

    assert lines == [f"missing   role Xero Connector Service of the application user {CLIENT_ID}"]
    assert "Gave it the role Xero Connector Service." in installed.said


# ── webhooks ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_webhooks_are_registered_with_their_secret(installed: Place):
    installed.install(webhook_url=WEBHOOK, webhook_secret="key-of-the-function")

    (endpoint,) = installed.sandbox.rows("serviceendpoint")
    assert {name: endpoint[name] for name in ("url", "contract", "authtype", "authvalue")} == {
        "url": WEBHOOK,
        "contract": 8,
        "authtype": 4,
        "authvalue": "key-of-the-function",
    }
    steps = {row["name"]: row for row in installed.sandbox.rows("sdkmessageprocessingstep")}
    assert set(steps) == {
        "Xero Connector: Create of invoice",
        "Xero Connector: Update of invoice",
        "Xero Connector: Delete of invoice",
        "Xero Connector: Create of mag_creditnote",
        "Xero Connector: Update of mag_creditnote",
    }
    assert {(row["stage"], row["mode"]) for row in steps.values()} == {(40, 1)}
    watched = str(steps["Xero Connector: Update of invoice"]["filteringattributes"]).split(",")
    assert "mag_addtoxero" in watched
    assert set(watched) <= set(MODEL["invoice"].columns)
    assert installing.check(installed.api(), Wishes(webhook_url=WEBHOOK)) == []


def test_a_moved_function_app_and_a_changed_step_are_put_right(installed: Place):
    wishes = {"webhook_url": WEBHOOK, "webhook_secret": "key"}
    installed.install(**wishes)
    (step,) = [
        row for row in installed.sandbox.rows("sdkmessageprocessingstep") if str(row["name"]).endswith("Update of invoice")
    ]
    installed.sandbox.environment.seed(
        "sdkmessageprocessingstep", sdkmessageprocessingstepid=step["sdkmessageprocessingstepid"], filteringattributes="name"
    )

    installed.install(webhook_url="https://moved.example.net/webhooks/dataverse", webhook_secret="new")

    (endpoint,) = installed.sandbox.rows("serviceendpoint")
    assert (endpoint["url"], endpoint["authvalue"]) == ("https://moved.example.net/webhooks/dataverse", "new")
    assert len(installed.sandbox.rows("sdkmessageprocessingstep")) == 5


def test_a_new_secret_is_written_where_the_old_one_was(installed: Place):
    installed.install(webhook_url=WEBHOOK, webhook_secret="old")

    installed.install(webhook_url=WEBHOOK, webhook_secret="new")

    (endpoint,) = installed.sandbox.rows("serviceendpoint")
    assert endpoint["authvalue"] == "new"


@pytest.mark.parametrize(
    ("url", "secret", "says"), [(WEBHOOK, "", "needs its secret"), ("http://x.example", "s", "not an https address")]
)
def test_a_webhook_without_secret_or_encryption_is_refused(installed: Place, url: str, secret: str, says: str):
    with pytest.raises(Problem, match=says):
        installed.install(webhook_url=url, webhook_secret=secret)


# ── uninstall ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("managed", "by_metadata"), [(False, False), (True, False), (False, True)])
def test_uninstalling_leaves_the_environment_as_it_was(bare: Place, managed: bool, by_metadata: bool):
    if by_metadata:
        bare.install(by_metadata=True, webhook_url=WEBHOOK, webhook_secret="s")
    else:
        put_in(bare, build.package(managed=managed))
    api = bare.api()

    uninstalling.uninstall(api, importing.installed(api), bare.say)

    model = bare.sandbox.environment.model
    wanted = bare_tables.tables()
    assert {name: as_dataverse_has_it(table) for name, table in model.items()} == {
        name: as_dataverse_has_it(table) for name, table in wanted.items()
    }
    for table in ("systemform", "savedquery", "sitemap", "webresource", "solutioncomponent", "serviceendpoint", "appmodule"):
        assert bare.sandbox.rows(table) == [], table
    assert {row["name"] for row in bare.sandbox.rows("role")} == {"System Administrator", "Salesperson"}
    assert bare.sandbox.environment.store.facts("choice") == {}
    bare.install()
    assert_complete(bare)


def test_uninstalling_says_what_would_be_lost(installed: Place):
    api = installed.api()
    for number in range(3):
        api.write("POST", "mag_payments", {"mag_name": f"{number}", "mag_xeropaymentid": f"p{number}"})
    invoice = {"name": "x", "customerid_account@odata.bind": f"/accounts({ID['ridgeway']})", "mag_xeroid": "a"}
    api.write("POST", "invoices", invoice)

    assert list(uninstalling.losses(api)) == ["3 Payments", "the Xero columns of 1 Invoices"]


def test_a_half_finished_uninstall_is_gone_on_with(installed: Place):
    installed.fault("503", "DELETE", "EntityDefinitions", skip=30)
    api = installed.api()
    with pytest.raises(Refused):
        uninstalling.uninstall(api, importing.installed(api), installed.say)

    uninstalling.uninstall(api, importing.installed(api), installed.say)

    assert not [name for name in installed.sandbox.environment.model if name.startswith("mag_")]


def test_what_a_form_of_theirs_shows_cannot_be_uninstalled(bare: Place):
    put_in(bare, build.package(managed=True))
    xml = '<form><tabs><tab><control id="a" datafieldname="mag_addtoxero"/></tab></tabs></form>'
    api = bare.api()
    api.write("POST", "systemforms", {"name": "Theirs", "objecttypecode": "invoice", "type": 2, "formxml": xml})

    with pytest.raises(Refused, match="System Form Theirs") as refused:
        uninstalling.uninstall(api, importing.installed(api), bare.say)

    assert "Take away what uses it" in refused.value.step
    assert "mag_addtoxero" in bare.columns("invoice")


# ── a log as Dataverse writes it ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_log_of_missing_dependencies_is_explained():
    log = """<importexportxml start="0" progress="35"><solutionManifests><solutionManifest id="mag_xeroconnector" processed="true">
      <result result="failure" errorcode="0x80048033" errortext="The import of solution: mag_xeroconnector failed."/>
      <MissingDependencies><MissingDependency>
        <Required type="1" schemaName="invoice" displayName="Invoice" solution="msdynce_Sales (9.0)"/><Dependent type="60"/>
      </MissingDependency></MissingDependencies></solutionManifest></solutionManifests>
      <entities><entity id="{1}" LocalizedName="Payment"><result result="success" errorcode="0" errortext=""/></entity></entities>
    </importexportxml>"""

    (line,) = importing.explained(log)

    assert line == "  Invoice of msdynce_Sales (9.0) is missing.\n    → Install it first, then install again."


def test_a_log_that_is_no_xml_explains_nothing():
    assert list(importing.explained("")) == []


def test_every_table_is_counted_by_the_address_dataverse_gives_it():
    assert {entity_set(table.name) for table in TABLES if not table.custom} == {
        "invoices",
        "invoicedetails",
        "accounts",
        "contacts",
    }
