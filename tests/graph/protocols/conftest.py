"""What the suites of the two protocols look at from outside: Valkey's readers."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.factories.work import Backstage

Followers = Callable[[], Awaitable[int]]


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 8) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.02)


@pytest.fixture
async def followers(backstage: Backstage) -> Followers:
    """How many streams the processes of these tests follow; none does when the test begins."""
    number = str(backstage.redis.connection_pool.connection_kwargs["db"])

    async def count() -> int:
        clients: list[dict[str, Any]] = await backstage.redis.client_list()
        return sum(1 for client in clients if client["db"] == number and "b" in client["flags"])

    async def nobody() -> bool:
        return await count() == 0

    await until(nobody)
    return count
