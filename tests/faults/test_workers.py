"""Workers that freeze in the middle of a job: one effect, and others wait for a lease at most."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from app.core.config import Settings
from app.core.db import Database
from app.core.jobs import JobStatus
from tests.factories import observed
from tests.faults.actors import AT_COMMIT, BEFORE_TAKING, INSIDE
from tests.faults.crew import LEASE_SECONDS, Crew, crew_of, go_on

pytestmark = pytest.mark.faults


@pytest.fixture
async def room(database: Database) -> UUID:
    return await observed.room(database)


@pytest.fixture(scope="module")
async def two_workers(
    database: Database, chosen_settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Crew]:
    async with crew_of(2, database, chosen_settings, tmp_path_factory.mktemp("crew")) as crew:
        yield crew


@pytest.mark.parametrize(("where", "attempts"), [(INSIDE, 2), (AT_COMMIT, 2), (BEFORE_TAKING, 1)])
async def test_a_worker_that_freezes_past_its_lease_has_no_second_effect(
    two_workers: Crew, room: UUID, where: str, attempts: int
) -> None:
    crew = two_workers

    async def is_done() -> bool:
        return [job.status for job in await crew.jobs(room)] == [JobStatus.SUCCEEDED]

    crew.to_freeze(where)
    await crew.poke(room, where, "the effect")
    await crew.until(lambda: _stopped(crew), 10)
    [frozen] = crew.frozen()
    took = await crew.until(is_done, 20)
    assert crew.frozen() == [frozen], "the other one did it meanwhile"
    assert await crew.effects(room) == ["the effect"]
    before = len(crew.said())
    go_on(frozen)
    if attempts > 1:
        await crew.until(lambda: _has_noticed(crew, before), 20)
    await asyncio.sleep(0.5)
    assert await crew.effects(room) == ["the effect"]
    [job] = await crew.jobs(room)
    assert (job.status, job.attempts) == (JobStatus.SUCCEEDED, attempts)
    print(f"frozen {where}: one effect, {took:.1f} s after with a lease of {LEASE_SECONDS} s; none when it went on")


async def test_the_locks_of_a_frozen_worker_hold_up_others_for_a_lease_at_most(two_workers: Crew, room: UUID) -> None:
    crew = two_workers

    async def others_are_done() -> bool:
        return "locked out" in await crew.effects(room)

    crew.to_freeze(INSIDE)
    await crew.poke(room, INSIDE, "frozen")
    await crew.until(lambda: _stopped(crew), 10)
    await crew.poke(room, AT_COMMIT, "locked out")  # wants the same row
    took = await crew.until(others_are_done, 3 * LEASE_SECONDS + 8)
    for pid in crew.frozen():
        go_on(pid)
    await crew.until(lambda: _are(crew, room, 2, JobStatus.SUCCEEDED), 20)
    assert await crew.effects(room) == ["frozen", "locked out"]
    print(f"frozen with a row locked: another job that needs the row was done {took:.1f} s after")


async def _stopped(crew: Crew) -> bool:
    return bool(crew.frozen())


async def _are(crew: Crew, room: UUID, count: int, status: JobStatus) -> bool:
    return [job.status for job in await crew.jobs(room)] == [status] * count


async def _has_noticed(crew: Crew, before: int) -> bool:
    """Whether the worker that was frozen has said what it found."""
    return "job." in crew.said()[before:]
