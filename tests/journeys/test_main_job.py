"""The main job: what a developer does becomes an explained score."""

from tests.factories.tenants import Tenant
from tests.factories.work import Backstage

SCORE = """
query ($id: ID!) {
  company(id: $id) {
    name
    score { value tier trend model { version } factors { key label contribution evidence } }
  }
}
"""


async def test_a_signal_becomes_a_score_that_explains_itself(tenant: Tenant, backstage: Backstage) -> None:
    answer = await tenant.send({"type": "signup", "email": "ada@acme-robotics.com"})
    assert answer.status_code == 202
    receipt = answer.json()["receipts"][0]
    assert receipt["newCompany"] and receipt["companyRule"] == "EMAIL_DOMAIN"

    await backstage.settle(tenant.id)

    company = (await tenant.ask(SCORE, {"id": receipt["companyId"]}))["company"]
    score = company["score"]
    assert company["name"] == "acme-robotics.com"
    assert score["value"] > 0
    assert sum(factor["contribution"] for factor in score["factors"]) == score["value"]
    assert "signal:signup" in [factor["key"] for factor in score["factors"]]
