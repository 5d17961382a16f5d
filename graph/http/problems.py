"""Refusals over plain HTTP: problem details (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from starlette.responses import Response

from app.core.errors import Code, Problem, Refusal

STATUS: Mapping[Code, int] = {
    Code.INVALID: 400,
    Code.NOT_FOUND: 404,
    Code.TAKEN: 409,
    Code.CONFLICT: 409,
    Code.UNAUTHENTICATED: 401,
    Code.FORBIDDEN: 403,
    Code.TOO_LARGE: 413,
    Code.CURSOR_INVALID: 400,
    Code.CURSOR_EXPIRED: 410,
    Code.RATE_LIMITED: 429,
    Code.UNAVAILABLE: 503,
}


def problem(status: int, detail: str, **more: Any) -> Response:
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **more,
    }
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return Response(orjson.dumps(body), status, headers, media_type="application/problem+json")


def refused(refusal: Refusal) -> Response:
    """The refusal with each of its problems under `errors`."""
    errors = [shown(one) for one in refusal.problems if one.path]
    more = {"code": refusal.code.value, **({"errors": errors} if errors else {})}
    return problem(STATUS[refusal.code], str(refusal), **more)


def shown(one: Problem) -> dict[str, Any]:
    """A problem as the body shows it; `pointer` is a JSON pointer into what was sent."""
    return {
        "code": one.code.value,
        "detail": one.message,
        "pointer": "".join(f"/{part}" for part in one.path),
    }
