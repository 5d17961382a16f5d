"""What signals say of people and companies fills fields that are still empty; what is known stays."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update

from app.core.sets import rows_of
from app.core.work import Work
from app.crm.events import COMPANY_EVENTS, CONTACT_EVENTS, RecordEvent
from app.crm.models import Company, Contact
from app.signals.matching import Match
from app.signals.observations import Observation

PERSON = ("first_name", "last_name", "title", "phone", "github_login")
COMPANY = ("industry", "employees")

Said = Mapping[UUID, Mapping[str, Any]]


async def fill(work: Work, observed: Sequence[tuple[Observation, Match]]) -> None:
    """Fills empty fields of the matched contacts and companies from the traits that came along, the first one said
    for each; no statement is sent where none did."""
    people = _said(((match.contact, observation.person) for observation, match in observed), PERSON)
    firms = _said(((match.company, observation.company) for observation, match in observed), COMPANY)
    await _fill(work, Contact, people, PERSON, CONTACT_EVENTS.updated)
    await _fill(work, Company, firms, COMPANY, COMPANY_EVENTS.updated)


def _said(pairs: Iterable[tuple[UUID | None, Any]], names: Sequence[str]) -> Said:
    said: dict[UUID, dict[str, Any]] = {}
    for id_, traits in pairs:
        if id_ is not None:
            for name in names:
                if (value := getattr(traits, name)) is not None:
                    said.setdefault(id_, {}).setdefault(name, value)
    return said


async def _fill(work: Work, model: Any, said: Said, names: Sequence[str], event: type[RecordEvent]) -> None:
    if not said:
        return
    known = (
        select(model.id, *(getattr(model, name) for name in names))
        .where(model.id == func.any(sorted(said)), model.deleted_at.is_(None))
        .order_by(model.id)
        .with_for_update(key_share=True)
    )
    fresh = {
        row.id: {name: value for name, value in said[row.id].items() if getattr(row, name) is None}
        for row in await work.run(known)
    }
    filled = {id_: values for id_, values in fresh.items() if values}
    if not filled:
        return
    columns = {name: [values.get(name) for values in filled.values()] for name in names}
    given = rows_of(model, {"id": list(filled), **columns})
    await work.run(
        update(model)
        .where(model.id == given.c.id)
        .values({name: func.coalesce(getattr(model, name), given.c[name]) for name in names} | {"updated_at": work.at})
        .execution_options(synchronize_session=False)
    )
    work.emit(*(event(id=id_, changed=tuple(values)) for id_, values in filled.items()))
