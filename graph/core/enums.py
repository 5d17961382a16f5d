"""Choices: the enums of `app` as GraphQL enums, described by their docstrings, each made once."""

from enum import Enum
from typing import Any

import strawberry


def choice(enum: type[Enum], name: str | None = None) -> Any:
    """The enum, known to the schema; `name` only where the rooms' own word would say too little there."""
    if "__strawberry_definition__" not in enum.__dict__:
        strawberry.enum(enum, name=name, description=" ".join((enum.__doc__ or "").split()))
    return enum
