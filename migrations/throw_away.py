"""A migrated database that lives as long as a block, for commands that compare the models with it."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config

from app.cli.migrate import alembic_config
from app.core.embedded import engines


@contextmanager
def migrated() -> Iterator[Config]:
    with tempfile.TemporaryDirectory() as folder, engines(Path(folder), durable=False) as running:
        os.environ["DATABASE_URL"] = os.environ["DATABASE_MIGRATION_URL"] = running.database_url
        os.environ["REDIS_URL"] = running.redis_url
        config = alembic_config()
        command.upgrade(config, "head")
        yield config
