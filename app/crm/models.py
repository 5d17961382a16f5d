"""CRM records as they are stored."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Entity, Versioned, index, reference, text_of, unique


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


class DealStage(StrEnum):
    """How far a deal has come. The first five are read from what the company's people do with the product."""

    ANONYMOUS_USAGE = "ANONYMOUS_USAGE"
    IDENTIFIED = "IDENTIFIED"
    ACTIVATED = "ACTIVATED"
    TEAM_ADOPTION = "TEAM_ADOPTION"
    EXPANSION_SIGNAL = "EXPANSION_SIGNAL"
    SALES_CONTACTED = "SALES_CONTACTED"
    NEGOTIATION = "NEGOTIATION"
    CLOSED_WON = "CLOSED_WON"
    CLOSED_LOST = "CLOSED_LOST"

    @property
    def is_closed(self) -> bool:
        return self in (DealStage.CLOSED_WON, DealStage.CLOSED_LOST)


class DealRoleKind(StrEnum):
    """What a person has to do with a deal."""

    CHAMPION = "CHAMPION"
    DECISION_MAKER = "DECISION_MAKER"
    ECONOMIC_BUYER = "ECONOMIC_BUYER"
    EVALUATOR = "EVALUATOR"
    USER = "USER"
    BLOCKER = "BLOCKER"
    OTHER = "OTHER"


class ActivityType(StrEnum):
    """What kind of contact there was, or is to be."""

    CALL = "CALL"
    EMAIL = "EMAIL"
    MEETING = "MEETING"
    DEMO = "DEMO"
    OTHER = "OTHER"


class ActivityStatus(StrEnum):
    """Whether it has taken place."""

    PLANNED = "PLANNED"
    DONE = "DONE"
    CANCELLED = "CANCELLED"


class TaskStatus(StrEnum):
    """How far a task has come."""

    TODO = "TODO"
    IN_PROGRESS = "IN_PROGRESS"
    DONE = "DONE"
    CANCELLED = "CANCELLED"


class TaskPriority(StrEnum):
    """How much a task presses."""

    LOW = "LOW"
    NORMAL = "NORMAL"
    HIGH = "HIGH"
    URGENT = "URGENT"


_KEPT = text("deleted_at IS NULL")


class Kept(Versioned):
    """A record that stays when it is deleted, so that it can be restored, until it is destroyed."""

    __abstract__ = True

    deleted_at: Mapped[datetime | None] = mapped_column(
        sort_order=12, doc="When it was deleted; null while it is kept."
    )


def _member(**options: Any) -> Any:
    """A column that names a member of the organization."""
    return reference("memberships", key="user_id", **options)


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


class Deal(Kept):
    """A sale that may come of a company, from its first use of the product to won or lost."""

    __tablename__ = "deals"
    prefix: ClassVar[str] = "deal"

    name: Mapped[str] = text_of(255, doc="What the deal is called.")
    stage: Mapped[DealStage] = mapped_column(default=DealStage.IDENTIFIED, doc="How far it has come.")
    amount: Mapped[int | None] = mapped_column(BigInteger, doc="What it is worth, in the currency's minor units.")
    currency: Mapped[str] = text_of(3, default="USD", doc="Currency of the amount (ISO 4217).")
    probability: Mapped[int] = mapped_column(SmallInteger, doc="How likely it is to be won, in percent.")
    expected_close_on: Mapped[date | None] = mapped_column(doc="The day on which it is expected to be decided.")
    closed_at: Mapped[datetime | None] = mapped_column(doc="When it was won or lost; null while it is open.")
    lost_reason: Mapped[str | None] = text_of(1_000, doc="Why it was lost.")
    description: Mapped[str | None] = text_of(20_000, doc="What it is about.")
    source: Mapped[str | None] = text_of(100, doc="Where the record came from.")
    company_id: Mapped[UUID | None] = reference("companies", doc="The company it is about.")
    owner_id: Mapped[UUID | None] = _member(doc="The member who is responsible for it.")

    __table_args__ = (
        index("company_id", "id"),
        index("owner_id", "id"),
        index("stage", "id"),
        index("expected_close_on", "id"),
        index("amount", "id"),
        index("name", "id"),
        index("updated_at", "id"),
        index("created_at", "id"),
    )


class DealStageChange(Entity):
    """A step of a deal from one stage to another."""

    __tablename__ = "deal_stage_changes"
    prefix: ClassVar[str] = "dealstagechange"

    deal_id: Mapped[UUID] = reference("deals", on_delete="CASCADE", doc="The deal.")
    before: Mapped[DealStage | None] = mapped_column(doc="The stage that it left; null for its first one.")
    stage: Mapped[DealStage] = mapped_column(doc="The stage that it came to.")
    user_id: Mapped[UUID | None] = _member(doc="The member who moved it; null where a program did.")

    __table_args__ = (index("deal_id", "id"), index("user_id"))


class DealRole(Entity):
    """A person's part in a deal."""

    __tablename__ = "deal_roles"
    prefix: ClassVar[str] = "dealrole"

    deal_id: Mapped[UUID] = reference("deals", on_delete="CASCADE", doc="The deal.")
    contact_id: Mapped[UUID] = reference("contacts", on_delete="CASCADE", doc="The person.")
    role: Mapped[DealRoleKind] = mapped_column(doc="What the person has to do with the deal.")

    __table_args__ = (unique("deal_id", "contact_id"), index("contact_id", "id"), index("deal_id", "id"))


class About(Kept):
    """A record that may be about a company, a contact and a deal."""

    __abstract__ = True

    company_id: Mapped[UUID | None] = reference("companies", doc="The company it is about.")
    contact_id: Mapped[UUID | None] = reference("contacts", doc="The person it is about.")
    deal_id: Mapped[UUID | None] = reference("deals", doc="The deal it is about.")


def _about(*others: Index) -> tuple[Index, ...]:
    """The indexes of such a table: by what it is about, and by time."""
    about = ("company_id", "contact_id", "deal_id", "created_at", "updated_at")
    return (*(index(column, "id") for column in about), *others)


class Activity(About):
    """A call, e-mail, meeting or the like with somebody, planned or done."""

    __tablename__ = "activities"
    prefix: ClassVar[str] = "activity"

    type: Mapped[ActivityType] = mapped_column(doc="What kind of contact it is.")
    status: Mapped[ActivityStatus] = mapped_column(default=ActivityStatus.PLANNED, doc="Whether it has taken place.")
    subject: Mapped[str] = text_of(255, doc="What it is about, in a line.")
    description: Mapped[str | None] = text_of(20_000, doc="What was, or is to be, said.")
    due_at: Mapped[datetime | None] = mapped_column(doc="When it is to take place.")
    done_at: Mapped[datetime | None] = mapped_column(doc="When it took place.")
    duration_minutes: Mapped[int | None] = mapped_column(doc="How long it takes, in minutes.")
    owner_id: Mapped[UUID | None] = _member(doc="The member whose activity it is.")

    __table_args__ = _about(index("owner_id", "id"), index("due_at", "id"), index("done_at", "id"))


class Task(About):
    """Something that a member is to do."""

    __tablename__ = "tasks"
    prefix: ClassVar[str] = "task"

    title: Mapped[str] = text_of(255, doc="What is to be done, in a line.")
    description: Mapped[str | None] = text_of(20_000, doc="What is to be done, at length.")
    status: Mapped[TaskStatus] = mapped_column(default=TaskStatus.TODO, doc="How far it has come.")
    priority: Mapped[TaskPriority] = mapped_column(default=TaskPriority.NORMAL, doc="How much it presses.")
    due_at: Mapped[datetime | None] = mapped_column(doc="When it is to be done.")
    done_at: Mapped[datetime | None] = mapped_column(doc="When it was done.")
    assignee_id: Mapped[UUID | None] = _member(doc="The member who is to do it.")

    __table_args__ = _about(index("assignee_id", "id"), index("due_at", "id"), index("status", "id"))


class Note(About):
    """Something worth keeping in mind."""

    __tablename__ = "notes"
    prefix: ClassVar[str] = "note"

    title: Mapped[str | None] = text_of(255, doc="What it is about, in a line.")
    body: Mapped[str] = text_of(20_000, doc="The note itself, as text or Markdown.")
    is_pinned: Mapped[bool] = mapped_column(default=False, doc="Whether it stays on top.")
    author_id: Mapped[UUID | None] = _member(doc="The member who wrote it; null where a program did.")

    __table_args__ = _about(index("author_id", "id"))
