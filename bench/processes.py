"""The servers under measure as child processes: started on a free port, stopped whatever happens, and their CPU."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.core.embedded import Leash

ROOT = Path(__file__).parents[1]
_READY_SECONDS = 30.0
_STOP_SECONDS = 12.0


class BenchError(RuntimeError):
    """The benchmark cannot go on; the message is a sentence for the person at the terminal."""


@dataclass(frozen=True)
class Process:
    """A running child. `port` is 0 for one that serves nothing."""

    name: str
    pid: int
    port: int

    def cpu_seconds(self) -> float:
        """User and system time of all its threads, from the process's own clock (see clock_getcpuclockid(3))."""
        return time.clock_gettime((~self.pid << 3) | 2)


@contextmanager
def running(
    leash: Leash, name: str, module: str, *options: str, log: Path, environment: Mapping[str, str], serves: bool = False
) -> Iterator[Process]:
    """The module as a process for as long as the block runs; one that serves is waited for until it is ready."""
    port = _free_port() if serves else 0
    command = [sys.executable, "-m", module, *options, *(("--port", str(port)) if serves else ())]
    with log.open("wb") as output:
        child = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is for the benchmark, which stops its children itself
        )
    leash.hold(child.pid)
    try:
        if serves:
            _await_ready(child, name, port)
        yield Process(name, child.pid, port)
        if child.poll() is not None:
            raise BenchError(f"{name} ended by itself")
    except BenchError as error:
        error.add_note(f"--- the end of the log of {name}\n{_tail(log)}")
        raise
    finally:
        _stop(child)
        leash.release(child.pid)


def _await_ready(child: subprocess.Popen[bytes], name: str, port: int) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and child.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise BenchError(f"{name} did not get ready")


def _stop(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def _tail(log: Path) -> str:
    return log.read_bytes()[-2_000:].decode(errors="replace").strip()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
