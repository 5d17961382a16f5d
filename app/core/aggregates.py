"""Aggregates: what the rows of a list come to, as a whole and by groups.

What can be computed of a column, and how rows are grouped by it, follows from its kind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import Date, DateTime, Float, cast, collate, distinct, func, literal_column
from sqlalchemy.orm import InstrumentedAttribute

from app.core.db import AnySelect
from app.core.errors import Code, Refusal
from app.core.filters import Filterable, Kind, Tree, kind_of, without_case
from app.core.lists import Listing

MAX_PARTS = 3


class Function(StrEnum):
    """What is computed of a column."""

    SUM = "sum"
    AVG = "avg"
    MIN = "min"
    MAX = "max"
    COUNT_DISTINCT = "count_distinct"


FUNCTIONS: Mapping[Kind, tuple[Function, ...]] = {
    Kind.NUMBER: (Function.SUM, Function.AVG, Function.MIN, Function.MAX),
    Kind.BIG_NUMBER: (Function.SUM, Function.AVG, Function.MIN, Function.MAX),
    Kind.TIME: (Function.MIN, Function.MAX),
    Kind.DAY: (Function.MIN, Function.MAX),
    Kind.TEXT: (Function.COUNT_DISTINCT,),
    Kind.CHOICE: (Function.COUNT_DISTINCT,),
    Kind.FLAG: (Function.COUNT_DISTINCT,),
    Kind.ID: (Function.COUNT_DISTINCT,),
}


TIMED = (Kind.TIME, Kind.DAY)
"""What is grouped by spans of time."""


class Bucket(StrEnum):
    """A span of time, in UTC, the rows of which make a group."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Measure:
    """A function of a column, and the name under which a row holds its value."""

    function: Function
    column: str

    @property
    def label(self) -> str:
        return f"{self.function}_{self.column}"


@dataclass(frozen=True, slots=True)
class Part:
    """One thing to group by: a column, and for a time the span whose rows belong together."""

    column: str
    bucket: Bucket | None = None

    @property
    def label(self) -> str:
        return f"key_{self.column}"


def groupable(filterable: Filterable) -> Mapping[str, InstrumentedAttribute[Any]]:
    """The columns that rows can have in common: all but the one that tells them apart."""
    return {name: column for name, column in filterable.columns.items() if column.key != "id"}


def measures(filterable: Filterable) -> list[Measure]:
    """Everything that can be computed of the rows."""
    return [
        Measure(function, name)
        for name, column in groupable(filterable).items()
        for function in FUNCTIONS[kind_of(column)]
    ]


def totals(listed: Listing, tree: Tree, wanted: Sequence[Measure]) -> AnySelect:
    """One row: how many there are (`count`), and what was wanted of them."""
    return _narrowed(listed, tree, _measured(listed, wanted))


def groups(listed: Listing, tree: Tree, wanted: Sequence[Measure], parts: Sequence[Part], most: int) -> AnySelect:
    """A row for each of the largest groups: its key, how many it has, and what was wanted of them.

    Text is grouped as it is compared, without regard to case; the key shows the spelling that sorts first."""
    columns = [listed.filterable.columns[part.column] for part in parts]
    common = [_common(column, part.bucket) for column, part in zip(columns, parts, strict=True)]
    keys = [
        func.min(_by_code_point(column)) if kind_of(column) is Kind.TEXT else value
        for column, value in zip(columns, common, strict=True)
    ]
    shown = [key.label(part.label) for key, part in zip(keys, parts, strict=True)]
    rows = _narrowed(listed, tree, [*shown, *_measured(listed, wanted)])
    return rows.group_by(*common).order_by(func.count().desc(), *keys).limit(most)


def refuse_unclear(listed: Listing, parts: Sequence[Part]) -> None:
    """Refuses, with its place, what does not say one thing to group by: too much, twice, or not by which span."""
    if len(parts) > MAX_PARTS:
        raise Refusal(Code.INVALID, f"takes at most {MAX_PARTS} parts", ("groupBy",))
    for index, part in enumerate(parts):
        timed = kind_of(listed.filterable.columns[part.column]) in TIMED
        if timed and part.bucket is None:
            raise Refusal(Code.INVALID, "is needed to group by a time: DAY, WEEK or MONTH", ("groupBy", index, "by"))
        if part.bucket is not None and not timed:
            raise Refusal(Code.INVALID, "is only for times", ("groupBy", index, "by"))
        if part.column in {before.column for before in parts[:index]}:
            raise Refusal(Code.INVALID, "is grouped by already", ("groupBy", index, "field"))


def _narrowed(listed: Listing, tree: Tree, columns: Sequence[Any]) -> AnySelect:
    narrowed: AnySelect = listed.kept(tree).with_only_columns(*columns).select_from(listed.model)
    return narrowed


def _measured(listed: Listing, wanted: Sequence[Measure]) -> list[Any]:
    columns = listed.filterable.columns
    return [
        func.count().label("count"),
        *(_computed(columns[one.column], one.function).label(one.label) for one in wanted),
    ]


def _computed(column: InstrumentedAttribute[Any], function: Function) -> Any:
    match function:
        case Function.SUM:
            return func.sum(column)
        case Function.AVG:
            return cast(func.avg(column), Float)
        case Function.MIN:
            return func.min(column)
        case Function.MAX:
            return func.max(column)
        case _:
            return func.count(distinct(without_case(column) if kind_of(column) is Kind.TEXT else column))


def _common(column: InstrumentedAttribute[Any], bucket: Bucket | None) -> Any:
    """What the rows of a group have in common. Words are written out: as parameters, each place would have its own,
    and the database would not know that they are the same."""
    if kind_of(column) is Kind.TEXT:
        return without_case(column)
    if bucket is None:
        return column
    if column.type.python_type is date:
        moment: Any = cast(column, DateTime(timezone=False))
    else:
        moment = func.timezone(literal_column("'UTC'"), column)
    return cast(func.date_trunc(literal_column(f"'{bucket.value}'"), moment), Date)


def _by_code_point(column: InstrumentedAttribute[Any]) -> Any:
    return collate(column, "C")
