"""scripts/deployment.py, with stand-ins for the programs az and azd and for the app."""

from __future__ import annotations

import base64
import json
import os
import sys
import threading
import uuid
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from functions.pages import APP_ROLE
from scripts import deployment

PROJECT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-ins for az and azd are scripts")
CLIENT, IDENTITY = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
OUTPUTS = {
    "PORTAL_REDIRECT_URI": "https://app.example.com/.auth/login/aad/callback",
    "IDENTITY_PRINCIPAL_ID": IDENTITY,
    "XERO_REDIRECT_URI": "https://app.example.com/connect/xero/callback",
    "XERO_WEBHOOK_URL": "https://app.example.com/webhooks/xero",
    "DATAVERSE_APPLICATION_ID": "33333333-3333-3333-3333-333333333333",
    "PORTAL_URL": "https://app.example.com/connect/xero",
}
PROGRAM = """#!{python}
import json, sys
from pathlib import Path
here = Path(__file__).parent
with (here / "said").open("a") as said:
    said.write(json.dumps([Path(__file__).name, *sys.argv[1:]]) + "\\n")
answers = json.loads((here / "answers").read_text())
words = " ".join(sys.argv[1:])
for start, answer in answers.items():
    if words.startswith(start):
        if answer == "refused":
            sys.exit("ERROR: Insufficient privileges to complete the operation.")
        print(json.dumps(answer))
        break
"""
ANSWERS = {
    "ad app create": {"appId": CLIENT},
    "ad app show": {"web": {"redirectUris": ["https://other.example.com/x"]}},
    "ad app federated-credential list": [],
    "account show": {"tenantId": "contoso"},
}


class Programs:
    """az and azd that write down what they were asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("az", "azd"):
            (folder / name).write_text(PROGRAM.format(python=sys.executable))
            (folder / name).chmod(0o755)
        self.answer(ANSWERS)

    def answer(self, answers: dict[str, Any]) -> None:
        (self.folder / "answers").write_text(json.dumps(answers))

    @property
    def said(self) -> list[list[str]]:
        path = self.folder / "said"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def programs(tmp_path, monkeypatch) -> Programs:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("AZURE_ENV_NAME", "test")
    monkeypatch.setenv("XERO_CLIENT_ID", "xero")
    for name in ("PORTAL_CLIENT_ID", "TOKEN_ENCRYPTION_KEYS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in OUTPUTS.items():
        monkeypatch.setenv(name, value)
    return Programs(tmp_path)


def test_prepare_registers_the_portal_once_and_makes_a_key(programs, monkeypatch):
    assert deployment.main(["prepare"]) == 0
    create, principal, client, key = programs.said
    assert create[:4] == ["az", "ad", "app", "create"]
    (role,) = json.loads(create[create.index("--app-roles") + 1])
    assert role["value"] == APP_ROLE
    uuid.UUID(role["id"])
    assert principal[:6] == ["az", "ad", "sp", "create", "--id", CLIENT]
    assert client == ["azd", "env", "set", "PORTAL_CLIENT_ID", CLIENT]
    assert key[:4] == ["azd", "env", "set", "TOKEN_ENCRYPTION_KEYS"]
    assert len(base64.b64decode(key[4])) == 32
    monkeypatch.setenv("PORTAL_CLIENT_ID", CLIENT)
    monkeypatch.setenv("TOKEN_ENCRYPTION_KEYS", key[4])
    assert deployment.main(["prepare"]) == 0
    assert len(programs.said) == 4


def test_two_keys_are_never_the_same(programs):
    deployment.main(["prepare"])
    deployment.main(["prepare"])
    keys = [call[4] for call in programs.said if call[3:4] == ["TOKEN_ENCRYPTION_KEYS"]]
    assert len(set(keys)) == 2


def test_prepare_says_what_is_missing(programs, monkeypatch, capsys):
    monkeypatch.delenv("XERO_CLIENT_ID")
    assert deployment.main(["prepare"]) == 1
    assert "Set XERO_CLIENT_ID first" in capsys.readouterr().err
    assert programs.said == []


def test_without_azd_no_secret_is_printed(programs, monkeypatch, capsys):
    (programs.folder / "azd").unlink()
    assert deployment.main(["prepare"]) == 1
    said = capsys.readouterr()
    assert "Set TOKEN_ENCRYPTION_KEYS first" in said.err
    assert f"PORTAL_CLIENT_ID={CLIENT}" in said.out


def test_register_keeps_other_redirect_uris_and_trusts_the_identity(programs, monkeypatch):
    monkeypatch.setenv("PORTAL_CLIENT_ID", CLIENT)
    assert deployment.main(["register"]) == 0
    assert programs.said[0] == ["azd", "env", "set", "TOKEN_ENCRYPTION_KEYS", ""]
    (update,) = [call for call in programs.said if call[1:4] == ["ad", "app", "update"]]
    uris = update[update.index("--web-redirect-uris") + 1 : update.index("--output")]
    assert uris == ["https://other.example.com/x", OUTPUTS["PORTAL_REDIRECT_URI"]]
    (create,) = [call for call in programs.said if "federated-credential" in call and "create" in call]
    credential = json.loads(create[create.index("--parameters") + 1])
    assert credential["subject"] == IDENTITY
    assert credential["issuer"] == "https://login.microsoftonline.com/contoso/v2.0"
    assert credential["audiences"] == ["api://AzureADTokenExchange"]


def test_register_changes_nothing_the_second_time(programs, monkeypatch):
    monkeypatch.setenv("PORTAL_CLIENT_ID", CLIENT)
    done = {"ad app show": {"web": {"redirectUris": [OUTPUTS["PORTAL_REDIRECT_URI"]]}}}
    programs.answer({**ANSWERS, **done, "ad app federated-credential list": [{"subject": IDENTITY}]})
    assert deployment.main(["register"]) == 0
    assert not [call for call in programs.said if "update" in call or "create" in call]


def test_a_refusal_of_the_azure_cli_is_one_sentence(programs, capsys):
    programs.answer({"ad app create": "refused"})
    assert deployment.main(["prepare"]) == 1
    assert capsys.readouterr().err.strip() == "az ad app create failed: ERROR: Insufficient privileges to complete the operation."


def test_a_missing_program_is_one_sentence(programs, monkeypatch, capsys):
    (programs.folder / "az").unlink()
    assert deployment.main(["prepare"]) == 1
    assert "The program az is not installed" in capsys.readouterr().err


class Health:
    """An app that answers /health with each answer in turn, the last for ever."""

    def __init__(self, *answers: tuple[int, dict[str, Any]]) -> None:
        remaining = list(answers)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, told = remaining.pop(0) if len(remaining) > 1 else remaining[0]
                body = json.dumps(told).encode()
                self.send_response(status if self.path == "/health" else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def __enter__(self) -> Health:
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


LATE = (503, {"status": "the timer has not run yet", "checks": []})
WELL = (200, {"status": "ok", "checks": [{"name": "settings", "state": "warning", "detail": "XERO_WEBHOOK_KEY is empty"}]})
ILL = (503, {"status": "failed: key vault", "checks": [{"name": "key vault", "state": "failed", "detail": "missing"}]})


def test_verify_prints_what_to_paste_and_waits_until_the_app_is_well(tmp_path, capsys):
    with Health(LATE, LATE, WELL) as app:
        outputs = {name: {"type": "String", "value": value} for name, value in {**OUTPUTS, "PUBLIC_URL": app.url}.items()}
        (tmp_path / "outputs.json").write_text(json.dumps(outputs))
        assert deployment.main(["verify", "--outputs", str(tmp_path / "outputs.json"), "--wait", "2"]) == 0
    said = capsys.readouterr().out
    for name in ("XERO_REDIRECT_URI", "XERO_WEBHOOK_URL", "DATAVERSE_APPLICATION_ID", "PORTAL_URL"):
        assert OUTPUTS[name] in said
    assert said.index("the timer has not run yet") < said.index("/health: ok") < said.index("XERO_WEBHOOK_KEY is empty")


def test_verify_fails_when_the_app_stays_ill(programs, monkeypatch, capsys):
    with Health(ILL) as app:
        monkeypatch.setenv("PUBLIC_URL", app.url)
        assert deployment.main(["verify", "--wait", "0.2"]) == 1
    said = capsys.readouterr()
    assert "key vault  failed   missing" in said.out
    assert "The app is not well after 0 s: failed: key vault." in said.err


def test_verify_says_when_nobody_answers(programs, monkeypatch, capsys):
    monkeypatch.setenv("PUBLIC_URL", "http://127.0.0.1:9")
    assert deployment.main(["verify", "--wait", "0"]) == 1
    assert "no answer" in capsys.readouterr().err


def test_verify_needs_the_outputs(monkeypatch, capsys):
    monkeypatch.delenv("PUBLIC_URL", raising=False)
    assert deployment.main(["verify"]) == 1
    assert "PUBLIC_URL is not known" in capsys.readouterr().err
