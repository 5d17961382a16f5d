"""What the web process holds while it runs: settings, connections, budgets, open sockets."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from redis.asyncio import Redis
from starlette.websockets import WebSocket, WebSocketDisconnect

from app.core.config import Environment, Settings
from app.core.db import Database
from app.core.live import Live
from app.identity.attempts import Attempts
from app.signals.intake import Intake
from graph.core.quotas import Buckets, Shares
from graph.core.standing import Standing

BURST_SECONDS = 10
"""How many seconds' worth of requests, or of their cost, an asker may send at once."""


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
            except (RuntimeError, WebSocketDisconnect):
                continue  # closed by its own side, or left, meanwhile

    def __len__(self) -> int:
        return len(self._open)


@dataclass(slots=True)
class Server:
    settings: Settings
    database: Database
    redis: Redis
    live: Live
    requests: Buckets
    budget: Buckets
    streams: Shares
    subscriptions: Shares
    passwords: Attempts
    intake: Intake
    standing: Standing = field(default_factory=Standing)
    sockets: Sockets = field(default_factory=Sockets)

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator["Server"]:
        redis = Redis.from_url(settings.redis_url.get_secret_value(), socket_connect_timeout=5)
        opened = Database.open(
            settings.database_url.get_secret_value(),
            pool_size=settings.database_pool_size,
            statement_timeout_ms=settings.statement_timeout_ms,
            transaction_timeout_ms=3 * settings.statement_timeout_ms,
        )
        async with opened as database:
            try:
                yield cls(
                    settings,
                    database,
                    redis,
                    Live(redis),
                    requests=Buckets(settings.request_rate * BURST_SECONDS, settings.request_rate),
                    budget=Buckets(settings.cost_rate * BURST_SECONDS, settings.cost_rate),
                    streams=Shares("streams and sockets", settings.max_streams),
                    subscriptions=Shares("subscriptions", settings.max_streams * 2),
                    passwords=Attempts(redis),
                    intake=Intake(database),
                )
            finally:
                await redis.aclose()

    @property
    def shows_graphiql(self) -> bool:
        return self.settings.environment is Environment.DEVELOPMENT
