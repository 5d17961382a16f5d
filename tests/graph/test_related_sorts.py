"""Lists sorted by what stands elsewhere: pages both ways, while rows come and go between them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from httpx2 import AsyncClient

from app.core.db import Database
from app.core.ids import new_id
from app.core.work import Work, work
from app.crm.models import Company, Contact
from app.identity.permissions import Permission
from app.scoring.models import Score, Tier, Trend
from app.scoring.scores import current_model
from app.signals.models import CompanyLastSignal, ContactLastSignal
from tests.factories.statements import statements
from tests.factories.tenants import Tenant, make_tenant

PAGE = """
query ($first: Int, $after: String, $last: Int, $before: String, $by: [%sOrder!], $filter: %sFilter) {
  rows: %s(first: $first, after: $after, last: $last, before: $before, orderBy: $by, filter: $filter) {
    edges { cursor node { id } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    totalCount
  }
}
"""
COMPANIES, CONTACTS = PAGE % ("Company", "Company", "companies"), PAGE % ("Contact", "Contact", "contacts")
VALUES = [70, None, 3, 70, None, 3, 100, 0, None, 70, 12]
START = datetime(2026, 5, 1, tzinfo=UTC)
SORTS = [
    (COMPANIES, "SCORE"),
    (COMPANIES, "LAST_SIGNAL_AT"),
    (CONTACTS, "LAST_SIGNAL_AT"),
    (CONTACTS, "COMPANY_NAME"),
    (CONTACTS, "LAST_NAME"),
]
each_sort = pytest.mark.parametrize(("document", "field"), SORTS)
each_way = pytest.mark.parametrize("direction", ["ASC", "DESC"])


def add(unit: Work, model: UUID, value: int | None, number: int) -> None:
    """A company and its contact; with a value, both have what they can be sorted by."""
    firm = Company(id=new_id(), name=f"Firm {value}")
    person = Contact(id=new_id(), last_name=None if value is None else f"Person {value}")
    unit.add(firm, person)
    if value is None:
        return
    person.company_id = firm.id
    at = START + timedelta(minutes=value, microseconds=number % 2)
    score = Score(company_id=firm.id, value=value, tier=Tier.COLD, trend=Trend.STABLE, factors=[], computed_at=at)
    score.model_id = model
    unit.add(score, CompanyLastSignal(company_id=firm.id, occurred_at=at))
    unit.add(ContactLastSignal(contact_id=person.id, occurred_at=at))


async def model_of(unit: Work) -> UUID:
    id_: UUID = (await current_model(unit)).id
    return id_


async def filled(database: Database, http: AsyncClient, values: list[int | None]) -> Tenant:
    tenant = await make_tenant(database, http)
    async with work(database, tenant.id) as unit:
        model = await model_of(unit)
        for number, value in enumerate(values):
            add(unit, model, value, number)
    return tenant


@pytest.fixture(scope="module")
async def house(database: Database, http: AsyncClient) -> Tenant:
    return await filled(database, http, VALUES)


async def page(tenant: Tenant, document: str, **variables: Any) -> dict[str, Any]:
    answer: dict[str, Any] = (await tenant.ask(document, variables))["rows"]
    return answer


def ids(answer: dict[str, Any]) -> list[str]:
    return [edge["node"]["id"] for edge in answer["edges"]]


async def forward(tenant: Tenant, document: str, by: Any, size: int) -> list[str]:
    found: list[str] = []
    after, more = None, True
    while more:
        answer = await page(tenant, document, first=size, after=after, by=by)
        found += ids(answer)
        after, more = answer["pageInfo"]["endCursor"], answer["pageInfo"]["hasNextPage"]
    return found


async def back(tenant: Tenant, document: str, by: Any, size: int) -> list[str]:
    found: list[str] = []
    before, more = None, True
    while more:
        answer = await page(tenant, document, last=size, before=before, by=by)
        found = ids(answer) + found
        before, more = answer["pageInfo"]["startCursor"], answer["pageInfo"]["hasPreviousPage"]
    return found


KEYS: dict[str, Callable[[int, int], Any]] = {
    "SCORE": lambda value, _: value,
    "LAST_SIGNAL_AT": lambda value, number: (value, number % 2),
    "COMPANY_NAME": lambda value, _: f"Firm {value}",
    "LAST_NAME": lambda value, _: f"Person {value}",
}


def in_order(newest_first: list[str], field: str, direction: str) -> list[str]:
    """The ids as they should stand: by the value, then by id; those without a value last, by id."""
    down = direction == "DESC"
    rows = list(zip(reversed(newest_first), range(len(VALUES)), VALUES, strict=True))
    valued = [(KEYS[field](value, number), id_) for id_, number, value in rows if value is not None]
    rest = [id_ for id_, _, value in rows if value is None]
    return [id_ for _, id_ in sorted(valued, reverse=down)] + sorted(rest, reverse=down)


@each_sort
@each_way
async def test_pages_both_ways_make_the_whole_list_in_order(
    house: Tenant, document: str, field: str, direction: str
) -> None:
    whole = in_order(ids(await page(house, document, first=250)), field, direction)
    by = [{"field": field, "direction": direction}]
    assert ids(await page(house, document, first=250, by=by)) == whole
    for size in (1, 3, 4):
        assert await forward(house, document, by, size) == whole
        assert await back(house, document, by, size) == whole


@each_sort
@each_way
async def test_a_window_may_have_both_ends(house: Tenant, document: str, field: str, direction: str) -> None:
    by = [{"field": field, "direction": direction}]
    edges = (await page(house, document, first=250, by=by))["edges"]
    for start, end in ((0, 4), (2, 9), (8, 10)):
        ends = {"after": edges[start]["cursor"], "before": edges[end]["cursor"], "by": by}
        assert (await page(house, document, first=250, **ends))["edges"] == edges[start + 1 : end]
        assert (await page(house, document, last=2, **ends))["edges"] == edges[start + 1 : end][-2:]


@each_way
async def test_a_related_part_may_stand_among_others(house: Tenant, direction: str) -> None:
    by = [{"field": "SCORE", "direction": direction}, {"field": "LAST_SIGNAL_AT"}, {"field": "NAME"}]
    whole = ids(await page(house, COMPANIES, first=250, by=by))
    assert len(set(whole)) == len(VALUES)
    assert await forward(house, COMPANIES, by, 3) == whole
    assert await back(house, COMPANIES, by, 4) == whole


NESTED = """
query ($by: [ContactOrder!]) {
  companies(first: 50, orderBy: [{field: SCORE, direction: DESC}]) {
    totalCount nodes { score { value } contacts(first: 2, orderBy: $by) { nodes { id } } }
  }
}
"""


@pytest.mark.parametrize("field", ["LAST_SIGNAL_AT", "COMPANY_NAME"])
async def test_related_lists_are_sorted_so_in_one_statement_for_all(house: Tenant, field: str) -> None:
    with statements() as sent:
        answer = (await house.ask(NESTED, {"by": [{"field": field}]}))["companies"]
    scores = [one["score"] and one["score"]["value"] for one in answer["nodes"]]
    assert scores == [100, 70, 70, 70, 12, 3, 3, 0, None, None, None]
    assert [len(one["contacts"]["nodes"]) for one in answer["nodes"]] == [1] * 8 + [0] * 3
    assert answer["totalCount"] == len(VALUES)
    asked = [text for text in sent if any(f"FROM {table}" in text for table in ("companies", "contacts", "scores"))]
    assert len(asked) == 4  # the page, its total, the scores of all, the contacts of all


async def test_rows_that_arrive_between_pages_make_none_missed_or_twice(database: Database, http: AsyncClient) -> None:
    for document, field in SORTS:
        tenant = await filled(database, http, VALUES * 2)
        for direction in ("ASC", "DESC"):
            by = [{"field": field, "direction": direction}]
            there = await forward(tenant, document, by, 250)
            seen: list[str] = []
            after, more, value = None, True, 0
            while more and value < 600:
                answer = await page(tenant, document, first=5, after=after, by=by)
                seen += ids(answer)
                after, more = answer["pageInfo"]["endCursor"], answer["pageInfo"]["hasNextPage"]
                value += 11
                async with work(database, tenant.id) as unit:
                    add(unit, await model_of(unit), value % 101, value)
            assert len(seen) == len(set(seen)) and not more
            assert [id_ for id_ in seen if id_ in set(there)] == there


@each_sort
async def test_a_cursor_belongs_to_its_sort(house: Tenant, document: str, field: str) -> None:
    by = [{"field": field}]
    cursor = (await page(house, document, first=1, by=by))["pageInfo"]["endCursor"]
    for other in ([{"field": field, "direction": "DESC"}], None, [{"field": "CREATED_AT"}]):
        answer = await house.answer(document, {"after": cursor, "by": other})
        assert answer["errors"][0]["extensions"]["code"] == "CURSOR_INVALID"


async def test_another_organization_is_never_seen(house: Tenant, database: Database, http: AsyncClient) -> None:
    other = await filled(database, http, [5, None])
    for document, field in SORTS:
        theirs = set(ids(await page(other, document, by=[{"field": field}])))
        assert len(theirs) == 2
        assert not theirs & set(ids(await page(house, document, by=[{"field": field}])))
        cursor = (await page(other, document, first=1, by=[{"field": field}]))["pageInfo"]["endCursor"]
        assert not theirs & set(ids(await page(house, document, after=cursor, by=[{"field": field}])))


async def test_who_may_not_see_the_value_may_not_sort_by_it(house: Tenant) -> None:
    key = await house.new_key(Permission.CRM_READ)
    for document, field in SORTS[:3]:
        answer = await house.answer(document, {"by": [{"field": field}]}, token=key)
        assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert "errors" not in await house.answer(CONTACTS, {"by": [{"field": "COMPANY_NAME"}]}, token=key)
