"""Connections are counted by address, and those that nobody reads or leaves are ended."""

import asyncio
from urllib.parse import urlsplit

import pytest

from app.core.config import Settings
from graph import connections
from tests.factories.inside import serving
from tests.factories.tenants import Tenant

PROBE = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connected(url: str, **options: int) -> Pair:
    return await asyncio.open_connection("127.0.0.1", urlsplit(url).port, **options)


async def status(pair: Pair, request: bytes = PROBE) -> int:
    pair[1].write(request)
    async with asyncio.timeout(5):
        head = await pair[0].readuntil(b"\r\n\r\n")
        await pair[0].readexactly(int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]))
    return int(head.split(maxsplit=2)[1])


async def test_an_address_opens_so_many_connections(chosen_settings: Settings) -> None:
    async with serving(chosen_settings, max_address_connections=3) as url:
        pairs = [await connected(url) for _ in range(3)]
        assert [await status(pair) for pair in pairs] == [200] * 3
        reader, writer = await connected(url)
        said = await asyncio.wait_for(reader.read(), 5)
        assert said.startswith(b"HTTP/1.1 503 ") and b"Retry-After: 5\r\n" in said
        assert said.partition(b"\r\n\r\n")[2] == b'{"status":503,"detail":"too many connections are open"}'
        writer.close()
        for pair in pairs:
            pair[1].close()
        async with asyncio.timeout(5):
            while not await served(url):
                await asyncio.sleep(0.05)


async def served(url: str) -> bool:
    pair = await connected(url)
    answer = await status(pair)
    pair[1].close()
    return answer == 200


async def test_a_trusted_proxy_opens_as_many_as_it_needs(chosen_settings: Settings) -> None:
    changes = {"max_address_connections": 1, "trusted_proxies": "127.0.0.1", "max_connections": 4}
    async with serving(chosen_settings, **changes) as url:
        pairs = [await connected(url) for _ in range(4)]
        assert [await status(pair) for pair in pairs] == [200] * 4
        fifth = await connected(url)
        assert await status(fifth) == 503, "there is a limit for all together"
        for pair in (*pairs, fifth):
            pair[1].close()


async def test_who_never_reads_the_answers_is_cut_off(
    chosen_settings: Settings, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "SWEEP_SECONDS", 0.05)
    body = b'{"query":"{ __schema { types { name description fields { name description } } } }"}'
    head = f"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    async with serving(chosen_settings) as url:
        _, writer = await connected(url, limit=1_024)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        patient = await connected(url)
        for _ in range(200):
            writer.write(head.encode() + body)
        async with asyncio.timeout(30):
            while not writer.is_closing():
                assert await status(patient) == 200
                writer.write(b"x")
                await asyncio.sleep(0.2)
        assert await status(patient) == 200, "who reads is kept"
        patient[1].close()
