"""The beat of a process, and how those who watch it tell that it has stopped."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.core import beat
from app.core.beat import Pulse, age

HANGS = """
import time
from pathlib import Path
from app.core.beat import Beat
Beat(None, 1)()
def stuck(): time.sleep(60)
stuck()
"""


def alive(file: Path, *options: str) -> tuple[int, str]:
    """The exit code of `devsignal alive` and what it says."""
    ended = subprocess.run(
        [sys.executable, "-m", "app.cli", "alive", *options],
        env={**os.environ, "DEVSIGNAL_BEAT_FILE": str(file)},
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.returncode, ended.stdout + ended.stderr


def make_old(file: Path, seconds: float) -> None:
    os.utime(file, (0, file.stat().st_mtime - seconds))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "beat"


def test_alive_says_whether_there_was_a_beat_of_late(file: Path) -> None:
    assert alive(file) == (1, f"there was no beat in {file} yet\n")
    _touch(file)
    code, said = alive(file)
    assert (code, said.startswith("the last beat was ")) == (0, True)
    make_old(file, 40)
    code, said = alive(file)
    assert (code, said.endswith("which is more than 30 s\n")) == (1, True)
    assert alive(file, "--within", "300")[0] == 0


def test_the_age_of_a_beat_does_not_follow_the_clock(file: Path) -> None:
    _touch(file)
    assert 0 <= (age(file) or 0) < 1
    assert abs(file.stat().st_mtime - time.time()) > 3_600, "a time of the wall clock"


def test_a_file_left_by_an_earlier_start_of_the_machine_is_no_beat(file: Path) -> None:
    file.touch()  # with a time that is ahead of this machine's
    assert age(file) is None


def test_a_process_is_lost_when_its_beat_is_old_and_given_longer_for_the_first(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pulse = Pulse(file, patience=10)
    _touch(file)
    pulse.expect()
    assert not file.exists() and not pulse.is_lost()
    monkeypatch.setattr(beat, "BOOT_SECONDS", -1)
    assert not pulse.is_lost(), "patience counts from the start as well"
    assert Pulse(file, patience=-1).is_lost()
    _touch(file)
    assert not pulse.is_lost()
    make_old(file, 11)
    assert pulse.is_lost()


def test_a_process_that_hangs_says_where_and_ends() -> None:
    ended = subprocess.run([sys.executable, "-c", HANGS], capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 1
    assert "in stuck" in ended.stderr


def _touch(file: Path) -> None:
    beat._touch(file)


def test_beats_are_written_at_most_once_a_second(file: Path) -> None:
    code = f"""
from pathlib import Path
from app.core.beat import Beat
file = Path({str(file)!r})
beat = Beat(file, 60)
beat()
first = file.stat().st_mtime_ns
beat()
assert file.stat().st_mtime_ns == first
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=20)
