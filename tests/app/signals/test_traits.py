"""Traits: what is said of somebody later fills what is still empty, and overwrites nothing."""

from typing import Any

from tests.factories.tenants import Tenant

PERSON = "{ contacts { nodes { firstName lastName title company { name industry employees } } } }"


async def identify(tenant: Tenant, traits: dict[str, Any]) -> None:
    said = {"userId": "u1", "traits": {"email": "ada@acme.dev", **traits}, "writeKey": tenant.key}
    assert (await tenant.http.post("/v1/identify", json=said)).status_code == 200


async def test_later_traits_fill_empty_fields_and_change_no_others(tenant: Tenant) -> None:
    await tenant.send({"type": "signup", "email": "ada@acme.dev", "actorId": "u1"})
    await identify(tenant, {"firstName": "Ada", "company": {"industry": "robots"}})
    await identify(tenant, {"firstName": "Eve", "lastName": "Byron", "title": "CTO", "company": {"employees": 40}})

    contact = (await tenant.ask(PERSON))["contacts"]["nodes"][0]

    company = {"name": "acme.dev", "industry": "robots", "employees": 40}
    assert contact == {"firstName": "Ada", "lastName": "Byron", "title": "CTO", "company": company}


async def test_traits_that_say_nothing_new_tell_of_no_change(tenant: Tenant) -> None:
    await identify(tenant, {"firstName": "Ada"})
    before = (await tenant.send({"type": "a", "email": "ada@acme.dev"})).json()["eventCursor"]
    await identify(tenant, {"firstName": "Ada"})
    after = (await tenant.send({"type": "a", "email": "ada@acme.dev"})).json()["eventCursor"]
    assert int(after) == int(before) + 2  # the two signals alone
