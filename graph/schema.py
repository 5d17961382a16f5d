"""Builds the schema: finds the rooms of `graph` and joins their queries, mutations and subscriptions."""

import importlib
import pkgutil
from functools import cache
from pathlib import Path
from typing import Any

import strawberry
from strawberry.schema.config import StrawberryConfig
from strawberry.tools import merge_types

from graph.core.names import Named
from graph.core.node import KINDS
from graph.core.root import NodeQuery

_NOT_ROOMS = {"core", "http"}
_PARTS = ("types", "queries", "mutations", "subscriptions")


@cache
def schema() -> strawberry.Schema:
    """The one schema of the process."""
    modules = [module for room in _rooms() for module in _modules(room)]
    return strawberry.Schema(
        query=merge_types("Query", (NodeQuery, *_roots(modules, "Query"))),
        mutation=merge_types("Mutation", _roots(modules, "Mutation")),
        subscription=merge_types("Subscription", _roots(modules, "Subscription")),
        types=[Named(kind.name).resolve_type() for kind in KINDS.values()],
        config=StrawberryConfig(default_resolver=getattr),
    )


def sdl() -> str:
    """The schema as it is published."""
    return schema().as_str() + "\n"


def _rooms() -> list[str]:
    here = str(Path(__file__).parent)
    return sorted(m.name for m in pkgutil.iter_modules([here]) if m.ispkg and m.name not in _NOT_ROOMS)


def _modules(room: str) -> list[Any]:
    package = importlib.import_module(f"graph.{room}")
    there = {module.name for module in pkgutil.iter_modules(package.__path__)}
    return [importlib.import_module(f"graph.{room}.{part}") for part in _PARTS if part in there]


def _roots(modules: list[Any], name: str) -> tuple[type, ...]:
    return tuple(getattr(module, name) for module in modules if hasattr(module, name))
