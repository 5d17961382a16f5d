"""What a page elsewhere can make a browser send without asking first changes nothing and learns nothing.

Such "simple" requests are GET, HEAD, and POST with one of three content types or none; their senders can neither set
a header that carries credentials nor read the answer. WebSockets are in tests/graph/protocols."""

import base64
from collections.abc import AsyncIterator
from urllib.parse import urlencode

import orjson
import pytest
from httpx2 import ASGITransport, AsyncClient, Response

from app.core.config import Settings
from app.signals.models import Signal
from graph.asgi import application_with
from tests.factories.books import count_of
from tests.factories.tenants import Tenant

CREATE = 'mutation { companyCreate(input: {name: "A"}) { created } }'
COUNT = "{ companies { totalCount } }"
WATCH = 'subscription { signalReceived(after: "0") { cursor } }'
ORGANIZATION = "{ organization { id } }"
NAMED = "https://app.example.com"

ACCEPTS = ["*/*", "application/json", "application/graphql-response+json", "text/event-stream"]
KINDS = [
    None,
    "",
    "text/plain",
    "text/plain;charset=UTF-8",
    "text/plain; application/json",
    "application/x-www-form-urlencoded",
    "application/x-www-form-urlencoded; charset=application/json",
    "multipart/form-data; boundary=x",
    "multipart/form-data; boundary=application/json",
]
simple = pytest.mark.parametrize("kind", KINDS, ids=str)
CALLS = ("track", "identify", "page", "screen", "group", "alias", "batch")


async def post(http: AsyncClient, path: str, body: bytes, kind: str | None, **headers: str) -> Response:
    return await http.post(path, content=body, headers={**({} if kind is None else {"Content-Type": kind}), **headers})


async def companies(tenant: Tenant) -> int:
    counted: int = (await tenant.ask(COUNT))["companies"]["totalCount"]
    return counted


# Simple requests run nothing, even with credentials that a browser would not send


@simple
@pytest.mark.parametrize("accept", ACCEPTS)
async def test_a_simple_post_runs_no_mutation(tenant: Tenant, kind: str | None, accept: str) -> None:
    headers = {"Accept": accept, "Authorization": f"Bearer {tenant.key}"}
    answer = await post(tenant.http, "/graphql", orjson.dumps({"query": CREATE}), kind, **headers)
    assert answer.status_code == 415 and "data" not in answer.json()
    assert await companies(tenant) == 0


@simple
async def test_a_simple_post_starts_no_feed(tenant: Tenant, kind: str | None) -> None:
    headers = {"Accept": "text/event-stream", "Authorization": f"Bearer {tenant.key}"}
    answer = await post(tenant.http, "/graphql", orjson.dumps({"query": WATCH}), kind, **headers)
    assert answer.status_code == 415 and answer.headers["content-type"].startswith("application/json")


@pytest.mark.parametrize("accept", ACCEPTS)
async def test_a_form_runs_nothing_wherever_it_puts_the_query(tenant: Tenant, accept: str) -> None:
    headers = {"Accept": accept, "Authorization": f"Bearer {tenant.key}"}
    form = {"query": CREATE}
    in_parts = b'--x\r\nContent-Disposition: form-data; name="query"\r\n\r\n' + CREATE.encode() + b"\r\n--x--\r\n"
    for path in ("/graphql", f"/graphql?{urlencode(form)}"):
        for body, kind in (
            (urlencode(form).encode(), "application/x-www-form-urlencoded"),
            (in_parts, "multipart/form-data; boundary=x"),
            (b"", None),
        ):
            assert (await post(tenant.http, path, body, kind, **headers)).status_code == 415
    assert await companies(tenant) == 0


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("accept", ACCEPTS)
async def test_a_link_runs_no_mutation_and_starts_no_feed(tenant: Tenant, method: str, accept: str) -> None:
    headers = {"Accept": accept, "Authorization": f"Bearer {tenant.key}"}
    for query in (CREATE, WATCH, f"query A {ORGANIZATION} {CREATE.replace('mutation', 'mutation B')}"):
        parameters = {"query": query, "operationName": "B"} if "query A" in query else {"query": query}
        answer = await tenant.http.request(method, f"/graphql?{urlencode(parameters)}", headers=headers)
        assert answer.status_code in (405, 415), answer.text
    assert await companies(tenant) == 0


@simple
async def test_a_simple_post_stores_no_signal(tenant: Tenant, kind: str | None) -> None:
    body = orjson.dumps({"type": "visit"})
    answer = await post(tenant.http, "/v1/signals", body, kind, Authorization=f"Bearer {tenant.key}")
    assert answer.status_code == 415
    assert await count_of(tenant.database, tenant.id, Signal) == 0


@pytest.mark.parametrize("path", ["/v1/signals", *(f"/v1/{call}" for call in CALLS), "/hooks/github/x"])
async def test_a_link_reaches_no_door_that_stores(tenant: Tenant, path: str) -> None:
    for method in ("GET", "HEAD"):
        headers = {"Authorization": f"Bearer {tenant.key}"}
        answer = await tenant.http.request(method, f"{path}?{urlencode({'type': 'visit'})}", headers=headers)
        assert answer.status_code == 405
    assert await count_of(tenant.database, tenant.id, Signal) == 0


@simple
@pytest.mark.parametrize("call", CALLS)
async def test_a_segment_call_stores_nothing_without_a_write_key(tenant: Tenant, kind: str | None, call: str) -> None:
    body = {"userId": "u1", "event": "Visit", "batch": [{"type": "track", "userId": "u1", "event": "Visit"}]}
    cookie = f"writeKey={tenant.key}; ajs_user_id=u1"
    answer = await post(tenant.http, f"/v1/{call}", orjson.dumps(body), kind, Cookie=cookie)
    assert answer.status_code == 401
    assert await count_of(tenant.database, tenant.id, Signal) == 0


# Credentials are what the sender puts into a header, never what a browser adds by itself


@pytest.mark.parametrize("name", ["session", "token", "access_token", "authorization", "Authorization", "X-API-Key"])
async def test_a_cookie_is_no_credential(tenant: Tenant, name: str) -> None:
    for credential in (tenant.key, tenant.access_token):
        headers = {"Cookie": f"{name}={credential}; X-Organization-Id={tenant.public_id}"}
        answer = await tenant.http.post("/graphql", json={"query": ORGANIZATION}, headers=headers)
        assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        answer = await tenant.http.post("/v1/signals", json={"type": "visit"}, headers=headers)
        assert answer.status_code == 401
    assert await count_of(tenant.database, tenant.id, Signal) == 0


@pytest.mark.parametrize("name", ["token", "access_token", "authorization", "api_key", "x-api-key", "key"])
async def test_an_address_and_a_body_carry_no_credential(tenant: Tenant, name: str) -> None:
    said = urlencode({name: tenant.key})
    body = {"query": ORGANIZATION, name: tenant.key, "extensions": {name: tenant.key}}
    for answer in (
        await tenant.http.post(f"/graphql?{said}", json=body),
        await tenant.http.get(f"/graphql?{said}&{urlencode({'query': ORGANIZATION})}"),
    ):
        assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert (await tenant.http.post(f"/v1/signals?{said}", json={"type": "visit"})).status_code == 401
    assert await count_of(tenant.database, tenant.id, Signal) == 0


async def test_no_answer_sets_a_cookie_or_asks_for_a_password(tenant: Tenant) -> None:
    basic = base64.b64encode(f"{tenant.email}:{tenant.password}".encode()).decode()
    login = "mutation ($input: LoginInput!) { login(input: $input) { session { expiresAt accessToken } } }"
    who = {"input": {"email": tenant.email, "password": tenant.password}}
    http = tenant.http
    answers = [
        await http.post("/graphql", json={"query": login, "variables": who}),
        await tenant.post(COUNT),
        await tenant.post(COUNT, Accept="text/event-stream"),
        await tenant.send({"type": "visit"}),
        *[await http.get(path) for path in ("/", "/graphql", "/healthz", "/readyz", "/metrics", "/openapi.json")],
        *[await http.get("/graphql", headers={"Accept": accept}) for accept in ("text/html", "application/json")],
        *[await http.post(path, json={}) for path in ("/v1/signals", "/v1/track", "/hooks/github/x", "/nowhere")],
        *[
            await http.post(path, json={"query": COUNT}, headers={"Authorization": f"{scheme}"})
            for path in ("/graphql", "/v1/signals", "/v1/track")
            for scheme in (f"Basic {basic}", "Bearer nonsense")
        ],
    ]
    assert answers[0].json()["data"]["login"]["session"] and 401 in {answer.status_code for answer in answers}
    for answer in answers:
        assert "set-cookie" not in answer.headers, answer.url
        assert "basic" not in answer.headers.get("www-authenticate", "").lower(), answer.url


# What a browser asks first


@pytest.fixture
async def named(chosen_settings: Settings) -> AsyncIterator[AsyncClient]:
    """A web process whose operator has named one origin."""
    chosen = chosen_settings.model_copy(update={"allowed_origins": NAMED})
    async with AsyncClient(transport=ASGITransport(application_with(chosen)), base_url="http://test") as client:
        yield client


async def preflight(http: AsyncClient, path: str, origin: str, headers: str, method: str = "POST") -> Response:
    asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}
    return await http.options(path, headers={"Origin": origin, **asked})


@pytest.mark.parametrize("path", ["/graphql", "/v1/signals", "/v1/track"])
async def test_the_named_origin_may_send_what_the_doors_read(named: AsyncClient, path: str) -> None:
    answer = await preflight(named, path, NAMED, "authorization,content-type,last-event-id,x-organization-id")
    assert answer.status_code == 200 and answer.headers["access-control-allow-origin"] == NAMED
    assert "origin" in answer.headers["vary"].lower()
    assert "access-control-allow-credentials" not in answer.headers, "no cookies are asked for"


@pytest.mark.parametrize(
    "origin",
    [
        *("https://evil.example", "null", "", f"{NAMED}.evil.example", f"{NAMED}:8443", f"{NAMED}/", "*"),
        *("http://app.example.com", "https://example.com", "https://APP.example.com", "https://xapp.example.com"),
    ],
)
async def test_no_other_origin_may_call_or_read(named: AsyncClient, origin: str) -> None:
    for path in ("/graphql", "/v1/signals", "/v1/track"):
        refused = await preflight(named, path, origin, "content-type")
        assert refused.status_code == 400 and "access-control-allow-origin" not in refused.headers
    answer = await named.get("/healthz", headers={"Origin": origin})
    assert answer.status_code == 200 and "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(("headers", "method"), [("cookie", "POST"), ("x-evil", "POST"), ("content-type", "DELETE")])
async def test_the_named_origin_may_send_no_more_than_that(named: AsyncClient, headers: str, method: str) -> None:
    assert (await preflight(named, "/graphql", NAMED, headers, method)).status_code == 400


async def test_where_nobody_is_named_nobody_may(http: AsyncClient) -> None:
    for origin in (NAMED, "null", "http://test"):
        refused = await preflight(http, "/graphql", origin, "content-type")
        assert refused.status_code == 400 and "access-control-allow-origin" not in refused.headers
        answer = await http.post("/graphql", json={"query": "{ __typename }"}, headers={"Origin": origin})
        assert answer.status_code == 200 and "access-control-allow-origin" not in answer.headers
