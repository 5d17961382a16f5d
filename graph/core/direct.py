"""Fields that are called directly: what only reads its row, or asks a loader for it, needs nothing of what Strawberry
wraps around a resolver. Most fields of an answer are such, and the wrapping costs more than they do."""

import inspect
from collections.abc import Awaitable, Callable
from datetime import datetime
from types import NoneType
from typing import Any, TypeGuard

from graphql import GraphQLObjectType, GraphQLSchema
from graphql.pyutils import is_awaitable
from strawberry.types.field import StrawberryField

from app.core.db import Row
from graph.core.connection import PageOfRows

_AT_HAND = frozenset({NoneType, bool, int, float, str, datetime, dict, list, Row, PageOfRows})


def must_wait(value: Any) -> TypeGuard[Awaitable[Any]]:
    """Whether the executor must await a value: asked several times of each, and never of what is at hand."""
    return type(value) not in _AT_HAND and is_awaitable(value)


def call_directly(schema: GraphQLSchema) -> None:
    """Gives each field without arguments and extensions its own function for a resolver.

    Such a resolver is given graphql-core's info, whose `context` is the same."""
    for type_ in schema.type_map.values():
        if isinstance(type_, GraphQLObjectType):
            for field in type_.fields.values():
                declared = field.extensions.get("strawberry-definition")
                if isinstance(declared, StrawberryField) and not declared.extensions and not declared.arguments:
                    field.resolve = _direct(declared) or field.resolve


def _direct(declared: StrawberryField) -> Callable[..., Any] | None:
    if declared.base_resolver is None:
        return _reader(declared.python_name)
    resolve: Any = declared.base_resolver.wrapped_func
    match list(inspect.signature(resolve).parameters):
        case _ if inspect.iscoroutinefunction(resolve) or declared.is_subscription:
            return None
        case ["root" | "self"]:
            return lambda source, info: resolve(source)
        case ["root" | "self", "info"]:
            return lambda source, info: resolve(source, info)
        case _:
            return None


def _reader(name: str) -> Callable[..., Any]:
    def read(source: Any, info: Any) -> Any:
        return source[name] if isinstance(source, Row) else getattr(source, name)

    return read
