"""Builds the schema: finds the rooms of `graph` and joins their queries, mutations and subscriptions."""

import importlib
import pkgutil
from functools import cache
from pathlib import Path
from typing import Any

import strawberry
from graphql import GraphQLObjectType
from graphql.pyutils import Undefined
from strawberry.schema.config import StrawberryConfig
from strawberry.tools import merge_types

from graph.core.direct import call_directly
from graph.core.names import Named
from graph.core.node import KINDS
from graph.core.root import NodeQuery
from graph.core.scalars import SCALARS

ARGUMENTS = {
    "after": "Goes on after this cursor.",
    "before": "Stops before this cursor.",
    "errorPolicy": "What a bad row does to the batch.",
    "filter": "Conditions that must hold.",
    "first": "How many from the start: 1 to 250, 50 unless said.",
    "groupBy": "What to group by: at most 3 parts, each once.",
    "id": "The record's id.",
    "idempotencyKey": (
        "Names the request, in 1 to 255 characters: sent again with the same key and arguments within a day, it is not "
        "done again but answered as the first time, with null for a secret that was shown once. A refused request may "
        "be mended and sent again with its key. The `Idempotency-Key` header says the same."
    ),
    "ids": "The records' ids.",
    "input": "What to do it with.",
    "inputs": "The rows, 1 to 1,000.",
    "last": "How many from the end: 1 to 250.",
    "types": "Which kinds of records; all unless said.",
    "orderBy": "What to sort by; the first part counts most.",
}
_NOT_ROOMS = {"core", "http"}
_PARTS = ("types", "queries", "mutations", "subscriptions")


@cache
def schema() -> strawberry.Schema:
    """The one schema of the process."""
    modules = [module for room in _rooms() for module in _modules(room)]
    made = strawberry.Schema(
        query=merge_types("Query", (NodeQuery, *_roots(modules, "Query"))),
        mutation=merge_types("Mutation", _roots(modules, "Mutation")),
        subscription=merge_types("Subscription", _roots(modules, "Subscription")),
        types=[Named(kind.name).resolve_type() for kind in KINDS.values()],
        config=StrawberryConfig(default_resolver=getattr, scalar_map=SCALARS),
    )
    _describe_arguments(made)
    call_directly(made._schema)
    return made


def sdl() -> str:
    """The schema as it is published."""
    return schema().as_str() + "\n"


def _describe_arguments(made: strawberry.Schema) -> None:
    """Gives each argument the one meaning its name has, and leaves out defaults that only say null."""
    for type_ in made._schema.type_map.values():
        if not isinstance(type_, GraphQLObjectType) or type_.name.startswith("__"):
            continue
        for field in type_.fields.values():
            for name, argument in field.args.items():
                argument.description = argument.description or ARGUMENTS[name]
                if argument.default_value is None:
                    argument.default_value = Undefined


def _rooms() -> list[str]:
    here = str(Path(__file__).parent)
    return sorted(m.name for m in pkgutil.iter_modules([here]) if m.ispkg and m.name not in _NOT_ROOMS)


def _modules(room: str) -> list[Any]:
    package = importlib.import_module(f"graph.{room}")
    there = {module.name for module in pkgutil.iter_modules(package.__path__)}
    return [importlib.import_module(f"graph.{room}.{part}") for part in _PARTS if part in there]


def _roots(modules: list[Any], name: str) -> tuple[type, ...]:
    return tuple(getattr(module, name) for module in modules if hasattr(module, name))
