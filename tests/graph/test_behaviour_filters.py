"""Behaviour and scores as conditions over GraphQL: what is refused and where, who may ask, and what it costs."""

from typing import Any

import pytest

from app.core.clock import now
from app.identity.permissions import Permission
from tests.factories.statements import statements
from tests.factories.tenants import Tenant
from tests.factories.work import Backstage

FIND = """
query ($companies: CompanyFilter, $contacts: ContactFilter) {
  companies(filter: $companies) { nodes { domain } totalCount }
  contacts(filter: $contacts) { nodes { email } totalCount }
}
"""


async def domains(tenant: Tenant, filter_: Any) -> list[str]:
    answer = (await tenant.ask(FIND, {"companies": filter_}))["companies"]
    assert answer["totalCount"] == len(answer["nodes"])
    return sorted(node["domain"] for node in answer["nodes"])


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        ({"within": "soon"}, "within"),
        ({"within": ""}, "within"),
        ({"within": "-P30D"}, "within"),
        ({"within": "P0D"}, "within"),
        ({"within": "P9999Y"}, "within"),
        ({"within": "P1D", "after": "2026-01-01T00:00:00Z"}, "within"),
        ({"after": None}, "after"),
        ({"countGte": -1}, "countGte"),
        ({"countLte": 2_000_000_000}, "countLte"),
        ({"countGte": 2, "countLte": 1}, "countLte"),
        ({"peopleGte": -5}, "peopleGte"),
    ],
    ids=str,
)
async def test_a_question_that_makes_no_sense_is_refused_with_its_place(tenant: Tenant, asked: Any, word: str) -> None:
    answer = await tenant.answer(FIND, {"companies": {"not": {"signals": asked}}})
    extensions = answer["errors"][0]["extensions"]
    assert (extensions["code"], extensions["problems"][0]["path"]) == ("INVALID", ["filter", "not", "signals", word])


@pytest.mark.parametrize("name", ["score", "signals"])
async def test_null_is_no_way_to_ask_for_none(tenant: Tenant, name: str) -> None:
    extensions = (await tenant.answer(FIND, {"companies": {name: None}}))["errors"][0]["extensions"]
    assert (extensions["code"], extensions["problems"][0]["path"]) == ("INVALID", ["filter", name])


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-01-01T00:00:00.000001+14:00"])
async def test_moments_of_the_whole_calendar_can_be_said(tenant: Tenant, moment: str) -> None:
    for asked in ({"after": moment}, {"before": moment}, {"after": moment, "source": {"eq": "api"}}):
        assert await domains(tenant, {"signals": asked}) == []


async def test_a_score_out_of_its_range_is_met_by_none(tenant: Tenant, backstage: Backstage) -> None:
    await tenant.send([{"type": "signup", "email": "ann@scored.dev"}])
    await backstage.settle(tenant.id)
    assert await domains(tenant, {"score": {"value": {"gte": 2_000_000_000}}}) == []
    assert await domains(tenant, {"score": {"value": {"in": [-2_000_000_000], "lte": 70_000}}}) == []
    assert await domains(tenant, {"score": {"value": {"lt": 70_000}, "computedAt": {"lte": now().isoformat()}}}) == [
        "scored.dev"
    ]


async def test_a_filter_asks_about_related_records_only_so_often(tenant: Tenant) -> None:
    many = {"or": [{"signals": {"within": "P1D"}}] * 21}
    extensions = (await tenant.answer(FIND, {"companies": many}))["errors"][0]["extensions"]
    assert (extensions["code"], extensions["problems"][0]["path"]) == ("INVALID", ["filter"])
    assert await domains(tenant, {"or": many["or"][:20]}) == []


async def test_what_another_organization_did_counts_for_nobody_here(tenant: Tenant, other_tenant: Tenant) -> None:
    await tenant.send([{"type": "signup", "email": "ann@shared.dev"}])
    await other_tenant.send([{"type": "signup", "email": "ann@shared.dev"} for _ in range(5)])
    for asked in ({"countGte": 2}, {"countGte": 2, "source": {"eq": "api"}}, {"within": "PT1H", "countGte": 2}):
        assert await domains(tenant, {"signals": asked}) == []
        assert await domains(other_tenant, {"signals": asked}) == ["shared.dev"]
        assert await domains(tenant, {"contacts": {"some": {"signals": asked | {"within": "P1D"}}}}) == []


@pytest.mark.parametrize(
    ("filter_", "scopes"),
    [
        ({"signals": {}}, [Permission.SIGNALS_READ]),
        ({"or": [{"not": {"signals": {}}}]}, [Permission.SIGNALS_READ]),
        ({"contacts": {"none": {"signals": {}}}}, [Permission.SIGNALS_READ]),
        ({"score": {}}, [Permission.SCORES_READ]),
        ({"contacts": {"some": {"company": {"score": {}}}}}, [Permission.SCORES_READ]),
        ({"score": {}, "signals": {}}, [Permission.SCORES_READ, Permission.SIGNALS_READ]),
    ],
    ids=str,
)
async def test_who_may_not_see_it_may_not_filter_by_it(tenant: Tenant, filter_: Any, scopes: list[Permission]) -> None:
    few, enough = await tenant.new_key(Permission.CRM_READ), await tenant.new_key(Permission.CRM_READ, *scopes)
    refused = await tenant.answer(FIND, {"companies": filter_}, token=few)
    assert refused["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert "errors" not in await tenant.answer(FIND, {"companies": filter_}, token=enough)


async def test_a_filter_costs_no_statement_of_its_own(tenant: Tenant) -> None:
    await tenant.send([{"type": "signup", "email": f"ann@firm-{n}.dev"} for n in range(12)])
    filters = [None, {"signals": {"countGte": 1}}, {"signals": {"peopleGte": 1}, "not": {"score": {}}}]
    counts = []
    for filter_ in filters:
        with statements() as sent:
            assert len(await domains(tenant, filter_)) == 12
        counts.append(len(sent))
    assert len(set(counts)) == 1
