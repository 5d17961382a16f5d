"""What the suites of the two protocols look at from outside: PostgreSQL's locks and Valkey's readers."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import asyncpg
import pytest

from app.core.config import Settings
from app.core.db import driver_url
from tests.factories.work import Backstage

WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND application_name = 'devsignal'
"""

Waits = Callable[[int], Awaitable[None]]
Held = Callable[[str], AbstractAsyncContextManager[Waits]]
Followers = Callable[[], Awaitable[int]]


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 8) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.02)


@pytest.fixture
def held(chosen_settings: Settings) -> Held:
    """Holds a table while the block runs, so that what asks for it waits; it gets a way to wait for so many who do."""
    name = chosen_settings.database_url.get_secret_value().rsplit("/", 1)[1]
    owner_url = driver_url(os.environ["DATABASE_MIGRATION_URL"].rsplit("/", 1)[0] + f"/{name}")

    @asynccontextmanager
    async def holding(table: str) -> AsyncIterator[Waits]:
        owner, watcher = await asyncpg.connect(owner_url), await asyncpg.connect(owner_url)

        async def waits(count: int) -> None:
            async def so_many() -> bool:
                found: int = await watcher.fetchval(WAITING)
                return found == count

            await until(so_many, 4)  # the server's own limit would stop the statement after five seconds

        try:
            async with owner.transaction():
                await owner.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
                yield waits
        finally:
            await owner.close()
            await watcher.close()

    return holding


@pytest.fixture
async def followers(backstage: Backstage) -> Followers:
    """How many streams the processes of these tests follow; none does when the test begins."""
    number = str(backstage.redis.connection_pool.connection_kwargs["db"])

    async def count() -> int:
        clients: list[dict[str, Any]] = await backstage.redis.client_list()
        return sum(1 for client in clients if client["db"] == number and "b" in client["flags"])

    async def nobody() -> bool:
        return await count() == 0

    await until(nobody)
    return count
