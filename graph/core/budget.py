"""A budget of cost per asker, which refills with time: one heavy client cannot crowd out the others."""

import math
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from app.identity.principals import Principal
from graph.core.errors import LimitExceeded

MAXIMUM = 200_000
RESTORE_RATE = 20_000
_REMEMBERED = 10_000


@dataclass(slots=True)
class Budget:
    """What each asker has left, kept per process. `restore_rate` is points per second."""

    maximum: int = MAXIMUM
    restore_rate: int = RESTORE_RATE
    _left: OrderedDict[UUID, tuple[float, float]] = field(default_factory=OrderedDict)

    def spend(self, principal: Principal, cost: int) -> None:
        """Takes the cost off; `LimitExceeded` with the seconds to wait where too little is left."""
        left, at = self._available(principal), time.monotonic()
        if left < cost:
            wait = math.ceil((cost - left) / self.restore_rate)
            raise LimitExceeded(
                f"the cost budget is spent: try again in {wait} s", retryAfter=wait, **self.shown(principal)
            )
        self._left[_asker(principal)] = (left - cost, at)
        while len(self._left) > _REMEMBERED:
            self._left.popitem(last=False)

    def shown(self, principal: Principal) -> dict[str, Any]:
        return {
            "maximum": self.maximum,
            "available": int(self._available(principal)),
            "restoreRate": self.restore_rate,
        }

    def _available(self, principal: Principal) -> float:
        left, at = self._left.get(_asker(principal), (float(self.maximum), 0.0))
        return min(float(self.maximum), left + (time.monotonic() - at) * self.restore_rate)


def _asker(principal: Principal) -> UUID:
    return principal.key or principal.user or principal.tenant
