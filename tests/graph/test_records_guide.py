"""The operations of docs/records.md: they are valid, run in their order, and do what the guide says."""

import re
from pathlib import Path

from tests.factories.tenants import Tenant

OPERATIONS = re.findall(
    r"^```graphql\n(.*?)^```", (Path(__file__).parents[2] / "docs/records.md").read_text(), re.M | re.S
)


async def test_the_operations_do_what_the_guide_says(tenant: Tenant) -> None:
    create, upsert, batch, deal, by_stage, idle = OPERATIONS
    first, again = await tenant.ask(create), await tenant.ask(create)
    assert first == again and first["companyCreate"]["userErrors"] == []
    assert (await tenant.ask(upsert))["companyUpsert"] == {
        "created": False,
        "company": {"name": "Acme", "employees": 40, "industry": "Robots"},
    }
    rows = (await tenant.ask(batch))["companiesBatchUpsert"]["results"]
    assert [(row["created"], row["company"], row["userErrors"]) for row in rows] == [
        (False, {"name": "Acme Inc."}, []),
        (True, {"name": "Borealis"}, []),
        (False, None, [{"code": "INVALID", "path": ["domain"]}]),
    ]
    made = (await tenant.ask(deal))["dealCreate"]["deal"]
    assert made == {
        "stage": "ACTIVATED",
        "probability": 10,
        "stageHistory": {"nodes": [{"before": None, "stage": "ACTIVATED"}]},
    }
    [group] = (await tenant.ask(by_stage))["dealsAggregate"]["groups"]
    assert group == {"key": {"stage": "ACTIVATED"}, "count": 1, "sum": {"amount": 1_200_000}}
    assert (await tenant.ask(idle))["deals"]["nodes"] == [{"name": "Team plan"}]
