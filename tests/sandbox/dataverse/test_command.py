"""`python -m sandbox.dataverse` serves the environment as a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.ports import free_port


@pytest.mark.processes
def test_the_command_serves_over_https_with_authorities_of_its_own(tmp_path: Path) -> None:
    port = free_port()
    bundle = tmp_path / "authorities.pem"
    arguments = ["--port", str(port), "--database", str(tmp_path / "rows.sqlite"), "--ca-file", str(bundle)]
    command = [sys.executable, "-m", "sandbox.dataverse", *arguments]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout
            assert f"https://localhost:{port}" in process.stdout.readline()
            assert requests.get(f"https://localhost:{port}/healthz", verify=str(bundle), timeout=10).json()["status"] == "ok"
            with pytest.raises(requests.exceptions.SSLError):
                requests.get(f"https://localhost:{port}/healthz", timeout=10)
        finally:
            process.terminate()
    assert (tmp_path / "rows.sqlite").exists()
    assert bundle.with_suffix(".key").exists()
