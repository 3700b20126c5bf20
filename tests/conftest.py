"""What every test may use: one Azurite a session, and the whole product as processes."""

import pytest

from tests.azurite_fixture import azurite
from tests.product import product

__all__ = ["azurite", "product"]


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests that need the whole product on one worker, so that it is started once."""
    for item in items:
        if item.get_closest_marker("processes") or item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.xdist_group("product"))
