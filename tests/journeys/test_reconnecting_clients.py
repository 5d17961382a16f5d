"""The clients that the protocols' author publishes, on a line that breaks fifty times while signals come in."""

import asyncio
import itertools
import tempfile
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from random import Random
from urllib.parse import urlsplit

import pytest
from httpx2 import AsyncClient

from app.core.config import Settings
from tests.factories.proxies import Line, breaking
from tests.factories.tenants import Tenant
from tests.factories.web import Web, process_of
from tests.journeys.conftest import Node

BREAKS = 50
PAUSE_SECONDS = 0.01
LAST = "last"


@pytest.fixture(scope="module", autouse=True)
async def relay(chosen_settings: Settings) -> AsyncIterator[Process]:
    """The relay as production runs it: nothing but it fills the live streams here."""
    with tempfile.TemporaryFile() as log:
        async with process_of(chosen_settings, log, "workers", "relay") as process:
            yield process
            assert process.returncode is None, "the relay has ended"


async def send(web: Web, tenant: Tenant, enough: asyncio.Event, chance: Random) -> list[str]:
    """Sends batches until it is enough, and one more signal; the types of all, in the order of their cursors."""
    sent: list[str] = []
    headers = {"Authorization": f"Bearer {tenant.key}"}
    async with AsyncClient(base_url=web.url, headers=headers, timeout=20) as client:
        while not sent or sent[-1] != LAST:
            batch = [f"t{len(sent) + place}" for place in range(chance.randint(1, 6))]
            if enough.is_set():
                batch.append(LAST)
            rows = [{"type": type_, "email": f"{type_}@reconnecting.dev"} for type_ in batch]
            answer = await client.post("/v1/signals", json=rows)
            assert answer.status_code == 202, answer.text
            sent += batch
            await asyncio.wait([asyncio.ensure_future(enough.wait())], timeout=PAUSE_SECONDS)
    return sent


async def follow(client: Process, line: Line) -> tuple[int, list[tuple[str, str]]]:
    """How often the client has subscribed until the last signal came, and the cursor and type of each."""
    assert client.stdout is not None and client.stderr is not None
    watches, received = 0, list[tuple[str, str]]()
    async for said in client.stdout:
        cursor, _, type_ = said.decode().strip().partition(" ")
        if cursor == "watch":
            watches += 1
            continue
        received.append((cursor, type_))
        if len(received) == 1:
            line.on_fire = True
        if type_ == LAST:
            return watches, received
    raise AssertionError(f"the client has ended: {(await client.stderr.read()).decode()}")


def position(cursor: str) -> tuple[int, float]:
    """What orders cursors: the number of the event, and the place in it; the last place goes without."""
    number, _, place = cursor.partition(".")
    return int(number), float(place or "inf")


@pytest.mark.parametrize(("script", "scheme"), [("reconnecting_ws.mjs", "ws"), ("reconnecting_sse.mjs", "http")])
async def test_a_client_that_is_cut_off_fifty_times_misses_nothing_and_sees_nothing_twice(
    node: Node, web: Web, tenant: Tenant, script: str, scheme: str
) -> None:
    wrote = len(web.said())
    port = urlsplit(web.url).port
    assert port
    async with asyncio.timeout(60), breaking(port, breaks=BREAKS, seed=7) as line:
        client = await node.start(script, f"{scheme}://127.0.0.1:{line.port}/graphql", tenant.key)
        try:
            async with asyncio.TaskGroup() as both:
                sending = both.create_task(send(web, tenant, line.calm, Random(8)))
                following = both.create_task(follow(client, line))
        finally:
            client.kill()
            await client.wait()
    watches, received = following.result()
    assert [type_ for _, type_ in received] == sending.result()
    assert all(position(one) < position(other) for (one, _), (other, _) in itertools.pairwise(received))
    assert line.broken == BREAKS and watches > BREAKS
    assert line.in_the_middle >= BREAKS // 10, "too few breaks in the middle of what the server said"
    assert "Traceback" not in web.said()[wrote:], web.said()[wrote:]
