"""The models keep the schema distributable by organization: placements, keys, references, names."""

import pytest
from sqlalchemy import ForeignKeyConstraint, Index, Table, UniqueConstraint

from app.core.db import Placement
from tests.contracts.tables import TABLES, TENANT_NAMES, TENANT_TABLES

DISTRIBUTED = [table for table in TABLES if table.info.get("placement") is Placement.DISTRIBUTED]
LONGEST_NAME = 54  # a shard's suffix fits behind it

each = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
each_tenant = pytest.mark.parametrize("table", TENANT_TABLES, ids=lambda table: table.name)


def unique_keys(table: Table) -> list[list[str]]:
    constraints = [one for one in table.constraints if isinstance(one, UniqueConstraint)]
    indexes = [index for index in table.indexes if index.unique]
    return [[column.name for column in one.columns] for one in (*constraints, *indexes)]


def references(table: Table) -> list[ForeignKeyConstraint]:
    return [one for one in table.constraints if isinstance(one, ForeignKeyConstraint)]


@each
def test_a_table_says_where_its_rows_live(table: Table) -> None:
    assert isinstance(table.info.get("placement"), Placement)


@each
def test_a_table_with_an_organization_is_a_tenant_table(table: Table) -> None:
    assert (table in TENANT_TABLES) == ("organization_id" in table.columns)


@each_tenant
def test_the_organization_comes_first_in_the_key_of_a_tenant_table(table: Table) -> None:
    key = [column.name for column in table.primary_key.columns]
    assert key[0] == "organization_id"
    assert not table.columns["organization_id"].nullable
    assert str(table.columns["organization_id"].server_default.arg) == "current_tenant()"


@each_tenant
def test_what_is_unique_in_a_tenant_table_is_unique_within_an_organization(table: Table) -> None:
    assert [key for key in unique_keys(table) if key[0] != "organization_id"] == []


@each_tenant
def test_a_reference_between_tenant_tables_carries_the_organization(table: Table) -> None:
    for reference in references(table):
        if reference.referred_table.name in TENANT_NAMES:
            assert reference.column_keys[0] == "organization_id"
            assert reference.elements[0].column.name == "organization_id"


@each
def test_no_reference_is_nulled_when_its_target_goes(table: Table) -> None:
    assert [one.name for one in references(table) if (one.ondelete or "").upper().startswith("SET")] == []


@each
def test_only_distributed_tables_point_at_distributed_ones(table: Table) -> None:
    targets = {reference.referred_table for reference in references(table)}
    assert table in DISTRIBUTED or not targets & set(DISTRIBUTED)


@each
def test_names_are_given_and_leave_room_for_the_suffix_of_a_shard(table: Table) -> None:
    named = [one.name for one in (*table.constraints, *table.indexes) if not isinstance(one, Index) or one.name]
    assert all(named)
    assert [name for name in (table.name, *map(str, named)) if len(name) > LONGEST_NAME] == []


@each_tenant
def test_indexes_of_a_tenant_table_start_with_the_organization(table: Table) -> None:
    """But for those that serve the doors which look across organizations."""
    across = {"jobs_waiting_idx", "memberships_user_id_idx", "routes_id_idx"}
    starts = {str(index.name): next(iter(index.columns)).name for index in table.indexes}
    assert {name for name, column in starts.items() if column != "organization_id"} <= across


@each
def test_columns_that_compare_under_row_security_have_leakproof_types(table: Table) -> None:
    """`numeric` does not: money is a whole number of minor units."""
    assert [column.name for column in table.columns if column.type.__class__.__name__ in ("Numeric", "Float")] == []
