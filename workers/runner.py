"""Runs one job: takes it, does its effect, and marks it done in the same transaction.

The lease is short, and renewed while the effect is under way. A worker that froze renews nothing, and PostgreSQL ends
its transaction when nothing was said in it for as long as a lease: its locks hold up nobody for longer."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import UUID

import dramatiq
import structlog
from sqlalchemy import bindparam, select

from app.core import jobs
from app.core.config import settings
from app.core.db import Database
from app.core.errors import Code, Refusal
from app.core.events import Event, event_named
from app.core.jobs import Attempt, LeaseLostError
from app.core.outbox import OutboxEvent
from app.core.statements import Prepared
from app.core.telemetry import JOBS
from app.core.work import Work, work
from workers.actors import ACTORS, CHORES, SCHEDULES
from workers.broker import ACTOR, QUEUE, broker
from workers.gate import Gate
from workers.trouble import STEP_SECONDS, TROUBLE

_SAID = Prepared(
    select(OutboxEvent.payload)
    .where(OutboxEvent.seq.between(bindparam("first"), bindparam("last")), OutboxEvent.name == bindparam("name"))
    .order_by(OutboxEvent.seq)
)
Take = Callable[[Work, UUID], Awaitable[Attempt | None]]
_log = structlog.get_logger(__name__)


class Runner:
    """The jobs' way to the database, opened on the event loop that runs them."""

    def __init__(self) -> None:
        self._opening = asyncio.Lock()
        self._gate = Gate()
        self._stack = AsyncExitStack()
        self._database: Database | None = None

    async def database(self) -> Database:
        async with self._opening:
            if self._database is None:
                chosen = settings()
                opened = Database.open(
                    chosen.database_url.get_secret_value(),
                    pool_size=chosen.database_pool_size,
                    statement_timeout_ms=1_000 * chosen.job_limit_seconds,
                    transaction_timeout_ms=1_000 * chosen.job_limit_seconds,
                    idle_timeout_ms=1_000 * chosen.job_lease_seconds,
                )
                self._database = await self._stack.enter_async_context(opened)
            return self._database

    async def close(self) -> None:
        await self._stack.aclose()

    async def run(self, tenant: UUID, job: UUID) -> None:
        """Does the job if it waits, or if it was abandoned: then with no other beside it."""
        database = await self.database()
        async with self._gate.beside_others():
            if await _do(database, tenant, job, jobs.take):
                return
        async with work(database, tenant) as unit:
            abandoned = await jobs.is_abandoned(unit, job)
        if abandoned:
            async with self._gate.alone():
                await _do(database, tenant, job, jobs.take_over)


async def _do(database: Database, tenant: UUID, job: UUID, take: Take) -> bool:
    """Whether the job could be taken; if so, it was done or has failed."""
    async with work(database, tenant) as unit:
        attempt = await take(unit, job)
    if attempt is None:
        return False
    with structlog.contextvars.bound_contextvars(job=str(job), type=attempt.type):
        await _attempt(database, tenant, attempt)
    return True


async def _attempt(database: Database, tenant: UUID, attempt: Attempt) -> None:
    limit = asyncio.timeout(settings().job_limit_seconds)
    try:
        async with limit, _renewed(database, tenant, attempt), work(database, tenant) as unit:
            await _effect(unit, attempt)
            await jobs.succeed(unit, attempt)
        JOBS.labels(attempt.type, "succeeded").inc()
    except LeaseLostError:
        _log.warning("job.lease_lost")
    except Refusal as refusal:
        await _failed(database, tenant, attempt, str(refusal), retry=False)
    except Exception as error:
        _log.exception("job.failed", attempt=attempt.number)
        took_too_long = f"took longer than {settings().job_limit_seconds} s"
        said = took_too_long if limit.expired() else f"{type(error).__name__}: {error}"
        await _failed(database, tenant, attempt, said[:2_000], retry=True)


@asynccontextmanager
async def _renewed(database: Database, tenant: UUID, attempt: Attempt) -> AsyncIterator[None]:
    """Keeps the lease fresh for as long as the block runs."""
    renewing = asyncio.create_task(_renew(database, tenant, attempt))
    try:
        yield
    finally:
        renewing.cancel()
        await asyncio.wait([renewing])


async def _renew(database: Database, tenant: UUID, attempt: Attempt) -> None:
    while True:
        await asyncio.sleep(settings().job_lease_seconds / 3)
        try:
            async with work(database, tenant) as unit:
                await jobs.renew(unit, attempt)
        except TROUBLE as error:
            _log.warning("job.not_renewed", error=str(error))


async def _effect(unit: Work, attempt: Attempt) -> None:
    if schedule := SCHEDULES.get(attempt.type):
        await schedule.chore(unit)
    elif chore := CHORES.get(attempt.type):
        await chore(unit)
    elif actor := ACTORS.get(attempt.type):
        await actor.effect(unit, await _events(unit, actor.event, attempt.payload))
    else:
        raise Refusal(Code.INVALID, f"no actor does {attempt.type}")


async def _events(unit: Work, name: str, payload: dict[str, Any]) -> Sequence[Event]:
    kind = event_named(name)
    rows = await unit.rows(_SAID, name=name, first=payload["first"], last=payload["last"])
    return [kind.model_validate(row.payload) for row in rows]


async def _failed(database: Database, tenant: UUID, attempt: Attempt, error: str, *, retry: bool) -> None:
    """Records the failure, also where the database is away for a while: else the job would wait for its lease."""
    JOBS.labels(attempt.type, "failed").inc()
    ends = time.monotonic() + settings().job_lease_seconds
    while time.monotonic() < ends:
        try:
            async with asyncio.timeout(STEP_SECONDS), work(database, tenant) as unit:
                await jobs.fail(unit, attempt, error, retry=retry)
            return
        except LeaseLostError:
            _log.warning("job.lease_lost")
            return
        except TROUBLE as trouble:
            _log.warning("job.failure_not_recorded", error=str(trouble))
            await asyncio.sleep(1)


def declare() -> Runner:
    """Makes the queue's one actor known to the broker."""
    runner = Runner()

    async def run_job(tenant: str, job: str) -> None:
        await runner.run(UUID(tenant), UUID(job))

    dramatiq.actor(actor_name=ACTOR, queue_name=QUEUE, broker=broker())(run_job)
    return runner
