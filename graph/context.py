"""What an operation carries: who asks, the read transaction, and the loaders that batch its relations."""

import time
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import strawberry
from strawberry.dataloader import DataLoader

from app.core.config import Settings
from app.core.db import Database
from app.core.live import Live
from app.core.work import Reads, Work
from app.identity.principals import ANONYMOUS, Principal, renewed
from graph.core.budget import Budget

ASK_AGAIN_SECONDS = 5


@dataclass(slots=True)
class Context:
    """One per operation, and one per event of a subscription: loaders never outlive what they answered."""

    settings: Settings
    database: Database
    live: Live
    principal: Principal = ANONYMOUS
    reads: Reads = field(default=None)  # type: ignore[assignment]
    last_event_id: str | None = None
    cursor: str | None = None
    work: Work = field(default=None)  # type: ignore[assignment]
    budget: Budget = field(default_factory=Budget)
    _asked_at: float = field(default_factory=time.monotonic)
    _loaders: dict[Hashable, DataLoader[Any, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.reads is None:
            self.reads = Reads(self.database, self.principal.tenant)

    @property
    def rows_read(self) -> int:
        return self.reads.row_count

    def loader(self, key: Hashable, load: Callable[[list[Any]], Awaitable[Sequence[Any]]]) -> DataLoader[Any, Any]:
        """The operation's loader of this name; siblings that ask in one tick are answered by one `load`."""
        found = self._loaders.get(key)
        if found is None:
            found = self._loaders[key] = DataLoader(load_fn=load)
        return found

    async def refresh(self) -> None:
        """Forgets what was read, so that what follows a write sees it."""
        self._loaders.clear()
        await self.reads.close()

    async def ask_again(self) -> None:
        """Looks up, every few seconds, whether the asker is still who they were; a refusal where not."""
        if time.monotonic() - self._asked_at > ASK_AGAIN_SECONDS:
            self._asked_at = time.monotonic()
            self.principal = await renewed(self.database, self.principal)

    def fresh(self) -> "Context":
        """The same asker with reads and loaders of its own."""
        return Context(self.settings, self.database, self.live, self.principal, budget=self.budget)


Info = strawberry.Info[Context, None]
