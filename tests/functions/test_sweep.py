"""What a sweep releases, and what it leaves where it is (functions/sweep.py, functions/tick.py)."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from functions import claim as claims
from functions import connectors, poison, reference_data
from functions.flows import SWEEPS
from functions.health import health
from functions.keep_alive import keep_alive
from functions.sweep import sweep
from functions.tick import tick
from mappings.choices import OperatingMode, TriggerMode
from sandbox.xero.faults import Fault
from shared.connectors import Connector
from shared.errors import ConfigurationError, NeedsReconnect, Retryable
from shared.messages import SweepMessage, SyncMessage
from tests.world import FAILED, FLOW, NZ, OPTION, UK, WAITING, YES, World

ADMINISTRATOR_ACTS = OPTION + 3
CHOICES = {
    "mag_triggermode": (TriggerMode, TriggerMode.ADD_TO_XERO),
    "mag_operatingmode": (OperatingMode, OperatingMode.ACTIVE),
}


def swept(world: World, connector: Connector) -> int:
    return sweep(SweepMessage(connector.key, FLOW).to_json(), world.services, world.clock.now())


def test_a_record_under_way_is_not_released_again(world: World, nz: Connector):
    world.settle()
    world.invoice()
    assert swept(world, nz) == 1
    assert swept(world, nz) == 0
    world.settle()


def test_a_lost_message_is_sent_again_after_a_quarter_of_an_hour(world: World, nz: Connector):
    world.settle()
    invoice = world.invoice()
    assert swept(world, nz) == 1
    lost = world.queues.take(FLOW)
    assert lost is not None
    world.queues.done(FLOW, lost)
    assert swept(world, nz) == 0
    world.clock.move(minutes=16)
    assert swept(world, nz) == 1
    world.settle()
    assert world.row(invoice)["mag_exportstatus"] == YES


def test_a_backlog_stays_at_the_source_and_goes_within_the_budget_without_a_429(own_world: World):
    world, connector = own_world, own_world.connect()
    invoices = [world.invoice() for _ in range(45)]
    released = swept(world, connector)
    assert 0 < released <= 30  # 60 calls a minute, two an invoice
    world.settle(minutes=15)
    assert all(world.row(invoice)["mag_exportstatus"] == YES for invoice in invoices)
    assert [entry for entry in world.xero.log.entries() if entry.status == 429] == []


def test_a_sweep_of_rubbish_is_an_outcome(world: World, nz: Connector):
    assert sweep("rubbish", world.services, world.clock.now()) == 0
    assert sweep('{"connector":"x|y","flow":"invoices-to-xero"}', world.services, world.clock.now()) == 0
    assert sweep(f'{{"connector":"{nz.key}","flow":"none"}}', world.services, world.clock.now()) == 0


def test_a_fault_of_dataverse_during_a_sweep_is_noted_and_the_next_one_goes_on(world: World, nz: Connector):
    invoice = world.invoice()
    world.dataverse.faults.add(Fault("503", "POST", r"\$batch"))
    assert swept(world, nz) == 0
    run = world.store.read("flowruns", nz.key, FLOW)
    assert run is not None
    assert "Retryable" in str(run.values["last_error"]) or "Uncertain" in str(run.values["last_error"])
    assert swept(world, nz) >= 1
    world.settle()
    assert world.row(invoice)["mag_exportstatus"] == YES


def test_the_tick_asks_once_per_connector_and_due_flow(own_world: World):
    world = own_world
    world.connect(flows=("payments-from-xero",))
    world.connect(UK, default=False)
    assert tick(world.services, world.clock.now()) == 3
    assert tick(world.services, world.clock.now()) == 0
    world.clock.move(minutes=5)
    assert tick(world.services, world.clock.now()) == 2, "payments are looked for every three hours"
    assert len(world.queues.queues[SWEEPS]) == 5


def test_health_tells_the_age_of_the_last_tick_and_nothing_else(own_world: World):
    world = own_world
    assert health(world.services, world.clock.now())[0] == 503
    tick(world.services, world.clock.now())
    status, told = health(world.services, world.clock.move(30))
    assert (status, told) == (200, {**told, "secondsSinceLastTick": 30, "status": "ok"})
    assert set(told) == {"version", "versions", "secondsSinceLastTick", "status", "checks"}
    assert health(world.services, world.clock.move(minutes=6))[0] == 503


@pytest.mark.parametrize(("error", "state"), [(NeedsReconnect("gone"), "needs_reconnect"), (Retryable("later"), "connected")])
def test_a_consent_that_is_gone_is_noticed_by_the_keep_alive(own_world: World, error: Exception, state: str):
    world, connector = own_world, own_world.connect()
    keep_alive({connector.grant: error}, world.services)  # type: ignore[dict-item]
    assert world.connector(connector).state == state


# ── what an administrator switches ──────────────────────────────────────────────────────────────────────────────────────────────


def connector_row(world: World, connector: Connector) -> dict[str, object]:
    row: dict[str, object] = world.get(f"mag_xeroconnectors({connector.id})")
    return row


def own_flow(world: World, connector: Connector, **columns: object) -> str:
    bind = {"mag_xeroconnectorid@odata.bind": f"/mag_xeroconnectors({connector.id})"}
    return world.post("mag_xeroflows", {"mag_name": FLOW, "mag_flow": FLOW, **bind, **columns})


def test_a_connector_switched_off_costs_one_round_trip_each_five_minutes_and_is_switched_on_within_minutes(own_world: World):
    world, connector = own_world, own_world.connect()
    world.settle()
    world.patch(f"mag_xeroconnectors({connector.id})", {"mag_enabled": False})
    world.settle(minutes=6)
    invoice = world.invoice()
    calls, trips = world.xero_calls(), len(world.dataverse.log)
    world.settle(minutes=30)
    assert world.xero_calls() == calls
    assert 5 <= len(world.dataverse.log) - trips <= 7
    synched = connector_row(world, connector)["mag_lastsynchedon"]
    world.patch(f"mag_xeroconnectors({connector.id})", {"mag_enabled": True})
    world.settle(minutes=7)
    assert world.row(invoice)["mag_exportstatus"] == YES
    assert connector_row(world, connector)["mag_lastsynchedon"] != synched


@pytest.mark.parametrize("columns", [{"mag_enabled": False}, {"mag_enabled": True, "mag_everyminutes": 10_080}])
def test_a_flow_that_rests_is_woken_within_minutes(own_world: World, columns: dict[str, object]):
    world, connector = own_world, own_world.connect()
    row = own_flow(world, connector, **columns)
    world.settle(minutes=6)
    invoice = world.invoice()
    world.settle(minutes=20)
    assert not world.row(invoice).get("mag_xeroid")
    world.patch(f"mag_xeroflows({row})", {"mag_enabled": True, "mag_everyminutes": 5})
    world.settle(minutes=7)
    assert world.row(invoice)["mag_exportstatus"] == YES


def test_a_time_zone_that_is_none_is_told_with_what_to_type_and_the_last_good_one_is_kept(own_world: World):
    world, connector = own_world, own_world.connect()
    world.patch(f"mag_xeroconnectors({connector.id})", {"mag_timezone": "New Zealand Standard Time"})
    with pytest.raises(ConfigurationError, match=r"Time Zone.*Pacific/Auckland"):
        connectors.refresh(world.services, world.connector(connector))
    invoice = world.invoice()
    world.settle(minutes=11)
    kept = world.connector(connector)
    assert (kept.time_zone, kept.settings["mag_timezone"]) == ("Pacific/Auckland", "Pacific/Auckland")
    assert "type an IANA name, such as Pacific/Auckland" in str(connector_row(world, connector)["mag_xerostatusdetail"])
    run = world.store.read("flowruns", connector.key, FLOW)
    assert run is not None
    assert "Time Zone" in str(run.values["last_error"])
    world.patch(f"mag_xeroconnectors({connector.id})", {"mag_timezone": "Pacific/Auckland"})
    world.settle(minutes=6)
    assert world.row(invoice)["mag_exportstatus"] == YES
    assert connector_row(world, connector).get("mag_xerostatusdetail") is None


@pytest.mark.parametrize("zone", ["", "Pacific", "../etc/passwd", "New Zealand Standard Time", "Nowhere/At_All"])
def test_a_zone_that_is_none_is_an_administrators_matter(nz: Connector, zone: str):
    values = {name: getattr(nz, name) for name in nz.__dataclass_fields__}
    with pytest.raises(ConfigurationError, match="Time Zone"):
        _ = Connector(**{**values, "time_zone": zone}).zone


@pytest.mark.parametrize(("setting", "words"), [("mag_triggermode", "Trigger Mode"), ("mag_operatingmode", "Operating Mode")])
def test_a_choice_nobody_knows_is_told_by_its_name_with_its_options(setting: str, words: str):
    with pytest.raises(ConfigurationError, match=f"{words}.*{setting}.*choose one of"):
        connectors.chosen({setting: 7}, setting, *CHOICES[setting])
    assert connectors.chosen({}, setting, *CHOICES[setting]) is CHOICES[setting][1]


# ── one that fails holds back no other ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_connector_that_cannot_be_asked_holds_back_no_other(own_world: World):
    world = own_world
    broken = world.connect(default=False)
    world.connect(UK)
    stored = world.store.read("connectors", broken.environment, broken.id)
    assert stored is not None
    settings = {**json.loads(stored.values["settings"]), "flows": [{"mag_flow": FLOW, "mag_everyminutes": "often"}]}
    world.store.upsert("connectors", broken.environment, broken.id, {**stored.values, "settings": json.dumps(settings)})
    assert tick(world.services, world.clock.now()) == 1
    assert health(world.services, world.clock.now())[0] == 200


def test_a_poison_message_that_cannot_be_told_holds_back_no_other(world: World, nz: Connector):
    first, second = world.invoice(), world.invoice()
    world.store.upsert("claims", f"{nz.key}|{FLOW}", f"invoice|{first}", {"state": "not a claim"})
    for invoice in (first, second):
        world.queues.send(f"{FLOW}-poison", SyncMessage(nz.key, FLOW, f"invoice/{invoice}").to_json())
    assert poison.drain(world.services, world.clock.now()) == 1
    assert world.row(second)["mag_exportstatus"] == FAILED
    world.store.delete("claims", f"{nz.key}|{FLOW}", f"invoice|{first}")
    world.clock.move(minutes=6)
    assert poison.drain(world.services, world.clock.now()) == 1


def test_a_sweep_the_host_gave_up_on_is_an_outcome_and_the_next_one_goes_on(world: World, nz: Connector):
    world.queues.send(f"{SWEEPS}-poison", SweepMessage(nz.key, FLOW).to_json())
    assert poison.drain(world.services, world.clock.now()) == 1
    told = [
        one for one in world.store.rows("outcomes", f"{nz.key}|{world.clock.now():%Y-%m-%d}") if one.values["action"] == "Poison"
    ]
    assert [one.values["record"] for one in told if one.values["record"].startswith(SWEEPS)] == [f"{SWEEPS}/{FLOW}"]
    run = world.store.read("flowruns", nz.key, FLOW)
    assert run is not None
    assert "five times" in str(run.values["last_error"])
    invoice = world.invoice()
    world.settle(minutes=6)
    assert world.row(invoice)["mag_exportstatus"] == YES


@pytest.mark.parametrize(
    ("made", "words"), [("5d2f0001-0000-4000-8000-000000000001", "stands in Xero as 5d2f0001"), ("", "may stand in Xero")]
)
def test_a_record_deleted_after_a_create_of_unknown_end_is_not_lost_with_its_poison_message(
    world: World, nz: Connector, made: str, words: str
):
    invoice = world.invoice(flag=False)
    claim = claims.take(world.services, nz.key, FLOW, f"invoice/{invoice}", "a worker that died")
    claim = claims.intend(world.services, claim, world.secrets.seal("{}", claim.row))
    claims.release(world.services, replace(claim, made=made))
    world.delete(f"invoices({invoice})")
    world.queues.send(f"{FLOW}-poison", SyncMessage(nz.key, FLOW, f"invoice/{invoice}").to_json())
    assert poison.drain(world.services, world.clock.now()) == 1
    told = [row["mag_details"] for row in world.get("mag_synchistories")["value"] if invoice in row["mag_details"]]
    assert len(told) == 1
    assert words in told[0]
    assert world.store.read("claims", f"{nz.key}|{FLOW}", f"invoice|{invoice}") is None


def test_reference_data_that_must_wait_holds_back_no_invoice(world: World, nz: Connector):
    world.settle()
    reference_data.ask_for_refresh(world.services, nz)
    world.clock.move(minutes=11)
    invoice = world.invoice()
    now = int(world.clock.now().timestamp() * 1000)
    world.store.upsert("limits", nz.organisation, "limiter", {"calls": " ".join([f"{now}/1"] * 31)})  # its own lane is full
    assert swept(world, nz) == 1
    run = world.store.read("flowruns", nz.key, reference_data.ROW)
    assert run is not None
    assert "Throttled" in str(run.values["last_error"])
    world.settle(minutes=2)
    assert world.row(invoice)["mag_exportstatus"] == YES


# ── how much ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_waits_for_an_hour_takes_no_room_of_what_can_go_now(world: World, nz: Connector):
    world.settle()
    later = world.clock.now() + timedelta(hours=1, seconds=world.durations.queued)
    for number in range(60):
        waiting = claims.unclaimed(nz.key, FLOW, f"invoice/00000000-0000-4000-8000-{number:012d}")
        assert claims.mark_queued(world.services, waiting, later)
    world.invoice()
    assert swept(world, nz) == 1
    world.settle()


def test_what_is_about_to_go_takes_its_room(world: World, nz: Connector):
    world.settle()
    soon = world.clock.now() + timedelta(seconds=30 + world.durations.queued)
    for number in range(60):
        waiting = claims.unclaimed(nz.key, FLOW, f"invoice/00000000-0000-4000-8000-{number:012d}")
        assert claims.mark_queued(world.services, waiting, soon)
    world.invoice()
    assert swept(world, nz) == 0


def test_a_backlog_drains_at_95_percent_of_what_xero_allows_without_a_429(own_world: World):
    world, connector = own_world, own_world.connect()
    world.invoice()
    world.settle()
    backlog = [world.invoice() for _ in range(76)]
    world.clock.move(minutes=6)
    begun, calls = world.clock.now(), [world.xero_calls()]
    for minute in range(1, 4):
        tick(world.services, world.clock.now())
        while True:  # every message when it shows, as the host delivers it
            while world.step():
                continue
            shows, ends = world.queues.next_at(), begun + timedelta(minutes=minute)
            if shows is None or shows >= ends:
                break
            world.clock.set(shows)
        world.clock.set(ends)
        calls.append(world.xero_calls())
    assert calls[2] - calls[0] >= 2 * 57
    assert all(world.row(one)["mag_exportstatus"] == YES for one in backlog)
    assert [entry for entry in world.xero.log.entries() if entry.status == 429] == []
    assert connector.state == "connected"


def done(world: World) -> set[str]:
    return {outcome.message.record for outcome in world.outcomes if outcome.status == "synced"}


def test_retry_when_fixed_holds_back_refusals_only(world: World, nz: Connector):
    world.set(nz, mag_autoretryonfix=False)
    waiting, failed = world.invoice(lines=0), world.invoice(duedate=None)
    world.settle()
    assert (world.row(waiting)["mag_exportstatus"], world.row(failed)["mag_exportstatus"]) == (WAITING, FAILED)
    world.line(waiting, "Work")
    world.patch(f"invoices({failed})", {"duedate": "2026-12-20"})
    world.settle(minutes=11)
    assert (world.row(waiting)["mag_exportstatus"], world.row(failed)["mag_exportstatus"]) == (YES, FAILED)


# ── which books ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("defaults", "words"), [(False, "no connector is the Default"), (True, "more than one connector is the Default")]
)
def test_an_invoice_no_connector_takes_says_so_once_and_goes_by_itself(own_world: World, defaults: bool, words: str):
    world = own_world
    both = [world.connect(default=defaults), world.connect(UK, default=defaults)]
    invoices = [world.invoice() for _ in range(2)]
    world.settle(minutes=16)
    for invoice in invoices:
        assert world.row(invoice)["mag_exportstatus"] == WAITING
        (told,) = world.histories(invoice)
        assert words in told["mag_details"]
        assert "Default Connector" in told["mag_fix"]
        assert told["mag_whoacts"] == ADMINISTRATOR_ACTS
    details = [connector_row(world, one).get("mag_xerostatusdetail") for one in both]
    assert sum(words in str(detail) for detail in details) == 1
    assert sum(detail is None for detail in details) == 1
    for one in both:
        world.patch(f"mag_xeroconnectors({one.id})", {"mag_defaultconnector": one.organisation == NZ})
    world.settle(minutes=6)
    assert all(world.row(invoice)["mag_exportstatus"] == YES for invoice in invoices)
    world.settle(minutes=6)
    assert [connector_row(world, one).get("mag_xerostatusdetail") for one in both] == [None, None]


def test_the_default_of_a_connector_that_rests_does_not_linger(own_world: World):
    world = own_world
    old, new = world.connect(), world.connect(UK, default=False)
    world.set(old, mag_enabled=False)
    world.patch(f"mag_xeroconnectors({old.id})", {"mag_defaultconnector": False})
    world.patch(f"mag_xeroconnectors({new.id})", {"mag_defaultconnector": True})
    invoice = world.invoice("petrie", currency="GBP")
    world.settle(minutes=6)
    assert world.row(invoice)["_mag_xeroconnectorid_value"] == new.id


def test_an_invoice_whose_route_changed_between_two_tries_is_ended_where_it_was_begun(own_world: World):
    world = own_world
    old, new = world.connect(), world.connect(UK, default=False)
    invoice = world.invoice()
    claim = claims.take(world.services, old.key, FLOW, f"invoice/{invoice}", "a worker that died")
    claims.intend(world.services, claim, world.secrets.seal('{"invoice_numbers":["INV-1"]}', claim.row))
    for one in (old, new):
        world.patch(f"mag_xeroconnectors({one.id})", {"mag_defaultconnector": one is new})
    world.clock.move(seconds=world.durations.lease + 1)
    assert swept(world, new) == 0
    assert swept(world, old) == 1
    world.settle()
    assert len(world.documents(NZ)) == 1
    assert world.documents(UK) == []
