"""Requests that mean harm, each over a connection of its own to the real web process: all are refused, quickly, and
whoever asks meanwhile or right after does not notice."""

from collections.abc import AsyncIterator
from dataclasses import replace

import orjson
import pytest
from httpx2 import AsyncClient

from app.core.config import Settings
from app.core.db import Database
from app.identity.permissions import Permission
from bench.hostile_requests import CATALOG, Hostile, Target, post, send
from tests.factories.tenants import Tenant, make_tenant
from tests.factories.web import Web, running

HANGING_SECONDS = 10.0
"""Nothing is measured here: that is the benchmark's. What takes so long even on a busy machine has stopped a server."""
WRONG_FEED = 'subscription { signalReceived(filter: {id: {eq: "nobody"}}) { cursor } }'
CONNECT = 'mutation { connectionConnect(input: {provider: "github"}) { connection { id } } }'


@pytest.fixture(scope="module")
async def attacked(chosen_settings: Settings) -> AsyncIterator[Web]:
    """A web process for these requests alone."""
    async with running(chosen_settings) as web:
        yield web


@pytest.fixture(scope="module")
async def target(attacked: Web, database: Database, http: AsyncClient) -> Target:
    tenant = await make_tenant(database, http)
    connection = (await tenant.ask(CONNECT))["connectionConnect"]["connection"]["id"]
    host, port = attacked.url.removeprefix("http://").split(":")
    return Target(host, int(port), tenant.key, connection)


@pytest.mark.parametrize("hostile", CATALOG, ids=str)
async def test_a_hostile_request_is_refused_and_the_next_one_is_served(hostile: Hostile, target: Target) -> None:
    outcome = await send(target, hostile, hostile.build(target))
    assert outcome.kind in hostile.answers, f"{outcome.kind}, {outcome.status}: {outcome.text[:300]!r}"
    assert b'"INTERNAL"' not in outcome.text and b"Traceback" not in outcome.text, outcome.text[:300]
    asked = Hostile("", lambda t: post(t, "/graphql", b'{"query":"{ viewer { permissions } }"}'), frozenset())
    after = await send(target, asked, asked.build(target))
    assert after.status == 200 and b"SIGNALS_READ" in after.text, after
    assert outcome.seconds + after.seconds < HANGING_SECONDS


@pytest.mark.parametrize("scope", [Permission.CRM_READ, Permission.SIGNALS_READ])
async def test_streams_that_are_refused_leave_no_connection_behind(
    chosen_settings: Settings, tenant: Tenant, target: Target, scope: Permission
) -> None:
    """Each would hold one to the database until that gives it up, and the pool has few."""
    key, query = await tenant.new_key(scope), WRONG_FEED
    streamed = Hostile("", lambda _: b"", frozenset())
    body = orjson.dumps({"query": query})
    for _ in range(3 * chosen_settings.database_pool_size):
        request = post(replace(target, key=key), "/graphql", body, accept="text/event-stream")
        outcome = await send(target, streamed, request)
        assert b'"FORBIDDEN"' in outcome.text or b'"INVALID"' in outcome.text, outcome
    after = await send(target, streamed, post(target, "/graphql", b'{"query":"{ viewer { permissions } }"}'))
    assert after.status == 200 and after.seconds < HANGING_SECONDS


async def test_the_server_has_logged_no_bug(attacked: Web, target: Target) -> None:
    bugs = ('.bug"', "Exception in ASGI application")
    assert [line for line in attacked.said().splitlines() if any(bug in line for bug in bugs)] == []
