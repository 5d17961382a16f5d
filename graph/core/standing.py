"""Whether those who follow a stream still may: looked up every few seconds, once for all streams of an asker."""

import time
from collections import OrderedDict
from dataclasses import dataclass, field
from uuid import UUID

from app.core.db import Database
from app.core.errors import Refusal
from app.identity.principals import Principal, renewed

ASK_AGAIN_SECONDS = 5.0
_REMEMBERED = 10_000


@dataclass(slots=True)
class Standing:
    """What each asker was last found to be allowed, kept per process."""

    _found: OrderedDict[tuple[UUID, UUID | None], tuple[float, Principal | Refusal]] = field(
        default_factory=OrderedDict
    )

    async def of(self, database: Database, principal: Principal) -> Principal:
        """The principal as it is now, give or take five seconds; a refusal where it may no longer ask."""
        asker = (principal.tenant, principal.key or principal.session)
        at, standing = self._found.get(asker, (0.0, principal))
        if time.monotonic() - at > ASK_AGAIN_SECONDS:
            try:
                standing = await renewed(database, principal)
            except Refusal as refusal:
                standing = refusal
            self._found[asker] = (time.monotonic(), standing)
            while len(self._found) > _REMEMBERED:
                self._found.popitem(last=False)
        if isinstance(standing, Refusal):
            raise Refusal.of(standing.problems)
        return standing
