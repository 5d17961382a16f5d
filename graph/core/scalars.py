"""Scalars beyond GraphQL's own."""

from collections.abc import Mapping
from typing import Any

import strawberry
from graphql import GraphQLError

from app.core.records import BigNumber

LARGEST_TAKEN = 2**53 - 1
_EXACT = 1 << 63


def _shown(value: Any) -> int | float:
    number = int(value)
    return number if -_EXACT <= number < _EXACT else float(number)


def _taken(value: Any) -> int:
    digits = value.removeprefix("-") if isinstance(value, str) and len(value) < 20 else ""
    if isinstance(value, bool) or not (isinstance(value, int) or (digits.isascii() and digits.isdigit())):
        raise GraphQLError("BigInt must be a whole number")
    number = int(value)
    if abs(number) > LARGEST_TAKEN:
        raise GraphQLError(f"BigInt must lie between -{LARGEST_TAKEN} and {LARGEST_TAKEN}")
    return number


SCALARS: Mapping[object, Any] = {
    BigNumber: strawberry.scalar(
        name="BigInt",
        description="A whole number of any size, as a JSON number: exact up to 64 bits, rounded beyond. "
        "JavaScript's own parser rounds from 53 bits on. Taken up to 53 bits, as a number or as digits.",
        serialize=_shown,
        parse_value=_taken,
    )
}
"""The scalar that stands for each such type."""
