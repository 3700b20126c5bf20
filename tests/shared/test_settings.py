"""The settings: read once, each problem in a sentence that names its setting, no secret shown."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import pytest

from shared.errors import ConfigurationError
from shared.settings import SETTINGS, AppSettings

ROOT = Path(__file__).parents[2]
KEY = base64.b64encode(bytes(range(32))).decode()
OTHER_KEY = base64.b64encode(bytes(range(1, 33))).decode()
TENANT = "11111111-2222-3333-4444-555555555555"
GOOD = {
    "AzureWebJobsStorage": "UseDevelopmentStorage=true",
    "PUBLIC_URL": "https://connector.example.com/",
    "TICK_SCHEDULE": "0 * * * * *",
    "NIGHTLY_SCHEDULE": "0 0 2 * * MON-FRI",
    "KEEPALIVE_SCHEDULE": "*/10 * * * *",
    "XERO_CLIENT_ID": "client",
    "XERO_CLIENT_SECRET": "secret-of-xero",
    "XERO_WEBHOOK_KEY": "secret-of-webhooks",
    "DATAVERSE_TENANT_ID": TENANT,
    "DATAVERSE_CLIENT_ID": TENANT,
    "DATAVERSE_CLIENT_SECRET": "secret-of-entra",
    "TOKEN_ENCRYPTION_KEYS": f"{KEY},{OTHER_KEY}",
    "PORTAL_ADMINS": "Ada@Example.com, 22222222-2222-2222-2222-222222222222",
}


def read(**changes: str) -> AppSettings:
    return AppSettings.from_environment({**GOOD, **changes})


def test_settings_are_read_with_the_vendors_addresses_by_default():
    settings = read()
    assert settings.public_url == "https://connector.example.com"
    assert settings.xero_api_url == "https://api.xero.com"
    assert settings.xero_login_url == "https://login.xero.com"
    assert settings.xero_identity_url == "https://identity.xero.com"
    assert settings.dataverse_authority_url == "https://login.microsoftonline.com"
    assert "accounting.invoices" in settings.xero_scopes
    assert "offline_access" in settings.xero_scopes
    assert settings.dataverse_allowed_hosts[0] == "*.dynamics.com"
    assert settings.token_encryption_keys == (bytes(range(32)), bytes(range(1, 33)))
    assert settings.portal_admins == ("ada@example.com", "22222222-2222-2222-2222-222222222222")
    assert settings.time_scale == 1.0
    assert not settings.is_behind_entra
    assert not settings.is_local


def test_no_secret_is_ever_shown():
    shown = repr(
        read(AzureWebJobsStorage="AccountName=x;AccountKey=secret-of-storage", DATAVERSE_CLIENT_SECRET="secret-of-entra")
    )
    assert "secret-of" not in shown
    assert KEY not in shown
    assert "x00" not in shown


@pytest.mark.parametrize(
    "name",
    [
        "AzureWebJobsStorage",
        "PUBLIC_URL",
        "TICK_SCHEDULE",
        "NIGHTLY_SCHEDULE",
        "KEEPALIVE_SCHEDULE",
        "XERO_CLIENT_ID",
        "XERO_CLIENT_SECRET",
        "TOKEN_ENCRYPTION_KEYS",
        "DATAVERSE_TENANT_ID",
        "DATAVERSE_CLIENT_ID",
    ],
)
def test_a_missing_setting_stops_the_start_with_a_sentence_that_names_it(name):
    for value in ("", "   ", None):
        env = {key: text for key, text in {**GOOD, name: value}.items() if text is not None}
        with pytest.raises(ConfigurationError) as caught:
            AppSettings.from_environment(env)
        assert str(caught.value).startswith(f"The setting {name} is missing")
        assert str(caught.value).count("The setting") == 1


# fmt: off
MALFORMED = [
    ("PUBLIC_URL",               "http://connector.example.com",      "must start with https"),
    ("PUBLIC_URL",               "http://127.0.0.1:7071",             "must say localhost"),
    ("PUBLIC_URL",               "https://example.com/app",           "must not have a path"),
    ("PUBLIC_URL",               "https://user@example.com",          "is not an address"),
    ("PUBLIC_URL",               "example.com",                       "is not an address"),
    ("PUBLIC_URL",               "https://example.com:port",          "is not an address"),
    ("PUBLIC_URL",               "https://[",                         "is not an address"),
    ("XERO_API_URL",             "http://api.xero.com",               "must start with https"),
    ("XERO_API_URL",             "http://localhost.evil.example",     "must start with https"),
    ("XERO_LOGIN_URL",           "ftp://login.xero.com",              "is not an address"),
    ("XERO_IDENTITY_URL",        "https://identity.xero.com?x=1",     "is not an address"),
    ("DATAVERSE_AUTHORITY_URL",  "http://localhost:1",                "must start with https"),
    ("TICK_SCHEDULE",            "* * * *",                           "is not a schedule"),
    ("TICK_SCHEDULE",            "0 * * * * * *",                     "is not a schedule"),
    ("NIGHTLY_SCHEDULE",         "0 0 2 * * ;",                       "is not a schedule"),
    ("XERO_SCOPES",              "openid",                            "names no accounting scope"),
    ("XERO_SCOPES",              ",",                                 "names no accounting scope"),
    ("DATAVERSE_TENANT_ID",      "contoso",                           "is not an id"),
    ("DATAVERSE_CLIENT_ID",      "contoso",                           "is not an id"),
    ("DATAVERSE_ALLOWED_HOSTS",  "*",                                 "which is not a host name"),
    ("DATAVERSE_ALLOWED_HOSTS",  "*.com",                             "which is not a host name"),
    ("DATAVERSE_ALLOWED_HOSTS",  "https://x.dynamics.com",            "which is not a host name"),
    ("DATAVERSE_ALLOWED_HOSTS",  "*.crm*.dynamics.com",               "which is not a host name"),
    ("DATAVERSE_ALLOWED_HOSTS",  ";",                                 "is empty"),
    ("TOKEN_ENCRYPTION_KEYS",    "not base64!",                       "is not base64"),
    ("TOKEN_ENCRYPTION_KEYS",    "c2hvcnQ=",                          "32 bytes"),
    ("TOKEN_ENCRYPTION_KEYS",    f"{KEY},{KEY}",                      "the same key twice"),
    ("TOKEN_ENCRYPTION_KEYS",    ",",                                 "is empty"),
    ("PROTOCOL_TIME_SCALE",      "fast",                              "is not a number"),
    ("PROTOCOL_TIME_SCALE",      "0",                                 "must be above 0"),
    ("PROTOCOL_TIME_SCALE",      "2",                                 "must be above 0"),
    ("PROTOCOL_TIME_SCALE",      "nan",                               "must be above 0"),
    ("DATAVERSE_CLIENT_CERTIFICATE", "cert.pem",                      "must be empty when"),
    ("PORTAL_ADMINS",            "local",                             "only when PUBLIC_URL"),
    ("PORTAL_ADMINS",            "local,ada@example.com",             "not both"),
]
# fmt: on


@pytest.mark.parametrize(("name", "value", "reason"), MALFORMED)
def test_a_malformed_setting_stops_the_start_with_a_sentence_that_names_it(name, value, reason):
    with pytest.raises(ConfigurationError) as caught:
        read(**{name: value})
    assert str(caught.value).startswith(f"The setting {name} ")
    assert reason in str(caught.value)
    assert "not base64!" not in str(caught.value)


def test_every_problem_is_told_at_once():
    with pytest.raises(ConfigurationError) as caught:
        read(PUBLIC_URL="", TICK_SCHEDULE="x")
    assert "PUBLIC_URL" in str(caught.value)
    assert "TICK_SCHEDULE" in str(caught.value)


def test_a_storage_account_may_be_reached_by_identity():
    addresses = {
        "AzureWebJobsStorage": "",
        "AzureWebJobsStorage__queueServiceUri": "https://st.queue.core.windows.net/",
        "AzureWebJobsStorage__tableServiceUri": "https://st.table.core.windows.net/",
        "AzureWebJobsStorage__credential": "managedidentity",
        "AzureWebJobsStorage__clientId": TENANT,
    }
    settings = read(**addresses)
    assert (settings.storage_queue_url, settings.storage_client_id) == ("https://st.queue.core.windows.net/", TENANT)
    for name, value, reason in (
        ("AzureWebJobsStorage__tableServiceUri", "", "missing"),
        ("AzureWebJobsStorage__tableServiceUri", "http://st.table.core.windows.net/", "https"),
        ("AzureWebJobsStorage__credential", "key", "managedidentity"),
        ("AzureWebJobsStorage__clientId", "me", "not an id"),
    ):
        with pytest.raises(ConfigurationError, match=name) as caught:
            read(**{**addresses, name: value})
        assert reason in str(caught.value)


def test_dataverse_without_a_secret_and_certificate_uses_the_managed_identity_and_needs_no_tenant():
    settings = read(DATAVERSE_CLIENT_SECRET="", DATAVERSE_TENANT_ID="", DATAVERSE_CLIENT_ID="")
    assert settings.dataverse_client_secret == settings.dataverse_tenant_id == ""


def test_the_person_local_is_for_a_run_on_ones_own_machine():
    assert read(PORTAL_ADMINS="local", PUBLIC_URL="http://localhost:7071").is_local
    for name in ("WEBSITE_SITE_NAME", "WEBSITE_INSTANCE_ID"):
        with pytest.raises(ConfigurationError, match="PORTAL_ADMINS may not be local in Azure"):
            read(PORTAL_ADMINS="local", PUBLIC_URL="http://localhost:7071", **{name: "x"})


def test_nobody_is_an_administrator_by_default():
    assert read(PORTAL_ADMINS="").portal_admins == ()


@pytest.mark.parametrize(("value", "believed"), [("True", True), ("true", True), ("False", False), ("1", False), ("", False)])
def test_the_platform_says_whether_a_principal_can_be_believed(value, believed):
    assert read(WEBSITE_AUTH_ENABLED=value).is_behind_entra is believed


def test_the_sample_and_the_code_name_the_same_settings():
    sample = json.loads((ROOT / "local.settings.sample.json").read_text())
    named = {setting.name for setting in SETTINGS}
    assert set(sample["Values"]) - {"FUNCTIONS_WORKER_RUNTIME"} == named
    assert [setting.name for setting in SETTINGS] == [name for name in sample["Values"] if name in named]
    assert {setting.field for setting in SETTINGS} == set(AppSettings.__dataclass_fields__) - {"is_behind_entra"}
    defaults = {setting.name: setting.default for setting in SETTINGS if setting.default}
    assert {name: sample["Values"][name] for name in defaults} == defaults


def test_the_sample_holds_no_secret_and_works_once_the_empty_ones_are_filled_in():
    values = json.loads((ROOT / "local.settings.sample.json").read_text())["Values"]
    for name in values:
        if re.search(r"SECRET|KEY|CERTIFICATE|CLIENT_ID|TENANT", name):
            assert values[name] == "", name
    filled = {name: value or GOOD.get(name, "") for name, value in values.items()}
    assert AppSettings.from_environment(filled).is_local
    with pytest.raises(ConfigurationError, match="XERO_CLIENT_ID"):
        AppSettings.from_environment(values)
