"""One child process of the supervisor, with a log file of its own."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from app.cli.console import say
from app.core.beat import FILE_VARIABLE, Pulse
from app.core.embedded import Leash
from app.core.embedded.server import MAX_LOG_BYTES


class Child:
    """A process that is started as often as it takes; its environment is asked for at each start."""

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        environment: Callable[[], Mapping[str, str]],
        leash: Leash,
        pulse: Pulse | None = None,
    ) -> None:
        self.name = log.stem
        self.log = log
        self._command = command
        self._environment = environment
        self._leash = leash
        self._pulse = pulse
        self._process: subprocess.Popen[bytes] | None = None
        self._seen = 0
        self.exit_code: int | None = None

    def start(self) -> None:
        if self.log.exists() and self.log.stat().st_size > MAX_LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as log:
            self._seen = log.tell()
            self._process = subprocess.Popen(  # noqa: S603 - one of our own modules
                self._command,
                env={**self._environment(), **self._watched(), "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C at the terminal is for the supervisor alone
            )
        self._leash.hold(self._process.pid)

    def _watched(self) -> dict[str, str]:
        if self._pulse is None:
            return {}
        self._pulse.expect()
        return {FILE_VARIABLE: str(self._pulse.file)}

    def kill_if_frozen(self) -> None:
        """Ends it where it is there but makes no progress; it is then started again like one that has ended."""
        if self._process and self._pulse and self._pulse.is_lost():
            say(f"{self.name} makes no progress and is killed")
            self.kill()

    def alive(self) -> bool:
        if self._process is None:
            return False
        self.exit_code = self._process.poll()
        if self.exit_code is None:
            return True
        self.kill()  # what it left in its group would keep its port
        return False

    def terminate(self) -> None:
        if self._process and self.alive():
            self._process.terminate()

    def kill(self) -> None:
        """Ends the process and all it started."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._leash.release(self._process.pid)
        self._process = None

    def tail(self) -> str:
        """The end of what it wrote since it was started."""
        with self.log.open("rb") as log:
            log.seek(self._seen)
            return log.read()[-3_000:].decode(errors="replace").strip()
