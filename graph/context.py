"""What an operation carries: who asks, the read transaction, and the loaders that batch its relations."""

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import strawberry
from strawberry.dataloader import DataLoader

from app.core.config import Settings
from app.core.db import Database
from app.core.live import Live
from app.core.work import Reads, Work
from app.identity.principals import ANONYMOUS, Principal, authenticate
from graph.core.asker import asker_of
from graph.core.credentials import credentials_of
from graph.server import Server


@dataclass(slots=True)
class Context:
    """One per operation, and one per event of a subscription: loaders never outlive what they answered."""

    server: Server
    principal: Principal = ANONYMOUS
    address: str = ""
    reads: Reads = field(default=None)  # type: ignore[assignment]
    last_event_id: str | None = None
    cursor: str | None = None
    idempotency_key: str | None = None
    work: Work = field(default=None)  # type: ignore[assignment]
    _loaders: dict[Hashable, DataLoader[Any, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.reads is None:
            self.reads = Reads(self.server.database, self.principal.tenant)

    @property
    def settings(self) -> Settings:
        return self.server.settings

    @property
    def database(self) -> Database:
        return self.server.database

    @property
    def live(self) -> Live:
        return self.server.live

    @property
    def asker(self) -> Hashable:
        """The key under which what this asker uses is counted."""
        return asker_of(self.principal, self.address)

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
        """Takes up what the asker may do now; a refusal where it is no longer anybody."""
        self.principal = await self.server.standing.of(self.database, self.principal)

    def fresh(self) -> "Context":
        """The same asker with reads and loaders of its own."""
        return Context(self.server, self.principal, self.address)


async def context_for(server: Server, headers: Mapping[str, str], address: str = "") -> Context:
    """The context of what is asked with these headers; a refusal where the credentials are no good."""
    credentials = credentials_of(headers)
    if credentials is None:
        return Context(server, address=address)
    principal, reads = await authenticate(server.database, server.settings.secret_bytes, credentials)
    return Context(server, principal, address, reads)


Info = strawberry.Info[Context, None]
