"""graphql-transport-ws, how operations run: Subscribe, Next, Error, Complete, and the ids that hold them together."""

import asyncio
import signal
from typing import Any

import pytest
from websockets.asyncio.client import connect

from app.core.config import Settings
from tests.factories.locks import Held
from tests.factories.sockets import PROTOCOL, SIGNALS, Socket, opened
from tests.factories.tenants import Tenant
from tests.factories.web import Web, running
from tests.factories.work import Backstage
from tests.graph.protocols.conftest import Followers, until

COMPANIES = "{ companies { nodes { id } } }"
CONTACTS = "{ companies { nodes { contacts(first: 5) { nodes { id } } } } }"
CREATE = "mutation ($name: String!) { companyCreate(input: {name: $name}) { created } }"
NAME = "{ __typename }"
VIEWER = "{ viewer { permissions } }"
COUNT = "{ companies { totalCount } }"


async def silent(socket: Socket) -> bool:
    """Whether nothing else is on its way: the next message is the answer to a ping."""
    await socket.send({"type": "ping"})
    return (await socket.receive()) == {"type": "pong"}


async def code(socket: Socket, id_: str = "1") -> str:
    """The code of the Error message that ends the operation."""
    message = await socket.receive()
    assert (message["id"], message["type"]) == (id_, "error"), message
    first: dict[str, Any] = message["payload"][0]
    assert first["message"] and set(message) == {"id", "type", "payload"}
    extensions: dict[str, str] = first["extensions"]
    return extensions["code"]


# One result: queries and mutations


async def test_a_query_has_one_next_and_one_complete(web: Web, tenant: Tenant) -> None:
    async with opened(web.socket_url, tenant.key) as socket:
        await socket.watch(NAME)
        message = await socket.receive()
        assert set(message) == {"id", "type", "payload"} and message["payload"]["data"] == {"__typename": "Query"}
        assert await socket.receive() == {"id": "1", "type": "complete"}
        assert await silent(socket)


async def test_a_mutation_runs_once_and_is_answered_once(web: Web, tenant: Tenant) -> None:
    async with opened(web.socket_url, tenant.key) as socket:
        await socket.watch(CREATE, {"name": "A"})
        assert (await socket.next())["data"] == {"companyCreate": {"created": True}}
        assert await socket.receive() == {"id": "1", "type": "complete"}
        assert await silent(socket)
    assert (await tenant.ask(COUNT))["companies"]["totalCount"] == 1


async def test_what_may_be_left_out_may_be_null(web: Web) -> None:
    async with opened(web.socket_url) as socket:
        await socket.greet()
        payload = {"query": NAME, "variables": None, "operationName": None, "extensions": None}
        for one in (payload, {"query": NAME, "variables": {}, "extensions": {"any": 1}}):
            await socket.send({"id": "1", "type": "subscribe", "payload": one})
            assert (await socket.next())["data"] == {"__typename": "Query"}
            assert (await socket.receive())["type"] == "complete"


async def test_the_operation_is_chosen_by_name(web: Web) -> None:
    async with opened(web.socket_url) as socket:
        await socket.greet()
        query = "query A { a: __typename } query B { b: __typename }"
        await socket.send({"id": "1", "type": "subscribe", "payload": {"query": query, "operationName": "B"}})
        assert (await socket.next())["data"] == {"b": "Query"}
        assert (await socket.receive())["type"] == "complete"
        for name in (None, "C"):
            await socket.send({"id": "1", "type": "subscribe", "payload": {"query": query, "operationName": name}})
            assert await code(socket) == "BAD_REQUEST"


# Errors


@pytest.mark.parametrize(
    "query", ["", "{", "{ nothing }", "subscription { signalReceived(filter: {x: 1}) { cursor } }", "{ a\x00 }", "é"]
)
async def test_a_document_that_does_not_fit_is_an_error_of_its_operation(web: Web, tenant: Tenant, query: str) -> None:
    async with opened(web.socket_url, tenant.key) as socket:
        await socket.watch(query)
        assert await code(socket) == "BAD_REQUEST"
        assert await silent(socket), "no Complete comes after an Error"


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("query ($id: ID!) { company(id: $id) { id } }", {}),
        ("query ($id: ID!) { company(id: $id) { id } }", {"id": [1]}),
        ("query ($id: ID!) { company(id: $id) { id } }", {"id": "\x00"}),
        ("subscription ($after: String) { signalReceived(after: $after) { cursor } }", {"after": 1}),
    ],
)
async def test_variables_that_do_not_fit_are_an_error_of_their_operation(
    web: Web, tenant: Tenant, query: str, variables: Any
) -> None:
    async with opened(web.socket_url, tenant.key) as socket:
        await socket.watch(query, variables)
        assert await code(socket) == "BAD_REQUEST"
        assert await silent(socket)


async def test_an_error_of_a_field_is_part_of_a_result(web: Web) -> None:
    async with opened(web.socket_url) as socket:
        await socket.greet()
        await socket.watch(VIEWER)
        answer = await socket.next()
        assert answer["errors"][0]["path"] == ["viewer"]
        assert await socket.receive() == {"id": "1", "type": "complete"}


async def test_a_feed_that_cannot_start_ends_once(web: Web, tenant: Tenant) -> None:
    async with opened(web.socket_url, tenant.key) as socket:
        await socket.watch(SIGNALS, {"after": "nonsense"})
        assert await socket.refusal() == "CURSOR_INVALID"
        assert await silent(socket), "nothing comes after the end"


async def test_variables_too_deep_to_read_are_an_error_of_their_operation(web: Web, tenant: Tenant) -> None:
    deep = '{"a":' * 900 + "1" + "}" * 900
    async with opened(web.socket_url, tenant.key) as socket:
        payload = f'{{"query":"{NAME}","variables":{deep}}}'
        await socket.send(f'{{"id":"1","type":"subscribe","payload":{payload}}}')
        assert (await socket.receive())["type"] in ("next", "error")
        await socket.watch(NAME, id_="2")
        while (await socket.receive()) != {"id": "2", "type": "complete"}:
            pass


# Ids


@pytest.mark.parametrize("id_", ["é ü", "__proto__", "a\nb", "\x00", "x" * 1_000, '{"id":"1"}', "1.0"], ids=repr)
async def test_an_id_is_any_text(web: Web, id_: str) -> None:
    async with opened(web.socket_url) as socket:
        await socket.greet()
        await socket.watch(NAME, id_=id_)
        await socket.next(id_)
        assert await socket.receive() == {"id": id_, "type": "complete"}


@pytest.mark.parametrize("query", [SIGNALS, NAME, CREATE, "{"], ids=["subscription", "query", "mutation", "nonsense"])
async def test_an_id_in_use_is_a_conflict_whatever_asks_for_it(web: Web, tenant: Tenant, query: str) -> None:
    async with opened(web.socket_url, tenant.key) as socket:
        await socket.watch(SIGNALS)
        await socket.watch(query, {"name": "A"})
        assert await socket.closed() == 4409
    assert (await tenant.ask(COUNT))["companies"]["totalCount"] == 0


@pytest.mark.parametrize("id_", ["1", "é" * 100, "🦊" * 500, "x" * 5_000], ids=lambda id_: id_[0])
async def test_the_conflict_names_the_id_as_far_as_there_is_room(web: Web, tenant: Tenant, id_: str) -> None:
    async with connect(web.socket_url, subprotocols=[PROTOCOL], compression=None) as connection:
        socket = Socket(connection)
        await socket.greet({"authorization": f"Bearer {tenant.key}"})
        for _ in range(2):
            await socket.watch(SIGNALS, id_=id_)
        assert await socket.closed() == 4409
        assert (connection.close_reason or "").startswith(f"Subscriber for {id_[0]}")


async def test_an_id_may_be_used_again_once_its_operation_has_ended(web: Web, tenant: Tenant) -> None:
    async with opened(web.socket_url, tenant.key) as socket:
        for query in (VIEWER, "{", VIEWER, "{ nothing }"):
            await socket.watch(query)
            message = await socket.receive()
            if query == VIEWER:
                assert message["type"] == "next" and (await socket.receive()) == {"id": "1", "type": "complete"}
            else:
                assert message["type"] == "error"


async def test_an_id_may_be_used_again_as_soon_as_the_client_completed(web: Web, tenant: Tenant) -> None:
    async with opened(web.socket_url, tenant.key) as socket:
        for _ in range(10):
            await socket.watch(SIGNALS)
            await socket.send({"id": "1", "type": "complete"})
        await socket.watch(NAME)
        assert (await socket.next())["data"] == {"__typename": "Query"}
        assert await socket.receive() == {"id": "1", "type": "complete"}


async def test_ids_are_of_their_socket(web: Web, tenant: Tenant, backstage: Backstage) -> None:
    async with opened(web.socket_url, tenant.key) as one, opened(web.socket_url, tenant.key) as other:
        for socket in (one, other):
            await socket.watch(SIGNALS, {"after": "0"})
        await one.send({"id": "1", "type": "complete"})
        assert await silent(one)
        await tenant.send({"type": "visit"})
        await backstage.settle(tenant.id)
        assert [type_ for _, type_ in await other.signals(1)] == ["visit"]
        assert await silent(one)


# Several at once


async def test_operations_run_side_by_side(web: Web, tenant: Tenant, backstage: Backstage, held: Held) -> None:
    async with opened(web.socket_url, tenant.key) as socket:
        await socket.watch(SIGNALS, {"after": "0"}, id_="feed")
        async with held("companies") as waits:
            await socket.watch(COMPANIES, id_="slow")
            await waits(1)
            await socket.watch("{ organization { id } }", id_="quick")
            assert [(await socket.receive())["id"] for _ in range(2)] == ["quick"] * 2
        assert [(await socket.receive())["id"] for _ in range(2)] == ["slow"] * 2
        await tenant.send({"type": "visit"})
        await backstage.settle(tenant.id)
        assert (await socket.next("feed"))["data"]["signalReceived"]["signal"]["type"] == "visit"


async def test_each_of_many_operations_is_answered_and_completed_once(web: Web, tenant: Tenant) -> None:
    ids = [str(number) for number in range(50)]
    async with opened(web.socket_url, tenant.key) as socket:
        for id_ in ids:
            await socket.watch(COUNT, id_=id_)
        messages = [await socket.receive() for _ in range(2 * len(ids))]
        assert await silent(socket)
    for id_ in ids:
        assert [message["type"] for message in messages if message["id"] == id_] == ["next", "complete"]


async def test_too_many_operations_are_refused_one_by_one(web: Web, tenant: Tenant) -> None:
    async with opened(web.socket_url, tenant.key) as socket:
        for number in range(101):
            await socket.watch(SIGNALS, id_=str(number))
        message = await socket.receive()
        assert (message["id"], message["type"]) == ("100", "error")
        assert message["payload"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"


# Complete


async def test_completing_is_not_answered(web: Web, tenant: Tenant) -> None:
    async with opened(web.socket_url, tenant.key) as socket:
        await socket.watch(SIGNALS)
        await socket.send({"id": "1", "type": "complete"})
        assert await silent(socket)


@pytest.mark.parametrize("query", [NAME, "{"], ids=["completed", "failed"])
async def test_completing_what_has_ended_or_never_ran_changes_nothing(web: Web, query: str) -> None:
    async with opened(web.socket_url) as socket:
        await socket.greet()
        await socket.watch(query)
        while (await socket.receive())["type"] == "next":
            pass
        for id_ in ("1", "1", "unknown"):
            await socket.send({"type": "complete", "id": id_})
        assert await silent(socket)


async def test_completing_a_query_keeps_its_result_back(web: Web, tenant: Tenant, held: Held) -> None:
    async with opened(web.socket_url, tenant.key) as socket:
        async with held("companies") as waits:
            await socket.watch(COMPANIES)
            await waits(1)
            await socket.send({"id": "1", "type": "complete"})
            await waits(0)
        assert await silent(socket)


@pytest.mark.parametrize("query", [COMPANIES, CONTACTS], ids=["a list", "a relation"])
async def test_queries_that_are_completed_early_leave_the_server_its_connections(
    web: Web, tenant: Tenant, held: Held, query: str
) -> None:
    await tenant.ask(CREATE, {"name": "A"})
    table = "companies" if query == COMPANIES else "contacts"
    async with opened(web.socket_url, tenant.key) as socket:
        for _ in range(8):  # the server has five
            async with held(table) as waits:
                await socket.watch(query)
                await waits(1)
                await socket.send({"id": "1", "type": "complete"})
                await waits(0)
        await socket.watch(query)
        assert (await socket.next())["data"]["companies"]
        assert await socket.receive() == {"id": "1", "type": "complete"}


async def test_completing_ends_what_follows_the_stream(web: Web, tenant: Tenant, followers: Followers) -> None:
    async with opened(web.socket_url, tenant.key) as socket:
        await socket.watch(SIGNALS)
        await until(lambda: _are(followers, 1))
        await socket.send({"id": "1", "type": "complete"})
        await until(lambda: _are(followers, 0))
        await socket.watch(SIGNALS)
        await until(lambda: _are(followers, 1))
    await until(lambda: _are(followers, 0))


async def test_completing_at_any_moment_of_the_beginning_leaves_nobody_following(
    web: Web, tenant: Tenant, followers: Followers
) -> None:
    async with opened(web.socket_url, tenant.key) as socket:
        for moment in range(60):
            await socket.watch(SIGNALS)
            for _ in range(moment % 6):
                assert await silent(socket)
            await socket.send({"id": "1", "type": "complete"})
        assert await silent(socket)
        await until(lambda: _are(followers, 0))


async def _are(followers: Followers, count: int) -> bool:
    return await followers() == count


# The end of the socket


async def test_a_client_that_closes_is_closed_normally(web: Web, tenant: Tenant) -> None:
    async with connect(web.socket_url, subprotocols=[PROTOCOL], compression=None) as connection:
        socket = Socket(connection)
        await socket.greet({"authorization": f"Bearer {tenant.key}"})
        await socket.watch(SIGNALS)
        await connection.close(1000)
        assert connection.close_code == 1000


async def test_a_stopping_server_asks_to_reconnect(chosen_settings: Settings, tenant: Tenant) -> None:
    async with running(chosen_settings) as web, opened(web.socket_url, tenant.key) as socket:
        await socket.watch(SIGNALS)
        assert await silent(socket)
        web.stop()
        async with asyncio.timeout(10):
            assert await socket.closed() == 1012
            assert await web.ended() in (0, -signal.SIGTERM)
        assert "Traceback" not in web.said(), web.said()
