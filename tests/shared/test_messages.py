"""What travels on a queue (shared/messages.py)."""

import json

import pytest

from shared.errors import BadMessage
from shared.messages import SweepMessage, SyncMessage

MESSAGE = SyncMessage("org.crm4.dynamics.com|1b2c", "invoices-to-xero", "invoice/5f", "123", 2, "retry")


def test_a_message_survives_the_queue():
    assert SyncMessage.from_json(MESSAGE.to_json()) == MESSAGE


def test_a_message_is_under_one_kilobyte_and_holds_ids_only():
    assert len(MESSAGE.to_json()) < 1024
    assert set(json.loads(MESSAGE.to_json())) == {"connector", "flow", "record", "version", "attempt", "reason"}


def test_a_message_knows_its_table_and_row():
    assert (MESSAGE.table, MESSAGE.record_id) == ("invoice", "5f")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "[]",
        "null",
        '"text"',
        "{}",
        '{"connector":"c","flow":"f"}',
        '{"connector":"c","flow":"f","record":7}',
        '{"connector":"c","flow":"f","record":"invoice"}',
        '{"connector":"c","flow":"f","record":"/1"}',
        '{"connector":"c","flow":"f","record":"invoice/"}',
        '{"connector":"","flow":"f","record":"invoice/1"}',
        '{"connector":"c","flow":"f","record":"invoice/1","attempt":0}',
        '{"connector":"c","flow":"f","record":"invoice/1","attempt":"2"}',
        '{"connector":"c","flow":"f","record":"invoice/1","attempt":true}',
        '{"connector":"c","flow":"f","record":"invoice/1","version":3}',
        '{"connector":"c","flow":"f","record":"invoice/1","reason":null}',
        '{"connector":"%s","flow":"f","record":"invoice/1"}' % ("c" * 301),
        '{"connector":"c/d","flow":"f","record":"invoice/1"}',
        '{"connector":"c","flow":"%s","record":"invoice/1"}' % ("f" * 61),
        '{"connector":"c","flow":"f","record":"invoice/%s"}' % ("1" * 101),
        '{"connector":"c","flow":"f","record":"invoice/1","reason":"\\ud800"}',
        '{"connector":"c","flow":"f","record":"invoice/1","attempt":9223372036854775808}',
        "[" * 30_000,
    ],
)
def test_rubbish_is_a_bad_message_whose_text_is_not_echoed(text: str):
    with pytest.raises(BadMessage) as caught:
        SyncMessage.from_json(text)
    assert str(caught.value).startswith("The ")


def test_only_a_counted_retry_counts():
    assert MESSAGE.again("retry").attempt == 3
    assert MESSAGE.again("throttled", counted=False).attempt == 2


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"connector":"c"}', '{"connector":1,"flow":"f"}', f'{{"connector":"{"c" * 301}","flow":"f"}}']
)
def test_a_sweep_message_without_connector_and_flow_is_a_bad_message(text: str):
    with pytest.raises(BadMessage):
        SweepMessage.from_json(text)


def test_a_sweep_message_survives_the_queue():
    message = SweepMessage("org|1", "invoices-to-xero")
    assert SweepMessage.from_json(message.to_json()) == message
