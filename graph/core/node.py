"""Entities: GraphQL types that take their fields from a model, with global ids."""

from collections.abc import Callable
from enum import Enum
from typing import Any, TypeVar
from uuid import UUID

import strawberry
from sqlalchemy import BigInteger, inspect
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import InstrumentedAttribute
from strawberry import auto
from strawberry.scalars import JSON

from app.core.db import AnySelect, Base, Row
from app.core.errors import Code, Refusal
from app.core.ids import decode_id, encode_id
from app.core.records import BigNumber
from app.identity.permissions import Permission
from graph.core.enums import choice
from graph.core.names import register

T = TypeVar("T", bound=type)
Fetch = Callable[[], AnySelect]


@strawberry.interface(description="A record with a globally unique id.")
class Node:
    id: strawberry.ID = strawberry.field(description="TypeID of the record: a prefix and a UUIDv7 in base32.")

    @classmethod
    def resolve_type(cls, value: Any, *_: Any) -> str:
        return _entities[type(value)].name


class Kind:
    """What `node(id:)` needs to know of an entity: its prefix, how it is fetched, who may see it."""

    def __init__(self, model: type[Base], name: str, permission: Permission, fetch: Fetch) -> None:
        self.model: Any = model
        self.name = name
        self.permission = permission
        self.fetch = fetch
        self.row = type(f"{name}Row", (Row,), {})


_entities: dict[type, Kind] = {}
KINDS: dict[str, Kind] = {}
_SPELLINGS: dict[type, Any] = {JSONB: JSON, BigInteger: BigNumber}
SEEN_WITH: dict[Any, Permission] = {}
"""The permission that it takes to see the type of a model."""


def entity(model: Any, *, permission: Permission, fetch: Fetch) -> Callable[[T], T]:
    """Makes a GraphQL type of the model: `auto` fields take name, type and description from its columns, and the
    id becomes a TypeID. `fetch` selects what `node(id:)` may find, for those with the permission."""

    def make(cls: T) -> T:
        name = cls.__name__
        add_auto_fields(cls, model)
        cls.id = id_field(model.prefix)  # type: ignore[attr-defined]
        cls.__annotations__["id"] = strawberry.ID
        cls.is_type_of = classmethod(lambda *_: True)  # type: ignore[attr-defined]
        made = strawberry.type(cls, description=_sentence(model))
        kind = Kind(model, name, permission, fetch)
        KINDS[model.prefix] = _entities[kind.row] = kind
        SEEN_WITH[model] = permission
        register(name, made)
        return made

    return make


def value_type(model: Any, permission: Permission) -> Callable[[T], T]:
    """A GraphQL type with fields from the model that is not found by `node(id:)`."""

    def make(cls: T) -> T:
        SEEN_WITH[model] = permission
        add_auto_fields(cls, model)
        made = strawberry.type(cls, description=cls.__doc__ and " ".join(cls.__doc__.split()))
        register(cls.__name__, made)
        return made

    return make


def add_auto_fields(cls: type, model: Any) -> None:
    for name, hint in list(cls.__annotations__.items()):
        if hint is auto:
            attribute: InstrumentedAttribute[Any] = getattr(model, name)
            column = inspect(model).columns[name]
            cls.__annotations__[name] = column_type(attribute)
            setattr(cls, name, strawberry.field(description=column.doc))


def column_type(attribute: InstrumentedAttribute[Any]) -> Any:
    column: Any = attribute.property.columns[0]
    python_type = column.type.python_type
    graphql_type: Any = _SPELLINGS.get(type(column.type), python_type)
    if isinstance(python_type, type) and issubclass(python_type, Enum):
        graphql_type = choice(python_type)
    return graphql_type | None if column.nullable else graphql_type


def id_field(prefix: str) -> Any:
    def resolve(root: Any) -> strawberry.ID:
        return strawberry.ID(encode_id(prefix, root.id))

    return strawberry.field(resolver=resolve, description="TypeID of the record.")


def as_node(row: Any) -> Any:
    """A stored row as its GraphQL type: the type's fields are read from the row by name."""
    return row


def public_id(model: Any, id_: UUID) -> strawberry.ID:
    """The TypeID of a key of this model."""
    return strawberry.ID(encode_id(model.prefix, id_))


def key_of(model: Any, text: str, *path: str | int) -> UUID:
    """The key in a TypeID of this model; a refusal that names the place for anything else."""
    try:
        prefix, key = decode_id(text)
    except ValueError:
        raise Refusal(Code.INVALID, "is not an id", path or ("id",)) from None
    if prefix != model.prefix:
        raise Refusal(Code.INVALID, f"is the id of a {prefix}, not of a {model.prefix}", path or ("id",))
    return key


def _sentence(model: type[Base]) -> str:
    return " ".join((model.__doc__ or "").split())
