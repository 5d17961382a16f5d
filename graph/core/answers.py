"""Answers that can be kept: plain values as they are, records by their ids, to be read afresh when given again."""

import dataclasses
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from types import SimpleNamespace
from typing import Any, ClassVar, Protocol
from uuid import UUID

from sqlalchemy import func

from app.core.db import Base
from app.core.work import Reads
from graph.core.node import KINDS, Kind

ONCE: Mapping[str, bool] = {"shown_once": True}
"""Marks, in a field's metadata, what must not be kept."""
Records = dict[tuple[str, str], Any]


class Answer(Protocol):
    """What can be kept: a dataclass that says what was refused, and the newest event."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]
    user_errors: list[Any]
    event_cursor: str | None


def packed(value: Any) -> Any:
    """The value as JSON. Whatever is neither a list nor plain has its kind for a name."""
    match value:
        case Enum():
            return value.value
        case None | bool() | int() | float() | str():
            return value
        case UUID():
            return {"uuid": str(value)}
        case datetime():
            return {"time": value.isoformat()}
        case list() | tuple():
            return [packed(one) for one in value]
        case dict():
            return {"json": value}
        case Base() if _kind_of(value) is not None:
            return {"record": [type(value).prefix, str(value.id)]}  # type: ignore[attr-defined]
        case _ if dataclasses.is_dataclass(value):
            return {"fields": fields_of(value)}
        case _:
            raise TypeError(f"a {type(value).__name__} cannot be kept in an answer")


def fields_of(value: Any) -> dict[str, Any]:
    """The fields of a dataclass as JSON, with null for what is shown once."""
    return {
        field.name: None if "shown_once" in field.metadata else packed(getattr(value, field.name))
        for field in dataclasses.fields(value)
    }


async def restored(fields: Mapping[str, Any], reads: Reads) -> dict[str, Any]:
    """The fields that were packed. Each record is read as it is now, and null where it is there no more."""
    wanted: dict[str, list[UUID]] = defaultdict(list)
    for prefix, id_ in _named(fields):
        wanted[prefix].append(UUID(id_))
    records: Records = {}
    for prefix, ids in wanted.items():
        kind = KINDS[prefix]
        rows = await reads.rows(kind.fetch().where(kind.model.id == func.any(ids)), kind.row)
        records |= {(prefix, str(row.id)): row for row in rows}
    return {name: _unpacked(value, records) for name, value in fields.items()}


def _kind_of(row: Base) -> Kind | None:
    kind = KINDS.get(getattr(row, "prefix", ""))
    return kind if kind is not None and isinstance(row, kind.model) else None


def _named(value: Any) -> list[tuple[str, str]]:
    """The records that a packed value names."""
    match value:
        case {"record": [prefix, id_]}:
            return [(prefix, id_)]
        case {"json": _}:
            return []
        case dict():
            return [name for one in value.values() for name in _named(one)]
        case list():
            return [name for one in value for name in _named(one)]
        case _:
            return []


def _unpacked(value: Any, records: Records) -> Any:
    match value:
        case {"uuid": text}:
            return UUID(text)
        case {"time": text}:
            return datetime.fromisoformat(text)
        case {"json": inner}:
            return inner
        case {"record": [prefix, id_]}:
            return records.get((prefix, id_))
        case {"fields": fields}:
            return SimpleNamespace(**{name: _unpacked(one, records) for name, one in fields.items()})
        case list():
            return [_unpacked(one, records) for one in value]
        case _:
            return value
