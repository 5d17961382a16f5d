"""The embedded engines against real processes: data survives crashes, and nobody else's files are touched."""

import asyncio
import contextlib
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from redis import Redis

from app.core.embedded import EngineError, Engines, Place, engines
from app.core.embedded.place import SYSTEM_FOLDER
from app.core.embedded.server import working_folder

# An owner in a process of its own, to be killed like a crashed supervisor.
OWNER = """
import pathlib, sys, time
from app.core.embedded import engines
with engines(pathlib.Path(sys.argv[1])) as running:
    print(running.database_url, running.redis_url, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A data folder whose engines are gone afterwards, elsewhere too."""
    place = tmp_path / "data"
    yield place
    if place.exists():
        Place(place).remove()


def run_sql(url: str, *statements: str) -> list[object]:
    async def run() -> list[object]:
        connection = await asyncpg.connect(url)
        try:
            return [await connection.fetchval(statement) for statement in statements]
        finally:
            await connection.close()

    with asyncio.Runner() as runner:
        return runner.run(run())


def write(running: Engines) -> None:
    run_sql(running.database_url, "create table kept (word text)", "insert into kept values ('here')")
    with Redis.from_url(running.redis_url) as client:
        client.set("kept", "here")
        client.execute_command("WAITAOF", 1, 0, 5_000)


def assert_kept(running: Engines) -> None:
    assert run_sql(running.database_url, "select word from kept") == ["here"]
    with Redis.from_url(running.redis_url) as client:
        assert client.get("kept") == b"here"


def pids_of(folder: Path) -> list[int]:
    """Every process that works in one of the engines' folders."""
    root = Place(folder).root
    found = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [pid for pid in found if working_folder(pid) in (root / "postgres", root / "valkey")]


def start_owner(folder: Path) -> tuple[subprocess.Popen[str], Engines]:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder)], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
    )
    assert owner.stdout
    database_url, redis_url = owner.stdout.readline().split()
    return owner, Engines(database_url, redis_url)


def wait_until_gone(folder: Path) -> None:
    deadline = time.monotonic() + 10
    while pids_of(folder):
        assert time.monotonic() < deadline, "engines outlived their owner"
        time.sleep(0.05)


def test_engines_start_with_a_password_and_keep_their_data(folder: Path) -> None:
    with engines(folder) as running:
        write(running)
        with Redis.from_url(running.redis_url) as client:
            assert client.config_get("appendonly") == {"appendonly": "yes"}
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        without = running.database_url.replace(Place(folder).password, "guess")
        with pytest.raises(asyncpg.InvalidPasswordError):
            run_sql(without, "select 1")
        commands = b"".join(Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids_of(folder))
        assert Place(folder).password.encode() not in commands
    assert not pids_of(folder)
    with engines(folder) as again:
        assert again == running
        assert_kept(again)
    for path in (folder / "engines.json", folder / "lock"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_engines_recover_when_everything_was_killed(folder: Path) -> None:
    owner, running = start_owner(folder)
    write(running)
    leash = [int(pid) for pid in Path(f"/proc/{owner.pid}/task/{owner.pid}/children").read_text().split()]
    for pid in {owner.pid, *leash, *pids_of(folder)}:
        with contextlib.suppress(ProcessLookupError):  # it may end by itself when its parent is gone
            os.kill(pid, signal.SIGKILL)
    owner.communicate()
    with engines(folder) as again:
        assert_kept(again)


def test_engines_do_not_outlive_an_owner_that_was_killed(folder: Path) -> None:
    owner, running = start_owner(folder)
    write(running)
    owner.kill()
    owner.communicate()
    wait_until_gone(folder)
    with engines(folder) as again:
        assert_kept(again)


def test_orphans_of_a_crash_are_stopped_before_the_next_start(folder: Path) -> None:
    owner, running = start_owner(folder)
    write(running)
    children = Path(f"/proc/{owner.pid}/task/{owner.pid}/children").read_text().split()
    served = pids_of(folder)
    for pid in {owner.pid, *map(int, children)} - set(served):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    owner.communicate()
    assert set(served) <= set(pids_of(folder))
    with engines(folder) as again:
        assert_kept(again)
        assert not set(served) & set(pids_of(folder))


def test_a_truncated_append_only_file_loads(folder: Path) -> None:
    with engines(folder) as running:
        write(running)
    log = next((Place(folder).root / "valkey" / "appendonlydir").glob("*.incr.aof"))
    with log.open("ab") as file:
        file.write(b"*3\r\n$3\r\nSET\r\n$5\r\nbro")
    with engines(folder) as again:
        assert_kept(again)


def test_a_second_owner_of_the_same_folder_is_refused(folder: Path) -> None:
    with (
        engines(folder, durable=False) as running,
        pytest.raises(EngineError, match=rf"process {os.getpid()}\) is already running on"),
        engines(folder),
    ):
        pass
    with pytest.raises(OSError):
        run_sql(running.database_url, "select 1")


def test_throw_away_engines_leave_no_data(folder: Path) -> None:
    with engines(folder, durable=False) as running:
        assert run_sql(running.database_url, "show fsync") == ["off"]
        root = Place(folder).root
    assert not (folder / "engines.json").exists()
    assert not (root / "postgres").exists()


def test_a_closed_parent_folder_stays_closed(tmp_path: Path) -> None:
    parent = tmp_path / "home"
    parent.mkdir(mode=0o700)
    with engines(parent / "data", durable=False):
        root = Place(parent / "data").root
        assert stat.S_IMODE(parent.stat().st_mode) == 0o700
        assert root == parent / "data" or root.is_relative_to(SYSTEM_FOLDER)
        assert stat.S_IMODE((root / "postgres").stat().st_mode) == 0o700
    assert stat.S_IMODE(parent.stat().st_mode) == 0o700
