"""Operations made from the schema, so that a test of every field covers the fields that are added later too."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from secrets import token_hex
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_required_argument,
    is_required_input_field,
)

from app.core.clock import now
from graph.schema import schema

SCHEMA = schema()._schema
PAGE = 3
_REQUIRES = re.compile(r"Requires ([A-Z_]+|a signed-in person or key)\.\Z")
_QUANTIFIERS = {"some", "none", "every"}
_JOINTS = {"eq", "neq", "in", "notIn", "[]", "and", "or", "not", "some", "none", "every"}
UNKNOWN_ID = "nothing_00000000000000000000000000"
_SAMPLES: dict[str, Any] = {
    "String": "text",
    "Int": 3,
    "Float": 1.5,
    "Boolean": True,
    "BigInt": 3,
    "Date": "2031-01-01",
    "DateTime": "2031-01-01T00:00:00Z",
    "JSON": {},
    "ID": UNKNOWN_ID,
}
_FITTING: dict[str, Callable[[], Any]] = {
    "email": lambda: f"{token_hex(6)}@example.org",
    "domain": lambda: f"{token_hex(6)}.dev",
    "slug": lambda: f"a{token_hex(6)}",
    "website": lambda: "https://example.org/",
    "linkedinUrl": lambda: "https://example.org/in",
    "country": lambda: "FR",
    "currency": lambda: "EUR",
    "password": lambda: "a long password",
    "provider": lambda: "github",
    "occurredAt": lambda: now().isoformat(),
    "idempotencyKey": lambda: token_hex(8),
    "expectedVersion": lambda: None,
    "refreshToken": lambda: "no token",
}


@dataclass(frozen=True, eq=False)
class Root:
    """A root field: its kind of operation, its name, and what it asks for."""

    kind: str
    name: str
    field: GraphQLField

    @property
    def requires(self) -> str | None:
        """What the field's description says it needs; None for a field that is open to anybody."""
        found = _REQUIRES.search(self.field.description or "")
        return found[1] if found else None

    def document(self, variables: Mapping[str, Any], depth: int = 3) -> str:
        """The field with these arguments as variables, and all that it answers down to a depth."""
        declared = ", ".join(f"${name}: {self.field.args[name].type}" for name in variables)
        passed = ", ".join(f"{name}: ${name}" for name in variables)
        head = f"{self.kind} ({declared})" if declared else self.kind
        field = f"{self.name}({passed})" if passed else self.name
        return f"{head} {{ {field} {selection(self.field.type, depth)} }}"

    def variables(self) -> dict[str, Any]:
        """Values that fit: what must be given, small pages, and for mutations whatever needs no id."""
        full = self.kind == "mutation"
        values = {
            n: sample(n, a.type, full=full) for n, a in self.field.args.items() if full or is_required_argument(a)
        }
        return {**values, "first": PAGE} if "first" in self.field.args else values

    def __str__(self) -> str:
        return self.name


@cache
def roots() -> list[Root]:
    types = (
        ("query", SCHEMA.query_type),
        ("mutation", SCHEMA.mutation_type),
        ("subscription", SCHEMA.subscription_type),
    )
    return [Root(kind, name, field) for kind, type_ in types if type_ for name, field in type_.fields.items()]


def selection(type_: Any, depth: int) -> str:
    """Everything that can be selected without arguments, as deep as said; connections by small pages."""
    named = get_named_type(type_)
    if is_leaf_type(named):
        return ""
    if isinstance(named, GraphQLInterfaceType):
        taken: dict[str, str] = {}
        parts = [f"... on {one.name} {_fields(one, depth, taken)}" for one in SCHEMA.get_possible_types(named)]
        return f"{{ __typename {' '.join(parts)} }}"
    return _fields(named, depth, {})


def _fields(type_: Any, depth: int, taken: dict[str, str]) -> str:
    """`taken` holds the types of the names that are selected beside: those of another type would conflict."""
    parts = []
    for name, field in type_.fields.items():
        if name == "edges" or any(is_required_argument(argument) for argument in field.args.values()):
            continue  # edges hold the same rows as `nodes`
        reachable = is_leaf_type(get_named_type(field.type)) or depth > 1
        if reachable and taken.setdefault(name, str(field.type)) == str(field.type):
            page = f"(first: {PAGE})" if "first" in field.args else ""
            parts.append(f"{name}{page} {selection(field.type, depth - 1)}".strip())
    return f"{{ {' '.join(parts) or '__typename'} }}"


def sample(name: str, type_: Any, *, full: bool = False) -> Any:
    """A value that the type takes: what must be given, and with `full` whatever else is not an id."""
    type_ = get_nullable_type(type_)
    if isinstance(type_, GraphQLList):
        return [sample(name, type_.of_type, full=full)]
    if isinstance(type_, GraphQLInputObjectType):
        fields = {n: f for n, f in type_.fields.items() if is_required_input_field(f) or (full and not _is_id(f.type))}
        return {n: sample(n, f.type, full=full) for n, f in fields.items()}
    if isinstance(type_, GraphQLEnumType):
        return next(iter(type_.values))
    return _FITTING[name]() if name in _FITTING else _SAMPLES[type_.name]


def _is_id(type_: Any) -> bool:
    return bool(get_named_type(type_).name == "ID")


@dataclass(frozen=True)
class Place:
    """A place in a root field's arguments that takes an id: the names that lead to it; `[]` is a list's one item."""

    root: Root
    steps: tuple[str, ...]

    @property
    def subject(self) -> tuple[str, ...]:
        """What the id is of, whatever it is compared by and however deep the conditions are joined."""
        return (self.root.name, *(step for step in self.steps if step not in _JOINTS))

    @property
    def plain(self) -> bool:
        return not {"and", "or", "not"} & set(self.steps)

    def variables(self, id_: str, other: str = UNKNOWN_ID) -> dict[str, Any]:
        """Values that fit, with the id at this place, and `other` wherever else an id must be given."""
        name, *steps = self.steps
        values = _replaced(self.root.variables(), other)
        return {**values, name: _placed(self.root.field.args[name].type, steps, id_, values.get(name))}

    @property
    def needs_other(self) -> bool:
        return UNKNOWN_ID in str(self.variables("an id"))

    def __str__(self) -> str:
        return f"{self.root.name}({'.'.join(self.steps)})"


def places(root: Root) -> list[Place]:
    """Every place of the field that takes an id. Of a filter: every comparison of its own, also joined by and, or, not;
    and one comparison with each id of each related record."""
    return [Place(root, (name, *way)) for name, argument in root.field.args.items() for way in _ways(argument.type)]


def _ways(type_: Any, *, joined: bool = False, related: bool = False) -> Iterator[tuple[str, ...]]:
    type_ = get_nullable_type(type_)
    if isinstance(type_, GraphQLList):
        yield from (("[]", *way) for way in _ways(type_.of_type, joined=joined, related=related))
    elif isinstance(type_, GraphQLInputObjectType):
        for name, field in type_.fields.items():
            if name in ("and", "or", "not"):
                if not joined and not related:
                    yield from ((name, *way) for way in _ways(field.type, joined=True))
            elif _is_filter(field.type) and name not in _QUANTIFIERS:
                if not joined and not related:
                    yield from ((name, *way) for way in _ways(field.type, related=True))
            elif not related or name not in ("neq", "in", "notIn", "none", "every"):
                yield from ((name, *way) for way in _ways(field.type, joined=joined, related=related))
    elif getattr(type_, "name", "") == "ID":
        yield ()


def _is_filter(type_: Any) -> bool:
    """Whether the type says conditions on records, or on lists of them."""
    return not {"and", "some"}.isdisjoint(getattr(get_named_type(type_), "fields", ()))


def _placed(type_: Any, steps: Sequence[str], id_: str, around: Any) -> Any:
    type_ = get_nullable_type(type_)
    if not steps:
        return id_
    name, *rest = steps
    if isinstance(type_, GraphQLList):
        return [_placed(type_.of_type, rest, id_, around[0] if around else None)]
    around = around or sample("", type_)
    return {**around, name: _placed(type_.fields[name].type, rest, id_, around.get(name))}


def _replaced(value: Any, id_: str) -> Any:
    if isinstance(value, dict):
        return {name: _replaced(inner, id_) for name, inner in value.items()}
    if isinstance(value, list):
        return [_replaced(inner, id_) for inner in value]
    return id_ if value == UNKNOWN_ID else value
