"""The graphql-transport-ws protocol over a real socket, to the letter of its close codes."""

import asyncio
import signal
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from app.core.config import Settings
from tests.factories.sockets import SIGNALS, opened
from tests.factories.tenants import Tenant
from tests.factories.web import Web, running

SUBSCRIBE = {"id": "1", "type": "subscribe", "payload": {"query": SIGNALS}}
VIEWER = "{ viewer { permissions } }"


@pytest.mark.parametrize("name", ["authorization", "Authorization", "AUTHORIZATION"])
async def test_the_key_is_taken_in_either_letter_case(web: Web, tenant: Tenant, name: str) -> None:
    async with opened(web.socket_url) as socket:
        await socket.greet({name: f"Bearer {tenant.key}"})
        await socket.watch("{ organization { id } }")
        assert (await socket.next())["data"] == {"organization": {"id": tenant.public_id}}
        assert await socket.receive() == {"id": "1", "type": "complete"}


async def test_a_person_chooses_the_organization(web: Web, tenant: Tenant) -> None:
    async with opened(web.socket_url) as socket:
        said = {"authorization": f"Bearer {tenant.access_token}", "x-organization-id": tenant.public_id}
        await socket.greet(said)
        await socket.watch("{ viewer { role } }")
        assert (await socket.next())["data"] == {"viewer": {"role": "OWNER"}}


@pytest.mark.parametrize("key", ["Bearer dsk_nonsense", "Basic abc", "Bearer a.b.c"])
async def test_a_wrong_key_is_forbidden(web: Web, key: str) -> None:
    async with opened(web.socket_url) as socket:
        await socket.send({"type": "connection_init", "payload": {"authorization": key}})
        assert await socket.closed() == 4403


async def test_nobody_may_greet_but_sees_nothing(web: Web) -> None:
    async with opened(web.socket_url) as socket:
        await socket.greet()
        await socket.watch(VIEWER, id_="query")
        errors = (await socket.next("query"))["errors"]
        assert errors[0]["extensions"]["code"] == "UNAUTHENTICATED"
        assert await socket.receive() == {"id": "query", "type": "complete"}
        await socket.watch(SIGNALS)
        assert await socket.refusal() == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    "message",
    [
        *("[]", "null", "1", '"text"', "true", "{}", '{"type":1}', '{"type":null}', '{"type":"start"}', "", "{"),
        *(b"\x00\x01", b'{"type":"ping"}', "[" * 100_000, '{"type":"connection_init","payload":[]}'),
        '{"type":"connection_init","payload":"x"}',
    ],
    ids=lambda message: str(message)[:30],
)
async def test_what_is_no_message_closes_the_socket(web: Web, message: Any) -> None:
    async with opened(web.socket_url) as socket:
        await socket.send(message)
        assert await socket.closed() == 4400


@pytest.mark.parametrize(
    "message",
    [
        *({"type": "connection_terminate"}, {"type": "complete"}, {"type": "complete", "id": 1}),
        *({"type": "subscribe", "payload": {"query": SIGNALS}}, {"type": "subscribe", "id": "1"}),
        *(
            {"type": "subscribe", "id": "", "payload": {"query": SIGNALS}},
            {"type": "subscribe", "id": [], "payload": {}},
        ),
        {"type": "subscribe", "id": "1", "payload": {"query": 1}},
        {"type": "subscribe", "id": "1", "payload": {"query": SIGNALS, "variables": []}},
        {"type": "subscribe", "id": "1", "payload": {"query": SIGNALS, "operationName": {}}},
    ],
    ids=str,
)
async def test_what_is_no_message_closes_a_greeted_socket(web: Web, message: Any) -> None:
    async with opened(web.socket_url) as socket:
        await socket.greet()
        await socket.send(message)
        assert await socket.closed() == 4400


async def test_subscribing_before_the_greeting_is_unauthorized(web: Web) -> None:
    async with opened(web.socket_url) as socket:
        await socket.send(SUBSCRIBE)
        assert await socket.closed() == 4401


async def test_greeting_twice_is_too_much(web: Web) -> None:
    async with opened(web.socket_url) as socket:
        await socket.greet()
        await socket.send({"type": "connection_init"})
        assert await socket.closed() == 4429


async def test_an_id_in_use_is_a_conflict(web: Web, tenant: Tenant) -> None:
    async with opened(web.socket_url, tenant.key) as socket:
        await socket.watch(SIGNALS)
        await socket.watch(SIGNALS)
        assert await socket.closed() == 4409


async def test_an_id_may_be_used_again_once_its_operation_has_ended(web: Web, tenant: Tenant) -> None:
    async with opened(web.socket_url, tenant.key) as socket:
        for _ in range(3):
            await socket.watch(VIEWER)
            await socket.next()
            assert await socket.receive() == {"id": "1", "type": "complete"}


@pytest.mark.parametrize("protocols", [None, ["graphql-ws"]])
async def test_another_protocol_is_not_acceptable(web: Web, protocols: Any) -> None:
    async with connect(web.socket_url, subprotocols=protocols, compression=None) as connection:
        await connection.wait_closed()
        assert connection.close_code == 4406


async def test_a_greeting_that_does_not_come_in_time_closes_the_socket(web: Web) -> None:
    async with opened(web.socket_url) as socket:
        await socket.send({"type": "ping"})
        assert await socket.receive() == {"type": "pong"}
        assert await socket.closed(patience=15) == 4408


async def test_a_page_from_elsewhere_is_not_welcome(web: Web) -> None:
    for origin in ("https://evil.example", "null"):
        with pytest.raises(InvalidStatus):
            async with connect(web.socket_url, subprotocols=[Subprotocol("graphql-transport-ws")], origin=origin):  # type: ignore[arg-type]
                pass
    async with opened(web.socket_url, origin=web.url) as socket:
        await socket.greet()


async def test_ping_is_answered_at_any_time(web: Web) -> None:
    async with opened(web.socket_url) as socket:
        await socket.send({"type": "ping", "payload": {"any": "thing"}})
        assert (await socket.receive())["type"] == "pong"
        await socket.greet()
        await socket.send({"type": "pong"})
        await socket.send({"type": "ping"})
        assert (await socket.receive())["type"] == "pong"


async def test_a_document_that_does_not_fit_is_an_error_of_its_operation(web: Web, tenant: Tenant) -> None:
    async with opened(web.socket_url, tenant.key) as socket:
        for query in ("{", "{ nothing }", "subscription { signalReceived(filter: {x: 1}) { cursor } }"):
            await socket.watch(query)
            message = await socket.receive()
            assert message["type"] == "error" and message["payload"][0]["extensions"]["code"] == "BAD_REQUEST"
        await socket.send({"type": "ping"})
        assert (await socket.receive())["type"] == "pong"


async def test_completing_what_does_not_run_changes_nothing(web: Web) -> None:
    async with opened(web.socket_url) as socket:
        await socket.greet()
        await socket.send({"type": "complete", "id": "unknown"})
        await socket.send({"type": "ping"})
        assert (await socket.receive())["type"] == "pong"


async def test_a_message_that_is_too_big_closes_the_socket(web: Web) -> None:
    async with opened(web.socket_url) as socket:
        await socket.send({"type": "ping", "payload": "x" * 300_000})
        assert await socket.closed() == 1009


async def test_too_many_operations_are_refused_one_by_one(web: Web, tenant: Tenant) -> None:
    async with opened(web.socket_url, tenant.key) as socket:
        for number in range(101):
            await socket.watch(SIGNALS, id_=str(number))
        message = await socket.receive()
        assert (message["id"], message["type"]) == ("100", "error")
        assert message["payload"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"


async def test_a_stopping_server_asks_to_reconnect(chosen_settings: Settings, tenant: Tenant) -> None:
    async with running(chosen_settings) as web, opened(web.socket_url, tenant.key) as socket:
        await socket.watch(SIGNALS)
        await socket.send({"type": "ping"})
        assert (await socket.receive())["type"] == "pong"
        web.stop()
        async with asyncio.timeout(10):
            assert await socket.closed() == 1012
            assert await web.ended() in (0, -signal.SIGTERM)
        assert "Traceback" not in web.said(), web.said()
