"""Live delivery: how long after it was sent a signal is on a watcher's socket, and its company's new score."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect

from bench.client import Connection, percentile, request_of
from bench.dataset import Tenant
from bench.ingest import signal_of
from bench.processes import BenchError, Process
from bench.report import Row

_PER_SECOND = 10
_PATIENCE_SECONDS = 15
_SUBSCRIPTIONS = {
    "signalReceived": "subscription { signalReceived { cursor signal { id type company { name } } } }",
    "scoreChanged": "subscription { scoreChanged { cursor before after company { id } } }",
}


async def measure(web: Process, tenants: Sequence[Tenant], *, sends: int) -> list[Row]:
    """Sends signals of companies that have none yet, at a modest rate, and watches both feeds."""
    tenant = tenants[0]
    emails = tenant.fresh[: sends + 1]
    if len(emails) < 2:
        raise BenchError("the database is too small for live delivery: use a larger --scale")
    seen: dict[str, dict[str, float]] = {name: {} for name in _SUBSCRIPTIONS}
    connection = await Connection.open(web.port)
    async with connect(f"ws://127.0.0.1:{web.port}/graphql", subprotocols=["graphql-transport-ws"]) as socket:  # type: ignore[list-item]
        await _subscribe(socket, tenant)
        watching = asyncio.create_task(_watch(socket, seen))
        await asyncio.sleep(1.0)
        await _send(connection, tenant, emails[0])  # warms what the first one finds cold
        await asyncio.sleep(1.0)
        sent: list[tuple[float, Any]] = []
        begun = time.perf_counter()
        for number, email in enumerate(emails[1:]):
            await asyncio.sleep(max(0.0, begun + number / _PER_SECOND - time.perf_counter()))
            sent.append((time.perf_counter(), await _send(connection, tenant, email)))
        await _settled(seen, sent, watching)
        watching.cancel()
        await asyncio.wait([watching])
    await connection.close()
    return _rows(seen, sent)


async def _subscribe(socket: ClientConnection, tenant: Tenant) -> None:
    await socket.send(_text({"type": "connection_init", "payload": {"authorization": f"Bearer {tenant.key}"}}))
    answer = orjson.loads(await asyncio.wait_for(socket.recv(), 10))
    if answer["type"] != "connection_ack":
        raise BenchError(f"the socket answered {answer}")
    for name, query in _SUBSCRIPTIONS.items():
        await socket.send(_text({"type": "subscribe", "id": name, "payload": {"query": query}}))


async def _watch(socket: ClientConnection, seen: dict[str, dict[str, float]]) -> None:
    async for text in socket:
        arrived = time.perf_counter()
        message = orjson.loads(text)
        if message["type"] != "next" or message["payload"].get("errors"):
            raise BenchError(f"the socket answered {text!r:.500}")
        told = message["payload"]["data"][message["id"]]
        record = told["signal"] if message["id"] == "signalReceived" else told["company"]
        seen[message["id"]].setdefault(record["id"], arrived)


async def _send(connection: Connection, tenant: Tenant, email: str) -> Any:
    body = await connection.send(request_of("POST", "/v1/signals", tenant.key, signal_of(email, type="signup")))
    return orjson.loads(body)["receipts"][0]


async def _settled(
    seen: dict[str, dict[str, float]], sent: Sequence[tuple[float, Any]], watching: asyncio.Task[None]
) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while any(len(found) < len(sent) + 1 for found in seen.values()):
        if watching.done():
            watching.result()
            raise BenchError("the socket was closed")
        if time.monotonic() > deadline:
            missing = {name: len(sent) + 1 - len(found) for name, found in seen.items()}
            raise BenchError(f"not everything was delivered within {_PATIENCE_SECONDS} s; missing: {missing}")
        await asyncio.sleep(0.05)


def _rows(seen: dict[str, dict[str, float]], sent: Sequence[tuple[float, Any]]) -> list[Row]:
    rows = []
    for name, id_, what in (("signalReceived", "signalId", "signal"), ("scoreChanged", "companyId", "score")):
        took = [(seen[name][receipt[id_]] - at) * 1000 for at, receipt in sent]
        note = f"from sending over HTTP to the {what} on the socket, {len(sent)} sends, {_PER_SECOND} a second"
        rows += [Row(f"Live {name} p{s * 100:.0f}", percentile(took, s), None, "ms", note) for s in (0.5, 0.95)]
    return rows


def _text(message: Any) -> str:
    return orjson.dumps(message).decode()
