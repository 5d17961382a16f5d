"""The web process on a port of its own, as production runs it, with the engines of the tests."""

import asyncio
import os
import socket
import sys
import tempfile
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from httpx2 import AsyncClient, HTTPError

from app.core.config import Settings

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Web:
    """A running web process."""

    url: str
    process: Process
    log: IO[bytes]

    @property
    def socket_url(self) -> str:
        return f"ws{self.url.removeprefix('http')}/graphql"

    def said(self) -> str:
        """What it has written so far."""
        self.log.seek(0)
        return self.log.read().decode()

    def stop(self) -> None:
        """Asks it to stop, as a supervisor does."""
        self.process.terminate()

    async def ended(self) -> int:
        async with asyncio.timeout(15):
            return await self.process.wait()


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Web]:
    """`python -m graph serve` on a free port, ready for requests; killed at the end if it still runs."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = ["graph", "serve", "--port", str(port)]
    with tempfile.TemporaryFile() as log:
        async with process_of(settings, log, *command, DEVSIGNAL_PUBLIC_URL=url) as process:
            web = Web(url, process, log)
            await _until_ready(web)
            yield web


@asynccontextmanager
async def process_of(settings: Settings, log: IO[bytes], *command: str, **environment: str) -> AsyncIterator[Process]:
    """`python -m` the command, on the engines of the settings; killed at the end if it does not stop."""
    of_tests = {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "REDIS_URL": settings.redis_url.get_secret_value(),
        "DEVSIGNAL_DATABASE_POOL_SIZE": "5",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *command, cwd=ROOT, env=os.environ | of_tests | environment, stdout=log, stderr=log
    )
    try:
        yield process
    finally:
        await _end(process)


async def _end(process: Process) -> None:
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(10):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def _until_ready(web: Web) -> None:
    async with AsyncClient(base_url=web.url) as client, asyncio.timeout(60):
        while True:
            if web.process.returncode is not None:
                raise RuntimeError(f"the web process ended:\n{web.said()}")
            try:
                if (await client.get("/readyz")).status_code == 200:
                    return
            except HTTPError:
                pass
            await asyncio.sleep(0.05)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
