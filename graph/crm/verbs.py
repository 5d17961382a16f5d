"""The mutations that every CRM record has, made from its verbs: create, update, upsert, delete, restore, destroy, and
the first four in batches."""

from collections.abc import Callable, Sequence
from typing import Any, Optional, TypeVar

import strawberry

from app.core.batches import ErrorPolicy, Results, refuse_size, settled
from app.core.errors import Refusal
from app.crm.models import Kept
from app.crm.verbs import Verbs
from app.identity.permissions import Permission
from graph.context import Info
from graph.core.enums import choice
from graph.core.mutation import Payload, UserError, mutation, user_error
from graph.core.node import as_node, key_of

T = TypeVar("T")

_WRITE = Permission.CRM_WRITE
choice(ErrorPolicy)


@strawberry.input(description="The record that is meant.")
class RecordIdInput:
    id: strawberry.ID = strawberry.field(description="Its id.")


def record_mutations(verbs: Verbs[Any, Any], node: Any, create: Any, update: Any) -> type:
    """A class with the mutation fields of one kind of record; `create` and `update` are its inputs."""
    fields = _of_one(verbs, _payload(verbs, node), create, update) | _of_many(verbs, node, create, update)
    return strawberry.type(type(f"{node.__name__}Mutations", (), fields))


def _of_one(verbs: Verbs[Any, Any], payload: Any, create: Any, update: Any) -> dict[str, Any]:
    noun, model = verbs.noun, verbs.model
    a_noun = f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"

    def told(row: Kept, *, created: bool = False) -> Any:
        return payload(**{noun: as_node(row), "created": created})

    async def adds(self: Any, info: Info, input: Any) -> Any:
        return told(await verbs.create(info.context.work, input.record()), created=True)

    async def changes(self: Any, info: Info, input: Any) -> Any:
        return told(await verbs.update(info.context.work, key_of(model, input.id), input.record(), input.expected))

    async def upserts(self: Any, info: Info, input: Any) -> Any:
        row, created = await verbs.upsert(info.context.work, input.record())
        return told(row, created=created)

    async def deletes(self: Any, info: Info, input: RecordIdInput) -> Any:
        return told(await verbs.delete(info.context.work, key_of(model, input.id)))

    async def restores(self: Any, info: Info, input: RecordIdInput) -> Any:
        return told(await verbs.restore(info.context.work, key_of(model, input.id)))

    async def destroys(self: Any, info: Info, input: RecordIdInput) -> Any:
        await verbs.destroy(info.context.work, key_of(model, input.id))
        return payload()

    destroyed = f"Removes a deleted {noun} for good, with what belongs to it alone."
    fields = {
        f"{noun}_create": _field(payload, f"Adds {a_noun}.", adds, input=create),
        f"{noun}_update": _field(payload, f"Changes {a_noun}.", changes, input=update),
        f"{noun}_delete": _field(payload, f"Deletes {a_noun}; it can be restored.", deletes, input=RecordIdInput),
        f"{noun}_restore": _field(payload, f"Restores a deleted {noun}.", restores, input=RecordIdInput),
        f"{noun}_destroy": _field(payload, destroyed, destroys, input=RecordIdInput),
    }
    if verbs.key:
        found = f"Changes the {noun} with this {verbs.key}, or adds it."
        fields[f"{noun}_upsert"] = _field(payload, found, upserts, input=create)
    return fields


def _of_many(verbs: Verbs[Any, Any], node: Any, create: Any, update: Any) -> dict[str, Any]:
    noun, plural, model = verbs.noun, verbs.model.__tablename__, verbs.model
    result = _result(verbs, node)
    payload = _batch_payload(verbs, result)

    def told(results: Results[tuple[Any, bool]], policy: ErrorPolicy) -> Any:
        return payload(results=[_shown(noun, result, one) for one in settled(results, policy)])

    async def adds(self: Any, info: Info, inputs: Any, error_policy: ErrorPolicy = ErrorPolicy.REJECT_ALL) -> Any:
        records, bad = _read(inputs, lambda one: one.record())
        return told(bad | _paired(await verbs.create_all(info.context.work, records), new=True), error_policy)

    async def changes(self: Any, info: Info, inputs: Any, error_policy: ErrorPolicy = ErrorPolicy.REJECT_ALL) -> Any:
        patches, bad = _read(inputs, lambda one: (key_of(model, one.id), one.record(), one.expected))
        return told(bad | _paired(await verbs.update_all(info.context.work, patches), new=False), error_policy)

    async def upserts(self: Any, info: Info, inputs: Any, error_policy: ErrorPolicy = ErrorPolicy.REJECT_ALL) -> Any:
        records, bad = _read(inputs, lambda one: one.record())
        return told(bad | await verbs.upsert_all(info.context.work, records), error_policy)

    async def deletes(self: Any, info: Info, ids: Any, error_policy: ErrorPolicy = ErrorPolicy.REJECT_ALL) -> Any:
        keys, bad = _read(ids, lambda one: key_of(model, one))
        return told(bad | _paired(await verbs.delete_all(info.context.work, keys), new=False), error_policy)

    fields = {
        f"{plural}_batch_create": _field(payload, f"Adds 1 to 1,000 {plural}.", adds, inputs=list[create]),
        f"{plural}_batch_update": _field(payload, f"Changes 1 to 1,000 {plural}.", changes, inputs=list[update]),
        f"{plural}_batch_delete": _field(payload, f"Deletes 1 to 1,000 {plural}.", deletes, ids=list[strawberry.ID]),
    }
    if verbs.key:
        found = f"Changes or adds 1 to 1,000 {plural}, each found by its {verbs.key}."
        fields[f"{plural}_batch_upsert"] = _field(payload, found, upserts, inputs=list[create])
    return fields


def _field(payload: Any, description: str, resolve: Any, **takes: Any) -> Any:
    """The mutation field. What it takes and gives is known only now, and told to Strawberry by annotations."""
    resolve.__annotations__ |= {**takes, "return": payload}
    return mutation(payload, _WRITE, description)(resolve)


def _read(inputs: Sequence[Any], read: Callable[[Any], T]) -> tuple[dict[int, T], Results[Any]]:
    """What each row says, by its number, and the rows that say nothing good."""
    refuse_size(len(inputs))
    good: dict[int, T] = {}
    bad: Results[Any] = {}
    for number, one in enumerate(inputs):
        try:
            good[number] = read(one)
        except Refusal as refusal:
            bad[number] = refusal
    return good, bad


def _paired(results: Results[Any], *, new: bool) -> Results[tuple[Any, bool]]:
    return {i: row if isinstance(row, Refusal) else (row, new) for i, row in results.items()}


def _shown(noun: str, result: Any, one: tuple[Any, bool] | Refusal) -> Any:
    if isinstance(one, Refusal):
        return result(user_errors=[user_error(problem) for problem in one.problems])
    row, created = one
    return result(**{noun: as_node(row), "created": created})


def _payload(verbs: Verbs[Any, Any], node: Any) -> Any:
    noun = verbs.noun
    record = strawberry.field(default=None, description=f"The {noun}; null when refused or destroyed.")
    created = strawberry.field(default=False, description="Whether it was added.")
    members = {"__annotations__": {noun: Optional[node], "created": bool}, noun: record, "created": created}
    return strawberry.type(
        type(f"{node.__name__}Payload", (Payload,), members), description=f"The {noun} as a mutation left it."
    )


def _result(verbs: Verbs[Any, Any], node: Any) -> Any:
    noun = verbs.noun
    members = {
        "__annotations__": {noun: Optional[node], "created": bool, "user_errors": list[UserError]},
        noun: strawberry.field(default=None, description=f"The {noun}; null when its row was refused."),
        "created": strawberry.field(default=False, description="Whether it was added."),
        "user_errors": strawberry.field(default_factory=list, description="What is wrong with the row."),
    }
    return strawberry.type(
        type(f"{node.__name__}Result", (), members), description=f"What became of one row: a {noun}."
    )


def _batch_payload(verbs: Verbs[Any, Any], result: Any) -> Any:
    plural = verbs.model.__tablename__
    results = strawberry.field(
        default_factory=list, description="One per row, in order; empty when the batch was refused."
    )
    members = {"__annotations__": {"results": list[result]}, "results": results}
    name = "".join(part.title() for part in plural.split("_"))
    return strawberry.type(
        type(f"{name}BatchPayload", (Payload,), members), description=f"What became of a batch of {plural}."
    )
