"""A whole installation, as `devsignal up` runs it, with its processes at hand to be killed."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from httpx2 import Client, HTTPError

from app.core.embedded import Place

ROOT = Path(__file__).parents[2]
OF_OTHERS = ("DATABASE_URL", "DATABASE_MIGRATION_URL", "REDIS_URL", "PORT", "DEVSIGNAL_DATA_DIR")
SETTINGS = {
    "DEVSIGNAL_REQUEST_RATE": "100000",
    "DEVSIGNAL_ADDRESS_REQUEST_RATE": "100000",
    "DEVSIGNAL_JOB_LEASE_SECONDS": "10",  # after which the jobs of a killed worker are taken over
}
NAMES = {
    "web": "-m graph serve",
    "worker": "-m workers run",
    "relay": "-m workers relay",
    "scheduler": "-m workers schedule",
    "postgres": "/postgres -D",
    "valkey": "valkey-server",
}


@dataclass(frozen=True)
class Installation:
    folder: Path
    supervisor: subprocess.Popen[bytes]
    demo: dict[str, str]

    def client(self) -> Client:
        key = {"Authorization": f"Bearer {self.demo['apiKey']}"}
        return Client(base_url=self.demo["url"], headers=key, timeout=10)

    @property
    def socket_url(self) -> str:
        return f"ws{self.demo['graphqlUrl'].removeprefix('http')}"

    def pid(self, name: str) -> int:
        """The process that plays this part now."""
        for pid in self.family():
            command = _command(pid)
            if NAMES[name] in command and "postgres:" not in command:
                return pid
        raise AssertionError(f"no {name} is running")

    def folder_of(self, name: str) -> Path:
        """Where this process works: an engine in the folder of its data."""
        return Path(f"/proc/{self.pid(name)}/cwd").readlink()

    def family(self) -> list[int]:
        """Every process that the supervisor started, and those that these started."""
        return list(_family(self.supervisor.pid))

    def kill(
        self, name: str, number: signal.Signals = signal.SIGKILL, *, then: Callable[[], None] | None = None
    ) -> None:
        """Sends the signal, does what is to be done `then`, and waits until another process has the part."""
        pid = self.pid(name)
        os.kill(pid, number)
        if then is not None:
            self.wait_for(lambda: not lives(pid), 20)
            then()
        self.wait_for(lambda: self._plays(name, besides=pid), 40)

    def wait_until_ready(self, seconds: float = 30) -> float:
        """How long it took until both engines answered the web process."""
        with self.client() as client:
            return self.wait_for(lambda: _ready(client), seconds)

    def rows(self, query: str) -> list[dict[str, Any]]:
        """What the database answers to its superuser."""
        return asyncio.run(_rows(self.environment["DATABASE_URL"], query))

    @property
    def environment(self) -> dict[str, str]:
        """The addresses of the engines at this moment."""
        lines = (self.folder / "env").read_text().splitlines()
        return {name: value.strip("'") for name, _, value in (line.partition("=") for line in lines)}

    @staticmethod
    def wait_for(condition: Callable[[], Any], seconds: float) -> float:
        """Waits for the condition; how long it took."""
        started = time.monotonic()
        while not condition():
            assert time.monotonic() - started < seconds, "it took too long"
            time.sleep(0.05)
        return time.monotonic() - started

    def _plays(self, name: str, besides: int) -> bool:
        try:
            return self.pid(name) != besides
        except AssertionError:
            return False


@contextmanager
def started(folder: Path, port: int, log: Path | None = None) -> Iterator[Installation]:
    """An installation whose data is in the folder; ended, if it still runs, with the block."""
    environment = {name: value for name, value in os.environ.items() if name not in OF_OTHERS} | SETTINGS
    command = [sys.executable, "-m", "app.cli", "up", "--data-dir", str(folder), "--port", str(port)]
    with (log or Path(os.devnull)).open("ab") as said:
        supervisor = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=said)
        try:
            Installation.wait_for(lambda: _listens(port) or supervisor.poll() is not None, 90)
            assert supervisor.poll() is None, "the supervisor has ended"
            installation = Installation(folder, supervisor, json.loads((folder / "demo.json").read_text()))
            installation.wait_until_ready()
            yield installation
        finally:
            supervisor.send_signal(signal.SIGTERM)
            supervisor.wait(40)


def forget(folder: Path) -> None:
    """Removes what the engines of a stopped installation have stored."""
    Place(folder).remove()


def lives(pid: int) -> bool:
    """Whether the process is there and has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def resident_megabytes(pid: int) -> float:
    """What the process holds in memory."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


async def _rows(url: str, query: str) -> list[dict[str, Any]]:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        return [dict(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


def _ready(client: Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except HTTPError:
        return False


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _family(pid: int) -> Iterator[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for child in map(int, children):
        yield child
        yield from _family(child)


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""
