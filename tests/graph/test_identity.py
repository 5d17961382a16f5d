"""People and organizations over GraphQL: registering, sessions and their ends, choosing an organization."""

import secrets
from datetime import timedelta
from typing import Any

import pytest
from httpx2 import AsyncClient

from app.core.clock import now
from app.core.config import settings
from app.identity import tokens
from app.identity.permissions import PERMISSIONS, Role
from tests.factories.tenants import Tenant, person

PASSWORD = "correct horse battery"
SESSION = "{ session { accessToken refreshToken expiresAt } userErrors { code message path } }"
REGISTER = f"mutation ($input: RegisterInput!) {{ answer: register(input: $input) {SESSION} }}"
LOGIN = f"mutation ($input: LoginInput!) {{ answer: login(input: $input) {SESSION} }}"
REFRESH = f"mutation ($input: RefreshInput!) {{ answer: refresh(input: $input) {SESSION} }}"
VIEWER = "{ viewer { user { id email name } organization { id name slug } role permissions } }"
CREATE = """
mutation ($input: OrganizationCreateInput!) {
  answer: organizationCreate(input: $input) { organization { id name slug } userErrors { code message path } }
}
"""
UPDATE = """
mutation ($input: OrganizationUpdateInput!) {
  answer: organizationUpdate(input: $input) { organization { id name slug } userErrors { code message path } }
}
"""


async def send(http: AsyncClient, query: str, input_: Any = None, **headers: str) -> dict[str, Any]:
    answer = await http.post("/graphql", json={"query": query, "variables": {"input": input_}}, headers=headers)
    body: dict[str, Any] = answer.json()
    return body


async def done(http: AsyncClient, query: str, input_: Any = None, **headers: str) -> dict[str, Any]:
    answer = await send(http, query, input_, **headers)
    assert "errors" not in answer, answer["errors"]
    payload: dict[str, Any] = answer["data"]["answer"]
    return payload


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def new_email() -> str:
    return f"{secrets.token_hex(6)}@example.com"


async def registered(http: AsyncClient) -> tuple[str, dict[str, str]]:
    email = new_email()
    payload = await done(http, REGISTER, {"email": email, "password": PASSWORD, "name": "Ada"})
    return email, payload["session"]


async def code_of(http: AsyncClient, token: str) -> str | None:
    """How the server refuses the token, if it does."""
    answer = await send(http, VIEWER, **bearer(token))
    return answer["errors"][0]["extensions"]["code"] if "errors" in answer else None


async def test_registering_logs_a_person_in_who_belongs_nowhere_yet(http: AsyncClient) -> None:
    email, session = await registered(http)
    viewer = (await send(http, VIEWER, **bearer(session["accessToken"])))["data"]["viewer"]
    assert viewer["user"]["email"] == email and viewer["user"]["name"] == "Ada"
    assert viewer["user"]["id"].startswith("user_")
    assert (viewer["organization"], viewer["role"], viewer["permissions"]) == (None, None, [])


async def test_an_address_registers_once_whatever_its_case(http: AsyncClient) -> None:
    email, _ = await registered(http)
    payload = await done(http, REGISTER, {"email": email.upper(), "password": PASSWORD})
    assert payload["session"] is None
    assert [(e["code"], e["path"]) for e in payload["userErrors"]] == [("TAKEN", ["email"])]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("password", "short"),
        ("password", "x" * 201),
        ("email", "nobody"),
        ("email", "a@b@c.dev"),
        ("email", f"{'a' * 250}@example.com"),
        ("name", ""),
        ("name", "x" * 256),
    ],
)
async def test_what_does_not_fit_is_named(http: AsyncClient, field: str, value: str) -> None:
    said = {"email": new_email(), "password": PASSWORD, field: value}
    payload = await done(http, REGISTER, said)
    assert [(e["code"], e["path"]) for e in payload["userErrors"]] == [("INVALID", [field])]
    login = await done(http, LOGIN, {"email": said["email"], "password": said["password"]})
    assert login["session"] is None


async def test_login_takes_the_address_in_any_case_and_spacing(http: AsyncClient) -> None:
    email, _ = await registered(http)
    payload = await done(http, LOGIN, {"email": f" {email.upper()} ", "password": PASSWORD})
    assert await code_of(http, payload["session"]["accessToken"]) is None


async def test_a_wrong_password_and_an_unknown_person_are_refused_in_the_same_words(http: AsyncClient) -> None:
    email, _ = await registered(http)
    wrong = await done(http, LOGIN, {"email": email, "password": "not the password"})
    unknown = await done(http, LOGIN, {"email": new_email(), "password": PASSWORD})
    assert wrong == unknown
    assert wrong["session"] is None
    assert wrong["userErrors"][0]["code"] == "UNAUTHENTICATED"


async def test_text_that_no_table_holds_logs_nobody_in(http: AsyncClient) -> None:
    query = r'mutation { answer: login(input: {email: "a\u0000@b.dev", password: "x\u0000"}) { userErrors { code } } }'
    assert (await done(http, query))["userErrors"][0]["code"] in ("INVALID", "UNAUTHENTICATED")


async def test_a_refresh_token_buys_the_next_pair_once(http: AsyncClient) -> None:
    _, first = await registered(http)
    second = (await done(http, REFRESH, {"refreshToken": first["refreshToken"]}))["session"]
    assert second["refreshToken"] != first["refreshToken"]
    assert await code_of(http, second["accessToken"]) is None
    third = (await done(http, REFRESH, {"refreshToken": second["refreshToken"]}))["session"]
    assert third is not None


async def test_a_refresh_token_used_again_ends_the_whole_session(http: AsyncClient) -> None:
    _, first = await registered(http)
    second = (await done(http, REFRESH, {"refreshToken": first["refreshToken"]}))["session"]
    replayed = await done(http, REFRESH, {"refreshToken": first["refreshToken"]})
    assert replayed["session"] is None
    assert [(e["code"], e["path"]) for e in replayed["userErrors"]] == [("UNAUTHENTICATED", ["refreshToken"])]
    assert (await done(http, REFRESH, {"refreshToken": second["refreshToken"]}))["session"] is None
    assert await code_of(http, second["accessToken"]) == "UNAUTHENTICATED"


async def test_another_session_of_the_same_person_outlives_the_one_that_ended(http: AsyncClient) -> None:
    email, first = await registered(http)
    other = (await done(http, LOGIN, {"email": email, "password": PASSWORD}))["session"]
    await send(http, "mutation { logout { done } }", **bearer(first["accessToken"]))
    assert await code_of(http, other["accessToken"]) is None


@pytest.mark.parametrize("token", ["", "x", "é", "A" * 64, "A" * 10_000])
async def test_what_is_no_refresh_token_is_refused(http: AsyncClient, token: str) -> None:
    payload = await done(http, REFRESH, {"refreshToken": token})
    assert payload["userErrors"][0]["code"] == "UNAUTHENTICATED"


async def test_logout_refuses_both_tokens_from_then_on(http: AsyncClient) -> None:
    _, session = await registered(http)
    answer = await send(http, "mutation { logout { done userErrors { code } } }", **bearer(session["accessToken"]))
    assert answer["data"]["logout"] == {"done": True, "userErrors": []}
    assert await code_of(http, session["accessToken"]) == "UNAUTHENTICATED"
    assert (await done(http, REFRESH, {"refreshToken": session["refreshToken"]}))["session"] is None


async def test_an_expired_or_forged_access_token_is_refused(tenant: Tenant) -> None:
    secret = settings().secret_bytes
    said = tokens.read_access(secret, tenant.access_token, now())
    assert said is not None
    old = tokens.issue_access(secret, said, now() - tokens.ACCESS_LIFETIME - timedelta(seconds=1))
    forged = tokens.issue_access(b"another secret of 32 bytes......", said, now())
    head, body, _ = tenant.access_token.split(".")
    for token in (old, forged, f"{head}.{body}.", f"eyJhbGciOiJub25lIn0.{body}.", "x.y.z", "nonsense"):
        assert await code_of(tenant.http, token) == "UNAUTHENTICATED"


async def test_a_refused_token_is_401_where_the_new_media_type_is_accepted(tenant: Tenant) -> None:
    media = {"Accept": "application/graphql-response+json"}
    assert (await tenant.post(VIEWER, token="nonsense", **media)).status_code == 401


async def test_creating_an_organization_makes_its_owner(http: AsyncClient) -> None:
    _, session = await registered(http)
    slug = f"acme-{secrets.token_hex(4)}"
    made = await done(http, CREATE, {"name": "Acme", "slug": slug}, **bearer(session["accessToken"]))
    assert made["userErrors"] == [] and made["organization"]["slug"] == slug
    chosen = {**bearer(session["accessToken"]), "X-Organization-Id": made["organization"]["id"]}
    viewer = (await send(http, VIEWER, **chosen))["data"]["viewer"]
    assert viewer["organization"] == made["organization"]
    assert viewer["role"] == "OWNER"
    assert viewer["permissions"] == sorted(PERMISSIONS[Role.OWNER])


async def test_a_slug_is_made_from_the_name_where_none_is_given(http: AsyncClient) -> None:
    _, session = await registered(http)
    made = await done(http, CREATE, {"name": "Ünïcorn & Söhne"}, **bearer(session["accessToken"]))
    assert made["organization"]["slug"].startswith("unicorn-sohne-")


async def test_a_slug_belongs_to_one_organization(tenant: Tenant, other_tenant: Tenant) -> None:
    theirs = (await other_tenant.ask("{ organization { slug } }"))["organization"]["slug"]
    made = await done(tenant.http, CREATE, {"name": "X", "slug": theirs}, **bearer(tenant.access_token))
    assert made["organization"] is None
    assert [(e["code"], e["path"]) for e in made["userErrors"]] == [("TAKEN", ["slug"])]
    changed = (await tenant.ask(UPDATE, {"input": {"slug": theirs}}))["answer"]
    assert [(e["code"], e["path"]) for e in changed["userErrors"]] == [("TAKEN", ["slug"])]


@pytest.mark.parametrize("slug", ["", "-a", "a-", "A", "a b", "ü", "x" * 64, None])
async def test_a_bad_slug_is_refused_and_nothing_changes(tenant: Tenant, slug: str | None) -> None:
    before = await tenant.ask("{ organization { name slug updatedAt } }")
    changed = (await tenant.ask(UPDATE, {"input": {"name": "New", "slug": slug}}))["answer"]
    assert [(e["code"], e["path"]) for e in changed["userErrors"]] == [("INVALID", ["slug"])]
    assert await tenant.ask("{ organization { name slug updatedAt } }") == before


async def test_an_update_changes_what_it_names_and_leaves_the_rest(tenant: Tenant) -> None:
    before = (await tenant.ask("{ organization { slug } }"))["organization"]
    changed = (await tenant.ask(UPDATE, {"input": {"name": "Renamed"}}))["answer"]["organization"]
    assert changed["name"] == "Renamed" and changed["slug"] == before["slug"]


async def test_a_person_chooses_among_organizations_and_no_other(tenant: Tenant, other_tenant: Tenant) -> None:
    made = await done(tenant.http, CREATE, {"name": "Second"}, **bearer(tenant.access_token))
    for id_ in (tenant.public_id, made["organization"]["id"]):
        headers = {**bearer(tenant.access_token), "X-Organization-Id": id_}
        assert (await send(tenant.http, VIEWER, **headers))["data"]["viewer"]["organization"]["id"] == id_
    refusals = {other_tenant.public_id: "FORBIDDEN", "nonsense": "INVALID", "company_" + "0" * 26: "INVALID"}
    for id_, code in refusals.items():
        answer = await send(tenant.http, VIEWER, **bearer(tenant.access_token), **{"X-Organization-Id": id_})
        assert answer["errors"][0]["extensions"]["code"] == code, id_


async def test_the_organization_joined_first_is_meant_where_none_is_named(tenant: Tenant) -> None:
    await done(tenant.http, CREATE, {"name": "Second"}, **bearer(tenant.access_token))
    login = await done(tenant.http, LOGIN, {"email": tenant.email, "password": tenant.password})
    viewer = (await send(tenant.http, VIEWER, **bearer(login["session"]["accessToken"])))["data"]["viewer"]
    assert viewer["organization"]["id"] == tenant.public_id


async def test_a_member_sees_the_role_and_its_permissions(tenant: Tenant) -> None:
    _, token = await person(tenant.database, tenant.id, Role.VIEWER)
    viewer = (await tenant.ask(VIEWER, token=token, **{"X-Organization-Id": tenant.public_id}))["viewer"]
    assert viewer["role"] == "VIEWER" and viewer["permissions"] == sorted(PERMISSIONS[Role.VIEWER])
