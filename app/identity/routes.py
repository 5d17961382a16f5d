"""Routes: addresses that outsiders call, and the organization that each one leads to."""

from uuid import UUID

from sqlalchemy import select

from app.core import unscoped
from app.core.db import Database
from app.core.ids import new_id
from app.core.work import Work
from app.identity.models import Route


def open_route(work: Work) -> UUID:
    """A new address that leads to the organization of the Work."""
    id_ = new_id()
    work.add(Route(id=id_))
    return id_


async def tenant_of(database: Database, route: UUID) -> UUID | None:
    """The organization that an outside address leads to."""
    found = await unscoped.rows(database, select(Route.organization_id).where(Route.id == route))
    return found[0].organization_id if found else None
