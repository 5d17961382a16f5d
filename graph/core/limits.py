"""Limits of an operation, measured before it runs, in one memoised pass over the document.

Each fragment is measured once, however often it is spread, so that the time is bounded by the document's size."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
)

from app.core.paging import DEFAULT_PAGE
from graph.core.errors import LimitExceeded

MAX_CHARACTERS = 100_000
MAX_TOKENS = 5_000
MAX_DEPTH = 20
MAX_FIELDS = 2_000
MAX_ALIASES = 100
MAX_DIRECTIVES = 50
MAX_FIELDS_PER_SET = 250
MAX_COST = 20_000
MAX_PAIRS = 10_000
MAX_OBJECTS = 500
MAX_OBJECTS_OF_MUTATION = 20_000
MAX_LIST = 2_000
MAX_VALUES = 100_000
_COUNT_COST = 10
_AGGREGATE_COST = 100
_MUTATION_COST = 10
_INTROSPECTION_COST = 8_000


@dataclass(frozen=True, slots=True)
class Measure:
    """What a selection set comes to. `cost` counts the records that it may fetch; `path` leads to the dearest."""

    depth: int = 0
    fields: int = 0
    aliases: int = 0
    directives: int = 0
    cost: int = 0
    objects: int = 0
    path: tuple[str, ...] = ()


@dataclass(slots=True)
class _Pass:
    """One walk over a document with the values of its variables."""

    schema: GraphQLSchema
    variables: Mapping[str, Any]
    fragments: Mapping[str, FragmentDefinitionNode]
    objects: Mapping[str, int]
    max_objects: int
    measured: dict[str, Measure]
    open: set[str]

    def selection(self, node: SelectionSetNode, parent: Any) -> Measure:
        if len(node.selections) > MAX_FIELDS_PER_SET:
            raise LimitExceeded(f"a selection set may name at most {MAX_FIELDS_PER_SET} fields")
        total = Measure()
        for child in node.selections:
            total = _sum(total, self._child(child, parent))
            if total.fields > MAX_FIELDS:
                raise LimitExceeded(f"an operation may select at most {MAX_FIELDS} fields, fragments included")
            if total.objects > self.max_objects:
                raise LimitExceeded(f"the arguments of an operation may hold at most {self.max_objects} objects")
        return total

    def _child(self, node: Any, parent: Any) -> Measure:
        directives = len(node.directives or ())
        if isinstance(node, FieldNode):
            measure = self._field(node, parent)
        elif isinstance(node, FragmentSpreadNode):
            measure = self._fragment(node.name.value)
        else:
            assert isinstance(node, InlineFragmentNode)
            type_ = self.schema.get_type(node.type_condition.name.value) if node.type_condition else parent
            measure = self.selection(node.selection_set, type_)
        if not directives:
            return measure
        return _sum(measure, Measure(directives=directives))

    def _field(self, node: FieldNode, parent: Any) -> Measure:
        field = parent.fields.get(node.name.value) if isinstance(parent, _WITH_FIELDS) else None
        type_ = get_named_type(field.type) if field else None
        inner = self.selection(node.selection_set, type_) if node.selection_set else Measure()
        if inner.depth >= MAX_DEPTH:
            raise LimitExceeded(f"an operation may be at most {MAX_DEPTH} levels deep")
        size = self._size(node, field)
        own = _OWN_COST.get(node.name.value, int(isinstance(type_, _WITH_FIELDS)))
        if _aggregates(field):
            own = _AGGREGATE_COST
        name = node.alias.value if node.alias else node.name.value
        return Measure(
            inner.depth + 1,
            inner.fields + 1,
            inner.aliases + int(node.alias is not None),
            inner.directives,
            own + size * inner.cost,
            inner.objects + sum(self._objects(argument.value) for argument in node.arguments or ()),
            (name, *inner.path),
        )

    def _objects(self, value: ValueNode) -> int:
        """How many objects an argument holds, whether they are written there or come by variables."""
        if isinstance(value, VariableNode):
            return self.objects.get(value.name.value, 0)
        if isinstance(value, ObjectValueNode):
            return 1 + sum(self._objects(field.value) for field in value.fields)
        return sum(map(self._objects, value.values)) if isinstance(value, ListValueNode) else 0

    def _fragment(self, name: str) -> Measure:
        known = self.measured.get(name)
        if known is not None:
            return known
        fragment = self.fragments.get(name)
        if fragment is None or name in self.open:
            return Measure()  # validation says so better
        self.open.add(name)
        type_ = self.schema.get_type(fragment.type_condition.name.value)
        self.measured[name] = measure = self.selection(fragment.selection_set, type_)
        self.open.discard(name)
        return measure

    def _size(self, node: FieldNode, field: Any) -> int:
        if field is None or "first" not in field.args:
            return 1
        if _aggregates(field) and not any(argument.name.value == "groupBy" for argument in node.arguments or ()):
            return 1
        for argument in node.arguments or ():
            if argument.name.value in ("first", "last"):
                value = argument.value
                if isinstance(value, IntValueNode):
                    return max(1, min(int(value.value), MAX_COST)) if len(value.value) < 12 else MAX_COST
                if isinstance(value, VariableNode):
                    said = self.variables.get(value.name.value)
                    return said if isinstance(said, int) and 1 <= said <= MAX_COST else DEFAULT_PAGE
        return DEFAULT_PAGE


def _aggregates(field: Any) -> bool:
    """Whether the field reads all rows that match, to answer once, and where it groups them once for each group."""
    return field is not None and "groupBy" in field.args


_WITH_FIELDS = (GraphQLObjectType, GraphQLInterfaceType)
_OWN_COST = {
    "totalCount": _COUNT_COST,
    "countDistinct": _COUNT_COST,
    "__schema": _INTROSPECTION_COST,
    "__type": _INTROSPECTION_COST,
}


def count_objects(value: Any) -> int:
    """How many objects a variable holds; `LimitExceeded` for a list that is too long, or too many values in all."""
    objects = values = 0
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            objects += 1
            inner: Any = one.values()
        elif isinstance(one, list):
            if len(one) > MAX_LIST:
                raise LimitExceeded(f"a list in the variables may hold at most {MAX_LIST} values")
            inner = one
        else:
            continue
        values += len(inner)
        if values > MAX_VALUES:
            raise LimitExceeded(f"the variables may hold at most {MAX_VALUES} values")
        waiting.extend(inner)
    return objects


def measure(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: Mapping[str, Any],
) -> Measure:
    """The measure of the operation; `LimitExceeded` where it is over a limit that no page size can mend."""
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
    objects = {name: count_objects(value) for name, value in variables.items()}
    most = MAX_OBJECTS_OF_MUTATION if operation.operation.value == "mutation" else MAX_OBJECTS
    walk = _Pass(schema, {**_defaults(operation), **variables}, fragments, objects, most, {}, set())
    root = schema.get_root_type(operation.operation)
    try:
        total = walk.selection(operation.selection_set, root)
    except RecursionError:
        raise LimitExceeded(f"an operation may be at most {MAX_DEPTH} levels deep") from None
    if operation.operation.value == "mutation":
        total = _sum(total, Measure(cost=_MUTATION_COST * len(operation.selection_set.selections)))
    _refuse(total)
    return total


def _defaults(operation: OperationDefinitionNode) -> dict[str, int]:
    """The whole numbers that variables have where none is given: page sizes may be among them."""
    return {
        definition.variable.name.value: int(definition.default_value.value)
        for definition in operation.variable_definitions or ()
        if isinstance(definition.default_value, IntValueNode) and len(definition.default_value.value) < 12
    }


def _refuse(total: Measure) -> None:
    if total.depth > MAX_DEPTH:
        raise LimitExceeded(f"an operation may be at most {MAX_DEPTH} levels deep")
    if total.aliases > MAX_ALIASES:
        raise LimitExceeded(f"an operation may have at most {MAX_ALIASES} aliases")
    if total.directives > MAX_DIRECTIVES:
        raise LimitExceeded(f"an operation may have at most {MAX_DIRECTIVES} directives")
    if total.cost > MAX_COST:
        fit = max(1, DEFAULT_PAGE * MAX_COST // total.cost)
        raise LimitExceeded(
            f"the operation may fetch {total.cost} records, over the limit of {MAX_COST}: "
            f"ask for smaller pages of `{'.'.join(total.path)}`; with `first: {fit}` it would fit",
            cost=total.cost,
            maximum=MAX_COST,
            path=list(total.path),
            fits=fit,
        )


def _sum(left: Measure, right: Measure) -> Measure:
    return Measure(
        max(left.depth, right.depth),
        left.fields + right.fields,
        left.aliases + right.aliases,
        left.directives + right.directives,
        left.cost + right.cost,
        left.objects + right.objects,
        left.path if left.cost >= right.cost else right.path,
    )


def refuse_overlaps(document: DocumentNode) -> None:
    """Refuses a document in which so many fields answer under one name that comparing them all would take long.

    Validation compares each with each, wherever fragments bring them together."""
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
    waiting = [[d.selection_set] for d in document.definitions if isinstance(d, _WITH_SELECTIONS)]
    left = MAX_PAIRS
    while waiting:
        for nodes in _by_answer(waiting.pop(), fragments).values():
            left -= len(nodes) ** 2
            if left < 0:
                raise LimitExceeded("the document names the same fields too often")
            waiting.append([node.selection_set for node in nodes if node.selection_set])


_WITH_SELECTIONS = (OperationDefinitionNode, FragmentDefinitionNode)


def _by_answer(
    sets: list[SelectionSetNode], fragments: Mapping[str, FragmentDefinitionNode]
) -> Mapping[str, list[FieldNode]]:
    """The fields of the sets and their fragments, by the name that they answer under."""
    found: dict[str, list[FieldNode]] = {}
    seen: set[str] = set()
    while sets:
        for node in sets.pop().selections:
            if isinstance(node, FieldNode):
                found.setdefault((node.alias or node.name).value, []).append(node)
            elif isinstance(node, InlineFragmentNode):
                sets.append(node.selection_set)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
                seen.add(node.name.value)
                if fragment := fragments.get(node.name.value):
                    sets.append(fragment.selection_set)
    return found
