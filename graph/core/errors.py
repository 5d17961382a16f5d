"""What a client sees of an error: refusals as they are, anything else masked and logged."""

import re
import secrets
from collections.abc import Mapping
from typing import Any

import structlog
from graphql import GraphQLError
from sqlalchemy.exc import DBAPIError
from strawberry.utils.str_converters import to_camel_case

from app.core.errors import Code, Refusal
from app.core.outages import as_refusal

_log = structlog.get_logger(__name__)

STATUS: Mapping[Code, int] = {
    Code.INVALID: 400,
    Code.NOT_FOUND: 404,
    Code.TAKEN: 409,
    Code.CONFLICT: 409,
    Code.IDEMPOTENCY_CONFLICT: 409,
    Code.UNAUTHENTICATED: 401,
    Code.FORBIDDEN: 403,
    Code.TOO_LARGE: 413,
    Code.CURSOR_INVALID: 400,
    Code.CURSOR_EXPIRED: 410,
    Code.RATE_LIMITED: 429,
    Code.UNAVAILABLE: 503,
    Code.TIMEOUT: 503,
}
"""The HTTP status of a refusal."""


class LimitExceeded(GraphQLError):
    """The document or its cost is over a limit. `code` tells which kind."""

    def __init__(self, message: str, **extensions: Any) -> None:
        super().__init__(message, extensions={"code": "LIMIT_EXCEEDED", **extensions})


def formatted(error: GraphQLError) -> dict[str, Any]:
    """The error as it goes out, always with `extensions.code`."""
    shown: dict[str, Any] = {**error.formatted}
    cause = error.original_error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    refusal = cause if isinstance(cause, Refusal) else as_refusal(cause)
    if refusal is not None:
        shown["message"] = str(refusal)
        shown["extensions"] = _of_refusal(refusal)
    elif cause is None or isinstance(cause, GraphQLError):
        shown["message"] = _unquoted(error.message)
        shown["extensions"] = {"code": "BAD_REQUEST", **(error.extensions or {})}
    else:
        shown["message"], shown["extensions"] = _masked(cause, error)
    return shown


_QUOTES = (
    (re.compile(r"[,.?] [Ff]ound: .*", re.DOTALL), "."),
    (re.compile(r"(cannot represent [^:]*): .*", re.DOTALL), r"\1."),
    (re.compile(r"\b(String|BlockString|Int|Float) (['\"]).*\2", re.DOTALL), r"\1"),
    (re.compile(r"Value (['\"]).*\1 does not exist", re.DOTALL), "The value does not exist"),
)
"""Where the library's messages quote a value: it may be a password."""


def _unquoted(message: str) -> str:
    for quote, instead in _QUOTES:
        message = quote.sub(instead, message)
    return message


def _of_refusal(refusal: Refusal) -> Mapping[str, Any]:
    paths = [
        {"message": p.message, "path": [to_camel_case(str(part)) for part in p.path]}
        for p in refusal.problems
        if p.path
    ]
    shown: dict[str, Any] = {"code": refusal.code.value}
    if paths:
        shown["problems"] = paths
    if refusal.retry_after is not None:
        shown["retryAfter"] = refusal.retry_after
    return shown


def _masked(cause: BaseException, error: GraphQLError) -> tuple[str, Mapping[str, Any]]:
    trace = secrets.token_hex(8)
    name = type(cause.orig).__name__ if isinstance(cause, DBAPIError) else type(cause).__name__
    _log.error("graphql.bug", trace=trace, path=error.path, error=name, exc_info=cause)
    return "something went wrong here; it has been noted", {"code": "INTERNAL", "trace": trace}


def refused(refusal: Refusal) -> dict[str, Any]:
    """A refusal before any field was reached."""
    return {"message": str(refusal), "extensions": dict(_of_refusal(refusal))}
