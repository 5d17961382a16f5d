"""Whether the process lives, whether it can work, and what it counts."""

import asyncio

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from redis.exceptions import RedisError
from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from app.core.tenancy import SYSTEM
from app.core.work import Reads
from app.identity.models import Organization
from graph.server import Server


async def healthz(request: Request) -> Response:
    """Answers 200 while the process runs."""
    return PlainTextResponse("ok\n")


class Readiness:
    def __init__(self, server: Server) -> None:
        self._server = server

    async def __call__(self, request: Request) -> Response:
        """Answers 200 when the database and Valkey answer, 503 with what does not."""
        names = ("database", "valkey")
        answers = await asyncio.gather(self._database(), self._valkey(), return_exceptions=True)
        state = {
            name: "ok" if not isinstance(a, BaseException) else type(a).__name__
            for name, a in zip(names, answers, strict=True)
        }
        ready = all(value == "ok" for value in state.values())
        return Response(orjson.dumps(state), 200 if ready else 503, media_type="application/json")

    async def _database(self) -> None:
        async with asyncio.timeout(3), Reads(self._server.database, SYSTEM) as reads:
            await reads.value(select(Organization.id))

    async def _valkey(self) -> None:
        async with asyncio.timeout(3):
            if not await self._server.redis.ping():
                raise RedisError


async def metrics(request: Request) -> Response:
    """The process's counters in Prometheus' text format."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
