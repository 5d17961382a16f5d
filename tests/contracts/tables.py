"""The tables of the models, once every room's are known, and what they hold of an organization."""

from typing import Any
from uuid import UUID

import asyncpg

from app.core.db import Base, Tenant
from graph.schema import schema

schema()
TABLES: list[Any] = sorted(Base.metadata.tables.values(), key=lambda table: table.name)
TENANT_TABLES: list[Any] = sorted(
    (m.class_.__table__ for m in Base.registry.mappers if issubclass(m.class_, Tenant)), key=lambda table: table.name
)
TENANT_NAMES: list[str] = [table.name for table in TENANT_TABLES]


async def rows_of(owner: asyncpg.Connection, tenant: UUID) -> dict[str, list[str]]:
    """Every row of the organization in every table, as text."""
    return {
        table: [
            row[0]
            for row in await owner.fetch(
                f"SELECT row::text FROM {table} AS row WHERE organization_id = $1 ORDER BY 1", tenant
            )
        ]
        for table in TENANT_NAMES
    }


async def everything(owner: asyncpg.Connection) -> str:
    """All that is stored: every row of every table as text, bytes in hexadecimal."""
    tables = await owner.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    rows = [await owner.fetchval(f"SELECT string_agg(row::text, '\n') FROM {name} AS row") for (name,) in tables]
    return "\n".join(row for row in rows if row)
