"""Reference data from Xero into rows of Dataverse: known by Xero's ids, only what differs is written, nothing is lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from functions import connectors, reference_data
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


def load(world: World, connector: Connector) -> dict[str, reference_data.Step]:
    world.clock.move(minutes=2)
    world.dataverse.log.clear()
    steps = reference_data.load_reference_data(connector, world.services, world.clock.now())
    return {step.title: step for step in steps}


def counts(step: reference_data.Step) -> tuple[int, int, int]:
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
    step = reference_data.load_reference_data(connector, services, fresh_world.clock.now())[0]
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
    steps = reference_data.load_reference_data(connector, replace(fresh_world.services, xero=xero), fresh_world.clock.now())
    assert all(isinstance(step.error, Retryable) for step in steps)
    assert {row["mag_status"] for row in rows(fresh_world, "mag_taxrate")} != {"ARCHIVED"}


def test_when_xero_lets_us_in_no_more_nothing_else_is_asked(fresh_world: World, connector: Connector):
    asked: list[str] = []

    class Gone:
        def call(self, connector: Connector, operation: str, **_: Any) -> dict[str, Any]:
            asked.append(operation)
            raise NeedsReconnect("Connect again.")

    xero: Any = Gone()
    steps = reference_data.load_reference_data(connector, replace(fresh_world.services, xero=xero), fresh_world.clock.now())
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
    reference_data.load_reference_data(connector, services, fresh_world.clock.now())
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
