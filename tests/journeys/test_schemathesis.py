"""Requests that a generator makes from what we declare, valid and not: none breaks the server, and every answer is one
that the declaration knows."""

import io
from collections.abc import Callable
from typing import Any, TypeVar

import orjson
import pytest
import schemathesis
from httpx2 import AsyncClient
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.core.db import Database
from graph.http.openapi import document
from graph.schema import sdl
from tests.factories.tenants import Tenant, make_tenant
from tests.factories.web import Web

F = TypeVar("F")
DOORS = schemathesis.openapi.from_dict(document())
FIELDS = schemathesis.graphql.from_file(io.StringIO(sdl()))
CONFORMS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


def examples(count: int) -> Callable[[F], F]:
    """So many, the same ones in every run."""
    made: Any = settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    return made  # type: ignore[no-any-return]


@schemathesis.serializer("application/x-ndjson")
def as_lines(context: Any, value: Any) -> bytes:
    """What is declared as text is sent as it is, and a line for anything else."""
    return value.encode(errors="replace") if isinstance(value, str) else orjson.dumps(value, default=str)


@pytest.fixture(scope="module")
async def tenant(database: Database, http: AsyncClient) -> Tenant:
    return await make_tenant(database, http)


@pytest.fixture(scope="module")
def askers(tenant: Tenant) -> dict[str, dict[str, str]]:
    """The headers of somebody with a key of every scope, and of nobody."""
    return {"key": {"Authorization": f"Bearer {tenant.key}"}, "nobody": {}}


@pytest.fixture(scope="module")
async def connection(tenant: Tenant) -> str:
    made = await tenant.ask('mutation { connectionConnect(input: {provider: "github"}) { connection { id } } }')
    id_: str = made["connectionConnect"]["connection"]["id"]
    return id_


@pytest.mark.parametrize("asker", ["key", "nobody"])
@DOORS.parametrize()
@examples(15)
def test_a_door_answers_as_it_declares(
    case: Any, asker: str, web: Web, askers: dict[str, dict[str, str]], connection: str
) -> None:
    if asker == "key" and "connectionId" in case.path_parameters:
        case.path_parameters["connectionId"] = connection  # one that is there, which no generator would find
    answer = case.call(base_url=web.url, headers=askers[asker])
    assert answer.status_code < 500
    case.validate_response(answer, checks=CONFORMS)


@pytest.mark.parametrize("asker", ["key", "nobody"])
@FIELDS.parametrize()
@examples(6)
def test_a_field_answers_whatever_is_asked(case: Any, asker: str, web: Web, askers: dict[str, dict[str, str]]) -> None:
    answer = case.call(base_url=f"{web.url}/graphql", headers=askers[asker])
    assert answer.status_code in (200, 429)
    said = answer.json()
    assert "INTERNAL" not in {error["extensions"]["code"] for error in said.get("errors", ())}, said
