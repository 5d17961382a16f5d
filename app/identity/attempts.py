"""Wrong passwords are counted, so that nobody can try them all: for an account, for an address, and for both."""

import contextlib
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.core import crypto
from app.core.errors import Code, Refusal

_OF_BOTH = parse("10 per 15 minute")
_OF_ACCOUNT = parse("50 per hour")
_OF_ADDRESS = parse("100 per 15 minute")


@dataclass(frozen=True, slots=True)
class Attempt:
    """A log-in that is tried: for which account (e-mail address), from which network address."""

    account: str
    address: str

    def windows(self) -> Iterator[tuple[RateLimitItem, str]]:
        """Each limit that the attempt counts towards, with its key. What somebody typed is not kept in clear."""
        account = crypto.digest(self.account).hex()
        yield _OF_BOTH, f"{account}:{self.address}"
        yield _OF_ACCOUNT, account
        yield _OF_ADDRESS, self.address


class Attempts:
    """Wrong passwords of the last hour, counted in Valkey for all web processes; in this one alone while it is away.

    Only wrong ones count, so that who knows the password is held up by nobody but a guesser at the same account."""

    def __init__(self, redis: Redis) -> None:
        pool: Any = redis.connection_pool
        storage = RedisStorage(
            "async+redis://", implementation="redispy", key_prefix="devsignal:attempts", connection_pool=pool
        )
        self._shared = SlidingWindowCounterRateLimiter(storage)
        self._own = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def refuse_too_many(self, attempt: Attempt) -> None:
        """A `RATE_LIMITED` refusal, with the seconds to wait, where a limit is reached."""
        for limiter in (self._shared, self._own):
            with contextlib.suppress(RedisError):
                for limit, key in attempt.windows():
                    if not await limiter.test(limit, key):
                        ends = (await limiter.get_window_stats(limit, key)).reset_time
                        wait = max(1, math.ceil(ends - time.time()))
                        raise Refusal(Code.RATE_LIMITED, "too many wrong passwords: try again later", retry_after=wait)

    async def note_wrong(self, attempt: Attempt) -> None:
        """Counts a wrong password."""
        for limit, key in attempt.windows():
            try:
                await self._shared.hit(limit, key)
            except RedisError:
                await self._own.hit(limit, key)
