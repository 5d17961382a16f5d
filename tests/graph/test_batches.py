"""Batches of records, and records that are destroyed: row by row or all together, and nothing left behind."""

from typing import Any
from uuid import UUID

import asyncpg
import pytest

from app.core.ids import decode_id, encode_id
from tests.factories.statements import statements
from tests.factories.tenants import Tenant
from tests.factories.work import Backstage
from tests.graph.test_crm import NOBODY, count, does, made, problems

RESULTS = """
results { company { id name domain employees deletedAt } created userErrors { code path } } userErrors { code path }
"""
UUID_COLUMNS = """
SELECT c.table_name, c.column_name FROM information_schema.columns c JOIN information_schema.tables t
  ON t.table_name = c.table_name AND t.table_schema = c.table_schema AND t.table_type = 'BASE TABLE'
WHERE c.table_schema = 'public' AND c.data_type = 'uuid'
"""


async def batch(tenant: Tenant, verb: str, rows: list[Any], policy: str = "REJECT_ALL") -> dict[str, Any]:
    kind, name = {
        "Update": ("[CompanyUpdateInput!]!", "inputs"),
        "Delete": ("[ID!]!", "ids"),
    }.get(verb, ("[CompanyCreateInput!]!", "inputs"))
    query = f"""mutation ($rows: {kind}, $policy: ErrorPolicy!) {{
      answer: companiesBatch{verb}({name}: $rows, errorPolicy: $policy) {{ {RESULTS} eventCursor }}
    }}"""
    answer: dict[str, Any] = (await tenant.ask(query, {"rows": rows, "policy": policy}))["answer"]
    return answer


def codes(answer: dict[str, Any]) -> list[list[tuple[str, list[str]]]]:
    """What is wrong with each row."""
    return [[(error["code"], error["path"]) for error in row["userErrors"]] for row in answer["results"]]


async def test_good_rows_are_taken_and_bad_ones_named(tenant: Tenant) -> None:
    await made(tenant, "companyCreate", name="There", domain="there.dev")
    rows = [
        {"name": "A", "domain": "a.dev"},
        {"name": "B", "domain": "THERE.dev"},
        {"name": "C", "domain": "a.dev"},
        {"name": "D", "country": "nowhere"},
        {"name": "E"},
    ]
    answer = await batch(tenant, "Create", rows, "REJECT_FAILED_ROWS")
    bad = [[], [("TAKEN", ["domain"])], [("TAKEN", ["domain"])], [("INVALID", ["country"])], []]
    assert codes(answer) == bad and answer["userErrors"] == []
    assert [row["company"] and row["company"]["name"] for row in answer["results"]] == ["A", None, None, None, "E"]
    assert await count(tenant, "companies") == 3


async def test_one_bad_row_refuses_all_where_so_chosen(tenant: Tenant) -> None:
    answer = await batch(tenant, "Create", [{"name": "A", "domain": "a.dev"}, {"name": "B", "domain": "a.dev"}])
    assert answer["results"] == [] and answer["userErrors"] == [{"code": "TAKEN", "path": ["1", "domain"]}]
    assert await count(tenant, "companies") == 0


async def test_an_upsert_changes_what_is_there_and_adds_the_rest(tenant: Tenant) -> None:
    there = await made(tenant, "companyCreate", name="There", domain="there.dev", employees=5)
    rows = [
        {"name": "There 2", "domain": "there.dev"},
        {"name": "New", "domain": "new.dev"},
        {"name": "No key"},
        {"name": "New again", "domain": "NEW.dev"},
    ]
    answer = await batch(tenant, "Upsert", rows, "REJECT_FAILED_ROWS")
    assert codes(answer) == [[], [], [("INVALID", ["domain"])], [("INVALID", ["domain"])]]
    changed, new = answer["results"][0], answer["results"][1]
    assert (changed["created"], new["created"]) == (False, True)
    assert (changed["company"]["id"], changed["company"]["name"], changed["company"]["employees"]) == (
        there["id"],
        "There 2",
        5,
    )


async def test_updates_and_deletes_of_many(tenant: Tenant, other_tenant: Tenant) -> None:
    a, b, c = [await made(tenant, "companyCreate", name=name, domain=f"{name}.dev") for name in "abc"]
    foreign = await made(other_tenant, "companyCreate", name="theirs")
    await does(tenant, "companyDelete", id=c["id"])
    rows = [
        {"id": a["id"], "employees": 7},
        {"id": b["id"], "domain": "a.dev"},
        {"id": c["id"], "employees": 7},
        {"id": foreign["id"], "name": "mine"},
        {"id": "nonsense", "name": "x"},
    ]
    answer = await batch(tenant, "Update", rows, "REJECT_FAILED_ROWS")
    assert codes(answer) == [
        [],
        [("TAKEN", ["domain"])],
        [("CONFLICT", ["id"])],
        [("NOT_FOUND", ["id"])],
        [("INVALID", ["id"])],
    ]
    assert answer["results"][0]["company"]["employees"] == 7
    deleted = await batch(tenant, "Delete", [a["id"], foreign["id"]], "REJECT_FAILED_ROWS")
    assert codes(deleted) == [[], [("NOT_FOUND", ["id"])]] and deleted["results"][0]["company"]["deletedAt"]
    assert await count(tenant, "companies") == 1 and await count(other_tenant, "companies") == 1


@pytest.mark.parametrize(("size", "code"), [(0, "INVALID"), (1_001, "TOO_LARGE")])
async def test_a_batch_has_one_to_a_thousand_rows(tenant: Tenant, size: int, code: str) -> None:
    answer = await batch(tenant, "Create", [{"name": "x"}] * size)
    assert [error["code"] for error in answer["userErrors"]] == [code]


@pytest.mark.parametrize("verb", ["Create", "Upsert"])
async def test_a_batch_takes_as_many_statements_as_a_single_one(tenant: Tenant, verb: str) -> None:
    async def sent(count: int) -> int:
        rows = [{"name": f"c{n}", "domain": f"{verb.lower()}{count}-{n}.dev"} for n in range(count)]
        with statements() as seen:
            assert codes(await batch(tenant, verb, rows)) == [[]] * count
        return len(seen)

    await sent(2)
    assert await sent(300) == await sent(3)


async def test_only_what_was_deleted_is_destroyed(tenant: Tenant) -> None:
    company = await made(tenant, "companyCreate", name="Acme")
    assert problems(await does(tenant, "companyDestroy", id=company["id"])) == [("CONFLICT", ["id"])]
    nobody = encode_id("company", NOBODY)
    assert problems(await does(tenant, "companyDestroy", id=nobody)) == [("NOT_FOUND", ["id"])]


async def test_what_is_destroyed_leaves_nothing_behind(
    tenant: Tenant, backstage: Backstage, owner: asyncpg.Connection
) -> None:
    await tenant.send({"type": "visit", "email": "ann@acme.dev"})
    await backstage.settle(tenant.id)
    answer = await tenant.ask("{ companies { nodes { id contacts { nodes { id } } signals { nodes { id } } } } }")
    [company] = answer["companies"]["nodes"]
    await does(tenant, "companyDelete", id=company["id"])
    assert (await does(tenant, "companyDestroy", id=company["id"]))["userErrors"] == []
    assert await count(tenant, "companies") == 0
    left = await tenant.ask("{ contacts { nodes { email company { id } } } signals { nodes { type company { id } } } }")
    assert left["contacts"]["nodes"] == [{"email": "ann@acme.dev", "company": None}]
    assert left["signals"]["nodes"] == [{"type": "visit", "company": None}]
    assert await places_of(owner, decode_id(company["id"])[1]) == []


async def places_of(owner: asyncpg.Connection, id_: UUID) -> list[str]:
    """The tables and columns in which the id still stands."""
    return [
        f"{table}.{column}"
        for table, column in await owner.fetch(UUID_COLUMNS)
        if await owner.fetchval(f'SELECT EXISTS (SELECT FROM "{table}" WHERE "{column}" = $1)', id_)
    ]
