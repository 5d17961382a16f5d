"""Scores are recomputed as a set, for those that changed; a change leaves a snapshot and says so."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from app.core.clock import now
from app.core.db import Database
from app.core.outbox import OutboxEvent
from app.core.work import Reads, work
from app.crm.models import Company
from app.scoring.formula import DEFAULT
from app.scoring.models import Score, ScoreSnapshot, ScoringModel
from app.scoring.scores import rescore
from tests.factories import observed
from tests.factories.books import rows_of
from tests.factories.observed import said, take
from tests.factories.statements import statements


@pytest.fixture
async def room(database: Database) -> UUID:
    return await observed.room(database)


async def companies(database: Database, room: UUID, count: int, name: str = "scored") -> list[UUID]:
    """Companies with a sign-up each."""
    rows = [said("signup", email=f"ann@{name}-{n}.dev", occurred_at=now()) for n in range(count)]
    receipts = await take(database, room, *rows)
    return [receipt.company for receipt in receipts if receipt.company]


async def scored(database: Database, room: UUID, ids: Sequence[UUID]) -> int:
    async with work(database, room) as unit:
        return await rescore(unit, ids)


async def events(database: Database, room: UUID, name: str) -> list[Any]:
    async with Reads(database, room) as reads:
        said_ = select(OutboxEvent.payload).where(OutboxEvent.name == name).order_by(OutboxEvent.seq)
        return [row.payload for row in await reads.rows(said_)]


async def test_two_hundred_companies_cost_the_statements_of_two(database: Database, room: UUID) -> None:
    async def cost(ids: Sequence[UUID]) -> int:
        with statements() as seen:
            assert await scored(database, room, ids) == len(ids)
        return len(seen)

    ids = await companies(database, room, 210)
    await cost(ids[:1])
    assert await cost(ids[1:3]) == await cost(ids[3:203])


async def test_a_first_score_says_so_and_leaves_a_snapshot(database: Database, room: UUID) -> None:
    [id_] = await companies(database, room, 1)
    assert await scored(database, room, [id_]) == 1
    [score] = await rows_of(database, room, Score)
    [snapshot] = await rows_of(database, room, ScoreSnapshot)
    assert score.value == snapshot.value == sum(factor["contribution"] for factor in score.factors) > 0
    assert (snapshot.company_id, snapshot.at, snapshot.factors) == (id_, score.computed_at, score.factors)
    [changed] = await events(database, room, "score.changed")
    assert changed == {
        "company": str(id_),
        "before": None,
        "after": score.value,
        "tier_before": None,
        "tier": score.tier,
    }
    assert await events(database, room, "tier.changed") == [changed]


async def test_what_stays_the_same_leaves_nothing(database: Database, room: UUID) -> None:
    ids = await companies(database, room, 3)
    await scored(database, room, ids)
    assert await scored(database, room, ids) == 0
    assert len(await rows_of(database, room, ScoreSnapshot)) == 3
    assert len(await events(database, room, "score.changed")) == 3


async def test_only_companies_that_moved_say_so(database: Database, room: UUID) -> None:
    ids = await companies(database, room, 3)
    await scored(database, room, ids)
    await take(database, room, *[said("pricing_view", company_id=ids[1], occurred_at=now())] * 20)
    assert await scored(database, room, ids) == 1
    last = (await events(database, room, "score.changed"))[-1]
    first = (await events(database, room, "score.changed"))[0]
    assert last["company"] == str(ids[1]) and last["before"] == first["after"] < last["after"]
    assert (last["tier_before"], last["tier"]) == (first["tier"], "WARM")
    assert (await events(database, room, "tier.changed"))[-1] == last


async def test_a_move_within_a_tier_changes_the_score_alone(database: Database, room: UUID) -> None:
    [id_] = await companies(database, room, 1)
    await scored(database, room, [id_])
    await take(database, room, said("docs_view", company_id=id_, occurred_at=now()))
    await scored(database, room, [id_])
    assert len(await events(database, room, "score.changed")) == 2
    assert len(await events(database, room, "tier.changed")) == 1


async def test_old_signals_fade_and_older_ones_no_longer_count(database: Database, room: UUID) -> None:
    at = now()
    for age, domain in ((0, "fresh.dev"), (14, "faded.dev"), (179, "old.dev"), (200, "gone.dev")):
        await take(database, room, said("signup", domain=domain, occurred_at=at - timedelta(days=age)))
    rows = {row.domain: row.id for row in await rows_of(database, room, Company)}
    await scored(database, room, list(rows.values()))
    scores = {row.company_id: row for row in await rows_of(database, room, Score)}
    points = {
        domain: {factor["key"]: factor["contribution"] for factor in scores[id_].factors}.get("signal:signup", 0)
        for domain, id_ in rows.items()
    }
    assert points["fresh.dev"] > points["faded.dev"] > points["old.dev"] == points["gone.dev"] == 0
    assert scores[rows["gone.dev"]].factors == []
    half = {f["key"]: f["evidence"] for f in scores[rows["faded.dev"]].factors}["signal:signup"]
    assert half == {
        "type": "signup",
        "count": 1,
        "decayed": 0.5,
        "lastOn": (at - timedelta(days=14)).date().isoformat(),
    }


async def test_the_trend_is_against_the_snapshot_of_a_week_ago(database: Database, room: UUID) -> None:
    [id_] = await companies(database, room, 1)
    await scored(database, room, [id_])
    async with work(database, room) as unit:
        await unit.run(update(ScoreSnapshot).values(at=now() - timedelta(days=8)))
    await scored(database, room, [id_])
    [score] = await rows_of(database, room, Score)
    assert score.trend == "STABLE"
    await take(database, room, *[said("pricing_view", company_id=id_, occurred_at=now())] * 20)
    await scored(database, room, [id_])
    [score] = await rows_of(database, room, Score)
    assert score.trend == "RISING"


async def test_deleted_unknown_and_foreign_companies_are_left_out(database: Database, room: UUID) -> None:
    kept, deleted = await companies(database, room, 2)
    elsewhere = await observed.room(database)
    [foreign] = await companies(database, elsewhere, 1)
    async with work(database, room) as unit:
        await unit.run(update(Company).where(Company.id == deleted).values(deleted_at=func.now()))
    assert await scored(database, room, [kept, deleted, foreign, UUID(int=7), kept]) == 1
    assert [row.company_id for row in await rows_of(database, room, Score)] == [kept]
    assert await rows_of(database, elsewhere, Score) == []
    assert await scored(database, room, []) == 0


async def test_the_default_model_is_stored_once_and_a_newer_one_is_used(database: Database, room: UUID) -> None:
    [id_] = await companies(database, room, 1)
    await scored(database, room, [id_])
    [model] = await rows_of(database, room, ScoringModel)
    assert (model.version, model.definition) == (1, DEFAULT.model_dump())
    louder = DEFAULT.model_copy(update={"weights": DEFAULT.weights | {"signup": 100.0}})
    async with work(database, room) as unit:
        unit.add(ScoringModel(version=2, definition=louder.model_dump()))
    assert await scored(database, room, [id_]) == 1
    [score] = await rows_of(database, room, Score)
    second = next(row for row in await rows_of(database, room, ScoringModel) if row.version == 2)
    assert score.model_id == second.id
