"""Late knowledge: signals that came before their actor was known follow the actor to its contact and company."""

from typing import Any

from sqlalchemy import Date, cast, delete, func, select, update

from app.core.sets import rows_of
from app.core.work import Work
from app.signals.matching import Knowledge
from app.signals.models import CompanyPerson, Rule, Signal
from app.signals.rollups import Moved


async def follow(work: Work, knowledge: Knowledge) -> list[Moved]:
    """Gives earlier signals of newly linked identities to their contact and its company; what moved, counted.

    Signals that had a company keep it: there, only who acted becomes known."""
    owners = {
        link.identity: (known, knowledge.actual(knowledge.employers.get(link.contact)))
        for link in knowledge.links.values()
        if link.contact and (known := knowledge.actual(link.contact))
    }
    if not owners:
        return []
    given = rows_of(
        Signal,
        {
            "identity_id": list(owners),
            "contact_id": [contact for contact, _ in owners.values()],
            "company_id": [company for _, company in owners.values()],
            "company_rule": [Rule.EMPLOYER if company else None for _, company in owners.values()],
        },
    )
    return await _give_company(work, given) + await _name_actor(work, given)


async def _give_company(work: Work, given: Any) -> list[Moved]:
    moved = (
        update(Signal)
        .where(
            Signal.identity_id == given.c.identity_id,
            Signal.contact_id.is_(None),
            Signal.company_id.is_(None),
        )
        .values(
            contact_id=given.c.contact_id,
            contact_rule=Rule.ALIAS,
            company_id=given.c.company_id,
            company_rule=given.c.company_rule,
        )
        .returning(Signal.company_id, Signal.contact_id, _day(), Signal.type, Signal.occurred_at)
        .cte("moved")
    )
    counted = select(
        moved.c.company_id,
        moved.c.contact_id,
        moved.c.day,
        moved.c.type,
        func.count(),
        func.max(moved.c.occurred_at),
    ).group_by(moved.c.company_id, moved.c.contact_id, moved.c.day, moved.c.type)
    return [Moved(*row) for row in await work.run(counted)]


async def _name_actor(work: Work, given: Any) -> list[Moved]:
    """The identity that was counted as a person of the company gives its place to the contact."""
    named = (
        update(Signal)
        .where(Signal.identity_id == given.c.identity_id, Signal.contact_id.is_(None))
        .values(contact_id=given.c.contact_id, contact_rule=Rule.ALIAS)
        .returning(Signal.company_id, Signal.contact_id, Signal.identity_id, _day(), Signal.occurred_at)
        .cte("named")
    )
    seen = select(
        named.c.company_id,
        named.c.contact_id,
        named.c.identity_id,
        func.max(named.c.day),
        func.max(named.c.occurred_at),
    ).group_by(named.c.company_id, named.c.contact_id, named.c.identity_id)
    rows = (await work.run(seen)).all()
    if not rows:
        return []
    gone = rows_of(CompanyPerson, {"company_id": [row[0] for row in rows], "person": [row[2] for row in rows]})
    await work.run(
        delete(CompanyPerson)
        .where(CompanyPerson.company_id == gone.c.company_id, CompanyPerson.person == gone.c.person)
        .execution_options(synchronize_session=False)
    )
    return [Moved(company, contact, day, "", 0, last) for company, contact, _, day, last in rows]


def _day() -> Any:
    return cast(func.timezone("UTC", Signal.occurred_at), Date).label("day")
