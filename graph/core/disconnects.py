"""Clients that go away while they are waited on: their work is stopped, down to the statement in the database."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import Request

from graph.core.ending import end

T = TypeVar("T")
PATIENCE_SECONDS = 0.25


async def while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T | None:
    """What the work gives, or None where the client left first. Quick work is not watched over."""
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait([task], timeout=PATIENCE_SECONDS)
        if not done:
            await _first(task, request)
        return task.result() if task.done() else None
    finally:
        await end(task)


async def _first(task: asyncio.Future[Any], request: Request) -> None:
    leaving = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait([task, leaving], return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        continue
