"""GraphQL over HTTP, by the letter: media types, status codes, methods, and bodies that are none."""

import gzip
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from httpx2 import AsyncClient, Response

from app.core.config import Settings
from tests.factories.tenants import Tenant

JSON, GRAPHQL_JSON = "application/json", "application/graphql-response+json"
QUERY = "{ __typename }"
both = pytest.mark.parametrize("media", [JSON, GRAPHQL_JSON])


async def post(http: AsyncClient, body: Any, accept: str | None = JSON, **headers: str) -> Response:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    sent = {"Content-Type": JSON, **({"Accept": accept} if accept else {}), **headers}
    return await http.post("/graphql", content=content, headers=sent)


async def get(http: AsyncClient, accept: str = JSON, **parameters: str) -> Response:
    return await http.get(f"/graphql?{urlencode(parameters)}", headers={"Accept": accept})


def is_refusal(answer: Response, status: int) -> bool:
    return answer.status_code == status and bool(answer.json()["errors"][0]["extensions"]["code"])


@both
async def test_an_answer_comes_in_the_media_type_that_was_asked_for(http: AsyncClient, media: str) -> None:
    answer = await post(http, {"query": QUERY}, media)
    assert answer.status_code == 200 and answer.headers["content-type"] == f"{media}; charset=utf-8"
    assert answer.json()["data"] == {"__typename": "Query"}


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (f"{GRAPHQL_JSON}, {JSON};q=0.9", GRAPHQL_JSON),
        (f"text/html, {GRAPHQL_JSON}; charset=utf-8", GRAPHQL_JSON),
        ("APPLICATION/JSON", JSON),
    ],
)
async def test_the_media_type_follows_what_is_accepted(http: AsyncClient, accept: str | None, expected: str) -> None:
    request = http.build_request("POST", "/graphql", json={"query": QUERY})
    if accept is None:
        del request.headers["accept"]
    else:
        request.headers["accept"] = accept
    answer = await http.send(request)
    assert answer.status_code == 200 and answer.headers["content-type"].startswith(expected + ";")


@pytest.mark.parametrize(
    "accept", ["text/plain", "application/xml, image/png", f"{JSON};q=0", f"{JSON};q=0, {GRAPHQL_JSON};q=0.0", "json"]
)
async def test_a_media_type_that_is_not_served_is_406(http: AsyncClient, accept: str) -> None:
    assert (await post(http, {"query": QUERY}, accept)).status_code == 406


async def test_a_media_type_that_is_refused_is_not_answered_in(http: AsyncClient) -> None:
    answer = await post(http, {"query": QUERY}, f"{JSON};q=0, {GRAPHQL_JSON}")
    assert answer.status_code == 200 and answer.headers["content-type"].startswith(GRAPHQL_JSON)


@both
@pytest.mark.parametrize("query", ["{", "{ nonsense }", ""])
async def test_a_document_that_cannot_run_is_400_where_status_codes_count(
    http: AsyncClient, media: str, query: str
) -> None:
    answer = await post(http, {"query": query}, media)
    assert is_refusal(answer, 400 if media == GRAPHQL_JSON else 200)
    assert "data" not in answer.json()


@both
async def test_an_error_of_a_field_is_no_error_of_the_request(http: AsyncClient, media: str) -> None:
    answer = await post(http, {"query": "{ organization { id } }"}, media)
    assert answer.status_code == 200
    body = answer.json()
    assert body["data"] == {"organization": None}
    assert body["errors"][0]["path"] == ["organization"]
    assert body["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


@both
async def test_wrong_variables_are_a_bad_request(http: AsyncClient, media: str) -> None:
    body = {"query": "query ($id: ID!) { company(id: $id) { id } }", "variables": {}}
    answer = await post(http, body, media)
    assert is_refusal(answer, 400 if media == GRAPHQL_JSON else 200)


@pytest.mark.parametrize("body", [b"1", b"null", b'"x"', b"true", b"[]", b'[{"query": "{ __typename }"}]', b"{}"])
@both
async def test_json_that_is_no_request_is_400(http: AsyncClient, media: str, body: bytes) -> None:
    assert is_refusal(await post(http, body, media), 400)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"query": "\xc3"}',
        b'{"query": "{ __typename }"} trailing',
        b"[" * 100_000,
        b'{"query": "{ __typename }", "variables": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}",
        b'{"query": NaN}',
        b"\x00",
    ],
    ids=["empty", "cut", "utf16", "utf8", "trailing", "deep", "deep variables", "nan", "nul"],
)
async def test_a_body_that_is_no_json_is_400(http: AsyncClient, body: bytes) -> None:
    assert is_refusal(await post(http, body), 400)


@pytest.mark.parametrize(
    "said",
    [
        {"query": 1},
        {"query": None},
        {"query": [QUERY]},
        {"query": QUERY, "variables": []},
        {"query": QUERY, "variables": "x"},
        {"query": QUERY, "operationName": 1},
        {"query": QUERY, "extensions": 1},
    ],
)
async def test_a_parameter_of_the_wrong_type_is_400(http: AsyncClient, said: Any) -> None:
    assert is_refusal(await post(http, said, GRAPHQL_JSON), 400)


async def test_parameters_that_are_null_or_unknown_are_left_aside(http: AsyncClient) -> None:
    said = {"query": QUERY, "variables": None, "operationName": None, "extensions": None, "id": "x"}
    assert (await post(http, said)).json()["data"] == {"__typename": "Query"}


async def test_of_two_keys_alike_one_is_taken_and_nothing_breaks(http: AsyncClient) -> None:
    body = b'{"query": "{ nonsense }", "query": "{ __typename }"}'
    assert (await post(http, body)).status_code == 200


async def test_an_operation_is_chosen_by_name(http: AsyncClient) -> None:
    query = "query A { a: __typename } query B { b: __typename }"
    assert (await post(http, {"query": query, "operationName": "B"})).json()["data"] == {"b": "Query"}
    for name in (None, "C", ""):
        assert is_refusal(await post(http, {"query": query, "operationName": name}, GRAPHQL_JSON), 400)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_a_body_of_another_type_is_415(http: AsyncClient, kind: str) -> None:
    answer = await post(http, {"query": QUERY}, **{"Content-Type": kind})
    assert is_refusal(answer, 415)


async def test_json_with_a_charset_is_taken(http: AsyncClient) -> None:
    answer = await post(http, {"query": QUERY}, **{"Content-Type": "application/json; charset=utf-8"})
    assert answer.status_code == 200


async def test_a_gzip_body_is_taken(http: AsyncClient) -> None:
    body = gzip.compress(orjson.dumps({"query": QUERY}))
    answer = await post(http, body, **{"Content-Encoding": "gzip"})
    assert answer.json()["data"] == {"__typename": "Query"}
    assert is_refusal(await post(http, body[:-4], **{"Content-Encoding": "gzip"}), 400)
    assert is_refusal(await post(http, b"no gzip", **{"Content-Encoding": "gzip"}), 400)
    assert is_refusal(await post(http, body, **{"Content-Encoding": "br"}), 415)


async def test_a_body_over_the_cap_is_413_compressed_or_not(http: AsyncClient, chosen_settings: Settings) -> None:
    large = orjson.dumps({"query": QUERY, "variables": {"a": "x" * chosen_settings.max_body_bytes}})
    assert is_refusal(await post(http, large), 413)
    packed = gzip.compress(large)
    assert len(packed) < 100_000
    assert is_refusal(await post(http, packed, **{"Content-Encoding": "gzip"}), 413)


@both
async def test_a_query_may_be_sent_by_get(http: AsyncClient, media: str) -> None:
    answer = await get(
        http, media, query="query A($a: Boolean!) { __typename @include(if: $a) }", variables='{"a": true}'
    )
    assert answer.status_code == 200 and answer.json()["data"] == {"__typename": "Query"}


@pytest.mark.parametrize("parameters", [{}, {"query": QUERY, "variables": "{"}, {"query": QUERY, "variables": "1"}])
async def test_a_get_that_is_no_request_is_400(http: AsyncClient, parameters: dict[str, str]) -> None:
    assert is_refusal(await get(http, GRAPHQL_JSON, **parameters), 400)


@both
async def test_a_mutation_by_get_is_405_and_does_nothing(tenant: Tenant, media: str) -> None:
    query = 'mutation { companyCreate(input: {name: "A"}) { created } }'
    headers = {"Accept": media, "X-API-Key": tenant.key}
    answer = await tenant.http.get(f"/graphql?{urlencode({'query': query})}", headers=headers)
    assert is_refusal(answer, 405) and "POST" in answer.headers["allow"]
    assert (await tenant.ask("{ companies { totalCount } }"))["companies"]["totalCount"] == 0


async def test_head_is_get_without_the_body(http: AsyncClient) -> None:
    address = f"/graphql?{urlencode({'query': QUERY})}"
    answer = await http.head(address, headers={"Accept": JSON})
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == (await http.get(address, headers={"Accept": JSON})).headers["content-type"]


async def test_a_mutation_by_head_does_nothing(tenant: Tenant) -> None:
    query = 'mutation { companyCreate(input: {name: "A"}) { created } }'
    headers = {"Accept": JSON, "X-API-Key": tenant.key}
    for parameters, body in (({"query": query}, None), ({}, {"query": query})):
        answer = await tenant.http.request("HEAD", "/graphql", params=parameters, json=body, headers=headers)
        assert answer.status_code in (400, 405)
    assert (await tenant.ask("{ companies { totalCount } }"))["companies"]["totalCount"] == 0


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
async def test_another_method_is_405(http: AsyncClient, method: str) -> None:
    assert (await http.request(method, "/graphql", json={"query": QUERY})).status_code == 405


async def test_a_subscription_wants_a_stream(tenant: Tenant) -> None:
    answer = await tenant.post("subscription { signalReceived { cursor } }", Accept=JSON)
    assert is_refusal(answer, 406)


async def test_a_browser_is_shown_a_page_to_try_things_in(http: AsyncClient) -> None:
    answer = await http.get("/graphql", headers={"Accept": "text/html,application/xhtml+xml"})
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("header", ["Basic eDp5", "Bearer", "Bearer ", "Token x", "Bearer a b", "Bearer \x7f"])
async def test_credentials_that_cannot_be_read_are_refused(http: AsyncClient, header: str) -> None:
    answer = await post(http, {"query": "{ viewer { role } }"}, GRAPHQL_JSON, Authorization=header)
    codes = {error["extensions"]["code"] for error in answer.json()["errors"]}
    assert codes == {"UNAUTHENTICATED"} and answer.status_code in (200, 401)


async def test_every_answer_names_its_request(http: AsyncClient) -> None:
    named = await post(http, {"query": QUERY}, **{"X-Request-Id": "mine-1"})
    assert named.headers["x-request-id"] == "mine-1"
    assert len((await post(http, {"query": QUERY})).headers["x-request-id"]) == 32
    assert (await post(http, {"query": QUERY}, **{"X-Request-Id": "a b\t"})).headers["x-request-id"] != "a b"


@pytest.mark.parametrize(
    ("moment", "code"),
    [
        ("0001-01-01T00:00:00+14:00", "INVALID"),
        ("9999-12-31T23:59:59-14:00", "INVALID"),
        ("2026-13-01T00:00:00Z", "BAD_REQUEST"),
        ("yesterday", "BAD_REQUEST"),
    ],
)
async def test_a_time_that_no_calendar_has_is_refused(tenant: Tenant, moment: str, code: str) -> None:
    for field in ("signals(filter: {occurredAt:", "companies(filter: {createdAt:"):
        answer = await tenant.answer(f'{{ {field} {{gt: "{moment}"}}}}) {{ nodes {{ id }} }} }}')
        assert answer["errors"][0]["extensions"]["code"] == code


@pytest.mark.parametrize("moment", ["1900-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "2001-01-01T00:00:00"])
async def test_a_time_long_ago_is_before_everything(tenant: Tenant, moment: str) -> None:
    await tenant.send({"type": "visit"})
    for word, count in (("gt", 1), ("gte", 1), ("lt", 0), ("eq", 0), ("neq", 1)):
        asked = f'{{ signals(filter: {{occurredAt: {{{word}: "{moment}"}}}}) {{ totalCount }} }}'
        assert (await tenant.ask(asked))["signals"]["totalCount"] == count, word
