"""GraphQL types by name, found when the schema is built: rooms refer to one another's types without importing."""

from dataclasses import dataclass
from typing import Any

from strawberry.types.lazy_type import LazyType

_types: dict[str, type] = {}


@dataclass(frozen=True)
class Named(LazyType[Any, Any]):
    """The type that some room has registered under this name."""

    module: str = ""

    def resolve_type(self) -> type[Any]:
        return _types[self.type_name]


def register(name: str, type_: type) -> None:
    _types[name] = type_


def is_registered(name: str) -> bool:
    return name in _types
