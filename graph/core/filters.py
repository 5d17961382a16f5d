"""Filter and order inputs, made from what a room declares filterable, and read back as plain trees."""

import enum
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Optional

import strawberry
from sqlalchemy.orm import InstrumentedAttribute
from strawberry.types.base import get_object_definition

from app.core.errors import Code, Refusal
from app.core.filters import COMPARATORS, Filterable, Kind, Question, kind_of
from app.core.lists import Listing
from app.core.paging import Order, Related, Sort
from app.core.records import BigNumber
from app.core.references import model_of
from app.identity.models import Membership, User
from app.identity.principals import Principal
from graph.core.enums import choice
from graph.core.names import Named, is_registered, register, register_later
from graph.core.node import SEEN_WITH, key_of
from graph.core.permission import demand

MAX_SORTS = 8
MAX_RELATED = 20
_WORDS = {
    "eq": "Equal to.",
    "neq": "Not equal to; null differs from every value.",
    "in": "One of these.",
    "not_in": "None of these.",
    "contains": "Has this text in it.",
    "starts_with": "Starts with this text.",
    "ends_with": "Ends with this text.",
    "gt": "Greater than.",
    "gte": "Greater than or equal to.",
    "lt": "Less than.",
    "lte": "Less than or equal to.",
    "is_null": "True: has no value. False: has one.",
}
_SCALARS: dict[Kind, tuple[str, Any]] = {
    Kind.TEXT: ("TextFilter", str),
    Kind.ID: ("IDFilter", strawberry.ID),
    Kind.NUMBER: ("IntFilter", int),
    Kind.BIG_NUMBER: ("BigIntFilter", BigNumber),
    Kind.TIME: ("DateTimeFilter", datetime),
    Kind.DAY: ("DateFilter", date),
    Kind.FLAG: ("BooleanFilter", bool),
}


@strawberry.enum(description="Which way an order runs.")
class Direction(enum.Enum):
    ASC = strawberry.enum_value("ASC", description="Smallest, earliest or A first; nulls last.")
    DESC = strawberry.enum_value("DESC", description="Largest, latest or Z first; nulls last.")


def filter_type(filterable: Filterable) -> Any:
    """The input type `<Entity>Filter` of what the rooms declare, made once, with the schema."""
    name = f"{filterable.model.__name__}Filter"
    if not is_registered(name):
        register_later(name, lambda: _make_filter(name, filterable))
    return Named(name)


def _make_filter(name: str, filterable: Filterable) -> None:
    filterable.published = True
    fields: dict[str, tuple[Any, str]] = {
        column: (
            _comparator(attribute),
            attribute.property.columns[0].doc or f"By {column.replace('_', ' ')}.",
        )
        for column, attribute in filterable.columns.items()
    }
    for relation, target in filterable.relations.items():
        other = filter_type(target.to())
        if target.many:
            fields[relation] = (Named(_list_filter(other)), target.doc or f"By the {relation} it has.")
        else:
            fields[relation] = (other, target.doc or f"By its {relation}.")
    for word, question in filterable.questions.items():
        fields[word] = (_question(question), question.doc)
    fields["and_"] = (list[Named(name)], "All of these hold.")  # type: ignore[misc]
    fields["or_"] = (list[Named(name)], "At least one of these holds.")  # type: ignore[misc]
    fields["not_"] = (Named(name), "This does not hold.")
    _input(name, fields, f"Conditions on {filterable.model.__tablename__}; all that are given must hold.")


def _question(question: Question) -> Any:
    if not is_registered(question.name):
        fields = {
            word: (of if isinstance(of, type) else _comparator(of), text) for word, (of, text) in question.words.items()
        }
        _input(question.name, fields, question.doc)
    return Named(question.name)


def order_type(listed: Listing) -> Any:
    """The input type `<Entity>Order` over the sorts that the rooms declare, made once, with the schema."""
    name = f"{listed.model.__name__}Order"
    if not is_registered(name):
        register_later(name, lambda: _make_order(name, listed))
    return Named(name)


def _make_order(name: str, listed: Listing) -> None:
    listed.filterable.published = True
    members = {
        sort.upper(): strawberry.enum_value(sort, description=_sorted_by(sort, key))
        for sort, key in listed.sorts.items()
    }
    fields: Any = enum.Enum(f"{name}Field", members)  # type: ignore[misc]
    _input(
        name,
        {
            "field": (strawberry.enum(fields, description="What to sort by."), "What to sort by."),
            "direction": (Direction, "Which way; ascending unless said."),
        },
        "One part of an order; ties are broken by the next part, and at last by the id.",
        required=["field"],
    )


def _sorted_by(name: str, key: InstrumentedAttribute[Any] | Related) -> str:
    return key.doc if isinstance(key, Related) else f"By {name.replace('_', ' ')}."


def order_of(principal: Principal, listed: Listing, said: Sequence[Any] | None) -> Order:
    """The order that `orderBy` asks for, made total by the id; newest first unless it asks."""
    if not said:
        return listed.newest
    if len(said) > MAX_SORTS:
        raise Refusal(Code.INVALID, f"takes at most {MAX_SORTS} parts", ("orderBy",))
    parts = [listed.sort(part.field.value, descending=part.direction is Direction.DESC) for part in said]
    for part in parts:
        if part.related:
            demand(principal, SEEN_WITH[part.related.about])
    return Order(*parts, Sort(listed.model.id, descending=parts[-1].descending))


def tree_for(principal: Principal, filterable: Filterable, said: Any) -> dict[str, Any]:
    """The tree of the argument `filter`, for one who may see whatever it asks about."""
    if said is None:
        return {}
    tree = tree_of(filterable, said, "filter")
    asked = list(filterable.touched(tree))
    if len(asked) > MAX_RELATED:
        raise Refusal(Code.INVALID, f"asks about related records more than {MAX_RELATED} times", ("filter",))
    for model in set(asked):
        demand(principal, SEEN_WITH[model])
    return tree


def tree_of(filterable: Filterable, said: Any, *path: str | int) -> dict[str, Any]:
    """A filter input as the plain tree that `Filterable.condition` takes; ids become keys."""
    tree: dict[str, Any] = {}
    for name, value in _given(said):
        if name in ("and", "or"):
            tree[name] = [tree_of(filterable, part, *path, name, i) for i, part in enumerate(value or ())]
        elif name == "not":
            tree[name] = tree_of(filterable, value, *path, name)
        elif question := filterable.questions.get(name):
            tree[name] = _answers(question, _present(value, *path, name), *path, name)
        elif relation := filterable.relations.get(name):
            inner, value = relation.to(), _present(value, *path, name)
            tree[name] = (
                {word: tree_of(inner, part, *path, name, word) for word, part in _given(value)}
                if relation.many
                else tree_of(inner, value, *path, name)
            )
        else:
            tree[name] = _operands(filterable.columns[name], value, *path, name)
    return tree


def _present(value: Any, *path: str | int) -> Any:
    if value is None:
        raise Refusal(Code.INVALID, "must not be null: leave it out, or say it in `not`", path)
    return value


def _answers(question: Question, said: Any, *path: str | int) -> dict[str, Any]:
    """What is said in a question: comparisons as trees, values as they are."""
    answers: dict[str, Any] = {}
    for word, value in _given(said):
        of, _ = question.words[word]
        answers[word] = _present(value, *path, word)
        if not isinstance(of, type):
            answers[word] = _operands(of, value, *path, word)
    return answers


def _operands(column: InstrumentedAttribute[Any], said: Any, *path: str | int) -> dict[str, Any]:
    operands = dict(_given(said))
    if kind_of(column) is Kind.ID:
        model = target_of(column)
        for word, operand in operands.items():
            if isinstance(operand, list):
                operands[word] = [key_of(model, one, *path, word) for one in operand]
            elif isinstance(operand, str):
                operands[word] = key_of(model, operand, *path, word)
    return operands


def target_of(column: InstrumentedAttribute[Any]) -> Any:
    """The model whose ids the column holds."""
    table = column.property.columns[0].info.get("references", column.class_.__tablename__)
    return User if table == Membership.__tablename__ else model_of(table)


def _given(said: Any) -> list[tuple[str, Any]]:
    if said is None:
        return []
    fields = get_object_definition(said, strict=True).fields
    pairs = ((field.python_name, getattr(said, field.python_name)) for field in fields)
    return [
        (name.rstrip("_"), value.value if isinstance(value, enum.Enum) else value)
        for name, value in pairs
        if value is not strawberry.UNSET
    ]


def _comparator(attribute: InstrumentedAttribute[Any]) -> Any:
    kind = kind_of(attribute)
    if kind is Kind.CHOICE:
        scalar = choice(attribute.type.python_type)
        name = f"{scalar.__name__}Filter"
    else:
        name, scalar = _SCALARS[kind]
    if not is_registered(name):
        fields = {"in_" if word == "in" else word: (_operand(word, scalar), _WORDS[word]) for word in COMPARATORS[kind]}
        _input(
            name,
            fields,
            "Comparisons; all that are given must hold. Text is compared without regard to case.",
        )
    return Named(name)


def _operand(word: str, scalar: Any) -> Any:
    if word == "is_null":
        return bool
    return list[scalar] if word in ("in", "not_in") else scalar


def _list_filter(inner: Named) -> str:
    name = f"{inner.type_name.removesuffix('Filter')}ListFilter"
    if not is_registered(name):
        _input(
            name,
            {
                "some": (inner, "At least one does."),
                "none": (inner, "Not one does."),
                "every": (inner, "Each one does, or there are none."),
            },
            "Conditions on related records.",
        )
    return name


def _input(name: str, fields: Mapping[str, tuple[Any, str]], description: str, required: Sequence[str] = ()) -> None:
    members: dict[str, Any] = {"__annotations__": {}}
    for field, (type_, text) in fields.items():
        needed = field in required
        members["__annotations__"][field] = type_ if needed else Optional[type_]
        spelling = field.rstrip("_") if field.endswith("_") else None
        default = {} if needed else {"default": strawberry.UNSET}
        members[field] = strawberry.field(description=text, name=spelling, **default)
    register(name, strawberry.input(type(name, (), members), description=description))
