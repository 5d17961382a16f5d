"""Secrets stay where they belong: a walk through the product with passwords, tokens and keys in every place where a
client can put one, at the most talkative log level, and then a search for them in all that was said and kept."""

import hashlib
import hmac
import os
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import orjson
import pytest
from httpx2 import AsyncClient
from pydantic import ValidationError

from app.core.config import DEVELOPMENT_SECRET, Settings
from app.core.db import SERVER_ROLE, UNSCOPED_ROLE
from tests.contracts.tables import everything
from tests.factories.sockets import opened
from tests.factories.web import Web, running
from tests.factories.work import Backstage

SESSION = "{ session { accessToken refreshToken } userErrors { code message path } }"
CREATE_KEY = (
    'mutation { apiKeyCreate(input: {name: "k", scopes: [SIGNALS_WRITE, CRM_READ]}, idempotencyKey: "k") { secret } }'
)
CONNECT = """mutation { connectionConnect(input: {provider: "github"}, idempotencyKey: "c") {
  connection { id } webhookSecret
} }"""
CREATE = 'mutation { organizationCreate(input: {name: "Hush"}) { organization { id } } }'


def hush() -> str:
    """A secret that is found wherever it stands."""
    return f"hush-{secrets.token_hex(12)}"


@dataclass
class Walk:
    """What a client did: the secrets it used, those that an answer may show, and what all other answers said."""

    http: AsyncClient
    web: Web
    used: dict[str, str] = field(default_factory=dict)
    answers: list[str] = field(default_factory=list)

    def secret(self, name: str, value: str | None = None) -> str:
        self.used[name] = value or hush()
        return self.used[name]

    async def ask(
        self, query: str, variables: Any = None, headers: Mapping[str, str] | None = None, *, kept: bool = True
    ) -> Any:
        """Asks by POST; `kept` off for the one answer that may show a secret."""
        sent = {"query": query, "variables": variables}
        answer = await self.http.post("/graphql", json=sent, headers=headers)
        if kept:
            self.answers.append(answer.text)
        return answer.json().get("data")

    async def send(self, method: str, path: str, **options: Any) -> None:
        answer = await self.http.request(method, path, **options)
        self.answers += [answer.text, str(answer.headers)]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def people(walk: Walk) -> None:
    """Registers, logs in with a right and a wrong password, and gets everything wrong that can be."""
    email, password = f"{secrets.token_hex(6)}@hush.example", walk.secret("password")
    said = {"email": email, "password": password}
    register = f"mutation ($i: RegisterInput!) {{ register(input: $i) {SESSION} }}"
    login = f"mutation ($i: LoginInput!) {{ login(input: $i) {SESSION} }}"
    refresh = f"mutation ($i: RefreshInput!) {{ refresh(input: $i) {SESSION} }}"
    first = (await walk.ask(register, {"i": said}, kept=False))["register"]["session"]
    walk.secret("first refresh token", first["refreshToken"])
    session = (await walk.ask(login, {"i": said}, kept=False))["login"]["session"]
    walk.secret("refresh token", session["refreshToken"])
    walk.secret("access token", session["accessToken"])
    newer = (await walk.ask(refresh, {"i": {"refreshToken": session["refreshToken"]}}, kept=False))["refresh"]
    walk.secret("newer refresh token", newer["session"]["refreshToken"])
    await walk.ask(register, {"i": said})
    await walk.ask(login, {"i": {"email": email, "password": walk.secret("wrong password")}})
    await walk.ask(refresh, {"i": {"refreshToken": walk.secret("wrong refresh token")}})
    for name, wrong in WRONG_VALUES.items():
        await walk.ask(login, {"i": wrong(email, walk.secret(f"password beside {name}"))})
    for name, document in WRONG_DOCUMENTS.items():
        await walk.ask(document.replace("%", walk.secret(f"password in {name}")))
        await walk.send("GET", "/graphql", params={"query": document.replace("%", walk.secret(f"{name} by GET"))})


WRONG_VALUES: dict[str, Callable[[str, str], Any]] = {
    "an unknown field": lambda email, password: {"email": email, "password": password, "colour": "red"},
    "a missing field": lambda email, password: {"password": password},
    "a wrong type": lambda email, password: {"email": {"a": email}, "password": password},
    "a list": lambda email, password: {"email": email, "password": [password]},
    "an object": lambda email, password: {"email": email, "password": {"is": password}},
    "too much of it": lambda email, password: {"email": email, "password": password * 10},
    "an address of it": lambda email, password: {"email": password + "\u0000", "password": password},
}
WRONG_DOCUMENTS = {
    "a text too many": 'mutation { login(input: {email: "a@b.dev", password: "x" "%"}) { userErrors { code } } }',
    "a document cut off": 'mutation { login(input: {email: "a@b.dev", password: "%"',
    "a text without end": 'mutation { login(input: {email: "a@b.dev", password: "%',
    "an unknown argument": 'mutation { login(input: {email: "a@b.dev", pasword: "%"}) { userErrors { code } } }',
    "a wrong literal": 'mutation { apiKeyRevoke(input: {id: {is: "%"}}) { userErrors { code } } }',
    "a number for it": 'query { companies(first: "%") { nodes { id } } }',
    "an enum for it": 'query { companies(orderBy: [{field: "%"}]) { nodes { id } } }',
    "a time for it": 'query { signals(filter: {occurredAt: {gt: "%"}}) { nodes { id } } }',
    "a variable's default": 'query ($i: Int = "%") { companies(first: $i) { nodes { id } } }',
}


async def keys(walk: Walk) -> None:
    """Puts tokens and keys, right and wrong, wherever a client could."""
    token = bearer(walk.used["access token"])
    chosen = {
        **token,
        "X-Organization-Id": (await walk.ask(CREATE, None, token))["organizationCreate"]["organization"]["id"],
    }
    key = walk.secret("API key", (await walk.ask(CREATE_KEY, None, chosen, kept=False))["apiKeyCreate"]["secret"])
    for place in (bearer(key), {"X-API-Key": key}, {"Authorization": f"Basic {key}"}, {"Authorization": key}):
        await walk.send("POST", "/v1/signals", json={"type": "visit", "idempotencyKey": "k"}, headers=place)
        await walk.send("POST", "/graphql", json={"query": "{ viewer { role } }"}, headers=place)
    await walk.send("POST", "/v1/track", json={"userId": "u", "event": "e"}, auth=(key, ""))
    await walk.send("POST", "/v1/track", json={"writeKey": key, "userId": "u", "event": "e"})
    for form in ("{}", "dsk_{}", "x.{}.y", "Bearer {}"):
        text = form.format(walk.secret(f"key like {form}"))
        await walk.send("POST", "/v1/signals", json={"type": "visit"}, headers=bearer(text))
        await walk.send("POST", "/v1/track", json={"userId": "u", "event": "e"}, auth=(text, text))
        await walk.send("POST", "/v1/track", json={"userId": "u", "event": "e", "writeKey": text})
        for path in ("/graphql", "/healthz", "/nowhere", "/v1/signals", "/readyz"):
            await walk.send("GET", path, params={"access_token": text}, headers={"X-API-Key": text, "Cookie": text})
        await walk.send(
            "POST", "/v1/signals", content=b"{" + text.encode(), headers={"Content-Type": "application/json"}
        )
        await walk.send("POST", f"/v1/{walk.used[f'key like {form}']}", json={})
    await walk.send(
        "POST",
        "/v1/signals",
        json={"type": 1, "colour": walk.secret("row"), "email": [walk.used["row"]]},
        headers=bearer(key),
    )


async def hooks(walk: Walk, organization: dict[str, str]) -> None:
    """Connects a provider and receives from it, rightly and wrongly signed."""
    made = (await walk.ask(CONNECT, None, organization, kept=False))["connectionConnect"]
    secret, path = walk.secret("webhook secret", made["webhookSecret"]), f"/hooks/github/{made['connection']['id']}"
    body = orjson.dumps({"action": "created", "sender": {"id": 7, "login": "ada", "type": "User"}})
    right = walk.secret("signature", hmac.new(secret.encode(), body, hashlib.sha256).hexdigest())
    for signature in (right, walk.secret("wrong signature")):
        headers = {"X-GitHub-Event": "star", "X-GitHub-Delivery": "1", "X-Hub-Signature-256": f"sha256={signature}"}
        await walk.send("POST", path, content=body, headers=headers)


async def sockets(walk: Walk) -> None:
    """Greets with good and bad keys, in the payload and in the address."""
    url = walk.web.socket_url
    for text in (walk.used["API key"], f"dsk_{walk.secret('key of a socket')}"):
        async with opened(f"{url}?access_token={text}", additional_headers={"X-Key": text}) as socket:
            await socket.send({"type": "connection_init", "payload": {"authorization": f"Bearer {text}"}})
            await socket.watch('{ node(id: "' + text + '") { id } }')
            walk.answers.append(str(await socket.closed(0.5)) if "hush" in text else str(await socket.receive()))
    async with opened(url) as socket:
        await socket.greet()
        await socket.watch(WRONG_DOCUMENTS["a document cut off"].replace("%", walk.secret("password in a socket")))
        walk.answers.append(str(await socket.receive()))
        await socket.send('{"type": "' + walk.secret("type of a message") + '"}')
        await socket.closed()


@asynccontextmanager
async def broken(owner: asyncpg.Connection, table: str, role: str) -> AsyncIterator[None]:
    """Whoever writes to the table meets an error that nobody expects."""
    await owner.execute(f"REVOKE INSERT ON {table} FROM {role}")
    try:
        yield
    finally:
        await owner.execute(f"GRANT INSERT ON {table} TO {role}")


async def bugs(walk: Walk, owner: asyncpg.Connection) -> None:
    """Unexpected errors with secrets at hand: of a registration, of a key that is made, of signals."""
    register = f"mutation ($i: RegisterInput!) {{ register(input: $i) {SESSION} }}"
    said = {"email": walk.secret("address in a bug") + "@hush.example", "password": walk.secret("password in a bug")}
    async with broken(owner, "users", UNSCOPED_ROLE):
        await walk.ask(register, {"i": said})
    async with broken(owner, "signals", SERVER_ROLE):
        row = {"type": "visit", "properties": {"said": walk.secret("property in a bug")}}
        await walk.send("POST", "/v1/signals", json=row, headers=bearer(walk.used["API key"]))


@pytest.fixture(scope="module")
async def walked(chosen_settings: Settings, owner: asyncpg.Connection) -> AsyncIterator[Walk]:
    os.environ["DEVSIGNAL_LOG_LEVEL"] = "DEBUG"
    try:
        async with running(chosen_settings) as web, AsyncClient(base_url=web.url, timeout=30) as http:
            walk = Walk(http, web)
            await people(walk)
            await keys(walk)
            token = bearer(walk.used["access token"])
            made = (await walk.ask(CREATE, None, token))["organizationCreate"]["organization"]["id"]
            await hooks(walk, {**token, "X-Organization-Id": made})
            await sockets(walk)
            await bugs(walk, owner)
            yield walk
    finally:
        del os.environ["DEVSIGNAL_LOG_LEVEL"]


def found(secrets_: Mapping[str, str], text: str) -> set[str]:
    """The secrets that stand in the text, whole or for the most part."""
    return {name for name, value in secrets_.items() if value in text or value[: max(20, len(value) // 2)] in text}


async def test_the_walk_was_a_good_one(walked: Walk) -> None:
    assert len(walked.used) > 40 and len(walked.answers) > 80
    said = walked.web.said()
    assert '"level": "debug"' in said or '"level":"DEBUG"' in said, "it says less than it could"
    assert said.count('.bug"') >= 2, "no error was unexpected"


async def test_no_secret_is_logged(walked: Walk) -> None:
    said = walked.web.said()
    assert found(walked.used, said) == set()
    assert "$argon2" not in said


async def test_no_secret_is_counted(walked: Walk) -> None:
    assert found(walked.used, (await walked.http.get("/metrics")).text) == set()


async def test_no_answer_shows_a_secret_but_the_one_that_hands_it_out(walked: Walk) -> None:
    shown = {name: text for text in walked.answers for name in found(walked.used, text)}
    assert shown == {}


async def test_no_secret_is_stored_in_clear(walked: Walk, owner: asyncpg.Connection, backstage: Backstage) -> None:
    kept = await everything(owner)
    assert found(walked.used, kept) == set()
    assert found({name: value.encode().hex() for name, value in walked.used.items()}, kept) == set()
    names = b" ".join([key async for key in backstage.redis.scan_iter()]).decode(errors="replace")
    assert found(walked.used, names) == set()


def test_the_search_finds_what_is_there() -> None:
    secret = hush()
    assert found({"a": secret}, f"x{secret}y") == found({"a": secret}, secret[:20]) == {"a"}


@pytest.mark.parametrize("chosen", [DEVELOPMENT_SECRET, "c2hvcnQ", hush()], ids=["known to all", "short", "no base64"])
def test_production_does_not_start_with_a_bad_secret_nor_does_it_say_which(chosen: str) -> None:
    database = f"postgresql://devsignal:{hush()}@db/devsignal"
    said = {"DEVSIGNAL_ENV": "production", "DEVSIGNAL_PUBLIC_URL": "https://x.dev", "REDIS_URL": "redis://x"}
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate({**said, "DATABASE_URL": database, "DEVSIGNAL_SECRET_KEY": chosen})
    assert "DEVSIGNAL_SECRET_KEY" in str(refused.value)
    assert "hush-" not in str(refused.value) and f"'{chosen}'" not in str(refused.value)
