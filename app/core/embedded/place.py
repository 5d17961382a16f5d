"""Where engines keep their files, and the account they run as: never root; others' permissions stay."""

import contextlib
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SYSTEM_FOLDER = Path("/var/lib")
CLEAN_UP_SECONDS = 15.0


class EngineError(RuntimeError):
    """An embedded engine cannot run; the message is a sentence for the person at the terminal."""


@dataclass(frozen=True)
class Account:
    """The unprivileged account engines run as when we are root: PostgreSQL refuses to run as root."""

    name: str
    uid: int
    gid: int

    def options(self) -> dict[str, Any]:
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def reaches(self, *paths: Path) -> bool:
        """Asked of the system itself, as that account: mode bits alone miss access lists and mounts."""
        script = 'for p; do test -x "$p" && { test -d "$p" || test -r "$p"; } || exit 1; done'
        command = ["/bin/sh", "-c", script, "sh", *map(str, paths)]
        return subprocess.run(command, cwd="/", check=False, **self.options()).returncode == 0  # noqa: S603


def engine_account() -> Account | None:
    """None: we are not root and engines run as ourselves."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise EngineError("PostgreSQL does not run as root, and this machine has neither 'postgres' nor 'nobody'")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _any_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_private(path: Path, text: str) -> None:
    """Replaces the file in one step; readable by its owner only."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)


def _own_folder(path: Path, mode: int) -> Path:
    """Makes a folder with exactly this mode; one that exists keeps its own."""
    if not path.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(mode)
    return path


def _shared_folder() -> Path:
    """A folder of root's that every account can pass through."""
    try:
        return _own_folder(SYSTEM_FOLDER / "devsignal", 0o755)
    except OSError:
        folder = _own_folder(Path(tempfile.gettempdir()) / "devsignal-engines", 0o755)
    if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
        raise EngineError(f"{folder} belongs to someone else; set TMPDIR to a folder of your own")
    return folder


class Place:
    """One data folder. Its `engines.json` notes the password, the ports and where the engines' files are."""

    def __init__(self, data_dir: Path) -> None:
        self.account = engine_account()
        # Passed through, not listed: the engines' own folders in it are closed to everyone else.
        self.data_dir = _own_folder(data_dir.resolve(), 0o711 if self.account else 0o700)
        self._note = self.data_dir / "engines.json"
        kept = json.loads(self._note.read_text()) if self._note.exists() else {}
        self.password: str = kept.get("password") or secrets.token_urlsafe(24)
        self._ports: dict[str, int] = kept.get("ports", {})
        self.root = Path(kept.get("place") or self.data_dir) if kept else self._choose_root()
        if not kept and self.root == self.data_dir and (self.root / "postgres").exists():
            raise EngineError(f"{self._note} is missing, without which {self.root / 'postgres'} cannot be opened")
        if self.account and not self.account.reaches(self.root):
            raise EngineError(
                f"{self.root} holds the engines' data but the account '{self.account.name}' can no longer "
                "reach it; make its parent folders passable again or choose another data folder"
            )
        self._save()

    def folder(self, name: str) -> Path:
        """The engine's own folder, closed to everyone but the engine's account."""
        path = self.root / name
        if not path.exists():
            path.mkdir(mode=0o700)
            self.give(path)
        owner = self.account.uid if self.account else os.geteuid()
        if path.stat().st_uid != owner:
            raise EngineError(f"{path} belongs to another user (uid {path.stat().st_uid}); start as that user")
        return path

    def give(self, path: Path) -> None:
        if self.account:
            os.chown(path, self.account.uid, self.account.gid, follow_symlinks=False)

    def options(self) -> dict[str, Any]:
        return self.account.options() if self.account else {}

    def port(self, name: str) -> int:
        """The port of last time while it is free, else another one."""
        port = self._ports.get(name)
        if port is None or not _is_free(port):
            self._ports[name] = port = _any_free_port()
            self._save()
        return port

    def log(self, name: str) -> Path:
        return _own_folder(self.data_dir / "logs", 0o700) / f"{name}.log"

    def program(self, package: str, pattern: str) -> Path:
        """A program inside an installed package, or a copy of it that the engines' account can reach."""
        spec = importlib.util.find_spec(package)
        home = Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None
        found = next(home.glob(pattern), None) if home else None
        if home is None or found is None:
            raise EngineError(
                f"the package {package.replace('_', '-')} is not installed: install devsignal[embedded], "
                "or set DATABASE_URL and REDIS_URL to servers of your own"
            )
        if self.account is None or self.account.reaches(found, *_libraries(home)):
            return found
        return _copy_of(home) / found.relative_to(home.parent)

    def remove(self) -> None:
        """Forgets everything: the engines' data, the note, and a folder elsewhere."""
        for name in ("postgres", "postgres.new", "valkey"):
            shutil.rmtree(self.root / name, ignore_errors=True)
        self._note.unlink(missing_ok=True)
        if self.root != self.data_dir:
            shutil.rmtree(self.root, ignore_errors=True)

    def _choose_root(self) -> Path:
        if self.account is None or self.account.reaches(self.data_dir):
            return self.data_dir
        place = _shared_folder() / hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:16]
        if place.exists():  # of a data folder that was removed: there is no note that leads to it
            shutil.rmtree(place)
        return _own_folder(place, 0o755)

    def _save(self) -> None:
        elsewhere = None if self.root == self.data_dir else str(self.root)  # a moved folder takes its data along
        note = {"place": elsewhere, "password": self.password, "ports": self._ports}
        write_private(self._note, json.dumps(note))


def _libraries(package: Path) -> list[Path]:
    """The folder beside a package where a wheel keeps shared libraries of its programs."""
    folder = package.with_name(f"{package.name}.libs")
    return [folder] if folder.is_dir() else []


def _copy_of(package: Path) -> Path:
    """A folder with a copy of the package and its libraries, which find each other by relative paths."""
    target = _shared_folder() / f"{package.name}-{importlib.metadata.version(package.name)}"
    if not target.exists():
        fresh = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
        for folder in (package, *_libraries(package)):
            shutil.copytree(folder, fresh / folder.name, symlinks=True)
        for path in (fresh, *fresh.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        with contextlib.suppress(OSError):  # another process made the same copy first
            fresh.rename(target)
        shutil.rmtree(fresh, ignore_errors=True)
    return target


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _take(file: int, path: Path) -> None:
    deadline = time.monotonic() + CLEAN_UP_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            holder = path.read_text().strip()
            # A holder that is gone left its leash behind, which is stopping what it had started.
            gone = holder.isdigit() and not _is_running(int(holder))
            if not gone or time.monotonic() > deadline:
                raise EngineError(
                    f"another devsignal (process {holder or 'unknown'}) is already running on {path.parent}"
                ) from None
        time.sleep(0.1)


@contextlib.contextmanager
def claim(data_dir: Path) -> Iterator[int]:
    """The data folder for us alone, while the yielded descriptor of the lock is open anywhere."""
    account = engine_account()
    path = _own_folder(data_dir.resolve(), 0o711 if account else 0o700) / "lock"
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _take(file, path)
        os.ftruncate(file, 0)
        os.pwrite(file, str(os.getpid()).encode(), 0)
        yield file
    finally:
        os.close(file)
