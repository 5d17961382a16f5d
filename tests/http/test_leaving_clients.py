"""A client that leaves while it is waited on: its statement stops, and its connection serves the next one."""

import asyncio
import os
from urllib.parse import urlsplit

import asyncpg

from app.core.config import Settings
from app.core.db import driver_url
from tests.factories.tenants import Tenant
from tests.factories.web import Web

BODY = b'{"query": "{ companies { nodes { id } } }"}'
WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%FROM companies%'
"""


async def test_a_client_that_leaves_stops_its_statement(chosen_settings: Settings, web: Web, tenant: Tenant) -> None:
    owner = await asyncpg.connect(_owner(chosen_settings))
    watcher = await asyncpg.connect(_owner(chosen_settings))
    try:
        async with owner.transaction():
            await owner.execute("LOCK TABLE companies IN ACCESS EXCLUSIVE MODE")
            writer = await _ask(web, tenant)
            await _until(watcher, waiting=1)
            writer.close()
            await _until(watcher, waiting=0)
        assert (await tenant.ask("{ companies { nodes { id } } }")) == {"companies": {"nodes": []}}
    finally:
        await owner.close()
        await watcher.close()


def _owner(settings: Settings) -> str:
    """The superuser's address of this worker's database."""
    name = settings.database_url.get_secret_value().rsplit("/", 1)[1]
    return driver_url(os.environ["DATABASE_MIGRATION_URL"].rsplit("/", 1)[0] + f"/{name}")


async def _ask(web: Web, tenant: Tenant) -> asyncio.StreamWriter:
    _, writer = await asyncio.open_connection("127.0.0.1", urlsplit(web.url).port)
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {tenant.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n"
    )
    writer.write(head.encode() + BODY)
    await writer.drain()
    return writer


async def _until(watcher: asyncpg.Connection, *, waiting: int) -> None:
    async with asyncio.timeout(4):  # the server's own limit would stop the statement after five seconds
        while await watcher.fetchval(WAITING) != waiting:
            await asyncio.sleep(0.02)
