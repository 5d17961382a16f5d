"""Worker processes with the tests' actor, started again when they die, and a relay that feeds them."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from redis.asyncio import Redis
from sqlalchemy import select

from app.core.config import Settings
from app.core.db import Database
from app.core.work import Reads, work
from app.crm.models import Company
from tests.factories.chores import jobs_of
from tests.faults import actors
from tests.faults.actors import Poked
from workers.relay import Relay

ROOT = Path(__file__).parents[2]
LEASE_SECONDS = 2


@dataclass
class Crew:
    """Some workers. `starts` counts the processes that were started, first ones and replacements."""

    database: Database
    folder: Path
    environment: dict[str, str]
    size: int
    starts: int = 0
    _running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def tend(self) -> None:
        """Starts one for each that is missing, at once."""
        self._running = [one for one in self._running if one.poll() is None]
        while len(self._running) < self.size:
            self.starts += 1
            command = [sys.executable, "-m", "tests.faults.actors", "run"]
            with (self.folder / "log").open("ab") as log:
                self._running.append(subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=log, stderr=log))

    def end(self) -> None:
        for one in self._running:
            one.kill()
            one.wait()

    def said(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def frozen(self) -> list[int]:
        """The processes that are stopped."""
        return [one.pid for one in self._running if _state(one.pid) == "T"]

    def to_freeze(self, where: str) -> None:
        """The next worker that comes to this place will freeze there."""
        (self.folder / where).touch()

    async def poke(self, room: UUID, what: str, *effects: str) -> None:
        async with work(self.database, room) as unit:
            unit.emit(*(Poked(what=what, effect=effect) for effect in effects))

    async def effects(self, room: UUID) -> list[str]:
        """The effects that are stored; one that was had twice is here twice."""
        async with Reads(self.database, room) as reads:
            return sorted(row.name for row in await reads.rows(select(Company.name)))

    async def jobs(self, room: UUID) -> list[Any]:
        return await jobs_of(self.database, room, actors.TYPE)

    async def until(self, condition: Callable[[], Awaitable[Any]], seconds: float) -> float:
        """Waits for the condition, tending the workers; how long it took."""
        started = time.monotonic()
        while not await condition():
            assert time.monotonic() - started < seconds, f"it took too long:\n{self.said()[-6_000:]}"
            self.tend()
            await asyncio.sleep(0.02)
        return time.monotonic() - started


@asynccontextmanager
async def crew_of(size: int, database: Database, settings: Settings, folder: Path) -> AsyncIterator[Crew]:
    """Workers that are ready, and a relay beside them."""
    url = settings.database_url.get_secret_value()
    environment = os.environ | {
        "DATABASE_URL": url,
        "REDIS_URL": settings.redis_url.get_secret_value(),
        "DEVSIGNAL_JOB_LEASE_SECONDS": str(LEASE_SECONDS),
        actors.FOLDER: str(folder),
    }
    crew = Crew(database, folder, environment, size)
    redis, stop = Redis.from_url(settings.redis_url.get_secret_value()), asyncio.Event()
    await redis.flushdb()
    relaying = asyncio.create_task(Relay(database, redis, url).run(stop))
    try:
        crew.tend()
        await crew.until(lambda: _have_started(crew), 60)
        yield crew
    finally:
        crew.end()
        stop.set()
        await relaying
        await redis.aclose()


async def _have_started(crew: Crew) -> bool:
    return crew.said().count('"event": "started"') >= crew.size


def go_on(pid: int) -> None:
    os.kill(pid, signal.SIGCONT)


def _state(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return ""
