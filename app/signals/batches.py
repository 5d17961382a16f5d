"""Batches from a client: rows are checked one by one, and taken or refused as the sender chose."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

from app.core.clock import now
from app.core.errors import Code, Problem, Refusal
from app.core.records import refusal_of
from app.core.work import Work
from app.signals import ingest
from app.signals.ingest import Receipt
from app.signals.observations import Observation
from app.signals.records import MAX_BATCH, SignalRecord, observe


class ErrorPolicy(StrEnum):
    """What a bad row does to its batch."""

    REJECT_ALL = "REJECT_ALL"
    REJECT_FAILED_ROWS = "REJECT_FAILED_ROWS"


Row = Observation | tuple[Problem, ...]
"""A row as it was read: the observation that it makes, or what is wrong with it."""


def read_row(values: Any) -> Row:
    """Reads a row of loose values, as a client sends it."""
    try:
        record = SignalRecord.model_validate(values)
    except ValidationError as error:
        return refusal_of(error).problems
    observed = observe(record, now())
    return (observed,) if isinstance(observed, Problem) else observed


def refuse_size(count: int) -> None:
    """A batch has 1 to 1,000 rows."""
    if count == 0:
        raise Refusal(Code.INVALID, "the batch is empty")
    if count > MAX_BATCH:
        raise Refusal(Code.TOO_LARGE, f"a batch takes at most {MAX_BATCH} signals, not {count}")


async def accept(work: Work, rows: Sequence[Row], policy: ErrorPolicy) -> list[Receipt]:
    """Stores the good rows; a receipt for each, in order.

    Under REJECT_ALL one bad row refuses the batch, each problem under its row's number."""
    refuse_size(len(rows))
    good = {i: row for i, row in enumerate(rows) if isinstance(row, Observation)}
    bad = {i: row for i, row in enumerate(rows) if not isinstance(row, Observation)}
    for place, problem in (await ingest.unknown_references(work, good)).items():
        bad[place] = (problem,)
        del good[place]
    if bad and policy is ErrorPolicy.REJECT_ALL:
        raise Refusal.of([problem.under(i) for i in sorted(bad) for problem in bad[i]])
    receipts = {i: Receipt(None, problems=problems) for i, problems in bad.items()}
    taken = await ingest.accept(work, list(good.values())) if good else []
    receipts |= dict(zip(good, taken, strict=True))
    return [receipts[i] for i in range(len(rows))]
