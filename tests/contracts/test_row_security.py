"""Row level security at work: what the server's role sees and may write, bound to an organization or to none."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg
import pytest

from app.core.db import SERVER_ROLE
from app.core.ids import new_id
from app.core.tenancy import SYSTEM
from tests.contracts.tables import TENANT_NAMES
from tests.factories.holdings import Holdings


@asynccontextmanager
async def acting(owner: asyncpg.Connection, tenant: UUID | None = None) -> AsyncIterator[asyncpg.Connection]:
    """A transaction as the server's role, bound to the tenant if one is given; all of it is undone."""
    transaction = owner.transaction()
    await transaction.start()
    try:
        await owner.execute(f"SET LOCAL ROLE {SERVER_ROLE}")
        if tenant is not None:
            await owner.execute("SELECT set_tenant($1)", tenant)
        yield owner
    finally:
        await transaction.rollback()


async def insert(connection: asyncpg.Connection, table: str, tenant: UUID) -> None:
    """Tries to add a row for the tenant. The policy is asked before any constraint, so nothing else is filled in."""
    if table == "signals":
        await connection.execute("INSERT INTO signals (organization_id, id) VALUES ($1, $2)", tenant, new_id())
    else:
        await connection.execute(f"INSERT INTO {table} (organization_id) VALUES ($1)", tenant)


@pytest.fixture(params=TENANT_NAMES)
def table(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_every_tenant_table_has_rows_to_hide(owner: asyncpg.Connection, holdings: Holdings, table: str) -> None:
    tenant = holdings.tenant.id
    assert await owner.fetchval(f"SELECT count(*) FROM {table} WHERE organization_id = $1", tenant) > 0


async def test_without_a_binding_nothing_is_seen(owner: asyncpg.Connection, holdings: Holdings, table: str) -> None:
    async with acting(owner) as connection:
        own = await connection.fetch(f"SELECT * FROM {table} WHERE organization_id <> $1", SYSTEM)
        assert own == []


async def test_without_a_binding_nothing_is_written(owner: asyncpg.Connection, holdings: Holdings, table: str) -> None:
    tenant = holdings.tenant.id
    async with acting(owner) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await insert(connection, table, tenant)
    async with acting(owner) as connection:
        assert await connection.execute(f"DELETE FROM {table}") == "DELETE 0"
    async with acting(owner) as connection:
        assert await connection.execute(f"UPDATE {table} SET organization_id = organization_id") == "UPDATE 0"


async def test_bound_to_one_organization_the_rows_of_no_other_are_seen(
    owner: asyncpg.Connection, holdings: Holdings, other_holdings: Holdings, table: str
) -> None:
    tenant = holdings.tenant.id
    async with acting(owner, tenant) as connection:
        seen = await connection.fetch(f"SELECT DISTINCT organization_id FROM {table}")
        allowed = {tenant, SYSTEM} if table == "jobs" else {tenant}
        assert tenant in {row[0] for row in seen} <= allowed


async def test_bound_to_one_organization_no_row_is_written_for_another(
    owner: asyncpg.Connection, holdings: Holdings, other_holdings: Holdings, table: str
) -> None:
    tenant, other = holdings.tenant.id, other_holdings.tenant.id
    async with acting(owner, tenant) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await insert(connection, table, other)
    async with acting(owner, tenant) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await connection.execute(f"UPDATE {table} SET organization_id = $1", other)
    async with acting(owner, tenant) as connection:
        assert await connection.execute(f"DELETE FROM {table} WHERE organization_id = $1", other) == "DELETE 0"
        changed = f"UPDATE {table} SET organization_id = organization_id WHERE organization_id = $1"
        assert await connection.execute(changed, other) == "UPDATE 0"


async def test_what_the_installation_does_for_itself_is_seen_by_all_and_written_by_none(
    owner: asyncpg.Connection, holdings: Holdings
) -> None:
    async with acting(owner, holdings.tenant.id) as connection:
        assert await connection.execute("DELETE FROM jobs WHERE organization_id = $1", SYSTEM) == "DELETE 0"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await insert(connection, "jobs", SYSTEM)


async def test_a_binding_ends_with_its_transaction(owner: asyncpg.Connection, holdings: Holdings) -> None:
    async with owner.transaction():
        await owner.execute("SELECT set_tenant($1)", holdings.tenant.id)
        assert await owner.fetchval("SELECT current_tenant()") == holdings.tenant.id
    assert await owner.fetchval("SELECT current_tenant()") is None


async def test_partitions_cannot_be_read_past_their_table(owner: asyncpg.Connection, holdings: Holdings) -> None:
    partitions = await owner.fetch(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'signals'::regclass"
    )
    for (partition,) in partitions:
        async with acting(owner, holdings.tenant.id) as connection:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch(f"SELECT * FROM {partition}")


async def test_an_organization_sees_no_other_organization(
    owner: asyncpg.Connection, holdings: Holdings, other_holdings: Holdings
) -> None:
    async with acting(owner, holdings.tenant.id) as connection:
        assert [row["id"] for row in await connection.fetch("SELECT id FROM organizations")] == [holdings.tenant.id]
        renamed = "UPDATE organizations SET name = 'taken' WHERE id = $1"
        assert await connection.execute(renamed, other_holdings.tenant.id) == "UPDATE 0"


async def test_these_checks_fail_where_a_table_is_left_open(owner: asyncpg.Connection, holdings: Holdings) -> None:
    """The counter-proof: without its policy forced, the same question shows rows."""
    transaction = owner.transaction()
    await transaction.start()
    try:
        await owner.execute("ALTER TABLE companies DISABLE ROW LEVEL SECURITY")
        await owner.execute(f"SET LOCAL ROLE {SERVER_ROLE}")
        assert await owner.fetchval("SELECT count(*) FROM companies") > 0
    finally:
        await transaction.rollback()
