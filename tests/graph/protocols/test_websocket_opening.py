"""graphql-transport-ws, how a socket opens: the subprotocol, ConnectionInit, ConnectionAck, and who asks."""

from typing import Any

import pytest
from sqlalchemy import update
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from app.core.clock import now
from app.core.config import Settings
from app.core.work import work
from app.identity.models import ApiKey
from tests.factories.inside import serving
from tests.factories.sockets import PROTOCOL, SIGNALS, Socket, opened
from tests.factories.tenants import Tenant
from tests.factories.web import Web

ORGANIZATION = "{ organization { id } }"
VIEWER = "{ viewer { permissions } }"
INIT = {"type": "connection_init"}
SUBSCRIBE = {"id": "1", "type": "subscribe", "payload": {"query": "{ __typename }"}}


# The subprotocol


@pytest.mark.parametrize("offered", [[PROTOCOL], ["graphql-ws", PROTOCOL], [PROTOCOL, "graphql-ws"]], ids=str)
async def test_the_subprotocol_is_agreed_upon(web: Web, offered: list[Subprotocol]) -> None:
    async with connect(web.socket_url, subprotocols=offered, compression=None) as connection:
        assert connection.subprotocol == PROTOCOL


@pytest.mark.parametrize(
    "offered", [None, ["graphql-ws"], ["GraphQL-Transport-WS"], ["graphql-transport-ws2"]], ids=str
)
async def test_another_protocol_is_not_acceptable(web: Web, offered: Any) -> None:
    async with connect(web.socket_url, subprotocols=offered, compression=None) as connection:
        await connection.wait_closed()
        assert (connection.close_code, connection.close_reason) == (4406, "Subprotocol not acceptable")
        assert connection.subprotocol is None


# The page that opens it


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1", "http://[", ""])
async def test_a_page_from_elsewhere_is_not_welcome(web: Web, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(web.socket_url, subprotocols=[PROTOCOL], additional_headers={"Origin": origin}):
            pass
    assert refused.value.response.status_code == 403


async def test_a_page_of_the_same_host_is_welcome(web: Web) -> None:
    async with opened(web.socket_url, origin=web.url) as socket:
        await socket.greet()


async def test_a_page_of_a_named_origin_is_welcome_and_one_that_looks_like_it_is_not(
    chosen_settings: Settings,
) -> None:
    named = "https://app.example.com"
    async with serving(chosen_settings, allowed_origins=named) as url:
        address = f"ws{url.removeprefix('http')}/graphql"
        async with opened(address, origin=named) as socket:
            await socket.greet()
        for other in (f"{named}.evil.example", f"{named}:8443", "http://app.example.com", "https://example.com"):
            with pytest.raises(InvalidStatus):
                async with opened(address, origin=other):
                    pass


# ConnectionInit and ConnectionAck


@pytest.mark.parametrize(
    "payload",
    [None, {}, {"other": 1}, {"deep": {"er": [1, {"": None}]}}, {"authorization": ""}, {"X-Api-Key": None}, {"é": "ü"}],
    ids=str,
)
async def test_a_greeting_is_acknowledged_whatever_its_payload_says_of_others(web: Web, payload: Any) -> None:
    async with opened(web.socket_url) as socket:
        await socket.send({**INIT, "payload": payload})
        assert await socket.receive() == {"type": "connection_ack"}


async def test_a_greeting_is_acknowledged_once(web: Web) -> None:
    async with opened(web.socket_url) as socket:
        await socket.greet()
        await socket.send({"type": "ping"})
        assert (await socket.receive())["type"] == "pong"


async def test_nothing_is_answered_before_the_acknowledgement(web: Web, tenant: Tenant) -> None:
    async with opened(web.socket_url) as socket:
        await socket.send({**INIT, "payload": {"authorization": f"Bearer {tenant.key}"}})
        await socket.send(SUBSCRIBE)
        assert [(await socket.receive())["type"] for _ in range(3)] == ["connection_ack", "next", "complete"]


@pytest.mark.parametrize("payload", [[], "x", 1, True], ids=str)
async def test_a_payload_of_a_greeting_that_is_no_object_is_invalid(web: Web, payload: Any) -> None:
    async with opened(web.socket_url) as socket:
        await socket.send({**INIT, "payload": payload})
        assert await socket.closed() == 4400


async def test_a_greeting_that_does_not_come_in_time_closes_the_socket(web: Web) -> None:
    async with opened(web.socket_url) as socket:
        await socket.send({"type": "ping"})
        assert await socket.receive() == {"type": "pong"}
        assert await socket.closed(patience=15) == 4408


async def test_greeting_twice_is_too_much(web: Web) -> None:
    async with opened(web.socket_url) as socket:
        await socket.greet()
        await socket.send(INIT)
        assert await socket.closed() == 4429


async def test_greeting_again_before_the_acknowledgement_is_too_much(web: Web, tenant: Tenant) -> None:
    async with opened(web.socket_url) as socket:
        for _ in range(2):
            await socket.send({**INIT, "payload": {"authorization": f"Bearer {tenant.key}"}})
        assert await socket.closed() == 4429


async def test_greeting_twice_ends_what_runs(web: Web, tenant: Tenant) -> None:
    async with opened(web.socket_url, tenant.key) as socket:
        await socket.watch(SIGNALS)
        await socket.send(INIT)
        assert await socket.closed() == 4429


async def test_subscribing_before_the_greeting_is_unauthorized(web: Web) -> None:
    async with opened(web.socket_url) as socket:
        await socket.send(SUBSCRIBE)
        assert await socket.closed() == 4401


async def test_completing_before_the_greeting_changes_nothing(web: Web) -> None:
    async with opened(web.socket_url) as socket:
        await socket.send({"type": "complete", "id": "1"})
        await socket.greet()


# Who asks


@pytest.mark.parametrize("name", ["authorization", "Authorization", "AUTHORIZATION"])
async def test_the_key_is_taken_in_either_letter_case(web: Web, tenant: Tenant, name: str) -> None:
    async with opened(web.socket_url) as socket:
        await socket.greet({name: f"Bearer {tenant.key}"})
        await socket.watch(ORGANIZATION)
        assert (await socket.next())["data"] == {"organization": {"id": tenant.public_id}}
        assert await socket.receive() == {"id": "1", "type": "complete"}


async def test_a_person_chooses_the_organization(web: Web, tenant: Tenant) -> None:
    async with opened(web.socket_url) as socket:
        said = {"authorization": f"Bearer {tenant.access_token}", "x-organization-id": tenant.public_id}
        await socket.greet(said)
        await socket.watch("{ viewer { role } }")
        assert (await socket.next())["data"] == {"viewer": {"role": "OWNER"}}


@pytest.mark.parametrize("key", ["Bearer dsk_nonsense", "Basic abc", "Bearer a.b.c", "Bearer \x00", "Bearer é"])
async def test_a_wrong_key_is_forbidden(web: Web, key: str) -> None:
    async with opened(web.socket_url) as socket:
        await socket.send({**INIT, "payload": {"authorization": key}})
        assert await socket.closed() == 4403


async def test_a_revoked_key_is_forbidden(web: Web, tenant: Tenant) -> None:
    async with work(tenant.database, tenant.id) as unit:
        await unit.run(update(ApiKey).values(revoked_at=now()))
    async with opened(web.socket_url) as socket:
        await socket.send({**INIT, "payload": {"authorization": f"Bearer {tenant.key}"}})
        assert await socket.closed() == 4403


async def test_a_key_for_another_organization_is_forbidden(web: Web, tenant: Tenant, other_tenant: Tenant) -> None:
    for organization in (other_tenant.public_id, "nonsense"):
        said = {"authorization": f"Bearer {tenant.key}", "x-organization-id": organization}
        async with opened(web.socket_url) as socket:
            await socket.send({**INIT, "payload": said})
            assert await socket.closed() == 4403


async def test_each_socket_asks_as_whom_it_was_greeted(web: Web, tenant: Tenant, other_tenant: Tenant) -> None:
    async with opened(web.socket_url, tenant.key) as mine, opened(web.socket_url, other_tenant.key) as theirs:
        for socket in (mine, theirs):
            await socket.watch(ORGANIZATION)
        assert (await theirs.next())["data"]["organization"]["id"] == other_tenant.public_id
        assert (await mine.next())["data"]["organization"]["id"] == tenant.public_id


async def test_nobody_may_greet_but_sees_nothing(web: Web) -> None:
    async with opened(web.socket_url) as socket:
        await socket.greet()
        await socket.watch(VIEWER, id_="query")
        errors = (await socket.next("query"))["errors"]
        assert errors[0]["extensions"]["code"] == "UNAUTHENTICATED"
        assert await socket.receive() == {"id": "query", "type": "complete"}
        await socket.watch(SIGNALS)
        assert await socket.refusal() == "UNAUTHENTICATED"


@pytest.mark.parametrize("where", ["authorization", "cookie", "query"])
async def test_only_the_greeting_says_who_asks(web: Web, tenant: Tenant, where: str) -> None:
    token = f"Bearer {tenant.key}"
    headers = {"authorization": {"Authorization": token}, "cookie": {"Cookie": f"authorization={tenant.key}"}}
    address = web.socket_url + ("?authorization=" + tenant.key if where == "query" else "")
    options: Any = {"additional_headers": headers.get(where, {}), "compression": None}
    async with connect(address, subprotocols=[PROTOCOL], **options) as connection:
        socket = Socket(connection)
        await socket.greet()
        await socket.watch(ORGANIZATION)
        assert (await socket.next())["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
