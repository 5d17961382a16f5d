"""Organizations: creating one makes its creator the owner."""

import re
import secrets
import unicodedata
from uuid import UUID

from sqlalchemy import select

from app.core.db import Database
from app.core.ids import new_id
from app.core.work import Work, work
from app.identity.events import OrganizationCreated, OrganizationUpdated
from app.identity.models import Membership, Organization
from app.identity.permissions import Role
from app.identity.records import OrganizationPatch, OrganizationRecord


async def create(database: Database, user: UUID, record: OrganizationRecord) -> Organization:
    """A new organization with `user` as its OWNER; `TAKEN` where the slug is another's."""
    organization = Organization(id=new_id(), name=record.name, slug=record.slug or _slug_from(record.name))
    async with work(database, organization.id) as unit:
        unit.add(organization)
        await unit.flush()
        unit.add(Membership(user_id=user, role=Role.OWNER))
        unit.emit(OrganizationCreated(organization=organization.id))
    return organization


async def update(unit: Work, patch: OrganizationPatch) -> Organization:
    """Changes the organization that the Work is bound to."""
    own = select(Organization).where(Organization.id == unit.organization).with_for_update()
    organization: Organization = (await unit.run(own)).scalar_one()
    for name, value in patch.said().items():
        setattr(organization, name, value)
    unit.emit(OrganizationUpdated(organization=organization.id))
    return organization


def _slug_from(name: str) -> str:
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", ascii_name).strip("-")[:40].strip("-")
    return f"{words or 'organization'}-{secrets.token_hex(3)}"
