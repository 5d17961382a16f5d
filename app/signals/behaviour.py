"""Behaviour as a condition: so many signals of a type, from a source, within a time.

The counters answer for companies where type and whole days (UTC) are asked for: that costs what the days cost, however
many signals are stored. Anything else, and all of contacts, is read from the signals themselves, by index."""

from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any

from sqlalchemy import ColumnElement, and_, distinct, func, not_, select, true
from sqlalchemy.orm import InstrumentedAttribute

from app.core.clock import now
from app.core.durations import start_of
from app.core.errors import Code, Refusal
from app.core.filters import Path, Question, Tree, compared, usable
from app.core.ids import floor_at
from app.crm.models import Company, Contact
from app.signals.models import Signal, SignalCount

MOST = 1_000_000
_WORDS: dict[str, tuple[InstrumentedAttribute[Any] | type, str]] = {
    "type": (Signal.type, "Of which types; any, unless said."),
    "source": (Signal.source, "From which sources; any, unless said."),
    "within": (
        str,
        "How far back, as an ISO 8601 duration of up to ten years. `P30D` is of whole days in UTC, today and the 29 "
        "before; `PT12H` is to the moment. Not together with `after` or `before`.",
    ),
    "after": (datetime, "That occurred at this moment or later."),
    "before": (datetime, "That occurred before this moment."),
    "count_gte": (int, "At least so many; 1, unless `countLte` is given."),
    "count_lte": (int, "At most so many, none included; 0: none at all."),
}
_PEOPLE = (int, "By at least so many different people.")
_COUNTED = (
    "What the company's people did: how many signals of theirs meet all of these conditions. Types within whole days "
    "are answered from daily counters, and cost no more where more signals are stored; sources, people and other times "
    "from the signals."
)
_READ = "What the person did: how many signals of theirs meet all of these conditions. Answered from the signals."


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked for: whose signals, since when, until when, how many, by how many people."""

    said: Tree
    path: Path
    since: datetime | None
    until: datetime | None
    least: int
    most: int | None
    people: int

    @property
    def by_days(self) -> bool:
        """Whether the daily counters can tell."""
        ends = [end for end in (self.since, self.until) if end is not None]
        return not self.people and "source" not in self.said and all(end.timetz() == _MIDNIGHT for end in ends)

    def compared(self, word: str, column: InstrumentedAttribute[Any]) -> ColumnElement[bool]:
        return compared(column, self.said.get(word, {}), (*self.path, word))


_MIDNIGHT = time(tzinfo=UTC)


def _of_company(said: Tree, path: Path) -> ColumnElement[bool]:
    asked = _asked(said, path)
    return _counted(asked) if asked.by_days else _read(asked, Signal.company_id == Company.id)


def _of_contact(said: Tree, path: Path) -> ColumnElement[bool]:
    return _read(_asked(said, path), Signal.contact_id == Contact.id)


COMPANY_BEHAVIOUR = Question("CompanyBehaviourFilter", Signal, _COUNTED, {**_WORDS, "people_gte": _PEOPLE}, _of_company)
CONTACT_BEHAVIOUR = Question("ContactBehaviourFilter", Signal, _READ, _WORDS, _of_contact)


def _asked(said: Tree, path: Path) -> _Asked:
    most = _number(said, "count_lte", None, path)
    least = _number(said, "count_gte", 1 if most is None else 0, path) or 0
    if most is not None and most < least:
        raise Refusal(Code.INVALID, "must not be less than countGte", (*path, "count_lte"))
    people = _number(said, "people_gte", 0, path) or 0
    return _Asked(said, path, *_period(said, path), least, most, people)


def _number(said: Tree, word: str, unless_said: int | None, path: Path) -> int | None:
    number: int | None = said.get(word, unless_said)
    if number is not None and not 0 <= number <= MOST:
        raise Refusal(Code.INVALID, f"must be from 0 to {MOST}", (*path, word))
    return number


def _period(said: Tree, path: Path) -> tuple[datetime | None, datetime | None]:
    within, after, before = (said.get(word) for word in ("within", "after", "before"))
    if within is None:
        return usable(after, (*path, "after")), usable(before, (*path, "before"))
    if after is not None or before is not None:
        raise Refusal(Code.INVALID, "is said in place of after and before, not beside them", (*path, "within"))
    return start_of(within, now(), (*path, "within")), None


def _counted(asked: _Asked) -> ColumnElement[bool]:
    """That some are counted narrows the companies by the index of types; the sum is taken of a company's own days, by
    the key: a type in its conditions would make the index of types look good for it, where it is slow."""
    days = [SignalCount.company_id == Company.id]
    if asked.since is not None:
        days.append(SignalCount.day >= asked.since.date())
    if asked.until is not None:
        days.append(SignalCount.day < asked.until.date())
    typed = asked.compared("type", SignalCount.type)
    some = select(SignalCount.company_id).where(*days, typed).exists()
    total = select(func.coalesce(func.sum(SignalCount.count).filter(typed), 0)).where(*days).scalar_subquery()
    conditions: list[ColumnElement[bool]] = [some] if asked.least else []
    if asked.least > 1:
        conditions.append(total >= asked.least)
    if asked.most == 0:
        conditions.append(not_(some))
    elif asked.most is not None:
        conditions.append(total <= asked.most)
    return and_(true(), *conditions)


def _read(asked: _Asked, theirs: ColumnElement[bool]) -> ColumnElement[bool]:
    """Signals are counted no further than the answer needs."""
    these = select(Signal.id).where(
        theirs,
        *(asked.compared(word, getattr(Signal, word)) for word in ("type", "source")),
        *([Signal.id >= floor_at(asked.since)] if asked.since is not None else ()),
        *([Signal.id < floor_at(asked.until)] if asked.until is not None else ()),
    )
    conditions: list[ColumnElement[bool]] = [these.exists()] if asked.least or asked.people else []
    if asked.least > 1:
        conditions.append(these.offset(asked.least - 1).exists())
    if asked.most is not None:
        conditions.append(not_(these.offset(asked.most).exists()))
    if asked.people > 1:
        people = these.with_only_columns(func.count(distinct(func.coalesce(Signal.contact_id, Signal.identity_id))))
        conditions.append(people.scalar_subquery() >= asked.people)
    return and_(true(), *conditions)
