"""API keys over GraphQL: shown once, limited to their scopes, refused at once when they are revoked or expire."""

from datetime import timedelta
from typing import Any

import pytest

from app.core.clock import now
from app.identity.permissions import PERSONAL, Permission, Role
from tests.factories.tenants import Tenant, person

CREATE = """
mutation ($input: ApiKeyCreateInput!) {
  apiKeyCreate(input: $input) {
    apiKey { id name hint scopes expiresAt revokedAt lastUsedAt } secret userErrors { code message path }
  }
}
"""
REVOKE = """
mutation ($input: ApiKeyRevokeInput!) {
  apiKeyRevoke(input: $input) { apiKey { id revokedAt } userErrors { code path } }
}
"""
LIST = "{ apiKeys { nodes { id name hint scopes expiresAt revokedAt lastUsedAt } totalCount } }"
VIEWER = "{ viewer { user { id } organization { id } role permissions } }"


async def create(tenant: Tenant, **said: Any) -> dict[str, Any]:
    said = {"name": "A key", "scopes": ["CRM_READ"], **said}
    payload: dict[str, Any] = (await tenant.ask_personally(CREATE, {"input": said}))["apiKeyCreate"]
    return payload


async def code_with(tenant: Tenant, key: str) -> str | None:
    answer = await tenant.answer(VIEWER, token=key)
    return answer["errors"][0]["extensions"]["code"] if "errors" in answer else None


async def test_a_key_is_shown_once_and_asks_for_its_organization(tenant: Tenant) -> None:
    made = await create(tenant, scopes=["CRM_READ", "CRM_WRITE"])
    secret = made["secret"]
    assert secret.startswith("dsk_") and secret.endswith(made["apiKey"]["hint"])
    viewer = (await tenant.ask(VIEWER, token=secret))["viewer"]
    assert viewer["organization"]["id"] == tenant.public_id
    assert viewer["user"] is None and viewer["role"] is None
    assert viewer["permissions"] == ["CRM_READ", "CRM_WRITE"]
    listed = await tenant.ask_personally(LIST)
    assert secret not in str(listed)
    assert made["apiKey"]["id"] in [key["id"] for key in listed["apiKeys"]["nodes"]]


async def test_a_key_works_in_either_header(tenant: Tenant) -> None:
    answer = await tenant.http.post("/graphql", json={"query": VIEWER}, headers={"X-API-Key": tenant.key})
    assert answer.json()["data"]["viewer"]["organization"]["id"] == tenant.public_id


async def test_the_last_use_of_a_key_is_noted(tenant: Tenant) -> None:
    made = await create(tenant)
    assert made["apiKey"]["lastUsedAt"] is None
    await tenant.ask(VIEWER, token=made["secret"])
    keys = {key["id"]: key for key in (await tenant.ask_personally(LIST))["apiKeys"]["nodes"]}
    assert keys[made["apiKey"]["id"]]["lastUsedAt"] is not None


async def test_a_revoked_key_is_refused_at_once_and_stays_revoked(tenant: Tenant) -> None:
    made = await create(tenant)
    assert await code_with(tenant, made["secret"]) is None
    revoked = (await tenant.ask_personally(REVOKE, {"input": {"id": made["apiKey"]["id"]}}))["apiKeyRevoke"]
    assert revoked["apiKey"]["revokedAt"] is not None
    assert await code_with(tenant, made["secret"]) == "UNAUTHENTICATED"
    sent = await tenant.http.post("/v1/signals", json={"type": "x"}, headers={"X-API-Key": made["secret"]})
    assert sent.status_code == 401
    again = (await tenant.ask_personally(REVOKE, {"input": {"id": made["apiKey"]["id"]}}))["apiKeyRevoke"]
    assert again == revoked


async def test_a_key_is_refused_from_its_expiry_on(tenant: Tenant) -> None:
    made = await create(tenant, expiresAt=(now() + timedelta(milliseconds=400)).isoformat())
    while await code_with(tenant, made["secret"]) is None:
        assert now() < now().fromisoformat(made["apiKey"]["expiresAt"]) + timedelta(seconds=1)
    assert await code_with(tenant, made["secret"]) == "UNAUTHENTICATED"


async def test_a_key_that_would_be_expired_already_is_not_made(tenant: Tenant) -> None:
    made = await create(tenant, expiresAt=(now() - timedelta(seconds=1)).isoformat())
    assert made["secret"] is None
    assert [(e["code"], e["path"]) for e in made["userErrors"]] == [("INVALID", ["expiresAt"])]


async def test_a_mistyped_key_is_told_from_an_unknown_one(tenant: Tenant) -> None:
    key = tenant.key
    swapped = key[:20] + ("b" if key[20] == "a" else "a") + key[21:]
    for wrong in (swapped, key[:-1], key + "0", "dsk_", "dsk_é", key.upper()):
        answer = await tenant.post(VIEWER, token=wrong.encode("ascii", "ignore").decode())
        error = answer.json()["errors"][0]
        assert error["extensions"]["code"] == "UNAUTHENTICATED"
    assert "copied whole" in (await tenant.answer(VIEWER, token=swapped))["errors"][0]["message"]


@pytest.mark.parametrize("scopes", [[], ["NOTHING"], None])
async def test_a_key_needs_scopes_that_exist(tenant: Tenant, scopes: Any) -> None:
    answer = await tenant.answer(
        CREATE,
        {"input": {"name": "A key", "scopes": scopes}},
        token=tenant.access_token,
        **{"X-Organization-Id": tenant.public_id},
    )
    payload = (answer.get("data") or {}).get("apiKeyCreate") or {}
    assert answer.get("errors") or payload["userErrors"]
    assert payload.get("secret") is None


async def test_nobody_gives_a_key_more_than_their_own(tenant: Tenant) -> None:
    personally = {"token": tenant.access_token, "X-Organization-Id": tenant.public_id}
    beyond = {"input": {"name": "A key", "scopes": ["API_KEYS_MANAGE", "CRM_READ"]}}
    refused = (await tenant.answer(CREATE, beyond, **personally))["errors"][0]["extensions"]
    assert refused["code"] == "FORBIDDEN" and [one["path"] for one in refused["problems"]] == [["scopes"]]
    _, token = await person(tenant.database, tenant.id, Role.ADMIN)
    said = {"input": {"name": "A key", "scopes": sorted(set(Permission) - PERSONAL)}}
    ask = await tenant.ask(CREATE, said, token=token, **{"X-Organization-Id": tenant.public_id})
    assert ask["apiKeyCreate"]["secret"] is not None


async def test_keys_do_not_manage_keys(tenant: Tenant) -> None:
    made = await create(tenant)
    for query, variables in (
        (LIST, None),
        (CREATE, {"input": {"name": "A key", "scopes": ["CRM_READ"]}}),
        (REVOKE, {"input": {"id": made["apiKey"]["id"]}}),
    ):
        answer = await tenant.answer(query, variables)
        assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert await code_with(tenant, made["secret"]) is None


async def test_a_key_is_for_its_own_organization_only(tenant: Tenant, other_tenant: Tenant) -> None:
    answer = await tenant.answer(VIEWER, **{"X-Organization-Id": other_tenant.public_id})
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
