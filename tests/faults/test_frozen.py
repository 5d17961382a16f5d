"""Processes that are there but make no progress: the supervisor notices, kills them and starts others."""

import os
import signal
from pathlib import Path

import pytest

from tests.factories.web import free_port
from tests.faults.installation import Installation, forget, lives, started
from tests.faults.senders import counted, sending

pytestmark = pytest.mark.faults

FROZEN_AFTER = 6
NAMES = ("worker", "relay", "scheduler")
BEATS = ("worker", "relay", "schedule")


def test_processes_that_freeze_are_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEVSIGNAL_FROZEN_AFTER_SECONDS", str(FROZEN_AFTER))
    folder = tmp_path / "data"
    try:
        with started(folder, free_port()) as installation:
            frozen = _freeze(installation)
            took = installation.wait_for(lambda: _are_replaced(installation, frozen), 3 * FROZEN_AFTER + 20)
            with sending(installation, "frozen") as sender:
                pass
            scored = installation.wait_for(lambda: counted(installation, "frozen") == len(sender.acknowledged), 15)
    finally:
        forget(folder)
    print(
        f"frozen {', '.join(NAMES)}: killed and replaced {took:.1f} s after, with a patience of {FROZEN_AFTER} s; "
        f"what came then was scored {scored:.1f} s after"
    )


def _freeze(installation: Installation) -> dict[str, int]:
    installation.wait_for(lambda: all((installation.folder / "beats" / name).exists() for name in BEATS), 30)
    pids = {name: installation.pid(name) for name in NAMES}
    for pid in pids.values():
        os.kill(pid, signal.SIGSTOP)
    return pids


def _are_replaced(installation: Installation, frozen: dict[str, int]) -> bool:
    try:
        return all(installation.pid(name) != pid and not lives(pid) for name, pid in frozen.items())
    except AssertionError:
        return False
