"""A browser for a test."""

from collections.abc import Iterator

import pytest

from tests.browser import chromium
from tests.browser.chromium import Chromium


@pytest.fixture
def browser(tmp_path) -> Iterator[Chromium]:
    """Open a browser of its own for a test; skipped where the machine has none."""
    binary = chromium.found()
    if binary is None:
        pytest.skip("no Chromium on the PATH, and CHROME_BIN names none")
    browser = Chromium(binary, tmp_path / "profile")
    try:
        yield browser
    finally:
        browser.close()
