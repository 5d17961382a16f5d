"""The schedule: a job of the installation for each time that comes. Any number of schedules may run; a job is
named by its time, so that it is added once."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

import structlog
from cronsim import CronSim
from sqlalchemy.exc import SQLAlchemyError

from app.core import jobs
from app.core.clock import now
from app.core.db import Database
from app.core.tenancy import SYSTEM
from app.core.work import work
from workers.actors import SCHEDULES
from workers.broker import send

_log = structlog.get_logger(__name__)


async def run(database: Database, stop: asyncio.Event) -> None:
    """Adds each job when its time comes, until told to stop. The heartbeat is also added at the start."""
    due = {type_: now() for type_ in SCHEDULES if type_ == "system.heartbeat"}
    due |= {type_: _next(type_, now()) for type_ in SCHEDULES if type_ not in due}
    while not stop.is_set():
        for type_, moment in list(due.items()):
            if moment <= now():
                try:
                    await _add(database, type_, moment)
                    due[type_] = _next(type_, now())
                except (SQLAlchemyError, OSError) as error:
                    _log.warning("schedule.trouble", type=type_, error=str(error))
        await _wait(stop, due)


async def _add(database: Database, type_: str, moment: datetime) -> None:
    async with work(database, SYSTEM) as unit:
        job = await jobs.queue(unit, type_, moment.isoformat(timespec="minutes"), "{}")
    if job is not None:
        await asyncio.to_thread(send, SYSTEM, job)


def _next(type_: str, after: datetime) -> datetime:
    upcoming: datetime = next(CronSim(SCHEDULES[type_].cron, after.astimezone(UTC)))
    return upcoming


async def _wait(stop: asyncio.Event, due: Mapping[str, datetime]) -> None:
    seconds = (min(due.values()) - now()).total_seconds()
    try:
        async with asyncio.timeout(min(max(seconds, 0.1), 5)):
            await stop.wait()
    except TimeoutError:
        return
