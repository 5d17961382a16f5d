"""Inputs made from records: what may be said is declared once, in `app`."""

import inspect
import types
from collections.abc import Callable
from datetime import datetime
from enum import Enum
from typing import Annotated, Any, Generic, Optional, TypeVar, Union, get_args, get_origin
from uuid import UUID

import strawberry
from pydantic import AwareDatetime, EmailStr
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo
from strawberry.scalars import JSON
from strawberry.types.base import get_object_definition

from app.core.records import Record
from graph.core.enums import choice
from graph.core.node import key_of

R = TypeVar("R", bound=Record)
C = TypeVar("C", bound=type)


class RecordInput(Generic[R]):
    """Base of the inputs that say a record."""

    __record__: type[Record]
    __ids__: dict[str, Any]

    def record(self) -> R:
        """The record that was said; a refusal with one problem per field that does not fit."""
        return self.__record__.say(self.values())  # type: ignore[return-value]

    @property
    def expected(self) -> int | None:
        """The version that the record must have, if any."""
        version: int | None = getattr(self, "expected_version", None)
        return None if version is strawberry.UNSET else version

    def values(self) -> dict[str, Any]:
        """The fields that were given, ids as keys."""
        fields = get_object_definition(self, strict=True).fields
        said = {field.python_name: getattr(self, field.python_name) for field in fields}
        return {
            name: self._key(name, value)
            for name, value in said.items()
            if value is not strawberry.UNSET and name not in _OWN
        }

    def _key(self, name: str, value: Any) -> Any:
        model = self.__ids__.get(name)
        return key_of(model, value, to_camel(name)) if model is not None and value is not None else value


_OWN = frozenset({"id", "expected_version"})
_SPELLINGS: dict[Any, Any] = {UUID: strawberry.ID, EmailStr: str, AwareDatetime: datetime}


def expected_version() -> Any:
    """The field `expectedVersion` of an update's input."""
    return strawberry.field(
        default=strawberry.UNSET,
        description="The version that was seen: where the record has another by now, CONFLICT refuses the change.",
    )


def says(record: type[Record], **ids: Any) -> Callable[[C], C]:
    """Gives an input class the fields of the record. `ids` names the model behind each id: `company_id=Company`.

    Every field that is not required may be left out, which differs from null."""

    def make(cls: C) -> C:
        annotations = inspect.get_annotations(cls)
        for name, info in record.model_fields.items():
            annotations[name] = _graphql_type(name, info, ids)
            default = {} if info.is_required() else {"default": strawberry.UNSET}
            setattr(cls, name, strawberry.field(description=info.description, **default))
        cls.__annotations__ = annotations
        cls.__record__, cls.__ids__ = record, ids  # type: ignore[attr-defined]
        return strawberry.input(cls, description=" ".join((cls.__doc__ or record.__doc__ or "").split()))

    return make


def _graphql_type(name: str, info: FieldInfo, ids: dict[str, Any]) -> Any:
    said = _plain(info.annotation)
    if name in ids:
        said = strawberry.ID
    return said if info.is_required() else Optional[said]


def _plain(annotation: Any) -> Any:
    """The annotation without constraints and None, as GraphQL can say it."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _plain(arguments[0])
    if origin in (Union, types.UnionType):
        return _plain(next(argument for argument in arguments if argument is not type(None)))
    if origin in (list, tuple, frozenset, set):
        return list[_plain(arguments[0])]  # type: ignore[misc]
    if origin is dict or annotation is dict:
        return JSON
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return choice(annotation)
    return _SPELLINGS.get(annotation, annotation)
