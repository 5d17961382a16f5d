"""graphql-sse in distinct connections mode: an operation, a response, its results as events, a feed to resume."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from httpx2 import AsyncClient, Response

from app.core.config import Settings
from app.core.live import stream_of
from app.identity.permissions import Permission
from graph.core import http as door
from tests.factories.inside import serving
from tests.factories.locks import Held
from tests.factories.sockets import SIGNALS
from tests.factories.tenants import Tenant
from tests.factories.web import Web
from tests.factories.work import Backstage
from tests.graph.protocols.conftest import Followers, until

EVENTS = "text/event-stream"
JSON = "application/json"
NAME = "{ __typename }"
ORGANIZATION = "{ organization { id } }"
CREATE = 'mutation { companyCreate(input: {name: "A"}) { created } }'
COUNT = "{ companies { totalCount } }"


@dataclass
class Event:
    name: str = ""
    id: str | None = None
    data: Any = None

    @property
    def type(self) -> str:
        signal: str = self.data["data"]["signalReceived"]["signal"]["type"]
        return signal

    @property
    def code(self) -> str:
        code: str = self.data["errors"][0]["extensions"]["code"]
        return code


@asynccontextmanager
async def feed(url: str, key: str | None, query: str = SIGNALS, variables: Any = None, **headers: str) -> Any:
    """The response and its events."""
    sent = {"Accept": EVENTS, **({"Authorization": f"Bearer {key}"} if key else {}), **headers}
    body = {"query": query, "variables": variables}
    async with (
        AsyncClient(base_url=url, timeout=10) as client,
        client.stream("POST", "/graphql", json=body, headers=sent) as response,
    ):
        yield response, _events(response)


async def _events(response: Response) -> AsyncIterator[Event]:
    event = Event()
    async for line in response.aiter_lines():
        name, _, value = line.partition(": ")
        match name:
            case "event":
                event.name = value
            case "id":
                event.id = value
            case "data":
                event.data = orjson.loads(value)
            case "":
                if event.name:
                    yield event
                event = Event()


async def send(tenant: Tenant, backstage: Backstage, *types: str) -> None:
    assert (await tenant.send([{"type": type_} for type_ in types])).status_code == 202
    await backstage.settle(tenant.id)


# The response


async def test_a_feed_begins_before_anything_happens(web: Web, tenant: Tenant) -> None:
    async with asyncio.timeout(5), feed(web.url, tenant.key) as (response, _):
        assert response.status_code == 200
        assert response.headers["content-type"].split(";")[0] == EVENTS
        assert {"no-cache", "no-transform"} <= set(response.headers["cache-control"].split(", "))
        assert response.headers["x-accel-buffering"] == "no"
        assert "content-length" not in response.headers and "set-cookie" not in response.headers


@pytest.mark.parametrize("accept", [EVENTS, "TEXT/EVENT-STREAM", f"{EVENTS};q=0.9", f"{EVENTS}, {JSON}"])
async def test_events_are_sent_to_who_accepts_them(web: Web, tenant: Tenant, accept: str) -> None:
    async with feed(web.url, tenant.key, NAME, Accept=accept) as (response, events):
        assert response.headers["content-type"].split(";")[0] == EVENTS
        assert [event.name async for event in events] == ["next", "complete"]


@pytest.mark.parametrize("accept", [JSON, "*/*", f"{JSON}, {EVENTS}", "application/graphql-response+json"])
async def test_a_subscription_for_who_wants_json_first_is_406(web: Web, tenant: Tenant, accept: str) -> None:
    async with feed(web.url, tenant.key, Accept=accept) as (response, _):
        assert response.status_code == 406
        assert response.headers["content-type"].split(";")[0].endswith("json")


async def test_a_subscription_by_get_is_405(web: Web, tenant: Tenant) -> None:
    headers = {"Authorization": f"Bearer {tenant.key}", "Accept": EVENTS}
    async with AsyncClient(base_url=web.url, headers=headers, timeout=5) as client:
        answer = await client.get("/graphql", params={"query": SIGNALS})
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
        answer = await client.get("/graphql", params={"query": CREATE})
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert (await tenant.ask(COUNT))["companies"]["totalCount"] == 0


async def test_a_query_by_get_is_answered_as_events(web: Web, tenant: Tenant) -> None:
    headers = {"Authorization": f"Bearer {tenant.key}", "Accept": EVENTS}
    async with AsyncClient(base_url=web.url, headers=headers, timeout=5) as client:
        answer = await client.get("/graphql", params={"query": NAME})
    assert answer.status_code == 200 and answer.headers["content-type"].split(";")[0] == EVENTS
    assert answer.text.startswith("event: next\ndata: {") and answer.text.endswith("event: complete\ndata:\n\n")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_a_body_that_is_not_said_to_be_json_is_415(web: Web, tenant: Tenant, kind: str) -> None:
    async with feed(web.url, tenant.key, **{"Content-Type": kind}) as (response, _):
        assert response.status_code == 415


async def test_a_wrong_key_has_no_feed(web: Web) -> None:
    async with feed(web.url, "dsk_nonsense") as (response, _):
        assert response.status_code == 401


# One result: queries and mutations


async def test_a_query_is_answered_once_and_complete(web: Web, tenant: Tenant) -> None:
    async with feed(web.url, tenant.key, ORGANIZATION) as (_, events):
        said = [event async for event in events]
    assert [event.name for event in said] == ["next", "complete"]
    assert said[0].data["data"] == {"organization": {"id": tenant.public_id}}
    assert said[0].id is None, "a result that is no part of a feed is nothing to resume by"


async def test_a_mutation_runs_once_and_is_answered_once(web: Web, tenant: Tenant) -> None:
    async with feed(web.url, tenant.key, CREATE) as (_, events):
        said = [event async for event in events]
    assert [event.name for event in said] == ["next", "complete"]
    assert said[0].data["data"] == {"companyCreate": {"created": True}}
    assert (await tenant.ask(COUNT))["companies"]["totalCount"] == 1


async def test_an_error_of_a_field_is_part_of_a_result(web: Web) -> None:
    async with feed(web.url, None, ORGANIZATION) as (_, events):
        said = [event async for event in events]
    assert [event.name for event in said] == ["next", "complete"]
    assert said[0].code == "UNAUTHENTICATED" and said[0].data["data"] == {"organization": None}


# What cannot start


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("{", None),
        ("{ nothing }", None),
        ("subscription { nothing }", None),
        ("query A { a: __typename } query B { b: __typename }", None),
        ("query ($id: ID!) { company(id: $id) { id } }", {}),
        ("subscription ($after: String) { signalReceived(after: $after) { cursor } }", {"after": 1}),
    ],
)
async def test_what_does_not_validate_is_told_as_events(web: Web, tenant: Tenant, query: str, variables: Any) -> None:
    async with feed(web.url, tenant.key, query, variables) as (response, events):
        assert response.status_code == 200 and response.headers["content-type"].split(";")[0] == EVENTS
        said = [event async for event in events]
    assert [event.name for event in said] == ["next", "complete"]
    assert said[0].code == "BAD_REQUEST" and "data" not in said[0].data


@pytest.mark.parametrize(
    ("scope", "cursor", "code"),
    [("SIGNALS_WRITE", "0", "FORBIDDEN"), ("SIGNALS_READ", "x", "CURSOR_INVALID"), (None, "0", "UNAUTHENTICATED")],
)
async def test_a_feed_that_cannot_start_says_why_and_ends(
    web: Web, tenant: Tenant, scope: str | None, cursor: str, code: str
) -> None:
    key = await tenant.new_key(Permission(scope)) if scope else None
    async with feed(web.url, key, variables={"after": cursor}) as (_, events):
        said = [event async for event in events]
    assert [event.name for event in said] == ["next", "complete"]
    assert said[0].code == code


@pytest.mark.parametrize("cursor", ["x", "-1", "1.x", "9" * 40, "1e3"])
async def test_a_last_event_id_that_is_none_is_told_so(web: Web, tenant: Tenant, cursor: str) -> None:
    async with feed(web.url, tenant.key, **{"Last-Event-ID": cursor}) as (_, events):
        said = [event async for event in events]
    assert [event.name for event in said] == ["next", "complete"]
    assert said[0].code == "CURSOR_INVALID"


async def test_a_cursor_that_is_too_old_is_told_so(web: Web, tenant: Tenant, backstage: Backstage) -> None:
    for name in "abc":
        await send(tenant, backstage, name)
    await backstage.redis.xtrim(stream_of(tenant.id), maxlen=1, approximate=False)
    async with feed(web.url, tenant.key, **{"Last-Event-ID": "1"}) as (_, events):
        assert [event.code async for event in events if event.name == "next"] == ["CURSOR_EXPIRED"]


# A feed


async def test_signals_arrive_with_ids_and_are_resumed_by_the_last(
    web: Web, tenant: Tenant, backstage: Backstage
) -> None:
    await send(tenant, backstage, "a", "b", "c")
    async with feed(web.url, tenant.key, variables={"after": "0"}) as (_, events):
        first, second = await anext(events), await anext(events)
    assert (first.name, first.type, second.type) == ("next", "a", "b")
    assert second.id == second.data["data"]["signalReceived"]["cursor"]
    await send(tenant, backstage, "d")
    async with feed(web.url, tenant.key, **{"Last-Event-ID": second.id}) as (_, events):
        assert [(await anext(events)).type for _ in range(2)] == ["c", "d"]
        await send(tenant, backstage, "e")
        assert (await anext(events)).type == "e"


async def test_every_id_can_be_resumed_from(web: Web, tenant: Tenant, backstage: Backstage) -> None:
    await send(tenant, backstage, "a", "b")
    await send(tenant, backstage, "c")
    async with feed(web.url, tenant.key, variables={"after": "0"}) as (_, events):
        whole = [await anext(events) for _ in range(3)]
    assert len({event.id for event in whole}) == 3
    for place, event in enumerate(whole[:2]):
        async with feed(web.url, tenant.key, **{"Last-Event-ID": str(event.id)}) as (_, events):
            rest = [await anext(events) for _ in whole[place + 1 :]]
        assert [(one.id, one.type) for one in rest] == [(one.id, one.type) for one in whole[place + 1 :]]


async def test_a_named_cursor_counts_more_than_the_header(web: Web, tenant: Tenant, backstage: Backstage) -> None:
    await send(tenant, backstage, "a")
    await send(tenant, backstage, "b")
    async with feed(web.url, tenant.key, variables={"after": "0"}, **{"Last-Event-ID": "999"}) as (_, events):
        assert (await anext(events)).type == "a"


async def test_a_feed_starts_now_without_a_cursor(web: Web, tenant: Tenant, backstage: Backstage) -> None:
    await send(tenant, backstage, "before")
    async with feed(web.url, tenant.key) as (_, events):
        arriving = asyncio.ensure_future(anext(events))
        while not arriving.done():
            await send(tenant, backstage, "since")
            await asyncio.wait([arriving], timeout=0.05)
        assert (await arriving).type == "since"


async def test_comments_keep_a_quiet_line_open(
    chosen_settings: Settings, tenant: Tenant, backstage: Backstage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "_HEARTBEAT_SECONDS", 0.05)
    async with serving(chosen_settings) as url, feed(url, tenant.key, variables={"after": "0"}) as (response, _):
        lines = response.aiter_lines()
        async with asyncio.timeout(8):
            assert [await anext(lines) for _ in range(6)] == [":", ""] * 3
            await send(tenant, backstage, "a")
            while (line := await anext(lines)) in (":", ""):
                pass
        assert line == "event: next"


# The end


async def test_a_client_that_leaves_ends_its_feed(web: Web, tenant: Tenant, followers: Followers) -> None:
    async def one_follows() -> bool:
        return await followers() == 1

    async def nobody_follows() -> bool:
        return await followers() == 0

    for _ in range(5):
        async with feed(web.url, tenant.key):
            await until(one_follows)
        await until(nobody_follows)


@pytest.mark.parametrize("query", [ORGANIZATION, SIGNALS], ids=["query", "feed"])
async def test_clients_that_leave_leave_the_server_its_connections(
    web: Web, tenant: Tenant, backstage: Backstage, held: Held, query: str
) -> None:
    await send(tenant, backstage, "a")
    wrote = len(web.said())
    table = "organizations" if query == ORGANIZATION else "signals"

    async def leave(waits: Any) -> None:
        reading = asyncio.create_task(_read_all(web.url, tenant.key, query))
        await waits(1)
        reading.cancel()
        await waits(0)

    for _ in range(8):  # the server has five
        async with asyncio.timeout(8), held(table) as waits:
            await leave(waits)
    async with feed(web.url, tenant.key, query, {"after": "0"} if query == SIGNALS else None) as (_, events):
        assert (await anext(events)).name == "next"
    assert "Traceback" not in web.said()[wrote:], web.said()[wrote:]


async def _read_all(url: str, key: str, query: str) -> None:
    async with feed(url, key, query, {"after": "0"} if query == SIGNALS else None) as (_, events):
        async for _ in events:
            pass
