"""Ten thousand calls across the border: everything that one organization can ask, at every door, for what belongs to
another. The calls are made from the schema by a generator with a known seed; the last door is the database itself."""

import asyncio
import hashlib
import hmac
import random
import re
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import pytest
from httpx2 import ASGITransport, AsyncClient, Response
from pydantic import SecretStr

from app.core.clock import now
from app.core.config import Settings, settings
from app.core.db import SERVER_ROLE, Database, driver_url
from app.core.ids import encode_id
from app.core.tenancy import SYSTEM
from app.identity import tokens
from app.identity.permissions import PERMISSIONS, PERSONAL, Role
from graph.asgi import application_with
from graph.context import context_for
from graph.core.operations import Asked, Operations, Rejected
from graph.schema import schema
from graph.server import Server
from tests.contracts.tables import TENANT_NAMES, rows_of
from tests.factories.documents import PAGE, Place, Root, places, roots
from tests.factories.holdings import Holdings, fill
from tests.factories.sockets import opened
from tests.factories.tenants import make_tenant, person
from tests.factories.web import Web
from tests.factories.work import Backstage

SEED = 20261121
CALLS = {"fields": 7_600, "http": 1_600, "feeds": 600, "sockets": 100, "words": 100}
SLOW = {"register", "login"}  # a password is hashed for each: asked a few times only
PERSONAL_FIELDS = {"logout"}  # would end the log-in that asks
AT_ONCE = 8
DEPTHS = (1, 1, 2, 2, 3)
HEARD_SECONDS = 0.4
ROOTS = [root for root in roots() if root.name not in SLOW | PERSONAL_FIELDS and root.kind != "subscription"]
FEEDS = [root for root in roots() if root.kind == "subscription"]
Headers = Mapping[str, str]


@dataclass(frozen=True)
class Call:
    """What was asked: its name for the report, what was said in it, and the answer."""

    name: str
    said: str
    ask: Callable[[], Awaitable[Any]]


@dataclass(frozen=True)
class Victim:
    """Whose things are asked for: his ids and cursors, and all that betrays him."""

    holdings: Holdings
    cursors: Sequence[str]
    marks: Sequence[str]
    words: Sequence[str]

    def betrayed(self, answer: Any, said: str) -> list[str]:
        """What of his is in the answer: ids wherever data are told, and words that the asker did not say himself."""
        errors = orjson.dumps(answer.pop("errors", None) if isinstance(answer, dict) else None).decode()
        told = orjson.dumps(answer).decode()
        found = [mark for mark in self.marks if mark in told or (mark in errors and mark not in said)]
        return found + [word for word in self.words if word in told + errors and word not in said]


@dataclass
class Asker:
    """The one who asks, in every guise that he can take."""

    holdings: Holdings
    guises: Sequence[Headers]
    secret: str
    calls: Counter[str] = field(default_factory=Counter)
    wrong: set[tuple[Any, str]] = field(default_factory=set)


@pytest.fixture(scope="module")
async def victim(database: Database, http: AsyncClient, backstage: Backstage, owner: asyncpg.Connection) -> Victim:
    holdings = await fill(await make_tenant(database, http), backstage)
    return await victim_of(holdings, owner)


async def victim_of(holdings: Holdings, owner: asyncpg.Connection) -> Victim:
    tenant, ids = holdings.tenant, set(holdings.keys)
    for table in TENANT_NAMES:
        columns = await owner.fetch(
            "SELECT column_name FROM information_schema.columns WHERE table_name = $1 AND column_name = 'id'"
            " AND data_type = 'uuid'",
            table,
        )
        if columns:
            ids |= {r[0] for r in await owner.fetch(f"SELECT id FROM {table} WHERE organization_id = $1", tenant.id)}
    own = await tenant.ask_personally("{ viewer { user { email } organization { slug } } }")
    words = (holdings.word, own["viewer"]["user"]["email"], own["viewer"]["organization"]["slug"])
    marks = [encode_id("x", id_)[2:] for id_ in ids] + [str(id_) for id_ in ids]
    return Victim(holdings, await cursors_of(holdings), marks, words)


async def cursors_of(holdings: Holdings) -> list[str]:
    found = []
    for root in ROOTS:
        if "after" in root.field.args:
            page = (await holdings.tenant.ask_personally(f"{{ page: {root.name} {{ edges {{ cursor }} }} }}"))["page"]
            found += [edge["cursor"] for edge in page["edges"]]
    return found


@pytest.fixture(scope="module")
async def asker(database: Database, http: AsyncClient, backstage: Backstage, victim: Victim) -> Asker:
    tenant = await make_tenant(database, http)
    holdings = await fill(tenant, backstage)
    theirs = {"X-Organization-Id": victim.holdings.tenant.public_id}
    ours = {"X-Organization-Id": tenant.public_id}
    keys = [await tenant.new_key(*(PERMISSIONS[Role.OWNER] - PERSONAL)) for _ in range(8)]
    people = [(await person(database, tenant.id, Role.OWNER))[1] for _ in range(8)]
    stranger = (await person(database))[1]
    forged = tokens.issue_access(
        settings().secret_bytes, tokens.AccessToken(tenant.user, UUID(int=1), victim.holdings.tenant.id), now()
    )
    guises = [
        *({**bearer(key)} for key in keys),
        *({**bearer(token), **ours} for token in people * 2),
        *({**bearer(token), **theirs} for token in (*people[:2], *keys[:2], stranger)),
        *({**bearer(token)} for token in (stranger, forged, tokens.new_key(victim.holdings.tenant.id))),
        *({}, theirs),
    ]
    connected = 'mutation { connectionConnect(input: {provider: "github"}) { webhookSecret } }'
    secret: str = (await tenant.ask(connected))["connectionConnect"]["webhookSecret"]
    return Asker(holdings, guises, secret)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


# --- calls -------------------------------------------------------------------------------------------------------


@cache
def places_of(root: Root) -> list[Place]:
    return places(root)


@cache
def document(root: Root, names: tuple[str, ...], depth: int) -> str:
    return root.document(dict.fromkeys(names), depth)


def field_calls(dice: random.Random, asker: Asker, victim: Victim) -> Iterator[Call]:
    """Any query or mutation: with the victim's ids in a place that takes one, his cursors, his words to look for."""
    while True:
        root = dice.choice(ROOTS)
        variables = {**_with_id(dice, root, asker, victim), **_with_cursor(dice, root, victim)}
        yield posted(dice, asker, root, variables)


def _with_id(dice: random.Random, root: Root, asker: Asker, victim: Victim) -> dict[str, Any]:
    if not places_of(root):
        return root.variables()
    place = dice.choice(places_of(root))
    theirs, ours = victim.holdings.ids, asker.holdings.ids
    kind = dice.choice([kind for kind in theirs if (place.subject, kind) not in asker.wrong] or list(theirs))
    return place.variables(theirs[kind], dice.choice([*theirs.values(), *ours.values()]))


def _with_cursor(dice: random.Random, root: Root, victim: Victim) -> dict[str, Any]:
    if "after" not in root.field.args or dice.random() < 0.7:
        return {}
    if dice.random() < 0.5:
        return {"after": dice.choice(victim.cursors), "first": PAGE}
    return {"before": dice.choice(victim.cursors), "first": None, "last": PAGE}


def posted(dice: random.Random, asker: Asker, root: Root, variables: dict[str, Any]) -> Call:
    guise, tenant = dice.choice(asker.guises), asker.holdings.tenant
    query = document(root, tuple(variables), dice.choice(DEPTHS))

    async def ask() -> Any:
        answer = (
            await tenant.http.post("/graphql", json={"query": query, "variables": variables}, headers=guise)
        ).json()
        codes = {error["extensions"]["code"] for error in answer.get("errors", ())}
        assert not codes & {"INTERNAL", "RATE_LIMITED", "LIMIT_EXCEEDED", "BAD_REQUEST"}, answer["errors"]
        _learn(asker, root, variables, answer)
        return answer

    return Call(f"{root.kind} {root.name}", orjson.dumps(variables).decode(), ask)


def _learn(asker: Asker, root: Root, variables: Mapping[str, Any], answer: Any) -> None:
    """Remembers which kinds of ids a place does not take, so that later calls come further."""
    wrong = re.search(r"is the id of a (\w+), not", orjson.dumps(answer).decode())
    if wrong:
        for place in places_of(root):
            if _at(variables, place.steps) is not None:
                asker.wrong.add((place.subject, wrong[1]))


def _at(value: Any, steps: Sequence[str]) -> Any:
    for step in steps:
        value = (value or [None])[0] if step == "[]" else (value or {}).get(step)
    return value


def http_calls(dice: random.Random, asker: Asker, victim: Victim) -> Iterator[Call]:
    """The doors beside GraphQL: signals that name his records, webhooks of his connection, his organization's name."""
    theirs = victim.holdings.ids
    while True:
        row = {"type": "visit", **{f"{kind}Id": dice.choice(list(theirs.values())) for kind in ("company", "contact")}}
        row.pop(dice.choice(["companyId", "contactId", "nothing"]), None)
        yield sent(dice, asker, f"/v1/signals?errorPolicy={dice.choice(['REJECT_ALL', 'REJECT_FAILED_ROWS'])}", row)
        call = dice.choice(["track", "identify", "page", "screen", "group", "alias", "batch"])
        yield sent(dice, asker, f"/v1/{call}", {"userId": "ours", "event": "visit", "companyId": theirs["company"]})
        yield sent(
            dice, asker, f"/hooks/github/{dice.choice([theirs['connection'], *theirs.values()])}", {"action": "x"}
        )
        yield sent(dice, asker, dice.choice(["/openapi.json", "/metrics", "/readyz", "/"]), None)


def sent(dice: random.Random, asker: Asker, path: str, body: Any) -> Call:
    content = orjson.dumps(body)
    signature = hmac.new(asker.secret.encode(), content, hashlib.sha256).hexdigest()
    hook = {"X-GitHub-Event": "star", "X-GitHub-Delivery": str(dice.random())}
    headers = {**dice.choice(asker.guises), **hook, "X-Hub-Signature-256": f"sha256={signature}"}
    client = asker.holdings.tenant.http

    async def ask() -> Any:
        if body is None:
            answer = await client.get(path, headers=headers)
        else:
            answer = await client.post(path, content=content, headers={**headers, "Content-Type": "application/json"})
        assert answer.status_code < 500 and not (path.startswith("/hooks") and answer.status_code < 400), answer.text
        return _body(answer)

    return Call(path.split("?")[0].rsplit("_", 1)[0], content.decode() + path, ask)


def _body(answer: Response) -> Any:
    return answer.json() if "json" in answer.headers.get("content-type", "") else {"text": answer.text}


def word_calls(dice: random.Random, asker: Asker, victim: Victim) -> Iterator[Call]:
    """Signals of people and companies that the victim knows too: they are ours when we say them, never his."""
    word, theirs = victim.holdings.word, victim.holdings.ids
    said = [
        {"email": f"ada@{word}.dev"},
        {"anonymousId": word},
        {"domain": f"{word}.dev"},
        {"actorId": word},
        {"actorId": theirs["contact"]},
        {"idempotencyKey": word, "type": f"{word}_signup"},
    ]
    while True:
        yield sent(dice, asker, "/v1/signals", {"type": "visit", **dice.choice(said), **dice.choice(said)})
        yield sent(dice, asker, "/v1/identify", {"userId": word, "traits": {"email": f"ada@{word}.dev"}})


def feed_calls(dice: random.Random, asker: Asker, victim: Victim, server: Server) -> Iterator[Call]:
    """Subscriptions from the beginning, or after the victim's cursor, that watch for what is his."""
    operations = Operations(schema())
    while True:
        root, guise = dice.choice(FEEDS), {k.lower(): v for k, v in dice.choice(asker.guises).items()}
        variables: dict[str, Any] = {"after": dice.choice(["0", "1", "1.0", "5"])}
        if places_of(root) and dice.random() < 0.5:
            id_ = dice.choice(list(victim.holdings.ids.values()))
            variables = {**dice.choice(places_of(root)).variables(id_), **variables}

        async def ask(root: Root = root, guise: Headers = guise, variables: Any = variables) -> Any:
            return await heard(operations, server, guise, Asked(root.document(variables, 3), variables))

        yield Call(f"subscription {root.name}", orjson.dumps(variables).decode(), ask)


async def heard(operations: Operations, server: Server, guise: Headers, asked: Asked) -> Any:
    """What the feed tells in a moment."""
    told: list[Any] = []
    try:
        async with asyncio.timeout(HEARD_SECONDS):
            operation = operations.prepare(asked)
            async with aclosing(operations.follow(operation, await context_for(server, guise))) as answers:
                async for answer in answers:
                    told += [answer]
    except TimeoutError:
        pass
    except Rejected as rejected:
        return {"errors": rejected.errors}
    except Exception as error:
        return {"errors": [str(error)]}
    return {"data": told}


def socket_calls(dice: random.Random, asker: Asker, victim: Victim, web: Web) -> Iterator[Call]:
    """Operations over WebSocket, with the victim's organization in the greeting or his ids in the question."""
    for fields in field_calls(dice, asker, victim):
        guise = dice.choice([one for one in asker.guises if one])
        root = dice.choice([root for root in ROOTS if root.kind == "query" and places_of(root)])
        variables = _with_id(dice, root, asker, victim)

        async def ask(root: Root = root, guise: Headers = guise, variables: Any = variables) -> Any:
            async with opened(web.socket_url) as socket:
                await socket.send({"type": "connection_init", "payload": guise})
                await socket.watch(document(root, tuple(variables), 2), variables)
                try:
                    return [await socket.receive(), await socket.receive()]
                except Exception as closed:
                    return {"errors": [str(closed)]}

        yield Call(f"socket {root.name}", fields.said + orjson.dumps(variables).decode(), ask)


# --- the sweep ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
async def server(chosen_settings: Settings) -> AsyncIterator[Server]:
    async with Server.open(chosen_settings) as opened_server:
        yield opened_server


async def leaks(calls: Sequence[Call], victim: Victim, at_once: int = AT_ONCE) -> list[str]:
    """Asks all of them; the names of those that tell something of the victim's, with what they tell."""
    found: list[str] = []
    waiting = iter(calls)

    async def ask_on() -> None:
        for call in waiting:
            if betrayed := victim.betrayed(await call.ask(), call.said):
                found.extend([f"{call.name} told {betrayed} when asked {call.said}"])

    await asyncio.gather(*(ask_on() for _ in range(at_once)))
    return found


def taken(calls: Iterator[Call], count: int) -> list[Call]:
    return [next(calls) for _ in range(count)]


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")  # feeds are left in the middle of an answer
async def test_ten_thousand_calls_tell_and_change_nothing_of_another_organization(
    asker: Asker, victim: Victim, server: Server, web: Web, owner: asyncpg.Connection
) -> None:
    dice, before = random.Random(SEED), await state(owner, victim)
    groups = {
        "fields": (field_calls(dice, asker, victim), AT_ONCE),
        "http": (http_calls(dice, asker, victim), AT_ONCE),
        "feeds": (feed_calls(dice, asker, victim, server), 50),
        "sockets": (socket_calls(dice, asker, victim, web), AT_ONCE),
        "words": (word_calls(dice, asker, victim), 1),
    }
    asked: Counter[str] = Counter()
    for name, (calls, at_once) in groups.items():
        made = taken(calls, CALLS[name])
        asked.update(call.name for call in made)
        assert await leaks(made, victim, at_once) == []
    print(f"seed {SEED}: {asked.total()} calls at {len(asked)} doors")
    assert asked.total() == 10_000
    assert {f"{root.kind} {root.name}" for root in [*ROOTS, *FEEDS]} <= set(asked), "a field was never asked"
    assert await state(owner, victim) == before


async def test_the_few_fields_that_the_sweep_leaves_out_tell_nothing_either(
    asker: Asker, victim: Victim, database: Database, owner: asyncpg.Connection
) -> None:
    before = await state(owner, victim)
    email, password = victim.holdings.tenant.email, victim.holdings.tenant.password
    token = (await person(database))[1]
    for name, said in {
        "register": {"email": email, "password": secrets.token_hex(8)},
        "login": {"email": email, "password": password.swapcase()},
        "refresh": {"refreshToken": token},
    }.items():
        query = f"mutation ($input: {name.title()}Input!) {{ {name}(input: $input) {{ session {{ expiresAt }} }} }}"
        answer = await asker.holdings.tenant.answer(query, {"input": said}, token=token)
        assert answer["data"] == {name: {"session": None}}
    await asker.holdings.tenant.ask("mutation { logout { done } }", token=token)
    assert await state(owner, victim) == before


async def state(owner: asyncpg.Connection, victim: Victim) -> dict[str, str]:
    """A checksum of each table's rows of the victim, and of the rows that name him."""
    rows = await rows_of(owner, victim.holdings.tenant.id)
    tenant = victim.holdings.tenant
    rows["organizations"] = [str(await owner.fetchrow("SELECT * FROM organizations WHERE id = $1", tenant.id))]
    rows["users"] = [str(await owner.fetchrow("SELECT * FROM users WHERE id = $1", tenant.user))]
    rows["sessions"] = [str(await owner.fetch("SELECT * FROM login_sessions WHERE user_id = $1", tenant.user))]
    return {table: hashlib.sha256("\n".join(texts).encode()).hexdigest() for table, texts in rows.items()}


async def test_the_same_calls_asked_by_the_victim_himself_are_noticed(asker: Asker, victim: Victim) -> None:
    """The counter-proof: these questions find what is there, and the check sees it."""
    tenant = victim.holdings.tenant
    himself = Asker(victim.holdings, [{**bearer(tenant.access_token), "X-Organization-Id": tenant.public_id}], "")
    himself.wrong |= asker.wrong
    calls = [call for call in taken(field_calls(random.Random(SEED), himself, victim), 3_000) if "query" in call.name]
    noticed = {line.split()[1] for line in await leaks(calls, victim)}
    assert {"company", "companies", "contacts", "signals", "node", "nodes", "connections", "organization"} <= noticed


# --- each layer alone --------------------------------------------------------------------------------------


@asynccontextmanager
async def copied(chosen: Settings) -> AsyncIterator[Settings]:
    """The settings of a throw-away database, as it stands after migration."""
    base, name = chosen.database_url.get_secret_value().rsplit("/", 1)
    admin, copy = await asyncpg.connect(driver_url(f"{base}/postgres")), f"{name}_open"
    try:
        await admin.execute(f'CREATE DATABASE "{copy}" TEMPLATE "{name.split("_")[0]}" STRATEGY file_copy')
        yield chosen.model_copy(update={"database_url": SecretStr(f"{base}/{copy}")})
    finally:
        await admin.execute(f'DROP DATABASE IF EXISTS "{copy}" WITH (FORCE)')
        await admin.close()


@asynccontextmanager
async def serving(chosen: Settings) -> AsyncIterator[tuple[Database, AsyncClient]]:
    """The product with these settings, in this process."""
    app, url = application_with(chosen), chosen.database_url.get_secret_value()
    async with (
        Database.open(url, pool_size=3) as database,
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app, raise_app_exceptions=False), base_url="http://test") as client,
    ):
        yield database, client


async def test_the_statements_alone_keep_organizations_apart(chosen_settings: Settings) -> None:
    """In a copy of the database without row level security: what the server sends names the organization itself."""
    async with copied(chosen_settings) as chosen, serving(chosen) as (database, client):
        owner = await asyncpg.connect(driver_url(chosen.database_url.get_secret_value()))
        victim = await victim_of(await fill(await make_tenant(database, client)), owner)
        ours = await make_tenant(database, client)
        token = {**bearer(ours.access_token), "X-Organization-Id": ours.public_id}
        asker = Asker(await fill(ours), [token, bearer(ours.key)], "")
        for table in TENANT_NAMES:
            await owner.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
        assert {"companies", "signals", "api_keys"} <= {line.split(":")[0] for line in await open_doors(owner, ours.id)}
        before = await state(owner, victim)
        assert await leaks(taken(field_calls(random.Random(SEED), asker, victim), 800), victim) == []
        assert await state(owner, victim) == before
        await owner.close()


@asynccontextmanager
async def undone(owner: asyncpg.Connection, *before: str) -> AsyncIterator[asyncpg.Connection]:
    """A transaction in which the statements have been run, and of which nothing is kept."""
    transaction = owner.transaction()
    await transaction.start()
    try:
        for statement in before:
            await owner.execute(statement)
        yield owner
    finally:
        await transaction.rollback()


async def open_doors(owner: asyncpg.Connection, tenant: UUID, *before: str) -> list[str]:
    """What the server's role, bound to the organization, sees or changes of others by statements that name none; or
    does not see of its own. No foreign key stands in the way."""
    found = []
    for table in TENANT_NAMES:
        for statement in (
            f"SELECT organization_id FROM {table}",
            f"UPDATE {table} SET organization_id = organization_id RETURNING organization_id",
            f"DELETE FROM {table} RETURNING organization_id",
        ):
            async with undone(owner, *before, "SET LOCAL session_replication_role = replica") as connection:
                await connection.execute(f"SET LOCAL ROLE {SERVER_ROLE}")
                await connection.execute("SELECT set_tenant($1)", tenant)
                reached = {row[0] for row in await connection.fetch(statement)}
            if table == "jobs" and statement.startswith("SELECT"):
                reached -= {SYSTEM}
            if reached != {tenant}:
                found.append(f"{table}: {statement.split()[0]} reaches {len(reached)} organizations")
    return found


async def test_the_database_itself_keeps_organizations_apart(
    owner: asyncpg.Connection, asker: Asker, victim: Victim
) -> None:
    assert await open_doors(owner, asker.holdings.tenant.id) == []


@pytest.mark.parametrize("table", TENANT_NAMES)
@pytest.mark.parametrize(
    "opening",
    ["DROP POLICY tenant ON {0}", "ALTER TABLE {0} DISABLE ROW LEVEL SECURITY", "CREATE POLICY x ON {0} USING (true)"],
    ids=["no policy", "no security", "one policy too many"],
)
async def test_a_table_that_is_left_open_or_shut_is_reported(
    owner: asyncpg.Connection, asker: Asker, victim: Victim, table: str, opening: str
) -> None:
    reported = await open_doors(owner, asker.holdings.tenant.id, opening.format(table))
    assert {line.split(":")[0] for line in reported} == {table}
