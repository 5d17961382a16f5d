"""The feed of records: what happened to which, in order, and to those alone who may see it."""

from typing import Any

from app.identity.permissions import Permission
from tests.factories.sockets import opened
from tests.factories.tenants import Tenant
from tests.factories.web import Web
from tests.factories.work import Backstage
from tests.graph.test_deals import changed, does, made

FEED = """
subscription ($types: [RecordType!], $after: String) {
  recordChanged(types: $types, after: $after) {
    cursor type action recordId changed record { id ... on Deal { name stage } }
  }
}
"""


async def heard(web: Web, key: str, count: int, **variables: Any) -> list[dict[str, Any]]:
    async with opened(web.socket_url, key) as socket:
        await socket.watch(FEED, {"after": "0", **variables})
        return [(await socket.next())["data"]["recordChanged"] for _ in range(count)]


async def test_a_record_is_followed_from_its_making_to_its_end(web: Web, tenant: Tenant, backstage: Backstage) -> None:
    deal = await made(tenant, "deal", name="Acme")
    await changed(tenant, deal, stage="ACTIVATED", expectedCloseOn="2027-01-01")
    for verb in ("dealDelete", "dealRestore", "dealDelete"):
        await does(tenant, verb, "RecordIdInput", id=deal["id"])
    await made(tenant, "task", title="x")
    await backstage.settle(tenant.id)
    told = await heard(web, tenant.key, 5, types=["DEAL"])
    assert {(one["type"], one["recordId"]) for one in told} == {("DEAL", deal["id"])}
    assert [one["action"] for one in told] == ["CREATED", "UPDATED", "DELETED", "RESTORED", "DELETED"]
    assert sorted(told[1]["changed"]) == ["expectedCloseOn", "probability", "stage"]
    assert told[0]["record"] == {"id": deal["id"], "name": "Acme", "stage": "ACTIVATED"}
    await does(tenant, "dealDestroy", "RecordIdInput", id=deal["id"])
    await backstage.settle(tenant.id)
    after = await heard(web, tenant.key, 2, after=told[-1]["cursor"])
    assert [(one["type"], one["action"], one["record"] is None) for one in after] == [
        ("TASK", "CREATED", False),
        ("DEAL", "DESTROYED", True),
    ]


async def test_who_may_not_read_records_hears_nothing_of_them(web: Web, tenant: Tenant) -> None:
    async with opened(web.socket_url, await tenant.new_key(Permission.SIGNALS_READ)) as socket:
        await socket.watch(FEED)
        assert await socket.refusal() == "FORBIDDEN"
