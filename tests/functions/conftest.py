"""The world the pipeline's tests play in (tests/world.py)."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from shared.connectors import Connector
from tests.functions.bookkeeping import Bookkeeper
from tests.world import World
from tests.world import world as open_world


@pytest.fixture(scope="session")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("authorities")


@pytest.fixture(scope="session")
def shared_world(authorities: Path) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setenv("REQUESTS_CA_BUNDLE", str(authorities / "authorities.pem"))
        world = stack.enter_context(open_world(authorities))
        world.connect()
        yield world


def left_as_it_was(world: World, *, minutes: int) -> Iterator[World]:
    """Yield a world that several tests share, so many minutes later; afterwards nothing goes wrong in it any more."""
    world.clock.move(minutes=minutes)
    yield world
    world.xero.faults.clear()
    world.dataverse.faults.clear()
    world.restore()


@pytest.fixture
def world(shared_world: World) -> Iterator[World]:
    """One world for all tests that leave its connectors as they found them; a sweep later for each."""
    yield from left_as_it_was(shared_world, minutes=6)


@pytest.fixture
def keeper(world: World) -> Bookkeeper:
    """The bookkeeper of the New Zealand organisation."""
    return Bookkeeper(world)


@pytest.fixture
def nz(world: World) -> Connector:
    """The New Zealand organisation, the default connector; invoices are approved at once."""
    return world.connectors()[0]


@pytest.fixture
def own_world(authorities: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A world of one's own, nothing connected yet, for what cannot be put back."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authorities / "authorities.pem"))
    with open_world(authorities) as opened:
        yield opened


@pytest.fixture(scope="module")
def reset_world(authorities: Path) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch, open_world(authorities) as opened:
        patch.setenv("REQUESTS_CA_BUNDLE", str(authorities / "authorities.pem"))
        yield opened


@pytest.fixture
def fresh_world(reset_world: World) -> World:
    """A world in which nothing is connected yet, both companies as they were at first: quicker than one of one's own."""
    reset_world.xero.reset()
    reset_world.dataverse.reset()
    reset_world.tokens._known.clear()
    reset_world.clock.move(minutes=2)
    for table in ("connectors", "grants", "flowruns", "limits"):
        for row in reset_world.store.rows(table):
            reset_world.store.delete(table, row.partition, row.row)
    return reset_world
