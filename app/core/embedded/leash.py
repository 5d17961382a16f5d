"""A small process that stops the ones we started when we vanish without a word (`kill -9`, out of memory).

It runs from this file alone with the standard library, so that it costs little and cannot fail with us.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

GRACE_SECONDS = 5.0


class Leash:
    """Holds process groups. When the owner's end of the pipe closes, those still held are stopped."""

    def __init__(self, *keep_open: int) -> None:
        """`keep_open`: descriptors the leash shares, such as the lock that is free once all is stopped."""
        reader, self._writer = os.pipe()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own file
                [sys.executable, "-I", "-S", str(Path(__file__)), str(reader)],
                pass_fds=(reader, *keep_open),
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
            )
        finally:
            os.close(reader)

    def hold(self, group: int, stop_signal: signal.Signals = signal.SIGTERM) -> None:
        self._tell(group, stop_signal)

    def release(self, group: int) -> None:
        self._tell(group, 0)

    def close(self) -> None:
        os.close(self._writer)
        self._process.wait()

    def _tell(self, group: int, number: int) -> None:
        # Without its safety net the owner still does its own work.
        with contextlib.suppress(BrokenPipeError):
            os.write(self._writer, f"{group} {number}\n".encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _signal(group: int, number: int) -> bool:
    """Whether the group still existed."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def watch(lines: Iterable[str]) -> None:
    held: dict[int, int] = {}
    for line in lines:
        group, number = (int(word) for word in line.split())
        if number:
            held[group] = number
        else:
            held.pop(group, None)
    left = [group for group, number in held.items() if _signal(group, number)]
    deadline = time.monotonic() + GRACE_SECONDS
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left = [group for group in left if _signal(group, 0)]
    for group in left:
        _signal(group, signal.SIGKILL)


if __name__ == "__main__":
    with os.fdopen(int(sys.argv[1])) as stream:
        watch(stream)
