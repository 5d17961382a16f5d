"""Work and Reads: all or nothing, numbered events, one snapshot, and connections that come back."""

import asyncio
import contextlib
from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from app.core import outbox
from app.core.db import Database
from app.core.errors import Code, Refusal
from app.core.outbox import OutboxEvent
from app.core.sets import Merge, add_rows_last
from app.core.work import Reads, work
from app.crm.events import COMPANY_EVENTS
from app.crm.models import Company, Contact
from app.signals.models import CompanyPerson, SignalCount
from tests.factories.tenants import Tenant

ID = UUID(int=7)


async def names(database: Database, tenant: UUID) -> list[str]:
    async with Reads(database, tenant) as reads:
        return [row.name for row in await reads.rows(select(Company).order_by(Company.name))]


async def numbers(database: Database, tenant: UUID) -> list[int]:
    async with Reads(database, tenant) as reads:
        return [row.seq for row in await reads.rows(outbox.after(0, 500))]


async def add(database: Database, tenant: UUID, name: str) -> int | None:
    async with work(database, tenant) as unit:
        company = Company(name=name)
        unit.add(company)
        await unit.flush()
        unit.emit(COMPANY_EVENTS.created(id=company.id))
    return unit.cursor


async def test_rows_and_events_are_kept_together(tenant: Tenant) -> None:
    before = await numbers(tenant.database, tenant.id)
    cursor = await add(tenant.database, tenant.id, "Acme")
    assert await names(tenant.database, tenant.id) == ["Acme"]
    assert await numbers(tenant.database, tenant.id) == [*before, cursor]


async def test_an_exception_undoes_rows_and_events(tenant: Tenant) -> None:
    before = await numbers(tenant.database, tenant.id)
    with pytest.raises(ZeroDivisionError):
        async with work(tenant.database, tenant.id) as unit:
            unit.add(Company(name="Acme"))
            await unit.flush()
            unit.emit(COMPANY_EVENTS.created(id=tenant.id))
            1 / 0  # noqa: B018
    assert await names(tenant.database, tenant.id) == []
    assert await numbers(tenant.database, tenant.id) == before


async def test_a_broken_reference_is_a_refusal_that_names_its_field(tenant: Tenant) -> None:
    with pytest.raises(Refusal) as refused:
        async with work(tenant.database, tenant.id) as unit:
            unit.add(Contact(company_id=tenant.id))
            await unit.flush()
    assert refused.value.code is Code.NOT_FOUND and refused.value.problems[0].path == ("companyId",)


async def test_events_are_numbered_without_holes_however_many_come_at_once(tenant: Tenant) -> None:
    first = len(await numbers(tenant.database, tenant.id))

    async def sometimes(number: int) -> None:
        async with work(tenant.database, tenant.id) as unit:
            unit.emit(*(COMPANY_EVENTS.created(id=tenant.id) for _ in range(1 + number % 3)))
            await unit.flush()
            if number % 4 == 0:
                raise LookupError

    await asyncio.gather(*(sometimes(number) for number in range(24)), return_exceptions=True)
    kept = sum(1 + number % 3 for number in range(24) if number % 4)
    assert await numbers(tenant.database, tenant.id) == list(range(1, first + kept + 1))


async def test_reads_see_one_snapshot_until_they_are_closed(tenant: Tenant) -> None:
    counted = select(func.count()).select_from(Company)
    async with Reads(tenant.database, tenant.id) as reads:
        assert await reads.value(counted) == 0
        await add(tenant.database, tenant.id, "Acme")
        assert await reads.value(counted) == 0
        await reads.close()
        assert await reads.value(counted) == 1


async def test_siblings_take_turns_on_one_connection(tenant: Tenant) -> None:
    async with Reads(tenant.database, tenant.id) as reads:
        counted = select(func.count()).select_from(OutboxEvent)
        answers = await asyncio.gather(*(reads.value(counted) for _ in range(20)))
    assert len(set(answers)) == 1


async def test_connections_come_back_from_reads_that_fail_or_are_given_up(tenant: Tenant) -> None:
    database = tenant.database
    slow = select(func.pg_sleep(30))
    for _ in range(3 * database.reads.get_max_size()):
        async with Reads(database, tenant.id) as reads:
            asking = asyncio.create_task(reads.value(slow))
            await asyncio.sleep(0)
            asking.cancel()
            await asyncio.wait([asking])
    async with Reads(database, tenant.id) as reads:
        with pytest.raises(Exception, match="division"):
            await reads.value(select(1 / func.length("")))
    async with Reads(database, tenant.id) as reads:
        assert await reads.value(select(func.count()).select_from(Company)) == 0


async def test_a_write_given_up_half_way_leaves_nothing_and_gives_its_connection_back(tenant: Tenant) -> None:
    started = asyncio.Event()

    async def long() -> None:
        async with work(tenant.database, tenant.id) as unit:
            unit.add(Company(name="Acme"))
            await unit.flush()
            started.set()
            await unit.run(select(func.pg_sleep(30)))

    for _ in range(8):  # more often than there are connections
        writing = asyncio.create_task(long())
        await started.wait()
        started.clear()
        writing.cancel()
        await asyncio.wait([writing])
    assert await names(tenant.database, tenant.id) == []
    assert await add(tenant.database, tenant.id, "Other") is not None


async def test_reads_cannot_write(tenant: Tenant) -> None:
    async with Reads(tenant.database, tenant.id) as reads:
        with pytest.raises(Exception, match="read-only"):
            await reads.value(select(func.signals_ensure_month(datetime(2050, 1, 1, tzinfo=UTC))))


async def test_turns_are_taken_one_after_another(tenant: Tenant) -> None:
    inside = 0

    async def turn() -> int:
        nonlocal inside
        async with work(tenant.database, tenant.id) as unit:
            await unit.take_turn("here")
            inside += 1
            seen = inside
            await asyncio.sleep(0.01)
            inside -= 1
        return seen

    assert set(await asyncio.gather(*(turn() for _ in range(4)))) == {1}


async def test_what_is_deferred_is_there_for_whatever_comes_next(tenant: Tenant) -> None:
    columns = {"company_id": [ID], "day": [date(2026, 1, 1)], "type": ["visit"], "count": [1]}
    keys = [SignalCount.company_id, SignalCount.day, SignalCount.type]
    async with work(tenant.database, tenant.id) as unit:
        company = Company(id=ID, name="Acme")
        unit.add(company)
        await unit.flush()
        for _ in range(3):  # writes to the same table do not go together
            await add_rows_last(unit, SignalCount, columns, on=keys, merge={"count": Merge.ADD})
        assert [row.count for row in await unit.read(select(SignalCount.count.label("count")))] == [3]
        await add_rows_last(unit, SignalCount, columns, on=keys, merge={"count": Merge.ADD})
        unit.emit(COMPANY_EVENTS.created(id=ID))
    async with Reads(tenant.database, tenant.id) as reads:
        assert await reads.value(select(SignalCount.count)) == 4


async def test_a_work_in_which_a_statement_failed_is_not_taken_for_done(tenant: Tenant) -> None:
    with pytest.raises(RuntimeError):
        async with work(tenant.database, tenant.id) as unit:
            with contextlib.suppress(DBAPIError):
                await unit.run(text("SELECT 1 / 0"))


async def test_what_is_deferred_is_refused_like_anything_else(tenant: Tenant) -> None:
    columns = {"company_id": [ID], "person": [ID], "last_seen_on": [date(2026, 1, 1)]}
    with pytest.raises(Refusal) as refusal:
        async with work(tenant.database, tenant.id) as unit:
            await add_rows_last(unit, CompanyPerson, columns)
            unit.emit(COMPANY_EVENTS.created(id=ID))
    assert refusal.value.code is Code.NOT_FOUND
