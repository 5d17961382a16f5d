"""A table that is held, so that whoever asks for it waits."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import asyncpg

from app.core.config import Settings
from app.core.db import driver_url

WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND application_name = 'devsignal'
"""

Waits = Callable[[int], Awaitable[None]]
Held = Callable[[str], AbstractAsyncContextManager[Waits]]


@asynccontextmanager
async def holding(settings: Settings, table: str) -> AsyncIterator[Waits]:
    """Holds the table while the block runs; it gets a way to wait until so many statements wait."""
    name = settings.database_url.get_secret_value().rsplit("/", 1)[1]
    owner_url = driver_url(os.environ["DATABASE_MIGRATION_URL"].rsplit("/", 1)[0] + f"/{name}")
    owner, watcher = await asyncpg.connect(owner_url), await asyncpg.connect(owner_url)

    async def waits(count: int) -> None:
        async with asyncio.timeout(4):  # the server's own limit would stop the statement after five seconds
            while await watcher.fetchval(WAITING) != count:
                await asyncio.sleep(0.02)

    try:
        async with owner.transaction():
            await owner.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            yield waits
    finally:
        await owner.close()
        await watcher.close()
