"""Subscriptions as server-sent events: ids, resuming by Last-Event-ID, and how they end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from httpx2 import AsyncClient, Response

from app.core.live import stream_of
from app.identity.permissions import Permission
from tests.factories.sockets import SIGNALS
from tests.factories.tenants import Tenant
from tests.factories.web import Web
from tests.factories.work import Backstage


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
async def feed(web: Web, key: str | None, query: str = SIGNALS, variables: Any = None, **headers: str) -> Any:
    """The response and its events."""
    sent = {"Accept": "text/event-stream", **({"Authorization": f"Bearer {key}"} if key else {}), **headers}
    body = {"query": query, "variables": variables}
    async with (
        AsyncClient(base_url=web.url, timeout=10) as client,
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


async def test_signals_arrive_with_ids_and_are_resumed_by_the_last(
    web: Web, tenant: Tenant, backstage: Backstage
) -> None:
    await send(tenant, backstage, "a", "b", "c")
    async with feed(web, tenant.key, variables={"after": "0"}) as (response, events):
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"].startswith("no-cache")
        first, second = await anext(events), await anext(events)
    assert (first.name, first.type, second.type) == ("next", "a", "b")
    assert second.id == second.data["data"]["signalReceived"]["cursor"]
    await send(tenant, backstage, "d")
    async with feed(web, tenant.key, **{"Last-Event-ID": second.id}) as (_, events):
        assert [(await anext(events)).type for _ in range(2)] == ["c", "d"]
        await send(tenant, backstage, "e")
        assert (await anext(events)).type == "e"


async def test_a_named_cursor_counts_more_than_the_header(web: Web, tenant: Tenant, backstage: Backstage) -> None:
    await send(tenant, backstage, "a")
    await send(tenant, backstage, "b")
    async with feed(web, tenant.key, variables={"after": "0"}, **{"Last-Event-ID": "999"}) as (_, events):
        assert (await anext(events)).type == "a"


async def test_a_feed_starts_now_without_a_cursor(web: Web, tenant: Tenant, backstage: Backstage) -> None:
    await send(tenant, backstage, "before")
    async with feed(web, tenant.key) as (_, events):
        arriving = asyncio.ensure_future(anext(events))
        while not arriving.done():
            await send(tenant, backstage, "since")
            await asyncio.wait([arriving], timeout=0.05)
        assert (await arriving).type == "since"


@pytest.mark.parametrize(
    ("scope", "cursor", "code"),
    [("SIGNALS_WRITE", "0", "FORBIDDEN"), ("SIGNALS_READ", "x", "CURSOR_INVALID"), (None, "0", "UNAUTHENTICATED")],
)
async def test_a_feed_that_cannot_start_says_why_and_ends(
    web: Web, tenant: Tenant, scope: str | None, cursor: str, code: str
) -> None:
    key = await tenant.new_key(Permission(scope)) if scope else None
    async with feed(web, key, variables={"after": cursor}) as (_, events):
        said = [event async for event in events]
    assert [event.name for event in said] == ["next", "complete"]
    assert said[0].code == code


async def test_a_wrong_key_has_no_feed(web: Web) -> None:
    async with feed(web, "dsk_nonsense") as (response, _):
        assert response.status_code == 401


async def test_a_cursor_that_is_too_old_is_told_so(web: Web, tenant: Tenant, backstage: Backstage) -> None:
    for name in "abc":
        await send(tenant, backstage, name)
    await backstage.redis.xtrim(stream_of(tenant.id), maxlen=1, approximate=False)
    async with feed(web, tenant.key, **{"Last-Event-ID": "1"}) as (_, events):
        assert [event.code async for event in events if event.name == "next"] == ["CURSOR_EXPIRED"]


async def test_a_query_is_answered_once_and_complete(web: Web, tenant: Tenant) -> None:
    async with feed(web, tenant.key, "{ organization { id } }") as (_, events):
        said = [event async for event in events]
    assert [event.name for event in said] == ["next", "complete"]
    assert said[0].data["data"] == {"organization": {"id": tenant.public_id}}


async def test_a_subscription_by_get_or_for_json_is_refused(web: Web, tenant: Tenant) -> None:
    headers = {"Authorization": f"Bearer {tenant.key}"}
    async with AsyncClient(base_url=web.url, headers=headers, timeout=5) as client:
        query = {"query": SIGNALS}
        assert (await client.get("/graphql", params=query, headers={"Accept": "text/event-stream"})).status_code == 405
        assert (await client.post("/graphql", json=query)).status_code == 406
