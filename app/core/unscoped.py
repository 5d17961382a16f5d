"""The only door around row level security: a role that sees a few named columns before, or across,
organizations. It may be imported by identity (log-in), operator and the relay alone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import UNSCOPED_ROLE, Database


@asynccontextmanager
async def begin(database: Database) -> AsyncIterator[AsyncSession]:
    """One transaction as the unscoped role; it is committed at the end and undone by an exception."""
    async with database.sessions.begin() as session:
        await session.execute(text(f"SET LOCAL ROLE {UNSCOPED_ROLE}"))
        yield session
