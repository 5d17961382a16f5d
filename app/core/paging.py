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
from sqlalchemy import (
    ColumnElement,
    SmallInteger,
    and_,
    cast,
    exists,
    false,
    func,
    literal_column,
    not_,
    null,
    or_,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.orm import InstrumentedAttribute

from app.core.db import AnySelect, Row, Tenant
from app.core.errors import Code, Refusal
from app.core.records import storable_json
from app.core.work import Reads

MAX_PAGE = 250
DEFAULT_PAGE = 50


@dataclass(frozen=True, slots=True, eq=False)
class Related:
    """What a list is sorted by that stands elsewhere: `column` of the one row of `to`, an alias, that `on` joins.

    `tie` is the column of `to` that equals the list's id, where one does: an index of both holds the whole order.
    `known` tells more cheaply, where something does, whether there is such a row. `about` is the model that one must
    be allowed to see."""

    to: Any
    column: InstrumentedAttribute[Any]
    on: ColumnElement[bool]
    about: type[Tenant]
    doc: str
    tie: InstrumentedAttribute[Any] | None = None
    known: ColumnElement[bool] | None = None

    @property
    def unknown(self) -> ColumnElement[bool]:
        """True where there is no such row with a value."""
        there = exists(self.column).where(self.on, self.column.is_not(None)) if self.known is None else self.known
        return not_(there)


@dataclass(frozen=True, slots=True, eq=False)
class Sort:
    """One part of an order. Nulls, and values of related rows that are not there, come last in both directions."""

    column: InstrumentedAttribute[Any]
    descending: bool = False
    related: Related | None = None

    @property
    def nullable(self) -> bool:
        return self.related is not None or bool(self.column.property.columns[0].nullable)

    @property
    def word(self) -> str:
        return f"{self.column.property.parent.class_.__tablename__}.{self.column.key}{'-' if self.descending else '+'}"

    @property
    def runs(self) -> ColumnElement[Any]:
        return self.column.desc() if self.descending else self.column.asc()


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

    @property
    def halves(self) -> bool:
        """Whether it is by one value that may be missing, and the id."""
        return (
            len(self.sorts) == 2
            and self.sorts[0].nullable
            and not self.sorts[1].nullable
            and self.sorts[0].descending == self.sorts[1].descending
        )

    def page_select(self, statement: AnySelect, window: Window, *, standing_alone: bool = True) -> AnySelect:
        """The statement narrowed to the window, one row longer than asked to see whether more follow."""
        if self.halves and standing_alone:
            return self._by_halves(statement, window)
        sorts = self._directed(window.backward)
        for to, on in {sort.related.to: sort.related.on for sort in sorts if sort.related}.items():
            statement = statement.outerjoin(to, on)
        for index, sort in enumerate(self.sorts):
            statement = statement.add_columns(sort.column.label(f"_key{index}"))
        if window.after:
            statement = statement.where(_beyond(self.sorts, self._values(window.after, "after")))
        if window.before:
            statement = statement.where(
                _beyond(self._directed(True), self._values(window.before, "before"), backward=True)
            )
        return statement.order_by(*(_ordering(sort, window.backward) for sort in sorts)).limit(window.size + 1)

    def _by_halves(self, statement: AnySelect, window: Window) -> AnySelect:
        """The same rows, read as those with a value and those without, each from an index; what comes second is not
        looked for where what comes first fills the page."""
        after = self._values(window.after, "after") if window.after else None
        before = self._values(window.before, "before") if window.before else None
        (asked, tie), (value, id_) = self.sorts, self._directed(window.backward)
        with_value = _with_value(statement, asked, tie, after, before).order_by(value.runs, _tie(value, id_).runs)
        without = _without(statement, asked, tie, after, before).order_by(id_.runs)
        most = window.size + 1
        first, second = (
            half.add_columns(literal_column(str(place)).label("_half")).limit(most)
            for place, half in enumerate((without, with_value) if window.backward else (with_value, without))
        )
        begun, rest = first.cte("begun"), second.subquery("rest")
        room = select(most - func.count()).select_from(begun).scalar_subquery()
        filling = select(rest).order_by(*_by_keys(rest, value, id_)).limit(room)
        both = union_all(select(begun), filling).subquery("both")
        return select(*both.c).order_by(both.c._half, *_by_keys(both, value, id_))

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
    bits = 16 if isinstance(sort.column.type, SmallInteger) else 32
    if kind is int and not 0 <= int(value) + (1 << bits - 1) < 1 << bits:
        raise ValueError
    return kind(storable_json(value))


def _ordering(sort: Sort, backward: bool) -> ColumnElement[Any]:
    if not sort.nullable:
        return sort.runs
    return sort.runs.nulls_first() if backward else sort.runs.nulls_last()


def _by_keys(rows: Any, *sorts: Sort) -> list[ColumnElement[Any]]:
    keys = [rows.c[f"_key{index}"] for index in range(len(sorts))]
    return [key.desc() if sort.descending else key.asc() for key, sort in zip(keys, sorts, strict=True)]


def _tie(value: Sort, id_: Sort) -> Sort:
    """The id as it stands beside the value, so that one index holds both."""
    tie = value.related.tie if value.related else None
    return id_ if tie is None else replace(id_, column=tie)


Values = Sequence[Any] | None


def _with_value(statement: AnySelect, value: Sort, id_: Sort, after: Values, before: Values) -> AnySelect:
    """The rows with a value between two cursors, and their keys."""
    if value.related:
        statement = statement.join(value.related.to, value.related.on)
    keys = value.column.label("_key0"), id_.column.label("_key1")
    statement = statement.add_columns(*keys).where(value.column.is_not(None))
    if after:
        statement = statement.where(_valued_beyond(value, id_, *after) if after[0] is not None else false())
    if before and before[0] is not None:
        back = replace(value, descending=not value.descending)
        statement = statement.where(_valued_beyond(back, id_, *before))
    return statement


def _valued_beyond(value: Sort, id_: Sort, than: Any, than_id: Any) -> ColumnElement[bool]:
    """True for the rows with a value that come after this one; told so that an index begins there."""
    tie, down = _tie(value, id_), value.descending
    if value.related is None or tie is not id_:
        left, right = tuple_(value.column, tie.column), tuple_(than, than_id)
        return left < right if down else left > right
    if down:
        return and_(value.column <= than, or_(value.column < than, id_.column < than_id))
    return and_(value.column >= than, or_(value.column > than, id_.column > than_id))


def _without(statement: AnySelect, value: Sort, id_: Sort, after: Values, before: Values) -> AnySelect:
    """The rows without a value between two cursors, and their keys."""
    keys = cast(null(), value.column.type).label("_key0"), id_.column.label("_key1")
    unknown = value.related.unknown if value.related else value.column.is_(None)
    statement = statement.add_columns(*keys).where(unknown)
    if after and after[0] is None:
        statement = statement.where(id_.column < after[1] if id_.descending else id_.column > after[1])
    if before:
        ahead = id_.column > before[1] if id_.descending else id_.column < before[1]
        statement = statement.where(ahead if before[0] is None else false())
    return statement


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
