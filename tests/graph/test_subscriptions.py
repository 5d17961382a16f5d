"""Live feeds over real sockets: what arrives, to whom, in which order, and after a break."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import update

from app.core.clock import now
from app.core.live import stream_of
from app.core.work import work
from app.identity.models import ApiKey
from app.identity.permissions import Permission
from tests.factories.sockets import SIGNALS, Socket, opened
from tests.factories.tenants import Tenant
from tests.factories.web import Web
from tests.factories.work import Backstage

SCORES = """
subscription ($after: String, $filter: CompanyFilter) {
  scoreChanged(after: $after, filter: $filter) {
    cursor before after tierBefore tier company { domain } score { value factors { contribution } }
  }
}
"""
TIERS = "subscription ($after: String) { tierChanged(after: $after) { tierBefore tier company { domain } } }"


@pytest.fixture
async def socket(web: Web, tenant: Tenant) -> AsyncIterator[Socket]:
    async with opened(web.socket_url, tenant.key) as one:
        yield one


async def send(tenant: Tenant, backstage: Backstage, *types: str, **row: Any) -> str:
    """Sends one batch and passes it on; the cursor of its last event at commit."""
    answer = await tenant.send([{"type": type_, **row} for type_ in types])
    assert answer.status_code == 202, answer.text
    await backstage.settle(tenant.id)
    cursor: str = answer.json()["eventCursor"]
    return cursor


async def test_signals_arrive_in_order_with_what_is_asked_of_them(
    socket: Socket, tenant: Tenant, backstage: Backstage
) -> None:
    query = """subscription { signalReceived(after: "0") {
      cursor signal { type properties contact { email } company { domain score { value } } }
    } }"""
    await socket.watch(query)
    await send(tenant, backstage, "first", "second", email="ann@live-feed.dev", properties={"a": 1})
    answers = [(await socket.next())["data"]["signalReceived"]["signal"] for _ in range(2)]
    assert [answer["type"] for answer in answers] == ["first", "second"]
    assert answers[0]["contact"] == {"email": "ann@live-feed.dev"} and answers[0]["properties"] == {"a": 1}
    assert answers[0]["company"]["domain"] == "live-feed.dev"


async def test_without_a_cursor_the_feed_starts_now(socket: Socket, tenant: Tenant, backstage: Backstage) -> None:
    await send(tenant, backstage, "before")
    await socket.watch(SIGNALS)
    arriving = asyncio.create_task(socket.signals(1))
    while not arriving.done():
        await send(tenant, backstage, "since")
        await asyncio.wait([arriving], timeout=0.05)
    assert [type_ for _, type_ in await arriving] == ["since"]


async def test_resuming_brings_what_was_missed_once_and_in_order(
    web: Web, tenant: Tenant, backstage: Backstage
) -> None:
    seen: list[tuple[str, str]] = []
    cursor, sent = "0", 0
    for round_ in range(4):
        await send(tenant, backstage, *(f"t{sent + number}" for number in range(5)))  # nobody is there
        sent += 5
        async with opened(web.socket_url, tenant.key) as socket:
            await socket.watch(SIGNALS, {"after": cursor})
            seen += await socket.signals(3)  # leaves in the middle of a batch
            cursor = seen[-1][0]
            assert "." in cursor or round_
    async with opened(web.socket_url, tenant.key) as socket:
        await socket.watch(SIGNALS, {"after": cursor})
        seen += await socket.signals(sent - len(seen))
        await send(tenant, backstage, "last")
        assert (await socket.signals(1))[0][1] == "last"
    assert [type_ for _, type_ in seen] == [f"t{number}" for number in range(sent)]
    assert len({cursor for cursor, _ in seen}) == sent


async def test_every_place_in_a_batch_can_be_resumed_from(web: Web, tenant: Tenant, backstage: Backstage) -> None:
    await send(tenant, backstage, "a", "b", "c", "d")
    async with opened(web.socket_url, tenant.key) as socket:
        await socket.watch(SIGNALS, {"after": "0"})
        whole = await socket.signals(4)
        for place, (cursor, _) in enumerate(whole[:3]):
            await socket.watch(SIGNALS, {"after": cursor}, id_=cursor)
            for expected in whole[place + 1 :]:
                received = (await socket.next(cursor))["data"]["signalReceived"]
                assert (received["cursor"], received["signal"]["type"]) == expected
            await socket.send({"id": cursor, "type": "complete"})


async def test_the_cursor_of_a_mutation_starts_after_it(socket: Socket, tenant: Tenant, backstage: Backstage) -> None:
    cursor = await send(tenant, backstage, "mine")
    await socket.watch(SIGNALS, {"after": cursor})
    await send(tenant, backstage, "next")
    assert [type_ for _, type_ in await socket.signals(1)] == ["next"]


async def test_filters_let_through_what_they_say(socket: Socket, tenant: Tenant, backstage: Backstage) -> None:
    filter_ = {"type": {"startsWith": "docs"}, "company": {"domain": {"eq": "wanted.dev"}}}
    await socket.watch(SIGNALS, {"after": "0", "filter": filter_})
    await send(tenant, backstage, "docs_view", "signup", email="a@unwanted.dev")
    await send(tenant, backstage, "signup", "docs_view", "docs_search", email="a@wanted.dev")
    received = await socket.signals(2)
    assert [type_ for _, type_ in received] == ["docs_view", "docs_search"]
    await socket.watch(SIGNALS, {"after": received[0][0], "filter": filter_}, id_="2")
    assert (await socket.next("2"))["data"]["signalReceived"]["signal"]["type"] == "docs_search"


async def test_scores_and_tiers_are_told_as_they_change(socket: Socket, tenant: Tenant, backstage: Backstage) -> None:
    other = {"domain": {"neq": "other-score.dev"}}
    await socket.watch(SCORES, {"after": "0", "filter": other}, id_="s")
    await send(tenant, backstage, "docs_view", email="a@other-score.dev")
    await send(tenant, backstage, "docs_view", email="a@rising-score.dev")
    first = (await socket.next("s"))["data"]["scoreChanged"]
    assert (first["before"], first["tierBefore"]) == (None, None)
    assert first["company"] == {"domain": "rising-score.dev"}
    assert first["score"]["value"] == first["after"] == sum(f["contribution"] for f in first["score"]["factors"])
    await send(tenant, backstage, *["signup"] * 30, email="a@rising-score.dev")
    second = (await socket.next("s"))["data"]["scoreChanged"]
    assert second["before"] == first["after"] < second["after"] and second["tierBefore"] == first["tier"]

    await socket.watch(TIERS, {"after": first["cursor"]}, id_="t")
    moves = [(await socket.next("t"))["data"]["tierChanged"] for _ in range(2)]
    assert moves[0] == {"tierBefore": None, "tier": first["tier"], "company": {"domain": "rising-score.dev"}}
    assert moves[1]["tier"] == second["tier"] != moves[1]["tierBefore"]


async def test_another_organizations_events_never_arrive(
    web: Web, tenant: Tenant, other_tenant: Tenant, backstage: Backstage
) -> None:
    async with opened(web.socket_url, tenant.key) as mine, opened(web.socket_url, other_tenant.key) as theirs:
        for one in (mine, theirs):
            await one.watch(SIGNALS, {"after": "0"})
        for number in range(3):
            await send(tenant, backstage, f"mine{number}")
            await send(other_tenant, backstage, f"theirs{number}")
        assert [type_ for _, type_ in await mine.signals(3)] == ["mine0", "mine1", "mine2"]
        assert [type_ for _, type_ in await theirs.signals(3)] == ["theirs0", "theirs1", "theirs2"]


@pytest.mark.parametrize(
    ("query", "scope"), [(SIGNALS, "SIGNALS_WRITE"), (SCORES, "SIGNALS_READ"), (TIERS, "CRM_READ")]
)
async def test_a_key_without_the_permission_is_refused(web: Web, tenant: Tenant, query: str, scope: str) -> None:
    async with opened(web.socket_url, await tenant.new_key(Permission(scope))) as socket:
        await socket.watch(query, {"after": "0"})
        assert await socket.refusal() == "FORBIDDEN"


@pytest.mark.parametrize("cursor", ["x", "-1", "1.x", "1.2.3", "٣", "9" * 40, "1e3", " 1"])
async def test_a_cursor_that_is_none_is_refused(socket: Socket, cursor: str) -> None:
    await socket.watch(SIGNALS, {"after": cursor})
    assert await socket.refusal() == "CURSOR_INVALID"


async def test_a_cursor_that_is_too_old_is_told_so(socket: Socket, tenant: Tenant, backstage: Backstage) -> None:
    for number in range(4):
        cursor = await send(tenant, backstage, f"t{number}")
    await backstage.redis.xtrim(stream_of(tenant.id), minid=f"{cursor}-0", approximate=False)
    await socket.watch(SIGNALS, {"after": "1"})
    assert await socket.refusal() == "CURSOR_EXPIRED"
    await socket.watch(SIGNALS, {"after": str(int(cursor) - 1)})
    assert [type_ for _, type_ in await socket.signals(1)] == ["t3"]


async def test_completing_ends_the_feed(socket: Socket, tenant: Tenant, backstage: Backstage) -> None:
    await socket.watch(SIGNALS, {"after": "0"}, id_="gone")
    await socket.watch(SIGNALS, {"after": "0"}, id_="stays")
    await send(tenant, backstage, "both")
    assert {(await socket.receive())["id"] for _ in range(2)} == {"gone", "stays"}
    await socket.send({"id": "gone", "type": "complete"})
    await send(tenant, backstage, "one")
    await send(tenant, backstage, "two")
    assert [(await socket.receive())["id"] for _ in range(2)] == ["stays", "stays"]


async def test_a_revoked_key_ends_its_feed(web: Web, tenant: Tenant, backstage: Backstage) -> None:
    async with opened(web.socket_url, tenant.key) as socket:
        await socket.watch(SIGNALS, {"after": "0"})
        await send(tenant, backstage, "before")
        assert [type_ for _, type_ in await socket.signals(1)] == ["before"]
        async with work(tenant.database, tenant.id) as unit:
            await unit.run(update(ApiKey).values(revoked_at=now()))
        assert await socket.refusal() == "UNAUTHENTICATED"


async def test_many_subscribers_all_get_everything(web: Web, tenant: Tenant, backstage: Backstage) -> None:
    async def follow(ready: asyncio.Barrier) -> list[str]:
        async with opened(web.socket_url, tenant.key) as socket:
            await socket.watch(SIGNALS, {"after": "0"})
            await ready.wait()
            return [type_ for _, type_ in await socket.signals(12)]

    ready = asyncio.Barrier(41)
    followers = [asyncio.create_task(follow(ready)) for _ in range(40)]
    await ready.wait()
    for number in range(4):
        await send(tenant, backstage, *(f"t{number}{letter}" for letter in "abc"))
    expected = [f"t{number}{letter}" for number in range(4) for letter in "abc"]
    assert await asyncio.gather(*followers) == [expected] * 40


async def test_a_slow_reader_holds_nobody_up_and_loses_nothing(web: Web, tenant: Tenant, backstage: Backstage) -> None:
    wide = SIGNALS.replace("type source", "type source properties")
    async with (
        opened(web.socket_url, tenant.key, max_queue=1) as slow,
        opened(web.socket_url, tenant.key) as quick,
    ):
        await slow.watch(wide, {"after": "0"})
        await quick.watch(SIGNALS, {"after": "0"})
        for number in range(20):
            await send(
                tenant, backstage, *(f"t{number}.{place}" for place in range(20)), properties={"x": "y" * 20_000}
            )
        expected = [f"t{number}.{place}" for number in range(20) for place in range(20)]
        assert [type_ for _, type_ in await quick.signals(400)] == expected
        assert [type_ for _, type_ in await slow.signals(400)] == expected
