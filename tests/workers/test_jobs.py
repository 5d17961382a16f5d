"""Jobs: an effect once, retries that wait longer each time, leases that fence frozen workers out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text, update

from app.core import jobs
from app.core.clock import now
from app.core.config import settings
from app.core.db import Database
from app.core.errors import Code, Refusal
from app.core.jobs import MAX_ATTEMPTS, Job, JobStatus
from app.core.tenancy import SYSTEM
from app.core.work import Reads, Work, work
from app.identity.models import Organization
from tests.factories.chores import Declare, happen, jobs_of, make_due
from tests.factories.tenants import Tenant
from tests.factories.work import Backstage
from workers import schedule
from workers.runner import Runner

REPLAY = """mutation ($id: ID!) {
  jobReplay(input: {id: $id}) { job { id status attempts error } userErrors { code path } }
}"""
JOBS = "query ($filter: JobFilter) { jobs(filter: $filter) { nodes { id type status attempts error } } }"


async def leave_a_mark(work: Work, events: Any) -> None:
    """An effect that shows how often it was done."""
    await work.run(update(Organization).values(name=Organization.name + "!"))


async def marks(database: Database, room: UUID) -> int:
    async with Reads(database, room) as reads:
        name: str = await reads.value(select(Organization.name).where(Organization.id == room))
    return name.count("!")


async def queued(database: Database, backstage: Backstage, room: UUID, type_: str) -> UUID:
    await happen(database, room)
    await backstage.relay.pass_on(room)
    [job] = await jobs_of(database, room, type_)
    id_: UUID = job.id
    return id_


@asynccontextmanager
async def other_worker() -> AsyncIterator[Runner]:
    runner = Runner()
    try:
        yield runner
    finally:
        await runner.close()


async def test_a_job_that_is_delivered_many_times_has_its_effect_once(
    database: Database, backstage: Backstage, room: UUID, actor: Declare
) -> None:
    type_ = actor(leave_a_mark)
    for round_ in range(1, 6):
        await happen(database, room)
        await backstage.relay.pass_on(room)
        job = (await jobs_of(database, room, type_))[-1]
        await asyncio.gather(*(backstage.runner.run(room, job.id) for _ in range(8)))
        await backstage.runner.run(room, job.id)
        assert await marks(database, room) == round_
    assert {(job.status, job.attempts) for job in await jobs_of(database, room, type_)} == {("SUCCEEDED", 1)}


async def test_a_failing_job_waits_longer_each_time_and_is_dead_at_last(
    database: Database, backstage: Backstage, room: UUID, actor: Declare
) -> None:
    async def fail(work: Work, events: Any) -> None:
        await leave_a_mark(work, events)
        raise RuntimeError("out of order")

    type_ = actor(fail)
    id_ = await queued(database, backstage, room, type_)
    waits = []
    for attempt in range(1, MAX_ATTEMPTS + 1):
        await backstage.runner.run(room, id_)
        [job] = await jobs_of(database, room, type_)
        assert (job.attempts, job.error) == (attempt, "RuntimeError: out of order")
        waits.append((job.run_at - job.updated_at).total_seconds())
        await backstage.runner.run(room, id_)  # not due yet: nothing happens
        await make_due(database, room, id_)
    assert waits == [5, 15, 45, 135, 0]
    await backstage.runner.run(room, id_)
    [job] = await jobs_of(database, room, type_)
    assert (job.status, job.attempts) == (JobStatus.DEAD, MAX_ATTEMPTS) and job.finished_at
    assert await marks(database, room) == 0


async def test_a_job_that_recovers_is_done_once(
    database: Database, backstage: Backstage, room: UUID, actor: Declare
) -> None:
    calls: list[int] = []

    async def recover(work: Work, events: Any) -> None:
        calls.append(1)
        await leave_a_mark(work, events)
        if len(calls) == 1:
            await work.run(text("SELECT 1 / 0"))

    type_ = actor(recover)
    id_ = await queued(database, backstage, room, type_)
    await backstage.runner.run(room, id_)
    await make_due(database, room, id_)
    await backstage.runner.run(room, id_)
    [job] = await jobs_of(database, room, type_)
    assert (job.status, job.attempts, job.error) == (JobStatus.SUCCEEDED, 2, None)
    assert await marks(database, room) == 1


async def test_a_refused_job_is_not_tried_again(
    database: Database, backstage: Backstage, room: UUID, actor: Declare
) -> None:
    async def refuse(work: Work, events: Any) -> None:
        raise Refusal(Code.INVALID, "makes no sense")

    type_ = actor(refuse)
    await queued(database, backstage, room, type_)
    await backstage.settle(room)
    [job] = await jobs_of(database, room, type_)
    assert (job.status, job.attempts, job.error) == (JobStatus.DEAD, 1, "makes no sense")


async def test_a_worker_whose_lease_has_passed_cannot_commit(
    database: Database, backstage: Backstage, room: UUID, actor: Declare
) -> None:
    asleep, woken = asyncio.Event(), asyncio.Event()

    async def freeze_once(work: Work, events: Any) -> None:
        if not asleep.is_set():
            asleep.set()
            await woken.wait()
        await leave_a_mark(work, events)

    type_ = actor(freeze_once)
    id_ = await queued(database, backstage, room, type_)
    frozen = asyncio.create_task(backstage.runner.run(room, id_))
    await asleep.wait()
    async with other_worker() as other:
        await other.run(room, id_)  # the lease still stands
        assert await marks(database, room) == 0
        await make_due(database, room, id_)
        await other.run(room, id_)
    assert await marks(database, room) == 1
    woken.set()
    await frozen
    assert await marks(database, room) == 1
    [job] = await jobs_of(database, room, type_)
    assert (job.status, job.attempts) == (JobStatus.SUCCEEDED, 2)


async def test_a_job_that_takes_longer_than_its_lease_keeps_it(
    database: Database, backstage: Backstage, room: UUID, actor: Declare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.core.jobs.settings", lambda: settings().model_copy(update={"job_lease_seconds": 1}))
    monkeypatch.setattr("workers.runner.settings", lambda: settings().model_copy(update={"job_lease_seconds": 1}))
    begun = asyncio.Event()

    async def slow(work: Work, events: Any) -> None:
        begun.set()
        for _ in range(5):
            await work.run(text("SELECT pg_sleep(0.5)"))
        await leave_a_mark(work, events)

    type_ = actor(slow)
    id_ = await queued(database, backstage, room, type_)
    async with other_worker() as other, asyncio.TaskGroup() as both:
        both.create_task(other.run(room, id_))
        await begun.wait()
        while await marks(database, room) == 0:
            await backstage.runner.run(room, id_)  # would take it over as soon as the lease is over
            await asyncio.sleep(0.1)
    assert await marks(database, room) == 1
    assert [(job.status, job.attempts) for job in await jobs_of(database, room, type_)] == [("SUCCEEDED", 1)]


async def test_a_job_that_kills_its_process_each_time_is_dead_at_last(
    database: Database, backstage: Backstage, room: UUID, actor: Declare
) -> None:
    type_ = actor(leave_a_mark)
    id_ = await queued(database, backstage, room, type_)
    for number in range(MAX_ATTEMPTS):
        async with work(database, room) as unit:
            attempt = await (jobs.take_over if number else jobs.take)(unit, id_)  # and the process ends here
            assert attempt is not None and attempt.number == number + 1
        await make_due(database, room, id_)
    await backstage.runner.run(room, id_)
    [job] = await jobs_of(database, room, type_)
    assert (job.status, job.attempts) == (JobStatus.DEAD, MAX_ATTEMPTS)
    assert job.error == "its process ended or froze in the last of 5 attempts"
    assert await marks(database, room) == 0


async def test_another_organization_cannot_take_a_job(
    database: Database, backstage: Backstage, room: UUID, actor: Declare, tenant: Tenant
) -> None:
    id_ = await queued(database, backstage, room, actor(leave_a_mark))
    await backstage.runner.run(tenant.id, id_)
    assert (await marks(database, room), await marks(database, tenant.id)) == (0, 0)
    answer = await tenant.ask(JOBS)
    assert all(node["type"] != "test.0" for node in answer["jobs"]["nodes"])


async def test_a_dead_job_is_seen_and_replayed(
    database: Database, backstage: Backstage, tenant: Tenant, actor: Declare
) -> None:
    broken = [True]

    async def mend(work: Work, events: Any) -> None:
        if broken:
            raise Refusal(Code.INVALID, "is broken")
        await leave_a_mark(work, events)

    type_ = actor(mend)
    await happen(database, tenant.id)
    await backstage.settle(tenant.id)
    [seen] = (await tenant.ask(JOBS, {"filter": {"status": {"eq": "DEAD"}}}))["jobs"]["nodes"]
    assert (seen["type"], seen["attempts"], seen["error"]) == (type_, 1, "is broken")
    broken.clear()
    replayed = (await tenant.ask(REPLAY, {"id": seen["id"]}))["jobReplay"]
    assert replayed["job"] == {"id": seen["id"], "status": "QUEUED", "attempts": 0, "error": None}
    await backstage.settle(tenant.id)
    assert await marks(database, tenant.id) == 1
    again = (await tenant.ask(REPLAY, {"id": seen["id"]}))["jobReplay"]
    assert again == {"job": None, "userErrors": [{"code": "CONFLICT", "path": ["id"]}]}


async def test_the_heartbeat_is_a_job_of_the_installation_that_all_may_see(
    database: Database, backstage: Backstage, tenant: Tenant
) -> None:
    earlier = len(await jobs_of(database, SYSTEM, "system.heartbeat"))
    stop = asyncio.Event()
    schedules = [asyncio.create_task(schedule.run(database, stop)) for _ in range(2)]
    async with asyncio.timeout(10):
        while not (beats := await jobs_of(database, SYSTEM, "system.heartbeat")):
            await asyncio.sleep(0.01)
    stop.set()
    await asyncio.gather(*schedules)
    beats = await jobs_of(database, SYSTEM, "system.heartbeat")
    assert len({beat.key for beat in beats}) == len(beats) <= earlier + 2
    for beat in beats:
        await backstage.runner.run(SYSTEM, beat.id)
    shown = (await tenant.ask(JOBS, {"filter": {"type": {"eq": "system.heartbeat"}}}))["jobs"]["nodes"]
    assert {node["status"] for node in shown} == {"SUCCEEDED"}
    refused = (await tenant.ask(REPLAY, {"id": shown[0]["id"]}))["jobReplay"]
    assert refused["job"] is None


async def test_jobs_that_are_long_done_are_forgotten(
    database: Database, backstage: Backstage, room: UUID, actor: Declare
) -> None:
    type_ = actor(leave_a_mark)
    await happen(database, room, 3)
    await backstage.settle(room)
    old, dead, _ = await jobs_of(database, room, type_)
    long_ago = now() - jobs.KEPT - timedelta(minutes=1)
    async with work(database, room) as unit:
        await unit.run(update(Job).where(Job.id.in_([old.id, dead.id])).values(finished_at=long_ago))
        await unit.run(update(Job).where(Job.id == dead.id).values(status=JobStatus.DEAD))
    async with work(database, room) as unit:
        await jobs.forget_done(unit)
    assert old.id not in [job.id for job in await jobs_of(database, room, type_)]
    assert len(await jobs_of(database, room, type_)) == 2
