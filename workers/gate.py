"""Lets jobs run side by side in a process, or one of them alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Gate:
    """Whoever wants to be alone waits until those before it are through; those after it wait in their turn."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._empty = asyncio.Event()
        self._empty.set()
        self._inside = 0

    @asynccontextmanager
    async def beside_others(self) -> AsyncIterator[None]:
        async with self._turn:
            self._inside += 1
            self._empty.clear()
        try:
            yield
        finally:
            self._inside -= 1
            if self._inside == 0:
                self._empty.set()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        async with self._turn:
            await self._empty.wait()
            yield
