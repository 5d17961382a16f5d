"""The types of aggregates, made from what a list can be filtered by: `<Entity>Aggregate`, its groups, what to group by.

All values stand in one row, whatever object of an answer shows them: `sum.employees` is the row's `sum_employees`."""

import enum
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from operator import attrgetter, itemgetter
from types import SimpleNamespace
from typing import Any, Optional
from uuid import UUID

import strawberry
from sqlalchemy.orm import InstrumentedAttribute

from app.core.aggregates import TIMED, Bucket, Function, Part, groupable, measures
from app.core.filters import Filterable, Kind, compare, kind_of
from app.core.lists import Listing
from app.core.records import BigNumber
from app.core.work import Reads
from graph.core.fields import batched
from graph.core.filters import target_of
from graph.core.names import Named, is_registered, register
from graph.core.node import KINDS, column_type, public_id

_SAID = {
    Function.SUM: "What the numbers add up to; null where no row has one.",
    Function.AVG: "What the numbers are on average, of the rows that have one; null where none has.",
    Function.MIN: "The smallest and earliest values; null where no row has one.",
    Function.MAX: "The largest and latest values; null where no row has one.",
    Function.COUNT_DISTINCT: "How many different values there are, without null. Text counts without regard to case.",
}


@strawberry.enum(description="The span of time whose rows make a group. Days begin at midnight UTC.")
class TimeBucket(enum.Enum):
    DAY = strawberry.enum_value(Bucket.DAY, description="A day.")
    WEEK = strawberry.enum_value(Bucket.WEEK, description="A week of ISO 8601, by the Monday that it begins on.")
    MONTH = strawberry.enum_value(Bucket.MONTH, description="A month, by its first day.")


def aggregate_type(listed: Listing) -> Any:
    """The type `<Entity>Aggregate` with all that it leads to."""
    name, rows = listed.model.__name__, listed.model.__tablename__.replace("_", " ")
    if is_registered(f"{name}Aggregate"):
        return Named(f"{name}Aggregate")
    computed = _computed(listed.filterable)
    group = {
        "key": _field(Named(f"{name}GroupKey"), _key(listed.filterable), "What the rows have in common."),
        "count": _field(int, itemgetter("count"), "How many rows the group has."),
    }
    whole = {
        "count": _field(int, itemgetter("count"), "How many rows there are."),
        "groups": _field(list[Named(f"{name}Group")], attrgetter("groups"), _GROUPS),  # type: ignore[misc]
        "has_more_groups": _field(bool, attrgetter("has_more_groups"), "Whether there are groups beyond these."),
    }
    _output(f"{name}GroupKey", _keys(listed.filterable), f"What the {rows} of a group have in common; {_KEY}")
    _output(f"{name}Group", group | computed, f"The {rows} that have in common what was grouped by.")
    _output(f"{name}Aggregate", whole | computed, f"What {rows} come to. Only what is selected is computed.")
    return Named(f"{name}Aggregate")


_GROUPS = "The largest groups, then by their keys, null last. None where `groupBy` is not given."
_KEY = "null where they have no value, and for what was not grouped by. Text in the spelling that sorts first."


def group_by_type(listed: Listing) -> Any:
    """The input type `<Entity>GroupBy` over the columns that rows can have in common."""
    name = f"{listed.model.__name__}GroupBy"
    if is_registered(name):
        return Named(name)
    members = {
        column.upper(): strawberry.enum_value(column, description=_doc(attribute))
        for column, attribute in groupable(listed.filterable).items()
    }
    choices: Any = enum.Enum(f"{name}Field", members)  # type: ignore[misc]
    made: dict[str, Any] = {
        "__annotations__": {
            "field": strawberry.enum(choices, description="What to group by."),
            "by": Optional[TimeBucket],
        },
        "field": strawberry.field(description="What the rows of a group have in common."),
        "by": strawberry.field(
            description="The span of time: needed for a time, and for nothing else.", default=strawberry.UNSET
        ),
    }
    register(name, strawberry.input(type(name, (), made), description="One thing to group by."))
    return Named(name)


def _computed(filterable: Filterable) -> dict[str, Any]:
    """A field for each function that can be computed of some column: `sum { employees }`."""
    fields = {}
    for function in Function:
        of_columns = {
            one.column: _field(
                _type(function, filterable.columns[one.column]),
                itemgetter(one.label),
                _doc(filterable.columns[one.column]),
            )
            for one in measures(filterable)
            if one.function is function
        }
        if of_columns:
            name = f"{filterable.model.__name__}{function.title().replace('_', '')}"
            _output(name, of_columns, _SAID[function])
            fields[function.value] = _field(Named(name), _itself, _SAID[function])
    return fields


def _type(function: Function, column: InstrumentedAttribute[Any]) -> Any:
    match function:
        case Function.COUNT_DISTINCT:
            return int
        case Function.AVG:
            return Optional[float]
        case Function.SUM:
            return Optional[BigNumber if column.type.python_type is int else float]
        case _:
            return _value_type(column)


def _value_type(column: InstrumentedAttribute[Any]) -> Any:
    return Optional[column_type(column)]


def _keys(filterable: Filterable) -> dict[str, Any]:
    """What the rows of a group can have in common. Of a record that is its id and, where there is a way, itself."""
    fields = {}
    for name, column in groupable(filterable).items():
        label, kind, record = Part(name).label, kind_of(column), name.removesuffix("_id")
        if kind is Kind.ID:
            fields[name] = _field(Optional[strawberry.ID], _public(label, column), _doc(column))
            if record in filterable.relations:
                fields[record] = _record(label, target_of(column), column)
        elif kind in TIMED:
            said = f"{_doc(column)} The first day of the span, in UTC."
            fields[name] = _field(Optional[date], attrgetter(label), said)
        else:
            fields[name] = _field(_value_type(column), attrgetter(label), _doc(column))
    return fields


def _key(filterable: Filterable) -> Callable[[Any], Any]:
    """Reads the key of a group, with null for what was not grouped by."""
    labels = [Part(name).label for name in groupable(filterable)]
    return lambda row: SimpleNamespace(**{label: row.get(label) for label in labels})


def _public(label: str, column: InstrumentedAttribute[Any]) -> Callable[[Any], Any]:
    def read(key: Any) -> Any:
        value = getattr(key, label)
        return None if value is None else public_id(target_of(column), value)

    return read


def _record(label: str, model: Any, column: InstrumentedAttribute[Any]) -> Any:
    async def load(reads: Reads, keys: Sequence[UUID]) -> Mapping[UUID, Any]:
        rows = await reads.rows(KINDS[model.prefix].fetch().where(compare(model.id, "in", keys)))
        return {row.id: row for row in rows}

    return batched(load, model, label, _doc(column))


def _itself(row: Any) -> Any:
    return row


def _field(type_: Any, read: Callable[[Any], Any], description: str) -> Any:
    def resolve(root: Any) -> Any:
        return read(root)

    resolve.__annotations__["return"] = type_
    return strawberry.field(resolver=resolve, description=description)


def _doc(column: InstrumentedAttribute[Any]) -> str:
    return column.property.columns[0].doc or f"The {column.key.replace('_', ' ')}."


def _output(name: str, fields: Mapping[str, Any], description: str) -> None:
    register(name, strawberry.type(type(name, (), dict(fields)), description=description))
