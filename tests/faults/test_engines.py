"""Engines that stop, crash or forget everything in the middle of ingest: what counts is stored and comes back."""

import os
import shutil
import signal
import time
from pathlib import Path

import pytest
from redis import Redis

from tests.faults.followers import following
from tests.faults.installation import Installation
from tests.faults.senders import send
from tests.faults.survival import survives

pytestmark = pytest.mark.faults


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT], ids=["fast", "immediate"])
def test_a_restart_of_the_database_loses_nothing(installation: Installation, number: signal.Signals) -> None:
    survives(installation, f"stop-{number.name.lower()}", lambda: installation.kill("postgres", number))


def test_a_valkey_that_comes_back_empty_loses_nothing(installation: Installation) -> None:
    folder = installation.folder_of("valkey")
    survives(installation, "wiped", lambda: installation.kill("valkey", then=lambda: _empty(folder)))


def test_a_flushed_valkey_loses_nothing(installation: Installation) -> None:
    survives(installation, "flushed", lambda: _flush(installation))


def test_a_valkey_that_is_flushed_and_killed_loses_nothing(installation: Installation) -> None:
    def fault() -> None:
        _flush(installation)
        installation.kill("valkey")

    survives(installation, "flushed-and-killed", fault)


def test_who_comes_before_the_streams_are_refilled_is_told_nothing_old(installation: Installation) -> None:
    for number in range(5):
        send(installation, f"old-{number}")
    relay = installation.pid("relay")
    os.kill(relay, signal.SIGSTOP)
    try:
        _flush(installation)
        with following(installation, None) as follower:
            time.sleep(1)
            os.kill(relay, signal.SIGCONT)
            for number in range(50):
                send(installation, f"new-{number}")
                time.sleep(0.1)
                if any(key.startswith("new-") for key in follower.received):
                    break
    finally:
        os.kill(relay, signal.SIGCONT)
    assert follower.received, "the feed does not begin"
    assert [key for key in follower.received if not key.startswith("new-")] == []


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _flush(installation: Installation) -> None:
    with Redis.from_url(installation.environment["REDIS_URL"]) as valkey:
        valkey.flushall()
