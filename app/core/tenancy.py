"""Binds each transaction to its organization, and says so once for statements and once for the catalog."""

from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import BindParameter, ColumnElement, Uuid, and_, bindparam
from sqlalchemy.orm import with_loader_criteria

from app.core.db import SERVER_ROLE, UNSCOPED_ROLE, Tenant

SYSTEM = UUID(int=0)
"""The organization of what the installation does for itself, such as its heartbeat."""

FUNCTIONS = (
    """
    CREATE FUNCTION current_tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    RETURN NULLIF(current_setting('devsignal.organization', true), '')::uuid
    """,
    """
    CREATE FUNCTION set_tenant(organization uuid) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
      EXECUTE format('SET LOCAL devsignal.organization = %L', organization);
    END $$
    """,
)


BIND = "SELECT transaction_timestamp() AS at, set_tenant($1)"
"""What the driver says to bind the open transaction to an organization; it gives the database's time."""


@lru_cache(maxsize=1_000)
def criteria(organization: UUID) -> Any:
    """The statement option that adds `organization_id = :organization` to each tenant table it names."""
    return with_loader_criteria(Tenant, lambda cls: cls.visible_to(organization), include_aliases=True)


ORGANIZATION: BindParameter[UUID] = bindparam("organization", type_=Uuid())
"""The organization in a statement that is compiled once; its value comes with each execution."""

PARAMETRIC: Any = with_loader_criteria(Tenant, lambda cls: cls.visible_to(ORGANIZATION), include_aliases=True)
"""As `criteria`, for such a statement."""


def within(*models: Any) -> ColumnElement[bool]:
    """The same as a condition, for the parts of such a statement that are no select by themselves."""
    return and_(*(model.visible_to(ORGANIZATION) for model in models))


def protect(table: str) -> list[str]:
    """The SQL that puts a tenant table under forced row level security, for migrations."""
    mine = "organization_id = current_tenant()"
    return [
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY tenant ON {table} TO {SERVER_ROLE} USING ({mine}) WITH CHECK ({mine})",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {SERVER_ROLE}",
    ]


def open_to_unscoped(table: str, columns: str) -> list[str]:
    """The SQL that lets the unscoped role read some columns of a tenant table across organizations."""
    return [
        f"CREATE POLICY unscoped ON {table} FOR SELECT TO {UNSCOPED_ROLE} USING (true)",
        f"GRANT SELECT ({columns}) ON {table} TO {UNSCOPED_ROLE}",
    ]
