"""What an organization has stored, told by the names of things, so that two organizations can be compared."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from app.core.db import Database, Row, Tenant
from app.core.work import Reads
from app.crm.models import Company, Contact
from app.signals.models import (
    CompanyLastSignal,
    CompanyPerson,
    ContactLastSignal,
    Identity,
    Signal,
    SignalCount,
)

ANONYMOUS = "anonymous"


@dataclass
class Books:
    """Contacts go by their address (or GitHub login), companies by their domain (or name)."""

    signals: Counter[tuple[str, str | None, str | None]] = field(default_factory=Counter)  # type, contact, company
    counts: dict[tuple[str, date, str], int] = field(default_factory=dict)
    people: Counter[tuple[str, str]] = field(default_factory=Counter)
    owners: dict[tuple[str, str], tuple[str | None, str | None]] = field(default_factory=dict)
    employers: dict[str, str | None] = field(default_factory=dict)
    companies: Counter[str] = field(default_factory=Counter)


async def books(database: Database, organization: UUID) -> Books:
    async with Reads(database, organization) as reads:
        companies = {row.id: row.domain or row.name for row in await reads.rows(select(Company))}
        contacts = {row.id: row for row in await reads.rows(select(Contact))}
        names = {id_: row.email or row.github_login or str(id_) for id_, row in contacts.items()}
        return Books(
            Counter(
                (row.type, names.get(row.contact_id), companies.get(row.company_id))
                for row in await reads.rows(select(Signal))
            ),
            {
                (companies[row.company_id], row.day, row.type): row.count
                for row in await reads.rows(select(SignalCount))
            },
            Counter(
                (companies[row.company_id], names.get(row.person, ANONYMOUS))
                for row in await reads.rows(select(CompanyPerson))
            ),
            {
                (row.kind, row.value): (names.get(row.contact_id), companies.get(row.company_id))
                for row in await reads.rows(select(Identity))
            },
            {names[row.id]: companies.get(row.company_id) for row in contacts.values()},
            Counter(companies.values()),
        )


async def assert_counters_are_counts(database: Database, organization: UUID) -> None:
    """The counters of every company are what counting its signals gives, and its people those of its signals; the
    newest signals of companies and contacts are those."""
    async with Reads(database, organization) as reads:
        everything = await reads.rows(select(Signal))
        signals = [signal for signal in everything if signal.company_id]
        counts = {(r.company_id, r.day, r.type): r.count for r in await reads.rows(select(SignalCount))}
        people = {(r.company_id, r.person): r.last_seen_on for r in await reads.rows(select(CompanyPerson))}
        newest = {row.company_id: row.occurred_at for row in await reads.rows(select(CompanyLastSignal))}
        newest |= {row.contact_id: row.occurred_at for row in await reads.rows(select(ContactLastSignal))}
    assert counts == Counter((s.company_id, _day(s), s.type) for s in signals)
    seen: dict[tuple[UUID, UUID], date] = {}
    for signal in signals:
        if person := signal.contact_id or signal.identity_id:
            key = (signal.company_id, person)
            seen[key] = max(_day(signal), seen.get(key, date.min))
    assert people == seen
    last: dict[UUID, datetime] = {}
    for signal in everything:
        for owner in {signal.company_id, signal.contact_id} - {None}:
            last[owner] = max(signal.occurred_at, last.get(owner, signal.occurred_at))
    assert newest == last


async def rows_of(database: Database, organization: UUID, model: type[Tenant]) -> list[Row]:
    async with Reads(database, organization) as reads:
        return await reads.rows(select(model))


async def count_of(database: Database, organization: UUID, model: type[Tenant]) -> int:
    async with Reads(database, organization) as reads:
        counted: int = await reads.value(select(func.count()).select_from(model))
        return counted


def _day(signal: Any) -> date:
    moment: Any = signal.occurred_at.astimezone(UTC)
    return moment.date()  # type: ignore[no-any-return]
