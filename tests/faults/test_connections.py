"""Connections that cost without giving: silent, dripping, or never read. Who behaves beside them notices nothing."""

import asyncio
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from graph.connections import raise_file_limit
from graph.core.bodies import BODY_SECONDS
from graph.protocol import HEAD_SECONDS
from tests.faults.followers import following
from tests.faults.installation import Installation, resident_megabytes
from tests.faults.readers import EventsReader, Reader, SocketReader, open_all, upgrade
from tests.faults.senders import SOURCE, begin
from tests.faults.wire import Line, post

pytestmark = pytest.mark.faults

KEEP_ALIVE_SECONDS = 30.0
INIT_SECONDS = 10.0
CLOSE_REPLY_SECONDS = 10.0
GRACE_SECONDS = 2.0
QUERY = "{ companies(first: 5) { nodes { name score { value } } } }"

STALLED_SOCKETS, STALLED_EVENTS, LATE = 900, 100, 20
SIGNALS, PADDING = 12, 30_000
MEGABYTES_FOR_THE_STALLED = 150
PROMPT_SECONDS = 2.0
SENT_AWAY_SECONDS = 45.0
"""The server asks a silent socket for a sign of life every 20 seconds, and waits as long for it."""


@dataclass(frozen=True)
class Kind:
    """So many clients that send `first`, then a byte a second of `drip`.

    They are to be ended after `seconds`; where they are told so before, `told` is in it, `linger` seconds later at
    the latest. `answered`: the time runs from the first answer on."""

    name: str
    count: int
    first: bytes
    seconds: float
    drip: bytes = b""
    answered: bool = False
    told: bytes = b""
    linger: float = 0.0


@dataclass
class Life:
    """What became of a client: the seconds until it was told, and until its connection was ended."""

    told: float | None = None
    ended: float = 0.0


@dataclass(frozen=True)
class Forgotten:
    """Readers that do not read, what they have been told since, and when they stalled."""

    readers: list[Reader]
    cursors: list[str]
    since: float


def _kinds(installation: Installation) -> list[Kind]:
    whole = post(installation, "/graphql", {"query": QUERY})
    return [
        Kind("silent", 300, b"", HEAD_SECONDS),
        Kind("half a head", 50, b"POST /graphql HTTP/1.1\r\nHost: x\r\nX-Slow: ", HEAD_SECONDS, drip=b"x"),
        Kind("half a body", 30, whole[:-40], BODY_SECONDS, b" ", told=b" 408 ", linger=HEAD_SECONDS),
        Kind("kept", 50, whole, KEEP_ALIVE_SECONDS, answered=True),
        Kind(
            "socket without init",
            20,
            upgrade(installation),
            INIT_SECONDS,
            answered=True,
            told=(4408).to_bytes(2),
            linger=CLOSE_REPLY_SECONDS,
        ),
    ]


@pytest.fixture(scope="module")
def forgotten(installation: Installation) -> Iterator[Forgotten]:
    """Opened first, so that they have stalled for long when their test comes."""
    beginning = begin(installation, "forgotten")
    readers: list[Reader] = [SocketReader(installation, beginning) for _ in range(LATE)]
    open_all(readers)
    cursors, _ = _told_to_a_healthy_one(installation, beginning, "forgotten")
    yield Forgotten(readers, cursors, time.monotonic())
    for reader in readers:
        reader.close()


@pytest.mark.usefixtures("forgotten")
async def test_bad_connections_end_in_time_and_nobody_else_waits(installation: Installation) -> None:
    alone = await _p95(installation, asyncio.create_task(asyncio.sleep(4)))
    kinds = _kinds(installation)
    crowd = asyncio.gather(*(_crowd(installation, kind) for kind in kinds))
    beside = await _p95(installation, crowd)
    for kind, lives in zip(kinds, await crowd, strict=True):
        _check(kind, lives)
    print(f"p95 of healthy requests: {alone * 1000:.0f} ms alone, {beside * 1000:.0f} ms beside the crowd")


def _check(kind: Kind, lives: list[Life]) -> None:
    first, last = min(life.ended for life in lives), max(life.ended for life in lives)
    told = [life.told for life in lives if life.told is not None]
    said = f", told after {max(told):.1f} s" if told else ""
    print(f"{kind.count} x {kind.name}: ended after {first:.1f} to {last:.1f} s{said}")
    assert first > kind.seconds - 1
    assert last < kind.seconds + kind.linger + GRACE_SECONDS
    assert not kind.told or (len(told) == kind.count and max(told) < kind.seconds + GRACE_SECONDS)


async def _crowd(installation: Installation, kind: Kind) -> list[Life]:
    return await asyncio.gather(*(_life(installation, kind) for _ in range(kind.count)))


async def _life(installation: Installation, kind: Kind) -> Life:
    line, life = await Line.open(installation), Life()
    began = time.monotonic()
    line.send(kind.first)
    while (piece := await line.piece(1.0)) != b"":
        if piece is None:
            line.send(kind.drip)
        elif kind.told and kind.told in piece:
            life.told = time.monotonic() - began
        elif kind.answered:
            began = time.monotonic()
    life.ended = time.monotonic() - began
    line.close()
    return life


async def _p95(installation: Installation, until: asyncio.Future[Any]) -> float:
    """Of well-behaved requests, one after another until the other is done; each must succeed."""
    requests = [
        post(installation, "/graphql", {"query": QUERY}),
        post(installation, "/v1/signals", {"type": "api_call", "source": "healthy", "email": "ada@healthy.dev"}),
    ]
    line = await Line.open(installation)
    took: list[float] = []
    while not until.done():
        began = time.monotonic()
        answer = await line.ask(requests[len(took) % 2])
        took.append(time.monotonic() - began)
        assert answer.status in (200, 202), answer
        await asyncio.sleep(0.02)
    line.close()
    return statistics.quantiles(took, n=20)[-1]


def test_readers_that_stall_cost_little_and_lose_nothing(installation: Installation) -> None:
    raise_file_limit(STALLED_SOCKETS + STALLED_EVENTS + 200)
    beginning = begin(installation, "stalled")
    web = installation.pid("web")
    before, kernel_before = resident_megabytes(web), _kernel_megabytes()
    readers: list[Reader] = [SocketReader(installation, beginning) for _ in range(STALLED_SOCKETS)]
    readers += [EventsReader(installation, beginning) for _ in range(STALLED_EVENTS)]
    try:
        open_all(readers)
        opened = resident_megabytes(web)
        cursors, delays = _told_to_a_healthy_one(installation, beginning, "stalled")
        after, kernel_after = resident_megabytes(web), _kernel_megabytes()
        late = [*readers[:LATE], *readers[-LATE:]]
        caught_up = [_caught_up(installation, reader, cursors) for reader in late]
    finally:
        for reader in readers:
            reader.close()
    took = _answered_after_all_left(installation)
    print(
        f"{len(readers)} stalled readers: web {before:.0f} MB, {opened:.0f} MB with all open, {after:.0f} MB after "
        f"{SIGNALS} events of {PADDING // 1000} KB; kernel {kernel_before:.0f} to {kernel_after:.0f} MB; a healthy "
        f"reader was told after {min(delays):.2f} to {max(delays):.2f} s, at last {delays[-1]:.2f} s; "
        f"{len(late)} read on later without a gap, {sum(caught_up)} of them by reconnecting; "
        f"when all left at once, the next was answered within {took:.2f} s"
    )
    assert took < PROMPT_SECONDS
    assert after - before < MEGABYTES_FOR_THE_STALLED
    assert delays[-1] < PROMPT_SECONDS


def test_readers_that_stall_for_long_are_sent_away_and_lose_nothing(
    installation: Installation, forgotten: Forgotten
) -> None:
    time.sleep(max(0.0, forgotten.since + SENT_AWAY_SECONDS - time.monotonic()))
    caught_up = [_caught_up(installation, reader, forgotten.cursors) for reader in forgotten.readers]
    print(f"{sum(caught_up)} of {LATE} that had stalled for long came back on a new connection; no gap")
    assert all(caught_up), "they were to be sent away"


def _told_to_a_healthy_one(installation: Installation, beginning: str, name: str) -> tuple[list[str], list[float]]:
    """Sends large signals, each when the one before was told; their cursors, and the seconds until told."""
    cursors: list[str] = []
    delays: list[float] = []
    with following(installation, beginning) as follower, installation.client() as client:
        for number in range(SIGNALS):
            key = f"{name}-{number}"
            row = {"type": "api_call", "source": SOURCE, "email": f"ada@{name}.dev", "idempotencyKey": key}
            answer = client.post("/v1/signals", json=row | {"properties": {"key": key, "padding": "x" * PADDING}})
            cursors.append(answer.json()["eventCursor"])
            delays.append(installation.wait_for(partial(follower.received.__contains__, key), 30))
        assert set(follower.received.values()) == {1} and len(follower.received) == SIGNALS
    return cursors, delays


def _answered_after_all_left(installation: Installation) -> float:
    """The longest that a request takes now: those who leave give back what they had in use."""
    took = []
    with installation.client() as client:
        for _ in range(20):
            began = time.monotonic()
            assert client.post("/graphql", json={"query": QUERY}, timeout=30).status_code == 200
            took.append(time.monotonic() - began)
    return max(took)


def _caught_up(installation: Installation, reader: Reader, cursors: list[str]) -> bool:
    """Reads what the reader left unread, on a new connection where it has lost its own; whether it had to."""
    found = reader.cursors(len(cursors))
    if len(found) >= len(cursors):
        assert found[: len(cursors)] == cursors
        return False
    again = type(reader)(installation, found[-1] if found else reader.after)
    try:
        open_all([again])
        assert [*found, *again.cursors(len(cursors) - len(found))][: len(cursors)] == cursors
    finally:
        again.close()
    return True


def _kernel_megabytes() -> float:
    """What all TCP connections of the machine hold in buffers of the kernel."""
    line = next(line for line in Path("/proc/net/sockstat").read_text().splitlines() if line.startswith("TCP:"))
    return int(line.split()[-1]) * 4_096 / 1024**2
