"""Companies and contacts as they are stored."""

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Entity, index, reference, text_of


class Lifecycle(StrEnum):
    """Where a company stands with us."""

    PROSPECT = "PROSPECT"
    ACTIVE = "ACTIVE"
    CUSTOMER = "CUSTOMER"
    CHURNED = "CHURNED"


class ContactStatus(StrEnum):
    """Whether a person may be worked with."""

    ACTIVE = "ACTIVE"
    UNSUBSCRIBED = "UNSUBSCRIBED"
    BOUNCED = "BOUNCED"
    DO_NOT_CONTACT = "DO_NOT_CONTACT"


_KEPT = text("deleted_at IS NULL")


class Kept(Entity):
    """A record that is kept when it is deleted, and whose changes are counted, whoever makes them."""

    __abstract__ = True
    __mapper_args__: Any = {"eager_defaults": True}

    deleted_at: Mapped[datetime | None] = mapped_column(
        sort_order=12, doc="When it was deleted; null while it is kept."
    )
    version: Mapped[int] = mapped_column(
        server_default=text("1"),
        onupdate=text("version + 1"),
        sort_order=13,
        doc="Counts the changes of the record, from 1 on.",
    )


class Company(Kept):
    """An account: a firm whose people use, or may come to use, the product."""

    __tablename__ = "companies"
    prefix: ClassVar[str] = "company"

    name: Mapped[str] = text_of(255, doc="What the company is called.")
    domain: Mapped[str | None] = text_of(
        255, info={"lowercase": True}, doc="The company's own domain, unique within the organization."
    )
    website: Mapped[str | None] = text_of(2048, doc="Address of the company's website.")
    industry: Mapped[str | None] = text_of(255, doc="The industry it works in.")
    employees: Mapped[int | None] = mapped_column(doc="How many people work there.")
    description: Mapped[str | None] = text_of(20_000, doc="What it does, in a few sentences.")
    country: Mapped[str | None] = text_of(2, doc="Country of its head office (ISO 3166-1 alpha-2).")
    linkedin_url: Mapped[str | None] = text_of(2048, doc="Address of its LinkedIn page.")
    lifecycle: Mapped[Lifecycle] = mapped_column(default=Lifecycle.PROSPECT, doc="Where it stands with us.")
    source: Mapped[str | None] = text_of(100, doc="Where the record came from.")

    __table_args__ = (
        index("domain", name="companies_domain_key", unique=True, postgresql_where=_KEPT),
        index("name", "id"),
        index("updated_at", "id"),
        index("created_at", "id"),
    )


class Contact(Kept):
    """A person, at a company or not yet known to be."""

    __tablename__ = "contacts"
    prefix: ClassVar[str] = "contact"

    first_name: Mapped[str | None] = text_of(255, doc="Given name.")
    last_name: Mapped[str | None] = text_of(255, doc="Family name.")
    email: Mapped[str | None] = text_of(
        254, info={"lowercase": True}, doc="E-mail address, unique within the organization."
    )
    phone: Mapped[str | None] = text_of(50, doc="Telephone number, as it was given.")
    title: Mapped[str | None] = text_of(255, doc="Job title.")
    department: Mapped[str | None] = text_of(255, doc="Department.")
    github_login: Mapped[str | None] = text_of(255, doc="GitHub user name as last seen; people rename themselves.")
    linkedin_url: Mapped[str | None] = text_of(2048, doc="Address of the LinkedIn profile.")
    status: Mapped[ContactStatus] = mapped_column(
        default=ContactStatus.ACTIVE, doc="Whether the person may be worked with."
    )
    source: Mapped[str | None] = text_of(100, doc="Where the record came from.")
    company_id: Mapped[UUID | None] = reference("companies", doc="The company the person works for.")

    __table_args__ = (
        index("email", name="contacts_email_key", unique=True, postgresql_where=_KEPT),
        index("company_id", "id"),
        index("last_name", "id"),
        index("updated_at", "id"),
        index("created_at", "id"),
    )
