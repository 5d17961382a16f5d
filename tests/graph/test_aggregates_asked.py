"""Aggregates over GraphQL: that nothing is computed but what is asked for, who may ask, and what is refused."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from httpx2 import AsyncClient

from app.core import aggregates
from app.core.aggregates import Bucket, Part
from app.core.db import Database
from app.core.filters import Tree
from app.core.lists import Listing
from app.core.statements import compiled
from app.core.tenancy import criteria
from app.core.work import Reads
from app.crm.queries import COMPANY_LIST
from app.identity.permissions import Permission, Role
from app.signals.queries import SIGNAL_LIST
from graph.core.operations import Asked, Operations
from graph.schema import schema
from tests.factories.documents import SCHEMA
from tests.factories.furnished import TIMES, furnish, one, with_signals
from tests.factories.statements import statements
from tests.factories.tenants import Tenant, make_tenant, person

GUIDE = Path(__file__).parents[2] / "docs" / "aggregates.md"
EVERYTHING = """
query ($filter: CompanyFilter, $groupBy: [CompanyGroupBy!], $first: Int) {
  found: companiesAggregate(filter: $filter, groupBy: $groupBy, first: $first) { count groups { key { name } count } }
}
"""


@pytest.fixture(scope="module")
async def house(database: Database, http: AsyncClient) -> Tenant:
    """A tenant with companies and contacts that share values or have none, beside another with the same."""
    await furnish(await make_tenant(database, http))
    return await furnish(await make_tenant(database, http))


@pytest.fixture(scope="module")
async def signals(database: Database, http: AsyncClient) -> Tenant:
    return await with_signals(await make_tenant(database, http))


async def test_the_record_of_a_key_comes_with_it(house: Tenant) -> None:
    asked = "contactsAggregate(groupBy: [{field: COMPANY_ID}]) { groups { key { companyId company { id name } } } }"
    with statements() as seen:
        groups = (await one(house, asked))["groups"]
    assert len(groups) == 7
    assert all((group["key"]["company"] or {"id": None})["id"] == group["key"]["companyId"] for group in groups)
    assert len(about("FROM companies", seen)) == 1


# --- what is computed --------------------------------------------------------------------------------------------


def about(words: str, seen: Sequence[str]) -> list[str]:
    return [text for text in seen if words in " ".join(text.split())]


@pytest.mark.parametrize(
    ("selection", "sent"),
    [
        ("__typename sum { __typename }", 0),
        ("count", 1),
        ("count sum { employees } max { createdAt } countDistinct { industry name }", 1),
        ("groups { count }", 1),
        ("hasMoreGroups", 1),
        ("groups { key { lifecycle } sum { employees } avg { employees } } hasMoreGroups", 1),
        ("count min { employees } groups { count min { employees } } hasMoreGroups", 2),
        ("a: count b: count x: groups { count } y: groups { avg { employees } }", 2),
    ],
)
async def test_totals_take_one_statement_and_groups_another(house: Tenant, selection: str, sent: int) -> None:
    with statements() as seen:
        await one(house, f"companiesAggregate(groupBy: [{{field: LIFECYCLE}}]) {{ {selection} }}")
    assert len(about("FROM companies", seen)) == sent


ONLY = """
query ($yes: Boolean!, $no: Boolean!) {
  companiesAggregate(groupBy: [{field: LIFECYCLE}]) {
    ... on CompanyAggregate @include(if: $yes) { sum { employees } }
    ...Rest
    groups @skip(if: $yes) { count }
  }
}
fragment Rest on CompanyAggregate { avg @include(if: $no) { employees } min { createdAt @skip(if: $no) } }
"""


async def test_only_what_is_selected_is_computed(house: Tenant) -> None:
    with statements() as seen:
        found = (await house.ask(ONLY, {"yes": True, "no": False}))["companiesAggregate"]
    assert list(found) == ["sum", "min"]
    (sent,) = about("FROM companies", seen)
    assert re.findall(r"AS (\w+)", sent) == ["count", "sum_employees", "min_created_at"]


async def test_without_group_by_there_are_no_groups(house: Tenant) -> None:
    for group_by in ("", "(groupBy: [])", "(groupBy: null)"):
        found = await one(house, f"companiesAggregate{group_by} {{ groups {{ count }} hasMoreGroups }}")
        assert found == {"groups": [], "hasMoreGroups": False}


async def plan(tenant: Tenant, listed: Listing, tree: Tree, parts: Sequence[Part]) -> str:
    wanted = aggregates.measures(listed.filterable)
    async with Reads(tenant.database, tenant.id) as reads:
        sql, arguments = compiled(aggregates.groups(listed, tree, wanted, parts, 51).options(criteria(tenant.id)))
        connection = await reads._open()
        rows = await connection.fetch(
            f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF) {sql}", *arguments
        )
    return "\n".join(row[0] for row in rows)


async def test_rows_are_read_once_and_by_their_organization(house: Tenant) -> None:
    found = await plan(house, COMPANY_LIST, {}, [Part("industry"), Part("created_at", Bucket.WEEK)])
    assert len(re.findall(r" on companies", found)) == 1 and "SubPlan" not in found, found
    assert "organization_id = " in found and "Aggregate" in found and "Limit" in found, found


async def test_groups_of_a_time_are_sought_in_its_months_only(signals: Tenant) -> None:
    tree = {"occurred_at": {"gte": datetime(2025, 1, 1, tzinfo=UTC), "lt": datetime(2025, 2, 1, tzinfo=UTC)}}
    found = await plan(signals, SIGNAL_LIST, tree, [Part("occurred_at", Bucket.DAY), Part("type")])
    assert set(re.findall(r" on signals_(\d+_\d+)", found)) == {"2025_01"}, found


@pytest.mark.parametrize(
    ("asked", "cost"),
    [
        ("companiesAggregate { count }", 100),
        ("companiesAggregate { count sum { employees } countDistinct { name } }", 111),
        ("companiesAggregate(groupBy: [{field: NAME}]) { groups { count } }", 150),
        ("companiesAggregate(groupBy: [{field: NAME}], first: 10) { groups { key { name } count } }", 120),
        ("companiesAggregate(groupBy: [{field: NAME}], first: 250) { groups { countDistinct { name } } }", 2_850),
    ],
)
def test_an_aggregate_costs_what_it_reads_and_what_it_tells(asked: str, cost: int) -> None:
    assert Operations(schema()).prepare(Asked(f"{{ {asked} }}")).measure.cost == cost


# --- who may, and what is refused --------------------------------------------------------------------------------


async def test_a_viewer_may_and_who_may_not_list_may_not_count(house: Tenant, database: Database) -> None:
    _, viewer = await person(database, house.id, Role.VIEWER)
    found = await one(house, "companiesAggregate { count }", token=viewer, **{"X-Organization-Id": house.public_id})
    assert found["count"] > 0
    key = await house.new_key(Permission.SIGNALS_READ)
    (error,) = (await house.answer("{ companiesAggregate { count } }", token=key))["errors"]
    assert (error["extensions"]["code"], error["path"]) == ("FORBIDDEN", ["companiesAggregate"])


async def test_a_key_shows_no_record_that_the_asker_may_not_see(signals: Tenant) -> None:
    key = await signals.new_key(Permission.SIGNALS_READ)
    asked = (
        "{ signalsAggregate(groupBy: [{field: COMPANY_ID}], first: 1) { groups { count key { company { name } } } } }"
    )
    answer = await signals.answer(asked, token=key)
    assert answer["data"]["signalsAggregate"]["groups"][0]["key"] == {"company": None}
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"FORBIDDEN"}


@pytest.mark.parametrize(
    ("variables", "path"),
    [
        (
            {"groupBy": [{"field": "NAME"}, {"field": "INDUSTRY"}, {"field": "SOURCE"}, {"field": "COUNTRY"}]},
            ["groupBy"],
        ),
        ({"groupBy": [{"field": "NAME"}, {"field": "NAME"}]}, ["groupBy", "1", "field"]),
        (
            {"groupBy": [{"field": "CREATED_AT", "by": "DAY"}, {"field": "CREATED_AT", "by": "WEEK"}]},
            ["groupBy", "1", "field"],
        ),
        ({"groupBy": [{"field": "NAME", "by": "DAY"}]}, ["groupBy", "0", "by"]),
        ({"groupBy": [{"field": "NAME"}, {"field": "CREATED_AT"}]}, ["groupBy", "1", "by"]),
        ({"groupBy": [{"field": "CREATED_AT", "by": None}]}, ["groupBy", "0", "by"]),
        ({"first": 0}, ["first"]),
        ({"first": 251}, ["first"]),
        ({"filter": {"id": {"eq": "nothing"}}}, ["filter", "id", "eq"]),
        ({"filter": {"name": {"eq": None}}}, ["filter", "name", "eq"]),
    ],
    ids=str,
)
async def test_what_makes_no_sense_is_refused_with_its_place(house: Tenant, variables: Any, path: list[str]) -> None:
    (error,) = (await house.answer(EVERYTHING, variables))["errors"]
    assert error["extensions"]["code"] == "INVALID" and error["path"] == ["found"]
    assert [problem["path"] for problem in error["extensions"]["problems"]] == [path]


@pytest.mark.parametrize("part", [{"field": "ID"}, {"field": "DESCRIPTION"}, {"field": "NAME", "by": "HOUR"}, {}])
async def test_what_cannot_be_grouped_by_cannot_be_said(house: Tenant, part: Any) -> None:
    (error,) = (await house.answer(EVERYTHING, {"groupBy": [part]}))["errors"]
    assert error["extensions"]["code"] == "BAD_REQUEST" and "groupBy" in error["message"]


# --- the reference -----------------------------------------------------------------------------------------------


def test_every_type_field_and_value_of_an_aggregate_is_described() -> None:
    made = re.compile(
        r".*(Aggregate|Group|GroupKey|GroupBy|GroupByField|Sum|Avg|Min|Max|CountDistinct|TimeBucket|BigInt)"
    )
    found: list[Any] = [type_ for name, type_ in SCHEMA.type_map.items() if made.fullmatch(name)]
    parts = [part for one in found for part in {**getattr(one, "fields", {}), **getattr(one, "values", {})}.values()]
    assert len(found) > 30 and len(parts) > 150
    assert [one for one in (*found, *parts) if not one.description] == []


async def test_the_guide_s_queries_run(signals: Tenant) -> None:
    queries = re.findall(r"```graphql\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert len(queries) == 4
    for query in queries:
        data = await signals.ask(query, {"since": TIMES[0].isoformat()} if "$since" in query else None)
        (found,) = data.values()
        assert found.get("count", 1) and found.get("groups", [1])
