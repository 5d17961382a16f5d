"""Tables and connections: the declarative base, the base of tables that belong to an organization, pools."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, TypeAlias
from uuid import UUID

import asyncpg
import orjson
from sqlalchemy import (
    ColumnElement,
    DateTime,
    Enum,
    ForeignKeyConstraint,
    Index,
    MetaData,
    Select,
    String,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.core.clock import now
from app.core.ids import new_id

AnySelect: TypeAlias = Select[*tuple[Any, ...]]
"""A select of any columns."""

SERVER_ROLE = "devsignal_server"
UNSCOPED_ROLE = "devsignal_unscoped"
CONNECT_SECONDS = 10
TELL_EVERY_SECONDS = 0.02
OUTBOX_CHANNEL = "devsignal_outbox"


class Placement(StrEnum):
    """Where a table's rows live once the schema is distributed by organization."""

    DISTRIBUTED = "distributed"
    REFERENCE = "reference"
    LOCAL = "local"


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "pk": "%(table_name)s_pkey",
            "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
            "uq": "%(table_name)s_%(column_0_N_name)s_key",
            "ix": "%(table_name)s_%(column_0_N_name)s_idx",
            "ck": "%(table_name)s_%(constraint_name)s_check",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        StrEnum: Enum(StrEnum, native_enum=False, create_constraint=False, length=40),
        UUID: Uuid,
    }


class Tenant(Base):
    """Base of every table whose rows belong to one organization.

    The key starts with the organization, a reference to another tenant table carries it too (foreign keys
    do not obey row level security), and its value is what the transaction is bound to."""

    __abstract__ = True

    organization_id: Mapped[UUID] = mapped_column(
        primary_key=True, server_default=text("current_tenant()"), sort_order=-20
    )

    def __init_subclass__(
        cls,
        *,
        references_organization: bool = True,
        placement: Placement = Placement.DISTRIBUTED,
        **options: Any,
    ) -> None:
        super().__init_subclass__(**options)
        if cls.__dict__.get("__abstract__"):
            return
        table: Any = cls.__table__
        table.info["placement"] = placement
        if references_organization:
            table.append_constraint(ForeignKeyConstraint(["organization_id"], ["organizations.id"]))
        for column in list(table.columns):
            if target := column.info.get("references"):
                table.append_constraint(
                    ForeignKeyConstraint(
                        ["organization_id", column.name],
                        [f"{target}.organization_id", f"{target}.{column.info['key']}"],
                        name=f"{table.name}_{column.name}_fkey",
                        ondelete=column.info["on_delete"],
                    )
                )

    @classmethod
    def visible_to(cls, organization: UUID) -> ColumnElement[bool]:
        """The condition that every statement on the table carries, beside row level security."""
        return cls.organization_id == organization


class Entity(Tenant):
    """A tenant row with an id of its own and the times of its making and last change."""

    __abstract__ = True
    prefix: ClassVar[str]

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id, sort_order=-10)
    created_at: Mapped[datetime] = mapped_column(default=now, sort_order=10, doc="When the record was created.")
    updated_at: Mapped[datetime] = mapped_column(
        default=now, onupdate=now, sort_order=11, doc="When the record was last changed."
    )


def reference(target: str, *, key: str = "id", on_delete: str | None = None, **options: Any) -> Any:
    """A column that points at the `id`, or another key, of tenant table `target` within the same organization."""
    return mapped_column(Uuid, info={"references": target, "key": key, "on_delete": on_delete}, **options)


def index(*columns: str, name: str | None = None, **options: Any) -> Index:
    """An index of a tenant table: the organization first, as in every key."""
    return Index(name, "organization_id", *columns, **options)


def unique(*columns: str) -> UniqueConstraint:
    """What no two rows of an organization share."""
    return UniqueConstraint("organization_id", *columns)


def text_of(length: int, **options: Any) -> Any:
    return mapped_column(String(length), **options)


class Versioned(Entity):
    """An entity that counts its changes, whoever makes them: with objects, which Work counts, or by a statement."""

    __abstract__ = True

    version: Mapped[int] = mapped_column(
        server_default=text("1"),
        onupdate=text("version + 1"),
        sort_order=13,
        doc="Counts the changes of the record, from 1 on.",
    )


class Row(asyncpg.Record):  # type: ignore[misc]
    """A light row of a read: columns by attribute, no identity map, nothing lazy."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


@dataclass(frozen=True, slots=True)
class Database:
    """The ways to PostgreSQL of a process: connections for writes, whose transactions Work begins and ends, sessions on
    the same connections, and a lean driver pool for reads.

    Every connection runs as the unprivileged server role, whatever role it logged in with."""

    sessions: async_sessionmaker[AsyncSession]
    writes: AsyncEngine
    reads: asyncpg.Pool
    committed: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        url: str,
        *,
        pool_size: int = 10,
        statement_timeout_ms: int = 5_000,
        transaction_timeout_ms: int = 60_000,
        idle_timeout_ms: int = 10_000,
    ) -> AsyncIterator["Database"]:
        """Opens both. The time-outs are PostgreSQL's: for a statement, for a transaction, and for the time in a
        transaction in which nothing is said, so that a process that froze holds its locks no longer."""
        server_settings = {
            "role": SERVER_ROLE,
            "application_name": "devsignal",
            "statement_timeout": str(statement_timeout_ms),
            "transaction_timeout": str(transaction_timeout_ms),
            "idle_in_transaction_session_timeout": str(idle_timeout_ms),
            "jit": "off",
        }
        engine = create_async_engine(
            make_url(url).set(drivername="postgresql+asyncpg"),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=10,
            pool_pre_ping=False,
            hide_parameters=True,  # an error's text would show what was being stored
            json_serializer=lambda value: orjson.dumps(value).decode(),
            json_deserializer=orjson.loads,
            connect_args={"server_settings": server_settings | _PLANNED_ONCE, "timeout": CONNECT_SECONDS},
        )
        reads = await asyncpg.create_pool(
            driver_url(url),
            min_size=1,
            max_size=pool_size,
            server_settings=server_settings,
            timeout=CONNECT_SECONDS,
            record_class=Row,
            init=_decode_json,
            reset=_nothing_to_reset,
        )
        sessions = async_sessionmaker(engine, expire_on_commit=False, autoflush=False)
        database = cls(sessions, engine.execution_options(isolation_level="AUTOCOMMIT"), reads)
        telling = asyncio.create_task(database._tell())
        try:
            yield database
        finally:
            telling.cancel()
            await asyncio.wait([telling])
            reads.terminate()
            await engine.dispose()

    async def _tell(self) -> None:
        """Wakes the relay after commits. One message stands for all commits of some milliseconds: a NOTIFY inside
        each transaction would make all of them commit one after another. What is lost, the relay finds by itself."""
        while True:
            await self.committed.wait()
            self.committed.clear()
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                async with self.reads.acquire(timeout=5) as connection:
                    await connection.execute(_WAKE)
            await asyncio.sleep(TELL_EVERY_SECONDS)


def driver_url(url: str) -> str:
    """The address as the driver wants it, without SQLAlchemy's dialect name."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


_PLANNED_ONCE = {"plan_cache_mode": "force_generic_plan"}
"""What is said on connections for writes is of a few shapes, by keys: to plan it anew each time costs more than it is
worth."""
_WAKE = f"BEGIN; SET LOCAL synchronous_commit = off; NOTIFY {OUTBOX_CHANNEL}; COMMIT"


async def _decode_json(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=lambda value: value, decoder=orjson.loads)


async def _nothing_to_reset(connection: asyncpg.Connection) -> None:
    """Reads leave no session state behind: all they set is local to their transaction."""
