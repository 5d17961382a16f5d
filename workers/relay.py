"""The relay: passes each organization's events on, in order, to its live stream and to the jobs they cause.

It is woken by NOTIFY and looks by itself as well. It also tells the workers again of jobs that wait too long, and
refills the live streams when Valkey has lost them: what is in PostgreSQL is what counts."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg
import orjson
import structlog
from redis.asyncio import Redis
from sqlalchemy import func, select

from app.core import jobs, live, outbox, unscoped
from app.core.beat import no_beat
from app.core.db import OUTBOX_CHANNEL, Database, driver_url
from app.core.live import Entry
from app.core.outbox import OutboxMark
from app.core.telemetry import EVENTS
from app.core.tenancy import SYSTEM
from app.core.work import Work, work
from workers.actors import ACTORS
from workers.broker import NAMESPACE, QUEUE, send_all
from workers.gathering import Gathering
from workers.trouble import STEP_SECONDS, TROUBLE

BATCH = 500
TURN_SECONDS = 0.025
"""While events flow, a turn begins that long after the last one: what comes meanwhile is passed on together."""
LOOK_EVERY_SECONDS = 1.0
TIDY_EVERY_SECONDS = 3_600.0
OVERDUE_SECONDS = 1.0
REMINDERS = 2_000
SHARE = 200
_EPOCH = "devsignal:live:epoch"
Due = tuple[UUID, UUID]
"""A job that may start, after its organization."""
_log = structlog.get_logger(__name__)


class Relay:
    """`beat` is called after each step, also one that met trouble: to start again would not mend an engine."""

    def __init__(self, database: Database, redis: Redis, url: str, beat: Callable[[], None] = no_beat) -> None:
        self._database = database
        self._redis = redis
        self._url = url
        self._beat = beat
        self._woken = asyncio.Event()
        self._looked_at = -math.inf
        self._reminding_from = SYSTEM
        self._tidied_at: dict[UUID, float] = {}
        self._gathering = Gathering()
        self._marked: set[UUID] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Works until told to stop, through losses of either engine."""
        listening = asyncio.create_task(self._listen())
        try:
            while not stop.is_set():
                self._woken.clear()
                began = time.monotonic()
                try:
                    busy = await self.turn()
                except TROUBLE as error:
                    _log.warning("relay.trouble", error=str(error))
                    busy = False
                self._beat()
                if not busy:
                    await self._rest(stop)
                elif (early := began + TURN_SECONDS - time.monotonic()) > 0:
                    await asyncio.sleep(early)
        finally:
            listening.cancel()

    async def turn(self) -> bool:
        """Passes on one batch of every organization that has events; whether all of it went well."""
        since = time.monotonic() - self._looked_at
        if since > LOOK_EVERY_SECONDS:
            self._looked_at = time.monotonic()
            await self._heal()
            async with self._step():
                await self._remind(min(since, 2 * LOOK_EVERY_SECONDS))
        async with self._step():
            waiting = await self._waiting()
        due = [await self._passed_on(tenant) for tenant in waiting]
        async with self._step():
            await _tell([job for jobs_of_one in (self._gathering.due(), *due) for job in jobs_of_one or ()])
        return bool(waiting) and None not in due

    async def _passed_on(self, tenant: UUID) -> list[Due] | None:
        """The jobs that may start; None where it went wrong: one in trouble does not hold up the others."""
        try:
            async with self._step():
                return await self.pass_on(tenant)
        except TROUBLE as error:
            _log.warning("relay.trouble", organization=str(tenant), error=str(error))
            return None

    async def pass_on(self, tenant: UUID) -> list[Due]:
        """Passes on the next events of the organization, unless another relay is at it; the jobs that may start."""
        async with work(self._database, tenant) as unit:
            events = await self._next(unit)
            if not events:
                return []
            await self._append(unit, tenant, events)
            queued = await self._queue(unit, events)
            await self._tidy(unit, tenant)
            await unit.rows(outbox.PASSED_ON, seq=events[-1].seq)
        EVENTS.inc(len(events))
        return [(tenant, job) for job in queued]

    async def _queue(self, unit: Work, events: Sequence[Entry]) -> list[UUID]:
        """Adds the jobs that the events cause; the ids of those that may start at once."""
        ids = []
        for actor in ACTORS.values():
            numbers = [event.seq for event in events if event.name == actor.event]
            if actor.together and numbers:
                ids.append(await self._gathering.queue(unit, actor.type, numbers[0], numbers[-1]))
            else:
                ids += [await _queue_alone(unit, actor.type, number) for number in numbers]
        return [id_ for id_ in ids if id_ is not None]

    async def _next(self, unit: Work) -> list[Entry]:
        """The events that follow the mark, which is then held; none where another relay is at it."""
        rows = await unit.rows(outbox.NEXT, limit=BATCH)
        if not rows and unit.organization not in self._marked:
            if await self._mark(unit) is None:
                return []
            rows = await unit.rows(outbox.NEXT, limit=BATCH)
        self._marked.add(unit.organization)
        return [Entry(row.seq, row.name, row.payload) for row in rows]

    async def _mark(self, unit: Work) -> OutboxMark | None:
        locked = select(OutboxMark).with_for_update(skip_locked=True)
        mark: OutboxMark | None = (await unit.run(locked)).scalar_one_or_none()
        if mark is None and (await unit.run(select(func.count()).select_from(OutboxMark))).scalar_one() == 0:
            await unit.take_turn("outbox_mark")
            mark = (await unit.run(locked)).scalar_one_or_none()
            if mark is None:
                mark = OutboxMark(relayed_seq=0)
                unit.add(mark)
                await unit.flush()
        return mark

    async def _append(self, unit: Work, tenant: UUID, events: Sequence[Entry]) -> None:
        """Appends to the live stream, after what it may have lost: a stream has no holes."""
        first = events[0].seq
        last = await live.append(self._redis, tenant, events, follows=first - 1)
        if last is None:
            return
        lost = max(last, first - 1 - live.MAX_LENGTH)
        while missing := [event for event in await _events(unit, lost) if event.seq < first]:
            await live.append(self._redis, tenant, missing, follows=0)
            lost = missing[-1].seq
        await live.append(self._redis, tenant, events, follows=0)

    async def _tidy(self, unit: Work, tenant: UUID) -> None:
        """Forgets, once an hour, the jobs of the organization that are long done."""
        if time.monotonic() - self._tidied_at.get(tenant, -TIDY_EVERY_SECONDS) >= TIDY_EVERY_SECONDS:
            self._tidied_at[tenant] = time.monotonic()
            await jobs.forget_done(unit)

    async def _heal(self) -> None:
        """Refills every stream when Valkey has come back empty."""
        if await self._redis.exists(_EPOCH):
            return
        async with self._step():
            tenants = [row[0] for row in await unscoped.rows(self._database, outbox.organizations())]
        for tenant in tenants:
            async with self._step(), work(self._database, tenant) as unit:
                mark = await self._mark(unit)
                if mark is not None and mark.relayed_seq > 0:
                    recent = max(0, mark.relayed_seq - BATCH)
                    events = [e for e in await _events(unit, recent) if e.seq <= mark.relayed_seq]
                    if events:
                        await self._append(unit, tenant, events)
        await self._redis.set(_EPOCH, "1")
        if tenants:
            _log.warning("relay.streams_refilled", organizations=len(tenants))

    async def _waiting(self) -> list[UUID]:
        """The organizations that have events to pass on."""
        return [row[0] for row in await unscoped.rows(self._database, outbox.behind(BATCH))]

    async def _remind(self, since: float) -> None:
        """Tells the workers again of jobs whose message was lost, whose worker died, or whose retry is due.

        What stands in the queue already is told again only when it has waited twice as long as the last time: its
        message may have been lost on the way to a worker. `since` is the time from the look before, in seconds."""
        asked = jobs.overdue(self._reminding_from, OVERDUE_SECONDS, SHARE, REMINDERS)
        late = await unscoped.rows(self._database, asked)
        more = len(late) == REMINDERS
        self._reminding_from = UUID(int=max(tenant for tenant, _, _ in late).int + 1) if more else SYSTEM
        queued = await self._queued([job for _, job, _ in late])
        told = [(tenant, job) for tenant, job, age in late if job not in queued or _has_doubled(age, since)]
        await _tell(told)

    async def _queued(self, ids: Sequence[UUID]) -> set[UUID]:
        """Those of the jobs whose message is in the queue or with a worker."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for id_ in ids:
                pipe.hexists(f"{NAMESPACE}:{QUEUE}.msgs", str(id_))
            answers = await pipe.execute()
        return {id_ for id_, stands in zip(ids, answers, strict=True) if stands}

    @asynccontextmanager
    async def _step(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(STEP_SECONDS):
                yield
        finally:
            self._beat()

    async def _rest(self, stop: asyncio.Event) -> None:
        waits = [asyncio.create_task(self._woken.wait()), asyncio.create_task(stop.wait())]
        soon = self._gathering.seconds_until_due()
        pause = LOOK_EVERY_SECONDS if soon is None else min(LOOK_EVERY_SECONDS, soon)
        await asyncio.wait(waits, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
        for one in waits:
            one.cancel()

    async def _listen(self) -> None:
        while True:
            try:
                connection = await asyncpg.connect(driver_url(self._url))
                ended = asyncio.Event()
                connection.add_termination_listener(lambda _, ended=ended: ended.set())
                await connection.add_listener(OUTBOX_CHANNEL, lambda *_: self._woken.set())
                await ended.wait()
            except TROUBLE as error:
                _log.warning("relay.not_listening", error=str(error))
            await asyncio.sleep(1)


async def _tell(due: Sequence[Due]) -> None:
    if due:
        await asyncio.to_thread(send_all, due)


async def _events(unit: Work, after: int) -> list[Entry]:
    rows = (await unit.run(outbox.after(after, BATCH))).all()
    return [Entry(seq, name, payload) for seq, name, payload, _ in rows]


async def _queue_alone(unit: Work, type_: str, number: int) -> UUID | None:
    payload = orjson.dumps({"first": number, "last": number}).decode()
    return await jobs.queue(unit, type_, str(number), payload)


def _has_doubled(age: float, since: float) -> bool:
    """Whether the age has passed a power of two (8 s, 16 s, 32 s ...) since the look before."""
    return age >= 8 and math.log2(age) // 1 > math.log2(age - since) // 1
