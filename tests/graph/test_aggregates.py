"""Aggregates over GraphQL against counting the same rows in memory."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson
import pytest
from httpx2 import AsyncClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strawberry.utils.str_converters import to_camel_case

from app.core.db import Database, Row
from app.core.filters import Kind
from app.core.lists import Listing
from app.core.work import Reads, work
from app.crm.models import Company
from app.crm.queries import COMPANY_LIST, CONTACT_LIST
from app.signals.queries import SIGNAL_LIST
from tests.factories.counting import columns, computed, folded, grouped, shapes
from tests.factories.documents import SCHEMA
from tests.factories.furnished import TIMES, furnish, made, one, with_signals
from tests.factories.tenants import Tenant, make_tenant

LISTS: Mapping[str, Listing] = {"companies": COMPANY_LIST, "contacts": CONTACT_LIST, "signals": SIGNAL_LIST}
World = Mapping[str, Sequence[Row]]
Holds = Callable[[Row, World], bool]


@pytest.fixture(scope="module")
async def house(database: Database, http: AsyncClient) -> Tenant:
    """A tenant with companies and contacts that share values or have none, beside another with the same."""
    await furnish(await make_tenant(database, http))
    return await furnish(await make_tenant(database, http))


@pytest.fixture(scope="module")
async def signals(database: Database, http: AsyncClient) -> Tenant:
    return await with_signals(await make_tenant(database, http))


async def world_of(tenant: Tenant) -> World:
    async with Reads(tenant.database, tenant.id) as reads:
        return {name: await reads.rows(listed.every()) for name, listed in LISTS.items()}


def document(name: str) -> str:
    """Everything that can be asked of the list's aggregate."""
    listed = LISTS[name]
    entity = listed.model.__name__
    everything = "count " + " ".join(
        f"{function} {{ {' '.join(map(to_camel_case, of_columns))} }}"
        for function, (of_columns, _) in shapes(listed).items()
    )
    key = " ".join(to_camel_case(column) for column in listed.filterable.columns if column != "id")
    return f"""
      query ($filter: {entity}Filter, $groupBy: [{entity}GroupBy!], $first: Int) {{
        found: {name}Aggregate(filter: $filter, groupBy: $groupBy, first: $first) {{
          {everything} groups {{ key {{ {key} }} {everything} }} hasMoreGroups
        }}
      }}"""


FILTERS: Mapping[str, Sequence[tuple[Mapping[str, Any], Holds]]] = {
    "companies": [
        ({}, lambda row, _: row.deleted_at is None),
        ({"deletedAt": {}}, lambda *_: True),
        ({"employees": {"gte": 2}}, lambda row, _: row.deleted_at is None and (row.employees or 0) >= 2),
        ({"industry": {"in": ["SAAS"]}}, lambda row, _: row.deleted_at is None and folded(row.industry) == "saas"),
        ({"name": {"eq": "none has it"}}, lambda *_: False),
        (
            {"contacts": {"some": {"status": {"eq": "ACTIVE"}}}},
            lambda row, world: (
                row.deleted_at is None
                and any(c.company_id == row.id and c.status == "ACTIVE" and not c.deleted_at for c in world["contacts"])
            ),
        ),
    ],
    "contacts": [
        ({}, lambda row, _: row.deleted_at is None),
        ({"deletedAt": {}}, lambda *_: True),
        (
            {"company": {"lifecycle": {"eq": "PROSPECT"}}},
            lambda row, world: (
                row.deleted_at is None
                and any(c.id == row.company_id and c.lifecycle == "PROSPECT" for c in world["companies"])
            ),
        ),
    ],
    "signals": [
        ({}, lambda *_: True),
        (
            {"occurredAt": {"gte": TIMES[3].isoformat()}, "type": {"neq": "t1"}},
            lambda row, _: row.occurred_at >= TIMES[3] and row.type != "t1",
        ),
    ],
}


@st.composite
def questions(draw: st.DrawFn, name: str) -> tuple[dict[str, Any], Holds]:
    listed = LISTS[name]
    filter_, holds = draw(st.sampled_from(FILTERS[name]))
    fields = draw(st.lists(st.sampled_from(columns(listed, *Kind)), max_size=3, unique=True))
    timed = columns(listed, Kind.TIME)
    spans = st.sampled_from(["DAY", "WEEK", "MONTH"])
    parts = [{"field": f.upper(), **({"by": draw(spans)} if f in timed else {})} for f in fields]
    first = draw(st.one_of(st.none(), st.integers(1, 8)))
    return {"filter": filter_, "groupBy": parts, "first": first}, holds


async def compare(tenant: Tenant, name: str, question: Mapping[str, Any], holds: Holds) -> None:
    world = await world_of(tenant)
    rows = [row for row in world[name] if holds(row, world)]
    found = (await tenant.ask(document(name), question))["found"]
    groups = grouped(LISTS[name], rows, question["groupBy"]) if question["groupBy"] else []
    most = question["first"] or 50
    expected = computed(LISTS[name], rows) | {"groups": groups[:most], "hasMoreGroups": len(groups) > most}
    assert rounded(found) == rounded(expected)


def rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: rounded(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [rounded(inner) for inner in value]
    return round(value, 6) if isinstance(value, float) else value


quick = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


@quick
@given(question=questions("companies"))
async def test_companies_come_to_what_counting_them_does(house: Tenant, question: Any) -> None:
    await compare(house, "companies", *question)


@quick
@given(question=questions("contacts"))
async def test_contacts_come_to_what_counting_them_does(house: Tenant, question: Any) -> None:
    await compare(house, "contacts", *question)


@quick
@given(question=questions("signals"))
async def test_signals_come_to_what_counting_them_does(signals: Tenant, question: Any) -> None:
    await compare(signals, "signals", *question)


@pytest.mark.parametrize(
    ("name", "field"), [(name, field) for name, listed in LISTS.items() for field in columns(listed, *Kind)]
)
async def test_every_field_but_the_id_can_be_grouped_by(house: Tenant, signals: Tenant, name: str, field: str) -> None:
    timed = field in columns(LISTS[name], Kind.TIME)
    filter_, holds = FILTERS[name][1 if name != "signals" else 0]
    for by in ("DAY", "WEEK", "MONTH") if timed else (None,):
        part = {"field": field.upper(), **({"by": by} if by else {})}
        question = {"filter": filter_, "groupBy": [part], "first": None}
        await compare(signals if name == "signals" else house, name, question, holds)


@pytest.mark.parametrize(
    ("moment", "day", "week", "month"),
    [
        ("2020-12-31T23:59:59.999999+00:00", "2020-12-31", "2020-12-28", "2020-12-01"),
        ("2021-01-01T00:00:00+00:00", "2021-01-01", "2020-12-28", "2021-01-01"),
        ("2021-01-04T00:00:00+00:00", "2021-01-04", "2021-01-04", "2021-01-01"),
        ("2024-12-31T22:00:00-05:00", "2025-01-01", "2024-12-30", "2025-01-01"),
        ("2025-01-01T00:30:00+02:00", "2024-12-31", "2024-12-30", "2024-12-01"),
        ("2024-02-29T12:00:00+00:00", "2024-02-29", "2024-02-26", "2024-02-01"),
    ],
)
async def test_a_time_falls_in_its_day_week_and_month_of_utc(
    tenant: Tenant, moment: str, day: str, week: str, month: str
) -> None:
    async with work(tenant.database, tenant.id) as unit:
        await made(unit, [Company(name="Acme")], [datetime.fromisoformat(moment)])
    for by, first in (("DAY", day), ("WEEK", week), ("MONTH", month)):
        part = f"{{field: CREATED_AT, by: {by}}}"
        found = await one(tenant, f"companiesAggregate(groupBy: [{part}]) {{ groups {{ key {{ createdAt }} }} }}")
        assert found == {"groups": [{"key": {"createdAt": first}}]}


async def test_a_filter_by_the_key_finds_as_many_as_the_group_has(house: Tenant) -> None:
    asked = "companiesAggregate(groupBy: [{field: INDUSTRY}]) { groups { key { industry } count } }"
    groups = (await one(house, asked))["groups"]
    assert {"SaaS", "", None} < {group["key"]["industry"] for group in groups}
    count = "query ($filter: CompanyFilter) { companies(filter: $filter) { totalCount } }"
    for group in groups:
        value = group["key"]["industry"]
        filter_ = {"industry": {"isNull": True} if value is None else {"eq": value}}
        assert (await house.ask(count, {"filter": filter_}))["companies"]["totalCount"] == group["count"]


async def test_sums_go_beyond_32_bits(tenant: Tenant) -> None:
    async with work(tenant.database, tenant.id) as unit:
        for _ in range(3):
            unit.add(Company(name="Vast", employees=2_147_483_647))
    found = await one(tenant, "companiesAggregate { sum { employees } avg { employees } max { employees } }")
    assert found == {"sum": {"employees": 6_442_450_941}, "avg": {"employees": 2_147_483_647.0}} | {
        "max": {"employees": 2_147_483_647}
    }


@pytest.mark.parametrize(
    ("sum_", "sent"), [(Decimal(2**63 - 1), 2**63 - 1), (Decimal(2**63), float(2**63)), (-(2**63), -(2**63))]
)
def test_whole_numbers_of_any_size_can_be_sent(sum_: Any, sent: float) -> None:
    told = SCHEMA.type_map["BigInt"].serialize(sum_)  # type: ignore[attr-defined]
    assert (told, type(told)) == (sent, type(sent)) and orjson.loads(orjson.dumps(told)) == sent


async def test_of_nothing_there_are_none_and_no_sums(tenant: Tenant, house: Tenant) -> None:
    """Others have rows: none of them is counted."""
    selection = "count sum { employees } countDistinct { name } groups { count }"
    assert await one(tenant, f"companiesAggregate(groupBy: [{{field: NAME}}]) {{ {selection} }}") == {
        "count": 0,
        "sum": {"employees": None},
        "countDistinct": {"name": 0},
        "groups": [],
    }
