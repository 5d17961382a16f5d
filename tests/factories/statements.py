"""Counts the statements that are sent to PostgreSQL by this process, whichever way they go."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
from sqlalchemy import Engine, event


@contextmanager
def statements() -> Iterator[list[str]]:
    """The texts of the statements that run while the block does: of Work by SQLAlchemy, of Reads by the driver."""
    seen: list[str] = []

    def of_work(_: Any, __: Any, statement: str, *___: Any) -> None:
        seen.append(statement)

    fetch = asyncpg.Connection.fetch

    async def of_reads(self: Any, query: str, *arguments: Any, **options: Any) -> Any:
        seen.append(query)
        return await fetch(self, query, *arguments, **options)

    event.listen(Engine, "before_cursor_execute", of_work)
    asyncpg.Connection.fetch = of_reads
    try:
        yield seen
    finally:
        asyncpg.Connection.fetch = fetch
        event.remove(Engine, "before_cursor_execute", of_work)
