"""Passwords cannot be tried out: wrong ones are counted, by account and by address, right ones never."""

import secrets

import pytest
from httpx2 import Response
from redis.asyncio import Redis

from app.core.config import Settings
from app.core.errors import Code, Refusal
from app.identity.attempts import Attempt, Attempts
from tests.factories.tenants import Tenant

LOGIN = "mutation ($input: LoginInput!) { login(input: $input) { session { accessToken } userErrors { code } } }"
WRONG_AT_ONCE = 10


async def tried(tenant: Tenant, password: str, email: str | None = None) -> Response:
    said = {"input": {"email": email or tenant.email, "password": password}}
    return await tenant.http.post("/graphql", json={"query": LOGIN, "variables": said})


async def test_too_many_wrong_passwords_have_to_wait(tenant: Tenant, other_tenant: Tenant) -> None:
    for _ in range(WRONG_AT_ONCE):
        answer = (await tried(tenant, "not the password")).json()["data"]["login"]
        assert answer == {"session": None, "userErrors": [{"code": "UNAUTHENTICATED"}]}
    late = await tried(tenant, tenant.password)
    assert late.status_code == 429
    assert 1 <= int(late.headers["Retry-After"]) <= 15 * 60
    assert late.json()["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
    answer = (await tried(other_tenant, other_tenant.password)).json()["data"]["login"]
    assert answer["session"], "another account is not held up"


async def test_letter_case_is_no_new_account(tenant: Tenant) -> None:
    for _ in range(WRONG_AT_ONCE):
        await tried(tenant, "wrong password", tenant.email.upper())
    assert (await tried(tenant, tenant.password)).status_code == 429


async def test_right_passwords_are_not_counted(tenant: Tenant) -> None:
    for _ in range(WRONG_AT_ONCE + 2):
        assert (await tried(tenant, tenant.password)).json()["data"]["login"]["session"]


async def test_unknown_accounts_are_counted_as_well(tenant: Tenant) -> None:
    nobody = f"{secrets.token_hex(6)}@example.com"
    answers = [await tried(tenant, "whatever it is", nobody) for _ in range(WRONG_AT_ONCE + 1)]
    assert [answer.status_code for answer in answers] == [200] * WRONG_AT_ONCE + [429]


@pytest.mark.parametrize("valkey", ["there", "away"])
async def test_addresses_and_accounts_are_counted_across_one_another(chosen_settings: Settings, valkey: str) -> None:
    url = chosen_settings.redis_url.get_secret_value() if valkey == "there" else "redis://127.0.0.1:9/0"
    redis = Redis.from_url(url)
    attempts = Attempts(redis)
    word = secrets.token_hex(6)

    async def refused(attempt: Attempt) -> bool:
        try:
            await attempts.refuse_too_many(attempt)
        except Refusal as refusal:
            assert refusal.code is Code.RATE_LIMITED and refusal.retry_after
            return True
        return False

    for number in range(100):
        assert not await refused(Attempt(f"{word}{number}@example.com", word))
        await attempts.note_wrong(Attempt(f"{word}{number}@example.com", word))
    assert await refused(Attempt("anybody@example.com", word)), "one address, many accounts"
    for number in range(50):
        await attempts.note_wrong(Attempt(f"{word}@example.com", f"{word}{number}"))
    assert await refused(Attempt(f"{word}@example.com", "elsewhere")), "one account, many addresses"
    assert not await refused(Attempt("somebody@example.com", "elsewhere"))
    kept = [key async for key in redis.scan_iter(f"*{word}@*")] if valkey == "there" else []
    assert kept == [], "what was typed is kept in clear"
    await redis.aclose()
