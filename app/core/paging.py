"""Keyset pages: a list is cut by the values of its order, never by an offset, so that page one thousand costs
what page one costs and rows that arrive meanwhile neither repeat nor vanish."""

import base64
import binascii
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, and_, false, func, or_, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from app.core.db import AnySelect, Row
from app.core.errors import Code, Refusal
from app.core.records import storable_json
from app.core.work import Reads

MAX_PAGE = 250
DEFAULT_PAGE = 50


@dataclass(frozen=True, slots=True)
class Sort:
    """One part of an order. Nulls come last in both directions."""

    column: InstrumentedAttribute[Any]
    descending: bool = False

    @property
    def nullable(self) -> bool:
        return bool(self.column.property.columns[0].nullable)

    @property
    def word(self) -> str:
        return f"{self.column.class_.__tablename__}.{self.column.key}{'-' if self.descending else '+'}"


@dataclass(frozen=True, slots=True)
class Window:
    """Which part of a list: the first n after a cursor, or the last n before one."""

    first: int | None = None
    after: str | None = None
    last: int | None = None
    before: str | None = None

    def __post_init__(self) -> None:
        if self.first is not None and self.last is not None:
            raise Refusal(Code.INVALID, "takes `first` or `last`, not both", ("last",))
        for name in ("first", "last"):
            size = getattr(self, name)
            if size is not None and not 1 <= size <= MAX_PAGE:
                raise Refusal(Code.INVALID, f"must be from 1 to {MAX_PAGE}", (name,))

    @property
    def size(self) -> int:
        return self.first or self.last or DEFAULT_PAGE

    @property
    def backward(self) -> bool:
        return self.last is not None or (self.before is not None and self.first is None)


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a list, with what `pageInfo` says of them. `key_columns` hold the cursors' values."""

    rows: Sequence[Row]
    order: "Order"
    has_next: bool
    has_previous: bool

    def cursor(self, row: Row) -> str:
        return self.order.cursor(row)


class Order:
    """A total order: the sorts asked for, made unique by the id, and the cursors that belong to it."""

    def __init__(self, *sorts: Sort) -> None:
        self.sorts = sorts
        self.mark = zlib.crc32(",".join(sort.word for sort in sorts).encode())

    def cursor(self, row: Row) -> str:
        values = [self.mark, *(row[f"_key{index}"] for index in range(len(self.sorts)))]
        return base64.urlsafe_b64encode(orjson.dumps(values, default=str)).rstrip(b"=").decode()

    def page_select(self, statement: AnySelect, window: Window) -> AnySelect:
        """The statement narrowed to the window, one row longer than asked to see whether more follow."""
        sorts = self._directed(window.backward)
        for index, sort in enumerate(self.sorts):
            statement = statement.add_columns(sort.column.label(f"_key{index}"))
        if window.after:
            statement = statement.where(_beyond(self.sorts, self._values(window.after, "after")))
        if window.before:
            statement = statement.where(
                _beyond(self._directed(True), self._values(window.before, "before"), backward=True)
            )
        return statement.order_by(*(_ordering(sort, window.backward) for sort in sorts)).limit(window.size + 1)

    def page_of(self, rows: Sequence[Row], window: Window) -> Page:
        """The page that `rows`, the answer to `page_select`, make."""
        more, kept = len(rows) > window.size, rows[: window.size]
        if window.backward:
            return Page(kept[::-1], self, has_next=window.before is not None, has_previous=more)
        return Page(kept, self, has_next=more, has_previous=window.after is not None)

    def _directed(self, backward: bool) -> tuple[Sort, ...]:
        if not backward:
            return self.sorts
        return tuple(replace(sort, descending=not sort.descending) for sort in self.sorts)

    def _values(self, cursor: str, name: str) -> list[Any]:
        try:
            mark, *values = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
            if mark != self.mark or len(values) != len(self.sorts):
                raise Refusal(Code.CURSOR_INVALID, "belongs to another list or order", (name,))
            return [_parsed(sort, value) for sort, value in zip(self.sorts, values, strict=True)]
        except (binascii.Error, ValueError, TypeError):
            raise Refusal(Code.CURSOR_INVALID, "is not a cursor of this list", (name,)) from None


async def page(reads: Reads, statement: AnySelect, order: Order, window: Window) -> Page:
    """One page of the statement's rows."""
    return order.page_of(await reads.rows(order.page_select(statement, window)), window)


async def total(reads: Reads, statement: AnySelect) -> int:
    """How many rows the statement has; its cost grows with them."""
    counted = select(func.count()).select_from(statement.order_by(None).subquery())
    return int(await reads.value(counted))


def _parsed(sort: Sort, value: Any) -> Any:
    kind = sort.column.type.python_type
    if value is None and sort.nullable:
        return None
    if not isinstance(value, str | int | float):
        raise TypeError
    if kind is UUID:
        return UUID(str(value))
    if kind in (datetime, date):
        return kind.fromisoformat(value)
    if kind is int and not 0 <= int(value) + (1 << 31) < 1 << 32:
        raise ValueError
    return kind(storable_json(value))


def _ordering(sort: Sort, backward: bool) -> ColumnElement[Any]:
    ordered = sort.column.desc() if sort.descending else sort.column.asc()
    if not sort.nullable:
        return ordered
    return ordered.nulls_first() if backward else ordered.nulls_last()


def _beyond(sorts: Sequence[Sort], values: Sequence[Any], *, backward: bool = False) -> ColumnElement[bool]:
    """True for the rows that come after the one with these values, on the way that the sorts run.

    A row comparison, which one index scan answers, where the order is uniform and has no nulls; otherwise
    `a > x OR (a = x AND b > y) ...`."""
    if len({sort.descending for sort in sorts}) == 1 and not any(sort.nullable for sort in sorts):
        left, right = tuple_(*(sort.column for sort in sorts)), tuple_(*values)
        return left < right if sorts[0].descending else left > right
    alternatives = []
    equal: list[ColumnElement[bool]] = []
    for sort, value in zip(sorts, values, strict=True):
        alternatives.append(and_(*equal, _strictly_beyond(sort, value, backward)))
        equal.append(sort.column.is_(None) if value is None else sort.column == value)
    return or_(*alternatives)


def _strictly_beyond(sort: Sort, value: Any, backward: bool) -> ColumnElement[bool]:
    """Nulls come last, and so they come first on the way back."""
    if value is None:
        return sort.column.is_not(None) if backward else false()
    further = sort.column < value if sort.descending else sort.column > value
    return or_(further, sort.column.is_(None)) if sort.nullable and not backward else further
