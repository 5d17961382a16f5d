"""A small HTTP client that costs little: requests are bytes made beforehand, connections are kept."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import orjson

from bench.processes import BenchError, Process

TIMEOUT_SECONDS = 30.0


def request_of(method: str, path: str, key: str, body: Any = None) -> bytes:
    """A whole request; a body that is not bytes is sent as JSON."""
    sent = b"" if body is None else body if isinstance(body, bytes) else orjson.dumps(body)
    head = [
        f"{method} {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {key}",
        "Content-Type: application/json",
        "Accept: application/json",
        f"Content-Length: {len(sent)}",
    ]
    return "\r\n".join([*head, "", ""]).encode() + sent


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: its status, its head in lower case, its body."""

    status: int
    head: bytes
    body: bytes


class Connection:
    """One kept connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> Self:
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=4 * 1024 * 1024))

    async def send(self, request: bytes) -> bytes:
        """The body of the answer. One that is no success ends the benchmark: a wrong answer is no measure."""
        answer = await self.exchange(request)
        if not 200 <= answer.status < 300 or b'"errors":[' in answer.body:
            raise BenchError(f"{answer.status}: {answer.body[:500].decode(errors='replace')}")
        return answer.body

    async def exchange(self, request: bytes) -> Answer:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            self._writer.write(request)
            head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
            start = head.index(b"content-length:") + 15
            body = await self._reader.readexactly(int(head[start : head.index(b"\r\n", start)]))
        return Answer(int(head.split(maxsplit=2)[1]), head, body)

    @property
    def is_closed(self) -> bool:
        """Whether the other side has closed it."""
        return self._reader.at_eof()

    async def close(self) -> None:
        self._writer.close()


@dataclass(slots=True)
class Round:
    """What one round of load came to."""

    requests: int = 0
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)

    @property
    def cpu_us(self) -> float:
        return self.cpu_seconds / self.requests * 1e6


async def drive(process: Process, requests: Iterator[bytes], *, seconds: float, connections: int) -> Round:
    """Sends requests over that many connections for that time, each connection one after another."""
    opened = [await Connection.open(process.port) for _ in range(connections)]
    result = Round()
    started, cpu = time.perf_counter(), process.cpu_seconds()

    async def send_all(connection: Connection) -> None:
        while (sent := time.perf_counter()) < started + seconds:
            await connection.send(next(requests))
            result.latencies.append(time.perf_counter() - sent)

    try:
        async with asyncio.TaskGroup() as group:
            for connection in opened:
                group.create_task(send_all(connection))
    except* BenchError as errors:
        raise errors.exceptions[0] from None
    except* (OSError, TimeoutError, asyncio.IncompleteReadError) as errors:
        raise BenchError(f"{process.name} did not answer: {errors.exceptions[0]!r}") from None
    finally:
        for connection in opened:
            await connection.close()
    result.cpu_seconds = process.cpu_seconds() - cpu
    result.wall_seconds = time.perf_counter() - started
    result.requests = len(result.latencies)
    return result


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
