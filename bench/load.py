"""The mixed main job under load: a steady rate, bursts, more than can be done, and memory over a long run.

Requests are sent at their times whatever became of those before, and latency counts from the time that a request was
due: a server that falls behind is not spared."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from app.core import unscoped
from app.core.db import Database
from app.core.ids import encode_id
from app.core.outbox import behind
from bench.client import Connection, percentile, request_of
from bench.dataset import Tenant
from bench.ingest import signal_of
from bench.processes import BenchError, Process
from bench.report import Row
from bench.shapes import SHAPES

STEADY_RATE = 250
BURST_RATE = 1_000
FLOOD_RATE = 2_000
MOST_CONNECTIONS = 4_000
BURSTS = 5
_SHARES = {"ingest": 64, "Q1": 32, "Q4": 2, "Q2": 2}
"""Of a hundred requests: single signals, one company, the top list with reasons, a page with its relations."""


@dataclass(slots=True)
class Outcome:
    """What became of the requests of one phase: latencies in seconds of those that were done."""

    latencies: list[float] = field(default_factory=list)
    put_off: list[float] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Outcome") -> None:
        self.latencies += other.latencies
        self.put_off += other.put_off
        self.failed += other.failed

    @property
    def asked(self) -> int:
        return len(self.latencies) + len(self.put_off) + self.failed.total()

    def milliseconds(self, share: float) -> float:
        return percentile(self.latencies, share) * 1000 if self.latencies else float("inf")

    @property
    def error_share(self) -> float:
        """Errors and refusals, in percent of what was asked."""
        return 100 * (self.asked - len(self.latencies)) / max(1, self.asked)


@dataclass(frozen=True, slots=True)
class Installation:
    """The processes that do the main job."""

    web: Process
    relay: Process
    worker: Process
    database: Database

    def cpu_seconds(self) -> list[float]:
        return [process.cpu_seconds() for process in (self.web, self.relay, self.worker)]


class Crowd:
    """Many clients of one server, each with a connection of its own that it keeps."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[Connection] = []
        self._open = 0

    async def ask(self, request: bytes, due: float, outcome: Outcome) -> None:
        try:
            connection = self._kept() or await self._opened()
        except (OSError, BenchError) as error:
            outcome.failed[f"connect: {error}"] += 1
            return
        try:
            answer = await connection.exchange(request)
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            outcome.failed[type(error).__name__] += 1
            self._open -= 1
            await connection.close()
            return
        took = time.perf_counter() - due
        if b"\r\nconnection: close" in answer.head:
            self._open -= 1
            await connection.close()
        else:
            self._idle.append(connection)
        if answer.status in (429, 503) and b"\r\nretry-after:" in answer.head:
            outcome.put_off.append(took)
        elif 200 <= answer.status < 300 and b'"errors":[' not in answer.body:
            outcome.latencies.append(took)
        else:
            outcome.failed[str(answer.status)] += 1

    def _kept(self) -> Connection | None:
        """One that is idle, and that the server has not closed for being so."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed:
                return connection
            self._open -= 1
        return None

    async def _opened(self) -> Connection:
        if self._open >= MOST_CONNECTIONS:
            raise BenchError("all clients are waiting")
        self._open += 1
        return await Connection.open(self._port)

    async def leave(self) -> None:
        for connection in self._idle:
            await connection.close()


@asynccontextmanager
async def _crowd(process: Process) -> AsyncIterator[Crowd]:
    crowd = Crowd(process.port)
    try:
        yield crowd
    finally:
        await crowd.leave()


async def _sent(crowd: Crowd, requests: Iterator[bytes], rate: int, seconds: float) -> Outcome:
    """Sends at the rate for that time, and waits for the answers."""
    outcome, tasks = Outcome(), set()
    begun = time.perf_counter()
    for number in range(int(rate * seconds)):
        due = begun + number / rate
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        task = asyncio.create_task(crowd.ask(next(requests), due, outcome))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    if tasks:
        await asyncio.wait(tasks)
    return outcome


def mixed(tenants: Sequence[Tenant], *, ours: bool) -> Iterator[bytes]:
    """The main job in its shares, in an order that is the same for both sides."""
    chance = random.Random(7)
    shapes = {shape.name: shape for shape in SHAPES}
    kinds = [kind for kind, share in _SHARES.items() for _ in range(share)]
    while True:
        kind, tenant = chance.choice(kinds), chance.choice(tenants)
        company = encode_id("company", chance.choice(tenant.companies))
        if kind == "ingest":
            path = "/v1/signals" if ours else "/ingest"
            yield request_of("POST", path, tenant.key, signal_of(chance.choice(tenant.people)))
        else:
            yield (shapes[kind].ours if ours else shapes[kind].reference)(tenant, company)


async def measure(
    installation: Installation, reference: Process, tenants: Sequence[Tenant], *, seconds: float
) -> list[Row]:
    """Each phase beside the same on the reference, then the flood and what memory came to."""
    rows: list[Row] = []
    web = installation.web
    async with _crowd(web) as ours, _crowd(reference) as theirs:
        asked, also_asked = mixed(tenants, ours=True), mixed(tenants, ours=False)
        await _sent(ours, asked, STEADY_RATE, 3)
        await _sent(theirs, also_asked, STEADY_RATE, 3)
        await _settled(installation.database)
        busy = installation.cpu_seconds()
        steady = await _sent(ours, asked, STEADY_RATE, seconds / 2)
        warm = _resident(web)
        steady.add(await _sent(ours, asked, STEADY_RATE, seconds / 2))
        grown = _resident(web) - warm
        shares = [
            100 * (after - before) / seconds for before, after in zip(busy, installation.cpu_seconds(), strict=True)
        ]
        settled = await _settled(installation.database)
        beside = await _sent(theirs, also_asked, STEADY_RATE, min(seconds, 10))
        rows += _phase(f"Load {STEADY_RATE}/s", steady, beside, f"{seconds:.0f} s of the mixed main job")
        for name, share in zip(("web", "relay", "worker"), shares, strict=True):
            rows.append(Row(f"Load {STEADY_RATE}/s CPU of {name}", share, None, "% of a core", "during that time"))
        rows.append(Row("Load all events passed on", settled, None, "s after", "relay and workers beside the load"))
        burst = await _bursts(ours, asked)
        beside = await _bursts(theirs, also_asked)
        rows += _phase(f"Bursts of {BURST_RATE}/s", burst, beside, f"{BURSTS} of a second each, 3 s between")
        rows += await _flood(ours, asked)
        note = f"in the second half of {seconds:.0f} s at {STEADY_RATE}/s, from {warm:.0f} MB"
        rows.append(Row("Memory of web, steady", grown, None, "MB more", note))
        rows.append(Row("Memory of web, after the flood", _resident(web), None, "MB", "held"))
    return rows


async def _bursts(crowd: Crowd, requests: Iterator[bytes]) -> Outcome:
    whole = Outcome()
    for _ in range(BURSTS):
        whole.add(await _sent(crowd, requests, BURST_RATE, 1))
        await _sent(crowd, requests, STEADY_RATE // 5, 3)
    return whole


async def _flood(crowd: Crowd, requests: Iterator[bytes]) -> list[Row]:
    """More than can be done: what cannot is refused at once, what can is done, and nothing fails."""
    outcome = await _sent(crowd, requests, FLOOD_RATE, 6)
    after = await _sent(crowd, requests, STEADY_RATE // 2, 4)
    refused = 100 * len(outcome.put_off) / outcome.asked
    told = percentile(outcome.put_off, 0.95) * 1000 if outcome.put_off else 0.0
    note = "429 or 503, each with Retry-After"
    return [
        Row(f"Flood of {FLOOD_RATE}/s done", len(outcome.latencies) / 6, None, "requests/s", "for six seconds"),
        Row("Flood refused", refused, None, "%", note),
        Row(
            "Flood failed",
            outcome.failed.total(),
            None,
            "requests",
            str(dict(outcome.failed)) if outcome.failed else "",
        ),
        Row("Flood refusals p95", told, None, "ms", "until a client is told to wait"),
        Row("Flood latency p95", outcome.milliseconds(0.95), None, "ms", "of those that were done"),
        Row("After the flood p95", after.milliseconds(0.95), None, "ms", f"{after.error_share:.2f} % refused"),
    ]


def _phase(name: str, ours: Outcome, reference: Outcome, note: str) -> list[Row]:
    rows = [
        Row(f"{name} p{share * 100:.0f}", ours.milliseconds(share), reference.milliseconds(share), "ms", note)
        for share in (0.5, 0.95, 0.99)
    ]
    kinds = ", ".join(f"{count} x {kind}" for kind, count in ours.failed.items())
    rows.append(Row(f"{name} errors", ours.error_share, None, "%", kinds or f"of {ours.asked:,}, refusals included"))
    return rows


async def _settled(database: Database) -> float:
    """Seconds until every organization's events have been passed on."""
    begun = time.perf_counter()
    while time.perf_counter() - begun < 60:
        async with unscoped.begin(database) as session:
            if not (await session.scalars(behind(1))).all():
                return time.perf_counter() - begun
        await asyncio.sleep(0.05)
    raise BenchError("events were not passed on within a minute")


def _resident(process: Process) -> float:
    """Megabytes that the process holds in memory."""
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * 4096 / 1e6
