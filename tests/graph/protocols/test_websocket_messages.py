"""graphql-transport-ws, what a message is: what closes the socket and with which code, and Ping and Pong."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.factories.sockets import PROTOCOL, SIGNALS, Socket, opened
from tests.factories.tenants import Tenant
from tests.factories.web import Web

CREATE = 'mutation { companyCreate(input: {name: "A"}) { created } }'
NAME = "{ a }"
SUBSCRIBE = {"id": "1", "type": "subscribe", "payload": {"query": NAME}}
NO_TEXTS: list[Any] = [None, 1, True, [], {}, ["a"]]
NO_OBJECTS: list[Any] = [[], "{}", 1, True]
DEEP = '{"type":"ping","payload":' + '{"a":' * 40_000 + "1" + "}" * 40_001


@asynccontextmanager
async def plain(web: Web) -> AsyncIterator[tuple[ClientConnection, Socket]]:
    """A socket, and the connection under it, which sends anything."""
    async with connect(web.socket_url, subprotocols=[PROTOCOL], compression=None) as connection:
        yield connection, Socket(connection)


async def answers(socket: Socket) -> bool:
    """Whether the socket is alive and nothing else is on its way: the next message is the answer to a ping."""
    await socket.send({"type": "ping"})
    return (await socket.receive()) == {"type": "pong"}


# Invalid messages: 4400, at once


@pytest.mark.parametrize(
    "message",
    [
        *("[]", "null", "1", '"text"', "true", "{}", '{"type":1}', '{"type":null}', '{"type":["ping"]}'),
        *('{"type":"start"}', '{"type":"PING"}', '{"type":""}', "", " ", "{", "[" * 100_000, DEEP),
        *('{"type":"ping"} x', '{"type":"ping"}{"type":"ping"}', '{"type":"ping","payload":{"a":NaN}}', "\x00"),
        *('{"type":"ping","payload":{"a":"\\ud800"}}', '\ufeff{"type":"ping"}', '{"type":"ping","a":"\x01"}'),
        *('{"type":"connection_ack"}', '{"type":"next","id":"1","payload":{}}', '{"type":"error","id":"1"}'),
    ],
    ids=lambda message: repr(message)[:40],
)
async def test_what_is_no_message_closes_the_socket(web: Web, message: str) -> None:
    async with opened(web.socket_url) as socket:
        await socket.send(message)
        assert await socket.closed() == 4400


@pytest.mark.parametrize("frame", [b"\x00\x01", b'{"type":"ping"}', b""], ids=repr)
async def test_a_binary_frame_closes_the_socket(web: Web, frame: bytes) -> None:
    async with opened(web.socket_url) as socket:
        await socket.send(frame)
        assert await socket.closed() == 4400


@pytest.mark.parametrize(
    "message",
    [
        *({"type": "connection_terminate"}, {"type": "connection_ack"}, {"type": "start", "id": "1", "payload": {}}),
        *({k: v for k, v in SUBSCRIBE.items() if k != left_out} for left_out in ("id", "payload", "type")),
        *({"type": "complete"}, *({"type": "complete", "id": id_} for id_ in NO_TEXTS)),
        *(SUBSCRIBE | {"id": id_} for id_ in (*NO_TEXTS, "")),
        *(SUBSCRIBE | {"payload": payload} for payload in (*NO_OBJECTS, None, {})),
        *(SUBSCRIBE | {"payload": {"query": query}} for query in NO_TEXTS),
        *(SUBSCRIBE | {"payload": {"query": NAME, "variables": value}} for value in NO_OBJECTS),
        *(SUBSCRIBE | {"payload": {"query": NAME, "extensions": value}} for value in NO_OBJECTS),
        *(SUBSCRIBE | {"payload": {"query": NAME, "operationName": value}} for value in NO_TEXTS if value is not None),
        *({"type": kind, "payload": value} for kind in ("ping", "pong") for value in NO_OBJECTS),
    ],
    ids=str,
)
async def test_what_is_no_message_closes_a_greeted_socket(web: Web, message: Any) -> None:
    async with opened(web.socket_url) as socket:
        await socket.greet()
        await socket.send(message)
        assert await socket.closed() == 4400


async def test_nothing_after_an_invalid_message_is_taken(web: Web, tenant: Tenant) -> None:
    async with opened(web.socket_url, tenant.key) as socket:
        await socket.send("[]")
        await socket.watch(CREATE)
        assert await socket.closed() == 4400
    assert (await tenant.ask("{ companies { totalCount } }"))["companies"]["totalCount"] == 0


async def test_an_invalid_message_says_what_is_wrong(web: Web) -> None:
    async with plain(web) as (connection, socket):
        await socket.send("[]")
        await connection.wait_closed()
        assert connection.close_code == 4400 and connection.close_reason


# Below the protocol: UTF-8, sizes, fragments


@pytest.mark.parametrize("text", [b"\xff\xfe", b'{"type":"ping","a":"\xc3"}', b"\xed\xa0\x80", b'"\xf4\x90\x80\x80"'])
async def test_text_that_is_no_utf8_is_1007(web: Web, text: bytes) -> None:
    async with plain(web) as (connection, socket):
        await connection.send(text, text=True)
        assert await socket.closed() == 1007


async def test_a_message_that_is_too_big_is_1009(web: Web) -> None:
    async with opened(web.socket_url) as socket:
        await socket.send({"type": "ping", "payload": {"a": "x" * 300_000}})
        assert await socket.closed() == 1009


async def test_a_message_that_is_too_big_in_fragments_is_1009(web: Web) -> None:
    async with plain(web) as (connection, socket):
        await connection.send(['{"type":"ping","payload":{"a":"', *["x" * 52_000] * 5, "x" * 4_000])
        assert await socket.closed() == 1009


async def test_a_large_message_below_the_limit_is_taken(web: Web) -> None:
    async with opened(web.socket_url) as socket:
        await socket.send({"type": "ping", "payload": {"a": "x" * 250_000}})
        assert (await socket.receive())["type"] == "pong"


async def test_a_message_in_fragments_is_read_as_one(web: Web) -> None:
    async with plain(web) as (connection, socket):
        await connection.send(["{", '"type"', ":", '"connection_init"', "}"])
        assert await socket.receive() == {"type": "connection_ack"}


async def test_a_control_frame_is_answered_below_the_protocol(web: Web) -> None:
    async with plain(web) as (connection, socket):
        assert await (await connection.ping(b"beat")) >= 0
        await socket.greet()


async def test_fields_that_the_protocol_does_not_know_are_left_aside(web: Web) -> None:
    async with opened(web.socket_url) as socket:
        await socket.send({"type": "ping", "id": 7, "other": [None]})
        assert (await socket.receive())["type"] == "pong"


# Ping and Pong


@pytest.mark.parametrize("payload", [None, {}, {"any": "thing"}, {"deep": {"er": [1]}}], ids=str)
async def test_a_ping_is_answered_before_and_after_the_greeting(web: Web, payload: Any) -> None:
    async with opened(web.socket_url) as socket:
        for greet in (True, False):
            await socket.send({"type": "ping", "payload": payload})
            pong = await socket.receive()
            assert pong["type"] == "pong" and set(pong) <= {"type", "payload"}
            assert pong.get("payload") in (None, payload)
            if greet:
                await socket.greet()


async def test_every_ping_is_answered(web: Web) -> None:
    async with opened(web.socket_url) as socket:
        for _ in range(20):
            await socket.send({"type": "ping"})
        assert [await socket.receive() for _ in range(20)] == [{"type": "pong"}] * 20
        await socket.greet()


async def test_a_pong_may_come_unasked_and_is_not_answered(web: Web) -> None:
    async with opened(web.socket_url) as socket:
        await socket.send({"type": "pong"})
        await socket.greet()
        for payload in ({}, {"beat": 1}, None):
            await socket.send({"type": "pong", "payload": payload})
        assert await answers(socket)


async def test_a_ping_is_answered_while_an_operation_runs(web: Web, tenant: Tenant) -> None:
    async with opened(web.socket_url, tenant.key) as socket:
        await socket.watch(SIGNALS)
        assert await answers(socket)
