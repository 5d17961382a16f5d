"""GraphQL types by name, found when the schema is built: rooms refer to one another's types without importing."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from strawberry.types.lazy_type import LazyType

_types: dict[str, type] = {}
_makers: dict[str, Callable[[], None]] = {}


@dataclass(frozen=True)
class Named(LazyType[Any, Any]):
    """The type that some room has registered under this name."""

    module: str = ""

    def resolve_type(self) -> type[Any]:
        if make := _makers.get(self.type_name):
            make()
            del _makers[self.type_name]
        return _types[self.type_name]


def register(name: str, type_: type) -> None:
    _types[name] = type_


def register_later(name: str, make: Callable[[], None]) -> None:
    """As `register`, which `make` calls when the schema is built and every room has spoken."""
    _makers[name] = make


def is_registered(name: str) -> bool:
    return name in _types or name in _makers
