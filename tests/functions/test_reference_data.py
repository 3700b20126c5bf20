"""Reference data from Xero into rows of Dataverse: known by Xero's ids, only what differs is written, nothing is lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from functions import connectors, defaults, facts, items_from_xero, reference_data
from functions.flows import BY_NAME
from functions.reference_rows import Step
from mappings.choices import XeroConnection
from sandbox.dataverse.store import Reference
from sandbox.xero.demo_company import NZ, UK
from sandbox.xero.faults import Fault
from shared.connectors import Connector
from shared.errors import ConfigurationError, NeedsReconnect, Problem, Rejected, Retryable, Throttled, WrongBooks
from shared.services import Lane
from tests.world import World

TABLES = ("mag_taxrate", "mag_xeroaccountcode", "mag_brandingtheme", "mag_trackingcategory", "mag_trackingoption")
CALLS = ("get_tax_rates", "get_accounts", "get_branding_themes", "get_tracking_categories")


@pytest.fixture
def connector(fresh_world: World) -> Connector:
    return fresh_world.connect(NZ)


def load(world: World, connector: Connector) -> dict[str, Step]:
    world.clock.move(minutes=2)
    world.dataverse.log.clear()
    steps = reference_data.load_reference_data(connector, world.services)
    return {step.title: step for step in steps}


def counts(step: Step) -> tuple[int, int, int]:
    return step.created, step.updated, step.archived


def rows(world: World, table: str, connector: Connector | None = None) -> list[dict[str, Any]]:
    found = [dict(row) for row in world.dataverse.rows(table)]
    return [row for row in found if connector is None or _id(row.get("mag_xeroconnectorid")) == connector.id]


def one(world: World, table: str, **columns: Any) -> dict[str, Any]:
    found = [row for row in rows(world, table) if all(row.get(name) == value for name, value in columns.items())]
    assert len(found) == 1, (table, columns, len(found))
    return found[0]


def _id(value: Any) -> str:
    return value.id if isinstance(value, Reference) else str(value or "")


def writes(world: World) -> list[str]:
    parts = [part for call in world.dataverse.log for part in (call.operations or [{"method": call.method, "path": call.path}])]
    return [str(part) for part in parts if "GET" not in str(part)]


def test_everything_xero_offers_becomes_a_row_by_its_own_id(fresh_world: World, connector: Connector):
    xero = fresh_world.xero
    for account in xero.documents(NZ, "account"):
        row = one(fresh_world, "mag_xeroaccountcode", mag_xeroaccountid=account["AccountID"])
        assert (row["mag_name"], row["mag_code"], row["mag_type"]) == (account["Name"], account.get("Code"), account["Type"])
        assert (row["mag_taxtype"], row["mag_class"], row["mag_status"]) == (
            account["TaxType"],
            account["Class"],
            account["Status"],
        )
        assert row["mag_description"] == (account.get("Description") or None)
        assert _id(row["mag_xeroconnectorid"]) == connector.id
    for rate in xero.documents(NZ, "tax rate"):
        row = one(fresh_world, "mag_taxrate", mag_taxtype=rate["TaxType"])
        assert (row["mag_name"], row["mag_status"]) == (rate["Name"], rate["Status"])
        assert row["mag_effectiverate"] == Decimal(str(rate["EffectiveRate"]))
        assert row["mag_canapplytorevenue"] is rate["CanApplyToRevenue"]
    for theme in xero.documents(NZ, "branding theme"):
        assert (
            one(fresh_world, "mag_brandingtheme", mag_xerobrandingthemeid=theme["BrandingThemeID"])["mag_name"] == theme["Name"]
        )
    options = 0
    for category in xero.documents(NZ, "tracking category"):
        row = one(fresh_world, "mag_trackingcategory", mag_xerotrackingcategoryid=category["TrackingCategoryID"])
        assert (row["mag_name"], row["mag_xerostatus"]) == (category["Name"], category["Status"])
        for option in category["Options"]:
            options += 1
            found = one(fresh_world, "mag_trackingoption", mag_xerotrackingoptionid=option["TrackingOptionID"])
            assert found["mag_name"] == option["Name"]
            assert _id(found["mag_trackingcategoryid"]) == row["mag_trackingcategoryid"]
    assert options == len(rows(fresh_world, "mag_trackingoption")) > 0


def test_what_is_as_it_was_is_not_written(fresh_world: World, connector: Connector):
    before = fresh_world.xero_calls()

    steps = load(fresh_world, connector)

    assert [counts(step) for step in steps.values()] == [(0, 0, 0)] * 5
    assert all(step.unchanged and not step.problems and step.error is None for step in steps.values())
    assert writes(fresh_world) == []
    assert fresh_world.xero_calls() - before == 4
    assert list(steps) == ["Tax Rates", "Account Codes", "Branding Themes", "Tracking Categories", "Tracking Options"]


def test_a_rename_changes_the_row_and_only_that_column(fresh_world: World, connector: Connector):
    account = fresh_world.xero.documents(NZ, "account")[0]
    before = one(fresh_world, "mag_xeroaccountcode", mag_xeroaccountid=account["AccountID"])
    fresh_world.xero.change(NZ, "account", account["AccountID"], Name="Renamed", Description="")

    steps = load(fresh_world, connector)

    assert counts(steps["Account Codes"]) == (0, 1, 0)
    after = one(fresh_world, "mag_xeroaccountcode", mag_xeroaccountid=account["AccountID"])
    assert (after["mag_name"], after["mag_description"]) == ("Renamed", None)
    changed = {name for name in after if after[name] != before.get(name)} - {"modifiedon", "versionnumber", "#version"}
    assert changed <= {"mag_name", "mag_description"}, changed
    assert after["mag_xeroaccountcodeid"] == before["mag_xeroaccountcodeid"]


def test_a_row_made_by_hand_is_adopted_by_its_name_and_never_doubled(fresh_world: World, connector: Connector):
    theme = fresh_world.xero.documents(NZ, "branding theme")[0]
    held = one(fresh_world, "mag_brandingtheme", mag_xerobrandingthemeid=theme["BrandingThemeID"])
    env = fresh_world.dataverse.environment
    env.delete("mag_brandingtheme", held["mag_brandingthemeid"], env.system)
    mine = "77777777-7777-7777-7777-777777777777"
    env.seed(
        "mag_brandingtheme",
        mag_brandingthemeid=mine,
        mag_name=theme["Name"].upper(),
        mag_xeroconnectorid=Reference("mag_xeroconnector", connector.id),
    )

    steps = load(fresh_world, connector)

    assert counts(steps["Branding Themes"]) == (0, 1, 0)
    adopted = one(fresh_world, "mag_brandingtheme", mag_xerobrandingthemeid=theme["BrandingThemeID"])
    assert (adopted["mag_brandingthemeid"], adopted["mag_name"]) == (mine, theme["Name"])


def test_a_row_with_another_xero_id_is_never_adopted_by_its_name(fresh_world: World, connector: Connector):
    first, second, *_ = fresh_world.xero.documents(NZ, "branding theme")
    fresh_world.xero.change(NZ, "branding theme", first["BrandingThemeID"], Name=second["Name"])
    steps = load(fresh_world, connector)
    assert counts(steps["Branding Themes"]) == (0, 1, 0)
    held = [row["mag_xerobrandingthemeid"] for row in rows(fresh_world, "mag_brandingtheme") if row["mag_name"] == second["Name"]]
    assert sorted(held) == sorted([first["BrandingThemeID"], second["BrandingThemeID"]])


def test_two_options_of_one_name_stay_with_their_own_categories(fresh_world: World, connector: Connector):
    one_category, other = fresh_world.xero.documents(NZ, "tracking category")[:2]
    env = fresh_world.dataverse.environment
    for category in (one_category, other):
        twins = [
            *category["Options"],
            {"TrackingOptionID": f"{category['TrackingCategoryID'][:-4]}abcd", "Name": "Twin", "Status": "ACTIVE"},
        ]
        fresh_world.xero.change(NZ, "tracking category", category["TrackingCategoryID"], Options=twins)
    row = one(fresh_world, "mag_trackingcategory", mag_xerotrackingcategoryid=other["TrackingCategoryID"])
    mine = "88888888-8888-8888-8888-888888888888"
    parent = Reference("mag_trackingcategory", row["mag_trackingcategoryid"])
    env.seed("mag_trackingoption", mag_trackingoptionid=mine, mag_name="Twin", mag_trackingcategoryid=parent)

    steps = load(fresh_world, connector)

    assert counts(steps["Tracking Options"]) == (1, 1, 0)
    named = [row for row in rows(fresh_world, "mag_trackingoption") if row["mag_name"] == "Twin"]
    by_category = {_id(row["mag_trackingcategoryid"]): row for row in named}
    assert by_category[parent.id]["mag_trackingoptionid"] == mine
    assert by_category[parent.id]["mag_xerotrackingoptionid"] == f"{other['TrackingCategoryID'][:-4]}abcd"
    assert len(named) == len(by_category) == 2


def test_what_is_archived_in_xero_stays_and_says_so(fresh_world: World, connector: Connector):
    account = fresh_world.xero.documents(NZ, "account")[1]
    category = fresh_world.xero.documents(NZ, "tracking category")[0]
    fresh_world.xero.change(NZ, "account", account["AccountID"], Status="ARCHIVED")
    fresh_world.xero.change(NZ, "tracking category", category["TrackingCategoryID"], Status="ARCHIVED")
    number = len(rows(fresh_world, "mag_trackingoption"))

    load(fresh_world, connector)

    assert one(fresh_world, "mag_xeroaccountcode", mag_xeroaccountid=account["AccountID"])["mag_status"] == "ARCHIVED"
    row = one(fresh_world, "mag_trackingcategory", mag_xerotrackingcategoryid=category["TrackingCategoryID"])
    assert row["mag_xerostatus"] == "ARCHIVED"
    options = rows(fresh_world, "mag_trackingoption")
    assert len(options) == number
    mine = [option for option in options if _id(option["mag_trackingcategoryid"]) == row["mag_trackingcategoryid"]]
    assert {option["mag_xerostatus"] for option in mine} == {"ARCHIVED"}


def test_what_is_gone_from_xero_is_marked_never_deleted_and_comes_back(fresh_world: World, connector: Connector):
    theme = fresh_world.xero.documents(NZ, "branding theme")[0]
    rate = next(rate for rate in fresh_world.xero.documents(NZ, "tax rate") if rate["Status"] == "ACTIVE")
    tenant = fresh_world.xero.organisation(NZ)
    fresh_world.xero.store.delete(tenant, "branding theme", theme["BrandingThemeID"])
    fresh_world.xero.store.delete(tenant, "tax rate", rate["TaxType"])

    steps = load(fresh_world, connector)

    assert (counts(steps["Branding Themes"]), counts(steps["Tax Rates"])) == ((0, 0, 1), (0, 0, 1))
    assert one(fresh_world, "mag_brandingtheme", mag_xerobrandingthemeid=theme["BrandingThemeID"])["statecode"] == 1
    assert one(fresh_world, "mag_taxrate", mag_taxtype=rate["TaxType"])["mag_status"] == "ARCHIVED"
    assert counts(load(fresh_world, connector)["Branding Themes"]) == (0, 0, 0)
    fresh_world.xero.seed(NZ, "branding theme", dict(theme), id=theme["BrandingThemeID"])
    assert counts(load(fresh_world, connector)["Branding Themes"]) == (0, 1, 0)
    assert one(fresh_world, "mag_brandingtheme", mag_xerobrandingthemeid=theme["BrandingThemeID"])["statecode"] == 0


def test_a_row_deleted_in_dynamics_is_made_again_under_its_id(fresh_world: World, connector: Connector):
    held = rows(fresh_world, "mag_taxrate")[0]
    env = fresh_world.dataverse.environment
    env.delete("mag_taxrate", held["mag_taxrateid"], env.system)
    assert counts(load(fresh_world, connector)["Tax Rates"]) == (1, 0, 0)
    assert one(fresh_world, "mag_taxrate", mag_taxtype=held["mag_taxtype"])["mag_taxrateid"] == held["mag_taxrateid"]


def test_two_organisations_keep_their_rows_apart(fresh_world: World, connector: Connector):
    before = {table: rows(fresh_world, table, connector) for table in TABLES[:4]}
    other = fresh_world.connect(UK, default=False)
    for table, held in before.items():
        assert rows(fresh_world, table, connector) == held
        assert rows(fresh_world, table, other)
    assert [counts(step) for step in load(fresh_world, connector).values()] == [(0, 0, 0)] * 5


def test_a_row_nobody_can_write_is_told_and_holds_back_no_other(fresh_world: World, connector: Connector):
    rates = [rate for rate in fresh_world.xero.documents(NZ, "tax rate") if rate["Status"] == "ACTIVE"]
    fresh_world.xero.change(NZ, "tax rate", rates[0]["TaxType"], Name="x" * 101)
    fresh_world.xero.change(NZ, "tax rate", rates[1]["TaxType"], Name="Renamed")

    step = load(fresh_world, connector)["Tax Rates"]

    assert counts(step) == (0, 1, 0)
    assert len(step.problems) == 1
    assert step.error is None
    assert one(fresh_world, "mag_taxrate", mag_taxtype=rates[0]["TaxType"])["mag_status"] == "ACTIVE"


def test_a_row_dataverse_refuses_is_told_and_holds_back_no_other(fresh_world: World, connector: Connector):
    rates = [rate for rate in fresh_world.xero.documents(NZ, "tax rate") if rate["Status"] == "ACTIVE"]
    for rate in rates[:2]:
        fresh_world.xero.change(NZ, "tax rate", rate["TaxType"], Name=f"Renamed {rate['TaxType']}")
    refuse = Rejected((Problem("A plug-in refused it."),))
    services = replace(fresh_world.services, dataverse=_RefusesOnce(fresh_world.services.dataverse, refuse))
    step = reference_data.load_reference_data(connector, services)[0]
    assert counts(step) == (0, 1, 0)
    assert [problem.message for problem in step.problems] == ["A plug-in refused it."]


class _RefusesOnce:
    """Dataverse with a customer's plug-in that refuses the first write."""

    def __init__(self, dataverse: Any, error: Rejected) -> None:
        self._dataverse, self._error, self._done = dataverse, error, False

    def send(self, environment: str, operations: Any) -> Any:
        found = self._dataverse.send(environment, operations)
        if not self._done and operations[0].method != "GET":
            self._done = True
            message = self._error.problems[0].message
            found[0] = replace(found[0], status=400, body={"error": {"code": "0x80040265", "message": message}})
        return found


@pytest.mark.parametrize("path", ["/TaxRates", "/Accounts", "/BrandingThemes"])
def test_a_kind_that_fails_says_so_and_the_others_go_on(fresh_world: World, connector: Connector, path):
    fresh_world.xero.faults.add(Fault("500", method="GET", path=path))
    steps = load(fresh_world, connector)
    failed = [title for title, step in steps.items() if step.error is not None]
    assert len(failed) == 1
    assert isinstance(steps[failed[0]].error, Retryable)


def test_options_without_their_categories_are_left_alone(fresh_world: World, connector: Connector):
    before = rows(fresh_world, "mag_trackingoption")
    fresh_world.xero.faults.add(Fault("500", method="GET", path="/TrackingCategories"))
    steps = load(fresh_world, connector)
    assert steps["Tracking Options"].error is steps["Tracking Categories"].error is not None
    assert rows(fresh_world, "mag_trackingoption") == before


def test_an_answer_without_its_list_archives_nothing(fresh_world: World, connector: Connector):
    class Empty:
        def call(self, *_: Any, **__: Any) -> dict[str, Any]:
            return {}

    xero: Any = Empty()
    steps = reference_data.load_reference_data(connector, replace(fresh_world.services, xero=xero))
    assert all(isinstance(step.error, Retryable) for step in steps)
    assert {row["mag_status"] for row in rows(fresh_world, "mag_taxrate")} != {"ARCHIVED"}


def test_when_xero_lets_us_in_no_more_nothing_else_is_asked(fresh_world: World, connector: Connector):
    asked: list[str] = []

    class Gone:
        def call(self, connector: Connector, operation: str, **_: Any) -> dict[str, Any]:
            asked.append(operation)
            raise NeedsReconnect("Connect again.")

    xero: Any = Gone()
    steps = reference_data.load_reference_data(connector, replace(fresh_world.services, xero=xero))
    assert asked == ["get_tax_rates"]
    assert all(isinstance(step.error, NeedsReconnect) for step in steps)


def test_the_calls_are_made_in_their_lane_and_order(fresh_world: World, connector: Connector):
    calls: list[tuple[str, Lane]] = []
    real = fresh_world.services.xero

    class Watched:
        def call(self, connector: Connector, operation: str, *, lane: Lane, **options: Any) -> dict[str, Any]:
            calls.append((operation, lane))
            return real.call(connector, operation, lane=lane, **options)

    xero: Any = Watched()
    services = replace(fresh_world.services, xero=xero)
    fresh_world.clock.move(minutes=2)
    reference_data.load_reference_data(connector, services)
    assert calls == [(operation, Lane.REFERENCE_DATA) for operation in CALLS]


# ── when ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def new(fresh_world: World, connector: Connector) -> Connector:
    """A connector whose reference data was never loaded, as far as its run says."""
    fresh_world.store.delete("flowruns", connector.key, reference_data.ROW)
    return connector


def refresh(world: World, connector: Connector) -> bool:
    return reference_data.refresh_if_due(world.connector(connector), world.services, world.clock.now())


def test_it_is_loaded_when_older_than_six_hours(fresh_world: World, new: Connector):
    assert refresh(fresh_world, new) is True
    fresh_world.clock.move(hours=5, minutes=59)
    assert refresh(fresh_world, new) is False
    fresh_world.clock.move(minutes=1)
    assert refresh(fresh_world, new) is True


def test_a_connector_may_say_how_old_it_may_be(fresh_world: World, new: Connector):
    assert refresh(fresh_world, new) is True
    fresh_world.set(new, mag_referencedataminutes=30)
    fresh_world.clock.move(minutes=29)
    assert refresh(fresh_world, new) is False
    fresh_world.clock.move(minutes=1)
    assert refresh(fresh_world, new) is True


def test_an_unknown_code_brings_it_soon_but_not_at_once_again(fresh_world: World, new: Connector):
    assert refresh(fresh_world, new) is True
    reference_data.ask_for_refresh(fresh_world.services, new)
    assert refresh(fresh_world, new) is False
    fresh_world.clock.move(minutes=10)
    assert refresh(fresh_world, new) is True
    fresh_world.clock.move(minutes=10)
    assert refresh(fresh_world, new) is False


def test_a_lease_keeps_a_second_worker_out_until_it_ends(fresh_world: World, new: Connector):
    run = {**reference_data.Run().values(), "lease_until": (fresh_world.clock.now() + timedelta(minutes=10)).isoformat()}
    fresh_world.store.upsert("flowruns", new.key, reference_data.ROW, run)
    assert refresh(fresh_world, new) is False
    fresh_world.clock.move(minutes=10)
    assert refresh(fresh_world, new) is True


def test_only_one_of_two_workers_gets_the_lease(fresh_world: World, new: Connector):
    stored = fresh_world.store.read("flowruns", new.key, reference_data.ROW)
    run, now = reference_data.Run.of(stored), fresh_world.clock.now()
    taken = [reference_data._has_lease(fresh_world.services, new, stored, run, now) for _ in range(2)]
    assert taken == [True, False]


def test_a_failure_is_kept_raised_and_rests_half_an_hour(fresh_world: World, new: Connector):
    fresh_world.xero.faults.add(Fault("500", method="GET", path="/Accounts"))
    with pytest.raises(Retryable):
        refresh(fresh_world, new)
    run = reference_data.Run.of(fresh_world.store.read("flowruns", new.key, reference_data.ROW))
    assert run.last_error.startswith("Retryable")
    assert (run.done, run.lease_until) == ("", "")
    fresh_world.clock.move(minutes=29)
    assert refresh(fresh_world, new) is False
    fresh_world.clock.move(minutes=1)
    assert refresh(fresh_world, new) is True


def test_a_limit_rests_as_long_as_xero_says(fresh_world: World, new: Connector):
    fresh_world.xero.faults.add(Fault("429", method="GET", path="/TaxRates", seconds=3000))
    with pytest.raises(Throttled):
        refresh(fresh_world, new)
    run = reference_data.Run.of(fresh_world.store.read("flowruns", new.key, reference_data.ROW))
    assert run.rest_until > (fresh_world.clock.now() + timedelta(minutes=45)).isoformat()


# ── through the sweeps (K24) ────────────────────────────────────────────────────────────────────────────────────────────────────


def asked(world: World, connector: Connector) -> reference_data.Run:
    """Ask for the reference data, as an unknown code does, and let the next sweep load it."""
    world.clock.move(minutes=11)
    reference_data.ask_for_refresh(world.services, connector)
    world.settle()
    return reference_data.Run.of(world.store.read("flowruns", connector.key, reference_data.ROW))


def detail(world: World, connector: Connector) -> str:
    return str(world.get(f"mag_xeroconnectors({connector.id})")["mag_xerostatusdetail"] or "")


def reads(world: World) -> int:
    return sum(world.xero.calls("GET", f"/{resource}$") for resource in reference_data.READS)


def account_of(world: World, code: str) -> dict[str, Any]:
    return next(one for one in world.xero.documents(NZ, "account") if one.get("Code") == code)


def gone(world: World, code: str) -> dict[str, Any]:
    """Delete an account in Xero, as it lets one that was never used."""
    account = dict(account_of(world, code))
    world.xero.store.delete(world.xero.organisation(NZ), "account", account["AccountID"])
    return account


def test_an_idle_connector_costs_no_call(fresh_world: World, connector: Connector):
    before = fresh_world.xero_calls()
    fresh_world.settle(minutes=7 * 60)
    assert fresh_world.xero_calls() == before


def test_what_is_due_brings_the_reference_data_first_when_it_is_six_hours_old(fresh_world: World, connector: Connector):
    fresh_world.clock.move(hours=6)
    account = account_of(fresh_world, "200")
    fresh_world.xero.change(NZ, "account", account["AccountID"], Code="201", Name="Sales of goods")
    before = reads(fresh_world)
    invoice = fresh_world.invoice()
    fresh_world.settle()
    assert reads(fresh_world) - before == 4
    # The default still points to the same row, which now says the new code: that is what was sent.
    row = one(fresh_world, "mag_xeroaccountcode", mag_xeroaccountid=account["AccountID"])
    assert (row["mag_code"], row["mag_name"]) == ("201", "Sales of goods")
    settings = fresh_world.connector(connector).settings
    assert settings["_mag_defaultaccountcodeid_value"] == row["mag_xeroaccountcodeid"]
    fresh_world.retry(invoice)
    fresh_world.settle(minutes=6)
    assert [line["AccountCode"] for line in fresh_world.document_of(invoice)["LineItems"]] == ["201"]
    assert detail(fresh_world, connector) == ""


def test_a_code_xero_refuses_brings_the_reference_data_within_minutes(fresh_world: World, connector: Connector):
    account = account_of(fresh_world, "260")
    fresh_world.xero.change(NZ, "account", account["AccountID"], Status="ARCHIVED")
    invoice = fresh_world.invoice(lines=0, flag=False)
    fresh_world.line(invoice, "Work", mag_xeroaccountcodeid=fresh_world.account("260", connector))
    fresh_world.flag(invoice)
    before = reads(fresh_world)
    fresh_world.settle(minutes=15)
    assert reads(fresh_world) - before == 4
    assert one(fresh_world, "mag_xeroaccountcode", mag_xeroaccountid=account["AccountID"])["mag_status"] == "ARCHIVED"
    # What it is refused with now is the archived row: that is worth one more look, and then no more.
    fresh_world.settle(minutes=90)
    assert reads(fresh_world) - before == 8


def test_what_a_person_asks_for_comes_with_the_next_sweep_though_nothing_is_due(fresh_world: World, connector: Connector):
    before = reads(fresh_world)
    run = asked(fresh_world, connector)
    assert reads(fresh_world) - before == 4
    assert (run.asked, run.last_error) == ("", "")


def test_the_flows_own_row_switches_it_off_or_says_how_old_it_may_be(fresh_world: World, connector: Connector):
    row = fresh_world.flow(connector, reference_data.ROW, mag_everyminutes=30)
    fresh_world.clock.move(minutes=31)
    before = reads(fresh_world)
    fresh_world.invoice()
    fresh_world.settle()
    assert reads(fresh_world) - before == 4
    fresh_world.patch(f"mag_xeroflows({row})", {"mag_enabled": False})
    fresh_world.clock.move(hours=7)
    fresh_world.invoice()
    fresh_world.settle()
    assert reads(fresh_world) - before == 4


def test_a_payment_from_xero_brings_the_reference_data_first(fresh_world: World):
    connector = fresh_world.connect(NZ, flows=("payments-from-xero",))
    invoice = fresh_world.invoice()
    fresh_world.settle()
    fresh_world.clock.move(hours=6)
    before = reads(fresh_world)
    fresh_world.settle(minutes=1)
    assert reads(fresh_world) == before  # nothing was paid
    document = fresh_world.document_of(invoice)
    paid = {"Invoice": {"InvoiceID": document["InvoiceID"]}, "Account": {"Code": "090"}, "Date": "2026-11-21", "Amount": 1}
    answer = fresh_world.bookkeeper().put("Payments", {"Payments": [paid]})
    assert answer.status_code == 200, answer.get_data(as_text=True)
    fresh_world.settle(minutes=181)
    assert reads(fresh_world) - before == 4
    assert reference_data.Run.of(fresh_world.store.read("flowruns", connector.key, reference_data.ROW)).last_error == ""


def test_a_worker_that_died_while_loading_keeps_others_out_for_its_lease_only(fresh_world: World, connector: Connector):
    class Dies:
        def call(self, *_: Any, **__: Any) -> dict[str, Any]:
            raise SystemExit

    fresh_world.clock.move(hours=6)
    xero: Any = Dies()
    with pytest.raises(SystemExit):
        reference_data.refresh_if_due(connector, replace(fresh_world.services, xero=xero), fresh_world.clock.now())
    assert refresh(fresh_world, connector) is False
    fresh_world.clock.move(seconds=fresh_world.durations.host_lease)
    assert refresh(fresh_world, connector) is True


def test_what_was_asked_for_while_a_load_ran_is_still_asked_for(fresh_world: World, connector: Connector):
    real = fresh_world.services.xero

    class AskedMeanwhile:
        def call(self, connector: Connector, operation: str, **options: Any) -> dict[str, Any]:
            reference_data.ask_for_refresh(fresh_world.services, connector)
            return real.call(connector, operation, **options)

    xero: Any = AskedMeanwhile()
    fresh_world.clock.move(hours=6)
    reference_data.load_now(connector, replace(fresh_world.services, xero=xero), fresh_world.clock.now())
    assert reference_data.Run.of(fresh_world.store.read("flowruns", connector.key, reference_data.ROW)).asked


# ── ids first, then names (K25) ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_two_accounts_that_swap_their_codes_keep_their_rows_and_lookups(fresh_world: World, connector: Connector):
    sales, other = account_of(fresh_world, "200"), account_of(fresh_world, "260")
    fresh_world.xero.change(NZ, "account", sales["AccountID"], Code="260")
    fresh_world.xero.change(NZ, "account", other["AccountID"], Code="200")
    asked(fresh_world, connector)
    for account, code in ((sales, "260"), (other, "200")):
        assert one(fresh_world, "mag_xeroaccountcode", mag_xeroaccountid=account["AccountID"])["mag_code"] == code
    kept = facts.read(fresh_world.services, connector).account_tax_types
    assert (kept["260"], kept["200"]) == (sales["TaxType"], other["TaxType"])


def test_an_account_deleted_and_made_again_is_a_new_row_and_the_defaults_follow_it(fresh_world: World, connector: Connector):
    old = gone(fresh_world, "200")
    new = old | {"AccountID": "99999999-9999-4999-8999-999999999999", "Name": "Sales again"}
    fresh_world.xero.seed(NZ, "account", new, id=new["AccountID"], key="200")
    run = asked(fresh_world, connector)
    assert one(fresh_world, "mag_xeroaccountcode", mag_xeroaccountid=old["AccountID"])["mag_status"] == "ARCHIVED"
    row = one(fresh_world, "mag_xeroaccountcode", mag_xeroaccountid=new["AccountID"])
    assert fresh_world.connector(connector).settings["_mag_defaultaccountcodeid_value"] == row["mag_xeroaccountcodeid"]
    assert "Default Account Code: the account of the same code" in run.counts
    assert detail(fresh_world, connector) == ""
    invoice = fresh_world.invoice()
    fresh_world.settle(minutes=5)
    assert [line["AccountCode"] for line in fresh_world.document_of(invoice)["LineItems"]] == ["200"]


def test_a_default_is_not_pointed_anew_when_two_accounts_have_its_code(fresh_world: World, connector: Connector):
    old = gone(fresh_world, "200")
    for digit in "12":
        twin = old | {"AccountID": f"{digit * 8}-9999-4999-8999-999999999999"}
        fresh_world.xero.seed(NZ, "account", twin, id=twin["AccountID"], key="200")
    before = fresh_world.connector(connector).settings["_mag_defaultaccountcodeid_value"]
    asked(fresh_world, connector)
    assert fresh_world.connector(connector).settings["_mag_defaultaccountcodeid_value"] == before
    assert "The Default Account Code" in detail(fresh_world, connector)


def test_a_default_a_person_changes_meanwhile_is_theirs(fresh_world: World, connector: Connector):
    old = gone(fresh_world, "200")
    new = old | {"AccountID": "99999999-9999-4999-8999-999999999999"}
    fresh_world.xero.seed(NZ, "account", new, id=new["AccountID"], key="200")
    theirs = fresh_world.account("260", connector)
    real = fresh_world.services.dataverse

    class Meanwhile:
        def send(self, environment: str, operations: Any) -> Any:
            if operations[0].method == "PATCH" and operations[0].headers.get("If-Match", "*") != "*":
                fresh_world.patch(
                    f"mag_xeroconnectors({connector.id})", {"mag_defaultaccountcodeid@odata.bind": f"/{theirs[0]}({theirs[1]})"}
                )
            return real.send(environment, operations)

    dataverse: Any = Meanwhile()
    fresh_world.clock.move(minutes=2)
    reference_data.load_now(
        fresh_world.connector(connector), replace(fresh_world.services, dataverse=dataverse), fresh_world.clock.now()
    )
    assert fresh_world.get(f"mag_xeroconnectors({connector.id})")["_mag_defaultaccountcodeid_value"] == theirs[1]


# ── the connector's own defaults ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_default_account_that_was_archived_is_told_and_taken_back_when_it_is_restored(fresh_world: World, connector: Connector):
    account = account_of(fresh_world, "200")
    fresh_world.xero.change(NZ, "account", account["AccountID"], Status="ARCHIVED")
    asked(fresh_world, connector)
    organisation = fresh_world.connector(connector).organisation_name
    assert detail(fresh_world, connector) == (
        f"The Default Account Code (mag_defaultaccountcodeid) 200 {account['Name']} is archived in Xero: choose an active account code of"
        f" {organisation}."
    )
    fresh_world.xero.change(NZ, "account", account["AccountID"], Status="ACTIVE")
    asked(fresh_world, connector)
    assert detail(fresh_world, connector) == ""


def test_a_warning_is_taken_back_by_the_next_sweep_once_another_is_chosen(fresh_world: World, connector: Connector):
    account = account_of(fresh_world, "200")
    fresh_world.xero.change(NZ, "account", account["AccountID"], Status="ARCHIVED")
    asked(fresh_world, connector)
    calls = fresh_world.xero_calls()
    fresh_world.set(connector, mag_defaultaccountcodeid=fresh_world.account("260", connector))
    fresh_world.settle(minutes=6)
    assert detail(fresh_world, connector) == ""
    assert fresh_world.xero_calls() == calls


def test_every_default_has_a_sentence_of_its_own(fresh_world: World, connector: Connector):
    theme, other = fresh_world.xero.documents(NZ, "branding theme")[:2]
    rate = next(rate for rate in fresh_world.xero.documents(NZ, "tax rate") if rate["Status"] == "ACTIVE")
    bound = {
        "mag_roundingaccountcodeid": fresh_world.account("260", connector),
        "mag_defaulttaxrateid": fresh_world.tax_rate(rate["TaxType"], connector),
        "mag_defaultbrandingthemeid": fresh_world.theme(theme["Name"], connector),
    }
    fresh_world.set(connector, **bound)
    for code in ("200", "400", "220", "260"):
        fresh_world.xero.change(NZ, "account", account_of(fresh_world, code)["AccountID"], Status="ARCHIVED")
    fresh_world.xero.change(NZ, "tax rate", rate["TaxType"], Status="DELETED")
    fresh_world.xero.store.delete(fresh_world.xero.organisation(NZ), "branding theme", theme["BrandingThemeID"])
    asked(fresh_world, connector)
    told = detail(fresh_world, connector)
    for default in defaults.DEFAULTS:
        assert told.count(f"The {default.label} ({default.column}) ") == 1, default
    assert f"{rate['TaxType']} {rate['Name']} is deleted in Xero: choose an active tax rate of" in told
    assert f"{theme['Name']} is no longer in Xero: choose an active branding theme of" in told
    row = one(fresh_world, "mag_brandingtheme", mag_name=other["Name"])
    fresh_world.set(connector, mag_defaultbrandingthemeid=("mag_brandingthemes", row["mag_brandingthemeid"]))
    fresh_world.settle(minutes=6)
    assert "Branding Theme" not in detail(fresh_world, connector)
    assert "Rounding Account Code" in detail(fresh_world, connector)


def test_a_default_of_another_organisation_or_without_a_code_is_told(fresh_world: World, connector: Connector):
    other = fresh_world.connect(UK, default=False)
    account = account_of(fresh_world, "260")
    fresh_world.xero.change(NZ, "account", account["AccountID"], Code="")
    freight = fresh_world.account("260", connector)
    fresh_world.set(connector, mag_defaultaccountcodeid=fresh_world.account("200", other), mag_freightaccountcodeid=freight)
    asked(fresh_world, connector)
    assert "The Default Account Code (mag_defaultaccountcodeid) 200 Sales belongs to another Xero organisation" in detail(
        fresh_world, connector
    )
    assert f"The Freight Account Code (mag_freightaccountcodeid) {account['Name']} has no code in Xero" in detail(
        fresh_world, connector
    )
    assert detail(fresh_world, other) == ""


def test_a_warning_is_written_once_and_told_again_when_something_has_cleared_it(fresh_world: World, connector: Connector):
    fresh_world.xero.change(NZ, "account", account_of(fresh_world, "200")["AccountID"], Status="ARCHIVED")
    asked(fresh_world, connector)
    told = detail(fresh_world, connector)
    fresh_world.settle(minutes=6)
    version = fresh_world.get(f"mag_xeroconnectors({connector.id})")["versionnumber"]
    fresh_world.settle(minutes=6)
    assert fresh_world.get(f"mag_xeroconnectors({connector.id})")["versionnumber"] == version
    connectors.mark(fresh_world.services, connector, "needs_reconnect")
    connectors.mark(fresh_world.services, connector, connectors.CONNECTED)
    assert detail(fresh_world, connector) == ""
    fresh_world.settle(minutes=12)
    assert detail(fresh_world, connector) == told


def test_what_a_flow_tells_and_what_the_defaults_tell_stand_side_by_side(fresh_world: World, connector: Connector):
    account = account_of(fresh_world, "200")
    fresh_world.set(connector, mag_defaultconnector=False)
    fresh_world.invoice()
    fresh_world.settle(minutes=6)
    unrouted = detail(fresh_world, connector)
    assert "no connector is the Default" in unrouted
    fresh_world.xero.change(NZ, "account", account["AccountID"], Status="ARCHIVED")
    asked(fresh_world, connector)
    both = detail(fresh_world, connector)
    assert unrouted in both
    assert "The Default Account Code" in both
    fresh_world.set(connector, mag_defaultconnector=True)
    fresh_world.settle(minutes=12)
    assert detail(fresh_world, connector) == both.replace(unrouted, "").strip()
    fresh_world.xero.change(NZ, "account", account["AccountID"], Status="ACTIVE")
    asked(fresh_world, connector)
    assert detail(fresh_world, connector) == ""


# ── rubbish ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def answering(world: World, **answers: Any) -> Any:
    """Return services whose Xero gives these answers, by the name of the list, and its own for the others."""
    real = world.services.xero

    class Rubbish:
        def call(self, connector: Connector, operation: str, **options: Any) -> dict[str, Any]:
            found = real.call(connector, operation, **options)
            return {name: answers.get(name, value) for name, value in found.items()}

    xero: Any = Rubbish()
    return replace(world.services, xero=xero)


def loaded(world: World, connector: Connector, **answers: Any) -> dict[str, Step]:
    world.clock.move(minutes=2)
    steps = reference_data.load_reference_data(connector, answering(world, **answers))
    return {step.title: step for step in steps}


GUID = "99999999-9999-4999-8999-999999999999"


@pytest.mark.parametrize("resource", ["TaxRates", "Accounts", "BrandingThemes"])
def test_a_list_no_organisation_is_without_is_not_taken_for_empty(fresh_world: World, connector: Connector, resource: str):
    steps = loaded(fresh_world, connector, **{resource: []})
    step = steps[reference_data.TITLES[resource]]
    assert isinstance(step.error, Retryable)
    assert counts(step) == (0, 0, 0)


def test_an_organisation_without_tracking_has_none(fresh_world: World, connector: Connector):
    steps = loaded(fresh_world, connector, TrackingCategories=[])
    assert steps["Tracking Categories"].error is None
    assert {row["mag_xerostatus"] for row in rows(fresh_world, "mag_trackingcategory")} == {"ARCHIVED"}
    assert {row["mag_xerostatus"] for row in rows(fresh_world, "mag_trackingoption")} == {"ARCHIVED"}


def test_a_row_without_its_id_is_told_and_nothing_is_archived_for_it(fresh_world: World, connector: Connector):
    known = [dict(one) for one in fresh_world.xero.documents(NZ, "account")][:3]
    rubbish = [None, "x", {}, {"AccountID": None, "Name": "No id"}]
    step = loaded(fresh_world, connector, Accounts=[*known, *rubbish])["Account Codes"]
    assert (counts(step), step.unchanged, step.error) == ((0, 0, 0), 3, None)
    assert [problem.message.partition(":")[0] for problem in step.problems] == [
        "Xero sent 4 of its Account Codes without AccountID"
    ]


def test_nulls_are_told_or_cleared_and_hold_back_no_other(fresh_world: World, connector: Connector):
    rates = [dict(one) for one in fresh_world.xero.documents(NZ, "tax rate")]
    rates[0] |= {"EffectiveRate": None, "DisplayTaxRate": None, "Status": None, "CanApplyToRevenue": None}
    rates[1] |= {"Name": None}
    rates[2] |= {"Name": "Renamed"}
    step = loaded(fresh_world, connector, TaxRates=rates)["Tax Rates"]
    assert step.updated == 2
    assert [problem.message for problem in step.problems] == [f"{rates[1]['TaxType']}: Name is missing."]
    row = one(fresh_world, "mag_taxrate", mag_taxtype=rates[0]["TaxType"])
    assert (row["mag_effectiverate"], row["mag_status"]) == (None, None)
    assert facts.read(fresh_world.services, connector).rates[rates[0]["TaxType"]] == 0


def test_a_status_or_class_xero_has_invented_is_kept_as_it_is_and_counts_as_not_active(fresh_world: World, connector: Connector):
    accounts = [dict(one) for one in fresh_world.xero.documents(NZ, "account")]
    sales = next(one for one in accounts if one.get("Code") == "200")
    sales |= {"Status": "FROZEN", "Class": "DIGITAL", "Type": "CRYPTO"}
    loaded(fresh_world, connector, Accounts=accounts)
    row = one(fresh_world, "mag_xeroaccountcode", mag_xeroaccountid=sales["AccountID"])
    assert (row["mag_status"], row["mag_class"], row["mag_type"]) == ("FROZEN", "DIGITAL", "CRYPTO")
    fresh_world.settle(minutes=6)
    assert "is frozen in Xero" in detail(fresh_world, connector)


@pytest.mark.parametrize("options", [None, [], [None, "x", {"Name": "No id"}], "absent"])
def test_a_category_without_usable_options_holds_back_no_other(fresh_world: World, connector: Connector, options: Any):
    categories = [dict(one) for one in fresh_world.xero.documents(NZ, "tracking category")]
    new = {"TrackingCategoryID": GUID, "Name": "Empty", "Status": "ACTIVE", "Options": options}
    if options == "absent":
        del new["Options"]
    steps = loaded(fresh_world, connector, TrackingCategories=[*categories, new])
    assert counts(steps["Tracking Categories"]) == (1, 0, 0)
    assert steps["Tracking Options"].error is None
    assert steps["Tracking Options"].unchanged == sum(len(one["Options"]) for one in categories)
    assert facts.read(fresh_world.services, connector).tracking_categories is not None


def test_options_of_a_category_that_could_not_be_written_wait_for_it(fresh_world: World, connector: Connector):
    new = {"TrackingCategoryID": GUID, "Name": "x" * 101, "Options": [{"TrackingOptionID": GUID, "Name": "North"}]}
    categories = [dict(one) for one in fresh_world.xero.documents(NZ, "tracking category")]
    steps = loaded(fresh_world, connector, TrackingCategories=[*categories, new])
    assert len(steps["Tracking Categories"].problems) == 1
    assert (steps["Tracking Options"].created, steps["Tracking Options"].error) == (0, None)


def test_thousands_of_options_are_written_a_hundred_at_a_time(fresh_world: World, connector: Connector):
    category = dict(fresh_world.xero.documents(NZ, "tracking category")[0])
    many = [{"TrackingOptionID": f"{number:08}-9999-4999-8999-999999999999", "Name": f"Site {number}"} for number in range(1_050)]
    answer = [category | {"Options": [*category["Options"], *many]}]
    fresh_world.dataverse.log.clear()
    steps = loaded(fresh_world, connector, TrackingCategories=answer)
    assert steps["Tracking Options"].created == 1_050
    sizes = [len(call.operations) for call in fresh_world.dataverse.log if call.operations]
    assert max(sizes) == 100
    again = loaded(fresh_world, connector, TrackingCategories=answer)["Tracking Options"]
    assert (counts(again), again.unchanged) == ((0, 0, 0), 1_050 + len(category["Options"]))


def test_what_could_not_be_written_is_told_on_the_connector_until_it_is_mended(fresh_world: World, connector: Connector):
    rate = next(rate for rate in fresh_world.xero.documents(NZ, "tax rate") if rate["Status"] == "ACTIVE")
    fresh_world.xero.change(NZ, "tax rate", rate["TaxType"], Name="x" * 101)
    run = asked(fresh_world, connector)
    assert run.problems == f"Tax Rates: {'x' * 101}: The text has 101 characters; Dynamics 365 takes 100."
    assert run.problems in detail(fresh_world, connector)
    fresh_world.xero.change(NZ, "tax rate", rate["TaxType"], Name="Short")
    asked(fresh_world, connector)
    assert detail(fresh_world, connector) == ""


def test_the_flow_that_needs_items_is_off_until_a_connector_switches_it_on():
    assert BY_NAME[items_from_xero.NEEDED_BY].enabled is False  # as items_from_xero.is_wanted takes it to be


def test_only_the_first_few_of_many_problems_are_told(fresh_world: World, connector: Connector):
    for rate in fresh_world.xero.documents(NZ, "tax rate")[:5]:
        fresh_world.xero.change(NZ, "tax rate", rate["TaxType"], Name=None)
    assert asked(fresh_world, connector).problems.endswith("Name is missing. (2 more)")


# ── what the mappings must know (facts) ─────────────────────────────────────────────────────────────────────────────────────────


def test_facts_follow_a_rename_a_new_code_and_a_new_rate(fresh_world: World, connector: Connector):
    account = account_of(fresh_world, "260")
    fresh_world.xero.change(NZ, "account", account["AccountID"], Code="261", TaxType="NONE")
    fresh_world.xero.change(NZ, "tax rate", "OUTPUT2", Name="GST on Income", EffectiveRate="12.5")
    category = fresh_world.xero.documents(NZ, "tracking category")[0]
    fresh_world.xero.change(NZ, "tracking category", category["TrackingCategoryID"], Name="Area", Status="ARCHIVED")
    asked(fresh_world, connector)
    kept = facts.read(fresh_world.services, connector)
    assert "260" not in kept.account_tax_types
    assert (kept.account_tax_types["261"], kept.rates["OUTPUT2"]) == ("NONE", Decimal("12.5"))
    row = one(fresh_world, "mag_trackingcategory", mag_xerotrackingcategoryid=category["TrackingCategoryID"])
    assert (kept.tracking_categories or {})[row["mag_trackingcategoryid"]] == "ARCHIVED"


def test_of_two_accounts_of_one_code_the_active_one_counts(fresh_world: World, connector: Connector):
    def account(status: Any, tax_type: Any) -> dict[str, Any]:
        return {"AccountID": GUID, "Code": "200", "Status": status, "TaxType": tax_type}

    both = [account("ACTIVE", "OUTPUT2"), account("DELETED", "NONE")]
    for found in (both, both[::-1], [*both, None, {"Code": None}]):
        facts.keep(fresh_world.services, connector, "Accounts", found, {})
        assert facts.read(fresh_world.services, connector).account_tax_types == {"200": "OUTPUT2"}


@pytest.mark.parametrize(("rate", "kept"), [("x", None), ("NaN", None), (None, Decimal(0)), (15, Decimal(15)), ([], Decimal(0))])
def test_a_rate_that_is_no_number_is_no_fact(fresh_world: World, connector: Connector, rate: Any, kept: Decimal | None):
    facts.keep(fresh_world.services, connector, "TaxRates", [{"TaxType": "T", "EffectiveRate": rate}, {"EffectiveRate": 1}], {})
    assert facts.read(fresh_world.services, connector).rates == ({} if kept is None else {"T": kept})


# ── the connector's own row ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_settings_are_the_row_with_its_lookups_and_flows(fresh_world: World, connector: Connector):
    env = fresh_world.dataverse.environment
    link = Reference("mag_xeroconnector", connector.id)
    env.seed(
        "mag_xeroflow", mag_name="x", mag_xeroconnectorid=link, mag_flow="invoices-to-xero", mag_everyminutes=7, mag_enabled=False
    )
    fresh_world.dataverse.log.clear()

    refreshed = connectors.refresh(fresh_world.services, fresh_world.connector(connector))

    assert [call.path.rpartition("/")[2] for call in fresh_world.dataverse.log] == ["$batch"]
    assert refreshed.settings["mag_defaultaccountcodeid"]["mag_code"] == "200"
    assert refreshed.settings["mag_xerotenantid"] == NZ
    assert refreshed.flows["invoices-to-xero"]["mag_everyminutes"] == 7
    assert refreshed.flows["invoices-to-xero"]["mag_enabled"] is False
    assert fresh_world.connector(connector) == refreshed
    assert connectors.refresh(fresh_world.services, refreshed) == refreshed


def test_last_synched_on_is_written_every_quarter_of_an_hour(fresh_world: World, connector: Connector):
    def last() -> Any:
        connectors.refresh(fresh_world.services, fresh_world.connector(connector))
        return fresh_world.get(f"mag_xeroconnectors({connector.id})")["mag_lastsynchedon"]

    first = last()
    fresh_world.clock.move(minutes=14)
    assert last() == first
    fresh_world.clock.move(minutes=15)
    assert last() != first


def test_a_changed_time_zone_and_a_deactivated_row_are_noticed(fresh_world: World, connector: Connector):
    fresh_world.patch(f"mag_xeroconnectors({connector.id})", {"mag_timezone": "Pacific/Chatham"})
    assert connectors.refresh(fresh_world.services, fresh_world.connector(connector)).time_zone == "Pacific/Chatham"
    fresh_world.patch(f"mag_xeroconnectors({connector.id})", {"statecode": 1, "statuscode": 2})
    assert connectors.refresh(fresh_world.services, fresh_world.connector(connector)).settings["mag_enabled"] is False


def test_an_environment_that_was_copied_over_is_the_wrong_one(fresh_world: World, connector: Connector):
    stale = replace(fresh_world.connector(connector), environment_id="44444444-4444-4444-4444-444444444444")
    with pytest.raises(WrongBooks, match="copied or restored"):
        connectors.refresh(fresh_world.services, stale)


def test_a_deleted_row_is_for_an_administrator(fresh_world: World, connector: Connector):
    env = fresh_world.dataverse.environment
    env.delete("mag_xeroconnector", connector.id, env.system)
    with pytest.raises(ConfigurationError, match="was deleted"):
        connectors.refresh(fresh_world.services, fresh_world.connector(connector))


@pytest.mark.parametrize("state", ["needs_reconnect", "needs_scope", "disconnected", "wrong_books"])
def test_a_state_is_told_in_dynamics_with_the_way_out(fresh_world: World, connector: Connector, state):
    connectors.mark(fresh_world.services, connector, state)
    assert fresh_world.connector(connector).state == state
    row = fresh_world.get(f"mag_xeroconnectors({connector.id})")
    assert row["mag_xerostatus"] == XeroConnection.DISCONNECTED
    assert row["mag_xerostatusdetail"] == connectors.WHY[state]
    fresh_world.dataverse.log.clear()
    connectors.mark(fresh_world.services, connector, state)
    assert fresh_world.dataverse.log == []


def test_a_state_is_noted_even_when_dataverse_is_away_and_told_later(fresh_world: World, connector: Connector):
    connectors.refresh(fresh_world.services, fresh_world.connector(connector))
    fresh_world.dataverse.faults.add(Fault("503", method="PATCH"))
    connectors.mark(fresh_world.services, connector, "disconnected")
    assert fresh_world.connector(connector).state == "disconnected"
    connectors.mark(fresh_world.services, connector, "connected")
    assert fresh_world.get(f"mag_xeroconnectors({connector.id})")["mag_xerostatus"] == XeroConnection.OK


def test_a_connector_is_found_by_its_key_even_with_a_port(fresh_world: World, connector: Connector):
    assert ":" in connector.environment
    found = connectors.find(fresh_world.store, connector.key)
    assert found is not None
    assert found.key == connector.key
    assert connectors.find(fresh_world.store, "nowhere|nothing") is None
    assert connectors.find(fresh_world.store, "") is None
    assert [one.id for one in connectors.of_environment(fresh_world.store, connector.environment)] == [connector.id]


def test_settings_keep_their_decimals(fresh_world: World, connector: Connector):
    kept = replace(connector, settings={"a": Decimal("1.10"), "flows": [], "b": None})
    connectors.write(fresh_world.store, kept)
    assert fresh_world.connector(connector).settings == kept.settings
