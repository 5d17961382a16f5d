"""Signals, the names their actors go by, and the counters kept while they come in."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, SmallInteger, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.clock import now
from app.core.db import Tenant, index, reference, text_of, unique
from app.core.ids import new_id
from app.signals.observations import IdentityKind


class Rule(StrEnum):
    """Why a signal or an identity was linked to a contact or company."""

    EXPLICIT = "EXPLICIT"
    KNOWN_IDENTITY = "KNOWN_IDENTITY"
    EMAIL = "EMAIL"
    ALIAS = "ALIAS"
    GROUP = "GROUP"
    EMAIL_DOMAIN = "EMAIL_DOMAIN"
    WEBSITE_DOMAIN = "WEBSITE_DOMAIN"
    EMPLOYER = "EMPLOYER"
    PROFILE = "PROFILE"


class Signal(Tenant, references_organization=False):
    """Something an actor did. Its id is a UUIDv7 of when it occurred: newest first is the key's own order, and
    months are partitions by ranges of it."""

    __tablename__ = "signals"
    prefix: ClassVar[str] = "signal"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    type: Mapped[str] = text_of(100, info={"lowercase": True}, doc="What was done, such as `github_star`.")
    source: Mapped[str] = text_of(100, info={"lowercase": True}, doc="Where it was seen, such as `api`.")
    occurred_at: Mapped[datetime] = mapped_column(doc="When it was done.")
    received_at: Mapped[datetime] = mapped_column(doc="When it arrived here.")
    properties: Mapped[dict[str, Any]] = mapped_column(doc="Whatever the sender added, as JSON.")
    identity_id: Mapped[UUID | None] = mapped_column(Uuid)
    contact_id: Mapped[UUID | None] = reference("contacts", doc="The contact it was matched to.")
    company_id: Mapped[UUID | None] = reference("companies", doc="The company it was matched to.")
    contact_rule: Mapped[Rule | None] = mapped_column(doc="Why it was linked to the contact.")
    company_rule: Mapped[Rule | None] = mapped_column(doc="Why it was linked to the company.")

    __table_args__ = (
        index("company_id", "id"),
        index("contact_id", "id"),
        index("type", "id"),
        index(
            "identity_id",
            name="signals_unattributed_idx",
            postgresql_where=text("contact_id IS NULL"),
        ),
        {"postgresql_partition_by": "RANGE (id)"},
    )


class SignalKey(Tenant, references_organization=False):
    """What makes a signal unique: its source and the key the source gave it."""

    __tablename__ = "signal_keys"

    key: Mapped[str] = text_of(400, primary_key=True)
    signal_id: Mapped[UUID]


class Identity(Tenant, references_organization=False):
    """A name that an outside system knows somebody by, and whom it was found to belong to.

    Names of one actor share a `root_id`, so that what is learned of one is known of all. The evidence of a
    link is its rule, its time, and the signal that brought it."""

    __tablename__ = "identities"
    prefix: ClassVar[str] = "identity"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[IdentityKind] = mapped_column(doc="What the name is.")
    value: Mapped[str] = text_of(400, doc="The name itself.")
    root_id: Mapped[UUID]
    contact_id: Mapped[UUID | None] = reference("contacts", doc="The contact it belongs to.")
    company_id: Mapped[UUID | None] = reference("companies", doc="The company it belongs to.")
    rule: Mapped[Rule | None] = mapped_column(doc="Why it was linked.")
    confidence: Mapped[int | None] = mapped_column(SmallInteger, doc="How sure the link is, 0 to 100.")
    signal_id: Mapped[UUID | None] = mapped_column(Uuid, doc="The signal that brought the link.")
    linked_at: Mapped[datetime | None] = mapped_column(doc="When it was linked.")
    created_at: Mapped[datetime] = mapped_column(default=now, doc="When it was first seen.")

    __table_args__ = (
        unique("kind", "value"),
        index("root_id"),
        index("contact_id"),
    )


class SignalCount(Tenant, references_organization=False):
    """How many signals of a type a company gave on a day (UTC)."""

    __tablename__ = "signal_counts"

    company_id: Mapped[UUID] = reference("companies", on_delete="CASCADE", primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    type: Mapped[str] = text_of(100, primary_key=True, info={"lowercase": True})
    count: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = (index("type", "day", "company_id"),)


class CompanyPerson(Tenant, references_organization=False):
    """A person (a contact, or else an identity) seen acting for a company, and the last day of it (UTC)."""

    __tablename__ = "company_people"

    company_id: Mapped[UUID] = reference("companies", on_delete="CASCADE", primary_key=True)
    person: Mapped[UUID] = mapped_column(primary_key=True)
    last_seen_on: Mapped[date]


class CompanyLastSignal(Tenant, references_organization=False):
    """When the newest signal of a company occurred."""

    __tablename__ = "company_last_signals"

    company_id: Mapped[UUID] = reference("companies", on_delete="CASCADE", primary_key=True)
    occurred_at: Mapped[datetime]

    __table_args__ = (index("occurred_at", "company_id", name="company_last_signals_newest_idx"),)


class ContactLastSignal(Tenant, references_organization=False):
    """When the newest signal of a contact occurred."""

    __tablename__ = "contact_last_signals"

    contact_id: Mapped[UUID] = reference("contacts", on_delete="CASCADE", primary_key=True)
    occurred_at: Mapped[datetime]

    __table_args__ = (index("occurred_at", "contact_id", name="contact_last_signals_newest_idx"),)
