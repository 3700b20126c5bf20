"""The choice values the code speaks of are the schema's (mappings/choices.py, solution/choices.py)."""

from enum import IntEnum

import pytest

from mappings import choices
from solution.schema import CHOICES

ENUMS = [
    value for value in vars(choices).values() if isinstance(value, type) and issubclass(value, IntEnum) and value is not IntEnum
]


@pytest.mark.parametrize("enum", ENUMS, ids=lambda enum: enum.__name__)
def test_every_option_of_a_choice_has_the_schemas_name_and_value(enum: type[IntEnum]):
    choice = next(choice for choice in CHOICES if choice.name == (enum.__doc__ or "").split(" ")[0].rstrip("."))
    assert {member.name.lower(): member.value for member in enum} == dict(choice.values)
