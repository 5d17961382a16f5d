"""The same event sent again is stored once: in one batch, later, at the same time, through another process."""

import asyncio
from typing import Any

import pytest
from httpx2 import AsyncClient

from app.core.batches import ErrorPolicy
from app.core.config import Settings
from app.core.db import Database
from app.core.work import work
from app.signals.batches import accept, read_row
from app.signals.models import Signal, SignalCount
from tests.factories.books import assert_counters_are_counts, count_of, rows_of
from tests.factories.tenants import Tenant
from tests.factories.web import Web


async def test_sending_again_names_the_first_signal(tenant: Tenant) -> None:
    first = (await tenant.send({"type": "a", "externalId": "e1", "properties": {"n": 1}})).json()
    again = (await tenant.send({"type": "b", "externalId": "e1", "properties": {"n": 2}})).json()
    assert again["receipts"][0] | {"duplicate": False} == first["receipts"][0]
    assert again["receipts"][0]["duplicate"] is True
    assert first["eventCursor"] and again["eventCursor"] is None
    assert [row.type for row in await rows_of(tenant.database, tenant.id, Signal)] == ["a"]


async def test_one_batch_stores_a_repeated_key_once(tenant: Tenant) -> None:
    rows = [{"type": "a", "externalId": "k"}, {"type": "b", "idempotencyKey": "k"}, {"type": "c"}, {"type": "c"}]
    receipts = (await tenant.send(rows)).json()["receipts"]
    assert [receipt["duplicate"] for receipt in receipts] == [False, True, False, False]
    assert receipts[1]["signalId"] == receipts[0]["signalId"]
    assert await count_of(tenant.database, tenant.id, Signal) == 3


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ({"source": "web", "externalId": "k"}, {"source": "app", "externalId": "k"}),
        ({"source": "web", "externalId": "app:k"}, {"source": "web:app", "externalId": "k"}),
        ({"externalId": "k"}, {"externalId": "K"}),
        ({}, {}),
    ],
)
async def test_different_events_are_both_stored(tenant: Tenant, left: Any, right: Any) -> None:
    for row in (left, right):
        receipt = (await tenant.send({"type": "x", **row})).json()["receipts"][0]
        assert receipt["duplicate"] is False
    assert await count_of(tenant.database, tenant.id, Signal) == 2


async def test_each_organization_has_keys_of_its_own(tenant: Tenant, other_tenant: Tenant) -> None:
    for one in (tenant, other_tenant):
        receipt = (await one.send({"type": "x", "externalId": "same"})).json()["receipts"][0]
        assert receipt["duplicate"] is False
        assert await count_of(one.database, one.id, Signal) == 1


async def test_a_refused_batch_does_not_use_its_keys_up(tenant: Tenant) -> None:
    row = {"type": "x", "externalId": "k"}
    assert (await tenant.send([row, {"type": "?"}])).status_code == 400
    assert (await tenant.send([row])).json()["receipts"][0]["duplicate"] is False


async def test_many_at_once_through_two_processes_store_one(tenant: Tenant, web: Web) -> None:
    row = {"type": "signup", "externalId": "once", "email": "ann@once-only.dev"}
    async with AsyncClient(base_url=web.url, headers={"Authorization": f"Bearer {tenant.key}"}) as other:
        here = [tenant.send(row) for _ in range(15)]
        there = [other.post("/v1/signals", json=row) for _ in range(15)]
        answers = await asyncio.gather(*here, *there)
    assert {answer.status_code for answer in answers} == {202}
    receipts = [answer.json()["receipts"][0] for answer in answers]
    assert [receipt["duplicate"] for receipt in receipts].count(False) == 1
    assert len({receipt["signalId"] for receipt in receipts}) == 1
    [counter] = await rows_of(tenant.database, tenant.id, SignalCount)
    assert counter.count == 1


async def test_overlapping_batches_at_once_store_each_row_once(
    tenant: Tenant, chosen_settings: Settings, database: Database
) -> None:
    def batch(start: int, step: int) -> list[Any]:
        numbers = list(range(start, start + 40))[::step]
        return [
            read_row({"type": "x", "external_id": str(n), "email": f"p{n % 7}@overlap-{n % 3}.dev"}) for n in numbers
        ]

    async def send(where: Database, rows: list[Any]) -> int:
        async with work(where, tenant.id) as unit:
            receipts = await accept(unit, rows, ErrorPolicy.REJECT_ALL)
        return sum(not receipt.duplicate for receipt in receipts)

    async with Database.open(chosen_settings.database_url.get_secret_value(), pool_size=5) as second:
        batches = [batch(start, step) for start in (0, 10, 20, 30) for step in (1, -1)]
        stored = await asyncio.gather(
            *(send(where, rows) for rows, where in zip(batches, [database, second] * 4, strict=True))
        )
    assert sum(stored) == 70
    assert await count_of(tenant.database, tenant.id, Signal) == 70
    await assert_counters_are_counts(tenant.database, tenant.id)
