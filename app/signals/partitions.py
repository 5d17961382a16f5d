"""Months of the signals table: made ahead by the schedule, and on demand for events that come late."""

from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy import text

from app.core.work import Work

_ENSURE = text("SELECT signals_ensure_month(:month)")
_there: set[tuple[int, int]] = set()


async def ensure(work: Work, moments: Iterable[datetime]) -> None:
    """Sees to it that each moment's month has its partition; asks the database until it was there before.

    One that is made here may be undone with its transaction, and is asked for again."""
    months = {(moment.year, moment.month) for moment in (m.astimezone(UTC) for m in moments)}
    for year, month in sorted(months - _there):
        if (await work.run(_ENSURE, {"month": datetime(year, month, 1, tzinfo=UTC)})).scalar_one():
            _there.add((year, month))
