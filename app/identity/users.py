"""People: registering."""

from uuid import UUID

from sqlalchemy.dialects.postgresql import insert

from app.core import unscoped
from app.core.db import Database
from app.core.errors import Code, Refusal
from app.core.ids import new_id
from app.identity import passwords
from app.identity.models import User
from app.identity.records import Registration


async def register(database: Database, registration: Registration) -> UUID:
    """Adds a person; `TAKEN` where the address is registered already."""
    password_hash = await passwords.hashed(registration.password)
    added = (
        insert(User)
        .values(id=new_id(), email=registration.email, name=registration.name, password_hash=password_hash)
        .on_conflict_do_nothing(index_elements=[User.email])
        .returning(User.id)
    )
    async with unscoped.begin(database) as session:
        user: UUID | None = await session.scalar(added)
    if user is None:
        raise Refusal(Code.TAKEN, "is already registered", ("email",))
    return user
