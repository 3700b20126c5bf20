"""The durations of the protocol keep their order, however much they are shortened (shared/durations.py)."""

import pytest

from shared.durations import Durations


@pytest.mark.parametrize("factor", [1, 0.5, 0.02, 0.001])
def test_the_order_the_protocol_rests_on_holds_at_every_scale(factor: float):
    scaled = Durations().scaled(factor)
    assert scaled.connect + scaled.read < scaled.fence < scaled.lease
    assert scaled.key_memory < scaled.hold < scaled.host_lease < scaled.queued
    assert scaled.token_lease < scaled.token_grace


def test_the_defaults_are_the_specifications():
    durations = Durations()
    assert (durations.lease, durations.hold, durations.key_memory, durations.host_lease) == (180, 390, 360, 600)
