"""Doing a mutation once: under a key, the first answer is given again to whoever says the same."""

import dataclasses
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.arguments import StrawberryArgument

from app.core import crypto, idempotency
from app.core.errors import Code, Refusal
from app.core.work import Work, work
from graph.context import Context, Info
from graph.core.answers import ONCE, Answer, fields_of, restored

P = TypeVar("P", bound=Answer)


def key_argument() -> StrawberryArgument:
    """The argument `idempotencyKey`."""
    return StrawberryArgument(
        python_name="idempotency_key",
        graphql_name="idempotencyKey",
        type_annotation=StrawberryAnnotation(str | None),
        default=None,
    )


def shown_once(description: str) -> Any:
    """A payload's field for a secret: it is not kept, so that an answer which is given again has null there."""
    return strawberry.field(default=None, description=description, metadata=ONCE)


def key_said(context: Context, argument: str | None) -> str | None:
    """The key of the request, by argument or by header; a refusal for a bad one, or for two that differ."""
    said = [idempotency.checked(key) for key in (argument, context.idempotency_key) if key is not None]
    if len(set(said)) > 1:
        raise Refusal(Code.INVALID, "differs from the Idempotency-Key header", ("idempotencyKey",))
    return said[0] if said else None


async def do_once(
    info: Info, key: str, arguments: Mapping[str, Any], payload: type[P], do: Callable[[Work], Awaitable[P]]
) -> P:
    """The answer of `do`, or the one that it gave before under this key; key, answer and effect are kept together."""
    context = info.context
    fingerprint = _fingerprint(context.settings.secret_bytes, info.field_name, arguments)
    async with work(context.database, context.principal.tenant, context.principal.user) as unit:
        before = await idempotency.claim(unit, key, fingerprint)
        if before is None:
            answer = await do(unit)
            await unit.tell()
            if answer.user_errors and unit.cursor is None:
                await idempotency.release(unit, key)
            else:
                answer.event_cursor = None if unit.cursor is None else str(unit.cursor)
                await idempotency.keep(unit, key, fields_of(answer))
            return answer
    return payload(**await restored(before, context.reads))


def _fingerprint(secret: bytes, field: str, arguments: Mapping[str, Any]) -> bytes:
    """Tells requests from one another without telling what they say: an argument may be a secret."""
    said = json.dumps([field, arguments], sort_keys=True, default=_plain)
    return hmac.digest(crypto.derived(secret, "idempotency"), said.encode(), hashlib.sha256)


def _plain(value: Any) -> Any:
    """An input as the fields that were given, anything else as its text."""
    if not dataclasses.is_dataclass(value):
        return str(value)
    given = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return {name: one for name, one in given.items() if one is not strawberry.UNSET}
