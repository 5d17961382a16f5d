"""How companies and contacts are found by behaviour, score and related sorts: by indexes, in a few rows."""

import re
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import text

from app.core.db import Database
from app.core.lists import Listing
from app.core.paging import Order, Sort, Window
from app.core.statements import compiled
from app.core.tenancy import criteria
from app.core.work import Reads, work
from app.crm.queries import COMPANY_LIST, CONTACT_LIST
from app.scoring.queries import SCORES
from app.signals.queries import SIGNALS
from tests.factories import observed

ROWS = 20_000
assert SCORES and SIGNALS, "what these rooms add to the lists is known"
CROWD = """
INSERT INTO companies (id, name, lifecycle, created_at, updated_at)
  SELECT uuidv7(), 'Company ' || n, 'PROSPECT', now(), now() FROM generate_series(1, :rows) AS n;
INSERT INTO contacts (id, last_name, company_id, status, created_at, updated_at)
  SELECT uuidv7(), CASE WHEN n % 3 > 0 THEN 'Person ' || n END, id, 'ACTIVE', now(), now()
  FROM (SELECT id, row_number() OVER () AS n FROM companies) AS numbered;
INSERT INTO scoring_models (id, version, definition, created_at, updated_at)
  VALUES (uuidv7(), 1, '{}', now(), now());
INSERT INTO scores (company_id, value, tier, trend, factors, model_id, computed_at)
  SELECT companies.id, (random() * 100)::int, 'COLD', 'STABLE', '[]', scoring_models.id, now()
  FROM companies, scoring_models WHERE random() < 0.9;
INSERT INTO company_last_signals (company_id, occurred_at)
  SELECT id, now() - random() * interval '300 days' FROM companies WHERE random() < 0.9;
INSERT INTO contact_last_signals (contact_id, occurred_at)
  SELECT id, now() - random() * interval '300 days' FROM contacts WHERE random() < 0.5;
INSERT INTO signal_counts (company_id, day, type, count)
  SELECT id, current_date - d, 'docs_view', 1 FROM companies, generate_series(1, 40, 4) AS d WHERE random() < 0.3;
INSERT INTO signal_counts (company_id, day, type, count)
  SELECT id, current_date - d, 'rare', 2 FROM companies, generate_series(1, 3) AS d WHERE random() < 0.0005;
"""
TABLES = "companies, contacts, scores, company_last_signals, contact_last_signals, signal_counts"


@pytest.fixture(scope="module")
async def crowd(database: Database, database_url: str) -> UUID:
    """An organization with many companies, each with a contact; most have scores and signals."""
    room = await observed.room(database)
    async with work(database, room) as unit:
        await unit.run(text("SET LOCAL statement_timeout = 0"))
        for statement in CROWD.strip().split(";\n"):
            await unit.run(text(statement), {"rows": ROWS} if ":rows" in statement else {})
    owner = await asyncpg.connect(database_url)
    await owner.execute(f"ANALYZE {TABLES}")
    await owner.close()
    return room


def order(listed: Listing, name: str, *, descending: bool) -> Order:
    return Order(listed.sort(name, descending=descending), Sort(listed.model.id, descending=descending))


async def plan(database: Database, room: UUID, listed: Listing, by: Order, window: Window, tree: Any = None) -> str:
    """EXPLAIN of a page of the list, as the server would run it: the steps that were taken."""
    async with Reads(database, room) as reads:
        sql, arguments = compiled(by.page_select(listed.kept(tree), window).options(criteria(room)))
        connection = reads._connection or await reads._open()
        rows = await connection.fetch(
            f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF) {sql}", *arguments
        )
    return "\n".join(row[0] for row in rows if "never executed" not in row[0])


def most_rows(plan: str) -> int:
    """The most rows that any step of the plan gave or threw away."""
    steps = re.findall(r"rows=(\d+)(?:\.\d+)? loops=(\d+)", plan)
    thrown = [int(number) for number in re.findall(r"Rows Removed by \w+(?: \w+)*: (\d+)", plan)]
    return max([int(rows) * int(loops) for rows, loops in steps] + thrown)


SORTS = [
    (COMPANY_LIST, "score", "scores_organization_id_value_company_id_idx"),
    (COMPANY_LIST, "last_signal_at", "company_last_signals_newest_idx"),
    (CONTACT_LIST, "last_signal_at", "contact_last_signals_newest_idx"),
    (CONTACT_LIST, "last_name", "contacts_organization_id_last_name_id_idx"),
    (CONTACT_LIST, "company_name", "companies_organization_id_name_id_idx"),
]


@pytest.mark.parametrize(("listed", "name", "index"), SORTS, ids=[index for _, _, index in SORTS])
@pytest.mark.parametrize("descending", [False, True], ids=["up", "down"])
async def test_a_sort_walks_its_index(
    database: Database, crowd: UUID, listed: Listing, name: str, index: str, descending: bool
) -> None:
    by = order(listed, name, descending=descending)
    async with Reads(database, crowd) as reads:
        middle = (await reads.rows(by.page_select(listed.kept(), Window(first=200))))[150]
    for window in (
        Window(first=50),
        Window(first=50, after=by.cursor(middle)),
        Window(last=50, before=by.cursor(middle)),
    ):
        found = await plan(database, crowd, listed, by, window)
        assert index in found and "Seq Scan" not in found, found
        assert most_rows(found) < 1_000, found


@pytest.mark.parametrize(
    ("tree", "index"),
    [
        ({"signals": {"type": {"eq": "rare"}, "within": "P30D", "count_gte": 3}}, "type_day_company_id_idx"),
        ({"signals": {"type": {"eq": "docs_view"}, "within": "P30D", "count_gte": 3}}, "signal_counts"),
    ],
    ids=["rare", "common"],
)
async def test_behaviour_is_met_by_an_index(database: Database, crowd: UUID, tree: Any, index: str) -> None:
    found = await plan(database, crowd, COMPANY_LIST, COMPANY_LIST.newest, Window(first=50), tree)
    assert index in found and "Seq Scan" not in found, found
    assert most_rows(found) < 5_000, found


@pytest.mark.parametrize("descending", [False, True], ids=["up", "down"])
async def test_the_rows_without_a_value_are_read_by_an_index_too(
    database: Database, crowd: UUID, descending: bool
) -> None:
    for listed, name in ((CONTACT_LIST, "last_signal_at"), (CONTACT_LIST, "last_name")):
        by = order(listed, name, descending=descending)
        async with Reads(database, crowd) as reads:
            last = (await reads.rows(by.page_select(listed.kept(), Window(last=200))))[0]
        assert last["_key0"] is None
        found = await plan(database, crowd, listed, by, Window(first=50, after=by.cursor(last)))
        assert "Seq Scan" not in found and most_rows(found) < 1_000, found
