"""What every test may use: one Azurite a session, and the whole product as processes."""

from hypothesis import HealthCheck, settings

from tests.azurite_fixture import azurite
from tests.product import product

# The same examples every time, however slow the machine is; loaded before any test takes its settings from it.
settings.register_profile("steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

__all__ = ["azurite", "product"]
