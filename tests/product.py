"""The whole product as processes: the fixture ``product`` is one for each file, ``running`` gives another."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.demo.product import Ports, Product
from sandbox.demo.story import Story
from tests.ports import free_port


def free_ports() -> Ports:
    """Return ports of this machine that nobody listens on just now."""
    return Ports(*(free_port() for _ in range(4)))


@contextlib.contextmanager
def running(run_dir: Path, *, time_scale: float = 1) -> Iterator[Product]:
    """Run everything on free ports; nothing is connected yet."""
    product = Product(run_dir, free_ports(), time_scale, say=lambda line: None)
    try:
        product.start()
        yield product
    finally:
        product.stop()


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """Run everything, with two organisations connected and the app looking for due invoices every three seconds."""
    with running(tmp_path_factory.mktemp("product") / "run") as product:
        Story(product, say=lambda line: None).connect()
        product.keep_looking()
        yield product
