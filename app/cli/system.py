"""What `devsignal up` runs, in the order it is started, and the environment that ties it together."""

import base64
import http.client
import json
import os
import secrets
import time
from pathlib import Path

from app.cli import environment
from app.cli.child import Child
from app.cli.console import refuse, say
from app.cli.processes import COMMANDS, command_of, module_of
from app.cli.supervisor import Supervisor
from app.core.beat import Pulse
from app.core.config import settings
from app.core.embedded import Leash, Place, PostgresServer, ValkeyServer
from app.core.embedded.place import write_private
from app.core.embedded.server import Server

READY_SECONDS = 120.0
FAILURES_BEFORE_READY = 3
LOCAL = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where "everywhere" is reached from here


class System:
    def __init__(self, host: str, port: int, data_dir: Path, supervisor: Supervisor, leash: Leash) -> None:
        self._host = host
        self._port = port
        self._data_dir = data_dir
        self._supervisor = supervisor
        self._leash = leash
        self._servers: dict[str, Server] = {}
        self._address = LOCAL.get(host, host)
        self._url = f"http://{f'[{self._address}]' if ':' in self._address else self._address}:{port}"
        self._secret = os.environ.get("DEVSIGNAL_SECRET_KEY") or _kept_secret(data_dir / "secret.key")

    def start(self, *, demo: bool) -> bool:
        """Whether everything runs; not so if a stop was asked for on the way."""
        say(f"DevSignal keeps its data in {self._data_dir}")
        self._start_servers()
        os.environ.update(self.environment())
        settings()  # a mistake in it is told here rather than in the log of every child
        environment.publish(self._data_dir, self.environment())
        self._run("migrate", "Bringing the database to the newest revision", "migrate")
        if demo:
            where = ("--demo-file", str(self._demo_file), "--url", self._url)
            self._run("seed", "Seeding the demo organization", "seed", *where)
        if not self._supervisor.stopping:
            self._start_processes()
        if self._supervisor.stopping:
            return False
        self._greet(demo=demo)
        return True

    def retract(self) -> None:
        environment.retract(self._data_dir)

    def environment(self) -> dict[str, str]:
        """That of this process, with the engines' addresses of this moment."""
        values = {**os.environ, "DEVSIGNAL_SECRET_KEY": self._secret}
        values.setdefault("DEVSIGNAL_PUBLIC_URL", self._url)
        for name, server in self._servers.items():
            values[name] = server.url
        return values

    def _start_servers(self) -> None:
        kinds: dict[str, type[Server]] = {"DATABASE_URL": PostgresServer, "REDIS_URL": ValkeyServer}
        for variable, kind in kinds.items():
            if variable in os.environ:
                say(f"{variable} is set: no embedded {kind.name}")
            elif not self._supervisor.stopping:
                server = kind(Place(self._data_dir), self._leash)
                self._supervisor.start_server(server)
                self._servers[variable] = server
                say(f"{kind.name} runs on 127.0.0.1:{server.port}")

    def _run(self, name: str, sentence: str, *command: str) -> None:
        if self._supervisor.stopping:
            return
        say(sentence)
        child = self._child(name, module_of("app.cli", *command))
        code = self._supervisor.run(child)
        if code and not self._supervisor.stopping:
            refuse(f"{child.tail()}\n{sentence} failed with exit code {code}; see {child.log}")

    def _start_processes(self) -> None:
        say("Starting " + ", ".join(COMMANDS))
        options = {"web": ("--host", self._host, "--port", str(self._port))}
        children = {name: self._child(name, command_of(name, *options.get(name, ()))) for name in COMMANDS}
        watched = [self._supervisor.start_child(child) for child in children.values()]
        deadline = time.monotonic() + READY_SECONDS
        self._supervisor.run_until(
            lambda: (
                self._is_ready()
                or time.monotonic() > deadline
                or any(each.failures >= FAILURES_BEFORE_READY for each in watched)
            )
        )
        if self._supervisor.stopping or self._is_ready():
            return
        failed = [each.service.name for each in watched if each.failures] or ["web"]
        refuse(f"{children[failed[0]].tail()}\n{failed[0]} does not get ready; see {children[failed[0]].log}")

    def _child(self, name: str, command: list[str]) -> Child:
        pulse = self._pulse(name) if name in COMMANDS else None
        return Child(command, self._logs / f"{name}.log", self.environment, self._leash, pulse)

    def _pulse(self, name: str) -> Pulse:
        """Patient for a little longer than the process itself, which can say where it hangs before it ends."""
        folder = self._data_dir / "beats"
        folder.mkdir(mode=0o700, exist_ok=True)
        return Pulse(folder / name, 1.25 * settings().frozen_after_seconds)

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection(self._address, self._port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _greet(self, *, demo: bool) -> None:
        say(f"\nDevSignal is ready\n\n  URL       {self._url}\n  GraphQL   {self._url}/graphql")
        if demo and self._demo_file.exists():
            known = json.loads(self._demo_file.read_text())
            say(f"  E-mail    {known['email']}\n  Password  {known['password']}")
            say(f"  API key   {known['apiKey']}")
        say(f"\nLogs are in {self._logs}. Ctrl-C stops everything.")

    @property
    def _logs(self) -> Path:
        folder = self._data_dir / "logs"
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    @property
    def _demo_file(self) -> Path:
        return self._data_dir / "demo.json"


def _kept_secret(path: Path) -> str:
    if not path.exists():
        write_private(path, base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
    return path.read_text().strip()
