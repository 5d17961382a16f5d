"""Counts the statements that are sent to PostgreSQL by this process, whichever way they go."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
from sqlalchemy import Engine, event


@contextmanager
def driver_statements(note: Callable[[str], None]) -> Iterator[None]:
    """Tells `note` the text of each statement that goes to the driver itself while the block runs."""
    fetch = asyncpg.Connection.fetch

    async def noting(self: Any, query: str, *arguments: Any, **options: Any) -> Any:
        note(query)
        return await fetch(self, query, *arguments, **options)

    asyncpg.Connection.fetch = noting
    try:
        yield
    finally:
        asyncpg.Connection.fetch = fetch


@contextmanager
def statements() -> Iterator[list[str]]:
    """The texts of the statements that run while the block does: of Work by SQLAlchemy, of Reads by the driver."""
    seen: list[str] = []

    def of_work(_: Any, __: Any, statement: str, *___: Any) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", of_work)
    try:
        with driver_statements(seen.append):
            yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", of_work)
