"""Packages from npm, installed once for all journeys, and Node to run the scripts beside this file with them."""

import asyncio
import fcntl
import hashlib
import shutil
import subprocess
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGES = {
    "@octokit/webhooks-examples": "7.6.1",
    "@segment/analytics-node": "3.1.0",
    "graphql": "16.15.0",
    "graphql-http": "1.23.1",
    "graphql-sse": "2.6.1",
    "graphql-ws": "6.4.2",
    "ws": "8.23.0",
}
SCRIPTS = Path(__file__).parent


@dataclass(frozen=True)
class Node:
    """Node with the packages: `modules` is where they are."""

    modules: Path

    async def start(self, script: str, *arguments: str) -> Process:
        """Starts a script; what it prints can be read line by line."""
        folder = self.modules.parent  # imports are looked up from where the script is
        for one in SCRIPTS.glob("*.mjs"):
            await asyncio.to_thread(shutil.copyfile, one, folder / one.name)
        return await asyncio.create_subprocess_exec("node", str(folder / script), *arguments, stdout=PIPE, stderr=PIPE)

    async def run(self, script: str, *arguments: str, seconds: float = 60) -> bytes:
        """Runs a script to its end; what it printed."""
        process = await self.start(script, *arguments)
        said, errors = await asyncio.wait_for(process.communicate(), seconds)
        assert process.returncode == 0, errors.decode()
        return said


@pytest.fixture(scope="session")
def node(pytestconfig: pytest.Config) -> Node:
    """Skips where there is no Node, or npm cannot install; an install is kept between runs and shared by workers."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("needs node and npm")
    wanted = [f"{name}@{version}" for name, version in PACKAGES.items()]
    name = "node-" + hashlib.sha256(" ".join(wanted).encode()).hexdigest()[:12]
    folder: Path = pytestconfig.cache.mkdir(name)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            _install(folder, wanted)
            (folder / "complete").touch()
    return Node(folder / "node_modules")


def _install(folder: Path, wanted: list[str]) -> None:
    options = ["--no-audit", "--no-fund", "--ignore-scripts", "--no-save", "--prefix", str(folder)]
    try:
        made = subprocess.run(["npm", "install", *options, *wanted], capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        pytest.skip("npm did not answer in time")
    if made.returncode:
        pytest.skip(f"npm cannot install: {made.stderr[-300:]}")
