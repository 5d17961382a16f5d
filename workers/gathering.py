"""Spreads the jobs of actors that work on many events together: the first of an organization at once, and what follows
soon after is gathered into the next one, so that a stream of small events is not a stream of small jobs."""

import heapq
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import orjson

from app.core import jobs
from app.core.work import Work

JOBS_PER_SECOND = 10
LONGEST_PAUSE_SECONDS = 2.0
_QUIET_SECONDS = 1.0


@dataclass(slots=True)
class _Stream:
    """What one actor is given of one organization: when its next job may start, and the job that waits for that."""

    next_at: float = 0.0
    waiting: UUID | None = None


@dataclass(slots=True)
class Gathering:
    """The streams that flow just now; together they cause about `JOBS_PER_SECOND`, however many there are."""

    _streams: OrderedDict[tuple[UUID, str], _Stream] = field(default_factory=OrderedDict)
    _due: list[tuple[float, UUID, UUID]] = field(default_factory=list)

    async def queue(self, unit: Work, type_: str, first: int, last: int) -> UUID | None:
        """Sees to it that a job works on the events from `first` to `last`; its id where it may start at once."""
        stream = self._stream(unit.organization, type_)
        now = time.monotonic()
        wait = stream.next_at - now
        if wait > 0 and stream.waiting and await jobs.extend(unit, stream.waiting, last):
            return None
        payload = orjson.dumps({"first": first, "last": last}).decode()
        start = max(now, stream.next_at)
        job = await jobs.queue(unit, type_, str(first), payload, delay=timedelta(seconds=max(0.0, wait)))
        stream.waiting = job if wait > 0 else None
        stream.next_at = start
        stream.next_at += self._pause()
        if job is None or wait <= 0:
            return job
        heapq.heappush(self._due, (start, unit.organization, job))
        return None

    def due(self) -> list[tuple[UUID, UUID]]:
        """The jobs, each with its organization, whose time has come."""
        found = []
        while self._due and self._due[0][0] <= time.monotonic():
            _, tenant, job = heapq.heappop(self._due)
            found.append((tenant, job))
        return found

    def seconds_until_due(self) -> float | None:
        return max(0.0, self._due[0][0] - time.monotonic()) if self._due else None

    def _stream(self, tenant: UUID, type_: str) -> _Stream:
        key = (tenant, type_)
        stream = self._streams.setdefault(key, _Stream())
        self._streams.move_to_end(key)
        return stream

    def _pause(self) -> float:
        quiet = time.monotonic() - _QUIET_SECONDS
        while self._streams and next(iter(self._streams.values())).next_at < quiet:
            self._streams.popitem(last=False)
        return min(LONGEST_PAUSE_SECONDS, len(self._streams) / JOBS_PER_SECOND)
