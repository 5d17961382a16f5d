"""The queue. A message only says that a job may be taken: all that is true of the job stands in PostgreSQL."""

from functools import cache
from typing import Any
from uuid import UUID

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import AsyncIO, ShutdownNotifications

from app.core.config import settings

QUEUE = "devsignal"
ACTOR = "run_job"


@cache
def broker() -> RedisBroker:
    """The process's broker. Messages of a killed worker come back within seconds; jobs are leased, so that a worker
    which only froze has no second effect."""
    made: Any = RedisBroker(  # type: ignore[no-untyped-call]
        url=settings().redis_url.get_secret_value(),
        namespace="devsignal:queue",
        heartbeat_timeout=5_000,
        maintenance_chance=1_000_000,
        middleware=[AsyncIO(), ShutdownNotifications()],
    )
    made.declare_queue(QUEUE)
    dramatiq.set_broker(made)
    queue: RedisBroker = made
    return queue


def send(tenant: UUID, job: UUID) -> None:
    """Tells the workers that the job may be taken."""
    message: Any = dramatiq.Message(
        queue_name=QUEUE, actor_name=ACTOR, args=(str(tenant), str(job)), kwargs={}, options={}
    )
    broker().enqueue(message)
