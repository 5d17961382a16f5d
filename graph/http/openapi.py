"""GET /openapi.json: the plain HTTP doors, described by the code that serves them."""

from functools import cache
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from app.connectors.connections import INBOUND
from app.core.batches import MAX_BATCH, ErrorPolicy
from app.signals.records import SignalRecord
from graph.http import health
from graph.http.hooks import HooksDoor
from graph.http.ingest import SignalsDoor
from graph.http.segment import CALLS, SegmentDoor

_REF = "#/components/schemas/{model}"


async def openapi(request: Request) -> Response:
    """The OpenAPI document of the plain HTTP doors."""
    return Response(orjson.dumps(document()), media_type="application/json")


@cache
def document() -> dict[str, Any]:
    """OpenAPI 3.1."""
    signal = SignalRecord.model_json_schema(by_alias=True, ref_template=_REF)
    return {
        "openapi": "3.1.0",
        "info": {"title": "DevSignal", "version": "1", "description": "The HTTP doors beside POST /graphql."},
        "paths": {
            "/v1/signals": {"post": _signals()},
            **{f"/v1/{call}": {"post": _segment(call)} for call in CALLS},
            "/hooks/{provider}/{connectionId}": {"post": _hooks()},
            "/healthz": {"get": _plain("health", health.healthz, {"200": "It runs."})},
            "/readyz": {"get": _plain("readiness", health.Readiness.__call__, {"200": "Ready.", "503": "Not ready."})},
            "/metrics": {"get": _plain("metrics", health.metrics, {"200": "Counters."})},
        },
        "components": {
            "schemas": {"Signal": signal, "Receipt": _RECEIPT, "Problem": _PROBLEM},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "writeKey": {"type": "http", "scheme": "basic"},
            },
        },
    }


def _signals() -> dict[str, Any]:
    one = {"$ref": _REF.format(model="Signal")}
    many = {"type": "array", "items": one, "minItems": 1, "maxItems": MAX_BATCH}
    receipts = {
        "type": "object",
        "properties": {
            "receipts": {"type": "array", "items": {"$ref": _REF.format(model="Receipt")}},
            "eventCursor": {"type": ["string", "null"]},
        },
    }
    return {
        **_operation("ingestSignals", SignalsDoor.__call__),
        "security": [{"bearer": []}, {"apiKey": []}],
        "parameters": [{"name": "errorPolicy", "in": "query", "schema": {"type": "string", "enum": list(ErrorPolicy)}}],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"oneOf": [one, many]}},
                "application/x-ndjson": {"schema": {"type": "string"}},
            },
        },
        "responses": {"202": _json("Stored.", receipts), **_problems(401, 403, 404)},
    }


def _segment(call: str) -> dict[str, Any]:
    answer = {"type": "object", "properties": {"success": {"type": "boolean"}}}
    return {
        **_operation(f"segment{call.capitalize()}", SegmentDoor.__call__),
        "security": [{"writeKey": []}, {"bearer": []}, {}],
        "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
        "responses": {"200": _json("Taken.", answer), **_problems(401, 403)},
    }


def _hooks() -> dict[str, Any]:
    answer = {"type": "object", "properties": {"stored": {"type": "boolean"}}}
    provider = {"type": "string", "enum": sorted(INBOUND)}
    return {
        **_operation("receiveWebhook", HooksDoor.__call__),
        "parameters": [
            {"name": "provider", "in": "path", "required": True, "schema": provider},
            {"name": "connectionId", "in": "path", "required": True, "schema": {"type": "string"}},
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
        "responses": {"202": _json("Stored.", answer), **_problems(401, 404)},
    }


def _plain(name: str, door: Any, answers: dict[str, str]) -> dict[str, Any]:
    return {
        **_operation(name, door),
        "responses": {status: {"description": text} for status, text in answers.items()},
    }


def _operation(name: str, door: Any) -> dict[str, Any]:
    return {"operationId": name, "summary": " ".join((door.__doc__ or "").split())}


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _problems(*statuses: int) -> dict[str, Any]:
    """The refusals of a door that reads a body: those of its own, and those that every such door shares."""
    content = {"application/problem+json": {"schema": {"$ref": _REF.format(model="Problem")}}}
    refused = {str(status): {"description": "Refused.", "content": content} for status in (*_BODY, *statuses)}
    later = {"description": "Refused for now.", "headers": {"Retry-After": _SECONDS}, "content": content}
    return refused | {str(status): later for status in _LATER}


_BODY = (400, 408, 413, 415)
_LATER = (429, 503)
_SECONDS = {"description": "The seconds to wait.", "schema": {"type": "integer", "minimum": 0}}


_TEXT_OR_NULL = {"type": ["string", "null"]}
_RECEIPT = {
    "type": "object",
    "description": "What became of a row: its signal, or the errors it was refused for.",
    "properties": {
        "signalId": _TEXT_OR_NULL,
        "duplicate": {"type": "boolean"},
        "contactId": _TEXT_OR_NULL,
        "companyId": _TEXT_OR_NULL,
        "contactRule": _TEXT_OR_NULL,
        "companyRule": _TEXT_OR_NULL,
        "newContact": {"type": "boolean"},
        "newCompany": {"type": "boolean"},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
}
_PROBLEM = {
    "type": "object",
    "description": "Problem details (RFC 9457).",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
}
