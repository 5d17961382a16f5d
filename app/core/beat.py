"""A process shows that it makes progress by its beat, a file that it touches; others look how old the beat is.

The file's time is the machine's monotonic one: nobody is taken for dead because a clock was set."""

import contextlib
import faulthandler
import os
import time
from pathlib import Path

FILE_VARIABLE = "DEVSIGNAL_BEAT_FILE"
BOOT_SECONDS = 60.0
_EVERY_SECONDS = 1.0


class Beat:
    """Called after each pass of a process's loop. Where the calls stop for longer than `patience` seconds the process
    writes where each of its threads stands, and ends: whatever started it can then start it again."""

    def __init__(self, file: Path | None, patience: float) -> None:
        self._file = file
        self._patience = patience
        self._last = float("-inf")

    def __call__(self) -> None:
        at = time.monotonic()
        if at - self._last < _EVERY_SECONDS:
            return
        self._last = at
        faulthandler.dump_traceback_later(self._patience, exit=True)
        if self._file is not None:
            with contextlib.suppress(OSError):  # a full or lost disk is no reason to end
                _touch(self._file)


def no_beat() -> None:
    """For loops that nobody watches."""


class Pulse:
    """The beat of a process, felt from outside. It is given longer until the first one than between two."""

    def __init__(self, file: Path, patience: float) -> None:
        self.file = file
        self._patience = patience
        self._begun = time.monotonic()

    def expect(self) -> None:
        """To be called before the process is started."""
        self.file.unlink(missing_ok=True)
        self._begun = time.monotonic()

    def is_lost(self) -> bool:
        seconds = age(self.file)
        if seconds is None:
            return time.monotonic() - self._begun > max(self._patience, BOOT_SECONDS)
        return seconds > self._patience


def age(file: Path) -> float | None:
    """The seconds since the last beat; None where there was none since the machine was started."""
    try:
        seconds = time.monotonic() - file.stat().st_mtime
    except FileNotFoundError:
        return None
    return seconds if seconds >= 0 else None


def _touch(file: Path) -> None:
    if not file.exists():
        file.touch(mode=0o600)
    os.utime(file, ns=(0, time.monotonic_ns()))
