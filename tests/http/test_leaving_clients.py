"""A client that leaves while it is waited on: its statement stops, and its connection serves the next one."""

import asyncio
from urllib.parse import urlsplit

from tests.factories.locks import Held
from tests.factories.tenants import Tenant
from tests.factories.web import Web

BODY = b'{"query": "{ companies { nodes { id } } }"}'


async def test_a_client_that_leaves_stops_its_statement(held: Held, web: Web, tenant: Tenant) -> None:
    async with held("companies") as waits:
        writer = await _ask(web, tenant)
        await waits(1)
        writer.close()
        await waits(0)
    assert (await tenant.ask("{ companies { nodes { id } } }")) == {"companies": {"nodes": []}}


async def _ask(web: Web, tenant: Tenant) -> asyncio.StreamWriter:
    _, writer = await asyncio.open_connection("127.0.0.1", urlsplit(web.url).port)
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {tenant.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n"
    )
    writer.write(head.encode() + BODY)
    await writer.drain()
    return writer
