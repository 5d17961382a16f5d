"""A disk that fills up in the middle of ingest: writes are refused politely, nothing that was acknowledged is lost, and
all recovers by itself once there is room."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import asyncpg
import pytest
from httpx2 import HTTPError
from redis import Redis
from redis.exceptions import ResponseError

from app.core.embedded.place import engine_account
from tests.factories.web import free_port
from tests.faults.askers import Asker, asking
from tests.faults.disks import Ballast, full, mounted, passable_folder
from tests.faults.installation import Installation, started
from tests.faults.survival import survives

pytestmark = pytest.mark.faults

DATABASE_MEGABYTES, VALKEY_MEGABYTES = 320, 24
FULL_SECONDS, RECOVERY_SECONDS = 4, 30
POLITE = {"200", "503 UNAVAILABLE", "200 UNAVAILABLE", "503 TIMEOUT", "200 TIMEOUT"}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation whose data are on a small disk, and those of Valkey on a smaller one."""
    account = engine_account()
    with ExitStack() as stack:
        folder = stack.enter_context(passable_folder())
        stack.enter_context(mounted(folder, DATABASE_MEGABYTES, mode="0711", owner=0))
        valkey = folder / "valkey"
        valkey.mkdir()
        owner = account.uid if account else 0
        stack.enter_context(mounted(valkey, VALKEY_MEGABYTES, mode="0700", owner=owner))
        log = tmp_path_factory.mktemp("disk") / "supervisor.log"
        yield stack.enter_context(started(folder, free_port(), log))


def test_signals_survive_a_full_disk_of_valkey(small: Installation) -> None:
    def meanwhile(ballast: Ballast) -> None:
        small.wait_for(lambda: _valkey_refuses(small), 20)
        time.sleep(FULL_SECONDS)

    with asking(small) as asker:
        survives(small, "valkey-full", lambda: _without_room(small, small.folder / "valkey", meanwhile))
    _check(asker)


def test_signals_survive_a_full_disk(small: Installation) -> None:
    def meanwhile(ballast: Ballast) -> None:
        _until_refused(small, ballast)
        _break_down(small, ballast)
        for _ in range(FULL_SECONDS):
            ballast.top_up()
            time.sleep(1)

    with asking(small) as asker:
        survives(small, "disk-full", lambda: _without_room(small, small.folder, meanwhile))
    _check(asker)
    assert asker.writes.total() > asker.writes["200"], "nothing was refused: the disk was not full"


def _without_room(installation: Installation, folder: Path, meanwhile: Callable[[Ballast], None]) -> None:
    """Fills the disk of the folder, and waits after that until signals are taken again."""
    with full(folder) as ballast:
        meanwhile(ballast)
    took = installation.wait_for(lambda: _takes_signals(installation), RECOVERY_SECONDS)
    print(f"signals are taken {took:.1f} s after there is room again")


def _valkey_refuses(installation: Installation) -> bool:
    """Whether it takes nothing more, because it could not keep it."""
    with Redis.from_url(installation.environment["REDIS_URL"]) as valkey:
        try:
            valkey.set("faults:padding", "x" * 100_000)
        except ResponseError as error:
            return str(error).startswith("MISCONF")
    return False


def _until_refused(installation: Installation, ballast: Ballast) -> None:
    def refused() -> bool:
        ballast.top_up()
        return not _takes_signals(installation)

    installation.wait_for(refused, 20)


def _break_down(installation: Installation, ballast: Ballast) -> None:
    """Has the database ask for room where it cannot do without, until it breaks down: by itself or altogether."""

    def broken() -> bool:
        ballast.top_up()
        try:
            installation.rows("SELECT pg_logical_emit_message(false, 'faults', 'x'), pg_switch_wal()")
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return True
        return False

    installation.wait_for(broken, 30)


def _takes_signals(installation: Installation) -> bool:
    try:
        with installation.client() as client:
            row = {"type": "asked", "source": "askers", "properties": {"padding": "x" * 60_000}}
            return client.post("/v1/signals", json=row).status_code == 202
    except HTTPError:
        return False


def _check(asker: Asker) -> None:
    print(f"reads {dict(asker.reads)}, writes {dict(asker.writes)}")
    assert set(asker.reads) | set(asker.writes) <= POLITE
