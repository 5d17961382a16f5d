"""What may be said about companies and contacts. A patch has the same fields, each of which may be left out."""

from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, EmailStr, Field, HttpUrl, StringConstraints, TypeAdapter

from app.core.records import Line, LongText, Patch, Record
from app.crm.models import ContactStatus, Lifecycle

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
