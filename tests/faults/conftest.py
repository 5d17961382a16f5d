"""The whole installation, as `devsignal up` runs it, with its processes at hand to be killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Client, HTTPError

from app.core.embedded import Place
from tests.factories.web import free_port

ROOT = Path(__file__).parents[2]
OF_OTHERS = ("DATABASE_URL", "DATABASE_MIGRATION_URL", "REDIS_URL", "PORT", "DEVSIGNAL_DATA_DIR")
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

    def pid(self, name: str) -> int:
        """The process that plays this part now."""
        for pid in _family(self.supervisor.pid):
            command = _command(pid)
            if NAMES[name] in command and "postgres:" not in command:
                return pid
        raise AssertionError(f"no {name} is running")

    def kill(self, name: str) -> None:
        """`kill -9`, and a wait until another one has its part."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)
        self.wait_for(lambda: self._plays(name, besides=pid), 30)

    def wait_until_ready(self) -> None:
        with self.client() as client:
            self.wait_for(lambda: _ready(client), 30)

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


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("installation") / "data"
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if name not in OF_OTHERS}
    command = [sys.executable, "-m", "app.cli", "up", "--data-dir", str(folder), "--port", str(port)]
    supervisor = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        demo = folder / "demo.json"
        Installation.wait_for(lambda: demo.exists() or supervisor.poll() is not None, 60)
        started = Installation(folder, supervisor, json.loads(demo.read_text()))
        started.wait_until_ready()
        yield started
    finally:
        supervisor.send_signal(signal.SIGTERM)
        supervisor.wait(20)
        Place(folder).remove()


def _ready(client: Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except HTTPError:
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
