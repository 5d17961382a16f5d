"""Relay and worker without their processes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from redis.asyncio import Redis
from sqlalchemy import func, select

from app.core.config import Settings
from app.core.db import Database
from app.core.jobs import Job, JobStatus
from app.core.work import Reads
from workers import scoring, system
from workers.relay import Relay
from workers.runner import Runner

ROOMS = (scoring, system)
_SOON = timedelta(minutes=1)


@dataclass(frozen=True)
class Backstage:
    database: Database
    redis: Redis
    relay: Relay
    runner: Runner

    @classmethod
    @asynccontextmanager
    async def open(cls, database: Database, settings: Settings) -> AsyncIterator["Backstage"]:
        redis = Redis.from_url(settings.redis_url.get_secret_value())
        relay = Relay(database, redis, settings.database_url.get_secret_value())
        runner = Runner()
        try:
            yield cls(database, redis, relay, runner)
        finally:
            await runner.close()
            await redis.aclose()

    async def settle(self, tenant: UUID) -> None:
        """Passes on all events of the organization and runs the jobs they cause, until none are left but those
        for another day."""
        while True:
            await self.relay.pass_on(tenant)
            waiting = await self._waiting(tenant)
            if not waiting:
                return
            for job in waiting:
                await self.runner.run(tenant, job)

    async def _waiting(self, tenant: UUID) -> list[UUID]:
        async with Reads(self.database, tenant) as reads:
            queued = select(Job.id).where(
                Job.status == JobStatus.QUEUED, Job.organization_id == tenant, Job.run_at <= func.now() + _SOON
            )
            return [row.id for row in await reads.rows(queued)]
