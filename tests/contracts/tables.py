"""The tables of the models, once every room's are known."""

from typing import Any

from app.core.db import Base, Tenant
from graph.schema import schema

schema()
TABLES: list[Any] = sorted(Base.metadata.tables.values(), key=lambda table: table.name)
TENANT_TABLES: list[Any] = sorted(
    (m.class_.__table__ for m in Base.registry.mappers if issubclass(m.class_, Tenant)), key=lambda table: table.name
)
TENANT_NAMES: list[str] = [table.name for table in TENANT_TABLES]
