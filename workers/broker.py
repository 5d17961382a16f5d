"""The queue. A message only says that a job may be taken: all that is true of the job stands in PostgreSQL."""

from collections.abc import Iterable
from functools import cache
from typing import Any
from uuid import UUID

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import AsyncIO, ShutdownNotifications
from redis import Redis

from app.core.config import settings

QUEUE = "devsignal"
ACTOR = "run_job"
NAMESPACE = "devsignal:queue"
_CALLERS_CLOCK = "local timestamp = ARGV[2]\n"
_QUEUES_CLOCK = "local clock = redis.call('TIME')\nlocal timestamp = clock[1] * 1000 + math.floor(clock[2] / 1000)\n"


@cache
def broker() -> RedisBroker:
    """The process's broker. Messages of a killed worker come back within seconds; jobs are leased, so that a worker
    which only froze has no second effect."""
    made: Any = RedisBroker(  # type: ignore[no-untyped-call]
        client=Redis.from_url(settings().redis_url.get_secret_value(), socket_timeout=5, socket_connect_timeout=5),
        namespace=NAMESPACE,
        heartbeat_timeout=1_000 * min(5, settings().job_lease_seconds),
        maintenance_chance=1_000_000,
        middleware=[AsyncIO(), ShutdownNotifications()],
    )
    _tell_time_by_the_queue(made)
    made.declare_queue(QUEUE)
    dramatiq.set_broker(made)
    queue: RedisBroker = made
    return queue


def _tell_time_by_the_queue(made: Any) -> None:
    """Has Valkey say when a worker was last heard of. By the callers' own clocks, one that is minutes ahead would
    take all others for dead and give their messages away again and again."""
    script = made.scripts["dispatch"].script
    text = script.decode() if isinstance(script, bytes) else script
    if text.count(_CALLERS_CLOCK) != 1:
        raise RuntimeError("this version of dramatiq keeps time in another way")
    made.scripts["dispatch"] = made.client.register_script(text.replace(_CALLERS_CLOCK, _QUEUES_CLOCK))


def send(tenant: UUID, job: UUID) -> None:
    """Tells the workers that the job may be taken. The message has the job's id, so that it can be looked for."""
    options = {"redis_message_id": str(job)}
    message: Any = dramatiq.Message(
        queue_name=QUEUE, actor_name=ACTOR, args=(str(tenant), str(job)), kwargs={}, options=options
    )
    broker().do_enqueue(QUEUE, str(job), message.encode())


def send_all(jobs: Iterable[tuple[UUID, UUID]]) -> None:
    """The same for many, each with its organization."""
    for tenant, job in jobs:
        send(tenant, job)
