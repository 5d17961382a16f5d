"""Scalars beyond those of GraphQL itself."""

from typing import Any

import strawberry
from graphql import GraphQLError

from app.core.records import BigNumber

LARGEST = 2**53 - 1


def _whole(value: Any) -> int:
    text = isinstance(value, str) and value.removeprefix("-").isascii() and value.removeprefix("-").isdigit()
    if not (text and len(value) < 20) and (isinstance(value, bool) or not isinstance(value, int)):
        raise GraphQLError("BigInt must be a whole number")
    number = int(value)
    if abs(number) > LARGEST:
        raise GraphQLError(f"BigInt must lie between -{LARGEST} and {LARGEST}")
    return number


SCALARS: Any = {
    BigNumber: strawberry.scalar(
        name="BigInt",
        description="A whole number that JSON carries exactly, up to 2^53 - 1; taken as a number or as digits.",
        serialize=int,
        parse_value=_whole,
    )
}
"""The scalar that stands for each such type."""
