"""What may be said about CRM records. A patch has the same fields, each of which may be left out."""

from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, EmailStr, Field, HttpUrl, StringConstraints, TypeAdapter
from pydantic_core import PydanticCustomError

from app.core.records import BigNumber, Line, LongText, Patch, Record, Text
from app.crm.currencies import CURRENCIES
from app.crm.models import (
    ActivityStatus,
    ActivityType,
    ContactStatus,
    DealStage,
    Lifecycle,
    TaskPriority,
    TaskStatus,
)

MAX_AMOUNT = 10**15

_url = TypeAdapter(HttpUrl)


def _web_address(text: str) -> str:
    _url.validate_python(text)
    return text


# Asked of the text before it is put in lower case.
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
Domain = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, to_lower=True, max_length=253, pattern=rf"^(?:{_LABEL}\.)+[A-Za-z0-9-]{{2,63}}$"
    ),
]
WebAddress = Annotated[Line, StringConstraints(max_length=2048), AfterValidator(_web_address)]
Email = Annotated[EmailStr, StringConstraints(max_length=254, to_lower=True)]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
Employees = Annotated[int, Field(ge=0, le=10_000_000)]
SourceName = Annotated[Line, StringConstraints(max_length=100)]


class _CompanyFields(Record):
    domain: Domain | None = Field(None, description="The company's own domain, such as `acme.dev`.")
    website: WebAddress | None = Field(None, description="Address of its website, with https://.")
    industry: Line | None = Field(None, description="The industry it works in.")
    employees: Employees | None = Field(None, description="How many people work there.")
    description: LongText | None = Field(None, description="What it does, in a few sentences.")
    country: Country | None = Field(None, description="Country of its head office (ISO 3166-1 alpha-2).")
    linkedin_url: WebAddress | None = Field(None, description="Address of its LinkedIn page.")
    lifecycle: Lifecycle | None = Field(None, description="Where it stands with us.")
    source: SourceName | None = Field(None, description="Where the record came from.")


class CompanyRecord(_CompanyFields):
    name: Line = Field(description="What the company is called.")


class CompanyPatch(Patch, _CompanyFields):
    required = frozenset({"name", "lifecycle"})

    name: Line | None = Field(None, description="What the company is called.")


class _ContactFields(Record):
    first_name: Line | None = Field(None, description="Given name.")
    last_name: Line | None = Field(None, description="Family name.")
    email: Email | None = Field(None, description="E-mail address, unique within the organization.")
    phone: Annotated[Line, StringConstraints(max_length=50)] | None = Field(None, description="Telephone number.")
    title: Line | None = Field(None, description="Job title.")
    department: Line | None = Field(None, description="Department.")
    github_login: Line | None = Field(None, description="GitHub user name.")
    linkedin_url: WebAddress | None = Field(None, description="Address of the LinkedIn profile.")
    status: ContactStatus | None = Field(None, description="Whether the person may be worked with.")
    source: SourceName | None = Field(None, description="Where the record came from.")
    company_id: UUID | None = Field(None, description="The company the person works for.")


class ContactRecord(_ContactFields):
    pass


class ContactPatch(Patch, _ContactFields):
    required = frozenset({"status"})


def _real_currency(code: str) -> str:
    if code not in CURRENCIES:
        raise PydanticCustomError("currency", "must be a currency of ISO 4217")
    return code


Amount = Annotated[BigNumber, Field(ge=0, le=MAX_AMOUNT)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$"), AfterValidator(_real_currency)]
Percent = Annotated[int, Field(ge=0, le=100)]
Minutes = Annotated[int, Field(ge=0, le=100_000)]


class _DealFields(Record):
    stage: DealStage | None = Field(None, description="How far it has come; IDENTIFIED unless said.")
    amount: Amount | None = Field(None, description="What it is worth, in the currency's minor units.")
    currency: Currency | None = Field(None, description="Currency of the amount (ISO 4217); USD unless said.")
    probability: Percent | None = Field(None, description="How likely it is to be won, in percent; else by its stage.")
    expected_close_on: date | None = Field(None, description="The day on which it is expected to be decided.")
    lost_reason: Annotated[Text, StringConstraints(max_length=1_000)] | None = Field(
        None, description="Why it was lost."
    )
    description: LongText | None = Field(None, description="What it is about.")
    source: SourceName | None = Field(None, description="Where the record came from.")
    company_id: UUID | None = Field(None, description="The company it is about.")
    owner_id: UUID | None = Field(None, description="The member who is responsible for it.")


class DealRecord(_DealFields):
    name: Line = Field(description="What the deal is called.")


class DealPatch(Patch, _DealFields):
    required = frozenset({"name", "stage", "currency", "probability"})

    name: Line | None = Field(None, description="What the deal is called.")


class _About(Record):
    company_id: UUID | None = Field(None, description="The company it is about.")
    contact_id: UUID | None = Field(None, description="The person it is about.")
    deal_id: UUID | None = Field(None, description="The deal it is about.")


class _ActivityFields(_About):
    status: ActivityStatus | None = Field(None, description="Whether it has taken place; PLANNED unless said.")
    description: LongText | None = Field(None, description="What was, or is to be, said.")
    due_at: AwareDatetime | None = Field(None, description="When it is to take place.")
    done_at: AwareDatetime | None = Field(None, description="When it took place; now, if left out when it is DONE.")
    duration_minutes: Minutes | None = Field(None, description="How long it takes, in minutes.")
    owner_id: UUID | None = Field(None, description="The member whose activity it is; who adds it unless said.")


class ActivityRecord(_ActivityFields):
    type: ActivityType = Field(description="What kind of contact it is.")
    subject: Line = Field(description="What it is about, in a line.")


class ActivityPatch(Patch, _ActivityFields):
    required = frozenset({"type", "subject", "status"})

    type: ActivityType | None = Field(None, description="What kind of contact it is.")
    subject: Line | None = Field(None, description="What it is about, in a line.")


class _TaskFields(_About):
    description: LongText | None = Field(None, description="What is to be done, at length.")
    status: TaskStatus | None = Field(None, description="How far it has come; TODO unless said.")
    priority: TaskPriority | None = Field(None, description="How much it presses; NORMAL unless said.")
    due_at: AwareDatetime | None = Field(None, description="When it is to be done.")
    assignee_id: UUID | None = Field(None, description="The member who is to do it.")


class TaskRecord(_TaskFields):
    title: Line = Field(description="What is to be done, in a line.")


class TaskPatch(Patch, _TaskFields):
    required = frozenset({"title", "status", "priority"})

    title: Line | None = Field(None, description="What is to be done, in a line.")


class _NoteFields(_About):
    title: Line | None = Field(None, description="What it is about, in a line.")
    is_pinned: bool | None = Field(None, description="Whether it stays on top.")


class NoteRecord(_NoteFields):
    body: LongText = Field(description="The note itself, as text or Markdown.")


class NotePatch(Patch, _NoteFields):
    required = frozenset({"body", "is_pinned"})

    body: LongText | None = Field(None, description="The note itself, as text or Markdown.")
