"""`python -m workers run | relay | schedule`: the processes that work without a client."""

import argparse
import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable

import dramatiq
import structlog
import uvloop
from dramatiq.asyncio import get_event_loop_thread
from redis.asyncio import Redis

from app.core.beat import Beat
from app.core.config import settings
from app.core.db import Database
from app.core.telemetry import configure
from app.identity import models as organizations
from workers import runner, schedule, scoring, system
from workers.broker import broker
from workers.relay import Relay

LOADED = (organizations, scoring, system)
"""What every process knows: the table that all tenant rows point at, and the rooms' actors."""

_log = structlog.get_logger(__name__)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m workers")
    parser.add_argument("command", choices=["run", "relay", "schedule"])
    command = parser.parse_args().command
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    configure(settings().log_level)
    _log.info("started", process=command)
    if command == "run":
        run()
    else:
        asyncio.run(_until_stopped(_relay if command == "relay" else _schedule))
    _log.info("stopped", process=command)


def run() -> None:
    """Runs jobs until told to stop; those under way get six seconds to finish, and are taken up again if not."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    runner.declare()
    worker = dramatiq.Worker(broker(), worker_threads=settings().worker_threads, worker_timeout=200)
    worker.start()
    beat = _beat()
    while not stop.wait(1):
        if _is_sound(worker):
            beat()
    worker.stop(timeout=6_000)


def _beat() -> Beat:
    return Beat(settings().beat_file, settings().frozen_after_seconds)


def _is_sound(worker: dramatiq.Worker) -> bool:
    """Whether every thread is alive, and the event loop that runs the jobs answers."""
    threads = [*worker.workers, *worker.consumers.values()]
    loop = get_event_loop_thread()
    if loop is None or not all(thread.is_alive() for thread in threads):
        return False
    answered = threading.Event()
    loop.loop.call_soon_threadsafe(answered.set)
    return answered.wait(5)


async def _schedule(database: Database, stop: asyncio.Event) -> None:
    await schedule.run(database, stop, _beat())


async def _relay(database: Database, stop: asyncio.Event) -> None:
    chosen = settings()
    redis = Redis.from_url(chosen.redis_url.get_secret_value(), socket_timeout=5, socket_connect_timeout=5)
    try:
        await Relay(database, redis, chosen.database_url.get_secret_value(), _beat()).run(stop)
    finally:
        await redis.aclose()


async def _until_stopped(process: Callable[[Database, asyncio.Event], Awaitable[None]]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with Database.open(settings().database_url.get_secret_value(), pool_size=5) as database:
        await process(database, stop)


if __name__ == "__main__":
    main()
