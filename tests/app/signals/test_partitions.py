"""The months of the signals table: made when a signal needs one, whoever comes first."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

import pytest
from sqlalchemy import select, text

from app.core.config import Settings
from app.core.db import Database
from app.core.work import Reads, work
from app.signals import ingest, partitions
from app.signals.models import Signal
from tests.factories.books import count_of
from tests.factories.observed import said, take

_years = count(2001)


@pytest.fixture
def month() -> datetime:
    """A month that no other test sends signals of."""
    return datetime(next(_years), 7, 15, 12, tzinfo=UTC)


async def partition_of(database: Database, room: UUID) -> set[str]:
    """The partitions that the organization's signals are in."""
    async with work(database, room) as unit:
        found = await unit.run(text("SELECT DISTINCT tableoid::regclass::text FROM signals"))
        return set(found.scalars())


async def test_past_years_get_their_month(database: Database, room: UUID, month: datetime) -> None:
    await take(database, room, said("x", occurred_at=month), said("x", occurred_at=datetime.now(UTC)))
    assert await partition_of(database, room) == {f"signals_{at:%Y_%m}" for at in (month, datetime.now(UTC))}


async def test_both_ends_of_a_month_belong_to_it(database: Database, room: UUID, month: datetime) -> None:
    first = month.replace(day=1, hour=0)
    last = first + timedelta(days=31) - timedelta(microseconds=1)
    await take(database, room, said("x", occurred_at=first), said("x", occurred_at=last))
    assert await partition_of(database, room) == {f"signals_{month:%Y_%m}"}
    await take(database, room, said("x", occurred_at=first - timedelta(microseconds=1)))
    assert await partition_of(database, room) == {
        f"signals_{month:%Y_%m}",
        f"signals_{first - timedelta(days=1):%Y_%m}",
    }


async def test_first_signals_of_a_month_at_once_are_all_stored(
    database: Database, room: UUID, chosen_settings: Settings
) -> None:
    for _ in range(3):
        at = datetime(next(_years), 7, 15, tzinfo=UTC)
        async with Database.open(chosen_settings.database_url.get_secret_value(), pool_size=5) as second:
            partitions._there.clear()
            await asyncio.gather(*(take(where, room, said("x", occurred_at=at)) for where in [database, second] * 4))
    assert await count_of(database, room, Signal) == 24


async def test_a_month_whose_first_batch_was_undone_is_made_again(
    database: Database, room: UUID, month: datetime
) -> None:
    with pytest.raises(RuntimeError):
        async with work(database, room) as unit:
            await ingest.accept(unit, [said("x", occurred_at=month)])
            raise RuntimeError("the process ends here")
    await take(database, room, said("x", occurred_at=month))
    assert await partition_of(database, room) == {f"signals_{month:%Y_%m}"}


async def test_a_month_is_asked_for_once_it_is_there(database: Database, room: UUID, month: datetime) -> None:
    for _ in range(2):
        await take(database, room, said("x", occurred_at=month))
    assert (month.year, month.month) in partitions._there


async def test_months_stand_under_row_level_security(database: Database, room: UUID, month: datetime) -> None:
    await take(database, room, said("x", occurred_at=month))
    async with Reads(database, room) as reads:
        secured = select(text("relrowsecurity, relforcerowsecurity")).select_from(text("pg_class"))
        [row] = await reads.rows(secured.where(text(f"relname = 'signals_{month:%Y_%m}'")))
    assert (row.relrowsecurity, row.relforcerowsecurity) == (True, True)


async def test_making_months_does_not_deadlock_with_what_else_is_going_on(
    database: Database, room: UUID, chosen_settings: Settings
) -> None:
    months = [datetime(next(_years), 7, 15, tzinfo=UTC) for _ in range(12)]
    now = datetime.now(UTC)
    async with Database.open(chosen_settings.database_url.get_secret_value(), pool_size=5) as second:
        batches = [
            [said("x", email=f"p{number}-{person}@months.dev", occurred_at=at) for person in range(3)]
            for number, month in enumerate(months)
            for at in (now, month, now)
        ]
        await asyncio.gather(
            *(take(where, room, *batch) for batch, where in zip(batches, [database, second] * 18, strict=True))
        )
    assert await count_of(database, room, Signal) == 108
