"""`python -m sandbox.xero` as a process of its own."""

import subprocess
import sys
from typing import Any

import requests

from tests.ports import free_port


def started(port: Any, database: Any) -> Any:
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox.xero", "--port", str(port), "--database", str(database), "--day-limit", "7"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == f"Xero sandbox on http://localhost:{port}\n"
    return process


def stopped(process: Any) -> Any:
    process.terminate()
    process.wait(60)
    process.stdout.close()


def mint(url: Any) -> Any:
    form = {"grant_type": "client_credentials"}
    tokens = requests.post(f"{url}/connect/token", data=form, auth=("sandbox-custom", "sandbox-custom-secret"), timeout=10).json()
    return {"Authorization": f"Bearer {tokens['access_token']}", "Accept": "application/json"}


def test_the_process_answers_health_and_keeps_its_documents_over_a_restart(tmp_path):
    port = free_port()
    url, database = f"http://localhost:{port}", tmp_path / "xero.sqlite"
    process = started(port, database)
    try:
        assert requests.get(f"{url}/healthz", timeout=10).json()["status"] == "ok"
        answer = requests.put(f"{url}/api.xro/2.0/Contacts", json={"Name": "Kept"}, headers=mint(url), timeout=10)
        assert (answer.status_code, answer.headers["X-DayLimit-Remaining"]) == (200, "6")
        process.kill()
    finally:
        stopped(process)
    process = started(port, database)
    try:
        found = requests.get(f"{url}/api.xro/2.0/Contacts?searchTerm=Kept", headers=mint(url), timeout=10).json()
        assert [row["Name"] for row in found["Contacts"]] == ["Kept"]
    finally:
        stopped(process)
