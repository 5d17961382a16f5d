"""Runs migrations as the schema's owner, each in a transaction of its own with a short lock timeout."""

import asyncio
from typing import Any

from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from app.connectors import models as connectors
from app.core import idempotency, jobs, outbox
from app.core.config import settings
from app.core.db import Base
from app.crm import models as crm
from app.identity import models as identity
from app.scoring import models as scoring
from app.signals import models as signals

ROOMS = (connectors, idempotency, jobs, outbox, crm, identity, scoring, signals)
LOCK_TIMEOUT = "SET lock_timeout = '5s'"


def _include(name: str | None, kind: str, parents: Any) -> bool:
    """Partitions come and go with time; they are no part of the models."""
    return not (kind == "table" and name is not None and name.startswith("signals_2"))


def _configure(**options: Any) -> None:
    context.configure(
        target_metadata=Base.metadata,
        include_name=_include,
        transaction_per_migration=True,
        compare_type=True,
        **options,
    )


def _run(connection: Connection) -> None:
    connection.execute(text(LOCK_TIMEOUT))
    connection.commit()
    _configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()


async def _online() -> None:
    engine = create_async_engine(make_url(settings().migration_url).set(drivername="postgresql+asyncpg"))
    async with engine.connect() as connection:
        await connection.run_sync(_run)
    await engine.dispose()


if context.is_offline_mode():
    _configure(dialect_name="postgresql", literal_binds=True)
    with context.begin_transaction():
        context.execute(LOCK_TIMEOUT)
        context.run_migrations()
else:
    asyncio.run(_online())
