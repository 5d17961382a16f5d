"""Work, one write transaction, and Reads, one read transaction, each bound to an organization.

Only this module commits."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeAlias, TypeVar
from uuid import UUID

import asyncpg
from sqlalchemy import Delete, Result, Select, Update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.sql.base import Executable

from app.core import outbox
from app.core.constraints import violation
from app.core.db import AnySelect, Base, Database, Entity, Row, Tenant, Versioned
from app.core.errors import Code, Refusal
from app.core.events import Event
from app.core.statements import Prepared, compiled
from app.core.tenancy import BIND, criteria

T = TypeVar("T", bound=Tenant)

AnyResult: TypeAlias = Result[*tuple[Any, ...]]

_BROKEN = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncio.CancelledError,
)
"""What leaves a connection in the middle of something: it is thrown away, not given to the next Work."""
_TAKE_TURN = "SELECT pg_advisory_xact_lock(hashtextextended(name, 0)) FROM unnest($1::text[]) AS name"


class Work:
    """What one mutation, one ingest call or one actor phase does: all of it is kept, or none.

    `emit` says what happened; the events are stored with the data, as the transaction's last statement.
    `at` is the database's time: processes whose clocks differ agree on what is due and what came first. `member` is
    the user who does it; None where a program does.

    Objects and statements of the query builder go through a session, which is made when one is first needed, and
    prepared statements straight to the driver."""

    def __init__(
        self, connection: AsyncConnection, organization: UUID, at: datetime, member: UUID | None = None
    ) -> None:
        self._connection = connection
        self._driver = _driver_of(connection)
        self._objects: AsyncSession | None = None
        self._deferred: list[tuple[Prepared, Sequence[Any]]] = []
        self._events: list[Event] = []
        self.organization = organization
        self.member = member
        self.at = at
        self.cursor: int | None = None

    @property
    def _session(self) -> AsyncSession:
        if self._objects is None:
            self._objects = AsyncSession(self._connection, expire_on_commit=False, autoflush=False)
        return self._objects

    def add(self, *rows: Base) -> None:
        for row in rows:
            if isinstance(row, Tenant):
                row.organization_id = self.organization
        self._session.add_all(rows)

    def emit(self, *events: Event) -> None:
        self._events.extend(events)

    async def flush(self) -> None:
        """Sends what was added or deferred so far; a broken uniqueness or reference is a `Refusal` that names its
        field."""
        deferred, self._deferred = self._deferred, []
        for prepared, arguments in deferred:
            await self._fetch(prepared.sql, arguments)
        if not self._has_changes:
            return
        self._date()
        try:
            await self._session.flush()
        except IntegrityError as error:
            raise violation(error) from None

    @property
    def _has_changes(self) -> bool:
        objects = self._objects
        return objects is not None and bool(objects.new or objects.dirty or objects.deleted)

    def _date(self) -> None:
        """Gives new and changed records the time of this Work."""
        for row in self._session.new:
            if isinstance(row, Entity):
                row.created_at = row.updated_at = self.at
            if isinstance(row, Versioned):
                row.version = 1
        for row in self._session.dirty:
            if isinstance(row, Entity) and self._session.is_modified(row):
                row.updated_at = self.at
                if isinstance(row, Versioned):
                    row.version += 1

    async def run(self, statement: Executable, parameters: dict[str, Any] | None = None) -> AnyResult:
        """Executes a statement of the query builder; each tenant table in it is narrowed to the organization."""
        await self.flush()
        scoped: Any = statement
        if isinstance(statement, Select | Update | Delete):
            scoped = statement.options(criteria(self.organization))
        try:
            result: AnyResult = await self._session.execute(scoped, parameters)
        except IntegrityError as error:
            raise violation(error) from None
        return result

    async def rows(self, prepared: Prepared, **values: Any) -> list[Row]:
        """The rows of a statement of a fixed shape, executed by the driver within the same transaction."""
        await self.flush()
        return await self._fetch(prepared.sql, prepared.arguments(self.organization, values))

    async def defer(self, insert: Prepared, **values: Any) -> None:
        """Runs an insert of which nothing is wanted back before whatever is said next, or as one statement with the
        events where those are next."""
        if any(other.table == insert.table for other, _ in self._deferred):
            await self.flush()
        self._deferred.append((insert, insert.arguments(self.organization, values)))

    async def read(self, select: AnySelect) -> list[Row]:
        """The rows of a select of columns, as `Reads` gives them, within the same transaction."""
        await self.flush()
        return await self._fetch(*compiled(select.options(criteria(self.organization))))

    async def _fetch(self, sql: str, arguments: Sequence[Any]) -> list[Row]:
        try:
            found: list[Row] = await self._driver.fetch(sql, *arguments, record_class=Row)
        except asyncpg.IntegrityConstraintViolationError as error:
            raise violation(error) from None
        return found

    async def take_turn(self, *names: str) -> None:
        """Waits until no other Work of the organization holds one of the names, and holds them until the end. Who takes
        several takes them in order."""
        await self._driver.execute(_TAKE_TURN, [f"{self.organization}:{name}" for name in names])

    async def remove(self, row: Tenant) -> None:
        """Deletes the row for good, with what cannot be without it."""
        await self._session.delete(row)
        await self.flush()

    async def find(self, model: type[T], id_: UUID, *, lock: bool = True) -> T | None:
        """The row, locked until the end unless `lock` is off."""
        return await self._session.get(model, (self.organization, id_), with_for_update=lock, populate_existing=lock)

    async def get(self, model: type[T], id_: UUID, *, noun: str, path: tuple[str | int, ...] = ("id",)) -> T:
        """The row, locked; a `NOT_FOUND` refusal where the organization has none."""
        row = await self.find(model, id_)
        if row is None:
            raise Refusal(Code.NOT_FOUND, f"no such {noun}", path)
        return row

    async def tell(self) -> None:
        """Stores what was emitted so far, which gives `cursor`. From here to the end the organization's other Works
        wait to tell theirs, so that little should follow."""
        if self._events:
            self.cursor = await self._append()
            self._events = []
        await self.flush()

    async def finish(self) -> None:
        await self.tell()
        if await self._driver.execute("COMMIT") != "COMMIT":
            raise RuntimeError("a statement had failed: nothing was kept")

    async def _append(self) -> int:
        """Stores the events, together with what was deferred last."""
        if self._has_changes:
            await self.flush()
        deferred, self._deferred = self._deferred, []
        said = [argument for _, arguments in deferred for argument in arguments]
        said += outbox.APPEND.arguments(self.organization, outbox.said_of(self._events, self.at))
        rows = await self._fetch(outbox.append_after(tuple(prepared for prepared, _ in deferred)), said)
        last: int = rows[0].last_seq
        return last

    async def close(self) -> None:
        if self._objects is not None:
            await self._objects.close()


@asynccontextmanager
async def work(database: Database, organization: UUID, member: UUID | None = None) -> AsyncIterator[Work]:
    """Opens a Work; leaving it commits, an exception undoes everything."""
    async with database.writes.connect() as connection:
        driver = _driver_of(connection)
        try:
            await driver.execute("BEGIN")
            unit = Work(connection, organization, (await driver.fetchrow(BIND, organization))["at"], member)
            try:
                yield unit
                await unit.finish()
            finally:
                await unit.close()
        except _BROKEN:
            await connection.invalidate()
            raise
        except BaseException:
            await _undo(connection, driver)
            raise
    if unit.cursor is not None:
        database.committed.set()


async def _undo(connection: AsyncConnection, driver: asyncpg.Connection) -> None:
    try:
        await driver.execute("ROLLBACK")
    except asyncio.CancelledError:
        await connection.invalidate()
        raise
    except (*_BROKEN, asyncpg.PostgresError):
        await connection.invalidate()


def _driver_of(connection: AsyncConnection) -> asyncpg.Connection:
    return connection.sync_connection.connection.driver_connection  # type: ignore[union-attr]


class Reads:
    """One read-only transaction, opened at the first question and seeing one snapshot until it is closed.

    Statements are built by SQLAlchemy and executed by the driver; siblings take turns on the connection."""

    def __init__(self, database: Database, organization: UUID) -> None:
        self._database = database
        self._organization = organization
        self._connection: asyncpg.Connection | None = None
        self._turn = asyncio.Lock()
        self.row_count = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def rows(self, select: AnySelect, row_class: type[Row] = Row) -> list[Row]:
        """All rows of the select, narrowed to the organization."""
        return await self._fetch(*compiled(select.options(criteria(self._organization))), row_class=row_class)

    async def prepared(self, prepared: Prepared, **values: Any) -> list[Row]:
        """All rows of a statement of a fixed shape."""
        return await self._fetch(prepared.sql, prepared.arguments(self._organization, values))

    async def row(self, select: AnySelect) -> Row | None:
        rows = await self.rows(select)
        return rows[0] if rows else None

    async def value(self, select: AnySelect) -> Any:
        row = await self.row(select)
        return None if row is None else row[0]

    async def _fetch(self, sql: str, arguments: Sequence[Any], row_class: type[Row] = Row) -> list[Row]:
        async with self._turn:
            connection = self._connection or await self._open()
            rows: list[Row] = await connection.fetch(sql, *arguments, record_class=row_class)
        self.row_count += len(rows)
        return rows

    async def close(self) -> None:
        """Ends the transaction and gives the connection back; the next question opens a new one."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            # Nothing was written: where the server has gone, or the pool taken the connection back, nothing is amiss.
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await connection.execute("COMMIT")
        finally:
            await asyncio.shield(self._database.reads.release(connection))

    async def _open(self) -> asyncpg.Connection:
        connection = await self._database.reads.acquire(timeout=10)
        self._connection = connection
        await connection.execute(
            f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;SELECT set_tenant('{self._organization}')"
        )
        return connection
