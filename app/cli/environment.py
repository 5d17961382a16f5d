"""The settings of a running `devsignal up`, left in its data folder so that other commands beside it work."""

import os
import shlex
from pathlib import Path

from app.core.embedded.place import write_private

DATA_DIR_VARIABLE = "DEVSIGNAL_DATA_DIR"
DEFAULT_DATA_DIR = Path(".devsignal")
FILE = "env"
NAMES = (
    "DATABASE_URL",
    "DATABASE_MIGRATION_URL",
    "REDIS_URL",
    "DEVSIGNAL_SECRET_KEY",
    "DEVSIGNAL_PUBLIC_URL",
)


def publish(data_dir: Path, environment: dict[str, str]) -> None:
    lines = [f"{name}={shlex.quote(environment[name])}\n" for name in NAMES if name in environment]
    write_private(data_dir / FILE, "".join(lines))


def retract(data_dir: Path) -> None:
    (data_dir / FILE).unlink(missing_ok=True)


def adopt() -> None:
    """Takes what a running `up` published here, where the environment itself names no database."""
    path = Path(os.environ.get(DATA_DIR_VARIABLE, DEFAULT_DATA_DIR)) / FILE
    if "DATABASE_URL" in os.environ or not path.is_file():
        return
    for line in shlex.split(path.read_text()):
        name, _, value = line.partition("=")
        os.environ.setdefault(name, value)
