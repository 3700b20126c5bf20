"""Timer triggers. Sources: github.com/atifaziz/NCrontab; github.com/Azure/azure-webjobs-sdk-extensions, TimerListener."""

import json
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from azure.data.tables import TableServiceClient
from hypothesis import given
from hypothesis import strategies as st

from sandbox.host.settings import HostError
from sandbox.host.timers import TABLE, Schedule, Status, after_run, at_start, singleton
from tests.patience import until

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)  # a Saturday
YEARLY = "0 0 0 1 1 *"
# fmt: off
REFUSED = ("0 0 * * * ?", "0 0 0 L * *", "0 0 0 15W * *", "0 0 0 * * 5#2", "@daily", "0 0 0 * * 7", "0 60 * * * *", "0 0 0 0 * *",
           "0 0 0 * * foo", "00:05:00", "* * * *", "0 */0 * * * *", "0 10-5 * * * *", "0 0 0 * 13 *", "-5 * * * * *", "")
# fmt: on


def runs(expression: str, many: int, start: datetime = NOON) -> list[str]:
    """The next times a schedule is due, without the zone."""
    schedule, found = Schedule(expression), [start]
    for _ in range(many):
        found.append(schedule.after(found[-1]))
    return [moment.strftime("%a %m-%d %H:%M:%S") for moment in found[1:]]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 */5 * * * *", ["Sat 11-21 12:05:00", "Sat 11-21 12:10:00"]),
        ("*/5 * * * *", ["Sat 11-21 12:05:00", "Sat 11-21 12:10:00"]),
        ("30 0/20 * * * *", ["Sat 11-21 12:00:30", "Sat 11-21 12:20:30"]),
        ("0 0 9-10 * * Mon-Fri", ["Mon 11-23 09:00:00", "Mon 11-23 10:00:00"]),
        ("0 30 2 * * tuesday,0", ["Sun 11-22 02:30:00", "Tue 11-24 02:30:00"]),
        ("0 0 0 1,15 january *", ["Fri 01-01 00:00:00", "Fri 01-15 00:00:00"]),
        ("0 0 12 13 * 5", ["Fri 08-13 12:00:00", "Fri 10-13 12:00:00"]),
    ],
)
def test_a_schedule_is_due_when_ncrontab_says_and_day_and_weekday_must_both_match(expression, expected):
    assert runs(expression, 2) == expected


@pytest.mark.parametrize(
    "expression",
    REFUSED,
)
def test_what_azure_refuses_is_refused_with_a_sentence(expression):
    with pytest.raises(HostError, match="is not NCRONTAB"):
        Schedule(expression)


def test_a_schedule_that_never_comes_due_is_refused():
    with pytest.raises(HostError, match="never comes due"):
        Schedule("0 0 0 31 2 *")


@given(st.integers(1_577_836_800, 2_208_988_800), st.sampled_from(["*/7 * * * *", "5 4 3 * * *", "0 0 0 29 2 *"]))
def test_the_next_time_lies_after_the_moment_asked_for(seconds, expression):
    moment = datetime.fromtimestamp(seconds, UTC)
    due = Schedule(expression).after(moment)
    assert due > moment
    assert due.utcoffset() == timedelta(0)


def test_only_schedules_finer_than_a_minute_are_not_remembered():
    assert Schedule("*/30 * * * * *").is_sub_minute(NOON)
    assert Schedule("0,20 0 9 * * *").is_sub_minute(NOON)
    assert not Schedule("0 * * * * *").is_sub_minute(NOON)
    assert not Schedule("* * * * *").is_sub_minute(NOON)


def test_a_first_start_waits_for_the_first_time():
    status, past_due = at_start(Schedule("0 0 * * * *"), None, NOON)
    assert not past_due
    assert status == Status(None, NOON + timedelta(hours=1), NOON)


def test_a_missed_time_is_caught_up_once_however_many_were_missed():
    schedule = Schedule("0 0 * * * *")
    stored = after_run(schedule, NOON)
    assert at_start(schedule, stored, NOON + timedelta(minutes=59)) == (stored, False)
    assert at_start(schedule, stored, NOON + timedelta(hours=9)) == (stored, True)
    caught_up = after_run(schedule, NOON + timedelta(hours=9))
    assert caught_up.next == NOON + timedelta(hours=10)


def test_a_time_missed_before_the_first_run_is_caught_up_too():
    schedule = Schedule("0 0 * * * *")
    first, _ = at_start(schedule, None, NOON + timedelta(seconds=1))
    assert at_start(schedule, first, NOON + timedelta(hours=2)) == (first, True)


def test_a_changed_schedule_starts_afresh():
    stored = after_run(Schedule("0 0 * * * *"), NOON)
    status, past_due = at_start(Schedule("0 */10 * * * *"), stored, NOON + timedelta(hours=9, minutes=1))
    assert not past_due
    assert status.next == NOON + timedelta(hours=9, minutes=10)


def test_a_status_survives_being_stored():
    for status in (Status(None, NOON, NOON), after_run(Schedule(YEARLY), NOON)):
        assert Status.from_json(json.loads(json.dumps(status.as_json()))) == status


def test_two_hosts_never_run_the_timers_together(tmp_path):
    file, stopping = tmp_path / "run" / "timers.lock", threading.Event()
    with singleton(file, stopping) as first:
        assert first
        threading.Timer(0.2, stopping.set).start()
        with singleton(file, stopping) as second:
            assert not second
    with singleton(file, threading.Event()) as third:
        assert third


def test_a_timer_fires_on_its_schedule_without_status_below_a_minute(new_host):
    host = new_host().start(SAMPLE_SCHEDULE="*/1 * * * * *")
    for told in host.queue("ticks").told(2):
        assert told == {"past_due": False, "status": {}, "schedule": {"AdjustForDST": True}}


def test_a_failing_timer_keeps_its_schedule_and_sends_nothing(new_host):
    host = new_host().start(SAMPLE_SCHEDULE="*/1 * * * * *")
    host.queue("ticks").told(3)
    until(lambda: host.log.count("the timer stumbled") >= 2, "it goes on")
    names = [queue.name for queue in host.service.list_queues(name_starts_with=host.sample)]
    assert f"{host.sample}-stumbles" not in names


def test_a_time_missed_while_the_host_was_down_is_run_at_start_as_past_due(new_host, azurite):
    host = new_host()
    schedule = Schedule(YEARLY)
    table = TableServiceClient.from_connection_string(azurite).create_table_if_not_exists(TABLE)
    missed = after_run(schedule, datetime(2020, 6, 1, tzinfo=UTC))
    row = {"PartitionKey": host.sample, "RowKey": "tick", "status": json.dumps(missed.as_json())}
    table.upsert_entity(row)
    host.start(SAMPLE_SCHEDULE=YEARLY)
    [told] = host.queue("ticks").told()
    assert told["past_due"] is True
    assert told["status"] == missed.as_json()

    def stored(function: str) -> dict[str, str]:
        found = list(table.query_entities(f"PartitionKey eq '{host.sample}' and RowKey eq '{function}'"))
        return json.loads(found[0]["status"]) if found else missed.as_json()

    until(lambda: stored("tick")["Next"] > missed.as_json()["Next"], "the next time is stored")
    until(lambda: stored("stumble")["Last"].startswith("0001"), "a first start is stored")

    host.processes.kill("host")
    host.start()
    time.sleep(0.5)
    assert host.queue("ticks").take() == [], "it was caught up already"


def test_a_timer_can_be_fired_by_hand(host):
    assert host.call("POST", "/admin/functions/tick", b'{"input": ""}').status == 202
    [told] = host.queue("ticks").told()
    assert told["past_due"] is False
