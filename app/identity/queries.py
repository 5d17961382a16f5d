"""What can be asked of organizations, people and keys."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import func, select

from app.core.db import AnySelect, Row
from app.core.filters import Filterable
from app.core.lists import Listing
from app.core.work import Reads
from app.identity.models import ApiKey, Membership, Organization, User

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


async def members_of(reads: Reads, users: Sequence[UUID]) -> Mapping[UUID, Row]:
    """Those of the people who are members of the organization."""
    people = (
        select(User.id, User.email, User.name, User.created_at)
        .join(Membership, Membership.user_id == User.id)
        .where(User.id == func.any(users))
    )
    return {row.id: row for row in await reads.rows(people)}
