"""What the web process holds while it runs: settings, connections, budgets, open sockets."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from uuid import UUID

from redis.asyncio import Redis
from starlette.websockets import WebSocket

from app.core.config import Environment, Settings
from app.core.db import Database
from app.core.errors import Code, Refusal
from app.core.live import Live
from app.identity.models import Organization
from app.identity.principals import ANONYMOUS, Credentials, authenticate
from graph.context import Context
from graph.core.budget import Budget
from graph.core.node import key_of


@dataclass(slots=True)
class Sockets:
    """The sockets that are open, so that they can be told to reconnect when the process stops."""

    _open: set[WebSocket] = field(default_factory=set)

    @contextmanager
    def holding(self, socket: WebSocket) -> Iterator[None]:
        self._open.add(socket)
        try:
            yield
        finally:
            self._open.discard(socket)

    async def close(self) -> None:
        """Asks every client to come back: 1012, service restart."""
        for socket in list(self._open):
            try:
                await socket.close(1012, "Restarting: reconnect")
            except RuntimeError:
                continue  # closed by its own side meanwhile

    def __len__(self) -> int:
        return len(self._open)


@dataclass(slots=True)
class Server:
    settings: Settings
    database: Database
    redis: Redis
    live: Live
    budget: Budget = field(default_factory=Budget)
    sockets: Sockets = field(default_factory=Sockets)

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator["Server"]:
        redis = Redis.from_url(settings.redis_url.get_secret_value(), socket_connect_timeout=5)
        opened = Database.open(
            settings.database_url.get_secret_value(),
            pool_size=settings.database_pool_size,
            statement_timeout_ms=settings.statement_timeout_ms,
        )
        async with opened as database:
            try:
                yield cls(settings, database, redis, Live(redis))
            finally:
                await redis.aclose()

    @property
    def shows_graphiql(self) -> bool:
        return self.settings.environment is Environment.DEVELOPMENT

    async def context(self, headers: Mapping[str, str]) -> Context:
        """The context of one operation; a refusal where the credentials are no good."""
        credentials = credentials_of(headers)
        if credentials is None:
            return Context(self.settings, self.database, self.live, ANONYMOUS, budget=self.budget)
        principal, reads = await authenticate(self.database, self.settings.secret_bytes, credentials)
        return Context(self.settings, self.database, self.live, principal, reads, budget=self.budget)


def credentials_of(headers: Mapping[str, str]) -> Credentials | None:
    """What the headers carry; names in lower case. None where they carry nothing."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme and scheme.lower() != "bearer":
        raise Refusal(Code.UNAUTHENTICATED, "the Authorization header must be `Bearer <token>`")
    token = token.strip() or headers.get("x-api-key", "").strip()
    if not token:
        return None
    chosen = headers.get("x-organization-id")
    return Credentials(token, _organization(chosen) if chosen else None)


def _organization(text: str) -> UUID:
    try:
        return key_of(Organization, text)
    except Refusal:
        raise Refusal(Code.INVALID, "X-Organization-Id is not the id of an organization") from None
