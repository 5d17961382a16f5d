"""Batches from a client: rows are checked one by one, and taken or refused as the sender chose."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from app.core.batches import ErrorPolicy, refuse_size
from app.core.clock import now
from app.core.errors import Problem, Refusal
from app.core.records import refusal_of
from app.core.work import Work
from app.signals import ingest
from app.signals.ingest import Receipt
from app.signals.observations import Observation
from app.signals.records import SignalRecord, observe

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


@dataclass(frozen=True, slots=True)
class Batch:
    """What one client sent at once."""

    rows: Sequence[Row]
    policy: ErrorPolicy


async def accept(work: Work, rows: Sequence[Row], policy: ErrorPolicy) -> list[Receipt]:
    """Stores the good rows; a receipt for each, in order.

    Under REJECT_ALL one bad row refuses the batch, each problem under its row's number."""
    refuse_size(len(rows))
    answer = (await accept_each(work, [Batch(rows, policy)]))[0]
    if isinstance(answer, Refusal):
        raise answer
    return answer


async def accept_each(work: Work, batches: Sequence[Batch]) -> list[list[Receipt] | Refusal]:
    """Stores the good rows of all the batches as if they were one; for each what `accept` would say of it."""
    good = {(b, i): row for b, i, row in _rows(batches) if isinstance(row, Observation)}
    bad = {(b, i): row for b, i, row in _rows(batches) if not isinstance(row, Observation)}
    for place, problem in (await ingest.unknown_references(work, good)).items():
        bad[place] = (problem,)
        del good[place]
    refused = {b for b, _ in bad if batches[b].policy is ErrorPolicy.REJECT_ALL}
    good = {place: row for place, row in good.items() if place[0] not in refused}
    receipts = {place: Receipt(None, problems=problems) for place, problems in bad.items()}
    taken = await ingest.accept(work, list(good.values())) if good else []
    receipts |= dict(zip(good, taken, strict=True))
    return [
        Refusal.of([problem.under(i) for at, i in sorted(bad) if at == b for problem in bad[at, i]])
        if b in refused
        else [receipts[b, i] for i in range(len(batch.rows))]
        for b, batch in enumerate(batches)
    ]


def _rows(batches: Sequence[Batch]) -> Iterator[tuple[int, int, Row]]:
    """Every row with the number of its batch and its own."""
    return ((b, i, row) for b, batch in enumerate(batches) for i, row in enumerate(batch.rows))
