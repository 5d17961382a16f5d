"""What each asker may use: buckets that refill with time, and shares of what is held open. Kept per process."""

import math
import time
from collections import Counter, OrderedDict
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from app.core.errors import Code, Refusal

_REMEMBERED = 20_000


@dataclass(slots=True)
class Buckets:
    """A token bucket per key: it holds `maximum`, and refills by `restore_rate` a second."""

    maximum: float
    restore_rate: float
    _left: OrderedDict[Hashable, tuple[float, float]] = field(default_factory=OrderedDict)

    def take(self, key: Hashable, amount: float = 1) -> int:
        """Takes the amount; where too little is left nothing is taken, and the answer is the seconds to wait."""
        left = self.left(key)
        if left < amount:
            return math.ceil((amount - left) / self.restore_rate)
        self._left[key] = (left - amount, time.monotonic())
        self._left.move_to_end(key)
        if len(self._left) > _REMEMBERED:
            self._left.popitem(last=False)
        return 0

    def count(self, key: Hashable) -> None:
        """Takes one request off; a `RATE_LIMITED` refusal with the seconds to wait where nothing is left."""
        if wait := self.take(key):
            raise Refusal(Code.RATE_LIMITED, f"too many requests: try again in {wait} s", retry_after=wait)

    def left(self, key: Hashable) -> float:
        left, at = self._left.get(key, (self.maximum, 0.0))
        return min(self.maximum, left + (time.monotonic() - at) * self.restore_rate)

    def header(self, key: Hashable) -> str:
        """The value of the RateLimit header: what is left, and the seconds until all of it is back."""
        left = self.left(key)
        return f'"requests";r={int(left)};t={math.ceil((self.maximum - left) / self.restore_rate)}'

    def throttle(self, key: Hashable) -> dict[str, Any]:
        """The bucket as `extensions.cost.throttle` shows it."""
        return {"maximum": int(self.maximum), "available": int(self.left(key)), "restoreRate": int(self.restore_rate)}


@dataclass(slots=True)
class Shares:
    """How many of something each key may hold at once."""

    what: str
    maximum: int
    _held: Counter[Hashable] = field(default_factory=Counter)

    @contextmanager
    def held(self, key: Hashable) -> Iterator[None]:
        """Holds one more for as long as the block runs; a `RATE_LIMITED` refusal where the key has its share."""
        if self._held[key] >= self.maximum:
            raise Refusal(Code.RATE_LIMITED, f"at most {self.maximum} {self.what} may be open at once", retry_after=5)
        self._held[key] += 1
        try:
            yield
        finally:
            self._held[key] -= 1
            if not self._held[key]:
                del self._held[key]
