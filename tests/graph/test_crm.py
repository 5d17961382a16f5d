"""Companies and contacts over GraphQL: each verb, what it refuses, and that a refusal leaves nothing behind."""

import asyncio
import json
from typing import Any
from uuid import UUID

import pytest

from app.core.ids import encode_id
from tests.factories.tenants import Tenant

NOBODY = UUID("01a1fdb4-1129-7102-8d36-78b4edfcdc8c")
FIELDS = {
    "Company": "id name domain website industry employees description country lifecycle source deletedAt updatedAt",
    "Contact": "id firstName lastName email phone title status deletedAt updatedAt company { id name }",
}


def mutation(name: str) -> str:
    """The mutation of this name with all that it answers."""
    kind = "Company" if name.startswith("company") else "Contact"
    verb = name.removeprefix(kind.lower())
    input_ = {"Create": f"{kind}CreateInput", "Upsert": f"{kind}CreateInput", "Update": f"{kind}UpdateInput"}
    return f"""
      mutation ($input: {input_.get(verb, "RecordIdInput")}!) {{
        answer: {name}(input: $input) {{
          record: {kind.lower()} {{ {FIELDS[kind]} }} created eventCursor userErrors {{ code message path }}
        }}
      }}"""


async def does(tenant: Tenant, name: str, /, **input_: Any) -> dict[str, Any]:
    payload: dict[str, Any] = (await tenant.ask(mutation(name), {"input": input_}))["answer"]
    return payload


async def made(tenant: Tenant, name: str, /, **input_: Any) -> dict[str, Any]:
    payload = await does(tenant, name, **input_)
    assert payload["userErrors"] == []
    record: dict[str, Any] = payload["record"]
    return record


def problems(payload: dict[str, Any]) -> list[tuple[str, list[str]]]:
    assert payload["record"] is None
    return [(error["code"], error["path"]) for error in payload["userErrors"]]


async def count(tenant: Tenant, field: str) -> int:
    return int((await tenant.ask(f"{{ {field}(first: 1) {{ totalCount }} }}"))[field]["totalCount"])


async def test_a_company_is_created_with_what_was_said_and_defaults_for_the_rest(tenant: Tenant) -> None:
    payload = await does(tenant, "companyCreate", name="  Acme ", domain="ACME.dev", employees=12, country="FR")
    record = payload["record"]
    assert payload["created"] and int(payload["eventCursor"]) > 0
    assert (record["name"], record["domain"], record["employees"]) == ("Acme", "acme.dev", 12)
    assert (record["lifecycle"], record["industry"], record["deletedAt"]) == ("PROSPECT", None, None)
    asked = await tenant.ask(f"query ($id: ID!) {{ company(id: $id) {{ {FIELDS['Company']} }} }}", {"id": record["id"]})
    assert asked["company"] == record


async def test_an_update_tells_absent_from_null(tenant: Tenant) -> None:
    before = await made(tenant, "companyCreate", name="Acme", industry="robots", employees=5)
    after = await made(tenant, "companyUpdate", id=before["id"], industry=None, name="Acme 2")
    assert (after["name"], after["industry"], after["employees"]) == ("Acme 2", None, 5)
    assert after["updatedAt"] > before["updatedAt"]


async def test_an_update_that_changes_nothing_is_no_event(tenant: Tenant) -> None:
    before = await made(tenant, "companyCreate", name="Acme")
    payload = await does(tenant, "companyUpdate", id=before["id"], name="Acme")
    assert payload["record"] == before and payload["eventCursor"] is None


async def test_what_must_be_there_cannot_be_cleared(tenant: Tenant) -> None:
    company = await made(tenant, "companyCreate", name="Acme")
    refused = await does(tenant, "companyUpdate", id=company["id"], name=None, lifecycle=None)
    assert problems(refused) == [("INVALID", ["lifecycle"]), ("INVALID", ["name"])]
    contact = await made(tenant, "contactCreate", firstName="Ada")
    assert problems(await does(tenant, "contactUpdate", id=contact["id"], status=None)) == [("INVALID", ["status"])]


async def test_a_deleted_record_leaves_the_lists_and_comes_back(tenant: Tenant) -> None:
    company = await made(tenant, "companyCreate", name="Acme", domain="acme.dev")
    contact = await made(tenant, "contactCreate", firstName="Ada", companyId=company["id"])
    deleted = await made(tenant, "companyDelete", id=company["id"])
    assert deleted["deletedAt"] is not None
    assert await count(tenant, "companies") == 0
    asked = "query ($id: ID!, $c: ID!) { company(id: $id) { deletedAt } contact(id: $c) { company { id } } }"
    found = await tenant.ask(asked, {"id": company["id"], "c": contact["id"]})
    assert found == {"company": {"deletedAt": deleted["deletedAt"]}, "contact": {"company": None}}
    hidden = await tenant.ask("{ companies(filter: {deletedAt: {isNull: false}}) { nodes { id } } }")
    assert hidden["companies"]["nodes"] == [{"id": company["id"]}]
    again = await does(tenant, "companyDelete", id=company["id"])
    assert again["record"] == deleted and again["eventCursor"] is None
    assert problems(await does(tenant, "companyUpdate", id=company["id"], name="X")) == [("CONFLICT", ["id"])]
    restored = await made(tenant, "companyRestore", id=company["id"])
    assert restored["deletedAt"] is None and restored["domain"] == "acme.dev"
    assert await count(tenant, "companies") == 1


@pytest.mark.parametrize(("kind", "key", "value"), [("company", "domain", "acme.dev"), ("contact", "email", "a@b.dev")])
async def test_a_key_belongs_to_one_record_that_is_kept(tenant: Tenant, kind: str, key: str, value: str) -> None:
    rest = {"name": "Acme"} if kind == "company" else {}
    plural = "companies" if kind == "company" else "contacts"
    first = await made(tenant, f"{kind}Create", **rest, **{key: value})
    assert problems(await does(tenant, f"{kind}Create", **rest, **{key: value.upper()})) == [("TAKEN", [key])]
    other = await made(tenant, f"{kind}Create", **rest)
    assert problems(await does(tenant, f"{kind}Update", id=other["id"], **{key: value})) == [("TAKEN", [key])]
    await made(tenant, f"{kind}Delete", id=first["id"])
    await made(tenant, f"{kind}Update", id=other["id"], **{key: value})
    assert problems(await does(tenant, f"{kind}Restore", id=first["id"])) == [("TAKEN", [key])]
    assert await count(tenant, plural) == 1


async def test_the_same_key_is_free_in_another_organization(tenant: Tenant, other_tenant: Tenant) -> None:
    for each in (tenant, other_tenant):
        await made(each, "companyCreate", name="Acme", domain="acme.dev")


async def test_an_upsert_adds_once_and_changes_after_that(tenant: Tenant) -> None:
    first = await does(tenant, "companyUpsert", name="Acme", domain="acme.dev", industry="robots")
    second = await does(tenant, "companyUpsert", name="Acme Inc", domain="ACME.dev")
    assert (first["created"], second["created"]) == (True, False)
    assert second["record"]["id"] == first["record"]["id"]
    assert (second["record"]["name"], second["record"]["industry"]) == ("Acme Inc", "robots")
    assert problems(await does(tenant, "companyUpsert", name="Acme")) == [("INVALID", ["domain"])]
    assert problems(await does(tenant, "contactUpsert", firstName="Ada")) == [("INVALID", ["email"])]


async def test_upserts_at_once_add_one_record(tenant: Tenant) -> None:
    said = [{"email": "ada@acme.dev", "firstName": f"Ada {n}"} for n in range(8)]
    payloads = await asyncio.gather(*(does(tenant, "contactUpsert", **one) for one in said))
    assert [payload["userErrors"] for payload in payloads] == [[]] * 8
    assert sorted(payload["created"] for payload in payloads) == [False] * 7 + [True]
    assert await count(tenant, "contacts") == 1


async def test_creates_at_once_with_one_key_make_one_record(tenant: Tenant) -> None:
    payloads = await asyncio.gather(
        *(does(tenant, "companyCreate", name=f"Acme {n}", domain="acme.dev") for n in range(6))
    )
    taken = [payload["userErrors"] for payload in payloads if payload["userErrors"]]
    assert [(errors[0]["code"], errors[0]["path"]) for errors in taken] == [("TAKEN", ["domain"])] * 5
    assert await count(tenant, "companies") == 1


async def test_a_contact_refers_to_a_company_that_is_there(tenant: Tenant) -> None:
    missing = encode_id("company", NOBODY)
    assert problems(await does(tenant, "contactCreate", companyId=missing)) == [("NOT_FOUND", ["companyId"])]
    contact = await made(tenant, "contactCreate", firstName="Ada")
    assert problems(await does(tenant, "contactCreate", companyId=contact["id"])) == [("INVALID", ["companyId"])]
    company = await made(tenant, "companyCreate", name="Acme")
    moved = await made(tenant, "contactUpdate", id=contact["id"], companyId=company["id"])
    assert moved["company"] == {"id": company["id"], "name": "Acme"}
    assert (await made(tenant, "contactUpdate", id=contact["id"], companyId=None))["company"] is None
    assert await count(tenant, "contacts") == 1


@pytest.mark.parametrize("verb", ["Update", "Delete", "Restore"])
@pytest.mark.parametrize(
    ("id_", "code"),
    [
        (encode_id("company", NOBODY), "NOT_FOUND"),
        (encode_id("contact", NOBODY), "INVALID"),
        ("company_zzz", "INVALID"),
        ("", "INVALID"),
        ("company_" + "0" * 25 + "\u0660", "INVALID"),
        (str(NOBODY), "INVALID"),
    ],
)
async def test_a_bad_id_is_named(tenant: Tenant, verb: str, id_: str, code: str) -> None:
    assert problems(await does(tenant, f"company{verb}", id=id_)) == [(code, ["id"])]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", " \t "),
        ("name", "x" * 256),
        ("domain", "acme"),
        ("domain", "-a.dev"),
        ("domain", "a" * 64 + ".dev"),
        ("domain", "https://acme.dev"),
        ("website", "acme.dev"),
        ("website", "javascript:alert(1)"),
        ("website", "https://a.dev/" + "x" * 2048),
        ("employees", -1),
        ("employees", 10_000_001),
        ("description", "x" * 20_001),
        ("country", "fr"),
        ("source", "x" * 101),
    ],
)
async def test_what_does_not_fit_is_named_and_nothing_is_kept(tenant: Tenant, field: str, value: Any) -> None:
    assert problems(await does(tenant, "companyCreate", **{"name": "Acme", field: value})) == [("INVALID", [field])]
    assert await count(tenant, "companies") == 0


async def test_several_mistakes_are_told_at_once(tenant: Tenant) -> None:
    refused = await does(tenant, "contactCreate", email="nobody", firstName="", phone="9" * 51)
    assert sorted(problems(refused)) == [("INVALID", ["email"]), ("INVALID", ["firstName"]), ("INVALID", ["phone"])]


@pytest.mark.parametrize("input_", [{"name": "A\x00B"}, {"name": "A", "description": "\ud800"}])
async def test_text_that_cannot_be_stored_is_refused(tenant: Tenant, input_: dict[str, str]) -> None:
    body = {"query": mutation("companyCreate"), "variables": {"input": input_}}
    headers = {"X-API-Key": tenant.key, "Content-Type": "application/json"}
    answer = (await tenant.http.post("/graphql", content=json.dumps(body), headers=headers)).json()
    assert answer["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
    assert await count(tenant, "companies") == 0


async def test_text_in_the_document_that_cannot_be_stored_is_refused(tenant: Tenant) -> None:
    answer = await tenant.answer(r'mutation { companyCreate(input: {name: "A\u0000B"}) { userErrors { code path } } }')
    assert answer["data"]["companyCreate"]["userErrors"] == [{"code": "INVALID", "path": ["name"]}]
    listed = await tenant.answer(r'{ companies(filter: {name: {contains: "\u0000"}}) { nodes { id } } }')
    assert listed["errors"][0]["extensions"]["code"] != "INTERNAL"


@pytest.mark.parametrize(
    "input_",
    [{"name": "A", "nonsense": 1}, {"name": 1}, {"employees": 5}, {"name": "A", "lifecycle": "NONSENSE"}, None, []],
)
async def test_unknown_fields_wrong_types_and_wrong_choices_are_refused(tenant: Tenant, input_: Any) -> None:
    answer = await tenant.answer(mutation("companyCreate"), {"input": input_})
    assert answer["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
    assert await count(tenant, "companies") == 0


async def test_mutations_of_one_request_commit_one_by_one(tenant: Tenant) -> None:
    answer = await tenant.ask(
        """
        mutation {
          a: companyCreate(input: {name: "A", domain: "a.dev"}) { company { id } userErrors { code } }
          b: companyCreate(input: {name: "B", domain: "a.dev"}) { company { id } userErrors { code } }
          c: companyCreate(input: {name: "C"}) { company { contacts { totalCount } } userErrors { code } }
        }
        """
    )
    assert [len(answer[name]["userErrors"]) for name in "abc"] == [0, 1, 0]
    assert await count(tenant, "companies") == 2
