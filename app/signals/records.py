"""What a client says of a signal, and the observation that it becomes."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, Field, StringConstraints

from app.core.errors import Code, Problem
from app.core.records import JsonObject, Record, Text
from app.signals.observations import CompanyTraits, Identity, IdentityKind, Observation

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)

_WORD = r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}$"  # asked of the text before it is put in lower case
Word = Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True, pattern=_WORD)]
Name = Annotated[Text, StringConstraints(max_length=255)]


class SignalRecord(Record):
    """One signal as a client says it. Who acted may be said in several ways; the surest is believed."""

    type: Word = Field(description="What was done, such as `docs_view`: letters, digits and `_ . : -`.")
    source: Word = Field("api", description="Where it was seen; keys are unique within a source.")
    external_id: Name | None = Field(
        None, description="The source's own id of the event: sending it again stores nothing."
    )
    actor_id: Name | None = Field(None, description="Your id of the person who acted.")
    anonymous_id: Name | None = Field(None, description="An id of a person not known yet, such as a device's.")
    email: Annotated[Text, StringConstraints(max_length=254)] | None = Field(
        None, description="The person's e-mail address."
    )
    domain: Annotated[Text, StringConstraints(max_length=255)] | None = Field(
        None, description="The company's domain or website."
    )
    occurred_at: AwareDatetime | None = Field(None, description="When it was done; now, if left out.")
    properties: JsonObject = Field(
        default_factory=dict, description="Anything else worth keeping, as JSON of at most 64 KB."
    )
    company_id: UUID | None = Field(None, description="The company, where you know it.")
    contact_id: UUID | None = Field(None, description="The contact, where you know it.")
    idempotency_key: Name | None = Field(
        None, description="Makes the signal unique within its source, in place of externalId."
    )


def observe(record: SignalRecord, received_at: datetime) -> Observation | Problem:
    """The observation a record makes. Times just ahead are taken for skewed clocks and set to now."""
    occurred_at = record.occurred_at or received_at
    if occurred_at < EARLIEST or occurred_at > received_at + timedelta(days=1):
        return Problem(Code.INVALID, "must be between the year 2000 and now", ("occurredAt",))
    return Observation(
        type=record.type,
        source=record.source,
        occurred_at=min(occurred_at, received_at),
        key=record.idempotency_key or record.external_id,
        people=tuple(_people(record)),
        company=CompanyTraits(domain=record.domain),
        properties=record.properties,
        contact_id=record.contact_id,
        company_id=record.company_id,
    )


def _people(record: SignalRecord) -> list[Identity]:
    said: list[tuple[IdentityKind, Any]] = [
        (IdentityKind.USER, record.actor_id),
        (IdentityKind.EMAIL, record.email),
        (IdentityKind.ANONYMOUS, record.anonymous_id),
    ]
    return [Identity(kind, value) for kind, value in said if value]
