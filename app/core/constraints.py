"""Broken constraints, read from their names: what the database refuses becomes a refusal of the field."""

import re
from functools import cache
from typing import Any, TypeAlias

import asyncpg
from pydantic.alias_generators import to_camel
from sqlalchemy import ForeignKeyConstraint, UniqueConstraint
from sqlalchemy.exc import IntegrityError

from app.core.db import Base
from app.core.errors import Code, Refusal

Broken: TypeAlias = IntegrityError | asyncpg.IntegrityConstraintViolationError
"""How SQLAlchemy and how the driver tells of a broken constraint."""

_SHARD_SUFFIX = re.compile(r"_\d{6,}$")


def violation(error: Broken) -> Refusal | Broken:
    """The refusal that a broken unique or foreign key stands for, or the error itself where it is a bug."""
    cause: Any = getattr(error.orig, "__cause__", None) if isinstance(error, IntegrityError) else error
    name = _SHARD_SUFFIX.sub("", getattr(cause, "constraint_name", None) or "")
    refusal: Refusal | None = _refusals().get(name)
    return Refusal.of(refusal.problems) if refusal else error


@cache
def _refusals() -> dict[str, Refusal]:
    found: dict[str, Refusal] = {}
    for table in Base.metadata.tables.values():
        for constraint in table.constraints:
            if isinstance(constraint, UniqueConstraint):
                found[str(constraint.name)] = _taken(list(constraint.columns)[-1].name)
            elif isinstance(constraint, ForeignKeyConstraint):
                found[str(constraint.name)] = _missing(constraint.column_keys[-1])
        for index in table.indexes:
            if index.unique:
                found[str(index.name)] = _taken(list(index.columns)[-1].name)
    return found


def _taken(column: str) -> Refusal:
    return Refusal(Code.TAKEN, "is already used by another record", (to_camel(column),))


def _missing(column: str) -> Refusal:
    return Refusal(Code.NOT_FOUND, "does not exist", (to_camel(column),))
