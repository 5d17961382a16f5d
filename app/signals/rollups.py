"""Counters kept while signals come in, so that scores and analytics never read the signals again."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import NamedTuple
from uuid import UUID

from app.core.sets import Columns, Merge, add_rows_last
from app.core.work import Work
from app.signals.models import CompanyLastSignal, CompanyPerson, ContactLastSignal, SignalCount
from app.signals.observations import Observation


@dataclass(frozen=True, slots=True)
class Counted:
    """A signal that the counters should know of. The person is the contact, or else an identity."""

    company: UUID | None
    contact: UUID | None
    person: UUID | None
    observation: Observation


class Moved(NamedTuple):
    """Earlier signals of one type and day that were found to belong to a contact, and with it to a company; none of
    them where only the person behind signals that are counted already became known."""

    company: UUID | None
    person: UUID
    day: date
    type: str
    signals: int
    last: datetime


async def add(work: Work, counted: Sequence[Counted], moved: Sequence[Moved]) -> list[UUID]:
    """Adds to the counters; the companies whose counters changed."""
    counts: Counter[tuple[UUID, date, str]] = Counter()
    people: dict[tuple[UUID, UUID], date] = {}
    for company, person, day, type_, signals in (*_days(counted), *(one[:5] for one in moved)):
        if company is None:
            continue
        if signals:
            counts[company, day, type_] += signals
        if person is not None:
            people[company, person] = max(day, people.get((company, person), day))
    if counts:
        await _add_counts(work, counts)
    if people:
        await _add_people(work, people)
    await _add_last(work, counted, moved)
    return sorted({company for company, _, _ in counts} | {company for company, _ in people})


def _days(counted: Iterable[Counted]) -> Iterable[tuple[UUID | None, UUID | None, date, str, int]]:
    for entry in counted:
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


async def _add_last(work: Work, counted: Sequence[Counted], moved: Sequence[Moved]) -> None:
    """Keeps when the newest signal of each company and contact occurred."""
    seen = [(entry.company, entry.contact, entry.observation.occurred_at) for entry in counted]
    seen += [(one.company, one.person, one.last) for one in moved]
    companies = _newest((company, moment) for company, _, moment in seen)
    contacts = _newest((contact, moment) for _, contact, moment in seen)
    of_company, of_contact = CompanyLastSignal.company_id, ContactLastSignal.contact_id
    for model, key, newest in (
        (CompanyLastSignal, of_company, companies),
        (ContactLastSignal, of_contact, contacts),
    ):
        if newest:
            columns: Columns = {key.key: list(newest), "occurred_at": list(newest.values())}
            await add_rows_last(work, model, columns, on=[key], merge={"occurred_at": Merge.GREATEST})


def _newest(seen: Iterable[tuple[UUID | None, datetime]]) -> dict[UUID, datetime]:
    """The newest moment of each, in the order of the keys."""
    newest: dict[UUID, datetime] = {}
    for id_, moment in seen:
        if id_ is not None:
            newest[id_] = max(moment, newest.get(id_, moment))
    return dict(sorted(newest.items()))
