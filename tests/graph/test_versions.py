"""Optimistic concurrency: a change that expects another version than the record has is refused."""

import asyncio
from typing import Any

import pytest

from tests.factories.tenants import Tenant

KINDS = {"company": ("Company", "name"), "contact": ("Contact", "firstName")}


async def does(tenant: Tenant, name: str, /, **input_: Any) -> dict[str, Any]:
    kind = "company" if name.startswith("company") else "contact"
    verb = name.removeprefix(kind)
    type_ = {"Create": "CreateInput", "Update": "UpdateInput", "Upsert": "CreateInput"}.get(verb)
    input_type = f"{KINDS[kind][0]}{type_}" if type_ else "RecordIdInput"
    asked = f"""mutation ($i: {input_type}!) {{ answer: {name}(input: $i) {{
      record: {kind} {{ id version {KINDS[kind][1]} }} eventCursor userErrors {{ code message path }} }} }}"""
    payload: dict[str, Any] = (await tenant.ask(asked, {"i": input_}))["answer"]
    return payload


def is_conflict(payload: dict[str, Any]) -> bool:
    problems = [(error["code"], error["path"]) for error in payload["userErrors"]]
    return payload["record"] is None and problems == [("CONFLICT", ["expectedVersion"])]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_the_version_counts_the_changes(tenant: Tenant, kind: str) -> None:
    field = KINDS[kind][1]
    made = (await does(tenant, f"{kind}Create", **{field: "A"}))["record"]
    id_ = made["id"]
    versions = [made["version"]]
    for verb, said in (
        ("Update", {field: "B"}),
        ("Update", {field: "B"}),
        ("Delete", {}),
        ("Delete", {}),
        ("Restore", {}),
        ("Update", {field: "C"}),
    ):
        versions.append((await does(tenant, f"{kind}{verb}", id=id_, **said))["record"]["version"])
    assert versions == [1, 2, 2, 3, 3, 4, 5]
    assert (await tenant.ask(f'{{ {kind}(id: "{id_}") {{ version }} }}'))[kind]["version"] == 5


async def test_a_change_that_expects_the_version_is_made(tenant: Tenant, kind: str) -> None:
    field = KINDS[kind][1]
    id_ = (await does(tenant, f"{kind}Create", **{field: "A"}))["record"]["id"]
    changed = await does(tenant, f"{kind}Update", id=id_, expectedVersion=1, **{field: "B"})
    assert changed["record"] == {"id": id_, "version": 2, field: "B"}
    assert (await does(tenant, f"{kind}Update", id=id_, expectedVersion=None, **{field: "C"}))["userErrors"] == []


@pytest.mark.parametrize("expected", [0, 1, 3, -1, 2**31 - 1])
async def test_a_change_that_expects_another_version_is_refused(tenant: Tenant, kind: str, expected: int) -> None:
    field = KINDS[kind][1]
    id_ = (await does(tenant, f"{kind}Create", **{field: "A"}))["record"]["id"]
    await does(tenant, f"{kind}Update", id=id_, **{field: "B"})
    refused = await does(tenant, f"{kind}Update", id=id_, expectedVersion=expected, **{field: "C"})
    assert is_conflict(refused) and refused["eventCursor"] is None and "2" in refused["userErrors"][0]["message"]
    unchanged = await does(tenant, f"{kind}Update", id=id_, expectedVersion=expected)
    assert is_conflict(unchanged)
    assert (await tenant.ask(f'{{ {kind}(id: "{id_}") {{ version {field} }} }}'))[kind] == {"version": 2, field: "B"}


async def test_of_many_who_saw_the_same_version_one_changes_it(tenant: Tenant) -> None:
    id_ = (await does(tenant, "companyCreate", name="A"))["record"]["id"]
    said = [{"id": id_, "expectedVersion": 1, "name": f"B{n}"} for n in range(10)]
    answers = await asyncio.gather(*(does(tenant, "companyUpdate", **one) for one in said))
    assert sorted(is_conflict(answer) for answer in answers) == [False] + [True] * 9
    (won,) = (answer["record"] for answer in answers if answer["record"])
    found = (await tenant.ask(f'{{ company(id: "{id_}") {{ version name }} }}'))["company"]
    assert found == {"version": 2, "name": won["name"]}


async def test_what_signals_teach_of_a_record_counts_as_a_change(tenant: Tenant) -> None:
    made = (await does(tenant, "companyCreate", name="A"))["record"]
    person = {"email": "ada@acme.dev"}
    await tenant.send({"type": "visit", **person})
    before = (await tenant.ask("{ contacts { nodes { id version firstName } } }"))["contacts"]["nodes"][0]
    headers = {"Authorization": f"Bearer {tenant.key}"}
    call = {"userId": "u", "traits": {"email": "ada@acme.dev", "firstName": "Ada"}}
    assert (await tenant.http.post("/v1/identify", json=call, headers=headers)).status_code == 200
    after = (await tenant.ask("{ contacts { nodes { id version firstName } } }"))["contacts"]["nodes"][0]
    assert (before["version"], after["firstName"]) == (1, "Ada") and after["version"] > 1
    stale = await does(tenant, "contactUpdate", id=before["id"], expectedVersion=1, firstName="Eve")
    assert is_conflict(stale) and made["version"] == 1
