"""A stream of small events is worked on in few jobs: the first at once, each event once, none forgotten."""

import asyncio
import itertools
import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from app.core.db import Database
from app.core.work import Work
from tests.factories.chores import Declare, happen, jobs_of
from tests.factories.work import Backstage
from workers import gathering

EVENTS = 40


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "JOBS_PER_SECOND", 4)


async def test_what_follows_soon_is_gathered_into_the_next_job(
    database: Database, backstage: Backstage, room: UUID, actor: Declare
) -> None:
    done: list[int] = []

    async def count(work: Work, events: Sequence[Any]) -> None:
        done.append(len(events))

    type_ = actor(count, together=True)
    await happen(database, room)
    await backstage.relay.pass_on(room)
    [first] = await jobs_of(database, room, type_)
    await backstage.runner.run(room, first.id)
    assert done == [1], "the first was not done at once"

    for _ in range(EVENTS):
        await happen(database, room)
        await backstage.relay.pass_on(room)
    await backstage.settle(room)
    queued = await jobs_of(database, room, type_)
    assert sum(done) == 1 + EVENTS
    assert len(queued) == len(done) < EVENTS, "nothing was gathered"
    assert {(job.status, job.attempts) for job in queued} == {("SUCCEEDED", 1)}
    ranges = [(job.payload["first"], job.payload["last"]) for job in queued]
    assert all(last < following for (_, last), (following, _) in itertools.pairwise(ranges))


async def test_a_job_that_waited_for_its_time_is_told_to_the_workers(
    database: Database, backstage: Backstage, room: UUID, actor: Declare
) -> None:
    actor(_nothing, together=True)
    for _ in range(3):
        await happen(database, room)
        await backstage.relay.pass_on(room)
    gathered = backstage.relay._gathering
    soon = gathered.seconds_until_due()
    assert soon is not None and soon <= gathering.LONGEST_PAUSE_SECONDS
    until = time.monotonic() + 5
    while room not in {tenant for tenant, _ in gathered.due()}:
        assert time.monotonic() < until
        await asyncio.sleep(0.01)


async def _nothing(work: Work, events: Sequence[Any]) -> None:
    """An effect that leaves nothing."""
