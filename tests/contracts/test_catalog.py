"""The catalog as it stands after migration: row level security on every tenant table, and roles that cannot pass it."""

import asyncpg
import pytest

from app.core.db import SERVER_ROLE, UNSCOPED_ROLE
from tests.contracts.tables import TENANT_NAMES
from tests.factories.holdings import Holdings

TENANT_TABLES = """
SELECT c.oid::regclass::text AS name, c.relkind = 'p' AS parent, c.relispartition AS partition,
  c.relrowsecurity AS on, c.relforcerowsecurity AS forced, c.oid
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'organization_id' AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relnamespace = 'public'::regnamespace
ORDER BY 1
"""
POLICIES = """
SELECT tablename, policyname, roles::text[], cmd, qual, with_check, permissive
FROM pg_policies WHERE schemaname = 'public' ORDER BY 1, 2
"""
GRANTS = """
SELECT c.oid::regclass::text AS name, c.relispartition AS partition, acl.privilege_type AS privilege
FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) acl
WHERE c.relnamespace = 'public'::regnamespace AND acl.grantee IN (0, (SELECT oid FROM pg_roles WHERE rolname = $1))
"""
MINE = "(organization_id = current_tenant())"
SYSTEM = "(organization_id = '00000000-0000-0000-0000-000000000000'::uuid)"


@pytest.fixture(scope="module")
async def tables(owner: asyncpg.Connection, holdings: Holdings) -> dict[str, asyncpg.Record]:
    """Every table and partition with an `organization_id`, by name."""
    return {row["name"]: row for row in await owner.fetch(TENANT_TABLES)}


async def test_the_catalog_has_the_tenant_tables_that_the_models_name(tables: dict[str, asyncpg.Record]) -> None:
    assert {name for name, row in tables.items() if not row["partition"]} == set(TENANT_NAMES)
    assert [name for name, row in tables.items() if row["partition"]], "the signals have no partition to look at"


async def test_every_tenant_table_and_partition_has_row_level_security_forced(
    tables: dict[str, asyncpg.Record],
) -> None:
    assert [name for name, row in tables.items() if not (row["on"] and row["forced"])] == []


async def test_every_tenant_table_has_one_policy_for_the_server_which_reads_and_writes_own_rows_only(
    owner: asyncpg.Connection, tables: dict[str, asyncpg.Record]
) -> None:
    policies = await owner.fetch(POLICIES)
    for name, table in tables.items():
        found = {
            (p["policyname"], p["cmd"], p["qual"], p["with_check"])
            for p in policies
            if p["tablename"] == name and SERVER_ROLE in p["roles"]
        }
        expected = set() if table["partition"] else {("tenant", "ALL", MINE, MINE)}
        if name == "jobs":
            expected.add(("system", "SELECT", SYSTEM, None))
        assert found == expected, name


async def test_no_policy_is_for_everybody_or_opens_more_than_the_doors_that_are_known(
    owner: asyncpg.Connection,
) -> None:
    policies = await owner.fetch(POLICIES)
    assert {role for p in policies for role in p["roles"]} == {SERVER_ROLE, UNSCOPED_ROLE}
    unscoped = {(p["tablename"], p["cmd"]) for p in policies if UNSCOPED_ROLE in p["roles"]}
    opened = ("jobs", "memberships", "organizations", "outbox_heads", "outbox_marks", "routes")
    assert unscoped == {(table, "SELECT") for table in opened}


@pytest.mark.parametrize("role", [SERVER_ROLE, UNSCOPED_ROLE])
async def test_the_roles_of_the_server_can_neither_log_in_nor_pass_row_level_security_nor_own_anything(
    owner: asyncpg.Connection, role: str
) -> None:
    row = await owner.fetchrow("SELECT * FROM pg_roles WHERE rolname = $1", role)
    assert row is not None
    powers = ("rolsuper", "rolbypassrls", "rolcreaterole", "rolcreatedb", "rolreplication", "rolcanlogin")
    assert [power for power in powers if row[power]] == []
    owned = await owner.fetch(
        "SELECT classid::regclass::text, objid FROM pg_shdepend WHERE deptype = 'o' AND refobjid = $1", row["oid"]
    )
    assert owned == []
    member_of = await owner.fetch("SELECT roleid::regrole FROM pg_auth_members WHERE member = $1", row["oid"])
    assert member_of == []
    assert not await owner.fetchval("SELECT has_schema_privilege($1, 'public', 'CREATE')", role)


async def test_the_server_has_rights_on_whole_tables_only_never_on_a_partition(owner: asyncpg.Connection) -> None:
    grants = await owner.fetch(GRANTS, SERVER_ROLE) + await owner.fetch(GRANTS, UNSCOPED_ROLE)
    assert [grant["name"] for grant in grants if grant["partition"]] == []
    assert {grant["privilege"] for grant in grants} <= {"SELECT", "INSERT", "UPDATE", "DELETE"}


async def test_the_server_cannot_read_password_hashes_or_refresh_digests(owner: asyncpg.Connection) -> None:
    readable = await owner.fetch(
        """
        SELECT table_name, column_name FROM information_schema.column_privileges
        WHERE grantee = $1 AND privilege_type = 'SELECT' AND table_name IN ('users', 'login_sessions')
        """,
        SERVER_ROLE,
    )
    assert {(row["table_name"], row["column_name"]) for row in readable} == {
        ("users", "id"),
        ("users", "email"),
        ("users", "name"),
        ("users", "created_at"),
        ("login_sessions", "id"),
        ("login_sessions", "user_id"),
        ("login_sessions", "ended_at"),
    }


async def test_the_unscoped_role_writes_no_tenant_table(
    owner: asyncpg.Connection, tables: dict[str, asyncpg.Record]
) -> None:
    writable = [
        name
        for name in tables
        if await owner.fetchval(
            "SELECT has_table_privilege($1, $2, 'INSERT, UPDATE, DELETE') OR"
            " has_any_column_privilege($1, $2, 'INSERT, UPDATE')",
            UNSCOPED_ROLE,
            name,
        )
    ]
    assert writable == []


async def test_functions_that_run_as_their_owner_are_known_and_fix_their_search_path(
    owner: asyncpg.Connection,
) -> None:
    definers = await owner.fetch(
        "SELECT proname, proconfig FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace"
    )
    assert {row["proname"] for row in definers} == {"signals_ensure_month"}
    assert all(any(c.startswith("search_path=") for c in row["proconfig"] or ()) for row in definers)


async def test_there_are_no_triggers_and_no_references_that_are_nulled(owner: asyncpg.Connection) -> None:
    assert await owner.fetch("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal") == []
    nulled = await owner.fetch("SELECT conname FROM pg_constraint WHERE contype = 'f' AND confdeltype IN ('n', 'd')")
    assert nulled == []
