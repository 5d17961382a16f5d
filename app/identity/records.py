"""What may be said about people, organizations and keys."""

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, EmailStr, Field, StringConstraints

from app.core.records import Line, Patch, Record, Text
from app.identity.permissions import Permission

Email = Annotated[EmailStr, StringConstraints(max_length=254, to_lower=True)]
Password = Annotated[str, StringConstraints(min_length=10, max_length=200)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$", max_length=63)]


class Registration(Record):
    email: Email = Field(description="The address to sign in with.")
    password: Password = Field(description="10 to 200 characters.")
    name: Line | None = Field(None, description="The person's name.")


class Credentials(Record):
    email: Annotated[Text, StringConstraints(max_length=254, to_lower=True)] = Field(
        description="The address the person registered with."
    )
    password: Annotated[str, StringConstraints(max_length=200)] = Field(description="The person's password.")


class OrganizationRecord(Record):
    name: Line = Field(description="What the organization is called.")
    slug: Slug | None = Field(
        None, description="Unique short name: lower case, digits, hyphens. Made from the name if left out."
    )


class OrganizationPatch(Patch):
    required = frozenset({"name", "slug"})

    name: Line | None = Field(None, description="What the organization is called.")
    slug: Slug | None = Field(None, description="Unique short name: lower case, digits and hyphens.")


class ApiKeyRecord(Record):
    name: Line = Field(description="What the key is for.")
    scopes: frozenset[Permission] = Field(min_length=1, description="What the key may do.")
    expires_at: AwareDatetime | None = Field(None, description="From when on the key is refused.")


def expired(moment: datetime | None, at: datetime) -> bool:
    return moment is not None and moment <= at
