"""The web process on a port of its own, as production runs it, with the engines of the tests."""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
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
    process: subprocess.Popen[bytes]
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
        return await asyncio.to_thread(self.process.wait, 15)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Web]:
    """`python -m graph serve` on a free port, ready for requests; killed at the end if it still runs."""
    port = free_port()
    environment = os.environ | {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "REDIS_URL": settings.redis_url.get_secret_value(),
        "DEVSIGNAL_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "DEVSIGNAL_DATABASE_POOL_SIZE": "5",
    }
    command = [sys.executable, "-m", "graph", "serve", "--port", str(port)]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        web = Web(f"http://127.0.0.1:{port}", process, log)
        try:
            await _until_ready(web)
            yield web
        finally:
            process.terminate()
            try:
                await asyncio.to_thread(process.wait, 10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


async def _until_ready(web: Web) -> None:
    async with AsyncClient(base_url=web.url) as client, asyncio.timeout(60):
        while True:
            if web.process.poll() is not None:
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
