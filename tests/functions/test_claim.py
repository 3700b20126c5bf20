"""The claim of a record, where two write it at once (functions/claim.py)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from functions import claim as claims
from functions.claim import NEVER
from shared.services import Services
from tests.world import world as open_world

RECORD = "Contact/5b96e86b-418e-48b8-8949-308c14aec278"


@pytest.fixture(scope="module")
def services(authorities: Path) -> Iterator[Services]:
    with open_world(authorities) as world:
        yield world.services


def test_a_wish_noted_while_a_record_is_in_hand_is_free_as_soon_as_the_work_is_done(services: Services):
    held = claims.take(services, "connector", "balances-from-xero", RECORD, "worker 1")
    assert claims.mark_queued(services, claims.read(services, "connector", "balances-from-xero", RECORD), NEVER)

    claims.close(services, held)

    left = claims.read(services, "connector", "balances-from-xero", RECORD)
    assert left.etag, "the wish stays"
    assert (left.state, left.is_busy(services.clock.now())) == ("free", False), "and does not wait for the lease's end"


def test_what_somebody_else_holds_by_now_is_left_alone(services: Services):
    record = RECORD.replace("5b", "5c")
    lost = claims.take(services, "connector", "balances-from-xero", record, "worker 1")
    claims.release(services, lost)
    held = claims.take(services, "connector", "balances-from-xero", record, "worker 2")

    claims.close(services, lost)

    assert claims.read(services, "connector", "balances-from-xero", record) == held
