"""The one filter language: a tree of comparators over the columns and relations a room allows, made to SQL.

A tree is plain data, as a client sends it: `{"name": {"contains": "acme"}, "or": [{...}, {...}]}`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import Enum, StrEnum
from typing import Any
from uuid import UUID

from pydantic_core import PydanticCustomError
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    SmallInteger,
    all_,
    and_,
    any_,
    func,
    literal,
    not_,
    or_,
    select,
    true,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import InstrumentedAttribute

from app.core.db import Tenant
from app.core.errors import Code, Refusal
from app.core.records import storable_json

Tree = Mapping[str, Any]
Path = tuple[str | int, ...]

MAX_DEPTH = 8
MAX_VALUES = 500


class Kind(StrEnum):
    """What a column can be compared by."""

    TEXT = "text"
    ID = "id"
    NUMBER = "number"
    BIG_NUMBER = "big_number"
    TIME = "time"
    DAY = "day"
    CHOICE = "choice"
    FLAG = "flag"


COMPARATORS: Mapping[Kind, tuple[str, ...]] = {
    Kind.TEXT: ("eq", "neq", "in", "not_in", "contains", "starts_with", "ends_with", "is_null"),
    Kind.ID: ("eq", "neq", "in", "not_in", "is_null"),
    Kind.NUMBER: ("eq", "neq", "in", "not_in", "gt", "gte", "lt", "lte", "is_null"),
    Kind.BIG_NUMBER: ("eq", "neq", "in", "not_in", "gt", "gte", "lt", "lte", "is_null"),
    Kind.DAY: ("eq", "neq", "gt", "gte", "lt", "lte", "is_null"),
    Kind.TIME: ("eq", "neq", "gt", "gte", "lt", "lte", "is_null"),
    Kind.CHOICE: ("eq", "neq", "in", "not_in", "is_null"),
    Kind.FLAG: ("eq", "is_null"),
}


@dataclass(frozen=True, slots=True)
class Relation:
    """A way from one entity to another. `many`: the tree below says `some`, `none` or `every`."""

    to: Callable[[], "Filterable"]
    on: Callable[[], ColumnElement[bool]]
    many: bool
    doc: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A condition with words of its own: each takes comparisons with a column, or a value of a type.

    It is put to the rows of `about`, and `name` is what its input is called."""

    name: str
    about: type[Tenant]
    doc: str
    words: Mapping[str, tuple[InstrumentedAttribute[Any] | type, str]]
    condition: Callable[[Tree, Path], ColumnElement[bool]]


@dataclass(slots=True, eq=False, repr=False)
class Filterable:
    """What a list can be filtered by: its columns by name, its relations, and questions about what belongs to it."""

    model: type[Tenant]
    columns: Mapping[str, InstrumentedAttribute[Any]]
    relations: Mapping[str, Relation] = field(default_factory=dict)
    special: Mapping[str, Callable[[str, Any], ColumnElement[bool]]] = field(default_factory=dict)
    questions: Mapping[str, Question] = field(default_factory=dict)
    published: bool = False

    def extend(
        self, relations: Mapping[str, Relation] | None = None, questions: Mapping[str, Question] | None = None
    ) -> None:
        """Adds what a later room knows of an earlier room's records, said while modules load, and once."""
        known = {*self.columns, *self.relations, *self.questions, "and", "or", "not"}
        if self.published or known & {*(relations or ()), *(questions or ())}:
            raise RuntimeError(f"what {self.model.__tablename__} are filtered by is settled")
        self.relations = {**self.relations, **(relations or {})}
        self.questions = {**self.questions, **(questions or {})}

    def touched(self, tree: Tree) -> Iterator[type[Tenant]]:
        """The models, beside its own, whose rows decide whether the tree holds, one for each time it asks them."""
        for name, value in tree.items():
            if name in ("and", "or"):
                for part in value:
                    yield from self.touched(part)
            elif name == "not":
                yield from self.touched(value)
            elif name in self.questions:
                yield self.questions[name].about
            elif relation := self.relations.get(name):
                for inner in value.values() if relation.many else [value]:
                    yield relation.to().model
                    yield from relation.to().touched(inner)

    def condition(self, tree: Tree, path: Path = ()) -> ColumnElement[bool]:
        """The SQL condition of a tree; a `Refusal` that names the place for one that makes no sense."""
        if len(path) > MAX_DEPTH * 2:
            raise Refusal(Code.INVALID, f"is nested deeper than {MAX_DEPTH} levels", path)
        return and_(true(), *(self._part(name, value, (*path, name)) for name, value in tree.items()))

    def _part(self, name: str, value: Any, path: Path) -> ColumnElement[bool]:
        if name in ("and", "or"):
            parts = [self.condition(tree, (*path, index)) for index, tree in enumerate(value or ())]
            if not parts:
                raise Refusal(Code.INVALID, "needs at least one condition", path)
            return and_(*parts) if name == "and" else or_(*parts)
        if name == "not":
            inner = self.condition(value, path)
            known = value.keys() <= {*self.relations, *self.questions}  # whether there are such rows is never null
            return not_(inner if known else func.coalesce(inner, False))
        if name in self.relations:
            return self._related(self.relations[name], value, path)
        if name in self.questions:
            return self.questions[name].condition(value, path)
        if name in self.columns:
            return compared(self.columns[name], value, path, self.special.get(name))
        raise Refusal(Code.INVALID, "is not a field to filter by", path)

    def _related(self, relation: Relation, tree: Tree, path: Path) -> ColumnElement[bool]:
        target = relation.to()
        if not relation.many:
            return _one_of(relation, target.condition(tree, path))
        return and_(
            true(),
            *(_quantified(relation, target, word, inner, (*path, word)) for word, inner in tree.items()),
        )


def kind_of(column: InstrumentedAttribute[Any]) -> Kind:
    python_type = column.type.python_type
    if python_type is UUID:
        return Kind.ID
    if issubclass(python_type, Enum):
        return Kind.CHOICE
    if python_type is bool:
        return Kind.FLAG
    if python_type in (int, float):
        return Kind.BIG_NUMBER if isinstance(column.type, BigInteger) else Kind.NUMBER
    return {datetime: Kind.TIME, date: Kind.DAY}.get(python_type, Kind.TEXT)


def compared(
    column: InstrumentedAttribute[Any],
    said: Tree,
    path: Path,
    compare: Callable[[str, Any], ColumnElement[bool]] | None = None,
) -> ColumnElement[bool]:
    """The SQL of all comparisons that are said of a column."""
    compare = compare or _comparison(column)
    return and_(true(), *(_compared(compare, word, operand, (*path, word)) for word, operand in said.items()))


def _one_of(relation: Relation, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """True where there is a related row of which the condition holds. It selects a column of the model, and not
    `*`, so that the select is known to be of the model and is narrowed to the organization."""
    return select(relation.to().model.organization_id).where(relation.on(), condition).exists()


def _quantified(relation: Relation, target: Filterable, word: str, tree: Tree, path: Path) -> ColumnElement[bool]:
    inner = target.condition(tree, path)
    match word:
        case "some":
            return _one_of(relation, inner)
        case "none":
            return not_(_one_of(relation, inner))
        case _:
            return not_(_one_of(relation, not_(func.coalesce(inner, False))))


def _compared(
    compare: Callable[[str, Any], ColumnElement[bool]], word: str, operand: Any, path: Path
) -> ColumnElement[bool]:
    if operand is None:
        raise Refusal(Code.INVALID, "must not be null: use isNull", path)
    if word in ("in", "not_in") and len(operand) > MAX_VALUES:
        raise Refusal(Code.INVALID, f"takes at most {MAX_VALUES} values", path)
    return compare(word, usable(operand, path))


def usable(operand: Any, path: Path) -> Any:
    """The operand as the database takes it: text that it can store, and times of its calendar."""
    try:
        if isinstance(operand, datetime):
            return operand.astimezone(UTC) if operand.tzinfo else operand.replace(tzinfo=UTC)
        return storable_json(operand)
    except PydanticCustomError as error:
        raise Refusal(Code.INVALID, error.message(), path) from None
    except OverflowError:
        raise Refusal(Code.INVALID, "is outside of the calendar", path) from None


def _comparison(column: InstrumentedAttribute[Any]) -> Callable[[str, Any], ColumnElement[bool]]:
    if kind_of(column) is not Kind.TEXT:
        compared_as = type_coerce(column, Integer) if isinstance(column.type, SmallInteger) else column
        return lambda word, operand: compare(compared_as, word, operand)
    folded = without_case(column)
    return lambda word, operand: _textual(folded, word, operand)


def without_case(column: InstrumentedAttribute[Any]) -> Any:
    """A text column as it is compared."""
    return column if column.property.columns[0].info.get("lowercase") else func.lower(column, type_=column.type)


def _textual(folded: Any, word: str, operand: Any) -> ColumnElement[bool]:
    if word == "is_null":
        return compare(folded, word, operand)
    value = (
        [item.lower() for item in operand]
        if isinstance(operand, Sequence) and not isinstance(operand, str)
        else operand.lower()
    )
    match word:
        case "contains":
            return folded.contains(value, autoescape=True)  # type: ignore[no-any-return]
        case "starts_with":
            return folded.startswith(value, autoescape=True)  # type: ignore[no-any-return]
        case "ends_with":
            return folded.endswith(value, autoescape=True)  # type: ignore[no-any-return]
        case _:
            return compare(folded, word, value)


def compare(column: Any, word: str, operand: Any) -> ColumnElement[bool]:
    """The SQL of one comparator on one column; nulls differ from every value."""
    condition: Any
    match word:
        case "eq":
            condition = column == operand
        case "neq":
            condition = column.is_distinct_from(operand)
        case "in":
            condition = column == any_(_array(column, operand))
        case "not_in":
            condition = func.coalesce(column != all_(_array(column, operand)), True)
        case "gt":
            condition = column > operand
        case "gte":
            condition = column >= operand
        case "lt":
            condition = column < operand
        case "lte":
            condition = column <= operand
        case _:
            condition = column.is_(None) if operand else column.is_not(None)
    return condition  # type: ignore[no-any-return]


def _array(column: Any, values: Sequence[Any]) -> Any:
    return literal(list(values), ARRAY(column.type))
