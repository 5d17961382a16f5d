"""`python -m migrations.check`: the migrations give what the models say, and lock no table for long."""

import contextlib
import io
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from migrations.throw_away import migrated

SQUAWK = Path(sysconfig.get_path("scripts")) / "squawk"


def statements(config: Config) -> Iterator[tuple[str, str]]:
    """The SQL of each revision, from the oldest on."""
    for script in reversed(list(ScriptDirectory.from_config(config).walk_revisions())):
        before = script.down_revision or "base"
        config.output_buffer = io.StringIO()
        command.upgrade(config, f"{before}:{script.revision}", sql=True)
        yield script.revision, config.output_buffer.getvalue()


def lint(config: Config) -> int:
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for revision, sql in statements(config):
            file = Path(folder) / f"{revision}.sql"
            file.write_text(sql)
            files.append(str(file))
        return subprocess.run([SQUAWK, *files], check=False).returncode  # noqa: S603


def main() -> None:
    with migrated() as config, contextlib.redirect_stdout(sys.stderr):
        try:
            command.check(config)
        except CommandError as error:
            sys.exit(f"The models and the migrations differ: {error}")
        sys.exit(lint(config))


if __name__ == "__main__":
    main()
