"""Requests that mean harm, each over a connection of its own to the real web process: all are refused, quickly, and
whoever asks meanwhile or right after does not notice."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import orjson
import pytest
from httpx2 import AsyncClient

from app.core.config import Settings
from app.core.db import Database
from app.identity.permissions import Permission
from bench.hostile_requests import CATALOG, Hostile, Target, fragment_bomb, head, post, send
from tests.factories.tenants import Tenant, make_tenant
from tests.factories.web import Web, running

ANSWER_SECONDS = 0.5
PROBE_SECONDS = 0.1
BOMB_SECONDS = 0.05
TRIES = 3
WRONG_FEED = 'subscription { signalReceived(filter: {id: {eq: "nobody"}}) { cursor } }'
CONNECT = 'mutation { connectionConnect(input: {provider: "github"}) { connection { id } } }'


class Times(NamedTuple):
    """How long a request took, and how long somebody else had to wait at the most while it was served."""

    answer: float
    probe: float

    @property
    def good(self) -> bool:
        return self.answer <= ANSWER_SECONDS and self.probe <= PROBE_SECONDS


measured: dict[Hostile, list[Times]] = {}


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


@dataclass
class Neighbour:
    """Somebody who asks a small thing again and again from a thread of his own; `worst` is his longest wait."""

    target: Target
    worst: float = 0.0
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        request = head(self.target, "GET /healthz HTTP/1.1")
        with socket.create_connection((self.target.host, self.target.port), timeout=60) as line:
            while not self.stop.is_set():
                started = time.perf_counter()
                line.sendall(request)
                said = b""
                while not said.endswith(b"ok\n"):
                    said += line.recv(4_096)
                self.worst = max(self.worst, time.perf_counter() - started)
                self.stop.wait(0.002)


@contextmanager
def neighbour(target: Target) -> Iterator[Neighbour]:
    one = Neighbour(target)
    thread = threading.Thread(target=one.run)
    thread.start()
    try:
        yield one
    finally:
        one.stop.set()
        thread.join()


async def play(hostile: Hostile, target: Target) -> None:
    """Sends it, checks the answer and that others are served meanwhile and afterwards, and notes the times."""
    request = hostile.build(target)
    with neighbour(target) as other:
        outcome = await send(target, hostile, request)
    measured.setdefault(hostile, []).append(Times(outcome.seconds, other.worst))
    assert outcome.kind in hostile.answers, f"{outcome.kind}, {outcome.status}: {outcome.text[:300]!r}"
    assert b'"INTERNAL"' not in outcome.text and b"Traceback" not in outcome.text, outcome.text[:300]
    asked = Hostile("", lambda t: post(t, "/graphql", b'{"query":"{ viewer { permissions } }"}'), frozenset())
    after = await send(target, asked)
    assert after.status == 200 and b"SIGNALS_READ" in after.text, after


@pytest.mark.parametrize("hostile", CATALOG, ids=str)
async def test_a_hostile_request_is_refused_and_the_next_one_is_served(hostile: Hostile, target: Target) -> None:
    await play(hostile, target)


async def test_hostile_requests_hold_nobody_up(target: Target) -> None:
    """A request that was slow is tried again, for the machine may have been busy with something else."""
    for hostile in [one for one, times in measured.items() if not times[0].good]:
        while len(measured[hostile]) < TRIES and not measured[hostile][-1].good:
            await play(hostile, target)
    best = {str(hostile): min(times, key=max) for hostile, times in measured.items()}
    for what, by in (("answer", 0), ("wait of another", 1)):
        name, times = max(best.items(), key=lambda item: item[1][by])
        print(f"the longest {what}: {times[by] * 1000:.0f} ms ({name})")
    slow = {name: times for name, times in best.items() if not times.good}
    assert slow == {}


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
    assert after.status == 200 and after.seconds < ANSWER_SECONDS * TRIES


async def test_a_bomb_of_fragments_costs_the_server_next_to_nothing(attacked: Web, target: Target) -> None:
    """By the server's own clock."""
    bomb = Hostile("", lambda _: b"", frozenset())
    for number in range(TRIES):
        body = orjson.dumps({"query": fragment_bomb()})
        request = post(target, "/graphql", body, f"X-Request-Id: bomb-{number}")
        assert (await send(target, bomb, request)).status == 400
    async with asyncio.timeout(5):  # a request is logged when its answer has gone
        while len(lines := [line for line in attacked.said().splitlines() if '"bomb-' in line]) < TRIES:
            await asyncio.sleep(0.01)
    assert min(orjson.loads(line)["ms"] for line in lines) < BOMB_SECONDS * 1000


async def test_the_server_has_logged_no_bug(attacked: Web, target: Target) -> None:
    bugs = ('.bug"', "Exception in ASGI application")
    assert [line for line in attacked.said().splitlines() if any(bug in line for bug in bugs)] == []
