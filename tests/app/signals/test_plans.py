"""How the feeds are found: by an index, in the order asked for, and only in the months that can hold them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from app.core.clock import now
from app.core.db import Database
from app.core.lists import Listing
from app.core.paging import Window
from app.core.statements import compiled
from app.core.tenancy import criteria
from app.core.work import Reads, work
from app.signals.queries import SIGNAL_LIST
from tests.factories import observed
from tests.factories.observed import said, take

MONTHS = [datetime(2019, month, 10, tzinfo=UTC) for month in range(1, 13)]


@pytest.fixture(scope="module")
async def crowd(database: Database) -> tuple[UUID, UUID]:
    """An organization with signals over a year, and one of its companies."""
    room = await observed.room(database)
    rows = [
        said(f"t{number % 20}", email=f"p{number}@plan-{number % 25}.dev", occurred_at=month + timedelta(hours=number))
        for month in MONTHS
        for number in range(150)
    ]
    receipts = [
        receipt
        for start in range(0, len(rows), 600)
        for receipt in await take(database, room, *rows[start : start + 600])
    ]
    async with work(database, room) as unit:
        await unit.run(text("ANALYZE signals"))
    company = receipts[0].company
    assert company is not None
    return room, company


async def plan(database: Database, room: UUID, tree: Any, listed: Listing = SIGNAL_LIST) -> str:
    """EXPLAIN of a page of the list, as the server would run it."""
    async with Reads(database, room) as reads:
        sql, arguments = compiled(
            listed.newest.page_select(listed.kept(tree), Window(first=50)).options(criteria(room))
        )
        connection = reads._connection or await reads._open()
        rows = await connection.fetch(
            f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF) {sql}", *arguments
        )
    return "\n".join(row[0] for row in rows)


def scanned(plan: str) -> set[str]:
    """The partitions that were read, not merely thought of."""
    lines = [line for line in plan.splitlines() if " on signals_" in line and "never executed" not in line]
    return {line.partition(" on signals_")[2].split()[0] for line in lines}


async def test_the_feed_reads_an_index_backwards_and_stops(database: Database, crowd: tuple[UUID, UUID]) -> None:
    found = await plan(database, crowd[0], {})
    assert "Index" in found and "Scan Backward" in found
    assert "Sort" not in found and "Seq Scan" not in found
    assert "2019_01" not in scanned(found) and len([m for m in scanned(found) if m.startswith("2019")]) <= 1, found


async def test_a_companys_feed_reads_its_index(database: Database, crowd: tuple[UUID, UUID]) -> None:
    found = await plan(database, crowd[0], {"company_id": {"eq": crowd[1]}})
    assert "Seq Scan" not in found and "company_id_id_idx" in found, found


async def test_a_types_feed_reads_its_index(database: Database, crowd: tuple[UUID, UUID]) -> None:
    found = await plan(database, crowd[0], {"type": {"eq": "t7"}})
    assert "Seq Scan" not in found and "type_id_idx" in found, found


@pytest.mark.parametrize(
    ("condition", "months"),
    [
        ({"gte": MONTHS[4].replace(day=1), "lt": MONTHS[5].replace(day=1)}, {"2019_05", "2019_06"}),
        ({"eq": MONTHS[4] + timedelta(hours=3)}, {"2019_05"}),
        ({"lte": MONTHS[0] + timedelta(days=3)}, {"2019_01"}),
        ({"gt": now() + timedelta(days=1)}, set()),
    ],
    ids=["a month", "a moment", "up to", "the future"],
)
async def test_a_time_reads_its_months_alone(
    database: Database, crowd: tuple[UUID, UUID], condition: Any, months: set[str]
) -> None:
    found = await plan(database, crowd[0], {"occurred_at": condition})
    assert {month for month in scanned(found) if month.startswith("2019")} <= months, found
    assert "Seq Scan" not in found or condition.keys() == {"gt"}, found
