"""POST /v1/signals: what it refuses, and that nothing of it is kept."""

import gzip
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from httpx2 import AsyncClient
from sqlalchemy import update

from app.core.clock import now
from app.core.db import Database
from app.core.work import work
from app.identity.models import ApiKey
from app.identity.permissions import Permission
from app.signals.models import Signal
from tests.factories.books import count_of
from tests.factories.tenants import Tenant, make_tenant

MEGABYTE = 1024 * 1024
A_COMPANY = "company_01k9zzzzzzf8sbt0000000000x"


@pytest.fixture(scope="module")
async def tenant(database: Database, http: AsyncClient) -> Tenant:
    """One organization for all refusals: it must stay without signals to the end."""
    return await make_tenant(database, http)


async def post(tenant: Tenant, body: bytes | str, **headers: str) -> Any:
    sent = {"Authorization": f"Bearer {tenant.key}", "Content-Type": "application/json", **headers}
    return await tenant.http.post("/v1/signals", content=body, headers=sent)


async def is_refused(tenant: Tenant, answer: Any, status: int) -> bool:
    """Whether the answer is a problem of this status, and the organization has no signal."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status and answer.json()["detail"]
    return await count_of(tenant.database, tenant.id, Signal) == 0


@pytest.mark.parametrize(
    ("row", "pointer"),
    [
        ({}, "/type"),
        ({"type": None}, "/type"),
        ({"type": 7}, "/type"),
        ({"type": ""}, "/type"),
        ({"type": "has space"}, "/type"),
        ({"type": "x" * 101}, "/type"),
        ({"type": "x", "source": "ü"}, "/source"),
        ({"type": "x", "colour": "red"}, "/colour"),
        ({"type": "x", "occurred_at_": "2026-01-01T00:00:00Z"}, "/occurred_at_"),
        ({"type": "x", "email": ["a@b.dev"]}, "/email"),
        ({"type": "x", "email": "a" * 255}, "/email"),
        ({"type": "x", "actorId": 5}, "/actorId"),
        ({"type": "x", "actorId": "  "}, "/actorId"),
        ({"type": "x", "externalId": "k" * 256}, "/externalId"),
        ({"type": "x", "properties": []}, "/properties"),
        ({"type": "x", "properties": "text"}, "/properties"),
        ({"type": "x", "properties": {"nul": "a\x00b"}}, "/properties"),
        ({"type": "x", "properties": {"n\x00l": 1}}, "/properties"),
        ({"type": "x", "anonymousId": "a\x00"}, "/anonymousId"),
        ({"type": "x", "companyId": "company"}, "/companyId"),
        ({"type": "x", "companyId": 7}, "/companyId"),
        ({"type": "x", "contactId": {}}, "/contactId"),
        ({"type": "x", "contactId": A_COMPANY}, "/contactId"),
        ({"type": "x", "occurredAt": "2026-01-01T00:00:00"}, "/occurredAt"),
        ({"type": "x", "occurredAt": "soon"}, "/occurredAt"),
        ({"type": "x", "occurredAt": 0}, "/occurredAt"),
        ({"type": "x", "occurredAt": "1970-01-01T00:00:00Z"}, "/occurredAt"),
        ({"type": "x", "occurredAt": "1999-12-31T23:59:59Z"}, "/occurredAt"),
        ({"type": "x", "occurredAt": "9999-12-31T23:59:59Z"}, "/occurredAt"),
        ({"type": "x", "occurredAt": "0001-01-01T00:00:00+14:00"}, "/occurredAt"),
        ({"type": "x", "occurredAt": 1e300}, "/occurredAt"),
    ],
    ids=lambda value: str(value)[:50] if isinstance(value, dict) else None,
)
async def test_a_row_that_makes_no_sense_names_its_field(tenant: Tenant, row: Any, pointer: str) -> None:
    answer = await tenant.send(row)
    assert await is_refused(tenant, answer, 400)
    assert answer.json()["errors"][0]["pointer"] == f"/0{pointer}"


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"null", b"7", b'"text"', b"[1]", b"[[]]", b"[null]", b'{"type":"x"} {"type":"y"}'),
        *(b'{"type":"\xff\xfe"}', b'{"type":"x","email":"\xc3\x28"}', b'\xef\xbb\xbf{"type":"x"}', b"\x00"),
        b'{"type":"x","properties":{"a":"\\ud800"}}',
        b'{"type":"x","properties":{"a":NaN}}',
        b'{"type":"x","properties":{"a":1e999}}',
        b'{"type":"x","properties":' + b'{"a":' * 33 + b"1" + b"}" * 34,
        b'{"type":"x","properties":' + b'{"a":' * 2_000 + b"1" + b"}" * 2_001,
        b"[" * 100_000 + b"]" * 100_000,
    ],
    ids=lambda body: body[:30].decode(errors="backslashreplace"),
)
async def test_a_body_that_makes_no_sense_is_refused(tenant: Tenant, body: bytes) -> None:
    assert await is_refused(tenant, await post(tenant, body), 400)


async def test_a_time_over_a_day_ahead_is_refused(tenant: Tenant) -> None:
    ahead = datetime.now(UTC) + timedelta(hours=25)
    assert await is_refused(tenant, await tenant.send({"type": "x", "occurredAt": ahead.isoformat()}), 400)


async def test_an_empty_batch_and_one_over_a_thousand_are_refused(tenant: Tenant) -> None:
    assert await is_refused(tenant, await tenant.send([]), 400)
    assert await is_refused(tenant, await post(tenant, b"\n \n", **{"Content-Type": "application/x-ndjson"}), 400)
    assert await is_refused(tenant, await tenant.send([{"type": "x"}] * 1_001), 413)
    lines = b'{"type":"x"}\n' * 1_001
    assert await is_refused(tenant, await post(tenant, lines, **{"Content-Type": "application/x-ndjson"}), 413)


async def test_an_unknown_policy_is_refused(tenant: Tenant) -> None:
    headers = {"Authorization": f"Bearer {tenant.key}"}
    answer = await tenant.http.post("/v1/signals?errorPolicy=WHATEVER", json={"type": "x"}, headers=headers)
    assert await is_refused(tenant, answer, 400)


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "application/x-www-form-urlencoded", ""])
async def test_another_content_type_is_refused(tenant: Tenant, kind: str) -> None:
    assert await is_refused(tenant, await post(tenant, b'{"type":"x"}', **{"Content-Type": kind}), 415)


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (b"no gzip at all", "gzip", 400),
        (gzip.compress(b'{"type":"x"}')[:-9], "gzip", 400),
        (gzip.compress(b'{"type":"x"}')[:-8] + b"\x00" * 8, "gzip", 400),
        (b"", "gzip", 400),
        (gzip.compress(b'{"type":"x"}') + b"rubbish", "gzip", 400),
        (gzip.compress(b" " * 5 * MEGABYTE), "gzip", 413),
        (gzip.compress(b" " * 3 * MEGABYTE) + gzip.compress(b" " * 3 * MEGABYTE), "gzip", 413),
        (gzip.compress(b" " * 50 * MEGABYTE), "gzip", 413),
        (zlib.compress(b'{"type":"x"}'), "deflate", 415),
        (b'{"type":"x"}', "br", 415),
        (b" " * (5 * MEGABYTE), "identity", 413),
    ],
    ids=[
        "none",
        "cut",
        "checksum",
        "empty",
        "tail",
        "oversize-gzip",
        "two-members",
        "bomb",
        "deflate",
        "br",
        "oversize",
    ],
)
async def test_a_body_that_cannot_be_unpacked_is_refused(
    tenant: Tenant, body: bytes, encoding: str, status: int
) -> None:
    assert await is_refused(tenant, await post(tenant, body, **{"Content-Encoding": encoding}), status)


async def test_a_bad_key_is_refused(tenant: Tenant) -> None:
    flipped = tenant.key[:-1] + ("0" if tenant.key[-1] != "0" else "1")
    for key in ("", "dsk_", "nonsense", flipped, "dsk_" + "a" * 72, "é" * 10):
        answer = await tenant.http.post("/v1/signals", json={"type": "x"}, headers={"X-API-Key": key.encode()})
        assert await is_refused(tenant, answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"
    basic = await tenant.http.post("/v1/signals", json={"type": "x"}, headers={"Authorization": "Basic YTpi"})
    assert await is_refused(tenant, basic, 401)


@pytest.mark.parametrize("column", ["expires_at", "revoked_at"])
async def test_a_key_that_has_ended_is_refused(other_tenant: Tenant, column: str) -> None:
    async with work(other_tenant.database, other_tenant.id) as unit:
        await unit.run(update(ApiKey).values({column: now() - timedelta(seconds=1)}))
    assert await is_refused(other_tenant, await other_tenant.send({"type": "x"}), 401)


async def test_a_key_without_the_scope_is_refused(tenant: Tenant) -> None:
    key = await tenant.new_key(Permission.SIGNALS_READ)
    answer = await tenant.send({"type": "x"}, Authorization=f"Bearer {key}")
    assert await is_refused(tenant, answer, 403)
    assert "SIGNALS_WRITE" in answer.json()["detail"]


async def test_another_organizations_company_does_not_exist(tenant: Tenant, other_tenant: Tenant) -> None:
    theirs = (await other_tenant.send({"type": "x", "email": "a@theirs.dev"})).json()["receipts"][0]
    for name in ("companyId", "contactId"):
        answer = await tenant.send({"type": "x", name: theirs[name]})
        assert await is_refused(tenant, answer, 404)
        assert answer.json()["errors"] == [{"code": "NOT_FOUND", "detail": "does not exist", "pointer": f"/0/{name}"}]
    assert await count_of(tenant.database, other_tenant.id, Signal) == 1
