"""Permissions are declared on the field that needs them."""

from collections.abc import Callable
from typing import Any

from strawberry.extensions import FieldExtension
from strawberry.types.field import StrawberryField

from app.core.errors import Code, Refusal
from app.identity.permissions import PERSONAL, Permission
from app.identity.principals import ANONYMOUS, Principal
from graph.context import Info


def demand(principal: Principal, permission: Permission | None) -> None:
    """Refuses who may not: UNAUTHENTICATED for nobody, FORBIDDEN for somebody without the permission.

    Without a permission, any signed-in person or key will do."""
    if principal == ANONYMOUS:
        raise Refusal(Code.UNAUTHENTICATED, "log in or send an API key first")
    if permission is None or permission in principal.permissions:
        return
    if permission in PERSONAL and principal.key:
        raise Refusal(Code.FORBIDDEN, "only a signed-in person may do this, not an API key")
    if not principal.in_organization:
        raise Refusal(Code.FORBIDDEN, "create or choose an organization first")
    raise Refusal(Code.FORBIDDEN, f"needs the permission {permission}")


class Requires(FieldExtension):
    """Asks for a permission before the field is resolved; `None` asks for any signed-in person or key."""

    def __init__(self, permission: Permission | None) -> None:
        self.permission = permission

    def apply(self, field: StrawberryField) -> None:
        needed = self.permission or "a signed-in person or key"
        field.description = f"{field.description or ''} Requires {needed}.".strip()

    async def resolve_async(self, next_: Callable[..., Any], source: Any, info: Info, **arguments: Any) -> Any:
        demand(info.context.principal, self.permission)
        return await next_(source, info, **arguments)
