"""Something that happens, and the jobs that come of it."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from sqlalchemy import select, update

from app.core.clock import now
from app.core.db import Database
from app.core.jobs import Job
from app.core.work import Reads, work
from app.identity.events import OrganizationUpdated

Declare = Callable[..., str]
"""Declares an effect for what `happen` says, and answers the job's type."""


async def happen(database: Database, room: UUID, times: int = 1) -> None:
    """Something that the tests' actors act on."""
    async with work(database, room) as unit:
        unit.emit(*[OrganizationUpdated(organization=room)] * times)


async def jobs_of(database: Database, room: UUID, type_: str) -> list[Any]:
    async with Reads(database, room) as reads:
        of_type = select(Job).where(Job.type == type_, Job.organization_id == room)
        return list(await reads.rows(of_type.order_by(Job.id)))


async def make_due(database: Database, room: UUID, job: UUID) -> None:
    """Lets the job's waiting time, or its lease, be over."""
    async with work(database, room) as unit:
        await unit.run(update(Job).where(Job.id == job).values(run_at=now()))
