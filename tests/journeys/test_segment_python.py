"""Segment's own Python SDK, pointed here with an API key as its write key."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from segment.analytics.client import Client
from sqlalchemy import select

from app.core.work import Reads
from app.signals.models import Signal
from tests.factories.books import assert_counters_are_counts, books
from tests.factories.tenants import Tenant
from tests.factories.web import Web

ANN, COMPANY = "ann@segment-python.dev", "segment-python.dev"


def every_call(client: Client) -> None:
    """Each call of its API, as its documentation shows them."""
    client.page(anonymous_id="device", category="Docs", name="Install", properties={"url": "https://a.dev/install"})
    client.screen(anonymous_id="device", name="Home")
    client.track(
        user_id="u1",
        event="Order Completed",
        properties={"total": 9.5, "when": datetime(2026, 1, 1, tzinfo=UTC), "none": None},
    )
    client.alias(previous_id="device", user_id="u1")
    client.identify(user_id="u1", traits={"email": ANN, "firstName": "Ann", "created": datetime(2020, 1, 1)})
    client.group(user_id="u1", group_id="g1", traits={"name": "Segment Python", "website": f"https://{COMPANY}"})
    for number in range(120):
        client.track("u1", "Feature Used", {"number": number}, message_id=f"used-{number}")
    client.track("u1", "Feature Used", {"number": 0}, message_id="used-0")


def deliver(**options: Any) -> list[Any]:
    """What went wrong while everything was sent."""
    wrong: list[Any] = []
    client = Client(on_error=lambda error, items: wrong.append((error, items)), max_retries=1, **options)
    every_call(client)
    if not options["sync_mode"]:
        client.flush()
        client.join()
    return wrong


@pytest.mark.parametrize("sync_mode", [False, True])
@pytest.mark.parametrize("gzip", [False, True])
async def test_every_call_is_delivered(web: Web, tenant: Tenant, gzip: bool, sync_mode: bool) -> None:
    options = {"write_key": tenant.key, "host": web.url, "gzip": gzip, "sync_mode": sync_mode}
    assert await asyncio.to_thread(deliver, **options) == []
    ended = await books(tenant.database, tenant.id)
    types = {type_: count for (type_, _, _), count in ended.signals.items()}
    assert types.pop("feature_used") == 120
    assert types == dict.fromkeys(("page_view", "screen_view", "order_completed", "alias", "identify", "group"), 1)
    assert {(contact, company) for _, contact, company in ended.signals} == {(ANN, COMPANY)}
    await assert_counters_are_counts(tenant.database, tenant.id)
    async with Reads(tenant.database, tenant.id) as reads:
        order = await reads.row(select(Signal).where(Signal.type == "order_completed"))
    assert order is not None and order.source == "segment"
    assert order.properties["total"] == 9.5 and order.properties["$event"] == "Order Completed"
    assert abs((order.received_at - order.occurred_at).total_seconds()) < 30


async def test_a_wrong_write_key_is_told(web: Web, tenant: Tenant) -> None:
    options = {"write_key": "dsk_wrong", "host": web.url, "gzip": False, "sync_mode": False}
    wrong = await asyncio.to_thread(deliver, **options)
    assert wrong and "401" in str(wrong[0][0])
    assert (await books(tenant.database, tenant.id)).signals == {}
