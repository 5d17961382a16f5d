"""Keeps engines and children running until a signal asks for the end, and then stops them in order."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType
from typing import NoReturn, Protocol

from app.cli.child import Child
from app.cli.console import say
from app.core.embedded import EngineError
from app.core.embedded.server import Server

CHILD_STOP_SECONDS = 8.0
LONGEST_PAUSE_SECONDS = 10.0
STEADY_SECONDS = 60.0
TICK_SECONDS = 0.1


class Service(Protocol):
    name: str

    def start(self) -> None: ...
    def alive(self) -> bool: ...


@dataclass
class Watched:
    """A service with the memory of how often it failed."""

    service: Service
    failures: int = 0
    started: float = field(default_factory=time.monotonic)
    due: float | None = None

    def tick(self) -> None:
        now = time.monotonic()
        if self.service.alive():
            if now - self.started > STEADY_SECONDS:
                self.failures = 0
        elif self.due is None:
            self._plan(now, "stopped")
        elif now >= self.due:
            self._start(now)

    def _plan(self, now: float, what: str) -> None:
        pause = min(LONGEST_PAUSE_SECONDS, 2.0**self.failures)
        self.failures += 1
        self.due = now + pause
        say(f"{self.service.name} {what}; starting it again in {pause:.0f} s")

    def _start(self, now: float) -> None:
        try:
            self.service.start()
        except (EngineError, OSError) as error:
            self._plan(now, f"did not start ({error})")
        else:
            self.started = time.monotonic()
            self.due = None
            say(f"{self.service.name} runs again")


class Supervisor:
    def __init__(self) -> None:
        self.stopping = False
        self._servers: list[Server] = []
        self._children: list[Child] = []
        self._watched: list[Watched] = []
        signals = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # under nohup a closed terminal is no end
            signals.append(signal.SIGHUP)
        for number in signals:
            signal.signal(number, self._asked_to_stop)

    def start_server(self, server: Server) -> None:
        self._servers.append(server)
        server.start()
        self._watched.append(Watched(server))

    def start_child(self, child: Child) -> Watched:
        self._children.append(child)
        child.start()
        watched = Watched(child)
        self._watched.append(watched)
        return watched

    def run(self, child: Child) -> int:
        """Runs a child to its end and gives its exit code; a stop on the way ends it early."""
        self._children.append(child)
        child.start()
        self.run_until(lambda: not child.alive())
        return 1 if child.exit_code is None else child.exit_code

    def run_until(self, condition: Callable[[], bool]) -> None:
        """Watches over everything until the condition holds or a signal asked for the end."""
        while not self.stopping and not condition():
            addresses = [server.url for server in self._servers]
            for child in self._children:
                child.kill_if_frozen()
            for watched in self._watched:
                watched.tick()
            if addresses != [server.url for server in self._servers]:
                for child in self._children:
                    child.terminate()  # and is started again with the engine's new address
            time.sleep(TICK_SECONDS)

    def stop(self) -> None:
        """Children first, each asked and after a grace killed; the engines they use last."""
        self.stopping = True
        say("Stopping; Ctrl-C once more kills")
        for child in self._children:
            child.terminate()
        deadline = time.monotonic() + CHILD_STOP_SECONDS
        while any(child.alive() for child in self._children) and time.monotonic() < deadline:
            time.sleep(0.05)
        for child in self._children:
            if child.alive():
                say(f"{child.name} did not stop in {CHILD_STOP_SECONDS:.0f} s and is killed")
            child.kill()
        for server in reversed(self._servers):
            server.stop()

    def _asked_to_stop(self, number: int, frame: FrameType | None) -> None:
        if self.stopping:
            self._kill()
        self.stopping = True

    def _kill(self) -> NoReturn:
        for child in self._children:
            child.kill()
        # Engines are still on the leash, which stops them when this process is gone.
        os._exit(130)
