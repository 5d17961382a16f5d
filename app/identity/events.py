"""What may happen to organizations."""

from uuid import UUID

from app.core.events import Event


class OrganizationCreated(Event, name="organization.created"):
    organization: UUID


class OrganizationUpdated(Event, name="organization.updated"):
    organization: UUID
