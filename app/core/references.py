"""References between tenant tables, read from the models: what new values point at, and what points at a record."""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from pydantic.alias_generators import to_camel
from sqlalchemy import func, inspect, select, update
from sqlalchemy.orm import InstrumentedAttribute

from app.core.db import Base, Tenant
from app.core.errors import Code, Problem
from app.core.work import Work


async def missing(work: Work, model: type[Tenant], said: Mapping[int, Mapping[str, Any]]) -> dict[int, list[Problem]]:
    """The rows whose values name a record that the organization does not have: one statement per kind of reference."""
    problems: dict[int, list[Problem]] = {}
    for name, key in _references(model):
        named = {i: id_ for i, values in said.items() if (id_ := values.get(name)) is not None}
        if not named:
            continue
        there = select(key).where(key == func.any(sorted(set(named.values()))))
        known = set((await work.run(there)).scalars())
        for i, id_ in named.items():
            if id_ not in known:
                problems.setdefault(i, []).append(Problem(Code.NOT_FOUND, "does not exist", (to_camel(name),)))
    return problems


async def unlink(work: Work, model: type[Tenant], id_: UUID) -> None:
    """Has every record forget this one that only names it; what is deleted along with it is left to the database."""
    for other, attribute in _pointing_at(model):
        forget = update(other).where(attribute == id_).values({attribute.key: None})
        await work.run(forget.execution_options(synchronize_session=False))


def model_of(table: str) -> Any:
    """The model of the table with this name."""
    return next(mapper.class_ for mapper in Base.registry.mappers if mapper.class_.__tablename__ == table)


def _references(model: type[Tenant]) -> Iterator[tuple[str, Any]]:
    for column in inspect(model).columns:
        if table := column.info.get("references"):
            yield column.key, getattr(model_of(table), column.info["key"])


def _pointing_at(model: type[Tenant]) -> Iterator[tuple[type[Tenant], InstrumentedAttribute[Any]]]:
    for mapper in Base.registry.mappers:
        for column in mapper.columns:
            if column.info.get("references") == model.__tablename__ and not column.info["on_delete"]:
                yield mapper.class_, getattr(mapper.class_, column.key)
