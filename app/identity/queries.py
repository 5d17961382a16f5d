"""What can be asked of organizations, people and keys."""

from uuid import UUID

from sqlalchemy import select

from app.core.db import AnySelect
from app.core.filters import Filterable
from app.core.lists import Listing
from app.identity.models import ApiKey, Organization, User

API_KEYS = Filterable(
    ApiKey,
    columns={
        "id": ApiKey.id,
        "name": ApiKey.name,
        "expires_at": ApiKey.expires_at,
        "revoked_at": ApiKey.revoked_at,
        "created_at": ApiKey.created_at,
    },
)
API_KEY_LIST = Listing(API_KEYS, sorts={"created_at": ApiKey.created_at, "name": ApiKey.name})


def organization() -> AnySelect:
    """The organization that the reads are bound to: row level security shows no other."""
    return select(Organization)


def user(id_: UUID) -> AnySelect:
    return select(User.id, User.email, User.name, User.created_at).where(User.id == id_)
