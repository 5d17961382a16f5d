"""What the installation does for itself."""

from datetime import timedelta

from app.core import idempotency, jobs
from app.core.work import Work
from app.signals import partitions
from workers.actors import every, job


@every("* * * * *", "system.heartbeat")
async def beat(work: Work) -> None:
    """Shows, by its job, that schedule and workers are running; forgets the jobs before that are long done."""
    await jobs.forget_done(work)


@every("17 3 * * *", "signals.partitions")
async def make_months(work: Work) -> None:
    """Makes the partitions of this month and the two to come."""
    await partitions.ensure(work, [work.at + timedelta(days=31 * ahead) for ahead in range(3)])


@job(idempotency.FORGET)
async def forget_keys(work: Work) -> None:
    """Forgets the idempotency keys of an organization that are older than a day."""
    await idempotency.forget_old(work)
