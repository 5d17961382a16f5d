"""The write shapes: one signal and batches of 500, through GraphQL and HTTP, beside COPY and a hand-written insert."""

import itertools
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

import asyncpg
import orjson

from app.core.ids import id_at
from bench import reference_sql as sql
from bench.client import Connection, Round, drive, request_of
from bench.dataset import Tenant
from bench.processes import Process
from bench.report import Row
from bench.shapes import rows_of

BATCH = 500
_TYPES = ("docs_view", "api_call", "feature_usage", "signup")
_ONE = """mutation One($input: SignalInput!) { signalIngest(input: $input) {
  receipt { duplicate companyRule } userErrors { message } eventCursor } }"""
_MANY = """mutation Many($inputs: [SignalInput!]!) { signalsIngest(inputs: $inputs) {
  receipts { duplicate companyRule } userErrors { message } eventCursor } }"""
_number = itertools.count()
_random = random.Random(11)


def signal_of(email: str, **more: Any) -> dict[str, Any]:
    """A signal as a client sends it, with a key that was never sent before."""
    number = next(_number)
    return {
        "type": _TYPES[number % len(_TYPES)],
        "source": "bench",
        "externalId": f"event-{number}",
        "email": email,
        "properties": {"path": f"/docs/page-{number % 400}", "plan": "team", "ms": number % 977},
        **more,
    }


def _batch(emails: Sequence[str]) -> list[dict[str, Any]]:
    now = datetime.now(UTC)
    moments = [now - timedelta(seconds=_random.random() * 3600) for _ in range(BATCH)]
    return [signal_of(_random.choice(emails), occurredAt=moment.isoformat()) for moment in moments]


def _strangers(_: Sequence[str]) -> list[dict[str, Any]]:
    rows = _batch(["-"])
    return [row | {"email": f"new-{row['externalId']}@startup{i % 50}.com"} for i, row in enumerate(rows)]


async def singles(
    ours: Process, reference: Process, tenants: Sequence[Tenant], *, rounds: int, seconds: float
) -> list[Row]:
    """One signal per request, of people that are known."""

    def asks(make: Callable[[str, dict[str, Any]], bytes]) -> Iterator[bytes]:
        for tenant in itertools.cycle(tenants):
            yield make(tenant.key, signal_of(_random.choice(tenant.people)))

    def by_graphql(key: str, signal: Any) -> bytes:
        return request_of("POST", "/graphql", key, {"query": _ONE, "variables": {"input": signal}})

    doors: dict[str, tuple[Process, Iterator[bytes]]] = {
        "GraphQL": (ours, asks(by_graphql)),
        "HTTP": (ours, asks(lambda key, signal: request_of("POST", "/v1/signals", key, signal))),
        "hand-written": (reference, asks(lambda key, signal: request_of("POST", "/ingest", key, signal))),
    }
    seen: dict[str, list[Round]] = {name: [] for name in doors}
    for number in range(rounds + 1):
        for name, (process, requests) in doors.items():
            result = await drive(process, requests, seconds=seconds, connections=4)
            if number:
                seen[name].append(result)
    note = "one signal of a known person, durable"
    return [
        row
        for name in ("GraphQL", "HTTP")
        for row in rows_of(f"Ingest 1 by {name}", note, seen[name], seen["hand-written"])
    ]


async def batches(ours: Process, url: str, tenants: Sequence[Tenant], *, rounds: int, seconds: float) -> list[Row]:
    """Rows per second on one connection, beside COPY of the same rows into the same tables by their owner."""
    tenant, copied = tenants[0], tenants[1]
    owner = await asyncpg.connect(url)
    connection = await Connection.open(ours.port)
    people = await owner.fetch(sql.PEOPLE, copied.id, copied.people)

    def http(rows: Any) -> bytes:
        return request_of("POST", "/v1/signals", tenant.key, rows)

    def graphql(rows: Any) -> bytes:
        return request_of("POST", "/graphql", tenant.key, {"query": _MANY, "variables": {"inputs": rows}})

    async def copy() -> float:
        return await _copied(owner, copied, _batch(copied.people), people)

    async def sent(make: Callable[[Any], bytes], rows: list[Any]) -> float:
        request = make(rows)
        started = time.perf_counter()
        await connection.send(request)
        return time.perf_counter() - started

    doors: dict[str, Callable[[], Awaitable[float]]] = {
        "COPY": copy,
        "HTTP": lambda: sent(http, _batch(tenant.people)),
        "GraphQL": lambda: sent(graphql, _batch(tenant.people)),
        "HTTP, all strangers": lambda: sent(http, _strangers(())),
    }
    took: dict[str, list[float]] = {name: [] for name in doors}
    try:
        for door in doors.values():
            await door()  # finds cold what the measured ones find warm
        until = time.monotonic() + rounds * seconds * len(doors)
        while time.monotonic() < until or len(took["COPY"]) < 5:
            # One batch each in turn: what slows the machine or its disk for a while slows all of them.
            for name, door in doors.items():
                took[name].append(await door())
    finally:
        await connection.close()
        await owner.close()
    note = f"rows a second on one connection, {len(took['COPY'])} batches; reference: COPY into the same tables"
    speeds = {name: BATCH / median(each) for name, each in took.items()}
    return [Row(f"Ingest {BATCH} by {name}", speeds[name], speeds["COPY"], "rows/s", note) for name in list(doors)[1:]]


async def _copied(
    owner: asyncpg.Connection, tenant: Tenant, rows: Sequence[Any], people: Sequence[asyncpg.Record]
) -> float:
    """Seconds that one batch takes by COPY, once its rows are made."""
    records, keys, counts = [], [], Counter[Any]()
    for row, person in zip(rows, _random.choices(people, k=len(rows)), strict=True):
        moment = datetime.fromisoformat(row["occurredAt"])
        id_, company = id_at(moment), person["company_id"]
        properties = orjson.dumps(row["properties"]).decode()
        who = (person["identity_id"], person["contact_id"], company, "KNOWN_IDENTITY", "EMPLOYER")
        records.append((tenant.id, id_, row["type"], row["source"], moment, moment, properties, *who))
        keys.append((tenant.id, f"bench {row['externalId']}", id_))
        counts[company, moment.date(), row["type"]] += 1
    told = orjson.dumps({"signals": [str(record[1]) for record in records]}).decode()
    companies, days, types = zip(*sorted(counts), strict=True)
    numbers = [counts[one] for one in sorted(counts)]
    started = time.perf_counter()
    async with owner.transaction():
        await owner.copy_records_to_table("signal_keys", records=keys, columns=sql.KEY_COLUMNS)
        await owner.copy_records_to_table("signals", records=records, columns=sql.SIGNAL_COLUMNS)
        await owner.execute(sql.COUNT, tenant.id, companies, days, types, numbers)
        await owner.execute(sql.TELL, tenant.id, told)
    return time.perf_counter() - started
