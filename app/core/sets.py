"""Whole sets in one statement: parallel lists become rows by `unnest`, so that a batch of five hundred costs as
many statements as a batch of one, each routed to one organization."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import String, bindparam, cast, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.types import Enum, TypeEngine

from app.core.db import Tenant
from app.core.work import Work

Columns = Mapping[str, Sequence[Any]]
Attribute = InstrumentedAttribute[Any]


def rows_of(model: type[Tenant], columns: Columns, name: str = "given") -> Any:
    """The lists as a table to select from or join; each is named and typed as the model's column."""
    types = {column: _wire_type(getattr(model, column).type) for column in columns}
    lists = [
        bindparam(f"{name}_{column}", list(values), ARRAY(types[column]), unique=False)
        for column, values in columns.items()
    ]
    return func.unnest(*lists).table_valued(*columns, name=name).render_derived(name=name)


async def add_rows(
    work: Work,
    model: type[Tenant],
    columns: Columns,
    *,
    merge: Mapping[str, Any] | None = None,
    on: Sequence[Attribute] = (),
    where: Any = None,
    returning: Sequence[Attribute] = (),
) -> Sequence[Any]:
    """Inserts one row per position of the lists, in the order given.

    A row that is there already (same values of `on`) is skipped, or changed as `merge` says. `where` is the
    condition of a partial unique index. The answer holds `returning` of each row written."""
    given = rows_of(model, columns)
    source = select(
        literal(work.organization, model.organization_id.type),
        *(_column(model, given, column) for column in columns),
    )
    statement = insert(model).from_select(["organization_id", *columns], source)
    if merge is not None:
        statement = statement.on_conflict_do_update(
            index_elements=[model.organization_id, *on],
            index_where=where,
            set_={name: value(statement.excluded) for name, value in merge.items()},
        )
    elif on:
        statement = statement.on_conflict_do_nothing(index_elements=[model.organization_id, *on])
    if not returning:
        await work.run(statement)
        return ()
    return (await work.run(statement.returning(*returning))).all()


def _column(model: type[Tenant], given: Any, column: str) -> Any:
    value = given.c[column]
    return cast(value, JSONB) if isinstance(getattr(model, column).type, JSONB) else value


def _wire_type(type_: TypeEngine[Any]) -> TypeEngine[Any]:
    """JSON and choices travel as text; everything else as itself."""
    return String() if isinstance(type_, JSONB | Enum) else type_
