"""Live feeds: the events of an organization as a stream in Valkey, read once per process and resumable by number.

There are no queues per reader. A reader is a cursor: while it is behind it is fed from the ring of recent events or
from the stream, and only when it stands at the head does it wait. A slow reader holds nothing but its number."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.core.errors import Code, Refusal

MAX_LENGTH = 10_000
RING = 1_000
_BATCH = 200
_BLOCK_MS = 2_000
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """An event on its stream: its number in the organization, its name, what it says."""

    seq: int
    name: str
    payload: Mapping[str, Any]


def stream_of(organization: UUID) -> str:
    return f"devsignal:live:{organization}"


_APPEND = """
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local last = newest and tonumber(string.match(newest[1], '^%d+')) or 0
if last < tonumber(ARGV[1]) then return last end
for i = 3, #ARGV, 3 do
  if tonumber(ARGV[i]) > last then
    redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], ARGV[i] .. '-0', 'name', ARGV[i + 1], 'payload', ARGV[i + 2])
  end
end
return -1
"""


async def append(redis: Redis, organization: UUID, entries: Sequence[Entry], *, follows: int) -> int | None:
    """Adds the entries under their own numbers; those the stream has already are left as they are.

    A stream that does not reach as far as `follows` gets none: the answer is its last number."""
    said = [part for e in entries for part in (e.seq, e.name, orjson.dumps(e.payload))]
    ends_at: int = await redis.register_script(_APPEND)([stream_of(organization)], [follows, MAX_LENGTH, *said])
    return None if ends_at < 0 else ends_at


async def last_number(redis: Redis, organization: UUID) -> int:
    """The newest number on the stream, 0 while there is none."""
    newest: Any = await _answered(redis.xrevrange(stream_of(organization), count=1))
    return _number(newest[0][0]) if newest else 0


@dataclass(eq=False, slots=True)
class _Feed:
    """One organization's stream as one process sees it."""

    head: int
    ring: deque[Entry] = field(default_factory=lambda: deque(maxlen=RING))
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    readers: int = 0
    task: asyncio.Task[None] | None = None

    def take(self, entries: list[Entry]) -> None:
        self.ring.extend(entries)
        self.head = entries[-1].seq
        self.arrived.set()
        self.arrived = asyncio.Event()

    def since(self, cursor: int) -> list[Entry] | None:
        """The entries after the cursor, or None where the ring does not reach back to it."""
        if cursor >= self.head:
            return []
        if not self.ring or self.ring[0].seq > cursor + 1:
            return None
        return [entry for entry in self.ring if entry.seq > cursor][:_BATCH]


class Live:
    """The feeds of a process. One connection and one task read each organization that has readers."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._feeds: dict[UUID, _Feed] = {}
        self._closing = asyncio.Event()

    async def read(self, organization: UUID, after: int) -> AsyncIterator[list[Entry]]:
        """Batches of events after the number, then of those to come; an empty batch every few quiet seconds.

        `CURSOR_EXPIRED` where events after it have left the stream: the client must fetch again."""
        async with self._feed(organization) as feed:
            cursor = after
            yield []
            while not self._closing.is_set():
                entries = feed.since(cursor)
                if entries is None:
                    entries = await self._from_stream(organization, cursor)
                if entries:
                    cursor = entries[-1].seq
                    yield entries
                elif await self._quiet(feed, cursor):
                    yield []

    @property
    def closing(self) -> bool:
        """Whether the process is about to stop."""
        return self._closing.is_set()

    def close(self) -> None:
        """Ends every reader after its batch."""
        self._closing.set()

    async def _quiet(self, feed: _Feed, cursor: int) -> bool:
        """Waits at the head for what comes next; whether nothing came."""
        arrived = feed.arrived
        if cursor < feed.head:
            await asyncio.sleep(0.2)  # the stream is being refilled: look again shortly
            return False
        waiting = [asyncio.ensure_future(arrived.wait()), asyncio.ensure_future(self._closing.wait())]
        try:
            done, _ = await asyncio.wait(waiting, timeout=_BLOCK_MS / 1000, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()
        return not done

    async def _from_stream(self, organization: UUID, cursor: int) -> list[Entry]:
        oldest: Any = await _answered(self._redis.xrange(stream_of(organization), count=1))
        if oldest and _number(oldest[0][0]) > cursor + 1:
            raise Refusal(Code.CURSOR_EXPIRED, "events after this cursor are gone: fetch again", ("after",))
        found: Any = await _answered(self._redis.xrange(stream_of(organization), min=f"({cursor}-0", count=_BATCH))
        return [_entry(id_, fields) for id_, fields in found]

    @asynccontextmanager
    async def _feed(self, organization: UUID) -> AsyncIterator[_Feed]:
        feed = self._feeds.get(organization)
        if feed is None:
            head = await last_number(self._redis, organization)
            feed = self._feeds.setdefault(organization, _Feed(head))
        if feed.task is None:
            feed.task = asyncio.create_task(self._follow(organization, feed))
        feed.readers += 1
        try:
            yield feed
        finally:
            feed.readers -= 1
            if feed.readers == 0:
                feed.task.cancel()
                self._feeds.pop(organization, None)

    async def _follow(self, organization: UUID, feed: _Feed) -> None:
        """Feeds the ring from the stream, through losses of Valkey, until the last reader leaves."""
        stream = stream_of(organization)
        while True:
            try:
                waiting = self._redis.xread({stream: f"{feed.head}-0"}, count=_BATCH, block=_BLOCK_MS)
                answer: Any = await _answered(waiting)
            except RedisError as error:
                _log.warning("live.stream_unreachable", error=str(error))
                await asyncio.sleep(0.5)
                continue
            for _, found in answer or ():
                feed.take([_entry(id_, fields) for id_, fields in found])


async def _answered(question: Awaitable[Any]) -> Any:
    """Valkey's answer; or the cancellation that redis-py loses while it sends, by `wait_for` before Python 3.12."""
    answer = await question
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
    return answer


def _number(id_: bytes) -> int:
    return int(id_.split(b"-")[0])


def _entry(id_: bytes, fields: Mapping[bytes, bytes]) -> Entry:
    return Entry(_number(id_), fields[b"name"].decode(), orjson.loads(fields[b"payload"]))
