"""Hostile requests, one after another beside somebody who asks a small thing all the time: how long each took until it
was refused, and how long the neighbour had to wait at the most."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from bench.client import Connection, request_of
from bench.dataset import Tenant
from bench.hostile_requests import CATALOG, Hostile, Target, head, send
from bench.processes import BenchError, Process
from bench.report import Row

_CONNECT = 'mutation { connectionConnect(input: {provider: "github"}) { connection { id } } }'
ANSWER_MS = 500
NEIGHBOUR_MS = 100
BOMB_MS = 50
TRIES = 3
"""The best of them counts: the machine may have been busy with something else."""


class Times(NamedTuple):
    """Milliseconds until the answer, and the neighbour's longest wait."""

    answer: float
    neighbour: float


@dataclass
class Neighbour:
    """Asks from a thread of its own, so that our own loop does not count; `worst` is its longest wait in seconds."""

    target: Target
    worst: float = 0.0
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        request = head(self.target, "GET /healthz HTTP/1.1")
        with socket.create_connection((self.target.host, self.target.port), timeout=60) as line:
            while not self.stop.is_set():
                started = time.perf_counter()
                line.sendall(request)
                said = b""
                while not said.endswith(b"ok\n"):
                    said += line.recv(4_096)
                self.worst = max(self.worst, time.perf_counter() - started)
                self.stop.wait(0.002)


async def measure(web: Process, tenant: Tenant) -> list[Row]:
    """The slowest of the catalog, and the bomb of fragments by itself."""
    target = Target("127.0.0.1", web.port, tenant.key, await _connected(web, tenant))
    best: dict[Hostile, Times] = {}
    for hostile in CATALOG:
        times = [await _play(hostile, target) for _ in range(TRIES)]
        best[hostile] = min(times, key=max)
    slowest = max(best, key=lambda hostile: best[hostile].answer)
    rudest = max(best, key=lambda hostile: best[hostile].neighbour)
    return [
        Row("Hostile longest answer", best[slowest].answer, ANSWER_MS, "ms", f"beside what is allowed: {slowest}"),
        Row("Hostile longest wait of another", best[rudest].neighbour, NEIGHBOUR_MS, "ms", f"beside: {rudest}"),
        Row("Hostile fragment bomb", best[CATALOG[0]].answer, BOMB_MS, "ms", f"beside: {CATALOG[0]}, of {len(best)}"),
    ]


async def _connected(web: Process, tenant: Tenant) -> str:
    """The id of a connection that webhooks may come for."""
    line = await Connection.open(web.port)
    try:
        answer = orjson.loads(await line.send(request_of("POST", "/graphql", tenant.key, {"query": _CONNECT})))
    finally:
        await line.close()
    id_: str = answer["data"]["connectionConnect"]["connection"]["id"]
    return id_


async def _play(hostile: Hostile, target: Target) -> Times:
    request = hostile.build(target)
    with _neighbour(target) as other:
        outcome = await send(target, hostile, request)
    if outcome.kind not in hostile.answers:
        raise BenchError(f"{hostile}: {outcome.kind}, {outcome.status}: {outcome.text[:200]!r}")
    return Times(outcome.seconds * 1000, other.worst * 1000)


@contextmanager
def _neighbour(target: Target) -> Iterator[Neighbour]:
    one = Neighbour(target)
    thread = threading.Thread(target=one.run)
    thread.start()
    try:
        yield one
    finally:
        one.stop.set()
        thread.join()
