"""Runs one job: takes it, does its effect, and marks it done in the same transaction."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID

import dramatiq
import structlog
from sqlalchemy import select

from app.core import jobs
from app.core.config import settings
from app.core.db import Database
from app.core.errors import Code, Refusal
from app.core.events import Event, event_named
from app.core.jobs import Attempt, LeaseLostError
from app.core.outbox import OutboxEvent
from app.core.telemetry import JOBS
from app.core.work import Work, work
from workers.actors import ACTORS, SCHEDULES
from workers.broker import ACTOR, QUEUE, broker

_log = structlog.get_logger(__name__)


class Runner:
    """The jobs' way to the database, opened on the event loop that runs them."""

    def __init__(self) -> None:
        self._opening = asyncio.Lock()
        self._stack = AsyncExitStack()
        self._database: Database | None = None

    async def database(self) -> Database:
        async with self._opening:
            if self._database is None:
                url = settings().database_url.get_secret_value()
                opened = Database.open(url, pool_size=settings().database_pool_size, statement_timeout_ms=60_000)
                self._database = await self._stack.enter_async_context(opened)
            return self._database

    async def close(self) -> None:
        await self._stack.aclose()

    async def run(self, tenant: UUID, job: UUID) -> None:
        database = await self.database()
        async with work(database, tenant) as unit:
            attempt = await jobs.take(unit, job)
        if attempt is not None:
            with structlog.contextvars.bound_contextvars(job=str(job), type=attempt.type):
                await _attempt(database, tenant, attempt)


async def _attempt(database: Database, tenant: UUID, attempt: Attempt) -> None:
    try:
        async with work(database, tenant) as unit:
            await _effect(unit, attempt)
            await jobs.succeed(unit, attempt)
        JOBS.labels(attempt.type, "succeeded").inc()
    except LeaseLostError:
        _log.warning("job.lease_lost")
    except Refusal as refusal:
        await _failed(database, tenant, attempt, str(refusal), retry=False)
    except Exception as error:
        _log.exception("job.failed", attempt=attempt.number)
        await _failed(database, tenant, attempt, f"{type(error).__name__}: {error}"[:2_000], retry=True)


async def _effect(unit: Work, attempt: Attempt) -> None:
    if schedule := SCHEDULES.get(attempt.type):
        await schedule.chore(unit)
    elif actor := ACTORS.get(attempt.type):
        await actor.effect(unit, await _events(unit, actor.event, attempt.payload))
    else:
        raise Refusal(Code.INVALID, f"no actor does {attempt.type}")


async def _events(unit: Work, name: str, payload: dict[str, Any]) -> Sequence[Event]:
    said = (
        select(OutboxEvent.payload)
        .where(OutboxEvent.seq.between(payload["first"], payload["last"]), OutboxEvent.name == name)
        .order_by(OutboxEvent.seq)
    )
    kind = event_named(name)
    return [kind.model_validate(one) for one in (await unit.run(said)).scalars()]


async def _failed(database: Database, tenant: UUID, attempt: Attempt, error: str, *, retry: bool) -> None:
    JOBS.labels(attempt.type, "failed").inc()
    try:
        async with work(database, tenant) as unit:
            await jobs.fail(unit, attempt, error, retry=retry)
    except LeaseLostError:
        _log.warning("job.lease_lost")


def declare() -> Runner:
    """Makes the queue's one actor known to the broker."""
    runner = Runner()

    async def run_job(tenant: str, job: str) -> None:
        await runner.run(UUID(tenant), UUID(job))

    dramatiq.actor(actor_name=ACTOR, queue_name=QUEUE, broker=broker())(run_job)
    return runner
