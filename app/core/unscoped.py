"""The only door around row level security: a role that sees a few named columns before, or across,
organizations. It may be imported by identity (log-in), operator and the relay alone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import UNSCOPED_ROLE, AnySelect, Database, Row
from app.core.statements import compiled

_TAKE_ROLE = f"SET LOCAL ROLE {UNSCOPED_ROLE}"


@asynccontextmanager
async def begin(database: Database) -> AsyncIterator[AsyncSession]:
    """One transaction as the unscoped role; it is committed at the end and undone by an exception."""
    async with database.sessions.begin() as session:
        await session.execute(text(_TAKE_ROLE))
        yield session


async def rows(database: Database, statement: AnySelect | TextClause) -> list[Row]:
    """What the unscoped role reads with one statement."""
    sql, arguments = compiled(statement)
    async with database.reads.acquire(timeout=10) as connection, connection.transaction(readonly=True):
        await connection.execute(_TAKE_ROLE)
        found: list[Row] = await connection.fetch(sql, *arguments)
    return found
