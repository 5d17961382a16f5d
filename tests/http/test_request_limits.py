"""How much an asker and an address may send: beyond it 429 or 503 at once, with the time to wait."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from httpx2 import AsyncClient, Response

from app.core.config import Settings
from app.identity.permissions import Permission
from graph import admission
from graph.server import BURST_SECONDS
from tests.factories.inside import asking
from tests.factories.locks import Held
from tests.factories.tenants import Tenant

WHO = {"query": "{ organization { id } }"}
COMPANIES = {"query": "{ companies { nodes { id } } }"}
FEED = {"query": "subscription { signalReceived { cursor } }"}


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def asked(client: AsyncClient, key: str) -> Response:
    return await client.post("/graphql", json=WHO, headers=bearer(key))


async def test_a_key_that_asks_too_often_waits(chosen_settings: Settings, tenant: Tenant) -> None:
    other = await tenant.new_key(Permission.ORGANIZATION_READ)
    async with asking(chosen_settings, request_rate=1) as client:
        answers = [await asked(client, tenant.key) for _ in range(BURST_SECONDS + 2)]
        spared = await asked(client, other)
        refused_signal = await client.post("/v1/signals", json={"type": "signup"}, headers=bearer(tenant.key))

    statuses = [answer.status_code for answer in answers]
    assert statuses[:BURST_SECONDS] == [200] * BURST_SECONDS and statuses[-1] == 429
    assert answers[0].headers["RateLimit"] == f'"requests";r={BURST_SECONDS - 1};t=1'
    assert int(answers[-1].headers["Retry-After"]) == 1
    assert answers[-1].headers["RateLimit"].startswith('"requests";r=0;')
    extensions = answers[-1].json()["errors"][0]["extensions"]
    assert extensions == {"code": "RATE_LIMITED", "retryAfter": 1}
    assert spared.status_code == 200
    assert (refused_signal.status_code, refused_signal.headers["Retry-After"]) == (429, "1")
    assert refused_signal.headers["Content-Type"] == "application/problem+json"
    assert refused_signal.json()["code"] == "RATE_LIMITED"


async def test_what_waited_is_served_again(chosen_settings: Settings, tenant: Tenant) -> None:
    async with asking(chosen_settings, request_rate=5) as client:
        answers = await asyncio.gather(*(asked(client, tenant.key) for _ in range(5 * BURST_SECONDS + 5)))
        refused = [answer for answer in answers if answer.status_code == 429]
        assert 1 <= len(refused) <= 5
        await asyncio.sleep(int(refused[0].headers["Retry-After"]))
        assert (await asked(client, tenant.key)).status_code == 200


async def test_an_address_that_knocks_too_often_waits_whoever_it_is(chosen_settings: Settings) -> None:
    async with asking(chosen_settings, address_request_rate=1) as client:
        answers = [await client.post("/v1/signals", json={}) for _ in range(BURST_SECONDS)]
        assert {answer.status_code for answer in answers} == {401}
        late = [await client.get("/nowhere"), await client.post("/graphql", json=WHO)]
        assert [(answer.status_code, answer.headers["Retry-After"]) for answer in late] == [(429, "1")] * 2
        assert late[1].json()["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
        assert [(await client.get(path)).status_code for path in ("/healthz", "/readyz", "/metrics")] == [200] * 3


async def test_what_does_not_fit_in_is_refused_at_once(chosen_settings: Settings, tenant: Tenant) -> None:
    many = 30
    async with asking(chosen_settings, max_requests_at_once=5) as client:
        answers = await asyncio.gather(*(asked(client, tenant.key) for _ in range(many)))
        statuses = [answer.status_code for answer in answers]
        assert set(statuses) == {200, 503} and statuses.count(200) >= 5
        assert {answer.headers["Retry-After"] for answer in answers if answer.status_code == 503} == {"1"}
        assert (await asked(client, tenant.key)).status_code == 200, "the room was not given back"


async def test_streams_take_no_room_from_requests(chosen_settings: Settings, tenant: Tenant) -> None:
    headers = bearer(tenant.key) | {"Accept": "text/event-stream"}
    async with asking(chosen_settings, max_requests_at_once=1) as client, AsyncExitStack() as streams:
        for _ in range(3):
            stream = await streams.enter_async_context(client.stream("POST", "/graphql", json=FEED, headers=headers))
            assert stream.status_code == 200
        assert (await asked(client, tenant.key)).status_code == 200


async def test_an_asker_opens_so_many_streams(chosen_settings: Settings, tenant: Tenant) -> None:
    headers = bearer(tenant.key) | {"Accept": "text/event-stream"}
    async with asking(chosen_settings, max_streams=2) as client:
        async with AsyncExitStack() as streams:
            reading = []
            for _ in range(2):
                opened = client.stream("POST", "/graphql", json=FEED, headers=headers)
                reading.append((await streams.enter_async_context(opened)).aiter_text())
                assert await anext(reading[-1]) == ":\n\n"
            refused = await client.post("/graphql", json=FEED, headers=headers)
            assert '"code":"RATE_LIMITED"' in refused.text and refused.text.endswith("event: complete\ndata:\n\n")
        async with asyncio.timeout(5):
            while not await starts(client, headers):
                await asyncio.sleep(0.05)


async def starts(client: AsyncClient, headers: dict[str, str]) -> bool:
    """Whether a stream is opened, rather than refused."""
    async with client.stream("POST", "/graphql", json=FEED, headers=headers) as stream:
        return await anext(stream.aiter_text()) == ":\n\n"


@pytest.mark.parametrize("said", ["X-Forwarded-For", "Forwarded"])
async def test_nobody_chooses_their_address(chosen_settings: Settings, said: str) -> None:
    async with asking(chosen_settings, address_request_rate=1) as client:
        for number in range(BURST_SECONDS):
            await client.get("/nowhere", headers={said: f"10.0.0.{number}"})
        assert (await client.get("/nowhere", headers={said: "10.9.9.9"})).status_code == 429


async def test_a_trusted_proxy_tells_the_address(chosen_settings: Settings) -> None:
    async with asking(chosen_settings, address_request_rate=1, trusted_proxies="127.0.0.1") as client:
        for _ in range(BURST_SECONDS):
            await client.get("/nowhere", headers={"X-Forwarded-For": "10.0.0.1"})
        assert (await client.get("/nowhere", headers={"X-Forwarded-For": "10.0.0.1"})).status_code == 429
        assert (await client.get("/nowhere", headers={"X-Forwarded-For": "10.0.0.2"})).status_code == 404


async def test_nobody_is_let_in_to_wait_behind_many_who_wait_for_long(
    chosen_settings: Settings, tenant: Tenant, held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr(admission, "MOST_OVERDUE", 3)
    async with asking(chosen_settings) as client:
        async with held("companies") as waits, asyncio.TaskGroup() as slow:
            for _ in range(4):
                slow.create_task(client.post("/graphql", json=COMPANIES, headers=bearer(tenant.key)))
            await waits(4)
            async with asyncio.timeout(3):
                while (refused := await asked(client, tenant.key)).status_code == 200:
                    await asyncio.sleep(0.05)
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert (await asked(client, tenant.key)).status_code == 200


async def test_slow_senders_keep_nobody_out(
    chosen_settings: Settings, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(admission, "MOST_OVERDUE", 0)
    async with asking(chosen_settings, max_requests_at_once=1) as client:
        slow = []
        for _ in range(3):
            slow.append((await asyncio.open_connection("127.0.0.1", client.base_url.port))[1])
            slow[-1].write(b"POST /v1/signals HTTP/1.1\r\nHost: x\r\nContent-Length: 90\r\n\r\n{")
        for _ in range(3):
            assert (await asked(client, tenant.key)).status_code == 200
        for writer in slow:
            writer.close()
