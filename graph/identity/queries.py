"""Asking who one is, and for the organization's keys."""

import strawberry

from app.identity.permissions import Permission
from app.identity.queries import API_KEY_LIST, organization, user
from graph.context import Info
from graph.core.fields import listing
from graph.core.permission import Requires
from graph.identity.types import Organization, Viewer


@strawberry.type
class Query:
    api_keys = listing(API_KEY_LIST, Permission.API_KEYS_MANAGE, "The organization's API keys, newest first.")

    @strawberry.field(description="Who is asking.", extensions=[Requires(None)])
    async def viewer(self, info: Info) -> Viewer:
        principal, reads = info.context.principal, info.context.reads
        return Viewer(
            user=await reads.row(user(principal.user)) if principal.user else None,
            organization=await reads.row(organization()) if principal.in_organization else None,
            role=principal.role,
            permissions=sorted(principal.permissions),
        )

    @strawberry.field(description="The organization asked for.", extensions=[Requires(Permission.ORGANIZATION_READ)])
    async def organization(self, info: Info) -> Organization | None:
        return await info.context.reads.row(organization())
