"""`node` and `nodes`, and that what a page costs in statements does not grow with its rows."""

from typing import Any

import pytest

from app.core.ids import encode_id
from app.core.tenancy import SYSTEM
from tests.factories.statements import statements
from tests.factories.tenants import Tenant
from tests.factories.work import Backstage

NODES = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id ... on Company { name } ... on Contact { email } } }"
NODE = "query ($id: ID!) { node(id: $id) { __typename id ... on Company { name } } }"
PAGE = """
query ($first: Int!) {
  companies(first: $first) {
    nodes {
      name score { value factors { key } }
      contacts(first: 2) { nodes { email company { name } } }
      signals(first: 3) { nodes { type contact { email } company { domain } } }
    }
    pageInfo { hasNextPage }
  }
}
"""


async def fill(tenant: Tenant, backstage: Backstage, companies: int) -> None:
    rows = [
        {"type": kind, "email": f"person{n}@company{number}-{tenant.id.hex[-8:]}.dev"}
        for number in range(companies)
        for n, kind in enumerate(("signup", "docs_view", "api_call"))
    ]
    assert (await tenant.send(rows)).status_code == 202
    await backstage.settle(tenant.id)


async def cost(tenant: Tenant, query: str, variables: Any = None) -> tuple[int, dict[str, Any]]:
    """How many statements the query takes beside those that find out who asks, and its answer."""
    await tenant.ask("{ viewer { permissions } }")
    with statements() as who:
        await tenant.ask("{ __typename }")
    with statements() as seen:
        answer = await tenant.ask(query, variables)
    return len(seen) - len(who), answer


async def test_a_page_with_three_levels_of_relations_takes_a_fixed_number_of_statements(
    tenant: Tenant, backstage: Backstage
) -> None:
    await fill(tenant, backstage, 12)
    one, answer = await cost(tenant, PAGE, {"first": 1})
    many, answers = await cost(tenant, PAGE, {"first": 12})
    assert len(answer["companies"]["nodes"]) == 1 and len(answers["companies"]["nodes"]) == 12
    assert all(len(row["signals"]["nodes"]) == 3 and row["score"]["value"] > 0 for row in answers["companies"]["nodes"])
    assert one == many
    # companies, scores, contacts, signals; companies and contacts again for what those point at
    assert many <= 7


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("{ companies { nodes { id name domain } } }", 1),
        ("{ companies { nodes { id } pageInfo { hasNextPage } totalCount } }", 2),
        ("{ contacts { nodes { id company { id } } } }", 2),
        ("{ companies { nodes { id contacts { nodes { id } } } } }", 2),
        ("{ companies { nodes { id score { value model { version } } } } }", 2),
        ("{ signals { nodes { id company { id } contact { id } } } }", 3),
        ("{ topCompanies { id score { value } } }", 2),
        ("{ a: companies { nodes { id } } b: contacts { nodes { id } } }", 2),
    ],
)
async def test_a_list_takes_a_statement_per_level(
    tenant: Tenant, backstage: Backstage, query: str, expected: int
) -> None:
    await fill(tenant, backstage, 3)
    assert (await cost(tenant, query))[0] == expected


async def test_nodes_of_any_type_come_in_the_order_of_their_ids(tenant: Tenant, backstage: Backstage) -> None:
    await fill(tenant, backstage, 2)
    listed = await tenant.ask("{ companies { nodes { id name } } contacts { nodes { id email } } }")
    companies, contacts = listed["companies"]["nodes"], listed["contacts"]["nodes"]
    missing = encode_id("company", SYSTEM)
    ids = [contacts[0]["id"], companies[1]["id"], missing, companies[0]["id"], contacts[1]["id"], companies[1]["id"]]
    number, answer = await cost(tenant, NODES, {"ids": ids})
    assert [node and node["id"] for node in answer["nodes"]] == [*ids[:2], None, *ids[3:]]
    assert [node and node["__typename"] for node in answer["nodes"]][:3] == ["Contact", "Company", None]
    assert answer["nodes"][1]["name"] == companies[1]["name"]
    assert number == 2  # one per type


async def test_every_type_with_an_id_is_found_by_it(tenant: Tenant, backstage: Backstage) -> None:
    await fill(tenant, backstage, 1)
    await tenant.ask('mutation { connectionConnect(input: {provider: "github"}) { connection { id } } }')
    lists = ("companies", "contacts", "signals", "identities", "connections", "jobs", "apiKeys")
    rows = await tenant.ask_personally("{" + " ".join(f"{name} {{ nodes {{ id }} }}" for name in lists) + "}")
    ids = [rows[name]["nodes"][0]["id"] for name in lists] + [tenant.public_id]
    types = ("Company", "Contact", "Signal", "Identity", "ProviderConnection", "Job", "ApiKey", "Organization")
    for id_, type_ in zip(ids, types, strict=True):
        assert (await tenant.ask_personally(NODE, {"id": id_}))["node"]["id"] == id_
        assert (await tenant.ask_personally(NODE, {"id": id_}))["node"]["__typename"] == type_


@pytest.mark.parametrize(
    "id_", ["", "x", "company_", "company_" + "z" * 26, "COMPANY_" + "0" * 26, "0" * 27, "company_\x00"]
)
async def test_what_is_no_id_is_refused(tenant: Tenant, id_: str) -> None:
    answer = await tenant.answer(NODE, {"id": id_})
    assert answer["errors"][0]["extensions"]["code"] in ("INVALID", "BAD_REQUEST")


async def test_an_id_of_a_type_without_nodes_or_of_nothing_is_null(tenant: Tenant) -> None:
    for prefix in ("user", "nothing", "scoringmodel"):
        assert await tenant.ask(NODE, {"id": encode_id(prefix, tenant.user)}) == {"node": None}


async def test_only_so_many_nodes_are_given_at_once(tenant: Tenant) -> None:
    ids = [encode_id("company", SYSTEM)] * 251
    answer = await tenant.answer(NODES, {"ids": ids})
    assert answer["errors"][0]["extensions"]["code"] == "TOO_LARGE"
    assert await tenant.ask(NODES, {"ids": ids[:250]}) == {"nodes": [None] * 250}
    assert await tenant.ask(NODES, {"ids": []}) == {"nodes": []}
