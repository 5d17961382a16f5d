"""The schedule: a job of the installation for each time that comes, by the database's clock. Any number of schedules
may run; a job is named by its time, so that it is added once. The relay tells the workers of it."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import structlog
from cronsim import CronSim

from app.core import jobs
from app.core.beat import no_beat
from app.core.db import Database
from app.core.tenancy import SYSTEM
from app.core.work import work
from workers.actors import SCHEDULES
from workers.trouble import STEP_SECONDS, TROUBLE

LONGEST_PAUSE_SECONDS = 5.0
_AT_THE_START = ("system.heartbeat",)
_log = structlog.get_logger(__name__)


async def run(database: Database, stop: asyncio.Event, beat: Callable[[], None] = no_beat) -> None:
    """Adds each job when its time comes, until told to stop. The heartbeat is also added at the start."""
    due: dict[str, datetime] = {}
    while not stop.is_set():
        pause = LONGEST_PAUSE_SECONDS
        try:
            async with asyncio.timeout(STEP_SECONDS):
                pause = await _turn(database, due)
        except TROUBLE as error:
            _log.warning("schedule.trouble", error=str(error))
        beat()
        await _wait(stop, pause)


async def _turn(database: Database, due: dict[str, datetime]) -> float:
    """Adds the jobs whose time has come; the seconds until the next one."""
    async with work(database, SYSTEM) as unit:
        at = unit.at
        for type_ in SCHEDULES.keys() - due.keys():
            due[type_] = at if type_ in _AT_THE_START else _next(type_, at)
        come = {type_: moment.astimezone(UTC) for type_, moment in due.items() if moment <= at}
        for type_, moment in come.items():
            await jobs.queue(unit, type_, moment.isoformat(timespec="minutes"), "{}")
    due |= {type_: _next(type_, at) for type_ in come}
    return (min(due.values()) - at).total_seconds()


def _next(type_: str, after: datetime) -> datetime:
    upcoming: datetime = next(CronSim(SCHEDULES[type_].cron, after.astimezone(UTC)))
    return upcoming


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(min(max(seconds, 0.1), LONGEST_PAUSE_SECONDS)):
            await stop.wait()
    except TimeoutError:
        return
