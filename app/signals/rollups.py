"""Counters kept while signals come in, so that scores and analytics never read the signals again."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date
from typing import NamedTuple
from uuid import UUID

from app.core.sets import Merge, add_rows_last
from app.core.work import Work
from app.signals.models import CompanyPerson, SignalCount
from app.signals.observations import Observation


@dataclass(frozen=True, slots=True)
class Counted:
    """A signal that a company's counters should know of."""

    company: UUID | None
    person: UUID | None
    observation: Observation


class Moved(NamedTuple):
    """Earlier signals of one type and day that were found to belong to a company; none of them where only the
    person behind signals that are counted already became known."""

    company: UUID
    person: UUID
    day: date
    type: str
    signals: int


async def add(work: Work, counted: Iterable[Counted], moved: Sequence[Moved]) -> list[UUID]:
    """Adds to the counters; the companies whose counters changed."""
    counts: Counter[tuple[UUID, date, str]] = Counter()
    people: dict[tuple[UUID, UUID], date] = {}
    for company, person, day, type_, signals in (*_days(counted), *moved):
        if signals:
            counts[company, day, type_] += signals
        if person is not None:
            people[company, person] = max(day, people.get((company, person), day))
    if counts:
        await _add_counts(work, counts)
    if people:
        await _add_people(work, people)
    return sorted({company for company, _, _ in counts} | {company for company, _ in people})


def _days(counted: Iterable[Counted]) -> Iterable[tuple[UUID, UUID | None, date, str, int]]:
    for entry in counted:
        if entry.company is not None:
            day = entry.observation.occurred_at.astimezone(UTC).date()
            yield entry.company, entry.person, day, entry.observation.type, 1


async def _add_counts(work: Work, counts: Counter[tuple[UUID, date, str]]) -> None:
    keys = sorted(counts)
    await add_rows_last(
        work,
        SignalCount,
        {
            "company_id": [company for company, _, _ in keys],
            "day": [day for _, day, _ in keys],
            "type": [type_ for _, _, type_ in keys],
            "count": [counts[key] for key in keys],
        },
        on=[SignalCount.company_id, SignalCount.day, SignalCount.type],
        merge={"count": Merge.ADD},
    )


async def _add_people(work: Work, people: dict[tuple[UUID, UUID], date]) -> None:
    keys = sorted(people)
    await add_rows_last(
        work,
        CompanyPerson,
        {
            "company_id": [company for company, _ in keys],
            "person": [person for _, person in keys],
            "last_seen_on": [people[key] for key in keys],
        },
        on=[CompanyPerson.company_id, CompanyPerson.person],
        merge={"last_seen_on": Merge.GREATEST},
    )
