"""Sessions under pressure: many refreshes at once, refreshes against a log-out, and tokens that are somebody else's or
nobody's."""

import asyncio
import base64
import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Mapping
from typing import Any
from uuid import UUID

import orjson
import pytest
from httpx2 import AsyncClient

from app.core import crypto
from app.core.clock import now
from app.core.config import settings
from app.core.db import Database
from app.identity import sessions, tokens
from app.identity.sessions import SessionTokens
from tests.factories.tenants import Tenant, person

AT_ONCE, ROUNDS = 20, 5
VIEWER = "{ viewer { user { id } } }"
REFRESH = """
mutation ($token: String!) {
  refresh(input: {refreshToken: $token}) { session { accessToken refreshToken } userErrors { code path } }
}
"""


async def ask(http: AsyncClient, query: str, variables: Any = None, token: str | None = None) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer: dict[str, Any] = (
        await http.post("/graphql", json={"query": query, "variables": variables}, headers=headers)
    ).json()
    return answer


async def refreshed(http: AsyncClient, token: str) -> Mapping[str, str] | None:
    """The next pair, or None where the token is refused in the way that it should be."""
    payload = (await ask(http, REFRESH, {"token": token}))["data"]["refresh"]
    if payload["session"] is None:
        assert payload["userErrors"] == [{"code": "UNAUTHENTICATED", "path": ["refreshToken"]}]
    session: Mapping[str, str] | None = payload["session"]
    return session


async def code_of(http: AsyncClient, token: str) -> str | None:
    answer = await ask(http, VIEWER, token=token)
    return answer["errors"][0]["extensions"]["code"] if "errors" in answer else None


async def logged_in(database: Database) -> tuple[UUID, SessionTokens]:
    user, _ = await person(database)
    return user, await sessions.open_session(database, settings().secret_bytes, user)


@pytest.mark.parametrize("round_", range(ROUNDS))
async def test_of_many_refreshes_of_one_token_one_wins_and_the_session_is_over(
    http: AsyncClient, database: Database, round_: int
) -> None:
    """The others were replays of a spent token, which ends the family: also the pair that was handed out."""
    _, opened = await logged_in(database)
    answers = await asyncio.gather(*(refreshed(http, opened.refresh_token) for _ in range(AT_ONCE)))
    won = [pair for pair in answers if pair]
    assert len(won) == 1
    assert await code_of(http, won[0]["accessToken"]) == "UNAUTHENTICATED"
    assert await code_of(http, opened.access_token) == "UNAUTHENTICATED"
    assert await refreshed(http, won[0]["refreshToken"]) is None


@pytest.mark.parametrize("round_", range(ROUNDS))
async def test_a_log_out_among_refreshes_leaves_nothing_alive(
    http: AsyncClient, database: Database, round_: int
) -> None:
    _, opened = await logged_in(database)
    requests: list[Awaitable[Any]] = [refreshed(http, opened.refresh_token) for _ in range(ROUNDS - 1)]
    requests.insert(round_, ask(http, "mutation { logout { done } }", token=opened.access_token))
    answers = await asyncio.gather(*requests)
    ended = answers.pop(round_)
    assert ended["data"] == {"logout": {"done": True}} or ended["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    won = [pair for pair in answers if pair]
    assert len(won) <= 1
    for token in (opened.access_token, *(pair["accessToken"] for pair in won)):
        assert await code_of(http, token) == "UNAUTHENTICATED"
    for token in (opened.refresh_token, *(pair["refreshToken"] for pair in won)):
        assert await refreshed(http, token) is None


async def test_a_token_of_generations_ago_ends_the_family(http: AsyncClient, database: Database) -> None:
    _, opened = await logged_in(database)
    token, newest = opened.refresh_token, opened.access_token
    for _ in range(4):
        pair = await refreshed(http, token)
        assert pair is not None
        token, newest = pair["refreshToken"], pair["accessToken"]
    assert await code_of(http, newest) is None
    assert await refreshed(http, opened.refresh_token) is None
    assert await code_of(http, newest) == "UNAUTHENTICATED" and await refreshed(http, token) is None


async def test_sessions_of_two_people_do_not_mix(http: AsyncClient, database: Database) -> None:
    """A refresh token of one session with the secret of another, an access token of one person's for another's."""
    (ada, adas), (bob, bobs) = await logged_in(database), await logged_in(database)
    session_of = {who: tokens.session_of_refresh(own.refresh_token) for who, own in ((ada, adas), (bob, bobs))}
    assert session_of[ada] and session_of[bob]
    for who, whose in ((ada, bob), (bob, ada)):
        mixed = tokens.AccessToken(who, session_of[whose] or UUID(int=0), None)
        assert await code_of(http, tokens.issue_access(settings().secret_bytes, mixed, now())) == "UNAUTHENTICATED"
    own, other = base64.urlsafe_b64decode(adas.refresh_token), base64.urlsafe_b64decode(bobs.refresh_token)
    assert await refreshed(http, base64.urlsafe_b64encode(own[:16] + other[16:]).decode()) is None
    assert await refreshed(http, bobs.refresh_token) is not None


async def test_a_token_that_names_another_organization_opens_nothing(tenant: Tenant, other_tenant: Tenant) -> None:
    said = tokens.read_access(settings().secret_bytes, tenant.access_token, now())
    assert said is not None
    elsewhere = tokens.AccessToken(said.user, said.session, other_tenant.id)
    assert await code_of(tenant.http, tokens.issue_access(settings().secret_bytes, elsewhere, now())) == "FORBIDDEN"
    key = tokens.new_key(other_tenant.id)
    assert await code_of(tenant.http, key) == "UNAUTHENTICATED"


# --- access tokens that nobody issued ----------------------------------------------------------------------------


def part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else orjson.dumps(value)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(header: Any, claims: Any, key: bytes, digest: Any = hashlib.sha256) -> str:
    text = f"{part(header)}.{part(claims)}"
    return f"{text}.{part(hmac.new(key, text.encode(), digest).digest())}"


HS256 = {"alg": "HS256"}
MINE = secrets.token_bytes(32)
JWK = {"kty": "oct", "k": part(MINE)}
HEADERS: dict[str, tuple[Any, bool]] = {
    "none": ({"alg": "none"}, True),
    "None": ({"alg": "None"}, True),
    "HS384": ({"alg": "HS384"}, True),
    "HS512": ({"alg": "HS512"}, True),
    "RS256": ({"alg": "RS256"}, True),
    "no algorithm": ({}, True),
    "an algorithm that is a list": ({"alg": ["HS256"]}, True),
    "no object": ([], True),
    "a payload that is not encoded": ({"alg": "HS256", "b64": False, "crit": ["b64"]}, True),
    "a critical word that nobody knows": ({"alg": "HS256", "crit": ["x"], "x": 1}, True),
    "another key": (HS256, False),
    "a key of its own": ({"alg": "HS256", "jwk": JWK}, False),
    "an address of a key": ({"alg": "HS256", "jku": "http://127.0.0.1/keys", "kid": "../../dev/null"}, False),
}
CLAIMS: dict[str, Any] = {
    "another issuer": {"iss": "somebody"},
    "no issuer": {"iss": None},
    "an end that is past": {"exp": 1},
    "an end that is text": {"exp": "9999999999"},
    "no end": {"exp": None},
    "an end without end": {"exp": {}},
    "nobody": {"sub": "nobody"},
    "no session": {"sid": None},
    "a session of another kind": {"sid": ["a"]},
    "an organization that is none": {"org": "x"},
    "an organization that is a list": {"org": [1]},
}


@pytest.fixture
async def claims(tenant: Tenant) -> dict[str, Any]:
    """What a good token says."""
    body = tenant.access_token.split(".")[1]
    said: dict[str, Any] = orjson.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return said


def own_key() -> bytes:
    return crypto.derived(settings().secret_bytes, "access-token")


@pytest.mark.parametrize("name", HEADERS)
async def test_a_token_signed_in_another_way_is_refused(tenant: Tenant, claims: dict[str, Any], name: str) -> None:
    header, with_own_key = HEADERS[name]
    digest = {"HS384": hashlib.sha384, "HS512": hashlib.sha512}.get(name, hashlib.sha256)
    token = signed(header, claims, own_key() if with_own_key else MINE, digest)
    assert await code_of(tenant.http, token) == "UNAUTHENTICATED"
    assert await code_of(tenant.http, token.rpartition(".")[0] + ".") == "UNAUTHENTICATED"


@pytest.mark.parametrize("name", CLAIMS)
async def test_a_token_that_says_something_else_is_refused(tenant: Tenant, claims: dict[str, Any], name: str) -> None:
    assert await code_of(tenant.http, signed(HS256, {**claims, **CLAIMS[name]}, own_key())) == "UNAUTHENTICATED"


@pytest.mark.parametrize("body", [b"", b"1", b"[]", b"null", b"{", b"\xff", b'{"a":' * 500 + b"1" + b"}" * 500])
async def test_a_token_without_claims_is_refused(tenant: Tenant, body: bytes) -> None:
    assert await code_of(tenant.http, signed(HS256, body, own_key())) == "UNAUTHENTICATED"


async def test_the_same_claims_rightly_signed_are_taken(tenant: Tenant, claims: dict[str, Any]) -> None:
    """The counter-proof: what was refused above was refused for what was changed."""
    assert await code_of(tenant.http, signed(HS256, claims, own_key())) is None


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_a_token_with_one_bit_changed_is_refused(tenant: Tenant, place: int) -> None:
    parts = tenant.access_token.split(".")
    raw = bytearray(base64.urlsafe_b64decode(parts[place] + "=="))
    raw[len(raw) // 2] ^= 1
    parts[place] = part(bytes(raw))
    assert await code_of(tenant.http, ".".join(parts)) == "UNAUTHENTICATED"
