"""What every test may use: one Azurite a session, and the whole product as processes."""

from tests.azurite_fixture import azurite
from tests.product import product

__all__ = ["azurite", "product"]
