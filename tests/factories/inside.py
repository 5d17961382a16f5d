"""The web process inside the test's own, on a port, with settings that a test chooses."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from httpx2 import AsyncClient

from app.core.config import Settings
from graph.__main__ import server_of
from graph.asgi import application_with
from tests.factories.web import free_port


@asynccontextmanager
async def serving(settings: Settings, **changes: Any) -> AsyncIterator[str]:
    """The address of a web process with these changes to the settings, for as long as the block runs."""
    port = free_port()
    chosen = settings.model_copy(update=changes)
    server = server_of(application_with(chosen), chosen, port=port)
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await running


@asynccontextmanager
async def asking(settings: Settings, **changes: Any) -> AsyncIterator[AsyncClient]:
    """A client of such a process."""
    async with serving(settings, **changes) as url, AsyncClient(base_url=url, timeout=10) as client:
        yield client
