"""``pytest tests/mappings --bless`` rewrites what the golden pairs expect; read the difference before you keep it."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--bless", action="store_true", help="rewrite the expected side of the golden pairs and docs/field-guide.md")


@pytest.fixture
def bless(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--bless"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--bless"):
        items.sort(key=lambda item: "test_a_golden_pair_holds" not in item.nodeid)  # the others judge by what is blessed
