"""The queries of docs/filters.md: they are valid, run, and say what the guide says of them."""

import re
from pathlib import Path
from typing import Any

import pytest
from graphql import parse, validate
from httpx2 import AsyncClient

from app.core.clock import now
from app.core.db import Database
from graph.schema import schema
from tests.factories.tenants import Tenant, make_tenant
from tests.factories.work import Backstage

QUERIES = re.findall(
    r"^```graphql\n(.*?)^```", (Path(__file__).parents[2] / "docs/filters.md").read_text(), re.M | re.S
)
ADD = "mutation ($input: CompanyCreateInput!) { companyCreate(input: $input) { company { id } } }"
HIRE = "mutation ($input: ContactCreateInput!) { contactCreate(input: $input) { contact { id } } }"


@pytest.fixture(scope="module")
async def told(database: Database, http: AsyncClient, backstage: Backstage) -> Tenant:
    """An organization with a busy company and a quiet one."""
    tenant = await make_tenant(database, http)
    for name, employees in (("Busy Labs", 80), ("Quiet Labs", 60), ("Small Labs", 3)):
        domain = f"{name.split()[0].lower()}.dev"
        made = await tenant.ask(ADD, {"input": {"name": name, "employees": employees, "domain": domain}})
        company = made["companyCreate"]["company"]["id"]
        title = "VP and CTO" if name == "Busy Labs" else "Intern"
        await tenant.ask(HIRE, {"input": {"email": f"ann@{domain}", "companyId": company, "title": title}})
    recent = [{"type": "docs_view", "email": "ann@busy.dev"}] * 3
    recent += [{"type": "signup", "email": f"p{number}@busy.dev"} for number in range(30)]
    star = {"type": "github_star", "source": "github", "email": "ann@busy.dev"}
    old = {"type": "signup", "email": "ann@small.dev", "occurredAt": f"{now().year - 1}-06-01T00:00:00Z"}
    await tenant.send([*recent, star, old])
    await backstage.settle(tenant.id)
    return tenant


async def names(tenant: Tenant, number: int) -> dict[str, Any]:
    answer = await tenant.ask(QUERIES[number])
    return {field: [next(iter(node.values())) for node in page["nodes"]] for field, page in answer.items()}


def test_every_query_of_the_guide_is_known_here() -> None:
    assert len(QUERIES) == 8
    assert [validate(schema()._schema, parse(query)) for query in QUERIES] == [[]] * 8


async def test_the_queries_find_what_the_guide_says(told: Tenant) -> None:
    assert await names(told, 0) == {"companies": ["Quiet Labs", "Busy Labs"]}
    assert await names(told, 1) == {"companies": ["Busy Labs"]}
    assert await names(told, 2) == {"companies": ["Busy Labs"]}
    assert await names(told, 3) == {"companies": []}
    assert await names(told, 4) == {"companies": ["Busy Labs"], "contacts": ["ann@busy.dev"]}
    assert await names(told, 5) == {"hot": ["Busy Labs"], "unscored": ["Quiet Labs"]}


async def test_the_sorts_put_what_has_no_value_last(told: Tenant) -> None:
    answer = await told.ask(QUERIES[6])
    assert [edge["node"]["name"] for edge in answer["companies"]["edges"]] == ["Busy Labs", "Small Labs", "Quiet Labs"]
    emails = [node["email"] for node in answer["contacts"]["nodes"]]
    assert emails[:2] == ["ann@busy.dev", "p29@busy.dev"] and len(emails) == 20
