"""Work that kills its process at each start: it is dead after five, and nothing else suffers for long."""

import time
from collections import Counter
from pathlib import Path
from uuid import UUID

import pytest

from app.core.config import Settings
from app.core.db import Database
from app.core.jobs import MAX_ATTEMPTS, JobStatus
from tests.factories import observed
from tests.faults.actors import PLAIN, POISON, SLOW
from tests.faults.crew import LEASE_SECONDS, Crew, crew_of

pytestmark = pytest.mark.faults


@pytest.fixture
async def room(database: Database) -> UUID:
    return await observed.room(database)


async def test_a_job_that_kills_its_process_is_dead_after_five_starts_and_takes_nobody_with_it(
    database: Database, chosen_settings: Settings, tmp_path: Path, room: UUID
) -> None:
    beside = [f"beside {number}" for number in range(6)]
    later = [f"later {number}" for number in range(20)]
    async with crew_of(1, database, chosen_settings, tmp_path) as crew:

        async def all_others_are_done() -> bool:
            return await crew.effects(room) == sorted(beside + later)

        async def is_dead() -> bool:
            return JobStatus.DEAD in [job.status for job in await crew.jobs(room)]

        started = time.monotonic()
        await with_poison(crew, room, beside)
        await crew.until(lambda: _died(crew), 20)
        await crew.poke(room, PLAIN, *later)
        others = await crew.until(all_others_are_done, 30)
        await crew.until(is_dead, 40)
        took = time.monotonic() - started
        outcomes = Counter((job.status, job.attempts) for job in await crew.jobs(room))
        [dead] = [job for job in await crew.jobs(room) if job.status == JobStatus.DEAD]
        assert await crew.effects(room) == sorted(beside + later)
    assert dead.attempts == MAX_ATTEMPTS and dead.payload["first"] == 4
    assert dead.error == "its process ended or froze in the last of 5 attempts"
    assert crew.starts == 1 + MAX_ATTEMPTS, "a start for each death, and the death of each start"
    assert max(attempts for status, attempts in outcomes if status == JobStatus.SUCCEEDED) == 2
    assert outcomes.total() == 1 + len(beside) + len(later)
    print(
        f"poison: {crew.starts - 1} starts, dead after {took:.1f} s with a lease of {LEASE_SECONDS} s; "
        f"{len(beside)} jobs beside it and {len(later)} later ones done {others:.1f} s after its first start"
    )


async def with_poison(crew: Crew, room: UUID, beside: list[str]) -> None:
    """Jobs that are under way together, one of which kills their process."""
    await crew.poke(room, SLOW, *beside[:3])
    await crew.poke(room, POISON, "never")
    await crew.poke(room, SLOW, *beside[3:])


async def _died(crew: Crew) -> bool:
    return crew.starts > 1
