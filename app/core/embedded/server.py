"""What both engines share: a child process, its log and readiness, and the end of one orphaned by a crash."""

import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from pathlib import Path

from app.core.embedded.leash import Leash
from app.core.embedded.place import EngineError, Place

START_SECONDS = 60.0
STOP_SECONDS = 8.0
MAX_LOG_BYTES = 20 * 1024 * 1024


def working_folder(pid: int) -> Path | None:
    """The folder a live process works in: how we know an engine of ours by its pid, which may be reused."""
    if sys.platform == "linux":
        try:
            return Path(f"/proc/{pid}/cwd").readlink()
        except OSError:
            return None
    command = ["lsof", "-a", "-p", str(pid), "-d", "cwd", "-Fn"]
    listing = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    names = [line[1:] for line in listing.stdout.splitlines() if line.startswith("n")]
    return Path(names[0]) if names else None


class Server(ABC):
    """An engine as a child process: `start()` also recovers from whatever a crash left behind."""

    name: str
    quit_signal: signal.Signals  # an orderly stop
    abort_signal: signal.Signals  # a stop at once, to be recovered from

    def __init__(self, place: Place, leash: Leash | None = None, *, durable: bool = True) -> None:
        self._place = place
        self._leash = leash
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self.folder = place.root / self.name
        self.port = 0

    @property
    @abstractmethod
    def url(self) -> str:
        """The address with its password; valid after `start()`."""

    def start(self) -> None:
        self.stop()
        self._prepare()
        deadline = time.monotonic() + START_SECONDS
        while True:
            self.port = self._place.port(self.name)
            seen = self._launch()
            while self.alive() and not self._is_ready():
                if time.monotonic() > deadline:
                    self.stop()
                    raise EngineError(f"{self.name} was not ready within {START_SECONDS:.0f} s\n{self._tail(seen)}")
                time.sleep(0.02)
            if self.alive():
                return
            self._forget()
            if not self._may_retry(self._tail(seen)) or time.monotonic() > deadline:
                raise EngineError(f"{self.name} did not start\n{self._tail(seen)}")
            time.sleep(0.2)

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Stops the engine, whether this object started it or a crashed process did."""
        pid = self._process.pid if self._process else self._orphan()
        if pid:
            self._end(pid, self.quit_signal)
        self._forget()

    def kill(self) -> None:
        """Stops at once; the next start recovers."""
        if self._process and self.alive():
            self._end(self._process.pid, self.abort_signal)
        self._forget()

    @abstractmethod
    def _prepare(self) -> None:
        """Makes what the engine needs before it starts."""

    @abstractmethod
    def _command(self) -> list[str]: ...

    @abstractmethod
    def _is_ready(self) -> bool: ...

    @abstractmethod
    def _pid_file(self) -> Path: ...

    def _input(self) -> bytes:
        return b""

    def _may_retry(self, log: str) -> bool:
        return "Address already in use" in log

    def _orphan(self) -> int | None:
        try:
            pid = int(self._pid_file().read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return None
        if working_folder(pid) == self.folder:
            return pid
        # Left by a machine that went down; its number may by now be another program's.
        self._pid_file().unlink(missing_ok=True)
        return None

    def _launch(self) -> int:
        """The size of the log before: what is behind it belongs to this start."""
        path = self._place.log(self.name)
        if path.exists() and path.stat().st_size > MAX_LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        with path.open("ab") as log:
            seen = log.tell()
            self._process = subprocess.Popen(  # noqa: S603 - a program of an installed package
                self._command(),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
                umask=0o077,
                start_new_session=True,  # Ctrl-C at the terminal is for us: engines stop last
                **self._place.options(),
            )
        if self._leash:
            self._leash.hold(self._process.pid, self.abort_signal)
        assert self._process.stdin
        with self._process.stdin as stream:
            stream.write(self._input())
        return seen

    def _tail(self, seen: int) -> str:
        with self._place.log(self.name).open("rb") as log:
            log.seek(seen)
            return log.read()[-4_000:].decode(errors="replace")

    def _end(self, pid: int, first: signal.Signals) -> None:
        for number in (first, self.abort_signal, signal.SIGKILL):
            if not self._runs(pid):
                return
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                return
            deadline = time.monotonic() + STOP_SECONDS
            while time.monotonic() < deadline:
                if not self._runs(pid):
                    return
                time.sleep(0.02)

    def _runs(self, pid: int) -> bool:
        if self._process and self._process.pid == pid:
            return self._process.poll() is None
        return working_folder(pid) == self.folder

    def _forget(self) -> None:
        if self._process and self._leash:
            self._leash.release(self._process.pid)
        self._process = None
