"""Refusals over plain HTTP: problem details (RFC 9457)."""

from http import HTTPStatus
from typing import Any

import orjson
from starlette.responses import Response

from app.core.errors import Problem, Refusal
from graph.core.errors import STATUS


def problem(status: int, detail: str, **more: Any) -> Response:
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **more,
    }
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return Response(orjson.dumps(body), status, headers, media_type="application/problem+json")


def refused(refusal: Refusal) -> Response:
    """The refusal with each of its problems under `errors`."""
    errors = [shown(one) for one in refusal.problems if one.path]
    more = {"code": refusal.code.value, **({"errors": errors} if errors else {})}
    answer = problem(STATUS[refusal.code], str(refusal), **more)
    if refusal.retry_after is not None:
        answer.headers["Retry-After"] = str(refusal.retry_after)
    return answer


def shown(one: Problem) -> dict[str, Any]:
    """A problem as the body shows it; `pointer` is a JSON pointer into what was sent."""
    return {
        "code": one.code.value,
        "detail": one.message,
        "pointer": "".join(f"/{part}" for part in one.path),
    }
