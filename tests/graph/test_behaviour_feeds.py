"""Live feeds filtered by behaviour and scores: asked anew as things happen, by those who may, refused when begun."""

from typing import Any

import pytest

from app.identity.permissions import Permission
from tests.factories.sockets import SIGNALS, opened
from tests.factories.tenants import Tenant
from tests.factories.web import Web
from tests.factories.work import Backstage

SCORES = """
subscription ($after: String, $filter: CompanyFilter) {
  scoreChanged(after: $after, filter: $filter) { after company { domain } }
}
"""


async def send(tenant: Tenant, backstage: Backstage, type_: str, email: str) -> None:
    await tenant.send([{"type": type_, "email": email}])
    await backstage.settle(tenant.id)


async def test_a_feed_is_filtered_by_what_was_done_until_then(web: Web, tenant: Tenant, backstage: Backstage) -> None:
    busy = {"company": {"signals": {"within": "P1D", "countGte": 3}}}
    async with opened(web.socket_url, tenant.key) as socket:
        await send(tenant, backstage, "before", "ann@busy.dev")
        await socket.watch(SIGNALS, {"after": "0", "filter": busy})
        for type_ in ("second", "third", "fourth"):
            await send(tenant, backstage, "other", f"bob@idle-{type_}.dev")
            await send(tenant, backstage, type_, "ann@busy.dev")
        received: list[str] = []
        while "fourth" not in received:
            received += [type_ for _, type_ in await socket.signals(1)]
        assert received[-2:] == ["third", "fourth"] and "other" not in received


async def test_a_feed_of_scores_is_filtered_by_them(web: Web, tenant: Tenant, backstage: Backstage) -> None:
    async with opened(web.socket_url, tenant.key) as socket:
        await socket.watch(SCORES, {"after": "0", "filter": {"score": {"value": {"gte": 20}}, "signals": {}}})
        await send(tenant, backstage, "visit", "ann@low.dev")
        for number in range(9):
            await tenant.send([{"type": "signup", "email": f"p{number}@high.dev"}])
        await backstage.settle(tenant.id)
        told = (await socket.next())["data"]["scoreChanged"]
        assert told["company"] == {"domain": "high.dev"} and told["after"] >= 20


@pytest.mark.parametrize(
    ("scopes", "query", "filter_", "code"),
    [
        ((), SIGNALS, {"company": {"signals": {"within": "soon"}}}, "INVALID"),
        ((), SCORES, {"signals": {"countGte": -1}}, "INVALID"),
        ((Permission.SIGNALS_READ,), SIGNALS, {"company": {"name": {"eq": "a"}}}, "FORBIDDEN"),
        ((Permission.SCORES_READ,), SCORES, {"signals": {}}, "FORBIDDEN"),
    ],
    ids=str,
)
async def test_a_filter_is_refused_when_the_feed_begins(
    web: Web, tenant: Tenant, scopes: tuple[Permission, ...], query: str, filter_: Any, code: str
) -> None:
    key = await tenant.new_key(*scopes) if scopes else tenant.key
    async with opened(web.socket_url, key) as socket:
        await socket.watch(query, {"filter": filter_})
        assert await socket.refusal() == code
