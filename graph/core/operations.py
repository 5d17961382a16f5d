"""Operations: parsed, measured and validated once per document, executed per request."""

from collections import OrderedDict
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import strawberry
from graphql import (
    DocumentNode,
    ExecutionResult,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    execute,
    get_operation_ast,
    parse,
    subscribe,
    validate,
)
from graphql.pyutils import is_awaitable
from pydantic_core import PydanticCustomError

from app.core.records import storable_json
from graph.context import Context
from graph.core.direct import must_wait
from graph.core.errors import LimitExceeded, formatted
from graph.core.limits import MAX_CHARACTERS, MAX_TOKENS, Measure, measure, refuse_overlaps

Answer = dict[str, Any]


class Rejected(Exception):
    """The request never became an operation: `errors` say why, in the form they go out."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__(errors[0]["message"])
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client sends, whatever the transport."""

    query: str
    variables: Mapping[str, Any] | None = None
    operation_name: str | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """A document that may be run, with the operation chosen and the variables given."""

    document: DocumentNode
    definition: OperationDefinitionNode
    variables: dict[str, Any]
    name: str | None
    measure: Measure

    @property
    def kind(self) -> OperationType:
        return self.definition.operation

    @property
    def root_count(self) -> int:
        """How many root fields it has, those of its fragments among them."""
        return _field_count(self.document, self.definition.selection_set)


class Documents:
    """The documents used last, up to so many characters of text: a parsed one takes ninety times as many bytes."""

    def __init__(self, characters: int) -> None:
        self._left = characters
        self._kept: OrderedDict[str, DocumentNode] = OrderedDict()

    def get(self, text: str) -> DocumentNode | None:
        if text in self._kept:
            self._kept.move_to_end(text)
        return self._kept.get(text)

    def keep(self, text: str, document: DocumentNode) -> None:
        self._kept[text] = document
        self._left -= len(text)
        while self._left < 0:
            self._left += len(self._kept.popitem(last=False)[0])


class Operations:
    """Runs GraphQL operations over one schema. Documents are kept, parsed and validated, by their text."""

    def __init__(self, schema: strawberry.Schema, *, kept: int = 1_000_000) -> None:
        self._schema = schema._schema
        self._documents = Documents(kept)

    def prepare(self, asked: Asked) -> Operation:
        """The operation that was asked for; `Rejected` for one that does not parse, fit or validate."""
        try:
            if len(asked.query) > MAX_CHARACTERS:
                raise LimitExceeded(f"a document may have at most {MAX_CHARACTERS} characters")
            document = self._documents.get(asked.query)
            known = document is not None
            if document is None:
                document = parse(asked.query, max_tokens=MAX_TOKENS)
            definition = self._chosen(document, asked.operation_name)
            variables = dict(asked.variables or {})
            total = measure(self._schema, document, definition, variables)
            storable_json(variables)
            if not known:
                self._validate(document)
                self._documents.keep(asked.query, document)
        except GraphQLError as error:
            raise Rejected([formatted(error)]) from None
        except PydanticCustomError as error:
            raise Rejected([formatted(GraphQLError(f"a variable {error.message()}"))]) from None
        except RecursionError:
            raise Rejected([formatted(LimitExceeded("the document is nested too deeply"))]) from None
        return Operation(document, definition, variables, asked.operation_name, total)

    async def run(self, operation: Operation, context: Context) -> Answer:
        """Executes a query or mutation; the answer as it goes out. `Rejected` where the asker's budget is spent or
        the variables do not fit."""
        try:
            self._spend(operation.measure.cost, context)
            result: Any = execute(
                self._schema,
                operation.document,
                context_value=context,
                variable_values=operation.variables,
                operation_name=operation.name,
                is_awaitable=must_wait,
            )
            if is_awaitable(result):
                result = await result
        finally:
            await context.reads.close()
        if result.data is None and result.errors and all(error.path is None for error in result.errors):
            raise Rejected([formatted(error) for error in result.errors])  # variables that do not fit: no field was run
        return _answer(result) | {"extensions": {"cost": self._cost(operation, context)}}

    async def follow(self, operation: Operation, context: Context) -> AsyncGenerator[Answer, None]:
        """Executes a subscription; an answer per event. `Rejected` where it cannot start, or cannot go on."""
        try:
            with context.server.subscriptions.held(context.asker):
                async with aclosing(self._follow(operation, context)) as answers:
                    async for answer in answers:
                        yield answer
        except Rejected:
            raise
        except Exception as error:  # a feed does not end without a word
            raise Rejected([formatted(GraphQLError(str(error), original_error=error))]) from None
        finally:
            await context.reads.close()

    async def _follow(self, operation: Operation, context: Context) -> AsyncGenerator[Answer, None]:
        source: Any = subscribe(
            self._schema,
            operation.document,
            context_value=context,
            variable_values=operation.variables,
            operation_name=operation.name,
        )
        if is_awaitable(source):
            source = await source
        if isinstance(source, ExecutionResult):
            raise Rejected([formatted(error) for error in source.errors or ()])
        async with aclosing(source):
            while (result := await _next(source)) is not None:
                await context.refresh()
                yield _answer(result)

    def _spend(self, cost: int, context: Context) -> None:
        if wait := context.server.budget.take(context.asker, cost):
            throttle = context.server.budget.throttle(context.asker)
            message = f"the cost budget is spent: try again in {wait} s"
            raise Rejected([formatted(LimitExceeded(message, retryAfter=wait, **throttle))])

    def _cost(self, operation: Operation, context: Context) -> Mapping[str, Any]:
        """What the operation could have fetched, what it did, and what is left to the asker."""
        return {
            "requested": operation.measure.cost,
            "actual": context.rows_read,
            "throttle": context.server.budget.throttle(context.asker),
        }

    def _chosen(self, document: DocumentNode, name: str | None) -> OperationDefinitionNode:
        definition = get_operation_ast(document, name)
        if definition is None:
            what = f"no operation is named {name}" if name else "name one of the document's operations"
            raise GraphQLError(what, extensions={"code": "BAD_REQUEST"})
        return definition

    def _validate(self, document: DocumentNode) -> None:
        refuse_overlaps(document)
        errors = validate(self._schema, document, max_errors=20)
        if errors:
            raise Rejected([formatted(error) for error in errors])


async def _next(source: Any) -> ExecutionResult | None:
    """What the feed tells next; None at its end. An error of the feed itself ends it with `Rejected`."""
    try:
        result: ExecutionResult = await anext(source)
    except StopAsyncIteration:
        return None
    except Exception as error:
        raise Rejected([formatted(GraphQLError(str(error), original_error=error))]) from None
    return result


def _answer(result: ExecutionResult) -> Answer:
    answer: Answer = {"data": result.data}
    if result.errors:
        answer["errors"] = [formatted(error) for error in result.errors]
    return answer


def _field_count(document: DocumentNode, selections: SelectionSetNode) -> int:
    """The fields of the selections, those of a fragment once."""
    fragments = {one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)}
    waiting, count = [selections], 0
    while waiting:
        for one in waiting.pop().selections:
            if isinstance(one, InlineFragmentNode):
                waiting.append(one.selection_set)
            elif not isinstance(one, FragmentSpreadNode):
                count += 1
            elif one.name.value in fragments:
                waiting.append(fragments.pop(one.name.value).selection_set)
    return count
