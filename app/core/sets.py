"""Whole sets in one statement: parallel lists become rows by `unnest`, so that a batch of five hundred costs as
many statements as a batch of one, each routed to one organization."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import String, bindparam, cast, func, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.types import Enum, TypeEngine

from app.core.db import Row, Tenant
from app.core.statements import Prepared
from app.core.tenancy import ORGANIZATION
from app.core.work import Work

Columns = Mapping[str, Sequence[Any]]
Attribute = InstrumentedAttribute[Any]


class Merge(StrEnum):
    """What becomes of a column's value when a row that is there already is given again."""

    REPLACE = "replace"
    ADD = "add"
    GREATEST = "greatest"


def rows_of(model: type[Tenant], columns: Columns, name: str = "given") -> Any:
    """The lists as a table to select from or join; each is named and typed as the model's column."""
    return _table(model, tuple(columns), name, {column: {"value": list(values)} for column, values in columns.items()})


def rows_given(model: type[Tenant], *columns: str) -> Any:
    """Such a table in a prepared statement, which takes the lists as `lists_of` names them."""
    return _table(model, columns, "given", {})


def lists_of(columns: Columns) -> dict[str, Sequence[Any]]:
    return {f"given_{column}": values for column, values in columns.items()}


async def add_rows(
    work: Work,
    model: type[Tenant],
    columns: Columns,
    *,
    merge: Mapping[str, Merge] | None = None,
    on: Sequence[Attribute] = (),
    while_null: Attribute | None = None,
    returning: Sequence[Attribute] = (),
) -> Sequence[Row]:
    """Inserts one row per position of the lists, in the order given.

    A row that is there already (same values of `on`) is skipped, or changed as `merge` says. `while_null` is the
    column that a partial unique index leaves out where it has a value. The answer holds `returning` of each row
    written."""
    prepared = _insert(
        model,
        tuple(columns),
        tuple((merge or {}).items()),
        tuple(column.key for column in on),
        while_null.key if while_null is not None else None,
        tuple(column.key for column in returning),
    )
    return await work.rows(prepared, **lists_of(columns))


async def add_rows_last(
    work: Work,
    model: type[Tenant],
    columns: Columns,
    *,
    merge: Mapping[str, Merge] | None = None,
    on: Sequence[Attribute] = (),
) -> None:
    """Inserts as `add_rows` does, in one statement with the events where nothing else comes before them."""
    prepared = _insert(
        model, tuple(columns), tuple((merge or {}).items()), tuple(column.key for column in on), None, ()
    )
    await work.defer(prepared, **lists_of(columns))


@cache
def _insert(
    model: type[Tenant],
    columns: tuple[str, ...],
    merge: tuple[tuple[str, Merge], ...],
    on: tuple[str, ...],
    while_null: str | None,
    returning: tuple[str, ...],
) -> Prepared:
    given = rows_given(model, *columns)
    source = select(ORGANIZATION, *(_column(model, given, column) for column in columns))
    statement = insert(model).from_select(["organization_id", *columns], source)
    key = [model.organization_id, *(getattr(model, column) for column in on)]
    if merge:
        statement = statement.on_conflict_do_update(
            index_elements=key,
            index_where=getattr(model, while_null).is_(None) if while_null else None,
            set_={name: _merged(how, getattr(model, name), statement.excluded[name]) for name, how in merge},
        )
    elif on:
        statement = statement.on_conflict_do_nothing(index_elements=key)
    if returning:
        return Prepared(statement.returning(*(getattr(model, column) for column in returning)))
    return Prepared(statement)


def _merged(how: Merge, stored: Any, excluded: Any) -> Any:
    match how:
        case Merge.ADD:
            return stored + excluded
        case Merge.GREATEST:
            return func.greatest(stored, excluded)
        case Merge.REPLACE:
            return excluded


def _table(model: type[Tenant], columns: Sequence[str], name: str, given: Mapping[str, Any]) -> Any:
    types = {column: _wire_type(getattr(model, column).type) for column in columns}
    lists = [bindparam(f"{name}_{column}", type_=ARRAY(types[column]), **given.get(column, {})) for column in columns]
    return func.unnest(*lists).table_valued(*columns, name=name).render_derived(name=name)


def _column(model: type[Tenant], given: Any, column: str) -> Any:
    value = given.c[column]
    return cast(value, JSONB) if isinstance(getattr(model, column).type, JSONB) else value


def _wire_type(type_: TypeEngine[Any]) -> TypeEngine[Any]:
    """JSON and choices travel as text; everything else as itself."""
    return String() if isinstance(type_, JSONB | Enum) else type_
