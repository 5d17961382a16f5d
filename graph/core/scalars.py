"""Scalars beyond GraphQL's own."""

from collections.abc import Mapping
from typing import Any, NewType

import strawberry

BigInt = NewType("BigInt", int)
_EXACT = 1 << 63


def _whole(value: Any) -> int | float:
    number = int(value)
    return number if -_EXACT <= number < _EXACT else float(number)


SCALARS: Mapping[object, Any] = {
    BigInt: strawberry.scalar(
        name="BigInt",
        description="A whole number of any size, as a JSON number: exact up to 64 bits, rounded beyond. "
        "JavaScript's own parser rounds from 53 bits on.",
        serialize=_whole,
    )
}
