"""Organizations, the people in them, their sessions and keys, and the outside addresses that lead to one."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, String, UniqueConstraint, Uuid
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.core.clock import now
from app.core.db import Base, Entity, Placement, Tenant, text_of
from app.core.ids import new_id
from app.identity.permissions import Role


class Organization(Base):
    """A tenant: everything else belongs to one."""

    __tablename__ = "organizations"
    prefix: ClassVar[str] = "organization"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = text_of(255, doc="What the organization is called.")
    slug: Mapped[str] = text_of(63, doc="Unique short name for addresses: lower case, digits and hyphens.")
    created_at: Mapped[datetime] = mapped_column(default=now, doc="When the organization was created.")
    updated_at: Mapped[datetime] = mapped_column(
        default=now, onupdate=now, doc="When the organization was last changed."
    )

    __table_args__ = (UniqueConstraint("slug"), {"info": {"placement": Placement.REFERENCE}})


class User(Base):
    """A person who signs in; may be a member of several organizations."""

    __tablename__ = "users"
    prefix: ClassVar[str] = "user"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    email: Mapped[str] = text_of(254, doc="The address the person signs in with, in lower case.")
    name: Mapped[str | None] = text_of(255, doc="The person's name.")
    password_hash: Mapped[str] = text_of(255)
    created_at: Mapped[datetime] = mapped_column(default=now, doc="When the person registered.")

    __table_args__ = (UniqueConstraint("email"), {"info": {"placement": Placement.REFERENCE}})


class Membership(Tenant, placement=Placement.REFERENCE):
    """A person's role in an organization."""

    __tablename__ = "memberships"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    role: Mapped[Role]
    created_at: Mapped[datetime] = mapped_column(default=now)

    __table_args__ = (Index(None, "user_id"),)


class LoginSession(Base):
    """One log-in and the refresh tokens that followed from it, of which only the newest is good."""

    __tablename__ = "login_sessions"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    refresh_digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    created_at: Mapped[datetime] = mapped_column(default=now)
    refreshed_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]

    __table_args__ = ({"info": {"placement": Placement.REFERENCE}},)


class ApiKey(Entity):
    """A key for programs: shown once, kept as a digest."""

    __tablename__ = "api_keys"
    prefix: ClassVar[str] = "apikey"

    name: Mapped[str] = text_of(255, doc="What the key is for.")
    hint: Mapped[str] = text_of(12, doc="The last characters of the key, to tell keys apart.")
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    scopes: Mapped[list[str]] = mapped_column(ARRAY(String(40)))
    created_by: Mapped[UUID | None] = mapped_column(Uuid)
    expires_at: Mapped[datetime | None] = mapped_column(doc="From when on the key is refused.")
    revoked_at: Mapped[datetime | None] = mapped_column(doc="When the key was revoked.")
    last_used_at: Mapped[datetime | None] = mapped_column(doc="When the key was last used, to the minute.")

    __table_args__ = (UniqueConstraint("organization_id", "digest"),)


class Route(Tenant, placement=Placement.REFERENCE):
    """An address from outside, such as a webhook's, and the organization that it leads to."""

    __tablename__ = "routes"

    id: Mapped[UUID] = mapped_column(primary_key=True)

    __table_args__ = (Index(None, "id"),)
