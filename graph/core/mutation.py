"""Mutations: one Work per field, committed before the payload's own fields are read."""

from collections.abc import Callable
from typing import Any

import strawberry
from strawberry.extensions import FieldExtension
from strawberry.types.field import StrawberryField

from app.core.errors import Code, Problem, Refusal
from app.core.work import Work, work
from app.identity.permissions import Permission
from graph.context import Info
from graph.core.enums import choice
from graph.core.idempotency import do_once, key_argument, key_said
from graph.core.permission import Requires, demand

choice(Code, "ErrorCode")

TOP_LEVEL = frozenset({Code.FORBIDDEN, Code.RATE_LIMITED, Code.UNAVAILABLE})


@strawberry.type(description="Something in the input that its sender can mend.")
class UserError:
    code: Code = strawberry.field(description="The kind of the problem.")
    message: str = strawberry.field(description="What is wrong, to be read after the field's name.")
    path: list[str] = strawberry.field(description="Where it is wrong, from the input's root; list places are numbers.")


@strawberry.type
class Payload:
    """What every mutation answers beside its record."""

    user_errors: list[UserError] = strawberry.field(
        default_factory=list, description="What was refused; empty when the mutation was done."
    )
    event_cursor: str | None = strawberry.field(
        default=None,
        description="The organization's newest event after the mutation: pass it to a subscription as `after`.",
    )


class Does(FieldExtension):
    """Runs a mutation field: permission, Work, refusals as `userErrors`, fresh reads for the payload."""

    def __init__(self, payload: type[Payload], permission: Permission | None, *, in_work: bool) -> None:
        self.payload = payload
        self.permission = permission
        self.in_work = in_work

    def apply(self, field: StrawberryField) -> None:
        if self.in_work:
            field.arguments = [*field.arguments, key_argument()]

    async def resolve_async(
        self,
        next_: Callable[..., Any],
        source: Any,
        info: Info,
        *,
        idempotency_key: str | None = None,
        **arguments: Any,
    ) -> Any:
        context = info.context
        if self.in_work:
            demand(context.principal, self.permission)
        await context.refresh()

        async def do(unit: Work) -> Any:
            context.work = unit
            return await next_(source, info, **arguments)

        try:
            if not self.in_work:
                return await next_(source, info, **arguments)
            if key := key_said(context, idempotency_key):
                return await do_once(info, key, arguments, self.payload, do)
            async with work(context.database, context.principal.tenant, context.principal.user) as unit:
                payload = await do(unit)
        except Refusal as refusal:
            if refusal.code in TOP_LEVEL:
                raise
            return self.payload(user_errors=[user_error(problem) for problem in refusal.problems])
        payload.event_cursor = None if unit.cursor is None else str(unit.cursor)
        return payload


def mutation(payload: type[Payload], permission: Permission, description: str) -> Any:
    """A mutation in the organization of the asker. Its resolver finds the open Work in `info.context.work`."""
    runs = Does(payload, permission, in_work=True)
    return strawberry.mutation(description=f"{description} Requires {permission}.", extensions=[runs])


def account_mutation(payload: type[Payload], description: str, *, signed_in: bool) -> Any:
    """A mutation of a person's own account, outside any organization; it opens what transactions it needs."""
    needs = [Requires(None)] if signed_in else []
    return strawberry.mutation(description=description, extensions=[*needs, Does(payload, None, in_work=False)])


def user_error(problem: Problem) -> UserError:
    return UserError(code=problem.code, message=problem.message, path=[str(part) for part in problem.path])
