"""Small file systems in memory that a test may fill up."""

import errno
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def mounted(folder: Path, megabytes: int, *, mode: str, owner: int) -> Iterator[Path]:
    """The folder as a file system of its own for as long as the block runs."""
    options = f"size={megabytes}m,mode={mode},uid={owner},gid={owner}"
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"this machine lets nobody mount a file system: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def passable_folder() -> Iterator[Path]:
    """A folder that every account can pass through."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    folder = Path(tempfile.mkdtemp(prefix="devsignal-disk-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        folder.rmdir()


class Ballast:
    """A file that takes all the room there is."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "ballast"
        self._file = self._path.open("wb", buffering=0)

    def top_up(self) -> None:
        for size in (64 * 1024, 4_096):
            while self._fits(size):
                continue

    def remove(self) -> None:
        self._file.close()
        self._path.unlink()

    def _fits(self, size: int) -> bool:
        try:
            return self._file.write(bytes(size)) == size
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            return False


@contextmanager
def full(folder: Path) -> Iterator[Ballast]:
    """The file system of the folder without any room."""
    ballast = Ballast(folder)
    try:
        ballast.top_up()
        yield ballast
    finally:
        ballast.remove()
