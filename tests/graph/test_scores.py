"""Scores through GraphQL: explained, ranked, with their history."""

import pytest

from app.identity.permissions import Permission
from tests.factories.tenants import Tenant
from tests.factories.work import Backstage

SCORE = """query ($id: ID!) { company(id: $id) { score {
  value tier trend computedAt model { id version } factors { key label contribution evidence }
} } }"""
TOP = "query ($first: Int! = 10) { topCompanies(first: $first) { domain score { value } } }"
DELETE = "mutation ($id: ID!) { companyDelete(input: {id: $id}) { userErrors { code } } }"


async def signed_up(tenant: Tenant, backstage: Backstage, domain: str, times: int = 1) -> str:
    """A company with so many sign-ups, scored; its id."""
    answer = await tenant.send([{"type": "signup", "email": f"p{n}@{domain}"} for n in range(times)])
    await backstage.settle(tenant.id)
    id_: str = answer.json()["receipts"][0]["companyId"]
    return id_


async def test_a_score_says_what_it_is_made_of(tenant: Tenant, backstage: Backstage) -> None:
    id_ = await signed_up(tenant, backstage, "explained.dev", 3)
    score = (await tenant.ask(SCORE, {"id": id_}))["company"]["score"]
    factors = {factor["key"]: factor for factor in score["factors"]}
    assert set(factors) == {"signal:signup", "breadth", "velocity", "fit:domain"}
    assert sum(factor["contribution"] for factor in score["factors"]) == score["value"]
    assert factors["signal:signup"]["evidence"]["count"] == 3
    assert factors["breadth"]["evidence"] == {"people": 3}
    assert (score["tier"], score["trend"], score["model"]["version"]) == ("WARM", "RISING", 1)
    assert score["model"]["id"].startswith("scoringmodel_")


async def test_a_company_without_signals_has_no_score(tenant: Tenant) -> None:
    create = 'mutation { companyCreate(input: {name: "Quiet"}) { company { score { value } } } }'
    assert (await tenant.ask(create))["companyCreate"]["company"] == {"score": None}
    assert (await tenant.ask(TOP))["topCompanies"] == []


async def test_the_top_companies_are_the_highest_first(
    tenant: Tenant, other_tenant: Tenant, backstage: Backstage
) -> None:
    for domain, times in (("low.dev", 1), ("high.dev", 9), ("middle.dev", 3)):
        await signed_up(tenant, backstage, domain, times)
    await signed_up(other_tenant, backstage, "theirs.dev", 20)
    top = (await tenant.ask(TOP))["topCompanies"]
    assert [company["domain"] for company in top] == ["high.dev", "middle.dev", "low.dev"]
    assert [c["score"]["value"] for c in top] == sorted((c["score"]["value"] for c in top), reverse=True)
    assert len((await tenant.ask(TOP, {"first": 2}))["topCompanies"]) == 2


async def test_a_deleted_company_is_not_among_them(tenant: Tenant, backstage: Backstage) -> None:
    gone = await signed_up(tenant, backstage, "gone.dev", 5)
    await signed_up(tenant, backstage, "kept.dev")
    assert (await tenant.ask(DELETE, {"id": gone}))["companyDelete"]["userErrors"] == []
    assert [company["domain"] for company in (await tenant.ask(TOP))["topCompanies"]] == ["kept.dev"]


@pytest.mark.parametrize("first", [0, -1, 251])
async def test_a_number_out_of_range_is_refused(tenant: Tenant, first: int) -> None:
    answer = await tenant.answer(TOP, {"first": first})
    assert answer["errors"][0]["extensions"]["code"] == "INVALID"


async def test_scores_need_their_permission(tenant: Tenant) -> None:
    answer = await tenant.answer(TOP, token=await tenant.new_key(Permission.CRM_READ))
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
