"""POST /v1/signals: what is taken, what is answered."""

import gzip
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import select

from app.core.ids import decode_id
from app.core.outbox import OutboxEvent
from app.core.work import Reads
from app.crm.models import Company, Contact
from app.signals.models import Identity, Signal, SignalCount, SignalKey
from tests.factories.books import count_of, rows_of
from tests.factories.tenants import Tenant

NDJSON = "application/x-ndjson"


async def post(tenant: Tenant, body: bytes | str, kind: str = "application/json", **headers: str) -> Any:
    sent = {"Authorization": f"Bearer {tenant.key}", "Content-Type": kind, **headers}
    return await tenant.http.post("/v1/signals", content=body, headers=sent)


async def stored(tenant: Tenant) -> list[Any]:
    return sorted(await rows_of(tenant.database, tenant.id, Signal), key=lambda row: row.id)


async def test_one_signal_is_stored_as_it_was_said(tenant: Tenant) -> None:
    said = {
        "type": " Docs_View ",
        "source": "website",
        "occurredAt": "2026-01-02T03:04:05.678901+02:00",
        "properties": {"page": "/install", "deep": [{"ü": None}, 1.5, True]},
    }
    answer = await tenant.send(said)
    assert answer.status_code == 202
    [row] = await stored(tenant)
    assert (row.type, row.source) == ("docs_view", "website")
    assert row.occurred_at == datetime(2026, 1, 2, 1, 4, 5, 678901, UTC)
    assert row.properties == said["properties"]
    [receipt] = answer.json()["receipts"]
    assert decode_id(receipt["signalId"]) == ("signal", row.id)
    assert receipt["duplicate"] is False and receipt["contactId"] is None


async def test_an_array_is_answered_in_its_order(tenant: Tenant) -> None:
    rows = [{"type": f"t{number}", "email": f"p{number % 3}@order-{number % 2}.dev"} for number in range(20)]
    receipts = (await tenant.send(rows)).json()["receipts"]
    by_id = {row.id: row.type for row in await stored(tenant)}
    assert [by_id[decode_id(receipt["signalId"])[1]] for receipt in receipts] == [row["type"] for row in rows]
    assert {receipt["contactRule"] for receipt in receipts} == {"EMAIL", "KNOWN_IDENTITY"}


@pytest.mark.parametrize(
    "kind", [NDJSON, "application/ndjson", "application/jsonl", "APPLICATION/X-NDJSON; charset=utf-8"]
)
async def test_lines_of_json_are_rows(tenant: Tenant, kind: str) -> None:
    answer = await post(tenant, b'{"type":"a"}\r\n\n  \n{"type":"b"}\n{"type":"c"}', kind)
    assert answer.status_code == 202
    assert sorted(row.type for row in await stored(tenant)) == ["a", "b", "c"]


async def test_bad_lines_are_told_beside_good_ones(tenant: Tenant) -> None:
    body = b'{"type":"a"}\n{"type":\n[1]\nnull\n{"type":"\xff"}\n{"type":"\\ud800"}\n{"type":"z"}'
    answer = await tenant.http.post(
        "/v1/signals?errorPolicy=REJECT_FAILED_ROWS",
        content=body,
        headers={"X-API-Key": tenant.key, "Content-Type": NDJSON},
    )
    receipts = answer.json()["receipts"]
    assert answer.status_code == 202
    assert ["errors" in receipt for receipt in receipts] == [False, True, True, True, True, True, False]
    assert receipts[2]["errors"][0]["detail"] == "must be an object"
    assert sorted(row.type for row in await stored(tenant)) == ["a", "z"]


async def test_a_bad_line_refuses_them_all_unless_said_otherwise(tenant: Tenant) -> None:
    answer = await post(tenant, b'{"type":"a"}\n{"type":\n', NDJSON)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["pointer"] == "/1"
    assert await stored(tenant) == []


async def test_a_refused_batch_leaves_nothing_behind(tenant: Tenant) -> None:
    rows = [{"type": "a", "externalId": "k", "email": "ann@half-written.dev"}, {"type": "b", "colour": "red"}]
    answer = await tenant.send(rows)
    assert answer.status_code == 400
    assert answer.json()["errors"] == [{"code": "INVALID", "detail": "is not a known field", "pointer": "/1/colour"}]
    assert await nothing_stored(tenant)
    again = await tenant.send(rows[:1])
    assert again.json()["receipts"][0]["duplicate"] is False


async def nothing_stored(tenant: Tenant) -> bool:
    models = (Signal, SignalKey, Identity, SignalCount, Company, Contact)
    counts = [await count_of(tenant.database, tenant.id, model) for model in models]
    events = await rows_of(tenant.database, tenant.id, OutboxEvent)
    return not any(counts) and [event.name for event in events] == ["organization.created"]


async def test_failed_rows_alone_are_refused_where_asked(tenant: Tenant) -> None:
    rows = [{"type": "good"}, {"type": "b a d"}, {"no": "type"}, {"type": "good", "occurredAt": "yesterday"}]
    headers = {"Authorization": f"Bearer {tenant.key}"}
    answer = await tenant.http.post("/v1/signals?errorPolicy=REJECT_FAILED_ROWS", json=rows, headers=headers)
    receipts = answer.json()["receipts"]
    assert answer.status_code == 202
    assert [[error["pointer"] for error in receipt.get("errors", [])] for receipt in receipts] == [
        [],
        ["/type"],
        ["/type", "/no"],
        ["/occurredAt"],
    ]
    assert [row.type for row in await stored(tenant)] == ["good"]


async def test_an_accepted_signal_is_committed_before_the_answer(tenant: Tenant) -> None:
    for number in range(5):
        receipt = (await tenant.send({"type": "durable"})).json()["receipts"][0]
        async with Reads(tenant.database, tenant.id) as reads:
            id_ = decode_id(receipt["signalId"])[1]
            assert await reads.value(select(Signal.type).where(Signal.id == id_)) == "durable", number


async def test_a_clock_that_is_slightly_ahead_is_set_right(tenant: Tenant) -> None:
    ahead = datetime.now(UTC) + timedelta(hours=3)
    assert (await tenant.send({"type": "x", "occurredAt": ahead.isoformat()})).status_code == 202
    [row] = await stored(tenant)
    assert row.occurred_at == row.received_at or row.occurred_at < row.received_at
    assert datetime.now(UTC) - row.occurred_at < timedelta(seconds=30)


async def test_gzip_is_read(tenant: Tenant) -> None:
    body = gzip.compress(orjson.dumps([{"type": "zipped"}] * 300))
    assert (await post(tenant, body, **{"Content-Encoding": "gzip"})).status_code == 202
    assert len(await stored(tenant)) == 300


async def test_gzip_of_several_members_is_read_to_its_end(tenant: Tenant) -> None:
    body = gzip.compress(b'{"type":"first"}\n') + gzip.compress(b'{"type":"second"}\n')
    assert (await post(tenant, body, NDJSON, **{"Content-Encoding": "gzip"})).status_code == 202
    assert sorted(row.type for row in await stored(tenant)) == ["first", "second"]


async def test_the_key_may_come_by_either_header(tenant: Tenant) -> None:
    for headers in ({"X-API-Key": tenant.key}, {"Authorization": f"bearer {tenant.key}"}):
        answer = await tenant.http.post("/v1/signals", json={"type": "x"}, headers=headers)
        assert answer.status_code == 202
    assert len(await stored(tenant)) == 2
