"""The documents an administrator follows say what the files do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shared.settings import SCOPES
from tests.infra.bicep import INFRA, read
from tests.infra.checks import ALERTS, ROLES

DOCS = Path(__file__).parents[2] / "docs"
NAMES = ("deploy.md", "upgrade.md", "security.md")
TEXTS = {name: (DOCS / name).read_text(encoding="utf-8") for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_every_link_leads_somewhere(name):
    for target, _, anchor in (link.partition("#") for link in re.findall(r"\]\(([^)]+)\)", TEXTS[name])):
        if target.startswith("https://"):
            continue
        path = DOCS / target if target else DOCS / name
        assert path.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.M)
            slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs, f"{target}#{anchor}"


def test_security_names_every_role_and_no_other():
    section = TEXTS["security.md"].partition("## Roles")[2].partition("## Threats")[0]
    named = set(re.findall(r"\| ((?:Storage|Key Vault|Monitoring) [\w ]+?) \|", section))
    assert named == set(ROLES)


def test_deploy_names_the_scopes_and_every_address_to_register():
    assert SCOPES in TEXTS["deploy.md"]
    outputs = read(INFRA / "main.bicep").outputs
    for name in ("XERO_REDIRECT_URI", "XERO_WEBHOOK_URL", "DYNAMICS_REDIRECT_URI"):
        path = outputs[name].body.text.rpartition("}")[2]
        assert f"https://<app>{path}`" in TEXTS["deploy.md"]


def test_deploy_explains_the_parameters_there_are():
    named = set(re.findall(r"`([a-z]+[A-Z]\w+)(?: = [^`]+)?`", TEXTS["deploy.md"])) - {
        "managedIdentity",
        "clientSecret",
        "clientCertificate",
    }
    assert named
    assert named <= set(read(INFRA / "main.bicep").params)


def test_deploy_says_what_was_not_run_here():
    said = TEXTS["deploy.md"].partition("## What you need")[0]
    for word in ("bicep build", "azd", "az deployment", "remote build"):
        assert word in said


def test_the_secrets_of_the_documents_are_those_of_the_vault():
    kept = {
        one.body["name"] for one in read(INFRA / "secrets.bicep").resources.values() if one.type.endswith("secrets@2025-05-01")
    }
    named = set(re.findall(r"`((?:token|xero|dataverse)-[a-z-]+)`", TEXTS["security.md"] + TEXTS["deploy.md"]))
    assert kept - named == {"xero-client-secret"}  # named in a command
    assert "--name xero-client-secret" in TEXTS["security.md"]
    assert named - kept == set()


def test_six_alerts_are_promised_and_there():
    assert "six alerts" in TEXTS["security.md"]
    assert len(ALERTS) == 6


def test_the_price_adds_up():
    table = TEXTS["deploy.md"].partition("## What it costs")[2].partition("It is an upper bound")[0]
    rows = [[cell.strip(" *$") for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("|")]
    columns = {row[0]: [float(cell.replace(",", "")) for cell in row[1:]] for row in rows[2:]}

    def row(start: str) -> list[float]:
        return columns.get(start) or next(cells for name, cells in columns.items() if name.startswith(start))

    for n, (invoices, connectors) in enumerate([(100, 1), (1000, 1), (10_000, 5)]):
        timers, sweeps, messages = (1440 + 144 + 1) * 30, 600 * 30 * connectors, 2 * invoices * 30
        runs, seconds = timers + sweeps + messages, timers + 1.5 * sweeps + 2 * messages
        assert [row(name)[n] for name in ("runs of timers", "sweeps", "messages", "runs", "seconds")] == [
            timers, sweeps, messages, runs, seconds,
        ]  # fmt: skip
        assert row("GB-seconds with")[n] == 2 * seconds
        execution = {size: max(0, size * seconds - 100_000) * 0.000026 for size in (2, 0.5)}
        calls = max(0, runs - 250_000) * 0.4 / 1_000_000
        storage = (4_300_000 + 25 * messages) / 10_000 * 0.0005
        logs = max(0, runs * 6e-6 + 0.6 - 5) * 2.76
        shown = [row(name)[n] for name in ("− 100,000", "runs −", "storage", "logs", "alerts")]
        assert shown == pytest.approx([execution[2], calls, storage, logs, 4], abs=0.006)
        rest = calls + storage + logs + 4
        assert row("in all, 2048")[n] == pytest.approx(execution[2] + rest, abs=0.015)
        assert row("in all, 512")[n] == pytest.approx(execution[0.5] + rest, abs=0.015)
