"""What may happen to companies and contacts. `changed` names the fields that an update touched."""

from uuid import UUID

from app.core.events import Event


class RecordEvent(Event, name="record"):
    """Something happened to the record with this id."""

    id: UUID
    changed: tuple[str, ...] = ()


class CompanyCreated(RecordEvent, name="company.created"):
    """A company was added."""


class CompanyUpdated(RecordEvent, name="company.updated"):
    """A company was changed."""


class CompanyDeleted(RecordEvent, name="company.deleted"):
    """A company was deleted; it can be restored."""


class CompanyRestored(RecordEvent, name="company.restored"):
    """A deleted company was restored."""


class ContactCreated(RecordEvent, name="contact.created"):
    """A contact was added."""


class ContactUpdated(RecordEvent, name="contact.updated"):
    """A contact was changed."""


class ContactDeleted(RecordEvent, name="contact.deleted"):
    """A contact was deleted; it can be restored."""


class ContactRestored(RecordEvent, name="contact.restored"):
    """A deleted contact was restored."""
