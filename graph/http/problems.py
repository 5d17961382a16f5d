"""Refusals over plain HTTP: problem details (RFC 9457)."""

from http import HTTPStatus
from typing import Any

import orjson
from starlette.responses import Response

from app.core.errors import Problem, Refusal
from app.core.outages import RETRY_AFTER_SECONDS
from graph.core.errors import STATUS


def problem(status: int, detail: str, **more: Any) -> Response:
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **more,
    }
    headers = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": str(RETRY_AFTER_SECONDS)}}.get(status)
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
