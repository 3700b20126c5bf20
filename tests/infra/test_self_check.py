"""What the app finds out about itself, and that /health tells it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from functions import self_check
from functions.health import health
from functions.runs import TABLE
from functions.self_check import Check
from shared.errors import ConfigurationError, Retryable
from shared.services import Services, StoredRow
from shared.settings import AppSettings
from shared.storage.tables import Tables
from tests.fakes import FakeStore
from tests.shared.test_settings import GOOD

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
IN_AZURE = AppSettings.from_environment({**GOOD, "WEBSITE_AUTH_ENABLED": "True"})


def states(settings: AppSettings, python: tuple[int, int] = (3, 13)) -> dict[str, str]:
    return {check.name: check.state for check in self_check.at_start(settings, python)}


def test_a_well_configured_app_is_well():
    assert states(IN_AZURE) == {"settings": "ok", "key vault": "ok", "versions": "ok"}


@pytest.mark.parametrize(
    ("change", "name", "state", "said"),
    [
        ({"is_behind_entra": False}, "settings", "failed", "authentication is off"),
        ({"time_scale": 0.1}, "settings", "failed", "PROTOCOL_TIME_SCALE"),
        ({"xero_webhook_key": ""}, "settings", "warning", "XERO_WEBHOOK_KEY"),
        (
            {"xero_client_secret": "@Microsoft.KeyVault(SecretUri=https://kv/secrets/x)"},
            "key vault",
            "failed",
            "XERO_CLIENT_SECRET",
        ),
        ({"dataverse_client_secret": "@Microsoft.KeyVault(x)"}, "key vault", "failed", "DATAVERSE_CLIENT_SECRET"),
        ({"xero_webhook_key": "@Microsoft.KeyVault(x)"}, "key vault", "failed", "Key Vault Secrets User"),
    ],
)
def test_what_is_wrong_is_named(change, name, state, said):
    (check,) = [check for check in self_check.at_start(replace(IN_AZURE, **change)) if check.name == name]
    assert check.state == state
    assert said in check.detail
    assert "secret-of" not in check.detail


@pytest.mark.parametrize(("python", "state"), [((3, 10), "warning"), ((3, 11), "ok"), ((3, 13), "ok"), ((3, 14), "warning")])
def test_a_python_that_was_not_tested_is_told(python, state):
    assert states(IN_AZURE, python)["versions"] == state


def test_without_its_token_keys_the_app_says_that_the_vault_was_not_read():
    with pytest.raises(ConfigurationError, match="The setting TOKEN_ENCRYPTION_KEYS could not be read from the key vault"):
        AppSettings.from_environment({**GOOD, "TOKEN_ENCRYPTION_KEYS": "@Microsoft.KeyVault(SecretUri=https://kv/secrets/x)"})


def written(at: datetime) -> StoredRow:
    moment = at.isoformat().replace("+00:00", "").replace(":", "%3A")
    return StoredRow("app", "tick", {}, f"W/\"datetime'{moment}.1234567Z'\"")


@pytest.mark.parametrize(
    ("seconds", "state"), [(0, "ok"), (29, "ok"), (-29, "ok"), (32, "failed"), (-32, "failed"), (3600, "failed")]
)
def test_a_clock_that_is_off_is_told(seconds, state):
    check = self_check.clock(written(NOON + timedelta(seconds=seconds)), NOON)
    assert check.state == state


def test_storage_that_does_not_tell_its_time_is_no_fault():
    assert self_check.clock(StoredRow("app", "tick", {}, 'W/"7"'), NOON).state == "ok"


def test_storages_own_etag_is_understood(azurite):
    tables = Tables.from_connection_string(azurite)
    tables.create()
    tables.upsert(TABLE, "self-check", "clock", {"asked": NOON.isoformat()})
    row = tables.read(TABLE, "self-check", "clock")
    assert row is not None
    now = datetime.now(UTC)
    assert self_check.clock(row, now) == Check("clock")
    assert self_check.clock(row, now - timedelta(minutes=5)).state == "failed"


class NoStore(FakeStore):
    """A storage account that is away."""

    def read(self, table: str, partition: str, row: str) -> StoredRow | None:
        raise Retryable("Table Storage did not answer.")


def asked(store: FakeStore, *checks: Check):
    services = Services(None, None, store, None, None, None)  # type: ignore[arg-type]  # /health touches storage only
    return health(services, NOON, checks)


def ticked(seconds: int) -> FakeStore:
    store = FakeStore()
    store.upsert(TABLE, "app", "tick", {"asked": (NOON - timedelta(seconds=seconds)).isoformat()})
    return store


def test_health_tells_every_check_and_fails_with_one_that_failed():
    status, told = asked(ticked(20), Check("settings"), Check("key vault", "failed", "XERO_CLIENT_SECRET could not be read"))
    assert (status, told["status"]) == (503, "failed: key vault")
    assert [check["name"] for check in told["checks"]] == ["settings", "key vault", "storage", "clock"]
    status, told = asked(ticked(20), Check("settings", "warning", "XERO_WEBHOOK_KEY is empty"))
    assert (status, told["status"]) == (200, "ok")
    assert told["versions"]["python"].startswith("3.")


def test_health_without_storage_or_tick_says_which():
    status, told = asked(NoStore(), Check("settings"))
    assert (status, told["status"]) == (503, "storage does not answer")
    assert told["checks"][-1] == {"name": "storage", "state": "failed", "detail": ""}
    assert asked(FakeStore())[1]["status"] == "the timer has not run yet"
    assert asked(ticked(301))[1]["status"] == "the timer is late"
