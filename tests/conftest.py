"""What every test may use: one Azurite a session."""

from tests.azurite_fixture import azurite

__all__ = ["azurite"]
