"""Who may call what, for every root field of the schema: the matrix is made from the fields' own declarations."""

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

import pytest
from httpx2 import AsyncClient

from app.core.config import Settings
from app.core.db import Database
from app.identity.permissions import PERMISSIONS, PERSONAL, Permission, Role
from graph.context import context_for
from graph.core.mutation import Does
from graph.core.operations import Asked, Operations, Rejected
from graph.core.permission import Requires
from graph.schema import schema
from graph.server import Server
from tests.factories.documents import Root, roots
from tests.factories.tenants import Tenant, make_tenant, person

OPEN = {"register", "login", "refresh"}
ANYBODY = "a signed-in person or key"
FOR_PEOPLE = {"logout", "organizationCreate"}
ALL = [root for root in roots() if root.name not in OPEN]
GUARDED = [root for root in ALL if root.requires != ANYBODY]
OPERATIONS = Operations(schema())
DENIALS = {"UNAUTHENTICATED", "FORBIDDEN"}

every = pytest.mark.parametrize("root", ALL, ids=str)
guarded = pytest.mark.parametrize("root", GUARDED, ids=str)


@pytest.fixture(scope="module")
async def house(database: Database, http: AsyncClient) -> Tenant:
    return await make_tenant(database, http)


@pytest.fixture(scope="module")
async def server(chosen_settings: Settings) -> AsyncIterator[Server]:
    async with Server.open(chosen_settings) as opened:
        yield opened


@pytest.fixture(scope="module")
async def members(house: Tenant, database: Database) -> Mapping[Role, str]:
    """An access token of a member in each role."""
    return {role: (await person(database, house.id, role))[1] for role in Role}


@pytest.fixture(scope="module")
async def stranger(database: Database) -> str:
    """An access token of a person who is in no organization."""
    return (await person(database))[1]


async def denials(server: Server, house: Tenant | None, root: Root, token: str | None) -> set[str]:
    """The codes with which the field denies itself to the bearer of the token; of nothing else that goes wrong."""
    variables = root.variables()
    headers = {"authorization": f"Bearer {token}"} if token else {}
    if house and token:
        headers["x-organization-id"] = house.public_id
    operation = OPERATIONS.prepare(Asked(root.document(variables, 2), variables))
    context = await context_for(server, headers)
    if root.kind == "subscription":
        return await _at_start(operation, context)
    answer = await OPERATIONS.run(operation, context)
    payload = (answer.get("data") or {}).get(root.name)
    refused = payload.get("userErrors") or () if isinstance(payload, dict) else ()
    return _codes(answer.get("errors", ())) | {error["code"] for error in refused} & DENIALS


async def _at_start(operation: Any, context: Any) -> set[str]:
    """What a subscription says before it waits: the live feed is closed, so that it has nothing to wait for."""
    context.server.live.close()
    try:
        async with aclosing(OPERATIONS.follow(operation, context)) as answers:
            async for _ in answers:
                pass
    except Rejected as rejected:
        return _codes(rejected.errors)
    return set()


def _codes(errors: Any) -> set[str]:
    return {error["extensions"]["code"] for error in errors} & DENIALS


def permission(root: Root) -> Permission:
    return Permission(root.requires or "")


def test_the_fields_that_anybody_may_call_are_known() -> None:
    assert {root.name for root in roots() if root.requires is None} == OPEN


@pytest.mark.parametrize("root", [root for root in roots() if root.kind != "subscription"], ids=str)
def test_what_a_field_says_it_requires_is_what_it_asks_for(root: Root) -> None:
    extensions = root.field.extensions["strawberry-definition"].extensions
    asked = [one.permission for one in extensions if isinstance(one, Requires)]
    asked += [one.permission for one in extensions if isinstance(one, Does) and one.in_work]
    expected = [] if root.name in OPEN else [None if root.requires == ANYBODY else permission(root)]
    assert asked == expected


@every
async def test_nobody_is_told_to_log_in(root: Root, server: Server, house: Tenant) -> None:
    assert await denials(server, house, root, None) == {"UNAUTHENTICATED"}


@guarded
async def test_a_key_without_the_permission_is_refused(root: Root, server: Server, house: Tenant) -> None:
    key = await house.new_key(*(set(Permission) - PERSONAL - {permission(root)}))
    assert await denials(server, house, root, key) == {"FORBIDDEN"}


@guarded
async def test_a_key_with_nothing_but_the_permission_may(root: Root, server: Server, house: Tenant) -> None:
    if permission(root) in PERSONAL:
        assert await denials(server, house, root, house.key) == {"FORBIDDEN"}
    else:
        assert await denials(server, house, root, await house.new_key(permission(root))) == set()


@pytest.mark.parametrize("role", Role)
@guarded
async def test_a_member_may_do_what_the_role_allows_and_no_more(
    root: Root, role: Role, server: Server, house: Tenant, members: Mapping[Role, str]
) -> None:
    expected = set() if permission(root) in PERMISSIONS[role] else {"FORBIDDEN"}
    assert await denials(server, house, root, members[role]) == expected


@guarded
async def test_a_person_in_no_organization_is_refused(root: Root, server: Server, stranger: str) -> None:
    assert await denials(server, None, root, stranger) == {"FORBIDDEN"}


@pytest.mark.parametrize("root", [root for root in ALL if root.requires == ANYBODY], ids=str)
async def test_what_needs_no_permission_is_open_to_every_person_and_to_keys_unless_it_is_about_people(
    root: Root, server: Server, house: Tenant, database: Database
) -> None:
    _, token = await person(database)
    assert await denials(server, None, root, token) == set()
    key = await house.new_key(Permission.CRM_READ)
    assert await denials(server, house, root, key) == ({"FORBIDDEN"} if root.name in FOR_PEOPLE else set())


async def test_node_shows_only_the_kinds_that_the_asker_may_read(house: Tenant) -> None:
    made = await house.ask('mutation { companyCreate(input: {name: "Acme"}) { company { id } } }')
    id_ = made["companyCreate"]["company"]["id"]
    ask = "query ($id: ID!) { node(id: $id) { id } nodes(ids: [$id]) { id } }"
    key = await house.new_key(Permission.SIGNALS_READ)
    assert await house.ask(ask, {"id": id_}, token=key) == {"node": None, "nodes": [None]}
    key = await house.new_key(Permission.CRM_READ)
    assert await house.ask(ask, {"id": id_}, token=key) == {"node": {"id": id_}, "nodes": [{"id": id_}]}


RELATIONS = """
query {
  companies(first: 1) { nodes { id signals { nodes { id } } timeline { nodes { id } } score { value } } }
  contacts(first: 1) { nodes { id signals { nodes { id } } } }
}
"""


async def test_a_relation_shows_nothing_that_the_asker_may_not_read_at_the_root(house: Tenant) -> None:
    await house.send({"type": "signup", "email": "ada@related.dev"})
    answer = await house.answer(RELATIONS, token=await house.new_key(Permission.CRM_READ))
    assert "FORBIDDEN" in {error["extensions"]["code"] for error in answer.get("errors", ())}
