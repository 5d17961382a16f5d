"""Batches: rows that are taken or refused one by one, or all together, as their sender chose."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TypeVar

from app.core.errors import Code, Refusal

T = TypeVar("T")

MAX_BATCH = 1_000
Results = dict[int, T | Refusal]
"""What became of each row, by its number: a result, or what is wrong with it."""


class ErrorPolicy(StrEnum):
    """What a bad row does to its batch."""

    REJECT_ALL = "REJECT_ALL"
    REJECT_FAILED_ROWS = "REJECT_FAILED_ROWS"


def refuse_size(count: int) -> None:
    """A batch has 1 to 1,000 rows."""
    if count == 0:
        raise Refusal(Code.INVALID, "the batch is empty")
    if count > MAX_BATCH:
        raise Refusal(Code.TOO_LARGE, f"a batch takes at most {MAX_BATCH} rows, not {count}")


def settled(results: Mapping[int, T | Refusal], policy: ErrorPolicy) -> Sequence[T | Refusal]:
    """The results in the order of the rows.

    Under REJECT_ALL one bad row refuses the batch, each problem under its row's number."""
    bad = {number: one for number, one in results.items() if isinstance(one, Refusal)}
    if bad and policy is ErrorPolicy.REJECT_ALL:
        raise Refusal.of([problem.under(number) for number in sorted(bad) for problem in bad[number].problems])
    return [results[number] for number in sorted(results)]


def only(results: Mapping[int, T | Refusal]) -> T:
    """The result of a batch of one; raises what is wrong with it."""
    [one] = results.values()
    if isinstance(one, Refusal):
        raise one
    return one
