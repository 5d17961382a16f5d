"""Background work through GraphQL: seen, filtered, replayed."""

from typing import Any
from uuid import UUID

import pytest

from app.core import jobs
from app.core.ids import encode_id
from app.core.work import work
from app.identity.permissions import Permission
from tests.factories.tenants import Tenant
from tests.factories.work import Backstage

JOBS = """query ($filter: JobFilter) {
  jobs(filter: $filter) { totalCount nodes { id type status attempts payload error startedAt finishedAt runAt } }
}"""
REPLAY = """mutation ($id: ID!) {
  jobReplay(input: {id: $id}) { job { status attempts error } userErrors { code path } }
}"""


async def queue(tenant: Tenant, key: str = "k") -> UUID:
    async with work(tenant.database, tenant.id) as unit:
        id_ = await jobs.queue(unit, "test.unknown", key, '{"first": 1, "last": 1}')
    assert id_ is not None
    return id_


async def shown(tenant: Tenant, **filter_: Any) -> list[Any]:
    nodes: list[Any] = (await tenant.ask(JOBS, {"filter": filter_}))["jobs"]["nodes"]
    return nodes


async def test_the_work_that_a_signal_causes_is_seen(tenant: Tenant, backstage: Backstage) -> None:
    await tenant.send({"type": "signup", "email": "ann@seen-work.dev"})
    await backstage.settle(tenant.id)
    [job] = await shown(tenant, type={"eq": "scoring.rescore"})
    assert (job["status"], job["attempts"], job["error"]) == ("SUCCEEDED", 1, None)
    assert job["payload"]["first"] == job["payload"]["last"]
    assert job["startedAt"] <= job["finishedAt"]


async def test_a_dead_job_is_replayed_with_fresh_attempts(tenant: Tenant, backstage: Backstage) -> None:
    id_ = await queue(tenant)
    await backstage.settle(tenant.id)
    [dead] = await shown(tenant, status={"eq": "DEAD"})
    assert (dead["id"], dead["attempts"]) == (encode_id("job", id_), 1)
    assert dead["error"] == "no actor does test.unknown"
    payload = (await tenant.ask(REPLAY, {"id": dead["id"]}))["jobReplay"]
    assert payload == {"job": {"status": "QUEUED", "attempts": 0, "error": None}, "userErrors": []}
    await backstage.settle(tenant.id)
    assert [job["status"] for job in await shown(tenant, type={"eq": "test.unknown"})] == ["DEAD"]


@pytest.mark.parametrize(("kind", "code"), [("queued", "CONFLICT"), ("theirs", "NOT_FOUND"), ("none", "NOT_FOUND")])
async def test_what_cannot_be_replayed_says_why(tenant: Tenant, other_tenant: Tenant, kind: str, code: str) -> None:
    owner = {"queued": tenant, "theirs": other_tenant}.get(kind)
    id_ = encode_id("job", await queue(owner)) if owner else "job_01k9zzzzzzf8sbt0000000000x"
    payload = (await tenant.ask(REPLAY, {"id": id_}))["jobReplay"]
    assert payload == {"job": None, "userErrors": [{"code": code, "path": ["id"]}]}


async def test_the_same_work_is_queued_once(tenant: Tenant) -> None:
    await queue(tenant)
    async with work(tenant.database, tenant.id) as unit:
        assert await jobs.queue(unit, "test.unknown", "k", "{}") is None
    assert len(await shown(tenant, type={"eq": "test.unknown"})) == 1


async def test_jobs_need_their_permission(tenant: Tenant) -> None:
    key = await tenant.new_key(Permission.CRM_READ)
    answer = await tenant.answer(JOBS, token=key)
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
