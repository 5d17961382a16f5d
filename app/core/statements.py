"""Statements of a fixed shape, compiled once for the life of the process: only their parameters vary.

Building a statement costs more than sending it, so what every ingest says is built when it is first needed."""

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any
from uuid import UUID

from sqlalchemy import BindParameter, Select, bindparam
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.base import Executable
from sqlalchemy.util import LRUCache

from app.core.tenancy import PARAMETRIC

DIALECT: Any = asyncpg_dialect()  # type: ignore[no-untyped-call]
_COMPILED: Any = LRUCache(2_000)


def several(name: str, column: InstrumentedAttribute[Any]) -> BindParameter[Any]:
    """A parameter that takes a list of the column's values: `column == func.any(several("ids", column))`."""
    return bindparam(name, type_=ARRAY(column.type))


class Prepared:
    """One such statement; a select is narrowed to the organization like any other."""

    def __init__(self, statement: Executable) -> None:
        self._statement: Any = statement

    def arguments(self, organization: UUID, values: Mapping[str, Any]) -> Sequence[Any]:
        """What the driver is to send along with `sql`."""
        given = {**self._constants, "organization": organization, **values}
        processors = self._compiled._bind_processors
        return [processors[name](given[name]) if name in processors else given[name] for name in self.names]

    @cached_property
    def sql(self) -> str:
        return str(self._compiled.string)

    @property
    def table(self) -> str:
        """Where an insert writes."""
        return str(self._statement.table)

    @property
    def names(self) -> Sequence[str]:
        """The parameters of `sql`, in its order."""
        names: Sequence[str] = self._compiled.positiontup
        return names

    @cached_property
    def _compiled(self) -> Any:
        statement = self._statement
        if isinstance(statement, Select):
            statement = statement.options(PARAMETRIC)
        return statement.compile(dialect=DIALECT)

    @cached_property
    def _constants(self) -> dict[str, Any]:
        """What the statement says itself, such as a rule that it writes."""
        return {name: bound.effective_value for name, bound in self._compiled.binds.items() if not bound.required}


def numbered_from(sql: str, start: int) -> str:
    """The statement with its parameters numbered on from `start`, to stand behind others in one text."""
    return re.sub(r"\$(\d+)", lambda number: f"${int(number[1]) + start}", sql)


def compiled(select: Any) -> tuple[str, Sequence[Any]]:
    """The text of the select, kept by its shape, and what the driver is to send along."""
    shape, extracted, *_ = select._compile_w_cache(
        DIALECT,
        compiled_cache=_COMPILED,
        column_keys=[],
        for_executemany=False,
        schema_translate_map=None,
    )
    values = shape.construct_params(extracted_parameters=extracted, escape_names=False)
    processors = shape._bind_processors
    return shape.string, [
        processors[name](values[name]) if name in processors else values[name] for name in shape.positiontup
    ]
