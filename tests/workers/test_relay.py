"""The relay: everything once and in order, through losses and beside other relays."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from app.core import jobs, live
from app.core.clock import now
from app.core.config import Settings
from app.core.db import Database
from app.core.jobs import Job
from app.core.outbox import OutboxEvent
from app.core.work import Reads, Work, work
from tests.factories import observed
from tests.factories.chores import Declare, happen, jobs_of
from tests.factories.work import Backstage
from workers import relay as relaying
from workers.broker import NAMESPACE, QUEUE
from workers.relay import Relay


async def streamed(backstage: Backstage, room: UUID) -> list[int]:
    """The numbers on the organization's live stream."""
    return [int(id_.split(b"-")[0]) for id_, _ in await backstage.redis.xrange(live.stream_of(room))]


async def told(backstage: Backstage) -> Counter[str]:
    """How often each job stands in the queue."""
    return Counter(id_.decode() for id_ in await backstage.redis.lrange(f"{NAMESPACE}:{QUEUE}", 0, -1))


async def age(database: Database, room: UUID, type_: str, seconds: int) -> None:
    """Makes the jobs due for so long."""
    async with work(database, room) as unit:
        due = unit.at - timedelta(seconds=seconds)
        await unit.run(update(Job).where(Job.type == type_).values(run_at=due))


def relay_of(backstage: Backstage, chosen: Settings) -> Relay:
    """A relay that was just started."""
    return Relay(backstage.database, backstage.redis, chosen.database_url.get_secret_value())


async def nothing(work: Work, events: Any) -> None:
    """An effect that leaves no trace but its job."""


async def pass_all(relay: Relay, room: UUID, times: int) -> None:
    for _ in range(times):
        await relay.pass_on(room)


async def test_events_of_many_at_once_are_numbered_densely_and_relayed_in_order(
    database: Database, backstage: Backstage, room: UUID
) -> None:
    await asyncio.gather(*(happen(database, room, 1 + number % 30) for number in range(80)))
    async with Reads(database, room) as reads:
        numbers = [row.seq for row in await reads.rows(select(OutboxEvent.seq).order_by(OutboxEvent.seq))]
    assert numbers == list(range(1, len(numbers) + 1)) and len(numbers) > 1_000
    await pass_all(backstage.relay, room, 3)
    assert await streamed(backstage, room) == numbers


async def test_two_relays_at_once_pass_nothing_on_twice(
    database: Database, backstage: Backstage, room: UUID, actor: Declare, chosen_settings: Settings
) -> None:
    type_ = actor(nothing)
    url = chosen_settings.database_url.get_secret_value()
    async with Database.open(url, pool_size=3) as second:
        other = Relay(second, backstage.redis, url)
        due = []
        for _ in range(5):
            await happen(database, room, 40)
            due += await asyncio.gather(*(relay.pass_on(room) for relay in (backstage.relay, other) * 3))
    while len(await streamed(backstage, room)) < 200:
        due.append(await backstage.relay.pass_on(room))
    assert await streamed(backstage, room) == list(range(1, 201))
    queued = await jobs_of(database, room, type_)
    assert sorted(job.payload["first"] for job in queued) == list(range(1, 201))
    assert sorted(job for jobs_of_one in due for _, job in jobs_of_one) == sorted(job.id for job in queued)


async def test_events_that_come_together_make_one_job_where_so_declared(
    database: Database, backstage: Backstage, room: UUID, actor: Declare
) -> None:
    seen: list[int] = []

    async def count(work: Work, events: Any) -> None:
        seen.append(len(events))

    type_ = actor(count, together=True)
    await happen(database, room, 25)
    await backstage.settle(room)
    [job] = await jobs_of(database, room, type_)
    assert (job.payload, seen) == ({"first": 1, "last": 25}, [25])


async def test_a_turn_passes_on_what_waits_and_says_whether_it_did(
    database: Database, backstage: Backstage, room: UUID
) -> None:
    while await backstage.relay.turn():
        pass
    await happen(database, room)
    assert await backstage.relay.turn() is True
    assert await streamed(backstage, room) == [1]
    assert await backstage.relay.turn() is False


async def test_a_running_relay_is_woken_by_a_commit(
    database: Database, backstage: Backstage, room: UUID, chosen_settings: Settings
) -> None:
    stop = asyncio.Event()
    relay = Relay(database, backstage.redis, chosen_settings.database_url.get_secret_value())
    running = asyncio.create_task(relay.run(stop))
    try:
        async with asyncio.timeout(10):
            for number in range(1, 4):
                await happen(database, room)
                while len(await streamed(backstage, room)) < number:
                    await asyncio.sleep(0.01)
    finally:
        stop.set()
        await running


async def test_streams_are_refilled_when_valkey_comes_back_empty(
    database: Database, backstage: Backstage, room: UUID, chosen_settings: Settings
) -> None:
    await happen(database, room, 1_200)
    await pass_all(backstage.relay, room, 3)
    reading = live.Live(backstage.redis).read(room, after=1_190)
    assert [entry.seq for batch in [await anext(reading), await anext(reading)] for entry in batch] == [
        *range(1_191, 1_201)
    ]
    await backstage.redis.flushdb()
    fresh = Relay(database, backstage.redis, chosen_settings.database_url.get_secret_value())
    await fresh.turn()
    assert await streamed(backstage, room) == list(range(1, 1_201))
    await happen(database, room, 3)
    await fresh.pass_on(room)
    after: list[int] = []
    while len(after) < 3:
        after += [entry.seq for entry in await anext(reading)]
    assert after == [1_201, 1_202, 1_203]
    await reading.aclose()  # type: ignore[attr-defined]


async def test_an_event_after_the_loss_of_valkey_brings_the_stream_back(
    database: Database, backstage: Backstage, room: UUID
) -> None:
    await happen(database, room, 700)
    await pass_all(backstage.relay, room, 2)
    await backstage.redis.delete(live.stream_of(room))
    await happen(database, room)
    await backstage.relay.pass_on(room)
    assert await streamed(backstage, room) == list(range(1, 702))


async def test_workers_are_reminded_of_jobs_whose_message_was_lost(
    database: Database, backstage: Backstage, room: UUID, actor: Declare, chosen_settings: Settings
) -> None:
    type_ = actor(nothing)
    await happen(database, room, 3)
    await backstage.relay.pass_on(room)
    await backstage.redis.flushdb()
    overdue, leased, waiting = await jobs_of(database, room, type_)
    async with work(database, room) as unit:
        await unit.run(update(Job).where(Job.id == overdue.id).values(run_at=unit.at - timedelta(seconds=3)))
        await jobs.take(unit, leased.id)
        await unit.run(update(Job).where(Job.id == waiting.id).values(run_at=now() + timedelta(seconds=60)))
    await relay_of(backstage, chosen_settings).turn()
    sent = await told(backstage)
    assert [sent[str(job.id)] for job in (overdue, leased, waiting)] == [1, 0, 0]


async def test_what_stands_in_the_queue_is_told_again_only_when_it_waited_twice_as_long(
    database: Database, backstage: Backstage, room: UUID, actor: Declare, chosen_settings: Settings
) -> None:
    type_ = actor(nothing)
    await happen(database, room, 30)
    await backstage.relay.pass_on(room)
    queued = [str(job.id) for job in await jobs_of(database, room, type_)]
    await age(database, room, type_, 15)
    relay, seen = relay_of(backstage, chosen_settings), []
    for _ in range(4):
        await relay.turn()
        sent = await told(backstage)
        seen.append({sent[job] for job in queued})
        await asyncio.sleep(1.05)
    assert seen == [{1}, {2}, {2}, {2}], "16 s after they were due, and not again before 32 s"
    await backstage.redis.flushdb()
    await relay.turn()
    sent = await told(backstage)
    assert {sent[job] for job in queued} == {1}, "what was lost is told at once"


async def test_the_backlog_of_an_organization_hides_nothing_of_others(
    database: Database,
    backstage: Backstage,
    actor: Declare,
    chosen_settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(relaying, "LOOK_EVERY_SECONDS", 0)
    monkeypatch.setattr(relaying, "SHARE", 20)
    monkeypatch.setattr(relaying, "REMINDERS", 25)
    type_ = actor(nothing)
    busy, *others = [await observed.room(database) for _ in range(4)]
    for room, count, seconds in ((busy, 300, 90), *((other, 1, 5) for other in others)):
        await happen(database, room, count)
        await backstage.relay.pass_on(room)
        await age(database, room, type_, seconds)
    await backstage.redis.flushdb()
    relay = relay_of(backstage, chosen_settings)
    waiting = {str(job.id) for room in others for job in await jobs_of(database, room, type_)}
    turns = 0
    sent: Counter[str] = Counter()
    while not waiting <= set(sent) and turns < 200:
        turns += 1
        await relay.turn()
        sent = await told(backstage)
    assert waiting <= set(sent)
    of_busy = {str(job.id) for job in await jobs_of(database, busy, type_)}
    assert 0 < len(of_busy & set(sent)) <= 20, "the oldest; the others when these are done"
    print(f"reminders: 3 organizations behind a backlog of 300 were told of after {turns} looks of at most 25 jobs")
