"""What one socket, and one asker's sockets, may take: messages, operations, streams, silence."""

import asyncio

import pytest

from app.core.config import Settings
from graph.core import websocket
from graph.server import BURST_SECONDS
from tests.factories.inside import serving
from tests.factories.sockets import SIGNALS, opened
from tests.factories.tenants import Tenant
from tests.factories.web import Web

WHO = "{ organization { id } }"


def socket_of(url: str) -> str:
    return f"ws{url.removeprefix('http')}/graphql"


async def test_a_socket_that_floods_is_closed(web: Web, tenant: Tenant) -> None:
    async with opened(web.socket_url, tenant.key) as socket:
        for _ in range(websocket._MESSAGES_AT_ONCE + 100):
            await socket.send({"type": "pong"})
        assert await socket.closed() == 1008


async def test_a_busy_socket_is_not_closed(web: Web, tenant: Tenant) -> None:
    async with opened(web.socket_url, tenant.key) as socket:
        for _ in range(websocket._MESSAGES_AT_ONCE // 2):
            await socket.send({"type": "ping"})
        for _ in range(websocket._MESSAGES_AT_ONCE // 2):
            assert await socket.receive() == {"type": "pong"}
        await socket.watch(WHO)
        assert (await socket.next())["data"]


async def test_an_asker_opens_so_many_sockets(chosen_settings: Settings, tenant: Tenant, other_tenant: Tenant) -> None:
    async with serving(chosen_settings, max_streams=2) as url:
        async with opened(socket_of(url), tenant.key), opened(socket_of(url), tenant.key):
            async with opened(socket_of(url)) as third:
                await third.send({"type": "connection_init", "payload": {"authorization": f"Bearer {tenant.key}"}})
                assert await third.closed() == 1013
            async with opened(socket_of(url), other_tenant.key) as other:
                await other.watch(WHO)
                assert (await other.next())["data"] == {"organization": {"id": other_tenant.public_id}}
        async with asyncio.timeout(5):
            while await refused(url, tenant.key):
                await asyncio.sleep(0.05)


async def refused(url: str, key: str) -> bool:
    async with opened(socket_of(url)) as socket:
        await socket.send({"type": "connection_init", "payload": {"authorization": f"Bearer {key}"}})
        try:
            return (await socket.receive())["type"] != "connection_ack"
        except Exception:
            return True


async def test_an_asker_watches_so_much(chosen_settings: Settings, tenant: Tenant) -> None:
    async with serving(chosen_settings, max_streams=1) as url, opened(socket_of(url), tenant.key) as socket:
        for number in range(2):
            await socket.watch(SIGNALS, id_=str(number))
        await socket.watch(SIGNALS, id_="one too many")
        assert await socket.refusal("one too many") == "RATE_LIMITED"
        await socket.send({"type": "complete", "id": "0"})
        await socket.watch(SIGNALS, id_="instead")
        await tenant.send({"type": "signup"})
        await socket.watch(WHO, id_="after")
        assert (await socket.next("after"))["data"], "the subscription instead was refused"


async def test_operations_on_sockets_are_requests(chosen_settings: Settings, tenant: Tenant) -> None:
    async with serving(chosen_settings, request_rate=1) as url, opened(socket_of(url), tenant.key) as socket:
        for _ in range(BURST_SECONDS):
            await socket.watch(WHO)
            assert (await socket.next())["data"]
            assert (await socket.receive())["type"] == "complete"
        await socket.watch(WHO)
        assert await socket.refusal() == "RATE_LIMITED"


async def test_a_silent_socket_is_given_up_unless_it_watches(
    chosen_settings: Settings, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "_IDLE_SECONDS", 0.3)
    async with serving(chosen_settings) as url, opened(socket_of(url), tenant.key) as watching:
        await watching.watch(SIGNALS)
        async with opened(socket_of(url), tenant.key) as silent:
            assert await silent.closed() == 1001
        await watching.watch(WHO, id_="2")
        assert (await watching.next("2"))["data"]
