"""Azurite for tests, one per session: ``from tests.azurite_fixture import azurite`` in a conftest."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.azurite import start
from sandbox.processes import Processes


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start Azurite on free ports and give its connection string."""
    run_dir: Path = tmp_path_factory.mktemp("azurite")
    with Processes(run_dir) as processes:
        yield start(processes)
