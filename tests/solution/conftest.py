"""Environments to install into."""

from collections.abc import Iterator

import pytest

from sandbox.entra import Certificates
from tests.solution.environments import Place, served


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.at(tmp_path_factory.mktemp("authority") / "authorities.pem")


@pytest.fixture
def bare(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """An environment with Dynamics 365 Sales and nothing of ours."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates.bundle))
    with served(certificates, bare=True) as place:
        yield place


@pytest.fixture
def installed(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """An environment where the connector is installed."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates.bundle))
    with served(certificates, bare=False) as place:
        yield place
