"""People, organizations and keys as a client sees them."""

from datetime import datetime
from typing import Any

import strawberry
from strawberry import auto

from app.identity.models import ApiKey as ApiKeyModel
from app.identity.models import Organization as OrganizationModel
from app.identity.models import User as UserModel
from app.identity.permissions import Permission, Role
from app.identity.queries import API_KEY_LIST, organization
from graph.core.enums import choice
from graph.core.node import Node, entity, id_field, value_type

choice(Permission)
choice(Role)


@entity(OrganizationModel, permission=Permission.ORGANIZATION_READ, fetch=organization)
class Organization(Node):
    name: auto
    slug: auto
    created_at: auto
    updated_at: auto


def _scopes(root: Any) -> list[Permission]:
    return [Permission(scope) for scope in root.scopes]


@entity(ApiKeyModel, permission=Permission.API_KEYS_MANAGE, fetch=API_KEY_LIST.every)
class ApiKey(Node):
    name: auto
    hint: auto
    expires_at: auto
    revoked_at: auto
    last_used_at: auto
    created_at: auto
    scopes: list[Permission] = strawberry.field(resolver=_scopes, description="What the key may do.")


@value_type(UserModel, Permission.ORGANIZATION_READ)
class User:
    """A person who signs in."""

    id: strawberry.ID = id_field(UserModel.prefix)
    email: auto
    name: auto
    created_at: auto


@strawberry.type(description="What a client keeps after a log-in.")
class Session:
    access_token: str = strawberry.field(description="Goes into `Authorization: Bearer …`; good for 15 minutes.")
    refresh_token: str = strawberry.field(description="Buys the next pair of tokens, once; good for 30 days.")
    expires_at: datetime = strawberry.field(description="When the access token ends.")


@strawberry.type(description="Who is asking.")
class Viewer:
    user: User | None = strawberry.field(description="The person; null for an API key.")
    organization: Organization | None = strawberry.field(
        description="The organization asked for; null for a person in none."
    )
    role: Role | None = strawberry.field(description="The person's role in it; null for an API key.")
    permissions: list[Permission] = strawberry.field(description="What may be done, in alphabetical order.")
